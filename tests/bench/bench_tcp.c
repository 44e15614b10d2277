/* Moving messages over TCP between two processes: libuv with nothing around it, ZeroMQ, and what
 * else is in the list below, side by side. What each has to do is said in tcp/contender.h.
 *
 * Contenders take turns within each round, so that what disturbs the machine meets all; what is
 * printed is the median of the rounds, and the median of the ratios to the first contender. CPU
 * time is that of all threads of a process, user and system: it counts where wall time only says
 * who had to wait, or, on a machine with other work, whose threads were more. How much of it was
 * user time the system samples at its clock's ticks, so that this part needs long runs. SHA-256
 * over a MiB is measured in every round, too: a block that is received must be hashed.
 *
 * bench_tcp [--json] [--rounds N] [--ms N] [--links N] [--only WORK,...] [--with NAME,...] */
#include "core/crypto/sha256.h"
#include "tests/bench/bench.h"
#include "tests/bench/tcp/aims.h"
#include "tests/bench/tcp/arena.h"
#include "tests/bench/tcp/works.h"

#include <sys/resource.h>

#define ROUNDS_MAX     31u
#define CONTENDERS_MAX 4u
#define PINGS          100000u
#define SLOW_LINKS     99u
#define SPARE_FILES    64u
#define MIB            (1u << 20)

static const struct contender *const contenders[] = {&contender_libuv, &contender_core,
                                                     &contender_zeromq};

#define CONTENDERS (sizeof contenders / sizeof *contenders)

_Static_assert(CONTENDERS <= CONTENDERS_MAX, "room for all");

/* ---- arguments ---- */

struct arguments {
    bool json;
    uint64_t rounds, ms, links;
    const char *only, *with;
};

static void usage(void)
{
    fprintf(stderr,
            "usage: bench_tcp [--json] [--rounds 1..%u] [--ms N] [--links N]\n"
            "                 [--only WORK,...] [--with NAME,...]\nworks:",
            ROUNDS_MAX);
    for (size_t i = 0; i < WORKS; i++)
        fprintf(stderr, " %s", works[i].name);
    fprintf(stderr, "\nnames:");
    for (size_t i = 0; i < CONTENDERS; i++)
        fprintf(stderr, " %s", contenders[i]->name);
    fprintf(stderr, "\n");
    exit(2);
}

/* Is the name one of a comma-separated list? Of no list everything is. */
static bool listed(const char *list, const char *name)
{
    const size_t len = strlen(name);
    for (const char *at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, len) == 0 && (at[len] == ',' || at[len] == '\0'))
            return true;
    }
    return list == NULL;
}

/* Every word of the list is the name of something. */
static bool all_known(const char *list, const char *(*name_of)(size_t), size_t count)
{
    for (const char *at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        bool known = false;
        for (size_t i = 0; i < count; i++) {
            const size_t len = strlen(name_of(i));
            known |= strncmp(at, name_of(i), len) == 0 && (at[len] == ',' || at[len] == '\0');
        }
        if (!known)
            return false;
    }
    return true;
}

static const char *work_name(size_t i)
{
    return works[i].name;
}

static const char *contender_name(size_t i)
{
    return contenders[i]->name;
}

static struct arguments arguments_read(int argc, char **argv)
{
    struct arguments a = {.rounds = 5, .ms = 1000, .links = 10000};
    for (int i = 1; i < argc; i++) {
        uint64_t *number = strcmp(argv[i], "--rounds") == 0  ? &a.rounds
                           : strcmp(argv[i], "--ms") == 0    ? &a.ms
                           : strcmp(argv[i], "--links") == 0 ? &a.links
                                                             : NULL;
        const char **text = strcmp(argv[i], "--only") == 0   ? &a.only
                            : strcmp(argv[i], "--with") == 0 ? &a.with
                                                             : NULL;
        char *end = NULL;
        if (number && i + 1 < argc)
            *number = strtoull(argv[++i], &end, 10);
        else if (text && i + 1 < argc)
            *text = argv[++i];
        else if (strcmp(argv[i], "--json") == 0)
            a.json = true;
        else
            usage();
        if (end && (*end || end == argv[i]))
            usage();
    }
    if (a.rounds < 1 || a.rounds > ROUNDS_MAX || a.ms < 10 || a.ms > 10000 || a.links < 1 ||
        a.links > 1000000 || !all_known(a.only, work_name, WORKS) ||
        !all_known(a.with, contender_name, CONTENDERS))
        usage();
    return a;
}

