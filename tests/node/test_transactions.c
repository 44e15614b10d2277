/* NewTransaction through the door: relay, the price of each rule, the pool's bounds,
 * reorganisations. */
#include "tests/node/rig.h"

#include <string.h>

struct scene {
    struct rig rig;
    struct rig_link *from, *b, *c;
};

static void scene_init(struct scene *s, const struct vn_config *cfg)
{
    rig_init_started(&s->rig, cfg);
    s->from = rig_ready_idle(&s->rig, rig_addr(7, 5000), "from");
    s->b = rig_ready_idle(&s->rig, rig_addr(8, 5000), "b");
    s->c = rig_ready_idle(&s->rig, rig_addr(9, 5000), "c");
}

static void send_tx(struct scene *s, struct rig_link *link, struct forge_tx spec)
{
    struct vn_buf *tx = forge_tx(spec);
    rig_frame(&s->rig, link, forge_new_tx(tx));
    vn_buf_unref(tx);
}

static uint32_t has(const struct scene *s, struct forge_tx spec)
{
    struct vn_buf *tx = forge_tx(spec);
    uint32_t where = vn_node_has_tx(s->rig.node, forge_tx_view(tx).tx_id);
    vn_buf_unref(tx);
    return where;
}

static void test_a_valid_transaction_is_relayed_once_to_all_but_its_sender(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s, NULL);
    struct forge_tx spec = {.sender = 1, .value = 5, .data_len = 40};
    struct vn_buf *tx = forge_tx(spec);
    send_tx(&s, s.from, spec);
    for (uint32_t i = 0; i < 2; i++) {
        const struct msg *msg = rig_take(i ? s.b : s.c, MSG_NEW_TRANSACTION);
        assert_int_equal(msg->u.tx.raw.len, tx->len);
        assert_memory_equal(msg->u.tx.raw.data, tx->data, tx->len);
    }
    assert_int_equal(has(&s, spec), 1);
    assert_int_equal(rig_peer(&s.rig, s.from).score, 1);
    send_tx(&s, s.b, spec);
    assert_int_equal(rig_peer(&s.rig, s.b).score, 0);
    send_tx(&s, s.b, spec);
    assert_int_equal(rig_peer(&s.rig, s.b).score, -2);
    send_tx(&s, s.from, spec);
    assert_int_equal(rig_peer(&s.rig, s.from).score, -1);
    rig_expect_quiet(s.from);
    rig_expect_quiet(s.b);
    rig_expect_quiet(s.c);
    vn_buf_unref(tx);
    rig_deinit(&s.rig);
}

static void test_each_broken_rule_costs_ten(void **state)
{
    (void)state;
    static const struct {
        struct forge_tx spec;
        const char *rule;
    } cases[] = {
        {{.bad_id = true}, "T1-id"},
        {{.status = TX_INCLUDED}, "T2-not-pending"},
        {{.block_height = 1}, "T2-not-pending"},
        {{.gas_used = 1}, "T2-not-pending"},
        {{.value = 1, .gas_price = UINT64_MAX, .gas_limit = 1}, "T3-overflow"},
        {{.gas_price = UINT64_C(1) << 33, .gas_limit = UINT64_C(1) << 33}, "T3-overflow"},
        {{.timestamp = FORGE_NOW_S + 3 - 3600 - 7201}, "T4-too-old"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scene s;
        scene_init(&s, NULL);
        send_tx(&s, s.from, cases[i].spec);
        assert_string_equal(rig_last(&s.rig, VN_TR_TX_BAD)->text, cases[i].rule);
        assert_int_equal((int64_t)rig_last(&s.rig, VN_TR_SCORE)->b, -10);
        assert_int_equal(rig_info(&s.rig).mempool, 0);
        assert_false(s.from->closed);
        rig_expect_quiet(s.b);
        rig_deinit(&s.rig);
    }
}

static void test_ten_bad_transactions_are_a_ban(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s, NULL);
    for (uint64_t i = 0; i < 10; i++) {
        assert_false(s.from->closed);
        send_tx(&s, s.from, (struct forge_tx){.nonce = i, .bad_id = true});
    }
    rig_take_disconnect(s.from, REASON_PROTOCOL_VIOLATION);
    assert_int_equal(s.from->close_why, VN_WHY_BANNED);
    rig_deinit(&s.rig);
}

/* The scene takes 3 s. */
static void test_the_clock_decides_without_penalty_at_its_edges(void **state)
{
    (void)state;
    static const struct {
        uint64_t timestamp;
        bool good;
    } cases[] = {{FORGE_NOW_S + 3 + 7200, true},
                 {FORGE_NOW_S + 3 + 7201, false},
                 {FORGE_NOW_S + 3 - 3600, true},
                 {FORGE_NOW_S + 3 - 3601, false},
                 {UINT64_MAX, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scene s;
        scene_init(&s, NULL);
        send_tx(&s, s.from, (struct forge_tx){.timestamp = cases[i].timestamp});
        assert_int_equal(rig_info(&s.rig).mempool, cases[i].good);
        assert_true(rig_peer(&s.rig, s.from).score >= 0);
        rig_deinit(&s.rig);
    }
}

static void test_a_full_pool_drops_without_penalty(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.mempool_max = 5;
    cfg.mempool_per_sender = 3;
    struct scene s;
    scene_init(&s, &cfg);
    for (uint64_t i = 0; i < 10; i++)
        send_tx(&s, s.from, (struct forge_tx){.sender = 1, .nonce = i});
    assert_int_equal(rig_info(&s.rig).mempool, 3);
    for (uint64_t i = 0; i < 10; i++)
        send_tx(&s, s.from, (struct forge_tx){.sender = 2 + i});
    assert_int_equal(rig_info(&s.rig).mempool, 5);
    assert_int_equal(rig_peer(&s.rig, s.from).score, 5);
    uint32_t relayed = 0;
    while (rig_find(s.b, MSG_NEW_TRANSACTION))
        relayed++;
    assert_int_equal(relayed, 5);
    rig_deinit(&s.rig);
}

static void test_empty_data_and_no_data_are_one_transaction(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s, NULL);
    struct vn_buf *none = forge_tx((struct forge_tx){.sender = 1});
    send_tx(&s, s.from, (struct forge_tx){.sender = 1});
    struct vn_buf *empty = vn_buf_new(none->len + 8);
    memcpy(empty->data, none->data, 152);
    empty->data[152] = 1;
    memset(empty->data + 153, 0, 8);
    memcpy(empty->data + 161, none->data + 153, none->len - 153);
    rig_frame(&s.rig, s.b, forge_new_tx(empty));
    assert_int_equal(rig_info(&s.rig).mempool, 1);
    assert_int_equal(rig_peer(&s.rig, s.b).score, 0);
    rig_find(s.c, MSG_NEW_TRANSACTION);
    rig_expect_quiet(s.c);
    vn_buf_unref(none);
    vn_buf_unref(empty);
    rig_deinit(&s.rig);
}

