/* The table of many seeds; see cli_table.h. */
#include "vibesim/cli_table.h"

#include "vibesim/cli_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define METRICS_SHOWN 40u
#define NAME_COLUMN   36

static const char *text_in(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text ? text : "";
}

static uint64_t count_in(const json_t *o, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(o, key));
    return n < 0 ? 0 : (uint64_t)n;
}

static char *cleaned(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    if (!copy)
        abort();
    term_clean(copy, size, text);
    return copy;
}

/* ---- rows ---- */

void table_begin(struct table *t, const struct args_run *args, const char *file,
                 const struct engine_about *about, const char *params, const struct seeds *seeds)
{
    char last[24], count[32], what[72];
    *t = (struct table){.args = args, .file = file, .name = about->name, .seeds = seeds};
    term_style_init(&t->style, stdout);
    bool many = seeds->count > TABLE_ROWS_SHOWN && isatty(STDOUT_FILENO);
    t->human = !args->json && !args->quiet;
    t->rows = t->human && (args->rows == ROWS_ALL || (args->rows == ROWS_AUTO && !many));
    t->seed_width = snprintf(last, sizeof last, "%" PRIu64, seeds_at(seeds, seeds->count - 1));
    t->seed_width = t->seed_width < 4 ? 4 : t->seed_width;
    if (!t->human)
        return;
    term_number(count, seeds->count);
    snprintf(what, sizeof what, "%s seed%s%s", count, seeds->count == 1 ? "" : "s",
             args->swarm ? ", swarm" : "");
    report_title(&t->style, about, what, params);
    if (t->rows || args->rows == ROWS_FAILED || many)
        printf("  %*s  %-11s  %12s  %13s  %6s  %-16s  %9s\n", t->seed_width, "seed", "verdict",
               "simulated s", "events", "height", "trace", "wall s");
    fflush(stdout);
}

static void print_row(const struct table *t, uint64_t seed, const json_t *o, bool held)
{
    char sim[32], events[32], wall[32], verdict[16];
    term_seconds(sim, count_in(o, "sim_ns"));
    term_number(events, count_in(o, "events"));
    term_seconds(wall, count_in(o, "wall_ms") * 1000000u);
    term_clean(verdict, sizeof verdict, text_in(o, "verdict"));
    printf("  %*" PRIu64 "  %s%-11s%s", t->seed_width, seed,
           term_colour(&t->style, held ? TERM_GREEN : TERM_RED), verdict,
           term_colour(&t->style, TERM_PLAIN));
    if (json_object_get(o, "trace_hash") && strcmp(verdict, "skip") != 0)
        printf("  %12s  %13s  %6" PRIu64 "  %-16s  %9s\n", sim, events, count_in(o, "tip_height"),
               json_is_string(json_object_get(o, "trace_hash")) ? text_in(o, "trace_hash") : "-",
               wall);
    else
        printf("  %s\n", text_in(o, "reason"));
    fflush(stdout);
}

static void add_failure(struct table *t, uint64_t seed, json_t *o)
{
    if ((t->failed_count & (t->failed_count - 1)) == 0) {
        size_t room = t->failed_count ? 2 * t->failed_count : 1;
        t->failed = realloc(t->failed, room * sizeof *t->failed);
        if (!t->failed)
            abort();
    }
    if (t->failed_count < TABLE_FAILED_MAX)
        t->told[t->failed_count] = (struct table_failure){seed, cleaned(text_in(o, "verdict")),
                                                          cleaned(text_in(o, "reason"))};
    if (t->failed_count == 0)
        t->first = json_incref(o);
    t->failed[t->failed_count++] = seed;
}

static void add_to_tally(struct tally *tally, const json_t *o)
{
    size_t i;
    json_t *value;
    json_array_foreach(json_object_get(o, "metrics"), i, value)
    {
        json_t *number = json_object_get(value, "value");
        if (json_is_real(number)) /* null: not a number that JSON has */
            tally_add_metric(tally, text_in(value, "name"), json_real_value(number));
    }
    json_array_foreach(json_object_get(o, "checks"), i, value)
    {
        const char *place = json_string_value(json_object_get(value, "detail"));
        if (strcmp(text_in(value, "kind"), "sometimes") == 0)
            tally_add_sometime(tally, text_in(value, "name"), place,
                               json_is_true(json_object_get(value, "ok")));
    }
}

