/* How a scenario runs: time, order, judgements, what ends a run, and that it is the same again. */
#include "tests/unit/engine_fixture.h"

/* ---- time and order ---- */

static void test_tasks_wake_in_the_order_of_time_then_creation(void **state)
{
    (void)state;
    passes("local out = {}\n"
           "local function say(x) out[#out + 1] = x end\n"
           "at(2, function() say 'b1' end) at(1, function() say 'a' end)\n"
           "at(2, function() say 'b2' sleep(0) say 'b4' end) at(2, function() say 'b3' end)\n"
           "sleep(2) say 'main' sleep(1)\n"
           "log(table.concat(out, ' '))");
    expect_told("log a b1 b2 b3 main b4\n");
}

/* 0.1 s is no binary fraction: adding it up a hundred times would not give 10 s. */
static void test_every_fires_at_whole_multiples_of_its_interval(void **state)
{
    (void)state;
    passes("local n, last = 0, 0\n"
           "local timer = every(0.1, function() n = n + 1 last = now() end)\n"
           "sleep(10) log(n .. ' ' .. string.format('%.17g', last))\n"
           "timer:stop() sleep(5) log(n)");
    expect_told("log 99 9.9000000000000004\nlog 99\n"); /* main's wake at 10 s is older */
    passes("local t = {} every(1/3, function() t[#t + 1] = string.format('%.9f', now()) end)\n"
           "sleep(1.5) log(table.concat(t, ' '))");
    expect_told("log 0.333333333 0.666666666 0.999999999 1.333333332\n");
}

static void test_each_callback_may_wait_by_itself(void **state)
{
    (void)state;
    passes("local t = {} every(1, function() local k = now() sleep(2.5) t[#t + 1] = k .. '-' .. "
           "now() end)\n"
           "sleep(5.75) log(table.concat(t, ' '))");
    expect_told("log 1.0-3.5 2.0-4.5 3.0-5.5\n");
}

static void test_sleep_in_a_coroutine_of_the_script_waits_for_all(void **state)
{
    (void)state;
    passes("local co = coroutine.wrap(function(a) sleep(1) local b = coroutine.yield(a + 1) "
           "sleep(2) return b * 2 end)\n"
           "local x = co(1) log(x .. ' ' .. now())\n"
           "local ok, y = pcall(co, 5) log(y .. ' ' .. now())");
    expect_told("log 2 1.0\n");
    expect_told("log 10 3.0\n");
}

/* A wait that would have been set up and then refused would wake its task at a wrong time. */
static void test_a_refused_wait_leaves_nothing_behind(void **state)
{
    (void)state;
    passes("local g = net:spawn(1) local p = net:peer() local link = p:dial(g[1])\n"
           "for _, f in ipairs { function() sleep(1) end, function() wait('w', 1, function() end) "
           "end,\n"
           "  function() p:receive(link, 1) end } do\n"
           "  local co = coroutine.create(f)\n"
           "  local ok, e = pcall(table.sort, { 1, 2 }, function()\n"
           "    local ok, e = coroutine.resume(co) error(e, 0) end)\n"
           "  log(e)\n"
           "end\n"
           "at(now() + 0.5, function() end)\n"
           "sleep(3) log(now())");
    expect_told("sleep: cannot wait here");
    expect_told("wait: cannot wait here");
    expect_told("receive: cannot wait here");
    expect_told("log 3.0\n");
}

/* ---- what is asserted ---- */

static void test_a_failed_check_fails_the_run_and_lets_it_go_on(void **state)
{
    (void)state;
    run_body("sleep(1.5) check(1 > 2, 'one is more', 'it is less') log('after')\ncheck(true, "
             "'second')");
    expect_reason(ENGINE_FAIL, ":3: ", "check failed at t=1.500000 s: one is more (it is less)");
    expect_told("check check one is more failed: it is less @1500000000\n");
    expect_told("log after\ncheck check second ok");
    assert_int_equal(result.checks_failed, 1);
}

