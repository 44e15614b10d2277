/* xoshiro256++ 1.0 after Blackman and Vigna, "Scrambled linear pseudorandom number generators" (ACM
 * TOMS 2021; reference code in the public domain, prng.di.unimi.it), seeded by SHA-256 so that
 * streams of different names are unrelated. */
#include "core/base/rng.h"

#include "core/base/bytes.h"
#include "core/base/exact.h"
#include "core/crypto/sha256.h"

#include <assert.h>

#define EXPONENTIAL_MEANS_MAX 64u

void rng_fork_seed(uint8_t out[32], const uint8_t seed[32], const char *name, uint64_t n)
{
    struct sha256 s;
    uint8_t number[8];

    put_be64(number, n);
    sha256_init(&s);
    sha256_update(&s, seed, 32);
    sha256_update(&s, name, strlen(name));
    sha256_update(&s, number, sizeof number);
    sha256_final(&s, out);
}

void rng_fork(struct rng *rng, const uint8_t seed[32], const char *name, uint64_t n)
{
    uint8_t state[32];
    uint64_t any = 0;

    rng_fork_seed(state, seed, name, n);
    for (unsigned i = 0; i < 4; i++) {
        rng->s[i] = get_le64(state + 8 * i);
        any |= rng->s[i];
    }
    if (any == 0) /* the one state the generator cannot leave */
        rng->s[0] = 1;
}

static uint64_t rotate_left(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

uint64_t rng_u64(struct rng *rng)
{
    uint64_t *s = rng->s;
    const uint64_t result = rotate_left(s[0] + s[3], 23) + s[0];
    const uint64_t shifted = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate_left(s[3], 45);
    return result;
}

/* Lemire, "Fast random integer generation in an interval" (ACM TOMACS 2019): the high half of a
 * product, with the few low halves that would favour some results drawn again. */
uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    assert(bound >= 1);
    uint64_t x = rng_u64(rng);
    u128 product = (u128)x * bound;

    if ((uint64_t)product < bound) {
        const uint64_t unfair = (0 - bound) % bound; /* 2^64 mod bound */
        while ((uint64_t)product < unfair) {
            x = rng_u64(rng);
            product = (u128)x * bound;
        }
    }
    return (uint64_t)(product >> 64);
}

double rng_unit(struct rng *rng)
{
    return (double)(rng_u64(rng) >> 11) * 0x1p-53;
}

bool rng_chance(struct rng *rng, double p)
{
    return rng_unit(rng) < p;
}

uint64_t rng_exponential_ns(struct rng *rng, uint64_t mean_ns)
{
    /* 1 - u lies in (0, 1], so that the logarithm is finite: at most 53 ln 2 = 36.7 means. */
    const double u = rng_unit(rng);
    const double ns = -exact_log(1.0 - u) * (double)mean_ns;
    const u128 most = (u128)mean_ns * EXPONENTIAL_MEANS_MAX;
    const uint64_t bound = most > UINT64_MAX ? UINT64_MAX : (uint64_t)most;

    if (ns >= (double)bound)
        return bound;
    return (uint64_t)ns;
}
