/* Transactions that wait for a block, and those that recent blocks took. Bounded in number, bytes,
 * per sender and in age (PROTOCOL-0.1 section 6); a full pool drops the newcomer.
 *
 * An entry that a block takes stays known, with its bytes, until it is too old to be valid, so that
 * a late copy is not relayed again and a reorganisation can put it back. */
#ifndef CHAIN_MEMPOOL_H
#define CHAIN_MEMPOOL_H

#include "core/chain/chain.h"
#include "core/chain/tx_book.h"

struct mempool;

/* Protocol 0.1 bounds a transaction only by its frame and lets anyone choose a sender, so that the
 * number alone would admit max x 10 MiB. */
#define MEMPOOL_BYTES_MAX (UINT64_C(64) << 20)

struct mempool_limits {
    uint32_t max;        /* pooled transactions; ones that blocks took: the same number again, of
                            which the first taken go first */
    uint32_t per_sender; /* pooled */
    uint32_t slots;      /* link slots for mempool_seen_from, 0..20000 */
    uint64_t bytes_max;  /* of pooled encodings, and of taken ones again; 0: MEMPOOL_BYTES_MAX */
};

/* `book` is that of all pools of the process, and outlives them. */
struct mempool *mempool_new(const struct mempool_limits *limits, uint64_t seed,
                            struct tx_book *book);
void mempool_free(struct mempool *pool);

/* What is pooled: transactions in all and of one sender, bytes of encodings. */
struct mempool_use {
    uint32_t count, of_sender;
    uint64_t bytes;
};

/* Is there room for `len` bytes more of that sender? */
bool mempool_room(const struct mempool_limits *limits, const struct mempool_use *use, uint32_t len);

enum mempool_result { MEMPOOL_ADDED, MEMPOOL_KNOWN, MEMPOOL_FULL };

/* tx has passed rule_check_tx. raw is its window (reference taken, or copied where less than half
 * of its buffer). */
enum mempool_result mempool_add(struct mempool *pool, const struct tx_view *tx,
                                struct vn_slice raw);

/* Asks for the memory that the next lookups will probably touch, in steps 0, 1, 2: each looks at
 * what the one before asked for. */
void mempool_prefetch(const struct mempool *pool, uint32_t step);

/* Is it pooled, or taken by a block of the best chain? */
bool mempool_knows(struct mempool *pool, const uint8_t id[32]);

/* 0 unknown, 1 pooled, 2 taken by a block of the best chain. */
uint32_t mempool_has(const struct mempool *pool, const uint8_t id[32]);

/* Notes that the link in `slot` sent us this transaction; true if it had sent it before. The entry
 * must be known (else false). Slots of unknown or own origin: pass MEMPOOL_NO_SLOT, never seen. */
#define MEMPOOL_NO_SLOT UINT32_MAX
bool mempool_seen_from(struct mempool *pool, const uint8_t id[32], uint32_t slot);

/* Notes that the link in `slot` was the first to bring a pooled transaction. */
void mempool_brought_by(struct mempool *pool, const uint8_t id[32], uint32_t slot);

/* Bytes (entries and encodings) of the pooled transactions that this slot's owner brought. */
uint64_t mempool_brought_bytes(const struct mempool *pool, uint32_t slot);

/* A slot has a new owner: forget what the old one sent. Entries learn of it when they are next
 * looked at, so that a handshake costs the same whatever the pool holds. */
void mempool_reset_slot(struct mempool *pool, uint32_t slot);

/* The wire encoding (borrowed), or an empty slice when the id is unknown or known without bytes. */
struct vn_slice mempool_raw(const struct mempool *pool, const uint8_t id[32]);

/* The best chain gained or lost a block; ids as in its view. A taken transaction with bytes goes
 * back to the pool on disconnect (even when full: it was there first), to the front in the block's
 * order; unknown ids of a connected block are remembered without bytes. A transaction that several
 * blocks hold is taken until the last of them goes. */
void mempool_connect(struct mempool *pool, const uint8_t *ids, uint64_t count, uint64_t block_time);
void mempool_disconnect(struct mempool *pool, const uint8_t *ids, uint64_t count);

/* Up to max ids of pooled transactions in order of arrival, 32 bytes each, to out; returns how
 * many. */
uint32_t mempool_select(const struct mempool *pool, uint8_t *out, uint32_t max);

/* Drops what is older than TX_AGE_MAX_S at now_s (by the transactions' own timestamps; for ids
 * without bytes, by the block's). */
void mempool_expire(struct mempool *pool, uint64_t now_s);

/* The index-th pooled transaction in order of arrival: its id, the bytes of its encoding, its
 * timestamp. False past the end. */
bool mempool_at(const struct mempool *pool, uint32_t index, uint8_t id[32], uint32_t *bytes,
                uint64_t *timestamp);

uint32_t mempool_count(const struct mempool *pool); /* pooled */
bool mempool_empty(const struct mempool *pool);     /* nothing pooled, nothing remembered */

/* Allocated bytes without the encodings, whose buffers may be shared. */
size_t mempool_bytes(const struct mempool *pool);

/* See core/base/audit.h. */
void mempool_audit(const struct mempool *pool, struct audit *audit);

#endif
