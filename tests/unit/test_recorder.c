/* The run recorder: what it writes, what it refuses, and what is left when it is killed or the disk
 * is full. Each test works in a folder of its own under TMPDIR. */
#include "store/recorder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

static char folder[200];

static const struct recorder_run a_run = {
    .scenario = "partition-heal",
    .scenario_sha256 = "00ff",
    .seed = UINT64_MAX,
    .params = "{\"nodes\":8}",
    .world = "sim",
    .build = "0.1.0 test",
};

static const struct recorder_result a_result = {
    .wall_ms = 12,
    .sim_ns = 300000000000u,
    .events = 1000,
    .messages = 200,
    .bytes = 30000,
    .trace_hash = 0x0123456789abcdefu,
    .verdict = "pass",
};

/* A path in the test's folder; good until the fourth call after it. */
static const char *in_folder(const char *name)
{
    static char paths[4][400];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    char *error = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s: %s", sql, error);
    sqlite3_close(db);
}

/* All rows of a query: columns joined by '|', rows by newlines. Good until the next call. */
static const char *query(const char *path, const char *sql)
{
    static char out[4096];
    size_t used = 0;
    sqlite3 *db;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    out[0] = 0;
    for (bool first = true; sqlite3_step(stmt) == SQLITE_ROW; first = false)
        for (int i = 0; i < sqlite3_column_count(stmt); i++) {
            const char *text = (const char *)sqlite3_column_text(stmt, i);
            int n = snprintf(out + used, sizeof out - used, "%s%s",
                             i       ? "|"
                             : first ? ""
                                     : "\n",
                             text ? text : "NULL");
            assert_true(n >= 0 && (size_t)n < sizeof out - used);
            used += (size_t)n;
        }
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return out;
}

static uint32_t files_in_folder(void)
{
    uint32_t n = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));)
        n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

static int setup(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/vibenet-recorder-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            const char *path = in_folder(e->d_name);
            if (unlink(path) != 0)
                rmdir(path);
        }
    if (dir)
        closedir(dir);
    return rmdir(folder);
}

static struct recorder *must_open(const char *path)
{
    char why[512] = "";
    struct recorder *r = recorder_open(path, &a_run, why, sizeof why);
    if (!r)
        fail_msg("%s", why);
    return r;
}

static void must_finish(struct recorder *r)
{
    char why[512] = "";
    if (!recorder_finish(r, &a_result, why, sizeof why))
        fail_msg("%s", why);
}

/* The refusal must be one line that names the file and holds `words`. */
static void must_refuse(const char *path, const char *words)
{
    char why[512] = "";
    struct recorder *r = recorder_open(path, &a_run, why, sizeof why);
    assert_null(r);
    if (!strstr(why, words) || strncmp(why, path, strlen(path)) != 0 || strchr(why, '\n'))
        fail_msg("expected '%s: ... %s', got '%s'", path, words, why);
}

static void put_events(struct recorder *r, uint64_t from, uint64_t count)
{
    for (uint64_t i = from; i < from + count; i++) {
        struct recorder_event e = {.seq = i,
                                   .t_ns = i,
                                   .node = 1,
                                   .kind = "msg-in",
                                   .peer = 2,
                                   .link = 3,
                                   .msg = "Ping",
                                   .bytes = 16,
                                   .detail = "some words"};
        recorder_event(r, &e);
    }
}

