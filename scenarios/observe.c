/* What the world tells, as it happens: passed on to the run's observer, kept for the story of a
 * failure, and held against the first invariant that stands in every scenario: no honest node
 * penalises, bans or refuses an honest one. Excused is who got bytes that were changed on the way
 * (corrupt, duplicate) from the other: an honest peer looks dishonest then. Nothing here calls Lua
 * or back into the world, except to look and to ask it to come back. */
#include "core/wire/msg.h"
#include "scenarios/blocks.h"
#include "scenarios/run.h"
#include "trace/words.h"

#include <stdio.h>
#include <string.h>

#define BIT(kind) (1ull << (kind))
#define STORY_MASK                                                                                 \
    (BIT(VN_TR_TIP) | BIT(VN_TR_BAN) | BIT(VN_TR_UNBAN) | BIT(VN_TR_DISCONNECT) |                  \
     BIT(VN_TR_BLOCK_BAD) | BIT(VN_TR_SCORE))
#define SETTLE_MASK                                                                                \
    (BIT(VN_TR_TIP) | BIT(VN_TR_PEER_STATE) | BIT(VN_TR_BAN) | BIT(VN_TR_UNBAN) |                  \
     BIT(VN_TR_TX_NEW) | BIT(VN_TR_SCORE) | BIT(VN_TR_DISCONNECT) | BIT(VN_TR_BLOCK_NEW))

/* ---- the story ---- */

static struct story_entry *story_next(struct run *run)
{
    struct story_entry *e = &run->story[run->story_count++ % STORY_LINES];
    *e = (struct story_entry){.t_ns = run_now(run), .host = -1, .peer = -1};
    return e;
}

void observe_story(struct run *run, int64_t host, const char *text)
{
    struct story_entry *e = story_next(run);
    e->kind = VN_TR_KINDS;
    e->host = host;
    snprintf(e->text, sizeof e->text, "%s", text);
}

static void story_trace(struct run *run, uint32_t host, const struct vn_trace *trace, uint32_t peer)
{
    bool small = trace->kind == VN_TR_SCORE && (trace->c != 1 || (int64_t)trace->b >= 0);
    if (small || !(BIT(trace->kind) & STORY_MASK))
        return;
    struct story_entry *e = story_next(run);
    e->t_ns = trace->now_ns;
    e->host = host;
    e->kind = trace->kind;
    e->a = trace->a;
    e->b = trace->b;
    e->peer = peer == UINT32_MAX ? -1 : (int64_t)peer;
    if (trace->hash)
        memcpy(e->hash, trace->hash, sizeof e->hash);
    if (trace->text)
        snprintf(e->text, sizeof e->text, "%s", trace->text);
}

static void event_text(const struct run *run, const struct story_entry *e, char *out, size_t size)
{
    char peer[24] = "a peer";
    if (e->peer >= 0)
        run_host_name(run, (uint32_t)e->peer, peer);
    const struct words words = {e->kind, e->a, e->b, e->hash, peer, e->text};
    words_event(out, size, &words);
}

void observe_story_line(const struct run *run, const struct story_entry *entry, char *out,
                        size_t size)
{
    char host[24] = "";
    char text[240];
    if (entry->host >= 0)
        run_host_name(run, (uint32_t)entry->host, host);
    event_text(run, entry, text, sizeof text);
    snprintf(out, size, "t=%.6fs %s%s%s", (double)entry->t_ns / 1e9, host, host[0] ? ": " : "",
             text);
}

/* ---- the first standing invariant ---- */

static bool honest(const struct run *run, uint32_t host)
{
    return host < run->host_count && run->hosts[host].role != HOST_PEER;
}

static bool banned_by_script(const struct run *run, uint32_t by, uint32_t victim)
{
    for (size_t i = 0; i < run->script_ban_count; i++)
        if (run->script_bans[i].by == by && run->script_bans[i].victim == victim)
            return true;
    return false;
}

static bool same_version(const struct run *run, uint32_t a, uint32_t b)
{
    const char *va = run->hosts[a].version;
    const char *vb = run->hosts[b].version;
    return wire_version_compatible((struct bytes_view){(const uint8_t *)va, strlen(va)},
                                   (struct bytes_view){(const uint8_t *)vb, strlen(vb)});
}

/* What the trace does to a peer that only misbehaviour deserves, or NULL. */
static const char *offence(const struct run *run, uint32_t host, uint32_t peer,
                           const struct vn_trace *trace)
{
    if (trace->kind == VN_TR_SCORE)
        return trace->c == 1 && (int64_t)trace->b < 0 ? "penalises" : NULL;
    if (trace->kind == VN_TR_BAN)
        return "bans";
    if (trace->kind != VN_TR_DISCONNECT || trace->b != 1)
        return NULL;
    if (trace->a == REASON_PROTOCOL_VIOLATION)
        return "refuses";
    return trace->a == REASON_INCOMPATIBLE_VERSION && same_version(run, host, peer) ? "refuses"
                                                                                    : NULL;
}

