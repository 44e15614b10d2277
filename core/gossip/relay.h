/* Telling the others. */
#ifndef GOSSIP_RELAY_H
#define GOSSIP_RELAY_H

#include "core/gossip/gossip.h"

#define TX_EXPIRE_CHECK_NS                                                                         \
    UINT64_C(60000000000) /* between looks for transactions that are too old */

/* Queues the frame (borrowed; one reference each) for every ready peer but `from` (or NULL) and,
 * with a block's hash, but those that have it from us or sent it to us. */
void relay_frame(struct gossip *g, struct vn_slice frame, uint32_t kind, const struct peer *from,
                 const uint8_t *block_hash);

/* A transaction that rule_check_tx found good: pools it and, if new, relays its frame. from: NULL
 * for our own. */
enum mempool_result tx_accept(struct gossip *g, struct peer *from, const struct tx_view *tx,
                              struct vn_slice raw, struct vn_slice frame);

#endif
