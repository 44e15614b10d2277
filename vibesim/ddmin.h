/* Delta debugging: makes a set that fails as small as it gets by leaving out parts of it.
 *
 * A. Zeller and R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (IEEE
 * Transactions on Software Engineering 28, 2002), algorithm ddmin. The result is 1-minimal: without
 * any one of its elements it no longer fails (unless the search was stopped). The candidates of one
 * granularity are asked for together, so that whoever tests them can do so side by side; which one
 * is taken depends on their order alone. */
#ifndef VIBESIM_DDMIN_H
#define VIBESIM_DDMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ddmin_set {
    uint32_t *items; /* ascending */
    size_t count;
};

/* Tests the candidates: *first is the place of the first one that fails as wanted, or `count` if
 * none does. False stops the search. */
typedef bool (*ddmin_test)(void *ctx, const struct ddmin_set *candidates, size_t count,
                           size_t *first);

/* Reduces *set, which is known to fail, in place. Returns false if the search was stopped; *set is
 * then the smallest that was found by then. */
bool ddmin(struct ddmin_set *set, ddmin_test test, void *ctx);

#endif
