/* The elementary functions against libm, in units of the last place of libm's result. */
#include "core/base/exact.h"
#include "core/base/rng.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDS 200000

static struct rng dice(const char *name)
{
    static const uint8_t seed[32] = {0xe8, 0xac};
    struct rng rng;

    rng_fork(&rng, seed, name, 0);
    return rng;
}

static double ulps(double got, double want)
{
    if (got == want)
        return 0;
    const double size = fabs(want);
    return fabs(got - want) / (nextafter(size, HUGE_VAL) - size);
}

/* A positive number of any exponent, subnormal ones included. */
static double any_positive(struct rng *rng)
{
    const double mantissa = 1 + rng_unit(rng);
    const int exponent = (int)rng_below(rng, 2096) - 1072;

    return ldexp(mantissa, exponent);
}

static void test_exact_log_is_within_4_ulp(void **state)
{
    struct rng rng = dice("log");
    double worst = 0;

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        const double wide = any_positive(&rng);
        const double near_one = 0.7 + 0.8 * rng_unit(&rng);
        const double nearer = 1 + (rng_unit(&rng) - 0.5) * 1e-6;
        worst = fmax(worst, ulps(exact_log(wide), log(wide)));
        worst = fmax(worst, ulps(exact_log(near_one), log(near_one)));
        worst = fmax(worst, ulps(exact_log(nearer), log(nearer)));
    }
    assert_true(worst < 4);
    assert_true(exact_log(1) == 0);
    assert_true(ulps(exact_log(DBL_MAX), log(DBL_MAX)) < 4);
    assert_true(ulps(exact_log(DBL_TRUE_MIN), log(DBL_TRUE_MIN)) < 4);
}

static void test_exact_log_outside_its_domain_is_as_told(void **state)
{
    (void)state;
    assert_true(exact_log(0) == -1e308);
    assert_true(exact_log(-0.0) == -1e308);
    assert_true(exact_log(-3) == -1e308);
    assert_true(isnan(exact_log(nan(""))));
    assert_true(isinf(exact_log(HUGE_VAL)));
}

static void test_exact_exp_is_within_4_ulp(void **state)
{
    struct rng rng = dice("exp");
    double worst = 0;

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        const double wide = (rng_unit(&rng) - 0.5) * 1416; /* results are normal numbers */
        const double small = (rng_unit(&rng) - 0.5) * 2;
        worst = fmax(worst, ulps(exact_exp(wide), exp(wide)));
        worst = fmax(worst, ulps(exact_exp(small), exp(small)));
    }
    assert_true(worst < 4);
    assert_true(exact_exp(0) == 1);
}

static void test_exact_exp_is_finite_everywhere(void **state)
{
    (void)state;
    assert_true(exact_exp(1e9) == DBL_MAX);
    assert_true(exact_exp(HUGE_VAL) == DBL_MAX);
    assert_true(exact_exp(709.79) == DBL_MAX);
    assert_true(exact_exp(709.782712893383973096) <= DBL_MAX);
    assert_true(exact_exp(709.78) > 1e308);
    assert_true(exact_exp(-1e9) == 0);
    assert_true(exact_exp(-HUGE_VAL) == 0);
    assert_true(exact_exp(-746) == 0);
    assert_true(fabs(exact_exp(-740) - exp(-740)) <= 4 * DBL_TRUE_MIN);
    assert_true(isnan(exact_exp(nan(""))));
}

static void test_exact_sqrt_is_within_1_ulp(void **state)
{
    struct rng rng = dice("sqrt");
    double worst = 0;

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        const double x = any_positive(&rng);
        worst = fmax(worst, ulps(exact_sqrt(x), sqrt(x)));
    }
    assert_true(worst <= 1);
    assert_true(exact_sqrt(0) == 0);
    assert_true(exact_sqrt(-1) == 0);
    assert_true(exact_sqrt(4) == 2);
    assert_true(ulps(exact_sqrt(DBL_MAX), sqrt(DBL_MAX)) <= 1);
    assert_true(ulps(exact_sqrt(DBL_TRUE_MIN), sqrt(DBL_TRUE_MIN)) <= 1);
    assert_true(isnan(exact_sqrt(nan(""))));
    assert_true(isinf(exact_sqrt(HUGE_VAL)));
}

/* An error of 4 ulp in y log x becomes about |y log x| times that in the power. */
static void test_exact_pow_is_as_close_as_its_logarithm_allows(void **state)
{
    struct rng rng = dice("pow");

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        const double x = 0.01 + 100 * rng_unit(&rng);
        const double y = (rng_unit(&rng) - 0.5) * 20;
        const double want = pow(x, y);
        assert_true(fabs(exact_pow(x, y) - want) <= want * 100 * 5 * DBL_EPSILON);
    }
    assert_true(exact_pow(7, 0) == 1);
}

/* The probability below the quantile, by libm's erfc, must be the one that was asked for. erfc
 * multiplies a relative error of z by about z^2, at most 1400 here. */
