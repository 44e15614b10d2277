/* One payload: if it decodes, encoding gives the very bytes that the message took, decoding those
 * again gives the same message, and no proper prefix of them decodes. The pure rules run over what
 * it holds.
 */
#include "core/chain/rules.h"
#include "core/wire/frame.h"
#include "core/wire/msg.h"
#include "tests/fuzz/input.h"

static const struct chain_params params = {.genesis_timestamp = 1700000000, .difficulty = 1};

static void judge_block(const struct block_view *block)
{
    const enum rule body = rule_check_body(block);
    const uint64_t now_s = block->timestamp;
    CLAIM(body < RULES, "a rule without a name");
    if (block->height == 0)
        return;
    const struct parent_view parent = rule_implied_parent(block, &params);
    const enum rule cached = rule_check_block(block, &parent, &params, now_s, (int)body);
    CLAIM(cached == rule_check_block(block, &parent, &params, now_s, -1),
          "a cached verdict on the body changes the verdict");
}

static void judge_tx(const struct tx_view *tx)
{
    uint8_t id[32];
    rule_tx_id(id, tx);
    const bool good = memcmp(id, tx->tx_id, 32) == 0;
    const enum rule rule = rule_check_tx(tx, tx->timestamp, 0);
    CLAIM(good || rule == RULE_T1_ID, "a wrong transaction id passes");
    CLAIM(!good || rule == rule_check_tx(tx, tx->timestamp, 1), "a known id changes the verdict");
}

static void judge_range(const struct msg *msg)
{
    const struct bytes_view blocks = msg->u.response_range.blocks;
    struct reader r = reader_over(blocks.data, blocks.len);
    for (uint64_t i = 0; i < msg->u.response_range.count; i++) {
        struct block_view block;
        wire_read_block(&r, &block);
        CLAIM(r.ok, "a block of a decoded range does not decode");
    }
    CLAIM(reader_left(&r) == 0, "a range has bytes behind its blocks");
}

static void judge(const struct msg *msg)
{
    switch ((enum msg_kind)msg->kind) {
    case MSG_NEW_BLOCK:
        judge_block(&msg->u.block);
        break;
    case MSG_RESPONSE_BLOCK:
        if (msg->u.response_block.some)
            judge_block(&msg->u.response_block.block);
        break;
    case MSG_NEW_TRANSACTION:
        judge_tx(&msg->u.tx);
        break;
    case MSG_RESPONSE_BLOCK_RANGE:
        judge_range(msg);
        break;
    case MSG_HANDSHAKE:
        CLAIM(wire_version_compatible(msg->u.handshake.version, msg->u.handshake.version),
              "a version is not compatible with itself");
        break;
    case MSG_REQUEST_BLOCK:
    case MSG_REQUEST_BLOCK_RANGE:
    case MSG_PING:
    case MSG_PONG:
    case MSG_DISCONNECT:
    case MSG_KINDS:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct msg msg, again;
    if (!msg_decode(&msg, data, size))
        return 0;
    CLAIM(msg.used <= size && msg.kind < MSG_KINDS, "a message is longer than its payload");
    CLAIM(msg_encoded_size(&msg) == msg.used, "the encoded size differs");
    uint8_t *bytes = malloc(msg.used);
    CLAIM(bytes, "out of memory");
    msg_encode(&msg, bytes);
    CLAIM(memcmp(bytes, data, msg.used) == 0, "encoding does not give the bytes decoded");
    CLAIM(msg_decode(&again, bytes, msg.used) && again.used == msg.used && again.kind == msg.kind,
          "what was encoded does not decode");
    memset(bytes, 0xee, msg.used);
    CLAIM(msg_decode(&again, data, msg.used), "a message without what follows it does not decode");
    msg_encode(&again, bytes);
    CLAIM(memcmp(bytes, data, msg.used) == 0, "what was decoded again is another message");
    const size_t step = 1 + msg.used / 256;
    for (size_t n = 0; n < msg.used; n += step)
        CLAIM(!msg_decode(&again, bytes, n), "a proper prefix decodes");
    free(bytes);
    judge(&msg);
    return 0;
}
