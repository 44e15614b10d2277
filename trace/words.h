/* What happens to a node, in words: for the story of a failure and for --trace. */
#ifndef TRACE_WORDS_H
#define TRACE_WORDS_H

#include "core/node.h"

struct words {
    uint32_t kind;       /* enum vn_trace_kind */
    uint64_t a, b;       /* the trace's */
    const uint8_t *hash; /* at least 4 bytes, where the kind has one */
    const char *peer;    /* the other side's name, "a peer" if it is not known */
    const char *text;    /* the trace's, never NULL */
};

/* The name of a host, counted from 1 among those of its kind: "node-0003", "peer-0001". */
void words_host(char out[24], bool scripted_peer, uint32_t number);

/* What happened, without who and when: "bans peer-0001". For kinds that need no words of their own
 * it is the trace's text. */
void words_event(char *out, size_t size, const struct words *w);

/* The name of an event: "link-up"; "?" out of range. */
const char *words_event_kind(uint32_t kind);

#endif
