/* The rules of a block, B0..B10 (PROTOCOL-0.1 section 7).
 *
 * What depends on the block's own bytes alone (the list of ids, its root, the hash) is told apart
 * from what compares it with its parent, so that the costly part can be cached with the bytes. */
#include "core/base/mem.h"
#include "core/chain/rules.h"
#include "core/chain/text.h"
#include "core/crypto/sha256.h"

#include <assert.h>

/* Levels above the ids: 2^14 is the first power of two that holds BLOCK_TXS_MAX. */
#define ROOT_LEVELS 15u

/* Nodes come from the left; waiting[level] is a left node without its right one, present where the
 * bit `level` of the number of ids so far is set (after ComputeMerkleRoot of Bitcoin Core's
 * consensus/merkle.cpp). */
static void root_add(uint8_t waiting[ROOT_LEVELS][HASH_SIZE], uint64_t before, const uint8_t *id)
{
    uint8_t node[HASH_SIZE];
    memcpy(node, id, HASH_SIZE);
    uint32_t level = 0;
    for (; before >> level & 1; level++)
        sha256_pair(node, waiting[level], node);
    memcpy(waiting[level], node, HASH_SIZE);
}

/* Folds what waits from the lowest level up. The last node of an odd level is paired with itself.
 */
static void root_finish(uint8_t out[32], uint8_t waiting[ROOT_LEVELS][HASH_SIZE], uint64_t count)
{
    uint32_t level = 0;
    while (!(count >> level & 1))
        level++;
    memcpy(out, waiting[level], HASH_SIZE);
    uint64_t whole = count >> level; /* nodes of this level, `out` as the last one included */
    while (whole > 1) {
        if (whole & 1)
            sha256_pair(out, out, out);
        else
            sha256_pair(out, waiting[level], out);
        whole = (whole + 1) / 2;
        level++;
    }
}

void rule_tx_root(uint8_t out[32], const uint8_t *ids, uint64_t count)
{
    static const char empty[] = "empty_tx_root";
    assert(count < 1u << ROOT_LEVELS);
    if (count == 0) {
        sha256(out, empty, sizeof empty - 1);
        return;
    }
    uint8_t waiting[ROOT_LEVELS][HASH_SIZE];
    for (uint64_t i = 0; i < count; i++)
        root_add(waiting, i, ids + i * HASH_SIZE);
    root_finish(out, waiting, count);
}

/* Merges neighbouring sorted runs of `width` places; false as soon as two ids are equal. Equal ids
 * of two runs meet as heads of both when these runs are merged, if not before. */
static bool merge_runs(const uint8_t *ids, const uint16_t *from, uint16_t *to, uint32_t count,
                       uint32_t width)
{
    for (uint32_t start = 0; start < count; start += 2 * width) {
        uint32_t middle = start + width < count ? start + width : count;
        uint32_t end = middle + width < count ? middle + width : count;
        uint32_t left = start, right = middle;
        for (uint32_t i = start; i < end; i++) {
            int order = left == middle ? 1 : -1;
            if (left < middle && right < end)
                order =
                    memcmp(ids + HASH_SIZE * from[left], ids + HASH_SIZE * from[right], HASH_SIZE);
            if (order == 0)
                return false;
            to[i] = order < 0 ? from[left++] : from[right++];
        }
    }
    return true;
}

/* By merge sort, whose worst case is that of any input: whoever chooses the ids cannot make it
 * quadratic, as he could with a table or a quicksort. */
static bool ids_differ(const uint8_t *ids, uint32_t count)
{
    _Static_assert(BLOCK_TXS_MAX <= UINT16_MAX, "places must fit");
    if (count < 2)
        return true;
    uint16_t *places = mem_new(2 * (size_t)count, sizeof *places);
    uint16_t *from = places, *to = places + count;
    for (uint32_t i = 0; i < count; i++)
        from[i] = (uint16_t)i;
    bool differ = true;
    for (uint32_t width = 1; width < count && differ; width *= 2) {
        differ = merge_runs(ids, from, to, count, width);
        uint16_t *sorted = to;
        to = from;
        from = sorted;
    }
    mem_free(places);
    return differ;
}

void rule_block_hash(uint8_t out[32], const struct block_view *block)
{
    uint8_t text[TEXT_PREFIX_MAX + TEXT_DECIMAL_MAX];
    uint32_t len = text_prefix(text, block);
    len += text_decimal(text + len, block->nonce);
    sha256(out, text, len);
}

