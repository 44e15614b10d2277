/* The body window: a heap in the front part of an array (Williams 1964, Algorithm 232). */
#include "core/chain/window.h"

#include "core/base/mem.h"

#include <assert.h>

#define CAPACITY_MIN 8u

void window_deinit(struct window *window)
{
    mem_free(window->records);
    *window = (struct window){0};
}

static void swap(struct window *window, uint32_t a, uint32_t b)
{
    struct block_record *record = window->records[a];
    window->records[a] = window->records[b];
    window->records[b] = record;
}

static uint64_t height_of(const struct window *window, uint32_t i)
{
    return window->records[i]->height;
}

static void sift_up(struct window *window, uint32_t i)
{
    while (i > 0 && height_of(window, i) < height_of(window, (i - 1) / 2)) {
        swap(window, i, (i - 1) / 2);
        i = (i - 1) / 2;
    }
}

static void sift_down(struct window *window)
{
    uint32_t i = 0;
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= window->bodies)
            return;
        if (child + 1 < window->bodies && height_of(window, child + 1) < height_of(window, child))
            child++;
        if (height_of(window, i) <= height_of(window, child))
            return;
        swap(window, i, child);
        i = child;
    }
}

void window_add(struct window *window, struct block_record *record, bool body)
{
    if (window->count == window->capacity) {
        assert(window->capacity < UINT32_C(1) << 30);
        window->capacity = window->capacity ? window->capacity * 2 : CAPACITY_MIN;
        window->records = mem_resize(window->records, window->capacity, sizeof record);
    }
    window->records[window->count++] = record;
    if (!body)
        return;
    swap(window, window->count - 1, window->bodies);
    sift_up(window, window->bodies++);
}

struct block_record *window_drop(struct window *window, uint64_t height)
{
    if (window->bodies == 0 || window->records[0]->height > height)
        return NULL;
    struct block_record *lowest = window->records[0];
    swap(window, 0, --window->bodies);
    sift_down(window);
    return lowest;
}
