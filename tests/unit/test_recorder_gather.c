/* One record of runs that several processes made. */
#include "store/recorder_gather.h"

#include "tests/unit/recorder_folder.h"

static struct gather *must_gather(const char *path)
{
    char why[512] = "";
    struct gather *g = gather_new(path, why, sizeof why);
    if (!g)
        fail_msg("%s", why);
    return g;
}

/* The part's run, with `events` events of it. */
static struct recorder *begin_part(const struct gather *g, uint64_t number, uint64_t events)
{
    char part[600], why[512] = "";
    gather_part(g, number, part, sizeof part);
    struct recorder_run run = a_run;
    run.seed = number;
    struct recorder *r = recorder_open(part, &run, why, sizeof why);
    if (!r)
        fail_msg("%s", why);
    uint8_t hash[32] = {(uint8_t)number};
    recorder_node(r, 0, "miner", NULL, "0.1.0");
    recorder_check(r, "one tip", "check", true, 5, NULL);
    recorder_metric(r, "depth", -1, (double)number);
    recorder_block(r, hash, 1, NULL, 0, 9);
    recorder_arrival(r, hash, 0, 10);
    recorder_decision(r, 1, 2, "kill", "{}", true);
    recorder_mark(r, 1 << 20, 2, 3);
    put_events(r, 0, events);
    return r;
}

static int64_t must_add(struct gather *g, uint64_t number, const char *reason)
{
    char why[512] = "";
    int64_t run_id;
    if (!gather_add(g, number, reason, &run_id, why, sizeof why))
        fail_msg("%s", why);
    return run_id;
}

static void test_gather_puts_runs_in_the_callers_order_with_all_their_rows(void **state)
{
    (void)state;
    const char *path = in_folder("run.db");
    must_finish(must_open(path)); /* a run that is there already */
    struct gather *g = must_gather(path);
    for (uint64_t i = 0; i < 3; i++)
        must_finish(begin_part(g, i, 10 * i));
    assert_int_equal(must_add(g, 2, NULL), 2);
    assert_int_equal(must_add(g, 0, NULL), 3);
    assert_int_equal(must_add(g, 1, NULL), 4);
    gather_free(g);
    assert_int_equal(files_in_folder(), 1);
    assert_string_equal(query(path, "SELECT id, seed, verdict, trace_hash FROM run"
                                    " WHERE id > 1 ORDER BY id"),
                        "2|2|pass|0123456789abcdef\n3|0|pass|0123456789abcdef\n"
                        "4|1|pass|0123456789abcdef");
    assert_string_equal(query(path, "SELECT run_id, count(*) FROM event GROUP BY 1 ORDER BY 1"),
                        "2|20\n4|10");
    static const char *const tables[] = {"node",    "check_result", "metric", "block",
                                         "arrival", "decision",     "mark"};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        char sql[100];
        snprintf(sql, sizeof sql,
                 "SELECT group_concat(run_id) FROM (SELECT run_id FROM %s"
                 " ORDER BY 1)",
                 tables[i]);
        assert_string_equal(query(path, sql), "2,3,4");
    }
    assert_string_equal(query(path, "SELECT value FROM metric WHERE run_id = 4"), "1.0");
    assert_string_equal(query(path, "PRAGMA integrity_check"), "ok");
}

static void test_gather_keeps_the_run_of_a_process_that_died(void **state)
{
    (void)state;
    const char *path = in_folder("run.db");
    struct gather *g = must_gather(path);
    pid_t pid = fork();
    if (pid == 0) {
        begin_part(g, 7, 50000);
        usleep(900000); /* a batch is written */
        raise(SIGKILL);
    }
    waitpid(pid, NULL, 0);
    assert_int_equal(must_add(g, 7, "killed by SIGKILL"), 1);
    assert_int_equal(must_add(g, 8, "killed by SIGKILL"), 0); /* died before it began */
    gather_free(g);
    assert_int_equal(files_in_folder(), 1);
    assert_string_equal(query(path, "SELECT seed, verdict, reason FROM run"),
                        "7|error|killed by SIGKILL");
    assert_string_not_equal(query(path, "SELECT count(*) FROM event"), "0");
}

/* More than are taken between two checkpoints, and a reader in between. */
static void test_gather_takes_many_runs_and_can_be_read_meanwhile(void **state)
{
    (void)state;
    const char *path = in_folder("run.db");
    struct gather *g = must_gather(path);
    for (int64_t i = 1; i <= 70; i++) {
        must_finish(begin_part(g, (uint64_t)i, 3));
        assert_int_equal(must_add(g, (uint64_t)i, NULL), i);
        char count[8];
        snprintf(count, sizeof count, "%d", (int)i);
        assert_string_equal(query(path, "SELECT count(*) FROM run"), count);
    }
    gather_free(g);
    assert_int_equal(files_in_folder(), 1); /* no log is left */
    assert_string_equal(query(path, "SELECT count(*), max(id) FROM run"), "70|70");
    assert_string_equal(query(path, "SELECT count(*) FROM event"), "210");
}

static void test_gather_that_got_nothing_leaves_nothing(void **state)
{
    (void)state;
    const char *path = in_folder("run.db");
    struct gather *g = must_gather(path);
    must_finish(begin_part(g, 1, 1)); /* never asked for */
    gather_free(g);
    assert_int_equal(files_in_folder(), 0);
    must_finish(must_open(path));
    gather_free(must_gather(path)); /* what was there stays */
    assert_int_equal(files_in_folder(), 1);
    assert_string_equal(query(path, "SELECT count(*) FROM run"), "1");
}

