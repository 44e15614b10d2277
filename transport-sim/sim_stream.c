/* What flows on a link: one FIFO a direction, its times of arrival, its window.
 *
 * Arrival times in a direction never decrease, so only the head needs an event: armed_ns is the
 * time of the pending one that counts, and any other is recognised by its time and ignored. The
 * event only says "look at this direction"; to look twice is harmless.
 *
 * The window. `used` counts what was sent and not refunded: it is the sum of what is in flight,
 * what the receiver has eaten since the last refund (`eaten`), and the refunds under way. The
 * receiver sends half a window back whenever it has eaten that much, so eaten < half between
 * events. A sender is therefore never stuck: had it spent the whole window with nothing in flight
 * and no refund under way, eaten would be the window, which is not below its half. A quiet link may
 * keep up to half a window unrefunded for ever; at least the other half can always be sent.
 *
 * Failure modes: a cut makes the head wait in the list of sim_net.c; a receiver that reads no more
 * leaves the head due, without an event, until it reads again; an end that is gone drops what
 * arrives. */
#include "transport-sim/sim_internal.h"

#include "core/base/bytes.h"

/* ---- items ---- */

struct item_chunk {
    void *next;
    uint64_t reserved[3];
    struct sim_item items[SIM_ITEMS_CHUNK];
};

static void items_grow(struct sim *sim)
{
    struct item_chunk *chunk = sim_resize(sim, NULL, 0, sizeof *chunk);
    chunk->next = sim->item_chunks;
    sim->item_chunks = chunk;
    for (unsigned i = SIM_ITEMS_CHUNK; i-- > 0;) {
        chunk->items[i].next = sim->item_free;
        sim->item_free = &chunk->items[i];
    }
}

struct sim_item *stream_item_take(struct sim *sim)
{
    if (!sim->item_free)
        items_grow(sim);
    struct sim_item *item = sim->item_free;
    sim->item_free = item->next;
    return item;
}

void stream_item_give(struct sim *sim, struct sim_item *item)
{
    item->next = sim->item_free;
    sim->item_free = item;
}

void stream_items_free(struct sim *sim)
{
    struct item_chunk *chunk = sim->item_chunks;
    while (chunk) {
        struct item_chunk *next = chunk->next;
        mem_free(chunk);
        chunk = next;
    }
}

static struct sim_item *dir_pop(struct sim_dir *dir)
{
    struct sim_item *item = dir->head;
    dir->head = item->next;
    if (!dir->head)
        dir->tail = NULL;
    __builtin_prefetch(dir->head); /* while this one is delivered */
    return item;
}

void stream_clear(struct sim *sim, struct sim_link *link, unsigned d)
{
    struct sim_dir *dir = &link->dir[d];
    while (dir->head) {
        struct sim_item *item = dir_pop(dir);
        vn_buf_unref(item->buf);
        stream_item_give(sim, item);
    }
    dir->arrived = 0;
    if (link->tcp)
        tcp_clear(link, d);
}

/* ---- times ---- */

uint64_t stream_transfer_ns(uint64_t bytes, uint64_t bps)
{
    const uint64_t bit_ns = 8 * SIM_SECOND;
    if (bytes < (uint64_t)1 << 31)
        return (bytes * bit_ns + bps - 1) / bps;
    u128 ns = ((u128)bytes * bit_ns + bps - 1) / bps;
    return ns < SIM_LAST_NS ? (uint64_t)ns : SIM_LAST_NS;
}

/* A queue in front of a pipe that is free from *free_ns on. The first bit comes span_ns before the
 * last one, at last_ns: bits pass on as they come, so two pipes in a row do not add up. Returns
 * when the last bit has passed. */
static uint64_t pipe_pass(uint64_t *free_ns, uint64_t last_ns, uint64_t span_ns, uint64_t takes_ns)
{
    uint64_t first_ns = last_ns > span_ns ? last_ns - span_ns : 0;
    *free_ns = sim_bounded(sim_later(last_ns, sim_later(first_ns, *free_ns) + takes_ns));
    return *free_ns;
}

