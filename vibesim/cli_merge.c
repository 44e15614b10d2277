/* `vibesim merge`: several records into one.
 *
 * Happy path: every input is looked at (store/recorder_merge.h); they are one sweep in all its
 * shards, or records without any; then they are written into a new file, which tells what came of
 * the sweep as if one process had made it. Failure modes: whatever does not belong together is
 * refused with a line, before anything is written; an interrupted or failed merge leaves no file.
 */
#include "vibesim/cli_merge.h"

#include "store/recorder_merge.h"
#include "vibesim/cli.h"
#include "vibesim/cli_session.h"
#include "vibesim/cli_summary.h"
#include "vibesim/cli_words.h"
#include "vibesim/shard.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char merge_help[] =
    "Usage: vibesim merge OUT.db IN.db... [options]\n"
    "\n"
    "Joins the shards of a sweep into one database, in the order of the plan, and tells what came "
    "of\n"
    "the whole: what is to happen sometimes is judged now. Other records are joined as they are. "
    "OUT\n"
    "is a new file; no IN is changed. A file of an older vibesim comes out as one of this.\n"
    "\n"
    "  --partial          though shards are missing or not complete; nothing is judged over them "
    "then\n"
    "  --mixed-builds     though runs were made by different builds of vibesim\n"
    "  --metrics --json --quiet   as vibesim sweep has them\n"
    "\n"
    "Examples:\n"
    "  vibesim merge all.db sweep-*-of-3.db\n"
    "  vibesim merge new.db old.db\n"
    "\n"
    "Exit status: that of the sweep (0 all runs hold, 1 some do not, ...); 2 nothing was merged.\n";

static const char *const names[] = {"--partial", "--mixed-builds", "--metrics", "--json",
                                    "--quiet",   "--help",         NULL};

static bool *switch_of(struct args_merge *args, const char *name)
{
    return words_is(name, "--partial")        ? &args->partial
           : words_is(name, "--mixed-builds") ? &args->mixed_builds
           : words_is(name, "--metrics")      ? &args->metrics
           : words_is(name, "--json")         ? &args->json
           : words_is(name, "--quiet")        ? &args->quiet
                                              : &args->help;
}

bool merge_args_parse(struct args_merge *args, int argc, char **argv)
{
    struct words w = {.argc = argc, .argv = argv, .names = names};
    const char *name, *word;
    bool wrong = false;
    memset(args, 0, sizeof *args);
    args->ins = calloc((size_t)argc + 1, sizeof *args->ins);
    if (!args->ins)
        abort();
    while (words_next(&w, &name, &word, &wrong)) {
        if (name && !words_switch(switch_of(args, name), &w, name))
            return false;
        if (!name && !args->out)
            args->out = word;
        else if (!name)
            args->ins[args->in_count++] = word;
    }
    if (!wrong && !args->help && !args->in_count)
        term_error("merge: name a new file and what goes into it: vibesim merge OUT.db IN.db...");
    return !wrong && (args->help || args->in_count);
}

void merge_args_free(struct args_merge *args)
{
    free(args->ins);
}

struct merge {
    const struct args_merge *args;
    struct merge_input *inputs; /* the sweep's by their first shard, then the others as given */
    size_t count;
    struct plan plan; /* of the sweep, if there is one */
    const char *plan_from;
    uint64_t runs;
};

/* What store says of --db, in merge's words. */
static void tell_store(const char *why)
{
    const char *option = strstr(why, " (--db)");
    if (option)
        term_error("%.*s%s", (int)(option - why), why, option + strlen(" (--db)"));
    else
        term_error("%s", why);
}

/* ---- whether they belong together -------------------------------------------------------------
 */

