/* Open addressing with linear probing in a power of two of slots, at most three quarters full.
 * Deletion shifts the following entries of the run back (Knuth, TAOCP 3, 6.4, algorithm R), so that
 * no tombstones collect and a lookup ends at the first empty slot. Beside the slots lies a byte of
 * each hash, so that a probe touches a value only where it is almost surely the one. Both kinds of
 * map are the same but for how a key is hashed and compared.
 *
 * Keys come from peers, who may choose them: the slot is a keyed hash (multiply and fold, after
 * wyhash by Wang Yi) of which they do not know the seed. */
#include "core/base/map.h"

#include "core/base/bytes.h"
#include "core/base/mem.h"

#include <assert.h>
#include <string.h>

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

/* ---- both ----------------------------------------------------------------------------------- */

static const void *key_of(const struct idmap *map, const void *value)
{
    return (const char *)value + map->key_offset;
}

static uint64_t number_of(const struct idmap *map, const void *value)
{
    uint64_t number;
    memcpy(&number, key_of(map, value), sizeof number);
    return number;
}

/* A byte of the hash that does not choose the slot; 0 is an empty slot's. */
static uint8_t tag_of(uint32_t hash)
{
    const uint8_t tag = (uint8_t)(hash >> 24);
    return tag ? tag : 1;
}

static uint32_t value_hash(const struct idmap *map, const void *value)
{
    return map->numbers ? number_hash(number_of(map, value), map->seed)
                        : id_hash(key_of(map, value), map->seed);
}

static void init(struct idmap *map, size_t key_offset, uint64_t seed, bool numbers)
{
    assert(key_offset <= UINT32_MAX);
    *map = (struct idmap){.key_offset = (uint32_t)key_offset, .seed = seed, .numbers = numbers};
}

/* The first value with the tag of this hash. */
static const void *guess(const struct idmap *map, uint32_t hash)
{
    const uint8_t tag = tag_of(hash);
    uint32_t i = hash & map->mask;
    while (map->tags[i] && map->tags[i] != tag)
        i = (i + 1) & map->mask;
    return map->slots[i];
}

/* The first empty slot for a hash. */
static uint32_t free_slot(const struct idmap *map, uint32_t hash)
{
    uint32_t i = hash & map->mask;
    while (map->tags[i])
        i = (i + 1) & map->mask;
    return i;
}

static void slot_set(struct idmap *map, uint32_t i, void *value, uint32_t hash)
{
    map->slots[i] = value;
    map->tags[i] = tag_of(hash);
}

static size_t slots_bytes(uint32_t capacity)
{
    return (size_t)capacity * (sizeof(void *) + 1);
}

static void reserve(struct idmap *map)
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
    for (uint32_t i = 0; i < old_capacity; i++) {
        const uint32_t hash = old_tags[i] ? value_hash(map, old[i]) : 0;
        if (old_tags[i])
            slot_set(map, free_slot(map, hash), old[i], hash);
    }
    mem_free(old);
}

static void add(struct idmap *map, void *value)
{
    reserve(map);
    const uint32_t hash = value_hash(map, value);
    slot_set(map, free_slot(map, hash), value, hash);
    map->count++;
}

/* Takes out what slot `hole` holds, and closes the hole. */
static void *take_out(struct idmap *map, uint32_t hole)
{
    void *taken = map->slots[hole];
    if (--map->count == 0) {
        idmap_deinit(map);
        return taken;
    }
    for (uint32_t i = (hole + 1) & map->mask; map->tags[i]; i = (i + 1) & map->mask) {
        const uint32_t hash = value_hash(map, map->slots[i]);
        if (may_move(hash & map->mask, hole, i, map->mask)) {
            slot_set(map, hole, map->slots[i], hash);
            hole = i;
        }
    }
    map->slots[hole] = NULL;
    map->tags[hole] = 0;
    return taken;
}

void idmap_deinit(struct idmap *map)
{
    mem_free(map->slots);
    map->slots = NULL;
    map->tags = NULL;
    map->count = 0;
    map->mask = 0;
}

size_t idmap_bytes(const struct idmap *map)
{
    return map->slots ? slots_bytes(map->mask + 1) : 0;
}

/* ---- idmap ---------------------------------------------------------------------------------- */

void idmap_init(struct idmap *map, size_t key_offset, uint64_t seed)
{
    init(map, key_offset, seed, false);
}

