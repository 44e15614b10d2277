/* Pong ends the wait of our own Ping and measures the round trip; of Pings that a command had us
 * send the last one does. Any other is ignored, but counted. */
#include "core/gossip/gossip.h"

void on_pong(struct gossip *g, struct peer *peer, uint64_t nonce)
{
    const struct errands *errands = peer->errands;
    if (errands->pongs_owed > 0) {
        peer->own_errands->pongs_owed--;
        if (errands->pongs_owed > 0)
            return;
    } else if (errands->ping_ns == 0 || nonce != errands->ping_nonce) {
        net_charge(g->net, peer, LIMIT_UNASKED, 0);
        return;
    }
    if (errands->ping_ns == 0 || nonce != errands->ping_nonce)
        return;
    peer->rtt_ns = g->net->now_ns - errands->ping_ns;
    peer->own_errands->ping_ns = 0;
    peer_errands_end(peer);
    net_peer_rearm(g->net, peer);
}
