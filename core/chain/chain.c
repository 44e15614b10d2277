/* The block index and fork choice of one node.
 *
 * The happy path: a block comes, extends the tip, and becomes its record in three places: the index
 * by hash, the best chain by height, and the window that knows which bodies this node keeps. A
 * block that many nodes of a process receive is checked in full by the first; the others find its
 * record and look at the clock. Failure modes: a broken rule, named; an unknown parent (orphans.h).
 *
 * With one difficulty for all blocks the best chain grows by exactly one height whenever it changes
 * (a block's parent was not above the tip), so heights never fall and a body that has left the
 * window is never wanted again. */
#include "core/chain/chain.h"

#include "core/base/mem.h"
#include "core/chain/cache.h"
#include "core/chain/mine.h"
#include "core/chain/orphans.h"
#include "core/chain/window.h"

#include <assert.h>

#define CAPACITY_MIN 8u

struct chain {
    struct chain_params params;
    struct chain_limits limits;
    struct chain_cache *cache;
    struct block_record *genesis; /* in none of the three below */
    struct block_record *tip;
    struct idmap index;
    struct block_record **best; /* heights from 1 */
    uint64_t best_capacity;
    struct window window;
    struct orphans *orphans;    /* NULL while there are none */
    struct block_record *taken; /* an orphan, between chain_take_orphan and chain_orphan_done */
    struct block_record **disconnected;
    uint64_t seed;
};

/* ---- life ----------------------------------------------------------------------------------- */

static struct block_record *take_genesis(struct chain *chain)
{
    struct vn_buf *buf = rule_genesis(&chain->params);
    struct vn_slice body = {.buf = buf, .off = 0, .len = buf->len};
    struct reader reader = reader_over(buf->data, buf->len);
    struct block_view view;
    wire_read_block(&reader, &view);
    assert(reader.ok);
    struct block_record *record = cache_take(chain->cache, &view, body);
    if (cache_realm(record) == 0)
        cache_set_realm(record, cache_new_realm(chain->cache));
    vn_buf_unref(buf);
    return record;
}

struct chain *chain_new(const struct chain_params *params, const struct chain_limits *limits,
                        uint64_t seed, struct chain_cache *cache)
{
    assert(params->difficulty >= 1);
    struct chain *chain = mem_new(1, sizeof *chain);
    chain->params = *params;
    chain->limits = *limits;
    chain->cache = cache;
    chain->seed = seed;
    chain->genesis = take_genesis(chain);
    chain->tip = chain->genesis;
    idmap_init(&chain->index, offsetof(struct block_record, hash), seed);
    return chain;
}

void chain_free(struct chain *chain)
{
    if (!chain)
        return;
    assert(!chain->taken);
    orphans_free(chain->orphans, chain->cache);
    for (uint32_t i = 0; i < chain->window.count; i++) {
        if (i < chain->window.bodies)
            cache_give_back(chain->cache, chain->window.records[i]);
        else
            cache_unref(chain->cache, chain->window.records[i]);
    }
    window_deinit(&chain->window);
    idmap_deinit(&chain->index);
    cache_give_back(chain->cache, chain->genesis);
    mem_free(chain->best);
    mem_free(chain->disconnected);
    mem_free(chain);
}

/* ---- looking in ----------------------------------------------------------------------------- */

const struct block_record *chain_tip(const struct chain *chain)
{
    return chain->tip;
}

const struct block_record *chain_genesis(const struct chain *chain)
{
    return chain->genesis;
}

uint64_t chain_height(const struct chain *chain)
{
    return chain->tip->height;
}

struct block_record *chain_at(const struct chain *chain, uint64_t height)
{
    if (height > chain->tip->height)
        return NULL;
    return height == 0 ? chain->genesis : chain->best[height - 1];
}

struct block_record *chain_find(const struct chain *chain, const uint8_t hash[32])
{
    if (hash_eq(hash, chain->genesis->hash))
        return chain->genesis;
    return idmap_get(&chain->index, hash);
}

bool chain_on_best(const struct chain *chain, const struct block_record *block)
{
    return chain_at(chain, block->height) == block;
}

/* Whether this node keeps the bodies of that height, whatever others keep. */
static bool in_window(const struct chain *chain, uint64_t height)
{
    return height == 0 || chain->tip->height - height < chain->limits.cached_blocks;
}

struct vn_slice chain_body(const struct chain *chain, const struct block_record *block)
{
    return in_window(chain, block->height) ? block->body : (struct vn_slice){0};
}

bool chain_is_body(const struct chain *chain, const struct block_record *block,
                   const struct block_view *bytes)
{
    return cache_find(chain->cache, bytes) == block;
}

size_t chain_bytes(const struct chain *chain)
{
    return sizeof *chain + idmap_bytes(&chain->index) + chain->best_capacity * sizeof *chain->best +
           chain->window.capacity * sizeof *chain->window.records + orphans_bytes(chain->orphans);
}

