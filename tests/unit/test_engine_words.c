/* What the vocabulary refuses, with file, line, what was given and the way out. */
#include "tests/unit/engine_fixture.h"

static void test_files_without_a_scenario_or_run_say_so(void **state)
{
    (void)state;
    run_text("function run(net, p) end");
    expect_reason(ENGINE_BAD_SCENARIO, ":1: ", "there is no scenario { name");
    run_text("scenario { name = 'x', duration = 1 }");
    expect_reason(ENGINE_BAD_SCENARIO, ":1: ", "there is no function run(net, p)");
    run_text("scenario { name = 'x', duration = 1 }\n\nfunction run(net, p");
    expect_reason(ENGINE_BAD_SCENARIO, ":3: ", "expected near");
    run_text("scenario { name = 'x', duration = 1 }\nscenario { name = 'x', duration = 1 }");
    expect_reason(ENGINE_BAD_SCENARIO, ":2: ", "given twice");
    run_text("\nscenario 'x'");
    expect_reason(ENGINE_BAD_SCENARIO, ":2: ", "scenario takes a table");
    assert_null(engine_load("/tmp/vn-no-such-scenario.lua", why, sizeof why));
    assert_non_null(strstr(why, "/tmp/vn-no-such-scenario.lua: No such file"));
}

static void test_scenario_tables_are_checked(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"scenario { name = 'x' }", "duration (in seconds) is missing"},
        {"scenario { duration = -1 }", "duration must be 0..100000000, got -1"},
        {"scenario { duration = 0 }", "more than 0 seconds"},
        {"scenario { duration = 0/0 }", "duration must be 0..100000000, got nan"},
        {"scenario { duration = '5' }", "duration must be 0..100000000, got \"5\""},
        {"scenario { duration = 1, nmae = 'x' }", "unknown option 'nmae'; did you mean 'name'?"},
        {"scenario { duration = 1, params = 3 }", "params must be a table, got 3"},
        {"scenario { duration = 1, params = { a = {} } }", "parameter a must be a number"},
        {"scenario { duration = 1, params = { a = 1/0 } }", "parameter a must be a finite number"},
        {"scenario { duration = 1, params = { a = '\\xff' } }", "parameter a must be UTF-8"},
        {"scenario { duration = 1, params = { 5 } }", "params must be { name = value }"},
        {"scenario { duration = 1, better = { a = 'least' } }", "got least for a"},
        {"scenario { duration = 1, better = { a = {} } }", "got a table for a"},
        {"scenario { duration = 1, better = { 'less' } }", "got less for a number"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        run_text(texts[i][0]);
        expect_reason(ENGINE_BAD_SCENARIO, ":1: scenario: ", texts[i][1]);
    }
}

static void test_the_network_is_not_there_at_the_top_level(void **state)
{
    (void)state;
    static const char *const calls[] = {"sleep(1)", "check(true, 'x')", "now()", "at(1, print)",
                                        "log('x')"};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        char text[100];
        snprintf(text, sizeof text, "\n%s", calls[i]);
        run_text(text);
        expect_reason(ENGINE_BAD_SCENARIO, ":2: ", "only while run(net, p) runs");
    }
}

static void test_unknown_options_get_a_suggestion(void **state)
{
    (void)state;
    refused("net:spawn(2, { minres = 1 })", "net:spawn: unknown option 'minres'; did you mean "
                                            "'miners'?");
    refused("net:links { latencey = 1 }", "net:links: unknown option 'latencey'; did you mean "
                                          "'latency'?");
    refused("net:links { zzz = 1 }", "there are: latency, jitter, loss, bandwidth");
    refused("net:spawn(2, { config = { max_outbond = 1 } })",
            "net:spawn config: unknown option 'max_outbond'; did you mean 'max_outbound'?");
    refused("local g = net:spawn(2) net:partition(g[1], g[2], { oneway = true })",
            "net:partition: unknown option 'oneway'; did you mean 'one_way'?");
    refused("net:peer { on_mesage = print }", "net:peer: unknown option 'on_mesage'; did you mean "
                                              "'on_message'?");
    refused("net:spawn(2)[1]:submit_tx { vlaue = 1 }", "submit_tx: unknown option 'vlaue'; did you "
                                                       "mean 'value'?");
    refused("local g = net:spawn(2) g[1]:kill() g[1]:restart { losedisk = true }",
            "restart: unknown option 'losedisk'; did you mean 'lose_disk'?");
}

