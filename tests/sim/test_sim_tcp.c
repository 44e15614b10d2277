/* The model of TCP on links that lose or limit: windows, recovery, queues. */
#include "tests/sim/sim_fixture.h"

#define SEGMENT 1460u
#define MBIT    1000000ull

/* Links of 50 ms with the model of TCP and nothing that would limit them, unless a test says so. */
static struct sim_link_params modelled(void)
{
    struct sim_link_params params;
    sim_link_params_init(&params);
    params.queue_ns = SECONDS;
    return params;
}

struct pair {
    struct sim *sim;
    uint32_t a, b;
};

/* a is linked to b since second 1. */
static struct pair pair_new(const struct sim_link_params *params, uint64_t up_bps)
{
    struct pair p = {.sim = net_new(1)};
    assert_true(sim_links_default(p.sim, params));
    p.a = host_add(p.sim, "sink", up_bps, 0);
    p.b = host_add(p.sim, "sink", 0, 0);
    dial(p.sim, p.a, p.b);
    sim_run_until(p.sim, SECONDS);
    assert_int_equal(link_of(p.sim, p.b, 0)->state, FAKE_UP);
    return p;
}

static void pair_free(struct pair *p)
{
    const struct fake_link *got = link_of(p->sim, p->b, 0);
    const struct fake_link *sent = link_of(p->sim, p->a, 0);
    if (got->rx_bytes == sent->tx_bytes)
        assert_int_equal(got->rx_hash, sent->tx_hash);
    sim_free(p->sim);
}

static void test_a_window_begins_with_ten_segments_and_doubles(void **state)
{
    (void)state;
    struct sim_link_params params = modelled();
    struct pair p = pair_new(&params, 0);
    submit(p.sim, p.a, 70 * SEGMENT);
    const struct fake_link *got = link_of(p.sim, p.b, 0);
    sim_run_until(p.sim, SECONDS + 50 * MS);
    assert_int_equal(got->rx_bytes, 10 * SEGMENT);
    sim_run_until(p.sim, SECONDS + 149 * MS);
    assert_int_equal(got->rx_bytes, 10 * SEGMENT);
    sim_run_until(p.sim, SECONDS + 150 * MS);
    assert_int_equal(got->rx_bytes, 30 * SEGMENT);
    sim_run_until(p.sim, SECONDS + 250 * MS);
    assert_int_equal(got->rx_bytes, 70 * SEGMENT);
    pair_free(&p);
}

static void test_silence_begins_again_with_ten_segments(void **state)
{
    (void)state;
    struct sim_link_params params = modelled();
    struct pair p = pair_new(&params, 0);
    const struct fake_link *got = link_of(p.sim, p.b, 0);
    submit(p.sim, p.a, 70 * SEGMENT);
    sim_run_until(p.sim, SECONDS + 400 * MS);
    submit(p.sim, p.a, 70 * SEGMENT); /* the window has grown */
    sim_run_until(p.sim, SECONDS + 450 * MS);
    assert_int_equal(got->rx_bytes, 140 * SEGMENT);
    sim_run_until(p.sim, 10 * SECONDS);
    submit(p.sim, p.a, 70 * SEGMENT);
    sim_run_until(p.sim, 10 * SECONDS + 50 * MS);
    assert_int_equal(got->rx_bytes, 150 * SEGMENT);
    pair_free(&p);
}

static void test_small_messages_leave_at_once_while_the_window_has_room(void **state)
{
    (void)state;
    struct sim_link_params params = modelled();
    struct pair p = pair_new(&params, 0);
    const struct fake_link *got = link_of(p.sim, p.b, 0);
    for (uint64_t i = 0; i < 10; i++) {
        submit(p.sim, p.a, 40);
        sim_run_until(p.sim, SECONDS + (i + 1) * 5 * MS);
    }
    submit(p.sim, p.a, 40); /* the eleventh waits for the first acknowledgement */
    sim_run_until(p.sim, SECONDS + 95 * MS);
    assert_int_equal(got->rx_bytes, 400);
    assert_int_equal(got->last_rx_ns, SECONDS + 95 * MS);
    sim_run_until(p.sim, SECONDS + 149 * MS);
    assert_int_equal(got->rx_bytes, 400);
    sim_run_until(p.sim, SECONDS + 155 * MS);
    assert_int_equal(got->rx_bytes, 440);
    pair_free(&p);
}

