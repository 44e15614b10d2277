/* What survives a restart, through STORE and LOAD alone: the best chain, addresses, bans.
 *
 * At the start everything is loaded and checked like news from a stranger; only then the node goes
 * online, so a disk that cannot be read keeps it off, and is asked again. While running, changes of
 * the best chain gather during a step and leave as one atomic batch; at most STORES_MAX batches are
 * under way, so that a slow disk makes batches larger instead of queues longer. A failed batch is
 * tried again after a pause: the node goes on, and loses at most what was never acknowledged.
 *
 * What is not durable is held here (unstored.h), so that it can be written whenever the disk comes
 * back. Catching up stops while too much is held (persist_behind); what comes by itself, a block
 * an interval, is still taken. */
#include "core/chain/keep.h"
#include "core/gossip/bans.h"
#include "core/gossip/gossip.h"
#include "core/peer/anchors.h"
#include "core/peer/dialer.h"

#include <string.h>

#define RETRY_NS      UINT64_C(1000000000)
#define LOAD_BYTES    (UINT64_C(4) << 20)
#define ADDR_KEY_SIZE 19u

/* What may be held before catching up stops, and of a branch that may win: four times the default
 * of cached_blocks, and what sync.h holds of answers. */
#define HELD_BLOCKS_MAX 4096u
#define HELD_BYTES_MAX  SYNC_HELD_MAX

/* ---- what is not durable ---- */

/* A body that has left the chain's memory: of a branch that we were catching up with. */
static struct vn_slice branch_body(const struct gossip *g, const struct block_record *record)
{
    struct vn_slice body = unstored_at(&g->branch, record->height);
    struct reader r = reader_over(vn_slice_data(body), body.len);
    struct block_view view;
    wire_read_block(&r, &view);
    return r.ok && hash_eq(view.hash, record->hash) ? body : (struct vn_slice){0};
}

/* Holds the best chain's bodies from `height` up. What cannot be had is missing at the bottom, of a
 * reorganisation deeper than cached_blocks and HELD_BYTES_MAX: then older blocks stay in the store
 * below the rest, and the next start reads as far as they connect and catches up. */
static void hold(struct gossip *g, uint64_t height)
{
    uint64_t tip = chain_height(g->chain);
    unstored_cut(&g->unstored, height);
    for (; height <= tip; height++) {
        const struct block_record *record = chain_at(g->chain, height);
        struct vn_slice body = chain_body(g->chain, record);
        if (!body.buf)
            body = branch_body(g, record);
        uint64_t end = unstored_end(&g->unstored);
        if (body.buf && (end == 0 || end == height))
            unstored_push(&g->unstored, height, vn_slice_ref(body));
    }
}

void persist_mark(struct gossip *g, uint64_t height)
{
    const bool behind = persist_behind(g);
    if (height < g->store_from)
        g->store_from = height;
    if (!g->loading) /* what is mined meanwhile may give way to what is read */
        hold(g, height);
    if (behind && !persist_behind(g) && g->sync.fetch) /* a lighter branch won: no disk will tell */
        timers_arm(&g->net->timers, &g->sync.fetch->timer, g->net->now_ns);
    if (g->branch.count > 0 && chain_on_best(g->chain, chain_find(g->chain, g->branch_hash)))
        unstored_clear(&g->branch); /* it has won */
}

void persist_branch(struct gossip *g, const struct block_record *block, struct vn_slice body)
{
    struct unstored *branch = &g->branch;
    if (branch->count == 0 || !hash_eq(block->prev_hash, g->branch_hash)) {
        unstored_clear(branch);
        if (!chain_on_best(g->chain, chain_find(g->chain, block->prev_hash)))
            return;
    }
    if (branch->bytes + body.len > HELD_BYTES_MAX) {
        unstored_clear(branch);
        return;
    }
    struct vn_slice cached = chain_body(g->chain, block);
    unstored_push(branch, block->height, cached.buf ? vn_slice_ref(cached) : keep_slice(body));
    memcpy(g->branch_hash, block->hash, HASH_SIZE);
}

void persist_branch_drop(struct gossip *g)
{
    unstored_clear(&g->branch);
}

bool persist_behind(const struct gossip *g)
{
    return g->unstored.count > HELD_BLOCKS_MAX || g->unstored.bytes > HELD_BYTES_MAX;
}

/* Lets go of what is durable: all below what waits or is under way. */
static void release(struct gossip *g)
{
    uint64_t height = g->store_from;
    for (uint32_t i = 0; i < g->store_count; i++)
        if (g->stores[i].from < height)
            height = g->stores[i].from;
    unstored_release(&g->unstored, height);
}

/* Puts what is held from store_from up into the next batch. */
static void gather_blocks(struct gossip *g)
{
    const struct unstored *held = &g->unstored;
    uint64_t height = g->store_from > held->first ? g->store_from : held->first;
    for (; height < unstored_end(held); height++)
        net_store(g->net, VN_STORE_BLOCK, chain_at(g->chain, height)->hash, HASH_SIZE, height,
                  vn_slice_ref(unstored_at(held, height)));
    g->store_from = VN_NEVER;
}

/* ---- loading ---- */

static void load_more(struct gossip *g, enum vn_load_op op, uint64_t from)
{
    g->load_stage = op;
    g->load_next = from;
    g->load_token = g->net->next_token++;
    struct action_entry *action = net_push_action(g->net, VN_ACT_LOAD, g->load_token);
    action->why = op;
    action->from = from;
    action->to = UINT64_MAX;
    action->max_bytes = LOAD_BYTES;
}

