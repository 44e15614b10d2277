/* What holds back what links write: a shaper of the test's own says when, and a clock of the nodes
 * that only the test lets go. */
#include "core/wire/msg.h"
#include "tests/tcp/tcp_fixture.h"
#include "transport-tcp/tcp_fault.h"
#include "transport-tcp/tcp_raw.h"
#include "transport-tcp/tcp_shape.h"

#define MS UINT64_C(1000000)

/* ---- the shaper ---- */

static struct {
    uint64_t delay_ns, dial_delay_ns;
    bool cut, twice;
    enum vn_why no_way;
    uint32_t links, gone, asked;
} rule;

static void on_link(void *ctx, struct tcp_link *link)
{
    (void)ctx;
    rule.links++;
    *tcp_shape_ctx(link) = &rule;
}

static void on_gone(void *ctx, struct tcp_link *link)
{
    (void)ctx;
    assert_ptr_equal(*tcp_shape_ctx(link), &rule);
    rule.gone++;
}

static void on_write(void *ctx, struct tcp_link *link, struct vn_slice slice, uint64_t now_ns)
{
    (void)ctx;
    if (rule.twice)
        tcp_shape_put(link, vn_slice_ref(slice), now_ns + rule.delay_ns, true);
    tcp_shape_put(link, slice, now_ns + rule.delay_ns, false);
}

static enum vn_why on_dial(void *ctx, struct tcp_link *link, uint64_t now_ns, uint64_t *due_ns)
{
    (void)ctx;
    (void)link;
    *due_ns = now_ns + rule.dial_delay_ns;
    return rule.no_way;
}

static uint64_t end_ns(void *ctx, struct tcp_link *link, uint64_t now_ns)
{
    (void)ctx;
    (void)link;
    return now_ns + rule.delay_ns;
}

static uint64_t pass_ns(void *ctx, struct tcp_link *link, uint64_t now_ns)
{
    (void)ctx;
    (void)link;
    rule.asked++;
    return rule.cut ? VN_NEVER : now_ns;
}

static const struct tcp_shaper shaper = {.on_link = on_link,
                                         .on_gone = on_gone,
                                         .on_write = on_write,
                                         .on_dial = on_dial,
                                         .end_ns = end_ns,
                                         .pass_ns = pass_ns};

/* ---- two peers ---- */

struct end {
    struct tcp_raw *raw;
    struct vn_addr addr;
    uint64_t link;
    uint32_t up, closed, why;
    char text[64];
    size_t len;
};

struct two {
    struct net net;
    struct end a, b;
};

static void heard_link(void *ctx, uint64_t link, const struct vn_addr *remote)
{
    struct end *end = ctx;
    (void)remote;
    end->up++;
    end->link = link;
}

static void heard_bytes(void *ctx, uint64_t link, struct vn_slice data)
{
    struct end *end = ctx;
    (void)link;
    assert_true(end->len + data.len < sizeof end->text);
    memcpy(end->text + end->len, vn_slice_data(data), data.len);
    end->len += data.len;
}

static void heard_close(void *ctx, uint64_t link, enum vn_why why)
{
    struct end *end = ctx;
    (void)link;
    end->closed++;
    end->why = why;
}

static void end_init(struct end *end, struct net *net, uint8_t last)
{
    char why[200];
    struct vn_addr listen = loopback(last, 0);
    const struct tcp_raw_ops ops = {end, heard_link, heard_bytes, heard_close};
    *end = (struct end){0};
    end->raw = tcp_raw_new(net->tcp, &listen, end, &ops, why, sizeof why);
    assert_non_null(end->raw);
    net->open++;
    end->addr = tcp_raw_owner(end->raw)->listeners[0].addr;
}

/* Their clock stands until pass. */
static void two_init(struct two *t)
{
    memset(&rule, 0, sizeof rule);
    net_init(&t->net);
    tcp_shape_set(t->net.tcp, &shaper);
    tcp_fault_clock_stop(t->net.tcp);
    end_init(&t->a, &t->net, 1);
    end_init(&t->b, &t->net, 2);
}

