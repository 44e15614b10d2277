/* The door of the VibeNet protocol core: events in, actions out.
 *
 * The core is sans-IO. It owns no socket, no clock, no thread and no entropy. A driver (the
 * simulator, a TCP loop, a test, a fuzzer) does
 *
 *     vn_node_step(node, &event);                                     one or many times, then
 *     while (vn_node_next_action(node, &action)) perform(&action);    drains once, then
 *     arm one timer for vn_node_deadline(node).
 *
 * A node is a pure function of its configuration and the sequence of events and drains; see
 * vn_node_hash. The core never calls the driver (on_trace hears and may not call back), and the
 * driver never calls vn_node_step from inside a trace.
 *
 * Ownership: what an event points to is borrowed for the call. What an action carries is given
 * away, one reference each: whoever performs it calls vn_slice_unref, or vn_action_release for all.
 *
 * Units: *_ns are nanoseconds on a monotonic clock whose zero is the driver's choice; wall_ns are
 * nanoseconds since 1970 UTC; sizes are bytes.
 *
 * The header is C11, and C++ too but for one thing: struct vn_buf ends in an array without a
 * length, which C++ compilers take as an extension. g++ and clang++ complain of it under -Wpedantic
 * alone, and not in headers that are found by -isystem, as CMake finds this one. */
#ifndef VN_NODE_H
#define VN_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define VN_API __attribute__((visibility("default")))
#else
#define VN_API
#endif

/* The version of this header's structures and of struct vn_api. Raised on any change that an
 * already compiled driver would notice. */
#define VN_API_VERSION 3u

#define VN_NEVER UINT64_MAX /* a deadline that never comes */

/* ---- bytes ---------------------------------------------------------------------------------- */

/* A reference-counted run of bytes, immutable once shared. refs equals the number of pointers held.
 * Only the thread that drives the nodes touches refs. memo is a cache of pure functions of all the
 * bytes, kept by the core build that memo_by names; drivers set both to zero and leave them. One
 * that fills a buffer again which it lent to a node sets both to zero again. */
struct vn_buf {
    uint32_t refs;
    uint32_t len;
    uint64_t memo;
    const void *memo_by;
    void (*release)(struct vn_buf *buf); /* called when refs reaches 0 */
    uint8_t data[];
};

/* A window on a buffer: len bytes from off. buf may be NULL when len is 0. */
struct vn_slice {
    struct vn_buf *buf;
    uint32_t off;
    uint32_t len;
};

/* A new buffer of len bytes (uninitialised) with one reference. Aborts when memory is out: callers
 * bound len first. */
VN_API struct vn_buf *vn_buf_new(uint32_t len);

static inline struct vn_buf *vn_buf_ref(struct vn_buf *buf)
{
    buf->refs++;
    return buf;
}

static inline void vn_buf_unref(struct vn_buf *buf)
{
    if (buf && --buf->refs == 0)
        buf->release(buf);
}

static inline const uint8_t *vn_slice_data(struct vn_slice s)
{
    return s.buf ? s.buf->data + s.off : NULL;
}

static inline struct vn_slice vn_slice_ref(struct vn_slice s)
{
    if (s.buf)
        s.buf->refs++;
    return s;
}

static inline void vn_slice_unref(struct vn_slice s)
{
    vn_buf_unref(s.buf);
}

/* ---- addresses ------------------------------------------------------------------------------ */

enum vn_family { VN_AF_NONE = 0, VN_AF_IPV4 = 4, VN_AF_IPV6 = 6 };

/* An IP address and a TCP port. IPv4 uses the first four bytes of ip, the rest must be zero, so
 * that two equal addresses are equal bytes. ip is in network order, port in host order. */
struct vn_addr {
    uint8_t family; /* enum vn_family */
    uint8_t zero;
    uint16_t port;
    uint8_t ip[16];
};

/* ---- vocabulary ----------------------------------------------------------------------------- */

enum vn_peer_state {
    VN_PEER_DISCONNECTED, /* known, no link */
    VN_PEER_CONNECTING,   /* a dial is under way */
    VN_PEER_CONNECTED,    /* the link is up, the handshake is not complete */
    VN_PEER_READY,        /* the handshake is complete */
    VN_PEER_FAILED,       /* given up after repeated failures; tried again only rarely */
    VN_PEER_BANNED,
    VN_PEER_STATES
};

