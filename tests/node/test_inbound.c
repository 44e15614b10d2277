/* Accepted links: no stranger keeps others out by being there. */
#include "tests/node/rig.h"

#include <stdio.h>
#include <string.h>

static struct vn_addr addr_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port)
{
    return (struct vn_addr){.family = VN_AF_IPV4, .port = port, .ip = {a, b, c, d}};
}

/* A ready link from a.b.0.n, named after it. */
static struct rig_link *ready_from(struct rig *rig, uint8_t a, uint8_t b, uint8_t n)
{
    char id[32];
    snprintf(id, sizeof id, "%u.%u.%u", a, b, n);
    return rig_ready_idle(rig, addr_v4(a, b, 0, n, 5000), id);
}

/* A complete handshake from there: true if it was admitted. */
static bool admitted(struct rig *rig, struct vn_addr addr, const char *id)
{
    struct rig_link *link = rig_accept(rig, addr);
    if (link->closed)
        return false;
    rig_hello(rig, link, id, "0.1.0", 5000);
    const struct msg *msg = rig_next(link);
    if (msg->kind == MSG_DISCONNECT) {
        assert_int_equal(msg->u.disconnect.reason, REASON_TOO_MANY_CONNECTIONS);
        return false;
    }
    rig_take(link, MSG_REQUEST_BLOCK);
    rig_frame(rig, link, forge_response(NULL));
    return true;
}

/* Keeps ready links alive for so long: each says a Ping now and then. */
static void pass(struct rig *rig, uint64_t ns)
{
    for (uint64_t end = rig->now_ns + ns; rig->now_ns < end;) {
        for (uint32_t i = 0; i < rig->link_count; i++) {
            struct rig_link *link = &rig->links[i];
            if (link->up && !link->closed && !link->down &&
                rig_peer(rig, link).state == VN_PEER_READY)
                rig_ping(rig, link, 1);
        }
        rig_run(rig, 20 * S);
    }
}

/* ---- links in their handshake ---- */

static void test_silent_sockets_from_everywhere_do_not_lock_out_who_speaks(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    for (uint8_t i = 0; i < 200; i++)
        rig_accept(&rig, addr_v4(60, i, 0, 1, 5000));
    assert_int_equal(rig_info(&rig).connecting, 32 + 16);
    for (uint8_t i = 0; i < 32; i++)
        assert_true(admitted(&rig, addr_v4(61, i, 0, 1, 5000), (const char[]){(char)('A' + i), 0}));
    assert_int_equal(rig_info(&rig).inbound, 32);
    assert_int_equal(rig_info(&rig).connecting, 16);
    assert_int_equal(rig_traced(&rig, VN_TR_VIOLATION), 0); /* it is no offence */
    rig_deinit(&rig);
}

static void test_the_oldest_handshake_gives_way_and_one_of_the_same_address_first(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.max_inbound = 1;
    cfg.max_pending = 3;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    struct rig_link *links[4];
    for (uint8_t i = 0; i < 4; i++)
        links[i] = rig_accept(&rig, addr_v4(60, i, 0, 1, 5000));
    struct rig_link *again = rig_accept(&rig, addr_v4(60, 2, 0, 1, 5001));
    rig_take_disconnect(links[2], REASON_TOO_MANY_CONNECTIONS);
    assert_int_equal(links[2]->close_why, VN_WHY_TOO_MANY);
    struct rig_link *other = rig_accept(&rig, addr_v4(60, 9, 0, 1, 5000));
    assert_true(links[0]->closed);
    assert_false(links[1]->closed || links[3]->closed || again->closed || other->closed);
    rig_deinit(&rig);
}

/* ---- one address ---- */

