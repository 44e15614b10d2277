/* Writes a shrunk run as a scenario that stands alone (scenarios/pinned.h): what makes it that run,
 * the modules that its scenario required, and the scenario's own text. */
#ifndef VIBESIM_SHRINK_WRITE_H
#define VIBESIM_SHRINK_WRITE_H

#include "vibesim/shrink.h"

/* source: whose run it was, for a comment ("run 3 of sweep.db"). The file must not be there, unless
 * it may be replaced. False with a line in why. */
bool shrink_write(const struct shrink *s, const char *path, bool replace, const char *source,
                  char *why, size_t size);

#endif
