/* The decision log: what is in it, and running again without a part of it. */
#include "scenarios/decision.h"
#include "tests/unit/engine_fixture.h"

#define CUT_AND_KILL                                                                               \
    "local g = net:spawn(4)\n"                                                                     \
    "local cut = net:partition(g:slice(1, 2), g:slice(3, 4))\n"                                    \
    "sleep(1)\n"                                                                                   \
    "g[4]:kill()\n"                                                                                \
    "sleep(1)\n"                                                                                   \
    "cut:heal()\n"                                                                                 \
    "g[4]:restart { lose_disk = true }\n"                                                          \
    "log(g[4]:alive() and 'alive' or 'dead')"

static void test_decisions_are_logged_before_they_are_carried_out(void **state)
{
    (void)state;
    run_body(CUT_AND_KILL);
    assert_int_equal(result.outcome, ENGINE_PASS);
    const char *at = strstr(told, "decision 1 partition "
                                  "{\"a\":[\"0-1\"],\"b\":[\"2-3\"],\"one_way\":false}\n");
    assert_non_null(at);
    assert_true(strncmp(strchr(at, '\n') + 1, "step partition", 14) == 0);
    assert_non_null(strstr(told, "decision 2 kill {\"node\":3}\n"));
    assert_non_null(strstr(told, "decision 3 restart {\"lose_disk\":true,\"node\":3}\n"));
    assert_null(strstr(told, "left out"));
}

static void test_a_decision_that_is_left_out_does_nothing_and_keeps_its_number(void **state)
{
    (void)state;
    const uint32_t first[] = {1};
    options.without = first;
    options.without_count = 1;
    run_body(CUT_AND_KILL);
    assert_int_equal(result.outcome, ENGINE_PASS);
    assert_non_null(strstr(told, "decision 1 partition "));
    assert_non_null(strstr(told, " left out\n"));
    assert_null(strstr(told, "step partition"));
    assert_null(strstr(told, "step heal"));
    assert_non_null(strstr(told, "decision 2 kill {\"node\":3}\n"));
    assert_non_null(strstr(told, "log alive"));

    const uint32_t both[] = {2, 3};
    options.without = both;
    options.without_count = 2;
    run_body(CUT_AND_KILL);
    assert_non_null(strstr(told, "step partition"));
    assert_null(strstr(told, "step kill"));
    assert_null(strstr(told, "step restart"));
}

static void test_distributions_are_logged_by_their_names(void **state)
{
    (void)state;
    static const char *const given[] = {"uniform(1, 2)", "pareto(1, 2)", "lomax(1, 2)",
                                        "exponential(3)", "empirical { 4, 5 }"};
    static const char *const logged[] = {"uniform\":[1,2]", "pareto\":[1,2]", "lomax\":[1,2]",
                                         "exponential\":[3]", "empirical\":[4,5]"};
    for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
        char body[80];
        snprintf(body, sizeof body, "net:spawn(1, { skew = %s })", given[i]);
        run_body(body);
        expect_told(logged[i]);
    }
}

static void test_sets_that_are_too_long_for_a_row_are_cut_and_stay_valid(void **state)
{
    (void)state;
    static uint32_t odd[3000];
    for (uint32_t i = 0; i < 3000; i++)
        odd[i] = 2 * i + 1;
    struct decision d;
    decision_begin(&d, "partition");
    decision_hosts(&d, "a", odd, 3000);
    decision_hosts(&d, "b", odd, 3000);
    decision_text(&d, "c", "a \"name\"\n\xff");
    assert_true(d.len < DECISION_JSON);
    assert_non_null(strstr(d.json, ",\"+2"));
    assert_non_null(strstr(d.json, "],\"b\":["));
}

static void test_texts_in_a_decision_are_escaped(void **state)
{
    (void)state;
    struct decision d;
    decision_begin(&d, "x");
    decision_text(&d, "c", "a \"b\\\"\n\xff");
    assert_string_equal(d.json, "{\"c\":\"a \\\"b\\\\\\\"\\u000a\\u00ff\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_decisions_are_logged_before_they_are_carried_out, fixture),
        cmocka_unit_test_setup(test_a_decision_that_is_left_out_does_nothing_and_keeps_its_number,
                               fixture),
        T(test_distributions_are_logged_by_their_names),
        cmocka_unit_test(test_sets_that_are_too_long_for_a_row_are_cut_and_stay_valid),
        cmocka_unit_test(test_texts_in_a_decision_are_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
