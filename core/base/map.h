/* Hash maps that hold pointers, by open addressing with linear probing and backward-shift deletion.
 *
 * Two kinds: idmap, whose keys are 32-byte identifiers, and u64map, whose keys are integers; keys
 * live inside the values at a fixed offset. Both are seeded, grow at 3/4 load, own
 * nothing that they point to, and allocate nothing while empty. Their slot order is never
 * observable: there is no iteration, so that no hash order can reach behaviour. Keep a list beside
 * a map to iterate. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "core/base/audit.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct idmap {
    void **slots;
    uint8_t *tags; /* behind the slots: a byte of the hash of each, 0: empty */
    uint32_t count;
    uint32_t mask; /* capacity - 1, or 0 while empty */
    uint32_t key_offset;
    bool numbers; /* the keys are those of a u64map */
    uint64_t seed;
};

void idmap_init(struct idmap *map, size_t key_offset, uint64_t seed);
void idmap_deinit(struct idmap *map);
void *idmap_get(const struct idmap *map, const uint8_t id[32]);
/* The key must not be present. */
void idmap_put(struct idmap *map, void *value);
/* Returns the value taken out, or NULL. */
void *idmap_remove(struct idmap *map, const uint8_t id[32]);
/* Bytes allocated. */
size_t idmap_bytes(const struct idmap *map);
/* See audit.h. Is each of its values found, and are there `count` of them? Of either kind. */
void idmap_audit(const struct idmap *map, struct audit *audit, uint32_t count);

struct u64map {
    struct idmap map;
};

void u64map_init(struct u64map *map, size_t key_offset, uint64_t seed);
void u64map_deinit(struct u64map *map);
void *u64map_get(const struct u64map *map, uint64_t key);
/* The key must not be present. */
void u64map_put(struct u64map *map, void *value);
/* Asks for the memory that u64map_get of the key will look at. */
void u64map_prefetch(const struct u64map *map, uint64_t key);
/* What u64map_get will give, by a byte of the hash alone: a hint that touches no value. */
const void *u64map_guess(const struct u64map *map, uint64_t key);
/* Asks for the map's own memory; for the first `bytes` bytes of every value. */
void u64map_prefetch_all(const struct u64map *map);
void u64map_prefetch_values(const struct u64map *map, size_t bytes);
void *u64map_remove(struct u64map *map, uint64_t key);
size_t u64map_bytes(const struct u64map *map);

#endif
