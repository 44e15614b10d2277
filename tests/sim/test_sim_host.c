/* Hosts: addresses, timers, kill and start, disks, observers, memory. */
#include "tests/sim/sim_fixture.h"

static void test_addresses_name_their_hosts(void **state)
{
    (void)state;
    struct sim *sim = net_new(1);
    for (uint32_t i = 0; i < 600; i++) {
        uint32_t host = host_add(sim, "sink", 0, 0);
        struct vn_addr addr = sim_host_addr(host);
        assert_int_equal(sim_host_of(sim, &addr), host);
        assert_int_equal(addr.ip[0], 127);
        assert_in_range(addr.ip[3], 1, 254);
        addr.port = 1;
        assert_int_equal(sim_host_of(sim, &addr), host);
    }
    struct vn_addr beyond = sim_host_addr(600);
    assert_int_equal(sim_host_of(sim, &beyond), UINT32_MAX);
    struct vn_addr localhost = {.family = VN_AF_IPV4, .port = 8765, .ip = {127, 0, 0, 1}};
    assert_int_equal(sim_host_of(sim, &localhost), UINT32_MAX);
    struct vn_addr last = sim_host_addr(65535u * 254u - 1);
    assert_int_equal(last.ip[1], 255);
    assert_int_equal(last.ip[2], 255);
    assert_int_equal(last.ip[3], 254);
    sim_free(sim);
}

static void test_a_node_starts_with_the_wall_clock_of_its_host(void **state)
{
    (void)state;
    struct sim_config config;
    struct vn_config node = {.size = sizeof node, .node_id = "sink"};
    struct sim_host_params params = {.skew_ns = -5000000000};
    sim_config_init(&config);
    struct sim *sim = sim_new(&config);
    sim_run_until(sim, 3 * SECONDS);
    uint32_t a = sim_host_add(sim, &node, &params, NULL, 0);
    assert_int_equal(sim_node(sim, a)->starts, 1);
    assert_int_equal(sim_node(sim, a)->now_ns, 3 * SECONDS);
    assert_int_equal(sim_node(sim, a)->wall_ns, config.wall_start_ns - 2 * SECONDS);
    sim_free(sim);
}

static void test_a_timer_fires_at_each_deadline(void **state)
{
    (void)state;
    struct sim *sim = net_new(1);
    uint32_t a = host_add(sim, "sink", 0, 0);
    command(sim, a, VN_CMD_MINE_INTERVAL, SECONDS); /* each one moves the deadline on */
    sim_run_until(sim, 10 * SECONDS);
    assert_int_equal(sim_node(sim, a)->timers, 10);
    command(sim, a, VN_CMD_MINE_INTERVAL, 3 * SECONDS); /* later */
    sim_run_until(sim, 19 * SECONDS);
    assert_int_equal(sim_node(sim, a)->timers, 13);
    command(sim, a, VN_CMD_MINE_INTERVAL, MS); /* sooner */
    sim_run_until(sim, 20 * SECONDS);
    assert_int_equal(sim_node(sim, a)->timers, 1013);
    sim_host_kill(sim, a);
    sim_run_until(sim, 30 * SECONDS);
    sim_free(sim);
}

static void test_a_killed_host_resets_its_links_and_starts_afresh(void **state)
{
    (void)state;
    struct sim *sim = net_new(1);
    uint32_t a = host_add(sim, "sink", 0, 0);
    uint32_t b = host_add(sim, "sink", 0, 0);
    dial(sim, a, b);
    dial(sim, b, a);
    sim_run_until(sim, SECONDS);
    submit(sim, a, 1000);
    submit(sim, b, 1000);
    sim_host_kill(sim, a);
    sim_host_kill(sim, a);
    assert_false(sim_host_alive(sim, a));
    assert_null(sim_node(sim, a));
    assert_int_equal(sim_command(sim, a, &(struct vn_command){.kind = VN_CMD_MINE}), 0);
    sim_run_until(sim, 2 * SECONDS);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(link_of(sim, b, i)->rx_bytes, 1000); /* what was in flight */
        assert_int_equal(link_of(sim, b, i)->why, VN_WHY_RESET);
        assert_int_equal(link_of(sim, b, i)->down_ns, SECONDS + 50 * MS);
    }
    sim_host_start(sim, a, false);
    sim_host_start(sim, a, false);
    assert_true(sim_host_alive(sim, a));
    dial(sim, b, a);
    sim_run_until(sim, 3 * SECONDS);
    assert_int_equal(sim_node(sim, a)->starts, 1);
    assert_int_equal(link_of(sim, a, 0)->state, FAKE_UP);
    struct sim_stats stats;
    sim_stats(sim, &stats);
    assert_int_equal(stats.links_now, 1);
    sim_free(sim);
}

