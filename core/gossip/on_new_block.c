/* NewBlock: checked by its rules and, if new and valid, kept and relayed to the others. A known one
 * costs its sender nothing unless the same link sends it again; an unknown parent makes us catch
 * up. */
#include "core/gossip/gossip.h"

void on_new_block(struct gossip *g, struct peer *peer, const struct block_view *block,
                  struct vn_slice payload, uint32_t used)
{
    if (seen_note(&g->heard, block->hash, peer->slot)) {
        net_score(g->net, peer, SCORE_DUPLICATE);
        return;
    }
    struct vn_slice body = {payload.buf, payload.off + used - (uint32_t)block->raw.len,
                            (uint32_t)block->raw.len};
    struct vn_slice frame = {0};
    if (!chain_find(g->chain, block->hash))
        frame = net_frame_of(payload, used);
    enum chain_result result = blocks_add(g, peer, block, body, FROM_GOSSIP, frame);
    vn_slice_unref(frame);
    sync_shown(g, peer, block, result);
}
