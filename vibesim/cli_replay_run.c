/* See cli_replay_run.h.
 *
 * Happy path: the run is found in its record, its scenario loaded, the record closed (a process
 * that is forked must hold no database), and the run made again: recorded in a folder of our own
 * and held against the first record (record_compare.c), event by event beside another program
 * (hashes.c), or in processes that one can go about in (travel.c). The record is never changed. */
#include "vibesim/cli_replay_run.h"

#include "trace/words.h"
#include "vibesim/build.h"
#include "vibesim/cli.h"
#include "vibesim/cli_session.h"
#include "vibesim/cli_term.h"
#include "vibesim/hashes.h"
#include "vibesim/record_compare.h"
#include "vibesim/rerun.h"
#include "vibesim/step.h"
#include "vibesim/travel.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RUNS_TOLD 8

struct replay {
    const struct args_replay *args;
    int64_t run;
    uint64_t end_ns; /* where a run that was interrupted stood, or 0 */
    char build[100]; /* that made the run */
    char asked[300]; /* what it was, in words */
    struct rerun rerun;
};

/* ---- finding the run ---- */

struct runs {
    char words[600];
    int count;
    int64_t first;
};

static bool list_run(void *ctx, const struct read_run *run)
{
    struct runs *runs = ctx;
    const size_t at = strlen(runs->words);
    if (runs->count == 0)
        runs->first = run->id;
    if (runs->count < RUNS_TOLD)
        snprintf(runs->words + at, sizeof runs->words - at, "%s%lld (%.40s, seed %llu: %s)",
                 at ? ", " : "", (long long)run->id, run->scenario, (unsigned long long)run->seed,
                 run->verdict);
    else if (runs->count == RUNS_TOLD)
        snprintf(runs->words + at, sizeof runs->words - at, " ...");
    runs->count++;
    return true;
}

/* The run that is meant: the given one, or the only one. */
static bool pick(struct reader *reader, uint64_t given, const char *option, int64_t *id, char *why,
                 size_t size)
{
    struct runs runs = {.count = 0};
    if (!reader_runs(reader, list_run, &runs, why, size))
        return false;
    *id = given ? (int64_t)given : runs.first;
    if (given || runs.count == 1)
        return true;
    if (runs.count == 0)
        snprintf(why, size, "%s: holds no run: record some with vibesim run FILE.lua --db %s",
                 reader_path(reader), reader_path(reader));
    else
        snprintf(why, size, "%s: holds %d runs: say which with %s ID: %s", reader_path(reader),
                 runs.count, option, runs.words);
    return false;
}

static void describe(struct replay *r, const struct read_run *run)
{
    snprintf(r->build, sizeof r->build, "%s", run->build ? run->build : "?");
    snprintf(r->asked, sizeof r->asked, "run %lld of %.100s: %.60s, seed %llu", (long long)r->run,
             r->args->file, run->scenario, (unsigned long long)run->seed);
    if (run->verdict && strcmp(run->verdict, "interrupted") == 0)
        r->end_ns = run->sim_ns;
}

static bool load(struct replay *r, struct reader *reader, char *why, size_t size)
{
    struct read_run run;
    if (!pick(reader, r->args->run, "--run", &r->run, why, size) ||
        !reader_run(reader, r->run, &run, why, size) ||
        !rerun_load(&r->rerun, &run, r->args->scenario, why, size))
        return false;
    describe(r, &run);
    return true;
}

/* ---- a result in words ---- */

static const char *verdict_of(const struct compare_result *c)
{
    return c->same ? c->whole ? "same" : "same-so-far" : "differs";
}

