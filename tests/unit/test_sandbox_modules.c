/* require: siblings of the scenario, in the same sandbox, and nothing else. */
#include "tests/unit/sandbox_fixture.h"

static char folder[64];

static void in_folder(char path[200], const char *name)
{
    snprintf(path, 200, "%s/%s", folder, name);
}

static void write_file(const char *name, const char *text)
{
    char path[200];
    in_folder(path, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* A sandbox whose scenario is main.lua of a fresh folder. */
static int setup_folder(void **state)
{
    char path[200], why[200];
    setup(state);
    snprintf(folder, sizeof folder, "/tmp/vn-modules-XXXXXX");
    assert_non_null(mkdtemp(folder));
    write_file("main.lua", "");
    in_folder(path, "main.lua");
    assert_non_null(sources_get(&sources, path, why, sizeof why));
    return 0;
}

static int teardown_folder(void **state)
{
    char command[200];
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
    return teardown(state);
}

static void test_require_reads_a_sibling_once(void **state)
{
    (void)state;
    write_file("helper-1.lua", "loads = (rawget(_G, 'loads') or 0) + 1 return { n = ... }");
    expect("return require('helper-1').n .. require('helper-1').n .. loads", "helper-1helper-11");
    expect("return require('helper-1') == require('helper-1')", "true");
    write_file("nothing.lua", "");
    expect("return require('nothing')", "true");
    write_file("nothing.lua", "return 'changed while the process runs'");
    expect("return require('nothing')", "true");
}

static void test_a_module_is_in_the_same_sandbox(void **state)
{
    (void)state;
    write_file("power.lua", "\nreturn 2 ^ 3");
    expect_part("require('power')", "error: ", "power.lua:2: the operator ^");
    write_file("out.lua", "return os.time()");
    expect_part("require('out')", "error: ", "out.lua:1: os is not available");
    write_file("endless.lua", "\n\nwhile true do end");
    expect_part("while true do pcall(require, 'endless') end", "limit: ", "endless.lua:3: ");
    write_file("global.lua", "shared = 5");
    expect("require('global') return shared", "5");
    write_file("dumped.lua", "\x1bLua");
    expect_part("require('dumped')", "error: t.lua:1: ", "compiled Lua is not accepted");
    expect_part("return pcall(require, 'dumped')", "false", "");
}

static void test_a_module_that_fails_says_so_each_time(void **state)
{
    (void)state;
    write_file("bad.lua", "\nlocal x = nil\nreturn x.y");
    for (int i = 0; i < 2; i++)
        expect_part("require('bad')", "error: ", "bad.lua:3: attempt to index a nil value");
    write_file("syntax.lua", "\n\n=");
    for (int i = 0; i < 2; i++)
        expect_part("require('syntax')", "error: ", "syntax.lua:3: ");
    write_file("waits.lua", "coroutine.yield()");
    expect_part("return coroutine.wrap(function() require('waits') end)()",
                "error: ", "attempt to yield across");
    expect_part("require('none')", "error: t.lua:1: ", "none.lua: No such file");
}

static void test_modules_that_require_each_other_are_an_error(void **state)
{
    (void)state;
    write_file("loop.lua", "return require('loop')");
    expect_part("require('loop')", "error: ", "\"loop\" requires itself");
    write_file("a.lua", "return require('b')");
    write_file("b.lua", "return require('c')");
    write_file("c.lua", "return require('a')");
    expect_part("require('a')", "error: ", "c.lua:1: require: module \"a\" requires itself");
    write_file("main.lua", "return 'a second time'");
    expect("return require('main')", "true");
}

static void test_require_takes_names_and_no_paths(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "../etc/passwd", "..",     ".",      "a.b",   "",  "A",
        "a/b",           "a\\\\b", "/tmp/x", "a\\0b", "~", "\xc3\xa4"};
    write_file("a.lua", "return 1");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[80];
        snprintf(text, sizeof text, "require('%s')", bad[i]);
        expect_part(text, "error: t.lua:1: ", "beside the scenario");
    }
    expect_part("require(('a'):rep(5000))", "error: t.lua:1: ", "aaaaaaaa");
    expect_part("require()", "error: ", "string expected");
    expect_part("require({})", "error: ", "string expected");
}

static void test_no_link_leads_out_of_the_folder(void **state)
{
    (void)state;
    char path[200];
    in_folder(path, "passwd.lua");
    assert_int_equal(symlink("/etc/passwd", path), 0);
    expect_part("require('passwd')", "error: t.lua:1: ", "a link to a file that is not beside");
    in_folder(path, "deep.lua");
    char target[200];
    in_folder(target, "deep");
    assert_int_equal(mkdir(target, 0700), 0);
    write_file("deep/x.lua", "return 1");
    assert_int_equal(symlink("deep/x.lua", path), 0);
    expect_part("require('deep')", "error: t.lua:1: ", "a link to a file that is not beside");
    write_file("here.lua", "return 'here'");
    in_folder(path, "near.lua");
    assert_int_equal(symlink("here.lua", path), 0);
    expect("return require('near')", "here");
}

static void test_only_plain_files_of_some_size_are_read(void **state)
{
    (void)state;
    char path[200];
    in_folder(path, "pipe.lua");
    assert_int_equal(mkfifo(path, 0600), 0);
    expect_part("require('pipe')", "error: t.lua:1: ", "not a plain file");
    in_folder(path, "folder.lua");
    assert_int_equal(mkdir(path, 0700), 0);
    expect_part("require('folder')", "error: t.lua:1: ", "not a plain file");
    write_file("huge.lua", "");
    in_folder(path, "huge.lua");
    assert_int_equal(truncate(path, SOURCE_SIZE_MAX + 1), 0);
    expect_part("require('huge')", "error: t.lua:1: ", "larger than 4 MiB");
}

#define M(f) cmocka_unit_test_setup_teardown(f, setup_folder, teardown_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        M(test_require_reads_a_sibling_once),
        M(test_a_module_is_in_the_same_sandbox),
        M(test_a_module_that_fails_says_so_each_time),
        M(test_modules_that_require_each_other_are_an_error),
        M(test_require_takes_names_and_no_paths),
        M(test_no_link_leads_out_of_the_folder),
        M(test_only_plain_files_of_some_size_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
