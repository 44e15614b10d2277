/* The vibesim program itself ($VN_BIN): what it says to bad input, and that bad input leaves no
 * file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <sys/stat.h>

#include "tests/unit/cli_child.h"

static struct child c;

static const char tiny[] = "scenario {\n"
                           "  name = \"tiny\", about = \"Two nodes for a second.\", duration = 1,\n"
                           "  params = { nodes = 2, loud = false, word = \"x\" },\n"
                           "}\n"
                           "function run(net, p)\n"
                           "  net:spawn(p.nodes)\n"
                           "  sleep(0.5)\n"
                           "  check(true, \"time passes\")\n"
                           "end\n";

static int setup(void **state)
{
    (void)state;
    if (child_init(&c) != 0)
        return -1;
    child_write(&c, "tiny.lua", tiny);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return child_deinit(&c);
}

/* Status 2, one line on stderr that holds `words`, nothing on stdout, no record. */
static void refuses(const char *words, const char *const *args)
{
    child_run(&c, NULL, args);
    if (c.status != 2 || child_lines(c.err) != 1 || !strstr(c.err, words) ||
        strncmp(c.err, "vibesim: ", 9) != 0 || c.out[0])
        fail_msg("expected status 2 and '%s', got status %d, stdout '%s', stderr '%s'", words,
                 c.status, c.out, c.err);
    assert_false(child_exists(&c, "run.db"));
}

static void test_cli_runs_without_the_decisions_that_are_named(void **state)
{
    (void)state;
    child_write(&c, "kill.lua",
                "scenario { name = 'kill', duration = 9 }\n"
                "function run(net, p)\n"
                "  local g = net:spawn(3)\n"
                "  for i = 1, 3 do g[i]:kill() end\n"
                "  check(g:all(function(node) return node:alive() end), 'all live')\n"
                "end\n");
    const char *const without[] = {"run", "kill.lua", "--quiet", "--without", "1..3", NULL};
    child_run(&c, NULL, without);
    assert_int_equal(c.status, 0);
    const char *const partly[] = {"run", "kill.lua", "--quiet", "--without", "1,3", NULL};
    child_run(&c, NULL, partly);
    assert_int_equal(c.status, 1);
    assert_non_null(strstr(c.out, "vibesim run kill.lua --seed 1 --without 1,3"));
}

static const char swarmed[] =
    "scenario { name = 'swarmed', duration = 20, params = { nodes = 3, miners = 1 }, swarm = {\n"
    "  from = 2, lasting = 30, params = { nodes = uniform(3, 9) },\n"
    "  faults = { kill = { every = 4 }, pause = { every = 4 } } } }\n"
    "function run(net, p)\n"
    "  net:spawn(p.nodes, { miners = p.miners, block_interval = 3 })\n"
    "  local on = net:swarm()\n"
    "  sometimes('there were kills', on and on.kill)\n"
    "  check(p.miners < 5, 'few miners')\n"
    "end\n";

/* Runs it with these words behind `run swarmed.lua --json`; the caller frees what it printed. */
static json_t *run_swarmed(int status, const char *const *words)
{
    const char *args[CHILD_ARGS] = {"run", "swarmed.lua", "--json"};
    for (int i = 0; words[i]; i++)
        args[3 + i] = words[i];
    child_write(&c, "swarmed.lua", swarmed);
    child_run(&c, NULL, args);
    if (c.status != status)
        fail_msg("status %d: '%s', '%s'", c.status, c.out, c.err);
    json_t *o = json_loads(c.out, JSON_DISABLE_EOF_CHECK, NULL);
    assert_non_null(o);
    return o;
}

#define SWARMED(status, ...) run_swarmed(status, (const char *const[]){__VA_ARGS__, NULL})

/* The run's hash, or ""; what it drew in `nodes`, if asked for. */
static void expect_hash(json_t *o, char hash[20], char nodes[24])
{
    const char *now = json_string_value(json_object_get(o, "trace_hash"));
    const json_t *drawn = json_object_get(json_object_get(o, "params"), "nodes");
    assert_non_null(now);
    if (hash[0])
        assert_string_equal(now, hash);
    snprintf(hash, 20, "%s", now);
    if (nodes)
        snprintf(nodes, 24, "nodes=%d", (int)json_integer_value(drawn));
    json_decref(o);
}