static void two_meet(struct two *t)
{
    two_init(t);
    tcp_raw_dial(t->a.raw, &t->b.addr);
    UNTIL(&t->net, t->a.up == 1 && t->b.up == 1);
}

static void two_deinit(struct two *t)
{
    tcp_raw_free(t->a.raw, net_on_gone, &t->net.open);
    tcp_raw_free(t->b.raw, net_on_gone, &t->net.open);
    net_deinit(&t->net);
    assert_int_equal(rule.gone, rule.links);
}

static void say(struct end *end, const char *text)
{
    uint32_t len = (uint32_t)strlen(text);
    struct vn_slice slice = {.buf = vn_buf_new(len), .len = len};
    memcpy(slice.buf->data, text, len);
    assert_true(tcp_raw_send(end->raw, end->link, slice));
}

/* Some turns in which whatever can happen without the clock does. */
static void turn(struct two *t)
{
    for (int i = 0; i < 20; i++)
        uv_run(&t->net.loop, UV_RUN_NOWAIT);
}

/* ---- tests ---- */

static void test_bytes_leave_when_they_are_due_and_in_order(void **state)
{
    (void)state;
    struct two t;
    two_meet(&t);
    rule.delay_ns = 30 * MS;
    say(&t.a, "one ");
    rule.delay_ns = 0; /* but what was said before is not there */
    say(&t.a, "two");
    turn(&t);
    assert_int_equal(t.b.len, 0);
    assert_int_equal(tcp_raw_owner(t.a.raw)->stats.queued_bytes, 7);
    uint64_t began_ns = vn_tcp_now_ns(t.net.tcp);
    tcp_fault_clock_go(t.net.tcp);
    UNTIL(&t.net, t.b.len == 7);
    assert_true(vn_tcp_now_ns(t.net.tcp) - began_ns >= 30 * MS);
    assert_memory_equal(t.b.text, "one two", 7);
    assert_int_equal(tcp_raw_owner(t.a.raw)->stats.queued_bytes, 0);
    two_deinit(&t);
}

static void test_what_may_not_pass_waits_for_a_retry(void **state)
{
    (void)state;
    struct two t;
    two_meet(&t);
    rule.cut = true;
    say(&t.a, "through");
    turn(&t);
    assert_int_equal(t.b.len, 0);
    assert_int_equal(rule.asked > 0, 1);
    rule.cut = false;
    turn(&t);
    assert_int_equal(t.b.len, 0);
    tcp_shape_retry(t.net.tcp);
    UNTIL(&t.net, t.b.len == 7);
    two_deinit(&t);
}

static void test_the_end_of_a_stream_comes_behind_its_bytes(void **state)
{
    (void)state;
    struct two t;
    two_meet(&t);
    rule.cut = true;
    say(&t.a, "last words");
    tcp_raw_close(t.a.raw, t.a.link);
    turn(&t);
    assert_int_equal(t.b.closed, 0);
    rule.cut = false;
    tcp_shape_retry(t.net.tcp);
    UNTIL(&t.net, t.b.closed == 1);
    assert_int_equal(t.b.why, VN_WHY_REMOTE_CLOSED);
    assert_memory_equal(t.b.text, "last words", 10);
    two_deinit(&t);
}

static void test_a_dial_waits_and_may_be_given_up(void **state)
{
    (void)state;
    struct two t;
    two_init(&t);
    rule.cut = true;
    uint64_t first = tcp_raw_dial(t.a.raw, &t.b.addr);
    tcp_raw_dial(t.a.raw, &t.b.addr);
    turn(&t);
    assert_int_equal(t.a.up + t.b.up, 0);
    assert_true(tcp_raw_close(t.a.raw, first));
    turn(&t);
    rule.cut = false;
    tcp_shape_retry(t.net.tcp);
    UNTIL(&t.net, t.a.up == 1 && t.b.up == 1);
    turn(&t);
    assert_int_equal(t.b.up, 1);
    two_deinit(&t);
}

