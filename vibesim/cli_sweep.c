/* `vibesim sweep`: all runs of a plan, or of a shard of it, into one record.
 *
 * Happy path: the scenarios are loaded and the plan is made of them; the record is opened, alone;
 * what it has of the plan is left out; workers (many.c) make the rest, and each run joins the
 * record as it ends, whatever its place, so that little is lost however the sweep ends. Then the
 * record tells what came of it (cli_summary.c). Failure modes: a record of another plan or build is
 * refused before anything is changed; a run whose process dies is a failed run; a run that cannot
 * be recorded ends the sweep (status 2), as Ctrl-C does (130), and --resume goes on from there. */
#include "vibesim/cli_sweep.h"

#include "store/recorder_sweeps.h"
#include "vibesim/build.h"
#include "vibesim/cli.h"
#include "vibesim/cli_session.h"
#include "vibesim/cli_summary.h"
#include "vibesim/many.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char sweep_help[] =
    "Usage: vibesim sweep FILE.lua... --seeds LIST [options]\n"
    "\n"
    "Makes a run of each scenario for each seed, in as many processes as there are processors,\n"
    "into one database; shows how far it is, and in the end a line for each scenario. A run whose\n"
    "process crashes is a failed run, and the others go on.\n"
    "\n"
    "  --seeds LIST       a list like 1..1000 or 3,7,100..199; at most 1000000\n"
    "  --db FILE          the database; {shard} in it becomes 2-of-8 [sweep.db, and of a shard\n"
    "                     sweep-{shard}.db]. It is filled by one process at a time\n"
    "  --resume           goes on with what the file has of this sweep, which may be nothing. "
    "Runs\n"
    "                     that a batch system or a lack of memory has killed are made again\n"
    "  --mixed-builds     goes on though another build of vibesim began\n"
    "  --shard I/N        this process makes every Nth run, from the Ith on; 1/1: all. Without it\n"
    "                     the environment is asked: SLURM_ARRAY_TASK_ID and _COUNT,\n"
    "                     OMPI_COMM_WORLD_RANK and _SIZE, CI_NODE_INDEX and CI_NODE_TOTAL,\n"
    "                     JOB_COMPLETION_INDEX\n"
    "  --shards N         of how many, where the environment says only which (Kubernetes); or\n"
    "                     VIBESIM_SHARDS\n"
    "  --jobs N           how many runs at once, 1 to 256 [as many as there are processors]\n"
    "  --metrics          how the metrics of each scenario are spread (of one alone in any case)\n"
    "  --json             an object a line: for each scenario with \"summary\": true, and one "
    "with\n"
    "                     \"total\": true. The runs themselves are in the database\n"
    "  --quiet            what failed and the last line\n"
    "  --param --core --until --without --only --record --world --speed --swarm --salt\n"
    "  --audit --verify   as vibesim run has them; the least to --record is summary\n"
    "\n"
    "A `sometimes` is judged over all runs of a scenario, and over shards once vibesim merge has\n"
    "joined them. What makes the sweep, its plan, are the scenarios as they are, the seeds, and\n"
    "all options of the runs; --resume and vibesim merge take nothing of another plan. Ctrl-C (or\n"
    "SIGTERM) keeps the runs that have ended.\n"
    "\n"
    "Examples:\n"
    "  vibesim sweep scenarios/*.lua --seeds 1..1000 --db all.db\n"
    "  vibesim sweep scenarios/*.lua --seeds 1..1000 --db all.db --resume\n"
    "  vibesim sweep scenarios/*.lua --seeds 1..1000 --shard 2/3\n"
    "  vibesim merge all.db sweep-*-of-3.db\n"
    "  sqlite3 all.db \"SELECT file, seed, reason FROM run WHERE verdict = 'fail' ORDER BY job\"\n"
    "\n"
    "Exit status: 0 all runs hold, 1 some do not or a `sometimes` was never hit, 2 bad usage, a\n"
    "bad file or scenario, 3 not deterministic (--verify), 77 all runs were skipped, 130\n"
    "interrupted. packaging/cluster has files to run it on Slurm, Open MPI and Kubernetes.\n";

