/* A wall clock that somebody sets while a node runs: the core hears of it, and of nothing else. The
 * linker puts our clock_gettime in the place of the system's (tests/CMakeLists.txt). */
#include "tests/tcp/tcp_fixture.h"

#include <time.h>

int __real_clock_gettime(clockid_t clock, struct timespec *out);
int __wrap_clock_gettime(clockid_t clock, struct timespec *out);

static int64_t shift_s; /* of the wall clock */

int __wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
    int status = __real_clock_gettime(clock, out);
    if (clock == CLOCK_REALTIME)
        out->tv_sec += shift_s;
    return status;
}

static uint32_t clocks;
static uint64_t last_wall_ns;

static void on_event(void *ctx, const struct vn_event *event)
{
    (void)ctx;
    if (event->kind != VN_EV_CLOCK)
        return;
    clocks++;
    last_wall_ns = event->u.clock.wall_ns;
}

static void listens(struct vn_config *core, struct vn_tcp_node_config *tcp)
{
    (void)core;
    tcp->hooks.on_event = on_event;
    clocks = 0;
    shift_s = 0;
}

static void on_timer(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

/* Lets the loop run on for a while. */
static void run_for(struct net *net, uint64_t ms)
{
    bool over = false;
    uv_timer_t timer;
    uv_timer_init(&net->loop, &timer);
    timer.data = &over;
    uv_timer_start(&timer, on_timer, ms, 0);
    UNTIL(net, over);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&net->loop, UV_RUN_NOWAIT);
}

static void test_a_clock_that_is_set_is_told_and_a_right_one_is_not(void **state)
{
    (void)state;
    struct net net;
    struct node node;
    net_init(&net);
    node_init(&node, &net, "node", listens);
    assert_int_equal(clocks, 1); /* at the start */
    uint64_t began_ns = last_wall_ns;
    run_for(&net, 2500); /* it is looked at each second */
    assert_int_equal(clocks, 1);
    shift_s = 86400;
    UNTIL(&net, clocks == 2);
    assert_true(last_wall_ns - began_ns >= UINT64_C(86400000000000));
    assert_true(node_info(&node).wall_ns - began_ns >= UINT64_C(86400000000000));
    shift_s = -86400;
    UNTIL(&net, clocks == 3);
    assert_true(node_info(&node).wall_ns < began_ns);
    node_close(&node);
    net_deinit(&net);
}

static void test_a_ban_outlives_a_clock_that_is_set_forward_and_back(void **state)
{
    (void)state;
    struct net net;
    struct node node;
    net_init(&net);
    node_init(&node, &net, "node", listens);
    const struct vn_addr victim = {.family = VN_AF_IPV4, .port = 8765, .ip = {192, 0, 2, 1}};
    node_command(&node, (struct vn_command){.kind = VN_CMD_BAN, .addr = victim});
    assert_int_equal(node.reply_status, VN_OK);
    assert_int_equal(node_info(&node).banned, 1);
    shift_s = 10 * 86400;
    UNTIL(&net, clocks == 2);
    shift_s = 0;
    UNTIL(&net, clocks == 3);
    assert_int_equal(node_info(&node).banned, 1);
    node_close(&node);
    net_deinit(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_clock_that_is_set_is_told_and_a_right_one_is_not),
        cmocka_unit_test(test_a_ban_outlives_a_clock_that_is_set_forward_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
