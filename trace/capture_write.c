/* The writer of captures; see capture.h, and format.h for the bytes.
 *
 * Happy path: a piece of the file is mapped, an event is encoded into it, and the first byte of its
 * record is written last. What stands in a shared mapping is the kernel's: it reaches the file
 * whatever happens to this process. When the piece is full, the file grows by GROW_BYTES, and the
 * next piece is mapped from the page on where the last one ended.
 *
 * Failure modes: all ends in `fail`, which closes the file as it stands and keeps the reason; what
 * comes after that is dropped. A full disk is found by posix_fallocate before there is anything to
 * write to the new pages, where it would be a SIGBUS; so is a limit on the size of files, whose
 * signal is kept away. Beyond our reach: somebody else who truncates the file, and a file system
 * that promises room which it does not have. */
#include "trace/capture.h"

#include "trace/format.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#define GROW_BYTES (UINT64_C(4) << 20)
#define SEEDS_MAX  100000u /* as many as vn_config_check allows */

/* Bytes in front of a body. */
#define HEAD_MAX (FORMAT_SIZE_MAX + 4u)

/* The largest record beside events: one byte and a hash. */
#define MARK_MAX 9u

struct capture {
    int fd; /* -1: it has ended */
    char *path;
    uint8_t *map; /* the mapped piece */
    uint8_t *at;  /* where the next record goes */
    uint8_t *end;
    uint64_t map_offset; /* of the piece in the file */
    uint64_t chain;
    uint64_t before_ns; /* of the last event */
    uint64_t bytes;     /* in all, once it has ended */
    uint32_t since_hash;
    bool drained; /* since the last record */
    char error[400];
};

/* Nothing that is written before this is moved behind it by the compiler; the order in which other
 * cores see it does not matter, since nobody reads while a process dies. */
static inline void written_before(void)
{
    __asm__ volatile("" : : : "memory");
}

/* ---- the file ---- */

uint64_t capture_bytes(const struct capture *capture)
{
    return capture->fd < 0 ? capture->bytes
                           : capture->map_offset + (uint64_t)(capture->at - capture->map);
}

const char *capture_error(const struct capture *capture)
{
    return capture->error;
}

/* Unmaps, cuts off what was never used, and closes. */
static void end(struct capture *c)
{
    c->bytes = capture_bytes(c);
    if (c->map)
        munmap(c->map, (size_t)(c->end - c->map));
    if (c->fd >= 0) {
        const int cut = ftruncate(c->fd, (off_t)c->bytes);
        (void)cut; /* else zeros stay behind the last record: as good an end */
        close(c->fd);
    }
    c->fd = -1;
    c->map = c->at = c->end = NULL;
}

static void fail(struct capture *c, const char *what, int error)
{
    snprintf(c->error, sizeof c->error, "%.250s: %s%s: the capture ends after %llu bytes%s",
             c->path, what, error ? strerror(error) : "", (unsigned long long)capture_bytes(c),
             error == ENOSPC || error == EDQUOT ? "; free some space before the next one" : "");
    end(c);
}

/* posix_fallocate, without the signal that a limit on the size of files would send. */
static int allocate(int fd, off_t offset, off_t len)
{
    sigset_t limit, old, pending;
    sigemptyset(&limit);
    sigaddset(&limit, SIGXFSZ);
    sigpending(&pending);
    const bool was_pending = sigismember(&pending, SIGXFSZ) == 1;
    pthread_sigmask(SIG_BLOCK, &limit, &old);
    int error;
    do
        error = posix_fallocate(fd, offset, len);
    while (error == EINTR);
    sigpending(&pending);
    if (!was_pending && sigismember(&pending, SIGXFSZ) == 1)
        sigtimedwait(&limit, NULL, &(struct timespec){0});
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return error;
}

/* Maps a piece of the file that begins before `offset` and has room for `need` bytes from there on.
 * False: it has ended. */
static bool map_at(struct capture *c, uint64_t offset, uint64_t need)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    const uint64_t from = offset - offset % page;
    uint64_t len = offset - from + need;
    len = (len + GROW_BYTES - 1) / GROW_BYTES * GROW_BYTES;
    const int error = allocate(c->fd, (off_t)from, (off_t)len);
    if (error) {
        fail(c, "", error);
        return false;
    }
    void *map = mmap(NULL, (size_t)len, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, (off_t)from);
    if (map == MAP_FAILED) {
        fail(c, "cannot be mapped: ", errno);
        return false;
    }
    if (c->map)
        munmap(c->map, (size_t)(c->end - c->map));
    c->map = map;
    c->map_offset = from;
    c->at = c->map + (offset - from);
    c->end = c->map + len;
    return true;
}

/* Room for a record whose body takes at most `bound` bytes. */
static inline bool make_room(struct capture *c, uint64_t bound)
{
    if (c->fd < 0)
        return false;
    if (bound > FORMAT_BODY_MAX) {
        fail(c, "an event is too large for it", 0);
        return false;
    }
    return (uint64_t)(c->end - c->at) >= bound + HEAD_MAX ||
           map_at(c, capture_bytes(c), bound + HEAD_MAX);
}

