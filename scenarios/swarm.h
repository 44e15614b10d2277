/* Swarm mode: faults that nobody wrote down.
 *
 * A scenario says in `swarm = { }` what may happen to it. In swarm mode each seed draws from that,
 * by dice of its own: the parameters that were not given; which kinds of faults there are at all;
 * and when each of them strikes whom, how hard and for how long, from `from` on for `lasting`. Then
 * the network is healed for good, and has `settle` to show that it lives: whatever the scenario
 * says that must hold eventually, and, where there are miners, that all agree on a tip that grows.
 *
 * Sources. A. Groce, C. Zhang, E. Eide, Y. Chen, J. Regehr, "Swarm Testing" (ISSTA 2012): each run
 * leaves each feature out with probability 1/2, for features hide each other's bugs, and a run with
 * all of them at once is not the worst one. FoundationDB's BUGGIFY (flow/include/flow/Buggify.h,
 * Zhou et al., SIGMOD 2021): each point of the rarer trouble is there in a run with 25 %, and then
 * happens with 25 %; and it heals the cluster before it asks whether that still makes progress.
 *
 * Every fault is a decision of the log, so that `--without` can take it out: whether there is one
 * depends on dice and on what the script asked for alone, never on what others did. */
#ifndef SCENARIOS_SWARM_H
#define SCENARIOS_SWARM_H

#include "core/base/rng.h"
#include "scenarios/decision.h"
#include "transport-sim/dist.h"

#include <lua.h>

struct engine;
struct engine_param;
struct param;

enum swarm_kind {
    SWARM_KILL,
    SWARM_PAUSE,
    SWARM_SKEW,
    SWARM_DISK,
    SWARM_PARTITION,
    SWARM_BLACKHOLE,
    SWARM_FLAP,
    SWARM_DEGRADE,
    SWARM_RESET_LINKS,
    SWARM_HALF_OPEN,
    SWARM_FORGET_LINKS,
    SWARM_PEER, /* a misbehaving one: only the script brings some */
    SWARM_KINDS
};

/* What the scenario allows of a kind. */
struct swarm_fault {
    bool allowed;
    bool inject;             /* the swarm adds some of its own to the script's */
    uint64_t every_ns;       /* mean time between two of them */
    struct sim_dist lasting; /* seconds; owns its values */
};

/* Where a parameter is drawn from: a list of values, or a distribution (which owns its values). */
struct swarm_choice {
    size_t param; /* of the scenario's */
    struct param *list;
    size_t count; /* 0: no list */
    struct sim_dist range;
};

struct swarm_spec {
    char where[120]; /* "FILE:LINE: " */
    struct swarm_choice *choices;
    size_t choice_count;
    struct swarm_fault faults[SWARM_KINDS];
    uint64_t from_ns, lasting_ns, settle_ns;
};

/* ---- swarm_read.c ---- */

/* The kind's word, that of its decisions: "kill". */
const char *swarm_kind_name(enum swarm_kind kind);
/* Whether faults of this kind last. */
bool swarm_kind_lasts(enum swarm_kind kind);
/* Reads `swarm = { }` at index into engine->swarm; raises errors with file and line. */
void swarm_read(lua_State *L, int index, struct engine *engine);
void swarm_spec_free(struct swarm_spec *spec);

/* ---- swarm.c ---- */

/* Draws those of the engine's parameters that are not among `given`. */
void swarm_draw_params(const struct engine *engine, uint64_t seed, struct param *params,
                       const struct engine_param *given, size_t given_count);

/* A point of rarer trouble: see BUGGIFY above. */
enum swarm_point {
    POINT_SILENTLY,
    POINT_LOSE_DISK,
    POINT_DRIFT,
    POINT_TORN,
    POINT_LIE,
    POINT_ROTTEN,
    POINT_ONE_WAY,
    POINTS
};

/* What the swarm did to a host and is not over. */
struct swarm_host {
    uint64_t process_ns, clock_ns, disk_ns; /* until then, whether it was left out or not */
    bool killed;
    bool lose_disk; /* when it starts again */
};

/* One run's swarm. */
struct swarm {
    const struct swarm_spec *spec;
    bool on[SWARM_KINDS];
    bool point[POINTS];
    struct rng dice[SWARM_KINDS];
    uint64_t heal_ns;
    bool healed;
    uint64_t height; /* the highest tip when it healed */
    struct swarm_event *events;
    struct swarm_host *hosts;
    uint32_t host_count;
};

/* Draws, tells what, and begins; the world is there, the script has not begun. */
void swarm_begin(struct run *run);
void swarm_free(struct run *run);
/* An event of the swarm's is due. */
void swarm_wake(struct run *run, void *event);
/* At the end of the run: says so where no liveness was judged. */
void swarm_finish(struct run *run);

/* NULL, or why the decision may not be taken, to be put behind its name. */
const char *swarm_refuses(const struct run *run, const struct decision *decision);
/* The deadline of what must hold eventually: before the heal there is time until after it. */
uint64_t swarm_deadline(const struct run *run, uint64_t t_ns);

/* Calls swarm_wake with `how` and `host` at t_ns. */
enum swarm_event_kind { SWARM_FIRE, SWARM_END, SWARM_HEAL };
void swarm_at(struct run *run, uint64_t t_ns, enum swarm_event_kind event, enum swarm_kind kind,
              uint32_t host);

/* ---- swarm_fault.c ---- */

/* Draws one fault of the kind and makes it happen now. */
void swarm_fault(struct run *run, enum swarm_kind kind);
/* Ends one of a host. */
void swarm_fault_end(struct run *run, enum swarm_kind kind, uint32_t host);

#endif
