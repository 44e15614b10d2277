/* `vibesim sweep`: many runs into one record, whatever happens meanwhile. */
#include "tests/unit/sweep_fixture.h"

#include <jansson.h>
#include <sys/resource.h>

static void test_sweep_makes_each_run_once_and_tells_of_them(void **state)
{
    (void)state;
    SWEEP("it.lua", "tame.lua", "--seeds", "10..12,2", "--param", "n=4");
    ended(1, "2 scenarios, seeds 2,10..12, n=4\n", ""); /* tame never hits the rare thing */
    has("  PASS  wild                                         4 of 4        0        0     1 of "
        "1\n");
    has("  FAIL  tame                                         4 of 4        0        0     0 of "
        "1\n");
    has("FAILED  tame: sometimes: the rare thing (it.lua:9): no run hit it\n");
    has("FAIL  8 of 8 runs hold, 1 of 2 scenarios, 1 sometimes never\n");
    holds("sweep.db", "SELECT job, file, seed, verdict FROM run ORDER BY job",
          "0|it.lua|2|pass\n1|it.lua|10|pass\n2|it.lua|11|pass\n3|it.lua|12|pass\n"
          "4|tame.lua|2|pass\n5|tame.lua|10|pass\n6|tame.lua|11|pass\n7|tame.lua|12|pass");
    holds("sweep.db",
          "SELECT shard, shards, runs, complete, (SELECT count(*) FROM run"
          " WHERE sweep_id = sweep.id) FROM sweep",
          "1|1|8|1|8");
    assert_int_equal(files(), 3); /* two scenarios, one record */
}

static void test_sweep_of_one_scenario_tells_how_its_metrics_are_spread(void **state)
{
    (void)state;
    SWEEP("it.lua", "--seeds", "11,100..200");
    ended(0,
          "        metric                                  min          p50          p95          "
          "max\n"
          "        depth                                    11        149.5          195          "
          "200\n",
          "");
    SWEEP("it.lua", "tame.lua", "--seeds", "11,12", "--db", "two.db", "--metrics");
    has("depth");
    SWEEP("it.lua", "tame.lua", "--seeds", "11,12", "--db", "two.db", "--resume");
    assert_null(strstr(c.out, "depth"));
}

static void test_sweep_runs_that_fail_are_told_with_what_repeats_them(void **state)
{
    (void)state;
    SWEEP("it.lua", "--seeds", "1..4,11", "--param", "n=it's", "--until", "0.5", "--only",
          "3..5,9");
    ended(1, "FAIL  4 of 5 runs hold, 0 of 1 scenarios\n", "");
    has("  wild seed 3: one tip: 2 tips\n"
        "    Again: vibesim run it.lua --seed 3 --param 'n=it'\\''s' --until 0.5 --only 3..5,9\n");
    SWEEP("it.lua", "--seeds", "3", "--swarm", "--db", "swarm.db");
    has("    Again: vibesim run it.lua --seed 3 --swarm\n");
    SWEEP("it.lua", "--seeds", "1..4,11", "--param", "n=it's", "--until", "0.5", "--only", "3..5,9",
          "--resume", "--quiet");
    ended(1, "  wild seed 3: one tip: 2 tips\n    Again: ", "");
    assert_int_equal(child_lines(c.out), 3);
}

static void test_sweep_a_crash_is_a_failed_run_with_its_signal_and_the_others_go_on(void **state)
{
    (void)state;
    SWEEP("it.lua", "--seeds", "4..6,11", "--jobs", "1");
    ended(1, "  wild seed 5: killed by SIGSEGV\n    Again: vibesim run it.lua --seed 5\n", "");
    has("FAIL  3 of 4 runs hold, 0 of 1 scenarios\n");
    holds("sweep.db", "SELECT seed, verdict, reason FROM run ORDER BY job",
          "4|pass|NULL\n5|error|killed by SIGSEGV\n6|pass|NULL\n11|pass|NULL");
    SWEEP("it.lua", "--seeds", "4..6,11", "--resume"); /* it is done, and stays so */
    ended(1, "  wild seed 5: killed by SIGSEGV\n", "4 of 4 runs are there already\n");
}

static void test_sweep_a_run_that_never_began_is_in_the_record_too(void **state)
{
    (void)state;
    SWEEP("it.lua", "--seeds", "11,71", "--record", "events");
    ended(2, "  wild seed 71: it.lua:2: no such option\n", "");
    holds("sweep.db",
          "SELECT job, seed, verdict, reason, file, options, sweep_id = (SELECT id FROM"
          " sweep) FROM run WHERE seed = '71'",
          "1|71|error|it.lua:2: no such option|it.lua|{}|1");
    holds("sweep.db", "SELECT complete FROM sweep", "1");
}

