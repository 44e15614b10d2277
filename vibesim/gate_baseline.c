/* Reads a baseline; see gate_baseline.h. It is an ordinary record, so it may hold anything: what
 * does not say what a build does with given seeds, or says it twice and differently, is refused
 * with the run that is in the way. */
#include "vibesim/gate_baseline.h"

#include "vibesim/cli.h"
#include "vibesim/gate_figures.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ANEW "move it away and record a new one with --update-baseline"

struct reading {
    struct gate *gate;
    char *why;
    size_t size;
    bool wrong;
};

static const char *or_none(const char *text)
{
    return text ? text : "";
}

static bool refuse(struct reading *r, const struct read_run *run, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Ends the walk. */
static bool refuse(struct reading *r, const struct read_run *run, const char *format, ...)
{
    char what[700];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    snprintf(r->why, r->size, "%s: run %lld (%.80s, seed %llu) %s: " ANEW, r->gate->baseline,
             (long long)run->id, or_none(run->scenario), (unsigned long long)run->seed, what);
    r->wrong = true;
    return false;
}

static bool is(const char *text, const char *wanted)
{
    return strcmp(or_none(text), wanted) == 0;
}

static bool salted(const char *options)
{
    json_t *o = json_loads(or_none(options), JSON_REJECT_DUPLICATES, NULL);
    bool has = json_object_get(o, "salt") != NULL;
    json_decref(o);
    return has;
}

/* Whether the run can stand in a baseline. */
static bool usable(struct reading *r, const struct read_run *run)
{
    const char *build = r->gate->build_before;
    if (!run->scenario || !run->sha256 || !run->build)
        return refuse(r, run, "does not tell its scenario and build");
    if (is(run->verdict, "interrupted"))
        return refuse(r, run, "was interrupted, and says nothing of the seeds after it");
    if (!is(run->verdict, "pass") && !is(run->verdict, "fail") && !is(run->verdict, "skip"))
        return refuse(r, run, "did not come to its end (%.200s)", or_none(run->reason));
    if (!is(run->world, args_world_name(ENGINE_SIM)))
        return refuse(r, run, "was in the world %.20s, which repeats nothing", or_none(run->world));
    if (build && strcmp(run->build, build) != 0)
        return refuse(r, run,
                      "is of the build %.160s and the first one of %.160s, so what is "
                      "compared would not be of one",
                      run->build, build);
    if (!r->gate->salted && salted(run->options))
        return refuse(r, run, "was salted, which is to calibrate the gate alone");
    return true;
}

static struct gate_case *case_of(struct reading *r, const struct read_run *run)
{
    struct gate *gate = r->gate;
    for (size_t i = 0; i < gate->case_count; i++) {
        struct gate_case *c = &gate->cases[i];
        if (!is(run->scenario, c->name))
            continue;
        if (!is(run->sha256, c->sha256)) {
            refuse(r, run,
                   "is of another text of the scenario than run %lld (SHA-256 %.12s and "
                   "%.12s)",
                   (long long)c->pairs[0].before.id, run->sha256, c->sha256);
            return NULL;
        }
        if (is(run->params ? run->params : "{}", c->params) &&
            is(run->options ? run->options : "{}", c->options))
            return c;
    }
    struct gate_case *c = gate_add_case(gate, run->scenario);
    c->sha256 = gate_copy(run->sha256);
    c->params = gate_copy(run->params ? run->params : "{}");
    c->options = gate_copy(run->options ? run->options : "{}");
    c->file_before = gate_copy(run->file);
    return c;
}

static bool on_run(void *ctx, const struct read_run *run)
{
    struct reading *r = ctx;
    r->gate->runs_before++;
    if (!usable(r, run))
        return false;
    if (!r->gate->build_before)
        r->gate->build_before = gate_copy(run->build);
    struct gate_case *c = case_of(r, run);
    if (!c)
        return false;
    struct gate_run *before = &gate_add_pair(c, run->seed)->before;
    if (before->there && before->has_hash && run->has_hash && before->hash == run->trace_hash)
        return true; /* recorded twice */
    if (before->there)
        return refuse(r, run, "and run %lld have one seed and different trace hashes",
                      (long long)before->id);
    *before = (struct gate_run){.there = true,
                                .id = run->id,
                                .status = is(run->verdict, "pass")   ? CLI_OK
                                          : is(run->verdict, "skip") ? CLI_SKIPPED
                                                                     : CLI_CHECK_FAILED,
                                .has_hash = run->has_hash,
                                .hash = run->trace_hash,
                                .wall_ms = run->wall_ms};
    return true;
}

bool gate_read_figures(struct gate_case *c, size_t pair, bool after, struct reader *reader,
                       char *why, size_t size)
{
    struct read_run run;
    struct figures figures;
    const struct gate_run *of = after ? &c->pairs[pair].after : &c->pairs[pair].before;
    if (of->id == 0 || of->status != CLI_OK) /* what a failed run tells is not compared */
        return true;
    if (!reader_run(reader, of->id, &run, why, size) ||
        !figures_read(&figures, reader, &run, why, size))
        return false;
    for (size_t i = 0; i < figures.count; i++)
        gate_set_figure(c, pair, after, figures.all[i].name, figures.all[i].value);
    figures_free(&figures);
    return true;
}

static bool read_all(struct gate *gate, struct reader *reader, char *why, size_t size)
{
    struct reading r = {.gate = gate, .why = why, .size = size};
    if (!reader_runs(reader, on_run, &r, why, size) || r.wrong)
        return false;
    for (size_t i = 0; i < gate->case_count; i++)
        for (size_t k = 0; k < gate->cases[i].pair_count; k++)
            if (!gate_read_figures(&gate->cases[i], k, false, reader, why, size))
                return false;
    return true;
}

bool gate_baseline_read(struct gate *gate, char *why, size_t size)
{
    struct reader *reader = reader_open(gate->baseline, why, size);
    bool ok = reader && read_all(gate, reader, why, size);
    reader_close(reader);
    return ok;
}
