/* PROTOCOL-0.1 section 6, "Synchronising", with scripted peers: from one, from several, and from
 * those who lie, stall, leave or answer late. */
#include "tests/node/full_peer.h"

static void serve(struct rig *rig, struct rig_link *link, struct vn_buf *const *blocks,
                  uint64_t height)
{
    while (serve_one(rig, link, blocks, height, 100))
        ;
}

static void test_a_fresh_node_catches_up_from_one_peer(void **state)
{
    (void)state;
    static const uint64_t heights[] = {1, 2, 99, 100, 101, 200, 450};
    for (size_t i = 0; i < sizeof heights / sizeof *heights; i++) {
        struct rig rig;
        rig_init_started(&rig, NULL);
        struct rig_link *link = rig_ready(&rig, rig_addr(7, 5000), "full");
        rig_frame(&rig, link, forge_response(line[heights[i]]));
        serve(&rig, link, line, heights[i]);
        assert_true(at_tip(&rig, line[heights[i]]));
        assert_true(rig_peer(&rig, link).score >= 0);
        assert_int_equal(rig_info(&rig).orphans, 0);
        rig_deinit(&rig);
    }
}

static void test_a_node_behind_on_a_fork_finds_the_common_block(void **state)
{
    (void)state;
    for (uint64_t common = 0; common < 120; common += 17) {
        struct rig rig;
        rig_init_started(&rig, NULL);
        struct rig_link *old = rig_ready(&rig, rig_addr(7, 5000), "old");
        struct vn_buf *own[131];
        for (uint64_t i = 0; i <= common; i++)
            own[i] = vn_buf_ref(line[i]);
        forge_extend(own + common, (uint32_t)(130 - common), 2);
        rig_frame(&rig, old, forge_response(own[130]));
        serve(&rig, old, own, 130);
        assert_true(at_tip(&rig, own[130]));
        struct rig_link *link = rig_ready(&rig, rig_addr(8, 5000), "longer");
        rig_frame(&rig, link, forge_response(line[300]));
        for (uint32_t i = 0; i < 40; i++) {
            serve_one(&rig, old, own, 130, 100); /* honest, though of the other branch */
            serve_one(&rig, link, line, 300, 100);
        }
        assert_true(at_tip(&rig, line[300]));
        uint32_t ranges = 0;
        for (uint32_t i = 0; i < link->frame_count; i++)
            if (link->frames[i].msg.kind == MSG_REQUEST_BLOCK_RANGE && ranges++ == 0)
                assert_int_equal(link->frames[i].msg.u.request_range.start, common + 1);
        assert_true(link->frame_count < 30); /* a search, not a walk */
        forge_drop(own, 131);
        rig_deinit(&rig);
    }
}

static void test_peers_of_our_own_branch_do_not_lead_us_astray(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct vn_buf *own[351];
    own[0] = vn_buf_ref(line[0]);
    forge_extend(own, 350, 2);
    struct rig_link *ours[3];
    static const char *const ids[] = {"p", "q", "r"};
    for (uint32_t i = 0; i < 3; i++)
        ours[i] = rig_ready(&rig, rig_addr(10 + i, 5000), ids[i]);
    /* A range ends where our chain does, so that a foreign next one would connect to it. */
    rig_frame(&rig, ours[0], forge_response(own[200]));
    serve(&rig, ours[0], own, 200);
    assert_true(at_tip(&rig, own[200]));
    struct rig_link *link = rig_ready(&rig, rig_addr(8, 5000), "heavier");
    rig_frame(&rig, link, forge_response(line[LINE]));
    for (uint32_t i = 1; i < 3; i++) /* they have grown, on our branch, and say so */
        rig_frame(&rig, ours[i], forge_response(own[350]));
    for (uint32_t i = 0; i < 100; i++) {
        for (uint32_t k = 0; k < 3; k++)
            serve_one(&rig, ours[k], own, 350, 100);
        serve_one(&rig, link, line, LINE, 100);
    }
    assert_true(at_tip(&rig, line[LINE]));
    assert_int_equal(rig_traced(&rig, VN_TR_BLOCK_NEW), 200 + LINE); /* none more of our branch */
    for (uint32_t k = 0; k < 3; k++)
        assert_true(!ours[k]->closed && rig_peer(&rig, ours[k]).score >= 0);
    assert_true(rig_peer(&rig, link).score >= 0);
    forge_drop(own, 351);
    rig_deinit(&rig);
}

