/* Opens the database of a node's store without ever harming another file; see node_store_schema.h.
 *
 * Happy path: the file is new, or its header carries our application_id and a user_version that we
 * know (https://www.sqlite.org/fileformat2.html, section 1.3), and its meta table names our chain.
 * Mark, tables and meta are committed in one transaction while the file is still in rollback mode,
 * and so is a change of version: so the main file alone tells what it is, whatever lies in a log.
 *
 * Failure modes: what cannot be ours is refused by its first 100 bytes, before SQLite sees it. What
 * only SQL can tell (another chain, a file whose header is right and whose rest is not) is refused
 * with the write-ahead log left as it was found. A process that dies while it creates or changes
 * the tables leaves a journal that the next one undoes: the header is not believed but asked for
 * again through SQLite. The whole file is not checked here, since a node reads all of its blocks
 * when it starts and checks them like news from a stranger, and addresses and bans too: damage
 * shows there, as a LOAD that fails. */
#include "store/node_store_schema.h"

#include "core/base/bytes.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SQLITE_HEADER 100

/* A value and what else stands in its row. */
#define ROW_MAX ((int)STORE_VALUE_MAX + 4096)

/* How long another program (a person with sqlite3) may hold the file before we give up. */
#define BUSY_MS 2000

/* STRICT: what is read back has the type that was written. block is the best chain; body is last so
 * that the rest of a row can be read without it. */
const struct store_schema store_schema_now = {
    .version = STORE_SCHEMA_VERSION,
    .create = "CREATE TABLE block("
              " height INTEGER PRIMARY KEY, hash BLOB NOT NULL CHECK(length(hash) = 32),"
              " body BLOB NOT NULL CHECK(length(body) > 0)) STRICT;"
              "CREATE TABLE addr("
              " key BLOB PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;"
              "CREATE TABLE ban("
              " key BLOB PRIMARY KEY, until_ns INTEGER NOT NULL, value BLOB NOT NULL)"
              " STRICT, WITHOUT ROWID;",
};

/* ---- words ---- */

bool store_refuse(struct store_why *why, enum node_store_problem problem, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    why->problem = problem;
    vsnprintf(why->text, why->size, format, args);
    va_end(args);
    return false;
}

enum node_store_problem store_schema_error(const char *path, sqlite3 *db, int rc, char *text,
                                           size_t size)
{
    /* The system's own reason is lost on most ways through SQLite: the failed operation tells
     * enough. */
    const int detail = db ? sqlite3_extended_errcode(db) : rc;
    const int kind = rc & 0xff;
    if (kind == SQLITE_FULL) {
        snprintf(text, size,
                 "%s: no room (the disk is full, or the store's limit is reached): free some space "
                 "or raise the limit",
                 path);
        return NODE_STORE_UNWRITABLE;
    }
    if (detail == SQLITE_IOERR_WRITE || detail == SQLITE_IOERR_SHMSIZE) {
        snprintf(text, size,
                 "%s: the disk takes no more (full, a size limit, or failing): free some space or "
                 "look at the disk",
                 path);
        return NODE_STORE_UNWRITABLE;
    }
    if (kind == SQLITE_BUSY || kind == SQLITE_LOCKED) {
        snprintf(text, size, "%s: another program has it open and holds it: close that one", path);
        return NODE_STORE_LOCKED;
    }
    if (kind == SQLITE_READONLY || kind == SQLITE_CANTOPEN || kind == SQLITE_PERM) {
        snprintf(text, size,
                 "%s: the file or its folder cannot be written: change the permissions or use "
                 "another data folder",
                 path);
        return NODE_STORE_UNWRITABLE;
    }
    if (kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB || kind == SQLITE_TOOBIG) {
        snprintf(text, size,
                 "%s: the database is damaged: move it away (the node gets the chain from its "
                 "peers again) or put a backup in its place",
                 path);
        return NODE_STORE_CORRUPT;
    }
    snprintf(text, size, "%s: %s (SQLite %d): look at the disk or use another data folder", path,
             db ? sqlite3_errmsg(db) : sqlite3_errstr(rc), detail);
    return NODE_STORE_IO;
}

static bool refuse_rc(struct store_why *why, const char *path, sqlite3 *db, int rc)
{
    why->problem = store_schema_error(path, db, rc, why->text, why->size);
    return false;
}

static bool refuse_newer(struct store_why *why, const char *path, long version, int known)
{
    return store_refuse(why, NODE_STORE_NEWER,
                        "%s: written by a newer vibenode (schema %ld, this one knows %d): use that "
                        "one or another data folder",
                        path, version, known);
}

static bool refuse_stranger(struct store_why *why, const char *path)
{
    return store_refuse(why, NODE_STORE_FOREIGN,
                        "%s: a database of another program, left as it is: use another data folder",
                        path);
}

/* ---- the head of the file ---- */

