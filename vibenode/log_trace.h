/* What the core tells (vn_config.on_trace) as lines of the log: each kind of trace has a category
 * and a level, and says who is at the other end. */
#ifndef VIBENODE_LOG_TRACE_H
#define VIBENODE_LOG_TRACE_H

#include "core/node.h"
#include "vibenode/links.h"
#include "vibenode/log.h"

/* A vn_config.trace_mask for these levels: what they want, and what is so rare that it may become
 * wanted later for nothing. So a log at info hears no message. */
uint64_t log_trace_mask(const struct log_options *options);

/* Whether these levels want traces that are not in the mask, which the node was started with. */
bool log_trace_lacks(const struct log_options *options, uint64_t mask);

/* Writes the trace's line, if its level is wanted. */
void log_trace(struct log *log, const struct links *links, const struct vn_trace *trace);

#endif
