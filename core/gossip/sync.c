/* See sync.h. This file: when to catch up, with whom, and from where (IDLE and LOCATING). */
#include "core/gossip/gossip.h"
#include "core/gossip/sync_fetch.h"

#include <string.h>

#define RELOCATE_MAX 3u

/* A leader's turn is that many times two waits for a response long at most, and in each of those it
 * must bring a full range, if another could lead. */
#define TURNS_MAX 5u

void sync_init(struct sync *sync)
{
    *sync = (struct sync){.state = SYNC_IDLE, .span = RANGE_BLOCKS_MAX};
}

void sync_deinit(struct gossip *g)
{
    fetch_drop_all(g);
}

static void tell(struct gossip *g, uint64_t link, const char *what, uint64_t a, uint64_t b)
{
    net_trace(g->net,
              &(struct vn_trace){.kind = VN_TR_SYNC, .link = link, .text = what, .a = a, .b = b});
}

/* ---- asking for the newest ---- */

void sync_ask_tip(struct gossip *g, struct peer *peer)
{
    if (!peer_ready(peer) || request_open(&peer->errands->requests[REQUEST_BLOCK]))
        return;
    peer->asked_tip = true;
    net_request(g->net, peer, REQUEST_BLOCK, HEIGHT_NEWEST, HEIGHT_NEWEST);
}

/* ---- starting ---- */

static void locate(struct gossip *g)
{
    struct sync *sync = &g->sync;
    uint64_t above = chain_height(g->chain) + 1;
    sync->state = SYNC_LOCATING;
    sync->common = 0;
    memcpy(sync->common_hash, chain_genesis(g->chain)->hash, HASH_SIZE);
    sync->uncommon = sync->target < above ? sync->target : above;
    sync->step = 1;
    sync->helper = 0;
}

static void start(struct gossip *g, struct peer *leader, uint64_t target)
{
    struct sync *sync = &g->sync;
    sync->leader = leader->link;
    sync->target = target;
    sync->relocated = 0;
    sync->started_at = chain_height(g->chain);
    sync->started_ns = leader->led_ns = g->net->now_ns;
    sync->gained = 0;
    tell(g, leader->link, "behind", sync->started_at, sync->target);
    locate(g);
    sync_run(g);
}

static bool leads_before(const struct net *net, const struct peer *a, const struct peer *b)
{
    bool shamed_a = net_on_probation(net, a), shamed_b = net_on_probation(net, b);
    if (shamed_a != shamed_b)
        return shamed_b;
    return a->led_ns != b->led_ns ? a->led_ns < b->led_ns : a->best_height > b->best_height;
}

/* Of the ready peers that claim more than we have the one that has not led for longest, so that no
 * claim, however high, comes first for ever; of those the one that claims most, then the first.
 * Those on probation come last. */
static struct peer *best_leader(struct gossip *g)
{
    struct peer *best = NULL;
    for (struct peer *p = g->net->first; p; p = p->next)
        if (peer_ready(p) && !p->off_chain && p->best_height > chain_height(g->chain) &&
            (!best || leads_before(g->net, p, best)))
            best = p;
    return best;
}

bool sync_beneath(const struct gossip *g, const struct block_view *block)
{
    uint64_t tip = chain_height(g->chain);
    return block->height < tip && tip - block->height >= SYNC_DEPTH &&
           !chain_find(g->chain, block->hash);
}

void sync_shown(struct gossip *g, struct peer *peer, const struct block_view *block,
                enum chain_result result)
{
    if (peer->closed || result == CHAIN_INVALID || result == CHAIN_AHEAD)
        return;
    if (block->height > peer->best_height)
        peer->best_height = block->height;
    peer->ahead = result == CHAIN_ORPHAN || chain_is_orphan(g->chain, block->hash);
    if (peer->ahead && g->sync.state == SYNC_IDLE && !peer->off_chain)
        start(g, peer, block->height);
}

/* ---- ending ---- */

void sync_finish(struct gossip *g)
{
    struct sync *sync = &g->sync;
    const struct peer *leader = net_find(g->net, sync->leader);
    fetch_drop_all(g);
    persist_branch_drop(g);
    sync->state = SYNC_IDLE;
    tell(g, sync->leader, "done", chain_height(g->chain), sync->target);
    if (chain_height(g->chain) > sync->started_at)
        blocks_relay_tip(g, leader);
    for (struct peer *p = g->net->first; p; p = p->next)
        p->ahead = p->ahead && p->best_height > chain_height(g->chain);
    struct peer *next = best_leader(g);
    if (next)
        start(g, next, next->best_height);
}

void sync_abort(struct gossip *g, const char *why)
{
    struct sync *sync = &g->sync;
    struct peer *leader = net_find(g->net, sync->leader);
    if (leader)
        leader->off_chain = true;
    tell(g, sync->leader, why, chain_height(g->chain), sync->target);
    sync_finish(g);
}

