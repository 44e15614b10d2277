/* PROTOCOL-0.1 section 5: what time does to a ready link; and which states a peer goes through. */
#include "tests/node/rig.h"

#include "core/peer/peer.h"

#include <string.h>

#define PEER_ADDR rig_addr(7, 5000)

static void test_the_table_of_legal_states_is_the_whole_life(void **state)
{
    (void)state;
    /* Rows: from; a letter for each state that may follow. */
    static const char *const follows[VN_PEER_STATES] = {
        [VN_PEER_DISCONNECTED] = "CUB", [VN_PEER_CONNECTING] = "UDFB", [VN_PEER_CONNECTED] = "RDFB",
        [VN_PEER_READY] = "DB",         [VN_PEER_FAILED] = "CUB",      [VN_PEER_BANNED] = "D",
    };
    static const char letters[] = "DCURFB";
    for (uint32_t from = 0; from < VN_PEER_STATES; from++)
        for (uint32_t to = 0; to < VN_PEER_STATES; to++)
            assert_int_equal(peer_state_legal((enum vn_peer_state)from, (enum vn_peer_state)to),
                             strchr(follows[from], letters[to]) != NULL);
}

static void test_silence_of_thirty_seconds_brings_a_ping_and_sixty_the_end(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready_idle(&rig, PEER_ADDR, "peer");
    uint64_t start = rig.now_ns;
    rig_run_until(&rig, start + 30 * S - 1);
    rig_expect_quiet(link);
    rig_run_until(&rig, start + 30 * S);
    rig_take(link, MSG_PING);
    rig_run_until(&rig, start + 60 * S - 1);
    rig_expect_quiet(link);
    assert_false(link->closed);
    rig_run_until(&rig, start + 60 * S);
    rig_take_disconnect(link, REASON_TIMEOUT);
    assert_int_equal(link->close_why, VN_WHY_TIMEOUT);
    rig_deinit(&rig);
}

static void test_a_pong_keeps_the_link_and_measures_the_round_trip(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready_idle(&rig, PEER_ADDR, "peer");
    for (uint32_t i = 0; i < 10; i++) {
        rig_run(&rig, 30 * S);
        uint64_t nonce = rig_take(link, MSG_PING)->u.ping.nonce;
        rig_run(&rig, 120 * MS);
        rig_msg(&rig, link, &(struct msg){.kind = MSG_PONG, .u.pong.nonce = nonce});
        assert_int_equal(rig_peer(&rig, link).rtt_ns, 120 * MS);
    }
    assert_false(link->closed);
    assert_int_equal(rig_info(&rig).inbound, 1);
    rig_deinit(&rig);
}

static void test_an_answer_to_a_request_is_no_round_trip_of_a_ping(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_dial_to(&rig, PEER_ADDR);
    rig_run(&rig, 40 * MS);
    rig_hello(&rig, link, "peer", "0.1.0", 5000);
    assert_int_equal(rig_peer(&rig, link).rtt_ns, 40 * MS);
    rig_run(&rig, 9 * S);
    rig_frame(&rig, link, forge_response(NULL)); /* a slow disk, not a slow line */
    assert_int_equal(rig_peer(&rig, link).rtt_ns, 40 * MS);
    rig_deinit(&rig);
}

static void test_a_partly_received_frame_is_no_activity(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready_idle(&rig, PEER_ADDR, "peer");
    uint64_t start = rig.now_ns;
    rig_bytes(&rig, link, "\0\0\1\0\7\0\0\0", 8);
    for (uint32_t i = 0; i < 59; i++) {
        rig_run(&rig, S);
        rig_bytes(&rig, link, "x", 1);
    }
    rig_run_until(&rig, start + 60 * S);
    rig_take(link, MSG_PING);
    rig_take_disconnect(link, REASON_TIMEOUT);
    rig_deinit(&rig);
}

static void test_sending_is_no_activity_of_the_peer(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready_idle(&rig, PEER_ADDR, "peer");
    uint64_t start = rig.now_ns;
    for (uint32_t i = 1; i < 12; i++) {
        rig_run_until(&rig, start + i * 5 * S);
        rig_command(&rig, (struct vn_command){.kind = VN_CMD_MINE, .number = 1});
    }
    rig_run_until(&rig, start + 60 * S);
    assert_true(link->closed && link->close_why == VN_WHY_TIMEOUT);
    assert_int_equal(link->closed_ns, start + 60 * S);
    rig_deinit(&rig);
}

static void test_pings_are_answered_in_order(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready_idle(&rig, PEER_ADDR, "peer");
    for (uint64_t i = 0; i < 50; i++)
        rig_ping(&rig, link, i * i);
    for (uint64_t i = 0; i < 50; i++)
        assert_int_equal(rig_take(link, MSG_PONG)->u.pong.nonce, i * i);
    rig_deinit(&rig);
}

