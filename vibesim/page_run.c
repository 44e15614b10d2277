/* See page_run.h. Happy path: the record says when the failing check failed; the run is made again
 * in a worker process, observed, and compared by its trace hash. Failure modes: the scenario is
 * gone or changed, or the run's process dies: then the page says why and draws what the record
 * has. */
#include "vibesim/page_run.h"

#include "vibesim/cli_report.h"
#include "vibesim/page_json.h"
#include "vibesim/page_watch.h"
#include "vibesim/pool.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND_MAX   8000u
#define CHECKS_MAX    1000u
#define METRICS_MAX   1000u
#define MESSAGE_KINDS 64u /* more than there are */

/* Of a moment that is no failure, a second more is drawn. */
#define AFTER_NS UINT64_C(1000000000)

/* ---- the record ---- */

struct recorded {
    struct page_run *p;
    struct watch *watch;
    json_t *checks, *metrics;
    /* The moment: the first failed check; else the last reorganisation, fault or block. */
    bool failed;
    bool tells_tips; /* all of them */
    uint64_t reorg_ns, fault_ns, block_ns;
    char fault[40];
    /* Tips by host, as blocks arrive. */
    uint64_t *heights;
    struct arrived {
        uint64_t t_ns, height;
        uint32_t node;
        uint8_t hash[32];
    } * arrived;
    size_t arrived_count, arrived_room;
    struct {
        char hash[72];
        uint64_t height;
    } * blocks;
    size_t block_count, block_room;
};

static bool on_node(void *ctx, const struct read_node *node)
{
    struct recorded *o = ctx;
    watch_node(o->watch, node->no, node->role, node->region, node->version);
    watch_final(o->watch, node->no, node->final_height, node->final_tip);
    return true;
}

static bool count_node(void *ctx, const struct read_node *node)
{
    struct page_run *p = ctx;
    p->hosts = node->no >= p->hosts && node->no < UINT32_MAX ? node->no + 1 : p->hosts;
    return true;
}

static bool on_check(void *ctx, const struct read_check *check)
{
    struct recorded *o = ctx;
    const char *detail = check->detail ? check->detail : "";
    if (!check->ok && !o->failed && check->kind && strcmp(check->kind, "sometimes") != 0) {
        o->failed = true;
        o->p->until_ns = check->t_ns;
        snprintf(o->p->words, sizeof o->p->words, "%.400s %.400s", check->name, detail);
    }
    if (json_array_size(o->checks) < CHECKS_MAX)
        json_array_append_new(
            o->checks, json_pack("{s:o, s:o, s:b, s:o, s:o}", "name", page_text(check->name, 400),
                                 "kind", page_text(check->kind, 20), "ok", check->ok, "t_us",
                                 page_us(check->t_ns), "detail", page_text(check->detail, 400)));
    return true;
}

static bool on_metric(void *ctx, const struct read_metric *metric)
{
    struct recorded *o = ctx;
    json_t *value = metric->is_null ? json_null() : page_real(metric->value);
    if (json_array_size(o->metrics) < METRICS_MAX && metric->node < 0)
        json_array_append_new(o->metrics, json_pack("{s:o, s:o}", "name",
                                                    page_text(metric->name, 200), "value", value));
    else
        json_decref(value);
    return true;
}

static void note_fault(struct recorded *o, uint64_t t_ns, const char *kind)
{
    if (t_ns < o->fault_ns)
        return;
    o->fault_ns = t_ns;
    snprintf(o->fault, sizeof o->fault, "%s", kind);
}

