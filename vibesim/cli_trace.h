/* --trace: what happens to chosen nodes or on chosen links, one line an event as the run goes:
 * "t=12.345000s node-0003: tip 00ab12cd at height 12". It changes nothing of the run. */
#ifndef VIBESIM_CLI_TRACE_H
#define VIBESIM_CLI_TRACE_H

#include "vibesim/trace_filter.h"

#include <stdio.h>

struct progress;
struct trace_links;

struct cli_trace {
    const struct trace_filter *filter; /* borrowed */
    const char *path;                  /* NULL: stderr */
    FILE *out;
    bool json;                 /* an object a line */
    struct progress *progress; /* taken off the terminal before a line; NULL: none */
    struct trace_host *hosts;  /* by number in the run */
    struct trace_links *links; /* by number in the run: whose its links are */
    uint32_t host_count, nodes, peers;
};

/* Lines to stderr. */
void trace_init(struct cli_trace *t, const struct trace_filter *filter, bool json);
/* To a file instead, which is emptied. False with a line in why. */
bool trace_open(struct cli_trace *t, const char *path, char *why, size_t size);
/* Ends the lines, and tells on stderr which nodes the run did not have. False, told, if any line
 * was not written. */
bool trace_close(struct cli_trace *t);

/* What it has to hear, as struct engine_observer's trace_mask. */
uint64_t trace_mask(const struct cli_trace *t);

/* What a node tells, in words; `peer` is the other end of its link. */
void trace_words(char *out, size_t size, const struct vn_trace *trace, const char *peer);

/* As struct engine_observer's. */
void trace_node(struct cli_trace *t, const char *role);
void trace_event(struct cli_trace *t, uint64_t t_ns, uint32_t host, const struct vn_trace *trace,
                 uint32_t peer_host);
void trace_step(struct cli_trace *t, uint64_t t_ns, const char *kind, int64_t host,
                const char *detail);
void trace_log(struct cli_trace *t, uint64_t t_ns, const char *text);
void trace_check(struct cli_trace *t, uint64_t t_ns, const char *name, bool ok, const char *detail);

#endif
