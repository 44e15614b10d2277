/* A node's id over restarts; see node_id.h. The file is one line. It is written beside its place
 * and renamed, so that a half-written one is never read. */
#include "vibenode/node_id.h"

#include "vibenode/log_line.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

void node_id_make(char out[NODE_ID_SIZE])
{
    uint32_t dice = 0;
    if (getrandom(&dice, sizeof dice, 0) != sizeof dice)
        abort();
    snprintf(out, NODE_ID_SIZE, "vibenode-%08x", dice);
}

static bool fail(const char *path, const char *what, char *why, size_t size)
{
    char shown[300];
    log_line_escape(shown, sizeof shown, path);
    snprintf(why, size, "%s: %s", shown, what);
    return false;
}

/* The file's line without its end. */
static bool take_line(const char *path, char *text, ssize_t len, char out[NODE_ID_SIZE], char *why,
                      size_t size)
{
    char escaped[4 * NODE_ID_SIZE + 1];
    text[len] = '\0';
    bool whole = strlen(text) == (size_t)len;
    if (len > 0 && text[len - 1] == '\n')
        text[--len] = '\0';
    log_line_escape(escaped, sizeof escaped, text);
    if (!whole || len == 0 || len >= (ssize_t)NODE_ID_SIZE || strcmp(escaped, text) != 0)
        return fail(path,
                    "holds no node id (one line of 1..63 bytes of text): remove it, and a new one "
                    "is made, or give node-id",
                    why, size);
    memcpy(out, text, (size_t)len + 1);
    return true;
}

static bool write_line(const char *path, const char *id, char *why, size_t size)
{
    char beside[PATH_MAX + sizeof ".new"], line[NODE_ID_SIZE + 1];
    int len = snprintf(line, sizeof line, "%s\n", id);
    snprintf(beside, sizeof beside, "%s.new", path);
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    bool good = fd >= 0 && write(fd, line, (size_t)len) == len && fsync(fd) == 0;
    int failed = errno;
    if (fd >= 0)
        close(fd);
    if (good && rename(beside, path) == 0)
        return true;
    failed = good ? errno : failed;
    unlink(beside);
    char what[200];
    snprintf(what, sizeof what, "cannot be written: %s; give node-id, or make room",
             strerror(failed));
    return fail(path, what, why, size);
}

bool node_id_keep(const char *folder, char out[NODE_ID_SIZE], char *why, size_t size)
{
    char path[PATH_MAX], text[NODE_ID_SIZE + 2];
    int n = snprintf(path, sizeof path, "%s/" NODE_ID_FILE, folder);
    if (n < 0 || (size_t)n + sizeof ".new" > sizeof path)
        return fail(folder, "is too long for a path", why, size);
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        node_id_make(out);
        return write_line(path, out, why, size);
    }
    ssize_t len = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    int failed = errno;
    if (fd >= 0)
        close(fd);
    if (len >= 0)
        return take_line(path, text, len, out, why, size);
    snprintf(text, sizeof text, "cannot be read: %.40s", strerror(failed));
    return fail(path, text, why, size);
}
