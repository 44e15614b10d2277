/* The sandbox: what a scenario cannot do, and what is the same in every run. */
#include "tests/unit/sandbox_fixture.h"

static const uint8_t seed_b[32] = {2};

/* ---- what is not there ---- */

static void test_sandbox_has_no_way_out(void **state)
{
    (void)state;
    static const char *const names[] = {
        "os",         "io",       "debug",  "package",        "load",
        "loadstring", "loadfile", "dofile", "collectgarbage", "warn"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[64], part[64];
        snprintf(text, sizeof text, "\nreturn %s", names[i]);
        snprintf(part, sizeof part, "%s is not available", names[i]);
        expect_part(text, "error: t.lua:2: ", part);
        snprintf(text, sizeof text, "return rawget(_G, '%s')", names[i]);
        expect(text, "nil");
    }
    expect("return string.dump", "nil");
    expect("return ('').dump", "nil");
}

static void test_sandbox_suggests_the_global_that_was_meant(void **state)
{
    (void)state;
    expect("return pars({})", "error: t.lua:1: undefined global 'pars'; did you mean 'pairs'?");
    expect("x = 1 return x", "1");
}

static void test_sandbox_refuses_bytecode(void **state)
{
    (void)state;
    char why[200];
    char path[] = "/tmp/vn-sandbox-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "\x1bLuaS", 5), 5);
    close(fd);
    assert_null(sources_get(&sources, path, why, sizeof why));
    assert_non_null(strstr(why, "compiled Lua is not accepted"));
    unlink(path);
    assert_null(sources_get(&sources, "/tmp", why, sizeof why));
    assert_non_null(strstr(why, "/tmp"));
    assert_null(sources_get(&sources, "/tmp/vn-no-such-file.lua", why, sizeof why));
}

static void test_sandbox_protects_metatables_of_its_own(void **state)
{
    (void)state;
    expect("return getmetatable('')", "string");
    expect("return getmetatable(_G)", "globals");
    expect_part("setmetatable(_G, {})", "error: t.lua:1: ", "protected");
}

static void test_sandbox_refuses_collector_metamethods(void **state)
{
    (void)state;
    expect_part("setmetatable({}, { ['__' .. 'gc'] = print })", "error: t.lua:1: ", "__gc");
    expect_part("setmetatable({}, { ['__' .. 'mode'] = 'k' })", "error: t.lua:1: ", "__mode");
    expect_part("\nlocal t = { __gc = 1 }", "error: t.lua:2: ", "__gc is not available");
    expect_part("local t = {} t['__mode'] = 'v'", "error: t.lua:1: ", "__mode is not available");
    /* set later, by a name that no scan sees: the table can be told from no other by its order */
    expect_part("local m = {} local t = setmetatable({}, m) m['__' .. 'mode'] = 'k' "
                "for k in pairs(t) do end",
                "error: t.lua:1: ", "weak table");
    /* nor does an entry of it go away before the script's eyes */
    expect_part(
        "local m, n = {}, 0 local t = setmetatable({}, m) m['__' .. 'mode'] = 'v' t[1] = {} "
        "while t[1] do n = n + 1 local x = ('x'):rep(100) .. n end "
        "m['__' .. 'mode'] = nil ran_on = true",
        "limit: t.lua:1: ", "weak table");
    expect("return rawget(_G, 'ran_on')", "nil");
    expect("local t, m = {}, {} for i = 1, 1e5 do t = setmetatable({}, m) end "
           "return getmetatable(t) == m",
           "true");
}

static void test_no_finalizer_runs(void **state)
{
    (void)state;
    expect("ran = false local m = {} local t = setmetatable({}, m) "
           "m['__' .. 'gc'] = function() ran = true end t = nil "
           "for i = 1, 1e5 do t = { i } end return ran",
           "false");
    expect("return ran", "false");
}

/* ---- scanning ---- */

static void test_scan_refuses_powers_with_the_way_out(void **state)
{
    (void)state;
    expect_part("local x = 2\nreturn x ^ 2", "error: t.lua:2: ", "math.pow(x, y)");
    expect("return '2^3' .. [[^]] .. [==[ ]]^ ]==] -- ^\n--[[ ^\n^ ]] --[=[ ^ ]=]", "2^3^ ]]^ ");
    expect("return \"a\\\"^\" .. 'b\\'^\\\\'", "a\"^b'^\\");
    expect("local t = {{1}} return t[t[1][1]][1]", "1");
    expect("return #'x' --", "1");
}

