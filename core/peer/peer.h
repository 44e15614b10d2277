/* One link's life: what we know of the remote node at its other end, from the dial or the accept to
 * the driver's LINK_DOWN. Plain data and the table of legal states; net.c moves it.
 *
 * A peer that is closed (`closed`) is only a shell: it waits for its LINK_DOWN and ignores the
 * rest. */
#ifndef PEER_PEER_H
#define PEER_PEER_H

#include "core/base/timer.h"
#include "core/peer/limits.h"
#include "core/peer/names.h"
#include "core/peer/outbox.h"
#include "core/peer/score.h"
#include "core/wire/frame.h"

/* Requests that can be outstanding on a link: one of each kind (PROTOCOL-0.1 section 5). */
enum request_kind { REQUEST_BLOCK, REQUEST_RANGE, REQUEST_KINDS };

struct request {
    uint64_t sent_ns;
    uint64_t deadline_ns; /* VN_NEVER: not outstanding */
    uint64_t start, end;  /* heights; equal for REQUEST_BLOCK */
    uint32_t abandoned;   /* timed out earlier and still unanswered: their answers come first */
    uint32_t timeouts;    /* in a row */
};

/* What the remote asked for and we have not answered yet, in order. */
struct served {
    uint64_t start, end;
    uint32_t kind; /* enum request_kind */
    uint32_t reserved;
};

/* What a link has under way. It is memory only while there is any: see peer_errands_begin. */
struct errands {
    struct request requests[REQUEST_KINDS];
    struct served *served; /* FIFO of served_count from served_head, capacity served_cap */
    uint32_t served_head, served_cap;
    uint64_t load_token; /* of the LOAD that answers the first of them; 0: none */
    uint64_t ping_ns;    /* when the outstanding Ping left; 0: none */
    uint64_t ping_nonce;
    uint32_t pongs_owed; /* to Pings that a command had us send, which may come before */
};

struct action_entry;

/* Four cache lines are all that a message touches: the first three as it comes (PEER_IN), all but
 * the second as it leaves (PEER_HOT). What links do rarely lies behind them. */
struct peer {
    uint64_t link;
    struct peer *next;               /* in the order of creation */
    struct action_entry *send_entry; /* the SEND that waits in the queue, or NULL */
    uint8_t state;                   /* enum vn_peer_state */
    uint8_t link_class;              /* enum vn_link_class */
    bool inbound;
    bool closed; /* CLOSE is under way: ignore everything */
    bool up;     /* LINK_UP was seen */
    bool down;   /* LINK_DOWN was seen */
    bool untold; /* on the list of links that ended, see net_take_gone */
    bool read_stopped;
    bool id_below_ours; /* its node id is bytewise smaller than ours */
    bool asked_tip : 1; /* the outstanding REQUEST_BLOCK asks for the newest */
    bool ahead : 1;     /* the last block it showed us does not connect to ours */
    bool off_chain : 1; /* its ranges did not fit the chain that is being fetched */
    bool met : 1;       /* it was ready once */
    bool owes : 1;      /* not read until it owes no tokens: see limits.h */
    uint32_t slot;      /* small number while ready, else NO_SLOT */
    uint32_t window;    /* bytes that may be SENT now */
    uint16_t served_count;
    uint16_t listen_port;  /* where it says it listens, at the address that we see */
    uint64_t last_seen_ns; /* last whole message */
    uint64_t progress_ns;  /* last time output moved, or had nothing to move */

    struct framer framer;
    uint64_t bytes_in, msgs_in;
    struct reputation *rep; /* or NULL while its identity is unknown */

    struct limits limits;
    uint64_t useful_ns; /* when it last brought a new block, transaction or range; 0: never */
    uint64_t bytes_out, msgs_out;

    struct outbox outbox;

    struct peer *prev;
    struct timer timer;   /* the earliest of all that can time out here; often early */
    uint64_t best_height; /* the highest it showed us */

    union {
        const struct errands *errands; /* those of an idle link while it has none */
        struct errands *own_errands;   /* the same to change, between peer_errands_begin, _end */
    };
    uint64_t began_ns; /* when we dialled, or accepted */
    uint64_t up_ns, ready_ns;
    struct names *names; /* or NULL before its Handshake */
    union {
        struct {                /* of one that `met` */
            uint64_t rtt_ns;    /* of the last answered Ping or handshake; 0: unknown */
            uint64_t answer_ns; /* from the last answered request to its answer; 0: none yet */
            uint64_t led_ns;    /* when it last began to lead the synchroniser; 0: never */
        };
        struct vn_addr local; /* of one that did not: who gets through to itself is told by it */
    };
    struct vn_addr remote;
    uint32_t given; /* blocks in our answers: see limits.h */
};

_Static_assert(sizeof(struct peer) <= 384, "a link is six cache lines in 100,000 nodes");

#define PEER_IN  192u /* bytes at the beginning that a message that comes touches */
#define PEER_HOT 256u /* bytes at the beginning that sending a message touches */

#define NO_SLOT UINT32_MAX

static inline bool peer_ready(const struct peer *peer)
{
    return peer->state == VN_PEER_READY;
}

/* Where it listens; VN_AF_NONE before its Handshake. */
static inline struct vn_addr peer_listen(const struct peer *peer)
{
    struct vn_addr listen = {0};
    if (!peer->names)
        return listen;
    listen = peer->remote;
    listen.port = peer->listen_port;
    return listen;
}

bool peer_listens_at(const struct peer *peer, const struct vn_addr *addr);

/* May a peer go from one state to another? The whole life is this table. */
bool peer_state_legal(enum vn_peer_state from, enum vn_peer_state to);

/* Do we hold so many answers for it, said or to be given, that it is not read until there are
 * fewer? Where reading has stopped the marks are lower. An honest one, with one request of a kind
 * outstanding, never gets there. */
bool peer_overfed(const struct peer *peer);

/* Does it ask for more than may have been on its way when reading stopped? */
bool peer_asks_too_much(const struct peer *peer);

/* Node id and version for people; "" while unknown. */
const char *peer_node_id(const struct peer *peer);
const char *peer_version(const struct peer *peer);

/* Errands are memory only while there are any: begin before some are changed; end takes the memory
 * back if nothing is under way any more. */
void peer_errands_init(struct peer *peer);
void peer_errands_begin(struct peer *peer);
void peer_errands_end(struct peer *peer);
void peer_errands_deinit(struct peer *peer);
/* See core/base/audit.h. */
void peer_errands_audit(const struct peer *peer, struct audit *audit);
uint64_t peer_errands_bytes(const struct peer *peer); /* memory that they are now */

#endif