void sync_relocate(struct gossip *g)
{
    fetch_drop_all(g);
    struct peer *helper = g->sync.helper ? net_find(g->net, g->sync.helper) : NULL;
    if (helper && !helper->off_chain)
        helper->off_chain = true; /* what came before was not of the leader's chain */
    else
        g->sync.relocated++;
    if (g->sync.relocated > RELOCATE_MAX)
        sync_abort(g, "the leader's blocks do not connect");
    else
        locate(g);
}

/* ---- looking again ---- */

/* Has the leader had its turn? A slow one may be honest, so it loses nothing but the lead; what it
 * gave stays in the index, and a later run finds it there. */
static bool turn_is_over(const struct gossip *g)
{
    const struct sync *sync = &g->sync;
    uint64_t turns = (g->net->now_ns - sync->started_ns) / g->net->cfg.response_timeout_ns / 2;
    return turns >= TURNS_MAX || sync->gained / RANGE_BLOCKS_MAX < turns;
}

/* A run that was given up is due again, and one that makes no way gives place to another. */
static void look_again(struct gossip *g)
{
    struct sync *sync = &g->sync;
    struct peer *next = best_leader(g);
    if (!next)
        return;
    if (sync->state == SYNC_IDLE) {
        start(g, next, next->best_height);
    } else if (next->link != sync->leader && turn_is_over(g)) {
        tell(g, next->link, "another leads", chain_height(g->chain), sync->target);
        sync_finish(g); /* begins with that one */
    }
}

void sync_on_timer(struct gossip *g)
{
    struct net *net = g->net;
    uint64_t half = net->cfg.sync_interval_ns / 2;
    uint64_t wait = half + rng_below(&g->sync_rng, net->cfg.sync_interval_ns);
    timers_arm(&net->timers, &g->sync_timer, add_sat(net->now_ns, wait));
    uint32_t ready = 0;
    for (struct peer *p = net->first; p; p = p->next) {
        p->off_chain = false;
        ready += peer_ready(p);
    }
    look_again(g);
    if (ready == 0)
        return;
    uint64_t chosen = rng_below(&g->sync_rng, ready);
    for (struct peer *p = net->first; p; p = p->next)
        if (peer_ready(p) && chosen-- == 0) {
            sync_ask_tip(g, p);
            return;
        }
}

/* ---- locating ---- */

static void probe(struct gossip *g, struct peer *leader)
{
    struct sync *sync = &g->sync;
    if (sync->uncommon - sync->common <= 1) {
        fetch_begin(g);
        return;
    }
    if (request_open(&leader->errands->requests[REQUEST_BLOCK]))
        return;
    uint64_t height = sync->common + (sync->uncommon - sync->common) / 2;
    if (sync->step && sync->uncommon > sync->common + sync->step)
        height = sync->uncommon - sync->step;
    leader->asked_tip = false;
    net_request(g->net, leader, REQUEST_BLOCK, height, height);
}

void sync_on_block(struct gossip *g, struct peer *peer, const struct block_view *block)
{
    struct sync *sync = &g->sync;
    uint64_t height = peer->errands->requests[REQUEST_BLOCK].start;
    if (sync->state != SYNC_LOCATING || peer->link != sync->leader || height <= sync->common ||
        height >= sync->uncommon)
        return;
    if (block && chain_find(g->chain, block->hash)) {
        sync->common = height;
        memcpy(sync->common_hash, block->hash, HASH_SIZE);
        sync->step = 0;
    } else {
        sync->uncommon = height;
        sync->step *= 2;
    }
}

/* One move of the machine; true if it may move again at once. */
static bool advance(struct gossip *g)
{
    struct sync *sync = &g->sync;
    struct peer *leader = net_find(g->net, sync->leader);
    if (!leader || !peer_ready(leader)) {
        sync_abort(g, "the leader left");
        return false;
    }
    if (sync->state == SYNC_LOCATING)
        probe(g, leader);
    if (sync->state == SYNC_FETCHING)
        fetch_run(g);
    /* The leader's chain moved while we fetched: look again where it leaves ours. */
    return sync->state == SYNC_LOCATING && !request_open(&leader->errands->requests[REQUEST_BLOCK]);
}

void sync_run(struct gossip *g)
{
    while (g->sync.state != SYNC_IDLE && advance(g))
        ;
}

/* ---- what goes wrong ---- */

void sync_on_timeout(struct gossip *g, struct peer *peer, enum request_kind kind)
{
    if (kind == REQUEST_RANGE)
        fetch_too_slow(&g->sync, peer->link);
    if (peer->link_class == VN_CLASS_FEELER) {
        net_close(g->net, peer, VN_WHY_TIMEOUT);
        return;
    }
    bool leads = g->sync.state != SYNC_IDLE && peer->link == g->sync.leader;
    if (leads && peer->errands->requests[kind].timeouts >= g->net->cfg.probe_retries)
        sync_abort(g, "the leader does not answer");
    else
        sync_run(g);
}

void sync_on_gone(struct gossip *g, struct peer *peer)
{
    fetch_give_back(&g->sync, peer->link);
    if (g->sync.state != SYNC_IDLE)
        sync_run(g);
}
