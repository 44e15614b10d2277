/* A driver whose disk answers late and in any order: the node's behaviour does not depend on it. */
#include "tests/node/lan.h"

#include <string.h>

static void test_stored_in_any_order_loses_nothing(void **state)
{
    (void)state;
    for (uint32_t order = 0; order < 24; order++) {
        struct rig rig;
        rig_init_started(&rig, NULL);
        rig.manual_disk = true;
        for (uint32_t i = 0; i < 30; i++)
            rig_command(&rig, (struct vn_command){.kind = VN_CMD_MINE, .number = 1});
        uint32_t code = order;
        while (rig.request_count > 0) {
            rig_run(&rig, 100 * S);
            rig_answer(&rig, code % rig.request_count, VN_OK);
            code = code * 5 + 3;
        }
        assert_int_equal(rig.disk.heights, 30);
        assert_int_equal(rig.disk.gaps, 0);
        rig_deinit(&rig);
    }
}

static void test_some_batches_fail_and_some_do_not_and_all_is_stored_in_the_end(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    rig.manual_disk = true;
    uint32_t dice = 7;
    for (uint32_t i = 0; i < 200; i++) {
        dice = dice * 1103515245 + 12345;
        if (rig.request_count > 0 && dice >> 16 & 1)
            rig_answer(&rig, (dice >> 17) % rig.request_count, dice >> 20 & 1 ? VN_OK : VN_ERR_IO);
        else
            rig_command(&rig, (struct vn_command){.kind = VN_CMD_MINE, .number = 1});
        rig_run(&rig, 300 * MS);
    }
    rig.manual_disk = false;
    rig_drain(&rig);
    rig_run(&rig, 5 * S);
    assert_int_equal(rig.disk.heights, rig_info(&rig).height);
    rig_deinit(&rig);
}

static void test_answers_to_unknown_tokens_change_nothing(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, NULL);
    rig.manual_disk = true;
    rig_start(&rig);
    struct vn_buf *line[3];
    forge_line(line, 2, 1);
    struct vn_slice slice = forge_whole(line[1]);
    for (uint64_t token = 0; token < 50; token++) {
        if (token == rig.requests[0].token)
            continue;
        struct vn_event event = {.kind = VN_EV_LOADED};
        event.u.loaded.token = token;
        event.u.loaded.count = 1;
        event.u.loaded.slices = &slice;
        rig_step(&rig, event);
        rig_step(&rig, (struct vn_event){.kind = VN_EV_STORED, .u.stored = {token, VN_ERR_IO}});
    }
    assert_int_equal(rig_info(&rig).height, 0);
    assert_int_equal(rig.request_count, 1);
    forge_drop(line, 3);
    rig_deinit(&rig);
}

/* Three nodes in a line; the one in the middle serves from a disk. */
static void run(uint64_t delay_ns, bool disorder)
{
    struct lan lan;
    lan_init(&lan);
    lan.disk_delay_ns = delay_ns;
    lan.disk_disorder = disorder;
    const char *ids[] = {"a", "b", "c"};
    struct vn_config cfg;
    for (uint32_t i = 0; i < 2; i++) {
        lan_config(&cfg, i, ids[i]);
        cfg.cached_blocks = 3;
        lan_add(&lan, &cfg, NULL, NULL);
    }
    lan_run(&lan, 100 * S);
    lan_connect(&lan.nodes[1], 0);
    lan_run(&lan, S);
    for (uint32_t i = 0; i < 230; i++)
        lan_command(&lan.nodes[0], (struct vn_command){.kind = VN_CMD_MINE, .number = 1});
    lan_run(&lan, 200 * S);
    lan_config(&cfg, 2, ids[2]);
    lan_add(&lan, &cfg, NULL, NULL);
    lan_run(&lan, 100 * S);
    lan_connect(&lan.nodes[2], 1);
    lan_run(&lan, 300 * S);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(lan_info(&lan.nodes[i]).height, 230);
        assert_int_equal(lan.nodes[i].disk.heights, 230);
        assert_int_equal(lan.nodes[i].disk.gaps, 0);
        assert_int_equal(lan.nodes[i].evidence, 0);
        assert_true(lan.nodes[i].lowest_score >= 0);
    }
    assert_true(lan_same_tip(&lan.nodes[0], &lan.nodes[2]));
    lan_deinit(&lan);
}

static void test_a_network_on_slow_disks_agrees_like_one_on_quick_disks(void **state)
{
    (void)state;
    run(0, false);
    run(2 * S, false);
    run(700 * MS, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stored_in_any_order_loses_nothing),
        cmocka_unit_test(test_some_batches_fail_and_some_do_not_and_all_is_stored_in_the_end),
        cmocka_unit_test(test_answers_to_unknown_tokens_change_nothing),
        cmocka_unit_test(test_a_network_on_slow_disks_agrees_like_one_on_quick_disks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
