/* `vibesim redact`: a copy of a capture that can be shared. */
#ifndef VIBESIM_CLI_REDACT_H
#define VIBESIM_CLI_REDACT_H

#include "vibesim/cli_args.h"

extern const char redact_help[];

/* Returns the exit status; all has been told. */
int cli_redact(const struct args_redact *args);

#endif
