/* The statistics of the gate; see compare.h. All sums go over sorted values or in the order of the
 * pairs, so that nothing depends on who computes them. */
#include "vibesim/compare.h"

#include "core/base/exact.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What the exact distribution may take: a place for each sum that the ranks can have. */
#define SUMS_MAX   (4u << 20)
#define FIGURE_MAX 1e140             /* whose square is a number, and the sum of many of them */
#define LEVEL_Z    1.959963984540054 /* the normal quantile of 0.975 */
#define LEVEL      0.025             /* what each side of an interval leaves out */

static void *room(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size);
    if (!p)
        abort();
    return p;
}

/* Total for numbers without NaN. */
static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double middle(const double *sorted, size_t n)
{
    double low = sorted[(n - 1) / 2], high = sorted[n / 2];
    return low + (high - low) / 2;
}

static double median(const double *values, size_t n)
{
    double *sorted = room(n, sizeof *sorted);
    memcpy(sorted, values, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_value);
    double m = middle(sorted, n);
    free(sorted);
    return m;
}

/* ---- the normal distribution ---- */

/* Abramowitz and Stegun 1964: the series 26.2.11 near 0, where it has lost no digits yet; the
 * continued fraction 26.2.14 from its far end where that is as deep as needed. */
double compare_normal_tail(double z)
{
    const double density = 0.3989422804014327 * exact_exp(-0.5 * z * z);
    if (z < 2.5) {
        double term = z, sum = z;
        for (int k = 3; k < 120; k += 2) {
            term *= z * z / k;
            sum += term;
        }
        return 0.5 - density * sum;
    }
    double f = z;
    for (int k = 200; k >= 1; k--)
        f = z + k / f;
    return density / f;
}

/* ---- the signed-rank test ---- */

/* A difference with the double of its rank among all by size: mean ranks are halves. */
struct rank {
    double size;
    bool up;
    uint64_t doubled;
};

static int by_size(const void *a, const void *b)
{
    const struct rank *x = a, *y = b;
    return x->size < y->size ? -1 : x->size > y->size;
}

/* Ranks all n, and moves those that differ to the front; returns how many they are. Those of one
 * size have one rank, so it does not matter in which order they were sorted. */
static size_t rank_all(struct rank *ranks, const double *differences, size_t n)
{
    size_t moved = 0;
    for (size_t i = 0; i < n; i++)
        ranks[i] = (struct rank){differences[i] < 0 ? -differences[i] : differences[i],
                                 differences[i] > 0, 0};
    qsort(ranks, n, sizeof *ranks, by_size);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && ranks[end].size == ranks[i].size; end++)
            continue;
        for (size_t k = i; k < end; k++)
            ranks[k].doubled = i + 1 + end;
    }
    for (size_t i = 0; i < n; i++)
        if (ranks[i].size > 0)
            ranks[moved++] = ranks[i];
    return moved;
}

/* The distribution of the sum of these ranks if each counts or not with equal chance: probability
 * by sum, 0..total. Up to 50 ranks every one is a multiple of 2^-50, so nothing is rounded. */
static double *distribution(const uint64_t *ranks, size_t n, size_t total)
{
    double *p = room(total + 1, sizeof *p);
    size_t most = 0;
    p[0] = 1;
    for (size_t i = 0; i < n; i++) {
        most += (size_t)ranks[i];
        for (size_t s = most + 1; s-- > 0;)
            p[s] = 0.5 * p[s] + (s >= ranks[i] ? 0.5 * p[s - (size_t)ranks[i]] : 0);
    }
    return p;
}

/* sum: the lesser of the sums up and down, doubled like the ranks. */
static double exact_p(const struct rank *ranks, size_t n, uint64_t sum, uint64_t total)
{
    uint64_t doubled[COMPARE_EXACT_MAX];
    double tail = 0;
    for (size_t i = 0; i < n; i++)
        doubled[i] = ranks[i].doubled;
    double *p = distribution(doubled, n, (size_t)total);
    for (size_t s = 0; s <= sum; s++)
        tail += p[s];
    free(p);
    return tail < 0.5 ? 2 * tail : 1;
}

static double approximate_p(const struct rank *ranks, size_t n, uint64_t sum, uint64_t total)
{
    double squares = 0;
    for (size_t i = 0; i < n; i++) {
        double r = 0.5 * (double)ranks[i].doubled;
        squares += r * r;
    }
    double off = 0.25 * (double)total - 0.5 * (double)sum - 0.5;
    double p = off > 0 ? 2 * compare_normal_tail(off / exact_sqrt(0.25 * squares)) : 1;
    /* No signs of so few can be rarer than all alike. */
    double least = 2;
    for (size_t i = 0; i < n && least > DBL_MIN; i++)
        least *= 0.5;
    p = p < least ? least : p;
    return p < 1 ? p : 1;
}

static double signed_rank_p(const double *differences, size_t n, size_t *moved)
{
    struct rank *ranks = room(n, sizeof *ranks);
    *moved = rank_all(ranks, differences, n);
    uint64_t total = 0, up = 0;
    for (size_t i = 0; i < *moved; i++) {
        total += ranks[i].doubled;
        up += ranks[i].up ? ranks[i].doubled : 0;
    }
    uint64_t sum = up < total - up ? up : total - up;
    double p = *moved == 0 ? 1
               : *moved <= COMPARE_EXACT_MAX && total <= SUMS_MAX
                   ? exact_p(ranks, *moved, sum, total)
                   : approximate_p(ranks, *moved, sum, total);
    free(ranks);
    return p;
}

