/* Attacks on the sandbox, most of them known from others' sandboxes, crashes of Lua's libraries and
 * lists of escapes: each must end as told here, quickly, and leave a sandbox that still works. */
#include "tests/unit/sandbox_fixture.h"

#include <time.h>

struct attack {
    const char *text, *begin, *part; /* the result begins and contains */
};

/* Runs each in a sandbox of its own; afterwards ordinary work must be possible in it. */
static void withstand(const struct attack *attacks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        teardown(NULL);
        setup(NULL);
        clock_t began = clock();
        expect_part(attacks[i].text, attacks[i].begin, attacks[i].part);
        if (clock() - began > 20 * CLOCKS_PER_SEC)
            fail_msg("takes too long: %s", attacks[i].text);
        lua_gc(box.L, LUA_GCCOLLECT);
        expect("local t = {} for i = 1, 10 do t[i] = i * i end return #t .. t[10]", "10100");
    }
}

#define WITHSTAND(attacks) withstand(attacks, sizeof(attacks) / sizeof *(attacks))

static void test_other_names_for_a_way_out_lead_nowhere(void **state)
{
    (void)state;
    static const struct attack attacks[] = {
        {"return getfenv(1)", "error: t.lua:1: ", "undefined global 'getfenv'"},
        {"return newproxy(true)", "error: t.lua:1: ", "undefined global 'newproxy'"},
        {"return module('x')", "error: t.lua:1: ", "undefined global 'module'"},
        {"return string.dump(print)", "error: t.lua:1: ", "nil value (field 'dump')"},
        {"return ('').dump", "nil", ""},
        {"return (function() end):dump()", "error: t.lua:1: ", "index a function"},
        {"return require('os')", "error: t.lua:1: ", "os.lua: No such file"},
        {"return require('_G')", "error: t.lua:1: ", "beside the scenario"},
        {"return package.loaded.os", "error: t.lua:1: ", "package is not available"},
        {"return debug.getregistry()", "error: t.lua:1: ", "debug is not available"},
        {"local _ENV = {} return os", "nil", ""},
        {"local _ENV <const> = setmetatable({}, { __index = _G }) return os",
         "error: t.lua:1: ", "os is not available"},
        {"return getmetatable('').__index", "nil", ""},
        {"getmetatable('').__index.rep = nil", "error: t.lua:1: ", "index a nil value"},
        {"return getmetatable(_G).__index", "nil", ""},
        {"return rawget(getmetatable(_G), 1)", "error: ", "table expected"},
        {"return getmetatable(print)", "nil", ""},
        {"return getmetatable(coroutine.running())", "nil", ""},
    };
    WITHSTAND(attacks);
}

static void test_a_protected_call_does_not_prolong_a_script(void **state)
{
    (void)state;
    static const struct attack attacks[] = {
        /* lua-sandbox, pull request 12: the quota that pcall catches again and again */
        {"while true do pcall(function() while true do end end) end", "limit: ", "steps"},
        {"local function f() xpcall(f, f) while true do end end f()", "limit: ", "steps"},
        {"local f f = function() return pcall(f) end while true do f() end", "limit: ", "steps"},
        {"while true do coroutine.wrap(function() pcall(error) end)() end", "limit: ", "steps"},
        {"while true do local c = coroutine.create(function() local x <close> = setmetatable({}, "
         "{ __close = function() for i = 1, 999 do end end }) coroutine.yield() end) "
         "coroutine.resume(c) coroutine.close(c) end",
         "limit: ", "steps"},
        {"local m = {} m.__index = function(t, k) while true do end end "
         "return pcall(function() return setmetatable({}, m).x end)",
         "limit: ", "steps"},
        {"for _, e in ipairs { '__add', '__concat', '__eq', '__lt', '__le', '__len', '__call', "
         "'__unm', '__newindex' } do local m = { [e] = function() while true do end end } "
         "local a, b = setmetatable({}, m), setmetatable({}, m) "
         "pcall(function() local x = a + b end) pcall(function() return a .. b end) "
         "pcall(function() return a == b, a < b, a <= b, #a, -a end) pcall(function() a.x = 1 end) "
         "pcall(a) end",
         "limit: ", "steps"},
        {"return pcall(function() for k in setmetatable({}, { __call = function() return 1 end }) "
         "do end end)",
         "limit: ", "steps"},
        {"return pcall(function() goto a ::a:: goto a end)", "limit: ", "steps"},
        {"return pcall(function() repeat until false end)", "limit: ", "steps"},
    };
    WITHSTAND(attacks);
}