static void print_place(const struct compare_result *c)
{
    char from[32], to[32], events[3][32];
    term_seconds(from, c->from_ns);
    term_number(events[0], c->from_events);
    if (c->marks == 0) {
        printf("          the record has no marks to tell from when on they differ\n");
        return;
    }
    if (c->to_ns == UINT64_MAX) {
        printf(
            "          equal up to t=%s s (event %s), the last moment that was kept: they differ "
            "after it\n",
            from, events[0]);
        return;
    }
    term_seconds(to, c->to_ns);
    term_number(events[1], c->to_events[0]);
    term_number(events[2], c->to_events[1]);
    printf(
        "          the first difference lies between t=%s s (event %s) and t=%s s (event %s%s%s)\n",
        from, events[0], to, events[1], c->to_events[0] == c->to_events[1] ? "" : " and ",
        c->to_events[0] == c->to_events[1] ? "" : events[2]);
}

static void print_row(const struct compare_result *c, const char *const names[2])
{
    char row[500], same[32];
    if (!c->has_row)
        return;
    term_number(same, c->rows_same);
    printf("          the first row of what was recorded that differs, after %s equal ones:\n",
           same);
    for (int i = 0; i < 2; i++) {
        term_clean(row, sizeof row, c->rows_end[i] ? "no more" : c->rows[i]);
        printf("            %-9s %s\n", names[i], row);
    }
}

static void print_comparison(const struct replay *r, const struct compare_result *c,
                             const char *const names[2])
{
    struct term_style style;
    char marks[32], clean[500];
    term_style_init(&style, stdout);
    term_number(marks, c->marks_equal);
    if (c->same && c->whole)
        printf("%s%s%s  same trace hash: %016" PRIx64 "\n", term_colour(&style, TERM_GREEN),
               style.ok, term_colour(&style, TERM_PLAIN), c->hashes[0]);
    else if (c->same)
        printf("%s%s%s  the same as far as it came: %s marks compared, up to t=%.6f s\n",
               term_colour(&style, TERM_GREEN), style.ok, term_colour(&style, TERM_PLAIN), marks,
               (double)c->from_ns / 1e9);
    if (c->same)
        return;
    printf("%s%s%s  another run: trace hash %016" PRIx64 " (%s), %016" PRIx64 " (%s)\n",
           term_colour(&style, TERM_RED), style.failed, term_colour(&style, TERM_PLAIN),
           c->hashes[0], names[0], c->hashes[1], names[1]);
    print_place(c);
    print_row(c, names);
    term_clean(clean, sizeof clean, c->results);
    if (clean[0])
        printf("          %s\n", clean);
    if (!r->args->against)
        printf("          --with PROGRAM, the vibesim that made the run, names the event and the "
               "node\n");
}

/* What is beyond JSON's integers is null. */
static json_t *number(uint64_t n)
{
    return n <= INT64_MAX ? json_integer((json_int_t)n) : json_null();
}

static json_t *text(const char *s)
{
    json_t *t = json_string(s);
    return t ? t : json_string("?");
}

static json_t *hash_text(uint64_t hash)
{
    char hex[17];
    snprintf(hex, sizeof hex, "%016" PRIx64, hash);
    return json_string(hex);
}

static void print_object(json_t *o)
{
    json_dumpf(o, stdout, JSON_SORT_KEYS | JSON_INDENT(2));
    printf("\n");
    json_decref(o);
}

static void print_comparison_json(const struct replay *r, const struct compare_result *c)
{
    json_t *o = json_object();
    json_object_set_new(o, "file", text(r->args->file));
    json_object_set_new(o, "run", json_integer(r->run));
    json_object_set_new(o, "build", text(r->build));
    json_object_set_new(o, "this_build", text(build_name()));
    json_object_set_new(o, "verdict", json_string(verdict_of(c)));
    json_object_set_new(o, "trace_hash", hash_text(c->hashes[0]));
    json_object_set_new(o, "other_trace_hash", hash_text(c->hashes[1]));
    json_object_set_new(o, "marks", number(c->marks));
    json_object_set_new(o, "marks_equal", number(c->marks_equal));
    json_object_set_new(o, "equal_until_ns", number(c->from_ns));
    json_object_set_new(o, "equal_events", number(c->from_events));
    json_object_set_new(o, "differs_before_ns", c->same ? json_null() : number(c->to_ns));
    if (c->has_row) {
        json_object_set_new(o, "row", c->rows_end[0] ? json_null() : text(c->rows[0]));
        json_object_set_new(o, "other_row", c->rows_end[1] ? json_null() : text(c->rows[1]));
    }
    print_object(o);
}

