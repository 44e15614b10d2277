/* malloc that ends the process instead of failing, and a pool that carves equal objects out of
 * chunks. Under the address sanitizer an object that lies in the pool is poisoned, so that its use
 * is caught as a use after free would be. */
#include "core/base/mem.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define MEM_POISONS
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define MEM_POISONS
#endif
#ifdef MEM_POISONS
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size)   ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

#define CHUNK_BYTES 8192u
#define ALIGNMENT   16u
#define LINE        64u /* of a cache: large objects begin at one */
#define LARGE       256u

void *mem_new(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);
    if (!p)
        abort();
    return p;
}

void *mem_resize(void *old, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        abort();
    const size_t bytes = count * size;
    void *p = realloc(old, bytes ? bytes : 1);
    if (!p)
        abort();
    return p;
}

void mem_free(void *p)
{
    free(p);
}

/* Both a chunk and a free object begin with a pointer to the next one. */
struct link {
    struct link *next;
};

void mem_pool_init(struct mem_pool *pool, size_t object_size)
{
    assert(object_size >= 1 && object_size <= SIZE_MAX / 2);
    const size_t alignment = object_size < LARGE ? ALIGNMENT : LINE;
    *pool = (struct mem_pool){
        .object_size = (object_size + alignment - 1) / alignment * alignment,
    };
}

void mem_pool_deinit(struct mem_pool *pool)
{
    struct link *chunk = pool->chunks;
    while (chunk) {
        struct link *next = chunk->next;
        free(chunk);
        chunk = next;
    }
    *pool = (struct mem_pool){.object_size = pool->object_size};
}

static void pool_grow(struct mem_pool *pool)
{
    size_t count = (CHUNK_BYTES - LINE) / pool->object_size;
    if (count == 0)
        count = 1;
    const size_t bytes = LINE + count * pool->object_size;
    struct link *chunk = aligned_alloc(LINE, (bytes + LINE - 1) / LINE * LINE);
    if (!chunk)
        abort();
    char *first = (char *)chunk + LINE;
    chunk->next = pool->chunks;
    pool->chunks = chunk;
    /* From the last to the first, so that they are taken in the order of their addresses. */
    for (size_t i = count; i-- > 0;) {
        void *object = first + i * pool->object_size;
        ((struct link *)object)->next = pool->free_list;
        pool->free_list = object;
        ASAN_POISON_MEMORY_REGION(object, pool->object_size);
    }
}

void *mem_pool_take_raw(struct mem_pool *pool)
{
    if (!pool->free_list)
        pool_grow(pool);
    void *object = pool->free_list;
    ASAN_UNPOISON_MEMORY_REGION(object, pool->object_size);
    pool->free_list = ((struct link *)object)->next;
    pool->live++;
    return object;
}

void *mem_pool_take(struct mem_pool *pool)
{
    return memset(mem_pool_take_raw(pool), 0, pool->object_size);
}

void mem_pool_give(struct mem_pool *pool, void *object)
{
    if (!object)
        return;
    assert(pool->live > 0);
    pool->live--;
    ((struct link *)object)->next = pool->free_list;
    pool->free_list = object;
    ASAN_POISON_MEMORY_REGION(object, pool->object_size);
}
