/* The runs of this build, for the gate. */
#ifndef VIBESIM_GATE_MAKE_H
#define VIBESIM_GATE_MAKE_H

#include "vibesim/cli_check.h"
#include "vibesim/gate.h"

/* Makes all runs of the plan in worker processes, records them at gate->db, and gives each pair its
 * run and its figures of after. Returns the exit status: CLI_OK if all was made, whatever came of
 * it; CLI_BAD (told) if the record cannot be written or read; CLI_INTERRUPTED (told) after a
 * signal: what is done is in the record. */
int gate_make(struct gate *gate, const struct args_check *args);

#endif
