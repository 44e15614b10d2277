/* The state, its two limits and its errors. Failure modes: a limit is hit (kept in `limit`, never
 * caught), or the script makes an ordinary error (a Lua error with file and line). */
#include "scenarios/sandbox.h"

#include "scenarios/concat.h"
#include "scenarios/scan.h"

#include <lualib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOOK_STEPS     1000
#define MANY_ARGUMENTS 256
#define BYTES_PER_STEP 256u /* what an instruction may allocate for the price of one step */

const char sandbox_wait_key = 'w';

static bool place_of(lua_State *L, char *out, size_t size)
{
    lua_Debug ar;
    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline > 0) {
            snprintf(out, size, "%s:%d: ", ar.short_src, ar.currentline);
            return true;
        }
    }
    return false;
}

/* Lua collects garbage and asks for the same once more before it gives up; anything but a grant of
 * the very next request makes a refusal final, so that no error handler of the script hides it. */
static void note_request(struct sandbox *s, const void *p, size_t nsize, bool granted)
{
    bool again = s->asked_again && s->refused_block == p && s->refused_size == nsize;
    s->asked_again = false;
    if (granted) {
        s->refused = s->refused && !again;
        return;
    }
    if (s->refused)
        return;
    s->refused = true;
    s->asked_again = true;
    s->refused_block = p;
    s->refused_size = nsize;
    if (p || !s->running || !place_of(s->running, s->refused_at, sizeof s->refused_at))
        s->refused_at[0] = 0;
}

/* A block that grows may pass the limit, to twice of it: Lua's stack grows by such a block, and
 * while it does nobody can ask where the script is. on_count and sandbox_charge see it soon. */
static void *limited_alloc(void *ud, void *p, size_t osize, size_t nsize)
{
    struct sandbox *s = ud;
    size_t old = p ? osize : 0; /* for a new object osize is its type */
    if (nsize == 0) {
        free(p);
        s->memory -= old;
        return NULL;
    }
    uint64_t max = p ? 2 * s->memory_max : s->memory_max;
    bool fits = nsize <= old || (nsize <= max && s->memory - old <= max - nsize);
    void *q = fits ? realloc(p, nsize) : NULL;
    if (nsize > old)
        note_request(s, p, nsize, q != NULL);
    if (!q)
        return nsize <= old ? p : NULL; /* Lua expects that shrinking works */
    s->memory = s->memory - old + nsize;
    if (nsize > old)
        s->steps_left -= (int64_t)(nsize / BYTES_PER_STEP);
    return q;
}

