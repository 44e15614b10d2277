/* See sync_fetch.h. */
#include "core/gossip/sync_fetch.h"

#include "core/base/mem.h"

#include <assert.h>
#include <string.h>

void fetch_begin(struct gossip *g)
{
    struct sync *sync = &g->sync;
    sync->state = SYNC_FETCHING;
    sync->connect = sync->assign = sync->common + 1;
    memcpy(sync->connect_hash, sync->common_hash, HASH_SIZE);
    sync->own_top = chain_height(g->chain);
    sync->held_bytes = 0;
    sync->fetch = mem_new(1, sizeof *sync->fetch);
    sync->fetch->timer.kind = TIMER_FETCH;
}

static void chunk_drop_payload(struct sync *sync, struct chunk *chunk)
{
    if (chunk->state != CHUNK_HELD)
        return;
    sync->held_bytes -= chunk->payload.len;
    vn_slice_unref(chunk->payload);
    chunk->payload = (struct vn_slice){0};
}

static void chunk_want(struct sync *sync, struct chunk *chunk)
{
    chunk_drop_payload(sync, chunk);
    chunk->state = CHUNK_WANTED;
    chunk->link = chunk->second = 0;
}

void fetch_drop_all(struct gossip *g)
{
    struct sync *sync = &g->sync;
    if (!sync->fetch)
        return;
    timers_disarm(&g->net->timers, &sync->fetch->timer);
    for (uint32_t i = 0; i < SYNC_CHUNKS; i++)
        chunk_drop_payload(sync, &sync->fetch->chunks[i]);
    mem_free(sync->fetch);
    sync->fetch = NULL;
}

void fetch_give_back(struct sync *sync, uint64_t link)
{
    for (uint32_t i = 0; sync->fetch && i < SYNC_CHUNKS; i++) {
        struct chunk *chunk = &sync->fetch->chunks[i];
        if (chunk->state != CHUNK_ASKED)
            continue;
        if (chunk->second == link)
            chunk->second = 0;
        else if (chunk->link == link && chunk->second)
            chunk->link = chunk->second, chunk->second = 0;
        else if (chunk->link == link)
            chunk_want(sync, chunk);
    }
}

uint64_t fetch_held_from(const struct sync *sync, uint64_t link)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; sync->fetch && i < SYNC_CHUNKS; i++) {
        const struct chunk *chunk = &sync->fetch->chunks[i];
        if (chunk->state == CHUNK_HELD && chunk->link == link)
            bytes += chunk->payload.len;
    }
    return bytes;
}

void fetch_too_slow(struct sync *sync, uint64_t link)
{
    sync->span = sync->span > 1 ? sync->span / 2 : 1;
    fetch_give_back(sync, link);
}

/* ---- answers ---- */

/* A late answer to an earlier request may hold more than was asked for when it was repeated. */
static uint32_t asked_of(const struct request *request, uint64_t count)
{
    uint64_t asked = request->end - request->start + 1;
    return (uint32_t)(count < asked ? count : asked);
}

/* What an earlier run asked of a peer may arrive when a later one wants it of another, and cut into
 * other chunks: as good. */
static bool may_bring(const struct sync *sync, const struct chunk *chunk, const struct peer *peer,
                      uint64_t blocks)
{
    if (chunk->state == CHUNK_ASKED && (chunk->link == peer->link || chunk->second == peer->link))
        return true;
    return blocks > 0 && (chunk->state == CHUNK_ASKED || chunk->state == CHUNK_WANTED) &&
           (peer->link == sync->leader || (!chunk->leader_only && !peer->off_chain));
}

/* Holds what an answer from `start` up, of `count` blocks, has of the chunk; an answer to what was
 * asked for that chunk may be empty. */
static void chunk_hold(struct sync *sync, struct chunk *chunk, struct peer *peer, uint64_t start,
                       uint32_t count, const struct msg *msg, struct vn_slice payload)
{
    if (chunk->start < start || chunk->start - start > count ||
        !may_bring(sync, chunk, peer, count - (chunk->start - start)))
        return;
    struct reader r =
        reader_over(msg->u.response_range.blocks.data, msg->u.response_range.blocks.len);
    uint32_t skip = (uint32_t)(chunk->start - start);
    for (uint32_t i = 0; i < skip; i++) {
        struct block_view block;
        wire_read_block(&r, &block);
    }
    uint64_t wanted = chunk->end - chunk->start + 1;
    size_t read = msg->u.response_range.blocks.len - reader_left(&r);
    const uint8_t *first = (const uint8_t *)msg->u.response_range.blocks.data + read;
    chunk->payload = net_frame_of(payload, payload.len);
    chunk->offset = FRAME_HEADER + (uint32_t)(first - vn_slice_data(payload));
    chunk->count = count - skip < wanted ? count - skip : (uint32_t)wanted;
    chunk->link = peer->link;
    chunk->second = 0;
    chunk->state = CHUNK_HELD;
    sync->held_bytes += chunk->payload.len;
}