static void test_cli_repeats_what_a_swarm_drew(void **state)
{
    (void)state;
    char hash[20] = "";
    char other[20] = "";
    char nodes[24];
    expect_hash(SWARMED(0, "--swarm", "--seed", "5", "--verify"), hash, nodes);
    expect_hash(SWARMED(0, "--swarm", "--seed", "5", "--record", "events"), hash, NULL);
    expect_hash(SWARMED(0, "--swarm", "--seed", "5", "--param", nodes), hash, NULL);
    expect_hash(SWARMED(0, "--swarm", "--seed", "5", "--without", "1"), other, NULL);
    assert_string_not_equal(hash, other);
    child_run(&c, NULL,
              (const char *const[]){"run", "swarmed.lua", "--swarm", "--seed", "5", "--param",
                                    "miners=5", "--param", "nodes=9", NULL});
    assert_int_equal(c.status, 1);
    assert_non_null(strstr(c.out, " seed 5, swarm, miners=5, nodes=9\n"));
    assert_non_null(strstr(c.out, "  Again: vibesim run swarmed.lua --seed 5 --swarm --param "
                                  "miners=5 --param nodes=9\n"));
    assert_non_null(strstr(c.out, " s  swarm      on "));
}

static void test_cli_audits_a_run_without_changing_it(void **state)
{
    (void)state;
    char hash[20] = "";
    expect_hash(SWARMED(0, "--swarm", "--seed", "5", "--record", "none"), hash, NULL);
    expect_hash(SWARMED(0, "--swarm", "--seed", "5", "--audit", "--verify", "--record", "none"),
                hash, NULL);
    json_decref(SWARMED(1, "--swarm", "--seed", "5", "--audit", "--param", "miners=5"));
    child_run(&c, NULL,
              (const char *const[]){"run", "swarmed.lua", "--swarm", "--audit", "--seed", "5",
                                    "--param", "miners=5", NULL});
    assert_non_null(strstr(c.out, "  Again: vibesim run swarmed.lua --seed 5 --swarm --audit "));
}

/* With pauses alone a seed never kills: that is for other seeds to do. */
static void test_cli_judges_sometimes_over_the_seeds_of_a_swarm(void **state)
{
    (void)state;
    char seed[12] = "";
    for (int i = 1; i < 50 && !seed[0]; i++) {
        char number[12];
        snprintf(number, sizeof number, "%d", i);
        json_t *o = SWARMED(0, "--swarm", "--record", "none", "--seed", number);
        const char *drew = json_string_value(json_object_get(o, "swarm"));
        assert_non_null(drew);
        if (strcmp(drew, "on pause; off kill") == 0)
            memcpy(seed, number, sizeof seed);
        json_decref(o);
    }
    json_decref(SWARMED(1, "--swarm", "--record", "none", "--seeds", seed));
    assert_non_null(strstr(c.out, "there were kills"));
    json_decref(SWARMED(0, "--swarm", "--record", "none", "--seeds", "1..20"));
}

static void test_cli_passes_over_descriptions_for_editors_among_several_files(void **state)
{
    (void)state;
    child_write(&c, "words.d.lua", "---@meta\n");
    const char *const args[] = {"run", "tiny.lua", "words.d.lua", "--quiet", "--record=none", NULL};
    child_run(&c, NULL, args);
    assert_int_equal(c.status, 0);
    assert_non_null(strstr(c.out, "PASS  tiny"));
}

#define REFUSES(words, ...) refuses(words, (const char *const[]){__VA_ARGS__, NULL})