static void test_transactions_grow_too_old_and_leave(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s, NULL);
    send_tx(&s, s.from, (struct forge_tx){.sender = 1});
    rig_run(&s.rig, 3500 * S);
    assert_int_equal(rig_info(&s.rig).mempool, 1);
    rig_run(&s.rig, 200 * S);
    assert_int_equal(rig_info(&s.rig).mempool, 0);
    assert_int_equal(has(&s, (struct forge_tx){.sender = 1}), 0);
    rig_deinit(&s.rig);
}

static void test_a_block_takes_transactions_and_a_reorganisation_gives_them_back(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s, NULL);
    struct forge_tx one = {.sender = 1}, two = {.sender = 2};
    struct vn_buf *txs[2] = {forge_tx(one), forge_tx(two)};
    send_tx(&s, s.from, one);
    send_tx(&s, s.from, two);
    uint8_t ids[64];
    memcpy(ids, forge_tx_view(txs[0]).tx_id, 32);
    memcpy(ids + 32, forge_tx_view(txs[1]).tx_id, 32);
    struct vn_buf *a[2], *b[3];
    a[0] = forge_genesis();
    a[1] = forge_child_ids(a[0], 1, ids, 2);
    b[0] = vn_buf_ref(a[0]);
    b[1] = forge_child_ids(b[0], 2, ids, 1);
    b[2] = forge_child(b[1], 2);
    rig_frame(&s.rig, s.from, forge_new_block(a[1]));
    assert_int_equal(rig_info(&s.rig).mempool, 0);
    assert_int_equal(has(&s, one), 2);
    rig_frame(&s.rig, s.from, forge_new_block(b[1]));
    rig_frame(&s.rig, s.from, forge_new_block(b[2]));
    assert_int_equal(rig_info(&s.rig).height, 2);
    assert_int_equal(has(&s, one), 2);
    assert_int_equal(has(&s, two), 1);
    assert_int_equal(rig_command(&s.rig, (struct vn_command){.kind = VN_CMD_MINE, .number = 1}),
                     VN_OK);
    assert_int_equal(has(&s, two), 2);
    while (rig_find(s.b, MSG_NEW_BLOCK))
        ;
    send_tx(&s, s.c, two); /* a late copy is not relayed again */
    rig_expect_quiet(s.b);
    forge_drop(a, 2);
    forge_drop(b, 3);
    forge_drop(txs, 2);
    rig_deinit(&s.rig);
}

static void test_a_submitted_transaction_is_judged_and_told_to_all(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s, NULL);
    struct vn_buf *tx = forge_tx((struct forge_tx){.sender = 1, .data_len = 10});
    struct vn_command submit = {.kind = VN_CMD_SUBMIT_TX, .data = forge_whole(tx)};
    assert_int_equal(rig_command(&s.rig, submit), VN_OK);
    rig_take(s.from, MSG_NEW_TRANSACTION);
    rig_take(s.b, MSG_NEW_TRANSACTION);
    assert_int_equal(rig_command(&s.rig, submit), VN_ERR_STATE);
    submit.data.len--;
    assert_int_equal(rig_command(&s.rig, submit), VN_ERR_ARGUMENT);
    submit.data = (struct vn_slice){0};
    assert_int_equal(rig_command(&s.rig, submit), VN_ERR_ARGUMENT);
    vn_buf_unref(tx);
    tx = forge_tx((struct forge_tx){.sender = 1, .gas_used = 1});
    submit.data = forge_whole(tx);
    assert_int_equal(rig_command(&s.rig, submit), VN_ERR_INVALID);
    assert_string_equal(s.rig.last_reply.text, "T2-not-pending");
    vn_buf_unref(tx);
    rig_deinit(&s.rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_valid_transaction_is_relayed_once_to_all_but_its_sender),
        cmocka_unit_test(test_each_broken_rule_costs_ten),
        cmocka_unit_test(test_ten_bad_transactions_are_a_ban),
        cmocka_unit_test(test_the_clock_decides_without_penalty_at_its_edges),
        cmocka_unit_test(test_a_full_pool_drops_without_penalty),
        cmocka_unit_test(test_empty_data_and_no_data_are_one_transaction),
        cmocka_unit_test(test_transactions_grow_too_old_and_leave),
        cmocka_unit_test(test_a_block_takes_transactions_and_a_reorganisation_gives_them_back),
        cmocka_unit_test(test_a_submitted_transaction_is_judged_and_told_to_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
