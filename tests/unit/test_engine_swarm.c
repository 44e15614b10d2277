/* Swarm mode: what a seed draws, that it repeats, that it can be left out; the heal; what liveness
 * asks for; which tables are refused. */
#include "scenarios/swarm.h"
#include "tests/unit/engine_fixture.h"

#define SEEDS 200u

/* A scenario with this swarm table and this body of run(net, p), which begins on line 4. */
static const char *scenario_of(const char *swarm, const char *body)
{
    static char text[8192];
    int len = snprintf(
        text, sizeof text,
        "local F = { every = 8 } scenario { name = 't', duration = 50,\n"
        "  params = { n = 5, x = 0.5, y = 0.5, word = 'a', flag = false },\n  swarm = %s }\n"
        "function run(net, p)\n%s\nend\n",
        swarm, body);
    assert_true(len > 0 && (size_t)len < sizeof text);
    return text;
}

static void run_swarm(const char *swarm, const char *body)
{
    options.swarm = true;
    run_text(scenario_of(swarm, body));
}

static void passes_swarm(const char *swarm, const char *body)
{
    run_swarm(swarm, body);
    if (result.outcome != ENGINE_PASS)
        fail_msg("outcome %d: %.300s\n%.900s", (int)result.outcome, result.reason, told);
}

