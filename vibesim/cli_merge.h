/* `vibesim merge`: several records, shards of a sweep above all, into one. */
#ifndef VIBESIM_CLI_MERGE_H
#define VIBESIM_CLI_MERGE_H

#include <stdbool.h>
#include <stddef.h>

struct args_merge {
    const char *out; /* all text is argv's */
    const char **ins;
    size_t in_count;
    bool partial, mixed_builds, metrics, json, quiet, help;
};

extern const char merge_help[];

/* As args_run_parse (cli_args.h). */
bool merge_args_parse(struct args_merge *args, int argc, char **argv);
void merge_args_free(struct args_merge *args);

/* Returns the exit status; all has been told. */
int cli_merge(const struct args_merge *args);

#endif
