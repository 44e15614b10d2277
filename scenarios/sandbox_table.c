/* table: written anew because Lua's own loops in C where no limit counts, and its sort is not
 * stable and its result for a faulty order function depends on the pivots. */
#include "scenarios/sandbox.h"

#include <lualib.h>

/* Below the greatest integer, so that one more is an integer too: __len says what it likes. */
static lua_Integer length(lua_State *L, int index)
{
    luaL_checktype(L, index, LUA_TTABLE);
    lua_Integer n = luaL_len(L, index);
    if (n == LUA_MAXINTEGER)
        sandbox_error(L, "the length of the table (%lld) is too large", (long long)n);
    return n;
}

static int table_insert(lua_State *L)
{
    lua_Integer at = length(L, 1) + 1;
    int args = lua_gettop(L);
    if (args == 3) {
        lua_Integer end = at;
        at = luaL_checkinteger(L, 2);
        luaL_argcheck(L, at >= 1 && at <= end, 2, "position out of bounds");
        sandbox_charge(L, (uint64_t)(end - at));
        for (lua_Integer i = end; i > at; i--) {
            lua_geti(L, 1, i - 1);
            lua_seti(L, 1, i);
        }
    } else if (args != 2) {
        sandbox_error(L, "table.insert takes a table, a position if not the end, and a value");
    }
    lua_seti(L, 1, at);
    return 0;
}

static int table_remove(lua_State *L)
{
    lua_Integer size = length(L, 1);
    lua_Integer at = luaL_optinteger(L, 2, size);
    if (lua_gettop(L) > 1)
        luaL_argcheck(L, at >= 1 ? at <= size + 1 : size == 0 && at == 0, 2,
                      "position out of bounds");
    lua_geti(L, 1, at);
    if (at < size)
        sandbox_charge(L, (uint64_t)size - (uint64_t)at);
    for (; at < size; at++) {
        lua_geti(L, 1, at + 1);
        lua_seti(L, 1, at);
    }
    lua_pushnil(L);
    lua_seti(L, 1, at);
    return 1;
}

static int table_concat(lua_State *L)
{
    lua_Integer size = length(L, 1);
    size_t len;
    sandbox_plain_arguments(L);
    const char *separator = luaL_optlstring(L, 2, "", &len);
    lua_Integer from = luaL_optinteger(L, 3, 1);
    lua_Integer to = luaL_optinteger(L, 4, size);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (lua_Integer i = from; i <= to; i++) {
        sandbox_charge(L, 1);
        lua_geti(L, 1, i);
        if (!lua_isstring(L, -1))
            sandbox_error(L, "table.concat: value at index %lld is a %s", (long long)i,
                          luaL_typename(L, -1));
        sandbox_tostring(L, -1, NULL);
        lua_remove(L, -2);
        luaL_addvalue(&b);
        if (i == to) /* also keeps i + 1 from overflowing */
            break;
        luaL_addlstring(&b, separator, len);
    }
    luaL_pushresult(&b);
    return 1;
}

static int table_pack(lua_State *L)
{
    int n = lua_gettop(L);
    lua_createtable(L, n, 1);
    lua_insert(L, 1);
    for (int i = n; i >= 1; i--)
        lua_seti(L, 1, i);
    lua_pushinteger(L, n);
    lua_setfield(L, 1, "n");
    return 1;
}

static int table_unpack(lua_State *L)
{
    lua_Integer from = luaL_optinteger(L, 2, 1);
    lua_Integer to = lua_isnoneornil(L, 3) ? luaL_len(L, 1) : luaL_checkinteger(L, 3);
    if (from > to)
        return 0;
    uint64_t n = (uint64_t)to - (uint64_t)from + 1;
    if (n == 0 || n >= 1000000 || !lua_checkstack(L, (int)n))
        sandbox_error(L, "too many results to unpack");
    sandbox_charge(L, n);
    for (uint64_t i = 0; i < n; i++)
        lua_geti(L, 1, from + (lua_Integer)i);
    return (int)n;
}

