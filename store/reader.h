/* Reading a record of runs (recorder.h): what tools that compare, repeat and report need of it.
 *
 * The file is never changed (but what a process that died left in its log joins it); whoever writes
 * it meanwhile is waited for a few seconds. Rows come in the order of their keys, by callbacks that
 * get them borrowed for the call and return false to end early (which is no error). NULL in the
 * file is NULL or 0 here unless said otherwise.
 *
 * Errors: one line that names the file and the way out. A file of another program, of a newer or
 * older schema, one that is damaged or locked, is refused. */
#ifndef STORE_READER_H
#define STORE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader;

/* NULL with a line in why. An empty record (no run) is opened: reader_count says so. */
struct reader *reader_open(const char *path, char *why, size_t size);
void reader_close(struct reader *r);
const char *reader_path(const struct reader *r);
/* How many runs there are. */
uint64_t reader_count(struct reader *r);

struct read_run {
    int64_t id;
    const char *scenario, *sha256, *params, *world, *build, *started_utc;
    const char *verdict;        /* "pass", "fail", "error", "skip", "interrupted" */
    const char *reason;         /* or NULL */
    const char *file, *options; /* NULL in runs of schemas before 3 */
    const char *sweep;          /* the sweep that it is of, or NULL */
    uint64_t job;               /* its number in there */
    uint64_t seed;
    uint64_t wall_ms, sim_ns, events, messages, bytes;
    bool has_hash;
    uint64_t trace_hash;
};

struct read_node {
    uint32_t no;
    const char *role, *region, *version;
    int64_t final_height; /* -1: none */
    const char *final_tip;
};

struct read_event {
    uint64_t seq, t_ns;
    int64_t node, peer; /* -1: none */
    const char *kind;
    uint64_t link;
    const char *msg;
    uint64_t bytes;
    const char *detail;
};

struct read_check {
    const char *name, *kind, *detail;
    bool ok;
    uint64_t t_ns;
};

struct read_metric {
    const char *name;
    int64_t node; /* -1: of the whole run */
    bool is_null; /* NaN when it was told */
    double value;
};

struct read_block {
    const char *hash, *parent;
    uint64_t height, mined_ns;
    int64_t miner; /* -1: unknown */
};

struct read_arrival {
    const char *block_hash;
    uint32_t node;
    uint64_t t_ns;
};

struct read_decision {
    uint32_t no;
    uint64_t t_ns;
    const char *kind, *params;
    bool taken;
};

struct read_mark {
    uint64_t t_ns, events, hash;
};

/* A shard of a sweep; one that is not shared out is shard 1 of 1. */
struct read_sweep {
    const char *id;         /* 16 hex digits of the plan's SHA-256 */
    const char *plan;       /* canonical JSON (vibesim/plan.h) */
    const char *build;      /* that began it */
    uint32_t shard, shards; /* shard: 1..shards */
    uint64_t runs;          /* how many the shard has once it is complete */
    bool complete;
};

/* Each returns false, with a line in why, if the file cannot be read on. */
bool reader_runs(struct reader *r, bool (*each)(void *ctx, const struct read_run *row), void *ctx,
                 char *why, size_t size);
/* Those of one sweep, by job, with first <= job <= last. */
bool reader_sweep_runs(struct reader *r, const char *sweep, uint64_t first, uint64_t last,
                       bool (*each)(void *ctx, const struct read_run *row), void *ctx, char *why,
                       size_t size);
/* The run of that number; the texts are good until the next call with this reader. False with a
 * line that tells which there are if it is not there. */
bool reader_run(struct reader *r, int64_t id, struct read_run *out, char *why, size_t size);
bool reader_nodes(struct reader *r, int64_t run, bool (*each)(void *, const struct read_node *),
                  void *ctx, char *why, size_t size);
bool reader_events(struct reader *r, int64_t run, bool (*each)(void *, const struct read_event *),
                   void *ctx, char *why, size_t size);
/* In the order in which they were told. */
bool reader_checks(struct reader *r, int64_t run, bool (*each)(void *, const struct read_check *),
                   void *ctx, char *why, size_t size);
/* In the order in which they were told. */
bool reader_metrics(struct reader *r, int64_t run, bool (*each)(void *, const struct read_metric *),
                    void *ctx, char *why, size_t size);
bool reader_blocks(struct reader *r, int64_t run, bool (*each)(void *, const struct read_block *),
                   void *ctx, char *why, size_t size);
/* By block, and of a block by time. */
bool reader_arrivals(struct reader *r, int64_t run,
                     bool (*each)(void *, const struct read_arrival *), void *ctx, char *why,
                     size_t size);
bool reader_decisions(struct reader *r, int64_t run,
                      bool (*each)(void *, const struct read_decision *), void *ctx, char *why,
                      size_t size);
bool reader_marks(struct reader *r, int64_t run, bool (*each)(void *, const struct read_mark *),
                  void *ctx, char *why, size_t size);
bool reader_sweeps(struct reader *r, bool (*each)(void *, const struct read_sweep *), void *ctx,
                   char *why, size_t size);

#endif
