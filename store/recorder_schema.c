/* Opens a record file without ever harming another one; see recorder_schema.h.
 *
 * Happy path: the file is new (created here, exclusively) or carries our application_id at byte 68
 * of its header (https://www.sqlite.org/fileformat2.html, section 1.3). Anything else is refused
 * before SQLite touches it, since SQLite may create -wal and -shm files beside what it merely
 * reads. The mark and the tables are committed in one transaction while the file is still in
 * rollback mode, so that no file of ours is ever without its mark in the main file. */
#include "store/recorder_schema.h"

#include "core/base/bytes.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SQLITE_HEADER 100

#define DECISION_TABLE                                                                             \
    "CREATE TABLE IF NOT EXISTS decision("                                                         \
    " run_id INTEGER NOT NULL REFERENCES run(id), no INTEGER NOT NULL, t_ns INTEGER NOT NULL,"     \
    " kind TEXT NOT NULL, params TEXT NOT NULL, taken INTEGER NOT NULL, PRIMARY KEY(run_id, no))"  \
    " WITHOUT ROWID;"

#define MARK_TABLE                                                                                 \
    "CREATE TABLE IF NOT EXISTS mark("                                                             \
    " run_id INTEGER NOT NULL REFERENCES run(id), t_ns INTEGER NOT NULL, events INTEGER NOT NULL," \
    " hash TEXT NOT NULL, PRIMARY KEY(run_id, t_ns)) WITHOUT ROWID;"

#define SWEEP_TABLE                                                                                \
    "CREATE TABLE IF NOT EXISTS sweep("                                                            \
    " id TEXT NOT NULL, shard INTEGER NOT NULL, shards INTEGER NOT NULL, plan TEXT NOT NULL,"      \
    " build TEXT NOT NULL, runs INTEGER NOT NULL, complete INTEGER NOT NULL,"                      \
    " PRIMARY KEY(id, shard)) WITHOUT ROWID;"

/* Of the tables whose key is not the run; and that no job of a sweep is in a record twice. */
#define RUN_INDEXES                                                                                \
    "CREATE INDEX IF NOT EXISTS check_result_run ON check_result(run_id);"                         \
    "CREATE INDEX IF NOT EXISTS metric_run ON metric(run_id);"                                     \
    "CREATE UNIQUE INDEX IF NOT EXISTS run_sweep ON run(sweep_id, job)"                            \
    " WHERE sweep_id IS NOT NULL;"

