/* Faults of a host: a process that stands still, a wall clock that is wrong. The fake node asserts
 * at every event what a driver promises, whatever the fault. */
#include "tests/sim/sim_fixture.h"

#define START_NS (1744100000 * SECONDS) /* the wall clock at t = 0 */

/* ---- pause ---- */

/* Two hosts with a link, made by a; *b stands still from 1 s on. */
static struct sim *pair_with_b_paused(uint32_t *a, uint32_t *b)
{
    struct sim *sim = net_new(1);
    *a = host_add(sim, "sink-a", 0, 0);
    *b = host_add(sim, "sink-b", 0, 0);
    dial(sim, *a, *b);
    sim_run_until(sim, SECONDS);
    assert_true(sim_host_pause(sim, *b));
    assert_true(sim_host_paused(sim, *b));
    return sim;
}

static void test_a_paused_node_hears_nothing_and_the_senders_window_fills(void **state)
{
    (void)state;
    uint32_t a, b;
    struct sim *sim = pair_with_b_paused(&a, &b);
    submit(sim, a, 1000000);
    sim_run_until(sim, 10 * SECONDS);
    const struct fake_link *from = link_of(sim, a, 0);
    assert_int_equal(link_of(sim, b, 0)->rx_bytes, 0);
    assert_int_equal(from->used, from->window);
    assert_int_equal(from->state, FAKE_UP);
    assert_int_equal(sim_node(sim, b)->now_ns, 100 * MS + 50 * MS);
    assert_true(sim_host_resume(sim, b));
    sim_run_until(sim, 20 * SECONDS);
    from = link_of(sim, a, 0);
    assert_int_equal(link_of(sim, b, 0)->first_rx_ns, 10 * SECONDS);
    assert_int_equal(link_of(sim, b, 0)->rx_bytes, 1000000);
    assert_int_equal(link_of(sim, b, 0)->rx_hash, from->tx_hash);
    sim_free(sim);
}

static void test_what_has_piled_up_comes_before_the_timers_that_are_due(void **state)
{
    (void)state;
    uint32_t a, b;
    struct sim *sim = pair_with_b_paused(&a, &b);
    sim_host_resume(sim, b);
    command(sim, b, VN_CMD_MINE_INTERVAL, SECONDS);
    sim_run_until(sim, 1500 * MS);
    sim_host_pause(sim, b);
    submit(sim, a, 100);
    sim_run_until(sim, 7 * SECONDS);
    assert_int_equal(sim_node(sim, b)->timers, 0);
    sim_host_resume(sim, b);
    sim_run_until(sim, 7 * SECONDS);
    assert_int_equal(link_of(sim, b, 0)->rx_bytes, 100);
    assert_int_equal(sim_node(sim, b)->timers, 0);
    sim_run_until(sim, 7 * SECONDS + MS);
    assert_int_equal(sim_node(sim, b)->timers, 1);
    sim_run_until(sim, 9500 * MS); /* the monotonic clock has moved on: one each second again */
    assert_int_equal(sim_node(sim, b)->timers, 3);
    sim_free(sim);
}

static void test_refunds_and_ends_of_links_wait_for_the_resume(void **state)
{
    (void)state;
    uint32_t a, b;
    struct sim *sim = pair_with_b_paused(&a, &b);
    sim_host_resume(sim, b);
    submit(sim, b, 1000000); /* more than a window */
    sim_host_pause(sim, b);
    sim_run_until(sim, 5 * SECONDS);
    uint64_t sent = link_of(sim, b, 0)->tx_bytes;
    assert_int_equal(link_of(sim, a, 0)->rx_bytes, sent); /* the kernel sent what it had */
    assert_true(sent < 1000000);
    sim_host_resume(sim, b);
    sim_run_until(sim, 10 * SECONDS);
    assert_int_equal(link_of(sim, a, 0)->rx_bytes, 1000000);
    sim_host_pause(sim, b);
    submit(sim, a, 777);
    command(sim, a, VN_CMD_DISCONNECT, 0);
    sim_run_until(sim, 20 * SECONDS);
    assert_int_equal(link_of(sim, b, 0)->state, FAKE_UP);
    sim_host_resume(sim, b);
    sim_run_until(sim, 30 * SECONDS);
    assert_int_equal(link_of(sim, b, 0)->rx_bytes, 777);
    assert_int_equal(link_of(sim, b, 0)->why, VN_WHY_REMOTE_CLOSED);
    assert_int_equal(link_of(sim, b, 0)->down_ns, 20 * SECONDS);
    sim_free(sim);
}

