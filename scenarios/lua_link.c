/* Links: what new ones are like (net:links), and what is done to those that are up, as scripts ask
 * for it: degrade, partition, blackhole, flap, reset_links, half_open, forget_links. All but
 * net:links are faults (faults.h). net:heal ends all faults, those of hosts too. */
#include "scenarios/faults.h"
#include "scenarios/lua_topology.h"
#include "scenarios/options.h"
#include "scenarios/run.h"

#include <string.h>

#define LATENCY_MAX 3600.0
#define LOSS_MAX    0.5
#define QUEUE_MAX   1099511627776.0 /* bytes: 1 TiB */
#define QUEUE_TIME  60.0            /* seconds */
#define FAULT_MAX   1e8             /* seconds: three years */

static struct run *acting(lua_State *L, const char *what)
{
    lua_net_self(L, what);
    return run_acting(L, what);
}

static void need(lua_State *L, const char *what, bool able)
{
    if (!able)
        run_skip(L, lua_pushfstring(L, "do %s", what));
}

/* ---- what links are like ---- */

/* Which of the options of links were given. */
struct links_given {
    bool latency, jitter, loss, bandwidth, queue, queue_time, reorder, reorder_by, duplicate,
        corrupt, lasting;
};

static void check_links(lua_State *L, const char *what, struct sim_link_params *links,
                        const struct links_given *given)
{
    if (given->queue && given->queue_time)
        sandbox_error(L,
                      "%s: queue (bytes) and queue_time (seconds) both say how much may wait; "
                      "give one of them",
                      what);
    if (given->queue && links->queue_bytes > 0 && links->queue_bytes < SIM_QUEUE_MIN)
        sandbox_error(L,
                      "%s: queue must be 0 (no bound) or at least %d bytes, one packet, got %d; "
                      "for seconds there is queue_time",
                      what, (int)SIM_QUEUE_MIN, (int)links->queue_bytes);
    if (given->queue)
        links->queue_ns = 0;
    if (given->queue_time)
        links->queue_bytes = 0;
    if (given->reorder_by && links->reorder <= 0)
        sandbox_error(L,
                      "%s: reorder_by says how late reordered deliveries are, but reorder, "
                      "their share, is 0; give both",
                      what);
}

/* lasting_ns may be NULL: then there is no such option. */
static void read_links(lua_State *L, int index, const char *what, struct sim_link_params *links,
                       uint64_t *lasting_ns, struct links_given *given)
{
    const struct option options[] = {
        {"latency", OPTION_DIST, &links->latency, 0, LATENCY_MAX, &given->latency},
        {"jitter", OPTION_DIST, &links->jitter, 0, LATENCY_MAX, &given->jitter},
        {"loss", OPTION_NUMBER, &links->loss, 0, LOSS_MAX, &given->loss},
        {"bandwidth", OPTION_RATE, &links->rate_bps, 0, 0, &given->bandwidth},
        {"queue", OPTION_WHOLE, &links->queue_bytes, 0, QUEUE_MAX, &given->queue},
        {"queue_time", OPTION_TIME, &links->queue_ns, 0, QUEUE_TIME, &given->queue_time},
        {"reorder", OPTION_NUMBER, &links->reorder, 0, 1, &given->reorder},
        {"reorder_by", OPTION_DIST, &links->reorder_by, 0, LATENCY_MAX, &given->reorder_by},
        {"duplicate", OPTION_NUMBER, &links->duplicate, 0, 1, &given->duplicate},
        {"corrupt", OPTION_NUMBER, &links->corrupt, 0, 1, &given->corrupt},
        {"lasting", OPTION_TIME, lasting_ns, 0, FAULT_MAX, &given->lasting},
    };
    size_t count = sizeof options / sizeof *options - (lasting_ns ? 0 : 1);
    *given = (struct links_given){0};
    options_read(L, index, what, options, count);
    check_links(L, what, links, given);
}

static void links_set(lua_State *L, bool ok)
{
    if (!ok)
        sandbox_error(L, "net:links: the world refuses these links, or there are more than 65,535 "
                         "different ones");
}

/* net:links{...} changes the default; net:links(a, b, {...}) starts from the default. Both for
 * links that are made from now on. */