static bool ends_a_fault(const char *kind)
{
    static const char *const ends[] = {"heal", "stop", "restore", "restart", "resume"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (strcmp(kind, ends[i]) == 0)
            return true;
    return false;
}

static bool on_decision(void *ctx, const struct read_decision *d)
{
    struct recorded *o = ctx;
    watch_decision(o->watch, d->t_ns, d->no, d->kind, d->params, d->taken);
    if (d->taken && d->kind && strcmp(d->kind, "peer") != 0)
        note_fault(o, d->t_ns, d->kind);
    return true;
}

/* Whether the kind is of a trace; all others are steps of the scenario. */
static int trace_of(const char *kind)
{
    for (int i = 0; i < VN_TR_KINDS; i++)
        if (strcmp(vn_trace_name((uint32_t)i), kind) == 0)
            return i;
    return -1;
}

/* The core's own text of a message's name, which stays. */
static const char *message_named(const char *name)
{
    uint32_t m = 0;
    while (m < MESSAGE_KINDS && strcmp(vn_message_name(m), name) != 0)
        m++;
    return vn_message_name(m);
}

static bool hash_of(const char *hex, uint8_t out[32])
{
    for (int i = 0; i < 32; i++) {
        unsigned byte = 0;
        if (!hex || sscanf(hex + 2 * i, "%2x", &byte) != 1 || strlen(hex) != 64)
            return false;
        out[i] = (uint8_t)byte;
    }
    return true;
}

/* The first look: what the moment is. */
static bool scan_event(void *ctx, const struct read_event *e)
{
    struct recorded *o = ctx;
    const char *kind = e->kind ? e->kind : "";
    if (ends_a_fault(kind))
        note_fault(o, e->t_ns, kind);
    if (strcmp(kind, vn_trace_name(VN_TR_TIP)) != 0 || !e->detail)
        return true;
    if (strstr(e->detail, "replaced"))
        o->reorg_ns = e->t_ns;
    else
        o->tells_tips = true;
    return true;
}

/* "height 9, 4 blocks replaced, 0188...", as record_words has it. */
static void tell_tip(struct recorded *o, const struct read_event *e, uint32_t host)
{
    uint8_t hash[32];
    unsigned long long height = 0, replaced = 0;
    const char *last = e->detail ? strrchr(e->detail, ' ') : NULL;
    if (!last || !hash_of(last + 1, hash) ||
        sscanf(e->detail, "height %llu, %llu blocks replaced", &height, &replaced) < 1)
        return;
    watch_tip(o->watch, e->t_ns, host, hash, height,
              strstr(e->detail, "blocks replaced") ? replaced : 0);
}

/* "connected -> ready (why)" */
static void tell_link(struct recorded *o, const struct read_event *e, uint32_t host)
{
    const char *ready = vn_peer_state_name(VN_PEER_READY);
    const char *arrow = e->detail ? strstr(e->detail, " -> ") : NULL;
    if (!arrow || e->peer < 0)
        return;
    const bool up = strncmp(arrow + 4, ready, strlen(ready)) == 0;
    if (up || strncmp(e->detail, ready, strlen(ready)) == 0)
        watch_link(o->watch, e->t_ns, host, (uint32_t)e->peer, e->link, up);
}

static bool on_event(void *ctx, const struct read_event *e)
{
    struct recorded *o = ctx;
    const char *kind = e->kind ? e->kind : "";
    const int trace = trace_of(kind);
    const uint32_t host = e->node < 0 || e->node > UINT32_MAX ? UINT32_MAX : (uint32_t)e->node;
    if (trace < 0) {
        watch_step(o->watch, e->t_ns, kind, e->node, e->detail);
    } else if ((trace == VN_TR_MSG_IN || trace == VN_TR_MSG_OUT) && e->peer >= 0 && e->msg) {
        watch_message(o->watch, e->t_ns, host, (uint32_t)e->peer, message_named(e->msg), e->bytes,
                      trace == VN_TR_MSG_OUT);
    } else if (trace == VN_TR_BAN || trace == VN_TR_VIOLATION || trace == VN_TR_DISCONNECT) {
        watch_mark(o->watch, e->t_ns, host, e->peer, kind, e->detail);
    } else if (trace == VN_TR_TIP && o->tells_tips) {
        tell_tip(o, e, host);
    } else if (trace == VN_TR_PEER_STATE) {
        tell_link(o, e, host);
    }
    return true;
}

static bool on_block(void *ctx, const struct read_block *b)
{
    struct recorded *o = ctx;
    uint8_t hash[32], parent[32];
    if (!hash_of(b->hash, hash))
        return true;
    watch_block(o->watch, b->mined_ns, hash, b->height, hash_of(b->parent, parent) ? parent : NULL,
                b->miner);
    o->block_ns = b->mined_ns;
    if (o->block_count == o->block_room) {
        o->block_room = o->block_room ? 2 * o->block_room : 64;
        o->blocks = realloc(o->blocks, o->block_room * sizeof *o->blocks);
        if (!o->blocks)
            abort();
    }
    snprintf(o->blocks[o->block_count].hash, sizeof o->blocks->hash, "%s", b->hash);
    o->blocks[o->block_count++].height = b->height;
    return true;
}

static int by_hash(const void *a, const void *b)
{
    return strcmp(a, b); /* both begin with it */
}

static bool on_arrival(void *ctx, const struct read_arrival *a)
{
    struct recorded *o = ctx;
    char key[72];
    struct arrived new = {.t_ns = a->t_ns, .node = a->node};
    snprintf(key, sizeof key, "%s", a->block_hash ? a->block_hash : "");
    const char *found =
        o->block_count ? bsearch(key, o->blocks, o->block_count, sizeof *o->blocks, by_hash) : NULL;
    if (!found || !hash_of(key, new.hash) || a->node >= o->p->hosts)
        return true;
    new.height = o->blocks[(size_t)(found - (char *)o->blocks) / sizeof *o->blocks].height;
    if (o->arrived_count == o->arrived_room) {
        o->arrived_room = o->arrived_room ? 2 * o->arrived_room : 1024;
        o->arrived = realloc(o->arrived, o->arrived_room * sizeof *o->arrived);
        if (!o->arrived)
            abort();
    }
    o->arrived[o->arrived_count++] = new;
    return true;
}

static int by_time(const void *a, const void *b)
{
    const struct arrived *x = a, *y = b;
    if (x->t_ns != y->t_ns)
        return x->t_ns < y->t_ns ? -1 : 1;
    if (x->node != y->node)
        return x->node < y->node ? -1 : 1;
    return memcmp(x->hash, y->hash, 32);
}

/* A record of summary tells arrivals and no tips: the highest block that came to a node first
 * stands for its tip. */
static void tips_by_arrivals(struct recorded *o)
{
    o->heights = calloc((size_t)o->p->hosts + 1, sizeof *o->heights);
    if (!o->heights)
        abort();
    if (o->arrived_count)
        qsort(o->arrived, o->arrived_count, sizeof *o->arrived, by_time);
    for (size_t i = 0; i < o->arrived_count; i++) {
        const struct arrived *a = &o->arrived[i];
        if (a->height <= o->heights[a->node])
            continue;
        o->heights[a->node] = a->height;
        watch_tip(o->watch, a->t_ns, a->node, a->hash, a->height, 0);
    }
}

/* A run that holds has no failure to look at: what changed last is drawn. */
static void choose_moment(struct recorded *o, const struct read_run *run)
{
    struct page_run *p = o->p;
    const char *about = "the end of the run";
    char fault[80];
    if (o->failed)
        return;
    p->until_ns = run->sim_ns;
    if (strcmp(run->verdict, "pass") == 0 && o->reorg_ns) {
        p->until_ns = o->reorg_ns + AFTER_NS;
        about = "the last reorganisation";
    } else if (strcmp(run->verdict, "pass") == 0 && o->fault_ns) {
        p->until_ns = o->fault_ns + AFTER_NS;
        snprintf(fault, sizeof fault, "the last fault, %s", o->fault);
        about = fault;
    } else if (strcmp(run->verdict, "pass") == 0 && o->block_ns) {
        p->until_ns = o->block_ns + AFTER_NS;
        about = "the last block";
    }
    snprintf(p->words, sizeof p->words, "%s", about);
}

static json_t *info_of(const struct read_run *run)
{
    json_t *o = json_object();
    json_object_set_new(o, "id", json_integer((json_int_t)run->id));
    json_object_set_new(o, "scenario", page_text(run->scenario, 200));
    json_object_set_new(o, "file", page_text(run->file, 400));
    json_object_set_new(o, "seed", page_digits(run->seed));
    json_object_set_new(o, "params", page_json(run->params));
    json_object_set_new(o, "options", page_json(run->options));
    json_object_set_new(o, "verdict", page_text(run->verdict, 20));
    json_object_set_new(o, "reason", page_text(run->reason, 600));
    json_object_set_new(o, "world", page_text(run->world, 20));
    json_object_set_new(o, "build", page_text(run->build, 200));
    json_object_set_new(o, "started_utc", page_text(run->started_utc, 40));
    json_object_set_new(o, "wall_ms", page_whole(run->wall_ms));
    json_object_set_new(o, "sim_us", page_us(run->sim_ns));
    json_object_set_new(o, "events", page_whole(run->events));
    json_object_set_new(o, "messages", page_whole(run->messages));
    json_object_set_new(o, "bytes", page_whole(run->bytes));
    json_object_set_new(o, "trace_hash", run->has_hash ? page_hex(run->trace_hash) : json_null());
    return o;
}

static bool read_tables(struct recorded *o, struct reader *r, char *why, size_t size)
{
    const int64_t id = o->p->id;
    bool ok = reader_checks(r, id, on_check, o, why, size) &&
              reader_metrics(r, id, on_metric, o, why, size) &&
              reader_nodes(r, id, on_node, o, why, size) &&
              reader_decisions(r, id, on_decision, o, why, size) &&
              reader_blocks(r, id, on_block, o, why, size);
    if (ok && o->block_count)
        qsort(o->blocks, o->block_count, sizeof *o->blocks, by_hash);
    return ok && reader_arrivals(r, id, on_arrival, o, why, size) &&
           reader_events(r, id, scan_event, o, why, size);
}

static bool read_all(struct recorded *o, struct reader *r, const struct read_run *run, char *why,
                     size_t size)
{
    bool ok = reader_nodes(r, o->p->id, count_node, o->p, why, size);
    o->watch = watch_new(o->p->hosts);
    o->checks = json_array();
    o->metrics = json_array();
    ok = ok && read_tables(o, r, why, size);
    if (ok) {
        choose_moment(o, run);
        watch_moment(o->watch, o->p->until_ns, o->p->words);
        if (!o->tells_tips)
            tips_by_arrivals(o);
        ok = reader_events(r, o->p->id, on_event, o, why, size);
    }
    if (ok)
        o->p->recorded = watch_json(o->watch);
    json_object_set_new(o->p->info, "checks", o->checks);
    json_object_set_new(o->p->info, "metrics", o->metrics);
    watch_free(o->watch);
    free(o->heights);
    free(o->arrived);
    free(o->blocks);
    return ok;
}

/* The command that makes the run again, as a person types it. */
static json_t *command_of(const struct args_run *args)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        abort();
    report_command_put(f, args, args->file, args->seed);
    if (fclose(f) != 0)
        abort();
    json_t *o = page_text(text, COMMAND_MAX);
    free(text);
    return o;
}