static const char ddl[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS run("
    " id INTEGER PRIMARY KEY, scenario TEXT NOT NULL, scenario_sha256 TEXT, seed TEXT NOT NULL,"
    " params TEXT, world TEXT, build TEXT, started_utc TEXT NOT NULL, wall_ms INTEGER,"
    " sim_ns INTEGER, events INTEGER, messages INTEGER, bytes INTEGER, trace_hash TEXT,"
    " verdict TEXT NOT NULL, reason TEXT, file TEXT, options TEXT, sweep_id TEXT, job INTEGER);"
    "CREATE TABLE IF NOT EXISTS node("
    " run_id INTEGER NOT NULL REFERENCES run(id), no INTEGER NOT NULL, role TEXT, region TEXT,"
    " version TEXT, final_height INTEGER, final_tip TEXT, PRIMARY KEY(run_id, no)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS event("
    " run_id INTEGER NOT NULL REFERENCES run(id), seq INTEGER NOT NULL, t_ns INTEGER NOT NULL,"
    " node INTEGER, kind TEXT NOT NULL, peer INTEGER, link INTEGER, msg TEXT, bytes INTEGER,"
    " detail TEXT, PRIMARY KEY(run_id, seq)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS check_result("
    " run_id INTEGER NOT NULL REFERENCES run(id), name TEXT NOT NULL, kind TEXT NOT NULL,"
    " ok INTEGER NOT NULL, t_ns INTEGER NOT NULL, detail TEXT);"
    "CREATE TABLE IF NOT EXISTS metric("
    " run_id INTEGER NOT NULL REFERENCES run(id), name TEXT NOT NULL, node INTEGER, value REAL);"
    "CREATE TABLE IF NOT EXISTS block("
    " run_id INTEGER NOT NULL REFERENCES run(id), hash TEXT NOT NULL, height INTEGER NOT NULL,"
    " parent TEXT, miner INTEGER, mined_ns INTEGER NOT NULL, PRIMARY KEY(run_id, hash))"
    " WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS arrival("
    " run_id INTEGER NOT NULL REFERENCES run(id), block_hash TEXT NOT NULL, node INTEGER NOT NULL,"
    " t_ns INTEGER NOT NULL, PRIMARY KEY(run_id, block_hash, node)) WITHOUT ROWID;" DECISION_TABLE
        MARK_TABLE SWEEP_TABLE RUN_INDEXES "PRAGMA application_id = 1449747022;"
    "PRAGMA user_version = 3;"
    "COMMIT;";

/* What each older schema lacks: 1 had no decision log, 2 did not tell how a run was asked for and
 * knew no sweeps. What old runs never told stays NULL. */
#define LIFT_1 DECISION_TABLE
#define LIFT_2                                                                                     \
    "ALTER TABLE run ADD COLUMN file TEXT; ALTER TABLE run ADD COLUMN options TEXT;"               \
    "ALTER TABLE run ADD COLUMN sweep_id TEXT; ALTER TABLE run ADD COLUMN job "                    \
    "INTEGER;" MARK_TABLE SWEEP_TABLE RUN_INDEXES

static const char *const ddl_from[SCHEMA_VERSION] = {
    NULL,
    "BEGIN IMMEDIATE;" LIFT_1 LIFT_2 "PRAGMA user_version = 3; COMMIT;",
    "BEGIN IMMEDIATE;" LIFT_2 "PRAGMA user_version = 3; COMMIT;",
};

static_assert(SCHEMA_APPLICATION_ID == 1449747022u && SCHEMA_VERSION == 3, "as in the DDL");

void schema_error(const char *path, sqlite3 *db, int rc, char *why, uint32_t why_size)
{
    /* The system's own reason is lost on most ways through SQLite: the failed operation tells
     * enough. */
    int detail = db ? sqlite3_extended_errcode(db) : rc;
    int kind = rc & 0xff;
    if (kind == SQLITE_FULL)
        snprintf(why, why_size,
                 "%s: no room for the record (the disk is full): free some space or use another "
                 "file (--db)",
                 path);
    else if (detail == SQLITE_IOERR_WRITE || detail == SQLITE_IOERR_SHMSIZE)
        snprintf(why, why_size,
                 "%s: no room for the record (the disk takes no more: full, a size limit, or "
                 "failing): free some space or use another file (--db)",
                 path);
    else if (kind == SQLITE_BUSY || kind == SQLITE_LOCKED)
        snprintf(why, why_size,
                 "%s: locked by another process: wait for it or use another file (--db)", path);
    else if (kind == SQLITE_READONLY || kind == SQLITE_CANTOPEN || kind == SQLITE_PERM)
        snprintf(why, why_size,
                 "%s: the file or its folder cannot be written: change the permissions or use "
                 "another file (--db)",
                 path);
    else if (kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB)
        snprintf(why, why_size,
                 "%s: the database is damaged: move it away or use another file (--db)", path);
    else
        snprintf(why, why_size, "%s: %s (SQLite %d): use another file (--db)", path,
                 db ? sqlite3_errmsg(db) : sqlite3_errstr(rc), detail);
}

/* The first bytes of a file that exists. */
static bool check_header(const char *path, const uint8_t *head, size_t len, uint32_t *version,
                         char *why, uint32_t why_size)
{
    if (len < SQLITE_HEADER || memcmp(head, "SQLite format 3", 16) != 0) {
        snprintf(why, why_size,
                 "%s: not an SQLite database, left as it is: use another file (--db)", path);
        return false;
    }
    if (get_be32(head + 68) != SCHEMA_APPLICATION_ID) {
        snprintf(why, why_size,
                 "%s: a database of another program, left as it is: use another file (--db)", path);
        return false;
    }
    *version = get_be32(head + 60);
    if (*version >= 1 && *version <= SCHEMA_VERSION)
        return true;
    snprintf(why, why_size,
             "%s: written by %s VibeNet (schema %u, this one writes %d): use another file (--db)",
             path, *version > SCHEMA_VERSION ? "a newer" : "an older", *version, SCHEMA_VERSION);
    return false;
}

static bool look(const char *path, int mode, struct schema_file *file, char *why, uint32_t why_size)
{
    /* Non-blocking, so that a pipe with nobody at its other end does not hold us up. */
    int fd = open(path, mode | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        const char *what = errno == EISDIR ? "a folder" : strerror(errno);
        snprintf(why, why_size, "%s: %s: %s", path, what,
                 errno == EISDIR ? "name a file in it (--db)"
                                 : "change its permissions or use another file (--db)");
        return false;
    }
    struct stat st;
    uint8_t head[SQLITE_HEADER];
    ssize_t len = -1;
    bool regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    if (regular)
        len = read(fd, head, sizeof head);
    close(fd);
    if (!regular) {
        snprintf(why, why_size, "%s: not a regular file: use another file (--db)", path);
        return false;
    }
    if (len < 0) {
        snprintf(why, why_size, "%s: cannot be read (%s): use another file (--db)", path,
                 strerror(errno));
        return false;
    }
    file->was_empty = len == 0;
    return file->was_empty || check_header(path, head, (size_t)len, &file->version, why, why_size);
}

bool schema_is_any_record(const char *path, uint32_t *version, char *why, uint32_t why_size)
{
    struct schema_file file = {0};
    if (access(path, F_OK) != 0) {
        snprintf(why, why_size, "%s: %s: name a record of vibesim", path, strerror(errno));
        return false;
    }
    if (!look(path, O_RDONLY, &file, why, why_size))
        return false;
    if (file.was_empty)
        snprintf(why, why_size, "%s: an empty file: name a record of vibesim", path);
    *version = file.version;
    return !file.was_empty;
}

bool schema_is_record(const char *path, char *why, uint32_t why_size)
{
    uint32_t version;
    if (!schema_is_any_record(path, &version, why, why_size))
        return false;
    if (version == SCHEMA_VERSION)
        return true;
    snprintf(why, why_size,
             "%s: written by an older VibeNet (schema %u, this one reads %d): vibesim merge "
             "NEW.db %s makes a copy of this schema",
             path, version, SCHEMA_VERSION, path);
    return false;
}

/* "%41" for what a URI reads as more than a name. */
char *schema_uri(const char *path, const char *query)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./";
    char *uri = malloc(16 + 3 * strlen(path) + strlen(query));
    if (!uri)
        abort();
    char *at = uri + sprintf(uri, "file:%s", path[0] == '/' ? "" : "./");
    for (; *path; path++)
        at += sprintf(at, strchr(plain, *path) ? "%c" : "%%%02x", (unsigned char)*path);
    strcpy(at, query);
    return uri;
}

bool schema_has_log(const char *path)
{
    char *name = malloc(strlen(path) + 5);
    if (!name)
        abort();
    sprintf(name, "%s-wal", path);
    bool there = access(name, F_OK) == 0;
    free(name);
    return there;
}

/* Creates the file, so that the system itself says what is wrong with the place. */
static bool claim_new(const char *path, struct schema_file *file, char *why, uint32_t why_size)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd >= 0) {
        close(fd);
        file->created = true;
        return true;
    }
    if (errno == EEXIST && access(path, F_OK) == 0) /* another run has just made it */
        return look(path, O_RDWR, file, why, why_size);
    const char *slash = strrchr(path, '/');
    int dir_len = slash ? (int)(slash - path) : 1;
    const char *dir = slash ? path : ".";
    if (errno == ENOENT && slash)
        snprintf(why, why_size,
                 "%s: there is no folder %.*s: make it (mkdir -p) or use another "
                 "file (--db)",
                 path, dir_len, dir);
    else if (errno == EACCES || errno == EROFS || errno == EPERM)
        snprintf(why, why_size,
                 "%s: cannot be created (%s): use a folder that you may write to "
                 "(--db)",
                 path, strerror(errno));
    else if (errno == ENOSPC || errno == EDQUOT)
        snprintf(why, why_size,
                 "%s: no room for the record (the disk is full): free some space or "
                 "use another file (--db)",
                 path);
    else
        snprintf(why, why_size, "%s: cannot be created (%s): use another file (--db)", path,
                 strerror(errno));
    return false;
}

