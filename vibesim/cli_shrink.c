/* See cli_shrink.h. Happy path: the run is read from its record, made again and shrunk; the
 * smallest one is written as a scenario, loaded from there, and must fail again as the run did.
 * Failure modes: a run that holds now, or never failed; Ctrl-C and --max-runs end the search, and
 * what it found by then is written. */
#include "vibesim/cli_shrink.h"

#include "vibesim/build.h"
#include "vibesim/cli.h"
#include "vibesim/cli_session.h"
#include "vibesim/cli_words.h"
#include "vibesim/pool.h"
#include "vibesim/shrink_write.h"

#include <inttypes.h>
#include <jansson.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_RUNS_DEFAULT 2000u

static const char help[] =
    "Usage: vibesim shrink DB [--run ID] [options]\n"
    "\n"
    "Makes a failed run of a record as small as it gets and still fail the same check: leaves out\n"
    "faults and scripted peers (delta debugging over the record's decision log), makes\n"
    "whole-numbered parameters smaller, ends it where it fails. The result is a scenario that\n"
    "stands alone: vibesim run FILE.lua fails as the run did.\n"
    "\n"
    "  --run ID         which one [the only failed one]\n"
    "  -o, --out FILE   where to write the scenario [NAME-shrunk.lua]\n"
    "  --force          even if that file is there\n"
    "  --scenario FILE  where the run's scenario is now [where it was]\n"
    "  --max-runs N     about that many runs are tried, 1 to 1000000 [2000]\n"
    "  --jobs N         how many at once, 1 to 256 [as many as there are processors]; changes no\n"
    "                   result\n"
    "  --times N        how often the written scenario is run to see it fail, 1 to 1000 [3]\n"
    "  --json           the result as a JSON object on standard output\n"
    "  --quiet          nothing but the file's name\n"
    "\n"
    "Exit status: 0 a smaller run was found and fails, 1 the written scenario does not fail every\n"
    "time, 2 bad usage, or a run that does not fail, 130 interrupted.\n"
    "\n"
    "Examples:\n"
    "  vibesim run scenarios/churn.lua --seeds 1..200 --db churn.db\n"
    "  vibesim shrink churn.db --run 17 -o churn-17.lua\n"
    "  vibesim run churn-17.lua --trace all\n";

struct args {
    const char *db, *out, *scenario;
    uint64_t run, max_runs, jobs, times;
    bool force, json, quiet, help;
};

static const char *const names[] = {"--run",      "--out",   "-o",      "--force",
                                    "--scenario", "--jobs",  "--times", "--max-runs",
                                    "--json",     "--quiet", "--help",  NULL};

/* ---- arguments ---- */

static bool option(struct args *a, struct words *w, const char *name)
{
    static const struct {
        const char *name;
        size_t at;
        uint64_t most;
    } numbers[] = {
        {"--run", offsetof(struct args, run), INT64_MAX},
        {"--max-runs", offsetof(struct args, max_runs), 1000000},
        {"--jobs", offsetof(struct args, jobs), POOL_WORKERS_MAX},
        {"--times", offsetof(struct args, times), 1000},
    };
    bool *flag = words_is(name, "--force")   ? &a->force
                 : words_is(name, "--json")  ? &a->json
                 : words_is(name, "--quiet") ? &a->quiet
                 : words_is(name, "--help")  ? &a->help
                                             : NULL;
    if (flag)
        return words_switch(flag, w, name);
    const char *value = words_value(w, name, "a number or a file");
    if (!value)
        return false;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (words_is(name, numbers[i].name))
            return words_number(name, value, numbers[i].most,
                                (uint64_t *)(void *)((char *)a + numbers[i].at));
    if (!*value)
        term_error("%s: the name of the file is empty", name);
    *(words_is(name, "--scenario") ? &a->scenario : &a->out) = value;
    return *value != 0;
}

static bool parse(struct args *a, int argc, char **argv)
{
    struct words w = {.argc = argc, .argv = argv, .names = names};
    const char *name, *word;
    bool wrong = false;
    *a = (struct args){.max_runs = MAX_RUNS_DEFAULT, .times = 3, .jobs = pool_processors()};
    while (words_next(&w, &name, &word, &wrong)) {
        if (name) {
            if (!option(a, &w, name))
                return false;
        } else if (a->db) {
            term_error("shrink: one record at a time, and %s is given already", a->db);
            return false;
        } else {
            a->db = word;
        }
    }
    if (!wrong && !a->help && !a->db)
        term_error("shrink: name a record: vibesim shrink DB --run ID");
    return !wrong && (a->help || a->db);
}

/* ---- which run ---- */

struct found {
    int64_t id;
    uint64_t failed;
};

static bool look(void *ctx, const struct read_run *run)
{
    struct found *f = ctx;
    if (strcmp(run->verdict, "fail") != 0 && strcmp(run->verdict, "error") != 0)
        return true;
    f->id = f->failed++ ? f->id : run->id;
    return true;
}

