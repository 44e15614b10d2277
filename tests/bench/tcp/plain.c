/* See plain.h. */
#include "tests/bench/tcp/plain.h"

#include "core/wire/frame.h"
#include "core/wire/msg.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static struct plain_frame frame_of(const struct msg *msg)
{
    struct plain_frame frame = {.len = FRAME_HEADER + (uint32_t)msg_encoded_size(msg)};
    assert(frame.len <= PLAIN_MAX);
    put_be32(frame.bytes, frame.len - FRAME_HEADER);
    msg_encode(msg, frame.bytes + FRAME_HEADER);
    return frame;
}

static struct bytes_view text(const char *string)
{
    return (struct bytes_view){(const uint8_t *)string, strlen(string)};
}

struct plain_frame plain_hello(uint32_t i)
{
    struct msg msg = {.kind = MSG_HANDSHAKE};
    char id[16];
    snprintf(id, sizeof id, "plain-%08x", i);
    msg.u.handshake.version = text("0.1.0");
    msg.u.handshake.node_id = text(id);
    msg.u.handshake.listen = (struct vn_addr){.family = VN_AF_IPV4, .ip = {127, 0, 0, 1}};
    return frame_of(&msg);
}

struct plain_frame plain_no_block(void)
{
    return frame_of(&(struct msg){.kind = MSG_RESPONSE_BLOCK});
}

struct plain_frame plain_request_range(uint64_t start, uint64_t end)
{
    struct msg msg = {.kind = MSG_REQUEST_BLOCK_RANGE};
    msg.u.request_range.start = start;
    msg.u.request_range.end = end;
    return frame_of(&msg);
}
