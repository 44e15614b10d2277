/* The ten messages: what is written is read back, what is not a message is refused, and whatever is
 * accepted is written back byte for byte. */
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/wire/frame.h"
#include "core/wire/msg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define TEXT(s) ((struct bytes_view){(const uint8_t *)(s), sizeof(s) - 1})

/* Random messages borrow from this. */
struct source {
    struct rng rng;
    uint8_t bytes[8192];
    uint8_t blocks[8192];
};

static void source_init(struct source *source, uint64_t n)
{
    static const uint8_t seed[32] = {0x3e, 0x55};

    rng_fork(&source->rng, seed, "messages", n);
    for (size_t i = 0; i < sizeof source->bytes; i++)
        source->bytes[i] = (uint8_t)rng_u64(&source->rng);
}

static uint32_t below(struct source *source, uint32_t bound)
{
    return (uint32_t)rng_below(&source->rng, bound);
}

static const uint8_t *some_bytes(struct source *source, uint32_t len)
{
    return source->bytes + below(source, (uint32_t)sizeof source->bytes - len);
}

/* Often at an end of the range. */
static uint64_t some_number(struct source *source)
{
    const uint32_t what = below(source, 8);
    const uint64_t number = rng_u64(&source->rng);

    return what == 0 ? 0 : what == 1 ? UINT64_MAX : what == 2 ? number & 0xff : number;
}

static struct bytes_view some_text(struct source *source)
{
    const struct bytes_view texts[] = {
        TEXT(""),
        TEXT("0.1.0"),
        TEXT("node-a"),
        TEXT("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
        TEXT("a long one with a NUL \0 and a newline \n inside of it, to fill some words"),
    };
    return texts[below(source, sizeof texts / sizeof *texts)];
}

static struct vn_addr some_addr(struct source *source)
{
    const bool v6 = below(source, 2);
    struct vn_addr addr = {.family = v6 ? VN_AF_IPV6 : VN_AF_IPV4};

    memcpy(addr.ip, some_bytes(source, 16), v6 ? 16 : 4);
    addr.port = (uint16_t)rng_u64(&source->rng);
    return addr;
}

static struct block_view some_block(struct source *source)
{
    struct block_view block = {.tx_count = below(source, 2) ? below(source, 40) : 0};

    block.height = some_number(source);
    block.timestamp = some_number(source);
    block.nonce = some_number(source);
    block.poh_seq = some_number(source);
    block.difficulty = some_number(source);
    block.total_difficulty = (u128)some_number(source) << 64;
    block.total_difficulty |= some_number(source);
    block.hash = some_bytes(source, 32);
    block.prev_hash = some_bytes(source, 32);
    block.tx_ids = some_bytes(source, (uint32_t)block.tx_count * 32);
    block.state_root = some_bytes(source, 32);
    block.tx_root = some_bytes(source, 32);
    block.poh_hash = some_bytes(source, 32);
    return block;
}

static struct tx_view some_tx(struct source *source)
{
    struct tx_view tx = {.tx_id = some_bytes(source, 32)};

    tx.sender = some_bytes(source, 32);
    tx.recipient = some_bytes(source, 32);
    tx.value = some_number(source);
    tx.gas_price = some_number(source);
    tx.gas_limit = some_number(source);
    tx.gas_used = some_number(source);
    tx.nonce = some_number(source);
    tx.timestamp = some_number(source);
    tx.block_height = some_number(source);
    tx.has_data = below(source, 2);
    if (tx.has_data) {
        tx.data.len = below(source, 3) ? below(source, 300) : 0;
        tx.data.data = some_bytes(source, (uint32_t)tx.data.len);
    }
    tx.status = below(source, TX_STATUSES);
    tx.error = tx.status == TX_FAILED ? below(source, TX_ERRORS) : 0;
    return tx;
}

static void some_range(struct source *source, struct msg *msg)
{
    struct writer w = {.data = source->blocks, .cap = sizeof source->blocks};

    msg->u.response_range.count = below(source, 5);
    for (uint64_t i = 0; i < msg->u.response_range.count; i++) {
        const struct block_view block = some_block(source);
        wire_write_block(&w, &block);
    }
    assert_true(w.len <= w.cap);
    msg->u.response_range.blocks = (struct bytes_view){source->blocks, w.len};
}

static struct msg some_msg(struct source *source, enum msg_kind kind)
{
    struct msg msg = {.kind = kind};

