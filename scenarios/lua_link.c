/* Links: what new ones are like (net:links), and what is done to those that are up: degrade,
 * partition, blackhole, flap, reset_links, half_open, forget_links. All but net:links are faults: a
 * decision each (decision.h). */
#include "scenarios/decision.h"
#include "scenarios/lua_topology.h"
#include "scenarios/options.h"
#include "scenarios/run.h"

#include <stdio.h>
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

enum fault_kind { FAULT_CUT, FAULT_FLAP, FAULT_DEGRADE, FAULT_KINDS };

struct fault {
    enum fault_kind kind;
    uint32_t id; /* 0: the decision was left out, or it is over */
};

static const char *const class_of[FAULT_KINDS] = {"partition", "flap", "degradation"};
static const char *const end_of[FAULT_KINDS] = {"heal", "stop", "restore"};

/* Pushes the handle. */
static struct fault *fault_new(lua_State *L, enum fault_kind kind)
{
    struct fault *fault = lua_newuserdatauv(L, sizeof *fault, 0);
    *fault = (struct fault){.kind = kind};
    luaL_setmetatable(L, class_of[kind]);
    return fault;
}

static int fault_end(lua_State *L, enum fault_kind kind)
{
    struct fault *fault = luaL_checkudata(L, 1, class_of[kind]);
    struct run *run = run_acting(L, end_of[kind]);
    uint32_t id = fault->id;
    if (id == 0)
        return 0;
    fault->id = 0;
    if (kind == FAULT_DEGRADE)
        run->world.restore(run->world.self, id);
    else
        run->world.heal(run->world.self, id);
    run->dirty = true;
    run_step(run, end_of[kind], -1, "%s %u", class_of[kind], id);
    return 0;
}

static int cut_heal(lua_State *L)
{
    return fault_end(L, FAULT_CUT);
}

static int flap_stop(lua_State *L)
{
    return fault_end(L, FAULT_FLAP);
}

static int degrade_restore(lua_State *L)
{
    return fault_end(L, FAULT_DEGRADE);
}

static double seconds_of(uint64_t ns)
{
    return (double)ns / 1e9;
}

static void decision_lasting(struct decision *d, uint64_t lasting_ns)
{
    if (lasting_ns > 0)
        decision_real(d, "lasting", seconds_of(lasting_ns));
}

/* " for 30 s", or nothing. */
static const char *lasting_text(uint64_t lasting_ns, char out[40])
{
    out[0] = 0;
    if (lasting_ns > 0)
        snprintf(out, 40, " for %.6g s", seconds_of(lasting_ns));
    return out;
}

/* net:partition(a, b [, { one_way, lasting }]) */
int lua_net_partition(lua_State *L)
{
    struct run *run = acting(L, "partition");
    struct sim_cut_params cut = {0};
    char text[40];
    const struct option options[] = {
        {.name = "one_way", .kind = OPTION_FLAG, .out = &cut.one_way},
        {.name = "lasting", .kind = OPTION_TIME, .out = &cut.lasting_ns, .hi = FAULT_MAX}};
    lua_settop(L, 4);
    const struct group *a = lua_group_arg(L, 2, "net:partition");
    const struct group *b = lua_group_arg(L, 3, "net:partition");
    options_read(L, 4, "net:partition", options, sizeof options / sizeof *options);
    struct fault *fault = fault_new(L, FAULT_CUT);
    struct decision decision;
    decision_begin(&decision, "partition");
    decision_hosts(&decision, "a", a->hosts, a->n);
    decision_hosts(&decision, "b", b->hosts, b->n);
    decision_lasting(&decision, cut.lasting_ns);
    decision_flag(&decision, "one_way", cut.one_way);
    if (!decision_take(run, &decision))
        return 1;
    fault->id = run->world.cut(run->world.self, a->hosts, a->n, b->hosts, b->n, &cut);
    run->dirty = true;
    run_step(run, "partition", -1, "%u %s %u hosts%s", a->n, cut.one_way ? "-/->" : "|", b->n,
             lasting_text(cut.lasting_ns, text));
    return 1;
}

/* net:blackhole(group [, { one_way, lasting }]): each host of it alone, cut off from all others. */
int lua_net_blackhole(lua_State *L)
{
    struct run *run = acting(L, "blackhole");
    struct sim_cut_params cut = {0};
    char text[40];
    const struct option options[] = {
        {.name = "one_way", .kind = OPTION_FLAG, .out = &cut.one_way},
        {.name = "lasting", .kind = OPTION_TIME, .out = &cut.lasting_ns, .hi = FAULT_MAX}};
    lua_settop(L, 3);
    const struct group *g = lua_group_arg(L, 2, "net:blackhole");
    options_read(L, 3, "net:blackhole", options, sizeof options / sizeof *options);
    struct fault *fault = fault_new(L, FAULT_CUT);
    struct decision decision;
    decision_begin(&decision, "blackhole");
    decision_hosts(&decision, "hosts", g->hosts, g->n);
    decision_lasting(&decision, cut.lasting_ns);
    decision_flag(&decision, "one_way", cut.one_way);
    if (!decision_take(run, &decision))
        return 1;
    fault->id = run->world.cut(run->world.self, g->hosts, g->n, NULL, 0, &cut);
    run->dirty = true;
    run_step(run, "blackhole", -1, "%u hosts%s%s", g->n, cut.one_way ? ", what they send" : "",
             lasting_text(cut.lasting_ns, text));
    return 1;
}

