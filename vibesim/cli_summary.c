/* What a sweep tells; see cli_summary.h.
 *
 * The record is read scenario by scenario, in the order of the plan, run by run in the order of
 * their jobs; only one scenario's metrics are held at a time. A `sometimes` is judged where all
 * runs of all shards are there: a shard alone cannot know. */
#include "vibesim/cli_summary.h"

#include "vibesim/cli.h"
#include "vibesim/cli_report.h"
#include "vibesim/cli_session.h"
#include "vibesim/cli_term.h"
#include "vibesim/many.h"
#include "vibesim/shard.h"
#include "vibesim/tally.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NAME_COLUMN 30

/* A failed run that is told. */
struct failure {
    size_t file;
    uint64_t seed;
    char *verdict, *reason;
};

/* One scenario. */
struct chapter {
    size_t file;
    uint64_t expected, done, held, skipped;
    uint64_t *failed; /* seeds */
    size_t failed_count;
    struct tally tally;
};

struct summary {
    const struct summary_options *options;
    const char *db;
    struct reader *reader;
    struct term_style style;
    struct plan plan;
    char *id;
    uint32_t *shards; /* those that are in the record */
    size_t shard_count;
    struct failure told[SUMMARY_TOLD_MAX];
    size_t told_count;
    uint64_t failed_untold;
    bool judged; /* `sometimes` are */
    uint64_t expected, done, held, skipped, never, scenarios_held;
    char *nevers; /* lines of `sometimes` that no run hit */
    size_t nevers_len;
    FILE *nevers_out;
    struct chapter chapter; /* the one that is read */
    int status;
    char why[1024];
};

static void *with_room(void *array, size_t count, size_t size)
{
    if (count & (count - 1))
        return array;
    void *grown = realloc(array, (count ? 2 * count : 1) * size);
    if (!grown)
        abort();
    return grown;
}

static char *cleaned(const char *text)
{
    size_t size = strlen(text ? text : "?") + 1;
    char *copy = malloc(size);
    if (!copy)
        abort();
    term_clean(copy, size, text ? text : "?");
    return copy;
}

static void worsen(struct summary *s, int status)
{
    s->status = many_worse(s->status, status);
}

/* ---- what the record holds --------------------------------------------------------------------
 */

static bool on_shard(void *ctx, const struct read_sweep *row)
{
    struct summary *s = ctx;
    bool first = s->shard_count == 0;
    if (first && (!row->plan || !plan_read(&s->plan, row->plan, s->why, sizeof s->why)))
        return false;
    if (strcmp(s->plan.id, row->id ? row->id : "") != 0 || row->shards != s->plan.shards ||
        row->shard < 1 || row->shard > row->shards) {
        snprintf(s->why, sizeof s->why, "its sweep makes no sense: it is damaged");
        return false;
    }
    s->shards = with_room(s->shards, s->shard_count, sizeof *s->shards);
    s->shards[s->shard_count++] = row->shard;
    return true;
}

static uint64_t expected_of(const struct summary *s, uint64_t first, uint64_t end)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s->shard_count; i++)
        n += shard_jobs(s->shards[i], s->plan.shards, end) -
             shard_jobs(s->shards[i], s->plan.shards, first);
    return n;
}

static bool begin(struct summary *s)
{
    s->reader = reader_open(s->db, s->why, sizeof s->why);
    if (!s->reader) {
        term_error("%s", s->why);
        return false;
    }
    bool read = reader_sweeps(s->reader, on_shard, s, s->why, sizeof s->why);
    if (read && !s->why[0] && !s->shard_count)
        snprintf(s->why, sizeof s->why, "holds no sweep");
    if (s->why[0]) {
        term_error("%s%s%s", read ? s->db : "", read ? ": " : "", s->why);
        return false;
    }
    s->expected = expected_of(s, 0, s->plan.jobs);
    return true;
}

struct check {
    const struct plan *plan;
    char *why;
    size_t size;
    bool wrong;
};

