/* Output that a peer does not read: windows, stalls, shedding, limits, priorities, batching. */
#include "tests/node/rig.h"

#include <string.h>

#define PEER_ADDR rig_addr(7, 5000)
#define MIB       (1u << 20)

/* A ready link to which nothing more can be sent; what was sent up to now is refunded. */
static struct rig_link *shut_window(struct rig *rig, struct vn_addr addr, const char *id)
{
    struct rig_link *link = rig_ready_idle(rig, addr, id);
    rig->keep_window = true;
    return link;
}

static void fill_window(struct rig *rig, struct rig_link *link)
{
    for (uint64_t i = 0; link->unrefunded < link->window; i++)
        rig_ping(rig, link, i);
    while (rig_next(link))
        ;
}

/* However early or late the timers of the link would come without it. */
static void check_stall(uint64_t timeout_ns)
{
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.stall_timeout_ns = timeout_ns;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    rig.window = 1000;
    struct rig_link *link = shut_window(&rig, PEER_ADDR, "peer");
    fill_window(&rig, link);
    uint64_t start = rig.now_ns;
    while (rig.now_ns + S < start + timeout_ns) { /* it keeps talking, but does not read */
        rig_run(&rig, S);
        rig_msg(&rig, link, &(struct msg){.kind = MSG_PONG});
    }
    rig_run_until(&rig, start + timeout_ns - 1);
    assert_false(link->closed);
    rig_run_until(&rig, start + timeout_ns);
    assert_true(link->closed);
    assert_int_equal(link->close_why, VN_WHY_STALLED);
    rig_deinit(&rig);
}

static void test_a_stalled_reader_is_disconnected_after_thirty_seconds(void **state)
{
    (void)state;
    for (uint64_t seconds = 5; seconds <= 50; seconds += 5)
        check_stall(seconds * S);
}

static void test_output_that_begins_to_wait_long_after_the_window_closed_stalls_too(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.stall_timeout_ns = 7 * S;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    rig.window = 1600;
    struct rig_link *link = shut_window(&rig, PEER_ADDR, "peer");
    for (uint64_t i = 0; i < 100; i++) /* exactly the window: nothing waits */
        rig_ping(&rig, link, i);
    assert_int_equal(link->unrefunded, 1600);
    assert_int_equal(rig_peer(&rig, link).outbox_bytes, 0);
    rig_run(&rig, 15 * S);
    assert_false(link->closed);
    uint64_t start = rig.now_ns;
    rig_ping(&rig, link, 1);
    rig_run_until(&rig, start + 7 * S - 1);
    assert_false(link->closed);
    rig_run_until(&rig, start + 7 * S);
    assert_true(link->closed && link->close_why == VN_WHY_STALLED);
    rig_deinit(&rig);
}

static void test_a_slow_reader_that_reads_is_kept(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    rig.window = 1000;
    struct rig_link *link = shut_window(&rig, PEER_ADDR, "peer");
    fill_window(&rig, link);
    for (uint64_t i = 0; i < 40; i++)
        rig_ping(&rig, link, i);
    for (uint32_t i = 0; i < 25; i++) {
        rig_run(&rig, 20 * S);
        rig_sent(&rig, link, 20);
        rig_msg(&rig, link, &(struct msg){.kind = MSG_PONG});
    }
    assert_false(link->closed);
    rig_deinit(&rig);
}

static void test_frames_are_cut_to_the_window_and_come_whole_in_order(void **state)
{
    (void)state;
    for (uint32_t window = 1; window < 40; window++) {
        struct rig rig;
        rig_init_started(&rig, NULL);
        rig.window = window; /* the rig asserts that it is never exceeded */
        struct rig_link *link = rig_ready_idle(&rig, PEER_ADDR, "peer");
        for (uint64_t i = 0; i < 20; i++)
            rig_ping(&rig, link, i);
        for (uint64_t i = 0; i < 20; i++)
            assert_int_equal(rig_take(link, MSG_PONG)->u.pong.nonce, i);
        uint64_t hello = 4 + 4 + 16 + strlen("0.1.0") + strlen(rig.cfg.node_id) + 10;
        assert_int_equal(rig_peer(&rig, link).bytes_out, hello + 16 + 20 * 16);
        rig_deinit(&rig);
    }
}

