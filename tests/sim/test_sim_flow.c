/* How fast and in what order bytes flow: bandwidth, jitter, loss, the window. */
#include "tests/sim/sim_fixture.h"

#define MBIT 1000000ull

static void assert_between(uint64_t x, uint64_t low, uint64_t high)
{
    if (x < low || x > high)
        fail_msg("%.6f s is not within %.6f..%.6f s", (double)x * 1e-9, (double)low * 1e-9,
                 (double)high * 1e-9);
}

/* Sends 1 MB from a to b, a second after the start; returns how long the last byte took. */
static uint64_t megabyte(uint64_t up, uint64_t rate, uint64_t down, uint32_t window)
{
    struct sim_config config;
    sim_config_init(&config);
    config.window = window;
    struct sim *sim = sim_new(&config);
    links(sim, 0.001, 0, rate);
    uint32_t a = host_add(sim, "sink", up, 0);
    uint32_t b = host_add(sim, "sink", 0, down);
    dial(sim, a, b);
    sim_run_until(sim, SECONDS);
    submit(sim, a, 1000000);
    sim_run_until(sim, 100 * SECONDS);
    assert_int_equal(link_of(sim, b, 0)->rx_bytes, 1000000);
    uint64_t took = link_of(sim, b, 0)->last_rx_ns - SECONDS;
    sim_free(sim);
    return took;
}

static void test_a_megabyte_takes_a_second_at_eight_megabits(void **state)
{
    (void)state;
    const uint32_t window = 256 * 1024;
    assert_int_equal(megabyte(0, 0, 0, 2000000), MS);
    /* Each window is one delivery; its refund takes a round trip. */
    assert_between(megabyte(8 * MBIT, 0, 0, window), SECONDS, SECONDS + 20 * MS);
    assert_between(megabyte(0, 8 * MBIT, 0, window), SECONDS, SECONDS + 20 * MS);
    assert_between(megabyte(0, 0, 8 * MBIT, window), SECONDS, SECONDS + 20 * MS);
    assert_int_equal(megabyte(8 * MBIT, 0, 0, 2000000), SECONDS + MS);
}

static void test_pipes_in_a_row_do_not_add_up(void **state)
{
    (void)state;
    assert_int_equal(megabyte(8 * MBIT, 8 * MBIT, 8 * MBIT, 2000000), SECONDS + MS);
    assert_int_equal(megabyte(16 * MBIT, 8 * MBIT, 12 * MBIT, 2000000), SECONDS + MS);
    assert_int_equal(megabyte(16 * MBIT, 0, 8 * MBIT, 2000000), SECONDS + MS);
}

static void test_two_senders_share_a_downlink(void **state)
{
    (void)state;
    struct sim *sim = net_new(1);
    links(sim, 0.001, 0, 0);
    uint32_t a = host_add(sim, "sink", 0, 0);
    uint32_t b = host_add(sim, "sink", 0, 0);
    uint32_t c = host_add(sim, "sink", 0, 8 * MBIT);
    dial(sim, a, c);
    dial(sim, b, c);
    sim_run_until(sim, SECONDS);
    submit(sim, a, 1000000);
    submit(sim, b, 1000000);
    sim_run_until(sim, 100 * SECONDS);
    for (uint32_t i = 0; i < 2; i++) {
        const struct fake_link *link = link_of(sim, c, i);
        assert_int_equal(link->rx_bytes, 1000000);
        assert_int_equal(link->rx_hash, link_of(sim, i == 0 ? a : b, 0)->tx_hash);
        assert_between(link->last_rx_ns, SECONDS + 1700 * MS, SECONDS + 2050 * MS);
    }
    sim_free(sim);
}