static int tell_comparison(const struct replay *r, const struct compare_result *c,
                           const char *const names[2])
{
    if (r->args->json)
        print_comparison_json(r, c);
    else
        print_comparison(r, c, names);
    if (!term_stdout_ok())
        return CLI_BAD;
    return c->same ? CLI_OK : CLI_NOT_DETERMINISTIC;
}

static int refuse(const char *why)
{
    term_error("%s", why);
    return CLI_BAD;
}

/* ---- against another record ---- */

static int against(struct replay *r, struct reader *reader)
{
    char why[1024];
    struct compare_result result;
    struct compared two[2] = {{.reader = reader}, {.reader = NULL}};
    static const char *const names[2] = {"this", "other"};
    const struct args_replay *args = r->args;
    int status = CLI_BAD;
    two[1].reader = reader_open(args->against, why, sizeof why);
    if (two[1].reader && pick(reader, args->run, "--run", &two[0].run, why, sizeof why) &&
        pick(two[1].reader, args->against_run, "--against-run", &two[1].run, why, sizeof why) &&
        record_compare(two, false, &result, why, sizeof why)) {
        r->run = two[0].run;
        if (!args->json)
            printf("runs      %lld of %s, %lld of %s\n", (long long)two[0].run, args->file,
                   (long long)two[1].run, args->against);
        status = tell_comparison(r, &result, names);
    } else {
        term_error("%s", why);
    }
    reader_close(two[1].reader);
    return status;
}

/* ---- again, recorded ---- */

/* The run once more, into a record of its own. The exit status of a run, or -1 with a line. */
static int record_again(struct replay *r, const char *db, int level, char *why, size_t size)
{
    static struct session s; /* too large for a stack */
    struct args_run *args = &r->rerun.args;
    args->db = db;
    args->record = (enum record_level)level;
    args->json = args->quiet = true;
    if (!session_open(&s, args, r->rerun.loaded.engine, r->rerun.loaded.params, NULL)) {
        snprintf(why, size, "%s", s.reason);
        return -1;
    }
    s.watched = !r->args->json;
    if (r->end_ns && (!s.options.until_ns || r->end_ns < s.options.until_ns))
        s.options.until_ns = r->end_ns;
    session_signals();
    int status = session_run(&s);
    if (status == CLI_BAD && s.run_id == 0) {
        snprintf(why, size, "%s", s.reason);
        status = -1;
    }
    session_close(&s);
    return status;
}

static void remove_all(const char *folder, const char *db)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char path[700];
        snprintf(path, sizeof path, "%s%s", db, suffixes[i]);
        unlink(path);
    }
    rmdir(folder);
}

static int compare_again(struct replay *r, const char *db, char *why, size_t size)
{
    struct compare_result result;
    struct compared two[2] = {{.run = r->run}, {.run = 1}};
    static const char *const names[2] = {"recorded", "now"};
    int level, status = -1;
    two[0].reader = reader_open(r->args->file, why, size);
    if (!two[0].reader || !record_compare_level(&two[0], &level, why, size)) {
        reader_close(two[0].reader);
        return -1;
    }
    reader_close(two[0].reader);
    if (!r->args->json)
        printf("run       %s\nbuild     %s%s%s\n", r->asked, r->build,
               r->rerun.same_build ? "" : "; this is ", r->rerun.same_build ? "" : build_name());
    const int ran = record_again(r, db, level, why, size);
    if (ran < 0 || ran == CLI_INTERRUPTED) {
        if (ran > 0)
            snprintf(why, size, "stopped by a signal: nothing was compared");
        return ran;
    }
    two[0].reader = reader_open(r->args->file, why, size);
    two[1].reader = two[0].reader ? reader_open(db, why, size) : NULL;
    if (two[1].reader && record_compare(two, true, &result, why, size))
        status = tell_comparison(r, &result, names);
    reader_close(two[0].reader);
    reader_close(two[1].reader);
    return status;
}

