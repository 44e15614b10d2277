/* PROTOCOL-0.1 section 4: both flows of the handshake and every refusal of it. */
#include "tests/node/rig.h"

#include <string.h>

#define PEER_ADDR rig_addr(7, 5000)

/* ---- the two flows ---- */

static void test_an_acceptor_says_nothing_before_it_has_heard_a_handshake(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_accept(&rig, PEER_ADDR);
    rig_run(&rig, 5 * S);
    rig_expect_quiet(link);
    assert_int_equal(rig_peer(&rig, link).state, VN_PEER_CONNECTED);
    rig_hello(&rig, link, "peer", "0.1.0", 5000);
    const struct msg *hello = rig_take(link, MSG_HANDSHAKE);
    assert_int_equal(hello->u.handshake.node_id.len, strlen(rig.cfg.node_id));
    assert_memory_equal(hello->u.handshake.node_id.data, rig.cfg.node_id, strlen(rig.cfg.node_id));
    assert_int_equal(hello->u.handshake.version.len, 5);
    assert_memory_equal(hello->u.handshake.version.data, "0.1.0", 5);
    assert_memory_equal(&hello->u.handshake.listen, &rig.cfg.listen, sizeof rig.cfg.listen);
    assert_int_equal(rig_peer(&rig, link).state, VN_PEER_READY);
    assert_int_equal(rig_info(&rig).inbound, 1);
    rig_deinit(&rig);
}

static void test_a_dialler_speaks_first_and_is_ready_by_the_answer(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct vn_command connect = {.kind = VN_CMD_CONNECT, .addr = PEER_ADDR};
    assert_int_equal(rig_command(&rig, connect), VN_OK);
    struct rig_link *link = rig_dial(&rig);
    assert_int_equal(link->link_class, VN_CLASS_PEER);
    assert_int_equal(rig_peer(&rig, link).state, VN_PEER_CONNECTING);
    rig_up(&rig, link);
    rig_take(link, MSG_HANDSHAKE);
    rig_expect_quiet(link);
    assert_int_equal(rig_peer(&rig, link).state, VN_PEER_CONNECTED);
    rig_hello(&rig, link, "peer", "0.9", 5000);
    assert_int_equal(rig_peer(&rig, link).state, VN_PEER_READY);
    assert_int_equal(rig_info(&rig).outbound, 1);
    rig_take(link, MSG_REQUEST_BLOCK);
    rig_expect_quiet(link);
    rig_deinit(&rig);
}

/* ---- refusals ---- */

static void check_version(const char *version, bool compatible, bool dialled)
{
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = dialled ? rig_dial_to(&rig, PEER_ADDR) : rig_accept(&rig, PEER_ADDR);
    if (dialled)
        rig_take(link, MSG_HANDSHAKE);
    rig_hello(&rig, link, "peer", version, 5000);
    if (compatible) {
        if (!dialled)
            rig_take(link, MSG_HANDSHAKE);
        assert_int_equal(rig_peer(&rig, link).state, VN_PEER_READY);
    } else {
        rig_take_disconnect(link, REASON_INCOMPATIBLE_VERSION);
        assert_int_equal(link->close_why, VN_WHY_VERSION);
        assert_int_equal(rig_traced(&rig, VN_TR_VIOLATION), 0);
    }
    rig_deinit(&rig);
}