static void check_invariant(struct run *run, uint32_t host, uint32_t peer,
                            const struct vn_trace *trace)
{
    if (run->violated || !honest(run, host) || !honest(run, peer) || host == peer)
        return;
    const char *verb = offence(run, host, peer, trace);
    if (!verb || banned_by_script(run, host, peer) ||
        (run->world.mangled && run->world.mangled(run->world.self, host, peer)))
        return;
    char a[24], b[24];
    run_host_name(run, host, a);
    run_host_name(run, peer, b);
    run->violated = invariant_honest;
    run->dirty = true;
    snprintf(run->violation, sizeof run->violation, "%s %s %s at t=%.6f s: %s", a, verb, b,
             (double)trace->now_ns / 1e9, trace->text ? trace->text : vn_trace_name(trace->kind));
}

/* ---- the world's callbacks ---- */

static void on_trace(void *ctx, uint32_t host, const struct vn_trace *trace)
{
    struct run *run = ctx;
    const struct engine_observer *o = &run->options->observer;
    uint32_t peer = trace->addr ? run->world.host_of(run->world.self, trace->addr) : UINT32_MAX;
    if (trace->kind == VN_TR_TIP && trace->a > run->tip_height)
        run->tip_height = trace->a;
    if (run->blocks && (BIT(trace->kind) & BLOCKS_TRACES))
        blocks_trace(run->blocks, host, trace);
    check_invariant(run, host, peer, trace);
    story_trace(run, host, trace, peer);
    if (o->on_trace && (o->trace_mask & BIT(trace->kind)))
        o->on_trace(o->ctx, trace->now_ns, host, trace, peer);
}

static void tell_info(struct run *run, uint32_t host)
{
    const struct engine_observer *o = &run->options->observer;
    struct vn_info info = {.size = sizeof info};
    if (o->on_info && run->world.info(run->world.self, host, &info))
        o->on_info(o->ctx, run_now(run), host, &info);
}

static void on_settled(void *ctx, uint32_t host)
{
    struct run *run = ctx;
    tell_info(run, host);
    if (run->watched == 0 && !run->violated)
        return;
    if (!run->violated && checks_can_wait(run)) {
        if (run->judge_due)
            return;
        run->judge_due = true;
    }
    run->dirty = true;
    run->stopped = true;
    run->world.stop(run->world.self);
}

static void on_event(void *ctx, uint64_t number, uint64_t t_ns, uint32_t host, uint32_t kind,
                     uint64_t hash)
{
    struct run *run = ctx;
    const struct engine_observer *o = &run->options->observer;
    o->on_event(o->ctx, number, t_ns, host, kind, hash);
}

static void on_wire(void *ctx, uint64_t t_ns, const struct sim_wire *wire)
{
    struct run *run = ctx;
    const struct engine_observer *o = &run->options->observer;
    o->on_wire(o->ctx, t_ns, wire);
}

static void on_give(void *ctx, uint64_t number, uint32_t host, const struct vn_event *event)
{
    struct run *run = ctx;
    const struct engine_observer *o = &run->options->observer;
    o->on_give(o->ctx, number, host, event);
}

static void on_drained(void *ctx, uint32_t host, uint64_t hash)
{
    struct run *run = ctx;
    const struct engine_observer *o = &run->options->observer;
    if (run->options->audit)
        audit_drained(run, host);
    if (o->on_drained)
        o->on_drained(o->ctx, host, hash);
}

static void on_reply(void *ctx, uint32_t host, uint64_t token, uint32_t status, const char *text)
{
    (void)host;
    struct run *run = ctx;
    run->reply.token = token;
    run->reply.status = status;
    snprintf(run->reply.text, sizeof run->reply.text, "%s", text ? text : "");
}

void observe_init(struct run *run, struct sim_observer *observer)
{
    const struct engine_observer *o = &run->options->observer;
    *observer = (struct sim_observer){
        .ctx = run,
        .on_trace = on_trace,
        .trace_mask = STORY_MASK | (o->on_trace ? o->trace_mask : 0),
        .on_settled = on_settled,
        .settle_mask = SETTLE_MASK,
        .on_event = o->on_event ? on_event : NULL,
        .on_reply = on_reply,
        .on_wire = o->on_wire ? on_wire : NULL,
        .on_give = o->on_give ? on_give : NULL,
        .on_drained = o->on_drained || run->options->audit ? on_drained : NULL,
    };
}
