/* The watch over blocks. Failure mode: more than BLOCKS_BYTES_MAX; then it stops and says so. */
#include "scenarios/blocks.h"

#include "core/base/map.h"
#include "core/base/mem.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#define HOSTS_MIN 64u

struct block_watch {
    struct idmap by_hash;
    struct block **blocks;
    uint32_t count, capacity;
    size_t bytes;
    bool full;
};

struct block_watch *blocks_new(void)
{
    struct block_watch *watch = mem_new(1, sizeof *watch);
    *watch = (struct block_watch){0};
    idmap_init(&watch->by_hash, offsetof(struct block, hash), 0);
    return watch;
}

void blocks_free(struct block_watch *watch)
{
    if (!watch)
        return;
    for (uint32_t i = 0; i < watch->count; i++) {
        mem_free(watch->blocks[i]->arrival_ns);
        mem_free(watch->blocks[i]);
    }
    idmap_deinit(&watch->by_hash);
    mem_free(watch->blocks);
    mem_free(watch);
}

/* Whether so much more may be taken. */
static bool afford(struct block_watch *watch, size_t bytes)
{
    watch->full = watch->full || bytes > BLOCKS_BYTES_MAX - watch->bytes;
    if (!watch->full)
        watch->bytes += bytes;
    return !watch->full;
}

static struct block *block_add(struct block_watch *watch, uint32_t host,
                               const struct vn_trace *trace)
{
    if (!afford(watch, sizeof(struct block) + sizeof(void *)))
        return NULL;
    if (watch->count == watch->capacity) {
        watch->capacity = watch->capacity ? watch->capacity * 2 : 64;
        watch->blocks = mem_resize(watch->blocks, watch->capacity, sizeof *watch->blocks);
    }
    struct block *block = mem_new(1, sizeof *block);
    *block = (struct block){
        .height = trace->a, .found_ns = trace->now_ns, .txs = trace->b, .miner = host};
    memcpy(block->hash, trace->hash, sizeof block->hash);
    idmap_put(&watch->by_hash, block);
    watch->blocks[watch->count++] = block;
    return block;
}

/* Makes room for the time of a host. */
static bool block_room(struct block_watch *watch, struct block *block, uint32_t host)
{
    if (host < block->hosts)
        return true;
    uint32_t hosts = block->hosts > 0 ? block->hosts : HOSTS_MIN;
    while (hosts <= host)
        hosts *= 2;
    if (!afford(watch, (hosts - block->hosts) * sizeof *block->arrival_ns))
        return false;
    block->arrival_ns = mem_resize(block->arrival_ns, hosts, sizeof *block->arrival_ns);
    for (uint32_t i = block->hosts; i < hosts; i++)
        block->arrival_ns[i] = BLOCKS_NEVER;
    block->hosts = hosts;
    return true;
}

void blocks_trace(struct block_watch *watch, uint32_t host, const struct vn_trace *trace)
{
    if (watch->full)
        return;
    struct block *block = idmap_get(&watch->by_hash, trace->hash);
    if (!block && trace->kind == VN_TR_MINED)
        block = block_add(watch, host, trace);
    if (block && block_room(watch, block, host) && block->arrival_ns[host] == BLOCKS_NEVER)
        block->arrival_ns[host] = trace->now_ns;
}

uint32_t blocks_count(const struct block_watch *watch)
{
    return watch->count;
}

const struct block *blocks_at(const struct block_watch *watch, uint32_t index)
{
    assert(index < watch->count);
    return watch->blocks[index];
}

bool blocks_full(const struct block_watch *watch)
{
    return watch->full;
}
