/* What the two processes of a run share, and their meters. See contender.h; arena.h is the
 * benchmark's side of it: it forks the two, and collects what they measured. */
#include "tests/bench/tcp/arena.h"

#include <errno.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HANGS_AFTER_S 60u

struct shared {
    _Atomic uint32_t port;
    _Atomic uint32_t marks;
    struct side server, client;
    const char *contender, *work; /* for messages */
};

/* ---- between the two ---- */

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

void run_listening(struct run *run, uint16_t port)
{
    atomic_store(&run->shared->port, port);
}

uint16_t run_port(struct run *run)
{
    uint32_t port;
    while ((port = atomic_load(&run->shared->port)) == 0)
        nap();
    return (uint16_t)port;
}

void run_mark(struct run *run, unsigned mark)
{
    atomic_fetch_or(&run->shared->marks, 1u << mark);
}

bool run_marked(const struct run *run, unsigned mark)
{
    return atomic_load(&run->shared->marks) >> mark & 1;
}

void run_await(const struct run *run, unsigned mark)
{
    while (!run_marked(run, mark))
        nap();
}

void run_fail(const struct run *run, const char *what, const char *why)
{
    fprintf(stderr, "%s: %s, %s: %s: %s\n", program_invocation_short_name, run->shared->contender,
            run->shared->work, what, why);
    _exit(1);
}

/* ---- meters ---- */

uint64_t run_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static uint64_t time_ns(struct timeval t)
{
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_usec * 1000;
}

void meter_begin(struct meter *meter)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    *meter = (struct meter){run_now_ns(), time_ns(usage.ru_utime), time_ns(usage.ru_stime)};
}

void meter_end(const struct meter *meter, struct side *side)
{
    struct meter end;
    meter_begin(&end);
    side->wall_ns = end.wall_ns - meter->wall_ns;
    side->user_ns = end.user_ns - meter->user_ns;
    side->sys_ns = end.sys_ns - meter->sys_ns;
}

void run_memory(uint64_t *memory, uint64_t *resident)
{
    const struct mallinfo2 info = mallinfo2();
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%*u %lu", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    *memory = info.uordblks + info.hblkhd;
    *resident = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void run_source(uint32_t i, char out[SOURCE_TEXT])
{
    snprintf(out, SOURCE_TEXT, "127.%u.%u.%u", 1 + i / 62500 % 250, i / 250 % 250, 2 + i % 250);
}

static int compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

void run_percentiles(struct side *side, uint64_t *ns, size_t count)
{
    if (count == 0)
        return;
    qsort(ns, count, sizeof *ns, compare);
    side->p50_ns = ns[count / 2];
    side->p99_ns = ns[count - 1 - count / 100];
}

/* ---- the two processes ---- */

/* The n-th of the cores that we may use, if there are as many. */
static void take_core(int n)
{
    cpu_set_t all, one;
    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof all, &all) != 0)
        return;
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &all) && n-- == 0) {
            CPU_SET(cpu, &one);
            sched_setaffinity(0, sizeof one, &one);
        }
}

static pid_t begin(void (*function)(struct run *), struct run run, int core)
{
    fflush(NULL);
    const pid_t parent = getpid(), child = fork();
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    signal(SIGPIPE, SIG_IGN);
    alarm(HANGS_AFTER_S);
    take_core(core);
    function(&run);
    _exit(0);
}

static bool ended_well(const struct shared *shared, int status)
{
    if (WIFSIGNALED(status))
        fprintf(stderr, "%s: %s, %s: %s\n", program_invocation_short_name, shared->contender,
                shared->work,
                WTERMSIG(status) == SIGALRM ? "took too long" : strsignal(WTERMSIG(status)));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool arena_run(const struct contender *contender, const char *work, struct run run,
               struct side *server, struct side *client)
{
    const int both = PROT_READ | PROT_WRITE;
    struct shared *shared = mmap(NULL, sizeof *shared, both, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return false;
    shared->contender = contender->name;
    shared->work = work;
    run.shared = shared;
    run.side = &shared->server;
    pid_t children[2];
    children[0] = begin(contender->serve, run, 0);
    run.side = &shared->client;
    children[1] = begin(contender->ask, run, 1);
    bool good = children[0] > 0 && children[1] > 0;
    for (int left = 2; left > 0; left--) {
        int status;
        const pid_t ended = wait(&status);
        if (ended < 0)
            break;
        if (!ended_well(shared, status)) {
            good = false;
            kill(ended == children[0] ? children[1] : children[0], SIGKILL);
        }
    }
    *server = shared->server;
    *client = shared->client;
    munmap(shared, sizeof *shared);
    return good;
}
