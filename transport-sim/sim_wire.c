/* What arrives on links, told to an observer that asked for it (struct sim_wire). It hears from the
 * places where the receiver itself learns of it, so nothing is kept for it and nothing moves. */
#include "transport-sim/sim_internal.h"

void wire_tell(struct sim *sim, const struct sim_link *link, unsigned d, enum sim_wire_kind kind,
               struct vn_slice data)
{
    const struct sim_observer *observer = &sim->config.observer;
    if (link->host[1] == SIM_NO_HOST) /* an address that nobody has */
        return;
    struct vn_addr addr[2] = {link_addr(link, 0), link_addr(link, 1)};
    addr[1].port = link->port;
    const struct sim_wire told = {
        .kind = (uint32_t)kind,
        .back = d == 1,
        .link = (uint64_t)link->host[0] << 32 | link->serial,
        .from = link->host[d],
        .to = link->host[1 - d],
        .from_id = link->id[d],
        .to_id = link->id[1 - d],
        .from_addr = addr[d],
        .to_addr = addr[1 - d],
        .data = data,
    };
    observer->on_wire(observer->ctx, sim->now_ns, &told);
}

void wire_tell_end(struct sim *sim, const struct sim_link *link)
{
    for (unsigned d = 0; d < 2; d++) {
        const struct sim_item *last = link->dir[d].tail;
        if (last && !last->buf && last->len == SIM_MARK_FIN)
            wire(sim, link, d, SIM_WIRE_FIN);
    }
    wire(sim, link, 0, SIM_WIRE_END);
}
