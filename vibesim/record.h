/* Between the engine's observer and the recorder: which of what happens becomes a row.
 *
 * summary: nodes, checks, metrics, blocks with their arrivals, the steps and the log of the
 * scenario, and bans and reorganisations of nodes (the first 10,000 rows of those two: then one row
 * "capped"). messages: without that bound, and one event row for each message that a node received.
 * events: one event row for everything that nodes tell. */
#ifndef VIBESIM_RECORD_H
#define VIBESIM_RECORD_H

#include "core/node.h"
#include "store/recorder.h"

struct record_tip {
    uint64_t height;
    uint8_t hash[32], before[32];
};

struct record {
    struct recorder *recorder; /* NULL: nothing is recorded */
    enum record_level level;
    uint64_t seq;
    uint32_t bounded;        /* rows so far of what summary bounds */
    struct record_tip *tips; /* by host: to know the parent of what it mines */
    uint32_t tip_count;
};

/* The traces that a level needs, as struct engine_observer's trace_mask. */
uint64_t record_mask(enum record_level level);

void record_init(struct record *record, struct recorder *recorder, enum record_level level);
void record_deinit(struct record *record);

/* As struct engine_observer's. */
void record_node(struct record *record, uint32_t host, const char *role, const char *region,
                 const char *version);
void record_trace(struct record *record, uint64_t t_ns, uint32_t host, const struct vn_trace *trace,
                  uint32_t peer_host);
void record_step(struct record *record, uint64_t t_ns, const char *kind, int64_t host,
                 const char *detail);
void record_log(struct record *record, uint64_t t_ns, const char *text);
void record_check(struct record *record, uint64_t t_ns, const char *name, const char *kind, bool ok,
                  const char *detail);
void record_metric(struct record *record, const char *name, int64_t host, double value);
void record_final(struct record *record, uint32_t host, uint64_t height, const uint8_t tip[32]);

void record_decision(struct record *record, uint32_t no, uint64_t t_ns, const char *kind,
                     const char *params, bool taken);

void record_mark(struct record *record, uint64_t t_ns, uint64_t events, uint64_t hash);

/* A trace's numbers and texts in words, for the detail column; "" if its columns tell all. */
void record_words(char *out, size_t size, const struct vn_trace *trace);

#endif