static void test_one_address_has_a_share_of_the_links(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *first = rig_ready_idle(&rig, addr_v4(60, 1, 0, 1, 4000), "first");
    for (uint16_t i = 1; i < 8; i++)
        assert_false(rig_accept(&rig, addr_v4(60, 1, 0, 1, 4000 + i))->closed);
    struct rig_link *ninth = rig_accept(&rig, addr_v4(60, 1, 0, 1, 4008));
    assert_true(ninth->closed);
    assert_int_equal(ninth->close_why, VN_WHY_TOO_MANY);
    assert_false(rig_accept(&rig, addr_v4(60, 2, 0, 1, 4000))->closed);
    rig_down(&rig, first, VN_WHY_REMOTE_CLOSED);
    assert_false(rig_accept(&rig, addr_v4(60, 1, 0, 1, 4009))->closed);
    rig_deinit(&rig);
}

static void test_many_nodes_of_one_machine_may_share_loopback(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    char id[] = "A";
    for (uint16_t i = 0; i < 32; i++, id[0]++)
        assert_true(admitted(&rig, addr_v4(127, 0, 0, 1, 4000 + i), id));
    assert_false(admitted(&rig, addr_v4(127, 0, 0, 1, 5000), id)); /* all slots are taken */
    assert_int_equal(rig_info(&rig).inbound, 32);
    rig_deinit(&rig);
}

static void test_one_address_is_accepted_at_a_rate(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.accept_rate = 1;
    cfg.accept_burst = 5;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    uint32_t accepted = 0;
    for (uint32_t i = 0; i < 50; i++) {
        struct rig_link *link = rig_accept(&rig, addr_v4(60, 1, 0, 1, 4000));
        accepted += !link->closed;
        if (!link->down)
            rig_down(&rig, link, VN_WHY_REMOTE_CLOSED);
    }
    assert_int_equal(accepted, 5);
    assert_false(rig_accept(&rig, addr_v4(60, 2, 0, 1, 4000))->closed); /* another */
    rig_run(&rig, S);
    assert_false(rig_accept(&rig, addr_v4(60, 1, 0, 1, 4001))->closed);
    assert_true(rig_accept(&rig, addr_v4(60, 1, 0, 1, 4002))->closed);
    assert_int_equal(rig_traced(&rig, VN_TR_SCORE), 0);
    rig_deinit(&rig);
}

/* ---- eviction ---- */

/* A full node: `crowd` links from 60.1/16, the others each from a network of its own. */
static void fill(struct rig *rig, struct rig_link **links, uint32_t max, uint32_t crowd)
{
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.max_inbound = max;
    rig_init_started(rig, &cfg);
    for (uint32_t i = 0; i < max; i++)
        links[i] = ready_from(rig, i < crowd ? 60 : 70, i < crowd ? 1 : (uint8_t)i, (uint8_t)i);
}

static void test_the_youngest_of_the_largest_group_makes_place_for_a_newcomer(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_link *links[20];
    fill(&rig, links, 20, 18);
    assert_false(admitted(&rig, addr_v4(80, 1, 0, 1, 5000), "early")); /* all are too young */
    pass(&rig, 70 * S);
    assert_true(admitted(&rig, addr_v4(80, 2, 0, 1, 5000), "newcomer"));
    for (uint32_t i = 0; i < 20; i++)
        assert_int_equal(links[i]->closed, i == 17);
    const struct msg *bye = rig_find(links[17], MSG_DISCONNECT);
    assert_int_equal(bye->u.disconnect.reason, REASON_TOO_MANY_CONNECTIONS);
    assert_false(admitted(&rig, addr_v4(60, 1, 0, 99, 5000), "one more of them"));
    assert_int_equal(rig_info(&rig).inbound, 20);
    assert_int_equal(rig_traced(&rig, VN_TR_VIOLATION), 0);
    rig_deinit(&rig);
}

static void test_who_brought_something_new_is_not_evicted(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_link *links[12];
    fill(&rig, links, 12, 12);
    struct vn_buf *tx = forge_tx((struct forge_tx){.sender = 1});
    rig_frame(&rig, links[11], forge_new_tx(tx));
    vn_buf_unref(tx);
    pass(&rig, 70 * S);
    assert_true(admitted(&rig, addr_v4(80, 2, 0, 1, 5000), "newcomer"));
    assert_false(links[11]->closed);
    assert_true(links[10]->closed);
    rig_deinit(&rig);
}

