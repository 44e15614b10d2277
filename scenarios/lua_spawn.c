/* net:spawn(n, {...}): nodes, their configuration, and the seed peers that make them a network. */
#include "scenarios/decision.h"
#include "scenarios/lua_topology.h"
#include "scenarios/options.h"

#include "core/base/exact.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODES_MAX              1000000
#define SEEDS_MAX              1000
#define SKEW_MAX               1e9 /* s: SIM_SKEW_MAX_NS */
#define BLOCK_INTERVAL_DEFAULT 10  /* s; miners without an interval */

/* What a network is estimated at before it is made: a node with its links, address list, mempool
 * and chain index as measured for small scenarios, and what each seed peer adds (an address record
 * and a link at both ends). */
#define NODE_BYTES (24u << 10)
#define SEED_BYTES (2u << 10)

/* ---- config = { } ---- */

enum knob_kind { KNOB_U32, KNOB_U64, KNOB_NS };

static const struct knob {
    const char *name;
    enum knob_kind kind;
    size_t offset;
} knobs[] = {
#define U32(field)                                                                                 \
    {                                                                                              \
#field, KNOB_U32, offsetof(struct vn_config, field)                                        \
    }
#define U64(field)                                                                                 \
    {                                                                                              \
#field, KNOB_U64, offsetof(struct vn_config, field)                                        \
    }
#define NS(field)                                                                                  \
    {                                                                                              \
#field, KNOB_NS, offsetof(struct vn_config, field##_ns)                                    \
    }
    U32(max_outbound),       U32(max_inbound),    U32(known_peers),
    U64(genesis_timestamp),  U64(difficulty),     NS(connect_timeout),
    NS(handshake_timeout),   NS(ping_after),      NS(idle_timeout),
    NS(response_timeout),    NS(stall_timeout),   NS(backoff_base),
    U32(give_up_after),      U32(probe_retries),  NS(retry_failed),
    NS(feeler_interval),     NS(sync_interval),   NS(ban),
    NS(mine_interval),       U32(mine_max_txs),   U32(mempool_max),
    U32(mempool_per_sender), U32(orphans_max),    U64(orphan_bytes_max),
    U64(outbox_soft),        U64(outbox_hard),    U32(cached_blocks),
    U64(peer_bytes_max),     NS(score_half_life), U32(max_pending),
    U32(max_inbound_per_ip), U32(accept_rate),    U32(accept_burst),
    U32(ping_rate),          U32(ping_burst),     U32(block_rate),
    U32(block_burst),        U32(tx_rate),        U32(tx_burst),
    U32(serve_rate),         U32(serve_burst),    U32(unasked_rate),
    U32(unasked_burst),
#undef U32
#undef U64
#undef NS
};

enum { KNOB_MAX_OUTBOUND = 0, KNOBS = sizeof knobs / sizeof *knobs };

static void read_ban_by(lua_State *L, const char *text, struct vn_config *config)
{
    if (!text)
        return;
    if (strcmp(text, "auto") == 0)
        config->ban_by = VN_BAN_BY_AUTO;
    else if (strcmp(text, "ip") == 0)
        config->ban_by = VN_BAN_BY_IP;
    else if (strcmp(text, "id") == 0)
        config->ban_by = VN_BAN_BY_ID;
    else
        sandbox_error(L, "net:spawn config: ban_by must be \"auto\", \"ip\" or \"id\", got \"%s\"",
                      text);
}

/* Whether max_outbound was among them. */
static bool read_config(lua_State *L, int index, struct vn_config *config)
{
    struct option options[KNOBS + 1];
    uint64_t values[KNOBS];
    bool given[KNOBS] = {false};
    const char *ban_by = NULL;
    for (size_t i = 0; i < KNOBS; i++) {
        options[i] = (struct option){.name = knobs[i].name, .out = &values[i], .given = &given[i]};
        options[i].kind = knobs[i].kind == KNOB_NS ? OPTION_TIME : OPTION_WHOLE;
        if (knobs[i].kind == KNOB_U32)
            options[i].hi = UINT32_MAX;
    }
    options[KNOBS] = (struct option){.name = "ban_by", .kind = OPTION_TEXT, .out = &ban_by};
    options_read(L, index, "net:spawn config", options, KNOBS + 1);
    for (size_t i = 0; i < KNOBS; i++) {
        char *field = (char *)config + knobs[i].offset;
        uint32_t small = given[i] ? (uint32_t)values[i] : 0;
        if (given[i] && knobs[i].kind == KNOB_U32)
            memcpy(field, &small, sizeof small);
        else if (given[i])
            memcpy(field, &values[i], sizeof values[i]);
    }
    read_ban_by(L, ban_by, config);
    return given[KNOB_MAX_OUTBOUND];
}

/* ---- seeds ---- */

