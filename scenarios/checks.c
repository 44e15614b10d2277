/* What a scenario asserts. check is judged where it stands; always, eventually and wait at their
 * registration, after every instant at which something settled (a tip, a peer's state, a ban, a
 * pool or a command changed), and eventually and wait at their deadline too. While a condition is
 * judged the script may look and nothing else. */
#include "scenarios/run.h"
#include "scenarios/swarm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In networks of more hosts eventually and wait are judged every so many ns for each host. */
#define PACED_HOSTS 128u
#define PACE_NS     10000u

static const char *const kinds[] = {"always", "eventually", "wait"};

void checks_report(struct run *run, const char *where, const char *kind, const char *name, bool ok,
                   const char *detail)
{
    const struct engine_observer *o = &run->options->observer;
    struct engine_result *r = run->result;
    uint64_t now = run_now(run);
    r->checks++;
    if (!ok) {
        char line[STORY_TEXT];
        snprintf(line, sizeof line, "%s failed: %s", kind, name);
        observe_story(run, -1, line);
    }
    if (!ok && r->checks_failed++ == 0)
        snprintf(r->reason, sizeof r->reason, "%s%s failed at t=%.6f s: %s%s%s%s", where, kind,
                 (double)now / 1e9, name, detail ? " (" : "", detail ? detail : "",
                 detail ? ")" : "");
    if (o->on_check)
        o->on_check(o->ctx, now, name, kind, ok, detail);
}

static const char *text_arg(lua_State *L, int arg, const char *what)
{
    if (lua_type(L, arg) != LUA_TSTRING)
        sandbox_error(L, "%s: argument %d must be a text that names the check, got %s", what, arg,
                      sandbox_kind(L, arg));
    return lua_tostring(L, arg);
}

/* ---- judging ---- */

/* Calls the condition on L. The detail (a second result) is left on the stack, one value. */
static bool holds(lua_State *L, struct run *run, struct condition *c)
{
    luaL_checkstack(L, 8, "condition");
    if (!run->current)
        sandbox_slice(&run->sandbox);
    run->judging = true;
    run->sandbox.frozen = "a condition (always, eventually, wait) may look, but not draw";
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->fn);
    int status = sandbox_call(L, 0, 2);
    run->judging = false;
    run->sandbox.frozen = NULL;
    sandbox_check(L, status);
    if (status != LUA_OK)
        lua_error(L);
    bool ok = lua_toboolean(L, -2) != 0;
    lua_remove(L, -2);
    return ok;
}

/* The detail on top of the stack as text, or NULL. */
static const char *detail_text(lua_State *L)
{
    return lua_isnil(L, -1) ? NULL : lua_isstring(L, -1) ? lua_tostring(L, -1) : NULL;
}

/* Takes the condition out of the list; it stays allocated until its deadline's wake has passed. */
static void decide(struct run *run, struct condition *c)
{
    c->pending = false;
    run->watched--;
    run->always -= c->kind == COND_ALWAYS;
    if (c->kind != COND_ALWAYS)
        run->pending--;
    luaL_unref(run->L, LUA_REGISTRYINDEX, c->fn);
}

/* One judgement; final: now or never. */
static void judge(lua_State *L, struct run *run, struct condition *c, bool final)
{
    bool ok = holds(L, run, c);
    const char *detail = detail_text(L);
    if (c->kind == COND_ALWAYS) {
        if (!ok) {
            checks_report(run, c->where, "always", c->text, false, detail);
            decide(run, c);
            run->stop = true;
        }
    } else if (ok || final) {
        checks_report(run, c->where, kinds[c->kind], c->text, ok, ok ? NULL : detail);
        decide(run, c);
        if (c->kind == COND_WAIT && ok) {
            c->task->wait_result = true;
            schedule_wake(run, run_now(run), WAKE_TASK, c->task);
        }
        if (c->kind == COND_WAIT && !ok)
            run->stop = true;
    }
    lua_pop(L, 1);
}

bool checks_can_wait(const struct run *run)
{
    return run->always == 0 && run_now(run) < run->judge_ns;
}

