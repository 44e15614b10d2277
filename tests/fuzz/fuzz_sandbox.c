/* A script, in a sandbox with small limits: it never crashes, gives back all memory, prints and
 * ends the same way in a second sandbox whose heap lies elsewhere, and what limits it cannot be
 * caught. Near a limit two runs may differ in where it strikes, since Lua's own tables grow by the
 * addresses and the seed of their strings: then what one printed begins what the other printed. */
#include "scenarios/sandbox.h"
#include "tests/fuzz/input.h"

#define MEMORY_MAX  (1u << 20)
#define STEPS_MAX   50000u
#define PRINTED_MAX (1u << 16)

struct outcome {
    bool limit;
    int status;
    size_t len;                /* of what it printed, cut */
    char printed[PRINTED_MAX]; /* then its error */
    char error[400];
};

static void on_print(struct sandbox *s, const char *text)
{
    struct outcome *o = s->user;
    const size_t left = sizeof o->printed - o->len;
    const size_t len = strlen(text);
    CLAIM(!s->limit_hit, "a script runs on after its limit");
    memcpy(o->printed + o->len, text, len < left ? len : left);
    o->len += len < left ? len : left;
}

/* A coroutine of the engine's, that may wait once: as in a run. */
static int run_chunk(struct sandbox *s)
{
    int nres = 0;
    lua_State *co = lua_newthread(s->L);
    lua_insert(s->L, -2);
    lua_xmove(s->L, co, 1);
    s->task = co;
    int status = sandbox_resume(s->L, co, 0, &nres);
    if (status != LUA_OK && status != LUA_YIELD && !sandbox_limit(s, status))
        sandbox_place_error(co);
    if (status != LUA_OK && status != LUA_YIELD)
        lua_xmove(co, s->L, 1);
    return status;
}

static int protected_run(lua_State *L)
{
    struct sandbox *s = sandbox_of(L);
    struct outcome *o = s->user;
    o->status = run_chunk(s);
    if (o->status != LUA_OK && lua_type(L, -1) == LUA_TSTRING)
        snprintf(o->error, sizeof o->error, "%s", lua_tostring(L, -1));
    return 0;
}

/* Lua's compiler refuses the text for its size, not for its form. */
static bool is_strained(const char *error)
{
    return strstr(error, "too many") || strstr(error, "overflow") || strstr(error, "memory") ||
           strstr(error, "too large") || strstr(error, "too complex");
}

/* What sandbox_compile says when only the text with calls in it does not compile. Its last words:
 * an error quotes the text, which may hold them, too. */
static bool is_of_calls(const char *error)
{
    static const char last[] = "; use string.format or table.concat for so many parts";
    const size_t len = strlen(error);
    return len >= sizeof last - 1 && strcmp(error + len - (sizeof last - 1), last) == 0;
}

static void run(const char *text, size_t len, struct outcome *o)
{
    static const uint8_t seed[32] = {1};
    struct sandbox s;
    char chunk[] = "@fuzz.lua";
    const struct source source = {.chunk = chunk, .text = (char *)(uintptr_t)text, .len = len};
    o->len = 0;
    o->error[0] = 0;
    CLAIM(sandbox_open(&s, MEMORY_MAX, STEPS_MAX, seed), "no sandbox can be opened");
    s.print = on_print;
    s.user = o;
    lua_pushcfunction(s.L, protected_run);
    o->status = LUA_ERRSYNTAX;
    if (sandbox_compile(s.L, &source)) {
        const int status = lua_pcall(s.L, 1, 0, 0);
        o->status = status != LUA_OK ? status : o->status;
    } else {
        snprintf(o->error, sizeof o->error, "%s", lua_tostring(s.L, -1));
        CLAIM(!is_of_calls(o->error) || is_strained(o->error),
              "a text with operands of .. put into calls does not compile");
    }
    o->limit = sandbox_limit(&s, o->status);
    sandbox_close(&s);
    CLAIM(s.memory == 0, "the sandbox keeps memory");
}

static void compare(const struct outcome *a, const struct outcome *b)
{
    if (a->limit || b->limit) {
        const size_t len = a->len < b->len ? a->len : b->len;
        CLAIM(memcmp(a->printed, b->printed, len) == 0, "two runs print differently to a limit");
        return;
    }
    CLAIM(a->status == b->status, "two runs end differently");
    CLAIM(a->len == b->len && memcmp(a->printed, b->printed, a->len) == 0,
          "two runs print differently");
    CLAIM(strcmp(a->error, b->error) == 0, "two runs err differently");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct outcome first, second;
    char *text = malloc(size + 1); /* as a file is read: with a NUL behind it */
    CLAIM(text, "out of memory");
    memcpy(text, data, size);
    text[size] = 0;
    run(text, size, &first);
    void *apart = malloc(size + 12345); /* the second heap lies elsewhere */
    run(text, size, &second);
    compare(&first, &second);
    free(apart);
    free(text);
    return 0;
}
