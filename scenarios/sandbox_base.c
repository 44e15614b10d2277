/* The basic functions: everything of Lua's own that is safe and repeatable, and in place of the
 * others an error that tells the way out. */
#include "scenarios/sandbox.h"

#include "scenarios/concat.h"
#include "scenarios/options.h"

#include <lualib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- text ---- */

/* Numbers for objects without a name, in the order in which they are first shown: an address would
 * differ from run to run. The table is weak, so that showing an object does not keep it. */
static lua_Integer object_number(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    if (lua_getfield(L, LUA_REGISTRYINDEX, "sandbox.numbers") != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_createtable(L, 0, 1);
        lua_pushliteral(L, "k");
        lua_setfield(L, -2, "__mode");
        lua_setmetatable(L, -2);
        lua_pushvalue(L, -1);
        lua_setfield(L, LUA_REGISTRYINDEX, "sandbox.numbers");
    }
    lua_pushvalue(L, index);
    lua_rawget(L, -2);
    lua_Integer n = lua_tointeger(L, -1);
    lua_pop(L, 1);
    if (n == 0) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &sandbox_wait_key);
        n = lua_tointeger(L, -1) + 1;
        lua_pop(L, 1);
        lua_pushinteger(L, n);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &sandbox_wait_key);
        lua_pushvalue(L, index);
        lua_pushinteger(L, n);
        lua_rawset(L, -3);
    }
    lua_pop(L, 1);
    return n;
}

const char *sandbox_tostring(lua_State *L, int index, size_t *len)
{
    index = lua_absindex(L, index);
    if (luaL_callmeta(L, index, "__tostring")) {
        if (!lua_isstring(L, -1))
            sandbox_error(L, "'__tostring' must return a string");
        return lua_tolstring(L, -1, len);
    }
    switch (lua_type(L, index)) {
    case LUA_TNUMBER:
        if (!lua_isinteger(L, index) && isnan(lua_tonumber(L, index)))
            lua_pushliteral(L, "nan");
        else
            lua_pushvalue(L, index);
        break;
    case LUA_TSTRING:
        lua_pushvalue(L, index);
        break;
    case LUA_TBOOLEAN:
        lua_pushstring(L, lua_toboolean(L, index) ? "true" : "false");
        break;
    case LUA_TNIL:
        lua_pushliteral(L, "nil");
        break;
    case LUA_TLIGHTUSERDATA: /* a limit's error: never shown */
        lua_pushliteral(L, "limit");
        break;
    default: {
        lua_Integer n = object_number(L, index);
        if (luaL_getmetafield(L, index, "__name") != LUA_TSTRING)
            lua_pushstring(L, luaL_typename(L, index));
        lua_pushfstring(L, "%s: %I", lua_tostring(L, -1), (LUAI_UACINT)n);
        break;
    }
    }
    return lua_tolstring(L, -1, len);
}

const char *sandbox_kind(lua_State *L, int index)
{
    if (lua_isnoneornil(L, index))
        return "nil";
    index = lua_absindex(L, index);
    if (luaL_getmetafield(L, index, "__name") != LUA_TSTRING)
        lua_pushstring(L, luaL_typename(L, index));
    return lua_pushfstring(L, "a %s", lua_tostring(L, -1));
}

static int base_tostring(lua_State *L)
{
    luaL_checkany(L, 1);
    sandbox_tostring(L, 1, NULL);
    return 1;
}

static int base_print(lua_State *L)
{
    struct sandbox *s = sandbox_of(L);
    int n = lua_gettop(L);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (int i = 1; i <= n; i++) {
        if (i > 1)
            luaL_addchar(&b, '\t');
        sandbox_tostring(L, i, NULL);
        luaL_addvalue(&b);
    }
    luaL_pushresult(&b);
    sandbox_charge(L, lua_rawlen(L, -1) / 16);
    if (s->print)
        s->print(s, lua_tostring(L, -1));
    return 0;
}

/* ---- tables in a fixed order ---- */