struct spawn {
    uint32_t n, seeds, miners, first;
    bool seeds_given;
    uint64_t block_interval_ns;
    struct vn_config config;
    struct sim_host_params host;
    struct placing placing;
    bool skewed; /* the clocks of the new nodes are wrong by `skew` */
    struct sim_dist skew;
    const struct engine_core *core;
    bool version_given;
    const struct group *from; /* where seeds are drawn; NULL: the new nodes themselves */
};

/* k different numbers below n (Floyd's sample: Bentley and Floyd, CACM 30 (9), 1987). */
static void sample(struct rng *rng, uint32_t n, uint32_t k, uint32_t *out)
{
    uint32_t count = 0;
    for (uint32_t j = n - k; j < n; j++) {
        uint32_t draw = (uint32_t)rng_below(rng, (uint64_t)j + 1);
        bool taken = false;
        for (uint32_t i = 0; i < count && !taken; i++)
            taken = out[i] == draw;
        out[count++] = taken ? j : draw;
    }
}

static uint32_t pool_of(const struct spawn *s)
{
    return s->from ? s->from->n : s->n - 1;
}

/* A node that a topology lets dial more peers than it would get seeds gets as many seeds. */
static uint32_t seeds_for(const struct run *run, const struct spawn *s, uint32_t max_outbound)
{
    uint32_t wanted = max_outbound < pool_of(s) ? max_outbound : pool_of(s);
    bool fixed = !run->topology || s->seeds_given || s->placing.outbound_given;
    return fixed || wanted <= s->seeds ? s->seeds : wanted;
}

static void choose_seeds(struct run *run, const struct spawn *s, uint32_t index, uint32_t count,
                         struct vn_addr *seeds)
{
    uint32_t picks[SEEDS_MAX];
    sample(&run->rng_seeds, pool_of(s), count, picks);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t host = s->from             ? s->from->hosts[picks[i]]
                        : picks[i] >= index ? s->first + picks[i] + 1
                                            : s->first + picks[i];
        seeds[i] = run->world.addr(run->world.self, host);
    }
}

/* ---- spawn ---- */

static void read_spawn(lua_State *L, struct spawn *s)
{
    uint64_t seeds = 0;
    uint64_t miners = 0;
    bool interval_given = false;
    const char *version = NULL;
    const char *region = NULL;
    const char *core = NULL;
    int config = 0;
    s->block_interval_ns = BLOCK_INTERVAL_DEFAULT * NS_PER_S;
    const struct option options[] = {
        {.name = "seeds",
         .kind = OPTION_WHOLE,
         .out = &seeds,
         .hi = SEEDS_MAX,
         .given = &s->seeds_given},
        {.name = "miners", .kind = OPTION_WHOLE, .out = &miners, .hi = NODES_MAX},
        {.name = "block_interval",
         .kind = OPTION_TIME,
         .out = &s->block_interval_ns,
         .lo = 1e-6,
         .hi = 1e8,
         .given = &interval_given},
        {.name = "version", .kind = OPTION_TEXT, .out = &version},
        {.name = "core", .kind = OPTION_TEXT, .out = &core},
        {.name = "config", .kind = OPTION_TABLE, .out = &config},
        {.name = "uplink",
         .kind = OPTION_RATE,
         .out = &s->host.up_bps,
         .given = &s->placing.up_given},
        {.name = "downlink",
         .kind = OPTION_RATE,
         .out = &s->host.down_bps,
         .given = &s->placing.down_given},
        {.name = "region", .kind = OPTION_TEXT, .out = &region},
        {.name = "skew",
         .kind = OPTION_DIST,
         .out = &s->skew,
         .lo = -SKEW_MAX,
         .hi = SKEW_MAX,
         .given = &s->skewed},
        {.name = "seeds_from", .kind = OPTION_HOSTS, .out = &s->from},
    };
    options_read(L, 3, "net:spawn", options, sizeof options / sizeof *options);
    s->core = lua_core_find(L, "net:spawn", core ? core : ENGINE_CORE_OWN);
    s->core->api->config_init(&s->config);
    s->host.api = s->core->api;
    s->version_given = version != NULL;
    uint32_t pool = pool_of(s);
    s->seeds = s->seeds_given ? (uint32_t)seeds : pool < 8 ? pool : 8;
    s->miners = (uint32_t)miners;
    if (s->seeds > pool)
        sandbox_error(L,
                      "net:spawn: seeds must be at most %u (the other nodes to draw them from), "
                      "got %u",
                      pool, s->seeds);
    if (s->miners > s->n)
        sandbox_error(L, "net:spawn: miners must be at most the number of nodes, %u, got %u", s->n,
                      s->miners);
    if (interval_given && s->miners == 0)
        sandbox_error(L, "net:spawn: block_interval without miners: say miners = 1 or more");
    if (version && strlen(version) >= sizeof s->config.version)
        sandbox_error(L, "net:spawn: version must be at most %zu bytes, got \"%s\"",
                      sizeof s->config.version - 1, version);
    if (version)
        snprintf(s->config.version, sizeof s->config.version, "%s", version);
    if (config)
        s->placing.outbound_given = read_config(L, config, &s->config);
    lua_topology_placing(L, "net:spawn", region, &s->placing);
}

