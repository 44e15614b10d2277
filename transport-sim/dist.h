/* Distributions of latency and the like, sampled with the exact functions of core/base/exact.h by
 * inversion: one draw a sample. Parameters are in seconds (or any unit: the sample has the same).
 */
#ifndef SIM_DIST_H
#define SIM_DIST_H

#include "core/base/rng.h"

#include <stddef.h>

enum sim_dist_kind {
    SIM_CONSTANT,    /* a */
    SIM_UNIFORM,     /* a..b */
    SIM_NORMAL,      /* mean a, standard deviation b; negative samples count as 0 */
    SIM_LOGNORMAL,   /* median a, sigma b */
    SIM_PARETO,      /* minimum a, shape b */
    SIM_LOMAX,       /* a Pareto less its minimum a, shape b; the mean is a / (b - 1) */
    SIM_EXPONENTIAL, /* mean a */
    SIM_EMPIRICAL    /* n sorted values, interpolated linearly */
};

struct sim_dist {
    enum sim_dist_kind kind;
    double a, b;
    const double *values; /* borrowed; outlives the simulator */
    size_t n;
};

/* True if the parameters make sense; else one line to why. */
bool sim_dist_check(const struct sim_dist *dist, char *why, size_t size);
/* The quantile: the sample that belongs to u, uniform in [0, 1). Never negative. dist is checked.
 */
double sim_dist_at(const struct sim_dist *dist, double u);
/* The same as seconds in nanoseconds, at most 1 h. */
uint64_t sim_dist_at_ns(const struct sim_dist *dist, double u);
/* One draw; a constant does not draw. */
double sim_dist_sample(const struct sim_dist *dist, struct rng *rng);
/* The sample as seconds in nanoseconds, at most 1 h. */
uint64_t sim_dist_sample_ns(const struct sim_dist *dist, struct rng *rng);

#endif