struct sweep {
    const struct args_sweep *args;
    struct args_run run; /* args->run, as one of this sweep */
    struct many many;
    struct plan plan;
    struct read_sweep shard; /* as the record has it, or is to have it */
    bool begun;              /* it is in the record */
    uint8_t *made;           /* a bit a job: the record has it */
    uint64_t made_count, next;
    char other_build[200]; /* one that made runs in the record, or "" */
    bool failed;           /* the record could not be written */
    bool wrong;            /* why says what is wrong with the record */
    char why[1100];
};

static void note(const struct sweep *s, const char *text)
{
    if (!s->run.quiet)
        fprintf(stderr, "%s\n", text);
}

/* ---- what the record has ----------------------------------------------------------------------
 */

/* The row is not of our plan. */
static void tell_other_plan(struct sweep *s, const struct read_sweep *row)
{
    struct plan theirs;
    char difference[600], why[300];
    s->wrong = true;
    if (!plan_read(&theirs, row->plan ? row->plan : "", why, sizeof why)) {
        snprintf(s->why, sizeof s->why, "%s: %s: use another file (--db)", s->run.db, why);
        return;
    }
    plan_difference(difference, sizeof difference, &theirs, "there", &s->plan, "here");
    if (strcmp(theirs.id, s->plan.id) != 0)
        snprintf(s->why, sizeof s->why,
                 "%s: holds another sweep (%s): ask for the same, or use another file (--db)",
                 s->run.db, difference);
    else
        snprintf(s->why, sizeof s->why,
                 "%s: its sweep makes no sense, the record is damaged: use another file (--db)",
                 s->run.db);
    plan_free(&theirs);
}

static bool on_shard(void *ctx, const struct read_sweep *row)
{
    struct sweep *s = ctx;
    const bool same = row->id && strcmp(row->id, s->plan.id) == 0 && row->plan &&
                      strcmp(row->plan, s->plan.text) == 0 && row->shards == s->shard.shards;
    if (!same)
        tell_other_plan(s, row);
    if (same && row->build && strcmp(row->build, s->shard.build) != 0)
        snprintf(s->other_build, sizeof s->other_build, "%s", row->build);
    if (same && row->shard == s->shard.shard) {
        s->begun = true;
        s->shard.complete = row->complete;
    }
    return same;
}

static bool on_run(void *ctx, const struct read_run *row)
{
    struct sweep *s = ctx;
    if (row->build && strcmp(row->build, s->shard.build) != 0)
        snprintf(s->other_build, sizeof s->other_build, "%s", row->build);
    if (row->job % s->shard.shards != s->shard.shard - 1 || sweeps_says_nothing(row))
        return true;
    s->made[row->job / 8] |= (uint8_t)(1u << (row->job % 8));
    s->made_count++;
    return true;
}

/* Reads what the record has of the plan. False with a line in why. */
static bool read_record(struct sweep *s)
{
    struct reader *reader = reader_open(s->run.db, s->why, sizeof s->why);
    if (!reader)
        return false;
    bool ok = reader_sweeps(reader, on_shard, s, s->why, sizeof s->why) && !s->wrong;
    if (ok && !summary_check(reader, &s->plan, s->why, sizeof s->why)) {
        char why[500];
        snprintf(why, sizeof why, "%.480s", s->why);
        snprintf(s->why, sizeof s->why, "%s: %s: use another file (--db)", s->run.db, why);
        ok = false;
    }
    ok = ok &&
         reader_sweep_runs(reader, s->plan.id, 0, UINT64_MAX, on_run, s, s->why, sizeof s->why);
    reader_close(reader);
    return ok;
}

