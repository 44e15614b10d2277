/* Real nodes in the simulated network: what neither the node's tests nor the simulator's can show
 * alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transport-sim/sim.h"

#include <stdio.h>
#include <string.h>

#define S UINT64_C(1000000000)

struct heard {
    uint32_t outs, outs_of_nobody;
    uint32_t evidence, bans, deepest;
};

static void on_trace(void *ctx, uint32_t host, const struct vn_trace *trace)
{
    struct heard *heard = ctx;
    if (trace->kind == VN_TR_MSG_OUT) {
        heard->outs++;
        heard->outs_of_nobody += host == UINT32_MAX;
    }
    heard->evidence += trace->kind == VN_TR_SCORE && trace->c == 1;
    heard->bans += trace->kind == VN_TR_BAN;
    if (trace->kind == VN_TR_TIP && trace->b > heard->deepest)
        heard->deepest = (uint32_t)trace->b;
}

static struct sim *network(uint32_t nodes, uint64_t seed, struct heard *heard,
                           void (*adjust)(struct vn_config *config, uint32_t number))
{
    struct sim_config config;
    sim_config_init(&config);
    memcpy(config.seed, &seed, sizeof seed);
    config.observer.ctx = heard;
    config.observer.on_trace = on_trace;
    config.observer.trace_mask = UINT64_MAX;
    struct sim *sim = sim_new(&config);
    for (uint32_t i = 0; i < nodes; i++) {
        struct vn_config node;
        struct vn_addr seeds[4];
        vn_config_init(&node);
        snprintf(node.node_id, sizeof node.node_id, "node-%u", (unsigned)i);
        for (uint32_t k = 0; k < 4; k++)
            seeds[k] = sim_host_addr((i + k * k + 1) % nodes);
        node.seeds = seeds;
        node.seed_count = 4;
        if (adjust)
            adjust(&node, i);
        char why[160];
        struct sim_host_params params = {0};
        assert_int_equal(sim_host_add(sim, &node, &params, why, sizeof why), i);
    }
    return sim;
}

static struct vn_info info_of(const struct sim *sim, uint32_t host)
{
    struct vn_info info = {.size = sizeof info};
    vn_node_info(sim_node(sim, host), &info);
    return info;
}

static void mine(struct sim *sim, uint32_t host, uint64_t blocks)
{
    struct vn_command command = {.kind = VN_CMD_MINE, .number = blocks};
    assert_true(sim_command(sim, host, &command));
}

static void assert_one_tip(const struct sim *sim, uint32_t nodes, uint64_t height)
{
    struct vn_info first = info_of(sim, 0);
    assert_int_equal(first.height, height);
    for (uint32_t i = 1; i < nodes; i++) {
        struct vn_info info = info_of(sim, i);
        assert_memory_equal(info.tip, first.tip, sizeof info.tip);
    }
}

static void test_a_block_reaches_every_node_and_each_message_has_its_sender(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct sim *sim = network(20, 1, &heard, NULL);
    sim_run_until(sim, 5 * S);
    mine(sim, 3, 1);
    sim_run_until(sim, 10 * S);
    assert_one_tip(sim, 20, 1);
    assert_true(heard.outs > 20);
    assert_int_equal(heard.outs_of_nobody, 0);
    sim_free(sim);
}

static void know_nobody(struct vn_config *config, uint32_t number)
{
    (void)number;
    config->seed_count = 0;
}

static void connect_to(struct sim *sim, uint32_t from, uint32_t to)
{
    struct vn_command command = {.kind = VN_CMD_CONNECT, .addr = sim_host_addr(to)};
    assert_true(sim_command(sim, from, &command));
}

/* At 50 ms one way a link is ready on its acceptor's side after 150 ms. The acceptor sees the other
 * dial only when the third packet of it arrives, and must still judge as the dialler does. */
static void test_of_dials_that_cross_the_smaller_ids_stays(void **state)
{
    (void)state;
    for (uint64_t after_ms = 0; after_ms < 150; after_ms += 7) {
        struct heard heard = {0};
        struct sim *sim = network(2, 5, &heard, know_nobody);
        sim_run_until(sim, S);
        connect_to(sim, 1, 0);
        sim_run_until(sim, S + after_ms * 1000000);
        connect_to(sim, 0, 1);
        sim_run_until(sim, 5 * S);
        struct vn_info smaller = info_of(sim, 0), larger = info_of(sim, 1);
        assert_int_equal(smaller.outbound, 1);
        assert_int_equal(smaller.inbound, 0);
        assert_int_equal(larger.outbound, 0);
        assert_int_equal(larger.inbound, 1);
        assert_int_equal(heard.evidence, 0);
        sim_free(sim);
    }
}

