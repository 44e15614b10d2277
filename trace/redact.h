/* A copy of a capture that can be shared: made-up IP addresses and node ids in place of those of
 * people (redact_names.h), wherever they stand: in the configuration, links, commands, resolved
 * names, what a store gave back, and what peers sent (redact_frames.h).
 *
 * What stays in: the seed of the node, whose process must have ended (each start draws a new one);
 * ports, times, versions; blocks and transactions, with all that their makers put into them.
 *
 * The id of a node that mines is in its blocks. With another id it makes other blocks, and what
 * others built on them fits nothing in the copy: keep_id leaves the node's own id as it is.
 *
 * The copy is lived once as it is written, beside the original, so it has hashes of its own and
 * replays to them. Whether the node in the copy does the same, action by action, is told: it
 * decides by what is equal, and not by what an address is, but its dice meet it in another order
 * only if something here is not kept. */
#ifndef TRACE_REDACT_H
#define TRACE_REDACT_H

#include "trace/replay.h"

struct redact_result {
    uint64_t events;
    uint64_t addrs, ids; /* that were given other names */
    uint64_t short_ids;  /* of them so short that two may have the same now */
    uint64_t blanked;    /* payloads that were no message, and rests of streams, made blank */
    uint64_t hashes;     /* that showed that this build lives it as it was captured */
    uint64_t actions;    /* of the node, compared */
    bool differs;        /* it does something else in the copy: */
    uint64_t differs_at; /* after that many events */
    char difference[200];
    bool other_chain; /* its best chain ends otherwise */
    bool torn;        /* so is the copy */
};

/* Writes the copy to `to`, which must not exist. False, with a line in why, and no file left: the
 * capture is still being written, this build does not live it as it was captured, or a file cannot
 * be read or made. on_progress may be NULL; it counts both readings of the file. */
bool redact_file(const char *from, const char *to, bool keep_id, struct redact_result *result,
                 void (*on_progress)(void *ctx, const struct replay_progress *progress), void *ctx,
                 char *why, size_t size);

#endif
