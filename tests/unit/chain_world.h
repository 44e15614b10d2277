/* A chain under test and the blocks to feed it, on top of chain_fixture.h. */
#ifndef CHAIN_WORLD_H
#define CHAIN_WORLD_H

#include "tests/unit/chain_fixture.h"

#include "core/chain/cache.h"
#include "core/chain/chain.h"

#define WORLD_NOW (FIXTURE_TIME + UINT64_C(1000000))

static const struct chain_params world_params = {
    .genesis_timestamp = FIXTURE_TIME,
    .difficulty = 4,
};
static const struct chain_limits world_limits = {
    .cached_blocks = 1000,
    .orphans_max = 100,
    .orphan_bytes_max = 1 << 20,
};

/* Blocks by number; 0 is the genesis. Each is held by one reference of ours. */
struct tree {
    struct vn_buf *blocks[256];
    uint32_t parents[256];
    uint32_t count;
};

static inline void tree_init(struct tree *tree)
{
    *tree = (struct tree){.count = 1};
    tree->blocks[0] = rule_genesis(&world_params);
}

/* Nothing else may still hold a block: every chain and cache is gone by now. */
static inline void tree_deinit(struct tree *tree)
{
    for (uint32_t i = 0; i < tree->count; i++) {
        assert_int_equal(tree->blocks[i]->refs, 1);
        vn_buf_unref(tree->blocks[i]);
    }
}

static inline uint32_t tree_put(struct tree *tree, uint32_t parent, struct vn_buf *block)
{
    assert_true(tree->count < 256);
    tree->parents[tree->count] = parent;
    tree->blocks[tree->count] = block;
    return tree->count++;
}

static inline uint32_t tree_grow(struct tree *tree, uint32_t parent)
{
    return tree_put(tree, parent, fixture_child(&world_params, tree->blocks[parent], tree->count));
}

/* n blocks on `parent`, one after the other; returns the last. */
static inline uint32_t tree_line(struct tree *tree, uint32_t parent, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        parent = tree_grow(tree, parent);
    return parent;
}

static inline struct block_view tree_view(const struct tree *tree, uint32_t i)
{
    return fixture_view(fixture_whole(tree->blocks[i]));
}

static inline const uint8_t *tree_hash(const struct tree *tree, uint32_t i)
{
    return tree_view(tree, i).hash;
}

static inline struct chain_added feed_body(struct chain *chain, struct vn_slice body, uint64_t now)
{
    struct block_view view = fixture_view(body);
    struct chain_added added;
    chain_add(chain, &view, body, now, 7, &added);
    return added;
}

static inline struct chain_added feed(struct chain *chain, const struct tree *tree, uint32_t i)
{
    return feed_body(chain, fixture_whole(tree->blocks[i]), WORLD_NOW);
}

/* Adds the orphans that waited for `hash`, and those that waited for them: a stack of bodies, since
 * chain_take_orphan gives children in order of arrival. Returns how many were accepted. */
static inline uint32_t adopt(struct chain *chain, const uint8_t hash[32])
{
    uint32_t accepted = 0;
    struct vn_slice body;
    uint64_t source;
    while (chain_take_orphan(chain, hash, &body, &source)) {
        struct block_view view = fixture_view(body);
        struct chain_added added;
        chain_add(chain, &view, body, WORLD_NOW, source, &added);
        chain_orphan_done(chain);
        if (added.result == CHAIN_ACCEPTED)
            accepted += 1 + adopt(chain, view.hash);
        vn_slice_unref(body);
    }
    return accepted;
}

/* The result of the block itself; what it disconnected is not valid any more. */
static inline struct chain_added feed_adopting(struct chain *chain, const struct tree *tree,
                                               uint32_t i)
{
    struct chain_added added = feed(chain, tree, i);
    if (added.result == CHAIN_ACCEPTED)
        adopt(chain, tree_hash(tree, i));
    added.disconnected = NULL;
    return added;
}

/* A chain with a cache of its own. */
struct world {
    struct tree tree;
    struct chain_cache *cache;
    struct chain *chain;
};

static inline void world_init(struct world *w, const struct chain_limits *limits)
{
    tree_init(&w->tree);
    w->cache = chain_cache_new();
    w->chain = chain_new(&world_params, limits, 1, w->cache);
}

static inline void world_deinit(struct world *w)
{
    chain_free(w->chain);
    assert_int_equal(cache_count(w->cache), 0);
    chain_cache_free(w->cache);
    tree_deinit(&w->tree);
}

#endif