static void test_halves_that_mined_apart_agree_after_the_heal(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct sim *sim = network(20, 2, &heard, NULL);
    uint32_t hosts[20];
    for (uint32_t i = 0; i < 20; i++)
        hosts[i] = i;
    sim_run_until(sim, 5 * S);
    uint32_t cut = sim_cut(sim, hosts, 10, hosts + 10, 10, false);
    sim_run_until(sim, 100 * S);
    mine(sim, 0, 130); /* more than one range */
    mine(sim, 15, 140);
    sim_run_until(sim, 110 * S);
    assert_int_equal(info_of(sim, 9).height, 130);
    assert_int_equal(info_of(sim, 10).height, 140);
    sim_cut_heal(sim, cut);
    sim_run_until(sim, 300 * S);
    assert_one_tip(sim, 20, 140);
    assert_int_equal(heard.deepest, 130);
    assert_int_equal(heard.evidence, 0);
    assert_int_equal(heard.bans, 0);
    sim_free(sim);
}

static void test_a_killed_node_comes_back_with_what_its_disk_holds(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct sim *sim = network(5, 3, &heard, NULL);
    sim_run_until(sim, 5 * S);
    mine(sim, 0, 250);
    sim_run_until(sim, 20 * S);
    assert_one_tip(sim, 5, 250);
    for (uint32_t i = 0; i < 5; i++)
        sim_host_kill(sim, i);
    assert_null(sim_node(sim, 4));
    sim_host_start(sim, 3, true);
    sim_run_until(sim, 21 * S); /* alone: no peer can have told it */
    assert_int_equal(info_of(sim, 3).height, 0);
    sim_host_start(sim, 4, false);
    sim_run_until(sim, 21 * S + 10000000); /* ten milliseconds: less than a link takes */
    assert_int_equal(info_of(sim, 4).height, 250);
    sim_run_until(sim, 200 * S);
    assert_int_equal(info_of(sim, 3).height, 250);
    assert_int_equal(heard.evidence, 0);
    sim_free(sim);
}

static void keep_few(struct vn_config *config, uint32_t number)
{
    (void)number;
    config->cached_blocks = 3;
}

static void test_a_newcomer_gets_from_the_disks_what_no_memory_holds(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct sim *sim = network(4, 4, &heard, keep_few);
    sim_run_until(sim, 5 * S);
    mine(sim, 0, 350);
    sim_run_until(sim, 30 * S);
    sim_host_kill(sim, 2);
    sim_host_start(sim, 2, true);
    sim_run_until(sim, 90 * S);
    assert_one_tip(sim, 4, 350);
    assert_int_equal(heard.evidence, 0);
    sim_free(sim);
}

static uint64_t hash_of_run(uint64_t seed)
{
    struct heard heard = {0};
    struct sim *sim = network(12, seed, &heard, NULL);
    sim_run_until(sim, 3 * S);
    mine(sim, 1, 3);
    sim_host_kill(sim, 5);
    sim_run_until(sim, 4 * S);
    sim_host_start(sim, 5, false);
    sim_run_until(sim, 70 * S);
    uint64_t hash = sim_trace_hash(sim);
    sim_free(sim);
    return hash;
}

static void test_one_seed_is_one_run_and_another_seed_another(void **state)
{
    (void)state;
    assert_int_equal(hash_of_run(9), hash_of_run(9));
    assert_int_not_equal(hash_of_run(9), hash_of_run(10));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_block_reaches_every_node_and_each_message_has_its_sender),
        cmocka_unit_test(test_of_dials_that_cross_the_smaller_ids_stays),
        cmocka_unit_test(test_halves_that_mined_apart_agree_after_the_heal),
        cmocka_unit_test(test_a_killed_node_comes_back_with_what_its_disk_holds),
        cmocka_unit_test(test_a_newcomer_gets_from_the_disks_what_no_memory_holds),
        cmocka_unit_test(test_one_seed_is_one_run_and_another_seed_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
