/* Loading: the file's text, its top level in a sandbox without a network, and its parameters. */
#include "core/wire/msg.h"
#include "scenarios/options.h"
#include "scenarios/run.h"
#include "scenarios/swarm.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DURATION_MAX   1e8 /* s: three years */
#define LUA_MEMORY_MAX (256ull << 20)
#define LUA_STEPS_MAX  200000000ull

void *run_alloc(size_t size)
{
    void *p = calloc(1, size ? size : 1);
    if (!p)
        abort();
    return p;
}

char *run_strdup(const char *text)
{
    size_t len = strlen(text) + 1;
    return memcpy(run_alloc(len), text, len);
}

/* ---- scenario { } ---- */

bool engine_is_text(const char *text)
{
    return wire_utf8_valid((const uint8_t *)text, strlen(text));
}

/* A parameter from the value on top of the stack; its name is below it. */
static void read_param(lua_State *L, struct param *p)
{
    const char *name = lua_tostring(L, -2);
    snprintf(p->name, sizeof p->name, "%s", name);
    switch (lua_type(L, -1)) {
    case LUA_TBOOLEAN:
        p->type = PARAM_FLAG;
        p->flag = lua_toboolean(L, -1) != 0;
        return;
    case LUA_TNUMBER:
        p->type = lua_isinteger(L, -1) ? PARAM_WHOLE : PARAM_NUMBER;
        p->whole = lua_tointeger(L, -1);
        p->number = lua_tonumber(L, -1);
        if (!isfinite(p->number))
            sandbox_error(L, "scenario: the parameter %s must be a finite number", name);
        return;
    case LUA_TSTRING:
        p->type = PARAM_TEXT;
        if (!engine_is_text(lua_tostring(L, -1)))
            sandbox_error(L, "scenario: the parameter %s must be UTF-8 text", name);
        p->text = run_strdup(lua_tostring(L, -1));
        return;
    default:
        sandbox_error(L,
                      "scenario: the parameter %s must be a number, a string, true or false, got "
                      "%s",
                      name, sandbox_kind(L, -1));
    }
}

static void read_params(lua_State *L, struct engine *engine, int table)
{
    lua_Integer n = sandbox_sorted_keys(L, table);
    if (n > 1000)
        sandbox_error(L, "scenario: more than 1000 parameters");
    engine->params = run_alloc((size_t)n * sizeof *engine->params);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, -1, i);
        if (lua_type(L, -1) != LUA_TSTRING || lua_rawlen(L, -1) >= sizeof engine->params->name ||
            !engine_is_text(lua_tostring(L, -1)))
            sandbox_error(L, "scenario: params must be { name = value }, names of at most 63 bytes "
                             "of UTF-8 text");
        lua_pushvalue(L, -1);
        lua_rawget(L, table);
        engine->param_count = (size_t)i;
        read_param(L, &engine->params[i - 1]);
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
}

/* The directions of metrics in the table at that index. */
static void read_better(lua_State *L, struct engine *engine, int table)
{
    lua_Integer n = sandbox_sorted_keys(L, table);
    if (n > 1000)
        sandbox_error(L, "scenario: more than 1000 metrics in better");
    engine->better = run_alloc((size_t)n * sizeof *engine->better);
    engine->about.better = engine->better;
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, -1, i);
        bool named = lua_type(L, -1) == LUA_TSTRING;
        lua_pushvalue(L, -1);
        lua_rawget(L, table);
        const char *word = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
        bool less = strcmp(word, "less") == 0;
        if (!named || (!less && strcmp(word, "more") != 0)) {
            const int key = lua_absindex(L, -2); /* naming a kind pushes it */
            const char *given = *word ? word : sandbox_kind(L, -1);
            sandbox_error(L,
                          "scenario: better must be { metric = \"less\" or \"more\" }, got %s "
                          "for %s",
                          given, named ? lua_tostring(L, key) : sandbox_kind(L, key));
        }
        engine->better[i - 1] = (struct engine_direction){
            run_strdup(lua_tostring(L, -2)), less ? ENGINE_BETTER_LESS : ENGINE_BETTER_MORE};
        engine->about.better_count = (size_t)i;
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
}

