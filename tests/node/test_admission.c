/* PROTOCOL-0.1 section 4, items 10 to 12: who is refused though it speaks well. */
#include "tests/node/rig.h"

#include <string.h>

static void test_the_own_id_is_refused_as_a_duplicate_and_never_dialled_again(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct vn_addr odd_name_of_ours = rig_addr(99, 8765);
    struct vn_command add = {.kind = VN_CMD_ADD_PEER, .addr = odd_name_of_ours};
    assert_int_equal(rig_command(&rig, add), VN_OK);
    struct rig_link *link = rig_dial(&rig);
    rig_up(&rig, link);
    rig_take(link, MSG_HANDSHAKE);
    rig_hello(&rig, link, rig.cfg.node_id, "0.1.0", 8765);
    rig_take_disconnect(link, REASON_DUPLICATE_CONNECTION);
    rig_run(&rig, 3600 * S);
    assert_null(rig_dial(&rig));
    assert_int_equal(rig_traced(&rig, VN_TR_SCORE), 0);
    rig_deinit(&rig);
}

static void test_an_accepted_link_with_the_own_id_is_refused_without_a_handshake(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_accept(&rig, rig_addr(7, 5000));
    rig_hello(&rig, link, rig.cfg.node_id, "0.1.0", 8765);
    rig_take_disconnect(link, REASON_DUPLICATE_CONNECTION);
    rig_deinit(&rig);
}

static void test_of_two_accepted_links_with_one_id_the_newer_goes(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *older = rig_ready_idle(&rig, rig_addr(7, 5000), "peer");
    rig_run(&rig, S);
    struct rig_link *newer = rig_accept(&rig, rig_addr(7, 5001));
    rig_hello(&rig, newer, "peer", "0.1.0", 5000);
    rig_take_disconnect(newer, REASON_DUPLICATE_CONNECTION);
    assert_int_equal(rig_peer(&rig, older).state, VN_PEER_READY);
    rig_expect_quiet(older);
    assert_int_equal(rig_traced(&rig, VN_TR_VIOLATION), 0);
    assert_true(rig_peer(&rig, older).score >= 0);
    rig_deinit(&rig);
}

static void test_a_pending_link_does_not_block_its_id(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *first = rig_accept(&rig, rig_addr(7, 5000));
    struct rig_link *second = rig_accept(&rig, rig_addr(7, 5001));
    rig_hello(&rig, second, "peer", "0.1.0", 5000);
    assert_int_equal(rig_peer(&rig, second).state, VN_PEER_READY);
    rig_hello(&rig, first, "peer", "0.1.0", 5000);
    rig_take_disconnect(first, REASON_DUPLICATE_CONNECTION);
    rig_deinit(&rig);
}

static void test_ids_are_compared_whole_and_bytewise(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    char long_a[301], long_b[301];
    memset(long_a, 'x', 300);
    memset(long_b, 'x', 300);
    long_a[300] = long_b[300] = 0;
    long_b[299] = 'y';
    struct rig_link *a = rig_ready_idle(&rig, rig_addr(7, 5000), long_a);
    struct rig_link *b = rig_ready_idle(&rig, rig_addr(8, 5000), long_b);
    struct rig_link *c = rig_ready_idle(&rig, rig_addr(9, 5000), "");
    assert_int_equal(rig_info(&rig).inbound, 3);
    assert_int_equal(strlen(rig_peer(&rig, a).node_id), 64);
    assert_string_equal(rig_peer(&rig, c).node_id, "");
    rig_expect_quiet(b);
    rig_deinit(&rig);
}

static void test_above_the_inbound_limit_a_handshake_gets_too_many_connections(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.max_inbound = 3;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    struct rig_link *links[4];
    const char *ids[] = {"a", "b", "c", "d"};
    for (uint32_t i = 0; i < 3; i++)
        links[i] = rig_ready_idle(&rig, rig_addr(10 + i, 5000), ids[i]);
    links[3] = rig_accept(&rig, rig_addr(13, 5000));
    rig_hello(&rig, links[3], ids[3], "0.1.0", 5000);
    rig_take_disconnect(links[3], REASON_TOO_MANY_CONNECTIONS);
    assert_int_equal(rig_info(&rig).inbound, 3);
    rig_down(&rig, links[0], VN_WHY_REMOTE_CLOSED);
    links[3] = rig_ready_idle(&rig, rig_addr(13, 5001), ids[3]);
    assert_int_equal(rig_info(&rig).inbound, 3);
    rig_deinit(&rig);
}

