/* The router: which message goes where. Only switches. */
#include "core/gossip/gossip.h"
#include "core/peer/handshake.h"

void router_dispatch(struct gossip *g, struct peer *peer, const struct msg *msg,
                     struct vn_slice payload)
{
    if (!peer_ready(peer)) {
        if (handshake_on_message(g->net, peer, msg))
            gossip_on_ready(g, peer);
        return;
    }
    switch ((enum msg_kind)msg->kind) {
    case MSG_HANDSHAKE:
        net_violation(g->net, peer, "a second handshake");
        return;
    case MSG_NEW_BLOCK:
        if (net_charge(g->net, peer, LIMIT_BLOCK, payload.len))
            on_new_block(g, peer, &msg->u.block, payload, msg->used);
        return;
    case MSG_NEW_TRANSACTION:
        on_new_transaction(g, peer, &msg->u.tx, payload, msg->used);
        return;
    case MSG_REQUEST_BLOCK:
        on_request_block(g, peer, msg->u.request_block.height);
        return;
    case MSG_RESPONSE_BLOCK:
        on_response_block(g, peer, msg->u.response_block.some ? &msg->u.response_block.block : NULL,
                          payload);
        return;
    case MSG_REQUEST_BLOCK_RANGE:
        on_request_block_range(g, peer, msg->u.request_range.start, msg->u.request_range.end);
        return;
    case MSG_RESPONSE_BLOCK_RANGE:
        on_response_block_range(g, peer, msg, payload);
        return;
    case MSG_PING:
        if (net_charge(g->net, peer, LIMIT_PING, payload.len))
            on_ping(g, peer, msg->u.ping.nonce);
        return;
    case MSG_PONG:
        on_pong(g, peer, msg->u.pong.nonce);
        return;
    case MSG_DISCONNECT:
        net_disconnected(g->net, peer, msg->u.disconnect.reason);
        return;
    case MSG_KINDS:
        break;
    }
}
