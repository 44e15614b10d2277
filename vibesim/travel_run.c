/* A process of a run that one goes about in: runs the engine, stops where it was told to, shows
 * what it is asked for, and leaves checkpoints on its way. See travel.h.
 *
 * It stops inside the engine's callbacks, from which it returns when it is to go on. At the end of
 * the run it stands still for good: whoever wants to go back does so with another process. */
#include "vibesim/travel.h"

#include "trace/words.h"
#include "vibesim/cli_trace.h"
#include "vibesim/dump.h"
#include "vibesim/event_words.h"
#include "vibesim/progress.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct ride {
    struct travel *travel;
    struct checkpoint_run *run;
    const struct sim *sim;
    uint64_t events, t_ns;
    struct checkpoint_place to;
    bool show;
    bool in_cycle;             /* an event was given, and its node has not drained yet */
    struct travel_where where; /* what does not change: the end */
    struct cli_trace trace;    /* names and links, and what happens in words */
    struct trace_filter all, none;
    struct progress progress;
};

/* A signal handler can reach nothing but a global. */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* ---- hosts by name ---- */

static void name_of(const void *ctx, uint32_t host, char out[24])
{
    const struct cli_trace *trace = ctx;
    if (host < trace->host_count)
        words_host(out, trace->hosts[host].peer, trace->hosts[host].number);
    else
        snprintf(out, 24, "host %u", host);
}

static uint32_t host_of(const struct ride *r, struct trace_host wanted)
{
    for (uint32_t i = 0; i < r->trace.host_count; i++)
        if (r->trace.hosts[i].peer == wanted.peer && r->trace.hosts[i].number == wanted.number)
            return i;
    return UINT32_MAX;
}

/* ---- standing still ---- */

static void tell_where(const struct ride *r, struct travel_where *w)
{
    *w = r->where;
    w->t_ns = r->t_ns;
    w->events = r->events;
    w->nodes = r->trace.nodes;
    w->peers = r->trace.peers;
    for (uint32_t i = 0; i < r->trace.host_count; i++) {
        const struct vn_node *node = sim_node(r->sim, i);
        struct vn_info info = {.size = sizeof info};
        if (!node)
            continue;
        sim_node_api(r->sim, i)->node_info(node, &info);
        w->alive++;
        w->tip_height = info.height > w->tip_height ? info.height : w->tip_height;
    }
}

