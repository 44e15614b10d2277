/* The network: net:links, partitions, groups, and what is asked of all nodes. */
#include "scenarios/decision.h"
#include "scenarios/lua_topology.h"
#include "scenarios/options.h"
#include "scenarios/run.h"

#include <stdio.h>
#include <string.h>

#define NET         "net"
#define CUT         "partition"
#define LATENCY_MAX 3600.0
#define LOSS_MAX    0.5

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

/* ---- links ---- */

static void read_links(lua_State *L, int index, struct sim_link_params *links)
{
    const struct option options[] = {
        {.name = "latency", .kind = OPTION_DIST, .out = &links->latency, .hi = LATENCY_MAX},
        {.name = "jitter", .kind = OPTION_DIST, .out = &links->jitter, .hi = LATENCY_MAX},
        {.name = "loss", .kind = OPTION_NUMBER, .out = &links->loss, .hi = LOSS_MAX},
        {.name = "bandwidth", .kind = OPTION_RATE, .out = &links->rate_bps},
    };
    options_read(L, index, "net:links", options, sizeof options / sizeof *options);
}

static void links_set(lua_State *L, bool ok)
{
    if (!ok)
        sandbox_error(L, "net:links: the world refuses these links, or there are more than 65,535 "
                         "different ones");
}

/* net:links{...} changes the default; net:links(a, b, {...}) starts from the default. Both for
 * links that are made from now on. */
static int net_links(lua_State *L)
{
    struct run *run = acting(L, "links");
    if (lua_gettop(L) <= 2) {
        luaL_checkany(L, 2);
        lua_topology_check_links(L, run);
        struct sim_link_params links = run->links;
        read_links(L, 2, &links);
        links_set(L, run->world.links_default(run->world.self, &links));
        run->links = links;
        lua_topology_links_changed(L, run);
        return 0;
    }
    lua_settop(L, 4);
    struct sim_link_params links = run->links;
    const struct group *a = lua_group_arg(L, 2, "net:links");
    const struct group *b = lua_group_arg(L, 3, "net:links");
    read_links(L, 4, &links);
    links_set(L, run->world.links_between(run->world.self, a->hosts, a->n, b->hosts, b->n, &links));
    return 0;
}

static int net_reset_links(lua_State *L)
{
    struct run *run = acting(L, "reset_links");
    const struct group *a = lua_group_arg(L, 2, "net:reset_links");
    const struct group *b = lua_group_arg(L, 3, "net:reset_links");
    uint64_t pairs = (uint64_t)a->n * b->n;
    lua_Integer n = 0;
    struct decision decision;
    decision_begin(&decision, "reset_links");
    decision_hosts(&decision, "a", a->hosts, a->n);
    decision_hosts(&decision, "b", b->hosts, b->n);
    if (!decision_take(run, &decision)) {
        lua_pushinteger(L, 0);
        return 1;
    }
    sandbox_charge(L, pairs);
    for (uint32_t i = 0; i < a->n; i++)
        for (uint32_t j = 0; j < b->n; j++)
            if (a->hosts[i] != b->hosts[j])
                n += run->world.reset_links(run->world.self, a->hosts[i], b->hosts[j]);
    run->dirty = true;
    run_step(run, "reset_links", -1, "%lld links", (long long)n);
    lua_pushinteger(L, n);
    return 1;
}

/* ---- partitions ---- */

struct cut {
    uint32_t id; /* 0: the decision was left out */
    bool healed;
};

static int net_partition(lua_State *L)
{
    struct run *run = acting(L, "partition");
    bool one_way = false;
    const struct option options[] = {{.name = "one_way", .kind = OPTION_FLAG, .out = &one_way}};
    lua_settop(L, 4);
    const struct group *a = lua_group_arg(L, 2, "net:partition");
    const struct group *b = lua_group_arg(L, 3, "net:partition");
    options_read(L, 4, "net:partition", options, 1);
    struct cut *cut = lua_newuserdatauv(L, sizeof *cut, 0);
    *cut = (struct cut){0};
    luaL_setmetatable(L, CUT);
    struct decision decision;
    decision_begin(&decision, "partition");
    decision_hosts(&decision, "a", a->hosts, a->n);
    decision_hosts(&decision, "b", b->hosts, b->n);
    decision_flag(&decision, "one_way", one_way);
    if (!decision_take(run, &decision))
        return 1;
    cut->id = run->world.cut(run->world.self, a->hosts, a->n, b->hosts, b->n, one_way);
    run->dirty = true;
    run_step(run, "partition", -1, "%u %s %u hosts", a->n, one_way ? "-/->" : "|", b->n);
    return 1;
}

static int cut_heal(lua_State *L)
{
    struct cut *cut = luaL_checkudata(L, 1, CUT);
    struct run *run = run_acting(L, "heal");
    if (cut->healed || cut->id == 0)
        return 0;
    cut->healed = true;
    run->world.heal(run->world.self, cut->id);
    run->dirty = true;
    run_step(run, "heal", -1, "partition %u", cut->id);
    return 0;
}

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

void lua_net_open(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"blocks", lua_blocks_list},
        {"each", net_each},
        {"group", net_group},
        {"in_region", lua_topology_in_region},
        {"links", net_links},
        {"nodes", net_nodes},
        {"one_tip", net_one_tip},
        {"partition", net_partition},
        {"peer", lua_net_peer},
        {"regions", lua_topology_regions},
        {"reset_links", net_reset_links},
        {"spawn", lua_net_spawn},
        {"split", net_split},
        {"stats", net_stats},
        {"tips", net_tips},
        {"topology", lua_topology_set},
        {"watch_blocks", lua_blocks_watch},
        {NULL, NULL},
    };
    static const luaL_Reg cut[] = {{"heal", cut_heal}, {NULL, NULL}};
    lua_class(L, NET, methods);
    lua_class(L, CUT, cut);
    lua_pop(L, 2);
}
