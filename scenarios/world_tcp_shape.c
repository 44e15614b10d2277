/* What a link's writing waits for in this world.
 *
 * Each end of a connection is a direction. A piece that is written leaves after: its host's uplink
 * and the link's own rate and the other host's downlink (each first in, first out), the latency (a
 * quantile drawn once per connection and direction), jitter, and what is lost. The kernel's stream
 * below loses nothing, so loss is told as delay: each lost segment of 1460 bytes holds the stream
 * for a round trip, 10 ms at least, as a fast retransmit does; congestion windows are not modelled.
 * What finds more than the queue before a narrow place counts as lost once. reorder holds a piece
 * (and with it the stream) by a draw of reorder_by. corrupt and duplicate write changed copies.
 *
 * Where there is a rate, what is written is cut into pieces, so that a slow link trickles. */
#include "scenarios/world_tcp.h"

#include <string.h>

#define SEGMENT     1460u
#define HOLD_MIN_NS 10000000u
#define SYN_WAIT_NS 1000000000u
#define SYN_TRIES   7u
#define PIECE_MAX   16384u
#define PIECES_A_S  20u /* of a link with a rate */
#define HELD_MAX_NS (3600 * UINT64_C(1000000000))

static struct tw_link *end_of(struct tcp_link *link)
{
    return *tcp_shape_ctx(link);
}

static void on_link(void *ctx, struct tcp_link *link)
{
    struct tw *w = ctx;
    const struct tw_host *host = link->handle.data;
    struct tw_link *end = mem_new(1, sizeof *end);
    end->w = w;
    end->link = link;
    end->src = host->number;
    end->dst = world_host_of(w, &link->remote);
    rng_fork(&end->rng, w->config.seed, "link",
             (uint64_t)host->number << 32 | w->hosts[host->number]->connections++);
    end->there = rng_unit(&end->rng);
    end->back = rng_unit(&end->rng);
    world_link_made(w, end);
    world_link_params(w, end);
    end->next = w->ends;
    if (end->next)
        end->next->prev = end;
    w->ends = end;
    *tcp_shape_ctx(link) = end;
}

static void on_gone(void *ctx, struct tcp_link *link)
{
    struct tw *w = ctx;
    struct tw_link *end = end_of(link);
    if (end->prev)
        end->prev->next = end->next;
    else
        w->ends = end->next;
    if (end->next)
        end->next->prev = end->prev;
    mem_free(end);
}

/* ---- delays ---- */

static uint64_t bits_ns(uint32_t bytes, uint64_t bps)
{
    return (uint64_t)((double)bytes * 8e9 / (double)bps);
}

/* Goes through a narrow place; false: more than may wait before it did. */
static bool narrow(uint64_t *free_ns, uint64_t bps, uint32_t bytes, uint64_t *t_ns,
                   const struct sim_link_params *queue)
{
    if (bps == 0)
        return true;
    uint64_t wait_ns = *free_ns > *t_ns ? *free_ns - *t_ns : 0;
    bool room = !queue || ((queue->queue_ns == 0 || wait_ns <= queue->queue_ns) &&
                           (queue->queue_bytes == 0 ||
                            (double)wait_ns * (double)bps / 8e9 <= (double)queue->queue_bytes));
    *t_ns += wait_ns + bits_ns(bytes, bps);
    *free_ns = *t_ns;
    return room;
}

static uint64_t hold_ns(const struct tw_link *end)
{
    return end->rtt_ns > HOLD_MIN_NS ? end->rtt_ns : HOLD_MIN_NS;
}

static uint64_t lost_ns(struct tw_link *end, uint32_t bytes)
{
    uint64_t sum_ns = 0;
    if (end->params.loss <= 0)
        return 0;
    for (uint32_t at = 0; at < bytes && sum_ns < HELD_MAX_NS; at += SEGMENT)
        if (rng_chance(&end->rng, end->params.loss))
            sum_ns += hold_ns(end);
    return sum_ns;
}

/* When a piece that is written now is there. */
static uint64_t due_ns(struct tw_link *end, uint32_t bytes, uint64_t now_ns)
{
    struct tw *w = end->w;
    const struct sim_link_params *p = &end->params;
    struct tw_host *src = w->hosts[end->src];
    struct tw_host *dst = end->dst != TW_NOBODY ? w->hosts[end->dst] : NULL;
    uint64_t t_ns = now_ns;
    bool room = narrow(&src->up_free_ns, src->params.up_bps, bytes, &t_ns, p);
    room &= narrow(&end->free_ns, p->rate_bps, bytes, &t_ns, p);
    t_ns += end->latency_ns + lost_ns(end, bytes);
    t_ns += sim_dist_sample_ns(&p->jitter, &end->rng);
    if (!room)
        t_ns += hold_ns(end);
    bool late = p->reorder > 0 && rng_chance(&end->rng, p->reorder);
    if (late)
        t_ns += sim_dist_sample_ns(&p->reorder_by, &end->rng);
    if (dst && dst != src)
        narrow(&dst->down_free_ns, dst->params.down_bps, bytes, &t_ns, NULL);
    return t_ns;
}

