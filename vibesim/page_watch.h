/* All that the report draws of one run, gathered while the run is made again, or from what its
 * record holds: nodes, links, tips, blocks, steps, faults, and the messages before a moment.
 *
 * Everything is bounded, and what a bound left out is told in the JSON ("notes"). Of a large
 * network WATCH_DRAWN_MAX nodes are drawn at the most: miners and scripted peers first, others
 * evenly; changes of links and tips are kept of
 * these. More changes than the bound are thinned to what is true at the end of each interval of a
 * time that doubles until they fit. */
#ifndef VIBESIM_PAGE_WATCH_H
#define VIBESIM_PAGE_WATCH_H

#include "scenarios/engine.h"

#include <jansson.h>

#define WATCH_DRAWN_MAX    400u   /* nodes in the graph */
#define WATCH_ROWS_MAX     2000u  /* nodes in the table; of more only those of the graph */
#define WATCH_LINKS_MAX    5000u  /* changes of links */
#define WATCH_TIPS_MAX     20000u /* changes of tips */
#define WATCH_BLOCKS_MAX   20000u
#define WATCH_STEPS_MAX    2000u  /* steps, log lines; decisions apart */
#define WATCH_MESSAGES_MAX 20000u /* remembered; of these WATCH_SHOWN_MAX are in the page */
#define WATCH_SHOWN_MAX    600u
#define WATCH_MARKS_MAX    2000u /* tips, bans, ... remembered for the same time */
#define WATCH_LANES_MAX    8u

struct watch;

/* hosts: how many the run has. */
struct watch *watch_new(uint32_t hosts);
void watch_free(struct watch *w);

/* Messages are remembered up to this time [for ever]. words: what the moment is about, in which
 * names of nodes may be ("node-0003"). */
void watch_moment(struct watch *w, uint64_t until_ns, const char *words);

/* role: "node", "miner" or "peer". */
void watch_node(struct watch *w, uint32_t host, const char *role, const char *region,
                const char *version);
void watch_final(struct watch *w, uint32_t host, int64_t height, const char *tip);
void watch_step(struct watch *w, uint64_t t_ns, const char *kind, int64_t host, const char *detail);
void watch_decision(struct watch *w, uint64_t t_ns, uint32_t no, const char *kind,
                    const char *params, bool taken);
void watch_block(struct watch *w, uint64_t t_ns, const uint8_t hash[32], uint64_t height,
                 const uint8_t parent[32] /* or NULL */, int64_t miner);
/* reorg: blocks replaced. */
void watch_tip(struct watch *w, uint64_t t_ns, uint32_t host, const uint8_t hash[32],
               uint64_t height, uint64_t reorg);
/* out: as it leaves host for peer; else as it arrives at host from peer. */
void watch_message(struct watch *w, uint64_t t_ns, uint32_t host, uint32_t peer, const char *kind,
                   uint64_t bytes, bool out);
/* A link that the host dialled, or that a scripted peer dialled to it. */
void watch_link(struct watch *w, uint64_t t_ns, uint32_t host, uint32_t peer, uint64_t link,
                bool up);
/* What a node did to a peer or says of it: "ban", "violation", "disconnect". */
void watch_mark(struct watch *w, uint64_t t_ns, uint32_t host, int64_t peer, const char *kind,
                const char *text);
void watch_story(struct watch *w, const char *line);

/* An engine's observer that tells all of the above. */
void watch_observe(struct watch *w, struct engine_observer *observer);
/* As engine_run's on_final; ctx: the watch. */
void watch_on_final(void *ctx, uint32_t host, uint64_t height, const uint8_t tip[32]);

/* The object; see report/README.md. */
json_t *watch_json(struct watch *w);

/* ---- page_flow.c: the messages before the moment ---- */

struct watch_message {
    uint64_t t_ns, bytes;
    uint32_t host, peer;
    const char *kind; /* a name of the core's */
    bool out;
};

struct watch_mark {
    uint64_t t_ns;
    uint32_t host;
    int64_t peer;
    char kind[16], text[100];
};

struct watch_flow {
    uint64_t until_ns;
    struct watch_message *messages; /* a ring */
    uint64_t message_count;
    struct watch_mark *marks; /* a ring */
    uint64_t mark_count;
    uint32_t named[WATCH_LANES_MAX]; /* hosts that the words name */
    size_t named_count;
};

void flow_message(struct watch_flow *f, const struct watch_message *m);
void flow_mark(struct watch_flow *f, const struct watch_mark *m);
/* The lanes, their messages and marks. hosts: how many there are. */
json_t *flow_json(const struct watch_flow *f, uint32_t hosts);
void flow_free(struct watch_flow *f);

#endif
