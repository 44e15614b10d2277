/* See net.h. This file: making and ending links, and taking their bytes apart. */
#include "core/peer/net.h"

#include "core/crypto/sha256.h"
#include "core/peer/admit.h"
#include "core/peer/anchors.h"

#include <assert.h>
#include <string.h>

/* Slots for links beyond max_inbound and max_outbound: feelers, and dials that were ordered. */
#define SLOTS_MORE 16u

/* Links beyond that many have no slot: what they sent is not remembered link by link. */
#define SLOTS_MAX 20000u

/* More peers than the nearest cache holds are not asked for together. */
#define LINKS_AT_ONCE 48u

/* What one identity per known peer and some strangers need. */
#define SCORES_PER_KNOWN_PEER 4u

void net_pools_init(struct net_pools *pools)
{
    mem_pool_init(&pools->outbox_entries, sizeof(struct outbox_entry));
    mem_pool_init(&pools->action_entries, sizeof(struct action_entry));
    mem_pool_init(&pools->peers, sizeof(struct peer));
    mem_pool_init(&pools->reputations, sizeof(struct reputation));
    names_book_init(&pools->names);
}

/* The nodes are gone: what none of them gave back is lost. */
static void pool_deinit(struct mem_pool *pool)
{
    assert(pool->live == 0);
    mem_pool_deinit(pool);
}

void net_pools_deinit(struct net_pools *pools)
{
    pool_deinit(&pools->outbox_entries);
    pool_deinit(&pools->action_entries);
    pool_deinit(&pools->peers);
    pool_deinit(&pools->reputations);
    names_book_deinit(&pools->names);
}

static struct vn_buf *hello_new(const struct vn_config *cfg)
{
    struct msg msg = {.kind = MSG_HANDSHAKE};
    msg.u.handshake.version =
        (struct bytes_view){(const uint8_t *)cfg->version, strlen(cfg->version)};
    msg.u.handshake.node_id =
        (struct bytes_view){(const uint8_t *)cfg->node_id, strlen(cfg->node_id)};
    msg.u.handshake.listen = cfg->listen;
    return msg_frame(&msg);
}

void net_init(struct net *net, const struct vn_config *cfg, struct net_pools *pools)
{
    *net = (struct net){.cfg = *cfg, .pools = pools, .next_link = 1, .next_token = 1};
    net->cfg.seeds = NULL;
    struct rng salt;
    rng_fork(&salt, cfg->seed, "salt", 0);
    timers_init(&net->timers);
    u64map_init(&net->by_link, offsetof(struct peer, link), rng_u64(&salt));
    scores_init(&net->scores, &pools->reputations, cfg->known_peers * SCORES_PER_KNOWN_PEER,
                rng_u64(&salt));
    rng_fork(&net->dial_rng, cfg->seed, "dial", 0);
    rng_fork(&net->backoff_rng, cfg->seed, "backoff", 0);
    rng_fork(&net->ping_rng, cfg->seed, "ping", 0);
    rng_fork(&net->feeler_rng, cfg->seed, "feeler", 0);
    net->dial_timer.kind = TIMER_DIAL;
    net->feeler_timer.kind = TIMER_FEELER;
    net->policy = (struct addrs_policy){.backoff_base_ns = cfg->backoff_base_ns,
                                        .retry_failed_ns = cfg->retry_failed_ns,
                                        .give_up_after = cfg->give_up_after};
    addrs_init(&net->addrs, cfg->known_peers);
    for (uint32_t i = 0; i < cfg->seed_count; i++) {
        struct addr_entry *entry = addrs_add(&net->addrs, &cfg->seeds[i], true, 0);
        if (entry && addr_equal(&entry->addr, &cfg->listen))
            entry->self = true;
    }
    net->slot_count = cfg->max_inbound + cfg->max_outbound + SLOTS_MORE;
    if (net->slot_count > SLOTS_MAX)
        net->slot_count = SLOTS_MAX;
    net->slots = mem_new((net->slot_count + 63) / 64, sizeof *net->slots);
    sha256(net->id_hash, cfg->node_id, strlen(cfg->node_id));
    net->hello = hello_new(cfg);
}

static void peer_free(struct net *net, struct peer *peer)
{
    if (peer->send_entry)
        peer->send_entry->peer = NULL;
    timers_disarm(&net->timers, &peer->timer);
    framer_deinit(&peer->framer);
    outbox_deinit(&peer->outbox, &net->pools->outbox_entries);
    names_drop(&net->pools->names, peer->names);
    peer_errands_deinit(peer);
    mem_pool_give(&net->pools->peers, peer);
}

