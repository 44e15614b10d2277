/* Bans and what comes after them: how long they last whatever the clock does, that the store never
 * loses one nor a lifted one, what probation means, and
 * that they can be looked at. */
#include "tests/node/rig.h"

#include "core/crypto/sha256.h"

#include <stddef.h>
#include <string.h>

#define HOUR (3600 * S)

static void ban(struct rig *rig, uint32_t host, uint64_t ns)
{
    struct vn_command command = {.kind = VN_CMD_BAN, .number = ns, .addr = rig_addr(host, 5000)};
    assert_int_equal(rig_command(rig, command), VN_OK);
}

static void unban(struct rig *rig, uint32_t host)
{
    struct vn_command command = {.kind = VN_CMD_UNBAN, .addr = rig_addr(host, 5000)};
    assert_int_equal(rig_command(rig, command), VN_OK);
}

static void set_clock(struct rig *rig, uint64_t wall_ns)
{
    rig_step(rig, (struct vn_event){.kind = VN_EV_CLOCK, .u.clock.wall_ns = wall_ns});
}

/* Does a handshake from there get refused as banned? */
static bool refused(struct rig *rig, uint32_t host)
{
    struct rig_link *link = rig_accept(rig, rig_addr(host, 6000));
    rig_hello(rig, link, "somebody", "0.1.0", 5000);
    bool closed = link->closed;
    assert_true(!closed || link->close_why == VN_WHY_BANNED);
    if (!link->down)
        rig_down(rig, link, VN_WHY_REMOTE_CLOSED);
    return closed;
}

/* A new process with the old one's disk, at this wall time. */
static void restart_at(struct rig *rig, const struct vn_config *cfg, uint64_t wall_ns)
{
    struct disk disk = rig->disk;
    rig->disk = (struct disk){0};
    rig_deinit(rig);
    rig_init(rig, cfg);
    rig->disk = disk;
    set_clock(rig, wall_ns);
    rig_step(rig, (struct vn_event){.kind = VN_EV_START});
}

/* ---- time ---- */

static void test_a_clock_that_jumps_neither_lengthens_nor_lifts_a_ban(void **state)
{
    (void)state;
    static const int64_t jump_hours[] = {-200000, -2, 2, 200000};
    for (uint32_t i = 0; i < 4; i++) {
        struct rig rig;
        rig_init_started(&rig, NULL);
        uint64_t wall_ns = rig_info(&rig).wall_ns;
        ban(&rig, 7, HOUR);
        set_clock(&rig, wall_ns + (uint64_t)jump_hours[i] * HOUR);
        rig_run(&rig, HOUR - S);
        assert_true(refused(&rig, 7));
        rig_run(&rig, 2 * S);
        assert_false(refused(&rig, 7));
        rig_deinit(&rig);
    }
}

static void test_a_restart_keeps_what_is_left_of_a_ban(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    ban(&rig, 7, HOUR);
    ban(&rig, 8, 5 * HOUR);
    uint64_t wall_ns = rig_info(&rig).wall_ns;
    restart_at(&rig, NULL, wall_ns + 2 * HOUR);
    assert_false(refused(&rig, 7));
    assert_true(refused(&rig, 8));
    rig_run(&rig, 3 * HOUR - S);
    assert_true(refused(&rig, 8));
    rig_run(&rig, 2 * S);
    assert_false(refused(&rig, 8));
    assert_int_equal(rig_info(&rig).banned, 0);
    rig_run(&rig, 2 * S);
    assert_int_equal(rig.disk.ban_count, 0); /* what is over leaves the store too */
    rig_deinit(&rig);
}

static void test_a_clock_that_went_back_before_a_restart_lengthens_no_ban(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    ban(&rig, 7, 3 * HOUR);
    restart_at(&rig, NULL, 0); /* 1970 */
    assert_true(refused(&rig, 7));
    rig_run(&rig, 3 * HOUR - 2 * S);
    assert_true(refused(&rig, 7));
    rig_run(&rig, 3 * S);
    assert_false(refused(&rig, 7));
    rig_deinit(&rig);
}

