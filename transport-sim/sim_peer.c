/* Scripted peers: hosts without a node, whose bytes a script makes.
 *
 * A script sends without bound, so each of its ends has a queue before the link's window. Closing
 * empties that queue into the link at once, as a kernel sends what was written before the close.
 *
 * A script's callbacks run inside a delivery and may change anything; who calls them looks again at
 * the link afterwards. What a script hears is chained into its host's hash, as a node chains its
 * events. */
#include "transport-sim/sim_internal.h"

#include <xxhash.h>

struct waiting {
    struct waiting *next;
    struct vn_slice data;
};

struct peer_out {
    struct waiting *head, *tail;
};

struct sim_peer {
    struct sim_peer_ops ops;
    struct peer_out *out; /* by slot */
    uint32_t capacity;
};

uint32_t sim_peer_add(struct sim *sim, const struct sim_peer_ops *ops,
                      const struct sim_host_params *params)
{
    struct sim_host *host = ops ? host_new(sim, params) : NULL;
    if (!host)
        return SIM_NO_HOST;
    host->peer = sim_resize(sim, NULL, 0, sizeof *host->peer);
    host->peer->ops = *ops;
    host->alive = 1;
    sim->scripted++;
    return host->number;
}

/* ---- hearing ---- */

/* The event is what a node would be given. */
static void heard(struct sim *sim, struct sim_host *host, struct vn_event *event, uint64_t id,
                  uint64_t what)
{
    const struct sim_observer *observer = &sim->config.observer;
    const uint32_t kind = event->kind;
    event->size = sizeof *event;
    event->now_ns = sim->now_ns;
    if (observer->on_give && !told_later(sim))
        observer->on_give(observer->ctx, sim->stats.events + 1, host->number, event);
    host->hash = sim_chain(host->hash, sim->now_ns);
    host->hash = sim_chain(host->hash, id);
    host->hash = sim_chain(host->hash, what << 8 | kind);
    sim->stats.events++;
    sim->marks.given++;
    mark_add(sim, host->number, host->hash);
    if (observer->on_event)
        observer->on_event(observer->ctx, sim->stats.events, sim->now_ns, host->number, kind,
                           host->hash);
}

void peer_on_link(struct sim *sim, struct sim_host *host, uint64_t id, const struct vn_addr *remote)
{
    const struct sim_peer_ops ops = host->peer->ops;
    struct vn_event event = {.kind = VN_EV_LINK_UP};
    event.u.link_up.link = id;
    event.u.link_up.remote = *remote;
    heard(sim, host, &event, id, remote->port);
    if (ops.on_link)
        ops.on_link(ops.ctx, host->number, id, remote);
}

void peer_on_bytes(struct sim *sim, struct sim_host *host, uint64_t id, struct vn_slice data)
{
    const struct sim_peer_ops ops = host->peer->ops;
    struct vn_event event = {.kind = VN_EV_BYTES, .u.bytes = {id, data}};
    heard(sim, host, &event, id, XXH3_64bits(vn_slice_data(data), data.len));
    if (ops.on_bytes)
        ops.on_bytes(ops.ctx, host->number, id, data);
}

void peer_on_close(struct sim *sim, struct sim_host *host, uint64_t id, uint32_t why)
{
    const struct sim_peer_ops ops = host->peer->ops;
    struct vn_event event = {.kind = VN_EV_LINK_DOWN, .u.link_down = {id, why}};
    heard(sim, host, &event, id, why);
    if (ops.on_close)
        ops.on_close(ops.ctx, host->number, id, why);
}

/* ---- speaking ---- */

static struct peer_out *out_at(struct sim *sim, struct sim_peer *peer, uint32_t slot)
{
    while (slot >= peer->capacity)
        peer->out = sim_room(sim, peer->out, peer->capacity, &peer->capacity, sizeof *peer->out);
    return &peer->out[slot];
}

static void out_push(struct sim *sim, struct peer_out *out, struct vn_slice data)
{
    struct waiting *waiting = sim_resize(sim, NULL, 0, sizeof *waiting);
    waiting->data = data;
    if (out->tail)
        out->tail->next = waiting;
    else
        out->head = waiting;
    out->tail = waiting;
}

