/* The network: its groups, and what is asked of all nodes. What is done to links is in lua_link.c.
 */
#include "scenarios/lua_topology.h"
#include "scenarios/options.h"
#include "scenarios/run.h"
#include "scenarios/swarm.h"

#include <stdio.h>
#include <string.h>

#define NET "net"

void lua_net_push(lua_State *L)
{
    lua_newuserdatauv(L, 1, 0);
    luaL_setmetatable(L, NET);
}

void lua_net_self(lua_State *L, const char *what)
{
    if (!luaL_testudata(L, 1, NET))
        sandbox_error(L, "net:%s: call it on the network, with a colon: net:%s(...)", what, what);
}

static struct run *acting(lua_State *L, const char *what)
{
    lua_net_self(L, what);
    return run_acting(L, what);
}

static struct run *looking(lua_State *L, const char *what)
{
    lua_net_self(L, what);
    return run_looking(L, what);
}

/* ---- groups ---- */

/* net:split(0.5 [, group]) -> a, b: a random share of the nodes, and the others; both in node
 * order. */
static int net_split(lua_State *L)
{
    struct run *run = acting(L, "split");
    double share = 0;
    const struct option fraction = {
        .name = "the share", .kind = OPTION_NUMBER, .out = &share, .hi = 1};
    lua_settop(L, 3);
    option_value(L, 2, "net:split", &fraction);
    const struct group *all = lua_group_opt(L, 3, "net:split");
    uint32_t na = (uint32_t)(share * all->n + 0.5);
    struct group *a = lua_group_new(L, na);
    struct group *b = lua_group_new(L, all->n - na);
    uint32_t ia = 0;
    uint32_t ib = 0;
    /* Selection sampling (Knuth, TAOCP 2, 3.4.2 S): each subset of the size is as likely. */
    for (uint32_t i = 0; i < all->n; i++) {
        uint64_t draw = rng_below(&run->rng_split, all->n - i);
        if (draw < na - ia)
            a->hosts[ia++] = all->hosts[i];
        else
            b->hosts[ib++] = all->hosts[i];
    }
    return 2;
}

/* ---- looking ---- */

static int net_nodes(lua_State *L)
{
    looking(L, "nodes");
    lua_settop(L, 1);
    lua_group_opt(L, 2, "net:nodes");
    return 1;
}

static int net_group(lua_State *L)
{
    looking(L, "group");
    lua_group_arg(L, 2, "net:group");
    return 1;
}

static int each_over(lua_State *L, int status, lua_KContext ctx)
{
    (void)L;
    (void)status;
    (void)ctx;
    return 0;
}

/* net:each(fn): as group:each, for all nodes. */
static int net_each(lua_State *L)
{
    looking(L, "each");
    lua_settop(L, 2);
    lua_group_opt(L, 3, "net:each");
    lua_getfield(L, 3, "each");
    lua_insert(L, 2); /* net, each, fn, group */
    lua_insert(L, 3); /* net, each, group, fn */
    lua_callk(L, 2, 0, 0, each_over);
    return 0;
}

/* True if all running nodes of the group (default: all nodes) stand on one tip and there is one. */
static int net_one_tip(lua_State *L)
{
    struct run *run = looking(L, "one_tip");
    lua_settop(L, 2);
    const struct group *g = lua_group_opt(L, 2, "net:one_tip");
    struct vn_info first, info;
    uint32_t seen = 0;
    bool same = true;
    sandbox_charge(L, g->n);
    for (uint32_t i = 0; i < g->n && same; i++) {
        struct vn_info *into = seen == 0 ? &first : &info;
        if (!run->world.info(run->world.self, g->hosts[i], into))
            continue;
        same = seen == 0 || memcmp(first.tip, info.tip, sizeof first.tip) == 0;
        seen++;
    }
    lua_pushboolean(L, same && seen > 0);
    return 1;
}

/* How many different tips there are, and the greatest height. */
static int net_tips(lua_State *L)
{
    struct run *run = looking(L, "tips");
    lua_settop(L, 2);
    const struct group *g = lua_group_opt(L, 2, "net:tips");
    struct vn_info info;
    lua_Integer tips = 0;
    uint64_t height = 0;
    lua_newtable(L);
    sandbox_charge(L, g->n);
    for (uint32_t i = 0; i < g->n; i++) {
        if (!run->world.info(run->world.self, g->hosts[i], &info))
            continue;
        height = info.height > height ? info.height : height;
        lua_pushlstring(L, (const char *)info.tip, sizeof info.tip);
        lua_pushvalue(L, -1);
        tips += lua_rawget(L, -3) == LUA_TNIL;
        lua_pop(L, 1);
        lua_pushboolean(L, 1);
        lua_rawset(L, -3);
    }
    lua_pushinteger(L, tips);
    lua_pushinteger(L, (lua_Integer)height);
    return 2;
}

/* Messages and bytes so far. */
static int net_stats(lua_State *L)
{
    struct run *run = looking(L, "stats");
    struct world_stats stats;
    run->world.stats(run->world.self, &stats);
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, (lua_Integer)stats.events);
    lua_setfield(L, -2, "events");
    lua_pushinteger(L, (lua_Integer)stats.messages);
    lua_setfield(L, -2, "messages");
    lua_pushinteger(L, (lua_Integer)stats.bytes);
    lua_setfield(L, -2, "bytes");
    lua_pushinteger(L, (lua_Integer)stats.links);
    lua_setfield(L, -2, "links");
    return 1;
}

/* In swarm mode the kinds of faults that are on, { kill = true }; else nil. */
static int net_swarm(lua_State *L)
{
    const struct run *run = looking(L, "swarm");
    if (!run->swarm)
        return 0;
    lua_newtable(L);
    for (unsigned k = 0; k < SWARM_KINDS; k++) {
        if (!run->swarm->on[k])
            continue;
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, swarm_kind_name((enum swarm_kind)k));
    }
    return 1;
}

void lua_net_open(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"blackhole", lua_net_blackhole},
        {"blocks", lua_blocks_list},
        {"degrade", lua_net_degrade},
        {"each", net_each},
        {"flap", lua_net_flap},
        {"forget_links", lua_net_forget_links},
        {"group", net_group},
        {"half_open", lua_net_half_open},
        {"heal", lua_net_heal},
        {"in_region", lua_topology_in_region},
        {"links", lua_net_links},
        {"nodes", net_nodes},
        {"one_tip", net_one_tip},
        {"partition", lua_net_partition},
        {"peer", lua_net_peer},
        {"regions", lua_topology_regions},
        {"reset_links", lua_net_reset_links},
        {"spawn", lua_net_spawn},
        {"split", net_split},
        {"stats", net_stats},
        {"swarm", net_swarm},
        {"tips", net_tips},
        {"topology", lua_topology_set},
        {"watch_blocks", lua_blocks_watch},
        {NULL, NULL},
    };
    lua_class(L, NET, methods);
    lua_pop(L, 1);
    lua_link_open(L);
}
