/* A configuration from its two sources; see config.h.
 *
 * The command line is read first, since it names the file; then every value of the file is applied,
 * and checked; then the command line's, each of its keys from the start. What is in force is kept
 * as text, too, so that two configurations can be compared. */
#include "vibenode/config.h"

#include "vibenode/config_keys.h"
#include "vibenode/log_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

void config_lines_add(struct config_lines *lines, uint32_t key, const char *text, uint32_t line)
{
    lines->items = checked(realloc(lines->items, (lines->count + 1) * sizeof *lines->items));
    lines->items[lines->count++] = (struct config_line){key, {checked(strdup(text)), line}};
}

void config_lines_free(struct config_lines *lines)
{
    for (uint32_t i = 0; i < lines->count; i++)
        free(lines->items[i].value.text);
    free(lines->items);
    *lines = (struct config_lines){0};
}

static void values_clear(struct config_values *values)
{
    for (uint32_t i = 0; i < values->count; i++)
        free(values->items[i].text);
    free(values->items);
    *values = (struct config_values){0};
}

static void values_add(struct config_values *values, struct config_value value)
{
    values->items = checked(realloc(values->items, (values->count + 1) * sizeof *values->items));
    values->items[values->count++] = value;
}

void config_free(struct config *config)
{
    if (!config)
        return;
    for (uint32_t key = 0; key < CONFIG_KEYS_MAX; key++)
        values_clear(&config->given[key]);
    free(config);
}

/* ---- applying ---- */

/* Where a value stands, and of which key: "vibenode.conf:12: max-inbound " or "--max-inbound: ". */
static void place(const struct config *config, uint32_t key, uint32_t line, char *out, size_t size)
{
    char file[200];
    if (line == 0) {
        snprintf(out, size, "--%s: ", config_keys[key].name);
        return;
    }
    log_line_escape(file, sizeof file, config->file);
    snprintf(out, size, "%s:%u: %s ", file, line, config_keys[key].name);
}

/* Applies the lines, whose texts become the configuration's. A key's first one takes the place of
 * what was there. */
static bool apply_lines(struct config *config, struct config_lines *lines, char *why, size_t size)
{
    bool begun[CONFIG_KEYS_MAX] = {false};
    for (uint32_t i = 0; i < lines->count; i++) {
        uint32_t key = lines->items[i].key;
        struct config_value *value = &lines->items[i].value;
        char where[300], what[CONFIG_WHY - 320];
        if (!begun[key]) {
            values_clear(&config->given[key]);
            if (config_keys[key].repeats)
                config_value_clear(config, key);
        }
        begun[key] = true;
        values_add(&config->given[key], *value);
        uint32_t line = value->line;
        const char *text = value->text;
        value->text = NULL;
        if (config_value_apply(config, key, text, what, sizeof what))
            continue;
        place(config, key, line, where, sizeof where);
        snprintf(why, size, "%s%s", where, what);
        return false;
    }
    return true;
}

static const struct config_values *given(const struct config *config, const char *name)
{
    return &config->given[config_keys_find(name, strlen(name))];
}

/* What no single value shows. */
static bool check_together(struct config *config, char *why, size_t size)
{
    char where[300], core_why[200];
    const struct config_values *mine = given(config, "http-mine");
    if (config->http_mine && !config->http && !config->data) {
        place(config, config_keys_find("http-mine", 9), mine->items[0].line, where, sizeof where);
        snprintf(why, size, "%sis of no use without http or data", where);
        return false;
    }
    config->core.listen =
        config->announce.family != VN_AF_NONE ? config->announce : config->listen[0];
    struct vn_config probe = config->core;
    snprintf(probe.node_id, sizeof probe.node_id, "%s", config->node_id ? config->node_id : "none");
    probe.seed_count = config->seed_count;
    if (vn_config_check(&probe, core_why, sizeof core_why))
        return true;
    snprintf(why, size, "the node refuses its configuration: %s", core_why);
    return false;
}

static struct config *config_make(struct config_lines *args, const char *file, char *why,
                                  size_t size)
{
    struct config *config = checked(calloc(1, sizeof *config));
    struct config_lines lines = {0};
    config_defaults(config);
    config->file = file;
    bool good = (!file || config_file_read(file, &lines, why, size)) &&
                apply_lines(config, &lines, why, size) && apply_lines(config, args, why, size) &&
                check_together(config, why, size);
    config_lines_free(&lines);
    if (good)
        return config;
    config_free(config);
    return NULL;
}

struct config *config_new(int argc, char **argv, enum config_command *command, char *why,
                          size_t size)
{
    struct config_lines args = {0};
    const char *file;
    struct config *config = NULL;
    if (config_args_read(argc, argv, &args, &file, command, why, size)) {
        bool alone = *command != CONFIG_RUN && *command != CONFIG_CHECK;
        config = alone ? checked(calloc(1, sizeof *config)) : config_make(&args, file, why, size);
    }
    config_lines_free(&args);
    return config;
}

struct config *config_new_file(const char *path, char *why, size_t size)
{
    struct config_lines none = {0};
    return config_make(&none, path, why, size);
}

/* ---- taking over ---- */

static bool values_equal(const struct config_values *a, const struct config_values *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (strcmp(a->items[i].text, b->items[i].text) != 0)
            return false;
    return true;
}

static void list_add(char *list, size_t size, const char *name)
{
    size_t at = strlen(list);
    snprintf(list + at, size - at, "%s%s", at ? ", " : "", name);
}

void config_take_over(struct config *config, struct config *next, char *applied, char *restart,
                      size_t size)
{
    *applied = *restart = '\0';
    for (uint32_t key = 0; key < config_keys_count; key++) {
        if (values_equal(&config->given[key], &next->given[key]))
            continue;
        list_add(config_keys[key].reloads ? applied : restart, size, config_keys[key].name);
        if (!config_keys[key].reloads)
            continue;
        /* The texts move with the values that borrow them. */
        struct config_values old = config->given[key];
        config->given[key] = next->given[key];
        next->given[key] = old;
    }
    config->log = next->log;
    config->status_interval_ns = next->status_interval_ns;
    config->core.mine_interval_ns = next->core.mine_interval_ns;
    const struct config_values *file = given(config, "log-file");
    config->log.file = file->count ? file->items[0].text : NULL;
    config_free(next);
}
