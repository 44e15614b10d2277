/* Looking in: copies of a node's state, never a pointer into it. See node.h. */
#include "core/gossip/account.h"
#include "core/node_impl.h"

#include <string.h>

/* Copies `size` bytes of *from, or what the caller's build has room for. */
static void give(void *to, uint32_t to_size, void *from, uint32_t size)
{
    memcpy(from, &to_size, sizeof to_size);
    memcpy(to, from, to_size < size ? to_size : size);
}

void vn_node_info(const struct vn_node *node, struct vn_info *out)
{
    const struct net *net = &node->net;
    const struct chain *chain = node->gossip.chain;
    const struct block_record *tip = chain_tip(chain);
    uint32_t links = net->outbound + net->inbound + net->feelers;
    struct vn_info info = {
        .outbound = net->ready_out,
        .inbound = net->ready_in,
        .connecting = links - net->ready_out - net->ready_in,
        .known = net->addrs.count,
        .banned = net->scores.bans,
        .mempool = mempool_count(node->gossip.pool),
        .orphans = chain_orphan_count(chain),
        .height = tip->height,
        .total_difficulty_lo = (uint64_t)tip->total_difficulty,
        .total_difficulty_hi = (uint64_t)(tip->total_difficulty >> 64),
        .wall_ns = net_wall_ns(net),
        .hash = node->hash,
        .work = net->work,
        .online = net->online,
    };
    for (const struct peer *peer = net->first; peer; peer = peer->next)
        info.held_bytes += account_held(&node->gossip, peer);
    memcpy(info.tip, tip->hash, sizeof info.tip);
    give(out, out->size, &info, sizeof info);
}

static void copy_text(char *out, size_t size, const char *text)
{
    size_t len = strlen(text);
    len = len < size ? len : size - 1;
    memcpy(out, text, len);
    out[len] = '\0';
}

static void peer_info(const struct net *net, const struct peer *peer, struct vn_peer_info *info)
{
    *info = (struct vn_peer_info){
        .state = peer->state,
        .link = peer->link,
        .link_class = peer->link_class,
        .score = net_score_of(net, peer->rep),
        .addr = peer->remote,
        .listen = peer_listen(peer),
        .rtt_ns = peer->met ? peer->rtt_ns : 0,
        .bytes_in = peer->bytes_in,
        .bytes_out = peer->bytes_out,
        .msgs_in = peer->msgs_in,
        .msgs_out = peer->msgs_out,
        .last_seen_ns = peer->last_seen_ns,
        .up_ns = peer->up_ns,
        .best_height = peer->best_height,
        .outbox_bytes = outbox_bytes(&peer->outbox),
    };
    copy_text(info->node_id, sizeof info->node_id, peer_node_id(peer));
    copy_text(info->version, sizeof info->version, peer_version(peer));
}

static void addr_info(const struct net *net, const struct addr_entry *entry,
                      struct vn_peer_info *info)
{
    uint8_t key[32];
    const struct reputation *rep = NULL;
    if (net_entry_key(net, entry, key))
        rep = scores_find(&net->scores, key);
    uint32_t state = VN_PEER_DISCONNECTED;
    if (score_banned(rep, net->now_ns))
        state = VN_PEER_BANNED;
    else if (addr_given_up(entry, &net->policy))
        state = VN_PEER_FAILED;
    *info = (struct vn_peer_info){
        .state = state,
        .score = net_score_of(net, rep),
        .addr = entry->addr,
        .listen = entry->addr,
        .last_seen_ns = entry->last_seen_ns,
        .failures = entry->failures,
    };
}

/* The index-th known address without a link. */
static const struct addr_entry *idle_addr(const struct addrs *addrs, uint32_t index)
{
    for (uint32_t i = 0; i < addrs->count; i++) {
        const struct addr_entry *entry = &addrs->entries[i];
        if (entry->link == 0 && !entry->self && index-- == 0)
            return entry;
    }
    return NULL;
}

bool vn_node_peer(const struct vn_node *node, uint32_t index, struct vn_peer_info *out)
{
    struct vn_peer_info info;
    const struct peer *peer = node->net.first;
    while (peer && (peer->closed || index > 0)) {
        index -= !peer->closed;
        peer = peer->next;
    }
    if (peer) {
        peer_info(&node->net, peer, &info);
        info.held_bytes = account_held(&node->gossip, peer);
    } else {
        const struct addr_entry *entry = idle_addr(&node->net.addrs, index);
        if (!entry)
            return false;
        addr_info(&node->net, entry, &info);
    }
    give(out, out->size, &info, sizeof info);
    return true;
}

static void ban_info(const struct net *net, const struct reputation *rep, struct vn_ban_info *info)
{
    *info = (struct vn_ban_info){.left_ns = rep->banned_until_ns - net->now_ns};
    info->by_id = !score_key_addr(rep->key, &info->addr);
    if (info->by_id)
        memcpy(info->id_hash, rep->key, sizeof info->id_hash);
}

uint32_t vn_node_bans(const struct vn_node *node, struct vn_ban_info *out, uint32_t max)
{
    const struct net *net = &node->net;
    const uint32_t size = max ? out->size : 0;
    uint32_t count = 0;
    for (const struct reputation *rep = net->scores.first; rep && count < max; rep = rep->next) {
        struct vn_ban_info info;
        if (!score_banned(rep, net->now_ns))
            continue;
        ban_info(net, rep, &info);
        give((uint8_t *)out + (size_t)size * count++, size, &info, sizeof info);
    }
    return count;
}

bool vn_node_block_hash(const struct vn_node *node, uint64_t height, uint8_t hash[32])
{
    const struct block_record *record = chain_at(node->gossip.chain, height);
    if (!record)
        return false;
    memcpy(hash, record->hash, 32);
    return true;
}

uint32_t vn_node_has_tx(const struct vn_node *node, const uint8_t id[32])
{
    return mempool_has(node->gossip.pool, id);
}