static void test_a_shorter_fork_changes_nothing(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready(&rig, rig_addr(7, 5000), "full");
    rig_frame(&rig, link, forge_response(line[50]));
    serve(&rig, link, line, 50);
    struct vn_buf *own[21];
    own[0] = vn_buf_ref(line[0]);
    forge_extend(own, 20, 2);
    struct rig_link *other = rig_ready(&rig, rig_addr(8, 5000), "shorter");
    rig_frame(&rig, other, forge_response(own[20]));
    serve(&rig, other, own, 20);
    assert_true(at_tip(&rig, line[50]));
    assert_false(other->closed);
    assert_true(rig_peer(&rig, other).score >= 0);
    forge_drop(own, 21);
    rig_deinit(&rig);
}

static uint32_t ranges_asked(const struct rig_link *link)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < link->frame_count; i++)
        count += link->frames[i].msg.kind == MSG_REQUEST_BLOCK_RANGE;
    return count;
}

/* Three ready links that all showed the newest block; nothing more answered yet. */
static void three(struct rig *rig, struct rig_link *links[3])
{
    static const char *const ids[] = {"p", "q", "r"};
    rig_init_started(rig, NULL);
    for (uint32_t i = 0; i < 3; i++)
        links[i] = rig_ready(rig, rig_addr(7 + i, 5000), ids[i]);
    for (uint32_t i = 3; i-- > 0;)
        rig_frame(rig, links[i], forge_response(line[LINE]));
}

static void test_three_peers_share_the_work(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_link *links[3];
    three(&rig, links);
    for (bool some = true; some;) {
        some = false;
        for (uint32_t i = 0; i < 3; i++) {
            rig_run(&rig, 10 * MS);
            some |= serve_one(&rig, links[i], line, LINE, 100);
        }
    }
    assert_true(at_tip(&rig, line[LINE]));
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(ranges_asked(links[i]) >= 1);
        assert_true(rig_peer(&rig, links[i]).score >= 0);
    }
    rig_deinit(&rig);
}

static void test_a_leader_that_leaves_is_replaced(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_link *links[3];
    three(&rig, links);
    for (uint32_t i = 0; i < 3; i++) /* two leave in the middle of it */
        serve_one(&rig, links[2], line, LINE, 100);
    rig_down(&rig, links[2], VN_WHY_RESET);
    serve_one(&rig, links[1], line, LINE, 100);
    rig_down(&rig, links[1], VN_WHY_RESET);
    serve(&rig, links[0], line, LINE);
    assert_true(at_tip(&rig, line[LINE]));
    rig_deinit(&rig);
}

static void test_a_stalling_leader_is_passed_over_and_kept(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_link *links[3];
    three(&rig, links);
    for (uint32_t i = 0; i < 400 && !at_tip(&rig, line[LINE]); i++) {
        rig_run(&rig, S);
        serve(&rig, links[0], line, LINE);
        for (uint32_t k = 1; k < 3; k++) /* says it lives, and answers nothing */
            rig_msg(&rig, links[k], &(struct msg){.kind = MSG_PONG});
    }
    assert_true(at_tip(&rig, line[LINE]));
    assert_false(links[1]->closed || links[2]->closed);
    assert_true(rig_peer(&rig, links[2]).score > -50);
    assert_true(ranges_asked(links[2]) + ranges_asked(links[1]) <= 8);
    rig_deinit(&rig);
}

static void test_an_answer_after_its_timeout_is_no_violation(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready(&rig, rig_addr(7, 5000), "slow");
    rig_frame(&rig, link, forge_response(line[LINE]));
    for (uint32_t i = 0; i < 31; i++) { /* the first range request times out, and is repeated */
        rig_run(&rig, S);
        rig_msg(&rig, link, &(struct msg){.kind = MSG_PONG});
    }
    assert_true(ranges_asked(link) + link->frame_count > 0);
    serve(&rig, link, line, LINE); /* all answers, the late one first */
    assert_false(link->closed);
    assert_int_equal(rig_traced(&rig, VN_TR_VIOLATION), 0);
    assert_true(at_tip(&rig, line[LINE]));
    rig_deinit(&rig);
}

