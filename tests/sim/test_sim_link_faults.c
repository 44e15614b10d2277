/* Faults of links that are up: half-open and forgotten ones, flapping, black holes, degraded
 * parameters, bytes that arrive late, changed or twice; and how long TCP bears a silence. */
#include "tests/sim/sim_fixture.h"

#define MBIT         1000000ull
#define USER_TIMEOUT (924600 * MS)

struct trio {
    struct sim *sim;
    uint32_t a, b, c;
};

/* Links of 50 ms: a to b, then a to c, since second 1. */
static struct trio trio_new(const struct sim_link_params *params)
{
    struct trio t = {.sim = net_new(1)};
    if (params)
        assert_true(sim_links_default(t.sim, params));
    t.a = host_add(t.sim, "sink", 0, 0);
    t.b = host_add(t.sim, "sink", 0, 0);
    t.c = host_add(t.sim, "sink", 0, 0);
    dial(t.sim, t.a, t.b);
    dial(t.sim, t.a, t.c);
    sim_run_until(t.sim, SECONDS);
    assert_int_equal(link_of(t.sim, t.b, 0)->state, FAKE_UP);
    return t;
}

static void expect_down(const struct sim *sim, uint32_t host, uint32_t why, uint64_t t_ns)
{
    const struct fake_link *link = link_of(sim, host, 0);
    assert_int_equal(link->state, FAKE_DOWN);
    assert_int_equal(link->why, why);
    assert_int_equal(link->down_ns, t_ns);
}

static void
test_a_half_open_link_ends_by_a_reset_when_the_end_that_knows_nothing_sends(void **state)
{
    (void)state;
    struct trio t = trio_new(NULL);
    assert_int_equal(sim_half_open(t.sim, t.a, t.b), 1);
    sim_run_until(t.sim, 100 * SECONDS);
    expect_down(t.sim, t.b, VN_WHY_RESET, SECONDS);
    assert_int_equal(link_of(t.sim, t.a, 0)->state, FAKE_UP);
    submit(t.sim, t.a, 100);
    sim_run_until(t.sim, 101 * SECONDS);
    expect_down(t.sim, t.a, VN_WHY_RESET, 100 * SECONDS + 100 * MS);
    assert_int_equal(link_of(t.sim, t.c, 0)->rx_bytes, 100);
    assert_int_equal(sim_half_open(t.sim, t.a, t.b), 0);
    struct sim_stats stats;
    sim_stats(t.sim, &stats);
    assert_int_equal(stats.links_now, 1);
    sim_free(t.sim);
}

static void test_what_is_under_way_to_a_half_open_end_is_answered_by_a_reset(void **state)
{
    (void)state;
    for (unsigned paced = 0; paced < 2; paced++) {
        struct sim_link_params params;
        sim_link_params_init(&params);
        params.queue_ns = paced ? SECONDS : 0;
        struct trio t = trio_new(&params);
        command(t.sim, t.b, VN_CMD_BAN, 0); /* b reads no more, but its kernel answers */
        submit(t.sim, t.a, 100000);
        sim_run_until(t.sim, SECONDS + 10 * MS);
        sim_half_open(t.sim, t.a, t.b);
        sim_run_until(t.sim, 3 * SECONDS);
        expect_down(t.sim, t.a, VN_WHY_RESET, SECONDS + 100 * MS);
        assert_int_equal(link_of(t.sim, t.b, 0)->rx_bytes, 0);
        sim_free(t.sim);
    }
}

static void test_nobody_hears_of_a_power_cut_until_the_machine_is_back(void **state)
{
    (void)state;
    struct trio t = trio_new(NULL);
    sim_host_power_off(t.sim, t.b);
    sim_run_until(t.sim, 100 * SECONDS);
    submit(t.sim, t.a, 100);
    sim_run_until(t.sim, 110 * SECONDS);
    assert_int_equal(link_of(t.sim, t.a, 0)->state, FAKE_UP);
    sim_host_start(t.sim, t.b, false);
    sim_run_until(t.sim, 120 * SECONDS);
    /* Stopped at 100.05 s; sent again 0.2, 0.6, 1.4, 3, 6.2, 12.6 s later. */
    expect_down(t.sim, t.a, VN_WHY_RESET, 100050 * MS + 12600 * MS + 50 * MS);
    dial(t.sim, t.a, t.b);
    sim_run_until(t.sim, 121 * SECONDS);
    assert_int_equal(link_of(t.sim, t.a, 2)->state, FAKE_UP);
    sim_free(t.sim);
}

