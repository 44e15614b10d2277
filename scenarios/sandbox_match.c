/* Lua's patterns (reference manual 6.4.1) by backtracking, as Lua's own matcher does it, but every
 * step is charged: "(.-)(.-)(.-)x" over a long text takes time that no instruction count sees. */
#include "scenarios/sandbox.h"

#include <ctype.h>
#include <string.h>

#define CAPTURES_MAX     32
#define DEPTH_MAX        200
#define CAPTURE_OPEN     (-1)
#define CAPTURE_POSITION (-2)

struct matcher {
    lua_State *L;
    struct sandbox *sandbox;
    const char *src, *src_end;
    const char *pat_end;
    int depth;
    int count;
    struct {
        const char *at;
        ptrdiff_t len;
    } capture[CAPTURES_MAX];
};

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

/* ---- captures ---- */

static void push_capture(struct matcher *m, int i, const char *s, const char *end)
{
    if (i >= m->count) {
        if (i != 0)
            sandbox_error(m->L, "invalid capture index %%%d", i + 1);
        lua_pushlstring(m->L, s, (size_t)(end - s));
    } else if (m->capture[i].len == CAPTURE_POSITION) {
        lua_pushinteger(m->L, m->capture[i].at - m->src + 1);
    } else {
        if (m->capture[i].len < 0)
            sandbox_error(m->L, "unfinished capture");
        lua_pushlstring(m->L, m->capture[i].at, (size_t)m->capture[i].len);
    }
}

/* All captures, or the whole match where there are none and whole is given. */
static int push_captures(struct matcher *m, const char *s, const char *end)
{
    int n = m->count == 0 && s ? 1 : m->count;
    luaL_checkstack(m->L, n, "too many captures");
    for (int i = 0; i < n; i++)
        push_capture(m, i, s, end);
    return n;
}

static void matcher_init(struct matcher *m, lua_State *L, int src, int pat, bool *anchor,
                         const char **pattern)
{
    size_t ls, lp;
    m->L = L;
    m->sandbox = sandbox_of(L);
    m->src = luaL_checklstring(L, src, &ls);
    m->src_end = m->src + ls;
    *pattern = luaL_checklstring(L, pat, &lp);
    m->pat_end = *pattern + lp;
    *anchor = anchor && lp > 0 && **pattern == '^';
    if (*anchor)
        (*pattern)++;
}

static const char *try_at(struct matcher *m, const char *s, const char *pattern)
{
    m->count = 0;
    m->depth = 0;
    return match(m, s, pattern);
}

/* ---- the functions ---- */

/* The start offset of argument `arg`, or -1 if it is past the end. */
static ptrdiff_t start_offset(lua_State *L, int arg, size_t len)
{
    lua_Integer init = luaL_optinteger(L, arg, 1);
    if (init < 0)
        init = init < -(lua_Integer)len ? 1 : (lua_Integer)len + init + 1;
    else if (init == 0)
        init = 1;
    return init > (lua_Integer)len + 1 ? -1 : (ptrdiff_t)(init - 1);
}

static int find_plain(lua_State *L, const char *src, size_t ls, const char *pat, size_t lp,
                      ptrdiff_t at)
{
    sandbox_charge(L, (uint64_t)(ls / 8));
    const char *hit = memmem(src + at, ls - (size_t)at, pat, lp);
    if (!hit) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, hit - src + 1);
    lua_pushinteger(L, hit - src + (lua_Integer)lp);
    return 2;
}

static int find_or_match(lua_State *L, bool find)
{
    size_t ls, lp;
    const char *src = luaL_checklstring(L, 1, &ls);
    const char *pat = luaL_checklstring(L, 2, &lp);
    ptrdiff_t at = start_offset(L, 3, ls);
    if (at < 0) {
        lua_pushnil(L);
        return 1;
    }
    if (find && (lua_toboolean(L, 4) || strcspn(pat, "^$*+?.([%-") == lp))
        return find_plain(L, src, ls, pat, lp, at);
    struct matcher m;
    bool anchor;
    matcher_init(&m, L, 1, 2, &anchor, &pat);
    for (const char *s = src + at; s <= m.src_end; s++) {
        const char *end = try_at(&m, s, pat);
        if (end && find) {
            lua_pushinteger(L, s - src + 1);
            lua_pushinteger(L, end - src);
            return 2 + push_captures(&m, NULL, NULL);
        }
        if (end)
            return push_captures(&m, s, end);
        if (anchor)
            break;
    }
    lua_pushnil(L);
    return 1;
}

static int string_find(lua_State *L)
{
    return find_or_match(L, true);
}

