/* The miner: of B8's text only the nonce changes, so the hash over all before it is computed once
 * and copied for each try. */
#include "core/chain/mine.h"

#include "core/chain/text.h"
#include "core/crypto/sha256.h"

#include <assert.h>

bool mine_solve(struct block_view *block, uint8_t hash[32], const uint8_t target[32],
                uint64_t tries)
{
    uint8_t prefix[TEXT_PREFIX_MAX];
    struct sha256 before;
    sha256_init(&before);
    sha256_update(&before, prefix, text_prefix(prefix, block));
    for (uint64_t i = 0; i < tries; i++, block->nonce++) {
        uint8_t digits[TEXT_DECIMAL_MAX];
        struct sha256 whole = before;
        sha256_update(&whole, digits, text_decimal(digits, block->nonce));
        sha256_final(&whole, hash);
        if (memcmp(hash, target, HASH_SIZE) <= 0)
            return true;
    }
    return false;
}

struct vn_buf *mine_child(const struct chain_params *params, const struct parent_view *parent,
                          const struct mine_work *work)
{
    assert(work->tx_count <= BLOCK_TXS_MAX);
    uint8_t hash[HASH_SIZE], tx_root[HASH_SIZE], poh_hash[HASH_SIZE], target[HASH_SIZE];
    rule_tx_root(tx_root, work->ids, work->tx_count);
    rule_poh_hash(poh_hash, parent->hash);
    rule_target(target, params->difficulty);
    struct block_view block = {
        .height = parent->height + 1,
        .timestamp = work->timestamp_s < parent->timestamp ? parent->timestamp : work->timestamp_s,
        .poh_seq = parent->poh_seq + 1,
        .difficulty = params->difficulty,
        .nonce = work->start_nonce,
        .tx_count = work->tx_count,
        .total_difficulty = parent->total_difficulty + params->difficulty,
        .hash = hash,
        .prev_hash = parent->hash,
        .tx_ids = work->ids,
        .state_root = work->state_root,
        .tx_root = tx_root,
        .poh_hash = poh_hash,
    };
    if (!mine_solve(&block, hash, target, work->tries))
        return NULL;
    struct vn_buf *buf = vn_buf_new(BLOCK_SIZE_MIN + HASH_SIZE * work->tx_count);
    struct writer writer = {.data = buf->data, .cap = buf->len};
    wire_write_block(&writer, &block);
    assert(writer.len == buf->len);
    return buf;
}
