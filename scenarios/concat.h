/* The operator .. makes text of numbers inside Lua, where no function of ours is asked: what is not
 * a number (NaN) then has a sign that depends on the processor. So each operand of .. passes
 * through a function first. */
#ifndef SCENARIOS_CONCAT_H
#define SCENARIOS_CONCAT_H

#include <stddef.h>

/* What the text calls the function; it is a local of the chunk. */
#define CONCAT_NAME "__plain"

/* A copy of the text in which each operand of .. that is no plain string is the argument of
 * CONCAT_NAME, followed by its own text where that is a name; lines stay as they are. To be freed;
 * NULL if there is no .. in the text. The text compiles. */
char *concat_rewrite(const char *text, size_t len, size_t *new_len);

#endif
