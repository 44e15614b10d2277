/* Whole records in a file; see outfile.h. */
#include "trace/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GATHERED 65536u /* bytes that are worth a system call */

bool outfile_open(struct outfile *out, const char *path)
{
    *out = (struct outfile){.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)};
    return out->fd >= 0;
}

void outfile_put(struct outfile *out, const void *bytes, size_t size)
{
    if (out->capacity - out->used < size) {
        out->capacity = 2 * (out->used + size) + GATHERED;
        out->bytes = realloc(out->bytes, out->capacity);
        if (!out->bytes)
            abort();
    }
    if (size > 0)
        memcpy(out->bytes + out->used, bytes, size);
    out->used += size;
}

/* Returns how many bytes are in the file; fewer than size with errno. */
static size_t write_all(int fd, const uint8_t *bytes, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = write(fd, bytes + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    return done;
}

static bool flush(struct outfile *out)
{
    const size_t size = out->used;
    out->used = 0;
    errno = out->error;
    if (out->error != 0 || size == 0)
        return out->error == 0;
    if (write_all(out->fd, out->bytes, size) == size) {
        out->written += size;
        return true;
    }
    out->error = errno != 0 ? errno : EIO;
    /* A pipe cannot be cut: its reader has what it has. */
    if (ftruncate(out->fd, (off_t)out->written) == 0)
        lseek(out->fd, (off_t)out->written, SEEK_SET);
    errno = out->error;
    return false;
}

void outfile_end_record(struct outfile *out)
{
    if (out->used >= GATHERED)
        flush(out);
}

bool outfile_close(struct outfile *out, const char *text)
{
    if (out->fd < 0)
        return true;
    flush(out);
    errno = 0;
    if (write_all(out->fd, (const uint8_t *)text, strlen(text)) != strlen(text) && !out->error)
        out->error = errno != 0 ? errno : EIO;
    if (close(out->fd) != 0 && !out->error)
        out->error = errno;
    free(out->bytes);
    out->bytes = NULL;
    out->fd = -1;
    return out->error == 0;
}

bool outfile_begin(struct outfile *out)
{
    const bool ok = flush(out);
    const int error = out->error;
    if (!ok)
        outfile_close(out, "");
    errno = error;
    return ok;
}
