/* `vibesim shrink`, the program itself: a bug that needs three faults of two hundred. */
#include "vibesim/cli.h"

#include "tests/unit/cli_vibesim.h"

#include <jansson.h>

/* A fault before all, one each step, and a peer after the 150th; the check fails if the clocks of
 * three hosts were ever set as the 31st, 117th and 168th fault set them, or if there is no room. */
static const char planted[] =
    "scenario { name = 'planted', duration = 500, params = { nodes = 20, step = 1.5, room = 50 } "
    "}\n"
    "local calm = require 'calm'\n"
    "function run(net, p)\n"
    "  local g = net:spawn(p.nodes, { miners = 2, block_interval = 4 })\n"
    "  local met = { }\n"
    "  g[1]:skew(7)\n"
    "  if p.nodes < 6 and calm.skewed(g[1], 7) then check(false, 'too few') end\n"
    "  sleep(5)\n"
    "  always('the three never meet', function()\n"
    "    return p.room >= 40 and not (met[31] and met[117] and met[168])\n"
    "  end)\n"
    "  for i = 1, 200 do\n"
    "    local node = g[(i - 1) % #g + 1]\n"
    "    node:skew(i)\n"
    "    met[i] = calm.skewed(node, i)\n"
    "    if i == 150 then net:peer { behaviour = 'garbage' } end\n"
    "    sleep(p.step)\n"
    "  end\n"
    "end\n";

static const char calm[] = "local calm = {}\n"
                           "function calm.skewed(node, by)\n"
                           "  return math.abs(node:info().clock - chain.clock() - by) < 1\n"
                           "end\n"
                           "return calm\n";

static int setup(void **state)
{
    (void)state;
    int status = child_init(&child);
    child_write(&child, "planted.lua", planted);
    child_write(&child, "calm.lua", calm);
    return status;
}

static int teardown(void **state)
{
    (void)state;
    return child_deinit(&child);
}

static void test_shrink_finds_the_three_faults_and_its_file_fails_a_hundred_times(void **state)
{
    (void)state;
    char text[8000];
    RUN(1, "run", "planted.lua", "--seed", "3", "--db", "p.db", "--quiet");
    RUN(0, "shrink", "p.db", "--json", "--times", "100");
    json_t *o = json_loads(child.out, 0, NULL);
    assert_non_null(o);
    json_t *kept = json_object_get(o, "decisions");
    assert_int_equal(json_array_size(kept), 3);
    assert_int_equal(json_integer_value(json_array_get(kept, 0)), 32);
    assert_int_equal(json_integer_value(json_array_get(kept, 1)), 118);
    assert_int_equal(json_integer_value(json_array_get(kept, 2)), 170);
    assert_int_equal(json_integer_value(json_object_get(o, "failed")), 100);
    assert_string_equal(json_string_value(json_object_get(o, "check")), "the three never meet");
    /* six while the first fault is there, for fewer fail another check, then two */
    assert_int_equal(json_integer_value(json_object_get(json_object_get(o, "params"), "nodes")), 2);
    /* with less room it fails without any fault: that is another bug */
    assert_int_equal(json_integer_value(json_object_get(json_object_get(o, "params"), "room")), 40);
    json_decref(o);
    /* It stands alone, ... */
    unlink("planted.lua");
    child_slurp(&child, "planted-shrunk.lua", text, sizeof text);
    child_write(&child, "elsewhere.lua", text);
    child_write(&child, "calm.lua", "error 'not this one'\n");
    RUN(1, "run", "elsewhere.lua", "--record", "none");
    assert_non_null(strstr(child.out, "the three never meet"));
    assert_non_null(strstr(child.out, "seed 3"));
    assert_int_equal(child_lines(child.err), 0);
    /* ... and fails by its faults. */
    RUN(0, "run", "elsewhere.lua", "--record", "none", "--only", "32,118");
    RUN(0, "run", "elsewhere.lua", "--record", "none", "--only", "none");
}

/* What a swarm drew is kept as parameters; its dice draw the same faults again. */
static void test_shrink_finds_the_fault_of_a_swarm_that_matters(void **state)
{
    (void)state;
    child_write(
        &child, "swarmed.lua",
        "scenario { name = 'swarmed', duration = 90, params = { nodes = 8, far = 0.5 }, "
        "swarm = {\n"
        "  from = 5, lasting = 60, params = { nodes = uniform(9, 20), far = uniform(1, 2) },"
        "\n  faults = { kill = { every = 5 }, pause = { every = 5 } } } }\n"
        "function run(net, p)\n"
        "  local g = net:spawn(p.nodes, { miners = 2, block_interval = 5 })\n"
        "  always('all go on', function()\n"
        "    return p.far < 1 or not g:any(function(n) return n:paused() end)\n"
        "  end)\n"
        "end\n");
    char seed[12] = "1"; /* the first that has pauses */
    for (int i = 1; i < 20; i++) {
        snprintf(seed, sizeof seed, "%d", i);
        child_run(&child, NULL,
                  (const char *const[]){"run", "swarmed.lua", "--swarm", "--seed", seed, "--quiet",
                                        "--db", "s.db", NULL});
        if (child.status == 1)
            break;
    }
    assert_int_equal(child.status, 1);
    RUN(0, "shrink", "s.db", "--json", "--times", "2");
    json_t *o = json_loads(child.out, 0, NULL);
    assert_non_null(o);
    assert_int_equal(json_array_size(json_object_get(o, "decisions")), 1);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(o, "params"), "nodes")), 2);
    json_decref(o);
    RUN(1, "run", "swarmed-shrunk.lua", "--record", "none");
    assert_non_null(strstr(child.out, "all go on"));
    RUN(0, "run", "swarmed-shrunk.lua", "--record", "none", "--only", "none", "--until", "200");
}

