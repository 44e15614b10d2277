/* Who comes in and who has to go for it, so that no stranger can keep others out by being there.
 *
 * An accepted link first is in its handshake: as many as inbound slots are free and max_pending
 * more may be. One more replaces the one that has taken longest, of its own IP address if there is
 * one. One IP address has max_inbound_per_ip links and a bucket of accepts (loopback, which many
 * nodes of one machine share, has neither; geth's inbound throttle spares local networks likewise,
 * p2p/server.go).
 *
 * When all inbound slots are taken, who completes its handshake replaces another, if there is one
 * that has no claim to stay. After Bitcoin Core (node/eviction.cpp, SelectNodeToEvict): first a few
 * by what is hard to fake are protected, then the youngest link of the largest group goes, if that
 * group is larger than the newcomer's becomes; else, where no group stands out, the least useful of
 * those who had their turn: who brought nothing new for ADMIT_IDLE_NS, or is there for
 * ADMIT_TURN_NS. So whoever fills a node, by whatever behaviour, from wherever, keeps an honest
 * newcomer out no longer than that. Who has to go hears TooManyConnections; it is no penalty.
 *
 * Not evicted: links younger than ADMIT_GRACE_NS; the ADMIT_PREFERRED of best standing, if it is
 * preferred; the ADMIT_PROTECTED with the shortest round trip, and as many that most recently
 * brought a new block or transaction; of the rest the older half. Each of these is a bounded number
 * of links, for each can be had by patience: transactions cost nothing, and fifty of them make an
 * identity preferred. Identities on probation have none of these rights.
 *
 * A group is what one provider has: an IPv4 /16, an IPv6 /32, as Bitcoin Core groups addresses
 * (netgroup.cpp). All of 127/8 is one machine, or a simulated network, where each address stands
 * for a host somewhere: there a group is one address. */
#ifndef PEER_ADMIT_H
#define PEER_ADMIT_H

#include "core/peer/net.h"

#define ADMIT_PROTECTED 4u
#define ADMIT_GRACE_NS  (UINT64_C(60) * 1000000000)
#define ADMIT_IDLE_NS   (UINT64_C(120) * 1000000000)
#define ADMIT_TURN_NS   (UINT64_C(600) * 1000000000)

/* And at most one in that many of all inbound links. */
#define ADMIT_PREFERRED       8u
#define ADMIT_PREFERRED_SHARE 4u

/* A link was accepted and is counted: true if it may stay. Another may have been closed for it. */
bool admit_accepted(struct net *net, struct peer *newcomer);

/* The inbound link that has to go so that `newcomer`, whose handshake is complete, can stay; NULL:
 * the newcomer has to. */
struct peer *admit_victim(const struct net *net, const struct peer *newcomer);

#endif
