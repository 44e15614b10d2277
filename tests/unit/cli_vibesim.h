/* For tests of the program itself: one child, run with words and a status that it must end with. */
#ifndef TESTS_UNIT_CLI_VIBESIM_H
#define TESTS_UNIT_CLI_VIBESIM_H

#include "tests/unit/cli_child.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct child child;

static inline void vibesim(int status, const char *const *args)
{
    child_run(&child, NULL, args);
    if (child.status != status)
        fail_msg("%s %s: status %d, not %d: %s%s", args[0], args[1] ? args[1] : "", child.status,
                 status, child.out, child.err);
}

/* RUN(0, "run", "it.lua"): vibesim with these words ends with that status. */
#define RUN(status, ...)                                                                           \
    do {                                                                                           \
        const char *const args[] = {__VA_ARGS__, NULL};                                            \
        vibesim(status, args);                                                                     \
    } while (0)

/* It said one line on stderr, with these words in it. */
static inline void must_tell_in_one_line(const char *words)
{
    if (!strstr(child.err, words) || child_lines(child.err) != 1)
        fail_msg("expected one line with '%s', got '%s'", words, child.err);
}

#endif