static void test_links_that_lose_nothing_have_no_window_and_no_state(void **state)
{
    (void)state;
    size_t memory[2];
    for (unsigned i = 0; i < 2; i++) {
        struct sim_link_params params = modelled();
        params.queue_ns = i == 0 ? 0 : SECONDS;
        struct pair p = pair_new(&params, 0);
        struct sim_stats stats;
        sim_stats(p.sim, &stats);
        memory[i] = stats.memory;
        submit(p.sim, p.a, 100 * SEGMENT);
        sim_run_until(p.sim, SECONDS + 50 * MS);
        assert_int_equal(link_of(p.sim, p.b, 0)->rx_bytes, (i == 0 ? 100 : 10) * SEGMENT);
        pair_free(&p);
    }
    assert_true(memory[0] < memory[1]);
}

/* Bytes a second from a to b while there is always more to send. */
static double goodput(const struct sim_link_params *params, uint64_t up_bps, uint64_t seconds)
{
    struct pair p = pair_new(params, up_bps);
    const struct fake_link *got = link_of(p.sim, p.b, 0);
    const struct fake_link *sent = link_of(p.sim, p.a, 0);
    uint64_t queued = 0;
    for (uint64_t t = 1; t <= seconds; t++) {
        for (; queued < sent->tx_bytes + 20000000 && t < seconds; queued += 1000000)
            submit(p.sim, p.a, 1000000);
        sim_run_until(p.sim, (1 + t) * SECONDS);
    }
    double bytes = (double)got->rx_bytes / (double)seconds;
    pair_free(&p);
    return bytes;
}

/* The values are the formula's, as tests/bench/bench_tcp_model.c computes it. */
static void test_throughput_under_loss_is_near_the_published_model(void **state)
{
    (void)state;
    static const double rows[][2] = {{0.001, 382.5}, {0.01, 113.3}, {0.05, 41.0}};
    for (unsigned i = 0; i < 3; i++) {
        struct sim_link_params params;
        sim_link_params_init(&params);
        params.loss = rows[i][0];
        double ratio = goodput(&params, 0, 500) / SEGMENT / rows[i][1];
        if (ratio < 0.7 || ratio > 1.3)
            fail_msg("at a loss of %g the throughput is %g times that of PFTK", rows[i][0], ratio);
    }
}

static void test_a_full_queue_drops_and_the_rate_is_still_used_and_never_passed(void **state)
{
    (void)state;
    /* A round trip of 100 ms at 8 Mbit/s holds 100 kB. */
    static const struct {
        uint64_t queue_bytes, queue_ns;
        double least;
    } rows[] = {{0, 0, 0.97}, {200000, 0, 0.9}, {0, 200 * MS, 0.9}, {25000, 0, 0.6}};
    for (unsigned up = 0; up < 2; up++)
        for (unsigned i = 0; i < 4; i++) {
            struct sim_link_params params;
            sim_link_params_init(&params);
            params.rate_bps = up ? 0 : 8 * MBIT;
            params.loss = 1e-9; /* the model also where nothing else asks for it */
            params.queue_bytes = rows[i].queue_bytes;
            params.queue_ns = rows[i].queue_ns;
            double used = goodput(&params, up ? 8 * MBIT : 0, 60) / 1e6;
            if (used < rows[i].least || used > 1.0)
                fail_msg("row %u, uplink %u: %g of the rate is used", i, up, used);
        }
}

/* What a lonely small message of a to c waits while a sends all it can to b: its greatest delay. */
static uint64_t delay_under_load(uint64_t queue_bytes)
{
    struct sim_link_params params = modelled();
    params.queue_ns = 0;
    params.queue_bytes = queue_bytes;
    params.latency.a = 0.01;
    params.loss = 1e-9;
    struct pair p = pair_new(&params, 2 * MBIT);
    uint32_t c = host_add(p.sim, "sink", 0, 0);
    dial(p.sim, p.a, c);
    sim_run_until(p.sim, 2 * SECONDS);
    struct vn_command bulk = {.kind = VN_CMD_SUBMIT_TX, .data = pattern(5000000)};
    bulk.number = link_of(p.sim, p.a, 0)->id;
    sim_command(p.sim, p.a, &bulk);
    vn_slice_unref(bulk.data);
    uint64_t worst_ns = 0;
    for (uint64_t t = 3; t < 21; t += 2) {
        sim_run_until(p.sim, t * SECONDS);
        struct vn_command one = {.kind = VN_CMD_SUBMIT_TX, .data = pattern(40)};
        one.number = link_of(p.sim, p.a, 1)->id;
        sim_command(p.sim, p.a, &one);
        vn_slice_unref(one.data);
        sim_run_until(p.sim, (t + 2) * SECONDS - 1);
        uint64_t took_ns = link_of(p.sim, c, 0)->last_rx_ns - t * SECONDS;
        worst_ns = took_ns > worst_ns ? took_ns : worst_ns;
    }
    assert_int_equal(link_of(p.sim, c, 0)->rx_bytes, 9 * 40);
    pair_free(&p);
    return worst_ns;
}