static void test_cli_refuses_bad_options_with_one_line(void **state)
{
    (void)state;
    refuses("say what to do", (const char *const[]){NULL});
    REFUSES("'rnu' is no command: did you mean run?", "rnu");
    REFUSES("did you mean vibesim run tiny.lua?", "tiny.lua");
    REFUSES("name a scenario", "run");
    REFUSES("'--sed' is no option: did you mean --seed?", "run", "tiny.lua", "--sed", "1");
    REFUSES("'--sed' is no option: did you mean --seed?", "run", "tiny.lua", "--sed=1");
    REFUSES("'--colour' is no option: there are --seed --seeds --jobs --param", "run", "tiny.lua",
            "--colour");
    REFUSES("'-s' is no option", "run", "tiny.lua", "-s", "1");
    REFUSES("other.lua: there is no such file", "run", "tiny.lua", "other.lua");
    REFUSES("tiny.lua is given twice", "run", "tiny.lua", "tiny.lua");
    REFUSES("--jobs: shares out several runs", "run", "tiny.lua", "--jobs", "2");
    REFUSES("--rows: is of the table of several runs", "run", "tiny.lua", "--rows", "all");
    REFUSES("--seed and --seeds: give one of them", "run", "tiny.lua", "--seed", "1", "--seeds",
            "2..3");
    REFUSES("--seeds: is given twice", "run", "tiny.lua", "--seeds", "1", "--seeds", "2");
    REFUSES("--trace: follows a single run: vibesim run tiny.lua --seed 4 --trace", "run",
            "tiny.lua", "--trace", "all", "--seeds", "4..5");
    REFUSES("--trace-file: say what to trace", "run", "tiny.lua", "--trace-file", "t.txt");
    REFUSES("--trace-file: ./tiny.lua is the scenario", "run", "tiny.lua", "--trace", "all",
            "--trace-file", "./tiny.lua");
    REFUSES("--trace-file: run.db is the record", "run", "tiny.lua", "--trace", "all",
            "--trace-file", "run.db");
    REFUSES("--trace-file: no/t.txt: No such file", "run", "tiny.lua", "--trace", "all",
            "--trace-file", "no/t.txt");
    assert_false(child_exists(&c, "t.txt"));
    REFUSES("--verify: takes no value", "run", "tiny.lua", "--verify=yes");
    REFUSES("--verify: compares two runs event by event, and real sockets in real time repeat "
            "nothing",
            "run", "tiny.lua", "--verify", "--world", "tcp");
    REFUSES("--swarm: takes no value", "run", "tiny.lua", "--swarm=3");
    REFUSES("--audit: looks into simulated nodes as they work: leave out --audit or --world tcp",
            "run", "tiny.lua", "--audit", "--world", "tcp");
    REFUSES("tiny.lua allows no swarm mode: say in scenario { } what may happen to it, like swarm "
            "= { faults = { \"kill\", \"partition\" } }",
            "run", "tiny.lua", "--swarm");
    REFUSES("tiny.lua allows no swarm mode", "run", "tiny.lua", "--swarm", "--seeds", "1..3");
    REFUSES("'--nope\?\?[31m' is no option", "run", "tiny.lua", "--nope\n\033[31m");
}

static void test_cli_refuses_bad_values_with_one_line(void **state)
{
    (void)state;
#define SEED(text) "--seed: '" text "' is not a whole number from 0 to 18446744073709551615"
    REFUSES(SEED("abc"), "run", "tiny.lua", "--seed", "abc");
    REFUSES(SEED(""), "run", "tiny.lua", "--seed", "");
    REFUSES(SEED("-1"), "run", "tiny.lua", "--seed", "-1");
    REFUSES(SEED("1.5"), "run", "tiny.lua", "--seed=1.5");
    REFUSES(SEED("18446744073709551616"), "run", "tiny.lua", "--seed", "18446744073709551616");
    REFUSES(SEED("99999999999999999999"), "run", "tiny.lua", "--seed", "99999999999999999999");
    REFUSES("--seed: needs a value", "run", "tiny.lua", "--seed");
    REFUSES("--seed: needs a value", "run", "tiny.lua", "--seed", "--json");
    REFUSES(SEED("1..3") ": did you mean --seeds?", "run", "tiny.lua", "--seed", "1..3");
    REFUSES("--seeds: 9..1 runs backwards: write 1..9", "run", "tiny.lua", "--seeds", "9..1");
    REFUSES("--seeds: more than 1000000 seeds", "run", "tiny.lua", "--seeds=0..1000000");
    REFUSES("--seeds: '' is no seed", "run", "tiny.lua", "--seeds", "");
    REFUSES("--jobs: '0' is not a whole number from 1 to 256", "run", "tiny.lua", "--seeds", "1..2",
            "--jobs", "0");
    REFUSES("--jobs: '257' is not", "run", "tiny.lua", "--seeds", "1..2", "--jobs", "257");
    REFUSES("--rows: 'some': use auto, all or failed", "run", "tiny.lua", "--rows", "some");
    REFUSES("--trace: 'nod=3': did you mean node=...?", "run", "tiny.lua", "--trace", "nod=3");
    REFUSES("--trace-file: the name of the file is empty", "run", "tiny.lua", "--trace", "all",
            "--trace-file", "");
    REFUSES("--param: 'nodes' has no value: write nodes=VALUE", "run", "tiny.lua", "--param",
            "nodes");
    REFUSES("--param: '=3' has no name", "run", "tiny.lua", "--param", "=3");
    REFUSES("--param: 'nodes' is given twice", "run", "tiny.lua", "--param", "nodes=1", "--param",
            "nodes=2");
    REFUSES("--until: '-5' is not a time", "run", "tiny.lua", "--until", "-5");
    REFUSES("--until: '0' is not a time", "run", "tiny.lua", "--until", "0");
    REFUSES("--until: 'nan' is not a time", "run", "tiny.lua", "--until", "nan");
    REFUSES("--until: '1.2.3' is not a time", "run", "tiny.lua", "--until", "1.2.3");
    REFUSES("--without: '0' is not a list of decisions", "run", "tiny.lua", "--without", "0");
    REFUSES("--without: '3..1' is not a list", "run", "tiny.lua", "--without", "3..1");
    REFUSES("--without: '4294967296' is not a list", "run", "tiny.lua", "--without", "4294967296");
    REFUSES("--without: is given twice", "run", "tiny.lua", "--without", "1", "--without=2");
    REFUSES("--until: '1e99' is not a time", "run", "tiny.lua", "--until", "1e99");
    REFUSES("--record: 'all' is no level: use none, summary, messages or events", "run", "tiny.lua",
            "--record", "all");
    REFUSES("--world: 'real' is no world: use sim (simulated) or tcp (real sockets)", "run",
            "tiny.lua", "--world", "real");
    REFUSES("--speed: '0' is not a whole number from 1 to 1000", "run", "tiny.lua", "--speed", "0");
    REFUSES("--speed: '1001' is not", "run", "tiny.lua", "--speed", "1001");
    REFUSES("--speed: '2.5' is not", "run", "tiny.lua", "--speed", "2.5");
    REFUSES("--db: the name of the file is empty", "run", "tiny.lua", "--db", "");
}

