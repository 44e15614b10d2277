/* Faults, whoever asks for them: a word of the script (lua_fault.c, lua_link.c) or the swarm
 * (swarm.h). Each is a decision (decision.h), carried out and told here, if it is taken. What the
 * world can do, and whether the fault contradicts the state asked for, is for the caller to see. */
#ifndef SCENARIOS_FAULTS_H
#define SCENARIOS_FAULTS_H

#include "scenarios/decision.h"
#include "transport-sim/sim.h"

/* lasting_ns, wherever it stands: only written down, for the caller ends the fault; 0: nobody has
 * said when. Those of links end by themselves. */
struct fault_kill {
    bool silently;  /* as by a power cut */
    bool lose_disk; /* at the start that ends it */
    uint64_t lasting_ns;
};

/* A wall clock, as scripts say it: seconds, parts per million. */
struct fault_skew {
    double by, drift, jump;
    uint64_t jump_every_ns;
    uint64_t lasting_ns;
};

/* Each returns whether it was done: not where it was left out, nor where the world had no such node
 * (any more). */
bool fault_kill(struct run *run, uint32_t host, const struct fault_kill *kill);
bool fault_pause(struct run *run, uint32_t host, uint64_t lasting_ns);
bool fault_skew(struct run *run, uint32_t host, const struct fault_skew *skew);
bool fault_disk(struct run *run, uint32_t host, const struct sim_disk_faults *faults,
                uint64_t lasting_ns);

/* What ends them is no decision. The first two return false, and tell nothing, where there is
 * nothing to end. */
bool fault_start(struct run *run, uint32_t host, bool lose_disk);
bool fault_resume(struct run *run, uint32_t host);
void fault_clock_right(struct run *run, uint32_t host);
void fault_disk_good(struct run *run, uint32_t host);

/* What goes on between links until it is healed. */
enum fault_class { FAULT_CUT, FAULT_FLAP, FAULT_DEGRADE, FAULT_CLASSES };

struct fault_ongoing {
    enum fault_class class;
    uint32_t id;       /* the world's */
    uint32_t decision; /* its number */
    uint64_t end_ns;   /* it is over by itself then, or UINT64_MAX */
};

/* Two sets of hosts. b NULL: all others, for a blackhole alone. */
struct fault_sides {
    const uint32_t *a, *b;
    uint32_t na, nb;
};

/* Ids to end them with; 0: left out. */
uint32_t fault_partition(struct run *run, const struct fault_sides *sides,
                         const struct sim_cut_params *cut);
uint32_t fault_blackhole(struct run *run, const struct fault_sides *sides,
                         const struct sim_cut_params *cut);
uint32_t fault_flap(struct run *run, const struct fault_sides *sides,
                    const struct sim_cut_params *cut);
/* *refused: the world takes no such links. */
uint32_t fault_degrade(struct run *run, const struct fault_sides *sides,
                       const struct sim_degrade *by, bool *refused);

/* Ends one; nothing happens where it is over already. */
void fault_end(struct run *run, enum fault_class class, uint32_t id);
const char *fault_class_name(enum fault_class class);

/* word: "reset_links", "half_open" or "forget_links"; how many links it met. */
uint32_t fault_links(struct run *run, const char *word, const struct fault_sides *sides);
bool fault_links_can(const struct run *run, const char *word);

/* Ends all of the above, whoever began it: what is between links, disks, clocks, pauses; starts the
 * nodes that the script killed. */
void faults_heal(struct run *run);

/* The state that a script may ask for begins anew, after it healed the network. */
void faults_forget(struct run *run);

#endif