/* Why a link ended, in LINK_DOWN (from the driver) and in CLOSE (from the core). */
enum vn_why {
    VN_WHY_NONE,
    VN_WHY_REMOTE_CLOSED, /* end of stream */
    VN_WHY_RESET,         /* the transport failed under an open link */
    VN_WHY_REFUSED,       /* the dial was answered with a refusal */
    VN_WHY_UNREACHABLE,   /* the dial was not answered, or there is no route */
    VN_WHY_LOCAL_CLOSED,  /* answers a CLOSE action */
    VN_WHY_SHUTDOWN,      /* we stop, or no longer need the link */
    VN_WHY_PROTOCOL,      /* the peer broke the protocol */
    VN_WHY_VERSION,       /* incompatible versions */
    VN_WHY_TOO_MANY,      /* no free inbound slot */
    VN_WHY_DUPLICATE,     /* a second connection to the same node, or to ourselves */
    VN_WHY_TIMEOUT,       /* a handshake, an answer or any message did not come in time */
    VN_WHY_STALLED,       /* the peer does not read what we send */
    VN_WHY_BANNED,
    VN_WHY_COUNT
};

/* What a link is for. Each class has its own quota. */
enum vn_link_class { VN_CLASS_PEER = 1, VN_CLASS_FEELER = 2, VN_CLASS_LOOKUP = 3 };

/* Status of STORED, LOADED, RESOLVED and REPLY. */
enum vn_status {
    VN_OK = 0,
    VN_ERR_IO,       /* the disk or the resolver failed */
    VN_ERR_ARGUMENT, /* the command does not make sense */
    VN_ERR_STATE,    /* not now */
    VN_ERR_LIMIT,    /* a bound is reached */
    VN_ERR_INVALID,  /* a submitted object breaks a rule; REPLY's text names it */
    VN_ERR_UNKNOWN   /* no such thing */
};

/* The bytewise name of an enumerator above, lower case with dashes; "?" out of range. */
VN_API const char *vn_peer_state_name(uint32_t state);
VN_API const char *vn_why_name(uint32_t why);
VN_API const char *vn_status_name(uint32_t status);

/* ---- commands ------------------------------------------------------------------------------- */

/* Commands are plain data, so that a captured run can be replayed. Each is answered by one REPLY
 * with the event's token. */
enum vn_command_kind {
    VN_CMD_MINE = 1,       /* mine `number` blocks now (1..1000) on the best chain */
    VN_CMD_MINE_INTERVAL,  /* mine by itself with a mean of `number` ns between blocks; 0 stops */
    VN_CMD_SUBMIT_TX,      /* data: a transaction in wire encoding (without the message kind) */
    VN_CMD_CONNECT,        /* dial addr now */
    VN_CMD_DISCONNECT,     /* close the links with addr (port 0: any port) */
    VN_CMD_BAN,            /* ban addr's ban key for `number` ns (0: the configured time) */
    VN_CMD_UNBAN,          /* lift the ban of addr's ban key */
    VN_CMD_ADD_PEER,       /* put addr into the address list as a seed */
    VN_CMD_SHUTDOWN,       /* Disconnect(Shutdown) to all, dial no more, accept no more */
    VN_CMD_PING,           /* `number` Pings (1..10000) now to each ready link with addr (port 0:
                              any), each with data behind it, which its receiver ignores: the one
                              case in which trailing bytes are sent. Refused
                              (VN_ERR_LIMIT) where they would fill an outbox more than half. The
                              last Pong of them gives the link's rtt_ns */
    VN_CMD_COUNT
};

struct vn_command {
    uint32_t kind;
    uint32_t reserved;
    uint64_t number;
    struct vn_addr addr;
    struct vn_slice data;
};

/* ---- events: from the driver to the core ---------------------------------------------------- */

enum vn_event_kind {
    VN_EV_START = 1, /* the first event but for CLOCK, once */
    VN_EV_LINK_UP,   /* a dialled link connected, or a link was accepted */
    VN_EV_LINK_DOWN, /* exactly one for each link, failed dials included */
    VN_EV_BYTES,     /* bytes arrived in order */
    VN_EV_SENT,      /* `bytes` of earlier SENDs left the window: it is refunded */
    VN_EV_TIMER,     /* the deadline came; an early one is harmless */
    VN_EV_CLOCK,     /* the wall clock reads wall_ns at now_ns */
    VN_EV_STORED,    /* the batch `token` is durable, or failed */
    VN_EV_LOADED,    /* answers LOAD `token` */
    VN_EV_RESOLVED,  /* answers RESOLVE `token` */
    VN_EV_COMMAND,   /* from the user of the node */
    VN_EV_COUNT
    /* 32.. are reserved for DATAGRAM and LISTEN */
};

