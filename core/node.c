/* The door: see node.h. One function takes every event, the rooms behind it queue actions, one
 * function gives them out. Nothing in here re-enters. */
#include "core/gossip/bans.h"
#include "core/node_impl.h"
#include "core/peer/dialer.h"

#include <string.h>

static struct vn_shared *shared_new(uint64_t seed)
{
    struct vn_shared *shared = mem_new(1, sizeof *shared);
    net_pools_init(&shared->pools);
    shared->cache = chain_cache_new();
    shared->book = tx_book_new(seed);
    return shared;
}

/* Nodes that share one are simulated: whoever picks ids to fill one slot slows down himself. */
struct vn_shared *vn_shared_new(void)
{
    return shared_new(0);
}

/* A node by itself has a seed that no peer knows. */
static struct vn_shared *shared_own(const struct vn_config *config)
{
    struct rng salt;
    rng_fork(&salt, config->seed, "shared-salt", 0);
    return shared_new(rng_u64(&salt));
}

void vn_shared_free(struct vn_shared *shared)
{
    if (!shared)
        return;
    chain_cache_free(shared->cache);
    net_pools_deinit(&shared->pools);
    tx_book_free(shared->book);
    mem_free(shared);
}

struct vn_node *vn_node_new(const struct vn_config *config)
{
    char why[160];
    if (!vn_config_check(config, why, sizeof why))
        return NULL;
    struct vn_node *node = mem_new(1, sizeof *node);
    node->owns_shared = config->shared == NULL;
    node->shared = config->shared ? config->shared : shared_own(config);
    net_init(&node->net, config, &node->shared->pools);
    gossip_init(&node->gossip, &node->net, node->shared->cache, node->shared->book);
    return node;
}

void vn_node_free(struct vn_node *node)
{
    if (!node)
        return;
    gossip_deinit(&node->gossip);
    net_deinit(&node->net);
    if (node->owns_shared)
        vn_shared_free(node->shared);
    mem_free(node);
}

/* ---- events ---- */

static void on_bytes(struct vn_node *node, uint64_t link, struct vn_slice data)
{
    struct peer *peer = net_receive(&node->net, link, data);
    struct msg msg;
    struct vn_slice payload;
    while (peer && net_next_message(&node->net, peer, &msg, &payload) == NET_MESSAGE)
        router_dispatch(&node->gossip, peer, &msg, payload);
}

static void on_sent(struct vn_node *node, uint64_t link, uint64_t bytes)
{
    net_sent(&node->net, link, bytes);
    struct peer *peer = net_find(&node->net, link);
    if (peer && peer->served_count > 0) {
        serve_run(&node->gossip, peer);
        net_update_reading(&node->net, peer);
    }
}

static void on_timer(struct vn_node *node)
{
    struct timer *timer;
    while ((timer = timers_pop_due(&node->net.timers, node->net.now_ns)) != NULL) {
        struct peer *peer;
        uint32_t due;
        switch ((enum timer_kind)timer->kind) {
        case TIMER_PEER:
            due = net_peer_timer(&node->net, timer, &peer);
            gossip_on_timeouts(&node->gossip, peer, due);
            break;
        case TIMER_DIAL:
            node->net.dial_wanted = true;
            break;
        case TIMER_FEELER:
            dialer_feel(&node->net);
            break;
        case TIMER_SYNC:
        case TIMER_MINE:
        case TIMER_EXPIRE:
        case TIMER_STORE:
        case TIMER_FETCH:
        case TIMER_KINDS:
            gossip_on_timer(&node->gossip, (enum timer_kind)timer->kind);
            break;
        }
    }
}

static void on_clock(struct vn_node *node, uint64_t wall_ns)
{
    uint64_t was_ns = net_wall_ns(&node->net);
    node->net.wall_ns = wall_ns;
    node->net.wall_at_ns = node->net.now_ns;
    bans_on_clock(&node->gossip, was_ns);
}

static void dispatch(struct vn_node *node, const struct vn_event *event)
{
    struct net *net = &node->net;
    struct gossip *g = &node->gossip;
    switch ((enum vn_event_kind)event->kind) {
    case VN_EV_START:
        if (!node->started)
            persist_start(g);
        node->started = true;
        return;
    case VN_EV_LINK_UP:
        net_link_up(net, event);
        return;
    case VN_EV_LINK_DOWN:
        net_link_down(net, event->u.link_down.link, (enum vn_why)event->u.link_down.why);
        return;
    case VN_EV_BYTES:
        on_bytes(node, event->u.bytes.link, event->u.bytes.data);
        return;
    case VN_EV_SENT:
        on_sent(node, event->u.sent.link, event->u.sent.bytes);
        return;
    case VN_EV_TIMER:
        on_timer(node);
        return;
    case VN_EV_CLOCK:
        on_clock(node, event->u.clock.wall_ns);
        return;
    case VN_EV_STORED:
        persist_on_stored(g, event);
        return;
    case VN_EV_LOADED:
        if (!serve_on_loaded(g, event))
            persist_on_loaded(g, event);
        return;
    case VN_EV_COMMAND:
        commands_run(g, event->u.command.token, event->u.command.command);
        return;
    case VN_EV_RESOLVED: /* nothing is resolved yet */
    case VN_EV_COUNT:
        return;
    }
}

/* What every event may have left to do: links that ended, changes to store, free slots to fill. */
static void settle(struct vn_node *node)
{
    struct net *net = &node->net;
    for (struct peer *peer; (peer = net_take_gone(net)) != NULL;) {
        gossip_on_gone(&node->gossip, peer);
        net_release(net, peer);
    }
    persist_flush(&node->gossip);
    if (net->dial_wanted)
        dialer_run(net);
}

void vn_node_step(struct vn_node *node, const struct vn_event *event)
{
    if (event->now_ns > node->net.now_ns)
        node->net.now_ns = event->now_ns;
    if (node->net.cfg.hash == VN_HASH_ALL)
        node->hash = node_hash_event(node->hash, event);
    node->net.work++;
    dispatch(node, event);
    settle(node);
}

bool vn_node_rx(struct vn_node *node, uint64_t link, struct vn_slice *space)
{
    struct peer *peer = net_find(&node->net, link);
    return peer && !peer->closed && framer_space(&peer->framer, space);
}

bool vn_node_next_action(struct vn_node *node, struct vn_action *action)
{
    bool some = net_next_action(&node->net, action);
    if (node->net.cfg.hash == VN_HASH_ALL)
        node->hash = some ? node_hash_action(node->hash, action) : node_hash_drained(node->hash);
    return some;
}

uint64_t vn_node_deadline(const struct vn_node *node)
{
    return timers_next_ns(&node->net.timers);
}

uint64_t vn_node_hash(const struct vn_node *node)
{
    return node->hash;
}
