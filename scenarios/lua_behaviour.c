/* net:peer { behaviour = "ping-flood", rate = 500 }: a scripted peer from the library.
 *
 * A behaviour is a table in one of the modules behaviours/NAME:
 *
 *     ["ping-flood"] = {
 *       about = "...",
 *       params = { rate = { 200, lo = 1, hi = 100000, unit = "Pings a second" } },
 *       peer = function(o) return { on_message = ..., play = function(peer) ... end } end,
 *     }
 *
 * `peer` makes, of the checked parameters and `targets`, what net:peer takes from a script that
 * plays by itself. A script gives such a table of its own in place of a name. */
#include "scenarios/decision.h"
#include "scenarios/embedded.h"
#include "scenarios/lua_peer.h"
#include "scenarios/options.h"

#include <stdio.h>
#include <string.h>

/* What is given for a behaviour, and where on the stack things are. */
enum { OPTIONS = 2, TARGETS, DEFINITION, PARAMS, CHECKED };

/* ---- the library ---- */

/* Whether the value on top of the stack is a behaviour. */
static bool is_definition(lua_State *L)
{
    if (lua_type(L, -1) != LUA_TTABLE)
        return false;
    bool yes = lua_getfield(L, -1, "about") == LUA_TSTRING;
    yes = lua_getfield(L, -2, "peer") == LUA_TFUNCTION && yes;
    lua_pop(L, 2);
    return yes;
}

/* Pushes the behaviour of that name in the module on top of the stack; false: there is none. */
static bool push_named(lua_State *L, const char *name)
{
    if (lua_type(L, -1) == LUA_TTABLE && lua_getfield(L, -1, name) != LUA_TNIL)
        return is_definition(L);
    return false;
}

/* Offers all names for a suggestion, and adds them to the list. */
static void offer_names(lua_State *L, struct suggest *best, char *list, size_t size)
{
    size_t at = strlen(list);
    if (lua_type(L, -1) != LUA_TTABLE)
        return;
    lua_Integer n = sandbox_sorted_keys(L, -1);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, -1, i);
        const char *name = lua_tostring(L, -1);
        lua_pushvalue(L, -1);
        lua_gettable(L, -4);
        if (is_definition(L)) {
            suggest_offer(best, name);
            if (at < size)
                at += (size_t)snprintf(list + at, size - at, "%s%s", at ? " " : "", name);
        }
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
}

static void module_name(char out[80], const struct embedded *e)
{
    snprintf(out, 80, "%.*s", (int)(strlen(e->name) - strlen(".lua")), e->name);
}

static _Noreturn void unknown(lua_State *L, const char *name)
{
    char list[1200] = "";
    char module[80];
    char hint[SUGGEST_HINT];
    struct suggest best;
    suggest_init(&best, name);
    for (const struct embedded *e = embedded_modules; e->name; e++) {
        module_name(module, e);
        sandbox_require(L, module);
        offer_names(L, &best, list, sizeof list);
        lua_pop(L, 1);
    }
    suggest_text(&best, hint, sizeof hint);
    if (hint[0])
        sandbox_error(L, "net:peer: there is no behaviour '%s'%s", name, hint);
    sandbox_error(L, "net:peer: there is no behaviour '%s'; there are: %.300s ...", name, list);
}

/* Pushes the behaviour that the options ask for. */
static void push_definition(lua_State *L, struct behaviour *out)
{
    lua_getfield(L, OPTIONS, "behaviour");
    if (lua_type(L, -1) == LUA_TTABLE) {
        if (!is_definition(L))
            sandbox_error(L, "net:peer: a behaviour of your own is a table { about = \"...\", "
                             "peer = function(o) ... end }, with params if it has any");
        snprintf(out->name, sizeof out->name, "%s", "of the script");
        return;
    }
    if (lua_type(L, -1) != LUA_TSTRING)
        sandbox_error(L, "net:peer: behaviour must be a name or a table, got %s",
                      sandbox_kind(L, -1));
    const char *name = lua_tostring(L, -1);
    snprintf(out->name, sizeof out->name, "%s", name);
    for (const struct embedded *e = embedded_modules; e->name; e++) {
        char module[80];
        int top = lua_gettop(L);
        module_name(module, e);
        sandbox_require(L, module);
        if (push_named(L, name)) {
            lua_replace(L, DEFINITION);
            lua_settop(L, DEFINITION);
            return;
        }
        lua_settop(L, top);
    }
    unknown(L, name);
}

/* ---- parameters ---- */

static double bound(lua_State *L, int spec, const char *name)
{
    lua_getfield(L, spec, name);
    double v = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return v;
}

/* The value on top of the stack must be like the default: of its type, and within lo..hi. */
static void check_param(lua_State *L, const char *name, int spec, int type, bool whole,
                        const char *what)
{
    union {
        double number;
        uint64_t whole;
        const char *text;
        bool flag;
    } sink;
    struct option option = {.name = name, .out = &sink};
    option.kind = type == LUA_TBOOLEAN  ? OPTION_FLAG
                  : type == LUA_TSTRING ? OPTION_TEXT
                  : whole               ? OPTION_WHOLE
                                        : OPTION_NUMBER;
    option.lo = bound(L, spec, "lo");
    option.hi = bound(L, spec, "hi");
    int top = lua_gettop(L);
    option_value(L, top, what, &option);
    lua_settop(L, top);
}

