/* A lexer for Lua 5.4 (reference manual, section 3.1) that knows names, strings, comments and
 * single signs: enough to find the operator ^, the libm functions, and metamethods of the
 * collector. */
#include "scenarios/scan.h"

#include <stdio.h>
#include <string.h>

struct scan {
    const char *text;
    size_t len, at;
    int line;
};

struct span {
    size_t from, len;
};

static int peek(const struct scan *s, size_t ahead)
{
    return s->at + ahead < s->len ? (unsigned char)s->text[s->at + ahead] : -1;
}

static void step(struct scan *s)
{
    if (s->text[s->at] == '\n')
        s->line++;
    s->at++;
}

static bool is_name(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* At [ or [=*[ : the level, or -1 if this is no long bracket. */
static int long_bracket(const struct scan *s)
{
    size_t n = 1;
    while (peek(s, n) == '=')
        n++;
    return peek(s, 0) == '[' && peek(s, n) == '[' ? (int)n - 1 : -1;
}

static void skip_long(struct scan *s, int level)
{
    s->at += (size_t)level + 2;
    for (; s->at < s->len; step(s)) {
        if (peek(s, 0) != ']')
            continue;
        size_t n = 1;
        while (peek(s, n) == '=')
            n++;
        if ((int)n - 1 == level && peek(s, n) == ']') {
            s->at += n + 1;
            return;
        }
    }
}

static void skip_comment(struct scan *s)
{
    s->at += 2;
    int level = long_bracket(s);
    if (level >= 0)
        skip_long(s, level);
    else
        while (s->at < s->len && peek(s, 0) != '\n')
            s->at++;
}

/* A short string; its content as written. */
static struct span short_string(struct scan *s)
{
    int quote = peek(s, 0);
    step(s);
    struct span span = {s->at, 0};
    while (s->at < s->len && peek(s, 0) != quote) {
        if (peek(s, 0) == '\\')
            step(s);
        if (s->at < s->len)
            step(s);
    }
    span.len = s->at - span.from;
    if (s->at < s->len)
        step(s);
    return span;
}

static bool span_is(const struct scan *s, struct span span, const char *text)
{
    return span.len == strlen(text) && memcmp(s->text + span.from, text, span.len) == 0;
}

static bool refuse_name(const struct scan *s, struct span name, bool of_math, char *why,
                        size_t size)
{
    static const char *const libm[] = {"sin", "cos", "tan", "asin", "acos", "atan"};
    for (size_t i = 0; of_math && i < sizeof libm / sizeof *libm; i++)
        if (span_is(s, name, libm[i])) {
            snprintf(why, size,
                     "math.%s is not available (its result differs between machines); "
                     "write a series of + and *, or a table of values",
                     libm[i]);
            return true;
        }
    if (span_is(s, name, "__gc") || span_is(s, name, "__mode")) {
        snprintf(why, size,
                 "%.*s is not available (a run may not depend on the garbage collector); "
                 "clear the value yourself when it is done",
                 (int)name.len, s->text + name.from);
        return true;
    }
    return false;
}

bool scan_text(const char *text, size_t len, int *line, char *why, size_t size)
{
    struct scan s = {.text = text, .len = len, .line = 1};
    int math_dot = 0; /* 1 after `math`, 2 after `math.` */
    while (s.at < s.len) {
        int c = peek(&s, 0);
        *line = s.line;
        if (c == '-' && peek(&s, 1) == '-') {
            skip_comment(&s);
        } else if (c == '[' && long_bracket(&s) >= 0) {
            skip_long(&s, long_bracket(&s));
        } else if (c == '"' || c == '\'') {
            struct span span = short_string(&s);
            if (refuse_name(&s, span, false, why, size))
                return false;
        } else if (is_name(c)) {
            struct span span = {s.at, 0};
            while (is_name(peek(&s, 0)))
                s.at++;
            span.len = s.at - span.from;
            if (refuse_name(&s, span, math_dot == 2, why, size))
                return false;
            math_dot = span_is(&s, span, "math") ? 1 : 0;
        } else if (c == '^') {
            snprintf(why, size,
                     "the operator ^ is not available (libm's pow differs between "
                     "machines); write x * x or math.pow(x, y)");
            return false;
        } else {
            if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
                math_dot = c == '.' && math_dot == 1 ? 2 : 0;
            step(&s);
        }
    }
    return true;
}