void rule_poh_hash(uint8_t out[32], const uint8_t prev_hash[32])
{
    uint8_t text[HASH_SIZE + 8];
    memcpy(text, prev_hash, HASH_SIZE);
    put_be64(text + HASH_SIZE, 1);
    sha256(out, text, sizeof text);
}

enum rule rule_check_body(const struct block_view *block)
{
    uint8_t hash[HASH_SIZE];
    if (block->tx_count > BLOCK_TXS_MAX)
        return RULE_B4_TX_COUNT;
    if (!ids_differ(block->tx_ids, (uint32_t)block->tx_count))
        return RULE_B4_TX_DUPLICATE;
    rule_tx_root(hash, block->tx_ids, block->tx_count);
    if (!hash_eq(hash, block->tx_root))
        return RULE_B5_TX_ROOT;
    rule_block_hash(hash, block);
    return hash_eq(hash, block->hash) ? RULE_OK : RULE_B8_HASH;
}

/* value = before + 1, without wrapping. */
static bool follows(uint64_t value, uint64_t before)
{
    return value != 0 && value - 1 == before;
}

/* B1, B2 and B3. */
static enum rule check_link(const struct block_view *block, const struct parent_view *parent,
                            uint64_t now_s)
{
    if (!follows(block->height, parent->height))
        return RULE_B1_HEIGHT;
    if (!hash_eq(block->prev_hash, parent->hash))
        return RULE_B2_PREV_HASH;
    if (block->timestamp < parent->timestamp)
        return RULE_B3_TIMESTAMP_BACKWARDS;
    if (block->timestamp > add_sat(now_s, CLOCK_AHEAD_MAX_S))
        return RULE_B3_TIMESTAMP_AHEAD;
    return RULE_OK;
}

/* B9 and B10. */
static enum rule check_proofs(const struct block_view *block, const struct parent_view *parent,
                              const struct chain_params *params)
{
    uint8_t target[HASH_SIZE];
    uint8_t poh[HASH_SIZE];
    rule_target(target, params->difficulty);
    if (memcmp(block->hash, target, HASH_SIZE) > 0)
        return RULE_B9_WORK;
    if (!follows(block->poh_seq, parent->poh_seq))
        return RULE_B10_POH_SEQ;
    rule_poh_hash(poh, parent->hash);
    return hash_eq(poh, block->poh_hash) ? RULE_OK : RULE_B10_POH_HASH;
}

enum rule rule_check_block(const struct block_view *block, const struct parent_view *parent,
                           const struct chain_params *params, uint64_t now_s, int body)
{
    enum rule rule = check_link(block, parent, now_s);
    if (rule != RULE_OK)
        return rule;
    enum rule own = body < 0 ? rule_check_body(block) : (enum rule)body;
    if (own != RULE_OK && own != RULE_B8_HASH)
        return own;
    if (block->difficulty != params->difficulty)
        return RULE_B6_DIFFICULTY;
    u128 total = parent->total_difficulty + block->difficulty;
    if (total < block->difficulty || block->total_difficulty != total)
        return RULE_B7_TOTAL_DIFFICULTY;
    if (own != RULE_OK)
        return own;
    return check_proofs(block, parent, params);
}

struct parent_view rule_implied_parent(const struct block_view *block,
                                       const struct chain_params *params)
{
    assert(block->height >= 1);
    return (struct parent_view){
        .height = block->height - 1,
        .timestamp = params->genesis_timestamp,
        .poh_seq = block->height - 1,
        .total_difficulty = (u128)params->difficulty * block->height,
        .hash = block->prev_hash,
    };
}

struct vn_buf *rule_genesis(const struct chain_params *params)
{
    static const uint8_t zero[HASH_SIZE];
    uint8_t hash[HASH_SIZE];
    struct block_view block = {
        .timestamp = params->genesis_timestamp,
        .difficulty = params->difficulty,
        .total_difficulty = params->difficulty,
        .hash = hash,
        .prev_hash = zero,
        .state_root = zero,
        .tx_root = zero,
        .poh_hash = zero,
    };
    rule_block_hash(hash, &block);
    struct vn_buf *buf = vn_buf_new(BLOCK_SIZE_MIN);
    struct writer writer = {.data = buf->data, .cap = buf->len};
    wire_write_block(&writer, &block);
    assert(writer.len == BLOCK_SIZE_MIN);
    return buf;
}