static void test_cli_refuses_bad_scenarios_with_one_line(void **state)
{
    (void)state;
    child_write(&c, "broken.lua", "scenario { name = \"x\"\nfunction\n");
    child_write(&c, "empty.lua", "");
    REFUSES("tny.lua: there is no such file: did you mean tiny.lua", "run", "tny.lua");
    REFUSES("tiny: there is no such file: did you mean tiny.lua", "run", "tiny");
    REFUSES("x/tiny.lua: there is no such file: ", "run", "x/tiny.lua");
    REFUSES("missing.lua: there is no such file", "run", "missing.lua");
    REFUSES(".: is a folder: vibesim list . shows", "run", ".");
    REFUSES("broken.lua:", "run", "broken.lua");
    REFUSES("empty.lua", "run", "empty.lua");
    REFUSES("node", "run", "tiny.lua", "--param", "node=3");
    REFUSES("nodes", "run", "tiny.lua", "--param", "nodes=many");
}

static void test_cli_refuses_records_that_are_not_its_own(void **state)
{
    (void)state;
    char text[64];
    child_write(&c, "notes.txt", "mine\n");
    REFUSES("notes.txt: not an SQLite database", "run", "tiny.lua", "--db", "notes.txt");
    child_slurp(&c, "notes.txt", text, sizeof text);
    assert_string_equal(text, "mine\n");
    REFUSES("no/run.db: there is no folder no", "run", "tiny.lua", "--db", "no/run.db");
    REFUSES(".: a folder", "run", "tiny.lua", "--db", ".");
}

static void test_cli_list_refuses_what_it_cannot_list(void **state)
{
    (void)state;
    REFUSES("list: nowhere:", "list", "nowhere");
    REFUSES("'--jso' is no option: did you mean --json?", "list", "--jso");
    REFUSES("one folder at a time", "list", ".", "..");
}

static void test_cli_helps_on_stdout(void **state)
{
    (void)state;
    static const char *const calls[][3] = {
        {"--help"}, {"run", "--help"}, {"list", "--help"}, {"run", "-h"}};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        child_run(&c, NULL, calls[i]);
        assert_int_equal(c.status, 0);
        assert_string_equal(c.err, "");
        assert_non_null(strstr(c.out, i == 2 ? "vibesim list" : "vibesim run"));
    }
    child_run(&c, NULL, (const char *const[]){"--version", NULL});
    assert_int_equal(c.status, 0);
    assert_int_equal(strncmp(c.out, "vibesim 0.", 10), 0);
    assert_int_equal(child_lines(c.out), 1);
}