struct vn_event {
    uint32_t size; /* sizeof(struct vn_event) of the driver's build */
    uint32_t kind;
    uint64_t now_ns;
    union {
        struct {
            uint64_t link;         /* odd: the core's DIAL; even: accepted, the driver's choice,
                                      never reused */
            struct vn_addr local;  /* our end */
            struct vn_addr remote; /* their end */
            uint32_t window;       /* bytes that may be SENT and not refunded, >= 1 */
        } link_up;
        struct {
            uint64_t link;
            uint32_t why; /* enum vn_why */
        } link_down;
        struct {
            uint64_t link;
            struct vn_slice data;
        } bytes;
        struct {
            uint64_t link;
            uint64_t bytes;
        } sent;
        struct {
            uint64_t wall_ns;
        } clock;
        struct {
            uint64_t token;
            uint32_t status; /* enum vn_status */
        } stored;
        struct {
            uint64_t token;
            uint32_t status;
            uint32_t count;
            const struct vn_slice *slices; /* in the order asked for; may be fewer */
        } loaded;
        struct {
            uint64_t token;
            uint32_t status;
            uint32_t count;
            const struct vn_addr *addrs;
        } resolved;
        struct {
            uint64_t token;
            const struct vn_command *command;
        } command;
    } u;
};

/* ---- actions: from the core to the driver --------------------------------------------------- */

enum vn_action_kind {
    VN_ACT_DIAL = 1,   /* open `link` to `remote`; answered by LINK_UP or LINK_DOWN */
    VN_ACT_SEND,       /* write count slices in order */
    VN_ACT_CLOSE,      /* write out what was SENT, then close; answered by LINK_DOWN */
    VN_ACT_READ_STOP,  /* take no more bytes from this link until READ_START */
    VN_ACT_READ_START,
    VN_ACT_STORE,      /* one atomic batch; answered by STORED */
    VN_ACT_LOAD,       /* sees all earlier STOREs; answered by LOADED */
    VN_ACT_RESOLVE,    /* a host name to addresses; answered by RESOLVED */
    VN_ACT_REPLY,      /* answers COMMAND `token` */
    VN_ACT_COUNT
    /* 32.. are reserved for LISTEN and DATAGRAM */
};

#define VN_SEND_SLICES 64u  /* the most slices in one SEND */

/* One change of a STORE batch. The store keeps, per op, a table from key to value. */
enum vn_store_op {
    VN_STORE_BLOCK = 1, /* number: height, key: hash (32 bytes), value: wire encoding. This block is
                           the best chain's at that height, replacing what was there; all blocks
                           above it are forgotten. */
    VN_STORE_ADDR,      /* key: an encoded address, value: its record; an empty value deletes it */
    VN_STORE_BAN        /* key: a ban key, number: wall ns of its end, value: be64 wall ns of when
                           that was said; number 0 (and no value) deletes it */
};

struct vn_store_item {
    uint32_t op; /* enum vn_store_op */
    uint32_t key_len;
    uint64_t number;
    uint8_t key[40];
    struct vn_slice value;
};

enum vn_load_op {
    VN_LOAD_BLOCKS = 1, /* best-chain blocks of heights from..to, ascending, without gaps */
    VN_LOAD_ADDRS,      /* address records, each its key then its value, ordered by key; from is the
                           number to skip */
    VN_LOAD_BANS        /* bans, each be64 end, then its key, then its value; ordered by key; from:
                           number to skip */
};

struct vn_action {
    uint32_t size; /* set by the core */
    uint32_t kind;
    uint64_t link; /* DIAL, SEND, CLOSE, READ_* */
    union {
        struct {
            struct vn_addr remote;
            struct vn_addr local; /* VN_AF_NONE: any */
            uint32_t link_class;  /* enum vn_link_class */
            uint32_t flags;       /* 0; reserved for simultaneous open */
        } dial;
        struct {
            uint32_t count;
            uint32_t bytes; /* the sum of the slices' lengths */
            struct vn_slice slices[VN_SEND_SLICES];
        } send;
        struct {
            uint32_t why; /* enum vn_why */
        } close;
        struct {
            uint64_t token;
            uint32_t count;
            const struct vn_store_item *items; /* valid until the next call on this node; the
                                                  values' references are given away */
        } store;
        struct {
            uint64_t token;
            uint32_t op; /* enum vn_load_op */
            uint64_t from, to;
            uint64_t max_bytes; /* stop before the sum exceeds this, but give at least one */
        } load;
        struct {
            uint64_t token;
            const char *name; /* valid until the next call on this node */
        } resolve;
        struct {
            uint64_t token;
            uint32_t status; /* enum vn_status */
            char text[108];  /* NUL-terminated; empty or a reason */
        } reply;
    } u;
};