/* ---- orphans -------------------------------------------------------------------------------- */

static void keep_orphan(struct chain *chain, const struct block_view *block, struct vn_slice body,
                        uint64_t source)
{
    if (!chain->orphans)
        chain->orphans = orphans_new(chain->seed);
    if (orphans_make_room(chain->orphans, &chain->limits, body.len, chain->cache))
        orphans_add(chain->orphans, cache_take(chain->cache, block, body), source);
}

static void free_empty_orphans(struct chain *chain)
{
    if (orphans_count(chain->orphans) > 0)
        return;
    orphans_free(chain->orphans, chain->cache);
    chain->orphans = NULL;
}

bool chain_take_orphan(struct chain *chain, const uint8_t hash[32], struct vn_slice *body,
                       uint64_t *source)
{
    assert(!chain->taken);
    chain->taken = orphans_take(chain->orphans, hash, source);
    if (!chain->taken)
        return false;
    *body = vn_slice_ref(chain->taken->body);
    return true;
}

void chain_orphan_done(struct chain *chain)
{
    cache_give_back(chain->cache, chain->taken);
    chain->taken = NULL;
    free_empty_orphans(chain);
}

uint32_t chain_orphan_count(const struct chain *chain)
{
    return orphans_count(chain->orphans);
}

const struct block_record *chain_orphan_at(const struct chain *chain, uint32_t index,
                                           uint64_t *source)
{
    return orphans_at(chain->orphans, index, source);
}

uint64_t chain_orphan_bytes_from(const struct chain *chain, uint64_t source)
{
    return orphans_bytes_from(chain->orphans, source);
}

bool chain_is_orphan(const struct chain *chain, const uint8_t hash[32])
{
    return orphans_find(chain->orphans, hash) != NULL;
}

/* ---- the best chain ------------------------------------------------------------------------- */

static void reserve_best(struct chain *chain, uint64_t heights)
{
    if (heights <= chain->best_capacity)
        return;
    chain->best_capacity = chain->best_capacity ? chain->best_capacity * 2 : CAPACITY_MIN;
    assert(heights <= chain->best_capacity);
    chain->best = mem_resize(chain->best, chain->best_capacity, sizeof *chain->best);
}

/* Makes `record` the tip and tells in *out what left the best chain. */
static void connect(struct chain *chain, struct block_record *record, struct chain_added *out)
{
    struct block_record *fork = chain_find(chain, record->prev_hash);
    while (!chain_on_best(chain, fork))
        fork = chain_find(chain, fork->prev_hash);

    uint64_t old_height = chain->tip->height;
    out->tip_changed = true;
    out->fork_height = fork->height;
    out->disconnected_count = (uint32_t)(old_height - fork->height);
    if (out->disconnected_count > 0) {
        chain->disconnected = mem_new(out->disconnected_count, sizeof *chain->disconnected);
        for (uint32_t i = 0; i < out->disconnected_count; i++)
            chain->disconnected[i] = chain_at(chain, old_height - i);
        out->disconnected = chain->disconnected;
    }
    reserve_best(chain, record->height);
    for (struct block_record *r = record; r != fork; r = chain_find(chain, r->prev_hash))
        chain->best[r->height - 1] = r;
    chain->tip = record;
}

/* Drops the bodies that the window has left behind. */
static void advance_window(struct chain *chain)
{
    uint64_t height = chain->tip->height;
    if (height < chain->limits.cached_blocks)
        return;
    struct block_record *left;
    while ((left = window_drop(&chain->window, height - chain->limits.cached_blocks)))
        cache_drop_body(left);
}

static void accept(struct chain *chain, const struct block_view *block, struct vn_slice body,
                   struct chain_added *out)
{
    struct block_record *record = cache_take(chain->cache, block, body);
    cache_set_realm(record, cache_realm(chain->genesis));
    idmap_put(&chain->index, record);
    if (record->total_difficulty > chain->tip->total_difficulty)
        connect(chain, record, out);
    bool keep = in_window(chain, record->height);
    window_add(&chain->window, record, keep);
    if (!keep)
        cache_drop_body(record);
    advance_window(chain);
    out->result = CHAIN_ACCEPTED;
    out->block = record;
}

/* ---- a block comes -------------------------------------------------------------------------- */

static struct parent_view view_of(const struct block_record *record)
{
    return (struct parent_view){
        .height = record->height,
        .timestamp = record->timestamp,
        .poh_seq = record->poh_seq,
        .total_difficulty = record->total_difficulty,
        .hash = record->hash,
    };
}

/* B1..B10 against the parent in the index, or one among the orphans, or the one that the block's
 * height implies. The clock matters only where the block could be accepted now. `record` is the
 * record of the same bytes, if any chain holds them. */
