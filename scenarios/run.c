/* The crank: the world runs to the next thing that the script waits for, then the script runs, and
 * the conditions are judged once per instant at which something settled. Failure modes: the script
 * errs or hits a limit (the run is a bad scenario), a check fails, the user interrupts. */
#include "scenarios/run.h"

#include "core/base/exact.h"
#include "core/crypto/sha256.h"
#include "scenarios/blocks.h"
#include "scenarios/swarm.h"
#include "scenarios/topology.h"
#include "trace/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_EVENTS_LOW   10000u
#define CHUNK_EVENTS_HIGH  40000u
#define CHUNK_NS_MIN       1000u
#define CHUNK_NS_MAX       (3600 * NS_PER_S)
#define STOPS_PER_PROGRESS 1024u

const char invariant_honest[] = "no honest node penalises, bans or refuses an honest one";
const char invariant_books[] = ENGINE_BOOKS;

/* ---- helpers for all parts ---- */

uint64_t run_now(const struct run *run)
{
    return run->has_world ? run->world.now_ns(run->world.self) : 0;
}

uint64_t run_wall_s(const struct run *run)
{
    return (run->wall_start_ns + run_now(run)) / NS_PER_S;
}

struct run *run_looking(lua_State *L, const char *what)
{
    struct run *run = run_of(L);
    if (run->phase == RUN_TOP)
        sandbox_error(
            L, "%s: only while run(net, p) runs; the top level of a scenario has no network", what);
    return run;
}

struct run *run_acting(lua_State *L, const char *what)
{
    struct run *run = run_looking(L, what);
    if (run->judging)
        sandbox_error(L,
                      "%s: a condition (always, eventually, wait) may look, but not wait, draw or "
                      "act",
                      what);
    return run;
}

void run_host_name(const struct run *run, uint32_t host, char out[24])
{
    if (host >= run->host_count)
        snprintf(out, 24, "host %u", host);
    else
        words_host(out, run->hosts[host].role == HOST_PEER, run->hosts[host].number);
}

void run_step(struct run *run, const char *kind, int64_t host, const char *fmt, ...)
{
    const struct engine_observer *o = &run->options->observer;
    char detail[STORY_TEXT - 24];
    char line[STORY_TEXT];
    char name[24];
    va_list args;
    va_start(args, fmt);
    vsnprintf(detail, sizeof detail, fmt, args);
    va_end(args);
    snprintf(line, sizeof line, "%.20s %s", kind, detail);
    observe_story(run, host, line);
    if (!o->on_step)
        return;
    if (host >= 0) {
        run_host_name(run, (uint32_t)host, name);
        snprintf(line, sizeof line, "%s%s%.90s", name, detail[0] ? ": " : "", detail);
    }
    o->on_step(o->ctx, run_now(run), kind, host, host >= 0 ? line : detail);
}

void run_log(struct run *run, const char *text)
{
    const struct engine_observer *o = &run->options->observer;
    if (o->on_log)
        o->on_log(o->ctx, run_now(run), text);
}

void run_add_host(struct run *run, uint32_t host, enum host_role role, uint32_t region,
                  const char *version)
{
    static const char *const roles[] = {"node", "miner", "peer"};
    if (run->host_count == run->host_capacity) {
        run->host_capacity = run->host_capacity ? run->host_capacity * 2 : 64;
        run->hosts = realloc(run->hosts, run->host_capacity * sizeof *run->hosts);
        if (!run->hosts)
            abort();
    }
    struct host *h = &run->hosts[run->host_count++];
    *h = (struct host){.role = role, .region = region, .core = &run->own_core};
    h->number = role == HOST_PEER ? ++run->peers : ++run->nodes;
    snprintf(h->version, sizeof h->version, "%s", version);
    const struct engine_observer *o = &run->options->observer;
    if (o->on_node)
        o->on_node(o->ctx, host, roles[role],
                   region > 0 ? run->topology->regions[region - 1].name : NULL, version);
}

bool run_command(struct run *run, uint32_t host, const struct vn_command *command, const char **why)
{
    run->reply.token = 0;
    run->reply.status = VN_OK;
    run->reply.text[0] = 0;
    *why = run->reply.text;
    uint64_t token = run->world.command(run->world.self, host, command);
    run->dirty = true;
    if (token == 0) {
        bool paused = run->world.paused && run->world.paused(run->world.self, host);
        snprintf(run->reply.text, sizeof run->reply.text, "the node is %s",
                 paused ? "paused" : "not running");
        return false;
    }
    if (run->reply.token != token || run->reply.status == VN_OK)
        return true; /* an answer that comes later is not waited for */
    if (run->reply.text[0] == 0)
        snprintf(run->reply.text, sizeof run->reply.text, "%s", vn_status_name(run->reply.status));
    return false;
}

