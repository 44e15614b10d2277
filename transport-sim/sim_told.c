/* What observers are to hear of a window: kept while its hosts run one after the other, and told
 * in the order of time when all have come to its end.
 *
 * One host's tellings are kept in the order in which it made them; those of several are merged by
 * (time, host), which is the order in which their events would have been handled by time. What a
 * trace points to is copied. */
#include "transport-sim/sim_internal.h"

#include <stdlib.h>
#include <string.h>

enum told_kind { TOLD_TRACE, TOLD_EVENT, TOLD_REPLY, TOLD_SETTLED };

struct told {
    uint64_t t_ns;
    uint32_t host;
    uint32_t number;       /* of the window's tellings, so that a host's stay in order */
    uint32_t kind;         /* enum told_kind */
    uint32_t text;         /* + 1, where in the texts it begins; 0: none */
    uint64_t hash;         /* of TOLD_EVENT; of TOLD_REPLY: the token */
    struct vn_trace trace; /* of TOLD_EVENT and TOLD_REPLY: `kind` alone, the event's, the status */
    struct vn_addr addr;
    uint8_t id[32]; /* what trace.hash points to */
};

struct sim_told {
    struct told *at;
    uint32_t count, capacity;
    char *texts;
    uint32_t text_bytes, text_capacity;
};

static struct told *tell_later(struct sim *sim, enum told_kind kind, uint32_t host)
{
    struct sim_told *log = sim->window.told;
    if (!log)
        log = sim->window.told = sim_resize(sim, NULL, 0, sizeof *log);
    log->at = sim_room(sim, log->at, log->count, &log->capacity, sizeof *log->at);
    struct told *told = &log->at[log->count];
    *told = (struct told){.t_ns = sim->now_ns, .host = host, .number = log->count++, .kind = kind};
    return told;
}

/* Keeps a text; returns where, + 1. */
static uint32_t text_keep(struct sim *sim, const char *text)
{
    struct sim_told *log = sim->window.told;
    const size_t size = text ? strlen(text) + 1 : 0;
    if (size == 0)
        return 0;
    const uint32_t at = log->text_bytes;
    while (log->text_capacity - at < size) {
        const uint32_t grown = log->text_capacity ? 2 * log->text_capacity : 4096;
        log->texts = sim_resize(sim, log->texts, log->text_capacity, grown);
        log->text_capacity = grown;
    }
    memcpy(log->texts + at, text, size);
    log->text_bytes += (uint32_t)size;
    return at + 1;
}

void told_trace(struct sim *sim, uint32_t host, const struct vn_trace *trace)
{
    struct told *told = tell_later(sim, TOLD_TRACE, host);
    told->trace = *trace;
    if (trace->addr)
        told->addr = *trace->addr;
    if (trace->hash)
        memcpy(told->id, trace->hash, sizeof told->id);
    told->text = text_keep(sim, trace->text);
}

void told_event(struct sim *sim, uint32_t host, uint32_t kind, uint64_t hash)
{
    struct told *told = tell_later(sim, TOLD_EVENT, host);
    told->trace.kind = kind;
    told->hash = hash;
}

void told_reply(struct sim *sim, uint32_t host, const struct vn_action *action)
{
    struct told *told = tell_later(sim, TOLD_REPLY, host);
    told->hash = action->u.reply.token;
    told->trace.kind = action->u.reply.status;
    told->text = text_keep(sim, action->u.reply.text);
}

void told_settled(struct sim *sim, uint32_t host)
{
    tell_later(sim, TOLD_SETTLED, host);
}

/* Total: no two have one number. */
static int compare(const void *left, const void *right)
{
    const struct told *a = left, *b = right;
    if (a->t_ns != b->t_ns)
        return a->t_ns < b->t_ns ? -1 : 1;
    if (a->host != b->host)
        return a->host < b->host ? -1 : 1;
    return a->number < b->number ? -1 : 1;
}

static void tell(struct sim *sim, struct told *told)
{
    const struct sim_observer *o = &sim->config.observer;
    const char *text = told->text > 0 ? sim->window.told->texts + told->text - 1 : NULL;
    switch ((enum told_kind)told->kind) {
    case TOLD_TRACE:
        if (told->trace.addr)
            told->trace.addr = &told->addr;
        if (told->trace.hash)
            told->trace.hash = told->id;
        told->trace.text = text;
        o->on_trace(o->ctx, told->host, &told->trace);
        return;
    case TOLD_EVENT:
        o->on_event(o->ctx, ++sim->window.events_told, told->t_ns, told->host, told->trace.kind,
                    told->hash);
        return;
    case TOLD_REPLY:
        o->on_reply(o->ctx, told->host, told->hash, told->trace.kind, text);
        return;
    case TOLD_SETTLED:
        if (!sim_host_alive(sim, told->host)) /* by what came of another's */
            return;
        sim_host_at(sim, told->host)->settle = 1;
        host_tell_settled(sim, sim_host_at(sim, told->host));
        return;
    }
}

/* A burst does not keep its memory for ever: see sim_window.c. */
#define KEPT_MAX 1024u

/* Whoever is told may act, and what comes of that is told at once. */
void told_tell(struct sim *sim)
{
    struct sim_told *log = sim->window.told;
    if (!log || log->count == 0)
        return;
    qsort(log->at, log->count, sizeof *log->at, compare);
    for (uint32_t i = 0; i < log->count; i++)
        tell(sim, &log->at[i]);
    log->count = log->text_bytes = 0;
    if (log->capacity > KEPT_MAX)
        told_free(sim);
}

void told_free(struct sim *sim)
{
    struct sim_told *log = sim->window.told;
    if (!log)
        return;
    sim->stats.memory -= sizeof *log + log->capacity * sizeof *log->at + log->text_capacity;
    mem_free(log->at);
    mem_free(log->texts);
    mem_free(log);
    sim->window.told = NULL;
}
