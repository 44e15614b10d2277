/* The network half of a node: its links and addresses, what it wants the driver to do, its clock,
 * dice and timers. Knows nothing of chains.
 *
 * Data enters by net_link_up, net_receive and net_link_down and comes out as messages, pulled one
 * by one with net_next_message; it leaves by net_send and net_close, which queue actions. Links
 * that ended wait on a list (net_take_gone) until the rooms above have let go of them. Nothing here
 * calls upwards. */
#ifndef PEER_NET_H
#define PEER_NET_H

#include "core/base/rng.h"
#include "core/peer/addrs.h"
#include "core/peer/peer.h"
#include "core/wire/msg.h"

/* Whose a timer is, so that the node can hand it to the right room. */
enum timer_kind {
    TIMER_PEER,
    TIMER_DIAL,
    TIMER_FEELER,
    TIMER_SYNC,
    TIMER_MINE,
    TIMER_EXPIRE,
    TIMER_STORE,
    TIMER_FETCH,
    TIMER_KINDS
};

struct action_entry {
    struct action_entry *next;
    uint32_t kind;                /* enum vn_action_kind */
    uint32_t why;                 /* CLOSE; status of REPLY; class of DIAL; op of LOAD */
    uint64_t link;                /* or token */
    struct peer *peer;            /* SEND */
    struct vn_addr remote;        /* DIAL */
    uint64_t from, to, max_bytes; /* LOAD */
    struct vn_store_item *items;  /* STORE; owned */
    uint32_t item_count;
    char *text; /* REPLY; owned, or NULL */
};

/* Small objects that the nodes of one process share (no behaviour in them). */
struct net_pools {
    struct mem_pool outbox_entries;
    struct mem_pool action_entries;
    struct mem_pool peers;
    struct mem_pool reputations;
    struct names_book names;
};

void net_pools_init(struct net_pools *pools);
void net_pools_deinit(struct net_pools *pools);

struct net {
    struct vn_config cfg; /* its pointers to seeds are cleared */
    struct net_pools *pools;
    uint64_t now_ns;
    uint64_t wall_ns, wall_at_ns; /* the last CLOCK and when it came */
    uint64_t work;                /* see struct vn_info */
    struct timers timers;
    struct action_entry *actions, *actions_last;
    struct vn_store_item *lent_items; /* of the STORE action taken last */
    struct u64map by_link;
    struct peer *first, *last;
    struct peer **gone; /* those that ended; the rooms above were told of gone_taken of them */
    uint32_t gone_count, gone_taken, gone_cap;
    struct vn_store_item *store_items; /* waiting for the next STORE; references owned */
    uint32_t store_count, store_capacity;
    bool dial_wanted; /* something changed that may let the dialler act */
    struct addrs addrs;
    struct addrs_policy policy;
    struct scores scores;
    struct rng dial_rng, backoff_rng, ping_rng, feeler_rng;
    struct timer dial_timer, feeler_timer;
    uint64_t next_link;  /* odd */
    uint64_t next_token; /* of LOAD and STORE */
    uint64_t *slots;     /* bitmap of slot_count */
    uint32_t slot_count;
    uint32_t outbound, inbound; /* open links of class peer by direction, ready or not */
    uint32_t feelers;
    uint32_t ready_in, ready_out;
    bool online; /* dials and accepts; off while loading and after a shutdown */
    bool shut;   /* a shutdown was ordered: never online again */
    bool shamed; /* somebody was on probation once, and may still be */
    uint8_t id_hash[32];
    struct vn_buf *hello;    /* our Handshake, framed once */
    struct vn_buf *seen_now; /* the latest value of net_store_addr, or NULL */
};

void net_init(struct net *net, const struct vn_config *cfg, struct net_pools *pools);
void net_deinit(struct net *net);

uint64_t net_wall_ns(const struct net *net);
static inline uint64_t net_wall_s(const struct net *net)
{
    return net_wall_ns(net) / 1000000000u;
}

/* Counts the work of so many bytes checked or put together. */
static inline void net_worked(struct net *net, uint64_t bytes)
{
    net->work += (bytes + 63) / 64;
}

/* ---- links ---- */

/* Asks for the memory of every link, before something is sent on most of them. */
void net_prefetch_links(const struct net *net);

struct peer *net_find(const struct net *net, uint64_t link);
void net_link_up(struct net *net, const struct vn_event *event);
void net_link_down(struct net *net, uint64_t link, enum vn_why why);

/* A link that is dialled or accepted; counted and listed. The rest of the fields is the caller's */
struct peer *net_peer_new(struct net *net, uint64_t link, const struct vn_addr *remote,
                          enum vn_link_class link_class);

/* Bytes for a link. Then call net_next_message until it says NET_NONE. */
struct peer *net_receive(struct net *net, uint64_t link, struct vn_slice data);

enum net_next {
    NET_NONE,
    NET_MESSAGE /* *msg and *payload (a window whose 4 bytes before it are its frame's header) are
                   borrowed until the next call */
};
enum net_next net_next_message(struct net *net, struct peer *peer, struct msg *msg,
                               struct vn_slice *payload);

void net_sent(struct net *net, uint64_t link, uint64_t bytes);

/* Ends a link: Disconnect(reason) where the wire has a word for why, then CLOSE. No-op when closed.
 */
void net_close(struct net *net, struct peer *peer, enum vn_why why);

/* As net_close, without saying Disconnect. */
void net_close_silent(struct net *net, struct peer *peer, enum vn_why why);

