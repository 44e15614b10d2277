/* See hashes.h. The other program's lines come through a pipe, which holds it back to our pace; so
 * nothing is kept but the two lines that are compared. */
#include "vibesim/hashes.h"

#include "trace/words.h"
#include "vibesim/cli_session.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the run ---- */

struct listen {
    bool (*each)(void *ctx, const struct hashes_line *line);
    void *ctx;
    struct hashes_line line; /* waits for what its node does */
    bool waiting;
    struct trace_host *hosts;
    uint32_t host_count, nodes, peers;
    volatile sig_atomic_t stop;
};

static void hand_out(struct listen *l)
{
    if (l->waiting && !l->stop && (*session_interrupt() || !l->each(l->ctx, &l->line)))
        l->stop = 1;
    l->waiting = false;
}

static void on_node(void *ctx, uint32_t host, const char *role, const char *region,
                    const char *version)
{
    struct listen *l = ctx;
    const bool peer = strcmp(role, "peer") == 0;
    (void)host;
    (void)region;
    (void)version;
    l->hosts = realloc(l->hosts, (l->host_count + 1) * sizeof *l->hosts);
    if (!l->hosts)
        abort();
    l->hosts[l->host_count++] = (struct trace_host){peer, peer ? ++l->peers : ++l->nodes};
}

static void on_event(void *ctx, uint64_t number, uint64_t t_ns, uint32_t host, uint32_t kind,
                     uint64_t hash)
{
    struct listen *l = ctx;
    hand_out(l);
    l->line = (struct hashes_line){
        .number = number, .t_ns = t_ns, .host = host, .kind = kind, .hash = hash};
    if (host < l->host_count)
        l->line.who = l->hosts[host];
    l->waiting = true;
}

static void on_drained(void *ctx, uint32_t host, uint64_t hash)
{
    struct listen *l = ctx;
    if (!l->waiting || l->line.host != host)
        return;
    l->line.drained = hash;
    l->line.has_drained = true;
    hand_out(l);
}

bool hashes_run(const struct rerun *rerun, bool (*each)(void *ctx, const struct hashes_line *line),
                void *ctx)
{
    struct listen l = {.each = each, .ctx = ctx};
    struct engine_options options;
    static struct engine_result result;
    session_signals();
    run_options(&options, &rerun->args);
    options.by_time = true;
    options.interrupt = &l.stop;
    options.observer = (struct engine_observer){
        .ctx = &l, .on_node = on_node, .on_event = on_event, .on_drained = on_drained};
    engine_run(rerun->loaded.engine, &options, NULL, NULL, &result);
    hand_out(&l);
    l.line = (struct hashes_line){
        .end = true, .number = result.events, .t_ns = result.sim_ns, .hash = result.trace_hash};
    l.waiting = true;
    hand_out(&l);
    free(l.hosts);
    return !l.stop;
}

/* ---- lines ---- */

void hashes_print(char *out, size_t size, const struct hashes_line *line)
{
    if (line->end)
        snprintf(out, size, "end %" PRIu64 " %" PRIu64 " %016" PRIx64, line->t_ns, line->number,
                 line->hash);
    else if (line->has_drained)
        snprintf(out, size, "%" PRIu64 " %" PRIu64 " %u %s %016" PRIx64 " %016" PRIx64,
                 line->number, line->t_ns, line->host, words_event_kind(line->kind), line->hash,
                 line->drained);
    else
        snprintf(out, size, "%" PRIu64 " %" PRIu64 " %u %s %016" PRIx64 " -", line->number,
                 line->t_ns, line->host, words_event_kind(line->kind), line->hash);
}

bool hashes_read(struct hashes_line *line, const char *text)
{
    char kind[24], drained[24];
    int used = 0;
    memset(line, 0, sizeof *line);
    if (strncmp(text, "end ", 4) == 0) {
        line->end = true;
        return sscanf(text, "end %" SCNu64 " %" SCNu64 " %16" SCNx64 "%n", &line->t_ns,
                      &line->number, &line->hash, &used) == 3 &&
               text[used] == 0;
    }
    if (sscanf(text, "%" SCNu64 " %" SCNu64 " %u %23s %16" SCNx64 " %23s%n", &line->number,
               &line->t_ns, &line->host, kind, &line->hash, drained, &used) != 6 ||
        text[used])
        return false;
    while (line->kind < VN_EV_COUNT && strcmp(kind, words_event_kind(line->kind)) != 0)
        line->kind++;
    line->has_drained = strcmp(drained, "-") != 0;
    return line->kind < VN_EV_COUNT &&
           (!line->has_drained || sscanf(drained, "%16" SCNx64, &line->drained) == 1);
}

static bool same_line(const struct hashes_line *a, const struct hashes_line *b)
{
    return a->end == b->end && a->number == b->number && a->t_ns == b->t_ns && a->host == b->host &&
           a->kind == b->kind && a->hash == b->hash && a->has_drained == b->has_drained &&
           a->drained == b->drained;
}

/* ---- beside another program ---- */

struct beside {
    FILE *theirs;
    struct hashes_difference *out;
    char *line;
    size_t room;
    bool broken; /* they said something else, or nothing */
};

static bool compare_line(void *ctx, const struct hashes_line *ours)
{
    struct beside *b = ctx;
    struct hashes_line line;
    const ssize_t got = getline(&b->line, &b->room, b->theirs);
    if (got > 0 && b->line[got - 1] == '\n')
        b->line[got - 1] = 0;
    if (got <= 0 || !hashes_read(&line, b->line)) {
        b->broken = true;
        return false;
    }
    if (same_line(ours, &line)) {
        b->out->equal++;
        return true;
    }
    b->out->differs = true;
    b->out->lines[0] = *ours;
    b->out->lines[1] = line;
    return false;
}

/* Starts the other program, its output into *from; -1 with a line in why. */
static pid_t start(const struct hashes_with *w, FILE **from, char *why, size_t size)
{
    int ends[2];
    char id[24];
    snprintf(id, sizeof id, "%lld", (long long)w->run);
    if (pipe(ends) != 0) {
        snprintf(why, size, "--with: no pipe: %s", strerror(errno));
        return -1;
    }
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execlp(w->program, w->program, "replay", w->db, "--run", id, "--hashes",
               w->scenario ? "--scenario" : (char *)NULL, w->scenario, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    *from = child > 0 ? fdopen(ends[0], "r") : NULL;
    if (*from)
        return child;
    close(ends[0]);
    snprintf(why, size, "--with: no process: %s", strerror(errno));
    return -1;
}

bool hashes_compare(const struct rerun *rerun, const struct hashes_with *with,
                    struct hashes_difference *out, char *why, size_t size)
{
    struct beside b = {.out = out};
    int status = 0;
    memset(out, 0, sizeof *out);
    const pid_t child = start(with, &b.theirs, why, size);
    if (child < 0)
        return false;
    const bool ended = hashes_run(rerun, compare_line, &b);
    out->interrupted = !ended && !out->differs && !b.broken;
    fclose(b.theirs); /* one that still writes is ended by it */
    free(b.line);
    if (out->interrupted)
        kill(child, SIGTERM);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (!b.broken)
        return true;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        snprintf(why, size, "--with: %s: cannot be run: name a vibesim program", with->program);
    else
        snprintf(why, size,
                 "--with: %s: does not tell what its run is like (after %" PRIu64
                 " events): it must be a vibesim that knows replay --hashes, and the scenario",
                 with->program, out->equal);
    return false;
}
