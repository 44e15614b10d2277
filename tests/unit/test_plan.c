/* The plan of a sweep: the same for the same sweep, and read back from any record. */
#include "vibesim/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vibesim/cli_args_run.h"

static char why[600];

/* The plan of these words with the project's own scenarios. */
static struct plan plan_of(uint32_t shards, const char *const *words)
{
    struct args_run args;
    struct plan plan;
    struct words w = {.argv = (char **)(uintptr_t)words};
    const char *names[ARGS_NAMES_MAX], *name, *word;
    bool wrong = false;
    for (; words[w.argc];)
        w.argc++;
    args_run_init(&args);
    args_run_names(names, ARGS_SWEEP, NULL);
    w.names = names;
    while (words_next(&w, &name, &word, &wrong))
        assert_true(name ? args_run_option(&args, &w, name) : args_run_file(&args, word));
    assert_false(wrong);
    struct loaded *loaded = calloc(args.file_count, sizeof *loaded);
    assert_non_null(loaded);
    for (size_t i = 0; i < args.file_count; i++)
        assert_true(run_load(&loaded[i], &args, args.files[i]));
    if (!plan_make(&plan, &args, loaded, shards, why, sizeof why))
        fail_msg("%s", why);
    for (size_t i = 0; i < args.file_count; i++)
        engine_free(loaded[i].engine);
    free(loaded);
    args_run_free(&args);
    return plan;
}

#define A                 "scenarios/partition-heal.lua"
#define B                 "scenarios/tx-flood.lua"
#define PLAN(shards, ...) plan_of(shards, (const char *const[]){__VA_ARGS__, NULL})

static void expect_same(struct plan a, struct plan b, bool same)
{
    char difference[300];
    plan_difference(difference, sizeof difference, &a, "there", &b, "here");
    if ((strcmp(a.id, b.id) == 0) != same || (strcmp(a.text, b.text) == 0) != same)
        fail_msg("%s %s, %s %s: %s", a.id, a.text, b.id, b.text, difference);
    if (!same && strstr(difference, "different versions"))
        fail_msg("no difference is told between %s and %s", a.text, b.text);
    plan_free(&a);
    plan_free(&b);
}

static void test_plan_is_the_same_for_one_sweep_however_it_is_typed(void **state)
{
    (void)state;
    expect_same(PLAN(1, A, B, "--seeds", "1..5"), PLAN(1, "--seeds=3..5,1,2", A, B), true);
    expect_same(PLAN(2, A, "--seeds", "1", "--jobs", "1", "--db", "x", "--json"),
                PLAN(2, A, "--seeds", "1"), true);
    expect_same(PLAN(1, A, "--seeds", "1", "--only", "3,4,5", "--without=9"),
                PLAN(1, A, "--seeds", "1", "--only", "3..5", "--without", "9"), true);
    expect_same(PLAN(1, A, "--seeds", "1", "--until", "1.50"),
                PLAN(1, A, "--seeds", "1", "--until", "1.5"), true);
}

