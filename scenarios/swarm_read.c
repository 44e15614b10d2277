/* Reads what a scenario allows the swarm: `swarm = { params, faults, from, lasting, settle }`.
 * Failure mode: the first thing that is wrong raises an error that a person can act on. */
#include "scenarios/options.h"
#include "scenarios/run.h"
#include "scenarios/swarm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVERY_NS_DEFAULT  (30 * NS_PER_S)
#define LASTING_DEFAULT_S 60.0 /* a fault: 1 s to that */
#define LASTING_MAX_S     3600.0
#define FROM_NS_DEFAULT   (30 * NS_PER_S)
#define WINDOW_NS_DEFAULT (300 * NS_PER_S)
#define SETTLE_NS_DEFAULT (300 * NS_PER_S)
#define WINDOW_MAX_S      100000.0
#define CHOICES_MAX       1000
#define EXACT_MAX         9007199254740992.0 /* 2^53: up to there doubles are whole numbers */

static const char *const kind_names[SWARM_KINDS] = {
    [SWARM_KILL] = "kill",
    [SWARM_PAUSE] = "pause",
    [SWARM_SKEW] = "skew",
    [SWARM_DISK] = "disk",
    [SWARM_PARTITION] = "partition",
    [SWARM_BLACKHOLE] = "blackhole",
    [SWARM_FLAP] = "flap",
    [SWARM_DEGRADE] = "degrade",
    [SWARM_RESET_LINKS] = "reset_links",
    [SWARM_HALF_OPEN] = "half_open",
    [SWARM_FORGET_LINKS] = "forget_links",
    [SWARM_PEER] = "peer",
};

const char *swarm_kind_name(enum swarm_kind kind)
{
    return kind_names[kind];
}

bool swarm_kind_lasts(enum swarm_kind kind)
{
    return kind < SWARM_RESET_LINKS;
}

/* ---- distributions that outlive the state ---- */

static void dist_keep(struct sim_dist *d)
{
    if (d->kind != SIM_EMPIRICAL)
        return;
    double *copy = run_alloc(d->n * sizeof *copy);
    memcpy(copy, d->values, d->n * sizeof *copy);
    d->values = copy;
}

static void dist_free(struct sim_dist *d)
{
    if (d->kind == SIM_EMPIRICAL)
        free((double *)(uintptr_t)d->values);
}

void swarm_spec_free(struct swarm_spec *spec)
{
    if (!spec)
        return;
    for (size_t i = 0; i < spec->choice_count; i++) {
        engine_params_free(spec->choices[i].list, spec->choices[i].count);
        dist_free(&spec->choices[i].range);
    }
    for (size_t i = 0; i < SWARM_KINDS; i++)
        dist_free(&spec->faults[i].lasting);
    free(spec->choices);
    free(spec);
}

/* ---- params ---- */

static size_t find_param(lua_State *L, const struct engine *engine, const char *name)
{
    struct suggest best;
    char hint[SUGGEST_HINT];
    suggest_init(&best, name);
    for (size_t i = 0; i < engine->param_count; i++) {
        if (strcmp(engine->params[i].name, name) == 0)
            return i;
        suggest_offer(&best, engine->params[i].name);
    }
    suggest_text(&best, hint, sizeof hint);
    sandbox_error(L, "swarm: params.%s is no parameter of this scenario%s", name,
                  hint[0] ? hint : "; declare its default in params of scenario { }");
}

/* The value on top of the stack as one of the parameter's type; false if it is none. */
static bool read_value(lua_State *L, const struct param *of, struct param *out)
{
    *out = *of;
    out->text = NULL;
    switch (of->type) {
    case PARAM_WHOLE:
        if (lua_type(L, -1) != LUA_TNUMBER || !lua_isinteger(L, -1))
            return false;
        out->whole = lua_tointeger(L, -1);
        out->number = (double)out->whole;
        return true;
    case PARAM_NUMBER:
        out->number = lua_tonumber(L, -1);
        return lua_type(L, -1) == LUA_TNUMBER && out->number - out->number == 0; /* finite */
    case PARAM_FLAG:
        out->flag = lua_toboolean(L, -1) != 0;
        return lua_type(L, -1) == LUA_TBOOLEAN;
    case PARAM_TEXT:
        if (lua_type(L, -1) != LUA_TSTRING || !engine_is_text(lua_tostring(L, -1)))
            return false;
        out->text = run_strdup(lua_tostring(L, -1));
        return true;
    }
    return false;
}

