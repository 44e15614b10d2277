/* Data sets of networks: what the shipped ones say, what is drawn from them, and what is refused.
 */
#include "scenarios/topology.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those first */
#include <cmocka.h>

static char why[400];
static struct topology t;

/* ---- shipped ---- */

static void load(const char *name)
{
    struct sources none;
    char sha256[65];
    sources_init(&none);
    /* without a scenario, data/ is looked for here, where there is none */
    if (!topology_find(&t, &none, name, sha256, why, sizeof why))
        fail_msg("%s", why);
    assert_int_equal(strlen(sha256), 64);
}

struct expected {
    const char *name;
    double share;
    uint64_t down, up;
    unsigned ms[6];
};

static void expect_regions(const struct expected *expected)
{
    double before = 0;
    assert_int_equal(t.region_count, 6);
    for (unsigned i = 0; i < 6; i++) {
        double share = t.regions[i].cumulative - before;
        before = t.regions[i].cumulative;
        assert_string_equal(t.regions[i].name, expected[i].name);
        assert_true(share > expected[i].share - 1e-6 && share < expected[i].share + 1e-6);
        assert_int_equal(t.regions[i].down_bps, expected[i].down);
        assert_int_equal(t.regions[i].up_bps, expected[i].up);
        for (unsigned j = 0; j < 6; j++)
            assert_int_equal(t.latency_ns[i][j], expected[i].ms[j] * 1000000ull);
    }
    assert_int_equal(t.between_bps, 6000000);
    assert_int_equal(t.spread_ns, 5000000);
}

/* SimBlock, NetworkConfiguration.java. */
static void test_the_data_of_2019_are_simblocks(void **state)
{
    (void)state;
    static const struct expected expected[6] = {
        {"NA", .3316, 52000000, 19200000, {32, 124, 184, 198, 151, 189}},
        {"EU", .4998, 40000000, 20700000, {124, 11, 227, 237, 252, 294}},
        {"SA", .0090, 18000000, 5800000, {184, 227, 88, 325, 301, 322}},
        {"AP", .1177, 22800000, 15700000, {198, 237, 325, 85, 58, 198}},
        {"JP", .0224, 22800000, 10200000, {151, 252, 301, 58, 12, 126}},
        {"AU", .0195, 29900000, 11300000, {189, 294, 322, 198, 126, 16}},
    };
    static const double cdf[20] = {.025, .05, .075, .1,  .2,  .3,  .4,  .5,  .6,   .7,
                                   .8,   .85, .9,   .95, .97, .97, .98, .99, .995, 1};
    load("geo-bitcoin-2019");
    expect_regions(expected);
    assert_int_equal(t.degree_count, 20);
    assert_memory_equal(t.degree_cdf, cdf, sizeof cdf);
}

static void test_the_data_of_2015_are_simblocks(void **state)
{
    (void)state;
    static const struct expected expected[6] = {
        {"NA", .3869, 25000000, 4700000, {36, 119, 255, 310, 154, 208}},
        {"EU", .5159, 24000000, 8100000, {119, 12, 221, 242, 266, 350}},
        {"SA", .0113, 6500000, 1800000, {255, 221, 137, 347, 256, 269}},
        {"AP", .0574, 10000000, 5300000, {310, 242, 347, 99, 172, 278}},
        {"JP", .0119, 17500000, 3400000, {154, 266, 256, 172, 9, 163}},
        {"AU", .0166, 14000000, 5200000, {208, 350, 269, 278, 163, 22}},
    };
    load("geo-bitcoin-2015");
    expect_regions(expected);
}

