/* One way into the chain for every block: from gossip, from an answer, from our own miner, from
 * disk.
 *
 * The happy path: chain_add accepts it, the mempool and the store follow the best chain, the others
 * are told, and orphans that waited for it follow. */
#include "core/gossip/account.h"
#include "core/gossip/gossip.h"
#include "core/gossip/relay.h"

#include <string.h>

/* The ids of a record's transactions, while its body is in memory. */
static bool record_ids(const struct gossip *g, const struct block_record *record,
                       struct block_view *view)
{
    struct vn_slice body = chain_body(g->chain, record);
    if (!body.buf)
        return false;
    struct reader r = reader_over(vn_slice_data(body), body.len);
    wire_read_block(&r, view);
    return r.ok;
}

static void tip_moved(struct gossip *g, const struct chain_added *added, enum block_origin origin)
{
    struct block_view view;
    for (uint32_t i = 0; i < added->disconnected_count; i++)
        if (record_ids(g, added->disconnected[i], &view))
            mempool_disconnect(g->pool, view.tx_ids, view.tx_count);
    uint64_t tip = chain_height(g->chain);
    for (uint64_t height = added->fork_height + 1; height <= tip; height++)
        if (record_ids(g, chain_at(g->chain, height), &view))
            mempool_connect(g->pool, view.tx_ids, view.tx_count, view.timestamp);
    if (!timer_armed(&g->expire_timer) && !mempool_empty(g->pool))
        timers_arm(&g->net->timers, &g->expire_timer, add_sat(g->net->now_ns, TX_EXPIRE_CHECK_NS));
    g->mine_busy = false; /* an unfinished search was for another parent */
    if (origin != FROM_DISK)
        persist_mark(g, added->fork_height + 1);
    net_trace(g->net, &(struct vn_trace){.kind = VN_TR_TIP,
                                         .hash = chain_tip(g->chain)->hash,
                                         .a = tip,
                                         .b = added->disconnected_count});
}

static void relay_block(struct gossip *g, const struct peer *from, const struct block_view *block,
                        struct vn_slice frame)
{
    if (frame.buf) {
        relay_frame(g, frame, MSG_NEW_BLOCK, from, block->hash);
        return;
    }
    struct msg msg = {.kind = MSG_NEW_BLOCK, .u.block = *block};
    struct vn_buf *buf = msg_frame(&msg);
    if (!buf) /* a ResponseBlock is one byte longer than the NewBlock it came in, so this one fits
               */
        return;
    relay_frame(g, (struct vn_slice){buf, 0, buf->len}, MSG_NEW_BLOCK, from, block->hash);
    vn_buf_unref(buf);
}

static void accepted(struct gossip *g, struct peer *peer, const struct block_view *block,
                     const struct chain_added *added, enum block_origin origin,
                     struct vn_slice frame)
{
    net_trace(g->net, &(struct vn_trace){.kind = VN_TR_BLOCK_NEW,
                                         .link = peer ? peer->link : 0,
                                         .addr = peer ? &peer->remote : NULL,
                                         .hash = block->hash,
                                         .a = block->height,
                                         .b = block->tx_count});
    if (added->tip_changed)
        tip_moved(g, added, origin);
    if (peer && origin == FROM_GOSSIP)
        net_score(g->net, peer, SCORE_GOOD_BLOCK);
    if (origin == FROM_GOSSIP || origin == FROM_SELF)
        relay_block(g, peer, block, frame);
}

static void refused(struct gossip *g, struct peer *peer, const struct block_view *block,
                    enum rule rule)
{
    net_trace(g->net, &(struct vn_trace){.kind = VN_TR_BLOCK_BAD,
                                         .link = peer ? peer->link : 0,
                                         .addr = peer ? &peer->remote : NULL,
                                         .hash = block->hash,
                                         .a = block->height,
                                         .text = rule_name(rule)});
    if (!peer || rule == RULE_B3_TIMESTAMP_AHEAD)
        return; /* that clock may be ours; all other rules hold or not whoever looks */
    net_score(g->net, peer, SCORE_INVALID_BLOCK);
    net_close(g->net, peer, VN_WHY_PROTOCOL); /* see score.h; a ban has closed it already */
}

