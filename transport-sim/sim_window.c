/* Windows: hosts run one after the other, each through a stretch of time that no message crosses.
 *
 * What a host does at time t reaches another at t + the least latency or later (the lookahead of
 * conservative parallel simulation: Chandy and Misra 1979; windows of it, Lubachevsky 1989). So the
 * events of all hosts within one lookahead may be handled host by host instead of by time, and
 * nobody can tell: a host has its own events in their order, and the trace hash chains them host by
 * host. What it buys is memory that stays near: a node is fetched once for all that happens to it
 * in a window, not once for each message.
 *
 * The happy path: the events of a window are taken from the queue in order and dealt out by
 * destination; each host is run through its own, merged with those that it puts for itself. What
 * observers are to hear is kept (sim_told.c) and told when all hosts have come to the window's end.
 *
 * A window needs that hosts speak to each other by latency alone. So there is none while something
 * else joins them: a fault between hosts or an end that one has left behind, links that change
 * bytes (sim_mangled tells of the present), a process that stands still, a script's peer, a latency
 * that may be as good as nothing, somebody who listens on the wire. Then events are handled by
 * time, as ever. */
#include "transport-sim/sim_internal.h"

#include <string.h>

/* A shorter lookahead holds too few events to be worth dealing out. */
#define LOOKAHEAD_MIN 100000u

/* So many events are enough for a window: what they take stays below 16 MiB. */
#define EVENTS_MAX 262144u

/* Room for so many stays even where it is hardly used. */
#define KEPT_MIN 1024u

void sim_windows(struct sim *sim, bool on)
{
    sim->window.wanted = on;
}

bool window_may(const struct sim *sim)
{
    return sim->window.wanted && !sim->config.observer.on_wire &&
           sim->lookahead_ns >= LOOKAHEAD_MIN && sim->barriers == 0 && sim->blocked_count == 0 &&
           sim->degrade_count == 0 && sim->paused == 0 && sim->scripted == 0 && sim->lost == 0 &&
           !sim->mangles;
}

/* ---- events of the host's own making ---- */

/* Kept descending: the next one is the last. There are few at a time. */
void window_put(struct sim *sim, const struct sim_event *event)
{
    struct sim_window *w = &sim->window;
    assert(event->dst == w->host);
    if (w->own_count == w->own_capacity)
        w->own = sim_room(sim, w->own, w->own_count, &w->own_capacity, sizeof *w->own);
    uint32_t hole = w->own_count++;
    while (hole > 0 && sim_event_before(&w->own[hole - 1], event)) {
        w->own[hole] = w->own[hole - 1];
        hole--;
    }
    w->own[hole] = *event;
}

/* ---- dealing out ---- */

/* Takes what happens up to the window's end, in order. Returns the time up to which all is here. */
static uint64_t take(struct sim *sim, uint64_t end_ns)
{
    struct sim_window *w = &sim->window;
    struct sim_event event;
    w->taken_count = 0;
    while (sim_queue_take(sim->queue, end_ns, &event)) {
        w->taken = sim_room(sim, w->taken, w->taken_count, &w->taken_capacity, sizeof *w->taken);
        w->taken[w->taken_count++] = event;
        if (w->taken_count >= EVENTS_MAX) /* and all else of this very time */
            end_ns = event.t_ns;
    }
    return end_ns;
}

/* Deals the events out by destination; each host's stay in order. */
static void deal(struct sim *sim)
{
    struct sim_window *w = &sim->window;
    if (w->dealt_capacity < w->taken_capacity) {
        w->dealt = sim_resize(sim, w->dealt, w->dealt_capacity * sizeof *w->dealt,
                              w->taken_capacity * sizeof *w->dealt);
        w->dealt_capacity = w->taken_capacity;
    }
    if (w->spans_capacity < sim->host_count) {
        w->spans = sim_resize(sim, w->spans, w->spans_capacity * sizeof *w->spans,
                              sim->host_count * sizeof *w->spans);
        w->hosts = sim_resize(sim, w->hosts, w->spans_capacity * sizeof *w->hosts,
                              sim->host_count * sizeof *w->hosts);
        w->spans_capacity = sim->host_count;
    }
    w->host_count = 0;
    for (uint32_t i = 0; i < w->taken_count; i++) {
        const uint32_t dst = w->taken[i].dst;
        if (dst >= sim->host_count) /* the end of a fault that is over already */
            continue;
        if (w->spans[dst].count++ == 0)
            w->hosts[w->host_count++] = dst;
    }
    uint32_t at = 0;
    for (uint32_t i = 0; i < w->host_count; i++) {
        struct sim_span *span = &w->spans[w->hosts[i]];
        span->first = at;
        at += span->count;
        span->count = 0;
    }
    for (uint32_t i = 0; i < w->taken_count; i++) {
        const uint32_t dst = w->taken[i].dst;
        if (dst < sim->host_count)
            w->dealt[w->spans[dst].first + w->spans[dst].count++] = w->taken[i];
    }
    w->dealt_count = at;
}

/* A burst does not keep its memory for ever. */
static void shrink(struct sim *sim)
{
    struct sim_window *w = &sim->window;
    if (w->taken_capacity < KEPT_MIN || w->taken_count > w->taken_capacity / 16)
        return;
    sim->stats.memory -= (w->taken_capacity + w->dealt_capacity) * sizeof *w->taken;
    mem_free(w->taken);
    mem_free(w->dealt);
    w->taken = w->dealt = NULL;
    w->taken_capacity = w->dealt_capacity = 0;
}

/* ---- running ---- */

static void run_host(struct sim *sim, uint32_t host)
{
    struct sim_window *w = &sim->window;
    struct sim_span *span = &w->spans[host];
    uint32_t at = span->first;
    const uint32_t end = at + span->count;
    span->count = 0;
    w->host = host;
    while (at < end || w->own_count > 0) {
        struct sim_event event;
        if (w->own_count > 0 &&
            (at == end || sim_event_before(&w->own[w->own_count - 1], &w->dealt[at])))
            event = w->own[--w->own_count];
        else
            event = w->dealt[at++];
        sim->now_ns = event.t_ns;
        sim_look_ahead(sim, w->dealt + at, w->dealt_count - at);
        sim_dispatch(sim, &event);
    }
}

void window_run(struct sim *sim, uint64_t limit_ns)
{
    struct sim_window *w = &sim->window;
    const uint64_t last_ns = sim_queue_next_ns(sim->queue) + sim->lookahead_ns - 1;
    const uint64_t end_ns = take(sim, last_ns < limit_ns ? last_ns : limit_ns);
    deal(sim);
    w->events_told = sim->stats.events;
    sim->stats.windows++;
    w->until_ns = end_ns + 1;
    for (uint32_t i = 0; i < w->host_count; i++)
        run_host(sim, w->hosts[i]);
    w->until_ns = 0;
    sim->now_ns = end_ns;
    told_tell(sim);
    shrink(sim);
}

void window_free(struct sim *sim)
{
    struct sim_window *w = &sim->window;
    mem_free(w->own);
    mem_free(w->taken);
    mem_free(w->dealt);
    mem_free(w->spans);
    mem_free(w->hosts);
    told_free(sim);
}
