/* `vibesim list`. */
#ifndef SCENARIOS_CLI_LIST_H
#define SCENARIOS_CLI_LIST_H

#include "scenarios/cli_args.h"

/* Returns the exit status; all has been told. */
int cli_list(const struct args_list *args);

#endif