static int key_rank(lua_State *L, int index)
{
    switch (lua_type(L, index)) {
    case LUA_TNUMBER:
        return 0;
    case LUA_TSTRING:
        return 1;
    case LUA_TBOOLEAN:
        return 2;
    default:
        sandbox_error(L,
                      "a %s as a key has no order that is the same in every run; use its name or "
                      "id() as the key, or go through an array",
                      luaL_typename(L, index));
    }
}

static int compare_text(lua_State *L, int a, int b)
{
    size_t la, lb;
    const char *ta = lua_tolstring(L, a, &la);
    const char *tb = lua_tolstring(L, b, &lb);
    int c = memcmp(ta, tb, la < lb ? la : lb);
    return c != 0 ? c : (la > lb) - (la < lb);
}

int sandbox_compare_keys(lua_State *L, int a, int b)
{
    int ra = key_rank(L, a);
    int rb = key_rank(L, b);
    if (ra != rb)
        return ra - rb;
    if (ra == 1)
        return compare_text(L, a, b);
    if (ra == 2)
        return lua_toboolean(L, a) - lua_toboolean(L, b);
    if (lua_compare(L, a, b, LUA_OPLT))
        return -1;
    return lua_compare(L, b, a, LUA_OPLT);
}

/* Sifts down in the heap of keys on the array at `keys`; `n` elements from 1. */
static void sift(lua_State *L, int keys, lua_Integer at, lua_Integer n)
{
    for (lua_Integer child = 2 * at; child <= n; at = child, child = 2 * at) {
        lua_rawgeti(L, keys, child);
        if (child < n) {
            lua_rawgeti(L, keys, child + 1);
            if (sandbox_compare_keys(L, -2, -1) < 0) {
                lua_remove(L, -2);
                child++;
            } else {
                lua_pop(L, 1);
            }
        }
        lua_rawgeti(L, keys, at);
        if (sandbox_compare_keys(L, -1, -2) >= 0) {
            lua_pop(L, 2);
            return;
        }
        lua_rawseti(L, keys, child);
        lua_rawseti(L, keys, at);
    }
}

/* Heapsort: in place, no recursion, total order (keys of one table are all different). */
lua_Integer sandbox_sorted_keys(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    luaL_checkstack(L, 8, "pairs");
    lua_newtable(L);
    int keys = lua_gettop(L);
    lua_Integer n = 0;
    bool sorted = true;
    lua_pushnil(L);
    while (lua_next(L, index)) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        key_rank(L, -1);
        if (n > 0 && sorted) {
            lua_rawgeti(L, keys, n);
            sorted = sandbox_compare_keys(L, -1, -2) < 0;
            lua_pop(L, 1);
        }
        lua_rawseti(L, keys, ++n);
    }
    sandbox_charge(L, (uint64_t)n * (sorted ? 1 : 16));
    if (sorted)
        return n;
    for (lua_Integer i = n / 2; i >= 1; i--)
        sift(L, keys, i, n);
    for (lua_Integer i = n; i > 1; i--) {
        lua_rawgeti(L, keys, 1);
        lua_rawgeti(L, keys, i);
        lua_rawseti(L, keys, 1);
        lua_rawseti(L, keys, i);
        sift(L, keys, 1, i - 1);
    }
    return n;
}

static void check_table(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    if (luaL_getmetafield(L, 1, "__mode") != LUA_TNIL)
        sandbox_error(L, "a weak table has no order that is the same in every run");
}

/* Upvalues: the keys, the next position. */
static int pairs_next(lua_State *L)
{
    lua_Integer at = lua_tointeger(L, lua_upvalueindex(2));
    for (;;) {
        lua_settop(L, 1);
        if (lua_rawgeti(L, lua_upvalueindex(1), ++at) == LUA_TNIL) {
            lua_pushnil(L);
            return 1;
        }
        lua_pushvalue(L, -1);
        if (lua_rawget(L, 1) != LUA_TNIL)
            break;
        sandbox_charge(L, 1);
    }
    lua_pushinteger(L, at);
    lua_replace(L, lua_upvalueindex(2));
    return 2;
}

