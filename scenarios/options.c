/* Option tables. Failure mode: the first wrong option, in the order of their names, raises an error
 * that a person can act on. */
#include "scenarios/options.h"

#include "core/base/exact.h"
#include "scenarios/run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SECONDS_MAX 1e9 /* 31 years: its nanoseconds fit */

/* ---- one value ---- */

/* What was given, for an error: a number or string as written, else its type. */
static const char *given_text(lua_State *L, int index)
{
    if (lua_type(L, index) == LUA_TSTRING)
        return lua_pushfstring(L, "\"%s\"", lua_tostring(L, index));
    if (lua_type(L, index) == LUA_TNUMBER || lua_type(L, index) == LUA_TBOOLEAN)
        return sandbox_tostring(L, index, NULL);
    return sandbox_kind(L, index);
}

static _Noreturn void refuse(lua_State *L, int index, const char *what, const struct option *option,
                             const char *allowed)
{
    sandbox_error(L, "%s: %s must be %s, got %s", what, option->name, allowed,
                  given_text(L, index));
}

static void bounds(const struct option *option, double *lo, double *hi)
{
    bool open = option->lo >= option->hi;
    *lo = open ? 0 : option->lo;
    *hi = open ? (option->kind == OPTION_TIME ? SECONDS_MAX : 9007199254740992.0) : option->hi;
}

static const char *range_text(const struct option *option, char *out, size_t size)
{
    double lo, hi;
    bounds(option, &lo, &hi);
    const char *unit = option->kind == OPTION_TIME    ? "seconds, "
                       : option->kind == OPTION_RATE  ? "bits/s, "
                       : option->kind == OPTION_WHOLE ? "a whole number, "
                       : option->kind == OPTION_DIST  ? "a number or a distribution, "
                                                      : "";
    if (option->lo >= option->hi)
        snprintf(out, size, "%s%.10g or more", unit, lo);
    else
        snprintf(out, size, "%s%.10g..%.10g", unit, lo, hi);
    return out;
}

static double ranged_number(lua_State *L, int index, const char *what, const struct option *option)
{
    char text[96];
    double lo, hi;
    bounds(option, &lo, &hi);
    double v = lua_type(L, index) == LUA_TNUMBER ? lua_tonumber(L, index) : (double)NAN;
    bool whole = option->kind == OPTION_WHOLE || option->kind == OPTION_RATE;
    bool fits = v >= lo && v <= hi; /* false for NaN */
    if (!fits || (whole && v - (double)(uint64_t)v != 0))
        refuse(L, index, what, option, range_text(option, text, sizeof text));
    return v;
}

static void read_dist(lua_State *L, int index, const char *what, const struct option *option)
{
    struct sim_dist *out = option->out;
    char text[96];
    char why[120];
    if (!units_dist(L, index, out))
        refuse(L, index, what, option, range_text(option, text, sizeof text));
    if (out->kind == SIM_CONSTANT)
        ranged_number(L, index, what, option);
    else if (!sim_dist_check(out, why, sizeof why))
        sandbox_error(L, "%s: %s: %s", what, option->name, why);
}

static void read_typed(lua_State *L, int index, const char *what, const struct option *option)
{
    int type = lua_type(L, index);
    switch (option->kind) {
    case OPTION_NUMBER:
        *(double *)option->out = ranged_number(L, index, what, option);
        break;
    case OPTION_WHOLE:
    case OPTION_RATE:
        *(uint64_t *)option->out = (uint64_t)ranged_number(L, index, what, option);
        break;
    case OPTION_TIME:
        *(uint64_t *)option->out = exact_ns_from_seconds(ranged_number(L, index, what, option));
        break;
    case OPTION_DIST:
        read_dist(L, index, what, option);
        break;
    case OPTION_TEXT:
        if (type != LUA_TSTRING)
            refuse(L, index, what, option, "a string");
        lua_pushvalue(L, index);
        *(const char **)option->out = lua_tostring(L, -1);
        break;
    case OPTION_FLAG:
        if (type != LUA_TBOOLEAN)
            refuse(L, index, what, option, "true or false");
        *(bool *)option->out = lua_toboolean(L, index) != 0;
        break;
    case OPTION_HOSTS:
        *(const struct group **)option->out = lua_group_arg(L, index, what);
        break;
    case OPTION_FUNCTION:
    case OPTION_TABLE:
        if (type != (option->kind == OPTION_TABLE ? LUA_TTABLE : LUA_TFUNCTION))
            refuse(L, index, what, option, option->kind == OPTION_TABLE ? "a table" : "a function");
        lua_pushvalue(L, index);
        *(int *)option->out = lua_gettop(L);
        break;
    }
    if (option->given)
        *option->given = true;
}

