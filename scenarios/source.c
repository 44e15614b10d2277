/* Reads scenario files. Failure modes: anything but a plain text file of reasonable size is refused
 * with a line that names it. */
#include "scenarios/source.h"

#include "core/crypto/sha256.h"
#include "scenarios/embedded.h"

#include <errno.h>
#include <fcntl.h>
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
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe does not make it wait */
    FILE *f = fd < 0 ? NULL : fdopen(fd, "rb");
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

/* Where the source of that path is, or is to be put. */
static struct source **place_of(struct sources *sources, const char *path)
{
    struct source **at = &sources->first;
    while (*at && strcmp((*at)->path, path) != 0)
        at = &(*at)->next;
    return at;
}

/* Takes over the text. */
static struct source *source_new(const char *path, char *text, size_t len)
{
    struct source *s = must(calloc(1, sizeof *s));
    s->path = must(strdup(path));
    s->chunk = chunk_name(path);
    s->text = text;
    s->len = len;
    hash_hex(s->sha256, text, len);
    blank_prologue(text, len);
    return s;
}

const struct source *sources_get(struct sources *sources, const char *path, char *why, size_t size)
{
    struct source **place = place_of(sources, path);
    if (*place)
        return *place;
    size_t len = 0;
    char *text = read_file(path, &len, why, size);
    if (!text)
        return NULL;
    if (len > 0 && text[0] == '\x1b') {
        snprintf(why, size, "%s:1: compiled Lua is not accepted; give the source text", path);
        free(text);
        return NULL;
    }
    *place = source_new(path, text, len);
    return *place;
}

const struct source *sources_embedded(struct sources *sources, const char *name)
{
    char path[80];
    snprintf(path, sizeof path, "%s.lua", name);
    const struct embedded *e = embedded_modules;
    while (e->name && strcmp(e->name, path) != 0)
        e++;
    if (!e->name)
        return NULL;
    struct source **place = place_of(sources, path);
    if (*place)
        return *place;
    char *text = must(malloc(e->len + 1));
    memcpy(text, e->text, e->len);
    text[e->len] = 0;
    *place = source_new(path, text, e->len);
    return *place;
}

/* Whether the file at path, if there is one, lies in the folder that is the path's first `folder`
 * bytes: a link may not lead out of it. */
static bool is_beside(const char *path, size_t folder)
{
    char *home_path = must(folder ? strndup(path, folder) : strdup("."));
    char *home = realpath(home_path, NULL);
    char *real = realpath(path, NULL);
    size_t n = home ? strlen(home) : 0;
    const char *slash = real ? strrchr(real, '/') : NULL;
    bool beside = !home || !real || strcmp(home, "/") == 0 ||
                  ((size_t)(slash - real) == n && strncmp(real, home, n) == 0);
    free(home_path);
    free(home);
    free(real);
    return beside;
}

/* The path of a file beside the scenario, whose first *here bytes are the folder; freed by the
 * caller. */
static char *path_beside(const struct sources *sources, const char *folder, const char *name,
                         const char *end, size_t *here)
{
    const char *base = sources->first ? sources->first->path : "";
    const char *slash = strrchr(base, '/');
    *here = slash ? (size_t)(slash - base) + 1 : 0;
    size_t need = *here + strlen(folder) + strlen(name) + strlen(end) + 1;
    char *path = must(malloc(need));
    snprintf(path, need, "%.*s%s%s%s", (int)*here, base, folder, name, end);
    return path;
}

/* The file at path; NULL with a line in why, also if a link leads out of its folder, which is the
 * path's first `folder` bytes. */
static const struct source *get_beside(struct sources *sources, const char *path, size_t folder,
                                       char *why, size_t size)
{
    if (is_beside(path, folder))
        return sources_get(sources, path, why, size);
    snprintf(why, size, "%s: is a link to a file that is not beside the scenario", path);
    return NULL;
}

const struct source *sources_module(struct sources *sources, const char *name, char *why,
                                    size_t size)
{
    if (strchr(name, '/')) {
        const struct source *embedded = sources_embedded(sources, name);
        if (!embedded)
            snprintf(why, size, "there is no module \"%.60s\" in this program", name);
        return embedded;
    }
    size_t here;
    char *path = path_beside(sources, "", name, ".lua", &here);
    const struct source *s = get_beside(sources, path, here, why, size);
    free(path);
    for (struct source *own = sources->first; s && own; own = own->next)
        if (own == s)
            snprintf(own->module, sizeof own->module, "%s", name);
    return s;
}

const struct source *sources_data(struct sources *sources, const char *name, bool *missing,
                                  char *why, size_t size)
{
    size_t here, unused;
    char *path = path_beside(sources, "data/", name, ".json", &here);
    char *folder = path_beside(sources, "data", "", "", &unused);
    const struct source *s = sources->first;
    struct stat st;
    while (s && strcmp(s->path, path) != 0)
        s = s->next;
    *missing = !s && stat(path, &st) != 0 && (errno == ENOENT || errno == ENOTDIR);
    if (!s && !*missing && !is_beside(folder, here))
        snprintf(why, size, "%s: is a link to a folder that is not beside the scenario", folder);
    else if (!s && !*missing)
        s = get_beside(sources, path, here + strlen("data/"), why, size);
    free(folder);
    free(path);
    return s;
}

void sources_sha256(const struct sources *sources, char hex[65])
{
    char all[64 * 64];
    size_t len = 0;
    for (const struct source *s = sources->first; s && len < sizeof all; s = s->next)
        if (s == sources->first || s->module[0]) {
            memcpy(all + len, s->sha256, 64);
            len += 64;
        }
    if (len == 64)
        memcpy(hex, sources->first->sha256, 65);
    else
        hash_hex(hex, all, len);
}