uint64_t stream_delay_ns(struct sim *sim, struct sim_link *link, unsigned d)
{
    struct sim_dir *dir = &link->dir[d];
    const struct sim_link_params *p = &sim->params[link->params].p;
    const uint64_t of = link_dice(link, d);
    const uint64_t nth = dir->sends++;
    uint64_t t = dir->latency_ns;
    if (p->jitter.kind != SIM_CONSTANT)
        t += sim_dist_at_ns(&p->jitter, sim_draw_unit(sim, SIM_DICE_JITTER, of, nth));
    else if (p->jitter.a > 0)
        t += sim_dist_at_ns(&p->jitter, 0);
    if (p->reorder > 0 && sim_draw_unit(sim, SIM_DICE_REORDER, of, 2 * nth) < p->reorder)
        t += sim_dist_at_ns(&p->reorder_by, sim_draw_unit(sim, SIM_DICE_REORDER, of, 2 * nth + 1));
    return t;
}

/* How long the uplink takes. Most messages are as long as the one before, and a division is dear.
 */
static uint64_t uplink_ns(struct sim_host *host, uint64_t bytes)
{
    if (bytes != host->up_last_bytes) {
        host->up_last_bytes = bytes <= UINT32_MAX ? (uint32_t)bytes : 0;
        host->up_last_ns = stream_transfer_ns(bytes, host->up_bps);
    }
    return host->up_last_ns;
}

/* When `bytes` that are sent now arrive at the other side. */
static uint64_t arrival_ns(struct sim *sim, struct sim_link *link, unsigned d, uint64_t bytes)
{
    struct sim_dir *dir = &link->dir[d];
    struct sim_host *host = sim_host_at(sim, link->host[d]);
    uint64_t t = sim->now_ns;
    if (host->up_bps > 0 && bytes > 0)
        t = pipe_pass(&host->up.free_ns, t, 0, uplink_ns(host, bytes));
    t += stream_delay_ns(sim, link, d);
    dir->last_ns = sim_bounded(sim_later(t, dir->last_ns));
    return dir->last_ns;
}

/* ---- the sending side ---- */

void stream_arm(struct sim *sim, uint32_t index, struct sim_link *link, unsigned d, uint64_t t_ns)
{
    struct sim_dir *dir = &link->dir[d];
    if (t_ns >= dir->armed_ns)
        return;
    dir->armed_ns = t_ns;
    link_event(sim, index, link, d, SIM_EV_STREAM, 0, t_ns);
}

static struct sim_item *dir_push(struct sim *sim, struct sim_dir *dir, uint64_t t_ns,
                                 struct vn_buf *buf, uint32_t off, uint32_t len)
{
    struct sim_item *item = stream_item_take(sim);
    *item = (struct sim_item){.t_ns = t_ns, .buf = buf, .off = off, .len = len};
    if (dir->tail)
        dir->tail->next = item;
    else
        dir->head = item;
    dir->tail = item;
    return item;
}

void stream_send(struct sim *sim, uint32_t index, struct sim_link *link, unsigned d,
                 struct vn_slice *slices, uint32_t count)
{
    struct sim_dir *dir = &link->dir[d];
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += slices[i].len;
    dir->used = bytes < UINT32_MAX - dir->used ? dir->used + (uint32_t)bytes : UINT32_MAX;
    bool idle = !dir->head;
    bool paced = link->tcp != NULL;
    uint64_t t_ns = paced ? VN_NEVER : bytes > 0 ? arrival_ns(sim, link, d, bytes) : 0;
    struct sim_item *first = NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (slices[i].len == 0) {
            vn_slice_unref(slices[i]);
            continue;
        }
        struct sim_item *item =
            dir_push(sim, dir, t_ns, slices[i].buf, slices[i].off, slices[i].len);
        first = first ? first : item;
    }
    if (first && paced) {
        tcp_queue(link, d, first, bytes);
        tcp_pump(sim, index, link, d);
    } else if (idle && first && !dir->blocked) {
        stream_arm(sim, index, link, d, t_ns);
    }
}

