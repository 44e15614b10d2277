/* The statistics of the gate (vibesim/compare.h) against numbers from elsewhere: R 4.2.2
 * (wilcox.test, p.adjust), SciPy 1.10.1 (stats.wilcoxon, stats.norm.sf), counting of all signs in
 * Python, and the tables of McCornack (1965, JASA 60). */
#include "vibesim/compare.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MANY 200

static void assert_close(double got, double wanted, double tolerance)
{
    double off = got - wanted, bound = tolerance * fabs(wanted);
    if (!(off <= bound && -off <= bound))
        fail_msg("got %.17g, wanted %.17g", got, wanted);
}

/* Figures that any language computes alike: whole numbers of a congruence, scaled and moved. */
static void series(double *out, uint32_t n, uint32_t factor, uint32_t offset, uint32_t modulus,
                   double scale, double base)
{
    for (uint32_t i = 0; i < n; i++)
        out[i] = (double)((i * factor + offset) % modulus) / scale + base;
}

static void the_normal_tail_is_that_of_the_tables(void **state)
{
    static const double known[][2] = {
        {0, 0.5},
        {0.1, 0.460172162722971},
        {1, 0.15865525393145707},
        {1.96, 0.024997895148220435},
        {2.4999, 0.006211418374944587},
        {2.5, 0.006209665325776132},
        {3, 0.0013498980316300933},
        {5, 2.866515718791933e-07},
        {8, 6.22096057427174e-16},
        {15, 3.6709661993126986e-51},
        {37, 5.7255712225239266e-300},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_close(compare_normal_tail(known[i][0]), known[i][1], 1e-12);
}

/* The example of Hollander and Wolfe: depression scores of nine patients before and after
 * treatment, here as exponents, since the test compares logarithms. R: p = 0.0390625, estimate
 * -0.46, interval -0.786 to -0.010. */
static void the_example_of_the_textbook_comes_out(void **state)
{
    static const double x[] = {1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30};
    static const double y[] = {0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29};
    double before[9], after[9];
    struct compare c;
    (void)state;
    for (int i = 0; i < 9; i++) {
        before[i] = exp(x[i]);
        after[i] = exp(y[i]);
    }
    compare_pairs(&c, before, after, 9);
    assert_true(c.p == 0.0390625); /* 20 of 512: no digit is rounded */
    assert_close(c.change, exp(-0.46) - 1, 1e-12);
    assert_close(c.low, exp(-0.786) - 1, 1e-12);
    assert_close(c.high, exp(-0.010) - 1, 1e-12);
    assert_int_equal(c.moved, 9);
}

/* n pairs that differ by 1..n, those downwards with the sum `down`. */
static double p_of_sum(uint32_t n, uint32_t down)
{
    double before[MANY] = {0}, after[MANY];
    struct compare c;
    for (uint32_t i = n; i >= 1; i--) {
        bool is_down = down >= i;
        down -= is_down ? i : 0;
        after[i - 1] = is_down ? -(double)i : (double)i;
    }
    assert_int_equal(down, 0);
    compare_pairs(&c, before, after, n);
    return c.p;
}

static void the_critical_sums_are_those_of_the_tables(void **state)
{
    static const struct {
        uint32_t n, sum[3]; /* the largest significant one, two-sided at 5 %, 2 %, 1 % */
    } table[] = {{10, {8, 5, 3}}, {20, {52, 43, 37}}, {30, {137, 120, 109}}};
    static const double level[] = {0.05, 0.02, 0.01};
    (void)state;
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 3; k++) {
            assert_true(p_of_sum(table[i].n, table[i].sum[k]) <= level[k]);
            assert_true(p_of_sum(table[i].n, table[i].sum[k] + 1) > level[k]);
        }
}

/* All 2^17 signs counted: P = 0.1697540283203125 of the ranks with ties and one pair that does not
 * differ. Figures of 0 are among them, so the change is that of the mean. */
static void ties_and_pairs_that_do_not_differ_keep_the_probability_exact(void **state)
{
    double before[18], after[18];
    struct compare c;
    (void)state;
    series(before, 18, 7, 3, 5, 1, 0);
    series(after, 18, 11, 2, 7, 1, 0);
    compare_pairs(&c, before, after, 18);
    assert_int_equal(c.pairs, 18);
    assert_int_equal(c.moved, 17);
    assert_true(c.p == 0.1697540283203125);
    assert_close(c.change, 0.5142857142857143, 1e-12);
    assert_close(c.low, -0.14774601455099196, 1e-12);
    assert_close(c.high, 1.1763174431224204, 1e-12);
    assert_true(c.before == 2 && c.after == 3);
}