static void test_the_store_is_told_again_when_the_clock_is_put_right(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    set_clock(&rig, 0);
    ban(&rig, 7, HOUR);
    uint64_t right_ns = 50000 * HOUR;
    set_clock(&rig, right_ns);
    restart_at(&rig, NULL, right_ns + HOUR / 2);
    assert_true(refused(&rig, 7)); /* else it would have been over for decades */
    rig_run(&rig, HOUR / 2 + S);
    assert_false(refused(&rig, 7));
    rig_deinit(&rig);
}

/* ---- the store ---- */

static void test_a_lifted_ban_whose_batch_failed_is_lifted_in_the_store_again(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    ban(&rig, 7, 0);
    ban(&rig, 8, 0);
    assert_int_equal(rig.disk.ban_count, 2);
    rig.fail_stores = true;
    unban(&rig, 7);
    rig_run(&rig, 5 * S); /* fails again and again */
    assert_int_equal(rig.disk.ban_count, 2);
    rig.fail_stores = false;
    rig_run(&rig, 3 * S);
    assert_int_equal(rig.disk.ban_count, 1);
    restart_at(&rig, NULL, rig_info(&rig).wall_ns);
    assert_false(refused(&rig, 7));
    assert_true(refused(&rig, 8));
    rig_deinit(&rig);
}

static void test_batches_that_fail_out_of_turn_leave_the_last_word_in_the_store(void **state)
{
    (void)state;
    for (uint32_t order = 0; order < 8; order++) {
        struct rig rig;
        rig_init_started(&rig, NULL);
        rig.manual_disk = true;
        for (uint32_t i = 0; i < 3; i++) {
            rig.fail_stores = order >> i & 1;
            i == 1 ? unban(&rig, 7) : ban(&rig, i == 0 ? 7 : 8, 0);
        }
        assert_int_equal(rig.request_count, 3);
        rig.fail_stores = false;
        for (uint32_t i = 0; i < 3; i++) /* the answers, the last one first */
            rig_answer(&rig, 2 - i, order >> (2 - i) & 1 ? VN_ERR_IO : VN_OK);
        rig.manual_disk = false;
        rig_drain(&rig);
        rig_run(&rig, 5 * S);
        while (rig.request_count > 0)
            rig_answer(&rig, 0, VN_OK);
        assert_int_equal(rig.disk.ban_count, 1);
        restart_at(&rig, NULL, rig_info(&rig).wall_ns);
        assert_false(refused(&rig, 7));
        assert_true(refused(&rig, 8));
        rig_deinit(&rig);
    }
}

/* ---- probation and decay ---- */

static void bad_txs(struct rig *rig, struct rig_link *link, uint64_t count)
{
    for (uint64_t i = 0; i < count && !link->closed; i++) {
        struct vn_buf *tx = forge_tx((struct forge_tx){.sender = 1, .nonce = i, .bad_id = true});
        rig_frame(rig, link, forge_new_tx(tx));
        vn_buf_unref(tx);
    }
}

static void test_an_offence_is_half_forgotten_after_an_hour(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "sloppy");
    bad_txs(&rig, link, 8);
    assert_int_equal(rig_peer(&rig, link).score, -80);
    for (uint32_t i = 0; i < 144; i++) {
        rig_run(&rig, 25 * S);
        rig_ping(&rig, link, i);
    }
    assert_in_range(rig_peer(&rig, link).score + 80, 40, 41); /* -40: on probation no more */
    bad_txs(&rig, link, 5);
    assert_false(link->closed); /* -90 */
    bad_txs(&rig, link, 1);
    assert_int_equal(link->close_why, VN_WHY_BANNED);
    rig_deinit(&rig);
}