void stream_mark(struct sim *sim, uint32_t index, struct sim_link *link, unsigned d,
                 enum sim_mark mark)
{
    struct sim_dir *dir = &link->dir[d];
    if (link->tcp && mark == SIM_MARK_FIN) {
        tcp_queue(link, d, dir_push(sim, dir, VN_NEVER, NULL, 0, mark), 0);
        tcp_pump(sim, index, link, d);
        return;
    }
    if (link->tcp && mark == SIM_MARK_RST)
        tcp_drop_unsent(sim, link, d);
    bool idle = !dir->head;
    uint64_t t_ns = arrival_ns(sim, link, d, 0);
    dir_push(sim, dir, t_ns, NULL, 0, mark);
    /* A reset is heard even by one who reads no more. */
    if ((idle || mark == SIM_MARK_RST) && !dir->blocked)
        stream_arm(sim, index, link, d, t_ns);
}

void stream_on_sent(struct sim *sim, const struct sim_event *event)
{
    struct sim_link *link = link_of_event(sim, event);
    if (!link)
        return;
    unsigned d = event->kind >> 4 & 1;
    uint32_t halves = event->kind >> 5 & 3;
    if (link_fault_is_cut(sim, link, 1 - d)) {
        link->dir[1 - d].halves = (uint8_t)(link->dir[1 - d].halves + halves);
        link_fault_block(sim, event->arg, link, 1 - d);
        return;
    }
    if (link->state[d] != SIM_END_OPEN)
        return;
    uint32_t bytes = halves * sim->half;
    struct sim_host *host = sim_host_at(sim, link->host[d]);
    if (host->paused) {
        pause_hold(sim, host, event);
        return;
    }
    assert(link->dir[d].used >= bytes);
    link->dir[d].used -= bytes;
    if (host->peer) {
        peer_pump(sim, host, event->arg, link, d);
        return;
    }
    struct vn_event sent = {.kind = VN_EV_SENT, .u.sent = {link->id[d], bytes}};
    host_step(sim, host, &sent);
    host_settle(sim, host);
}

/* ---- the receiving side ---- */

static void dir_refund(struct sim *sim, uint32_t index, struct sim_link *link, unsigned d)
{
    struct sim_dir *dir = &link->dir[d];
    if (dir->eaten < sim->half)
        return;
    uint32_t halves = dir->eaten / sim->half;
    dir->eaten -= halves * sim->half;
    if (link->state[d] != SIM_END_OPEN)
        return;
    assert(halves <= 3);
    link_event(sim, index, link, d, SIM_EV_SENT, halves,
               sim_bounded(sim->now_ns + link->dir[1 - d].latency_ns));
}

/* Hands data to the receiving end, cut at random places; false where a script ends the link. */
static bool dir_hand(struct sim *sim, struct sim_link *link, unsigned d, struct vn_slice rest)
{
    struct sim_dir *dir = &link->dir[d];
    struct sim_host *host = sim_host_at(sim, link->host[1 - d]);
    const uint64_t id = link->id[1 - d];
    const uint64_t of = link_dice(link, d);
    const uint32_t gen = link->gen;
    sim->stats.bytes += rest.len;
    while (sim->chunk_threshold > 0 && rest.len > 1) {
        uint64_t r = sim_draw(sim, SIM_DICE_CHUNK, of, dir->chunks++);
        if (r >> 32 >= sim->chunk_threshold)
            break;
        struct vn_slice piece = rest;
        piece.len = 1 + (uint32_t)((r & UINT32_MAX) * (rest.len - 1) >> 32);
        rest.off += piece.len;
        rest.len -= piece.len;
        wire_bytes(sim, link, d, piece);
        host_bytes(sim, host, id, piece);
        if (!link->live || link->gen != gen || link->state[1 - d] != SIM_END_OPEN)
            return false;
    }
    wire_bytes(sim, link, d, rest);
    host_bytes(sim, host, id, rest);
    return link->live && link->gen == gen && link->state[1 - d] == SIM_END_OPEN;
}

static void dir_eat(struct sim *sim, struct sim_link *link, unsigned d, struct sim_item *item)
{
    struct vn_slice data = {item->buf, item->off, item->len};
    stream_item_give(sim, item);
    link->dir[d].eaten += data.len;
    if (!link->tcp) {
        dir_hand(sim, link, d, data);
        vn_slice_unref(data);
        return;
    }
    struct vn_slice got[2];
    uint32_t count = mangle(sim, link, d, data, got);
    bool open = true;
    for (uint32_t i = 0; i < count; i++) {
        open = open && dir_hand(sim, link, d, got[i]);
        vn_slice_unref(got[i]);
    }
}