static void test_a_dialler_whose_acceptor_dies_before_the_third_packet_is_reset(void **state)
{
    (void)state;
    struct sim *sim = net_new(1);
    uint32_t a = host_add(sim, "sink", 0, 0);
    uint32_t b = host_add(sim, "sink", 0, 0);
    dial(sim, a, b);
    sim_run_until(sim, 120 * MS);
    assert_int_equal(link_of(sim, a, 0)->state, FAKE_UP);
    sim_host_kill(sim, b);
    sim_run_until(sim, SECONDS);
    assert_int_equal(link_of(sim, a, 0)->why, VN_WHY_RESET);
    assert_int_equal(link_of(sim, a, 0)->down_ns, 200 * MS);
    sim_free(sim);
}

static void test_a_disk_survives_a_kill_but_not_what_was_not_yet_stored(void **state)
{
    (void)state;
    struct sim *sim = net_new(1);
    uint32_t a = host_add(sim, "sink", 0, 0);
    command(sim, a, VN_CMD_MINE, 10);
    command(sim, a, VN_CMD_ADD_PEER, 1000); /* sees the store before it */
    sim_run_until(sim, 500000);
    assert_int_equal(sim_node(sim, a)->loads, 0);
    sim_run_until(sim, SECONDS);
    assert_int_equal(sim_node(sim, a)->stored_ok, 1);
    assert_int_equal(sim_node(sim, a)->loaded_blocks, 10);
    command(sim, a, VN_CMD_ADD_PEER, 3);
    sim_run_until(sim, 2 * SECONDS);
    assert_int_equal(sim_node(sim, a)->loaded_blocks, 3);
    command(sim, a, VN_CMD_ADD_PEER, 0); /* at least one */
    sim_run_until(sim, 3 * SECONDS);
    assert_int_equal(sim_node(sim, a)->loaded_blocks, 1);
    command(sim, a, VN_CMD_MINE, 5);
    sim_host_kill(sim, a);
    sim_run_until(sim, 4 * SECONDS);
    sim_host_start(sim, a, false);
    command(sim, a, VN_CMD_ADD_PEER, 1000);
    sim_run_until(sim, 5 * SECONDS);
    assert_int_equal(sim_node(sim, a)->loaded_blocks, 10);
    sim_host_kill(sim, a);
    sim_host_start(sim, a, true);
    command(sim, a, VN_CMD_ADD_PEER, 1000);
    sim_run_until(sim, 6 * SECONDS);
    assert_int_equal(sim_node(sim, a)->loads, 1);
    assert_int_equal(sim_node(sim, a)->loaded_blocks, 0);
    sim_free(sim);
}

static void test_a_shorter_branch_replaces_the_stored_one(void **state)
{
    (void)state;
    struct sim *sim = net_new(1);
    uint32_t a = host_add(sim, "sink", 0, 0);
    command(sim, a, VN_CMD_MINE, 10);
    sim_run_until(sim, SECONDS);
    command(sim, a, VN_CMD_SHUTDOWN, 4);
    command(sim, a, VN_CMD_MINE, 2);
    sim_run_until(sim, 2 * SECONDS);
    command(sim, a, VN_CMD_ADD_PEER, 1000);
    sim_run_until(sim, 3 * SECONDS);
    assert_int_equal(sim_node(sim, a)->loaded_blocks, 6);
    command(sim, a, VN_CMD_SHUTDOWN, 50); /* a gap: refused whole */
    command(sim, a, VN_CMD_MINE, 2);
    sim_run_until(sim, 4 * SECONDS);
    command(sim, a, VN_CMD_ADD_PEER, 1000);
    sim_run_until(sim, 5 * SECONDS);
    assert_int_equal(sim_node(sim, a)->loaded_blocks, 6);
    assert_int_equal(sim_node(sim, a)->stored_ok, 2);
    sim_free(sim);
}

