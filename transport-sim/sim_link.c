/* The life of a link: dial, accept, close, reset, and the slab it lives in.
 *
 * An end goes NONE or DIALLING -> OPEN -> CLOSING -> GONE, or LOST where the other end is not told.
 * A node hears of its end by exactly one LINK_DOWN, which link_drop or a SIM_EV_DOWN gives as the
 * end goes; nothing reaches it afterwards, for only an OPEN end is given bytes and refunds. The
 * link is freed when both ends are gone.
 *
 * A dial is one event at a time: SYN at the host dialled, SYN-ACK back at the dialler, which is
 * then up; its OPEN marker, ahead of all data, makes the acceptor's end. A SYN that is lost, cut or
 * not answered is sent again after 1, 3, 7, 15, 31 and 63 s, and given up after 127 s (Linux,
 * tcp_syn_retries = 6; RFC 6298 section 2 for the first second). */
#include "transport-sim/sim_internal.h"

#include <stdlib.h>
#include <string.h>

#define SYN_TRIES     7u
#define PORT_FIRST    32768u /* Linux, ip_local_port_range */
#define PORT_COUNT    28232u
#define LINKS_AT_ONCE 64u /* more are not asked for together: the caches have other uses */
#define GEN_MASK      ((1u << SIM_GEN_BITS) - 1)

/* ---- the slab ---- */

static void links_grow(struct sim *sim)
{
    const size_t size = SIM_LINKS_CHUNK * sizeof(struct sim_link);
    uint32_t chunks = sim->link_count / SIM_LINKS_CHUNK;
    assert(sim->link_count < SIM_SLOT_FREE / 2 - SIM_LINKS_CHUNK);
    sim->link_chunks =
        sim_resize(sim, sim->link_chunks, chunks * sizeof(void *), (chunks + 1) * sizeof(void *));
    struct sim_link *chunk = aligned_alloc(64, size);
    if (!chunk)
        abort();
    memset(chunk, 0, size);
    sim->stats.memory += size;
    sim->link_chunks[chunks] = chunk;
    for (uint32_t i = SIM_LINKS_CHUNK; i-- > 0;) {
        chunk[i].slot[0] = sim->link_free;
        sim->link_free = sim->link_count + i;
    }
    sim->link_count += SIM_LINKS_CHUNK;
}

static uint32_t link_take(struct sim *sim)
{
    if (sim->link_free == SIM_NO_LINK)
        links_grow(sim);
    uint32_t index = sim->link_free;
    struct sim_link *link = sim_link_at(sim, index);
    sim->link_free = link->slot[0];
    uint32_t gen = (link->gen + 1) & GEN_MASK;
    *link = (struct sim_link){.gen = gen, .live = 1};
    link->dir[0].armed_ns = link->dir[1].armed_ns = VN_NEVER;
    sim->stats.links_now++;
    sim->stats.links_ever++;
    return index;
}

static void link_give(struct sim *sim, uint32_t index, struct sim_link *link)
{
    if (sim->config.observer.on_wire)
        wire_tell_end(sim, link);
    stream_clear(sim, link, 0);
    stream_clear(sim, link, 1);
    tcp_free(sim, link);
    for (unsigned e = 0; e < 2; e++)
        sim->lost -= link->state[e] == SIM_END_LOST;
    sim->barriers -= link->forgotten;
    link->forgotten = 0;
    link->live = 0;
    link->slot[0] = sim->link_free;
    sim->link_free = index;
    sim->stats.links_now--;
}

void links_free(struct sim *sim)
{
    sim->config.observer.on_wire = NULL; /* the run is over: these links did not end */
    for (uint32_t i = 0; i < sim->link_count; i++) {
        struct sim_link *link = sim_link_at(sim, i);
        if (link->live)
            link_give(sim, i, link);
    }
    for (uint32_t i = 0; i < sim->link_count / SIM_LINKS_CHUNK; i++)
        free(sim->link_chunks[i]);
    mem_free(sim->link_chunks);
    stream_items_free(sim);
}

/* ---- a host's slots: where its ends are ---- */