bool schema_claim(const char *path, struct schema_file *file, char *why, uint32_t why_size)
{
    struct stat st;
    memset(file, 0, sizeof *file);
    if (!*path) {
        snprintf(why, why_size, "the name of the record is empty: name a file (--db)");
        return false;
    }
    if (stat(path, &st) == 0)
        return look(path, O_RDWR, file, why, why_size);
    return claim_new(path, file, why, why_size);
}

static void remove_companion(const char *path, const char *suffix)
{
    size_t size = strlen(path) + strlen(suffix) + 1;
    char *name = malloc(size);
    if (!name)
        return;
    snprintf(name, size, "%s%s", path, suffix);
    unlink(name);
    free(name);
}

void schema_unclaim(const char *path, const struct schema_file *file)
{
    if (!file->created)
        return;
    remove_companion(path, "-wal");
    remove_companion(path, "-shm");
    remove_companion(path, "-journal");
    unlink(path);
}

int schema_check_tables(sqlite3 *db)
{
    static const char *const queries[] = {
        ("SELECT id, scenario, scenario_sha256, seed, params, world, build, started_utc, wall_ms, "
         "sim_ns, events, messages, bytes, trace_hash, verdict, reason, file, options, sweep_id, "
         "job "
         "FROM run"),
        "SELECT run_id, no, role, region, version, final_height, final_tip FROM node",
        "SELECT run_id, seq, t_ns, node, kind, peer, link, msg, bytes, detail FROM event",
        "SELECT run_id, name, kind, ok, t_ns, detail FROM check_result",
        "SELECT run_id, name, node, value FROM metric",
        "SELECT run_id, hash, height, parent, miner, mined_ns FROM block",
        "SELECT run_id, block_hash, node, t_ns FROM arrival",
        "SELECT run_id, no, t_ns, kind, params, taken FROM decision",
        "SELECT run_id, t_ns, events, hash FROM mark",
        "SELECT id, shard, shards, plan, build, runs, complete FROM sweep",
    };
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        sqlite3_stmt *stmt;
        int rc = sqlite3_prepare_v2(db, queries[i], -1, &stmt, NULL);
        sqlite3_finalize(stmt);
        if (rc == SQLITE_ERROR)
            return SQLITE_CORRUPT; /* "no such table", "no such column" */
        if (rc != SQLITE_OK)
            return rc;
    }
    return SQLITE_OK;
}