/* How many lines begin with these words. */
static uint32_t lines(const char *begin)
{
    uint32_t n = 0;
    for (const char *at = told; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
        n += strncmp(at, begin, strlen(begin)) == 0;
    return n;
}

static const char all_kinds[] =
    "{ from = 5, lasting = 60, settle = 60, faults = { kill = F, pause = F, skew = F, disk = F, "
    "partition = F, blackhole = F, flap = F, degrade = F, reset_links = F, half_open = F, "
    "forget_links = F } }";
static const char miners[] = "net:spawn(6, { seeds = 3, miners = 2, block_interval = 4 })";

/* ---- the draw ---- */

static void test_equal_seeds_draw_equal_runs_and_others_draw_others(void **state)
{
    (void)state;
    static char first[sizeof told];
    passes_swarm(all_kinds, miners);
    uint64_t hash = result.trace_hash;
    memcpy(first, told, sizeof first);
    assert_true(lines("decision") > 5);
    passes_swarm(all_kinds, miners);
    assert_string_equal(first, told);
    assert_true(result.trace_hash == hash);
    options.by_time = true;
    passes_swarm(all_kinds, miners);
    assert_true(result.trace_hash == hash);
    options.seed = 2;
    passes_swarm(all_kinds, miners);
    assert_string_not_equal(first, told);
}

static void test_each_kind_is_on_in_half_of_the_seeds_and_never_none(void **state)
{
    (void)state;
    static const char *const words[] = {" kill", " skew", " flap"};
    uint32_t on[3] = {0};
    uint32_t met = 0;
    options.until_ns = 1;
    for (options.seed = 1; options.seed <= SEEDS; options.seed++) {
        uint32_t subset = 0;
        run_swarm("{ faults = { 'kill', 'skew', 'flap' } }", "net:spawn(1)");
        const char *off = strstr(result.swarm, "; off");
        assert_non_null(off);
        for (unsigned k = 0; k < 3; k++)
            if (strstr(result.swarm, words[k]) < off) {
                on[k]++;
                subset |= 1u << k;
            }
        met |= 1u << subset;
    }
    assert_int_equal(met, 0xfe);     /* all subsets but none */
    for (unsigned k = 0; k < 3; k++) /* 1/2 + 1/24, 200 tosses: within 4 standard deviations */
        assert_in_range(on[k], 80, 137);
}

static uint32_t count_of(const char *words)
{
    uint32_t n = 0;
    for (const char *at = told; (at = strstr(at, words)); at++)
        n++;
    return n;
}

/* As BUGGIFY has it: in a quarter of the seeds, and there in a quarter of the cases. */
static void test_rare_ways_are_there_in_a_quarter_of_the_seeds_and_rare_there(void **state)
{
    (void)state;
    uint32_t seeds = 0;
    uint32_t kills = 0;
    uint32_t silent = 0;
    for (options.seed = 1; options.seed <= 100; options.seed++) {
        passes_swarm("{ from = 0, lasting = 40, faults = { kill = { every = 1, lasting = 1 } } }",
                     "net:spawn(10, { seeds = 1 })");
        uint32_t now = count_of("\"silently\":true");
        seeds += now > 0;
        silent += now;
        kills += now > 0 ? lines("decision") : 0;
    }
    assert_in_range(seeds, 12, 40);
    assert_in_range(100 * silent / kills, 20, 30);
}

static void test_faults_come_in_their_time_and_of_kinds_that_are_on(void **state)
{
    (void)state;
    uint32_t faults = 0;
    uint32_t shorter = 0;
    for (options.seed = 1; options.seed <= 10; options.seed++) {
        passes_swarm(
            "{ from = 20, lasting = 40, settle = 60, faults = { kill = { every = 5, lasting "
            "= uniform(2, 4) }, pause = { every = 5 } } }",
            "net:spawn(6, { seeds = 3, miners = 2, block_interval = 4 })\n"
            "at(20, function() log 'begin' end) at(60, function() log 'end' end)");
        bool kill = strstr(result.swarm, " kill") < strstr(result.swarm, "; off");
        const char *begin = strstr(told, "log begin");
        const char *end = strstr(told, "log end");
        assert_true(begin && end);
        assert_true((lines("decision") == 0) || strstr(told, "decision 1 ") > begin);
        assert_null(strstr(end, "decision "));
        if (!kill)
            assert_null(strstr(told, " kill {"));
        for (const char *at = told; (at = strstr(at, "kill {\"lasting\":")); at++, faults++) {
            double lasting = strtod(at + strlen("kill {\"lasting\":"), NULL);
            assert_true(lasting > 0 && lasting < 4);
            shorter += lasting < 2; /* the heal comes before its end */
        }
    }
    assert_true(faults > 10 && shorter * 4 < faults);
}

static void test_parameters_are_drawn_within_what_is_allowed(void **state)
{
    (void)state;
    static const char swarm[] =
        "{ faults = { 'kill' }, params = { n = uniform(3, 6), x = uniform(1, 2), y = uniform(1, "
        "2), word = { 'b', 'c' }, flag = { true, false } } }";
    uint32_t n[8] = {0};
    uint32_t b = 0;
    uint32_t flags = 0;
    char why_not[200];
    struct engine *engine = load_text(scenario_of(swarm, ""));
    assert_non_null(engine);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        char json[200];
        char word[2];
        char flag[6];
        int whole;
        double x;
        double y;
        assert_true(engine_swarm_params(engine, seed, NULL, 0, json, sizeof json, why_not, 200));
        assert_int_equal(
            sscanf(json, "{\"flag\":%5[a-z],\"n\":%d,\"word\":\"%1[a-z]\",\"x\":%lf,\"y\":%lf}",
                   flag, &whole, word, &x, &y),
            5);
        assert_in_range(whole, 3, 6);
        assert_true(x >= 1 && x < 2 && y >= 1 && y < 2 && (x < y || x > y));
        assert_true(*word == 'b' || *word == 'c');
        n[whole]++;
        b += *word == 'b';
        flags += *flag == 't';
    }
    for (unsigned i = 3; i <= 6; i++)
        assert_in_range(n[i], 25, 75);
    assert_in_range(b, 70, 130);
    assert_in_range(flags, 70, 130);
    engine_free(engine);
}

