/* Many runs in worker processes, told as if one process had made them in turn.
 *
 * Happy path: all files are loaded and the record is checked; the pool hands (file, seed) pairs
 * out; a worker makes its run into a part of the record and sends back what `--json` prints; here
 * results wait until all before them are there, then their part joins the record and their row is
 * printed. So neither the table nor the record depends on --jobs. Failure modes: a run whose
 * process dies is a failed seed, recorded as far as it came; a record that cannot be written ends
 * it all (status 2); Ctrl-C kills the workers, and what is done is kept and told (status 130). */
#include "vibesim/cli_seeds.h"

#include "store/recorder_gather.h"
#include "vibesim/cli.h"
#include "vibesim/cli_run.h"
#include "vibesim/cli_session.h"
#include "vibesim/cli_table.h"
#include "vibesim/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How a run ended, until its turn comes. */
struct outcome {
    bool there;
    int status;
    json_t *result;
    char *death; /* why there is none from the worker, or NULL */
};

struct sweep {
    const struct args_run *args;
    struct seeds one; /* where the seed is one */
    const struct seeds *seeds;
    struct loaded *loaded; /* by file */
    struct gather *gather; /* NULL: not recorded */
    struct outcome *outcomes;
    uint64_t jobs, handed, told; /* told: the jobs before it had their turn */
    struct progress_runs runs;
    struct progress progress;
    struct table table; /* of the file that is told */
    uint64_t held_runs, held_files;
    bool error_told; /* the first error of this file is on stderr */
    bool record_failed;
    int status;
};

/* A run that was skipped is worse than one that holds, and better than any other. */
static int badness(int status)
{
    return status == CLI_OK ? -2 : status == CLI_SKIPPED ? -1 : status;
}

static void worsen(struct sweep *w, int status)
{
    w->status = badness(status) > badness(w->status) ? status : w->status;
}

static size_t file_of(const struct sweep *w, uint64_t job)
{
    return (size_t)(job / w->seeds->count);
}

static uint64_t seed_of(const struct sweep *w, uint64_t job)
{
    return seeds_at(w->seeds, job % w->seeds->count);
}

/* ---- in a worker ------------------------------------------------------------------------------
 */

/* The exit status of the run, then its result as JSON. */
static void *packed(int status, const char *json, size_t *len)
{
    int32_t head = status;
    size_t size = strlen(json);
    char *data = malloc(sizeof head + size);
    if (!data)
        return NULL;
    memcpy(data, &head, sizeof head);
    memcpy(data + sizeof head, json, size);
    *len = sizeof head + size;
    return data;
}

static json_t *bare_result(const char *verdict, const char *reason)
{
    json_t *words = json_string(reason);
    return json_pack("{s:s, s:o}", "verdict", verdict, "reason", words ? words : json_string("?"));
}

static void *work(void *ctx, uint64_t job, size_t *len)
{
    static struct session session; /* too large for a stack */
    const struct sweep *w = ctx;
    const struct loaded *loaded = &w->loaded[file_of(w, job)];
    char part[4096], *json;
    struct args_run args = *w->args;
    args.file = w->args->files[file_of(w, job)];
    args.seed = seed_of(w, job);
    args.seed_given = true;
    run_pin(&args, loaded->engine);
    args.json = true;
    args.db = part;
    args.db_is_part = true;
    if (w->gather)
        gather_part(w->gather, job, part, sizeof part);
    int status = CLI_BAD;
    if (session_open(&session, &args, loaded->engine, loaded->params, NULL)) {
        status = session_run(&session);
        json = report_json_line(&session.report, &session.end);
        session_close(&session);
    } else {
        json_t *o = bare_result("error", session.reason);
        json = json_dumps(o, JSON_COMPACT);
        json_decref(o);
    }
    void *data = packed(status, json, len);
    free(json);
    return data;
}

/* ---- in turn ----------------------------------------------------------------------------------
 */

static void tell_error(struct sweep *w, uint64_t job, const char *kind, const char *reason)
{
    if (w->error_told)
        return;
    w->error_told = true;
    term_error("%s: seed %llu: %s%s", w->table.file, (unsigned long long)seed_of(w, job), kind,
               reason);
}

