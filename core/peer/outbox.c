/* See outbox.h. */
#include "core/peer/outbox.h"

#include <assert.h>
#include <string.h>

#define PACK_BYTES 1024u

static struct outbox_entry *lane_pop(struct outbox *box, enum lane lane)
{
    struct outbox_entry *last = box->last[lane];
    if (!last)
        return NULL;
    struct outbox_entry *first = last->next;
    if (first == last)
        box->last[lane] = NULL;
    else
        last->next = first->next;
    return first;
}

static void entry_drop(struct outbox *box, struct mem_pool *pool, struct outbox_entry *entry)
{
    box->frames -= entry->count;
    vn_slice_unref(entry->frame);
    mem_pool_give(pool, entry);
}

static void lane_clear(struct outbox *box, struct mem_pool *pool, enum lane lane)
{
    for (struct outbox_entry *e; (e = lane_pop(box, lane)) != NULL;) {
        box->lane_bytes[lane] -= e->frame.len;
        entry_drop(box, pool, e);
    }
}

void outbox_deinit(struct outbox *box, struct mem_pool *pool)
{
    if (box->begun) {
        box->lane_bytes[box->begun->lane] -= box->begun->frame.len - box->begun_sent;
        entry_drop(box, pool, box->begun);
        box->begun = NULL;
    }
    for (uint32_t lane = 0; lane < LANES; lane++)
        lane_clear(box, pool, (enum lane)lane);
    assert(box->frames == 0);
}

void outbox_push(struct outbox *box, struct mem_pool *pool, struct vn_slice frame, uint32_t kind,
                 enum lane lane)
{
    struct outbox_entry *entry = mem_pool_take_raw(pool);
    struct outbox_entry *last = box->last[lane];
    *entry = (struct outbox_entry){.next = last ? last->next : entry,
                                   .frame = frame,
                                   .kind = kind,
                                   .lane = (uint16_t)lane,
                                   .count = 1};
    if (last)
        last->next = entry;
    box->last[lane] = entry;
    box->lane_bytes[lane] += frame.len;
    box->frames++;
}

/* The pack at the end of the lane if it takes another such frame. */
static struct outbox_entry *open_pack(const struct outbox *box, uint32_t len, uint32_t kind,
                                      enum lane lane)
{
    struct outbox_entry *tail = box->last[lane];
    bool fits = tail && tail->kind == kind && tail->frame.len == tail->count * len &&
                tail->frame.off == 0 && tail->frame.buf->refs == 1 &&
                tail->frame.buf->len - tail->frame.len >= len;
    return fits ? tail : NULL;
}

void outbox_push_small(struct outbox *box, struct mem_pool *pool, const uint8_t *frame,
                       uint32_t len, uint32_t kind, enum lane lane)
{
    struct outbox_entry *pack = open_pack(box, len, kind, lane);
    if (!pack) {
        /* The first stands alone; only a second one in a row shows that there may be many. */
        const struct outbox_entry *tail = box->last[lane];
        uint32_t room = tail && tail->kind == kind && len < PACK_BYTES ? PACK_BYTES : len;
        outbox_push(box, pool, (struct vn_slice){vn_buf_new(room), 0, 0}, kind, lane);
        pack = box->last[lane];
        pack->count = 0;
        box->frames--;
    }
    memcpy(pack->frame.buf->data + pack->frame.len, frame, len);
    pack->frame.len += len;
    pack->count++;
    box->lane_bytes[lane] += len;
    box->frames++;
}

uint64_t outbox_bytes(const struct outbox *box)
{
    uint64_t sum = 0;
    for (uint32_t lane = 0; lane < LANES; lane++)
        sum += box->lane_bytes[lane];
    return sum;
}

static uint64_t bytes_but_history(const struct outbox *box)
{
    return outbox_bytes(box) - box->lane_bytes[LANE_HISTORY];
}

uint32_t outbox_shed_transactions(struct outbox *box, struct mem_pool *pool, uint64_t bytes)
{
    uint32_t shed = 0;
    for (uint64_t over; (over = bytes_but_history(box)) > bytes;) {
        const struct outbox_entry *newest = box->last[LANE_TX];
        if (!newest || (newest->next == newest && over - newest->frame.len <= bytes))
            break;
        struct outbox_entry *entry = lane_pop(box, LANE_TX);
        box->lane_bytes[LANE_TX] -= entry->frame.len;
        entry_drop(box, pool, entry);
        shed++;
    }
    return shed;
}

void outbox_drop_transactions(struct outbox *box, struct mem_pool *pool)
{
    lane_clear(box, pool, LANE_TX);
}

