/* The pool of worker processes: every job once, whatever its workers do. */
#include "vibesim/pool.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define JOBS_MAX 2000u

/* What a test sees of a pool. */
struct seen {
    uint64_t jobs, next;
    uint32_t done[JOBS_MAX], lost[JOBS_MAX];
    char why[JOBS_MAX][64];
    pid_t workers[JOBS_MAX]; /* of each job */
    uint64_t stop_after;     /* results; 0: never */
    uint64_t results;
    useconds_t slow_us; /* of the caller, a result */
    size_t size;        /* of a result */
    uint32_t ticks;
};

static struct seen seen;
static volatile sig_atomic_t interrupt;

static int fixture(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof seen);
    seen.size = 8;
    interrupt = 0;
    return 0;
}

static bool next(void *ctx, uint64_t *job)
{
    struct seen *s = ctx;
    *job = s->next;
    return s->next < s->jobs && ++s->next;
}

/* The worker's process id, and the job in every other byte. */
static void *work(void *ctx, uint64_t job, size_t *len)
{
    const struct seen *s = ctx;
    pid_t pid = getpid();
    *len = s->size;
    uint8_t *data = malloc(*len);
    if (data) {
        memset(data, (int)(job & 0xff), *len);
        memcpy(data, &pid, sizeof pid);
    }
    return data;
}

static bool done(void *ctx, uint64_t job, const void *result, size_t len)
{
    struct seen *s = ctx;
    const uint8_t *bytes = result;
    assert_int_equal(len, s->size);
    for (size_t i = sizeof(pid_t); i < len; i++)
        if (bytes[i] != (uint8_t)job)
            fail_msg("job %d: byte %zu is of another job", (int)job, i);
    memcpy(&s->workers[job], bytes, sizeof(pid_t));
    s->done[job]++;
    usleep(s->slow_us);
    return ++s->results != s->stop_after;
}

static bool lost(void *ctx, uint64_t job, const char *why)
{
    struct seen *s = ctx;
    s->lost[job]++;
    snprintf(s->why[job], sizeof s->why[job], "%s", why);
    return ++s->results != s->stop_after;
}

static void tick(void *ctx)
{
    struct seen *s = ctx;
    s->ticks++;
}

static enum pool_end run_pool(void *(*worker)(void *ctx, uint64_t job, size_t *len), uint64_t jobs,
                              uint32_t workers)
{
    const struct pool_ops ops = {
        .ctx = &seen, .next = next, .work = worker, .done = done, .lost = lost, .tick = tick};
    seen.jobs = jobs;
    enum pool_end end = pool_run(&ops, workers, &interrupt);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no worker is left */
    assert_int_equal(errno, ECHILD);
    return end;
}

static void expect_each_once(void)
{
    for (uint64_t i = 0; i < seen.jobs; i++)
        if (seen.done[i] != 1 || seen.lost[i] != 0)
            fail_msg("job %d: %u results, lost %u times", (int)i, seen.done[i], seen.lost[i]);
}

static void test_pool_does_every_job_once_in_processes_of_its_own(void **state)
{
    (void)state;
    assert_int_equal(run_pool(work, JOBS_MAX, 4), POOL_DONE);
    expect_each_once();
    for (uint64_t i = 0; i < JOBS_MAX; i++)
        assert_int_not_equal(seen.workers[i], getpid());
    assert_true(seen.ticks > 0);
}

static void test_pool_starts_no_more_workers_than_jobs(void **state)
{
    (void)state;
    assert_int_equal(run_pool(work, 0, 4), POOL_DONE);
    assert_int_equal(run_pool(work, 1, POOL_WORKERS_MAX), POOL_DONE);
    expect_each_once();
}

static void *first_is_slow(void *ctx, uint64_t job, size_t *len)
{
    if (job == 0)
        usleep(300000);
    return work(ctx, job, len);
}

static void test_pool_hands_jobs_to_whoever_is_free(void **state)
{
    (void)state;
    assert_int_equal(run_pool(first_is_slow, 40, 2), POOL_DONE);
    expect_each_once();
    for (uint64_t i = 2; i < 40; i++) /* the other one did all the rest */
        assert_int_equal(seen.workers[i], seen.workers[1]);
    assert_int_not_equal(seen.workers[0], seen.workers[1]);
}

static void *third_dies(void *ctx, uint64_t job, size_t *len)
{
    if (job % 3 == 2) {
        signal(SIGSEGV, SIG_DFL); /* a sanitizer would make an exit of it */
        raise(SIGSEGV);
    }
    return work(ctx, job, len);
}

static void test_pool_survives_workers_that_crash(void **state)
{
    (void)state;
    assert_int_equal(run_pool(third_dies, 30, 3), POOL_DONE);
    for (uint64_t i = 0; i < 30; i++) {
        assert_int_equal(seen.done[i], i % 3 != 2);
        assert_int_equal(seen.lost[i], i % 3 == 2);
        if (i % 3 == 2)
            assert_string_equal(seen.why[i], "killed by SIGSEGV");
    }
}

