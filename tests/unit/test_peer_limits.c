/* Token buckets: what a link may make us do, and that no arithmetic gives way. */
#include "core/peer/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define S   UINT64_C(1000000000)
#define MIB (UINT64_C(1) << 20)

static const struct limit ten = {.rate = 10, .burst = 100};

static void test_a_fresh_bucket_holds_a_burst_and_no_more(void **state)
{
    (void)state;
    struct bucket bucket = {0};
    for (uint32_t i = 0; i < 100; i++) {
        limit_bucket_take(&bucket, ten, 1, 5 * S);
        assert_int_equal(limit_bucket_ready_ns(&bucket, ten, 0, 5 * S), 0);
    }
    limit_bucket_take(&bucket, ten, 1, 5 * S);
    assert_int_equal(limit_bucket_ready_ns(&bucket, ten, 0, 5 * S), 5 * S + S / 10);
}

static void test_tokens_come_back_at_the_rate_and_only_up_to_a_burst(void **state)
{
    (void)state;
    struct bucket bucket = {0};
    limit_bucket_take(&bucket, ten, 100, S);
    limit_bucket_take(&bucket, ten, 30, S); /* owes 30 */
    assert_int_equal(limit_bucket_ready_ns(&bucket, ten, 0, S), 4 * S);
    assert_int_equal(limit_bucket_ready_ns(&bucket, ten, 0, 4 * S - 1), 4 * S);
    assert_int_equal(limit_bucket_ready_ns(&bucket, ten, 0, 4 * S), 0);
    assert_int_equal(limit_bucket_ready_ns(&bucket, ten, 50, 4 * S), 9 * S);
    uint64_t later = 1000 * S; /* much later there is one burst, not ten */
    limit_bucket_take(&bucket, ten, 101, later);
    assert_int_equal(limit_bucket_ready_ns(&bucket, ten, 0, later), later + S / 10);
}

static void test_the_rate_holds_however_the_takes_are_cut(void **state)
{
    (void)state;
    static const uint32_t rates[] = {1, 3, 7, 1000, 999983, UINT32_MAX};
    for (uint32_t r = 0; r < sizeof rates / sizeof *rates; r++) {
        struct limit limit = {.rate = rates[r], .burst = 1};
        struct bucket bucket = {0};
        uint64_t taken = 0, now_ns = 0;
        while (taken < 5000) {
            uint64_t ready_ns = limit_bucket_ready_ns(&bucket, limit, 0, now_ns);
            now_ns = ready_ns ? ready_ns : now_ns;
            limit_bucket_take(&bucket, limit, 1, now_ns);
            taken++;
        }
        uint64_t least_ns = (taken - 2) * S / limit.rate; /* a burst, and the one owed */
        assert_true(now_ns >= least_ns);
        assert_true(now_ns <= least_ns + taken + 2 * S / limit.rate + 2); /* rounded up each time */
    }
}

/* In which `tokens` come back, by the definition. */
static uint64_t in_ns(uint64_t tokens, uint32_t rate)
{
    return tokens * S / rate + (tokens * S % rate != 0);
}

static void test_a_bucket_is_ready_to_the_nanosecond(void **state)
{
    (void)state;
    static const uint32_t rates[] = {1, 2, 3, 1000, 65536, 999983, 2097152, UINT32_MAX};
    static const uint32_t bursts[] = {0, 1, 1000, 33554432};
    for (uint32_t r = 0; r < sizeof rates / sizeof *rates; r++)
        for (uint32_t b = 0; b < sizeof bursts / sizeof *bursts; b++) {
            const struct limit limit = {rates[r], bursts[b]};
            const uint64_t lack_ns = in_ns(limit.burst, limit.rate);
            struct bucket bucket = {0};
            limit_bucket_take(&bucket, limit, limit.burst, S);
            assert_true(bucket.full_ns == S + lack_ns);
            assert_true(limit_bucket_ready_ns(&bucket, limit, 0, S) == 0);
            for (uint64_t over = 1; over < 3; over++) { /* by so many nanoseconds */
                bucket.full_ns = S + lack_ns + over;
                assert_true(limit_bucket_ready_ns(&bucket, limit, 0, S) == S + over);
                assert_true(limit_bucket_ready_ns(&bucket, limit, 0, S + over - 1) == S + over);
                assert_true(limit_bucket_ready_ns(&bucket, limit, 0, S + over) == 0);
            }
        }
}