static uint32_t slot_take(struct sim *sim, struct sim_host *host, uint32_t ref)
{
    uint32_t slot;
    if (host->slot_free > 0) {
        slot = host->slot_free - 1;
        host->slot_free = host->slots[slot] & ~SIM_SLOT_FREE;
    } else {
        assert(host->slot_count < 1u << SIM_SLOT_BITS);
        host->slots =
            sim_room(sim, host->slots, host->slot_count, &host->slot_capacity, sizeof *host->slots);
        slot = host->slot_count++;
    }
    host->slots[slot] = ref;
    return slot;
}

static uint64_t slot_id(struct sim_host *host, uint32_t slot, unsigned odd)
{
    return (++host->ids << SIM_SLOT_BITS | slot) << 1 | odd;
}

/* A node's own ids need a map; those that we gave out tell their slot. */
static void id_put(struct sim *sim, struct sim_host *host, uint64_t id, struct sim_link *link)
{
    size_t before = u64map_bytes(&host->dialled);
    assert(id % 2 == 1 && !u64map_get(&host->dialled, id));
    u64map_put(&host->dialled, link);
    sim->stats.memory += u64map_bytes(&host->dialled) - before;
}

static void end_release(struct sim *sim, struct sim_link *link, unsigned e)
{
    struct sim_host *host = sim_host_at(sim, link->host[e]);
    uint32_t slot = link->slot[e];
    if (host->peer) {
        peer_end_gone(sim, host, slot);
    } else if (e == 0) {
        size_t before = u64map_bytes(&host->dialled);
        u64map_remove(&host->dialled, link->id[0]);
        sim->stats.memory += u64map_bytes(&host->dialled) - before;
    }
    host->slots[slot] = host->slot_free | SIM_SLOT_FREE;
    host->slot_free = slot + 1;
}

struct sim_link *link_find(struct sim *sim, const struct sim_host *host, uint64_t id,
                           uint32_t *index, unsigned *e)
{
    if (id % 2 == 1 && !host->peer) {
        struct sim_link *link = u64map_get(&host->dialled, id);
        *e = 0;
        *index = link ? host->slots[link->slot[0]] / 2 : SIM_NO_LINK;
        return link;
    }
    uint64_t slot = id >> 1 & ((1u << SIM_SLOT_BITS) - 1);
    if (slot >= host->slot_count || host->slots[slot] & SIM_SLOT_FREE)
        return NULL;
    *index = host->slots[slot] / 2;
    *e = host->slots[slot] % 2;
    struct sim_link *link = sim_link_at(sim, *index);
    return link->id[*e] == id ? link : NULL;
}

void links_prefetch(const struct sim *sim, const struct sim_host *host)
{
    if (host->slot_count > LINKS_AT_ONCE)
        return;
    u64map_prefetch_all(&host->dialled);
    for (uint32_t slot = 0; slot < host->slot_count; slot++) {
        uint32_t ref = host->slots[slot];
        if (ref & SIM_SLOT_FREE)
            continue;
        const struct sim_link *link = sim_link_at(sim, ref / 2);
        __builtin_prefetch(link);
        __builtin_prefetch(&link->dir[ref % 2]);
    }
}

struct vn_addr link_addr(const struct sim_link *link, unsigned e)
{
    struct vn_addr addr = sim_host_addr(link->host[e]);
    if (e == 0)
        addr.port = (uint16_t)(PORT_FIRST + link->serial % PORT_COUNT);
    return addr;
}

void link_event(struct sim *sim, uint32_t index, const struct sim_link *link, unsigned d,
                enum sim_kind kind, uint32_t halves, uint64_t t_ns)
{
    /* The dialler's count is unique at either side of a direction. An acceptor that speaks to
     * itself needs its own. */
    bool own = kind == SIM_EV_DOWN || kind == SIM_EV_ROUND || kind == SIM_EV_STUCK;
    bool back = kind == SIM_EV_SENT || kind == SIM_EV_SYN_ACK;
    uint64_t number = own && d == 1 ? link->id[1] : link->serial;
    sim_put(sim, &(struct sim_event){
                     .t_ns = t_ns,
                     .dst = link->host[own || back ? d : 1 - d],
                     .src = link->host[back ? 1 - d : d],
                     .seq = number << 5 | (uint64_t)kind << 1 | d,
                     .kind = (uint32_t)kind | d << 4 | halves << 5 | link->gen << 7,
                     .arg = index,
                 });
}

