/* A host's wall clock.
 *
 * A node's wall time is its last CLOCK plus what has passed since, so a clock that is only off
 * needs one CLOCK; one that drifts gets another each second and at each jump. A host whose clock is
 * right has no event for it. While the node is dead or stands still nobody is told: it hears at its
 * start or resume. */
#include "transport-sim/sim_internal.h"

#include "core/base/bytes.h"

#define TICK_NS  SIM_SECOND
#define MILLION  1000000
#define WALL_MAX (UINT64_MAX / 2)

__extension__ typedef __int128 i128;

uint64_t sim_clock_reads_ns(const struct sim_clock *clock, uint64_t true_ns, uint64_t elapsed_ns)
{
    i128 off = (i128)clock->skew_ns + (i128)elapsed_ns * clock->drift_ppm / MILLION;
    if (clock->jump_every_ns > 0)
        off += (i128)clock->jump_ns * (elapsed_ns / clock->jump_every_ns);
    i128 reads = (i128)true_ns + off;
    return reads < 0 ? 0 : reads > (i128)WALL_MAX ? WALL_MAX : (uint64_t)reads;
}

uint64_t clock_wall_ns(const struct sim *sim, const struct sim_host *host)
{
    const struct sim_faults *faults = host->faults;
    uint64_t wall_ns = sim->config.wall_start_ns + sim->now_ns;
    if (!faults)
        return wall_ns;
    return sim_clock_reads_ns(&faults->clock, wall_ns, sim->now_ns - faults->clock_ns);
}

uint64_t sim_host_wall_ns(const struct sim *sim, uint32_t host)
{
    return host < sim->host_count ? clock_wall_ns(sim, sim_host_at(sim, host)) : 0;
}

/* The first multiple of `every` after now, counted from the clock's beginning. */
static uint64_t next_ns(const struct sim *sim, const struct sim_faults *faults, uint64_t every)
{
    uint64_t elapsed = sim->now_ns - faults->clock_ns;
    return faults->clock_ns + (elapsed / every + 1) * every;
}

void clock_arm(struct sim *sim, struct sim_host *host)
{
    struct sim_faults *faults = host->faults;
    if (!faults)
        return;
    uint64_t t_ns = VN_NEVER;
    faults->clock_armed = VN_NEVER;
    faults->clock_changed = false;
    if (faults->clock.drift_ppm != 0)
        t_ns = next_ns(sim, faults, TICK_NS);
    if (faults->clock.jump_every_ns > 0) {
        uint64_t jump_ns = next_ns(sim, faults, faults->clock.jump_every_ns);
        t_ns = jump_ns < t_ns ? jump_ns : t_ns;
    }
    if (t_ns > SIM_LAST_NS)
        return;
    faults->clock_armed = t_ns;
    sim_put(sim, &(struct sim_event){.t_ns = t_ns,
                                     .dst = host->number,
                                     .src = host->number,
                                     .seq = SIM_EV_CLOCK << 1,
                                     .kind = SIM_EV_CLOCK});
}

void clock_on_event(struct sim *sim, const struct sim_event *event)
{
    struct sim_host *host = sim_host_at(sim, event->dst);
    if (!host->faults || host->faults->clock_armed != event->t_ns)
        return;
    host->faults->clock_armed = VN_NEVER;
    if (!host->node || host->paused) {
        host->faults->clock_changed = true;
        return;
    }
    host_clock(sim, host);
    host_settle(sim, host);
}

void clock_on_resume(struct sim *sim, struct sim_host *host)
{
    if (host->faults && host->faults->clock_changed)
        host_clock(sim, host);
}

static bool within(int64_t value, int64_t most)
{
    return value >= -most && value <= most;
}

bool sim_clock_check(const struct sim_clock *clock)
{
    return within(clock->skew_ns, SIM_SKEW_MAX_NS) && within(clock->drift_ppm, SIM_DRIFT_MAX_PPM) &&
           within(clock->jump_ns, SIM_SKEW_MAX_NS) &&
           (clock->jump_every_ns == 0 || clock->jump_every_ns >= SIM_JUMP_MIN_NS) &&
           clock->jump_every_ns <= SIM_LAST_NS;
}

bool sim_host_clock(struct sim *sim, uint32_t number, const struct sim_clock *clock)
{
    struct sim_host *host = number < sim->host_count ? sim_host_at(sim, number) : NULL;
    if (!host || !sim_clock_check(clock))
        return false;
    bool right = clock->skew_ns == 0 && clock->drift_ppm == 0 && clock->jump_every_ns == 0;
    if (right && !host->faults)
        return true;
    struct sim_faults *faults = faults_of(sim, host);
    uint64_t before_ns = clock_wall_ns(sim, host);
    faults->clock = *clock;
    faults->clock_ns = sim->now_ns;
    faults->clock_armed = VN_NEVER;
    bool moved = clock_wall_ns(sim, host) != before_ns;
    if (!host->node || host->paused) {
        faults->clock_changed = true;
    } else if (moved) {
        host_clock(sim, host);
        host_settle(sim, host);
    } else {
        clock_arm(sim, host);
    }
    return true;
}
