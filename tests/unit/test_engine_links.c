/* The words that make and break links: what they do, what they refuse, and that each fault is a
 * decision that can be left out. */
#include "tests/unit/engine_fixture.h"

/* Two scripted peers p and q with one link between them; `took(bytes)` says how long a message
 * needs from p to q, nil if it does not come within 20 s. */
#define PAIR                                                                                       \
    "local got, last = 0, 0\n"                                                                     \
    "local p, q = net:peer(), net:peer { on_bytes = function(_, _, b)\n"                           \
    "  got = got + #b last = now() end }\n"                                                        \
    "local link = p:dial(q) sleep(1)\n"                                                            \
    "local function took(n)\n"                                                                     \
    "  local t, want = now(), got + n p:send_raw(link, string.rep('x', n))\n"                      \
    "  sleep(20) return got == want and last - t or nil end\n"                                     \
    "local function say(x) log(x and string.format('%.3f', x) or 'nothing') end\n"

static void without(uint32_t no)
{
    static uint32_t left_out[1];
    left_out[0] = no;
    options.without = left_out;
    options.without_count = no > 0;
}

static void test_links_may_have_a_queue_reorder_and_change_bytes(void **state)
{
    (void)state;
    passes("net:links { bandwidth = 1 * mbit, queue = 64 * kB }\n" PAIR "say(took(12500))");
    expect_told("log 0.150\n"); /* 100 ms at 1 Mbit/s, 50 ms on the way */
    passes("net:links { reorder = 1, reorder_by = 0.2 }\n" PAIR "say(took(100))");
    expect_told("log 0.250\n");
    passes("net:links { duplicate = 1 }\n" PAIR
           "p:send_raw(link, string.rep('x', 100)) sleep(1) log(got > 100 and 'more' or 'no')");
    expect_told("log more\n");
    passes("net:links { corrupt = 1 }\n"
           "local seen local p, q = net:peer(), net:peer { on_bytes = function(_, _, b)\n"
           "  seen = (seen or '') .. b end }\n"
           "local link = p:dial(q) p:send_raw(link, string.rep('x', 100)) sleep(2)\n"
           "local _, n = seen:gsub('[^x]', '') log(n .. ' of ' .. #seen)");
    expect_told("log 1 of 100\n");
    passes("net:links { queue = 64 * kB } net:links { queue_time = 0.5 } net:links { queue = 0 }");
}

static void test_links_that_are_up_degrade_and_are_restored(void **state)
{
    (void)state;
    static const char body[] = PAIR
        "say(took(10000))\n"
        "local d = net:degrade(p, q, { bandwidth = 100 * kbit, latency = 0.3 }) say(took(10000))\n"
        "d:restore() d:restore() say(took(10000))";
    passes(body);
    expect_told("log 0.050\n");
    expect_told("decision 1 degrade {\"a\":[0],\"b\":[1],\"bandwidth\":100000,"
                "\"latency\":{\"constant\":[0.29999999999999999]}}\n");
    const char *slow = strstr(told, "step degrade -1 1 ~ 1 hosts\nlog 1.1");
    assert_non_null(slow);
    assert_non_null(strstr(slow, "step restore -1 degradation 1\nlog 0.050\n"));

    without(1);
    passes(body);
    expect_told(" left out\n");
    assert_null(strstr(told, "log 1.1"));
    assert_null(strstr(told, "step restore"));
}

static void test_a_fault_may_last_a_while_and_end_by_itself(void **state)
{
    (void)state;
    passes(PAIR "net:degrade(p, q, { latency = 1, lasting = 10 }) say(took(10)) say(took(10))");
    expect_told("\"lasting\":10,");
    expect_told("step degrade -1 1 ~ 1 hosts for 10 s\nlog 1.000\nlog 0.050\n");
    passes(PAIR "net:partition(p, q, { lasting = 5 }) say(took(10)) say(took(10))");
    expect_told("{\"a\":[0],\"b\":[1],\"lasting\":5,\"one_way\":false}");
    expect_told("log 6.250\nlog 0.050\n"); /* retransmitted 0.2, 0.6, 1.4, 3, 6.2 s after 1.05 */
    passes(PAIR "net:blackhole(q, { lasting = 5 }) say(took(10))");
    expect_told("log 6.250\n");
    passes(PAIR "net:blackhole(q, { lasting = 5, one_way = true }) say(took(10))");
    expect_told("log 0.050\n"); /* only what q sends is lost */
}

static void test_links_flap_until_they_are_stopped(void **state)
{
    (void)state;
    static const char body[] =
        PAIR "local f = net:flap(p, q, { every = 30, down = 10 })\n" /* down 1..11, 31..41 s */
             "say(took(10)) sleep(5) say(took(10)) f:stop() f:stop() sleep(15) say(took(10))";
    passes(body);
    expect_told("decision 1 flap {\"a\":[0],\"b\":[1],\"down\":10,\"every\":30}\n");
    expect_told("log 12.650\n"); /* 0.2, 0.6, 1.4, 3, 6.2, 12.6 s after it was stopped at 1.05 s */
    expect_told("log 0.050\nstep stop -1 flap 1\nlog 0.050\n"); /* the last at 61 s */
}