static json_t *shrink_of(const char *db, int64_t id)
{
    char text[4400], word[4200];
    term_quote(word, sizeof word, db);
    snprintf(text, sizeof text, "vibesim shrink %s --run %" PRId64, word, id);
    return page_text(text, sizeof text);
}

bool page_run_read(struct page_run *p, struct reader *r, int64_t id, const struct page_ask *ask,
                   char *why, size_t size)
{
    struct read_run run;
    struct recorded o = {.p = p};
    *p = (struct page_run){.id = id};
    if (!reader_run(r, id, &run, why, size))
        return false;
    p->info = info_of(&run);
    p->rerun = calloc(1, sizeof *p->rerun);
    if (!p->rerun)
        abort();
    if (!ask->again)
        snprintf(p->why, sizeof p->why, "it was not asked for");
    else if (ask->wall_ms_max && run.wall_ms > ask->wall_ms_max)
        snprintf(p->why, sizeof p->why, "it took %" PRIu64 " s (--run %" PRId64 " asks for it)",
                 run.wall_ms / 1000, id);
    else
        p->loaded = rerun_load(p->rerun, &run, ask->file, p->why, sizeof p->why);
    if (p->loaded)
        json_object_set_new(p->info, "command", command_of(&p->rerun->args));
    if (p->loaded && run.verdict && strcmp(run.verdict, "fail") == 0)
        json_object_set_new(p->info, "shrink", shrink_of(reader_path(r), id));
    return read_all(&o, r, &run, why, size);
}

