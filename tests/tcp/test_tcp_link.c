/* Links of the real transport, and strangers that treat them badly. */
#include "core/base/rng.h"
#include "tests/tcp/raw.h"

#include <signal.h>
#include <sys/resource.h>

/* What a node was told of its links. */
struct told {
    uint32_t up, down, last_why;
    uint64_t down_of[4096]; /* by link / 2 */
    uint64_t sent;
};

static struct told told;

static void on_event(void *ctx, const struct vn_event *event)
{
    (void)ctx;
    if (event->kind == VN_EV_LINK_UP)
        told.up++;
    if (event->kind == VN_EV_SENT)
        told.sent += event->u.sent.bytes;
    if (event->kind != VN_EV_LINK_DOWN)
        return;
    told.down++;
    told.last_why = event->u.link_down.why;
    told.down_of[event->u.link_down.link / 2 % 4096]++;
}

static void listens(struct vn_config *core, struct vn_tcp_node_config *tcp)
{
    core->max_inbound = 3000;
    core->max_pending = 3000;
    tcp->hooks.on_event = on_event;
    memset(&told, 0, sizeof told);
}

struct place {
    struct net net;
    struct node node;
};

static void place_init(struct place *p)
{
    net_init(&p->net);
    node_init(&p->node, &p->net, "node", listens);
}

static void place_deinit(struct place *p)
{
    node_close(&p->node);
    net_deinit(&p->net);
}

static void raw_ready(struct place *p, struct raw *raw, const char *id)
{
    raw_dial(raw, &p->node);
    raw_hello(raw, id);
    UNTIL(&p->net, raw_has(raw, MSG_HANDSHAKE));
}

static void test_a_reset_inside_a_frame_ends_the_link_once(void **state)
{
    (void)state;
    struct place p;
    struct raw raw;
    place_init(&p);
    raw_ready(&p, &raw, "x");
    uint64_t before = node_stats(&p.node).bytes_in;
    raw_send(&raw, "\0\0\1\0half", 8);
    UNTIL(&p.net, node_stats(&p.node).bytes_in == before + 8);
    raw_reset(&raw);
    UNTIL(&p.net, told.down == 1);
    assert_int_equal(told.last_why, VN_WHY_RESET);
    assert_int_equal(node_stats(&p.node).links, 0);
    place_deinit(&p);
}

static void test_an_end_inside_a_frame_is_a_normal_close(void **state)
{
    (void)state;
    struct place p;
    struct raw raw;
    place_init(&p);
    raw_ready(&p, &raw, "x");
    raw_poll(&raw);
    raw_send(&raw, "\0\0\1\0half", 8);
    raw_close(&raw);
    UNTIL(&p.net, told.down == 1);
    assert_int_equal(told.up, 1);
    place_deinit(&p);
}

/* A socket closed with bytes unread answers with a reset, and that may overtake the last words. */
static void test_who_is_refused_reads_why_whatever_it_had_sent(void **state)
{
    (void)state;
    struct place p;
    struct raw raw;
    static uint8_t junk[60000];
    place_init(&p);
    for (int i = 0; i < 20; i++) {
        raw_dial(&raw, &p.node);
        raw_ping(&raw, 1);
        raw_ping(&raw, 1);
        raw_send_msg(&raw, &(struct msg){.kind = MSG_REQUEST_BLOCK});
        raw_send(&raw, junk, sizeof junk); /* the first of these ends it */
        UNTIL(&p.net, raw_has(&raw, MSG_DISCONNECT) || raw.ended);
        assert_true(raw_has(&raw, MSG_DISCONNECT));
        UNTIL(&p.net, raw_over(&raw));
        assert_false(raw.reset);
        raw_close(&raw);
    }
    UNTIL(&p.net, told.down == 20);
    assert_int_equal(told.last_why, VN_WHY_LOCAL_CLOSED);
    place_deinit(&p);
}

