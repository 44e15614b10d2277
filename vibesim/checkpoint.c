/* See checkpoint.h.
 *
 * Lines are pairs of sockets that keep the borders of messages. Whoever makes a process (the head a
 * checkpoint, a checkpoint a new head) makes the line to it as well, keeps one end for the child
 * and passes the other to the controller over its own line. So a line is held by nobody but its two
 * ends, and the death of one is heard by the other.
 *
 * Failure modes: no process can be made (the head goes on without a checkpoint there; a wake is
 * answered by "failed"); a checkpoint that was killed, for memory, is forgotten as it is found so,
 * and an earlier one taken; a head that died is told, and the next seek makes another. */
#include "vibesim/checkpoint.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEMORY_SHARE 2u /* checkpoints may take one so many-th of what the machine has left */
#define COUNT_MIN    4u

enum kind {
    KIND_ORDER,  /* controller -> head */
    KIND_WAKE,   /* controller -> checkpoint; number: where the next one is due */
    KIND_NEXT,   /* controller -> head, answers MADE; number: the same */
    KIND_ANSWER, /* head -> controller */
    KIND_MADE,   /* head -> controller, with a line; at, and more: bytes of memory */
    KIND_WOKEN,  /* checkpoint -> controller, with a line */
    KIND_FAILED  /* checkpoint -> controller */
};

struct message {
    uint32_t kind, size; /* size: of text that is used */
    uint64_t number, more;
    struct checkpoint_place at;
    uint8_t text[CHECKPOINT_TEXT_MAX];
};

struct checkpoint {
    struct checkpoint_place at;
    int line;
};

struct checkpoints {
    int head; /* line; -1: it died */
    struct checkpoint all[CHECKPOINTS_MAX];
    uint32_t count;
    uint64_t distance;
    uint64_t memory; /* of the machine, that was free at the start */
};

/* ---- lines ---- */

static size_t message_size(const struct message *m)
{
    return offsetof(struct message, text) + m->size;
}

/* Sends a message, with an end of a line (which stays the caller's) unless it is -1. */
static bool put(int line, const struct message *m, int end)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec data = {(void *)(uintptr_t)m, message_size(m)};
    struct msghdr msg = {.msg_iov = &data, .msg_iovlen = 1};
    if (end >= 0) {
        memset(&control, 0, sizeof control);
        msg.msg_control = control.bytes;
        msg.msg_controllen = sizeof control.bytes;
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(sizeof end);
        memcpy(CMSG_DATA(&control.head), &end, sizeof end);
    }
    ssize_t sent;
    do
        sent = sendmsg(line, &msg, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)data.iov_len;
}

/* Receives a message; *end is the end of a line that came with it, or -1. False: the other end is
 * gone. */
static bool get(int line, struct message *m, int *end)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec data = {m, sizeof *m};
    struct msghdr msg = {.msg_iov = &data,
                         .msg_iovlen = 1,
                         .msg_control = control.bytes,
                         .msg_controllen = sizeof control.bytes};
    ssize_t got;
    memset(&control, 0, sizeof control);
    do
        got = recvmsg(line, &msg, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    const struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    *end = -1;
    if (got > 0 && c && c->cmsg_type == SCM_RIGHTS)
        memcpy(end, CMSG_DATA(c), sizeof *end);
    return got >= (ssize_t)offsetof(struct message, text) && (size_t)got == message_size(m);
}

static bool put_plain(int line, enum kind kind, uint64_t number)
{
    const struct message m = {.kind = kind, .number = number};
    return put(line, &m, -1);
}

static bool put_text(int line, enum kind kind, const void *text, size_t size)
{
    struct message m = {.kind = kind, .size = (uint32_t)size};
    if (size > sizeof m.text)
        abort();
    memcpy(m.text, text, size);
    return put(line, &m, -1);
}

/* A process, and a line to it: 0 in the child with its end, -1 if there is none. */
static pid_t fork_with_line(int *ours, int *childs)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return -1;
    fflush(NULL);
    const pid_t child = fork();
    *ours = ends[0];
    *childs = ends[1];
    if (child != 0)
        close(ends[1]);
    if (child <= 0)
        close(ends[0]);
    return child;
}

