/* vibesim/dump: the state of a host, as an object and as text. */
#include "vibesim/dump.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void name_of(const void *ctx, uint32_t host, char out[24])
{
    (void)ctx;
    snprintf(out, 24, "h%u", host);
}

/* Two nodes, linked, the first with that build's table; and a scripted peer. */
static struct sim *two_nodes(const struct vn_api *api)
{
    static const struct sim_peer_ops nothing;
    struct sim_config config;
    sim_config_init(&config);
    struct sim *sim = sim_new(&config);
    for (uint32_t i = 0; i < 2; i++) {
        struct vn_config node;
        const struct sim_host_params params = {.api = i == 0 ? api : NULL, .skew_ns = -1500000000};
        const struct vn_addr seed = sim_host_addr(0);
        char why[160];
        vn_config_init(&node);
        snprintf(node.node_id, sizeof node.node_id, "id-%u", i);
        node.seeds = &seed;
        node.seed_count = i;
        assert_int_equal(sim_host_add(sim, &node, &params, why, sizeof why), i);
    }
    assert_int_equal(sim_peer_add(sim, &nothing, NULL), 2);
    sim_run_until(sim, 5000000000u);
    return sim;
}

static json_t *dump_of(const struct sim *sim, uint32_t host)
{
    const struct dump_place place = {sim, sim_now_ns(sim), 77, name_of, NULL};
    return dump_host(&place, host);
}

static char *text_of(const json_t *dump)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    assert_non_null(f);
    dump_text(f, dump);
    fclose(f);
    return text;
}

static void has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no '%s' in '%s'", part, text);
}

static void test_a_node_is_shown_with_all_that_it_holds(void **state)
{
    (void)state;
    struct sim *sim = two_nodes(NULL);
    json_t *dump = dump_of(sim, 0);
    char *text = text_of(dump);
    has(text, "moment\n  host                   h0\n  t                      5.000000000 s\n"
              "  events                 77\nmachine\n");
    has(text, "  skew                   -1.500000000 s\n");
    has(text, "  node id                id-0\n");
    has(text, "peers (1)\n");
    has(text, "outboxes (1)\n");
    has(text, "queued (0)\n");
    has(text, "links (1)\n");
    has(text, "in flight (2)\n");
    assert_null(strstr(text, " \n")); /* no blanks at the end of a line */
    const json_t *peer = json_array_get(json_object_get(dump, "peers"), 0);
    assert_string_equal(json_string_value(json_object_get(peer, "other")), "h1");
    assert_string_equal(json_string_value(json_object_get(peer, "state")), "ready");
    assert_string_equal(json_string_value(json_object_get(peer, "direction")), "in");
    const json_t *timers = json_object_get(dump, "timers");
    for (size_t i = 1; i < json_array_size(timers); i++)
        assert_true(json_integer_value(json_object_get(json_array_get(timers, i - 1), "at_ns")) <=
                    json_integer_value(json_object_get(json_array_get(timers, i), "at_ns")));
    assert_true(json_array_size(timers) > 1);
    free(text);
    json_decref(dump);
    sim_free(sim);
}

static void test_a_node_of_an_older_build_is_shown_as_far_as_it_tells(void **state)
{
    (void)state;
    struct vn_api old = *vn_api(VN_API_VERSION);
    old.size = offsetof(struct vn_api, node_look);
    old.node_look = NULL;
    struct sim *sim = two_nodes(&old);
    json_t *dump = dump_of(sim, 0);
    char *text = text_of(dump);
    has(text, "no more than this: its build is older than --dump");
    has(text, "peers (1)\n");
    has(text, "links (1)\n");
    assert_null(strstr(text, "outboxes"));
    free(text);
    json_decref(dump);
    sim_free(sim);
}

static void test_a_dead_node_and_a_scripted_peer_have_no_node_and_others_are_none(void **state)
{
    (void)state;
    struct sim *sim = two_nodes(NULL);
    sim_host_power_off(sim, 1);
    json_t *dump = dump_of(sim, 1);
    char *text = text_of(dump);
    has(text, "  process                no power\n");
    has(text, "disk\n");
    assert_null(json_object_get(dump, "node"));
    free(text);
    json_decref(dump);
    dump = dump_of(sim, 2);
    assert_non_null(json_object_get(dump, "links"));
    assert_null(json_object_get(dump, "node"));
    assert_null(json_object_get(dump, "disk"));
    json_decref(dump);
    assert_null(dump_of(sim, 3));
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_node_is_shown_with_all_that_it_holds),
        cmocka_unit_test(test_a_node_of_an_older_build_is_shown_as_far_as_it_tells),
        cmocka_unit_test(test_a_dead_node_and_a_scripted_peer_have_no_node_and_others_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