static void test_scan_refuses_libm(void **state)
{
    (void)state;
    static const char *const names[] = {"sin", "cos", "tan", "asin", "acos", "atan"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[80];
        snprintf(text, sizeof text, "\n\nreturn math . %s(1)", names[i]);
        expect_part(text, "error: t.lua:3: ", "is not available");
        snprintf(text, sizeof text, "local m = math return m['%s'](1)", names[i]);
        expect_part(text, "error: t.lua:1: ", "is not available");
    }
    expect("local t = { sin = 7 } return t.sin", "7");
}

static void test_syntax_errors_name_file_and_line(void **state)
{
    (void)state;
    expect_part("local x =\n\n= 3", "error: t.lua:3: ", "unexpected symbol");
}

/* ---- the same in every run ---- */

static void test_pairs_gives_numbers_then_strings_in_order(void **state)
{
    (void)state;
    expect("local s = '' for k in pairs({ b = 1, [2] = 1, a = 1, [-1.5] = 1, [10] = 1, [1] = 1, "
           "[true] = 1, aa = 1, [''] = 1 }) do s = s .. tostring(k) .. ',' end return s",
           "-1.5,1,2,10,,a,aa,b,true,");
    expect("local s = '' local t = { x = 1, y = 2, a = 3 } local k, v = next(t) "
           "while k do s = s .. k .. v k, v = next(t, k) end return s",
           "a3x1y2");
    expect("return next({})", "nil");
    expect(
        "local t = {} for i = 1, 500 do t['k' .. (i * 7919 % 1000)] = i end "
        "local last = '' for k in pairs(t) do if k < last then return 'unordered' end last = k end "
        "return 'ordered'",
        "ordered");
}

static void test_pairs_allows_clearing_and_changing_fields(void **state)
{
    (void)state;
    expect("local t = { a = 1, b = 2, c = 3 } local n = 0 "
           "for k in pairs(t) do n = n + 1 t[k] = nil t.c = nil end return n",
           "2");
}

static void test_pairs_refuses_keys_without_order(void **state)
{
    (void)state;
    expect_part("for k in pairs({ [{}] = 1 }) do end", "error: t.lua:1: ", "a table as a key");
    expect_part("for k in pairs({ [print] = 1 }) do end",
                "error: t.lua:1: ", "a function as a key");
    expect_part("return next({ [{}] = 1 })", "error: t.lua:1: ", "a table as a key");
}

static void test_sort_is_stable_and_survives_any_order_function(void **state)
{
    (void)state;
    expect("local t = {} for i = 1, 40 do t[i] = { i % 4, i } end "
           "table.sort(t, function(a, b) return a[1] < b[1] end) "
           "for i = 2, 40 do local a, b = t[i - 1], t[i] "
           "if a[1] > b[1] or a[1] == b[1] and a[2] > b[2] then return 'unstable' end end "
           "return 'stable'",
           "stable");
    expect("local t = {} for i = 1, 100 do t[i] = i end "
           "table.sort(t, function() return true end) "
           "table.sort(t, function() return math.random() < 0.5 end) "
           "local sum = 0 for _, v in ipairs(t) do sum = sum + v end return sum",
           "5050");
    expect_part("table.sort({ 1, {}, 2 })", "error: ", "attempt to compare");
    expect_part("table.sort({ 3, 2, 1 }, function() error('mine') end)",
                "error: t.lua:1: ", "mine");
}

static void test_tostring_shows_no_address(void **state)
{
    (void)state;
    expect("local t, f = {}, function() end "
           "return tostring(t) .. ' ' .. tostring(f) .. ' ' .. tostring(t) .. ' ' .. tostring({})",
           "table: 1 function: 2 table: 1 table: 3");
    expect("return string.format('%s %5.1f %d', setmetatable({}, { __name = 'thing' }), 1.25, 3)",
           "thing: 4   1.2 3");
    expect("return tostring(setmetatable({}, { __tostring = function() return 'me' end }))", "me");
    expect("return tostring(coroutine.create(print))", "thread: 5");
    expect_part("return string.format('%p', {})", "error: t.lua:1: ", "%p is not available");
    expect_part("return string.format('x%%%10a', 1.5)", "error: t.lua:1: ", "%a is not available");
    expect_part("return string.format('%q', 1.5)", "error: t.lua:1: ", "%q");
    expect_part("return ('x'):rep(2, {})", "error: ", "string expected");
}

