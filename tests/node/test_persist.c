/* What survives a restart, and what a slow, disorderly or failing disk does to a node. */
#include "tests/node/rig.h"

#include <string.h>

static void mine(struct rig *rig, uint64_t count)
{
    struct vn_command command = {.kind = VN_CMD_MINE, .number = count};
    assert_int_equal(rig_command(rig, command), VN_OK);
}

static void test_a_restart_from_the_store_gives_the_same_tip(void **state)
{
    (void)state;
    for (uint32_t cached = 1; cached <= 100; cached += 33) {
        struct vn_config cfg;
        rig_config(&cfg);
        cfg.cached_blocks = cached;
        struct rig rig;
        rig_init_started(&rig, &cfg);
        mine(&rig, 70);
        for (uint32_t i = 0; i < 20; i++)
            mine(&rig, 1);
        struct vn_info before = rig_info(&rig);
        assert_int_equal(rig.disk.heights, 90);
        assert_int_equal(rig.disk.gaps, 0);
        rig_restart(&rig, &cfg);
        rig_start(&rig);
        struct vn_info after = rig_info(&rig);
        assert_int_equal(after.height, 90);
        assert_memory_equal(after.tip, before.tip, 32);
        uint32_t batches = rig.disk.batches;
        mine(&rig, 1);
        assert_int_equal(rig.disk.heights, 91);
        assert_int_equal(rig.disk.batches, batches + 1); /* what was loaded is not stored again */
        rig_deinit(&rig);
    }
}

static void test_a_reorganisation_replaces_what_was_stored(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct vn_buf *a[6], *b[8];
    forge_line(a, 5, 1);
    b[0] = vn_buf_ref(a[0]);
    b[1] = vn_buf_ref(a[1]);
    forge_extend(b + 1, 6, 2);
    struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "peer");
    for (uint32_t i = 1; i <= 5; i++)
        rig_frame(&rig, link, forge_new_block(a[i]));
    for (uint32_t i = 2; i <= 7; i++)
        rig_frame(&rig, link, forge_new_block(b[i]));
    assert_int_equal(rig.disk.heights, 7);
    for (uint32_t i = 1; i <= 7; i++)
        assert_memory_equal(rig.disk.blocks[i - 1].value->data, b[i]->data, b[i]->len);
    rig_restart(&rig, NULL);
    rig_start(&rig);
    assert_memory_equal(rig_info(&rig).tip, forge_view(b[7]).hash, 32);
    forge_drop(a, 6);
    forge_drop(b, 8);
    rig_deinit(&rig);
}

static void test_nobody_is_dialled_or_accepted_while_the_store_is_read(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    const struct vn_addr seed = rig_addr(20, 1);
    cfg.seeds = &seed;
    cfg.seed_count = 1;
    cfg.mine_interval_ns = MS;
    struct rig rig;
    rig_init(&rig, &cfg);
    rig.manual_disk = true;
    rig_start(&rig);
    for (uint32_t stage = 0; stage < 3; stage++) {
        rig_run(&rig, 20 * S);
        assert_null(rig_dial(&rig));
        assert_int_equal(rig_info(&rig).height, 0);
        assert_int_equal(rig.request_count, 1);
        struct rig_link *early = rig_accept(&rig, rig_addr(30 + stage, 1));
        rig_take_disconnect(early, REASON_SHUTDOWN);
        if (stage == 1) { /* a failure is no answer: the same is asked again */
            rig_answer(&rig, 0, VN_ERR_IO);
            rig_run(&rig, 2 * S);
            assert_null(rig_dial(&rig));
        }
        rig_answer(&rig, 0, VN_OK);
    }
    assert_non_null(rig_dial(&rig));
    rig_deinit(&rig);
}

static void test_a_failed_batch_is_stored_again(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    mine(&rig, 2);
    rig.fail_stores = true;
    mine(&rig, 3);
    mine(&rig, 1);
    assert_int_equal(rig.disk.heights, 2);
    rig_run(&rig, 5 * S);
    assert_int_equal(rig.disk.heights, 2);
    rig.fail_stores = false;
    rig_run(&rig, 2 * S);
    assert_int_equal(rig.disk.heights, 6);
    assert_int_equal(rig.disk.gaps, 0);
    rig_deinit(&rig);
}

static void test_a_disk_that_cannot_be_read_is_tried_again_and_not_written_over(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    mine(&rig, 5);
    struct vn_info before = rig_info(&rig);
    rig_restart(&rig, NULL);
    rig.fail_loads = true;
    rig_start(&rig);
    rig_run(&rig, 10 * S);
    mine(&rig, 1); /* on the genesis: all that is known */
    rig_run(&rig, 10 * S);
    assert_int_equal(rig.disk.heights, 5);
    rig.fail_loads = false;
    rig_run(&rig, 2 * S);
    assert_int_equal(rig.disk.heights, 5);
    assert_memory_equal(rig_info(&rig).tip, before.tip, 32);
    mine(&rig, 1);
    assert_int_equal(rig.disk.heights, 6);
    rig_deinit(&rig);
}

