/* RequestBlock: answered with the best chain's block at that height, or none; the largest height
 * asks for the newest. */
#include "core/gossip/gossip.h"

void on_request_block(struct gossip *g, struct peer *peer, uint64_t height)
{
    serve_push(g, peer, REQUEST_BLOCK, height, height);
}
