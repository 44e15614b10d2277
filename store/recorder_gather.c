/* Moves runs from the parts of several processes into one record; see recorder_gather.h.
 *
 * Happy path: the record is opened, the part attached, and all its rows are copied under a new run
 * id in one transaction; then both are closed and the part is removed. Nothing waits for the disk
 * until all are in: a crash of the machine before loses runs, but no transaction in part. Which
 * tables and columns there are is asked of the record itself, so that a new one need not be named
 * here. Failure modes: a disk that is full leaves the record as it was and the part in its folder;
 * a part whose writer was killed is recovered from its log by SQLite as it is attached. */
#include "store/recorder_gather.h"

#include "store/recorder_copy.h"
#include "store/recorder_runs.h"
#include "store/recorder_schema.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHECKPOINT_RUNS 32u
#define LOCK_TRIES      20
#define LOCK_WAIT_US    50000

struct gather {
    struct schema_file file;
    char *path, *folder;
    int lock; /* the open file that is locked, or -1 */
    uint64_t runs;
};

static const char *slash_if_plain(const char *path)
{
    return path[0] == '/' ? "" : "./"; /* else SQLite might read more than a name into it */
}

/* "17.db", with what SQLite puts beside it: nothing else in the folder is ours to remove. */
static bool is_part(const char *name)
{
    size_t digits = strspn(name, "0123456789");
    return digits && strncmp(name + digits, ".db", 3) == 0;
}

static void remove_parts(const char *folder)
{
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir));)
        if (is_part(e->d_name))
            unlinkat(dirfd(dir), e->d_name, 0);
    if (dir)
        closedir(dir);
}

static void lock_name(const struct gather *g, char *out, size_t size)
{
    snprintf(out, size, "%s/lock", g->folder);
}

static void forget(struct gather *g)
{
    if (g->lock >= 0)
        close(g->lock);
    free(g->folder);
    free(g->path);
    free(g);
}

/* Checks or makes the record, then the folder with make_folder. */
static struct gather *begin(const char *path, const char *suffix,
                            bool (*make_folder)(struct gather *g, char *why, uint32_t why_size),
                            char *why, uint32_t why_size)
{
    struct gather *g = calloc(1, sizeof *g);
    size_t size = strlen(path) + strlen(suffix) + 1;
    if (!g || !(g->path = strdup(path)) || !(g->folder = malloc(size)))
        abort();
    g->lock = -1;
    snprintf(g->folder, size, "%s%s", path, suffix);
    if (schema_claim(path, &g->file, why, why_size)) {
        sqlite3 *db = schema_open(path, &g->file, why, why_size);
        sqlite3_close(db);
        if (db && make_folder(g, why, why_size))
            return g;
        schema_unclaim(path, &g->file);
    }
    forget(g);
    return NULL;
}

static bool no_folder(const struct gather *g, char *why, uint32_t why_size)
{
    snprintf(why, why_size,
             "%s: no folder for the parts can be made beside it (%s): change the permissions or "
             "use another file (--db)",
             g->path, strerror(errno));
    return false;
}

static bool make_folder(struct gather *g, char *why, uint32_t why_size)
{
    return mkdtemp(g->folder) || no_folder(g, why, why_size);
}

struct gather *gather_new(const char *path, char *why, uint32_t why_size)
{
    return begin(path, "-parts-XXXXXX", make_folder, why, why_size);
}

/* Opens and locks the file `lock` of the folder. 1: it is ours; 0: another process has it; -1: it
 * cannot be made. */
static int try_lock(struct gather *g)
{
    char name[4096];
    struct stat mine, there;
    if (mkdir(g->folder, 0755) != 0 && errno != EEXIST)
        return -1;
    lock_name(g, name, sizeof name);
    g->lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (g->lock < 0)
        return errno == ENOENT ? 0 : -1; /* its owner has just taken it away */
    /* A file system without locks: SQLite's own keep the record whole. */
    if ((flock(g->lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) &&
        fstat(g->lock, &mine) == 0 && stat(name, &there) == 0 && mine.st_ino == there.st_ino &&
        mine.st_dev == there.st_dev)
        return 1;
    close(g->lock);
    g->lock = -1;
    return 0;
}

/* The workers of a process that was killed have the lock a moment longer. */
static bool lock_folder(struct gather *g, char *why, uint32_t why_size)
{
    int locked = 0;
    for (int i = 0; locked == 0 && i < LOCK_TRIES; i++) {
        if (i)
            usleep(LOCK_WAIT_US);
        locked = try_lock(g);
    }
    if (locked > 0)
        remove_parts(g->folder);
    else if (locked < 0)
        return no_folder(g, why, why_size);
    else
        snprintf(why, why_size,
                 "%s: another process is filling it (%s is locked): wait for it, or use another "
                 "file (--db)",
                 g->path, g->folder);
    return locked > 0;
}

struct gather *gather_new_alone(const char *path, char *why, uint32_t why_size)
{
    return begin(path, "-parts", lock_folder, why, why_size);
}

void gather_part(const struct gather *g, uint64_t number, char *out, size_t size)
{
    snprintf(out, size, "%s/%llu.db", g->folder, (unsigned long long)number);
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
    char lock[4096];
    remove_parts(g->folder);
    lock_name(g, lock, sizeof lock);
    if (g->lock >= 0)
        unlink(lock);
    rmdir(g->folder);
    if (g->runs)
        checkpoint(g);
    else
        schema_unclaim(g->path, &g->file);
    forget(g);
}

/* ---- copying ---- */

/* Inside a transaction. A part whose writer died before its run began has no table or no row. */
static int copy_run(sqlite3 *db, const char *reason, int64_t *run_id)
{
    struct copy_names names;
    int rc =
        copy_read_names(db, "SELECT name FROM part.sqlite_master WHERE name = 'run'", NULL, &names);
    if (rc == SQLITE_OK && names.count)
        rc = copy_read_names(db, "SELECT id FROM part.run ORDER BY id", NULL, &names);
    if (rc != SQLITE_OK || !names.count)
        return rc;
    struct copy copy = {.db = db, .new_id = "?1"};
    rc = copy_table(&copy, "run", "id"); /* unbound: NULL, the next free one */
    copy.argument = *run_id = sqlite3_last_insert_rowid(db);
    if (rc == SQLITE_OK)
        rc = copy_run_tables(db, &names);
    for (int i = 0; rc == SQLITE_OK && i < names.count; i++)
        rc = copy_table(&copy, names.name[i], "run_id");
    return rc == SQLITE_OK && reason ? runs_tell(db, *run_id, "error", reason) : rc;
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
    int rc = copy_attach(db, part);
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

bool gather_add_bare(struct gather *g, const struct recorder_run *run, const char *verdict,
                     const char *reason, int64_t *run_id, char *why, uint32_t why_size)
{
    const struct schema_file old = {.version = SCHEMA_VERSION};
    sqlite3 *db = schema_open(g->path, &old, why, why_size);
    if (!db)
        return false;
    sqlite3_busy_timeout(db, 60000);
    int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = runs_insert(db, run, run_id);
    if (rc == SQLITE_OK)
        rc = runs_tell(db, *run_id, verdict, reason);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        schema_error(g->path, db, rc, why, why_size);
    sqlite3_close(db);
    g->runs += rc == SQLITE_OK;
    return rc == SQLITE_OK;
}
