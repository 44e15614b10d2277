/* Where the faults of a host are kept: a host that never had one has no room for them. */
#include "transport-sim/sim_internal.h"

struct sim_faults *faults_of(struct sim *sim, struct sim_host *host)
{
    if (!host->faults) {
        host->faults = sim_resize(sim, NULL, 0, sizeof *host->faults);
        host->faults->clock_armed = VN_NEVER;
        sim_disk_faults_init(&host->faults->disk);
    }
    return host->faults;
}

void faults_free(struct sim *sim, struct sim_host *host)
{
    struct sim_faults *faults = host->faults;
    if (!faults)
        return;
    sim->stats.memory -= sizeof *faults + faults->held_capacity * sizeof *faults->held;
    mem_free(faults->held);
    mem_free(faults);
    host->faults = NULL;
}
