/* vn_node_audit: books that are falsified on purpose are found out, and told as they should be.
 * That all add up after every drain of every other test is asserted by the rig; which of them fail
 * where the core is broken is seen in tests/mutants. */
#include "core/node_impl.h"
#include "tests/node/rig.h"

#include <string.h>

/* The books say `kept` of `what` and there are `counted`. */
static void expect_wrong(const struct rig *rig, const char *what, uint64_t kept, uint64_t counted)
{
    struct vn_audit audit = {.size = sizeof audit};
    assert_false(vn_node_audit(rig->node, &audit));
    assert_string_equal(audit.what, what);
    assert_int_equal(audit.kept, kept);
    assert_int_equal(audit.counted, counted);
    assert_int_equal(audit.size, sizeof audit);
}

static void expect_right(const struct rig *rig)
{
    struct vn_audit audit = {.size = sizeof audit};
    assert_true(vn_node_audit(rig->node, &audit));
}

/* A node with a ready link in each direction, a pooled transaction and a block. */
static void busy(struct rig *rig, struct rig_link **out)
{
    struct vn_buf *line[2];
    rig_init_started(rig, NULL);
    *out = rig_ready_idle(rig, rig_addr(7, 5000), "one");
    rig_ready_idle(rig, rig_addr(8, 5000), "two");
    forge_line(line, 1, 1);
    rig_frame(rig, *out, forge_new_block(line[1]));
    struct vn_buf *tx = forge_tx((struct forge_tx){.sender = 1});
    rig_frame(rig, *out, forge_new_tx(tx));
    vn_buf_unref(tx);
    for (uint32_t i = 0; i < 2; i++)
        vn_buf_unref(line[i]);
    expect_right(rig);
}

static void test_a_wrong_count_of_links_is_told_with_both_numbers(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_link *link;
    busy(&rig, &link);
    struct net *net = &rig.node->net;
    net->inbound++;
    expect_wrong(&rig, "inbound links", 3, 2);
    net->inbound--;
    net->feelers = 7;
    expect_wrong(&rig, "feelers", 7, 0);
    net->feelers = 0;
    net->ready_in--;
    expect_wrong(&rig, "ready inbound links", 1, 2);
    net->ready_in++;
    net->scores.bans = 2;
    expect_wrong(&rig, "bans", 2, 0);
    net->scores.bans = 0;
    expect_right(&rig);
    rig_deinit(&rig);
}

static void test_what_is_wrong_with_a_link_is_told_with_its_number(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_link *link;
    busy(&rig, &link);
    struct vn_audit audit = {.size = sizeof audit};
    struct peer *peer = net_find(&rig.node->net, link->id);
    peer->read_stopped = true;
    assert_false(vn_node_audit(rig.node, &audit));
    assert_string_equal(audit.what, "a link is not read for no reason");
    assert_int_equal(audit.link, link->id);
    peer->read_stopped = false;
    peer->outbox.lane_bytes[2] += 5;
    assert_false(vn_node_audit(rig.node, &audit));
    assert_int_equal(audit.link, link->id);
    peer->outbox.lane_bytes[2] -= 5;
    rig.node->net.slots[0] |= 1u << 9;
    expect_wrong(&rig, "slots of links that are gone", 0, 1);
    rig.node->net.slots[0] &= ~(UINT64_C(1) << 9);
    rig_deinit(&rig);
}

static void test_a_timer_too_many_or_too_late_is_found(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_link *link;
    busy(&rig, &link);
    struct net *net = &rig.node->net;
    struct timer stray = {.kind = TIMER_KINDS};
    const uint32_t count = net->timers.count;
    timers_arm(&net->timers, &stray, rig.now_ns + S);
    expect_wrong(&rig, "armed timers", count + 1, count);
    timers_disarm(&net->timers, &stray);
    struct timer *timer = &net_find(net, link->id)->timer;
    const uint64_t due_ns = timer->at_ns;
    struct vn_audit audit = {.size = sizeof audit};
    timers_arm(&net->timers, timer, due_ns + 3600 * S);
    assert_false(vn_node_audit(rig.node, &audit));
    assert_string_equal(audit.what, "when a link's timer fires");
    assert_int_equal(audit.link, link->id);
    assert_int_equal(audit.kept, due_ns + 3600 * S);
    assert_true(audit.counted >= due_ns); /* it may have been early */
    timers_arm(&net->timers, timer, due_ns);
    expect_right(&rig);
    rig_deinit(&rig);
}

static void test_a_block_that_is_held_though_it_is_durable_is_found(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_link *link;
    busy(&rig, &link);
    struct gossip *g = &rig.node->gossip;
    const struct vn_slice body = chain_body(g->chain, chain_tip(g->chain));
    unstored_push(&g->unstored, 1, vn_slice_ref(body));
    expect_wrong(&rig, "the first block that may not be durable", VN_NEVER, 1);
    unstored_clear(&g->unstored);
    expect_right(&rig);
    rig_deinit(&rig);
}

static void test_a_build_with_a_smaller_answer_gets_what_it_has_room_for(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_link *link;
    busy(&rig, &link);
    struct vn_audit audit;
    memset(&audit, 0x55, sizeof audit);
    audit.size = offsetof(struct vn_audit, kept);
    rig.node->net.inbound++;
    assert_false(vn_node_audit(rig.node, &audit));
    rig.node->net.inbound--;
    assert_int_equal(audit.size, offsetof(struct vn_audit, kept));
    assert_int_equal(audit.link, 0);
    assert_int_equal(audit.kept, UINT64_C(0x5555555555555555));
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_wrong_count_of_links_is_told_with_both_numbers),
        cmocka_unit_test(test_what_is_wrong_with_a_link_is_told_with_its_number),
        cmocka_unit_test(test_a_timer_too_many_or_too_late_is_found),
        cmocka_unit_test(test_a_block_that_is_held_though_it_is_durable_is_found),
        cmocka_unit_test(test_a_build_with_a_smaller_answer_gets_what_it_has_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
