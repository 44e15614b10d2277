/* How blocks spread: for each share of the nodes, how long it took until a block had reached it;
 * and of that, percentiles over blocks. */
#ifndef VIBESIM_PAGE_CURVE_H
#define VIBESIM_PAGE_CURVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CURVE_POINTS     50u /* shares: 2 %, 4 % ... 100 % of the nodes */
#define CURVE_BLOCKS_MAX 50000u
#define CURVE_NEVER      UINT64_MAX

/* All zero is an empty one. */
struct curve {
    uint64_t *times; /* by point, then by block: ns */
    size_t blocks, room;
    size_t left_out; /* beyond CURVE_BLOCKS_MAX */
    bool sorted;
};

/* One block: the times from its making to its arrival at each node that it reached, ascending; its
 * miner's own is among them. nodes: how many there were, 1 or more. */
void curve_add(struct curve *c, const uint64_t *latencies_ns, size_t count, uint32_t nodes);

/* The time in which `percent` of the blocks (1..100, nearest rank) had reached the share of the
 * point; CURVE_NEVER where so many never did. There must be a block. */
uint64_t curve_at(struct curve *c, uint32_t point, uint32_t percent);

void curve_free(struct curve *c);

#endif