static void test_half_open_and_forgotten_links_and_black_holes_are_decisions(void **state)
{
    (void)state;
    static const struct {
        const char *act, *decision, *done, *left;
    } rows[] = {
        {"net:half_open(p, q) say(took(10)) say(p:send_raw(link, 'x') and 1 or 0)",
         "decision 1 half_open {\"a\":[0],\"b\":[1]}\n", "log nothing\nlog 0.000\n", "log 0.050\n"},
        {"net:forget_links(p, q) say(took(10)) say(p:send_raw(link, 'x') and 1 or 0)",
         "decision 1 forget_links {\"a\":[0],\"b\":[1]}\n", "log nothing\nlog 1.000\n",
         "log 0.050\n"},
        {"net:reset_links(p, q) say(took(10))", "decision 1 reset_links {\"a\":[0],\"b\":[1]}\n",
         "log nothing\n", "log 0.050\n"},
        {"local hole = net:blackhole(q) say(took(10)) hole:heal() sleep(30) log(got)",
         "decision 1 blackhole {\"hosts\":[1],\"one_way\":false}\n", "log nothing\n",
         "log 0.050\n"},
        {"net:flap(p, q, { every = 60, down = 30 }) say(took(10))",
         "decision 1 flap {\"a\":[0],\"b\":[1],\"down\":30,\"every\":60}\n", "log nothing\n",
         "log 0.050\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char body[4096];
        snprintf(body, sizeof body, "%s%s", PAIR, rows[i].act);
        without(0);
        passes(body);
        expect_told(rows[i].decision);
        expect_told(rows[i].done);
        without(1);
        passes(body);
        expect_told(" left out\n");
        expect_told(rows[i].left);
    }
}

static void test_a_node_may_die_without_a_word(void **state)
{
    (void)state;
    static const char body[] =
        "local g = net:spawn(2) sleep(5) log(g[1]:ready())\n"
        "g[2]:kill { silently = true } sleep(20) log('then ' .. g[1]:ready())\n"
        "sleep(70) log('later ' .. g[1]:ready())";
    passes(body);
    expect_told("decision 1 kill {\"node\":1,\"silently\":true}\n");
    expect_told("log then 1\n");
    expect_told("log later 0\n"); /* its pings are not answered */
    without(1);
    passes(body);
    expect_told("log later 1\n");
    without(0);
    passes("local g = net:spawn(2) sleep(5) g[2]:kill() sleep(20) log('then ' .. g[1]:ready())");
    expect_told("log then 0\n");
}

static void test_contradictions_and_values_out_of_range_are_refused_with_the_way_out(void **state)
{
    (void)state;
    refused("net:links { queue = 64 * kB, queue_time = 1 }", "give one of them");
    refused("net:links { queue = 1 }", "queue must be 0 (no bound) or at least 1500 bytes, one "
                                       "packet, got 1; for seconds there is queue_time");
    refused("net:links { queue = 0.5 }", "queue must be a whole number, 0..1.0");
    refused("net:links { queue_time = 61 }", "queue_time must be seconds, 0..60, got 61");
    refused("net:links { reorder_by = 1 }", "give both");
    refused("net:links { corrupt = 1.5 }", "corrupt must be 0..1, got 1.5");
    refused("net:links { duplicate = -1 }", "duplicate must be 0..1, got -1");
    refused("net:links { lasting = 1 }", "unknown option 'lasting'");
    refused("net:links { corupt = 1 }", "did you mean 'corrupt'?");
    refused("local g = net:spawn(2) net:degrade(g[1], g[2])", "say what becomes of the links");
    refused("local g = net:spawn(2) net:degrade(g[1], g[2], { lasting = 5 })",
            "say what becomes of the links");
    refused("local g = net:spawn(2) net:degrade(g[1], g[2], { loss = 0.6 })",
            "net:degrade: loss must be 0..0.5, got 0.6");
    refused("local g = net:spawn(2) net:flap(g[1], g[2], { every = 10 })", "both are needed");
    refused("local g = net:spawn(2) net:flap(g[1], g[2], { every = 5, down = 5 })",
            "down must be less than every");
    refused("local g = net:spawn(2) net:flap(g[1], g[2], { every = 5, down = 0 })",
            "down must be seconds");
    refused("net:spawn(1)[1]:kill { quietly = true }", "unknown option 'quietly'");
    refused("local g = net:spawn(2) net:blackhole(g, g)", "the options must be a table");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_links_may_have_a_queue_reorder_and_change_bytes),
        T(test_links_that_are_up_degrade_and_are_restored),
        T(test_a_fault_may_last_a_while_and_end_by_itself),
        T(test_links_flap_until_they_are_stopped),
        T(test_half_open_and_forgotten_links_and_black_holes_are_decisions),
        T(test_a_node_may_die_without_a_word),
        T(test_contradictions_and_values_out_of_range_are_refused_with_the_way_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
