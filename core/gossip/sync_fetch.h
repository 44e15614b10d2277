/* The FETCHING half of sync.h: chunks of heights, asked of several peers, put into the chain in
 * order. */
#ifndef GOSSIP_SYNC_FETCH_H
#define GOSSIP_SYNC_FETCH_H

#include "core/gossip/gossip.h"

/* From sync->common + 1 to sync->target. */
void fetch_begin(struct gossip *g);
void fetch_run(struct gossip *g);

/* What was asked of this link is wanted again. */
void fetch_give_back(struct sync *sync, uint64_t link);
/* ... since the wait for it ended: from now on less is asked for at once. */
void fetch_too_slow(struct sync *sync, uint64_t link);
void fetch_drop_all(struct gossip *g);

/* sync.c's side of it. */
void sync_finish(struct gossip *g);
void sync_abort(struct gossip *g, const char *why);
void sync_relocate(struct gossip *g);

/* Bytes of answers from a link that wait for what comes before them. */
uint64_t fetch_held_from(const struct sync *sync, uint64_t link);

#endif