static void test_always_stops_the_run_at_its_first_failure(void **state)
{
    (void)state;
    run_body("local g = net:spawn(4, { miners = 1, block_interval = 1 })\n"
             "always('low', function() local _, h = net:tips() return h < 3, 'height ' .. h end)\n"
             "every(0.5, function() metric('t', now()) end) sleep(90) log('after')");
    expect_reason(ENGINE_FAIL, ":4: ", "low (height 3)");
    assert_null(strstr(told, "after"));
    assert_true(result.sim_ns < 50 * NS_PER_S);
    run_body("always('never', function() return false end) log('after')");
    expect_reason(ENGINE_FAIL, ":3: ", "always failed at t=0.000000 s: never");
    assert_null(strstr(told, "after"));
    passes("net:spawn(1) always('fine', function() return true end) sleep(1)");
    expect_told("check always fine ok @1000000000\n");
}

static void test_conditions_may_look_and_nothing_else(void **state)
{
    (void)state;
    static const char *const acts[] = {
        "sleep(1)",
        "at(1, print)",
        "every(1, print)",
        "check(true, 'x')",
        "metric('x', 1)",
        "sometimes('x', true)",
        "eventually('y', 1, print)",
        "always('y', print)",
        "wait('y', 1, print)",
        "net:spawn(1)",
        "net:links { loss = 0 }",
        "net:partition(g, g)",
        "net:split(0.5)",
        "net:peer()",
        "g[1]:mine()",
        "g[1]:kill()",
        "g[1]:restart()",
        "g[1]:submit_tx()",
        "g[1]:ban(g[1])",
        "p:dial(g[1])",
        "p:send(1, { kind = 'Ping' })",
        "p:receive(1)",
        "p:close(1)",
        "math.random()",
        "coroutine.wrap(function() sleep(1) end)()",
    };
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        char body[300];
        snprintf(body, sizeof body,
                 "local g, p = net:spawn(1), net:peer() always('x', function() %s return true end)",
                 acts[i]);
        refused(body, "may look");
    }
    passes("local g = net:spawn(1) always('x', function() log(g[1]:height()) return net:one_tip() "
           "and #g[1]:peers() == 0 and g[1]:alive() and now() >= 0 end)");
}

static void test_each_judgement_has_steps_of_its_own(void **state)
{
    (void)state;
    options.lua_steps_max = 100000;
    passes("local g, n = net:spawn(2, { miners = 1, block_interval = 1 }), 0\n"
           "always('busy', function() n = n + 1 for i = 1, 20000 do end return true end)\n"
           "sleep(60) check(n > 20, 'judged often', n)");
}

static void test_eventually_holds_or_fails_at_its_deadline(void **state)
{
    (void)state;
    passes("net:spawn(1) eventually('later', 5, function() return now() >= 5 end) log('went on')");
    expect_told("log went on\n");
    expect_told("check eventually later ok @5000000000\n");
    assert_int_equal(result.sim_ns, 5 * NS_PER_S);
    run_body("net:spawn(1) eventually('never', 5, function() return false, 'why' end) sleep(20) "
             "log('went on')");
    expect_reason(ENGINE_FAIL, ":3: ", "eventually failed at t=5.000000 s: never (why)");
    expect_told("log went on\n");
    run_body("local x net:spawn(1) at(3, function() x = true end) eventually('x', 5, function() "
             "return x end)");
    assert_int_equal(result.outcome, ENGINE_PASS); /* seen at the deadline, if not before */
}

static void test_a_pending_eventually_fails_at_the_duration(void **state)
{
    (void)state;
    run_body("net:spawn(1) eventually('late', 1000, function() return false end)");
    expect_reason(ENGINE_FAIL, ":3: ", "eventually failed at t=100.000000 s: late");
    assert_int_equal(result.sim_ns, 100 * NS_PER_S);
    options.until_ns = 7 * NS_PER_S;
    run_body("net:spawn(1) eventually('late', 1000, function() return false end)");
    expect_reason(ENGINE_FAIL, ":3: ", "eventually failed at t=7.000000 s: late");
}

