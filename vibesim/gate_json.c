/* The gate as JSON; see gate_tell.h. */
#include "vibesim/build.h"
#include "vibesim/cli.h"
#include "vibesim/gate_tell.h"
#include "vibesim/gate_words.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

static json_t *text_of(const char *text)
{
    if (!text)
        return json_null();
    char *clean = gate_utf8(text);
    json_t *s = json_string(clean);
    free(clean);
    return s;
}

/* A text of ours, which is freed. */
static json_t *taken(char *text)
{
    json_t *s = text_of(text);
    free(text);
    return s;
}

/* JSON has no infinity and no NaN: null. */
static json_t *real_of(double value)
{
    json_t *real = json_real(value);
    return real ? real : json_null();
}

static void set_count(json_t *o, const char *key, uint64_t n)
{
    json_object_set_new(o, key, json_integer((json_int_t)n));
}

static json_t *metric_of(const struct gate_metric *m)
{
    static const char *const better[] = {NULL, "less", "more"};
    json_t *o = json_object();
    json_object_set_new(o, "name", text_of(m->name));
    json_object_set_new(o, "better", text_of(better[m->better]));
    json_object_set_new(o, "change", json_string(gate_change_name(m->change)));
    set_count(o, "pairs", m->compare.pairs);
    if (!m->compare.pairs)
        return o;
    set_count(o, "moved", m->compare.moved);
    json_object_set_new(o, "before", real_of(m->compare.before));
    json_object_set_new(o, "after", real_of(m->compare.after));
    json_object_set_new(o, "share", real_of(m->compare.change));
    json_object_set_new(o, "low", real_of(m->compare.low));
    json_object_set_new(o, "high", real_of(m->compare.high));
    json_object_set_new(o, "p", real_of(m->p));
    json_object_set_new(o, "p_alone", real_of(m->compare.p));
    return o;
}

static json_t *run_of(const struct gate *gate, const struct gate_case *c,
                      const struct gate_pair *pair)
{
    char seed[24];
    const struct gate_run *run = &pair->after;
    snprintf(seed, sizeof seed, "%" PRIu64, pair->seed);
    json_t *o = json_object();
    json_object_set_new(o, "seed", json_string(seed));
    json_object_set_new(o, "verdict", text_of(run->verdict));
    json_object_set_new(o, "reason", text_of(run->reason));
    json_object_set_new(o, "run_id", run->id ? json_integer(run->id) : json_null());
    json_object_set_new(o, "again", taken(gate_again_words(c, pair)));
    json_object_set_new(o, "shrink", taken(gate_shrink_words(gate, pair)));
    return o;
}

static json_t *never_of(const struct gate_case *c)
{
    json_t *array = json_array();
    for (size_t i = 0; !c->skipped && i < c->tally.sometime_count; i++)
        if (!c->tally.sometimes[i].hits)
            json_array_append_new(array, json_pack("{s:o, s:o}", "text",
                                                   text_of(c->tally.sometimes[i].text), "place",
                                                   text_of(c->tally.sometimes[i].place)));
    return array;
}

static json_t *case_of(const struct gate *gate, const struct gate_case *c)
{
    json_t *o = json_object(), *metrics = json_array(), *broken = json_array();
    json_t *params = json_loads(c->params ? c->params : "{}", JSON_REJECT_DUPLICATES, NULL);
    for (size_t i = 0; c->file && i < c->metric_count; i++)
        json_array_append_new(metrics, metric_of(&c->metrics[i]));
    for (size_t i = 0; c->file && i < c->pair_count; i++)
        if (gate_is_broken(&c->pairs[i].after))
            json_array_append_new(broken, run_of(gate, c, &c->pairs[i]));
    json_object_set_new(o, "scenario", text_of(c->name));
    json_object_set_new(o, "file", text_of(c->file));
    json_object_set_new(o, "params", params ? params : json_null());
    json_object_set_new(o, "verdict", json_string(gate_case_verdict(c)));
    set_count(o, "runs", c->file ? c->pair_count : 0);
    set_count(o, "held", c->held);
    set_count(o, "skipped", c->skipped);
    set_count(o, "identical", c->identical);
    set_count(o, "failed_before", c->failed_before);
    json_object_set_new(o, "broken", broken);
    json_object_set_new(o, "never", never_of(c));
    json_object_set_new(o, "metrics", metrics);
    return o;
}

void gate_json(FILE *f, const struct gate *gate)
{
    json_t *cases = json_array(), *o = json_object();
    for (size_t i = 0; i < gate->case_count; i++)
        json_array_append_new(cases, case_of(gate, &gate->cases[i]));
    json_object_set_new(o, "verdict", json_string(gate_holds(gate) ? "pass" : "fail"));
    json_object_set_new(o, "baseline", text_of(gate->baseline));
    json_object_set_new(o, "baseline_build", text_of(gate->build_before));
    set_count(o, "baseline_runs", gate->runs_before);
    json_object_set_new(o, "build", json_string(build_name()));
    json_object_set_new(o, "db", text_of(gate->db));
    json_object_set_new(o, "threshold", real_of(gate->threshold));
    json_object_set_new(o, "alpha", real_of(gate->alpha));
    set_count(o, "runs", gate->runs);
    set_count(o, "held", gate->held);
    set_count(o, "broken", gate->failed);
    set_count(o, "skipped", gate->skipped);
    set_count(o, "pairs", gate->paired);
    set_count(o, "identical", gate->identical);
    set_count(o, "worse", gate->worse);
    set_count(o, "compared", gate->compared);
    set_count(o, "tested", gate->tested);
    set_count(o, "seeds_needed", gate->needed);
    json_object_set_new(o, "cases", cases);
    json_dumpf(o, f, JSON_SORT_KEYS | JSON_INDENT(2));
    fprintf(f, "\n");
    json_decref(o);
}
