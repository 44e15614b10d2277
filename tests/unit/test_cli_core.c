/* `vibesim run --core NAME=FILE`: builds of the core that are loaded from files. VN_BIN has
 * vibesim, VN_LIB the libvibenet.so of the same build; VN_LIB/cores what tests/cores makes. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <jansson.h>
#include <sqlite3.h>

#include "tests/unit/cli_child.h"

#define OTHER_BUILD "0.0.9 another"

static struct child c;
static char upgrade[PATH_MAX]; /* the shipped scenario */
static char same[PATH_MAX];    /* our own build's library */

static const char few[] =
    "scenario { name = 'few', duration = 60, params = { core = 'built-in' } }\n"
    "function run(net, p)\n"
    "  local g = net:spawn(6, { core = p.core, miners = 2, block_interval = 2 })\n"
    "  sleep(20) g[3]:kill() sleep(5) g[3]:restart() sleep(5)\n"
    "  g[4]:restart { core = p.core } sleep(10)\n"
    "end\n";

/* What the nodes of each build hear of the other's. */
static const char versions[] =
    "scenario { name = 'versions', duration = 60, cores = { 'old' } }\n"
    "function run(net)\n"
    "  local a = net:spawn(2, { core = 'old' })\n"
    "  local b = net:spawn(2, { seeds_from = a, seeds = 2 })\n"
    "  local function heard(node, of)\n"
    "    for _, peer in ipairs(node:peers()) do\n"
    "      if peer.node == of and peer.state == 'ready' then return peer.version end\n"
    "    end\n"
    "  end\n"
    "  sleep(10)\n"
    "  check(heard(b[1], a[1]) == '0.0.9', 'the old build speaks', heard(b[1], a[1]))\n"
    "  check(heard(a[1], b[1]) == '0.1.0', 'ours speaks', heard(a[1], b[1]))\n"
    "  a[1]:mine(3) sleep(5)\n"
    "  a[1]:restart { core = 'built-in' } b[1]:restart { core = 'old' } sleep(10)\n"
    "  check(heard(b[2], a[1]) == '0.1.0', 'upgraded', heard(b[2], a[1]))\n"
    "  check(heard(a[2], b[1]) == '0.0.9', 'downgraded', heard(a[2], b[1]))\n"
    "  check(net:one_tip() and b[1]:height() == 3, 'one tip', b[1]:height())\n"
    "end\n";

static int set_up(void **state)
{
    (void)state;
    const char *lib = getenv("VN_LIB");
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/libvibenet.so", lib ? lib : "build/debug/lib");
    if (!realpath("scenarios/upgrade.lua", upgrade) || !realpath(path, same))
        return -1;
    return child_init(&c);
}

static int tear_down(void **state)
{
    (void)state;
    return child_deinit(&c);
}

/* "NAME=FILE" of what tests/cores made. */
static const char *given(const char *name, const char *file, char out[PATH_MAX + 64])
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(same, '/') - same), same);
    snprintf(out, PATH_MAX + 64, "%s=%.3900s/cores/%s", name, folder, file);
    return out;
}

