/* See relay.h. */
#include "core/gossip/relay.h"

void relay_frame(struct gossip *g, struct vn_slice frame, uint32_t kind, const struct peer *from,
                 const uint8_t *block_hash)
{
    net_prefetch_links(g->net);
    enum lane lane = kind == MSG_NEW_BLOCK ? LANE_BLOCK : LANE_TX;
    for (struct peer *peer = g->net->first; peer; peer = peer->next) {
        if (!peer_ready(peer) || peer == from)
            continue;
        if (block_hash && (seen_has(&g->heard, block_hash, peer->slot) ||
                           seen_note(&g->told, block_hash, peer->slot)))
            continue;
        net_send(g->net, peer, vn_slice_ref(frame), kind, lane);
    }
}
