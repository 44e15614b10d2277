/* See own.h. */
#include "core/gossip/own.h"

#include <string.h>

#define OWN_FIRST 8u

/* Forgets what is too old. What a block took stays, since a reorganisation may put it back. */
static void own_prune(struct gossip *g)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < g->own_count; i++)
        if (mempool_has(g->pool, g->own[i]) != 0)
            memmove(g->own[kept++], g->own[i], HASH_SIZE);
    g->own_count = kept;
}

void own_add(struct gossip *g, const uint8_t id[32])
{
    if (g->own_count == g->own_capacity)
        own_prune(g);
    if (g->own_count == OWN_MAX)
        memmove(g->own[0], g->own[1], (size_t)--g->own_count * HASH_SIZE);
    if (g->own_count == g->own_capacity) {
        uint32_t more = g->own_capacity ? g->own_capacity * 2 : OWN_FIRST;
        g->own_capacity = more < OWN_MAX ? more : OWN_MAX;
        g->own = mem_resize(g->own, g->own_capacity, HASH_SIZE);
    }
    memcpy(g->own[g->own_count++], id, HASH_SIZE);
}

void own_announce(struct gossip *g, struct peer *peer)
{
    own_prune(g);
    for (uint32_t i = 0; i < g->own_count && !peer->closed; i++) {
        if (mempool_has(g->pool, g->own[i]) != 1)
            continue;
        struct vn_slice raw = mempool_raw(g->pool, g->own[i]);
        struct msg msg = {.kind = MSG_NEW_TRANSACTION};
        struct reader r = reader_over(vn_slice_data(raw), raw.len);
        wire_read_tx(&r, &msg.u.tx);
        if (r.ok)
            net_send_msg(g->net, peer, &msg, LANE_TX);
    }
}

void own_deinit(struct gossip *g)
{
    mem_free(g->own);
}