void sync_on_range(struct gossip *g, struct peer *peer, const struct msg *msg,
                   struct vn_slice payload)
{
    struct sync *sync = &g->sync;
    const struct request *request = &peer->errands->requests[REQUEST_RANGE];
    if (peer->answer_ns > g->net->cfg.response_timeout_ns / 2)
        sync->span = sync->span > 1 ? sync->span / 2 : 1;
    else if (request->abandoned == 0 && peer->answer_ns < g->net->cfg.response_timeout_ns / 4)
        sync->span = sync->span < RANGE_BLOCKS_MAX / 2 ? sync->span * 2 : RANGE_BLOCKS_MAX;
    uint32_t count = asked_of(request, msg->u.response_range.count);
    for (uint32_t i = 0; sync->fetch && i < SYNC_CHUNKS; i++)
        chunk_hold(sync, &sync->fetch->chunks[i], peer, request->start, count, msg, payload);
    sync_run(g);
}

/* ---- into the chain ---- */

enum connected { CONNECTED_ALL, CONNECTED_NOT, CONNECTED_BAD };

/* Puts a held chunk's blocks into the chain, in order, each the child of the one before. Those that
 * went in stay, whatever comes behind them. */
static enum connected connect_blocks(struct gossip *g, struct chunk *chunk, struct peer *source)
{
    struct sync *sync = &g->sync;
    struct vn_slice payload = vn_slice_ref(chunk->payload); /* the chunk may be dropped meanwhile */
    const uint8_t *start = vn_slice_data(payload);
    struct reader r = reader_over(start + chunk->offset, payload.len - chunk->offset);
    enum connected verdict = CONNECTED_ALL;
    const uint8_t *below = sync->connect_hash;
    uint32_t good = 0;
    for (uint32_t i = 0, count = chunk->count; i < count && verdict == CONNECTED_ALL; i++) {
        struct block_view block;
        wire_read_block(&r, &block);
        if (!hash_eq(block.prev_hash, below)) {
            verdict = CONNECTED_NOT;
            break;
        }
        struct vn_slice body = {payload.buf, payload.off + (uint32_t)(block.raw.data - start),
                                (uint32_t)block.raw.len};
        switch (blocks_add(g, source, &block, body, FROM_ANSWER, (struct vn_slice){0})) {
        case CHAIN_ACCEPTED:
        case CHAIN_KNOWN:
            below = block.hash;
            good++;
            break;
        case CHAIN_ORPHAN:
            verdict = CONNECTED_NOT;
            break;
        case CHAIN_AHEAD:
        case CHAIN_INVALID:
            verdict = CONNECTED_BAD;
            break;
        }
    }
    memmove(sync->connect_hash, below, HASH_SIZE);
    sync->connect += good;
    sync->gained += good;
    if (good > 0)
        sync->helper = chunk->link == sync->leader ? 0 : chunk->link;
    chunk->start += good;
    vn_slice_unref(payload);
    return verdict;
}

static struct chunk *chunk_at(struct sync *sync, uint64_t start)
{
    for (uint32_t i = 0; i < SYNC_CHUNKS; i++)
        if (sync->fetch->chunks[i].state != CHUNK_FREE && sync->fetch->chunks[i].start == start)
            return &sync->fetch->chunks[i];
    return NULL;
}

/* All blocks of the chunk are in the chain: frees it, or asks for what the answer left out. */
static void chunk_done(struct gossip *g, struct chunk *chunk, struct peer *source)
{
    struct sync *sync = &g->sync;
    uint32_t count = chunk->count;
    bool leads = chunk->link == sync->leader;
    chunk_want(sync, chunk);
    if (chunk->start > chunk->end)
        chunk->state = CHUNK_FREE;
    if (count > 0)
        return;
    if (source)
        source->best_height = chunk->start - 1; /* it has less than it showed */
    if (leads)
        sync->target = chunk->start - 1;
}

/* The next chunk is here: connects it. False when nothing more can be done now. */
static bool connect_next(struct gossip *g)
{
    struct sync *sync = &g->sync;
    struct chunk *chunk = chunk_at(sync, sync->connect);
    if (!chunk || chunk->state != CHUNK_HELD)
        return false;
    uint64_t link = chunk->link;
    struct peer *source = net_find(g->net, link);
    if (source && !peer_ready(source))
        source = NULL;
    bool bad = false;
    switch (connect_blocks(g, chunk, source)) {
    case CONNECTED_ALL:
        chunk_done(g, chunk, source);
        return true;
    case CONNECTED_NOT:
        if (link == sync->leader) {
            sync_relocate(g);
            return false;
        }
        break;
    case CONNECTED_BAD:
        if (link == sync->leader) {
            sync_abort(g, "the leader sent an invalid block");
            return false;
        }
        bad = true;
        break;
    }
    if (source)
        source->off_chain = true;
    chunk_want(sync, chunk);
    chunk->leader_only |= !bad;
    return true;
}

/* ---- asking ---- */

