/* Faults of hosts as scenarios speak of them: what the words do, what they refuse, and that each of
 * them can be left out of a run. */
#include "tests/unit/engine_fixture.h"

static void without(uint32_t no)
{
    static uint32_t left_out;
    left_out = no;
    options.without = &left_out;
    options.without_count = no > 0;
}

static void test_a_paused_node_is_alive_and_takes_no_commands(void **state)
{
    (void)state;
    passes("local g = net:spawn(2)\n"
           "sleep(2)\n"
           "g[1]:pause()\n"
           "check(g[1]:alive() and g[1]:paused() and not g[2]:paused(), 'paused')\n"
           "local ok, why = g[1]:mine()\n"
           "check(not ok and why == 'the node is paused', 'no command', why)\n"
           "g[2]:mine()\n"
           "sleep(20)\n"
           "check(g[1]:height() == 0 and g[1]:state(g[2]) == 'ready', 'it hears nothing')\n"
           "g[1]:resume()\n"
           "sleep(2)\n"
           "check(g[1]:height() == 1 and not g[1]:paused(), 'it hears what piled up')");
    expect_told("decision 1 pause {\"node\":0}\n");
    expect_told("step resume 0");
    passes("local g = net:spawn(3)\n"
           "g:each(function(n) n:pause() end)\n"
           "check(g:all(function(n) return n:paused() end), 'all')\n"
           "g[1]:kill() g[2]:restart()\n"
           "check(not g[1]:paused() and not g[2]:paused(), 'a kill ends a pause')");
}

static void test_clocks_can_be_set_let_drift_and_jump(void **state)
{
    (void)state;
    passes("local g = net:spawn(2)\n"
           "local function off(n) return n:info().clock - now() - 1744100000 end\n"
           "local function near(x, y) return x - y < 0.001 and y - x < 0.001 end\n"
           "g[1]:skew(-7200.5)\n"
           "check(near(off(g[1]), -7200.5), 'set', off(g[1]))\n"
           "g[2]:skew { by = 60, drift = -1000 }\n"
           "sleep(50)\n"
           "check(off(g[1]) < -7200.4 and off(g[1]) > -7260, 'stays')\n"
           "check(near(off(g[2]), 59.95), 'drifts', off(g[2]))\n"
           "g[1]:skew { jump = -3, jump_every = 10 }\n"
           "sleep(30)\n"
           "check(near(off(g[1]), -9), 'jumps', off(g[1]))\n"
           "g[1]:skew(0) g[2]:skew 'right'\n"
           "check(near(off(g[1]), 0) and near(off(g[2]), 0), 'right again')");
    expect_told("decision 1 skew {\"by\":-7200.5,\"drift\":0,\"jump\":0,\"jump_every\":0,"
                "\"node\":0}\n");
    expect_told(
        "decision 2 skew {\"by\":60,\"drift\":-1000,\"jump\":0,\"jump_every\":0,\"node\":1}");
    assert_null(strstr(told, "decision 4"));
}

static void test_nodes_can_be_spawned_with_wrong_clocks(void **state)
{
    (void)state;
    static const char body[] =
        "local function off(n) return n:info().clock - now() - 1744100000 end\n"
        "local a = net:spawn(2, { skew = -30 })\n"
        "local b = net:spawn(40, { skew = uniform(10, 20), seeds = 2 })\n"
        "log(off(a[1]))\n"
        "local ahead = b:count(function(n) return off(n) >= 9.9 and off(n) <= 20.1 end)\n"
        "local behind = b:count(function(n) return off(n) <= -9.9 and off(n) >= -20.1 end)\n"
        "log(ahead + behind == 40 and ahead > 5 and behind > 5 and 'both' or 'right')";
    passes(body);
    expect_told("decision 1 skew {\"by\":{\"constant\":[-30]},\"nodes\":[\"0-1\"]}\n");
    expect_told("decision 2 skew {\"by\":{\"uniform\":[10,20]},\"nodes\":[\"2-41\"]}\n");
    expect_told("log -30.0\nlog both\n");
    without(2);
    passes(body);
    expect_told("log -30.0\nlog right\n");
}

