/* How long it takes to go to an event of a long run, forwards and backwards: `vibesim replay
 * --step` is given commands and its answers are timed, as a person would wait for them. The first
 * pass goes to the end; then come random places. Ends with status 1 if a single way takes longer
 * than a second.
 *
 * bench_seek [--json] [--minutes N] [--seeks N], from the root of the sources; vibesim lies beside
 * it. 6 minutes are some 12 million events. */
#include "tests/bench/bench.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEEKS_MAX 1000u
#define TARGET_S  1.0

struct debugger {
    pid_t pid;
    FILE *to, *from;
};

static void failed(const char *what)
{
    fprintf(stderr, "bench_seek: %s\n", what);
    exit(2);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void record(const char *vibesim, const char *db, uint64_t minutes)
{
    char param[40];
    int status;
    snprintf(param, sizeof param, "minutes=%llu", (unsigned long long)minutes);
    const pid_t child = fork();
    if (child == 0) {
        const int nowhere = open("/dev/null", O_WRONLY);
        dup2(nowhere, STDOUT_FILENO);
        dup2(nowhere, STDERR_FILENO);
        execl(vibesim, "vibesim", "run", "tests/bench/record.lua", "--quiet", "--param", param,
              "--db", db, (char *)NULL);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        failed("vibesim run tests/bench/record.lua failed");
}

static void start(struct debugger *d, const char *vibesim, const char *db)
{
    int in[2], out[2];
    if (pipe(in) != 0 || pipe(out) != 0)
        failed("no pipe");
    d->pid = fork();
    if (d->pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        const int nowhere = open("/dev/null", O_WRONLY);
        dup2(nowhere, STDERR_FILENO);
        close(in[1]);
        close(out[0]);
        execl(vibesim, "vibesim", "replay", db, "--step", (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    d->to = fdopen(in[1], "w");
    d->from = fdopen(out[0], "r");
    if (d->pid < 0 || !d->to || !d->from)
        failed("no process");
}

/* The first line that answers; seconds until it came. */
static double ask(struct debugger *d, const char *command, char line[500])
{
    const double began = now_s();
    if (command && (fprintf(d->to, "%s\n", command) < 0 || fflush(d->to) != 0))
        failed("vibesim replay has ended");
    if (!fgets(line, 500, d->from))
        failed("vibesim replay has ended");
    return now_s() - began;
}

/* "after event 12,345 t=..." */
static uint64_t event_of(const char *line)
{
    uint64_t n = 0;
    const char *at = strstr(line, "event ");
    for (at = at ? at + 6 : ""; (*at >= '0' && *at <= '9') || *at == ','; at++)
        n = *at == ',' ? n : 10 * n + (uint64_t)(*at - '0');
    return n;
}

int main(int argc, char **argv)
{
    uint64_t minutes = 6, seeks = 40;
    const struct bench_option options[] = {{"--minutes", &minutes}, {"--seeks", &seeks}};
    struct bench bench;
    struct debugger d;
    char vibesim[4096], folder[] = "/tmp/bench_seek_XXXXXX", db[80], line[500], command[60];
    double took[SEEKS_MAX];
    const char *slash = strrchr(argv[0], '/');
    bench_init_options(&bench, argc, argv, options, sizeof options / sizeof *options);
    if (minutes < 1 || minutes > 6 || seeks < 1 || seeks > SEEKS_MAX || !mkdtemp(folder))
        failed("--minutes 1..6, --seeks 1..1000");
    snprintf(vibesim, sizeof vibesim, "%.*svibesim", slash ? (int)(slash - argv[0] + 1) : 0,
             argv[0]);
    snprintf(db, sizeof db, "%s/run.db", folder);
    record(vibesim, db, minutes);
    start(&d, vibesim, db);
    ask(&d, NULL, line);
    const double first_s = ask(&d, "g end", line);
    const uint64_t events = event_of(line);
    uint64_t x = 88172645463325252u; /* xorshift64 (Marsaglia 2003) */
    for (uint64_t i = 0; i < seeks; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        const uint64_t to = x % events;
        snprintf(command, sizeof command, "g %llu", (unsigned long long)to);
        took[i] = ask(&d, command, line);
        if (event_of(line) != to)
            failed("it went somewhere else");
    }
    fclose(d.to);
    waitpid(d.pid, NULL, 0);
    unlink(db);
    rmdir(folder);
    qsort(took, seeks, sizeof *took, bench_compare);
    printf(bench.json
               ? "{\"events\": %llu, \"first_s\": %.2f, \"seeks\": %llu, \"median_s\": %.3f, "
                 "\"max_s\": %.3f}\n"
               : "%llu events, first pass %.2f s; %llu ways to random events: median %.3f s, "
                 "at most %.3f s (target: 1 s)\n",
           (unsigned long long)events, first_s, (unsigned long long)seeks, took[seeks / 2],
           took[seeks - 1]);
    return took[seeks - 1] < TARGET_S ? 0 : 1;
}
