/* What a link may make the node do, through the door: floods are answered for a while, then cost
 * the flooder its link or its speed, and honest bursts cost nothing. */
#include "tests/node/rig.h"

#include <string.h>

static void flood_pings(struct rig *rig, struct rig_link *link, uint64_t from, uint32_t count)
{
    for (uint32_t i = 0; i < count && !link->closed; i++)
        rig_ping(rig, link, from + i);
}

static uint32_t count_pongs(struct rig_link *link, uint64_t from)
{
    uint32_t count = 0;
    for (const struct msg *msg; (msg = rig_find(link, MSG_PONG)) != NULL; count++)
        assert_int_equal(msg->u.pong.nonce, from + count);
    return count;
}

static void test_a_ping_flood_is_answered_in_order_for_a_while_and_then_ends_the_link(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.ping_rate = 10;
    cfg.ping_burst = 100;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "floods");
    struct rig_link *calm = rig_ready_idle(&rig, rig_addr(8, 5000), "calm");
    flood_pings(&rig, link, 0, 150);
    assert_int_equal(count_pongs(link, 0), 100);
    assert_false(link->closed); /* 50 were dropped, without a penalty */
    assert_int_equal(rig_traced(&rig, VN_TR_SCORE), 0);
    flood_pings(&rig, link, 150, 1000);
    assert_true(link->closed);
    assert_int_equal(link->close_why, VN_WHY_PROTOCOL);
    assert_string_equal(rig_last(&rig, VN_TR_VIOLATION)->text, "too many Pings");
    flood_pings(&rig, calm, 9, 100);
    assert_int_equal(count_pongs(calm, 9), 100); /* each link has its own */
    rig_deinit(&rig);
}

static void test_pings_at_the_rate_are_answered_for_ever(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.ping_rate = 10;
    cfg.ping_burst = 5;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "steady");
    for (uint32_t i = 0; i < 3000; i++) {
        flood_pings(&rig, link, i, 1);
        assert_int_equal(count_pongs(link, i), 1);
        rig_run(&rig, S / 10);
    }
    assert_false(link->closed);
    rig_deinit(&rig);
}

/* ---- transactions are dropped, blocks not read for a while ---- */

static struct forge_tx nth_tx(uint32_t i)
{
    return (struct forge_tx){.sender = 1 + i / 50, .nonce = i, .value = 1};
}

static void give_tx(struct rig *rig, struct rig_link *link, uint32_t i)
{
    struct vn_buf *tx = forge_tx(nth_tx(i));
    rig_frame(rig, link, forge_new_tx(tx));
    vn_buf_unref(tx);
}

static void
test_transactions_above_the_limit_are_dropped_and_blocks_behind_them_are_not(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.tx_rate = 10000;
    cfg.tx_burst = 100000;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "generous");
    struct vn_buf *genesis = forge_genesis();
    struct vn_buf *block = forge_child(genesis, 1);
    for (uint32_t i = 0; i < 1000; i++)
        give_tx(&rig, link, i);
    rig_frame(&rig, link, forge_new_block(block));
    assert_true(link->reading);
    assert_int_equal(rig_info(&rig).height, 1);
    uint64_t taken = rig_info(&rig).mempool;
    assert_in_range(taken, 100000 / 420, 100000 / 410 + 1); /* 157 bytes, the kind's 4, and 256 */
    rig_run(&rig, S);
    for (uint32_t i = 1000; i < 2000; i++) /* what was dropped left no debt */
        give_tx(&rig, link, i);
    assert_in_range(rig_info(&rig).mempool - taken, 10000 / 420, 10000 / 410 + 1);
    assert_int_equal(rig_traced(&rig, VN_TR_VIOLATION), 0);
    assert_true(rig_peer(&rig, link).score >= (int32_t)taken);
    vn_buf_unref(block);
    vn_buf_unref(genesis);
    rig_deinit(&rig);
}

static void test_a_transaction_that_is_known_takes_no_tokens_of_who_relays_it(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.tx_rate = 1;
    cfg.tx_burst = 10000;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    struct rig_link *first = rig_ready_idle(&rig, rig_addr(7, 5000), "first");
    struct rig_link *second = rig_ready_idle(&rig, rig_addr(8, 5000), "second");
    for (uint32_t i = 0; i < 20; i++) {
        give_tx(&rig, first, i);
        give_tx(&rig, second, i);
    }
    assert_int_equal(rig_info(&rig).mempool, 20);
    for (uint32_t i = 100; i < 120; i++)
        give_tx(&rig, second, i);
    assert_int_equal(rig_info(&rig).mempool, 40);
    rig_deinit(&rig);
}