/* Seconds pass in which the link says that it lives, and nothing else. */
static void idle(struct rig *rig, struct rig_link *link, uint32_t seconds)
{
    for (uint32_t i = 0; i < seconds; i++) {
        rig_run(rig, S);
        rig_msg(rig, link, &(struct msg){.kind = MSG_PONG});
    }
}

static void test_one_timeout_excuses_one_late_answer_only(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready(&rig, rig_addr(7, 5000), "slow");
    rig_frame(&rig, link, forge_response(line[LINE]));
    idle(&rig, link, 31);
    assert_int_equal(ranges_asked(link), 2);
    rig_frame(&rig, link, forge_range(line + 200, 100)); /* as if asked for that once */
    assert_false(link->closed);
    rig_frame(&rig, link, forge_range(line + 200, 100));
    assert_true(link->closed);
    assert_int_equal(rig_traced(&rig, VN_TR_VIOLATION), 1);
    rig_deinit(&rig);
}

static void test_who_never_answers_is_asked_three_times_and_then_left_alone(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready(&rig, rig_addr(7, 5000), "mute");
    rig_frame(&rig, link, forge_response(line[LINE]));
    idle(&rig, link, 600);
    assert_int_equal(ranges_asked(link), 3);
    assert_false(link->closed);
    rig_deinit(&rig);
}

static void test_answers_nobody_asked_for_change_nothing(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "peer");
    rig_frame(&rig, link, forge_response(line[1]));
    rig_frame(&rig, link, forge_response(NULL));
    rig_frame(&rig, link, forge_range(line + 1, 50));
    rig_frame(&rig, link, forge_range(line + 7, 1));
    rig_expect_quiet(link);
    assert_false(link->closed);
    assert_int_equal(rig_info(&rig).height, 0);
    assert_int_equal(rig_info(&rig).orphans, 0);
    assert_int_equal(rig_peer(&rig, link).score, 0);
    rig_deinit(&rig);
}

/* Until the node asks for a range, then answers it with count blocks from `from`. */
static struct rig_link *answer_range_with(struct rig *rig, struct vn_buf *const *from,
                                          uint32_t count)
{
    rig_init_started(rig, NULL);
    struct rig_link *link = rig_ready(rig, rig_addr(7, 5000), "liar");
    rig_run(rig, 2 * S);
    rig_frame(rig, link, forge_response(line[LINE]));
    const struct msg *ask = rig_find(link, MSG_REQUEST_BLOCK_RANGE);
    assert_non_null(ask);
    assert_int_equal(ask->u.request_range.start, 1);
    assert_int_equal(ask->u.request_range.end, 100);
    rig_run(rig, 2 * S);
    rig_frame(rig, link, forge_range(from, count));
    return link;
}

static void test_a_range_that_does_not_fit_its_request_is_a_violation(void **state)
{
    (void)state;
    struct vn_buf *mixed[4] = {line[1], line[3], line[2], line[4]};
    struct vn_buf *twice[2] = {line[1], line[1]};
    struct {
        struct vn_buf *const *from;
        uint32_t count;
    } cases[] = {
        {line + 2, 10},                     /* does not begin where asked */
        {line + 0, 10},                     /* nor there */
        {line + 1, 101},                    /* more than asked for */
        {mixed, 4},                         /* out of order */
        {twice, 2},      {line + 200, 100}, /* elsewhere */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig rig;
        struct rig_link *link = answer_range_with(&rig, cases[i].from, cases[i].count);
        rig_take_disconnect(link, REASON_PROTOCOL_VIOLATION);
        assert_int_equal(rig_traced(&rig, VN_TR_VIOLATION), 1);
        assert_int_equal(rig_info(&rig).height, 0);
        rig_deinit(&rig);
    }
}

static void test_fewer_blocks_than_asked_for_are_fine(void **state)
{
    (void)state;
    for (uint32_t count = 1; count < 100; count += 14) {
        struct rig rig;
        struct rig_link *link = answer_range_with(&rig, line + 1, count);
        assert_int_equal(rig_info(&rig).height, count);
        serve(&rig, link, line, LINE);
        assert_true(at_tip(&rig, line[LINE]));
        rig_deinit(&rig);
    }
}