void net_deinit(struct net *net)
{
    struct vn_action action;
    while (net_next_action(net, &action))
        vn_action_release(&action);
    mem_free(net->lent_items);
    for (uint32_t i = 0; i < net->store_count; i++)
        vn_slice_unref(net->store_items[i].value);
    mem_free(net->store_items);
    while (net->first) {
        struct peer *peer = net->first;
        net->first = peer->next;
        peer_free(net, peer);
    }
    mem_free(net->gone);
    u64map_deinit(&net->by_link);
    addrs_deinit(&net->addrs);
    scores_deinit(&net->scores);
    timers_deinit(&net->timers);
    mem_free(net->slots);
    vn_buf_unref(net->hello);
    vn_buf_unref(net->seen_now);
}

uint64_t net_wall_ns(const struct net *net)
{
    return add_sat(net->wall_ns, net->now_ns - net->wall_at_ns);
}

struct peer *net_find(const struct net *net, uint64_t link)
{
    return u64map_get(&net->by_link, link);
}

void net_prefetch_links(const struct net *net)
{
    if (net->by_link.map.count <= LINKS_AT_ONCE)
        u64map_prefetch_values(&net->by_link, PEER_HOT);
}

void net_set_state(struct net *net, struct peer *peer, enum vn_peer_state to, enum vn_why why)
{
    enum vn_peer_state from = (enum vn_peer_state)peer->state;
    assert(peer_state_legal(from, to));
    peer->state = (uint8_t)to;
    if (net_traces(net, VN_TR_PEER_STATE))
        net_trace(net, &(struct vn_trace){.kind = VN_TR_PEER_STATE,
                                          .link = peer->link,
                                          .addr = &peer->remote,
                                          .a = from,
                                          .b = to,
                                          .c = why});
}

/* The counter that an open link of this class and direction is in. */
static uint32_t *link_counter(struct net *net, const struct peer *peer)
{
    if (peer->inbound)
        return &net->inbound;
    return peer->link_class == VN_CLASS_FEELER ? &net->feelers : &net->outbound;
}

struct peer *net_peer_new(struct net *net, uint64_t link, const struct vn_addr *remote,
                          enum vn_link_class link_class)
{
    struct peer *peer = mem_pool_take(&net->pools->peers);
    peer->link = link;
    peer->inbound = link % 2 == 0;
    peer->link_class = (uint8_t)link_class;
    peer->remote = *remote;
    peer->slot = NO_SLOT;
    peer->timer.kind = TIMER_PEER;
    peer->began_ns = net->now_ns;
    peer_errands_init(peer);
    if (!score_by_id(net->cfg.ban_by, remote)) {
        uint8_t key[32];
        score_key_ip(key, remote);
        net_identify(net, peer, key);
    }
    peer->prev = net->last;
    if (net->last)
        net->last->next = peer;
    else
        net->first = peer;
    net->last = peer;
    u64map_put(&net->by_link, peer);
    ++*link_counter(net, peer);
    return peer;
}

static void dialled_up(struct net *net, struct peer *peer)
{
    net_set_state(net, peer, VN_PEER_CONNECTED, VN_WHY_NONE);
    net_send(net, peer, (struct vn_slice){vn_buf_ref(net->hello), 0, net->hello->len},
             MSG_HANDSHAKE, LANE_CONTROL);
}

static struct peer *accepted_up(struct net *net, uint64_t link, const struct vn_addr *remote)
{
    struct peer *peer = net_peer_new(net, link, remote, VN_CLASS_PEER);
    net_set_state(net, peer, VN_PEER_CONNECTED, VN_WHY_NONE);
    return peer;
}

void net_link_up(struct net *net, const struct vn_event *event)
{
    uint64_t link = event->u.link_up.link;
    struct peer *peer = net_find(net, link);
    bool dialled = link % 2 == 1;
    if (link == 0 || (dialled ? !peer || peer->up || peer->closed : peer != NULL))
        return;
    if (!dialled)
        peer = accepted_up(net, link, &event->u.link_up.remote);
    peer->up = true;
    peer->local = event->u.link_up.local;
    peer->window = event->u.link_up.window;
    peer->up_ns = peer->progress_ns = net->now_ns;
    if (dialled)
        dialled_up(net, peer);
    else if (!net->online)
        net_close(net, peer, VN_WHY_SHUTDOWN);
    else if (!admit_accepted(net, peer))
        net_close(net, peer, VN_WHY_TOO_MANY);
    net_peer_rearm(net, peer);
}

/* ---- the end of a link ---- */

static void slot_release(struct net *net, struct peer *peer)
{
    if (peer->slot == NO_SLOT)
        return;
    net->slots[peer->slot / 64] &= ~(UINT64_C(1) << peer->slot % 64);
    peer->slot = NO_SLOT;
}

/* Another ready link with who listens at addr, or 0: of two links with one node the address follows
 * the one that stays. */
