/* The trace of a run for Perfetto: a process for the scenario and one for each host.
 *
 * The scenario's tracks are its faults, as spans where they last, its steps, checks and log lines.
 * A node's are its life (runs, paused), what happens to its chain and its peers, and one for each
 * link: a lane, which another link gets when this one is over. On a lane lie the link's life, in it
 * its states, in them its messages, with arrows from a message's sending to its receipt. Height,
 * pool and ready links are counters.
 *
 * Arrows. The n-th message that one end sends is the n-th that the other receives: a stream has no
 * gaps, and after bytes that are no message it ends. So an arrow's id is made of the link's number,
 * its direction and n, and nothing is kept for messages under way. Which lanes are the two ends of
 * a link is told by the wire; where there is none (the world tcp) there are no arrows, and none to
 * or from a scripted peer, which does not tell what it sends. */
#include "vibesim/export_impl.h"

#include "vibesim/cli_trace.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCENARIO   1u /* its process; those of hosts follow */
#define FIRST_HOST 2u
#define TEXT_MAX   400u

enum scenario_track { TRACK_FAULTS = 1, TRACK_STEPS, TRACK_CHECKS, TRACK_LOG };
enum host_track { TRACK_LIFE = 1, TRACK_NODE, TRACK_LANES };

/* A link at one of its ends. */
struct lane {
    uint64_t link;           /* as the host names it */
    uint64_t wire;           /* as the wire does; 0: not known to it */
    uint64_t since_ns;       /* of its beginning */
    uint32_t number;         /* of the link in the run, from 1; 0: no arrows */
    uint32_t sent, received; /* messages */
    uint32_t peer;           /* host at the other end, or UINT32_MAX */
    uint8_t accepted;        /* this end was dialled */
    uint8_t used;
    uint8_t open; /* slices that are begun and not finished: 1 its life, 2 and a state */
};

struct perfetto_host {
    char name[24];
    bool peer, up, paused;
    struct lane *lanes;
    uint32_t lane_count, lane_capacity;
    uint64_t height, pool, ready; /* as last told */
};

/* A fault under way. */
struct perfetto_span {
    uint32_t no;
    uint64_t end_ns; /* of one that ends by itself, or UINT64_MAX */
    char kind[24];
};

static struct perfetto_at at(uint64_t t_ns, uint32_t pid, uint32_t tid)
{
    return (struct perfetto_at){.t_ns = t_ns, .pid = pid, .tid = tid};
}

static struct perfetto_host *host_at(const struct export_perfetto *x, uint64_t host)
{
    return host < x->host_count ? &x->hosts[host] : NULL;
}

static const char *name_of(const struct export_perfetto *x, uint32_t host)
{
    return host < x->host_count ? x->hosts[host].name : "a peer";
}

static void instant(struct export_perfetto *x, struct perfetto_at when, const char *category,
                    const char *name, const char *what)
{
    perfetto_event(&x->file, PERFETTO_INSTANT, when, category, name);
    if (what && *what)
        perfetto_text(&x->file, "what", what);
    perfetto_end(&x->file);
}

static void slice(struct export_perfetto *x, enum perfetto_phase phase, struct perfetto_at when,
                  const char *category, const char *name)
{
    perfetto_event(&x->file, phase, when, category, name);
    perfetto_end(&x->file);
}

void export_perfetto_init(struct export_perfetto *x)
{
    perfetto_process(&x->file, SCENARIO, "scenario");
    perfetto_track(&x->file, SCENARIO, TRACK_FAULTS, "faults");
    perfetto_track(&x->file, SCENARIO, TRACK_STEPS, "steps");
    perfetto_track(&x->file, SCENARIO, TRACK_CHECKS, "checks");
    perfetto_track(&x->file, SCENARIO, TRACK_LOG, "log");
}

/* ---- hosts ---- */

void export_perfetto_host(struct export_perfetto *x, bool peer, const char *name)
{
    const uint32_t pid = FIRST_HOST + x->host_count;
    x->hosts = export_room(x->hosts, x->host_count, &x->host_capacity, sizeof *x->hosts);
    struct perfetto_host *host = &x->hosts[x->host_count++];
    *host = (struct perfetto_host){.peer = peer};
    snprintf(host->name, sizeof host->name, "%s", name);
    perfetto_process(&x->file, pid, name);
    if (peer)
        return;
    perfetto_track(&x->file, pid, TRACK_LIFE, "life");
    perfetto_track(&x->file, pid, TRACK_NODE, "node");
}