static void test_versions_agree_by_the_text_before_the_first_dot(void **state)
{
    (void)state;
    static const struct {
        const char *version;
        bool compatible;
    } cases[] = {{"0.1.0", true}, {"0", true}, {"0.", true},  {"0.9.9", true}, {"00.1", false},
                 {"1.0", false},  {"", false}, {".1", false}, {" 0.1", false}, {"0x.1", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_version(cases[i].version, cases[i].compatible, false);
        check_version(cases[i].version, cases[i].compatible, true);
    }
}

static void test_another_message_instead_of_the_handshake_is_a_violation(void **state)
{
    (void)state;
    struct vn_buf *genesis = forge_genesis();
    struct vn_buf *block = forge_child(genesis, 1);
    struct vn_buf *tx = forge_tx((struct forge_tx){0});
    struct vn_buf *frames[] = {
        forge_new_block(block),
        forge_new_tx(tx),
        msg_frame(&(struct msg){.kind = MSG_REQUEST_BLOCK}),
        forge_response(NULL),
        msg_frame(&(struct msg){.kind = MSG_REQUEST_BLOCK_RANGE}),
        forge_range(&block, 1),
        msg_frame(&(struct msg){.kind = MSG_PING}),
    };
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        struct rig rig;
        rig_init_started(&rig, NULL);
        struct rig_link *link = rig_accept(&rig, PEER_ADDR);
        rig_frame(&rig, link, frames[i]);
        rig_take_disconnect(link, REASON_PROTOCOL_VIOLATION);
        assert_int_equal(rig_info(&rig).height, 0);
        assert_int_equal(rig_info(&rig).mempool, 0);
        rig_deinit(&rig);
    }
    vn_buf_unref(genesis);
    vn_buf_unref(block);
    vn_buf_unref(tx);
}

static void test_a_pong_instead_of_the_handshake_is_ignored(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_accept(&rig, PEER_ADDR);
    rig_msg(&rig, link, &(struct msg){.kind = MSG_PONG, .u.pong.nonce = 9});
    rig_expect_quiet(link);
    rig_hello(&rig, link, "peer", "0.1.0", 5000);
    rig_take(link, MSG_HANDSHAKE);
    assert_int_equal(rig_peer(&rig, link).state, VN_PEER_READY);
    rig_deinit(&rig);
}

static void test_a_disconnect_instead_of_the_handshake_closes_without_a_word(void **state)
{
    (void)state;
    for (uint32_t reason = 0; reason < REASONS; reason++) {
        struct rig rig;
        rig_init_started(&rig, NULL);
        struct rig_link *link = rig_accept(&rig, PEER_ADDR);
        rig_msg(&rig, link, &(struct msg){.kind = MSG_DISCONNECT, .u.disconnect.reason = reason});
        rig_expect_quiet(link);
        assert_true(link->closed);
        assert_int_equal(rig_traced(&rig, VN_TR_SCORE), 0);
        rig_deinit(&rig);
    }
}

static void test_an_undecodable_frame_before_the_handshake_closes(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[12];
        uint32_t len;
    } cases[] = {
        {{0, 0, 0, 0}, 4},              /* an empty payload */
        {{0, 0, 0, 4, 10, 0, 0, 0}, 8}, /* no such message */
        {{0, 0, 0, 4, 7, 0, 0, 0}, 8},  /* a Ping cut short */
        {{0, 0xa0, 0, 1}, 4},           /* a length above the limit, on its prefix alone */
        {{'G', 'E', 'T', ' ', '/', ' ', 'H'}, 7},  /* somebody else's protocol */
        {{0, 0, 0, 8, 9, 0, 0, 0, 6, 0, 0, 0}, 12} /* Disconnect with no such reason */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig rig;
        rig_init_started(&rig, NULL);
        struct rig_link *link = rig_accept(&rig, PEER_ADDR);
        rig_bytes(&rig, link, cases[i].bytes, cases[i].len);
        rig_take_disconnect(link, REASON_PROTOCOL_VIOLATION);
        rig_deinit(&rig);
    }
}

