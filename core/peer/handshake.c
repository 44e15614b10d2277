/* See handshake.h. The happy path: the other side's Handshake comes, nothing speaks against it, an
 * acceptor answers with its own, the link is ready. It fails, with the numbers of PROTOCOL-0.1
 * section 4, by another message (6), versions (5), a second connection or ourselves (10), no free
 * slot (11), a ban (12); time (8) is the peer timer's. */
#include "core/peer/handshake.h"

#include "core/crypto/sha256.h"
#include "core/peer/admit.h"
#include "core/peer/anchors.h"
#include "core/peer/identity.h"

#include <string.h>

/* ---- identity ---- */

/* A node says where it listens; only its port is believed, since the IP address is known better. */
static void learn_listen(struct peer *peer, const struct vn_addr *listen)
{
    peer->listen_port = peer->inbound ? listen->port : peer->remote.port;
}

static void learn_identity(struct net *net, struct peer *peer, const struct msg *msg)
{
    struct bytes_view id = msg->u.handshake.node_id;
    struct bytes_view version = msg->u.handshake.version;
    uint8_t hash[32];
    sha256(hash, id.data, id.len);
    size_t ours = strlen(net->cfg.node_id);
    int order = memcmp(id.data, net->cfg.node_id, id.len < ours ? id.len : ours);
    peer->id_below_ours = order < 0 || (order == 0 && id.len < ours);
    names_drop(&net->pools->names, peer->names);
    peer->names = names_take(&net->pools->names, hash, id.data, id.len, version.data,
                              version.len);
    learn_listen(peer, &msg->u.handshake.listen);
    if (!peer->rep)
        net_identify(net, peer, hash);
}

/* ---- a second connection (rule 10) ---- */

/* When the link was dialled. The other side's dial we cannot see; it came a round trip before the
 * link was up here, and the handshake of the older link, which we dialled, has measured that. */
static uint64_t dialled_ns(const struct peer *newer, const struct peer *older)
{
    uint64_t rtt_ns = newer->inbound ? older->ready_ns - older->up_ns : 0;
    return newer->began_ns > rtt_ns ? newer->began_ns - rtt_ns : 0;
}

/* Both links were dialled before the other became ready. Where this judges otherwise than the
 * dialler would, only we have seen both links ready, so both sides still keep the same one. */
static bool crossing(const struct net *net, const struct peer *newer, const struct peer *older)
{
    return newer->inbound != older->inbound && dialled_ns(newer, older) < older->ready_ns &&
           older->began_ns < net->now_ns;
}

/* Of crossing dials the one stays that the smaller id dialled. */
static bool newer_stays(const struct net *net, const struct peer *newer, const struct peer *older)
{
    return crossing(net, newer, older) && newer->inbound == newer->id_below_ours;
}

/* We reached ourselves: remember under which address. */
static void note_self(struct net *net, const struct peer *peer)
{
    const struct vn_addr *ours = peer->inbound ? NULL : &peer->remote;
    for (const struct peer *p = net->first; p && !ours; p = p->next)
        if (!p->inbound && p->up && !p->met && addr_equal(&p->local, &peer->remote))
            ours = &p->remote;
    struct addr_entry *entry = ours ? addrs_find(&net->addrs, ours) : NULL;
    if (entry)
        entry->self = true;
}

/* ---- the verdict ---- */

static enum vn_why objection(struct net *net, struct peer *peer, const struct msg *msg)
{
    struct bytes_view ours = {(const uint8_t *)net->cfg.version, strlen(net->cfg.version)};
    if (net_banned(net, peer->rep))
        return VN_WHY_BANNED;
    if (!wire_version_compatible(ours, msg->u.handshake.version))
        return VN_WHY_VERSION;
    if (identity_is_own(net, peer->names->hash)) {
        note_self(net, peer);
        return VN_WHY_DUPLICATE;
    }
    struct peer *older = NULL; /* mostly there is nobody to look for among very many links */
    if (!names_alone(&net->pools->names, peer->names))
        older = identity_holder(net, peer->names->hash);
    if (older && !newer_stays(net, peer, older))
        return VN_WHY_DUPLICATE;
    if (peer->inbound && net->ready_in >= net->cfg.max_inbound) {
        struct peer *victim = net->cfg.max_inbound > 0 ? admit_victim(net, peer) : NULL;
        if (!victim)
            return VN_WHY_TOO_MANY;
        net_close(net, victim, VN_WHY_TOO_MANY);
        if (victim == older)
            older = NULL;
    }
    if (older) /* gives way only now that the newer one is sure to stay */
        net_close(net, older, VN_WHY_DUPLICATE);
    return VN_WHY_NONE;
}

