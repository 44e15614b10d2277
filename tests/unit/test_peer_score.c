/* Reputation: the numbers of PROTOCOL-0.1 section 6, what weather can and cannot do, bans, and who
 * is forgotten when the table is full. */
#include "core/peer/score.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define S UINT64_C(1000000000)

/* The table of section 6, copied from there; evidence is what weather cannot do. */
static struct mem_pool *pool(void)
{
    static struct mem_pool pool;
    if (pool.object_size == 0)
        mem_pool_init(&pool, sizeof(struct reputation));
    return &pool;
}

static const struct {
    enum score_event event;
    int32_t points;
    bool evidence;
} expected[] = {
    {SCORE_GOOD_BLOCK, 10, false},     {SCORE_GOOD_TX, 1, false},
    {SCORE_USEFUL_DATA, 5, false},     {SCORE_QUICK_RESPONSE, 1, false},
    {SCORE_INVALID_BLOCK, -100, true}, {SCORE_INVALID_TX, -10, true},
    {SCORE_VIOLATION, -50, true},      {SCORE_DUPLICATE, -2, true},
    {SCORE_SLOW_RESPONSE, -1, false},  {SCORE_CONNECTION_FAILURE, -5, false},
    {SCORE_TIMEOUT, -2, false},        {SCORE_DUPLICATE_TX, -2, false},
};

static void test_score_points_are_those_of_the_protocol(void **state)
{
    (void)state;
    assert_int_equal(sizeof expected / sizeof *expected, SCORE_EVENTS);
    for (size_t i = 0; i < SCORE_EVENTS; i++) {
        struct reputation rep = {0};
        assert_int_equal(score_points(expected[i].event), expected[i].points);
        assert_int_equal(score_is_evidence(expected[i].event), expected[i].evidence);
        score_apply(&rep, expected[i].event);
        assert_int_equal(rep.score, expected[i].points);
    }
}

static void test_score_thresholds_are_those_of_the_protocol(void **state)
{
    (void)state;
    assert_int_equal(SCORE_MIN, -1000);
    assert_int_equal(SCORE_MAX, 1000);
    assert_int_equal(SCORE_BANNED, -100);
    assert_int_equal(SCORE_PROBATION, -50);
    assert_int_equal(SCORE_PREFERRED, 50);
}

static void test_score_names_differ(void **state)
{
    (void)state;
    for (uint32_t a = 0; a < SCORE_EVENTS; a++)
        for (uint32_t b = 0; b < a; b++)
            assert_string_not_equal(score_name((enum score_event)a),
                                    score_name((enum score_event)b));
}

static void test_score_is_clamped_at_both_ends(void **state)
{
    (void)state;
    struct reputation rep = {0};
    for (int i = 0; i < 150; i++)
        score_apply(&rep, SCORE_GOOD_BLOCK);
    assert_int_equal(rep.score, 1000);
    for (int i = 0; i < 30; i++)
        score_apply(&rep, SCORE_INVALID_BLOCK);
    assert_int_equal(rep.score, -1000);
}

/* ---- weather and evidence ---- */

static const enum score_event weather[] = {SCORE_SLOW_RESPONSE, SCORE_CONNECTION_FAILURE,
                                           SCORE_TIMEOUT};

static void test_score_weather_alone_never_bans_nor_brings_probation(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < sizeof weather / sizeof *weather; kind++) {
        struct reputation rep = {0};
        for (int i = 0; i < 5000; i++)
            assert_false(score_apply(&rep, weather[kind]));
        assert_int_equal(rep.score, WEATHER_FLOOR);
        assert_true(rep.score > SCORE_PROBATION);
    }
}

static void test_score_weather_does_not_raise_who_is_below_its_floor(void **state)
{
    (void)state;
    struct reputation rep = {.score = -80};
    for (size_t kind = 0; kind < sizeof weather / sizeof *weather; kind++) {
        assert_false(score_apply(&rep, weather[kind]));
        assert_int_equal(rep.score, -80);
    }
}

static void test_score_bans_once_when_evidence_reaches_minus_100(void **state)
{
    (void)state;
    struct reputation rep = {0};
    assert_false(score_apply(&rep, SCORE_VIOLATION));
    for (int i = 0; i < 4; i++)
        assert_false(score_apply(&rep, SCORE_INVALID_TX));
    for (int i = 0; i < 4; i++)
        assert_false(score_apply(&rep, SCORE_DUPLICATE));
    assert_int_equal(rep.score, -98);
    assert_true(score_apply(&rep, SCORE_DUPLICATE));
    assert_int_equal(rep.score, -100);
    assert_false(score_apply(&rep, SCORE_VIOLATION)); /* banned already */
}