static bool look_at(const char *path, const uint8_t *head, size_t len,
                    const struct store_schema *schema, struct store_why *why)
{
    if (memcmp(head, "SQLite format 3", len < 16 ? len : 16) != 0)
        return store_refuse(why, NODE_STORE_FOREIGN,
                            "%s: not an SQLite database, left as it is: use another data folder",
                            path);
    if (len < SQLITE_HEADER)
        return refuse_rc(why, path, NULL, SQLITE_CORRUPT);
    if (get_be32(head + 68) != STORE_SCHEMA_APPLICATION_ID)
        return refuse_stranger(why, path);
    const uint32_t version = get_be32(head + 60);
    if (version > (uint32_t)schema->version)
        return refuse_newer(why, path, (long)version, schema->version);
    return true;
}

bool store_schema_look(const char *path, const struct store_schema *schema, struct store_why *why)
{
    /* Non-blocking, so that a pipe with nobody at its other end does not hold us up. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == ENOENT)
        return true;
    if (fd < 0)
        return store_refuse(why, NODE_STORE_UNWRITABLE,
                            "%s: cannot be read (%s): change its permissions or use another data "
                            "folder",
                            path, strerror(errno));
    struct stat st;
    uint8_t head[SQLITE_HEADER];
    ssize_t len = -1;
    const bool regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    if (regular)
        len = read(fd, head, sizeof head);
    const int error = errno;
    close(fd);
    if (!regular)
        return store_refuse(why, NODE_STORE_FOREIGN,
                            "%s: not a regular file: use another data folder", path);
    if (len < 0)
        return store_refuse(why, NODE_STORE_IO,
                            "%s: cannot be read (%s): look at the disk or use another data folder",
                            path, strerror(error));
    if (len > 0 && !look_at(path, head, (size_t)len, schema, why))
        return false;
    /* SQLite would read it, and leave a log beside it that it cannot remove. */
    return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0 ||
           store_refuse(why, NODE_STORE_UNWRITABLE,
                        "%s: cannot be written (%s): change its permissions or use another data "
                        "folder",
                        path, strerror(errno));
}

/* ---- opened ---- */

/* The first column of the first row as a number. */
static int get_number(sqlite3 *db, const char *sql, int64_t *out)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        *out = sqlite3_column_int64(stmt, 0);
    const int end = sqlite3_finalize(stmt);
    return rc == SQLITE_ROW ? SQLITE_OK : end != SQLITE_OK ? end : SQLITE_CORRUPT;
}

/* Nothing that a file may hold runs by itself, no row is larger than we accept. */
static int harden(sqlite3 *db)
{
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, ROW_MAX);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    return sqlite3_exec(db, "PRAGMA cell_size_check = ON; PRAGMA synchronous = FULL;", NULL, NULL,
                        NULL);
}

/* Ends an open transaction well or not at all; then it is refused in the words of what failed. */
static bool finish(const char *path, sqlite3 *db, int rc, struct store_why *why)
{
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        return true;
    refuse_rc(why, path, db, rc);
    if (!sqlite3_get_autocommit(db))
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return false;
}