/* As many descriptors as we may have; fewer links if those are too few. */
static uint32_t links_possible(uint64_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return (uint32_t)wanted;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= wanted + SPARE_FILES)
        return (uint32_t)wanted;
    const uint32_t links =
        limit.rlim_cur > 2 * SPARE_FILES ? (uint32_t)limit.rlim_cur - SPARE_FILES : SPARE_FILES;
    fprintf(stderr,
            "bench_tcp: RLIMIT_NOFILE allows %llu descriptors: idle has %u links, not %llu "
            "(ulimit -Hn %llu as root for all)\n",
            (unsigned long long)limit.rlim_cur, links, (unsigned long long)wanted,
            (unsigned long long)(wanted + SPARE_FILES));
    return links;
}

/* ---- measuring ---- */

/* Is this work done by this contender? */
static bool shown(const struct arguments *a, size_t w, size_t c)
{
    return listed(a->only, works[w].name) && listed(a->with, contenders[c]->name) &&
           (works[w].work != WORK_TX || contenders[c]->transactions);
}

struct results {
    double values[WORKS][CONTENDERS_MAX][FIGURES][ROUNDS_MAX];
    double sha256_gbs[ROUNDS_MAX], step_ns[ROUNDS_MAX];
    uint32_t links;
};

static void measure(const struct arguments *a, struct results *results, size_t w, size_t c,
                    uint64_t round)
{
    const struct work_row *row = &works[w];
    struct outcome outcome = {0};
    struct run run = {.work = row->work, .size = row->size, .ns = a->ms * 1000000, .pings = PINGS};
    run.links = row->work == WORK_IDLE ? results->links : SLOW_LINKS;
    bool good = arena_run(contenders[c], row->name, run, &outcome.server, &outcome.client);
    if (good && row->work == WORK_SLOW) {
        run.slow = true;
        good = arena_run(contenders[c], row->name, run, &outcome.server_slow, &outcome.client_slow);
    }
    if (!good)
        exit(1); /* it has said why */
    for (size_t f = 0; f < FIGURES && row->figures[f].of; f++)
        results->values[w][c][f][round] = row->figures[f].of(&outcome);
}

static double sha256_speed(void)
{
    uint8_t *data = calloc(1, MIB), hash[32];
    uint32_t times = 0;
    if (!data)
        abort();
    const double began = bench_now_ns();
    double took;
    do {
        sha256(hash, data, MIB);
        data[0] = hash[0];
        times++;
    } while ((took = bench_now_ns() - began) < 1e8);
    free(data);
    return times * (double)MIB / took;
}

static void measure_all(const struct arguments *a, struct results *results)
{
    struct bench bench = {.sink = 88172645463325252u};
    for (uint64_t round = 0; round < a->rounds; round++) {
        results->step_ns[round] = bench_calibrate(&bench);
        results->sha256_gbs[round] = sha256_speed();
        for (size_t w = 0; w < WORKS; w++)
            for (size_t c = 0; c < CONTENDERS; c++)
                if (shown(a, w, c))
                    measure(a, results, w, c, round);
    }
}

/* ---- printing ---- */

static void print_number(double value)
{
    if (value >= 1e5)
        printf(" %14.0f", value);
    else
        printf(" %14.*f", value >= 1000 ? 0 : value >= 10 ? 1 : 3, value);
}

