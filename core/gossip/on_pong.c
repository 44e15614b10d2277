/* Pong ends the wait of our own Ping and measures the round trip; any other is ignored, but
 * counted. */
#include "core/gossip/gossip.h"

void on_pong(struct gossip *g, struct peer *peer, uint64_t nonce)
{
    if (peer->ping_ns == 0 || nonce != peer->ping_nonce) {
        net_charge(g->net, peer, LIMIT_UNASKED, 0);
        return;
    }
    peer->rtt_ns = g->net->now_ns - peer->ping_ns;
    peer->ping_ns = 0;
    net_peer_rearm(g->net, peer);
}
