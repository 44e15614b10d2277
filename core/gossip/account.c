/* See account.h. */
#include "core/gossip/account.h"

#include "core/gossip/sync_fetch.h"

#include <string.h>

static uint64_t kept(const struct gossip *g, const struct peer *peer)
{
    uint64_t bytes = mempool_brought_bytes(g->pool, peer->slot);
    if (chain_orphan_count(g->chain) > 0)
        bytes += chain_orphan_bytes_from(g->chain, peer->link);
    return bytes;
}

uint64_t account_held(const struct gossip *g, const struct peer *peer)
{
    uint64_t bytes = sizeof *peer + framer_bytes(&peer->framer) + outbox_bytes(&peer->outbox);
    bytes += (uint64_t)peer->outbox.frames * sizeof(struct outbox_entry);
    bytes += peer_errands_bytes(peer);
    if (peer->names)
        bytes += strlen(peer_node_id(peer)) + strlen(peer_version(peer)) + 2;
    return bytes + fetch_held_from(&g->sync, peer->link) + kept(g, peer);
}

bool account_full(const struct gossip *g, const struct peer *peer, uint64_t more)
{
    const struct vn_config *cfg = &g->net->cfg;
    uint64_t max = cfg->peer_bytes_max;
    uint64_t brought = mempool_brought_bytes(g->pool, peer->slot);
    if (add_sat(brought, add_sat(cfg->orphan_bytes_max, more)) <= max)
        return false; /* whosever the orphans are: no need to look at each */
    uint64_t bytes = kept(g, peer);
    return bytes > max || more > max - bytes;
}