static double ratio_median(const double *values, const double *first, uint64_t rounds)
{
    double ratios[ROUNDS_MAX];
    for (uint64_t i = 0; i < rounds; i++)
        ratios[i] = first[i] > 0 ? values[i] / first[i] : 0;
    return bench_median(ratios, rounds);
}

static double value_median(const double *values, uint64_t rounds)
{
    double copy[ROUNDS_MAX]; /* the rounds stay in their order, for the ratios */
    memcpy(copy, values, rounds * sizeof *copy);
    return bench_median(copy, rounds);
}

static void print_table(const struct arguments *a, const struct results *results, size_t w)
{
    const struct work_row *row = &works[w];
    printf("\n%s: %s", row->name, row->about);
    if (row->work == WORK_IDLE)
        printf(" (%u)", results->links);
    printf("\n%-28s", "");
    for (size_t c = 0; c < CONTENDERS; c++)
        if (shown(a, w, c))
            printf(" %14s %7s", contenders[c]->name, "ratio");
    for (size_t f = 0; f < FIGURES && row->figures[f].of; f++) {
        const double *first = NULL;
        printf("\n%-28s", row->figures[f].name);
        for (size_t c = 0; c < CONTENDERS; c++) {
            const double *values = results->values[w][c][f];
            if (!shown(a, w, c))
                continue;
            first = first ? first : values;
            print_number(value_median(values, a->rounds));
            printf(" %7.2f", ratio_median(values, first, a->rounds));
        }
    }
    printf("\n");
}

static void print_json(const struct arguments *a, const struct results *results)
{
    printf("{\n  \"rounds\": %llu, \"ms\": %llu, \"links\": %u,\n  \"step_ns\": %.3f, "
           "\"sha256_GB_per_s\": %.3f",
           (unsigned long long)a->rounds, (unsigned long long)a->ms, results->links,
           value_median(results->step_ns, a->rounds), value_median(results->sha256_gbs, a->rounds));
    for (size_t w = 0; w < WORKS; w++) {
        const struct work_row *row = &works[w];
        for (size_t c = 0; c < CONTENDERS; c++) {
            if (!shown(a, w, c))
                continue;
            printf(",\n  \"%s %s\": {", row->name, contenders[c]->name);
            for (size_t f = 0; f < FIGURES && row->figures[f].of; f++)
                printf("%s\"%s\": %.4f", f ? ", " : "", row->figures[f].name,
                       value_median(results->values[w][c][f], a->rounds));
            printf("}");
        }
    }
    printf("\n}\n");
}

/* For the aims. */
static double figure(const void *ctx, const char *work, const char *contender, const char *name,
                     uint64_t round)
{
    const struct results *results = ctx;
    if (!work)
        return results->sha256_gbs[round];
    for (size_t w = 0; w < WORKS; w++)
        for (size_t c = 0; c < CONTENDERS; c++)
            for (size_t f = 0; f < FIGURES && works[w].figures[f].of; f++)
                if (strcmp(works[w].name, work) == 0 &&
                    strcmp(contenders[c]->name, contender) == 0 &&
                    strcmp(works[w].figures[f].name, name) == 0)
                    return results->values[w][c][f][round];
    abort(); /* an aim of something that is not measured */
}

int main(int argc, char **argv)
{
    const struct arguments a = arguments_read(argc, argv);
    struct results *results = calloc(1, sizeof *results);
    if (!results)
        abort();
    results->links = links_possible(a.links);
    measure_all(&a, results);
    if (a.json) {
        print_json(&a, results);
    } else {
        for (size_t w = 0; w < WORKS; w++)
            if (listed(a.only, works[w].name))
                print_table(&a, results, w);
        aims_print(figure, results, a.rounds);
        printf("\nSHA-256 over 1 MiB: %.3f GB/s on one core. One step of the calibration loop: "
               "%.2f ns. Medians of %llu rounds, %llu ms each.\n",
               value_median(results->sha256_gbs, a.rounds),
               value_median(results->step_ns, a.rounds), (unsigned long long)a.rounds,
               (unsigned long long)a.ms);
    }
    free(results);
    return 0;
}