/* ---- the size of a change ---- */

/* Doubles as integers in the same order. */
static uint64_t key_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static double double_of(uint64_t key)
{
    double x;
    uint64_t bits = key >> 63 ? key ^ UINT64_C(1) << 63 : ~key;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* How many sums of two (or twice one) of the sorted values are at most `bound`. */
static uint64_t sums_within(const double *sorted, size_t n, double bound)
{
    uint64_t count = 0;
    size_t end = n;
    for (size_t i = 0; i < end; i++) {
        while (end > i && sorted[i] + sorted[end - 1] > bound)
            end--;
        count += end - i;
    }
    return count;
}

/* The k-th smallest mean of two of the sorted values, k from 1. There are too many to list (5 x
 * 10^11 of a million), so the value is found by halving what it can be. */
static double mean_at(const double *sorted, size_t n, uint64_t k)
{
    uint64_t low = key_of(2 * sorted[0]), high = key_of(2 * sorted[n - 1]);
    while (low < high) {
        uint64_t mid = low + (high - low) / 2;
        if (sums_within(sorted, n, double_of(mid)) >= k)
            high = mid;
        else
            low = mid + 1;
    }
    return double_of(low) / 2;
}

/* Which of the ordered means ends the interval on each side: the largest c such that fewer than c
 * come with a probability within LEVEL. At least 1: all means, where there are too few pairs for
 * the level. */
static uint64_t interval_end(size_t n)
{
    if (n > COMPARE_EXACT_MAX) {
        double pairs = (double)n;
        double spread = exact_sqrt(pairs * (pairs + 1) * (2 * pairs + 1) / 24);
        double c = pairs * (pairs + 1) / 4 - LEVEL_Z * spread;
        return (uint64_t)c;
    }
    uint64_t ranks[COMPARE_EXACT_MAX], c = 0;
    size_t total = n * (n + 1) / 2;
    for (size_t i = 0; i < n; i++)
        ranks[i] = i + 1;
    double *p = distribution(ranks, n, total), tail = p[0];
    while (tail <= LEVEL)
        tail += p[++c];
    free(p);
    return c ? c : 1;
}

/* Of differences of logarithms. */
static void size_of_ratio(struct compare *out, const double *differences, size_t n)
{
    double *sorted = room(n, sizeof *sorted);
    memcpy(sorted, differences, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_value);
    uint64_t all = (uint64_t)n * (n + 1) / 2, c = interval_end(n);
    double low = mean_at(sorted, n, (all + 1) / 2), high = mean_at(sorted, n, all / 2 + 1);
    out->change = exact_exp(low + (high - low) / 2) - 1;
    out->low = exact_exp(mean_at(sorted, n, c)) - 1;
    out->high = exact_exp(mean_at(sorted, n, all + 1 - c)) - 1;
    free(sorted);
}

static double share(double part, double whole)
{
    return part == 0 ? 0 : whole > 0 ? part / whole : part < 0 ? -HUGE_VAL : HUGE_VAL;
}

/* Of plain differences. */
static void size_of_mean(struct compare *out, const double *differences, const double *before,
                         size_t n)
{
    double sum = 0, whole = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        sum += differences[i] / (double)n;
        whole += (before[i] < 0 ? -before[i] : before[i]) / (double)n;
    }
    for (size_t i = 0; i < n; i++)
        squares += (differences[i] - sum) * (differences[i] - sum);
    double error = n > 1 ? LEVEL_Z * exact_sqrt(squares / (double)(n - 1) / (double)n) : 0;
    out->change = share(sum, whole);
    out->low = share(sum - error, whole);
    out->high = share(sum + error, whole);
}

bool compare_is_figure(double x)
{
    return x >= -FIGURE_MAX && x <= FIGURE_MAX;
}

void compare_pairs(struct compare *out, const double *before, const double *after, size_t n)
{
    double *differences = room(n, sizeof *differences);
    bool ratio = true;
    for (size_t i = 0; i < n; i++) {
        assert(compare_is_figure(before[i]) && compare_is_figure(after[i]));
        ratio = ratio && before[i] > 0 && after[i] > 0;
    }
    for (size_t i = 0; i < n; i++)
        differences[i] = ratio ? exact_log(after[i]) - exact_log(before[i]) : after[i] - before[i];
    *out = (struct compare){.pairs = n, .before = median(before, n), .after = median(after, n)};
    out->p = signed_rank_p(differences, n, &out->moved);
    if (out->moved && ratio)
        size_of_ratio(out, differences, n);
    else if (out->moved)
        size_of_mean(out, differences, before, n);
    free(differences);
}

/* ---- many figures ---- */

struct ordered {
    double p;
    size_t at;
};

static int by_p(const void *a, const void *b)
{
    const struct ordered *x = a, *y = b;
    if (x->p != y->p)
        return x->p < y->p ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

void compare_holm(double *adjusted, const double *p, size_t m)
{
    struct ordered *order = room(m, sizeof *order);
    double least = 0;
    for (size_t i = 0; i < m; i++)
        order[i] = (struct ordered){p[i], i};
    qsort(order, m, sizeof *order, by_p);
    for (size_t i = 0; i < m; i++) {
        double q = (double)(m - i) * order[i].p;
        least = q > least ? q : least;
        adjusted[order[i].at] = least < 1 ? least : 1;
    }
    free(order);
}

size_t compare_pairs_needed(size_t m, double alpha)
{
    size_t n = 1;
    for (double p = (double)m; p > alpha && n < 1000; n++)
        p *= 0.5;
    return n;
}
