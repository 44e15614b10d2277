/* What recording costs: vibesim runs one scenario with --record none and with --record summary, by
 * turns, and the processor's time of each pair is compared. The median of the ratios counts: what
 * disturbs the machine disturbs both of a pair.
 *
 * bench_record [--json] [--nodes N] [--rounds N], from the root of the sources; vibesim lies beside
 * it. */
#include "tests/bench/bench.h"

#include <fcntl.h>
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

/* Seconds of the processor, of all that the child did. */
static double run_s(const char *vibesim, const char *record, const char *db, uint64_t nodes)
{
    char param[40];
    struct rusage usage;
    int status;
    snprintf(param, sizeof param, "nodes=%llu", (unsigned long long)nodes);
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
    if (child < 0 || wait4(child, &status, 0, &usage) != child || !WIFEXITED(status) ||
        WEXITSTATUS(status) != 0) {
        fprintf(stderr, "bench_record: %s run tests/bench/record.lua failed\n", vibesim);
        exit(1);
    }
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

int main(int argc, char **argv)
{
    uint64_t nodes = 200, rounds = 7;
    const struct bench_option options[] = {{"--nodes", &nodes}, {"--rounds", &rounds}};
    struct bench bench;
    char vibesim[4096], folder[] = "/tmp/bench_record_XXXXXX", db[64];
    double none[ROUNDS_MAX], ratios[ROUNDS_MAX];
    bench_init_options(&bench, argc, argv, options, sizeof options / sizeof *options);
    if (rounds < 1 || rounds > ROUNDS_MAX || nodes < 20 || !mkdtemp(folder)) {
        fprintf(stderr, "bench_record: --nodes 20.., --rounds 1..%u\n", ROUNDS_MAX);
        return 2;
    }
    beside(vibesim, sizeof vibesim, argv[0], "vibesim");
    snprintf(db, sizeof db, "%s/run.db", folder);
    for (uint64_t i = 0; i < rounds; i++) {
        /* In each second pair the other one goes first. */
        const bool swap = i % 2 == 1;
        const double first = run_s(vibesim, swap ? "summary" : "none", db, nodes);
        const double second = run_s(vibesim, swap ? "none" : "summary", db, nodes);
        none[i] = swap ? second : first;
        ratios[i] = swap ? first / second : second / first;
    }
    unlink(db);
    rmdir(folder);
    const double ratio = bench_median(ratios, rounds), base_s = bench_median(none, rounds);
    if (bench.json)
        printf("{\"nodes\": %llu, \"rounds\": %llu, \"none_s\": %.3f, \"summary_ratio\": %.4f}\n",
               (unsigned long long)nodes, (unsigned long long)rounds, base_s, ratio);
    else
        printf("%llu nodes, %llu pairs: %.2f s without a record; a summary costs %+.1f%% (from "
               "%+.1f%% to %+.1f%%; target: at most +%.0f%%)\n",
               (unsigned long long)nodes, (unsigned long long)rounds, base_s, (ratio - 1) * 100,
               (ratios[0] - 1) * 100, (ratios[rounds - 1] - 1) * 100, (TARGET - 1) * 100);
    return 0;
}