static void test_plan_is_another_one_for_whatever_changes_a_run(void **state)
{
    (void)state;
    static const char *const others[][4] = {
        {"--until", "3"},   {"--without", "3"},           {"--only", "3"},
        {"--only", "none"}, {"--param", "nodes=5"},       {"--record", "events"},
        {"--world=tcp"},    {"--world=tcp", "--speed=2"}, {"--verify"},
        {"--salt", "3"},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        expect_same(PLAN(1, A, "--seeds", "1"),
                    PLAN(1, A, "--seeds", "1", others[i][0], others[i][1]), false);
    expect_same(PLAN(1, A, "--seeds", "1"), PLAN(2, A, "--seeds", "1"), false);
    expect_same(PLAN(1, A, "--seeds", "1"), PLAN(1, A, "--seeds", "1,3"), false);
    expect_same(PLAN(1, A, "--seeds", "1"), PLAN(1, B, "--seeds", "1"), false);
    expect_same(PLAN(1, A, B, "--seeds", "1"), PLAN(1, B, A, "--seeds", "1"), false);
}

static void test_plan_knows_its_jobs(void **state)
{
    (void)state;
    static const uint64_t seeds[] = {2, 7, 8};
    struct plan plan = PLAN(3, A, B, "--seeds", "7,8,2", "--param", "nodes=5");
    assert_int_equal(plan.jobs, 6);
    assert_int_equal(plan.shards, 3);
    for (uint64_t job = 0; job < 6; job++) {
        size_t file;
        uint64_t seed;
        plan_job(&plan, job, &file, &seed);
        assert_int_equal(file, job / 3);
        assert_int_equal(seed, seeds[job % 3]);
    }
    assert_string_equal(plan_scenario(&plan, 1), "tx-flood");
    assert_string_equal(plan.args.files[1], B);
    assert_string_equal(plan.args.params[0].key, "nodes");
    assert_string_equal(plan.args.params[0].value, "5");
    plan_free(&plan);
}

/* What comes back makes the same runs: its plan is the same again. */
static void test_plan_is_read_back_as_it_was(void **state)
{
    (void)state;
    struct plan plan = PLAN(4, A, B, "--seeds", "1..9,18446744073709551615", "--until", "0.5",
                            "--only", "3..5", "--without", "4", "--record", "events", "--verify");
    struct plan again;
    assert_true(plan_read(&again, plan.text, why, sizeof why));
    assert_string_equal(again.id, plan.id);
    assert_int_equal(again.args.until_ns, 500000000);
    assert_int_equal(again.args.only_count, 3);
    assert_int_equal(again.args.left_out[0], 4);
    assert_true(again.args.verify);
    assert_int_equal(again.args.record, RECORD_EVENTS);
    assert_int_equal(again.jobs, 20);
    plan_free(&plan);
    plan_free(&again);
}

/* The plan with one text in it replaced; 4096 bytes. */
static void change(char *out, const struct plan *plan, const char *text, const char *by)
{
    char *at = strstr(plan->text, text);
    assert_non_null(at);
    snprintf(out, 4096, "%.*s%s%s", (int)(at - plan->text), plan->text, by, at + strlen(text));
}

/* A record may come from anybody. */
static void test_plan_names_builds_of_the_core_and_loads_none(void **state)
{
    (void)state;
    char changed[4096];
    struct plan plan = PLAN(1, A, "--seeds", "1"), read;
    assert_string_equal(plan.cores, "");
    change(changed, &plan, "\"options\":{}",
           "\"options\":{\"cores\":{\"old\":{\"build\":\"x\",\"file\":\"/no/"
           "it's.so\",\"sha256\":\"0\"}}}");
    if (!plan_read(&read, changed, why, sizeof why))
        fail_msg("%s", why);
    assert_string_equal(read.cores, " --core 'old=/no/it'\\''s.so'");
    assert_int_equal(read.args.cores.count, 0);
    expect_same(plan, read, false);
}

static void expect_no_plan(const struct plan *plan, const char *text, const char *by)
{
    struct plan read;
    char changed[4096];
    change(changed, plan, text, by);
    if (plan_read(&read, changed, why, sizeof why))
        fail_msg("understood: %s", changed);
    assert_non_null(strstr(why, "makes no sense"));
}

static void test_plan_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    struct plan plan = PLAN(4, A, "--seeds", "1..9", "--param", "nodes=5"), read;
    expect_no_plan(&plan, "{", "[");
    expect_no_plan(&plan, "\"1..9\"", "\"9..1\"");
    expect_no_plan(&plan, "\"1..9\"", "9");
    expect_no_plan(&plan, "\"shards\":4", "\"shards\":0");
    expect_no_plan(&plan, "\"shards\":4", "\"shards\":100001");
    expect_no_plan(&plan, "\"sim\"", "\"moon\"");
    expect_no_plan(&plan, "\"summary\"", "7");
    expect_no_plan(&plan, "\"" A "\"", "null");
    expect_no_plan(&plan, A, "a\\u001b[2Jb"); /* would reach a terminal */
    expect_no_plan(&plan, "\"5\"", "5");
    expect_no_plan(&plan, "\"5\"", "\"\\u0007\"");
    expect_no_plan(&plan, "\"options\":{}", "\"options\":{\"magic\":1}");
    expect_no_plan(&plan, "\"options\":{}", "\"options\":{\"only\":[3,2]}");
    expect_no_plan(&plan, "\"options\":{}", "\"options\":{\"cores\":[]}");
    expect_no_plan(&plan, "\"options\":{}", "\"options\":{\"cores\":{\"a\":{\"file\":7}}}");
    expect_no_plan(&plan, "\"scenarios\":[", "\"scenarios\":[],\"old\":[");
    assert_false(plan_read(&read, "", why, sizeof why));
    plan_free(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan_is_the_same_for_one_sweep_however_it_is_typed),
        cmocka_unit_test(test_plan_is_another_one_for_whatever_changes_a_run),
        cmocka_unit_test(test_plan_knows_its_jobs),
        cmocka_unit_test(test_plan_is_read_back_as_it_was),
        cmocka_unit_test(test_plan_names_builds_of_the_core_and_loads_none),
        cmocka_unit_test(test_plan_that_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