static int scenario(lua_State *L)
{
    struct run *run = run_of(L);
    struct engine *engine = run->engine;
    const char *name = NULL;
    const char *about = "";
    double duration = -1;
    int params = 0;
    int cores = 0;
    int swarm = 0;
    int better = 0;
    const struct option options[] = {
        {.name = "name", .kind = OPTION_TEXT, .out = &name},
        {.name = "about", .kind = OPTION_TEXT, .out = &about},
        {.name = "duration", .kind = OPTION_NUMBER, .out = &duration, .hi = DURATION_MAX},
        {.name = "params", .kind = OPTION_TABLE, .out = &params},
        {.name = "cores", .kind = OPTION_TABLE, .out = &cores},
        {.name = "swarm", .kind = OPTION_TABLE, .out = &swarm},
        {.name = "better", .kind = OPTION_TABLE, .out = &better},
    };
    if (run->phase != RUN_TOP)
        sandbox_error(L, "scenario { } belongs to the top level of the file");
    if (lua_type(L, 1) != LUA_TTABLE)
        sandbox_error(L, "scenario takes a table: scenario { name = ..., duration = ... }");
    options_read(L, 1, "scenario", options, sizeof options / sizeof *options);
    if (duration <= 0)
        sandbox_error(L, duration < 0 ? "scenario: duration (in seconds) is missing"
                                      : "scenario: duration must be more than 0 seconds");
    if (run->has_world) /* a run evaluates the file again: known already */
        return 0;
    if (engine->described)
        sandbox_error(L, "scenario { } was given twice");
    engine->described = true;
    engine->about.duration_s = duration;
    if (name)
        snprintf(engine->about.name, sizeof engine->about.name, "%s", name);
    snprintf(engine->about.about, sizeof engine->about.about, "%s", about);
    if (params)
        read_params(L, engine, params);
    if (engine->pinned.param_count)
        pinned_apply(L, engine);
    if (cores)
        lua_cores_read(L, cores, engine);
    engine->about.swarm = swarm != 0;
    if (swarm)
        swarm_read(L, swarm, engine);
    if (better)
        read_better(L, engine, better);
    return 0;
}

/* ---- the state ---- */

static int top_level(lua_State *L)
{
    struct run *run = run_of(L);
    units_open(L);
    schedule_open(L);
    checks_open(L);
    lua_net_open(L);
    lua_group_open(L);
    lua_node_open(L);
    lua_peer_open(L);
    lua_blocks_open(L);
    lua_forge_open(L);
    lua_pushcfunction(L, scenario);
    lua_setglobal(L, "scenario");
    pinned_open(L);
    if (!sandbox_compile(L, run->engine->source))
        return lua_error(L);
    lua_call(L, 0, 0);
    const char *file = run->engine->source->chunk + 1;
    lua_pushglobaltable(L);
    lua_pushliteral(L, "run");
    bool has_run = lua_rawget(L, -2) == LUA_TFUNCTION;
    if (!run->engine->described)
        lua_pushfstring(L, "%s:1: there is no scenario { name = ..., duration = ... }", file);
    else if (!has_run)
        lua_pushfstring(L, "%s:1: there is no function run(net, p)", file);
    else
        return 0;
    return lua_error(L);
}

bool engine_open_state(struct run *run, char *why, size_t size)
{
    const struct engine_options *o = run->options;
    if (!sandbox_open(&run->sandbox, o->lua_memory_max, o->lua_steps_max, run->seed)) {
        snprintf(why, size, "%s: lua_memory_max is too small for any script",
                 run->engine->source->path);
        return false;
    }
    run->L = run->sandbox.L;
    run->sandbox.user = run;
    run->sandbox.sources = &run->engine->sources;
    run->sandbox.interrupt = o->interrupt;
    lua_pushcfunction(run->L, top_level);
    int status = sandbox_call(run->L, 0, 0);
    if (sandbox_limit(&run->sandbox, status))
        snprintf(why, size, "%s", run->sandbox.limit);
    else if (status != LUA_OK)
        snprintf(why, size, "%s",
                 lua_type(run->L, -1) == LUA_TSTRING ? lua_tostring(run->L, -1)
                                                     : "the script raised an error without text");
    return status == LUA_OK;
}

