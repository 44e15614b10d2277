/* A Lua state in which a scenario can do no harm and in which every run is the same.
 *
 * No bytecode, no os, io, debug or load; nothing that shows an address, the clock, the order of a
 * hash table or the work of the garbage collector. Two limits hold and cannot be caught by the
 * script: steps between two waits (instructions of the virtual machine, and work done by C
 * functions on its behalf, which call sandbox_charge) and bytes of memory. Once one is hit, `limit`
 * says so with file and line and every pcall, coroutine or handler of the script passes the error
 * on.
 *
 * C functions find their sandbox by sandbox_of(L). */
#ifndef SCENARIOS_SANDBOX_H
#define SCENARIOS_SANDBOX_H

#include "core/base/rng.h"
#include "scenarios/source.h"

#include <lauxlib.h>
#include <lua.h>
#include <signal.h>
#include <stddef.h>

/* "FILE:LINE: " of a Lua function. */
#define SANDBOX_PLACE (LUA_IDSIZE + 24)

struct sandbox {
    lua_State *L;
    void *user;      /* the engine's */
    lua_State *task; /* the coroutine that the engine itself resumed, or NULL */
    uint64_t memory, memory_max;
    int64_t steps_left;
    uint64_t steps_max;
    const volatile sig_atomic_t *interrupt; /* or NULL; nonzero: stop the script */
    struct sources *sources;                /* what require reads */
    struct rng rng;                         /* math.random's */
    const char *frozen;                     /* not NULL: why the script may not draw now */
    void (*print)(struct sandbox *s, const char *text); /* or NULL */
    lua_State *running;                                 /* the coroutine whose code runs now */
    bool blocked;              /* a coroutine below it stands in a C function and cannot wait */
    bool refused;              /* an allocation was refused for good, or asked_again comes next */
    bool asked_again;          /* the next request may be the refused one again */
    const void *refused_block; /* what it was to be the growth of, and to which size */
    size_t refused_size;
    char refused_at[SANDBOX_PLACE]; /* "FILE:LINE: " or "" */
    bool limit_hit;
    bool interrupted;
    char limit[512]; /* one line with file and line, once limit_hit */
};

/* False if there is not even memory for the state. `sources`, `print`, `user` and `interrupt` are
 * set by the caller afterwards. */
bool sandbox_open(struct sandbox *s, uint64_t memory_max, uint64_t steps_max,
                  const uint8_t seed[32]);
void sandbox_close(struct sandbox *s);

static inline struct sandbox *sandbox_of(lua_State *L)
{
    return *(struct sandbox **)lua_getextraspace(L);
}

/* A fresh budget of steps: the script has waited. */
void sandbox_slice(struct sandbox *s);

/* Takes `steps` from the budget; raises the limit's error when it is used up. */
void sandbox_charge(lua_State *L, uint64_t steps);

/* After a protected call or a resume by C: turns a refused allocation into the limit, and raises
 * the limit's error again if one is hit. */
void sandbox_check(lua_State *L, int status);
/* The same without raising: true if a limit is hit. */
bool sandbox_limit(struct sandbox *s, int status);

/* Ends the script as a limit does, at its next instruction, from where nothing can be raised. */
void sandbox_refuse(lua_State *L, const char *text);

/* Raises the limit of memory at once. */
_Noreturn void sandbox_out_of_memory(lua_State *L);

/* lua_resume and lua_resetthread for a coroutine of this sandbox; L: who calls. */
int sandbox_resume(lua_State *L, lua_State *co, int nargs, int *nres);
int sandbox_reset(lua_State *L, lua_State *co);

/* Pushes "FILE:LINE: " of the nearest Lua function, or "". */
void sandbox_where(lua_State *L);

/* Makes the error on top of the stack a text with a place, if it is none or has none. L must still
 * stand where the error was raised. */
void sandbox_place_error(lua_State *L);

/* lua_pcall whose errors have a place. */
int sandbox_call(lua_State *L, int nargs, int nresults);

/* Raises "FILE:LINE: text". */
_Noreturn void sandbox_error(lua_State *L, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Compiles a text chunk and leaves the function on the stack; else false and a line on the stack.
 * Refuses what cannot be the same everywhere (scan.h). */
bool sandbox_compile(lua_State *L, const struct source *source);

/* What the value at index is, for an error: "nil", "a table", "a group". Borrowed from the stack.
 */
const char *sandbox_kind(lua_State *L, int index);

/* Pushes the text of any value as tostring gives it, and returns it. */
const char *sandbox_tostring(lua_State *L, int index, size_t *len);

/* The value that a coroutine yields when the engine, not the script, makes it wait. */
extern const char sandbox_wait_key;
/* Whether L and all coroutines that resumed it can wait. To be asked before anything is set up. */
bool sandbox_can_wait(lua_State *L);
/* To be returned by a C function that waits: yields to the engine through all coroutines of the
 * script in between; k is called when the wait is over. Raises an error where waiting is not
 * possible. */
int sandbox_wait(lua_State *L, const char *what, lua_KContext ctx, lua_KFunction k);

/* Makes every argument that is not a number (NaN) the one whose text is "nan" and whose bits are
 * the same everywhere: what 0/0 gives has a sign that depends on the processor. */
void sandbox_plain_arguments(lua_State *L);

/* The parts, each of which sets its globals; called by sandbox_open. */
void sandbox_open_base(lua_State *L);
void sandbox_open_collector(lua_State *L);
void sandbox_open_coroutine(lua_State *L);
void sandbox_open_math(lua_State *L);
void sandbox_open_string(lua_State *L);
void sandbox_open_table(lua_State *L);
/* string.find, match, gmatch and gsub into the table on top of the stack. */
void sandbox_open_match(lua_State *L);

/* Pushes what the module returned, which runs now if it has not run before. */
void sandbox_require(lua_State *L, const char *name);
/* Pops the function that is the module of that name, whatever files there are. */
void sandbox_give_module(lua_State *L, const char *name);

/* The key order of pairs and of error messages: numbers, then strings, then booleans. Compares the
 * values at two stack indices; other types raise an error. */
int sandbox_compare_keys(lua_State *L, int a, int b);
/* Pushes an array of the keys of the table at index in that order; returns how many. */
lua_Integer sandbox_sorted_keys(lua_State *L, int index);

#endif
