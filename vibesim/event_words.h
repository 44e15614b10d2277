/* An event that a node is given, in words: "143 bytes from node-0007 (link 14)". */
#ifndef VIBESIM_EVENT_WORDS_H
#define VIBESIM_EVENT_WORDS_H

#include "core/node.h"

/* The link that it is of, or 0. */
uint64_t event_words_link(const struct vn_event *event);

/* other: who is at the other end of that link, or "". */
void event_words(char *out, size_t size, const struct vn_event *event, const char *other);

#endif
