/* Catching up where one answer holds everything up: a second peer is asked, what was good of a bad
 * answer is kept, and a big answer that is on its way is waited for. */
#include "tests/node/full_peer.h"

static uint32_t ranges_asked(const struct rig_link *link)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < link->frame_count; i++)
        count += link->frames[i].msg.kind == MSG_REQUEST_BLOCK_RANGE;
    return count;
}

static struct rig_link *showing(struct rig *rig, uint32_t host, const char *id)
{
    struct rig_link *link = rig_ready(rig, rig_addr(host, 5000), id);
    rig_frame(rig, link, forge_response(line[LINE]));
    return link;
}

static void
test_where_all_wait_for_one_silent_peer_a_second_is_asked_after_two_seconds(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *mute = showing(&rig, 7, "mute"); /* leads: the first chunk is asked of it */
    struct rig_link *good = showing(&rig, 8, "good");
    while (serve_one(&rig, good, line, LINE, 100))
        ;
    assert_int_equal(ranges_asked(mute), 1);
    uint32_t before = ranges_asked(good);
    const uint64_t began_ns = rig.now_ns;
    rig_run(&rig, 1990 * MS);
    assert_int_equal(ranges_asked(good), before);
    rig_run(&rig, 20 * MS);
    assert_int_equal(ranges_asked(good), before + 1);
    rig_run(&rig, 10 * S); /* once is enough */
    assert_int_equal(ranges_asked(good), before + 1);
    while (serve_one(&rig, good, line, LINE, 100))
        ;
    assert_true(at_tip(&rig, line[LINE]));
    assert_true(rig.now_ns < began_ns + 20 * S);
    assert_true(rig_peer(&rig, mute).score >= 0); /* it may just be slow */
    rig_deinit(&rig);
}

static void test_a_trickle_does_not_keep_a_second_from_being_asked(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *thin = showing(&rig, 7, "thin");
    struct rig_link *good = showing(&rig, 8, "good");
    while (serve_one(&rig, good, line, LINE, 100))
        ;
    uint32_t before = ranges_asked(good);
    const uint8_t prefix[4] = {0, 0x9f, 0, 0};
    rig_bytes(&rig, thin, prefix, sizeof prefix);
    for (uint32_t i = 0; i < 5; i++) {
        rig_run(&rig, S);
        rig_bytes(&rig, thin, prefix, 1);
    }
    assert_int_equal(ranges_asked(good), before + 1);
    rig_deinit(&rig);
}

static void test_of_two_that_were_asked_the_first_answer_counts(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *late = showing(&rig, 7, "late");
    struct rig_link *good = showing(&rig, 8, "good");
    while (serve_one(&rig, good, line, LINE, 100))
        ;
    rig_run(&rig, 3 * S); /* both hold a request for the first chunk now */
    while (serve_one(&rig, late, line, LINE, 100))
        ;
    assert_true(at_tip(&rig, line[LINE]));
    while (serve_one(&rig, good, line, LINE, 100)) /* its answer changes nothing any more */
        ;
    assert_int_equal(rig_traced(&rig, VN_TR_VIOLATION), 0);
    assert_false(good->closed || late->closed);
    rig_deinit(&rig);
}

static void test_the_good_blocks_before_a_bad_one_are_not_asked_for_again(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *mute = showing(&rig, 7, "mute");
    struct rig_link *liar = showing(&rig, 8, "liar");
    struct rig_link *good = showing(&rig, 9, "good");
    struct vn_buf *bad[101];
    const struct msg *msg = rig_find(liar, MSG_REQUEST_BLOCK_RANGE);
    uint64_t start = msg->u.request_range.start;
    assert_int_equal(start, 101);
    for (uint32_t i = 0; i < 100; i++)
        bad[i] = line[start + i];
    struct block_view view = forge_view(line[start + 60]);
    view.total_difficulty += 5;
    bad[60] = forge_block(view, false);
    rig_frame(&rig, liar, forge_range(bad, 100));
    rig_find(mute, MSG_REQUEST_BLOCK_RANGE);
    rig_frame(&rig, mute, forge_range(line + 1, 100)); /* and is silent from here on */
    assert_int_equal(rig_info(&rig).height, 160);
    for (uint32_t i = 0; i < 10; i++) {
        while (serve_one(&rig, good, line, LINE, 100))
            ;
        rig_run(&rig, S);
    }
    assert_true(at_tip(&rig, line[LINE]));
    for (uint32_t i = 0; i < good->frame_count; i++)
        if (good->frames[i].msg.kind == MSG_REQUEST_BLOCK_RANGE)
            assert_true(good->frames[i].msg.u.request_range.start >= 161);
    vn_buf_unref(bad[60]);
    rig_deinit(&rig);
}

