/* The run recorder: what a simulation did, in SQLite, off the hot path.
 *
 * Rows are handed over by value into a bounded ring and written by a thread of the recorder's own
 * in batched transactions (WAL), so that a run killed at any moment leaves a valid file; when the
 * ring is full the caller waits. Nothing recorded can change a run. The tables are those of the
 * design page (run, node, event, check_result, metric, block, arrival), decision, mark and sweep;
 * application_id and user_version name the file as ours, and any other file is refused untouched.
 *
 * Errors: functions that can fail return false and keep the first reason, one line that names the
 * file and the way out, for recorder_error. */
#ifndef STORE_RECORDER_H
#define STORE_RECORDER_H

#include <stdbool.h>
#include <stdint.h>

struct recorder;

enum record_level { RECORD_NONE, RECORD_SUMMARY, RECORD_MESSAGES, RECORD_EVENTS };

/* Text is borrowed for the call everywhere below (copied, cut at 2,000 bytes); NULL is SQL NULL.
 * Integers beyond SQLite's are written as its largest. */
struct recorder_run {
    const char *scenario;        /* its name */
    const char *scenario_sha256; /* hex */
    uint64_t seed;
    const char *params; /* canonical JSON */
    const char *world;  /* "sim" */
    const char *build;
    const char *file;    /* as it was named */
    const char *options; /* canonical JSON of what else was asked for: {"without":[3,5]} */
    const char *sweep;   /* the sweep that the run is of, or NULL */
    uint64_t job;        /* its number in there */
    bool scratch;        /* a part (recorder_gather.h): survives its process, but not the machine */
};

/* Opens or creates the file and starts a run whose verdict is "interrupted" until recorder_finish.
 * Returns NULL with one line in why for an unreadable, foreign, newer or locked file or a full
 * disk; a foreign file is not touched and a file that was created for nothing is removed. */
struct recorder *recorder_open(const char *path, const struct recorder_run *run, char *why,
                               uint32_t why_size);
int64_t recorder_run_id(const struct recorder *r);

struct recorder_event {
    uint64_t seq, t_ns; /* seq: unique in the run */
    uint32_t node;      /* UINT32_MAX: none */
    const char *kind;   /* never NULL */
    int64_t peer;       /* node number, -1: none */
    uint64_t link;      /* 0: none */
    const char *msg;    /* or NULL */
    uint64_t bytes;     /* 0: NULL */
    const char *detail; /* copied, cut at 120 bytes; or NULL */
};

void recorder_node(struct recorder *r, uint32_t no, const char *role, const char *region,
                   const char *version);
/* Of a node given before. */
void recorder_node_final(struct recorder *r, uint32_t no, uint64_t height, const uint8_t tip[32]);
void recorder_event(struct recorder *r, const struct recorder_event *event);
void recorder_check(struct recorder *r, const char *name, const char *kind, bool ok, uint64_t t_ns,
                    const char *detail);
/* node -1: of the whole run. NaN is written as NULL. */
void recorder_metric(struct recorder *r, const char *name, int64_t node, double value);
/* parent NULL: unknown; miner -1: none. The first row of a hash counts. */
void recorder_block(struct recorder *r, const uint8_t hash[32], uint64_t height,
                    const uint8_t parent[32], int64_t miner, uint64_t mined_ns);
/* The first row of a node and a block counts. */
void recorder_arrival(struct recorder *r, const uint8_t hash[32], uint32_t node, uint64_t t_ns);
/* no: unique in the run; kind and params (canonical JSON) never NULL; taken: whether it was carried
 * out. */
void recorder_decision(struct recorder *r, uint32_t no, uint64_t t_ns, const char *kind,
                       const char *params, bool taken);

/* The hash of all `events` that happened before t_ns, which ascends. */
void recorder_mark(struct recorder *r, uint64_t t_ns, uint64_t events, uint64_t hash);

struct recorder_result {
    uint64_t wall_ms, sim_ns, events, messages, bytes, trace_hash;
    bool no_trace_hash;  /* the world has none: NULL */
    const char *verdict; /* "pass", "fail", "error", "skip" */
    const char *reason;  /* or NULL */
};

/* Writes everything that is left, the result, and closes the file (checkpointed, no -wal left
 * behind). False if anything was not written, with the reason in why; frees r in either case. */
bool recorder_finish(struct recorder *r, const struct recorder_result *result, char *why,
                     uint32_t why_size);

/* Drops a run that never began: its rows, and the file if this recorder created it. Frees r. */
void recorder_abandon(struct recorder *r);

/* The first failure so far, or NULL. Cheap: to be asked now and then while running. */
const char *recorder_error(const struct recorder *r);

#endif