static void dir_mark(struct sim *sim, uint32_t index, struct sim_link *link, unsigned d,
                     struct sim_item *item)
{
    enum sim_mark mark = (enum sim_mark)item->len;
    stream_item_give(sim, item);
    switch (mark) {
    case SIM_MARK_OPEN:
        link_accept(sim, index, link);
        return;
    case SIM_MARK_FIN:
        wire(sim, link, d, SIM_WIRE_FIN);
        link_drop(sim, index, link, 1 - d, VN_WHY_REMOTE_CLOSED);
        return;
    case SIM_MARK_RST:
        wire(sim, link, d, SIM_WIRE_RST);
        link_drop(sim, index, link, 1 - d, VN_WHY_RESET);
        return;
    }
}

/* Gives the receiver what is due, all in one cycle. */
static void dir_deliver(struct sim *sim, uint32_t index, struct sim_link *link, unsigned d)
{
    struct sim_dir *dir = &link->dir[d];
    struct sim_host *host = sim_host_at(sim, link->host[1 - d]);
    uint32_t gen = link->gen;
    uint32_t left = dir->arrived > 0 ? dir->arrived : UINT32_MAX;
    bool same = true;
    dir->arrived = 0;
    while (same && left-- > 0 && dir->head && dir->head->t_ns <= sim->now_ns && !dir->stopped) {
        struct sim_item *item = dir_pop(dir);
        if (item->buf)
            dir_eat(sim, link, d, item);
        else
            dir_mark(sim, index, link, d, item);
        same = link->live && link->gen == gen && link->state[1 - d] == SIM_END_OPEN;
    }
    if (same) {
        dir_refund(sim, index, link, d);
        if (dir->head && !dir->blocked && !dir->stopped)
            stream_arm(sim, index, link, d, sim_later(dir->head->t_ns, sim->now_ns));
    }
    host_settle(sim, host);
}

/* What is due has come to the receiver's access link: false if it must pass that first. */
static bool dir_arrive(struct sim *sim, uint32_t index, struct sim_link *link, unsigned d)
{
    struct sim_dir *dir = &link->dir[d];
    struct sim_host *host = sim_host_at(sim, link->host[1 - d]);
    if (host->down_bps == 0 && !dir->stopped && !host->paused)
        return true;
    uint64_t bytes = 0;
    for (const struct sim_item *item = dir->head; item && item->t_ns <= sim->now_ns;
         item = item->next) {
        bytes += item->buf ? item->len : 0;
        dir->arrived++;
    }
    if (host->down_bps == 0 || bytes == 0)
        return true;
    uint64_t up_bps = sim_host_at(sim, link->host[d])->up_bps;
    uint64_t rate_bps = sim->params[link->params].p.rate_bps;
    uint64_t slowest = up_bps == 0 || (rate_bps > 0 && rate_bps < up_bps) ? rate_bps : up_bps;
    uint64_t span = slowest > 0 ? stream_transfer_ns(bytes, slowest) : 0;
    uint64_t t_ns = pipe_pass(&host->down_free_ns, sim->now_ns, span,
                              stream_transfer_ns(bytes, host->down_bps));
    struct sim_item *item = dir->head;
    for (uint32_t i = 0; i < dir->arrived; i++, item = item->next)
        item->t_ns = t_ns;
    stream_arm(sim, index, link, d, t_ns);
    return false;
}

/* Nobody is at end e to whom anything could be given. Who sends to it does not know yet, and goes
 * on as if there were: its uplink and its window must not depend on what it cannot know. */
static bool end_is_deaf(const struct sim_link *link, unsigned e)
{
    return link->state[e] == SIM_END_GONE ||
           (link->state[e] == SIM_END_CLOSING && !(link->quiet >> e & 1));
}

