/* vibesim/rerun: a recorded run, made again from what its record says. */
#include "vibesim/rerun.h"

#include "vibesim/build.h"
#include "vibesim/cli.h"
#include "vibesim/cli_session.h"

#include "tests/unit/recorder_folder.h"

static const char scenario_text[] =
    "scenario { name = 'pair', duration = 60,\n"
    "  params = { n = 2, wait = 0.1, mode = 'a b', on = true } }\n"
    "function run(net, p)\n"
    "  local g = net:spawn(p.n, { miners = 1, block_interval = 2 })\n"
    "  local cut = net:partition(g[1], g[2])\n"
    "  sleep(10 + p.wait) cut:heal() sleep(20)\n"
    "  check(p.mode == 'x=\"y\"' and not p.on, 'params came', p.mode)\n"
    "end\n";

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* As `vibesim run` with these words, recorded in the folder's run.db. */
static void record_scenario(const char *text, int argc, const char *const *argv)
{
    char db[600], *words[16];
    const char *file = in_folder("pair.lua");
    snprintf(db, sizeof db, "--db=%s", in_folder("run.db"));
    write_file(file, text);
    words[0] = (char *)(uintptr_t) "run";
    words[1] = (char *)(uintptr_t)file;
    words[2] = db;
    words[3] = (char *)(uintptr_t) "--quiet";
    for (int i = 0; i < argc; i++)
        words[4 + i] = (char *)(uintptr_t)argv[i];
    struct args_run args;
    assert_true(args_run_parse(&args, argc + 3, words + 1));
    assert_int_equal(cli_run(&args), CLI_OK);
    args_run_free(&args);
}

static void record_run(int argc, const char *const *argv)
{
    record_scenario(scenario_text, argc, argv);
}

static struct reader *reader;

static void read_run(struct read_run *run)
{
    char why[300] = "";
    reader = reader_open(in_folder("run.db"), why, sizeof why);
    if (!reader || !reader_run(reader, 1, run, why, sizeof why))
        fail_msg("%s", why);
}

static const char *const usual[] = {"--seed=7", "--param=n=3", "--param=wait=0.3",
                                    "--param=mode=x=\"y\"", "--param=on=false"};

static void must_repeat(const struct read_run *run)
{
    static struct session session;
    static struct rerun again;
    char why[600] = "";
    if (!rerun_load(&again, run, NULL, why, sizeof why))
        fail_msg("%s", why);
    assert_true(again.same_build);
    assert_string_equal(again.loaded.params, run->params);
    assert_true(
        session_open(&session, &again.args, again.loaded.engine, again.loaded.params, NULL));
    session_run(&session);
    assert_true(again.has_hash);
    assert_true(session.first.trace_hash == again.trace_hash);
    session_close(&session);
    rerun_free(&again);
}

static void test_rerun_makes_the_same_run_again(void **state)
{
    (void)state;
    struct read_run run;
    record_run(5, usual);
    read_run(&run);
    assert_string_equal(run.options, "{}");
    must_repeat(&run);
    reader_close(reader);
}

static void test_rerun_leaves_out_what_was_left_out(void **state)
{
    (void)state;
    struct read_run run;
    const char *words[9];
    memcpy(words, usual, sizeof usual);
    words[5] = "--without=1";
    words[6] = "--until=30.5";
    record_run(6, words);
    read_run(&run);
    assert_string_equal(run.options, "{\"without\":[1]}");
    must_repeat(&run);
    reader_close(reader);
    unlink(in_folder("run.db"));
    record_run(7, words);
    read_run(&run);
    assert_string_equal(run.options, "{\"until_ns\":30500000000,\"without\":[1]}");
    must_repeat(&run);
    reader_close(reader);
    unlink(in_folder("run.db"));
    words[7] = "--salt=3";
    record_run(8, words);
    read_run(&run);
    assert_string_equal(run.options, "{\"salt\":3,\"until_ns\":30500000000,\"without\":[1]}");
    must_repeat(&run);
    reader_close(reader);
    unlink(in_folder("run.db"));
    words[8] = "--audit";
    record_run(9, words);
    read_run(&run);
    assert_string_equal(
        run.options, "{\"audit\":true,\"salt\":3,\"until_ns\":30500000000,\"without\":[1]}");
    must_repeat(&run);
    reader_close(reader);
}

static void must_not_load(const struct read_run *run, const char *words)
{
    static struct rerun again;
    char why[600] = "";
    assert_false(rerun_load(&again, run, NULL, why, sizeof why));
    if (!strstr(why, words) || strchr(why, '\n'))
        fail_msg("expected '%s', got '%s'", words, why);
}

static void test_rerun_refuses_what_it_cannot_repeat(void **state)
{
    (void)state;
    struct read_run run, other;
    record_run(5, usual);
    read_run(&run);
    other = run;
    other.world = "tcp";
    must_not_load(&other, "repeats nothing");
    other = run;
    other.file = NULL;
    must_not_load(&other, "--scenario");
    other = run;
    other.options = "{\"warp\":1}";
    must_not_load(&other, "'warp'");
    other.options = "{\"without\":[2,1]}";
    must_not_load(&other, "'without'");
    other.options = "[";
    must_not_load(&other, "damaged");
    other = run;
    other.params = "7";
    must_not_load(&other, "damaged");
    other.params = "{\"nodes\":1}";
    must_not_load(&other, "nodes");
    FILE *f = fopen(in_folder("pair.lua"), "a");
    fputs("-- changed\n", f);
    fclose(f);
    must_not_load(&run, "has changed since the run");
    unlink(in_folder("pair.lua"));
    must_not_load(&run, "pair.lua");
    reader_close(reader);
}

static void test_rerun_notices_a_module_that_changed(void **state)
{
    (void)state;
    static struct rerun again;
    char why[600] = "";
    struct read_run run;
    static const char with_module[] = "require 'tool'\n"
                                      "scenario { name = 'm', duration = 1 }\n"
                                      "function run() end\n";
    write_file(in_folder("tool.lua"), "return 1\n");
    record_scenario(with_module, 0, NULL);
    read_run(&run);
    assert_true(rerun_load(&again, &run, NULL, why, sizeof why));
    rerun_free(&again);
    write_file(in_folder("tool.lua"), "return 2\n");
    must_not_load(&run, "has changed since the run");
    reader_close(reader);
}

static void test_build_name_ends_in_what_the_linker_hashed(void **state)
{
    (void)state;
    const char *id = strrchr(build_name(), ' ') + 1;
    assert_int_equal(strspn(id, "0123456789abcdef"), 12);
    assert_int_equal(strlen(id), 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rerun_makes_the_same_run_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rerun_leaves_out_what_was_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rerun_refuses_what_it_cannot_repeat, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rerun_notices_a_module_that_changed, setup, teardown),
        cmocka_unit_test(test_build_name_ends_in_what_the_linker_hashed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
