/* The node without a defence against its disk, one per program (see CMakeLists.txt): the test of
 * that defence must fail. */
#include "core/gossip/gossip.h"

bool __wrap_persist_behind(const struct gossip *g);
bool __wrap_chain_is_body(const struct chain *chain, const struct block_record *block,
                          const struct block_view *bytes);

bool __wrap_persist_behind(const struct gossip *g)
{
    (void)g;
    return false;
}

/* What a block says of itself is believed. */
bool __wrap_chain_is_body(const struct chain *chain, const struct block_record *block,
                          const struct block_view *bytes)
{
    (void)chain;
    return hash_eq(block->hash, bytes->hash);
}
