/* Open addressing with linear probing in a power of two of slots, at most three quarters full.
 * Deletion shifts the following entries of the run back (Knuth, TAOCP 3, 6.4, algorithm R), so that
 * no tombstones collect and a lookup ends at the first empty slot.
 *
 * Keys come from peers, who may choose them: the slot is a keyed hash (multiply and fold, after
 * wyhash by Wang Yi) of which they do not know the seed. */
#include "core/base/map.h"

#include "core/base/bytes.h"
#include "core/base/mem.h"

#include <assert.h>

#define CAPACITY_MIN 8u

/* Odd numbers with about as many ones as zeros (wyhash's secret). */
#define FOLD_A 0xa0761d6478bd642fu
#define FOLD_B 0xe7037ed1a0b428dbu
#define FOLD_C 0x8ebc6af09c88c6e3u

static uint64_t fold(uint64_t a, uint64_t b)
{
    const u128 product = (u128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint32_t id_hash(const uint8_t *id, uint64_t seed)
{
    const uint64_t low = fold(get_le64(id) ^ FOLD_A ^ seed, get_le64(id + 8) ^ FOLD_B ^ seed);
    const uint64_t high =
        fold(get_le64(id + 16) ^ FOLD_B ^ seed, get_le64(id + 24) ^ FOLD_C ^ seed);
    return (uint32_t)fold(low ^ FOLD_C, high ^ seed ^ FOLD_A);
}

static uint32_t number_hash(uint64_t key, uint64_t seed)
{
    return (uint32_t)fold(key ^ FOLD_A ^ seed, seed ^ FOLD_B);
}

/* The capacity to hold one more, given the present one (0 while empty). */
static uint32_t capacity_for(uint32_t capacity, uint32_t count)
{
    if (capacity == 0)
        return CAPACITY_MIN;
    if ((uint64_t)(count + 1) * 4 <= (uint64_t)capacity * 3)
        return capacity;
    assert(capacity < UINT32_C(1) << 30);
    return capacity * 2;
}

/* May an entry whose own slot is `home` move from `at` back to the free slot `hole`? Only if its
 * home is not cyclically within (hole, at]. */
static int may_move(uint32_t home, uint32_t hole, uint32_t at, uint32_t mask)
{
    return ((at - home) & mask) >= ((at - hole) & mask);
}

/* ---- idmap ---------------------------------------------------------------------------------- */

static const uint8_t *key_of(const struct idmap *map, const void *value)
{
    return (const uint8_t *)value + map->key_offset;
}

void idmap_init(struct idmap *map, size_t key_offset, uint64_t seed)
{
    assert(key_offset <= UINT32_MAX);
    *map = (struct idmap){.key_offset = (uint32_t)key_offset, .seed = seed};
}

void idmap_deinit(struct idmap *map)
{
    mem_free(map->slots);
    map->slots = NULL;
    map->count = 0;
    map->mask = 0;
}

/* The slot that holds id, or the empty one where it would go. */
static uint32_t idmap_slot(const struct idmap *map, const uint8_t *id)
{
    uint32_t i = id_hash(id, map->seed) & map->mask;
    while (map->slots[i] && !hash_eq(key_of(map, map->slots[i]), id))
        i = (i + 1) & map->mask;
    return i;
}

void *idmap_get(const struct idmap *map, const uint8_t id[32])
{
    return map->count ? map->slots[idmap_slot(map, id)] : NULL;
}

static void idmap_reserve(struct idmap *map)
{
    const uint32_t old_capacity = map->slots ? map->mask + 1 : 0;
    const uint32_t capacity = capacity_for(old_capacity, map->count);
    void **old = map->slots;

    if (capacity == old_capacity)
        return;
    map->slots = mem_new(capacity, sizeof *map->slots);
    map->mask = capacity - 1;
    for (uint32_t i = 0; i < old_capacity; i++)
        if (old[i])
            map->slots[idmap_slot(map, key_of(map, old[i]))] = old[i];
    mem_free(old);
}

void idmap_put(struct idmap *map, void *value)
{
    idmap_reserve(map);
    const uint32_t i = idmap_slot(map, key_of(map, value));
    assert(!map->slots[i]);
    map->slots[i] = value;
    map->count++;
}

void *idmap_remove(struct idmap *map, const uint8_t id[32])
{
    if (map->count == 0)
        return NULL;
    uint32_t hole = idmap_slot(map, id);
    void *taken = map->slots[hole];
    if (!taken)
        return NULL;
    if (--map->count == 0) {
        idmap_deinit(map);
        return taken;
    }
    for (uint32_t i = (hole + 1) & map->mask; map->slots[i]; i = (i + 1) & map->mask) {
        const uint32_t home = id_hash(key_of(map, map->slots[i]), map->seed) & map->mask;
        if (may_move(home, hole, i, map->mask)) {
            map->slots[hole] = map->slots[i];
            hole = i;
        }
    }
    map->slots[hole] = NULL;
    return taken;
}

size_t idmap_bytes(const struct idmap *map)
{
    return map->slots ? ((size_t)map->mask + 1) * sizeof *map->slots : 0;
}

/* ---- u64map --------------------------------------------------------------------------------- */

void u64map_init(struct u64map *map, uint64_t seed)
{
    *map = (struct u64map){.seed = seed};
}

void u64map_deinit(struct u64map *map)
{
    mem_free(map->slots);
    map->slots = NULL;
    map->count = 0;
    map->mask = 0;
}

static uint32_t u64map_find(const struct u64map *map, uint64_t key)
{
    uint32_t i = number_hash(key, map->seed) & map->mask;
    while (map->slots[i].key != 0 && map->slots[i].key != key)
        i = (i + 1) & map->mask;
    return i;
}

void *u64map_get(const struct u64map *map, uint64_t key)
{
    return map->count && key ? map->slots[u64map_find(map, key)].value : NULL;
}

static void u64map_reserve(struct u64map *map)
{
    const uint32_t old_capacity = map->slots ? map->mask + 1 : 0;
    const uint32_t capacity = capacity_for(old_capacity, map->count);
    struct u64map_slot *old = map->slots;

    if (capacity == old_capacity)
        return;
    map->slots = mem_new(capacity, sizeof *map->slots);
    map->mask = capacity - 1;
    for (uint32_t i = 0; i < old_capacity; i++)
        if (old[i].key)
            map->slots[u64map_find(map, old[i].key)] = old[i];
    mem_free(old);
}

void u64map_put(struct u64map *map, uint64_t key, void *value)
{
    assert(key != 0);
    u64map_reserve(map);
    const uint32_t i = u64map_find(map, key);
    assert(map->slots[i].key == 0);
    map->slots[i] = (struct u64map_slot){.key = key, .value = value};
    map->count++;
}

void *u64map_remove(struct u64map *map, uint64_t key)
{
    if (map->count == 0 || key == 0)
        return NULL;
    uint32_t hole = u64map_find(map, key);
    if (map->slots[hole].key == 0)
        return NULL;
    void *taken = map->slots[hole].value;
    if (--map->count == 0) {
        u64map_deinit(map);
        return taken;
    }
    for (uint32_t i = (hole + 1) & map->mask; map->slots[i].key; i = (i + 1) & map->mask) {
        const uint32_t home = number_hash(map->slots[i].key, map->seed) & map->mask;
        if (may_move(home, hole, i, map->mask)) {
            map->slots[hole] = map->slots[i];
            hole = i;
        }
    }
    map->slots[hole] = (struct u64map_slot){0};
    return taken;
}

size_t u64map_bytes(const struct u64map *map)
{
    return map->slots ? ((size_t)map->mask + 1) * sizeof *map->slots : 0;
}
