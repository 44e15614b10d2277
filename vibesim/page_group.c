/* See page_group.h. */
#include "vibesim/page_group.h"

#include "vibesim/gate.h"
#include "vibesim/page_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const verdict_names[GROUP_VERDICTS] = {"pass", "fail", "error", "skip",
                                                          "interrupted"};

static char *copy(const char *text)
{
    char *out = strdup(text ? text : "");
    if (!out)
        abort();
    return out;
}

static void *more(void *list, size_t count, size_t item)
{
    /* Doubles at 0, 1, 2, 4 ... */
    if (count & (count - 1))
        return list;
    list = realloc(list, (count ? 2 * count : 1) * item);
    if (!list)
        abort();
    return list;
}

/* ---- which group ---- */

static bool is(const char *mine, const char *text)
{
    return strcmp(mine, text ? text : "") == 0;
}

/* The parameters that a group has in common. */
static const char *params_of(const struct read_run *run)
{
    return run->options && strstr(run->options, "\"swarm\":true") ? "" : run->params;
}

static bool fits(const struct group *g, const struct read_run *run)
{
    return is(g->scenario, run->scenario) && is(g->params, params_of(run)) &&
           is(g->options, run->options) && is(g->build, run->build) && is(g->world, run->world) &&
           is(g->sha256, run->sha256);
}

/* NULL where it would be one too many. */
static struct group *find(struct groups *g, const struct read_run *run)
{
    for (size_t i = g->count; i-- > 0;) /* runs of one kind follow each other */
        if (fits(&g->list[i], run))
            return &g->list[i];
    if (g->count == GROUPS_MAX)
        return NULL;
    g->list = more(g->list, g->count, sizeof *g->list);
    struct group *new = &g->list[g->count++];
    *new = (struct group){
        .scenario = copy(run->scenario),
        .file = copy(run->file),
        .sha256 = copy(run->sha256),
        .params = copy(params_of(run)),
        .options = copy(run->options),
        .world = copy(run->world),
        .build = copy(run->build),
        .runs = json_array(),
        .nodes_least = UINT32_MAX,
    };
    return new;
}

/* ---- the rows of a run ---- */

struct adding {
    struct group *group;
    uint32_t nodes;
    /* Blocks of the run, sorted by hash, and the one whose arrivals are coming. */
    struct made {
        char hash[72];
        uint64_t mined_ns;
    } * made;
    size_t made_count;
    char hash[72];
    uint64_t *latencies;
    size_t latency_count;
};

static bool on_node(void *ctx, const struct read_node *node)
{
    struct adding *a = ctx;
    a->nodes += !node->role || strcmp(node->role, "peer") != 0;
    return true;
}

static bool on_check(void *ctx, const struct read_check *check)
{
    struct group *g = ((struct adding *)ctx)->group;
    size_t i = 0;
    while (i < g->check_count &&
           !(is(g->checks[i].name, check->name) && is(g->checks[i].kind, check->kind)))
        i++;
    if (i == GROUP_CHECKS_MAX)
        return true;
    if (i == g->check_count) {
        g->checks = more(g->checks, g->check_count, sizeof *g->checks);
        g->checks[g->check_count++] =
            (struct group_check){.name = copy(check->name), .kind = copy(check->kind)};
    }
    *(check->ok ? &g->checks[i].held : &g->checks[i].failed) += 1;
    return true;
}

static bool on_metric(void *ctx, const struct read_metric *metric)
{
    struct group *g = ((struct adding *)ctx)->group;
    size_t i = 0;
    while (i < g->metric_count &&
           !(is(g->metrics[i].name, metric->name) && g->metrics[i].per_node == (metric->node >= 0)))
        i++;
    if (i == GROUP_METRICS_MAX)
        return true;
    if (i == g->metric_count) {
        g->metrics = more(g->metrics, g->metric_count, sizeof *g->metrics);
        g->metrics[g->metric_count++] =
            (struct group_metric){.name = copy(metric->name), .per_node = metric->node >= 0};
    }
    struct group_metric *m = &g->metrics[i];
    if (metric->is_null) {
        m->missing++;
        return true;
    }
    m->values = more(m->values, m->count, sizeof *m->values);
    m->values[m->count++] = metric->value;
    return true;
}

