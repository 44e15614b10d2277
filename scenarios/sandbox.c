/* The state, its two limits and its errors. Failure modes: a limit is hit (kept in `limit`, never
 * caught), or the script makes an ordinary error (a Lua error with file and line). */
#include "scenarios/sandbox.h"

#include "scenarios/scan.h"

#include <lualib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOOK_STEPS     1000
#define BYTES_PER_STEP 256u /* what an instruction may allocate for the price of one step */

const char sandbox_wait_key = 'w';

static void *limited_alloc(void *ud, void *p, size_t osize, size_t nsize)
{
    struct sandbox *s = ud;
    size_t old = p ? osize : 0; /* for a new object osize is its type */
    if (nsize == 0) {
        free(p);
        s->memory -= old;
        return NULL;
    }
    if (nsize > old && (nsize > s->memory_max || s->memory - old > s->memory_max - nsize)) {
        s->refused = true;
        return NULL;
    }
    void *q = realloc(p, nsize);
    if (!q) {
        s->refused = true;
        return nsize <= old ? p : NULL; /* Lua expects that shrinking works */
    }
    s->memory = s->memory - old + nsize;
    if (nsize > old)
        s->steps_left -= (int64_t)(nsize / BYTES_PER_STEP);
    return q;
}

void sandbox_where(lua_State *L)
{
    lua_Debug ar;
    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline > 0) {
            lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
            return;
        }
    }
    lua_pushliteral(L, "");
}

void sandbox_error(lua_State *L, const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    sandbox_where(L);
    lua_pushstring(L, text);
    lua_concat(L, 2);
    lua_error(L);
    abort(); /* lua_error does not return */
}

/* Notes the first limit that is hit. Allocates nothing in Lua. */
static void limit_note(struct sandbox *s, lua_State *at, const char *text)
{
    if (s->limit_hit)
        return;
    s->limit_hit = true;
    lua_Debug ar;
    for (int level = 0; lua_getstack(at, level, &ar); level++) {
        lua_getinfo(at, "Sl", &ar);
        if (ar.currentline > 0) {
            snprintf(s->limit, sizeof s->limit, "%s:%d: %s", ar.short_src, ar.currentline, text);
            return;
        }
    }
    snprintf(s->limit, sizeof s->limit, "%s", text);
}

static void note_steps(struct sandbox *s, lua_State *at)
{
    char text[160];
    snprintf(text, sizeof text,
             "more than %llu steps without a wait (sleep, wait): the script does not end by itself",
             (unsigned long long)s->steps_max);
    limit_note(s, at, text);
}

static void note_memory(struct sandbox *s, lua_State *at)
{
    char text[160];
    snprintf(text, sizeof text, "the script needs more than its %llu MiB of memory",
             (unsigned long long)(s->memory_max >> 20));
    limit_note(s, at, text);
}

static _Noreturn void limit_raise(lua_State *L)
{
    /* A light value: raising must not need memory. */
    lua_pushlightuserdata(L, sandbox_of(L));
    lua_error(L);
    abort(); /* lua_error does not return */
}

static void on_count(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    struct sandbox *s = sandbox_of(L);
    s->steps_left -= HOOK_STEPS;
    if (s->interrupt && *s->interrupt) {
        s->interrupted = true;
        limit_note(s, L, "interrupted");
    }
    if (s->steps_left < 0)
        note_steps(s, L);
    if (s->limit_hit)
        limit_raise(L);
}

void sandbox_charge(lua_State *L, uint64_t steps)
{
    struct sandbox *s = sandbox_of(L);
    if (s->steps_left < 0 || steps > (uint64_t)s->steps_left) {
        s->steps_left = -1;
        note_steps(s, L);
    } else {
        s->steps_left -= (int64_t)steps;
    }
    if (s->limit_hit)
        limit_raise(L);
}

void sandbox_slice(struct sandbox *s)
{
    s->steps_left = (int64_t)s->steps_max;
    s->refused = false;
}

bool sandbox_limit(struct sandbox *s, lua_State *at, int status)
{
    bool out = status == LUA_ERRMEM;
    /* The auxiliary library's buffers report a refusal as an ordinary error. */
    if (status != LUA_OK && status != LUA_YIELD && s->refused && lua_type(at, -1) == LUA_TSTRING)
        out = out || strstr(lua_tostring(at, -1), "not enough memory");
    if (out)
        note_memory(s, at);
    return s->limit_hit;
}

void sandbox_check(lua_State *L, int status)
{
    if (sandbox_limit(sandbox_of(L), L, status))
        limit_raise(L);
}

int sandbox_wait(lua_State *L, const char *what, lua_KContext ctx, lua_KFunction k)
{
    if (!lua_isyieldable(L))
        sandbox_error(L,
                      "%s: cannot wait here (inside a callback of a C function such as "
                      "table.sort, or a metamethod)",
                      what);
    lua_pushlightuserdata(L, (void *)(uintptr_t)&sandbox_wait_key);
    return lua_yieldk(L, 1, ctx, k);
}

bool sandbox_compile(lua_State *L, const struct source *source)
{
    if (luaL_loadbufferx(L, source->text, source->len, source->chunk, "t") != LUA_OK)
        return false;
    char why[256];
    int line = 0;
    if (scan_text(source->text, source->len, &line, why, sizeof why))
        return true;
    lua_pop(L, 1);
    lua_pushfstring(L, "%s:%d: %s", source->chunk + 1, line, why);
    return false;
}

static int open_libraries(lua_State *L)
{
    sandbox_open_base(L);
    sandbox_open_coroutine(L);
    sandbox_open_math(L);
    sandbox_open_string(L);
    sandbox_open_table(L);
    return 0;
}

/* Reached only by an error outside every protected call: a defect of ours. */
static int on_panic(lua_State *L)
{
    const char *text = lua_tostring(L, -1);
    fprintf(stderr, "scenario engine: unprotected error: %s\n", text ? text : "?");
    abort();
}

bool sandbox_open(struct sandbox *s, uint64_t memory_max, uint64_t steps_max,
                  const uint8_t seed[32])
{
    *s = (struct sandbox){.memory_max = memory_max, .steps_max = steps_max};
    sandbox_slice(s);
    rng_fork(&s->rng, seed, "lua", 0);
    s->L = lua_newstate(limited_alloc, s);
    if (!s->L)
        return false;
    *(struct sandbox **)lua_getextraspace(s->L) = s;
    lua_atpanic(s->L, on_panic);
    lua_pushcfunction(s->L, open_libraries);
    if (lua_pcall(s->L, 0, 0, 0) != LUA_OK) {
        sandbox_close(s);
        return false;
    }
    sandbox_slice(s);
    lua_sethook(s->L, on_count, LUA_MASKCOUNT, HOOK_STEPS);
    return true;
}

void sandbox_close(struct sandbox *s)
{
    if (s->L)
        lua_close(s->L);
    s->L = NULL;
}