static void test_a_dropped_transaction_is_taken_when_another_link_brings_it(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.tx_rate = 1;
    cfg.tx_burst = 1;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    struct rig_link *floods = rig_ready_idle(&rig, rig_addr(7, 5000), "floods");
    struct rig_link *calm = rig_ready_idle(&rig, rig_addr(8, 5000), "calm");
    give_tx(&rig, floods, 0);
    give_tx(&rig, floods, 1);
    assert_int_equal(rig_info(&rig).mempool, 1);
    give_tx(&rig, calm, 1);
    assert_int_equal(rig_info(&rig).mempool, 2);
    give_tx(&rig, floods, 1); /* it says it for the second time, but we heard the first from calm */
    assert_int_equal(rig_traced(&rig, VN_TR_VIOLATION), 0);
    assert_int_equal(rig_peer(&rig, floods).score, 1);
    rig_deinit(&rig);
}

static void test_a_new_link_of_the_same_identity_inherits_the_debts_and_others_do_not(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.tx_rate = 10;
    cfg.tx_burst = 1600;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "generous");
    for (uint32_t i = 0; i < 100; i++)
        give_tx(&rig, link, i);
    uint64_t taken = rig_info(&rig).mempool;
    rig_down(&rig, link, VN_WHY_REMOTE_CLOSED);
    struct rig_link *other = rig_ready_idle(&rig, rig_addr(8, 5000), "other");
    link = rig_ready_idle(&rig, rig_addr(7, 5001), "back again");
    give_tx(&rig, link, 200);
    assert_int_equal(rig_info(&rig).mempool, taken);
    give_tx(&rig, other, 201);
    assert_int_equal(rig_info(&rig).mempool, taken + 1);
    rig_down(&rig, link, VN_WHY_REMOTE_CLOSED);
    rig_run(&rig, 20 * S);
    link = rig_ready_idle(&rig, rig_addr(7, 5002), "later");
    give_tx(&rig, link, 202);
    assert_int_equal(rig_info(&rig).mempool, taken + 2);
    rig_deinit(&rig);
}

static void test_the_default_limits_do_not_see_a_thousand_transactions_or_blocks(void **state)
{
    (void)state;
    static struct vn_buf *line[2001];
    forge_line(line, 2000, 1);
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "busy");
    for (uint32_t i = 0; i < 1000; i++)
        give_tx(&rig, link, i);
    for (uint32_t i = 1; i <= 2000; i++)
        rig_frame(&rig, link, forge_new_block(line[i]));
    assert_true(link->reading);
    assert_int_equal(rig_info(&rig).mempool, 1000);
    assert_int_equal(rig_info(&rig).height, 2000);
    forge_drop(line, 2001);
    rig_deinit(&rig);
}

static void test_blocks_that_lead_nowhere_stop_the_reading(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.block_rate = 1000;
    cfg.block_burst = 10000;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "forks");
    struct vn_buf *genesis = forge_genesis();
    uint32_t given = 0;
    for (; link->reading && given < 100; given++) {
        struct vn_buf *child = forge_child(genesis, given);
        rig_frame(&rig, link, forge_new_block(child));
        vn_buf_unref(child);
    }
    assert_int_equal(given, 10000 / (224 + 4 + 256) + 1);
    assert_false(link->reading);
    assert_false(link->closed);
    rig_run(&rig, 3 * S);
    assert_true(link->reading);
    vn_buf_unref(genesis);
    rig_deinit(&rig);
}

static void append(uint8_t **at, struct vn_buf *frame)
{
    memcpy(*at, frame->data, frame->len);
    *at += frame->len;
    vn_buf_unref(frame);
}

/* A link that is not read for its many requests comes to owe tokens, and then the requests are
 * answered: nothing is left that would wake it but the tokens. */
static void test_who_owes_while_it_is_not_read_for_another_reason_is_read_again(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.cached_blocks = 1;
    cfg.block_rate = cfg.block_burst = 1000;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    rig_command(&rig, (struct vn_command){.kind = VN_CMD_MINE, .number = 20});
    struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "asks");
    rig_run(&rig, 30 * S);
    const struct msg *ping = rig_take(link, MSG_PING);
    rig.manual_disk = true;

    static uint8_t bytes[8192];
    uint8_t *end = bytes;
    struct vn_buf *genesis = forge_genesis();
    for (uint32_t i = 0; i < 65; i++)
        append(&end,
               msg_frame(&(struct msg){.kind = MSG_REQUEST_BLOCK, .u.request_block.height = 3}));
    append(&end, msg_frame(&(struct msg){.kind = MSG_PONG, .u.pong.nonce = ping->u.ping.nonce}));
    for (uint32_t i = 0; i < 3; i++) {
        struct vn_buf *child = forge_child(genesis, i);
        append(&end, forge_new_block(child));
        vn_buf_unref(child);
    }
    rig_bytes(&rig, link, bytes, (size_t)(end - bytes));
    assert_false(link->reading);
    rig.manual_disk = false;
    rig_drain(&rig);
    assert_false(link->reading); /* all is answered, and it owes for the blocks */
    rig_run(&rig, 3 * S);
    assert_true(link->reading);
    vn_buf_unref(genesis);
    rig_deinit(&rig);
}

