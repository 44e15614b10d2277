/* Whoever goes about in a run: turns wishes into orders for the process of the run. See travel.h.
 *
 * A process that stands at a time has perhaps done what the scenario does after its last event, so
 * it is beyond that event; likewise at the end of the run. */
#include "vibesim/travel.h"

#include <stdio.h>
#include <string.h>

bool travel_start(struct travel *t, const struct rerun *rerun, bool words, bool quiet, char *why,
                  size_t size)
{
    *t = (struct travel){.rerun = rerun, .words = words, .quiet = quiet};
    t->points = checkpoints_start(travel_run, t, why, size);
    return t->points && travel_to_event(t, 0, false, why, size);
}

void travel_free(struct travel *t)
{
    checkpoints_free(t->points);
    t->points = NULL;
}

static bool order(struct travel *t, const struct travel_order *o, struct travel_answer *a,
                  char *why, size_t size)
{
    memset(a, 0, sizeof *a);
    if (!checkpoints_order(t->points, o, sizeof *o, a, sizeof *a, why, size))
        return false;
    t->where = a->where;
    return true;
}

static struct checkpoint_place place(const struct travel_where *w)
{
    const bool beyond = w->at_time || w->over || w->interrupted;
    return (struct checkpoint_place){w->events + beyond, w->t_ns};
}

static bool go(struct travel *t, struct checkpoint_place to, bool show, char *why, size_t size)
{
    struct travel_order o = {.verb = TRAVEL_GO, .to = to};
    struct travel_answer a;
    const struct checkpoint_place here = place(&t->where);
    bool moved;
    if (t->where.over && to.steps > t->where.events && to.t_ns > t->where.t_ns)
        return true;
    /* What is told begins here, not at a checkpoint on the way. */
    if (!checkpoints_seek(t->points, here, show ? here : to, &moved, why, size))
        return false;
    if (show && moved) { /* the process that stood here had died */
        o.to = (struct checkpoint_place){t->where.events, TRAVEL_END};
        if (!order(t, &o, &a, why, size))
            return false;
    }
    o.to = to;
    o.show = show;
    return order(t, &o, &a, why, size);
}

bool travel_to_event(struct travel *t, uint64_t event, bool show, char *why, size_t size)
{
    return go(t, (struct checkpoint_place){event, TRAVEL_END}, show, why, size);
}

bool travel_to_time(struct travel *t, uint64_t t_ns, char *why, size_t size)
{
    return go(t, (struct checkpoint_place){TRAVEL_END, t_ns}, false, why, size);
}

bool travel_dump(struct travel *t, struct trace_host host, bool json, char *why, size_t size)
{
    const struct travel_order o = {.verb = TRAVEL_DUMP, .json = json, .host = host};
    struct travel_answer a;
    if (!order(t, &o, &a, why, size))
        return false;
    if (!a.done)
        snprintf(why, size, "there is no %s-%04u at t=%.6f s: there are %u nodes and %u peers",
                 host.peer ? "peer" : "node", host.number, (double)t->where.t_ns / 1e9,
                 t->where.nodes, t->where.peers);
    return a.done;
}
