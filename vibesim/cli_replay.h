/* `vibesim replay`: a captured life of a node, lived again; a recorded run (cli_replay_run.h). */
#ifndef VIBESIM_CLI_REPLAY_H
#define VIBESIM_CLI_REPLAY_H

#include "vibesim/cli_replay_args.h"

extern const char replay_help[];

/* Returns the exit status; all has been told. */
int cli_replay(const struct args_replay *args);

#endif