static void test_sweep_the_worst_run_gives_the_status_however_often_it_is_told(void **state)
{
    (void)state;
    for (int resumed = 0; resumed < 2; resumed++) {
        const char *again = resumed ? "--resume" : "--quiet";
        SWEEP("it.lua", "--seeds", "3,11", "--db", "1.db", again);
        assert_int_equal(c.status, 1);
        SWEEP("it.lua", "--seeds", "3,7,11", "--db", "2.db", again);
        assert_int_equal(c.status, 2);
        SWEEP("it.lua", "--seeds", "3,8,11", "--db", "3.db", "--verify", again);
        assert_int_equal(c.status, 3);
        SWEEP("it.lua", "--seeds", "60", "--db", "77.db", again);
        assert_int_equal(c.status, 77);
        SWEEP("it.lua", "--seeds", "11,60", "--db", "0.db", again);
        assert_int_equal(c.status, 0);
        has("1 skipped");
    }
}

static void test_sweep_json_is_an_object_a_scenario_and_a_total(void **state)
{
    (void)state;
    SWEEP("it.lua", "tame.lua", "--seeds", "2,3,5", "--json");
    assert_int_equal(c.status, 1);
    assert_string_equal(c.err, "");
    char *line = c.out;
    for (int i = 0; i < 3; i++) {
        char *end = strchr(line, '\n');
        assert_non_null(end);
        *end = 0;
        json_t *o = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(o);
        line = end + 1;
        if (i == 0) {
            assert_true(json_is_true(json_object_get(o, "summary")));
            assert_string_equal(json_string_value(json_object_get(o, "file")), "it.lua");
            assert_string_equal(json_string_value(json_object_get(o, "verdict")), "fail");
            assert_int_equal(json_integer_value(json_object_get(o, "held")), 1);
            json_t *failed = json_object_get(o, "failed");
            assert_int_equal(json_array_size(failed), 2);
            assert_string_equal(json_string_value(json_array_get(failed, 1)), "5");
            json_t *depth = json_array_get(json_object_get(o, "metrics"), 0);
            assert_true(json_real_value(json_object_get(depth, "p95")) == 3);
        } else if (i == 2) {
            assert_true(json_is_true(json_object_get(o, "total")));
            assert_int_equal(json_integer_value(json_object_get(o, "runs")), 6);
            assert_int_equal(json_integer_value(json_object_get(o, "held")), 4);
            assert_int_equal(json_integer_value(json_object_get(o, "never")), 2);
        }
        json_decref(o);
    }
    assert_int_equal(*line, 0);
}

/* The run of a seed, with all its rows; the sweep is not complete then. */
static void take_out(const char *db, const char *seed)
{
    static const char *const tables[] = {"event", "node", "check_result", "metric"};
    char sql[200];
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        snprintf(sql, sizeof sql,
                 "DELETE FROM %s WHERE run_id IN (SELECT id FROM run WHERE seed = '%s')", tables[i],
                 seed);
        run_sql(db, sql);
    }
    snprintf(sql, sizeof sql, "DELETE FROM run WHERE seed = '%s'; UPDATE sweep SET complete = 0",
             seed);
    run_sql(db, sql);
}

static void test_sweep_says_what_to_do_with_a_record_that_has_it_already(void **state)
{
    (void)state;
    SWEEP("it.lua", "--seeds", "11,12");
    ended(0, "PASS", "");
    SWEEP("it.lua", "--seeds", "11,12");
    refused(
        "vibesim: sweep.db: holds this sweep already, all 2 runs: --resume shows what came of it; "
        "to make it anew use another file (--db)\n");
    SWEEP("it.lua", "--seeds", "12,11", "--resume"); /* the same seeds, however they are written */
    ended(0, "PASS  2 of 2 runs hold", "2 of 2 runs are there already\n");
    take_out("sweep.db", "12");
    SWEEP("it.lua", "--seeds", "11,12");
    refused(
        "vibesim: sweep.db: holds 1 of 2 runs of this sweep: go on with --resume, or use another");
    holds("sweep.db", "SELECT count(*) FROM run", "1");
}

