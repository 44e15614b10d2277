/* What several runs of one scenario say together: how metrics are spread, and which `sometimes` any
 * of them hit. */
#ifndef VIBESIM_TALLY_H
#define VIBESIM_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tally_metric {
    char *name;
    double *values;
    size_t count, capacity;
};

struct tally_sometime {
    char *text, *place; /* place: "FILE:LINE", or "" if no run told it */
    uint64_t runs, hits;
};

/* All zero at first. */
struct tally {
    struct tally_metric *metrics; /* in the order in which they came */
    size_t metric_count;
    struct tally_sometime *sometimes;
    size_t sometime_count;
    size_t hint; /* runs tell their metrics in one order: where the next one likely is */
};

void tally_add_metric(struct tally *t, const char *name, double value);
void tally_add_sometime(struct tally *t, const char *text, const char *place, bool hit);

struct tally_spread {
    double min, median, max; /* median of an even number: the mean of the middle two */
    double p95;              /* the least value that 95% of them do not exceed */
};

/* Sorts the values. The metric has at least one. */
struct tally_spread tally_spread(struct tally_metric *m);

/* How many `sometimes` no run hit. */
uint64_t tally_never(const struct tally *t);

void tally_clear(struct tally *t);

#endif
