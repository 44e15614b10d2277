/* `vibesim run --trace` ($VN_BIN): what it shows, and that it changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/unit/cli_child.h"

static struct child c;

static const char chain[] =
    "scenario { name = \"chain\", about = \"Three nodes.\", duration = 9 }\n"
    "function run(net, p)\n"
    "  local g = net:spawn(3, { seeds = 2, miners = 1 })\n"
    "  local stranger = net:peer()\n"
    "  sleep(2)\n"
    "  log('go')\n"
    "  g[1]:mine()\n"
    "  stranger:dial(g[3])\n"
    "  sleep(2)\n"
    "  g[2]:kill()\n"
    "  check(g[3]:height() == 1, 'told')\n"
    "end\n";

static int setup(void **state)
{
    (void)state;
    if (child_init(&c) != 0)
        return -1;
    child_write(&c, "chain.lua", chain);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return child_deinit(&c);
}

static void run_args(const char *const *words)
{
    const char *args[CHILD_ARGS] = {"run", "chain.lua", "--record", "none"};
    for (int i = 0; words[i]; i++)
        args[4 + i] = words[i];
    child_run(&c, NULL, args);
}

#define RUN(...) run_args((const char *const[]){__VA_ARGS__, NULL})

/* Whether every line of the text holds one of the words. */
static void every_line_has(const char *text, const char *a, const char *b)
{
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
        char one[500];
        snprintf(one, sizeof one, "%.*s", (int)strcspn(line, "\n"), line);
        if (!strstr(one, a) && !strstr(one, b))
            fail_msg("neither '%s' nor '%s' in '%s'", a, b, one);
    }
}

static void has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("status %d: no '%s' in '%s'", c.status, part, text);
}

static void test_trace_of_a_node_is_what_it_does_in_words(void **state)
{
    (void)state;
    RUN("--quiet", "--trace", "node=3");
    assert_int_equal(c.status, 0);
    every_line_has(c.err, "s node-0003: ", "s node-0003: ");
    has(c.err, "link to node-0001: ");
    has(c.err, "receives NewBlock from node-0001, ");
    has(c.err, "node-0003: tip ");
    has(c.err, " at height 1\n");
    has(c.err, "link to peer-0001: disconnected -> connected\n");
    assert_int_equal(child_lines(c.out), 1); /* the verdict */
    RUN("--quiet", "--trace", "node=node-0002,kinds=step");
    assert_string_equal(c.err, "t=4.000000s node-0002: kill\n");
}

static void test_trace_of_a_link_is_both_of_its_ends(void **state)
{
    (void)state;
    RUN("--quiet", "--trace", "link=1-3");
    every_line_has(c.err, "s node-0001: ", "s node-0003: ");
    has(c.err, "node-0001: sends NewBlock to node-0003, ");
    has(c.err, "node-0003: receives NewBlock from node-0001, ");
    assert_null(strstr(c.err, "node-0002"));
    assert_null(strstr(c.err, "peer-0001"));
    RUN("--quiet", "--trace", "link=peer-0001-3");
    every_line_has(c.err, "node-0003: link to peer-0001", "peer-0001");
    has(c.err, "connected");
}

static void test_trace_keeps_to_the_kinds_that_are_asked_for(void **state)
{
    (void)state;
    RUN("--quiet", "--trace", "kinds=mined,log,check,step");
    has(c.err, "t=2.000000s log: go\n");
    has(c.err, "s node-0001: mined: height 1, 0 transactions, ");
    has(c.err, "check holds: told\n");
    has(c.err, "node-0002: kill\n");
    has(c.err, "t=0.000000s spawn 3 nodes");
    assert_null(strstr(c.err, "Handshake"));
    RUN("--quiet", "--trace", "link=1-3,kinds=msg-in"); /* whose links they are is known anyhow */
    every_line_has(c.err, "node-0001: receives ", "node-0003: receives ");
    has(c.err, "node-0003: receives NewBlock from node-0001, ");
}

static void test_trace_goes_to_a_file_or_to_json(void **state)
{
    (void)state;
    static char text[sizeof c.out];
    RUN("--quiet", "--trace", "node=1", "--trace", "link=2-3", "--trace-file", "t.txt");
    assert_string_equal(c.err, "");
    child_slurp(&c, "t.txt", text, sizeof text);
    has(text, "node-0001: sends NewBlock to node-0003");
    has(text, "node-0002: sends Handshake to node-0003");
    RUN("--json", "--trace", "node=3,kinds=tip", "--trace-file", "t.txt");
    child_slurp(&c, "t.txt", text, sizeof text);
    assert_int_equal(child_lines(text), 1);
    json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(o);
    assert_string_equal(json_string_value(json_object_get(o, "kind")), "tip");
    assert_string_equal(json_string_value(json_object_get(o, "node")), "node-0003");
    assert_true(json_is_null(json_object_get(o, "peer")));
    assert_true(json_integer_value(json_object_get(o, "t_ns")) > 2000000000);
    json_decref(o);
}

static void test_trace_tells_of_nodes_that_there_were_not(void **state)
{
    (void)state;
    RUN("--quiet", "--trace", "node=99");
    assert_int_equal(c.status, 0);
    assert_string_equal(c.err, "vibesim: --trace: the run had no node-0099: its last is "
                               "node-0003\n");
}

static void test_trace_changes_no_trace_hash(void **state)
{
    (void)state;
    static const char *const traces[] = {"kinds=log", "all", "link=1-2", "node=2,kinds=msg-out"};
    char first[17] = "";
    RUN("--json");
    for (size_t i = 0; i < 5; i++) {
        if (i)
            RUN("--json", "--trace", traces[i - 1]);
        json_t *o = json_loads(c.out, JSON_REJECT_DUPLICATES, NULL);
        const char *hash = json_string_value(json_object_get(o, "trace_hash"));
        assert_non_null(hash);
        if (i == 0)
            snprintf(first, sizeof first, "%s", hash);
        assert_string_equal(hash, first);
        json_decref(o);
    }
}

static void test_trace_that_cannot_be_written_ends_with_2(void **state)
{
    (void)state;
    if (access("/dev/full", W_OK) != 0)
        skip();
    RUN("--quiet", "--trace", "all", "--trace-file", "/dev/full");
    assert_int_equal(c.status, 2);
    has(c.err, "vibesim: --trace-file: /dev/full: ");
    assert_int_equal(child_lines(c.err), 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_trace_of_a_node_is_what_it_does_in_words),
        CASE(test_trace_of_a_link_is_both_of_its_ends),
        CASE(test_trace_keeps_to_the_kinds_that_are_asked_for),
        CASE(test_trace_goes_to_a_file_or_to_json),
        CASE(test_trace_tells_of_nodes_that_there_were_not),
        CASE(test_trace_changes_no_trace_hash),
        CASE(test_trace_that_cannot_be_written_ends_with_2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