static void test_sweep_resume_of_nothing_begins(void **state)
{
    (void)state;
    SWEEP("it.lua", "--seeds", "11,12", "--resume");
    ended(0, "PASS  2 of 2 runs hold", "");
    VIBESIM("run", "it.lua", "--seed", "2", "--db", "run.db"); /* other runs do not matter */
    SWEEP("it.lua", "--seeds", "11,12", "--resume", "--db", "run.db");
    ended(0, "PASS  2 of 2 runs hold", "");
    holds("run.db", "SELECT seed, sweep_id IS NULL FROM run ORDER BY seed", "11|0\n12|0\n2|1");
}

static void test_sweep_another_plan_is_told_by_what_differs(void **state)
{
    (void)state;
    static const struct {
        const char *args[8], *difference;
    } others[] = {
        {{"it.lua", "--seeds", "11..13"}, "(seeds: \"11..12\" there, \"11..13\" here)"},
        {{"it.lua", "--seeds", "11,12", "--param", "n=3"},
         "(params: {} there, {\"n\":\"3\"} here)"},
        {{"it.lua", "--seeds", "11,12", "--until", "3"},
         "(options: {} there, {\"until_ns\":3000000000} here)"},
        {{"it.lua", "--seeds", "11,12", "--record", "events"},
         "(record: \"summary\" there, \"events\" here)"},
        {{"it.lua", "--seeds", "11,12", "--swarm"}, "(options: {} there, {\"swarm\":true} here)"},
        {{"it.lua", "--seeds", "11,12", "--verify"}, "(verify: false there, true here)"},
        {{"it.lua", "--seeds", "11,12", "--shard", "1/2"}, "(shards: 1 there, 2 here)"},
        {{"tame.lua", "--seeds", "11,12"}, "(scenario 1: it.lua there, tame.lua here)"},
        {{"it.lua", "tame.lua", "--seeds", "11,12"}, "(scenarios: 1 there, 2 here)"},
    };
    SWEEP("it.lua", "--seeds", "11,12", "--db", "a.db");
    ended(0, "", "");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const char *args[CHILD_ARGS] = {"sweep", "--db", "a.db", i % 2 ? "--resume" : "--quiet"};
        for (int k = 0; others[i].args[k]; k++)
            args[4 + k] = others[i].args[k];
        child_run(&c, cli_main, args);
        refused(others[i].difference);
        refused("vibesim: a.db: holds another sweep (");
    }
    child_write(&c, "it.lua", "wild\nef01");
    SWEEP("it.lua", "--seeds", "11,12", "--db", "a.db", "--resume");
    refused("(it.lua has changed: its SHA-256 is abcd there, ef01 here)");
    holds("a.db", "SELECT count(*) FROM run", "2");
}

static void test_sweep_of_another_build_is_gone_on_with_only_if_told(void **state)
{
    (void)state;
    SWEEP("it.lua", "--seeds", "11,12");
    take_out("sweep.db", "12");
    run_sql("sweep.db", "UPDATE sweep SET build = 'old'; UPDATE run SET build = 'old'");
    SWEEP("it.lua", "--seeds", "11,12", "--resume");
    refused("vibesim: sweep.db: its runs were made by another build (old, this is ");
    holds("sweep.db", "SELECT count(*) FROM run", "1");
    SWEEP("it.lua", "--seeds", "11,12", "--resume", "--mixed-builds");
    ended(0, "PASS  2 of 2 runs hold", "1 of 2 runs are there already\n");
    holds("sweep.db", "SELECT build = 'old' FROM run ORDER BY job", "1\n0");
    SWEEP("it.lua", "--seeds", "11,12", "--resume"); /* there is nothing to mix */
    ended(0, "PASS  2 of 2 runs hold", "2 of 2 runs are there already\n");
}

static void test_sweep_runs_that_say_nothing_are_made_again(void **state)
{
    (void)state;
    SWEEP("it.lua", "--seeds", "11,12,72");
    ended(1, "  wild seed 72: killed by SIGKILL\n", "");
    run_sql("sweep.db", "UPDATE run SET verdict = 'interrupted' WHERE seed = '12'");
    child_write(&c, "memory", "");
    SWEEP("it.lua", "--seeds", "11,12,72", "--resume");
    ended(0, "PASS  3 of 3 runs hold", "1 of 3 runs are there already\n");
    SWEEP("it.lua", "--seeds", "11,12,72", "--db", "whole.db");
    same_contents("sweep.db", "whole.db", sizeof contents / sizeof *contents);
}

