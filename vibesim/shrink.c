/* See shrink.h. */
#include "vibesim/shrink.h"

#include "vibesim/cli_term.h"
#include "vibesim/pool.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARAM_TRIES 12u /* values of a parameter that are tried at once */

/* ---- one run ---- */

struct listening {
    struct shrink_failure *out;
    void (*on_decision)(void *ctx, uint64_t t_ns, uint32_t no, const char *kind, const char *params,
                        bool taken);
    void *ctx;
};

static void on_check(void *ctx, uint64_t t_ns, const char *name, const char *kind, bool ok,
                     const char *detail)
{
    struct shrink_failure *out = ((struct listening *)ctx)->out;
    if (ok || out->fails || strcmp(kind, "sometimes") == 0)
        return;
    out->fails = true;
    out->t_ns = t_ns;
    snprintf(out->kind, sizeof out->kind, "%s", kind);
    snprintf(out->name, sizeof out->name, "%s", name);
    snprintf(out->detail, sizeof out->detail, "%s", detail ? detail : "");
}

static void on_decision(void *ctx, uint64_t t_ns, uint32_t no, const char *kind, const char *params,
                        bool taken)
{
    struct listening *l = ctx;
    if (l->on_decision)
        l->on_decision(l->ctx, t_ns, no, kind, params, taken);
}

void shrink_try(struct engine *engine, const struct args_run *args,
                const volatile sig_atomic_t *interrupt,
                void (*decided)(void *ctx, uint64_t t_ns, uint32_t no, const char *kind,
                                const char *params, bool taken),
                void *ctx, struct shrink_failure *out)
{
    struct listening l = {.out = out, .on_decision = decided, .ctx = ctx};
    struct engine_options options;
    struct engine_result result;
    memset(out, 0, sizeof *out);
    run_options(&options, args);
    options.interrupt = interrupt;
    options.observer =
        (struct engine_observer){.ctx = &l, .on_check = on_check, .on_decision = on_decision};
    engine_run(engine, &options, NULL, NULL, &result);
    out->fails = out->fails && result.outcome == ENGINE_FAIL;
    out->decisions = result.decisions;
    out->nodes = result.nodes;
    out->peers = result.peers;
    out->events = result.events;
}

bool shrink_same(const struct shrink_failure *a, const struct shrink_failure *b)
{
    return a->fails && b->fails && strcmp(a->kind, b->kind) == 0 && strcmp(a->name, b->name) == 0;
}

/* ---- candidates ---- */

/* What may differ from the run at hand. */
struct candidate {
    struct ddmin_set kept;
    bool all; /* no decision is left out but those that the run itself did */
    uint64_t until_ns;
    size_t param; /* of s->params; param_count: none changes */
    uint64_t value;
    bool bare_too; /* it counts only if it holds without any fault */
};

/* Candidates that are tried side by side, and the first that fails as wanted. */
struct batch {
    struct shrink *s;
    const struct candidate *candidates;
    const struct shrink_failure *wanted; /* NULL: any failure */
    size_t count, next;
    struct shrink_failure *failures; /* by candidate */
    bool *done, *good;
    size_t first; /* that is good, with all before it done; count: none so far */
};

/* The numbers as text and the list of parameters that args point to. */
struct room {
    struct engine_param *params;
    char (*values)[SHRINK_VALUE];
};

static void args_of(const struct shrink *s, const struct candidate *c, struct args_run *out,
                    struct room *room)
{
    const struct args_run *base = &s->rerun->args;
    *out = *base;
    room->params = calloc(base->param_count + 1, sizeof *room->params);
    room->values = calloc(s->param_count + 1, sizeof *room->values);
    if (!room->params || !room->values)
        abort();
    for (size_t i = 0; i < base->param_count; i++) {
        room->params[i] = base->params[i];
        for (size_t k = 0; k < s->param_count; k++)
            if (strcmp(s->params[k].name, base->params[i].key) == 0) {
                uint64_t value = k == c->param ? c->value : s->params[k].value;
                snprintf(room->values[k], SHRINK_VALUE, "%" PRIu64, value);
                room->params[i].value = room->values[k];
            }
    }
    out->params = room->params;
    /* What is looked at now and then may be missed in a smaller run. */
    out->audit = base->audit || (base->world == ENGINE_SIM && s->first.fails &&
                                 strcmp(s->first.name, ENGINE_BOOKS) == 0);
    if (!c->all) {
        out->has_only = true;
        out->only = c->kept.items;
        out->only_count = c->kept.count;
    }
    if (c->until_ns)
        out->until_ns = c->until_ns;
}

static void room_free(struct room *room)
{
    free(room->params);
    free(room->values);
}

static void try_candidate(const struct shrink *s, const struct candidate *c,
                          struct shrink_failure *out, bool *bare_holds)
{
    struct args_run args;
    struct room room;
    struct shrink_failure bare;
    args_of(s, c, &args, &room);
    shrink_try(s->rerun->loaded.engine, &args, s->interrupt, NULL, NULL, out);
    *bare_holds = true;
    if (out->fails && c->bare_too) {
        args.has_only = true;
        args.only_count = 0;
        shrink_try(s->rerun->loaded.engine, &args, s->interrupt, NULL, NULL, &bare);
        *bare_holds = !bare.fails;
    }
    room_free(&room);
}