static void test_exact_normal_quantile_inverts_the_distribution(void **state)
{
    struct rng rng = dice("quantile");

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        const double unit = rng_unit(&rng);
        const double tail = exact_exp(-600 * rng_unit(&rng));
        const double z = exact_normal_quantile(unit);
        const double far = exact_normal_quantile(tail);
        assert_true(fabs(0.5 * erfc(-z / sqrt(2)) - unit) <= unit * 1e-13);
        assert_true(fabs(0.5 * erfc(-far / sqrt(2)) - tail) <= tail * 1e-11);
    }
}

static void test_exact_normal_quantile_is_symmetric_and_clamped(void **state)
{
    (void)state;
    assert_true(exact_normal_quantile(0.5) == 0);
    for (int i = 1; i < 512; i++) /* i / 1024 and its complement are exact */
        assert_true(exact_normal_quantile(i / 1024.0) == -exact_normal_quantile(1 - i / 1024.0));
    assert_true(fabs(exact_normal_quantile(0.975) - 1.959963984540054) < 1e-15);
    assert_true(exact_normal_quantile(0) == exact_normal_quantile(DBL_MIN));
    assert_true(exact_normal_quantile(-1) == exact_normal_quantile(0));
    assert_true(exact_normal_quantile(nan("")) == exact_normal_quantile(0));
    assert_true(exact_normal_quantile(1) == exact_normal_quantile(1 - 0x1p-53));
    assert_true(exact_normal_quantile(0) > -38 && exact_normal_quantile(0) < -37);
    assert_true(exact_normal_quantile(1) > 8.2 && exact_normal_quantile(1) < 8.3);
}

static uint64_t chain(uint64_t hash, double x)
{
    uint64_t bits;

    memcpy(&bits, &x, sizeof bits);
    return (hash ^ bits) * 0x100000001b3u; /* FNV-1a by words */
}

/* One number over many results: a compiler, level or machine that rounds one of them otherwise
 * would give runs other hashes. Seen with gcc and clang at every level from -O0 to -O3. */
static void test_exact_results_are_the_same_bits_everywhere(void **state)
{
    struct rng rng = dice("bits");
    uint64_t hash = 0xcbf29ce484222325u;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        const double x = 1e6 * rng_unit(&rng);
        const double u = rng_unit(&rng);
        hash = chain(hash, exact_log(x));
        hash = chain(hash, exact_exp(30 * u));
        hash = chain(hash, exact_sqrt(x));
        hash = chain(hash, exact_pow(x, u));
        hash = chain(hash, exact_normal_quantile(u));
        hash = chain(hash, (double)rng_exponential_ns(&rng, 600000000000u));
    }
    assert_true(hash == 0xee29573ebb15513cu);
}

static void test_exact_seconds_round_half_to_even(void **state)
{
    (void)state;
    assert_int_equal(exact_ns_from_seconds(0), 0);
    assert_int_equal(exact_ns_from_seconds(1), 1000000000);
    assert_int_equal(exact_ns_from_seconds(0.06), 60000000);
    assert_int_equal(exact_ns_from_seconds(0.1), 100000000);
    assert_int_equal(exact_ns_from_seconds(1e-9), 1);
    /* 2^-10 s is 976562.5 ns, 3 x 2^-10 s is 2929687.5 ns: exact halves. */
    assert_int_equal(exact_ns_from_seconds(0x1p-10), 976562);
    assert_int_equal(exact_ns_from_seconds(0x3p-10), 2929688);
    assert_int_equal(exact_ns_from_seconds(nextafter(0x1p-10, 1)), 976563);
    /* The nearest doubles lie a little beside these halves. */
    assert_int_equal(exact_ns_from_seconds(0.5e-9), 1);
    assert_int_equal(exact_ns_from_seconds(2.5e-9), 3);
}

static void test_exact_seconds_out_of_range_are_clamped(void **state)
{
    (void)state;
    assert_int_equal(exact_ns_from_seconds(-1), 0);
    assert_int_equal(exact_ns_from_seconds(nan("")), 0);
    assert_int_equal(exact_ns_from_seconds(DBL_TRUE_MIN), 0);
    assert_int_equal(exact_ns_from_seconds(DBL_MIN), 0);
    assert_int_equal(exact_ns_from_seconds(1e-10), 0);
    assert_true(exact_ns_from_seconds(1.8446744073e10) == 18446744073000000000u);
    assert_true(exact_ns_from_seconds(1.8446744074e10) == UINT64_MAX);
    assert_true(exact_ns_from_seconds(DBL_MAX) == UINT64_MAX);
    assert_true(exact_ns_from_seconds(HUGE_VAL) == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact_log_is_within_4_ulp),
        cmocka_unit_test(test_exact_log_outside_its_domain_is_as_told),
        cmocka_unit_test(test_exact_exp_is_within_4_ulp),
        cmocka_unit_test(test_exact_exp_is_finite_everywhere),
        cmocka_unit_test(test_exact_sqrt_is_within_1_ulp),
        cmocka_unit_test(test_exact_pow_is_as_close_as_its_logarithm_allows),
        cmocka_unit_test(test_exact_normal_quantile_inverts_the_distribution),
        cmocka_unit_test(test_exact_normal_quantile_is_symmetric_and_clamped),
        cmocka_unit_test(test_exact_results_are_the_same_bits_everywhere),
        cmocka_unit_test(test_exact_seconds_round_half_to_even),
        cmocka_unit_test(test_exact_seconds_out_of_range_are_clamped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
