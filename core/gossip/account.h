/* What a link makes the node hold, in one account, and the bound of what is kept for it. Nothing is
 * counted as it comes and goes but what lies in long lists (the pool's entries): the rest is added
 * up when somebody asks. */
#ifndef GOSSIP_ACCOUNT_H
#define GOSSIP_ACCOUNT_H

#include "core/gossip/gossip.h"

/* All bytes that a link makes us hold; see struct vn_peer_info. What is of a fixed size for each
 * node however many links there are (the tables of recent blocks, seen.h) is in no account. */
uint64_t account_held(const struct gossip *g, const struct peer *peer);

/* Would `more` bytes lift what we keep for a link, its orphans and the pooled transactions that it
 * brought, above peer_bytes_max? */
bool account_full(const struct gossip *g, const struct peer *peer, uint64_t more);

#endif
