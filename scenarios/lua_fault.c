/* Faults of a node's host, as scripts ask for them: kill, restart, pause, resume, skew, disk.
 *
 * Each is a decision that can be left out (decision.h); what ends one (resume, a clock that is
 * right again, a good disk) is none, and does nothing where its beginning was left out. */
#include "scenarios/faults.h"
#include "scenarios/options.h"
#include "scenarios/run.h"

#include "core/base/exact.h"

#include <string.h>

#define SKEW_MAX    1e9 /* s: SIM_SKEW_MAX_NS */
#define LATENCY_MAX 3600.0
#define COUNT(a)    (sizeof(a) / sizeof *(a))

/* The run, with the host of the node at argument 1. `able`: the world has such a fault. */
static struct run *acting(lua_State *L, const char *what, uint32_t *host,
                          bool (*able)(struct run *))
{
    struct run *run = run_acting(L, what);
    *host = lua_node_arg(L, what);
    if (able && !able(run))
        run_skip(L, lua_pushfstring(L, "do node:%s", what));
    return run;
}

/* What contradicts the state that was asked for is refused. But where decisions were left out, a
 * script that looks before it acts sees a node that it had killed: then nothing is done, and no
 * decision counted, as in the whole run. */
static bool contradicts_state(lua_State *L, struct run *run, bool it_does, const char *what)
{
    const struct engine_options *o = run->options;
    if (it_does && !run->swarm && o->without_count == 0 && !o->has_only)
        sandbox_error(L, "%s", what);
    return it_does;
}

/* ---- kill and restart ---- */

int lua_node_kill(lua_State *L)
{
    uint32_t host;
    struct run *run = acting(L, "kill", &host, NULL);
    struct fault_kill kill = {0};
    const struct option options[] = {
        {.name = "silently", .kind = OPTION_FLAG, .out = &kill.silently}};
    options_read(L, 2, "kill", options, COUNT(options));
    if (contradicts_state(L, run, run->hosts[host].down, "kill: the node is not running"))
        return 0;
    run->hosts[host].down = true;
    run->hosts[host].paused = false;
    if (kill.silently && !run->world.power_off)
        run_skip(L, "cut a node's power");
    fault_kill(run, host, &kill);
    return 0;
}

/* The node, which is down, comes back under this build. Unless the script gave it a version, it
 * says that of the build, as a program that was replaced does. */
static void change_core(lua_State *L, struct run *run, uint32_t host,
                        const struct engine_core *core)
{
    struct host *h = &run->hosts[host];
    struct vn_config fresh;
    char why[200];
    core->api->config_init(&fresh);
    fresh.version[sizeof fresh.version - 1] = 0;
    if (!run->world.core)
        run_skip(L, "change the build of the core that a node runs");
    if (!run->world.core(run->world.self, host, core->api, h->version_given ? NULL : fresh.version,
                         why, sizeof why))
        sandbox_error(L, "restart: under the core '%s': %s", core->name, why);
    if (!h->version_given)
        memcpy(h->version, fresh.version, sizeof h->version);
    h->core = core;
}

int lua_node_restart(lua_State *L)
{
    uint32_t host;
    struct run *run = acting(L, "restart", &host, NULL);
    bool lose_disk = false;
    const char *name = NULL;
    const struct option options[] = {{.name = "lose_disk", .kind = OPTION_FLAG, .out = &lose_disk},
                                     {.name = "core", .kind = OPTION_TEXT, .out = &name}};
    options_read(L, 2, "restart", options, COUNT(options));
    const struct engine_core *core = name ? lua_core_find(L, "restart", name) : NULL;
    run->hosts[host].down = run->hosts[host].paused = false;
    struct decision decision;
    decision_begin(&decision, "restart");
    if (core)
        decision_text(&decision, "core", core->name);
    decision_flag(&decision, "lose_disk", lose_disk);
    decision_number(&decision, "node", host);
    decision.mends = run->hosts[host].quit || !run->world.alive(run->world.self, host);
    if (!decision_take(run, &decision))
        return 0;
    audit_host(run, host);
    if (run->world.alive(run->world.self, host))
        run->world.kill(run->world.self, host);
    if (core)
        change_core(L, run, host, core);
    run->world.start(run->world.self, host, lose_disk);
    run->hosts[host].quit = false;
    run->dirty = true;
    run_step(run, "restart", host, "%s%s%s", core ? "core " : "", core ? core->name : "",
             !lose_disk ? ""
             : core     ? ", without its disk"
                        : "without its disk");
    return 0;
}

