/* What a link makes the node hold is in its account and has a bound; what it makes it compute is
 * counted in steps. */
#include "tests/node/rig.h"

#include <string.h>

static struct vn_buf *line[40];

static int make_line(void **state)
{
    (void)state;
    forge_line(line, 39, 1);
    return 0;
}

static int drop_line(void **state)
{
    (void)state;
    forge_drop(line, 40);
    return 0;
}

static uint64_t held(struct rig *rig, const struct rig_link *link)
{
    return rig_peer(rig, link).held_bytes;
}

static void give_tx(struct rig *rig, struct rig_link *link, uint64_t nonce, uint32_t data_len)
{
    struct vn_buf *tx =
        forge_tx((struct forge_tx){.sender = nonce, .nonce = nonce, .data_len = data_len});
    rig_frame(rig, link, forge_new_tx(tx));
    vn_buf_unref(tx);
}

static void test_input_and_output_that_wait_are_in_the_account(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "peer");
    uint64_t idle = held(&rig, link);
    assert_in_range(idle, 300, 1200);
    uint8_t part[50004] = {0, 1, 0, 0}; /* of a frame of 65,536 bytes */
    rig_bytes(&rig, link, part, sizeof part);
    assert_in_range(held(&rig, link), idle + 50000, idle + 2 * 50004 + 65536);
    rig_deinit(&rig);

    rig_init_started(&rig, NULL);
    struct rig_link *other = rig_ready_idle(&rig, rig_addr(8, 5000), "other");
    rig.window = 4096;
    link = rig_ready_idle(&rig, rig_addr(7, 5000), "peer");
    rig.keep_window = true;
    for (uint64_t i = 1; i <= 5; i++)
        give_tx(&rig, other, i, 100000);
    uint64_t waits = rig_peer(&rig, link).outbox_bytes;
    assert_in_range(waits, 490000, 510000);
    assert_in_range(held(&rig, link), idle + waits, idle + waits + 1000);
    rig_deinit(&rig);
}

static void test_pooled_transactions_are_in_the_account_of_who_brought_them_first(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *first = rig_ready_idle(&rig, rig_addr(7, 5000), "first");
    struct rig_link *second = rig_ready_idle(&rig, rig_addr(8, 5000), "second");
    uint64_t a = held(&rig, first), b = held(&rig, second);
    give_tx(&rig, first, 1, 1000);
    give_tx(&rig, second, 1, 1000);
    assert_in_range(held(&rig, first), a + 1165, a + 1165 + 200);
    assert_int_equal(held(&rig, second), b);
    assert_int_equal(rig_command(&rig, (struct vn_command){.kind = VN_CMD_MINE, .number = 1}),
                     VN_OK);
    assert_int_equal(held(&rig, first), a); /* a block took it */
    rig_deinit(&rig);
}

static void test_who_takes_over_a_place_takes_over_no_account_and_no_offence(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *old = rig_ready_idle(&rig, rig_addr(7, 5000), "old");
    uint64_t empty = held(&rig, old);
    for (uint64_t i = 1; i <= 20; i++)
        give_tx(&rig, old, i, 1000);
    rig_down(&rig, old, VN_WHY_REMOTE_CLOSED);
    struct rig_link *heir = rig_ready_idle(&rig, rig_addr(8, 5000), "new");
    assert_int_equal(held(&rig, heir), empty);
    for (uint64_t i = 1; i <= 20; i++)
        give_tx(&rig, heir, i, 1000); /* the first time from here */
    assert_int_equal(rig_peer(&rig, heir).score, 0);
    give_tx(&rig, heir, 7, 1000);
    assert_int_equal(rig_peer(&rig, heir).score, -2);
    give_tx(&rig, heir, 21, 1000);
    uint64_t one = held(&rig, heir) - empty;
    assert_in_range(one, 1165, 1165 + 200);
    assert_int_equal(rig_command(&rig, (struct vn_command){.kind = VN_CMD_MINE, .number = 1}),
                     VN_OK);
    assert_int_equal(held(&rig, heir), empty);
    rig_deinit(&rig);
}

static void test_orphans_are_in_the_account_of_who_sent_them(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "peer");
    uint64_t before = held(&rig, link);
    for (uint32_t i = 20; i < 30; i++)
        rig_frame(&rig, link, forge_new_block(line[i]));
    assert_int_equal(rig_info(&rig).orphans, 10);
    assert_in_range(held(&rig, link), before + 10 * 224, before + 10 * 500);
    assert_true(rig_info(&rig).held_bytes >= held(&rig, link));
    rig_deinit(&rig);
}