static void test_unknown_names_get_a_suggestion(void **state)
{
    (void)state;
    refused("net:spwan(2)", "a net has no 'spwan'; did you mean 'spawn'?");
    refused("net:spawn(2)[1]:hieght()", "a node has no 'hieght'; did you mean 'height'?");
    refused("net:spawn(2):eech(print)", "a group has no 'eech'; did you mean 'each'?");
    refused("net:peer():dail()", "a peer has no 'dail'; did you mean 'dial'?");
    refused("evnetually('x', 1, print)", "undefined global 'evnetually'; did you mean "
                                         "'eventually'?");
    refused("net.x = 1", "a net cannot be changed");
}

/* Words of the vocabulary that no world can do yet are told from misspelt ones. */
static void test_values_out_of_range_are_refused(void **state)
{
    (void)state;
    refused("net:links { latency = -1 }", "latency must be a number or a distribution, 0..3600, "
                                          "got -1");
    refused("net:links { latency = 3601 }", "0..3600, got 3601");
    refused("net:links { latency = 'x' }", "got \"x\"");
    refused("net:links { latency = 0/0 }", "got nan");
    refused("net:links { latency = uniform(-1, 1) }", "uniform");
    refused("net:links { latency = normal(1) }", "normal: sd must be a number, got nil");
    refused("net:links { loss = 0.51 }", "net:links: loss must be 0..0.5, got 0.51");
    refused("net:links { loss = -0.1 }", "loss must be 0..0.5, got -0.1");
    refused("net:links { bandwidth = 0.5 }", "bandwidth must be bits/s, 0 or more, got 0.5");
    refused("net:links { bandwidth = -1 }", "bandwidth must be bits/s, 0 or more, got -1");
    refused("net:spawn(0)", "the number of nodes must be a whole number, 1..1000000, got 0");
    refused("net:spawn(1.5)", "got 1.5");
    refused("net:spawn(1000001)", "got 1000001");
    refused("net:spawn()", "the number of nodes must be a whole number, 1..1000000, got nil");
    refused("net:spawn('2')", "got \"2\"");
    refused("net:spawn(2, { miners = 3 })", "miners must be at most the number of nodes, 2, got 3");
    refused("net:spawn(2, { seeds = 2 })", "seeds must be at most 1");
    refused("net:spawn(2, { block_interval = 5 })", "say miners = 1 or more");
    refused("net:spawn(2, { miners = 1, block_interval = 0 })", "block_interval must be seconds");
    refused("net:spawn(1, { config = { max_outbound = 10001 } })", "max_outbound");
    refused("net:spawn(1, { config = { ping_after = -1 } })", "ping_after must be seconds");
    refused("net:spawn(1, { config = { ban_by = 'x' } })", "\"auto\", \"ip\" or \"id\", got \"x\"");
    refused("net:spawn(1, { version = ('1'):rep(40) })", "version must be at most 31 bytes");
    refused("net:spawn(2) net:split(1.1)", "the share must be 0..1, got 1.1");
    refused("net:spawn(1)[1]:mine(1001)", "the number must be a whole number, 1..1000, got 1001");
    refused("sleep(-1)", "sleep: the time must be seconds, 0..1e9, got -1");
    refused("sleep(0/0)", "got nan");
    refused("sleep(1e10)", "got 10000000000.0");
    refused("sleep()", "got nil");
    refused("every(0, print)", "every: the interval must be at least 1 ns, got 0");
    refused("sleep(5) at(1, print)", "at: 1 s is over, it is 5 s");
}

