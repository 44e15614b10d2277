/* What the gate runs: which scenarios, with which parameters and seeds. */
#ifndef VIBESIM_GATE_PLAN_H
#define VIBESIM_GATE_PLAN_H

#include "vibesim/cli_check.h"
#include "vibesim/gate.h"

#define GATE_SEEDS "1..20" /* of a scenario that the baseline does not have */

/* Turns the cases of the baseline into what is to be run: loads the scenarios, gives each case its
 * file and how to run it, adds those that the baseline lacks, leaves out pairs and cases that were
 * not asked for, and names what is gone. Then cases are in the order of the files. False, told: an
 * input that is wrong, or runs that the baseline's cannot be compared with (with args->update those
 * begin anew instead). */
bool gate_plan(struct gate *gate, const struct args_check *args);

#endif