static void test_the_handshake_must_come_within_ten_seconds_however_slowly(void **state)
{
    (void)state;
    for (uint32_t trickle = 0; trickle < 2; trickle++) {
        struct rig rig;
        rig_init_started(&rig, NULL);
        struct rig_link *link = rig_accept(&rig, PEER_ADDR);
        uint64_t start = rig.now_ns;
        const uint8_t head[] = {0, 0, 0, 200, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, '0', '.', '1'};
        for (uint32_t i = 0; i < sizeof head && trickle; i++) {
            rig_run(&rig, 500 * MS);
            rig_bytes(&rig, link, head + i, 1);
        }
        rig_run_until(&rig, start + 10 * S - 1);
        assert_false(link->closed);
        rig_run_until(&rig, start + 10 * S);
        rig_take_disconnect(link, REASON_TIMEOUT);
        rig_deinit(&rig);
    }
}

static void test_a_dialled_peer_that_does_not_answer_is_given_ten_seconds_too(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_dial_to(&rig, PEER_ADDR);
    rig_take(link, MSG_HANDSHAKE);
    rig_run(&rig, 10 * S - 1);
    assert_false(link->closed);
    rig_run(&rig, 1);
    rig_take_disconnect(link, REASON_TIMEOUT);
    rig_deinit(&rig);
}

static void test_a_pong_before_the_handshake_does_not_win_time(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_accept(&rig, PEER_ADDR);
    rig_run(&rig, 9 * S);
    rig_msg(&rig, link, &(struct msg){.kind = MSG_PONG});
    rig_run(&rig, S);
    rig_take_disconnect(link, REASON_TIMEOUT);
    rig_deinit(&rig);
}

static void test_a_second_handshake_is_a_violation(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready(&rig, PEER_ADDR, "peer");
    rig_hello(&rig, link, "peer", "0.1.0", 5000);
    rig_take_disconnect(link, REASON_PROTOCOL_VIOLATION);
    assert_int_equal(rig_info(&rig).inbound, 0);
    rig_deinit(&rig);
}

static void test_two_handshakes_in_one_delivery_end_the_link_once(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_accept(&rig, PEER_ADDR);
    struct msg msg = {.kind = MSG_HANDSHAKE};
    msg.u.handshake.version = (struct bytes_view){(const uint8_t *)"0", 1};
    msg.u.handshake.node_id = (struct bytes_view){(const uint8_t *)"p", 1};
    msg.u.handshake.listen = link->remote;
    struct vn_buf *hello = msg_frame(&msg);
    uint8_t twice[512];
    for (uint32_t i = 0; i < 3; i++)
        memcpy(twice + i * hello->len, hello->data, hello->len);
    rig_bytes(&rig, link, twice, 3 * hello->len);
    vn_buf_unref(hello);
    /* What waited gives way to the Disconnect; the Handshake itself is in the same lane before it.
     */
    rig_take(link, MSG_HANDSHAKE);
    const struct msg *last = rig_find(link, MSG_DISCONNECT);
    assert_non_null(last);
    assert_int_equal(last->u.disconnect.reason, REASON_PROTOCOL_VIOLATION);
    assert_int_equal(rig_traced(&rig, VN_TR_VIOLATION), 1);
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_acceptor_says_nothing_before_it_has_heard_a_handshake),
        cmocka_unit_test(test_a_dialler_speaks_first_and_is_ready_by_the_answer),
        cmocka_unit_test(test_versions_agree_by_the_text_before_the_first_dot),
        cmocka_unit_test(test_another_message_instead_of_the_handshake_is_a_violation),
        cmocka_unit_test(test_a_pong_instead_of_the_handshake_is_ignored),
        cmocka_unit_test(test_a_disconnect_instead_of_the_handshake_closes_without_a_word),
        cmocka_unit_test(test_an_undecodable_frame_before_the_handshake_closes),
        cmocka_unit_test(test_the_handshake_must_come_within_ten_seconds_however_slowly),
        cmocka_unit_test(test_a_dialled_peer_that_does_not_answer_is_given_ten_seconds_too),
        cmocka_unit_test(test_a_pong_before_the_handshake_does_not_win_time),
        cmocka_unit_test(test_a_second_handshake_is_a_violation),
        cmocka_unit_test(test_two_handshakes_in_one_delivery_end_the_link_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
