/* The handshake of PROTOCOL-0.1 section 4: the dialler speaks first, the acceptor judges and
 * answers. */
#ifndef PEER_HANDSHAKE_H
#define PEER_HANDSHAKE_H

#include "core/peer/net.h"

/* A message on a link that is not ready. True if the link became ready by it. */
bool handshake_on_message(struct net *net, struct peer *peer, const struct msg *msg);

#endif