static void test_a_value_of_the_wrong_kind_is_named(void **state)
{
    (void)state;
    refused("net:links(net:spawn(2))", "the options must be a table { name = value }, got a group");
    refused("net:spawn(net:spawn(1))", "got a group");
    refused("local g = net:spawn(2) net:partition(g, 5)",
            "a table of these is needed, got a number");
    refused("local g = net:spawn(2) net:partition(g, net)", "got a net");
    refused("net:spawn(1)[1]:state(net)", "a node or a peer is needed, got a net");
    refused("local n = net:spawn(1)[1] n.height(n:addr())", "call it on a node, with a colon");
    refused("net.spawn(3)", "net:spawn: call it on the network, with a colon");
    refused("net.peer { 1 }", "net:peer: call it on the network, with a colon");
    refused("at(1, 'x')", "at takes a time and a function, got a string");
    refused("always('x', 5)", "always: argument 2 must be a function, got a number");
    refused("check(true)", "check: argument 2 must be a text that names the check, got nil");
    refused("metric('x', 'y')", "metric: the value of x must be a number, got a string");
    refused("net:spawn(1)[1]:submit_tx(5)", "table expected, got number");
}

/* The estimate comes first: nothing is allocated for a network that cannot be. */
static void test_a_network_too_large_for_the_machine_is_refused_at_once(void **state)
{
    (void)state;
    options.memory_max = 1u << 30;
    refused("net:spawn(1000000)", "1000000 nodes with 8 seeds need about 39062 MiB, with what is "
                                  "there 39062 MiB; the limit is 1024 MiB");
    assert_int_equal(result.nodes, 0);
    options.memory_max = 1u << 20;
    refused("net:spawn(10) net:spawn(10) net:spawn(10)", "the limit is 1 MiB");
    assert_int_equal(result.nodes, 20);
}

static void test_endless_scripts_hit_a_limit_with_their_place(void **state)
{
    (void)state;
    run_body("while true do end");
    expect_reason(ENGINE_BAD_SCENARIO, ":3: ", "steps without a wait");
    run_body("\npcall(function() while true do end end) log('went on')");
    expect_reason(ENGINE_BAD_SCENARIO, ":4: ", "steps without a wait");
    assert_null(strstr(told, "went on"));
    run_body("local t = {}\nwhile true do t[#t + 1] = ('x'):rep(1000):rep(100) .. #t end");
    expect_reason(ENGINE_BAD_SCENARIO, ":4: ", "64 MiB");
    run_body("\nwhile true do sleep(0) end");
    expect_reason(ENGINE_BAD_SCENARIO, ":4: ", "no time passes; sleep longer than 0");
    run_body("at(1, function()\nwhile true do end end) sleep(5)");
    expect_reason(ENGINE_BAD_SCENARIO, ":4: ", "steps without a wait");
    run_body("always('x', function()\nwhile true do end end)");
    expect_reason(ENGINE_BAD_SCENARIO, ":4: ", "steps without a wait");
    options.lua_memory_max = 256u << 20;
    run_body("local function f() return 1 + f() end\nf()");
    expect_reason(ENGINE_BAD_SCENARIO, ":3: ", "stack overflow");
    run_body("local function f() return (string.gsub('x', 'x', f)) end\nf()");
    expect_reason(ENGINE_BAD_SCENARIO, ":3: ", "stack overflow");
    run_text("while true do end");
    expect_reason(ENGINE_BAD_SCENARIO, ":1: ", "steps without a wait");
}

static void test_errors_have_a_place_wherever_they_happen(void **state)
{
    (void)state;
    refused("error({})", "an error that is a table");
    refused("error('plain', 0)", "plain");
    refused("local x = nil + 1", "arithmetic on a nil value");
    run_body("at(1,\nfunction() error('later', 0) end) sleep(5)");
    expect_reason(ENGINE_BAD_SCENARIO, ":4: ", "later");
    run_body("every(1,\nfunction() local x = nil + 1 end) sleep(5)");
    expect_reason(ENGINE_BAD_SCENARIO, ":4: ", "arithmetic on a nil value");
    run_body("net:spawn(2) eventually('x', 5,\nfunction() return nil + 1 end)");
    expect_reason(ENGINE_BAD_SCENARIO, ":4: ", "arithmetic on a nil value");
    run_body("net:spawn(2) local n = 0 always('x',\nfunction() n = n + 1 if n > 1 then error({}) "
             "end return true end) sleep(5)");
    expect_reason(ENGINE_BAD_SCENARIO, ":4: ", "an error that is a table");
    run_body("local g = net:spawn(1) local p = net:peer { on_link =\nfunction() error('up') end }\n"
             "p:dial(g[1]) sleep(5)");
    expect_reason(ENGINE_BAD_SCENARIO, ":4: ", "up");
}

