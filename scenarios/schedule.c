/* Tasks and what wakes them. Each run, at, every and peer event runs in a coroutine of its own;
 * wakes come in the order of (time, creation). */
#include "scenarios/run.h"
#include "scenarios/swarm.h"

#include "core/base/exact.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMER             "timer"
#define SECONDS_MAX       1e9
#define WAKES_PER_INSTANT 1000000u

/* ---- the heap of wakes ---- */

static bool before(const struct wake *a, const struct wake *b)
{
    return a->t_ns != b->t_ns ? a->t_ns < b->t_ns : a->order < b->order;
}

static void heap_put(struct run *run, struct wake wake)
{
    if (run->wake_count == run->wake_capacity) {
        run->wake_capacity = run->wake_capacity ? run->wake_capacity * 2 : 64;
        run->wakes = realloc(run->wakes, run->wake_capacity * sizeof *run->wakes);
        if (!run->wakes)
            abort();
    }
    size_t i = run->wake_count++;
    for (; i > 0 && before(&wake, &run->wakes[(i - 1) / 2]); i = (i - 1) / 2)
        run->wakes[i] = run->wakes[(i - 1) / 2];
    run->wakes[i] = wake;
}

static struct wake heap_take(struct run *run)
{
    struct wake top = run->wakes[0];
    struct wake last = run->wakes[--run->wake_count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= run->wake_count)
            break;
        if (child + 1 < run->wake_count && before(&run->wakes[child + 1], &run->wakes[child]))
            child++;
        if (!before(&run->wakes[child], &last))
            break;
        run->wakes[i] = run->wakes[child];
        i = child;
    }
    if (run->wake_count > 0)
        run->wakes[i] = last;
    return top;
}

void schedule_wake(struct run *run, uint64_t t_ns, enum wake_kind kind, void *what)
{
    struct wake wake = {.t_ns = t_ns, .order = ++run->next_order, .kind = kind, .what = what};
    heap_put(run, wake);
}

uint64_t schedule_next(const struct run *run)
{
    return run->wake_count ? run->wakes[0].t_ns : UINT64_MAX;
}

/* ---- tasks ---- */

static void task_free(struct run *run, struct task *task)
{
    if (task->prev)
        task->prev->next = task->next;
    else
        run->tasks = task->next;
    if (task->next)
        task->next->prev = task->prev;
    free(task);
}

/* The error on top of the coroutine's stack goes on, with a place. */
static _Noreturn void task_failed(struct run *run, struct task *task)
{
    sandbox_place_error(task->co);
    lua_xmove(task->co, run->L, 1);
    lua_error(run->L);
    abort(); /* lua_error does not return */
}

static void task_resume(struct run *run, struct task *task, int nargs)
{
    int nres = 0;
    run->current = task;
    run->sandbox.task = task->co;
    sandbox_slice(&run->sandbox);
    if (lua_status(task->co) == LUA_YIELD) /* what it waits with stays: no script may resume it */
        lua_pop(task->co, 1);
    int status = sandbox_resume(run->L, task->co, nargs, &nres);
    run->current = NULL;
    run->sandbox.task = NULL;
    sandbox_check(run->L, status);
    if (status != LUA_OK && status != LUA_YIELD)
        task_failed(run, task);
    if (status == LUA_YIELD)
        return;
    lua_pop(task->co, nres);
    run->main_done = run->main_done || task->main;
    luaL_unref(run->L, LUA_REGISTRYINDEX, task->ref);
    task_free(run, task);
}

void schedule_start(struct run *run, int nargs, bool main)
{
    lua_State *L = run->L;
    luaL_checkstack(L, 8, "task");
    struct task *task = run_alloc(sizeof *task);
    task->next = run->tasks;
    if (run->tasks)
        run->tasks->prev = task;
    run->tasks = task;
    task->main = main;
    task->co = lua_newthread(L);
    task->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_xmove(L, task->co, nargs + 1);
    task_resume(run, task, nargs);
}

