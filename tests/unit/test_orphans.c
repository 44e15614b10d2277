/* Blocks that come before their parents. */
#include "tests/unit/chain_world.h"

static void test_an_orphan_waits_and_is_adopted(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, &world_limits);
    tree_line(&w.tree, 0, 2);
    struct chain_added added = feed(w.chain, &w.tree, 2);
    assert_int_equal(added.result, CHAIN_ORPHAN);
    assert_null(added.block);
    assert_true(chain_is_orphan(w.chain, tree_hash(&w.tree, 2)));
    assert_null(chain_find(w.chain, tree_hash(&w.tree, 2)));
    assert_int_equal(feed(w.chain, &w.tree, 2).result, CHAIN_KNOWN);
    assert_int_equal(chain_orphan_count(w.chain), 1);

    feed(w.chain, &w.tree, 1);
    struct vn_slice body;
    uint64_t source = 0;
    assert_true(chain_take_orphan(w.chain, tree_hash(&w.tree, 1), &body, &source));
    assert_int_equal(source, 7);
    assert_memory_equal(vn_slice_data(body), w.tree.blocks[2]->data, 224);
    assert_int_equal(chain_orphan_count(w.chain), 0);
    assert_int_equal(feed_body(w.chain, body, WORLD_NOW).result, CHAIN_ACCEPTED);
    chain_orphan_done(w.chain);
    vn_slice_unref(body);
    assert_false(chain_take_orphan(w.chain, tree_hash(&w.tree, 1), &body, &source));
    world_deinit(&w);
}

/* An orphan that was taken out and never added again is not kept. */
static void test_a_taken_orphan_belongs_to_the_caller(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, &world_limits);
    tree_line(&w.tree, 0, 2);
    feed(w.chain, &w.tree, 2);
    struct vn_slice body;
    uint64_t source;
    assert_true(chain_take_orphan(w.chain, tree_hash(&w.tree, 1), &body, &source));
    const size_t with_it = chain_bytes(w.chain);
    assert_int_equal(w.tree.blocks[2]->refs, 3);
    chain_orphan_done(w.chain);
    assert_int_equal(w.tree.blocks[2]->refs, 2);
    assert_true(chain_bytes(w.chain) < with_it); /* nor is the queue that it was alone in */
    vn_slice_unref(body);
    world_deinit(&w);
}

static void test_children_come_out_in_order_of_arrival(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, &world_limits);
    uint32_t parent = tree_grow(&w.tree, 0);
    uint32_t other = tree_grow(&w.tree, 0);
    static const uint32_t order[] = {4, 2, 6, 1, 5, 0, 3};
    uint32_t children[7];
    for (uint32_t i = 0; i < 7; i++)
        children[i] = tree_grow(&w.tree, parent);
    uint32_t stranger = tree_grow(&w.tree, other);
    for (uint32_t i = 0; i < 7; i++) {
        assert_int_equal(feed(w.chain, &w.tree, children[order[i]]).result, CHAIN_ORPHAN);
        if (i == 3)
            feed(w.chain, &w.tree, stranger);
    }
    for (uint32_t i = 0; i < 7; i++) {
        struct vn_slice body;
        uint64_t source;
        assert_true(chain_take_orphan(w.chain, tree_hash(&w.tree, parent), &body, &source));
        assert_ptr_equal(body.buf, w.tree.blocks[children[order[i]]]);
        chain_orphan_done(w.chain);
        vn_slice_unref(body);
    }
    assert_int_equal(chain_orphan_count(w.chain), 1);
    world_deinit(&w);
}

static void shuffle(uint32_t *order, uint32_t count, struct rng *rng)
{
    for (uint32_t i = count; i > 1; i--) {
        uint64_t k = rng_below(rng, i);
        uint32_t kept = order[i - 1];
        order[i - 1] = order[k];
        order[k] = kept;
    }
}