static uint64_t live_link_with(const struct net *net, const struct peer *but,
                               const struct vn_addr *addr)
{
    for (const struct peer *p = net->first; p; p = p->next)
        if (p != but && peer_ready(p) && !p->closed && peer_listens_at(p, addr))
            return p->link;
    return 0;
}

/* Tells the address list how the link to, or from, an address ended. */
static struct addr_entry *address_ended(struct net *net, struct peer *peer, enum vn_why why,
                                        bool was_ready)
{
    const struct vn_addr listen = peer_listen(peer);
    struct addr_entry *entry = addrs_find(&net->addrs, peer->inbound ? &listen : &peer->remote);
    if (!entry || entry->link != peer->link)
        return NULL;
    entry->link = live_link_with(net, peer, &entry->addr);
    if (entry->link != 0)
        return entry;
    anchors_on_ended(net, entry);
    bool blameless = was_ready || peer->inbound || why == VN_WHY_SHUTDOWN || why == VN_WHY_BANNED;
    bool not_now = why == VN_WHY_DUPLICATE || (why == VN_WHY_TOO_MANY && was_ready);
    if (not_now) /* there, but with no place for us: others first */
        addrs_released(entry, &net->policy, net->now_ns, net->cfg.retry_failed_ns,
                       &net->backoff_rng);
    else if (blameless)
        addrs_released(entry, &net->policy, net->now_ns, 0, &net->backoff_rng);
    else
        addrs_failed(entry, &net->policy, net->now_ns, &net->backoff_rng);
    if (!blameless && !not_now)
        net_score(net, peer, SCORE_CONNECTION_FAILURE);
    return entry;
}

static enum vn_peer_state state_after(struct net *net, const struct peer *peer,
                                      const struct addr_entry *entry)
{
    if (net_banned(net, peer->rep))
        return VN_PEER_BANNED;
    if (entry && peer->state != VN_PEER_READY && addr_given_up(entry, &net->policy))
        return VN_PEER_FAILED;
    return VN_PEER_DISCONNECTED;
}

/* The link is over for all rooms; its shell waits for LINK_DOWN. */
static void link_ended(struct net *net, struct peer *peer, enum vn_why why)
{
    bool was_ready = peer_ready(peer);
    assert(!peer->closed);
    peer->closed = true;
    --*link_counter(net, peer);
    if (was_ready)
        --*(peer->inbound ? &net->ready_in : &net->ready_out);
    const struct addr_entry *entry = address_ended(net, peer, why, was_ready);
    net_set_state(net, peer, state_after(net, peer, entry), why);
    net_unidentify(net, peer);
    slot_release(net, peer);
    timers_disarm(&net->timers, &peer->timer);
    net->dial_wanted = true;
    peer->untold = true;
    if (net->gone_count == net->gone_cap) {
        net->gone_cap = net->gone_cap ? net->gone_cap * 2 : 4;
        net->gone = mem_resize(net->gone, net->gone_cap, sizeof(struct peer *));
    }
    net->gone[net->gone_count++] = peer;
}

struct peer *net_take_gone(struct net *net)
{
    if (net->gone_count == 0)
        return NULL;
    struct peer *peer = net->gone[net->gone_taken++];
    if (net->gone_taken == net->gone_count) {
        mem_free(net->gone);
        net->gone = NULL;
        net->gone_count = net->gone_taken = net->gone_cap = 0;
    }
    return peer;
}

static void shell_drop(struct net *net, struct peer *peer)
{
    u64map_remove(&net->by_link, peer->link);
    if (peer->prev)
        peer->prev->next = peer->next;
    else
        net->first = peer->next;
    if (peer->next)
        peer->next->prev = peer->prev;
    else
        net->last = peer->prev;
    peer_free(net, peer);
}

void net_release(struct net *net, struct peer *peer)
{
    peer->untold = false;
    if (peer->down) {
        shell_drop(net, peer);
        return;
    }
    /* The driver may take its time to say LINK_DOWN: the shell holds nothing large till then. */
    framer_deinit(&peer->framer);
    peer_errands_deinit(peer);
    if (!peer->send_entry)
        outbox_deinit(&peer->outbox, &net->pools->outbox_entries);
}

void net_link_down(struct net *net, uint64_t link, enum vn_why why)
{
    struct peer *peer = net_find(net, link);
    if (!peer || peer->down)
        return;
    peer->down = true;
    if (!peer->closed)
        link_ended(net, peer, why);
    else if (!peer->untold)
        shell_drop(net, peer);
}

