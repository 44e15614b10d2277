/* Groups of hosts: g[1], #g, g:each(fn) ... and the reading of whatever stands for a set of hosts.
 */
#include "scenarios/options.h"
#include "scenarios/run.h"

#include <string.h>

#define GROUP       "group"
#define NESTING_MAX 8

/* ---- classes: shared by all values of the vocabulary ---- */

/* Upvalues: the methods, the class name. */
static int class_index(lua_State *L)
{
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return 1;
    const char *class = lua_tostring(L, lua_upvalueindex(2));
    const char *name = sandbox_tostring(L, 2, NULL);
    struct suggest best;
    suggest_init(&best, name);
    lua_Integer n = sandbox_sorted_keys(L, lua_upvalueindex(1));
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, -1, i);
        suggest_offer(&best, lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    char hint[SUGGEST_HINT];
    suggest_text(&best, hint, sizeof hint);
    sandbox_error(L, "a %s has no '%s'%s", class, name, hint);
}

static int class_assign(lua_State *L)
{
    sandbox_error(L, "a %s cannot be changed; keep what you want to add in a table of your own",
                  lua_tostring(L, lua_upvalueindex(1)));
}

void lua_class(lua_State *L, const char *name, const luaL_Reg *methods)
{
    luaL_newmetatable(L, name);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_pushstring(L, name);
    lua_pushcclosure(L, class_index, 2);
    lua_setfield(L, -2, "__index");
    lua_pushstring(L, name);
    lua_pushcclosure(L, class_assign, 1);
    lua_setfield(L, -2, "__newindex");
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__metatable");
}

/* ---- groups ---- */

struct group *lua_group_new(lua_State *L, uint32_t n)
{
    struct group *g = lua_newuserdatauv(L, sizeof *g + (size_t)n * sizeof(uint32_t), 0);
    g->n = n;
    luaL_setmetatable(L, GROUP);
    return g;
}

static struct group *check_group(lua_State *L, int arg)
{
    return luaL_checkudata(L, arg, GROUP);
}

/* How many hosts the value at arg stands for. */
static uint32_t count_hosts(lua_State *L, int arg, const char *what, int depth)
{
    uint32_t host;
    const struct group *g = luaL_testudata(L, arg, GROUP);
    if (g)
        return g->n;
    if (lua_host_test(L, arg, &host))
        return 1;
    if (lua_type(L, arg) != LUA_TTABLE || depth > NESTING_MAX)
        sandbox_error(L, "%s: a node, a peer, a group, or a table of these is needed, got %s", what,
                      sandbox_kind(L, arg));
    luaL_checkstack(L, 4, what);
    lua_Integer len = (lua_Integer)lua_rawlen(L, arg);
    uint64_t n = 0;
    sandbox_charge(L, (uint64_t)len);
    for (lua_Integer i = 1; i <= len; i++) {
        lua_rawgeti(L, arg, i);
        n += count_hosts(L, lua_gettop(L), what, depth + 1);
        lua_pop(L, 1);
    }
    if (n > 10000000)
        sandbox_error(L, "%s: more than 10,000,000 hosts in one group", what);
    return (uint32_t)n;
}

static uint32_t fill_hosts(lua_State *L, int arg, uint32_t *out)
{
    uint32_t host;
    const struct group *g = luaL_testudata(L, arg, GROUP);
    if (g) {
        memcpy(out, g->hosts, (size_t)g->n * sizeof *out);
        return g->n;
    }
    if (lua_host_test(L, arg, &host)) {
        *out = host;
        return 1;
    }
    lua_Integer len = (lua_Integer)lua_rawlen(L, arg);
    uint32_t n = 0;
    for (lua_Integer i = 1; i <= len; i++) {
        lua_rawgeti(L, arg, i);
        n += fill_hosts(L, lua_gettop(L), out + n);
        lua_pop(L, 1);
    }
    return n;
}

struct group *lua_group_arg(lua_State *L, int arg, const char *what)
{
    arg = lua_absindex(L, arg);
    struct group *same = luaL_testudata(L, arg, GROUP);
    if (same) {
        lua_pushvalue(L, arg);
        return same;
    }
    uint32_t n = count_hosts(L, arg, what, 0);
    struct group *g = lua_group_new(L, n);
    fill_hosts(L, arg, g->hosts);
    return g;
}

struct group *lua_group_opt(lua_State *L, int arg, const char *what)
{
    if (!lua_isnoneornil(L, arg))
        return lua_group_arg(L, arg, what);
    const struct run *run = run_of(L);
    struct group *g = lua_group_new(L, run->nodes);
    uint32_t n = 0;
    for (uint32_t i = 0; i < run->host_count; i++)
        if (run->hosts[i].role != HOST_PEER)
            g->hosts[n++] = i;
    return g;
}

/* ---- methods ---- */

