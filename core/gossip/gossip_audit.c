/* See gossip.h and core/base/audit.h. This file: do the books of catching up, of storing and of the
 * node's own timers add up? */
#include "core/gossip/gossip.h"
#include "core/gossip/own.h"
#include "core/gossip/relay.h"

static void audit_seen(const struct seen *seen, struct audit *audit)
{
    audit_at_most(audit, "recent blocks", seen->count, seen->capacity);
    audit_at_most(audit, "room for recent blocks", seen->capacity, SEEN_MAX);
}

/* Who was asked for a chunk is ready, and still expected to answer. */
static void audit_asked(const struct gossip *g, uint64_t link, struct audit *audit)
{
    const struct peer *peer = link ? net_find(g->net, link) : NULL;
    if (audit->what)
        return;
    audit->link = link;
    audit_true(audit, "a chunk is awaited of nobody",
               peer && peer_ready(peer) && request_open(&peer->errands->requests[REQUEST_RANGE]));
}

/* Only for the next chunk a second peer is asked, and only once. A timer that is due is to wake who
 * catches up (persist_mark). */
static void audit_patience(const struct gossip *g, struct audit *audit)
{
    const struct fetch *fetch = g->sync.fetch;
    if (!fetch || !timer_armed(&fetch->timer) || fetch->timer.at_ns <= g->net->now_ns)
        return;
    const struct chunk *next = NULL;
    for (uint32_t i = 0; i < SYNC_CHUNKS; i++)
        if (fetch->chunks[i].state == CHUNK_ASKED && fetch->chunks[i].start == g->sync.connect)
            next = &fetch->chunks[i];
    audit_true(audit, "patience with a chunk that nobody waits for", next && !next->second);
}

static void audit_fetch(const struct gossip *g, struct audit *audit)
{
    const struct sync *sync = &g->sync;
    uint64_t held = 0;
    for (uint32_t i = 0; sync->fetch && i < SYNC_CHUNKS && !audit->what; i++) {
        const struct chunk *chunk = &sync->fetch->chunks[i];
        audit_true(audit, "a chunk has a payload that is not held",
                   (chunk->state == CHUNK_HELD) == (chunk->payload.buf != NULL));
        held += chunk->payload.len;
        if (chunk->state != CHUNK_ASKED)
            continue;
        audit_asked(g, chunk->link, audit);
        if (chunk->second)
            audit_asked(g, chunk->second, audit);
        if (!audit->what)
            audit->link = 0;
    }
    audit_patience(g, audit);
    audit_true(audit, "whether chunks are fetched",
               (sync->state == SYNC_FETCHING) == (sync->fetch != NULL));
    if (sync->fetch)
        audit_equal(audit, "bytes of answers that wait", sync->held_bytes, held);
}

static void audit_sync(const struct gossip *g, struct audit *audit)
{
    const struct peer *leader = net_find(g->net, g->sync.leader);
    audit_fetch(g, audit);
    audit_true(audit, "who leads catching up is gone",
               g->sync.state == SYNC_IDLE || (leader && peer_ready(leader)));
    audit_true(audit, "a branch is held and nobody catches up",
               g->sync.state != SYNC_IDLE || g->branch.count == 0);
}

/* The lowest height that waits to be stored or is under way; VN_NEVER: none. */
static uint64_t audit_undurable(const struct gossip *g)
{
    uint64_t height = g->store_from;
    for (uint32_t i = 0; i < g->store_count; i++)
        height = g->stores[i].from < height ? g->stores[i].from : height;
    return height;
}

static void audit_store(const struct gossip *g, struct audit *audit)
{
    unstored_audit(&g->unstored, audit);
    unstored_audit(&g->branch, audit);
    audit_at_most(audit, "the first block that may not be durable", audit_undurable(g),
                  g->unstored.count > 0 ? g->unstored.first : VN_NEVER);
    audit_true(audit, "a branch is held that has won",
               g->branch.count == 0 ||
                   !chain_on_best(g->chain, chain_find(g->chain, g->branch_hash)));
    audit_at_most(audit, "batches under way", g->store_count, STORES_MAX);
    audit_true(audit, "bans are awaited of no disk", g->store_count > 0 || !g->bans_pending);
}

static void audit_timers(const struct gossip *g, struct audit *audit, uint32_t others)
{
    const struct timer *own[] = {&g->mine_timer, &g->sync_timer, &g->expire_timer, &g->store_timer};
    uint32_t armed = others + (g->sync.fetch && timer_armed(&g->sync.fetch->timer));
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        armed += timer_armed(own[i]);
    audit_equal(audit, "armed timers", g->net->timers.count, armed);
    const bool mines = g->mine_interval_ns > 0 && !g->loading;
    audit_true(audit, "who does not mine is woken for it", mines || !timer_armed(&g->mine_timer));
    audit_true(audit, "who mines is woken by nobody",
               !mines || timer_armed(&g->mine_timer) || g->mine_interval_ns > VN_NEVER / 64);
    audit_true(audit, "transactions are pooled and never expire",
               mempool_empty(g->pool) || timer_armed(&g->expire_timer) ||
                   add_sat(g->net->now_ns, TX_EXPIRE_CHECK_NS) == VN_NEVER);
}

void gossip_audit(const struct gossip *g, struct audit *audit, uint32_t others)
{
    chain_audit(g->chain, audit);
    mempool_audit(g->pool, audit);
    audit_seen(&g->heard, audit);
    audit_seen(&g->told, audit);
    audit_at_most(audit, "own transactions", g->own_count, g->own_capacity);
    audit_at_most(audit, "room for own transactions", g->own_capacity, OWN_MAX);
    audit_sync(g, audit);
    audit_store(g, audit);
    audit_timers(g, audit, others);
}
