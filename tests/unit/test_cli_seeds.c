/* `vibesim run --seeds` against an engine whose runs do, by their seeds, what runs should never do.
 */
#include "vibesim/cli.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <sqlite3.h>

#include "tests/unit/cli_child.h"
#include "tests/unit/wild_engine.h"

/* ---- the tests ----------------------------------------------------------------------------------
 */

static struct child c;

static int setup(void **state)
{
    (void)state;
    return child_init(&c);
}

static int teardown(void **state)
{
    (void)state;
    return child_deinit(&c);
}

static void run_args(const char *const *words)
{
    const char *args[CHILD_ARGS] = {"run", "it.lua"};
    for (int i = 0; words[i]; i++)
        args[2 + i] = words[i];
    child_write(&c, "it.lua", "wild");
    child_write(&c, "tame.lua", "tame");
    child_write(&c, "broken.lua", "broken");
    child_run(&c, cli_main, args);
}

#define RUN(...) run_args((const char *const[]){__VA_ARGS__, NULL})

static void ended(int status, const char *out, const char *err)
{
    if (c.status != status || !strstr(c.out, out) || !strstr(c.err, err) || (!*err && c.err[0]))
        fail_msg("expected status %d, '%s', '%s': got %d, '%s', '%s'", status, out, err, c.status,
                 c.out, c.err);
}

static void has(const char *text)
{
    if (!strstr(c.out, text))
        fail_msg("expected '%s' in '%s'", text, c.out);
}

/* All rows of a query on the record: columns joined by '|', rows by newlines. */
static const char *query(const char *sql)
{
    static char out[4096];
    char path[300];
    sqlite3 *db;
    sqlite3_stmt *stmt;
    out[0] = 0;
    snprintf(path, sizeof path, "%s/run.db", c.folder);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    while (sqlite3_step(stmt) == SQLITE_ROW)
        for (int i = 0; i < sqlite3_column_count(stmt); i++) {
            const char *text = (const char *)sqlite3_column_text(stmt, i);
            size_t used = strlen(out);
            snprintf(out + used, sizeof out - used, "%s%s",
                     i      ? "|"
                     : used ? "\n"
                            : "",
                     text ? text : "NULL");
        }
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return out;
}

/* Everything that is in the test's folder, to see what a run leaves. */
static int files(void)
{
    int n = 0;
    DIR *dir = opendir(c.folder);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));)
        n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

#define FILES_BEFORE 5 /* it.lua, tame.lua, broken.lua, out.txt, err.txt */

static void test_seeds_that_hold_end_with_0_and_a_table(void **state)
{
    (void)state;
    RUN("--seeds", "10..12", "--record", "none");
    ended(0, "wild - 3 seeds, n=2\nAbout.\n", "");
    has("    10  pass               10.000         10,000      10  00000000feed000a  ");
    has("  depth                                            10             11             12\n");
    has("sometimes: the rare thing: 1 of 3 seeds\n");
    has("PASS  wild: 3 of 3 seeds hold\n");
    assert_int_equal(files(), FILES_BEFORE);
}

static void test_seeds_that_fail_are_told_with_what_repeats_them(void **state)
{
    (void)state;
    RUN("--seeds", "1..4,11", "--record", "none", "--param", "n=it's", "--jobs", "2");
    ended(1, "FAIL  wild: 4 of 5 seeds hold\n", "");
    has("  seed 3: one tip: 2 tips\n"
        "    Again: vibesim run it.lua --seed 3 --param 'n=it'\\''s'\n");
    has("The last 1 events that matter of seed 3:\n    t=3.0s node-0001: tip 0102\n");
    RUN("--seeds", "1..4,11", "--record", "none", "--quiet");
    ended(1, "  seed 3: one tip: 2 tips\n", "");
    assert_int_equal(child_lines(c.out), 3);
    RUN("--seeds", "1..4,11", "--record", "none", "--rows", "failed");
    has("\n     3  fail  ");
    assert_null(strstr(c.out, "\n     2  "));
}

static void test_a_sometimes_that_no_seed_hit_fails_them_all(void **state)
{
    (void)state;
    RUN("--seeds", "1,2", "--record", "none");
    ended(1, "FAIL  wild: 2 of 2 seeds hold, 1 sometimes never\n", "");
    has("FAILED  sometimes: the rare thing (it.lua:9): no seed hit it\n");
    RUN("--seed", "2", "--record", "none");
    ended(0, "never   the rare thing, it.lua:9", "");
    has("PASS  wild seed 2 trace 00000000feed0002, 1 check holds\n");
}

