/* Whom to dial and when: keeps max_outbound links, retries with backoff, and sends out feelers,
 * short links beyond the quota that look for addresses that work and chains that differ (after
 * Bitcoin Core's feeler connections, net.cpp), so that two halves of a healed network find each
 * other though all slots are taken. */
#ifndef PEER_DIALER_H
#define PEER_DIALER_H

#include "core/peer/net.h"

/* Starts dialling and accepting, unless a shutdown was ordered. */
void dialer_start(struct net *net);

/* Fills the free outbound slots and arms the timer for the next chance. Cheap when nothing is free.
 */
void dialer_run(struct net *net);

/* The feeler timer came. */
void dialer_feel(struct net *net);

/* A feeler found what we need: it becomes an ordinary link; if that is one too many, another, drawn
 * at random, is closed. */
void dialer_promote(struct net *net, struct peer *peer);

/* Dials now, whatever the quota; false if there is a link already, or the address is banned or
 * ours. */
bool dialer_connect(struct net *net, const struct vn_addr *addr);

#endif