/* ---- requests: answered later ---- */

static void test_requests_above_the_rate_are_answered_later_in_order(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.serve_rate = 1000;
    cfg.serve_burst = 4000;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    assert_int_equal(rig_command(&rig, (struct vn_command){.kind = VN_CMD_MINE, .number = 60}),
                     VN_OK);
    struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "asks");
    for (uint64_t height = 1; height <= 60; height++)
        rig_request(&rig, link, height);
    uint64_t next = 1, at_once = 0, began_ns = rig.now_ns;
    for (uint32_t seconds = 0; seconds < 60 && next <= 60; seconds++) {
        const struct msg *msg;
        while ((msg = rig_find(link, MSG_RESPONSE_BLOCK)) != NULL)
            assert_int_equal(msg->u.response_block.block.height, next++);
        at_once = at_once ? at_once : next - 1;
        rig_run(&rig, S);
    }
    assert_int_equal(next, 61);
    assert_in_range(at_once, 7, 9); /* of 489 bytes each, until 250 are left */
    assert_in_range(rig.now_ns - began_ns, 22 * S, 40 * S);
    assert_int_equal(rig_traced(&rig, VN_TR_VIOLATION), 0);
    rig_deinit(&rig);
}

static void test_a_request_that_the_disk_must_answer_costs_more(void **state)
{
    (void)state;
    uint32_t answered[2];
    for (uint32_t cold = 0; cold < 2; cold++) {
        struct vn_config cfg;
        rig_config(&cfg);
        cfg.serve_rate = 1000;
        cfg.serve_burst = 500000;
        cfg.cached_blocks = cold ? 1 : 1000;
        struct rig rig;
        rig_init_started(&rig, &cfg);
        rig_command(&rig, (struct vn_command){.kind = VN_CMD_MINE, .number = 50});
        struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "asks");
        for (uint64_t height = 1; height <= 40; height++)
            rig_request(&rig, link, height);
        answered[cold] = 0;
        while (rig_find(link, MSG_RESPONSE_BLOCK))
            answered[cold]++;
        rig_deinit(&rig);
    }
    assert_int_equal(answered[0], 40);
    assert_in_range(answered[1], 7, 8);
}

/* Asks so often for 20 blocks, first from `first` and then `step` higher: how many answers came at
 * once. */
static uint32_t ranges_answered(struct rig *rig, struct rig_link *link, uint64_t first,
                                uint64_t step, uint32_t count)
{
    uint32_t answered = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t start = first + i * step;
        struct msg ask = {.kind = MSG_REQUEST_BLOCK_RANGE};
        ask.u.request_range.start = start;
        ask.u.request_range.end = start + 19;
        rig_msg(rig, link, &ask);
        while (rig_find(link, MSG_RESPONSE_BLOCK_RANGE))
            answered++;
    }
    return answered;
}

static void
test_who_asks_for_the_same_again_and_again_waits_and_who_catches_up_does_not(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.serve_rate = 100000;
    cfg.serve_burst = 2000000;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    rig_command(&rig, (struct vn_command){.kind = VN_CMD_MINE, .number = 1000});
    struct rig_link *newcomer = rig_ready_idle(&rig, rig_addr(7, 5000), "newcomer");
    assert_int_equal(ranges_answered(&rig, newcomer, 1, 20, 50), 50);
    assert_int_equal(ranges_answered(&rig, newcomer, 1, 20, 50), 50); /* what got lost */
    struct rig_link *again = rig_ready_idle(&rig, rig_addr(8, 5000), "again");
    assert_int_equal(ranges_answered(&rig, again, 1, 0, 110), 110); /* 2,200 blocks */
    uint32_t answered = ranges_answered(&rig, again, 1, 0, 110);
    assert_in_range(answered, 2, 4); /* more than half a million each */
    rig_run(&rig, 60 * S);
    while (rig_find(again, MSG_RESPONSE_BLOCK_RANGE))
        answered++;
    assert_in_range(answered, 2 + 8, 4 + 12); /* later, in order */
    assert_false(again->closed);
    assert_int_equal(rig_traced(&rig, VN_TR_VIOLATION), 0);
    rig_deinit(&rig);
}

