/* The pool of worker processes; see pool.h.
 *
 * One socket pair a worker: a job's number goes down it, one record (job, length, result) comes
 * back. A worker waits for its number before it does anything else, and the caller reads whatever
 * any worker has ready, so that neither can wait for the other. Failure modes: a worker that dies
 * closes its end, its status says how, and another is forked in its place if there is more to do; a
 * record that makes no sense is treated alike; a fork that fails leaves fewer workers. */
#include "vibesim/pool.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_MS    100
#define READ_BYTES (64u << 10)

/* What stands in front of a result. Both ends are one program: no byte order. */
struct record_head {
    uint64_t job, len;
};

struct worker {
    pid_t pid; /* 0: not running */
    int fd;
    bool busy;
    uint64_t job;
    uint8_t *data; /* of the record that is being read, its head included */
    size_t len, capacity;
};

struct pool {
    const struct pool_ops *ops;
    struct worker *workers;
    uint32_t count;
    uint64_t job; /* the next one, if waiting */
    bool waiting;
    bool no_more;      /* no job is left but that */
    bool stopped;      /* by done or lost */
    int start_failure; /* errno of the last worker that could not be started */
};

uint32_t pool_processors(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return n < 1 ? 1u : n > (int)POOL_WORKERS_MAX ? POOL_WORKERS_MAX : (uint32_t)n;
}

/* ---- in a worker ---- */

static bool send_all(int fd, const void *data, size_t len)
{
    const uint8_t *at = data;
    while (len) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static bool take_job(int fd, uint64_t *job)
{
    ssize_t n;
    do
        n = recv(fd, job, sizeof *job, MSG_WAITALL);
    while (n < 0 && errno == EINTR);
    return n == sizeof *job;
}

static void work_all(const struct pool_ops *ops, int fd)
{
    struct record_head head;
    bool sent = true;
    while (sent && take_job(fd, &head.job)) {
        size_t len = 0;
        void *result = ops->work(ops->ctx, head.job, &len);
        head.len = len;
        sent = result && send_all(fd, &head, sizeof head) && send_all(fd, result, len);
        free(result);
    }
}

/* Ctrl-C goes to all processes of a terminal: what it means is the caller's to say. */
static void worker_main(const struct pool *pool, int fd, pid_t parent)
{
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    for (uint32_t i = 0; i < pool->count; i++)
        if (pool->workers[i].pid)
            close(pool->workers[i].fd);
    /* Else a run of hours would outlive a caller that was killed. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent)
        work_all(pool->ops, fd);
    _exit(0);
}

/* ---- in the caller ---- */

static bool worker_start(struct pool *pool, struct worker *w)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
        pool->start_failure = errno;
        return false;
    }
    fflush(NULL); /* else each worker would hold a copy of what is not yet written */
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        close(fds[0]);
        worker_main(pool, fds[1], parent);
    }
    pool->start_failure = pid < 0 ? errno : 0;
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        return false;
    }
    *w = (struct worker){.pid = pid, .fd = fds[0], .data = w->data, .capacity = w->capacity};
    return true;
}

/* Ends a worker; its status, as waitpid gives it. */
static int worker_end(struct worker *w, bool force)
{
    int status = 0;
    if (force)
        kill(w->pid, SIGKILL);
    close(w->fd);
    while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    w->pid = 0;
    return status;
}

static void status_words(char *out, size_t size, int status)
{
    const char *name = WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : NULL;
    if (name)
        snprintf(out, size, "killed by SIG%s", name);
    else if (WIFSIGNALED(status))
        snprintf(out, size, "killed by signal %d", WTERMSIG(status));
    else
        snprintf(out, size, "its process ended with status %d", WEXITSTATUS(status));
}

static void worker_lost(struct pool *pool, struct worker *w, const char *why)
{
    char words[64];
    bool busy = w->busy;
    int status = worker_end(w, why != NULL);
    w->busy = false;
    if (!why)
        status_words(words, sizeof words, status);
    if (busy && !pool->ops->lost(pool->ops->ctx, w->job, why ? why : words))
        pool->stopped = true;
}