static void test_silent_links_do_not_lock_out_those_who_speak(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.max_inbound = 2;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    for (uint32_t i = 0; i < 10; i++)
        rig_accept(&rig, rig_addr(20 + i, 5000));
    rig_ready_idle(&rig, rig_addr(40, 5000), "speaks");
    for (uint32_t i = 0; i < 40; i++)
        rig_accept(&rig, rig_addr(50 + i, 5000));
    assert_true(rig_info(&rig).connecting <= 2 + 16); /* though they are bounded */
    rig_ready_idle(&rig, rig_addr(41, 5000), "speaks too");
    rig_deinit(&rig);
}

static void ban(struct rig *rig, struct vn_addr addr, uint64_t ns)
{
    struct vn_command command = {.kind = VN_CMD_BAN, .number = ns, .addr = addr};
    assert_int_equal(rig_command(rig, command), VN_OK);
}

static void test_a_ban_by_address_ends_the_link_and_refuses_every_port_of_it(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "peer");
    struct rig_link *other = rig_ready_idle(&rig, rig_addr(8, 5000), "other");
    ban(&rig, link->remote, 0);
    rig_take_disconnect(link, REASON_PROTOCOL_VIOLATION);
    assert_int_equal(link->close_why, VN_WHY_BANNED);
    rig_expect_quiet(other);
    assert_int_equal(rig_info(&rig).banned, 1);
    link = rig_accept(&rig, rig_addr(7, 6000));
    rig_hello(&rig, link, "another name", "0.1.0", 6000);
    rig_take_disconnect(link, REASON_PROTOCOL_VIOLATION);
    struct vn_peer_info info;
    struct vn_addr known = rig_addr(7, 5000);
    assert_true(rig_peer_at(&rig, &known, &info));
    assert_int_equal(info.state, VN_PEER_BANNED);
    assert_int_equal(info.score, -50);
    rig_run(&rig, 3600 * S - 1);
    assert_null(rig_dial(&rig) && memcmp(&rig_dial(&rig)->remote, &known, sizeof known) == 0
                    ? rig_dial(&rig)
                    : NULL);
    rig_run(&rig, 2 * S);
    link = rig_accept(&rig, rig_addr(7, 6001));
    rig_hello(&rig, link, "another name", "0.1.0", 6000);
    rig_take(link, MSG_HANDSHAKE);
    rig_deinit(&rig);
}

static void test_loopback_peers_are_banned_by_their_id(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct vn_addr local = {.family = VN_AF_IPV4, .port = 5000, .ip = {127, 0, 0, 1}};
    struct rig_link *bad = rig_ready_idle(&rig, local, "bad");
    local.port = 5001;
    struct rig_link *good = rig_ready_idle(&rig, local, "good");
    ban(&rig, bad->remote, 10 * S);
    rig_take_disconnect(bad, REASON_PROTOCOL_VIOLATION);
    rig_expect_quiet(good);
    local.port = 5002;
    struct rig_link *again = rig_accept(&rig, local);
    rig_hello(&rig, again, "bad", "0.1.0", 5000);
    rig_take_disconnect(again, REASON_PROTOCOL_VIOLATION);
    local.port = 5003;
    rig_ready_idle(&rig, local, "neighbour");
    rig_run(&rig, 10 * S);
    local.port = 5004;
    rig_ready_idle(&rig, local, "bad");
    rig_deinit(&rig);
}