static void test_each_seed_of_a_swarm_has_parameters_of_its_own(void **state)
{
    (void)state;
    RUN("--seeds", "1..3,11", "--swarm");
    ended(1, "wild - 4 seeds, swarm\nAbout.\n", "");
    has("    Again: vibesim run it.lua --seed 3 --swarm\n");
    has("sometimes: the rare thing: 1 of 4 seeds\n");
    assert_string_equal(query("SELECT group_concat(params, ' ') FROM run ORDER BY id"),
                        "{\"n\":10} {\"n\":20} {\"n\":30} {\"n\":110}");
    RUN("--seeds", "2,11", "--swarm", "--json", "--record", "none", "--param", "n=7");
    ended(0, "\"swarm\":\"on kill; off none\"", "");
    has("\"params\":{\"n\":110}");
    RUN("--seeds", "2,11", "--swarm", "--record", "none", "--param", "n=7");
    ended(0, "wild - 2 seeds, swarm, n=7\n", "");
    RUN("--seeds", "2,11", "--json", "--record", "none");
    ended(0, "", "");
    assert_null(strstr(c.out, "swarm"));
}

static void test_a_crash_is_a_failed_seed_and_the_others_go_on(void **state)
{
    (void)state;
    RUN("--seeds", "4..6,11", "--jobs", "1");
    ended(1, "FAIL  wild: 3 of 4 seeds hold\n", "");
    has("  seed 5: killed by SIGSEGV\n    Again: vibesim run it.lua --seed 5\n");
    assert_string_equal(
        query("SELECT id, seed, verdict, reason FROM run ORDER BY id"),
        "1|4|pass|NULL\n2|5|error|killed by SIGSEGV\n3|6|pass|NULL\n4|11|pass|NULL");
    assert_int_equal(files(), FILES_BEFORE + 1);
}

static void test_the_worst_run_gives_the_status(void **state)
{
    (void)state;
    RUN("--seeds", "3,7,11", "--record", "none", "--quiet");
    ended(2, "seed 7: it.lua:9: a limit was hit", "vibesim: it.lua: seed 7: it.lua:9: a limit was");
    assert_int_equal(child_lines(c.err), 1);
    RUN("--seeds", "3,7,8,11", "--record", "none", "--quiet", "--verify", "--jobs", "1");
    ended(3, "seed 8: all events are equal, but run 1 ended with trace hash",
          "vibesim: it.lua: seed 7");
    RUN("--seeds", "11,12", "--record", "none", "--verify");
    ended(0, "2 of 2 seeds hold", "");
}

/* The table without its last column, the only one that may differ. */
static void strip_walls(char *text)
{
    char *to = text;
    for (char *line = text; *line;) {
        size_t len = strcspn(line, "\n");
        size_t keep = len > 60 && strstr(line, "feed") && strstr(line, "feed") < line + len
                          ? (size_t)(strstr(line, "feed") - line) + 8
                          : len;
        memmove(to, line, keep);
        to += keep;
        *to++ = '\n';
        line += len + (line[len] == '\n');
    }
    *to = 0;
}

static void test_neither_table_nor_record_depends_on_the_workers(void **state)
{
    (void)state;
    static char first[sizeof c.out];
    char rows[4096];
    static const char *const jobs[] = {"1", "3", "8"};
    for (size_t i = 0; i < 3; i++) {
        char path[300];
        snprintf(path, sizeof path, "%s/run.db", c.folder);
        unlink(path);
        RUN("--seeds", "1..12,40..45", "--jobs", jobs[i]);
        ended(2, "15 of 18 seeds hold", "vibesim: it.lua: seed 7: ");
        strip_walls(c.out);
        const char *now =
            query("SELECT id, seed, verdict, reason, trace_hash FROM run ORDER BY id");
        if (i == 0) {
            memcpy(first, c.out, sizeof first);
            snprintf(rows, sizeof rows, "%s", now);
        }
        assert_string_equal(c.out, first);
        assert_string_equal(now, rows);
        assert_int_equal(files(), FILES_BEFORE + 1);
    }
}

static void test_a_skip_is_worse_than_a_pass_and_better_than_a_failure(void **state)
{
    (void)state;
    RUN("--seeds", "59..61");
    ended(77, "2 of 3 seeds hold, 1 skipped", "");
    assert_non_null(strstr(c.out, "the world cannot (it.lua:3)"));
    assert_string_equal(query("SELECT verdict FROM run ORDER BY id"), "pass\nskip\npass");
    RUN("--seeds", "60");
    ended(77, "SKIP", "");
    RUN("--seeds", "3,60");
    ended(1, "FAIL", "");
}