static void test_nan_prints_one_way(void **state)
{
    (void)state;
    expect("local z = 0 return tostring(z / z) .. tostring(-(z / z))", "nannan");
    expect("local z = 0 return string.format('%f %.2f %g %s', z / z, -(z / z), z / z, z / z)",
           "nan nan nan nan");
    expect("local z = 0 return string.upper(z / z) .. string.sub(-(z / z), 1) .. "
           "string.rep(z / z, 2, -(z / z)) .. string.reverse(z / z) .. "
           "table.concat({ z / z, -(z / z) }, z / z)",
           "NANnannannannannannannannan");
    expect("local z = 0 return (string.gsub(z / z, '-', 'minus')) .. "
           "string.gsub('x', 'x', { x = z / z }) .. string.match(z / z, '.*')",
           "nannannan");
}

static void test_concatenation_makes_one_text_of_nan(void **state)
{
    (void)state;
    expect("local z = 0 return z / z .. ' ' .. -(z / z)", "nan nan");
    expect("local n = 0 n = n / n local t = { n = n, f = function() return -n end } "
           "return 'a' .. n .. t.n .. t.f() .. t['n'] .. (n) .. -n + 1 .. n * 2 - 1",
           "anannannannannannannan");
    expect("local n = 0 n = n / n local s = '' for _, v in ipairs { n, -n } do s = s .. v end "
           "return #(s .. n)",
           "9");
    expect("local function f(...) return ... .. '' end return f(0 / 0, 1)", "nan");
}

static void test_concatenation_is_lua_s_own_in_all_else(void **state)
{
    (void)state;
    expect("return 1 .. 2 .. 'x' .. 1.5 .. -3 // 2 * 2", "12x1.5-4");
    expect("return 'a' .. 'b' == 'ab' and 2 .. 3 < '3' and not ('a' .. 1 == 'a')", "true");
    expect("local t = { [ 'a' .. 1 ] = 'v' .. 2 } return t.a1 .. #t.a1 .. ~1", "v22-2");
    expect("local t = {} t.x = 'a' t.y = t.x .. 'b' local z = t.y .. t.x return z", "aba");
    expect("local function f(...) return 'n' .. select('#', ...) end return f(f() .. 1, nil)",
           "n2");
    expect("local s = '' for i = 1, 3 do if i ~= 2 then s = s .. i end end "
           "while #s < 5 do s = s .. 'w' end repeat s = s .. '!' until #s > 6 return s",
           "13www!!");
    expect("local m = { __concat = function(a, b) return 'C' end, __add = function() end } "
           "local o = setmetatable({}, m) return o .. 'x' .. (1 .. o) .. (o .. o)",
           "C");
    expect("local function f() return 1, 2 end local a <const> = 'k' "
           "return a .. f() .. (function() return 'g' .. 1 end)() .. [[]] .. \"\" .. ('x'):rep(2)",
           "k1g1xx");
    expect("local _ENV = { s = 'own' } return s .. (t or 1)", "own1");
    expect("goto over ::back:: do return 'x' .. y end ::over:: y = 7 goto back", "x7");
}

static void test_concatenation_names_what_is_nil(void **state)
{
    (void)state;
    expect("local name\nlocal s = 'a' .. name",
           "error: t.lua:2: attempt to concatenate a nil value (name)");
    expect("local t = {} return t.user.name .. '!'",
           "error: t.lua:1: attempt to index a nil value (field 'user')");
    expect("local t = {} return 'a' .. t.name",
           "error: t.lua:1: attempt to concatenate a nil value (t.name)");
    expect_part("return 'a' .. {}", "error: t.lua:1: ", "concatenate a table value");
    expect_part("return 1 .. (true)", "error: t.lua:1: ", "concatenate a boolean value");
}