static bool on_checked(void *ctx, const struct read_run *row)
{
    struct check *c = ctx;
    size_t file = 0;
    uint64_t seed = 0;
    c->wrong = row->job >= c->plan->jobs;
    if (!c->wrong) {
        plan_job(c->plan, row->job, &file, &seed);
        c->wrong = row->seed != seed ||
                   strcmp(row->sha256 ? row->sha256 : "", plan_sha256(c->plan, file)) != 0;
    }
    if (c->wrong)
        snprintf(c->why, c->size,
                 "run %lld is not what the plan of its sweep says: the record is damaged",
                 (long long)row->id);
    return !c->wrong;
}

bool summary_check(struct reader *reader, const struct plan *plan, char *why, size_t size)
{
    struct check c = {.plan = plan, .why = why, .size = size};
    return reader_sweep_runs(reader, plan->id, 0, UINT64_MAX, on_checked, &c, why, size) &&
           !c.wrong;
}

/* ---- run by run -------------------------------------------------------------------------------
 */

/* What a failed run's exit status was: the record has its reason in words. */
static int status_of(const struct read_run *run)
{
    const char *reason = run->reason ? run->reason : "";
    if ((run->verdict && strcmp(run->verdict, "fail") == 0) || many_is_death(reason))
        return CLI_CHECK_FAILED;
    size_t len = sizeof SESSION_NOT_DETERMINISTIC - 1;
    return strncmp(reason, SESSION_NOT_DETERMINISTIC, len) == 0 ? CLI_NOT_DETERMINISTIC : CLI_BAD;
}

static void add_failure(struct summary *s, const struct read_run *run)
{
    struct chapter *c = &s->chapter;
    worsen(s, status_of(run));
    c->failed = with_room(c->failed, c->failed_count, sizeof *c->failed);
    c->failed[c->failed_count++] = run->seed;
    if (c->failed_count > SUMMARY_TOLD_OF || s->told_count == SUMMARY_TOLD_MAX)
        s->failed_untold++;
    else
        s->told[s->told_count++] =
            (struct failure){c->file, run->seed, cleaned(run->verdict), cleaned(run->reason)};
}

static bool on_metric(void *ctx, const struct read_metric *m)
{
    struct chapter *c = ctx;
    if (!m->is_null)
        tally_add_metric(&c->tally, m->name ? m->name : "?", m->value);
    return true;
}

static bool on_check(void *ctx, const struct read_check *row)
{
    struct chapter *c = ctx;
    if (row->kind && strcmp(row->kind, "sometimes") == 0)
        tally_add_sometime(&c->tally, row->name ? row->name : "?", row->detail, row->ok);
    return true;
}

static bool on_run(void *ctx, const struct read_run *run)
{
    struct summary *s = ctx;
    struct chapter *c = &s->chapter;
    const char *verdict = run->verdict ? run->verdict : "error";
    bool held = strcmp(verdict, "pass") == 0, skipped = strcmp(verdict, "skip") == 0;
    c->done++;
    c->held += held;
    c->skipped += skipped;
    if (!held && !skipped)
        add_failure(s, run);
    return reader_metrics(s->reader, run->id, on_metric, c, s->why, sizeof s->why) &&
           reader_checks(s->reader, run->id, on_check, c, s->why, sizeof s->why);
}

/* ---- a scenario, told -------------------------------------------------------------------------
 */

static const char *verdict_of(const struct summary *s, const struct chapter *c)
{
    if (c->failed_count || (s->judged && !c->skipped && tally_never(&c->tally)))
        return "FAIL";
    return c->done < c->expected ? "PART" : c->skipped && c->skipped == c->done ? "SKIP" : "PASS";
}

static bool is_good(const char *verdict)
{
    return strcmp(verdict, "FAIL") != 0;
}

static void print_metrics(struct chapter *c)
{
    for (size_t i = 0; i < c->tally.metric_count; i++) {
        char name[96];
        struct tally_spread spread = tally_spread(&c->tally.metrics[i]);
        term_clean(name, sizeof name, c->tally.metrics[i].name);
        if (i == 0)
            printf("        %-*s %12s %12s %12s %12s\n", NAME_COLUMN, "metric", "min", "p50", "p95",
                   "max");
        printf("        %-*s %12.6g %12.6g %12.6g %12.6g\n", NAME_COLUMN, name, spread.min,
               spread.median, spread.p95, spread.max);
    }
}

