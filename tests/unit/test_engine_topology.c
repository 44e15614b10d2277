/* net:topology: what is refused, where nodes stand, and what their links are like. */
#include "scenarios/blocks.h"
#include "tests/unit/engine_fixture.h"

#include <sys/stat.h>

#define GEO "net:topology 'geo-bitcoin-2019'\n"

static void test_a_topology_is_refused_where_it_contradicts(void **state)
{
    (void)state;
    refused("net:topology 'geo-bitcoin-2018'", "no data set 'geo-bitcoin-2018'; did you mean "
                                               "'geo-bitcoin-2015'? There are: geo-bitcoin-2015, "
                                               "geo-bitcoin-2019;");
    refused("net:topology '../secret'", "the name of a data set is 1..63 of a-z");
    refused("net:topology(3)", "net:topology: the data set must be a string, got 3");
    refused("net:spawn(2) net:topology 'geo-bitcoin-2019'", "there are 2 hosts");
    refused("net:topology 'geo-bitcoin-2015' net:topology 'geo-bitcoin-2019'",
            "there is one already, 'geo-bitcoin-2015'");
    refused("net:links { latency = 1 } net:topology 'geo-bitcoin-2019'",
            "net:links has set a latency, jitter or bandwidth");
    refused("net:topology 'geo-bitcoin-2019' net:links { bandwidth = 1 }",
            "the bandwidth between nodes comes from the topology 'geo-bitcoin-2019'");
    refused("net:topolgy 'geo-bitcoin-2019'", "did you mean 'topology'?");
}

static void test_regions_that_are_not_there_are_refused(void **state)
{
    (void)state;
    refused("net:spawn(1, { region = 'EU' })", "net:spawn: region 'EU' without a topology");
    refused("net:in_region 'EU'", "net:in_region: region 'EU' without a topology");
    refused(
        "net:topology 'geo-bitcoin-2019' net:spawn(1, { region = 'UE' })",
        "the topology 'geo-bitcoin-2019' has no region 'UE'; did you mean 'EU'?; there are: NA, "
        "EU, SA, AP, JP, AU");
    refused("net:topology 'geo-bitcoin-2019' net:peer { region = 'Mars' }",
            "net:peer: the topology 'geo-bitcoin-2019' has no region 'Mars'; there are");
}

static void test_nodes_stand_where_they_are_put(void **state)
{
    (void)state;
    passes(GEO
           "local g = net:spawn(3, { region = 'JP', seeds = 0 })\n"
           "local p = net:peer { region = 'SA' }\n"
           "check(g[2]:region() == 'JP' and p:region() == 'SA', 'put')\n"
           "check(#net:in_region 'JP' == 3 and #net:in_region 'SA' == 0, 'peers are not nodes')\n"
           "check(table.concat(net:regions(), ' ') == 'NA EU SA AP JP AU', 'all')");
    passes("local n = net:spawn(1)[1]\n"
           "check(n:region() == nil and #net:regions() == 0, 'nowhere')");
}

/* Regions are drawn: each count is binomial, here within 4.5 standard deviations. */
static void test_regions_are_drawn_by_their_shares(void **state)
{
    (void)state;
    passes(GEO "local n = 5000\n"
               "net:spawn(n, { seeds = 0 })\n"
               "local shares = { NA = .3316, EU = .4998, SA = .0090, AP = .1177, JP = .0224,\n"
               "                 AU = .0195 }\n"
               "for name, share in pairs(shares) do\n"
               "  local off = #net:in_region(name) - n * share\n"
               "  check(math.abs(off) < 4.5 * math.sqrt(n * share * (1 - share)), name, off)\n"
               "end");
    assert_int_equal(result.checks, 6 + 2); /* and the standing invariants */
}

