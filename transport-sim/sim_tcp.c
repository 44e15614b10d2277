/* A model of TCP for links that lose or limit what they carry: not packets, but rounds.
 *
 * A round is what a sender has under way for one round trip: at most its congestion window. Bytes
 * wait in the stream's FIFO (with the time VN_NEVER) until a round takes them; all that leaves
 * together is a flight, which costs one event however many segments it has. In a flight
 *
 *   - each segment of 1460 bytes is lost with the link's `loss`, independently;
 *   - the segments pass the host's uplink and the link's own rate as one train. What would find
 *     more than `queue` waiting there is dropped: the end of the train (a drop-tail buffer);
 *   - after a round without loss the window has grown: by what was acknowledged in slow start, by
 *     one segment in congestion avoidance (RFC 5681, 3.1), if the window was what held the sender
 *     back (RFC 7661, 4.3). It begins with 10 segments (RFC 6928), and again after silence for a
 *     retransmission timeout (RFC 5681, 4.1). The receiver's window is the simulator's: no more
 *     than that is handed to a link at all;
 *   - a loss that three or more segments follow (those of the flight, and those that its
 *     acknowledged part lets leave) is found after a round trip: the window halves, and the next
 *     round sends again all that was lost, as selective acknowledgements tell it (RFC 5681, 3.2;
 *     RFC 6675), then new data. In that round the window does not grow;
 *   - any other loss, and that of a segment sent again, is found by the timer (RFC 6298: the
 *     round trip and four deviations, which Linux takes as at least 200 ms; doubling, at most a
 *     minute). Then the window is one segment and slow start goes to half of what it was. After 15
 *     retries the link ends (Linux, tcp_retries2).
 *
 * The stream arrives in order: what follows a lost segment waits at the receiver until it comes.
 *
 * The model leaves out: tail loss probes and early retransmit (RFC 8985, RFC 5827), delayed and
 * lost acknowledgements (unless all are cut), pacing, and the receiver's downlink, which serves
 * what comes without a bound and is not part of the round. Segments handed over later do not count
 * as following a loss. tests/bench/bench_tcp_model.c holds it against Padhye et al. 1998.
 *
 * Failure modes: a cut stops rounds, for no acknowledgement comes; after the heal the window is one
 * segment. A reset drops what was not sent yet. */
#include "transport-sim/sim_internal.h"

#include "core/base/bytes.h"
#include "core/base/exact.h"

#define SEGMENT        1460u /* bytes of a full segment on Ethernet */
#define WINDOW_INITIAL 10u   /* RFC 6928 */
#define WINDOW_LOSS    1u    /* RFC 5681, 3.1 */
#define THRESHOLD_MIN  2u    /* RFC 5681, (4) */
#define DUPLICATES     3u    /* acknowledgements that mean a loss: RFC 5681, 3.2 */
#define RETRIES_MAX    15u   /* Linux, tcp_retries2 */

/* The sending side of a direction. */
struct tcp_flow {
    struct sim_item *unsent; /* the first that waits, to the end of the FIFO; or NULL */
    uint64_t bytes;          /* of these, with those to be sent again */
    uint64_t repair_bytes;   /* at the head: lost, or waiting at the receiver for what is lost */
    struct sim_pipe rate;    /* the link's own */
    uint64_t ready_ns;       /* a loss is found then: nothing leaves before */
    uint64_t end_ns;         /* the round's first acknowledgement: the next round may begin */
    uint64_t acked_ns;       /* its last one */
    uint64_t begin_ns;       /* its beginning; the window opens for spread_ns from then on, */
    uint64_t spread_ns;      /* as the acknowledgements of the round before come */
    uint64_t rtt_ns;         /* the latest measured, with queues */
    uint64_t armed_ns;       /* of the pending SIM_EV_ROUND that counts, or VN_NEVER */
    uint64_t draws;
    uint64_t deliveries;              /* counted for sim_mangle.c */
    uint32_t window, threshold, sent; /* segments: cwnd, ssthresh; so far in this round */
    uint32_t lost;                    /* segments at the head to be sent again */
    uint32_t retries;
    bool recovery; /* fast recovery: this round lets nothing grow */
};

struct sim_tcp {
    struct tcp_flow flow[2];
};

/* Segments that leave together: when the first bit and the last one of them are at some place. */
struct train {
    uint64_t first_ns, last_ns;
    uint32_t segments;
    uint64_t bytes;
    uint32_t dropped;
};