    switch (kind) {
    case MSG_HANDSHAKE:
        msg.u.handshake.version = some_text(source);
        msg.u.handshake.node_id = some_text(source);
        msg.u.handshake.listen = some_addr(source);
        break;
    case MSG_NEW_BLOCK:
        msg.u.block = some_block(source);
        break;
    case MSG_NEW_TRANSACTION:
        msg.u.tx = some_tx(source);
        break;
    case MSG_REQUEST_BLOCK:
        msg.u.request_block.height = some_number(source);
        break;
    case MSG_RESPONSE_BLOCK:
        msg.u.response_block.some = below(source, 2);
        if (msg.u.response_block.some)
            msg.u.response_block.block = some_block(source);
        break;
    case MSG_REQUEST_BLOCK_RANGE:
        msg.u.request_range.start = some_number(source);
        msg.u.request_range.end = some_number(source);
        break;
    case MSG_RESPONSE_BLOCK_RANGE:
        some_range(source, &msg);
        break;
    case MSG_PING:
        msg.u.ping.nonce = some_number(source);
        break;
    case MSG_PONG:
        msg.u.pong.nonce = some_number(source);
        break;
    case MSG_DISCONNECT:
        msg.u.disconnect.reason = below(source, REASONS);
        break;
    case MSG_KINDS:
        fail();
    }
    return msg;
}

static void assert_same_bytes(struct bytes_view a, struct bytes_view b)
{
    assert_int_equal(a.len, b.len);
    if (a.len)
        assert_memory_equal(a.data, b.data, a.len);
}

static void assert_same_block(const struct block_view *a, const struct block_view *b)
{
    assert_true(a->height == b->height);
    assert_true(a->timestamp == b->timestamp);
    assert_true(a->nonce == b->nonce);
    assert_true(a->poh_seq == b->poh_seq);
    assert_true(a->difficulty == b->difficulty);
    assert_true(a->total_difficulty == b->total_difficulty);
    assert_memory_equal(a->hash, b->hash, 32);
    assert_memory_equal(a->prev_hash, b->prev_hash, 32);
    assert_memory_equal(a->state_root, b->state_root, 32);
    assert_memory_equal(a->tx_root, b->tx_root, 32);
    assert_memory_equal(a->poh_hash, b->poh_hash, 32);
    assert_same_bytes((struct bytes_view){a->tx_ids, a->tx_count * 32},
                      (struct bytes_view){b->tx_ids, b->tx_count * 32});
}

static void assert_same_tx(const struct tx_view *a, const struct tx_view *b)
{
    assert_memory_equal(a->tx_id, b->tx_id, 32);
    assert_memory_equal(a->sender, b->sender, 32);
    assert_memory_equal(a->recipient, b->recipient, 32);
    assert_true(a->value == b->value);
    assert_true(a->gas_price == b->gas_price);
    assert_true(a->gas_limit == b->gas_limit);
    assert_true(a->gas_used == b->gas_used);
    assert_true(a->nonce == b->nonce);
    assert_true(a->timestamp == b->timestamp);
    assert_true(a->block_height == b->block_height);
    assert_true(a->has_data == b->has_data);
    assert_same_bytes(a->data, b->data);
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->error, b->error);
}

