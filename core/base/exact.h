/* Elementary functions from +, -, *, / alone, so that every compiler and machine computes the same
 * bits (IEEE 754 binary64, round to nearest, no contraction). libm promises no such thing.
 * Accuracy is stated per function and tested against libm in tests, never linked into the core. */
#ifndef BASE_EXACT_H
#define BASE_EXACT_H

#include <stdint.h>

/* Natural logarithm, error below 4 ulp; x <= 0 gives -1e308, NaN and infinity give themselves. */
double exact_log(double x);

/* e^x, error below 4 ulp; overflow gives the largest finite double, underflow 0. */
double exact_exp(double x);

/* Square root by Newton from a bit-level start, error at most 1 ulp; negative gives 0. */
double exact_sqrt(double x);

/* x^y for x > 0: exact_exp(y * exact_log(x)). */
double exact_pow(double x, double y);

/* The standard normal quantile (Wichura 1988, AS 241, PPND16); p in (0, 1), clamped. */
double exact_normal_quantile(double p);

/* Seconds to nanoseconds: the exact product, rounded once, half to even; negative and NaN give 0,
 * beyond range UINT64_MAX. */
uint64_t exact_ns_from_seconds(double seconds);

#endif
