/* Makes the runs of the gate; see gate_make.h.
 *
 * Happy path: the workers (many.c) make the runs of all cases; results wait until all before them
 * are there, so that the record does not depend on --jobs; then the record is read as the baseline
 * was, by the same code. Failure modes: a run whose process dies is a broken one; a record that
 * cannot be written ends it all, as does a signal. */
#include "vibesim/gate_make.h"

#include "vibesim/cli.h"
#include "vibesim/cli_term.h"
#include "vibesim/gate_baseline.h"
#include "vibesim/many.h"

#include <stdlib.h>
#include <string.h>

struct job {
    struct gate_case *c;
    size_t file; /* of many.args->files: one a case */
    size_t pair;
};

struct making {
    struct gate *gate;
    const struct args_check *args;
    struct args_run common;
    struct many many;
    struct job *jobs;
    struct many_run *waiting; /* by job: has a result once it has ended */
    uint64_t handed, told;    /* told: the jobs before it are recorded */
    int status;
};

static void *room(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size);
    if (!p)
        abort();
    return p;
}

/* ---- what is asked by those who make the runs -------------------------------------------------
 */

static bool next(void *ctx, uint64_t *job)
{
    struct making *m = ctx;
    *job = m->handed;
    return m->handed < m->many.all && ++m->handed;
}

static void describe(void *ctx, uint64_t number, struct args_run *args, size_t *file)
{
    const struct making *m = ctx;
    const struct job *job = &m->jobs[number];
    const struct args_run *own = &job->c->again.args;
    *file = job->file;
    args->seed = job->c->pairs[job->pair].seed;
    args->seed_given = true;
    args->params = own->params;
    args->param_count = own->param_count;
    args->until_ns = own->until_ns;
    args->left_out = own->left_out;
    args->left_out_count = own->left_out_count;
    args->has_only = own->has_only;
    args->only = own->only;
    args->only_count = own->only_count;
    args->cores = own->cores;
    args->swarm = own->swarm;
    args->audit = own->audit;
}

/* ---- in turn ----------------------------------------------------------------------------------
 */

static const char *text_in(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

static uint64_t whole_in(const json_t *o, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(o, key));
    return n < 0 ? 0 : (uint64_t)n;
}

static void take_sometimes(struct tally *tally, const json_t *result)
{
    size_t i;
    json_t *check;
    json_array_foreach(json_object_get(result, "checks"), i, check)
    {
        const char *kind = text_in(check, "kind"), *name = text_in(check, "name");
        if (kind && name && strcmp(kind, "sometimes") == 0)
            tally_add_sometime(tally, name, text_in(check, "detail"),
                               json_is_true(json_object_get(check, "ok")));
    }
}

static void take_result(struct job *job, const struct many_run *run)
{
    struct gate_run *after = &job->c->pairs[job->pair].after;
    const char *hash = text_in(run->result, "trace_hash");
    const char *verdict = text_in(run->result, "verdict"), *reason = text_in(run->result, "reason");
    bool holds = run->status == CLI_OK;
    *after = (struct gate_run){
        .there = true,
        .id = (int64_t)whole_in(run->result, "run_id"),
        .status = run->status,
        .has_hash = hash != NULL,
        .hash = hash ? strtoull(hash, NULL, 16) : 0,
        .wall_ms = whole_in(run->result, "wall_ms"),
        .verdict = holds ? NULL : gate_copy(verdict ? verdict : "error"),
        .reason = holds ? NULL : gate_copy(reason ? reason : "?"),
    };
    take_sometimes(&job->c->tally, run->result);
}

/* Records the run, whose turn it is. False, told, if that or the run failed for the machine's sake.
 */
static bool take(struct making *m, struct many_run *run)
{
    char why[1024];
    bool recorded = many_record(&m->many, run, why, sizeof why);
    const char *reason = text_in(run->result, "reason");
    if (!recorded || run->trouble) {
        progress_clear(&m->many.progress);
        term_error("%s", !recorded ? why : reason ? reason : "?");
        m->status = CLI_BAD;
        return false;
    }
    take_result(&m->jobs[run->job], run);
    many_run_free(run);
    return true;
}

