/* Several records into one; see recorder_merge.h.
 *
 * Happy path: every input is attached once to see which runs it has; all of them are put in order
 * and numbered; every input is attached once more and its rows are copied under these numbers; the
 * file is synced and renamed. Failure modes: whatever goes wrong before the rename leaves nothing
 * behind; a run that comes into an input meanwhile is left out. */
#include "store/recorder_merge.h"

#include "store/recorder_copy.h"
#include "store/recorder_schema.h"
#include "store/recorder_sweeps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *copied(const char *text)
{
    char *copy = text ? strdup(text) : NULL;
    if (text && !copy)
        abort();
    return copy;
}

/* ---- attaching --------------------------------------------------------------------------------
 */

static int detach(sqlite3 *db)
{
    return sqlite3_exec(db, "DETACH part", NULL, NULL, NULL);
}

static int attach_as(sqlite3 *db, const char *path, const char *query)
{
    char *uri = schema_uri(path, query);
    int rc = copy_attach(db, uri);
    free(uri);
    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_exec(db, "SELECT name FROM part.sqlite_master ORDER BY name LIMIT 1", NULL, NULL,
                      NULL);
    if (rc != SQLITE_OK)
        detach(db);
    return rc;
}

/* Whether there is no right to write, not even the files that SQLite wants beside it. */
static bool no_right(int rc)
{
    return (rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_READONLY;
}

/* As reader_open opens it (reader.c says why). */
static int attach(sqlite3 *db, const char *path)
{
    int rc = attach_as(db, path, "");
    if (no_right(rc))
        rc = attach_as(db, path, "?mode=ro");
    if (no_right(rc) && !schema_has_log(path))
        rc = attach_as(db, path, "?immutable=1");
    return rc;
}

/* path NULL: one in memory. */
static int open_plain(const char *path, sqlite3 **db)
{
    char *uri = path ? schema_uri(path, "") : NULL;
    int rc = sqlite3_open_v2(uri ? uri : ":memory:", db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, NULL);
    free(uri);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(*db, 5000);
    if (rc == SQLITE_OK) /* what an input brings along is not to be run */
        rc = sqlite3_db_config(*db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    return rc;
}

/* ---- looking ----------------------------------------------------------------------------------
 */

static const char *text(sqlite3_stmt *s, int column)
{
    return (const char *)sqlite3_column_text(s, column);
}

static uint64_t whole(sqlite3_stmt *s, int column)
{
    int64_t v = sqlite3_column_int64(s, column);
    return v < 0 ? 0 : (uint64_t)v;
}

static uint32_t number(sqlite3_stmt *s, int column)
{
    uint64_t v = whole(s, column);
    return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

/* Walks a query; each NULL: its one number goes into *out. */
static int query(sqlite3 *db, const char *sql, struct merge_input *in,
                 void (*each)(struct merge_input *in, sqlite3_stmt *s), uint64_t *out)
{
    sqlite3_stmt *s;
    int rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);
    if (rc != SQLITE_OK)
        return rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW)
        if (each)
            each(in, s);
        else
            *out = whole(s, 0);
    sqlite3_finalize(s);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static void on_build(struct merge_input *in, sqlite3_stmt *s)
{
    in->builds = realloc(in->builds, (in->build_count + 1) * sizeof *in->builds);
    if (!in->builds)
        abort();
    in->builds[in->build_count++] = copied(text(s, 0));
}

static void on_shard(struct merge_input *in, sqlite3_stmt *s)
{
    in->shards = realloc(in->shards, (in->shard_count + 1) * sizeof *in->shards);
    if (!in->shards)
        abort();
    in->shards[in->shard_count++] = (struct merge_shard){
        .row = {.id = copied(text(s, 0)),
                .plan = copied(text(s, 3)),
                .build = copied(text(s, 4)),
                .shard = number(s, 1),
                .shards = number(s, 2),
                .runs = whole(s, 5),
                .complete = sqlite3_column_int(s, 6) != 0},
        .made = whole(s, 7),
    };
}

/* Of a schema that knows sweeps. *stray: runs that are of none of its shards. */
static int look_at_sweeps(sqlite3 *db, struct merge_input *in, uint64_t *stray)
{
    int rc = query(db,
                   "SELECT id, shard, shards, plan, build, runs, complete,"
                   " (SELECT count(*) FROM part.run WHERE sweep_id = s.id"
                   "  AND job % s.shards = s.shard - 1)"
                   " FROM part.sweep AS s WHERE id IS NOT NULL AND plan IS NOT NULL"
                   " AND build IS NOT NULL ORDER BY id, shard",
                   in, on_shard, NULL);
    if (rc == SQLITE_OK)
        rc = query(db, "SELECT count(*) FROM part.run WHERE sweep_id IS NOT NULL", NULL, NULL,
                   stray);
    for (size_t i = 0; i < in->shard_count; i++)
        *stray -= in->shards[i].made;
    return rc;
}

static int look(sqlite3 *db, struct merge_input *in, uint64_t *stray)
{
    const bool sweeps = in->version >= SCHEMA_VERSION;
    int rc = sqlite3_exec(db, "BEGIN", NULL, NULL, NULL); /* somebody may be writing */
    if (rc == SQLITE_OK)
        rc = query(db, "SELECT count(*) FROM part.run", NULL, NULL, &in->runs);
    if (rc == SQLITE_OK)
        rc =
            query(db,
                  sweeps ? "SELECT build FROM part.run WHERE build IS NOT NULL"
                           " UNION SELECT build FROM part.sweep WHERE build IS NOT NULL ORDER BY 1"
                         : "SELECT DISTINCT build FROM part.run WHERE build IS NOT NULL ORDER BY 1",
                  in, on_build, NULL);
    if (rc == SQLITE_OK && sweeps)
        rc = look_at_sweeps(db, in, stray);
    return rc == SQLITE_ERROR ? SQLITE_CORRUPT : rc; /* "no such table", "no such column" */
}

bool merge_look(struct merge_input *in, const char *path, char *why, size_t size)
{
    sqlite3 *db = NULL;
    uint64_t stray = 0;
    memset(in, 0, sizeof *in);
    if (!schema_is_any_record(path, &in->version, why, (uint32_t)size))
        return false;
    in->path = copied(path);
    int rc = open_plain(NULL, &db);
    if (rc == SQLITE_OK)
        rc = attach(db, path);
    if (rc == SQLITE_OK)
        rc = look(db, in, &stray);
    if (rc != SQLITE_OK)
        schema_error(path, db, rc, why, (uint32_t)size);
    else if (stray)
        snprintf(why, size, "%s: has runs of a sweep that it does not hold: the record is damaged",
                 path);
    sqlite3_close(db);
    if (rc == SQLITE_OK && !stray)
        return true;
    merge_input_free(in);
    return false;
}

void merge_input_free(struct merge_input *in)
{
    for (size_t i = 0; i < in->shard_count; i++) {
        free((char *)(uintptr_t)in->shards[i].row.id);
        free((char *)(uintptr_t)in->shards[i].row.plan);
        free((char *)(uintptr_t)in->shards[i].row.build);
    }
    for (size_t i = 0; i < in->build_count; i++)
        free(in->builds[i]);
    free(in->shards);
    free(in->builds);
    free(in->path);
    memset(in, 0, sizeof *in);
}

/* ---- writing ----------------------------------------------------------------------------------
 */

struct writing {
    sqlite3 *db;
    const struct merge_input *inputs;
    size_t count;
    const volatile sig_atomic_t *stop;
    char *temporary; /* the file's name until it is whole */
    const char *at;  /* the file that an error is about */
};

static int on_progress(void *ctx)
{
    const struct writing *w = ctx;
    return w->stop && *w->stop;
}

/* One statement with ?1 a number. */
static int exec(sqlite3 *db, const char *sql, int64_t argument)
{
    sqlite3_stmt *s;
    int rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_bind_int64(s, 1, argument);
    rc = sqlite3_step(s);
    sqlite3_finalize(s);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Whether an error is of what is read rather than of what is written. */
static bool is_of_input(int rc)
{
    const int kind = rc & 0xff;
    return kind == SQLITE_CONSTRAINT || kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB ||
           kind == SQLITE_BUSY || kind == SQLITE_ERROR;
}

/* Attaches each input in turn, with its number, from 1 on. */
static int for_each(struct writing *w, int (*perform)(struct writing *w, int64_t number))
{
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < w->count; i++) {
        const char *out = w->at;
        w->at = w->inputs[i].path;
        rc = attach(w->db, w->at);
        if (rc != SQLITE_OK)
            return rc;
        w->at = out;
        rc = perform(w, (int64_t)i + 1);
        if (is_of_input(rc))
            w->at = w->inputs[i].path;
        if (rc == SQLITE_OK)
            rc = detach(w->db);
    }
    return rc;
}

static int find_runs(struct writing *w, int64_t number)
{
    const bool sweeps = w->inputs[number - 1].version >= SCHEMA_VERSION;
    return exec(w->db,
                sweeps ? "INSERT INTO temp.found SELECT ?1, id, sweep_id IS NULL, job FROM part.run"
                       : "INSERT INTO temp.found SELECT ?1, id, 1, NULL FROM part.run",
                number);
}

static int number_runs(struct writing *w)
{
    return sqlite3_exec(w->db,
                        "CREATE TABLE temp.map(input INTEGER, old INTEGER, new INTEGER,"
                        " PRIMARY KEY(input, old)) WITHOUT ROWID;"
                        "INSERT INTO temp.map SELECT input, old,"
                        " row_number() OVER (ORDER BY alone, job, input, old) FROM temp.found"
                        " ORDER BY input, old;",
                        NULL, NULL, NULL);
}

static int copy_runs(struct writing *w, int64_t number)
{
    const struct copy copy = {
        .db = w->db,
        .new_id = "m.new",
        .join = "JOIN temp.map AS m ON m.input = ?1 AND m.old",
        .argument = number,
    };
    struct copy_names tables;
    int rc = copy_run_tables(w->db, &tables);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(w->db, "BEGIN", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = copy_table(&copy, "run", "id");
    for (int i = 0; rc == SQLITE_OK && i < tables.count; i++)
        rc = copy_table(&copy, tables.name[i], "run_id");
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(w->db, "COMMIT", NULL, NULL, NULL);
    return rc;
}

static int write_sweeps(struct writing *w)
{
    int rc = SQLITE_OK;
    for (size_t i = 0; i < w->count; i++)
        for (size_t k = 0; rc == SQLITE_OK && k < w->inputs[i].shard_count; k++)
            rc = sweeps_insert(w->db, &w->inputs[i].shards[k].row);
    return rc;
}

static int write_all(struct writing *w)
{
    /* Whatever happens, the file is removed or whole: there is nothing to roll back to. */
    int rc = sqlite3_exec(w->db,
                          "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
                          "CREATE TABLE temp.found(input, old, alone, job);",
                          NULL, NULL, NULL);
    sqlite3_progress_handler(w->db, 10000, on_progress, w);
    if (rc == SQLITE_OK)
        rc = for_each(w, find_runs);
    if (rc == SQLITE_OK)
        rc = number_runs(w);
    if (rc == SQLITE_OK)
        rc = for_each(w, copy_runs);
    if (rc == SQLITE_OK)
        rc = write_sweeps(w);
    sqlite3_progress_handler(w->db, 0, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(w->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
    return rc;
}

/* An empty record under a name of its own. */
static bool make_temporary(struct writing *w, const char *out, char *why, size_t size)
{
    const struct schema_file empty = {.was_empty = true};
    const size_t room = strlen(out) + 20;
    w->temporary = malloc(room);
    if (!w->temporary)
        abort();
    snprintf(w->temporary, room, "%s-merge-XXXXXX", out);
    int fd = mkstemp(w->temporary);
    if (fd < 0) {
        snprintf(why, size,
                 "%s: cannot be created (%s): name a file in a folder that you may write to", out,
                 strerror(errno));
        free(w->temporary);
        w->temporary = NULL;
        return false;
    }
    const mode_t mask = umask(0); /* mkstemp's files are for their owner alone */
    umask(mask);
    fchmod(fd, 0644 & ~mask);
    close(fd);
    sqlite3 *db = schema_open(w->temporary, &empty, why, (uint32_t)size);
    sqlite3_close(db);
    return db != NULL;
}

static bool sync_file(const char *path, bool folder)
{
    int fd = open(path, folder ? O_RDONLY | O_DIRECTORY | O_CLOEXEC : O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

/* Moves the whole file to its place, over no other one. */
static bool move_in_place(const struct writing *w, const char *out, char *why, size_t size)
{
    bool moved = sync_file(w->temporary, false);
    if (moved) {
        moved = renameat2(AT_FDCWD, w->temporary, AT_FDCWD, out, RENAME_NOREPLACE) == 0;
        if (!moved && (errno == EINVAL || errno == ENOSYS)) /* a file system without it */
            moved = access(out, F_OK) != 0 && rename(w->temporary, out) == 0;
    }
    if (!moved) {
        snprintf(why, size, "%s: cannot be put in its place (%s)", out, strerror(errno));
        return false;
    }
    char *folder = copied(out);
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = 0;
    sync_file(slash ? folder : ".", true); /* it is whole in any case */
    free(folder);
    return true;
}

bool merge_write(const char *out, const struct merge_input *inputs, size_t count,
                 const volatile sig_atomic_t *stop, char *why, size_t size)
{
    struct writing w = {.inputs = inputs, .count = count, .stop = stop, .at = out};
    const struct schema_file made = {.created = true};
    *why = 0;
    if (!make_temporary(&w, out, why, size)) {
        if (w.temporary)
            schema_unclaim(w.temporary, &made);
        free(w.temporary);
        return false;
    }
    int rc = open_plain(w.temporary, &w.db);
    if (rc == SQLITE_OK)
        rc = write_all(&w);
    const bool stopped = stop && *stop;
    if (rc != SQLITE_OK && !stopped)
        schema_error(w.at, w.db, rc, why, (uint32_t)size);
    sqlite3_close(w.db);
    bool ok = rc == SQLITE_OK && !stopped && move_in_place(&w, out, why, size);
    if (!ok)
        schema_unclaim(w.temporary, &made);
    free(w.temporary);
    return ok;
}