static void test_above_its_bound_a_link_adds_no_orphan_and_no_transaction(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.peer_bytes_max = 5000;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    struct rig_link *greedy = rig_ready_idle(&rig, rig_addr(7, 5000), "greedy");
    struct rig_link *modest = rig_ready_idle(&rig, rig_addr(8, 5000), "modest");
    uint64_t before = held(&rig, greedy);
    for (uint32_t i = 5; i < 39; i++)
        rig_frame(&rig, greedy, forge_new_block(line[i]));
    for (uint64_t i = 1; i <= 50; i++)
        give_tx(&rig, greedy, i, 100);
    assert_true(held(&rig, greedy) <= before + 5000);
    assert_true(held(&rig, greedy) > before + 4000);
    assert_int_equal(rig_traced(&rig, VN_TR_VIOLATION), 0);
    assert_true(rig_peer(&rig, greedy).score >= 0); /* not a penalty */
    uint32_t pooled = rig_info(&rig).mempool, orphans = rig_info(&rig).orphans;
    assert_true(pooled < 50 && orphans < 34 && orphans > 0);
    give_tx(&rig, modest, 50, 100);
    assert_int_equal(rig_info(&rig).mempool, pooled + 1);
    rig_frame(&rig, modest, forge_new_block(line[3]));
    assert_int_equal(rig_info(&rig).orphans, orphans + 1);
    rig_frame(&rig, greedy, forge_new_block(line[1])); /* what connects is never too much */
    assert_int_equal(rig_info(&rig).height, 1);
    rig_deinit(&rig);
}

static void test_the_account_of_the_node_is_the_sum_of_its_links(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    assert_int_equal(rig_info(&rig).held_bytes, 0);
    struct rig_link *a = rig_ready_idle(&rig, rig_addr(7, 5000), "a");
    struct rig_link *b = rig_ready_idle(&rig, rig_addr(8, 5000), "b");
    for (uint64_t i = 1; i <= 30; i++)
        give_tx(&rig, i % 2 ? a : b, i, (uint32_t)i * 10);
    assert_int_equal(rig_info(&rig).held_bytes, held(&rig, a) + held(&rig, b));
    rig_down(&rig, a, VN_WHY_REMOTE_CLOSED);
    assert_int_equal(rig_info(&rig).held_bytes, held(&rig, b));
    rig_down(&rig, b, VN_WHY_REMOTE_CLOSED);
    assert_int_equal(rig_info(&rig).held_bytes, 0);
    rig_deinit(&rig);
}

/* ---- work ---- */

static void test_work_counts_events_frames_and_checked_bytes(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "peer");
    uint64_t before = rig_info(&rig).work;
    rig_ping(&rig, link, 1); /* BYTES, SENT; one frame */
    assert_int_equal(rig_info(&rig).work - before, 3);
    before = rig_info(&rig).work;
    give_tx(&rig, link, 1, 1000); /* 1,165 bytes in 19 pieces of 64 */
    assert_int_equal(rig_info(&rig).work - before, 1 + 1 + 19);
    before = rig_info(&rig).work;
    give_tx(&rig, link, 1, 1000); /* known: not checked again */
    assert_int_equal(rig_info(&rig).work - before, 2);
    rig_deinit(&rig);
}

static void test_work_is_the_same_for_nodes_that_share_and_nodes_that_do_not(void **state)
{
    (void)state;
    uint64_t work[3];
    struct vn_shared *shared = vn_shared_new();
    for (uint32_t i = 0; i < 3; i++) {
        struct vn_config cfg;
        rig_config(&cfg);
        cfg.shared = i ? shared : NULL; /* the third finds all in the cache */
        struct rig rig;
        rig_init_started(&rig, &cfg);
        struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "peer");
        for (uint32_t k = 1; k < 40; k++)
            rig_frame(&rig, link, forge_new_block(line[k]));
        work[i] = rig_info(&rig).work;
        rig_deinit(&rig);
    }
    vn_shared_free(shared);
    assert_int_equal(work[0], work[1]);
    assert_int_equal(work[1], work[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_input_and_output_that_wait_are_in_the_account),
        cmocka_unit_test(test_pooled_transactions_are_in_the_account_of_who_brought_them_first),
        cmocka_unit_test(test_who_takes_over_a_place_takes_over_no_account_and_no_offence),
        cmocka_unit_test(test_orphans_are_in_the_account_of_who_sent_them),
        cmocka_unit_test(test_above_its_bound_a_link_adds_no_orphan_and_no_transaction),
        cmocka_unit_test(test_the_account_of_the_node_is_the_sum_of_its_links),
        cmocka_unit_test(test_work_counts_events_frames_and_checked_bytes),
        cmocka_unit_test(test_work_is_the_same_for_nodes_that_share_and_nodes_that_do_not),
    };
    return cmocka_run_group_tests(tests, make_line, drop_line);
}