/* The run that is asked for, or the only one that failed. */
static bool choose(struct reader *r, const struct args *a, struct read_run *run, char *why,
                   size_t size)
{
    struct found found = {.id = (int64_t)a->run, .failed = 1};
    if (!a->run) {
        found.failed = 0;
        if (!reader_runs(r, look, &found, why, size))
            return false;
        if (found.failed != 1) {
            snprintf(why, size,
                     found.failed ? "%s: %" PRIu64 " runs failed: name one of them, like --run "
                                    "%" PRId64
                                  : "%s: no run failed, of %" PRIu64,
                     a->db, found.failed ? found.failed : reader_count(r), found.id);
            return false;
        }
    }
    return reader_run(r, found.id, run, why, size);
}

/* ---- telling ---- */

struct telling {
    const struct args *args;
    struct progress progress;
    struct progress_runs runs;
};

static void tell(void *ctx, const char *line)
{
    struct telling *t = ctx;
    char clean[600];
    if (t->args->quiet || t->args->json)
        return;
    term_clean(clean, sizeof clean, line);
    progress_clear(&t->progress);
    printf("  %s\n", clean);
    fflush(stdout);
}

static void tick(void *ctx, uint64_t runs)
{
    struct telling *t = ctx;
    t->runs.done = runs;
    t->runs.all = t->args->max_runs;
    progress_update_runs(&t->progress, &t->runs);
}

static void tell_failure(const struct telling *t, const struct shrink_failure *f)
{
    char name[SHRINK_NAME];
    if (t->args->quiet || t->args->json)
        return;
    term_clean(name, sizeof name, f->name);
    printf("  fails %s \"%s\" at %.3f s, with %" PRIu32 " decisions, %" PRIu32 " nodes, %" PRIu64
           " events\n",
           f->kind, name, (double)f->t_ns / 1e9, f->decisions, f->nodes, f->events);
}

static void tell_json(const struct args *a, const struct shrink *s, const char *out, uint64_t fails)
{
    json_t *o = json_object();
    json_t *params = json_object();
    for (size_t i = 0; i < s->param_count; i++)
        json_object_set_new(params, s->params[i].name,
                            json_integer((json_int_t)s->params[i].value));
    json_t *kept = json_array();
    for (size_t i = 0; i < s->kept.count; i++)
        json_array_append_new(kept, json_integer(s->kept.items[i]));
    json_object_set_new(o, "db", json_string(a->db));
    json_object_set_new(o, "file", json_string(out));
    json_object_set_new(o, "check", json_string(s->last.name));
    json_object_set_new(o, "kind", json_string(s->last.kind));
    json_object_set_new(o, "t_ns", json_integer((json_int_t)s->last.t_ns));
    json_object_set_new(o, "decisions_before", json_integer(s->first.decisions));
    json_object_set_new(o, "decisions", kept);
    json_object_set_new(o, "params", params);
    json_object_set_new(o, "runs", json_integer((json_int_t)s->runs));
    json_object_set_new(o, "whole", json_boolean(!s->stopped));
    json_object_set_new(o, "times", json_integer((json_int_t)a->times));
    json_object_set_new(o, "failed", json_integer((json_int_t)fails));
    json_dumpf(o, stdout, JSON_SORT_KEYS | JSON_INDENT(2));
    printf("\n");
    json_decref(o);
}

/* ---- seeing the written scenario fail ---- */

struct proof {
    struct engine *engine;
    struct args_run args;
    const struct shrink_failure *wanted;
    uint64_t times, begun, failed;
};

static bool proof_next(void *ctx, uint64_t *job)
{
    struct proof *p = ctx;
    *job = p->begun;
    return p->begun < p->times && ++p->begun;
}

static void *proof_work(void *ctx, uint64_t job, size_t *len)
{
    struct proof *p = ctx;
    struct shrink_failure *f = calloc(1, sizeof *f);
    (void)job;
    if (f)
        shrink_try(p->engine, &p->args, session_interrupt(), NULL, NULL, f);
    *len = sizeof *f;
    return f;
}

static bool proof_note(struct proof *p, const struct shrink_failure *f)
{
    p->failed += shrink_same(f, p->wanted) && f->t_ns == p->wanted->t_ns;
    return true;
}

static bool proof_done(void *ctx, uint64_t job, const void *result, size_t len)
{
    struct shrink_failure f = {.fails = false};
    (void)job;
    if (len == sizeof f)
        memcpy(&f, result, sizeof f);
    return proof_note(ctx, &f);
}

static bool proof_lost(void *ctx, uint64_t job, const char *why)
{
    struct shrink_failure f = {.fails = true, .kind = "death"};
    (void)job;
    snprintf(f.name, sizeof f.name, "%s", why);
    return proof_note(ctx, &f);
}