static void test_scores_stay_where_decay_is_switched_off(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.score_half_life_ns = 0;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "sloppy");
    bad_txs(&rig, link, 8);
    rig_down(&rig, link, VN_WHY_REMOTE_CLOSED);
    rig.now_ns += 100 * HOUR;
    link = rig_ready_idle(&rig, rig_addr(7, 5000), "sloppy");
    assert_int_equal(rig_peer(&rig, link).score, -80);
    rig_deinit(&rig);
}

static void test_who_comes_back_from_a_ban_is_on_probation_and_recovers(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "sloppy");
    bad_txs(&rig, link, 10);
    assert_int_equal(link->close_why, VN_WHY_BANNED);
    rig_run(&rig, HOUR + S);
    link = rig_ready_idle(&rig, rig_addr(7, 5000), "sloppy");
    assert_int_equal(rig_peer(&rig, link).score, -50);
    for (uint64_t i = 0; i < 60; i++) {
        struct vn_buf *tx =
            forge_tx((struct forge_tx){.sender = 9, .nonce = i, .timestamp = FORGE_NOW_S + 3600});
        rig_frame(&rig, link, forge_new_tx(tx));
        vn_buf_unref(tx);
    }
    assert_int_equal(rig_peer(&rig, link).score, 10);
    rig_deinit(&rig);
}

static void test_on_probation_one_is_dialled_last(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 8; seed++) {
        struct vn_config cfg;
        rig_config(&cfg);
        cfg.seed[0] = (uint8_t)seed;
        cfg.max_outbound = 1;
        struct rig rig;
        rig_init_started(&rig, &cfg);
        struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "sloppy");
        bad_txs(&rig, link, 5);
        struct rig_link *good = rig_ready_idle(&rig, rig_addr(8, 5000), "good");
        struct rig_link *only = rig_dial_to(&rig, rig_addr(9, 5000)); /* has the one slot */
        rig_hello(&rig, only, "only", "0.1.0", 5000);
        rig_down(&rig, link, VN_WHY_REMOTE_CLOSED);
        rig_down(&rig, good, VN_WHY_REMOTE_CLOSED);
        rig_run(&rig, 3 * S); /* both may be tried by now */
        assert_null(rig_dial(&rig));
        rig_down(&rig, only, VN_WHY_REMOTE_CLOSED);
        link = rig_dial(&rig);
        assert_non_null(link);
        assert_int_equal(link->remote.ip[3], 8);
        rig_deinit(&rig);
    }
}

static void test_on_probation_one_has_a_quarter_of_the_tokens(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.ping_burst = 400;
    cfg.ping_rate = 1;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "sloppy");
    bad_txs(&rig, link, 5);
    for (uint32_t i = 0; i < 150; i++)
        rig_ping(&rig, link, i);
    uint32_t pongs = 0;
    while (rig_find(link, MSG_PONG))
        pongs++;
    assert_int_equal(pongs, 100);
    rig_deinit(&rig);
}

/* ---- looking in ---- */

static void test_bans_are_copied_out_while_they_last(void **state)
{
    (void)state;
    struct rig rig;
    struct vn_ban_info bans[4] = {{.size = sizeof *bans}};
    rig_init_started(&rig, NULL);
    assert_int_equal(vn_node_bans(rig.node, bans, 4), 0);
    ban(&rig, 7, HOUR);
    ban(&rig, 8, 2 * HOUR);
    ban(&rig, 9, HOUR);
    unban(&rig, 9);
    assert_int_equal(vn_node_bans(rig.node, bans, 4), 2);
    for (uint32_t i = 0; i < 2; i++) {
        const struct vn_addr addr = rig_addr(7 + i, 0);
        assert_int_equal(bans[i].size, sizeof *bans);
        assert_int_equal(bans[i].by_id, 0);
        assert_memory_equal(&bans[i].addr, &addr, sizeof addr);
        assert_int_equal(bans[i].left_ns, (1 + i) * HOUR);
    }
    assert_int_equal(vn_node_bans(rig.node, bans, 1), 1); /* no more than there is room for */
    assert_int_equal(vn_node_bans(rig.node, bans, 0), 0);
    rig_run(&rig, HOUR);
    rig_step(&rig, (struct vn_event){.kind = VN_EV_TIMER}); /* it knows the time from its events */
    assert_int_equal(vn_node_bans(rig.node, bans, 4), 1);
    assert_int_equal(bans[0].addr.ip[3], 8);
    assert_int_equal(bans[0].left_ns, HOUR);
    rig_deinit(&rig);
}