static void test_the_nearest_are_not_evicted(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_link *links[12];
    fill(&rig, links, 12, 12);
    rig_run(&rig, 31 * S); /* the node's own Pings */
    for (uint32_t i = 8; i < 12; i++) {
        const struct msg *ping = rig_find(links[i], MSG_PING);
        rig_msg(&rig, links[i],
                &(struct msg){.kind = MSG_PONG, .u.pong.nonce = ping->u.ping.nonce});
    }
    pass(&rig, 40 * S);
    assert_true(admitted(&rig, addr_v4(80, 2, 0, 1, 5000), "newcomer"));
    for (uint32_t i = 0; i < 12; i++)
        assert_int_equal(links[i]->closed, i == 7);
    rig_deinit(&rig);
}

static void give_txs(struct rig *rig, struct rig_link *link, uint32_t sender, uint64_t count)
{
    for (uint64_t k = 0; k < count; k++) {
        struct vn_buf *tx = forge_tx((struct forge_tx){.sender = sender, .nonce = rig->now_ns + k});
        rig_frame(rig, link, forge_new_tx(tx));
        vn_buf_unref(tx);
    }
}

static void test_some_preferred_peers_are_not_evicted_before_others_of_their_group(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_link *links[16];
    fill(&rig, links, 16, 16);
    for (uint32_t i = 12; i < 16; i++)
        give_txs(&rig, links[i], 100 + i, 55);
    for (uint32_t i = 8; i < 12; i++) /* the four that were useful last */
        give_txs(&rig, links[i], 100 + i, 1);
    pass(&rig, 70 * S);
    assert_true(rig_peer(&rig, links[15]).score >= 50);
    assert_true(admitted(&rig, addr_v4(80, 2, 0, 1, 5000), "newcomer"));
    for (uint32_t i = 0; i < 16; i++)
        assert_int_equal(links[i]->closed, i == 7);
    rig_deinit(&rig);
}

static void test_good_standing_of_all_does_not_keep_a_newcomer_out(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_link *links[32];
    fill(&rig, links, 32, 0);
    uint32_t closed = 0;
    for (uint32_t minute = 0; minute < 11; minute++) {
        for (uint32_t i = 0; i < 32; i++) /* transactions cost nothing */
            give_txs(&rig, links[i], 100 + i, 5);
        pass(&rig, 60 * S);
    }
    assert_true(rig_peer(&rig, links[0]).score >= 50);
    assert_true(admitted(&rig, addr_v4(80, 2, 0, 1, 5000), "newcomer"));
    for (uint32_t i = 0; i < 32; i++)
        closed += links[i]->closed;
    assert_int_equal(closed, 1);
    assert_false(links[0]->closed);
    rig_deinit(&rig);
}

static void test_who_is_on_probation_goes_first(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_link *links[4];
    fill(&rig, links, 4, 1);
    for (uint64_t i = 0; i < 5; i++) {
        struct vn_buf *tx = forge_tx((struct forge_tx){.sender = 1, .nonce = i, .bad_id = true});
        rig_frame(&rig, links[2], forge_new_tx(tx));
        vn_buf_unref(tx);
    }
    assert_int_equal(rig_peer(&rig, links[2]).score, -50);
    assert_true(admitted(&rig, addr_v4(70, 0, 0, 9, 5000), "newcomer")); /* however young */
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(links[i]->closed, i == 2);
    rig_deinit(&rig);
}

static void
test_strangers_from_everywhere_that_bring_nothing_give_way_after_two_minutes(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_link *links[8];
    fill(&rig, links, 8, 0);
    pass(&rig, 100 * S);
    assert_false(admitted(&rig, addr_v4(80, 2, 0, 1, 5000), "early"));
    pass(&rig, 40 * S);
    assert_true(admitted(&rig, addr_v4(80, 3, 0, 1, 5000), "newcomer"));
    for (uint32_t i = 0; i < 8; i++)
        assert_int_equal(links[i]->closed, i == 7);
    rig_deinit(&rig);
}

