/* The command line: --key value or --key=value for each key of the table, and what is asked of the
 * program itself. */
#include "vibenode/config_keys.h"
#include "vibenode/log_line.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const own_names[] = {"config",  "check-config",   "help",
                                        "version", "example-config", NULL};

struct reader {
    int argc, at;
    char **argv;
    struct config_lines *lines;
    const char **file;
    enum config_command *command;
    char *why;
    size_t size;
};

static bool __attribute__((format(printf, 2, 3)))
args_fail(struct reader *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(r->why, r->size, format, args);
    va_end(args);
    return false;
}

/* The value behind '=' or in the next word; NULL, told, if there is none. */
static const char *args_value(struct reader *r, const char *equals, const char *name,
                              const char *what)
{
    if (equals)
        return equals + 1;
    if (r->at < r->argc && strncmp(r->argv[r->at], "--", 2) != 0)
        return r->argv[r->at++];
    args_fail(r, "--%s: needs a value: %s", name, what);
    return NULL;
}

static bool args_key(struct reader *r, uint32_t key, const char *equals)
{
    const struct config_key *k = &config_keys[key];
    const char *value = args_value(r, equals, k->name, k->value);
    if (!value)
        return false;
    for (uint32_t i = 0; i < r->lines->count && !k->repeats; i++)
        if (r->lines->items[i].key == key)
            return args_fail(r, "--%s: is given twice", k->name);
    config_lines_add(r->lines, key, value, 0);
    return true;
}

static bool args_command(struct reader *r, enum config_command command, const char *name,
                         const char *equals)
{
    if (equals)
        return args_fail(r, "--%s: takes no value", name);
    /* Whoever asks for help gets it, whatever else is there. */
    if (*r->command != CONFIG_HELP)
        *r->command = command;
    return true;
}

static bool args_config(struct reader *r, const char *equals)
{
    if (*r->file)
        return args_fail(r, "--config: is given twice");
    *r->file = args_value(r, equals, "config", "FILE");
    if (*r->file && !**r->file)
        return args_fail(r, "--config: the name of the file is empty");
    return *r->file != NULL;
}

/* One option of the program itself, or what is none at all. */
static bool args_own(struct reader *r, const char *name, size_t len, const char *equals)
{
    static const enum config_command commands[] = {CONFIG_RUN, CONFIG_CHECK, CONFIG_HELP,
                                                   CONFIG_VERSION, CONFIG_EXAMPLE};
    for (uint32_t i = 0; own_names[i]; i++)
        if (strlen(own_names[i]) == len && memcmp(own_names[i], name, len) == 0)
            return i == 0 ? args_config(r, equals)
                          : args_command(r, commands[i], own_names[i], equals);
    char given[80], shown[80], hint[SUGGEST_HINT];
    snprintf(given, sizeof given, "%.*s", (int)(len < sizeof given ? len : sizeof given - 1), name);
    config_keys_hint(given, own_names, hint, sizeof hint);
    log_line_escape(shown, sizeof shown, given);
    return args_fail(r, "--%s: is no option%s", shown, *hint ? hint : "; --help lists them");
}

static bool args_word(struct reader *r, const char *word)
{
    if (strcmp(word, "-h") == 0)
        return args_command(r, CONFIG_HELP, "help", NULL);
    if (strcmp(word, "-V") == 0)
        return args_command(r, CONFIG_VERSION, "version", NULL);
    if (strncmp(word, "--", 2) != 0 || word[2] == '\0') {
        char shown[80];
        log_line_escape(shown, sizeof shown, word);
        return args_fail(r, "'%s': options are written --KEY VALUE; --help lists them", shown);
    }
    const char *name = word + 2;
    const char *equals = strchr(name, '=');
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    uint32_t key = config_keys_find(name, len);
    return key != UINT32_MAX ? args_key(r, key, equals) : args_own(r, name, len, equals);
}

bool config_args_read(int argc, char **argv, struct config_lines *out, const char **file,
                      enum config_command *command, char *why, size_t size)
{
    struct reader r = {.argc = argc,
                       .at = 1,
                       .argv = argv,
                       .lines = out,
                       .file = file,
                       .command = command,
                       .why = why,
                       .size = size};
    *file = NULL;
    *command = CONFIG_RUN;
    while (r.at < argc)
        if (!args_word(&r, argv[r.at++]))
            return false;
    return true;
}
