/* What an outbox may hold and must let through: large transactions, answers in a wide window, dead
 * links. */
#include "tests/node/rig.h"

#include <string.h>

#define MIB       (UINT64_C(1) << 20)
#define PEER_ADDR rig_addr(7, 5000)

static struct vn_buf *big_tx(uint64_t tag, uint32_t len)
{
    struct vn_buf *tx = forge_tx((struct forge_tx){.sender = tag, .nonce = tag, .data_len = len});
    struct vn_buf *frame = forge_new_tx(tx);
    vn_buf_unref(tx);
    return frame;
}

static uint32_t count_of(struct rig_link *link, enum msg_kind kind)
{
    uint32_t count = 0;
    for (const struct msg *msg; (msg = rig_next(link)) != NULL;)
        count += msg->kind == kind;
    return count;
}

static void
test_a_transaction_above_the_soft_limit_is_relayed_where_nothing_else_waits(void **state)
{
    (void)state;
    static const uint32_t windows[] = {1000, 262144, 1u << 20, 1u << 25};
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        struct rig rig;
        rig_init_started(&rig, NULL);
        rig.window = windows[i];
        struct rig_link *source = rig_ready_idle(&rig, rig_addr(8, 5000), "source");
        struct rig_link *link = rig_ready_idle(&rig, PEER_ADDR, "peer");
        rig_frame(&rig, source, big_tx(1, 3 << 20));
        assert_int_equal(count_of(link, MSG_NEW_TRANSACTION), 1);
        rig_frame(&rig, source, big_tx(2, 10000000));
        assert_int_equal(count_of(link, MSG_NEW_TRANSACTION), 1);
        rig_deinit(&rig);
    }
}

static void test_what_the_window_takes_at_once_is_not_shed(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    rig.window = 1u << 25;
    struct rig_link *link = rig_ready_idle(&rig, PEER_ADDR, "peer");
    struct rig_link *source = rig_ready_idle(&rig, rig_addr(8, 5000), "source");
    struct vn_buf *both = vn_buf_new(2 * 1500000 + 400);
    uint32_t len = 0;
    for (uint64_t i = 0; i < 2; i++) { /* two in one read, so in one step */
        struct vn_buf *frame = big_tx(i, 1500000);
        memcpy(both->data + len, frame->data, frame->len);
        len += frame->len;
        vn_buf_unref(frame);
    }
    rig_bytes(&rig, source, both->data, len);
    vn_buf_unref(both);
    assert_int_equal(count_of(link, MSG_NEW_TRANSACTION), 2);
    rig_deinit(&rig);
}

/* A line of n full blocks, 320 kB each, known to the node. */
static void feed_full_blocks(struct rig *rig, uint32_t n)
{
    struct rig_link *source = rig_ready_idle(rig, rig_addr(8, 5000), "source");
    uint8_t *ids = mem_new(10000, 32);
    struct vn_buf *parent = forge_genesis();
    for (uint32_t h = 1; h <= n; h++) {
        for (uint32_t i = 0; i < 10000; i++)
            put_le32(ids + i * 32, h * 10000 + i);
        struct vn_buf *block = forge_child_ids(parent, 1, ids, 10000);
        rig_frame(rig, source, forge_new_block(block));
        vn_buf_unref(parent);
        parent = block;
    }
    vn_buf_unref(parent);
    mem_free(ids);
    assert_int_equal(rig_info(rig).height, n);
}

static void test_transactions_go_before_the_link_does(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.outbox_hard = 12 * MIB;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    feed_full_blocks(&rig, 20);
    struct rig_link *link = rig_ready_idle(&rig, PEER_ADDR, "peer");
    struct rig_link *source = rig_ready_idle(&rig, rig_addr(9, 5000), "other");
    source->window = 1u << 25;
    rig.keep_window = true;
    rig_request_range(&rig, link, 1, 20); /* 6 MiB into a window of 1 MiB */
    rig_frame(&rig, source, big_tx(1, 8 << 20));
    assert_false(link->closed);
    rig.keep_window = false;
    rig_drain(&rig);
    assert_int_equal(count_of(link, MSG_RESPONSE_BLOCK_RANGE), 1);
    rig_deinit(&rig);
}