static int again(struct replay *r)
{
    char why[1024] = "", folder[500], db[600];
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/vibesim-replay-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(folder)) {
        term_error("replay: no temporary folder (%.80s: %s): set TMPDIR", folder, strerror(errno));
        return CLI_BAD;
    }
    snprintf(db, sizeof db, "%s/run.db", folder);
    const int status = compare_again(r, db, why, sizeof why);
    remove_all(folder, db);
    if (why[0])
        term_error("%s", why);
    return status < 0 ? CLI_BAD : status;
}

/* ---- beside another program ---- */

static bool print_line(void *ctx, const struct hashes_line *line)
{
    char words[160];
    (void)ctx;
    hashes_print(words, sizeof words, line);
    return puts(words) >= 0;
}

static int hashes(struct replay *r)
{
    if (!hashes_run(&r->rerun, print_line, NULL))
        return *session_interrupt() ? CLI_INTERRUPTED : CLI_BAD;
    return term_stdout_ok() ? CLI_OK : CLI_BAD;
}

/* Whose doing the difference is: what came in was the same, or it was not. */
static const char *whose(const struct hashes_line lines[2])
{
    const struct hashes_line *a = &lines[0], *b = &lines[1];
    if (a->end != b->end)
        return "one of the runs had ended";
    if (a->end)
        return "all events are equal, but the runs end with other hashes";
    if (a->t_ns != b->t_ns || a->host != b->host || a->kind != b->kind)
        return "another event came next";
    return a->hash != b->hash ? "the event was the same kind, but not the same"
                              : "the same event made its node do something else";
}

static void print_difference(const struct replay *r, const struct hashes_difference *d)
{
    static const char *const names[2] = {"here", "there"};
    struct term_style style;
    char t[32], n[32], host[24] = "", line[160];
    const struct hashes_line *a = &d->lines[0];
    term_style_init(&style, stdout);
    term_number(n, d->differs && !a->end ? a->number : d->equal);
    term_seconds(t, a->t_ns);
    if (!d->differs) {
        printf("%s%s%s  the same in both, event by event\n", term_colour(&style, TERM_GREEN),
               style.ok, term_colour(&style, TERM_PLAIN));
        return;
    }
    words_host(host, a->who.peer, a->who.number);
    printf("%s%s%s  the first difference: event %s at t=%s s, %s: %s\n",
           term_colour(&style, TERM_RED), style.failed, term_colour(&style, TERM_PLAIN), n, t,
           a->end ? "the end" : host, whose(d->lines));
    for (int i = 0; i < 2; i++) {
        hashes_print(line, sizeof line, &d->lines[i]);
        printf("          %-6s %s\n", names[i], line);
    }
    if (!a->end)
        printf("          look there with both: vibesim replay %s --run %lld --event %" PRIu64
               " --node %s --dump\n",
               r->args->file, (long long)r->run, a->number, host);
}

static void print_difference_json(const struct replay *r, const struct hashes_difference *d)
{
    json_t *o = json_object();
    char host[24], line[160];
    const struct hashes_line *a = &d->lines[0];
    json_object_set_new(o, "file", text(r->args->file));
    json_object_set_new(o, "run", json_integer(r->run));
    json_object_set_new(o, "this_build", text(build_name()));
    json_object_set_new(o, "verdict", json_string(d->differs ? "differs" : "same"));
    json_object_set_new(o, "equal_events", number(d->equal));
    if (d->differs) {
        words_host(host, a->who.peer, a->who.number);
        json_object_set_new(o, "event", number(a->number));
        json_object_set_new(o, "t_ns", number(a->t_ns));
        json_object_set_new(o, "node", a->end ? json_null() : json_string(host));
        json_object_set_new(o, "what", json_string(whose(d->lines)));
        hashes_print(line, sizeof line, &d->lines[0]);
        json_object_set_new(o, "here", json_string(line));
        hashes_print(line, sizeof line, &d->lines[1]);
        json_object_set_new(o, "there", json_string(line));
    }
    print_object(o);
}

