/* See record_compare.h. Rows are not kept: of each run's a 64-bit hash is, to find the first one
 * that differs, and then that one is read again. */
#include "vibesim/record_compare.h"

#include "store/recorder.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define LOOK_ROWS 10000u /* the level shows in the first rows */

/* ---- what was asked for ---- */

/* Copies of the texts, for the reader lends them until its next call. */
struct asked {
    char *texts[5];
    uint64_t seed;
    uint64_t sim_ns, events, hash;
    bool has_hash;
    char verdict[16];
};

static const char *const asked_names[5] = {"scenario", "version of the scenario", "parameters",
                                           "world", "options"};

static bool ask(const struct compared *one, struct asked *a, char *why, size_t size)
{
    struct read_run run;
    memset(a, 0, sizeof *a);
    if (!reader_run(one->reader, one->run, &run, why, size))
        return false;
    const char *const texts[5] = {run.scenario, run.sha256, run.params, run.world, run.options};
    for (int i = 0; i < 5; i++)
        if (!(a->texts[i] = strdup(texts[i] ? texts[i] : i == 4 ? "{}" : "")))
            abort();
    a->seed = run.seed;
    a->sim_ns = run.sim_ns;
    a->events = run.events;
    a->has_hash = run.has_hash && run.verdict && strcmp(run.verdict, "interrupted") != 0;
    a->hash = run.has_hash ? run.trace_hash : 0;
    snprintf(a->verdict, sizeof a->verdict, "%s", run.verdict ? run.verdict : "");
    return true;
}

static void asked_free(struct asked *a)
{
    for (int i = 0; i < 5; i++)
        free(a->texts[i]);
}

static bool comparable(const struct compared two[2], const struct asked asked[2], char *why,
                       size_t size)
{
    int n = 0;
    while (n < 5 && strcmp(asked[0].texts[n], asked[1].texts[n]) == 0)
        n++;
    if (n < 5)
        snprintf(why, size,
                 "run %lld of %s and run %lld of %s cannot be compared: the %s differs, %.100s and "
                 "%.100s",
                 (long long)two[0].run, reader_path(two[0].reader), (long long)two[1].run,
                 reader_path(two[1].reader), asked_names[n],
                 asked[0].texts[n][0] ? asked[0].texts[n] : "none",
                 asked[1].texts[n][0] ? asked[1].texts[n] : "none");
    else if (asked[0].seed != asked[1].seed)
        snprintf(why, size,
                 "run %lld of %s and run %lld of %s cannot be compared: the seed differs, %llu and "
                 "%llu",
                 (long long)two[0].run, reader_path(two[0].reader), (long long)two[1].run,
                 reader_path(two[1].reader), (unsigned long long)asked[0].seed,
                 (unsigned long long)asked[1].seed);
    else if (strcmp(asked[0].texts[3], "sim") != 0)
        snprintf(why, size,
                 "run %lld of %s was in the world %s, which repeats nothing: two of its runs "
                 "cannot be compared",
                 (long long)two[0].run, reader_path(two[0].reader), asked[0].texts[3]);
    else
        return true;
    return false;
}

/* ---- marks ---- */

struct marks {
    struct read_mark *all;
    size_t count, capacity;
};

static bool take_mark(void *ctx, const struct read_mark *mark)
{
    struct marks *m = ctx;
    if (m->count == m->capacity) {
        m->capacity = m->capacity ? 2 * m->capacity : 1024;
        m->all = realloc(m->all, m->capacity * sizeof *m->all);
        if (!m->all)
            abort();
    }
    m->all[m->count++] = *mark;
    return true;
}

/* Marks at equal times, but those that a run did not live to see the end of. */
static void compare_marks(const struct marks m[2], const uint64_t ends_ns[2],
                          struct compare_result *out)
{
    bool equal = true;
    out->to_ns = UINT64_MAX;
    for (size_t i = 0, k = 0; i < m[0].count && k < m[1].count;) {
        const struct read_mark *a = &m[0].all[i], *b = &m[1].all[k];
        if (a->t_ns > ends_ns[0] || b->t_ns > ends_ns[1])
            break;
        if (a->t_ns != b->t_ns) {
            a->t_ns < b->t_ns ? i++ : k++;
            continue;
        }
        out->marks++;
        const bool same = a->hash == b->hash && a->events == b->events;
        if (equal && same) {
            out->marks_equal++;
            out->from_ns = a->t_ns;
            out->from_events = a->events;
        } else if (equal) {
            equal = false;
            out->to_ns = a->t_ns;
            out->to_events[0] = a->events;
            out->to_events[1] = b->events;
        }
        i++;
        k++;
    }
}

/* ---- rows of events ---- */

struct rows {
    uint64_t *all;
    size_t count, capacity;
};

static void row_words(char *out, size_t size, const struct read_event *e)
{
    snprintf(out, size,
             "t=%" PRIu64 ".%09" PRIu64 "s node %" PRId64 ": %s%s%s peer %" PRId64 " link %" PRIu64
             " bytes %" PRIu64 " %s",
             e->t_ns / 1000000000u, e->t_ns % 1000000000u, e->node, e->kind, e->msg ? " " : "",
             e->msg ? e->msg : "", e->peer, e->link, e->bytes, e->detail ? e->detail : "");
}

