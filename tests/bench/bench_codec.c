/* What one message costs: encoding and decoding each of the ten kinds at sizes that networks have,
 * frames out of a stream cut as sockets cut it, and the hashes that the rules of blocks and
 * transactions ask for.
 *
 * bench_codec [--json] */
#include "core/base/bytes.h"
#include "core/chain/rules.h"
#include "core/crypto/sha256.h"
#include "core/wire/frame.h"
#include "core/wire/msg.h"
#include "tests/bench/bench.h"

#define STREAM_BYTES (1u << 20)
#define MTU_PAYLOAD  1460u /* of a TCP segment on Ethernet */
#define TX_MESSAGE   300u  /* bytes of a NewTransaction message */

/* ---- codec ---- */

/* A message and its payload. */
struct sample {
    struct msg msg;
    struct vn_buf *frame;
    uint8_t *scratch;
};

static uint64_t op_decode(void *ctx, uint64_t n)
{
    const struct sample *s = ctx;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < n; i++) {
        struct msg msg;
        if (!msg_decode(&msg, s->frame->data + FRAME_HEADER, s->frame->len - FRAME_HEADER))
            abort();
        sum += msg.used;
    }
    return sum;
}

static uint64_t op_encode(void *ctx, uint64_t n)
{
    struct sample *s = ctx;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < n; i++) {
        msg_encode(&s->msg, s->scratch);
        sum += s->scratch[i % s->msg.used];
    }
    return sum;
}

/* Also frames it in a new buffer, as a node does that sends. */
static uint64_t op_frame(void *ctx, uint64_t n)
{
    const struct sample *s = ctx;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < n; i++) {
        struct vn_buf *frame = msg_frame(&s->msg);
        sum += frame->data[frame->len - 1];
        vn_buf_unref(frame);
    }
    return sum;
}

static struct sample sample_of(const struct msg *msg)
{
    struct sample s = {.msg = *msg, .frame = msg_frame(msg)};
    s.msg.used = s.frame->len - FRAME_HEADER;
    s.scratch = malloc(s.msg.used);
    if (!s.scratch)
        abort();
    return s;
}

static void sample_free(struct sample *s)
{
    vn_buf_unref(s->frame);
    free(s->scratch);
}

static const uint8_t zeros[32 * 1000];

static struct block_view block_with(uint64_t txs)
{
    return (struct block_view){.height = 1000,
                               .timestamp = 1744067299,
                               .tx_count = txs,
                               .hash = zeros,
                               .prev_hash = zeros,
                               .tx_ids = zeros,
                               .state_root = zeros,
                               .tx_root = zeros,
                               .poh_hash = zeros};
}

static struct tx_view tx_of_message(uint32_t message)
{
    struct tx_view tx = {.tx_id = zeros, .sender = zeros, .recipient = zeros, .has_data = true};
    tx.data = (struct bytes_view){zeros, message - 4 - TX_SIZE_MIN - 8};
    return tx;
}

/* The blocks of a ResponseBlockRange, encoded. */
static struct vn_buf *range_body(uint64_t count)
{
    struct writer measure = {0};
    const struct block_view block = block_with(0);
    wire_write_block(&measure, &block);
    struct vn_buf *body = vn_buf_new((uint32_t)(measure.len * count));
    struct writer w = {.data = body->data, .cap = body->len};
    for (uint64_t i = 0; i < count; i++)
        wire_write_block(&w, &block);
    return body;
}

static void bench_message(struct bench *bench, const char *decode, const char *encode,
                          const struct msg *msg)
{
    struct sample s = sample_of(msg);
    bench_run(bench, decode, op_decode, &s, s.msg.used);
    bench_run(bench, encode, op_encode, &s, s.msg.used);
    sample_free(&s);
}