/* Of hosts that are new: a step of the scenario made them, and it tells the time. */
static void lives_begin(struct export_perfetto *x, uint64_t t_ns)
{
    for (; x->begun < x->host_count; x->begun++) {
        struct perfetto_host *host = &x->hosts[x->begun];
        if (host->peer)
            continue;
        slice(x, PERFETTO_BEGIN, at(t_ns, FIRST_HOST + x->begun, TRACK_LIFE), "life", "runs");
        host->up = true;
    }
}

static void counter(struct export_perfetto *x, uint64_t t_ns, uint32_t pid, const char *name,
                    uint64_t value, uint64_t *last)
{
    if (*last == value)
        return;
    *last = value;
    perfetto_event(&x->file, PERFETTO_COUNTER, at(t_ns, pid, 0), "node", name);
    perfetto_number(&x->file, name, value);
    perfetto_end(&x->file);
}

void export_perfetto_info(struct export_perfetto *x, uint64_t t_ns, uint32_t host,
                          const struct vn_info *info)
{
    struct perfetto_host *h = host_at(x, host);
    if (!h)
        return;
    counter(x, t_ns, FIRST_HOST + host, "height", info->height, &h->height);
    counter(x, t_ns, FIRST_HOST + host, "mempool", info->mempool, &h->pool);
    counter(x, t_ns, FIRST_HOST + host, "ready links", (uint64_t)info->inbound + info->outbound,
            &h->ready);
}

/* ---- lanes ---- */

static struct lane *lane_find(struct perfetto_host *h, uint64_t link)
{
    for (uint32_t i = 0; i < h->lane_count; i++)
        if (h->lanes[i].used && h->lanes[i].link == link)
            return &h->lanes[i];
    return NULL;
}

static struct lane *lane_on_wire(struct perfetto_host *h, uint64_t wire)
{
    for (uint32_t i = 0; i < h->lane_count; i++)
        if (h->lanes[i].used && h->lanes[i].wire == wire)
            return &h->lanes[i];
    return NULL;
}

static uint32_t lane_track(const struct perfetto_host *h, const struct lane *lane)
{
    return TRACK_LANES + (uint32_t)(lane - h->lanes);
}

/* The first lane that is free, so that there are as many as links at once. */
static struct lane *lane_new(struct export_perfetto *x, uint64_t t_ns, uint32_t host, uint64_t link)
{
    struct perfetto_host *h = &x->hosts[host];
    uint32_t i = 0;
    while (i < h->lane_count && h->lanes[i].used)
        i++;
    if (i == h->lane_count) {
        char name[24];
        h->lanes = export_room(h->lanes, h->lane_count, &h->lane_capacity, sizeof *h->lanes);
        h->lane_count++;
        snprintf(name, sizeof name, "link %u", (unsigned)i + 1);
        perfetto_track(&x->file, FIRST_HOST + host, TRACK_LANES + i, name);
    }
    h->lanes[i] = (struct lane){.link = link, .since_ns = t_ns, .peer = UINT32_MAX, .used = 1};
    return &h->lanes[i];
}

/* Its life is named after the other end, so that must be known. */
static void lane_begin(struct export_perfetto *x, uint64_t t_ns, uint32_t host, struct lane *lane)
{
    char name[40];
    snprintf(name, sizeof name, "%s %s", lane->link % 2 == 1 ? "to" : "from",
             name_of(x, lane->peer));
    slice(x, PERFETTO_BEGIN, at(t_ns, FIRST_HOST + host, lane_track(&x->hosts[host], lane)), "link",
          name);
    lane->open = 1;
}

/* Finishes its slices but for the outer `keep`. */
static void lane_finish(struct export_perfetto *x, uint64_t t_ns, uint32_t host, struct lane *lane,
                        uint8_t keep, const char *why)
{
    const struct perfetto_at when = at(t_ns, FIRST_HOST + host, lane_track(&x->hosts[host], lane));
    for (; lane->open > keep; lane->open--) {
        perfetto_event(&x->file, PERFETTO_FINISH, when, "link", "");
        if (lane->open == 1 && why)
            perfetto_text(&x->file, "why", why);
        perfetto_end(&x->file);
    }
}

/* A link's state changed. A lane stays taken until the wire is done with the link, for what a node
 * says last leaves it afterwards. */
