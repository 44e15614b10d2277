/* The block records that the chains of one process share, found by content.
 *
 * A record is made only for a block whose own bytes hold (B4, B5 and B8; see rule_check_body), and
 * it lives as long as some chain holds it, so that invalid blocks leave nothing behind. Nothing is
 * concluded from a hash alone: a record answers only for the very bytes that it was made of, since
 * several encodings may share one hash (PROTOCOL-0.1 section 9, issue 10) and anyone may write any
 * hash into a block.
 *
 * Which rules hold of a block once its parent holds is a pure function of its bytes and the
 * genesis, but for the clock: hash, height, timestamp and root are bound by B8, poh_seq, poh_hash
 * and total_difficulty follow from the height by B7 and B10. So the realm (the genesis) in which a
 * record was found valid is noted in it, and the next chain of that realm need not check again. */
#ifndef CHAIN_CACHE_H
#define CHAIN_CACHE_H

#include "core/chain/chain.h"

/* The record of a block with exactly these bytes, borrowed; or NULL. */
struct block_record *cache_find(struct chain_cache *cache, const struct block_view *block);

/* The same, made if there is none, with one reference and one use of its body for the caller.
 * rule_check_body must hold of the block (or it is a genesis); body is the window of its bytes. */
struct block_record *cache_take(struct chain_cache *cache, const struct block_view *block,
                                struct vn_slice body);

void cache_unref(struct chain_cache *cache, struct block_record *record);

/* The end of a use of the body. With the last one the body goes; of its bytes a digest stays, by
 * which cache_find still knows them. */
void cache_drop_body(struct block_record *record);

/* Ends both a use of the body and a reference, without a digest that nobody would read. */
void cache_give_back(struct chain_cache *cache, struct block_record *record);

/* The number of the genesis with which every rule but B3's upper bound holds of the record, 0 while
 * that is unknown. Numbers are never used twice in one cache. */
uint64_t cache_realm(const struct block_record *record);
void cache_set_realm(struct block_record *record, uint64_t realm);
uint64_t cache_new_realm(struct chain_cache *cache);

/* Records alive. */
uint32_t cache_count(const struct chain_cache *cache);

#endif
