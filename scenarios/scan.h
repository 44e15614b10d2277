/* Reads a Lua text as its lexer would, to refuse at load what a run could not repeat elsewhere. */
#ifndef SCENARIOS_SCAN_H
#define SCENARIOS_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/* True if the text is fine; else *line and one line of reason and way out in why. Strings and
 * comments are respected; the text is expected to compile. */
bool scan_text(const char *text, size_t len, int *line, char *why, size_t size);

#endif
