/* Coroutines and protected calls that let two things through: the engine's waits, so that a sleep
 * inside a coroutine of the script waits for all that resumed it, and the limits' errors, so that
 * nothing catches them. */
#include "scenarios/sandbox.h"

#include <lualib.h>
#include <string.h>

static bool is_waiting(lua_State *co)
{
    return lua_status(co) == LUA_YIELD && lua_gettop(co) > 0 &&
           lua_touserdata(co, -1) == (const void *)&sandbox_wait_key;
}

static lua_State *check_co(lua_State *L)
{
    lua_State *co = lua_tothread(L, 1);
    luaL_argexpected(L, co, 1, "coroutine");
    return co;
}

/* ---- resume and wrap ---- */

static int resume_k(lua_State *L, int status, lua_KContext ctx);
static int wrap_k(lua_State *L, int status, lua_KContext ctx);

enum resumed { RESUMED_DONE, RESUMED_WAITS, RESUMED_FAILED };

/* Moves narg values from L to co and runs it. DONE: *nres results on L; FAILED: the error on L. */
static enum resumed resume(lua_State *L, lua_State *co, int narg, int *nres)
{
    sandbox_charge(L, 20);
    if (!lua_checkstack(co, narg + 1)) {
        lua_pushliteral(L, "too many arguments to resume");
        return RESUMED_FAILED;
    }
    lua_xmove(L, co, narg);
    int status = sandbox_resume(L, co, narg, nres);
    sandbox_check(L, status);
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_xmove(co, L, 1);
        return RESUMED_FAILED;
    }
    if (is_waiting(co))
        return RESUMED_WAITS;
    if (!lua_checkstack(L, *nres + 1)) {
        lua_pop(co, *nres);
        lua_pushliteral(L, "too many results to resume");
        return RESUMED_FAILED;
    }
    lua_xmove(co, L, *nres);
    return RESUMED_DONE;
}

/* Hands the results of a resume to the script, or passes a wait on. base: values to keep on L. */
static int resume_finish(lua_State *L, lua_State *co, int base, int narg)
{
    int nres = 0;
    switch (resume(L, co, narg, &nres)) {
    case RESUMED_WAITS:
        return sandbox_wait(L, "sleep", base, resume_k);
    case RESUMED_FAILED:
        lua_pushboolean(L, 0);
        lua_insert(L, -2);
        return 2;
    case RESUMED_DONE:
        break;
    }
    lua_pushboolean(L, 1);
    lua_insert(L, -(nres + 1));
    return nres + 1;
}

static int resume_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    lua_State *co = lua_tothread(L, 1);
    lua_settop(L, (int)ctx);
    lua_pop(co, 1);
    return resume_finish(L, co, (int)ctx, 0);
}

static int co_resume(lua_State *L)
{
    lua_State *co = check_co(L);
    if (is_waiting(co)) {
        lua_pushboolean(L, 0);
        lua_pushliteral(L, "cannot resume a coroutine that waits (sleep)");
        return 2;
    }
    int narg = lua_gettop(L) - 1;
    return resume_finish(L, co, 1, narg);
}

static int wrap_finish(lua_State *L, lua_State *co, int narg)
{
    int nres = 0;
    switch (resume(L, co, narg, &nres)) {
    case RESUMED_WAITS:
        return sandbox_wait(L, "sleep", 0, wrap_k);
    case RESUMED_FAILED:
        if (lua_status(co) != LUA_OK && lua_status(co) != LUA_YIELD)
            sandbox_check(L, sandbox_reset(L, co));
        if (lua_type(L, -1) == LUA_TSTRING && !strchr(lua_tostring(L, -1), ':')) {
            sandbox_where(L);
            lua_insert(L, -2);
            lua_concat(L, 2);
        }
        return lua_error(L);
    case RESUMED_DONE:
        break;
    }
    return nres;
}

static int wrap_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    lua_settop(L, 0);
    lua_pop(co, 1);
    return wrap_finish(L, co, 0);
}

static int wrap_call(lua_State *L)
{
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    if (is_waiting(co))
        sandbox_error(L, "cannot resume a coroutine that waits (sleep)");
    return wrap_finish(L, co, lua_gettop(L));
}