static void test_one_seed_places_alike_and_more_nodes_move_nobody(void **state)
{
    (void)state;
    static const char where[] = "local t = {}\n"
                                "for i = 1, 20 do t[i] = net:nodes()[i]:region() end\n"
                                "log(table.concat(t, ' '))";
    char first[200], body[600];
    snprintf(body, sizeof body, GEO "net:spawn(20, { seeds = 0 })\n%s", where);
    passes(body);
    snprintf(first, sizeof first, "%.180s", strstr(told, "log "));
    snprintf(body, sizeof body, GEO "net:spawn(10, { seeds = 0 }) net:spawn(30)\n%s", where);
    passes(body);
    expect_told(strtok(first, "\n"));
    options.seed = 2;
    passes(body);
    assert_null(strstr(told, first));
}

/* Connecting takes two minimal latencies: 2 x (124 - 5), 2 x (11 - 5) and 2 x (58 - 5) ms. */
static void test_links_take_the_latency_between_their_regions(void **state)
{
    (void)state;
    passes(GEO "local function connects(a, b)\n"
               "  local node = net:spawn(1, { region = a, seeds = 0 })[1]\n"
               "  local began, up = now()\n"
               "  local p = net:peer { region = b, on_link = function() up = now() end }\n"
               "  p:dial(node)\n"
               "  sleep(5)\n"
               "  return math.floor((up - began) * 1e6 + 0.5)\n"
               "end\n"
               "check(connects('NA', 'EU') == 238000, 'NA EU')\n"
               "check(connects('EU', 'NA') == 238000, 'EU NA')\n"
               "check(connects('EU', 'EU') == 12000, 'EU EU')\n"
               "check(connects('JP', 'AP') == 106000, 'JP AP')");
}

/* 1 MB from EU to NA: at the link's 6 Mbit/s 1.333 s; within EU at the uplink's 20.7: 0.386 s, or
 * at what was given. */
static void test_rates_come_from_the_regions_unless_given(void **state)
{
    (void)state;
    passes(
        GEO
        "local function takes(to, options)\n"
        "  local got, began, last = 0, nil, nil\n"
        "  local sink = net:peer { region = to, downlink = 0, on_bytes = function(_, _, b)\n"
        "    got = got + #b\n"
        "    last = now()\n"
        "  end }\n"
        "  options.region = 'EU'\n"
        "  local source = net:peer(options)\n"
        "  local link = source:dial(sink)\n"
        "  sleep(5)\n"
        "  began = now()\n"
        "  source:send_raw(link, string.rep('x', 100000))\n"
        "  sleep(30)\n"
        "  check(got == 100000, 'all arrived', got)\n"
        "  return last - began\n"
        "end\n"
        "local slow, fast, given = takes('NA', {}), takes('EU', {}),\n"
        "  takes('EU', { uplink = 1 * mbit })\n"
        "log(slow .. ' ' .. fast .. ' ' .. given)\n"
        "check(slow > 0.119 + 0.1333 and slow < 0.119 + 0.1333 + 0.08, 'between regions', slow)\n"
        "check(fast > 0.006 + 0.0386 and fast < 0.006 + 0.0386 + 0.03, 'within one', fast)\n"
        "check(given > 0.8 and given < 0.9, 'given', given)");
}

/* The mean of the file's degrees is 8.645, their standard deviation 3.67: here within 4.5 standard
 * errors, less what crossing dials take. Given ones stay. */
static void test_outdegrees_are_drawn_unless_given(void **state)
{
    (void)state;
    passes(GEO
           "local g = net:spawn(200, { config = { max_inbound = 1000, feeler_interval = 1e6 } })\n"
           "sleep(60)\n"
           "local out, seen, kinds = 0, {}, 0\n"
           "g:each(function(node)\n"
           "  local n = node:info().outbound\n"
           "  out = out + n\n"
           "  if not seen[n] then kinds = kinds + 1 end\n"
           "  seen[n] = true\n"
           "end)\n"
           "local off = out / #g - 8.645\n"
           "check(off < 4.5 * 3.67 / math.sqrt(#g) and off > -4.5 * 3.67 / math.sqrt(#g) - 0.5,\n"
           "  'mean', off)\n"
           "check(kinds > 12, 'of many sizes', kinds)");
    passes(GEO "local g = net:spawn(50, { config = { max_outbound = 3, feeler_interval = 1e6 } })\n"
               "sleep(30)\n"
               "check(g:all(function(node) return node:info().outbound <= 3 end), 'given')");
}