static bool dump(const struct ride *r, const struct travel_order *o)
{
    const struct dump_place place = {r->sim, r->t_ns, r->events, name_of, &r->trace};
    const uint32_t host = host_of(r, o->host);
    json_t *d = r->sim && host != UINT32_MAX ? dump_host(&place, host) : NULL;
    if (d && o->json) {
        json_dumpf(d, stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (d) {
        dump_text(stdout, d);
    }
    json_decref(d);
    return d != NULL;
}

/* Follows orders until one says to go where this process does not stand yet. */
static void obey(struct ride *r)
{
    for (;;) {
        struct travel_order o;
        checkpoint_hear(r->run, &o, sizeof o);
        struct travel_answer a = {.done = 0};
        if (o.verb == TRAVEL_DUMP) {
            a.done = dump(r, &o);
        } else if (!r->where.over && o.to.steps > r->events &&
                   (o.to.t_ns > r->t_ns || !r->where.at_time)) {
            interrupted = 0; /* what came while it stood still */
            r->to = o.to;
            r->show = o.show;
            r->where.at_time = r->where.interrupted = false;
            r->trace.filter = o.show ? &r->all : &r->none;
            return;
        }
        tell_where(r, &a.where);
        checkpoint_tell(r->run, &a, sizeof a);
    }
}

/* It stands where it was told to. */
static void arrive(struct ride *r)
{
    struct travel_answer a = {.done = 1};
    progress_clear(&r->progress);
    interrupted = 0;
    tell_where(r, &a.where);
    checkpoint_tell(r->run, &a, sizeof a);
    obey(r);
}

/* After an event, and what came of it: leaves a checkpoint, or stops. */
static void look_up(struct ride *r)
{
    const struct checkpoint_place here = {r->events, r->t_ns};
    if (checkpoint_due(r->run, r->events) && checkpoint_make(r->run, here)) {
        progress_init(&r->progress, NULL, ""); /* its clock is that of the first pass */
        obey(r);
    }
    if (interrupted)
        r->where.interrupted = true;
    if (interrupted || r->events >= r->to.steps)
        arrive(r);
}

/* ---- what the engine tells ---- */

static void on_world(void *ctx, const struct sim *sim)
{
    struct ride *r = ctx;
    r->sim = sim;
    checkpoint_make(r->run, (struct checkpoint_place){0, 0});
    obey(r);
}

static void on_node(void *ctx, uint32_t host, const char *role, const char *region,
                    const char *version)
{
    struct ride *r = ctx;
    (void)host;
    (void)region;
    (void)version;
    trace_node(&r->trace, role);
}

static void show_event(const struct ride *r, uint64_t number, uint32_t host,
                       const struct vn_event *event)
{
    char name[24], other[24] = "", text[200];
    const uint64_t id = event_words_link(event);
    struct sim_link_look link;
    for (uint32_t i = 0; id && sim_link_look(r->sim, host, i, &link); i++)
        if (link.id == id && link.other < r->trace.host_count)
            name_of(&r->trace, link.other, other);
    name_of(&r->trace, host, name);
    event_words(text, sizeof text, event, other);
    printf("event %" PRIu64 " t=%" PRIu64 ".%09" PRIu64 "s %s: %s\n", number,
           event->now_ns / 1000000000u, event->now_ns % 1000000000u, name, text);
}

static void on_give(void *ctx, uint64_t number, uint32_t host, const struct vn_event *event)
{
    struct ride *r = ctx;
    if (r->in_cycle)
        look_up(r);
    if (r->show)
        show_event(r, number, host, event);
    r->events = number;
    r->t_ns = event->now_ns;
    r->in_cycle = true;
}

static void on_drained(void *ctx, uint32_t host, uint64_t hash)
{
    struct ride *r = ctx;
    (void)host;
    (void)hash;
    if (!r->in_cycle)
        return;
    r->in_cycle = false;
    look_up(r);
}

static uint64_t on_advance(void *ctx, uint64_t now_ns, uint64_t target_ns)
{
    struct ride *r = ctx;
    if (r->in_cycle) { /* a script's peer has no drain */
        r->in_cycle = false;
        look_up(r);
    }
    while (now_ns >= r->to.t_ns) {
        r->t_ns = now_ns;
        r->where.at_time = true;
        arrive(r);
    }
    return target_ns < r->to.t_ns ? target_ns : r->to.t_ns;
}

static void on_trace(void *ctx, uint64_t t_ns, uint32_t host, const struct vn_trace *trace,
                     uint32_t peer_host)
{
    struct ride *r = ctx;
    if (r->show || trace->kind == VN_TR_PEER_STATE)
        trace_event(&r->trace, t_ns, host, trace, peer_host);
}

static void on_step(void *ctx, uint64_t t_ns, const char *kind, int64_t host, const char *detail)
{
    struct ride *r = ctx;
    trace_step(&r->trace, t_ns, kind, host, detail);
}

static void on_log(void *ctx, uint64_t t_ns, const char *text)
{
    struct ride *r = ctx;
    trace_log(&r->trace, t_ns, text);
}

static void on_check(void *ctx, uint64_t t_ns, const char *name, const char *kind, bool ok,
                     const char *detail)
{
    struct ride *r = ctx;
    if (strcmp(kind, "sometimes") != 0)
        trace_check(&r->trace, t_ns, name, ok, detail);
}

static void on_progress(void *ctx, uint64_t sim_ns, uint64_t end_ns, uint64_t events,
                        uint64_t messages, uint32_t nodes, uint64_t tip_height)
{
    struct ride *r = ctx;
    const struct progress_now now = {sim_ns, end_ns, events, messages, tip_height, nodes};
    progress_update(&r->progress, &now);
}

static void on_end(void *ctx, const struct engine_result *result)
{
    struct ride *r = ctx;
    r->in_cycle = false;
    r->t_ns = result->sim_ns;
    r->where.over = true;
    r->where.passed = result->outcome == ENGINE_PASS;
    r->where.trace_hash = result->trace_hash;
    snprintf(r->where.reason, sizeof r->where.reason, "%.199s", result->reason);
    for (;;)
        arrive(r);
}

/* ---- the run ---- */

void travel_run(struct checkpoint_run *run, void *ctx)
{
    static struct ride r; /* too large for a stack */
    struct travel *travel = ctx;
    const struct args_run *args = &travel->rerun->args;
    struct engine_options options;
    struct engine_result result;
    char why[200];
    r = (struct ride){.travel = travel, .run = run};
    trace_filter_add(&r.all, "all", why, sizeof why);
    trace_init(&r.trace, &r.none, false);
    r.trace.out = stdout;
    progress_init(&r.progress, travel->quiet ? NULL : stderr, "");
    signal(SIGINT, on_interrupt);
    run_options(&options, args);
    options.by_time = true;
    options.observer = (struct engine_observer){
        .ctx = &r,
        .on_world = on_world,
        .on_node = on_node,
        .on_trace = travel->words ? on_trace : NULL,
        .trace_mask = travel->words ? UINT64_MAX : 0,
        .on_step = on_step,
        .on_log = on_log,
        .on_check = on_check,
        .on_give = on_give,
        .on_drained = on_drained,
        .on_advance = on_advance,
        .on_progress = on_progress,
        .on_end = on_end,
    };
    engine_run(travel->rerun->loaded.engine, &options, NULL, NULL, &result);
}
