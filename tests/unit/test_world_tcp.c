/* Scenarios in the world of real sockets: what is imposed on them there. Times that are checked are
 * least times of the scenario, which no machine is too slow for; what is waited for has the rest of
 * the scenario to come. */
#include "tests/unit/engine_fixture.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define SPEED 20u

static char folder[] = "/tmp/vn-world-XXXXXX";

static int real(void **state)
{
    fixture(state);
    options.world = ENGINE_TCP;
    options.speed = SPEED;
    world_made = NULL;
    return 0;
}

#define W(f) cmocka_unit_test_setup(f, real)

static void test_nodes_meet_after_the_round_trips_of_their_links(void **state)
{
    (void)state;
    passes("net:links { latency = 0.4 }\n"
           "local g = net:spawn(2)\n"
           "wait('met', 60, function() return g[1]:ready() == 1 and g[2]:ready() == 1 end)\n"
           "check(now() >= 1.2, 'a round trip to connect, half a one for a handshake')\n"
           "g[1]:mine(3)\n"
           "wait('told', 30, function() return net:one_tip(g) and g[2]:height() == 3 end)");
}

static void test_a_partition_holds_what_was_sent_until_it_heals(void **state)
{
    (void)state;
    passes("local g = net:spawn(2, { config = { idle_timeout = 500, ping_after = 400 } })\n"
           "wait('met', 30, function() return g[1]:ready() == 1 and g[2]:ready() == 1 end)\n"
           "local cut = net:partition(g[1], g[2])\n"
           "g[1]:mine(2)\n"
           "sleep(20)\n"
           "check(g[2]:height() == 0, 'nothing passes')\n"
           "cut:heal()\n"
           "wait('passed', 40, function() return g[2]:height() == 2 end)");
}

static void test_a_one_way_cut_lets_pass_the_other_way(void **state)
{
    (void)state;
    passes("local g = net:spawn(2, { config = { idle_timeout = 500, ping_after = 400 } })\n"
           "wait('met', 30, function() return g[1]:ready() == 1 and g[2]:ready() == 1 end)\n"
           "net:partition(g[1], g[2], { one_way = true, lasting = 50 })\n"
           "g[2]:mine(2)\n"
           "wait('passed', 30, function() return g[1]:height() == 2 end)\n"
           "g[1]:mine(1)\n"
           "sleep(5)\n"
           "check(g[2]:height() == 2, 'not back')\n"
           "wait('healed by itself', 60, function() return g[2]:height() == 3 end)\n"
           "check(now() >= 50, 'not before')");
}

static void test_a_flapping_link_passes_in_its_better_moments(void **state)
{
    (void)state;
    passes("local at = {}\n"
           "local a = net:peer { on_bytes = function() at[#at + 1] = now() end }\n"
           "local b = net:peer {}\n"
           "local link = b:dial(a)\n"
           "sleep(1)\n"
           "local began = now()\n"
           "net:flap(a, b, { every = 30, down = 20 })\n"
           "sleep(1)\n"
           "b:send_raw(link, 'x')\n"
           "wait('up', 29, function() return #at == 1 end)\n"
           "check(at[1] - began >= 20, 'not before')\n"
           "sleep(began + 31 - now())\n"
           "b:send_raw(link, 'x')\n"
           "wait('up again', 29, function() return #at == 2 end)\n"
           "check(at[2] - began >= 50, 'not before')");
}

static void test_nobody_reaches_a_node_in_a_black_hole(void **state)
{
    (void)state;
    passes("local g = net:spawn(1)\n"
           "local hole = net:blackhole(g[1])\n"
           "local late = net:spawn(1, { seeds = 1, seeds_from = g })\n"
           "sleep(20)\n"
           "check(late[1]:ready() == 0, 'not even who came later')\n"
           "hole:heal()\n"
           "wait('met', 70, function() return late[1]:ready() == 1 end)");
}

static void test_a_killed_node_comes_back_with_its_folder_or_without(void **state)
{
    (void)state;
    passes("local g = net:spawn(1, { seeds = 0 })\n"
           "g[1]:mine(5)\n"
           "local tip = g[1]:tip()\n"
           "sleep(10)\n"
           "g[1]:kill()\n"
           "check(not g[1]:alive(), 'dead')\n"
           "g[1]:restart()\n"
           "wait('read', 30, function() return g[1]:height() == 5 end)\n"
           "check(g[1]:tip() == tip, 'the same chain')\n"
           "g[1]:restart { lose_disk = true }\n"
           "sleep(10)\n"
           "check(g[1]:height() == 0, 'a new disk is empty')");
}

