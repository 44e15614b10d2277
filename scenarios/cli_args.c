/* Reads vibesim's arguments: long options with a value behind '=' or as the next word, anywhere
 * among the others; "--" ends them. Own code rather than getopt_long, whose messages cannot say
 * what would be right. */
#include "scenarios/cli_args.h"

#include "core/base/exact.h"
#include "scenarios/cli_term.h"

#include <stdlib.h>
#include <string.h>

#define UNTIL_MAX_S 1e9

struct reader {
    int argc, at;
    char **argv;
    const char *const *names; /* of the options, NULL-terminated */
    bool ended;               /* "--" was seen */
    const char *value;        /* behind '=', or NULL */
};

static const char *const run_names[] = {"--seed",   "--param", "--until", "--db",   "--record",
                                        "--verify", "--json",  "--quiet", "--help", NULL};
static const char *const list_names[] = {"--json", "--help", NULL};
static const char *const record_names[] = {"none", "summary", "messages", "events", NULL};

const char *args_record_name(enum record_level level)
{
    return record_names[level];
}

/* The number of edits between two short words (Levenshtein), in one row; 99 for long ones. */
static size_t distance(const char *a, const char *b)
{
    size_t row[72], m = strlen(b);
    if (m >= sizeof row / sizeof *row || strlen(a) >= sizeof row / sizeof *row)
        return 99;
    for (size_t k = 0; k <= m; k++)
        row[k] = k;
    for (size_t i = 0; a[i]; i++) {
        size_t corner = row[0];
        row[0] = i + 1;
        for (size_t k = 0; k < m; k++) {
            size_t best = corner + (a[i] != b[k]);
            corner = row[k + 1];
            best = row[k] + 1 < best ? row[k] + 1 : best;
            row[k + 1] = corner + 1 < best ? corner + 1 : best;
        }
    }
    return row[m];
}

const char *args_nearest(const char *given, const char *const *names)
{
    const char *best = NULL;
    size_t best_distance = strlen(given) > 5 ? 4 : 3; /* one less is still a slip */
    for (; *names; names++) {
        size_t d = distance(given, *names);
        if (strlen(given) > 3 && strncmp(given, *names, strlen(given)) == 0)
            d = 0;
        if (d < best_distance) {
            best = *names;
            best_distance = d;
        }
    }
    return best;
}

void args_unknown(const char *what, const char *given, const char *const *names)
{
    const char *best = args_nearest(given, names);
    if (best) {
        term_error("'%s' is no %s: did you mean %s?", given, what, best);
        return;
    }
    char all[200] = "";
    for (; *names; names++) {
        strncat(all, " ", sizeof all - strlen(all) - 1);
        strncat(all, *names, sizeof all - strlen(all) - 1);
    }
    term_error("'%s' is no %s: there are%s", given, what, all);
}

/* The next argument: true with *name an option, or NULL and *word a plain word. */
static bool reader_next(struct reader *r, const char **name, const char **word, bool *wrong)
{
    while (r->at < r->argc) {
        const char *arg = r->argv[r->at++];
        *name = NULL;
        *word = arg;
        r->value = NULL;
        if (r->ended || arg[0] != '-' || arg[1] == 0)
            return true;
        if (strcmp(arg, "--") == 0) {
            r->ended = true;
            continue;
        }
        if (strcmp(arg, "-h") == 0)
            arg = "--help";
        const char *equals = strchr(arg, '=');
        size_t len = equals ? (size_t)(equals - arg) : strlen(arg);
        for (const char *const *n = r->names; *n; n++)
            if (strlen(*n) == len && strncmp(*n, arg, len) == 0) {
                *name = *n;
                r->value = equals ? equals + 1 : NULL;
                return true;
            }
        char given[64];
        term_clean(given, len + 1 < sizeof given ? len + 1 : sizeof given, arg);
        args_unknown("option", given, r->names);
        *wrong = true;
        return false;
    }
    return false;
}

/* The value of the option just read; NULL, told, if there is none. */
static const char *reader_value(struct reader *r, const char *name, const char *what)
{
    if (r->value)
        return r->value;
    if (r->at < r->argc && strncmp(r->argv[r->at], "--", 2) != 0)
        return r->argv[r->at++];
    term_error("%s: needs a value, %s", name, what);
    return NULL;
}

static bool parse_seed(const char *text, uint64_t *seed)
{
    uint64_t v = 0;
    bool ok = *text != 0;
    for (const char *p = text; ok && *p; p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        ok = *p >= '0' && *p <= '9' && v <= (UINT64_MAX - digit) / 10;
        v = v * 10 + digit;
    }
    if (!ok)
        term_error("--seed: '%s' is not a whole number from 0 to 18446744073709551615", text);
    *seed = v;
    return ok;
}

