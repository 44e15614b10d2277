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