/* What a seed drew, given as parameters, is the same run; one that is given moves no other. */
static void test_a_parameter_that_is_given_is_not_drawn_and_moves_no_other(void **state)
{
    (void)state;
    static const char swarm[] =
        "{ from = 5, lasting = 20, faults = { 'kill', 'pause' }, params = { n = uniform(3, 6), x = "
        "uniform(1, 2), word = { 'b', 'c' } } }";
    static const char body[] = "net:links { latency = p.x / 10 }\n"
                               "net:spawn(p.n, { miners = 1, block_interval = 3 })\n"
                               "log(p.n .. ' ' .. p.x .. ' ' .. p.word)";
    struct engine_param given[] = {{"n", "9"}, {"x", NULL}, {"word", NULL}};
    char drawn[400];
    char text[3][100] = {{0}};
    passes_swarm(swarm, body);
    uint64_t hash = result.trace_hash;
    assert_int_equal(
        sscanf(strstr(told, "log "), "log %99[^ ] %99[^ ] %99[^\n]", text[0], text[1], text[2]), 3);
    options.params = given;
    options.param_count = 1;
    passes_swarm(swarm, body);
    snprintf(drawn, sizeof drawn, "log 9 %s %s\n", text[1], text[2]);
    expect_told(drawn);
    for (size_t i = 0; i < 3; i++)
        given[i].value = text[i];
    options.param_count = 3;
    passes_swarm(swarm, body);
    assert_true(result.trace_hash == hash);
}

static void test_without_swarm_mode_the_table_changes_nothing(void **state)
{
    (void)state;
    run_text(scenario_of(all_kinds, miners));
    uint64_t hash = result.trace_hash;
    assert_int_equal(result.outcome, ENGINE_PASS);
    assert_string_equal(result.swarm, "");
    assert_int_equal(lines("decision"), 0);
    assert_null(strstr(told, "swarm"));
    run_text("scenario { duration = 50 }\nfunction run(net)\n"
             "net:spawn(6, { seeds = 3, miners = 2, block_interval = 4 }) end");
    assert_true(result.trace_hash == hash);
}

/* ---- decisions ---- */

/* The line of decision `no` up to its parameters' end. */
static void decision_line(uint32_t no, char out[600])
{
    char begin[40];
    snprintf(begin, sizeof begin, "decision %u ", no);
    const char *at = strstr(told, begin);
    snprintf(out, 600, "%.*s", at ? (int)strcspn(at, "\n") : 0, at ? at : "");
}

static void test_what_is_left_out_does_nothing_and_all_others_stay(void **state)
{
    (void)state;
    static char lines_of[128][600];
    passes_swarm(all_kinds, miners);
    uint32_t count = lines("decision");
    assert_in_range(count, 6, 127);
    for (uint32_t no = 1; no <= count; no++)
        decision_line(no, lines_of[no]);
    for (uint32_t no = 1; no <= count; no++) {
        options.without = &no;
        options.without_count = 1;
        passes_swarm(all_kinds, miners);
        assert_int_equal(lines("decision"), count);
        for (uint32_t i = 1; i <= count; i++) {
            char now[600];
            decision_line(i, now);
            assert_memory_equal(now, lines_of[i], strlen(lines_of[i]));
            assert_int_equal(strstr(now, " left out") != NULL, i == no);
        }
    }
}

static void test_without_all_of_them_the_run_is_as_if_there_were_none(void **state)
{
    (void)state;
    static uint32_t all[128];
    for (uint32_t i = 0; i < 128; i++)
        all[i] = i + 1;
    options.without = all;
    options.without_count = 128;
    passes_swarm(all_kinds, miners);
    assert_true(lines("decision") > 5);
    for (const char *at = told; (at = strstr(at, "\nstep ")); at++)
        if (strncmp(at + 6, "left out", 8) != 0 && strncmp(at + 6, "heal", 4) != 0 &&
            strncmp(at + 6, "spawn", 5) != 0)
            fail_msg("%.200s", at);
}