/* Should the script catch the error, the run ends as soon as it waits. */
void run_skip(lua_State *L, const char *what)
{
    struct run *run = run_of(L);
    sandbox_where(L);
    const char *where = lua_tostring(L, -1);
    size_t len = strlen(where);
    while (len > 0 && (where[len - 1] == ' ' || where[len - 1] == ':'))
        len--;
    snprintf(run->skipped, sizeof run->skipped, "the world '%s' cannot %s%s%.*s%s", run->world.name,
             what, len ? " (" : "", (int)len, where, len ? ")" : "");
    run->stop = true;
    sandbox_error(L, "skipped: %s", run->skipped);
}

static void on_print(struct sandbox *s, const char *text)
{
    run_log(s->user, text);
}

/* ---- the crank ---- */

static bool interrupted(const struct run *run)
{
    return run->options->interrupt && *run->options->interrupt;
}

static void progress(struct run *run, const struct world_stats *stats)
{
    const struct engine_observer *o = &run->options->observer;
    if (o->on_progress)
        o->on_progress(o->ctx, run_now(run), run->end_ns, stats->events, stats->messages,
                       run->nodes, run->tip_height);
}

/* A standing invariant does not hold: that ends the run. */
static void tell_violation(struct run *run)
{
    checks_report(run, "", "invariant", run->violated, false, run->violation);
    run->stop = true;
}

/* Lets the rest of this instant happen, hands out peers' events, judges. */
static void settle(struct run *run)
{
    lua_peer_deliver(run);
    while (run->dirty && !run->stop && !interrupted(run)) {
        do {
            run->stopped = false;
            run->world.run_until(run->world.self, run_now(run));
            lua_peer_deliver(run);
        } while (run->stopped && !interrupted(run));
        run->dirty = false;
        audit_turn(run);
        if (run->violated) {
            tell_violation(run);
            return;
        }
        if (!checks_can_wait(run)) {
            checks_judge(run);
        } else if (!run->judge_armed) {
            run->judge_armed = true;
            schedule_wake(run, run->judge_ns, WAKE_JUDGE, NULL);
        }
        lua_peer_deliver(run);
    }
}

struct chunk {
    uint64_t ns; /* how far to run at most before coming back */
    uint64_t events;
    uint32_t stops;
};

/* Runs the world towards the next wake, in chunks of some ten thousand events. */
static void advance(struct run *run, struct chunk *chunk)
{
    uint64_t now = run_now(run);
    uint64_t next = schedule_next(run);
    uint64_t limit = chunk->ns < UINT64_MAX - now ? now + chunk->ns : UINT64_MAX;
    uint64_t target = next < run->end_ns ? next : run->end_ns;
    target = target < limit ? target : limit;
    if (run->options->observer.on_advance)
        target = run->options->observer.on_advance(run->options->observer.ctx, now, target);
    run->stopped = false;
    const struct engine_options *options = run->options;
    if (run->world.exact) /* who watches sees each change as it is made */
        run->world.exact(run->world.self, run->watched > 0 || options->by_time || options->audit);
    run->world.run_until(run->world.self, target);
    if (run->stopped && ++chunk->stops % STOPS_PER_PROGRESS != 0)
        return;
    struct world_stats stats;
    run->world.stats(run->world.self, &stats);
    uint64_t events = stats.events - chunk->events;
    chunk->events = stats.events;
    if (!run->stopped && events < CHUNK_EVENTS_LOW && chunk->ns < CHUNK_NS_MAX)
        chunk->ns *= 2;
    if (events > CHUNK_EVENTS_HIGH && chunk->ns > CHUNK_NS_MIN)
        chunk->ns /= 4;
    progress(run, &stats);
}

/* stack: 1 net, 2 p */
static int crank(lua_State *L)
{
    struct run *run = run_of(L);
    struct chunk chunk = {.ns = NS_PER_S / 1000};
    if (run->options->swarm)
        swarm_begin(run);
    lua_pushglobaltable(L);
    lua_getfield(L, -1, "run");
    lua_remove(L, -2);
    lua_insert(L, 1);
    schedule_start(run, 2, true);
    while (!interrupted(run)) {
        settle(run);
        if (run->stop || (run->main_done && run->pending == 0))
            break;
        if (schedule_run_due(run, run_now(run)))
            continue;
        if (run_now(run) >= run->end_ns)
            break;
        advance(run, &chunk);
    }
    if (!run->stop && !interrupted(run)) {
        char place[120];
        schedule_main_place(run, place, sizeof place);
        if (!run->main_done)
            run_step(run, "duration", -1, "over while run waits at %s", place);
        checks_finish(run);
        audit_all(run);
        if (run->violated)
            tell_violation(run);
    }
    swarm_finish(run);
    checks_tell_sometimes(run);
    return 0;
}

