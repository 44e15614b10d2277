/* What an observer hears on the wire, and when: packets as they arrive, bytes as they are taken. */
#include "tests/sim/sim_fixture.h"

#define TOLD_MAX 64u

struct told {
    uint64_t t_ns;
    struct sim_wire wire;
};

static struct told told[TOLD_MAX];
static uint32_t told_count;
static uint64_t told_hash[2], told_bytes[2];

static void on_wire(void *ctx, uint64_t t_ns, const struct sim_wire *wire)
{
    (void)ctx;
    assert_true(told_count < TOLD_MAX);
    told[told_count++] = (struct told){t_ns, *wire};
    if (wire->kind != SIM_WIRE_BYTES)
        return;
    const unsigned d = wire->back ? 1 : 0;
    told_hash[d] = fake_stream_hash(told_hash[d], vn_slice_data(wire->data), wire->data.len);
    told_bytes[d] += wire->data.len;
}

/* Two hosts with 30 ms between them; the first is up at 60 ms, the second at 90. */
static struct sim *heard_net(void)
{
    struct sim_config config;
    sim_config_init(&config);
    config.observer.on_wire = on_wire;
    struct sim *sim = sim_new(&config);
    memset(told, 0, sizeof told);
    memset(told_hash, 0, sizeof told_hash);
    memset(told_bytes, 0, sizeof told_bytes);
    told_count = 0;
    links(sim, 0.030, 0, 0);
    host_add(sim, "sink", 0, 0);
    host_add(sim, "echo", 0, 0);
    return sim;
}

static void is_told(uint32_t i, uint64_t t_ns, enum sim_wire_kind kind, bool back)
{
    assert_true(i < told_count);
    assert_int_equal(told[i].t_ns, t_ns);
    assert_int_equal(told[i].wire.kind, kind);
    assert_int_equal(told[i].wire.back, back);
    assert_int_equal(told[i].wire.from, back ? 1 : 0);
    assert_int_equal(told[i].wire.to, back ? 0 : 1);
}

static void test_a_dial_is_three_packets_each_when_it_arrives(void **state)
{
    (void)state;
    struct sim *sim = heard_net();
    dial(sim, 0, 1);
    sim_run_until(sim, SECONDS);
    assert_int_equal(told_count, 3);
    is_told(0, 30 * MS, SIM_WIRE_SYN, false);
    is_told(1, 60 * MS, SIM_WIRE_SYN_ACK, true);
    is_told(2, 90 * MS, SIM_WIRE_ACK, false);
    const struct vn_addr listens = sim_host_addr(1);
    assert_memory_equal(&told[0].wire.to_addr, &listens, sizeof listens);
    assert_memory_equal(&told[0].wire.from_addr, &link_of(sim, 1, 0)->remote, sizeof listens);
    assert_int_equal(told[1].wire.to_id, link_of(sim, 0, 0)->id);
    assert_int_equal(told[2].wire.to_id, link_of(sim, 1, 0)->id);
    sim_free(sim);
}

static void test_bytes_are_told_both_ways_as_they_are_received(void **state)
{
    (void)state;
    struct sim *sim = heard_net();
    dial(sim, 0, 1);
    sim_run_until(sim, SECONDS);
    submit(sim, 0, 5000);
    sim_run_until(sim, 2 * SECONDS);
    is_told(3, SECONDS + 30 * MS, SIM_WIRE_BYTES, false);
    is_told(told_count - 1, SECONDS + 60 * MS, SIM_WIRE_BYTES, true);
    for (unsigned d = 0; d < 2; d++) {
        const struct fake_link *receiver = link_of(sim, 1 - d, 0);
        assert_int_equal(told_bytes[d], receiver->rx_bytes);
        assert_int_equal(told_hash[d], receiver->rx_hash);
    }
    sim_free(sim);
}

static void test_a_close_is_a_fin_at_the_other_end_and_the_end_of_the_link(void **state)
{
    (void)state;
    struct sim *sim = heard_net();
    dial(sim, 0, 1);
    sim_run_until(sim, SECONDS);
    command(sim, 0, VN_CMD_DISCONNECT, 0);
    sim_run_until(sim, 2 * SECONDS);
    assert_int_equal(told_count, 5);
    is_told(3, SECONDS + 30 * MS, SIM_WIRE_FIN, false);
    assert_int_equal(told[4].wire.kind, SIM_WIRE_END);
    assert_int_equal(told[4].wire.link, told[0].wire.link);
    sim_free(sim);
}

static void test_crossing_closes_are_two_fins_that_are_told_with_the_end(void **state)
{
    (void)state;
    struct sim *sim = heard_net();
    dial(sim, 0, 1);
    sim_run_until(sim, SECONDS);
    command(sim, 0, VN_CMD_DISCONNECT, 0);
    command(sim, 1, VN_CMD_DISCONNECT, 0);
    sim_run_until(sim, 2 * SECONDS);
    assert_int_equal(told_count, 6);
    is_told(3, SECONDS, SIM_WIRE_FIN, false);
    is_told(4, SECONDS, SIM_WIRE_FIN, true);
    assert_int_equal(told[5].wire.kind, SIM_WIRE_END);
    sim_free(sim);
}

static void test_a_kill_is_a_reset_and_a_refusal_too(void **state)
{
    (void)state;
    struct sim *sim = heard_net();
    dial(sim, 0, 1);
    sim_run_until(sim, SECONDS);
    sim_host_kill(sim, 1);
    sim_run_until(sim, 2 * SECONDS);
    is_told(3, SECONDS + 30 * MS, SIM_WIRE_RST, true);
    assert_int_equal(told[4].wire.kind, SIM_WIRE_END);
    sim_host_start(sim, 1, false);
    struct vn_command c = {.kind = VN_CMD_CONNECT, .addr = sim_host_addr(1), .number = UINT64_MAX};
    c.addr.port = 99;
    sim_command(sim, 0, &c);
    sim_run_until(sim, 3 * SECONDS);
    is_told(5, 2 * SECONDS + 30 * MS, SIM_WIRE_SYN, false);
    is_told(6, 2 * SECONDS + 60 * MS, SIM_WIRE_RST, true);
    assert_int_equal(told[5].wire.to_addr.port, 99);
    assert_int_not_equal(told[5].wire.link, told[0].wire.link);
    sim_free(sim);
}

static void
test_what_a_cut_stops_is_not_told_and_links_that_outlive_the_run_do_not_end(void **state)
{
    (void)state;
    struct sim *sim = heard_net();
    const uint32_t a = 0, b = 1;
    dial(sim, 0, 1);
    sim_run_until(sim, SECONDS);
    uint32_t cut = sim_cut(sim, &a, 1, &b, 1, false);
    submit(sim, 0, 100);
    sim_run_until(sim, 5 * SECONDS);
    assert_int_equal(told_count, 3);
    sim_cut_heal(sim, cut);
    sim_run_until(sim, 20 * SECONDS);
    assert_int_equal(told_bytes[0], 100);
    const uint32_t count = told_count;
    sim_free(sim);
    assert_int_equal(told_count, count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_dial_is_three_packets_each_when_it_arrives),
        cmocka_unit_test(test_bytes_are_told_both_ways_as_they_are_received),
        cmocka_unit_test(test_a_close_is_a_fin_at_the_other_end_and_the_end_of_the_link),
        cmocka_unit_test(test_crossing_closes_are_two_fins_that_are_told_with_the_end),
        cmocka_unit_test(test_a_kill_is_a_reset_and_a_refusal_too),
        cmocka_unit_test(
            test_what_a_cut_stops_is_not_told_and_links_that_outlive_the_run_do_not_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