bool outbox_make_room(struct outbox *box, struct mem_pool *pool, uint64_t soft, uint64_t hard)
{
    if (outbox_bytes(box) > soft)
        outbox_shed_transactions(box, pool, soft);
    if (outbox_bytes(box) > hard)
        outbox_drop_transactions(box, pool);
    return outbox_bytes(box) <= hard;
}

bool outbox_takes_answer(const struct outbox *box, uint32_t largest, uint32_t window, uint64_t soft,
                         uint64_t hard)
{
    uint64_t waiting = box->lane_bytes[LANE_HISTORY];
    return (waiting < soft || waiting < window) && outbox_bytes(box) + largest <= hard;
}

void outbox_keep_control(struct outbox *box, struct mem_pool *pool)
{
    lane_clear(box, pool, LANE_BLOCK);
    lane_clear(box, pool, LANE_TX);
    lane_clear(box, pool, LANE_HISTORY);
}

/* The frame to send from next: the begun one, else the first of the first lane that has one. */
static struct outbox_entry *outbox_current(struct outbox *box)
{
    if (box->begun || box->frames == 0)
        return box->begun;
    uint32_t lane = 0;
    while (!box->last[lane])
        lane++;
    box->begun_sent = 0;
    return box->begun = lane_pop(box, (enum lane)lane);
}

/* The one frame that waits, if it can leave whole. */
static struct outbox_entry *lone_entry(const struct outbox *box, uint32_t window)
{
    if (box->frames != 1 || box->begun)
        return NULL;
    uint32_t lane = LANE_TX;
    for (uint32_t i = 0; !box->last[lane]; i++)
        lane = i;
    return box->last[lane]->frame.len <= window ? box->last[lane] : NULL;
}

uint32_t outbox_take(struct outbox *box, struct mem_pool *pool, uint32_t window,
                     struct vn_slice *out, uint32_t max, struct outbox_left *finished,
                     uint32_t *finished_count)
{
    uint32_t count = 0;
    struct outbox_entry *lone = lone_entry(box, window);
    if (lone) { /* as most: its reference leaves with it */
        out[0] = lone->frame;
        finished[0] = (struct outbox_left){lone->kind, lone->frame.len, 1};
        *finished_count = 1;
        box->last[lone->lane] = NULL;
        box->lane_bytes[lone->lane] -= lone->frame.len;
        box->frames = 0;
        mem_pool_give(pool, lone);
        return 1;
    }
    *finished_count = 0;
    while (count < max && window > 0) {
        struct outbox_entry *entry = outbox_current(box);
        if (!entry)
            break;
        uint32_t left = entry->frame.len - box->begun_sent;
        uint32_t n = left < window ? left : window;
        out[count++] =
            (struct vn_slice){vn_buf_ref(entry->frame.buf), entry->frame.off + box->begun_sent, n};
        window -= n;
        box->begun_sent += n;
        box->lane_bytes[entry->lane] -= n;
        if (n == left) {
            const uint32_t each =
                entry->count == 1 ? entry->frame.len : entry->frame.len / entry->count;
            finished[(*finished_count)++] = (struct outbox_left){entry->kind, each, entry->count};
            box->begun = NULL;
            entry_drop(box, pool, entry);
        }
    }
    return count;
}

static void entry_audit(const struct outbox_entry *entry, enum lane lane, struct audit *audit)
{
    audit_equal(audit, "the lane of a frame that waits", entry->lane, lane);
    audit_true(audit, "a frame that waits has no bytes", entry->frame.len > 0 && entry->count > 0);
    audit_true(audit, "a frame that waits pins more than twice its bytes",
               entry->frame.buf->len <= 2 * (uint64_t)entry->frame.len + 1 ||
                   entry->frame.buf->len <= PACK_BYTES);
}

void outbox_audit(const struct outbox *box, struct audit *audit)
{
    uint32_t frames = 0;
    for (uint32_t lane = 0; lane < LANES; lane++) {
        const struct outbox_entry *last = box->last[lane];
        uint64_t bytes = 0;
        if (box->begun && box->begun->lane == lane) {
            entry_audit(box->begun, (enum lane)lane, audit);
            audit_at_most(audit, "what left of a begun frame", box->begun_sent + UINT64_C(1),
                          box->begun->frame.len);
            bytes += box->begun->frame.len - box->begun_sent;
            frames += box->begun->count;
        }
        for (const struct outbox_entry *e = last ? last->next : NULL; e && !audit->what;
             e = e != last ? e->next : NULL) {
            entry_audit(e, (enum lane)lane, audit);
            bytes += e->frame.len;
            frames += e->count;
        }
        audit_equal(audit, "bytes that wait in a lane", box->lane_bytes[lane], bytes);
    }
    audit_equal(audit, "frames that wait", box->frames, frames);
}
