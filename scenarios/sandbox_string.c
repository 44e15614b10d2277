/* string and utf8: Lua's own where they are linear and the same everywhere; format, rep and pack
 * are guarded here, the pattern functions are sandbox_match.c's. */
#include "scenarios/sandbox.h"

#include <lualib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void sandbox_plain_arguments(lua_State *L)
{
    for (int i = lua_gettop(L); i >= 1; i--)
        if (lua_type(L, i) == LUA_TNUMBER && isnan(lua_tonumber(L, i))) {
            lua_pushnumber(L, fabs((double)NAN));
            lua_replace(L, i);
        }
}

/* Upvalue 1: a function of Lua's own that goes through its first argument once, and has no
 * upvalues. */
static int string_linear(lua_State *L)
{
    sandbox_plain_arguments(L);
    if (lua_type(L, 1) == LUA_TSTRING)
        sandbox_charge(L, lua_rawlen(L, 1) / 16);
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

static int string_rep(lua_State *L)
{
    struct sandbox *s = sandbox_of(L);
    sandbox_plain_arguments(L);
    size_t len, sep_len;
    const char *text = luaL_checklstring(L, 1, &len);
    lua_Integer n = luaL_checkinteger(L, 2);
    const char *sep = luaL_optlstring(L, 3, "", &sep_len);
    if (n <= 0 || len + sep_len == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    if ((uint64_t)n > s->memory_max / (len + sep_len))
        sandbox_out_of_memory(L);
    sandbox_charge(L, (uint64_t)n);
    size_t total = (size_t)n * len + (size_t)(n - 1) * sep_len;
    luaL_Buffer b;
    char *out = luaL_buffinitsize(L, &b, total);
    for (lua_Integer i = 0; i < n; i++) {
        memcpy(out, text, len);
        out += len;
        if (i + 1 < n) {
            memcpy(out, sep, sep_len);
            out += sep_len;
        }
    }
    luaL_pushresultsize(&b, total);
    return 1;
}

/* The conversion letter of the specifier after % at *p, which then stands on the letter. */
static char specifier(const char **p, const char *end)
{
    while (*p < end && **p && strchr("-+ #0123456789.", **p))
        (*p)++;
    return *p < end ? **p : 0;
}

/* Makes argument `arg` such that Lua's own format prints no address. */
static void prepare_argument(lua_State *L, char letter, int arg)
{
    if (letter == 'p' || letter == 'a' || letter == 'A')
        sandbox_error(L,
                      "string.format: %%%c is not available (it differs between machines); use %s",
                      letter, letter == 'p' ? "%s" : "%.17g");
    if (arg > lua_gettop(L))
        return; /* Lua's own says which argument is missing */
    if (letter == 's') {
        sandbox_tostring(L, arg, NULL);
        lua_replace(L, arg);
    } else if (lua_type(L, arg) == LUA_TNUMBER && !lua_isinteger(L, arg)) {
        if (letter == 'q')
            sandbox_error(L, "string.format: %%q of a number with a fraction is not available (it "
                             "differs between machines); use %%.17g");
    }
}

/* Upvalue 1: Lua's own format. */
static int string_format(lua_State *L)
{
    size_t len;
    sandbox_plain_arguments(L);
    const char *p = luaL_checklstring(L, 1, &len);
    const char *end = p + len;
    int arg = 1;
    for (; p < end; p++) {
        if (*p != '%')
            continue;
        p++;
        if (p < end && *p == '%')
            continue;
        prepare_argument(L, specifier(&p, end), ++arg);
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* Refuses sizes and alignments that are the compiler's; pushes the format with "<" before it, so
 * that the byte order is little unless the script says otherwise. */
static void check_pack_format(lua_State *L)
{
    const char *format = luaL_checkstring(L, 1);
    for (const char *p = format; *p; p++) {
        bool digit = p[1] >= '0' && p[1] <= '9';
        if (strchr("hHlLT=", *p) || (strchr("iIs!", *p) && !digit))
            sandbox_error(L,
                          "string.pack: '%c' has a size of this machine; give it in bytes, as i4, "
                          "I8, s2, !8, and the order as < or >",
                          *p);
    }
    lua_pushfstring(L, "<%s", format);
    lua_replace(L, 1);
}

/* Upvalue 1: Lua's own pack, packsize or unpack. */
static int string_pack(lua_State *L)
{
    sandbox_plain_arguments(L);
    check_pack_format(L);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* Wraps a function of Lua's own string library, at -1, as `name` of the library at -2. */
static void wrap(lua_State *L, const char *name, lua_CFunction f)
{
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, f, 1);
    lua_setfield(L, -3, name);
}

static void open_utf8(lua_State *L)
{
    static const char *const wrapped[] = {"char", "codepoint", "codes", "len", "offset"};
    lua_pushcfunction(L, luaopen_utf8);
    lua_call(L, 0, 1);
    lua_pushvalue(L, -1);
    for (size_t i = 0; i < sizeof wrapped / sizeof *wrapped; i++)
        wrap(L, wrapped[i], string_linear);
    lua_pop(L, 1);
    lua_setglobal(L, "utf8");
}

void sandbox_open_string(lua_State *L)
{
    static const char *const wrapped[] = {"byte",    "char", "len",  "lower",
                                          "reverse", "sub",  "upper"};
    lua_newtable(L);
    lua_pushcfunction(L, luaopen_string);
    lua_call(L, 0, 1);
    for (size_t i = 0; i < sizeof wrapped / sizeof *wrapped; i++)
        wrap(L, wrapped[i], string_linear);
    wrap(L, "format", string_format);
    wrap(L, "pack", string_pack);
    wrap(L, "packsize", string_pack);
    wrap(L, "unpack", string_pack);
    lua_pop(L, 1);
    lua_pushcfunction(L, string_rep);
    lua_setfield(L, -2, "rep");
    sandbox_open_match(L);
    /* luaopen_string gave strings a metatable: methods are ours, arithmetic stays Lua's, powers go.
     */
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushnil(L);
    lua_setfield(L, -2, "__pow");
    lua_pushliteral(L, "string");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);
    lua_setglobal(L, "string");
    open_utf8(L);
}