static void test_work_inside_c_functions_is_counted(void **state)
{
    (void)state;
    static const struct attack attacks[] = {
        /* TinyMUX issue 1591, wasmoon issue 45: backtracking that no hook sees */
        {"local s = ('a'):rep(26) return tostring(s:find(('a-'):rep(26) .. 'b'))", "limit: ", ""},
        {"return (('a'):rep(10000)):find('.-.-.-.-b$')", "limit: ", "steps"},
        {"return (('a'):rep(30)):match(('a?'):rep(30) .. ('a'):rep(30) .. 'b')", "limit: ", ""},
        {"return ('('):rep(60000):find('%b()')", "limit: ", "steps"},
        {"local s = ('x'):rep(60000) for i = 1, 1e6 do s:gsub('', '') end", "limit: ", "steps"},
        {"local s = ('x'):rep(60000) return s:gsub('(.*)(.*)(.*)y', '%1')", "limit: ", "steps"},
        {"local s = ('x'):rep(1024):rep(4096) while true do utf8.len(s) end", "limit: ", "steps"},
        {"local s = ('x'):rep(1024):rep(4096) while true do s:lower() utf8.codepoint(s, #s) end",
         "limit: ", "steps"},
        {"local t = {} for i = 1, 50000 do t[i] = i end while true do table.insert(t, 1, 0) "
         "table.remove(t, 1) end",
         "limit: ", "steps"},
        {"local t = {} for i = 1, 50000 do t[i] = -i end while true do table.sort(t) end",
         "limit: ", "steps"},
        {"local t = { 1 } while true do next(t) end", "limit: ", "steps"},
        {"local function f(...) return f(1, ...) end f()", "limit: ", "steps"},
        {"local function f(...) while true do local n = select('#', ...) end end "
         "f(table.unpack({}, 1, 200000))",
         "limit: ", "steps"},
        {"local function f(...) return ... end "
         "local function g(...) while true do f(...) end end g(table.unpack({}, 1, 200000))",
         "limit: ", "steps"},
        {"local t = {} for i = 1, 90000 do t[i] = i end while true do table.unpack(t) end",
         "limit: ", "steps"},
        {"local t = setmetatable({}, { __len = function() return math.maxinteger - 1 end }) "
         "table.insert(t, 1, 0)",
         "limit: ", "steps"},
        {"local t = setmetatable({}, { __len = function() return math.maxinteger - 1 end, "
         "__index = function() return 'x' end }) return table.concat(t)",
         "limit: ", ""},
        {"table.move(setmetatable({}, { __index = function() return 1 end }), 1, 1 << 40, 1, "
         "setmetatable({}, { __newindex = function() end }))",
         "limit: ", "steps"},
    };
    WITHSTAND(attacks);
}

