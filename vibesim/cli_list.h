/* `vibesim list`. */
#ifndef VIBESIM_CLI_LIST_H
#define VIBESIM_CLI_LIST_H

#include "vibesim/cli_args.h"

/* Returns the exit status; all has been told. */
int cli_list(const struct args_list *args);

/* A scenario whose file is named almost like `path`, in its folder or in that of `vibesim list`; a
 * name may come without folder and ending. False if there is none. */
bool list_nearest(const char *path, char *out, size_t size);

#endif