static void test_an_empty_range_from_who_showed_more_ends_the_run_without_a_loop(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_link *link = answer_range_with(&rig, line, 0);
    for (uint32_t i = 0; i < 20; i++) {
        serve(&rig, link, line, 0); /* now it says it has nothing but the genesis */
        rig_run(&rig, S);
    }
    assert_true(link->frame_count < 20);
    assert_int_equal(rig_info(&rig).height, 0);
    rig_deinit(&rig);
}

static void test_an_invalid_block_in_a_range_is_the_price_of_one(void **state)
{
    (void)state;
    struct vn_buf *bad[11];
    for (uint32_t i = 0; i < 10; i++)
        bad[i] = line[i + 1];
    struct block_view view = forge_view(line[8]);
    view.total_difficulty += 5;
    bad[7] = forge_block(view, false);
    struct rig rig;
    struct rig_link *link = answer_range_with(&rig, bad, 10);
    assert_int_equal((int64_t)rig_last(&rig, VN_TR_SCORE)->b, -100);
    assert_string_equal(rig_last(&rig, VN_TR_BLOCK_BAD)->text, "B7-total-difficulty");
    assert_int_equal(rig_info(&rig).height, 7);
    (void)link;
    vn_buf_unref(bad[7]);
    rig_deinit(&rig);
}

static void test_a_probe_answered_with_another_height_is_a_violation(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready(&rig, rig_addr(7, 5000), "full");
    rig_frame(&rig, link, forge_response(line[60]));
    serve(&rig, link, line, 60);
    struct vn_buf *own[101];
    own[0] = vn_buf_ref(line[0]);
    forge_extend(own, 100, 2);
    struct rig_link *liar = rig_ready(&rig, rig_addr(8, 5000), "liar");
    rig_frame(&rig, liar, forge_response(own[100]));
    const struct msg *probe = rig_take(liar, MSG_REQUEST_BLOCK);
    uint64_t height = probe->u.request_block.height;
    assert_in_range(height, 1, 60);
    rig_frame(&rig, liar, forge_response(own[height + 1]));
    rig_take_disconnect(liar, REASON_PROTOCOL_VIOLATION);
    assert_true(at_tip(&rig, line[60]));
    forge_drop(own, 101);
    rig_deinit(&rig);
}

static void test_a_liar_among_three_does_not_keep_us_from_the_chain(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_link *links[3];
    three(&rig, links);
    struct vn_buf *other[LINE + 1]; /* a longer promise on another branch */
    other[0] = vn_buf_ref(line[0]);
    forge_extend(other, LINE, 9);
    for (uint32_t i = 0; i < 200 && !at_tip(&rig, line[LINE]); i++) {
        rig_run(&rig, S);
        serve_one(&rig, links[2], other, LINE, 100); /* leads, and answers from another chain */
        serve_one(&rig, links[1], line, LINE, 100);
        serve_one(&rig, links[0], line, LINE, 100);
    }
    assert_int_equal(rig_info(&rig).height, LINE);
    forge_drop(other, LINE + 1);
    rig_deinit(&rig);
}

static void test_a_leader_that_reorganises_under_us_is_followed(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready(&rig, rig_addr(7, 5000), "turns");
    rig_frame(&rig, link, forge_response(line[LINE]));
    for (uint32_t i = 0; i < 2; i++)
        assert_true(serve_one(&rig, link, line, LINE, 100));
    struct vn_buf *own[LINE + 3];
    for (uint64_t i = 0; i <= 50; i++)
        own[i] = vn_buf_ref(line[i]);
    forge_extend(own + 50, LINE + 2 - 50, 3);
    serve(&rig, link, own, LINE + 2);
    rig_frame(&rig, link, forge_new_block(own[LINE + 2]));
    serve(&rig, link, own, LINE + 2);
    assert_false(link->closed);
    assert_true(at_tip(&rig, own[LINE + 2]));
    forge_drop(own, LINE + 3);
    rig_deinit(&rig);
}

/* ---- far below the tip ---- */

