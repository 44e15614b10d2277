/* The reader of captures; see capture.h, and format.h for the bytes.
 *
 * The file is read forward in pieces; a record is looked at once all of it is there and its check
 * fits, and only then its body is taken apart. Nothing is believed: a size is held against what is
 * left of the file, and against FORMAT_BODY_MAX, before room is made for it.
 *
 * How a file can end: by its last record (whole); where nothing was written yet, or in the middle
 * of a record that goes beyond the file's end (torn: the writer was killed, or only a part was
 * copied); at a record that is not what was written, or at bytes that the disk does not give back
 * (damaged). While somebody still writes the file, all early ends are torn. */
#include "trace/capture.h"

#include "trace/format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES (1u << 20)

struct capture_reader {
    int fd;              /* -1: memory */
    uint64_t size;       /* of the file when it was opened */
    const uint8_t *data; /* bytes of the file */
    uint8_t *own;        /* where they lie; NULL: memory that is borrowed */
    size_t room, len;    /* of own; of what is in it */
    uint64_t data_at;    /* where they begin in the file */
    uint64_t at;         /* where the next record begins */
    struct format_header header;
    struct format_event event;
    uint64_t chain, before_ns;
    bool live, ended, torn;
    struct capture_record waiting; /* for the drain in front of it to be told first */
    bool waits;
    char damage[160];
};

/* ---- bytes ---- */

/* Fills the buffer from the next record on, as far as it goes. False with errno. */
static bool fill(struct capture_reader *r)
{
    const size_t used = (size_t)(r->at - r->data_at);
    memmove(r->own, r->own + used, r->len - used);
    r->len -= used;
    r->data_at = r->at;
    while (r->len < r->room && r->data_at + r->len < r->size) {
        const uint64_t left = r->size - r->data_at - r->len;
        const size_t want = r->room - r->len;
        const ssize_t n = pread(r->fd, r->own + r->len, left < want ? (size_t)left : want,
                                (off_t)(r->data_at + r->len));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        if (n == 0)
            r->size = r->data_at + r->len; /* it has been cut meanwhile */
        r->len += (size_t)n;
    }
    return true;
}

/* Whether n bytes from the next record on are there; n is at most what a record may take. */
static bool have(struct capture_reader *r, size_t n)
{
    if (r->at + n > r->size)
        return false;
    if (r->at + n <= r->data_at + r->len)
        return true;
    if (n > r->room) {
        uint8_t *own = realloc(r->own, n);
        if (!own)
            abort();
        r->data = r->own = own;
        r->room = n;
    }
    if (fill(r))
        return r->at + n <= r->size;
    snprintf(r->damage, sizeof r->damage, "cannot be read at byte %llu: %s",
             (unsigned long long)r->at, strerror(errno));
    return false;
}

/* ---- records ---- */

static bool end_early(struct capture_reader *r, const char *what)
{
    if (what && !r->live && !r->damage[0])
        snprintf(r->damage, sizeof r->damage, "is damaged at byte %llu: %s",
                 (unsigned long long)r->at, what);
    r->ended = r->torn = true;
    return false;
}

/* The size of the next body and how many bytes tell it; false where the file ends. */
static bool read_size(struct capture_reader *r, uint32_t *len, uint32_t *size)
{
    *len = *size = 0;
    for (uint32_t i = 0;; i++) {
        if (!have(r, i + 1))
            return end_early(r, NULL);
        const uint8_t byte = r->data[r->at - r->data_at + i];
        if (i == 0 && byte == 0)
            return end_early(r, NULL); /* where the writer was */
        *size |= (uint32_t)(byte & 0x7f) << 7 * i;
        if (!(byte & 0x80)) {
            *len = i + 1;
            return *size > 0 || end_early(r, "a record without a body");
        }
        if (i + 1 == FORMAT_SIZE_MAX)
            return end_early(r, "a record without a size");
    }
}

/* The next record's body, checked; false where the file ends. The record is passed. */
static bool read_body(struct capture_reader *r, struct reader *body)
{
    uint32_t len, size;
    if (!read_size(r, &len, &size))
        return false;
    if (size > FORMAT_BODY_MAX)
        return end_early(r, "a record that is too large");
    if (!have(r, (size_t)len + 4 + size))
        return end_early(r, NULL);
    const uint8_t *check = r->data + (r->at - r->data_at) + len;
    const uint64_t chain = format_chain(r->chain, check + 4, size);
    if (get_le32(check) != (uint32_t)chain)
        return end_early(r, "a record is not what was written");
    *body = reader_over(check + 4, size);
    r->chain = chain;
    r->at += len + 4 + size;
    return true;
}

/* What a body says; false if that makes no sense. */
static bool decode(struct capture_reader *r, struct reader *body, struct capture_record *out)
{
    const uint32_t first = reader_u8(body), kind = first & FORMAT_KIND;
    *out = (struct capture_record){.kind = CAPTURE_EVENT};
    r->waits = (first & FORMAT_DRAINED) != 0;
    if (first & 0x40)
        return false;
    if (kind == FORMAT_DRAIN) {
        out->kind = CAPTURE_DRAINED;
        return !r->waits && reader_left(body) == 0;
    }
    if (kind == FORMAT_HASH || kind == FORMAT_END) {
        out->kind = kind == FORMAT_HASH ? CAPTURE_HASH : CAPTURE_END;
        out->hash = reader_le64(body);
        return body->ok && reader_left(body) == 0;
    }
    if (!format_event_read(&r->event, body, kind, r->before_ns))
        return false;
    out->event = r->event.event;
    r->before_ns = out->event.now_ns;
    return true;
}

