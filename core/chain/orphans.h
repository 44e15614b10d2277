/* Blocks that wait for their parent: a queue bounded by number and bytes.
 *
 * When it is full the newcomer replaces the oldest, so that a peer with many orphans to send cannot
 * shut the others out for longer than it keeps sending, and what stays is a function of the order
 * of arrival alone. Everything is allocated with the first orphan and freed with the last. */
#ifndef CHAIN_ORPHANS_H
#define CHAIN_ORPHANS_H

#include "core/chain/chain.h"

struct orphans;

struct orphans *orphans_new(uint64_t seed);

/* Gives all records back to the cache. NULL is fine. */
void orphans_free(struct orphans *orphans, struct chain_cache *cache);

uint32_t orphans_count(const struct orphans *orphans);
size_t orphans_bytes(const struct orphans *orphans);

/* Bytes (entries and encodings) of the orphans that came from `source`. */
uint64_t orphans_bytes_from(const struct orphans *orphans, uint64_t source);

/* The index-th by arrival, and its source; NULL past the end. */
const struct block_record *orphans_at(const struct orphans *orphans, uint32_t index,
                                      uint64_t *source);

/* The orphan with this hash, or NULL. */
struct block_record *orphans_find(const struct orphans *orphans, const uint8_t hash[32]);

/* Makes room for one more of len bytes by dropping the oldest; false if there can be none. */
bool orphans_make_room(struct orphans *orphans, const struct chain_limits *limits, uint32_t len,
                       struct chain_cache *cache);

/* Adds a record that is not among them; takes over the caller's reference and use of the body. */
void orphans_add(struct orphans *orphans, struct block_record *record, uint64_t source);

/* Takes out the first arrived child of `parent`, handing over reference and use; NULL if none. */
struct block_record *orphans_take(struct orphans *orphans, const uint8_t parent[32],
                                  uint64_t *source);

/* See core/base/audit.h. NULL is fine. */
void orphans_audit(const struct orphans *orphans, const struct chain_limits *limits,
                   struct audit *audit);

#endif