/* ---- records ---- */

static inline uint32_t size_len(uint64_t bound)
{
    return bound < UINT64_C(1) << 7    ? 1
           : bound < UINT64_C(1) << 14 ? 2
           : bound < UINT64_C(1) << 21 ? 3
                                       : 4;
}

/* Puts a body of at most `bound` bytes behind the size and the check: where it is to begin. */
static inline uint8_t *record_begin(struct capture *c, uint64_t bound)
{
    return c->at + size_len(bound) + 4;
}

/* The body has been written, up to `end`. The size is as long as the bound's would be, since the
 * body was begun behind it; its first byte makes the record. */
static inline void record_end(struct capture *c, uint64_t bound, uint8_t *end)
{
    const uint32_t len = size_len(bound);
    uint8_t *body = c->at + len + 4;
    const size_t size = (size_t)(end - body);
    c->chain = format_chain(c->chain, body, size);
    put_le32(body - 4, (uint32_t)c->chain);
    for (uint32_t i = 1; i < len; i++)
        c->at[i] = (uint8_t)((size >> 7 * i & 0x7f) | (i + 1 < len ? 0x80 : 0));
    written_before();
    *(volatile uint8_t *)c->at = (uint8_t)((size & 0x7f) | (len > 1 ? 0x80 : 0));
    c->at = end;
}

/* A record without an event; it tells of a drain before it too, if there was one. */
static void put_mark(struct capture *c, enum format_kind kind, uint64_t hash)
{
    if (!make_room(c, MARK_MAX))
        return;
    uint8_t *body = record_begin(c, MARK_MAX), *at = body + 1;
    body[0] = (uint8_t)((uint32_t)kind | (c->drained && kind != FORMAT_DRAIN ? FORMAT_DRAINED : 0));
    if (kind != FORMAT_DRAIN) {
        put_le64(at, hash);
        at += 8;
    }
    record_end(c, MARK_MAX, at);
    c->drained = false;
}

void capture_event(struct capture *c, const struct vn_event *event)
{
    const uint64_t bound = format_event_bound(event);
    if (!make_room(c, bound))
        return;
    uint8_t *end = format_event_write(record_begin(c, bound), event, c->before_ns, c->drained);
    record_end(c, bound, end);
    c->drained = false;
    c->before_ns = event->now_ns;
    c->since_hash++;
}

void capture_drained(struct capture *c, uint64_t hash)
{
    if (c->drained) /* twice in a row */
        put_mark(c, FORMAT_DRAIN, 0);
    c->drained = true;
    if (c->since_hash >= CAPTURE_HASH_EVERY) {
        put_mark(c, FORMAT_HASH, hash);
        c->since_hash = 0;
    }
}

/* ---- beginning and end ---- */

/* Encodes the header and puts it at the front of the file. */
static bool put_header(struct capture *c, const struct vn_config *config, const char *build,
                       uint32_t flags)
{
    uint64_t check;
    const size_t size = format_header_write(NULL, 0, config, build, flags, &check);
    if (!map_at(c, 0, size))
        return false;
    format_header_write(c->at, size, config, build, flags, &check);
    c->at += size;
    c->chain = check;
    return true;
}

static int create(const char *path, char *why, size_t size)
{
    const int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        snprintf(why, size, "%s: %s", path,
                 errno == EEXIST ? "exists already: a capture goes into a file of its own; name "
                                   "another, or move that one away"
                                 : strerror(errno));
        return fd;
    }
    const int locked = flock(fd, LOCK_EX | LOCK_NB);
    (void)locked; /* where a file system has no locks, nobody sees that the file is being written */
    return fd;
}

static struct capture *begin(const char *path, const struct vn_config *config, const char *build,
                             uint32_t flags, char *why, size_t size)
{
    if (size)
        why[0] = 0;
    if (config->seed_count > SEEDS_MAX) {
        snprintf(why, size, "%s: the configuration has too many seeds", path);
        return NULL;
    }
    const int fd = create(path, why, size);
    if (fd < 0)
        return NULL;
    struct capture *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    c->fd = fd;
    c->path = strdup(path);
    if (c->path && put_header(c, config, build, flags))
        return c;
    snprintf(why, size, "%s", c->error);
    unlink(path);
    capture_abandon(c);
    return NULL;
}

struct capture *capture_new(const char *path, const struct vn_config *config, const char *build,
                            char *why, size_t size)
{
    return begin(path, config, build, 0, why, size);
}

struct capture *capture_new_redacted(const char *path, const struct vn_config *config,
                                     const char *build, char *why, size_t size)
{
    return begin(path, config, build, FORMAT_REDACTED, why, size);
}

void capture_close(struct capture *c, uint64_t hash)
{
    put_mark(c, FORMAT_END, hash);
    capture_abandon(c);
}

void capture_abandon(struct capture *c)
{
    end(c);
    free(c->path);
    free(c);
}
