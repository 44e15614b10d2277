/* A network as large as one process is meant to hold: 100,000 nodes that dial 8 others each share
 * 100 blocks, in at most 4 GiB, and stand on one tip in the end. Takes minutes: what it prints is
 * the wall's time, the processor's, and the peak of the memory that was resident.
 *
 * A block is mined somewhere else each time; blocks of one batch are mined at once and travel
 * together, as they do when a node catches up.
 *
 * bench_hundred_thousand [--json] [--nodes N] [--blocks N] [--batch N] */
#include "vibesim/hugepages.h"
#include "tests/bench/network.h"

#include <sys/resource.h>

#define PEAK_MAX (UINT64_C(4) << 30)

struct result {
    double up_s, blocks_s, cpu_s; /* wall until all links are up, wall of the blocks, processor */
    uint64_t peak;                /* bytes */
    uint64_t messages, events;
};

static double wall_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint64_t peak_bytes(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_maxrss * 1024;
}

/* The tip on which all nodes stand, or the end of the program. */
static void expect_one_tip(const struct sim *sim, uint32_t n, uint64_t height)
{
    struct vn_info first = {.size = sizeof first};
    vn_node_info(sim_node(sim, 0), &first);
    for (uint32_t i = 0; i < n; i++) {
        struct vn_info info = {.size = sizeof info};
        vn_node_info(sim_node(sim, i), &info);
        if (info.height == height && memcmp(info.tip, first.tip, sizeof info.tip) == 0)
            continue;
        fprintf(stderr,
                "bench_hundred_thousand: node %u stands at height %llu, apart from others\n", i,
                (unsigned long long)info.height);
        exit(1);
    }
}

static struct result measure(uint32_t n, uint64_t blocks, uint64_t batch)
{
    const struct graph graph = graph_of(n);
    struct result r = {0};
    struct sim_stats stats;
    const double began = wall_s(), cpu_ns = bench_now_ns();
    struct sim *sim = network_of(&graph);
    sim_windows(sim, true);
    sim_run_until(sim, 10 * SECOND);
    expect_links(sim, &graph);
    r.up_s = wall_s() - began;
    for (uint64_t mined = 0, i = 0; mined < blocks; i++) {
        const uint64_t count = blocks - mined < batch ? blocks - mined : batch;
        const struct vn_command command = {.kind = VN_CMD_MINE, .number = count};
        sim_command(sim, (uint32_t)(i * 7919 % n), &command);
        sim_run_until(sim, sim_now_ns(sim) + 3 * SECOND);
        mined += count;
    }
    r.blocks_s = wall_s() - began - r.up_s;
    r.cpu_s = (bench_now_ns() - cpu_ns) * 1e-9;
    expect_one_tip(sim, n, blocks);
    sim_stats(sim, &stats);
    r.messages = stats.messages;
    r.events = stats.events;
    r.peak = peak_bytes();
    sim_free(sim);
    return r;
}

int main(int argc, char **argv)
{
    uint64_t nodes = 100000, blocks = 100, batch = 10;
    const struct bench_option options[] = {
        {"--nodes", &nodes}, {"--blocks", &blocks}, {"--batch", &batch}};
    struct bench bench;
    hugepages_ask();
    bench_init_options(&bench, argc, argv, options, sizeof options / sizeof *options);
    if (nodes < 40 || nodes > 1000000 || batch < 1 || batch > 1000) {
        fprintf(stderr, "bench_hundred_thousand: --nodes 40..1000000, --batch 1..1000\n");
        return 2;
    }
    const struct result r = measure((uint32_t)nodes, blocks, batch);
    const double mib = (double)r.peak / 1048576;
    if (bench.json)
        printf("{\"nodes\": %llu, \"blocks\": %llu, \"wall_s\": %.1f, \"links_up_s\": %.1f, "
               "\"cpu_s\": %.1f, \"peak_mib\": %.0f, \"messages\": %llu, \"events\": %llu}\n",
               (unsigned long long)nodes, (unsigned long long)blocks, r.up_s + r.blocks_s, r.up_s,
               r.cpu_s, mib, (unsigned long long)r.messages, (unsigned long long)r.events);
    else
        printf("%llu nodes with 8 outbound links each, %llu blocks: all on one tip\n"
               "  wall %.1f s (%.1f until all links were up), processor %.1f s\n"
               "  peak %.0f MiB resident, %.0f bytes a node (target: below 4096 MiB)\n"
               "  %llu messages, %llu events\n",
               (unsigned long long)nodes, (unsigned long long)blocks, r.up_s + r.blocks_s, r.up_s,
               r.cpu_s, mib, (double)r.peak / (double)nodes, (unsigned long long)r.messages,
               (unsigned long long)r.events);
    return r.peak <= PEAK_MAX ? 0 : 1;
}
