/* Sharing records among chains: invisible to behaviour, and nothing outlives its holders. */
#include "tests/unit/chain_world.h"

#define CHAINS 4u

/* What a chain shows of one chain_add, as hashes and numbers. */
struct sight {
    uint32_t result, rule, block, tip_changed, disconnected_count;
    uint64_t fork_height, height, orphans;
    uint8_t tip[32], newest_gone[32], oldest_gone[32];
    uint8_t bodies[256];
};

static void look(struct sight *sight, const struct chain *chain, const struct chain_added *added,
                 const struct tree *tree)
{
    memset(sight, 0, sizeof *sight);
    sight->result = added->result;
    sight->rule = added->rule;
    sight->block = added->block != NULL;
    sight->tip_changed = added->tip_changed;
    sight->disconnected_count = added->disconnected_count;
    sight->fork_height = added->fork_height;
    sight->height = chain_height(chain);
    sight->orphans = chain_orphan_count(chain);
    memcpy(sight->tip, chain_tip(chain)->hash, 32);
    if (added->disconnected_count > 0) {
        memcpy(sight->newest_gone, added->disconnected[0]->hash, 32);
        memcpy(sight->oldest_gone, added->disconnected[added->disconnected_count - 1]->hash, 32);
    }
    for (uint32_t i = 0; i < tree->count; i++) {
        const struct block_record *record = chain_find(chain, tree_hash(tree, i));
        sight->bodies[i] = record ? 1 + (chain_body(chain, record).len > 0) : 0;
    }
}

/* Valid blocks on random parents, twins, forgeries and blocks ahead of the clock. */
static void grow_mixed(struct tree *tree, uint32_t count, struct rng *rng)
{
    bool valid[256] = {true};
    uint8_t ids[4 * 32];
    for (uint32_t i = 0; i < 4; i++)
        fixture_hash(ids + 32 * i, "id", i);
    while (tree->count < count) {
        uint32_t back = (uint32_t)rng_below(rng, 12);
        back = back < 6 ? back : 0;
        uint32_t parent = tree->count - 1 - (back < tree->count ? back : 0);
        while (!valid[parent])
            parent--;
        uint32_t i = tree_put(tree, parent,
                              fixture_child_ids(&world_params, tree->blocks[parent], tree->count,
                                                ids, 4 * (uint32_t)rng_below(rng, 2)));
        valid[i] = true;
        struct draft draft;
        draft_from(&draft, tree->blocks[i]);
        uint64_t kind = rng_below(rng, 6);
        uint8_t pairs[64];
        if (kind == 0) {
            draft.view.total_difficulty++;
        } else if (kind == 1) {
            draft.view.timestamp = WORLD_NOW + 7201;
            draft_solve(&draft, world_params.difficulty, true);
        } else if (kind == 2 && draft.view.tx_count == 4) {
            sha256(pairs, ids, 64);
            sha256(pairs + 32, ids + 64, 64);
            draft.view.tx_ids = pairs;
            draft.view.tx_count = 2;
        } else {
            continue;
        }
        if (tree->count < count)
            tree_put(tree, parent, draft_write(&draft));
    }
}

/* Chains that share a cache, each beside one that is alone with its own, all fed in their own
 * order. */