/* Moves the run into the record. False, told, if that failed. */
static bool record(struct sweep *w, uint64_t job, struct outcome *o)
{
    char why[1024];
    int64_t run_id = 0;
    if (!w->gather)
        return true;
    if (!gather_add(w->gather, job, o->death, &run_id, why, sizeof why)) {
        term_error("%s", why);
        w->record_failed = true;
        worsen(w, CLI_BAD);
        return false;
    }
    json_object_set_new(o->result, "run_id", run_id ? json_integer(run_id) : json_null());
    json_object_set_new(o->result, "db", run_id ? json_string(w->args->db) : json_null());
    return true;
}

static void begin_table(struct sweep *w, size_t file)
{
    const struct loaded *loaded = &w->loaded[file];
    if (file && !w->args->json && !w->args->quiet)
        printf("\n");
    w->error_told = false;
    table_begin(&w->table, w->args, w->args->files[file], engine_about(loaded->engine),
                loaded->params, w->seeds);
}

static void end_table(struct sweep *w, bool interrupted)
{
    bool holds = table_end(&w->table, interrupted);
    if (!holds)
        worsen(w, CLI_CHECK_FAILED);
    w->held_files += holds;
    w->held_runs += w->table.held;
    table_free(&w->table);
}

/* Tells the job, whose turn it is. False if it cannot be recorded. */
static bool tell(struct sweep *w, uint64_t job)
{
    struct outcome *o = &w->outcomes[job];
    progress_clear(&w->progress);
    if (!w->table.args)
        begin_table(w, file_of(w, job));
    if (!record(w, job, o))
        return false;
    const char *reason = json_string_value(json_object_get(o->result, "reason"));
    worsen(w, o->status);
    if (o->status == CLI_BAD || o->status == CLI_NOT_DETERMINISTIC)
        tell_error(w, job, o->status == CLI_BAD ? "" : "not deterministic: ", reason ? reason : "");
    table_row(&w->table, seed_of(w, job), o->result);
    json_decref(o->result);
    free(o->death);
    *o = (struct outcome){.there = false};
    return true;
}

static bool tell_all(struct sweep *w)
{
    while (w->told < w->jobs && w->outcomes[w->told].there) {
        if (!tell(w, w->told))
            return false;
        if (++w->told % w->seeds->count == 0)
            end_table(w, false);
    }
    return true;
}

/* After an interruption: what is done without what was to come before it. */
static void tell_rest(struct sweep *w)
{
    for (; w->told < w->jobs; w->told++) {
        if (w->told % w->seeds->count == 0 && w->table.args)
            end_table(w, w->table.done < w->seeds->count);
        if (w->outcomes[w->told].there && !w->record_failed)
            tell(w, w->told);
    }
    if (w->table.args)
        end_table(w, w->table.done < w->seeds->count);
}

/* ---- what the pool asks and tells -------------------------------------------------------------
 */

static bool next(void *ctx, uint64_t *job)
{
    struct sweep *w = ctx;
    *job = w->handed;
    return w->handed < w->jobs && ++w->handed;
}

static bool take(struct sweep *w, uint64_t job, struct outcome outcome)
{
    w->outcomes[job] = outcome;
    w->runs.done++;
    w->runs.failed += outcome.status != CLI_OK && outcome.status != CLI_SKIPPED;
    return tell_all(w);
}

static void complete(struct sweep *w, uint64_t job, json_t *result)
{
    char seed[24];
    json_t *file = json_string(w->args->files[file_of(w, job)]);
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)seed_of(w, job));
    json_object_set_new(result, "seed", json_string(seed));
    json_object_set_new(result, "file", file ? file : json_string("?"));
}

static bool lost(void *ctx, uint64_t job, const char *why)
{
    struct sweep *w = ctx;
    json_t *result = bare_result("crashed", why);
    char *death = strdup(why);
    if (!death)
        abort();
    complete(w, job, result);
    return take(w, job, (struct outcome){true, CLI_CHECK_FAILED, result, death});
}

