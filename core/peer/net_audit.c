/* See net.h and core/base/audit.h. This file: do the books of links, addresses and timers add up?
 */
#include "core/peer/net.h"

#include <string.h>

/* What the links are together, counted anew. */
struct tally {
    uint32_t links, timers, with_identity;
    uint32_t outbound, inbound, feelers;
    uint32_t ready_in, ready_out;
};

static void audit_closed(const struct peer *peer, struct audit *audit)
{
    audit_true(audit, "the state of a link that ended",
               peer->state == VN_PEER_DISCONNECTED || peer->state == VN_PEER_FAILED ||
                   peer->state == VN_PEER_BANNED);
    audit_true(audit, "a link that ended waits to be told", !peer->untold);
    audit_true(audit, "a link that is down at both ends is still there", !peer->down);
    audit_true(audit, "a link that ended has an identity", !peer->rep);
    audit_true(audit, "a link that ended has a slot", peer->slot == NO_SLOT);
    audit_true(audit, "a link that ended has a timer", !timer_armed(&peer->timer));
    audit_equal(audit, "bytes to send on a link that ended", outbox_bytes(&peer->outbox), 0);
    audit_equal(audit, "bytes received of a link that ended", framer_bytes(&peer->framer), 0);
    audit_equal(audit, "requests to be answered of a link that ended", peer->served_count, 0);
}

static void audit_open(const struct net *net, const struct peer *peer, struct audit *audit)
{
    audit_true(audit, "the state of an open link",
               peer->state == VN_PEER_CONNECTING || peer->state == VN_PEER_CONNECTED ||
                   peer->state == VN_PEER_READY);
    audit_true(audit, "a link that is up or is not",
               peer->up == (peer->state != VN_PEER_CONNECTING));
    audit_true(audit, "a link has a slot before it is ready",
               peer_ready(peer) || peer->slot == NO_SLOT);
    audit_true(audit, "a ready link without a name", !peer_ready(peer) || peer->names);
    audit_at_most(audit, "bytes to send on a link", outbox_bytes(&peer->outbox),
                  net->cfg.outbox_hard);
    audit_true(audit, "what may leave waits",
               !peer->up || peer->window == 0 || outbox_empty(&peer->outbox));
    audit_true(audit, "a link is not read for no reason",
               !peer->read_stopped || peer->owes || peer_overfed(peer));
    net_deadline_audit(net, peer, audit);
}

static void audit_slot(const struct net *net, const struct peer *peer, uint64_t *taken,
                       struct audit *audit)
{
    const uint64_t bit = UINT64_C(1) << peer->slot % 64;
    if (peer->slot == NO_SLOT)
        return;
    audit_at_most(audit, "a slot", peer->slot, net->slot_count - 1);
    if (audit->what)
        return;
    audit_true(audit, "a slot that a link has is free", net->slots[peer->slot / 64] & bit);
    audit_true(audit, "two links have one slot", !(taken[peer->slot / 64] & bit));
    taken[peer->slot / 64] |= bit;
}

static void audit_link(const struct net *net, const struct peer *peer, struct tally *tally,
                       struct audit *audit)
{
    const bool feeler = !peer->inbound && peer->link_class == VN_CLASS_FEELER;
    const bool ready = peer_ready(peer);
    audit->link = peer->link;
    audit_true(audit, "the way to a link", net_find(net, peer->link) == peer);
    audit_true(audit, "a SEND that is not queued", !peer->send_entry);
    outbox_audit(&peer->outbox, audit);
    framer_audit(&peer->framer, audit);
    peer_errands_audit(peer, audit);
    if (peer->closed)
        audit_closed(peer, audit);
    else
        audit_open(net, peer, audit);
    tally->links++;
    tally->timers += timer_armed(&peer->timer);
    tally->with_identity += peer->rep != NULL;
    tally->inbound += !peer->closed && peer->inbound;
    tally->outbound += !peer->closed && !peer->inbound && !feeler;
    tally->feelers += !peer->closed && feeler;
    tally->ready_in += ready && peer->inbound;
    tally->ready_out += ready && !peer->inbound;
    if (!audit->what)
        audit->link = 0;
}

static void audit_links(const struct net *net, struct tally *tally, struct audit *audit)
{
    const uint32_t words = (net->slot_count + 63) / 64;
    uint64_t *taken = mem_new(words, sizeof *taken);
    const struct peer *before = NULL;
    for (const struct peer *peer = net->first; peer && !audit->what; peer = peer->next) {
        audit_true(audit, "a link and its neighbour", peer->prev == before);
        audit_link(net, peer, tally, audit);
        audit_slot(net, peer, taken, audit);
        before = peer;
    }
    audit_true(audit, "the last link", net->last == before);
    audit_true(audit, "slots of links that are gone",
               memcmp(taken, net->slots, words * sizeof *taken) == 0);
    mem_free(taken);
}

static void audit_addrs(const struct net *net, struct audit *audit)
{
    audit_at_most(audit, "known addresses", net->addrs.count, net->addrs.max);
    for (uint32_t i = 0; i < net->addrs.count; i++) {
        const struct addr_entry *entry = &net->addrs.entries[i];
        const struct peer *peer = entry->link ? net_find(net, entry->link) : NULL;
        audit_equal(audit, "an address has a link that is gone", entry->link,
                    peer && !peer->closed ? peer->link : 0);
        audit_true(audit, "an address has another's link",
                   !peer || addr_equal(&peer->remote, &entry->addr) ||
                       peer_listens_at(peer, &entry->addr));
    }
}

uint32_t net_audit(const struct net *net, struct audit *audit)
{
    struct tally tally = {0};
    audit_true(audit, "actions that nobody took", !net->actions && !net->lent_items);
    audit_equal(audit, "links whose end was not told", net->gone_count, 0);
    audit_equal(audit, "room for links whose end is told", net->gone_cap, 0);
    audit_links(net, &tally, audit);
    idmap_audit(&net->by_link.map, audit, tally.links);
    audit_equal(audit, "outbound links", net->outbound, tally.outbound);
    audit_equal(audit, "inbound links", net->inbound, tally.inbound);
    audit_equal(audit, "feelers", net->feelers, tally.feelers);
    audit_equal(audit, "ready inbound links", net->ready_in, tally.ready_in);
    audit_equal(audit, "ready outbound links", net->ready_out, tally.ready_out);
    scores_audit(&net->scores, audit, tally.with_identity);
    audit_addrs(net, audit);
    timers_audit(&net->timers, audit);
    return tally.timers + timer_armed(&net->dial_timer) + timer_armed(&net->feeler_timer);
}
