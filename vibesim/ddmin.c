/* See ddmin.h. */
#include "vibesim/ddmin.h"

#include <stdlib.h>
#include <string.h>

/* The items of chunk `k` of `n`, or all but these. out->items has room for all. */
static void cut(const struct ddmin_set *set, size_t n, size_t k, bool complement,
                struct ddmin_set *out)
{
    const size_t from = set->count * k / n;
    const size_t to = set->count * (k + 1) / n;
    out->count = 0;
    for (size_t i = 0; i < set->count; i++)
        if ((i >= from && i < to) != complement)
            out->items[out->count++] = set->items[i];
}

static struct ddmin_set *candidates_new(size_t n, size_t items)
{
    struct ddmin_set *c = calloc(n, sizeof *c);
    uint32_t *all = calloc(n, items * sizeof *all + sizeof *all);
    if (!c || !all)
        abort();
    for (size_t i = 0; i < n; i++)
        c[i].items = all + i * items;
    return c;
}

static void candidates_free(struct ddmin_set *c)
{
    free(c[0].items);
    free(c);
}

/* One granularity: the chunks, then their complements (with two chunks they are the same). Whether
 * the set became smaller is in *reduced. */
static bool round_of(struct ddmin_set *set, size_t *n, ddmin_test test, void *ctx, bool *reduced)
{
    const size_t chunks = *n;
    const size_t count = chunks > 2 ? 2 * chunks : chunks;
    struct ddmin_set *c = candidates_new(count, set->count);
    size_t first = count;
    for (size_t i = 0; i < count; i++)
        cut(set, chunks, i % chunks, i >= chunks, &c[i]);
    const bool on = test(ctx, c, count, &first);
    *reduced = on && first < count;
    if (*reduced) {
        memcpy(set->items, c[first].items, c[first].count * sizeof *set->items);
        set->count = c[first].count;
        *n = first < chunks ? 2 : chunks - 1;
    }
    candidates_free(c);
    return on;
}

bool ddmin(struct ddmin_set *set, ddmin_test test, void *ctx)
{
    const struct ddmin_set none = {0};
    size_t first = 1;
    if (set->count == 0)
        return true;
    if (!test(ctx, &none, 1, &first))
        return false;
    if (first == 0)
        set->count = 0;
    for (size_t n = 2; set->count >= 2;) {
        bool reduced;
        n = n < set->count ? n : set->count;
        if (!round_of(set, &n, test, ctx, &reduced))
            return false;
        if (reduced)
            continue;
        if (n >= set->count)
            break;
        n *= 2;
    }
    return true;
}
