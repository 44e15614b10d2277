/* A debugger for a run, line by line: commands on standard input, what there is to see on standard
 * output. Without a terminal there is no prompt, so that commands can come from a file. */
#ifndef VIBESIM_STEP_H
#define VIBESIM_STEP_H

#include "vibesim/travel.h"

/* Follows commands until `q` or the end of the input. Returns the exit status: 0, or 2 if a command
 * of no terminal was wrong. */
int step_run(struct travel *travel);

/* Where the run stands, as one line. */
void step_where(const struct travel *travel, char *out, size_t size);

#endif