static void task_place(const struct task *task, char *out, size_t size)
{
    lua_Debug ar;
    snprintf(out, size, "?");
    for (int level = 0; lua_getstack(task->co, level, &ar); level++) {
        lua_getinfo(task->co, "Sl", &ar);
        if (ar.currentline > 0) {
            snprintf(out, size, "%s:%d", ar.short_src, ar.currentline);
            return;
        }
    }
}

void schedule_main_place(struct run *run, char *out, size_t size)
{
    snprintf(out, size, "?");
    for (const struct task *t = run->tasks; t; t = t->next)
        if (t->main)
            task_place(t, out, size);
}

/* ---- wakes ---- */

void schedule_receive(struct run *run, uint64_t t_ns, struct receive_wait **slot)
{
    struct receive_wait *wait = run_alloc(sizeof *wait);
    *wait = (struct receive_wait){.task = run->current, .slot = slot};
    *slot = wait;
    schedule_wake(run, t_ns, WAKE_RECEIVE, wait);
}

static void receive_over(struct run *run, struct receive_wait *wait)
{
    struct task *task = wait->task;
    bool over = wait->over;
    if (!over)
        *wait->slot = NULL;
    free(wait);
    if (!over)
        task_resume(run, task, 0);
}

static void fire_timer(struct run *run, struct script_timer *timer)
{
    if (timer->stopped)
        return;
    timer->fired++;
    if (timer->kind == TIMER_EVERY) {
        uint64_t left = UINT64_MAX - timer->start_ns;
        uint64_t k = timer->fired + 1;
        if (timer->interval_ns <= left / k)
            schedule_wake(run, timer->start_ns + k * timer->interval_ns, WAKE_TIMER, timer);
    }
    lua_rawgeti(run->L, LUA_REGISTRYINDEX, timer->fn);
    if (timer->kind == TIMER_AT)
        luaL_unref(run->L, LUA_REGISTRYINDEX, timer->fn);
    schedule_start(run, 0, false);
}

static _Noreturn void too_many_wakes(struct run *run, const struct wake *wake)
{
    char place[120];
    snprintf(place, sizeof place, "%s:1", run->engine->source->chunk + 1);
    if (wake->kind == WAKE_TASK)
        task_place(wake->what, place, sizeof place);
    sandbox_error(run->L, "%s: %u waits ended at t=%.9g s and no time passes; sleep longer than 0",
                  place, WAKES_PER_INSTANT, (double)wake->t_ns / 1e9);
}

bool schedule_run_due(struct run *run, uint64_t now_ns)
{
    if (schedule_next(run) > now_ns)
        return false;
    if (now_ns != run->instant_ns) {
        run->instant_ns = now_ns;
        run->instant_wakes = 0;
    }
    struct wake wake = heap_take(run);
    if (++run->instant_wakes > WAKES_PER_INSTANT)
        too_many_wakes(run, &wake);
    switch (wake.kind) {
    case WAKE_TASK:
        task_resume(run, wake.what, 0);
        break;
    case WAKE_TIMER:
        fire_timer(run, wake.what);
        break;
    case WAKE_CONDITION:
        checks_deadline(run, wake.what);
        break;
    case WAKE_RECEIVE:
        receive_over(run, wake.what);
        break;
    case WAKE_JUDGE:
        run->judge_armed = false;
        run->dirty = true;
        break;
    case WAKE_SWARM:
        swarm_wake(run, wake.what);
        break;
    }
    return true;
}

/* ---- the vocabulary ---- */

uint64_t schedule_time_arg(lua_State *L, int arg, const char *what, const char *name)
{
    double t = lua_type(L, arg) == LUA_TNUMBER ? lua_tonumber(L, arg) : (double)NAN;
    if (!(t >= 0 && t <= SECONDS_MAX)) {
        const char *given =
            lua_isnumber(L, arg) ? sandbox_tostring(L, arg, NULL) : sandbox_kind(L, arg);
        sandbox_error(L, "%s: %s must be seconds, 0..1e9, got %s", what, name, given);
    }
    return exact_ns_from_seconds(t);
}

