/* A disk whose power fails, under SQLite: a VFS that hands everything on to the system's, and keeps
 * for each file what would be there after the power failed now: what was synced, and of what was
 * written since, whatever the dice say, torn at sectors of 512 bytes. It can also fail a write or a
 * sync.
 *
 * It assumes of a disk what SQLite does (https://www.sqlite.org/atomiccommit.html, section 2): a
 * write touches no byte beside it, and removing a file is durable at once. */
#ifndef TESTS_UNIT_NODE_STORE_DISK_H
#define TESTS_UNIT_NODE_STORE_DISK_H

#include "tests/unit/node_store_fixture.h"

#define DISK_FILES  8
#define DISK_SECTOR 512u

/* A write or a truncation (data NULL) that was not synced yet. */
struct disk_change {
    struct disk_change *next;
    size_t at, len;
    uint8_t *data;
};

struct disk_image {
    char name[64]; /* "" is free */
    bool exists;   /* durably */
    uint8_t *bytes;
    size_t len;
    struct disk_change *changes, **end;
};

static struct {
    sqlite3_vfs vfs;
    sqlite3_vfs *system;
    pthread_mutex_t mutex; /* over the rest: the worker writes, the test cuts */
    struct disk_image images[DISK_FILES];
    int fail_write, fail_sync;  /* SQLite codes to fail with; 0: do not */
    uint64_t operations;        /* writes, syncs, truncations and removals so far */
    void (*on_operation)(void); /* called before each, without the mutex; or NULL */
} disk = {.mutex = PTHREAD_MUTEX_INITIALIZER};

struct disk_file {
    sqlite3_file base;
    struct disk_image *image; /* NULL: not one of ours */
    sqlite3_file *system;     /* behind this */
};

static inline sqlite3_file *disk_under(sqlite3_file *file)
{
    return ((struct disk_file *)(void *)file)->system;
}

static inline struct disk_image *disk_image_of(sqlite3_file *file)
{
    return ((struct disk_file *)(void *)file)->image;
}

/* ---- images ---- */

static inline void *must_have(void *memory)
{
    if (!memory)
        abort(); /* often on the worker's thread, where no test can fail */
    return memory;
}

/* from NULL: a truncation. */
static inline void image_change(struct disk_image *image, size_t at, const void *from, size_t len)
{
    struct disk_change *change = must_have(calloc(1, sizeof *change));
    change->at = at;
    change->len = len;
    if (from) {
        change->data = must_have(malloc(len + 1));
        memcpy(change->data, from, len);
    }
    *image->end = change;
    image->end = &change->next;
}

/* Does a change to bytes, or its first `len` bytes. */
static inline void change_apply(const struct disk_change *change, size_t len, uint8_t **bytes,
                                size_t *size)
{
    const size_t end = change->at + len;
    if (!change->data) {
        *size = change->at < *size ? change->at : *size;
        return;
    }
    if (end > *size) {
        *bytes = must_have(realloc(*bytes, end));
        memset(*bytes + *size, 0, end - *size);
        *size = end;
    }
    if (len > 0)
        memcpy(*bytes + change->at, change->data, len);
}

static inline void image_forget_changes(struct disk_image *image)
{
    while (image->changes) {
        struct disk_change *change = image->changes;
        image->changes = change->next;
        free(change->data);
        free(change);
    }
    image->end = &image->changes;
}

static inline void image_sync(struct disk_image *image)
{
    for (const struct disk_change *change = image->changes; change; change = change->next)
        change_apply(change, change->len, &image->bytes, &image->len);
    image_forget_changes(image);
    image->exists = true;
}

static inline void image_clear(struct disk_image *image)
{
    image_forget_changes(image);
    free(image->bytes);
    *image = (struct disk_image){0};
}

/* The image of a file in the store's folder; NULL for others. */
static inline struct disk_image *image_find(const char *path, bool make)
{
    const size_t len = strlen(data);
    if (!path || strncmp(path, data, len) != 0 || path[len] != '/' || strstr(path, "-shm"))
        return NULL;
    struct disk_image *none = NULL;
    for (int i = 0; i < DISK_FILES; i++) {
        struct disk_image *image = &disk.images[i];
        if (strcmp(image->name, path + len + 1) == 0)
            return image;
        if (!image->name[0])
            none = image;
    }
    if (!make)
        return NULL;
    must_have(none);
    snprintf(none->name, sizeof none->name, "%s", path + len + 1);
    none->end = &none->changes;
    return none;
}

