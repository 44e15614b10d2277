/* The sandbox's limits: steps, memory and depth, and that no script catches them. */
#include "tests/unit/sandbox_fixture.h"

/* ---- limits ---- */

static void test_step_limit_stops_endless_loops(void **state)
{
    (void)state;
    expect_part("local x = 0\nwhile true do x = x + 1 end",
                "limit: t.lua:2: ", "steps without a wait");
    expect_part("local function f() return f() end f()", "limit: t.lua:1: ", "steps");
    expect_part("\nfor i = 1, 1e9 do coroutine.wrap(function() end)() end",
                "limit: t.lua:2: ", "steps");
}

static void test_step_limit_counts_work_done_in_c(void **state)
{
    (void)state;
    expect_part("return (('a'):rep(3000) .. 'b'):find(('.-'):rep(9) .. 'x')",
                "limit: t.lua:1: ", "steps");
    expect_part("('').rep('', 1 << 60) table.move({}, 1, 1 << 60, 2)", "limit: t.lua:1: ", "steps");
    expect_part(
        "table.concat(setmetatable({}, { __index = function() return '' end }), '', 1, 1 << 60)",
        "limit: t.lua:1: ", "steps");
    expect_part("local t = {} for i = 1, 10000 do t[i] = i end while true do for k in pairs(t) do "
                "break end end",
                "limit: t.lua:1: ", "steps");
    expect_part("local s = ('x'):rep(1 << 20) while true do s = s:upper() end",
                "limit: t.lua:1: ", "steps");
}

static void test_memory_limit_stops_growth(void **state)
{
    (void)state;
    expect_part("local t = {} for i = 1, 1e9 do t[i] = { i } end", "limit: t.lua:1: ", "32 MiB");
    expect_part("local s = 'x' while true do s = s .. s end", "limit: t.lua:1: ", "32 MiB");
    expect_part("\nreturn ('x'):rep(1 << 40)", "limit: t.lua:2: ", "32 MiB");
    expect_part("local k, t = ('x'):rep(1024), {} for i = 1, 31 do t[i] = k:rep(1024) end "
                "return table.concat(t)",
                "limit: ", "32 MiB");
    teardown(NULL);
    open_box(4u << 20, 2000000, seed_a);
    expect_part("local t = {} for i = 1, 1e9 do t[i] = i end", "limit: t.lua:1: ", "4 MiB");
    expect("for i = 1, 200 do local s = ('x'):rep(1024):rep(512) end return 'reused'", "reused");
}

static void test_limits_cannot_be_caught(void **state)
{
    (void)state;
    static const char *const wraps[] = {
        "pcall(loop) caught = 1",
        "while true do pcall(loop) caught = 1 end",
        "xpcall(loop, function() return 1 end) caught = 1",
        "xpcall(loop, function() while true do end end) caught = 1",
        "coroutine.resume(coroutine.create(loop)) caught = 1",
        "pcall(coroutine.wrap(loop)) caught = 1",
        "pcall(pcall, pcall, loop) caught = 1",
        "pcall(table.sort, { 3, 2, 1 }, loop) caught = 1",
        "pcall(string.gsub, 'x', 'x', loop) caught = 1",
        "pcall(function() local a <close> = setmetatable({}, { __close = function() error('mine') "
        "end })"
        " loop() end) caught = 1",
        "pcall(function() local a <close> = setmetatable({}, { __close = loop }) loop() end) "
        "caught = 1",
        "local co = coroutine.create(function() local a <close> = setmetatable({}, "
        "{ __close = loop }) coroutine.yield() end) coroutine.resume(co) "
        "pcall(coroutine.close, co) caught = 1",
        "local co = coroutine.create(function() local a <close> = setmetatable({}, "
        "{ __close = loop }) loop() end) local b <close> = setmetatable({}, "
        "{ __close = function() coroutine.close(co) caught = 1 end }) coroutine.resume(co) "
        "caught = 1",
        "pcall(tostring, setmetatable({}, { __tostring = loop })) caught = 1",
    };
    static const char *const loops[] = {
        "local function loop() while true do end end ",
        "local function loop() local t = {} for i = 1, 1e9 do t[i] = { i } end end ",
        "local function loop() return ('x'):rep(1 << 40) end ",
    };
    for (size_t i = 0; i < sizeof wraps / sizeof *wraps; i++)
        for (size_t k = 0; k < sizeof loops / sizeof *loops; k++) {
            char text[600];
            snprintf(text, sizeof text, "%s%s", loops[k], wraps[i]);
            expect_part(text, "limit: t.lua:1: ", k == 0 ? "steps" : "32 MiB");
            lua_pushglobaltable(box.L);
            lua_pushliteral(box.L, "caught");
            if (lua_rawget(box.L, -2) != LUA_TNIL)
                fail_msg("the script went on after the limit: %s", text);
        }
}

static void test_ordinary_errors_can_be_caught(void **state)
{
    (void)state;
    expect("local ok, e = pcall(error, 'x') return tostring(ok) .. e", "falsex");
    expect("return select(2, pcall(error, { 5 }))[1]", "5");
    expect("return select('#', pcall(function() return 1, nil, 3 end))", "4");
    expect(
        "return select(2, xpcall(function() error('a', 0) end, function(e) return e .. '!' end))",
        "a!");
    expect("return select(2, xpcall(function(x) return x end, print, 9))", "9");
    expect("local co = coroutine.wrap(function(a) local b = coroutine.yield(a + 1) error('e' .. b, "
           "0) end) "
           "local x = co(1) local ok, e = pcall(co, 5) return x .. e",
           "2t.lua:1: e5");
    expect_part("return select(2, coroutine.resume(coroutine.running()))", "cannot resume", "");
}

static void test_deep_recursion_is_an_error_and_no_crash(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "local function f(n) return 1 + f(n + 1) end return f(0)",
        "local function f() return (string.gsub('x', 'x', f)) end return f()",
        "local function f() return coroutine.wrap(f)() end return f()",
        "local function f() local ok, e = pcall(f) if not ok then error(e, 0) end end f()",
        "local function lt(a, b) table.sort({ 3, 2, 1 }, lt) return a < b end lt(1, 2)",
        "local t = setmetatable({}, { __tostring = function(t) return tostring(t) end }) "
        "return tostring(t)",
        "local t = setmetatable({}, { __index = function(t, k) return t[k] end }) return t.x",
        "local t = setmetatable({}, { __eq = function(a, b) return a == b end }) "
        "return t == setmetatable({}, getmetatable(t))",
        "local function f() for k in pairs(setmetatable({}, { __pairs = f })) do end end f()",
    };
    teardown(NULL);
    open_box(256u << 20, 200000000, seed_a);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        expect_part(texts[i], "error: t.lua:1: ", "stack overflow");
    expect_part("local function f() return pcall(f) end f() local t = {} "
                "for i = 1, 1000 do t = setmetatable({}, { __index = t }) end return t.x",
                "nil", "");
    expect("local function f() xpcall(f, f) end f() return 'done'", "done");
    char text[4000] = "return ";
    for (int i = 0; i < 1000; i++)
        strcat(text, "{(");
    expect_part(text, "error: t.lua:1: ", "nested too deep");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_step_limit_stops_endless_loops), T(test_step_limit_counts_work_done_in_c),
        T(test_memory_limit_stops_growth),      T(test_limits_cannot_be_caught),
        T(test_ordinary_errors_can_be_caught),  T(test_deep_recursion_is_an_error_and_no_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
