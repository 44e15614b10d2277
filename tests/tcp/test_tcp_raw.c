/* Scripted peers of the real transport. */
#include "tests/tcp/tcp_fixture.h"
#include "transport-tcp/tcp_raw.h"

struct heard {
    struct tcp_raw *raw;
    struct vn_addr addr;
    uint64_t link;
    uint32_t up, closed, why;
    uint64_t bytes;
    char text[64]; /* the first bytes */
};

static void on_link(void *ctx, uint64_t link, const struct vn_addr *remote)
{
    struct heard *h = ctx;
    (void)remote;
    h->up++;
    h->link = link;
}

static void on_bytes(void *ctx, uint64_t link, struct vn_slice data)
{
    struct heard *h = ctx;
    (void)link;
    for (uint32_t i = 0; i < data.len && h->bytes + i < sizeof h->text - 1; i++)
        h->text[h->bytes + i] = (char)vn_slice_data(data)[i];
    h->bytes += data.len;
}

static void on_close(void *ctx, uint64_t link, enum vn_why why)
{
    struct heard *h = ctx;
    (void)link;
    h->closed++;
    h->why = why;
}

static void heard_init(struct heard *h, struct net *net, uint8_t last)
{
    char why[200];
    *h = (struct heard){0};
    const struct tcp_raw_ops ops = {h, on_link, on_bytes, on_close};
    struct vn_addr listen = loopback(last, 0);
    h->raw = tcp_raw_new(net->tcp, &listen, h, &ops, why, sizeof why);
    if (!h->raw)
        fail_msg("%s", why);
    net->open++;
    h->addr = tcp_raw_owner(h->raw)->listeners[0].addr;
}

static void heard_free(struct heard *h, struct net *net)
{
    tcp_raw_free(h->raw, net_on_gone, &net->open);
}

static struct vn_slice text(const char *text)
{
    uint32_t len = (uint32_t)strlen(text);
    struct vn_slice slice = {.buf = vn_buf_new(len), .len = len};
    memcpy(slice.buf->data, text, len);
    return slice;
}

struct two {
    struct net net;
    struct heard a, b;
};

static void two_init(struct two *t)
{
    net_init(&t->net);
    heard_init(&t->a, &t->net, 1);
    heard_init(&t->b, &t->net, 2);
    uint64_t link = tcp_raw_dial(t->a.raw, &t->b.addr);
    UNTIL(&t->net, t->a.up == 1 && t->b.up == 1);
    assert_int_equal(t->a.link, link);
    assert_int_equal(link % 2, 1);
    assert_int_equal(t->b.link % 2, 0);
}

static void two_deinit(struct two *t)
{
    heard_free(&t->a, &t->net);
    heard_free(&t->b, &t->net);
    net_deinit(&t->net);
}

static void test_peers_talk_and_what_was_sent_before_a_close_arrives(void **state)
{
    (void)state;
    struct two t;
    two_init(&t);
    assert_true(tcp_raw_send(t.a.raw, t.a.link, text("ping ")));
    assert_true(tcp_raw_send(t.b.raw, t.b.link, text("pong")));
    UNTIL(&t.net, t.a.bytes == 4 && t.b.bytes == 5);
    assert_true(tcp_raw_send(t.a.raw, t.a.link, text("bye")));
    assert_true(tcp_raw_close(t.a.raw, t.a.link));
    assert_false(tcp_raw_send(t.a.raw, t.a.link, text("late")));
    assert_false(tcp_raw_close(t.a.raw, t.a.link));
    UNTIL(&t.net, t.b.closed == 1);
    assert_string_equal(t.b.text, "ping bye");
    assert_int_equal(t.b.why, VN_WHY_REMOTE_CLOSED);
    assert_int_equal(t.a.closed, 0);
    two_deinit(&t);
}

static void test_a_peer_that_does_not_read_leaves_bytes_where_they_are(void **state)
{
    (void)state;
    struct two t;
    two_init(&t);
    assert_true(tcp_raw_read(t.b.raw, t.b.link, false));
    assert_true(tcp_raw_send(t.a.raw, t.a.link, text("hello")));
    UNTIL(&t.net, tcp_raw_owner(t.a.raw)->stats.bytes_out == 5);
    for (int i = 0; i < 10; i++)
        uv_run(&t.net.loop, UV_RUN_NOWAIT);
    assert_int_equal(t.b.bytes, 0);
    assert_true(tcp_raw_read(t.b.raw, t.b.link, true));
    UNTIL(&t.net, t.b.bytes == 5);
    two_deinit(&t);
}

static void test_a_peer_queues_more_than_sockets_take(void **state)
{
    (void)state;
    struct two t;
    struct vn_buf *buf = vn_buf_new(1 << 20);
    two_init(&t);
    memset(buf->data, 'x', buf->len);
    tcp_raw_read(t.b.raw, t.b.link, false);
    for (int i = 0; i < 32; i++)
        assert_true(
            tcp_raw_send(t.a.raw, t.a.link, (struct vn_slice){vn_buf_ref(buf), 0, 1 << 20}));
    tcp_raw_close(t.a.raw, t.a.link);
    tcp_raw_read(t.b.raw, t.b.link, true);
    UNTIL(&t.net, t.b.closed == 1);
    assert_int_equal(t.b.bytes, 32 << 20);
    vn_buf_unref(buf);
    two_deinit(&t);
}

static void test_a_dial_that_nobody_answers_ends(void **state)
{
    (void)state;
    struct two t;
    two_init(&t);
    struct vn_addr gone = t.b.addr;
    heard_free(&t.b, &t.net);
    UNTIL(&t.net, t.a.closed == 1);
    assert_int_equal(t.a.why, VN_WHY_RESET);
    tcp_raw_dial(t.a.raw, &gone);
    UNTIL(&t.net, t.a.closed == 2);
    assert_int_equal(t.a.why, VN_WHY_REFUSED);
    heard_free(&t.a, &t.net);
    net_deinit(&t.net);
}

static void test_a_peer_may_hang_up_on_who_calls(void **state)
{
    (void)state;
    struct two t;
    two_init(&t);
    assert_true(tcp_raw_close(t.b.raw, t.b.link));
    UNTIL(&t.net, t.a.closed == 1);
    assert_int_equal(t.a.why, VN_WHY_REMOTE_CLOSED);
    two_deinit(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peers_talk_and_what_was_sent_before_a_close_arrives),
        cmocka_unit_test(test_a_peer_that_does_not_read_leaves_bytes_where_they_are),
        cmocka_unit_test(test_a_peer_queues_more_than_sockets_take),
        cmocka_unit_test(test_a_dial_that_nobody_answers_ends),
        cmocka_unit_test(test_a_peer_may_hang_up_on_who_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
