/* See page_change.h. A list grows to four times its bound before it is thinned, so that thinning is
 * rare and a run that needs none keeps every change. */
#include "vibesim/page_change.h"

#include <stdlib.h>
#include <string.h>

#define INTERVAL_FIRST_NS UINT64_C(10000000)

/* A change and its place in the list: where two have one time, the later told is the later. */
struct placed {
    struct change change;
    size_t place;
};

/* By thing, the latest first. */
static int by_thing(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    if (x->change.a != y->change.a)
        return x->change.a < y->change.a ? -1 : 1;
    if (x->change.b != y->change.b)
        return x->change.b < y->change.b ? -1 : 1;
    return (x->place < y->place) - (x->place > y->place);
}

static int by_place(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    return (x->place > y->place) - (x->place < y->place);
}

/* Leaves the last change of each thing, of `count` in `work`; returns how many. */
static size_t thin_interval(struct placed *work, size_t count)
{
    size_t kept = 0;
    qsort(work, count, sizeof *work, by_thing);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || work[i].change.a != work[kept - 1].change.a ||
            work[i].change.b != work[kept - 1].change.b)
            work[kept++] = work[i];
    qsort(work, kept, sizeof *work, by_place);
    return kept;
}

static void thin(struct changes *c)
{
    struct placed *work = malloc((c->count + 1) * sizeof *work);
    size_t out = 0;
    if (!work)
        abort();
    for (size_t from = 0, to; from < c->count; from = to) {
        const uint64_t interval = c->list[from].t_ns / c->interval_ns;
        for (to = from; to < c->count && c->list[to].t_ns / c->interval_ns == interval; to++)
            work[to - from] = (struct placed){c->list[to], to};
        const size_t kept = thin_interval(work, to - from);
        for (size_t i = 0; i < kept; i++)
            c->list[out++] = work[i].change;
    }
    c->count = out;
    free(work);
}

/* What came since the last time may fit the interval that there is: only if not it doubles. */
static void thin_to(struct changes *c, size_t most)
{
    if (c->interval_ns)
        thin(c);
    while (c->count > most) {
        c->interval_ns = c->interval_ns ? 2 * c->interval_ns : INTERVAL_FIRST_NS;
        thin(c);
    }
}

void change_add(struct changes *c, const struct change *change)
{
    if (c->count == c->room) {
        c->room = c->room ? 2 * c->room : 256;
        c->list = realloc(c->list, c->room * sizeof *c->list);
        if (!c->list)
            abort();
    }
    c->list[c->count++] = *change;
    if (c->count >= 4 * c->most)
        thin_to(c, 2 * c->most);
}

void change_end(struct changes *c)
{
    thin_to(c, c->most);
}

void change_free(struct changes *c)
{
    free(c->list);
    memset(c, 0, sizeof *c);
}
