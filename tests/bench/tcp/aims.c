/* See aims.h. Where an aim is a share of what another contender made, or of the hash, shares are
 * formed within a round, since the machine is another one in the next, and their median counts; the
 * best round is beside it, since a disturbance only ever takes. Where others use the same cores,
 * what counts is CPU time: then both ends have to wait for a core, and the hash, which is measured
 * by its CPU time, has not. */
#include "tests/bench/tcp/aims.h"

#include "tests/bench/bench.h"

#define ROUNDS_MAX 64u

enum beside { BESIDE_NUMBER, BESIDE_LIBUV, BESIDE_HASH };

static const struct aim {
    const char *about;
    const char *work, *name;
    const char *libuv_work; /* with BESIDE_LIBUV; with BESIDE_HASH, if this is less */
    enum beside beside;
    bool most; /* no more than that; else no less */
    double bound;
} aims[] = {
    {"messages/s of 40 B", "pong-40", "messages/s", NULL, BESIDE_NUMBER, false, 10e6},
    {"... ns of the receiver's CPU", "pong-40", "receiver CPU ns/message", NULL, BESIDE_NUMBER,
     true, 100},
    {"... ns of the sender's CPU", "pong-40", "sender CPU ns/message", NULL, BESIDE_NUMBER, true,
     100},
    {"1 KiB messages, beside libuv's stream", "pong-1k", "messages/s", "stream-1k", BESIDE_LIBUV,
     false, 0.8},
    {"... and beside libuv's with answers", "pong-1k", "messages/s", "pong-1k", BESIDE_LIBUV, false,
     0.8},
    {"1 MiB messages, beside libuv's", "bulk", "GB/s", "bulk", BESIDE_LIBUV, false, 0.8},
    {"... by the CPU time of the receiver", "bulk", "GB per CPU second, receiver", "bulk",
     BESIDE_LIBUV, false, 0.8},
    {"... by the CPU time of the sender", "bulk", "GB per CPU second, sender", "bulk", BESIDE_LIBUV,
     false, 0.8},
    {"transactions, beside the less of libuv's 1 MiB and SHA-256", "tx", "GB/s", "bulk",
     BESIDE_HASH, false, 0.8},
    {"... by the CPU time of the receiver", "tx", "GB per CPU second, receiver", "bulk",
     BESIDE_HASH, false, 0.8},
    {"round trip p50, beside libuv's", "ping", "p50 us", "ping", BESIDE_LIBUV, true, 1.3},
    {"bytes of an idle link", "idle", "allocated bytes/link", NULL, BESIDE_NUMBER, true, 1023},
    {"links accepted/s", "idle", "links/s", NULL, BESIDE_NUMBER, false, 30000},
    {"links accepted in a second of the node's CPU", "idle", "links/CPU s", NULL, BESIDE_NUMBER,
     false, 30000},
};

/* 0: something of it was not measured. */
static double measured(const struct aim *aim, aims_figure *figure, const void *ctx, uint64_t round)
{
    const double ours = figure(ctx, aim->work, "vibenet", aim->name, round);
    if (aim->beside == BESIDE_NUMBER)
        return ours;
    double other = figure(ctx, aim->libuv_work, "libuv", aim->name, round);
    if (other <= 0)
        return 0;
    if (aim->beside == BESIDE_HASH) {
        const double hash = figure(ctx, NULL, NULL, NULL, round);
        other = hash < other ? hash : other;
    }
    return ours / other;
}

static void print_number(double value)
{
    printf(" %12.*f", value >= 100 ? 0 : 2, value);
}

void aims_print(aims_figure *figure, const void *ctx, uint64_t rounds)
{
    printf("\n%-60s %12s %12s %12s\n", "aims of vibenet", "aim", "median", "best");
    for (size_t i = 0; i < sizeof aims / sizeof *aims; i++) {
        const struct aim *aim = &aims[i];
        double values[ROUNDS_MAX];
        for (uint64_t round = 0; round < rounds && round < ROUNDS_MAX; round++)
            values[round] = measured(aim, figure, ctx, round);
        const double median = bench_median(values, rounds); /* sorts */
        if (values[0] <= 0)
            continue;
        printf("%-60s %s", aim->about, aim->most ? "<=" : ">=");
        printf(" %9.*f", aim->bound >= 100 ? 0 : 2, aim->bound);
        print_number(median);
        print_number(aim->most ? values[0] : values[rounds - 1]);
        printf(" %s\n",
               (aim->most ? median <= aim->bound : median >= aim->bound) ? "reached" : "missed");
    }
}
