/* Links between regions: by the pair, in both directions, and against rules and the default. */
#include "tests/sim/sim_fixture.h"

static uint32_t host_in(struct sim *sim, uint8_t region)
{
    struct vn_config config = {.size = sizeof config};
    struct sim_host_params params = {.region = region};
    char why[100];
    memcpy(config.node_id, "sink", 5);
    uint32_t host = sim_host_add(sim, &config, &params, why, sizeof why);
    assert_int_not_equal(host, UINT32_MAX);
    return host;
}

static bool between(struct sim *sim, uint32_t a, uint32_t b, double latency)
{
    struct sim_link_params params;
    sim_link_params_init(&params);
    params.latency.a = latency;
    return sim_links_regions(sim, a, b, &params);
}

/* How long connecting takes, in ms. */
static uint64_t connect_ms(struct sim *sim, uint32_t from, uint32_t to)
{
    uint64_t began = sim_now_ns(sim);
    uint32_t before = sim_node(sim, from)->link_count;
    dial(sim, from, to);
    sim_run_until(sim, began + SECONDS);
    return (link_of(sim, from, before)->up_ns - began) / MS;
}

static void test_links_between_regions_go_by_the_pair_in_both_directions(void **state)
{
    (void)state;
    struct sim *sim = net_new(1);
    assert_true(between(sim, 1, 2, 0.010));
    assert_true(between(sim, 1, 1, 0.003));
    uint32_t a = host_in(sim, 1); /* hosts of later count as well */
    uint32_t b = host_in(sim, 2);
    uint32_t c = host_in(sim, 1);
    assert_int_equal(connect_ms(sim, a, b), 20);
    assert_int_equal(connect_ms(sim, b, a), 20);
    assert_int_equal(connect_ms(sim, a, c), 6);
    assert_true(between(sim, 2, 1, 0.040));
    assert_int_equal(connect_ms(sim, a, b), 80);
    sim_free(sim);
}

static void test_pairs_of_regions_without_parameters_have_the_default(void **state)
{
    (void)state;
    struct sim *sim = net_new(1);
    uint32_t a = host_in(sim, 1);
    uint32_t b = host_in(sim, SIM_REGIONS_MAX);
    uint32_t nowhere = host_in(sim, 0);
    assert_true(between(sim, 1, 1, 0.010));
    assert_int_equal(connect_ms(sim, a, b), 100);
    assert_int_equal(connect_ms(sim, a, nowhere), 100);
    assert_int_equal(connect_ms(sim, nowhere, b), 100);
    sim_free(sim);
}

static void test_a_rule_between_sets_wins_over_regions(void **state)
{
    (void)state;
    struct sim *sim = net_new(1);
    uint32_t a = host_in(sim, 1);
    uint32_t b = host_in(sim, 2);
    uint32_t c = host_in(sim, 2);
    struct sim_link_params params;
    sim_link_params_init(&params);
    params.latency.a = 0.001;
    assert_true(sim_links_between(sim, &a, 1, &b, 1, &params));
    assert_true(between(sim, 1, 2, 0.010));
    assert_int_equal(connect_ms(sim, a, b), 2);
    assert_int_equal(connect_ms(sim, a, c), 20);
    sim_free(sim);
}

static void test_regions_and_parameters_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    struct sim *sim = net_new(1);
    assert_false(between(sim, 0, 1, 0.010));
    assert_false(between(sim, 1, SIM_REGIONS_MAX + 1, 0.010));
    assert_false(between(sim, 1, 1, -1));
    assert_true(between(sim, SIM_REGIONS_MAX, SIM_REGIONS_MAX, 0.010));
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_links_between_regions_go_by_the_pair_in_both_directions),
        cmocka_unit_test(test_pairs_of_regions_without_parameters_have_the_default),
        cmocka_unit_test(test_a_rule_between_sets_wins_over_regions),
        cmocka_unit_test(test_regions_and_parameters_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
