/* What peers sent, with other names in it: the frames in the bytes of each link, found as the core
 * finds them.
 *
 * In two passes over the same events. In the first all bytes are seen, and what is to be changed is
 * noted; in the second they are changed as they pass. Lengths stay as they are, since a node
 * decides by them. Changed are
 *
 * - in a Handshake: the id, and the address that it tells;
 * - bytes behind a message in its frame, which nobody reads: zeros;
 * - a payload that is no message, which ends the link: 0xff, which is none either;
 * - what came of an unfinished frame, or behind a length that is none, which the core never looks
 *   at: zeros. So an HTTP request to the node's port loses the host that it named. */
#ifndef TRACE_REDACT_FRAMES_H
#define TRACE_REDACT_FRAMES_H

#include "trace/redact_names.h"

struct redact_frames;

struct redact_frames *redact_frames_new(struct redact_names *names);
void redact_frames_free(struct redact_frames *frames);

/* Both passes: each event, in order. Events of links are looked at, others are passed over. In the
 * second pass a BYTES' data is replaced by what is to be given instead: a reference for the caller,
 * to the same buffer where nothing in it changes. */
void redact_frames_event(struct redact_frames *frames, struct vn_event *event);

/* Ends the first pass and begins the second. */
void redact_frames_turn(struct redact_frames *frames);

/* Payloads that were no message, and ends of streams that were no frame. */
uint64_t redact_frames_blanked(const struct redact_frames *frames);

#endif