static void test_a_run_ends_at_its_duration_while_run_still_waits(void **state)
{
    (void)state;
    passes("log('on')\nsleep(500) log('never')");
    assert_int_equal(result.sim_ns, 100 * NS_PER_S);
    assert_null(strstr(told, "never"));
    expect_told("step duration -1 over while run waits at ");
    expect_told("t.lua:4\n");
}

static void test_wait_returns_when_it_holds_and_stops_the_run_if_it_does_not(void **state)
{
    (void)state;
    passes("local g = net:spawn(3, { miners = 1, block_interval = 1 })\n"
           "local ok = wait('a block', 60, function() return g[2]:height() > 0 end)\n"
           "log(tostring(ok) .. ' ' .. g[2]:height())");
    expect_told("log true 1\n");
    run_body("net:spawn(1)\nwait('it', 5, function() return false, 'no' end) log('after')");
    expect_reason(ENGINE_FAIL, ":4: ", "wait failed at t=5.000000 s: it (no)");
    assert_null(strstr(told, "after"));
}

/* 200 hosts: every 2 ms. */
static void test_waits_in_large_networks_are_judged_at_a_pace_and_always_is_not(void **state)
{
    (void)state;
    static const char text[] =
        "local n = 0\n"
        "%s"
        "net:links { latency = uniform(10 * ms, 200 * ms) }\n"
        "net:spawn(200, { miners = 20, block_interval = 1 })\n"
        "wait('a second is over', 10, function() n = n + 1 return now() >= 1 end)\n"
        "log(n > %s and 'often' or 'seldom') log(now() < 1.1 and 'in time' or now())\n";
    char body[600];
    snprintf(body, sizeof body, text, "", "501");
    passes(body);
    expect_told("log seldom\nlog in time\n");
    snprintf(body, sizeof body, text, "always('true', function() return true end)\n", "501");
    passes(body);
    expect_told("log often\nlog in time\n");
}

static void test_sometimes_metric_and_log_are_told(void **state)
{
    (void)state;
    passes("local g = net:spawn(1) sometimes('hit', false) sleep(1) sometimes('hit', true)\n"
           "sometimes('missed', false) metric('m', 2.5) metric('n', 3, g[1]) log(g[1])\n"
           "print('a', 1, nil) log(g)");
    expect_told("check sometimes hit ok @1000000000\n");
    expect_told("check sometimes missed failed: "); /* and where it is asked */
    expect_told("t.lua:4 @1000000000\n");
    expect_told("metric m 2.5 -1\nmetric n 3 0\n");
    expect_told("log node-0001\nlog a\t1\tnil\nlog group: 1\n");
    run_body("sometimes('hit', true) check(false, 'no')");
    expect_told("check sometimes hit ok @0\n");
    run_body("sometimes('hit', true) always('no', function() return false end)");
    expect_told("check sometimes hit ok @0\n");
}

static void test_a_failure_tells_the_last_events_in_words(void **state)
{
    (void)state;
    run_body("local g = net:spawn(2, { miners = 1, block_interval = 1 })\n"
             "sleep(10) g[2]:kill() check(false, 'this')");
    expect_told("story t=10.000000s node-0002: kill");
    expect_told("story t=10.000000s check failed: this\n");
    expect_told(" at height ");
    size_t lines = 0;
    for (const char *at = strstr(told, "story "); at; at = strstr(at + 1, "story "))
        lines++;
    assert_in_range(lines, 5, STORY_LINES);
    passes("local g = net:spawn(2, { miners = 1, block_interval = 1 }) sleep(10)");
    assert_null(strstr(told, "story "));
}

/* ---- the same again ---- */