static void test_sweep_interrupted_keeps_what_is_done_and_can_go_on(void **state)
{
    (void)state;
    static const int signals[] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < 2; i++) {
        const char *const args[] = {"sweep", "it.lua", "--seeds", "1,2,12..19", "--jobs",
                                    "2",     "--db",   "a.db",    NULL};
        unlink(db_path("a.db"));
        child_write(&c, "it.lua", "wild");
        child_write(&c, "out.txt", "");
        pid_t pid = child_start(&c, cli_main, args);
        usleep(1500000); /* all but seed 13 are over */
        kill(pid, signals[i]);
        child_wait(&c, pid);
        ended(130,
              "INTERRUPTED  9 of 10 runs done, 9 hold\n"
              "  Go on: vibesim sweep --resume it.lua --seeds 1,2,12..19 --jobs 2 --db a.db\n",
              "");
        holds("a.db", "SELECT group_concat(seed) FROM (SELECT seed FROM run ORDER BY job)",
              "1,2,12,14,15,16,17,18,19");
        holds("a.db", "PRAGMA integrity_check", "ok");
        assert_int_equal(files(), 3);
        child_write(&c, "it.lua", "tame"); /* which does not hang; the hash is as before */
        SWEEP("it.lua", "--seeds", "1,2,12..19", "--db", "a.db", "--resume");
        ended(2, "", "a.db: holds another sweep"); /* nor is it the same scenario */
    }
}

static bool is_over(pid_t pid)
{
    siginfo_t info = {.si_pid = 0};
    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);
    return info.si_pid == pid;
}

/* Kills it again and again, each time a little later, until it comes to its end. */
static int sweep_in_rounds(const char *db, int signal)
{
    const char *const args[] = {"sweep", "it.lua",   "tame.lua", "--seeds", "1..7,14..40", "--jobs",
                                "2",     "--resume", "--db",     db,        NULL};
    int killed = 0;
    for (useconds_t wait = 100000;; wait += 50000) {
        pid_t pid = child_start(&c, cli_main, args);
        for (useconds_t slept = 0; slept < wait && !is_over(pid); slept += 5000)
            usleep(5000);
        kill(pid, signal);
        child_wait(&c, pid);
        if (c.status != -signal && c.status != CLI_INTERRUPTED)
            return killed;
        killed++;
    }
}

static void test_sweep_killed_in_rounds_equals_one_that_was_not(void **state)
{
    (void)state;
    SWEEP("it.lua", "tame.lua", "--seeds", "1..7,14..40", "--db", "whole.db");
    ended(2, "FAIL  65 of 68 runs hold", "");
    static const int signals[] = {SIGINT, SIGKILL};
    for (size_t i = 0; i < 2; i++) {
        const char *db = i ? "kill.db" : "int.db";
        assert_true(sweep_in_rounds(db, signals[i]) >= 2);
        ended(2, "FAIL  65 of 68 runs hold", "runs are there already\n");
        same_contents(db, "whole.db", sizeof contents / sizeof *contents);
    }
    assert_int_equal(files(), 5); /* no part is left of those that were killed */
}