static void test_a_deep_queue_delays_what_else_a_host_sends(void **state)
{
    (void)state;
    uint64_t deep_ns = delay_under_load(0);
    uint64_t shallow_ns = delay_under_load(15000); /* 60 ms at 2 Mbit/s */
    /* The window of 256 KiB takes a second to drain. */
    assert_in_range(deep_ns, 500 * MS, 1200 * MS);
    /* A message that finds the queue full is lost, and is sent again after 200 ms and more. */
    assert_in_range(shallow_ns, 30 * MS, 700 * MS);
}

static void test_what_was_sent_before_a_close_arrives_and_before_a_reset_does_not(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct sim_link_params params = modelled();
        params.loss = 0.05;
        struct pair p = pair_new(&params, 0);
        submit(p.sim, p.a, 100 * SEGMENT);
        sim_run_until(p.sim, SECONDS + 10 * MS);
        if (i == 0)
            command(p.sim, p.a, VN_CMD_DISCONNECT, 0);
        else
            sim_host_kill(p.sim, p.a);
        sim_run_until(p.sim, 60 * SECONDS);
        const struct fake_link *got = link_of(p.sim, p.b, 0);
        assert_int_equal(got->state, FAKE_DOWN);
        assert_int_equal(got->why, i == 0 ? VN_WHY_REMOTE_CLOSED : VN_WHY_RESET);
        if (i == 0)
            assert_int_equal(got->rx_bytes, 100 * SEGMENT);
        else
            assert_true(got->rx_bytes <= 10 * SEGMENT);
        sim_free(p.sim);
    }
}

static void test_a_cut_stops_a_transfer_which_starts_slowly_after_it(void **state)
{
    (void)state;
    struct sim_link_params params = modelled();
    struct pair p = pair_new(&params, 0);
    const struct fake_link *got = link_of(p.sim, p.b, 0);
    submit(p.sim, p.a, 170 * SEGMENT);
    sim_run_until(p.sim, SECONDS + 60 * MS); /* ten have come, twenty will leave */
    uint32_t id = sim_cut(p.sim, &p.a, 1, &p.b, 1, false);
    sim_run_until(p.sim, 5 * SECONDS);
    assert_int_equal(got->rx_bytes, 10 * SEGMENT);
    sim_cut_heal(p.sim, id);
    sim_run_until(p.sim, 20 * SECONDS);
    assert_int_equal(got->rx_bytes, 170 * SEGMENT);
    pair_free(&p);
}

static void test_a_cut_of_the_way_back_alone_stops_a_transfer_after_a_round(void **state)
{
    (void)state;
    struct sim_link_params params = modelled();
    struct pair p = pair_new(&params, 0);
    const struct fake_link *got = link_of(p.sim, p.b, 0);
    uint32_t id = sim_cut(p.sim, &p.b, 1, &p.a, 1, true);
    submit(p.sim, p.a, 100 * SEGMENT);
    sim_run_until(p.sim, 10 * SECONDS);
    assert_int_equal(got->rx_bytes, 10 * SEGMENT);
    sim_cut_heal(p.sim, id);
    sim_run_until(p.sim, 30 * SECONDS);
    assert_int_equal(got->rx_bytes, 100 * SEGMENT);
    pair_free(&p);
}

/* When five segments have come to a host, to the millisecond. */
static uint64_t has_all_ns(struct sim *sim, uint32_t host)
{
    const struct fake_link *got = link_of(sim, host, 0);
    while (got->rx_bytes < 5 * SEGMENT && sim_now_ns(sim) < 10 * SECONDS)
        sim_run_until(sim, sim_now_ns(sim) + MS);
    return sim_now_ns(sim);
}