static void test_json_is_an_object_a_run_and_a_summary(void **state)
{
    (void)state;
    RUN("--seeds", "2,3,5,18446744073709551615", "--json");
    assert_int_equal(c.status, 1);
    assert_string_equal(c.err, "");
    static const char *const seeds[] = {"2", "3", "5", "18446744073709551615"};
    static const char *const verdicts[] = {"pass", "fail", "crashed", "pass"};
    char *line = c.out;
    for (int i = 0; i < 5; i++) {
        char *end = strchr(line, '\n');
        assert_non_null(end);
        *end = 0;
        json_t *o = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(o);
        line = end + 1;
        if (i < 4) {
            assert_string_equal(json_string_value(json_object_get(o, "seed")), seeds[i]);
            assert_string_equal(json_string_value(json_object_get(o, "verdict")), verdicts[i]);
            assert_int_equal(json_integer_value(json_object_get(o, "run_id")), i + 1);
            assert_string_equal(json_string_value(json_object_get(o, "db")), "run.db");
        } else {
            assert_true(json_is_true(json_object_get(o, "summary")));
            assert_int_equal(json_integer_value(json_object_get(o, "seeds")), 4);
            assert_int_equal(json_integer_value(json_object_get(o, "held")), 2);
            assert_int_equal(json_array_size(json_object_get(o, "failed")), 2);
            json_t *depth = json_array_get(json_object_get(o, "metrics"), 0);
            assert_true(json_real_value(json_object_get(depth, "median")) == 3);
            json_t *rare = json_array_get(json_object_get(o, "sometimes"), 0);
            assert_int_equal(json_integer_value(json_object_get(rare, "hits")), 0);
        }
        json_decref(o);
    }
    assert_int_equal(*line, 0);
}

static void test_several_files_have_a_table_each(void **state)
{
    (void)state;
    RUN("tame.lua", "--seeds", "11,12");
    ended(1, "wild - 2 seeds, n=2\n", "");
    has("PASS  wild: 2 of 2 seeds hold\n\ntame - 2 seeds");
    has("FAIL  tame: 2 of 2 seeds hold, 1 sometimes never\n\n4 of 4 runs hold, 1 of 2 scenarios\n");
    assert_string_equal(query("SELECT scenario, seed FROM run ORDER BY id"),
                        "wild|11\nwild|12\ntame|11\ntame|12");
    RUN("tame.lua", "--seed", "2", "--record", "none"); /* no sweep: nothing is judged over it */
    ended(0, "2 of 2 runs hold, 2 of 2 scenarios\n", "");
}

static void test_input_that_is_wrong_starts_nothing_and_leaves_no_file(void **state)
{
    (void)state;
    RUN("broken.lua", "--seeds", "1..3");
    ended(2, "", "vibesim: broken.lua:1: broken\n");
    RUN("missing.lua", "--seeds", "1..3");
    ended(2, "", "vibesim: missing.lua: there is no such file");
    RUN("--seeds", "1..3", "--db", "it.lua");
    ended(2, "", "vibesim: it.lua: not an SQLite database");
    assert_int_equal(child_lines(c.err), 1);
    assert_string_equal(c.out, "");
    assert_int_equal(files(), FILES_BEFORE);
}

static void test_interrupted_keeps_what_is_done_and_ends_with_130(void **state)
{
    (void)state;
    static const int signals[] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < 2; i++) {
        const char *const args[] = {"run", "it.lua", "--seeds", "1,2,12..19", "--jobs", "2", NULL};
        char path[300];
        snprintf(path, sizeof path, "%s/run.db", c.folder);
        unlink(path);
        child_write(&c, "it.lua", "wild");
        child_write(&c, "out.txt", "");
        pid_t pid = child_start(&c, cli_main, args);
        usleep(1000000); /* all but seed 13 are over, which holds the later ones back */
        kill(pid, signals[i]);
        child_wait(&c, pid);
        ended(130, "INTERRUPTED  wild: 9 of 10 seeds done, 9 hold\n", "");
        assert_string_equal(query("SELECT group_concat(seed) FROM (SELECT seed FROM run"
                                  " ORDER BY id)"),
                            "1,2,12,14,15,16,17,18,19");
        assert_string_equal(query("PRAGMA integrity_check"), "ok");
    }
    assert_int_equal(files(), 4); /* it.lua, out.txt, err.txt, run.db */
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    setenv("LC_ALL", "C", 1); /* plain marks */
    const struct CMUnitTest tests[] = {
        CASE(test_seeds_that_hold_end_with_0_and_a_table),
        CASE(test_seeds_that_fail_are_told_with_what_repeats_them),
        CASE(test_a_sometimes_that_no_seed_hit_fails_them_all),
        CASE(test_each_seed_of_a_swarm_has_parameters_of_its_own),
        CASE(test_a_crash_is_a_failed_seed_and_the_others_go_on),
        CASE(test_the_worst_run_gives_the_status),
        CASE(test_neither_table_nor_record_depends_on_the_workers),
        CASE(test_a_skip_is_worse_than_a_pass_and_better_than_a_failure),
        CASE(test_json_is_an_object_a_run_and_a_summary),
        CASE(test_several_files_have_a_table_each),
        CASE(test_input_that_is_wrong_starts_nothing_and_leaves_no_file),
        CASE(test_interrupted_keeps_what_is_done_and_ends_with_130),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
