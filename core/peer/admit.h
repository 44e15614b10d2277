/* Who comes in and who has to go for it, so that no stranger can keep others out by being there.
 *
 * An accepted link first is in its handshake: as many as inbound slots are free and max_pending
 * more may be. One more replaces the one that has taken longest, of its own IP address if there is
 * one. One IP address has max_inbound_per_ip links and a bucket of accepts (loopback, which many
 * nodes of one machine share, has neither; geth's inbound throttle spares local networks likewise,
 * p2p/server.go).
 *
 * When all inbound slots are taken, who completes its handshake replaces the least valuable link,
 * if there is one worth less than the chance that it is a better one. After Bitcoin Core
 * (node/eviction.cpp, SelectNodeToEvict): first what is hard to fake is protected, then the
 * youngest link of the largest group goes. Who has to go hears TooManyConnections; it is no
 * penalty.
 *
 * Never evicted: links younger than ADMIT_GRACE_NS; identities in preferred standing; the
 * ADMIT_PROTECTED with the shortest round trip, and as many that most recently brought a new block
 * or transaction; of the rest the older half. Identities on probation have none of these rights. */
#ifndef PEER_ADMIT_H
#define PEER_ADMIT_H

#include "core/peer/net.h"

#define ADMIT_PROTECTED 4u
#define ADMIT_GRACE_NS  (UINT64_C(60) * 1000000000)

/* From so long on a link that brought nothing new makes place even where nobody's neighbours are
 * too many. */
#define ADMIT_IDLE_NS (UINT64_C(600) * 1000000000)

/* A link was accepted and is counted: true if it may stay. Another may have been closed for it. */
bool admit_accepted(struct net *net, struct peer *newcomer);

/* The inbound link that has to go so that `newcomer`, whose handshake is complete, can stay; NULL:
 * the newcomer has to. */
struct peer *admit_victim(const struct net *net, const struct peer *newcomer);

#endif
