/* A binary heap of pointers to timers; each timer knows its place, so that disarming is as cheap as
 * arming. Time and order of arming together are a total order: what fires first never depends on
 * the shape of the heap. */
#include "core/base/timer.h"

#include "core/base/mem.h"

#include <assert.h>
#include <stddef.h>

#define CAPACITY_MIN 4u

void timers_init(struct timers *timers)
{
    *timers = (struct timers){.next_ns = UINT64_MAX};
}

void timers_deinit(struct timers *timers)
{
    for (uint32_t i = 0; i < timers->count; i++)
        timers->heap[i]->index = 0;
    mem_free(timers->heap);
    timers_init(timers);
}

static bool fires_before(const struct timer *a, const struct timer *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void place(struct timers *timers, uint32_t i, struct timer *timer)
{
    timers->heap[i] = timer;
    timer->index = i + 1;
}

static void sift_up(struct timers *timers, uint32_t i, struct timer *timer)
{
    while (i > 0) {
        const uint32_t parent = (i - 1) / 2;
        if (!fires_before(timer, timers->heap[parent]))
            break;
        place(timers, i, timers->heap[parent]);
        i = parent;
    }
    place(timers, i, timer);
}

static void sift_down(struct timers *timers, uint32_t i, struct timer *timer)
{
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= timers->count)
            break;
        if (child + 1 < timers->count && fires_before(timers->heap[child + 1], timers->heap[child]))
            child++;
        if (!fires_before(timers->heap[child], timer))
            break;
        place(timers, i, timers->heap[child]);
        i = child;
    }
    place(timers, i, timer);
}

/* Puts the timer into the free place i, or where it belongs from there. */
static void settle(struct timers *timers, uint32_t i, struct timer *timer)
{
    if (i > 0 && fires_before(timer, timers->heap[(i - 1) / 2]))
        sift_up(timers, i, timer);
    else
        sift_down(timers, i, timer);
}

/* Asked after every event, so kept where no timer has to be looked at. */
static void note_next(struct timers *timers)
{
    timers->next_ns = timers->count ? timers->heap[0]->at_ns : UINT64_MAX;
}

void timers_disarm(struct timers *timers, struct timer *timer)
{
    if (timer->index == 0)
        return;
    const uint32_t i = timer->index - 1;
    assert(i < timers->count && timers->heap[i] == timer);
    struct timer *last = timers->heap[--timers->count];
    timer->index = 0;
    if (last != timer)
        settle(timers, i, last);
    note_next(timers);
}

void timers_arm(struct timers *timers, struct timer *timer, uint64_t at_ns)
{
    if (at_ns == UINT64_MAX) {
        timers_disarm(timers, timer);
        return;
    }
    timer->at_ns = at_ns;
    timer->order = timers->next_order++;
    if (timer->index != 0) {
        assert(timer->index <= timers->count && timers->heap[timer->index - 1] == timer);
        settle(timers, timer->index - 1, timer);
        note_next(timers);
        return;
    }
    if (timers->count == timers->capacity) {
        assert(timers->capacity < UINT32_C(1) << 30);
        timers->capacity = timers->capacity ? timers->capacity * 2 : CAPACITY_MIN;
        timers->heap = mem_resize(timers->heap, timers->capacity, sizeof(struct timer *));
    }
    sift_up(timers, timers->count++, timer);
    note_next(timers);
}

struct timer *timers_pop_due(struct timers *timers, uint64_t now_ns)
{
    if (timers->count == 0 || timers->next_ns > now_ns)
        return NULL;
    struct timer *timer = timers->heap[0];
    timers_disarm(timers, timer);
    return timer;
}

void timers_audit(const struct timers *timers, struct audit *audit)
{
    for (uint32_t i = 0; i < timers->count; i++) {
        const struct timer *timer = timers->heap[i];
        audit_equal(audit, "a timer's place in the heap", timer->index, i + 1);
        audit_true(audit, "a timer behind those that fire later",
                   i == 0 || !fires_before(timer, timers->heap[(i - 1) / 2]));
    }
    audit_equal(audit, "when the next timer fires", timers->next_ns,
                timers->count ? timers->heap[0]->at_ns : UINT64_MAX);
}
