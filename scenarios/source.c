/* Reads scenario files. Failure modes: anything but a plain text file of reasonable size is refused
 * with a line that names it. */
#include "scenarios/source.h"

#include "core/crypto/sha256.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Lua cuts longer names in its messages (LUA_IDSIZE 60): call such a file by its last part. */
#define CHUNK_NAME_MAX 55u

void sources_init(struct sources *sources)
{
    sources->first = NULL;
}

static void source_free(struct source *s)
{
    free(s->path);
    free(s->chunk);
    free(s->text);
    free(s);
}

void sources_deinit(struct sources *sources)
{
    while (sources->first) {
        struct source *s = sources->first;
        sources->first = s->next;
        source_free(s);
    }
}

static void *must(void *p)
{
    if (!p)
        abort();
    return p;
}

static char *chunk_name(const char *path)
{
    const char *name = path;
    if (strlen(path) > CHUNK_NAME_MAX) {
        const char *slash = strrchr(path, '/');
        name = slash ? slash + 1 : path;
    }
    char *chunk = must(malloc(strlen(name) + 2));
    chunk[0] = '@';
    memcpy(chunk + 1, name, strlen(name) + 1);
    return chunk;
}

/* The bytes of the file, or NULL with a line in why. */
static char *read_file(const char *path, size_t *len, char *why, size_t size)
{
    FILE *f = fopen(path, "rb");
    struct stat st;
    if (!f || fstat(fileno(f), &st) != 0) {
        snprintf(why, size, "%s: %s", path, strerror(errno));
        if (f)
            fclose(f);
        return NULL;
    }
    if (!S_ISREG(st.st_mode) || st.st_size > (off_t)SOURCE_SIZE_MAX) {
        snprintf(why, size, S_ISREG(st.st_mode) ? "%s: larger than 4 MiB" : "%s: not a plain file",
                 path);
        fclose(f);
        return NULL;
    }
    char *text = must(malloc(SOURCE_SIZE_MAX + 1));
    *len = fread(text, 1, SOURCE_SIZE_MAX, f);
    bool failed = ferror(f) != 0;
    fclose(f);
    if (failed) {
        snprintf(why, size, "%s: cannot be read", path);
        free(text);
        return NULL;
    }
    text[*len] = 0;
    return must(realloc(text, *len + 1));
}

static void hash_hex(char out[65], const char *text, size_t len)
{
    uint8_t hash[32];
    sha256(hash, text, len);
    for (size_t i = 0; i < sizeof hash; i++)
        snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

/* Spaces in place of what Lua's own loader would skip, so that lines keep their numbers. */
static void blank_prologue(char *text, size_t len)
{
    size_t at = 0;
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        memset(text, ' ', 3);
        at = 3;
    }
    if (at < len && text[at] == '#')
        for (; at < len && text[at] != '\n'; at++)
            text[at] = ' ';
}

const struct source *sources_get(struct sources *sources, const char *path, char *why, size_t size)
{
    struct source **tail = &sources->first;
    for (; *tail; tail = &(*tail)->next)
        if (strcmp((*tail)->path, path) == 0)
            return *tail;
    size_t len = 0;
    char *text = read_file(path, &len, why, size);
    if (!text)
        return NULL;
    if (len > 0 && text[0] == '\x1b') {
        snprintf(why, size, "%s:1: compiled Lua is not accepted; give the source text", path);
        free(text);
        return NULL;
    }
    struct source *s = must(calloc(1, sizeof *s));
    s->path = must(strdup(path));
    s->chunk = chunk_name(path);
    s->text = text;
    s->len = len;
    hash_hex(s->sha256, text, len);
    blank_prologue(text, len);
    *tail = s;
    return s;
}

/* The path of a file beside the scenario; freed by the caller. */
static char *path_beside(const struct sources *sources, const char *folder, const char *name,
                         const char *end)
{
    const char *base = sources->first ? sources->first->path : "";
    const char *slash = strrchr(base, '/');
    size_t here = slash ? (size_t)(slash - base) + 1 : 0;
    size_t need = here + strlen(folder) + strlen(name) + strlen(end) + 1;
    char *path = must(malloc(need));
    snprintf(path, need, "%.*s%s%s%s", (int)here, base, folder, name, end);
    return path;
}

const struct source *sources_module(struct sources *sources, const char *name, char *why,
                                    size_t size)
{
    char *path = path_beside(sources, "", name, ".lua");
    const struct source *s = sources_get(sources, path, why, size);
    free(path);
    return s;
}

const struct source *sources_data(struct sources *sources, const char *name, bool *missing,
                                  char *why, size_t size)
{
    char *path = path_beside(sources, "data/", name, ".json");
    const struct source *s = sources->first;
    struct stat st;
    while (s && strcmp(s->path, path) != 0)
        s = s->next;
    *missing = !s && stat(path, &st) != 0 && (errno == ENOENT || errno == ENOTDIR);
    if (!s && !*missing)
        s = sources_get(sources, path, why, size);
    free(path);
    return s;
}
