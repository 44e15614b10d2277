/* What a peer may say, well made and spoilt: a tree of valid blocks, transactions, and frames
 * around them. Difficulty 1, so that any nonce solves a block. */
#ifndef FUZZ_FORGE_H
#define FUZZ_FORGE_H

#include "core/chain/rules.h"
#include "tests/fuzz/input.h"

#define FORGE_BLOCKS 64u
#define FORGE_WALL_S UINT64_C(1750000000) /* what the node's clock shows at first */

struct forge {
    struct chain_params params;
    struct vn_buf *blocks[FORGE_BLOCKS]; /* 0 is the genesis; one reference each */
    uint32_t parents[FORGE_BLOCKS];
    uint32_t count;
};

void forge_init(struct forge *forge);
/* Nothing else may hold a block any more. */
void forge_deinit(struct forge *forge);

/* Adds `n` descendants of block `parent`, as far as there is room. */
void forge_grow(struct forge *forge, struct input *in, uint32_t parent, uint32_t n);

/* A message of the kind that the input chooses, as a frame with one reference; spoilt when the
 * input says so. */
struct vn_buf *forge_message(struct forge *forge, struct input *in);

/* The honest answer of a peer whose tip is block `tip`: its block at `start`, or its blocks of
 * start..end. */
struct vn_buf *forge_answer(const struct forge *forge, uint32_t tip, bool range, uint64_t start,
                            uint64_t end);

/* A Handshake of node `who` (0..15) as a frame. */
struct vn_buf *forge_handshake(struct input *in, uint32_t who);

/* A transaction in wire encoding, without the message kind. */
struct vn_buf *forge_tx(struct input *in);

#endif