/* ---- in the process that computes ---- */

/* Of the process, in bytes. */
static uint64_t memory_used(void)
{
    unsigned long long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f && fscanf(f, "%*u %llu", &pages) != 1)
        pages = 0;
    if (f)
        fclose(f);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* The life of a checkpoint. Returns in the processes that are made of it. */
static void sleep_until_woken(struct checkpoint_run *run)
{
    struct message m;
    int end;
    signal(SIGINT, SIG_IGN);
    while (get(run->line, &m, &end) && m.kind == KIND_WAKE) {
        int to_controller, to_head;
        const pid_t head = fork_with_line(&to_controller, &to_head);
        if (head == 0) {
            close(run->line);
            run->line = to_head;
            run->due = m.number;
            return;
        }
        const struct message woken = {.kind = head > 0 ? KIND_WOKEN : KIND_FAILED,
                                      .number = (uint64_t)errno};
        const bool told = put(run->line, &woken, head > 0 ? to_controller : -1);
        if (head > 0)
            close(to_controller);
        if (!told)
            break;
    }
    _exit(0);
}

bool checkpoint_make(struct checkpoint_run *run, struct checkpoint_place at)
{
    int to_controller, own;
    const pid_t copy = fork_with_line(&to_controller, &own);
    if (copy == 0) {
        void (*on_interrupt)(int) = signal(SIGINT, SIG_IGN);
        close(run->line);
        run->line = own;
        sleep_until_woken(run);
        signal(SIGINT, on_interrupt);
        return true;
    }
    run->due = UINT64_MAX;
    if (copy < 0) { /* none is tried again */
        put_plain(run->line, KIND_FAILED, (uint64_t)errno);
        return false;
    }
    const struct message made = {.kind = KIND_MADE, .at = at, .more = memory_used()};
    struct message next;
    int end;
    if (!put(run->line, &made, to_controller))
        _exit(0);
    close(to_controller);
    if (!get(run->line, &next, &end) || next.kind != KIND_NEXT)
        _exit(0);
    run->due = next.number;
    return false;
}

void checkpoint_hear(struct checkpoint_run *run, void *order, size_t size)
{
    struct message m;
    int end;
    fflush(NULL);
    if (!get(run->line, &m, &end) || m.kind != KIND_ORDER || m.size != size)
        _exit(0);
    memcpy(order, m.text, size);
}

void checkpoint_tell(struct checkpoint_run *run, const void *answer, size_t size)
{
    fflush(NULL); /* what was printed comes before the answer */
    if (!put_text(run->line, KIND_ANSWER, answer, size))
        _exit(0);
}

/* ---- in the process that controls ---- */