static void push_params(lua_State *L, const struct param *params, size_t count)
{
    lua_createtable(L, 0, (int)count);
    for (size_t i = 0; i < count; i++) {
        const struct param *p = &params[i];
        switch (p->type) {
        case PARAM_WHOLE:
            lua_pushinteger(L, p->whole);
            break;
        case PARAM_NUMBER:
            lua_pushnumber(L, p->number);
            break;
        case PARAM_FLAG:
            lua_pushboolean(L, p->flag);
            break;
        case PARAM_TEXT:
            lua_pushstring(L, p->text);
            break;
        }
        lua_setfield(L, -2, p->name);
    }
}

/* stack: 1 the resolved parameters (light userdata) */
static int run_main(lua_State *L)
{
    struct run *run = run_of(L);
    const struct param *params = lua_touserdata(L, 1);
    lua_settop(L, 0);
    lua_net_push(L);
    push_params(L, params, run->engine->param_count);
    return crank(L);
}

/* ---- a run from its beginning to its end ---- */

static bool make_world(struct run *run, world_maker make, char *why, size_t size)
{
    struct sim_config config;
    sim_config_init(&config);
    rng_fork_seed(config.seed, run->seed, "world", run->options->salt);
    observe_init(run, &config.observer);
    run->wall_start_ns = config.wall_start_ns;
    run->has_world = true;
    if (make)
        make(&run->world, &config);
    else if (run->options->world == ENGINE_TCP)
        run->has_world = world_tcp_init(&run->world, &config, run->options->speed, why, size);
    else
        world_sim_init(&run->world, &config);
    const struct engine_observer *o = &run->options->observer;
    if (run->has_world && !make && run->options->world == ENGINE_SIM && o->on_world)
        o->on_world(o->ctx, run->world.self);
    return run->has_world;
}

void run_seed(uint8_t out[32], uint64_t number)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(number >> (8 * i));
    sha256(out, bytes, sizeof bytes);
}

static void run_init(struct run *run, struct engine *engine, const struct engine_options *options,
                     struct engine_result *result)
{
    *run = (struct run){.engine = engine, .options = options, .result = result, .phase = RUN_TOP};
    run->conditions_tail = &run->conditions;
    run->sometimes_tail = &run->sometimes;
    run_seed(run->seed, options->seed);
    rng_fork(&run->rng_seeds, run->seed, "seeds", 0);
    rng_fork(&run->rng_tx, run->seed, "tx", 0);
    rng_fork(&run->rng_split, run->seed, "split", 0);
    rng_fork(&run->rng_skew, run->seed, "skew", 0);
    run->own_core = (struct engine_core){ENGINE_CORE_OWN, vn_api(VN_API_VERSION)};
    sim_link_params_init(&run->links);
    run->end_ns =
        options->until_ns ? options->until_ns : exact_ns_from_seconds(engine->about.duration_s);
    *result = (struct engine_result){.outcome = ENGINE_PASS};
}

static void bad_scenario(struct run *run, const char *why)
{
    run->result->outcome = ENGINE_BAD_SCENARIO;
    snprintf(run->result->reason, sizeof run->result->reason, "%s", why);
    for (char *c = run->result->reason; *c; c++)
        if (*c == '\n')
            *c = ' ';
}

static void judge_status(struct run *run, int status)
{
    if (run->sandbox.interrupted || interrupted(run)) {
        run->result->outcome = ENGINE_INTERRUPTED;
        snprintf(run->result->reason, sizeof run->result->reason, "interrupted at t=%.3f s",
                 (double)run_now(run) / 1e9);
    } else if (run->skipped[0]) {
        run->result->outcome = ENGINE_SKIPPED;
        snprintf(run->result->reason, sizeof run->result->reason, "%s", run->skipped);
    } else if (sandbox_limit(&run->sandbox, status)) {
        bad_scenario(run, run->sandbox.limit);
    } else if (status != LUA_OK) {
        bad_scenario(run, lua_type(run->L, -1) == LUA_TSTRING
                              ? lua_tostring(run->L, -1)
                              : "the script raised an error without text");
    } else if (run->result->checks_failed > 0) {
        run->result->outcome = ENGINE_FAIL;
    } else {
        checks_report(run, "", "invariant", invariant_honest, true, NULL);
        if (run->world.audit)
            checks_report(run, "", "invariant", invariant_books, true, NULL);
    }
}

/* A world in real time, on a machine that does not keep up with it. */
static void tell_late(struct run *run)
{
    const struct engine_observer *o = &run->options->observer;
    char text[200];
    if (!run->world.late_ns)
        return;
    uint64_t late_ns = run->world.late_ns(run->world.self);
    if (o->on_metric)
        o->on_metric(o->ctx, "world-late", -1, (double)late_ns / 1e9);
    if (late_ns < NS_PER_S || late_ns < run_now(run) / 10)
        return;
    snprintf(text, sizeof text,
             "this machine does not keep up: the world was up to %.1f s late; try a lower --speed",
             (double)late_ns / 1e9);
    run_log(run, text);
}