static void test_recorder_writes_the_tables_of_the_design(void **state)
{
    (void)state;
    const char *path = in_folder("run.db");
    must_finish(must_open(path));
    static const char *const wanted[][2] = {
        {"run", "id|scenario|scenario_sha256|seed|params|world|build|started_utc|wall_ms|sim_ns|"
                "events|messages|bytes|trace_hash|verdict|reason"},
        {"node", "run_id|no|role|region|version|final_height|final_tip"},
        {"event", "run_id|seq|t_ns|node|kind|peer|link|msg|bytes|detail"},
        {"check_result", "run_id|name|kind|ok|t_ns|detail"},
        {"metric", "run_id|name|node|value"},
        {"block", "run_id|hash|height|parent|miner|mined_ns"},
        {"arrival", "run_id|block_hash|node|t_ns"},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        char sql[200];
        snprintf(sql, sizeof sql, "SELECT group_concat(name, '|') FROM pragma_table_info('%s')",
                 wanted[i][0]);
        assert_string_equal(query(path, sql), wanted[i][1]);
    }
    assert_string_equal(query(path, "PRAGMA application_id"), "1449747022"); /* "VibN" */
    assert_string_equal(query(path, "PRAGMA user_version"), "1");
    assert_string_equal(query(path, "PRAGMA journal_mode"), "wal");
}

static void test_recorder_keeps_every_value_it_is_given(void **state)
{
    (void)state;
    const char *path = in_folder("run.db");
    struct recorder *r = must_open(path);
    uint8_t hash[32], parent[32];
    memset(hash, 0xab, sizeof hash);
    memset(parent, 0x01, sizeof parent);
    recorder_node(r, 0, "miner", NULL, "0.1.0");
    recorder_node(r, 1, "node", "eu", "0.1.0");
    recorder_node_final(r, 1, 7, hash);
    struct recorder_event e = {.seq = 5,
                               .t_ns = 6,
                               .node = 1,
                               .kind = "msg-in",
                               .peer = 0,
                               .link = 9,
                               .msg = "NewBlock",
                               .bytes = 300,
                               .detail = "it's"};
    recorder_event(r, &e);
    struct recorder_event step = {
        .seq = 6, .t_ns = UINT64_MAX, .node = UINT32_MAX, .kind = "heal", .peer = -1};
    recorder_event(r, &step);
    recorder_check(r, "one tip", "check", false, 8, "2 tips");
    recorder_metric(r, "depth", -1, 2.5);
    recorder_block(r, hash, 7, parent, 0, 10);
    recorder_arrival(r, hash, 1, 11);
    recorder_arrival(r, hash, 1, 99); /* again, later: the first one counts */
    must_finish(r);

    assert_string_equal(query(path,
                              "SELECT scenario, scenario_sha256, seed, params, world, build,"
                              " wall_ms, sim_ns, events, messages, bytes, trace_hash, verdict,"
                              " reason FROM run"),
                        "partition-heal|00ff|18446744073709551615|{\"nodes\":8}|sim|0.1.0 test|12|"
                        "300000000000|1000|200|30000|0123456789abcdef|pass|NULL");
    assert_string_equal(query(path, "SELECT started_utc LIKE '20__-__-__T__:__:__Z' FROM run"),
                        "1");
    assert_string_equal(query(path, "SELECT no, role, region, version, final_height,"
                                    " final_tip = replace(hex(zeroblob(32)), '00', 'ab')"
                                    " FROM node ORDER BY no"),
                        "0|miner|NULL|0.1.0|NULL|NULL\n1|node|eu|0.1.0|7|1");
    assert_string_equal(query(path, "SELECT * FROM event ORDER BY seq"),
                        "1|5|6|1|msg-in|0|9|NewBlock|300|it's\n"
                        "1|6|9223372036854775807|NULL|heal|NULL|NULL|NULL|NULL|NULL");
    assert_string_equal(query(path, "SELECT * FROM check_result"), "1|one tip|check|0|8|2 tips");
    assert_string_equal(query(path, "SELECT * FROM metric"), "1|depth|NULL|2.5");
    assert_string_equal(query(path,
                              "SELECT substr(hash, 1, 4), height, substr(parent, 1, 4), miner,"
                              " mined_ns FROM block"),
                        "abab|7|0101|0|10");
    assert_string_equal(query(path, "SELECT length(block_hash), node, t_ns FROM arrival"),
                        "64|1|11");
}

