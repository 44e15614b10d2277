/* The simulator's model of TCP (transport-sim/sim_tcp.c) beside two published models: a bulk
 * transfer over one lossy link, goodput in segments of 1460 bytes a second.
 *
 * PFTK: Padhye, Firoiu, Towsley and Kurose, "Modeling TCP Throughput: A Simple Model and its
 * Empirical Validation", SIGCOMM 1998, the full formula (their (32)), with b = 1 (each segment is
 * acknowledged), the window of 256 KiB, and the retransmission timeout that the simulated link
 * has: a round trip and 200 ms. Mathis, Semke, Mahdavi and Ott, "The Macroscopic Behavior of the
 * TCP Congestion Avoidance Algorithm", CCR 1997: sqrt(3/2) / sqrt(p) segments a round trip.
 *
 * bench_tcp_model [seconds of simulated time a row, 20000]. Nothing here is measured with a clock:
 * the table is the same on each machine. Exit status 1 if a row of 0.1, 1 or 5% is more than 30%
 * away from PFTK. */
#include "core/base/exact.h"
#include "transport-sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEGMENT 1460.0
#define WINDOW  (256 * 1024)
#define PIECE   (1u << 16)
#define RTO_MIN 0.2
#define BOUND   0.3

struct bulk {
    struct sim *sim;
    struct vn_slice piece;
    uint64_t received;
};

/* The sender has always more waiting than the window lets leave. */
static void on_link(void *ctx, uint32_t host, uint64_t link, const struct vn_addr *remote)
{
    struct bulk *bulk = ctx;
    (void)remote;
    for (unsigned i = 0; i < 2 * WINDOW / PIECE && host == 0; i++)
        sim_peer_send(bulk->sim, host, link, vn_slice_ref(bulk->piece));
}

static void on_bytes(void *ctx, uint32_t host, uint64_t link, struct vn_slice data)
{
    struct bulk *bulk = ctx;
    (void)host;
    (void)link;
    uint64_t before = bulk->received / PIECE;
    bulk->received += data.len;
    for (uint64_t i = before; i < bulk->received / PIECE; i++)
        sim_peer_send(bulk->sim, 0, 1 | (uint64_t)1 << 25, vn_slice_ref(bulk->piece));
}

/* Segments a second. */
static double simulated(double loss, double rtt, double seconds)
{
    struct sim_config config;
    struct sim_link_params params;
    sim_config_init(&config);
    config.window = WINDOW;
    config.chunk_chance = 0;
    struct bulk bulk = {.sim = sim_new(&config), .piece = {.buf = vn_buf_new(PIECE), .len = PIECE}};
    memset(bulk.piece.buf->data, 0, PIECE);
    sim_link_params_init(&params);
    params.latency.a = rtt / 2;
    params.loss = loss;
    sim_links_default(bulk.sim, &params);
    const struct sim_peer_ops ops = {&bulk, on_link, on_bytes, NULL};
    sim_peer_add(bulk.sim, &ops, NULL);
    sim_peer_add(bulk.sim, &ops, NULL);
    struct vn_addr addr = sim_host_addr(1);
    sim_peer_dial(bulk.sim, 0, &addr);
    sim_run_until(bulk.sim, (uint64_t)(seconds * 1e9));
    sim_free(bulk.sim);
    vn_slice_unref(bulk.piece);
    return (double)bulk.received / SEGMENT / seconds;
}

/* The chance that a loss in a window of w is found by the timer (PFTK (24)). */
static double by_timer(double p, double w)
{
    double q = exact_pow(1 - p, 3);
    double chance = (1 - q) * (1 + q * (1 - exact_pow(1 - p, w - 3))) / (1 - exact_pow(1 - p, w));
    return chance < 1 ? chance : 1;
}

static double pftk(double p, double rtt, double t0, double most)
{
    const double b = 1;
    const double k = (2 + b) / (3 * b);
    const double f = 1 + p + 2 * p * p + 4 * exact_pow(p, 3) + 8 * exact_pow(p, 4) +
                     16 * exact_pow(p, 5) + 32 * exact_pow(p, 6);
    double w = k + exact_sqrt(8 * (1 - p) / (3 * b * p) + k * k);
    if (w < most)
        return ((1 - p) / p + w + by_timer(p, w) / (1 - p)) /
               (rtt * (b / 2 * w + 1) + by_timer(p, w) * t0 * f / (1 - p));
    return ((1 - p) / p + most + by_timer(p, most) / (1 - p)) /
           (rtt * (b / 8 * most + (1 - p) / (p * most) + 2) + by_timer(p, most) * t0 * f / (1 - p));
}

static double mathis(double p, double rtt)
{
    return exact_sqrt(1.5 / p) / rtt;
}

int main(int argc, char **argv)
{
    static const double losses[] = {0.001, 0.01, 0.05};
    static const double rtts[] = {0.02, 0.1, 0.3};
    const double seconds = argc > 1 ? strtod(argv[1], NULL) : 20000;
    double worst = 0;
    if (!(seconds >= 1 && seconds <= 1e7)) {
        fprintf(stderr, "usage: %s [seconds of simulated time a row, 1..1e7]\n", argv[0]);
        return 2;
    }
    printf("%7s %8s %11s %11s %8s %8s %11s %8s\n", "loss", "rtt, ms", "segments/s", "PFTK", "ratio",
           "error", "Mathis", "ratio");
    for (unsigned i = 0; i < sizeof losses / sizeof *losses; i++)
        for (unsigned k = 0; k < sizeof rtts / sizeof *rtts; k++) {
            const double p = losses[i];
            const double rtt = rtts[k];
            const double got = simulated(p, rtt, seconds);
            const double full = pftk(p, rtt, rtt + RTO_MIN, WINDOW / SEGMENT);
            const double error = got > full ? got / full - 1 : 1 - got / full;
            worst = error > worst ? error : worst;
            printf("%6.1f%% %8.0f %11.1f %11.1f %8.3f %7.1f%% %11.1f %8.3f\n", 100 * p, 1000 * rtt,
                   got, full, got / full, 100 * (got / full - 1), mathis(p, rtt),
                   got / mathis(p, rtt));
        }
    printf("the largest error against PFTK: %.1f%%\n", 100 * worst);
    return worst > BOUND;
}