static void test_memory_cannot_be_had_by_other_ways(void **state)
{
    (void)state;
    static const struct attack attacks[] = {
        /* Mesecons issue 380: the check of string.rep that the method escapes */
        {"local s = ('abcd'):rep(1000) s = s:rep(1000) s = s:rep(1000) return #s", "limit: ", "32"},
        {"return (''):rep(1 << 40, 'x')", "limit: ", "32 MiB"},
        {"return ('x'):rep(math.maxinteger, ('y'):rep(1000))", "limit: ", "32 MiB"},
        {"return ('x'):rep(1 << 20):gsub('x', ('y'):rep(1 << 10))", "limit: ", "32 MiB"},
        {"return string.pack('c2147483647', '')", "limit: ", "32 MiB"},
        {"local t = {} for i = 1, 250 do t[i] = 'c2000000' end return string.pack("
         "table.concat(t), table.unpack(t))",
         "limit: ", "32 MiB"},
        {"return string.format(('%99.99f'):rep(200), table.unpack((function() local t = {} "
         "for i = 1, 200 do t[i] = 1e308 end return t end)())):rep(1000)",
         "limit: ", "32 MiB"},
        {"local t = {} for i = 1, 1e9 do t[i] = coroutine.create(print) end", "limit: ", ""},
        {"local t = {} for i = 1, 1e9 do t['k' .. i] = i end", "limit: ", ""},
        {"local t = {} for i = 1, 1e9 do t = { t } end", "limit: ", ""},
        {"local s = 'x' for i = 1, 99 do s = s:gsub('.', '%0%0') end", "limit: ", ""},
        {"return table.unpack({}, 1, 1 << 24)", "error: t.lua:1: ", "too many results"},
        {"return table.unpack({}, math.mininteger, math.maxinteger)",
         "error: t.lua:1: ", "too many results"},
        {"return (('x'):rep(1 << 21)):byte(1, -1)", "", "t.lua:1: "},
        {"return string.char(table.unpack((function() local t = {} for i = 1, 300000 do t[i] = 65 "
         "end return t end)())):len()",
         "300000", ""},
        {"local t = setmetatable({}, { __len = function() return 1 << 30 end }) table.sort(t)",
         "limit: ", "32 MiB"},
    };
    WITHSTAND(attacks);
}

static void test_arguments_out_of_range_are_errors(void **state)
{
    (void)state;
    static const struct attack attacks[] = {
        {"table.insert(setmetatable({}, { __len = function() return math.maxinteger end }), 1)",
         "error: t.lua:1: ", "too large"},
        {"table.remove(setmetatable({}, { __len = function() return math.maxinteger end }), 1)",
         "error: t.lua:1: ", "too large"},
        {"return table.remove(setmetatable({}, { __len = function() return -5 end }))", "nil", ""},
        {"table.insert({}, math.mininteger, 1)", "error: ", "out of bounds"},
        {"table.move({}, math.mininteger, math.maxinteger, 1)", "error: ", "too many elements"},
        {"table.move({}, 1, 2, math.maxinteger)", "error: ", "wrap around"},
        {"return table.concat({}, '', math.maxinteger, math.maxinteger)", "error: ", "is a nil"},
        {"return table.concat({}, '', math.maxinteger, math.mininteger)", "", ""},
        {"return string.sub('abc', math.mininteger, math.maxinteger)", "abc", ""},
        {"return ('abc'):find('b', math.mininteger)", "2", ""},
        {"return ('abc'):find('b', math.maxinteger)", "nil", ""},
        {"return select(math.mininteger, 1)", "error: ", "out of range"},
        {"return select(math.maxinteger, 1)", "", "nil"},
        {"return utf8.char(-1)", "error: ", "value out of range"},
        {"return utf8.codepoint('abc', math.mininteger)", "error: ", "out of bounds"},
        {"return string.unpack('s8', ('\\xff'):rep(8))", "error: ", "too short"},
        {"return string.unpack('i1', 'x', math.mininteger)", "120", ""},
        {"return string.unpack('i1', 'x', math.maxinteger)", "error: ", "out of string"},
        {"return string.pack('!16 Xi16 i16', 1):len()", "16", ""},
        {"return string.pack('i17', 1)", "error: ", "out of limits"},
        {"return string.pack('i99999999999', 1)", "error: ", ""},
        {"return string.format('%99999d', 1)", "error: ", "invalid conversion"},
        {"return string.format('%1$s', 1)", "error: ", "invalid conversion"},
        {"return string.format('%n', 1)", "error: ", "invalid conversion"},
        {"return string.format('%', 1)", "error: ", "invalid conversion"},
        {"return string.format('%s')", "error: ", "no value"},
        {"return ('x'):gsub('x', '%')", "error: t.lua:1: ", "invalid use of '%'"},
        {"return ('x'):find('[%')", "error: t.lua:1: ", "malformed pattern"},
        {"return ('x'):find('[^')", "error: t.lua:1: ", "malformed pattern"},
        {"return ('x'):find('%f')", "error: t.lua:1: ", "missing '['"},
        {"return ('x'):find('\\0[\\0-\\255]\\0')", "nil", ""},
        {"return math.tointeger(1e300)", "nil", ""},
        {"return math.mininteger // -1", "-9223372036854775808", ""},
        {"return math.mininteger % -1", "0", ""},
        {"return 1 // 0", "error: t.lua:1: ", "divide by zero"},
        {"return math.fmod(math.mininteger, -1)", "0", ""},
        {"return math.random(math.mininteger, math.maxinteger) ~= nil", "true", ""},
        {"local n = 0 for i = math.maxinteger - 1, math.maxinteger do n = n + 1 end return n", "2",
         ""},
        {"for i = 1, 2, 0 do end", "error: t.lua:1: ", "'for' step is zero"},
    };
    WITHSTAND(attacks);
}