static void test_recorder_cuts_long_texts_between_characters(void **state)
{
    (void)state;
    const char *path = in_folder("run.db");
    struct recorder *r = must_open(path);
    char detail[200], name[3000];
    memset(detail, 'x', sizeof detail - 1);
    detail[sizeof detail - 1] = 0;
    memcpy(detail + 119, "\xe2\x82\xac", 3); /* a euro sign across the 120th byte */
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    struct recorder_event e = {.seq = 1, .kind = "log", .node = 0, .peer = -1, .detail = detail};
    recorder_event(r, &e);
    recorder_check(r, name, "check", true, 0, NULL);
    must_finish(r);
    assert_string_equal(query(path, "SELECT length(CAST(detail AS BLOB)) FROM event"), "119");
    assert_string_equal(query(path, "SELECT length(name) FROM check_result"), "2000");
}

static void test_recorder_shows_a_run_as_interrupted_until_it_is_finished(void **state)
{
    (void)state;
    const char *path = in_folder("run.db");
    struct recorder *r = must_open(path);
    /* A process of its own: SQLite's locks are the process's. */
    pid_t child = fork();
    if (child == 0)
        _exit(strcmp(query(path, "SELECT verdict FROM run"), "interrupted") != 0);
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    must_finish(r);
    assert_string_equal(query(path, "SELECT verdict FROM run"), "pass");
}

static void test_recorder_appends_runs_to_its_own_file(void **state)
{
    (void)state;
    const char *path = in_folder("run.db");
    must_finish(must_open(path));
    struct recorder *r = must_open(path);
    assert_int_equal(recorder_run_id(r), 2);
    put_events(r, 0, 3);
    must_finish(r);
    assert_string_equal(query(path, "SELECT id, verdict FROM run ORDER BY id"), "1|pass\n2|pass");
    assert_string_equal(query(path, "SELECT run_id, count(*) FROM event"), "2|3");
    assert_int_equal(files_in_folder(), 1); /* no -wal, no -shm */
}

/* Reads a small file whole. */
static size_t slurp(const char *path, char *out, size_t size)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(out, 1, size, f);
    assert_true(n < size);
    fclose(f);
    return n;
}

static void must_refuse_untouched(const char *path, const char *words)
{
    static char before[100000], after[100000];
    struct stat st_before, st_after;
    uint32_t files = files_in_folder();
    size_t n = slurp(path, before, sizeof before);
    assert_int_equal(stat(path, &st_before), 0);
    must_refuse(path, words);
    assert_int_equal(slurp(path, after, sizeof after), n);
    assert_memory_equal(before, after, n);
    assert_int_equal(stat(path, &st_after), 0);
    assert_memory_equal(&st_before.st_mtim, &st_after.st_mtim, sizeof st_before.st_mtim);
    assert_int_equal(files_in_folder(), files);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void test_recorder_leaves_files_that_are_not_its_own_untouched(void **state)
{
    (void)state;
    const char *path = in_folder("notes.txt");
    write_file(path, "hello\n");
    must_refuse_untouched(path, "not an SQLite database");

    path = in_folder("long.txt");
    char text[300];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    write_file(path, text);
    must_refuse_untouched(path, "not an SQLite database");

    path = in_folder("stranger.db");
    run_sql(path, "CREATE TABLE run(id)");
    must_refuse_untouched(path, "another program");

    path = in_folder("stranger-wal.db");
    run_sql(path, "PRAGMA journal_mode=WAL; CREATE TABLE t(x); INSERT INTO t VALUES(1);"
                  "PRAGMA application_id = 252006673");
    must_refuse_untouched(path, "another program");

    path = in_folder("newer.db");
    must_finish(must_open(path));
    run_sql(path, "PRAGMA user_version = 2");
    must_refuse_untouched(path, "a newer VibeNet (schema 2, this one writes 1)");

    path = in_folder("lacking.db");
    must_finish(must_open(path));
    run_sql(path, "DROP TABLE arrival");
    must_refuse_untouched(path, "damaged");
}

static void test_recorder_names_what_is_wrong_with_a_place(void **state)
{
    (void)state;
    must_refuse(in_folder("no/such/run.db"), "there is no folder");
    must_refuse(folder, "a folder: name a file in it");
    const char *path = in_folder("pipe");
    assert_int_equal(mkfifo(path, 0600), 0);
    must_refuse(path, "not a regular file");
    path = in_folder("file");
    write_file(path, "x");
    must_refuse(in_folder("file/run.db"), "Not a directory");
    must_refuse("", "the name of the record is empty");
    assert_int_equal(files_in_folder(), 2);
}

static void test_recorder_refuses_what_it_may_not_write(void **state)
{
    (void)state;
    if (getuid() == 0 && setresuid(65534, 65534, 0) != 0)
        skip(); /* root may write everywhere, and cannot step down here */
    if (getuid() != geteuid() || geteuid() == 0)
        skip();
    const char *error = NULL;
    char why[512] = "";
    if (access(folder, W_OK) == 0)
        chmod(folder, 0500);
    if (recorder_open(in_folder("run.db"), &a_run, why, sizeof why))
        error = "opened";
    else if (!strstr(why, "cannot be created (Permission denied)"))
        error = why;
    chmod(folder, 0700);
    if (setresuid(0, 0, 0) != 0)
        errno = 0; /* was never root */
    if (error)
        fail_msg("%s", error);
}

static void test_recorder_keeps_a_name_that_sqlite_would_read_as_memory(void **state)
{
    (void)state;
    char before[400];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(folder), 0);
    must_finish(must_open(":memory:"));
    assert_int_equal(chdir(before), 0);
    assert_string_equal(query(in_folder(":memory:"), "SELECT count(*) FROM run"), "1");
}

