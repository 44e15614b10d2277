/* The dice: known answers, named streams, unbiased bounds. */
#include "core/base/bytes.h"
#include "core/base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const uint8_t seed[32] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};

/* The first outputs of the authors' C code from the state 1, 2, 3, 4 (as also in rand_xoshiro). */
static void test_rng_gives_the_reference_outputs(void **state)
{
    static const uint64_t expected[] = {
        41943041u,
        58720359u,
        3588806011781223u,
        3591011842654386u,
        9228616714210784205u,
        9973669472204895162u,
        14011001112246962877u,
        12406186145184390807u,
        15849039046786891736u,
        10450023813501588000u,
    };
    struct rng rng = {{1, 2, 3, 4}};

    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_int_equal(rng_u64(&rng), expected[i]);
}

/* SHA-256(00 01 .. 1f "latency" be64 7), computed with Python's hashlib. */
static void test_rng_forks_by_the_hash_of_seed_name_and_number(void **state)
{
    struct rng rng;
    uint8_t handed_on[32];

    (void)state;
    rng_fork(&rng, seed, "latency", 7);
    rng_fork_seed(handed_on, seed, "latency", 7);
    assert_true(rng.s[0] == 0x70e49783404ed811u);
    assert_true(rng.s[1] == 0xdb2c1f77603a9c69u);
    assert_true(rng.s[2] == 0xb9b7abd648bca3c9u);
    assert_true(rng.s[3] == 0x547e5292d69f1c2eu);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(get_le64(handed_on + 8 * i), rng.s[i]);
}

static unsigned differing_bits(uint64_t a, uint64_t b)
{
    unsigned n = 0;
    for (uint64_t x = a ^ b; x; x &= x - 1)
        n++;
    return n;
}

static void assert_unrelated(struct rng a, struct rng b)
{
    unsigned bits = 0;

    for (int i = 0; i < 256; i++) {
        const uint64_t x = rng_u64(&a);
        const uint64_t y = rng_u64(&b);
        assert_true(x != y);
        bits += differing_bits(x, y);
    }
    /* 16384 fair coins: mean 8192, deviation 64. */
    assert_in_range(bits, 8192 - 5 * 64, 8192 + 5 * 64);
}

static void test_rng_streams_of_other_name_number_or_seed_are_unrelated(void **state)
{
    struct rng base, name, number, other;
    uint8_t other_seed[32];

    (void)state;
    memcpy(other_seed, seed, sizeof seed);
    other_seed[31] ^= 1;
    rng_fork(&base, seed, "loss", 0);
    rng_fork(&name, seed, "losz", 0);
    rng_fork(&number, seed, "loss", 1);
    rng_fork(&other, other_seed, "loss", 0);
    assert_unrelated(base, name);
    assert_unrelated(base, number);
    assert_unrelated(base, other);
    assert_unrelated(name, number);
}

static void test_rng_below_stays_below_and_reaches_both_ends(void **state)
{
    static const uint64_t bounds[] = {1, 2, 3, 10, 1000, UINT64_C(1) << 32, UINT64_MAX};
    struct rng rng;

    (void)state;
    rng_fork(&rng, seed, "bounds", 0);
    for (size_t b = 0; b < sizeof bounds / sizeof *bounds; b++)
        for (int i = 0; i < 2000; i++)
            assert_true(rng_below(&rng, bounds[b]) < bounds[b]);
    for (uint64_t bound = 1; bound <= 16; bound++) {
        uint32_t seen = 0;
        for (int i = 0; i < 1000; i++)
            seen |= UINT32_C(1) << rng_below(&rng, bound);
        assert_int_equal(seen, (UINT32_C(1) << bound) - 1);
    }
}

/* With 3 x 2^62 results for 2^64 draws, a product without rejection gives every third result twice:
 * half of the draws instead of a third. A remainder gives the lowest third of results twice. */
static void test_rng_below_favours_no_result(void **state)
{
    const uint64_t bound = UINT64_C(3) << 62;
    const int draws = 90000;
    int residue[3] = {0};
    int third[3] = {0};
    struct rng rng;

    (void)state;
    rng_fork(&rng, seed, "bias", 0);
    for (int i = 0; i < draws; i++) {
        const uint64_t x = rng_below(&rng, bound);
        residue[x % 3]++;
        third[x >> 62]++;
    }
    for (int i = 0; i < 3; i++) { /* deviation 141 */
        assert_in_range(residue[i], draws / 3 - 750, draws / 3 + 750);
        assert_in_range(third[i], draws / 3 - 750, draws / 3 + 750);
    }
}

static void test_rng_unit_is_a_multiple_of_two_to_minus_53_below_one(void **state)
{
    struct rng rng;
    double sum = 0;

    (void)state;
    rng_fork(&rng, seed, "unit", 0);
    for (int i = 0; i < 100000; i++) {
        const double u = rng_unit(&rng);
        const double scaled = u * 0x1p53;
        assert_true(u >= 0 && u < 1);
        assert_true((double)(uint64_t)scaled == scaled);
        sum += u;
    }
    assert_true(sum > 49500 && sum < 50500); /* deviation 91 */
}

static void test_rng_chance_draws_once_whatever_the_odds(void **state)
{
    static const double odds[] = {-1, 0, 0.25, 1, 2};
    struct rng rng, twin;

    (void)state;
    rng_fork(&rng, seed, "chance", 0);
    twin = rng;
    for (size_t k = 0; k < sizeof odds / sizeof *odds; k++) {
        int hits = 0;
        for (int i = 0; i < 10000; i++) {
            hits += rng_chance(&rng, odds[k]);
            rng_u64(&twin);
            assert_memory_equal(&rng, &twin, sizeof rng);
        }
        if (odds[k] <= 0)
            assert_int_equal(hits, 0);
        else if (odds[k] >= 1)
            assert_int_equal(hits, 10000);
        else
            assert_in_range(hits, 2500 - 220, 2500 + 220);
    }
}

static void test_rng_exponential_has_its_mean_and_ends_at_64_means(void **state)
{
    const uint64_t mean = 1000000;
    struct rng rng, twin;
    uint64_t sum = 0;

    (void)state;
    rng_fork(&rng, seed, "exponential", 0);
    for (int i = 0; i < 100000; i++) {
        const uint64_t ns = rng_exponential_ns(&rng, mean);
        assert_true(ns <= 64 * mean);
        sum += ns;
    }
    assert_in_range(sum / 100000, mean - 16000, mean + 16000); /* deviation 3162 */
    twin = rng;
    assert_int_equal(rng_exponential_ns(&rng, 0), 0);
    rng_u64(&twin);
    assert_memory_equal(&rng, &twin, sizeof rng);
    for (int i = 0; i < 1000; i++) /* the bound saturates; ubsan watches the conversion */
        (void)rng_exponential_ns(&rng, UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rng_gives_the_reference_outputs),
        cmocka_unit_test(test_rng_forks_by_the_hash_of_seed_name_and_number),
        cmocka_unit_test(test_rng_streams_of_other_name_number_or_seed_are_unrelated),
        cmocka_unit_test(test_rng_below_stays_below_and_reaches_both_ends),
        cmocka_unit_test(test_rng_below_favours_no_result),
        cmocka_unit_test(test_rng_unit_is_a_multiple_of_two_to_minus_53_below_one),
        cmocka_unit_test(test_rng_chance_draws_once_whatever_the_odds),
        cmocka_unit_test(test_rng_exponential_has_its_mean_and_ends_at_64_means),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