void persist_start(struct gossip *g)
{
    load_more(g, VN_LOAD_BLOCKS, 1);
}

static bool load_block(struct gossip *g, struct vn_slice slice)
{
    struct block_view view;
    struct reader r = reader_over(vn_slice_data(slice), slice.len);
    wire_read_block(&r, &view);
    if (!r.ok || reader_left(&r) != 0)
        return false;
    enum chain_result result = blocks_add(g, NULL, &view, slice, FROM_DISK, (struct vn_slice){0});
    return result == CHAIN_ACCEPTED || result == CHAIN_KNOWN;
}

/* One that makes no sense is passed over. */
static void load_addr(struct gossip *g, struct vn_slice slice)
{
    static const uint8_t zeros[12];
    const uint8_t *key = vn_slice_data(slice);
    if (slice.len < ADDR_KEY_SIZE || (key[0] == VN_AF_IPV4 && memcmp(key + 5, zeros, 12) != 0))
        return;
    struct vn_addr addr = {.family = key[0], .port = get_le16(key + 17)};
    memcpy(addr.ip, key + 1, sizeof addr.ip);
    struct addr_entry *entry = net_addr_add(g->net, &addr, false);
    if (entry && slice.len > ADDR_KEY_SIZE + 8 && key[ADDR_KEY_SIZE + 8] == 1)
        anchors_on_loaded(g->net, entry);
}

/* False where what follows makes no sense without this one. */
static bool load_one(struct gossip *g, struct vn_slice slice)
{
    switch ((enum vn_load_op)g->load_stage) {
    case VN_LOAD_BLOCKS:
        return load_block(g, slice);
    case VN_LOAD_ADDRS:
        load_addr(g, slice);
        break;
    case VN_LOAD_BANS:
        bans_load(g, slice);
        break;
    }
    return true;
}

static void load_next_stage(struct gossip *g)
{
    switch ((enum vn_load_op)g->load_stage) {
    case VN_LOAD_BLOCKS:
        load_more(g, VN_LOAD_ADDRS, 0);
        return;
    case VN_LOAD_ADDRS:
        load_more(g, VN_LOAD_BANS, 0);
        return;
    case VN_LOAD_BANS:
        break;
    }
    g->loading = false;
    g->load_token = 0;
    if (g->store_from != VN_NEVER)
        hold(g, g->store_from);
    dialer_start(g->net);
    miner_start(g, g->mine_interval_ns);
    sync_on_timer(g);
}

void persist_on_loaded(struct gossip *g, const struct vn_event *event)
{
    if (!g->loading || g->load_token == 0 || event->u.loaded.token != g->load_token)
        return;
    if (event->u.loaded.status != VN_OK) {
        /* What cannot be read now is still there: going on without it would write over it. */
        g->load_token = 0;
        timers_arm(&g->net->timers, &g->store_timer, add_sat(g->net->now_ns, RETRY_NS));
        return;
    }
    uint32_t count = event->u.loaded.count;
    bool good = count > 0;
    for (uint32_t i = 0; i < count && good; i++)
        good = load_one(g, event->u.loaded.slices[i]);
    if (good)
        load_more(g, (enum vn_load_op)g->load_stage, g->load_next + count);
    else
        load_next_stage(g);
}

void persist_on_timer(struct gossip *g)
{
    if (g->loading && g->load_token == 0)
        load_more(g, (enum vn_load_op)g->load_stage, g->load_next);
    /* Otherwise a failed batch is due again: persist_flush runs at the end of the step. */
}

/* ---- storing ---- */

static bool batch_take(struct gossip *g, uint64_t token, struct store_batch *out)
{
    for (uint32_t i = 0; i < g->store_count; i++) {
        if (g->stores[i].token != token)
            continue;
        *out = g->stores[i];
        g->stores[i] = g->stores[--g->store_count];
        return true;
    }
    return false;
}

void persist_on_stored(struct gossip *g, const struct vn_event *event)
{
    struct store_batch batch;
    if (!batch_take(g, event->u.stored.token, &batch))
        return;
    bool behind = persist_behind(g);
    if (event->u.stored.status != VN_OK) {
        if (batch.from < g->store_from)
            g->store_from = batch.from;
        bans_tell_again(g);
        timers_arm(&g->net->timers, &g->store_timer, add_sat(g->net->now_ns, RETRY_NS));
    }
    if (g->store_count == 0)
        bans_durable(g);
    release(g);
    if (behind && !persist_behind(g))
        sync_run(g);
}

void persist_flush(struct gossip *g)
{
    struct net *net = g->net;
    uint64_t from = g->store_from;
    if ((from == VN_NEVER && net->store_count == 0) || g->loading || g->store_count >= STORES_MAX ||
        timer_armed(&g->store_timer))
        return;
    if (from != VN_NEVER)
        gather_blocks(g);
    if (net->store_count == 0)
        return;
    struct action_entry *action = net_push_action(net, VN_ACT_STORE, net->next_token++);
    action->items = net->store_items;
    action->item_count = net->store_count;
    bans_leave(g, net->store_items, net->store_count);
    net->store_items = NULL;
    net->store_count = net->store_capacity = 0;
    g->stores[g->store_count++] = (struct store_batch){action->link, from};
}