static int pairs_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)L;
    (void)status;
    (void)ctx;
    return 3;
}

static int base_pairs(lua_State *L)
{
    luaL_checkany(L, 1);
    if (luaL_getmetafield(L, 1, "__pairs") != LUA_TNIL) {
        lua_pushvalue(L, 1);
        lua_callk(L, 1, 3, 0, pairs_k);
        return 3;
    }
    check_table(L);
    sandbox_sorted_keys(L, 1);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, pairs_next, 2);
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

/* The least key above the given one. For a whole walk pairs is the faster way. */
static int base_next(lua_State *L)
{
    check_table(L);
    lua_settop(L, 2);
    lua_pushnil(L); /* 3: the best so far */
    uint64_t steps = 0;
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        lua_pop(L, 1);
        steps++;
        bool after = lua_isnil(L, 2) || sandbox_compare_keys(L, -1, 2) > 0;
        if (after && (lua_isnil(L, 3) || sandbox_compare_keys(L, -1, 3) < 0)) {
            lua_pushvalue(L, -1);
            lua_replace(L, 3);
        }
        key_rank(L, -1);
    }
    sandbox_charge(L, steps);
    if (lua_isnil(L, 3))
        return 1;
    lua_pushvalue(L, 3);
    lua_rawget(L, 1);
    return 2;
}

/* ---- modules ---- */

/* In the registry: what modules returned, by name; functions that scenarios gave for some. */
#define MODULES "sandbox.modules"
#define GIVEN   "sandbox.given"

/* Calls the module's function, on top; its value, kept among the modules, replaces their table. */
static void run_module(lua_State *L, int modules, const char *name)
{
    lua_pushstring(L, name);
    int status = sandbox_call(L, 1, 1);
    sandbox_check(L, status);
    if (status != LUA_OK) { /* it may be required again, and says the same again */
        lua_pushnil(L);
        lua_setfield(L, modules, name);
        lua_error(L);
    }
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushboolean(L, 1);
    }
    lua_pushvalue(L, -1);
    lua_setfield(L, modules, name);
    lua_replace(L, modules);
    lua_settop(L, modules);
}

/* Pushes the function that the scenario itself gave for the module; false if it gave none. */
static bool push_given(lua_State *L, const char *name)
{
    int top = lua_gettop(L);
    if (lua_getfield(L, LUA_REGISTRYINDEX, GIVEN) == LUA_TTABLE &&
        lua_getfield(L, -1, name) == LUA_TFUNCTION) {
        lua_replace(L, top + 1);
        return true;
    }
    lua_settop(L, top);
    return false;
}

