/* A captured life, lived again: another node is stepped through a capture, and wherever the capture
 * has a hash, its hash must be the same. Its actions are performed by nobody. */
#ifndef TRACE_REPLAY_H
#define TRACE_REPLAY_H

#include "trace/capture.h"

struct replay_progress {
    uint64_t bytes, bytes_all; /* of the file */
    uint64_t events;           /* given to the node so far */
    uint64_t now_ns;           /* of the last of them */
    uint32_t kind;             /* of the last of them */
};

/* All zero is a plain replay of all of it. */
struct replay_options {
    const struct vn_api *api; /* the build to replay with; NULL: the linked one */
    uint64_t until;           /* stops after that many events and their drains; 0: at the end */
    void (*on_trace)(void *ctx, const struct vn_trace *trace); /* or NULL; of trace_mask's kinds */
    uint64_t trace_mask;
    /* Before each event, and once at the end; or NULL. */
    void (*on_progress)(void *ctx, const struct replay_progress *progress);
    void *ctx;
};

struct replay_result {
    uint64_t events, drains, messages; /* messages: received by the node */
    uint64_t first_ns, last_ns;        /* now_ns of the first and the last event */
    uint64_t hashes;                   /* compared and found equal */
    uint64_t agreed;                   /* events up to the last of those */
    bool differs;                      /* a hash was another one; the replay ended there: */
    uint64_t differs_at;               /* after that many events */
    uint64_t hash_captured;
    bool stopped;  /* by `until`, before the end */
    bool whole;    /* the capture's last record was reached */
    uint64_t hash; /* the node's, where the replay ended */
    struct vn_info info;
};

/* Replays from where the reader stands, which is its first record. False, with a line in why: the
 * node cannot be made with the capture's configuration.
 *
 * A torn capture may end in the middle of a step or a drain, at the node's last moment. What the
 * node was doing then is done here too, so that what ended it (an assertion) may come again. */
bool replay_run(struct capture_reader *reader, const struct replay_options *options,
                struct replay_result *result, char *why, size_t size);

#endif
