/* What survives a restart, through STORE and LOAD alone: the best chain, addresses, bans.
 *
 * At the start everything is loaded and checked like news from a stranger; only then the node goes
 * online, so a disk that cannot be read keeps it off, and is asked again. While running, changes of
 * the best chain gather during a step and leave as one atomic batch; at most PENDING_MAX batches
 * are under way, so that a slow disk makes batches larger instead of queues longer. A failed batch
 * is tried again after a pause: the node goes on, and loses at most what was never acknowledged. */
#include "core/gossip/bans.h"
#include "core/gossip/gossip.h"
#include "core/peer/dialer.h"

#include <string.h>

#define PENDING_MAX   4u
#define RETRY_NS      UINT64_C(1000000000)
#define LOAD_BYTES    (UINT64_C(4) << 20)
#define ADDR_KEY_SIZE 19u

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

static bool load_addr(struct gossip *g, struct vn_slice slice)
{
    const uint8_t *key = vn_slice_data(slice);
    if (slice.len < ADDR_KEY_SIZE)
        return false;
    struct vn_addr addr = {.family = key[0], .port = get_le16(key + 17)};
    memcpy(addr.ip, key + 1, sizeof addr.ip);
    net_addr_add(g->net, &addr, false);
    return true;
}

static bool load_one(struct gossip *g, struct vn_slice slice)
{
    switch ((enum vn_load_op)g->load_stage) {
    case VN_LOAD_BLOCKS:
        return load_block(g, slice);
    case VN_LOAD_ADDRS:
        return load_addr(g, slice);
    case VN_LOAD_BANS:
        bans_load(g, slice);
        return true;
    }
    return false;
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

/* Puts the heights from store_from into the next batch. Bodies that have left memory can only be
 * missing at the bottom: of a reorganisation deeper than cached_blocks, or of a failed batch that
 * is tried again. */
static void gather_blocks(struct gossip *g)
{
    uint64_t tip = chain_height(g->chain);
    for (uint64_t height = g->store_from; height <= tip; height++) {
        const struct block_record *record = chain_at(g->chain, height);
        struct vn_slice body = chain_body(g->chain, record);
        if (body.buf)
            net_store(g->net, VN_STORE_BLOCK, record->hash, HASH_SIZE, height, vn_slice_ref(body));
    }
    if (g->store_from < g->store_pending_from)
        g->store_pending_from = g->store_from;
    g->store_from = VN_NEVER;
}

void persist_mark(struct gossip *g, uint64_t height)
{
    if (height < g->store_from)
        g->store_from = height;
    /* The next block may push the lowest of them out of memory: hold them from now on. */
    if (!g->loading && chain_height(g->chain) - g->store_from + 1 >= g->net->cfg.cached_blocks)
        gather_blocks(g);
}

void persist_on_stored(struct gossip *g, uint32_t status)
{
    if (g->store_pending == 0)
        return;
    g->store_pending--;
    if (status != VN_OK) {
        if (g->store_pending_from != VN_NEVER)
            persist_mark(g, g->store_pending_from);
        bans_tell_again(g);
        timers_arm(&g->net->timers, &g->store_timer, add_sat(g->net->now_ns, RETRY_NS));
    }
    if (g->store_pending == 0) {
        g->store_pending_from = VN_NEVER;
        bans_durable(g);
    }
}

void persist_flush(struct gossip *g)
{
    struct net *net = g->net;
    bool blocks = g->store_from != VN_NEVER;
    if ((!blocks && net->store_count == 0) || g->loading || g->store_pending >= PENDING_MAX ||
        timer_armed(&g->store_timer))
        return;
    if (blocks)
        gather_blocks(g);
    if (net->store_count == 0)
        return;
    struct action_entry *action = net_push_action(net, VN_ACT_STORE, net->next_token++);
    action->items = net->store_items;
    action->item_count = net->store_count;
    bans_leave(g, net->store_items, net->store_count);
    net->store_items = NULL;
    net->store_count = net->store_capacity = 0;
    g->store_pending++;
}