/* Would this block be a new orphan? */
static bool would_wait(const struct gossip *g, const struct block_view *block)
{
    return !chain_find(g->chain, block->prev_hash) && !chain_find(g->chain, block->hash) &&
           !chain_is_orphan(g->chain, block->hash);
}

static enum chain_result add_one(struct gossip *g, struct peer *peer,
                                 const struct block_view *block, struct vn_slice body,
                                 enum block_origin origin, struct vn_slice frame)
{
    struct chain_added added;
    if (origin == FROM_GOSSIP && sync_beneath(g, block)) {
        if (peer)
            net_charge(g->net, peer, LIMIT_UNASKED, body.len);
        return CHAIN_KNOWN; /* there is nothing to do about it */
    }
    net_worked(g->net, body.len);
    /* What was stored was not ahead of the clock then: one that is behind now refuses nothing. */
    uint64_t now_s = origin == FROM_DISK ? UINT64_MAX : net_wall_s(g->net);
    if (peer && would_wait(g, block) && account_full(g, peer, body.len))
        return CHAIN_ORPHAN; /* not kept: catching up will ask for it */
    chain_add(g->chain, block, body, now_s, peer ? peer->link : 0, &added);
    switch (added.result) {
    case CHAIN_ACCEPTED:
        accepted(g, peer, block, &added, origin, frame);
        break;
    case CHAIN_ORPHAN:
        net_trace(g->net, &(struct vn_trace){.kind = VN_TR_BLOCK_ORPHAN,
                                             .link = peer ? peer->link : 0,
                                             .addr = peer ? &peer->remote : NULL,
                                             .hash = block->hash,
                                             .a = block->height});
        break;
    case CHAIN_INVALID:
    case CHAIN_AHEAD:
        refused(g, peer, block, added.rule);
        break;
    case CHAIN_KNOWN:
        break;
    }
    if (origin == FROM_ANSWER && added.block && !chain_on_best(g->chain, added.block))
        persist_branch(g, added.block, body);
    return added.result;
}

/* Parents whose orphans are still to be added. */
struct parents {
    uint8_t (*hashes)[HASH_SIZE];
    uint32_t count, capacity;
};

static void parents_push(struct parents *parents, const uint8_t hash[HASH_SIZE])
{
    if (parents->count == parents->capacity) {
        parents->capacity = parents->capacity ? parents->capacity * 2 : 8;
        parents->hashes = mem_resize(parents->hashes, parents->capacity, HASH_SIZE);
    }
    memcpy(parents->hashes[parents->count++], hash, HASH_SIZE);
}

/* An orphan's sender may be gone by now; who sent it is not told again. */
static void add_orphans(struct gossip *g, const uint8_t hash[HASH_SIZE])
{
    struct parents parents = {0};
    parents_push(&parents, hash);
    while (parents.count > 0) {
        uint8_t parent[HASH_SIZE];
        memcpy(parent, parents.hashes[--parents.count], HASH_SIZE);
        struct vn_slice body;
        uint64_t source;
        while (chain_take_orphan(g->chain, parent, &body, &source)) {
            struct reader r = reader_over(vn_slice_data(body), body.len);
            struct block_view view;
            wire_read_block(&r, &view);
            struct peer *peer = source ? net_find(g->net, source) : NULL;
            if (peer && !peer_ready(peer))
                peer = NULL;
            if (add_one(g, peer, &view, body, FROM_GOSSIP, (struct vn_slice){0}) == CHAIN_ACCEPTED)
                parents_push(&parents, view.hash);
            vn_slice_unref(body);
            chain_orphan_done(g->chain);
        }
    }
    mem_free(parents.hashes);
}

enum chain_result blocks_add(struct gossip *g, struct peer *peer, const struct block_view *block,
                             struct vn_slice body, enum block_origin origin, struct vn_slice frame)
{
    enum chain_result result = add_one(g, peer, block, body, origin, frame);
    if (result == CHAIN_ACCEPTED && chain_orphan_count(g->chain) > 0)
        add_orphans(g, block->hash);
    return result;
}

void blocks_relay_tip(struct gossip *g, const struct peer *but)
{
    struct block_view view;
    if (record_ids(g, chain_tip(g->chain), &view))
        relay_block(g, but, &view, (struct vn_slice){0});
}
