/* `vibesim sweep`: all runs of a plan, recorded. */
#ifndef VIBESIM_CLI_SWEEP_H
#define VIBESIM_CLI_SWEEP_H

#include "vibesim/cli_sweep_args.h"

extern const char sweep_help[];

/* Returns the exit status; all has been told. */
int cli_sweep(const struct args_sweep *args);

#endif