/* ---- made again ---- */

struct again {
    struct page_run *runs;
    size_t count, next, done;
    void (*tick)(void *ctx, size_t done);
    void *ctx;
    const volatile sig_atomic_t *interrupt;
};

static bool next(void *ctx, uint64_t *job)
{
    struct again *a = ctx;
    while (a->next < a->count && !a->runs[a->next].loaded)
        a->next++;
    if (a->next == a->count)
        return false;
    *job = a->next++;
    return true;
}

/* In a worker. */
static void *work(void *ctx, uint64_t job, size_t *len)
{
    struct again *a = ctx;
    const struct page_run *p = &a->runs[job];
    struct watch *w = watch_new(p->hosts);
    struct engine_options options;
    struct engine_result result;
    watch_moment(w, p->until_ns, p->words);
    run_options(&options, &p->rerun->args);
    options.interrupt = a->interrupt;
    watch_observe(w, &options.observer);
    engine_run(p->rerun->loaded.engine, &options, watch_on_final, w, &result);
    json_t *o = watch_json(w);
    json_object_set_new(
        o, "same", json_boolean(!p->rerun->has_hash || p->rerun->trace_hash == result.trace_hash));
    json_object_set_new(o, "same_build", json_boolean(p->rerun->same_build));
    json_object_set_new(o, "reason", page_text(result.reason, 400));
    char *text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(o);
    watch_free(w);
    *len = text ? strlen(text) : 0;
    return text;
}