static void test_any_order_of_arrival_leads_to_the_same_tip(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, &world_limits);
    uint32_t trunk = tree_line(&w.tree, 0, 12);
    uint32_t best = tree_line(&w.tree, trunk - 4, 9); /* the only one of its height */
    tree_line(&w.tree, trunk - 8, 10);
    tree_line(&w.tree, trunk, 3);
    uint32_t order[256], count = w.tree.count - 1;
    struct rng rng = fixture_rng("permutations");
    for (uint32_t round = 0; round < 200; round++) {
        struct chain *chain = chain_new(&world_params, &world_limits, round, w.cache);
        for (uint32_t i = 0; i < count; i++)
            order[i] = i + 1;
        shuffle(order, count, &rng);
        for (uint32_t i = 0; i < count; i++) {
            struct chain_added added = feed_adopting(chain, &w.tree, order[i]);
            assert_true(added.result == CHAIN_ACCEPTED || added.result == CHAIN_ORPHAN);
        }
        assert_int_equal(chain_orphan_count(chain), 0);
        assert_memory_equal(chain_tip(chain)->hash, tree_hash(&w.tree, best), 32);
        for (uint32_t i = 0, block = best; i < 17; i++, block = w.tree.parents[block])
            assert_memory_equal(chain_at(chain, 17 - i)->hash, tree_hash(&w.tree, block), 32);
        for (uint32_t i = 1; i <= count; i++)
            assert_non_null(chain_find(chain, tree_hash(&w.tree, i)));
        chain_free(chain);
    }
    world_deinit(&w);
}

static void test_the_newcomer_replaces_the_oldest_orphan(void **state)
{
    (void)state;
    struct world w;
    const struct chain_limits limits = {
        .cached_blocks = 10, .orphans_max = 4, .orphan_bytes_max = 1 << 20};
    world_init(&w, &limits);
    tree_line(&w.tree, 0, 12);
    for (uint32_t i = 2; i <= 12; i++) {
        assert_int_equal(feed(w.chain, &w.tree, i).result, CHAIN_ORPHAN);
        for (uint32_t k = 2; k <= i; k++)
            assert_int_equal(chain_is_orphan(w.chain, tree_hash(&w.tree, k)), k + 4 > i);
        assert_int_equal(chain_orphan_count(w.chain), i < 5 ? i - 1 : 4);
    }
    assert_int_equal(cache_count(w.cache), 1 + 4);
    world_deinit(&w);
}

static void test_orphans_are_bounded_in_bytes(void **state)
{
    (void)state;
    struct world w;
    const struct chain_limits limits = {
        .cached_blocks = 10, .orphans_max = 100, .orphan_bytes_max = 3 * 224 + 100};
    world_init(&w, &limits);
    uint8_t ids[32 * 32];
    for (uint32_t i = 0; i < 32; i++)
        fixture_hash(ids + 32 * i, "id", i);
    tree_line(&w.tree, 0, 6);
    uint32_t medium = tree_put(
        &w.tree, 6, fixture_child_ids(&world_params, w.tree.blocks[6], 1, ids, 8)); /* 480 bytes */
    uint32_t large = tree_put(
        &w.tree, 6, fixture_child_ids(&world_params, w.tree.blocks[6], 1, ids, 18)); /* 800 */
    for (uint32_t i = 2; i <= 6; i++)
        feed(w.chain, &w.tree, i);
    assert_int_equal(chain_orphan_count(w.chain), 3);
    feed(w.chain, &w.tree, medium);
    assert_int_equal(chain_orphan_count(w.chain), 2);
    assert_true(chain_is_orphan(w.chain, tree_hash(&w.tree, 6)));
    assert_true(chain_is_orphan(w.chain, tree_hash(&w.tree, medium)));
    assert_int_equal(feed(w.chain, &w.tree, large).result, CHAIN_ORPHAN);
    assert_false(chain_is_orphan(w.chain, tree_hash(&w.tree, large)));
    assert_int_equal(chain_orphan_count(w.chain), 2);
    assert_int_equal(w.tree.blocks[large]->refs, 1);
    world_deinit(&w);
}

