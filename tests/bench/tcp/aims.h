/* What this project wants to reach, beside what was measured. */
#ifndef BENCH_AIMS_H
#define BENCH_AIMS_H

#include <stdint.h>

/* One figure of one round; 0: it was not measured. work NULL: of SHA-256, in GB/s. */
typedef double aims_figure(const void *ctx, const char *work, const char *contender,
                           const char *name, uint64_t round);

/* Prints those of which everything was measured. */
void aims_print(aims_figure *figure, const void *ctx, uint64_t rounds);

#endif
