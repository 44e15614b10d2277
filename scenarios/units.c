/* Units and distributions. Times are seconds, rates bits/s, sizes bytes; a distribution is an
 * opaque value that net:links and its like sample. */
#include "scenarios/options.h"
#include "scenarios/sandbox.h"

#include <math.h>
#include <string.h>

#define DIST          "distribution"
#define EMPIRICAL_MAX 100000

static struct sim_dist *dist_new(lua_State *L, enum sim_dist_kind kind, size_t values)
{
    struct sim_dist *d = lua_newuserdatauv(L, sizeof *d + values * sizeof(double), 0);
    *d = (struct sim_dist){.kind = kind};
    luaL_setmetatable(L, DIST);
    return d;
}

static double number_arg(lua_State *L, int arg, const char *what, const char *name)
{
    if (lua_type(L, arg) != LUA_TNUMBER)
        sandbox_error(L, "%s: %s must be a number, got %s", what, name, sandbox_kind(L, arg));
    return lua_tonumber(L, arg);
}

struct dist_spec {
    const char *name;
    enum sim_dist_kind kind;
    const char *args[3];
};

static const struct dist_spec specs[] = {
    {"constant", SIM_CONSTANT, {"x", NULL, NULL}},
    {"uniform", SIM_UNIFORM, {"lo", "hi", NULL}},
    {"normal", SIM_NORMAL, {"mean", "sd", NULL}},
    {"lognormal", SIM_LOGNORMAL, {"median", "sigma", NULL}},
    {"pareto", SIM_PARETO, {"min", "shape", NULL}},
    {"lomax", SIM_LOMAX, {"scale", "shape", NULL}},
    {"exponential", SIM_EXPONENTIAL, {"mean", NULL, NULL}},
};

static void check_dist(lua_State *L, const char *name, const struct sim_dist *d)
{
    char why[160];
    if (!sim_dist_check(d, why, sizeof why))
        sandbox_error(L, "%s: %s", name, why);
}

/* Upvalue: the index of its spec. */
static int dist_make(lua_State *L)
{
    const struct dist_spec *spec = &specs[lua_tointeger(L, lua_upvalueindex(1))];
    double v[2] = {0, 0};
    int n = 0;
    for (; spec->args[n]; n++)
        v[n] = number_arg(L, n + 1, spec->name, spec->args[n]);
    if (lua_gettop(L) > n)
        sandbox_error(L, "%s takes %d number%s, got %d", spec->name, n, n == 1 ? "" : "s",
                      lua_gettop(L));
    struct sim_dist *d = dist_new(L, spec->kind, 0);
    d->a = v[0];
    d->b = v[1];
    check_dist(L, spec->name, d);
    return 1;
}

/* Shell sort: values are plain numbers, so that stability does not matter. */
static void sort_values(double *v, size_t n)
{
    for (size_t gap = n / 2; gap > 0; gap /= 2)
        for (size_t i = gap; i < n; i++) {
            double x = v[i];
            size_t j = i;
            for (; j >= gap && v[j - gap] > x; j -= gap)
                v[j] = v[j - gap];
            v[j] = x;
        }
}

static int dist_empirical(lua_State *L)
{
    if (lua_type(L, 1) != LUA_TTABLE)
        sandbox_error(L, "empirical takes a table of numbers, got %s", sandbox_kind(L, 1));
    lua_Integer n = luaL_len(L, 1);
    if (n < 1 || n > EMPIRICAL_MAX)
        sandbox_error(L, "empirical takes 1..%d numbers, got %lld", EMPIRICAL_MAX, (long long)n);
    sandbox_charge(L, (uint64_t)n * 20);
    struct sim_dist *d = dist_new(L, SIM_EMPIRICAL, (size_t)n);
    double *values = (double *)(d + 1);
    for (lua_Integer i = 0; i < n; i++) {
        lua_geti(L, 1, i + 1);
        values[i] = number_arg(L, -1, "empirical", "every value");
        if (isnan(values[i]))
            sandbox_error(L, "empirical: value %lld is not a number", (long long)i + 1);
        lua_pop(L, 1);
    }
    sort_values(values, (size_t)n);
    d->values = values;
    d->n = (size_t)n;
    check_dist(L, "empirical", d);
    return 1;
}

bool units_dist(lua_State *L, int index, struct sim_dist *out)
{
    if (lua_type(L, index) == LUA_TNUMBER) {
        *out = (struct sim_dist){.kind = SIM_CONSTANT, .a = lua_tonumber(L, index)};
        return true;
    }
    const struct sim_dist *d = luaL_testudata(L, index, DIST);
    if (!d)
        return false;
    *out = *d;
    lua_pushvalue(L, index); /* the simulator borrows the values: keep them */
    luaL_ref(L, LUA_REGISTRYINDEX);
    return true;
}

void units_open(lua_State *L)
{
    static const struct {
        const char *name;
        double value;
    } units[] = {
        {"us", 1e-6},    {"ms", 1e-3}, {"s", 1},      {"seconds", 1}, {"minutes", 60},
        {"hours", 3600}, {"bit", 1},   {"kbit", 1e3}, {"mbit", 1e6},  {"gbit", 1e9},
        {"B", 1},        {"kB", 1e3},  {"MB", 1e6},   {"KiB", 1024},  {"MiB", 1048576},
    };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (units[i].value >= 1)
            lua_pushinteger(L, (lua_Integer)units[i].value);
        else
            lua_pushnumber(L, units[i].value);
        lua_setglobal(L, units[i].name);
    }
    luaL_newmetatable(L, DIST);
    lua_pushliteral(L, DIST);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        lua_pushinteger(L, (lua_Integer)i);
        lua_pushcclosure(L, dist_make, 1);
        lua_setglobal(L, specs[i].name);
    }
    lua_pushcfunction(L, dist_empirical);
    lua_setglobal(L, "empirical");
}
