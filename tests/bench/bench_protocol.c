/* The whole protocol on a simulated network: what a delivered message and an idle node cost.
 *
 * Each of n nodes dials 8 others; through real frames, decoding, rules and relaying a flood of
 * 300-byte transactions reaches everybody, then blocks do. Beside it, in the same run, the same
 * flood over the same graph with the same event queue and no protocol at all: no bytes, a bit for
 * "seen", latency and uplink. That is the floor; the ratio to it is what the protocol and the
 * streams cost.
 *
 * An idle node is weighed after 60 simulated seconds, by what the allocator counts: the node, its
 * simulated host and its half of the links. One size of a network, or others than the usual three;
 * --by-time 1 handles every event by time, without windows (see sim_windows), to compare:
 *
 * bench_protocol [--json] [--nodes N [--txs N] [--blocks N]] [--rounds N] [--by-time 1] */
#include "vibesim/hugepages.h"
#include "tests/bench/network.h"
#include "transport-sim/queue.h"

#include <malloc.h>

/* ---- without ---- */

/* A flood of `count` objects; returns the deliveries. */
static uint64_t floor_flood(const struct graph *graph, uint32_t count)
{
    const uint32_t n = graph->n, words = (count + 63) / 64;
    uint64_t *seen = calloc((size_t)n * words, sizeof *seen);
    uint64_t *sends = calloc(n, sizeof *sends), *free_ns = calloc(n, sizeof *free_ns);
    uint64_t *latency = calloc((size_t)n * OUTBOUND * 2, sizeof *latency);
    struct sim_queue *queue = sim_queue_new();
    struct rng rng;
    uint64_t delivered = 0;
    if (!seen || !sends || !free_ns || !latency)
        abort();
    rng_fork(&rng, bench_seed, "latency", 0);
    for (size_t i = 0; i < (size_t)n * OUTBOUND * 2; i++)
        latency[i] = (uint64_t)((LATENCY_LO + (LATENCY_HI - LATENCY_LO) * rng_unit(&rng)) * 1e9);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t at = (uint32_t)(i * UINT64_C(7919) % n);
        sim_queue_put(queue, &(struct sim_event){
                                 .t_ns = i * TX_EVERY, .dst = at, .src = at, .seq = i, .arg = i});
    }
    const uint64_t wire_ns = (TX_MESSAGE + 4) * 8 * SECOND / UPLINK;
    for (struct sim_event e; sim_queue_take(queue, UINT64_MAX, &e);) {
        uint64_t *word = &seen[(size_t)e.dst * words + e.arg / 64];
        delivered += e.dst != e.src;
        if (*word >> e.arg % 64 & 1)
            continue;
        *word |= UINT64_C(1) << e.arg % 64;
        for (uint32_t k = 0; k < OUTBOUND * 2; k++) {
            const uint32_t offset = graph->offsets[k % OUTBOUND];
            const uint32_t to = (e.dst + (k < OUTBOUND ? offset : n - offset)) % n;
            if (to == e.src)
                continue;
            const uint64_t begin = free_ns[e.dst] > e.t_ns ? free_ns[e.dst] : e.t_ns;
            free_ns[e.dst] = begin + wire_ns;
            sim_queue_put(queue, &(struct sim_event){.t_ns = free_ns[e.dst] +
                                                             latency[e.dst * OUTBOUND * 2 + k],
                                                     .dst = to,
                                                     .src = e.dst,
                                                     .seq = count + sends[e.dst]++,
                                                     .arg = e.arg});
        }
    }
    sim_queue_free(queue);
    free(seen);
    free(sends);
    free(free_ns);
    free(latency);
    return delivered;
}

/* ---- figures ---- */

#define ROUNDS_MAX 31u

enum { RATE, STEPS, FLOOR_RATE, FLOOR_STEPS, BLOCKS_RATE, VALUES };

struct figures {
    uint32_t nodes;
    uint64_t messages, blocks_messages; /* of one round */
    uint64_t windows;                   /* of the transactions: see sim_windows */
    double idle_bytes, idle_sim_bytes;  /* a node: all that is allocated, the simulator's part */
    double values[VALUES][ROUNDS_MAX];
    uint64_t rounds;
    double step_ns;
};

struct sizes {
    uint64_t nodes, txs, blocks, rounds;
    uint64_t by_time;
};

