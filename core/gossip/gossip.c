/* See gossip.h. This file: birth and death, and what happens to links. */
#include "core/gossip/gossip.h"

#include "core/crypto/sha256.h"
#include "core/gossip/bans.h"
#include "core/gossip/own.h"
#include "core/gossip/relay.h"

#include <string.h>

void gossip_init(struct gossip *g, struct net *net, struct chain_cache *cache, struct tx_book *book)
{
    const struct vn_config *cfg = &net->cfg;
    *g = (struct gossip){.net = net,
                         .mine_interval_ns = cfg->mine_interval_ns,
                         .store_from = VN_NEVER,
                         .loading = true};
    struct rng salt;
    rng_fork(&salt, cfg->seed, "gossip-salt", 0);
    rng_fork(&g->mine_rng, cfg->seed, "mine", 0);
    rng_fork(&g->sync_rng, cfg->seed, "sync", 0);
    const struct chain_params params = {cfg->genesis_timestamp, cfg->difficulty};
    const struct chain_limits limits = {cfg->cached_blocks, cfg->orphans_max,
                                        cfg->orphan_bytes_max};
    g->chain = chain_new(&params, &limits, rng_u64(&salt), cache);
    const struct mempool_limits pool = {.max = cfg->mempool_max,
                                        .bytes_max = cfg->mempool_bytes_max,
                                        .per_sender = cfg->mempool_per_sender,
                                        .slots = net->slot_count};
    g->pool = mempool_new(&pool, rng_u64(&salt), book);
    seen_init(&g->heard, net->slot_count);
    seen_init(&g->told, net->slot_count);
    sync_init(&g->sync);
    g->mine_timer.kind = TIMER_MINE;
    g->sync_timer.kind = TIMER_SYNC;
    g->expire_timer.kind = TIMER_EXPIRE;
    g->store_timer.kind = TIMER_STORE;
    sha256(g->state_root, cfg->node_id, strlen(cfg->node_id));
}

void gossip_deinit(struct gossip *g)
{
    sync_deinit(g);
    own_deinit(g);
    bans_durable(g);
    unstored_clear(&g->unstored);
    unstored_clear(&g->branch);
    seen_deinit(&g->heard);
    seen_deinit(&g->told);
    mempool_free(g->pool);
    chain_free(g->chain);
}

void gossip_on_ready(struct gossip *g, struct peer *peer)
{
    if (peer->slot != NO_SLOT) {
        mempool_reset_slot(g->pool, peer->slot);
        seen_reset_slot(&g->heard, peer->slot);
        seen_reset_slot(&g->told, peer->slot);
    }
    sync_ask_tip(g, peer);
    own_announce(g, peer);
}

void gossip_on_gone(struct gossip *g, struct peer *peer)
{
    peer->served_count = 0;
    sync_on_gone(g, peer);
}

void gossip_on_timeouts(struct gossip *g, struct peer *peer, uint32_t kinds)
{
    for (uint32_t kind = 0; kind < REQUEST_KINDS && !peer->closed; kind++)
        if (kinds & 1u << kind)
            sync_on_timeout(g, peer, (enum request_kind)kind);
    if (!peer->closed && peer->served_count > 0) { /* it may have waited for tokens */
        serve_run(g, peer);
        net_update_reading(g->net, peer);
    }
}

void gossip_on_timer(struct gossip *g, enum timer_kind kind)
{
    switch (kind) {
    case TIMER_SYNC:
        sync_on_timer(g);
        break;
    case TIMER_MINE:
        miner_on_timer(g);
        break;
    case TIMER_EXPIRE:
        mempool_expire(g->pool, net_wall_s(g->net));
        if (!mempool_empty(g->pool))
            timers_arm(&g->net->timers, &g->expire_timer,
                       add_sat(g->net->now_ns, TX_EXPIRE_CHECK_NS));
        break;
    case TIMER_STORE:
        persist_on_timer(g);
        break;
    case TIMER_FETCH:
        sync_run(g);
        break;
    case TIMER_PEER:
    case TIMER_DIAL:
    case TIMER_FEELER:
    case TIMER_KINDS:
        break;
    }
}