/* Drops every reference that the action carries. For drivers that do not perform it. */
VN_API void vn_action_release(struct vn_action *action);

/* ---- traces: what happened, for recorders, logs and checkers -------------------------------- */

enum vn_trace_kind {
    VN_TR_PEER_STATE, /* link, addr; a: from, b: to (enum vn_peer_state), c: enum vn_why */
    VN_TR_MSG_IN,     /* link; a: message kind, b: frame bytes */
    VN_TR_MSG_OUT,    /* link; a: message kind, b: frame bytes; as it leaves in a SEND */
    VN_TR_BLOCK_NEW,  /* hash; link (0: own); a: height, b: transactions. Valid and stored in the
                         index, on whatever branch */
    VN_TR_BLOCK_BAD,  /* hash; link; a: height; text: the rule, e.g. "B5-tx-root" */
    VN_TR_BLOCK_ORPHAN, /* hash; link; a: height */
    VN_TR_MINED,      /* hash; a: height, b: transactions */
    VN_TR_TIP,        /* hash; a: height, b: depth of the reorganisation (0: extended) */
    VN_TR_TX_NEW,     /* hash: id; link (0: own) */
    VN_TR_TX_BAD,     /* hash: id; link; text: the rule */
    VN_TR_SCORE,      /* link, addr; a: the new score, b: points (both int64), text: the reason;
                         c: 1 when it is evidence of misbehaviour, 0 when it may be bad weather */
    VN_TR_BAN,        /* link, addr; a: wall ns of its end */
    VN_TR_UNBAN,      /* addr */
    VN_TR_DISCONNECT, /* link, addr; a: Disconnect reason, b: 1 sent, 0 received; text: why */
    VN_TR_VIOLATION,  /* link, addr; text: what the peer did against the protocol */
    VN_TR_SYNC,       /* link; text: what the synchroniser does; a, b: heights */
    VN_TR_KINDS
};

struct vn_trace {
    uint32_t kind;
    uint32_t size;
    uint64_t now_ns;
    uint64_t link;
    uint64_t a, b, c;
    const struct vn_addr *addr; /* or NULL */
    const uint8_t *hash;        /* 32 bytes, or NULL */
    const char *text;           /* or NULL */
};

/* The name of a trace kind ("peer-state") and of a message kind ("NewBlock"); "?" out of range. */
VN_API const char *vn_trace_name(uint32_t kind);
VN_API const char *vn_message_name(uint32_t kind);

/* ---- configuration -------------------------------------------------------------------------- */

enum vn_ban_by {
    VN_BAN_BY_AUTO, /* by node id for 127.0.0.1 and ::1, by IP address otherwise */
    VN_BAN_BY_IP,
    VN_BAN_BY_ID
};

/* What the trace hash covers. */
enum vn_hash {
    VN_HASH_ALL, /* every field of every event and action, bytes included */
    VN_HASH_NONE /* nothing: it stays 0, and costs nothing. For nodes that nobody will replay */
};

struct vn_shared;

/* vn_config_init fills in the defaults given in brackets; sources are PROTOCOL-0.1 section 6 unless
 * said otherwise. */
