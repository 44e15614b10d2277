/* Faults imposed on nodes of the real transport. */
#include "tests/tcp/raw.h"
#include "transport-tcp/tcp_fault.h"

static struct {
    uint32_t down, last_why, clocks;
    uint64_t wall_ns;
} told;

static void on_event(void *ctx, const struct vn_event *event)
{
    (void)ctx;
    if (event->kind == VN_EV_LINK_DOWN) {
        told.down++;
        told.last_why = event->u.link_down.why;
    } else if (event->kind == VN_EV_CLOCK) {
        told.clocks++;
        told.wall_ns = event->u.clock.wall_ns;
    }
}

static void listens(struct vn_config *core, struct vn_tcp_node_config *tcp)
{
    (void)core;
    tcp->hooks.on_event = on_event;
    memset(&told, 0, sizeof told);
}

struct place {
    struct net net;
    struct node node;
    struct raw raw;
};

static void place_init(struct place *p)
{
    net_init(&p->net);
    node_init(&p->node, &p->net, "node", listens);
    raw_dial_from(&p->raw, &p->node.addr, "127.0.0.3");
    raw_hello(&p->raw, "stranger");
    UNTIL(&p->net, raw_has(&p->raw, MSG_HANDSHAKE));
    raw_take(&p->raw);
}

static void place_deinit(struct place *p)
{
    raw_close(&p->raw);
    if (p->node.tcp)
        node_close(&p->node);
    net_deinit(&p->net);
}

static void turn(struct place *p)
{
    for (int i = 0; i < 20; i++)
        uv_run(&p->net.loop, UV_RUN_NOWAIT);
}

static const struct vn_addr stranger = {.family = VN_AF_IPV4, .ip = {127, 0, 0, 3}};

static void test_a_node_that_stands_hears_nothing_until_it_goes_on(void **state)
{
    (void)state;
    struct place p;
    place_init(&p);
    tcp_fault_stand(p.node.tcp);
    raw_ping(&p.raw, 7);
    struct raw late;
    raw_dial(&late, &p.node);
    raw_hello(&late, "late");
    uint64_t events = node_stats(&p.node).events;
    turn(&p);
    assert_int_equal(node_stats(&p.node).events, events);
    assert_false(raw_has(&p.raw, MSG_PONG));
    tcp_fault_go_on(p.node.tcp, false);
    UNTIL(&p.net, raw_has(&p.raw, MSG_PONG) && raw_has(&late, MSG_HANDSHAKE));
    raw_close(&late);
    place_deinit(&p);
}

static void test_what_a_standing_node_dialled_connects_and_it_hears_later(void **state)
{
    (void)state;
    struct place p;
    struct node other;
    place_init(&p);
    node_init(&other, &p.net, "other", NULL);
    node_connect(&p.node, &other);
    tcp_fault_stand(p.node.tcp);
    UNTIL(&p.net, node_stats(&other).accepted == 1);
    turn(&p);
    assert_int_equal(node_ready(&other), 0);
    tcp_fault_go_on(p.node.tcp, false);
    UNTIL(&p.net, node_ready(&other) == 1 && node_ready(&p.node) == 2);
    node_close(&other);
    place_deinit(&p);
}

static void test_the_wall_clock_is_what_it_is_told_to_be(void **state)
{
    (void)state;
    const uint64_t year_ns = 365 * 86400 * UINT64_C(1000000000);
    struct place p;
    place_init(&p);
    tcp_fault_clock_stop(p.net.tcp);
    uint64_t now_ns = vn_tcp_now_ns(p.net.tcp);
    tcp_fault_wall(p.net.tcp, 50 * year_ns, now_ns);
    tcp_fault_clock(p.node.tcp, (int64_t)year_ns);
    assert_int_equal(told.wall_ns, 51 * year_ns);
    tcp_fault_stand(p.node.tcp);
    uint32_t clocks = told.clocks;
    tcp_fault_clock(p.node.tcp, 0);
    assert_int_equal(told.clocks, clocks);
    tcp_fault_go_on(p.node.tcp, true);
    assert_int_equal(told.clocks, clocks + 1);
    assert_int_equal(told.wall_ns, 50 * year_ns);
    place_deinit(&p);
}