/* Upvalue: the __index of the class. g[i] is a node, everything else a method. */
static int group_index(lua_State *L)
{
    const struct group *g = check_group(L, 1);
    if (lua_type(L, 2) != LUA_TNUMBER) {
        lua_pushvalue(L, lua_upvalueindex(1));
        lua_insert(L, 1);
        lua_call(L, 2, 1);
        return 1;
    }
    lua_Integer i = lua_tointeger(L, 2);
    if (i < 1 || i > (lua_Integer)g->n)
        lua_pushnil(L);
    else
        lua_host_push(L, g->hosts[i - 1]);
    return 1;
}

static int group_len(lua_State *L)
{
    lua_pushinteger(L, check_group(L, 1)->n);
    return 1;
}

static int group_next(lua_State *L)
{
    const struct group *g = check_group(L, 1);
    lua_Integer i = lua_tointeger(L, 2) + 1;
    if (i > (lua_Integer)g->n)
        return 0;
    lua_pushinteger(L, i);
    lua_host_push(L, g->hosts[i - 1]);
    return 2;
}

static int group_pairs(lua_State *L)
{
    check_group(L, 1);
    lua_pushcfunction(L, group_next);
    lua_pushvalue(L, 1);
    lua_pushinteger(L, 0);
    return 3;
}

static void need_function(lua_State *L, const char *what)
{
    if (lua_type(L, 2) != LUA_TFUNCTION)
        sandbox_error(L, "%s takes a function, got %s", what, sandbox_kind(L, 2));
}

/* fn(node, i) for each; fn may wait. */
static int each_k(lua_State *L, int status, lua_KContext i)
{
    (void)status;
    const struct group *g = check_group(L, 1);
    for (; i < (lua_KContext)g->n; i++) {
        lua_settop(L, 2);
        lua_pushvalue(L, 2);
        lua_host_push(L, g->hosts[i]);
        lua_pushinteger(L, (lua_Integer)i + 1);
        lua_callk(L, 2, 0, i + 1, each_k);
    }
    lua_settop(L, 1);
    return 1;
}

static int group_each(lua_State *L)
{
    check_group(L, 1);
    need_function(L, "each");
    return each_k(L, LUA_OK, 0);
}

/* How many of the group fn holds for; stops once `enough` have been counted. */
static uint32_t count_if(lua_State *L, uint32_t enough)
{
    const struct group *g = check_group(L, 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->n && n < enough; i++) {
        lua_pushvalue(L, 2);
        lua_host_push(L, g->hosts[i]);
        lua_pushinteger(L, (lua_Integer)i + 1);
        lua_call(L, 2, 1);
        n += lua_toboolean(L, -1) != 0;
        lua_pop(L, 1);
    }
    return n;
}

static int group_count(lua_State *L)
{
    need_function(L, "count");
    lua_pushinteger(L, count_if(L, UINT32_MAX));
    return 1;
}

static int group_any(lua_State *L)
{
    need_function(L, "any");
    lua_pushboolean(L, count_if(L, 1) > 0);
    return 1;
}

/* True if fn holds for every one; else false and the first it does not hold for. */
static int group_all(lua_State *L)
{
    const struct group *g = check_group(L, 1);
    need_function(L, "all");
    for (uint32_t i = 0; i < g->n; i++) {
        lua_pushvalue(L, 2);
        lua_host_push(L, g->hosts[i]);
        lua_pushinteger(L, (lua_Integer)i + 1);
        lua_call(L, 2, 1);
        if (!lua_toboolean(L, -1)) {
            lua_pushboolean(L, 0);
            lua_host_push(L, g->hosts[i]);
            return 2;
        }
        lua_pop(L, 1);
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* g:slice(from, to): both inclusive, counted from 1. */
static int group_slice(lua_State *L)
{
    const struct group *g = check_group(L, 1);
    lua_Integer from = luaL_checkinteger(L, 2);
    lua_Integer to = luaL_optinteger(L, 3, g->n);
    if (from < 1 || from > to + 1 || to > (lua_Integer)g->n)
        sandbox_error(L, "slice: %lld..%lld is not within 1..%u", (long long)from, (long long)to,
                      g->n);
    uint32_t n = (uint32_t)(to - from + 1);
    struct group *part = lua_group_new(L, n);
    memcpy(part->hosts, g->hosts + (from - 1), (size_t)n * sizeof *part->hosts);
    return 1;
}

void lua_group_open(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"all", group_all},   {"any", group_any},     {"count", group_count},
        {"each", group_each}, {"slice", group_slice}, {NULL, NULL},
    };
    lua_class(L, GROUP, methods);
    lua_getfield(L, -1, "__index");
    lua_pushcclosure(L, group_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, group_len);
    lua_setfield(L, -2, "__len");
    lua_pushcfunction(L, group_pairs);
    lua_setfield(L, -2, "__pairs");
    lua_pop(L, 1);
}
