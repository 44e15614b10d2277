/* Reads figures out of a record; see gate_figures.h. Everything is sorted before it is used, so
 * that equal runs give equal figures whatever order their rows have. */
#include "vibesim/gate_figures.h"

#include "vibesim/compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *room_for(void *array, size_t count, size_t size)
{
    if (count & (count - 1))
        return array;
    void *p = realloc(array, (count ? 2 * count : 1) * size);
    if (!p)
        abort();
    return p;
}

static struct figure *figure_of(struct figures *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++) {
        size_t at = (f->hint + i) % f->count;
        if (strcmp(f->all[at].name, name) == 0) {
            f->hint = at + 1;
            return &f->all[at];
        }
    }
    f->all = room_for(f->all, f->count, sizeof *f->all);
    struct figure *new = &f->all[f->count++];
    *new = (struct figure){.name = strdup(name)};
    if (!new->name)
        abort();
    return new;
}

/* ---- the scenario's ---- */

static bool on_metric(void *ctx, const struct read_metric *row)
{
    if (row->name && !row->is_null && compare_is_figure(row->value)) {
        struct figure *f = figure_of(ctx, row->name);
        f->told++;
        f->value += (row->value - f->value) / (double)f->told; /* the mean so far */
    }
    return true;
}

/* ---- of every run ---- */

static void derive(struct figures *f, const char *name, double value)
{
    struct figure *of = figure_of(f, name);
    if (!of->told)
        *of = (struct figure){of->name, value, 1};
}

/* A block that was found. */
struct mined {
    char *hash;
    uint64_t ns;
    int64_t miner;
};

struct spread {
    struct mined *blocks; /* by hash */
    size_t block_count, at;
    uint64_t *delays;
    size_t delay_count;
};

static bool on_block(void *ctx, const struct read_block *row)
{
    struct spread *s = ctx;
    if (!row->hash)
        return true;
    s->blocks = room_for(s->blocks, s->block_count, sizeof *s->blocks);
    s->blocks[s->block_count] = (struct mined){strdup(row->hash), row->mined_ns, row->miner};
    if (!s->blocks[s->block_count++].hash)
        abort();
    return true;
}

static int by_hash(const void *a, const void *b)
{
    const struct mined *x = a, *y = b;
    return strcmp(x->hash, y->hash);
}

/* Arrivals come by block in the same order. */
static bool on_arrival(void *ctx, const struct read_arrival *row)
{
    struct spread *s = ctx;
    if (!row->block_hash)
        return true;
    while (s->at < s->block_count && strcmp(s->blocks[s->at].hash, row->block_hash) < 0)
        s->at++;
    const struct mined *block = s->at < s->block_count ? &s->blocks[s->at] : NULL;
    if (block && strcmp(block->hash, row->block_hash) == 0 &&
        (block->miner < 0 || (uint64_t)block->miner != row->node) && row->t_ns >= block->ns) {
        s->delays = room_for(s->delays, s->delay_count, sizeof *s->delays);
        s->delays[s->delay_count++] = row->t_ns - block->ns;
    }
    return true;
}

static int by_delay(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void derive_percentiles(struct figures *f, struct spread *s)
{
    static const unsigned shares[] = {50, 95, 99};
    if (s->delay_count)
        qsort(s->delays, s->delay_count, sizeof *s->delays, by_delay);
    for (size_t i = 0; s->delay_count && i < sizeof shares / sizeof *shares; i++) {
        char name[40];
        size_t rank = (s->delay_count * shares[i] + 99) / 100;
        snprintf(name, sizeof name, "propagation_p%u_s", shares[i]);
        derive(f, name, (double)s->delays[rank - 1] / 1e9);
    }
}

static bool derive_propagation(struct figures *f, struct reader *reader, int64_t run,
                               size_t *block_count, char *why, size_t size)
{
    struct spread s = {0};
    bool ok = reader_blocks(reader, run, on_block, &s, why, size);
    if (ok && s.block_count)
        qsort(s.blocks, s.block_count, sizeof *s.blocks, by_hash);
    ok = ok && reader_arrivals(reader, run, on_arrival, &s, why, size);
    if (ok)
        derive_percentiles(f, &s);
    for (size_t i = 0; i < s.block_count; i++)
        free(s.blocks[i].hash);
    free(s.blocks);
    free(s.delays);
    *block_count = s.block_count;
    return ok;
}

struct ends {
    char **tips;
    size_t count;
    int64_t height; /* -1: no node told one */
};

static bool on_node(void *ctx, const struct read_node *row)
{
    struct ends *e = ctx;
    if (!row->final_tip || row->final_height < 0)
        return true;
    e->height = row->final_height > e->height ? row->final_height : e->height;
    e->tips = room_for(e->tips, e->count, sizeof *e->tips);
    if (!(e->tips[e->count++] = strdup(row->final_tip)))
        abort();
    return true;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool derive_ends(struct figures *f, struct reader *reader, int64_t run, size_t blocks,
                        char *why, size_t size)
{
    struct ends e = {.height = -1};
    size_t tips = 0;
    bool ok = reader_nodes(reader, run, on_node, &e, why, size);
    if (e.count)
        qsort(e.tips, e.count, sizeof *e.tips, by_text);
    for (size_t i = 0; i < e.count; i++)
        tips += i == 0 || strcmp(e.tips[i], e.tips[i - 1]) != 0;
    for (size_t i = 0; i < e.count; i++)
        free(e.tips[i]);
    free(e.tips);
    if (!ok || e.height < 0)
        return ok;
    double stale = (double)blocks - (double)e.height;
    derive(f, "tip_height", (double)e.height);
    derive(f, "tips", (double)tips);
    derive(f, "stale_blocks", stale > 0 ? stale : 0);
    return true;
}

bool figures_read(struct figures *out, struct reader *reader, const struct read_run *run, char *why,
                  size_t size)
{
    size_t blocks = 0;
    const int64_t id = run->id;
    const double messages = (double)run->messages, bytes = (double)run->bytes,
                 events = (double)run->events;
    *out = (struct figures){0};
    bool ok = reader_metrics(reader, id, on_metric, out, why, size) &&
              derive_propagation(out, reader, id, &blocks, why, size) &&
              derive_ends(out, reader, id, blocks, why, size);
    if (ok) {
        derive(out, "messages", messages);
        derive(out, "bytes", bytes);
        derive(out, "events", events);
    } else {
        figures_free(out);
    }
    return ok;
}

void figures_free(struct figures *figures)
{
    for (size_t i = 0; i < figures->count; i++)
        free(figures->all[i].name);
    free(figures->all);
    *figures = (struct figures){0};
}