static bool done(void *ctx, uint64_t job, const void *result, size_t len)
{
    struct again *a = ctx;
    struct page_run *p = &a->runs[job];
    p->again = json_loadb(result, len, JSON_REJECT_DUPLICATES, NULL);
    if (!p->again)
        snprintf(p->why, sizeof p->why, "the process that made it again sent no answer");
    a->done++;
    return true;
}

static bool lost(void *ctx, uint64_t job, const char *why)
{
    struct again *a = ctx;
    snprintf(a->runs[job].why, sizeof a->runs[job].why,
             "its process died when it was made again (%s)", why);
    a->done++;
    return true;
}

static void tick(void *ctx)
{
    const struct again *a = ctx;
    if (a->tick)
        a->tick(a->ctx, a->done);
}

bool page_runs_again(struct page_run *runs, size_t count, uint32_t jobs,
                     void (*on_tick)(void *ctx, size_t done), void *ctx,
                     const volatile sig_atomic_t *interrupt)
{
    struct again a = {
        .runs = runs, .count = count, .tick = on_tick, .ctx = ctx, .interrupt = interrupt};
    const struct pool_ops ops = {
        .ctx = &a, .next = next, .work = work, .done = done, .lost = lost, .tick = tick};
    size_t loaded = 0;
    for (size_t i = 0; i < count; i++)
        loaded += runs[i].loaded;
    if (loaded == 0)
        return true;
    return pool_run(&ops, jobs < loaded ? jobs : (uint32_t)loaded, interrupt) == POOL_DONE;
}

json_t *page_run_json(const struct page_run *p)
{
    json_t *o = json_copy(p->info);
    json_object_set_new(o, "moment",
                        json_pack("{s:o, s:o}", "us", page_us(p->until_ns), "about",
                                  page_text(p->words, sizeof p->words)));
    json_object_set_new(o, "again", json_boolean(p->again != NULL));
    json_object_set_new(o, "why", p->again ? json_null() : page_text(p->why, sizeof p->why));
    json_object_set(o, "drawn", p->again ? p->again : p->recorded);
    return o;
}

void page_run_free(struct page_run *p)
{
    if (p->loaded)
        rerun_free(p->rerun);
    free(p->rerun);
    json_decref(p->info);
    json_decref(p->recorded);
    json_decref(p->again);
}