static void
test_a_stream_that_cannot_pass_ends_at_its_sender_after_a_quarter_of_an_hour(void **state)
{
    (void)state;
    struct trio t = trio_new(NULL);
    uint32_t cut = sim_cut(t.sim, &t.a, 1, &t.b, 1, false);
    submit(t.sim, t.a, 100);
    sim_run_until(t.sim, SECONDS + USER_TIMEOUT + 40 * MS);
    assert_int_equal(link_of(t.sim, t.a, 0)->state, FAKE_UP);
    sim_run_until(t.sim, 2 * USER_TIMEOUT);
    expect_down(t.sim, t.a, VN_WHY_RESET, SECONDS + USER_TIMEOUT + 50 * MS);
    assert_int_equal(link_of(t.sim, t.b, 0)->state, FAKE_UP);
    sim_cut_heal(t.sim, cut);
    submit(t.sim, t.b, 100);
    sim_run_until(t.sim, 2 * USER_TIMEOUT + SECONDS);
    expect_down(t.sim, t.b, VN_WHY_RESET, 2 * USER_TIMEOUT + 100 * MS);
    assert_int_equal(link_of(t.sim, t.a, 0)->rx_bytes, 0);
    sim_free(t.sim);
}

static void test_a_forgotten_link_passes_nothing_and_a_new_one_does(void **state)
{
    (void)state;
    struct trio t = trio_new(NULL);
    assert_int_equal(sim_forget_links(t.sim, t.a, t.b), 1);
    submit(t.sim, t.a, 100);
    dial(t.sim, t.a, t.b);
    sim_run_until(t.sim, 2 * SECONDS);
    assert_int_equal(link_of(t.sim, t.b, 0)->rx_bytes, 0);
    assert_int_equal(link_of(t.sim, t.a, 0)->state, FAKE_UP);
    submit(t.sim, t.a, 77);
    sim_run_until(t.sim, 3 * SECONDS);
    assert_int_equal(link_of(t.sim, t.b, 0)->rx_bytes, 0);
    assert_int_equal(link_of(t.sim, t.b, 1)->rx_bytes, 77);
    sim_run_until(t.sim, USER_TIMEOUT + 10 * SECONDS);
    expect_down(t.sim, t.a, VN_WHY_RESET, SECONDS + 50 * MS + USER_TIMEOUT);
    assert_int_equal(link_of(t.sim, t.b, 0)->state, FAKE_UP); /* it had nothing to send */
    sim_free(t.sim);
}

static void test_a_flapping_link_passes_bytes_in_between_and_loses_none(void **state)
{
    (void)state;
    struct trio t = trio_new(NULL);
    const struct sim_cut_params flap = {
        .every_ns = 10 * SECONDS, .down_ns = 2 * SECONDS, .lasting_ns = 60 * SECONDS};
    assert_true(sim_cut_with(t.sim, &t.a, 1, &t.b, 1, &flap) > 0); /* down 1..3, 11..13 ... */
    const struct fake_link *got = link_of(t.sim, t.b, 0);
    sim_run_until(t.sim, 2 * SECONDS);
    submit(t.sim, t.a, 10);
    sim_run_until(t.sim, 3 * SECONDS - 1);
    assert_int_equal(got->rx_bytes, 0);
    sim_run_until(t.sim, 5 * SECONDS);
    assert_int_equal(got->rx_bytes, 10);
    submit(t.sim, t.a, 10); /* up: passes at once */
    sim_run_until(t.sim, 5 * SECONDS + 50 * MS);
    assert_int_equal(got->rx_bytes, 20);
    sim_run_until(t.sim, 52 * SECONDS);
    submit(t.sim, t.a, 10);
    sim_run_until(t.sim, 53 * SECONDS - 1);
    assert_int_equal(got->rx_bytes, 20);
    sim_run_until(t.sim, 62 * SECONDS); /* the next would be down from 61 s on */
    submit(t.sim, t.a, 10);
    sim_run_until(t.sim, 62 * SECONDS + 50 * MS);
    assert_int_equal(got->rx_bytes, 40);
    assert_int_equal(got->rx_hash, link_of(t.sim, t.a, 0)->tx_hash);
    sim_free(t.sim);
}

