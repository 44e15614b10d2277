/* Several real nodes: they catch up from each other, heal after a cut, and never blame each other
 * for the weather. */
#include "tests/node/lan.h"

#include <string.h>

static void mine(struct lan_node *node, uint64_t count)
{
    struct vn_command command = {.kind = VN_CMD_MINE, .number = count};
    assert_int_equal(lan_command(node, command), VN_OK);
}

static void submit(struct lan_node *node, uint64_t tag, uint8_t id[32])
{
    uint64_t now_s = lan_info(node).wall_ns / S;
    struct vn_buf *tx =
        forge_tx((struct forge_tx){.sender = tag, .nonce = tag, .timestamp = now_s});
    struct vn_command command = {.kind = VN_CMD_SUBMIT_TX, .data = forge_whole(tx)};
    memcpy(id, forge_tx_view(tx).tx_id, 32);
    assert_int_equal(lan_command(node, command), VN_OK);
    vn_buf_unref(tx);
}

/* count nodes "a", "b", ...; each knows the ones before it. */
static void lan_grow(struct lan *lan, uint32_t count, void (*tune)(struct vn_config *cfg))
{
    struct vn_addr all[LAN_NODES];
    for (uint32_t i = 0; i < LAN_NODES; i++)
        all[i] = lan_addr(i);
    while (lan->node_count < count) {
        struct vn_config cfg;
        char id[2] = {(char)('a' + lan->node_count), 0};
        lan_config(&cfg, lan->node_count, id);
        cfg.seeds = all;
        cfg.seed_count = lan->node_count;
        if (tune)
            tune(&cfg);
        lan_add(lan, &cfg, NULL, NULL);
    }
}

static void expect_peace(const struct lan *lan)
{
    for (uint32_t i = 0; i < lan->node_count; i++) {
        assert_int_equal(lan->nodes[i].evidence, 0);
        assert_int_equal(lan_info(&lan->nodes[i]).banned, 0);
    }
}

static void expect_one_tip(const struct lan *lan)
{
    for (uint32_t i = 1; i < lan->node_count; i++)
        assert_true(lan_same_tip(&lan->nodes[0], &lan->nodes[i]));
}

static void test_two_nodes_shake_hands_and_relay_a_block(void **state)
{
    (void)state;
    struct lan lan;
    lan_init(&lan);
    lan_grow(&lan, 2, NULL);
    lan_run(&lan, S);
    assert_int_equal(lan_info(&lan.nodes[0]).inbound, 1);
    assert_int_equal(lan_info(&lan.nodes[1]).outbound, 1);
    mine(&lan.nodes[0], 3);
    lan_run(&lan, S);
    assert_int_equal(lan_info(&lan.nodes[1]).height, 3);
    expect_one_tip(&lan);
    lan_run(&lan, 600 * S);
    assert_int_equal(lan_ready(&lan.nodes[1]), 1);
    assert_int_equal(lan.conn_count, 1);
    expect_peace(&lan);
    lan_deinit(&lan);
}

static void test_a_fresh_node_catches_up_from_three(void **state)
{
    (void)state;
    for (uint32_t peers = 1; peers <= 3; peers += 2) {
        struct lan lan;
        lan_init(&lan);
        lan_grow(&lan, 1, NULL);
        mine(&lan.nodes[0], 1000);
        lan_grow(&lan, peers, NULL);
        lan_run(&lan, 60 * S);
        expect_one_tip(&lan);
        for (uint32_t i = 0; i < peers; i++)
            lan.nodes[i].messages_in = 0;
        lan_grow(&lan, peers + 1, NULL);
        struct lan_node *fresh = &lan.nodes[peers];
        lan_run(&lan, 20 * S);
        assert_int_equal(lan_info(fresh).height, 1000);
        expect_one_tip(&lan);
        assert_in_range(fresh->ranges_asked, 10, 14);
        expect_peace(&lan);
        assert_true(fresh->lowest_score >= 0);
        lan_deinit(&lan);
    }
}

static void test_a_network_cut_in_two_heals_to_the_heavier_chain_and_mends_its_pool(void **state)
{
    (void)state;
    for (uint32_t depth = 1; depth <= 121; depth += 40) {
        struct lan lan;
        lan_init(&lan);
        lan_grow(&lan, 4, NULL);
        lan_run(&lan, 10 * S);
        mine(&lan.nodes[0], 5);
        lan_run(&lan, 10 * S);
        for (uint32_t i = 0; i < 2; i++)
            for (uint32_t k = 2; k < 4; k++)
                lan_separate(&lan, i, k, true);
        uint8_t lost[32], both[32];
        submit(&lan.nodes[0], 1, lost);
        submit(&lan.nodes[0], 2, both);
        submit(&lan.nodes[3], 2, both);
        lan_run(&lan, S);
        mine(&lan.nodes[1], depth);
        mine(&lan.nodes[2], depth + 1);
        lan_run(&lan, 5 * S);
        assert_int_equal(vn_node_has_tx(lan.nodes[0].node, lost), 2);
        for (uint32_t i = 0; i < 2; i++)
            for (uint32_t k = 2; k < 4; k++)
                lan_separate(&lan, i, k, false);
        lan_run(&lan, 180 * S);
        for (uint32_t i = 0; i < 4; i++) {
            assert_int_equal(lan_info(&lan.nodes[i]).height, 5 + depth + 1);
            assert_int_equal(vn_node_has_tx(lan.nodes[i].node, both), 2);
        }
        expect_one_tip(&lan);
        assert_int_equal(lan.nodes[0].deepest_reorg, depth);
        assert_int_equal(vn_node_has_tx(lan.nodes[0].node, lost), 1);
        assert_int_equal(vn_node_has_tx(lan.nodes[1].node, lost), 1);
        assert_int_equal(lan.nodes[0].disk.heights, 5 + depth + 1);
        expect_peace(&lan);
        lan_deinit(&lan);
    }
}