static void name_from_path(struct engine *engine)
{
    const char *slash = strrchr(engine->source->path, '/');
    const char *name = slash ? slash + 1 : engine->source->path;
    const char *dot = strrchr(name, '.');
    int len = dot && dot != name ? (int)(dot - name) : (int)strlen(name);
    snprintf(engine->about.name, sizeof engine->about.name, "%.*s", len, name);
}

struct engine *engine_load(const char *path, char *why, size_t size)
{
    struct engine *engine = run_alloc(sizeof *engine);
    sources_init(&engine->sources);
    engine->source = sources_get(&engine->sources, path, why, size);
    if (!engine->source) {
        engine_free(engine);
        return NULL;
    }
    name_from_path(engine);
    struct engine_options options;
    engine_options_init(&options);
    struct run run = {.engine = engine, .options = &options, .phase = RUN_TOP};
    bool ok = engine_open_state(&run, why, size);
    sandbox_close(&run.sandbox);
    sources_sha256(&engine->sources, engine->sha256);
    if (ok)
        return engine;
    engine_free(engine);
    return NULL;
}

void engine_free(struct engine *engine)
{
    if (!engine)
        return;
    swarm_spec_free(engine->swarm);
    engine_params_free(engine->params, engine->param_count);
    pinned_free(&engine->pinned);
    for (size_t i = 0; i < engine->about.better_count; i++)
        free((char *)(uintptr_t)engine->better[i].metric);
    free(engine->better);
    sources_deinit(&engine->sources);
    free(engine);
}

const struct engine_about *engine_about(const struct engine *engine)
{
    return &engine->about;
}

const char *engine_sha256(const struct engine *engine)
{
    return engine->sha256;
}

const struct engine_pinned *engine_pinned(const struct engine *engine)
{
    return &engine->pinned.told;
}

const char *engine_text(const struct engine *engine)
{
    return engine->source->text;
}

void engine_modules(const struct engine *engine,
                    void (*each)(void *ctx, const char *name, const char *text), void *ctx)
{
    for (const struct source *s = engine->source->next; s; s = s->next)
        if (s->module[0])
            each(ctx, s->module, s->text);
}

/* ---- parameters ---- */

void engine_params_free(struct param *params, size_t count)
{
    for (size_t i = 0; params && i < count; i++)
        free(params[i].text);
    free(params);
}

static bool parse_number(struct param *p, const char *value)
{
    char *end;
    errno = 0;
    long long whole = strtoll(value, &end, 10);
    bool is_whole = end != value && *end == 0 && errno == 0;
    double number = strtod(value, &end);
    if (end == value || *end != 0 || !isfinite(number))
        return false;
    p->type = is_whole && p->type == PARAM_WHOLE ? PARAM_WHOLE : PARAM_NUMBER;
    p->whole = whole;
    p->number = number;
    return true;
}

static bool parse_value(struct param *p, const char *value)
{
    switch (p->type) {
    case PARAM_WHOLE:
    case PARAM_NUMBER:
        return parse_number(p, value);
    case PARAM_FLAG:
        p->flag = strcmp(value, "true") == 0;
        return p->flag || strcmp(value, "false") == 0;
    case PARAM_TEXT:
        free(p->text);
        p->text = run_strdup(value);
        return engine_is_text(value);
    }
    return false;
}

static struct param *find_param(const struct engine *engine, struct param *params, const char *key,
                                char *why, size_t size)
{
    struct suggest best;
    suggest_init(&best, key);
    for (size_t i = 0; i < engine->param_count; i++) {
        if (strcmp(params[i].name, key) == 0)
            return &params[i];
        suggest_offer(&best, params[i].name);
    }
    char hint[SUGGEST_HINT];
    suggest_text(&best, hint, sizeof hint);
    if (hint[0] || engine->param_count == 0) {
        snprintf(why, size, "%s has no parameter '%s'%s", engine->about.name, key, hint);
        return NULL;
    }
    int at = snprintf(why, size, "%s has no parameter '%s'; there are:", engine->about.name, key);
    for (size_t i = 0; i < engine->param_count && at >= 0 && (size_t)at < size; i++)
        at += snprintf(why + at, size - (size_t)at, "%s %s", i ? "," : "", params[i].name);
    return NULL;
}

