/* Nodes of several builds of the core in one scenario. The other build is our own behind a table of
 * its own, which counts what goes through it, and has defaults and limits of its own. That builds
 * are really loaded from files is tests/unit/test_cli_core.c. */
#include "tests/unit/engine_fixture.h"

static struct vn_api other;
static struct engine_core cores[2];
static struct vn_shared *shared;
static uint32_t nodes_made, looks, shared_made, shared_freed;
static bool refuses;

static void other_config_init(struct vn_config *config)
{
    vn_config_init(config);
    memset(config->version, 0, sizeof config->version);
    memcpy(config->version, "0.0.9", 5);
}

static bool other_config_check(const struct vn_config *config, char *out, size_t size)
{
    if (refuses)
        snprintf(out, size, "max_outbound must be 0..4, got 8");
    return !refuses && vn_config_check(config, out, size);
}

static struct vn_node *other_node_new(const struct vn_config *config)
{
    nodes_made++;
    assert_ptr_equal(config->shared, shared); /* another build's would be read as if it were ours */
    return vn_node_new(config);
}

static struct vn_shared *other_shared_new(void)
{
    shared_made++;
    return shared = vn_shared_new();
}

static void other_shared_free(struct vn_shared *freed)
{
    assert_ptr_equal(freed, shared);
    shared_freed++;
    vn_shared_free(freed);
}

static void other_node_info(const struct vn_node *node, struct vn_info *out)
{
    looks++;
    vn_node_info(node, out);
}

static int with_old(void **state)
{
    fixture(state);
    other = *vn_api(VN_API_VERSION);
    other.build = "0.0.9 planted";
    other.config_init = other_config_init;
    other.config_check = other_config_check;
    other.node_new = other_node_new;
    other.shared_new = other_shared_new;
    other.shared_free = other_shared_free;
    other.node_info = other_node_info;
    cores[0] = (struct engine_core){"old", &other};
    cores[1] = (struct engine_core){"twin", vn_api(VN_API_VERSION)};
    options.cores = cores;
    options.core_count = 2;
    nodes_made = looks = shared_made = shared_freed = 0;
    shared = NULL;
    refuses = false;
    return 0;
}

#define O(f) cmocka_unit_test_setup(f, with_old)

static void test_each_node_runs_the_build_that_the_scenario_says(void **state)
{
    (void)state;
    passes(
        "local b = net:spawn(2)\n"
        "local a = net:spawn(3, { core = 'old', miners = 1, block_interval = 2, seeds_from = b,\n"
        "  seeds = 2 })\n"
        "check(a[1]:core() == 'old' and b[1]:core() == 'built-in', 'they say so')\n"
        "wait('one tip', 60, function() return net:one_tip() and a[1]:height() > 3 end)");
    assert_int_equal(nodes_made, 3);
    assert_int_equal(shared_made, 1); /* of its own, for all of its nodes */
    assert_int_equal(shared_freed, 1);
    assert_true(looks > 0);
    expect_told("step spawn -1 3 nodes, 1 miners, 2 seeds each, core old\n");
    expect_told("step spawn -1 2 nodes, 0 miners, 1 seeds each\n");
}

static void test_a_restart_brings_a_node_back_under_another_build_with_its_disk(void **state)
{
    (void)state;
    passes("local g = net:spawn(3, { core = 'old' })\n"
           "sleep(5) g[1]:mine(4) sleep(5)\n"
           "local tip = g[2]:tip()\n"
           "g[2]:restart { core = 'built-in' } sleep(20 * ms)\n"
           "check(g[2]:core() == 'built-in' and g[2]:tip() == tip, 'up', g[2]:height())\n"
           "g[2]:kill() g[2]:restart() sleep(20 * ms)\n"
           "check(g[2]:core() == 'built-in' and g[2]:tip() == tip, 'a restart keeps the build')\n"
           "g[2]:kill() g[2]:restart { core = 'old', lose_disk = true } sleep(20 * ms)\n"
           "check(g[2]:core() == 'old' and g[2]:height() == 0, 'down, without its disk')\n"
           "wait('one tip', 60, function() return net:one_tip() and g[2]:height() == 4 end)");
    assert_int_equal(nodes_made, 4);
    expect_told("step restart 1 node-0002: core built-in\n");
    expect_told("step restart 1 node-0002: core old, without its disk\n");
    expect_told("restart {\"core\":\"built-in\",\"lose_disk\":false,\"node\":1}\n");
    expect_told("restart {\"lose_disk\":false,\"node\":1}\n");
}

