/* Answering RequestBlock and RequestBlockRange.
 *
 * Requests of a link wait in a FIFO and are answered in order: at once while the blocks are in
 * memory, the link's outbox has room and the link has tokens (core/peer/limits.h), else by one LOAD
 * ahead, or later. Failure modes: a peer that asks faster, or without reading, fills its FIFO, is
 * not read any more (net_update_reading), and ends the link (peer_asks_too_much); a disk that fails
 * makes the answer shorter. */
#include "core/gossip/gossip.h"

#include <assert.h>
#include <string.h>

#define RANGE_HEADER    12u /* message kind, count */
#define RANGE_BYTES_MAX (FRAME_PAYLOAD_MAX - RANGE_HEADER)

/* Moves the queue to the front only when half of the space is free there, so that a long one costs
 * no more than its length. */
static void served_make_room(struct errands *errands, uint32_t count)
{
    if (errands->served_head + count < errands->served_cap)
        return;
    if (errands->served_head <= errands->served_cap / 2) {
        errands->served_cap = errands->served_cap ? errands->served_cap * 2 : 2;
        errands->served = mem_resize(errands->served, errands->served_cap, sizeof *errands->served);
        return;
    }
    memmove(errands->served, errands->served + errands->served_head,
            count * sizeof *errands->served);
    errands->served_head = 0;
}

static struct served *served_first(const struct peer *peer)
{
    return &peer->errands->served[peer->errands->served_head];
}

void serve_push(struct gossip *g, struct peer *peer, enum request_kind kind, uint64_t start,
                uint64_t end)
{
    if (peer_asks_too_much(peer)) {
        net_violation(g->net, peer, "requests without reading the answers");
        return;
    }
    peer_errands_begin(peer);
    struct errands *errands = peer->own_errands;
    served_make_room(errands, peer->served_count);
    errands->served[errands->served_head + peer->served_count++] =
        (struct served){start, end, kind, 0};
    serve_run(g, peer);
    net_update_reading(g->net, peer);
}

/* An idle link holds no FIFO: most ask for one thing, once. */
static void served_pop(struct peer *peer)
{
    struct errands *errands = peer->own_errands;
    errands->served_head++;
    if (--peer->served_count == 0) {
        mem_free(errands->served);
        errands->served = NULL;
        errands->served_cap = errands->served_head = 0;
        peer_errands_end(peer);
    }
}

/* ---- answers ---- */

/* A ResponseBlock frame around one block's encoding, or around none. */
static struct vn_slice block_frame(struct vn_slice body)
{
    uint32_t payload = body.buf ? 5 + body.len : 5;
    struct vn_buf *frame = vn_buf_new(FRAME_HEADER + payload);
    put_be32(frame->data, payload);
    put_le32(frame->data + 4, MSG_RESPONSE_BLOCK);
    frame->data[8] = body.buf != NULL;
    if (body.buf)
        memcpy(frame->data + 9, vn_slice_data(body), body.len);
    return (struct vn_slice){frame, 0, frame->len};
}

static struct vn_slice range_frame(const struct vn_slice *bodies, uint32_t count)
{
    uint32_t payload = RANGE_HEADER;
    for (uint32_t i = 0; i < count; i++)
        payload += bodies[i].len;
    struct vn_buf *frame = vn_buf_new(FRAME_HEADER + payload);
    put_be32(frame->data, payload);
    put_le32(frame->data + 4, MSG_RESPONSE_BLOCK_RANGE);
    put_le64(frame->data + 8, count);
    uint8_t *at = frame->data + FRAME_HEADER + RANGE_HEADER;
    for (uint32_t i = 0; i < count; i++) {
        memcpy(at, vn_slice_data(bodies[i]), bodies[i].len);
        at += bodies[i].len;
    }
    return (struct vn_slice){frame, 0, frame->len};
}

/* Answers the first request in the FIFO with these bodies, ascending from its start. */
static void answer(struct gossip *g, struct peer *peer, const struct vn_slice *bodies,
                   uint32_t count)
{
    bool range = served_first(peer)->kind == REQUEST_RANGE;
    struct vn_slice frame;
    /* One byte more than a NewBlock: a block that just fitted there is not shown. */
    if (!range && (count == 0 || bodies[0].len > FRAME_PAYLOAD_MAX - 5))
        frame = block_frame((struct vn_slice){0});
    else
        frame = range ? range_frame(bodies, count) : block_frame(bodies[0]);
    served_pop(peer);
    net_worked(g->net, frame.len);
    uint64_t bytes = limits_answer_bytes(&peer->given, count, chain_height(g->chain), frame.len);
    net_charge(g->net, peer, LIMIT_SERVE, bytes);
    net_send(g->net, peer, frame, range ? MSG_RESPONSE_BLOCK_RANGE : MSG_RESPONSE_BLOCK,
             LANE_HISTORY);
}

