/* Whom the node dials and when: quota, seeds, learned addresses, backoff, giving up, feelers. */
#include "tests/node/rig.h"

#include <stdio.h>
#include <string.h>

static void config_with_seeds(struct vn_config *cfg, struct vn_addr *seeds, uint32_t count)
{
    rig_config(cfg);
    for (uint32_t i = 0; i < count; i++)
        seeds[i] = rig_addr(100 + i, 8765);
    cfg->seeds = seeds;
    cfg->seed_count = count;
}

static uint32_t dials_under_way(const struct rig *rig)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < rig->link_count; i++)
        count += rig->links[i].id % 2 == 1 && !rig->links[i].down;
    return count;
}

/* Until the next dial comes; fails when none does in time. */
static struct rig_link *wait_for_dial(struct rig *rig, uint64_t at_most_ns)
{
    uint64_t end = rig->now_ns + at_most_ns;
    while (!rig_dial(rig)) {
        uint64_t due = vn_node_deadline(rig->node);
        if (due > end)
            fail_msg("no dial within %llu ms", (unsigned long long)(at_most_ns / MS));
        rig_run_until(rig, due);
    }
    return rig_dial(rig);
}

static void test_failed_dials_back_off_from_two_to_sixty_four_seconds_with_jitter(void **state)
{
    (void)state;
    struct vn_addr seed;
    struct vn_config cfg;
    config_with_seeds(&cfg, &seed, 1);
    cfg.give_up_after = 100;
    uint64_t spread_low = UINT64_MAX, spread_high = 0;
    for (uint8_t run = 0; run < 20; run++) {
        cfg.seed[0] = run;
        struct rig rig;
        rig_init_started(&rig, &cfg);
        for (uint32_t failures = 1; failures <= 9; failures++) {
            struct rig_link *link = rig_dial(&rig);
            assert_non_null(link);
            uint64_t failed = rig.now_ns;
            rig_down(&rig, link, VN_WHY_REFUSED);
            link = wait_for_dial(&rig, 100 * S);
            uint64_t base = (UINT64_C(1) << (failures < 6 ? failures : 6)) * S;
            uint64_t waited = link->dialled_ns - failed;
            assert_in_range(waited, base, base + base / 4);
            uint64_t part = (waited - base) * 1000 / base;
            spread_low = part < spread_low ? part : spread_low;
            spread_high = part > spread_high ? part : spread_high;
        }
        rig_deinit(&rig);
    }
    assert_true(spread_low < 30 && spread_high > 220); /* jitter is spread over its quarter */
}

static void test_after_five_failures_a_peer_is_given_up_and_tried_but_rarely(void **state)
{
    (void)state;
    struct vn_addr seed;
    struct vn_config cfg;
    config_with_seeds(&cfg, &seed, 1);
    struct rig rig;
    rig_init_started(&rig, &cfg);
    struct vn_peer_info info;
    for (uint32_t failures = 1; failures <= 5; failures++) {
        struct rig_link *link = wait_for_dial(&rig, 100 * S);
        rig_down(&rig, link, VN_WHY_UNREACHABLE);
        assert_true(rig_peer_at(&rig, &seed, &info));
        assert_int_equal(info.failures, failures);
        assert_int_equal(info.state, failures < 5 ? VN_PEER_DISCONNECTED : VN_PEER_FAILED);
    }
    assert_int_equal(rig_last(&rig, VN_TR_PEER_STATE)->b, VN_PEER_FAILED);
    uint64_t failed = rig.now_ns;
    struct rig_link *link = wait_for_dial(&rig, 100 * S);
    assert_in_range(link->dialled_ns - failed, 64 * S, 80 * S);
    assert_int_equal(rig_last(&rig, VN_TR_PEER_STATE)->a, VN_PEER_FAILED);
    rig_up(&rig, link);
    rig_hello(&rig, link, "peer", "0.1.0", 8765);
    assert_int_equal(rig_peer(&rig, link).state, VN_PEER_READY);
    rig_down(&rig, link, VN_WHY_RESET);
    assert_true(rig_peer_at(&rig, &seed, &info));
    assert_int_equal(info.failures, 0);
    assert_int_equal(info.state, VN_PEER_DISCONNECTED);
    rig_deinit(&rig);
}

static void test_no_storm_of_failures_bans_anybody(void **state)
{
    (void)state;
    struct vn_addr seed;
    struct vn_config cfg;
    config_with_seeds(&cfg, &seed, 1);
    struct rig rig;
    rig_init_started(&rig, &cfg);
    struct vn_peer_info info;
    for (uint32_t i = 0; i < 60; i++)
        rig_down(&rig, wait_for_dial(&rig, 100 * S), VN_WHY_UNREACHABLE);
    assert_true(rig_peer_at(&rig, &seed, &info));
    assert_true(info.score > -50);
    assert_int_equal(rig_info(&rig).banned, 0);
    rig_deinit(&rig);
}