int lua_net_links(lua_State *L)
{
    struct run *run = acting(L, "links");
    struct links_given given;
    struct sim_link_params links = run->links;
    if (lua_gettop(L) <= 2) {
        luaL_checkany(L, 2);
        lua_topology_check_links(L, run);
        read_links(L, 2, "net:links", &links, NULL, &given);
        links_set(L, run->world.links_default(run->world.self, &links));
        run->links = links;
        lua_topology_links_changed(L, run);
        return 0;
    }
    lua_settop(L, 4);
    const struct group *a = lua_group_arg(L, 2, "net:links");
    const struct group *b = lua_group_arg(L, 3, "net:links");
    read_links(L, 4, "net:links", &links, NULL, &given);
    links_set(L, run->world.links_between(run->world.self, a->hosts, a->n, b->hosts, b->n, &links));
    return 0;
}

/* ---- faults that the script ends, or that are over by themselves ---- */

struct fault {
    enum fault_class class;
    uint32_t id; /* 0: the decision was left out, or it is over */
};

/* Pushes the handle. */
static struct fault *fault_new(lua_State *L, enum fault_class class)
{
    struct fault *fault = lua_newuserdatauv(L, sizeof *fault, 0);
    *fault = (struct fault){.class = class};
    luaL_setmetatable(L, fault_class_name(class));
    return fault;
}

static int end_fault(lua_State *L, enum fault_class class, const char *what)
{
    struct fault *fault = luaL_checkudata(L, 1, fault_class_name(class));
    struct run *run = run_acting(L, what);
    if (fault->id > 0)
        fault_end(run, class, fault->id);
    fault->id = 0;
    return 0;
}

static int cut_heal(lua_State *L)
{
    return end_fault(L, FAULT_CUT, "heal");
}

static int flap_stop(lua_State *L)
{
    return end_fault(L, FAULT_FLAP, "stop");
}

static int degrade_restore(lua_State *L)
{
    return end_fault(L, FAULT_DEGRADE, "restore");
}

/* net:heal(): the network and all its hosts are as they were; scripts may begin anew. */
int lua_net_heal(lua_State *L)
{
    struct run *run = acting(L, "heal");
    faults_heal(run);
    faults_forget(run);
    return 0;
}

static struct fault_sides sides_of(const struct group *a, const struct group *b)
{
    return (struct fault_sides){.a = a->hosts, .na = a->n, .b = b->hosts, .nb = b->n};
}

/* net:partition(a, b [, { one_way, lasting }]) */
int lua_net_partition(lua_State *L)
{
    struct run *run = acting(L, "partition");
    struct sim_cut_params cut = {0};
    const struct option options[] = {
        {.name = "one_way", .kind = OPTION_FLAG, .out = &cut.one_way},
        {.name = "lasting", .kind = OPTION_TIME, .out = &cut.lasting_ns, .hi = FAULT_MAX}};
    lua_settop(L, 4);
    const struct group *a = lua_group_arg(L, 2, "net:partition");
    const struct group *b = lua_group_arg(L, 3, "net:partition");
    options_read(L, 4, "net:partition", options, sizeof options / sizeof *options);
    struct fault *fault = fault_new(L, FAULT_CUT);
    const struct fault_sides sides = sides_of(a, b);
    fault->id = fault_partition(run, &sides, &cut);
    return 1;
}

/* net:blackhole(group [, { one_way, lasting }]): each host of it alone, cut off from all others. */
int lua_net_blackhole(lua_State *L)
{
    struct run *run = acting(L, "blackhole");
    struct sim_cut_params cut = {0};
    const struct option options[] = {
        {.name = "one_way", .kind = OPTION_FLAG, .out = &cut.one_way},
        {.name = "lasting", .kind = OPTION_TIME, .out = &cut.lasting_ns, .hi = FAULT_MAX}};
    lua_settop(L, 3);
    const struct group *g = lua_group_arg(L, 2, "net:blackhole");
    options_read(L, 3, "net:blackhole", options, sizeof options / sizeof *options);
    struct fault *fault = fault_new(L, FAULT_CUT);
    const struct fault_sides sides = {.a = g->hosts, .na = g->n};
    fault->id = fault_blackhole(run, &sides, &cut);
    return 1;
}