/* ---- where the blocks come from ---- */

/* Collects the bodies of start..end that are in memory; false if one that exists is not. */
static bool from_memory(const struct gossip *g, uint64_t start, uint64_t end,
                        struct vn_slice bodies[RANGE_BLOCKS_MAX], uint32_t *count)
{
    uint64_t sum = 0;
    *count = 0;
    for (uint64_t height = start; height <= end && height <= chain_height(g->chain); height++) {
        struct vn_slice body = chain_body(g->chain, chain_at(g->chain, height));
        if (!body.buf)
            return false;
        sum += body.len;
        if (sum > RANGE_BYTES_MAX || *count == RANGE_BLOCKS_MAX)
            break;
        bodies[(*count)++] = body;
        if (height == UINT64_MAX)
            break;
    }
    return true;
}

static void load(struct gossip *g, struct peer *peer, uint64_t start, uint64_t end)
{
    net_charge(g->net, peer, LIMIT_SERVE, LIMIT_LOAD);
    peer->own_errands->load_token = g->net->next_token++;
    struct action_entry *action = net_push_action(g->net, VN_ACT_LOAD, peer->errands->load_token);
    action->why = VN_LOAD_BLOCKS;
    action->from = start ? start : 1; /* the genesis is in memory, never in the store */
    action->to = end;
    action->max_bytes = RANGE_BYTES_MAX;
}

static bool room(const struct gossip *g, const struct peer *peer)
{
    const struct vn_config *cfg = &g->net->cfg;
    return outbox_takes_answer(&peer->outbox, FRAME_HEADER + FRAME_PAYLOAD_MAX, peer->window,
                               cfg->outbox_soft, cfg->outbox_hard);
}

void serve_run(struct gossip *g, struct peer *peer)
{
    struct vn_slice bodies[RANGE_BLOCKS_MAX];
    while (!peer->closed && peer->served_count > 0 && peer->errands->load_token == 0 &&
           room(g, peer)) {
        if (net_ready_ns(g->net, peer, LIMIT_SERVE) > 0) {
            net_peer_rearm(g->net, peer);
            return;
        }
        struct served *first = served_first(peer);
        if (first->kind == REQUEST_BLOCK && first->start == HEIGHT_NEWEST)
            first->start = first->end = chain_height(g->chain);
        uint32_t count;
        if (from_memory(g, first->start, first->end, bodies, &count))
            answer(g, peer, bodies, count);
        else
            load(g, peer, first->start, first->end);
    }
}

/* Is this slice the best chain's block at that height, to the byte? The disk is not believed: who
 * is given what rotted there would punish us. */
static bool slice_is_block_at(const struct gossip *g, struct vn_slice slice, uint64_t height)
{
    const struct block_record *record = chain_at(g->chain, height);
    struct block_view view;
    struct reader r = reader_over(vn_slice_data(slice), slice.len);
    wire_read_block(&r, &view);
    return record && r.ok && reader_left(&r) == 0 && chain_is_body(g->chain, record, &view);
}

bool serve_on_loaded(struct gossip *g, const struct vn_event *event)
{
    struct peer *peer = g->net->first;
    const uint64_t token = event->u.loaded.token;
    while (peer && (token == 0 || peer->errands->load_token != token))
        peer = peer->next;
    if (!peer)
        return false;
    peer->own_errands->load_token = 0;
    if (peer->closed || peer->served_count == 0)
        return true;
    struct vn_slice bodies[RANGE_BLOCKS_MAX];
    uint32_t count = 0;
    uint64_t sum = 0, start = served_first(peer)->start;
    if (start == 0) {
        bodies[count++] = chain_body(g->chain, chain_genesis(g->chain));
        sum = bodies[0].len;
    }
    uint32_t given = event->u.loaded.status == VN_OK ? event->u.loaded.count : 0;
    for (uint32_t i = 0; i < given && count < RANGE_BLOCKS_MAX; i++) {
        struct vn_slice slice = event->u.loaded.slices[i];
        sum += slice.len;
        if (sum > RANGE_BYTES_MAX || !slice_is_block_at(g, slice, start + count))
            break;
        bodies[count++] = slice;
    }
    answer(g, peer, bodies, count);
    serve_run(g, peer);
    net_update_reading(g->net, peer);
    return true;
}
