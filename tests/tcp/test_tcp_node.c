/* Real nodes over real sockets, on one loop. */
#include "tests/tcp/tcp_fixture.h"

static void test_two_nodes_meet_and_agree_on_a_chain(void **state)
{
    (void)state;
    struct net net;
    struct node a, b;
    net_init(&net);
    node_init(&a, &net, "a", NULL);
    node_init(&b, &net, "bb", NULL);
    node_command(&a, (struct vn_command){.kind = VN_CMD_MINE, .number = 250});
    assert_int_equal(a.reply_status, VN_OK);
    node_connect(&b, &a);
    UNTIL(&net, node_info(&b).height == 250);
    struct vn_info ia = node_info(&a), ib = node_info(&b);
    assert_memory_equal(ia.tip, ib.tip, 32);
    assert_int_equal(ia.inbound, 1);
    assert_int_equal(ib.outbound, 1);
    node_command(&b, (struct vn_command){.kind = VN_CMD_MINE, .number = 1});
    UNTIL(&net, node_info(&a).height == 251);
    node_close(&a);
    UNTIL(&net, node_ready(&b) == 0);
    node_close(&b);
    net_deinit(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_nodes_meet_and_agree_on_a_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