static void test_coroutines_of_the_script_cannot_be_turned_against_it(void **state)
{
    (void)state;
    static const struct attack attacks[] = {
        {"coroutine.close(coroutine.running())", "error: t.lua:1: ", "cannot close a running"},
        {"local co co = coroutine.wrap(function() co() end) co()", "error: t.lua:1: ", "resume"},
        {"local co co = coroutine.create(function() coroutine.close(co) end) "
         "return select(2, coroutine.resume(co))",
         "t.lua:1: ", "cannot close a running"},
        {"local a, b a = coroutine.create(function() coroutine.resume(b) end) "
         "b = coroutine.create(function() return coroutine.close(a) end) "
         "coroutine.resume(a) return coroutine.status(b)",
         "dead", ""},
        {"return coroutine.resume(coroutine.create(coroutine.yield), 1)", "true", ""},
        {"return pcall(coroutine.wrap(coroutine.wrap), print)", "true", ""},
        {"return xpcall(error, coroutine.yield)", "false", ""},
        {"return coroutine.yield()", "error: ", "outside a coroutine"},
        {"local co = coroutine.wrap(function() local x <close> = setmetatable({}, { __close = "
         "function() coroutine.yield() end }) error('x') end) co() return pcall(co)",
         "", ""},
        {"local function f() local x <close> = setmetatable({}, { __close = f }) error('x') end "
         "f()",
         "", "t.lua:1: "},
        {"local t = {} for i = 1, 300 do local p = t[i - 1] t[i] = coroutine.wrap(function() "
         "return p and p() or 1 end) end return t[300]()",
         "error: t.lua:1: ", "stack overflow"},
        {"return table.sort({ 1, 2, 3 }, coroutine.wrap(function() while true do "
         "coroutine.yield(true) end end))",
         "nil", ""},
        {"return ('abc'):gsub('.', coroutine.wrap(function(c) while true do c = coroutine.yield("
         "c .. c) end end))",
         "aabbcc", ""},
        {"return table.sort({ 1, 2, 3 }, coroutine.yield)", "error: ", "yield"},
    };
    WITHSTAND(attacks);
}