static void test_no_amount_and_no_time_overflows(void **state)
{
    (void)state;
    const struct limit slow = {.rate = 1, .burst = UINT32_MAX};
    struct bucket bucket = {0};
    for (uint32_t i = 0; i < 10; i++)
        limit_bucket_take(&bucket, slow, UINT64_MAX, UINT64_MAX - 5);
    assert_true(bucket.full_ns == UINT64_MAX);
    assert_int_equal(limit_bucket_ready_ns(&bucket, slow, UINT64_MAX, UINT64_MAX), 0);
    bucket = (struct bucket){0};
    limit_bucket_take(&bucket, slow, UINT64_MAX, 0);
    assert_int_equal(limit_bucket_ready_ns(&bucket, slow, 0, 0), 0); /* a cost is cut to 32 bits */
    limit_bucket_take(&bucket, slow, 1, 0);
    assert_int_equal(limit_bucket_ready_ns(&bucket, slow, 0, 0), S);
}

static void test_a_rate_of_zero_is_no_limit(void **state)
{
    (void)state;
    const struct limit none = {.rate = 0, .burst = 1};
    struct bucket bucket = {0};
    for (uint32_t i = 0; i < 1000; i++)
        limit_bucket_take(&bucket, none, UINT32_MAX, 0);
    assert_int_equal(limit_bucket_ready_ns(&bucket, none, 1, 0), 0);
}

/* ---- kinds ---- */

/* How many messages of so many bytes get this verdict at one moment, from a fresh link's first. */
static uint32_t until(const struct vn_config *cfg, enum limit_kind kind, uint64_t bytes,
                      bool probation, enum limit_verdict verdict)
{
    struct limits limits = {0};
    for (uint32_t i = 0; i < 2000000; i++)
        if (limits_take(&limits, cfg, kind, bytes, probation, S) == verdict)
            return i;
    return UINT32_MAX;
}

static void test_pings_are_answered_then_dropped_then_an_offence(void **state)
{
    (void)state;
    struct vn_config cfg;
    vn_config_init(&cfg);
    assert_int_equal(until(&cfg, LIMIT_PING, 12, false, LIMIT_DROP), cfg.ping_burst);
    assert_int_equal(until(&cfg, LIMIT_PING, 12, false, LIMIT_OFFENCE), 2 * cfg.ping_burst);
    assert_int_equal(until(&cfg, LIMIT_PING, 12, false, LIMIT_WAIT), UINT32_MAX);
}

static void test_what_honest_peers_may_cause_is_never_an_offence(void **state)
{
    (void)state;
    struct vn_config cfg;
    vn_config_init(&cfg);
    static const enum limit_kind kinds[] = {LIMIT_BLOCK, LIMIT_TX, LIMIT_SERVE};
    for (uint32_t k = 0; k < 3; k++) {
        assert_int_equal(until(&cfg, kinds[k], 10 * MIB, false, LIMIT_OFFENCE), UINT32_MAX);
        assert_int_equal(until(&cfg, kinds[k], 0, true, LIMIT_OFFENCE), UINT32_MAX);
        bool dropped = kinds[k] == LIMIT_TX;
        assert_int_equal(until(&cfg, kinds[k], 0, false, dropped ? LIMIT_WAIT : LIMIT_DROP),
                         UINT32_MAX);
        assert_true(until(&cfg, kinds[k], 0, false, dropped ? LIMIT_DROP : LIMIT_WAIT) <
                    UINT32_MAX);
    }
}

static void test_honest_bursts_fit_into_the_default_buckets(void **state)
{
    (void)state;
    struct vn_config cfg;
    vn_config_init(&cfg);
    /* A whole pool of transactions with 1 KiB of data each; 2,000 blocks with 20 transactions;
     * answers with ranges of 100 blocks with 100 transactions for 2,000 heights; a late answer of
     * the largest size that was given up. */
    assert_true(until(&cfg, LIMIT_TX, 1200, false, LIMIT_DROP) >= 10000);
    assert_true(until(&cfg, LIMIT_BLOCK, 224 + 20 * 32, false, LIMIT_WAIT) >= 2000);
    assert_true(until(&cfg, LIMIT_SERVE, 100 * (224 + 100 * 32), false, LIMIT_WAIT) >= 20);
    assert_true(until(&cfg, LIMIT_UNASKED, 10 * MIB, false, LIMIT_OFFENCE) >= 1);
}

static void test_answers_that_nobody_asked_for_are_an_offence_when_there_are_too_many(void **state)
{
    (void)state;
    struct vn_config cfg;
    vn_config_init(&cfg);
    assert_int_equal(until(&cfg, LIMIT_UNASKED, 9, false, LIMIT_OFFENCE),
                     cfg.unasked_burst / (9 + LIMIT_MESSAGE));
    assert_string_equal(limits_offence(LIMIT_UNASKED), "too many answers that nobody asked for");
}

