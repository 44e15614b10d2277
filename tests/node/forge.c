/* See forge.h. */
#include "tests/node/forge.h"

#include "core/base/mem.h"
#include "core/chain/mine.h"
#include "core/crypto/sha256.h"
#include "core/wire/frame.h"

#include <assert.h>

static const struct chain_params params = {FORGE_GENESIS_S, FORGE_D0};

struct vn_buf *forge_genesis(void)
{
    return rule_genesis(&params);
}

struct block_view forge_view(const struct vn_buf *block)
{
    struct reader r = reader_over(block->data, block->len);
    struct block_view view;
    wire_read_block(&r, &view);
    assert(r.ok && reader_left(&r) == 0);
    return view;
}

static struct vn_buf *child(const struct vn_buf *parent, uint64_t tag, const uint8_t *ids,
                            uint32_t count, uint64_t timestamp_s)
{
    struct block_view view = forge_view(parent);
    struct parent_view above = {view.height, view.timestamp, view.poh_seq, view.total_difficulty,
                                view.hash};
    uint8_t state_root[32] = {0};
    put_le64(state_root, tag);
    struct mine_work work = {.ids = ids,
                             .tx_count = count,
                             .state_root = state_root,
                             .timestamp_s = timestamp_s ? timestamp_s : view.timestamp + 1,
                             .tries = UINT64_MAX};
    struct vn_buf *block = mine_child(&params, &above, &work);
    assert(block);
    return block;
}

struct vn_buf *forge_child(const struct vn_buf *parent, uint64_t tag)
{
    return child(parent, tag, NULL, 0, 0);
}

struct vn_buf *forge_child_ids(const struct vn_buf *parent, uint64_t tag, const uint8_t *ids,
                               uint32_t count)
{
    return child(parent, tag, ids, count, 0);
}

struct vn_buf *forge_child_at(const struct vn_buf *parent, uint64_t tag, uint64_t timestamp_s)
{
    return child(parent, tag, NULL, 0, timestamp_s);
}

struct vn_buf *forge_block(struct block_view view, bool solve)
{
    uint8_t hash[32], target[32];
    rule_target(target, FORGE_D0);
    for (; solve; view.nonce++) {
        view.hash = hash;
        rule_block_hash(hash, &view);
        if (memcmp(hash, target, 32) <= 0)
            break;
    }
    struct msg msg = {.kind = MSG_NEW_BLOCK, .u.block = view};
    struct vn_buf *frame = msg_frame(&msg);
    struct vn_buf *block = vn_buf_new(frame->len - FRAME_HEADER - 4);
    memcpy(block->data, frame->data + FRAME_HEADER + 4, block->len);
    vn_buf_unref(frame);
    return block;
}

void forge_extend(struct vn_buf **out, uint32_t n, uint64_t tag)
{
    for (uint32_t i = 1; i <= n; i++)
        out[i] = forge_child(out[i - 1], tag);
}

void forge_line(struct vn_buf **out, uint32_t n, uint64_t tag)
{
    out[0] = forge_genesis();
    forge_extend(out, n, tag);
}

void forge_drop(struct vn_buf **blocks, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        vn_buf_unref(blocks[i]);
}

struct vn_buf *forge_tx(struct forge_tx spec)
{
    uint8_t id[32] = {0}, sender[32] = {0}, recipient[32] = {1};
    put_le64(sender, spec.sender + 1);
    uint8_t *data = mem_new(spec.data_len + 1, 1);
    struct msg msg = {.kind = MSG_NEW_TRANSACTION};
    msg.u.tx = (struct tx_view){.tx_id = id,
                                .sender = sender,
                                .recipient = recipient,
                                .value = spec.value,
                                .gas_price = spec.gas_price,
                                .gas_limit = spec.gas_limit,
                                .gas_used = spec.gas_used,
                                .nonce = spec.nonce,
                                .timestamp = spec.timestamp ? spec.timestamp : FORGE_NOW_S,
                                .block_height = spec.block_height,
                                .has_data = spec.data_len > 0,
                                .data = {data, spec.data_len},
                                .status = spec.status};
    rule_tx_id(id, &msg.u.tx);
    id[0] ^= spec.bad_id;
    struct vn_buf *frame = msg_frame(&msg);
    struct vn_buf *tx = vn_buf_new(frame->len - FRAME_HEADER - 4);
    memcpy(tx->data, frame->data + FRAME_HEADER + 4, tx->len);
    vn_buf_unref(frame);
    mem_free(data);
    return tx;
}

struct tx_view forge_tx_view(const struct vn_buf *tx)
{
    struct reader r = reader_over(tx->data, tx->len);
    struct tx_view view;
    wire_read_tx(&r, &view);
    assert(r.ok);
    return view;
}

/* head bytes of message before the body. */
static struct vn_buf *wrap(const uint8_t *head, uint32_t head_len, const struct vn_buf *body)
{
    uint32_t len = body ? body->len : 0;
    struct vn_buf *frame = vn_buf_new(FRAME_HEADER + head_len + len);
    put_be32(frame->data, head_len + len);
    memcpy(frame->data + FRAME_HEADER, head, head_len);
    if (body)
        memcpy(frame->data + FRAME_HEADER + head_len, body->data, len);
    return frame;
}

struct vn_buf *forge_new_block(const struct vn_buf *block)
{
    const uint8_t head[4] = {MSG_NEW_BLOCK};
    return wrap(head, 4, block);
}

struct vn_buf *forge_response(const struct vn_buf *block)
{
    const uint8_t head[5] = {MSG_RESPONSE_BLOCK, 0, 0, 0, block != NULL};
    return wrap(head, 5, block);
}

struct vn_buf *forge_new_tx(const struct vn_buf *tx)
{
    const uint8_t head[4] = {MSG_NEW_TRANSACTION};
    return wrap(head, 4, tx);
}

struct vn_buf *forge_range(struct vn_buf *const *blocks, uint32_t count)
{
    uint32_t len = 12;
    for (uint32_t i = 0; i < count; i++)
        len += blocks[i]->len;
    struct vn_buf *frame = vn_buf_new(FRAME_HEADER + len);
    put_be32(frame->data, len);
    put_le32(frame->data + 4, MSG_RESPONSE_BLOCK_RANGE);
    put_le64(frame->data + 8, count);
    uint8_t *at = frame->data + 16;
    for (uint32_t i = 0; i < count; i++) {
        memcpy(at, blocks[i]->data, blocks[i]->len);
        at += blocks[i]->len;
    }
    return frame;
}