static bool on_block(void *ctx, const struct read_block *block)
{
    struct adding *a = ctx;
    a->made = more(a->made, a->made_count, sizeof *a->made);
    struct made *m = &a->made[a->made_count++];
    snprintf(m->hash, sizeof m->hash, "%s", block->hash ? block->hash : "");
    m->mined_ns = block->mined_ns;
    return true;
}

static int by_hash(const void *a, const void *b)
{
    return strcmp(((const struct made *)a)->hash, ((const struct made *)b)->hash);
}

/* Adds the block whose arrivals have all come. Those of a block that nobody is known to have made
 * have no beginning, and tell nothing. */
static void end_block(struct adding *a)
{
    if (a->latency_count && a->nodes)
        curve_add(&a->group->curve, a->latencies, a->latency_count, a->nodes);
    a->latency_count = 0;
}

static bool on_arrival(void *ctx, const struct read_arrival *arrival)
{
    struct adding *a = ctx;
    struct made key;
    snprintf(key.hash, sizeof key.hash, "%s", arrival->block_hash ? arrival->block_hash : "");
    if (strcmp(key.hash, a->hash) != 0) {
        end_block(a);
        memcpy(a->hash, key.hash, sizeof a->hash);
    }
    const struct made *made =
        a->made_count ? bsearch(&key, a->made, a->made_count, sizeof key, by_hash) : NULL;
    if (!made)
        return true;
    a->latencies = more(a->latencies, a->latency_count, sizeof *a->latencies);
    a->latencies[a->latency_count++] =
        arrival->t_ns > made->mined_ns ? arrival->t_ns - made->mined_ns : 0;
    return true;
}

static bool read_rows(struct adding *a, struct reader *r, int64_t id, char *why, size_t size)
{
    bool ok = reader_nodes(r, id, on_node, a, why, size) &&
              reader_checks(r, id, on_check, a, why, size) &&
              reader_metrics(r, id, on_metric, a, why, size) &&
              reader_blocks(r, id, on_block, a, why, size);
    if (ok && a->made_count)
        qsort(a->made, a->made_count, sizeof *a->made, by_hash);
    ok = ok && reader_arrivals(r, id, on_arrival, a, why, size);
    end_block(a);
    free(a->made);
    free(a->latencies);
    return ok;
}

/* ---- a run ---- */

static int verdict_of(const char *name)
{
    for (int i = 0; i < GROUP_VERDICTS; i++)
        if (is(verdict_names[i], name))
            return i;
    return GROUP_ERROR;
}

static void add_row(struct group *g, const struct read_run *run, int verdict, uint32_t nodes)
{
    if (json_array_size(g->runs) >= (verdict == GROUP_PASS ? GROUP_HELD_MAX : GROUP_RUNS_MAX))
        return;
    json_t *row = json_array();
    json_array_append_new(row, json_integer((json_int_t)run->id));
    json_array_append_new(row, page_digits(run->seed));
    json_array_append_new(row, json_integer(verdict));
    json_array_append_new(row, page_us(run->sim_ns));
    json_array_append_new(row, page_whole(run->events));
    json_array_append_new(row, page_whole(run->messages));
    json_array_append_new(row, page_whole(run->bytes));
    json_array_append_new(row, page_whole(run->wall_ms));
    json_array_append_new(row, json_integer(nodes));
    json_array_append_new(row, run->has_hash ? page_hex(run->trace_hash) : json_null());
    json_array_append_new(row, page_text(run->reason, 400));
    json_array_append_new(g->runs, row);
}