static bool done(void *ctx, uint64_t job, const void *data, size_t len)
{
    struct sweep *w = ctx;
    int32_t status;
    if (len < sizeof status)
        return lost(ctx, job, "its result makes no sense");
    memcpy(&status, data, sizeof status);
    json_t *result = json_loadb((const char *)data + sizeof status, len - sizeof status, 0, NULL);
    if (!result)
        return lost(ctx, job, "its result makes no sense");
    complete(w, job, result);
    return take(w, job, (struct outcome){true, status, result, NULL});
}

static void tick(void *ctx)
{
    struct sweep *w = ctx;
    progress_update_runs(&w->progress, &w->runs);
}

/* ---- all of it --------------------------------------------------------------------------------
 */

static bool load_all(struct sweep *w)
{
    w->loaded = calloc(w->args->file_count, sizeof *w->loaded);
    if (!w->loaded)
        abort();
    for (size_t i = 0; i < w->args->file_count; i++)
        if (!run_load(&w->loaded[i], w->args, w->args->files[i]))
            return false;
    return true;
}

static void sweep_free(struct sweep *w)
{
    for (size_t i = 0; w->loaded && i < w->args->file_count; i++)
        engine_free(w->loaded[i].engine);
    for (uint64_t i = 0; w->outcomes && i < w->jobs; i++) {
        json_decref(w->outcomes[i].result);
        free(w->outcomes[i].death);
    }
    free(w->loaded);
    free(w->outcomes);
    gather_free(w->gather);
    seeds_free(&w->one);
}

static bool prepare(struct sweep *w)
{
    char why[1024], seed[24];
    const struct args_run *args = w->args;
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)args->seed);
    w->seeds = args->seeds.count ? &args->seeds : &w->one;
    if (!args->seeds.count && !seeds_parse(&w->one, seed, why, sizeof why))
        abort();
    w->jobs = w->seeds->count * args->file_count;
    w->runs.all = w->jobs;
    if (!load_all(w))
        return false;
    if (args->record != RECORD_NONE) {
        w->gather = gather_new(args->db, why, sizeof why);
        if (!w->gather)
            term_error("%s", why);
    }
    w->outcomes = calloc(w->jobs, sizeof *w->outcomes);
    if (!w->outcomes)
        abort();
    return w->gather || args->record == RECORD_NONE;
}

static void tell_total(const struct sweep *w)
{
    char held[32], all[32], files[32];
    if (w->args->file_count == 1 || w->args->json)
        return;
    term_number(held, w->held_runs);
    term_number(all, w->jobs);
    term_number(files, w->args->file_count);
    printf("%s%s of %s runs hold, %llu of %s scenarios\n", w->args->quiet ? "" : "\n", held, all,
           (unsigned long long)w->held_files, files);
}

static void run_all(struct sweep *w)
{
    const struct pool_ops ops = {
        .ctx = w, .next = next, .work = work, .done = done, .lost = lost, .tick = tick};
    uint32_t workers = w->args->jobs ? w->args->jobs : pool_processors();
    workers = workers < w->jobs ? workers : (uint32_t)w->jobs;
    progress_init(&w->progress, w->args->json || w->args->quiet ? NULL : stderr, "");
    session_signals();
    enum pool_end end = pool_run(&ops, workers, session_interrupt());
    int reason = errno;
    progress_clear(&w->progress);
    if (end == POOL_DONE)
        return;
    if (end == POOL_FAILED) {
        term_error("no worker process can be started: %s", strerror(reason));
        worsen(w, CLI_BAD);
    }
    if (end == POOL_INTERRUPTED)
        worsen(w, CLI_INTERRUPTED);
    tell_rest(w);
}

int cli_seeds(const struct args_run *args)
{
    struct sweep w = {.args = args};
    if (prepare(&w)) {
        run_all(&w);
        tell_total(&w);
        if (!term_stdout_ok())
            worsen(&w, CLI_BAD);
    } else {
        w.status = CLI_BAD;
    }
    sweep_free(&w);
    return w.status;
}
