/* For tests of sweeps: vibesim with the wild engine in a folder of the test's own, and what its
 * records hold. */
#ifndef TESTS_UNIT_SWEEP_FIXTURE_H
#define TESTS_UNIT_SWEEP_FIXTURE_H

#include "vibesim/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "tests/unit/cli_child.h"
#include "tests/unit/wild_engine.h"

static struct child c;

static inline int setup(void **state)
{
    (void)state;
    if (child_init(&c) != 0)
        return -1;
    child_write(&c, "it.lua", "wild");
    child_write(&c, "tame.lua", "tame");
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    return child_deinit(&c);
}

/* What a batch system or a pipeline that runs these tests may have set. */
static inline void forget_environment(void)
{
    static const char *const names[] = {"SLURM_ARRAY_TASK_ID",  "SLURM_ARRAY_TASK_COUNT",
                                        "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_STEP",
                                        "JOB_COMPLETION_INDEX", "OMPI_COMM_WORLD_RANK",
                                        "OMPI_COMM_WORLD_SIZE", "CI_NODE_INDEX",
                                        "CI_NODE_TOTAL",        "VIBESIM_SHARDS"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    setenv("LC_ALL", "C", 1); /* plain marks */
}

#define VIBESIM(...) child_run(&c, cli_main, (const char *const[]){__VA_ARGS__, NULL})
#define SWEEP(...)   VIBESIM("sweep", __VA_ARGS__)
#define MERGE(...)   VIBESIM("merge", __VA_ARGS__)

/* err "": nothing at all is told there. */
static inline void ended(int status, const char *out, const char *err)
{
    if (c.status != status || !strstr(c.out, out) || !strstr(c.err, err) || (!*err && c.err[0]))
        fail_msg("expected status %d, '%s', '%s': got %d, '%s', '%s'", status, out, err, c.status,
                 c.out, c.err);
}

/* One line on stderr, nothing on stdout, status 2. */
static inline void refused(const char *err)
{
    ended(CLI_BAD, "", err);
    if (c.out[0] || child_lines(c.err) != 1)
        fail_msg("expected one line, got '%s', '%s'", c.out, c.err);
}

static inline void has(const char *text)
{
    if (!strstr(c.out, text))
        fail_msg("expected '%s' in '%s'", text, c.out);
}

static inline const char *db_path(const char *db)
{
    static char path[300];
    snprintf(path, sizeof path, "%s/%s", c.folder, db);
    return path;
}

static inline void run_sql(const char *db, const char *sql)
{
    sqlite3 *handle;
    char *error = NULL;
    assert_int_equal(sqlite3_open(db_path(db), &handle), SQLITE_OK);
    if (sqlite3_exec(handle, sql, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s: %s", sql, error);
    sqlite3_close(handle);
}

/* All rows of a query: columns joined by '|', rows by newlines. malloc'ed. */
static inline char *query_all(const char *db, const char *sql)
{
    sqlite3 *handle;
    sqlite3_stmt *stmt;
    char *out = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&out, &size);
    assert_non_null(f);
    assert_int_equal(sqlite3_open_v2(db_path(db), &handle, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    if (sqlite3_prepare_v2(handle, sql, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(handle));
    for (int row = 0; sqlite3_step(stmt) == SQLITE_ROW; row++)
        for (int i = 0; i < sqlite3_column_count(stmt); i++) {
            const char *text = (const char *)sqlite3_column_text(stmt, i);
            fprintf(f, "%s%s", i ? "|" : row ? "\n" : "", text ? text : "NULL");
        }
    sqlite3_finalize(stmt);
    sqlite3_close(handle);
    fclose(f);
    return out;
}

static inline void holds(const char *db, const char *sql, const char *expected)
{
    char *got = query_all(db, sql);
    if (strcmp(got, expected) != 0)
        fail_msg("%s: expected '%s', got '%s'", sql, expected, got);
    free(got);
}

/* All that two records of one sweep must have in common: everything but the numbers of the runs and
 * when they were made. */
static const char *const contents[] = {
    "SELECT job, scenario, scenario_sha256, seed, params, world, build, sim_ns, events, messages,"
    " bytes, trace_hash, verdict, reason, file, options, sweep_id FROM run ORDER BY job",
    "SELECT job, no, role, region, version, final_height, final_tip FROM run"
    " JOIN node ON run_id = id ORDER BY job, no",
    "SELECT job, name, kind, ok, t_ns, detail FROM run JOIN check_result c ON run_id = id"
    " ORDER BY job, c.rowid",
    "SELECT job, name, node, value FROM run JOIN metric m ON run_id = id ORDER BY job, m.rowid",
    "SELECT id, shard, shards, plan, build, runs, complete FROM sweep ORDER BY id, shard",
    "PRAGMA integrity_check",
};
#define CONTENTS_OF_RUNS 4 /* the first so many are of runs */

static inline void same_contents(const char *db, const char *other, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *a = query_all(db, contents[i]), *b = query_all(other, contents[i]);
        if (strcmp(a, b) != 0)
            fail_msg("%s and %s differ in %s:\n%s\n\n%s", db, other, contents[i], a, b);
        assert_true(*a != 0);
        free(a);
        free(b);
    }
}

/* Everything that is in the test's folder but what a child wrote its words to. */
static inline int files(void)
{
    int n = 0;
    DIR *dir = opendir(c.folder);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));)
        n += e->d_name[0] != '.' && strcmp(e->d_name, "out.txt") != 0 &&
             strcmp(e->d_name, "err.txt") != 0;
    closedir(dir);
    return n;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
