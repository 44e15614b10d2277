/* What --trace is to show: "all", "node=3", "link=2-7", each with kinds of events if wanted:
 * "node=3,kinds=peer-state,tip". Nodes and scripted peers are counted as stories name them:
 * "3" and "node-0003" are the same node, "peer-0001" is a scripted peer. */
#ifndef VIBESIM_TRACE_FILTER_H
#define VIBESIM_TRACE_FILTER_H

#include "core/node.h"

#define TRACE_TERMS_MAX 32u

/* Beside the nodes' own kinds (enum vn_trace_kind): what the scenario does and says. */
enum trace_kind { TRACE_STEP = VN_TR_KINDS, TRACE_LOG, TRACE_CHECK, TRACE_KINDS };

struct trace_host {
    bool peer;       /* a scripted peer */
    uint32_t number; /* from 1; 0: none */
};

struct trace_term {
    enum { TRACE_ALL, TRACE_NODE, TRACE_LINK } what;
    struct trace_host a, b; /* of a node; of a link, in either direction */
    uint64_t kinds;         /* 1 << enum trace_kind */
};

struct trace_filter {
    struct trace_term terms[TRACE_TERMS_MAX];
    uint32_t count;
};

/* Reads "3", "node-0003" or "peer-0001". */
bool trace_host_read(const char *text, struct trace_host *out);

/* Adds what one --trace says. False with a line in why. */
bool trace_filter_add(struct trace_filter *f, const char *text, char *why, size_t size);

/* All kinds that any term wants. */
uint64_t trace_filter_kinds(const struct trace_filter *f);

/* Whether an event of that kind is to be shown, of a host (number 0: the scenario) and the other
 * end of the link that it is about (number 0: none, or not known). */
bool trace_filter_wants(const struct trace_filter *f, uint32_t kind, struct trace_host host,
                        struct trace_host other);

/* The name of a kind: "tip", "step". */
const char *trace_kind_name(uint32_t kind);

#endif
