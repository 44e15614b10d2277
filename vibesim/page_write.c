/* See page_write.h. */
#include "vibesim/page_write.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A '<' is only ever part of a text in JSON, where "\u003c" means the same. */
static int escape(const char *text, size_t len, void *ctx)
{
    FILE *out = ctx;
    for (size_t at = 0; at < len;) {
        const char *found = memchr(text + at, '<', len - at);
        const size_t n = found ? (size_t)(found - text) - at : len - at;
        fwrite(text + at, 1, n, out);
        if (found)
            fputs("\\u003c", out);
        at += n + (found ? 1 : 0);
    }
    return ferror(out) ? -1 : 0;
}

bool page_write(FILE *out, const json_t *data)
{
    const char *text = (const char *)page_template;
    const char *mark = memmem(text, page_template_len, PAGE_MARK, strlen(PAGE_MARK));
    assert(mark);
    const char *rest = mark + strlen(PAGE_MARK);
    fwrite(text, 1, (size_t)(mark - text), out);
    json_dump_callback(data, escape, out, JSON_COMPACT | JSON_SORT_KEYS);
    fwrite(rest, 1, page_template_len - (size_t)(rest - text), out);
    return fflush(out) == 0 && !ferror(out);
}

bool page_write_file(const char *path, const json_t *data, uint64_t *bytes, char *why, size_t size)
{
    char part[4200];
    if (strcmp(path, "-") == 0) {
        snprintf(why, size, "standard output: not everything was written");
        return page_write(stdout, data);
    }
    if (snprintf(part, sizeof part, "%s.part-%ld", path, (long)getpid()) >= (int)sizeof part) {
        snprintf(why, size, "-o: the name of the file is too long: %.60s...", path);
        return false;
    }
    FILE *f = fopen(part, "wxe");
    bool ok = f && page_write(f, data);
    int reason = errno;
    struct stat st;
    if (ok && fstat(fileno(f), &st) == 0)
        *bytes = (uint64_t)st.st_size;
    if (f && fclose(f) != 0 && ok) {
        ok = false;
        reason = errno;
    }
    if (ok && rename(part, path) != 0) {
        ok = false;
        reason = errno;
    }
    if (!ok) {
        snprintf(why, size, "%s: cannot be written (%s): use another file (-o)", path,
                 strerror(reason));
        if (f)
            unlink(part);
    }
    return ok;
}