static void test_an_uplink_is_shared_by_the_links_of_its_host(void **state)
{
    (void)state;
    struct sim *sim = net_new(1);
    links(sim, 0.001, 0, 0);
    uint32_t a = host_add(sim, "sink", 8 * MBIT, 0);
    for (uint32_t i = 1; i <= 4; i++) {
        host_add(sim, "sink", 0, 0);
        dial(sim, a, i);
    }
    sim_run_until(sim, SECONDS);
    submit(sim, a, 100000);
    sim_run_until(sim, 10 * SECONDS);
    for (uint32_t i = 1; i <= 4; i++)
        assert_int_equal(link_of(sim, i, 0)->last_rx_ns, SECONDS + i * 100 * MS + MS);
    sim_free(sim);
}

static void test_the_window_bounds_what_a_sender_has_under_way(void **state)
{
    (void)state;
    struct sim *sim = net_new(1);
    uint32_t a = host_add(sim, "sink", 0, 0);
    uint32_t b = host_add(sim, "sink", 0, 0);
    dial(sim, a, b);
    sim_run_until(sim, SECONDS);
    command(sim, b, VN_CMD_BAN, 0); /* reads no more */
    submit(sim, a, 1000000);
    sim_run_until(sim, 60 * SECONDS);
    assert_int_equal(link_of(sim, a, 0)->used, 256 * 1024);
    assert_int_equal(link_of(sim, a, 0)->tx_bytes, 256 * 1024);
    assert_int_equal(link_of(sim, b, 0)->rx_bytes, 0);
    command(sim, b, VN_CMD_UNBAN, 0);
    sim_run_until(sim, 60 * SECONDS); /* what waited comes at this very time */
    assert_int_equal(link_of(sim, b, 0)->rx_bytes, 256 * 1024);
    sim_run_until(sim, 61 * SECONDS);
    assert_int_equal(link_of(sim, b, 0)->rx_bytes, 1000000);
    assert_int_equal(link_of(sim, b, 0)->rx_hash, link_of(sim, a, 0)->tx_hash);
    assert_int_equal(link_of(sim, a, 0)->used_max, 256 * 1024);
    sim_free(sim);
}

static void test_a_small_window_never_leaves_a_sender_stuck(void **state)
{
    (void)state;
    for (uint32_t window = 4096; window < 4100; window++) {
        struct sim_config config;
        sim_config_init(&config);
        config.window = window;
        config.chunk_chance = 0.5;
        struct sim *sim = sim_new(&config);
        uint32_t a = host_add(sim, "sink", 0, 0);
        uint32_t b = host_add(sim, "echo", 0, 0);
        dial(sim, a, b);
        sim_run_until(sim, SECONDS);
        for (uint32_t i = 1; i < 60; i++)
            submit(sim, a, i * 97);
        sim_run_until(sim, 100 * SECONDS);
        assert_int_equal(link_of(sim, a, 0)->rx_bytes, 97 * 59 * 30);
        assert_int_equal(link_of(sim, a, 0)->rx_hash, link_of(sim, a, 0)->tx_hash);
        assert_true(link_of(sim, a, 0)->used < (window + 1) / 2);
        sim_free(sim);
    }
}

static void test_a_reader_that_stopped_still_hears_a_reset(void **state)
{
    (void)state;
    struct sim *sim = net_new(1);
    uint32_t a = host_add(sim, "sink", 0, 0);
    uint32_t b = host_add(sim, "sink", 0, 0);
    dial(sim, a, b);
    sim_run_until(sim, SECONDS);
    command(sim, b, VN_CMD_BAN, 0);
    submit(sim, a, 1000);
    sim_run_until(sim, 2 * SECONDS);
    sim_host_kill(sim, a);
    sim_run_until(sim, 3 * SECONDS);
    assert_int_equal(link_of(sim, b, 0)->why, VN_WHY_RESET);
    assert_int_equal(link_of(sim, b, 0)->down_ns, 2050 * MS);
    sim_free(sim);
}