static int string_match(lua_State *L)
{
    return find_or_match(L, false);
}

/* Upvalues: text, pattern, offset to search from, end of the last match (offset, -1: none). */
static int gmatch_next(lua_State *L)
{
    struct matcher m;
    const char *pat;
    bool anchor;
    matcher_init(&m, L, lua_upvalueindex(1), lua_upvalueindex(2), &anchor, &pat);
    if (anchor) /* in gmatch a ^ matches nothing special: it is a character */
        pat--;
    const char *s = m.src + lua_tointeger(L, lua_upvalueindex(3));
    lua_Integer last = lua_tointeger(L, lua_upvalueindex(4));
    for (; s <= m.src_end; s++) {
        const char *end = try_at(&m, s, pat);
        if (!end || end - m.src == last)
            continue;
        lua_pushinteger(L, end - m.src);
        lua_pushvalue(L, -1);
        lua_replace(L, lua_upvalueindex(3));
        lua_replace(L, lua_upvalueindex(4));
        return push_captures(&m, s, end);
    }
    return 0;
}

static int string_gmatch(lua_State *L)
{
    size_t len;
    luaL_checklstring(L, 1, &len);
    luaL_checkstring(L, 2);
    ptrdiff_t at = start_offset(L, 3, len);
    lua_settop(L, 2);
    lua_pushinteger(L, at < 0 ? (lua_Integer)len + 1 : (lua_Integer)at);
    lua_pushinteger(L, -1);
    lua_pushcclosure(L, gmatch_next, 4);
    return 1;
}

/* The replacement text with %0..%9 filled in. */
static void add_template(struct matcher *m, luaL_Buffer *b, const char *s, const char *end)
{
    size_t len;
    const char *text = lua_tolstring(m->L, 3, &len);
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '%') {
            luaL_addchar(b, text[i]);
            continue;
        }
        char c = text[++i]; /* a string ends with a NUL: reading it is fine */
        if (c == '%') {
            luaL_addchar(b, c);
        } else if (c == '0') {
            luaL_addlstring(b, s, (size_t)(end - s));
        } else if (c >= '1' && c <= '9') {
            push_capture(m, c - '1', s, end);
            sandbox_tostring(m->L, -1, NULL);
            lua_remove(m->L, -2);
            luaL_addvalue(b);
        } else {
            sandbox_error(m->L, "invalid use of '%%' in replacement string");
        }
    }
}

static void add_replacement(struct matcher *m, luaL_Buffer *b, const char *s, const char *end)
{
    lua_State *L = m->L;
    int type = lua_type(L, 3);
    if (type == LUA_TSTRING || type == LUA_TNUMBER) {
        add_template(m, b, s, end);
        return;
    }
    if (type == LUA_TTABLE) {
        push_capture(m, 0, s, end);
        lua_gettable(L, 3);
    } else {
        lua_pushvalue(L, 3);
        int n = push_captures(m, s, end);
        lua_call(L, n, 1);
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        luaL_addlstring(b, s, (size_t)(end - s));
        return;
    }
    if (!lua_isstring(L, -1))
        sandbox_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    sandbox_tostring(L, -1, NULL);
    lua_remove(L, -2);
    luaL_addvalue(b);
}

static int string_gsub(lua_State *L)
{
    struct matcher m;
    const char *pat;
    bool anchor;
    matcher_init(&m, L, 1, 2, &anchor, &pat);
    int type = lua_type(L, 3);
    luaL_argexpected(L,
                     type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION ||
                         type == LUA_TTABLE,
                     3, "string/function/table");
    lua_Integer left = luaL_optinteger(L, 4, LUA_MAXINTEGER);
    lua_Integer count = 0;
    const char *s = m.src;
    const char *last = NULL;
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    while (count < left) {
        const char *end = try_at(&m, s, pat);
        if (end && end != last) {
            count++;
            add_replacement(&m, &b, s, end);
            s = last = end;
        } else if (s < m.src_end) {
            luaL_addchar(&b, *s++);
        } else {
            break;
        }
        if (anchor)
            break;
    }
    luaL_addlstring(&b, s, (size_t)(m.src_end - s));
    luaL_pushresult(&b);
    lua_pushinteger(L, count);
    return 2;
}

void sandbox_open_match(lua_State *L)
{
    static const luaL_Reg own[] = {
        {"find", string_find}, {"gmatch", string_gmatch},
        {"gsub", string_gsub}, {"match", string_match},
        {NULL, NULL},
    };
    luaL_setfuncs(L, own, 0);
}
