/* What survives a restart, through STORE and LOAD alone: the best chain, addresses, bans.
 *
 * At the start everything is loaded and checked like news from a stranger; only then the node goes
 * online, so a disk that cannot be read keeps it off, and is asked again. While running, changes of
 * the best chain gather during a step and leave as one atomic batch; at most PENDING_MAX batches
 * are under way, so that a slow disk makes batches larger instead of queues longer. A failed batch
 * is tried again after a pause: the node goes on, and loses at most what was never acknowledged.
 *
 * Bans run by the node's own time; the store has their ends by the wall clock, and is told again
 * when that is set. */
#include "core/gossip/gossip.h"
#include "core/peer/dialer.h"

#include <string.h>

#define PENDING_MAX   4u
#define RETRY_NS      UINT64_C(1000000000)
#define LOAD_BYTES    (UINT64_C(4) << 20)
#define ADDR_KEY_SIZE 19u
#define BAN_KEY_SIZE  32u

/* At most so much is left of a ban whose record does not tell when it was said. */
#define BAN_MAX_NS (UINT64_C(31536000) * 1000000000)

/* A jump of the wall clock from which on the times in the store are put right. */
#define CLOCK_JUMP_NS (UINT64_C(60) * 1000000000)

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

/* What is left of a ban that was said at wall time `said` to end at `until`. A clock that went back
 * since then does not make it longer than it was; one that went far ahead cannot be told from a
 * node that was off for long, and ends it. */
static uint64_t ban_left_ns(uint64_t said, uint64_t until, uint64_t wall_ns)
{
    uint64_t from = wall_ns > said ? wall_ns : said;
    return until > from ? until - from : 0;
}

static bool load_ban(struct gossip *g, struct vn_slice slice)
{
    const uint8_t *record = vn_slice_data(slice);
    struct net *net = g->net;
    if (slice.len != 8 + BAN_KEY_SIZE && slice.len != 8 + BAN_KEY_SIZE + 8)
        return false;
    uint64_t until = get_be64(record);
    uint64_t said = until > BAN_MAX_NS ? until - BAN_MAX_NS : 0;
    if (slice.len == 8 + BAN_KEY_SIZE + 8)
        said = get_be64(record + 8 + BAN_KEY_SIZE);
    uint64_t left_ns = ban_left_ns(said, until, net_wall_ns(net));
    if (left_ns == 0) { /* over: who never comes back would stay for ever */
        net_store_ban(net, record + 8);
        return true;
    }
    struct reputation *rep = scores_get(&net->scores, record + 8);
    if (rep && rep->banned_until_ns == 0) {
        net->shamed = true;
        score_set_ban(&net->scores, rep, add_sat(net->now_ns, left_ns), net->now_ns);
    }
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
        return load_ban(g, slice);
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

/* ---- bans ---- */

/* A batch leaves: remembers whose bans it tells of. */
static void bans_note(struct gossip *g, const struct vn_store_item *items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (items[i].op != VN_STORE_BAN)
            continue;
        if (g->bans_pending_count == g->bans_pending_capacity) {
            g->bans_pending_capacity = g->bans_pending_capacity ? g->bans_pending_capacity * 2 : 4;
            g->bans_pending =
                mem_resize(g->bans_pending, g->bans_pending_capacity, sizeof *g->bans_pending);
        }
        memcpy(g->bans_pending[g->bans_pending_count++], items[i].key, BAN_KEY_SIZE);
    }
}

static void bans_forget(struct gossip *g)
{
    mem_free(g->bans_pending);
    g->bans_pending = NULL;
    g->bans_pending_count = g->bans_pending_capacity = 0;
}

/* A failed batch is not kept; what it may have told of bans, imposed or lifted, is told again as it
 * stands now. Addresses come again by themselves. */
static void bans_tell_again(struct gossip *g)
{
    for (uint32_t i = 0; i < g->bans_pending_count; i++)
        net_store_ban(g->net, g->bans_pending[i]);
    bans_forget(g);
}

void persist_on_clock(struct gossip *g, uint64_t was_ns)
{
    uint64_t is_ns = net_wall_ns(g->net);
    uint64_t jump_ns = is_ns > was_ns ? is_ns - was_ns : was_ns - is_ns;
    if (g->loading || jump_ns < CLOCK_JUMP_NS || g->net->scores.bans == 0)
        return;
    for (const struct reputation *rep = g->net->scores.first; rep; rep = rep->next)
        if (rep->banned_until_ns != 0)
            net_store_ban(g->net, rep->key);
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
        bans_forget(g);
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
    bans_note(g, net->store_items, net->store_count);
    net->store_items = NULL;
    net->store_count = net->store_capacity = 0;
    g->store_pending++;
}
