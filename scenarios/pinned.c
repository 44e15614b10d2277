/* See pinned.h. */
#include "scenarios/pinned.h"

#include "scenarios/options.h"
#include "scenarios/run.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#define ONLY_MAX 1000000

static uint64_t read_seed(lua_State *L, const char *text)
{
    char *end;
    errno = 0;
    unsigned long long seed = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno)
        sandbox_error(L, "pinned: seed must be the text of a whole number from 0 on, got \"%s\"",
                      text);
    return seed;
}

static void read_only(lua_State *L, int table, struct engine_pinned *told)
{
    lua_Integer n = (lua_Integer)lua_rawlen(L, table);
    if (n > ONLY_MAX)
        sandbox_error(L, "pinned: more than %d decisions in only", ONLY_MAX);
    told->has_only = true;
    told->only = run_alloc((size_t)(n ? n : 1) * sizeof *told->only);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, table, i);
        lua_Integer no = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;
        if (no < 1 || no > UINT32_MAX ||
            (told->only_count && no <= told->only[told->only_count - 1]))
            sandbox_error(L, "pinned: only must be a list of numbers of decisions, from 1 on and "
                             "ascending");
        told->only[told->only_count++] = (uint32_t)no;
        lua_pop(L, 1);
    }
}

/* A value as --param has it. */
static char *typed(lua_State *L, int index)
{
    if (lua_type(L, index) == LUA_TBOOLEAN)
        return run_strdup(lua_toboolean(L, index) ? "true" : "false");
    if (lua_type(L, index) != LUA_TSTRING && lua_type(L, index) != LUA_TNUMBER)
        sandbox_error(L, "pinned: a parameter must be a number, a string, true or false, got %s",
                      sandbox_kind(L, index));
    if (lua_type(L, index) == LUA_TNUMBER && !lua_isinteger(L, index)) {
        char text[40];
        snprintf(text, sizeof text, "%.17g", lua_tonumber(L, index));
        return run_strdup(text);
    }
    lua_pushvalue(L, index); /* lua_tostring would change a key's value in place */
    char *text = run_strdup(lua_tostring(L, -1));
    lua_pop(L, 1);
    return text;
}

static void read_params(lua_State *L, int table, struct pinned *pinned)
{
    lua_Integer n = sandbox_sorted_keys(L, table);
    if (n > 1000)
        sandbox_error(L, "pinned: more than 1000 parameters");
    pinned->params = run_alloc((size_t)(n ? n : 1) * sizeof *pinned->params);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, -1, i);
        if (lua_type(L, -1) != LUA_TSTRING)
            sandbox_error(L, "pinned: params must be { name = value }");
        lua_pushvalue(L, -1);
        lua_rawget(L, table);
        char *value = typed(L, -1);
        pinned->params[pinned->param_count++] =
            (struct engine_param){.key = run_strdup(lua_tostring(L, -2)), .value = value};
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
}

static int pin(lua_State *L)
{
    struct run *run = run_of(L);
    struct pinned *pinned = &run->engine->pinned;
    const char *seed = NULL;
    int only = 0;
    int params = 0;
    uint64_t stop_ns = 0;
    bool swarm = false, audit = false;
    const struct option options[] = {
        {.name = "seed", .kind = OPTION_TEXT, .out = &seed},
        {.name = "swarm", .kind = OPTION_FLAG, .out = &swarm},
        {.name = "audit", .kind = OPTION_FLAG, .out = &audit},
        {.name = "stop_at", .kind = OPTION_TIME, .out = &stop_ns, .lo = 1e-9, .hi = 1e9},
        {.name = "only", .kind = OPTION_TABLE, .out = &only},
        {.name = "params", .kind = OPTION_TABLE, .out = &params},
    };
    if (run->phase != RUN_TOP)
        sandbox_error(L, "pinned { } belongs to the top level of the file");
    if (lua_type(L, 1) != LUA_TTABLE)
        sandbox_error(L, "pinned takes a table: pinned { seed = \"7\", only = { 3, 5 } }");
    options_read(L, 1, "pinned", options, sizeof options / sizeof *options);
    if (run->has_world) /* a run evaluates the file again: known already */
        return 0;
    if (pinned->told.there || run->engine->described)
        sandbox_error(L, "pinned { } comes once, before scenario { }");
    pinned->told.there = true;
    pinned->told.swarm = swarm;
    pinned->told.audit = audit;
    pinned->told.until_ns = stop_ns;
    pinned->told.has_seed = seed != NULL;
    if (seed)
        pinned->told.seed = read_seed(L, seed);
    if (only)
        read_only(L, only, &pinned->told);
    if (params)
        read_params(L, params, pinned);
    return 0;
}

static int module(lua_State *L)
{
    if (run_of(L)->phase != RUN_TOP)
        sandbox_error(L, "module belongs to the top level of the file");
    if (lua_type(L, 1) != LUA_TSTRING || lua_type(L, 2) != LUA_TFUNCTION)
        sandbox_error(L, "module takes a name and a function: module(\"tools\", function(...) "
                         "... end)");
    lua_settop(L, 2);
    sandbox_give_module(L, lua_tostring(L, 1));
    return 0;
}

void pinned_open(lua_State *L)
{
    lua_pushcfunction(L, pin);
    lua_setglobal(L, "pinned");
    lua_pushcfunction(L, module);
    lua_setglobal(L, "module");
}

void pinned_apply(lua_State *L, struct engine *engine)
{
    const struct pinned *pinned = &engine->pinned;
    char why[512];
    struct param *params =
        engine_resolve(engine, pinned->params, pinned->param_count, why, sizeof why);
    if (!params)
        sandbox_error(L, "pinned: %s", why);
    engine_params_free(engine->params, engine->param_count);
    engine->params = params;
}

void pinned_free(struct pinned *pinned)
{
    for (size_t i = 0; i < pinned->param_count; i++) {
        free((char *)(uintptr_t)pinned->params[i].key);
        free((char *)(uintptr_t)pinned->params[i].value);
    }
    free(pinned->params);
    free((uint32_t *)(uintptr_t)pinned->told.only);
    memset(pinned, 0, sizeof *pinned);
}
