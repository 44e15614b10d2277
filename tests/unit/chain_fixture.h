/* Blocks and transactions for tests of core/chain: valid by default, mined at a small difficulty. A
 * test sets only what matters to it. */
#ifndef CHAIN_FIXTURE_H
#define CHAIN_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/rng.h"
#include "core/chain/mine.h"
#include "core/chain/rules.h"
#include "core/crypto/sha256.h"

#define FIXTURE_TIME UINT64_C(1700000000)

static inline struct rng fixture_rng(const char *name)
{
    static const uint8_t seed[32];
    struct rng rng;
    rng_fork(&rng, seed, name, 0);
    return rng;
}

/* 32 bytes that differ for each tag. */
static inline void fixture_hash(uint8_t out[32], const char *kind, uint64_t tag)
{
    static const uint8_t seed[32];
    rng_fork_seed(out, seed, kind, tag);
}

static inline struct vn_slice fixture_whole(struct vn_buf *buf)
{
    return (struct vn_slice){.buf = buf, .off = 0, .len = buf->len};
}

/* The block in a slice; it must decode. */
static inline struct block_view fixture_view(struct vn_slice body)
{
    struct reader reader = reader_over(vn_slice_data(body), body.len);
    struct block_view view;
    wire_read_block(&reader, &view);
    assert_true(reader.ok);
    assert_int_equal(view.raw.len, body.len);
    return view;
}

static inline struct parent_view fixture_parent(const struct block_view *block)
{
    return (struct parent_view){
        .height = block->height,
        .timestamp = block->timestamp,
        .poh_seq = block->poh_seq,
        .total_difficulty = block->total_difficulty,
        .hash = block->hash,
    };
}

/* A valid child of `parent` with these ids, one second later; tag tells siblings apart. */
static inline struct vn_buf *fixture_child_ids(const struct chain_params *params,
                                               struct vn_buf *parent, uint64_t tag,
                                               const uint8_t *ids, uint32_t count)
{
    struct block_view view = fixture_view(fixture_whole(parent));
    struct parent_view parent_view = fixture_parent(&view);
    uint8_t state_root[32];
    fixture_hash(state_root, "state", tag);
    struct mine_work work = {
        .ids = ids,
        .tx_count = count,
        .state_root = state_root,
        .timestamp_s = view.timestamp + 1,
        .tries = UINT64_MAX,
    };
    struct vn_buf *child = mine_child(params, &parent_view, &work);
    assert_non_null(child);
    return child;
}

/* The same without transactions. */
static inline struct vn_buf *fixture_child(const struct chain_params *params, struct vn_buf *parent,
                                           uint64_t tag)
{
    return fixture_child_ids(params, parent, tag, NULL, 0);
}

/* A block whose every field can be changed: edit the view's numbers or the hashes it points to,
 * then write it out. */
struct draft {
    struct block_view view;
    uint8_t hash[32], prev_hash[32], state_root[32], tx_root[32], poh_hash[32];
};

static inline void draft_from(struct draft *draft, struct vn_buf *block)
{
    draft->view = fixture_view(fixture_whole(block));
    memcpy(draft->hash, draft->view.hash, 32);
    memcpy(draft->prev_hash, draft->view.prev_hash, 32);
    memcpy(draft->state_root, draft->view.state_root, 32);
    memcpy(draft->tx_root, draft->view.tx_root, 32);
    memcpy(draft->poh_hash, draft->view.poh_hash, 32);
    draft->view.hash = draft->hash;
    draft->view.prev_hash = draft->prev_hash;
    draft->view.state_root = draft->state_root;
    draft->view.tx_root = draft->tx_root;
    draft->view.poh_hash = draft->poh_hash;
}

/* Solves the draft anew (B8, B9); with `work` false for a hash that is right but has no work. */
static inline void draft_solve(struct draft *draft, uint64_t difficulty, bool work)
{
    uint8_t target[32];
    rule_target(target, difficulty);
    for (;; draft->view.nonce++) {
        rule_block_hash(draft->hash, &draft->view);
        if ((memcmp(draft->hash, target, 32) <= 0) == work)
            return;
    }
}

static inline struct vn_buf *draft_write(const struct draft *draft)
{
    struct vn_buf *buf = vn_buf_new(BLOCK_SIZE_MIN + 32 * (uint32_t)draft->view.tx_count);
    struct writer writer = {.data = buf->data, .cap = buf->len};
    wire_write_block(&writer, &draft->view);
    assert_int_equal(writer.len, buf->len);
    return buf;
}

/* A valid transaction of a sender; nonce tells them apart. One reference. */
static inline struct vn_buf *fixture_tx(uint64_t sender, uint64_t nonce, uint64_t timestamp,
                                        uint32_t data_len)
{
    uint8_t id[32], from[32], to[32];
    uint8_t *data = test_calloc(data_len + 1, 1);
    fixture_hash(from, "sender", sender);
    fixture_hash(to, "recipient", 0);
    struct tx_view tx = {
        .tx_id = id,
        .sender = from,
        .recipient = to,
        .value = 5,
        .gas_price = 1,
        .gas_limit = 21000,
        .nonce = nonce,
        .timestamp = timestamp,
        .has_data = data_len > 0,
        .data = {.data = data, .len = data_len},
    };
    rule_tx_id(id, &tx);
    struct writer measure = {0};
    wire_write_tx(&measure, &tx);
    struct vn_buf *buf = vn_buf_new((uint32_t)measure.len);
    struct writer writer = {.data = buf->data, .cap = buf->len};
    wire_write_tx(&writer, &tx);
    test_free(data);
    return buf;
}

static inline struct tx_view fixture_tx_view(struct vn_slice raw)
{
    struct reader reader = reader_over(vn_slice_data(raw), raw.len);
    struct tx_view view;
    wire_read_tx(&reader, &view);
    assert_true(reader.ok);
    return view;
}

#endif