static inline void image_cut(const struct disk_image *image, const char *to, uint64_t *dice)
{
    if (!image->name[0] || !image->exists)
        return;
    uint8_t *bytes = must_have(malloc(image->len + 1));
    size_t len = image->len;
    if (len > 0)
        memcpy(bytes, image->bytes, len);
    /* All are lost, or each may be. */
    const bool all_lost = below(dice, 3) == 0;
    for (const struct disk_change *change = image->changes; change; change = change->next) {
        const uint64_t luck = below(dice, 4);
        const size_t sectors = change->len / DISK_SECTOR + 1;
        size_t part = luck == 0 ? below(dice, sectors) * DISK_SECTOR : change->len;
        if (!all_lost && luck < 3 && (change->data || luck > 0))
            change_apply(change, part < change->len ? part : change->len, &bytes, &len);
    }
    char path[600];
    snprintf(path, sizeof path, "%s/%s", to, image->name);
    FILE *f = must_have(fopen(path, "wb"));
    if (fwrite(bytes, 1, len, f) != len || fclose(f) != 0)
        abort();
    free(bytes);
}

/* Makes the folder `to` with what is there after the power failed now. */
static inline void disk_cut(const char *to, uint64_t *dice)
{
    if (mkdir(to, 0700) != 0)
        abort();
    pthread_mutex_lock(&disk.mutex);
    for (int i = 0; i < DISK_FILES; i++)
        image_cut(&disk.images[i], to, dice);
    pthread_mutex_unlock(&disk.mutex);
}

/* ---- the file's methods ---- */

/* Begins an operation: what it fails with, or 0. */
static inline int operation(int fail)
{
    if (disk.on_operation)
        disk.on_operation();
    pthread_mutex_lock(&disk.mutex);
    disk.operations++;
    if (fail != 0)
        pthread_mutex_unlock(&disk.mutex);
    return fail;
}

static inline int disk_close(sqlite3_file *file)
{
    return disk_under(file)->pMethods->xClose(disk_under(file));
}

static inline int disk_read(sqlite3_file *file, void *to, int len, sqlite3_int64 at)
{
    return disk_under(file)->pMethods->xRead(disk_under(file), to, len, at);
}

static inline int disk_write(sqlite3_file *file, const void *from, int len, sqlite3_int64 at)
{
    struct disk_image *image = disk_image_of(file);
    if (!image)
        return disk_under(file)->pMethods->xWrite(disk_under(file), from, len, at);
    int rc = operation(disk.fail_write);
    if (rc != 0)
        return rc;
    image_change(image, (size_t)at, from, (size_t)len);
    rc = disk_under(file)->pMethods->xWrite(disk_under(file), from, len, at);
    pthread_mutex_unlock(&disk.mutex);
    return rc;
}

static inline int disk_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct disk_image *image = disk_image_of(file);
    if (!image)
        return disk_under(file)->pMethods->xTruncate(disk_under(file), size);
    operation(0);
    image_change(image, (size_t)size, NULL, 0);
    const int rc = disk_under(file)->pMethods->xTruncate(disk_under(file), size);
    pthread_mutex_unlock(&disk.mutex);
    return rc;
}

/* The system's disk is not asked to: only the images count. */
static inline int disk_sync(sqlite3_file *file, int flags)
{
    struct disk_image *image = disk_image_of(file);
    (void)flags;
    if (!image)
        return SQLITE_OK;
    const int rc = operation(disk.fail_sync);
    if (rc != 0)
        return rc;
    image_sync(image);
    pthread_mutex_unlock(&disk.mutex);
    return SQLITE_OK;
}

static inline int disk_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return disk_under(file)->pMethods->xFileSize(disk_under(file), size);
}