static void test_pairs_are_sorted_and_random_comes_from_the_seed(void **state)
{
    (void)state;
    const char *body = "local t = {} for k in pairs { z = 1, a = 2, [3] = 1, [1] = 1, m = 0 } do "
                       "t[#t + 1] = k end log(table.concat(t, ' '))\n"
                       "log(math.random(1000000) .. ' ' .. math.random(1000000) .. ' ' .. "
                       "math.random())";
    passes(body);
    expect_told("log 1 3 a m z\n");
    expect_told("log 293886 620151 0.5340139765433\n");
    char first[sizeof told];
    memcpy(first, told, sizeof first);
    passes(body);
    assert_string_equal(told, first);
    options.seed = 2;
    passes(body);
    assert_string_not_equal(told, first);
}

static const char busy[] = "scenario { name = 'busy', duration = 60 }\n"
                           "function run(net, p)\n"
                           "  net:links { latency = lognormal(40 * ms, 0.5), loss = 0.01 }\n"
                           "  local g = net:spawn(6, { miners = 2, block_interval = 3 })\n"
                           "  local e = net:peer() local link = e:dial(g[1])\n"
                           "  e:send(link, { kind = 'Handshake' })\n"
                           "  every(1, function() g[math.random(#g)]:submit_tx {} end)\n"
                           "  local a, b = net:split(0.5) local cut = net:partition(a, b)\n"
                           "  sleep(20) cut:heal() g[2]:kill() sleep(5) g[2]:restart()\n"
                           "  while true do local m, why = e:receive(link, 10)\n"
                           "    if not m then break end log(m.kind) end\n"
                           "end\n";

static void test_one_seed_gives_one_run_in_one_process_and_another_another(void **state)
{
    (void)state;
    struct engine_result first;
    static char first_told[sizeof told];
    struct engine *engine = load_text(busy);
    assert_non_null(engine);
    told[0] = 0;
    engine_run(engine, &options, NULL, NULL, &first);
    assert_int_equal(first.outcome, ENGINE_PASS);
    assert_true(first.tip_height > 0);
    memcpy(first_told, told, sizeof told);
    told[0] = 0;
    engine_run(engine, &options, NULL, NULL, &result);
    assert_int_equal(result.trace_hash, first.trace_hash);
    assert_int_equal(result.events, first.events);
    assert_string_equal(told, first_told);
    options.observer = (struct engine_observer){0}; /* who listens changes nothing */
    engine_run(engine, &options, NULL, NULL, &result);
    assert_int_equal(result.trace_hash, first.trace_hash);
    options.seed = 2;
    engine_run(engine, &options, NULL, NULL, &result);
    assert_int_not_equal(result.trace_hash, first.trace_hash);
    engine_free(engine);
}

/* Nothing but the world's own dice can differ between these two. */
static void test_the_world_draws_from_the_seed_too(void **state)
{
    (void)state;
    const char *body = "net:links { jitter = exponential(5 * ms) } net:spawn(2) sleep(40)";
    passes(body);
    uint64_t first = result.trace_hash;
    passes(body);
    assert_int_equal(result.trace_hash, first);
    options.seed = 2;
    passes(body);
    assert_int_not_equal(result.trace_hash, first);
}

/* What the script draws stays, who its seed peers are included; what the world draws changes. */
static void test_salt_changes_the_dice_of_the_world_and_none_of_the_script(void **state)
{
    (void)state;
    const char *body =
        "net:links { jitter = exponential(5 * ms) } local g = net:spawn(4, { seeds = "
        "1 }) log(math.random()) local a = net:split(0.5) log(a[1]:addr() .. #a) "
        "log(g[1]:submit_tx {}) sleep(40)";
    passes(body);
    uint64_t first = result.trace_hash;
    char before[sizeof told];
    memcpy(before, told, sizeof told);
    options.salt = 1;
    passes(body);
    assert_string_equal(told, before);
    assert_int_not_equal(result.trace_hash, first);
    uint64_t salted = result.trace_hash;
    passes(body);
    assert_int_equal(result.trace_hash, salted);
    options.salt = 2;
    passes(body);
    assert_int_not_equal(result.trace_hash, salted);
    assert_int_not_equal(result.trace_hash, first);
}