/* The wire's word for why we close, or REASONS when it has none. */
static enum disconnect_reason reason_of(enum vn_why why)
{
    switch (why) {
    case VN_WHY_SHUTDOWN:
        return REASON_SHUTDOWN;
    case VN_WHY_PROTOCOL:
    case VN_WHY_BANNED:
        return REASON_PROTOCOL_VIOLATION;
    case VN_WHY_VERSION:
        return REASON_INCOMPATIBLE_VERSION;
    case VN_WHY_TOO_MANY:
        return REASON_TOO_MANY_CONNECTIONS;
    case VN_WHY_DUPLICATE:
        return REASON_DUPLICATE_CONNECTION;
    case VN_WHY_TIMEOUT:
    case VN_WHY_STALLED:
        return REASON_TIMEOUT;
    case VN_WHY_NONE:
    case VN_WHY_REMOTE_CLOSED:
    case VN_WHY_RESET:
    case VN_WHY_REFUSED:
    case VN_WHY_UNREACHABLE:
    case VN_WHY_LOCAL_CLOSED:
    case VN_WHY_COUNT:
        break;
    }
    return REASONS;
}

void net_close_silent(struct net *net, struct peer *peer, enum vn_why why)
{
    if (peer->closed)
        return;
    link_ended(net, peer, why);
    outbox_keep_control(&peer->outbox, &net->pools->outbox_entries);
    net_push_action(net, VN_ACT_CLOSE, peer->link)->why = why;
}

void net_close(struct net *net, struct peer *peer, enum vn_why why)
{
    enum disconnect_reason reason = reason_of(why);
    if (!peer->closed && peer->up && reason != REASONS) {
        struct msg msg = {.kind = MSG_DISCONNECT, .u.disconnect.reason = reason};
        outbox_keep_control(&peer->outbox, &net->pools->outbox_entries);
        net_trace(net, &(struct vn_trace){.kind = VN_TR_DISCONNECT,
                                          .link = peer->link,
                                          .addr = &peer->remote,
                                          .a = reason,
                                          .b = 1,
                                          .text = vn_why_name(why)});
        net_send_msg(net, peer, &msg, LANE_CONTROL);
    }
    net_close_silent(net, peer, why);
}

void net_disconnected(struct net *net, struct peer *peer, uint32_t reason)
{
    static const enum vn_why why[REASONS] = {
        [REASON_SHUTDOWN] = VN_WHY_REMOTE_CLOSED,
        [REASON_PROTOCOL_VIOLATION] = VN_WHY_PROTOCOL,
        [REASON_INCOMPATIBLE_VERSION] = VN_WHY_VERSION,
        [REASON_TOO_MANY_CONNECTIONS] = VN_WHY_TOO_MANY,
        [REASON_DUPLICATE_CONNECTION] = VN_WHY_DUPLICATE,
        [REASON_TIMEOUT] = VN_WHY_TIMEOUT,
    };
    net_trace(net, &(struct vn_trace){.kind = VN_TR_DISCONNECT,
                                      .link = peer->link,
                                      .addr = &peer->remote,
                                      .a = reason,
                                      .text = wire_reason_name(reason)});
    net_close_silent(net, peer, why[reason]);
}

/* ---- bytes in ---- */

struct peer *net_receive(struct net *net, uint64_t link, struct vn_slice data)
{
    struct peer *peer = net_find(net, link);
    if (!peer || peer->closed || !peer->up || data.len == 0)
        return NULL;
    peer->bytes_in += data.len;
    framer_push(&peer->framer, data);
    return peer;
}

enum net_next net_next_message(struct net *net, struct peer *peer, struct msg *msg,
                               struct vn_slice *payload)
{
    if (peer->closed)
        return NET_NONE;
    switch (framer_next(&peer->framer, payload)) {
    case FRAME_NONE:
        return NET_NONE;
    case FRAME_TOO_LARGE:
        net_violation(net, peer, "frame above the limit");
        return NET_NONE;
    case FRAME_READY:
        break;
    }
    net->work++;
    if (!msg_decode(msg, vn_slice_data(*payload), payload->len)) {
        net_violation(net, peer, "undecodable frame");
        return NET_NONE;
    }
    peer->msgs_in++;
    peer->last_seen_ns = net->now_ns;
    if (net_traces(net, VN_TR_MSG_IN))
        net_trace(net, &(struct vn_trace){.kind = VN_TR_MSG_IN,
                                          .link = peer->link,
                                          .addr = &peer->remote,
                                          .a = msg->kind,
                                          .b = payload->len + FRAME_HEADER});
    return NET_MESSAGE;
}

struct vn_slice net_frame_of(struct vn_slice payload, uint32_t used)
{
    uint32_t len = used + FRAME_HEADER;
    if (used == payload.len && len >= payload.buf->len / 2)
        return (struct vn_slice){vn_buf_ref(payload.buf), payload.off - FRAME_HEADER, len};
    struct vn_buf *copy = vn_buf_new(len);
    put_be32(copy->data, used);
    memcpy(copy->data + FRAME_HEADER, vn_slice_data(payload), used);
    return (struct vn_slice){copy, 0, len};
}
