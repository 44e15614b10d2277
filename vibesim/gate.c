/* The model of the gate, and its judgement; see gate.h. */
#include "vibesim/gate.h"

#include "vibesim/cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void *grown(void *array, size_t count, size_t size)
{
    void *p = realloc(array, (count ? count : 1) * size);
    if (!p)
        abort();
    return p;
}

char *gate_copy(const char *text)
{
    char *copy = text ? strdup(text) : NULL;
    if (text && !copy)
        abort();
    return copy;
}

/* ---- the model ---- */

void gate_init(struct gate *gate, const char *baseline)
{
    *gate = (struct gate){.baseline = baseline, .threshold = GATE_THRESHOLD, .alpha = GATE_ALPHA};
}

static void run_free(struct gate_run *run)
{
    free(run->verdict);
    free(run->reason);
}

static void metric_free(struct gate_metric *m)
{
    free(m->name);
    free(m->before);
    free(m->after);
}

void gate_case_free(struct gate_case *c)
{
    char *texts[] = {c->name, c->label, c->sha256, c->params, c->options, c->file, c->file_before};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free(texts[i]);
    for (size_t i = 0; i < c->pair_count; i++) {
        run_free(&c->pairs[i].before);
        run_free(&c->pairs[i].after);
    }
    for (size_t i = 0; i < c->metric_count; i++)
        metric_free(&c->metrics[i]);
    free(c->pairs);
    free(c->metrics);
    rerun_free(&c->again);
    tally_clear(&c->tally);
    *c = (struct gate_case){0};
}

void gate_free(struct gate *gate)
{
    for (size_t i = 0; i < gate->case_count; i++)
        gate_case_free(&gate->cases[i]);
    free(gate->cases);
    free(gate->build_before);
    *gate = (struct gate){0};
}

struct gate_case *gate_add_case(struct gate *gate, const char *name)
{
    gate->cases = grown(gate->cases, gate->case_count + 1, sizeof *gate->cases);
    struct gate_case *c = &gate->cases[gate->case_count++];
    *c = (struct gate_case){.name = gate_copy(name)};
    return c;
}

