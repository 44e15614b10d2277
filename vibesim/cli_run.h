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

/* The engine's options for these arguments, without an observer. They borrow from args. */
void run_options(struct engine_options *options, const struct args_run *args);

/* Where a scenario was made from one run (engine_pinned), what it says goes for all that was not
 * asked for. args borrows from the engine then, and must not be freed for that. */
void run_pin(struct args_run *args, const struct engine *engine);

#endif