static void test_sharing_changes_no_behaviour(void **state)
{
    (void)state;
    struct tree tree;
    struct rng rng = fixture_rng("sharing");
    const struct chain_limits limits = {
        .cached_blocks = 9, .orphans_max = 12, .orphan_bytes_max = 1 << 16};
    tree_init(&tree);
    grow_mixed(&tree, 160, &rng);

    struct chain_cache *shared = chain_cache_new(), *own[CHAINS];
    struct chain *with[CHAINS], *without[CHAINS];
    uint32_t seen[CHAIN_INVALID + 1] = {0}, reorganised = 0;
    for (uint32_t c = 0; c < CHAINS; c++) {
        own[c] = chain_cache_new();
        with[c] = chain_new(&world_params, &limits, 1, shared);
        without[c] = chain_new(&world_params, &limits, 99, own[c]);
    }
    for (uint32_t step = 0; step < 6000; step++) {
        uint32_t c = (uint32_t)rng_below(&rng, CHAINS);
        uint64_t ahead = rng_below(&rng, 25);
        uint32_t i = (uint32_t)(rng_below(&rng, 8 + step / 30) + ahead) % tree.count;
        struct sight a, b;
        struct chain_added added = feed(with[c], &tree, i);
        seen[added.result]++;
        reorganised += added.disconnected_count > 0;
        look(&a, with[c], &added, &tree);
        added = feed(without[c], &tree, i);
        look(&b, without[c], &added, &tree);
        assert_memory_equal(&a, &b, sizeof a);
        if (added.result == CHAIN_ACCEPTED)
            assert_int_equal(adopt(with[c], tree_hash(&tree, i)),
                             adopt(without[c], tree_hash(&tree, i)));
    }
    for (uint32_t result = 0; result <= CHAIN_INVALID; result++)
        assert_true(seen[result] > 20);
    assert_true(reorganised > 0);
    for (uint32_t c = 0; c < CHAINS; c++) {
        assert_true(chain_height(with[c]) > limits.cached_blocks);
        chain_free(with[c]);
        chain_free(without[c]);
        assert_int_equal(cache_count(own[c]), 0);
        chain_cache_free(own[c]);
    }
    assert_int_equal(cache_count(shared), 0);
    chain_cache_free(shared);
    tree_deinit(&tree);
}

static void test_chains_of_one_cache_hold_one_record(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, &world_limits);
    tree_line(&w.tree, 0, 10);
    struct chain *other = chain_new(&world_params, &world_limits, 5, w.cache);
    for (uint32_t i = 1; i <= 10; i++) {
        struct block_record *record = feed(w.chain, &w.tree, i).block;
        struct vn_buf *copy = vn_buf_new(224); /* the same bytes elsewhere */
        memcpy(copy->data, w.tree.blocks[i]->data, 224);
        assert_ptr_equal(feed_body(other, fixture_whole(copy), WORLD_NOW).block, record);
        assert_int_equal(copy->refs, 1);
        vn_buf_unref(copy);
        assert_int_equal(record->refs, 2);
        assert_int_equal(record->body_users, 2);
    }
    assert_int_equal(cache_count(w.cache), 11);
    chain_free(other);
    for (uint64_t height = 0; height <= 10; height++) {
        assert_int_equal(chain_at(w.chain, height)->refs, 1);
        assert_int_equal(chain_at(w.chain, height)->body_users, 1);
    }
    world_deinit(&w);
}

static void test_a_body_stays_while_one_chain_wants_it(void **state)
{
    (void)state;
    struct world w;
    const struct chain_limits limits = {.cached_blocks = 3};
    world_init(&w, &limits);
    tree_line(&w.tree, 0, 10);
    struct chain *late = chain_new(&world_params, &limits, 5, w.cache);
    feed(late, &w.tree, 1);
    for (uint32_t i = 1; i <= 10; i++)
        feed(w.chain, &w.tree, i);
    assert_int_equal(chain_body(w.chain, chain_at(w.chain, 1)).len, 0);
    assert_int_equal(chain_body(late, chain_at(late, 1)).len, 224);
    assert_int_equal(w.tree.blocks[1]->refs, 2);
    assert_int_equal(w.tree.blocks[2]->refs, 1);

    /* The late one meets records without bodies: they are found by digest, and whole again. */
    for (uint32_t i = 2; i <= 10; i++) {
        struct chain_added added = feed(late, &w.tree, i);
        assert_ptr_equal(added.block, chain_at(w.chain, i));
        assert_int_equal(chain_body(late, added.block).len, 224);
        assert_int_equal(chain_body(w.chain, added.block).len, i > 7 ? 224 : 0);
    }
    assert_int_equal(cache_count(w.cache), 11);
    chain_free(late);
    world_deinit(&w);
}

