/* Looking in, item by item: copies of what a node holds, for whoever must know all of it. Nothing
 * here is called while a node works, so an item is found by walking to it. See node.h. */
#include "core/node_impl.h"

#include <string.h>

/* Copies `size` bytes of *from, or what the caller's build has room for. */
static bool give(void *to, void *from, uint32_t size)
{
    uint32_t to_size;
    memcpy(&to_size, to, sizeof to_size);
    memcpy(from, &to_size, sizeof to_size);
    memcpy(to, from, to_size < size ? to_size : size);
    return true;
}

static bool look_config(const struct vn_node *node, uint32_t index, void *out)
{
    struct vn_config config = node->net.cfg;
    config.shared = NULL;
    config.on_trace = NULL;
    config.trace_ctx = NULL;
    return index == 0 && give(out, &config, sizeof config);
}

/* ---- links and what waits on them ---- */

static void link_requests(const struct peer *peer, struct vn_look_link *link)
{
    _Static_assert((int)REQUEST_KINDS == (int)VN_REQUESTS, "requests");
    for (uint32_t i = 0; i < VN_REQUESTS; i++) {
        const struct request *request = &peer->errands->requests[i];
        link->requests[i].start = request->start;
        link->requests[i].end = request->end;
        link->requests[i].deadline_ns = request->deadline_ns;
        link->requests[i].abandoned = request->abandoned;
        link->requests[i].timeouts = request->timeouts;
    }
}

static bool look_link(const struct vn_node *node, uint32_t index, void *out)
{
    const struct peer *peer = node->net.first;
    while (peer && (peer->closed || index > 0)) {
        index -= !peer->closed;
        peer = peer->next;
    }
    if (!peer)
        return false;
    struct vn_look_link link = {
        .window = peer->window,
        .link = peer->link,
        .frames = peer->outbox.frames,
        .served = peer->served_count,
        .read_stopped = peer->read_stopped,
        .closed = peer->closed,
        .framed_bytes = (uint32_t)framer_bytes(&peer->framer),
        .ping_ns = peer->errands->ping_ns,
        .began_ns = peer->began_ns,
        .ready_ns = peer->ready_ns,
    };
    _Static_assert((int)LANES == (int)VN_LANES && (int)LIMIT_KINDS == (int)VN_LIMITS, "sizes");
    memcpy(link.lane_bytes, peer->outbox.lane_bytes, sizeof link.lane_bytes);
    if (peer->outbox.begun)
        link.begun_bytes = peer->outbox.begun->frame.len - peer->outbox.begun_sent;
    for (uint32_t i = 0; i < VN_LIMITS; i++)
        link.full_ns[i] = peer->limits.of[i].full_ns;
    link_requests(peer, &link);
    return give(out, &link, sizeof link);
}

/* The index-th entry of an outbox, or NULL with *index less by how many there are. */
static const struct outbox_entry *queued_entry(const struct outbox *box, uint32_t *index)
{
    if (box->begun && (*index)-- == 0)
        return box->begun;
    for (uint32_t lane = 0; lane < LANES; lane++) {
        const struct outbox_entry *last = box->last[lane];
        const struct outbox_entry *entry = last ? last->next : NULL; /* the lane's first */
        for (; entry; entry = entry != last ? entry->next : NULL)
            if ((*index)-- == 0)
                return entry;
    }
    return NULL;
}

static bool look_queued(const struct vn_node *node, uint32_t index, void *out)
{
    const struct outbox_entry *entry = NULL;
    const struct peer *peer = node->net.first;
    for (; peer; peer = peer->next)
        if ((entry = queued_entry(&peer->outbox, &index)))
            break;
    if (!entry)
        return false;
    const bool begun = entry == peer->outbox.begun;
    struct vn_look_queued queued = {
        .lane = entry->lane,
        .link = peer->link,
        .message = entry->kind,
        .count = entry->count,
        .bytes = entry->frame.len - (begun ? peer->outbox.begun_sent : 0),
        .begun = begun,
    };
    return give(out, &queued, sizeof queued);
}

/* ---- timers and catching up ---- */

