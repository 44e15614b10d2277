/* What the options of vibesim's commands mean, and which go together. */
#include "vibesim/cli_args.h"

#include "core/base/exact.h"
#include "vibesim/cli_args_run.h"
#include "vibesim/cli_term.h"
#include "vibesim/pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define UNTIL_MAX_S 1e9

static const char *const world_names[] = {"sim", "tcp", NULL};
static const char *const rows_names[] = {"auto", "all", "failed", NULL};
static const char *const list_names[] = {"--json", "--help", NULL};
static const char *const redact_names[] = {"--keep-id", "--help", NULL};
static const char *const record_names[] = {"none", "summary", "messages", "events", NULL};

const char *args_record_name(enum record_level level)
{
    return record_names[level];
}

const char *args_world_name(enum engine_world world)
{
    return world_names[world];
}

static bool parse_seed(const char *text, struct args_run *args)
{
    const char *end;
    args->seed_given = seeds_number(text, &end, &args->seed) && !*end;
    if (!args->seed_given)
        term_error("--seed: '%s' is not a whole number from 0 to " SEEDS_WHOLE_MAX "%s", text,
                   strstr(text, "..") || strchr(text, ',') ? ": did you mean --seeds?" : "");
    return args->seed_given;
}

static bool parse_seeds(const char *text, struct args_run *args)
{
    char why[300];
    if (args->seeds.count)
        term_error("--seeds: is given twice: write one list, like 1..20,100");
    else if (!seeds_parse(&args->seeds, text, why, sizeof why))
        term_error("--seeds: %s", why);
    else
        return true;
    return false;
}

static bool parse_salt(const char *text, struct args_run *args)
{
    const char *end;
    bool ok = seeds_number(text, &end, &args->salt) && !*end && args->salt <= INT64_MAX;
    if (!ok)
        term_error("--salt: '%s' is not a whole number from 0 to 9223372036854775807", text);
    return ok;
}

static bool parse_jobs(const char *text, struct args_run *args)
{
    uint64_t n = 0;
    bool ok = words_number("--jobs", text, POOL_WORKERS_MAX, &n);
    args->jobs = ok ? (uint32_t)n : 0;
    return ok;
}

static bool parse_rows(const char *text, struct args_run *args)
{
    for (int i = 0; rows_names[i]; i++)
        if (strcmp(text, rows_names[i]) == 0) {
            args->rows = (enum args_rows)i;
            return true;
        }
    term_error("--rows: '%s': use auto, all or failed", text);
    return false;
}

static bool parse_trace(const char *text, struct args_run *args)
{
    char why[400];
    bool ok = trace_filter_add(&args->trace, text, why, sizeof why);
    if (!ok)
        term_error("--trace: %s", why);
    return ok;
}

/* Numbers of the decision log, malloc'ed, ascending. */
static bool parse_decisions(const char *option, const char *text, uint32_t **numbers, size_t *count)
{
    char why[300];
    struct seeds list = {0};
    if (!seeds_parse(&list, text, why, sizeof why) ||
        list.ranges[list.range_count - 1].last > UINT32_MAX || list.ranges[0].first == 0) {
        term_error("%s: '%s' is not a list of decisions, numbers from 1 on, like 2,5..7 (the table "
                   "decision of a record has them)",
                   option, text);
        seeds_free(&list);
        return false;
    }
    *numbers = calloc(list.count, sizeof **numbers);
    if (!*numbers)
        abort();
    for (; *count < list.count; ++*count)
        (*numbers)[*count] = (uint32_t)seeds_at(&list, *count);
    seeds_free(&list);
    return true;
}

static bool parse_without(const char *text, struct args_run *args)
{
    bool twice = args->without != NULL;
    args->without = text;
    if (twice)
        term_error("--without: is given twice: write one list, like 2,5..7");
    return !twice && parse_decisions("--without", text, &args->left_out, &args->left_out_count);
}