static void test_a_reset_while_paused_is_heard_once_after_what_came_before(void **state)
{
    (void)state;
    uint32_t a, b;
    struct sim *sim = pair_with_b_paused(&a, &b);
    submit(sim, a, 5);
    sim_run_until(sim, 2 * SECONDS);
    sim_host_kill(sim, a);
    sim_run_until(sim, 3 * SECONDS);
    sim_host_resume(sim, b);
    sim_run_until(sim, 4 * SECONDS);
    assert_int_equal(link_of(sim, b, 0)->rx_bytes, 5);
    assert_int_equal(link_of(sim, b, 0)->why, VN_WHY_RESET);
    assert_int_equal(link_of(sim, b, 0)->downs, 1);
    sim_free(sim);
}

static void test_the_kernel_of_a_paused_host_answers_up_to_its_backlog(void **state)
{
    (void)state;
    uint32_t a, b;
    struct sim *sim = pair_with_b_paused(&a, &b);
    for (uint32_t i = 0; i < SIM_BACKLOG + 1; i++)
        dial(sim, a, b);
    sim_run_until(sim, 2 * SECONDS);
    assert_int_equal(link_of(sim, a, SIM_BACKLOG)->state, FAKE_UP);
    assert_int_equal(link_of(sim, a, SIM_BACKLOG + 1)->state, FAKE_DIALLING);
    assert_int_equal(sim_node(sim, b)->link_count, 1);
    submit(sim, a, 10);
    sim_run_until(sim, 5 * SECONDS);
    sim_host_resume(sim, b);
    sim_run_until(sim, 6 * SECONDS);
    assert_int_equal(sim_node(sim, b)->link_count, SIM_BACKLOG + 1);
    assert_int_equal(link_of(sim, b, 1)->up_ns, 5 * SECONDS);
    assert_int_equal(link_of(sim, b, 1)->rx_bytes, 10);
    sim_run_until(sim, 20 * SECONDS); /* its SYN is sent again at 7 s after the first */
    assert_int_equal(link_of(sim, a, SIM_BACKLOG + 1)->state, FAKE_UP);
    sim_free(sim);
}

static void test_what_a_paused_node_dialled_connects_and_is_heard_of_later(void **state)
{
    (void)state;
    struct sim *sim = net_new(1);
    uint32_t a = host_add(sim, "sink", 0, 0);
    uint32_t b = host_add(sim, "sink", 0, 0);
    uint32_t c = host_add(sim, "sink", 0, 0);
    dial(sim, a, b);
    dial(sim, a, c);
    sim_host_pause(sim, a);
    sim_run_until(sim, SECONDS);
    assert_int_equal(link_of(sim, b, 0)->state, FAKE_UP);
    assert_int_equal(link_of(sim, a, 0)->state, FAKE_DIALLING);
    submit(sim, b, 50);
    sim_run_until(sim, 2 * SECONDS);
    assert_int_equal(sim_reset_links(sim, a, c), 1);
    sim_host_resume(sim, a);
    sim_run_until(sim, 3 * SECONDS);
    assert_int_equal(link_of(sim, a, 0)->up_ns, 2 * SECONDS);
    assert_int_equal(link_of(sim, a, 0)->rx_bytes, 50);
    assert_int_equal(link_of(sim, a, 1)->state, FAKE_DOWN);
    assert_int_equal(link_of(sim, c, 0)->state, FAKE_DOWN);
    sim_free(sim);
}

static void test_a_paused_host_can_be_killed_and_starts_running(void **state)
{
    (void)state;
    uint32_t a, b;
    struct sim *sim = pair_with_b_paused(&a, &b);
    submit(sim, a, 100);
    dial(sim, a, b);
    sim_run_until(sim, 2 * SECONDS);
    sim_host_kill(sim, b);
    assert_false(sim_host_paused(sim, b));
    assert_false(sim_host_resume(sim, b));
    sim_run_until(sim, 3 * SECONDS);
    assert_int_equal(link_of(sim, a, 0)->why, VN_WHY_RESET);
    assert_int_equal(link_of(sim, a, 1)->why, VN_WHY_RESET);
    sim_host_start(sim, b, false);
    dial(sim, a, b);
    sim_run_until(sim, 4 * SECONDS);
    assert_int_equal(link_of(sim, b, 0)->state, FAKE_UP);
    sim_free(sim);
}