struct vn_config {
    uint32_t size;     /* sizeof(struct vn_config) of the driver's build */
    uint32_t ban_by;   /* enum vn_ban_by [auto] */
    uint8_t seed[32];  /* all dice of the node come from it [zeros] */
    char node_id[64];  /* NUL-terminated UTF-8, not empty [must be set] */
    char version[32];  /* NUL-terminated [the build's own, 0.1.0] */
    struct vn_addr listen;           /* announced in handshakes [127.0.0.1:8765] */
    const struct vn_addr *seeds;     /* copied; never forgotten [none] */
    uint32_t seed_count;
    uint32_t max_outbound;           /* 0..10000 [8] */
    uint32_t max_inbound;            /* 0..10000 [32] */
    uint32_t known_peers;            /* bound of the address list, 1..100000 [1000] */
    uint64_t genesis_timestamp;      /* s since 1970 [1744067299] */
    uint64_t difficulty;             /* d0 >= 1 [100] */
    uint64_t connect_timeout_ns;     /* of a dial [10 s] */
    uint64_t handshake_timeout_ns;   /* [10 s] */
    uint64_t ping_after_ns;          /* silence before a Ping [30 s] */
    uint64_t idle_timeout_ns;        /* silence before Timeout [60 s] */
    uint64_t response_timeout_ns;    /* [30 s] */
    uint64_t stall_timeout_ns;       /* output blocked [30 s] */
    uint64_t backoff_base_ns;        /* after n failures base << min(n-1, 5), plus up to a quarter
                                        [2 s] */
    uint32_t give_up_after;          /* failures in a row [5] */
    uint32_t probe_retries;          /* sync requests in all before another peer [3] */
    uint64_t retry_failed_ns;        /* between tries of a peer that was given up [64 s] */
    uint64_t feeler_interval_ns;     /* mean time between feelers, 0: none [60 s] */
    uint64_t sync_interval_ns;       /* [60 s] */
    uint64_t ban_ns;                 /* [3600 s] */
    uint64_t mine_interval_ns;       /* mean; 0: do not mine [0] */
    uint32_t mine_max_txs;           /* transactions in a mined block, 0..10000 [1000] */
    uint32_t mempool_max;            /* [10000] */
    uint32_t mempool_per_sender;     /* [100] */
    uint64_t mempool_bytes_max;      /* [64 MiB] */
    uint32_t orphans_max;            /* [100] */
    uint32_t cached_blocks;          /* bodies of that many newest heights stay in memory [1024] */
    uint64_t orphan_bytes_max;       /* [10 MiB] */
    uint64_t outbox_soft;            /* bytes per link: above it transactions are shed [1 MiB] */
    uint64_t outbox_hard;            /* bytes per link: above it the link ends [24 MiB] */
    uint64_t peer_bytes_max;         /* pooled transactions that a link brought, and its orphans:
                                        above it nothing more of its is kept, without a penalty. Its
                                        buffers have bounds of their own: two frames of input,
                                        outbox_hard of output [16 MiB] */
    uint64_t score_half_life_ns;     /* in which a score comes half of its way back to 0; 0: never
                                        [3600 s] */
    uint32_t max_pending;            /* accepted links in their handshake beyond the free inbound
                                        slots; a newcomer replaces one, 1..10000 [16] */
    uint32_t max_inbound_per_ip;     /* accepted links with one IP address; loopback, where many
                                        nodes share one, counts as free; 0: no limit [8] */
    /* What a link may make us do; see core/peer/limits.h for the kinds and what follows. Tokens per
     * second and tokens in a full bucket; a rate of 0: no limit. */
    uint32_t accept_rate, accept_burst;   /* links accepted from one IP address, but loopback
                                             [2, 64] */
    uint32_t ping_rate, ping_burst;       /* Pings [1000, 10000] */
    uint32_t block_rate, block_burst;     /* bytes of NewBlock [2 MiB, 64 MiB] */
    uint32_t tx_rate, tx_burst;           /* bytes of NewTransaction [2 MiB, 32 MiB] */
    uint32_t serve_rate, serve_burst;     /* bytes of answers [2 MiB, 64 MiB] */
    uint32_t unasked_rate, unasked_burst; /* bytes of answers nobody asked for [64 KiB, 16 MiB] */
    struct vn_shared *shared;        /* cache shared by nodes of one process, or NULL */
    void (*on_trace)(void *ctx, const struct vn_trace *trace); /* or NULL */
    void *trace_ctx;
    uint64_t trace_mask;             /* 1 << enum vn_trace_kind of what on_trace hears [all] */
    uint64_t hash;                   /* enum vn_hash [all] */
};

VN_API void vn_config_init(struct vn_config *config);

/* Returns true if the configuration makes sense; else writes one line to why (NUL-terminated within
 * size) that names the field, what is allowed and what it is. */
VN_API bool vn_config_check(const struct vn_config *config, char *why, size_t size);

/* ---- the node ------------------------------------------------------------------------------- */

/* A cache of pure functions of bytes (validated blocks) and a pool of small objects, for the nodes
 * of one thread. Invisible to behaviour: a node with its own makes the same actions. It must
 * outlive its nodes. */
VN_API struct vn_shared *vn_shared_new(void);
VN_API void vn_shared_free(struct vn_shared *shared);

struct vn_node;

/* NULL if vn_config_check fails. The node keeps no pointer into config but shared, on_trace and
 * trace_ctx. */