/* ---- the end of an end ---- */

/* Someone is, or will be, at end e to hear how its link ends. */
static bool end_listens(const struct sim_link *link, unsigned e)
{
    return link->state[e] == SIM_END_OPEN ||
           (link->state[e] == SIM_END_NONE && link->dir[0].head != NULL);
}

/* Who was at end e went without telling the other, who may still send. */
static void end_lost(struct sim *sim, uint32_t index, struct sim_link *link, unsigned e)
{
    struct sim_dir *dir = &link->dir[1 - e];
    link->state[e] = SIM_END_LOST;
    sim->lost++;
    dir->arrived = 0;
    dir->stopped = 0;
    if (dir->head && !dir->blocked)
        stream_arm(sim, index, link, 1 - e, sim_later(dir->head->t_ns, sim->now_ns));
}

static bool end_left(const struct sim_link *link, unsigned e)
{
    return link->state[e] == SIM_END_GONE || link->state[e] == SIM_END_LOST;
}

bool link_give_if_left(struct sim *sim, uint32_t index, struct sim_link *link)
{
    if (!end_left(link, 0) || !end_left(link, 1) || tcp_waits(link, 0) || tcp_waits(link, 1))
        return false;
    link_give(sim, index, link);
    return true;
}

/* Whoever was at end e knows, or is dead. Frees the link when nobody is left to tell. */
static void end_gone(struct sim *sim, uint32_t index, struct sim_link *link, unsigned e)
{
    unsigned other = 1 - e;
    end_release(sim, link, e);
    if (link->quiet >> e & 1 && end_listens(link, other)) {
        end_lost(sim, index, link, e);
        return;
    }
    link->state[e] = SIM_END_GONE;
    if (link->state[other] == SIM_END_NONE && !link->dir[e].head)
        link_give(sim, index, link);
    else
        link_give_if_left(sim, index, link);
}

void link_drop(struct sim *sim, uint32_t index, struct sim_link *link, unsigned e, uint32_t why)
{
    struct sim_host *host = sim_host_at(sim, link->host[e]);
    uint64_t id = link->id[e];
    const bool told = why == VN_WHY_REMOTE_CLOSED || why == VN_WHY_RESET;
    if (told && link->tcp) /* nobody wants what waits to be sent */
        tcp_drop_unsent(sim, link, e);
    end_gone(sim, index, link, e);
    host_link_down(sim, host, id, why);
}

static void end_down(struct sim *sim, uint32_t index, struct sim_link *link, unsigned e,
                     uint32_t why, uint64_t t_ns)
{
    link->why[e] = (uint8_t)why;
    link_event(sim, index, link, e, SIM_EV_DOWN, 0, t_ns);
}

void link_on_down(struct sim *sim, const struct sim_event *event)
{
    struct sim_link *link = link_of_event(sim, event);
    unsigned e = event->kind >> 4 & 1;
    if (!link || (link->state[e] != SIM_END_CLOSING && link->state[e] != SIM_END_DIALLING))
        return;
    struct sim_host *host = sim_host_at(sim, link->host[e]);
    if (host->paused) {
        pause_hold(sim, host, event);
        return;
    }
    if (link->why[e] == VN_WHY_REFUSED)
        wire(sim, link, 1 - e, SIM_WIRE_RST);
    link_drop(sim, event->arg, link, e, link->why[e]);
    host_settle(sim, host);
}

void link_close(struct sim *sim, uint32_t index, struct sim_link *link, unsigned e)
{
    if (link->state[e] != SIM_END_OPEN && link->state[e] != SIM_END_DIALLING)
        return;
    link->state[e] = SIM_END_CLOSING;
    if (link->state[1 - e] != SIM_END_NONE || link->dir[0].head) /* it was connected */
        stream_mark(sim, index, link, e, SIM_MARK_FIN);
    end_down(sim, index, link, e, VN_WHY_LOCAL_CLOSED, sim->now_ns);
}

void link_lose(struct sim *sim, uint32_t index, struct sim_link *link, unsigned e, uint32_t why)
{
    if (link->state[e] != SIM_END_OPEN)
        return;
    link->state[e] = SIM_END_CLOSING;
    link->quiet |= (uint8_t)(1u << e);
    end_down(sim, index, link, e, why, sim->now_ns);
}