/* ---- pause and resume ---- */

static bool can_pause(struct run *run)
{
    return run->world.pause && run->world.resume && run->world.paused;
}

int lua_node_pause(lua_State *L)
{
    uint32_t host;
    struct run *run = acting(L, "pause", &host, can_pause);
    const struct host *h = &run->hosts[host];
    if (contradicts_state(L, run, h->down, "pause: the node is not running: restart it first") ||
        contradicts_state(L, run, h->paused, "pause: the node is paused already"))
        return 0;
    run->hosts[host].paused = true;
    fault_pause(run, host, 0);
    return 0;
}

int lua_node_resume(lua_State *L)
{
    uint32_t host;
    struct run *run = acting(L, "resume", &host, can_pause);
    const struct host *h = &run->hosts[host];
    if (contradicts_state(L, run, h->down, "resume: the node is not running: restart it instead") ||
        contradicts_state(L, run, !h->paused, "resume: the node is not paused"))
        return 0;
    run->hosts[host].paused = false;
    fault_resume(run, host);
    return 0;
}

int lua_node_paused(lua_State *L)
{
    struct run *run = run_looking(L, "paused");
    uint32_t host = lua_node_arg(L, "paused");
    lua_pushboolean(L, run->world.paused && run->world.paused(run->world.self, host));
    return 1;
}

/* ---- clocks ---- */

static void read_skew(lua_State *L, struct fault_skew *s)
{
    bool jump = false;
    bool every = false;
    const struct option options[] = {
        {.name = "by", .kind = OPTION_NUMBER, .out = &s->by, .lo = -SKEW_MAX, .hi = SKEW_MAX},
        {.name = "drift",
         .kind = OPTION_NUMBER,
         .out = &s->drift,
         .lo = -SIM_DRIFT_MAX_PPM,
         .hi = SIM_DRIFT_MAX_PPM},
        {.name = "jump",
         .kind = OPTION_NUMBER,
         .out = &s->jump,
         .lo = -SKEW_MAX,
         .hi = SKEW_MAX,
         .given = &jump},
        {.name = "jump_every",
         .kind = OPTION_TIME,
         .out = &s->jump_every_ns,
         .lo = SIM_JUMP_MIN_NS / 1e9,
         .hi = SKEW_MAX,
         .given = &every},
    };
    if (lua_type(L, 2) == LUA_TNUMBER) {
        const struct option number = {.name = "the offset",
                                      .kind = OPTION_NUMBER,
                                      .out = &s->by,
                                      .lo = -SKEW_MAX,
                                      .hi = SKEW_MAX};
        option_value(L, 2, "skew", &number);
        return;
    }
    if (lua_type(L, 2) == LUA_TSTRING && strcmp(lua_tostring(L, 2), "right") == 0)
        return;
    if (lua_type(L, 2) != LUA_TTABLE)
        sandbox_error(L,
                      "skew: seconds, a table { by, drift, jump, jump_every } or \"right\" is "
                      "needed, got %s",
                      sandbox_kind(L, 2));
    options_read(L, 2, "skew", options, COUNT(options));
    if (s->drift - (double)(int32_t)s->drift != 0)
        sandbox_error(L, "skew: drift must be a whole number of parts per million, got %f",
                      s->drift);
    if (jump != every)
        sandbox_error(L, "skew: jump and jump_every need each other: by how much, and how often");
}

/* By more than rounds to nothing; jump and jump_every come together. */
static bool skew_is_wrong(const struct fault_skew *s)
{
    return exact_ns_from_seconds(s->by < 0 ? -s->by : s->by) != 0 || (int32_t)s->drift != 0 ||
           exact_ns_from_seconds(s->jump < 0 ? -s->jump : s->jump) != 0;
}

static bool can_skew(struct run *run)
{
    return run->world.clock != NULL;
}

int lua_node_skew(lua_State *L)
{
    uint32_t host;
    struct run *run = acting(L, "skew", &host, can_skew);
    struct fault_skew s = {0};
    lua_settop(L, 2);
    read_skew(L, &s);
    run->hosts[host].skewed = skew_is_wrong(&s);
    if (run->hosts[host].skewed)
        fault_skew(run, host, &s);
    else
        fault_clock_right(run, host);
    return 0;
}

/* ---- disks ---- */

struct disk_given {
    bool fail, fail_stores, fail_loads, slow;
};