/* net:flap(a, b, { every, down [, lasting] }) */
int lua_net_flap(lua_State *L)
{
    struct run *run = acting(L, "flap");
    struct sim_cut_params cut = {0};
    bool every_given = false;
    bool down_given = false;
    const struct option options[] = {
        {"every", OPTION_TIME, &cut.every_ns, 1e-9, FAULT_MAX, &every_given},
        {"down", OPTION_TIME, &cut.down_ns, 1e-9, FAULT_MAX, &down_given},
        {"lasting", OPTION_TIME, &cut.lasting_ns, 0, FAULT_MAX, NULL}};
    lua_settop(L, 4);
    const struct group *a = lua_group_arg(L, 2, "net:flap");
    const struct group *b = lua_group_arg(L, 3, "net:flap");
    options_read(L, 4, "net:flap", options, sizeof options / sizeof *options);
    if (!every_given || !down_given)
        sandbox_error(L, "net:flap: both are needed: every how many seconds links go down, and for "
                         "how long: { every = 30, down = 2 }");
    if (cut.down_ns >= cut.every_ns)
        sandbox_error(L,
                      "net:flap: down must be less than every, got %f of every %f seconds; a "
                      "link that never comes up is a net:partition",
                      (double)cut.down_ns / 1e9, (double)cut.every_ns / 1e9);
    struct fault *fault = fault_new(L, FAULT_FLAP);
    const struct fault_sides sides = sides_of(a, b);
    fault->id = fault_flap(run, &sides, &cut);
    return 1;
}

/* ---- degraded links ---- */

static uint32_t degrade_fields(const struct links_given *given)
{
    return (given->latency ? (uint32_t)SIM_DEGRADE_LATENCY : 0) |
           (given->jitter ? (uint32_t)SIM_DEGRADE_JITTER : 0) |
           (given->loss ? (uint32_t)SIM_DEGRADE_LOSS : 0) |
           (given->bandwidth ? (uint32_t)SIM_DEGRADE_RATE : 0) |
           (given->queue || given->queue_time ? (uint32_t)SIM_DEGRADE_QUEUE : 0) |
           (given->reorder ? (uint32_t)SIM_DEGRADE_REORDER : 0) |
           (given->duplicate ? (uint32_t)SIM_DEGRADE_DUPLICATE : 0) |
           (given->corrupt ? (uint32_t)SIM_DEGRADE_CORRUPT : 0);
}

/* net:degrade(a, b, {...}): what is given replaces it on links that are up and on new ones. */
int lua_net_degrade(lua_State *L)
{
    struct run *run = acting(L, "degrade");
    need(L, "net:degrade", run->world.degrade != NULL);
    struct sim_degrade by = {0};
    struct links_given given;
    bool refused;
    sim_link_params_init(&by.to);
    lua_settop(L, 4);
    const struct group *a = lua_group_arg(L, 2, "net:degrade");
    const struct group *b = lua_group_arg(L, 3, "net:degrade");
    read_links(L, 4, "net:degrade", &by.to, &by.lasting_ns, &given);
    by.fields = degrade_fields(&given);
    if (by.fields == 0)
        sandbox_error(L, "net:degrade: say what becomes of the links: { bandwidth = 1 * mbit, loss "
                         "= 0.05, lasting = 30 }");
    struct fault *fault = fault_new(L, FAULT_DEGRADE);
    const struct fault_sides sides = sides_of(a, b);
    fault->id = fault_degrade(run, &sides, &by, &refused);
    if (refused)
        sandbox_error(L, "net:degrade: the world refuses these links, or there are more than "
                         "32,767 different ones");
    return 1;
}

/* ---- links that end, or ought to ---- */

/* What is done to all open links between two groups: pushes how many. */
static int each_pair(lua_State *L, const char *word, const char *what)
{
    struct run *run = acting(L, word);
    need(L, what, fault_links_can(run, word));
    const struct group *a = lua_group_arg(L, 2, what);
    const struct group *b = lua_group_arg(L, 3, what);
    const struct fault_sides sides = sides_of(a, b);
    sandbox_charge(L, (uint64_t)a->n * b->n);
    lua_pushinteger(L, fault_links(run, word, &sides));
    return 1;
}

int lua_net_reset_links(lua_State *L)
{
    return each_pair(L, "reset_links", "net:reset_links");
}

/* The ends at b are gone, and a does not know. */
int lua_net_half_open(lua_State *L)
{
    return each_pair(L, "half_open", "net:half_open");
}

/* A router between them no longer knows the links: neither side learns it. */
int lua_net_forget_links(lua_State *L)
{
    return each_pair(L, "forget_links", "net:forget_links");
}

void lua_link_open(lua_State *L)
{
    static const luaL_Reg methods[FAULT_CLASSES][2] = {
        {{"heal", cut_heal}, {NULL, NULL}},
        {{"stop", flap_stop}, {NULL, NULL}},
        {{"restore", degrade_restore}, {NULL, NULL}},
    };
    for (unsigned i = 0; i < FAULT_CLASSES; i++)
        lua_class(L, fault_class_name((enum fault_class)i), methods[i]);
    lua_pop(L, FAULT_CLASSES);
}
