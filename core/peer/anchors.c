/* See anchors.h. Lists are short: they are searched. */
#include "core/peer/anchors.h"

static uint32_t count(const struct net *net)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < net->addrs.count; i++)
        n += net->addrs.entries[i].anchor;
    return n;
}

static bool may_be(const struct peer *peer)
{
    return !peer->inbound && peer->link_class == VN_CLASS_PEER && peer_ready(peer) && !peer->closed;
}

static void set(struct net *net, struct addr_entry *entry, bool on)
{
    entry->anchor = on;
    net_store_addr(net, entry);
}

void anchors_on_ready(struct net *net, const struct peer *peer)
{
    struct addr_entry *entry = addrs_find(&net->addrs, &peer->remote);
    if (entry && !entry->anchor && may_be(peer) && count(net) < ANCHORS)
        set(net, entry, true);
}

void anchors_on_ended(struct net *net, struct addr_entry *entry)
{
    if (!entry->anchor || !net->online)
        return;
    set(net, entry, false);
    for (const struct peer *p = net->first; p && count(net) < ANCHORS; p = p->next)
        anchors_on_ready(net, p);
}

void anchors_on_loaded(struct net *net, struct addr_entry *entry)
{
    if (count(net) < ANCHORS)
        entry->anchor = true;
}

struct addr_entry *anchors_pick(struct net *net,
                                bool (*usable)(const void *ctx, const struct addr_entry *entry))
{
    for (uint32_t i = 0; i < net->addrs.count; i++) {
        struct addr_entry *entry = &net->addrs.entries[i];
        if (entry->anchor && addr_eligible(entry, net->now_ns) && usable(net, entry))
            return entry;
    }
    return NULL;
}