static void test_a_full_disk_keeps_nothing_and_a_good_one_does_again(void **state)
{
    (void)state;
    passes("local g = net:spawn(1, { seeds = 0 })\n"
           "g[1]:disk { full = true }\n"
           "g[1]:mine(5)\n"
           "sleep(10)\n"
           "g[1]:restart()\n"
           "sleep(10)\n"
           "check(g[1]:height() == 0, 'nothing was kept')\n"
           "g[1]:disk 'good'\n"
           "g[1]:mine(2)\n"
           "sleep(20)\n"
           "g[1]:restart()\n"
           "wait('kept', 30, function() return g[1]:height() == 2 end)");
}

static void test_a_disk_that_hangs_answers_when_it_goes_on(void **state)
{
    (void)state;
    passes("local g = net:spawn(1, { seeds = 0 })\n"
           "g[1]:mine(5)\n"
           "sleep(10)\n"
           "g[1]:disk { hang = true }\n"
           "g[1]:restart()\n"
           "sleep(10)\n"
           "check(g[1]:height() == 0, 'nothing is read')\n"
           "g[1]:disk 'good'\n"
           "wait('read', 30, function() return g[1]:height() == 5 end)");
}

static void test_a_paused_node_hears_what_piled_up_when_it_goes_on(void **state)
{
    (void)state;
    passes("local g = net:spawn(2, { config = { idle_timeout = 500, ping_after = 400 } })\n"
           "wait('met', 30, function() return g[1]:ready() == 1 and g[2]:ready() == 1 end)\n"
           "g[2]:pause()\n"
           "g[1]:mine(2)\n"
           "sleep(20)\n"
           "check(g[2]:height() == 0 and g[2]:paused(), 'it stands still')\n"
           "local ok, why = g[2]:mine(1)\n"
           "check(not ok and why == 'the node is paused', 'it takes no commands')\n"
           "g[2]:resume()\n"
           "wait('it hears', 30, function() return g[2]:height() == 2 end)\n"
           "check(g[2]:ready() == 1, 'on the same link')");
}

static void test_a_reset_is_heard_by_both_ends_and_a_half_open_link_by_one(void **state)
{
    (void)state;
    passes("local function meet(peers)\n"
           "  wait('met', 30, function() return peers[1].up and peers[2].up end)\n"
           "end\n"
           "local p, why = {}, {}\n"
           "for i = 1, 2 do\n"
           "  p[i] = { why = {} }\n"
           "  p[i].peer = net:peer {\n"
           "    on_link = function(_, link) p[i].up, p[i].link = true, link end,\n"
           "    on_close = function(_, _, w) p[i].up = false; p[i].why[#p[i].why + 1] = w end }\n"
           "end\n"
           "p[1].peer:dial(p[2].peer)\n"
           "meet(p)\n"
           "check(net:reset_links(p[1].peer, p[2].peer) == 1, 'one link')\n"
           "wait('both hear', 30, function() return p[1].why[1] and p[2].why[1] end)\n"
           "check(p[1].why[1] == 'reset' and p[2].why[1] == 'reset', 'a reset')\n"
           "p[1].peer:dial(p[2].peer)\n"
           "meet(p)\n"
           "check(net:half_open(p[1].peer, p[2].peer) == 1, 'one link')\n"
           "wait('the one hears', 10, function() return p[2].why[2] end)\n"
           "sleep(5)\n"
           "check(p[1].up and p[2].why[2] == 'reset', 'the other does not')\n"
           "p[1].peer:send_raw(p[1].link, 'hello')\n"
           "wait('until it speaks', 30, function() return p[1].why[2] == 'reset' end)");
}

static void test_nothing_passes_on_a_forgotten_link(void **state)
{
    (void)state;
    passes("local got = 0\n"
           "local a = net:peer { on_bytes = function(_, _, b) got = got + #b end }\n"
           "local b = net:peer {}\n"
           "local link = b:dial(a)\n"
           "b:send_raw(link, 'one')\n"
           "wait('one came', 10, function() return got == 3 end)\n"
           "check(net:forget_links(a, b) == 1, 'one link')\n"
           "b:send_raw(link, 'two')\n"
           "sleep(10)\n"
           "check(got == 3, 'no more comes')");
}

static void test_who_lost_its_power_tells_nobody_and_answers_nobody(void **state)
{
    (void)state;
    passes("local g = net:spawn(1, { seeds = 0 })\n"
           "local closed\n"
           "local p = net:peer { on_close = function(_, _, why) closed = why end }\n"
           "local link = p:dial(g[1])\n"
           "sleep(2)\n"
           "g[1]:kill { silently = true }\n"
           "p:send_raw(link, 'hello')\n"
           "local second = p:dial(g[1])\n"
           "sleep(5)\n"
           "check(closed == nil, 'no word')\n"
           "g[1]:restart()\n"
           "wait('a reset when it is back', 30, function() return closed == 'reset' end)");
}

