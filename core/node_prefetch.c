/* Asking early for the memory that the bytes of a link will touch. Nothing here changes anything,
 * and nothing depends on it but time. */
#include "core/node_impl.h"

#define LINE 64u

/* Asks for the cache lines of [from, to). */
static void lines(const void *from, const void *to)
{
    for (const char *at = from; at < (const char *)to; at += LINE)
        __builtin_prefetch(at);
}

void vn_node_prefetch(const struct vn_node *node, uint64_t link, struct vn_slice data,
                      uint32_t soon)
{
    const struct net *net = &node->net;
    const struct peer *peer;
    (void)data; /* nothing is looked for by it today */
    switch ((enum vn_soon)soon) {
    case VN_SOON_NODE:
        lines(&net->cfg.shared, &net->addrs);
        lines(&node->hash, &node->hash + 1);
        lines(&node->gossip, &node->gossip.heard);
        lines(&node->gossip.store_from, &node->gossip.store_count + 1);
        return;
    case VN_SOON_LINK:
        u64map_prefetch(&net->by_link, link);
        mempool_prefetch(node->gossip.pool, 0);
        return;
    case VN_SOON_PEER:
        peer = u64map_guess(&net->by_link, link);
        if (peer)
            lines(peer, (const char *)peer + PEER_IN);
        mempool_prefetch(node->gossip.pool, 1);
        return;
    case VN_SOON_DATA:
        mempool_prefetch(node->gossip.pool, 2);
        return;
    }
}