static bool look_timer(const struct vn_node *node, uint32_t index, void *out)
{
    static const char *const names[TIMER_KINDS] = {
        [TIMER_PEER] = "peer",   [TIMER_DIAL] = "dial",  [TIMER_FEELER] = "feeler",
        [TIMER_SYNC] = "sync",   [TIMER_MINE] = "mine",  [TIMER_EXPIRE] = "expire",
        [TIMER_STORE] = "store", [TIMER_FETCH] = "fetch"};
    const struct timers *timers = &node->net.timers;
    if (index >= timers->count)
        return false;
    const struct timer *at = timers->heap[index];
    struct vn_look_timer timer = {.at_ns = at->at_ns};
    for (const struct peer *p = node->net.first; p && at->kind == TIMER_PEER; p = p->next)
        if (&p->timer == at)
            timer.link = p->link;
    const char *name = at->kind < TIMER_KINDS ? names[at->kind] : "?";
    memcpy(timer.kind, name, strlen(name));
    return give(out, &timer, sizeof timer);
}

static bool look_sync(const struct vn_node *node, uint32_t index, void *out)
{
    static const char *const names[] = {
        [SYNC_IDLE] = "idle", [SYNC_LOCATING] = "locating", [SYNC_FETCHING] = "fetching"};
    const struct gossip *g = &node->gossip;
    struct vn_look_sync sync = {
        .loading = g->loading,
        .leader = g->sync.leader,
        .target = g->sync.target,
        .connect = g->sync.connect,
        .gained = g->sync.gained,
        .held_bytes = g->sync.held_bytes,
        .store_from = g->store_from,
        .stores = g->store_count,
        .mine_interval_ns = g->mine_interval_ns,
    };
    memcpy(sync.state, names[g->sync.state], strlen(names[g->sync.state]));
    return index == 0 && give(out, &sync, sizeof sync);
}

/* ---- the chain and what waits for it ---- */

static bool give_block(void *out, const struct block_record *record, uint32_t bytes,
                       uint64_t source)
{
    struct vn_look_block block = {
        .bytes = bytes,
        .height = record->height,
        .timestamp = record->timestamp,
        .source = source,
    };
    memcpy(block.hash, record->hash, sizeof block.hash);
    memcpy(block.prev_hash, record->prev_hash, sizeof block.prev_hash);
    return give(out, &block, sizeof block);
}

static bool look_block(const struct vn_node *node, uint32_t index, void *out)
{
    const struct chain *chain = node->gossip.chain;
    const uint64_t height = chain_height(chain);
    if (index > height)
        return false;
    const struct block_record *record = chain_at(chain, height - index);
    return give_block(out, record, chain_body(chain, record).len, 0);
}

static bool look_orphan(const struct vn_node *node, uint32_t index, void *out)
{
    uint64_t source;
    const struct block_record *record = chain_orphan_at(node->gossip.chain, index, &source);
    return record && give_block(out, record, record->body.len, source);
}

static bool look_tx(const struct vn_node *node, uint32_t index, void *out)
{
    struct vn_look_tx tx = {.bytes = 0};
    if (!mempool_at(node->gossip.pool, index, tx.id, &tx.bytes, &tx.timestamp))
        return false;
    return give(out, &tx, sizeof tx);
}

static bool look_addr(const struct vn_node *node, uint32_t index, void *out)
{
    const struct addrs *addrs = &node->net.addrs;
    if (index >= addrs->count)
        return false;
    const struct addr_entry *entry = &addrs->entries[index];
    struct vn_look_addr addr = {
        .failures = entry->failures,
        .addr = entry->addr,
        .next_try_ns = entry->next_try_ns,
        .last_seen_ns = entry->last_seen_ns,
        .link = entry->link,
        .seed = entry->seed,
        .self = entry->self,
        .anchor = entry->anchor,
    };
    return give(out, &addr, sizeof addr);
}

bool vn_node_look(const struct vn_node *node, uint32_t what, uint32_t index, void *out)
{
    switch ((enum vn_look)what) {
    case VN_LOOK_CONFIG:
        return look_config(node, index, out);
    case VN_LOOK_LINK:
        return look_link(node, index, out);
    case VN_LOOK_QUEUED:
        return look_queued(node, index, out);
    case VN_LOOK_TIMER:
        return look_timer(node, index, out);
    case VN_LOOK_SYNC:
        return look_sync(node, index, out);
    case VN_LOOK_BLOCK:
        return look_block(node, index, out);
    case VN_LOOK_ORPHAN:
        return look_orphan(node, index, out);
    case VN_LOOK_TX:
        return look_tx(node, index, out);
    case VN_LOOK_ADDR:
        return look_addr(node, index, out);
    }
    return false;
}