static void test_nan_packs_one_way(void **state)
{
    (void)state;
    expect("local z = 0 return string.pack('<d', z / z) == string.pack('<d', -(z / z)) and "
           "string.pack('>f', z / z):byte(1) .. ' ' .. string.pack('>n', -(z / z)):byte(1)",
           "127 127");
}

static void test_random_comes_from_the_seed(void **state)
{
    (void)state;
    const char *draw = "local t = {} for i = 1, 5 do t[i] = math.random(1000000) end "
                       "return table.concat(t, ' ') .. ' ' .. math.random()";
    char first[200], again[200], other[200];
    snprintf(first, sizeof first, "%s", eval(draw));
    snprintf(other, sizeof other, "%s", eval(draw));
    assert_string_not_equal(first, other);
    teardown(NULL);
    setup(NULL);
    snprintf(again, sizeof again, "%s", eval(draw));
    assert_string_equal(first, again);
    teardown(NULL);
    open_box(32u << 20, 2000000, seed_b);
    assert_string_not_equal(first, eval(draw));
    expect("for i = 1, 1000 do local r = math.random(3, 5) if r < 3 or r > 5 then return r end end "
           "return math.type(math.random(0))",
           "integer");
    expect("local seen, n = {}, 0 for i = 1, 1000 do local r = math.random(6) "
           "if not seen[r] then seen[r] = true n = n + 1 end end return n",
           "6");
    expect_part("math.random(2, 1)", "error: t.lua:1: ", "2..1 is empty");
    expect_part("math.randomseed(1)", "error: t.lua:1: ", "--seed");
    box.frozen = "not now";
    expect("return math.random()", "error: t.lua:1: math.random: not now");
    box.frozen = NULL;
}

static void test_math_is_exact(void **state)
{
    (void)state;
    expect("return math.pow(3, 4) .. ' ' .. math.sqrt(81) .. ' ' .. math.floor(3.7)", "81.0 9.0 3");
    expect("return math.abs(math.exp(math.log(7)) - 7) < 1e-12", "true");
    expect("return math.abs(math.log(8, 2) - 3) < 1e-12", "true");
    expect("return math.pow(-2, 3) .. ' ' .. math.pow(2, 0)", "-8.0 1.0");
    expect_part("return math.pow(-2, 0.5)", "error: ", "needs a base above 0");
}

static void test_pack_refuses_sizes_of_the_machine(void **state)
{
    (void)state;
    static const char *const formats[] = {"h", "H", "l",   "L", "T",  "i",
                                          "I", "s", "=i4", "!", "i4l"};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        char text[80];
        snprintf(text, sizeof text, "return string.pack('%s', 1)", formats[i]);
        expect_part(text, "error: t.lua:1: ", "size of this machine");
    }
    expect("return string.pack('i2', 1):byte(1)", "1");
    expect("return string.pack('>I4 s2', 1, 'xy'):byte(4)", "1");
    expect("return string.unpack('<I8', string.pack('I8', 77))", "77");
    expect("return string.packsize('i4 i4')", "8");
}

/* ---- strings and tables do what Lua's own do ---- */