void option_value(lua_State *L, int index, const char *what, const struct option *option)
{
    read_typed(L, lua_absindex(L, index), what, option);
}

/* ---- tables ---- */

static _Noreturn void unknown_option(lua_State *L, const char *what, const char *name,
                                     const struct option *options, size_t count)
{
    char hint[SUGGEST_HINT];
    struct suggest best;
    suggest_init(&best, name);
    for (size_t i = 0; i < count; i++)
        suggest_offer(&best, options[i].name);
    suggest_text(&best, hint, sizeof hint);
    if (hint[0])
        sandbox_error(L, "%s: unknown option '%s'%s", what, name, hint);
    char list[300] = "";
    size_t at = 0;
    for (size_t i = 0; i < count && at < sizeof list; i++)
        at += (size_t)snprintf(list + at, sizeof list - at, "%s%s", i ? ", " : "", options[i].name);
    sandbox_error(L, "%s: unknown option '%s'; there are: %s", what, name, list);
}

void options_read(lua_State *L, int index, const char *what, const struct option *options,
                  size_t count)
{
    if (lua_isnoneornil(L, index))
        return;
    index = lua_absindex(L, index);
    if (lua_type(L, index) != LUA_TTABLE)
        sandbox_error(L, "%s: the options must be a table { name = value }, got %s", what,
                      sandbox_kind(L, index));
    luaL_checkstack(L, (int)count + 8, what);
    lua_Integer n = sandbox_sorted_keys(L, index);
    for (lua_Integer k = 1; k <= n; k++) {
        lua_rawgeti(L, -1, k);
        const char *name = sandbox_tostring(L, -1, NULL);
        size_t i = 0;
        while (i < count && strcmp(options[i].name, name) != 0)
            i++;
        if (i == count)
            unknown_option(L, what, name, options, count);
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
    for (size_t i = 0; i < count; i++) {
        lua_pushstring(L, options[i].name);
        lua_rawget(L, index);
        int at = lua_gettop(L);
        if (!lua_isnil(L, at))
            read_typed(L, at, what, &options[i]);
        lua_remove(L, at);
        /* a FUNCTION or TABLE was pushed above: it has moved down by one */
        bool kept = options[i].kind == OPTION_FUNCTION || options[i].kind == OPTION_TABLE;
        if (kept && lua_gettop(L) >= at)
            *(int *)options[i].out = at;
    }
}

void options_fields(lua_State *L, const char *what, const char *of, const char *const *names)
{
    int table = lua_gettop(L);
    (void)of;
    lua_Integer n = sandbox_sorted_keys(L, table);
    for (lua_Integer i = 1; i <= n; i++) {
        struct suggest best;
        char hint[SUGGEST_HINT];
        lua_rawgeti(L, -1, i);
        const char *name = sandbox_tostring(L, -1, NULL);
        suggest_init(&best, name);
        bool known = false;
        for (size_t k = 0; names[k] && !known; k++) {
            known = strcmp(names[k], name) == 0;
            suggest_offer(&best, names[k]);
        }
        suggest_text(&best, hint, sizeof hint);
        if (!known)
            sandbox_error(L, "%s: unknown field '%s'%s", what, name, hint);
        lua_pop(L, 2);
    }
    lua_settop(L, table);
}