static void test_recorder_abandon_leaves_no_trace_of_the_run(void **state)
{
    (void)state;
    const char *path = in_folder("run.db");
    struct recorder *r = must_open(path);
    put_events(r, 0, 10);
    recorder_abandon(r);
    assert_int_equal(files_in_folder(), 0);

    must_finish(must_open(path));
    r = must_open(path);
    recorder_node(r, 0, "node", NULL, NULL);
    put_events(r, 0, 10);
    recorder_abandon(r);
    assert_string_equal(query(path,
                              "SELECT (SELECT count(*) FROM run), (SELECT count(*) FROM node),"
                              " (SELECT count(*) FROM event)"),
                        "1|0|0");
}

/* A process that holds the write lock of the file from when `ready` has been read from its pipe,
 * for hold_ms. */
static pid_t lock_elsewhere(const char *path, uint32_t hold_ms)
{
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        sqlite3 *db;
        char *error = NULL;
        if (sqlite3_open(path, &db) != SQLITE_OK ||
            sqlite3_exec(db, "PRAGMA busy_timeout=5000; BEGIN IMMEDIATE;", NULL, NULL, &error) != 0)
            _exit(1);
        if (write(pipes[1], "x", 1) != 1)
            _exit(1);
        usleep(hold_ms * 1000u);
        sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
        sqlite3_close(db);
        _exit(0);
    }
    char c;
    close(pipes[1]);
    assert_int_equal(read(pipes[0], &c, 1), 1);
    close(pipes[0]);
    return child;
}

static void test_recorder_refuses_a_locked_file(void **state)
{
    (void)state;
    const char *path = in_folder("run.db");
    must_finish(must_open(path));
    pid_t child = lock_elsewhere(path, 30000);
    must_refuse(path, "locked by another process");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_string_equal(query(path, "SELECT count(*) FROM run"), "1");
}

static void test_recorder_makes_the_caller_wait_when_the_ring_is_full(void **state)
{
    (void)state;
    const char *path = in_folder("run.db");
    struct recorder *r = must_open(path);
    pid_t child = lock_elsewhere(path, 1000);
    /* Over 100 bytes each: more than the 8 MiB of the ring. */
    const uint64_t count = 200000;
    put_events(r, 0, count);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    must_finish(r);
    char wanted[64];
    snprintf(wanted, sizeof wanted, "%llu|%llu", (unsigned long long)count,
             (unsigned long long)(count - 1));
    assert_string_equal(query(path, "SELECT count(*), max(seq) FROM event"), wanted);
}

