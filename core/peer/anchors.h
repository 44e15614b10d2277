/* Anchors: a few of those that we dialled and got on with, kept in the store, so that a node that
 * is started again dials them before anybody else. Who fills the address list of a node and then
 * has it restarted would otherwise choose all its links (an eclipse: Heilman et al., USENIX
 * Security 2015; Bitcoin Core keeps two such addresses in anchors.dat, src/net.cpp).
 *
 * They are kept as links come and go, not at a shutdown, so that a killed node has them too: an
 * outbound link that becomes ready is one while there are fewer than ANCHORS; when it ends while we
 * go on, the outbound link that has been ready longest takes its place. */
#ifndef PEER_ANCHORS_H
#define PEER_ANCHORS_H

#include "core/peer/net.h"

#define ANCHORS 2u

/* The link is ready. */
void anchors_on_ready(struct net *net, const struct peer *peer);
/* A link with this address ended, or a dial to it failed. */
void anchors_on_ended(struct net *net, struct addr_entry *entry);
/* The store says that this one was. */
void anchors_on_loaded(struct net *net, struct addr_entry *entry);

/* One that may be dialled now, or NULL. */
struct addr_entry *anchors_pick(struct net *net,
                                bool (*usable)(const void *ctx, const struct addr_entry *entry));

#endif
