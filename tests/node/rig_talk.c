/* See rig.h. This file: what the scripted ends say, and looking at what came. */
#include "tests/node/rig.h"

#include <string.h>

static void note_answer(struct rig_link *link, const struct vn_buf *frame)
{
    if (frame->len < 8)
        return;
    uint32_t kind = get_le32(frame->data + 4);
    if (kind == MSG_RESPONSE_BLOCK)
        link->asked_ns[0] = 0;
    if (kind == MSG_RESPONSE_BLOCK_RANGE)
        link->asked_ns[1] = 0;
}

void rig_frame(struct rig *rig, struct rig_link *link, struct vn_buf *frame)
{
    note_answer(link, frame);
    rig_bytes(rig, link, frame->data, frame->len);
    vn_buf_unref(frame);
}

void rig_msg(struct rig *rig, struct rig_link *link, const struct msg *msg)
{
    rig_frame(rig, link, msg_frame(msg));
}

static struct bytes_view view_of(const char *text)
{
    return (struct bytes_view){(const uint8_t *)text, strlen(text)};
}

void rig_hello(struct rig *rig, struct rig_link *link, const char *id, const char *version,
               uint16_t port)
{
    struct msg msg = {.kind = MSG_HANDSHAKE};
    msg.u.handshake.node_id = view_of(id);
    msg.u.handshake.version = view_of(version);
    msg.u.handshake.listen = link->remote;
    msg.u.handshake.listen.port = port;
    rig_msg(rig, link, &msg);
}

void rig_ping(struct rig *rig, struct rig_link *link, uint64_t nonce)
{
    rig_msg(rig, link, &(struct msg){.kind = MSG_PING, .u.ping.nonce = nonce});
}

void rig_request(struct rig *rig, struct rig_link *link, uint64_t height)
{
    rig_msg(rig, link, &(struct msg){.kind = MSG_REQUEST_BLOCK, .u.request_block.height = height});
}

void rig_request_range(struct rig *rig, struct rig_link *link, uint64_t start, uint64_t end)
{
    rig_msg(rig, link,
            &(struct msg){.kind = MSG_REQUEST_BLOCK_RANGE, .u.request_range = {start, end}});
}

struct rig_link *rig_ready(struct rig *rig, struct vn_addr remote, const char *id)
{
    struct rig_link *link = rig_accept(rig, remote);
    rig_hello(rig, link, id, "0.1.0", remote.port);
    rig_take(link, MSG_HANDSHAKE);
    assert_int_equal(rig_take(link, MSG_REQUEST_BLOCK)->u.request_block.height, HEIGHT_NEWEST);
    return link;
}

struct rig_link *rig_ready_idle(struct rig *rig, struct vn_addr remote, const char *id)
{
    struct rig_link *link = rig_ready(rig, remote, id);
    rig_run(rig, S); /* so that the answer earns nothing for being quick */
    rig_frame(rig, link, forge_response(NULL));
    return link;
}

struct rig_link *rig_dial_to(struct rig *rig, struct vn_addr addr)
{
    struct vn_command command = {.kind = VN_CMD_CONNECT, .addr = addr};
    assert_int_equal(rig_command(rig, command), VN_OK);
    struct rig_link *link = rig_dial(rig);
    assert_non_null(link);
    rig_up(rig, link);
    return link;
}

const struct msg *rig_next(struct rig_link *link)
{
    return link->frame_next < link->frame_count ? &link->frames[link->frame_next++].msg : NULL;
}

const struct msg *rig_take(struct rig_link *link, enum msg_kind kind)
{
    const struct msg *msg = rig_next(link);
    if (!msg)
        fail_msg("link %llu: no frame where %s was expected", (unsigned long long)link->id,
                 vn_message_name(kind));
    else
        assert_string_equal(vn_message_name(msg->kind), vn_message_name(kind));
    return msg;
}

const struct msg *rig_find(struct rig_link *link, enum msg_kind kind)
{
    const struct msg *msg;
    while ((msg = rig_next(link)) && msg->kind != kind)
        ;
    return msg;
}

void rig_take_disconnect(struct rig_link *link, enum disconnect_reason reason)
{
    const struct msg *msg = rig_take(link, MSG_DISCONNECT);
    assert_string_equal(wire_reason_name(msg->u.disconnect.reason), wire_reason_name(reason));
    rig_expect_quiet(link);
    assert_true(link->closed);
}

void rig_expect_quiet(struct rig_link *link)
{
    const struct msg *msg = rig_next(link);
    if (msg)
        fail_msg("link %llu: an unexpected %s", (unsigned long long)link->id,
                 vn_message_name(msg->kind));
}

struct rig_link *rig_link(struct rig *rig, uint64_t id)
{
    for (uint32_t i = 0; i < rig->link_count; i++)
        if (rig->links[i].id == id)
            return &rig->links[i];
    return NULL;
}

struct rig_link *rig_dial(struct rig *rig)
{
    for (uint32_t i = rig->link_count; i-- > 0;)
        if (rig->links[i].id % 2 == 1 && !rig->links[i].up && !rig->links[i].down)
            return &rig->links[i];
    return NULL;
}

struct vn_peer_info rig_peer(struct rig *rig, const struct rig_link *link)
{
    struct vn_peer_info info = {.size = sizeof info};
    for (uint32_t i = 0; vn_node_peer(rig->node, i, &info); i++) {
        if (info.link == link->id)
            return info;
        info.size = sizeof info;
    }
    fail_msg("link %llu is not shown", (unsigned long long)link->id);
    return info;
}

bool rig_peer_at(struct rig *rig, const struct vn_addr *addr, struct vn_peer_info *out)
{
    out->size = sizeof *out;
    for (uint32_t i = 0; vn_node_peer(rig->node, i, out); i++) {
        if (memcmp(&out->addr, addr, sizeof *addr) == 0)
            return true;
        out->size = sizeof *out;
    }
    return false;
}

struct vn_info rig_info(const struct rig *rig)
{
    struct vn_info info = {.size = sizeof info};
    vn_node_info(rig->node, &info);
    return info;
}

uint32_t rig_traced(const struct rig *rig, enum vn_trace_kind kind)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < rig->trace_count; i++)
        count += rig->traces[i].kind == kind;
    return count;
}

const struct rig_trace *rig_last(const struct rig *rig, enum vn_trace_kind kind)
{
    for (uint32_t i = rig->trace_count; i-- > 0;)
        if (rig->traces[i].kind == kind)
            return &rig->traces[i];
    return NULL;
}
