/* See rerun.h. */
#include "vibesim/rerun.h"

#include "vibesim/build.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- options to JSON ---- */

static json_t *list_of(const uint32_t *numbers, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_integer(numbers[i]));
    return list;
}

static json_t *cores_of(const struct core_list *cores)
{
    json_t *object = json_object();
    for (size_t i = 0; i < cores->count; i++) {
        json_t *build = json_string(cores->all[i].api->build);
        json_t *file = json_string(cores->more[i].file);
        json_object_set_new(object, cores->all[i].name,
                            json_pack("{s:o, s:o, s:s}", "build", build ? build : json_string("?"),
                                      "file", file ? file : json_string("?"), "sha256",
                                      cores->more[i].sha256));
    }
    return object;
}

bool rerun_options(const struct args_run *args, char *out, size_t out_size, char *why, size_t size)
{
    json_t *o = json_object();
    if (args->until_ns)
        json_object_set_new(o, "until_ns", json_integer((json_int_t)args->until_ns));
    if (args->swarm)
        json_object_set_new(o, "swarm", json_true());
    if (args->audit)
        json_object_set_new(o, "audit", json_true());
    if (args->has_only)
        json_object_set_new(o, "only", list_of(args->only, args->only_count));
    if (args->left_out_count)
        json_object_set_new(o, "without", list_of(args->left_out, args->left_out_count));
    if (args->salt)
        json_object_set_new(o, "salt", json_integer((json_int_t)args->salt));
    if (args->world == ENGINE_TCP && args->speed != 1)
        json_object_set_new(o, "speed", json_integer(args->speed));
    if (args->cores.count)
        json_object_set_new(o, "cores", cores_of(&args->cores));
    size_t len = json_dumpb(o, out, out_size - 1, JSON_SORT_KEYS | JSON_COMPACT);
    json_decref(o);
    if (len == 0 || len >= out_size) {
        snprintf(why, size,
                 "what is left out of the run is too long to be recorded: use ranges of "
                 "fewer decisions, or --record none");
        return false;
    }
    out[len] = 0;
    return true;
}

/* ---- and back ---- */

static bool take_list(const json_t *list, uint32_t **numbers, size_t *count)
{
    size_t n = json_array_size(list);
    *numbers = calloc(n ? n : 1, sizeof **numbers);
    if (!*numbers)
        abort();
    for (size_t i = 0; i < n; i++) {
        json_int_t no = json_integer_value(json_array_get(list, i));
        if (no < 1 || no > UINT32_MAX || (i && no <= (*numbers)[i - 1]))
            return false;
        (*numbers)[(*count)++] = (uint32_t)no;
    }
    return json_is_array(list);
}

/* Builds of the core, which must be the very files that ran. */
static bool take_cores(struct rerun *r, const json_t *cores, char *why, size_t size)
{
    const char *name;
    json_t *core;
    json_object_foreach((json_t *)(uintptr_t)cores, name, core)
    {
        const char *file = json_string_value(json_object_get(core, "file"));
        const char *sha256 = json_string_value(json_object_get(core, "sha256"));
        const char *build = json_string_value(json_object_get(core, "build"));
        char text[4300];
        if (!file || !sha256 || !build) {
            snprintf(why, size, "the run's cores make no sense: its record is damaged");
            return false;
        }
        snprintf(text, sizeof text, "%s=%s", name, file);
        if (!core_list_add(&r->args.cores, text, why, size))
            return false;
        if (strcmp(r->args.cores.more[r->args.cores.count - 1].sha256, sha256) != 0) {
            snprintf(why, size,
                     "%s: has changed since the run (it was the build %.60s, its SHA-256 "
                     "%.12s): put that one there again",
                     file, build, sha256);
            return false;
        }
    }
    return true;
}

static bool take_option(struct rerun *r, const char *key, const json_t *value)
{
    if (strcmp(key, "without") == 0)
        return take_list(value, &r->args.left_out, &r->args.left_out_count);
    if (strcmp(key, "only") == 0) {
        r->args.has_only = true;
        return take_list(value, &r->args.only, &r->args.only_count);
    }
    if (strcmp(key, "swarm") == 0) {
        r->args.swarm = json_is_true(value);
        return json_is_boolean(value);
    }
    if (strcmp(key, "audit") == 0) {
        r->args.audit = json_is_true(value);
        return json_is_boolean(value);
    }
    if (strcmp(key, "until_ns") == 0 && json_integer_value(value) > 0) {
        r->args.until_ns = (uint64_t)json_integer_value(value);
        return true;
    }
    if (strcmp(key, "salt") == 0 && json_integer_value(value) > 0) {
        r->args.salt = (uint64_t)json_integer_value(value);
        return true;
    }
    const json_int_t speed = strcmp(key, "speed") == 0 ? json_integer_value(value) : 0;
    if (speed < 1 || speed > ENGINE_SPEED_MAX)
        return false;
    r->args.speed = (uint32_t)speed;
    return true;
}

