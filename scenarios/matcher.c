/* Lua's patterns (reference manual 6.4.1) by backtracking, as Lua's own matcher does it, but every
 * step is charged: "(.-)(.-)(.-)x" over a long text takes time that no instruction count sees. */
#include "scenarios/matcher.h"

#include <ctype.h>
#include <string.h>

#define CAPTURES_MAX 32
#define DEPTH_MAX    200
#define CAPTURE_OPEN (-1)

static const char *match(struct matcher *m, const char *s, const char *p);

static void charge_step(struct matcher *m)
{
    if (--m->sandbox->steps_left < 0)
        sandbox_charge(m->L, 1);
}

/* ---- one character ---- */

/* Past the character class that starts at p. */
static const char *class_end(const struct matcher *m, const char *p)
{
    char c = *p++;
    if (c == '%') {
        if (p == m->pat_end)
            sandbox_error(m->L, "malformed pattern (ends with '%%')");
        return p + 1;
    }
    if (c != '[')
        return p;
    if (*p == '^')
        p++;
    bool first = true;
    while (first || *p != ']') {
        first = false;
        if (p >= m->pat_end)
            sandbox_error(m->L, "malformed pattern (missing ']')");
        c = *p++;
        if (c == '%' && p < m->pat_end)
            p++;
        if (p >= m->pat_end)
            sandbox_error(m->L, "malformed pattern (missing ']')");
    }
    return p + 1;
}

static bool in_class(int c, int letter)
{
    bool in;
    switch (tolower(letter)) {
    case 'a':
        in = isalpha(c);
        break;
    case 'c':
        in = iscntrl(c);
        break;
    case 'd':
        in = isdigit(c);
        break;
    case 'g':
        in = isgraph(c);
        break;
    case 'l':
        in = islower(c);
        break;
    case 'p':
        in = ispunct(c);
        break;
    case 's':
        in = isspace(c);
        break;
    case 'u':
        in = isupper(c);
        break;
    case 'w':
        in = isalnum(c);
        break;
    case 'x':
        in = isxdigit(c);
        break;
    default:
        return letter == c;
    }
    return isupper(letter) ? !in : in;
}

/* p at '[', last at its ']'. */
static bool in_set(int c, const char *p, const char *last)
{
    bool found = true;
    p++;
    if (*p == '^') {
        found = false;
        p++;
    }
    for (; p < last; p++) {
        if (*p == '%') {
            p++;
            if (in_class(c, (unsigned char)*p))
                return found;
        } else if (p[1] == '-' && p + 2 < last) {
            if ((unsigned char)p[0] <= c && c <= (unsigned char)p[2])
                return found;
            p += 2;
        } else if ((unsigned char)*p == c) {
            return found;
        }
    }
    return !found;
}

static bool single(struct matcher *m, const char *s, const char *p, const char *end)
{
    charge_step(m);
    if (s >= m->src_end)
        return false;
    int c = (unsigned char)*s;
    switch (*p) {
    case '.':
        return true;
    case '%':
        return in_class(c, (unsigned char)p[1]);
    case '[':
        return in_set(c, p, end - 1);
    default:
        return (unsigned char)*p == c;
    }
}

/* ---- items ---- */

static const char *expand_most(struct matcher *m, const char *s, const char *p, const char *end)
{
    ptrdiff_t n = 0;
    while (single(m, s + n, p, end))
        n++;
    for (; n >= 0; n--) {
        const char *r = match(m, s + n, end + 1);
        if (r)
            return r;
    }
    return NULL;
}

static const char *expand_least(struct matcher *m, const char *s, const char *p, const char *end)
{
    for (;; s++) {
        const char *r = match(m, s, end + 1);
        if (r)
            return r;
        if (!single(m, s, p, end))
            return NULL;
    }
}

static const char *open_capture(struct matcher *m, const char *s, const char *p, ptrdiff_t what)
{
    if (m->count >= CAPTURES_MAX)
        sandbox_error(m->L, "too many captures");
    m->capture[m->count].at = s;
    m->capture[m->count].len = what;
    m->count++;
    const char *r = match(m, s, p);
    if (!r)
        m->count--;
    return r;
}

static const char *close_capture(struct matcher *m, const char *s, const char *p)
{
    int i = m->count - 1;
    while (i >= 0 && m->capture[i].len != CAPTURE_OPEN)
        i--;
    if (i < 0)
        sandbox_error(m->L, "invalid pattern capture");
    m->capture[i].len = s - m->capture[i].at;
    const char *r = match(m, s, p);
    if (!r)
        m->capture[i].len = CAPTURE_OPEN;
    return r;
}