static void test_a_clock_that_stands_goes_on_where_it_stood(void **state)
{
    (void)state;
    struct net net;
    net_init(&net);
    tcp_fault_clock_stop(net.tcp);
    uint64_t now_ns = vn_tcp_now_ns(net.tcp);
    uint64_t until_ns = uv_hrtime() + 1000000;
    while (uv_hrtime() < until_ns)
        assert_int_equal(vn_tcp_now_ns(net.tcp), now_ns);
    tcp_fault_clock_go(net.tcp);
    assert_true(vn_tcp_now_ns(net.tcp) >= now_ns);
    assert_true(uv_hrtime() - vn_tcp_now_ns(net.tcp) >= 1000000);
    net_deinit(&net);
}

static void test_a_reset_is_heard_by_both(void **state)
{
    (void)state;
    struct place p;
    const struct vn_addr nobody = {.family = VN_AF_IPV4, .ip = {127, 0, 0, 4}};
    place_init(&p);
    assert_int_equal(tcp_fault_reset(tcp_fault_owner(p.node.tcp), &nobody), 0);
    assert_int_equal(tcp_fault_reset(tcp_fault_owner(p.node.tcp), &stranger), 1);
    UNTIL(&p.net, told.down == 1 && raw_over(&p.raw));
    assert_int_equal(told.last_why, VN_WHY_RESET);
    assert_true(p.raw.reset);
    place_deinit(&p);
}

static void test_the_other_end_of_a_half_open_link_hears_when_it_speaks(void **state)
{
    (void)state;
    struct place p;
    place_init(&p);
    assert_int_equal(tcp_fault_half(tcp_fault_owner(p.node.tcp), &stranger), 1);
    UNTIL(&p.net, told.down == 1);
    turn(&p);
    assert_false(raw_over(&p.raw));
    raw_ping(&p.raw, 1);
    UNTIL(&p.net, raw_over(&p.raw));
    assert_true(p.raw.reset);
    place_deinit(&p);
}

static void test_who_vanished_is_silent_until_it_is_back(void **state)
{
    (void)state;
    struct place p;
    place_init(&p);
    tcp_fault_vanish(tcp_fault_owner(p.node.tcp));
    node_close(&p.node);
    raw_ping(&p.raw, 1);
    turn(&p);
    assert_false(raw_over(&p.raw));
    tcp_fault_back(p.net.tcp, &p); /* someone else */
    turn(&p);
    assert_false(raw_over(&p.raw));
    tcp_fault_back(p.net.tcp, NULL);
    UNTIL(&p.net, raw_over(&p.raw));
    assert_true(p.raw.reset);
    place_deinit(&p);
}

static void test_an_address_can_be_listened_on_again_at_once(void **state)
{
    (void)state;
    struct place p;
    place_init(&p);
    for (int i = 0; i < 5; i++) {
        struct vn_addr addr = p.node.addr;
        struct vn_config core;
        struct vn_tcp_node_config config;
        char why[256];
        node_close(&p.node);
        core_config(&core, "node");
        vn_tcp_node_config_init(&config);
        config.core = &core;
        config.listen = &addr;
        config.listen_count = 1;
        p.node.tcp = vn_tcp_node_new(p.net.tcp, &config, why, sizeof why);
        if (!p.node.tcp)
            fail_msg("%s", why);
        p.net.open++;
    }
    place_deinit(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_node_that_stands_hears_nothing_until_it_goes_on),
        cmocka_unit_test(test_what_a_standing_node_dialled_connects_and_it_hears_later),
        cmocka_unit_test(test_the_wall_clock_is_what_it_is_told_to_be),
        cmocka_unit_test(test_a_clock_that_stands_goes_on_where_it_stood),
        cmocka_unit_test(test_a_reset_is_heard_by_both),
        cmocka_unit_test(test_the_other_end_of_a_half_open_link_hears_when_it_speaks),
        cmocka_unit_test(test_who_vanished_is_silent_until_it_is_back),
        cmocka_unit_test(test_an_address_can_be_listened_on_again_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