static void test_a_ban_can_be_lifted(void **state)
{
    (void)state;
    for (uint32_t by_id = 0; by_id < 2; by_id++) {
        struct vn_config cfg;
        rig_config(&cfg);
        cfg.ban_by = by_id ? VN_BAN_BY_ID : VN_BAN_BY_IP;
        struct rig rig;
        rig_init_started(&rig, &cfg);
        struct rig_link *link = rig_dial_to(&rig, rig_addr(7, 5000));
        rig_hello(&rig, link, "peer", "0.1.0", 5000);
        assert_int_equal(rig_peer(&rig, link).state, VN_PEER_READY);
        ban(&rig, link->remote, 0);
        assert_int_equal(rig_info(&rig).banned, 1);
        struct vn_command lift = {.kind = VN_CMD_UNBAN, .addr = rig_addr(7, 5000)};
        assert_int_equal(rig_command(&rig, lift), VN_OK);
        assert_int_equal(rig_info(&rig).banned, 0);
        rig_ready_idle(&rig, rig_addr(7, 5002), "peer");
        rig_deinit(&rig);
    }
}

static void test_banning_an_unknown_loopback_peer_says_that_it_cannot(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct vn_addr local = {.family = VN_AF_IPV4, .port = 5000, .ip = {127, 0, 0, 1}};
    struct vn_command command = {.kind = VN_CMD_BAN, .addr = local};
    assert_int_equal(rig_command(&rig, command), VN_ERR_UNKNOWN);
    rig_deinit(&rig);
}

static void test_a_peer_banned_by_id_is_not_dialled_over_and_over(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.ban_by = VN_BAN_BY_ID;
    const struct vn_addr seed = rig_addr(7, 5000);
    cfg.seeds = &seed;
    cfg.seed_count = 1;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    struct rig_link *link = rig_dial(&rig);
    rig_up(&rig, link);
    rig_hello(&rig, link, "peer", "0.1.0", 5000);
    ban(&rig, seed, 0);
    uint32_t dials = 0;
    for (uint64_t end = rig.now_ns + 600 * S; rig.now_ns < end;) {
        rig_run(&rig, 100 * MS);
        link = rig_dial(&rig);
        if (!link)
            continue;
        dials++;
        rig_up(&rig, link);
        rig_hello(&rig, link, "peer", "0.1.0", 5000);
    }
    assert_true(dials <= 600 / 64 + 1);
    rig_deinit(&rig);
}

static void test_more_identities_than_the_table_holds_leave_nothing_dangling(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.known_peers = 1; /* room for four identities */
    struct rig rig;
    rig_init_started(&rig, &cfg);
    rig.keep_links = true;
    for (uint32_t i = 0; i < 12; i++) {
        struct rig_link *link = rig_accept(&rig, rig_addr(20 + i, 5000));
        rig_bytes(&rig, link, "\0\0\0\0", 4); /* a violation ends it; its shell stays */
        assert_true(link->closed);
    }
    for (uint32_t i = 0; i < 12; i++) {
        ban(&rig, rig_addr(20 + i, 5000), 0);
        ban(&rig, rig_addr(60 + i, 5000), 0);
    }
    assert_true(rig_info(&rig).banned <= 4);
    rig_run(&rig, 4000 * S);
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_own_id_is_refused_as_a_duplicate_and_never_dialled_again),
        cmocka_unit_test(test_an_accepted_link_with_the_own_id_is_refused_without_a_handshake),
        cmocka_unit_test(test_of_two_accepted_links_with_one_id_the_newer_goes),
        cmocka_unit_test(test_a_pending_link_does_not_block_its_id),
        cmocka_unit_test(test_ids_are_compared_whole_and_bytewise),
        cmocka_unit_test(test_above_the_inbound_limit_a_handshake_gets_too_many_connections),
        cmocka_unit_test(test_silent_links_do_not_lock_out_those_who_speak),
        cmocka_unit_test(test_a_ban_by_address_ends_the_link_and_refuses_every_port_of_it),
        cmocka_unit_test(test_loopback_peers_are_banned_by_their_id),
        cmocka_unit_test(test_a_ban_can_be_lifted),
        cmocka_unit_test(test_banning_an_unknown_loopback_peer_says_that_it_cannot),
        cmocka_unit_test(test_a_peer_banned_by_id_is_not_dialled_over_and_over),
        cmocka_unit_test(test_more_identities_than_the_table_holds_leave_nothing_dangling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