static void on_state(struct export_perfetto *x, uint64_t t_ns, uint32_t host,
                     const struct vn_trace *trace, uint32_t peer)
{
    struct perfetto_host *h = &x->hosts[host];
    struct lane *lane = lane_find(h, trace->link);
    const bool up = trace->b == VN_PEER_CONNECTING || trace->b == VN_PEER_CONNECTED ||
                    trace->b == VN_PEER_READY;
    if (!up) {
        if (lane)
            lane_finish(x, t_ns, host, lane, 0, trace->c ? vn_why_name((uint32_t)trace->c) : NULL);
        if (lane && lane->wire == 0)
            lane->used = 0;
        return;
    }
    if (!lane)
        lane = lane_new(x, t_ns, host, trace->link);
    if (peer != UINT32_MAX)
        lane->peer = peer;
    if (lane->open == 0)
        lane_begin(x, t_ns, host, lane);
    lane_finish(x, t_ns, host, lane, 1, NULL);
    slice(x, PERFETTO_BEGIN, at(t_ns, FIRST_HOST + host, lane_track(h, lane)), "link",
          vn_peer_state_name((uint32_t)trace->b));
    lane->open = 2;
}

/* The end of a scripted peer, which tells nothing by itself, begins and finishes by the wire. */
static struct lane *wire_lane(struct export_perfetto *x, uint64_t t_ns, const struct sim_wire *wire)
{
    struct perfetto_host *h = host_at(x, wire->to);
    struct lane *lane = h ? lane_find(h, wire->to_id) : NULL;
    if (h && !lane)
        lane = lane_new(x, t_ns, wire->to, wire->to_id);
    if (!lane)
        return NULL;
    lane->wire = wire->link;
    lane->peer = wire->from;
    lane->accepted = !wire->back;
    if (h->peer)
        lane_begin(x, t_ns, wire->to, lane);
    return lane;
}

static void wire_end(struct export_perfetto *x, uint64_t t_ns, uint32_t host, uint64_t wire)
{
    struct perfetto_host *h = host_at(x, host);
    struct lane *lane = h ? lane_on_wire(h, wire) : NULL;
    if (!lane)
        return;
    lane_finish(x, t_ns, host, lane, 0, NULL);
    lane->used = 0;
}

void export_perfetto_wire(struct export_perfetto *x, uint64_t t_ns, const struct sim_wire *wire)
{
    struct perfetto_host *dialler = host_at(x, wire->from);
    struct lane *lane, *other;
    switch ((enum sim_wire_kind)wire->kind) {
    case SIM_WIRE_SYN_ACK:
        lane = wire_lane(x, t_ns, wire);
        if (lane && !x->hosts[wire->from].peer && !x->hosts[wire->to].peer)
            lane->number = ++x->links;
        return;
    case SIM_WIRE_ACK:
        lane = wire_lane(x, t_ns, wire);
        other = dialler ? lane_on_wire(dialler, wire->link) : NULL;
        if (lane && other)
            lane->number = other->number;
        return;
    case SIM_WIRE_END:
        wire_end(x, t_ns, wire->from, wire->link);
        wire_end(x, t_ns, wire->to, wire->link);
        return;
    case SIM_WIRE_SYN:
    case SIM_WIRE_BYTES:
    case SIM_WIRE_FIN:
    case SIM_WIRE_RST:
        return;
    }
}

/* ---- what nodes tell ---- */

static void on_message(struct export_perfetto *x, uint64_t t_ns, uint32_t host,
                       const struct vn_trace *trace)
{
    const bool in = trace->kind == VN_TR_MSG_IN;
    const char *message = vn_message_name((uint32_t)trace->a);
    struct perfetto_host *h = &x->hosts[host];
    struct lane *lane = lane_find(h, trace->link);
    const struct perfetto_at when =
        at(t_ns, FIRST_HOST + host, lane ? lane_track(h, lane) : (uint32_t)TRACK_NODE);
    char name[40];
    snprintf(name, sizeof name, "%s %s", in ? "receives" : "sends", message);
    perfetto_event(&x->file, PERFETTO_SLICE, when, "message", name);
    perfetto_number(&x->file, "bytes", trace->b);
    perfetto_text(&x->file, in ? "from" : "to", name_of(x, lane ? lane->peer : UINT32_MAX));
    perfetto_end(&x->file);
    if (!lane || lane->number == 0)
        return;
    const uint64_t back = lane->accepted ^ (in ? 1u : 0u);
    const uint32_t n = in ? lane->received++ : lane->sent++;
    perfetto_event(&x->file, in ? PERFETTO_ARROW_TO : PERFETTO_ARROW_FROM, when, "message",
                   message);
    perfetto_id(&x->file, (uint64_t)lane->number << 33 | back << 32 | n);
    perfetto_end(&x->file);
}

