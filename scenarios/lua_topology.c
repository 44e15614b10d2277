/* net:topology "geo-bitcoin-2019": the network takes regions, latencies, rates and outdegrees from
 * a data set. Failure modes: after nodes exist, twice, against net:links, or a region that the data
 * set does not have; a data set that is wrong ends the run as a bad scenario, with the file and the
 * key. */
#include "scenarios/lua_topology.h"

#include "scenarios/options.h"
#include "scenarios/topology.h"

#include <stdlib.h>

static const char *const link_words[] = {"latency", "jitter", "bandwidth"};

/* ---- links ---- */

void lua_topology_check_links(lua_State *L, struct run *run)
{
    for (size_t i = 0; i < sizeof link_words / sizeof *link_words; i++) {
        if (lua_type(L, 2) != LUA_TTABLE)
            return;
        lua_pushstring(L, link_words[i]);
        bool there = lua_rawget(L, 2) != LUA_TNIL;
        lua_pop(L, 1);
        if (there && run->topology)
            sandbox_error(L,
                          "net:links: the %s between nodes comes from the topology '%s'; leave it "
                          "out, or say between whom: net:links(a, b, {...})",
                          link_words[i], run->topology->name);
        run->links_shaped = run->links_shaped || there;
    }
}

void lua_topology_links_changed(lua_State *L, struct run *run)
{
    const struct topology *t = run->topology;
    if (!t)
        return;
    for (uint32_t a = 0; a < t->region_count; a++)
        for (uint32_t b = 0; b <= a; b++) {
            struct sim_link_params links = run->links;
            topology_links(t, a, b, &links);
            if (!run->world.links_regions(run->world.self, a + 1, b + 1, &links))
                sandbox_error(L, "net:topology: the world refuses the links between %s and %s",
                              t->regions[a].name, t->regions[b].name);
        }
}

/* ---- placing hosts ---- */

static _Noreturn void unknown_region(lua_State *L, const char *what, const char *name)
{
    const struct topology *t = run_of(L)->topology;
    char hint[SUGGEST_HINT];
    char names[TOPOLOGY_REGIONS_MAX * (sizeof t->regions->name + 2)] = "";
    size_t at = 0;
    struct suggest best;
    suggest_init(&best, name);
    for (uint32_t i = 0; i < t->region_count; i++) {
        suggest_offer(&best, t->regions[i].name);
        at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", i ? ", " : "",
                               t->regions[i].name);
    }
    suggest_text(&best, hint, sizeof hint);
    sandbox_error(L, "%s: the topology '%s' has no region '%s'%s; there are: %s", what, t->name,
                  name, hint, names);
}

static uint32_t region_named(lua_State *L, const char *what, const char *name)
{
    const struct topology *t = run_of(L)->topology;
    if (!t)
        sandbox_error(L,
                      "%s: region '%s' without a topology: call net:topology \"geo-bitcoin-2019\" "
                      "first",
                      what, name);
    uint32_t region = topology_region_named(t, name);
    if (region == UINT32_MAX)
        unknown_region(L, what, name);
    return region + 1;
}

void lua_topology_placing(lua_State *L, const char *what, const char *name, struct placing *placing)
{
    placing->region = name ? region_named(L, what, name) : 0;
}

static double draw(const struct run *run, const char *purpose, uint32_t host)
{
    struct rng rng;
    rng_fork(&rng, run->seed, purpose, host);
    return rng_unit(&rng);
}

void lua_topology_place(const struct run *run, uint32_t host, const struct placing *placing,
                        struct sim_host_params *params, uint32_t *max_outbound)
{
    const struct topology *t = run->topology;
    if (!t)
        return;
    uint32_t region = placing->region > 0 ? placing->region
                                          : topology_region_at(t, draw(run, "region", host)) + 1;
    params->region = (uint8_t)region;
    if (!placing->up_given)
        params->up_bps = t->regions[region - 1].up_bps;
    if (!placing->down_given)
        params->down_bps = t->regions[region - 1].down_bps;
    if (max_outbound && !placing->outbound_given && t->degree_count > 0)
        *max_outbound = topology_degree_at(t, draw(run, "outdegree", host));
}

/* ---- words ---- */

static void check_topology(lua_State *L, const struct run *run)
{
    if (run->topology)
        sandbox_error(L, "net:topology: there is one already, '%s'; a network has one",
                      run->topology->name);
    if (run->host_count > 0)
        sandbox_error(L, "net:topology: before the first net:spawn or net:peer; there are %u hosts",
                      run->host_count);
    if (run->links_shaped)
        sandbox_error(L, "net:topology: net:links has set a latency, jitter or bandwidth for all "
                         "links, which the topology would replace; leave one of them out");
    if (!run->world.links_regions)
        run_skip(L, "do net:topology: it has no regions");
}

int lua_topology_set(lua_State *L)
{
    lua_net_self(L, "topology");
    struct run *run = run_acting(L, "net:topology");
    char why[400];
    char sha256[65];
    const char *name = NULL;
    const struct option option = {.name = "the data set", .kind = OPTION_TEXT, .out = &name};
    lua_settop(L, 2);
    option_value(L, 2, "net:topology", &option);
    check_topology(L, run);
    struct topology *t = run_alloc(sizeof *t);
    bool ok = topology_find(t, &run->engine->sources, name, sha256, why, sizeof why);
    if (!ok) {
        free(t);
        sandbox_error(L, "net:topology: %s", why);
    }
    run->topology = t;
    lua_topology_links_changed(L, run);
    run_step(run, "topology", -1, "%s: %u regions, sha256 %.16s", t->name, t->region_count, sha256);
    return 0;
}

int lua_topology_regions(lua_State *L)
{
    lua_net_self(L, "regions");
    const struct topology *t = run_looking(L, "net:regions")->topology;
    lua_newtable(L);
    for (uint32_t i = 0; t && i < t->region_count; i++) {
        lua_pushstring(L, t->regions[i].name);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

int lua_topology_in_region(lua_State *L)
{
    lua_net_self(L, "in_region");
    const struct run *run = run_looking(L, "net:in_region");
    const char *name = NULL;
    const struct option option = {.name = "the region", .kind = OPTION_TEXT, .out = &name};
    lua_settop(L, 2);
    option_value(L, 2, "net:in_region", &option);
    uint32_t region = region_named(L, "net:in_region", name);
    uint32_t n = 0;
    sandbox_charge(L, run->host_count);
    for (uint32_t i = 0; i < run->host_count; i++)
        n += run->hosts[i].role != HOST_PEER && run->hosts[i].region == region;
    struct group *g = lua_group_new(L, n);
    n = 0;
    for (uint32_t i = 0; i < run->host_count; i++)
        if (run->hosts[i].role != HOST_PEER && run->hosts[i].region == region)
            g->hosts[n++] = i;
    return 1;
}

int lua_topology_region(lua_State *L)
{
    const struct run *run = run_looking(L, "region");
    uint32_t host = lua_host_arg(L, 1, "region");
    uint32_t region = run->hosts[host].region;
    if (region == 0 || !run->topology)
        lua_pushnil(L);
    else
        lua_pushstring(L, run->topology->regions[region - 1].name);
    return 1;
}