static void test_frames_may_come_in_any_pieces(void **state)
{
    (void)state;
    struct place p;
    struct raw raw;
    place_init(&p);
    raw_ready(&p, &raw, "x");
    for (uint64_t nonce = 0; nonce < 20; nonce++) {
        struct msg msg = {.kind = MSG_PING, .u.ping.nonce = nonce};
        struct vn_buf *frame = msg_frame(&msg);
        for (uint32_t i = 0; i < frame->len; i++) {
            uint64_t before = node_stats(&p.node).bytes_in;
            raw_send(&raw, frame->data + i, 1);
            UNTIL(&p.net, node_stats(&p.node).bytes_in > before);
        }
        vn_buf_unref(frame);
        UNTIL(&p.net, raw_has(&raw, MSG_PONG));
        assert_true(get_le64(raw.in + 8) == nonce);
        raw_take(&raw);
    }
    raw_close(&raw);
    place_deinit(&p);
}

static void test_what_one_turn_has_to_say_leaves_in_one_write(void **state)
{
    (void)state;
    struct place p;
    struct raw raw;
    struct vn_buf *frame = msg_frame(&(struct msg){.kind = MSG_PING});
    uint8_t many[100 * 16];
    place_init(&p);
    raw_ready(&p, &raw, "x");
    UNTIL(&p.net, raw_has(&raw, MSG_REQUEST_BLOCK)); /* all that it has to say by itself */
    raw_take(&raw);
    for (int i = 0; i < 100; i++)
        memcpy(many + 16 * i, frame->data, 16);
    uint64_t before = node_stats(&p.node).writes;
    raw_send(&raw, many, sizeof many);
    for (int i = 0; i < 100; i++) {
        UNTIL(&p.net, raw_has(&raw, MSG_PONG));
        raw_take(&raw);
    }
    assert_int_equal(node_stats(&p.node).writes - before, 1);
    vn_buf_unref(frame);
    raw_close(&raw);
    place_deinit(&p);
}

/* Sends Pings and reads nothing. Returns whether it could not send any more. */
static bool raw_stuffed(struct raw *raw, const uint8_t *pings, size_t len, uint64_t *sent)
{
    ssize_t n = write(raw->fd, pings, len - *sent % 16);
    if (n > 0)
        *sent += (uint64_t)n;
    return n < 0 && errno == EAGAIN;
}

static void many_pings(struct vn_config *core, struct vn_tcp_node_config *tcp)
{
    listens(core, tcp);
    core->ping_rate = 0;
}

static void test_who_does_not_read_is_not_read(void **state)
{
    (void)state;
    struct net net;
    struct node node;
    struct raw raw;
    struct vn_buf *frame = msg_frame(&(struct msg){.kind = MSG_PING});
    static uint8_t pings[4096 * 16];
    uint64_t sent = 0, turns = 0;
    for (size_t i = 0; i < sizeof pings; i += 16)
        memcpy(pings + i, frame->data, 16);
    net_init(&net);
    node_init(&node, &net, "node", many_pings);
    raw_dial(&raw, &node);
    raw_hello(&raw, "x");
    while (turns < 200) { /* in a row without room on the way to it */
        turns = raw_stuffed(&raw, pings, sizeof pings, &sent) ? turns + 1 : 0;
        uv_run(&net.loop, UV_RUN_NOWAIT);
    }
    struct vn_tcp_stats stats = node_stats(&node);
    assert_true(told.sent < stats.bytes_in); /* the kernel has not taken all that was answered */
    assert_true(stats.queued_bytes > 0);
    assert_true(stats.queued_bytes <= 1u << 20); /* the window */
    assert_true(stats.bytes_out == told.sent);
    /* It reads after all: each is answered. */
    UNTIL(&net, raw_has(&raw, MSG_PONG));
    uint64_t pongs = 0;
    while (pongs < sent / 16) {
        size_t whole = raw.have / 16;
        for (size_t i = 0; i < whole; i++)
            assert_int_equal(get_le32(raw.in + 16 * i + 4), MSG_PONG);
        memmove(raw.in, raw.in + 16 * whole, raw.have - 16 * whole);
        raw.have -= 16 * whole;
        pongs += whole;
        raw_poll(&raw);
        assert_false(raw.ended);
        uv_run(&net.loop, UV_RUN_NOWAIT);
    }
    vn_buf_unref(frame);
    raw_close(&raw);
    node_close(&node);
    net_deinit(&net);
}

