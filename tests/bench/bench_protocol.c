/* The whole protocol on a simulated network: what a delivered message and an idle node cost.
 *
 * Each of n nodes dials 8 others; through real frames, decoding, rules and relaying a flood of
 * 300-byte transactions reaches everybody, then blocks do. Beside it, in the same run, the same
 * flood over the same graph with the same event queue and no protocol at all: no bytes, a bit for
 * "seen", latency and uplink. That is the floor; the ratio to it is what the protocol and the
 * streams cost.
 *
 * bench_protocol [--json] */
#include "core/base/rng.h"
#include "core/chain/rules.h"
#include "tests/bench/bench.h"
#include "transport-sim/queue.h"
#include "transport-sim/sim.h"

#include <malloc.h>

#define SECOND     UINT64_C(1000000000)
#define OUTBOUND   8u
#define TX_MESSAGE 300u
#define TX_EVERY   UINT64_C(1000000) /* ns of simulated time */
#define BLOCKS     20u
#define WALL_START (UINT64_C(1744100000) * SECOND)
#define LATENCY_LO 0.010 /* s, one way, uniform, drawn once a link */
#define LATENCY_HI 0.100
#define UPLINK     100000000u /* bit/s */

static const uint8_t seed[32] = {0xbe, 0xac};

/* Node i dials i + offset[k], modulo n: everybody has 16 links, none twice. */
struct graph {
    uint32_t n;
    uint32_t offsets[OUTBOUND];
};

static struct graph graph_of(uint32_t n)
{
    struct graph graph = {.n = n};
    struct rng rng;
    rng_fork(&rng, seed, "graph", n);
    for (uint32_t k = 0; k < OUTBOUND;) {
        const uint32_t offset = 1 + (uint32_t)rng_below(&rng, n - 1);
        bool used = 2 * offset == n;
        for (uint32_t i = 0; i < k; i++)
            used |= graph.offsets[i] == offset || graph.offsets[i] + offset == n;
        graph.offsets[k] = offset;
        k += !used;
    }
    return graph;
}

/* ---- with the protocol ---- */

static struct sim *network_of(const struct graph *graph)
{
    struct sim_config config;
    struct sim_link_params links;
    const struct sim_host_params host = {.up_bps = UPLINK, .down_bps = 0};
    sim_config_init(&config);
    memcpy(config.seed, seed, sizeof seed);
    config.wall_start_ns = WALL_START;
    sim_link_params_init(&links);
    links.latency = (struct sim_dist){.kind = SIM_UNIFORM, .a = LATENCY_LO, .b = LATENCY_HI};
    struct sim *sim = sim_new(&config);
    if (!sim)
        abort();
    sim_links_default(sim, &links);
    for (uint32_t i = 0; i < graph->n; i++) {
        struct vn_addr seeds[OUTBOUND];
        struct vn_config node;
        char why[160];
        vn_config_init(&node);
        snprintf(node.node_id, sizeof node.node_id, "node-%u", i);
        for (uint32_t k = 0; k < OUTBOUND; k++)
            seeds[k] = sim_host_addr((i + graph->offsets[k]) % graph->n);
        node.seeds = seeds;
        node.seed_count = node.max_outbound = OUTBOUND;
        node.feeler_interval_ns = 0;
        node.difficulty = 1;
        if (sim_host_add(sim, &node, &host, why, sizeof why) != i) {
            fprintf(stderr, "bench_protocol: %s\n", why);
            exit(1);
        }
    }
    return sim;
}

static void expect_links(const struct sim *sim, const struct graph *graph)
{
    for (uint32_t i = 0; i < graph->n; i++) {
        struct vn_info info = {.size = sizeof info};
        vn_node_info(sim_node(sim, i), &info);
        if (info.outbound != OUTBOUND || info.inbound != OUTBOUND) {
            fprintf(stderr, "bench_protocol: node %u has %u and %u links, not 8 and 8\n", i,
                    info.outbound, info.inbound);
            exit(1);
        }
    }
}

/* A transaction that no other equals, so long that its message has TX_MESSAGE bytes. */
static struct vn_buf *transaction(uint32_t number)
{
    static const uint8_t data[TX_MESSAGE];
    uint8_t id[32], sender[32] = {0};
    memcpy(sender, &number, sizeof number);
    struct tx_view tx = {.tx_id = id,
                         .sender = sender,
                         .recipient = data,
                         .value = 1,
                         .gas_price = 1,
                         .gas_limit = 21000,
                         .timestamp = WALL_START / SECOND,
                         .has_data = true,
                         .data = {data, TX_MESSAGE - 4 - TX_SIZE_MIN - 8}};
    rule_tx_id(id, &tx);
    struct vn_buf *buf = vn_buf_new(TX_MESSAGE - 4);
    struct writer w = {.data = buf->data, .cap = buf->len};
    wire_write_tx(&w, &tx);
    return buf;
}

