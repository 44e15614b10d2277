/* math: what is exact stays Lua's own; log, exp, sqrt and pow are core/base/exact.h's, the same on
 * every machine; random draws from the run's seed. */
#include "scenarios/sandbox.h"

#include "core/base/exact.h"

#include <lualib.h>
#include <math.h>

static int math_exp(lua_State *L)
{
    lua_pushnumber(L, exact_exp(luaL_checknumber(L, 1)));
    return 1;
}

static int math_log(lua_State *L)
{
    double x = luaL_checknumber(L, 1);
    if (lua_isnoneornil(L, 2)) {
        lua_pushnumber(L, exact_log(x));
        return 1;
    }
    double base = exact_log(luaL_checknumber(L, 2));
    lua_pushnumber(L, exact_log(x) / base);
    return 1;
}

static int math_sqrt(lua_State *L)
{
    double x = luaL_checknumber(L, 1);
    lua_pushnumber(L, x < 0 ? (double)NAN : exact_sqrt(x));
    return 1;
}

static int math_pow(lua_State *L)
{
    double x = luaL_checknumber(L, 1);
    double y = luaL_checknumber(L, 2);
    lua_Integer n;
    if (lua_numbertointeger(y, &n) && (double)n == y && n >= 0 && n <= 64) {
        double product = 1; /* small whole powers need no logarithm and take any sign */
        for (; n > 0; n--)
            product *= x;
        lua_pushnumber(L, product);
        return 1;
    }
    luaL_argcheck(L, x > 0, 1, "a power other than 0..64 needs a base above 0");
    lua_pushnumber(L, exact_pow(x, y));
    return 1;
}

static int math_random(lua_State *L)
{
    struct sandbox *s = sandbox_of(L);
    if (s->frozen)
        sandbox_error(L, "math.random: %s", s->frozen);
    lua_Integer lo = 1;
    lua_Integer hi = 0;
    switch (lua_gettop(L)) {
    case 0:
        lua_pushnumber(L, rng_unit(&s->rng));
        return 1;
    case 1:
        hi = luaL_checkinteger(L, 1);
        if (hi == 0) {
            lua_pushinteger(L, (lua_Integer)rng_u64(&s->rng));
            return 1;
        }
        break;
    case 2:
        lo = luaL_checkinteger(L, 1);
        hi = luaL_checkinteger(L, 2);
        break;
    default:
        sandbox_error(L, "math.random takes at most two numbers");
    }
    if (lo > hi)
        sandbox_error(L, "math.random: the interval %lld..%lld is empty", (long long)lo,
                      (long long)hi);
    uint64_t span = (uint64_t)hi - (uint64_t)lo + 1;
    uint64_t drawn = span == 0 ? rng_u64(&s->rng) : rng_below(&s->rng, span);
    lua_pushinteger(L, (lua_Integer)((uint64_t)lo + drawn));
    return 1;
}

static int math_randomseed(lua_State *L)
{
    sandbox_error(L, "math.randomseed is not available: the run's seed decides (--seed N)");
}

/* Upvalue: the name. For what the scan of the text did not see. */
static int math_refused(lua_State *L)
{
    sandbox_error(L,
                  "math.%s is not available (its result differs between machines); write a series "
                  "of + and *, or a table of values",
                  lua_tostring(L, lua_upvalueindex(1)));
}

void sandbox_open_math(lua_State *L)
{
    static const char *const kept[] = {"abs", "ceil",       "floor", "fmod",       "huge",
                                       "max", "maxinteger", "min",   "mininteger", "modf",
                                       "pi",  "tointeger",  "type",  "ult"};
    static const char *const refused[] = {"sin", "cos", "tan", "asin", "acos", "atan"};
    static const luaL_Reg own[] = {
        {"exp", math_exp}, {"log", math_log},       {"sqrt", math_sqrt},
        {"pow", math_pow}, {"random", math_random}, {"randomseed", math_randomseed},
        {NULL, NULL},
    };
    luaL_newlib(L, own);
    lua_pushcfunction(L, luaopen_math);
    lua_call(L, 0, 1);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        lua_getfield(L, -1, kept[i]);
        lua_setfield(L, -3, kept[i]);
    }
    lua_pop(L, 1);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        lua_pushstring(L, refused[i]);
        lua_pushcclosure(L, math_refused, 1);
        lua_setfield(L, -2, refused[i]);
    }
    lua_setglobal(L, "math");
}