/* Forgets the first; its reference is the caller's. */
static void out_pop(struct sim *sim, struct peer_out *out)
{
    struct waiting *first = out->head;
    out->head = first->next;
    if (!out->head)
        out->tail = NULL;
    sim->stats.memory -= sizeof *first;
    mem_free(first);
}

void peer_pump(struct sim *sim, struct sim_host *host, uint32_t index, struct sim_link *link,
               unsigned e)
{
    struct peer_out *out = out_at(sim, host->peer, link->slot[e]);
    const struct sim_dir *dir = &link->dir[e];
    while (out->head && dir->used < sim->config.window) {
        struct vn_slice *first = &out->head->data;
        uint32_t room = sim->config.window - dir->used;
        if (first->len <= room) {
            struct vn_slice all = *first;
            out_pop(sim, out);
            stream_send(sim, index, link, e, &all, 1);
        } else {
            struct vn_slice part = vn_slice_ref(*first);
            part.len = room;
            first->off += room;
            first->len -= room;
            stream_send(sim, index, link, e, &part, 1);
        }
    }
}

static struct sim_host *scripted(struct sim *sim, uint32_t number)
{
    struct sim_host *host = number < sim->host_count ? sim_host_at(sim, number) : NULL;
    return host && host->peer && host->alive ? host : NULL;
}

uint64_t sim_peer_dial(struct sim *sim, uint32_t number, const struct vn_addr *remote)
{
    struct sim_host *host = scripted(sim, number);
    return host && remote ? link_dial(sim, host, 0, remote) : 0;
}

bool sim_peer_send(struct sim *sim, uint32_t number, uint64_t id, struct vn_slice data)
{
    struct sim_host *host = scripted(sim, number);
    uint32_t index;
    unsigned e;
    struct sim_link *link = host ? link_find(sim, host, id, &index, &e) : NULL;
    if (!link || link->state[e] != SIM_END_OPEN) {
        vn_slice_unref(data);
        return false;
    }
    if (data.len == 0) {
        vn_slice_unref(data);
        return true;
    }
    out_push(sim, out_at(sim, host->peer, link->slot[e]), data);
    peer_pump(sim, host, index, link, e);
    return true;
}

bool sim_peer_close(struct sim *sim, uint32_t number, uint64_t id)
{
    struct sim_host *host = scripted(sim, number);
    uint32_t index;
    unsigned e;
    struct sim_link *link = host ? link_find(sim, host, id, &index, &e) : NULL;
    if (!link || (link->state[e] != SIM_END_OPEN && link->state[e] != SIM_END_DIALLING))
        return false;
    struct peer_out *out = out_at(sim, host->peer, link->slot[e]);
    while (out->head) {
        struct vn_slice all = out->head->data;
        out_pop(sim, out);
        stream_send(sim, index, link, e, &all, 1);
    }
    link_close(sim, index, link, e);
    return true;
}

bool sim_peer_read(struct sim *sim, uint32_t number, uint64_t id, bool on)
{
    struct sim_host *host = scripted(sim, number);
    uint32_t index;
    unsigned e;
    struct sim_link *link = host ? link_find(sim, host, id, &index, &e) : NULL;
    if (!link || link->state[e] != SIM_END_OPEN)
        return false;
    stream_read(sim, index, link, 1 - e, on);
    return true;
}

void peer_end_gone(struct sim *sim, struct sim_host *host, uint32_t slot)
{
    if (slot >= host->peer->capacity)
        return;
    struct peer_out *out = &host->peer->out[slot];
    while (out->head) {
        vn_slice_unref(out->head->data);
        out_pop(sim, out);
    }
}

void peer_free(struct sim *sim, struct sim_host *host)
{
    if (!host->peer)
        return;
    for (uint32_t slot = 0; slot < host->peer->capacity; slot++)
        peer_end_gone(sim, host, slot);
    mem_free(host->peer->out);
    mem_free(host->peer);
}
