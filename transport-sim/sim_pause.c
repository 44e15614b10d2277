/* A process that stands still, as after SIGSTOP, on a machine that goes on.
 *
 * What would reach the node is kept as the event that brought it and given again at the resume, at
 * that time: deliveries (the bytes stay in their streams, and the windows fill), refunds, ends of
 * links. A dial that connects meanwhile is made by the kernel; its LINK_UP comes first of its link,
 * for it comes before everything that is only an event again.
 *
 * Failure modes: a link that ends meanwhile is recognised by its generation; a kill forgets all. */
#include "transport-sim/sim_internal.h"

void pause_hold(struct sim *sim, struct sim_host *host, const struct sim_event *event)
{
    struct sim_faults *faults = faults_of(sim, host);
    faults->held = sim_room(sim, faults->held, faults->held_count, &faults->held_capacity,
                            sizeof *faults->held);
    faults->held[faults->held_count++] = *event;
}

/* Connections that end before they are accepted keep their place, as in Linux. */
bool pause_answers(struct sim *sim, struct sim_host *host)
{
    struct sim_faults *faults = faults_of(sim, host);
    return faults->backlog < SIM_BACKLOG && ++faults->backlog > 0;
}

static void again(struct sim *sim, struct sim_host *host, struct sim_event *event)
{
    struct sim_link *link = link_of_event(sim, event);
    unsigned d = event->kind >> 4 & 1;
    if (!link)
        return;
    switch ((enum sim_kind)(event->kind & 15)) {
    case SIM_EV_STREAM:
        if (link->dir[d].head)
            stream_arm(sim, event->arg, link, d, sim->now_ns);
        return;
    case SIM_EV_SYN_ACK:
        if (link->state[0] == SIM_END_OPEN)
            host_link_up(sim, host, link, 0);
        return;
    case SIM_EV_SENT:
    case SIM_EV_DOWN:
        event->t_ns = sim->now_ns;
        sim_put(sim, event);
        return;
    case SIM_EV_SYN:
    case SIM_EV_TIMER:
    case SIM_EV_DISK:
    case SIM_EV_CLOCK:
    case SIM_EV_ROUND:
    case SIM_EV_STUCK:
    case SIM_EV_FAULT:
    case SIM_EV_COMMAND:
        break;
    }
    assert(!"an event that is held");
}

bool sim_host_pause(struct sim *sim, uint32_t number)
{
    struct sim_host *host = number < sim->host_count ? sim_host_at(sim, number) : NULL;
    if (!host || !host->node || host->paused)
        return false;
    host->paused = 1;
    sim->paused++;
    return true;
}

bool sim_host_resume(struct sim *sim, uint32_t number)
{
    struct sim_host *host = number < sim->host_count ? sim_host_at(sim, number) : NULL;
    if (!host || !host->paused)
        return false;
    struct sim_faults *faults = faults_of(sim, host);
    struct sim_event *held = faults->held;
    uint32_t count = faults->held_count;
    host->paused = 0;
    sim->paused--;
    host->timer_floor_ns = sim->now_ns + 1;
    if (host->timer_ns <= sim->now_ns)
        host->timer_ns = VN_NEVER;
    faults->backlog = 0;
    clock_on_resume(sim, host);
    for (uint32_t i = 0; i < count; i++)
        again(sim, host, &held[i]);
    faults->held_count = 0;
    disk_wake(sim, host);
    host_settle(sim, host);
    return true;
}

bool sim_host_paused(const struct sim *sim, uint32_t host)
{
    return host < sim->host_count && sim_host_at(sim, host)->paused;
}

/* Connections that wait to be accepted are reset by the kernel; the others are the host's own. */
void pause_end(struct sim *sim, struct sim_host *host)
{
    struct sim_faults *faults = host->faults;
    sim->paused -= host->paused;
    host->paused = 0;
    if (!faults)
        return;
    for (uint32_t i = 0; i < faults->held_count; i++) {
        const struct sim_event *event = &faults->held[i];
        struct sim_link *link = link_of_event(sim, event);
        if (link && (event->kind & 15) == SIM_EV_STREAM && link->state[1] == SIM_END_NONE)
            link_accept(sim, event->arg, link);
    }
    faults->held_count = 0;
    faults->backlog = 0;
}
