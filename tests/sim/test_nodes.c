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

/* All that an observer hears, in its order, as one number. */
struct ear {
    struct sim *sim;
    uint64_t hash, heard, replies, settled, stop_after;
    uint64_t settled_ns; /* the latest time at which on_settled was called */
};

static void hear(struct ear *ear, uint64_t what, uint64_t a, uint64_t b)
{
    ear->heard++;
    ear->hash = (ear->hash ^ what ^ a << 8 ^ b << 32) * UINT64_C(0x9e3779b97f4a7c15);
    ear->hash ^= ear->hash >> 29;
}

static void hear_bytes(struct ear *ear, const void *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hear(ear, 1, ((const uint8_t *)data)[i], 0);
}

static void hear_trace(void *ctx, uint32_t host, const struct vn_trace *trace)
{
    struct ear *ear = ctx;
    hear(ear, 2, host, trace->kind);
    hear(ear, trace->now_ns, trace->link, trace->a);
    hear(ear, trace->b, trace->c, trace->size);
    if (trace->addr)
        hear_bytes(ear, trace->addr, sizeof *trace->addr);
    if (trace->hash)
        hear_bytes(ear, trace->hash, 32);
    if (trace->text)
        hear_bytes(ear, trace->text, strlen(trace->text));
}

static void hear_settled(void *ctx, uint32_t host)
{
    struct ear *ear = ctx;
    hear(ear, 3, host, 0);
    ear->settled_ns = sim_now_ns(ear->sim);
    if (++ear->settled == ear->stop_after)
        sim_stop(ear->sim);
}

static void hear_event(void *ctx, uint64_t number, uint64_t t_ns, uint32_t host, uint32_t kind,
                       uint64_t hash)
{
    struct ear *ear = ctx;
    hear(ear, 4, number, t_ns);
    hear(ear, host, kind, hash);
}

static void hear_reply(void *ctx, uint32_t host, uint64_t token, uint32_t status, const char *text)
{
    struct ear *ear = ctx;
    hear(ear, 5, host, token);
    hear_bytes(ear, text, strlen(text));
    ear->replies += status == VN_OK;
}

/* Twenty nodes mine, relay, and two of them are no more. Returns the trace hash. */
static uint64_t overheard(struct ear *ear, bool windows)
{
    struct sim_config config;
    sim_config_init(&config);
    config.observer = (struct sim_observer){.ctx = ear,
                                            .on_trace = hear_trace,
                                            .trace_mask = UINT64_MAX,
                                            .on_settled = hear_settled,
                                            .settle_mask = UINT64_MAX,
                                            .on_event = hear_event,
                                            .on_reply = hear_reply};
    struct sim *sim = ear->sim = sim_new(&config);
    sim_windows(sim, windows);
    for (uint32_t i = 0; i < 20; i++) {
        struct vn_config node;
        struct vn_addr seeds[4];
        char why[160];
        vn_config_init(&node);
        snprintf(node.node_id, sizeof node.node_id, "node-%u", (unsigned)i);
        for (uint32_t k = 0; k < 4; k++)
            seeds[k] = sim_host_addr((i + k * k + 1) % 20);
        node.seeds = seeds;
        node.seed_count = 4;
        node.mine_interval_ns = i % 3 == 0 ? 8 * S : 0;
        assert_int_equal(sim_host_add(sim, &node, NULL, why, sizeof why), i);
    }
    for (uint64_t t = 1; t <= 20 && ear->settled < ear->stop_after; t++) {
        sim_run_until(sim, t * S);
        if (t % 5 == 0 && ear->settled < ear->stop_after)
            mine(sim, (uint32_t)t % 20, 1);
        if (t == 12 || t == 13)
            sim_host_kill(sim, (uint32_t)t);
    }
    struct sim_stats stats;
    sim_stats(sim, &stats);
    assert_true(windows ? stats.windows > 5 : stats.windows == 0);
    uint64_t hash = sim_trace_hash(sim);
    sim_free(sim);
    return hash;
}

static void test_observers_hear_the_same_where_hosts_run_apart(void **state)
{
    (void)state;
    struct ear by_time = {.stop_after = UINT64_MAX}, apart = {.stop_after = UINT64_MAX};
    assert_int_equal(overheard(&apart, true), overheard(&by_time, false));
    assert_int_equal(apart.heard, by_time.heard);
    assert_int_equal(apart.hash, by_time.hash);
    assert_true(by_time.heard > 10000 && by_time.settled > 500);
    assert_int_equal(by_time.replies, 4);
}

static void test_a_stop_while_hosts_run_apart_ends_the_run_at_the_end_of_the_window(void **state)
{
    (void)state;
    struct ear by_time = {.stop_after = 700}, apart = {.stop_after = 700};
    overheard(&by_time, false);
    overheard(&apart, true);
    assert_int_equal(by_time.settled, 700);
    assert_true(apart.settled >= 700);
    assert_in_range(apart.settled_ns - by_time.settled_ns, 0, 50 * 1000000);
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
        cmocka_unit_test(test_observers_hear_the_same_where_hosts_run_apart),
        cmocka_unit_test(test_a_stop_while_hosts_run_apart_ends_the_run_at_the_end_of_the_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