/* net:flap(a, b, { every, down [, lasting] }) */
int lua_net_flap(lua_State *L)
{
    struct run *run = acting(L, "flap");
    struct sim_cut_params cut = {0};
    bool every_given = false;
    bool down_given = false;
    char text[40];
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
                      seconds_of(cut.down_ns), seconds_of(cut.every_ns));
    struct fault *fault = fault_new(L, FAULT_FLAP);
    struct decision decision;
    decision_begin(&decision, "flap");
    decision_hosts(&decision, "a", a->hosts, a->n);
    decision_hosts(&decision, "b", b->hosts, b->n);
    decision_real(&decision, "down", seconds_of(cut.down_ns));
    decision_real(&decision, "every", seconds_of(cut.every_ns));
    decision_lasting(&decision, cut.lasting_ns);
    if (!decision_take(run, &decision))
        return 1;
    fault->id = run->world.cut(run->world.self, a->hosts, a->n, b->hosts, b->n, &cut);
    run->dirty = true;
    run_step(run, "flap", -1, "%u ~ %u hosts, %.6g of every %.6g s%s", a->n, b->n,
             seconds_of(cut.down_ns), seconds_of(cut.every_ns), lasting_text(cut.lasting_ns, text));
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

static void degrade_decision(struct decision *d, const struct group *a, const struct group *b,
                             const struct sim_degrade *by, const struct links_given *given)
{
    const struct sim_link_params *to = &by->to;
    decision_begin(d, "degrade");
    decision_hosts(d, "a", a->hosts, a->n);
    decision_hosts(d, "b", b->hosts, b->n);
    if (given->bandwidth)
        decision_number(d, "bandwidth", to->rate_bps);
    if (given->corrupt)
        decision_real(d, "corrupt", to->corrupt);
    if (given->duplicate)
        decision_real(d, "duplicate", to->duplicate);
    if (given->jitter)
        decision_dist(d, "jitter", &to->jitter);
    decision_lasting(d, by->lasting_ns);
    if (given->latency)
        decision_dist(d, "latency", &to->latency);
    if (given->loss)
        decision_real(d, "loss", to->loss);
    if (given->queue)
        decision_number(d, "queue", to->queue_bytes);
    if (given->queue_time)
        decision_real(d, "queue_time", seconds_of(to->queue_ns));
    if (given->reorder)
        decision_real(d, "reorder", to->reorder);
    if (given->reorder)
        decision_dist(d, "reorder_by", &to->reorder_by);
}

/* net:degrade(a, b, {...}): what is given replaces it on links that are up and on new ones. */
int lua_net_degrade(lua_State *L)
{
    struct run *run = acting(L, "degrade");
    need(L, "net:degrade", run->world.degrade != NULL);
    struct sim_degrade by = {0};
    struct links_given given;
    char text[40];
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
    struct decision decision;
    degrade_decision(&decision, a, b, &by, &given);
    if (!decision_take(run, &decision))
        return 1;
    fault->id = run->world.degrade(run->world.self, a->hosts, a->n, b->hosts, b->n, &by);
    if (fault->id == 0)
        sandbox_error(L, "net:degrade: the world refuses these links, or there are more than "
                         "32,767 different ones");
    run->dirty = true;
    run_step(run, "degrade", -1, "%u ~ %u hosts%s", a->n, b->n, lasting_text(by.lasting_ns, text));
    return 1;
}

/* ---- links that end, or ought to ---- */

/* What is done to all open links between two groups: pushes how many. */
static int each_pair(lua_State *L, const char *word, const char *what,
                     uint32_t (*fn)(void *self, uint32_t a, uint32_t b))
{
    struct run *run = run_of(L);
    need(L, what, fn != NULL);
    const struct group *a = lua_group_arg(L, 2, what);
    const struct group *b = lua_group_arg(L, 3, what);
    uint64_t pairs = (uint64_t)a->n * b->n;
    lua_Integer n = 0;
    struct decision decision;
    decision_begin(&decision, word);
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
                n += fn(run->world.self, a->hosts[i], b->hosts[j]);
    run->dirty = true;
    run_step(run, word, -1, "%lld links", (long long)n);
    lua_pushinteger(L, n);
    return 1;
}

int lua_net_reset_links(lua_State *L)
{
    struct run *run = acting(L, "reset_links");
    return each_pair(L, "reset_links", "net:reset_links", run->world.reset_links);
}

/* The ends at b are gone, and a does not know. */
int lua_net_half_open(lua_State *L)
{
    struct run *run = acting(L, "half_open");
    return each_pair(L, "half_open", "net:half_open", run->world.half_open);
}

/* A router between them no longer knows the links: neither side learns it. */
int lua_net_forget_links(lua_State *L)
{
    struct run *run = acting(L, "forget_links");
    return each_pair(L, "forget_links", "net:forget_links", run->world.forget_links);
}

void lua_link_open(lua_State *L)
{
    static const luaL_Reg methods[FAULT_KINDS][2] = {
        {{"heal", cut_heal}, {NULL, NULL}},
        {{"stop", flap_stop}, {NULL, NULL}},
        {{"restore", degrade_restore}, {NULL, NULL}},
    };
    for (unsigned i = 0; i < FAULT_KINDS; i++)
        lua_class(L, class_of[i], methods[i]);
    lua_pop(L, FAULT_KINDS);
}
