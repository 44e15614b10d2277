/* Moves runs from the parts of several processes into one record; see recorder_gather.h.
 *
 * Happy path: the record is opened, the part attached, and all its rows are copied under a new run
 * id in one transaction; then both are closed and the part is removed. Nothing waits for the disk
 * until all are in: a crash of the machine before loses runs, but no transaction in part. Which
 * tables and columns there are is asked of the record itself, so that a new one need not be named
 * here. Failure modes: a disk that is full leaves the record as it was and the part in its folder;
 * a part whose writer was killed is recovered from its log by SQLite as it is attached. */
#include "store/recorder_gather.h"

#include "store/recorder_schema.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECKPOINT_RUNS 32u
#define TABLES_MAX      32
#define NAME_SIZE       64
#define SQL_MAX         2048u

struct gather {
    struct schema_file file;
    char *path, *folder;
    uint64_t runs;
};

static const char *slash_if_plain(const char *path)
{
    return path[0] == '/' ? "" : "./"; /* else SQLite might read more than a name into it */
}

struct gather *gather_new(const char *path, char *why, uint32_t why_size)
{
    struct gather *g = calloc(1, sizeof *g);
    size_t size = strlen(path) + 32;
    if (!g || !(g->path = strdup(path)) || !(g->folder = malloc(size)))
        abort();
    sqlite3 *db = NULL;
    if (schema_claim(path, &g->file, why, why_size)) {
        db = schema_open(path, &g->file, why, why_size);
        sqlite3_close(db);
        snprintf(g->folder, size, "%s-parts-XXXXXX", path);
        if (db && mkdtemp(g->folder))
            return g;
        if (db)
            snprintf(why, why_size,
                     "%s: no folder for the parts can be made beside it (%s): change the "
                     "permissions or use another file (--db)",
                     path, strerror(errno));
        schema_unclaim(path, &g->file);
    }
    free(g->folder);
    free(g->path);
    free(g);
    return NULL;
}

void gather_part(const struct gather *g, uint64_t number, char *out, size_t size)
{
    snprintf(out, size, "%s/%llu.db", g->folder, (unsigned long long)number);
}

static void remove_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir));)
        unlinkat(dirfd(dir), e->d_name, 0);
    if (dir)
        closedir(dir);
    rmdir(folder);
}

/* Opening it and closing it as its last user takes the log into the record. */
static void checkpoint(const struct gather *g)
{
    const struct schema_file old = {.version = SCHEMA_VERSION};
    char why[256];
    sqlite3 *db = schema_open(g->path, &old, why, sizeof why);
    sqlite3_close(db);
}

void gather_free(struct gather *g)
{
    if (!g)
        return;
    remove_folder(g->folder);
    if (g->runs)
        checkpoint(g);
    if (g->runs == 0)
        schema_unclaim(g->path, &g->file);
    free(g->folder);
    free(g->path);
    free(g);
}

/* ---- copying ---- */