/* ---- batches ---- */

struct answer {
    struct shrink_failure failure;
    bool bare_holds;
};

static bool next(void *ctx, uint64_t *job)
{
    struct batch *b = ctx;
    struct shrink *s = b->s;
    if (b->next == b->count || (b->next > 0 && s->runs >= s->max_runs))
        return false;
    *job = b->next++;
    s->runs++;
    return true;
}

static void *work(void *ctx, uint64_t job, size_t *len)
{
    struct batch *b = ctx;
    struct answer *answer = calloc(1, sizeof *answer);
    if (!answer)
        return NULL;
    try_candidate(b->s, &b->candidates[job], &answer->failure, &answer->bare_holds);
    *len = sizeof *answer;
    return answer;
}

/* Notes an answer. False once the first good one is known. */
static bool note(struct batch *b, uint64_t job, const struct answer *answer)
{
    const struct shrink_failure *f = &answer->failure;
    b->done[job] = true;
    b->failures[job] = *f;
    b->good[job] = f->fails && answer->bare_holds && (!b->wanted || shrink_same(f, b->wanted));
    size_t i = 0;
    while (i < b->count && b->done[i] && !b->good[i])
        i++;
    b->first = i < b->count && b->done[i] ? i : b->count;
    return b->first == b->count;
}

static bool done(void *ctx, uint64_t job, const void *result, size_t len)
{
    struct answer answer = {.bare_holds = false};
    if (len == sizeof answer)
        memcpy(&answer, result, sizeof answer);
    return note(ctx, job, &answer);
}

static bool lost(void *ctx, uint64_t job, const char *why)
{
    struct answer answer = {.failure = {.fails = true, .kind = "death"}, .bare_holds = true};
    snprintf(answer.failure.name, sizeof answer.failure.name, "%s", why);
    return note(ctx, job, &answer);
}

static void tick(void *ctx)
{
    const struct shrink *s = ((struct batch *)ctx)->s;
    if (s->tick)
        s->tick(s->ctx, s->runs);
}

/* Tries them all, or up to the first good one: its place (or `count`) in *first, how it fails in
 * *failure. False where the search is to stop. */
static bool try_all(struct shrink *s, const struct candidate *candidates, size_t count,
                    const struct shrink_failure *wanted, size_t *first,
                    struct shrink_failure *failure)
{
    struct batch b = {
        .s = s, .candidates = candidates, .count = count, .wanted = wanted, .first = count};
    b.failures = calloc(count, sizeof *b.failures);
    b.done = calloc(2 * count, sizeof *b.done);
    if (!b.failures || !b.done)
        abort();
    b.good = b.done + count;
    const struct pool_ops ops = {
        .ctx = &b, .next = next, .work = work, .done = done, .lost = lost, .tick = tick};
    enum pool_end end = pool_run(&ops, s->jobs < count ? s->jobs : (uint32_t)count, s->interrupt);
    *first = b.first;
    if (b.first < count && failure)
        *failure = b.failures[b.first];
    free(b.failures);
    free(b.done);
    bool on = (end == POOL_DONE || end == POOL_STOPPED) && s->runs < s->max_runs;
    s->stopped = s->stopped || !on;
    return on || b.first < count;
}

/* ---- decisions ---- */

static struct candidate as_it_is(const struct shrink *s)
{
    return (struct candidate){
        .kept = s->kept, .until_ns = s->until_ns, .param = s->param_count, .value = 0};
}

static bool try_sets(void *ctx, const struct ddmin_set *sets, size_t count, size_t *first)
{
    struct shrink *s = ctx;
    struct shrink_failure failure;
    struct candidate *c = calloc(count, sizeof *c);
    if (!c)
        abort();
    for (size_t i = 0; i < count; i++) {
        c[i] = as_it_is(s);
        c[i].kept = sets[i];
    }
    bool on = try_all(s, c, count, &s->first, first, &failure);
    if (*first < count)
        s->last = failure;
    free(c);
    return on && !(*first == count && s->stopped);
}

