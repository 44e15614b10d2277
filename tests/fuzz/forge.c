/* See forge.h. */
#include "tests/fuzz/forge.h"

#include "core/chain/mine.h"
#include "core/wire/frame.h"

void forge_init(struct forge *forge)
{
    *forge = (struct forge){.params = {.genesis_timestamp = FORGE_WALL_S - 3000, .difficulty = 1}};
    forge->blocks[forge->count++] = rule_genesis(&forge->params);
}

void forge_deinit(struct forge *forge)
{
    for (uint32_t i = 0; i < forge->count; i++) {
        CLAIM(forge->blocks[i]->refs == 1, "a freed node still holds a block");
        vn_buf_unref(forge->blocks[i]);
    }
}

static struct block_view view_of(const struct vn_buf *block)
{
    struct reader r = reader_over(block->data, block->len);
    struct block_view view;
    wire_read_block(&r, &view);
    CLAIM(r.ok, "a forged block does not decode");
    return view;
}

static uint32_t pick(const struct forge *forge, struct input *in)
{
    return input_below(in, forge->count);
}

/* Fills *tx; hashes point into id and parties. */
static void make_tx(struct input *in, struct tx_view *tx, uint8_t id[32], uint8_t parties[64])
{
    const uint8_t shape = input_u8(in);
    memset(parties, 0, 64);
    parties[0] = shape & 3;
    *tx = (struct tx_view){.tx_id = id,
                           .sender = parties,
                           .recipient = parties + 32,
                           .value = input_u8(in),
                           .gas_price = shape >> 7 ? UINT64_MAX : 1,
                           .gas_limit = 21000,
                           .nonce = input_u8(in),
                           .timestamp = FORGE_WALL_S - (shape >> 2 & 7) * 1000,
                           .has_data = shape >> 5 & 1};
    tx->data = (struct bytes_view){parties, tx->has_data ? 40 : 0};
    rule_tx_id(id, tx);
}

static struct vn_buf *child(const struct forge *forge, struct input *in, uint32_t parent)
{
    uint8_t ids[3 * 32], parties[64];
    const struct block_view view = view_of(forge->blocks[parent]);
    const struct parent_view link = {.height = view.height,
                                     .timestamp = view.timestamp,
                                     .poh_seq = view.poh_seq,
                                     .total_difficulty = view.total_difficulty,
                                     .hash = view.hash};
    uint8_t state_root[32] = {(uint8_t)forge->count};
    const uint8_t shape = input_u8(in);
    for (uint8_t i = 0; i < 3; i++) { /* transactions that peers may have sent */
        const uint8_t choice[3] = {(uint8_t)(shape & 3), 0, i};
        struct input fixed = {choice, sizeof choice};
        struct tx_view tx;
        make_tx(&fixed, &tx, ids + 32 * (size_t)i, parties);
    }
    const struct mine_work work = {.ids = ids,
                                   .tx_count = shape % 4,
                                   .state_root = state_root,
                                   .timestamp_s = view.timestamp + (shape >> 2),
                                   .tries = 1000};
    struct vn_buf *block = mine_child(&forge->params, &link, &work);
    CLAIM(block, "difficulty 1 is not met");
    return block;
}

void forge_grow(struct forge *forge, struct input *in, uint32_t parent, uint32_t n)
{
    parent %= forge->count;
    for (uint32_t i = 0; i < n && forge->count < FORGE_BLOCKS; i++) {
        forge->blocks[forge->count] = child(forge, in, parent);
        forge->parents[forge->count] = parent;
        parent = forge->count++;
    }
}

static struct vn_buf *framed(const struct msg *msg)
{
    struct vn_buf *frame = msg_frame(msg);
    CLAIM(frame, "a forged message is too large");
    return frame;
}

struct vn_buf *forge_handshake(struct input *in, uint32_t who)
{
    static const char *const versions[] = {"0.1.0", "0.9", "0", "1.0.0"};
    const uint8_t shape = input_u8(in);
    const char *version = versions[(shape & 15) == 15 ? 3 : shape % 3];
    /* "node" is the id of the node under test. */
    char id[] = "peer-a";
    id[5] = (char)('a' + who % 16);
    const char *name = who == 15 ? "node" : id;
    struct msg msg = {.kind = MSG_HANDSHAKE};
    msg.u.handshake.version = (struct bytes_view){(const uint8_t *)version, strlen(version)};
    msg.u.handshake.node_id = (struct bytes_view){(const uint8_t *)name, strlen(name)};
    msg.u.handshake.listen = (struct vn_addr){.family = VN_AF_IPV4,
                                              .port = (uint16_t)(8765 + (shape >> 6)),
                                              .ip = {10, 0, 0, (uint8_t)who}};
    return framed(&msg);
}