static void on_tip(struct export_perfetto *x, uint64_t t_ns, uint32_t host,
                   const struct vn_trace *trace, const char *what)
{
    perfetto_event(&x->file, PERFETTO_INSTANT, at(t_ns, FIRST_HOST + host, TRACK_NODE), "chain",
                   trace->b > 0 ? "reorg" : "tip");
    perfetto_text(&x->file, "what", what);
    perfetto_number(&x->file, "height", trace->a);
    if (trace->b > 0)
        perfetto_number(&x->file, "replaced", trace->b);
    perfetto_end(&x->file);
}

void export_perfetto_trace(struct export_perfetto *x, uint64_t t_ns, uint32_t host,
                           const struct vn_trace *trace, uint32_t peer)
{
    struct perfetto_host *h = host_at(x, host);
    if (!h)
        return;
    if (trace->kind == VN_TR_PEER_STATE) {
        if (trace->link != 0)
            on_state(x, t_ns, host, trace, peer);
        return;
    }
    if (trace->kind == VN_TR_MSG_IN || trace->kind == VN_TR_MSG_OUT) {
        on_message(x, t_ns, host, trace);
        return;
    }
    char what[TEXT_MAX];
    const struct lane *lane = trace->link ? lane_find(h, trace->link) : NULL;
    trace_words(what, sizeof what, trace,
                name_of(x, peer == UINT32_MAX && lane ? lane->peer : peer));
    if (trace->kind == VN_TR_TIP)
        on_tip(x, t_ns, host, trace, what);
    else
        instant(x, at(t_ns, FIRST_HOST + host, TRACK_NODE), "node", vn_trace_name(trace->kind),
                what);
}

/* ---- what the scenario does ---- */

static void life_finish(struct export_perfetto *x, uint64_t t_ns, uint32_t host)
{
    struct perfetto_host *h = &x->hosts[host];
    const struct perfetto_at when = at(t_ns, FIRST_HOST + host, TRACK_LIFE);
    if (h->paused)
        slice(x, PERFETTO_FINISH, when, "life", "paused");
    if (h->up)
        slice(x, PERFETTO_FINISH, when, "life", "runs");
    h->up = h->paused = false;
    for (uint32_t i = 0; i < h->lane_count; i++) {
        struct lane *lane = &h->lanes[i];
        if (!lane->used || lane->since_ns >= t_ns) /* of its next life, if there is one already */
            continue;
        lane_finish(x, t_ns, host, lane, 0, "the process ended");
        lane->used = 0;
    }
}

/* Of a node: whether it runs. */
static void on_life(struct export_perfetto *x, uint64_t t_ns, uint32_t host, const char *kind)
{
    struct perfetto_host *h = &x->hosts[host];
    const struct perfetto_at when = at(t_ns, FIRST_HOST + host, TRACK_LIFE);
    if (strcmp(kind, "kill") == 0) {
        life_finish(x, t_ns, host);
    } else if (strcmp(kind, "restart") == 0) {
        life_finish(x, t_ns, host);
        slice(x, PERFETTO_BEGIN, when, "life", "runs");
        h->up = true;
    } else if (strcmp(kind, "pause") == 0 && !h->paused) {
        slice(x, PERFETTO_BEGIN, when, "life", "paused");
        h->paused = true;
    } else if (strcmp(kind, "resume") == 0 && h->paused) {
        slice(x, PERFETTO_FINISH, when, "life", "paused");
        h->paused = false;
    }
}

void export_perfetto_step(struct export_perfetto *x, uint64_t t_ns, const char *kind, int64_t host,
                          const char *detail)
{
    lives_begin(x, t_ns);
    instant(x, at(t_ns, SCENARIO, TRACK_STEPS), "step", kind, detail);
    if (host < 0 || !host_at(x, (uint64_t)host) || x->hosts[host].peer)
        return;
    instant(x, at(t_ns, FIRST_HOST + (uint32_t)host, TRACK_NODE), "step", kind, detail);
    on_life(x, t_ns, (uint32_t)host, kind);
}