/* Two chains whose genesis blocks share a hash: what holds in one is refused in the other. */
static void test_a_verdict_counts_for_its_own_genesis_alone(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, &world_limits);
    const struct chain_params harder = {.genesis_timestamp = FIXTURE_TIME, .difficulty = 5};
    struct chain *other = chain_new(&harder, &world_limits, 5, w.cache);
    assert_memory_equal(chain_tip(other)->hash, chain_tip(w.chain)->hash, 32);
    uint32_t last = tree_line(&w.tree, 0, 2);
    assert_int_equal(feed(w.chain, &w.tree, last).result, CHAIN_ORPHAN);
    for (uint32_t i = 1; i <= last; i++) {
        feed_adopting(w.chain, &w.tree, i);
        struct chain_added added = feed(other, &w.tree, i);
        assert_int_equal(added.result, CHAIN_INVALID);
        assert_int_equal(added.rule, RULE_B6_DIFFICULTY);
    }
    struct vn_buf *hard_genesis = rule_genesis(&harder);
    struct vn_buf *hard = fixture_child(&harder, hard_genesis, 1);
    assert_int_equal(feed_body(other, fixture_whole(hard), WORLD_NOW).result, CHAIN_ACCEPTED);
    struct chain_added added = feed_body(w.chain, fixture_whole(hard), WORLD_NOW);
    assert_int_equal(added.result, CHAIN_INVALID);
    assert_int_equal(added.rule, RULE_B6_DIFFICULTY);
    chain_free(other);
    vn_buf_unref(hard);
    vn_buf_unref(hard_genesis);
    world_deinit(&w);
}

/* What one clock admits another may not. */
static void test_a_shared_record_is_held_against_each_chains_clock(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, &world_limits);
    struct chain *slow = chain_new(&world_params, &world_limits, 5, w.cache);
    uint32_t block = tree_grow(&w.tree, 0);
    struct vn_slice body = fixture_whole(w.tree.blocks[block]);
    assert_int_equal(feed(w.chain, &w.tree, block).result, CHAIN_ACCEPTED);
    struct chain_added added = feed_body(slow, body, FIXTURE_TIME + 1 - 7201);
    assert_int_equal(added.result, CHAIN_AHEAD);
    assert_int_equal(added.rule, RULE_B3_TIMESTAMP_AHEAD);
    added = feed_body(slow, body, FIXTURE_TIME + 1 - 7200);
    assert_int_equal(added.result, CHAIN_ACCEPTED);
    chain_free(slow);
    world_deinit(&w);
}

static void test_an_orphan_of_one_chain_is_found_by_another(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, &world_limits);
    tree_line(&w.tree, 0, 2);
    struct chain *other = chain_new(&world_params, &world_limits, 5, w.cache);
    feed(w.chain, &w.tree, 2);
    feed(other, &w.tree, 1);
    struct block_record *record = feed(other, &w.tree, 2).block;
    assert_int_equal(record->refs, 2);
    chain_free(other);
    assert_int_equal(record->refs, 1);
    assert_int_equal(chain_orphan_count(w.chain), 1);
    feed_adopting(w.chain, &w.tree, 1);
    assert_ptr_equal(chain_tip(w.chain), record);
    world_deinit(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sharing_changes_no_behaviour),
        cmocka_unit_test(test_chains_of_one_cache_hold_one_record),
        cmocka_unit_test(test_a_body_stays_while_one_chain_wants_it),
        cmocka_unit_test(test_a_verdict_counts_for_its_own_genesis_alone),
        cmocka_unit_test(test_a_shared_record_is_held_against_each_chains_clock),
        cmocka_unit_test(test_an_orphan_of_one_chain_is_found_by_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
