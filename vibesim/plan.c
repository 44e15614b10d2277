/* The plan of a sweep; see plan.h. */
#include "vibesim/plan.h"

#include "core/crypto/sha256.h"
#include "vibesim/cli_term.h"
#include "vibesim/rerun.h"
#include "vibesim/shard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CANONICAL (JSON_SORT_KEYS | JSON_COMPACT | JSON_REAL_PRECISION(17))

/* A plan is shown on terminals, by whoever gets the record. */
static bool is_clean(const char *text)
{
    for (; text && *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    return text != NULL;
}

/* ---- what is asked for, as JSON ---- */

static json_t *json_of_scenarios(const struct args_run *args, const struct loaded *loaded,
                                 char *why, size_t size)
{
    json_t *list = json_array();
    for (size_t i = 0; i < args->file_count; i++) {
        json_t *o = json_object();
        json_t *params = json_loads(loaded[i].params, JSON_REJECT_DUPLICATES, NULL);
        json_t *name = json_string(engine_about(loaded[i].engine)->name);
        json_object_set_new(o, "name", name ? name : json_string("?"));
        json_object_set_new(o, "sha256", json_string(engine_sha256(loaded[i].engine)));
        json_object_set_new(o, "params", params ? params : json_object());
        json_array_append_new(list, o);
        if (!is_clean(args->files[i]) ||
            json_object_set_new(o, "file", json_string(args->files[i])) != 0) {
            snprintf(why, size,
                     "%s: its name has to stand in the record, and is not plain UTF-8: rename it",
                     args->files[i]);
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *json_of_params(const struct args_run *args, char *why, size_t size)
{
    json_t *o = json_object();
    for (size_t i = 0; i < args->param_count; i++)
        if (!is_clean(args->params[i].key) || !is_clean(args->params[i].value) ||
            json_object_set_new(o, args->params[i].key, json_string(args->params[i].value)) != 0) {
            snprintf(why, size, "--param: '%s' has to stand in the record, and is not plain UTF-8",
                     args->params[i].key);
            json_decref(o);
            return NULL;
        }
    return o;
}

static json_t *json_of_options(const struct args_run *args, char *why, size_t size)
{
    char text[RERUN_OPTIONS_SIZE];
    if (!rerun_options(args, text, sizeof text, why, size))
        return NULL;
    json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    return o ? o : json_object();
}

bool plan_make(struct plan *plan, const struct args_run *args, const struct loaded *loaded,
               uint32_t shards, char *why, size_t size)
{
    memset(plan, 0, sizeof *plan);
    json_t *scenarios = json_of_scenarios(args, loaded, why, size);
    json_t *params = scenarios ? json_of_params(args, why, size) : NULL;
    json_t *options = params ? json_of_options(args, why, size) : NULL;
    char *seeds = seeds_text(&args->seeds);
    json_t *o = json_object();
    json_object_set_new(o, "scenarios", scenarios);
    json_object_set_new(o, "params", params);
    json_object_set_new(o, "options", options);
    json_object_set_new(o, "seeds", json_string(seeds));
    json_object_set_new(o, "world", json_string(args_world_name(args->world)));
    json_object_set_new(o, "record", json_string(args_record_name(args->record)));
    json_object_set_new(o, "verify", json_boolean(args->verify));
    json_object_set_new(o, "shards", json_integer(shards));
    char *text = json_dumps(o, CANONICAL);
    bool ok = options && text && plan_read(plan, text, why, size);
    json_decref(o);
    free(seeds);
    free(text);
    return ok;
}

/* ---- and back ---- */

/* The place of a word in a list of names, or -1. */
static int place_of(const json_t *word, const char *(*name)(int), int count)
{
    const char *text = json_string_value(word);
    for (int i = 0; text && i < count; i++)
        if (strcmp(text, name(i)) == 0)
            return i;
    return -1;
}

static const char *world_name(int i)
{
    return args_world_name((enum engine_world)i);
}

static const char *record_name(int i)
{
    return args_record_name((enum record_level)i);
}

static bool read_scenarios(struct plan *plan)
{
    const json_t *list = json_object_get(plan->json, "scenarios");
    size_t n = json_array_size(list);
    plan->args.files = calloc(n + 1, sizeof *plan->args.files);
    if (!plan->args.files)
        abort();
    for (size_t i = 0; i < n; i++) {
        const json_t *o = json_array_get(list, i);
        plan->args.files[i] = json_string_value(json_object_get(o, "file"));
        if (!is_clean(plan->args.files[i]) || !json_is_string(json_object_get(o, "name")) ||
            !json_is_string(json_object_get(o, "sha256")))
            return false;
    }
    plan->args.file = plan->args.files[0];
    plan->args.file_count = n;
    return n > 0;
}

static bool read_params(struct plan *plan)
{
    json_t *o = json_object_get(plan->json, "params"), *value;
    const char *key;
    struct args_run *args = &plan->args;
    args->params = calloc(json_object_size(o) + 1, sizeof *args->params);
    if (!args->params)
        abort();
    json_object_foreach(o, key, value)
    {
        bool ok = is_clean(key) && is_clean(json_string_value(value));
        char *name = ok ? strdup(key) : NULL;
        if (!name)
            return false;
        args->params[args->param_count++] =
            (struct engine_param){.key = name, .value = json_string_value(value)};
    }
    return json_is_object(o);
}

/* The builds of the core, as words that ask for them. */
static bool read_cores(struct plan *plan, json_t *cores)
{
    const char *name;
    json_t *core;
    size_t size = 0;
    FILE *out = open_memstream(&plan->cores, &size);
    bool ok = out != NULL;
    json_object_foreach(cores, name, core)
    {
        const char *file = json_string_value(json_object_get(core, "file"));
        char both[1024], word[1024];
        ok = ok && is_clean(name) && is_clean(file);
        if (!ok)
            break;
        snprintf(both, sizeof both, "%s=%s", name, file);
        term_quote(word, sizeof word, both);
        fprintf(out, " --core %s", word);
    }
    if (out)
        fclose(out);
    return ok && (!cores || json_is_object(cores));
}

static bool read_options(struct plan *plan)
{
    char why[300];
    json_t *options = json_copy(json_object_get(plan->json, "options"));
    bool ok = read_cores(plan, json_object_get(options, "cores"));
    json_object_del(options, "cores"); /* it would be loaded */
    char *text = json_dumps(options, JSON_COMPACT);
    ok = ok && text && rerun_take_options(&plan->args, text, why, sizeof why);
    json_decref(options);
    free(text);
    return ok;
}

static bool read_all(struct plan *plan)
{
    char why[300];
    const json_t *o = plan->json;
    const char *seeds = json_string_value(json_object_get(o, "seeds"));
    const int world = place_of(json_object_get(o, "world"), world_name, ENGINE_TCP + 1);
    const int record = place_of(json_object_get(o, "record"), record_name, RECORD_EVENTS + 1);
    const json_int_t shards = json_integer_value(json_object_get(o, "shards"));
    plan->args.speed = 1;
    plan->args.verify = json_is_true(json_object_get(o, "verify"));
    if (world < 0 || record < 0 || shards < 1 || shards > SHARDS_MAX || !seeds ||
        !seeds_parse(&plan->args.seeds, seeds, why, sizeof why))
        return false;
    plan->args.world = (enum engine_world)world;
    plan->args.record = (enum record_level)record;
    plan->shards = (uint32_t)shards;
    if (!read_scenarios(plan) || !read_params(plan) || !read_options(plan))
        return false;
    plan->jobs = plan->args.file_count * plan->args.seeds.count;
    return true;
}

bool plan_read(struct plan *plan, const char *text, char *why, size_t size)
{
    uint8_t hash[32];
    memset(plan, 0, sizeof *plan);
    plan->json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    plan->text = strdup(text);
    if (!plan->text)
        abort();
    sha256(hash, text, strlen(text));
    for (size_t i = 0; i < (PLAN_ID_SIZE - 1) / 2; i++)
        snprintf(plan->id + 2 * i, 3, "%02x", hash[i]);
    if (read_all(plan))
        return true;
    snprintf(why, size,
             "its plan of the sweep makes no sense: it is damaged, or of another version");
    plan_free(plan);
    return false;
}

void plan_free(struct plan *plan)
{
    args_run_free(&plan->args);
    json_decref(plan->json);
    free(plan->cores);
    free(plan->text);
    memset(plan, 0, sizeof *plan);
}

void plan_job(const struct plan *plan, uint64_t job, size_t *file, uint64_t *seed)
{
    const struct seeds *seeds = &plan->args.seeds;
    *file = (size_t)(job / seeds->count);
    *seed = seeds_at(seeds, job % seeds->count);
}

static const json_t *scenario(const struct plan *plan, size_t file, const char *key)
{
    return json_object_get(json_array_get(json_object_get(plan->json, "scenarios"), file), key);
}

const char *plan_scenario(const struct plan *plan, size_t file)
{
    return json_string_value(scenario(plan, file, "name"));
}

const char *plan_sha256(const struct plan *plan, size_t file)
{
    return json_string_value(scenario(plan, file, "sha256"));
}

/* ---- two of them ---- */

/* "scenarios: 3 in a.db, 4 here" or what else differs between the lists; false if nothing does. */
static bool scenarios_differ(char *out, size_t size, const struct plan *a, const char *where_a,
                             const struct plan *b, const char *where_b)
{
    const size_t n = a->args.file_count;
    if (n != b->args.file_count) {
        snprintf(out, size, "scenarios: %zu %s, %zu %s", n, where_a, b->args.file_count, where_b);
        return true;
    }
    for (size_t i = 0; i < n; i++) {
        const char *x = plan_sha256(a, i), *y = plan_sha256(b, i);
        if (strcmp(a->args.files[i], b->args.files[i]) != 0)
            snprintf(out, size, "scenario %zu: %s %s, %s %s", i + 1, a->args.files[i], where_a,
                     b->args.files[i], where_b);
        else if (strcmp(x, y) != 0)
            snprintf(out, size, "%s has changed: its SHA-256 is %.12s %s, %.12s %s",
                     a->args.files[i], x, where_a, y, where_b);
        else
            continue;
        return true;
    }
    return false;
}

void plan_difference(char *out, size_t size, const struct plan *a, const char *where_a,
                     const struct plan *b, const char *where_b)
{
    static const char *const keys[] = {"seeds",  "params", "options",   "world",
                                       "record", "verify", "scenarios", "shards"};
    snprintf(out, size, "the plans are of different versions of vibesim");
    if (scenarios_differ(out, size, a, where_a, b, where_b))
        return;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        json_t *x = json_object_get(a->json, keys[i]), *y = json_object_get(b->json, keys[i]);
        if (json_equal(x, y))
            continue;
        char *p = json_dumps(x, JSON_ENCODE_ANY | CANONICAL);
        char *q = json_dumps(y, JSON_ENCODE_ANY | CANONICAL);
        snprintf(out, size, "%s: %.200s %s, %.200s %s", keys[i], p ? p : "none", where_a,
                 q ? q : "none", where_b);
        free(p);
        free(q);
        return;
    }
}