/* In the end no link is kept that nobody is left at. */
static void links_left(struct sim *sim, uint64_t count)
{
    struct sim_stats stats;
    sim_run_until(sim, 20 * SECONDS);
    sim_stats(sim, &stats);
    assert_int_equal(stats.links_now, count);
}

/* When all of a third host's bytes have come, sent behind those for b, which may have closed. */
static uint64_t third_has_all_ns(bool b_closes)
{
    struct sim_link_params params = modelled();
    struct pair p = pair_new(&params, MBIT);
    const uint32_t c = host_add(p.sim, "sink", 0, 0);
    dial(p.sim, p.a, c);
    sim_run_until(p.sim, 2 * SECONDS);
    if (b_closes)
        command(p.sim, p.b, VN_CMD_DISCONNECT, 0);
    sim_run_until(p.sim, 2 * SECONDS + 20 * MS); /* the end of b's stream needs 50 ms */
    submit(p.sim, p.a, 5 * SEGMENT);
    const uint64_t at_ns = has_all_ns(p.sim, c);
    assert_int_equal(link_of(p.sim, p.b, 0)->rx_bytes, b_closes ? 0 : 5 * SEGMENT);
    links_left(p.sim, b_closes ? 1 : 2);
    sim_free(p.sim);
    return at_ns;
}

static void
test_what_is_sent_to_an_end_that_closed_takes_its_time_until_the_sender_knows(void **state)
{
    (void)state;
    const uint64_t open_ns = third_has_all_ns(false);
    assert_in_range(open_ns, 2 * SECONDS + 180 * MS, 2 * SECONDS + 190 * MS);
    assert_int_equal(third_has_all_ns(true), open_ns);
}

/* When all of a third host's bytes have come, sent while what a had for b, to whom it closed
 * before, still passes its uplink. */
static uint64_t third_waits_for_ns(bool b_closes)
{
    struct sim_link_params params = modelled();
    struct pair p = pair_new(&params, MBIT);
    const uint32_t c = host_add(p.sim, "sink", 0, 0);
    submit(p.sim, p.a, 60 * SEGMENT); /* 0.7 s, of which ten segments leave at once */
    sim_run_until(p.sim, SECONDS + 10 * MS);
    command(p.sim, p.a, VN_CMD_DISCONNECT, 0);
    dial(p.sim, p.a, c);
    sim_run_until(p.sim, SECONDS + 20 * MS);
    if (b_closes)
        command(p.sim, p.b, VN_CMD_DISCONNECT, 0);
    sim_run_until(p.sim, SECONDS + 300 * MS);
    submit(p.sim, p.a, 5 * SEGMENT);
    const uint64_t at_ns = has_all_ns(p.sim, c);
    links_left(p.sim, 1);
    sim_free(p.sim);
    return at_ns;
}

static void
test_who_has_closed_goes_on_sending_what_it_had_whatever_became_of_the_other(void **state)
{
    (void)state;
    const uint64_t open_ns = third_waits_for_ns(false);
    assert_true(open_ns > SECONDS + 450 * MS); /* and not 60 ms and the latency after 1.3 s */
    assert_int_equal(third_waits_for_ns(true), open_ns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_window_begins_with_ten_segments_and_doubles),
        cmocka_unit_test(test_silence_begins_again_with_ten_segments),
        cmocka_unit_test(test_small_messages_leave_at_once_while_the_window_has_room),
        cmocka_unit_test(test_links_that_lose_nothing_have_no_window_and_no_state),
        cmocka_unit_test(test_throughput_under_loss_is_near_the_published_model),
        cmocka_unit_test(test_a_full_queue_drops_and_the_rate_is_still_used_and_never_passed),
        cmocka_unit_test(test_a_deep_queue_delays_what_else_a_host_sends),
        cmocka_unit_test(
            test_what_is_sent_to_an_end_that_closed_takes_its_time_until_the_sender_knows),
        cmocka_unit_test(
            test_who_has_closed_goes_on_sending_what_it_had_whatever_became_of_the_other),
        cmocka_unit_test(test_what_was_sent_before_a_close_arrives_and_before_a_reset_does_not),
        cmocka_unit_test(test_a_cut_stops_a_transfer_which_starts_slowly_after_it),
        cmocka_unit_test(test_a_cut_of_the_way_back_alone_stops_a_transfer_after_a_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