static void test_a_cut_that_lasts_a_while_heals_by_itself(void **state)
{
    (void)state;
    struct trio t = trio_new(NULL);
    const struct sim_cut_params cut = {.lasting_ns = 5 * SECONDS};
    assert_true(sim_cut_with(t.sim, &t.a, 1, &t.b, 1, &cut) > 0);
    submit(t.sim, t.a, 10);
    sim_run_until(t.sim, 6 * SECONDS);
    assert_int_equal(link_of(t.sim, t.b, 0)->rx_bytes, 0);
    sim_run_until(t.sim, 10 * SECONDS);
    assert_int_equal(link_of(t.sim, t.b, 0)->rx_bytes, 10);
    sim_free(t.sim);
}

static void test_a_black_hole_swallows_all_even_for_hosts_that_come_later(void **state)
{
    (void)state;
    struct trio t = trio_new(NULL);
    const struct sim_cut_params params = {0};
    uint32_t hole = sim_cut_with(t.sim, &t.a, 1, NULL, 0, &params);
    uint32_t later = host_add(t.sim, "sink", 0, 0);
    dial(t.sim, t.a, later);
    dial(t.sim, t.b, t.c);
    submit(t.sim, t.a, 100);
    sim_run_until(t.sim, 60 * SECONDS);
    assert_int_equal(link_of(t.sim, t.b, 0)->rx_bytes, 0);
    assert_int_equal(link_of(t.sim, t.c, 0)->rx_bytes, 0);
    assert_int_equal(link_of(t.sim, t.a, 2)->state, FAKE_DIALLING);
    assert_int_equal(link_of(t.sim, t.b, 1)->state, FAKE_UP); /* others talk */
    sim_cut_heal(t.sim, hole);
    sim_run_until(t.sim, 200 * SECONDS);
    assert_int_equal(link_of(t.sim, t.b, 0)->rx_bytes, 100);
    assert_int_equal(link_of(t.sim, t.a, 2)->state, FAKE_UP);
    sim_free(t.sim);
}

/* How long a message of `len` bytes takes from a to b. */
static uint64_t trip_ns(struct trio *t, uint32_t len)
{
    uint64_t began_ns = sim_now_ns(t->sim);
    submit(t->sim, t->a, len);
    sim_run_until(t->sim, began_ns + 100 * SECONDS);
    return link_of(t->sim, t->b, 0)->last_rx_ns - began_ns;
}

static void test_links_that_are_up_degrade_and_recover(void **state)
{
    (void)state;
    struct trio t = trio_new(NULL);
    struct sim_degrade slow = {.fields = SIM_DEGRADE_LATENCY | SIM_DEGRADE_RATE};
    sim_link_params_init(&slow.to);
    slow.to.latency.a = 0.3;
    slow.to.rate_bps = MBIT / 10;
    assert_int_equal(trip_ns(&t, 10000), 50 * MS);
    uint32_t id = sim_degrade(t.sim, &t.a, 1, &t.b, 1, &slow);
    assert_true(id > 0);
    assert_in_range(trip_ns(&t, 10000), 1100 * MS, 1200 * MS);
    dial(t.sim, t.a, t.b); /* one that is made meanwhile */
    sim_run_until(t.sim, sim_now_ns(t.sim) + 10 * SECONDS);
    const struct fake_link *later = link_of(t.sim, t.b, 1);
    assert_int_equal(later->up_ns, sim_now_ns(t.sim) - 10 * SECONDS + 900 * MS);
    assert_int_equal(link_of(t.sim, t.c, 0)->last_rx_ns, 101 * SECONDS + 50 * MS); /* not c's */
    sim_restore(t.sim, id);
    uint64_t began_ns = sim_now_ns(t.sim);
    assert_int_equal(trip_ns(&t, 1000), 50 * MS);
    assert_int_equal(later->last_rx_ns, began_ns + 50 * MS);
    sim_free(t.sim);
}

