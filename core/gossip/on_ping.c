/* Ping is answered by Pong, in order. A flood of them stops being read when the answers pile up,
 * and ends the link (see core/peer/limits.h). */
#include "core/gossip/gossip.h"

void on_ping(struct gossip *g, struct peer *peer, uint64_t nonce)
{
    net_send_pong(g->net, peer, nonce);
    net_update_reading(g->net, peer);
}
