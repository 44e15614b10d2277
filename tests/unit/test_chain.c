/* The index, fork choice and body window of one chain. */
#include "tests/unit/chain_world.h"

static void assert_tip(const struct world *w, uint32_t block)
{
    assert_memory_equal(chain_tip(w->chain)->hash, tree_hash(&w->tree, block), 32);
}

static void test_a_new_chain_is_small_and_has_its_genesis(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, &world_limits);
    assert_int_equal(chain_height(w.chain), 0);
    assert_tip(&w, 0);
    assert_ptr_equal(chain_at(w.chain, 0), chain_genesis(w.chain));
    assert_null(chain_at(w.chain, 1));
    assert_true(chain_bytes(w.chain) < 300);
    struct vn_slice body = chain_body(w.chain, chain_genesis(w.chain));
    assert_int_equal(body.len, BLOCK_SIZE_MIN);
    assert_memory_equal(vn_slice_data(body), w.tree.blocks[0]->data, body.len);
    world_deinit(&w);
}

static void test_blocks_extend_the_tip_and_are_known_then(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, &world_limits);
    for (uint64_t height = 1; height <= 40; height++) {
        uint32_t block = tree_grow(&w.tree, (uint32_t)height - 1);
        struct chain_added added = feed(w.chain, &w.tree, block);
        assert_int_equal(added.result, CHAIN_ACCEPTED);
        assert_true(added.tip_changed);
        assert_int_equal(added.fork_height, height - 1);
        assert_int_equal(added.disconnected_count, 0);
        assert_tip(&w, block);
        assert_ptr_equal(chain_at(w.chain, height), added.block);
        assert_ptr_equal(chain_find(w.chain, tree_hash(&w.tree, block)), added.block);
        added = feed(w.chain, &w.tree, block);
        assert_int_equal(added.result, CHAIN_KNOWN);
        assert_false(added.tip_changed);
        assert_ptr_equal(chain_at(w.chain, height), added.block);
    }
    world_deinit(&w);
}

static void test_the_genesis_is_known_and_another_is_refused(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, &world_limits);
    struct chain_added added = feed(w.chain, &w.tree, 0);
    assert_int_equal(added.result, CHAIN_KNOWN);
    assert_ptr_equal(added.block, chain_genesis(w.chain));

    const struct chain_params others[] = {
        {.genesis_timestamp = FIXTURE_TIME + 1, .difficulty = world_params.difficulty},
        {.genesis_timestamp = FIXTURE_TIME, .difficulty = world_params.difficulty + 1},
    };
    for (uint32_t i = 0; i < 2; i++) { /* the second has the same hash */
        struct vn_buf *other = rule_genesis(&others[i]);
        added = feed_body(w.chain, fixture_whole(other), WORLD_NOW);
        assert_int_equal(added.result, CHAIN_INVALID);
        assert_int_equal(added.rule, RULE_B0_GENESIS);
        assert_null(added.block);
        vn_buf_unref(other);
    }
    world_deinit(&w);
}

static void test_on_a_tie_the_first_seen_stays(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, &world_limits);
    uint32_t first = tree_line(&w.tree, 0, 2);
    uint32_t second = tree_line(&w.tree, 0, 2);
    for (uint32_t i = 1; i <= first; i++)
        feed(w.chain, &w.tree, i);
    for (uint32_t i = first + 1; i <= second; i++) {
        struct chain_added added = feed(w.chain, &w.tree, i);
        assert_int_equal(added.result, CHAIN_ACCEPTED);
        assert_false(added.tip_changed);
        assert_false(chain_on_best(w.chain, added.block));
    }
    assert_tip(&w, first);
    world_deinit(&w);
}

