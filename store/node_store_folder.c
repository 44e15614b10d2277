/* A data folder that one process uses at a time; see node_store_folder.h.
 *
 * Happy path: the folder is made (0700), node.lock in it is locked for as long as the store is
 * open, and tells our process number to whoever comes second. The lock is one of the open file
 * description (fcntl F_OFD_SETLK): it ends with the process however that dies, and holds against a
 * second store of the same process. The lock file stays when we go, empty; who removes one that is
 * held loses its protection, so a lock counts only while its file is still the one of that name.
 *
 * Failure modes: a folder that cannot be made or written is told with the system's reason. A
 * database that is not ours is refused before a lock file is put beside it. One whose lock file is
 * held is not even looked at: closing a file takes away the locks that SQLite has on it in this
 * process (https://www.sqlite.org/howtocorrupt.html, section 2.2). */
#include "store/node_store_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PID_MAX_TEXT 20 /* digits and a newline */

/* `folder`/`name`, with "./" before a relative one. NULL: memory is out. */
static char *path_in(const char *folder, const char *name)
{
    const size_t size = strlen(folder) + strlen(name) + 4;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s%s/%s", folder[0] == '/' ? "" : "./", folder, name);
    return path;
}

/* ---- the folder ---- */

/* The length of the part of the path that names the folder's parent; 0: the present one. */
static int parent_len(const char *path)
{
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    while (len > 0 && path[len - 1] != '/')
        len--;
    while (len > 1 && path[len - 1] == '/')
        len--;
    return (int)len;
}

static bool refuse_folder(struct store_why *why, const char *path, int error)
{
    const int len = parent_len(path);
    if (error == ENOENT)
        return store_refuse(why, NODE_STORE_UNWRITABLE,
                            "%s: there is no folder %.*s: make it (mkdir -p) or use another data "
                            "folder",
                            path, len, path);
    if (error == EACCES || error == EROFS || error == EPERM)
        return store_refuse(why, NODE_STORE_UNWRITABLE,
                            "%s: cannot be made (%s): use a data folder that you may write to",
                            path, strerror(error));
    if (error == ENOSPC || error == EDQUOT)
        return store_refuse(why, NODE_STORE_UNWRITABLE,
                            "%s: no room (the disk is full): free some space or use another data "
                            "folder",
                            path);
    return store_refuse(why, error == ENOTDIR ? NODE_STORE_FOREIGN : NODE_STORE_IO,
                        "%s: cannot be made (%s): use another data folder", path, strerror(error));
}

/* What is durable in a new folder is of use only if the folder is. Best effort: not every file
 * system can do it. */
static void sync_parent(const char *path)
{
    char parent[4096];
    const int len = parent_len(path);
    if (len >= (int)sizeof parent)
        return;
    snprintf(parent, sizeof parent, "%.*s", len > 0 ? len : 1, len > 0 ? path : ".");
    const int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

static bool make_folder(struct store_folder *folder, struct store_why *why)
{
    if (!*folder->path)
        return store_refuse(why, NODE_STORE_UNWRITABLE,
                            "the name of the data folder is empty: name one");
    if (mkdir(folder->path, 0700) == 0) {
        folder->made_folder = true;
        sync_parent(folder->path);
        return true;
    }
    const int error = errno;
    struct stat st;
    if (error != EEXIST || stat(folder->path, &st) != 0)
        return refuse_folder(why, folder->path, error);
    if (!S_ISDIR(st.st_mode))
        return store_refuse(why, NODE_STORE_FOREIGN,
                            "%s: a file, and it should be a folder: use another data folder",
                            folder->path);
    return faccessat(AT_FDCWD, folder->path, R_OK | W_OK | X_OK, AT_EACCESS) == 0 ||
           store_refuse(why, NODE_STORE_UNWRITABLE,
                        "%s: cannot be written (%s): change its permissions or use another data "
                        "folder",
                        folder->path, strerror(errno));
}

/* ---- the lock ---- */

/* Reads the process number of a lock file; 0: none there. False: it is something else. */
static bool read_pid(int fd, long *pid)
{
    char text[PID_MAX_TEXT + 2] = "";
    const ssize_t len = pread(fd, text, sizeof text - 1, 0);
    *pid = 0;
    if (len < 0)
        return false;
    if (len == 0)
        return true;
    const size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits + 1 != (size_t)len || text[digits] != '\n')
        return false;
    *pid = strtol(text, NULL, 10);
    return true;
}

static bool refuse_locked(struct store_why *why, const struct store_folder *folder)
{
    long pid = 0;
    if (read_pid(folder->lock, &pid) && pid > 0)
        return store_refuse(why, NODE_STORE_LOCKED,
                            "%s: used by another process (pid %ld): stop that one or use another "
                            "data folder",
                            folder->path, pid);
    return store_refuse(why, NODE_STORE_LOCKED,
                        "%s: used by another process: stop that one or use another data folder",
                        folder->path);
}

