/* The envelope: a message kind as u32, then the kind's body, each by its own codec (handshake.c,
 * block.c, tx.c).
 *
 * Decoding allocates nothing, so that it can fail anywhere without a trace. The lists are the
 * dangerous part: a count is compared with the bytes left before it is used, and the blocks of a
 * range are walked once here, so that whoever steps through them later cannot fail. */
#include "core/wire/msg.h"

#include "core/wire/frame.h"

#include <assert.h>

static void read_response_block(struct reader *r, struct msg *msg)
{
    const uint8_t tag = reader_u8(r);

    if (tag > 1)
        r->ok = false;
    msg->u.response_block.some = tag == 1;
    if (r->ok && tag == 1)
        wire_read_block(r, &msg->u.response_block.block);
}

static void read_response_range(struct reader *r, struct msg *msg)
{
    const uint64_t count = reader_le64(r);
    const uint8_t *start = r->at;

    if (count > reader_left(r) / BLOCK_SIZE_MIN)
        r->ok = false;
    for (uint64_t i = 0; i < count && r->ok; i++) {
        struct block_view block;
        wire_read_block(r, &block);
    }
    msg->u.response_range.count = count;
    msg->u.response_range.blocks =
        (struct bytes_view){.data = start, .len = (uint64_t)(r->at - start)};
}

static void read_disconnect(struct reader *r, struct msg *msg)
{
    msg->u.disconnect.reason = reader_le32(r);
    if (msg->u.disconnect.reason >= REASONS)
        r->ok = false;
}

static void read_body(struct reader *r, struct msg *msg)
{
    switch ((enum msg_kind)msg->kind) {
    case MSG_HANDSHAKE:
        wire_read_handshake(r, &msg->u.handshake);
        return;
    case MSG_NEW_BLOCK:
        wire_read_block(r, &msg->u.block);
        return;
    case MSG_NEW_TRANSACTION:
        wire_read_tx(r, &msg->u.tx);
        return;
    case MSG_REQUEST_BLOCK:
        msg->u.request_block.height = reader_le64(r);
        return;
    case MSG_RESPONSE_BLOCK:
        read_response_block(r, msg);
        return;
    case MSG_REQUEST_BLOCK_RANGE:
        msg->u.request_range.start = reader_le64(r);
        msg->u.request_range.end = reader_le64(r);
        return;
    case MSG_RESPONSE_BLOCK_RANGE:
        read_response_range(r, msg);
        return;
    case MSG_PING:
        msg->u.ping.nonce = reader_le64(r);
        return;
    case MSG_PONG:
        msg->u.pong.nonce = reader_le64(r);
        return;
    case MSG_DISCONNECT:
        read_disconnect(r, msg);
        return;
    case MSG_KINDS:
        break;
    }
    r->ok = false; /* an unknown kind */
}

bool msg_decode(struct msg *msg, const uint8_t *payload, size_t len)
{
    if (len > UINT32_MAX || !payload)
        return false;
    struct reader r = reader_over(payload, len);
    msg->kind = reader_le32(&r);
    if (r.ok)
        read_body(&r, msg);
    msg->used = (uint32_t)(r.at - payload);
    return r.ok;
}

static void write_body(struct writer *w, const struct msg *msg)
{
    switch ((enum msg_kind)msg->kind) {
    case MSG_HANDSHAKE:
        wire_write_handshake(w, &msg->u.handshake);
        return;
    case MSG_NEW_BLOCK:
        wire_write_block(w, &msg->u.block);
        return;
    case MSG_NEW_TRANSACTION:
        wire_write_tx(w, &msg->u.tx);
        return;
    case MSG_REQUEST_BLOCK:
        writer_le64(w, msg->u.request_block.height);
        return;
    case MSG_RESPONSE_BLOCK:
        writer_u8(w, msg->u.response_block.some);
        if (msg->u.response_block.some)
            wire_write_block(w, &msg->u.response_block.block);
        return;
    case MSG_REQUEST_BLOCK_RANGE:
        writer_le64(w, msg->u.request_range.start);
        writer_le64(w, msg->u.request_range.end);
        return;
    case MSG_RESPONSE_BLOCK_RANGE:
        writer_le64(w, msg->u.response_range.count);
        writer_put(w, msg->u.response_range.blocks.data, (size_t)msg->u.response_range.blocks.len);
        return;
    case MSG_PING:
        writer_le64(w, msg->u.ping.nonce);
        return;
    case MSG_PONG:
        writer_le64(w, msg->u.pong.nonce);
        return;
    case MSG_DISCONNECT:
        writer_le32(w, msg->u.disconnect.reason);
        return;
    case MSG_KINDS:
        break;
    }
    assert(!"a message kind that does not exist");
}

static void write_message(struct writer *w, const struct msg *msg)
{
    writer_le32(w, msg->kind);
    write_body(w, msg);
}

size_t msg_encoded_size(const struct msg *msg)
{
    struct writer w = {0};

    write_message(&w, msg);
    return w.len;
}

void msg_encode(const struct msg *msg, uint8_t *out)
{
    struct writer w = {.data = out, .cap = SIZE_MAX};

    write_message(&w, msg);
}

struct vn_buf *msg_frame(const struct msg *msg)
{
    const size_t size = msg_encoded_size(msg);

    if (size > FRAME_PAYLOAD_MAX)
        return NULL;
    struct vn_buf *buf = vn_buf_new(FRAME_HEADER + (uint32_t)size);
    struct writer w = {.data = buf->data + FRAME_HEADER, .cap = size};
    put_be32(buf->data, (uint32_t)size);
    write_message(&w, msg);
    assert(w.len == size);
    return buf;
}

const char *wire_reason_name(uint32_t reason)
{
    static const char *const names[] = {
        [REASON_SHUTDOWN] = "Shutdown",
        [REASON_PROTOCOL_VIOLATION] = "ProtocolViolation",
        [REASON_INCOMPATIBLE_VERSION] = "IncompatibleVersion",
        [REASON_TOO_MANY_CONNECTIONS] = "TooManyConnections",
        [REASON_DUPLICATE_CONNECTION] = "DuplicateConnection",
        [REASON_TIMEOUT] = "Timeout",
    };
    _Static_assert(sizeof names / sizeof *names == REASONS, "a reason has no name");
    return reason < REASONS ? names[reason] : "?";
}