/* However large the buffer that the loop reads into. */
static void test_half_a_frame_pins_no_more_than_twice_what_came(void **state)
{
    (void)state;
    struct place p;
    struct raw raw;
    const uint8_t begin[9] = {0, 3, 0, 0, MSG_PING}; /* of a frame of 192 KiB */
    place_init(&p);
    raw_ready(&p, &raw, "x");
    UNTIL(&p.net, raw_has(&raw, MSG_REQUEST_BLOCK));
    uint64_t in = node_stats(&p.node).bytes_in, held = node_info(&p.node).held_bytes;
    raw_send(&raw, begin, sizeof begin);
    UNTIL(&p.net, node_stats(&p.node).bytes_in == in + sizeof begin);
    assert_true(node_info(&p.node).held_bytes > held);
    assert_true(node_info(&p.node).held_bytes - held <= 2 * sizeof begin + 65536);
    raw_close(&raw);
    place_deinit(&p);
}

/* ---- descriptors ---- */

static void test_beyond_its_descriptors_a_node_accepts_later(void **state)
{
    (void)state;
    struct net net;
    struct node node;
    struct raw raw[12];
    struct vn_tcp_options options;
    vn_tcp_options_init(&options);
    options.max_files = 10;
    net_init_with(&net, &options);
    node_init(&node, &net, "node", listens);
    for (int i = 0; i < 12; i++)
        raw_dial(&raw[i], &node);
    UNTIL(&net, node_stats(&node).throttled);
    assert_int_equal(told.up, 10);
    assert_int_equal(node.warnings, 1);
    assert_non_null(strstr(node.warning, "10 links are open"));
    for (int i = 0; i < 12; i++) {
        char id[16];
        snprintf(id, sizeof id, "x%d", i);
        raw_hello(&raw[i], id);
        UNTIL(&net, raw_has(&raw[i], MSG_HANDSHAKE));
        raw_close(&raw[i]);
    }
    UNTIL(&net, told.down == 12);
    assert_false(node_stats(&node).throttled);
    node_close(&node);
    net_deinit(&net);
}

/* The process has none left, whatever the limit says: others have them. */
static void test_a_process_without_descriptors_does_not_spin(void **state)
{
    (void)state;
    struct place p;
    struct raw raw[2];
    int taken[4096];
    uint32_t count = 0, turns = 0;
    struct rlimit limit, low;
    place_init(&p);
    getrlimit(RLIMIT_NOFILE, &limit);
    low = limit;
    low.rlim_cur = limit.rlim_cur < 1024 ? limit.rlim_cur : 1024;
    setrlimit(RLIMIT_NOFILE, &low);
    raw_dial(&raw[0], &p.node);
    raw_dial(&raw[1], &p.node);
    while (count < 4096 && (taken[count] = dup(0)) >= 0)
        count++;
    UNTIL(&p.net, node_stats(&p.node).throttled);
    uint64_t delayed = node_stats(&p.node).accepts_delayed;
    while (node_stats(&p.node).accepts_delayed < delayed + 3) { /* it tries again, and sleeps */
        uv_run(&p.net.loop, UV_RUN_ONCE);
        turns++;
    }
    assert_true(turns < 60);
    assert_int_equal(told.up, 0);
    while (count > 0)
        close(taken[--count]);
    setrlimit(RLIMIT_NOFILE, &limit);
    UNTIL(&p.net, told.up == 2);
    raw_close(&raw[0]);
    raw_close(&raw[1]);
    place_deinit(&p);
}

/* ---- dialling, listening, names ---- */

