/* Valid blocks and transactions for tests of the node, mined at a small difficulty; a test changes
 * one field to break one rule. Every buffer has one reference, the caller's. */
#ifndef NODE_FORGE_H
#define NODE_FORGE_H

#include "core/chain/rules.h"

#define FORGE_GENESIS_S UINT64_C(1700000000)
#define FORGE_NOW_S     (FORGE_GENESIS_S + 1000000) /* what the wall clock reads at the start */
#define FORGE_D0        UINT64_C(2)

static inline struct vn_slice forge_whole(struct vn_buf *buf)
{
    return (struct vn_slice){buf, 0, buf->len};
}

/* The chain's genesis, in wire encoding. */
struct vn_buf *forge_genesis(void);

/* The block in a buffer; it must decode. */
struct block_view forge_view(const struct vn_buf *block);

/* A valid child, one second after its parent; tag tells siblings apart. */
struct vn_buf *forge_child(const struct vn_buf *parent, uint64_t tag);
struct vn_buf *forge_child_ids(const struct vn_buf *parent, uint64_t tag, const uint8_t *ids,
                               uint32_t count);
/* ... with this timestamp. */
struct vn_buf *forge_child_at(const struct vn_buf *parent, uint64_t tag, uint64_t timestamp_s);

/* Encodes a changed view again; with `solve`, finds a nonce and hash for it first. */
struct vn_buf *forge_block(struct block_view view, bool solve);

/* out[0] is the genesis, out[1..n] a line of children. */
void forge_line(struct vn_buf **out, uint32_t n, uint64_t tag);
/* Extends a line: out[0] is given, out[1..n] become its descendants. */
void forge_extend(struct vn_buf **out, uint32_t n, uint64_t tag);
void forge_drop(struct vn_buf **blocks, uint32_t count);

/* What of a transaction is free; the rest is filled in. data of data_len bytes of zeros, none if 0.
 */
struct forge_tx {
    uint64_t sender, nonce, value, gas_price, gas_limit, gas_used, timestamp, block_height;
    uint32_t data_len, status;
    bool bad_id;
};

/* In wire encoding. A timestamp of 0 becomes FORGE_NOW_S. */
struct vn_buf *forge_tx(struct forge_tx spec);
struct tx_view forge_tx_view(const struct vn_buf *tx);

/* The NewBlock, ResponseBlock or NewTransaction frame around an encoding, in a new buffer. */
struct vn_buf *forge_new_block(const struct vn_buf *block);
struct vn_buf *forge_response(const struct vn_buf *block); /* NULL: none */
struct vn_buf *forge_new_tx(const struct vn_buf *tx);
struct vn_buf *forge_range(struct vn_buf *const *blocks, uint32_t count);

#endif
