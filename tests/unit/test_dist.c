/* Distributions: moments against closed forms, and sums that every compiler must reproduce. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka.h needs those four first */
#include <cmocka.h>

#include "transport-sim/dist.h"

#define SAMPLES 200000u

struct moments {
    double mean, variance, least;
    uint64_t sum_ns;
};

static struct moments measure(const struct sim_dist *dist)
{
    const uint8_t seed[32] = {3};
    struct rng rng;
    struct moments m = {.least = 1e300};
    double squares = 0;
    assert_true(sim_dist_check(dist, NULL, 0));
    rng_fork(&rng, seed, "dist", 0);
    for (unsigned i = 0; i < SAMPLES; i++) {
        double x = sim_dist_sample(dist, &rng);
        m.mean += x / SAMPLES;
        squares += x * x / SAMPLES;
        m.least = x < m.least ? x : m.least;
    }
    m.variance = squares - m.mean * m.mean;
    rng_fork(&rng, seed, "dist", 1);
    for (unsigned i = 0; i < 1000; i++)
        m.sum_ns += sim_dist_sample_ns(dist, &rng);
    return m;
}

static void assert_near(double x, double want, double tolerance)
{
    if (!(x >= want - tolerance && x <= want + tolerance))
        fail_msg("%.9g is not within %.3g of %.9g", x, tolerance, want);
}

static void test_constant_is_constant_and_does_not_draw(void **state)
{
    (void)state;
    const struct sim_dist dist = {.kind = SIM_CONSTANT, .a = 0.25};
    struct rng rng = {{1, 2, 3, 4}};
    struct rng before = rng;
    assert_int_equal(sim_dist_sample_ns(&dist, &rng), 250000000);
    assert_memory_equal(&rng, &before, sizeof rng);
}

static void test_uniform_has_its_moments(void **state)
{
    (void)state;
    struct moments m = measure(&(struct sim_dist){.kind = SIM_UNIFORM, .a = 1, .b = 3});
    assert_near(m.mean, 2, 0.01);
    assert_near(m.variance, 4.0 / 12, 0.01);
    assert_true(m.least >= 1);
}

static void test_normal_has_its_moments(void **state)
{
    (void)state;
    struct moments m = measure(&(struct sim_dist){.kind = SIM_NORMAL, .a = 10, .b = 2});
    assert_near(m.mean, 10, 0.02);
    assert_near(m.variance, 4, 0.06);
}

static void test_lomax_is_a_pareto_less_its_minimum(void **state)
{
    (void)state;
    const struct sim_dist lomax = {.kind = SIM_LOMAX, .a = 2, .b = 4};
    const struct sim_dist pareto = {.kind = SIM_PARETO, .a = 2, .b = 4};
    struct moments m = measure(&lomax);
    assert_near(m.mean, 2.0 / 3, 0.01); /* a / (b - 1) */
    assert_near(m.least, 0, 0.001);
    for (double u = 0; u < 1; u += 0.125)
        assert_near(sim_dist_at(&lomax, u) + 2, sim_dist_at(&pareto, u), 1e-12);
}

static void test_normal_counts_negative_samples_as_zero(void **state)
{
    (void)state;
    /* E max(0, N(0, 1)) = 1 / sqrt(2 pi) */
    struct moments m = measure(&(struct sim_dist){.kind = SIM_NORMAL, .a = 0, .b = 1});
    assert_near(m.mean, 0.398942, 0.006);
    assert_true(m.least >= 0 && m.least <= 0);
}

static void test_lognormal_has_its_mean(void **state)
{
    (void)state;
    /* median exp(sigma^2 / 2) */
    struct moments m = measure(&(struct sim_dist){.kind = SIM_LOGNORMAL, .a = 0.1, .b = 0.5});
    assert_near(m.mean, 0.1 * 1.133148, 0.001);
}

static void test_pareto_has_its_mean_and_minimum(void **state)
{
    (void)state;
    /* shape * min / (shape - 1) */
    struct moments m = measure(&(struct sim_dist){.kind = SIM_PARETO, .a = 2, .b = 4});
    assert_near(m.mean, 8.0 / 3, 0.02);
    assert_true(m.least >= 2);
}

