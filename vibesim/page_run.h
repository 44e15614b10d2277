/* One run for the report: what its record holds, and, where it can be made again, all that the
 * page draws of it. */
#ifndef VIBESIM_PAGE_RUN_H
#define VIBESIM_PAGE_RUN_H

#include "store/reader.h"
#include "vibesim/rerun.h"

#include <jansson.h>
#include <signal.h>

struct page_run {
    int64_t id;
    json_t *info;        /* what is drawn at the top of the run, and its checks */
    json_t *recorded;    /* as watch_json, from the record */
    json_t *again;       /* as watch_json, from the run made again; NULL: there is none */
    char why[600];       /* there is none: why */
    bool loaded;         /* rerun is to be freed */
    struct rerun *rerun; /* NULL: the run cannot be made again, or is not to be */
    uint32_t hosts;
    uint64_t until_ns; /* the moment whose messages are drawn */
    char words[900];   /* what it is about */
};

struct page_ask {
    bool again;           /* runs are to be made again, if they can be */
    uint64_t wall_ms_max; /* but none that took longer; 0: any */
    const char *file;     /* where the scenario is now, or NULL: where it was */
};

/* Reads the run from its record. False with a line in why. */
bool page_run_read(struct page_run *p, struct reader *r, int64_t id, const struct page_ask *ask,
                   char *why, size_t size);
/* Makes those runs again that can be, each in a process of its own; no reader may be open. False:
 * interrupted, or no process could be started. */
bool page_runs_again(struct page_run *runs, size_t count, uint32_t jobs,
                     void (*tick)(void *ctx, size_t done), void *ctx,
                     const volatile sig_atomic_t *interrupt);
json_t *page_run_json(const struct page_run *p);
void page_run_free(struct page_run *p);

#endif
