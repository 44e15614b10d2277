/* Lists of seeds: what is understood, and what is refused and how. */
#include "vibesim/seeds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char why[300];

static void understood(const char *text, const uint64_t *seeds, uint64_t count)
{
    struct seeds s;
    if (!seeds_parse(&s, text, why, sizeof why))
        fail_msg("'%s': %s", text, why);
    assert_int_equal(s.count, count);
    for (uint64_t i = 0; i < count; i++)
        assert_true(seeds_at(&s, i) == seeds[i]);
    seeds_free(&s);
}

#define UNDERSTOOD(text, ...)                                                                      \
    understood(text, (const uint64_t[]){__VA_ARGS__},                                              \
               sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static void test_seeds_come_sorted_however_they_are_written(void **state)
{
    (void)state;
    UNDERSTOOD("7", 7);
    UNDERSTOOD("1..4", 1, 2, 3, 4);
    UNDERSTOOD("5..5", 5);
    UNDERSTOOD("9,1..3,6", 1, 2, 3, 6, 9);
    UNDERSTOOD("0007", 7);
    UNDERSTOOD("18446744073709551614..18446744073709551615,0", 0, UINT64_MAX - 1, UINT64_MAX);
}

static void refused(const char *text, const char *words)
{
    struct seeds s;
    if (seeds_parse(&s, text, why, sizeof why))
        fail_msg("'%s' is understood", text);
    if (!strstr(why, words) || strchr(why, '\n'))
        fail_msg("'%s': expected '%s', got '%s'", text, words, why);
    assert_null(s.ranges);
}

static void test_seeds_that_make_no_sense_are_refused_with_what_would(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      ",",
                                      "1,",
                                      ",1",
                                      "1,,2",
                                      "x",
                                      "1..x",
                                      "1..",
                                      "..1",
                                      "1.2",
                                      "1...3",
                                      "1..2.",
                                      "-1",
                                      "1..-1",
                                      " 1",
                                      "1 ",
                                      "+1",
                                      "0x1",
                                      "1e3",
                                      "1-20",
                                      "1..2..3",
                                      "18446744073709551616",
                                      "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused(bad[i], "is no seed and no range: write whole numbers from 0 to");
    refused("20..1", "20..1 runs backwards: write 1..20");
    refused("1..5,5", "the seed 5 is given twice");
    refused("5,1..9", "the seed 5 is given twice");
    refused("3,3", "the seed 3 is given twice");
}

static void test_seeds_are_bounded_before_they_are_counted(void **state)
{
    (void)state;
    struct seeds s;
    refused("0..18446744073709551615", "more than 1000000 seeds");
    refused("1..1000001", "more than 1000000 seeds");
    refused("1..1000000,2000000", "more than 1000000 seeds");
    refused("7,10..18446744073709551615", "more than 1000000 seeds");
    assert_true(seeds_parse(&s, "1..999999,2000000", why, sizeof why));
    assert_true(seeds_at(&s, 999999) == 2000000);
    seeds_free(&s);
    char *list = malloc(SEEDS_TEXT_MAX + 2);
    assert_non_null(list);
    memset(list, '1', SEEDS_TEXT_MAX + 1);
    list[SEEDS_TEXT_MAX + 1] = 0;
    refused(list, "a list of more than 65536 bytes");
    free(list);
}

static void test_seeds_have_one_shortest_text(void **state)
{
    (void)state;
    static const char *const lists[][2] = {
        {"7", "7"},
        {"0007", "7"},
        {"1,2,3", "1..3"},
        {"3,1..2,9,5..8", "1..3,5..9"},
        {"1,2", "1..2"},
        {"18446744073709551615,0,18446744073709551614",
         "0,18446744073709551614..18446744073709551615"},
        {"5,3,1", "1,3,5"},
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct seeds s;
        assert_true(seeds_parse(&s, lists[i][0], why, sizeof why));
        char *text = seeds_text(&s);
        assert_string_equal(text, lists[i][1]);
        free(text);
        seeds_free(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seeds_come_sorted_however_they_are_written),
        cmocka_unit_test(test_seeds_that_make_no_sense_are_refused_with_what_would),
        cmocka_unit_test(test_seeds_have_one_shortest_text),
        cmocka_unit_test(test_seeds_are_bounded_before_they_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