VN_API struct vn_node *vn_node_new(const struct vn_config *config);
VN_API void vn_node_free(struct vn_node *node);

/* Feeds one event. now_ns must not decrease; if it does, the latest one counts. Events that make no
 * sense (an unknown link, an odd accepted id, an unknown kind) are ignored. */
VN_API void vn_node_step(struct vn_node *node, const struct vn_event *event);

/* Asks the processor for memory that BYTES of this link will touch, so that it is there when they
 * come; changes nothing. For drivers of many nodes, whose memory no cache holds, and which know
 * what comes next. In four calls some events apart, since each looks at what the one before asked
 * for. link and data (what will be given) may be 0 and empty for VN_SOON_NODE. */
enum vn_soon { VN_SOON_NODE, VN_SOON_LINK, VN_SOON_PEER, VN_SOON_DATA };
VN_API void vn_node_prefetch(const struct vn_node *node, uint64_t link, struct vn_slice data,
                             uint32_t soon);

/* Where the bytes that the link receives next may be put, so that a long frame that is half here
 * needs no copy: they are then given by BYTES with a slice of this buffer, from this offset.
 * Borrowed, and good until the next step; false: nowhere, read into a buffer of your own. Changes
 * nothing that anybody can see but held_bytes. */
VN_API bool vn_node_rx(struct vn_node *node, uint64_t link, struct vn_slice *space);

/* Takes the next action; false when there is none. *action is overwritten. */
VN_API bool vn_node_next_action(struct vn_node *node, struct vn_action *action);

/* When the node wants a TIMER, or VN_NEVER. */
VN_API uint64_t vn_node_deadline(const struct vn_node *node);

/* The trace hash: 64 bits, chained over the fields of every event and action so far
 * (core/node_hash.c). Equal on every compiler and machine for equal runs. */
VN_API uint64_t vn_node_hash(const struct vn_node *node);

/* ---- looking in ----------------------------------------------------------------------------- */

struct vn_info {
    uint32_t size;
    uint32_t outbound, inbound; /* ready links by direction */
    uint32_t connecting;        /* dials and handshakes under way */
    uint32_t known;             /* address list */
    uint32_t banned;
    uint32_t mempool;
    uint32_t orphans;
    uint64_t height;
    uint8_t tip[32];
    uint64_t total_difficulty_lo, total_difficulty_hi;
    uint64_t wall_ns;
    uint64_t hash; /* vn_node_hash */
    uint64_t held_bytes; /* the sum over all links, those included that wait for their LINK_DOWN */
    uint64_t work;       /* steps of computing so far, the same on every machine: 1 for each event,
                            1 for each frame received, and 1 for each begun 64 bytes of every
                            transaction and block that the rules were put to, and of every answer
                            that was put together. What the nodes of a process share saves time
                            but no steps. */
    uint32_t online; /* 1: it dials and takes links; 0 while it loads, and after a SHUTDOWN */
    uint32_t reserved;
};

struct vn_peer_info {
    uint32_t size;
    uint32_t state;      /* enum vn_peer_state */
    uint64_t link;       /* 0 when there is none; odd: outbound */
    uint32_t link_class; /* enum vn_link_class, 0 without a link */
    int32_t score;       /* -1000..1000 */
    struct vn_addr addr;   /* the link's remote end, or the known address */
    struct vn_addr listen; /* where it says it listens; VN_AF_NONE if unknown */
    char node_id[72];      /* the first bytes of its id, cut at 64, NUL-terminated */
    char version[32];
    uint64_t rtt_ns; /* of the last answered Ping or handshake; 0: unknown */
    uint64_t bytes_in, bytes_out;
    uint64_t msgs_in, msgs_out;
    uint64_t last_seen_ns; /* now_ns of its last message; 0: never */
    uint64_t up_ns;        /* now_ns of LINK_UP; 0: not up */
    uint64_t best_height;  /* the highest height it showed us */
    uint64_t outbox_bytes;
    uint32_t failures;     /* in a row */
    uint32_t reserved;
    uint64_t held_bytes;   /* memory that the link makes us hold: its own record, the frame being
                              received, output and requests that wait, answers and orphans not yet
                              in the chain, pooled transactions that it was the first to bring. A
                              buffer that waits for several links counts in each. 0 without a
                              link. */
};

struct vn_ban_info {
    uint32_t size;
    uint32_t by_id;      /* 1: of a node id, 0: of an address; see enum vn_ban_by */
    struct vn_addr addr; /* without a port; VN_AF_NONE with by_id */
    uint8_t id_hash[32]; /* SHA-256 of the node id; zeros without by_id */
    uint64_t left_ns;    /* from the node's latest event until it ends, above 0 */
};