static bool parse_until(const char *text, struct args_run *args)
{
    double v = 0;
    bool ok = *text && strspn(text, "0123456789.") == strlen(text);
    if (ok) {
        char *end;
        v = strtod(text, &end);
        ok = !*end && v <= UNTIL_MAX_S;
    }
    args->until = text;
    args->until_ns = ok ? exact_ns_from_seconds(v) : 0;
    if (args->until_ns)
        return true;
    term_error(
        "--until: '%s' is not a time in seconds, more than 0 and at most 1000000000, like 90 "
        "or 0.5",
        text);
    return false;
}

static bool parse_param(const char *text, struct args_run *args)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text) {
        if (equals)
            term_error("--param: '%s' has no name: write NAME=VALUE", text);
        else
            term_error("--param: '%s' has no value: write %s=VALUE", text, text);
        return false;
    }
    size_t len = (size_t)(equals - text);
    for (size_t i = 0; i < args->param_count; i++)
        if (strlen(args->params[i].key) == len && strncmp(args->params[i].key, text, len) == 0) {
            term_error("--param: '%s' is given twice", args->params[i].key);
            return false;
        }
    struct engine_param *grown =
        realloc(args->params, (args->param_count + 1) * sizeof *args->params);
    char *key = strndup(text, len);
    if (grown)
        args->params = grown;
    if (!grown || !key) {
        free(key);
        term_error("out of memory");
        return false;
    }
    args->params[args->param_count].key = key;
    args->params[args->param_count++].value = equals + 1;
    return true;
}

static bool parse_record(const char *text, struct args_run *args)
{
    for (int i = 0; record_names[i]; i++)
        if (strcmp(text, record_names[i]) == 0) {
            args->record = (enum record_level)i;
            return true;
        }
    term_error("--record: '%s' is no level: use none, summary, messages or events", text);
    return false;
}

static bool is(const char *name, const char *option)
{
    return strcmp(name, option) == 0;
}

/* An option of `run` with a value. */
static bool run_value(struct args_run *args, struct reader *r, const char *name)
{
    const char *what = is(name, "--seed")     ? "a whole number"
                       : is(name, "--param")  ? "NAME=VALUE"
                       : is(name, "--until")  ? "a time in seconds"
                       : is(name, "--record") ? "none, summary, messages or events"
                                              : "a file";
    const char *value = reader_value(r, name, what);
    if (!value)
        return false;
    if (is(name, "--seed"))
        return parse_seed(value, &args->seed);
    if (is(name, "--param"))
        return parse_param(value, args);
    if (is(name, "--until"))
        return parse_until(value, args);
    if (is(name, "--record"))
        return parse_record(value, args);
    if (!*value)
        term_error("--db: the name of the file is empty");
    args->db = value;
    return *value != 0;
}

/* The switch that `name` turns on, or NULL if it is an option with a value. */
static bool *run_switch(struct args_run *args, const char *name)
{
    return is(name, "--verify")  ? &args->verify
           : is(name, "--json")  ? &args->json
           : is(name, "--quiet") ? &args->quiet
           : is(name, "--help")  ? &args->help
                                 : NULL;
}

static bool turn_on(bool *flag, const struct reader *r, const char *name)
{
    *flag = true;
    if (r->value)
        term_error("%s: takes no value", name);
    return !r->value;
}

bool args_run_parse(struct args_run *args, int argc, char **argv)
{
    memset(args, 0, sizeof *args);
    args->seed = 1;
    args->db = "run.db";
    args->record = RECORD_SUMMARY;
    struct reader r = {.argc = argc, .argv = argv, .names = run_names};
    const char *name, *word;
    bool wrong = false;
    while (reader_next(&r, &name, &word, &wrong)) {
        bool *flag = name ? run_switch(args, name) : NULL;
        if (name) {
            if (flag ? !turn_on(flag, &r, name) : !run_value(args, &r, name))
                return false;
        } else if (args->file) {
            term_error("'%s': one scenario at a time, and %s is given already", word, args->file);
            return false;
        } else {
            args->file = word;
        }
    }
    if (wrong)
        return false;
    if (!args->file && !args->help)
        term_error("run: name a scenario: vibesim run FILE.lua (vibesim list shows some)");
    return args->file || args->help;
}

void args_run_free(struct args_run *args)
{
    for (size_t i = 0; i < args->param_count; i++)
        free((char *)(uintptr_t)args->params[i].key);
    free(args->params);
}

bool args_list_parse(struct args_list *args, int argc, char **argv)
{
    memset(args, 0, sizeof *args);
    struct reader r = {.argc = argc, .argv = argv, .names = list_names};
    const char *name, *word;
    bool wrong = false;
    while (reader_next(&r, &name, &word, &wrong)) {
        if (name) {
            if (!turn_on(is(name, "--json") ? &args->json : &args->help, &r, name))
                return false;
        } else if (args->folder) {
            term_error("list: one folder at a time, and %s is given already", args->folder);
            return false;
        } else {
            args->folder = word;
        }
    }
    return !wrong;
}
