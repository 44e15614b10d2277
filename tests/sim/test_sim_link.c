/* Connecting, delivering, closing: the life of a link between two nodes. */
#include "tests/sim/sim_fixture.h"

static void test_connecting_takes_one_round_trip(void **state)
{
    (void)state;
    struct sim *sim = net_new(1);
    links(sim, 0.030, 0, 0);
    uint32_t a = host_add(sim, "sink", 0, 0);
    uint32_t b = host_add(sim, "sink", 0, 0);
    sim_run_until(sim, 5 * MS);
    dial(sim, a, b);
    sim_run_until(sim, 64 * MS);
    assert_int_equal(link_of(sim, a, 0)->state, FAKE_DIALLING);
    sim_run_until(sim, SECONDS);
    assert_int_equal(link_of(sim, a, 0)->up_ns, 65 * MS);
    assert_int_equal(link_of(sim, b, 0)->up_ns, 95 * MS);
    struct vn_addr listens = sim_host_addr(b);
    assert_memory_equal(&link_of(sim, a, 0)->remote, &listens, sizeof listens);
    assert_int_equal(sim_host_of(sim, &link_of(sim, b, 0)->remote), a);
    sim_free(sim);
}

static void test_bytes_arrive_in_order_one_latency_later(void **state)
{
    (void)state;
    struct sim *sim = net_new(1);
    uint32_t a = host_add(sim, "sink", 0, 0);
    uint32_t b = host_add(sim, "echo", 0, 0);
    dial(sim, a, b);
    sim_run_until(sim, SECONDS);
    submit(sim, a, 100000);
    sim_run_until(sim, SECONDS + 49 * MS);
    assert_int_equal(link_of(sim, b, 0)->rx_bytes, 0);
    sim_run_until(sim, SECONDS + 50 * MS);
    assert_int_equal(link_of(sim, b, 0)->rx_bytes, 100000);
    sim_run_until(sim, 2 * SECONDS);
    assert_int_equal(link_of(sim, a, 0)->rx_bytes, 100000);
    assert_int_equal(link_of(sim, a, 0)->rx_hash, link_of(sim, a, 0)->tx_hash);
    sim_free(sim);
    assert_int_equal(fake_nodes_alive(), 0);
}

static void test_a_host_can_dial_itself(void **state)
{
    (void)state;
    struct sim *sim = net_new(1);
    uint32_t a = host_add(sim, "sink", 0, 0);
    dial(sim, a, a);
    sim_run_until(sim, SECONDS);
    submit(sim, a, 1000);
    sim_run_until(sim, 2 * SECONDS);
    assert_int_equal(link_of(sim, a, 0)->rx_bytes, 1000);
    assert_int_equal(link_of(sim, a, 1)->rx_bytes, 1000);
    assert_true(link_of(sim, a, 0)->id % 2 == 1 && link_of(sim, a, 1)->id % 2 == 0);
    command(sim, a, VN_CMD_DISCONNECT, link_of(sim, a, 0)->id);
    sim_run_until(sim, 3 * SECONDS);
    assert_int_equal(link_of(sim, a, 0)->why, VN_WHY_LOCAL_CLOSED);
    assert_int_equal(link_of(sim, a, 1)->why, VN_WHY_REMOTE_CLOSED);
    dial(sim, a, a);
    sim_run_until(sim, 4 * SECONDS);
    sim_host_kill(sim, a);
    struct sim_stats stats;
    sim_stats(sim, &stats);
    assert_int_equal(stats.links_now, 0);
    sim_free(sim);
}

static void dial_addr(struct sim *sim, uint32_t from, struct vn_addr addr)
{
    struct vn_command c = {.kind = VN_CMD_CONNECT, .addr = addr, .number = UINT64_MAX};
    sim_command(sim, from, &c);
}

static void test_dials_that_nobody_takes_fail_with_their_reason(void **state)
{
    (void)state;
    struct sim *sim = net_new(1);
    uint32_t a = host_add(sim, "sink", 0, 0);
    uint32_t b = host_add(sim, "sink", 0, 0);
    uint32_t dead = host_add(sim, "sink", 0, 0);
    sim_host_kill(sim, dead);
    struct vn_addr closed_port = sim_host_addr(b);
    closed_port.port = 99;
    dial_addr(sim, a, closed_port);
    dial_addr(sim, a, sim_host_addr(77));
    dial_addr(sim, a, (struct vn_addr){.family = VN_AF_IPV6, .port = 8765});
    dial_addr(sim, a, (struct vn_addr){0});
    dial_addr(sim, a, sim_host_addr(dead));
    sim_run_until(sim, 126 * SECONDS);
    assert_int_equal(link_of(sim, a, 0)->why, VN_WHY_REFUSED);
    assert_int_equal(link_of(sim, a, 0)->down_ns, 100 * MS);
    for (uint32_t i = 1; i < 4; i++) {
        assert_int_equal(link_of(sim, a, i)->why, VN_WHY_UNREACHABLE);
        assert_int_equal(link_of(sim, a, i)->down_ns, 100 * MS);
    }
    assert_int_equal(link_of(sim, a, 4)->state, FAKE_DIALLING);
    sim_run_until(sim, 128 * SECONDS);
    assert_int_equal(link_of(sim, a, 4)->why, VN_WHY_UNREACHABLE);
    assert_int_equal(link_of(sim, a, 4)->down_ns, 127 * SECONDS);
    assert_int_equal(sim_node(sim, b)->link_count, 0);
    sim_free(sim);
}