static void test_old_branches_that_nobody_asked_for_are_neither_kept_nor_fetched(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *full = rig_ready(&rig, rig_addr(7, 5000), "full");
    rig_frame(&rig, full, forge_response(line[LINE]));
    serve(&rig, full, line, LINE);
    assert_true(at_tip(&rig, line[LINE]));
    struct vn_buf *old[LINE + 1];
    old[0] = vn_buf_ref(line[0]);
    forge_extend(old, LINE, 3);
    struct rig_link *link = rig_ready_idle(&rig, rig_addr(8, 5000), "old");
    struct rig_link *other = rig_ready_idle(&rig, rig_addr(9, 5000), "other");
    uint32_t before = rig_traced(&rig, VN_TR_BLOCK_NEW);
    for (uint32_t i = 1; i <= LINE - 100; i++)
        rig_frame(&rig, link, forge_new_block(old[i]));
    rig_frame(&rig, link, forge_new_block(old[200])); /* with a parent or without one */
    assert_int_equal(rig_traced(&rig, VN_TR_BLOCK_NEW), before);
    assert_int_equal(rig_info(&rig).orphans, 0);
    assert_int_equal(rig_traced(&rig, VN_TR_VIOLATION), 0);
    rig_expect_quiet(link); /* nothing is asked of it */
    rig_expect_quiet(other);
    rig_frame(&rig, link, forge_new_block(old[LINE - 99])); /* near enough to be of use */
    assert_int_equal(rig_info(&rig).orphans, 1);
    forge_drop(old, LINE + 1);
    rig_deinit(&rig);
}

static void
test_a_heavier_branch_from_far_below_is_fetched_though_its_blocks_were_refused(void **state)
{
    (void)state;
    enum { TALL = LINE + 20 };
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *full = rig_ready(&rig, rig_addr(7, 5000), "full");
    rig_frame(&rig, full, forge_response(line[LINE]));
    serve(&rig, full, line, LINE);
    struct vn_buf *tall[TALL + 1];
    for (uint32_t i = 0; i <= 30; i++)
        tall[i] = vn_buf_ref(line[i]);
    forge_extend(tall + 30, TALL - 30, 4);
    struct rig_link *link = rig_ready_idle(&rig, rig_addr(8, 5000), "tall");
    for (uint32_t i = 31; i <= 130; i++)
        rig_frame(&rig, link, forge_new_block(tall[i]));
    assert_true(at_tip(&rig, line[LINE]));
    rig_frame(&rig, link, forge_new_block(tall[TALL]));
    for (uint32_t i = 0; i < 60; i++) {
        serve_one(&rig, full, line, LINE, 100);
        serve_one(&rig, link, tall, TALL, 100);
    }
    assert_true(at_tip(&rig, tall[TALL]));
    forge_drop(tall, TALL + 1);
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_fresh_node_catches_up_from_one_peer),
        cmocka_unit_test(test_a_node_behind_on_a_fork_finds_the_common_block),
        cmocka_unit_test(test_peers_of_our_own_branch_do_not_lead_us_astray),
        cmocka_unit_test(test_a_shorter_fork_changes_nothing),
        cmocka_unit_test(test_three_peers_share_the_work),
        cmocka_unit_test(test_a_leader_that_leaves_is_replaced),
        cmocka_unit_test(test_a_stalling_leader_is_passed_over_and_kept),
        cmocka_unit_test(test_an_answer_after_its_timeout_is_no_violation),
        cmocka_unit_test(test_one_timeout_excuses_one_late_answer_only),
        cmocka_unit_test(test_who_never_answers_is_asked_three_times_and_then_left_alone),
        cmocka_unit_test(test_answers_nobody_asked_for_change_nothing),
        cmocka_unit_test(test_a_range_that_does_not_fit_its_request_is_a_violation),
        cmocka_unit_test(test_fewer_blocks_than_asked_for_are_fine),
        cmocka_unit_test(test_an_empty_range_from_who_showed_more_ends_the_run_without_a_loop),
        cmocka_unit_test(test_an_invalid_block_in_a_range_is_the_price_of_one),
        cmocka_unit_test(test_a_probe_answered_with_another_height_is_a_violation),
        cmocka_unit_test(test_a_liar_among_three_does_not_keep_us_from_the_chain),
        cmocka_unit_test(test_a_leader_that_reorganises_under_us_is_followed),
        cmocka_unit_test(test_old_branches_that_nobody_asked_for_are_neither_kept_nor_fetched),
        cmocka_unit_test(
            test_a_heavier_branch_from_far_below_is_fetched_though_its_blocks_were_refused),
    };
    return cmocka_run_group_tests(tests, make_line, drop_line);
}