static inline int disk_lock(sqlite3_file *file, int kind)
{
    return disk_under(file)->pMethods->xLock(disk_under(file), kind);
}

static inline int disk_unlock(sqlite3_file *file, int kind)
{
    return disk_under(file)->pMethods->xUnlock(disk_under(file), kind);
}

static inline int disk_reserved(sqlite3_file *file, int *out)
{
    return disk_under(file)->pMethods->xCheckReservedLock(disk_under(file), out);
}

static inline int disk_control(sqlite3_file *file, int op, void *arg)
{
    return disk_under(file)->pMethods->xFileControl(disk_under(file), op, arg);
}

static inline int disk_sector(sqlite3_file *file)
{
    (void)file;
    return DISK_SECTOR;
}

static inline int disk_traits(sqlite3_file *file)
{
    return disk_under(file)->pMethods->xDeviceCharacteristics(disk_under(file));
}

static inline int disk_shm_map(sqlite3_file *file, int page, int size, int extend,
                               void volatile **out)
{
    return disk_under(file)->pMethods->xShmMap(disk_under(file), page, size, extend, out);
}

static inline int disk_shm_lock(sqlite3_file *file, int at, int n, int flags)
{
    return disk_under(file)->pMethods->xShmLock(disk_under(file), at, n, flags);
}

static inline void disk_shm_barrier(sqlite3_file *file)
{
    disk_under(file)->pMethods->xShmBarrier(disk_under(file));
}

static inline int disk_shm_unmap(sqlite3_file *file, int remove)
{
    return disk_under(file)->pMethods->xShmUnmap(disk_under(file), remove);
}

static const sqlite3_io_methods disk_methods = {
    .iVersion = 2,
    .xClose = disk_close,
    .xRead = disk_read,
    .xWrite = disk_write,
    .xTruncate = disk_truncate,
    .xSync = disk_sync,
    .xFileSize = disk_size,
    .xLock = disk_lock,
    .xUnlock = disk_unlock,
    .xCheckReservedLock = disk_reserved,
    .xFileControl = disk_control,
    .xSectorSize = disk_sector,
    .xDeviceCharacteristics = disk_traits,
    .xShmMap = disk_shm_map,
    .xShmLock = disk_shm_lock,
    .xShmBarrier = disk_shm_barrier,
    .xShmUnmap = disk_shm_unmap,
};

/* ---- the VFS ---- */

static inline int disk_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags,
                            int *out)
{
    (void)vfs;
    struct disk_file *mine = (struct disk_file *)(void *)file;
    *mine = (struct disk_file){.system = (sqlite3_file *)(void *)(mine + 1)};
    const int rc = disk.system->xOpen(disk.system, path, mine->system, flags, out);
    if (rc != SQLITE_OK)
        return rc;
    mine->base.pMethods = &disk_methods;
    pthread_mutex_lock(&disk.mutex);
    mine->image = image_find(path, true);
    pthread_mutex_unlock(&disk.mutex);
    return SQLITE_OK;
}

static inline int disk_delete(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
    (void)vfs;
    operation(0);
    struct disk_image *image = image_find(path, false);
    const int rc = disk.system->xDelete(disk.system, path, sync_folder);
    if (image)
        image_clear(image);
    pthread_mutex_unlock(&disk.mutex);
    return rc;
}

/* SQLite's default from now on. */
static inline void disk_install(void)
{
    disk.system = sqlite3_vfs_find(NULL);
    disk.vfs = *disk.system;
    disk.vfs.zName = "node-store-disk";
    disk.vfs.szOsFile = (int)sizeof(struct disk_file) + disk.system->szOsFile;
    disk.vfs.xOpen = disk_open;
    disk.vfs.xDelete = disk_delete;
    assert_int_equal(sqlite3_vfs_register(&disk.vfs, 1), SQLITE_OK);
}

static inline void disk_remove(void)
{
    sqlite3_vfs_unregister(&disk.vfs);
    for (int i = 0; i < DISK_FILES; i++)
        image_clear(&disk.images[i]);
    disk.fail_write = disk.fail_sync = 0;
    disk.operations = 0;
    disk.on_operation = NULL;
}

#endif
