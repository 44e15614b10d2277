/* A line of blocks, and a scripted peer that has all of them: for tests of catching up. */
#ifndef NODE_FULL_PEER_H
#define NODE_FULL_PEER_H

#include "tests/node/rig.h"

#include <string.h>

#define LINE 450u

static struct vn_buf *line[LINE + 1];

static inline int make_line(void **state)
{
    (void)state;
    forge_line(line, LINE, 1);
    return 0;
}

static inline int drop_line(void **state)
{
    (void)state;
    forge_drop(line, LINE + 1);
    return 0;
}

static inline bool at_tip(const struct rig *rig, const struct vn_buf *block)
{
    struct vn_info info = rig_info(rig);
    return memcmp(info.tip, forge_view(block).hash, 32) == 0;
}

/* Answers one unread request like a peer with blocks[0..height], at most `most` blocks in a range;
 * false if there is none. */
static inline bool serve_one(struct rig *rig, struct rig_link *link, struct vn_buf *const *blocks,
                             uint64_t height, uint32_t most)
{
    const struct msg *msg = link->closed ? NULL : rig_next(link);
    if (!msg)
        return false;
    if (msg->kind == MSG_PING) {
        rig_msg(rig, link, &(struct msg){.kind = MSG_PONG, .u.pong.nonce = msg->u.ping.nonce});
    } else if (msg->kind == MSG_REQUEST_BLOCK) {
        uint64_t h = msg->u.request_block.height;
        h = h == HEIGHT_NEWEST ? height : h;
        rig_frame(rig, link, forge_response(h <= height ? blocks[h] : NULL));
    } else if (msg->kind == MSG_REQUEST_BLOCK_RANGE) {
        uint64_t start = msg->u.request_range.start, end = msg->u.request_range.end;
        assert_in_range(end - start, 0, 99);
        end = end > height ? height : end;
        uint32_t count = start <= end ? (uint32_t)(end - start + 1) : 0;
        count = count < most ? count : most;
        rig_frame(rig, link, forge_range(blocks + (count ? start : 0), count));
    }
    return true;
}

#endif
