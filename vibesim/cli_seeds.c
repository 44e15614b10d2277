/* Many runs in worker processes, told as if one process had made them in turn.
 *
 * Happy path: all files are loaded and the record is checked; the workers (many.c) make the runs of
 * all (file, seed) pairs; here results wait until all before them are there, then their part joins
 * the record and their row is printed. So neither the table nor the record depends on --jobs.
 * Failure modes: a run whose process dies is a failed seed, recorded as far as it came; a record
 * that cannot be written ends it all (status 2); Ctrl-C kills the workers, and what is done is kept
 * and told (status 130). */
#include "vibesim/cli_seeds.h"

#include "vibesim/cli.h"
#include "vibesim/cli_table.h"
#include "vibesim/many.h"

#include <stdlib.h>
#include <string.h>

/* Runs that wait for their turn. */
struct turns {
    const struct args_run *args;
    struct many many;
    struct seeds one; /* where the seed is one */
    const struct seeds *seeds;
    struct many_run *waiting; /* by job: has a result once it has ended */
    uint64_t handed, told;    /* told: the jobs before it had their turn */
    struct table table;       /* of the file that is told */
    uint64_t held_runs, held_files;
    bool error_told; /* the first error of this file is on stderr */
    bool record_failed;
    int status;
};

static void worsen(struct turns *t, int status)
{
    t->status = many_worse(t->status, status);
}

/* ---- in turn ----------------------------------------------------------------------------------
 */

static void tell_error(struct turns *t, uint64_t seed, const char *kind, const char *reason)
{
    if (t->error_told)
        return;
    t->error_told = true;
    term_error("%s: seed %llu: %s%s", t->table.file, (unsigned long long)seed, kind, reason);
}

static void begin_table(struct turns *t, size_t file)
{
    const struct loaded *loaded = &t->many.loaded[file];
    if (file && !t->args->json && !t->args->quiet)
        printf("\n");
    t->error_told = false;
    table_begin(&t->table, t->args, t->args->files[file], engine_about(loaded->engine),
                loaded->params, t->seeds);
}

static void end_table(struct turns *t, bool interrupted)
{
    bool holds = table_end(&t->table, interrupted);
    if (!holds)
        worsen(t, CLI_CHECK_FAILED);
    t->held_files += holds;
    t->held_runs += t->table.held;
    table_free(&t->table);
}

/* Tells the run, whose turn it is. False if it cannot be recorded. */
static bool tell(struct turns *t, struct many_run *run)
{
    char why[1024];
    progress_clear(&t->many.progress);
    if (!t->table.args)
        begin_table(t, run->file);
    if (!many_record(&t->many, run, why, sizeof why)) {
        term_error("%s", why);
        t->record_failed = true;
        worsen(t, CLI_BAD);
        return false;
    }
    const char *reason = json_string_value(json_object_get(run->result, "reason"));
    worsen(t, run->status);
    if (run->status == CLI_BAD || run->status == CLI_NOT_DETERMINISTIC)
        tell_error(t, run->seed,
                   run->status == CLI_BAD ? "" : "not deterministic: ", reason ? reason : "");
    table_row(&t->table, run->seed, run->result);
    many_run_free(run);
    return true;
}

static bool tell_all(struct turns *t)
{
    while (t->told < t->many.all && t->waiting[t->told].result) {
        if (!tell(t, &t->waiting[t->told]))
            return false;
        if (++t->told % t->seeds->count == 0)
            end_table(t, false);
    }
    return true;
}

/* After an interruption: what is done without what was to come before it. */
static void tell_rest(struct turns *t)
{
    for (; t->told < t->many.all; t->told++) {
        if (t->told % t->seeds->count == 0 && t->table.args)
            end_table(t, t->table.done < t->seeds->count);
        if (t->waiting[t->told].result && !t->record_failed)
            tell(t, &t->waiting[t->told]);
    }
    if (t->table.args)
        end_table(t, t->table.done < t->seeds->count);
}

/* ---- what is asked by those who make the runs -------------------------------------------------
 */

static bool next(void *ctx, uint64_t *job)
{
    struct turns *t = ctx;
    *job = t->handed;
    return t->handed < t->many.all && ++t->handed;
}

static void describe(void *ctx, uint64_t job, struct args_run *args, size_t *file)
{
    const struct turns *t = ctx;
    *file = (size_t)(job / t->seeds->count);
    args->seed = seeds_at(t->seeds, job % t->seeds->count);
}

static bool ended(void *ctx, struct many_run *run)
{
    struct turns *t = ctx;
    t->waiting[run->job] = *run;
    return tell_all(t);
}

/* ---- all of it --------------------------------------------------------------------------------
 */

static void turns_free(struct turns *t)
{
    for (uint64_t i = 0; t->waiting && i < t->many.all; i++)
        many_run_free(&t->waiting[i]);
    free(t->waiting);
    gather_free(t->many.gather);
    many_free(&t->many);
    seeds_free(&t->one);
}

static bool prepare(struct turns *t)
{
    char why[1024], seed[24];
    const struct args_run *args = t->args;
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)args->seed);
    t->seeds = args->seeds.count ? &args->seeds : &t->one;
    if (!args->seeds.count && !seeds_parse(&t->one, seed, why, sizeof why))
        abort();
    t->many = (struct many){
        .ops = {.ctx = t, .next = next, .describe = describe, .ended = ended},
        .args = args,
        .all = t->seeds->count * args->file_count,
    };
    if (!many_load(&t->many))
        return false;
    if (args->record != RECORD_NONE) {
        t->many.gather = gather_new(args->db, why, sizeof why);
        if (!t->many.gather)
            term_error("%s", why);
    }
    t->waiting = calloc(t->many.all, sizeof *t->waiting);
    if (!t->waiting)
        abort();
    return t->many.gather || args->record == RECORD_NONE;
}

static void tell_total(const struct turns *t)
{
    char held[32], all[32], files[32];
    if (t->args->file_count == 1 || t->args->json)
        return;
    term_number(held, t->held_runs);
    term_number(all, t->many.all);
    term_number(files, t->args->file_count);
    printf("%s%s of %s runs hold, %llu of %s scenarios\n", t->args->quiet ? "" : "\n", held, all,
           (unsigned long long)t->held_files, files);
}

static void run_all(struct turns *t)
{
    enum pool_end end = many_make(&t->many);
    if (end == POOL_DONE)
        return;
    if (end == POOL_FAILED)
        worsen(t, CLI_BAD);
    if (end == POOL_INTERRUPTED)
        worsen(t, CLI_INTERRUPTED);
    tell_rest(t);
}

int cli_seeds(const struct args_run *args)
{
    struct turns t = {.args = args};
    if (prepare(&t)) {
        run_all(&t);
        tell_total(&t);
        if (!term_stdout_ok())
            worsen(&t, CLI_BAD);
    } else {
        t.status = CLI_BAD;
    }
    turns_free(&t);
    return t.status;
}