static void test_the_scripts_own_faults_are_left_out_where_their_kind_is_off(void **state)
{
    (void)state;
    static const char swarm[] = "{ lasting = 20, faults = { kill = { inject = false }, pause = { "
                                "inject = false }, 'peer' } }";
    static const char body[] = "local g = net:spawn(3)\n"
                               "net:partition(g[1], g[2], { lasting = 1 })\n"
                               "g[1]:kill() log(g[1]:alive()) g[1]:restart() log(g[1]:alive())\n"
                               "g[2]:pause() log(g[2]:paused()) g[2]:resume()\n"
                               "g[3]:restart()\n"
                               "net:peer { behaviour = 'silent' }\n"
                               "local on = net:swarm()\n"
                               "log(table.concat({ 'on', tostring(on.kill), tostring(on.pause), "
                               "tostring(on.peer) }, ' '))";
    uint32_t off = 0;
    for (options.seed = 1; options.seed <= 12; options.seed++) {
        char expected[60];
        passes_swarm(swarm, body);
        const char *end = strstr(result.swarm, "; off");
        bool kill = strstr(result.swarm, " kill") < end;
        bool pause = strstr(result.swarm, " pause") < end;
        bool peer = strstr(result.swarm, " peer") < end;
        assert_int_equal(lines("decision"), 6); /* with their numbers, whether taken or not */
        assert_non_null(strstr(told, "decision 1 partition {\"a\":[0],\"b\":[1],\"lasting\":1,"
                                     "\"one_way\":false}\n"));
        assert_int_equal(lines("step left out"), !kill * 3 + !pause + !peer);
        snprintf(expected, sizeof expected, "log %s\nlog true\n", kill ? "false" : "true");
        assert_true(!kill || strstr(told, "step restart 0"));
        assert_non_null(strstr(told, kill ? "log false\n" : "log true\n"));
        assert_non_null(strstr(told, kill ? "step kill 0" : "its kind is off in this seed"));
        snprintf(expected, sizeof expected, "log on %s %s %s\n", kill ? "true" : "nil",
                 pause ? "true" : "nil", peer ? "true" : "nil");
        expect_told(expected);
        off += !kill;
    }
    assert_in_range(off, 1, 11);
}

static void test_a_script_that_looks_first_is_not_refused_what_the_whole_run_was_not(void **state)
{
    (void)state;
    static const uint32_t first = 1;
    static const char body[] = "local n = net:spawn(1)[1]\n"
                               "if n:alive() then n:kill() end\n"
                               "if n:alive() then n:kill() end\n"
                               "if n:alive() and not n:paused() then n:pause() end\n"
                               "n:restart() if not n:paused() then n:pause() end";
    passes(body);
    assert_int_equal(lines("decision"), 3);
    options.without = &first;
    options.without_count = 1;
    passes(body);
    assert_int_equal(lines("decision"), 3);
    expect_told("decision 3 pause");
}

/* A node that is down by itself is started, whatever is off: nobody else would. */
static void test_a_restart_of_what_is_down_is_taken_always(void **state)
{
    (void)state;
    for (options.seed = 1; options.seed <= 12; options.seed++) {
        passes_swarm("{ lasting = 20, faults = { kill = { inject = false }, 'peer' } }",
                     "local n, other = table.unpack { net:spawn(1)[1], net:spawn(1)[1] }\n"
                     "local function up() n:connect(other) sleep(2) return n:ready() == 1 end\n"
                     "sleep(1) n:shutdown() check(not up(), 'down')\n"
                     "n:restart() check(up(), 'up again')\n"
                     "sleep(60) n:shutdown() sleep(5) n:restart() check(up(), 'after the heal')");
        assert_null(strstr(told, "left out"));
    }
}