/* ---- life ---- */

bool tcp_wanted(const struct sim_link_params *p)
{
    return p->loss > 0 || p->rate_bps > 0 || p->queue_bytes > 0 || p->queue_ns > 0 ||
           p->corrupt > 0 || p->duplicate > 0;
}

void tcp_open(struct sim *sim, struct sim_link *link)
{
    if (link->tcp || !tcp_wanted(&sim->params[link->params].p))
        return;
    link->tcp = sim_resize(sim, NULL, 0, sizeof *link->tcp);
    for (unsigned d = 0; d < 2; d++)
        link->tcp->flow[d] = (struct tcp_flow){
            .window = WINDOW_INITIAL, .threshold = UINT32_MAX, .armed_ns = VN_NEVER};
}

void tcp_free(struct sim *sim, struct sim_link *link)
{
    if (!link->tcp)
        return;
    sim->stats.memory -= sizeof *link->tcp;
    mem_free(link->tcp);
    link->tcp = NULL;
}

void tcp_clear(struct sim_link *link, unsigned d)
{
    struct tcp_flow *flow = &link->tcp->flow[d];
    flow->unsent = NULL;
    flow->bytes = flow->repair_bytes = 0;
    flow->lost = 0;
}

void tcp_drop_unsent(struct sim *sim, struct sim_link *link, unsigned d)
{
    struct sim_dir *dir = &link->dir[d];
    struct sim_item *item = link->tcp->flow[d].unsent;
    struct sim_item **at = &dir->head;
    dir->tail = NULL;
    while (*at != item) {
        dir->tail = *at;
        at = &(*at)->next;
    }
    *at = NULL;
    while (item) {
        struct sim_item *next = item->next;
        if (item->buf)
            vn_buf_unref(item->buf);
        stream_item_give(sim, item);
        item = next;
    }
    tcp_clear(link, d);
}

void tcp_queue(struct sim_link *link, unsigned d, struct sim_item *first, uint64_t bytes)
{
    struct tcp_flow *flow = &link->tcp->flow[d];
    if (!flow->unsent)
        flow->unsent = first;
    flow->bytes += bytes;
}

bool tcp_waits(const struct sim_link *link, unsigned d)
{
    return link->tcp && link->tcp->flow[d].unsent;
}

uint64_t tcp_count_delivery(struct sim_link *link, unsigned d)
{
    return link->tcp->flow[d].deliveries++;
}

static void round_arm(struct sim *sim, uint32_t index, struct sim_link *link, unsigned d,
                      uint64_t t_ns)
{
    struct tcp_flow *flow = &link->tcp->flow[d];
    if (t_ns == flow->armed_ns)
        return;
    flow->armed_ns = t_ns;
    link_event(sim, index, link, d, SIM_EV_ROUND, 0, t_ns);
}

/* ---- what a flight meets on its way ---- */

/* A narrow place. `free_ns` is when it has passed all that was handed to it, had that all been
 * there at once; `entered_ns` is when the last of that comes, for trains enter as they are clocked.
 * What comes before then waits only for what stands in the queue, and not for what is still to
 * come. */
static uint64_t pipe_out_ns(const struct train *train, const struct sim_pipe *pipe,
                            uint64_t takes_ns)
{
    if (train->last_ns > pipe->entered_ns)
        return sim_later(train->last_ns, sim_later(train->first_ns, pipe->free_ns) + takes_ns);
    uint64_t standing_ns = pipe->free_ns > pipe->entered_ns ? pipe->free_ns - pipe->entered_ns : 0;
    return sim_later(train->last_ns + takes_ns / train->segments, train->first_ns + takes_ns) +
           standing_ns;
}

/* The train leaves the pipe later and spread, and shorter where its end found more waiting than the
 * link's queue holds. */