static bool ended(void *ctx, struct many_run *run)
{
    struct making *m = ctx;
    m->waiting[run->job] = *run;
    while (m->told < m->many.all && m->waiting[m->told].result)
        if (!take(m, &m->waiting[m->told++]))
            return false;
    return true;
}

/* ---- all of it --------------------------------------------------------------------------------
 */

/* One file, loaded, a case: many.c knows scenarios by their place, and each case has its own
 * parameters. */
static void list_jobs(struct making *m)
{
    struct gate *gate = m->gate;
    uint64_t all = 0;
    size_t files = 0;
    for (size_t i = 0; i < gate->case_count; i++)
        all += gate->cases[i].file ? gate->cases[i].pair_count : 0;
    m->jobs = room((size_t)all, sizeof *m->jobs);
    m->waiting = room((size_t)all, sizeof *m->waiting);
    m->common.files = room(gate->case_count, sizeof *m->common.files);
    m->many.loaded = room(gate->case_count, sizeof *m->many.loaded);
    for (size_t i = 0; i < gate->case_count; i++) {
        struct gate_case *c = &gate->cases[i];
        if (!c->file)
            continue;
        m->common.files[files] = c->file;
        m->many.loaded[files] = c->again.loaded;
        for (size_t k = 0; k < c->pair_count; k++)
            m->jobs[m->many.all++] = (struct job){c, files, k};
        files++;
    }
    m->common.file_count = files;
    m->common.file = m->common.files[0];
}

/* After a signal: what is done is kept, without what was to come before it. */
static void keep_rest(struct making *m)
{
    uint64_t done = 0;
    for (uint64_t i = m->told; i < m->many.all; i++)
        if (m->waiting[i].result && !take(m, &m->waiting[i]))
            return;
    for (uint64_t i = 0; i < m->many.all; i++)
        done += m->jobs[i].c->pairs[m->jobs[i].pair].after.there;
    term_error("interrupted: %llu of %llu runs are done and in %s, and nothing is judged",
               (unsigned long long)done, (unsigned long long)m->many.all, m->gate->db);
}

static int make_all(struct making *m)
{
    char why[1024];
    m->many.gather = gather_new(m->gate->db, why, sizeof why);
    if (!m->many.gather) {
        term_error("%s", why);
        return CLI_BAD;
    }
    enum pool_end end = many_make(&m->many);
    if (end == POOL_INTERRUPTED && m->status == CLI_OK) {
        m->status = CLI_INTERRUPTED;
        keep_rest(m);
    }
    gather_free(m->many.gather);
    return end == POOL_FAILED ? CLI_BAD : m->status;
}

static bool any_holds(const struct gate *gate)
{
    for (size_t i = 0; i < gate->case_count; i++)
        for (size_t k = 0; k < gate->cases[i].pair_count; k++)
            if (gate->cases[i].pairs[k].after.there &&
                gate->cases[i].pairs[k].after.status == CLI_OK)
                return true;
    return false;
}

static bool read_figures(struct gate *gate)
{
    char why[1024];
    if (!any_holds(gate)) /* and there may be no record */
        return true;
    struct reader *reader = reader_open(gate->db, why, sizeof why);
    bool ok = reader != NULL;
    for (size_t i = 0; i < gate->case_count; i++)
        for (size_t k = 0; ok && gate->cases[i].file && k < gate->cases[i].pair_count; k++)
            ok = gate_read_figures(&gate->cases[i], k, true, reader, why, sizeof why);
    reader_close(reader);
    if (!ok)
        term_error("%s", why);
    return ok;
}

int gate_make(struct gate *gate, const struct args_check *args)
{
    struct making m = {.gate = gate, .args = args, .common = args->run};
    m.common.db = gate->db;
    m.many.args = &m.common;
    m.many.ops = (struct many_ops){.ctx = &m, .next = next, .describe = describe, .ended = ended};
    list_jobs(&m);
    int status = make_all(&m);
    for (uint64_t i = 0; i < m.many.all; i++)
        many_run_free(&m.waiting[i]);
    free(m.waiting);
    free(m.jobs);
    free(m.common.files);
    free(m.many.loaded); /* the engines are the cases' */
    return status == CLI_OK && !read_figures(gate) ? CLI_BAD : status;
}