static void test_a_bad_disk_loses_what_it_says(void **state)
{
    (void)state;
    passes("local g = net:spawn(1)\n"
           "sleep(1)\n"
           "g[1]:disk { fail_stores = 1 }\n"
           "g[1]:mine(3)\n"
           "sleep(1)\n"
           "g[1]:kill() g[1]:restart()\n"
           "sleep(1)\n"
           "check(g[1]:height() == 0, 'nothing was stored')\n"
           "g[1]:disk 'good'\n"
           "g[1]:mine(3)\n"
           "sleep(1)\n"
           "g[1]:restart()\n"
           "sleep(1)\n"
           "check(g[1]:height() == 3, 'all was stored')\n"
           "g[1]:disk { lie = 1 }\n"
           "g[1]:mine() sleep(1) g[1]:mine() sleep(1)\n"
           "g[1]:restart()\n"
           "sleep(1)\n"
           "check(g[1]:height() == 4, 'the last is lost', g[1]:height())\n"
           "g[1]:disk { hang = true }\n"
           "g[1]:restart()\n"
           "sleep(5)\n"
           "check(g[1]:height() == 0, 'nothing is read')\n"
           "g[1]:disk {}\n"
           "sleep(1)\n"
           "check(g[1]:height() == 4, 'it is read when the disk comes back')");
    expect_told("decision 1 disk {\"corrupt\":0,\"fail_loads\":0,\"fail_stores\":1,\"full\":false,"
                "\"hang\":false,\"lie\":0,\"node\":0,\"slow\":1,\"torn\":0}\n");
    passes("net:spawn(1)[1]:disk { latency = uniform(0.1, 0.2), slow = 3, fail = 0.5, torn = 1 }");
    expect_told("\"fail_loads\":0.5,\"fail_stores\":0.5,\"full\":false,\"hang\":false,"
                "\"latency\":{\"uniform\":[0.1");
}

static void test_a_restarted_node_knows_the_addresses_that_it_stored(void **state)
{
    (void)state;
    static const char body[] = "local g = net:spawn(2, { seeds = 0 })\n"
                               "g[2]:connect(g[1])\n"
                               "sleep(5)\n"
                               "g[2]:kill() g[1]:kill()\n"
                               "g[1]:restart { lose_disk = %s }\n"
                               "sleep(1)\n"
                               "check(g[1]:info().known == %d, 'known', g[1]:info().known)";
    char text[400];
    snprintf(text, sizeof text, body, "false", 1);
    passes(text);
    snprintf(text, sizeof text, body, "true", 0);
    passes(text);
}

/* Each log line tells that the fault was there; left out, it is not, nor what would end it. */
static void test_each_fault_can_be_left_out(void **state)
{
    (void)state;
    static const struct {
        const char *body, *with, *left_out;
    } faults[] = {
        {"local n = net:spawn(1)[1] n:pause() log(n:paused()) n:resume() log(n:paused())",
         "log true\n", "log false\nlog false\n"},
        {"local n = net:spawn(1)[1] n:skew(99) log(n:info().clock > 1744100050) n:skew(0)",
         "log true\n", "log false\n"},
        {"local n = net:spawn(1)[1] sleep(1) n:disk { full = true } n:mine() sleep(1) n:restart()\n"
         "sleep(1) log(n:height()) n:disk 'good'",
         "log 0\n", "log 1\n"},
        {"local n = net:spawn(1)[1] n:kill() log(n:alive()) n:restart()", "log false\n",
         "log true\n"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        without(0);
        passes(faults[i].body);
        expect_told(faults[i].with);
        assert_null(strstr(told, "left out"));
        without(1);
        passes(faults[i].body);
        expect_told(faults[i].left_out);
        expect_told(" left out\n");
    }
}

static void test_a_run_without_a_decision_is_refused_nothing(void **state)
{
    (void)state;
    static const char body[] = "local n = net:spawn(1)[1]\n"
                               "n:pause() n:kill() n:restart() n:pause() n:resume()\n"
                               "n:kill() n:restart() n:kill() log 'through'";
    for (uint32_t no = 0; no <= 7; no++) {
        without(no);
        passes(body);
        expect_told("log through");
    }
}

static void test_faults_that_contradict_the_state_are_refused(void **state)
{
    (void)state;
    refused("net:spawn(1)[1]:resume()", "resume: the node is not paused");
    refused("local n = net:spawn(1)[1] n:pause() n:pause()", "pause: the node is paused already");
    refused("local n = net:spawn(1)[1] n:kill() n:pause()",
            "pause: the node is not running: restart it first");
    refused("local n = net:spawn(1)[1] n:pause() n:kill() n:resume()",
            "resume: the node is not running: restart it instead");
    refused("local n = net:spawn(1)[1] n:kill() n:kill()", "kill: the node is not running");
    refused("net:peer():pause()", "a peer has no 'pause'");
    refused("net:spawn(1)[1].pause()", "pause: call it on a node, with a colon: node:pause(...)");
}

static void test_clocks_that_make_no_sense_are_refused(void **state)
{
    (void)state;
#define NODE "net:spawn(1)[1]:"
    refused(NODE "skew()", "skew: seconds, a table { by, drift, jump, jump_every } or \"right\" is "
                           "needed");
    refused(NODE "skew 'wrong'", "or \"right\" is needed");
    refused(NODE "skew(2e9)", "skew: the offset must be -1000000000..1000000000, got 2000000000");
    refused(NODE "skew(0/0)", "got nan");
    refused(NODE "skew { drift = 1000001 }", "drift must be -1000000..1000000, got 1000001");
    refused(NODE "skew { drift = 0.5 }", "drift must be a whole number of parts per million");
    refused(NODE "skew { jump = 5 }", "jump and jump_every need each other");
    refused(NODE "skew { jump_every = 5 }", "jump and jump_every need each other");
    refused(NODE "skew { jump = 1, jump_every = 0 }", "jump_every must be seconds, 0.001..");
    refused(NODE "skew { dirft = 5 }", "skew: unknown option 'dirft'; did you mean 'drift'?");
    refused("net:spawn(1, { skew = 2e9 })", "skew must be a number or a distribution, "
                                            "-1000000000..1000000000, got");
    refused("net:spawn(1)[1]:skwe(1)", "a node has no 'skwe'; did you mean 'skew'?");
}

static void test_disks_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    refused(NODE "disk()", "disk: a table of faults or \"good\" is needed, got nil");
    refused(NODE "disk 'bad'", "or \"good\" is needed");
    refused(NODE "disk { fail = 1.5 }", "disk: fail must be 0..1, got 1.5");
    refused(NODE "disk { slow = 0.5 }", "disk: slow must be 1..1000000, got 0.5");
    refused(NODE "disk { lie = -1 }", "disk: lie must be a whole number, 0..1000, got -1");
    refused(NODE "disk { latency = 4000 }", "latency must be a number or a distribution, 0..3600");
    refused(NODE "disk { full = 1 }", "full must be true or false, got 1");
    refused(NODE "disk { corupt = 1 }", "unknown option 'corupt'; did you mean 'corrupt'?");
    refused(NODE "disk { full = true, fail = 1 }", "full and fail contradict each other");
    refused(NODE "disk { full = true, fail_stores = 1 }", "full and fail_stores contradict");
    refused(NODE "disk { full = true, lie = 1 }", "full and lie contradict each other");
    refused(NODE "disk { full = true, torn = 1 }", "full and torn contradict each other");
    refused(NODE "disk { fail = 1, fail_loads = 1 }", "fail and fail_loads contradict each other");
    refused(NODE "disk { hang = true, slow = 2 }", "hang and slow contradict each other");
    refused(NODE "disk { hang = true, latency = 2 }", "hang and latency contradict each other");
    refused(NODE "disk { torn = 0.5, lie = 2 }", "torn and lie contradict each other");
}