/* The first column of all rows of a query, in its order. Returns a status of SQLite's. */
static int read_names(sqlite3 *db, const char *sql, const char *arg, char names[][NAME_SIZE],
                      int *count)
{
    sqlite3_stmt *stmt;
    *count = 0;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return rc;
    if (arg)
        sqlite3_bind_text(stmt, 1, arg, -1, SQLITE_STATIC);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW && *count < TABLES_MAX)
        snprintf(names[(*count)++], NAME_SIZE, "%s", (const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE ? SQLITE_OK : rc == SQLITE_ROW ? SQLITE_TOOBIG : rc;
}

/* Appends one more of a list of names, in brackets so that none is read as a word of SQL; or, for
 * the column that gets a new value, its parameter. */
static void append(char sql[SQL_MAX], const char *name, bool replaced)
{
    size_t used = strlen(sql);
    const char *comma = used ? ", " : "";
    if (replaced)
        snprintf(sql + used, SQL_MAX - used, "%s?1", comma);
    else
        snprintf(sql + used, SQL_MAX - used, "%s[%s]", comma, name);
}

/* INSERT INTO main.T(c...) SELECT c... FROM part.T, with ?1 for the column `id`. */
static int copy_table(sqlite3 *db, const char *table, const char *id, int64_t run_id)
{
    char columns[TABLES_MAX][NAME_SIZE], keys[TABLES_MAX][NAME_SIZE];
    int column_count, key_count;
    int rc = read_names(db, "SELECT name FROM pragma_table_info(?1) ORDER BY cid", table, columns,
                        &column_count);
    if (rc == SQLITE_OK)
        rc = read_names(db, "SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk",
                        table, keys, &key_count);
    if (rc != SQLITE_OK)
        return rc;
    char into[SQL_MAX] = "", from[SQL_MAX] = "", order[SQL_MAX] = "";
    for (int i = 0; i < column_count; i++) {
        append(into, columns[i], false);
        append(from, columns[i], strcmp(columns[i], id) == 0);
    }
    for (int i = 0; i < key_count; i++)
        append(order, keys[i], false);
    char sql[3 * SQL_MAX + 100];
    snprintf(sql, sizeof sql, "INSERT INTO main.%s(%s) SELECT %s FROM part.%s ORDER BY %s", table,
             into, from, table, key_count ? order : "rowid");
    sqlite3_stmt *stmt;
    rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return rc;
    if (run_id)
        sqlite3_bind_int64(stmt, 1, run_id); /* unbound: NULL, the next free one */
    rc = sqlite3_step(stmt);
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int tell_death(sqlite3 *db, int64_t run_id, const char *reason)
{
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(
        db, "UPDATE main.run SET verdict = 'error', reason = ?2 WHERE id = ?1", -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_bind_int64(stmt, 1, run_id);
    sqlite3_bind_text(stmt, 2, reason, -1, SQLITE_STATIC);
    rc = sqlite3_step(stmt);
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Inside a transaction. A part whose writer died before its run began has no table or no row. */
static int copy_run(sqlite3 *db, const char *reason, int64_t *run_id)
{
    char names[TABLES_MAX][NAME_SIZE];
    int count;
    int rc = read_names(db, "SELECT name FROM part.sqlite_master WHERE name = 'run'", NULL, names,
                        &count);
    if (rc == SQLITE_OK && count)
        rc = read_names(db, "SELECT id FROM part.run ORDER BY id", NULL, names, &count);
    if (rc != SQLITE_OK || !count)
        return rc;
    rc = copy_table(db, "run", "id", 0);
    *run_id = sqlite3_last_insert_rowid(db);
    if (rc == SQLITE_OK)
        rc = read_names(db,
                        "SELECT m.name FROM main.sqlite_master m, pragma_table_info(m.name) c"
                        " WHERE m.type = 'table' AND c.name = 'run_id' ORDER BY m.name",
                        NULL, names, &count);
    for (int i = 0; rc == SQLITE_OK && i < count; i++)
        rc = copy_table(db, names[i], "run_id", *run_id);
    return rc == SQLITE_OK && reason ? tell_death(db, *run_id, reason) : rc;
}

static int attach(sqlite3 *db, const char *part)
{
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(db, "ATTACH ?1 AS part", -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_bind_text(stmt, 1, part, -1, SQLITE_STATIC);
    rc = sqlite3_step(stmt);
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

bool gather_add(struct gather *g, uint64_t number, const char *reason, int64_t *run_id, char *why,
                uint32_t why_size)
{
    *run_id = 0;
    char part[4096];
    int at = snprintf(part, sizeof part, "%s", slash_if_plain(g->folder));
    gather_part(g, number, part + at, sizeof part - (size_t)at);
    if (access(part, F_OK) != 0)
        return true;
    const struct schema_file old = {.version = SCHEMA_VERSION};
    sqlite3 *db = schema_open(g->path, &old, why, why_size);
    if (!db)
        return false;
    sqlite3_busy_timeout(db, 60000); /* another run may write into the same file */
    int64_t id = 0;
    int rc = attach(db, part);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = copy_run(db, reason, &id);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    bool ok = rc == SQLITE_OK;
    if (!ok)
        schema_error(g->path, db, rc, why, why_size);
    /* To take the log into the record costs a sync, and a log that is left is read again by the
     * next run: now and then. */
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, (g->runs + 1) % CHECKPOINT_RUNS != 0,
                      NULL);
    sqlite3_close(db);
    if (!ok)
        return false;
    *run_id = id;
    g->runs += id != 0;
    const struct schema_file made = {.created = true};
    schema_unclaim(part, &made);
    return true;
}