static void test_a_pong_nobody_waits_for_is_ignored(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready_idle(&rig, PEER_ADDR, "peer");
    rig_msg(&rig, link, &(struct msg){.kind = MSG_PONG, .u.pong.nonce = 3});
    rig_run(&rig, 30 * S);
    uint64_t nonce = rig_take(link, MSG_PING)->u.ping.nonce;
    rig_msg(&rig, link, &(struct msg){.kind = MSG_PONG, .u.pong.nonce = nonce + 1});
    rig_expect_quiet(link);
    assert_int_equal(rig_peer(&rig, link).rtt_ns, 0);
    rig_deinit(&rig);
}

static void test_a_disconnect_is_answered_by_nothing_but_the_end(void **state)
{
    (void)state;
    for (uint32_t reason = 0; reason < REASONS; reason++) {
        struct rig rig;
        rig_init_started(&rig, NULL);
        struct rig_link *link = rig_ready_idle(&rig, PEER_ADDR, "peer");
        rig_msg(&rig, link, &(struct msg){.kind = MSG_DISCONNECT, .u.disconnect.reason = reason});
        rig_expect_quiet(link);
        assert_true(link->closed);
        assert_int_equal(rig_traced(&rig, VN_TR_SCORE), 0);
        rig_deinit(&rig);
    }
}

static void test_events_for_links_that_are_unknown_or_over_change_nothing(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready_idle(&rig, PEER_ADDR, "peer");
    uint64_t id = link->id;
    rig_down(&rig, link, VN_WHY_REMOTE_CLOSED);
    struct vn_info before = rig_info(&rig);
    const uint64_t ids[] = {id, 0, 1, 2, 3, 4444, UINT64_MAX, UINT64_MAX - 1};
    struct vn_buf *ping = msg_frame(&(struct msg){.kind = MSG_PING});
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        rig_step(&rig,
                 (struct vn_event){.kind = VN_EV_BYTES, .u.bytes = {ids[i], {ping, 0, ping->len}}});
        rig_step(&rig, (struct vn_event){.kind = VN_EV_SENT, .u.sent = {ids[i], 100}});
        rig_step(&rig, (struct vn_event){.kind = VN_EV_LINK_DOWN, .u.link_down = {ids[i], 1}});
        if (ids[i] % 2 == 1 || ids[i] == 0) /* nobody dialled that */
            rig_step(&rig, (struct vn_event){.kind = VN_EV_LINK_UP,
                                             .u.link_up = {.link = ids[i], .window = 9}});
    }
    rig_step(&rig, (struct vn_event){.kind = VN_EV_STORED, .u.stored = {999, VN_OK}});
    rig_step(&rig, (struct vn_event){.kind = VN_EV_LOADED, .u.loaded = {.token = 999}});
    rig_step(&rig, (struct vn_event){.kind = VN_EV_RESOLVED, .u.resolved = {.token = 999}});
    rig_step(&rig, (struct vn_event){.kind = VN_EV_START});
    rig_step(&rig, (struct vn_event){.kind = 77});
    vn_buf_unref(ping);
    struct vn_info after = rig_info(&rig);
    before.hash = after.hash = 0;
    before.work = after.work = 0;
    assert_memory_equal(&before, &after, sizeof before);
    rig_deinit(&rig);
}

static void test_a_second_link_up_or_down_is_ignored(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready_idle(&rig, PEER_ADDR, "peer");
    rig_step(&rig, (struct vn_event){
                       .kind = VN_EV_LINK_UP,
                       .u.link_up = {.link = link->id, .remote = link->remote, .window = 1}});
    assert_int_equal(rig_info(&rig).inbound, 1);
    rig.keep_links = true;
    rig_bytes(&rig, link, "\0\0\0\0", 4);
    rig_take_disconnect(link, REASON_PROTOCOL_VIOLATION);
    rig_ping(&rig, link, 1); /* after CLOSE nothing counts */
    rig_down(&rig, link, VN_WHY_LOCAL_CLOSED);
    rig_step(&rig, (struct vn_event){.kind = VN_EV_LINK_DOWN, .u.link_down = {link->id, 1}});
    rig_expect_quiet(link);
    assert_int_equal(rig_info(&rig).inbound, 0);
    rig_deinit(&rig);
}