/* Whether a node is struck depends on what was decided, not on what was carried out. */
static void test_a_fault_that_is_left_out_keeps_its_place_among_those_of_a_node(void **state)
{
    (void)state;
    static const uint32_t first = 1;
    static const char swarm[] =
        "{ from = 5, lasting = 60, faults = { kill = { every = 1, lasting = "
        "uniform(5, 20) } } }";
    passes_swarm(swarm, "net:spawn(1)");
    uint32_t count = lines("decision");
    assert_in_range(count, 3, 12);
    options.without = &first;
    options.without_count = 1;
    passes_swarm(swarm, "net:spawn(1)");
    assert_int_equal(lines("decision"), count);
    assert_int_equal(lines("step kill"), count - 1);
}

/* ---- healing ---- */

static void test_the_swarm_heals_what_the_script_broke_and_takes_no_more_faults(void **state)
{
    (void)state;
    passes_swarm("{ from = 10, lasting = 20, faults = { reset_links = { inject = false } } }",
                 BREAK_ALL "at(29, function() log 'before' end) sleep(11)\n" CHECK_WHOLE
                           "cut:heal() g[7]:resume() g[8]:restart()\n"
                           "net:partition(g, g) g[1]:kill() g[2]:pause()\n"
                           "check(g[1]:alive() and not g[2]:paused(), 'nothing more')");
    expect_told("step heal -1 everything; 4 faults of links");
    assert_int_equal(lines("step left out"), 5);
    expect_told("partition, decision 11: the faults are over");
    assert_true(strstr(told, "log before") < strstr(told, "step heal"));
}

/* Alone, for half a minute and to the heal: afterwards no trace of it is left. */
static void test_each_kind_alone_strikes_and_is_gone_after_the_heal(void **state)
{
    (void)state;
    for (unsigned k = 0; k < SWARM_PEER; k++) {
        char swarm[200];
        const char *kind = swarm_kind_name((enum swarm_kind)k);
        bool lasts = swarm_kind_lasts((enum swarm_kind)k);
        snprintf(swarm, sizeof swarm,
                 "{ from = 5, lasting = 30, settle = 90, faults = { %s = { every = 4%s } } }", kind,
                 lasts ? ", lasting = 1000" : "");
        passes_swarm(swarm,
                     "local g = net:spawn(8, { seeds = 5, miners = 2, block_interval = 3 })\n"
                     "sleep(35.1)\n"
                     "check(g:all(function(n) return n:alive() and not n:paused() end), 'there')\n"
                     "check(g:all(function(n) local off = n:info().clock - now() - 1744100000\n"
                     "  return off < 9 and off > -9 end), 'right')\n"
                     "wait('links', 90, function() return g:all(function(n) return n:ready() >= 3 "
                     "end) end)\n"
                     "g:each(function(n) n:restart() end) sleep(20)\n"
                     "check(g:all(function(n) return n:height() > 0 end), 'good disks')");
        char begin[40];
        snprintf(begin, sizeof begin, "decision 1 %s {", kind);
        expect_told(begin);
        const char *lasting = strstr(told, "\"lasting\":");
        assert_int_equal(lasting != NULL, lasts);
        assert_true(!lasting || strtod(lasting + strlen("\"lasting\":"), NULL) <= 30);
        snprintf(begin, sizeof begin, "step %s ", kind);
        assert_true(lines(begin) > 0);
        expect_told("check eventually after the faults all agree on a tip that grows ok");
    }
}