static void no_host_faults(struct world *world, const struct sim_config *config)
{
    world_sim_init(world, config);
    world->pause = NULL;
    world->clock = NULL;
    world->disk = NULL;
}

static void skipped(const char *body, const char *reason)
{
    run_body(body);
    expect_reason(ENGINE_SKIPPED, ":3)", "");
    assert_non_null(strstr(result.reason, reason));
}

static void test_what_a_world_cannot_do_skips_the_run_with_its_name(void **state)
{
    (void)state;
    world_made = no_host_faults;
    skipped(NODE "pause()", "the world 'sim' cannot do node:pause (");
    skipped(NODE "skew(1)", "the world 'sim' cannot do node:skew (");
    skipped(NODE "disk { full = true }", "the world 'sim' cannot do node:disk (");
    skipped("pcall(function() net:spawn(1)[1]:pause() end) sleep(1) check(false, 'on it goes')",
            "the world 'sim' cannot do node:pause (");
}

static uint32_t told_times(const char *words)
{
    uint32_t n = 0;
    for (const char *at = told; (at = strstr(at, words)); at++)
        n++;
    return n;
}

static void test_heal_ends_every_fault_at_once(void **state)
{
    (void)state;
    passes(BREAK_ALL "net:heal()\n" CHECK_WHOLE "cut:heal() hole:heal() flap:stop() bad:restore()\n"
                     "g[7]:pause() g[7]:resume() g[8]:kill() g[8]:restart()\n"
                     "g[5]:skew(5) net:heal() net:heal()");
    assert_int_equal(told_times("\nstep heal"), 3);
    expect_told("step heal -1 everything; 4 faults of links");
    expect_told("step heal -1 everything; 0 faults of links");
    assert_int_equal(told_times("\nstep stop"), 0);
    assert_int_equal(told_times("\nstep resume"), 2);
    assert_int_equal(told_times("\nstep restart"), 3);
    refused("local n = net:spawn(1)[1] n:pause() net:heal() n:resume()", "is not paused");
    refused("net:heal(1) net.heal()", "net:heal");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_a_paused_node_is_alive_and_takes_no_commands),
        T(test_clocks_can_be_set_let_drift_and_jump),
        T(test_nodes_can_be_spawned_with_wrong_clocks),
        T(test_a_bad_disk_loses_what_it_says),
        T(test_a_restarted_node_knows_the_addresses_that_it_stored),
        T(test_each_fault_can_be_left_out),
        T(test_heal_ends_every_fault_at_once),
        T(test_a_run_without_a_decision_is_refused_nothing),
        T(test_faults_that_contradict_the_state_are_refused),
        T(test_clocks_that_make_no_sense_are_refused),
        T(test_disks_that_make_no_sense_are_refused),
        T(test_what_a_world_cannot_do_skips_the_run_with_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
