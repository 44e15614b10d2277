/* Loading a build of the core; see core_load.h.
 *
 * Happy path: the file is a regular one, a child process loads and tries it, then so do we.
 * Failure modes: it is missing or no library of this machine; it is another library; its door has
 * another version, or the same version with other structures; it takes the process down as it is
 * loaded (cut short by a copy, built with sanitizers that this program has not): then the child
 * dies, and we tell.
 *
 * The version of the door is asked first: nothing else of a table of another one is looked at. That
 * the structures are of equal size is then seen by a node that is made, started and freed (what is
 * asked of a node, struct vn_info and its like, may differ: a build gives what there is room for).
 */
#include "vibesim/core_load.h"

#include "core/crypto/sha256.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define VERSIONS_TRIED 1000u
#define TRY_LATER      "build it from sources whose core/node.h has that"
#define SURVIVED       '+'

typedef const struct vn_api *(*vn_api_fn)(uint32_t version);

/* ---- is it one of ours ---- */

/* Of another version than ours; which, by asking for one after the other. */
static void tell_version(const char *file, vn_api_fn get, char *why, size_t size)
{
    uint32_t found = 0;
    while (found < VERSIONS_TRIED && !get(found))
        found++;
    if (found < VERSIONS_TRIED)
        snprintf(why, size,
                 "%s: its door (vn_api) has version %u, this vibesim needs version %u: " TRY_LATER,
                 file, found, VN_API_VERSION);
    else
        snprintf(why, size,
                 "%s: its door (vn_api) does not have version %u, which this vibesim "
                 "needs: " TRY_LATER,
                 file, VN_API_VERSION);
}

/* Every function but those that a table may lack. */
static bool is_whole(const struct vn_api *api)
{
    return api->build && api->buf_new && api->action_release && api->config_init &&
           api->config_check && api->shared_new && api->shared_free && api->node_new &&
           api->node_free && api->node_step && api->node_next_action && api->node_deadline &&
           api->node_hash && api->node_info && api->node_peer && api->node_block_hash &&
           api->node_has_tx;
}

static bool tell_size(const char *file, const char *what, size_t found, size_t needed, char *why,
                      size_t size)
{
    if (found == needed)
        return true;
    snprintf(why, size,
             "%s: its struct %s has %zu bytes, this vibesim needs %zu, though both say version %u: "
             "the header changed without a new version: " TRY_LATER,
             file, what, found, needed, VN_API_VERSION);
    return false;
}

/* A node of the build lives for an instant. */
static bool try_node(const char *file, const struct vn_api *api, const struct vn_config *config,
                     char *why, size_t size)
{
    static struct vn_action action; /* too large for a stack */
    struct vn_event start = {.size = sizeof start, .kind = VN_EV_START};
    struct vn_node *node = api->node_new(config);
    if (!node) {
        snprintf(why, size, "%s: it makes no node of its own defaults: use another build", file);
        return false;
    }
    action.size = sizeof action;
    api->node_step(node, &start);
    while (action.size == sizeof action && api->node_next_action(node, &action))
        if (action.size == sizeof action)
            api->action_release(&action);
    if (!tell_size(file, "vn_action", action.size, sizeof action, why, size))
        return false;
    api->node_free(node);
    return true;
}

/* A larger struct vn_config than ours is written into room of its own. */
static bool try_table(const char *file, const struct vn_api *api, char *why, size_t size)
{
    union {
        struct vn_config config;
        uint8_t room[64u << 10];
    } u;
    memset(&u, 0, sizeof u);
    if (api->version != VN_API_VERSION || api->size < offsetof(struct vn_api, node_prefetch) ||
        !is_whole(api)) {
        snprintf(why, size,
                 "%s: its table of functions (%u bytes, version %u) is not whole: use another "
                 "build",
                 file, api->size, api->version);
        return false;
    }
    if (api->node_step == vn_api(VN_API_VERSION)->node_step) {
        snprintf(why, size,
                 "%s: its functions are bound to those of this program: build vibesim without "
                 "-rdynamic",
                 file);
        return false;
    }
    api->config_init(&u.config);
    snprintf(u.config.node_id, sizeof u.config.node_id, "try");
    return tell_size(file, "vn_config", u.config.size, sizeof u.config, why, size) &&
           try_node(file, api, &u.config, why, size);
}

static const struct vn_api *open_build(const char *file, void **handle, char *why, size_t size)
{
    char path[PATH_MAX + 2];
    vn_api_fn get;
    snprintf(path, sizeof path, "%s%s", strchr(file, '/') ? "" : "./", file);
    *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!*handle) {
        const char *text = dlerror();
        size_t len = strlen(path);
        bool named = text && strncmp(text, path, len) == 0 && text[len] == ':';
        snprintf(why, size, "%s: cannot be loaded: %s: name a libvibenet.so of this machine", file,
                 !text   ? "no reason given"
                 : named ? text + len + 2
                         : text);
        return NULL;
    }
    void *symbol = dlsym(*handle, "vn_api");
    static_assert(sizeof symbol == sizeof get, "POSIX: an address of a function fits");
    memcpy(&get, &symbol, sizeof get);
    if (!symbol) {
        snprintf(why, size,
                 "%s: is a library, but no build of the core (it has no vn_api): name a "
                 "libvibenet.so",
                 file);
        return NULL;
    }
    const struct vn_api *api = get(VN_API_VERSION);
    if (!api)
        tell_version(file, get, why, size);
    return api && try_table(file, api, why, size) ? api : NULL;
}