/* %b at p - 2: past the balanced text at s, or NULL. */
static const char *balance(struct matcher *m, const char *s, const char *p)
{
    if (m->pat_end - p < 2)
        sandbox_error(m->L, "malformed pattern (missing arguments to '%%b')");
    if (s >= m->src_end || *s != *p)
        return NULL;
    size_t open = 1;
    for (s++; s < m->src_end; s++) {
        charge_step(m);
        if (*s == p[1]) {
            if (--open == 0)
                return s + 1;
        } else if (*s == p[0]) {
            open++;
        }
    }
    return NULL;
}

static bool at_frontier(struct matcher *m, const char *s, const char *set, const char *end)
{
    int before = s == m->src ? 0 : (unsigned char)s[-1];
    int after = s < m->src_end ? (unsigned char)*s : 0;
    return !in_set(before, set, end - 1) && in_set(after, set, end - 1);
}

static const char *back_reference(struct matcher *m, const char *s, char digit)
{
    int i = digit - '1';
    if (i < 0 || i >= m->count || m->capture[i].len == CAPTURE_OPEN)
        sandbox_error(m->L, "invalid capture index %%%d", i + 1);
    size_t len = m->capture[i].len < 0 ? 0 : (size_t)m->capture[i].len;
    sandbox_charge(m->L, len / 8);
    if ((size_t)(m->src_end - s) < len || memcmp(m->capture[i].at, s, len) != 0)
        return NULL;
    return s + len;
}

/* An escape that is an item of its own at p: moves *s and *p past it, or gives *s = NULL. False if
 * p is an ordinary class. */
static bool match_escape(struct matcher *m, const char **s, const char **p)
{
    char c = (*p)[1];
    if (*p + 1 >= m->pat_end)
        return false;
    if (c == 'b') {
        *s = balance(m, *s, *p + 2);
        *p += 4;
        return true;
    }
    if (c == 'f') {
        const char *set = *p + 2;
        if (set >= m->pat_end || *set != '[')
            sandbox_error(m->L, "missing '[' after '%%f' in pattern");
        const char *end = class_end(m, set);
        if (!at_frontier(m, *s, set, end))
            *s = NULL;
        *p = end;
        return true;
    }
    if (c >= '0' && c <= '9') {
        *s = back_reference(m, *s, c);
        *p += 2;
        return true;
    }
    return false;
}

/* One single-character item with its suffix. *done: the result is final; else go on at *p. */
static const char *match_class(struct matcher *m, const char *s, const char **p, bool *done)
{
    const char *end = class_end(m, *p);
    char suffix = end < m->pat_end ? *end : 0;
    *done = true;
    if (suffix == '*')
        return expand_most(m, s, *p, end);
    if (suffix == '+')
        return single(m, s, *p, end) ? expand_most(m, s + 1, *p, end) : NULL;
    if (suffix == '-')
        return expand_least(m, s, *p, end);
    bool fits = single(m, s, *p, end);
    if (suffix == '?') {
        const char *r = fits ? match(m, s + 1, end + 1) : NULL;
        *done = r != NULL;
        *p = end + 1;
        return r ? r : s;
    }
    *done = !fits;
    *p = end;
    return fits ? s + 1 : NULL;
}

static const char *match_items(struct matcher *m, const char *s, const char *p)
{
    bool done = false;
    while (s && !done && p < m->pat_end) {
        charge_step(m);
        if (*p == '(')
            return p + 1 < m->pat_end && p[1] == ')' ? open_capture(m, s, p + 2, CAPTURE_POSITION)
                                                     : open_capture(m, s, p + 1, CAPTURE_OPEN);
        if (*p == ')')
            return close_capture(m, s, p + 1);
        if (*p == '$' && p + 1 == m->pat_end)
            return s == m->src_end ? s : NULL;
        if (*p == '%' && match_escape(m, &s, &p))
            continue;
        s = match_class(m, s, &p, &done);
    }
    return s;
}

static const char *match(struct matcher *m, const char *s, const char *p)
{
    if (++m->depth > DEPTH_MAX)
        sandbox_error(m->L, "pattern too complex");
    s = match_items(m, s, p);
    m->depth--;
    return s;
}

const char *matcher_at(struct matcher *m, const char *s, const char *pattern)
{
    m->count = 0;
    m->depth = 0;
    return match(m, s, pattern);
}
