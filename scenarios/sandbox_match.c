/* string.find, match, gmatch and gsub, on the matcher that charges its steps. */
#include "scenarios/matcher.h"

#include <string.h>

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
    sandbox_plain_arguments(L);
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
        const char *end = matcher_at(&m, s, pat);
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
        const char *end = matcher_at(&m, s, pat);
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
    sandbox_plain_arguments(L);
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
    sandbox_plain_arguments(L);
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
        const char *end = matcher_at(&m, s, pat);
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
