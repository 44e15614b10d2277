/* The engine's coroutines: a script may look at them, but neither resumes nor ends them, so that no
 * wait is cut short. */
#include "tests/unit/engine_fixture.h"

static void test_a_sleeping_task_cannot_be_resumed_by_the_script(void **state)
{
    (void)state;
    passes("local me = coroutine.running() "
           "at(1, function() log(coroutine.status(me)) "
           "log(tostring(select(2, coroutine.resume(me)))) end) "
           "sleep(5) check(now() == 5, 'slept')");
    expect_told("log suspended");
    expect_told("log cannot resume a coroutine that waits");
    expect_told("check check slept ok");
}

static void test_a_sleeping_task_cannot_be_closed_by_the_script(void **state)
{
    (void)state;
    passes("local me = coroutine.running() "
           "at(1, function() local ok, e = pcall(coroutine.close, me) log(e) end) "
           "sleep(5) check(now() == 5, 'slept')");
    expect_told("cannot close a waiting coroutine");
    expect_told("check check slept ok");
}

static void test_a_wait_inside_a_coroutine_holds_all_that_resumed_it(void **state)
{
    (void)state;
    passes("local inner = coroutine.create(function() sleep(2) return 'done' end) "
           "at(1, function() check(not coroutine.resume(inner), 'not resumed from elsewhere') end) "
           "local wrapped = coroutine.wrap(function() return coroutine.resume(inner) end) "
           "local ok, value = wrapped() "
           "check(ok and value == 'done' and now() == 2, 'waited')");
    expect_told("check check not resumed from elsewhere ok");
    expect_told("check check waited ok");
}

static void test_a_task_of_a_timer_is_its_own(void **state)
{
    (void)state;
    passes("local seen = {} "
           "local function note() seen[#seen + 1] = coroutine.running() sleep(1) end "
           "at(1, note) at(1, note) local timer = every(1, note) sleep(3.5) timer:stop() "
           "for i = 1, #seen do for k = 1, i - 1 do check(seen[i] ~= seen[k], 'own') end end "
           "check(#seen == 5, 'all ran', #seen)");
}

static void test_a_finished_task_is_dead(void **state)
{
    (void)state;
    passes("local co at(1, function() co = coroutine.running() end) sleep(2) "
           "check(coroutine.status(co) == 'dead', 'dead') "
           "check(not coroutine.resume(co), 'not again') check(coroutine.close(co), 'closed')");
}

static void test_a_task_cannot_yield_to_the_engine(void **state)
{
    (void)state;
    refused("coroutine.yield()", "use sleep(t)");
    refused("at(0, function() coroutine.yield() end) sleep(1)", "use sleep(t)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_a_sleeping_task_cannot_be_resumed_by_the_script),
        T(test_a_sleeping_task_cannot_be_closed_by_the_script),
        T(test_a_wait_inside_a_coroutine_holds_all_that_resumed_it),
        T(test_a_task_of_a_timer_is_its_own),
        T(test_a_finished_task_is_dead),
        T(test_a_task_cannot_yield_to_the_engine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