/* Seconds until the first range is asked for again, of a peer that sends `pace` bytes of a large
 * frame each second, for `seconds` of them. */
static uint32_t asked_again_after(uint32_t pace, uint32_t seconds)
{
    static uint8_t zeros[1 << 16];
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.idle_timeout_ns = 1000 * S;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    struct rig_link *link = showing(&rig, 7, "thin");
    const uint8_t prefix[4] = {0, 0x9f, 0, 0};
    rig_bytes(&rig, link, prefix, sizeof prefix);
    uint32_t at = 0;
    for (; at < 200 && ranges_asked(link) == 1; at++) {
        rig_run(&rig, S);
        if (at < seconds)
            rig_bytes(&rig, link, zeros, pace);
    }
    rig_deinit(&rig);
    return at;
}

static void test_an_answer_that_is_coming_in_is_not_asked_for_again(void **state)
{
    (void)state;
    assert_in_range(asked_again_after(1, 0), 30, 31);      /* nothing comes */
    assert_in_range(asked_again_after(1000, 200), 30, 31); /* a trickle */
    assert_in_range(asked_again_after(60000, 25), 90,
                    121); /* stops: the pace sinks below the bar */
    assert_in_range(asked_again_after(60000, 200), 119, 121); /* four waits in all */
}

/* The leader leaves, and the next run cuts the heights anew: what was asked of another before is
 * not asked again. */
static void test_an_answer_to_an_earlier_run_serves_the_next(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *leader = showing(&rig, 7, "leader");
    struct rig_link *next = showing(&rig, 8, "next");
    struct rig_link *slow = showing(&rig, 9, "slow");
    const struct msg *asked = rig_find(slow, MSG_REQUEST_BLOCK_RANGE);
    assert_int_equal(asked->u.request_range.start, 201);
    const struct msg *first = rig_find(leader, MSG_REQUEST_BLOCK_RANGE);
    assert_int_equal(first->u.request_range.start, 1);
    rig_frame(&rig, leader, forge_range(line + 1, 70)); /* less than asked for */
    rig_down(&rig, leader, VN_WHY_RESET);
    assert_int_equal(rig_info(&rig).height, 70);
    const struct msg *msg = rig_next(next);
    while (msg && msg->kind == MSG_REQUEST_BLOCK_RANGE) /* of the first run */
        msg = rig_next(next);
    for (; msg && msg->kind == MSG_REQUEST_BLOCK; msg = rig_next(next))
        rig_frame(&rig, next, forge_response(line[msg->u.request_block.height]));
    rig_frame(&rig, slow, forge_range(line + 201, 100));
    rig_frame(&rig, next, forge_range(line + 101, 100)); /* what the first run asked of it */
    for (bool some = true; some;) {
        some = serve_one(&rig, next, line, LINE, 100);
        some |= serve_one(&rig, slow, line, LINE, 100);
    }
    assert_true(at_tip(&rig, line[LINE]));
    uint32_t times = 0;
    struct rig_link *const links[] = {leader, slow, next};
    for (uint32_t k = 0; k < 3; k++)
        for (uint32_t i = 0; i < links[k]->frame_count; i++) {
            msg = &links[k]->frames[i].msg;
            times += msg->kind == MSG_REQUEST_BLOCK_RANGE && msg->u.request_range.start <= 280 &&
                     msg->u.request_range.end >= 280;
        }
    assert_int_equal(times, 1);
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_where_all_wait_for_one_silent_peer_a_second_is_asked_after_two_seconds),
        cmocka_unit_test(test_a_trickle_does_not_keep_a_second_from_being_asked),
        cmocka_unit_test(test_of_two_that_were_asked_the_first_answer_counts),
        cmocka_unit_test(test_the_good_blocks_before_a_bad_one_are_not_asked_for_again),
        cmocka_unit_test(test_an_answer_to_an_earlier_run_serves_the_next),
        cmocka_unit_test(test_an_answer_that_is_coming_in_is_not_asked_for_again),
    };
    return cmocka_run_group_tests(tests, make_line, drop_line);
}
