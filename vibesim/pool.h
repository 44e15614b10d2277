/* A pool of worker processes: jobs are handed out one at a time as workers come free, results come
 * back as whole records, and a worker that dies costs the one job that it had.
 *
 * A worker is a fork of the caller as it stands when pool_run begins (or when a dead worker is
 * replaced): it shares nothing but what was in memory then, so no thread may run and no database be
 * open. It ends with the pool, and with the caller however that ends. Nothing here knows what a job
 * is. */
#ifndef VIBESIM_POOL_H
#define VIBESIM_POOL_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POOL_WORKERS_MAX 256u
#define POOL_RESULT_MAX  (256u << 20) /* bytes of one result */

struct pool_ops {
    void *ctx;
    /* The next job, asked for as a worker comes free; false: there is none left. */
    bool (*next)(void *ctx, uint64_t *job);
    /* In a worker: performs the job. Returns its result, malloc'ed, at most POOL_RESULT_MAX bytes;
     * NULL ends the worker. It must not write to stdout. */
    void *(*work)(void *ctx, uint64_t job, size_t *len);
    /* In the caller, in the order in which jobs end: a result (borrowed), or why there is none
     * ("killed by SIGSEGV"). False stops the pool. */
    bool (*done)(void *ctx, uint64_t job, const void *result, size_t len);
    bool (*lost)(void *ctx, uint64_t job, const char *why);
    /* In the caller, several times a second; may be NULL. */
    void (*tick)(void *ctx);
};

enum pool_end {
    POOL_DONE,        /* every job ended */
    POOL_STOPPED,     /* done or lost said so */
    POOL_INTERRUPTED, /* *interrupt became nonzero */
    POOL_FAILED       /* no worker could be started: errno says why */
};

/* Performs all jobs on 1..POOL_WORKERS_MAX workers. When it ends early, workers are killed and what
 * they were doing is neither done nor lost. No worker is left in any case. */
enum pool_end pool_run(const struct pool_ops *ops, uint32_t workers,
                       const volatile sig_atomic_t *interrupt);

/* The processors that this process may use, at least 1. */
uint32_t pool_processors(void);

#endif