/* To be told behind the table. */
static void keep_nevers(struct summary *s, const struct chapter *c)
{
    for (size_t i = 0; i < c->tally.sometime_count; i++) {
        const struct tally_sometime *t = &c->tally.sometimes[i];
        char text[256], place[256], name[96];
        if (t->hits)
            continue;
        s->never++;
        term_clean(text, sizeof text, t->text);
        term_clean(place, sizeof place, t->place);
        term_clean(name, sizeof name, plan_scenario(&s->plan, c->file));
        fprintf(s->nevers_out, "  %s%s%s  %s: sometimes: %s (%s): no run hit it\n",
                term_colour(&s->style, TERM_RED), s->style.failed,
                term_colour(&s->style, TERM_PLAIN), name, text, place);
    }
}

static void print_chapter(struct summary *s, struct chapter *c)
{
    char name[96], held[32], all[32], both[72], failed[32], skipped[32], times[48] = "-";
    const char *verdict = verdict_of(s, c);
    const size_t sometimes = c->tally.sometime_count;
    term_clean(name, sizeof name, plan_scenario(&s->plan, c->file));
    term_number(held, c->held);
    term_number(all, c->expected);
    snprintf(both, sizeof both, "%s of %s", held, all);
    term_number(failed, c->failed_count);
    term_number(skipped, c->skipped);
    if (sometimes)
        snprintf(times, sizeof times, "%zu of %zu", sometimes - (size_t)tally_never(&c->tally),
                 sometimes);
    printf("  %s%-4s%s  %-*s %20s %8s %8s %10s\n",
           term_colour(&s->style, is_good(verdict) ? TERM_GREEN : TERM_RED), verdict,
           term_colour(&s->style, TERM_PLAIN), NAME_COLUMN, name, both, failed, skipped, times);
    if (s->options->metrics || s->plan.args.file_count == 1)
        print_metrics(c);
}

static json_t *json_of_seeds(const struct chapter *c)
{
    json_t *list = json_array();
    for (size_t i = 0; i < c->failed_count; i++) {
        char seed[24];
        snprintf(seed, sizeof seed, "%" PRIu64, c->failed[i]);
        json_array_append_new(list, json_string(seed));
    }
    return list;
}

static json_t *json_of_tally(struct tally *t, bool metrics)
{
    json_t *list = json_array();
    for (size_t i = 0; metrics && i < t->metric_count; i++) {
        struct tally_spread s = tally_spread(&t->metrics[i]);
        json_array_append_new(list, json_pack("{s:s, s:I, s:f, s:f, s:f, s:f}", "name",
                                              t->metrics[i].name, "values",
                                              (json_int_t)t->metrics[i].count, "min", s.min, "p50",
                                              s.median, "p95", s.p95, "max", s.max));
    }
    for (size_t i = 0; !metrics && i < t->sometime_count; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I}", "text", t->sometimes[i].text,
                                              "place", t->sometimes[i].place, "hits",
                                              (json_int_t)t->sometimes[i].hits, "runs",
                                              (json_int_t)t->sometimes[i].runs));
    return list;
}

static void print_object(json_t *o)
{
    json_dumpf(o, stdout, JSON_SORT_KEYS | JSON_COMPACT);
    printf("\n");
    fflush(stdout);
    json_decref(o);
}

/* "PASS" as programs know it: "pass". */
static json_t *json_of_verdict(const char *verdict)
{
    char small[16];
    size_t n = 0;
    for (; verdict[n] && n + 1 < sizeof small; n++)
        small[n] = (char)(verdict[n] | 0x20);
    small[n] = 0;
    return json_string(small);
}