static void bench_messages(struct bench *bench)
{
    static const char id[] = "a-node-with-a-name-of-middling-length";
    struct msg msg = {.kind = MSG_HANDSHAKE};
    msg.u.handshake.version = (struct bytes_view){(const uint8_t *)"0.1.0", 5};
    msg.u.handshake.node_id = (struct bytes_view){(const uint8_t *)id, sizeof id - 1};
    msg.u.handshake.listen =
        (struct vn_addr){.family = VN_AF_IPV4, .port = 8765, .ip = {127, 0, 0, 1}};
    bench_message(bench, "decode Handshake", "encode Handshake", &msg);
    msg = (struct msg){.kind = MSG_NEW_BLOCK, .u.block = block_with(0)};
    bench_message(bench, "decode NewBlock, empty", "encode NewBlock, empty", &msg);
    msg.u.block = block_with(100);
    bench_message(bench, "decode NewBlock, 100 ids", "encode NewBlock, 100 ids", &msg);
    msg = (struct msg){.kind = MSG_NEW_TRANSACTION, .u.tx = tx_of_message(TX_MESSAGE)};
    bench_message(bench, "decode NewTransaction, 300 B", "encode NewTransaction, 300 B", &msg);
    msg = (struct msg){.kind = MSG_REQUEST_BLOCK, .u.request_block.height = 7};
    bench_message(bench, "decode RequestBlock", "encode RequestBlock", &msg);
    msg = (struct msg){.kind = MSG_RESPONSE_BLOCK,
                       .u.response_block = {.some = true, .block = block_with(100)}};
    bench_message(bench, "decode ResponseBlock, 100 ids", "encode ResponseBlock, 100 ids", &msg);
    msg = (struct msg){.kind = MSG_REQUEST_BLOCK_RANGE, .u.request_range = {1, 100}};
    bench_message(bench, "decode RequestBlockRange", "encode RequestBlockRange", &msg);
    struct vn_buf *body = range_body(RANGE_BLOCKS_MAX);
    msg = (struct msg){.kind = MSG_RESPONSE_BLOCK_RANGE,
                       .u.response_range = {RANGE_BLOCKS_MAX, {body->data, body->len}}};
    bench_message(bench, "decode ResponseBlockRange, 100", "encode ResponseBlockRange, 100", &msg);
    vn_buf_unref(body);
    msg = (struct msg){.kind = MSG_PING, .u.ping.nonce = 7};
    bench_message(bench, "decode Ping", "encode Ping", &msg);
    msg.kind = MSG_PONG;
    bench_message(bench, "decode Pong", "encode Pong", &msg);
    msg = (struct msg){.kind = MSG_DISCONNECT, .u.disconnect.reason = REASON_TIMEOUT};
    bench_message(bench, "decode Disconnect", "encode Disconnect", &msg);
    msg = (struct msg){.kind = MSG_NEW_TRANSACTION, .u.tx = tx_of_message(TX_MESSAGE)};
    struct sample s = sample_of(&msg);
    bench_run(bench, "frame NewTransaction, 300 B, new", op_frame, &s, s.frame->len);
    sample_free(&s);
}

/* ---- framer ---- */

/* A stream of equal frames, and how it arrives. */
struct stream {
    struct vn_buf *bytes;
    struct vn_buf **chunks; /* the same bytes in buffers of their own, or NULL: one slice */
    uint32_t chunk_count;
    uint32_t frames;
};

static struct stream stream_of(uint32_t frame, bool cut)
{
    struct stream s = {.frames = STREAM_BYTES / frame};
    s.bytes = vn_buf_new(s.frames * frame);
    memset(s.bytes->data, 0, s.bytes->len);
    for (uint32_t i = 0; i < s.frames; i++)
        put_be32(s.bytes->data + (size_t)i * frame, frame - FRAME_HEADER);
    if (!cut)
        return s;
    s.chunks = calloc(s.bytes->len / MTU_PAYLOAD + 1, sizeof(struct vn_buf *));
    if (!s.chunks)
        abort();
    for (uint32_t at = 0; at < s.bytes->len; at += MTU_PAYLOAD) {
        const uint32_t left = s.bytes->len - at, n = left < MTU_PAYLOAD ? left : MTU_PAYLOAD;
        s.chunks[s.chunk_count] = vn_buf_new(n);
        memcpy(s.chunks[s.chunk_count++]->data, s.bytes->data + at, n);
    }
    return s;
}