static int wait_over(lua_State *L, int status, lua_KContext ctx)
{
    (void)L;
    (void)status;
    (void)ctx;
    return 0;
}

static int script_sleep(lua_State *L)
{
    struct run *run = run_acting(L, "sleep");
    uint64_t ns = schedule_time_arg(L, 1, "sleep", "the time");
    if (!sandbox_can_wait(L))
        return sandbox_wait(L, "sleep", 0, wait_over); /* tells why */
    schedule_wake(run, run_now(run) + ns, WAKE_TASK, run->current);
    return sandbox_wait(L, "sleep", 0, wait_over);
}

static int script_now(lua_State *L)
{
    lua_pushnumber(L, (double)run_now(run_looking(L, "now")) / 1e9);
    return 1;
}

/* Makes a timer of the function at argument 2 and pushes its handle. */
static struct script_timer *timer_new(lua_State *L, struct run *run, enum timer_kind kind,
                                      const char *what)
{
    if (lua_type(L, 2) != LUA_TFUNCTION)
        sandbox_error(L, "%s takes a time and a function, got %s", what, sandbox_kind(L, 2));
    sandbox_charge(L, 100);
    struct script_timer **handle = lua_newuserdatauv(L, sizeof *handle, 0);
    luaL_setmetatable(L, TIMER);
    lua_pushvalue(L, 2);
    int fn = luaL_ref(L, LUA_REGISTRYINDEX);
    struct script_timer *timer = run_alloc(sizeof *timer);
    *timer = (struct script_timer){.next = run->timers, .kind = kind, .fn = fn};
    run->timers = timer;
    *handle = timer;
    return timer;
}

static int script_at(lua_State *L)
{
    struct run *run = run_acting(L, "at");
    uint64_t t = schedule_time_arg(L, 1, "at", "the time");
    uint64_t now = run_now(run);
    if (t < now)
        sandbox_error(L, "at: %.9g s is over, it is %.9g s; at counts from the start of the run",
                      (double)t / 1e9, (double)now / 1e9);
    struct script_timer *timer = timer_new(L, run, TIMER_AT, "at");
    schedule_wake(run, t, WAKE_TIMER, timer);
    return 1;
}

static int script_every(lua_State *L)
{
    struct run *run = run_acting(L, "every");
    uint64_t interval = schedule_time_arg(L, 1, "every", "the interval");
    if (interval == 0)
        sandbox_error(L, "every: the interval must be at least 1 ns, got %s",
                      sandbox_tostring(L, 1, NULL));
    struct script_timer *timer = timer_new(L, run, TIMER_EVERY, "every");
    timer->start_ns = run_now(run);
    timer->interval_ns = interval;
    schedule_wake(run, timer->start_ns + interval, WAKE_TIMER, timer);
    return 1;
}

static int timer_stop(lua_State *L)
{
    struct script_timer **handle = luaL_checkudata(L, 1, TIMER);
    run_acting(L, "stop");
    (*handle)->stopped = true;
    return 0;
}

void schedule_open(lua_State *L)
{
    static const luaL_Reg timer[] = {{"stop", timer_stop}, {NULL, NULL}};
    lua_class(L, TIMER, timer);
    lua_pop(L, 1);
    lua_register(L, "sleep", script_sleep);
    lua_register(L, "now", script_now);
    lua_register(L, "at", script_at);
    lua_register(L, "every", script_every);
}

void schedule_free(struct run *run)
{
    while (run->tasks)
        task_free(run, run->tasks);
    while (run->timers) {
        struct script_timer *t = run->timers;
        run->timers = t->next;
        free(t);
    }
    for (size_t i = 0; i < run->wake_count; i++)
        if (run->wakes[i].kind == WAKE_RECEIVE)
            free(run->wakes[i].what);
    free(run->wakes);
}