static void read_list(lua_State *L, const struct param *param, struct swarm_choice *choice)
{
    static const char *const types[] = {"a whole number", "a number", "true or false",
                                        "UTF-8 text"};
    lua_Integer n = luaL_len(L, -1);
    lua_Integer keys = sandbox_sorted_keys(L, -1);
    lua_pop(L, 1);
    if (n < 1 || n > CHOICES_MAX || keys != n)
        sandbox_error(L,
                      "swarm: params.%s must be a list of 1..%d values, like { 10, 20 }, or a "
                      "distribution",
                      param->name, CHOICES_MAX);
    choice->list = run_alloc((size_t)n * sizeof *choice->list);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, -1, i);
        if (!read_value(L, param, &choice->list[choice->count]))
            sandbox_error(L, "swarm: value %d of params.%s must be %s, as its default is, got %s",
                          (int)i, param->name, types[param->type], sandbox_kind(L, -1));
        choice->count++;
        lua_pop(L, 1);
    }
}

static void read_range(lua_State *L, const struct param *param, const struct sim_dist *range)
{
    if (param->type == PARAM_NUMBER)
        return;
    if (param->type != PARAM_WHOLE)
        sandbox_error(L, "swarm: params.%s is %s by its default: give a list of values",
                      param->name, param->type == PARAM_FLAG ? "true or false" : "a text");
    bool whole = range->kind == SIM_UNIFORM && range->b <= EXACT_MAX &&
                 range->a - (double)(int64_t)range->a == 0 &&
                 range->b - (double)(int64_t)range->b == 0;
    if (!whole)
        sandbox_error(L,
                      "swarm: params.%s is a whole number by its default: give uniform(lo, hi) of "
                      "whole numbers or a list; for others write the default as a number like 0.0",
                      param->name);
}

