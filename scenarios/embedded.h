/* Lua modules that are part of the program, so that an installed vibesim has them wherever it
 * stands: the files of scenarios/behaviours, put into C by embed.cmake. */
#ifndef SCENARIOS_EMBEDDED_H
#define SCENARIOS_EMBEDDED_H

#include <stddef.h>

struct embedded {
    const char *name; /* "behaviours/frames.lua" */
    const unsigned char *text;
    size_t len;
};

/* In the order of their names; the one after the last has no name. */
extern const struct embedded embedded_modules[];

#endif