static void assert_same_msg(const struct msg *a, const struct msg *b)
{
    assert_int_equal(a->kind, b->kind);
    switch ((enum msg_kind)a->kind) {
    case MSG_HANDSHAKE:
        assert_same_bytes(a->u.handshake.version, b->u.handshake.version);
        assert_same_bytes(a->u.handshake.node_id, b->u.handshake.node_id);
        assert_memory_equal(&a->u.handshake.listen, &b->u.handshake.listen, sizeof(struct vn_addr));
        break;
    case MSG_NEW_BLOCK:
        assert_same_block(&a->u.block, &b->u.block);
        break;
    case MSG_NEW_TRANSACTION:
        assert_same_tx(&a->u.tx, &b->u.tx);
        break;
    case MSG_REQUEST_BLOCK:
        assert_true(a->u.request_block.height == b->u.request_block.height);
        break;
    case MSG_RESPONSE_BLOCK:
        assert_int_equal(a->u.response_block.some, b->u.response_block.some);
        if (a->u.response_block.some)
            assert_same_block(&a->u.response_block.block, &b->u.response_block.block);
        break;
    case MSG_REQUEST_BLOCK_RANGE:
        assert_true(a->u.request_range.start == b->u.request_range.start);
        assert_true(a->u.request_range.end == b->u.request_range.end);
        break;
    case MSG_RESPONSE_BLOCK_RANGE:
        assert_true(a->u.response_range.count == b->u.response_range.count);
        assert_same_bytes(a->u.response_range.blocks, b->u.response_range.blocks);
        break;
    case MSG_PING:
        assert_true(a->u.ping.nonce == b->u.ping.nonce);
        break;
    case MSG_PONG:
        assert_true(a->u.pong.nonce == b->u.pong.nonce);
        break;
    case MSG_DISCONNECT:
        assert_int_equal(a->u.disconnect.reason, b->u.disconnect.reason);
        break;
    case MSG_KINDS:
        fail();
    }
}

/* Decodes from memory that ends where the payload ends, so that a sanitizer sees a byte too many.
 */
static bool decodes(const uint8_t *payload, size_t len, struct msg *msg, uint8_t **copy)
{
    *copy = malloc(len ? len : 1);
    memcpy(*copy, payload, len);
    return msg_decode(msg, *copy, len);
}

static void test_messages_read_back_as_written(void **state)
{
    struct source *source = malloc(sizeof *source);

    (void)state;
    source_init(source, 0);
    for (int round = 0; round < 500; round++) {
        for (uint32_t kind = 0; kind < MSG_KINDS; kind++) {
            const struct msg msg = some_msg(source, (enum msg_kind)kind);
            struct vn_buf *frame = msg_frame(&msg);
            const uint32_t size = get_be32(frame->data);
            struct msg back;
            assert_int_equal(size, msg_encoded_size(&msg));
            assert_int_equal(frame->len, FRAME_HEADER + size);
            assert_true(msg_decode(&back, frame->data + FRAME_HEADER, size));
            assert_int_equal(back.used, size);
            assert_same_msg(&msg, &back);
            vn_buf_unref(frame);
        }
    }
    free(source);
}

static void test_every_proper_prefix_is_refused_and_trailing_bytes_are_not(void **state)
{
    struct source *source = malloc(sizeof *source);

    (void)state;
    source_init(source, 1);
    for (uint32_t i = 0; i < 20 * MSG_KINDS; i++) {
        const struct msg msg = some_msg(source, (enum msg_kind)(i % MSG_KINDS));
        const uint32_t size = (uint32_t)msg_encoded_size(&msg);
        uint8_t *payload = malloc(size + 40);
        uint8_t *copy;
        struct msg back;
        msg_encode(&msg, payload);
        for (uint32_t len = 0; len < size; len++) {
            assert_false(decodes(payload, len, &back, &copy));
            free(copy);
        }
        memset(payload + size, 0xff, 40);
        assert_true(decodes(payload, size + 40, &back, &copy));
        assert_int_equal(back.used, size);
        assert_same_msg(&msg, &back);
        free(copy);
        free(payload);
    }
    free(source);
}

