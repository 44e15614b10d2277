/* Some real nodes joined by FIFO links of fixed latency, in virtual time: the smallest world in
 * which they talk to each other. Events of equal time come in the order in which they were caused.
 */
#ifndef NODE_LAN_H
#define NODE_LAN_H

#include "tests/node/rig.h"

#define LAN_NODES 8u
#define LAN_CONNS 4096u
#define LAN_ASKED 256u

struct lan_end {
    uint32_t node;
    uint64_t link;
    bool up, down, read_stopped;
    uint64_t last_in_ns; /* deliveries to this end never overtake each other */
};

struct lan_conn {
    struct lan_end ends[2]; /* 0: who dialled */
    uint64_t latency_ns[2]; /* to end 0, to end 1 */
    bool cut;
};

/* The open requests of a node on one of its links. */
struct lan_asked {
    uint64_t link;
    uint64_t at_ns[2]; /* RequestBlock, RequestBlockRange; 0: none */
};

struct lan_node {
    struct vn_node *node;
    const struct vn_api *api;
    struct vn_config cfg;
    struct lan *lan;
    uint32_t no;
    struct disk disk;
    struct tape *tape;
    uint64_t timer_ns; /* when a TIMER is under way; VN_NEVER: none */
    uint64_t next_accept;
    int64_t lowest_score;
    uint32_t evidence; /* scores below zero that are no bad weather */
    uint32_t relayed;  /* NewBlock and NewTransaction frames sent */
    uint32_t messages_in;
    uint32_t disk_answers;
    struct rig_reply last_reply;
    uint64_t deepest_reorg;
    struct lan_asked asked[LAN_ASKED];
    uint32_t asked_count;
    uint32_t ranges_asked;
};

struct lan_event;

struct lan {
    struct lan_node nodes[LAN_NODES];
    uint32_t node_count;
    struct lan_conn *conns;
    uint32_t conn_count;
    struct lan_event **queue; /* a binary heap */
    uint32_t queued, queue_cap;
    uint64_t order;
    uint64_t now_ns;
    /* knobs */
    uint64_t latency_ns; /* of new links, both ways */
    uint64_t (*latency_of)(struct lan *lan, uint32_t dialler, uint32_t acceptor, uint32_t to_end);
    uint32_t chunk;         /* bytes per BYTES, 0: the sender's own slices */
    uint64_t disk_delay_ns; /* of STORED and LOADED */
    bool disk_disorder;     /* answers come up to 4 delays late, in another order */
    uint32_t window;
    bool separated[LAN_NODES][LAN_NODES];
};

void lan_init(struct lan *lan);
void lan_deinit(struct lan *lan);

/* 10.0.1.<i>:8765 */
struct vn_addr lan_addr(uint32_t i);

/* rig_config's, with the i-th address and the id given. */
void lan_config(struct vn_config *cfg, uint32_t i, const char *id);

/* Adds a node and starts it at the current time. NULL api: the linked core's. */
struct lan_node *lan_add(struct lan *lan, const struct vn_config *cfg, const struct vn_api *api,
                         struct tape *tape);
void lan_run_until(struct lan *lan, uint64_t at_ns);
void lan_run(struct lan *lan, uint64_t ns);
uint32_t lan_command(struct lan_node *node, struct vn_command command);
void lan_connect(struct lan_node *node, uint32_t to);

/* Cuts (ends all links between them, dials find nobody) or heals. */
void lan_separate(struct lan *lan, uint32_t a, uint32_t b, bool cut);
/* Ends every link between them once. */
void lan_reset(struct lan *lan, uint32_t a, uint32_t b);

struct vn_info lan_info(const struct lan_node *node);
uint32_t lan_ready(const struct lan_node *node); /* ready links */
bool lan_same_tip(const struct lan_node *a, const struct lan_node *b);

#endif
