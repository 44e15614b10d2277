/* How long a link may keep us waiting: for its handshake, for any word, for reading what we send.
 * Each is the end of one wait, VN_NEVER where nothing is waited for. */
#ifndef PEER_TIMEOUT_H
#define PEER_TIMEOUT_H

#include "core/peer/peer.h"

/* The whole handshake, however slowly its bytes come (PROTOCOL-0.1 section 4, 8). */
uint64_t timeout_handshake_ns(const struct vn_config *cfg, const struct peer *peer);

/* A ready link's next whole message (section 5). Its silence does not count while we do not read
 * it. */
uint64_t timeout_idle_ns(const struct vn_config *cfg, const struct peer *peer);

/* Output that the peer does not read moves again (section 5). */
uint64_t timeout_stall_ns(const struct vn_config *cfg, const struct peer *peer);

#endif
