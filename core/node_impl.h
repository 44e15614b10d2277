/* What vn_node and vn_shared are inside. For node*.c alone. */
#ifndef NODE_IMPL_H
#define NODE_IMPL_H

#include "core/gossip/gossip.h"

struct vn_shared {
    struct net_pools pools;
    struct tx_book *book;
    struct chain_cache *cache;
};

struct vn_node {
    struct net net;
    struct gossip gossip;
    struct vn_shared *shared;
    uint64_t hash;
    bool owns_shared;
    bool started;
};

/* ---- node_hash.c: the trace hash over the fields of events and actions ---- */
uint64_t node_hash_event(uint64_t hash, const struct vn_event *event);
uint64_t node_hash_action(uint64_t hash, const struct vn_action *action);
uint64_t node_hash_drained(uint64_t hash);

#endif
