/* Runs scenarios given as text and keeps what the engine tells, line by line, for tests of the
 * engine: "log TEXT", "check KIND NAME ok", "metric NAME VALUE", "step KIND DETAIL", "story LINE",
 * "decision NO KIND PARAMS[ left out]".
 */
#ifndef TESTS_UNIT_ENGINE_FIXTURE_H
#define TESTS_UNIT_ENGINE_FIXTURE_H

#include "scenarios/run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct engine_result result;
static char told[1 << 16];
static char why[512];
static world_maker world_made = world_sim_init;
static struct engine_options options;

static inline void tell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static inline void tell(const char *fmt, ...)
{
    size_t at = strlen(told);
    va_list args;
    va_start(args, fmt);
    vsnprintf(told + at, sizeof told - at, fmt, args);
    va_end(args);
}

static void on_check(void *ctx, uint64_t t_ns, const char *name, const char *kind, bool ok,
                     const char *detail)
{
    (void)ctx;
    tell("check %s %s %s%s%s @%llu\n", kind, name, ok ? "ok" : "failed", detail ? ": " : "",
         detail ? detail : "", (unsigned long long)t_ns);
}

static void on_log(void *ctx, uint64_t t_ns, const char *text)
{
    (void)ctx;
    (void)t_ns;
    tell("log %s\n", text);
}

static void on_metric(void *ctx, const char *name, int64_t host, double value)
{
    (void)ctx;
    tell("metric %s %.17g %lld\n", name, value, (long long)host);
}

static void on_story(void *ctx, const char *line)
{
    (void)ctx;
    tell("story %s\n", line);
}

static void on_step(void *ctx, uint64_t t_ns, const char *kind, int64_t host, const char *detail)
{
    (void)ctx;
    (void)t_ns;
    tell("step %s %lld %s\n", kind, (long long)host, detail);
}

static void on_decision(void *ctx, uint64_t t_ns, uint32_t no, const char *kind, const char *params,
                        bool taken)
{
    (void)ctx;
    (void)t_ns;
    tell("decision %u %s %s%s\n", no, kind, params, taken ? "" : " left out");
}

/* For cmocka: options as a test finds them. */
static int fixture(void **state)
{
    (void)state;
    engine_options_init(&options);
    options.seed = 1;
    options.lua_steps_max = 20000000;
    options.lua_memory_max = 64u << 20;
    options.observer = (struct engine_observer){.on_check = on_check,
                                                .on_log = on_log,
                                                .on_metric = on_metric,
                                                .on_story = on_story,
                                                .on_step = on_step,
                                                .on_decision = on_decision};
    world_made = world_sim_init;
    return 0;
}

/* Loads a scenario of this text from a file t.lua; NULL with `why` filled in. */
static inline struct engine *load_text(const char *text)
{
    char folder[] = "/tmp/vn-engine-XXXXXX";
    char path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/t.lua", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    why[0] = 0;
    struct engine *engine = engine_load(path, why, sizeof why);
    unlink(path);
    rmdir(folder);
    return engine;
}

/* Loads and runs a whole file. */
static inline void run_text(const char *text)
{
    told[0] = 0;
    result = (struct engine_result){0};
    struct engine *engine = load_text(text);
    if (!engine) {
        result.outcome = ENGINE_BAD_SCENARIO;
        snprintf(result.reason, sizeof result.reason, "%s", why);
        return;
    }
    engine_run_in(engine, &options, world_made, NULL, NULL, &result);
    engine_free(engine);
}

/* Runs the body of run(net, p), which begins on line 3, for at most 100 s. */
static inline void run_body(const char *body)
{
    char text[8192];
    int len =
        snprintf(text, sizeof text,
                 "scenario { name = 't', duration = 100 }\nfunction run(net, p)\n%s\nend\n", body);
    assert_true(len > 0 && (size_t)len < sizeof text);
    run_text(text);
}

/* `begin` after the file's name, then somewhere `part`. */
static inline void expect_reason(enum engine_outcome outcome, const char *begin, const char *part)
{
    const char *at = strstr(result.reason, "t.lua");
    at = at ? at + strlen("t.lua") : result.reason;
    if (result.outcome != outcome || strncmp(at, begin, strlen(begin)) != 0 || !strstr(at, part))
        fail_msg("outcome %d, expected %d\n  gave    %.300s\n  instead %s...%s\n%.300s",
                 (int)result.outcome, (int)outcome, result.reason, begin, part, told);
}

/* The run is refused on line 3 of the body (its first), with these words. */
static inline void refused(const char *body, const char *part)
{
    run_body(body);
    expect_reason(ENGINE_BAD_SCENARIO, ":3: ", part);
}

static inline void passes(const char *body)
{
    run_body(body);
    if (result.outcome != ENGINE_PASS)
        fail_msg("outcome %d: %.300s\n%.500s", (int)result.outcome, result.reason, told);
}

static inline void expect_told(const char *line)
{
    if (!strstr(told, line))
        fail_msg("not told: %s\n%.900s", line, told);
}

/* Lua: one fault of each sort that lasts, for the network to be healed of; what the script holds of
 * them are cut, hole, flap and bad. */
#define BREAK_ALL                                                                                  \
    "local g = net:spawn(8, { seeds = 7 })\n"                                                      \
    "sleep(5)\n"                                                                                   \
    "local cut = net:partition(g[1], g[2])\n"                                                      \
    "local hole = net:blackhole(g[3])\n"                                                           \
    "local flap = net:flap(g[4], g, { every = 10, down = 9 })\n"                                   \
    "local bad = net:degrade(g, g, { latency = 5 })\n"                                             \
    "g[5]:skew(3000) g[6]:disk { hang = true } g[7]:pause() g[8]:kill { silently = true }\n"       \
    "sleep(15)\n"

/* Lua: there is nothing left of them. */
#define CHECK_WHOLE                                                                                \
    "local off = g[5]:info().clock - now() - 1744100000\n"                                         \
    "check(off < 9 and off > -9, 'the clock is right', off)\n"                                     \
    "check(g:all(function(n) return n:alive() and not n:paused() end), 'all are there')\n"         \
    "g[1]:mine(30)\n"                                                                              \
    "wait('all hear', 60, function() return g:all(function(n) return n:height() >= 30 end) end)\n" \
    "local slow = now()\n"                                                                         \
    "g[1]:mine() wait('soon', 10, function() return net:one_tip() end)\n"                          \
    "check(now() - slow < 2, 'the links are fast', now() - slow)\n"                                \
    "g[6]:restart() sleep(5) check(g[6]:height() > 0, 'the disk is good')\n"

#define T(f) cmocka_unit_test_setup(f, fixture)

#endif