static void read_params(lua_State *L, int table, struct engine *engine)
{
    struct swarm_spec *spec = engine->swarm;
    lua_Integer n = sandbox_sorted_keys(L, table);
    spec->choices = run_alloc((size_t)n * sizeof *spec->choices);
    for (lua_Integer i = 1; i <= n; i++) {
        struct swarm_choice *choice = &spec->choices[spec->choice_count];
        lua_rawgeti(L, -1, i);
        choice->param = find_param(L, engine, sandbox_tostring(L, -1, NULL));
        const struct param *param = &engine->params[choice->param];
        lua_pop(L, 1); /* sandbox_tostring's */
        lua_rawget(L, table);
        spec->choice_count++;
        struct sim_dist range;
        if (lua_type(L, -1) == LUA_TTABLE) {
            read_list(L, param, choice);
        } else if (lua_type(L, -1) != LUA_TNUMBER && units_dist(L, -1, &range)) {
            read_range(L, param, &range);
            dist_keep(&range);
            choice->range = range;
        } else {
            sandbox_error(L,
                          "swarm: params.%s must be a list of values or a distribution, like "
                          "uniform(1, 5), got %s",
                          param->name, sandbox_kind(L, -1));
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* ---- faults ---- */

static enum swarm_kind find_kind(lua_State *L, const char *name)
{
    struct suggest best;
    char hint[SUGGEST_HINT];
    char all[200] = "; there are:";
    suggest_init(&best, name);
    for (size_t i = 0; i < SWARM_KINDS; i++) {
        if (strcmp(kind_names[i], name) == 0)
            return (enum swarm_kind)i;
        suggest_offer(&best, kind_names[i]);
        size_t at = strlen(all);
        snprintf(all + at, sizeof all - at, "%s %s", i ? "," : "", kind_names[i]);
    }
    suggest_text(&best, hint, sizeof hint);
    sandbox_error(L, "swarm: '%s' is no kind of fault%s", name, hint[0] ? hint : all);
}

/* Settings at index; none: nil. */
static void allow(lua_State *L, const char *name, int index, struct swarm_spec *spec)
{
    enum swarm_kind kind = find_kind(L, name);
    struct swarm_fault *fault = &spec->faults[kind];
    struct sim_dist lasting = {.kind = SIM_UNIFORM, .a = 1, .b = LASTING_DEFAULT_S};
    bool lasts = false;
    if (fault->allowed)
        sandbox_error(L, "swarm: '%s' stands among the faults twice", name);
    if (index != 0 && lua_type(L, index) != LUA_TTABLE)
        sandbox_error(L,
                      "swarm: faults.%s must be a table of settings, like { every = 20 }, got %s",
                      name, sandbox_kind(L, index));
    if (index != 0 && kind == SWARM_PEER)
        sandbox_error(L, "swarm: faults.peer has no settings: peers are the script's; write "
                         "{ \"peer\" }");
    *fault = (struct swarm_fault){
        .allowed = true, .inject = kind != SWARM_PEER, .every_ns = EVERY_NS_DEFAULT};
    const struct option options[] = {
        {"every", OPTION_TIME, &fault->every_ns, 1, WINDOW_MAX_S, NULL},
        {"lasting", OPTION_DIST, &lasting, 0, LASTING_MAX_S, &lasts},
        {"inject", OPTION_FLAG, &fault->inject, 0, 0, NULL}};
    if (index != 0)
        options_read(L, index, "swarm faults", options, sizeof options / sizeof *options);
    if (lasts && !swarm_kind_lasts(kind))
        sandbox_error(L, "swarm: faults.%s is over at once: it has no lasting", name);
    dist_keep(&lasting);
    fault->lasting = lasting;
}

static void read_faults(lua_State *L, int table, struct swarm_spec *spec)
{
    lua_Integer n = sandbox_sorted_keys(L, table);
    if (n == 0)
        sandbox_error(L, "swarm: faults is empty: name some, like { \"kill\", \"partition\" }");
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, -1, i);
        lua_pushvalue(L, -1);
        lua_rawget(L, table); /* keys, key, value */
        bool listed = lua_type(L, -2) == LUA_TNUMBER;
        if (listed && lua_type(L, -1) != LUA_TSTRING)
            sandbox_error(L, "swarm: faults must be names, or name = { settings }, got %s",
                          sandbox_kind(L, -1));
        if (!listed && lua_type(L, -2) != LUA_TSTRING)
            sandbox_error(L, "swarm: faults must be names, or name = { settings }");
        if (listed)
            allow(L, lua_tostring(L, -1), 0, spec);
        else
            allow(L, lua_tostring(L, -2), lua_gettop(L), spec);
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
}

void swarm_read(lua_State *L, int index, struct engine *engine)
{
    int params = 0;
    int faults = 0;
    struct swarm_spec *spec = engine->swarm = run_alloc(sizeof *engine->swarm);
    spec->from_ns = FROM_NS_DEFAULT;
    spec->lasting_ns = WINDOW_NS_DEFAULT;
    spec->settle_ns = SETTLE_NS_DEFAULT;
    const struct option options[] = {
        {"params", OPTION_TABLE, &params, 0, 0, NULL},
        {"faults", OPTION_TABLE, &faults, 0, 0, NULL},
        {"from", OPTION_TIME, &spec->from_ns, 0, WINDOW_MAX_S, NULL},
        {"lasting", OPTION_TIME, &spec->lasting_ns, 1, WINDOW_MAX_S, NULL},
        {"settle", OPTION_TIME, &spec->settle_ns, 1, WINDOW_MAX_S, NULL},
    };
    options_read(L, index, "swarm", options, sizeof options / sizeof *options);
    sandbox_where(L);
    snprintf(spec->where, sizeof spec->where, "%s", lua_tostring(L, -1));
    lua_pop(L, 1);
    if (!faults)
        sandbox_error(L, "swarm: faults are missing: name some, like { \"kill\", \"partition\" }");
    read_faults(L, faults, spec);
    if (params)
        read_params(L, params, engine);
}