static void test_a_heavier_branch_takes_over_newest_block_first(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, &world_limits);
    uint32_t fork = tree_line(&w.tree, 0, 3);
    uint32_t old_tip = tree_line(&w.tree, fork, 3);
    uint32_t new_tip = tree_line(&w.tree, fork, 4);
    struct chain_added added = {0};
    for (uint32_t i = 1; i <= new_tip; i++) {
        assert_false(added.disconnected_count);
        added = feed(w.chain, &w.tree, i);
        assert_int_equal(added.result, CHAIN_ACCEPTED);
    }
    assert_true(added.tip_changed);
    assert_int_equal(added.fork_height, 3);
    assert_int_equal(added.disconnected_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_memory_equal(added.disconnected[i]->hash, tree_hash(&w.tree, old_tip - i), 32);
        assert_false(chain_on_best(w.chain, added.disconnected[i]));
    }
    assert_tip(&w, new_tip);
    for (uint32_t i = 0; i < 4; i++) {
        struct block_record *record = chain_at(w.chain, 4 + i);
        assert_memory_equal(record->hash, tree_hash(&w.tree, old_tip + 1 + i), 32);
        assert_true(chain_on_best(w.chain, record));
    }
    assert_memory_equal(chain_at(w.chain, 3)->hash, tree_hash(&w.tree, fork), 32);

    /* And back, when the old branch grows by two. */
    uint32_t back = tree_grow(&w.tree, old_tip);
    assert_false(feed(w.chain, &w.tree, back).tip_changed);
    back = tree_grow(&w.tree, back);
    added = feed(w.chain, &w.tree, back);
    assert_true(added.tip_changed);
    assert_int_equal(added.disconnected_count, 4);
    assert_memory_equal(added.disconnected[0]->hash, tree_hash(&w.tree, new_tip), 32);
    assert_memory_equal(chain_at(w.chain, 6)->hash, tree_hash(&w.tree, old_tip), 32);
    world_deinit(&w);
}

static void test_a_block_ahead_of_the_clock_is_dropped_and_welcome_later(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, &world_limits);
    uint32_t block = tree_grow(&w.tree, 0);
    struct vn_slice body = fixture_whole(w.tree.blocks[block]);
    uint64_t timestamp = fixture_view(body).timestamp;
    struct chain_added added = feed_body(w.chain, body, timestamp - 7201);
    assert_int_equal(added.result, CHAIN_AHEAD);
    assert_int_equal(added.rule, RULE_B3_TIMESTAMP_AHEAD);
    assert_null(chain_find(w.chain, tree_hash(&w.tree, block)));
    added = feed_body(w.chain, body, timestamp - 7200);
    assert_int_equal(added.result, CHAIN_ACCEPTED);
    world_deinit(&w);
}

static void test_an_invalid_block_leaves_nothing(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, &world_limits);
    uint32_t block = tree_grow(&w.tree, 0);
    struct draft draft;
    draft_from(&draft, w.tree.blocks[block]);
    draft.poh_hash[0] ^= 1;
    struct vn_buf *bad = draft_write(&draft);
    struct chain_added added = feed_body(w.chain, fixture_whole(bad), WORLD_NOW);
    assert_int_equal(added.result, CHAIN_INVALID);
    assert_int_equal(added.rule, RULE_B10_POH_HASH);
    assert_int_equal(cache_count(w.cache), 1);
    assert_int_equal(bad->refs, 1);
    vn_buf_unref(bad);
    world_deinit(&w);
}

/* A copy with the hash of a block that we have, but other fields, is no duplicate. */
static void test_a_forged_copy_of_a_known_block_is_invalid(void **state)
{
    (void)state;
    struct world w;
    const struct chain_limits limits = {.cached_blocks = 1, .orphans_max = 100};
    world_init(&w, &limits);
    tree_line(&w.tree, 0, 3);
    for (uint32_t i = 1; i <= 3; i++)
        feed(w.chain, &w.tree, i);
    for (uint32_t i = 1; i <= 3; i++) { /* with and without its body in memory */
        struct draft draft;
        draft_from(&draft, w.tree.blocks[i]);
        draft.view.poh_seq = UINT64_MAX;
        struct vn_buf *forged = draft_write(&draft);
        struct chain_added added = feed_body(w.chain, fixture_whole(forged), WORLD_NOW);
        assert_int_equal(added.result, CHAIN_INVALID);
        assert_int_equal(added.rule, RULE_B10_POH_SEQ);
        vn_buf_unref(forged);
        assert_int_equal(feed(w.chain, &w.tree, i).result, CHAIN_KNOWN);
    }
    world_deinit(&w);
}

/* PROTOCOL-0.1 section 9, issue 10. */
static struct vn_buf *twin_of(struct vn_buf *block)
{
    struct draft draft;
    draft_from(&draft, block);
    uint8_t pairs[64];
    sha256(pairs, draft.view.tx_ids, 64);
    sha256(pairs + 32, draft.view.tx_ids + 64, 64);
    draft.view.tx_ids = pairs;
    draft.view.tx_count = 2;
    return draft_write(&draft);
}