static void test_a_dial_that_nobody_answers_ends_after_ten_seconds(void **state)
{
    (void)state;
    struct vn_addr seed;
    struct vn_config cfg;
    config_with_seeds(&cfg, &seed, 1);
    struct rig rig;
    rig_init_started(&rig, &cfg);
    struct rig_link *link = rig_dial(&rig);
    rig.keep_links = true;
    rig_run(&rig, 10 * S - 1);
    assert_false(link->closed);
    rig_run(&rig, 1);
    assert_true(link->closed);
    assert_int_equal(link->close_why, VN_WHY_UNREACHABLE);
    /* A LINK_UP that crossed the CLOSE does not wake the dead. */
    rig_step(&rig, (struct vn_event){
                       .kind = VN_EV_LINK_UP,
                       .u.link_up = {.link = link->id, .remote = link->remote, .window = 1 << 16}});
    rig_expect_quiet(link);
    rig_down(&rig, link, VN_WHY_LOCAL_CLOSED);
    rig_deinit(&rig);
}

static void test_outbound_links_fill_their_quota_and_never_exceed_it(void **state)
{
    (void)state;
    struct vn_addr seeds[20];
    struct vn_config cfg;
    config_with_seeds(&cfg, seeds, 20);
    cfg.max_outbound = 3;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    uint32_t dice = 1;
    for (uint32_t i = 0; i < 300; i++) {
        assert_true(dials_under_way(&rig) <= 3);
        struct rig_link *link = rig_dial(&rig);
        dice = dice * 1103515245 + 12345;
        char id[16];
        if (link && dice >> 16 & 1) {
            snprintf(id, sizeof id, "peer-%u", link->remote.ip[3]);
            rig_up(&rig, link);
            rig_hello(&rig, link, id, "0.1.0", 8765);
            assert_int_equal(rig_peer(&rig, link).state, VN_PEER_READY);
        } else if (link) {
            rig_down(&rig, link, VN_WHY_REFUSED);
        } else if (dice >> 17 & 1) {
            for (uint32_t k = 0; k < rig.link_count; k++)
                if (rig.links[k].up && !rig.links[k].down) {
                    rig_down(&rig, &rig.links[k], VN_WHY_RESET);
                    break;
                }
        }
        rig_run(&rig, S);
    }
    assert_int_equal(dials_under_way(&rig), 3);
    rig_deinit(&rig);
}

static void test_no_address_is_dialled_twice_at_once(void **state)
{
    (void)state;
    struct vn_addr seeds[2];
    struct vn_config cfg;
    config_with_seeds(&cfg, seeds, 2);
    struct rig rig;
    rig_init_started(&rig, &cfg);
    assert_int_equal(rig.link_count, 2);
    struct vn_command connect = {.kind = VN_CMD_CONNECT, .addr = seeds[0]};
    assert_int_equal(rig_command(&rig, connect), VN_ERR_STATE);
    rig_run(&rig, 5 * S);
    assert_int_equal(rig.link_count, 2);
    rig_deinit(&rig);
}

static void test_where_accepted_peers_listen_is_learned_and_dialled_later(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 40000), "peer");
    assert_null(rig_dial(&rig));
    rig_down(&rig, link, VN_WHY_REMOTE_CLOSED);
    struct rig_link *dial = wait_for_dial(&rig, 10 * S);
    assert_memory_equal(&dial->remote, &link->remote, sizeof dial->remote);
    rig_deinit(&rig);
}

static void test_a_strange_listen_address_is_not_believed(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_accept(&rig, rig_addr(7, 40000));
    struct msg msg = {.kind = MSG_HANDSHAKE};
    msg.u.handshake.version = (struct bytes_view){(const uint8_t *)"0.1.0", 5};
    msg.u.handshake.node_id = (struct bytes_view){(const uint8_t *)"p", 1};
    msg.u.handshake.listen = rig_addr(200, 5000); /* a victim to be dialled by us? */
    rig_msg(&rig, link, &msg);
    assert_memory_equal(rig_peer(&rig, link).listen.ip, link->remote.ip, 16);
    struct rig_link *zero = rig_accept(&rig, rig_addr(8, 40000));
    rig_hello(&rig, zero, "q", "0.1.0", 0);
    assert_int_equal(rig_info(&rig).known, 1);
    rig_down(&rig, zero, VN_WHY_RESET);
    rig_deinit(&rig);
}

static void test_learned_addresses_are_bounded_and_seeds_are_kept(void **state)
{
    (void)state;
    struct vn_addr seeds[2];
    struct vn_config cfg;
    config_with_seeds(&cfg, seeds, 2);
    cfg.known_peers = 10;
    cfg.max_outbound = 0;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    for (uint32_t i = 0; i < 60; i++) {
        char id[16];
        snprintf(id, sizeof id, "p%u", i);
        struct rig_link *link = rig_ready_idle(&rig, rig_addr(300 + i, 5000), id);
        if (i >= 4)
            rig_down(&rig, link, VN_WHY_REMOTE_CLOSED);
        assert_true(rig_info(&rig).known <= 10);
    }
    struct vn_peer_info info;
    assert_true(rig_peer_at(&rig, &seeds[0], &info));
    assert_true(rig_peer_at(&rig, &seeds[1], &info));
    assert_true(rig.disk.addr_count <= 10); /* what is forgotten leaves the store too */
    rig_deinit(&rig);
}

