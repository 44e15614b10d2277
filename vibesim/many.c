/* Many runs in worker processes; see many.h.
 *
 * Happy path: the pool hands jobs out; a worker makes its run into a part of the record and sends
 * back its exit status and what `--json` prints; here that becomes an object again and is the
 * caller's. Failure modes: a run whose process dies is a failed one, with a result that says so; so
 * is one whose result makes no sense. */
#include "vibesim/many.h"

#include "vibesim/cli.h"
#include "vibesim/cli_session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What stands in front of the JSON of a result. */
struct result_head {
    int32_t status;
    int32_t trouble;
};

static int badness(int status)
{
    return status == CLI_OK ? -2 : status == CLI_SKIPPED ? -1 : status;
}

int many_worse(int a, int b)
{
    return badness(b) > badness(a) ? b : a;
}

/* As pool.c words it. */
bool many_is_death(const char *reason)
{
    static const char *const words[] = {"killed by ", "its process ended ", "its result makes no "};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strncmp(reason, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

void many_run_free(struct many_run *run)
{
    json_decref(run->result);
    free(run->death);
    *run = (struct many_run){.job = run->job};
}

/* The arguments of one job. */
static struct args_run args_of(const struct many *m, uint64_t job, size_t *file)
{
    struct args_run args = *m->args;
    m->ops.describe(m->ops.ctx, job, &args, file);
    args.file = m->args->files[*file];
    run_pin(&args, m->loaded[*file].engine);
    return args;
}

static json_t *bare_result(const char *verdict, const char *reason)
{
    json_t *words = json_string(reason);
    return json_pack("{s:s, s:o}", "verdict", verdict, "reason", words ? words : json_string("?"));
}

/* ---- in a worker ------------------------------------------------------------------------------
 */

static void *packed(const struct result_head *head, const char *json, size_t *len)
{
    size_t size = strlen(json);
    char *data = malloc(sizeof *head + size);
    if (!data)
        return NULL;
    memcpy(data, head, sizeof *head);
    memcpy(data + sizeof *head, json, size);
    *len = sizeof *head + size;
    return data;
}

static void *work(void *ctx, uint64_t job, size_t *len)
{
    static struct session session; /* too large for a stack */
    const struct many *m = ctx;
    struct result_head head = {.status = CLI_BAD};
    char part[4096], *json;
    size_t file = 0;
    struct args_run args = args_of(m, job, &file);
    args.json = true;
    args.db = part;
    args.db_is_part = true;
    if (m->gather)
        gather_part(m->gather, job, part, sizeof part);
    else
        args.record = RECORD_NONE;
    const struct loaded *loaded = &m->loaded[file];
    if (session_open(&session, &args, loaded->engine, loaded->params, NULL)) {
        head.status = session_run(&session);
        head.trouble = session.trouble;
        json = report_json_line(&session.report, &session.end);
        session_close(&session);
    } else {
        head.trouble = session.trouble;
        json_t *o = bare_result("error", session.reason);
        json = json_dumps(o, JSON_COMPACT);
        json_decref(o);
    }
    void *data = packed(&head, json, len);
    free(json);
    return data;
}

/* ---- in the caller ----------------------------------------------------------------------------
 */

static bool next(void *ctx, uint64_t *job)
{
    struct many *m = ctx;
    return m->ops.next(m->ops.ctx, job);
}

/* Hands the run over, with what a worker that died could not say. */
static bool ended(struct many *m, struct many_run *run)
{
    char seed[24];
    const struct args_run args = args_of(m, run->job, &run->file);
    run->seed = args.seed;
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)run->seed);
    json_t *file = json_string(args.file);
    json_object_set_new(run->result, "seed", json_string(seed));
    json_object_set_new(run->result, "file", file ? file : json_string("?"));
    m->runs.done++;
    m->runs.failed += run->status != CLI_OK && run->status != CLI_SKIPPED;
    return m->ops.ended(m->ops.ctx, run);
}

static bool lost(void *ctx, uint64_t job, const char *why)
{
    struct many_run run = {.job = job, .status = CLI_CHECK_FAILED, .death = strdup(why)};
    run.result = bare_result("crashed", why);
    if (!run.death)
        abort();
    return ended(ctx, &run);
}

static bool done(void *ctx, uint64_t job, const void *data, size_t len)
{
    struct result_head head;
    if (len < sizeof head)
        return lost(ctx, job, "its result makes no sense");
    memcpy(&head, data, sizeof head);
    struct many_run run = {.job = job, .status = head.status, .trouble = head.trouble != 0};
    run.result = json_loadb((const char *)data + sizeof head, len - sizeof head, 0, NULL);
    return run.result ? ended(ctx, &run) : lost(ctx, job, "its result makes no sense");
}

static void tick(void *ctx)
{
    struct many *m = ctx;
    progress_update_runs(&m->progress, &m->runs);
}

bool many_record(const struct many *m, const struct many_run *run, char *why, uint32_t why_size)
{
    int64_t run_id = 0;
    if (!m->gather)
        return true;
    if (!gather_add(m->gather, run->job, run->death, &run_id, why, why_size))
        return false;
    json_object_set_new(run->result, "run_id", run_id ? json_integer(run_id) : json_null());
    json_object_set_new(run->result, "db", run_id ? json_string(m->args->db) : json_null());
    return true;
}

bool many_load(struct many *m)
{
    m->loaded = calloc(m->args->file_count, sizeof *m->loaded);
    if (!m->loaded)
        abort();
    for (size_t i = 0; i < m->args->file_count; i++)
        if (!run_load(&m->loaded[i], m->args, m->args->files[i]))
            return false;
    return true;
}

enum pool_end many_make(struct many *m)
{
    const struct pool_ops ops = {
        .ctx = m, .next = next, .work = work, .done = done, .lost = lost, .tick = tick};
    uint32_t workers = m->args->jobs ? m->args->jobs : pool_processors();
    if (m->all < workers)
        workers = m->all ? (uint32_t)m->all : 1;
    m->runs.all = m->runs.before + m->all;
    m->runs.done = m->runs.before;
    progress_init(&m->progress, m->args->json || m->args->quiet ? NULL : stderr, "");
    session_signals();
    enum pool_end end = pool_run(&ops, workers, session_interrupt());
    int reason = errno;
    progress_clear(&m->progress);
    if (end == POOL_FAILED)
        term_error("no worker process can be started: %s", strerror(reason));
    return end;
}

void many_free(struct many *m)
{
    for (size_t i = 0; m->loaded && i < m->args->file_count; i++)
        engine_free(m->loaded[i].engine);
    free(m->loaded);
    m->loaded = NULL;
}