static void test_recorder_killed_at_any_moment_leaves_a_valid_file(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 6; round++) {
        const char *path = in_folder("run.db");
        pid_t child = fork();
        if (child == 0) {
            char why[512];
            struct recorder *r = recorder_open(path, &a_run, why, sizeof why);
            if (!r)
                _exit(1);
            for (uint64_t i = 0;; i += 100)
                put_events(r, i, 100);
        }
        usleep(100000u + 130000u * round);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        assert_string_equal(query(path, "PRAGMA integrity_check"), "ok");
    }
    assert_string_equal(query(in_folder("run.db"), "SELECT count(*) = 6, min(verdict), max(verdict)"
                                                   " FROM run"),
                        "1|interrupted|interrupted");
    /* What was committed is a run's beginning without holes. */
    assert_string_equal(query(in_folder("run.db"), "SELECT count(*) FROM (SELECT run_id FROM event"
                                                   " GROUP BY run_id"
                                                   " HAVING max(seq) + 1 <> count(*))"),
                        "0");
    assert_string_not_equal(query(in_folder("run.db"), "SELECT count(*) FROM event"), "0");
}

/* In a child, whose files cannot grow beyond 1 MiB: 0 if the failure was told as it should. */
static int fill_the_disk(const char *path)
{
    struct rlimit limit = {1 << 20, 1 << 20};
    signal(SIGXFSZ, SIG_IGN);
    char why[512] = "";
    struct recorder *r = recorder_open(path, &a_run, why, sizeof why);
    if (!r || setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 1;
    uint64_t i = 0;
    while (!recorder_error(r) && i < 2000000) {
        put_events(r, i, 100);
        i += 100;
    }
    if (!recorder_error(r) || !strstr(recorder_error(r), "no room for the record"))
        return 2;
    put_events(r, i, 300000); /* rows after the failure are dropped: nobody waits for ever */
    if (recorder_finish(r, &a_result, why, sizeof why))
        return 3;
    return strstr(why, "no room for the record") && strstr(why, path) ? 0 : 4;
}

static void test_recorder_tells_of_a_full_disk_and_leaves_a_valid_file(void **state)
{
    (void)state;
    const char *path = in_folder("run.db");
    pid_t child = fork();
    if (child == 0)
        _exit(fill_the_disk(path));
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_string_equal(query(path, "PRAGMA integrity_check"), "ok");
    assert_string_not_equal(query(path, "SELECT verdict FROM run"), "pass");
    must_finish(must_open(path)); /* and it can be used again */
}

static void test_recorder_without_room_at_the_start_leaves_no_file(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        struct rlimit limit = {8192, 8192};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        char why[512] = "";
        struct recorder *r = recorder_open(in_folder("run.db"), &a_run, why, sizeof why);
        _exit(r || !strstr(why, "no room for the record"));
    }
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_int_equal(files_in_folder(), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_recorder_writes_the_tables_of_the_design),
        CASE(test_recorder_keeps_every_value_it_is_given),
        CASE(test_recorder_cuts_long_texts_between_characters),
        CASE(test_recorder_shows_a_run_as_interrupted_until_it_is_finished),
        CASE(test_recorder_appends_runs_to_its_own_file),
        CASE(test_recorder_leaves_files_that_are_not_its_own_untouched),
        CASE(test_recorder_names_what_is_wrong_with_a_place),
        CASE(test_recorder_refuses_what_it_may_not_write),
        CASE(test_recorder_keeps_a_name_that_sqlite_would_read_as_memory),
        CASE(test_recorder_abandon_leaves_no_trace_of_the_run),
        CASE(test_recorder_refuses_a_locked_file),
        CASE(test_recorder_makes_the_caller_wait_when_the_ring_is_full),
        CASE(test_recorder_killed_at_any_moment_leaves_a_valid_file),
        CASE(test_recorder_tells_of_a_full_disk_and_leaves_a_valid_file),
        CASE(test_recorder_without_room_at_the_start_leaves_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