static void test_of_two_that_degrade_a_link_the_latest_wins_and_each_ends_in_its_time(void **state)
{
    (void)state;
    struct trio t = trio_new(NULL);
    struct sim_degrade one = {.fields = SIM_DEGRADE_LATENCY, .lasting_ns = 1000 * SECONDS};
    sim_link_params_init(&one.to);
    one.to.latency.a = 1;
    struct sim_degrade two = one;
    two.to.latency.a = 2;
    two.lasting_ns = 150 * SECONDS;
    assert_true(sim_degrade(t.sim, &t.a, 1, &t.b, 1, &one) > 0);
    assert_int_equal(trip_ns(&t, 10), SECONDS);
    assert_true(sim_degrade(t.sim, &t.b, 1, &t.a, 1, &two) > 0);
    assert_int_equal(trip_ns(&t, 10), 2 * SECONDS);
    sim_run_until(t.sim, 300 * SECONDS);
    assert_int_equal(trip_ns(&t, 10), SECONDS);
    sim_run_until(t.sim, 1100 * SECONDS);
    assert_int_equal(trip_ns(&t, 10), 50 * MS);
    sim_free(t.sim);
}

static void test_reordered_deliveries_are_overtaken_on_other_links_only(void **state)
{
    (void)state;
    struct sim_link_params params;
    sim_link_params_init(&params);
    params.reorder = 0.25;
    params.reorder_by = (struct sim_dist){.kind = SIM_CONSTANT, .a = 0.03};
    struct sim *sim = net_new(3);
    assert_true(sim_links_default(sim, &params));
    uint32_t a = host_add(sim, "sink", 0, 0);
    uint32_t b = host_add(sim, "sink", 0, 0);
    dial(sim, a, b);
    dial(sim, a, b);
    sim_run_until(sim, SECONDS);
    uint32_t late = 0;
    uint32_t overtaken = 0;
    for (uint32_t i = 1; i <= 400; i++) {
        submit(sim, a, i); /* on both links at once */
        sim_run_until(sim, (1 + i) * SECONDS);
        uint64_t first_ns = link_of(sim, b, 0)->last_rx_ns - i * SECONDS;
        uint64_t second_ns = link_of(sim, b, 1)->last_rx_ns - i * SECONDS;
        assert_true(first_ns == 50 * MS || first_ns == 80 * MS);
        late += first_ns > 50 * MS;
        overtaken += first_ns > second_ns;
    }
    assert_in_range(late, 70, 130);
    assert_in_range(overtaken, 45, 105);
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(link_of(sim, b, i)->rx_hash, link_of(sim, a, i)->tx_hash);
    sim_free(sim);
}

static void test_corrupted_bytes_reach_one_receiver_and_spoil_nobody_elses(void **state)
{
    (void)state;
    struct trio t = trio_new(NULL);
    struct sim_degrade bad = {.fields = SIM_DEGRADE_CORRUPT};
    sim_link_params_init(&bad.to);
    bad.to.corrupt = 1;
    submit(t.sim, t.a, 1000);
    sim_run_until(t.sim, 2 * SECONDS);
    assert_false(sim_mangled(t.sim, t.a, t.b));
    uint32_t id = sim_degrade(t.sim, &t.a, 1, &t.b, 1, &bad);
    submit(t.sim, t.a, 1000); /* one buffer for both */
    sim_run_until(t.sim, 3 * SECONDS);
    const struct fake_link *b = link_of(t.sim, t.b, 0);
    const struct fake_link *c = link_of(t.sim, t.c, 0);
    assert_int_equal(b->rx_bytes, 2000);
    assert_int_not_equal(b->rx_hash, link_of(t.sim, t.a, 0)->tx_hash);
    assert_int_equal(c->rx_hash, link_of(t.sim, t.a, 1)->tx_hash);
    assert_true(sim_mangled(t.sim, t.a, t.b) && sim_mangled(t.sim, t.b, t.a));
    assert_false(sim_mangled(t.sim, t.a, t.c));
    sim_restore(t.sim, id);
    assert_true(sim_mangled(t.sim, t.a, t.b)); /* what came is not forgotten */
    sim_free(t.sim);
}

static void test_a_share_of_the_deliveries_comes_with_a_piece_twice(void **state)
{
    (void)state;
    struct sim_link_params params;
    sim_link_params_init(&params);
    params.duplicate = 0.1;
    struct trio t = trio_new(&params);
    uint32_t twice = 0;
    uint64_t before = 0;
    for (uint64_t i = 0; i < 2000; i++) {
        submit(t.sim, t.a, 100);
        sim_run_until(t.sim, (2 + i) * SECONDS);
        uint64_t got = link_of(t.sim, t.b, 0)->rx_bytes - before;
        before += got;
        assert_in_range(got, 100, 200);
        twice += got > 100;
    }
    assert_in_range(twice, 150, 250);
    sim_free(t.sim);
}

