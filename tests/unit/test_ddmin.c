/* vibesim/ddmin: delta debugging. */
#include "vibesim/ddmin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Fails where all of `needed` are there, and (if `pairs`) as many below 100 as above. */
struct bug {
    uint32_t needed[4];
    size_t needed_count;
    bool balanced;
    uint32_t tests, stop_after; /* 0: never */
    size_t largest;             /* batch */
};

static bool has(const struct ddmin_set *set, uint32_t item)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->items[i] == item)
            return true;
    return false;
}

static bool fails(const struct bug *bug, const struct ddmin_set *set)
{
    size_t low = 0;
    for (size_t i = 0; i < bug->needed_count; i++)
        if (!has(set, bug->needed[i]))
            return false;
    for (size_t i = 0; i < set->count; i++)
        low += set->items[i] < 100;
    return !bug->balanced || 2 * low == set->count;
}

static bool test_all(void *ctx, const struct ddmin_set *candidates, size_t count, size_t *first)
{
    struct bug *bug = ctx;
    bug->largest = count > bug->largest ? count : bug->largest;
    for (*first = 0; *first < count && !fails(bug, &candidates[*first]); ++*first)
        bug->tests++;
    bug->tests += *first < count;
    return bug->stop_after == 0 || bug->tests < bug->stop_after;
}

static struct ddmin_set set_of(uint32_t n)
{
    struct ddmin_set set = {calloc(n, sizeof *set.items), n};
    for (uint32_t i = 0; i < n; i++)
        set.items[i] = i + 1;
    return set;
}

static void test_ddmin_finds_the_three_of_two_hundred_that_matter(void **state)
{
    (void)state;
    struct bug bug = {.needed = {17, 140, 141}, .needed_count = 3};
    struct ddmin_set set = set_of(200);
    assert_true(ddmin(&set, test_all, &bug));
    assert_int_equal(set.count, 3);
    assert_memory_equal(set.items, bug.needed, 3 * sizeof *set.items);
    assert_true(bug.tests < 200);
    free(set.items);
}

static void test_ddmin_finds_one_and_none(void **state)
{
    (void)state;
    struct bug bug = {.needed = {64}, .needed_count = 1};
    struct ddmin_set set = set_of(64);
    assert_true(ddmin(&set, test_all, &bug));
    assert_int_equal(set.count, 1);
    assert_int_equal(set.items[0], 64);
    bug = (struct bug){.needed_count = 0};
    set.count = 1;
    assert_true(ddmin(&set, test_all, &bug));
    assert_int_equal(set.count, 0);
    assert_true(ddmin(&set, test_all, &bug)); /* of nothing: nothing is asked */
    free(set.items);
}

/* Nothing smaller by one element fails, though much smaller sets might. */
static void test_ddmin_result_fails_without_no_single_one(void **state)
{
    (void)state;
    for (uint32_t a = 1; a <= 40; a += 3) {
        struct bug bug = {.needed = {a, a + 100, 199}, .needed_count = 3, .balanced = true};
        struct ddmin_set set = set_of(198 + 1);
        set.items[0] = 1;
        set.count = 198; /* 99 below 100, 99 from 100 on */
        set.items[197] = 199;
        assert_true(fails(&bug, &set));
        assert_true(ddmin(&set, test_all, &bug));
        assert_true(fails(&bug, &set));
        for (size_t i = 0; i < set.count; i++) {
            uint32_t rest[200];
            struct ddmin_set less = {rest, 0};
            for (size_t j = 0; j < set.count; j++)
                if (j != i)
                    rest[less.count++] = set.items[j];
            assert_false(fails(&bug, &less));
        }
        free(set.items);
    }
}

static void test_ddmin_stopped_keeps_what_it_found(void **state)
{
    (void)state;
    for (uint32_t stop = 1; stop < 60; stop++) {
        struct bug bug = {.needed = {17, 140}, .needed_count = 2, .stop_after = stop};
        struct ddmin_set set = set_of(200);
        bool whole = ddmin(&set, test_all, &bug);
        assert_true(fails(&bug, &set));
        assert_int_equal(whole, bug.tests < stop);
        free(set.items);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ddmin_finds_the_three_of_two_hundred_that_matter),
        cmocka_unit_test(test_ddmin_finds_one_and_none),
        cmocka_unit_test(test_ddmin_result_fails_without_no_single_one),
        cmocka_unit_test(test_ddmin_stopped_keeps_what_it_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
