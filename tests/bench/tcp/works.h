/* What is measured: the rows of the table, and what is read off a run for each. */
#ifndef BENCH_WORKS_H
#define BENCH_WORKS_H

#include "tests/bench/tcp/contender.h"

#define FIGURES 6u /* of one work, at most */
#define WORKS   9u

/* What one run gave; for SLOW, of the run without the slow one and of that with it. */
struct outcome {
    struct side server, client, server_slow, client_slow;
};

struct figure {
    const char *name;
    double (*of)(const struct outcome *outcome);
};

struct work_row {
    const char *name, *about;
    enum work work;
    uint32_t size;
    struct figure figures[FIGURES];
};

extern const struct work_row works[WORKS];

#endif
