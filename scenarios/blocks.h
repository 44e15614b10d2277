/* Which blocks were found, by whom, and when each node had them: collected from the nodes' traces
 * once net:watch_blocks() asked for it. */
#ifndef SCENARIOS_BLOCKS_H
#define SCENARIOS_BLOCKS_H

#include "core/node.h"

/* What a watch may take: the times of 10,000 nodes for about 3,300 blocks. */
#define BLOCKS_BYTES_MAX (256u << 20)
#define BLOCKS_NEVER     UINT64_MAX

struct block {
    uint8_t hash[32];
    uint64_t height;
    uint64_t found_ns; /* when its miner had it */
    uint64_t txs;
    uint32_t miner;
    uint32_t hosts;       /* how many times there are */
    uint64_t *arrival_ns; /* by host: when it was first accepted there, or BLOCKS_NEVER */
};

struct block_watch;

struct block_watch *blocks_new(void);
void blocks_free(struct block_watch *watch);
/* The traces that a watch needs to hear. */
#define BLOCKS_TRACES (1ull << VN_TR_MINED | 1ull << VN_TR_BLOCK_NEW)
/* One of them. A node accepts a block after its miner has found it; one that no node has found (a
 * scripted peer's) is passed over. */
void blocks_trace(struct block_watch *watch, uint32_t host, const struct vn_trace *trace);
/* Blocks in the order in which they were found. */
uint32_t blocks_count(const struct block_watch *watch);
const struct block *blocks_at(const struct block_watch *watch, uint32_t index);
/* BLOCKS_BYTES_MAX was reached: what came after is missing. */
bool blocks_full(const struct block_watch *watch);

#endif