/* Refuses a network that this machine cannot hold, before anything is made of it. */
static void check_memory(lua_State *L, struct run *run, const struct spawn *s)
{
    uint64_t need = (uint64_t)s->n * (NODE_BYTES + (uint64_t)s->seeds * SEED_BYTES);
    uint64_t max = run->options->memory_max;
    if (need > max || run->memory_planned > max - need)
        sandbox_error(L,
                      "net:spawn: %u nodes with %u seeds need about %llu MiB, with what is there "
                      "%llu MiB; the limit is %llu MiB (half of the machine's free memory)",
                      s->n, s->seeds, (unsigned long long)(need >> 20),
                      (unsigned long long)((need + run->memory_planned) >> 20),
                      (unsigned long long)(max >> 20));
    run->memory_planned += need;
}

/* A number is the offset of all; of a distribution's size, ahead or behind is as likely. */
static int64_t draw_skew(struct run *run, const struct spawn *s)
{
    double by = s->skew.a;
    bool behind = by < 0;
    if (s->skew.kind != SIM_CONSTANT) {
        by = sim_dist_sample(&s->skew, &run->rng_skew);
        behind = rng_below(&run->rng_skew, 2) == 1;
    }
    by = by < 0 ? -by : by;
    int64_t ns = (int64_t)exact_ns_from_seconds(by < SKEW_MAX ? by : SKEW_MAX);
    return behind ? -ns : ns;
}

static bool decide_skew(struct run *run, const struct spawn *s, const struct group *group)
{
    struct decision decision;
    if (!s->skewed)
        return false;
    decision_begin(&decision, "skew");
    decision_dist(&decision, "by", &s->skew);
    decision_hosts(&decision, "nodes", group->hosts, group->n);
    return decision_take(run, &decision);
}

static void spawn_one(lua_State *L, struct run *run, struct spawn *s, uint32_t index)
{
    struct vn_addr seeds[SEEDS_MAX];
    char why[200];
    struct vn_config config = s->config;
    struct sim_host_params params = s->host;
    uint32_t host = s->first + index;
    lua_topology_place(run, host, &s->placing, &params, &config.max_outbound);
    config.seed_count = seeds_for(run, s, config.max_outbound);
    choose_seeds(run, s, index, config.seed_count, seeds);
    config.seeds = seeds;
    bool miner = index < s->miners;
    if (miner)
        config.mine_interval_ns = s->block_interval_ns * s->miners;
    snprintf(config.node_id, sizeof config.node_id, "node-%04u", run->nodes + 1);
    /* Known before it starts: its first traces come from within. */
    run_add_host(run, host, miner ? HOST_MINER : HOST_NODE, params.region, config.version);
    run->hosts[host].core = s->core;
    run->hosts[host].version_given = s->version_given;
    run->hosts[host].mines = miner;
    run->hosts[host].skewed = s->skewed;
    uint32_t got = run->world.spawn(run->world.self, &config, &params, why, sizeof why);
    if (got == UINT32_MAX)
        sandbox_error(L, "net:spawn: %s", why);
    if (got != host)
        sandbox_error(L, "net:spawn: the world numbers its hosts by itself (%u for %u)", got, host);
}

int lua_net_spawn(lua_State *L)
{
    lua_net_self(L, "spawn");
    struct run *run = run_acting(L, "net:spawn");
    struct spawn s = {.first = run->host_count};
    uint64_t n = 0;
    const struct option number = {
        .name = "the number of nodes", .kind = OPTION_WHOLE, .out = &n, .lo = 1, .hi = NODES_MAX};
    lua_settop(L, 3);
    option_value(L, 2, "net:spawn", &number);
    s.n = (uint32_t)n;
    read_spawn(L, &s);
    check_memory(L, run, &s);
    sandbox_charge(L, n * 100);
    struct group *group = lua_group_new(L, s.n);
    for (uint32_t i = 0; i < s.n; i++)
        group->hosts[i] = s.first + i;
    bool skewed = decide_skew(run, &s, group);
    for (uint32_t i = 0; i < s.n; i++) {
        int64_t skew_ns = s.skewed ? draw_skew(run, &s) : 0;
        s.host.skew_ns = skewed ? skew_ns : 0;
        spawn_one(L, run, &s, i);
    }
    run->dirty = true;
    bool own = s.core == &run->own_core;
    run_step(run, "spawn", -1, "%u nodes, %u miners, %u seeds each%s%s", s.n, s.miners, s.seeds,
             own ? "" : ", core ", own ? "" : s.core->name);
    return 1;
}