bool groups_add(struct groups *groups, struct reader *r, const struct read_run *run, char *why,
                size_t size)
{
    struct group *g = find(groups, run);
    struct adding a = {.group = g};
    const int verdict = verdict_of(run->verdict);
    if (!g) {
        groups->left_out++;
        return true;
    }
    if (!read_rows(&a, r, run->id, why, size))
        return false;
    g->count++;
    g->verdicts[verdict]++;
    g->events += run->events;
    g->messages += run->messages;
    g->bytes += run->bytes;
    g->sim_ns += run->sim_ns;
    g->wall_ms += run->wall_ms;
    g->nodes_least = a.nodes < g->nodes_least ? a.nodes : g->nodes_least;
    g->nodes_most = a.nodes > g->nodes_most ? a.nodes : g->nodes_most;
    add_row(g, run, verdict, a.nodes);
    return true;
}

struct reading {
    struct groups *groups;
    struct reader *reader;
    void (*each)(void *ctx, const struct read_run *run, size_t group);
    void *ctx;
    bool ok;
    char *why;
    size_t size;
};

static bool on_run(void *ctx, const struct read_run *run)
{
    struct reading *o = ctx;
    o->ok = groups_add(o->groups, o->reader, run, o->why, o->size);
    const struct group *g = o->ok && o->each ? find(o->groups, run) : NULL;
    if (o->ok && o->each)
        o->each(o->ctx, run, g ? (size_t)(g - o->groups->list) : o->groups->count);
    return o->ok;
}

bool groups_read(struct groups *g, struct reader *r,
                 void (*each)(void *ctx, const struct read_run *run, size_t group), void *ctx,
                 char *why, size_t size)
{
    struct reading o = {g, r, each, ctx, true, why, size};
    return reader_runs(r, on_run, &o, why, size) && o.ok;
}

void groups_free(struct groups *groups)
{
    for (size_t i = 0; i < groups->count; i++) {
        struct group *g = &groups->list[i];
        for (size_t m = 0; m < g->metric_count; m++) {
            free(g->metrics[m].name);
            free(g->metrics[m].values);
        }
        for (size_t c = 0; c < g->check_count; c++) {
            free(g->checks[c].name);
            free(g->checks[c].kind);
        }
        char *texts[] = {g->scenario, g->file,  g->sha256, g->params,
                         g->options,  g->world, g->build};
        for (size_t t = 0; t < sizeof texts / sizeof *texts; t++)
            free(texts[t]);
        free(g->metrics);
        free(g->checks);
        json_decref(g->runs);
        curve_free(&g->curve);
    }
    free(groups->list);
    *groups = (struct groups){0};
}

/* ---- as JSON ---- */

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Nearest rank. */
static double percentile(const struct group_metric *m, size_t percent)
{
    return m->values[percent ? (m->count * percent + 99) / 100 - 1 : 0];
}

/* The record does not tell what the scenario says of it. */
static json_t *better_json(const char *name)
{
    switch (gate_better_by_name(name)) {
    case ENGINE_BETTER_UNSAID:
        return json_null();
    case ENGINE_BETTER_LESS:
        return json_string("less");
    case ENGINE_BETTER_MORE:
        return json_string("more");
    }
    return json_null();
}

static json_t *metric_json(struct group_metric *m)
{
    json_t *values = json_array();
    json_t *o = json_object();
    json_object_set_new(o, "name", page_text(m->name, 200));
    json_object_set_new(o, "per_node", json_boolean(m->per_node));
    json_object_set_new(o, "count", page_whole(m->count));
    json_object_set_new(o, "missing", page_whole(m->missing));
    if (m->count) {
        qsort(m->values, m->count, sizeof *m->values, by_value);
        const size_t n = m->count < GROUP_VALUES_MAX ? m->count : GROUP_VALUES_MAX;
        for (size_t i = 0; i < n; i++)
            json_array_append_new(values,
                                  page_real(m->values[n > 1 ? i * (m->count - 1) / (n - 1) : 0]));
        json_object_set_new(o, "min", page_real(percentile(m, 0)));
        json_object_set_new(o, "p50", page_real(percentile(m, 50)));
        json_object_set_new(o, "p95", page_real(percentile(m, 95)));
        json_object_set_new(o, "max", page_real(percentile(m, 100)));
    }
    json_object_set_new(o, "values", values);
    json_object_set_new(o, "better", better_json(m->name));
    return o;
}