/* One parameter, whose name and specification are on top of the stack: into the checked ones. */
static void read_param(lua_State *L, struct behaviour *out, const char *what)
{
    int spec = lua_gettop(L);
    const char *name = lua_tostring(L, spec - 1);
    if (lua_type(L, spec) != LUA_TTABLE || lua_rawgeti(L, spec, 1) == LUA_TNIL)
        sandbox_error(L, "%s: the parameter '%s' must be { default, lo =, hi =, unit = }", what,
                      name);
    int type = lua_type(L, -1);
    bool whole = lua_isinteger(L, -1) != 0;
    if (lua_getfield(L, OPTIONS, name) == LUA_TNIL) {
        lua_pop(L, 1);
    } else {
        lua_replace(L, -2);
        check_param(L, name, spec, type, whole, what);
    }
    size_t at = strlen(out->params);
    snprintf(out->params + at, sizeof out->params - at, "%s%s=%s", at ? " " : "", name,
             sandbox_tostring(L, -1, NULL));
    lua_pop(L, 1);
    lua_setfield(L, CHECKED, name);
}

static void read_params(lua_State *L, struct behaviour *out, const char *what)
{
    if (lua_isnil(L, PARAMS))
        return;
    lua_Integer n = sandbox_sorted_keys(L, PARAMS);
    int keys = lua_gettop(L);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, keys, i);
        if (lua_type(L, -1) != LUA_TSTRING)
            sandbox_error(L, "%s: the params of a behaviour are { name = { default } }", what);
        lua_pushvalue(L, -1);
        lua_gettable(L, PARAMS);
        read_param(L, out, what);
        lua_settop(L, keys);
    }
    lua_pop(L, 1);
}

/* ---- what is left for net:peer ---- */

static const char *const played[] = {"on_link", "on_message", "on_bytes", "on_close", "play"};
#define PLAYED (sizeof played / sizeof *played)

/* A word that is neither one of the behaviour's nor of net:peer, but close to one of the former. */
static void check_misspelt(lua_State *L, const char *name, const char *what)
{
    struct suggest best;
    suggest_init(&best, name);
    suggest_offer(&best, "targets");
    lua_Integer n = lua_isnil(L, PARAMS) ? 0 : sandbox_sorted_keys(L, PARAMS);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, -1, i);
        suggest_offer(&best, lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    if (best.best)
        sandbox_error(L, "%s: unknown parameter '%s'; did you mean '%s'?", what, name, best.best);
    if (!lua_isnil(L, PARAMS))
        lua_pop(L, 1);
}

/* Pushes a table of the options that are not the behaviour's. */
static void push_others(lua_State *L, const char *what)
{
    lua_newtable(L);
    int others = lua_gettop(L);
    lua_Integer n = sandbox_sorted_keys(L, OPTIONS);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, others + 1, i);
        const char *name = sandbox_tostring(L, -1, NULL);
        lua_pop(L, 1);
        for (size_t k = 0; k < PLAYED; k++)
            if (strcmp(name, played[k]) == 0)
                sandbox_error(L, "%s: a behaviour and %s exclude each other", what, name);
        lua_pushvalue(L, -1);
        bool own = strcmp(name, "behaviour") == 0 || strcmp(name, "targets") == 0;
        own = lua_gettable(L, CHECKED) != LUA_TNIL || own;
        lua_pop(L, 1);
        if (!own) {
            if (strcmp(name, "uplink") != 0 && strcmp(name, "downlink") != 0)
                check_misspelt(L, name, what);
            lua_pushvalue(L, -1);
            lua_gettable(L, OPTIONS);
            lua_rawset(L, others);
        } else {
            lua_pop(L, 1);
        }
    }
    lua_settop(L, others);
}

void lua_behaviour_read(lua_State *L, struct behaviour *out)
{
    char what[100];
    *out = (struct behaviour){0};
    if (lua_type(L, OPTIONS) != LUA_TTABLE)
        return;
    lua_settop(L, OPTIONS);
    out->named = lua_getfield(L, OPTIONS, "behaviour") != LUA_TNIL;
    lua_settop(L, OPTIONS);
    if (!out->named)
        return;
    luaL_checkstack(L, 30, "net:peer");
    lua_getfield(L, OPTIONS, "targets");
    out->targets = lua_group_opt(L, TARGETS, "targets");
    lua_replace(L, TARGETS);
    push_definition(L, out);
    snprintf(what, sizeof what, "net:peer: %s", out->name);
    if (out->targets->n == 0)
        sandbox_error(L, "%s: there is no target; spawn the nodes first", what);
    lua_getfield(L, DEFINITION, "params");
    lua_newtable(L);
    read_params(L, out, what);
    push_others(L, what);
    lua_pushvalue(L, TARGETS);
    lua_setfield(L, CHECKED, "targets");
    lua_getfield(L, DEFINITION, "peer");
    lua_pushvalue(L, CHECKED);
    lua_call(L, 1, 1);
    if (lua_type(L, -1) != LUA_TTABLE)
        sandbox_error(L, "%s: peer(o) must return a table { play = ... }, got %s", what,
                      sandbox_kind(L, -1));
    for (size_t k = 0; k < PLAYED; k++) {
        lua_getfield(L, -1, played[k]);
        lua_setfield(L, -3, played[k]);
    }
    lua_pop(L, 1);
    lua_replace(L, OPTIONS);
    lua_settop(L, TARGETS);
}

bool lua_behaviour_take(struct run *run, uint32_t host, const struct behaviour *b)
{
    struct decision decision;
    decision_begin(&decision, "peer");
    decision_text(&decision, "behaviour", b->name);
    decision_number(&decision, "host", host);
    decision_text(&decision, "params", b->params);
    decision_hosts(&decision, "targets", b->targets->hosts, b->targets->n);
    return decision_take(run, &decision);
}