static void say(const struct shrink *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void say(const struct shrink *s, const char *format, ...)
{
    char line[600];
    va_list args;
    if (!s->tell)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    s->tell(s->ctx, line);
}

static void shrink_decisions(struct shrink *s)
{
    const size_t before = s->kept.count;
    const uint64_t runs = s->runs;
    ddmin(&s->kept, try_sets, s);
    if (s->kept.count < before)
        say(s, "%zu of %zu decisions are enough (%" PRIu64 " runs)", s->kept.count, before,
            s->runs - runs);
}

/* ---- parameters ---- */

/* Ascending values below v, at most PARAM_TRIES. */
static size_t smaller(uint64_t v, uint64_t out[PARAM_TRIES])
{
    const uint64_t tries[PARAM_TRIES] = {1, 2,     3,     4,     5,         6,
                                         8, v / 8, v / 4, v / 2, v - v / 4, v - 1};
    size_t n = 0;
    for (size_t i = 0; i < PARAM_TRIES; i++)
        if (tries[i] > 0 && tries[i] < v && (n == 0 || tries[i] > out[n - 1]))
            out[n++] = tries[i];
    return n;
}

/* One parameter as small as it gets. Returns whether it became smaller. */
static bool shrink_param(struct shrink *s, size_t which, bool all)
{
    struct shrink_param *p = &s->params[which];
    const uint64_t before = p->value;
    while (!s->stopped) {
        uint64_t values[PARAM_TRIES];
        struct candidate c[PARAM_TRIES];
        struct shrink_failure failure;
        size_t first, n = smaller(p->value, values);
        for (size_t i = 0; i < n; i++) {
            c[i] = as_it_is(s);
            c[i].all = all;
            c[i].param = which;
            c[i].value = values[i];
            c[i].bare_too = s->holds_bare;
        }
        if (n == 0 || !try_all(s, c, n, &s->first, &first, &failure) || first == n)
            break;
        p->value = values[first];
        s->last = failure;
    }
    if (p->value < before)
        say(s, "%s = %" PRIu64 " is enough, instead of %" PRIu64, p->name, p->value, before);
    return p->value < before;
}

static bool shrink_params(struct shrink *s, bool all)
{
    bool any = false;
    for (size_t i = 0; i < s->param_count && !s->stopped; i++)
        any = shrink_param(s, i, all) || any;
    return any;
}

/* ---- time ---- */

/* Up to the failure and no shorter: what is cut earlier fails for being cut. */
static void shrink_time(struct shrink *s)
{
    struct candidate c = as_it_is(s);
    struct shrink_failure failure;
    size_t first;
    if (s->last.t_ns == 0)
        return;
    c.until_ns = s->last.t_ns + 1000000;
    if (s->until_ns && s->until_ns <= c.until_ns)
        return;
    if (!try_all(s, &c, 1, &s->last, &first, &failure) || first == 1 ||
        failure.t_ns != s->last.t_ns)
        return;
    s->until_ns = c.until_ns;
    s->last = failure;
    say(s, "it ends at %.3f s, where it fails", (double)c.until_ns / 1e9);
}

/* ---- the search ---- */

static void find_params(struct shrink *s)
{
    const struct args_run *args = &s->rerun->args;
    s->params = calloc(args->param_count + 1, sizeof *s->params);
    if (!s->params)
        abort();
    for (size_t i = 0; i < args->param_count; i++) {
        const char *end;
        uint64_t value;
        const char *text = args->params[i].value;
        if (seeds_number(text, &end, &value) && !*end && value > 1)
            s->params[s->param_count++] =
                (struct shrink_param){.name = args->params[i].key, .value = value, .was = value};
    }
}

/* All decisions that the run carried out. */
static void keep_all(struct shrink *s)
{
    const struct args_run *args = &s->rerun->args;
    free(s->kept.items);
    s->kept.items = calloc(s->last.decisions + 1u, sizeof *s->kept.items);
    s->kept.count = 0;
    if (!s->kept.items)
        abort();
    for (uint32_t no = 1; no <= s->last.decisions; no++) {
        bool out = false;
        bool in = !args->has_only;
        for (size_t i = 0; i < args->left_out_count; i++)
            out = out || args->left_out[i] == no;
        for (size_t i = 0; i < args->only_count; i++)
            in = in || args->only[i] == no;
        if (in && !out)
            s->kept.items[s->kept.count++] = no;
    }
}

enum shrink_end shrink_search(struct shrink *s)
{
    struct candidate c = {.all = true};
    size_t first;
    s->params = NULL;
    s->param_count = 0;
    find_params(s);
    c.param = s->param_count;
    if (!try_all(s, &c, 1, NULL, &first, &s->first))
        return SHRINK_FAILED;
    if (first == 1)
        return SHRINK_HOLDS;
    s->last = s->first;
    keep_all(s);
    c.all = false;
    if (!try_all(s, &c, 1, NULL, &first, NULL))
        return SHRINK_DONE;
    s->holds_bare = first == 1;
    if (s->holds_bare && shrink_params(s, true))
        keep_all(s);
    for (bool again = true; again && !s->stopped;) {
        shrink_decisions(s);
        again = !s->stopped && shrink_params(s, false);
    }
    if (!s->stopped || s->runs >= s->max_runs)
        shrink_time(s);
    return SHRINK_DONE;
}

void shrink_free(struct shrink *s)
{
    free(s->kept.items);
    free(s->params);
}

void shrink_args(const struct shrink *s, struct args_run *out)
{
    const struct candidate c = as_it_is(s);
    struct room room;
    args_of(s, &c, out, &room);
    for (size_t i = 0; i < out->param_count; i++) {
        char *value = strdup(out->params[i].value);
        if (!value)
            abort();
        out->params[i].value = value;
    }
    free(room.values);
}

void shrink_args_free(struct args_run *args)
{
    for (size_t i = 0; i < args->param_count; i++)
        free((char *)(uintptr_t)args->params[i].value);
    free(args->params);
}
