/* Who a node id stands for already: ourselves, or a link that is ready (PROTOCOL-0.1 section 4,
 * 10). An id is a claim that nothing proves; what is kept is that it is claimed once. */
#ifndef PEER_IDENTITY_H
#define PEER_IDENTITY_H

#include "core/peer/net.h"

/* The id of that SHA-256 is our own. */
bool identity_is_own(const struct net *net, const uint8_t id_hash[32]);

/* The ready link of who claims that id, or NULL. */
struct peer *identity_holder(const struct net *net, const uint8_t id_hash[32]);

#endif