struct param *engine_resolve(const struct engine *engine, const struct engine_param *given,
                             size_t count, char *why, size_t size)
{
    static const char *const types[] = {"a number", "a number", "true or false", "UTF-8 text"};
    size_t n = engine->param_count;
    struct param *params = run_alloc(n * sizeof *params);
    for (size_t i = 0; i < n; i++) {
        params[i] = engine->params[i];
        if (params[i].text)
            params[i].text = run_strdup(params[i].text);
    }
    for (size_t i = 0; i < count; i++) {
        struct param *p = find_param(engine, params, given[i].key, why, size);
        if (p && parse_value(p, given[i].value))
            continue;
        if (p)
            snprintf(why, size, "%s: the parameter %s must be %s, got \"%s\"", engine->about.name,
                     p->name, types[p->type], given[i].value);
        engine_params_free(params, n);
        return NULL;
    }
    return params;
}

static json_t *param_json(const struct param *p)
{
    switch (p->type) {
    case PARAM_WHOLE:
        return json_integer(p->whole);
    case PARAM_NUMBER:
        return json_real(p->number);
    case PARAM_FLAG:
        return json_boolean(p->flag);
    case PARAM_TEXT:
        return json_string(p->text);
    }
    return NULL;
}

struct param *engine_resolve_run(const struct engine *engine, const struct engine_options *o,
                                 char *why, size_t size)
{
    if (o->swarm && !engine->swarm) {
        snprintf(why, size,
                 "%s allows no swarm mode: say in scenario { } what may happen to it, like swarm = "
                 "{ faults = { \"kill\", \"partition\" } }",
                 engine->source->path);
        return NULL;
    }
    struct param *params = engine_resolve(engine, o->params, o->param_count, why, size);
    if (params && o->swarm)
        swarm_draw_params(engine, o->seed, params, o->params, o->param_count);
    return params;
}

static bool write_params(const struct engine *engine, const struct param *params, char *json,
                         size_t json_size, char *why, size_t size)
{
    json_t *object = json_object();
    for (size_t i = 0; i < engine->param_count; i++)
        json_object_set_new(object, params[i].name, param_json(&params[i]));
    size_t need = json_dumpb(object, json, json_size - 1,
                             JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    if (need < json_size)
        json[need] = 0;
    else
        snprintf(why, size, "%s: the parameters are longer than %zu bytes", engine->about.name,
                 json_size);
    json_decref(object);
    return need < json_size;
}

static bool params_of(const struct engine *engine, const struct engine_options *options, char *json,
                      size_t json_size, char *why, size_t size)
{
    struct param *params = engine_resolve_run(engine, options, why, size);
    bool ok = params && write_params(engine, params, json, json_size, why, size);
    engine_params_free(params, engine->param_count);
    return ok;
}

bool engine_params(const struct engine *engine, const struct engine_param *given, size_t count,
                   char *json, size_t json_size, char *why, size_t size)
{
    const struct engine_options options = {.params = given, .param_count = count};
    return params_of(engine, &options, json, json_size, why, size);
}

bool engine_swarm_params(const struct engine *engine, uint64_t seed,
                         const struct engine_param *given, size_t count, char *json,
                         size_t json_size, char *why, size_t size)
{
    const struct engine_options options = {
        .seed = seed, .swarm = true, .params = given, .param_count = count};
    return params_of(engine, &options, json, json_size, why, size);
}

/* ---- options ---- */

/* Half of the memory that the machine has left, or 2 GiB where it does not say. */
static uint64_t default_memory(void)
{
    char line[160];
    unsigned long long kib = 0;
    FILE *f = fopen("/proc/meminfo", "r");
    while (f && kib == 0 && fgets(line, sizeof line, f))
        if (strncmp(line, "MemAvailable:", 13) == 0)
            kib = strtoull(line + 13, NULL, 10);
    if (f)
        fclose(f);
    return kib ? kib * 512 : 2ull << 30;
}

void engine_options_init(struct engine_options *options)
{
    *options = (struct engine_options){
        .memory_max = default_memory(),
        .lua_memory_max = LUA_MEMORY_MAX,
        .lua_steps_max = LUA_STEPS_MAX,
        .speed = 1,
    };
}
