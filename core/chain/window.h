/* Every record that a chain holds, in one array, ordered so that the lowest body comes first.
 *
 * A chain holds bodies of a window of heights below its tip, on side branches too. The array begins
 * with a binary min-heap over height of the records whose body is held; the others follow. A step
 * of the window costs O(log of its size) whatever branches came in whatever order, and nothing
 * is stored per block but its pointer. */
#ifndef CHAIN_WINDOW_H
#define CHAIN_WINDOW_H

#include "core/chain/chain.h"

/* All zero is empty. Owns no references. */
struct window {
    struct block_record **records;
    uint32_t capacity;
    uint32_t count;  /* of all */
    uint32_t bodies; /* the first of them, a heap */
};

void window_deinit(struct window *window);

/* Adds a record, with or without its body. */
void window_add(struct window *window, struct block_record *record, bool body);

/* Counts the lowest record with a body among those without and returns it, if its height is at most
 * `height`; else NULL. */
struct block_record *window_drop(struct window *window, uint64_t height);

#endif