/* Copies, never pointers. vn_node_peer: links in the order of their creation, then known addresses
 * without a link; false past the end. vn_node_block_hash: the best chain's hash at a height.
 * vn_node_has_tx: 1 pooled, 2 in a block, 0 unknown. The caller sets out->size.
 * vn_node_bans: the bans that last, at most `max` of them, in the order in which the node met whom
 * they are of; returns how many. In one go, since finding the n-th costs more than n steps. The
 * caller sets the size of the first, and all of out[] are of that size. */
VN_API void vn_node_info(const struct vn_node *node, struct vn_info *out);
VN_API bool vn_node_peer(const struct vn_node *node, uint32_t index, struct vn_peer_info *out);
VN_API bool vn_node_block_hash(const struct vn_node *node, uint64_t height, uint8_t hash[32]);
VN_API uint32_t vn_node_has_tx(const struct vn_node *node, const uint8_t id[32]);
VN_API uint32_t vn_node_bans(const struct vn_node *node, struct vn_ban_info *out, uint32_t max);

/* ---- looking in, item by item: what a debugger shows ---------------------------------------- */

#define VN_LANES    4u /* of an outbox, in the order in which they leave */
#define VN_LIMITS   5u /* what a link may make us do */
#define VN_REQUESTS 2u /* that can be outstanding on a link */

enum vn_look {
    VN_LOOK_CONFIG = 1, /* struct vn_config, one; its pointers are NULL */
    VN_LOOK_LINK,       /* struct vn_look_link; index as vn_node_peer's */
    VN_LOOK_QUEUED,     /* struct vn_look_queued: all frames that wait, link by link, in the order
                           in which they will leave if no other comes */
    VN_LOOK_TIMER,      /* struct vn_look_timer, in no order that means anything */
    VN_LOOK_SYNC,       /* struct vn_look_sync, one */
    VN_LOOK_BLOCK,      /* struct vn_look_block: the best chain, from the tip down */
    VN_LOOK_ORPHAN,     /* struct vn_look_block: by arrival */
    VN_LOOK_TX,         /* struct vn_look_tx: the pool, by arrival */
    VN_LOOK_ADDR        /* struct vn_look_addr: the address list, as it lies */
};

struct vn_look_link {
    uint32_t size;
    uint32_t window; /* bytes that may be SENT now */
    uint64_t link;
    uint32_t lane_bytes[VN_LANES]; /* control, blocks, transactions, history: what waits */
    uint32_t frames;               /* that wait, in all lanes */
    uint32_t begun_bytes;          /* left of a frame that has begun to leave; in its lane's, too */
    uint64_t full_ns[VN_LIMITS]; /* when the buckets of Pings, blocks, transactions, answers, and
                                    answers not asked for are full again, in now_ns; not later:
                                    they are */
    struct {
        uint64_t start, end;  /* heights */
        uint64_t deadline_ns; /* VN_NEVER: none is outstanding */
        uint32_t abandoned, timeouts;
    } requests[VN_REQUESTS]; /* of one block, of a range */
    uint32_t served;         /* requests of the remote that wait for our answers */
    uint32_t read_stopped;   /* 1: the driver was told to read no more of it */
    uint32_t closed;         /* 1: it only waits for its LINK_DOWN */
    uint32_t framed_bytes;   /* held of the frame that is being received */
    uint64_t ping_ns;        /* when the outstanding Ping left; 0: none */
    uint64_t began_ns;       /* dialled, or accepted */
    uint64_t ready_ns;       /* 0: not yet */
};

struct vn_look_queued {
    uint32_t size;
    uint32_t lane;
    uint64_t link;
    uint32_t message; /* kind, for vn_message_name */
    uint32_t count;   /* frames of the same size, one behind the other */
    uint32_t bytes;   /* of all of them that are left */
    uint32_t begun;   /* 1: it leaves before all others */
};

struct vn_look_timer {
    uint32_t size;
    uint32_t reserved;
    uint64_t at_ns;
    uint64_t link; /* of "peer"; else 0 */
    char kind[16]; /* "peer", "dial", "feeler", "sync", "mine", "expire", "store", "fetch" */
};

