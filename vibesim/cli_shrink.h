/* `vibesim shrink`: from a failing run to the smallest one. */
#ifndef VIBESIM_CLI_SHRINK_H
#define VIBESIM_CLI_SHRINK_H

/* argv holds what stands behind the command's name. Returns the exit status; all has been told. */
int cli_shrink(int argc, char **argv);

#endif