static bool take_row(void *ctx, const struct read_event *e)
{
    struct rows *rows = ctx;
    char words[700];
    row_words(words, sizeof words, e);
    if (rows->count == rows->capacity) {
        rows->capacity = rows->capacity ? 2 * rows->capacity : 4096;
        rows->all = realloc(rows->all, rows->capacity * sizeof *rows->all);
        if (!rows->all)
            abort();
    }
    rows->all[rows->count++] = XXH3_64bits(words, strlen(words));
    return true;
}

struct find_row {
    size_t left;
    char *words;
    size_t size;
    uint64_t t_ns;
    int64_t node;
};

static bool find_row(void *ctx, const struct read_event *e)
{
    struct find_row *f = ctx;
    if (f->left-- > 0)
        return true;
    row_words(f->words, f->size, e);
    f->t_ns = e->t_ns;
    f->node = e->node;
    return false;
}

static bool compare_rows(const struct compared two[2], struct compare_result *out, char *why,
                         size_t size)
{
    struct rows rows[2] = {{0}, {0}};
    size_t at = 0;
    bool ok = true;
    for (int i = 0; ok && i < 2; i++)
        ok = reader_events(two[i].reader, two[i].run, take_row, &rows[i], why, size);
    while (ok && at < rows[0].count && at < rows[1].count && rows[0].all[at] == rows[1].all[at])
        at++;
    out->has_row = ok && (at < rows[0].count || at < rows[1].count);
    out->rows_same = at;
    out->row_t_ns = UINT64_MAX;
    out->row_node = -1;
    for (int i = 0; ok && i < 2; i++) {
        struct find_row f = {at, out->rows[i], sizeof out->rows[i], 0, -1};
        out->rows_end[i] = at >= rows[i].count;
        if (out->rows_end[i])
            continue;
        ok = reader_events(two[i].reader, two[i].run, find_row, &f, why, size);
        if (f.t_ns < out->row_t_ns) {
            out->row_t_ns = f.t_ns;
            out->row_node = f.node;
        }
    }
    free(rows[0].all);
    free(rows[1].all);
    return ok;
}

static bool look_row(void *ctx, const struct read_event *e)
{
    int *level = ctx;
    if (strcmp(e->kind, "msg-in") == 0 && *level < RECORD_MESSAGES)
        *level = RECORD_MESSAGES;
    if (strcmp(e->kind, "peer-state") == 0 || strcmp(e->kind, "msg-out") == 0)
        *level = RECORD_EVENTS;
    return e->seq < LOOK_ROWS && *level < RECORD_EVENTS;
}

bool record_compare_level(const struct compared *one, int *level, char *why, size_t size)
{
    *level = RECORD_SUMMARY;
    return reader_events(one->reader, one->run, look_row, level, why, size);
}

/* ---- all of it ---- */

static bool same_level(const struct compared two[2], bool *same, char *why, size_t size)
{
    int levels[2];
    for (int i = 0; i < 2; i++)
        if (!record_compare_level(&two[i], &levels[i], why, size))
            return false;
    *same = levels[0] == levels[1];
    return true;
}

static bool compare(const struct compared two[2], const struct asked asked[2],
                    struct compare_result *out, char *why, size_t size)
{
    struct marks marks[2] = {{0}, {0}};
    const uint64_t ends_ns[2] = {asked[0].has_hash ? UINT64_MAX : asked[0].sim_ns,
                                 asked[1].has_hash ? UINT64_MAX : asked[1].sim_ns};
    bool ok = true, rows = false;
    for (int i = 0; ok && i < 2; i++)
        ok = reader_marks(two[i].reader, two[i].run, take_mark, &marks[i], why, size);
    if (ok)
        compare_marks(marks, ends_ns, out);
    free(marks[0].all);
    free(marks[1].all);
    out->whole = asked[0].has_hash && asked[1].has_hash;
    out->hashes[0] = asked[0].hash;
    out->hashes[1] = asked[1].hash;
    if (ok && !out->whole && out->marks == 0) {
        const int i = asked[0].has_hash;
        snprintf(why, size,
                 "run %lld of %s has nothing to compare: it ended (%s) before it was written down "
                 "what it was like; make it again",
                 (long long)two[i].run, reader_path(two[i].reader),
                 asked[i].verdict[0] ? asked[i].verdict : "no verdict");
        return false;
    }
    out->same = out->whole ? asked[0].hash == asked[1].hash : out->marks_equal == out->marks;
    if (!ok || out->same)
        return ok;
    if (asked[0].events != asked[1].events || asked[0].sim_ns != asked[1].sim_ns ||
        strcmp(asked[0].verdict, asked[1].verdict) != 0)
        snprintf(out->results, sizeof out->results,
                 "%s after %" PRIu64 " events and %.6f s; %s after %" PRIu64 " events and %.6f s",
                 asked[0].verdict, asked[0].events, (double)asked[0].sim_ns / 1e9, asked[1].verdict,
                 asked[1].events, (double)asked[1].sim_ns / 1e9);
    return same_level(two, &rows, why, size) && (!rows || compare_rows(two, out, why, size));
}

bool record_compare(const struct compared two[2], bool again, struct compare_result *out, char *why,
                    size_t size)
{
    struct asked asked[2];
    memset(out, 0, sizeof *out);
    memset(asked, 0, sizeof asked);
    const bool ok = ask(&two[0], &asked[0], why, size) && ask(&two[1], &asked[1], why, size) &&
                    (again || comparable(two, asked, why, size)) &&
                    compare(two, asked, out, why, size);
    asked_free(&asked[0]);
    asked_free(&asked[1]);
    return ok;
}
