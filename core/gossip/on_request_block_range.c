/* RequestBlockRange: answered with the best chain's blocks start..end inclusive, at most 100, as
 * many as fit into a frame; start > end gives an empty list. */
#include "core/gossip/gossip.h"

void on_request_block_range(struct gossip *g, struct peer *peer, uint64_t start, uint64_t end)
{
    uint64_t last = add_sat(start, RANGE_BLOCKS_MAX - 1);
    serve_push(g, peer, REQUEST_RANGE, start, end < last ? end : last);
}