static void cover(struct sync *sync)
{
    for (uint32_t i = 0; i < SYNC_CHUNKS && sync->assign <= sync->target; i++) {
        struct chunk *chunk = &sync->fetch->chunks[i];
        if (chunk->state != CHUNK_FREE)
            continue;
        uint64_t left = sync->target - sync->assign + 1;
        uint64_t count = left < RANGE_BLOCKS_MAX ? left : RANGE_BLOCKS_MAX;
        *chunk = (struct chunk){.start = sync->assign,
                                .end = sync->assign + count - 1,
                                .state = CHUNK_WANTED,
                                .leader_only = sync->assign <= sync->own_top};
        sync->assign += count;
    }
}

static bool may_ask(const struct gossip *g, const struct peer *peer, const struct chunk *chunk)
{
    const struct request *request = &peer->errands->requests[REQUEST_RANGE];
    if (!peer_ready(peer) || request_open(request))
        return false;
    if (peer->link == g->sync.leader)
        return true;
    return !chunk->leader_only && peer->ahead && !peer->off_chain &&
           peer->link_class == VN_CLASS_PEER && peer->best_height >= chunk->end &&
           request->timeouts < g->net->cfg.probe_retries;
}

static bool asked_before(const struct net *net, const struct peer *a, const struct peer *b)
{
    bool shamed_a = net_on_probation(net, a), shamed_b = net_on_probation(net, b);
    uint32_t late_a = a->errands->requests[REQUEST_RANGE].timeouts;
    uint32_t late_b = b->errands->requests[REQUEST_RANGE].timeouts;
    if (shamed_a != shamed_b)
        return shamed_b;
    return late_a != late_b ? late_a < late_b : a->answer_ns < b->answer_ns;
}

/* Whom to ask: one who is not on probation, with the fewest unanswered requests, then the quickest,
 * then the oldest link. */
static struct peer *choose(const struct gossip *g, const struct chunk *chunk)
{
    struct peer *best = NULL;
    for (struct peer *p = g->net->first; p; p = p->next)
        if (may_ask(g, p, chunk) && (!best || asked_before(g->net, p, best)))
            best = p;
    return best;
}

static struct chunk *lowest_wanted(struct sync *sync)
{
    struct chunk *lowest = NULL;
    for (uint32_t i = 0; i < SYNC_CHUNKS; i++) {
        struct chunk *chunk = &sync->fetch->chunks[i];
        if (chunk->state == CHUNK_WANTED && chunk->start <= sync->target && !chunk->skipped &&
            (!lowest || chunk->start < lowest->start))
            lowest = chunk;
    }
    return lowest;
}

static void request(struct gossip *g, struct peer *peer, const struct chunk *chunk)
{
    const struct sync *sync = &g->sync;
    uint64_t end = chunk->end < sync->target ? chunk->end : sync->target;
    if (end - chunk->start >= sync->span)
        end = chunk->start + sync->span - 1;
    net_request(g->net, peer, REQUEST_RANGE, chunk->start, end);
}

static void ask(struct gossip *g)
{
    struct sync *sync = &g->sync;
    for (uint32_t i = 0; i < SYNC_CHUNKS; i++)
        sync->fetch->chunks[i].skipped = false;
    for (struct chunk *chunk; (chunk = lowest_wanted(sync)) != NULL;) {
        chunk->skipped = true;
        if (sync->held_bytes > SYNC_HELD_MAX && chunk->start != sync->connect)
            return;
        struct peer *peer = choose(g, chunk);
        if (!peer)
            continue;
        chunk->state = CHUNK_ASKED;
        chunk->link = peer->link;
        chunk->asked_ns = g->net->now_ns;
        request(g, peer, chunk);
    }
}

/* Everything waits for the next chunk, and from whoever was asked for it comes nothing, or a
 * trickle. */
static void ask_a_second(struct gossip *g)
{
    struct sync *sync = &g->sync;
    struct timers *timers = &g->net->timers;
    struct chunk *chunk = chunk_at(sync, sync->connect);
    timers_disarm(timers, &sync->fetch->timer);
    if (!chunk || chunk->state != CHUNK_ASKED || chunk->second)
        return;
    struct peer *peer = choose(g, chunk);
    if (!peer)
        return;
    uint64_t due_ns = add_sat(chunk->asked_ns, SYNC_PATIENCE);
    const struct peer *first = net_find(g->net, chunk->link);
    if (g->net->now_ns < due_ns || (first && net_answer_coming(g->net, first, REQUEST_RANGE))) {
        uint64_t later_ns = add_sat(g->net->now_ns, SYNC_PATIENCE);
        timers_arm(timers, &sync->fetch->timer, g->net->now_ns < due_ns ? due_ns : later_ns);
        return;
    }
    chunk->second = peer->link;
    request(g, peer, chunk);
}

void fetch_run(struct gossip *g)
{
    struct sync *sync = &g->sync;
    while (sync->state == SYNC_FETCHING && connect_next(g))
        ;
    if (sync->state != SYNC_FETCHING)
        return;
    if (sync->connect > sync->target) {
        sync_finish(g);
        return;
    }
    cover(sync);
    if (persist_behind(g)) { /* persist.c runs us again */
        timers_disarm(&g->net->timers, &sync->fetch->timer);
        return;
    }
    ask(g);
    ask_a_second(g);
}
