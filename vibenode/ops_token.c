/* The token file: see ops_token.h.
 *
 * A new one is written under a name of its own and then linked to its place, so that the file is
 * whole from its first moment on, and of two processes that make it at once one wins and both read
 * the same. */
#include "vibenode/ops_token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static bool write_new(const char *path, char *why, size_t size)
{
    uint8_t dice[32];
    char text[2 * sizeof dice + 2], temporary[4096];
    int n = snprintf(temporary, sizeof temporary, "%s.%ld", path, (long)getpid());
    if (n < 0 || n >= (int)sizeof temporary) {
        snprintf(why, size, "the name of the token file is too long");
        return false;
    }
    bool ok = getrandom(dice, sizeof dice, 0) == (ssize_t)sizeof dice;
    for (size_t i = 0; i < sizeof dice; i++)
        snprintf(text + 2 * i, 3, "%02x", dice[i]);
    memcpy(text + 2 * sizeof dice, "\n", 2);
    unlink(temporary); /* left by a process of our number that was killed here */
    int fd = ok ? open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fsync(fd) == 0;
    ok = ok && (link(temporary, path) == 0 || errno == EEXIST);
    if (!ok)
        snprintf(why, size, "%s: the token file cannot be made: %s", path, strerror(errno));
    if (fd >= 0) {
        close(fd);
        unlink(temporary);
    }
    return ok;
}

static bool check_file(int fd, const char *path, char *why, size_t size)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        snprintf(why, size, "%s: %s", path, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        snprintf(why, size, "%s: the token file is no file", path);
    else if (st.st_uid != geteuid() && geteuid() != 0)
        snprintf(why, size, "%s: the token file belongs to somebody else", path);
    else if (st.st_mode & 077)
        snprintf(why, size,
                 "%s: others may read the token file (mode %03o): chmod 600 it, or delete it for a "
                 "new token",
                 path, st.st_mode & 0777u);
    else
        return true;
    return false;
}

/* One word, in a line or without its end. */
static bool check_token(char *text, size_t len)
{
    if (len && text[len - 1] == '\n')
        len--;
    if (len && text[len - 1] == '\r')
        len--;
    for (size_t i = 0; i < len; i++)
        if (text[i] <= 0x20 || text[i] >= 0x7f)
            return false;
    text[len] = '\0';
    return len >= OPS_TOKEN_MIN && len <= OPS_TOKEN_MAX;
}

bool ops_token_load(const char *path, bool make, char out[OPS_TOKEN_MAX + 1], char *why,
                    size_t size)
{
    int how = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
    int fd = open(path, how);
    if (fd < 0 && errno == ENOENT && make) {
        if (!write_new(path, why, size))
            return false;
        fd = open(path, how);
    }
    if (fd < 0) {
        snprintf(why, size, "%s: the token file cannot be read: %s", path, strerror(errno));
        return false;
    }
    char text[OPS_TOKEN_MAX + 8];
    bool ok = check_file(fd, path, why, size);
    if (ok) {
        ssize_t len = read(fd, text, sizeof text - 1);
        ok = len >= 0 && check_token(text, (size_t)len);
        if (ok)
            strcpy(out, text);
        else
            snprintf(why, size,
                     "%s: the token file holds no token, one word of %u to %u characters: delete "
                     "it, and the node makes one",
                     path, OPS_TOKEN_MIN, OPS_TOKEN_MAX);
    }
    close(fd);
    return ok;
}

bool ops_token_equal(const char *a, const char *b)
{
    size_t len = strlen(a);
    if (strlen(b) != len)
        return false;
    volatile uint8_t differ = 0;
    for (size_t i = 0; i < len; i++)
        differ = (uint8_t)(differ | (a[i] ^ b[i]));
    return differ == 0;
}
