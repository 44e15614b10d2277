/* `vibesim run` for several seeds, several files, or both. */
#ifndef VIBESIM_CLI_SEEDS_H
#define VIBESIM_CLI_SEEDS_H

#include "vibesim/cli_args.h"

/* Returns the exit status, the worst of the runs'; all has been told. */
int cli_seeds(const struct args_run *args);

#endif
