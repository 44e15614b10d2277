/* Pong ends the wait of our own Ping and measures the round trip; any other is ignored, but
 * counted. */
#include "core/gossip/gossip.h"

void on_pong(struct gossip *g, struct peer *peer, uint64_t nonce)
{
    const struct errands *errands = peer->errands;
    if (errands->ping_ns == 0 || nonce != errands->ping_nonce) {
        net_charge(g->net, peer, LIMIT_UNASKED, 0);
        return;
    }
    peer->rtt_ns = g->net->now_ns - errands->ping_ns;
    peer->own_errands->ping_ns = 0;
    peer_errands_end(peer);
    net_peer_rearm(g->net, peer);
}