bool capture_reader_next(struct capture_reader *r, struct capture_record *out)
{
    struct reader body;
    if (r->waits) {
        r->waits = false;
        *out = r->waiting;
        return true;
    }
    if (r->ended)
        return false;
    const uint64_t began = r->at;
    if (!read_body(r, &body))
        return false;
    if (!decode(r, &body, out)) {
        r->waits = false;
        r->at = began;
        return end_early(r, "a record makes no sense");
    }
    r->ended = out->kind == CAPTURE_END;
    if (r->waits) {
        r->waiting = *out;
        *out = (struct capture_record){.kind = CAPTURE_DRAINED};
    }
    return true;
}

/* ---- the whole ---- */

bool capture_reader_torn(const struct capture_reader *r)
{
    return r->torn;
}

const char *capture_reader_damage(const struct capture_reader *r)
{
    return r->damage;
}

void capture_reader_config(const struct capture_reader *r, struct vn_config *config)
{
    *config = r->header.config;
}

const char *capture_reader_build(const struct capture_reader *r)
{
    return r->header.build;
}

uint32_t capture_reader_api_version(const struct capture_reader *r)
{
    return r->header.api_version;
}

bool capture_reader_redacted(const struct capture_reader *r)
{
    return (r->header.flags & FORMAT_REDACTED) != 0;
}

bool capture_reader_live(const struct capture_reader *r)
{
    return r->live;
}

const char *capture_reader_missing(const struct capture_reader *r)
{
    return r->header.note;
}

uint64_t capture_reader_at(const struct capture_reader *r)
{
    return r->at;
}

uint64_t capture_reader_size(const struct capture_reader *r)
{
    return r->size;
}

void capture_reader_rewind(struct capture_reader *r)
{
    if (r->own)
        r->len = 0;
    r->at = r->header.size;
    r->data_at = r->own ? r->at : 0;
    r->chain = r->header.check;
    r->before_ns = 0;
    r->ended = r->torn = r->waits = false;
    r->damage[0] = 0;
}

/* Reads the header, which have() finds in the first bytes. */
static bool begin(struct capture_reader *r, char *why, size_t size)
{
    const size_t most = FORMAT_HEAD + FORMAT_DESCRIPTION_MAX + FORMAT_HEAD_CHECK;
    const size_t head = r->size < FORMAT_HEAD ? (size_t)r->size : FORMAT_HEAD;
    if (!have(r, head)) {
        snprintf(why, size, "%s", r->damage);
        return false;
    }
    size_t len = format_header_size(r->data, head, why, size);
    if (len == 0 || len > most)
        return false;
    len = len < r->size ? len : (size_t)r->size;
    if (!have(r, len)) {
        snprintf(why, size, "%s", r->damage);
        return false;
    }
    if (!format_header_read(&r->header, r->data, len, why, size))
        return false;
    capture_reader_rewind(r);
    return true;
}

static struct capture_reader *reader_alloc(int fd, uint64_t size)
{
    struct capture_reader *r = calloc(1, sizeof *r);
    if (!r)
        abort();
    r->fd = fd;
    r->size = size;
    return r;
}

static int open_file(const char *path, struct stat *st, char *why, size_t size)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, st) != 0) {
        snprintf(why, size, "%s: %s", path, strerror(errno));
    } else if (!S_ISREG(st->st_mode)) {
        snprintf(why, size, "%s: is no file: name one that a node has written", path);
    } else {
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

struct capture_reader *capture_reader_new(const char *path, char *why, size_t size)
{
    struct stat st;
    char reason[400] = "";
    const int fd = open_file(path, &st, why, size);
    if (fd < 0)
        return NULL;
    struct capture_reader *r = reader_alloc(fd, (uint64_t)st.st_size);
    r->live = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (!r->live)
        flock(fd, LOCK_UN);
    r->room = READ_BYTES;
    r->data = r->own = malloc(r->room);
    if (!r->own)
        abort();
    if (begin(r, reason, sizeof reason))
        return r;
    snprintf(why, size, "%s: %s", path, reason);
    capture_reader_free(r);
    return NULL;
}

struct capture_reader *capture_reader_over(const uint8_t *data, size_t len, char *why, size_t size)
{
    struct capture_reader *r = reader_alloc(-1, len);
    r->data = data;
    r->len = len;
    if (begin(r, why, size))
        return r;
    capture_reader_free(r);
    return NULL;
}

void capture_reader_free(struct capture_reader *r)
{
    if (!r)
        return;
    if (r->fd >= 0)
        close(r->fd);
    format_event_deinit(&r->event);
    free(r->header.seeds);
    free(r->own);
    free(r);
}
