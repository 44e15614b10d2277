/* Timing for machines that are shared: every measurement stands between two runs of a calibration
 * loop, and what is reported is the median of the ratios, in steps of that loop. Ratios of
 * different days and machines can be compared; nanoseconds cannot. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BENCH_ROUNDS   7
#define BENCH_STEPS    (1u << 20) /* of one calibration: some milliseconds */
#define BENCH_ROUND_NS 1.5e7      /* that one measurement takes at least */
#define BENCH_RESULTS  64

struct bench_result {
    const char *name;
    double ns, ratio; /* of one operation: nanoseconds, calibration steps */
    double bytes;     /* that one operation passes over; 0: no meaning */
};

struct bench {
    bool json;
    struct bench_result results[BENCH_RESULTS];
    size_t count;
    double step_ns; /* of the last calibration */
    uint64_t sink;
};

/* Time that this process had a core: others that share it do not count. */
static inline double bench_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Nanoseconds of one step of a loop in which each step waits for the one before: xorshift64
 * (Marsaglia 2003). Six instructions that no compiler can shorten and no memory can slow down. */
static inline double bench_calibrate(struct bench *bench)
{
    uint64_t x = bench->sink | 1;
    const double began = bench_now_ns();
    for (uint32_t i = 0; i < BENCH_STEPS; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    __asm__ volatile("" : : "r"(x)); /* somebody wants the result */
    const double took = bench_now_ns() - began;
    bench->sink = x;
    return bench->step_ns = took / BENCH_STEPS;
}

static inline int bench_compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static inline double bench_median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, bench_compare);
    return values[count / 2];
}

/* Runs an operation n times; returns something that depends on all of them. */
typedef uint64_t bench_op(void *ctx, uint64_t n);

static inline double bench_time(struct bench *bench, bench_op *op, void *ctx, uint64_t n)
{
    const double began = bench_now_ns();
    bench->sink += op(ctx, n);
    return bench_now_ns() - began;
}

/* Measures and notes one operation. bytes: that it passes over, or 0. */
static inline void bench_run(struct bench *bench, const char *name, bench_op *op, void *ctx,
                             double bytes)
{
    double ns[BENCH_ROUNDS], ratios[BENCH_ROUNDS];
    uint64_t n = 1;
    while (bench_time(bench, op, ctx, n) < BENCH_ROUND_NS)
        n *= 2;
    for (int round = 0; round < BENCH_ROUNDS; round++) {
        const double before = bench_calibrate(bench);
        ns[round] = bench_time(bench, op, ctx, n) / (double)n;
        const double after = bench_calibrate(bench);
        ratios[round] = ns[round] * 2 / (before + after);
    }
    if (bench->count == BENCH_RESULTS)
        abort();
    bench->results[bench->count++] = (struct bench_result){
        name, bench_median(ns, BENCH_ROUNDS), bench_median(ratios, BENCH_ROUNDS), bytes};
}

/* A number that may follow its name on the command line: --nodes 1000. */
struct bench_option {
    const char *name; /* with its dashes */
    uint64_t *value;  /* holds the default */
};

static inline void bench_usage(const char *program, const struct bench_option *options,
                               size_t count)
{
    fprintf(stderr, "usage: %s [--json]", program);
    for (size_t i = 0; i < count; i++)
        fprintf(stderr, " [%s N]", options[i].name);
    fprintf(stderr, "\n");
    exit(2);
}

/* Reads the arguments: --json, and the options. */
static inline void bench_init_options(struct bench *bench, int argc, char **argv,
                                      const struct bench_option *options, size_t count)
{
    *bench = (struct bench){.sink = 88172645463325252u};
    for (int i = 1; i < argc; i++) {
        size_t k = 0;
        char *end = NULL;
        while (k < count && strcmp(argv[i], options[k].name) != 0)
            k++;
        if (k < count && i + 1 < argc)
            *options[k].value = strtoull(argv[++i], &end, 10);
        else if (k == count && strcmp(argv[i], "--json") == 0)
            bench->json = true;
        else
            bench_usage(argv[0], options, count);
        if (end && (*end || end == argv[i]))
            bench_usage(argv[0], options, count);
    }
    bench_calibrate(bench);
}

static inline void bench_init(struct bench *bench, int argc, char **argv)
{
    bench_init_options(bench, argc, argv, NULL, 0);
}

static inline void bench_print(const struct bench *bench)
{
    if (bench->json)
        printf("[\n");
    else
        printf("%-34s %12s %12s %10s\n", "operation", "ns", "steps", "MB/s");
    for (size_t i = 0; i < bench->count; i++) {
        const struct bench_result *r = &bench->results[i];
        const double mbs = r->bytes / r->ns * 1e3;
        if (bench->json)
            printf("  {\"name\": \"%s\", \"ns\": %.3f, \"steps\": %.4f, \"bytes\": %.0f}%s\n",
                   r->name, r->ns, r->ratio, r->bytes, i + 1 < bench->count ? "," : "");
        else if (r->bytes > 0)
            printf("%-34s %12.1f %12.2f %10.0f\n", r->name, r->ns, r->ratio, mbs);
        else
            printf("%-34s %12.1f %12.2f\n", r->name, r->ns, r->ratio);
    }
    if (bench->json)
        printf("]\n");
    else
        printf("one step of the calibration loop: %.2f ns (xorshift64, each waits for the last)\n",
               bench->step_ns);
}

#endif