void checks_judge(struct run *run)
{
    uint64_t pace_ns = run->host_count > PACED_HOSTS ? run->host_count * PACE_NS : 0;
    run->judge_ns = run_now(run) + pace_ns;
    run->judge_due = false;
    for (struct condition **at = &run->conditions; *at && !run->stop;) {
        struct condition *c = *at;
        if (c->pending)
            judge(run->L, run, c, false);
        if (!c->pending) { /* decided, now or by a deadline: out of the way of later rounds */
            *at = c->next;
            if (run->conditions_tail == &c->next)
                run->conditions_tail = at;
            c->next = run->decided;
            run->decided = c;
            continue;
        }
        at = &c->next;
    }
}

void checks_deadline(struct run *run, struct condition *c)
{
    if (c->pending)
        judge(run->L, run, c, true);
}

void checks_finish(struct run *run)
{
    for (struct condition *c = run->conditions; c && !run->stop; c = c->next) {
        if (c->pending && c->kind == COND_ALWAYS) {
            judge(run->L, run, c, true);
            if (c->pending)
                checks_report(run, c->where, "always", c->text, true, NULL);
        } else if (c->pending) {
            judge(run->L, run, c, true);
        }
    }
}

void checks_tell_sometimes(struct run *run)
{
    const struct engine_observer *o = &run->options->observer;
    for (struct sometime *s = run->sometimes; s && o->on_check; s = s->next) {
        char place[120];
        size_t len = strlen(s->where);
        snprintf(place, sizeof place, "%.*s", (int)(len > 2 ? len - 2 : len), s->where);
        o->on_check(o->ctx, s->hit ? s->t_ns : run_now(run), s->text, "sometimes", s->hit,
                    s->hit ? NULL : place);
    }
}

/* ---- the vocabulary ---- */

static int script_check(lua_State *L)
{
    struct run *run = run_acting(L, "check");
    luaL_checkany(L, 1);
    const char *name = text_arg(L, 2, "check");
    const char *detail = lua_isnoneornil(L, 3) ? NULL : sandbox_tostring(L, 3, NULL);
    sandbox_where(L);
    checks_report(run, lua_tostring(L, -1), "check", name, lua_toboolean(L, 1), detail);
    lua_settop(L, 1);
    return 1;
}

static struct condition *condition_add(struct run *run, enum condition_kind kind, int fn,
                                       const char *text, const char *where)
{
    struct condition *c = run_alloc(sizeof *c);
    *c = (struct condition){.kind = kind, .pending = true, .fn = fn, .deadline_ns = UINT64_MAX};
    c->text = run_strdup(text);
    c->where = run_strdup(where);
    *run->conditions_tail = c;
    run->conditions_tail = &c->next;
    run->watched++;
    run->always += kind == COND_ALWAYS;
    if (kind != COND_ALWAYS)
        run->pending++;
    return c;
}

static void set_deadline(struct run *run, struct condition *c, uint64_t t_ns)
{
    c->deadline_ns = t_ns;
    schedule_wake(run, c->deadline_ns, WAKE_CONDITION, c);
}

void checks_eventually(struct run *run, const char *where, const char *text, uint64_t within_ns)
{
    int fn = luaL_ref(run->L, LUA_REGISTRYINDEX);
    struct condition *c = condition_add(run, COND_EVENTUALLY, fn, text, where);
    set_deadline(run, c, run_now(run) + within_ns);
    run->dirty = true;
}

/* Registers a condition: text at 1, the function at fn. */
static struct condition *condition_new(lua_State *L, struct run *run, enum condition_kind kind,
                                       int fn)
{
    const char *text = text_arg(L, 1, kinds[kind]);
    if (lua_type(L, fn) != LUA_TFUNCTION)
        sandbox_error(L, "%s: argument %d must be a function, got %s", kinds[kind], fn,
                      sandbox_kind(L, fn));
    sandbox_charge(L, 100);
    sandbox_where(L);
    lua_pushvalue(L, fn);
    int ref = luaL_ref(L, LUA_REGISTRYINDEX);
    struct condition *c = condition_add(run, kind, ref, text, lua_tostring(L, -1));
    lua_pop(L, 1);
    return c;
}