/* R: wilcox.test(exact = TRUE, conf.int = TRUE) of the logarithms of the ratios. */
static void ratios_of_up_to_50_pairs_are_as_r_computes_them(void **state)
{
    double before[50], after[50];
    struct compare c;
    (void)state;
    series(before, 20, 7919, 104729, 1009, 100, 1);
    series(after, 20, 6271, 7, 997, 95, 2);
    compare_pairs(&c, before, after, 20);
    assert_close(c.p, 0.43043327331542969, 1e-15);
    assert_close(c.change, 0.17417750524554521, 1e-12);
    assert_close(c.low, -0.21689566571002217, 1e-12);
    assert_close(c.high, 0.80098989305753676, 1e-12);
    series(before, 50, 7919, 104729, 1009, 100, 1);
    series(after, 50, 6271, 7, 997, 95, 1.6);
    compare_pairs(&c, before, after, 50);
    assert_close(c.p, 0.29103531772712182, 1e-13);
    assert_close(c.change, 0.14210246095792778, 1e-12);
    assert_close(c.low, -0.10419567152215781, 1e-12);
    assert_close(c.high, 0.44947139403589498, 1e-12);
}

/* SciPy: wilcoxon(zero_method="pratt", correction=True, method="approx"); the interval from a list
 * of all 7,260 means, ordered (R's own, by another approximation, is within 0.0004 of it). */
static void many_pairs_are_as_scipy_computes_them(void **state)
{
    double before[120], after[120];
    struct compare c;
    (void)state;
    series(before, 120, 37, 5, 11, 1, 0);
    series(after, 120, 53, 7, 13, 1, 0);
    compare_pairs(&c, before, after, 120);
    assert_int_equal(c.moved, 111);
    assert_close(c.p, 0.037610273911375204, 1e-12);
    assert_close(c.change, 0.20198675496688742, 1e-12);
    assert_close(c.low, 0.028393862415001688, 1e-12);
    assert_close(c.high, 0.37557964751877315, 1e-12);
    series(before, 120, 7919, 104729, 1009, 100, 1);
    series(after, 120, 6271, 7, 997, 95, 1.05);
    compare_pairs(&c, before, after, 120);
    assert_close(c.p, 0.6308274873246957, 1e-12);
    assert_close(c.change, 0.04313426986272928, 1e-11);
    assert_close(c.low, -0.11214452928133611, 1e-11);
    assert_close(c.high, 0.220438607489865, 1e-11);
    assert_close(c.before, 6.045, 1e-12);
    assert_close(c.after, 6.228947368421053, 1e-12);
}

/* R: 2 * psignrank(c(400, 250, 100), 51). */
static void the_approximation_goes_on_where_the_exact_probability_ends(void **state)
{
    (void)state;
    assert_close(p_of_sum(51, 400), 1.299035909e-02, 0.07);
    assert_true(p_of_sum(51, 250) > 5.588071837e-05); /* further out it errs towards silence */
    assert_true(p_of_sum(51, 100) > 4.510002150e-09);
}

static void equal_pairs_are_no_change(void **state)
{
    static const double figures[] = {0, 3, 1e140, -7};
    struct compare c;
    (void)state;
    compare_pairs(&c, figures, figures, 4);
    assert_int_equal(c.moved, 0);
    assert_true(c.p == 1 && c.change == 0 && c.low == 0 && c.high == 0);
}

static void exchanging_the_two_sides_mirrors_the_change(void **state)
{
    double before[90], after[90];
    struct compare c, mirrored;
    (void)state;
    series(before, 90, 7919, 104729, 1009, 100, 1);
    series(after, 90, 6271, 7, 997, 80, 3);
    compare_pairs(&c, before, after, 90);
    compare_pairs(&mirrored, after, before, 90);
    assert_true(c.p == mirrored.p && c.p < 0.05);
    assert_close((1 + c.change) * (1 + mirrored.change), 1, 1e-12);
    assert_close((1 + c.low) * (1 + mirrored.high), 1, 1e-12);
}

