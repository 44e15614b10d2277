/* Many runs in worker processes: what `vibesim run --seeds`, `vibesim sweep` and whoever else wants
 * many runs share. It loads the scenarios, makes each run in a worker, records it into a part
 * (store/recorder_gather.h) and brings its result back. Which runs there are, in which order they
 * are made, told and moved into the record, and what they mean together is the caller's:
 *
 *     struct many m = {.ops = {.ctx = c, .next = next, .describe = describe, .ended = ended},
 *                      .args = args, .gather = gather, .all = count};
 *     if (many_load(&m))
 *         end = many_make(&m);
 *     many_free(&m);
 */
#ifndef VIBESIM_MANY_H
#define VIBESIM_MANY_H

#include "store/recorder_gather.h"
#include "vibesim/cli_run.h"
#include "vibesim/pool.h"
#include "vibesim/progress.h"

#include <jansson.h>

/* A run that has ended. */
struct many_run {
    uint64_t job;
    size_t file; /* of many.args->files */
    uint64_t seed;
    int status;   /* enum cli_status, of this run alone */
    bool trouble; /* the machine was in the way of it, like a full disk: nothing is known of the run
                   */
    json_t *result; /* the object that --json prints of it; of a run that did not come to its end
                       `verdict`, `reason`, `file` and `seed` alone */
    char *death;    /* "killed by SIGSEGV": why its process ended; NULL if it did not */
};

void many_run_free(struct many_run *run);

struct many_ops {
    void *ctx;
    /* The next job, asked for as a worker comes free; false: there is none left. */
    bool (*next)(void *ctx, uint64_t *job);
    /* What the job is: sets *file and the seed of args, a copy of many.args, and whatever else is
     * its own. A function of the job alone: it is asked here and in workers. */
    void (*describe)(void *ctx, uint64_t job, struct args_run *args, size_t *file);
    /* In the order in which runs end; the run is the callee's (many_run_free). False stops all. */
    bool (*ended)(void *ctx, struct many_run *run);
};

struct many {
    struct many_ops ops;         /* these four are set by the caller; all is borrowed */
    const struct args_run *args; /* what all runs have in common: files, parameters, options */
    struct gather *gather;       /* NULL: not recorded */
    uint64_t all;                /* how many jobs there are to make */
    struct loaded *loaded;       /* by file; from many_load on */
    struct progress_runs runs;   /* .before may be set: runs that are done already */
    struct progress progress;    /* to be cleared before anything is printed */
};

/* Loads all files with their parameters. False, told, if one is wrong. */
bool many_load(struct many *m);

/* Makes all runs on args->jobs workers (or as many as there are processors), with a line on stderr
 * that moves. The first SIGINT or SIGTERM ends it. That no worker could be started is told. */
enum pool_end many_make(struct many *m);

/* Moves what the run recorded into the record, and puts its number (`run_id`, `db`) into the
 * result. False, with a line in why, if that failed. */
bool many_record(const struct many *m, const struct many_run *run, char *why, uint32_t why_size);

void many_free(struct many *m);

/* The worse of two exit statuses: a skip is worse than what holds, and better than all else. */
int many_worse(int a, int b);

/* Whether a recorded run's `reason` says that its process died. */
bool many_is_death(const char *reason);

#endif