static void test_other_properties_of_links_stay_the_scripts(void **state)
{
    (void)state;
    passes(GEO "net:links { loss = 0.5 }\n"
               "net:spawn(40)\n"
               "sleep(60)");
    uint64_t lossy = result.trace_hash;
    passes(GEO "net:spawn(40)\n"
               "sleep(60)");
    assert_true(lossy != result.trace_hash);
}

/* ---- a file of one's own ---- */

static void run_beside(const char *json, const char *body)
{
    char folder[] = "/tmp/vn-topology-XXXXXX";
    char path[80], data[80], file[80];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/t.lua", folder);
    snprintf(data, sizeof data, "%s/data", folder);
    snprintf(file, sizeof file, "%s/data/geo-bitcoin-2019.json", folder);
    assert_int_equal(mkdir(data, 0700), 0);
    FILE *f = fopen(path, "w");
    fprintf(f, "scenario { name = 't', duration = 100 }\nfunction run(net, p)\n%s\nend\n", body);
    fclose(f);
    f = fopen(file, "w");
    fputs(json, f);
    fclose(f);
    told[0] = 0;
    struct engine *engine = engine_load(path, why, sizeof why);
    assert_non_null(engine);
    engine_run_in(engine, &options, world_made, NULL, NULL, &result);
    engine_free(engine);
    unlink(file);
    rmdir(data);
    unlink(path);
    rmdir(folder);
}

static void test_a_file_beside_the_scenario_is_taken_first(void **state)
{
    (void)state;
    run_beside(
        "{\"name\": \"geo-bitcoin-2019\", \"source\": \"a test\", \"latency_is\": \"one-way\","
        "\"regions\": [{\"name\": \"X\", \"share\": 1, \"download_bps\": 1, \"upload_bps\": 1}],"
        "\"latency_ms\": [[1]]}",
        GEO "log(net:spawn(1)[1]:region())");
    assert_int_equal(result.outcome, ENGINE_PASS);
    expect_told("log X\n");
    expect_told("step topology -1 geo-bitcoin-2019: 1 regions, sha256 ");
    run_beside("{\n\"name\": }", GEO);
    expect_reason(ENGINE_BAD_SCENARIO, ":3: ", "data/geo-bitcoin-2019.json:2:");
    run_beside("{\"name\": \"geo-bitcoin-2019\", \"sauce\": 1}", GEO);
    expect_reason(ENGINE_BAD_SCENARIO, ":3: ", "data/geo-bitcoin-2019.json: 'source' is missing");
}

/* ---- blocks and percentiles ---- */

static void test_blocks_tell_when_they_arrived_where(void **state)
{
    (void)state;
    passes("net:links { latency = 0.1 }\n"
           "net:watch_blocks()\n"
           "local g = net:spawn(4)\n"
           "sleep(5)\n"
           "g[2]:mine()\n"
           "sleep(5)\n"
           "g[3]:kill()\n"
           "g[1]:mine()\n"
           "sleep(5)\n"
           "local all, some = net:blocks(), net:blocks(g[2])\n"
           "check(#all == 2 and #some == 2, 'two')\n"
           "local one, two = all[1], all[2]\n"
           "check(one.height == 1 and one.miner == g[2] and one.found == 5, 'the first')\n"
           "check(one.hash == g[1]:block_hash(1) and two.hash == g[1]:block_hash(2), 'named')\n"
           "check(#one.arrivals == 3 and one.arrivals[1] == 0.1, 'others', #one.arrivals)\n"
           "check(#two.arrivals == 2 and two.transactions == 0, 'of those that live')\n"
           "check(#some[1].arrivals == 0 and #some[2].arrivals == 1, 'of a group')\n"
           "g[3]:restart {}\n"
           "sleep(20)\n"
           "all = net:blocks()\n"
           "check(#all == 2 and #all[1].arrivals == 3 and #all[2].arrivals == 3, 'once each')\n"
           "check(all[2].arrivals[3] > 5, 'late')\n"
           "check(all[1].arrivals[3] < 1, 'what it loads again came before')");
}

