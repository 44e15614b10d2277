/* `vibesim report`: a record as a page to look at. */
#ifndef VIBESIM_CLI_PAGE_H
#define VIBESIM_CLI_PAGE_H

/* argv holds what stands behind the command's name. Returns the exit status; all has been told. */
int cli_page(int argc, char **argv);

#endif