static uint32_t slot_take(struct net *net)
{
    for (uint32_t i = 0; i < (net->slot_count + 63) / 64; i++) {
        const uint64_t free = ~net->slots[i];
        if (free == 0)
            continue;
        const uint32_t slot = i * 64 + (uint32_t)__builtin_ctzll(free);
        if (slot >= net->slot_count)
            return NO_SLOT;
        net->slots[i] |= free & -free;
        return slot;
    }
    return NO_SLOT;
}

static void remember_address(struct net *net, struct peer *peer)
{
    const struct vn_addr listen = peer_listen(peer);
    struct addr_entry *entry = net_addr_add(net, &listen, false);
    if (!entry || entry->self)
        return;
    entry->last_seen_ns = net->now_ns;
    entry->failures = 0;
    if (entry->link == 0)
        entry->link = peer->link;
    net_store_addr(net, entry);
}

static void become_ready(struct net *net, struct peer *peer)
{
    peer->ready_ns = net->now_ns;
    peer->slot = slot_take(net);
    peer->met = true;
    peer->rtt_ns = peer->inbound ? 0 : net->now_ns - peer->up_ns;
    peer->answer_ns = peer->led_ns = 0;
    ++*(peer->inbound ? &net->ready_in : &net->ready_out);
    remember_address(net, peer);
    net_set_state(net, peer, VN_PEER_READY, VN_WHY_NONE);
    anchors_on_ready(net, peer);
    net_peer_rearm(net, peer);
}

/* Who answers at an address that we dialled is who listens there; what an acceptor hears proves
 * nothing about the address it hears of. */
static void learn_who_listens(struct net *net, const struct peer *peer)
{
    struct addr_entry *entry = peer->inbound ? NULL : addrs_find(&net->addrs, &peer->remote);
    if (!entry)
        return;
    entry->id_known = true;
    if (score_by_id(net->cfg.ban_by, &entry->addr))
        addr_set_key(entry, peer->names->hash);
}

static bool on_handshake(struct net *net, struct peer *peer, const struct msg *msg)
{
    learn_identity(net, peer, msg);
    learn_who_listens(net, peer);
    enum vn_why why = objection(net, peer, msg);
    if (why != VN_WHY_NONE) {
        net_close(net, peer, why);
        return false;
    }
    if (peer->inbound)
        net_send(net, peer, (struct vn_slice){vn_buf_ref(net->hello), 0, net->hello->len},
                 MSG_HANDSHAKE, LANE_CONTROL);
    become_ready(net, peer);
    return true;
}

bool handshake_on_message(struct net *net, struct peer *peer, const struct msg *msg)
{
    switch ((enum msg_kind)msg->kind) {
    case MSG_HANDSHAKE:
        return on_handshake(net, peer, msg);
    case MSG_PONG:
        return false;
    case MSG_DISCONNECT:
        net_disconnected(net, peer, msg->u.disconnect.reason);
        return false;
    case MSG_NEW_BLOCK:
    case MSG_NEW_TRANSACTION:
    case MSG_REQUEST_BLOCK:
    case MSG_RESPONSE_BLOCK:
    case MSG_REQUEST_BLOCK_RANGE:
    case MSG_RESPONSE_BLOCK_RANGE:
    case MSG_PING:
    case MSG_KINDS:
        break;
    }
    net_violation(net, peer, "a message before the handshake");
    return false;
}
