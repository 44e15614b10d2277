/* Open addressing with linear probing in a power of two of slots, at most three quarters full.
 * Deletion shifts the following entries of the run back (Knuth, TAOCP 3, 6.4, algorithm R), so that
 * no tombstones collect and a lookup ends at the first empty slot. Beside an idmap's slots lies a
 * byte of each hash, so that a probe touches a value only where it is almost surely the one.
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
    map->tags = NULL;
    map->count = 0;
    map->mask = 0;
}

/* A byte of the hash that does not choose the slot; 0 is an empty slot's. */
static uint8_t tag_of(uint32_t hash)
{
    const uint8_t tag = (uint8_t)(hash >> 24);
    return tag ? tag : 1;
}

/* The slot that holds id, or the empty one where it would go. */
static uint32_t idmap_slot(const struct idmap *map, const uint8_t *id, uint32_t hash)
{
    const uint8_t tag = tag_of(hash);
    uint32_t i = hash & map->mask;
    while (map->tags[i] && (map->tags[i] != tag || !hash_eq(key_of(map, map->slots[i]), id)))
        i = (i + 1) & map->mask;
    return i;
}

void *idmap_get(const struct idmap *map, const uint8_t id[32])
{
    if (map->count == 0)
        return NULL;
    const uint32_t i = idmap_slot(map, id, id_hash(id, map->seed));
    return map->tags[i] ? map->slots[i] : NULL;
}

void idmap_prefetch(const struct idmap *map, const uint8_t id[32])
{
    if (map->count == 0)
        return;
    const uint32_t i = id_hash(id, map->seed) & map->mask;
    __builtin_prefetch(&map->tags[i]);
    __builtin_prefetch(&map->slots[i]);
}

const void *idmap_guess(const struct idmap *map, const uint8_t id[32])
{
    if (map->count == 0)
        return NULL;
    const uint32_t hash = id_hash(id, map->seed);
    const uint8_t tag = tag_of(hash);
    uint32_t i = hash & map->mask;
    while (map->tags[i] && map->tags[i] != tag)
        i = (i + 1) & map->mask;
    return map->tags[i] ? map->slots[i] : NULL;
}

static size_t slots_bytes(uint32_t capacity)
{
    return (size_t)capacity * (sizeof(void *) + 1);
}

static void idmap_set(struct idmap *map, uint32_t i, void *value, uint32_t hash)
{
    map->slots[i] = value;
    map->tags[i] = tag_of(hash);
}

static void idmap_reserve(struct idmap *map)
{
    const uint32_t old_capacity = map->slots ? map->mask + 1 : 0;
    const uint32_t capacity = capacity_for(old_capacity, map->count);
    void **old = map->slots;
    const uint8_t *old_tags = map->tags;

    if (capacity == old_capacity)
        return;
    map->slots = mem_new(slots_bytes(capacity), 1);
    map->tags = (uint8_t *)(map->slots + capacity);
    map->mask = capacity - 1;
    for (uint32_t i = 0; i < old_capacity; i++)
        if (old_tags[i]) {
            const uint32_t hash = id_hash(key_of(map, old[i]), map->seed);
            idmap_set(map, idmap_slot(map, key_of(map, old[i]), hash), old[i], hash);
        }
    mem_free(old);
}

void idmap_put(struct idmap *map, void *value)
{
    idmap_reserve(map);
    const uint32_t hash = id_hash(key_of(map, value), map->seed);
    const uint32_t i = idmap_slot(map, key_of(map, value), hash);
    assert(!map->tags[i]);
    idmap_set(map, i, value, hash);
    map->count++;
}

void *idmap_remove(struct idmap *map, const uint8_t id[32])
{
    if (map->count == 0)
        return NULL;
    uint32_t hole = idmap_slot(map, id, id_hash(id, map->seed));
    void *taken = map->slots[hole];
    if (!map->tags[hole])
        return NULL;
    if (--map->count == 0) {
        idmap_deinit(map);
        return taken;
    }
    for (uint32_t i = (hole + 1) & map->mask; map->tags[i]; i = (i + 1) & map->mask) {
        const uint32_t hash = id_hash(key_of(map, map->slots[i]), map->seed);
        if (may_move(hash & map->mask, hole, i, map->mask)) {
            idmap_set(map, hole, map->slots[i], hash);
            hole = i;
        }
    }
    map->slots[hole] = NULL;
    map->tags[hole] = 0;
    return taken;
}

size_t idmap_bytes(const struct idmap *map)
{
    return map->slots ? slots_bytes(map->mask + 1) : 0;
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

void u64map_prefetch(const struct u64map *map, uint64_t key)
{
    if (map->count)
        __builtin_prefetch(&map->slots[number_hash(key, map->seed) & map->mask]);
}

void u64map_prefetch_all(const struct u64map *map)
{
    for (size_t at = 0; at < u64map_bytes(map); at += 64)
        __builtin_prefetch((const char *)map->slots + at);
}

void u64map_prefetch_values(const struct u64map *map, size_t bytes)
{
    const uint32_t capacity = map->slots ? map->mask + 1 : 0;
    for (uint32_t i = 0; i < capacity; i++)
        for (size_t at = 0; map->slots[i].key != 0 && at < bytes; at += 64)
            __builtin_prefetch((const char *)map->slots[i].value + at);
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