/* The peer said Disconnect(reason): ends the link without an answer. */
void net_disconnected(struct net *net, struct peer *peer, uint32_t reason);

/* The next link that ended since the last call, or NULL. The caller drops what it holds of it and
 * then calls net_release, after which the pointer is dead. */
struct peer *net_take_gone(struct net *net);
void net_release(struct net *net, struct peer *peer);

/* ---- sending ---- */

/* Queues a frame, taking over its reference. The link ends when its outbox exceeds the hard limit.
 */
void net_send(struct net *net, struct peer *peer, struct vn_slice frame, uint32_t kind,
              enum lane lane);
/* Encodes and queues. */
void net_send_msg(struct net *net, struct peer *peer, const struct msg *msg, enum lane lane);

/* Pongs share buffers, so that a flood of Pings costs little more than its answers' bytes. */
void net_send_pong(struct net *net, struct peer *peer, uint64_t nonce);

/* Sends count Pings of one nonce, each with `extra` behind it, borrowed. False, and none was sent,
 * if they would not leave half of the outbox free, or one exceeds a frame. */
bool net_send_pings(struct net *net, struct peer *peer, uint32_t count, struct vn_slice extra);

/* Asks for blocks start..end (REQUEST_BLOCK: start only) and starts the wait. */
void net_request(struct net *net, struct peer *peer, enum request_kind kind, uint64_t start,
                 uint64_t end);
void net_request_done(struct net *net, struct peer *peer, enum request_kind kind);
/* A big answer on a thin line outlasts the wait: while it comes in at a fair pace, asking again
 * would only have it sent twice. Bounded, so that nobody holds a request by trickling. */
bool net_answer_coming(const struct net *net, const struct peer *peer, enum request_kind kind);
static inline bool request_open(const struct request *request)
{
    return request->deadline_ns != VN_NEVER;
}

/* The frame around a payload that net_next_message gave, for relaying: shared where the message
 * filled the payload and the frame is at least half of its buffer, else a copy; one reference. */
struct vn_slice net_frame_of(struct vn_slice payload, uint32_t used);

/* Stops or resumes reading by what the peer makes us hold. */
void net_update_reading(struct net *net, struct peer *peer);

/* ---- judgement ---- */

void net_score(struct net *net, struct peer *peer, enum score_event event);
void net_violation(struct net *net, struct peer *peer, const char *what);

/* Counts a message of so many bytes against the link's limits; false if it shall not be handled. */
bool net_charge(struct net *net, struct peer *peer, enum limit_kind kind, uint64_t bytes);

/* When the link has tokens of this kind again; 0: it has some now. */
uint64_t net_ready_ns(const struct net *net, const struct peer *peer, enum limit_kind kind);

/* From now on the link is judged by this identity; undone when it ends. */
void net_identify(struct net *net, struct peer *peer, const uint8_t key[32]);
void net_unidentify(struct net *net, struct peer *peer);

/* What an identity's score is now (see score.h); that of none is 0. */
int32_t net_score_of(const struct net *net, const struct reputation *rep);
static inline bool net_on_probation(const struct net *net, const struct peer *peer)
{
    return net->shamed && net_score_of(net, peer->rep) <= SCORE_PROBATION;
}

/* Bans an identity for so long (0: lifts the ban), closes its links, tells the store. */
void net_ban(struct net *net, struct reputation *rep, uint64_t for_ns);
bool net_banned(struct net *net, struct reputation *rep);

/* Tells the store how the ban of a key stands now. */
void net_store_ban(struct net *net, const uint8_t key[32]);

/* The key under which an address is judged (see enum vn_ban_by); false where that is by a node id
 * and nobody has answered there yet. */
bool net_addr_key(const struct net *net, const struct vn_addr *addr, uint8_t key[32]);
bool net_entry_key(const struct net *net, const struct addr_entry *entry, uint8_t key[32]);

/* ---- looking after itself ---- */

/* See core/base/audit.h. Returns how many timers of its are armed. */
uint32_t net_audit(const struct net *net, struct audit *audit);
/* Would an open link's timer come too late? */
void net_deadline_audit(const struct net *net, const struct peer *peer, struct audit *audit);

/* ---- timers and actions ---- */

/* Handles a peer's timer; returns the request kinds that timed out, as bits 1 << enum request_kind.
 */
uint32_t net_peer_timer(struct net *net, struct timer *timer, struct peer **peer);
void net_peer_rearm(struct net *net, struct peer *peer);

struct action_entry *net_push_action(struct net *net, enum vn_action_kind kind, uint64_t link);
bool net_next_action(struct net *net, struct vn_action *out);

/* Adds a change to the next STORE batch, taking over value's reference. */
void net_store(struct net *net, enum vn_store_op op, const void *key, uint32_t key_len,
               uint64_t number, struct vn_slice value);

/* addrs_add; what the list forgets for it leaves the store too. */
struct addr_entry *net_addr_add(struct net *net, const struct vn_addr *addr, bool seed);

/* Stores that somebody listens there, seen now, and whether it is an anchor; forgets an address. */
void net_store_addr(struct net *net, const struct addr_entry *entry);
void net_forget_addr(struct net *net, const struct vn_addr *addr);

/* ---- telling ---- */

void net_trace(struct net *net, const struct vn_trace *trace);
static inline bool net_traces(const struct net *net, enum vn_trace_kind kind)
{
    return net->cfg.on_trace && (net->cfg.trace_mask >> kind & 1);
}
void net_set_state(struct net *net, struct peer *peer, enum vn_peer_state to, enum vn_why why);

#endif