void sandbox_where(lua_State *L)
{
    char place[SANDBOX_PLACE] = "";
    place_of(L, place, sizeof place);
    lua_pushstring(L, place);
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

/* Notes the first limit that is hit, at `place` ("FILE:LINE: " or ""). Allocates nothing in Lua. */
static void limit_note(struct sandbox *s, const char *place, const char *text)
{
    if (s->limit_hit)
        return;
    s->limit_hit = true;
    snprintf(s->limit, sizeof s->limit, "%s%s", place, text);
}

static void note_steps(struct sandbox *s, lua_State *at)
{
    char text[160];
    char place[SANDBOX_PLACE] = "";
    place_of(at, place, sizeof place);
    snprintf(text, sizeof text,
             "more than %llu steps without a wait (sleep, wait): the script does not end by itself",
             (unsigned long long)s->steps_max);
    limit_note(s, place, text);
}

/* at: where the script is, or NULL: where it was when memory was refused. */
static void note_memory(struct sandbox *s, lua_State *at)
{
    char text[160];
    char place[SANDBOX_PLACE] = "";
    if (!at || !place_of(at, place, sizeof place))
        snprintf(place, sizeof place, "%s", s->refused_at);
    snprintf(text, sizeof text, "the script needs more than its %llu MiB of memory",
             (unsigned long long)(s->memory_max >> 20));
    limit_note(s, place, text);
}

static _Noreturn void limit_raise(lua_State *L)
{
    /* A light value: raising must not need memory. */
    lua_pushlightuserdata(L, sandbox_of(L));
    lua_error(L);
    abort(); /* lua_error does not return */
}

/* Notes whatever limit is hit by now, and raises its error. */
static void check_limits(struct sandbox *s, lua_State *L)
{
    if (s->interrupt && *s->interrupt && !s->limit_hit) {
        s->interrupted = true;
        limit_note(s, "", "interrupted");
    }
    if (s->steps_left < 0)
        note_steps(s, L);
    if (s->memory > s->memory_max) {
        lua_gc(L, LUA_GCCOLLECT);
        if (s->memory > s->memory_max)
            note_memory(s, L);
    }
    if (s->refused)
        note_memory(s, NULL);
    if (s->limit_hit)
        limit_raise(L);
}

/* What an instruction costs: in a function with very many arguments (...) each may copy them all.
 */
static int64_t price(lua_State *L, const lua_Debug *ar)
{
    int64_t steps = 1;
    for (int n = MANY_ARGUMENTS; lua_getlocal(L, ar, -n); n *= 2) {
        lua_pop(L, 1);
        steps = n / MANY_ARGUMENTS * 4;
    }
    return steps;
}

static void on_count(lua_State *L, lua_Debug *ar)
{
    struct sandbox *s = sandbox_of(L);
    s->steps_left -= HOOK_STEPS * price(L, ar);
    if (lua_gethookcount(L) != HOOK_STEPS) /* it came at once, for sandbox_refuse */
        lua_sethook(L, on_count, LUA_MASKCOUNT, HOOK_STEPS);
    check_limits(s, L);
}

void sandbox_refuse(lua_State *L, const char *text)
{
    char place[SANDBOX_PLACE] = "";
    place_of(L, place, sizeof place);
    limit_note(sandbox_of(L), place, text);
    lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
}

void sandbox_charge(lua_State *L, uint64_t steps)
{
    struct sandbox *s = sandbox_of(L);
    if (s->steps_left < 0 || steps > (uint64_t)s->steps_left)
        s->steps_left = -1;
    else
        s->steps_left -= (int64_t)steps;
    check_limits(s, L);
}

void sandbox_slice(struct sandbox *s)
{
    s->steps_left = (int64_t)s->steps_max;
    s->refused = false;
    s->asked_again = false;
}

bool sandbox_limit(struct sandbox *s, int status)
{
    if (status == LUA_ERRMEM || s->refused)
        note_memory(s, NULL);
    return s->limit_hit;
}

void sandbox_check(lua_State *L, int status)
{
    if (sandbox_limit(sandbox_of(L), status))
        limit_raise(L);
}

static bool has_position(const char *text)
{
    for (const char *c = strchr(text, ':'); c; c = strchr(c + 1, ':')) {
        size_t digits = strspn(c + 1, "0123456789");
        if (digits > 0 && c[1 + digits] == ':')
            return true;
    }
    return false;
}

void sandbox_place_error(lua_State *L)
{
    if (lua_islightuserdata(L, -1)) /* a limit's */
        return;
    if (lua_type(L, -1) != LUA_TSTRING) {
        const char *type = luaL_typename(L, -1);
        lua_pushfstring(L, "the script raised an error that is a %s; error takes a text", type);
        lua_remove(L, -2);
    }
    if (has_position(lua_tostring(L, -1)))
        return;
    sandbox_where(L);
    lua_insert(L, -2);
    lua_concat(L, 2);
}

static int place_handler(lua_State *L)
{
    sandbox_place_error(L);
    return 1;
}

int sandbox_call(lua_State *L, int nargs, int nresults)
{
    int at = lua_gettop(L) - nargs;
    lua_pushcfunction(L, place_handler);
    lua_insert(L, at);
    int status = lua_pcall(L, nargs, nresults, at);
    lua_remove(L, at);
    return status;
}

void sandbox_out_of_memory(lua_State *L)
{
    note_memory(sandbox_of(L), L);
    limit_raise(L);
}

int sandbox_resume(lua_State *L, lua_State *co, int nargs, int *nres)
{
    struct sandbox *s = sandbox_of(L);
    lua_State *before = s->running;
    bool blocked = s->blocked;
    s->running = co;
    s->blocked = L != s->L && (blocked || !lua_isyieldable(L));
    int status = lua_resume(co, L, nargs, nres);
    s->running = before;
    s->blocked = blocked;
    return status;
}

int sandbox_reset(lua_State *L, lua_State *co)
{
    struct sandbox *s = sandbox_of(L);
    lua_State *before = s->running;
    s->running = co;
    int status = lua_resetthread(co);
    s->running = before;
    return status;
}

bool sandbox_can_wait(lua_State *L)
{
    return lua_isyieldable(L) && !sandbox_of(L)->blocked;
}

int sandbox_wait(lua_State *L, const char *what, lua_KContext ctx, lua_KFunction k)
{
    if (!sandbox_can_wait(L))
        sandbox_error(L,
                      "%s: cannot wait here (inside a callback of a C function such as "
                      "table.sort, or a metamethod)",
                      what);
    lua_pushlightuserdata(L, (void *)(uintptr_t)&sandbox_wait_key);
    return lua_yieldk(L, 1, ctx, k);
}

/* Puts the chunk with guarded operands of .. in the place of the one on top of the stack. */
static bool compile_concat(lua_State *L, const struct source *source)
{
    size_t len;
    char *text = concat_rewrite(source->text, source->len, &len);
    if (!text)
        return true;
    lua_pop(L, 1);
    int status = luaL_loadbufferx(L, text, len, source->chunk, "t");
    free(text);
    if (status == LUA_OK)
        return true;
    lua_pushfstring(L, "%s; use string.format or table.concat for so many parts",
                    lua_tostring(L, -1));
    return false;
}

bool sandbox_compile(lua_State *L, const struct source *source)
{
    if (luaL_loadbufferx(L, source->text, source->len, source->chunk, "t") != LUA_OK) {
        if (!has_position(lua_tostring(L, -1))) /* its reader recursed too deep */
            lua_pushfstring(L, "%s:1: %s: brackets, functions or blocks are nested too deep",
                            source->chunk + 1, lua_tostring(L, -1));
        return false;
    }
    char why[256];
    int line = 0;
    if (scan_text(source->text, source->len, &line, why, sizeof why))
        return compile_concat(L, source);
    lua_pop(L, 1);
    lua_pushfstring(L, "%s:%d: %s", source->chunk + 1, line, why);
    return false;
}

static int open_libraries(lua_State *L)
{
    sandbox_open_base(L);
    sandbox_open_collector(L);
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
    s->running = s->L;
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
    lua_State *L = s->L;
    s->L = NULL;
    if (L)
        lua_close(L);
}