static void test_error_values_and_names_of_the_script_do_no_harm(void **state)
{
    (void)state;
    static const struct attack attacks[] = {
        {"error(setmetatable({}, { __tostring = function() while true do end end }))",
         "error: t.lua:1: ", "a table; error takes a text"},
        {"error(setmetatable({}, { __tostring = error }))", "error: t.lua:1: ", "a table"},
        {"error((coroutine.running()))", "error: t.lua:1: ", "a thread"},
        {"error()", "error: t.lua:1: ", "a nil"},
        {"error(('x'):rep(1 << 20))", "error: t.lua:1: xxx", ""},
        {"return setmetatable({}, { __tostring = function() return 1 end })", "1", ""},
        {"return tostring(setmetatable({}, { __tostring = function() return {} end }))",
         "error: t.lua:1: ", "must return a string"},
        {"return tostring(setmetatable({}, { __name = ('n'):rep(1 << 20) })):len()", "1048579", ""},
        {"return setmetatable({}, { __name = ('%s%n'):rep(100) }) < 1",
         "error: t.lua:1: ", "attempt to compare"},
        {"return ('x').y.z", "error: t.lua:1: ", "index a nil value (field 'y')"},
        {"local t = {} t.__call = t setmetatable(t, t) return pcall(t)",
         "error: t.lua:1: ", "__call must be a function"},
        {"local t = {} t.__index = t setmetatable(t, t) return t.x", "error: t.lua:1: ", "loop"},
        {"local t = {} t.__newindex = t setmetatable(t, t) t.x = 1", "error: t.lua:1: ", "loop"},
        {"setmetatable(_G, nil)", "error: t.lua:1: ", "protected"},
        {"return setmetatable(setmetatable({}, { __metatable = false }), {})",
         "error: t.lua:1: ", "protected"},
        {"pairs, next, tostring, string, _G = nil return 1", "1", ""},
        {"string.upper, string.format, table.concat = nil return ('x'):rep(2)", "xx", ""},
        {"rawset(_G, 'pcall', error) return type(pcall)", "function", ""},
        {"local t = { 1, 2, 3 } for k in pairs(t) do t[k + 3] = 1 t[k] = nil end return t[6]", "1",
         ""},
        {"local t = { 5, 4, 3, 2, 1 } table.sort(t, function(a, b) t[1] = nil t[9] = 1 "
         "return a < b end) return t[1]",
         "1", ""},
        {"return next({}, 'none')", "nil", ""},
        {"return rawlen(5)", "error: ", "table or string expected"},
        {"return ipairs()", "error: ", "value expected"},
    };
    WITHSTAND(attacks);
}

static void test_texts_that_strain_the_compiler_are_errors(void **state)
{
    (void)state;
    static const struct {
        const char *open, *repeat, *close;
    } texts[] = {
        {"return ", "(", ""},
        {"return ", "{", ""},
        {"return ", "not ", "1"},
        {"return ", "-~", "1"},
        {"", "do ", ""},
        {"", "if 1 then ", ""},
        {"", "while 1 do ", ""},
        {"", "repeat ", ""},
        {"", "function f() ", ""},
        {"return ", "a.b[", ""},
        {"return f", "{{", ""},
        {"local x = ", "function() ", ""},
        {"return ", "'a' .. ", "1"},
        {"", "local a <close>, ", ""},
        {"local a", ", a", ""},
        {"", "a = ", ""},
        {"return ", "f(", ""},
        {"", "goto a ", ""},
        {"", "::a:: ", ""},
        {"", "\\\"[[--", ""},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char text[4000];
        size_t at = (size_t)snprintf(text, sizeof text, "%s", texts[i].open);
        while (at + strlen(texts[i].repeat) + 20 < sizeof text)
            at += (size_t)snprintf(text + at, sizeof text - at, "%s", texts[i].repeat);
        snprintf(text + at, sizeof text - at, "%s", texts[i].close);
        expect_part(text, "error: t.lua:1: ", "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_other_names_for_a_way_out_lead_nowhere),
        T(test_a_protected_call_does_not_prolong_a_script),
        T(test_work_inside_c_functions_is_counted),
        T(test_memory_cannot_be_had_by_other_ways),
        T(test_arguments_out_of_range_are_errors),
        T(test_coroutines_of_the_script_cannot_be_turned_against_it),
        T(test_error_values_and_names_of_the_script_do_no_harm),
        T(test_texts_that_strain_the_compiler_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