/* A task that waits when the run is decided goes no further. */
static int never(lua_State *L, int status, lua_KContext ctx)
{
    (void)L;
    (void)status;
    (void)ctx;
    return 0;
}

static int script_always(lua_State *L)
{
    struct run *run = run_acting(L, "always");
    struct condition *c = condition_new(L, run, COND_ALWAYS, 2);
    judge(L, run, c, false);
    return run->stop && sandbox_can_wait(L) ? sandbox_wait(L, "always", 0, never) : 0;
}

static int script_eventually(lua_State *L)
{
    struct run *run = run_acting(L, "eventually");
    uint64_t within = schedule_time_arg(L, 2, "eventually", "within");
    struct condition *c = condition_new(L, run, COND_EVENTUALLY, 3);
    set_deadline(run, c, swarm_deadline(run, run_now(run) + within));
    judge(L, run, c, false);
    return 0;
}

static int wait_result(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    lua_pushboolean(L, run_of(L)->current->wait_result);
    return 1;
}

static int script_wait(lua_State *L)
{
    struct run *run = run_acting(L, "wait");
    uint64_t within = schedule_time_arg(L, 2, "wait", "within");
    if (!sandbox_can_wait(L))
        return sandbox_wait(L, "wait", 0, wait_result); /* tells why */
    struct condition *c = condition_new(L, run, COND_WAIT, 3);
    c->task = run->current;
    c->task->wait_result = false;
    set_deadline(run, c, swarm_deadline(run, run_now(run) + within));
    judge(L, run, c, false);
    return sandbox_wait(L, "wait", 0, wait_result);
}

static int script_sometimes(lua_State *L)
{
    struct run *run = run_acting(L, "sometimes");
    const char *text = text_arg(L, 1, "sometimes");
    struct sometime *s = run->sometimes;
    while (s && strcmp(s->text, text) != 0)
        s = s->next;
    if (!s) {
        s = run_alloc(sizeof *s);
        s->text = run_strdup(text);
        sandbox_where(L);
        s->where = run_strdup(lua_tostring(L, -1));
        lua_pop(L, 1);
        *run->sometimes_tail = s;
        run->sometimes_tail = &s->next;
    }
    if (!s->hit && lua_toboolean(L, 2)) {
        s->hit = true;
        s->t_ns = run_now(run);
    }
    return 0;
}

static int script_metric(lua_State *L)
{
    struct run *run = run_acting(L, "metric");
    const struct engine_observer *o = &run->options->observer;
    const char *name = text_arg(L, 1, "metric");
    if (lua_type(L, 2) != LUA_TNUMBER)
        sandbox_error(L, "metric: the value of %s must be a number, got %s", name,
                      sandbox_kind(L, 2));
    int64_t host = lua_isnoneornil(L, 3) ? -1 : (int64_t)lua_host_arg(L, 3, "metric");
    if (o->on_metric)
        o->on_metric(o->ctx, name, host, lua_tonumber(L, 2));
    return 0;
}

static int script_log(lua_State *L)
{
    struct run *run = run_looking(L, "log");
    luaL_checkany(L, 1);
    run_log(run, sandbox_tostring(L, 1, NULL));
    return 0;
}

void checks_open(lua_State *L)
{
    lua_register(L, "check", script_check);
    lua_register(L, "always", script_always);
    lua_register(L, "eventually", script_eventually);
    lua_register(L, "wait", script_wait);
    lua_register(L, "sometimes", script_sometimes);
    lua_register(L, "metric", script_metric);
    lua_register(L, "log", script_log);
}

static void free_list(struct condition *c)
{
    while (c) {
        struct condition *next = c->next;
        free(c->text);
        free(c->where);
        free(c);
        c = next;
    }
}

void checks_free(struct run *run)
{
    free_list(run->conditions);
    free_list(run->decided);
    while (run->sometimes) {
        struct sometime *s = run->sometimes;
        run->sometimes = s->next;
        free(s->text);
        free(s->where);
        free(s);
    }
}
