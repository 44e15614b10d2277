/* ResponseBlock: the newest block of a peer, which goes into the chain or shows what is missing, or
 * the answer to a probe of the synchroniser. One that nobody asked for is ignored. */
#include "core/gossip/gossip.h"
#include "core/peer/dialer.h"

#define QUICK_NS UINT64_C(1000000000)

/* A feeler has done its work once its chain is known: it stays only where that differs from ours */
static void feeler_done(struct gossip *g, struct peer *peer, bool differs)
{
    if (peer->link_class != VN_CLASS_FEELER || peer->closed)
        return;
    if (differs)
        dialer_promote(g->net, peer);
    else
        net_close(g->net, peer, VN_WHY_SHUTDOWN);
}

static void on_tip(struct gossip *g, struct peer *peer, const struct block_view *block,
                   struct vn_slice payload)
{
    if (!block) {
        feeler_done(g, peer, false);
        return;
    }
    struct vn_slice body = {payload.buf,
                            payload.off + (uint32_t)(block->raw.data - vn_slice_data(payload)),
                            (uint32_t)block->raw.len};
    bool beneath = sync_beneath(g, block); /* on another branch, and may want ours */
    enum chain_result result = blocks_add(g, peer, block, body, FROM_GOSSIP, (struct vn_slice){0});
    if (peer->closed)
        return;
    bool leads = g->sync.state != SYNC_IDLE && g->sync.leader == peer->link;
    feeler_done(g, peer, result == CHAIN_ORPHAN || leads || beneath);
    sync_shown(g, peer, block, result);
}

void on_response_block(struct gossip *g, struct peer *peer, const struct block_view *block,
                       struct vn_slice payload)
{
    struct request *request = &peer->own_errands->requests[REQUEST_BLOCK];
    bool exact =
        request_open(request) && !peer->asked_tip && block && block->height == request->start;
    if (!exact && request->abandoned > 0) {
        request->abandoned--; /* a late answer: they come in the order of their requests */
        return;
    }
    if (!asked_for(g, peer, REQUEST_BLOCK, payload.len))
        return;
    if (block && !peer->asked_tip && !exact) {
        net_violation(g->net, peer, "a block of another height than asked for");
        return;
    }
    bool quick = g->net->now_ns - request->sent_ns < QUICK_NS;
    net_request_done(g->net, peer, REQUEST_BLOCK);
    if (quick)
        net_score(g->net, peer, SCORE_QUICK_RESPONSE);
    if (peer->asked_tip)
        on_tip(g, peer, block, payload);
    else
        sync_on_block(g, peer, block);
    if (peer->closed)
        return;
    sync_run(g);
    peer_errands_end(peer); /* mostly it was all that was under way */
}