static void test_small_frames_leave_together(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready_idle(&rig, PEER_ADDR, "peer");
    struct vn_buf *ping = msg_frame(&(struct msg){.kind = MSG_PING});
    uint8_t many[50 * 16];
    for (uint32_t i = 0; i < 50; i++)
        memcpy(many + i * 16, ping->data, 16);
    vn_buf_unref(ping);
    uint32_t before = link->sends;
    rig_bytes(&rig, link, many, sizeof many);
    assert_int_equal(link->sends - before, 1);
    assert_int_equal(link->last_slices, 2); /* the first Pong, and a pack of the others */
    for (uint32_t i = 0; i < 50; i++)
        rig_take(link, MSG_PONG);
    rig_deinit(&rig);
}

static struct vn_buf *big_tx(uint64_t tag, uint32_t len)
{
    struct vn_buf *tx = forge_tx((struct forge_tx){.sender = tag, .nonce = tag, .data_len = len});
    struct vn_buf *frame = forge_new_tx(tx);
    vn_buf_unref(tx);
    return frame;
}

static void test_the_outbox_sheds_the_oldest_transactions_first(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *source = rig_ready_idle(&rig, rig_addr(8, 5000), "source");
    struct rig_link *slow = shut_window(&rig, PEER_ADDR, "peer");
    slow->window = MIB;
    uint8_t first[32], last[32];
    for (uint64_t i = 0; i < 30; i++) { /* 3 MiB into a window of 1 MiB and a soft limit of 1 MiB */
        struct vn_buf *frame = big_tx(i, 100000);
        memcpy(i == 0 ? first : last, frame->data + 8, 32);
        rig_frame(&rig, source, frame);
        rig_sent(&rig, source, source->unrefunded);
    }
    rig_command(&rig, (struct vn_command){.kind = VN_CMD_MINE, .number = 1});
    assert_false(slow->closed);
    assert_true(rig_peer(&rig, slow).outbox_bytes <= MIB + 300000);
    uint32_t txs = 0;
    bool block_seen = false, first_seen = false, last_seen = false;
    rig.keep_window = false;
    rig_drain(&rig);
    for (const struct msg *msg; (msg = rig_next(slow)) != NULL;) {
        txs += msg->kind == MSG_NEW_TRANSACTION;
        block_seen |= msg->kind == MSG_NEW_BLOCK;
        first_seen |= msg->kind == MSG_NEW_TRANSACTION && memcmp(msg->u.tx.tx_id, first, 32) == 0;
        last_seen |= msg->kind == MSG_NEW_TRANSACTION && memcmp(msg->u.tx.tx_id, last, 32) == 0;
    }
    assert_in_range(txs, 15, 25);
    assert_true(block_seen && first_seen && last_seen); /* the middle is what went */
    rig_deinit(&rig);
}

static void test_control_goes_before_blocks_before_transactions_before_history(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    rig_command(&rig, (struct vn_command){.kind = VN_CMD_MINE, .number = 3});
    rig.window = 20;
    struct rig_link *link = rig_ready_idle(&rig, PEER_ADDR, "peer");
    struct rig_link *source = rig_ready_idle(&rig, rig_addr(8, 5000), "source");
    source->window = 1 << 20;
    rig.keep_window = true;
    rig_request(&rig, link, 1); /* begins to leave */
    rig_request_range(&rig, link, 1, 2);
    rig_frame(&rig, source, big_tx(1, 100));
    rig_command(&rig, (struct vn_command){.kind = VN_CMD_MINE, .number = 1});
    rig_ping(&rig, link, 5);
    rig.keep_window = false;
    rig_drain(&rig);
    rig_take(link, MSG_RESPONSE_BLOCK); /* what has begun is finished first */
    rig_take(link, MSG_PONG);
    rig_take(link, MSG_NEW_BLOCK);
    rig_take(link, MSG_NEW_TRANSACTION);
    rig_take(link, MSG_RESPONSE_BLOCK_RANGE);
    rig_deinit(&rig);
}