/* A peer whose requests timed out repeats them; all can come in one read. */
static void test_answers_wait_for_room_below_the_hard_limit_whatever_the_window(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    feed_full_blocks(&rig, 32);
    rig.window = 1u << 30;
    struct rig_link *link = rig_ready_idle(&rig, PEER_ADDR, "peer");
    struct msg ask = {.kind = MSG_REQUEST_BLOCK_RANGE, .u.request_range = {1, 32}};
    struct vn_buf *frame = msg_frame(&ask);
    uint8_t many[4 * 24];
    for (uint32_t i = 0; i < 4; i++)
        memcpy(many + i * frame->len, frame->data, frame->len);
    rig_bytes(&rig, link, many, 4 * frame->len);
    vn_buf_unref(frame);
    assert_false(link->closed);
    assert_int_equal(count_of(link, MSG_RESPONSE_BLOCK_RANGE), 4);
    rig_deinit(&rig);
}

/* A driver may take its time to say LINK_DOWN; what waited is nobody's any more. */
static void test_a_link_that_ended_holds_no_output(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *source = rig_ready_idle(&rig, rig_addr(8, 5000), "source");
    rig.keep_window = true;
    rig.window = 1;
    struct rig_link *shut = rig_accept(&rig, PEER_ADDR);
    rig_hello(&rig, shut, "shut", "0.1.0", 5000);
    struct vn_buf *frame = big_tx(1, 100000);
    rig_step(&rig, (struct vn_event){.kind = VN_EV_BYTES,
                                     .u.bytes = {source->id, {frame, 0, frame->len}}});
    uint32_t refs = frame->refs;
    assert_int_equal(refs, 3); /* ours, the pool's, the outbox's */
    rig.keep_links = true;
    rig_msg(&rig, shut, &(struct msg){.kind = MSG_DISCONNECT});
    assert_true(shut->closed);
    assert_int_equal(frame->refs, 2);
    vn_buf_unref(frame);
    rig_down(&rig, shut, VN_WHY_LOCAL_CLOSED);
    rig_deinit(&rig);
}

/* Nor the half of a large frame. */
static void test_a_link_that_ended_holds_no_input(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready_idle(&rig, PEER_ADDR, "peer");
    struct vn_buf *frame = big_tx(1, 100000);
    struct vn_slice most = {frame, 0, frame->len - 1};
    rig_step(&rig, (struct vn_event){.kind = VN_EV_BYTES, .u.bytes = {link->id, most}});
    assert_int_equal(frame->refs, 2);
    rig.keep_links = true;
    rig_command(&rig, (struct vn_command){.kind = VN_CMD_DISCONNECT, .addr = PEER_ADDR});
    assert_true(link->closed);
    assert_int_equal(frame->refs, 1);
    vn_buf_unref(frame);
    rig_down(&rig, link, VN_WHY_LOCAL_CLOSED);
    rig_deinit(&rig);
}

/* Draining a long queue of requests must not cost its square. */
static void test_many_requests_in_one_read_are_answered_in_order(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.serve_rate = 0; /* without tokens to wait for */
    struct rig rig;
    rig_init_started(&rig, &cfg);
    rig_command(&rig, (struct vn_command){.kind = VN_CMD_MINE, .number = 30});
    rig.window = 2000;
    struct rig_link *link = rig_ready_idle(&rig, PEER_ADDR, "peer");
    enum { N = 9000 };
    uint8_t *many = mem_new(N, 16);
    for (uint32_t i = 0; i < N; i++) {
        struct msg ask = {.kind = MSG_REQUEST_BLOCK, .u.request_block.height = i % 30 + 1};
        struct vn_buf *frame = msg_frame(&ask);
        memcpy(many + (size_t)i * 16, frame->data, 16);
        vn_buf_unref(frame);
    }
    rig_bytes(&rig, link, many, (size_t)N * 16);
    mem_free(many);
    for (uint32_t i = 0; i < N; i++)
        assert_int_equal(rig_take(link, MSG_RESPONSE_BLOCK)->u.response_block.block.height,
                         i % 30 + 1);
    rig_expect_quiet(link);
    assert_true(link->reading);
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_a_transaction_above_the_soft_limit_is_relayed_where_nothing_else_waits),
        cmocka_unit_test(test_what_the_window_takes_at_once_is_not_shed),
        cmocka_unit_test(test_transactions_go_before_the_link_does),
        cmocka_unit_test(test_answers_wait_for_room_below_the_hard_limit_whatever_the_window),
        cmocka_unit_test(test_a_link_that_ended_holds_no_output),
        cmocka_unit_test(test_a_link_that_ended_holds_no_input),
        cmocka_unit_test(test_many_requests_in_one_read_are_answered_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
