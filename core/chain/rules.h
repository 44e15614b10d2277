/* The rules of PROTOCOL-0.1 sections 7 and 8 as pure functions, in their order; the first failure
 * names the rule. */
#ifndef CHAIN_RULES_H
#define CHAIN_RULES_H

#include "core/wire/msg.h"

enum rule {
    RULE_OK,
    RULE_B0_GENESIS,
    RULE_B1_HEIGHT,
    RULE_B2_PREV_HASH,
    RULE_B3_TIMESTAMP_BACKWARDS,
    RULE_B3_TIMESTAMP_AHEAD, /* dropped without penalty */
    RULE_B4_TX_COUNT,
    RULE_B4_TX_DUPLICATE,
    RULE_B5_TX_ROOT,
    RULE_B6_DIFFICULTY,
    RULE_B7_TOTAL_DIFFICULTY,
    RULE_B8_HASH,
    RULE_B9_WORK,
    RULE_B10_POH_SEQ,
    RULE_B10_POH_HASH,
    RULE_T1_ID,
    RULE_T2_NOT_PENDING,
    RULE_T3_OVERFLOW,
    RULE_T4_TOO_OLD,
    RULE_T4_AHEAD, /* dropped without penalty */
    RULES
};

#define BLOCK_TXS_MAX     10000u
#define CLOCK_AHEAD_MAX_S 7200u
#define TX_AGE_MAX_S      3600u

/* "ok", "B1-height", "B3-timestamp-ahead", "T2-not-pending" ..., as the golden vectors spell them.
 */
const char *rule_name(enum rule rule);

struct chain_params {
    uint64_t genesis_timestamp;
    uint64_t difficulty; /* d0 >= 1 */
};

/* What a child's rules read of its parent. */
struct parent_view {
    uint64_t height, timestamp, poh_seq;
    u128 total_difficulty;
    const uint8_t *hash;
};

/* T(d) = floor((2^256 - 1) / d), big-endian; d >= 1. */
void rule_target(uint8_t out[32], uint64_t difficulty);

/* R(ids) of `count` ids of 32 bytes, count <= BLOCK_TXS_MAX. Allocates nothing above 32 x 15 bytes
 * of stack. */
void rule_tx_root(uint8_t out[32], const uint8_t *ids, uint64_t count);

/* B8's text hash. */
void rule_block_hash(uint8_t out[32], const struct block_view *block);

/* H(prev_hash || be64 1). */
void rule_poh_hash(uint8_t out[32], const uint8_t prev_hash[32]);

/* T1's formula. */
void rule_tx_id(uint8_t out[32], const struct tx_view *tx);

/* The parent that a block without one implies: what of a valid parent follows from the block's
 * height alone by induction from the genesis (poh_seq counts heights, total_difficulty is d0 times
 * their number). height >= 1. A block that fails against it fails whatever its parent will be; only
 * B1, B2 and B3 remain open. hash is the block's prev_hash. */
struct parent_view rule_implied_parent(const struct block_view *block,
                                       const struct chain_params *params);

/* The part of B4, B5 and B8 that depends on the block's own bytes alone, so that its verdict can be
 * cached with the bytes: RULE_OK, or the first of B4, B5, B8 that fails. */
enum rule rule_check_body(const struct block_view *block);

/* B1..B10 in order. body is rule_check_body's verdict, or -1 to have it computed when needed.
 * now_s: s since 1970. */
enum rule rule_check_block(const struct block_view *block, const struct parent_view *parent,
                           const struct chain_params *params, uint64_t now_s, int body);

/* T1..T4 in order. id_ok: 1 if T1 is known to hold of these bytes, else 0. */
enum rule rule_check_tx(const struct tx_view *tx, uint64_t now_s, int id_ok);

/* The genesis block's encoding (224 bytes) by B0. */
struct vn_buf *rule_genesis(const struct chain_params *params);

#endif
