/* The benchmark's side of a run: two processes, and what they measured. */
#ifndef BENCH_ARENA_H
#define BENCH_ARENA_H

#include "tests/bench/tcp/contender.h"

/* Runs both functions of a contender, each in a new process. False: one of them failed, and has
 * said why on the standard error. work: its name, for that. */
bool arena_run(const struct contender *contender, const char *work, struct run run,
               struct side *server, struct side *client);

#endif
