/* The run recorder: what it refuses, and what is left when it is killed or the disk is full. */
#include "tests/unit/recorder_folder.h"

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
    run_sql(path, "PRAGMA user_version = 4");
    must_refuse_untouched(path, "a newer VibeNet (schema 4, this one writes 3)");

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

static void test_recorder_lets_several_processes_share_a_new_file(void **state)
{
    (void)state;
    const char *path = in_folder("run.db");
    enum { RUNS = 3 };
    pid_t children[RUNS];
    for (int i = 0; i < RUNS; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            char why[512] = "";
            struct recorder *r = recorder_open(path, &a_run, why, sizeof why);
            if (r)
                put_events(r, 0, 20000);
            if (!r || !recorder_finish(r, &a_result, why, sizeof why)) {
                fprintf(stderr, "%s\n", why);
                _exit(1);
            }
            _exit(0);
        }
    }
    for (int i = 0; i < RUNS; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_string_equal(query(path, "SELECT count(*), min(verdict), max(verdict) FROM run"),
                        "3|pass|pass");
    assert_string_equal(query(path, "SELECT min(n), max(n) FROM"
                                    " (SELECT count(*) AS n FROM event GROUP BY run_id)"),
                        "20000|20000");
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

/* A process that records without end, once it has begun. */
static pid_t record_for_ever(const char *path)
{
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        char why[512];
        struct recorder *r = recorder_open(path, &a_run, why, sizeof why);
        if (!r || write(pipes[1], "x", 1) != 1)
            _exit(1);
        for (uint64_t i = 0;; i += 100)
            put_events(r, i, 100);
    }
    char c;
    close(pipes[1]);
    assert_int_equal(read(pipes[0], &c, 1), 1);
    close(pipes[0]);
    return child;
}

static void test_recorder_killed_at_any_moment_leaves_a_valid_file(void **state)
{
    (void)state;
    const char *path = in_folder("run.db");
    enum { ROUNDS = 6 };
    for (uint32_t round = 0; round < ROUNDS; round++) {
        pid_t child = record_for_ever(path);
        usleep(130000u * round);
        while (round == ROUNDS - 1 &&
               strcmp(query(path, "SELECT max(run_id) FROM event"), "6") != 0)
            usleep(10000);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        assert_string_equal(query(path, "PRAGMA integrity_check"), "ok");
    }
    assert_string_equal(query(path, "SELECT count(*), min(verdict), max(verdict) FROM run"),
                        "6|interrupted|interrupted");
    /* What was committed is a run's beginning without holes. */
    assert_string_equal(query(path, "SELECT count(*) FROM (SELECT run_id FROM event GROUP BY run_id"
                                    " HAVING max(seq) + 1 <> count(*))"),
                        "0");
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
        CASE(test_recorder_leaves_files_that_are_not_its_own_untouched),
        CASE(test_recorder_names_what_is_wrong_with_a_place),
        CASE(test_recorder_refuses_what_it_may_not_write),
        CASE(test_recorder_refuses_a_locked_file),
        CASE(test_recorder_lets_several_processes_share_a_new_file),
        CASE(test_recorder_makes_the_caller_wait_when_the_ring_is_full),
        CASE(test_recorder_killed_at_any_moment_leaves_a_valid_file),
        CASE(test_recorder_tells_of_a_full_disk_and_leaves_a_valid_file),
        CASE(test_recorder_without_room_at_the_start_leaves_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