struct watch {
    struct sim *sim;
    uint32_t settled, replies, depth;
    uint64_t events, last_number;
};

static void on_settled(void *ctx, uint32_t host)
{
    struct watch *watch = ctx;
    assert_int_equal(watch->depth++, 0); /* never nested */
    watch->settled++;
    if (watch->settled < 5)
        command(watch->sim, host, VN_CMD_BAN, 0);
    watch->depth--;
}

static void on_reply(void *ctx, uint32_t host, uint64_t token, uint32_t status, const char *text)
{
    struct watch *watch = ctx;
    (void)host;
    (void)text;
    assert_int_equal(status, VN_OK);
    assert_int_equal(token, ++watch->replies);
}

static void on_event(void *ctx, uint64_t number, uint64_t t_ns, uint32_t host, uint32_t kind,
                     uint64_t hash)
{
    struct watch *watch = ctx;
    (void)t_ns;
    (void)host;
    (void)kind;
    (void)hash;
    assert_int_equal(number, watch->last_number + 1);
    watch->last_number = number;
    watch->events++;
}

static void test_observers_hear_every_event_and_may_command_when_all_is_settled(void **state)
{
    (void)state;
    struct watch watch = {0};
    struct sim_config config;
    sim_config_init(&config);
    config.observer = (struct sim_observer){
        .ctx = &watch, .on_settled = on_settled, .on_reply = on_reply, .on_event = on_event};
    struct sim *sim = watch.sim = sim_new(&config);
    uint32_t a = host_add(sim, "sink", 0, 0);
    command(sim, a, VN_CMD_BAN, 0);
    assert_int_equal(watch.settled, 5);
    assert_int_equal(watch.replies, 5);
    assert_int_equal(watch.events, 7);
    struct sim_stats stats;
    sim_stats(sim, &stats);
    assert_int_equal(stats.events, 7);
    sim_free(sim);
}

struct answers {
    struct sim *sim;
    uint64_t tokens[8], t_ns[8];
    uint32_t hosts[8], count;
};

static void note_reply(void *ctx, uint32_t host, uint64_t token, uint32_t status, const char *text)
{
    struct answers *answers = ctx;
    (void)text;
    assert_int_equal(status, VN_OK);
    answers->tokens[answers->count] = token;
    answers->t_ns[answers->count] = sim_now_ns(answers->sim);
    answers->hosts[answers->count++] = host;
}

static void test_a_command_for_later_is_given_at_its_time_in_the_order_of_asking(void **state)
{
    (void)state;
    struct answers got = {0};
    struct sim_config config;
    sim_config_init(&config);
    config.observer = (struct sim_observer){.ctx = &got, .on_reply = note_reply};
    struct sim *sim = got.sim = sim_new(&config);
    const uint32_t a = host_add(sim, "sink", 0, 0), b = host_add(sim, "sink", 0, 0);
    const uint32_t dead = host_add(sim, "sink", 0, 0);
    struct vn_command ban = {.kind = VN_CMD_BAN, .data = pattern(10)};
    const uint64_t late = sim_command_at(sim, b, 5 * MS, &ban);
    const uint64_t first = sim_command_at(sim, a, 3 * MS, &ban);
    const uint64_t second = sim_command_at(sim, a, 3 * MS, &ban);
    assert_true(sim_command_at(sim, dead, 4 * MS, &ban) > 0);
    assert_int_equal(sim_command_at(sim, 7, 4 * MS, &ban), 0);
    sim_host_kill(sim, dead);
    sim_run_until(sim, 10 * MS);
    const uint64_t past = sim_command_at(sim, a, 1, &ban);
    sim_command_at(sim, a, 20 * MS, &ban); /* never given */
    vn_slice_unref(ban.data);
    sim_run_until(sim, 10 * MS);
    assert_int_equal(got.count, 4);
    const uint64_t tokens[] = {first, second, late, past};
    const uint64_t times[] = {3 * MS, 3 * MS, 5 * MS, 10 * MS};
    const uint32_t hosts[] = {a, a, b, a};
    assert_memory_equal(got.tokens, tokens, sizeof tokens);
    assert_memory_equal(got.t_ns, times, sizeof times);
    assert_memory_equal(got.hosts, hosts, sizeof hosts);
    sim_free(sim);
}