static void test_a_clock_that_is_behind_does_not_refuse_what_is_stored(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    mine(&rig, 3);
    rig_restart(&rig, NULL);
    rig_step(&rig, (struct vn_event){.kind = VN_EV_CLOCK, .u.clock.wall_ns = 0});
    rig_step(&rig, (struct vn_event){.kind = VN_EV_START});
    rig_drain(&rig);
    assert_int_equal(rig_info(&rig).height, 3);
    rig_deinit(&rig);
}

static void test_a_ban_whose_batch_failed_is_stored_again(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    rig.fail_stores = true;
    struct vn_command ban = {.kind = VN_CMD_BAN, .addr = rig_addr(7, 5000)};
    assert_int_equal(rig_command(&rig, ban), VN_OK);
    rig_run(&rig, 3 * S);
    rig.fail_stores = false;
    rig_run(&rig, 3 * S);
    assert_int_equal(rig.disk.ban_count, 1);
    rig_deinit(&rig);
}

static void test_a_slow_disk_makes_batches_larger_not_more(void **state)
{
    (void)state;
    for (uint32_t cached = 2; cached <= 1000; cached += 499) {
        struct vn_config cfg;
        rig_config(&cfg);
        cfg.cached_blocks = cached;
        struct rig rig;
        rig_init_started(&rig, &cfg);
        rig.manual_disk = true;
        for (uint32_t i = 0; i < 100; i++)
            mine(&rig, 1);
        assert_in_range(rig.request_count, 1, 4);
        assert_in_range(rig.disk.batches, 1, 4);
        rig.manual_disk = false;
        rig_drain(&rig);
        assert_int_equal(rig.disk.heights, 100);
        assert_int_equal(rig.disk.gaps, 0);
        rig_deinit(&rig);
    }
}

static void test_bans_and_addresses_come_back(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    rig_ready_idle(&rig, rig_addr(7, 5000), "peer");
    rig_ready_idle(&rig, rig_addr(8, 5001), "other");
    struct vn_command ban = {.kind = VN_CMD_BAN, .addr = rig_addr(7, 5000), .number = 500 * S};
    assert_int_equal(rig_command(&rig, ban), VN_OK);
    uint64_t wall_ns = rig_info(&rig).wall_ns;
    rig_restart(&rig, NULL);
    rig_step(&rig, (struct vn_event){.kind = VN_EV_CLOCK, .u.clock.wall_ns = wall_ns + 100 * S});
    rig_step(&rig, (struct vn_event){.kind = VN_EV_START});
    assert_int_equal(rig_info(&rig).known, 2);
    assert_int_equal(rig_info(&rig).banned, 1);
    assert_non_null(rig_dial(&rig)); /* of the other */
    assert_int_equal(rig_dial(&rig)->remote.ip[3], 8);
    assert_int_equal(rig.link_count, 1);
    struct rig_link *again = rig_accept(&rig, rig_addr(7, 6000));
    rig_hello(&rig, again, "peer", "0.1.0", 5000);
    rig_take_disconnect(again, REASON_PROTOCOL_VIOLATION);
    rig_run(&rig, 400 * S); /* the ban is over; its address is tried again in time */
    rig_run(&rig, 130 * S);
    bool dialled = false;
    for (uint32_t i = 0; i < rig.link_count; i++)
        dialled |= rig.links[i].id % 2 == 1 && rig.links[i].remote.ip[3] == 7;
    assert_true(dialled);
    rig_deinit(&rig);
}

static void test_a_corrupt_store_is_read_up_to_its_fault(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    mine(&rig, 20);
    rig.disk.blocks[12].value->data[100] ^= 1;
    rig_restart(&rig, NULL);
    rig_start(&rig);
    assert_int_equal(rig_info(&rig).height, 12);
    mine(&rig, 1);
    assert_int_equal(rig.disk.heights, 13);
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_restart_from_the_store_gives_the_same_tip),
        cmocka_unit_test(test_a_reorganisation_replaces_what_was_stored),
        cmocka_unit_test(test_nobody_is_dialled_or_accepted_while_the_store_is_read),
        cmocka_unit_test(test_a_failed_batch_is_stored_again),
        cmocka_unit_test(test_a_disk_that_cannot_be_read_is_tried_again_and_not_written_over),
        cmocka_unit_test(test_a_clock_that_is_behind_does_not_refuse_what_is_stored),
        cmocka_unit_test(test_a_ban_whose_batch_failed_is_stored_again),
        cmocka_unit_test(test_a_slow_disk_makes_batches_larger_not_more),
        cmocka_unit_test(test_bans_and_addresses_come_back),
        cmocka_unit_test(test_a_corrupt_store_is_read_up_to_its_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
