/* Cuts: partitions, blackholes, one-way cuts, and what happens at their heal. */
#include "tests/sim/sim_fixture.h"

struct pair {
    struct sim *sim;
    uint32_t a, b;
};

static struct pair connected(const char *b_acts_as)
{
    struct pair p = {.sim = net_new(1)};
    p.a = host_add(p.sim, "sink", 0, 0);
    p.b = host_add(p.sim, b_acts_as, 0, 0);
    dial(p.sim, p.a, p.b);
    sim_run_until(p.sim, SECONDS);
    assert_int_equal(link_of(p.sim, p.b, 0)->state, FAKE_UP);
    return p;
}

static uint32_t cut(struct sim *sim, uint32_t a, uint32_t b, bool one_way)
{
    return sim_cut(sim, &a, 1, &b, 1, one_way);
}

static void test_bytes_wait_for_the_heal_and_arrive_whole(void **state)
{
    (void)state;
    struct pair p = connected("echo");
    uint32_t id = cut(p.sim, p.a, p.b, false);
    for (uint32_t i = 1; i <= 10; i++) {
        submit(p.sim, p.a, i * 1000);
        sim_run_until(p.sim, SECONDS + i * SECONDS);
    }
    assert_int_equal(link_of(p.sim, p.b, 0)->rx_bytes, 0);
    sim_cut_heal(p.sim, id);
    sim_run_until(p.sim, 30 * SECONDS);
    assert_int_equal(link_of(p.sim, p.b, 0)->rx_bytes, 55000);
    assert_int_equal(link_of(p.sim, p.a, 0)->rx_bytes, 55000);
    assert_int_equal(link_of(p.sim, p.b, 0)->rx_hash, link_of(p.sim, p.a, 0)->tx_hash);
    assert_int_equal(link_of(p.sim, p.a, 0)->rx_hash, link_of(p.sim, p.a, 0)->tx_hash);
    /* First blocked at 1.05 s; retransmissions 0.2, 0.6, 1.4, 3, 6.2, 12.6 s later. The heal is
     * at 11 s. */
    assert_int_equal(link_of(p.sim, p.b, 0)->first_rx_ns, 13650 * MS);
    sim_free(p.sim);
}

static void test_what_arrives_after_a_short_cut_never_noticed_it(void **state)
{
    (void)state;
    struct pair p = connected("sink");
    submit(p.sim, p.a, 1000);
    uint32_t id = cut(p.sim, p.a, p.b, false);
    sim_run_until(p.sim, SECONDS + 40 * MS);
    sim_cut_heal(p.sim, id);
    sim_run_until(p.sim, 2 * SECONDS);
    assert_int_equal(link_of(p.sim, p.b, 0)->first_rx_ns, SECONDS + 50 * MS);
    sim_free(p.sim);
}

static void test_retransmissions_are_at_most_a_minute_apart(void **state)
{
    (void)state;
    struct pair p = connected("sink");
    uint32_t id = cut(p.sim, p.a, p.b, false);
    submit(p.sim, p.a, 1000);
    sim_run_until(p.sim, 900 * SECONDS); /* TCP bears 924.6 s */
    sim_cut_heal(p.sim, id);
    sim_run_until(p.sim, 961 * SECONDS);
    assert_int_equal(link_of(p.sim, p.b, 0)->rx_bytes, 1000);
    sim_free(p.sim);
}

static void test_a_one_way_cut_lets_the_other_way_pass_until_its_window_is_spent(void **state)
{
    (void)state;
    struct pair p = connected("sink");
    /* Nothing from b to a: data from a arrives, its refunds do not. */
    uint32_t id = cut(p.sim, p.b, p.a, true);
    submit(p.sim, p.a, 600000);
    submit(p.sim, p.b, 1000);
    sim_run_until(p.sim, 100 * SECONDS);
    assert_int_equal(link_of(p.sim, p.b, 0)->rx_bytes, 256 * 1024);
    assert_int_equal(link_of(p.sim, p.a, 0)->rx_bytes, 0);
    sim_cut_heal(p.sim, id);
    sim_run_until(p.sim, 200 * SECONDS);
    assert_int_equal(link_of(p.sim, p.b, 0)->rx_bytes, 600000);
    assert_int_equal(link_of(p.sim, p.a, 0)->rx_bytes, 1000);
    sim_free(p.sim);
}

static void test_overlapping_cuts_hold_until_the_last_is_healed(void **state)
{
    (void)state;
    struct pair p = connected("sink");
    const uint32_t all[] = {p.a, p.b, 77, UINT32_MAX};
    uint32_t first = cut(p.sim, p.a, p.b, false);
    uint32_t second = sim_cut(p.sim, &p.b, 1, all, 4, false);
    assert_int_not_equal(first, second);
    submit(p.sim, p.a, 1000);
    sim_run_until(p.sim, 10 * SECONDS);
    sim_cut_heal(p.sim, first);
    sim_cut_heal(p.sim, first);
    sim_cut_heal(p.sim, 12345);
    sim_run_until(p.sim, 100 * SECONDS);
    assert_int_equal(link_of(p.sim, p.b, 0)->rx_bytes, 0);
    sim_cut_heal(p.sim, second);
    sim_run_until(p.sim, 200 * SECONDS);
    assert_int_equal(link_of(p.sim, p.b, 0)->rx_bytes, 1000);
    sim_free(p.sim);
}

