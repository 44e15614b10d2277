/* The block index, fork choice and bounded orphans of one node. Knows no peers and does no I/O.
 *
 * Data enters by chain_add: one block in wire encoding. It is checked against its parent by rules.h
 * and, if it holds, becomes a record in the index; the best chain is the one with the greatest
 * total difficulty, the earlier seen on a tie. A block whose parent is unknown waits among the
 * orphans; after each accepted block the caller takes the orphans that wait for it and adds them in
 * turn.
 *
 * Records are immutable, content-addressed and shared by the nodes of one struct chain_cache: a
 * block that another node has validated is neither parsed nor hashed nor stored again. The
 * cache changes no verdict. Bodies (the wire encoding) are kept while the block is within
 * `cached_blocks` of the tip's height; beyond that chain_body gives nothing and the caller LOADs.
 */
#ifndef CHAIN_CHAIN_H
#define CHAIN_CHAIN_H

#include "core/base/map.h"
#include "core/chain/rules.h"

/* One valid block, shared. Everything but the body is always readable; whether the body is depends
 * on what other nodes of the cache keep: ask chain_body, which knows what this node keeps. */
struct block_record {
    uint32_t refs;
    uint32_t body_users;
    uint64_t height, timestamp, poh_seq;
    u128 total_difficulty;
    uint8_t hash[32];
    uint8_t prev_hash[32];
    struct vn_slice body; /* buf NULL once dropped */
};

struct chain_cache;
struct chain_cache *chain_cache_new(void);
void chain_cache_free(struct chain_cache *cache);

struct chain;

struct chain_limits {
    uint32_t cached_blocks;
    uint32_t orphans_max;
    uint64_t orphan_bytes_max;
};

/* seed salts the hash maps. The cache outlives the chain. */
struct chain *chain_new(const struct chain_params *params, const struct chain_limits *limits,
                        uint64_t seed, struct chain_cache *cache);
void chain_free(struct chain *chain);

enum chain_result {
    CHAIN_ACCEPTED, /* valid and new; in the index */
    CHAIN_KNOWN,    /* in the index or an orphan already, in these bytes or, as valid, in others */
    CHAIN_ORPHAN,   /* parent unknown; kept among the orphans, or dropped when its bounds say so */
    CHAIN_AHEAD,    /* B3's upper bound; dropped */
    CHAIN_INVALID   /* rule tells which */
};

struct chain_added {
    enum chain_result result;
    enum rule rule; /* of CHAIN_INVALID and CHAIN_AHEAD */
    struct block_record
        *block; /* the record of ACCEPTED and of KNOWN in the index; else NULL. Borrowed */
    bool tip_changed;
    uint64_t fork_height; /* if tip_changed: the highest height that old and new best chain share */
    uint32_t disconnected_count;        /* blocks of the old best chain above fork_height ... */
    struct block_record **disconnected; /* ... newest first; valid until the next chain_add */
};

/* body is the window of block->raw in its buffer; a reference is taken (or the bytes copied where
 * the window is less than half of its buffer) only if the block is kept. source: an opaque number
 * that the orphan remembers (the link). */
void chain_add(struct chain *chain, const struct block_view *block, struct vn_slice body,
               uint64_t now_s, uint64_t source, struct chain_added *out);

/* Takes out one orphan whose parent is `hash`, in the order of their arrival; false when none
 * waits. The caller owns one reference of *body, gets the source back, and calls chain_add if it
 * still wants the block, then chain_orphan_done: till then its record is kept, so that adding it
 * need not judge all of it again. */
bool chain_take_orphan(struct chain *chain, const uint8_t hash[32], struct vn_slice *body,
                       uint64_t *source);
void chain_orphan_done(struct chain *chain);
uint32_t chain_orphan_count(const struct chain *chain);

/* The index-th orphan by arrival, borrowed, and where it came from; NULL past the end. */
const struct block_record *chain_orphan_at(const struct chain *chain, uint32_t index,
                                           uint64_t *source);

/* Bytes of the orphans that came from `source`: entries and encodings. */
uint64_t chain_orphan_bytes_from(const struct chain *chain, uint64_t source);

const struct block_record *chain_tip(const struct chain *chain);
const struct block_record *chain_genesis(const struct chain *chain);
uint64_t chain_height(const struct chain *chain);

/* The best chain's block at a height, or NULL above the tip. */
struct block_record *chain_at(const struct chain *chain, uint64_t height);

/* Any valid block of the index by hash, or NULL. */
struct block_record *chain_find(const struct chain *chain, const uint8_t hash[32]);
bool chain_is_orphan(const struct chain *chain, const uint8_t hash[32]);
bool chain_on_best(const struct chain *chain, const struct block_record *block);

/* The wire encoding of a block (borrowed), or an empty slice when it is no longer in memory. */
struct vn_slice chain_body(const struct chain *chain, const struct block_record *block);

/* Are these the very bytes that `block` was made of, whether its body is in memory or not? A
 * block's hash binds only some of its fields. */
bool chain_is_body(const struct chain *chain, const struct block_record *block,
                   const struct block_view *bytes);

/* Builds and solves the next block on the tip: ids are tx_count x 32 bytes, state_root 32 bytes.
 * Tries nonces from start_nonce, at most `tries`; returns the body with one reference, or NULL when
 * no nonce fit: continue at start_nonce + tries. timestamp_s is raised to the parent's if below. */
struct vn_buf *chain_mine(const struct chain *chain, const uint8_t *ids, uint32_t tx_count,
                          const uint8_t state_root[32], uint64_t timestamp_s, uint64_t start_nonce,
                          uint64_t tries);

/* Allocated bytes of this node's own (index, best chain, orphans' entries), without the records and
 * bodies, which are shared. */
size_t chain_bytes(const struct chain *chain);

/* See core/base/audit.h. */
void chain_audit(const struct chain *chain, struct audit *audit);

#endif