static void test_score_bans_at_once_for_an_invalid_block(void **state)
{
    (void)state;
    struct reputation fresh = {0}, liked = {.score = 1};
    assert_true(score_apply(&fresh, SCORE_INVALID_BLOCK));
    assert_false(score_apply(&liked, SCORE_INVALID_BLOCK));
    assert_int_equal(liked.score, -99);
}

static void test_score_ban_ends_when_its_time_comes(void **state)
{
    (void)state;
    struct reputation rep = {.banned_until_ns = 100 * S};
    assert_true(score_banned(&rep, 0));
    assert_true(score_banned(&rep, 100 * S - 1));
    assert_false(score_banned(&rep, 100 * S));
    assert_false(score_banned(NULL, 0));
}

/* ---- decay ---- */

#define HOUR (3600 * S)

static int32_t after(int32_t score, uint64_t ns)
{
    const struct reputation rep = {.score = score, .scored_ns = 5 * S};
    return score_at(&rep, 5 * S + ns, HOUR);
}

static void test_score_halves_in_each_half_life_and_ends_at_zero(void **state)
{
    (void)state;
    static const int32_t scores[] = {1000, -1000, -50, 64, -7, 1};
    for (size_t i = 0; i < sizeof scores / sizeof *scores; i++) {
        int32_t score = scores[i];
        assert_int_equal(after(score, 0), score);
        assert_int_equal(after(score, HOUR / 16 - 1), score);
        assert_int_equal(after(score, HOUR), score / 2);
        assert_int_equal(after(score, 3 * HOUR), score / 8);
        assert_int_equal(after(score, 11 * HOUR), 0);
        assert_int_equal(after(score, UINT64_MAX - 5 * S), 0);
    }
}

static void test_score_only_falls_towards_zero_and_never_across_it(void **state)
{
    (void)state;
    for (int32_t score = -1000; score <= 1000; score += 8) {
        int32_t last = score;
        for (uint64_t minute = 0; minute < 700; minute += 7) {
            int32_t now = after(score, minute * 60 * S);
            assert_true(score < 0 ? now >= last && now <= 0 : now <= last && now >= 0);
            last = now;
        }
    }
}

static void test_score_decays_alike_however_often_it_is_worked_out(void **state)
{
    (void)state;
    struct reputation often = {.score = -1000};
    for (uint64_t now = 0; now <= 2 * HOUR; now += S)
        score_decay(&often, now, HOUR);
    /* Each of the 32 steps rounds by less than one. */
    assert_in_range(often.score + 1000, 750, 750 + 32);
    struct reputation never = {.score = -1000};
    score_decay(&never, 1000 * HOUR, 0);
    assert_int_equal(never.score, -1000);
}

static void test_score_of_a_new_offence_does_not_decay_for_the_time_before_it(void **state)
{
    (void)state;
    struct reputation rep = {0};
    score_decay(&rep, 100 * HOUR, HOUR);
    score_apply(&rep, SCORE_VIOLATION);
    assert_int_equal(score_at(&rep, 100 * HOUR, HOUR), -50);
    assert_int_equal(score_at(&rep, 101 * HOUR, HOUR), -25);
}

static void test_score_starts_at_probation_when_a_ban_ends_and_not_before(void **state)
{
    (void)state;
    struct scores scores;
    scores_init(&scores, pool(), 4, 1);
    uint8_t key[32] = {1};
    struct reputation *rep = scores_get(&scores, key);
    rep->score = -130;
    score_set_ban(&scores, rep, 10 * HOUR, HOUR);
    assert_int_equal(score_at(rep, 9 * HOUR, HOUR), -50);
    assert_int_equal(score_at(rep, 10 * HOUR, HOUR), -50);
    assert_int_equal(score_at(rep, 11 * HOUR, HOUR), -25);
    score_set_ban(&scores, rep, 0, 2 * HOUR); /* lifted early: it starts then */
    assert_int_equal(score_at(rep, 3 * HOUR, HOUR), -25);
    scores_deinit(&scores);
}

/* ---- identities ---- */

static struct vn_addr v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port)
{
    return (struct vn_addr){.family = VN_AF_IPV4, .port = port, .ip = {a, b, c, d}};
}

static void test_score_key_leaves_out_the_port(void **state)
{
    (void)state;
    uint8_t one[32], two[32], other[32];
    const struct vn_addr a = v4(10, 0, 0, 1, 1), b = v4(10, 0, 0, 1, 2), c = v4(10, 0, 0, 2, 1);
    score_key_ip(one, &a);
    score_key_ip(two, &b);
    score_key_ip(other, &c);
    assert_memory_equal(one, two, 32);
    assert_memory_not_equal(one, other, 32);
}