static void test_blocks_that_nobody_watches_are_refused(void **state)
{
    (void)state;
    refused("net:blocks()", "net:blocks: nothing was watched; call net:watch_blocks() first");
    refused("net:spawn(1) net:watch_blocks()",
            "before the first net:spawn or net:peer; there are 1");
    refused("net:watch_blocks() net:watch_blocks()", "they are watched already");
}

static void test_watching_blocks_changes_no_hash(void **state)
{
    (void)state;
    static const char body[] = "net:spawn(5, { miners = 2, block_interval = 1 }) sleep(20)";
    char watched[200];
    passes(body);
    uint64_t hash = result.trace_hash;
    snprintf(watched, sizeof watched, "net:watch_blocks() %s", body);
    passes(watched);
    assert_int_equal(result.trace_hash, hash);
}

static void test_a_watch_stops_at_its_bound_and_says_so(void **state)
{
    (void)state;
    struct block_watch *watch = blocks_new();
    uint8_t hash[32] = {0};
    const uint32_t host = 2000000; /* 16 MiB of times and more a block */
    for (uint8_t i = 0; i < 100; i++) {
        struct vn_trace trace = {.kind = VN_TR_MINED, .hash = hash};
        hash[0] = i;
        blocks_trace(watch, host, &trace);
    }
    assert_true(blocks_full(watch));
    assert_in_range(blocks_count(watch), 8, 16);
    blocks_free(watch);
}

static void test_percentiles_are_nearest_ranks(void **state)
{
    (void)state;
    passes("local a, b, c = percentile({ 15, 20, 35, 40, 50 }, 5, 30, 40)\n"
           "check(a == 15 and b == 20 and c == 20, 'the known example')\n"
           "check(percentile({ 3, 1, 2 }, 100) == 3 and percentile({ 3, 1, 2 }, 0) == 1, 'ends')\n"
           "local t = {}\n"
           "for i = 1, 1000 do t[i] = (i * 7919) % 1000 end\n"
           "check(percentile(t, 50) == 499 and percentile(t, 99.9) == 998, 'sorted')\n"
           "check(t[1] == 919, 'and left alone')\n"
           "check(percentile({ 7 }, 50) == 7, 'one')");
    refused("percentile({}, 50)", "percentile takes 1..50000000 numbers, got 0");
    refused("percentile({ 1, 'x' }, 50)", "value 2 must be a number, got a string");
    refused("percentile({ 1, 0/0 }, 50)", "value 2 must be a number");
    refused("percentile({ 1 }, 101)", "must be a number 0..100, got 101");
    refused("percentile(7, 1)", "percentile takes a list of numbers");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_a_topology_is_refused_where_it_contradicts),
        T(test_regions_that_are_not_there_are_refused),
        T(test_nodes_stand_where_they_are_put),
        T(test_regions_are_drawn_by_their_shares),
        T(test_one_seed_places_alike_and_more_nodes_move_nobody),
        T(test_links_take_the_latency_between_their_regions),
        T(test_rates_come_from_the_regions_unless_given),
        T(test_outdegrees_are_drawn_unless_given),
        T(test_other_properties_of_links_stay_the_scripts),
        T(test_a_file_beside_the_scenario_is_taken_first),
        T(test_blocks_tell_when_they_arrived_where),
        T(test_blocks_that_nobody_watches_are_refused),
        T(test_watching_blocks_changes_no_hash),
        T(test_a_watch_stops_at_its_bound_and_says_so),
        T(test_percentiles_are_nearest_ranks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