static void test_requests_of_who_is_not_read_and_goes_on_end_the_link(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.serve_rate = 1;
    cfg.serve_burst = 1;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "asks");
    uint32_t asked = 0;
    for (; link->reading && asked < 1000; asked++)
        rig_request(&rig, link, 0);
    assert_in_range(asked, 64, 70);
    for (; !link->closed && asked < 20000;
         asked++) /* no driver that is told to stop lets that in */
        rig_request(&rig, link, 0);
    assert_in_range(asked, 16384, 16390);
    assert_int_equal(link->close_why, VN_WHY_PROTOCOL);
    rig_deinit(&rig);
}

/* ---- what nobody asked for ---- */

static void test_answers_that_nobody_asked_for_are_ignored_until_they_are_a_flood(void **state)
{
    (void)state;
    struct vn_buf *genesis = forge_genesis();
    struct vn_buf *child = forge_child(genesis, 1);
    for (uint32_t kind = 0; kind < 3; kind++) {
        struct vn_config cfg;
        rig_config(&cfg);
        cfg.unasked_rate = 100;
        cfg.unasked_burst = 10000;
        struct rig rig;
        rig_init_started(&rig, &cfg);
        struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "talks");
        uint32_t given = 0;
        for (; !link->closed && given < 100; given++) {
            if (kind == 0)
                rig_frame(&rig, link, forge_response(child));
            else if (kind == 1)
                rig_frame(&rig, link, forge_range(&child, 1));
            else
                rig_msg(&rig, link, &(struct msg){.kind = MSG_PONG, .u.pong.nonce = given});
        }
        assert_true(link->closed);
        assert_in_range(given, 10000 / 600, 10000 / 256 + 1);
        assert_int_equal(rig_info(&rig).height, 0);
        assert_int_equal(rig_traced(&rig, VN_TR_VIOLATION), 1);
        rig_deinit(&rig);
    }
    vn_buf_unref(child);
    vn_buf_unref(genesis);
}

static void test_late_answers_to_requests_that_were_given_up_are_no_flood(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.unasked_rate = 1;
    cfg.unasked_burst = 1;
    cfg.sync_interval_ns = 5 * S;
    cfg.response_timeout_ns = S;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "slow");
    uint32_t asked = 0;
    for (uint32_t i = 0; i < 20; i++) {
        rig_run(&rig, 10 * S);
        for (const struct msg *msg; (msg = rig_next(link)) != NULL;)
            if (msg->kind == MSG_REQUEST_BLOCK) /* given up long ago */
                asked++, rig_frame(&rig, link, forge_response(NULL));
    }
    assert_true(asked >= 10);
    assert_false(link->closed);
    assert_int_equal(rig_traced(&rig, VN_TR_VIOLATION), 0);
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_ping_flood_is_answered_in_order_for_a_while_and_then_ends_the_link),
        cmocka_unit_test(test_pings_at_the_rate_are_answered_for_ever),
        cmocka_unit_test(
            test_transactions_above_the_limit_are_dropped_and_blocks_behind_them_are_not),
        cmocka_unit_test(test_a_transaction_that_is_known_takes_no_tokens_of_who_relays_it),
        cmocka_unit_test(test_a_dropped_transaction_is_taken_when_another_link_brings_it),
        cmocka_unit_test(test_a_new_link_of_the_same_identity_inherits_the_debts_and_others_do_not),
        cmocka_unit_test(test_the_default_limits_do_not_see_a_thousand_transactions_or_blocks),
        cmocka_unit_test(test_blocks_that_lead_nowhere_stop_the_reading),
        cmocka_unit_test(test_who_owes_while_it_is_not_read_for_another_reason_is_read_again),
        cmocka_unit_test(test_requests_above_the_rate_are_answered_later_in_order),
        cmocka_unit_test(test_a_request_that_the_disk_must_answer_costs_more),
        cmocka_unit_test(
            test_who_asks_for_the_same_again_and_again_waits_and_who_catches_up_does_not),
        cmocka_unit_test(test_requests_of_who_is_not_read_and_goes_on_end_the_link),
        cmocka_unit_test(test_answers_that_nobody_asked_for_are_ignored_until_they_are_a_flood),
        cmocka_unit_test(test_late_answers_to_requests_that_were_given_up_are_no_flood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