static int with(struct replay *r)
{
    char why[400];
    struct hashes_difference d;
    const struct hashes_with w = {r->args->with, r->args->file, r->args->scenario, r->run};
    if (!r->args->json)
        printf("run       %s\nhere      %s\nthere     %s\n", r->asked, build_name(), r->args->with);
    if (!hashes_compare(&r->rerun, &w, &d, why, sizeof why))
        return refuse(why);
    if (d.interrupted)
        return CLI_INTERRUPTED;
    if (r->args->json)
        print_difference_json(r, &d);
    else
        print_difference(r, &d);
    if (!term_stdout_ok())
        return CLI_BAD;
    return d.differs ? CLI_NOT_DETERMINISTIC : CLI_OK;
}

/* ---- going about ---- */

/* To where the options say. False with a line in why: the run never gets there. */
static bool go(const struct replay *r, struct travel *t, char *why, size_t size)
{
    const struct args_replay *args = r->args;
    bool ok = true;
    if (args->has_event)
        ok = travel_to_event(t, args->event, false, why, size);
    else if (args->until)
        ok = travel_to_time(t, args->until_ns, why, size);
    else if (args->dump)
        return travel_to_event(t, TRAVEL_END, false, why, size);
    if (!ok || t->where.interrupted)
        return ok;
    if (!t->where.over || (args->has_event ? t->where.events == args->event
                                           : !args->until || t->where.t_ns == args->until_ns))
        return true;
    snprintf(why, size, "the run is over before: it ends after %llu events, at t=%.6f s",
             (unsigned long long)t->where.events, (double)t->where.t_ns / 1e9);
    return false;
}

static int go_about(struct replay *r)
{
    char why[400];
    struct travel t;
    int status = CLI_BAD;
    if (!travel_start(&t, &r->rerun, r->args->step, r->args->json, why, sizeof why) ||
        !go(r, &t, why, sizeof why) ||
        (r->args->dump && !travel_dump(&t, r->args->node, r->args->json, why, sizeof why)))
        term_error("%s", why);
    else
        status = r->args->step ? step_run(&t) : CLI_OK;
    travel_free(&t);
    return status;
}

/* ---- all of it ---- */

static bool usable(const struct args_replay *args, char *why, size_t size)
{
    const char *other = args_replay_capture_only(args);
    if (other)
        snprintf(why, size,
                 "%s: is of captures, and %s is a record: to see what happens in a run "
                 "use --step, or vibesim run with --trace",
                 other, args->file);
    else if (args->until && !args->until_ns)
        snprintf(why, size,
                 "--until: '%s' is not a time in seconds: to go to an event of a run "
                 "use --event",
                 args->until);
    else if (args->until && !args->dump && !args->step)
        snprintf(why, size, "--until: say what to do there: --dump --node 3, or --step");
    else
        return true;
    return false;
}

int cli_replay_run(const struct args_replay *args)
{
    static struct replay r; /* too large for a stack */
    char why[2048] = "";
    if (!usable(args, why, sizeof why))
        return refuse(why);
    struct reader *reader = reader_open(args->file, why, sizeof why);
    if (!reader)
        return refuse(why);
    r = (struct replay){.args = args};
    if (args->against) {
        const int status = against(&r, reader);
        reader_close(reader);
        return status;
    }
    const bool loaded = load(&r, reader, why, sizeof why);
    reader_close(reader);
    if (!loaded)
        return refuse(why);
    const int status = args->hashes               ? hashes(&r)
                       : args->with               ? with(&r)
                       : args->dump || args->step ? go_about(&r)
                                                  : again(&r);
    rerun_free(&r.rerun);
    return status;
}