static bool refuse_lock_file(struct store_why *why, const struct store_folder *folder, int error)
{
    const bool unwritable =
        error == EACCES || error == EROFS || error == EPERM || error == ENOSPC || error == EDQUOT;
    return store_refuse(why,
                        unwritable       ? NODE_STORE_UNWRITABLE
                        : error == ELOOP ? NODE_STORE_FOREIGN
                                         : NODE_STORE_IO,
                        "%s: cannot be written (%s): change the permissions or use another data "
                        "folder",
                        folder->lock_path, strerror(error));
}

/* Opens the lock file, or makes one where no database of others lies. *again: somebody else was
 * about to. */
static bool open_lock(struct store_folder *folder, const struct store_schema *schema, bool *again,
                      struct store_why *why)
{
    const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    struct stat st;
    folder->lock = open(folder->lock_path, flags);
    if (folder->lock < 0 && errno == ENOENT) {
        if (!store_schema_look(folder->database, schema, why))
            return false;
        folder->lock = open(folder->lock_path, flags | O_CREAT | O_EXCL, 0600);
        folder->made_lock = folder->lock >= 0;
        *again = folder->lock < 0 && errno == EEXIST;
    }
    if (folder->lock < 0)
        return *again || refuse_lock_file(why, folder, errno);
    if (fstat(folder->lock, &st) != 0 || !S_ISREG(st.st_mode))
        return store_refuse(why, NODE_STORE_FOREIGN,
                            "%s: not a regular file: use another data folder", folder->lock_path);
    return true;
}

/* Locks what open_lock opened. *again: it is no longer the file of that name. */
static bool take_lock(struct store_folder *folder, bool *again, struct store_why *why)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(folder->lock, F_OFD_SETLK, &whole) != 0) {
        if (errno == EAGAIN || errno == EACCES)
            return refuse_locked(why, folder);
        return store_refuse(why, NODE_STORE_IO,
                            "%s: cannot be locked (%s): use a data folder on a local disk",
                            folder->lock_path, strerror(errno));
    }
    struct stat ours, named;
    *again = fstat(folder->lock, &ours) != 0 || stat(folder->lock_path, &named) != 0 ||
             ours.st_dev != named.st_dev || ours.st_ino != named.st_ino;
    if (*again)
        return true;
    long pid;
    folder->held = read_pid(folder->lock, &pid);
    return folder->held ||
           store_refuse(why, NODE_STORE_FOREIGN,
                        "%s: not a lock file, left as it is: use another data folder",
                        folder->lock_path);
}

static bool lock_folder(struct store_folder *folder, const struct store_schema *schema,
                        struct store_why *why)
{
    for (int tries = 0; tries < 100; tries++) {
        bool again = false;
        if (!open_lock(folder, schema, &again, why) || (!again && !take_lock(folder, &again, why)))
            return false;
        if (!again)
            return true;
        if (folder->lock >= 0)
            close(folder->lock);
        folder->lock = -1;
        folder->made_lock = false;
    }
    return store_refuse(why, NODE_STORE_LOCKED,
                        "%s: comes and goes: another process must be using the folder",
                        folder->lock_path);
}

static void unsign(const struct store_folder *folder)
{
    if (ftruncate(folder->lock, 0) != 0)
        errno = 0; /* a number stays that no lock stands for */
}

/* ---- both ---- */

bool store_folder_open(struct store_folder *folder, const char *path,
                       const struct store_schema *schema, struct store_why *why)
{
    *folder = (struct store_folder){.lock = -1};
    folder->path = strdup(path);
    folder->database = path_in(path, "node.db");
    folder->lock_path = path_in(path, "node.lock");
    bool ok = folder->path && folder->database && folder->lock_path;
    if (!ok)
        store_refuse(why, NODE_STORE_IO, "%s: out of memory", path);
    ok = ok && make_folder(folder, why) && lock_folder(folder, schema, why);
    if (ok) {
        struct stat st;
        folder->made_database = stat(folder->database, &st) != 0 && errno == ENOENT;
        ok = store_schema_look(folder->database, schema, why);
    }
    if (!ok)
        store_folder_close(folder, true);
    return ok;
}

void store_folder_sign(const struct store_folder *folder)
{
    char text[PID_MAX_TEXT + 2];
    const int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(folder->lock, 0) == 0 && pwrite(folder->lock, text, (size_t)len, 0) != len)
        unsign(folder);
}

static void remove_database(const struct store_folder *folder)
{
    static const char *const names[] = {"node.db-wal", "node.db-shm", "node.db-journal", "node.db"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *name = path_in(folder->path, names[i]);
        if (name)
            unlink(name);
        free(name);
    }
}

void store_folder_close(struct store_folder *folder, bool undo)
{
    if (folder->held) {
        if (undo && folder->made_database)
            remove_database(folder);
        if (undo && folder->made_lock)
            unlink(folder->lock_path);
        else if (!undo)
            unsign(folder);
    }
    if (folder->lock >= 0)
        close(folder->lock);
    if (undo && folder->made_folder)
        rmdir(folder->path);
    free(folder->path);
    free(folder->database);
    free(folder->lock_path);
    *folder = (struct store_folder){.lock = -1};
}