/* The place of the first pair whose seed is not below that. */
static size_t place_of(const struct gate_case *c, uint64_t seed)
{
    size_t low = 0, high = c->pair_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (c->pairs[mid].seed < seed)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct gate_pair *gate_find_pair(struct gate_case *c, uint64_t seed)
{
    size_t at = place_of(c, seed);
    return at < c->pair_count && c->pairs[at].seed == seed ? &c->pairs[at] : NULL;
}

static void more_room(struct gate_case *c)
{
    c->pair_room = c->pair_room ? 2 * c->pair_room : 32;
    c->pairs = grown(c->pairs, c->pair_room, sizeof *c->pairs);
    for (size_t i = 0; i < c->metric_count; i++) {
        struct gate_metric *m = &c->metrics[i];
        m->before = grown(m->before, c->pair_room, sizeof *m->before);
        m->after = grown(m->after, c->pair_room, sizeof *m->after);
    }
}

static void insert_none(double *at, size_t behind)
{
    memmove(at + 1, at, behind * sizeof *at);
    *at = (double)NAN;
}

struct gate_pair *gate_add_pair(struct gate_case *c, uint64_t seed)
{
    size_t at = place_of(c, seed);
    if (at < c->pair_count && c->pairs[at].seed == seed)
        return &c->pairs[at];
    if (c->pair_count == c->pair_room)
        more_room(c);
    const size_t behind = c->pair_count++ - at;
    memmove(&c->pairs[at + 1], &c->pairs[at], behind * sizeof *c->pairs);
    c->pairs[at] = (struct gate_pair){.seed = seed};
    for (size_t i = 0; i < c->metric_count; i++) {
        insert_none(c->metrics[i].before + at, behind);
        insert_none(c->metrics[i].after + at, behind);
    }
    return &c->pairs[at];
}

void gate_keep_pairs(struct gate_case *c, const bool *kept)
{
    size_t n = 0;
    for (size_t i = 0; i < c->pair_count; i++) {
        if (!kept[i]) {
            run_free(&c->pairs[i].before);
            run_free(&c->pairs[i].after);
            continue;
        }
        c->pairs[n] = c->pairs[i];
        for (size_t m = 0; m < c->metric_count; m++) {
            c->metrics[m].before[n] = c->metrics[m].before[i];
            c->metrics[m].after[n] = c->metrics[m].after[i];
        }
        n++;
    }
    c->pair_count = n;
}

static double *no_figures(size_t count)
{
    double *figures = grown(NULL, count, sizeof *figures);
    for (size_t i = 0; i < count; i++)
        figures[i] = (double)NAN;
    return figures;
}

static struct gate_metric *metric_of(struct gate_case *c, const char *name)
{
    for (size_t i = 0; i < c->metric_count; i++) {
        size_t at = (c->hint + i) % c->metric_count;
        if (strcmp(c->metrics[at].name, name) == 0) {
            c->hint = at + 1;
            return &c->metrics[at];
        }
    }
    c->metrics = grown(c->metrics, c->metric_count + 1, sizeof *c->metrics);
    struct gate_metric *m = &c->metrics[c->metric_count++];
    *m = (struct gate_metric){.name = gate_copy(name),
                              .before = no_figures(c->pair_room),
                              .after = no_figures(c->pair_room)};
    return m;
}

void gate_set_figure(struct gate_case *c, size_t pair, bool after, const char *name, double value)
{
    struct gate_metric *m = metric_of(c, name);
    (after ? m->after : m->before)[pair] = value;
}

/* ---- which way is better ---- */

enum engine_better gate_better_by_name(const char *name)
{
    static const char *const ends[] = {"_s", "_ms", "_us", "_ns", "_bytes"};
    static const char *const names[] = {"messages", "bytes", "events", "stale_blocks", "tips"};
    size_t len = strlen(name);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t end = strlen(ends[i]);
        if (len > end && strcmp(name + len - end, ends[i]) == 0)
            return ENGINE_BETTER_LESS;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return ENGINE_BETTER_LESS;
    return ENGINE_BETTER_UNSAID;
}

static enum engine_better better_of(const struct gate_case *c, const char *name)
{
    const struct engine_about *about =
        c->again.loaded.engine ? engine_about(c->again.loaded.engine) : NULL;
    for (size_t i = 0; about && i < about->better_count; i++)
        if (strcmp(about->better[i].metric, name) == 0)
            return about->better[i].better;
    return gate_better_by_name(name);
}

/* ---- the judgement ---- */

static bool holds(const struct gate_run *run)
{
    return run->there && run->status == CLI_OK;
}

/* Puts the figures of pairs that have both together; returns how many. */
static size_t collect(const struct gate_case *c, const struct gate_metric *m, double *before,
                      double *after)
{
    size_t n = 0;
    for (size_t i = 0; i < c->pair_count; i++)
        if (holds(&c->pairs[i].before) && holds(&c->pairs[i].after) &&
            compare_is_figure(m->before[i]) && compare_is_figure(m->after[i])) {
            before[n] = m->before[i];
            after[n++] = m->after[i];
        }
    return n;
}

/* Of a metric that no pair tells. */
static enum gate_change one_sided(const struct gate_case *c, const struct gate_metric *m)
{
    bool before = false, after = false;
    for (size_t i = 0; i < c->pair_count; i++) {
        before = before || compare_is_figure(m->before[i]);
        after = after || compare_is_figure(m->after[i]);
    }
    return before && after ? GATE_WITHIN : after ? GATE_NEW : GATE_GONE;
}

static void compare_case(struct gate *gate, struct gate_case *c)
{
    double *before = no_figures(c->pair_count), *after = no_figures(c->pair_count);
    for (size_t i = 0; i < c->metric_count; i++) {
        struct gate_metric *m = &c->metrics[i];
        size_t n = collect(c, m, before, after);
        m->better = better_of(c, m->name);
        m->p = 1;
        m->compare = (struct compare){0};
        m->change = one_sided(c, m);
        if (n == 0)
            continue;
        compare_pairs(&m->compare, before, after, n);
        m->change = m->compare.moved ? GATE_WITHIN : GATE_EQUAL;
        gate->compared++;
        gate->tested += m->compare.moved > 0;
    }
    free(before);
    free(after);
}

static enum gate_change judged(const struct gate *gate, const struct gate_metric *m)
{
    double change = m->compare.change;
    bool beyond = change > gate->threshold || -change > gate->threshold;
    if (m->p > gate->alpha || !beyond)
        return GATE_WITHIN;
    if (m->better == ENGINE_BETTER_UNSAID)
        return GATE_MOVED;
    return (change > 0) == (m->better == ENGINE_BETTER_MORE) ? GATE_BETTER : GATE_WORSE;
}

/* A metric none of whose pairs differ cannot raise an alarm however chance falls (its least
 * probability is 1), so it is not one of the tests that the correction is for (Tarone 1990,
 * Biometrics 46). */
static void correct(struct gate *gate)
{
    double *p = no_figures(gate->tested);
    struct gate_metric **of = grown(NULL, gate->tested, sizeof *of);
    size_t n = 0;
    for (size_t i = 0; i < gate->case_count; i++)
        for (size_t k = 0; k < gate->cases[i].metric_count; k++) {
            struct gate_metric *m = &gate->cases[i].metrics[k];
            if (m->compare.moved) {
                of[n] = m;
                p[n++] = m->compare.p;
            }
        }
    compare_holm(p, p, n);
    for (size_t i = 0; i < n; i++) {
        of[i]->p = p[i];
        of[i]->change = judged(gate, of[i]);
    }
    free(p);
    free(of);
}

static void count_case(struct gate_case *c)
{
    c->held = c->failed = c->skipped = 0;
    c->paired = c->identical = c->failed_before = c->worse = 0;
    for (size_t i = 0; i < c->pair_count; i++) {
        const struct gate_run *before = &c->pairs[i].before, *after = &c->pairs[i].after;
        c->failed_before += before->there && before->status == CLI_CHECK_FAILED;
        c->held += holds(after);
        c->skipped += after->there && after->status == CLI_SKIPPED;
        c->failed += after->there && after->status != CLI_OK && after->status != CLI_SKIPPED;
        c->paired += before->there && after->there;
        c->identical += before->there && after->there && before->has_hash && after->has_hash &&
                        before->hash == after->hash;
    }
    for (size_t i = 0; i < c->metric_count; i++)
        c->worse += c->metrics[i].change == GATE_WORSE;
}

/* Pairs that can be compared. */
static uint64_t pairs_of(const struct gate_case *c)
{
    uint64_t n = 0;
    for (size_t i = 0; i < c->pair_count; i++)
        n += holds(&c->pairs[i].before) && holds(&c->pairs[i].after);
    return n;
}

void gate_judge(struct gate *gate)
{
    gate->tested = gate->compared = 0;
    gate->runs = gate->held = gate->failed = gate->skipped = gate->identical = gate->paired = 0;
    gate->worse = gate->never = 0;
    gate->few = false;
    for (size_t i = 0; i < gate->case_count; i++)
        if (gate->cases[i].file)
            compare_case(gate, &gate->cases[i]);
    correct(gate);
    gate->needed = compare_pairs_needed(gate->tested, gate->alpha);
    for (size_t i = 0; i < gate->case_count; i++) {
        struct gate_case *c = &gate->cases[i];
        if (!c->file)
            continue;
        uint64_t pairs = pairs_of(c);
        count_case(c);
        gate->runs += c->held + c->failed + c->skipped;
        gate->held += c->held;
        gate->failed += c->failed;
        gate->skipped += c->skipped;
        gate->identical += c->identical;
        gate->paired += c->paired;
        gate->worse += c->worse;
        gate->never += c->skipped ? 0 : tally_never(&c->tally);
        gate->few = gate->few || (pairs && c->identical < pairs && pairs < gate->needed);
    }
}

bool gate_case_holds(const struct gate_case *c)
{
    return c->failed == 0 && c->worse == 0 && (c->skipped || tally_never(&c->tally) == 0);
}

bool gate_holds(const struct gate *gate)
{
    return gate->failed == 0 && gate->worse == 0 && gate->never == 0;
}

static bool has_pairs(const struct gate_case *c)
{
    for (size_t i = 0; i < c->pair_count; i++)
        if (c->pairs[i].before.there)
            return true;
    return false;
}

const char *gate_case_verdict(const struct gate_case *c)
{
    return !c->file                                    ? "gone"
           : !gate_case_holds(c)                       ? "fail"
           : c->skipped && c->skipped == c->pair_count ? "skip"
           : !has_pairs(c)                             ? "new"
                                                       : "pass";
}

const char *gate_change_name(enum gate_change change)
{
    static const char *const names[] = {"equal", "within", "better", "worse",
                                        "moved", "new",    "gone"};
    return names[change];
}
