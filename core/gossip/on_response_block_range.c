/* ResponseBlockRange: must fit what was asked: ascending one by one from the start, no more than
 * asked for (by this request or, where an earlier one was given up, by that), each the parent of
 * the next. Then the synchroniser takes it. One that nobody asked for
 * is ignored. */
#include "core/gossip/gossip.h"

void on_response_block_range(struct gossip *g, struct peer *peer, const struct msg *msg,
                             struct vn_slice payload)
{
    struct request *request = &peer->own_errands->requests[REQUEST_RANGE];
    enum asked_fit fit = request_open(request) ? asked_fit_range(request, msg) : ASKED_MISFIT;
    if (fit == ASKED_MISFIT && request->abandoned > 0) {
        request->abandoned--; /* a late answer: they come in the order of their requests */
        return;
    }
    if (!asked_for(g, peer, REQUEST_RANGE, payload.len))
        return;
    switch (fit) {
    case ASKED_MISFIT:
        net_violation(g->net, peer, "blocks that do not fit the range asked for");
        return;
    case ASKED_UNLINKED:
        net_trace(g->net, &(struct vn_trace){.kind = VN_TR_BLOCK_BAD,
                                             .link = peer->link,
                                             .addr = &peer->remote,
                                             .a = request->start,
                                             .text = rule_name(RULE_B2_PREV_HASH)});
        net_score(g->net, peer, SCORE_INVALID_BLOCK);
        if (!peer->closed)
            net_close(g->net, peer, VN_WHY_PROTOCOL);
        return;
    case ASKED_FITS:
        break;
    }
    net_request_done(g->net, peer, REQUEST_RANGE);
    if (msg->u.response_range.count > 0)
        net_score(g->net, peer, SCORE_USEFUL_DATA);
    sync_on_range(g, peer, msg, payload);
}