void sandbox_give_module(lua_State *L, const char *name)
{
    if (lua_getfield(L, LUA_REGISTRYINDEX, GIVEN) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_setfield(L, LUA_REGISTRYINDEX, GIVEN);
    }
    lua_insert(L, -2);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

void sandbox_require(lua_State *L, const char *name)
{
    struct sandbox *s = sandbox_of(L);
    lua_getfield(L, LUA_REGISTRYINDEX, MODULES);
    int modules = lua_gettop(L);
    if (lua_getfield(L, modules, name) != LUA_TNIL) {
        if (lua_islightuserdata(L, -1))
            sandbox_error(L, "require: module \"%s\" requires itself", name);
        lua_remove(L, modules);
        return;
    }
    if (push_given(L, name)) {
        lua_pushlightuserdata(L, s);
        lua_setfield(L, modules, name);
        run_module(L, modules, name);
        return;
    }
    char why[300];
    const struct source *source =
        s->sources ? sources_module(s->sources, name, why, sizeof why) : NULL;
    if (!source)
        sandbox_error(L, "require: %s", s->sources ? why : "there is no folder of modules");
    if (!sandbox_compile(L, source))
        lua_error(L);
    lua_pushlightuserdata(L, s);
    lua_setfield(L, modules, name);
    run_module(L, modules, name);
}

static int base_require(lua_State *L)
{
    static const char own[] = "behaviours/"; /* those of the program itself */
    size_t len;
    const char *name = luaL_checklstring(L, 1, &len);
    const char *stem = strncmp(name, own, sizeof own - 1) == 0 ? name + sizeof own - 1 : name;
    if (*stem == 0 || stem + strspn(stem, "abcdefghijklmnopqrstuvwxyz0123456789_-") != name + len)
        sandbox_error(L,
                      "require: a module is a file NAME.lua beside the scenario, NAME of a-z, 0-9, "
                      "_ and -, or behaviours/NAME of this program; got \"%s\"",
                      name);
    sandbox_require(L, name);
    return 1;
}

/* ---- globals ---- */

static const struct {
    const char *name, *instead;
} absent[] = {
    {"os", "time is now() and sleep(t), randomness is math.random"},
    {"io", "use log(text) and metric(name, value)"},
    {"debug", "use log(text)"},
    {"package", "require(\"name\") finds name.lua beside the scenario"},
    {"load", "write a function, or require a module"},
    {"loadstring", "write a function, or require a module"},
    {"loadfile", "require(\"name\") finds name.lua beside the scenario"},
    {"dofile", "require(\"name\") finds name.lua beside the scenario"},
    {"collectgarbage", "a run may not depend on the garbage collector"},
    {"warn", "use log(text)"},
};

/* What each operand of .. passes through: the value, and what the text calls it or nothing. Nil and
 * booleans are refused here, where their name is known, even beside an object that could take them.
 */
static int concat_operand(lua_State *L)
{
    int type = lua_type(L, 1);
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    if (type == LUA_TNIL || type == LUA_TBOOLEAN || type == LUA_TNONE)
        sandbox_error(L, "attempt to concatenate a %s value%s%s%s",
                      type == LUA_TNONE ? "nil" : luaL_typename(L, 1), *name ? " (" : "", name,
                      *name ? ")" : "");
    if (type == LUA_TNUMBER)
        sandbox_plain_arguments(L);
    lua_settop(L, 1);
    return 1;
}

/* __index of the globals: a name that was never given a value is nearly always a typing error. */
static int undefined_global(lua_State *L)
{
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    if (strcmp(name, CONCAT_NAME) == 0) {
        lua_pushcfunction(L, concat_operand);
        return 1;
    }
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        if (strcmp(name, absent[i].name) == 0)
            sandbox_error(L, "%s is not available in a scenario: %s", name, absent[i].instead);
    char hint[SUGGEST_HINT];
    lua_Integer n = sandbox_sorted_keys(L, 1);
    struct suggest best;
    suggest_init(&best, name);
    for (lua_Integer i = 1; i <= n; i++) {
        if (lua_rawgeti(L, -1, i) == LUA_TSTRING)
            suggest_offer(&best, lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    suggest_text(&best, hint, sizeof hint);
    sandbox_error(L, "undefined global '%s'%s", name, hint);
}

void sandbox_open_base(lua_State *L)
{
    static const luaL_Reg own[] = {
        {"tostring", base_tostring}, {"print", base_print},     {"pairs", base_pairs},
        {"next", base_next},         {"require", base_require}, {NULL, NULL},
    };
    static const char *const kept[] = {"assert",   "error",    "getmetatable", "ipairs",
                                       "rawequal", "rawget",   "rawlen",       "rawset",
                                       "select",   "tonumber", "type"};
    /* Lua's own basic library goes into the globals first; what is not kept goes again. */
    lua_pushcfunction(L, luaopen_base);
    lua_call(L, 0, 0);
    lua_newtable(L);
    lua_pushglobaltable(L);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        lua_getfield(L, -1, kept[i]);
        lua_setfield(L, -3, kept[i]);
    }
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, LUA_GNAME);
    lua_pushliteral(L, "Lua 5.4");
    lua_setfield(L, -2, "_VERSION");
    luaL_setfuncs(L, own, 0);
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, undefined_global);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "globals");
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    lua_newtable(L);
    lua_setfield(L, LUA_REGISTRYINDEX, MODULES);
}
