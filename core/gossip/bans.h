/* Bans and the store: what it is told, again if need be, and what it gives back.
 *
 * A node's bans run by its own time (core/peer/score.h). The store has wall times: when a ban was
 * told to it and when it ends, so that a clock that went back between two runs makes no ban longer
 * than it was. One that went far ahead cannot be told from a node that was off for long, and ends
 * it. While the node runs, a jump of the clock changes no ban, only what the store has of it. */
#ifndef GOSSIP_BANS_H
#define GOSSIP_BANS_H

#include "core/gossip/gossip.h"

/* A record that was loaded. One that is over leaves the store; one that makes no sense is passed
 * over. */
void bans_load(struct gossip *g, struct vn_slice record);

/* A batch leaves with these items: remembers whose bans it tells of. */
void bans_leave(struct gossip *g, const struct vn_store_item *items, uint32_t count);

/* A batch failed, and none of it is kept: what those under way told of bans, imposed or lifted, is
 * told again as it stands now. */
void bans_tell_again(struct gossip *g);

/* No batch is under way: all that was told is durable. */
void bans_durable(struct gossip *g);

/* The wall clock, which read was_ns, was set. */
void bans_on_clock(struct gossip *g, uint64_t was_ns);

#endif
