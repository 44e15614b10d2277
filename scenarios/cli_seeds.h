/* `vibesim run` for several seeds, several files, or both. */
#ifndef SCENARIOS_CLI_SEEDS_H
#define SCENARIOS_CLI_SEEDS_H

#include "scenarios/cli_args.h"

/* Returns the exit status, the worst of the runs'; all has been told. */
int cli_seeds(const struct args_run *args);

#endif