static void pipe_pass(struct train *train, struct sim_pipe *pipe, uint64_t bps,
                      const struct sim_link_params *p)
{
    if (bps == 0 || train->segments == 0 || train->bytes == 0)
        return;
    uint64_t takes_ns = stream_transfer_ns(train->bytes, bps);
    const uint64_t one_ns = takes_ns / train->segments + 1;
    uint64_t limit_ns = p->queue_bytes > 0 ? stream_transfer_ns(p->queue_bytes, bps) : p->queue_ns;
    uint64_t out_ns = pipe_out_ns(train, pipe, takes_ns);
    if (limit_ns > 0 && limit_ns < one_ns)
        limit_ns = one_ns;
    if (limit_ns > 0 && out_ns - train->last_ns > limit_ns) {
        uint64_t dropped = (out_ns - train->last_ns - limit_ns + one_ns - 1) / one_ns;
        uint32_t n = dropped < train->segments ? (uint32_t)dropped : train->segments;
        uint64_t kept = (uint64_t)(train->segments - n) * SEGMENT;
        train->dropped += n;
        train->segments -= n;
        train->bytes = kept < train->bytes ? kept : train->bytes;
        if (train->segments == 0)
            return;
        takes_ns = stream_transfer_ns(train->bytes, bps);
        out_ns = pipe_out_ns(train, pipe, takes_ns);
    }
    pipe->free_ns = sim_bounded(sim_later(train->first_ns, pipe->free_ns) + takes_ns);
    pipe->entered_ns = sim_later(pipe->entered_ns, train->last_ns);
    out_ns = sim_bounded(out_ns);
    train->first_ns = sim_later(train->first_ns, out_ns > takes_ns ? out_ns - takes_ns : 0);
    train->last_ns = out_ns;
}

/* How many of n segments are lost, and the first of them. The kept ones between two losses are
 * geometrically distributed: one draw finds the next loss. */
static uint32_t losses(const struct sim *sim, const struct sim_link *link, unsigned d, uint32_t n,
                       uint32_t *first)
{
    const struct sim_params *params = &sim->params[link->params];
    const uint64_t of = link_dice(link, d);
    struct tcp_flow *flow = &link->tcp->flow[d];
    uint32_t count = 0;
    *first = n;
    for (uint32_t at = 0; params->p.loss > 0 && at < n; at++) {
        double u = sim_draw_unit(sim, SIM_DICE_LOSS, of, flow->draws++);
        double kept = exact_log(1.0 - u) / params->log_keep;
        if (!(kept < (double)(n - at)))
            break;
        at += (uint32_t)kept;
        *first = count == 0 ? at : *first;
        count++;
    }
    return count;
}

/* ---- the window ---- */

static uint64_t timeout_ns(const struct sim_link *link, const struct tcp_flow *flow)
{
    uint64_t base = link->dir[0].latency_ns + link->dir[1].latency_ns;
    uint64_t rto = sim_later(flow->rtt_ns, base) + SIM_RTO_NS;
    for (uint32_t i = 0; i < flow->retries && rto < SIM_RTO_MAX; i++)
        rto *= 2;
    return rto < SIM_RTO_MAX ? rto : SIM_RTO_MAX;
}

static uint32_t half_of(uint32_t segments)
{
    return segments / 2 > THRESHOLD_MIN ? segments / 2 : THRESHOLD_MIN;
}

/* The last round is acknowledged, or was long ago; the next begins now. */
static void round_begin(const struct sim *sim, const struct sim_link *link, struct tcp_flow *flow)
{
    if (flow->recovery) {
        flow->recovery = flow->sent == 0 || flow->lost > 0;
    } else if (flow->window < flow->threshold && 2 * flow->sent > flow->window) {
        uint32_t grown = flow->window + flow->sent;
        flow->window = grown < flow->threshold ? grown : flow->threshold;
    } else if (flow->window >= flow->threshold && flow->sent >= flow->window) {
        flow->window++;
    }
    if (sim->now_ns > flow->acked_ns + timeout_ns(link, flow) && flow->window > WINDOW_INITIAL &&
        flow->lost == 0)
        flow->window = WINDOW_INITIAL;
    flow->begin_ns = sim->now_ns;
    flow->spread_ns = flow->acked_ns > sim->now_ns ? flow->acked_ns - sim->now_ns : 0;
    flow->sent = 0;
}

/* Nothing more leaves until a loss is found. */
static void round_break(struct tcp_flow *flow, uint64_t found_ns)
{
    flow->ready_ns = flow->end_ns = sim_bounded(found_ns);
    flow->sent = 0;
}

static void on_timeout(const struct sim *sim, const struct sim_link *link, struct tcp_flow *flow)
{
    round_break(flow, sim->now_ns + timeout_ns(link, flow));
    flow->window = WINDOW_LOSS;
    flow->recovery = false;
    flow->retries++;
}

/* ---- flights ---- */

