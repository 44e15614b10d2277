/* The help and the example file, made from the table, so that they cannot tell of a key or default
 * that is not there. */
#include "vibenode/config_keys.h"
#include "vibenode/exits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define WIDTH 78u

static FILE *text_open(char **text, size_t *len)
{
    FILE *out = open_memstream(text, len);
    if (!out)
        abort();
    return out;
}

/* Words, broken into lines that begin with `head`. */
static void put_wrapped(FILE *out, const char *head, const char *words)
{
    size_t column = 0;
    while (*words) {
        size_t len = strcspn(words, " ");
        bool fits = column > 0 && column + 1 + len <= WIDTH;
        if (column > 0 && !fits)
            fputc('\n', out);
        if (!fits)
            column = (size_t)fprintf(out, "%s%.*s", head, (int)len, words);
        else
            column += (size_t)fprintf(out, " %.*s", (int)len, words);
        words += len;
        words += strspn(words, " ");
    }
    fputc('\n', out);
}

static void put_key(FILE *out, const struct config *defaults, uint32_t key)
{
    const struct config_key *k = &config_keys[key];
    char value[80], text[600], range[200] = "";
    config_value_format(defaults, key, value, sizeof value);
    if (k->kind == KEY_COUNT || k->kind == KEY_BYTES || k->kind == KEY_BYTES32 ||
        k->kind == KEY_TIME) {
        char allowed[160];
        config_value_range(key, allowed, sizeof allowed);
        snprintf(range, sizeof range, " %s%s.", k->kind == KEY_COUNT ? "" : "A",
                 k->kind == KEY_COUNT ? allowed : allowed + 1);
    }
    if (*value)
        snprintf(text, sizeof text, "%s%s%s [%s]", k->what, range,
                 k->repeats ? " May be given several times." : "", value);
    else
        snprintf(text, sizeof text, "%s%s%s Like %s [none]", k->what, range,
                 k->repeats ? " May be given several times." : "", k->example);
    fprintf(out, "  --%s %s\n", k->name, k->value);
    put_wrapped(out, "        ", text);
}

char *config_help(void)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = text_open(&text, &len);
    struct config *defaults = calloc(1, sizeof *defaults);
    if (!defaults)
        abort();
    config_defaults(defaults);
    fputs("Usage: vibenode [--config FILE] [--KEY VALUE]...\n"
          "       vibenode --check-config [--config FILE] [--KEY VALUE]...\n"
          "       vibenode --example-config | --help | --version\n"
          "       vibenode ctl COMMAND    asks a running node; vibenode ctl --help tells more\n"
          "\n"
          "A node of the VibeCoin network. It runs in the foreground until SIGINT or SIGTERM.\n"
          "\n"
          "Each key below is an option here, or a line KEY = VALUE in the file. A key that is\n"
          "given here replaces all that the file says of it. SIGHUP reads the file again.\n",
          out);
    for (uint32_t key = 0; key < config_keys_count; key++) {
        if (config_keys[key].group)
            fprintf(out, "\n%s\n", config_keys[key].group);
        put_key(out, defaults, key);
    }
    fprintf(out, "\nExit status\n");
    for (int status = 0; exits_words(status); status++)
        fprintf(out, "  %d  %s\n", status, exits_words(status));
    fputs("  A second signal while it ends: 128 and the signal's number.\n", out);
    free(defaults);
    fclose(out);
    return text;
}

char *config_example(void)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = text_open(&text, &len);
    struct config *defaults = calloc(1, sizeof *defaults);
    if (!defaults)
        abort();
    config_defaults(defaults);
    fputs("# The configuration of vibenode: every key with its default, or with an example where\n"
          "# there is none. vibenode --help tells more; vibenode --check-config --config FILE\n"
          "# tells what is wrong. A ; behind a blank begins a comment, too.\n",
          out);
    for (uint32_t key = 0; key < config_keys_count; key++) {
        const struct config_key *k = &config_keys[key];
        char value[80];
        config_value_format(defaults, key, value, sizeof value);
        if (k->group)
            fprintf(out, "\n# ---- %s\n", k->group);
        fputc('\n', out);
        put_wrapped(out, "# ", k->what);
        fprintf(out, "%s%s = %s\n", *value ? "#" : "# For example: ", k->name,
                *value ? value : k->example);
    }
    free(defaults);
    fclose(out);
    return text;
}

char *config_version(void)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = text_open(&text, &len);
    fprintf(out, "vibenode %s\ncore %s, libuv %s\n", VIBENODE_BUILD, vn_api(VN_API_VERSION)->build,
            uv_version_string());
    fclose(out);
    return text;
}