/* What is due has come to a deaf end. */
static void dir_drop(struct sim *sim, uint32_t index, struct sim_link *link, unsigned d)
{
    struct sim_dir *dir = &link->dir[d];
    uint32_t left = dir->arrived > 0 ? dir->arrived : UINT32_MAX;
    dir->arrived = 0;
    while (left-- > 0 && dir->head && dir->head->t_ns <= sim->now_ns) {
        struct sim_item *item = dir_pop(dir);
        vn_buf_unref(item->buf);
        stream_item_give(sim, item);
    }
    if (dir->head && !dir->blocked)
        stream_arm(sim, index, link, d, sim_later(dir->head->t_ns, sim->now_ns));
}

/* The receiver reads no more: only a reset gets through to it. */
static void dir_withhold(struct sim *sim, uint32_t index, struct sim_link *link, unsigned d)
{
    struct sim_dir *dir = &link->dir[d];
    if (dir->tail->buf || dir->tail->len != SIM_MARK_RST)
        return;
    if (dir->tail->t_ns > sim->now_ns) {
        stream_arm(sim, index, link, d, dir->tail->t_ns);
    } else if (link_fault_is_cut(sim, link, d)) {
        link_fault_block(sim, index, link, d);
    } else {
        struct sim_host *host = sim_host_at(sim, link->host[1 - d]);
        stream_clear(sim, link, d);
        wire(sim, link, d, SIM_WIRE_RST);
        link_drop(sim, index, link, 1 - d, VN_WHY_RESET);
        host_settle(sim, host);
    }
}

void stream_on_event(struct sim *sim, const struct sim_event *event)
{
    struct sim_link *link = link_of_event(sim, event);
    if (!link)
        return;
    unsigned d = event->kind >> 4 & 1;
    struct sim_dir *dir = &link->dir[d];
    if (dir->armed_ns != event->t_ns)
        return;
    dir->armed_ns = VN_NEVER;
    if (!dir->head)
        return;
    if (dir->arrived > 0 && dir->head->t_ns > sim->now_ns) { /* a reset comes behind it */
        stream_arm(sim, event->arg, link, d, dir->head->t_ns);
        return;
    }
    if (dir->arrived == 0) {
        if (dir->blocked)
            return;
        if (dir->head->t_ns > sim->now_ns) {
            stream_arm(sim, event->arg, link, d, dir->head->t_ns);
            return;
        }
        if (link_fault_is_cut(sim, link, d)) {
            link_fault_block(sim, event->arg, link, d);
            return;
        }
        if (link->state[1 - d] == SIM_END_LOST) {
            link->state[1 - d] = SIM_END_GONE;
            sim->lost--;
            stream_mark(sim, event->arg, link, 1 - d, SIM_MARK_RST);
        }
        if (!end_is_deaf(link, 1 - d) && !dir_arrive(sim, event->arg, link, d))
            return;
    }
    if (end_is_deaf(link, 1 - d)) {
        dir_drop(sim, event->arg, link, d);
        return;
    }
    struct sim_host *host = sim_host_at(sim, link->host[1 - d]);
    if (host->paused)
        pause_hold(sim, host, event);
    else if (dir->stopped)
        dir_withhold(sim, event->arg, link, d);
    else
        dir_deliver(sim, event->arg, link, d);
}

void stream_read(struct sim *sim, uint32_t index, struct sim_link *link, unsigned d, bool on)
{
    struct sim_dir *dir = &link->dir[d];
    dir->stopped = !on;
    if (on && dir->head && (dir->arrived > 0 || !dir->blocked))
        stream_arm(sim, index, link, d, sim_later(dir->head->t_ns, sim->now_ns));
}

void stream_resume(struct sim *sim, uint32_t index, struct sim_link *link, unsigned d,
                   uint64_t t_ns)
{
    struct sim_dir *dir = &link->dir[d];
    dir->blocked = 0;
    if (dir->halves > 0)
        link_event(sim, index, link, 1 - d, SIM_EV_SENT, dir->halves, t_ns);
    dir->halves = 0;
    if (dir->head)
        stream_arm(sim, index, link, d, sim_later(t_ns, dir->head->t_ns));
    if (link->tcp) { /* the answers to what the other end sends were stopped as well */
        tcp_resume(sim, index, link, d, t_ns);
        tcp_resume(sim, index, link, 1 - d, t_ns);
    }
}