static void test_a_dial_reaches_a_host_that_comes_up_while_it_is_tried_again(void **state)
{
    (void)state;
    struct sim *sim = net_new(1);
    uint32_t a = host_add(sim, "sink", 0, 0);
    uint32_t b = host_add(sim, "sink", 0, 0);
    sim_host_kill(sim, b);
    dial(sim, a, b);
    sim_run_until(sim, 5 * SECONDS);
    sim_host_start(sim, b, false);
    sim_run_until(sim, 20 * SECONDS);
    assert_int_equal(link_of(sim, a, 0)->up_ns, 7 * SECONDS + 100 * MS);
    assert_int_equal(link_of(sim, b, 0)->state, FAKE_UP);
    sim_free(sim);
}

static void test_close_writes_out_what_was_sent_and_is_heard_at_once(void **state)
{
    (void)state;
    struct sim *sim = net_new(1);
    uint32_t a = host_add(sim, "sink", 0, 0);
    uint32_t b = host_add(sim, "sink", 0, 0);
    dial(sim, a, b);
    sim_run_until(sim, SECONDS);
    submit(sim, b, 5000); /* will find nobody */
    submit(sim, a, 5000);
    command(sim, a, VN_CMD_DISCONNECT, 0);
    sim_run_until(sim, SECONDS);
    assert_int_equal(link_of(sim, a, 0)->why, VN_WHY_LOCAL_CLOSED);
    assert_int_equal(link_of(sim, b, 0)->state, FAKE_UP);
    sim_run_until(sim, 2 * SECONDS);
    assert_int_equal(link_of(sim, b, 0)->rx_bytes, 5000);
    assert_int_equal(link_of(sim, b, 0)->why, VN_WHY_REMOTE_CLOSED);
    assert_int_equal(link_of(sim, b, 0)->down_ns, SECONDS + 50 * MS);
    assert_int_equal(link_of(sim, a, 0)->rx_bytes, 0);
    struct sim_stats stats;
    sim_stats(sim, &stats);
    assert_int_equal(stats.links_now, 0);
    assert_int_equal(stats.links_ever, 1);
    sim_free(sim);
}

static void test_closing_a_dial_ends_it(void **state)
{
    (void)state;
    struct sim *sim = net_new(1);
    uint32_t a = host_add(sim, "sink", 0, 0);
    uint32_t b = host_add(sim, "sink", 0, 0);
    dial(sim, a, b);
    sim_run_until(sim, 60 * MS); /* the SYN-ACK is under way */
    command(sim, a, VN_CMD_DISCONNECT, 0);
    sim_run_until(sim, SECONDS);
    assert_int_equal(link_of(sim, a, 0)->why, VN_WHY_LOCAL_CLOSED);
    assert_int_equal(link_of(sim, a, 0)->down_ns, 60 * MS);
    assert_int_equal(sim_node(sim, b)->link_count, 0);
    sim_free(sim);
}

static uint64_t hash_with_chunks(double chance, uint64_t *events)
{
    struct sim_config config;
    sim_config_init(&config);
    config.chunk_chance = chance;
    struct sim *sim = sim_new(&config);
    uint32_t a = host_add(sim, "sink", 0, 0);
    uint32_t b = host_add(sim, "sink", 0, 0);
    dial(sim, a, b);
    sim_run_until(sim, SECONDS);
    for (unsigned i = 0; i < 50; i++) {
        submit(sim, a, 1 + i * 300);
        sim_run_until(sim, SECONDS + i * 10 * MS);
    }
    sim_run_until(sim, 3 * SECONDS);
    uint64_t hash = link_of(sim, b, 0)->rx_hash;
    *events = link_of(sim, b, 0)->rx_events;
    assert_int_equal(hash, link_of(sim, a, 0)->tx_hash);
    sim_free(sim);
    return hash;
}

static void test_cutting_deliveries_into_pieces_changes_no_byte(void **state)
{
    (void)state;
    uint64_t whole;
    uint64_t some;
    uint64_t all;
    uint64_t hash = hash_with_chunks(0, &whole);
    assert_int_equal(hash_with_chunks(0.25, &some), hash);
    assert_int_equal(hash_with_chunks(1, &all), hash);
    assert_int_equal(whole, 50);
    assert_true(some > 52 && some < 100);
    assert_true(all > 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connecting_takes_one_round_trip),
        cmocka_unit_test(test_bytes_arrive_in_order_one_latency_later),
        cmocka_unit_test(test_a_host_can_dial_itself),
        cmocka_unit_test(test_dials_that_nobody_takes_fail_with_their_reason),
        cmocka_unit_test(test_a_dial_reaches_a_host_that_comes_up_while_it_is_tried_again),
        cmocka_unit_test(test_close_writes_out_what_was_sent_and_is_heard_at_once),
        cmocka_unit_test(test_closing_a_dial_ends_it),
        cmocka_unit_test(test_cutting_deliveries_into_pieces_changes_no_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