static void test_a_dial_without_a_way_fails(void **state)
{
    (void)state;
    struct two t;
    two_init(&t);
    rule.no_way = VN_WHY_UNREACHABLE;
    tcp_raw_dial(t.a.raw, &t.b.addr);
    UNTIL(&t.net, t.a.closed == 1);
    assert_int_equal(t.a.why, VN_WHY_UNREACHABLE);
    turn(&t);
    assert_int_equal(t.b.up, 0);
    two_deinit(&t);
}

static void test_the_other_end_of_who_is_gone_hears_of_it_when_it_may(void **state)
{
    (void)state;
    struct two t;
    two_meet(&t);
    rule.cut = true;
    tcp_raw_free(t.a.raw, net_on_gone, &t.net.open);
    turn(&t);
    assert_int_equal(t.b.closed, 0);
    rule.cut = false;
    tcp_shape_retry(t.net.tcp);
    UNTIL(&t.net, t.b.closed == 1);
    assert_int_equal(t.b.why, VN_WHY_RESET);
    end_init(&t.a, &t.net, 3);
    two_deinit(&t);
}

static void test_nothing_leaves_a_lost_link(void **state)
{
    (void)state;
    struct two t;
    two_meet(&t);
    assert_int_equal(tcp_fault_lose(tcp_raw_owner(t.a.raw), &t.b.addr), 1);
    say(&t.a, "lost");
    say(&t.b, "heard");
    UNTIL(&t.net, t.a.len == 5);
    tcp_shape_retry(t.net.tcp);
    turn(&t);
    assert_int_equal(t.b.len, 0);
    two_deinit(&t);
}

static uint64_t sent;

static void on_event(void *ctx, const struct vn_event *event)
{
    (void)ctx;
    sent += event->kind == VN_EV_SENT ? event->u.sent.bytes : 0;
}

static void counts_sent(struct vn_config *core, struct vn_tcp_node_config *tcp)
{
    (void)core;
    tcp->hooks.on_event = on_event;
}

static void test_added_bytes_are_written_and_not_told(void **state)
{
    (void)state;
    struct two t;
    struct node node;
    two_init(&t);
    sent = 0;
    node_init(&node, &t.net, "node", counts_sent);
    rule.twice = true;
    tcp_raw_dial(t.a.raw, &node.addr);
    UNTIL(&t.net, t.a.up == 1);
    struct vn_buf *hello =
        msg_frame(&(struct msg){.kind = MSG_HANDSHAKE,
                                .u.handshake = {.version = {(const uint8_t *)"0.1.0", 5},
                                                .node_id = {(const uint8_t *)"x", 1}}});
    rule.twice = false;
    tcp_raw_read(t.a.raw, t.a.link, false); /* what it says does not matter */
    assert_true(tcp_raw_send(t.a.raw, t.a.link, (struct vn_slice){hello, 0, hello->len}));
    rule.twice = true;
    UNTIL(&t.net, node_stats(&node).bytes_out > 0);
    turn(&t);
    assert_int_equal(node_stats(&node).bytes_out, 2 * sent);
    node_close(&node);
    two_deinit(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_leave_when_they_are_due_and_in_order),
        cmocka_unit_test(test_what_may_not_pass_waits_for_a_retry),
        cmocka_unit_test(test_the_end_of_a_stream_comes_behind_its_bytes),
        cmocka_unit_test(test_a_dial_waits_and_may_be_given_up),
        cmocka_unit_test(test_a_dial_without_a_way_fails),
        cmocka_unit_test(test_the_other_end_of_who_is_gone_hears_of_it_when_it_may),
        cmocka_unit_test(test_nothing_leaves_a_lost_link),
        cmocka_unit_test(test_added_bytes_are_written_and_not_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