static void stream_free(struct stream *s)
{
    for (uint32_t i = 0; i < s->chunk_count; i++)
        vn_buf_unref(s->chunks[i]);
    free(s->chunks);
    vn_buf_unref(s->bytes);
}

static uint32_t take_frames(struct framer *f, struct vn_buf *buf)
{
    struct vn_slice payload;
    uint32_t frames = 0;
    framer_push(f, (struct vn_slice){buf, 0, buf->len});
    while (framer_next(f, &payload) == FRAME_READY)
        frames++;
    return frames;
}

/* One operation: the whole stream. */
static uint64_t op_stream(void *ctx, uint64_t n)
{
    const struct stream *s = ctx;
    for (uint64_t i = 0; i < n; i++) {
        struct framer f = {0};
        uint32_t frames = 0;
        for (uint32_t k = 0; k < s->chunk_count; k++)
            frames += take_frames(&f, s->chunks[k]);
        if (!s->chunks)
            frames = take_frames(&f, s->bytes);
        if (frames != s->frames)
            abort();
        framer_deinit(&f);
    }
    return n;
}

static void bench_framer(struct bench *bench)
{
    static const struct {
        const char *name;
        uint32_t frame;
        bool cut;
    } rows[] = {
        {"1 MiB of 40 B frames, one slice", 40, false},
        {"1 MiB of 40 B frames, 1460 B cuts", 40, true},
        {"1 MiB of 1 KiB frames, one slice", 1024, false},
        {"1 MiB of 1 KiB frames, 1460 B cuts", 1024, true},
        {"1 MiB in one frame, one slice", STREAM_BYTES, false},
        {"1 MiB in one frame, 1460 B cuts", STREAM_BYTES, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stream s = stream_of(rows[i].frame, rows[i].cut);
        /* A frame that lies whole in one slice is not passed over at all. */
        const bool touched = rows[i].cut || s.frames > 1;
        bench_run(bench, rows[i].name, op_stream, &s, touched ? s.bytes->len : 0);
        stream_free(&s);
    }
}

/* ---- hashes ---- */

static uint64_t op_sha_64(void *ctx, uint64_t n)
{
    uint8_t *hash = ctx;
    for (uint64_t i = 0; i < n; i++)
        sha256_pair(hash, hash, zeros);
    return hash[0];
}

static uint64_t op_tx_id(void *ctx, uint64_t n)
{
    uint8_t hash[32];
    struct tx_view *tx = ctx;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < n; i++) {
        tx->nonce = i;
        rule_tx_id(hash, tx);
        sum += hash[0];
    }
    return sum;
}

static uint64_t op_block_hash(void *ctx, uint64_t n)
{
    uint8_t hash[32];
    struct block_view *block = ctx;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < n; i++) {
        block->nonce = i;
        rule_block_hash(hash, block);
        sum += hash[0];
    }
    return sum;
}

static uint64_t op_tx_root(void *ctx, uint64_t n)
{
    uint8_t root[32];
    const uint64_t *count = ctx;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < n; i++) {
        rule_tx_root(root, zeros, *count);
        sum += root[0];
    }
    return sum;
}

static void bench_hashes(struct bench *bench)
{
    uint8_t hash[32] = {0};
    struct tx_view tx = tx_of_message(TX_MESSAGE);
    struct block_view block = block_with(0);
    uint64_t hundred = 100, thousand = 1000;
    bench_run(bench, "SHA-256 of 64 B (Merkle node)", op_sha_64, hash, 64);
    bench_run(bench, "transaction id, 300 B", op_tx_id, &tx, 0);
    bench_run(bench, "block hash (one try of a miner)", op_block_hash, &block, 0);
    bench_run(bench, "Merkle root of 100 ids", op_tx_root, &hundred, 0);
    bench_run(bench, "Merkle root of 1000 ids", op_tx_root, &thousand, 0);
}

int main(int argc, char **argv)
{
    struct bench bench;
    bench_init(&bench, argc, argv);
    bench_messages(&bench);
    bench_framer(&bench);
    bench_hashes(&bench);
    bench_print(&bench);
    return 0;
}
