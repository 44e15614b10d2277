/* For tests of the recorder: a folder of the test's own, a run to record, and queries on what was
 * recorded. */
#ifndef TESTS_UNIT_RECORDER_FOLDER_H
#define TESTS_UNIT_RECORDER_FOLDER_H

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
    .file = "scenarios/partition-heal.lua",
    .options = "{}",
};

/* What turns a record into one of an older schema. */
#define RECORD_AS_SCHEMA_2                                                                         \
    "DROP TABLE mark;"                                                                             \
    "DROP TABLE sweep; DROP INDEX metric_run; DROP INDEX check_result_run; DROP INDEX run_sweep;"  \
    "ALTER TABLE run DROP COLUMN file; ALTER TABLE run DROP COLUMN options;"                       \
    "ALTER TABLE run DROP COLUMN sweep_id; ALTER TABLE run DROP COLUMN job;"                       \
    "PRAGMA user_version = 2;"
#define RECORD_AS_SCHEMA_1 RECORD_AS_SCHEMA_2 "DROP TABLE decision; PRAGMA user_version = 1"

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
static inline const char *in_folder(const char *name)
{
    static char paths[4][500];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static inline void run_sql(const char *path, const char *sql)
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
static inline const char *query(const char *path, const char *sql)
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

static inline uint32_t files_in_folder(void)
{
    uint32_t n = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));)
        n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

static inline int setup(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/vibenet-recorder-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

static inline int teardown(void **state)
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

static inline struct recorder *must_open(const char *path)
{
    char why[512] = "";
    struct recorder *r = recorder_open(path, &a_run, why, sizeof why);
    if (!r)
        fail_msg("%s", why);
    return r;
}

static inline void must_finish(struct recorder *r)
{
    char why[512] = "";
    if (!recorder_finish(r, &a_result, why, sizeof why))
        fail_msg("%s", why);
}

/* The refusal must be one line that names the file and holds `words`. */
static inline void must_refuse(const char *path, const char *words)
{
    char why[512] = "";
    struct recorder *r = recorder_open(path, &a_run, why, sizeof why);
    assert_null(r);
    if (!strstr(why, words) || strncmp(why, path, strlen(path)) != 0 || strchr(why, '\n'))
        fail_msg("expected '%s: ... %s', got '%s'", path, words, why);
}

static inline void put_events(struct recorder *r, uint64_t from, uint64_t count)
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

#endif