static void test_probation_has_a_quarter_of_each_bucket(void **state)
{
    (void)state;
    struct vn_config cfg;
    vn_config_init(&cfg);
    assert_int_equal(until(&cfg, LIMIT_PING, 12, true, LIMIT_DROP), cfg.ping_burst / 4);
    for (uint32_t kind = 0; kind < LIMIT_KINDS; kind++) {
        struct limit full = limits_of(&cfg, (enum limit_kind)kind, false);
        struct limit less = limits_of(&cfg, (enum limit_kind)kind, true);
        assert_int_equal(less.burst, full.burst / 4);
        assert_int_equal(less.rate, full.rate / 4);
    }
    cfg.ping_rate = 1; /* a quarter of it is not 0, which were no limit */
    assert_int_equal(limits_of(&cfg, LIMIT_PING, true).rate, 1);
    cfg.ping_rate = 0;
    assert_int_equal(until(&cfg, LIMIT_PING, 12, true, LIMIT_DROP), UINT32_MAX);
}

static void test_a_link_that_waited_may_take_a_sixteenth_before_it_waits_again(void **state)
{
    (void)state;
    struct vn_config cfg;
    vn_config_init(&cfg);
    cfg.block_rate = 1000;
    cfg.block_burst = 16000;
    struct limits limits = {0};
    for (uint32_t i = 0; i <= 16000 / LIMIT_MESSAGE; i++)
        limits_take(&limits, &cfg, LIMIT_BLOCK, 0, false, 0);
    uint64_t ready_ns = limits_ready_ns(&limits, &cfg, LIMIT_BLOCK, false, 0);
    assert_true(ready_ns >= S && ready_ns <= S + S / 2);
    assert_int_equal(limits_ready_ns(&limits, &cfg, LIMIT_BLOCK, false, ready_ns), 0);
    uint32_t more = 0;
    while (more < 100 && limits_take(&limits, &cfg, LIMIT_BLOCK, 0, false, ready_ns) == LIMIT_PASS)
        more++;
    assert_int_equal(more, 1000 / LIMIT_MESSAGE);
}

static void test_an_answer_counts_more_once_a_chain_was_given_twice(void **state)
{
    (void)state;
    uint32_t given = 0;
    for (uint32_t i = 0; i < 22; i++) /* 2 x 1000, and 200 */
        assert_int_equal(limits_answer_bytes(&given, 100, 1000, 5000), 5000);
    uint64_t more = (5000 + LIMIT_MESSAGE) * LIMIT_AGAIN;
    assert_int_equal(limits_answer_bytes(&given, 0, 1000, 5000), more); /* none is as one */
    assert_int_equal(limits_answer_bytes(&given, 100, 1000, 10 * MIB), LIMIT_AGAIN_MAX);
    assert_int_equal(limits_answer_bytes(&given, 100, 2000, 5000), 5000); /* the chain grew */
    given = UINT32_MAX - 1;
    assert_int_equal(limits_answer_bytes(&given, UINT64_MAX, UINT64_MAX, 5000), 5000);
    assert_int_equal(given, UINT32_MAX);
}

static void test_the_kinds_of_a_link_are_counted_apart_in_little_space(void **state)
{
    (void)state;
    struct vn_config cfg;
    vn_config_init(&cfg);
    struct limits limits = {0};
    for (uint32_t i = 0; i <= cfg.ping_burst; i++)
        limits_take(&limits, &cfg, LIMIT_PING, 0, false, S);
    assert_int_equal(limits_take(&limits, &cfg, LIMIT_TX, 0, false, S), LIMIT_PASS);
    assert_int_equal(limits_take(&limits, &cfg, LIMIT_SERVE, 0, false, S), LIMIT_PASS);
    assert_true(sizeof limits <= 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_fresh_bucket_holds_a_burst_and_no_more),
        cmocka_unit_test(test_tokens_come_back_at_the_rate_and_only_up_to_a_burst),
        cmocka_unit_test(test_the_rate_holds_however_the_takes_are_cut),
        cmocka_unit_test(test_a_bucket_is_ready_to_the_nanosecond),
        cmocka_unit_test(test_no_amount_and_no_time_overflows),
        cmocka_unit_test(test_a_rate_of_zero_is_no_limit),
        cmocka_unit_test(test_pings_are_answered_then_dropped_then_an_offence),
        cmocka_unit_test(test_what_honest_peers_may_cause_is_never_an_offence),
        cmocka_unit_test(test_honest_bursts_fit_into_the_default_buckets),
        cmocka_unit_test(test_answers_that_nobody_asked_for_are_an_offence_when_there_are_too_many),
        cmocka_unit_test(test_probation_has_a_quarter_of_each_bucket),
        cmocka_unit_test(test_a_link_that_waited_may_take_a_sixteenth_before_it_waits_again),
        cmocka_unit_test(test_an_answer_counts_more_once_a_chain_was_given_twice),
        cmocka_unit_test(test_the_kinds_of_a_link_are_counted_apart_in_little_space),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