static bool parse_only(const char *text, struct args_run *args)
{
    bool twice = args->has_only;
    args->has_only = true;
    if (twice)
        term_error("--only: is given twice: write one list, like 2,5..7");
    return !twice && (words_is(text, "none") ||
                      parse_decisions("--only", text, &args->only, &args->only_count));
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

static bool parse_world(const char *text, struct args_run *args)
{
    for (int i = 0; world_names[i]; i++)
        if (strcmp(text, world_names[i]) == 0) {
            args->world = (enum engine_world)i;
            return true;
        }
    term_error("--world: '%s' is no world: use sim (simulated) or tcp (real sockets)", text);
    return false;
}

static bool parse_speed(const char *text, struct args_run *args)
{
    uint64_t n = 0;
    bool ok = words_number("--speed", text, ENGINE_SPEED_MAX, &n);
    args->speed = ok ? (uint32_t)n : 1;
    return ok;
}

static bool parse_db(const char *text, struct args_run *args)
{
    if (!*text)
        term_error("--db: the name of the file is empty");
    args->db = text;
    return *text != 0;
}

static bool parse_trace_file(const char *text, struct args_run *args)
{
    if (!*text)
        term_error("--trace-file: the name of the file is empty");
    args->trace_file = text;
    return *text != 0;
}

static bool parse_core(const char *text, struct args_run *args)
{
    char why[1024];
    bool ok = core_list_add(&args->cores, text, why, sizeof why);
    if (!ok)
        term_error("--core: %s", why);
    return ok;
}

static bool parse_pcap(const char *text, struct args_run *args)
{
    return export_parse_pcap(text, &args->exports);
}

static bool parse_pcap_nodes(const char *text, struct args_run *args)
{
    return export_parse_pcap_nodes(text, &args->exports);
}

static bool parse_perfetto(const char *text, struct args_run *args)
{
    return export_parse_perfetto(text, &args->exports);
}

/* ---- options of runs, for every command that makes some -----------------------------------------
 */

/* Those with a value; who has them. */
static const struct {
    const char *name, *what;
    bool (*parse)(const char *text, struct args_run *args);
    unsigned who; /* enum args_who */
} run_values[] = {
    {"--seed", "a whole number", parse_seed, ARGS_RUN},
    {"--seeds", "a list like 1..20", parse_seeds, ARGS_RUN | ARGS_SWEEP | ARGS_CHECK},
    {"--jobs", "a whole number", parse_jobs, ARGS_RUN | ARGS_SWEEP | ARGS_CHECK},
    {"--param", "NAME=VALUE", parse_param, ARGS_RUN | ARGS_SWEEP | ARGS_CHECK},
    {"--until", "a time in seconds", parse_until, ARGS_RUN | ARGS_SWEEP},
    {"--without", "a list of decisions like 2,5..7", parse_without, ARGS_RUN | ARGS_SWEEP},
    {"--only", "a list of decisions like 2,5..7, or none", parse_only, ARGS_RUN | ARGS_SWEEP},
    {"--db", "a file", parse_db, ARGS_RUN | ARGS_SWEEP | ARGS_CHECK},
    {"--record", "none, summary, messages or events", parse_record, ARGS_RUN | ARGS_SWEEP},
    {"--rows", "auto, all or failed", parse_rows, ARGS_RUN},
    {"--world", "sim or tcp", parse_world, ARGS_RUN | ARGS_SWEEP},
    {"--speed", "a whole number", parse_speed, ARGS_RUN | ARGS_SWEEP},
    {"--salt", "a whole number", parse_salt, ARGS_RUN | ARGS_SWEEP | ARGS_CHECK},
    {"--trace", "all, node=3 or link=2-7", parse_trace, ARGS_RUN},
    {"--trace-file", "a file", parse_trace_file, ARGS_RUN},
    {"--core", "NAME=FILE", parse_core, ARGS_RUN | ARGS_SWEEP},
    {"--pcap", "a file", parse_pcap, ARGS_RUN},
    {"--pcap-nodes", "a list of nodes like 1..5,9", parse_pcap_nodes, ARGS_RUN},
    {"--perfetto", "a file", parse_perfetto, ARGS_RUN},
};

static const struct {
    const char *name;
    size_t flag; /* where it is in struct args_run */
    unsigned who;
} run_switches[] = {
    {"--verify", offsetof(struct args_run, verify), ARGS_RUN | ARGS_SWEEP},
    {"--json", offsetof(struct args_run, json), ARGS_RUN | ARGS_SWEEP | ARGS_CHECK},
    {"--swarm", offsetof(struct args_run, swarm), ARGS_RUN | ARGS_SWEEP},
    {"--audit", offsetof(struct args_run, audit), ARGS_RUN | ARGS_SWEEP},
    {"--quiet", offsetof(struct args_run, quiet), ARGS_RUN | ARGS_SWEEP | ARGS_CHECK},
    {"--help", offsetof(struct args_run, help), ARGS_RUN | ARGS_SWEEP | ARGS_CHECK},
};

#define VALUES   (sizeof run_values / sizeof *run_values)
#define SWITCHES (sizeof run_switches / sizeof *run_switches)

void args_run_names(const char *names[ARGS_NAMES_MAX], enum args_who who, const char *const *own)
{
    static_assert(VALUES + SWITCHES < ARGS_NAMES_MAX / 2, "room for all, and as many of a command");
    size_t n = 0;
    for (size_t i = 0; i < VALUES; i++)
        if (run_values[i].who & who)
            names[n++] = run_values[i].name;
    for (size_t i = 0; i < SWITCHES; i++)
        if (run_switches[i].who & who)
            names[n++] = run_switches[i].name;
    for (; own && *own; own++) {
        assert(n + 1 < ARGS_NAMES_MAX);
        names[n++] = *own;
    }
    names[n] = NULL;
}

void args_run_init(struct args_run *args)
{
    memset(args, 0, sizeof *args);
    args->seed = 1;
    args->speed = 1;
    args->db = "run.db";
    args->record = RECORD_SUMMARY;
}

bool args_run_option(struct args_run *args, struct words *words, const char *name)
{
    for (size_t i = 0; i < SWITCHES; i++)
        if (words_is(name, run_switches[i].name))
            return words_switch((bool *)((char *)args + run_switches[i].flag), words, name);
    size_t i = 0;
    while (!words_is(name, run_values[i].name))
        i++;
    const char *value = words_value(words, name, run_values[i].what);
    return value && run_values[i].parse(value, args);
}

bool args_run_file(struct args_run *args, const char *word)
{
    for (size_t i = 0; i < args->file_count; i++)
        if (strcmp(args->files[i], word) == 0) {
            term_error("%s is given twice: each scenario has all the seeds", word);
            return false;
        }
    const char **grown = realloc(args->files, (args->file_count + 1) * sizeof *grown);
    if (!grown)
        abort();
    args->files = grown;
    args->files[args->file_count++] = word;
    args->file = args->files[0];
    return true;
}

void args_run_files_end(struct args_run *args)
{
    static const char suffix[] = ".d.lua";
    size_t kept = 0;
    for (size_t i = 0; i < args->file_count; i++) {
        size_t len = strlen(args->files[i]);
        bool described = len >= sizeof suffix - 1 &&
                         strcmp(args->files[i] + len - (sizeof suffix - 1), suffix) == 0;
        if (!described || args->file_count == 1)
            args->files[kept++] = args->files[i];
    }
    if (kept > 0) {
        args->file_count = kept;
        args->file = args->files[0];
    }
}

/* Options that contradict each other are refused, rather than one of them passed over. */
static bool check_together(const struct args_run *args)
{
    bool many = args->seeds.count || args->file_count > 1;
    const char *one = args->file ? args->file : "FILE.lua";
    if (!args->file)
        term_error("run: name a scenario: vibesim run FILE.lua (vibesim list shows some)");
    else if (args->seeds.count && args->seed_given)
        term_error("--seed and --seeds: give one of them: --seeds %llu,... takes both",
                   (unsigned long long)args->seed);
    else if (args->trace_file && !args->trace.count)
        term_error("--trace-file: say what to trace: --trace all, node=3 or link=2-7");
    else if (many && args->trace.count)
        term_error(
            "--trace: follows a single run: vibesim run %s --seed %llu --trace ...", one,
            (unsigned long long)(args->seeds.count ? seeds_at(&args->seeds, 0) : args->seed));
    else if (args->verify && args->world == ENGINE_TCP)
        term_error(
            "--verify: compares two runs event by event, and real sockets in real time repeat "
            "nothing: leave out --verify or --world tcp");
    else if (args->audit && args->world == ENGINE_TCP)
        term_error("--audit: looks into simulated nodes as they work: leave out --audit or "
                   "--world tcp");
    else if (!many && args->jobs)
        term_error("--jobs: shares out several runs: give --seeds 1..20 or several files");
    else if (!many && args->rows != ROWS_AUTO)
        term_error("--rows: is of the table of several runs: give --seeds 1..20 or several files");
    else
        return export_check(&args->exports, many, one,
                            args->seeds.count ? seeds_at(&args->seeds, 0) : args->seed,
                            args->world);
    return false;
}

bool args_run_parse(struct args_run *args, int argc, char **argv)
{
    const char *names[ARGS_NAMES_MAX];
    args_run_init(args);
    args_run_names(names, ARGS_RUN, NULL);
    struct words r = {.argc = argc, .argv = argv, .names = names};
    const char *name, *word;
    bool wrong = false;
    while (words_next(&r, &name, &word, &wrong))
        if (name ? !args_run_option(args, &r, name) : !args_run_file(args, word))
            return false;
    args_run_files_end(args);
    return !wrong && (args->help || check_together(args));
}

void args_run_free(struct args_run *args)
{
    for (size_t i = 0; i < args->param_count; i++)
        free((char *)(uintptr_t)args->params[i].key);
    free(args->params);
    core_list_free(&args->cores);
    free(args->files);
    seeds_free(&args->seeds);
    export_args_free(&args->exports);
    free(args->left_out);
    free(args->only);
}

bool args_list_parse(struct args_list *args, int argc, char **argv)
{
    memset(args, 0, sizeof *args);
    struct words r = {.argc = argc, .argv = argv, .names = list_names};
    const char *name, *word;
    bool wrong = false;
    while (words_next(&r, &name, &word, &wrong)) {
        if (name) {
            if (!words_switch(words_is(name, "--json") ? &args->json : &args->help, &r, name))
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

bool args_redact_parse(struct args_redact *args, int argc, char **argv)
{
    memset(args, 0, sizeof *args);
    struct words r = {.argc = argc, .argv = argv, .names = redact_names};
    const char *name, *word;
    bool wrong = false;
    while (words_next(&r, &name, &word, &wrong)) {
        if (name) {
            if (!words_switch(words_is(name, "--help") ? &args->help : &args->keep_id, &r, name))
                return false;
        } else if (args->out) {
            term_error("redact: one capture and one copy: vibesim redact FILE OUT");
            return false;
        } else {
            *(args->file ? &args->out : &args->file) = word;
        }
    }
    if (!wrong && !args->help && !args->out)
        term_error("redact: name a capture and the copy to make: vibesim redact FILE OUT");
    return !wrong && (args->help || args->out);
}