static void test_a_ban_of_a_node_id_is_told_by_its_hash(void **state)
{
    (void)state;
    struct vn_config cfg;
    struct vn_ban_info info = {.size = sizeof info};
    const struct vn_addr none = {0};
    uint8_t hash[32];
    rig_config(&cfg);
    cfg.ban_by = VN_BAN_BY_ID;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    rig_ready_idle(&rig, rig_addr(7, 5000), "peer");
    ban(&rig, 7, HOUR);
    sha256(hash, "peer", 4);
    assert_int_equal(vn_node_bans(rig.node, &info, 1), 1);
    assert_int_equal(info.by_id, 1);
    assert_memory_equal(info.id_hash, hash, sizeof hash);
    assert_memory_equal(&info.addr, &none, sizeof none);
    rig_deinit(&rig);
}

/* A caller of an older build has shorter records: they lie as close as it thinks they do. */
static void test_bans_are_cut_to_the_size_that_the_caller_knows(void **state)
{
    (void)state;
    enum { SHORT = offsetof(struct vn_ban_info, id_hash) };
    struct rig rig;
    _Alignas(struct vn_ban_info) uint8_t bytes[2 * SHORT + 8];
    uint32_t size = SHORT;
    struct vn_addr addr;
    rig_init_started(&rig, NULL);
    ban(&rig, 7, HOUR);
    ban(&rig, 8, HOUR);
    memset(bytes, 0xee, sizeof bytes);
    memcpy(bytes, &size, sizeof size);
    assert_int_equal(vn_node_bans(rig.node, (struct vn_ban_info *)(void *)bytes, 2), 2);
    memcpy(&addr, bytes + SHORT + offsetof(struct vn_ban_info, addr), sizeof addr);
    assert_int_equal(addr.ip[3], 8);
    for (size_t i = 2 * SHORT; i < sizeof bytes; i++)
        assert_int_equal(bytes[i], 0xee);
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_clock_that_jumps_neither_lengthens_nor_lifts_a_ban),
        cmocka_unit_test(test_a_restart_keeps_what_is_left_of_a_ban),
        cmocka_unit_test(test_a_clock_that_went_back_before_a_restart_lengthens_no_ban),
        cmocka_unit_test(test_the_store_is_told_again_when_the_clock_is_put_right),
        cmocka_unit_test(test_a_lifted_ban_whose_batch_failed_is_lifted_in_the_store_again),
        cmocka_unit_test(test_batches_that_fail_out_of_turn_leave_the_last_word_in_the_store),
        cmocka_unit_test(test_an_offence_is_half_forgotten_after_an_hour),
        cmocka_unit_test(test_scores_stay_where_decay_is_switched_off),
        cmocka_unit_test(test_who_comes_back_from_a_ban_is_on_probation_and_recovers),
        cmocka_unit_test(test_on_probation_one_is_dialled_last),
        cmocka_unit_test(test_on_probation_one_has_a_quarter_of_the_tokens),
        cmocka_unit_test(test_bans_are_copied_out_while_they_last),
        cmocka_unit_test(test_a_ban_of_a_node_id_is_told_by_its_hash),
        cmocka_unit_test(test_bans_are_cut_to_the_size_that_the_caller_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