static void test_a_paused_node_takes_no_command_and_no_answer_of_its_disk(void **state)
{
    (void)state;
    struct sim *sim = net_new(1);
    uint32_t a = host_add(sim, "sink", 0, 0);
    command(sim, a, VN_CMD_MINE, 5);
    sim_host_pause(sim, a);
    assert_int_equal(sim_command(sim, a, &(struct vn_command){.kind = VN_CMD_MINE}), 0);
    assert_false(sim_host_pause(sim, a));
    sim_run_until(sim, SECONDS);
    assert_int_equal(sim_node(sim, a)->stored_ok, 0);
    sim_host_resume(sim, a);
    assert_false(sim_host_resume(sim, a));
    sim_run_until(sim, SECONDS);
    assert_int_equal(sim_node(sim, a)->stored_ok, 1);
    assert_false(sim_host_pause(sim, 9));
    sim_free(sim);
}

/* ---- clocks ---- */

static uint64_t wall(const struct sim *sim, uint32_t host)
{
    return sim_node(sim, host)->wall_ns;
}

static void test_a_clock_jumps_when_it_is_set_and_stays_set_over_a_restart(void **state)
{
    (void)state;
    struct sim *sim = net_new(1);
    uint32_t a = host_add(sim, "sink", 0, 0);
    uint32_t b = host_add(sim, "sink", 0, 0);
    sim_run_until(sim, 5 * SECONDS);
    const struct sim_clock behind = {.skew_ns = -7200 * (int64_t)SECONDS};
    assert_true(sim_host_clock(sim, a, &behind));
    assert_int_equal(wall(sim, a), START_NS + 5 * SECONDS - 7200 * SECONDS);
    assert_int_equal(sim_node(sim, a)->now_ns, 5 * SECONDS);
    assert_int_equal(sim_node(sim, b)->clocks, 1);
    sim_run_until(sim, 10 * SECONDS);
    assert_int_equal(sim_node(sim, a)->clocks, 2); /* no event while it only is off */
    sim_host_kill(sim, a);
    sim_host_start(sim, a, false);
    assert_int_equal(wall(sim, a), START_NS + 10 * SECONDS - 7200 * SECONDS);
    assert_true(sim_host_clock(sim, a, &(struct sim_clock){0}));
    assert_int_equal(wall(sim, a), START_NS + 10 * SECONDS);
    uint64_t clocks = sim_node(sim, a)->clocks;
    assert_true(sim_host_clock(sim, a, &(struct sim_clock){0}));
    assert_true(sim_host_clock(sim, b, &(struct sim_clock){0}));
    assert_int_equal(sim_node(sim, a)->clocks, clocks); /* nothing changed: nothing is told */
    assert_int_equal(sim_node(sim, b)->clocks, 1);
    sim_free(sim);
}

static void test_drift_is_exact_however_long_it_lasts(void **state)
{
    (void)state;
    static const int32_t ppm[] = {1, -1, 333, -SIM_DRIFT_MAX_PPM, SIM_DRIFT_MAX_PPM};
    for (unsigned i = 0; i < 5; i++) {
        struct sim *sim = net_new(1);
        uint32_t a = host_add(sim, "sink", 0, 0);
        sim_run_until(sim, 100 * MS);
        const struct sim_clock clock = {.skew_ns = 17, .drift_ppm = ppm[i]};
        assert_true(sim_host_clock(sim, a, &clock));
        sim_run_until(sim, 100 * MS + 100000 * SECONDS);
        int64_t gained = (int64_t)100000 * 1000 * ppm[i];
        uint64_t right = START_NS + 100 * MS + 100000 * SECONDS + 17;
        assert_int_equal(wall(sim, a), right + (uint64_t)gained);
        assert_int_equal(sim_node(sim, a)->clocks, 100000 + 2);
        sim_free(sim);
    }
}