static void test_one_of_the_same_provider_gets_in_after_two_minutes_too(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_link *links[32];
    fill(&rig, links, 32, 32);
    pass(&rig, 130 * S);
    assert_true(admitted(&rig, addr_v4(60, 1, 0, 99, 5000), "honest"));
    for (uint32_t i = 0; i < 32; i++)
        assert_int_equal(links[i]->closed, i == 31);
    rig_deinit(&rig);
}

static void test_who_brought_something_lately_stays_longer_than_who_did_not(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_link *links[16];
    fill(&rig, links, 16, 0);
    pass(&rig, 300 * S);
    for (uint32_t i = 8; i < 16; i++)
        if (i != 13)
            give_txs(&rig, links[i], 100 + i, 1);
    for (uint32_t i = 0; i < 4; i++) /* these four are protected */
        give_txs(&rig, links[i], 100 + i, 1), rig_run(&rig, S);
    assert_true(admitted(&rig, addr_v4(80, 3, 0, 1, 5000), "newcomer"));
    for (uint32_t i = 0; i < 16; i++)
        assert_int_equal(links[i]->closed, i == 13);
    assert_false(admitted(&rig, addr_v4(80, 4, 0, 1, 5000), "one more"));
    rig_deinit(&rig);
}

static void test_each_address_of_127_is_a_group_of_its_own(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.max_inbound = 12;
    cfg.max_inbound_per_ip = 12;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    struct rig_link *links[12];
    for (uint32_t i = 0; i < 12; i++) { /* the last two are of one address */
        char id[] = {(char)('a' + i), 0};
        uint8_t host = i >= 10 ? 3 : (uint8_t)(10 + i);
        links[i] = rig_ready_idle(&rig, addr_v4(127, 1, 2, host, (uint16_t)(5000 + i)), id);
    }
    for (uint32_t i = 1; i < 5; i++)
        give_txs(&rig, links[i], 100 + i, 1);
    pass(&rig, 70 * S);
    assert_false(admitted(&rig, addr_v4(127, 1, 2, 3, 6000), "a third of them"));
    assert_true(admitted(&rig, addr_v4(127, 1, 2, 99, 6000), "newcomer"));
    for (uint32_t i = 0; i < 12; i++)
        assert_int_equal(links[i]->closed, i == 11);
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silent_sockets_from_everywhere_do_not_lock_out_who_speaks),
        cmocka_unit_test(test_the_oldest_handshake_gives_way_and_one_of_the_same_address_first),
        cmocka_unit_test(test_one_address_has_a_share_of_the_links),
        cmocka_unit_test(test_many_nodes_of_one_machine_may_share_loopback),
        cmocka_unit_test(test_one_address_is_accepted_at_a_rate),
        cmocka_unit_test(test_the_youngest_of_the_largest_group_makes_place_for_a_newcomer),
        cmocka_unit_test(test_who_brought_something_new_is_not_evicted),
        cmocka_unit_test(test_the_nearest_are_not_evicted),
        cmocka_unit_test(test_some_preferred_peers_are_not_evicted_before_others_of_their_group),
        cmocka_unit_test(test_good_standing_of_all_does_not_keep_a_newcomer_out),
        cmocka_unit_test(test_who_is_on_probation_goes_first),
        cmocka_unit_test(
            test_strangers_from_everywhere_that_bring_nothing_give_way_after_two_minutes),
        cmocka_unit_test(test_one_of_the_same_provider_gets_in_after_two_minutes_too),
        cmocka_unit_test(test_who_brought_something_lately_stays_longer_than_who_did_not),
        cmocka_unit_test(test_each_address_of_127_is_a_group_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