static bool job_waits(struct pool *pool)
{
    if (!pool->waiting && !pool->no_more) {
        pool->waiting = pool->ops->next(pool->ops->ctx, &pool->job);
        pool->no_more = !pool->waiting;
    }
    return pool->waiting;
}

/* Gives the worker the next job. That it is dead already shows when it is read. */
static void worker_feed(struct pool *pool, struct worker *w)
{
    w->job = pool->job;
    w->busy = true;
    w->len = 0;
    pool->waiting = false;
    send_all(w->fd, &w->job, sizeof w->job);
}

/* Whether the whole record is there. False with *wrong set if it is none. */
static bool record_whole(const struct worker *w, struct record_head *head, bool *wrong)
{
    if (w->len < sizeof *head)
        return false;
    memcpy(head, w->data, sizeof *head);
    *wrong = !w->busy || head->job != w->job || head->len > POOL_RESULT_MAX ||
             w->len > sizeof *head + head->len;
    return !*wrong && w->len == sizeof *head + head->len;
}

static bool make_room(struct worker *w)
{
    if (w->capacity - w->len >= READ_BYTES)
        return true;
    size_t capacity = w->capacity * 2 + READ_BYTES;
    uint8_t *data = realloc(w->data, capacity);
    if (!data)
        return false;
    w->data = data;
    w->capacity = capacity;
    return true;
}

/* Reads what the worker has to say. */
static void worker_read(struct pool *pool, struct worker *w)
{
    if (!make_room(w)) {
        worker_lost(pool, w, "no memory for its result");
        return;
    }
    ssize_t n = recv(w->fd, w->data + w->len, READ_BYTES, MSG_DONTWAIT);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        worker_lost(pool, w, NULL);
        return;
    }
    struct record_head head;
    bool wrong = false;
    w->len += (size_t)n;
    if (record_whole(w, &head, &wrong)) {
        w->busy = false;
        if (!pool->ops->done(pool->ops->ctx, head.job, w->data + sizeof head, head.len))
            pool->stopped = true;
    } else if (wrong) {
        worker_lost(pool, w, "its result makes no sense");
    }
}

/* Starts what is not running and feeds what is free. False once nothing is under way. */
static bool feed_all(struct pool *pool)
{
    bool busy = false;
    for (uint32_t i = 0; i < pool->count; i++) {
        struct worker *w = &pool->workers[i];
        if (!w->busy && job_waits(pool) && (w->pid || worker_start(pool, w)))
            worker_feed(pool, w);
        busy = busy || w->busy;
    }
    return busy;
}

static void wait_and_read(struct pool *pool)
{
    struct pollfd fds[POOL_WORKERS_MAX];
    struct worker *of[POOL_WORKERS_MAX];
    nfds_t n = 0;
    for (uint32_t i = 0; i < pool->count; i++)
        if (pool->workers[i].pid) {
            fds[n] = (struct pollfd){.fd = pool->workers[i].fd, .events = POLLIN};
            of[n++] = &pool->workers[i];
        }
    if (poll(fds, n, TICK_MS) <= 0)
        return;
    for (nfds_t i = 0; i < n && !pool->stopped; i++)
        if (fds[i].revents)
            worker_read(pool, of[i]);
}

enum pool_end pool_run(const struct pool_ops *ops, uint32_t workers,
                       const volatile sig_atomic_t *interrupt)
{
    struct pool pool = {.ops = ops, .count = workers};
    pool.workers = calloc(workers, sizeof *pool.workers);
    if (!pool.workers)
        return POOL_FAILED;
    bool interrupted = false, busy = true;
    while (busy && !pool.stopped && !interrupted) {
        busy = feed_all(&pool);
        if (busy)
            wait_and_read(&pool);
        if (ops->tick)
            ops->tick(ops->ctx);
        interrupted = interrupt && *interrupt;
    }
    for (uint32_t i = 0; i < workers; i++) {
        if (pool.workers[i].pid)
            worker_end(&pool.workers[i], true);
        free(pool.workers[i].data);
    }
    free(pool.workers);
    errno = pool.start_failure;
    if (interrupted)
        return POOL_INTERRUPTED;
    if (pool.stopped)
        return POOL_STOPPED;
    return pool.no_more && !pool.waiting ? POOL_DONE : POOL_FAILED;
}