static void test_gather_refuses_files_that_are_not_its_own(void **state)
{
    (void)state;
    char why[512] = "";
    const char *path = in_folder("notes.txt");
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("mine\n", f);
    fclose(f);
    assert_null(gather_new(path, why, sizeof why));
    assert_non_null(strstr(why, "notes.txt: not an SQLite database"));
    assert_null(gather_new(in_folder("no/run.db"), why, sizeof why));
    assert_non_null(strstr(why, "there is no folder"));
    assert_int_equal(files_in_folder(), 1);
}

static void test_gather_brings_an_old_record_up_to_date(void **state)
{
    (void)state;
    const char *path = in_folder("run.db");
    must_finish(must_open(path));
    run_sql(path, RECORD_AS_SCHEMA_1);
    struct gather *g = must_gather(path);
    must_finish(begin_part(g, 1, 1));
    assert_int_equal(must_add(g, 1, NULL), 2);
    gather_free(g);
    assert_string_equal(query(path, "SELECT run_id FROM decision"), "2");
}

/* A full disk, as a limit on the size of files: the record stays as it was, and says so. */
static void test_gather_without_room_leaves_the_record_valid(void **state)
{
    (void)state;
    const char *path = in_folder("run.db");
    struct gather *g = must_gather(path);
    must_finish(begin_part(g, 1, 1));
    must_finish(begin_part(g, 2, 30000));
    must_add(g, 1, NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit limit = {200000, 200000};
        char why[512] = "";
        int64_t run_id;
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        bool refused = !gather_add(g, 2, NULL, &run_id, why, sizeof why);
        _exit(refused && strstr(why, "no room for the record") ? 0 : 1);
    }
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    assert_string_equal(query(path, "PRAGMA integrity_check"), "ok");
    assert_string_equal(query(path, "SELECT count(*) FROM run"), "1");
    assert_int_equal(must_add(g, 2, NULL), 2); /* there is room again */
    gather_free(g);
    assert_string_equal(query(path, "SELECT count(*) FROM event WHERE run_id = 2"), "30000");
}

static void test_gather_alone_lets_nobody_else_in(void **state)
{
    (void)state;
    char why[512] = "";
    const char *path = in_folder("run.db");
    struct gather *g = gather_new_alone(path, why, sizeof why);
    assert_non_null(g);
    pid_t pid = fork(); /* as another process: a lock is a process's own */
    if (pid == 0) {
        bool out = !gather_new_alone(path, why, sizeof why);
        _exit(out && strstr(why, "run.db: another process is filling it") ? 0 : 1);
    }
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    must_finish(begin_part(g, 1, 1));
    assert_int_equal(must_add(g, 1, NULL), 1);
    gather_free(g);
    assert_int_equal(files_in_folder(), 1);
    g = gather_new_alone(path, why, sizeof why); /* it is free again */
    assert_non_null(g);
    gather_free(g);
}

static void test_gather_alone_removes_what_a_killed_one_left_and_nothing_else(void **state)
{
    (void)state;
    char why[512] = "", name[600];
    const char *path = in_folder("run.db");
    pid_t pid = fork();
    if (pid == 0) {
        struct gather *g = gather_new_alone(path, why, sizeof why);
        if (!g)
            _exit(1);
        begin_part(g, 7, 3);
        raise(SIGKILL);
    }
    waitpid(pid, NULL, 0);
    snprintf(name, sizeof name, "%s-parts/7.db", path);
    assert_int_equal(access(name, F_OK), 0);
    snprintf(name, sizeof name, "%s-parts/letter.txt", path);
    FILE *f = fopen(name, "w");
    assert_non_null(f);
    fclose(f);
    struct gather *g = gather_new_alone(path, why, sizeof why);
    if (!g)
        fail_msg("%s", why);
    assert_int_equal(must_add(g, 7, NULL), 0); /* it is gone */
    gather_free(g);
    assert_int_equal(access(name, F_OK), 0); /* somebody else's */
    assert_int_equal(unlink(name), 0);
    snprintf(name, sizeof name, "%s-parts", path);
    assert_int_equal(rmdir(name), 0); /* nothing else was left in it */
}

static void test_gather_puts_in_a_run_of_which_there_is_no_part(void **state)
{
    (void)state;
    char why[512] = "";
    int64_t run_id = 0;
    const char *path = in_folder("run.db");
    struct gather *g = must_gather(path);
    struct recorder_run run = a_run;
    run.sweep = "abc";
    run.job = 9;
    assert_true(gather_add_bare(g, &run, "error", "died", &run_id, why, sizeof why));
    assert_false(gather_add_bare(g, &run, "error", "died", &run_id, why, sizeof why));
    assert_non_null(strstr(why, "UNIQUE")); /* no job of a sweep is in a record twice */
    gather_free(g);
    assert_string_equal(query(path, "SELECT id, seed, verdict, reason, sweep_id, job FROM run"),
                        "1|18446744073709551615|error|died|abc|9");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_gather_puts_runs_in_the_callers_order_with_all_their_rows),
        CASE(test_gather_keeps_the_run_of_a_process_that_died),
        CASE(test_gather_takes_many_runs_and_can_be_read_meanwhile),
        CASE(test_gather_that_got_nothing_leaves_nothing),
        CASE(test_gather_refuses_files_that_are_not_its_own),
        CASE(test_gather_brings_an_old_record_up_to_date),
        CASE(test_gather_alone_lets_nobody_else_in),
        CASE(test_gather_alone_removes_what_a_killed_one_left_and_nothing_else),
        CASE(test_gather_puts_in_a_run_of_which_there_is_no_part),
        CASE(test_gather_without_room_leaves_the_record_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
