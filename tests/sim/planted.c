/* A planted bug, in a test build alone: the linker puts this function in the place of the
 * simulator's latency sampling (--wrap), and now and then it adds what no seed decides, the
 * machine's clock. What `vibesim run --verify` must catch and locate. */
#include "transport-sim/dist.h"

#include <time.h>

#define EVERY 997u /* samples */

uint64_t __real_sim_dist_at_ns(const struct sim_dist *dist, double u);
uint64_t __wrap_sim_dist_at_ns(const struct sim_dist *dist, double u);

uint64_t __wrap_sim_dist_at_ns(const struct sim_dist *dist, double u)
{
    static unsigned samples;
    uint64_t ns = __real_sim_dist_at_ns(dist, u);
    if (++samples % EVERY)
        return ns;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return ns + (uint64_t)now.tv_nsec % 1000;
}
