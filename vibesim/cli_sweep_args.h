/* The arguments of `vibesim sweep`. */
#ifndef VIBESIM_CLI_SWEEP_ARGS_H
#define VIBESIM_CLI_SWEEP_ARGS_H

#include "vibesim/cli_args.h"
#include "vibesim/shard.h"

struct args_sweep {
    struct args_run run; /* what its runs have in common; run.db is where they go */
    struct shard shard;
    bool resume, mixed_builds, metrics;
    char *db; /* run.db, where it is made up here */
    int argc; /* what stood behind the command's name, for the command that goes on */
    char **argv;
};

/* As args_run_parse (cli_args.h); reads the environment where no --shard is given. */
bool args_sweep_parse(struct args_sweep *args, int argc, char **argv);
void args_sweep_free(struct args_sweep *args);

#endif