static void test_a_slow_line_takes_its_time(void **state)
{
    (void)state;
    passes("net:links { latency = 0.01, bandwidth = 80000 }\n"
           "local got = 0\n"
           "local a = net:peer { on_bytes = function(_, _, b) got = got + #b end }\n"
           "local b = net:peer {}\n"
           "local link = b:dial(a)\n"
           "sleep(1)\n"
           "b:send_raw(link, string.rep('x', 100000))\n"
           "b:close(link)\n"
           "sleep(5)\n"
           "check(got < 60000, 'half of it')\n"
           "wait('all', 60, function() return got == 100000 end)\n"
           "check(now() >= 11, 'ten seconds')");
}

static void test_no_dial_leaves_this_machine(void **state)
{
    (void)state;
    passes("local whys = {}\n"
           "local p = net:peer { on_close = function(_, _, why) whys[#whys + 1] = why end }\n"
           "p:dial('198.51.100.1:8765')\n"
           "p:dial('127.0.9.9:8765')\n"
           "wait('both fail', 10, function() return #whys == 2 end)\n"
           "check(whys[1] == 'unreachable' and whys[2] == 'unreachable', 'there is no way')");
}

static void test_worlds_run_beside_each_other_with_the_same_addresses(void **state)
{
    (void)state;
    struct sockaddr_in first = {
        .sin_family = AF_INET, .sin_port = htons(8765), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bind(fd, (struct sockaddr *)&first, sizeof first); /* or somebody else has */
    listen(fd, 1);
    passes("local g = net:spawn(1, { seeds = 0 })\n"
           "local ups = 0\n"
           "local p = net:peer { on_link = function() ups = ups + 1 end }\n"
           "check(g[1]:addr() == '127.0.1.1:8765' and p:addr() == '127.0.1.2:8765', 'as always')\n"
           "g[1]:connect('127.0.1.2:8765')\n"
           "p:dial('127.0.1.1:8765')\n"
           "wait('both', 20, function() return ups == 2 end)");
    close(fd);
}

static void skips(const char *body, const char *part)
{
    run_body(body);
    expect_reason(ENGINE_SKIPPED, ":3)", "");
    assert_non_null(strstr(result.reason, part));
    assert_int_equal(result.checks_failed, 0);
}

static void test_what_real_disks_cannot_do_skips_the_run(void **state)
{
    (void)state;
    skips("net:spawn(1, { seeds = 0 })[1]:disk { torn = 1 }",
          "the world 'tcp' cannot tear what a store writes (");
    skips("net:spawn(1, { seeds = 0 })[1]:disk { lie = 2 }",
          "the world 'tcp' cannot make a disk lose what it said was durable (");
}

static void test_a_run_leaves_no_folder(void **state)
{
    (void)state;
    uint32_t left = 0;
    assert_non_null(mkdtemp(folder));
    setenv("TMPDIR", folder, 1);
    passes("net:spawn(3)[1]:mine(1)\nsleep(5)");
    unsetenv("TMPDIR");
    DIR *dir = opendir(folder);
    while (readdir(dir))
        left++;
    closedir(dir);
    rmdir(folder);
    assert_int_equal(left, 2); /* . and .. */
}

static void test_a_run_has_no_trace_hash(void **state)
{
    (void)state;
    passes("net:spawn(2)\nsleep(5)");
    assert_int_equal(result.trace_hash, 0);
    assert_true(result.sim_ns == 5 * NS_PER_S);
    assert_true(result.events > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        W(test_nodes_meet_after_the_round_trips_of_their_links),
        W(test_a_partition_holds_what_was_sent_until_it_heals),
        W(test_a_one_way_cut_lets_pass_the_other_way),
        W(test_a_flapping_link_passes_in_its_better_moments),
        W(test_nobody_reaches_a_node_in_a_black_hole),
        W(test_a_killed_node_comes_back_with_its_folder_or_without),
        W(test_a_full_disk_keeps_nothing_and_a_good_one_does_again),
        W(test_a_disk_that_hangs_answers_when_it_goes_on),
        W(test_a_paused_node_hears_what_piled_up_when_it_goes_on),
        W(test_a_reset_is_heard_by_both_ends_and_a_half_open_link_by_one),
        W(test_nothing_passes_on_a_forgotten_link),
        W(test_who_lost_its_power_tells_nobody_and_answers_nobody),
        W(test_a_slow_line_takes_its_time),
        W(test_no_dial_leaves_this_machine),
        W(test_worlds_run_beside_each_other_with_the_same_addresses),
        W(test_what_real_disks_cannot_do_skips_the_run),
        W(test_a_run_leaves_no_folder),
        W(test_a_run_has_no_trace_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