/* The slot that holds id, or the empty one where it would go. */
static uint32_t idmap_slot(const struct idmap *map, const uint8_t *id)
{
    const uint32_t hash = id_hash(id, map->seed);
    const uint8_t tag = tag_of(hash);
    uint32_t i = hash & map->mask;
    while (map->tags[i] && (map->tags[i] != tag || !hash_eq(key_of(map, map->slots[i]), id)))
        i = (i + 1) & map->mask;
    return i;
}

void *idmap_get(const struct idmap *map, const uint8_t id[32])
{
    return map->count ? map->slots[idmap_slot(map, id)] : NULL;
}

void idmap_put(struct idmap *map, void *value)
{
    assert(!idmap_get(map, key_of(map, value)));
    add(map, value);
}

void *idmap_remove(struct idmap *map, const uint8_t id[32])
{
    const uint32_t i = map->count ? idmap_slot(map, id) : 0;
    return map->count && map->tags[i] ? take_out(map, i) : NULL;
}

/* ---- u64map --------------------------------------------------------------------------------- */

void u64map_init(struct u64map *map, size_t key_offset, uint64_t seed)
{
    init(&map->map, key_offset, seed, true);
}

void u64map_deinit(struct u64map *map)
{
    idmap_deinit(&map->map);
}

static uint32_t u64map_slot(const struct idmap *map, uint64_t key)
{
    const uint32_t hash = number_hash(key, map->seed);
    const uint8_t tag = tag_of(hash);
    uint32_t i = hash & map->mask;
    while (map->tags[i] && (map->tags[i] != tag || number_of(map, map->slots[i]) != key))
        i = (i + 1) & map->mask;
    return i;
}

void *u64map_get(const struct u64map *map, uint64_t key)
{
    return map->map.count ? map->map.slots[u64map_slot(&map->map, key)] : NULL;
}

void u64map_put(struct u64map *map, void *value)
{
    assert(!u64map_get(map, number_of(&map->map, value)));
    add(&map->map, value);
}

void *u64map_remove(struct u64map *map, uint64_t key)
{
    const uint32_t i = map->map.count ? u64map_slot(&map->map, key) : 0;
    return map->map.count && map->map.tags[i] ? take_out(&map->map, i) : NULL;
}

void u64map_prefetch(const struct u64map *map, uint64_t key)
{
    if (map->map.count == 0)
        return;
    const uint32_t i = number_hash(key, map->map.seed) & map->map.mask;
    __builtin_prefetch(&map->map.tags[i]);
    __builtin_prefetch(&map->map.slots[i]);
}

const void *u64map_guess(const struct u64map *map, uint64_t key)
{
    return map->map.count ? guess(&map->map, number_hash(key, map->map.seed)) : NULL;
}

void u64map_prefetch_all(const struct u64map *map)
{
    for (size_t at = 0; at < u64map_bytes(map); at += 64)
        __builtin_prefetch((const char *)map->map.slots + at);
}

void u64map_prefetch_values(const struct u64map *map, size_t bytes)
{
    const uint32_t capacity = map->map.slots ? map->map.mask + 1 : 0;
    for (uint32_t i = 0; i < capacity; i++)
        for (size_t at = 0; map->map.slots[i] && at < bytes; at += 64)
            __builtin_prefetch((const char *)map->map.slots[i] + at);
}

size_t u64map_bytes(const struct u64map *map)
{
    return idmap_bytes(&map->map);
}

/* ---- either --------------------------------------------------------------------------------- */

void idmap_audit(const struct idmap *map, struct audit *audit, uint32_t count)
{
    const uint32_t capacity = map->slots ? map->mask + 1 : 0;
    uint32_t used = 0;
    for (uint32_t i = 0; i < capacity; i++) {
        if (!map->tags[i])
            continue;
        used++;
        const void *value = map->slots[i];
        const uint32_t found = map->numbers ? u64map_slot(map, number_of(map, value))
                                            : idmap_slot(map, key_of(map, value));
        audit_equal(audit, "where a map finds a value", found, i);
    }
    audit_equal(audit, "values in a map", map->count, used);
    audit_equal(audit, "values in a map and beside it", map->count, count);
    audit_true(audit, "an empty map has memory", used > 0 || !map->slots);
}