static bool take_options(struct rerun *r, const char *text, char *why, size_t size)
{
    json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    const char *key;
    json_t *value;
    bool ok = json_is_object(o);
    if (!ok)
        snprintf(why, size, "the run's options are no JSON object: its record is damaged");
    json_object_foreach(o, key, value)
    {
        if (ok && strcmp(key, "cores") == 0 && json_is_object(value)) {
            ok = take_cores(r, value, why, size);
        } else if (ok && !take_option(r, key, value)) {
            snprintf(why, size,
                     "the run was made with an option that this vibesim does not know, "
                     "'%.40s': use the one that made it",
                     key);
            ok = false;
        }
    }
    json_decref(o);
    return ok;
}

bool rerun_take_options(struct args_run *args, const char *options, char *why, size_t size)
{
    struct rerun r = {.args = *args};
    bool ok = take_options(&r, options, why, size);
    *args = r.args;
    return ok;
}

/* A parameter's value as a person types it. */
static char *typed(const json_t *value)
{
    char *text = json_is_string(value) ? strdup(json_string_value(value))
                                       : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    if (!text)
        abort();
    return text;
}

static bool take_params(struct rerun *r, const char *text, char *why, size_t size)
{
    json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    const char *key;
    json_t *value;
    bool ok = json_is_object(o);
    if (!ok)
        snprintf(why, size, "the run's parameters are no JSON object: its record is damaged");
    r->args.params = calloc(json_object_size(o) + 1, sizeof *r->args.params);
    if (!r->args.params)
        abort();
    json_object_foreach(o, key, value)
    {
        char *name = strdup(key);
        if (!name)
            abort();
        r->args.params[r->args.param_count++] =
            (struct engine_param){.key = name, .value = typed(value)};
    }
    json_decref(o);
    return ok;
}

static bool load_scenario(struct rerun *r, const struct read_run *run, char *why, size_t size)
{
    char reason[1024];
    r->loaded.engine = engine_load(r->args.file, reason, sizeof reason);
    if (!r->loaded.engine) {
        snprintf(why, size, "%s", reason);
        return false;
    }
    if (run->sha256 && strcmp(run->sha256, engine_sha256(r->loaded.engine)) != 0) {
        snprintf(why, size,
                 "%s: has changed since the run (its SHA-256 was %.12s): check out the version "
                 "that ran, or name it with --scenario",
                 r->args.file, run->sha256);
        return false;
    }
    return engine_params(r->loaded.engine, r->args.params, r->args.param_count, r->loaded.params,
                         sizeof r->loaded.params, why, size);
}

static char *copy(const char *text)
{
    char *p = strdup(text);
    if (!p)
        abort();
    return p;
}

/* Defaults: one run, not recorded. */
static void begin(struct rerun *r, const char *file)
{
    memset(r, 0, sizeof *r);
    r->args.seed_given = true;
    r->args.speed = 1;
    r->args.record = RECORD_NONE;
    r->args.quiet = true;
    if (!file)
        return;
    r->texts = copy(file);
    r->args.files = malloc(sizeof *r->args.files);
    if (!r->args.files)
        abort();
    r->args.files[0] = r->args.file = r->texts;
    r->args.file_count = 1;
}

void rerun_begin(struct rerun *r, const struct args_run *args, const char *file,
                 struct loaded *loaded)
{
    begin(r, file);
    r->same_build = true;
    r->loaded = *loaded;
    loaded->engine = NULL;
    r->args.params = calloc(args->param_count + 1, sizeof *r->args.params);
    if (!r->args.params)
        abort();
    for (; r->args.param_count < args->param_count; r->args.param_count++) {
        const struct engine_param *param = &args->params[r->args.param_count];
        r->args.params[r->args.param_count] =
            (struct engine_param){.key = copy(param->key), .value = copy(param->value)};
    }
}

bool rerun_load(struct rerun *r, const struct read_run *run, const char *file, char *why,
                size_t size)
{
    begin(r, file ? file : run->file);
    r->args.seed = run->seed;
    r->same_build = run->build && strcmp(run->build, build_name()) == 0;
    r->has_hash = run->has_hash;
    r->trace_hash = run->trace_hash;
    bool ok = run->world && strcmp(run->world, args_world_name(ENGINE_SIM)) == 0;
    if (!ok)
        snprintf(why, size,
                 "run %lld was in the world %s, which repeats nothing: only runs of the world sim "
                 "can be made again",
                 (long long)run->id, run->world ? run->world : "?");
    else if (!file && !run->file) {
        snprintf(why, size,
                 "run %lld does not tell its scenario's file (it was recorded before that was "
                 "kept): name it with --scenario",
                 (long long)run->id);
        ok = false;
    }
    ok = ok && take_params(r, run->params ? run->params : "{}", why, size) &&
         take_options(r, run->options ? run->options : "{}", why, size) &&
         load_scenario(r, run, why, size);
    if (!ok)
        rerun_free(r);
    return ok;
}

void rerun_free(struct rerun *r)
{
    engine_free(r->loaded.engine);
    for (size_t i = 0; i < r->args.param_count; i++)
        free((char *)(uintptr_t)r->args.params[i].value);
    args_run_free(&r->args);
    free(r->texts);
    memset(r, 0, sizeof *r);
}
