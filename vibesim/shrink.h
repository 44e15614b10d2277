/* From a run that fails to the smallest one that fails the same check: fewer faults and scripted
 * peers, smaller parameters, less time.
 *
 * Happy path: the run is made again and fails; whole-numbered parameters are tried smaller; faults
 * are left out by delta debugging over the decision log (ddmin.h); parameters again; the time after
 * the failure is cut off. Each step is taken only if the run then fails the same check, and, where
 * the scenario holds without any fault, still does: so that no parameter is made so small that the
 * check cannot but fail. Candidates run in worker processes; what is found does not depend on how
 * many there are. A run whose process dies is shrunk likewise: the signal is what must come again.
 */
#ifndef VIBESIM_SHRINK_H
#define VIBESIM_SHRINK_H

#include "vibesim/ddmin.h"
#include "vibesim/rerun.h"

#include <signal.h>

#define SHRINK_NAME  400u
#define SHRINK_VALUE 24u

/* How a run fails. */
struct shrink_failure {
    bool fails;
    char kind[20], name[SHRINK_NAME]; /* the first check that failed; kind "death" and the pool's
                                         words for it, if the process died */
    char detail[200];
    uint64_t t_ns; /* of that check, or 0 */
    uint32_t decisions, nodes, peers;
    uint64_t events;
};

/* One parameter that may shrink. */
struct shrink_param {
    const char *name; /* the scenario's */
    uint64_t value;   /* of the case at hand */
    uint64_t was;
};

struct shrink {
    const struct rerun *rerun; /* borrowed */
    uint32_t jobs;             /* worker processes, 1 or more */
    uint64_t max_runs;         /* about this many candidates are tried, then what there is counts */
    const volatile sig_atomic_t *interrupt;
    /* Tells each step that was taken, in words. */
    void (*tell)(void *ctx, const char *line);
    /* Several times a second; may be NULL. */
    void (*tick)(void *ctx, uint64_t runs);
    void *ctx;

    /* Found: */
    struct shrink_failure first, last; /* of the run as it was, and of the smallest one */
    struct ddmin_set kept;             /* the decisions that are carried out */
    struct shrink_param *params;
    size_t param_count;
    uint64_t until_ns; /* 0: the scenario's duration */
    bool holds_bare;   /* without any fault the scenario holds */
    uint64_t runs;     /* candidates tried */
    bool stopped;      /* by max_runs or the interrupt */
};

enum shrink_end {
    SHRINK_DONE,
    SHRINK_HOLDS,  /* the run does not fail any more */
    SHRINK_FAILED, /* no worker could be started, or it was interrupted before it began */
};

enum shrink_end shrink_search(struct shrink *s);
void shrink_free(struct shrink *s);

/* The arguments of the smallest run: rerun's with what was found. Freed by shrink_args_free. */
void shrink_args(const struct shrink *s, struct args_run *out);
void shrink_args_free(struct args_run *args);

/* Runs the scenario as args say, in this process. on_decision: of each decision, or NULL. */
void shrink_try(struct engine *engine, const struct args_run *args,
                const volatile sig_atomic_t *interrupt,
                void (*on_decision)(void *ctx, uint64_t t_ns, uint32_t no, const char *kind,
                                    const char *params, bool taken),
                void *ctx, struct shrink_failure *out);

/* Whether two runs fail alike. */
bool shrink_same(const struct shrink_failure *a, const struct shrink_failure *b);

#endif