static void test_above_the_hard_limit_the_link_ends(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.outbox_hard = 12 * MIB;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    struct rig_link *source = rig_ready_idle(&rig, rig_addr(8, 5000), "source");
    rig.keep_window = true;
    rig.window = 1;
    struct rig_link *shut = rig_accept(&rig, PEER_ADDR);
    rig_hello(&rig, shut, "shut", "0.1.0", 5000);
    uint8_t *ids = mem_new(10000, 32);
    struct vn_buf *parent = forge_genesis();
    uint64_t most = 0;
    for (uint32_t n = 0; n < 60 && !shut->closed; n++) { /* blocks of 320 kB, never shed */
        for (uint32_t i = 0; i < 10000; i++)
            put_le32(ids + i * 32, n * 10000 + i);
        struct vn_buf *block = forge_child_ids(parent, 1, ids, 10000);
        rig_frame(&rig, source, forge_new_block(block));
        vn_buf_unref(parent);
        parent = block;
        if (!shut->closed && rig_peer(&rig, shut).outbox_bytes > most)
            most = rig_peer(&rig, shut).outbox_bytes;
    }
    vn_buf_unref(parent);
    mem_free(ids);
    assert_true(shut->closed);
    assert_int_equal(shut->close_why, VN_WHY_STALLED);
    assert_in_range(most, 11 * MIB, 12 * MIB);
    rig_deinit(&rig);
}

static void test_a_ping_flood_stops_reading_and_keeps_its_order(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    rig.window = 100;
    struct rig_link *link = shut_window(&rig, PEER_ADDR, "peer");
    uint64_t sent = 0;
    while (link->reading && sent < 100000)
        rig_ping(&rig, link, sent++);
    assert_false(link->reading);
    assert_in_range(rig_peer(&rig, link).outbox_bytes, 60000, 70000);
    for (uint32_t i = 0; i < 1000; i++) /* what was on its way */
        rig_ping(&rig, link, sent++);
    rig.keep_window = false;
    link->window = 4096;
    rig_step(&rig, (struct vn_event){.kind = VN_EV_SENT, .u.sent = {link->id, 3996}});
    rig_drain(&rig);
    assert_true(link->reading);
    for (uint64_t i = 0; i < sent; i++)
        assert_int_equal(rig_take(link, MSG_PONG)->u.pong.nonce, i);
    rig_expect_quiet(link);
    rig_deinit(&rig);
}

static void test_the_goodbye_reaches_a_peer_with_room_however_much_waited(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready_idle(&rig, PEER_ADDR, "peer");
    struct vn_buf *ping = msg_frame(&(struct msg){.kind = MSG_PING});
    uint8_t many[200 * 16 + 4];
    for (uint32_t i = 0; i < 200; i++)
        memcpy(many + i * 16, ping->data, 16);
    memset(many + 200 * 16, 0, 4); /* an empty frame: a violation, behind 200 Pings in one read */
    vn_buf_unref(ping);
    rig_bytes(&rig, link, many, sizeof many);
    const struct msg *bye = rig_find(link, MSG_DISCONNECT);
    assert_non_null(bye);
    assert_int_equal(bye->u.disconnect.reason, REASON_PROTOCOL_VIOLATION);
    assert_true(link->closed);
    assert_int_equal(link->partial_len, 0);
    rig_deinit(&rig);
}

static void test_the_goodbye_does_not_wait_behind_history(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    rig_command(&rig, (struct vn_command){.kind = VN_CMD_MINE, .number = 50});
    struct rig_link *link = rig_ready_idle(&rig, PEER_ADDR, "peer");
    struct msg ask = {.kind = MSG_REQUEST_BLOCK_RANGE, .u.request_range = {1, 50}};
    struct vn_buf *frame = msg_frame(&ask);
    uint8_t bytes[64] = {0};
    memcpy(bytes, frame->data, frame->len);
    rig_bytes(&rig, link, bytes, frame->len + 4); /* and an empty frame */
    vn_buf_unref(frame);
    rig_take_disconnect(link, REASON_PROTOCOL_VIOLATION);
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_stalled_reader_is_disconnected_after_thirty_seconds),
        cmocka_unit_test(test_output_that_begins_to_wait_long_after_the_window_closed_stalls_too),
        cmocka_unit_test(test_a_slow_reader_that_reads_is_kept),
        cmocka_unit_test(test_frames_are_cut_to_the_window_and_come_whole_in_order),
        cmocka_unit_test(test_small_frames_leave_together),
        cmocka_unit_test(test_the_outbox_sheds_the_oldest_transactions_first),
        cmocka_unit_test(test_control_goes_before_blocks_before_transactions_before_history),
        cmocka_unit_test(test_above_the_hard_limit_the_link_ends),
        cmocka_unit_test(test_a_ping_flood_stops_reading_and_keeps_its_order),
        cmocka_unit_test(test_the_goodbye_reaches_a_peer_with_room_however_much_waited),
        cmocka_unit_test(test_the_goodbye_does_not_wait_behind_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
