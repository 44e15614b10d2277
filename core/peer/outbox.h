/* What waits to be sent on one link: whole frames in four lanes, taken in the order of the lanes,
 * each a FIFO. A frame that has begun to leave is finished before any other. Encode once: an entry
 * holds one reference on a frame that many outboxes share. */
#ifndef PEER_OUTBOX_H
#define PEER_OUTBOX_H

#include "core/base/audit.h"
#include "core/base/mem.h"
#include "core/node.h"

enum lane { LANE_CONTROL, LANE_BLOCK, LANE_TX, LANE_HISTORY, LANES };

struct outbox_entry {
    struct outbox_entry *next;
    struct vn_slice frame;
    uint32_t kind;  /* enum msg_kind */
    uint16_t lane;
    uint16_t count; /* frames in `frame`: more than one in a pack, all of one kind and size */
};

struct outbox {
    struct outbox_entry *last[LANES]; /* of each lane, or NULL; its next is the lane's first */
    uint32_t lane_bytes[LANES]; /* waiting, the begun frame's rest included */
    struct outbox_entry *begun; /* partly sent: leaves before all lanes */
    uint32_t begun_sent;        /* bytes of it that left */
    uint32_t frames;
};

/* Entries come from `pool` (objects of sizeof(struct outbox_entry)). */
void outbox_deinit(struct outbox *box, struct mem_pool *pool);

/* Takes over the frame's reference. */
void outbox_push(struct outbox *box, struct mem_pool *pool, struct vn_slice frame, uint32_t kind,
                 enum lane lane);

/* Queues a copy of a small frame. Where the last one in the lane is of the same kind and size they
 * share a pack, so that a flood of small answers costs its bytes and not an entry and a buffer
 * each. */
void outbox_push_small(struct outbox *box, struct mem_pool *pool, const uint8_t *frame,
                       uint32_t len, uint32_t kind, enum lane lane);

/* Drops the oldest waiting transactions until at most `bytes` wait without history, but not the
 * last one if all else fits: it would never leave, however idle the link. Returns how many. */
uint32_t outbox_shed_transactions(struct outbox *box, struct mem_pool *pool, uint64_t bytes);

/* Drops all waiting transactions. */
void outbox_drop_transactions(struct outbox *box, struct mem_pool *pool);

/* After a push: sheds transactions above the soft limit; false if without any the outbox is above
 * the hard limit. The caller adds to `soft` what the window takes at once. */
bool outbox_make_room(struct outbox *box, struct mem_pool *pool, uint64_t soft, uint64_t hard);

/* Room for another answer of up to `largest` bytes: what waits of them is below the soft limit, or
 * what the window takes at once; and that one does not lift the outbox above the hard limit. */
bool outbox_takes_answer(const struct outbox *box, uint32_t largest, uint32_t window, uint64_t soft,
                         uint64_t hard);

/* Drops all frames but the begun one and those of LANE_CONTROL. */
void outbox_keep_control(struct outbox *box, struct mem_pool *pool);

/* Takes up to `window` bytes in at most `max` slices, references given to the caller; counts the
 * frames whose last byte left. finished (room for max) gets their kinds and sizes. Returns the
 * number of slices. */
struct outbox_left {
    uint32_t kind, bytes, count; /* count frames of so many bytes each */
};
uint32_t outbox_take(struct outbox *box, struct mem_pool *pool, uint32_t window,
                     struct vn_slice *out, uint32_t max, struct outbox_left *finished,
                     uint32_t *finished_count);

uint64_t outbox_bytes(const struct outbox *box);

/* See core/base/audit.h. */
void outbox_audit(const struct outbox *box, struct audit *audit);

static inline bool outbox_empty(const struct outbox *box)
{
    return box->frames == 0;
}

#endif