static void test_score_goes_by_id_only_on_loopback_unless_told(void **state)
{
    (void)state;
    const struct vn_addr loopback = v4(127, 0, 0, 1, 1), neighbour = v4(127, 0, 0, 2, 1);
    const struct vn_addr loopback6 = {.family = VN_AF_IPV6, .port = 1, .ip = {[15] = 1}};
    assert_true(score_by_id(VN_BAN_BY_AUTO, &loopback));
    assert_true(score_by_id(VN_BAN_BY_AUTO, &loopback6));
    assert_false(score_by_id(VN_BAN_BY_AUTO, &neighbour));
    assert_false(score_by_id(VN_BAN_BY_IP, &loopback));
    assert_true(score_by_id(VN_BAN_BY_ID, &neighbour));
}

/* ---- the table ---- */

#define TABLE 4u

static void key_of(uint8_t key[32], uint8_t who)
{
    memset(key, 0, 32);
    key[0] = who;
}

static struct reputation *get(struct scores *scores, uint8_t who)
{
    uint8_t key[32];
    key_of(key, who);
    return scores_get(scores, key);
}

static struct reputation *find(const struct scores *scores, uint8_t who)
{
    uint8_t key[32];
    key_of(key, who);
    return scores_find(scores, key);
}

/* Identities 1..TABLE, in that order. */
static void fill(struct scores *scores)
{
    scores_init(scores, pool(), TABLE, 1);
    for (uint8_t who = 1; who <= TABLE; who++)
        assert_non_null(get(scores, who));
}

static void test_score_outlives_its_links(void **state)
{
    (void)state;
    struct scores scores;
    fill(&scores);
    score_apply(get(&scores, 2), SCORE_VIOLATION);
    assert_int_equal(find(&scores, 2)->score, -50);
    assert_ptr_equal(get(&scores, 2), find(&scores, 2));
    assert_int_equal(scores.count, TABLE);
    scores_deinit(&scores);
}

static void test_score_forgets_the_oldest_when_full(void **state)
{
    (void)state;
    struct scores scores;
    fill(&scores);
    assert_non_null(get(&scores, 10));
    assert_int_equal(scores.count, TABLE);
    assert_null(find(&scores, 1));
    for (uint8_t who = 2; who <= TABLE; who++)
        assert_non_null(find(&scores, who));
    scores_deinit(&scores);
}

static void test_score_keeps_bans_and_live_identities_when_full(void **state)
{
    (void)state;
    struct scores scores;
    fill(&scores);
    get(&scores, 1)->banned_until_ns = S;
    get(&scores, 2)->users = 1;
    assert_non_null(get(&scores, 10));
    assert_non_null(find(&scores, 1));
    assert_non_null(find(&scores, 2));
    assert_null(find(&scores, 3));
    scores_deinit(&scores);
}

static void test_score_gives_up_a_ban_before_a_live_identity(void **state)
{
    (void)state;
    struct scores scores;
    fill(&scores);
    for (uint8_t who = 1; who <= TABLE; who++)
        get(&scores, who)->users = 1;
    get(&scores, 3)->users = 0;
    get(&scores, 3)->banned_until_ns = S;
    assert_non_null(get(&scores, 10));
    assert_null(find(&scores, 3));
    get(&scores, 10)->users = 1;
    assert_null(get(&scores, 11)); /* all are live */
    assert_int_equal(scores.count, TABLE);
    scores_deinit(&scores);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_score_points_are_those_of_the_protocol),
        cmocka_unit_test(test_score_thresholds_are_those_of_the_protocol),
        cmocka_unit_test(test_score_names_differ),
        cmocka_unit_test(test_score_is_clamped_at_both_ends),
        cmocka_unit_test(test_score_weather_alone_never_bans_nor_brings_probation),
        cmocka_unit_test(test_score_weather_does_not_raise_who_is_below_its_floor),
        cmocka_unit_test(test_score_bans_once_when_evidence_reaches_minus_100),
        cmocka_unit_test(test_score_bans_at_once_for_an_invalid_block),
        cmocka_unit_test(test_score_ban_ends_when_its_time_comes),
        cmocka_unit_test(test_score_halves_in_each_half_life_and_ends_at_zero),
        cmocka_unit_test(test_score_only_falls_towards_zero_and_never_across_it),
        cmocka_unit_test(test_score_decays_alike_however_often_it_is_worked_out),
        cmocka_unit_test(test_score_of_a_new_offence_does_not_decay_for_the_time_before_it),
        cmocka_unit_test(test_score_starts_at_probation_when_a_ban_ends_and_not_before),
        cmocka_unit_test(test_score_key_leaves_out_the_port),
        cmocka_unit_test(test_score_goes_by_id_only_on_loopback_unless_told),
        cmocka_unit_test(test_score_outlives_its_links),
        cmocka_unit_test(test_score_forgets_the_oldest_when_full),
        cmocka_unit_test(test_score_keeps_bans_and_live_identities_when_full),
        cmocka_unit_test(test_score_gives_up_a_ban_before_a_live_identity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
