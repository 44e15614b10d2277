/* Which answers are listened to (PROTOCOL-0.1 section 5). There are no request ids: an answer is
 * taken for that of the outstanding request of its kind, and where there is none it must change
 * nothing. */
#include "core/gossip/gossip.h"

bool asked_for(struct gossip *g, struct peer *peer, enum request_kind kind, uint32_t bytes)
{
    if (request_open(&peer->errands->requests[kind]))
        return true;
    net_charge(g->net, peer, LIMIT_UNASKED, bytes);
    return false;
}

enum asked_fit asked_fit_range(const struct request *request, const struct msg *msg)
{
    uint64_t count = msg->u.response_range.count;
    uint64_t asked = request->end - request->start + 1;
    if (count > asked && request->abandoned == 0)
        return ASKED_MISFIT;
    struct reader r =
        reader_over(msg->u.response_range.blocks.data, msg->u.response_range.blocks.len);
    const uint8_t *parent = NULL;
    for (uint64_t i = 0; i < count; i++) {
        struct block_view block;
        wire_read_block(&r, &block);
        if (block.height != request->start + i)
            return ASKED_MISFIT;
        if (parent && !hash_eq(parent, block.prev_hash))
            return ASKED_UNLINKED;
        parent = block.hash;
    }
    return ASKED_FITS;
}