/* ---- from outside ---- */

static volatile sig_atomic_t interrupt;

static void on_log_interrupt(void *ctx, uint64_t t_ns, const char *text)
{
    on_log(ctx, t_ns, text);
    interrupt = 1;
}

static void test_an_interrupt_ends_the_run_soon(void **state)
{
    (void)state;
    options.interrupt = &interrupt;
    options.observer.on_log = on_log_interrupt;
    options.lua_steps_max = UINT64_MAX >> 2;
    interrupt = 0;
    run_body("net:spawn(2, { miners = 1 }) sleep(10) log('now') sleep(1) log('after')");
    assert_int_equal(result.outcome, ENGINE_INTERRUPTED);
    assert_string_equal(result.reason, "interrupted at t=10.000 s");
    assert_null(strstr(told, "after"));
    interrupt = 0;
    run_body("sleep(10) log('now') while true do pcall(function() while true do end end) end");
    assert_int_equal(result.outcome, ENGINE_INTERRUPTED);
}

static uint32_t finals;

static void on_final(void *ctx, uint32_t host, uint64_t height, const uint8_t tip[32])
{
    (void)ctx;
    (void)tip;
    assert_int_equal(host, finals == 2 ? 3 : finals); /* host 2 is a scripted peer */
    assert_int_equal(height, 3);
    finals++;
}

static void test_final_tips_are_told_of_every_node_in_order(void **state)
{
    (void)state;
    struct engine *engine = load_text("scenario { duration = 100 }\n"
                                      "function run(net)\n"
                                      "  local g = net:spawn(2) net:peer()\n"
                                      "  net:spawn(1, { seeds_from = g, seeds = 1 }) sleep(20)\n"
                                      "  g[1]:mine(3) sleep(40)\n"
                                      "end");
    assert_non_null(engine);
    assert_string_equal(engine_about(engine)->name, "t");
    finals = 0;
    engine_run(engine, &options, on_final, NULL, &result);
    engine_free(engine);
    assert_int_equal(finals, 3);
    assert_int_equal(result.nodes, 3);
    assert_int_equal(result.peers, 1);
    assert_int_equal(result.tips, 1);
    assert_int_equal(result.tip_height, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_tasks_wake_in_the_order_of_time_then_creation),
        T(test_every_fires_at_whole_multiples_of_its_interval),
        T(test_each_callback_may_wait_by_itself),
        T(test_sleep_in_a_coroutine_of_the_script_waits_for_all),
        T(test_a_refused_wait_leaves_nothing_behind),
        T(test_a_failed_check_fails_the_run_and_lets_it_go_on),
        T(test_always_stops_the_run_at_its_first_failure),
        T(test_conditions_may_look_and_nothing_else),
        T(test_each_judgement_has_steps_of_its_own),
        T(test_eventually_holds_or_fails_at_its_deadline),
        T(test_a_pending_eventually_fails_at_the_duration),
        T(test_a_run_ends_at_its_duration_while_run_still_waits),
        T(test_wait_returns_when_it_holds_and_stops_the_run_if_it_does_not),
        T(test_waits_in_large_networks_are_judged_at_a_pace_and_always_is_not),
        T(test_sometimes_metric_and_log_are_told),
        T(test_a_failure_tells_the_last_events_in_words),
        T(test_pairs_are_sorted_and_random_comes_from_the_seed),
        T(test_one_seed_gives_one_run_in_one_process_and_another_another),
        T(test_the_world_draws_from_the_seed_too),
        T(test_salt_changes_the_dice_of_the_world_and_none_of_the_script),
        T(test_an_interrupt_ends_the_run_soon),
        T(test_final_tips_are_told_of_every_node_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