static bool check_names(const struct args_merge *args)
{
    struct stat out, *stats = calloc(args->in_count, sizeof *stats);
    bool ok = true;
    if (!stats)
        abort();
    for (size_t i = 0; ok && i < args->in_count; i++) {
        ok = stat(args->ins[i], &stats[i]) == 0;
        if (!ok)
            term_error("%s: there is no such file: name records of vibesim", args->ins[i]);
        for (size_t k = 0; ok && k < i; k++)
            if (stats[k].st_dev == stats[i].st_dev && stats[k].st_ino == stats[i].st_ino) {
                term_error("%s: is given twice%s%s", args->ins[i],
                           strcmp(args->ins[i], args->ins[k]) != 0 ? ", as " : "",
                           strcmp(args->ins[i], args->ins[k]) != 0 ? args->ins[k] : "");
                ok = false;
            }
    }
    if (ok && lstat(args->out, &out) == 0) {
        for (size_t i = 0; ok && i < args->in_count; i++)
            if (stats[i].st_dev == out.st_dev && stats[i].st_ino == out.st_ino) {
                term_error("%s: is to be read and written: name a new file first, then what goes "
                           "into it",
                           args->out);
                ok = false;
            }
        if (ok)
            term_error("%s: is there already: name a new file, or remove it", args->out);
        ok = false;
    }
    free(stats);
    return ok;
}

/* Holds each shard of each input against the plan of the first. */
static bool check_plan(struct merge *m, const struct merge_input *in, const struct read_sweep *row)
{
    char why[600], from[300], here[300];
    struct plan plan;
    if (!plan_read(&plan, row->plan, why, sizeof why)) {
        term_error("%s: %s", in->path, why);
        return false;
    }
    const bool sane = strcmp(plan.id, row->id) == 0 && plan.shards == row->shards &&
                      row->shard >= 1 && row->shard <= row->shards &&
                      row->runs == shard_jobs(row->shard, row->shards, plan.jobs);
    const bool first = !m->plan_from;
    const bool same = first || strcmp(plan.id, m->plan.id) == 0;
    if (!sane) {
        term_error("%s: its sweep makes no sense: the record is damaged", in->path);
    } else if (!same) {
        snprintf(from, sizeof from, "in %.290s", m->plan_from);
        snprintf(here, sizeof here, "in %.290s", in->path);
        plan_difference(why, sizeof why, &m->plan, from, &plan, here);
        term_error("%s: is of another sweep than %s (%s)", in->path, m->plan_from, why);
    }
    if (sane && first) {
        m->plan = plan;
        m->plan_from = in->path;
    } else {
        plan_free(&plan);
    }
    return sane && same;
}

/* Every shard once, and each complete. */
static bool check_shards(struct merge *m)
{
    const char **from = calloc(m->plan.shards, sizeof *from);
    bool ok = true;
    if (!from)
        abort();
    for (size_t i = 0; ok && i < m->count; i++)
        for (size_t k = 0; ok && k < m->inputs[i].shard_count; k++) {
            const struct merge_shard *s = &m->inputs[i].shards[k];
            const char **place = &from[s->row.shard - 1];
            ok = false;
            if (*place)
                term_error("%s: has shard %u of %u, which %s has too: leave out one of them",
                           m->inputs[i].path, s->row.shard, s->row.shards, *place);
            else if (s->row.complete && s->made != s->row.runs)
                term_error("%s: has %llu of %llu runs of shard %u and says that it is complete: "
                           "the record is damaged",
                           m->inputs[i].path, (unsigned long long)s->made,
                           (unsigned long long)s->row.runs, s->row.shard);
            else if (!s->row.complete && !m->args->partial)
                term_error("%s: shard %u of %u is not complete, it has %llu of %llu runs: go on "
                           "with it by vibesim sweep ... --resume, or merge with --partial",
                           m->inputs[i].path, s->row.shard, s->row.shards,
                           (unsigned long long)s->made, (unsigned long long)s->row.runs);
            else
                ok = true;
            *place = m->inputs[i].path;
        }
    char list[200] = "";
    size_t missing = 0;
    for (uint32_t i = 0; i < m->plan.shards; i++)
        if (!from[i] && ++missing <= 10)
            snprintf(list + strlen(list), sizeof list - strlen(list), "%s%u",
                     missing > 1 ? ", " : "", i + 1);
    free(from);
    if (ok && missing && !m->args->partial) {
        term_error("shard%s %s%s of %u %s missing: name %s too, or merge with --partial",
                   missing > 1 ? "s" : "", list, missing > 10 ? " and more" : "", m->plan.shards,
                   missing > 1 ? "are" : "is", missing > 1 ? "their files" : "its file");
        ok = false;
    }
    return ok;
}