static int set_version(sqlite3 *db, int version)
{
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA user_version = %d", version);
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static bool create(const char *path, sqlite3 *db, const struct store_schema *schema,
                   const struct node_store_options *options, struct store_why *why)
{
    char sql[400];
    snprintf(sql, sizeof sql,
             "PRAGMA application_id = %u;"
             "CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
             "INSERT INTO meta VALUES('genesis_timestamp', '%" PRIu64 "'),"
             " ('difficulty', '%" PRIu64 "');",
             STORE_SCHEMA_APPLICATION_ID, options->genesis_timestamp, options->difficulty);
    int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, schema->create, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = set_version(db, schema->version);
    return finish(path, db, rc, why);
}

/* In rollback mode, so that the header tells the version even if we die right after. */
static bool lift(const char *path, sqlite3 *db, const struct store_schema *schema, int version,
                 struct store_why *why)
{
    int rc = sqlite3_exec(db, "PRAGMA journal_mode = DELETE; BEGIN IMMEDIATE", NULL, NULL, NULL);
    for (int at = version; rc == SQLITE_OK && at < schema->version; at++)
        rc = sqlite3_exec(db, schema->lifts[at - 1], NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = set_version(db, schema->version);
    return finish(path, db, rc, why);
}

/* Whether meta says `value` of that name; what it says is cut to fit. */
static int meta_is(sqlite3 *db, const char *name, uint64_t value, bool *same, char said[24])
{
    char wanted[24];
    snprintf(wanted, sizeof wanted, "%" PRIu64, value);
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, "SELECT value FROM meta WHERE name = ?1", -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    rc = sqlite3_step(stmt);
    const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
    if (text) {
        snprintf(said, 24, "%s", text);
        *same = strcmp(text, wanted) == 0;
    }
    const int end = sqlite3_finalize(stmt);
    return text ? SQLITE_OK : end != SQLITE_OK ? end : SQLITE_CORRUPT;
}

static bool check_chain(const char *path, sqlite3 *db, const struct node_store_options *options,
                        struct store_why *why)
{
    bool same_time = false, same_difficulty = false;
    char time[24] = "", difficulty[24] = "";
    int rc = meta_is(db, "genesis_timestamp", options->genesis_timestamp, &same_time, time);
    if (rc == SQLITE_OK)
        rc = meta_is(db, "difficulty", options->difficulty, &same_difficulty, difficulty);
    if (rc != SQLITE_OK)
        return refuse_rc(why, path, db, rc == SQLITE_ERROR ? SQLITE_CORRUPT : rc); /* no table */
    /* What a hostile file says is shown as far as it is a number. */
    if (same_time && same_difficulty)
        return true;
    return store_refuse(why, NODE_STORE_OTHER_CHAIN,
                        "%s: holds another chain (genesis %.*s, difficulty %.*s; wanted: %" PRIu64
                        ", %" PRIu64 "): use another data folder or that chain's settings",
                        path, (int)strspn(time, "0123456789"), time,
                        (int)strspn(difficulty, "0123456789"), difficulty,
                        options->genesis_timestamp, options->difficulty);
}

/* Makes the tables, or sees to it that they are ours and of today. */
static bool settle(const char *path, sqlite3 *db, const struct store_schema *schema,
                   const struct node_store_options *options, struct store_why *why)
{
    int64_t id = 0, version = 0, objects = 0;
    int rc = get_number(db, "PRAGMA application_id", &id);
    if (rc == SQLITE_OK)
        rc = get_number(db, "PRAGMA user_version", &version);
    if (rc == SQLITE_OK)
        rc = get_number(db, "SELECT count(*) FROM sqlite_schema", &objects);
    if (rc != SQLITE_OK)
        return refuse_rc(why, path, db, rc);
    if (sqlite3_db_readonly(db, "main") == 1)
        return refuse_rc(why, path, NULL, SQLITE_READONLY);
    if (id == 0 && version == 0 && objects == 0)
        return create(path, db, schema, options, why);
    if (id != STORE_SCHEMA_APPLICATION_ID)
        return refuse_stranger(why, path);
    if (version > schema->version)
        return refuse_newer(why, path, (long)version, schema->version);
    if (version < 1)
        return refuse_rc(why, path, NULL, SQLITE_CORRUPT);
    if (!check_chain(path, db, options, why))
        return false;
    if (version == schema->version || lift(path, db, schema, (int)version, why))
        return true;
    sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL); /* as it was */
    return false;
}

static bool switch_to_wal(const char *path, sqlite3 *db, struct store_why *why)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA journal_mode = WAL", -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    const char *mode = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
    const bool wal = mode && strcmp(mode, "wal") == 0;
    const int end = sqlite3_finalize(stmt);
    if (!mode)
        return refuse_rc(why, path, db, end != SQLITE_OK ? end : rc);
    return wal || store_refuse(why, NODE_STORE_IO,
                               "%s: this file system cannot keep a write-ahead log (a network "
                               "drive?): use a data folder on a local disk",
                               path);
}

/* A write-ahead log of 16 MiB before it is written back: a node that catches up writes that in a
 * second, and a killed one's is read again as fast. Beginning to write shows that we can, and keeps
 * the log open from now on. */
static int tune(sqlite3 *db, uint64_t max_bytes)
{
    int rc = sqlite3_exec(db,
                          "PRAGMA wal_autocheckpoint = 4096; PRAGMA journal_size_limit = 67108864;"
                          "PRAGMA cache_size = -16384; BEGIN IMMEDIATE; COMMIT",
                          NULL, NULL, NULL);
    int64_t page_size = 0;
    if (rc == SQLITE_OK && max_bytes > 0)
        rc = get_number(db, "PRAGMA page_size", &page_size);
    if (rc != SQLITE_OK || page_size <= 0)
        return rc;
    char sql[64];
    const uint64_t pages = max_bytes / (uint64_t)page_size;
    snprintf(sql, sizeof sql, "PRAGMA max_page_count = %" PRIu64,
             pages == 0          ? 1
             : pages > INT32_MAX ? INT32_MAX
                                 : pages);
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

/* Whether a log lies beside the file, from a process that was killed. */
static bool has_log(const char *path)
{
    char name[4096];
    struct stat st;
    const int n = snprintf(name, sizeof name, "%s-wal", path);
    return n < (int)sizeof name && stat(name, &st) == 0;
}

sqlite3 *store_schema_open(const char *path, const struct store_schema *schema,
                           const struct node_store_options *options, struct store_why *why)
{
    const bool log = has_log(path);
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(
        path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(db, BUSY_MS);
    if (rc == SQLITE_OK && log) /* what is refused keeps its log */
        sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (rc == SQLITE_OK)
        rc = harden(db);
    bool ok =
        rc == SQLITE_OK ? settle(path, db, schema, options, why) : refuse_rc(why, path, db, rc);
    ok = ok && switch_to_wal(path, db, why);
    if (ok) {
        rc = tune(db, options->max_bytes);
        ok = rc == SQLITE_OK || refuse_rc(why, path, db, rc);
    }
    if (ok)
        return db;
    sqlite3_close(db);
    return NULL;
}
