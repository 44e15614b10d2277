/* What many seeds of one scenario tell a person, or (JSON, a line each) a program: a row a seed as
 * they come in order, then metrics and `sometimes` over all of them, the seeds that failed with the
 * command that repeats each, and how many hold. */
#ifndef VIBESIM_CLI_TABLE_H
#define VIBESIM_CLI_TABLE_H

#include "vibesim/cli_args.h"
#include "vibesim/cli_term.h"
#include "vibesim/tally.h"

#include <jansson.h>

#define TABLE_ROWS_SHOWN 40u /* on a terminal, more are shown only if asked */
#define TABLE_FAILED_MAX 20u /* failed seeds that are told one by one */

struct table_failure {
    uint64_t seed;
    char *verdict, *reason;
};

struct table {
    const struct args_run *args; /* all three borrowed */
    const char *file, *name;
    const struct seeds *seeds;
    struct term_style style;
    bool rows, human; /* human: neither --json nor --quiet */
    int seed_width;
    uint64_t done, held, skipped;
    uint64_t *failed; /* the seeds that failed, ascending */
    size_t failed_count;
    struct table_failure told[TABLE_FAILED_MAX];
    json_t *first; /* the first that failed; NULL if its process died */
    struct tally tally;
};

void table_begin(struct table *t, const struct args_run *args, const char *file,
                 const struct engine_about *about, const char *params, const struct seeds *seeds);

/* One run's result, in ascending order of seeds: the object that report_json writes (borrowed), or
 * one with `verdict` and `reason` alone. */
void table_row(struct table *t, uint64_t seed, json_t *result);

/* The end, of all seeds or (interrupted) of those that are done. Returns whether all of it holds.
 */
bool table_end(struct table *t, bool interrupted);

void table_free(struct table *t);

#endif
