/* The timer heap against a list that is searched from end to end. */
#include "core/base/rng.h"
#include "core/base/timer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define TIMERS 200u
#define STEPS  100000

struct model {
    bool armed;
    uint64_t at_ns, order;
};

static uint32_t model_first(const struct model *model)
{
    uint32_t best = TIMERS;

    for (uint32_t i = 0; i < TIMERS; i++) {
        if (!model[i].armed)
            continue;
        if (best == TIMERS || model[i].at_ns < model[best].at_ns ||
            (model[i].at_ns == model[best].at_ns && model[i].order < model[best].order))
            best = i;
    }
    return best;
}

static void pop_and_compare(struct timers *timers, struct timer *all, struct model *model,
                            uint64_t now_ns)
{
    for (;;) {
        const uint32_t first = model_first(model);
        struct timer *due = timers_pop_due(timers, now_ns);
        if (first == TIMERS || model[first].at_ns > now_ns) {
            assert_null(due);
            return;
        }
        assert_ptr_equal(due, &all[first]);
        assert_false(timer_armed(due));
        model[first].armed = false;
    }
}

/* Few distinct times, so that ties are common. */
static void test_timers_fire_as_a_model_says_under_random_use(void **state)
{
    static const uint8_t seed[32] = {0x71};
    static struct timer all[TIMERS];
    static struct model model[TIMERS];
    struct timers timers;
    struct rng rng;
    uint64_t order = 0, now_ns = 0;

    (void)state;
    rng_fork(&rng, seed, "timers", 0);
    timers_init(&timers);
    for (int step = 0; step < STEPS; step++) {
        const uint32_t i = (uint32_t)rng_below(&rng, TIMERS);
        const uint64_t what = rng_below(&rng, 10);
        if (what < 6) {
            const uint64_t at_ns = now_ns + rng_below(&rng, 50);
            timers_arm(&timers, &all[i], at_ns);
            model[i] = (struct model){.armed = true, .at_ns = at_ns, .order = order++};
        } else if (what < 8) {
            timers_disarm(&timers, &all[i]);
            model[i].armed = false;
        } else {
            now_ns += rng_below(&rng, 8);
            pop_and_compare(&timers, all, model, now_ns);
        }
        assert_int_equal(timer_armed(&all[i]), model[i].armed);
        const uint32_t first = model_first(model);
        assert_true(timers_next_ns(&timers) == (first < TIMERS ? model[first].at_ns : UINT64_MAX));
    }
    pop_and_compare(&timers, all, model, UINT64_MAX - 1);
    assert_int_equal(timers.count, 0);
    timers_deinit(&timers);
}

static void test_timers_of_one_time_fire_in_the_order_of_arming(void **state)
{
    struct timer t[5] = {0};
    struct timers timers;

    (void)state;
    timers_init(&timers);
    for (int i = 0; i < 5; i++)
        timers_arm(&timers, &t[i], 100);
    timers_arm(&timers, &t[1], 100); /* armed again: now the last */
    assert_null(timers_pop_due(&timers, 99));
    assert_ptr_equal(timers_pop_due(&timers, 100), &t[0]);
    assert_ptr_equal(timers_pop_due(&timers, 100), &t[2]);
    assert_ptr_equal(timers_pop_due(&timers, 100), &t[3]);
    assert_ptr_equal(timers_pop_due(&timers, 100), &t[4]);
    assert_ptr_equal(timers_pop_due(&timers, 100), &t[1]);
    assert_null(timers_pop_due(&timers, UINT64_MAX));
    timers_deinit(&timers);
}

static void test_timers_arming_for_never_disarms(void **state)
{
    struct timer t = {0};
    struct timers timers;

    (void)state;
    timers_init(&timers);
    assert_true(timers_next_ns(&timers) == UINT64_MAX);
    timers_arm(&timers, &t, UINT64_MAX);
    assert_false(timer_armed(&t));
    timers_arm(&timers, &t, 7);
    assert_int_equal(timers_next_ns(&timers), 7);
    timers_arm(&timers, &t, UINT64_MAX);
    assert_false(timer_armed(&t));
    assert_true(timers_next_ns(&timers) == UINT64_MAX);
    timers_disarm(&timers, &t);
    timers_deinit(&timers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers_fire_as_a_model_says_under_random_use),
        cmocka_unit_test(test_timers_of_one_time_fire_in_the_order_of_arming),
        cmocka_unit_test(test_timers_arming_for_never_disarms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
