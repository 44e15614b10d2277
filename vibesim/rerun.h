/* A recorded run, made again: what was asked for beside the seed and the parameters as it stands in
 * the record's column `options`, and back.
 *
 * A run of the world sim is a function of its scenario, seed, parameters and options, so whoever
 * wants to know more of a run than the record holds makes it again and listens. */
#ifndef VIBESIM_RERUN_H
#define VIBESIM_RERUN_H

#include "store/reader.h"
#include "vibesim/cli_args.h"
#include "vibesim/cli_run.h"

#define RERUN_OPTIONS_SIZE (64u << 10)

/* Canonical JSON of what was asked for beside seed, parameters and world, defaults left out:
 * {"until_ns":90000000000,"without":[3,5]}. False, with a line in why, if it does not fit. */
bool rerun_options(const struct args_run *args, char *out, size_t out_size, char *why, size_t size);

/* And back, into arguments without options. False with a line in why: they are not ours. */
bool rerun_take_options(struct args_run *args, const char *options, char *why, size_t size);

struct rerun {
    struct args_run args; /* of one run, not recorded; the caller may change what it likes */
    struct loaded loaded; /* its scenario */
    char *texts;          /* keeps what args points to */
    bool same_build;      /* this program made the run */
    bool has_hash;
    uint64_t trace_hash; /* that the run had */
};

/* Loads what it takes to make the run again. file: where the scenario is now, or NULL for where it
 * was. False with a line in why: the run's world repeats nothing, the scenario is gone or has
 * changed since, the options are not ours. */
bool rerun_load(struct rerun *rerun, const struct read_run *run, const char *file, char *why,
                size_t size);
/* The same for a scenario that is loaded already and that no record tells of, as `run` makes it
 * with the parameters of args; takes the engine over. */
void rerun_begin(struct rerun *rerun, const struct args_run *args, const char *file,
                 struct loaded *loaded);
void rerun_free(struct rerun *rerun);

#endif
