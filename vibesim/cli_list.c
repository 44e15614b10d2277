/* `vibesim list`: the scenarios of a folder, in the order of their names, with what they are about.
 * A file that is no scenario (a module of others, or a broken one) is listed with the reason. */
#include "vibesim/cli_list.h"

#include "scenarios/engine.h"
#include "vibesim/cli.h"
#include "vibesim/cli_term.h"
#include "vibesim/cli_words.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Where scenarios are if nobody says: here, in the sources that this program was built in
 * (build/<preset>/bin), or beside an installed one. */
static bool find_folder(char out[PATH_MAX])
{
    static const char *const beside[] = {"../../../scenarios", "../share/vibenet/scenarios"};
    snprintf(out, PATH_MAX, "scenarios");
    if (is_folder(out))
        return true;
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n <= 0)
        return false;
    exe[n] = 0;
    char *slash = strrchr(exe, '/');
    if (!slash)
        return false;
    *slash = 0;
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
        char path[PATH_MAX + 64];
        snprintf(path, sizeof path, "%s/%s", exe, beside[i]);
        if (is_folder(path) && realpath(path, out))
            return true;
    }
    return false;
}

static int is_scenario(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    if (len > 6 && strcmp(entry->d_name + len - 6, ".d.lua") == 0) /* words for editors */
        return 0;
    return len > 4 && entry->d_name[0] != '.' && strcmp(entry->d_name + len - 4, ".lua") == 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void set_text(json_t *object, const char *key, const char *text)
{
    json_t *s = json_string(text);
    json_object_set_new(object, key, s ? s : json_string("?"));
}

static void add_json(json_t *list, const char *path, const struct engine_about *about,
                     const char *why)
{
    json_t *o = json_object();
    set_text(o, "file", path);
    if (about) {
        set_text(o, "name", about->name);
        set_text(o, "about", about->about);
        json_object_set_new(o, "duration_s", json_real(about->duration_s));
        json_object_set_new(o, "swarm", json_boolean(about->swarm));
    } else {
        set_text(o, "error", why);
    }
    json_array_append_new(list, o);
}

static void show_text(const char *path, const struct engine_about *about, const char *why)
{
    char words[400], file[PATH_MAX + 300];
    term_clean(file, sizeof file, path);
    if (about) {
        term_clean(words, sizeof words, about->about);
        printf("%s (%g s%s)\n    %s\n", file, about->duration_s, about->swarm ? ", swarm" : "",
               words);
    } else {
        term_clean(words, sizeof words, why);
        printf("%s\n    not a scenario: %s\n", file, words);
    }
}

static char *join(const char *folder, const char *name)
{
    size_t len = strlen(folder), size = len + strlen(name) + 2;
    char *path = malloc(size);
    if (!path)
        abort();
    snprintf(path, size, "%s%s%s", folder, len && folder[len - 1] == '/' ? "" : "/", name);
    return path;
}

static void list_file(const char *path, json_t *list)
{
    char why[512] = "";
    struct engine *engine = engine_load(path, why, sizeof why);
    const struct engine_about *about = engine ? engine_about(engine) : NULL;
    if (list)
        add_json(list, path, about, why);
    else
        show_text(path, about, why);
    engine_free(engine);
}

static bool nearest_in(const char *folder, const char *name, char *out, size_t size)
{
    struct dirent **entries;
    char wanted[NAME_MAX + 8];
    size_t len = strlen(name);
    bool ended = len > 4 && strcmp(name + len - 4, ".lua") == 0;
    snprintf(wanted, sizeof wanted, "%.*s%s", NAME_MAX, name, ended ? "" : ".lua");
    int count = scandir(folder, &entries, is_scenario, by_bytes);
    if (count < 0)
        return false;
    const char **names = calloc((size_t)count + 1, sizeof *names);
    for (int i = 0; names && i < count; i++)
        names[i] = entries[i]->d_name;
    const char *best = names ? words_nearest(wanted, names) : NULL;
    if (best && strcmp(folder, ".") == 0)
        snprintf(out, size, "%s", best);
    else if (best)
        snprintf(out, size, "%s/%s", folder, best);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    free(names);
    return best != NULL;
}

bool list_nearest(const char *path, char *out, size_t size)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    return nearest_in(folder, name, out, size) ||
           (find_folder(folder) && nearest_in(folder, name, out, size));
}

bool list_files(const char *command, const char *folder, char ***files, size_t *count)
{
    char found[PATH_MAX];
    struct dirent **entries;
    if (!folder && !find_folder(found)) {
        term_error("%s: no folder scenarios here: name one, vibesim %s FOLDER", command, command);
        return false;
    }
    folder = folder ? folder : found;
    int n = scandir(folder, &entries, is_scenario, by_bytes);
    if (n < 0) {
        term_error("%s: %s: %s", command, folder, strerror(errno));
        return false;
    }
    *count = (size_t)n;
    *files = calloc(*count + 1, sizeof **files);
    if (!*files)
        abort();
    for (int i = 0; i < n; i++) {
        (*files)[i] = join(folder, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return true;
}

int cli_list(const struct args_list *args)
{
    char **files;
    size_t count;
    if (!list_files("list", args->folder, &files, &count))
        return CLI_BAD;
    json_t *list = args->json ? json_array() : NULL;
    for (size_t i = 0; i < count; i++) {
        list_file(files[i], list);
        free(files[i]);
    }
    free(files);
    if (list)
        json_dumpf(list, stdout, JSON_SORT_KEYS | JSON_INDENT(2));
    if (list)
        printf("\n");
    else if (count == 0)
        printf("%s: no scenarios (*.lua) here\n", args->folder ? args->folder : "scenarios");
    json_decref(list);
    return term_stdout_ok() ? CLI_OK : CLI_BAD;
}
