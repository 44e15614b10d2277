/* Copies of what the simulator holds of a host and its links, for debuggers. Nothing here changes
 * anything. */
#include "transport-sim/sim_internal.h"

bool sim_host_look(const struct sim *sim, uint32_t number, struct sim_host_look *out)
{
    if (number >= sim->host_count)
        return false;
    const struct sim_host *host = sim_host_at(sim, number);
    const struct sim_faults *faults = host->faults;
    *out = (struct sim_host_look){
        .alive = host->alive,
        .scripted = host->peer != NULL,
        .paused = host->paused,
        .dark = host->dark,
        .region = host->region,
        .starts = host->starts,
        .held = faults ? faults->held_count : 0,
        .up_bps = host->up_bps,
        .down_bps = host->down_bps,
        .up_free_ns = host->up.free_ns,
        .down_free_ns = host->down_free_ns,
        .timer_ns = host->timer_ns,
        .wall_ns = clock_wall_ns(sim, host),
    };
    for (uint32_t slot = 0; slot < host->slot_count; slot++)
        out->links += !(host->slots[slot] & SIM_SLOT_FREE);
    sim_disk_faults_init(&out->disk);
    if (faults)
        out->clock = faults->clock;
    if (faults && faults->disk.slow >= 1) /* it was set once */
        out->disk = faults->disk;
    disk_look(host, out);
    return true;
}

static const char *end_name(uint8_t state)
{
    switch ((enum sim_end)state) {
    case SIM_END_NONE:
        return "not yet accepted";
    case SIM_END_DIALLING:
        return "dialling";
    case SIM_END_OPEN:
        return "open";
    case SIM_END_CLOSING:
        return "closing";
    case SIM_END_GONE:
        return "gone";
    case SIM_END_LOST:
        return "gone untold";
    }
    return "?";
}

static struct sim_flow flow_of(const struct sim *sim, const struct sim_link *link, unsigned d)
{
    const struct sim_dir *dir = &link->dir[d];
    struct sim_flow flow = {
        .latency_ns = dir->latency_ns,
        .next_ns = dir->head ? dir->head->t_ns : VN_NEVER,
        .window = dir->used < sim->config.window ? sim->config.window - dir->used : 0,
        .blocked = dir->blocked,
        .stopped = dir->stopped,
    };
    for (const struct sim_item *item = dir->head; item; item = item->next) {
        flow.items++;
        flow.bytes += item->buf ? item->len : 0;
    }
    return flow;
}

bool sim_link_look(const struct sim *sim, uint32_t number, uint32_t index,
                   struct sim_link_look *out)
{
    if (number >= sim->host_count)
        return false;
    const struct sim_host *host = sim_host_at(sim, number);
    uint32_t slot = 0;
    for (; slot < host->slot_count; slot++)
        if (!(host->slots[slot] & SIM_SLOT_FREE) && index-- == 0)
            break;
    if (slot == host->slot_count)
        return false;
    const struct sim_link *link = sim_link_at(sim, host->slots[slot] / 2);
    const unsigned e = host->slots[slot] % 2;
    const struct sim_link_params *params = &sim->params[link->params].p;
    *out = (struct sim_link_look){
        .id = link->id[e],
        .other = link->host[1 - e],
        .dialled = e == 0,
        .state = end_name(link->state[e]),
        .other_state = end_name(link->state[1 - e]),
        .paced = link->tcp != NULL,
        .forgotten = link->forgotten,
        .loss = params->loss,
        .rate_bps = params->rate_bps,
        .out = flow_of(sim, link, e),
        .in = flow_of(sim, link, 1 - e),
    };
    return true;
}

const struct vn_api *sim_node_api(const struct sim *sim, uint32_t host)
{
    return host < sim->host_count ? sim_host_at(sim, host)->api : NULL;
}
