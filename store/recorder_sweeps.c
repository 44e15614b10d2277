/* The rows of a sweep; see recorder_sweeps.h. */
#include "store/recorder_sweeps.h"

#include "store/recorder_copy.h"
#include "store/recorder_schema.h"

#include <stdio.h>
#include <string.h>

/* Opens a record of this schema and begins a transaction. NULL with a line in why. */
static sqlite3 *begin(const char *path, char *why, uint32_t why_size)
{
    const struct schema_file file = {.version = SCHEMA_VERSION};
    sqlite3 *db = schema_open(path, &file, why, why_size);
    int rc = db ? sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) : SQLITE_OK;
    if (rc == SQLITE_OK)
        return db;
    schema_error(path, db, rc, why, why_size);
    sqlite3_close(db);
    return NULL;
}

static bool end(const char *path, sqlite3 *db, int rc, char *why, uint32_t why_size)
{
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        schema_error(path, db, rc, why, why_size);
    sqlite3_close(db);
    return rc == SQLITE_OK;
}

/* One statement with ?1 the sweep, ?2 the shard, and ?3 of how many. */
static int exec(sqlite3 *db, const char *sql, const struct read_sweep *shard)
{
    sqlite3_stmt *s;
    int rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_bind_text(s, 1, shard->id, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, shard->shard);
    sqlite3_bind_int64(s, 3, shard->shards);
    rc = sqlite3_step(s);
    sqlite3_finalize(s);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int sweeps_insert(sqlite3 *db, const struct read_sweep *shard)
{
    sqlite3_stmt *s;
    int rc = sqlite3_prepare_v2(db,
                                "INSERT INTO sweep(id, shard, shards, plan, build, runs, complete)"
                                " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                                -1, &s, NULL);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_bind_text(s, 1, shard->id, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, shard->shard);
    sqlite3_bind_int64(s, 3, shard->shards);
    sqlite3_bind_text(s, 4, shard->plan, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 5, shard->build, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 6, (sqlite3_int64)shard->runs);
    sqlite3_bind_int(s, 7, shard->complete);
    rc = sqlite3_step(s);
    sqlite3_finalize(s);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

bool sweeps_begin(const char *path, const struct read_sweep *shard, char *why, uint32_t why_size)
{
    sqlite3 *db = begin(path, why, why_size);
    return db && end(path, db, sweeps_insert(db, shard), why, why_size);
}

#define OUTSIDE  "killed by SIGKILL"
#define OF_SHARD "sweep_id = ?1 AND job % ?3 = ?2 - 1"
#define SAYS_NOTHING                                                                               \
    OF_SHARD " AND (verdict = 'interrupted'"                                                       \
             " OR (verdict = 'error' AND reason = '" OUTSIDE "'))"

bool sweeps_go_on(const char *path, const struct read_sweep *shard, char *why, uint32_t why_size)
{
    sqlite3 *db = begin(path, why, why_size);
    if (!db)
        return false;
    struct copy_names tables;
    int rc = copy_run_tables(db, &tables);
    for (int i = 0; rc == SQLITE_OK && i < tables.count; i++) {
        char sql[400];
        snprintf(sql, sizeof sql, "DELETE FROM [%s] WHERE run_id IN (SELECT id FROM run WHERE %s)",
                 tables.name[i], SAYS_NOTHING);
        rc = exec(db, sql, shard);
    }
    if (rc == SQLITE_OK)
        rc = exec(db, "DELETE FROM run WHERE " SAYS_NOTHING, shard);
    if (rc == SQLITE_OK)
        rc = exec(db,
                  "UPDATE sweep SET complete = (SELECT count(*) FROM run WHERE " OF_SHARD
                  ") >= runs WHERE id = ?1 AND shard = ?2",
                  shard);
    return end(path, db, rc, why, why_size);
}

bool sweeps_says_nothing(const struct read_run *run)
{
    const char *verdict = run->verdict ? run->verdict : "", *reason = run->reason;
    return strcmp(verdict, "interrupted") == 0 ||
           (strcmp(verdict, "error") == 0 && reason && strcmp(reason, OUTSIDE) == 0);
}

bool sweeps_complete(const char *path, const struct read_sweep *shard, char *why, uint32_t why_size)
{
    sqlite3 *db = begin(path, why, why_size);
    return db && end(path, db,
                     exec(db, "UPDATE sweep SET complete = 1 WHERE id = ?1 AND shard = ?2", shard),
                     why, why_size);
}