/* Whether the record may be gone on with, or begun. False with a line in why. */
static bool may_go_on(struct sweep *s)
{
    const char *db = s->run.db;
    char made[32], all[32];
    term_number(made, s->made_count);
    term_number(all, s->shard.runs);
    if (s->begun && !s->args->resume && s->shard.complete)
        snprintf(s->why, sizeof s->why,
                 "%s: holds this sweep already, all %s runs: --resume shows what came of it; to "
                 "make it anew use another file (--db)",
                 db, all);
    else if (s->begun && !s->args->resume)
        snprintf(s->why, sizeof s->why,
                 "%s: holds %s of %s runs of this sweep: go on with --resume, or use another file "
                 "(--db)",
                 db, made, all);
    else if (s->other_build[0] && !s->args->mixed_builds && s->made_count < s->shard.runs)
        snprintf(s->why, sizeof s->why,
                 "%s: its runs were made by another build (%s, this is %s): use that one, or "
                 "--mixed-builds, or another file (--db)",
                 db, s->other_build, s->shard.build);
    else
        return true;
    return false;
}

/* Brings the record to where the runs may begin. */
static bool open_record(struct sweep *s)
{
    s->many.gather = gather_new_alone(s->run.db, s->why, sizeof s->why);
    if (!s->many.gather || !read_record(s) || !may_go_on(s))
        return false;
    if (!s->begun)
        return sweeps_begin(s->run.db, &s->shard, s->why, sizeof s->why);
    s->shard.complete = s->shard.complete && s->made_count == s->shard.runs;
    return sweeps_go_on(s->run.db, &s->shard, s->why, sizeof s->why);
}

/* ---- what is asked by those who make the runs -------------------------------------------------
 */

static bool next(void *ctx, uint64_t *job)
{
    struct sweep *s = ctx;
    while (s->next < s->plan.jobs && s->made[s->next / 8] & (1u << (s->next % 8)))
        s->next += s->shard.shards;
    *job = s->next;
    s->next += s->shard.shards;
    return *job < s->plan.jobs;
}

static void describe(void *ctx, uint64_t job, struct args_run *args, size_t *file)
{
    const struct sweep *s = ctx;
    plan_job(&s->plan, job, file, &args->seed);
    args->sweep_job = job;
}

/* Records a run that left nothing: its process died before it began, or it was refused. */
static bool record_bare(struct sweep *s, const struct many_run *run)
{
    char options[RERUN_OPTIONS_SIZE];
    struct recorder_run row;
    int64_t run_id;
    size_t file;
    const struct loaded *loaded = &s->many.loaded[run->file];
    struct args_run args = s->run;
    describe(s, run->job, &args, &file);
    args.file = s->run.files[file];
    run_pin(&args, loaded->engine);
    const char *reason = json_string_value(json_object_get(run->result, "reason"));
    return session_row(&row, &args, loaded->engine, loaded->params, options, s->why,
                       sizeof s->why) &&
           gather_add_bare(s->many.gather, &row, "error", reason, &run_id, s->why, sizeof s->why);
}

static bool ended(void *ctx, struct many_run *run)
{
    struct sweep *s = ctx;
    const char *reason = json_string_value(json_object_get(run->result, "reason"));
    if (run->trouble) {
        snprintf(s->why, sizeof s->why, "%s", reason ? reason : "a run could not be recorded");
        s->failed = true;
    } else {
        s->failed =
            !many_record(&s->many, run, s->why, sizeof s->why) ||
            (!json_is_integer(json_object_get(run->result, "run_id")) && !record_bare(s, run));
    }
    s->made_count += !s->failed;
    many_run_free(run);
    return !s->failed;
}

/* ---- all of it --------------------------------------------------------------------------------
 */

static void tell_shard(const struct sweep *s)
{
    const struct shard *shard = &s->args->shard;
    char line[300], runs[32];
    term_number(runs, s->shard.runs);
    if (!shard->from[0] && shard->count == 1)
        return;
    snprintf(line, sizeof line, "shard %u of %u: %s run%s%s%s%s", shard->index, shard->count, runs,
             s->shard.runs == 1 ? "" : "s", shard->from[0] ? " (by " : "", shard->from,
             shard->from[0] ? ")" : "");
    note(s, line);
}

