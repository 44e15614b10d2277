/* `vibesim run`. */
#ifndef SCENARIOS_CLI_RUN_H
#define SCENARIOS_CLI_RUN_H

#include "scenarios/cli_args.h"

/* Returns the exit status; all has been told. */
int cli_run(const struct args_run *args);

#endif