static size_t heap_bytes(void)
{
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void round_of_floor(struct bench *bench, const struct graph *graph, uint32_t txs,
                           struct figures *f)
{
    const double before = bench_calibrate(bench), began = bench_now_ns();
    const uint64_t delivered = floor_flood(graph, txs);
    const double ns = (bench_now_ns() - began) / (double)delivered;
    f->values[FLOOR_RATE][f->rounds] = 1e9 / ns;
    f->values[FLOOR_STEPS][f->rounds] = ns * 2 / (before + bench_calibrate(bench));
}

static void round_of(struct bench *bench, const struct sizes *sizes, struct figures *f)
{
    const struct graph graph = graph_of((uint32_t)sizes->nodes);
    struct sim_stats idle, flooded, mined;
    const size_t heap = heap_bytes();
    struct sim *sim = network_of(&graph);
    sim_windows(sim, sizes->by_time == 0);
    sim_run_until(sim, 60 * SECOND);
    expect_links(sim, &graph);
    sim_stats(sim, &idle);
    f->idle_bytes = (double)(heap_bytes() - heap) / graph.n;
    f->idle_sim_bytes = (double)idle.memory / graph.n;

    const double before = bench_calibrate(bench);
    double began = bench_now_ns();
    flood_transactions(sim, &graph, (uint32_t)sizes->txs);
    double took = bench_now_ns() - began;
    const double after = bench_calibrate(bench);
    sim_stats(sim, &flooded);
    f->messages = flooded.messages - idle.messages;
    f->windows = flooded.windows - idle.windows;
    f->values[RATE][f->rounds] = (double)f->messages / took * 1e9;
    f->values[STEPS][f->rounds] = took / (double)f->messages * 2 / (before + after);
    f->step_ns = (before + after) / 2;

    began = bench_now_ns();
    flood_blocks(sim, &graph, (uint32_t)sizes->blocks);
    took = bench_now_ns() - began;
    sim_stats(sim, &mined);
    f->blocks_messages = mined.messages - flooded.messages;
    f->values[BLOCKS_RATE][f->rounds] = (double)f->blocks_messages / took * 1e9;
    expect_all_have(sim, &graph, sizes->blocks);
    sim_free(sim);
    round_of_floor(bench, &graph, (uint32_t)sizes->txs, f);
    f->rounds++;
}

static struct figures measure(struct bench *bench, const struct sizes *sizes)
{
    struct figures f = {.nodes = (uint32_t)sizes->nodes};
    while (f.rounds < sizes->rounds)
        round_of(bench, sizes, &f);
    for (uint32_t i = 0; i < VALUES; i++)
        f.values[i][0] = bench_median(f.values[i], f.rounds);
    return f;
}

static void print(const struct bench *bench, const struct figures *f, bool first)
{
    const double steps = f->values[STEPS][0], floor = f->values[FLOOR_STEPS][0];
    if (bench->json) {
        printf("%s  {\"nodes\": %u, \"messages_per_s\": %.0f, \"steps_per_message\": %.2f, "
               "\"floor_messages_per_s\": %.0f, \"floor_steps_per_message\": %.2f, "
               "\"block_messages_per_s\": %.0f, \"windows\": %llu, \"idle_bytes\": %.0f, "
               "\"idle_bytes_sim\": %.0f, "
               "\"rounds\": %u}",
               first ? "" : ",\n", f->nodes, f->values[RATE][0], steps, f->values[FLOOR_RATE][0],
               floor, f->values[BLOCKS_RATE][0], (unsigned long long)f->windows, f->idle_bytes,
               f->idle_sim_bytes, (unsigned)f->rounds);
        return;
    }
    printf("%u nodes, 16 links each, median of %u\n", f->nodes, (unsigned)f->rounds);
    printf(
        "  transactions: %9.0f messages/s  %7.1f steps a message (%llu messages, %llu windows)\n",
        f->values[RATE][0], steps, (unsigned long long)f->messages, (unsigned long long)f->windows);
    printf(
        "  the floor:    %9.0f messages/s  %7.1f steps a message: the protocol costs %.1f times\n",
        f->values[FLOOR_RATE][0], floor, steps / floor);
    printf("  blocks:       %9.0f messages/s (%llu messages)\n", f->values[BLOCKS_RATE][0],
           (unsigned long long)f->blocks_messages);
    printf("  an idle node: %9.0f B, of which %.0f B are the simulator's\n", f->idle_bytes,
           f->idle_sim_bytes);
}

int main(int argc, char **argv)
{
    static const struct sizes usual[] = {
        {100, 1000, 20, 3, 0}, {1000, 100, 20, 3, 0}, {10000, 20, 4, 1, 0}};
    struct sizes own = {0};
    const struct bench_option options[] = {{"--nodes", &own.nodes},
                                           {"--txs", &own.txs},
                                           {"--blocks", &own.blocks},
                                           {"--rounds", &own.rounds},
                                           {"--by-time", &own.by_time}};
    struct bench bench;
    hugepages_ask();
    bench_init_options(&bench, argc, argv, options, sizeof options / sizeof *options);
    bool first = true;
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        struct sizes sizes = usual[i];
        if (own.nodes != 0 && i > 0)
            break;
        sizes.by_time = own.by_time;
        sizes.nodes = own.nodes ? own.nodes : sizes.nodes;
        sizes.txs = own.txs ? own.txs : sizes.txs;
        sizes.blocks = own.blocks ? own.blocks : sizes.blocks;
        sizes.rounds = own.rounds ? own.rounds : sizes.rounds;
        if (sizes.nodes < 40 || sizes.nodes > 1000000 || sizes.rounds > ROUNDS_MAX) {
            fprintf(stderr, "bench_protocol: --nodes 40..1000000, --rounds 1..%u\n", ROUNDS_MAX);
            return 2;
        }
        const struct figures f = measure(&bench, &sizes);
        if (bench.json && first)
            printf("[\n");
        print(&bench, &f, first);
        first = false;
    }
    if (bench.json)
        printf("\n]\n");
    else
        printf("one step of the calibration loop: %.2f ns\n", bench.step_ns);
    return 0;
}