static void test_each_transaction_and_block_crosses_each_link_at_most_twice(void **state)
{
    (void)state;
    struct lan lan;
    lan_init(&lan);
    lan_grow(&lan, 6, NULL);
    lan_run(&lan, 100 * S);
    uint32_t links = 0;
    for (uint32_t i = 0; i < 6; i++) {
        links += lan_ready(&lan.nodes[i]);
        lan.nodes[i].relayed = 0;
    }
    uint8_t id[32];
    for (uint64_t i = 0; i < 50; i++) {
        submit(&lan.nodes[i % 6], i, id);
        lan_run(&lan, S);
    }
    for (uint32_t i = 0; i < 10; i++) {
        mine(&lan.nodes[i % 6], 1);
        lan_run(&lan, S);
    }
    uint32_t relayed = 0;
    for (uint32_t i = 0; i < 6; i++)
        relayed += lan.nodes[i].relayed;
    assert_in_range(relayed, 60 * 5, 60 * links);
    expect_one_tip(&lan);
    expect_peace(&lan);
    lan_deinit(&lan);
}

/* ---- weather ---- */

static struct rng dice;

static uint64_t uneven(struct lan *lan, uint32_t dialler, uint32_t acceptor, uint32_t to_end)
{
    (void)lan;
    (void)to_end;
    return (1 + (dialler * 7 + acceptor * 13) % 90) * MS;
}

static void tune_small(struct vn_config *cfg)
{
    cfg->max_outbound = 3;
    cfg->cached_blocks = 40;
    cfg->feeler_interval_ns = 30 * S;
}

static uint64_t one_storm(uint8_t seed, uint32_t chunk)
{
    uint8_t key[32] = {seed};
    rng_fork(&dice, key, "storm", 0);
    struct lan lan;
    lan_init(&lan);
    lan.latency_of = uneven;
    lan.chunk = chunk;
    lan.disk_delay_ns = 50 * MS;
    lan.disk_disorder = seed % 2;
    lan.window = seed % 3 ? 1 << 18 : 700;
    lan_grow(&lan, 7, tune_small);
    uint64_t tag = 0;
    uint8_t id[32];
    for (uint32_t i = 0; i < 150; i++) {
        uint32_t a = (uint32_t)rng_below(&dice, 7), b = (uint32_t)rng_below(&dice, 7);
        uint32_t what = (uint32_t)rng_below(&dice, 10);
        if (what < 4)
            mine(&lan.nodes[a], 1 + what);
        else if (what < 6)
            submit(&lan.nodes[a], tag++, id);
        else if (what == 6 && a != b)
            lan_reset(&lan, a, b);
        else if (what == 7 && a != b)
            lan_separate(&lan, a, b, true);
        else if (what == 8 && a != b)
            lan_separate(&lan, a, b, false);
        uint64_t wait = rng_below(&dice, 2000) * MS;
        lan_run(&lan, wait);
    }
    for (uint32_t a = 0; a < 7; a++)
        for (uint32_t b = 0; b < a; b++)
            lan_separate(&lan, a, b, false);
    lan_run(&lan, 400 * S);
    mine(&lan.nodes[seed % 7], 1); /* of two equal chains one becomes the heavier */
    lan_run(&lan, 200 * S);
    uint64_t hash = 0;
    for (uint32_t i = 0; i < 7; i++) {
        if (!lan_same_tip(&lan.nodes[0], &lan.nodes[i]))
            fail_msg("seed %u: node %u is at %u, node 0 at %u", seed, i,
                     (unsigned)lan_info(&lan.nodes[i]).height,
                     (unsigned)lan_info(&lan.nodes[0]).height);
        assert_int_equal(lan.nodes[i].disk.heights, lan_info(&lan.nodes[i]).height);
        assert_int_equal(lan.nodes[i].disk.gaps, 0);
        hash = hash * 31 + lan_info(&lan.nodes[i]).hash;
    }
    expect_peace(&lan);
    lan_deinit(&lan);
    return hash;
}

static void test_after_any_storm_there_is_one_tip_and_no_blame(void **state)
{
    (void)state;
    for (uint8_t seed = 0; seed < 40; seed++)
        one_storm(seed, seed % 4 == 3 ? 1 + seed : 0);
}

static void test_a_storm_is_the_same_every_time(void **state)
{
    (void)state;
    for (uint8_t seed = 0; seed < 3; seed++)
        assert_true(one_storm(seed, 0) == one_storm(seed, 0));
    assert_false(one_storm(0, 0) == one_storm(1, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_nodes_shake_hands_and_relay_a_block),
        cmocka_unit_test(test_a_fresh_node_catches_up_from_three),
        cmocka_unit_test(test_a_network_cut_in_two_heals_to_the_heavier_chain_and_mends_its_pool),
        cmocka_unit_test(test_each_transaction_and_block_crosses_each_link_at_most_twice),
        cmocka_unit_test(test_after_any_storm_there_is_one_tip_and_no_blame),
        cmocka_unit_test(test_a_storm_is_the_same_every_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
