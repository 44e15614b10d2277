/* Ping is answered by Pong, in order. A flood of them stops being read when the answers pile up. */
#include "core/gossip/gossip.h"

void on_ping(struct gossip *g, struct peer *peer, uint64_t nonce)
{
    struct msg pong = {.kind = MSG_PONG, .u.pong.nonce = nonce};
    net_send_msg(g->net, peer, &pong, LANE_CONTROL);
    net_update_reading(g->net, peer);
}
