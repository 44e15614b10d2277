/* Goes through the tokens to find the operator ^, the libm functions, and metamethods of the
 * collector. */
#include "scenarios/scan.h"

#include "scenarios/lexer.h"

#include <stdio.h>
#include <string.h>

static bool refuse_libm(const struct lexer *s, const struct token *name, char *why, size_t size)
{
    static const char *const libm[] = {"sin", "cos", "tan", "asin", "acos", "atan"};
    for (size_t i = 0; i < sizeof libm / sizeof *libm; i++)
        if (lexer_is(s, name, libm[i])) {
            snprintf(why, size,
                     "math.%s is not available (its result differs between machines); "
                     "write a series of + and *, or a table of values",
                     libm[i]);
            return true;
        }
    return false;
}

static bool refuse_collector(const struct lexer *s, struct token name, char *why, size_t size)
{
    if (name.kind == TOKEN_STRING && name.len >= 2) { /* what is between short quotes */
        name.from++;
        name.len -= 2;
    }
    if (!lexer_is(s, &name, "__gc") && !lexer_is(s, &name, "__mode"))
        return false;
    snprintf(why, size,
             "%.*s is not available (a run may not depend on the garbage collector); "
             "clear the value yourself when it is done",
             (int)name.len, s->text + name.from);
    return true;
}

bool scan_text(const char *text, size_t len, int *line, char *why, size_t size)
{
    struct lexer s = lexer_over(text, len);
    struct token t;
    int math_dot = 0; /* 1 after `math`, 2 after `math.` */
    while (lexer_next(&s, &t)) {
        *line = t.line;
        if (t.kind == TOKEN_NAME && math_dot == 2 && refuse_libm(&s, &t, why, size))
            return false;
        if ((t.kind == TOKEN_NAME || t.kind == TOKEN_STRING) && refuse_collector(&s, t, why, size))
            return false;
        if (t.kind == TOKEN_SIGN && lexer_is(&s, &t, "^")) {
            snprintf(why, size,
                     "the operator ^ is not available (libm's pow differs between "
                     "machines); write x * x or math.pow(x, y)");
            return false;
        }
        math_dot = t.kind == TOKEN_NAME && lexer_is(&s, &t, "math")                 ? 1
                   : math_dot == 1 && t.kind == TOKEN_SIGN && lexer_is(&s, &t, ".") ? 2
                                                                                    : 0;
    }
    return true;
}