static void test_a_dial_that_nobody_answers_is_refused(void **state)
{
    (void)state;
    struct place p;
    place_init(&p);
    node_command(&p.node, (struct vn_command){.kind = VN_CMD_CONNECT, .addr = loopback(1, 1)});
    UNTIL(&p.net, told.down == 1);
    assert_int_equal(told.last_why, VN_WHY_REFUSED);
    assert_int_equal(node_stats(&p.node).dials_failed, 1);
    place_deinit(&p);
}

static void test_a_dial_that_is_given_up_ends_once(void **state)
{
    (void)state;
    struct place p;
    place_init(&p);
    node_command(&p.node, (struct vn_command){.kind = VN_CMD_CONNECT, .addr = p.node.addr});
    node_command(&p.node, (struct vn_command){.kind = VN_CMD_DISCONNECT, .addr = p.node.addr});
    UNTIL(&p.net, told.down == told.up + (told.up == 0));
    for (int i = 0; i < 20; i++)
        uv_run(&p.net.loop, UV_RUN_NOWAIT);
    assert_true(told.down <= 2);
    assert_int_equal(told.down_of[0], 1);
    place_deinit(&p);
}

static void test_a_port_in_use_is_told_with_its_address(void **state)
{
    (void)state;
    struct place p;
    char why[256];
    struct vn_config core;
    struct vn_tcp_node_config config;
    place_init(&p);
    core_config(&core, "other");
    vn_tcp_node_config_init(&config);
    config.core = &core;
    config.listen = &p.node.addr;
    config.listen_count = 1;
    assert_null(vn_tcp_node_new(p.net.tcp, &config, why, sizeof why));
    assert_non_null(strstr(why, "cannot listen on 127.0.0.1:"));
    assert_non_null(strstr(why, "choose another port"));
    struct vn_addr far = {.family = VN_AF_IPV4, .port = 1, .ip = {192, 0, 2, 1}};
    config.listen = &far;
    assert_null(vn_tcp_node_new(p.net.tcp, &config, why, sizeof why));
    assert_non_null(strstr(why, "192.0.2.1:1"));
    assert_non_null(strstr(why, "no address of this machine"));
    place_deinit(&p);
}

static void on_ipv6(struct vn_config *core, struct vn_tcp_node_config *tcp)
{
    static const struct vn_addr both[2] = {
        {.family = VN_AF_IPV6, .ip = {[15] = 1}},
        {.family = VN_AF_IPV4, .ip = {127, 0, 0, 1}},
    };
    (void)core;
    tcp->listen = both;
    tcp->listen_count = 2;
}

static void test_a_node_listens_on_ipv6_and_ipv4(void **state)
{
    (void)state;
    struct net net;
    struct node a, b;
    struct vn_addr second;
    net_init(&net);
    node_init(&a, &net, "a", on_ipv6);
    node_init(&b, &net, "bb", NULL);
    assert_int_equal(a.addr.family, VN_AF_IPV6);
    assert_true(vn_tcp_node_listen(a.tcp, 1, &second));
    assert_int_equal(second.family, VN_AF_IPV4);
    assert_false(vn_tcp_node_listen(a.tcp, 2, &second));
    node_connect(&b, &a);
    UNTIL(&net, node_ready(&a) == 1 && node_ready(&b) == 1);
    node_close(&a);
    node_close(&b);
    net_deinit(&net);
}