/* Bytes that the machine could give to new processes. */
static uint64_t memory_left(void)
{
    char line[128];
    unsigned long long kib = 0;
    FILE *f = fopen("/proc/meminfo", "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib ? kib * 1024u : UINT64_C(1) << 30;
}

/* Those that ended. */
static void bury(void)
{
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}

static void drop(struct checkpoints *c, uint32_t i)
{
    close(c->all[i].line);
    memmove(c->all + i, c->all + i + 1, (--c->count - i) * sizeof *c->all);
}

static void drop_head(struct checkpoints *c)
{
    if (c->head >= 0)
        close(c->head);
    c->head = -1;
}

void checkpoints_free(struct checkpoints *c)
{
    if (!c)
        return;
    drop_head(c);
    while (c->count > 0)
        drop(c, c->count - 1);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        ;
    free(c);
}

uint32_t checkpoints_count(const struct checkpoints *c)
{
    return c->count;
}

uint64_t checkpoints_distance(const struct checkpoints *c)
{
    return c->distance;
}

/* Where the next one belongs. */
static uint64_t next_due(const struct checkpoints *c)
{
    return c->count ? (c->all[c->count - 1].at.steps / c->distance + 1) * c->distance : 0;
}

/* As if the run took `used` bytes over in each of them. */
static uint32_t count_max(const struct checkpoints *c, uint64_t used)
{
    const uint64_t room = used ? c->memory / MEMORY_SHARE / used : CHECKPOINTS_MAX;
    return room < COUNT_MIN ? COUNT_MIN : room < CHECKPOINTS_MAX ? (uint32_t)room : CHECKPOINTS_MAX;
}

/* They are made in the order of their places, each beyond all others. */
static void take_checkpoint(struct checkpoints *c, const struct message *made, int line)
{
    if (c->count >= count_max(c, made->more)) {
        for (uint32_t i = c->count - 1; i > 0; i--)
            if (i % 2 == 1)
                drop(c, i);
        c->distance *= 2;
        bury();
    }
    c->all[c->count++] = (struct checkpoint){made->at, line};
    put_plain(c->head, KIND_NEXT, next_due(c)); /* a head that died is found so later */
}

struct checkpoints *checkpoints_start(void (*life)(struct checkpoint_run *run, void *ctx),
                                      void *ctx, char *why, size_t size)
{
    struct checkpoints *c = calloc(1, sizeof *c);
    struct message m;
    int end;
    if (!c)
        abort();
    c->distance = CHECKPOINT_FIRST;
    c->memory = memory_left();
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* whoever outlives its parent is ours to bury */
    const pid_t head = fork_with_line(&c->head, &end);
    if (head < 0) {
        snprintf(why, size, "no process can be made for the run: %s", strerror(errno));
        free(c);
        return NULL;
    }
    if (head == 0) {
        struct checkpoint_run run = {.line = end};
        free(c);
        signal(SIGCHLD, SIG_IGN);
        life(&run, ctx);
        fflush(NULL);
        _exit(0);
    }
    if (get(c->head, &m, &end) && m.kind == KIND_MADE && end >= 0) {
        take_checkpoint(c, &m, end);
        return c;
    }
    snprintf(why, size, "no process can be made of that of the run: is memory short?");
    checkpoints_free(c);
    return NULL;
}

/* Makes a head of the i-th. False: it is no more, or could not. */
static bool wake(struct checkpoints *c, uint32_t i)
{
    struct message m;
    int line = -1;
    const bool ok = put_plain(c->all[i].line, KIND_WAKE, next_due(c)) &&
                    get(c->all[i].line, &m, &line) && m.kind == KIND_WOKEN && line >= 0;
    if (ok)
        c->head = line;
    return ok;
}

static bool beyond(struct checkpoint_place a, struct checkpoint_place b)
{
    return a.steps > b.steps || a.t_ns > b.t_ns;
}

bool checkpoints_seek(struct checkpoints *c, struct checkpoint_place head,
                      struct checkpoint_place to, bool *moved, char *why, size_t size)
{
    uint32_t i = c->count;
    while (i > 0 && beyond(c->all[i - 1].at, to))
        i--;
    *moved = false;
    if (c->head >= 0 && !beyond(head, to) && (i == 0 || !beyond(c->all[i - 1].at, head)))
        return true;
    drop_head(c);
    bury();
    *moved = true;
    for (; i > 0; i--) {
        if (wake(c, i - 1))
            return true;
        drop(c, i - 1);
    }
    snprintf(why, size, "all processes that the run could go on from have ended: is memory short?");
    return false;
}

bool checkpoints_order(struct checkpoints *c, const void *order, size_t order_size, void *answer,
                       size_t answer_size, char *why, size_t size)
{
    struct message m;
    int line;
    bool ok = c->head >= 0 && put_text(c->head, KIND_ORDER, order, order_size);
    while ((ok = ok && get(c->head, &m, &line)) && m.kind != KIND_ANSWER)
        if (m.kind == KIND_MADE && line >= 0)
            take_checkpoint(c, &m, line);
    if (ok && m.size == answer_size) {
        memcpy(answer, m.text, answer_size);
        return true;
    }
    snprintf(why, size, "the process of the run has ended: it failed, or was killed");
    drop_head(c);
    bury();
    return false;
}