/* Changes a few bytes, often to values that mean something, often at the front where tags and
 * counts are; sometimes cuts. */
static uint32_t mutate(struct source *source, uint8_t *payload, uint32_t len)
{
    static const uint8_t telling[] = {0, 1, 2, 3, 6, 7, 0x7f, 0x80, 0xc0, 0xff};
    const uint32_t changes = 1 + below(source, 4);

    for (uint32_t i = 0; i < changes && len > 0; i++) {
        const uint32_t reach = below(source, 2) && len > 64 ? 64 : len;
        const uint32_t at = below(source, reach);
        const uint8_t value = telling[below(source, sizeof telling)];
        payload[at] = below(source, 2) ? value : (uint8_t)rng_u64(&source->rng);
    }
    return below(source, 4) ? len : below(source, len + 1);
}

static void test_whatever_decodes_encodes_to_the_bytes_it_took(void **state)
{
    struct source *source = malloc(sizeof *source);
    uint32_t accepted = 0, refused = 0;

    (void)state;
    source_init(source, 2);
    for (uint32_t i = 0; i < 60000; i++) {
        const struct msg msg = some_msg(source, (enum msg_kind)(i % MSG_KINDS));
        const uint32_t size = (uint32_t)msg_encoded_size(&msg);
        uint8_t *payload = malloc(size);
        uint8_t *copy;
        struct msg back, again;
        msg_encode(&msg, payload);
        const uint32_t len = mutate(source, payload, size);
        if (decodes(payload, len, &back, &copy)) {
            accepted++;
            assert_in_range(back.used, 4, len);
            assert_int_equal(msg_encoded_size(&back), back.used);
            uint8_t *out = malloc(back.used);
            msg_encode(&back, out);
            assert_memory_equal(out, payload, back.used);
            assert_true(msg_decode(&again, out, back.used));
            assert_same_msg(&back, &again);
            free(out);
        } else {
            refused++;
        }
        free(copy);
        free(payload);
    }
    assert_true(accepted > 10000 && refused > 10000);
    free(source);
}

static void test_range_blocks_can_be_stepped_through(void **state)
{
    struct source *source = malloc(sizeof *source);
    uint8_t payload[12 + 2 * (BLOCK_SIZE_MIN + 64)];
    struct writer w = {.data = payload, .cap = sizeof payload};
    struct block_view blocks[2], block;
    struct msg msg;

    (void)state;
    source_init(source, 3);
    writer_le32(&w, MSG_RESPONSE_BLOCK_RANGE);
    writer_le64(&w, 2);
    for (uint64_t i = 0; i < 2; i++) {
        blocks[i] = some_block(source);
        blocks[i].tx_count = 2 * i;
        blocks[i].tx_ids = source->bytes;
        wire_write_block(&w, &blocks[i]);
    }
    assert_true(msg_decode(&msg, payload, w.len));
    assert_int_equal(msg.u.response_range.count, 2);
    const struct bytes_view all = msg.u.response_range.blocks;
    struct reader r = reader_over(all.data, (size_t)all.len);
    for (uint64_t i = 0; i < 2; i++) {
        const uint8_t *at = r.at;
        wire_read_block(&r, &block);
        assert_true(r.ok);
        assert_same_block(&block, &blocks[i]);
        assert_ptr_equal(block.raw.data, at);
        assert_int_equal(block.raw.len, BLOCK_SIZE_MIN + 32 * blocks[i].tx_count);
    }
    assert_int_equal(reader_left(&r), 0);
    /* The second block claims one id more than there is. */
    payload[12 + BLOCK_SIZE_MIN + 80]++;
    assert_false(msg_decode(&msg, payload, w.len));
    free(source);
}