static void test_draws_follow_the_shares_and_the_degrees(void **state)
{
    (void)state;
    load("geo-bitcoin-2019");
    assert_int_equal(topology_region_at(&t, 0), 0);
    assert_int_equal(topology_region_at(&t, 0.3315), 0);
    assert_int_equal(topology_region_at(&t, 0.3317), 1);
    assert_int_equal(topology_region_at(&t, 0.9804), 4);
    assert_int_equal(topology_region_at(&t, 1 - 0x1p-53), 5);
    assert_int_equal(topology_degree_at(&t, 0), 1);
    assert_int_equal(topology_degree_at(&t, 0.0251), 2);
    assert_int_equal(topology_degree_at(&t, 0.41), 8);
    assert_int_equal(topology_degree_at(&t, 0.9701), 17); /* 16 has the share 0 */
    assert_int_equal(topology_degree_at(&t, 1 - 0x1p-53), 20);
    assert_int_equal(topology_region_named(&t, "JP"), 4);
    assert_int_equal(topology_region_named(&t, "jp"), UINT32_MAX);
}

/* The mean of what deliveries draw is the file's, its minimum 5 ms less. */
static void test_links_have_the_mean_latency_of_the_file(void **state)
{
    (void)state;
    struct sim_link_params links;
    const unsigned n = 200000;
    double sum = 0;
    load("geo-bitcoin-2019");
    sim_link_params_init(&links);
    links.loss = 0.25;
    topology_links(&t, 0, 1, &links);
    assert_true(links.loss > 0.2 && links.rate_bps == 6000000);
    assert_int_equal(sim_dist_at_ns(&links.latency, 0.5), 119000000);
    assert_int_equal(sim_dist_at_ns(&links.jitter, 0), 0);
    for (unsigned i = 0; i < n; i++)
        sum += (double)sim_dist_at_ns(&links.jitter, (i + 0.5) / n) / n;
    assert_true(sum > 4.99e6 && sum < 5.01e6);
    topology_links(&t, 3, 3, &links);
    assert_int_equal(links.rate_bps, 0);
}

/* ---- refused ---- */

/* A good file in pieces, of which a test replaces one. */
enum { NAME, SOURCE, REGIONS, BETWEEN, KIND, LATENCY, JITTER, DEGREES, MORE, PIECES };

static const char *const good[PIECES] = {
    "\"name\": \"two\",",
    "\"source\": \"measured\",",
    "\"regions\": [{\"name\": \"A\", \"share\": 0.25, \"download_bps\": 1000, \"upload_bps\": 500},"
    "{\"name\": \"B\", \"title\": \"Bee\", \"share\": 0.75, \"download_bps\": 9, \"upload_bps\": "
    "1}],",
    "\"between_regions_bps\": 77,",
    "\"latency_is\": \"one-way\",",
    "\"latency_ms\": [[10, 20.5], [20.5, 30]],",
    "\"jitter\": {\"model\": \"pareto\", \"mean_less_minimum_ms\": 2},",
    "\"outdegree_cdf\": [0.5, 0.5, 1]",
    "",
};

static bool read_with(int piece, const char *text)
{
    char file[2000] = "{\n";
    why[0] = 0;
    for (int i = 0; i < PIECES; i++) {
        strcat(file, i == piece ? text : good[i]);
        strcat(file, "\n");
    }
    strcat(file, "}\n");
    return topology_read(&t, "two", "data/two.json", file, strlen(file), why, sizeof why);
}

static void refuses(int piece, const char *text, const char *words)
{
    if (read_with(piece, text))
        fail_msg("accepted: %s", text);
    if (strncmp(why, "data/two.json:", 14) != 0 || !strstr(why, words))
        fail_msg("\n  gave    %s\n  instead ...%s...", why, words);
}

static void test_a_good_file_is_read_to_integers(void **state)
{
    (void)state;
    assert_true(read_with(PIECES, ""));
    assert_int_equal(t.latency_ns[0][1], 20500000);
    assert_int_equal(t.between_bps, 77);
    assert_int_equal(t.spread_ns, 2000000);
    assert_int_equal(t.degree_count, 3);
    assert_true(read_with(BETWEEN, ""));
    assert_int_equal(t.between_bps, 0);
    assert_true(read_with(JITTER, ""));
    assert_int_equal(t.spread_ns, 0);
    assert_true(read_with(SOURCE, "\"source\": [\"a\", \"b\"], \"about\": \"x\", \"url\": \"y\","));
}

