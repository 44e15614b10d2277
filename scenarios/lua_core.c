/* Several builds of the core in one network: the names that a scenario gives them. The builds
 * themselves are loaded by whoever runs the engine (engine_options.cores); here a name becomes a
 * table of functions, or an error that tells how to give one.
 *
 * A scenario that cannot do without a build says so: cores = { "old" }. A run without it is a skip
 * with its reason, before anything has happened. */
#include "scenarios/options.h"
#include "scenarios/run.h"

#include <stdio.h>
#include <string.h>

static const struct engine_core *find(const struct run *run, const char *name)
{
    if (strcmp(name, run->own_core.name) == 0)
        return &run->own_core;
    for (size_t i = 0; i < run->options->core_count; i++)
        if (strcmp(run->options->cores[i].name, name) == 0)
            return &run->options->cores[i];
    return NULL;
}

const struct engine_core *lua_core_find(lua_State *L, const char *what, const char *name)
{
    const struct run *run = run_of(L);
    const struct engine_core *core = find(run, name);
    char list[ENGINE_CORES_MAX * (ENGINE_CORE_NAME + 4) + ENGINE_CORE_NAME];
    if (core)
        return core;
    if (!engine_core_name_ok(name))
        sandbox_error(L,
                      "%s: core must be a name of at most %u letters, digits, '_', '.', '-', "
                      "got \"%s\"",
                      what, ENGINE_CORE_NAME - 1, name);
    int at = snprintf(list, sizeof list, "'%s'", run->own_core.name);
    for (size_t i = 0; i < run->options->core_count && at >= 0 && (size_t)at < sizeof list; i++)
        at += snprintf(list + at, sizeof list - (size_t)at, ", '%s'", run->options->cores[i].name);
    sandbox_error(L,
                  "%s: there is no core '%s'; there are: %s. Give another build of the core with "
                  "--core %s=FILE (its libvibenet.so)",
                  what, name, list, name);
}

/* The text on top of the stack, which stays there. */
static void add_core(lua_State *L, struct engine *engine)
{
    const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    if (!engine_core_name_ok(name) || strcmp(name, ENGINE_CORE_OWN) == 0)
        sandbox_error(L,
                      "scenario: cores must be a list of names such as { \"old\" }, each of at "
                      "most %u letters, digits, '_', '.', '-', and not \"" ENGINE_CORE_OWN "\"",
                      ENGINE_CORE_NAME - 1);
    for (uint32_t i = 0; i < engine->core_count; i++)
        if (strcmp(engine->cores[i], name) == 0)
            sandbox_error(L, "scenario: cores has '%s' twice", name);
    snprintf(engine->cores[engine->core_count++], ENGINE_CORE_NAME, "%s", name);
}

void lua_cores_read(lua_State *L, int index, struct engine *engine)
{
    lua_Integer n = sandbox_sorted_keys(L, index);
    lua_pop(L, 1);
    if (n > (lua_Integer)ENGINE_CORES_MAX)
        sandbox_error(L, "scenario: at most %u cores", ENGINE_CORES_MAX);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, index, i); /* nil, which is no name, where the table is no list */
        add_core(L, engine);
        lua_pop(L, 1);
    }
}

bool lua_core_missing(const struct run *run, char *why, size_t size)
{
    const struct engine *engine = run->engine;
    for (uint32_t i = 0; i < engine->core_count; i++) {
        const char *name = engine->cores[i];
        if (find(run, name))
            continue;
        snprintf(why, size,
                 "the scenario needs another build of the core, '%s': give it with --core %s=FILE "
                 "(its libvibenet.so)",
                 name, name);
        return true;
    }
    return false;
}

/* The name of the build that the node runs, or ran, if it is down. */
int lua_node_core(lua_State *L)
{
    const struct run *run = run_looking(L, "core");
    lua_pushstring(L, run->hosts[lua_node_arg(L, "core")].core->name);
    return 1;
}
