/* A record as the baseline of the gate. */
#ifndef VIBESIM_GATE_BASELINE_H
#define VIBESIM_GATE_BASELINE_H

#include "vibesim/gate.h"

/* Adds a case, with the runs and figures of before, for each scenario with each set of parameters
 * and options in the record at gate->baseline (none if it holds no run). No database is open
 * afterwards. False with a line in why: the file cannot be read, or holds a run that nothing can be
 * compared with. */
bool gate_baseline_read(struct gate *gate, char *why, size_t size);

/* Puts the figures of one side's run into the case. */
bool gate_read_figures(struct gate_case *c, size_t pair, bool after, struct reader *reader,
                       char *why, size_t size);

#endif
