/* Transactions that were submitted here. The network may not have them yet: a node without links
 * has told nobody. So each new link is told those that still wait for a block (as wallets
 * rebroadcast; nothing in the protocol lets a peer ask for them). */
#ifndef GOSSIP_OWN_H
#define GOSSIP_OWN_H

#include "core/gossip/gossip.h"

#define OWN_MAX 1000u /* the oldest is forgotten first */

void own_add(struct gossip *g, const uint8_t id[32]);
void own_announce(struct gossip *g, struct peer *peer);
void own_deinit(struct gossip *g);

#endif