struct vn_buf *forge_tx(struct input *in)
{
    uint8_t id[32], parties[64];
    struct tx_view tx;
    make_tx(in, &tx, id, parties);
    struct writer measure = {0};
    wire_write_tx(&measure, &tx);
    struct vn_buf *buf = vn_buf_new((uint32_t)measure.len);
    struct writer writer = {.data = buf->data, .cap = buf->len};
    wire_write_tx(&writer, &tx);
    return buf;
}

/* The chain that ends in block `tip`, from the genesis; returns its height. */
static uint32_t path_of(const struct forge *forge, uint32_t tip, uint32_t path[FORGE_BLOCKS])
{
    const uint32_t height = (uint32_t)view_of(forge->blocks[tip]).height;
    for (uint32_t h = height; h > 0; h--) {
        path[h] = tip;
        tip = forge->parents[tip];
    }
    path[0] = 0;
    return height;
}

static struct vn_buf *range_of(const struct forge *forge, uint32_t tip, uint64_t start,
                               uint64_t end)
{
    static uint8_t bytes[FORGE_BLOCKS * (BLOCK_SIZE_MIN + 3 * 32)];
    uint32_t path[FORGE_BLOCKS], len = 0;
    const uint32_t height = path_of(forge, tip, path);
    struct msg msg = {.kind = MSG_RESPONSE_BLOCK_RANGE};
    for (uint64_t h = start; h <= end && h <= height; h++) {
        const struct vn_buf *block = forge->blocks[path[h]];
        memcpy(bytes + len, block->data, block->len);
        len += block->len;
        msg.u.response_range.count++;
    }
    msg.u.response_range.blocks = (struct bytes_view){bytes, len};
    return framed(&msg);
}

struct vn_buf *forge_answer(const struct forge *forge, uint32_t tip, bool range, uint64_t start,
                            uint64_t end)
{
    uint32_t path[FORGE_BLOCKS];
    tip %= forge->count;
    if (range)
        return range_of(forge, tip, start, end);
    const uint32_t height = path_of(forge, tip, path);
    struct msg msg = {.kind = MSG_RESPONSE_BLOCK};
    start = start == HEIGHT_NEWEST ? height : start;
    msg.u.response_block.some = start <= height;
    if (start <= height)
        msg.u.response_block.block = view_of(forge->blocks[path[start]]);
    return framed(&msg);
}

/* Small numbers, and now and then a huge one. */
static uint64_t number(struct input *in)
{
    const uint8_t n = input_u8(in);
    return n >= 250 ? UINT64_MAX - (255u - n) : n % 80;
}

static struct vn_buf *well_made(struct forge *forge, struct input *in)
{
    struct msg msg = {.kind = input_below(in, MSG_KINDS)};
    uint8_t id[32], parties[64];
    switch ((enum msg_kind)msg.kind) {
    case MSG_HANDSHAKE:
        return forge_handshake(in, input_below(in, 16));
    case MSG_NEW_BLOCK:
        msg.u.block = view_of(forge->blocks[pick(forge, in)]);
        break;
    case MSG_NEW_TRANSACTION:
        make_tx(in, &msg.u.tx, id, parties);
        break;
    case MSG_REQUEST_BLOCK:
        msg.u.request_block.height = number(in);
        break;
    case MSG_RESPONSE_BLOCK:
        msg.u.response_block.some = input_below(in, 8) != 0;
        if (msg.u.response_block.some)
            msg.u.response_block.block = view_of(forge->blocks[pick(forge, in)]);
        break;
    case MSG_REQUEST_BLOCK_RANGE:
        msg.u.request_range.start = number(in);
        msg.u.request_range.end = number(in);
        break;
    case MSG_RESPONSE_BLOCK_RANGE:
        return range_of(forge, pick(forge, in), input_below(in, 64), input_below(in, 64));
    case MSG_PING:
        msg.u.ping.nonce = number(in);
        break;
    case MSG_PONG:
        msg.u.pong.nonce = number(in);
        break;
    case MSG_DISCONNECT:
        msg.u.disconnect.reason = input_below(in, REASONS);
        break;
    case MSG_KINDS:
        break;
    }
    return framed(&msg);
}

struct vn_buf *forge_message(struct forge *forge, struct input *in)
{
    struct vn_buf *frame = well_made(forge, in);
    const uint8_t spoil = input_u8(in);
    if (spoil > 240) {
        const uint32_t at = input_u16(in) % frame->len;
        frame->data[at] ^= (uint8_t)(1u << spoil % 8);
    }
    return frame;
}
