/* Commands in odd states, deadlines that must move on, what a store and a list hold over the years.
 */
#include "tests/node/rig.h"

#include <string.h>

#define PEER_ADDR rig_addr(7, 5000)

static struct vn_command command(uint32_t kind, uint64_t number)
{
    return (struct vn_command){.kind = kind, .number = number};
}

static void expect_offline(struct rig *rig)
{
    struct vn_command add = {.kind = VN_CMD_ADD_PEER, .addr = rig_addr(9, 8765)};
    rig_command(rig, add);
    assert_null(rig_dial(rig));
    struct rig_link *link = rig_accept(rig, PEER_ADDR);
    rig_take_disconnect(link, REASON_SHUTDOWN);
}

static void test_a_shutdown_while_the_store_is_read_holds(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, NULL);
    rig.manual_disk = true;
    rig_start(&rig);
    assert_int_equal(rig_command(&rig, command(VN_CMD_SHUTDOWN, 0)), VN_OK);
    rig.manual_disk = false;
    rig_drain(&rig);
    expect_offline(&rig);
    rig_deinit(&rig);
}

static void test_a_shutdown_before_the_start_holds(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, NULL);
    assert_int_equal(rig_command(&rig, command(VN_CMD_SHUTDOWN, 0)), VN_OK);
    rig_start(&rig);
    expect_offline(&rig);
    rig_deinit(&rig);
}

static void test_mining_that_was_ordered_while_the_store_is_read_begins_after_it(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, NULL);
    rig.manual_disk = true;
    rig_start(&rig);
    assert_int_equal(rig_command(&rig, command(VN_CMD_MINE_INTERVAL, 10 * S)), VN_OK);
    rig_run(&rig, 300 * S);
    assert_int_equal(rig_info(&rig).height, 0); /* what is on disk comes first */
    rig.manual_disk = false;
    rig_drain(&rig);
    rig_run(&rig, 300 * S);
    assert_true(rig_info(&rig).height > 5);
    rig_deinit(&rig);
}

static void test_nothing_is_stored_before_the_store_was_read(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, NULL);
    rig.manual_disk = true;
    rig_command(&rig, command(VN_CMD_MINE, 1)); /* would replace the stored chain */
    struct vn_command ban = {.kind = VN_CMD_BAN, .addr = PEER_ADDR};
    rig_command(&rig, ban);
    assert_int_equal(rig.request_count, 0);
    rig_start(&rig);
    assert_int_equal(rig.request_count, 1);
    assert_true(rig.requests[0].load);
    rig.manual_disk = false;
    rig_drain(&rig);
    assert_int_equal(rig.disk.ban_count, 1);
    assert_int_equal(rig.disk.heights, rig_info(&rig).height);
    rig_deinit(&rig);
}

static void test_a_ban_with_no_pause_between_tries_does_not_spin_the_timer(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.retry_failed_ns = 0;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    struct rig_link *link = rig_ready_idle(&rig, PEER_ADDR, "peer");
    struct vn_command ban = {.kind = VN_CMD_BAN, .addr = PEER_ADDR};
    assert_int_equal(rig_command(&rig, ban), VN_OK);
    assert_true(link->closed);
    rig_run(&rig, 10 * S); /* the rig asserts that deadlines move on */
    rig_deinit(&rig);
}

static void test_a_clock_near_its_end_does_not_spin_the_timer(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, NULL);
    rig.now_ns = UINT64_MAX - 10 * S;
    rig_start(&rig);
    struct vn_buf *tx = forge_tx((struct forge_tx){.sender = 1, .nonce = 1});
    struct vn_command submit = {.kind = VN_CMD_SUBMIT_TX, .data = forge_whole(tx)};
    assert_int_equal(rig_command(&rig, submit), VN_OK);
    vn_buf_unref(tx);
    assert_true(vn_node_deadline(rig.node) >= rig.now_ns);
    rig_deinit(&rig);
}

static void test_a_ban_that_ended_leaves_the_store_at_the_next_start(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct vn_command ban = {.kind = VN_CMD_BAN, .addr = PEER_ADDR, .number = 10 * S};
    assert_int_equal(rig_command(&rig, ban), VN_OK);
    assert_int_equal(rig.disk.ban_count, 1);
    struct rig again;
    rig_init(&again, NULL);
    again.disk = rig.disk;
    rig.disk = (struct disk){0};
    again.now_ns += 100 * S;
    rig_step(&again,
             (struct vn_event){.kind = VN_EV_CLOCK, .u.clock.wall_ns = (FORGE_NOW_S + 100) * S});
    rig_step(&again, (struct vn_event){.kind = VN_EV_START});
    assert_int_equal(again.disk.ban_count, 0);
    assert_int_equal(rig_info(&again).banned, 0);
    rig_deinit(&again);
    rig_deinit(&rig);
}

/* Who says that it is us, at ever new addresses, must not fill the address list for good. */
static void test_addresses_that_claim_to_be_us_can_be_forgotten(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.known_peers = 4;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    for (uint32_t i = 0; i < 4; i++) {
        struct rig_link *link = rig_dial_to(&rig, rig_addr(20 + i, 8765));
        rig_hello(&rig, link, cfg.node_id, "0.1.0", 8765);
        assert_true(link->closed);
    }
    struct vn_command add = {.kind = VN_CMD_ADD_PEER, .addr = rig_addr(9, 8765)};
    assert_int_equal(rig_command(&rig, add), VN_OK);
    assert_non_null(rig_dial(&rig));
    rig_deinit(&rig);
}

static void test_who_was_banned_by_its_link_can_be_forgiven_without_one(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.ban_by = VN_BAN_BY_ID;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 8765), "them");
    struct vn_command ban = {.kind = VN_CMD_BAN, .addr = rig_addr(7, 8765)};
    assert_int_equal(rig_command(&rig, ban), VN_OK);
    assert_true(link->closed);
    assert_int_equal(rig_info(&rig).banned, 1);
    ban.kind = VN_CMD_UNBAN;
    assert_int_equal(rig_command(&rig, ban), VN_OK);
    assert_int_equal(rig_info(&rig).banned, 0);
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_shutdown_while_the_store_is_read_holds),
        cmocka_unit_test(test_a_shutdown_before_the_start_holds),
        cmocka_unit_test(test_mining_that_was_ordered_while_the_store_is_read_begins_after_it),
        cmocka_unit_test(test_nothing_is_stored_before_the_store_was_read),
        cmocka_unit_test(test_a_ban_with_no_pause_between_tries_does_not_spin_the_timer),
        cmocka_unit_test(test_a_clock_near_its_end_does_not_spin_the_timer),
        cmocka_unit_test(test_a_ban_that_ended_leaves_the_store_at_the_next_start),
        cmocka_unit_test(test_addresses_that_claim_to_be_us_can_be_forgotten),
        cmocka_unit_test(test_who_was_banned_by_its_link_can_be_forgiven_without_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
