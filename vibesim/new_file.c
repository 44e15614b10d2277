/* See new_file.h. */
#include "vibesim/new_file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool new_file_begin(struct new_file *n, const char *path)
{
    *n = (struct new_file){.path = path};
    if (snprintf(n->part, sizeof n->part, "%s.part-%ld", path, (long)getpid()) >=
        (int)sizeof n->part) {
        n->reason = ENAMETOOLONG;
        return false;
    }
    n->f = fopen(n->part, "wxe");
    n->reason = errno;
    return n->f;
}

bool new_file_end(struct new_file *n, bool ok, uint64_t *bytes, const char *otherwise, char *why,
                  size_t size)
{
    struct stat st;
    if (n->f) {
        errno = n->reason = 0;
        ok = fflush(n->f) == 0 && !ferror(n->f) && ok;
        n->reason = errno;
        if (ok && bytes && fstat(fileno(n->f), &st) == 0)
            *bytes = (uint64_t)st.st_size;
        if (fclose(n->f) != 0 && ok) {
            ok = false;
            n->reason = errno;
        }
        if (ok && rename(n->part, n->path) != 0) {
            ok = false;
            n->reason = errno;
        }
        if (!ok)
            unlink(n->part);
    }
    ok = ok && n->f;
    if (!ok)
        snprintf(why, size, "%.200s: cannot be written (%s): %s", n->path,
                 n->reason ? strerror(n->reason) : "not all of it could be written", otherwise);
    n->f = NULL;
    return ok;
}