static void test_shrink_is_the_same_on_one_worker_and_on_three(void **state)
{
    (void)state;
    char one[8000], three[8000];
    RUN(1, "run", "planted.lua", "--seed", "3", "--db", "p.db", "--quiet");
    RUN(0, "shrink", "p.db", "--jobs", "1", "-o", "one.lua", "--quiet");
    assert_string_equal(child.out, "one.lua\n");
    RUN(0, "shrink", "p.db", "--jobs", "3", "-o", "three.lua", "--quiet");
    child_slurp(&child, "one.lua", one, sizeof one);
    child_slurp(&child, "three.lua", three, sizeof three);
    assert_string_equal(one, three);
}

static void test_shrink_can_be_given_what_it_wrote(void **state)
{
    (void)state;
    RUN(1, "run", "planted.lua", "--seed", "3", "--db", "p.db", "--quiet");
    RUN(0, "shrink", "p.db", "-o", "one.lua", "--quiet");
    child_write(&child, "calm.lua", "error 'not this one'\n");
    RUN(1, "run", "one.lua", "--db", "again.db", "--quiet");
    RUN(0, "shrink", "again.db", "-o", "two.lua", "--quiet");
    RUN(1, "run", "two.lua", "--record", "none", "--quiet");
    assert_non_null(strstr(child.out, "the three never meet"));
}

static void test_shrink_stopped_early_writes_what_it_found(void **state)
{
    (void)state;
    RUN(1, "run", "planted.lua", "--seed", "3", "--db", "p.db", "--quiet");
    RUN(0, "shrink", "p.db", "--max-runs", "20", "--json");
    json_t *o = json_loads(child.out, 0, NULL);
    assert_true(json_is_false(json_object_get(o, "whole")));
    assert_true(json_array_size(json_object_get(o, "decisions")) > 3);
    assert_int_equal(json_integer_value(json_object_get(o, "failed")), 3);
    json_decref(o);
}

static void test_shrink_says_what_is_wrong_in_one_line(void **state)
{
    (void)state;
    RUN(2, "shrink");
    must_tell_in_one_line("name a record");
    RUN(2, "shrink", "none.db");
    must_tell_in_one_line("none.db: No such file");
    RUN(2, "shrink", "calm.lua");
    must_tell_in_one_line("not an SQLite database");
    RUN(0, "run", "planted.lua", "--only", "none", "--db", "p.db", "--quiet");
    RUN(2, "shrink", "p.db");
    must_tell_in_one_line("no run failed, of 1");
    RUN(2, "shrink", "p.db", "--run", "1");
    must_tell_in_one_line("run 1 of p.db does not fail when it is made again");
    RUN(2, "shrink", "p.db", "--run", "8");
    must_tell_in_one_line("has no run 8: there are 1");
    RUN(2, "shrink", "p.db", "--run", "0");
    must_tell_in_one_line("--run: '0' is not a whole number from 1");
    RUN(1, "run", "planted.lua", "--db", "p.db", "--quiet");
    RUN(1, "run", "planted.lua", "--db", "p.db", "--quiet");
    RUN(2, "shrink", "p.db");
    must_tell_in_one_line("2 runs failed: name one of them, like --run 2");
    child_write(&child, "there.lua", "precious");
    RUN(2, "shrink", "p.db", "--run", "2", "-o", "there.lua");
    must_tell_in_one_line("there.lua: is there already");
    RUN(2, "shrink", "p.db", "--run", "2", "-o", "no/such.lua", "--max-runs", "3");
    must_tell_in_one_line("no/such.lua: cannot be written");
    child_write(&child, "planted.lua", "scenario { name = 'other', duration = 1 }\n");
    RUN(2, "shrink", "p.db", "--run", "2");
    must_tell_in_one_line("planted.lua");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_shrink_finds_the_three_faults_and_its_file_fails_a_hundred_times, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shrink_finds_the_fault_of_a_swarm_that_matters, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_shrink_is_the_same_on_one_worker_and_on_three, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_shrink_can_be_given_what_it_wrote, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shrink_stopped_early_writes_what_it_found, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_shrink_says_what_is_wrong_in_one_line, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