static void test_without_room_no_orphan_is_kept(void **state)
{
    (void)state;
    struct world w;
    const struct chain_limits limits = {.cached_blocks = 10};
    world_init(&w, &limits);
    tree_line(&w.tree, 0, 2);
    assert_int_equal(feed(w.chain, &w.tree, 2).result, CHAIN_ORPHAN);
    assert_int_equal(chain_orphan_count(w.chain), 0);
    assert_int_equal(w.tree.blocks[2]->refs, 1);
    world_deinit(&w);
}

/* Junk that no parent could make valid takes no room. */
static void test_an_orphan_that_no_parent_can_save_is_invalid(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, &world_limits);
    uint8_t ids[64];
    fixture_hash(ids, "id", 0);
    fixture_hash(ids + 32, "id", 1);
    tree_line(&w.tree, 0, 2);
    uint32_t block =
        tree_put(&w.tree, 2, fixture_child_ids(&world_params, w.tree.blocks[2], 1, ids, 2));
    struct draft drafts[8];
    for (uint32_t i = 0; i < 8; i++)
        draft_from(&drafts[i], w.tree.blocks[block]);
    memcpy(ids + 32, ids, 32);
    drafts[0].view.tx_ids = ids;
    drafts[1].view.tx_count = 1;
    drafts[2].view.difficulty = 1;
    drafts[3].view.total_difficulty--;
    drafts[4].view.nonce++;
    draft_solve(&drafts[5], world_params.difficulty, false);
    drafts[6].view.poh_seq++;
    drafts[7].poh_hash[9] ^= 1;
    static const enum rule rules[8] = {
        RULE_B4_TX_DUPLICATE, RULE_B5_TX_ROOT, RULE_B6_DIFFICULTY, RULE_B7_TOTAL_DIFFICULTY,
        RULE_B8_HASH,         RULE_B9_WORK,    RULE_B10_POH_SEQ,   RULE_B10_POH_HASH,
    };
    for (uint32_t i = 0; i < 8; i++) {
        struct vn_buf *junk = draft_write(&drafts[i]);
        struct chain_added added = feed_body(w.chain, fixture_whole(junk), WORLD_NOW);
        assert_int_equal(added.result, CHAIN_INVALID);
        assert_int_equal(added.rule, rules[i]);
        assert_int_equal(chain_orphan_count(w.chain), 0);
        assert_int_equal(junk->refs, 1);
        vn_buf_unref(junk);
    }
    assert_int_equal(feed(w.chain, &w.tree, block).result, CHAIN_ORPHAN);
    world_deinit(&w);
}

/* A forgery with the same hash cannot shut the real orphan out. */
static void test_a_forged_copy_does_not_take_an_orphans_place(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, &world_limits);
    tree_line(&w.tree, 0, 2);
    struct draft draft;
    draft_from(&draft, w.tree.blocks[2]);
    draft.view.poh_seq = UINT64_MAX;
    struct vn_buf *forged = draft_write(&draft);
    assert_int_equal(feed_body(w.chain, fixture_whole(forged), WORLD_NOW).result, CHAIN_INVALID);
    assert_int_equal(feed(w.chain, &w.tree, 2).result, CHAIN_ORPHAN);
    assert_int_equal(feed_body(w.chain, fixture_whole(forged), WORLD_NOW).result, CHAIN_INVALID);
    assert_true(chain_is_orphan(w.chain, tree_hash(&w.tree, 2)));
    vn_buf_unref(forged);
    feed_adopting(w.chain, &w.tree, 1);
    assert_int_equal(chain_height(w.chain), 2);
    world_deinit(&w);
}

