/* Solving a block: the child of any parent. */
#ifndef CHAIN_MINE_H
#define CHAIN_MINE_H

#include "core/chain/rules.h"

struct mine_work {
    const uint8_t *ids; /* tx_count x 32 bytes, all different; may be NULL if there are none */
    uint32_t tx_count;  /* at most BLOCK_TXS_MAX */
    const uint8_t *state_root;
    uint64_t timestamp_s; /* raised to the parent's if below */
    uint64_t start_nonce; /* counts on from here, modulo 2^64 */
    uint64_t tries;
};

/* Counts block->nonce on from where it stands until B8's hash is at most `target`: that hash goes
 * to `hash`. False when none of the tries fits. What else the block says is taken as it is. */
bool mine_solve(struct block_view *block, uint8_t hash[32], const uint8_t target[32],
                uint64_t tries);

/* The parent's child in wire encoding, with one reference, valid by B1..B10 but for B3's upper
 * bound; or NULL when none of the nonces fits. */
struct vn_buf *mine_child(const struct chain_params *params, const struct parent_view *parent,
                          const struct mine_work *work);

#endif