/* The first `bytes` of what waits arrive at t_ns, with the marks that follow them at once. */
static void stamp(struct sim *sim, struct sim_link *link, unsigned d, uint64_t bytes, uint64_t t_ns)
{
    struct tcp_flow *flow = &link->tcp->flow[d];
    struct sim_dir *dir = &link->dir[d];
    t_ns = dir->last_ns = sim_bounded(sim_later(t_ns, dir->last_ns));
    flow->bytes -= bytes;
    while (flow->unsent && (bytes > 0 || !flow->unsent->buf)) {
        struct sim_item *item = flow->unsent;
        if (item->buf && item->len > bytes) {
            struct sim_item *rest = stream_item_take(sim);
            *rest = *item;
            vn_buf_ref(rest->buf);
            rest->off += (uint32_t)bytes;
            rest->len -= (uint32_t)bytes;
            item->len = (uint32_t)bytes;
            item->next = rest;
            dir->tail = dir->tail == item ? rest : dir->tail;
        }
        bytes -= item->buf ? item->len : 0;
        item->t_ns = t_ns;
        flow->unsent = item->next;
    }
}

/* When the acknowledgement comes that lets segment n of the round leave. */
static uint64_t leaves_ns(const struct sim *sim, const struct tcp_flow *flow, uint32_t n)
{
    uint64_t t = flow->begin_ns + (uint64_t)((u128)flow->spread_ns * n / flow->window);
    return sim_bounded(sim_later(t, sim->now_ns));
}

/* Puts segments on their way: through the uplink and the link's own rate. */
static struct train depart(struct sim *sim, struct sim_link *link, unsigned d, uint32_t segments,
                           uint64_t bytes)
{
    struct tcp_flow *flow = &link->tcp->flow[d];
    struct sim_host *host = sim_host_at(sim, link->host[d]);
    const struct sim_link_params *p = &sim->params[link->params].p;
    const uint64_t base_ns = link->dir[0].latency_ns + link->dir[1].latency_ns;
    struct train train = {.first_ns = leaves_ns(sim, flow, flow->sent),
                          .last_ns = leaves_ns(sim, flow, flow->sent + segments),
                          .segments = segments,
                          .bytes = bytes};
    const uint64_t entered_ns = train.last_ns;
    pipe_pass(&train, &host->up, host->up_bps, p);
    pipe_pass(&train, &flow->rate, p->rate_bps, p);
    if (flow->sent == 0) /* its first segment is acknowledged */
        flow->end_ns =
            sim_bounded(train.first_ns + base_ns + (train.last_ns - train.first_ns) / segments);
    flow->sent += segments;
    flow->acked_ns = sim_bounded(sim_later(flow->acked_ns, train.last_ns + base_ns));
    flow->rtt_ns = train.last_ns + base_ns - entered_ns;
    return train;
}

/* Sends again what was lost, as much as the window lets pass. False if the link was given up. */
static bool resend(struct sim *sim, uint32_t index, struct sim_link *link, unsigned d,
                   uint32_t room)
{
    struct tcp_flow *flow = &link->tcp->flow[d];
    const uint32_t before = flow->lost;
    uint32_t n = before < room ? before : room;
    uint64_t bytes = (uint64_t)n * SEGMENT;
    bytes = bytes < flow->repair_bytes ? bytes : flow->repair_bytes;
    uint32_t first;
    struct train train = depart(sim, link, d, n, bytes);
    uint32_t again = train.dropped + losses(sim, link, d, train.segments, &first);
    flow->lost -= n - again;
    if (again == 0) {
        uint64_t part =
            n == before ? flow->repair_bytes : (uint64_t)((u128)flow->repair_bytes * n / before);
        flow->repair_bytes -= part;
        flow->retries = 0;
        stamp(sim, link, d, part, train.last_ns + stream_delay_ns(sim, link, d));
        return true;
    }
    if (flow->retries >= RETRIES_MAX) {
        link_give_up(sim, index, link, d);
        return false;
    }
    on_timeout(sim, link, flow);
    return true;
}

/* What a flight of n segments means for the window, of which `lost` from number `first` on did not
 * arrive; `room` more could have left. */