static void test_jumps_come_at_their_times_and_add_up(void **state)
{
    (void)state;
    struct sim *sim = net_new(1);
    uint32_t a = host_add(sim, "sink", 0, 0);
    const struct sim_clock clock = {.jump_ns = -3 * (int64_t)SECONDS, .jump_every_ns = 700 * MS};
    assert_true(sim_host_clock(sim, a, &clock));
    sim_run_until(sim, 7 * SECONDS);
    assert_int_equal(sim_node(sim, a)->clocks, 1 + 10);
    assert_int_equal(sim_node(sim, a)->now_ns, 7 * SECONDS);
    assert_int_equal(wall(sim, a), START_NS + 7 * SECONDS - 30 * SECONDS);
    assert_int_equal(sim_host_wall_ns(sim, a), wall(sim, a));
    sim_free(sim);
}

static void test_a_paused_or_dead_node_hears_of_its_clock_when_it_goes_on(void **state)
{
    (void)state;
    struct sim *sim = net_new(1);
    uint32_t a = host_add(sim, "sink", 0, 0);
    const struct sim_clock drifts = {.skew_ns = 4, .drift_ppm = 1000};
    sim_host_pause(sim, a);
    assert_true(sim_host_clock(sim, a, &drifts));
    sim_run_until(sim, 10 * SECONDS);
    assert_int_equal(sim_node(sim, a)->clocks, 1);
    sim_host_resume(sim, a);
    assert_int_equal(wall(sim, a), START_NS + 10 * SECONDS + 10 * MS + 4);
    sim_run_until(sim, 20 * SECONDS);
    assert_int_equal(sim_node(sim, a)->clocks, 2 + 10);
    sim_host_kill(sim, a);
    sim_run_until(sim, 40 * SECONDS);
    sim_host_start(sim, a, false);
    assert_int_equal(wall(sim, a), START_NS + 40 * SECONDS + 40 * MS + 4);
    sim_run_until(sim, 45 * SECONDS);
    assert_int_equal(sim_node(sim, a)->clocks, 1 + 5);
    sim_free(sim);
}

static void test_clocks_stay_within_what_a_number_holds(void **state)
{
    (void)state;
    struct sim *sim = net_new(1);
    uint32_t a = host_add(sim, "sink", 0, 0);
    struct sim_clock clock = {.skew_ns = -SIM_SKEW_MAX_NS, .jump_ns = -SIM_SKEW_MAX_NS};
    clock.jump_every_ns = SECONDS;
    assert_true(sim_host_clock(sim, a, &clock));
    sim_run_until(sim, 1000 * SECONDS);
    assert_int_equal(wall(sim, a), 0);
    clock.jump_ns = SIM_SKEW_MAX_NS;
    assert_true(sim_host_clock(sim, a, &clock));
    sim_run_until(sim, 2000 * SECONDS);
    assert_int_equal(wall(sim, a), UINT64_MAX / 2);
    assert_false(sim_host_clock(sim, a, &(struct sim_clock){.skew_ns = INT64_MIN}));
    assert_false(sim_host_clock(sim, a, &(struct sim_clock){.drift_ppm = INT32_MIN}));
    assert_false(sim_host_clock(sim, a, &(struct sim_clock){.jump_every_ns = 1}));
    assert_false(sim_host_clock(sim, a, &(struct sim_clock){.jump_every_ns = UINT64_MAX}));
    assert_false(sim_host_clock(sim, 9, &(struct sim_clock){0}));
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_paused_node_hears_nothing_and_the_senders_window_fills),
        cmocka_unit_test(test_what_has_piled_up_comes_before_the_timers_that_are_due),
        cmocka_unit_test(test_refunds_and_ends_of_links_wait_for_the_resume),
        cmocka_unit_test(test_a_reset_while_paused_is_heard_once_after_what_came_before),
        cmocka_unit_test(test_the_kernel_of_a_paused_host_answers_up_to_its_backlog),
        cmocka_unit_test(test_what_a_paused_node_dialled_connects_and_is_heard_of_later),
        cmocka_unit_test(test_a_paused_host_can_be_killed_and_starts_running),
        cmocka_unit_test(test_a_paused_node_takes_no_command_and_no_answer_of_its_disk),
        cmocka_unit_test(test_a_clock_jumps_when_it_is_set_and_stays_set_over_a_restart),
        cmocka_unit_test(test_drift_is_exact_however_long_it_lasts),
        cmocka_unit_test(test_jumps_come_at_their_times_and_add_up),
        cmocka_unit_test(test_a_paused_or_dead_node_hears_of_its_clock_when_it_goes_on),
        cmocka_unit_test(test_clocks_stay_within_what_a_number_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