/* To a file of the child's folder, cut at that length. */
static void copy_file(const char *from, const char *to, long bytes)
{
    static char data[1u << 16];
    char path[500];
    snprintf(path, sizeof path, "%s/%s", c.folder, to);
    FILE *in = fopen(from, "rb"), *out = fopen(path, "wb");
    assert_true(in && out);
    for (size_t n; bytes > 0 && (n = fread(data, 1, sizeof data, in)) > 0; bytes -= (long)n)
        assert_int_equal(fwrite(data, 1, n < (size_t)bytes ? n : (size_t)bytes, out),
                         n < (size_t)bytes ? n : (size_t)bytes);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

static json_t *json_of(const char *text)
{
    json_t *o = json_loads(text, 0, NULL);
    if (!o)
        fail_msg("no JSON: %.300s / %.300s", c.out, c.err);
    return o;
}

static const char *word(json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text ? text : "";
}

#define RUN(...) child_run(&c, NULL, (const char *const[]){__VA_ARGS__, NULL})

static void expect_status(int status)
{
    if (c.status != status)
        fail_msg("status %d, not %d: %.600s%.600s", c.status, status, c.out, c.err);
}

/* ---- what runs ---- */

static void hash_of_few(const char *core, const char *library, char hash[32])
{
    char param[64];
    snprintf(param, sizeof param, "core=%s", core);
    RUN("run", "few.lua", "--record", "none", "--json", "--verify", "--param", param, "--core",
        library);
    expect_status(0);
    json_t *o = json_of(c.out);
    assert_true(json_is_true(json_object_get(o, "verified")));
    snprintf(hash, 32, "%s", word(o, "trace_hash"));
    json_decref(o);
}

static void test_a_copy_of_our_build_makes_the_run_that_our_build_makes(void **state)
{
    (void)state;
    char own[32], copy[32], other[32], library[PATH_MAX + 64];
    child_write(&c, "few.lua", few);
    copy_file(same, "copy.so", LONG_MAX);
    hash_of_few("built-in", "old=copy.so", own);
    hash_of_few("old", "old=copy.so", copy);
    assert_string_equal(own, copy);
    hash_of_few("old", given("old", "libvibenet_other.so", library), other);
    assert_string_not_equal(own, other); /* it says another version in its handshakes */
}

static void test_two_builds_meet_and_each_is_heard(void **state)
{
    (void)state;
    char library[PATH_MAX + 64];
    child_write(&c, "versions.lua", versions);
    RUN("run", "versions.lua", "--record", "none", "--core",
        given("old", "libvibenet_other.so", library));
    expect_status(0);
    assert_non_null(strstr(c.out, "core    old: " OTHER_BUILD));
    RUN("run", "versions.lua", "--record", "none", "--world", "tcp", "--speed", "20", "--core",
        given("old", "libvibenet_other.so", library));
    expect_status(0);
    char ours[PATH_MAX + 64];
    snprintf(ours, sizeof ours, "old=%s", same);
    RUN("run", "versions.lua", "--record", "none", "--core", ours);
    expect_status(1); /* and the checks can tell the two apart */
    assert_non_null(strstr(c.out, "--core old="));
}

static void test_the_shipped_scenario_holds_between_two_builds_and_results_name_them(void **state)
{
    (void)state;
    char library[PATH_MAX + 64], path[400];
    RUN("run", upgrade, "--json", "--verify", "--db", "up.db", "--core",
        given("old", "libvibenet_other.so", library));
    expect_status(0);
    json_t *o = json_of(c.out), *cores = json_object_get(o, "cores");
    assert_int_equal(json_object_size(cores), 2);
    assert_string_equal(word(json_object_get(cores, "old"), "build"), OTHER_BUILD);
    assert_non_null(strstr(library, word(json_object_get(cores, "old"), "file")));
    assert_non_null(strstr(word(json_object_get(cores, "built-in"), "build"), "0.1.0 "));
    json_decref(o);

    sqlite3 *db;
    sqlite3_stmt *row;
    snprintf(path, sizeof path, "%s/up.db", c.folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    static const char query[] =
        "SELECT json_extract(options, '$.cores.old.build'),"
        " (SELECT count(*) FROM node WHERE version = '0.0.9'),"
        " (SELECT count(*) FROM event WHERE kind = 'restart' AND detail LIKE '%: core built-in'),"
        " (SELECT count(*) FROM event WHERE kind = 'restart' AND detail LIKE '%: core old')"
        " FROM run ORDER BY id";
    assert_int_equal(sqlite3_prepare_v2(db, query, -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(row, 0), OTHER_BUILD);
    assert_int_equal(sqlite3_column_int(row, 1), 20);
    assert_int_equal(sqlite3_column_int(row, 2), 20);
    assert_int_equal(sqlite3_column_int(row, 3), 6);
    sqlite3_finalize(row);
    sqlite3_close(db);
}

static void test_workers_of_many_seeds_have_the_build_too(void **state)
{
    (void)state;
    char library[PATH_MAX + 64];
    given("old", "libvibenet_other.so", library);
    child_write(&c, "versions.lua", versions);
    RUN("run", "versions.lua", "--record", "none", "--seeds", "1..4", "--jobs", "2", "--json",
        "--core", library);
    expect_status(0);
    int named = 0;
    for (const char *at = c.out; (at = strstr(at, OTHER_BUILD)); at++)
        named++;
    assert_int_equal(named, 4);
}

/* A record tells which file the build came from; the run is made again with that one alone. */
static void test_a_recorded_run_is_made_again_with_its_build(void **state)
{
    (void)state;
    char library[PATH_MAX + 64];
    child_write(&c, "worse.lua",
                "scenario { name = 'worse', duration = 60, cores = { 'old' } }\n"
                "function run(net)\n"
                "  local g = net:spawn(4)\n"
                "  sleep(5) g[1]:restart() g[2]:restart { core = 'old' } sleep(10)\n"
                "  for _, peer in ipairs(g[3]:peers()) do\n"
                "    check(peer.version ~= '0.0.9', 'nobody is of the old build')\n"
                "  end\n"
                "end\n");
    given("old", "libvibenet_other.so", library);
    copy_file(strchr(library, '=') + 1, "other.so", LONG_MAX);
    RUN("run", "worse.lua", "--db", "worse.db", "--core", "old=other.so");
    expect_status(1);
    RUN("shrink", "worse.db", "--max-runs", "100");
    expect_status(0);
    assert_non_null(strstr(c.out, "1 of 2 decisions"));
    assert_non_null(strstr(c.out, "vibesim run worse-shrunk.lua --core old=other.so\n"));
    RUN("run", "worse-shrunk.lua", "--record", "none", "--core", "old=other.so");
    expect_status(1);
    RUN("run", "worse-shrunk.lua", "--record", "none");
    expect_status(77);
    copy_file(same, "new.so", LONG_MAX); /* put in its place: never written over what is loaded */
    char from[500], to[500];
    snprintf(from, sizeof from, "%s/new.so", c.folder);
    snprintf(to, sizeof to, "%s/other.so", c.folder);
    assert_int_equal(rename(from, to), 0);
    RUN("shrink", "worse.db", "--force");
    expect_status(2);
    assert_int_equal(child_lines(c.err), 1);
    assert_non_null(
        strstr(c.err, "other.so: has changed since the run (it was the build " OTHER_BUILD));
}

static void test_without_its_build_a_scenario_is_skipped_and_says_how_to_give_it(void **state)
{
    (void)state;
    RUN("run", upgrade, "--record", "none");
    expect_status(77);
    assert_non_null(strstr(c.out, "SKIP"));
    assert_non_null(strstr(c.out, "give it with --core old=FILE"));
    RUN("run", upgrade, "--record", "none", "--seeds", "1..2");
    expect_status(77);
}

static void test_one_file_may_have_several_names_and_several_builds_one_run(void **state)
{
    (void)state;
    char a[PATH_MAX + 64], b[PATH_MAX + 64], ours[PATH_MAX + 64];
    child_write(
        &c, "two.lua",
        "scenario { name = 'two', duration = 60, cores = { 'a', 'b', 'c' } }\n"
        "function run(net)\n"
        "  local g = net:group { net:spawn(2, { core = 'a' }), net:spawn(2, { core = 'b' }),\n"
        "    net:spawn(2, { core = 'c' }) }\n"
        "  for i = 2, #g do g[i]:add_peer(g[1]) end\n"
        "  sleep(5) g[6]:mine(2)\n"
        "  wait('one tip', 30, function() return net:one_tip() and g[1]:height() == 2 end)\n"
        "end\n");
    snprintf(ours, sizeof ours, "c=%s", same);
    RUN("run", "two.lua", "--record", "none", "--core", given("a", "libvibenet_other.so", a),
        "--core", given("b", "libvibenet_other.so", b), "--core", ours);
    expect_status(0);
}

/* ---- what is refused ---- */

/* Status 2 and one line with both parts. */
static void refuses(const char *core, const char *part, const char *other)
{
    RUN("run", "few.lua", "--core", core);
    if (c.status != 2 || child_lines(c.err) != 1 || !strstr(c.err, part) || !strstr(c.err, other))
        fail_msg("--core %s: status %d\n  said    %s%.300s\n  instead %s...%s", core, c.status,
                 c.err, c.out, part, other);
    assert_false(child_exists(&c, "run.db"));
}

static void test_a_library_that_does_not_fit_is_told_in_a_line(void **state)
{
    (void)state;
    static const struct {
        const char *file, *part, *other;
    } cases[] = {
        {"misfit_no_door.so", "is a library, but no build of the core (it has no vn_api)",
         "name a libvibenet.so"},
        {"misfit_version.so", "its door (vn_api) has version 4, this vibesim needs version 3",
         "build it from sources"},
        {"misfit_table.so", "its table of functions", "is not whole"},
        {"misfit_config.so", "its struct vn_config has ", "bytes, this vibesim needs "},
        {"misfit_action.so", "its struct vn_action has ", "bytes, this vibesim needs "},
        {"misfit_no_node.so", "it makes no node of its own defaults", "use another build"},
        {"misfit_crashes.so", "ends the process (signal 6)", "is damaged"},
        {"misfit_exits.so", "ends the process (exit status 0)", "name a plain libvibenet.so"},
    };
    char library[PATH_MAX + 64];
    child_write(&c, "few.lua", few);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        given("old", cases[i].file, library);
        refuses(library, cases[i].part, cases[i].other);
        assert_non_null(strstr(c.err, strchr(library, '=') + 1)); /* it names the file */
    }
}

static void test_a_file_that_is_no_library_is_told_in_a_line(void **state)
{
    (void)state;
    char path[400];
    child_write(&c, "few.lua", few);
    child_write(&c, "text.so", "no library\n");
    child_write(&c, "empty.so", "");
    copy_file(same, "cut.so", 40000);
    snprintf(path, sizeof path, "%s/pipe.so", c.folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    refuses("old=missing.so", "missing.so: No such file", "name a libvibenet.so");
    refuses("old=.", ".: is a folder", "name a libvibenet.so");
    refuses("old=pipe.so", "pipe.so: is no regular file", "name a libvibenet.so");
    refuses("old=text.so", "text.so: cannot be loaded: ", "name a libvibenet.so of this machine");
    refuses("old=empty.so", "empty.so: cannot be loaded: ", "of this machine");
    refuses("old=cut.so", "cut.so: ", "name a ");
}

/* What ld.so would find by its name alone is not meant. */
static void test_a_name_without_a_slash_is_a_file_of_the_current_folder(void **state)
{
    (void)state;
    char folder[PATH_MAX];
    child_write(&c, "few.lua", few);
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(same, '/') - same), same);
    setenv("LD_LIBRARY_PATH", folder, 1);
    refuses("old=libvibenet.so", "libvibenet.so: No such file", "name a libvibenet.so");
    unsetenv("LD_LIBRARY_PATH");
    copy_file(same, "libvibenet.so", LONG_MAX);
    RUN("run", "few.lua", "--record", "none", "--param", "core=old", "--core", "old=libvibenet.so");
    expect_status(0);
}

static void test_an_argument_that_makes_no_sense_is_told(void **state)
{
    (void)state;
    char library[PATH_MAX + 64];
    child_write(&c, "few.lua", few);
    refuses("old", "--core: 'old' names no file", "write NAME=FILE");
    refuses("old=", "--core: 'old=' names no file", "write NAME=FILE");
    refuses("=x.so", "--core: '' is no name", "like old=libvibenet.so");
    refuses("a/b=x.so", "--core: 'a/b' is no name", "letters, digits");
    refuses("built-in=x.so", "'built-in' is the core of vibesim itself", "use another name");
    RUN("run", "few.lua", "--core", given("a", "libvibenet_other.so", library), "--core", library);
    expect_status(2);
    assert_string_equal(c.err, "vibesim: --core: 'a' is given twice: use two names\n");
    RUN("run", "few.lua", "--core");
    expect_status(2);
    assert_non_null(strstr(c.err, "--core: needs a value, NAME=FILE"));
    RUN("run", "few.lua", "--record", "none", "--param", "core=new");
    expect_status(2);
    assert_non_null(strstr(c.err, "few.lua:3: net:spawn: there is no core 'new'"));
    RUN("run", "--help");
    expect_status(0);
    assert_non_null(strstr(c.out, "--core NAME=FILE"));
}

int main(void)
{
#define C(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        C(test_a_copy_of_our_build_makes_the_run_that_our_build_makes),
        C(test_two_builds_meet_and_each_is_heard),
        C(test_the_shipped_scenario_holds_between_two_builds_and_results_name_them),
        C(test_workers_of_many_seeds_have_the_build_too),
        C(test_a_recorded_run_is_made_again_with_its_build),
        C(test_without_its_build_a_scenario_is_skipped_and_says_how_to_give_it),
        C(test_one_file_may_have_several_names_and_several_builds_one_run),
        C(test_a_library_that_does_not_fit_is_told_in_a_line),
        C(test_a_file_that_is_no_library_is_told_in_a_line),
        C(test_a_name_without_a_slash_is_a_file_of_the_current_folder),
        C(test_an_argument_that_makes_no_sense_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
