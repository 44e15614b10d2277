/* What recording costs: vibesim runs one scenario with --record none and with --record summary, and
 * the processor's user time of each pair is compared.
 *
 * The two of a pair run at the same time on one core, which gives each a few milliseconds by turns:
 * so a neighbour's use of the caches, or a slower clock, meets both alike, where one after the
 * other they differed by a fifth for no reason of theirs. The median of the ratios counts; the
 * quartiles say how far it can be believed.
 *
 * bench_record [--json] [--nodes N] [--rounds N], from the root of the sources; vibesim lies beside
 * it. */
#include "tests/bench/bench.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS_MAX 31u
#define TARGET     1.03

static void beside(char *out, size_t size, const char *program, const char *name)
{
    const char *slash = strrchr(program, '/');
    snprintf(out, size, "%.*s%s", slash ? (int)(slash - program + 1) : 0, program, name);
}

static void failed(const char *vibesim)
{
    fprintf(stderr, "bench_record: %s run tests/bench/record.lua failed\n", vibesim);
    exit(1);
}

/* This process, and the children that it makes, on the core that it is on now. */
static void stay_on_one_core(void)
{
    cpu_set_t one;
    const int core = sched_getcpu();
    CPU_ZERO(&one);
    CPU_SET((size_t)(core < 0 ? 0 : core), &one);
    if (sched_setaffinity(0, sizeof one, &one) != 0)
        fprintf(stderr, "bench_record: cannot stay on one core; the pairs will differ more\n");
}

static pid_t begin(const char *vibesim, const char *folder, const char *record, uint64_t nodes)
{
    char param[40], db[80];
    snprintf(param, sizeof param, "nodes=%llu", (unsigned long long)nodes);
    snprintf(db, sizeof db, "%s/%s.db", folder, record);
    unlink(db);
    const pid_t child = fork();
    if (child == 0) {
        const int nowhere = open("/dev/null", O_WRONLY);
        dup2(nowhere, STDOUT_FILENO);
        dup2(nowhere, STDERR_FILENO);
        execl(vibesim, "vibesim", "run", "tests/bench/record.lua", "--quiet", "--param", param,
              "--record", record, "--db", db, (char *)NULL);
        _exit(127);
    }
    if (child < 0)
        failed(vibesim);
    return child;
}

/* Seconds of user time of all that the child did. */
static double end_s(const char *vibesim, pid_t child)
{
    struct rusage usage;
    int status;
    if (wait4(child, &status, 0, &usage) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        failed(vibesim);
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec * 1e-6;
}

/* The user time of a run with a summary over that of one without; *none_s is the latter. */
static double pair(const char *vibesim, const char *folder, uint64_t nodes, bool swap,
                   double *none_s)
{
    pid_t none = 0;
    if (!swap)
        none = begin(vibesim, folder, "none", nodes);
    const pid_t summary = begin(vibesim, folder, "summary", nodes);
    if (swap)
        none = begin(vibesim, folder, "none", nodes);
    *none_s = end_s(vibesim, none);
    return end_s(vibesim, summary) / *none_s;
}

static double percent(double ratio)
{
    return (ratio - 1) * 100;
}

int main(int argc, char **argv)
{
    uint64_t nodes = 200, rounds = 15;
    const struct bench_option options[] = {{"--nodes", &nodes}, {"--rounds", &rounds}};
    struct bench bench;
    char vibesim[4096], folder[] = "/tmp/bench_record_XXXXXX", db[80];
    double none[ROUNDS_MAX], ratios[ROUNDS_MAX];
    bench_init_options(&bench, argc, argv, options, sizeof options / sizeof *options);
    if (rounds < 1 || rounds > ROUNDS_MAX || nodes < 20 || !mkdtemp(folder)) {
        fprintf(stderr, "bench_record: --nodes 20.., --rounds 1..%u\n", ROUNDS_MAX);
        return 2;
    }
    beside(vibesim, sizeof vibesim, argv[0], "vibesim");
    stay_on_one_core();
    for (uint64_t i = 0; i < rounds; i++)
        ratios[i] = pair(vibesim, folder, nodes, i % 2 == 1, &none[i]);
    snprintf(db, sizeof db, "%s/summary.db", folder);
    unlink(db);
    rmdir(folder);
    const double ratio = bench_median(ratios, rounds), base_s = bench_median(none, rounds);
    const double low = ratios[rounds / 4], high = ratios[rounds * 3 / 4];
    if (bench.json)
        printf("{\"nodes\": %llu, \"rounds\": %llu, \"none_s\": %.3f, \"summary_ratio\": %.4f, "
               "\"quartiles\": [%.4f, %.4f]}\n",
               (unsigned long long)nodes, (unsigned long long)rounds, base_s, ratio, low, high);
    else
        printf("%llu nodes, %llu pairs: %.2f s of user time without a record; a summary costs "
               "%+.1f%% (quartiles %+.1f%% and %+.1f%%; target: at most %+.0f%%)\n",
               (unsigned long long)nodes, (unsigned long long)rounds, base_s, percent(ratio),
               percent(low), percent(high), percent(TARGET));
    return 0;
}