static void on_loss(const struct sim *sim, const struct sim_link *link, unsigned d,
                    const struct train *train, uint32_t n, uint32_t first, uint32_t lost)
{
    struct tcp_flow *flow = &link->tcp->flow[d];
    const uint64_t base_ns = link->dir[0].latency_ns + link->dir[1].latency_ns;
    const uint64_t waiting = (flow->bytes - flow->repair_bytes + SEGMENT - 1) / SEGMENT;
    uint32_t more = first < waiting ? first : (uint32_t)waiting;
    uint32_t unused;
    more -= losses(sim, link, d, more, &unused);
    flow->lost = lost;
    flow->threshold = half_of(flow->sent);
    if (n - first - lost + more < DUPLICATES) {
        on_timeout(sim, link, flow);
        return;
    }
    uint64_t spread_ns = train->last_ns - train->first_ns;
    uint64_t at_ns = train->first_ns + (uint64_t)((u128)spread_ns * first / n);
    round_break(flow, at_ns + base_ns);
    /* What was under way behind the loss is acknowledged as spread as it went, and clocks the next
     * round (RFC 6937). */
    flow->acked_ns = sim_bounded(sim_later(flow->acked_ns, flow->ready_ns + spread_ns));
    flow->window = flow->threshold;
    flow->recovery = true;
}

static void flight(struct sim *sim, struct sim_link *link, unsigned d, uint32_t room)
{
    struct tcp_flow *flow = &link->tcp->flow[d];
    uint64_t bytes = (uint64_t)room * SEGMENT;
    bytes = bytes < flow->bytes ? bytes : flow->bytes;
    uint32_t n = bytes > 0 ? (uint32_t)((bytes + SEGMENT - 1) / SEGMENT) : 1;
    uint32_t first;
    struct train train = depart(sim, link, d, n, bytes);
    uint32_t lost = train.dropped + losses(sim, link, d, train.segments, &first);
    uint64_t delay_ns = stream_delay_ns(sim, link, d);
    if (lost == 0) {
        stamp(sim, link, d, bytes, train.last_ns + delay_ns);
        return;
    }
    uint64_t whole = (uint64_t)first * SEGMENT;
    uint64_t spread_ns = train.last_ns - train.first_ns;
    if (first > 0)
        stamp(sim, link, d, whole,
              train.first_ns + (uint64_t)((u128)spread_ns * first / n) + delay_ns);
    flow->repair_bytes = bytes - whole;
    on_loss(sim, link, d, &train, n, first, lost);
}

void tcp_pump(struct sim *sim, uint32_t index, struct sim_link *link, unsigned d)
{
    struct tcp_flow *flow = &link->tcp->flow[d];
    struct sim_dir *dir = &link->dir[d];
    bool idle = dir->head == flow->unsent; /* nothing is under way */
    while (flow->unsent && !dir->blocked && !link->dir[1 - d].blocked) {
        if (sim->now_ns < flow->ready_ns) {
            round_arm(sim, index, link, d, flow->ready_ns);
            break;
        }
        if (sim->now_ns >= flow->end_ns)
            round_begin(sim, link, flow);
        if (flow->sent >= flow->window) {
            round_arm(sim, index, link, d, flow->end_ns);
            break;
        }
        const uint32_t room = flow->window - flow->sent;
        if (flow->lost == 0)
            flight(sim, link, d, room);
        else if (!resend(sim, index, link, d, room))
            return;
    }
    if (idle && dir->head != flow->unsent && !dir->blocked)
        stream_arm(sim, index, link, d, dir->head->t_ns);
}

void tcp_on_round(struct sim *sim, const struct sim_event *event)
{
    struct sim_link *link = link_of_event(sim, event);
    unsigned d = event->kind >> 4 & 1;
    if (!link || !link->tcp || link->tcp->flow[d].armed_ns != event->t_ns)
        return;
    struct tcp_flow *flow = &link->tcp->flow[d];
    flow->armed_ns = VN_NEVER;
    if (!flow->unsent)
        return;
    if (link_fault_is_cut(sim, link, 1 - d))
        link_fault_block(sim, event->arg, link, 1 - d); /* no acknowledgement has come */
    else
        tcp_pump(sim, event->arg, link, d);
    link = link_of_event(sim, event);
    if (link) /* the last of a closed end may have left */
        link_give_if_left(sim, event->arg, link);
}

void tcp_resume(struct sim *sim, uint32_t index, struct sim_link *link, unsigned d, uint64_t t_ns)
{
    struct tcp_flow *flow = &link->tcp->flow[d];
    if (!flow->unsent)
        return;
    flow->threshold = half_of(flow->window);
    flow->window = WINDOW_LOSS;
    flow->recovery = false;
    round_break(flow, sim_later(t_ns, flow->ready_ns));
    round_arm(sim, index, link, d, flow->ready_ns);
}
