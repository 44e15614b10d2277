/* Who can delay, mislead or blame whom while catching up; clocks that differ. */
#include "tests/node/full_peer.h"

/* One hostile peer leads, with a line of its own, and gives a block just before each wait ends. */
static void test_a_leader_that_trickles_does_not_hold_us_for_ever(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.sync_interval_ns = 60 * S;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    static struct vn_buf *own[LINE + 1];
    own[0] = vn_buf_ref(line[0]);
    forge_extend(own, LINE, 2);
    struct rig_link *evil = rig_ready(&rig, rig_addr(7, 5000), "evil");
    rig_frame(&rig, evil, forge_response(own[LINE]));
    struct rig_link *good = rig_ready(&rig, rig_addr(8, 5000), "good");
    rig_frame(&rig, good, forge_response(line[LINE - 1]));
    uint32_t seconds = 0;
    for (; seconds < 1200 && !at_tip(&rig, line[LINE - 1]); seconds++) {
        rig_run(&rig, S);
        while (serve_one(&rig, good, line, LINE - 1, 100))
            ;
        if (seconds % 10 == 9)
            rig_msg(&rig, evil, &(struct msg){.kind = MSG_PONG}); /* not silent at all */
        if (seconds % 28 == 27)
            while (serve_one(&rig, evil, own, LINE, 1) &&
                   evil->frames[evil->frame_next - 1].msg.kind != MSG_REQUEST_BLOCK_RANGE)
                ;
    }
    assert_true(seconds < 400);
    assert_false(good->closed);
    forge_drop(own, LINE + 1);
    rig_deinit(&rig);
}

/* The next request is answered when all before it were sent, at 0.6 s a block; 0: no request. */
static uint64_t answered_ns(const struct rig_link *link, uint64_t free_ns)
{
    if (link->frame_next == link->frame_count)
        return 0;
    const struct rig_frame *frame = &link->frames[link->frame_next];
    uint64_t blocks = 0;
    if (frame->msg.kind == MSG_REQUEST_BLOCK_RANGE)
        blocks = frame->msg.u.request_range.end - frame->msg.u.request_range.start + 1;
    return (frame->at_ns > free_ns ? frame->at_ns : free_ns) + blocks * 600 * MS;
}

/* A hundred blocks take two waits. */
static void test_a_link_too_slow_for_full_ranges_still_catches_up(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.sync_interval_ns = 60 * S;
    cfg.idle_timeout_ns = 120 * S;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    struct rig_link *slow = rig_ready(&rig, rig_addr(7, 5000), "slow");
    rig_frame(&rig, slow, forge_response(line[LINE]));
    uint64_t free_ns = 0;
    uint32_t seconds = 0;
    for (; seconds < 3600 && !at_tip(&rig, line[LINE]) && !slow->closed; seconds++) {
        rig_run(&rig, S);
        for (uint64_t at; (at = answered_ns(slow, free_ns)) != 0 && at <= rig.now_ns;) {
            free_ns = at;
            serve_one(&rig, slow, line, LINE, 100);
        }
    }
    assert_true(at_tip(&rig, line[LINE]));
    assert_true(seconds < 600); /* 270 s of sending at least */
    assert_int_equal(rig_traced(&rig, VN_TR_VIOLATION), 0);
    rig_deinit(&rig);
}

/* Of many links only one has what we miss; it failed to answer for a while. */
static uint32_t seconds_after_a_stall(uint8_t seed)
{
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.seed[0] = seed;
    cfg.sync_interval_ns = 60 * S;
    cfg.idle_timeout_ns = 100000 * S;
    cfg.ping_after_ns = 100000 * S;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    for (uint32_t i = 0; i < 30; i++) {
        char id[3] = {(char)('a' + i % 26), (char)('a' + i / 26), 0};
        rig_ready_idle(&rig, rig_addr(100 + i, 5000), id);
    }
    struct rig_link *full = rig_ready(&rig, rig_addr(8, 5000), "full");
    rig_frame(&rig, full, forge_response(line[LINE]));
    uint64_t began_ns = rig.now_ns;
    while (!rig_last(&rig, VN_TR_SYNC) ||
           strcmp(rig_last(&rig, VN_TR_SYNC)->text, "done") != 0) /* three waits end */
        rig_run(&rig, S);
    assert_in_range(rig.now_ns - began_ns, 89 * S, 200 * S);
    uint32_t seconds = 0;
    for (; seconds < 1000 && !at_tip(&rig, line[LINE]); seconds++) {
        rig_run(&rig, S);
        while (serve_one(&rig, full, line, LINE, 100))
            ;
    }
    rig_deinit(&rig);
    return seconds;
}

static void test_a_leader_that_stalled_is_tried_again_at_the_next_look(void **state)
{
    (void)state;
    for (uint8_t seed = 0; seed < 8; seed++)
        assert_in_range(seconds_after_a_stall(seed), 0, 95);
}

/* A block that a feeler relays before it answers for its newest must not end it as useless. */
static void test_a_feeler_that_leads_is_kept(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    struct vn_addr seed = rig_addr(7, 8765);
    cfg.seeds = &seed;
    cfg.seed_count = 1;
    cfg.max_outbound = 0;
    cfg.feeler_interval_ns = 10 * S;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    struct rig_link *feeler = NULL;
    for (uint32_t i = 0; i < 1000 && !feeler; i++) {
        rig_run(&rig, S);
        feeler = rig_dial(&rig);
    }
    assert_non_null(feeler);
    assert_int_equal(feeler->link_class, VN_CLASS_FEELER);
    rig_up(&rig, feeler);
    rig_hello(&rig, feeler, "other half", "0.1.0", 8765);
    rig_frame(&rig, feeler, forge_new_block(line[300]));
    for (uint32_t i = 0; i < 40; i++)
        serve_one(&rig, feeler, line, 300, 100);
    assert_true(at_tip(&rig, line[300]));
    assert_false(feeler->closed);
    rig_deinit(&rig);
}

/* A clock that is hours fast is our fault, not that of those who relay what is new to them. */
static void test_a_fast_clock_bans_nobody(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "honest");
    rig_step(&rig, (struct vn_event){.kind = VN_EV_CLOCK,
                                     .u.clock.wall_ns = (FORGE_NOW_S + 5 * 3600) * S});
    for (uint64_t i = 0; i < 30; i++) {
        struct vn_buf *tx = forge_tx((struct forge_tx){.sender = i, .nonce = 1});
        rig_frame(&rig, link, forge_new_tx(tx));
        vn_buf_unref(tx);
    }
    assert_false(link->closed);
    assert_true(rig_peer(&rig, link).score >= 0);
    assert_int_equal(rig_info(&rig).mempool, 0);
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_leader_that_trickles_does_not_hold_us_for_ever),
        cmocka_unit_test(test_a_link_too_slow_for_full_ranges_still_catches_up),
        cmocka_unit_test(test_a_leader_that_stalled_is_tried_again_at_the_next_look),
        cmocka_unit_test(test_a_feeler_that_leads_is_kept),
        cmocka_unit_test(test_a_fast_clock_bans_nobody),
    };
    return cmocka_run_group_tests(tests, make_line, drop_line);
}