struct vn_look_sync {
    uint32_t size;
    uint32_t loading;   /* 1: it reads its disk at the start */
    char state[16];     /* "idle", "locating", "fetching" */
    uint64_t leader;    /* link */
    uint64_t target;    /* height to reach */
    uint64_t connect;   /* fetching: the next height to put into the chain */
    uint64_t gained;    /* blocks connected so far */
    uint64_t held_bytes;
    uint64_t store_from; /* heights from there on are not yet in a STORE; VN_NEVER: all are */
    uint32_t stores;     /* STOREs under way */
    uint32_t reserved;
    uint64_t mine_interval_ns; /* 0: it does not mine */
};

struct vn_look_block {
    uint32_t size;
    uint32_t bytes; /* of its encoding; 0: not in memory */
    uint64_t height, timestamp;
    uint64_t source; /* of an orphan: the link that brought it */
    uint8_t hash[32], prev_hash[32];
};

struct vn_look_tx {
    uint32_t size;
    uint32_t bytes; /* of its encoding */
    uint64_t timestamp;
    uint8_t id[32];
};

struct vn_look_addr {
    uint32_t size;
    uint32_t failures; /* in a row */
    struct vn_addr addr;
    uint64_t next_try_ns, last_seen_ns;
    uint64_t link; /* 0: none */
    uint8_t seed, self, anchor, reserved[5];
};

/* Copies the index-th item of what (enum vn_look) to out, whose first member, its size, the caller
 * sets; false past the end, and for what this build does not know. */
VN_API bool vn_node_look(const struct vn_node *node, uint32_t what, uint32_t index, void *out);

/* ---- looking after itself ------------------------------------------------------------------- */

struct vn_audit {
    uint32_t size;
    uint32_t reserved;
    uint64_t link;    /* of the link that it is about; 0: about none */
    uint64_t kept;    /* what the node's books say: of what holds or does not, 0 and 1 */
    uint64_t counted; /* what they should say, or the most */
    char what[64];    /* "inbound links", "a link that ended has a timer"; NUL-terminated */
};

/* Recounts all that the node counts, and looks whether what it should have given back is; true if
 * its books add up. Else the first thing that is wrong is in *out, whose size the caller sets: a
 * fault of the core's, whatever peers, disks and drivers did. Changes nothing. For tests and
 * simulators: it takes as long as the node is large. Only between a drain and the next step. */
VN_API bool vn_node_audit(const struct vn_node *node, struct vn_audit *out);

/* ---- several builds in one process ---------------------------------------------------------- */

/* Every function above, for drivers that dlopen a build of the core. */
struct vn_api {
    uint32_t size;
    uint32_t version;  /* VN_API_VERSION of the build */
    const char *build; /* e.g. "0.1.0 gcc-12.2" */
    struct vn_buf *(*buf_new)(uint32_t len);
    void (*action_release)(struct vn_action *action);
    void (*config_init)(struct vn_config *config);
    bool (*config_check)(const struct vn_config *config, char *why, size_t size);
    struct vn_shared *(*shared_new)(void);
    void (*shared_free)(struct vn_shared *shared);
    struct vn_node *(*node_new)(const struct vn_config *config);
    void (*node_free)(struct vn_node *node);
    void (*node_step)(struct vn_node *node, const struct vn_event *event);
    bool (*node_next_action)(struct vn_node *node, struct vn_action *action);
    uint64_t (*node_deadline)(const struct vn_node *node);
    uint64_t (*node_hash)(const struct vn_node *node);
    void (*node_info)(const struct vn_node *node, struct vn_info *out);
    bool (*node_peer)(const struct vn_node *node, uint32_t index, struct vn_peer_info *out);
    bool (*node_block_hash)(const struct vn_node *node, uint64_t height, uint8_t hash[32]);
    uint32_t (*node_has_tx)(const struct vn_node *node, const uint8_t id[32]);
    /* Absent in a table whose size ends before; NULL where a build has none. */
    void (*node_prefetch)(const struct vn_node *node, uint64_t link, struct vn_slice data,
                          uint32_t soon);
    bool (*node_rx)(struct vn_node *node, uint64_t link, struct vn_slice *space); /* the same */
    uint32_t (*node_bans)(const struct vn_node *node, struct vn_ban_info *out,
                          uint32_t max); /* the same */
    bool (*node_look)(const struct vn_node *node, uint32_t what, uint32_t index, void *out);
    bool (*node_audit)(const struct vn_node *node, struct vn_audit *out); /* the same */
};

/* The table of this build, or NULL if it does not speak `version`. */
VN_API const struct vn_api *vn_api(uint32_t version);

#ifdef __cplusplus
}
#endif

#endif