static int co_create(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    sandbox_charge(L, 1000); /* the hook of a new coroutine counts from zero */
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    return 1;
}

static int co_wrap(lua_State *L)
{
    co_create(L);
    lua_pushcclosure(L, wrap_call, 1);
    return 1;
}

/* ---- the others ---- */

static int co_yield (lua_State *L)
{
    if (L == sandbox_of(L)->task)
        sandbox_error(L,
                      "coroutine.yield outside of a coroutine of the script; to let time pass use "
                      "sleep(t)");
    return lua_yield(L, lua_gettop(L));
}

static const char *status_of(lua_State *L, lua_State *co)
{
    lua_Debug ar;
    if (L == co)
        return "running";
    switch (lua_status(co)) {
    case LUA_YIELD:
        return "suspended";
    case LUA_OK:
        if (lua_getstack(co, 0, &ar))
            return "normal";
        return lua_gettop(co) == 0 ? "dead" : "suspended";
    default:
        return "dead";
    }
}

static int co_status(lua_State *L)
{
    lua_pushstring(L, status_of(L, check_co(L)));
    return 1;
}

static int co_isyieldable(lua_State *L)
{
    lua_State *co = lua_isthread(L, 1) ? lua_tothread(L, 1) : L;
    lua_pushboolean(L, co != sandbox_of(L)->task && lua_isyieldable(co));
    return 1;
}

static int co_running(lua_State *L)
{
    bool main = lua_pushthread(L) || L == sandbox_of(L)->task;
    lua_pushboolean(L, main);
    return 2;
}

static int co_close(lua_State *L)
{
    lua_State *co = check_co(L);
    const char *status = status_of(L, co);
    if (is_waiting(co) || (strcmp(status, "dead") != 0 && strcmp(status, "suspended") != 0))
        sandbox_error(L, "cannot close a %s coroutine", is_waiting(co) ? "waiting" : status);
    sandbox_charge(L, 20);
    int result = sandbox_reset(L, co);
    sandbox_check(L, result);
    lua_pushboolean(L, result == LUA_OK);
    if (result == LUA_OK)
        return 1;
    lua_xmove(co, L, 1);
    return 2;
}

/* ---- protected calls ---- */

/* extra: stack values below the results. */
static int pcall_finish(lua_State *L, int status, lua_KContext extra)
{
    sandbox_check(L, status);
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_pushboolean(L, 0);
        lua_pushvalue(L, -2);
        return 2;
    }
    return lua_gettop(L) - (int)extra;
}

static int base_pcall(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_pushboolean(L, 1);
    lua_insert(L, 1);
    int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, pcall_finish);
    return pcall_finish(L, status, 0);
}

/* Upvalue 1: the script's handler, which hears no limit. */
static int handler(lua_State *L)
{
    struct sandbox *s = sandbox_of(L);
    if (s->limit_hit)
        return 1;
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, -2);
    lua_call(L, 1, 1);
    return 1;
}

static int base_xpcall(lua_State *L)
{
    int n = lua_gettop(L);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, handler, 1);
    lua_replace(L, 2);
    lua_pushboolean(L, 1);
    lua_pushvalue(L, 1);
    lua_rotate(L, 3, 2); /* f, handler, true, f, arguments */
    int status = lua_pcallk(L, n - 2, LUA_MULTRET, 2, 2, pcall_finish);
    return pcall_finish(L, status, 2);
}

void sandbox_open_coroutine(lua_State *L)
{
    static const luaL_Reg co[] = {
        {"close", co_close},   {"create", co_create},   {"isyieldable", co_isyieldable},
        {"resume", co_resume}, {"running", co_running}, {"status", co_status},
        {"wrap", co_wrap},     {"yield", co_yield },    {NULL, NULL},
    };
    luaL_newlib(L, co);
    lua_setglobal(L, "coroutine");
    lua_pushcfunction(L, base_pcall);
    lua_setglobal(L, "pcall");
    lua_pushcfunction(L, base_xpcall);
    lua_setglobal(L, "xpcall");
}