static void test_what_lasts_is_over_in_its_time_and_leaves_alone_what_the_script_did(void **state)
{
    (void)state;
    static const char *const ends[][2] = {{"kill", "step restart"},
                                          {"pause", "step resume"},
                                          {"skew", "node-0001: right again"},
                                          {"disk", "node-0001: good again"}};
    for (size_t i = 0; i < 4; i++) {
        char swarm[200];
        snprintf(swarm, sizeof swarm,
                 "{ from = 5, lasting = 60, faults = { %s = { every = 5, lasting = 2 } } }",
                 ends[i][0]);
        passes_swarm(swarm, "net:spawn(1)");
        const char *heal = strstr(told, "step heal");
        const char *end = strstr(told, ends[i][1]);
        if (!end || !heal || end > heal)
            fail_msg("%s: %.900s", ends[i][0], told);
    }
    passes_swarm("{ from = 5, lasting = 60, faults = { kill = { every = 3, lasting = 4 } } }",
                 "local n = net:spawn(1)[1]\n"
                 "while n:alive() do sleep(0.1) end n:kill()\n"
                 "sleep(30) check(not n:alive(), 'the script has killed it, too')\n"
                 "n:restart() check(n:alive(), 'and starts it')");
    passes_swarm("{ from = 5, lasting = 60, faults = { skew = { every = 3, lasting = 4 } } }",
                 "local n = net:spawn(1)[1]\n"
                 "sleep(20) n:skew(99999) sleep(30)\n"
                 "check(n:info().clock - now() - 1744100000 > 90000, 'it stays')");
}

/* ---- liveness ---- */

static void test_nodes_that_do_not_agree_after_the_heal_fail_the_run(void **state)
{
    (void)state;
    static const char swarm[] =
        "{ from = 5, lasting = 10, settle = 20, faults = { reset_links = { inject = false } } }";
    run_swarm(swarm, "net:spawn(2, { seeds = 0, miners = 2, block_interval = 2 })");
    assert_int_equal(result.outcome, ENGINE_FAIL);
    expect_reason(ENGINE_FAIL, ":1: eventually failed at t=35.000000 s: after the faults all agree",
                  "(1 of 2 nodes on another tip, the highest at ");
    run_swarm(swarm, "net:spawn(2, { miners = 2, block_interval = 1e7 })");
    expect_reason(ENGINE_FAIL, ":1: eventually failed at t=35.000000 s: after the faults all agree",
                  "(0 of 2 nodes on another tip, the highest at 0, at the heal 0)");
    passes_swarm(swarm, "local g = net:spawn(3, { miners = 1, block_interval = 2 })\n"
                        "sleep(6) g[3]:shutdown()"); /* it is no part of what lives */
    passes_swarm(swarm, "net:spawn(2)");
    expect_told("step swarm -1 no node mines");
    passes_swarm(swarm, "local g = net:spawn(2, { miners = 1, block_interval = 1e7 })\n"
                        "at(20, function() g[1]:mine_every(0) end)");
    expect_told("tip that grows ok @20000000000\n");
}

static void test_what_must_hold_eventually_has_time_until_after_the_heal(void **state)
{
    (void)state;
    static const char swarm[] =
        "{ from = 5, lasting = 10, settle = 20, faults = { reset_links = { inject = false } } }";
    static const char body[] = "local g = net:spawn(1)\n"
                               "at(34, function() g[1]:mine() end)\n"
                               "eventually('mined', 1, function() return g[1]:height() > 0 end)\n"
                               "wait('waited', 2, function() return g[1]:height() > 0 end)\n"
                               "eventually('again', 3, function() return g[1]:height() > 1 end)";
    run_text(scenario_of(swarm, body));
    expect_reason(ENGINE_FAIL, ":7: eventually failed at t=1.0", "mined");
    run_swarm(swarm, body);
    expect_reason(ENGINE_FAIL, ":9: eventually failed at t=37.0", "again");
    expect_told("check eventually mined ok @34000000000\n");
    expect_told("check wait waited ok");
}

static void test_a_run_that_ends_before_the_heal_says_that_nothing_was_judged(void **state)
{
    (void)state;
    options.until_ns = 20 * NS_PER_S;
    passes_swarm(all_kinds, miners);
    assert_true(result.sim_ns == options.until_ns);
    expect_told("step swarm -1 the run ends before the faults do: no liveness is judged\n");
    assert_null(strstr(told, "after the faults"));
}

/* ---- what is refused ---- */