static void test_the_world_of_real_sockets_has_several_builds_too(void **state)
{
    (void)state;
    options.world = ENGINE_TCP;
    options.speed = 20;
    world_made = NULL;
    passes("net:spawn(1)\n"
           "local g = net:spawn(3, { core = 'old', seeds = 1, seeds_from = net:nodes() })\n"
           "sleep(5) g[1]:mine(4) sleep(5)\n"
           "g[2]:restart { core = 'built-in' } sleep(2) g[2]:restart() sleep(2)\n"
           "g[3]:kill() g[3]:restart { core = 'old', lose_disk = true }\n"
           "wait('one tip', 80, function() return net:one_tip() and g[2]:height() == 4 end)");
    assert_int_equal(nodes_made, 4);
    assert_int_equal(shared_made, 1);
    refuses = true;
    refused("local g = net:spawn(2) g[2]:restart { core = 'old' }",
            "restart: under the core 'old': max_outbound must be 0..4, got 8");
}

/* What a program says of itself changes with the program; what its configuration says does not. */
static void test_a_node_says_the_version_of_its_build_unless_the_script_gave_one(void **state)
{
    (void)state;
    passes(
        "local g = net:spawn(2, { core = 'old' })\n"
        "local said = net:spawn(1, { core = 'old', version = '0.5', seeds_from = g, seeds = 2 })\n"
        "sleep(5)\n"
        "local function version(of)\n"
        "  for _, peer in ipairs(g[1]:peers()) do if peer.node == of then return peer.version end "
        "end\n"
        "end\n"
        "check(version(g[2]) == '0.0.9', 'its own', version(g[2]))\n"
        "check(version(said[1]) == '0.5', 'as the script says', version(said[1]))\n"
        "g[2]:restart { core = 'built-in' } said[1]:restart { core = 'built-in' } sleep(20)\n"
        "check(version(g[2]) == '0.1.0', 'upgraded', version(g[2]))\n"
        "check(version(said[1]) == '0.5', 'still as the script says', version(said[1]))");
}

static void test_a_restart_that_is_left_out_leaves_the_build(void **state)
{
    (void)state;
    static const uint32_t second[] = {2};
    options.without = second;
    options.without_count = 1;
    passes("local g = net:spawn(2, { core = 'old' })\n"
           "g[1]:restart { core = 'built-in' } g[2]:restart { core = 'built-in' }\n"
           "check(g[1]:core() == 'built-in' and g[2]:core() == 'old', 'one of the two')");
    expect_told("left out");
}

/* The names of the cores are all that differs. */
static void test_the_same_build_under_another_name_makes_the_same_run(void **state)
{
    (void)state;
    static const char body[] =
        "local g = net:spawn(8, { core = '%s', miners = 2, block_interval = 2 })\n"
        "sleep(20) g[3]:kill() sleep(5) g[3]:restart { core = '%s' } sleep(20)";
    char text[400];
    uint64_t hashes[2];
    for (size_t i = 0; i < 2; i++) {
        const char *name = i ? "twin" : "built-in";
        snprintf(text, sizeof text, body, name, name);
        passes(text);
        hashes[i] = result.trace_hash;
    }
    assert_true(hashes[0] == hashes[1] && hashes[0] != 0);
}