/* ---- parameters ---- */

static void test_params_keep_their_types_and_become_canonical_json(void **state)
{
    (void)state;
    char json[200];
    struct engine *engine = load_text("scenario { name = 'p', duration = 1, params = { whole = 3, "
                                      "real = 0.5, flag = true, text = 'a\"b' } }\n"
                                      "function run(net, p) log(math.type(p.whole) .. ' ' .. "
                                      "math.type(p.real) .. ' ' .. tostring(p.flag) .. p.text .. "
                                      "p.whole) end");
    assert_non_null(engine);
    assert_true(engine_params(engine, NULL, 0, json, sizeof json, why, sizeof why));
    assert_string_equal(json, "{\"flag\":true,\"real\":0.5,\"text\":\"a\\\"b\",\"whole\":3}");
    const struct engine_param given[] = {
        {"whole", "12"}, {"flag", "false"}, {"text", "7"}, {"real", "4"}};
    assert_true(engine_params(engine, given, 4, json, sizeof json, why, sizeof why));
    assert_string_equal(json, "{\"flag\":false,\"real\":4.0,\"text\":\"7\",\"whole\":12}");
    told[0] = 0;
    options.params = given;
    options.param_count = 4;
    engine_run(engine, &options, NULL, NULL, &result);
    expect_told("log integer float false712\n");
    static const struct {
        struct engine_param param;
        const char *part;
    } bad[] = {
        {{"whole", "x"}, "p: the parameter whole must be a number, got \"x\""},
        {{"whole", ""}, "must be a number"},
        {{"whole", "nan"}, "must be a number"},
        {{"flag", "1"}, "the parameter flag must be true or false, got \"1\""},
        {{"text", "\xff"}, "must be UTF-8 text"},
        {{"wohle", "1"}, "p has no parameter 'wohle'; did you mean 'whole'?"},
        {{"zzzzzz", "1"}, "there are: flag, real, text, whole"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(engine_params(engine, &bad[i].param, 1, json, sizeof json, why, sizeof why));
        if (!strstr(why, bad[i].part))
            fail_msg("%s instead of %s", why, bad[i].part);
        options.params = &bad[i].param;
        options.param_count = 1;
        engine_run(engine, &options, NULL, NULL, &result);
        assert_int_equal(result.outcome, ENGINE_BAD_SCENARIO);
        assert_string_equal(result.reason, why);
    }
    assert_false(engine_params(engine, NULL, 0, json, 10, why, sizeof why));
    engine_free(engine);
}

static void test_a_scenario_says_which_way_its_metrics_get_better(void **state)
{
    (void)state;
    struct engine *engine = load_text("scenario { duration = 1, better = { wait = 'less', blocks = "
                                      "'more' } }\nfunction run() end");
    assert_non_null(engine);
    const struct engine_about *about = engine_about(engine);
    assert_int_equal(about->better_count, 2);
    assert_string_equal(about->better[0].metric, "blocks");
    assert_int_equal(about->better[0].better, ENGINE_BETTER_MORE);
    assert_string_equal(about->better[1].metric, "wait");
    assert_int_equal(about->better[1].better, ENGINE_BETTER_LESS);
    engine_run(engine, &options, NULL, NULL, &result);
    assert_int_equal(result.outcome, ENGINE_PASS);
    engine_free(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_files_without_a_scenario_or_run_say_so),
        T(test_scenario_tables_are_checked),
        T(test_the_network_is_not_there_at_the_top_level),
        T(test_unknown_options_get_a_suggestion),
        T(test_unknown_names_get_a_suggestion),
        T(test_values_out_of_range_are_refused),
        T(test_a_value_of_the_wrong_kind_is_named),
        T(test_a_network_too_large_for_the_machine_is_refused_at_once),
        T(test_endless_scripts_hit_a_limit_with_their_place),
        T(test_errors_have_a_place_wherever_they_happen),
        T(test_params_keep_their_types_and_become_canonical_json),
        T(test_a_scenario_says_which_way_its_metrics_get_better),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