static json_t *json_out(void)
{
    json_error_t error;
    json_t *o = json_loads(c.out, JSON_REJECT_DUPLICATES, &error);
    if (!o)
        fail_msg("status %d, stdout '%s', stderr '%s': %s", c.status, c.out, c.err, error.text);
    return o;
}

static const char *text_in(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text ? text : "(none)";
}

static void test_cli_runs_a_scenario_and_records_it(void **state)
{
    (void)state;
    child_run(&c, NULL, (const char *const[]){"run", "tiny.lua", "--json", "--verify", NULL});
    json_t *o = json_out();
    assert_string_equal(c.err, "");
    assert_int_equal(c.status, 0);
    assert_string_equal(text_in(o, "scenario"), "tiny");
    assert_string_equal(text_in(o, "seed"), "1");
    assert_string_equal(text_in(o, "verdict"), "pass");
    assert_string_equal(text_in(o, "db"), "run.db");
    assert_int_equal(strlen(text_in(o, "trace_hash")), 16);
    assert_true(json_is_true(json_object_get(o, "verified")));
    assert_int_equal(json_integer_value(json_object_get(o, "run_id")), 1);
    assert_int_equal(json_integer_value(json_object_get(o, "nodes")), 2);
    assert_true(json_integer_value(json_object_get(o, "events")) > 0);
    json_decref(o);
    assert_true(child_exists(&c, "run.db"));
}

static void test_cli_record_none_leaves_no_file(void **state)
{
    (void)state;
    child_run(&c, NULL,
              (const char *const[]){"run", "tiny.lua", "--quiet", "--record", "none", NULL});
    assert_int_equal(c.status, 0);
    assert_int_equal(child_lines(c.out), 1);
    assert_false(child_exists(&c, "run.db"));
}

/* What is recorded must not change what happens. */
static void test_cli_hash_does_not_depend_on_what_is_recorded(void **state)
{
    (void)state;
    static const char *const levels[] = {"none", "summary", "messages", "events"};
    char first[32] = "";
    for (size_t i = 0; i < 4; i++) {
        child_run(&c, NULL,
                  (const char *const[]){"run", "tiny.lua", "--json", "--seed", "7", "--record",
                                        levels[i], NULL});
        json_t *o = json_out();
        if (i == 0)
            snprintf(first, sizeof first, "%s", text_in(o, "trace_hash"));
        assert_string_equal(text_in(o, "trace_hash"), first);
        json_decref(o);
    }
}

static void test_cli_lists_scenarios_as_json(void **state)
{
    (void)state;
    child_write(&c, "broken.lua", "scenario {");
    child_write(&c, "swarmed.lua", swarmed);
    child_run(&c, NULL, (const char *const[]){"list", ".", "--json", NULL});
    assert_int_equal(c.status, 0);
    json_t *list = json_out();
    assert_int_equal(json_array_size(list), 3);
    assert_true(json_is_true(json_object_get(json_array_get(list, 1), "swarm")));
    assert_true(json_is_false(json_object_get(json_array_get(list, 2), "swarm")));
    assert_string_not_equal(text_in(json_array_get(list, 0), "error"), "(none)");
    assert_string_equal(text_in(json_array_get(list, 2), "name"), "tiny");
    assert_string_equal(text_in(json_array_get(list, 2), "about"), "Two nodes for a second.");
    json_decref(list);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_cli_refuses_bad_options_with_one_line),
        CASE(test_cli_refuses_bad_values_with_one_line),
        CASE(test_cli_refuses_bad_scenarios_with_one_line),
        CASE(test_cli_refuses_records_that_are_not_its_own),
        CASE(test_cli_list_refuses_what_it_cannot_list),
        CASE(test_cli_helps_on_stdout),
        CASE(test_cli_passes_over_descriptions_for_editors_among_several_files),
        CASE(test_cli_runs_without_the_decisions_that_are_named),
        CASE(test_cli_repeats_what_a_swarm_drew),
        CASE(test_cli_audits_a_run_without_changing_it),
        CASE(test_cli_judges_sometimes_over_the_seeds_of_a_swarm),
        CASE(test_cli_runs_a_scenario_and_records_it),
        CASE(test_cli_record_none_leaves_no_file),
        CASE(test_cli_hash_does_not_depend_on_what_is_recorded),
        CASE(test_cli_lists_scenarios_as_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