static void test_a_ban_that_ends_lets_its_address_be_dialled_again(void **state)
{
    (void)state;
    struct vn_addr seed;
    struct vn_config cfg;
    config_with_seeds(&cfg, &seed, 1);
    struct rig rig;
    rig_init_started(&rig, &cfg);
    rig_down(&rig, rig_dial(&rig), VN_WHY_REFUSED);
    struct vn_command ban = {.kind = VN_CMD_BAN, .addr = seed, .number = 500 * S};
    assert_int_equal(rig_command(&rig, ban), VN_OK);
    rig_run(&rig, 500 * S - 1);
    assert_null(rig_dial(&rig));
    wait_for_dial(&rig, 65 * S);
    rig_deinit(&rig);
}

static void test_a_feeler_leaves_when_it_has_seen_the_same_chain(void **state)
{
    (void)state;
    struct vn_addr seeds[3];
    struct vn_config cfg;
    config_with_seeds(&cfg, seeds, 3);
    cfg.max_outbound = 1;
    cfg.feeler_interval_ns = 60 * S;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    struct rig_link *first = rig_dial(&rig);
    rig_up(&rig, first);
    rig_hello(&rig, first, "first", "0.1.0", 8765);
    rig_frame(&rig, first, forge_response(NULL));
    struct rig_link *feeler = NULL;
    for (uint32_t i = 0; i < 600 && !feeler; i++) {
        rig_run(&rig, S);
        const struct msg *ping = rig_find(first, MSG_PING);
        if (ping)
            rig_msg(&rig, first,
                    &(struct msg){.kind = MSG_PONG, .u.pong.nonce = ping->u.ping.nonce});
        feeler = rig_dial(&rig);
    }
    assert_non_null(feeler);
    assert_int_equal(feeler->link_class, VN_CLASS_FEELER);
    rig_up(&rig, feeler);
    rig_hello(&rig, feeler, "second", "0.1.0", 8765);
    rig_take(feeler, MSG_HANDSHAKE);
    rig_take(feeler, MSG_REQUEST_BLOCK);
    struct vn_buf *genesis = forge_genesis();
    rig_frame(&rig, feeler, forge_response(genesis));
    vn_buf_unref(genesis);
    rig_take_disconnect(feeler, REASON_SHUTDOWN);
    assert_false(first->closed);
    assert_int_equal(rig_info(&rig).outbound, 1);
    rig_deinit(&rig);
}

static void test_a_feeler_that_sees_another_chain_stays_in_place_of_another(void **state)
{
    (void)state;
    struct vn_addr seeds[2];
    struct vn_config cfg;
    config_with_seeds(&cfg, seeds, 2);
    cfg.max_outbound = 1;
    cfg.feeler_interval_ns = S;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    struct rig_link *first = rig_dial(&rig);
    rig_up(&rig, first);
    rig_hello(&rig, first, "first", "0.1.0", 8765);
    struct rig_link *feeler = wait_for_dial(&rig, 29 * S);
    rig_up(&rig, feeler);
    rig_hello(&rig, feeler, "second", "0.1.0", 8765);
    struct vn_buf *line[6];
    forge_line(line, 5, 1);
    rig_frame(&rig, feeler, forge_response(line[5]));
    forge_drop(line, 6);
    assert_int_equal(rig_peer(&rig, feeler).link_class, VN_CLASS_PEER);
    assert_true(first->closed);
    assert_int_equal(first->close_why, VN_WHY_SHUTDOWN);
    rig_take(feeler, MSG_HANDSHAKE);
    rig_take(feeler, MSG_REQUEST_BLOCK);
    assert_non_null(rig_next(feeler)); /* it is asked for what we lack */
    assert_int_equal(rig_info(&rig).outbound, 1);
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failed_dials_back_off_from_two_to_sixty_four_seconds_with_jitter),
        cmocka_unit_test(test_after_five_failures_a_peer_is_given_up_and_tried_but_rarely),
        cmocka_unit_test(test_no_storm_of_failures_bans_anybody),
        cmocka_unit_test(test_a_dial_that_nobody_answers_ends_after_ten_seconds),
        cmocka_unit_test(test_outbound_links_fill_their_quota_and_never_exceed_it),
        cmocka_unit_test(test_no_address_is_dialled_twice_at_once),
        cmocka_unit_test(test_where_accepted_peers_listen_is_learned_and_dialled_later),
        cmocka_unit_test(test_a_strange_listen_address_is_not_believed),
        cmocka_unit_test(test_learned_addresses_are_bounded_and_seeds_are_kept),
        cmocka_unit_test(test_a_ban_that_ends_lets_its_address_be_dialled_again),
        cmocka_unit_test(test_a_feeler_leaves_when_it_has_seen_the_same_chain),
        cmocka_unit_test(test_a_feeler_that_sees_another_chain_stays_in_place_of_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