static void print_chapter_json(struct summary *s, struct chapter *c)
{
    json_t *o = json_pack("{s:b, s:s, s:s, s:I, s:I, s:I, s:I}", "summary", 1, "scenario",
                          plan_scenario(&s->plan, c->file), "file", s->plan.args.files[c->file],
                          "seeds", (json_int_t)c->expected, "done", (json_int_t)c->done, "held",
                          (json_int_t)c->held, "skipped", (json_int_t)c->skipped);
    json_object_set_new(o, "verdict", json_of_verdict(verdict_of(s, c)));
    json_object_set_new(o, "failed", json_of_seeds(c));
    json_object_set_new(o, "metrics", json_of_tally(&c->tally, true));
    json_object_set_new(o, "sometimes", json_of_tally(&c->tally, false));
    print_object(o);
}

static bool tell_chapter(struct summary *s, size_t file)
{
    const uint64_t first = file * s->plan.args.seeds.count;
    const uint64_t end = first + s->plan.args.seeds.count;
    struct chapter *c = &s->chapter;
    *c = (struct chapter){.file = file, .expected = expected_of(s, first, end)};
    bool read = reader_sweep_runs(s->reader, s->plan.id, first, end - 1, on_run, s, s->why,
                                  sizeof s->why) &&
                !s->why[0];
    if (read) {
        if (s->options->json)
            print_chapter_json(s, c);
        else if (!s->options->quiet)
            print_chapter(s, c);
        if (s->judged && !c->skipped)
            keep_nevers(s, c);
        s->scenarios_held += strcmp(verdict_of(s, c), "PASS") == 0;
        s->held += c->held;
        s->skipped += c->skipped;
    } else {
        term_error("%s", s->why);
    }
    free(c->failed);
    tally_clear(&c->tally);
    fflush(stdout);
    return read;
}

/* ---- all of it, told --------------------------------------------------------------------------
 */

static void print_title(const struct summary *s)
{
    char files[32];
    const char *seeds = json_string_value(json_object_get(s->plan.json, "seeds"));
    term_number(files, s->plan.args.file_count);
    printf("%ssweep %s%s %s %s scenario%s, seeds %.60s%s", term_colour(&s->style, TERM_BOLD),
           s->plan.id, term_colour(&s->style, TERM_PLAIN), s->style.dot, files,
           s->plan.args.file_count == 1 ? "" : "s", seeds, strlen(seeds) > 60 ? "..." : "");
    for (size_t i = 0; i < s->plan.args.param_count; i++)
        printf(", %s=%s", s->plan.args.params[i].key, s->plan.args.params[i].value);
    if (s->shard_count < s->plan.shards)
        for (size_t i = 0; i < s->shard_count && i < 20; i++)
            printf("%s%" PRIu32, i ? "+" : ", shard ", s->shards[i]);
    if (s->shard_count < s->plan.shards)
        printf(" of %" PRIu32, s->plan.shards);
    printf("\n\n  %-4s  %-*s %20s %8s %8s %10s\n", "", NAME_COLUMN, "scenario", "held", "failed",
           "skipped", "sometimes");
}

static void print_failures(const struct summary *s)
{
    for (size_t i = 0; i < s->told_count; i++) {
        const struct failure *f = &s->told[i];
        char name[96];
        term_clean(name, sizeof name, plan_scenario(&s->plan, f->file));
        printf("%s  %s seed %" PRIu64 ": %s\n    Again: ", i == 0 && !s->options->quiet ? "\n" : "",
               name, f->seed, f->reason);
        report_command_with(&s->plan.args, s->plan.args.files[f->file], f->seed, s->plan.cores);
    }
    if (s->failed_untold) {
        char word[1024], more[32];
        term_quote(word, sizeof word, s->db);
        term_number(more, s->failed_untold);
        printf(
            "  ... and %s more: sqlite3 %s \"SELECT file, seed, reason FROM run WHERE sweep_id = "
            "'%s' AND verdict NOT IN ('pass', 'skip') ORDER BY job\"\n",
            more, word, s->plan.id);
    }
}

static void print_nevers(struct summary *s)
{
    fflush(s->nevers_out);
    if (s->nevers_len)
        printf("%s%s", s->options->quiet ? "" : "\n", s->nevers);
    else if (!s->judged && !s->options->quiet && s->shard_count < s->plan.shards)
        printf("\n  What is to happen sometimes is judged over all shards: vibesim merge ALL.db "
               "SHARD.db...\n");
}