/* How often of a->times the file fails as the run did; false, told, if it cannot be loaded. */
static bool prove(const struct args *a, const struct shrink *s, const char *file, uint64_t *failed)
{
    static struct loaded loaded;
    struct proof p = {.wanted = &s->last, .times = a->times};
    const struct pool_ops ops = {
        .ctx = &p, .next = proof_next, .work = proof_work, .done = proof_done, .lost = proof_lost};
    p.args = (struct args_run){.file = file, .seed = 1, .speed = 1};
    p.args.cores = s->rerun->args.cores; /* borrowed */
    if (!run_load(&loaded, &p.args, file))
        return false;
    run_pin(&p.args, loaded.engine);
    p.engine = loaded.engine;
    pool_run(&ops, (uint32_t)(a->jobs < a->times ? a->jobs : a->times), session_interrupt());
    engine_free(loaded.engine);
    *failed = p.failed;
    return true;
}

/* ---- all of it ---- */

static const char *out_name(const struct args *a, const struct rerun *rerun, char *room,
                            size_t size)
{
    const char *file = rerun->args.file;
    const char *slash = strrchr(file, '/');
    const char *name = slash ? slash + 1 : file;
    const char *dot = strrchr(name, '.');
    if (a->out)
        return a->out;
    snprintf(room, size, "%.*s-shrunk.lua", dot && dot > name ? (int)(dot - name) : 200, name);
    return room;
}

static int finish(const struct args *a, struct shrink *s, int64_t run_id)
{
    char room[300], why[4600], source[600];
    uint64_t failed = 0;
    const char *out = out_name(a, s->rerun, room, sizeof room);
    bool interrupted = *session_interrupt() != 0;
    session_signals(); /* what was found is written and tried, even after an interruption */
    snprintf(source, sizeof source, "run %" PRId64 " of %.500s", run_id, a->db);
    if (!shrink_write(s, out, a->force, source, why, sizeof why)) {
        term_error("%s", why);
        return CLI_BAD;
    }
    if (!prove(a, s, out, &failed))
        return CLI_BAD;
    if (a->json)
        tell_json(a, s, out, failed);
    else if (a->quiet)
        printf("%s\n", out);
    else {
        printf("\n%s: %zu of %" PRIu32 " decisions, %" PRIu32 " nodes, %.3f s, after %" PRIu64
               " runs%s; failed %" PRIu64 " of %" PRIu64 " times\n  see it: vibesim run %s",
               out, s->kept.count, s->first.decisions, s->last.nodes, (double)s->last.t_ns / 1e9,
               s->runs, s->stopped ? " (the search was stopped)" : "", failed, a->times, out);
        report_cores(&s->rerun->args);
        printf("\n");
    }
    if (!term_stdout_ok())
        return CLI_BAD;
    return interrupted ? CLI_INTERRUPTED : failed == a->times ? CLI_OK : CLI_CHECK_FAILED;
}

static int search(const struct args *a, const struct rerun *rerun, int64_t run_id)
{
    struct telling telling = {.args = a};
    struct shrink s = {.rerun = rerun,
                       .jobs = (uint32_t)a->jobs,
                       .max_runs = a->max_runs,
                       .interrupt = session_interrupt(),
                       .tell = tell,
                       .tick = tick,
                       .ctx = &telling};
    int status = CLI_BAD;
    session_signals();
    progress_init(&telling.progress, a->json || a->quiet ? NULL : stderr, "");
    enum shrink_end end = shrink_search(&s);
    progress_clear(&telling.progress);
    if (end == SHRINK_HOLDS)
        term_error("run %" PRId64 " of %s does not fail %s: there is nothing to shrink", run_id,
                   a->db, rerun->same_build ? "when it is made again" : "with this build");
    else if (end == SHRINK_FAILED && *session_interrupt())
        status = CLI_INTERRUPTED;
    else if (end == SHRINK_FAILED)
        term_error("no worker process can be started");
    else {
        tell_failure(&telling, &s.last);
        status = finish(a, &s, run_id);
    }
    shrink_free(&s);
    return status;
}

static int shrink(const struct args *a)
{
    static struct rerun rerun;
    char why[1200];
    struct read_run run;
    struct reader *r = reader_open(a->db, why, sizeof why);
    bool ok = r && choose(r, a, &run, why, sizeof why);
    int64_t id = ok ? run.id : 0;
    ok = ok && rerun_load(&rerun, &run, a->scenario, why, sizeof why);
    reader_close(r);
    if (!ok) {
        term_error("%s", why);
        return CLI_BAD;
    }
    if (!a->force) { /* before the work, not after it */
        char room[300];
        const char *out = out_name(a, &rerun, room, sizeof room);
        if (access(out, F_OK) == 0) {
            term_error("%s: is there already: name another file (-o) or say --force", out);
            rerun_free(&rerun);
            return CLI_BAD;
        }
    }
    int status = search(a, &rerun, id);
    rerun_free(&rerun);
    return status;
}

int cli_shrink(int argc, char **argv)
{
    struct args args;
    if (!parse(&args, argc, argv))
        return CLI_BAD;
    if (args.help) {
        fputs(help, stdout);
        return term_stdout_ok() ? CLI_OK : CLI_BAD;
    }
    return shrink(&args);
}
