/* `vibesim check`: the gate of continuous integration (gate.h). */
#ifndef VIBESIM_CLI_CHECK_H
#define VIBESIM_CLI_CHECK_H

#include "vibesim/cli_args.h"

struct args_check {
    struct args_run run;  /* its files: scenarios, folders, or none; db: NULL if not given */
    const char *baseline; /* all text is argv's */
    double threshold, alpha;
    bool update, force;
    const char *junit, *tap, *markdown; /* where to write; NULL: not; "-" of tap: stdout */
    bool github;
};

extern const char check_help[];

/* False, told. Freed by args_check_free in any case. */
bool args_check_parse(struct args_check *args, int argc, char **argv);
void args_check_free(struct args_check *args);

/* Returns the exit status; all has been told. */
int cli_check(const struct args_check *args);

#endif
