/* See page_curve.h. */
#include "vibesim/page_curve.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void grow(struct curve *c)
{
    const size_t room = c->room ? c->room * 4 : 64;
    uint64_t *times = malloc(room * CURVE_POINTS * sizeof *times);
    if (!times)
        abort();
    for (size_t p = 0; c->blocks && p < CURVE_POINTS; p++)
        memcpy(times + p * room, c->times + p * c->room, c->blocks * sizeof *times);
    free(c->times);
    c->times = times;
    c->room = room;
}

void curve_add(struct curve *c, const uint64_t *latencies_ns, size_t count, uint32_t nodes)
{
    assert(nodes > 0);
    if (c->blocks == CURVE_BLOCKS_MAX) {
        c->left_out++;
        return;
    }
    if (c->blocks == c->room)
        grow(c);
    for (uint32_t p = 0; p < CURVE_POINTS; p++) {
        const uint64_t need = ((uint64_t)nodes * (p + 1) + CURVE_POINTS - 1) / CURVE_POINTS;
        c->times[p * c->room + c->blocks] = need <= count ? latencies_ns[need - 1] : CURVE_NEVER;
    }
    c->blocks++;
    c->sorted = false;
}

static int by_time(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

uint64_t curve_at(struct curve *c, uint32_t point, uint32_t percent)
{
    assert(c->blocks > 0 && point < CURVE_POINTS && percent >= 1 && percent <= 100);
    for (size_t p = 0; !c->sorted && p < CURVE_POINTS; p++)
        qsort(c->times + p * c->room, c->blocks, sizeof *c->times, by_time);
    c->sorted = true;
    return c->times[point * c->room + (c->blocks * percent + 99) / 100 - 1];
}

void curve_free(struct curve *c)
{
    free(c->times);
    memset(c, 0, sizeof *c);
}