static void test_patterns_match_as_in_lua(void **state)
{
    (void)state;
    expect("return ('key = value'):match('^(%w+)%s*=%s*(%w+)$')", "key");
    expect("return select(2, ('key = value'):match('^(%w+)%s*=%s*(%w+)$'))", "value");
    expect("return ('hello world'):find('o w')", "5");
    expect("return ('a.b'):find('.', 1, true)", "2");
    expect("return ('abc'):find('b', -2)", "2");
    expect("return ('abc'):find('', 10)", "nil");
    expect("return ('x = f(a(b)c) + 1'):match('%b()')", "(a(b)c)");
    expect("return ('THE (quick) fox'):find('%f[%a]%a+%f[%A]', 5)", "6");
    expect("return ('hello hello'):match('(h%a+) %1')", "hello");
    expect("return ('  trim  '):gsub('^%s*(.-)%s*$', '%1')", "trim");
    expect("return ('abc'):gsub('', '-')", "-a-b-c-");
    expect("return ('hello world'):gsub('o', { o = '0' })", "hell0 w0rld");
    expect("return ('abc'):gsub('%w', function(c) return c == 'b' and 'X' end)", "aXc");
    expect("return select(2, ('aaa'):gsub('a', 'b', 2))", "2");
    expect("return ('x'):gsub('x', '%%%0')", "%x");
    expect("local s = '' for k, v in ('a=1, b=2'):gmatch('(%w+)=(%w+)') do s = s .. k .. v end "
           "return s",
           "a1b2");
    expect("local s = '' for p in ('abc'):gmatch('()') do s = s .. p end return s", "1234");
    expect("return ('a-]'):match('[]-]+')", "-]");
    expect("return ('ab12'):match('[^%d]+') .. ('f00'):match('[a-f0-9]+')", "abf00");
    expect("return ('x'):match('y?x')", "x");
    expect_part("return ('x'):match('[a')", "error: t.lua:1: ", "missing ']'");
    expect_part("return ('x'):match('%')", "error: t.lua:1: ", "ends with '%'");
    expect_part("return ('x'):match('(x')", "error: t.lua:1: ", "unfinished capture");
    expect_part("return ('x'):match('x)')", "error: t.lua:1: ", "invalid pattern capture");
    expect_part("return ('x'):match('%1')", "error: t.lua:1: ", "invalid capture index");
    expect_part("return ('x'):gsub('x', '%2')", "error: t.lua:1: ", "invalid capture index");
    expect_part("return ('x'):match('%f')", "error: t.lua:1: ", "missing '['");
    expect_part("return ('x'):match('%b')", "error: t.lua:1: ", "missing arguments");
    expect_part("return ('('):rep(40):find(('('):rep(40))",
                "error: t.lua:1: ", "too many captures");
    expect_part("return (('a'):rep(300)):match(('a?'):rep(300))",
                "error: t.lua:1: ", "too complex");
}

static void test_table_functions_work_as_in_lua(void **state)
{
    (void)state;
    expect("local t = { 1, 2, 3 } table.insert(t, 4) table.insert(t, 1, 0) "
           "return table.concat(t, ',') .. '|' .. table.remove(t) .. table.remove(t, 1) .. #t",
           "0,1,2,3,4|403");
    expect("return table.concat({ 'a', 'b', 'c' }, '-', 2)", "b-c");
    expect("return table.concat({})", "");
    expect("return select('#', table.unpack({ 1, nil, 3 }, 1, 3))", "3");
    expect("return table.pack(5, nil).n", "2");
    expect("return table.concat(table.move({ 1, 2, 3 }, 1, 3, 2), ',')", "1,1,2,3");
    expect("return table.concat(table.move({ 1, 2, 3 }, 2, 3, 1), ',')", "2,3,3");
    expect("return table.remove({})", "nil");
    expect_part("table.insert({ 1 }, 5, 1)", "error: ", "out of bounds");
    expect_part("return table.concat({ {} })", "error: t.lua:1: ", "index 1 is a table");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_sandbox_has_no_way_out),
        T(test_sandbox_suggests_the_global_that_was_meant),
        T(test_sandbox_refuses_bytecode),
        T(test_sandbox_protects_metatables_of_its_own),
        T(test_sandbox_refuses_collector_metamethods),
        T(test_no_finalizer_runs),
        T(test_scan_refuses_powers_with_the_way_out),
        T(test_scan_refuses_libm),
        T(test_syntax_errors_name_file_and_line),
        T(test_pairs_gives_numbers_then_strings_in_order),
        T(test_pairs_allows_clearing_and_changing_fields),
        T(test_pairs_refuses_keys_without_order),
        T(test_sort_is_stable_and_survives_any_order_function),
        T(test_tostring_shows_no_address),
        T(test_nan_prints_one_way),
        T(test_concatenation_makes_one_text_of_nan),
        T(test_concatenation_is_lua_s_own_in_all_else),
        T(test_concatenation_names_what_is_nil),
        T(test_nan_packs_one_way),
        T(test_random_comes_from_the_seed),
        T(test_math_is_exact),
        T(test_pack_refuses_sizes_of_the_machine),
        T(test_patterns_match_as_in_lua),
        T(test_table_functions_work_as_in_lua),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
