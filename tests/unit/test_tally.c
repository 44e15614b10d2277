/* Metrics and `sometimes` over several runs. */
#include "vibesim/tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void expect_spread(struct tally *t, size_t metric, double min, double median, double max)
{
    struct tally_spread s = tally_spread(&t->metrics[metric]);
    assert_true(s.min == min && s.median == median && s.max == max);
}

static void test_tally_knows_the_spread_of_each_metric(void **state)
{
    (void)state;
    struct tally t = {0};
    static const double values[] = {5, -1, 3, 4, 1e300};
    for (int i = 0; i < 5; i++) {
        tally_add_metric(&t, "many", values[i]);
        if (i == 2)
            tally_add_metric(&t, "late", 7);
        if (i > 2)
            tally_add_metric(&t, "two", values[i]);
    }
    tally_add_metric(&t, "four", 8);
    tally_add_metric(&t, "four", 2);
    tally_add_metric(&t, "four", 4);
    tally_add_metric(&t, "four", 1);
    assert_int_equal(t.metric_count, 4);
    expect_spread(&t, 0, -1, 4, 1e300);
    expect_spread(&t, 1, 7, 7, 7);
    expect_spread(&t, 3, 1, 3, 8);
    tally_clear(&t);
    assert_int_equal(t.metric_count, 0);
}

static void test_tally_knows_which_sometimes_no_run_hit(void **state)
{
    (void)state;
    struct tally t = {0};
    tally_add_sometime(&t, "a", NULL, true);
    tally_add_sometime(&t, "b", "x.lua:3", false);
    assert_int_equal(tally_never(&t), 1);
    tally_add_sometime(&t, "a", "x.lua:2", false);
    tally_add_sometime(&t, "c", "x.lua:4", false);
    assert_int_equal(tally_never(&t), 2);
    tally_add_sometime(&t, "c", NULL, true);
    assert_int_equal(tally_never(&t), 1);
    assert_int_equal(t.sometime_count, 3);
    assert_int_equal(t.sometimes[0].hits, 1);
    assert_int_equal(t.sometimes[0].runs, 2);
    assert_string_equal(t.sometimes[0].place, "x.lua:2");
    assert_string_equal(t.sometimes[1].text, "b");
    assert_string_equal(t.sometimes[1].place, "x.lua:3");
    tally_clear(&t);
}

/* As `sort | sed -n Np` would tell it, with N the least whole number that is 95% of them. */
static void test_tally_knows_the_95th_percentile(void **state)
{
    (void)state;
    static const struct {
        int values;
        double p95;
    } cases[] = {{1, 1}, {2, 2}, {19, 19}, {20, 19}, {21, 20}, {40, 38}, {100, 95}, {1000, 950}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tally t = {0};
        for (int v = cases[i].values; v > 0; v--)
            tally_add_metric(&t, "m", v);
        assert_true(tally_spread(&t.metrics[0]).p95 == cases[i].p95);
        tally_clear(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tally_knows_the_spread_of_each_metric),
        cmocka_unit_test(test_tally_knows_the_95th_percentile),
        cmocka_unit_test(test_tally_knows_which_sometimes_no_run_hit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