static void test_a_name_that_nobody_gave_is_told_with_the_way_out(void **state)
{
    (void)state;
    refused("net:spawn(2, { core = 'odl' })", "net:spawn: there is no core 'odl'; there are: "
                                              "'built-in', 'old', 'twin'. Give another build of "
                                              "the core with --core odl=FILE");
    refused("net:spawn(1):each(function(n) n:restart { core = 'new' } end)",
            "restart: there is no core 'new'");
    refused("net:spawn(2, { core = 'a b' })", "core must be a name of at most 31 letters");
    refused("net:spawn(2, { core = 7 })", "net:spawn: core must be a string, got 7");
}

static void test_a_build_that_refuses_the_configuration_says_why(void **state)
{
    (void)state;
    refuses = true;
    refused("net:spawn(2, { core = 'old' })", "net:spawn: max_outbound must be 0..4, got 8");
    refused("local g = net:spawn(2) g[2]:restart { core = 'old' }",
            "restart: under the core 'old': max_outbound must be 0..4, got 8");
}

static void run_with_cores(const char *list)
{
    char text[400];
    snprintf(text, sizeof text,
             "scenario { name = 't', duration = 9, cores = %s }\nfunction run(net)\n"
             "  net:spawn(2, { core = 'old' })\nend\n",
             list);
    run_text(text);
}

static void test_a_scenario_whose_build_is_not_given_is_skipped(void **state)
{
    (void)state;
    run_with_cores("{ 'old' }");
    assert_int_equal(result.outcome, ENGINE_PASS);
    run_with_cores("{ 'old', 'older' }");
    assert_int_equal(result.outcome, ENGINE_SKIPPED);
    assert_string_equal(result.reason, "the scenario needs another build of the core, 'older': "
                                       "give it with --core older=FILE (its libvibenet.so)");
    assert_int_equal(result.events, 0);
    assert_int_equal(nodes_made, 2); /* of the first run */
}

static void test_a_list_of_cores_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *list, *says;
    } cases[] = {
        {"'old'", "scenario: cores must be a table"},
        {"{ old = true }", "cores must be a list of names such as { \"old\" }"},
        {"{ 1 }", "cores must be a list of names"},
        {"{ '' }", "cores must be a list of names"},
        {"{ 'a=b' }", "cores must be a list of names"},
        {"{ 'built-in' }", "not \"built-in\""},
        {"{ 'abcdefghijklmnopqrstuvwxyzabcdef' }", "at most 31 letters"},
        {"{ 'old', 'old' }", "cores has 'old' twice"},
        {"{ '1', '2', '3', '4', '5', '6', '7', '8', '9' }", "at most 8 cores"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run_with_cores(cases[i].list);
        expect_reason(ENGINE_BAD_SCENARIO, ":1: ", cases[i].says);
    }
}

static void no_cores(struct world *world, const struct sim_config *config)
{
    world_sim_init(world, config);
    world->core = NULL;
}

static void test_a_world_whose_nodes_keep_their_build_skips_the_run(void **state)
{
    (void)state;
    world_made = no_cores;
    run_body("net:spawn(2, { core = 'old' })[1]:restart { core = 'built-in' }");
    assert_int_equal(result.outcome, ENGINE_SKIPPED);
    assert_non_null(strstr(result.reason, "cannot change the build of the core that a node runs"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        O(test_each_node_runs_the_build_that_the_scenario_says),
        O(test_a_restart_brings_a_node_back_under_another_build_with_its_disk),
        O(test_the_world_of_real_sockets_has_several_builds_too),
        O(test_a_node_says_the_version_of_its_build_unless_the_script_gave_one),
        O(test_a_restart_that_is_left_out_leaves_the_build),
        O(test_the_same_build_under_another_name_makes_the_same_run),
        O(test_a_name_that_nobody_gave_is_told_with_the_way_out),
        O(test_a_build_that_refuses_the_configuration_says_why),
        O(test_a_scenario_whose_build_is_not_given_is_skipped),
        O(test_a_list_of_cores_that_makes_no_sense_is_refused),
        O(test_a_world_whose_nodes_keep_their_build_skips_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
