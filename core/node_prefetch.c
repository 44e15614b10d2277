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

/* The id of the transaction that data begins with, or NULL if it begins with something else. */
static const uint8_t *tx_id_of(struct vn_slice data)
{
    const uint8_t *bytes = vn_slice_data(data);
    if (data.len < FRAME_HEADER + 4 + HASH_SIZE ||
        get_le32(bytes + FRAME_HEADER) != MSG_NEW_TRANSACTION)
        return NULL;
    return bytes + FRAME_HEADER + 4;
}

void vn_node_prefetch(const struct vn_node *node, uint64_t link, struct vn_slice data,
                      uint32_t soon)
{
    const struct net *net = &node->net;
    const uint8_t *id = soon == VN_SOON_PEER || soon == VN_SOON_DATA ? tx_id_of(data) : NULL;
    const struct peer *peer;
    switch ((enum vn_soon)soon) {
    case VN_SOON_NODE:
        lines(&net->cfg.shared, &net->addrs);
        lines(&node->hash, &node->hash + 1);
        lines(&node->gossip, &node->gossip.heard);
        lines(&node->gossip.store_from, &node->gossip.store_count + 1);
        return;
    case VN_SOON_LINK:
        u64map_prefetch(&net->by_link, link);
        mempool_prefetch(node->gossip.pool, NULL, false);
        return;
    case VN_SOON_PEER:
        peer = u64map_guess(&net->by_link, link);
        if (peer)
            lines(peer, (const char *)peer + PEER_IN);
        if (id)
            mempool_prefetch(node->gossip.pool, id, false);
        return;
    case VN_SOON_DATA:
        if (id)
            mempool_prefetch(node->gossip.pool, id, true);
        return;
    }
}
