/* A sandbox of its own for each test, and what a chunk gives in it, for tests of the sandbox. */
#ifndef TESTS_UNIT_SANDBOX_FIXTURE_H
#define TESTS_UNIT_SANDBOX_FIXTURE_H

#include "scenarios/sandbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const uint8_t seed_a[32] = {1};

static struct sandbox box;
static struct sources sources;
static char answer[1024];

static inline void open_box(uint64_t memory, uint64_t steps, const uint8_t *seed)
{
    assert_true(sandbox_open(&box, memory, steps, seed));
    sources_init(&sources);
    box.sources = &sources;
}

static inline int setup(void **state)
{
    (void)state;
    open_box(32u << 20, 2000000, seed_a);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    sandbox_close(&box);
    sources_deinit(&sources);
    return 0;
}

/* The engine's place: converts the first result with the safe tostring. */
static inline int to_text(lua_State *L)
{
    sandbox_tostring(L, 1, NULL);
    return 1;
}

/* Runs a chunk: its first result as text, or "error: " and the error, or "limit: " and the limit.
 */
static inline const char *eval(const char *text)
{
    lua_State *L = box.L;
    char copy[8192];
    struct source source = {.chunk = (char *)(uintptr_t) "@t.lua", .text = copy};
    source.len = strlen(text);
    assert_true(source.len < sizeof copy);
    memcpy(copy, text, source.len + 1);
    lua_settop(L, 0);
    sandbox_slice(&box);
    box.limit_hit = false;
    box.refused = false;
    int status = LUA_ERRSYNTAX;
    if (sandbox_compile(L, &source))
        status = sandbox_call(L, 0, 1);
    if (sandbox_limit(&box, status)) {
        snprintf(answer, sizeof answer, "limit: %s", box.limit);
        return answer;
    }
    const char *kind = status == LUA_OK ? "" : "error: ";
    if (status == LUA_OK) {
        lua_pushcfunction(L, to_text);
        lua_insert(L, 1);
        assert_int_equal(lua_pcall(L, 1, 1, 0), LUA_OK);
    }
    snprintf(answer, sizeof answer, "%s%s", kind, lua_tostring(L, -1));
    return answer;
}

static inline void expect(const char *text, const char *result)
{
    assert_string_equal(eval(text), result);
}

/* The result begins with `begin` and contains `part`. */
static inline void expect_part(const char *text, const char *begin, const char *part)
{
    const char *got = eval(text);
    if (strncmp(got, begin, strlen(begin)) != 0 || !strstr(got, part))
        fail_msg("%.200s\n  gave    %s\n  instead %s...%s", text, got, begin, part);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