static void test_addresses_are_read_as_people_write_them(void **state)
{
    (void)state;
    static const char *const good[] = {"127.0.0.1:8765", "1.2.3.4", "[::1]:99", "[fe80::2]", "::1"};
    static const char *const text[] = {"127.0.0.1:8765", "1.2.3.4:7", "[::1]:99", "[fe80::2]:7",
                                       "[::1]:7"};
    static const char *const bad[] = {"",         "1.2.3",      "1.2.3.4:",    "1.2.3.4:65536",
                                      "a.b:1",    "[::1",       "[::1]9",      "[::1]:x",
                                      "1.2.3.4 ", "1.2.3.4:1x", "[1.2.3.4]:1", ":::1"};
    struct vn_addr addr;
    char out[VN_TCP_ADDR_TEXT];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(vn_tcp_addr_parse(good[i], 7, &addr));
        vn_tcp_addr_format(&addr, out);
        assert_string_equal(out, text[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(vn_tcp_addr_parse(bad[i], 7, &addr));
}

/* ---- all at once ---- */

static void raw_misbehave(struct raw *raw, struct rng *rng, const struct node *node)
{
    uint8_t junk[512];
    if (raw->fd < 0) {
        raw_dial(raw, node);
        return;
    }
    switch (rng_below(rng, 7)) {
    case 0:
        raw_close(raw);
        return;
    case 1:
        raw_reset(raw);
        return;
    case 2:
        if (!raw->ended)
            raw_hello(raw, rng_below(rng, 2) ? "x" : "y");
        return;
    case 3:
        for (size_t i = 0; i < sizeof junk; i++)
            junk[i] = rng_below(rng, 8) ? 0 : (uint8_t)i;
        (void)!write(raw->fd, junk, 1 + rng_below(rng, sizeof junk));
        return;
    case 4:
        shutdown(raw->fd, rng_below(rng, 2) ? SHUT_WR : SHUT_RD);
        return;
    default:
        raw->have = 0;
        raw_poll(raw);
        return;
    }
}

static void test_each_link_of_a_crowd_that_misbehaves_ends_once(void **state)
{
    (void)state;
    struct place p;
    static struct raw raw[16];
    const uint8_t seed[32] = {7};
    struct rng rng;
    signal(SIGPIPE, SIG_IGN);
    place_init(&p);
    rng_fork(&rng, seed, "crowd", 0);
    for (int i = 0; i < 16; i++)
        raw[i].fd = -1;
    for (int i = 0; i < 6000; i++) {
        uint64_t who = rng_below(&rng, 16);
        raw_misbehave(&raw[who], &rng, &p.node);
        if (rng_below(&rng, 3) == 0)
            uv_run(&p.net.loop, UV_RUN_NOWAIT);
    }
    for (int i = 0; i < 16; i++)
        raw_close(&raw[i]);
    UNTIL(&p.net, node_stats(&p.node).links == 0 && node_stats(&p.node).closing == 0 &&
                      told.up == node_stats(&p.node).accepted && told.down == told.up);
    assert_true(told.up > 300);
    for (uint32_t i = 1; i <= told.up; i++)
        assert_int_equal(told.down_of[i % 4096], 1);
    assert_int_equal(node_stats(&p.node).queued_bytes, 0);
    place_deinit(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_reset_inside_a_frame_ends_the_link_once),
        cmocka_unit_test(test_an_end_inside_a_frame_is_a_normal_close),
        cmocka_unit_test(test_who_is_refused_reads_why_whatever_it_had_sent),
        cmocka_unit_test(test_frames_may_come_in_any_pieces),
        cmocka_unit_test(test_what_one_turn_has_to_say_leaves_in_one_write),
        cmocka_unit_test(test_who_does_not_read_is_not_read),
        cmocka_unit_test(test_half_a_frame_pins_no_more_than_twice_what_came),
        cmocka_unit_test(test_beyond_its_descriptors_a_node_accepts_later),
        cmocka_unit_test(test_a_process_without_descriptors_does_not_spin),
        cmocka_unit_test(test_a_dial_that_nobody_answers_is_refused),
        cmocka_unit_test(test_a_dial_that_is_given_up_ends_once),
        cmocka_unit_test(test_a_port_in_use_is_told_with_its_address),
        cmocka_unit_test(test_a_node_listens_on_ipv6_and_ipv4),
        cmocka_unit_test(test_addresses_are_read_as_people_write_them),
        cmocka_unit_test(test_each_link_of_a_crowd_that_misbehaves_ends_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