static void test_exponential_has_its_moments(void **state)
{
    (void)state;
    struct moments m = measure(&(struct sim_dist){.kind = SIM_EXPONENTIAL, .a = 5});
    assert_near(m.mean, 5, 0.05);
    assert_near(m.variance, 25, 0.7);
}

static void test_empirical_interpolates_its_values(void **state)
{
    (void)state;
    const double values[] = {1, 2, 10};
    const struct sim_dist dist = {.kind = SIM_EMPIRICAL, .values = values, .n = 3};
    assert_near(sim_dist_at(&dist, 0), 1, 0);
    assert_near(sim_dist_at(&dist, 0.25), 1.5, 1e-12);
    assert_near(sim_dist_at(&dist, 0.75), 6, 1e-12);
    struct moments m = measure(&dist);
    assert_near(m.mean, 0.5 * 1.5 + 0.5 * 6, 0.04);
}

static void test_samples_are_the_same_bits_everywhere(void **state)
{
    (void)state;
    /* Computed by this code with gcc -O0; any other compiler or level must agree. */
    static const struct {
        struct sim_dist dist;
        uint64_t sum_ns;
    } known[] = {
        {{.kind = SIM_UNIFORM, .a = 0.01, .b = 0.2}, 107823519598u},
        {{.kind = SIM_NORMAL, .a = 0.05, .b = 0.02}, 51092116695u},
        {{.kind = SIM_LOGNORMAL, .a = 0.05, .b = 0.7}, 67617652900u},
        {{.kind = SIM_PARETO, .a = 0.02, .b = 1.5}, 60029243061u},
        {{.kind = SIM_EXPONENTIAL, .a = 0.05}, 54012935510u},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_int_equal(measure(&known[i].dist).sum_ns, known[i].sum_ns);
}

static void test_extreme_samples_stay_in_range(void **state)
{
    (void)state;
    const struct sim_dist wild[] = {
        {.kind = SIM_PARETO, .a = 1e18, .b = 1e-3},
        {.kind = SIM_LOGNORMAL, .a = 1e18, .b = 100},
        {.kind = SIM_EXPONENTIAL, .a = 1e18},
        {.kind = SIM_NORMAL, .a = 0, .b = 1e18},
    };
    const double u[] = {0, 0x1p-53, 0.5, 1 - 0x1p-53};
    for (size_t i = 0; i < sizeof wild / sizeof *wild; i++)
        for (size_t k = 0; k < sizeof u / sizeof *u; k++) {
            assert_true(sim_dist_check(&wild[i], NULL, 0));
            assert_true(sim_dist_at_ns(&wild[i], u[k]) <= 3600000000000u);
        }
}

static void test_nonsense_is_refused_with_a_reason(void **state)
{
    (void)state;
    const double unsorted[] = {2, 1};
    const double zero = 0;
    const struct sim_dist bad[] = {
        {.kind = SIM_CONSTANT, .a = -1},
        {.kind = SIM_CONSTANT, .a = zero / zero},
        {.kind = SIM_UNIFORM, .a = 2, .b = 1},
        {.kind = SIM_NORMAL, .a = 1, .b = -1},
        {.kind = SIM_PARETO, .a = 1, .b = 0},
        {.kind = SIM_EXPONENTIAL, .a = 1 / zero},
        {.kind = SIM_EMPIRICAL},
        {.kind = SIM_EMPIRICAL, .values = unsorted, .n = 2},
        {.kind = (enum sim_dist_kind)99},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char why[80] = "";
        assert_false(sim_dist_check(&bad[i], why, sizeof why));
        assert_true(strlen(why) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constant_is_constant_and_does_not_draw),
        cmocka_unit_test(test_uniform_has_its_moments),
        cmocka_unit_test(test_normal_has_its_moments),
        cmocka_unit_test(test_lomax_is_a_pareto_less_its_minimum),
        cmocka_unit_test(test_normal_counts_negative_samples_as_zero),
        cmocka_unit_test(test_lognormal_has_its_mean),
        cmocka_unit_test(test_pareto_has_its_mean_and_minimum),
        cmocka_unit_test(test_exponential_has_its_moments),
        cmocka_unit_test(test_empirical_interpolates_its_values),
        cmocka_unit_test(test_samples_are_the_same_bits_everywhere),
        cmocka_unit_test(test_extreme_samples_stay_in_range),
        cmocka_unit_test(test_nonsense_is_refused_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