static void flood_transactions(struct sim *sim, const struct graph *graph, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct vn_buf *tx = transaction(i);
        const struct vn_command command = {.kind = VN_CMD_SUBMIT_TX, .data = {tx, 0, tx->len}};
        sim_command(sim, (uint32_t)(i * UINT64_C(7919) % graph->n), &command);
        vn_buf_unref(tx);
        sim_run_until(sim, sim_now_ns(sim) + TX_EVERY);
    }
    sim_run_until(sim, sim_now_ns(sim) + 3 * SECOND);
}

static void flood_blocks(struct sim *sim, const struct graph *graph)
{
    for (uint32_t i = 0; i < BLOCKS; i++) {
        const struct vn_command command = {.kind = VN_CMD_MINE, .number = 1};
        sim_command(sim, i * 31 % graph->n, &command);
        sim_run_until(sim, sim_now_ns(sim) + 2 * SECOND);
    }
}

static void expect_all_have(const struct sim *sim, const struct graph *graph)
{
    for (uint32_t i = 0; i < graph->n; i++) {
        struct vn_info info = {.size = sizeof info};
        vn_node_info(sim_node(sim, i), &info);
        if (info.height != BLOCKS || info.mempool != 0) {
            fprintf(stderr, "bench_protocol: node %u stands at height %llu with %u pooled\n", i,
                    (unsigned long long)info.height, info.mempool);
            exit(1);
        }
    }
}

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
    rng_fork(&rng, seed, "latency", 0);
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

struct figures {
    uint32_t n;
    double rate, blocks_rate, floor_rate; /* delivered messages a second */
    double step_ns, floor_step_ns;        /* calibration beside them */
    double idle_bytes, idle_sim_bytes;    /* a node: the core's, the simulator's */
    uint64_t messages, blocks_messages;
};

static size_t heap_bytes(void)
{
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static struct figures measure(struct bench *bench, uint32_t n, uint32_t txs)
{
    const struct graph graph = graph_of(n);
    struct figures f = {.n = n};
    struct sim_stats idle, flooded, mined;
    const size_t before = heap_bytes();
    struct sim *sim = network_of(&graph);
    sim_run_until(sim, 10 * SECOND);
    expect_links(sim, &graph);
    sim_stats(sim, &idle);
    f.idle_sim_bytes = (double)idle.memory / n;
    f.idle_bytes = (double)(heap_bytes() - before) / n - f.idle_sim_bytes;

    const double first = bench_calibrate(bench);
    double began = bench_now_ns();
    flood_transactions(sim, &graph, txs);
    double took = bench_now_ns() - began;
    sim_stats(sim, &flooded);
    f.messages = flooded.messages - idle.messages;
    f.rate = (double)f.messages / took * 1e9;
    const double second = bench_calibrate(bench);
    f.step_ns = (first + second) / 2;
    began = bench_now_ns();
    flood_blocks(sim, &graph);
    took = bench_now_ns() - began;
    sim_stats(sim, &mined);
    f.blocks_messages = mined.messages - flooded.messages;
    f.blocks_rate = (double)f.blocks_messages / took * 1e9;
    expect_all_have(sim, &graph);
    sim_free(sim);

    const double third = bench_calibrate(bench);
    began = bench_now_ns();
    const uint64_t delivered = floor_flood(&graph, txs);
    took = bench_now_ns() - began;
    f.floor_step_ns = (third + bench_calibrate(bench)) / 2;
    f.floor_rate = (double)delivered / took * 1e9;
    return f;
}

static void print(const struct bench *bench, const struct figures *f, bool last)
{
    const double steps = 1e9 / f->rate / f->step_ns, floor = 1e9 / f->floor_rate / f->floor_step_ns;
    if (bench->json) {
        printf("  {\"nodes\": %u, \"messages_per_s\": %.0f, \"steps_per_message\": %.2f, "
               "\"floor_steps_per_message\": %.2f, \"block_messages_per_s\": %.0f, "
               "\"idle_bytes_core\": %.0f, \"idle_bytes_sim\": %.0f}%s\n",
               f->n, f->rate, steps, floor, f->blocks_rate, f->idle_bytes, f->idle_sim_bytes,
               last ? "" : ",");
        return;
    }
    printf("%u nodes, 16 links each\n", f->n);
    printf("  transactions: %9.0f messages/s  %7.1f steps a message (%llu messages)\n", f->rate,
           steps, (unsigned long long)f->messages);
    printf(
        "  the floor:    %9.0f messages/s  %7.1f steps a message: the protocol costs %.1f times\n",
        f->floor_rate, floor, steps / floor);
    printf("  blocks:       %9.0f messages/s (%llu messages)\n", f->blocks_rate,
           (unsigned long long)f->blocks_messages);
    printf("  an idle node: %9.0f B in the core, %.0f B in the simulator\n", f->idle_bytes,
           f->idle_sim_bytes);
}

int main(int argc, char **argv)
{
    struct bench bench;
    bench_init(&bench, argc, argv);
    if (bench.json)
        printf("[\n");
    const struct figures hundred = measure(&bench, 100, 1000);
    print(&bench, &hundred, false);
    const struct figures thousand = measure(&bench, 1000, 100);
    print(&bench, &thousand, true);
    if (bench.json)
        printf("]\n");
    else
        printf("one step of the calibration loop: %.2f ns\n", bench.step_ns);
    return 0;
}
