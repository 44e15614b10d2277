/* What a recorded run tells in numbers: the metrics of its scenario, and those that every run has.
 *
 *   propagation_p50_s, _p95_s, _p99_s   from when a block was found to when a node had it, of all
 *                                       blocks and nodes but the finder; nearest rank
 *   messages, bytes, events             of the whole run
 *   tip_height                          the highest tip of a node at the end
 *   tips                                how many different tips the nodes ended with
 *   stale_blocks                        blocks found beyond that height: lost to forks
 *
 * What a scenario tells several times (for one node each) counts as their mean. A scenario's own
 * metric stands in the place of one of these with its name. */
#ifndef VIBESIM_GATE_FIGURES_H
#define VIBESIM_GATE_FIGURES_H

#include "store/reader.h"

struct figure {
    char *name;
    double value;  /* compare_is_figure */
    uint64_t told; /* how often */
};

struct figures {
    struct figure *all;
    size_t count, hint;
};

/* The figures of a run. False, with a line in why, if the record cannot be read. */
bool figures_read(struct figures *out, struct reader *reader, const struct read_run *run, char *why,
                  size_t size);
void figures_free(struct figures *figures);

#endif