static void test_round_trips_are_halved(void **state)
{
    (void)state;
    assert_true(read_with(KIND, "\"latency_is\": \"round-trip\","));
    assert_int_equal(t.latency_ns[0][1], 10250000);
    assert_int_equal(t.latency_ns[1][1], 15000000);
}

static void test_what_is_no_json_is_refused_with_its_line(void **state)
{
    (void)state;
    refuses(KIND, "\"latency_is\": one-way,", "data/two.json:6:");
    refuses(MORE, ", \"name\": \"two\"", "duplicate");
    assert_false(topology_read(&t, "two", "data/two.json", "[]", 2, why, sizeof why));
    assert_non_null(strstr(why, "must be an object { ... }, got a list"));
    char *large = calloc(1, TOPOLOGY_TEXT_MAX + 1);
    assert_false(topology_read(&t, "two", "x", large, TOPOLOGY_TEXT_MAX + 1, why, sizeof why));
    assert_string_equal(why, "x: larger than 256 KiB");
    free(large);
}

static void test_wrong_keys_are_refused_with_a_suggestion(void **state)
{
    (void)state;
    refuses(MORE, ", \"latency\": 1", "unknown key 'latency'");
    refuses(BETWEEN, "\"between_region_bps\": 77,", "did you mean 'between_regions_bps'?");
    refuses(MORE, ", \"zzz\": 1", "there are: name, about, source");
    refuses(SOURCE, "", "'source' is missing");
    refuses(KIND, "", "'latency_is' is missing");
    refuses(JITTER, "\"jitter\": {\"model\": \"pareto\", \"mean_les_minimum_ms\": 2},",
            "jitter: 'mean_less_minimum_ms' is missing");
    refuses(REGIONS, "\"regions\": [{\"name\": \"A\", \"share\": 1, \"download\": 1}],",
            "regions[1]: 'download_bps' is missing");
    refuses(REGIONS,
            "\"regions\": [{\"name\": \"A\", \"share\": 1, \"download_bps\": 1, \"upload_bps\": 1, "
            "\"Share\": 1}],",
            "regions[1]: unknown key 'Share'; did you mean 'share'?");
}

#define REGION(name, share, down)                                                                  \
    "\"regions\": [{\"name\": " name ", \"share\": " share ", \"download_bps\": " down             \
    ", \"upload_bps\": 5}],"

static void test_wrong_regions_are_refused(void **state)
{
    (void)state;
    refuses(NAME, "\"name\": \"three\",", "name must be the file's, \"two\", got \"three\"");
    refuses(SOURCE, "\"source\": 3,", "source must be a text, got 3");
    refuses(SOURCE, "\"source\": [],", "source must have 1..20 entries, got 0");
    refuses(REGIONS, "\"regions\": [],", "regions must have 1..32 entries, got 0");
    refuses(REGIONS, "\"regions\": {},", "regions must be a list, got an object");
    refuses(REGIONS, "\"regions\": [3],", "regions[1]: must be an object { ... }, got 3");
    refuses(REGIONS, REGION("\"a b\"", "1", "9"), "regions[1].name must be 1..15 letters");
    refuses(REGIONS, REGION("\"sixteen-letters-\"", "1", "9"), "regions[1].name must be");
    refuses(REGIONS, REGION("\"A\\u0000\"", "1", "9"), "\\u0000 is not allowed");
    refuses(REGIONS, REGION("\"A\"", "-1", "9"), "regions[1].share must be a number 0..1, got -1");
    refuses(REGIONS, REGION("\"A\"", "\"1\"", "9"), "number 0..1, got \"1\"");
    refuses(REGIONS, REGION("\"A\"", "0.9", "9"), "must make 1 (within 0.001), they make 0.9");
    refuses(REGIONS, REGION("\"A\"", "1", "0"), "regions[1].download_bps must be a whole number");
    refuses(REGIONS, REGION("\"A\"", "1", "1.5"), "1..1000000000000, got 1.5");
    refuses(REGIONS, REGION("\"A\"", "1", "1e30"), "got 1e+30");
    refuses(BETWEEN, "\"between_regions_bps\": null,", "between_regions_bps must be a whole");
}