void table_row(struct table *t, uint64_t seed, json_t *result)
{
    bool held = strcmp(text_in(result, "verdict"), "pass") == 0;
    bool skipped = strcmp(text_in(result, "verdict"), "skip") == 0;
    t->done++;
    t->held += held;
    t->skipped += skipped;
    add_to_tally(&t->tally, result);
    if (!held && !skipped)
        add_failure(t, seed, result);
    if (t->rows || (!held && (t->human || skipped) && !t->args->json))
        print_row(t, seed, result, held);
    if (t->args->json) {
        json_dumpf(result, stdout, JSON_SORT_KEYS | JSON_COMPACT);
        printf("\n");
        fflush(stdout);
    }
}

/* ---- the end, for a person ---- */

static void print_metrics(struct table *t)
{
    if (!t->tally.metric_count)
        return;
    printf("\n  %-*s %14s %14s %14s\n", NAME_COLUMN, "metric", "min", "median", "max");
    for (size_t i = 0; i < t->tally.metric_count && i < METRICS_SHOWN; i++) {
        char name[96];
        struct tally_spread s = tally_spread(&t->tally.metrics[i]);
        term_clean(name, sizeof name, t->tally.metrics[i].name);
        printf("  %-*s %14.7g %14.7g %14.7g\n", NAME_COLUMN, name, s.min, s.median, s.max);
    }
    if (t->tally.metric_count > METRICS_SHOWN)
        printf("  ... and %zu more metrics (--json has them)\n",
               t->tally.metric_count - METRICS_SHOWN);
}

/* In any case those that no seed hit: they fail the whole. */
static void print_sometimes(const struct table *t, bool never_alone)
{
    for (size_t i = 0; i < t->tally.sometime_count; i++) {
        const struct tally_sometime *s = &t->tally.sometimes[i];
        char text[256];
        if (i == 0 && t->human)
            printf("\n");
        term_clean(text, sizeof text, s->text);
        if (!s->hits)
            printf("  %s%s%s  sometimes: %s (%s): no seed hit it\n",
                   term_colour(&t->style, TERM_RED), t->style.failed,
                   term_colour(&t->style, TERM_PLAIN), text, s->place);
        else if (!never_alone)
            printf("  %s%s%s  sometimes: %s: %" PRIu64 " of %" PRIu64 " seeds\n",
                   term_colour(&t->style, TERM_GREEN), t->style.ok,
                   term_colour(&t->style, TERM_PLAIN), text, s->hits, t->done);
    }
}

static void print_failures(const struct table *t)
{
    for (size_t i = 0; i < t->failed_count && i < TABLE_FAILED_MAX; i++) {
        printf("%s  seed %" PRIu64 ": %s\n    Again: ", i == 0 && t->human ? "\n" : "",
               t->told[i].seed, t->told[i].reason);
        report_command(t->args, t->file, t->told[i].seed);
    }
    if (t->failed_count > TABLE_FAILED_MAX)
        printf("  ... and %zu more seeds that failed (--json names all)\n",
               t->failed_count - TABLE_FAILED_MAX);
}

static void print_story(const struct table *t)
{
    json_t *story = json_object_get(t->first, "story"), *line;
    size_t i;
    if (!json_array_size(story))
        return;
    printf("\n  The last %zu events that matter of seed %" PRIu64 ":\n", json_array_size(story),
           t->failed[0]);
    json_array_foreach(story, i, line)
    {
        char clean[256];
        term_clean(clean, sizeof clean, json_string_value(line) ? json_string_value(line) : "?");
        printf("    %s\n", clean);
    }
}

