/* Sampling by inversion: the quantile function of each distribution at one uniform number. */
#include "transport-sim/dist.h"

#include "core/base/exact.h"

#include <stdio.h>

#define HOUR_S 3600.0

/* False for NaN and infinities too. */
static bool within(double x, double lo, double hi)
{
    return x >= lo && x <= hi;
}

static bool refuse(char *why, size_t size, const char *text)
{
    if (why && size > 0)
        snprintf(why, size, "%s", text);
    return false;
}

static bool empirical_check(const struct sim_dist *dist, char *why, size_t size)
{
    if (!dist->values || dist->n == 0)
        return refuse(why, size, "empirical: needs at least one value");
    for (size_t i = 0; i < dist->n; i++) {
        if (!within(dist->values[i], 0, 1e18))
            return refuse(why, size, "empirical: values must be finite and not negative");
        if (i > 0 && dist->values[i] < dist->values[i - 1])
            return refuse(why, size, "empirical: values must be sorted, the least first");
    }
    return true;
}

bool sim_dist_check(const struct sim_dist *dist, char *why, size_t size)
{
    switch (dist->kind) {
    case SIM_CONSTANT:
        return within(dist->a, 0, 1e18) ||
               refuse(why, size, "constant: must be finite and not negative");
    case SIM_UNIFORM:
        return (within(dist->a, 0, 1e18) && within(dist->b, dist->a, 1e18)) ||
               refuse(why, size, "uniform(lo, hi): needs 0 <= lo <= hi");
    case SIM_NORMAL:
        return (within(dist->a, 0, 1e18) && within(dist->b, 0, 1e18)) ||
               refuse(why, size, "normal(mean, sd): needs mean >= 0 and sd >= 0");
    case SIM_LOGNORMAL:
        return (within(dist->a, 0, 1e18) && within(dist->b, 0, 100)) ||
               refuse(why, size, "lognormal(median, sigma): needs median >= 0, sigma 0..100");
    case SIM_PARETO:
        return (within(dist->a, 0, 1e18) && within(dist->b, 1e-3, 1e6)) ||
               refuse(why, size, "pareto(min, shape): needs min >= 0, shape 0.001..1000000");
    case SIM_LOMAX:
        return (within(dist->a, 0, 1e18) && within(dist->b, 1e-3, 1e6)) ||
               refuse(why, size, "lomax(scale, shape): needs scale >= 0, shape 0.001..1000000");
    case SIM_EXPONENTIAL:
        return within(dist->a, 0, 1e18) || refuse(why, size, "exponential(mean): needs mean >= 0");
    case SIM_EMPIRICAL:
        return empirical_check(dist, why, size);
    }
    return refuse(why, size, "no such distribution");
}

static double empirical_at(const struct sim_dist *dist, double u)
{
    double position = u * (double)(dist->n - 1);
    size_t i = (size_t)position;
    if (i + 1 >= dist->n)
        return dist->values[dist->n - 1];
    double part = position - (double)i;
    return dist->values[i] + part * (dist->values[i + 1] - dist->values[i]);
}

static double quantile(const struct sim_dist *dist, double u)
{
    switch (dist->kind) {
    case SIM_CONSTANT:
        return dist->a;
    case SIM_UNIFORM:
        return dist->a + u * (dist->b - dist->a);
    case SIM_NORMAL:
        return dist->a + dist->b * exact_normal_quantile(u);
    case SIM_LOGNORMAL:
        return dist->a * exact_exp(dist->b * exact_normal_quantile(u));
    case SIM_PARETO: /* 1 - u is in (0, 1]: no division by zero */
        return dist->a * exact_exp(-exact_log(1.0 - u) / dist->b);
    case SIM_LOMAX:
        return dist->a * (exact_exp(-exact_log(1.0 - u) / dist->b) - 1.0);
    case SIM_EXPONENTIAL:
        return -dist->a * exact_log(1.0 - u);
    case SIM_EMPIRICAL:
        return empirical_at(dist, u);
    }
    return 0;
}

double sim_dist_at(const struct sim_dist *dist, double u)
{
    double x = quantile(dist, u);
    return x > 0 ? x : 0;
}

uint64_t sim_dist_at_ns(const struct sim_dist *dist, double u)
{
    double s = sim_dist_at(dist, u);
    return exact_ns_from_seconds(s < HOUR_S ? s : HOUR_S);
}

double sim_dist_sample(const struct sim_dist *dist, struct rng *rng)
{
    return sim_dist_at(dist, dist->kind == SIM_CONSTANT ? 0 : rng_unit(rng));
}

uint64_t sim_dist_sample_ns(const struct sim_dist *dist, struct rng *rng)
{
    return sim_dist_at_ns(dist, dist->kind == SIM_CONSTANT ? 0 : rng_unit(rng));
}
