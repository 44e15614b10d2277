/* The row of a run; see recorder_runs.h. */
#include "store/recorder_runs.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

int64_t runs_clamp(uint64_t v)
{
    return v > INT64_MAX ? INT64_MAX : (int64_t)v;
}

static void utc_now(char out[32])
{
    time_t now = time(NULL);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

int runs_insert(sqlite3 *db, const struct recorder_run *run, int64_t *id)
{
    static const char sql[] =
        "INSERT INTO run(scenario, scenario_sha256, seed, params, world, build, started_utc,"
        " file, options, sweep_id, job, verdict)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 'interrupted')";
    char seed[24], utc[32];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)run->seed);
    utc_now(utc);
    const char *const texts[] = {
        run->scenario, run->scenario_sha256, seed,      run->params, run->world, run->build, utc,
        run->file,     run->options,         run->sweep};
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return rc;
    for (int i = 0; i < 10; i++)
        sqlite3_bind_text(stmt, i + 1, texts[i], -1, SQLITE_STATIC);
    if (run->sweep)
        sqlite3_bind_int64(stmt, 11, runs_clamp(run->job));
    rc = sqlite3_step(stmt);
    sqlite3_finalize(stmt);
    *id = sqlite3_last_insert_rowid(db);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int runs_end(sqlite3 *db, int64_t id, const struct recorder_result *result)
{
    static const char sql[] =
        "UPDATE run SET wall_ms = ?2, sim_ns = ?3, events = ?4, messages = ?5,"
        " bytes = ?6, trace_hash = ?7, verdict = ?8, reason = ?9"
        " WHERE id = ?1";
    char hash[17];
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)result->trace_hash);
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_bind_int64(stmt, 1, id);
    sqlite3_bind_int64(stmt, 2, runs_clamp(result->wall_ms));
    sqlite3_bind_int64(stmt, 3, runs_clamp(result->sim_ns));
    sqlite3_bind_int64(stmt, 4, runs_clamp(result->events));
    sqlite3_bind_int64(stmt, 5, runs_clamp(result->messages));
    sqlite3_bind_int64(stmt, 6, runs_clamp(result->bytes));
    sqlite3_bind_text(stmt, 7, result->no_trace_hash ? NULL : hash, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 8, result->verdict, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 9, result->reason, -1, SQLITE_STATIC);
    rc = sqlite3_step(stmt);
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int runs_tell(sqlite3 *db, int64_t id, const char *verdict, const char *reason)
{
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(db, "UPDATE main.run SET verdict = ?2, reason = ?3 WHERE id = ?1",
                                -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_bind_int64(stmt, 1, id);
    sqlite3_bind_text(stmt, 2, verdict, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 3, reason, -1, SQLITE_STATIC);
    rc = sqlite3_step(stmt);
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int runs_delete(sqlite3 *db, int64_t id)
{
    static const char *const tables[] = {"event", "arrival",      "block",    "metric", "node",
                                         "run",   "check_result", "decision", "mark"};
    int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    for (size_t i = 0; rc == SQLITE_OK && i < sizeof tables / sizeof *tables; i++) {
        char sql[96];
        snprintf(sql, sizeof sql, "DELETE FROM %s WHERE %s = %lld", tables[i],
                 strcmp(tables[i], "run") == 0 ? "id" : "run_id", (long long)id);
        rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    }
    return sqlite3_exec(db, rc == SQLITE_OK ? "COMMIT" : "ROLLBACK", NULL, NULL, NULL);
}

bool runs_none(sqlite3 *db)
{
    sqlite3_stmt *stmt;
    if (sqlite3_prepare_v2(db, "SELECT count(*) FROM run", -1, &stmt, NULL) != SQLITE_OK)
        return false;
    bool none = sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_int64(stmt, 0) == 0;
    sqlite3_finalize(stmt);
    return none;
}
