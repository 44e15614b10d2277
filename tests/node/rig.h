/* One real node with scripted remote ends and manual time.
 *
 * The rig is the node's driver: it feeds events, drains and performs actions, takes the frames
 * apart that the node sends, and answers its disk. On every frame it asserts what always holds: the
 * window is never exceeded, nothing is sent after CLOSE, at most one request of a kind is
 * outstanding on a link. Fields under "knobs" may be set at any time. */
#ifndef NODE_RIG_H
#define NODE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/wire/frame.h"
#include "core/wire/msg.h"
#include "tests/node/disk.h"
#include "tests/node/forge.h"
#include "tests/node/tape.h"

#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

#define RIG_LINKS    512u
#define RIG_REQUESTS 64u
#define RIG_TRACES   8192u

struct rig_frame {
    struct vn_buf *payload;
    struct msg msg; /* decoded; borrows from payload */
    uint64_t at_ns;
};

struct rig_link {
    uint64_t id;
    struct vn_addr remote;
    uint32_t link_class; /* of DIAL */
    uint64_t dialled_ns;
    bool up, closed, down, reading;
    uint32_t close_why;
    uint64_t closed_ns;
    uint64_t window, unrefunded;
    uint32_t sends;       /* SEND actions */
    uint32_t last_slices; /* of the last SEND */
    uint8_t *partial;     /* bytes of an unfinished frame */
    uint32_t partial_len;
    struct rig_frame *frames; /* all that the node sent, whole */
    uint32_t frame_count, frame_cap, frame_next;
    uint64_t asked_ns[2]; /* when its open RequestBlock, RequestBlockRange came; 0: none */
};

struct rig_request { /* a STORE or LOAD that waits for its answer */
    uint64_t token;
    bool load;
    uint32_t op;
    uint64_t from, to;
    struct vn_slice *slices;
    uint32_t count;
};

struct rig_reply {
    uint64_t token;
    uint32_t status;
    char text[108];
};

struct rig_trace {
    uint32_t kind;
    uint64_t now_ns, link, a, b, c;
    uint8_t hash[32];
    char text[64];
};

struct rig {
    struct vn_node *node;
    struct vn_config cfg;
    uint64_t now_ns;
    struct rig_link links[RIG_LINKS];
    uint32_t link_count;
    uint64_t next_accept;
    struct disk disk;
    struct rig_request requests[RIG_REQUESTS];
    uint32_t request_count;
    struct rig_reply last_reply;
    uint64_t next_token;
    struct rig_trace *traces;
    uint32_t trace_count;
    struct tape *tape; /* captures when set */
    bool draining;
    /* knobs */
    bool manual_disk;  /* STORE and LOAD wait for rig_answer */
    bool fail_stores;  /* STORED says VN_ERR_IO, and nothing is kept */
    bool fail_loads;   /* LOADED says VN_ERR_IO */
    bool keep_window;  /* no SENT by itself */
    bool keep_links;   /* no LINK_DOWN after CLOSE by itself */
    bool padded_pings; /* Pings may have something behind them */
    uint32_t window;   /* of new links */
    uint32_t chunk;    /* bytes per BYTES event, 0: all at once */
};

/* Defaults: id "m-node-under-test", listening at 10.0.0.1:8765, no seeds, no feelers, no looking
 * for news by itself, the forge's chain. */
void rig_config(struct vn_config *cfg);

/* cfg may be NULL. Does not START yet. */
void rig_init(struct rig *rig, const struct vn_config *cfg);
void rig_deinit(struct rig *rig);
/* Another node on the disk of a first one that ends; to be started. */
void rig_restart(struct rig *rig, const struct vn_config *cfg);

/* CLOCK and START, and all that follows. */
void rig_start(struct rig *rig);
void rig_init_started(struct rig *rig, const struct vn_config *cfg);

struct vn_addr rig_addr(uint32_t host, uint16_t port); /* 10.0.x.y */

/* ---- events ---- */
void rig_step(struct rig *rig, struct vn_event event); /* sets size and now, drains */
void rig_drain(struct rig *rig);
void rig_run_until(struct rig *rig, uint64_t at_ns); /* gives TIMERs at deadlines */
void rig_run(struct rig *rig, uint64_t ns);
struct rig_link *rig_accept(struct rig *rig, struct vn_addr remote);
void rig_up(struct rig *rig, struct rig_link *link); /* of a DIAL */
void rig_down(struct rig *rig, struct rig_link *link, enum vn_why why);
void rig_bytes(struct rig *rig, struct rig_link *link, const void *data, size_t len);
void rig_frame(struct rig *rig, struct rig_link *link, struct vn_buf *frame); /* takes it over */
void rig_msg(struct rig *rig, struct rig_link *link, const struct msg *msg);
void rig_sent(struct rig *rig, struct rig_link *link, uint64_t bytes);
uint32_t rig_command(struct rig *rig, struct vn_command command);        /* the reply's status */
void rig_answer(struct rig *rig, uint32_t index, enum vn_status status); /* requests[index] */

/* ---- messages ---- */
void rig_hello(struct rig *rig, struct rig_link *link, const char *id, const char *version,
               uint16_t port);
void rig_ping(struct rig *rig, struct rig_link *link, uint64_t nonce);
void rig_request(struct rig *rig, struct rig_link *link, uint64_t height);
void rig_request_range(struct rig *rig, struct rig_link *link, uint64_t start, uint64_t end);

/* A ready link, its Handshake and RequestBlock(newest) taken; *_idle also answers with none. */
struct rig_link *rig_ready(struct rig *rig, struct vn_addr remote, const char *id);
struct rig_link *rig_ready_idle(struct rig *rig, struct vn_addr remote, const char *id);

/* ---- looking at what came ---- */
const struct msg *rig_next(struct rig_link *link);                     /* or NULL */
const struct msg *rig_take(struct rig_link *link, enum msg_kind kind); /* the next, of this kind */
const struct msg *rig_find(struct rig_link *link, enum msg_kind kind); /* skips others; or NULL */
void rig_take_disconnect(struct rig_link *link, enum disconnect_reason reason);
void rig_expect_quiet(struct rig_link *link);
struct rig_link *rig_link(struct rig *rig, uint64_t id);
struct rig_link *rig_dial(struct rig *rig); /* the newest dialled link that is not up; or NULL */
struct vn_peer_info rig_peer(struct rig *rig, const struct rig_link *link);
bool rig_peer_at(struct rig *rig, const struct vn_addr *addr, struct vn_peer_info *out);
struct vn_info rig_info(const struct rig *rig);
uint32_t rig_traced(const struct rig *rig, enum vn_trace_kind kind);
const struct rig_trace *rig_last(const struct rig *rig, enum vn_trace_kind kind);

/* CONNECTs a dial to addr and brings the link up. */
struct rig_link *rig_dial_to(struct rig *rig, struct vn_addr addr);

#endif
