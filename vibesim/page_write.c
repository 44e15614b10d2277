/* See page_write.h. */
#include "vibesim/page_write.h"

#include "vibesim/new_file.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

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
    struct new_file file;
    if (strcmp(path, "-") == 0) {
        snprintf(why, size, "standard output: not everything was written");
        return page_write(stdout, data);
    }
    bool ok = new_file_begin(&file, path) && page_write(file.f, data);
    return new_file_end(&file, ok, bytes, "use another file (-o)", why, size);
}