static void test_jitter_delays_but_never_reorders(void **state)
{
    (void)state;
    struct sim *sim = net_new(1);
    struct sim_link_params params;
    sim_link_params_init(&params);
    params.latency = (struct sim_dist){.kind = SIM_UNIFORM, .a = 0.010, .b = 0.020};
    params.jitter = (struct sim_dist){.kind = SIM_EXPONENTIAL, .a = 0.030};
    assert_true(sim_links_default(sim, &params));
    uint32_t a = host_add(sim, "sink", 0, 0);
    uint32_t b = host_add(sim, "sink", 0, 0);
    dial(sim, a, b);
    sim_run_until(sim, SECONDS);
    uint64_t t_ns = SECONDS;
    uint64_t total_ns = 0;
    for (uint32_t i = 0; i < 300; i++) {
        submit(sim, a, 10 + i);
        sim_run_until(sim, t_ns + 500 * MS);
        total_ns += link_of(sim, b, 0)->last_rx_ns - t_ns;
        t_ns += 500 * MS;
    }
    for (uint32_t i = 0; i < 300; i++) {
        submit(sim, a, 10 + i);
        sim_run_until(sim, t_ns += MS);
    }
    sim_run_until(sim, t_ns + SECONDS);
    assert_int_equal(link_of(sim, b, 0)->rx_hash, link_of(sim, a, 0)->tx_hash);
    assert_between(total_ns / 300, 36 * MS, 54 * MS);
    sim_free(sim);
}

/* The mean delay of 2000 lonely messages of `len` bytes over 10 ms. */
static uint64_t mean_delay(double loss, uint32_t len)
{
    struct sim *sim = net_new(5);
    links(sim, 0.010, 0, 0);
    uint32_t a = host_add(sim, "sink", 0, 0);
    uint32_t b = host_add(sim, "sink", 0, 0);
    links(sim, 0.010, loss, 0);
    dial(sim, a, b);
    sim_run_until(sim, 200 * SECONDS);
    uint64_t t_ns = 200 * SECONDS;
    uint64_t total_ns = 0;
    for (uint32_t i = 0; i < 2000; i++) {
        submit(sim, a, len);
        sim_run_until(sim, t_ns + 100 * SECONDS);
        total_ns += link_of(sim, b, 0)->last_rx_ns - t_ns;
        t_ns += 100 * SECONDS;
    }
    assert_int_equal(link_of(sim, b, 0)->rx_hash, link_of(sim, a, 0)->tx_hash);
    sim_free(sim);
    return total_ns / 2000;
}

static void test_loss_delays_by_retransmission_and_loses_nothing(void **state)
{
    (void)state;
    assert_int_equal(mean_delay(0, 100), 10 * MS);
    /* One segment: p (200 + p 400 + ...) = 0.1 * 200 / (1 - 2 * 0.1) = 25 ms on average, nearly:
     * the first wait is the timeout, each further one twice that. */
    assert_between(mean_delay(0.1, 100), 31 * MS, 41 * MS);
    /* 60 segments without a loss are three rounds of slow start, 50 ms; a loss leaves a window of
     * about five, which needs some eight rounds of 20 ms for each of the next messages. */
    assert_between(mean_delay(0.01, 60 * 1460), 80 * MS, 170 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_megabyte_takes_a_second_at_eight_megabits),
        cmocka_unit_test(test_pipes_in_a_row_do_not_add_up),
        cmocka_unit_test(test_two_senders_share_a_downlink),
        cmocka_unit_test(test_an_uplink_is_shared_by_the_links_of_its_host),
        cmocka_unit_test(test_the_window_bounds_what_a_sender_has_under_way),
        cmocka_unit_test(test_a_small_window_never_leaves_a_sender_stuck),
        cmocka_unit_test(test_a_reader_that_stopped_still_hears_a_reset),
        cmocka_unit_test(test_jitter_delays_but_never_reorders),
        cmocka_unit_test(test_loss_delays_by_retransmission_and_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
