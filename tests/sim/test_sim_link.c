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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connecting_takes_one_round_trip),
        cmocka_unit_test(test_bytes_arrive_in_order_one_latency_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