static void *dies_otherwise(void *ctx, uint64_t job, size_t *len)
{
    if (job == 0)
        _exit(7);
    if (job == 1)
        kill(getpid(), SIGKILL);
    if (job == 2)
        return NULL;
    return work(ctx, job, len);
}

static void test_pool_tells_how_a_worker_ended(void **state)
{
    (void)state;
    assert_int_equal(run_pool(dies_otherwise, 4, 1), POOL_DONE);
    assert_string_equal(seen.why[0], "its process ended with status 7");
    assert_string_equal(seen.why[1], "killed by SIGKILL");
    assert_string_equal(seen.why[2], "its process ended with status 0");
    assert_int_equal(seen.done[3], 1);
}

static void *dies_half_way(void *ctx, uint64_t job, size_t *len)
{
    struct rlimit none = {0, 0};
    if (job != 1)
        return work(ctx, job, len);
    setrlimit(RLIMIT_CORE, &none);
    /* A result that is too long for any caller to believe. */
    *len = POOL_RESULT_MAX + (size_t)1;
    return malloc(*len);
}

static void test_pool_refuses_a_result_that_makes_no_sense(void **state)
{
    (void)state;
    assert_int_equal(run_pool(dies_half_way, 3, 1), POOL_DONE);
    assert_string_equal(seen.why[1], "its result makes no sense");
    assert_int_equal(seen.done[2], 1);
}

/* Results larger than what a socket holds, of a caller that is slower than all workers. */
static void test_pool_waits_for_a_slow_reader(void **state)
{
    (void)state;
    seen.size = 3u << 20;
    seen.slow_us = 20000;
    assert_int_equal(run_pool(work, 24, 4), POOL_DONE);
    expect_each_once();
}

static void *sleeps(void *ctx, uint64_t job, size_t *len)
{
    (void)ctx;
    (void)job;
    (void)len;
    sleep(30); /* far longer than any test waits */
    return NULL;
}

static void on_alarm(int number)
{
    (void)number;
    interrupt = 1;
}

static void test_pool_interrupted_kills_its_workers_and_keeps_what_is_done(void **state)
{
    (void)state;
    signal(SIGALRM, on_alarm);
    alarm(1);
    assert_int_equal(run_pool(sleeps, 100, 3), POOL_INTERRUPTED);
    assert_int_equal(seen.results, 0); /* neither done nor lost */
    interrupt = 0;
    seen.next = 0;
    alarm(1);
    seen.slow_us = 100000;
    assert_int_equal(run_pool(work, JOBS_MAX, 2), POOL_INTERRUPTED);
    assert_true(seen.results > 0 && seen.results < JOBS_MAX);
    signal(SIGALRM, SIG_DFL);
}

/* Ctrl-C reaches all processes of a terminal: what it means is the caller's alone to say. */
static void *interrupts_itself(void *ctx, uint64_t job, size_t *len)
{
    raise(SIGINT);
    raise(SIGTERM);
    return work(ctx, job, len);
}

static void test_workers_leave_interrupts_to_the_caller(void **state)
{
    (void)state;
    assert_int_equal(run_pool(interrupts_itself, 10, 2), POOL_DONE);
    expect_each_once();
}

static void test_pool_stops_when_told(void **state)
{
    (void)state;
    seen.stop_after = 5;
    assert_int_equal(run_pool(work, 100, 3), POOL_STOPPED);
    assert_int_equal(seen.results, 5);
}

/* A caller that is killed must not leave workers behind: they hold a pipe's end as long as they
 * live. */
static void test_workers_end_with_their_caller(void **state)
{
    (void)state;
    int fds[2];
    char byte;
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        const struct pool_ops ops = {.ctx = &seen, .next = next, .work = sleeps};
        seen.jobs = 3;
        pool_run(&ops, 3, NULL);
        _exit(0);
    }
    close(fds[1]);
    usleep(300000);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    alarm(20); /* instead of waiting for them */
    assert_int_equal(read(fds[0], &byte, 1), 0);
    alarm(0);
    close(fds[0]);
}

static void test_pool_without_processes_says_so(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit few = {3, 3}; /* no room for a socket pair */
        const struct pool_ops ops = {
            .ctx = &seen, .next = next, .work = work, .done = done, .lost = lost};
        seen.jobs = 3;
        setrlimit(RLIMIT_NOFILE, &few);
        _exit(pool_run(&ops, 2, NULL) == POOL_FAILED && errno == EMFILE ? 0 : 1);
    }
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
}

#define CASE(name) cmocka_unit_test_setup(name, fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_pool_does_every_job_once_in_processes_of_its_own),
        CASE(test_pool_starts_no_more_workers_than_jobs),
        CASE(test_pool_hands_jobs_to_whoever_is_free),
        CASE(test_pool_survives_workers_that_crash),
        CASE(test_pool_tells_how_a_worker_ended),
        CASE(test_pool_refuses_a_result_that_makes_no_sense),
        CASE(test_pool_waits_for_a_slow_reader),
        CASE(test_pool_interrupted_kills_its_workers_and_keeps_what_is_done),
        CASE(test_workers_leave_interrupts_to_the_caller),
        CASE(test_pool_stops_when_told),
        CASE(test_workers_end_with_their_caller),
        CASE(test_pool_without_processes_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
