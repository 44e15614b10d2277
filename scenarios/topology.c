/* What follows from a data set: draws of regions and degrees, and the parameters of links. */
#include "scenarios/topology.h"

#include <string.h>

_Static_assert(TOPOLOGY_REGIONS_MAX <= SIM_REGIONS_MAX, "the simulator knows as many regions");

uint32_t topology_region_at(const struct topology *t, double u)
{
    uint32_t i = 0;
    while (i + 1 < t->region_count && u >= t->regions[i].cumulative)
        i++;
    return i;
}

uint32_t topology_degree_at(const struct topology *t, double u)
{
    uint32_t i = 0;
    if (t->degree_count == 0)
        return 0;
    while (i + 1 < t->degree_count && u >= t->degree_cdf[i])
        i++;
    return i + 1;
}

uint32_t topology_region_named(const struct topology *t, const char *name)
{
    for (uint32_t i = 0; i < t->region_count; i++)
        if (strcmp(t->regions[i].name, name) == 0)
            return i;
    return UINT32_MAX;
}

/* A Pareto distribution with the minimum k and the shape s has the mean k s / (s - 1): with a mean
 * m and k = m - d that is s = m / d, which for d = 5 ms is what SimBlock's Network.getLatency draws
 * for each message (scale mean - 5, shape 0.2 mean). The minimum is the link's latency, the rest
 * the jitter of each delivery. */
void topology_links(const struct topology *t, uint32_t a, uint32_t b, struct sim_link_params *links)
{
    const double mean_s = (double)t->latency_ns[a][b] / 1e9;
    const double least_s = (double)(t->latency_ns[a][b] - t->spread_ns) / 1e9;
    links->latency = (struct sim_dist){.kind = SIM_CONSTANT, .a = least_s};
    links->jitter = (struct sim_dist){.kind = SIM_CONSTANT, .a = 0};
    if (t->spread_ns > 0)
        links->jitter = (struct sim_dist){
            .kind = SIM_LOMAX, .a = least_s, .b = mean_s / ((double)t->spread_ns / 1e9)};
    links->rate_bps = a == b ? 0 : t->between_bps;
}
