/* `vibesim run`. */
#ifndef VIBESIM_CLI_RUN_H
#define VIBESIM_CLI_RUN_H

#include "vibesim/cli_args.h"

#define RUN_PARAMS_SIZE (64u << 10)

/* A scenario with its parameters checked. */
struct loaded {
    struct engine *engine;
    char params[RUN_PARAMS_SIZE]; /* canonical JSON */
};

/* Returns the exit status; all has been told. */
int cli_run(const struct args_run *args);

/* Loads one file for these arguments. False, told, with nothing to free. */
bool run_load(struct loaded *loaded, const struct args_run *args, const char *file);

#endif
