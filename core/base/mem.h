/* Allocation that does not fail: the core bounds every size before it asks, so running out of
 * memory is not an event a peer can cause, and the process ends (as Bitcoin Core does). */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* Zeroed. Aborts when out of memory or when count * size overflows. */
void *mem_new(size_t count, size_t size);

/* Grown part not zeroed. Aborts likewise. */
void *mem_resize(void *old, size_t count, size_t size);

void mem_free(void *p);

/* A free list of equal small objects, for what is made and dropped with every message. Objects come
 * zeroed. Memory goes back when the pool does. */
struct mem_pool {
    void *free_list;
    void *chunks;
    size_t object_size;
    size_t live;
};

void mem_pool_init(struct mem_pool *pool, size_t object_size);
void mem_pool_deinit(struct mem_pool *pool);
void *mem_pool_take(struct mem_pool *pool);
/* The same, but not zeroed: for who fills all of it in at once. */
void *mem_pool_take_raw(struct mem_pool *pool);
void mem_pool_give(struct mem_pool *pool, void *object);

#endif