static void contradicts(lua_State *L, bool both, const char *a, const char *b, const char *why)
{
    if (both)
        sandbox_error(L, "disk: %s and %s contradict each other: %s", a, b, why);
}

static void check_disk(lua_State *L, const struct sim_disk_faults *f, const struct disk_given *g)
{
    static const char *const both = "fail is the share of both";
    static const char *const full = "a full disk keeps no batch at all";
    contradicts(L, g->fail && g->fail_stores, "fail", "fail_stores", both);
    contradicts(L, g->fail && g->fail_loads, "fail", "fail_loads", both);
    contradicts(L, f->full && g->fail, "full", "fail", "say fail_loads");
    contradicts(L, f->full && g->fail_stores, "full", "fail_stores", full);
    contradicts(L, f->full && f->lie > 0, "full", "lie", full);
    contradicts(L, f->full && f->torn > 0, "full", "torn", full);
    contradicts(L, f->hang && g->slow, "hang", "slow", "nothing completes on a disk that hangs");
    contradicts(L, f->hang && f->own_latency, "hang", "latency",
                "nothing completes on a disk that hangs");
    contradicts(L, f->torn > 0 && f->lie > 0, "torn", "lie",
                "what is lost before it leaves nothing for a part of a batch to stand on");
}

static void read_disk(lua_State *L, struct sim_disk_faults *f)
{
    struct disk_given given = {0};
    double fail = 0;
    uint64_t lie = 0;
    const struct option options[] = {
        {.name = "latency",
         .kind = OPTION_DIST,
         .out = &f->latency,
         .hi = LATENCY_MAX,
         .given = &f->own_latency},
        {.name = "slow",
         .kind = OPTION_NUMBER,
         .out = &f->slow,
         .lo = 1,
         .hi = SIM_SLOW_MAX,
         .given = &given.slow},
        {.name = "fail", .kind = OPTION_NUMBER, .out = &fail, .hi = 1, .given = &given.fail},
        {.name = "fail_stores",
         .kind = OPTION_NUMBER,
         .out = &f->fail_stores,
         .hi = 1,
         .given = &given.fail_stores},
        {.name = "fail_loads",
         .kind = OPTION_NUMBER,
         .out = &f->fail_loads,
         .hi = 1,
         .given = &given.fail_loads},
        {.name = "corrupt", .kind = OPTION_NUMBER, .out = &f->corrupt, .hi = 1},
        {.name = "torn", .kind = OPTION_NUMBER, .out = &f->torn, .hi = 1},
        {.name = "lie", .kind = OPTION_WHOLE, .out = &lie, .hi = SIM_LIE_MAX},
        {.name = "full", .kind = OPTION_FLAG, .out = &f->full},
        {.name = "hang", .kind = OPTION_FLAG, .out = &f->hang},
    };
    if (lua_type(L, 2) == LUA_TSTRING && strcmp(lua_tostring(L, 2), "good") == 0)
        return;
    if (lua_type(L, 2) != LUA_TTABLE)
        sandbox_error(L, "disk: a table of faults or \"good\" is needed, got %s",
                      sandbox_kind(L, 2));
    options_read(L, 2, "disk", options, COUNT(options));
    f->lie = (uint32_t)lie;
    check_disk(L, f, &given);
    if (given.fail)
        f->fail_stores = f->fail_loads = fail;
}

static bool disk_is_bad(const struct sim_disk_faults *f)
{
    return f->own_latency || f->slow > 1 || f->fail_stores > 0 || f->fail_loads > 0 ||
           f->corrupt > 0 || f->torn > 0 || f->lie > 0 || f->full || f->hang;
}

static bool can_disk(struct run *run)
{
    return run->world.disk != NULL;
}

int lua_node_disk(lua_State *L)
{
    uint32_t host;
    struct run *run = acting(L, "disk", &host, can_disk);
    struct sim_disk_faults faults;
    lua_settop(L, 2);
    sim_disk_faults_init(&faults);
    read_disk(L, &faults);
    const char *cannot =
        run->world.disk_cannot ? run->world.disk_cannot(run->world.self, &faults) : NULL;
    if (cannot)
        run_skip(L, cannot);
    run->hosts[host].bad_disk = disk_is_bad(&faults);
    if (run->hosts[host].bad_disk)
        fault_disk(run, host, &faults, 0);
    else
        fault_disk_good(run, host);
    return 0;
}
