/* Two real nodes meet. */
#include "tests/node/lan.h"

static void test_two_nodes_shake_hands_and_relay_a_block(void **state)
{
    (void)state;
    struct lan lan;
    lan_init(&lan);
    struct vn_config cfg;
    lan_config(&cfg, 0, "alice");
    struct lan_node *alice = lan_add(&lan, &cfg, NULL, NULL);
    const struct vn_addr seed = lan_addr(0);
    lan_config(&cfg, 1, "bob");
    cfg.seeds = &seed;
    cfg.seed_count = 1;
    struct lan_node *bob = lan_add(&lan, &cfg, NULL, NULL);
    lan_run(&lan, S);
    assert_int_equal(lan_info(alice).inbound, 1);
    assert_int_equal(lan_info(bob).outbound, 1);
    struct vn_command mine = {.kind = VN_CMD_MINE, .number = 3};
    assert_int_equal(lan_command(alice, mine), VN_OK);
    lan_run(&lan, S);
    assert_int_equal(lan_info(bob).height, 3);
    assert_true(lan_same_tip(alice, bob));
    lan_run(&lan, 600 * S);
    assert_int_equal(lan_ready(bob), 1);
    assert_true(alice->lowest_score >= 0 && bob->lowest_score >= 0);
    lan_deinit(&lan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_nodes_shake_hands_and_relay_a_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