void link_give_up(struct sim *sim, uint32_t index, struct sim_link *link, unsigned d)
{
    stream_clear(sim, link, d);
    if (link->state[d] == SIM_END_OPEN) {
        link_lose(sim, index, link, d, VN_WHY_RESET);
    } else if (link->state[1 - d] == SIM_END_NONE && link->state[d] != SIM_END_CLOSING) {
        link_give(sim, index, link);
    } else if (link->state[d] == SIM_END_GONE) { /* it was the end of its stream */
        link->state[d] = SIM_END_LOST;
        sim->lost++;
        link_give_if_left(sim, index, link);
    }
}

void link_abort(struct sim *sim, uint32_t index, struct sim_link *link, unsigned e, bool quietly)
{
    if (quietly && link->tcp)
        tcp_drop_unsent(sim, link, e);
    if (quietly)
        link->quiet |= (uint8_t)(1u << e);
    else if (link->state[e] == SIM_END_OPEN && end_listens(link, 1 - e))
        stream_mark(sim, index, link, e, SIM_MARK_RST);
    end_gone(sim, index, link, e);
}

static void link_reset(struct sim *sim, uint32_t index, struct sim_link *link)
{
    stream_clear(sim, link, 0);
    stream_clear(sim, link, 1);
    for (unsigned e = 0; e < 2; e++) {
        if (link->state[e] == SIM_END_OPEN) {
            link->state[e] = SIM_END_CLOSING;
            wire(sim, link, 1 - e, SIM_WIRE_RST);
            end_down(sim, index, link, e, VN_WHY_RESET, sim->now_ns);
        } else if (link->state[e] == SIM_END_NONE) {
            link->state[e] = SIM_END_GONE;
        }
    }
}

uint32_t sim_reset_links(struct sim *sim, uint32_t a, uint32_t b)
{
    uint32_t count = 0;
    if (a >= sim->host_count || b >= sim->host_count)
        return 0;
    const struct sim_host *host = sim_host_at(sim, a);
    for (uint32_t slot = 0; slot < host->slot_count; slot++) {
        uint32_t ref = host->slots[slot];
        if (ref & SIM_SLOT_FREE)
            continue;
        struct sim_link *link = sim_link_at(sim, ref / 2);
        unsigned e = ref % 2;
        if (link->host[1 - e] != b || link->state[e] != SIM_END_OPEN)
            continue;
        link_reset(sim, ref / 2, link);
        count++;
    }
    return count;
}

/* ---- connecting ---- */

/* Sends the next SYN that is not lost, or gives up. The dial began at dir[0].last_ns. */
static void syn_send(struct sim *sim, uint32_t index, struct sim_link *link)
{
    const double loss = sim->params[link->params].p.loss;
    const uint64_t of = link_dice(link, 0);
    const uint64_t began_ns = link->dir[0].last_ns;
    while (link->tries < SYN_TRIES) {
        unsigned try = link->tries++;
        if (loss > 0) { /* of the SYN, of its answer */
            double there = sim_draw_unit(sim, SIM_DICE_SYN, of, 2 * try);
            double back = sim_draw_unit(sim, SIM_DICE_SYN, of, 2 * try + 1);
            if (there < loss || back < loss)
                continue;
        }
        uint64_t t_ns = began_ns + ((1u << try) - 1) * SIM_SECOND + link->dir[0].latency_ns;
        link_event(sim, index, link, 0, SIM_EV_SYN, 0, t_ns > sim->now_ns ? t_ns : sim->now_ns);
        return;
    }
    uint64_t t_ns = began_ns + ((1u << SYN_TRIES) - 1) * SIM_SECOND;
    end_down(sim, index, link, 0, VN_WHY_UNREACHABLE,
             sim_later(t_ns, sim->now_ns + link->dir[1].latency_ns));
}

uint64_t link_latency_ns(const struct sim *sim, const struct sim_link *link, unsigned d)
{
    const struct sim_dist *latency = &sim->params[link->params].p.latency;
    double u = sim_draw_unit(sim, SIM_DICE_LATENCY, link_dice(link, d), 0);
    uint64_t ns = sim_dist_at_ns(latency, u);
    return ns > 0 ? ns : 1; /* what a host does reaches another at a later time */
}

