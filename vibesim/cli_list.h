/* `vibesim list`. */
#ifndef VIBESIM_CLI_LIST_H
#define VIBESIM_CLI_LIST_H

#include "vibesim/cli_args.h"

/* Returns the exit status; all has been told. */
int cli_list(const struct args_list *args);

/* The scenarios' files in a folder (NULL: that of `vibesim list`) in the order of their names, as
 * paths. The array and the paths are the caller's to free. False, told, without a folder. */
bool list_files(const char *command, const char *folder, char ***files, size_t *count);

/* A scenario whose file is named almost like `path`, in its folder or in that of `vibesim list`; a
 * name may come without folder and ending. False if there is none. */
bool list_nearest(const char *path, char *out, size_t size);

#endif
