/* A network to measure: each of n nodes dials 8 others over a random but even graph, so that all
 * have 16 links; floods of transactions and of blocks through it. For the programs of this folder.
 */
#ifndef BENCH_NETWORK_H
#define BENCH_NETWORK_H

#include "core/base/rng.h"
#include "core/chain/rules.h"
#include "tests/bench/bench.h"
#include "transport-sim/sim.h"

#define SECOND     UINT64_C(1000000000)
#define OUTBOUND   8u
#define TX_MESSAGE 300u
#define TX_EVERY   UINT64_C(1000000) /* ns of simulated time */
#define WALL_START (UINT64_C(1744100000) * SECOND)
#define LATENCY_LO 0.010 /* s, one way, uniform, drawn once a link */
#define LATENCY_HI 0.100
#define UPLINK     100000000u /* bit/s */

static const uint8_t bench_seed[32] = {0xbe, 0xac};

/* Node i dials i + offset[k], modulo n: everybody has 16 links, none twice. */
struct graph {
    uint32_t n;
    uint32_t offsets[OUTBOUND];
};

static inline struct graph graph_of(uint32_t n)
{
    struct graph graph = {.n = n};
    struct rng rng;
    rng_fork(&rng, bench_seed, "graph", n);
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

static inline struct sim *network_of(const struct graph *graph)
{
    struct sim_config config;
    struct sim_link_params links;
    const struct sim_host_params host = {.up_bps = UPLINK, .down_bps = 0};
    sim_config_init(&config);
    memcpy(config.seed, bench_seed, sizeof bench_seed);
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
            fprintf(stderr, "%s\n", why);
            exit(1);
        }
    }
    return sim;
}

static inline void expect_links(const struct sim *sim, const struct graph *graph)
{
    for (uint32_t i = 0; i < graph->n; i++) {
        struct vn_info info = {.size = sizeof info};
        vn_node_info(sim_node(sim, i), &info);
        if (info.outbound != OUTBOUND || info.inbound != OUTBOUND) {
            fprintf(stderr, "node %u has %u and %u links, not 8 and 8\n", i, info.outbound,
                    info.inbound);
            exit(1);
        }
    }
}

/* A transaction that no other equals, so long that its message has TX_MESSAGE bytes. */
static inline struct vn_buf *transaction(uint32_t number)
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

static inline void flood_transactions(struct sim *sim, const struct graph *graph, uint32_t count)
{
    const uint64_t began_ns = sim_now_ns(sim);
    for (uint32_t i = 0; i < count; i++) {
        struct vn_buf *tx = transaction(i);
        const struct vn_command command = {.kind = VN_CMD_SUBMIT_TX, .data = {tx, 0, tx->len}};
        sim_command_at(sim, (uint32_t)(i * UINT64_C(7919) % graph->n), began_ns + i * TX_EVERY,
                       &command);
        vn_buf_unref(tx);
    }
    sim_run_until(sim, began_ns + count * TX_EVERY + 3 * SECOND);
}

static inline void flood_blocks(struct sim *sim, const struct graph *graph, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct vn_command command = {.kind = VN_CMD_MINE, .number = 1};
        sim_command(sim, i * 31 % graph->n, &command);
        sim_run_until(sim, sim_now_ns(sim) + 2 * SECOND);
    }
}

static inline void expect_all_have(const struct sim *sim, const struct graph *graph,
                                   uint64_t height)
{
    for (uint32_t i = 0; i < graph->n; i++) {
        struct vn_info info = {.size = sizeof info};
        vn_node_info(sim_node(sim, i), &info);
        if (info.height != height || info.mempool != 0) {
            fprintf(stderr, "node %u stands at height %llu with %u pooled\n", i,
                    (unsigned long long)info.height, info.mempool);
            exit(1);
        }
    }
}

#endif