static int table_move(lua_State *L)
{
    lua_Integer from = luaL_checkinteger(L, 2);
    lua_Integer to = luaL_checkinteger(L, 3);
    lua_Integer at = luaL_checkinteger(L, 4);
    int target = lua_isnoneornil(L, 5) ? 1 : 5;
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checktype(L, target, LUA_TTABLE);
    if (to >= from) {
        uint64_t n = (uint64_t)to - (uint64_t)from; /* moves n + 1 */
        luaL_argcheck(L, n < (uint64_t)LUA_MAXINTEGER, 3, "too many elements to move");
        luaL_argcheck(L, at <= LUA_MAXINTEGER - (lua_Integer)n, 4, "destination wrap around");
        sandbox_charge(L, n + 1);
        bool upwards = at > to || at <= from || (target != 1 && !lua_rawequal(L, 1, 5));
        for (lua_Integer i = 0; i <= (lua_Integer)n; i++) {
            lua_Integer k = upwards ? i : (lua_Integer)n - i;
            lua_geti(L, 1, from + k);
            lua_seti(L, target, at + k);
        }
    }
    lua_pushvalue(L, target);
    return 1;
}

/* ---- sort: bottom-up merge sort on two scratch arrays; stack: 1 table, 2 function or nil ---- */

static int sort_less(lua_State *L)
{
    /* values a, b on top; leaves the stack as it was */
    if (lua_isnil(L, 2))
        return lua_compare(L, -2, -1, LUA_OPLT);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -3);
    lua_pushvalue(L, -3);
    lua_call(L, 2, 1);
    int less = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return less;
}

/* Merges [lo, mid) and [mid, hi) of the array at `from` into the one at `to`: the right value goes
 * first only if it is less, so that equals keep their order. */
static void merge(lua_State *L, int from, int to, lua_Integer lo, lua_Integer mid, lua_Integer hi)
{
    lua_Integer a = lo;
    lua_Integer b = mid;
    sandbox_charge(L, (uint64_t)(hi - lo));
    for (lua_Integer out = lo; out < hi; out++) {
        bool right = a >= mid;
        if (!right && b < hi) {
            lua_rawgeti(L, from, b);
            lua_rawgeti(L, from, a);
            right = sort_less(L);
            lua_pop(L, 2);
        }
        lua_rawgeti(L, from, right ? b++ : a++);
        lua_rawseti(L, to, out);
    }
}

static int table_sort(lua_State *L)
{
    lua_Integer n = length(L, 1);
    if (!lua_isnoneornil(L, 2))
        luaL_checktype(L, 2, LUA_TFUNCTION);
    if (n < 2)
        return 0;
    luaL_argcheck(L, n < INT32_MAX, 1, "array too big");
    lua_settop(L, 2);
    lua_createtable(L, (int)n, 0);
    lua_createtable(L, (int)n, 0);
    int from = 3;
    int to = 4;
    for (lua_Integer i = 1; i <= n; i++) {
        lua_geti(L, 1, i);
        lua_rawseti(L, from, i);
    }
    for (lua_Integer width = 1; width < n; width *= 2) {
        for (lua_Integer lo = 1; lo <= n; lo += 2 * width) {
            lua_Integer mid = lo + width <= n ? lo + width : n + 1;
            lua_Integer hi = lo + 2 * width <= n ? lo + 2 * width : n + 1;
            merge(L, from, to, lo, mid, hi);
        }
        int swap = from;
        from = to;
        to = swap;
    }
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, from, i);
        lua_seti(L, 1, i);
    }
    return 0;
}

void sandbox_open_table(lua_State *L)
{
    static const luaL_Reg own[] = {
        {"concat", table_concat}, {"insert", table_insert},
        {"move", table_move},     {"pack", table_pack},
        {"remove", table_remove}, {"sort", table_sort},
        {"unpack", table_unpack}, {NULL, NULL},
    };
    luaL_newlib(L, own);
    lua_setglobal(L, "table");
}