/* ---- in a child first ---- */

/* Reads what the child tells. */
static void hear(int from, char *out, size_t size)
{
    size_t at = 0;
    ssize_t n;
    do {
        n = read(from, out + at, size - 1 - at);
        at += n > 0 ? (size_t)n : 0;
    } while (n > 0 || (n < 0 && errno == EINTR));
    out[at] = 0;
}

/* What a loader or a sanitizer says as it dies would be more than a line. */
static _Noreturn void try_in_child(const char *file, int to)
{
    char why[900] = "";
    void *handle;
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null >= 0) {
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
    }
    if (open_build(file, &handle, why, sizeof why))
        snprintf(why, sizeof why, "%c", SURVIVED);
    size_t len = strlen(why);
    _exit(write(to, why, len) == (ssize_t)len ? 0 : 1);
}

static bool survives(const char *file, char *why, size_t size)
{
    int ends[2];
    int status = 0;
    pid_t pid = -1;
    fflush(NULL);
    if (pipe2(ends, O_CLOEXEC) == 0 && (pid = fork()) == 0)
        try_in_child(file, ends[1]);
    if (pid < 0) {
        snprintf(why, size, "%s: cannot be tried: %s", file, strerror(errno));
        return false;
    }
    close(ends[1]);
    hear(ends[0], why, size);
    close(ends[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (why[0] == SURVIVED)
        return true;
    if (!why[0])
        snprintf(why, size,
                 "%s: loading and trying it ends the process (%s %d): the file is damaged, or "
                 "built with sanitizers: name a plain libvibenet.so",
                 file, WIFEXITED(status) ? "exit status" : "signal",
                 WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    return false;
}

static bool check_file(const char *file, char *why, size_t size)
{
    struct stat st;
    if (strlen(file) >= PATH_MAX)
        snprintf(why, size, "the name of the file is too long");
    else if (stat(file, &st) != 0)
        snprintf(why, size, "%s: %s: name a libvibenet.so", file, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        snprintf(why, size, "%s: is %s: name a libvibenet.so", file,
                 S_ISDIR(st.st_mode) ? "a folder" : "no regular file");
    else
        return true;
    return false;
}

static bool hash_file(const char *file, char hex[65], char *why, size_t size)
{
    static uint8_t part[1u << 16];
    struct sha256 hash;
    uint8_t digest[32];
    FILE *f = fopen(file, "rbe");
    sha256_init(&hash);
    for (size_t n; f && (n = fread(part, 1, sizeof part, f)) > 0;)
        sha256_update(&hash, part, n);
    bool ok = f && !ferror(f);
    if (!ok)
        snprintf(why, size, "%s: cannot be read: %s", file, strerror(errno));
    if (f)
        fclose(f);
    sha256_final(&hash, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return ok;
}

/* ---- the list ---- */

/* The name before the '='; false with a line in why. */
static bool read_name(const struct core_list *list, const char *text, char name[ENGINE_CORE_NAME],
                      char *why, size_t size)
{
    const char *equals = strchr(text, '=');
    name[0] = why[0] = 0;
    if (equals && (size_t)(equals - text) < ENGINE_CORE_NAME)
        snprintf(name, ENGINE_CORE_NAME, "%.*s", (int)(equals - text), text);
    if (!equals || equals[1] == 0)
        snprintf(why, size, "'%s' names no file: write NAME=FILE, like old=libvibenet.so", text);
    else if (!engine_core_name_ok(name))
        snprintf(why, size,
                 "'%.*s' is no name: use at most %u letters, digits, '_', '.', '-', like "
                 "old=libvibenet.so",
                 (int)(equals - text), text, ENGINE_CORE_NAME - 1);
    else if (strcmp(name, ENGINE_CORE_OWN) == 0)
        snprintf(why, size, "'%s' is the core of vibesim itself: use another name", name);
    else if (list->count == ENGINE_CORES_MAX)
        snprintf(why, size, "at most %u builds beside the own one", ENGINE_CORES_MAX);
    for (size_t i = 0; i < list->count && !why[0]; i++)
        if (strcmp(list->all[i].name, name) == 0)
            snprintf(why, size, "'%s' is given twice: use two names", name);
    return !why[0];
}

bool core_list_add(struct core_list *list, const char *text, char *why, size_t size)
{
    char name[ENGINE_CORE_NAME];
    size_t i = list->count;
    if (!read_name(list, text, name, why, size))
        return false;
    const char *file = strchr(text, '=') + 1;
    if (!check_file(file, why, size) || !hash_file(file, list->more[i].sha256, why, size) ||
        !survives(file, why, size))
        return false;
    void *handle;
    const struct vn_api *api = open_build(file, &handle, why, size);
    if (!api) {
        if (handle)
            dlclose(handle);
        return false;
    }
    list->all[i] = (struct engine_core){strdup(name), api};
    list->more[i].file = strdup(file);
    list->more[i].handle = handle;
    if (!list->all[i].name || !list->more[i].file)
        abort();
    list->count++;
    return true;
}

void core_list_free(struct core_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        dlclose(list->more[i].handle);
        free(list->more[i].file);
        free((char *)(uintptr_t)list->all[i].name);
    }
    list->count = 0;
}