static json_t *curve_json(struct curve *c)
{
    static const struct {
        const char *name;
        uint32_t percent;
    } lines[] = {{"p10", 10}, {"p50", 50}, {"p90", 90}, {"p99", 99}};
    if (!c->blocks)
        return json_null();
    json_t *o = json_object();
    json_object_set_new(o, "blocks", page_whole(c->blocks));
    json_object_set_new(o, "left_out", page_whole(c->left_out));
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        json_t *line = json_array();
        for (uint32_t p = 0; p < CURVE_POINTS; p++) {
            const uint64_t t = curve_at(c, p, lines[i].percent);
            json_array_append_new(line, t == CURVE_NEVER ? json_null() : page_us(t));
        }
        json_object_set_new(o, lines[i].name, line);
    }
    return o;
}

static json_t *checks_json(const struct group *g)
{
    json_t *list = json_array();
    for (size_t i = 0; i < g->check_count; i++)
        json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:o}", "name",
                                              page_text(g->checks[i].name, 400), "kind",
                                              page_text(g->checks[i].kind, 20), "held",
                                              page_whole(g->checks[i].held), "failed",
                                              page_whole(g->checks[i].failed)));
    return list;
}

json_t *group_json(struct group *g)
{
    json_t *o = json_object(), *metrics = json_array(), *verdicts = json_object();
    for (size_t i = 0; i < g->metric_count; i++)
        json_array_append_new(metrics, metric_json(&g->metrics[i]));
    for (int i = 0; i < GROUP_VERDICTS; i++)
        json_object_set_new(verdicts, verdict_names[i], page_whole(g->verdicts[i]));
    json_object_set_new(o, "scenario", page_text(g->scenario, 200));
    json_object_set_new(o, "file", page_text(g->file, 400));
    json_object_set_new(o, "sha256", page_text(g->sha256, 64));
    json_object_set_new(o, "params", page_json(g->params));
    json_object_set_new(o, "options", page_json(g->options));
    json_object_set_new(o, "world", page_text(g->world, 20));
    json_object_set_new(o, "build", page_text(g->build, 200));
    json_object_set_new(o, "count", page_whole(g->count));
    json_object_set_new(o, "verdicts", verdicts);
    json_object_set_new(o, "events", page_whole(g->events));
    json_object_set_new(o, "messages", page_whole(g->messages));
    json_object_set_new(o, "bytes", page_whole(g->bytes));
    json_object_set_new(o, "sim_us", page_us(g->sim_ns));
    json_object_set_new(o, "wall_ms", page_whole(g->wall_ms));
    json_object_set_new(o, "nodes_least", page_whole(g->nodes_least));
    json_object_set_new(o, "nodes_most", page_whole(g->nodes_most));
    json_object_set(o, "runs", g->runs);
    json_object_set_new(o, "metrics", metrics);
    json_object_set_new(o, "checks", checks_json(g));
    json_object_set_new(o, "curve", curve_json(&g->curve));
    return o;
}

void group_difference(const struct group *a, const struct group *b, char *out, size_t size)
{
    out[0] = 0;
    if (strcmp(a->scenario, b->scenario) != 0)
        snprintf(out, size, "the scenarios %.60s and %.60s", a->scenario, b->scenario);
    else if (strcmp(a->world, b->world) != 0)
        snprintf(out, size, "the worlds %.20s and %.20s", a->world, b->world);
    else if (strcmp(a->params, b->params) != 0)
        snprintf(out, size, "the parameters %.300s and %.300s", a->params, b->params);
    else if (strcmp(a->options, b->options) != 0)
        snprintf(out, size, "the options %.300s and %.300s", a->options, b->options);
}