static enum rule judge(const struct chain *chain, const struct block_view *block,
                       const struct block_record *parent, const struct block_record *record,
                       uint64_t now_s)
{
    if (record && cache_realm(record) == cache_realm(chain->genesis))
        return block->timestamp > add_sat(now_s, CLOCK_AHEAD_MAX_S) ? RULE_B3_TIMESTAMP_AHEAD
                                                                    : RULE_OK;
    if (!parent)
        parent = orphans_find(chain->orphans, block->prev_hash);
    struct parent_view view = parent ? view_of(parent) : rule_implied_parent(block, &chain->params);
    return rule_check_block(block, &view, &chain->params, now_s, record ? RULE_OK : -1);
}

static void refuse(struct chain_added *out, enum rule rule)
{
    out->rule = rule;
    out->result = rule == RULE_B3_TIMESTAMP_AHEAD ? CHAIN_AHEAD : CHAIN_INVALID;
}

static void add_block(struct chain *chain, const struct block_view *block, struct vn_slice body,
                      uint64_t now_s, uint64_t source, struct chain_added *out)
{
    struct block_record *record = cache_find(chain->cache, block);
    struct block_record *known = chain_find(chain, block->hash);
    struct block_record *orphan = orphans_find(chain->orphans, block->hash);
    out->result = CHAIN_KNOWN;
    out->block = known;
    if (record && (record == known || record == orphan))
        return;
    out->block = NULL;
    if (block->height == 0) {
        refuse(out, RULE_B0_GENESIS);
        return;
    }
    const struct block_record *parent = chain_find(chain, block->prev_hash);
    bool acceptable = parent && !known && !orphan;
    enum rule rule = judge(chain, block, parent, record, acceptable ? now_s : UINT64_MAX);
    if (rule != RULE_OK) {
        refuse(out, rule);
    } else if (known || orphan) {
        out->block = known; /* a twin: the form seen first stays */
    } else if (parent) {
        accept(chain, block, body, out);
    } else {
        keep_orphan(chain, block, body, source);
        out->result = CHAIN_ORPHAN;
    }
}

void chain_add(struct chain *chain, const struct block_view *block, struct vn_slice body,
               uint64_t now_s, uint64_t source, struct chain_added *out)
{
    assert(body.len == block->raw.len && vn_slice_data(body) == block->raw.data);
    mem_free(chain->disconnected);
    chain->disconnected = NULL;
    *out = (struct chain_added){0};
    add_block(chain, block, body, now_s, source, out);
    free_empty_orphans(chain); /* one may have been too large to be kept */
}

struct vn_buf *chain_mine(const struct chain *chain, const uint8_t *ids, uint32_t tx_count,
                          const uint8_t state_root[32], uint64_t timestamp_s, uint64_t start_nonce,
                          uint64_t tries)
{
    struct parent_view parent = view_of(chain->tip);
    struct mine_work work = {
        .ids = ids,
        .tx_count = tx_count,
        .state_root = state_root,
        .timestamp_s = timestamp_s,
        .start_nonce = start_nonce,
        .tries = tries,
    };
    return mine_child(&chain->params, &parent, &work);
}

/* ---- audits --------------------------------------------------------------------------------- */

static void best_audit(const struct chain *chain, struct audit *audit)
{
    const struct block_record *below = chain->genesis;
    for (uint64_t height = 1; height <= chain->tip->height && !audit->what; height++) {
        const struct block_record *record = chain_at(chain, height);
        audit_equal(audit, "the height of a block of the best chain", record->height, height);
        audit_true(audit, "a block of the best chain and its parent",
                   hash_eq(record->prev_hash, below->hash));
        below = record;
    }
    audit_true(audit, "the tip ends the best chain", chain->tip == below);
}

void chain_audit(const struct chain *chain, struct audit *audit)
{
    const struct window *window = &chain->window;
    audit_true(audit, "an orphan that was taken waits to be added", !chain->taken);
    best_audit(chain, audit);
    for (uint32_t i = 0; i < window->count && !audit->what; i++) {
        const struct block_record *record = window->records[i];
        const bool held = i < window->bodies;
        const struct block_record *before = window->records[i > 0 ? (i - 1) / 2 : 0];
        audit_equal(audit, "whether a body is held", held, in_window(chain, record->height));
        audit_true(audit, "a body that is held is gone", !held || record->body.buf);
        audit_true(audit, "a lower body behind a higher one",
                   !held || record->height >= before->height);
        audit_true(audit, "the way to a block", chain_find(chain, record->hash) == record);
        audit_true(audit, "a block has more work than the tip",
                   record->total_difficulty <= chain->tip->total_difficulty);
    }
    idmap_audit(&chain->index, audit, window->count);
    orphans_audit(chain->orphans, &chain->limits, audit);
}
