/* A run that one can go about in: to any event, to any time, forwards and backwards. It happens in
 * processes of its own (checkpoint.h), by time and event by event; what is asked for is printed
 * there, on standard output.
 *
 * "After event N" is when N events were given, and the cycle that the N-th ended is over: what its
 * node did because of it has been done. Where the N-th is in the middle of a cycle (a delivery in
 * pieces) it is before the next one is given. "At T" is when all that happens up to T, T included,
 * has happened, the scenario's doings among it. */
#ifndef VIBESIM_TRAVEL_H
#define VIBESIM_TRAVEL_H

#include "scenarios/engine.h"
#include "vibesim/checkpoint.h"
#include "vibesim/rerun.h"
#include "vibesim/trace_filter.h"

#define TRAVEL_END UINT64_MAX /* an event, or a time, that no run reaches: its end */

struct travel_where {
    uint64_t t_ns, events;
    uint32_t nodes, peers; /* hosts so far */
    uint32_t alive;        /* of the nodes */
    uint64_t tip_height;   /* of the nodes that live */
    bool at_time;          /* it stands at a time, not after an event */
    bool over;             /* the run has ended: */
    bool passed;           /* all checks held */
    bool interrupted;      /* it was stopped on the way, by SIGINT */
    uint64_t trace_hash;   /* of the whole run, when it is over */
    char reason[200];      /* why it failed; "" */
};

/* What a process of the run is told; see travel_run.c. */
enum travel_verb { TRAVEL_GO, TRAVEL_DUMP };

struct travel_order {
    uint32_t verb;
    uint32_t show; /* TRAVEL_GO: tells what happens, event by event */
    uint32_t json; /* TRAVEL_DUMP */
    struct trace_host host;
    struct checkpoint_place to;
};

struct travel_answer {
    struct travel_where where;
    uint32_t done; /* TRAVEL_DUMP: there is such a host */
};

struct travel {
    const struct rerun *rerun; /* borrowed */
    bool words;                /* it may be asked to tell what happens; takes some time */
    bool quiet;                /* no line about how far it is */
    struct checkpoints *points;
    struct travel_where where;
};

/* Starts at event 0. False with a line in why. No database may be open. */
bool travel_start(struct travel *t, const struct rerun *rerun, bool words, bool quiet, char *why,
                  size_t size);
void travel_free(struct travel *t);

/* Goes there, from the nearest checkpoint. show: tells of each event on the way from where it
 * stands; only forwards. False with a line in why: the process died. */
bool travel_to_event(struct travel *t, uint64_t event, bool show, char *why, size_t size);
bool travel_to_time(struct travel *t, uint64_t t_ns, char *why, size_t size);

/* Prints the state of a host. False with a line in why: there is none yet, or the process died. */
bool travel_dump(struct travel *t, struct trace_host host, bool json, char *why, size_t size);

/* ---- travel_run.c: in the processes of the run ---- */

/* The life of the first process: ctx is the struct travel. */
void travel_run(struct checkpoint_run *run, void *ctx);

#endif