static void span(struct export_perfetto *x, enum perfetto_phase phase, uint64_t t_ns,
                 const struct perfetto_span *s, const char *params)
{
    perfetto_event(&x->file, phase, at(t_ns, SCENARIO, TRACK_FAULTS), "fault", s->kind);
    perfetto_id(&x->file, s->no);
    if (params) {
        perfetto_number(&x->file, "decision", s->no);
        perfetto_text(&x->file, "parameters", params);
    }
    perfetto_end(&x->file);
}

/* Finishes those that were to end until t_ns by themselves, all where `all` is set. */
static void spans_finish(struct export_perfetto *x, uint64_t t_ns, bool all)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < x->span_count; i++) {
        const struct perfetto_span *s = &x->spans[i];
        if (all || s->end_ns <= t_ns)
            span(x, PERFETTO_SPAN_FINISH, s->end_ns < t_ns ? s->end_ns : t_ns, s, NULL);
        else
            x->spans[kept++] = *s;
    }
    x->span_count = kept;
}

/* When a fault that begins at t_ns ends by itself. */
static uint64_t end_of(uint64_t t_ns, const char *params)
{
    json_t *o = json_loads(params, 0, NULL);
    const double lasting = json_number_value(json_object_get(o, "lasting"));
    json_decref(o);
    return lasting > 0 && lasting < 1e10 ? t_ns + (uint64_t)(lasting * 1e9 + 0.5) : UINT64_MAX;
}

static bool lasts(const char *kind)
{
    static const char *const kinds[] = {"partition", "blackhole", "flap", "degrade"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kind, kinds[i]) == 0)
            return true;
    return false;
}

void export_perfetto_decision(struct export_perfetto *x, uint64_t t_ns, uint32_t no,
                              const char *kind, const char *params, bool taken)
{
    spans_finish(x, t_ns, false);
    if (taken && lasts(kind)) {
        x->spans = export_room(x->spans, x->span_count, &x->span_capacity, sizeof *x->spans);
        struct perfetto_span *s = &x->spans[x->span_count++];
        *s = (struct perfetto_span){.no = no, .end_ns = end_of(t_ns, params)};
        snprintf(s->kind, sizeof s->kind, "%s", kind);
        span(x, PERFETTO_SPAN_BEGIN, t_ns, s, params);
        return;
    }
    perfetto_event(&x->file, PERFETTO_INSTANT, at(t_ns, SCENARIO, TRACK_FAULTS), "fault", kind);
    perfetto_number(&x->file, "decision", no);
    perfetto_text(&x->file, "parameters", params);
    if (!taken)
        perfetto_text(&x->file, "left out", "yes");
    perfetto_end(&x->file);
}

void export_perfetto_decision_over(struct export_perfetto *x, uint64_t t_ns, uint32_t no)
{
    for (uint32_t i = 0; i < x->span_count; i++)
        if (x->spans[i].no == no && x->spans[i].end_ns > t_ns)
            x->spans[i].end_ns = t_ns;
    spans_finish(x, t_ns, false);
}

void export_perfetto_check(struct export_perfetto *x, uint64_t t_ns, const char *name, bool ok,
                           const char *detail)
{
    perfetto_event(&x->file, PERFETTO_INSTANT, at(t_ns, SCENARIO, TRACK_CHECKS), "check",
                   ok ? "holds" : "failed");
    perfetto_text(&x->file, "check", name);
    if (detail)
        perfetto_text(&x->file, "what", detail);
    perfetto_end(&x->file);
}

void export_perfetto_log(struct export_perfetto *x, uint64_t t_ns, const char *text)
{
    instant(x, at(t_ns, SCENARIO, TRACK_LOG), "log", "log", text);
}

/* ---- the end ---- */

void export_perfetto_deinit(struct export_perfetto *x, uint64_t t_ns)
{
    spans_finish(x, t_ns, true);
    for (uint32_t i = 0; i < x->host_count; i++) {
        struct perfetto_host *h = &x->hosts[i];
        for (uint32_t k = 0; k < h->lane_count; k++)
            if (h->lanes[k].used)
                lane_finish(x, t_ns, i, &h->lanes[k], 0, NULL);
        life_finish(x, t_ns, i);
        free(h->lanes);
    }
    free(x->hosts);
    free(x->spans);
}