static void test_nonsense_is_refused(void **state)
{
    (void)state;
    struct sim_config config;
    sim_config_init(&config);
    config.window = 100;
    assert_null(sim_new(&config));
    sim_config_init(&config);
    config.chunk_chance = -1;
    assert_null(sim_new(&config));
    struct sim *sim = net_new(1);
    struct vn_config node = {.size = sizeof node};
    char why[80] = "";
    assert_int_equal(sim_host_add(sim, &node, NULL, why, sizeof why), UINT32_MAX);
    assert_string_equal(why, "node_id: must not be empty");
    assert_int_equal(sim_host_count(sim), 0);
    sim_host_kill(sim, 5);
    sim_host_start(sim, 5, true);
    assert_false(sim_host_alive(sim, 5));
    assert_null(sim_node(sim, 5));
    assert_int_equal(sim_command(sim, 5, &(struct vn_command){.kind = VN_CMD_MINE}), 0);
    assert_int_equal(sim_peer_dial(sim, 5, &(struct vn_addr){0}), 0);
    assert_false(sim_peer_send(sim, 5, 2, pattern(10)));
    assert_false(sim_peer_close(sim, 5, 2));
    uint32_t a = host_add(sim, "sink", 0, 0);
    assert_false(sim_peer_send(sim, a, 2, pattern(10)));
    assert_int_equal(sim_peer_dial(sim, a, &(struct vn_addr){0}), 0);
    assert_int_equal(sim_next_ns(sim), UINT64_MAX);
    sim_run_until(sim, UINT64_MAX);
    sim_free(sim);
}

static void dial_neighbours(struct sim *sim, uint32_t step)
{
    for (uint32_t i = 0; i < 256; i++)
        for (uint32_t k = 1; k <= 12; k++)
            dial(sim, i, (i + k * step) % 256);
    sim_run_until(sim, sim_now_ns(sim) + SECONDS);
}

static void test_an_idle_link_takes_at_most_256_bytes(void **state)
{
    (void)state;
    struct sim *sim = net_new(1);
    struct sim_stats before;
    struct sim_stats after;
    for (uint32_t i = 0; i < 256; i++)
        host_add(sim, "sink", 0, 0);
    dial_neighbours(sim, 5); /* the queue and the pools get their size */
    sim_stats(sim, &before);
    dial_neighbours(sim, 7);
    sim_stats(sim, &after);
    assert_int_equal(after.links_now, 2 * 256 * 12);
    size_t each = (after.memory - before.memory) / (256 * 12);
    if (each > 256)
        fail_msg("%zu bytes a link", each);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_name_their_hosts),
        cmocka_unit_test(test_a_node_starts_with_the_wall_clock_of_its_host),
        cmocka_unit_test(test_a_timer_fires_at_each_deadline),
        cmocka_unit_test(test_a_killed_host_resets_its_links_and_starts_afresh),
        cmocka_unit_test(test_a_dialler_whose_acceptor_dies_before_the_third_packet_is_reset),
        cmocka_unit_test(test_a_disk_survives_a_kill_but_not_what_was_not_yet_stored),
        cmocka_unit_test(test_a_shorter_branch_replaces_the_stored_one),
        cmocka_unit_test(test_observers_hear_every_event_and_may_command_when_all_is_settled),
        cmocka_unit_test(test_a_command_for_later_is_given_at_its_time_in_the_order_of_asking),
        cmocka_unit_test(test_nonsense_is_refused),
        cmocka_unit_test(test_an_idle_link_takes_at_most_256_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