static void test_too_many_regions_are_refused_before_they_are_read(void **state)
{
    (void)state;
    char text[300] = "\"regions\": [0";
    for (unsigned i = 0; i < TOPOLOGY_REGIONS_MAX; i++)
        strcat(text, ",0");
    strcat(text, "],");
    refuses(REGIONS, text, "regions must have 1..32 entries, got 33");
}

static void test_two_regions_of_one_name_are_refused(void **state)
{
    (void)state;
    refuses(
        REGIONS,
        "\"regions\": [{\"name\": \"A\", \"share\": 0.5, \"download_bps\": 1, \"upload_bps\": 1},"
        "{\"name\": \"A\", \"share\": 0.5, \"download_bps\": 1, \"upload_bps\": 1}],",
        "regions[2].name: 'A' is regions[1] already");
}

static void test_wrong_latencies_are_refused(void **state)
{
    (void)state;
    refuses(KIND, "\"latency_is\": \"twoway\",", "must be \"one-way\" or \"round-trip\", got");
    refuses(LATENCY, "\"latency_ms\": [[10]],", "must be a square of 2 rows");
    refuses(LATENCY, "\"latency_ms\": [[10, 20], [20]],", "latency_ms[2] (B) must have 2 numbers");
    refuses(LATENCY, "\"latency_ms\": [[10, 20], 7],", "latency_ms[2] (B) must have 2 numbers");
    refuses(LATENCY, "\"latency_ms\": [[10, 20], [21, 30]],",
            "latency_ms[2][1] (B to A) and back differ (21 and 20)");
    refuses(LATENCY, "\"latency_ms\": [[10, -20], [-20, 30]],",
            "latency_ms[1][2] (A to B) must be a number 0..60000, got -20");
    refuses(LATENCY, "\"latency_ms\": [[10, null], [20, 30]],", "got null");
    refuses(JITTER, "\"jitter\": {\"model\": \"normal\", \"mean_less_minimum_ms\": 2},",
            "jitter.model must be \"pareto\", got \"normal\"");
    refuses(JITTER, "\"jitter\": {\"model\": \"pareto\", \"mean_less_minimum_ms\": 0},",
            "0.001..60000, got 0");
    refuses(JITTER, "\"jitter\": {\"model\": \"pareto\", \"mean_less_minimum_ms\": 10},",
            "must be below every one-way latency: A to A has 10 ms");
    refuses(JITTER, "\"jitter\": 5,", "jitter: must be an object { ... }, got 5");
}

static void test_wrong_degrees_are_refused(void **state)
{
    (void)state;
    refuses(DEGREES, "\"outdegree_cdf\": [0.5, 0.4, 1]",
            "outdegree_cdf[2] must not be below the one before, 0.5, got 0.4");
    refuses(DEGREES, "\"outdegree_cdf\": [0.5, 0.9]", "must end with 1, it ends with 0.9");
    refuses(DEGREES, "\"outdegree_cdf\": [0.5, 1.1]", "outdegree_cdf[2] must be a number 0..1");
    refuses(DEGREES, "\"outdegree_cdf\": []", "must have 1..256 entries, got 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_data_of_2019_are_simblocks),
        cmocka_unit_test(test_the_data_of_2015_are_simblocks),
        cmocka_unit_test(test_draws_follow_the_shares_and_the_degrees),
        cmocka_unit_test(test_links_have_the_mean_latency_of_the_file),
        cmocka_unit_test(test_a_good_file_is_read_to_integers),
        cmocka_unit_test(test_round_trips_are_halved),
        cmocka_unit_test(test_what_is_no_json_is_refused_with_its_line),
        cmocka_unit_test(test_wrong_keys_are_refused_with_a_suggestion),
        cmocka_unit_test(test_wrong_regions_are_refused),
        cmocka_unit_test(test_too_many_regions_are_refused_before_they_are_read),
        cmocka_unit_test(test_two_regions_of_one_name_are_refused),
        cmocka_unit_test(test_wrong_latencies_are_refused),
        cmocka_unit_test(test_wrong_degrees_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