static const char *total_verdict(const struct summary *s)
{
    return s->options->stopped && s->done < s->expected ? "INTERRUPTED"
           : s->never || s->held + s->skipped < s->done ? "FAIL"
           : s->done < s->expected                      ? "PART"
           : s->skipped == s->done                      ? "SKIP"
                                                        : "PASS";
}

static void print_total(const struct summary *s)
{
    char held[32], done[32], expected[32];
    const char *verdict = total_verdict(s);
    const bool good = strcmp(verdict, "PASS") == 0 || strcmp(verdict, "SKIP") == 0;
    term_number(held, s->held);
    term_number(done, s->done);
    term_number(expected, s->expected);
    printf("%s%s%s%s  ", s->options->quiet ? "" : "\n",
           term_colour(&s->style, good ? TERM_GREEN : TERM_RED), verdict,
           term_colour(&s->style, TERM_PLAIN));
    if (s->done < s->expected)
        printf("%s of %s runs done, %s hold", done, expected, held);
    else
        printf("%s of %s runs hold, %" PRIu64 " of %zu scenarios", held, expected,
               s->scenarios_held, s->plan.args.file_count);
    if (s->never)
        printf(", %" PRIu64 " sometimes never", s->never);
    if (s->skipped)
        printf(", %" PRIu64 " skipped", s->skipped);
    printf("\n");
}

static void print_total_json(const struct summary *s)
{
    json_t *shards = json_array();
    for (size_t i = 0; i < s->shard_count; i++)
        json_array_append_new(shards, json_integer(s->shards[i]));
    json_t *o = json_pack(
        "{s:b, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "total", 1, "sweep", s->plan.id,
        "runs", (json_int_t)s->expected, "done", (json_int_t)s->done, "held", (json_int_t)s->held,
        "skipped", (json_int_t)s->skipped, "never", (json_int_t)s->never, "scenarios",
        (json_int_t)s->plan.args.file_count, "scenarios_held", (json_int_t)s->scenarios_held,
        "shards", (json_int_t)s->plan.shards, "of_shards", shards);
    json_t *db = json_string(s->db);
    json_object_set_new(o, "db", db ? db : json_string("?"));
    json_object_set_new(o, "verdict", json_of_verdict(total_verdict(s)));
    print_object(o);
}

static bool on_counted(void *ctx, const struct read_run *run)
{
    (void)run;
    ++*(uint64_t *)ctx;
    return true;
}

static bool tell(struct summary *s)
{
    if (!reader_sweep_runs(s->reader, s->plan.id, 0, UINT64_MAX, on_counted, &s->done, s->why,
                           sizeof s->why) ||
        !summary_check(s->reader, &s->plan, s->why, sizeof s->why)) {
        term_error("%s: %s", s->db, s->why);
        return false;
    }
    s->judged = s->done == s->plan.jobs;
    if (!s->options->json && !s->options->quiet)
        print_title(s);
    for (size_t i = 0; i < s->plan.args.file_count; i++)
        if (!tell_chapter(s, i))
            return false;
    if (s->options->json) {
        print_total_json(s);
        return true;
    }
    print_nevers(s);
    print_failures(s);
    print_total(s);
    return true;
}

int summary_tell(const char *db, const struct summary_options *options, uint64_t *done)
{
    struct summary s = {.options = options, .db = db};
    term_style_init(&s.style, stdout);
    s.nevers_out = open_memstream(&s.nevers, &s.nevers_len);
    if (!s.nevers_out)
        abort();
    if (!begin(&s) || !tell(&s))
        s.status = CLI_BAD;
    else if (s.never)
        worsen(&s, CLI_CHECK_FAILED);
    else if (s.done && s.skipped == s.done)
        worsen(&s, CLI_SKIPPED);
    *done = s.done;
    fclose(s.nevers_out);
    free(s.nevers);
    for (size_t i = 0; i < s.told_count; i++) {
        free(s.told[i].verdict);
        free(s.told[i].reason);
    }
    free(s.shards);
    plan_free(&s.plan);
    reader_close(s.reader);
    return s.status;
}