static void what_was_0_and_is_not_has_changed_beyond_any_share(void **state)
{
    double before[20] = {0}, after[20];
    struct compare c;
    (void)state;
    series(after, 20, 1, 1, 100, 1, 0);
    compare_pairs(&c, before, after, 20);
    assert_true(c.change == HUGE_VAL && c.p == ldexp(1, -19));
}

static void one_pair_proves_nothing(void **state)
{
    const double before = 1, after = 1000;
    struct compare c;
    (void)state;
    compare_pairs(&c, &before, &after, 1);
    assert_true(c.p == 1);
    assert_close(c.change, 999, 1e-12);
    assert_close(c.high, 999, 1e-12);
}

/* Five of one sign come once in 16 times; the normal approximation alone would say 0.025. */
static void few_that_differ_among_very_many_are_not_rarer_than_their_signs(void **state)
{
    const size_t n = 3000000;
    double *before = calloc(n, sizeof *before), *after = calloc(n, sizeof *after);
    struct compare c;
    (void)state;
    assert_non_null(before);
    assert_non_null(after);
    for (size_t i = 0; i < 5; i++)
        after[i * 1000] = 1;
    compare_pairs(&c, before, after, n);
    assert_int_equal(c.moved, 5);
    assert_close(c.p, ldexp(1, -4), 0);
    free(before);
    free(after);
}

/* R: p.adjust(c(0.04, 0.001, 0.03, 0.005, 0.01, 0.9, 0.001), "holm"). */
static void many_tests_are_corrected_as_r_does(void **state)
{
    static const double p[] = {0.04, 0.001, 0.03, 0.005, 0.01, 0.9, 0.001};
    static const double wanted[] = {0.09, 0.007, 0.09, 0.025, 0.04, 0.9, 0.007};
    double adjusted[7];
    (void)state;
    compare_holm(adjusted, p, 7);
    for (int i = 0; i < 7; i++)
        assert_close(adjusted[i], wanted[i], 1e-12);
    compare_holm(adjusted, p, 0);
}

static void fewer_pairs_than_needed_can_prove_nothing(void **state)
{
    double before[20] = {0}, after[20], p, adjusted[40];
    struct compare c;
    size_t n = compare_pairs_needed(40, 0.01);
    (void)state;
    series(after, 20, 1, 1, 100, 1, 0);
    for (size_t few = n - 1; few <= n; few++) {
        compare_pairs(&c, before, after, few);
        p = c.p;
        for (int i = 0; i < 40; i++)
            adjusted[i] = 1;
        adjusted[7] = p;
        compare_holm(adjusted, adjusted, 40);
        assert_int_equal(adjusted[7] <= 0.01, few == n);
    }
    assert_int_equal(n, 13);
}

static void what_is_no_number_is_no_figure(void **state)
{
    (void)state;
    assert_true(compare_is_figure(0) && compare_is_figure(-1e140));
    assert_false(compare_is_figure((double)NAN));
    assert_false(compare_is_figure(HUGE_VAL));
    assert_false(compare_is_figure(-DBL_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_normal_tail_is_that_of_the_tables),
        cmocka_unit_test(the_example_of_the_textbook_comes_out),
        cmocka_unit_test(the_critical_sums_are_those_of_the_tables),
        cmocka_unit_test(ties_and_pairs_that_do_not_differ_keep_the_probability_exact),
        cmocka_unit_test(ratios_of_up_to_50_pairs_are_as_r_computes_them),
        cmocka_unit_test(many_pairs_are_as_scipy_computes_them),
        cmocka_unit_test(the_approximation_goes_on_where_the_exact_probability_ends),
        cmocka_unit_test(equal_pairs_are_no_change),
        cmocka_unit_test(exchanging_the_two_sides_mirrors_the_change),
        cmocka_unit_test(what_was_0_and_is_not_has_changed_beyond_any_share),
        cmocka_unit_test(one_pair_proves_nothing),
        cmocka_unit_test(few_that_differ_among_very_many_are_not_rarer_than_their_signs),
        cmocka_unit_test(many_tests_are_corrected_as_r_does),
        cmocka_unit_test(fewer_pairs_than_needed_can_prove_nothing),
        cmocka_unit_test(what_is_no_number_is_no_figure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
