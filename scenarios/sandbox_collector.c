/* setmetatable, and what keeps the garbage collector's work out of a script's sight: no finalizers
 * and no weak tables. A metatable that is given __mode later, by a name that no scan of the text
 * saw, is found when the collector has run: the only moment at which a weak table can tell. */
#include "scenarios/sandbox.h"

/* The registry's weak set of all metatables in use, and the object whose finalizer looks at them
 * after each cycle of the collector. */
#define METATABLES "sandbox.metatables"
#define WATCH      "sandbox.watch"

/* log2 of a step's bytes: no cycle is longer, so that each is done in one step (manual, 2.5.1). */
#define WHOLE_CYCLES 40

static const char *const refused[] = {"__gc", "__mode"};

static int set_metatable(lua_State *L)
{
    int type = lua_type(L, 2);
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argexpected(L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table");
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        sandbox_error(L, "cannot change a protected metatable");
    for (size_t i = 0; type == LUA_TTABLE && i < sizeof refused / sizeof *refused; i++) {
        lua_pushstring(L, refused[i]);
        if (lua_rawget(L, 2) != LUA_TNIL)
            sandbox_error(L,
                          "%s is not available (a run may not depend on the garbage collector); "
                          "clear the value yourself when it is done",
                          refused[i]);
        lua_pop(L, 1);
    }
    lua_settop(L, 2);
    if (type == LUA_TTABLE) {
        /* Lua follows a chain of tables by moving all arguments for each, a circle of them a
         * million times, within one instruction. */
        lua_pushliteral(L, "__call");
        if (lua_rawget(L, 2) != LUA_TNIL && lua_type(L, -1) != LUA_TFUNCTION)
            sandbox_error(L, "__call must be a function, got %s", sandbox_kind(L, -1));
        lua_getfield(L, LUA_REGISTRYINDEX, METATABLES);
        lua_pushvalue(L, 2);
        lua_pushboolean(L, 1);
        lua_rawset(L, -3);
        lua_settop(L, 2);
    }
    lua_setmetatable(L, 1);
    return 1;
}

/* After a cycle of the collector, inside the step that made it: the script has seen nothing yet. */
static int after_cycle(lua_State *L)
{
    struct sandbox *s = sandbox_of(L);
    if (!s->L) /* it is closed */
        return 0;
    lua_settop(L, 1);
    lua_getfield(L, LUA_REGISTRYINDEX, METATABLES);
    bool weak = false;
    lua_pushnil(L);
    while (!weak && lua_next(L, 2)) {
        lua_pushliteral(L, "__mode");
        weak = lua_rawget(L, 3) != LUA_TNIL;
        lua_settop(L, 3);
    }
    if (weak)
        sandbox_refuse(L, "a weak table (__mode) is not available: a run may not depend on the "
                          "garbage collector");
    lua_getfield(L, LUA_REGISTRYINDEX, WATCH);
    lua_setmetatable(L, 1); /* once more after the next cycle */
    return 0;
}

void sandbox_open_collector(lua_State *L)
{
    lua_gc(L, LUA_GCINC, 0, 0, WHOLE_CYCLES);
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_setfield(L, LUA_REGISTRYINDEX, METATABLES);
    lua_newuserdatauv(L, 0, 0);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, after_cycle);
    lua_setfield(L, -2, "__gc");
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, WATCH);
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
    lua_register(L, "setmetatable", set_metatable);
}