static void test_an_orphan_must_fit_the_orphan_below_it(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, &world_limits);
    tree_line(&w.tree, 0, 3);
    struct draft draft;
    draft_from(&draft, w.tree.blocks[3]);
    draft.view.timestamp = tree_view(&w.tree, 2).timestamp - 1;
    draft_solve(&draft, world_params.difficulty, true);
    struct vn_buf *early = draft_write(&draft);
    feed(w.chain, &w.tree, 2);
    struct chain_added added = feed_body(w.chain, fixture_whole(early), WORLD_NOW);
    assert_int_equal(added.result, CHAIN_INVALID);
    assert_int_equal(added.rule, RULE_B3_TIMESTAMP_BACKWARDS);
    vn_buf_unref(early);
    world_deinit(&w);
}

/* The clock counts when the parent is there, not before; and what it then refuses leaves memory. */
static void test_an_orphan_ahead_of_the_clock_waits_for_its_parent_first(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, &world_limits);
    tree_grow(&w.tree, 0);
    struct draft draft;
    uint32_t valid = tree_grow(&w.tree, 1);
    draft_from(&draft, w.tree.blocks[valid]);
    draft.view.timestamp = WORLD_NOW + 7201;
    draft_solve(&draft, world_params.difficulty, true);
    uint32_t ahead = tree_put(&w.tree, 1, draft_write(&draft));
    assert_int_equal(feed(w.chain, &w.tree, ahead).result, CHAIN_ORPHAN);
    feed(w.chain, &w.tree, 1);
    assert_int_equal(cache_count(w.cache), 3);
    assert_int_equal(adopt(w.chain, tree_hash(&w.tree, 1)), 0);
    assert_int_equal(cache_count(w.cache), 2);
    assert_int_equal(w.tree.blocks[ahead]->refs, 1);
    assert_int_equal(feed(w.chain, &w.tree, ahead).result, CHAIN_AHEAD);
    world_deinit(&w);
}

/* Orphans come and go at random; every count and every reference stays in balance. */
static void test_orphans_and_buffers_stay_in_balance(void **state)
{
    (void)state;
    struct world w;
    const struct chain_limits limits = {
        .cached_blocks = 7, .orphans_max = 9, .orphan_bytes_max = 8 * 224};
    world_init(&w, &limits);
    struct rng rng = fixture_rng("balance");
    for (uint32_t i = 1; i < 150; i++)
        tree_grow(&w.tree, (uint32_t)rng_below(&rng, i));
    for (uint32_t round = 0; round < 4000; round++) {
        uint32_t i = 1 + (uint32_t)rng_below(&rng, 149);
        feed_adopting(w.chain, &w.tree, i);
        uint32_t orphans = 0;
        for (uint32_t k = 1; k < 150; k++)
            orphans += chain_is_orphan(w.chain, tree_hash(&w.tree, k));
        assert_int_equal(orphans, chain_orphan_count(w.chain));
        assert_true(orphans <= 8);
    }
    world_deinit(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_orphan_waits_and_is_adopted),
        cmocka_unit_test(test_a_taken_orphan_belongs_to_the_caller),
        cmocka_unit_test(test_children_come_out_in_order_of_arrival),
        cmocka_unit_test(test_any_order_of_arrival_leads_to_the_same_tip),
        cmocka_unit_test(test_the_newcomer_replaces_the_oldest_orphan),
        cmocka_unit_test(test_orphans_are_bounded_in_bytes),
        cmocka_unit_test(test_without_room_no_orphan_is_kept),
        cmocka_unit_test(test_an_orphan_that_no_parent_can_save_is_invalid),
        cmocka_unit_test(test_a_forged_copy_does_not_take_an_orphans_place),
        cmocka_unit_test(test_an_orphan_must_fit_the_orphan_below_it),
        cmocka_unit_test(test_an_orphan_ahead_of_the_clock_waits_for_its_parent_first),
        cmocka_unit_test(test_orphans_and_buffers_stay_in_balance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
