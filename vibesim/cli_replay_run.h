/* `vibesim replay` of a record: one of its runs made again, compared, and gone about in. */
#ifndef VIBESIM_CLI_REPLAY_RUN_H
#define VIBESIM_CLI_REPLAY_RUN_H

#include "vibesim/cli_replay_args.h"

/* Returns the exit status; all has been told. */
int cli_replay_run(const struct args_replay *args);

#endif