static void test_of_twins_the_form_seen_first_stays(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, &world_limits);
    uint8_t ids[4 * 32];
    for (uint32_t i = 0; i < 4; i++)
        fixture_hash(ids + 32 * i, "id", i);
    uint32_t block =
        tree_put(&w.tree, 0, fixture_child_ids(&world_params, w.tree.blocks[0], 1, ids, 4));
    uint32_t twin = tree_put(&w.tree, 0, twin_of(w.tree.blocks[block]));
    assert_memory_equal(tree_hash(&w.tree, block), tree_hash(&w.tree, twin), 32);

    struct chain *other = chain_new(&world_params, &world_limits, 2, w.cache);
    struct chain_added first = feed(w.chain, &w.tree, block);
    struct chain_added second = feed(other, &w.tree, twin);
    assert_int_equal(first.result, CHAIN_ACCEPTED);
    assert_int_equal(second.result, CHAIN_ACCEPTED);
    assert_ptr_not_equal(first.block, second.block);
    assert_int_equal(feed(w.chain, &w.tree, twin).result, CHAIN_KNOWN);
    assert_int_equal(feed(other, &w.tree, block).result, CHAIN_KNOWN);
    assert_int_equal(chain_body(w.chain, chain_at(w.chain, 1)).len, 224 + 4 * 32);
    assert_int_equal(chain_body(other, chain_at(other, 1)).len, 224 + 2 * 32);

    uint32_t child = tree_grow(&w.tree, block);
    assert_int_equal(feed(w.chain, &w.tree, child).result, CHAIN_ACCEPTED);
    assert_int_equal(feed(other, &w.tree, child).result, CHAIN_ACCEPTED);
    chain_free(other);
    world_deinit(&w);
}

/* ---- the body window ------------------------------------------------------------------------ */

static void test_bodies_leave_memory_below_the_window(void **state)
{
    (void)state;
    struct world w;
    const struct chain_limits limits = {.cached_blocks = 5};
    world_init(&w, &limits);
    tree_line(&w.tree, 0, 30);
    for (uint32_t tip = 1; tip <= 30; tip++) {
        feed(w.chain, &w.tree, tip);
        for (uint32_t i = 1; i <= tip; i++) {
            bool kept = i + 5 > tip;
            assert_int_equal(chain_body(w.chain, chain_at(w.chain, i)).len, kept ? 224 : 0);
            assert_int_equal(w.tree.blocks[i]->refs, kept ? 2 : 1);
        }
    }
    assert_int_equal(chain_body(w.chain, chain_at(w.chain, 0)).len, 224);
    world_deinit(&w);
}

static void test_bodies_of_side_branches_leave_with_their_height(void **state)
{
    (void)state;
    struct world w;
    const struct chain_limits limits = {.cached_blocks = 6};
    world_init(&w, &limits);
    uint32_t heights[256] = {0};
    struct rng rng = fixture_rng("side branches");
    for (uint32_t i = 1; i < 200; i++) {
        /* Mostly on the newest blocks, at times far below. */
        uint64_t back = rng_below(&rng, 8) == 0 ? rng_below(&rng, i) : rng_below(&rng, 3);
        uint32_t parent = back < i ? i - 1 - (uint32_t)back : 0;
        tree_grow(&w.tree, parent);
        heights[i] = heights[parent] + 1;
        assert_int_equal(feed(w.chain, &w.tree, i).result, CHAIN_ACCEPTED);
        for (uint32_t k = 1; k <= i; k++) {
            bool kept = heights[k] + 6 > chain_height(w.chain);
            struct block_record *record = chain_find(w.chain, tree_hash(&w.tree, k));
            assert_int_equal(chain_body(w.chain, record).len, kept ? 224 : 0);
            assert_int_equal(w.tree.blocks[k]->refs, kept ? 2 : 1);
        }
    }
    world_deinit(&w);
}

