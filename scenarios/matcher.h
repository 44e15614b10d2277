/* Lua's patterns by backtracking, every step charged; the engine of string.find and its kin. */
#ifndef SCENARIOS_MATCHER_H
#define SCENARIOS_MATCHER_H

#include "scenarios/sandbox.h"

#define CAPTURES_MAX     32
#define CAPTURE_OPEN     (-1)
#define CAPTURE_POSITION (-2)

struct matcher {
    lua_State *L;
    struct sandbox *sandbox;
    const char *src, *src_end;
    const char *pat_end;
    int depth;
    int count; /* captures */
    struct {
        const char *at;
        ptrdiff_t len; /* or CAPTURE_OPEN, CAPTURE_POSITION */
    } capture[CAPTURES_MAX];
};

/* The end of the match of `pattern` at exactly s, or NULL. L, sandbox, src, src_end and pat_end are
 * set. Raises an error for a malformed pattern. */
const char *matcher_at(struct matcher *m, const char *s, const char *pattern);

#endif