/* ---- bytes ---- */

static struct vn_slice corrupted(struct tw_link *end, struct vn_slice data)
{
    struct vn_slice copy = {.buf = vn_buf_new(data.len), .len = data.len};
    memcpy(copy.buf->data, vn_slice_data(data), data.len);
    uint64_t at = rng_below(&end->rng, data.len);
    uint64_t change = 1 + rng_below(&end->rng, 255);
    copy.buf->data[at] ^= (uint8_t)change;
    vn_slice_unref(data);
    world_mangled_note(end->w, end->src, end->dst);
    return copy;
}

static void put(struct tw_link *end, struct vn_slice piece, uint64_t now_ns)
{
    const struct sim_link_params *p = &end->params;
    uint64_t t_ns = due_ns(end, piece.len, now_ns);
    if (p->corrupt > 0 && rng_chance(&end->rng, p->corrupt))
        piece = corrupted(end, piece);
    struct vn_slice again = piece;
    bool twice = p->duplicate > 0 && rng_chance(&end->rng, p->duplicate);
    if (twice) {
        uint32_t skipped = (uint32_t)rng_below(&end->rng, piece.len);
        again = vn_slice_ref(piece);
        again.off += skipped;
        again.len -= skipped;
        world_mangled_note(end->w, end->src, end->dst);
    }
    tcp_shape_put(end->link, piece, t_ns, false);
    if (twice)
        tcp_shape_put(end->link, again, t_ns, true);
}

static uint32_t piece_bytes(const struct tw_link *end)
{
    const struct tw *w = end->w;
    uint64_t bps = end->params.rate_bps;
    uint64_t up = w->hosts[end->src]->params.up_bps;
    uint64_t down = end->dst != TW_NOBODY ? w->hosts[end->dst]->params.down_bps : 0;
    bps = up > 0 && (bps == 0 || up < bps) ? up : bps;
    bps = down > 0 && (bps == 0 || down < bps) ? down : bps;
    if (bps == 0)
        return UINT32_MAX;
    uint64_t bytes = bps / (8 * PIECES_A_S);
    return bytes < SEGMENT ? SEGMENT : bytes > PIECE_MAX ? PIECE_MAX : (uint32_t)bytes;
}

static void on_write(void *ctx, struct tcp_link *link, struct vn_slice slice, uint64_t now_ns)
{
    (void)ctx;
    struct tw_link *end = end_of(link);
    uint32_t most = piece_bytes(end);
    while (slice.len > most) {
        struct vn_slice piece = vn_slice_ref(slice);
        piece.len = most;
        slice.off += most;
        slice.len -= most;
        put(end, piece, now_ns);
    }
    put(end, slice, now_ns);
}

/* ---- beginning and end ---- */

/* Up after a round trip, and after each SYN or answer that is lost 1, 2, 4 ... s later. */
static enum vn_why on_dial(void *ctx, struct tcp_link *link, uint64_t now_ns, uint64_t *due)
{
    (void)ctx;
    struct tw_link *end = end_of(link);
    if (end->dst == TW_NOBODY) /* nothing here may leave this machine */
        return VN_WHY_UNREACHABLE;
    if (link->remote.port != sim_host_addr(end->dst).port)
        return VN_WHY_REFUSED;
    *due = now_ns + end->rtt_ns;
    double p = end->params.loss;
    for (uint32_t try = 0; try < SYN_TRIES && p > 0; try++) {
        bool there = rng_chance(&end->rng, p);
        bool back = rng_chance(&end->rng, p);
        if (!there && !back)
            break;
        *due += (uint64_t)SYN_WAIT_NS << try;
    }
    return VN_WHY_NONE;
}

static uint64_t end_ns(void *ctx, struct tcp_link *link, uint64_t now_ns)
{
    (void)ctx;
    return now_ns + end_of(link)->latency_ns;
}

static uint64_t pass_ns(void *ctx, struct tcp_link *link, uint64_t now_ns)
{
    const struct tw *w = ctx;
    const struct tw_link *end = end_of(link);
    uint64_t t_ns = now_ns - w->zero_ns;
    uint64_t at_ns = world_passes_at(w, end->src, end->dst, t_ns);
    if (link->state == LINK_CONNECTING) { /* the answer has to come back */
        uint64_t back_ns = world_passes_at(w, end->dst, end->src, t_ns);
        at_ns = back_ns > at_ns ? back_ns : at_ns;
    }
    return at_ns == VN_NEVER ? VN_NEVER : at_ns + w->zero_ns;
}

void world_shape_init(struct tw *w)
{
    w->shaper = (struct tcp_shaper){.ctx = w,
                                    .on_link = on_link,
                                    .on_gone = on_gone,
                                    .on_write = on_write,
                                    .on_dial = on_dial,
                                    .end_ns = end_ns,
                                    .pass_ns = pass_ns};
    tcp_shape_set(w->tcp, &w->shaper);
}