/* A count that passes no check against the bytes left would multiply to something small. */
static void test_counts_that_overflow_a_multiplication_are_refused(void **state)
{
    static const uint64_t counts[] = {UINT64_MAX,        UINT64_C(1) << 63,
                                      UINT64_C(1) << 59, (UINT64_C(1) << 59) + 1,
                                      UINT64_C(1) << 32, 1};
    uint8_t payload[4 + BLOCK_SIZE_MIN] = {MSG_NEW_BLOCK};
    struct msg msg;

    (void)state;
    assert_true(msg_decode(&msg, payload, sizeof payload));
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        put_le64(payload + 4 + 80, counts[i]);
        assert_false(msg_decode(&msg, payload, sizeof payload));
        uint8_t range[12] = {MSG_RESPONSE_BLOCK_RANGE};
        put_le64(range + 4, counts[i]);
        assert_false(msg_decode(&msg, range, sizeof range));
    }
}

static void test_unknown_tags_and_variants_are_refused(void **state)
{
    static const uint32_t kinds[] = {10, 11, 255, 256, UINT32_MAX};
    uint8_t payload[4 + TX_SIZE_MIN + 4] = {0};
    struct msg msg;

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        put_le32(payload, kinds[i]);
        assert_false(msg_decode(&msg, payload, sizeof payload));
    }
    put_le32(payload, MSG_NEW_TRANSACTION);
    for (uint32_t tag = 0; tag < 256; tag++) {
        payload[4 + 152] = (uint8_t)tag; /* with tag 1, an empty list would need 8 bytes */
        assert_int_equal(msg_decode(&msg, payload, sizeof payload), tag == 0);
    }
    payload[4 + 152] = 0;
    for (uint32_t status = 0; status < 10; status++) {
        put_le32(payload + 4 + 153, status);
        assert_int_equal(msg_decode(&msg, payload, sizeof payload), status < TX_STATUSES);
    }
    put_le32(payload + 4 + 153, TX_FAILED);
    for (uint32_t error = 0; error < 10; error++) {
        put_le32(payload + 4 + 157, error);
        assert_int_equal(msg_decode(&msg, payload, sizeof payload), error < TX_ERRORS);
    }
    uint8_t disconnect[8] = {MSG_DISCONNECT};
    for (uint32_t reason = 0; reason < 10; reason++) {
        put_le32(disconnect + 4, reason);
        assert_int_equal(msg_decode(&msg, disconnect, sizeof disconnect), reason < REASONS);
    }
    uint8_t response[5 + BLOCK_SIZE_MIN] = {MSG_RESPONSE_BLOCK};
    for (uint32_t tag = 0; tag < 256; tag++) {
        response[4] = (uint8_t)tag;
        assert_int_equal(msg_decode(&msg, response, sizeof response), tag <= 1);
    }
}

static void test_a_message_above_10_mib_makes_no_frame(void **state)
{
    uint8_t *data = calloc(FRAME_PAYLOAD_MAX, 1);
    struct msg msg = {.kind = MSG_NEW_TRANSACTION};

    (void)state;
    msg.u.tx.tx_id = msg.u.tx.sender = msg.u.tx.recipient = data;
    msg.u.tx.has_data = true;
    msg.u.tx.data = (struct bytes_view){data, FRAME_PAYLOAD_MAX - 4 - TX_SIZE_MIN - 8};
    struct vn_buf *frame = msg_frame(&msg);
    assert_non_null(frame);
    assert_int_equal(frame->len, FRAME_HEADER + FRAME_PAYLOAD_MAX);
    vn_buf_unref(frame);
    msg.u.tx.data.len++;
    assert_null(msg_frame(&msg));
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_read_back_as_written),
        cmocka_unit_test(test_every_proper_prefix_is_refused_and_trailing_bytes_are_not),
        cmocka_unit_test(test_whatever_decodes_encodes_to_the_bytes_it_took),
        cmocka_unit_test(test_range_blocks_can_be_stepped_through),
        cmocka_unit_test(test_counts_that_overflow_a_multiplication_are_refused),
        cmocka_unit_test(test_unknown_tags_and_variants_are_refused),
        cmocka_unit_test(test_a_message_above_10_mib_makes_no_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
