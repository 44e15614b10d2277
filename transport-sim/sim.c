/* The simulator's run loop, its dice and its sums.
 *
 * Everything that happens is one event of the queue, handled to its end before the next is taken; a
 * handler reaches other hosts only by putting later events. Between two calls of sim_run_until the
 * caller acts at the present time. */
#include "transport-sim/sim_internal.h"

#include "core/base/bytes.h"
#include "core/base/rng.h"

#include <xxhash.h>

#define WINDOW_MIN     4096u
#define WINDOW_MAX     (1u << 30)
#define WINDOW_DEFAULT (256u * 1024)

/* How many events before its own each piece of memory is asked for. */
#define AHEAD_LINK  9u
#define AHEAD_NODE  7u
#define AHEAD_PEERS 5u
#define AHEAD_PEER  3u
#define AHEAD_DATA  2u

void *sim_resize(struct sim *sim, void *old, size_t old_size, size_t size)
{
    uint8_t *grown = mem_resize(old, size, 1);
    if (size > old_size)
        memset(grown + old_size, 0, size - old_size);
    sim->stats.memory += size - old_size;
    return grown;
}

void *sim_room(struct sim *sim, void *array, uint32_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity)
        return array;
    assert(*capacity < UINT32_MAX / 2);
    uint32_t grown = *capacity ? *capacity * 2 : 8;
    array = sim_resize(sim, array, *capacity * size, grown * size);
    *capacity = grown;
    return array;
}

/* The output function of SplitMix64 (Steele, Lea and Flood 2014; Vigna's splitmix64.c, public
 * domain). */
static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* SplitMix64's state is a counter, so that its n-th number needs no state at all. */
uint64_t sim_draw(const struct sim *sim, enum sim_dice purpose, uint64_t of, uint64_t n)
{
    const uint64_t golden = 0x9e3779b97f4a7c15u;
    uint64_t start = mix(sim->dice[purpose] ^ mix(of + golden));
    return mix(start + (n + 1) * golden);
}

double sim_draw_unit(const struct sim *sim, enum sim_dice purpose, uint64_t of, uint64_t n)
{
    return (double)(sim_draw(sim, purpose, of, n) >> 11) * 0x1p-53;
}

uint64_t sim_chain(uint64_t hash, uint64_t v)
{
    uint8_t bytes[8];
    put_le64(bytes, v);
    return XXH3_64bits_withSeed(bytes, sizeof bytes, hash);
}

void sim_config_init(struct sim_config *config)
{
    *config = (struct sim_config){
        .wall_start_ns = 1744100000 * SIM_SECOND,
        .window = WINDOW_DEFAULT,
        .chunk_chance = 1.0 / 16,
        .store_latency = {.kind = SIM_CONSTANT, .a = 0.001},
    };
}

static void dice_init(struct sim *sim)
{
    static const char *const names[SIM_DICE_KINDS] = {[SIM_DICE_LATENCY] = "latency",
                                                      [SIM_DICE_JITTER] = "jitter",
                                                      [SIM_DICE_LOSS] = "loss",
                                                      [SIM_DICE_CHUNK] = "chunk",
                                                      [SIM_DICE_SYN] = "syn",
                                                      [SIM_DICE_DISK] = "disk",
                                                      [SIM_DICE_DISK_FAULT] = "disk-fault",
                                                      [SIM_DICE_REORDER] = "reorder",
                                                      [SIM_DICE_MANGLE] = "mangle"};
    for (unsigned i = 0; i < SIM_DICE_KINDS; i++) {
        struct rng rng;
        rng_fork(&rng, sim->config.seed, names[i], 0);
        sim->dice[i] = rng_u64(&rng);
    }
}

struct sim *sim_new(const struct sim_config *config)
{
    if (!config || config->window < WINDOW_MIN || config->window > WINDOW_MAX ||
        !(config->chunk_chance >= 0 && config->chunk_chance <= 1) ||
        !sim_dist_check(&config->store_latency, NULL, 0))
        return NULL;
    struct sim *sim = mem_new(1, sizeof *sim);
    sim->config = *config;
    sim->queue = sim_queue_new();
    sim->half = config->window / 2;
    sim->chunk_threshold = (uint64_t)(config->chunk_chance * 0x1p32);
    sim->stepping = SIM_NO_HOST;
    sim->link_free = SIM_NO_LINK;
    sim->lookahead_ns = UINT64_MAX;
    sim->stats.memory = sizeof *sim;
    dice_init(sim);
    mark_init(sim);
    sim_net_init(sim);
    return sim;
}

void sim_free(struct sim *sim)
{
    if (!sim)
        return;
    links_free(sim);
    hosts_free(sim);
    net_free(sim);
    link_fault_free(sim);
    window_free(sim);
    sim_queue_free(sim->queue);
    mem_free(sim);
}

uint64_t sim_now_ns(const struct sim *sim)
{
    return sim->now_ns;
}

void sim_stop(struct sim *sim)
{
    sim->stopped = true;
}

void sim_trace_more(struct sim *sim, uint64_t mask)
{
    sim->config.observer.trace_mask |= mask;
}

uint64_t sim_next_ns(struct sim *sim)
{
    return sim_queue_next_ns(sim->queue);
}