static void test_a_small_block_does_not_pin_a_large_read(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, &world_limits);
    uint32_t block = tree_grow(&w.tree, 0);
    static const uint32_t sizes[] = {2 * 224, 2 * 224 + 1};
    for (uint32_t i = 0; i < 2; i++) {
        struct vn_buf *read = vn_buf_new(sizes[i]);
        memset(read->data, 0, read->len);
        memcpy(read->data + 3, w.tree.blocks[block]->data, 224);
        struct chain *chain = chain_new(&world_params, &world_limits, 1, w.cache);
        feed_body(chain, (struct vn_slice){.buf = read, .off = 3, .len = 224}, WORLD_NOW);
        assert_int_equal(read->refs, i == 0 ? 2 : 1);
        assert_memory_equal(vn_slice_data(chain_body(chain, chain_tip(chain))),
                            w.tree.blocks[block]->data, 224);
        chain_free(chain);
        assert_int_equal(read->refs, 1);
        vn_buf_unref(read);
    }
    world_deinit(&w);
}

/* ---- mining --------------------------------------------------------------------------------- */

static void test_a_mined_block_is_accepted(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, &world_limits);
    uint8_t ids[5 * 32], state_root[32];
    fixture_hash(state_root, "state", 0);
    for (uint32_t i = 0; i < 5; i++)
        fixture_hash(ids + 32 * i, "id", i);
    for (uint32_t n = 0; n <= 5; n++) {
        struct vn_buf *block =
            chain_mine(w.chain, ids, n, state_root, FIXTURE_TIME + 50, 0, UINT64_MAX);
        struct block_view view = fixture_view(fixture_whole(block));
        assert_int_equal(view.height, n + 1);
        assert_int_equal(view.timestamp, FIXTURE_TIME + 50);
        assert_int_equal(view.tx_count, n);
        assert_memory_equal(view.state_root, state_root, 32);
        assert_int_equal(feed_body(w.chain, fixture_whole(block), WORLD_NOW).result,
                         CHAIN_ACCEPTED);
        vn_buf_unref(block);
    }
    struct vn_buf *late = chain_mine(w.chain, NULL, 0, state_root, 0, 0, UINT64_MAX);
    assert_int_equal(fixture_view(fixture_whole(late)).timestamp, FIXTURE_TIME + 50);
    vn_buf_unref(late);
    world_deinit(&w);
}

/* Small steps find the nonce that one long search finds. */
static void test_mining_goes_on_where_it_stopped(void **state)
{
    (void)state;
    const struct chain_params hard = {.genesis_timestamp = FIXTURE_TIME, .difficulty = 100};
    struct chain_cache *cache = chain_cache_new();
    struct chain *chain = chain_new(&hard, &world_limits, 1, cache);
    uint8_t state_root[32];
    fixture_hash(state_root, "state", 1);
    struct vn_buf *whole = chain_mine(chain, NULL, 0, state_root, 0, UINT64_MAX - 20, 1u << 20);
    struct vn_buf *parts = NULL;
    uint64_t nonce = UINT64_MAX - 20;
    assert_null(chain_mine(chain, NULL, 0, state_root, 0, nonce, 0));
    for (; !parts; nonce += 7)
        parts = chain_mine(chain, NULL, 0, state_root, 0, nonce, 7);
    assert_int_equal(parts->len, whole->len);
    assert_memory_equal(parts->data, whole->data, whole->len);
    assert_int_equal(feed_body(chain, fixture_whole(parts), WORLD_NOW).result, CHAIN_ACCEPTED);
    vn_buf_unref(parts);
    vn_buf_unref(whole);
    chain_free(chain);
    chain_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_chain_is_small_and_has_its_genesis),
        cmocka_unit_test(test_blocks_extend_the_tip_and_are_known_then),
        cmocka_unit_test(test_the_genesis_is_known_and_another_is_refused),
        cmocka_unit_test(test_on_a_tie_the_first_seen_stays),
        cmocka_unit_test(test_a_heavier_branch_takes_over_newest_block_first),
        cmocka_unit_test(test_a_block_ahead_of_the_clock_is_dropped_and_welcome_later),
        cmocka_unit_test(test_an_invalid_block_leaves_nothing),
        cmocka_unit_test(test_a_forged_copy_of_a_known_block_is_invalid),
        cmocka_unit_test(test_of_twins_the_form_seen_first_stays),
        cmocka_unit_test(test_bodies_leave_memory_below_the_window),
        cmocka_unit_test(test_bodies_of_side_branches_leave_with_their_height),
        cmocka_unit_test(test_a_small_block_does_not_pin_a_large_read),
        cmocka_unit_test(test_a_mined_block_is_accepted),
        cmocka_unit_test(test_mining_goes_on_where_it_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