static void refused_table(const char *swarm, const char *words)
{
    options.swarm = false;
    run_text(scenario_of(swarm, ""));
    expect_reason(ENGINE_BAD_SCENARIO, ":", words);
    if (!strstr(result.reason, "t.lua:1: ") && !strstr(result.reason, "t.lua:3: "))
        fail_msg("no place: %s", result.reason);
}

static void test_wrong_tables_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *swarm, *words;
    } wrong[] = {
        {"5", "scenario: swarm must be a table, got 5"},
        {"{}", "swarm: faults are missing: name some, like"},
        {"{ faults = {} }", "swarm: faults is empty: name some"},
        {"{ faults = 'kill' }", "swarm: faults must be a table, got \"kill\""},
        {"{ fault = { 'kill' } }", "swarm: unknown option 'fault'; did you mean 'faults'?"},
        {"{ faults = { 'kil' } }", "swarm: 'kil' is no kind of fault; did you mean 'kill'?"},
        {"{ faults = { 'earthquake' } }", "there are: kill, pause, skew, disk, partition"},
        {"{ faults = { 'kill', 'kill' } }", "swarm: 'kill' stands among the faults twice"},
        {"{ faults = { 'kill', kill = {} } }", "'kill' stands among the faults twice"},
        {"{ faults = { 3 } }", "swarm: faults must be names, or name = { settings }, got a number"},
        {"{ faults = { [true] = {} } }", "swarm: faults must be names"},
        {"{ faults = { kill = 3 } }", "faults.kill must be a table of settings, like"},
        {"{ faults = { kill = { evry = 3 } } }", "unknown option 'evry'; did you mean 'every'?"},
        {"{ faults = { kill = { every = 0.5 } } }", "every must be seconds, 1..100000, got 0.5"},
        {"{ faults = { kill = { every = 0/0 } } }", "every must be seconds, 1..100000"},
        {"{ faults = { kill = { lasting = 3601 } } }", "lasting must be a number or a distr"},
        {"{ faults = { kill = { lasting = {1, 2} } } }", "lasting must be a number or a distr"},
        {"{ faults = { reset_links = { lasting = 3 } } }", "faults.reset_links is over at once"},
        {"{ faults = { peer = {} } }", "faults.peer has no settings"},
        {"{ faults = { 'kill' }, from = -1 }", "swarm: from must be seconds, 0..100000, got -1"},
        {"{ faults = { 'kill' }, lasting = 0 }", "swarm: lasting must be seconds, 1..100000"},
        {"{ faults = { 'kill' }, settle = 1e6 }", "swarm: settle must be seconds, 1..100000"},
        {"{ faults = { 'kill' }, params = { m = {1} } }", "params.m is no parameter of this"},
        {"{ faults = { 'kill' }, params = { wrd = {1} } }", "did you mean 'word'?"},
        {"{ faults = { 'kill' }, params = { n = 3 } }", "params.n must be a list of values or a"},
        {"{ faults = { 'kill' }, params = { n = {} } }", "params.n must be a list of 1..1000"},
        {"{ faults = { 'kill' }, params = { n = { a = 1 } } }", "params.n must be a list of 1.."},
        {"{ faults = { 'kill' }, params = { n = { 1, nil, 3 } } }", "must be a list of 1..1000"},
        {"{ faults = { 'kill' }, params = { n = { 1, a = 2 } } }", "must be a list of 1..1000"},
        {"{ faults = { 'kill' }, params = { n = uniform(0, 1e16) } }", "give uniform(lo, hi) of w"},
        {"{ faults = { 'kill' }, params = { n = { 1, 2.5 } } }",
         "value 2 of params.n must be a whole number, as its default is"},
        {"{ faults = { 'kill' }, params = { x = { 1, 'a' } } }", "params.x must be a number"},
        {"{ faults = { 'kill' }, params = { x = { 1/0 } } }", "value 1 of params.x must be a num"},
        {"{ faults = { 'kill' }, params = { word = { 1 } } }", "params.word must be UTF-8 text"},
        {"{ faults = { 'kill' }, params = { word = { '\\255' } } }", "must be UTF-8 text"},
        {"{ faults = { 'kill' }, params = { flag = { 1 } } }", "params.flag must be true or false"},
        {"{ faults = { 'kill' }, params = { word = uniform(1, 2) } }", "is a text by its default"},
        {"{ faults = { 'kill' }, params = { flag = uniform(0, 1) } }", "is true or false by its"},
        {"{ faults = { 'kill' }, params = { n = uniform(1, 2.5) } }", "give uniform(lo, hi) of "},
        {"{ faults = { 'kill' }, params = { n = exponential(3) } }", "give uniform(lo, hi) of wh"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        refused_table(wrong[i].swarm, wrong[i].words);
}

static void test_distributions_of_any_kind_outlive_the_file_they_stand_in(void **state)
{
    (void)state;
    passes_swarm(
        "{ from = 5, lasting = 20, faults = { kill = { every = 2, lasting = empirical { 1, "
        "2 } } }, params = { x = empirical { 7, 8 } } }",
        "check(p.x >= 7 and p.x <= 8, 'x') net:spawn(4)");
    assert_true(lines("decision") > 2);
    assert_non_null(strstr(told, "kill {\"lasting\":1"));
}

static void test_a_scenario_without_a_table_has_no_swarm_mode(void **state)
{
    (void)state;
    options.swarm = true;
    run_text("scenario { duration = 1 }\nfunction run() end\n");
    expect_reason(ENGINE_BAD_SCENARIO, " allows no swarm mode: say in scenario { }",
                  "swarm = { faults = { \"kill\", \"partition\" } }");
    struct engine *engine = load_text("scenario { duration = 1 }\nfunction run() end\n");
    char json[100];
    assert_non_null(engine);
    assert_false(engine_about(engine)->swarm);
    assert_false(engine_swarm_params(engine, 1, NULL, 0, json, sizeof json, why, sizeof why));
    assert_non_null(strstr(why, "allows no swarm mode"));
    engine_free(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_equal_seeds_draw_equal_runs_and_others_draw_others),
        T(test_each_kind_is_on_in_half_of_the_seeds_and_never_none),
        T(test_rare_ways_are_there_in_a_quarter_of_the_seeds_and_rare_there),
        T(test_faults_come_in_their_time_and_of_kinds_that_are_on),
        T(test_parameters_are_drawn_within_what_is_allowed),
        T(test_a_parameter_that_is_given_is_not_drawn_and_moves_no_other),
        T(test_without_swarm_mode_the_table_changes_nothing),
        T(test_what_is_left_out_does_nothing_and_all_others_stay),
        T(test_without_all_of_them_the_run_is_as_if_there_were_none),
        T(test_the_scripts_own_faults_are_left_out_where_their_kind_is_off),
        T(test_a_script_that_looks_first_is_not_refused_what_the_whole_run_was_not),
        T(test_a_restart_of_what_is_down_is_taken_always),
        T(test_a_fault_that_is_left_out_keeps_its_place_among_those_of_a_node),
        T(test_the_swarm_heals_what_the_script_broke_and_takes_no_more_faults),
        T(test_each_kind_alone_strikes_and_is_gone_after_the_heal),
        T(test_what_lasts_is_over_in_its_time_and_leaves_alone_what_the_script_did),
        T(test_nodes_that_do_not_agree_after_the_heal_fail_the_run),
        T(test_what_must_hold_eventually_has_time_until_after_the_heal),
        T(test_a_run_that_ends_before_the_heal_says_that_nothing_was_judged),
        T(test_wrong_tables_are_refused),
        T(test_distributions_of_any_kind_outlive_the_file_they_stand_in),
        T(test_a_scenario_without_a_table_has_no_swarm_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