/* A copy of one file that has no sweep may have what it has. */
static bool check_builds(const struct merge *m)
{
    const char *first = NULL, *from = NULL;
    if (m->args->mixed_builds || (m->count == 1 && !m->plan_from))
        return true;
    for (size_t i = 0; i < m->count; i++)
        for (size_t k = 0; k < m->inputs[i].build_count; k++) {
            const char *build = m->inputs[i].builds[k];
            if (first && strcmp(first, build) != 0) {
                term_error("runs of mixed builds, %s in %s and %s in %s: what differs between "
                           "them may be the build; take them all the same with --mixed-builds",
                           first, from, build, m->inputs[i].path);
                return false;
            }
            first = build;
            from = m->inputs[i].path;
        }
    return true;
}

/* That the runs of a sweep are what its plan says. */
static bool check_runs(struct merge *m, const struct merge_input *in)
{
    char why[700];
    struct reader *reader = reader_open(in->path, why, sizeof why);
    bool ok = reader != NULL;
    if (!ok)
        tell_store(why);
    else if (!summary_check(reader, &m->plan, why, sizeof why)) {
        term_error("%s: %s", in->path, why);
        ok = false;
    }
    reader_close(reader);
    return ok;
}

/* ---- all of it --------------------------------------------------------------------------------
 */

/* By the first shard, those without any behind; total but for those, whose order is as given. */
static bool comes_before(const struct merge_input *a, const struct merge_input *b)
{
    if (!a->shard_count || !b->shard_count)
        return a->shard_count > 0 && !b->shard_count;
    return a->shards[0].row.shard < b->shards[0].row.shard;
}

static void add_input(struct merge *m, const struct merge_input *in)
{
    size_t at = m->count++;
    for (; at > 0 && comes_before(in, &m->inputs[at - 1]); at--)
        m->inputs[at] = m->inputs[at - 1];
    m->inputs[at] = *in;
    m->runs += in->runs;
}

static bool look_at_all(struct merge *m)
{
    char why[1024];
    m->inputs = calloc(m->args->in_count, sizeof *m->inputs);
    if (!m->inputs)
        abort();
    for (size_t i = 0; i < m->args->in_count; i++) {
        struct merge_input in;
        if (!merge_look(&in, m->args->ins[i], why, sizeof why)) {
            tell_store(why);
            return false;
        }
        add_input(m, &in);
    }
    for (size_t i = 0; i < m->count; i++)
        for (size_t k = 0; k < m->inputs[i].shard_count; k++)
            if (!check_plan(m, &m->inputs[i], &m->inputs[i].shards[k].row))
                return false;
    if (m->plan_from && !check_shards(m))
        return false;
    for (size_t i = 0; i < m->count; i++)
        if (m->inputs[i].shard_count && !check_runs(m, &m->inputs[i]))
            return false;
    return check_builds(m);
}

static int write_out(struct merge *m)
{
    char why[1024];
    session_signals();
    if (merge_write(m->args->out, m->inputs, m->count, session_interrupt(), why, sizeof why))
        return CLI_OK;
    if (why[0])
        tell_store(why);
    else
        term_error("merge: interrupted: %s was not made", m->args->out);
    return why[0] ? CLI_BAD : CLI_INTERRUPTED;
}

static int tell(const struct merge *m)
{
    const struct summary_options options = {
        .json = m->args->json, .quiet = m->args->quiet, .metrics = m->args->metrics};
    char runs[32];
    uint64_t done;
    term_number(runs, m->runs);
    if (!m->args->json)
        printf("%s: %s run%s of %zu file%s\n%s", m->args->out, runs, m->runs == 1 ? "" : "s",
               m->count, m->count == 1 ? "" : "s", m->plan_from && !m->args->quiet ? "\n" : "");
    return m->plan_from ? summary_tell(m->args->out, &options, &done) : CLI_OK;
}

int cli_merge(const struct args_merge *args)
{
    struct merge m = {.args = args};
    int status = CLI_BAD;
    signal(SIGXFSZ, SIG_IGN); /* a size limit is told like a full disk */
    if (check_names(args) && look_at_all(&m))
        status = write_out(&m);
    if (status == CLI_OK)
        status = tell(&m);
    for (size_t i = 0; i < m.count; i++)
        merge_input_free(&m.inputs[i]);
    free(m.inputs);
    plan_free(&m.plan);
    return term_stdout_ok() || status != CLI_OK ? status : CLI_BAD;
}
