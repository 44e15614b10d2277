/* Whether a figure changed between two builds, and by how much: statistics of pairs. Two builds ran
 * the same scenario with the same seeds, so each seed gives a pair (before, after) of the figure.
 *
 * Test: the signed-rank test of Wilcoxon (1945, Biometrics Bulletin 1), which asks no distribution
 * of the figures, only that without a change a pair is as likely to differ one way as the other.
 * Pairs that do not differ keep their ranks and drop out of the sum (Pratt 1959, JASA 54); equal
 * differences share their mean rank. Up to 50 pairs that differ the probability is exact, of the
 * ranks as they are (the shift algorithm of Streitberg and Roehmel 1986); above that it is the
 * normal approximation, with the variance of the ranks as they are and corrected for continuity.
 *
 * Size: where all figures are above 0, differences are taken of their logarithms, and the change is
 * what Hodges and Lehmann (1963, Ann. Math. Statist. 34) estimate, the median of all means of two
 * differences, with Tukey's interval of the same means (Hollander and Wolfe 1999, 3.2 and 3.3).
 * Where a figure can be 0 a median would miss what happens now and then: the change is that of the
 * mean, in shares of the mean before, with its normal interval.
 *
 * Many figures: Holm (1979, Scand. J. Statist. 6), which bounds the probability of a single false
 * alarm among all, however the figures depend on each other (percentiles of one thing do).
 *
 * Pure: no clock, no libm, no order but that of the pairs' values; equal input gives equal bits on
 * every machine. */
#ifndef VIBESIM_COMPARE_H
#define VIBESIM_COMPARE_H

#include <stdbool.h>
#include <stddef.h>

#define COMPARE_EXACT_MAX 50u /* pairs that differ, up to which the probability is exact */

struct compare {
    size_t pairs, moved;  /* moved: of them those that differ */
    double p;             /* two-sided: how often chance alone differs as much; 1 if none moved */
    double before, after; /* medians */
    /* Shares: 0.061 is 6.1 % more. low..high holds the true one in 95 of 100 cases. Infinite if
     * all was 0 before and is not now. */
    double change, low, high;
};

/* Whether it can be compared: not NaN, not infinite, not beyond 1e140. */
bool compare_is_figure(double x);

/* n >= 1 pairs of such figures. */
void compare_pairs(struct compare *out, const double *before, const double *after, size_t n);

/* Holm's adjusted probabilities of m tests: those at most alpha are significant if a false alarm
 * among all m may come with the probability alpha. adjusted may be p. */
void compare_holm(double *adjusted, const double *p, size_t m);

/* The fewest pairs whose signed-rank test, of m, can be significant at all: with fewer even pairs
 * that all differ one way are no proof. */
size_t compare_pairs_needed(size_t m, double alpha);

/* The upper tail of the standard normal distribution, z >= 0; relative error below 1e-12 up to
 * z = 37, 0 beyond. */
double compare_normal_tail(double z);

#endif