/* False, told, if there is nothing to make runs of, or nowhere to put them. */
static bool prepare(struct sweep *s)
{
    const struct shard *shard = &s->args->shard;
    s->many = (struct many){
        .ops = {.ctx = s, .next = next, .describe = describe, .ended = ended},
        .args = &s->run,
    };
    if (!many_load(&s->many))
        return false;
    if (!plan_make(&s->plan, &s->run, s->many.loaded, shard->count, s->why, sizeof s->why)) {
        term_error("%s", s->why);
        return false;
    }
    s->run.sweep = s->plan.id;
    s->shard = (struct read_sweep){
        .id = s->plan.id,
        .plan = s->plan.text,
        .build = build_name(),
        .shard = shard->index,
        .shards = shard->count,
        .runs = shard_jobs(shard->index, shard->count, s->plan.jobs),
    };
    s->next = shard->index - 1;
    s->made = calloc(s->plan.jobs / 8 + 1, 1);
    if (!s->made)
        abort();
    if (!s->shard.runs)
        term_error("shard %u of %u: has no run of %llu: take fewer shards", shard->index,
                   shard->count, (unsigned long long)s->plan.jobs);
    else if (!open_record(s))
        term_error("%s", s->why);
    else
        return true;
    return false;
}

static int make(struct sweep *s)
{
    char line[100], made[32], all[32];
    s->many.all = s->shard.runs - s->made_count;
    s->many.runs.before = s->made_count;
    tell_shard(s);
    term_number(made, s->made_count);
    term_number(all, s->shard.runs);
    snprintf(line, sizeof line, "%s of %s runs are there already", made, all);
    if (s->made_count)
        note(s, line);
    enum pool_end end = s->many.all ? many_make(&s->many) : POOL_DONE;
    if (end == POOL_DONE && !s->failed && !s->shard.complete)
        s->failed = !sweeps_complete(s->run.db, &s->shard, s->why, sizeof s->why);
    if (s->failed)
        term_error("%s", s->why);
    return s->failed || end == POOL_FAILED ? CLI_BAD
           : end == POOL_INTERRUPTED       ? CLI_INTERRUPTED
                                           : CLI_OK;
}

/* The command that makes the rest, as it was typed. */
static void tell_how_to_go_on(const struct sweep *s)
{
    char word[4096];
    bool ended_options = false;
    if (s->run.json)
        return;
    printf("  Go on: vibesim sweep%s", s->args->resume ? "" : " --resume");
    if (s->args->shard.from[0])
        printf(" --shard %u/%u", s->args->shard.index, s->args->shard.count);
    for (int i = 0; i < s->args->argc; i++) {
        const char *arg = s->args->argv[i];
        ended_options = ended_options || strcmp(arg, "--") == 0;
        if (s->args->shard.from[0] && !ended_options && strncmp(arg, "--shards", 8) == 0) {
            i += arg[8] == 0; /* its value */
            continue;
        }
        term_quote(word, sizeof word, arg);
        printf(" %s", word);
    }
    printf("\n");
}

static int tell(const struct sweep *s, int status)
{
    const struct summary_options options = {
        .json = s->run.json,
        .quiet = s->run.quiet,
        .metrics = s->args->metrics,
        .stopped = status != CLI_OK,
    };
    uint64_t done = 0;
    if (s->made_count)
        status = many_worse(status, summary_tell(s->run.db, &options, &done));
    else if (!s->run.json)
        printf("INTERRUPTED  no run has ended\n");
    if (s->made_count < s->shard.runs)
        tell_how_to_go_on(s);
    return term_stdout_ok() ? status : many_worse(status, CLI_BAD);
}

int cli_sweep(const struct args_sweep *args)
{
    struct sweep s = {.args = args, .run = args->run};
    signal(SIGXFSZ, SIG_IGN); /* a size limit is told like a full disk */
    session_signals();        /* a record is not to be left half opened */
    bool ready = prepare(&s);
    int status = ready ? make(&s) : CLI_BAD;
    gather_free(s.many.gather); /* nobody else is kept out while it is told */
    if (ready)
        status = tell(&s, status);
    many_free(&s.many);
    plan_free(&s.plan);
    free(s.made);
    return status;
}