uint64_t link_dial(struct sim *sim, struct sim_host *host, uint64_t id, const struct vn_addr *to)
{
    uint32_t target = sim_host_of(sim, to);
    uint32_t index = link_take(sim);
    struct sim_link *link = sim_link_at(sim, index);
    link->host[0] = host->number;
    link->host[1] = target;
    link->serial = ++host->dials;
    link->port = to->port;
    link->state[0] = SIM_END_DIALLING;
    link->slot[0] = slot_take(sim, host, index * 2);
    link->id[0] = id > 0 ? id : slot_id(host, link->slot[0], 1);
    if (!host->peer)
        id_put(sim, host, id, link);
    link->params = link->made_with = sim->params_default;
    if (target != SIM_NO_HOST) {
        link->made_with = net_params_for(sim, host->number, target);
        link->params = link_fault_params_for(sim, host->number, target, link->made_with);
        tcp_open(sim, link);
    }
    link->dir[0].latency_ns = link_latency_ns(sim, link, 0);
    link->dir[1].latency_ns = link_latency_ns(sim, link, 1);
    link->dir[0].last_ns = sim->now_ns;
    if (target == SIM_NO_HOST) { /* some router answers */
        uint64_t rtt_ns = link->dir[0].latency_ns + link->dir[1].latency_ns;
        end_down(sim, index, link, 0, VN_WHY_UNREACHABLE, sim->now_ns + rtt_ns);
    } else {
        link->why[1] = to->port == SIM_PORT ? VN_WHY_NONE : VN_WHY_REFUSED;
        syn_send(sim, index, link);
    }
    return link->id[0];
}

static void syn_answer(struct sim *sim, uint32_t index, struct sim_link *link)
{
    const uint64_t answer_ns = sim->now_ns + link->dir[1].latency_ns;
    wire(sim, link, 0, SIM_WIRE_SYN);
    if (link->why[1] == VN_WHY_REFUSED)
        end_down(sim, index, link, 0, VN_WHY_REFUSED, answer_ns);
    else
        link_event(sim, index, link, 0, SIM_EV_SYN_ACK, 0, answer_ns);
}

void link_on_syn(struct sim *sim, const struct sim_event *event)
{
    struct sim_link *link = link_of_event(sim, event);
    if (!link || link->state[0] != SIM_END_DIALLING)
        return;
    struct sim_host *target = sim_host_at(sim, link->host[1]);
    if (!target->alive || link_fault_is_cut(sim, link, 0))
        syn_send(sim, event->arg, link);
    else if (link->why[1] != VN_WHY_REFUSED && target->paused && !pause_answers(sim, target))
        syn_send(sim, event->arg, link);
    else
        syn_answer(sim, event->arg, link);
}

void link_on_syn_ack(struct sim *sim, const struct sim_event *event)
{
    struct sim_link *link = link_of_event(sim, event);
    if (!link || link->state[0] != SIM_END_DIALLING)
        return;
    if (link_fault_is_cut(sim, link, 1)) {
        syn_send(sim, event->arg, link);
        return;
    }
    struct sim_host *host = sim_host_at(sim, link->host[0]);
    link->state[0] = SIM_END_OPEN;
    wire(sim, link, 1, SIM_WIRE_SYN_ACK);
    stream_mark(sim, event->arg, link, 0, SIM_MARK_OPEN);
    if (host->paused) {
        pause_hold(sim, host, event);
        return;
    }
    host_link_up(sim, host, link, 0);
    host_settle(sim, host);
}

void link_accept(struct sim *sim, uint32_t index, struct sim_link *link)
{
    struct sim_host *host = sim_host_at(sim, link->host[1]);
    if (host->alive) {
        link->slot[1] = slot_take(sim, host, index * 2 + 1);
        link->id[1] = slot_id(host, link->slot[1], 0);
        link->state[1] = SIM_END_OPEN;
        wire(sim, link, 0, SIM_WIRE_ACK);
        host_link_up(sim, host, link, 1);
        return;
    }
    link->state[1] = SIM_END_GONE;
    if (link->state[0] == SIM_END_OPEN)
        stream_mark(sim, index, link, 1, SIM_MARK_RST);
    else
        link_give_if_left(sim, index, link);
}
