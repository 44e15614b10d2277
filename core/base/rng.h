/* Deterministic dice: xoshiro256++ (Blackman and Vigna, 2019, public domain), one generator per
 * named purpose, forked from a 32-byte seed, so that one more draw in one place moves nothing
 * elsewhere.
 *
 * Draw at most once per expression: the order of evaluation inside one is the compiler's. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
    uint64_t s[4];
};

/* The stream `name` (any text) with number `n` of `seed`: state = SHA-256(seed || name || be64 n),
 * as four little-endian words; never all zero. */
void rng_fork(struct rng *rng, const uint8_t seed[32], const char *name, uint64_t n);

/* Derives a 32-byte seed the same way, to hand on. */
void rng_fork_seed(uint8_t out[32], const uint8_t seed[32], const char *name, uint64_t n);

/* Uniform over all 64-bit values. */
uint64_t rng_u64(struct rng *rng);

/* Uniform in 0..bound-1, without bias (Lemire 2019); bound >= 1. */
uint64_t rng_below(struct rng *rng, uint64_t bound);

/* Uniform in [0, 1), a multiple of 2^-53. */
double rng_unit(struct rng *rng);

/* True with probability p (p <= 0: never, p >= 1: always; one draw in every case). */
bool rng_chance(struct rng *rng, double p);

/* Exponentially distributed with that mean, in integer nanoseconds, at most 64 means; by exact_log.
 * mean_ns 0 gives 0 (and draws). */
uint64_t rng_exponential_ns(struct rng *rng, uint64_t mean_ns);

#endif