static void test_what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    struct trio t = trio_new(NULL);
    struct sim_cut_params cut = {.every_ns = SECONDS, .down_ns = SECONDS};
    assert_int_equal(sim_cut_with(t.sim, &t.a, 1, &t.b, 1, &cut), 0);
    cut = (struct sim_cut_params){.every_ns = SECONDS};
    assert_int_equal(sim_cut_with(t.sim, &t.a, 1, &t.b, 1, &cut), 0);
    struct sim_link_params bad[5];
    for (unsigned i = 0; i < 5; i++)
        sim_link_params_init(&bad[i]);
    bad[0].corrupt = 1.5;
    bad[1].queue_bytes = SIM_QUEUE_MIN - 1;
    bad[2].queue_bytes = SIM_QUEUE_MIN;
    bad[2].queue_ns = 1;
    bad[3].reorder = -0.1;
    bad[4].duplicate = 2;
    for (unsigned i = 0; i < 5; i++) {
        struct sim_degrade degrade = {.fields = UINT32_MAX, .to = bad[i]};
        assert_false(sim_links_default(t.sim, &bad[i]));
        assert_int_equal(sim_degrade(t.sim, &t.a, 1, &t.b, 1, &degrade), 0);
    }
    assert_int_equal(sim_half_open(t.sim, t.a, t.a), 0);
    assert_int_equal(sim_forget_links(t.sim, t.a, 99), 0);
    sim_free(t.sim);
}

static void test_a_reset_behind_bytes_in_a_downlink_does_not_let_them_pass_it_twice(void **state)
{
    (void)state;
    struct sim *sim = net_new(1);
    links(sim, 0.02, 0, 0);
    const uint32_t a = host_add(sim, "sink", 0, 0), b = host_add(sim, "sink", 0, 1000000);
    dial(sim, a, b);
    sim_run_until(sim, SECONDS);
    submit(sim, a, 30000); /* 240 ms in the downlink of b */
    sim_run_until(sim, SECONDS + 10 * MS);
    assert_int_equal(sim_half_open(sim, b, a), 1);
    sim_run_until(sim, SECONDS + 30 * MS);
    submit(sim, b, 10); /* a's answer, the reset, is there at 1.07 s */
    const struct fake_link *got = link_of(sim, b, 0);
    sim_run_until(sim, SECONDS + 259 * MS);
    assert_int_equal(got->rx_bytes, 0);
    sim_run_until(sim, SECONDS + 260 * MS);
    assert_int_equal(got->rx_bytes, 30000);
    assert_int_equal(got->state, FAKE_DOWN);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_a_half_open_link_ends_by_a_reset_when_the_end_that_knows_nothing_sends),
        cmocka_unit_test(test_what_is_under_way_to_a_half_open_end_is_answered_by_a_reset),
        cmocka_unit_test(test_nobody_hears_of_a_power_cut_until_the_machine_is_back),
        cmocka_unit_test(
            test_a_stream_that_cannot_pass_ends_at_its_sender_after_a_quarter_of_an_hour),
        cmocka_unit_test(test_a_forgotten_link_passes_nothing_and_a_new_one_does),
        cmocka_unit_test(test_a_flapping_link_passes_bytes_in_between_and_loses_none),
        cmocka_unit_test(test_a_cut_that_lasts_a_while_heals_by_itself),
        cmocka_unit_test(test_a_black_hole_swallows_all_even_for_hosts_that_come_later),
        cmocka_unit_test(test_links_that_are_up_degrade_and_recover),
        cmocka_unit_test(test_of_two_that_degrade_a_link_the_latest_wins_and_each_ends_in_its_time),
        cmocka_unit_test(test_reordered_deliveries_are_overtaken_on_other_links_only),
        cmocka_unit_test(test_corrupted_bytes_reach_one_receiver_and_spoil_nobody_elses),
        cmocka_unit_test(test_a_share_of_the_deliveries_comes_with_a_piece_twice),
        cmocka_unit_test(test_what_makes_no_sense_is_refused),
        cmocka_unit_test(test_a_reset_behind_bytes_in_a_downlink_does_not_let_them_pass_it_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