void sim_dispatch(struct sim *sim, const struct sim_event *event)
{
    switch ((enum sim_kind)(event->kind & 15)) {
    case SIM_EV_STREAM:
        stream_on_event(sim, event);
        return;
    case SIM_EV_SENT:
        stream_on_sent(sim, event);
        return;
    case SIM_EV_SYN:
        link_on_syn(sim, event);
        return;
    case SIM_EV_SYN_ACK:
        link_on_syn_ack(sim, event);
        return;
    case SIM_EV_DOWN:
        link_on_down(sim, event);
        return;
    case SIM_EV_TIMER:
        host_on_timer(sim, event);
        return;
    case SIM_EV_DISK:
        disk_on_event(sim, event);
        return;
    case SIM_EV_CLOCK:
        clock_on_event(sim, event);
        return;
    case SIM_EV_ROUND:
        tcp_on_round(sim, event);
        return;
    case SIM_EV_STUCK:
        link_fault_on_stuck(sim, event);
        return;
    case SIM_EV_FAULT:
        link_fault_on_event(sim, event);
        return;
    case SIM_EV_COMMAND:
        host_on_command(sim, event);
        return;
    }
}

/* A large network does not fit into the caches: what the next events touch is asked for while this
 * one is handled, link and host first, then what hangs on them, step by step as the event comes
 * near. Nothing here changes anything. */

static bool is_stream(const struct sim_event *event)
{
    return (event->kind & 15) == SIM_EV_STREAM;
}

static const struct sim_item *head_of(const struct sim *sim, const struct sim_event *event)
{
    return sim_link_at(sim, event->arg)->dir[event->kind >> 4 & 1].head;
}

static void ask_link(const struct sim *sim, const struct sim_event *event)
{
    const struct sim_link *link = sim_link_at(sim, event->arg);
    __builtin_prefetch(link);
    __builtin_prefetch(&link->dir[event->kind >> 4 & 1]);
    __builtin_prefetch(sim_host_at(sim, event->dst));
}

static void ask_data(const struct sim *sim, const struct sim_event *event)
{
    const struct sim_item *item = head_of(sim, event);
    if (!item || !item->buf)
        return;
    __builtin_prefetch(item->buf);
    __builtin_prefetch(item->buf->data + item->off);
}

static void ask_node(const struct sim *sim, const struct sim_event *event, enum vn_soon soon)
{
    const struct sim_host *host = sim_host_at(sim, event->dst);
    const struct vn_api *api = host->api;
    if (!host->node || api->size <= offsetof(struct vn_api, node_prefetch) || !api->node_prefetch)
        return;
    const struct sim_link *link = sim_link_at(sim, event->arg);
    api->node_prefetch(host->node, link->id[1 - (event->kind >> 4 & 1)], (struct vn_slice){0},
                       soon);
}

void sim_look_ahead(const struct sim *sim, const struct sim_event *next, size_t count)
{
    if (count > AHEAD_LINK && is_stream(&next[AHEAD_LINK]))
        ask_link(sim, &next[AHEAD_LINK]);
    if (count > AHEAD_NODE && is_stream(&next[AHEAD_NODE])) {
        __builtin_prefetch(head_of(sim, &next[AHEAD_NODE]));
        /* Where a host's events follow each other its node is here already. */
        if (next[AHEAD_NODE].dst != next[AHEAD_NODE - 1].dst)
            ask_node(sim, &next[AHEAD_NODE], VN_SOON_NODE);
    }
    if (count > AHEAD_PEERS && is_stream(&next[AHEAD_PEERS])) {
        ask_data(sim, &next[AHEAD_PEERS]);
        if (next[AHEAD_PEERS].dst != next[AHEAD_PEERS - 1].dst)
            ask_node(sim, &next[AHEAD_PEERS], VN_SOON_LINK);
    }
    if (count > AHEAD_PEER && is_stream(&next[AHEAD_PEER]))
        ask_node(sim, &next[AHEAD_PEER], VN_SOON_PEER);
    if (count > AHEAD_DATA && is_stream(&next[AHEAD_DATA]) &&
        next[AHEAD_DATA].dst != next[AHEAD_DATA - 1].dst)
        ask_node(sim, &next[AHEAD_DATA], VN_SOON_DATA);
}

/* False if nothing is left up to t_ns. */
static bool run_one(struct sim *sim, uint64_t t_ns)
{
    struct sim_event event;
    size_t count;
    if (!sim_queue_take(sim->queue, t_ns, &event))
        return false;
    sim->now_ns = event.t_ns;
    const struct sim_event *next = sim_queue_ahead(sim->queue, &count);
    sim_look_ahead(sim, next, count);
    sim_dispatch(sim, &event);
    return true;
}

void sim_run_until(struct sim *sim, uint64_t t_ns)
{
    if (t_ns > SIM_LAST_NS)
        t_ns = SIM_LAST_NS;
    sim->stopped = false;
    for (bool some = true; some && !sim->stopped;) {
        if (!window_may(sim))
            some = run_one(sim, t_ns);
        else if ((some = sim_queue_next_ns(sim->queue) <= t_ns))
            window_run(sim, t_ns);
    }
    if (!sim->stopped && t_ns > sim->now_ns)
        sim->now_ns = t_ns;
}

void sim_stats(const struct sim *sim, struct sim_stats *out)
{
    *out = sim->stats;
    out->memory += sim_queue_bytes(sim->queue);
}

uint64_t sim_trace_hash(const struct sim *sim)
{
    uint64_t hash = 0;
    for (uint32_t i = 0; i < sim->host_count; i++)
        hash = sim_chain(hash, host_hash(sim_host_at(sim, i)));
    return hash;
}
