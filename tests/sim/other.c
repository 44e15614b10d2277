/* A build of vibesim that is not quite the same, in one place of the core: the linker puts this
 * function in the place of the true one (--wrap). Once, rather late in a run, a miner leaves out a
 * transaction that it would have taken. What `vibesim replay` must locate to that very event. */
#include "core/chain/mempool.h"

#define SELECTIONS 12u /* with a transaction to leave out */

uint32_t __real_mempool_select(const struct mempool *pool, uint8_t *out, uint32_t max);
uint32_t __wrap_mempool_select(const struct mempool *pool, uint8_t *out, uint32_t max);

uint32_t __wrap_mempool_select(const struct mempool *pool, uint8_t *out, uint32_t max)
{
    static unsigned selections;
    const uint32_t count = __real_mempool_select(pool, out, max);
    return count > 0 && ++selections == SELECTIONS ? count - 1 : count;
}
