/* The bounds of the pool: see mempool.h. */
#include "core/chain/mempool.h"

bool mempool_room(const struct mempool_limits *limits, const struct mempool_use *use, uint32_t len)
{
    return use->count < limits->max && use->of_sender < limits->per_sender &&
           len <= limits->bytes_max && use->bytes <= limits->bytes_max - len;
}
