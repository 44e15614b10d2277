/* Elementary functions from basic operations. The argument reductions are those of fdlibm (Sun
 * Microsystems 1993, e_log.c and e_exp.c); the series are plain Taylor series, long enough for the
 * reduced ranges, because their coefficients need no trust. */
#include "core/base/exact.h"

#include "core/base/bytes.h"

#include <float.h>

/* Other evaluation methods round intermediate results elsewhere, and hashes of runs would differ.
 */
_Static_assert(FLT_EVAL_METHOD == 0, "doubles must be computed as doubles");

/* ln 2 in two parts; the first has 32 significant bits, so that its product with an exponent is
 * exact (fdlibm). */
#define LN2_HIGH 6.93147180369123816490e-01
#define LN2_LOW  1.90821492927058770002e-10
#define LN2_INV  1.44269504088896338700e+00

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static double double_of(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* 2^k for -1022 <= k <= 1023. */
static double power_of_two(int k)
{
    return double_of((uint64_t)(k + 1023) << 52);
}

/* x = 2^k (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)), s = f / (2 + f), and
 * log(1 + f) = 2 atanh(s) = 2s + s R with R = 2/3 s^2 + 2/5 s^4 + ..., where 2s = f - s f, so that
 * the largest term, f, is exact. */
double exact_log(double x)
{
    int k = 0;

    if (!(x > 0))
        return x <= 0 ? -1e308 : x;
    if (x > DBL_MAX)
        return x;
    if (x < DBL_MIN) {
        x *= 0x1p54;
        k = -54;
    }
    uint64_t bits = bits_of(x);
    k += (int)(bits >> 52) - 1023;
    double m = double_of((bits & 0x000fffffffffffffu) | 0x3ff0000000000000u);
    if (m > 1.41421356237309504880) {
        m *= 0.5;
        k++;
    }
    const double f = m - 1;
    const double s = f / (2 + f);
    const double z = s * s; /* at most 0.0295: z^11 / 23 is below 2^-60 */
    double r = 2.0 / 21;
    for (int n = 19; n >= 3; n -= 2)
        r = r * z + 2.0 / n;
    r *= z;
    const double dk = k;
    return dk * LN2_HIGH - ((s * (f - r) - dk * LN2_LOW) - f);
}

/* x = k ln 2 + r with |r| <= 0.35; 14 terms of the series leave less than 2^-57. */
double exact_exp(double x)
{
    if (x != x)
        return x;
    if (x > 709.782712893383973096) /* log of the largest double */
        return DBL_MAX;
    if (x < -745.13321910194110842) /* log of half the smallest */
        return 0;
    const int k = (int)(x * LN2_INV + (x < 0 ? -0.5 : 0.5));
    const double r = (x - k * LN2_HIGH) - k * LN2_LOW;
    double p = 1.0 / 14;
    for (int n = 13; n >= 2; n--)
        p = (1 + r * p) / n;
    const double y = 1 + (r + r * r * p);
    /* In two steps, since 2^k alone may be out of range at both ends. */
    const int half = k / 2;
    return y * power_of_two(half) * power_of_two(k - half);
}

double exact_sqrt(double x)
{
    double scale = 1;

    if (x != x)
        return x;
    if (x <= 0)
        return 0;
    if (x > DBL_MAX)
        return x;
    if (x < DBL_MIN) {
        x *= 0x1p54;
        scale = 0x1p-27;
    }
    /* Half the exponent and a linear mantissa are within 7 % of the root; each step squares the
     * error (over 2). */
    double y = double_of((bits_of(x) >> 1) + 0x1ff8000000000000u);
    for (int i = 0; i < 5; i++)
        y = 0.5 * (y + x / y);
    return y * scale;
}

double exact_pow(double x, double y)
{
    return exact_exp(y * exact_log(x));
}

/* ((c[7] r + c[6]) r + ...) r + c[0] */
static double polynomial7(const double c[8], double r)
{
    double sum = c[7];
    for (int i = 6; i >= 0; i--)
        sum = sum * r + c[i];
    return sum;
}

/* Wichura, "Algorithm AS 241: The percentage points of the normal distribution", Applied
 * Statistics 37 (1988), 477-484, routine PPND16: a rational function for the middle, one for the
 * tails, one for the far tails. */
double exact_normal_quantile(double p)
{
    static const double a[8] = {3.3871328727963666080e0, 1.3314166789178437745e2,
                                1.9715909503065514427e3, 1.3731693765509461125e4,
                                4.5921953931549871457e4, 6.7265770927008700853e4,
                                3.3430575583588128105e4, 2.5090809287301226727e3};
    static const double b[8] = {1.0,
                                4.2313330701600911252e1,
                                6.8718700749205790830e2,
                                5.3941960214247511077e3,
                                2.1213794301586595867e4,
                                3.9307895800092710610e4,
                                2.8729085735721942674e4,
                                5.2264952788528545610e3};
    static const double c[8] = {1.42343711074968357734e0,  4.63033784615654529590e0,
                                5.76949722146069140550e0,  3.64784832476320460504e0,
                                1.27045825245236838258e0,  2.41780725177450611770e-1,
                                2.27238449892691845833e-2, 7.74545014278341407640e-4};
    static const double d[8] = {1.0,
                                2.05319162663775882187e0,
                                1.67638483018380384940e0,
                                6.89767334985100004550e-1,
                                1.48103976427480074590e-1,
                                1.51986665636164571966e-2,
                                5.47593808499534494600e-4,
                                1.05075007164441684324e-9};
    static const double e[8] = {6.65790464350110377720e0,  5.46378491116411436990e0,
                                1.78482653991729133580e0,  2.96560571828504891230e-1,
                                2.65321895265761230930e-2, 1.24266094738807843860e-3,
                                2.71155556874348757815e-5, 2.01033439929228813265e-7};
    static const double f[8] = {1.0,
                                5.99832206555887937690e-1,
                                1.36929880922735805310e-1,
                                1.48753612908506148525e-2,
                                7.86869131145613259100e-4,
                                1.84631831751005468180e-5,
                                1.42151175831644588870e-7,
                                2.04426310338993978564e-15};

    if (!(p > DBL_MIN))
        p = DBL_MIN;
    if (p > 1 - 0x1p-53)
        p = 1 - 0x1p-53;
    const double q = p - 0.5;
    if (q >= -0.425 && q <= 0.425) {
        const double r = 0.180625 - q * q;
        return q * polynomial7(a, r) / polynomial7(b, r);
    }
    const double tail = q < 0 ? p : 1 - p;
    const double r = exact_sqrt(-exact_log(tail));
    const double z = r <= 5 ? polynomial7(c, r - 1.6) / polynomial7(d, r - 1.6)
                            : polynomial7(e, r - 5) / polynomial7(f, r - 5);
    return q < 0 ? -z : z;
}

/* In integers: seconds = m 2^e with m < 2^53, and m x 10^9 < 2^83 is exact. */
uint64_t exact_ns_from_seconds(double seconds)
{
    if (!(seconds > 0))
        return 0;
    if (seconds >= 18446744073.709551616) /* 2^64 ns */
        return UINT64_MAX;
    const uint64_t bits = bits_of(seconds);
    const int exponent = (int)(bits >> 52);
    uint64_t m = bits & 0x000fffffffffffffu;
    if (exponent != 0)
        m |= (uint64_t)1 << 52;
    const int e = (exponent == 0 ? 1 : exponent) - 1075; /* at most -18: seconds < 2^35 */
    const u128 scaled = (u128)m * 1000000000u;
    if (e <= -84)
        return 0; /* below one half */
    const u128 one = (u128)1 << -e;
    const u128 rest = scaled & (one - 1);
    uint64_t ns = (uint64_t)(scaled >> -e);
    if (rest > one / 2 || (rest == one / 2 && (ns & 1)))
        ns = add_sat(ns, 1);
    return ns;
}