static void test_a_snapshot_tells_what_a_peer_is_and_did(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    uint64_t up = rig.now_ns;
    struct rig_link *link = rig_accept(&rig, rig_addr(7, 40000));
    rig_run(&rig, S);
    rig_hello(&rig, link, "peer-name", "0.7.1", 5000);
    rig_run(&rig, S);
    struct vn_buf *line[4];
    forge_line(line, 3, 1);
    rig_frame(&rig, link, forge_new_block(line[1]));
    struct vn_peer_info info = rig_peer(&rig, link);
    assert_int_equal(info.size, sizeof info);
    assert_int_equal(info.state, VN_PEER_READY);
    assert_int_equal(info.link_class, VN_CLASS_PEER);
    assert_int_equal(info.score, 10);
    assert_string_equal(info.node_id, "peer-name");
    assert_string_equal(info.version, "0.7.1");
    assert_memory_equal(&info.addr, &link->remote, sizeof info.addr);
    assert_int_equal(info.listen.port, 5000);
    assert_memory_equal(info.listen.ip, link->remote.ip, 16);
    assert_int_equal(info.up_ns, up);
    assert_int_equal(info.last_seen_ns, up + 2 * S);
    assert_int_equal(info.best_height, 1);
    assert_int_equal(info.msgs_in, 2);
    assert_int_equal(info.msgs_out, 2); /* Handshake, RequestBlock */
    assert_int_equal(info.outbox_bytes, 0);
    uint32_t out = 4 + 4 + 16 + 5 + (uint32_t)strlen(rig.cfg.node_id) + 10 + 4 + 12;
    assert_int_equal(info.bytes_out, out);
    assert_int_equal(info.bytes_in, 4 + 4 + 16 + 5 + 9 + 10 + 4 + 4 + line[1]->len);
    forge_drop(line, 4);
    rig_deinit(&rig);
}

static void test_a_snapshot_fits_a_caller_of_another_size(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct {
        struct vn_info info;
        uint8_t guard[64];
    } big;
    memset(&big, 0x5a, sizeof big);
    uint32_t older = offsetof(struct vn_info, hash); /* a caller without what follows */
    big.info.size = older;
    vn_node_info(rig.node, &big.info);
    assert_int_equal(big.info.size, older);
    assert_int_equal(big.info.hash, UINT64_C(0x5a5a5a5a5a5a5a5a));
    big.info.size = sizeof big; /* a newer one */
    vn_node_info(rig.node, &big.info);
    assert_int_equal(big.info.hash, vn_node_hash(rig.node));
    assert_int_equal(big.guard[0], 0x5a);
    rig_deinit(&rig);
}

static void test_shutdown_says_so_to_all_and_ends_dialling_and_accepting(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    const struct vn_addr seeds[] = {rig_addr(20, 1), rig_addr(21, 1)};
    cfg.seeds = seeds;
    cfg.seed_count = 2;
    cfg.feeler_interval_ns = S;
    cfg.mine_interval_ns = S;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    struct rig_link *in = rig_ready_idle(&rig, PEER_ADDR, "peer");
    struct rig_link *dialling = rig_dial(&rig);
    while (rig_next(in)) /* what was mined meanwhile */
        ;
    struct vn_command down = {.kind = VN_CMD_SHUTDOWN};
    assert_int_equal(rig_command(&rig, down), VN_OK);
    rig_take_disconnect(in, REASON_SHUTDOWN);
    assert_true(dialling->closed);
    uint32_t links = rig.link_count;
    uint64_t height = rig_info(&rig).height;
    rig_run(&rig, 1000 * S);
    assert_int_equal(rig.link_count, links);
    assert_int_equal(rig_info(&rig).height, height);
    struct rig_link *late = rig_accept(&rig, rig_addr(30, 1));
    rig_take_disconnect(late, REASON_SHUTDOWN);
    struct vn_command connect = {.kind = VN_CMD_CONNECT, .addr = PEER_ADDR};
    assert_int_equal(rig_command(&rig, connect), VN_ERR_STATE);
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_table_of_legal_states_is_the_whole_life),
        cmocka_unit_test(test_silence_of_thirty_seconds_brings_a_ping_and_sixty_the_end),
        cmocka_unit_test(test_a_pong_keeps_the_link_and_measures_the_round_trip),
        cmocka_unit_test(test_an_answer_to_a_request_is_no_round_trip_of_a_ping),
        cmocka_unit_test(test_a_partly_received_frame_is_no_activity),
        cmocka_unit_test(test_sending_is_no_activity_of_the_peer),
        cmocka_unit_test(test_pings_are_answered_in_order),
        cmocka_unit_test(test_a_pong_nobody_waits_for_is_ignored),
        cmocka_unit_test(test_a_disconnect_is_answered_by_nothing_but_the_end),
        cmocka_unit_test(test_events_for_links_that_are_unknown_or_over_change_nothing),
        cmocka_unit_test(test_a_second_link_up_or_down_is_ignored),
        cmocka_unit_test(test_a_snapshot_tells_what_a_peer_is_and_did),
        cmocka_unit_test(test_a_snapshot_fits_a_caller_of_another_size),
        cmocka_unit_test(test_shutdown_says_so_to_all_and_ends_dialling_and_accepting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