static void tell_marks(struct run *run)
{
    const struct engine_observer *o = &run->options->observer;
    if (!o->on_mark || !run->world.marks)
        return;
    struct sim_hash_mark *marks = run_alloc(SIM_HASH_MARKS * sizeof *marks);
    const uint32_t count = run->world.marks(run->world.self, marks);
    for (uint32_t i = 0; i < count; i++)
        o->on_mark(o->ctx, marks[i].t_ns, marks[i].events, marks[i].hash);
    free(marks);
}

/* Final heights and tips of the honest nodes. */
static void report_final(struct run *run,
                         void (*on_final)(void *ctx, uint32_t host, uint64_t height,
                                          const uint8_t tip[32]),
                         void *ctx)
{
    struct engine_result *r = run->result;
    uint8_t(*tips)[32] = run_alloc((size_t)run->host_count * sizeof *tips);
    struct vn_info info;
    for (uint32_t i = 0; i < run->host_count; i++) {
        if (run->hosts[i].role == HOST_PEER || !run->world.info(run->world.self, i, &info))
            continue;
        if (on_final)
            on_final(ctx, i, info.height, info.tip);
        if (info.height > r->tip_height)
            r->tip_height = info.height;
        uint32_t seen = 0;
        while (seen < r->tips && memcmp(tips[seen], info.tip, sizeof info.tip) != 0)
            seen++;
        if (seen == r->tips)
            memcpy(tips[r->tips++], info.tip, sizeof info.tip);
    }
    free(tips);
    struct world_stats stats;
    run->world.stats(run->world.self, &stats);
    r->events = stats.events;
    r->messages = stats.messages;
    r->bytes = stats.bytes;
    r->sim_ns = run_now(run);
    r->trace_hash = run->world.trace_hash(run->world.self);
    r->nodes = run->nodes;
    r->peers = run->peers;
    r->decisions = run->decisions;
    progress(run, &stats);
    tell_late(run);
    tell_marks(run);
    if (run->options->observer.on_end)
        run->options->observer.on_end(run->options->observer.ctx, r);
}

static void tell_story(const struct run *run)
{
    const struct engine_observer *o = &run->options->observer;
    char line[320];
    uint64_t first = run->story_count > STORY_LINES ? run->story_count - STORY_LINES : 0;
    if (!o->on_story || run->result->outcome == ENGINE_PASS)
        return;
    for (uint64_t i = first; i < run->story_count; i++) {
        observe_story_line(run, &run->story[i % STORY_LINES], line, sizeof line);
        o->on_story(o->ctx, line);
    }
}

static void run_free(struct run *run)
{
    lua_peer_free(run);
    if (run->has_world)
        run->world.free(run->world.self);
    sandbox_close(&run->sandbox); /* after the world: it borrows the distributions */
    schedule_free(run);
    checks_free(run);
    swarm_free(run);
    blocks_free(run->blocks);
    free(run->topology);
    free(run->hosts);
    free(run->ongoing);
    free(run->script_bans);
}

void engine_run_in(struct engine *engine, const struct engine_options *options, world_maker make,
                   void (*on_final)(void *ctx, uint32_t host, uint64_t height,
                                    const uint8_t tip[32]),
                   void *final_ctx, struct engine_result *result)
{
    char why[400];
    struct run *run = run_alloc(sizeof *run);
    run_init(run, engine, options, result);
    struct param *params = engine_resolve_run(engine, options, why, sizeof why);
    if (params && !make_world(run, make, why, sizeof why)) {
        bad_scenario(run, why);
        engine_params_free(params, engine->param_count);
    } else if (params) {
        if (lua_core_missing(run, run->skipped, sizeof run->skipped)) {
            judge_status(run, LUA_OK);
        } else if (engine_open_state(run, why, sizeof why)) {
            run->phase = RUN_ON;
            run->sandbox.print = on_print;
            lua_pushcfunction(run->L, run_main);
            lua_pushlightuserdata(run->L, params);
            judge_status(run, sandbox_call(run->L, 1, 0));
        } else {
            bad_scenario(run, why);
        }
        report_final(run, on_final, final_ctx);
        tell_story(run);
        engine_params_free(params, engine->param_count);
    } else {
        bad_scenario(run, why);
    }
    run_free(run);
    free(run);
}

void engine_run(struct engine *engine, const struct engine_options *options,
                void (*on_final)(void *ctx, uint32_t host, uint64_t height, const uint8_t tip[32]),
                void *final_ctx, struct engine_result *result)
{
    engine_run_in(engine, options, NULL, on_final, final_ctx, result);
}