static void test_connecting_under_a_cut_is_tried_again_and_given_up(void **state)
{
    (void)state;
    for (unsigned way = 0; way < 3; way++) {
        struct sim *sim = net_new(1);
        uint32_t a = host_add(sim, "sink", 0, 0);
        uint32_t b = host_add(sim, "sink", 0, 0);
        uint32_t id =
            way == 0 ? cut(sim, a, b, false) : cut(sim, way == 1 ? a : b, way == 1 ? b : a, true);
        dial(sim, a, b);
        sim_run_until(sim, 10 * SECONDS);
        assert_int_equal(link_of(sim, a, 0)->state, FAKE_DIALLING);
        sim_cut_heal(sim, id);
        sim_run_until(sim, 20 * SECONDS);
        assert_int_equal(link_of(sim, a, 0)->up_ns, 15100 * MS);
        cut(sim, a, b, way != 0);
        dial(sim, a, b);
        sim_run_until(sim, 200 * SECONDS);
        assert_int_equal(link_of(sim, a, 1)->why, VN_WHY_UNREACHABLE);
        assert_int_equal(link_of(sim, a, 1)->down_ns, 147 * SECONDS);
        sim_free(sim);
    }
}

static void test_the_death_of_a_cut_host_is_heard_after_the_heal(void **state)
{
    (void)state;
    struct pair p = connected("sink");
    uint32_t id = cut(p.sim, p.a, p.b, false);
    sim_host_kill(p.sim, p.a);
    sim_run_until(p.sim, 50 * SECONDS);
    assert_int_equal(link_of(p.sim, p.b, 0)->state, FAKE_UP);
    sim_cut_heal(p.sim, id);
    sim_run_until(p.sim, 100 * SECONDS);
    assert_int_equal(link_of(p.sim, p.b, 0)->why, VN_WHY_RESET);
    sim_free(p.sim);
}

static void test_a_reset_link_is_down_at_both_ends_at_once(void **state)
{
    (void)state;
    struct pair p = connected("sink");
    cut(p.sim, p.a, p.b, false);
    submit(p.sim, p.a, 1000);
    assert_int_equal(sim_reset_links(p.sim, p.b, p.a), 1);
    assert_int_equal(sim_reset_links(p.sim, p.a, p.b), 0);
    assert_int_equal(sim_reset_links(p.sim, p.a, 99), 0);
    sim_run_until(p.sim, SECONDS);
    assert_int_equal(link_of(p.sim, p.a, 0)->why, VN_WHY_RESET);
    assert_int_equal(link_of(p.sim, p.b, 0)->why, VN_WHY_RESET);
    sim_run_until(p.sim, 100 * SECONDS);
    assert_int_equal(link_of(p.sim, p.b, 0)->rx_bytes, 0);
    sim_free(p.sim);
}

static void test_a_loopback_is_never_cut(void **state)
{
    (void)state;
    struct sim *sim = net_new(1);
    uint32_t a = host_add(sim, "sink", 0, 0);
    cut(sim, a, a, false);
    dial(sim, a, a);
    sim_run_until(sim, SECONDS);
    assert_int_equal(link_of(sim, a, 1)->state, FAKE_UP);
    sim_free(sim);
}

static void test_later_rules_between_sets_win_for_new_links(void **state)
{
    (void)state;
    struct sim *sim = net_new(1);
    struct sim_link_params params;
    sim_link_params_init(&params);
    uint32_t h[4];
    for (unsigned i = 0; i < 4; i++)
        h[i] = host_add(sim, "sink", 0, 0);
    params.latency.a = 0.1;
    assert_true(sim_links_between(sim, h, 2, h + 2, 2, &params));
    params.latency.a = 0.2;
    assert_true(sim_links_between(sim, h, 1, h + 3, 1, &params));
    params.loss = 0.7;
    assert_false(sim_links_between(sim, h, 4, h, 4, &params));
    dial(sim, h[0], h[2]); /* the first rule */
    dial(sim, h[3], h[0]); /* the second, backwards */
    dial(sim, h[0], h[1]); /* the default */
    sim_run_until(sim, 2 * SECONDS);
    assert_int_equal(link_of(sim, h[0], 0)->up_ns, 200 * MS);
    assert_int_equal(link_of(sim, h[3], 0)->up_ns, 400 * MS);
    assert_int_equal(link_of(sim, h[0], 1)->up_ns, 100 * MS);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_wait_for_the_heal_and_arrive_whole),
        cmocka_unit_test(test_what_arrives_after_a_short_cut_never_noticed_it),
        cmocka_unit_test(test_retransmissions_are_at_most_a_minute_apart),
        cmocka_unit_test(test_a_one_way_cut_lets_the_other_way_pass_until_its_window_is_spent),
        cmocka_unit_test(test_overlapping_cuts_hold_until_the_last_is_healed),
        cmocka_unit_test(test_connecting_under_a_cut_is_tried_again_and_given_up),
        cmocka_unit_test(test_the_death_of_a_cut_host_is_heard_after_the_heal),
        cmocka_unit_test(test_a_reset_link_is_down_at_both_ends_at_once),
        cmocka_unit_test(test_a_loopback_is_never_cut),
        cmocka_unit_test(test_later_rules_between_sets_win_for_new_links),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