static void print_total(const struct table *t, bool holds, bool interrupted)
{
    char name[128], held[32], count[32], done[32];
    const char *plural = t->seeds->count == 1 ? "" : "s";
    term_clean(name, sizeof name, t->name);
    term_number(held, t->held);
    term_number(done, t->done);
    term_number(count, t->seeds->count);
    printf("%s%s%s%s  %s: ", t->human ? "\n" : "",
           term_colour(&t->style, holds && !interrupted ? TERM_GREEN : TERM_RED),
           interrupted             ? "INTERRUPTED"
           : !holds                ? "FAIL"
           : t->skipped == t->done ? "SKIP"
                                   : "PASS",
           term_colour(&t->style, TERM_PLAIN), name);
    if (interrupted)
        printf("%s of %s seed%s done, %s hold", done, count, plural, held);
    else
        printf("%s of %s seed%s hold%s", held, count, plural, *plural ? "" : "s");
    if (!interrupted && t->skipped == 0 && t->args->seeds.count && tally_never(&t->tally))
        printf(", %" PRIu64 " sometimes never", tally_never(&t->tally));
    if (t->skipped > 0)
        printf(", %" PRIu64 " skipped", t->skipped);
    printf("\n");
    fflush(stdout);
}

/* ---- the end, for a program ---- */

static json_t *json_of_metrics(struct table *t)
{
    json_t *array = json_array();
    for (size_t i = 0; i < t->tally.metric_count; i++) {
        struct tally_metric *m = &t->tally.metrics[i];
        struct tally_spread s = tally_spread(m);
        json_array_append_new(array, json_pack("{s:s, s:I, s:f, s:f, s:f}", "name", m->name,
                                               "values", (json_int_t)m->count, "min", s.min,
                                               "median", s.median, "max", s.max));
    }
    return array;
}

static json_t *json_of_sometimes(const struct table *t)
{
    json_t *array = json_array();
    for (size_t i = 0; i < t->tally.sometime_count; i++) {
        const struct tally_sometime *s = &t->tally.sometimes[i];
        json_array_append_new(array,
                              json_pack("{s:s, s:s, s:I, s:I}", "text", s->text, "place", s->place,
                                        "hits", (json_int_t)s->hits, "runs", (json_int_t)s->runs));
    }
    return array;
}

static void print_json(struct table *t, bool holds, bool interrupted)
{
    json_t *failed = json_array();
    for (size_t i = 0; i < t->failed_count; i++) {
        char seed[24];
        snprintf(seed, sizeof seed, "%" PRIu64, t->failed[i]);
        json_array_append_new(failed, json_string(seed));
    }
    json_t *o = json_object();
    json_t *name = json_string(t->name), *file = json_string(t->file);
    json_object_set_new(o, "summary", json_true());
    json_object_set_new(o, "scenario", name ? name : json_string("?"));
    json_object_set_new(o, "file", file ? file : json_string("?"));
    json_object_set_new(o, "verdict",
                        json_string(interrupted             ? "interrupted"
                                    : !holds                ? "fail"
                                    : t->skipped == t->done ? "skip"
                                                            : "pass"));
    json_object_set_new(o, "seeds", json_integer((json_int_t)t->seeds->count));
    json_object_set_new(o, "done", json_integer((json_int_t)t->done));
    json_object_set_new(o, "held", json_integer((json_int_t)t->held));
    json_object_set_new(o, "skipped", json_integer((json_int_t)t->skipped));
    json_object_set_new(o, "failed", failed);
    json_object_set_new(o, "metrics", json_of_metrics(t));
    json_object_set_new(o, "sometimes", json_of_sometimes(t));
    json_dumpf(o, stdout, JSON_SORT_KEYS | JSON_COMPACT);
    printf("\n");
    fflush(stdout);
    json_decref(o);
}

bool table_end(struct table *t, bool interrupted)
{
    /* A `sometimes` is judged over the seeds that were asked for, all of them. */
    bool judged = t->args->seeds.count && !interrupted && t->skipped == 0;
    bool holds = t->held + t->skipped == t->done && !(judged && tally_never(&t->tally));
    if (t->args->json) {
        print_json(t, holds, interrupted);
        return holds;
    }
    if (t->human)
        print_metrics(t);
    if (judged)
        print_sometimes(t, !t->human);
    print_failures(t);
    if (t->human)
        print_story(t);
    print_total(t, holds, interrupted);
    return holds;
}

void table_free(struct table *t)
{
    for (size_t i = 0; i < t->failed_count && i < TABLE_FAILED_MAX; i++) {
        free(t->told[i].verdict);
        free(t->told[i].reason);
    }
    free(t->failed);
    json_decref(t->first);
    tally_clear(&t->tally);
    *t = (struct table){0};
}