/* In another process, which holds the record until it is killed. */
static pid_t lock_record(const char *db)
{
    int fds[2];
    char byte;
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        sqlite3 *handle;
        if (sqlite3_open(db_path(db), &handle) != SQLITE_OK ||
            sqlite3_exec(handle, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK ||
            write(fds[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(fds[1]);
    assert_int_equal(read(fds[0], &byte, 1), 1);
    close(fds[0]);
    return pid;
}

static void test_sweep_into_a_record_that_is_locked_says_so_and_changes_nothing(void **state)
{
    (void)state;
    VIBESIM("run", "it.lua", "--seed", "2", "--db", "a.db");
    pid_t pid = lock_record("a.db");
    SWEEP("it.lua", "--seeds", "11,12", "--db", "a.db");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    refused("vibesim: a.db: locked by another process: wait for it or use another file (--db)\n");
    holds("a.db", "SELECT count(*) FROM run", "1");
    SWEEP("it.lua", "--seeds", "11,12", "--db", "a.db");
    ended(0, "PASS  2 of 2 runs hold", "");
}

static void test_sweep_lets_no_other_one_into_its_record(void **state)
{
    (void)state;
    const char *const args[] = {"sweep", "it.lua", "--seeds", "1,13", "--db", "a.db", NULL};
    pid_t pid = child_start(&c, cli_main, args);
    usleep(600000);
    struct child first = c;
    SWEEP("it.lua", "--seeds", "1,13", "--db", "a.db", "--resume");
    refused("vibesim: a.db: another process is filling it (a.db-parts is locked): wait for it, or");
    kill(pid, SIGINT);
    child_wait(&first, pid);
    assert_int_equal(first.status, 130);
    assert_true(child_exists(&c, "a.db"));
    assert_false(child_exists(&c, "a.db-parts"));
}

/* A full disk, as a limit on the size of files: what is in stays, and it can go on. */
static void test_sweep_without_room_ends_and_can_go_on(void **state)
{
    (void)state;
    struct rlimit limit = {200000, RLIM_INFINITY}, before;
    getrlimit(RLIMIT_FSIZE, &before);
    setrlimit(RLIMIT_FSIZE, &limit);
    SWEEP("it.lua", "--seeds", "11,100..600");
    setrlimit(RLIMIT_FSIZE, &before);
    ended(2, "  Go on: vibesim sweep --resume it.lua --seeds 11,100..600\n",
          "no room for the record");
    char *made = query_all("sweep.db", "SELECT count(*) FROM run");
    assert_in_range(atoi(made), 1, 500);
    free(made);
    holds("sweep.db", "PRAGMA integrity_check", "ok");
    SWEEP("it.lua", "--seeds", "11,100..600", "--resume");
    ended(0, "PASS  502 of 502 runs hold", "runs are there already");
}

/* What cannot be recorded says nothing of the run: it is no failed one. */
static void test_sweep_a_run_that_cannot_be_recorded_is_not_in_the_record(void **state)
{
    (void)state;
    struct rlimit limit = {150000, RLIM_INFINITY}, before;
    getrlimit(RLIMIT_FSIZE, &before);
    child_write(&c, "fat.lua", "fat");
    setrlimit(RLIMIT_FSIZE, &limit);
    SWEEP("fat.lua", "--seeds", "11,12", "--db", "a.db");
    setrlimit(RLIMIT_FSIZE, &before);
    ended(2, "INTERRUPTED  no run has ended\n", "a.db-parts/");
    assert_non_null(strstr(c.err, ".db: no room for the record"));
    assert_false(child_exists(&c, "a.db")); /* it would have no run */
    SWEEP("fat.lua", "--seeds", "11,12", "--db", "a.db", "--resume");
    ended(0, "PASS  2 of 2 runs hold", "");
}

static void test_sweep_shard_has_its_part_and_judges_no_sometimes(void **state)
{
    (void)state;
    SWEEP("it.lua", "tame.lua", "--seeds", "20..24", "--shard", "2/3");
    ended(0, ", shard 2 of 3\n", "shard 2 of 3: 3 runs\n");
    has("What is to happen sometimes is judged over all shards: vibesim merge ALL.db "
        "SHARD.db...\n");
    has("PASS  3 of 3 runs hold");
    holds("sweep-2-of-3.db", "SELECT job, file, seed FROM run ORDER BY job",
          "1|it.lua|21\n4|it.lua|24\n7|tame.lua|22");
    setenv("SLURM_ARRAY_TASK_ID", "12", 1);
    setenv("SLURM_ARRAY_TASK_MIN", "10", 1);
    setenv("SLURM_ARRAY_TASK_COUNT", "3", 1);
    SWEEP("it.lua", "tame.lua", "--seeds", "20..24", "--db", "of-{shard}.db");
    unsetenv("SLURM_ARRAY_TASK_COUNT");
    ended(0, "PASS  3 of 3 runs hold",
          "shard 3 of 3: 3 runs (by SLURM_ARRAY_TASK_ID=12, SLURM_ARRAY_TASK_COUNT=3)\n");
    assert_true(child_exists(&c, "of-3-of-3.db"));
    SWEEP("it.lua", "--seeds", "20..24");
    forget_environment();
    refused("vibesim: SLURM_ARRAY_TASK_ID=12 says which shard this is, but not of how many: add "
            "--shards N or set VIBESIM_SHARDS\n");
    SWEEP("it.lua", "--seeds", "1,2", "--shard", "3/3");
    refused("vibesim: shard 3 of 3: has no run of 2: take fewer shards\n");
}

static void test_sweep_refuses_what_makes_no_sense_and_leaves_no_file(void **state)
{
    (void)state;
    SWEEP("--seeds", "1..3");
    refused("vibesim: sweep: name scenarios: vibesim sweep FILE.lua... --seeds 1..1000\n");
    SWEEP("it.lua");
    refused("vibesim: sweep: say which seeds: vibesim sweep it.lua --seeds 1..1000\n");
    SWEEP("it.lua", "--seed", "3");
    refused("vibesim: '--seed' is no option: did you mean --seeds?\n");
    SWEEP("it.lua", "--seeds", "1..3", "--record", "none");
    refused("vibesim: --record: a sweep keeps its runs in a database: the least is summary");
    SWEEP("it.lua", "--seeds", "1..3", "--shard", "4/3");
    refused("vibesim: --shard: '4/3' is no shard: write I/N, from 1/N to N/N, like 2/8\n");
    SWEEP("it.lua", "--seeds", "1..3", "--shard", "1/3", "--shards", "3");
    refused("vibesim: --shards: --shard 1/3 says of how many: leave out one of them\n");
    SWEEP("it.lua", "--seeds", "1..3", "--shards", "3");
    refused("vibesim: --shards: says of how many, and nothing says which: say which shard with");
    SWEEP("it.lua", "--seeds", "1..3", "--db", "{shard}{shard}.db");
    refused("vibesim: --db: {shard}{shard}.db holds {shard} twice\n");
    SWEEP("missing.lua", "--seeds", "1..3");
    refused("vibesim: missing.lua: there is no such file");
    SWEEP("it.lua", "--seeds", "1..3", "--db", "it.lua");
    refused("vibesim: it.lua: not an SQLite database");
    SWEEP("it.lua", "--seeds", "1..3", "--db", "no/a.db");
    refused("vibesim: no/a.db: there is no folder no");
    assert_int_equal(files(), 2);
}

/* A record is a file like others: anybody may have written it. */
static void test_sweep_that_was_tampered_with_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *told;
    } harms[] = {
        {"UPDATE run SET job = 7 WHERE job = 1", "is not what the plan of its sweep says"},
        {"UPDATE run SET seed = '99' WHERE job = 1", "is not what the plan of its sweep says"},
        {"UPDATE run SET scenario_sha256 = 'x' WHERE job = 1", "is not what the plan"},
        {"UPDATE sweep SET plan = '{}'", "makes no sense"},
        {"UPDATE sweep SET plan = 'x', id = 'y'", "makes no sense"},
        {"DROP TABLE sweep", "the database is damaged"},
    };
    for (size_t i = 0; i < sizeof harms / sizeof *harms; i++) {
        SWEEP("it.lua", "--seeds", "11,12");
        assert_int_equal(c.status, 0);
        run_sql("sweep.db", harms[i].sql);
        SWEEP("it.lua", "--seeds", "11,12", "--resume");
        refused(harms[i].told);
        unlink(db_path("sweep.db"));
    }
}

int main(void)
{
    forget_environment();
    const struct CMUnitTest tests[] = {
        CASE(test_sweep_makes_each_run_once_and_tells_of_them),
        CASE(test_sweep_of_one_scenario_tells_how_its_metrics_are_spread),
        CASE(test_sweep_runs_that_fail_are_told_with_what_repeats_them),
        CASE(test_sweep_a_crash_is_a_failed_run_with_its_signal_and_the_others_go_on),
        CASE(test_sweep_a_run_that_never_began_is_in_the_record_too),
        CASE(test_sweep_the_worst_run_gives_the_status_however_often_it_is_told),
        CASE(test_sweep_json_is_an_object_a_scenario_and_a_total),
        CASE(test_sweep_says_what_to_do_with_a_record_that_has_it_already),
        CASE(test_sweep_resume_of_nothing_begins),
        CASE(test_sweep_another_plan_is_told_by_what_differs),
        CASE(test_sweep_of_another_build_is_gone_on_with_only_if_told),
        CASE(test_sweep_runs_that_say_nothing_are_made_again),
        CASE(test_sweep_interrupted_keeps_what_is_done_and_can_go_on),
        CASE(test_sweep_killed_in_rounds_equals_one_that_was_not),
        CASE(test_sweep_into_a_record_that_is_locked_says_so_and_changes_nothing),
        CASE(test_sweep_lets_no_other_one_into_its_record),
        CASE(test_sweep_without_room_ends_and_can_go_on),
        CASE(test_sweep_a_run_that_cannot_be_recorded_is_not_in_the_record),
        CASE(test_sweep_shard_has_its_part_and_judges_no_sometimes),
        CASE(test_sweep_refuses_what_makes_no_sense_and_leaves_no_file),
        CASE(test_sweep_that_was_tampered_with_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