sqlite3 *schema_open(const char *path, const struct schema_file *file, char *why, uint32_t why_size)
{
    /* "./" keeps names that SQLite reads as more than a name, like ":memory:", plain. */
    size_t size = strlen(path) + 3;
    char *name = malloc(size);
    if (!name) {
        snprintf(why, why_size, "%s: out of memory", path);
        return NULL;
    }
    snprintf(name, size, "%s%s", path[0] == '/' ? "" : "./", path);
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(name, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    free(name);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(db, 5000);
    if (rc == SQLITE_OK && file->scratch)
        rc = sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = file->created || file->was_empty ? sqlite3_exec(db, ddl, NULL, NULL, NULL)
             : file->version < SCHEMA_VERSION
                 ? sqlite3_exec(db, ddl_from[file->version], NULL, NULL, NULL)
                 : SQLITE_OK;
    if (rc == SQLITE_ERROR && sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL) == SQLITE_OK)
        rc = SQLITE_OK; /* another run has just brought it up to date: the tables will tell */
    if (rc == SQLITE_OK)
        rc = schema_check_tables(db);
    if (rc == SQLITE_OK) {
        /* Busy: another run opens the new file at the same moment, and one of the two makes the
         * switch. */
        rc = sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
        rc = (rc & 0xff) == SQLITE_BUSY ? SQLITE_OK : rc;
    }
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -16384;", NULL,
                          NULL, NULL);
    if (rc == SQLITE_OK && !file->scratch)
        rc = sqlite3_exec(db, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        return db;
    schema_error(path, db, rc, why, why_size);
    sqlite3_close(db);
    return NULL;
}
