/* Faults of a host's disk: what a node is told, and what is there after a kill. */
#include "tests/sim/sim_fixture.h"

static struct sim *disk_new(uint32_t *host, struct sim_disk_faults *faults)
{
    struct sim *sim = net_new(3);
    *host = host_add(sim, "sink", 0, 0);
    sim_disk_faults_init(faults);
    return sim;
}

/* How many blocks a restarted node finds on a good disk. */
static uint64_t found(struct sim *sim, uint32_t host)
{
    sim_host_kill(sim, host);
    assert_true(sim_host_disk(sim, host, NULL));
    sim_host_start(sim, host, false);
    command(sim, host, VN_CMD_ADD_PEER, 1000);
    sim_run_until(sim, sim_now_ns(sim) + SECONDS);
    assert_int_equal(sim_node(sim, host)->loads, 1);
    return sim_node(sim, host)->loaded_blocks;
}

static void test_a_kill_leaves_a_batch_under_way_whole_or_not_at_all(void **state)
{
    (void)state;
    for (uint64_t t_ns = 0; t_ns <= 2 * MS; t_ns += MS / 10) {
        uint32_t a;
        struct sim_disk_faults disk;
        struct sim *sim = disk_new(&a, &disk);
        command(sim, a, VN_CMD_MINE, 10);
        sim_run_until(sim, t_ns);
        assert_int_equal(found(sim, a), t_ns < MS ? 0 : 10);
        sim_free(sim);
    }
}

static void test_a_failing_or_full_disk_keeps_nothing_and_says_so(void **state)
{
    (void)state;
    uint32_t a;
    struct sim_disk_faults disk;
    struct sim *sim = disk_new(&a, &disk);
    disk.fail_stores = 1;
    assert_true(sim_host_disk(sim, a, &disk));
    command(sim, a, VN_CMD_MINE, 3);
    command(sim, a, VN_CMD_ADD_PEER, 100);
    sim_run_until(sim, SECONDS);
    assert_int_equal(sim_node(sim, a)->stored_last, VN_ERR_IO);
    assert_int_equal(sim_node(sim, a)->loaded_last, VN_OK);
    assert_int_equal(sim_node(sim, a)->loaded_blocks, 0);
    sim_disk_faults_init(&disk);
    disk.full = true;
    disk.fail_loads = 1;
    assert_true(sim_host_disk(sim, a, &disk));
    command(sim, a, VN_CMD_MINE, 3);
    command(sim, a, VN_CMD_ADD_PEER, 100);
    sim_run_until(sim, 2 * SECONDS);
    assert_int_equal(sim_node(sim, a)->stored_last, VN_ERR_LIMIT);
    assert_int_equal(sim_node(sim, a)->loaded_last, VN_ERR_IO);
    assert_int_equal(sim_node(sim, a)->stored_ok, 0);
    assert_int_equal(found(sim, a), 0);
    sim_free(sim);
}

static void test_a_share_of_requests_fails(void **state)
{
    (void)state;
    uint32_t a;
    struct sim_disk_faults disk;
    struct sim *sim = disk_new(&a, &disk);
    disk.fail_stores = 0.25;
    assert_true(sim_host_disk(sim, a, &disk));
    for (uint32_t i = 0; i < 1000; i++) {
        command(sim, a, VN_CMD_SHUTDOWN, 0);
        command(sim, a, VN_CMD_MINE, 1);
    }
    sim_run_until(sim, SECONDS);
    assert_in_range(sim_node(sim, a)->stored_ok, 700, 800);
    sim_free(sim);
}

static void test_a_slow_disk_takes_its_time_and_a_hanging_one_waits(void **state)
{
    (void)state;
    uint32_t a;
    struct sim_disk_faults disk;
    struct sim *sim = disk_new(&a, &disk);
    disk.own_latency = true;
    disk.latency = (struct sim_dist){.kind = SIM_CONSTANT, .a = 0.02};
    disk.slow = 50;
    assert_true(sim_host_disk(sim, a, &disk));
    command(sim, a, VN_CMD_MINE, 1);
    sim_run_until(sim, 999 * MS);
    assert_int_equal(sim_node(sim, a)->stored_ok, 0);
    sim_run_until(sim, 1000 * MS);
    assert_int_equal(sim_node(sim, a)->stored_ok, 1);
    sim_disk_faults_init(&disk);
    disk.hang = true;
    assert_true(sim_host_disk(sim, a, &disk));
    command(sim, a, VN_CMD_MINE, 1);
    command(sim, a, VN_CMD_MINE, 1);
    sim_run_until(sim, 100 * SECONDS);
    assert_int_equal(sim_node(sim, a)->stored_ok, 1);
    assert_true(sim_host_disk(sim, a, NULL));
    sim_run_until(sim, 100 * SECONDS);
    assert_int_equal(sim_node(sim, a)->stored_ok, 3);
    sim_free(sim);
}

static void test_a_lying_disk_loses_its_last_batches_by_a_kill(void **state)
{
    (void)state;
    for (uint32_t lie = 0; lie <= 4; lie++) {
        uint32_t a;
        struct sim_disk_faults disk;
        struct sim *sim = disk_new(&a, &disk);
        command(sim, a, VN_CMD_MINE, 10);
        sim_run_until(sim, SECONDS);
        disk.lie = lie;
        assert_true(sim_host_disk(sim, a, &disk));
        command(sim, a, VN_CMD_MINE, 5);
        command(sim, a, VN_CMD_SHUTDOWN, 4); /* the third batch replaces what was there */
        command(sim, a, VN_CMD_MINE, 2);
        command(sim, a, VN_CMD_MINE, 1);
        command(sim, a, VN_CMD_ADD_PEER, 100);
        sim_run_until(sim, 2 * SECONDS);
        assert_int_equal(sim_node(sim, a)->stored_ok, 4);
        assert_int_equal(sim_node(sim, a)->loaded_blocks, 7); /* told, and to be read */
        static const uint64_t left[] = {7, 6, 15, 10, 10};
        assert_int_equal(found(sim, a), left[lie]);
        assert_int_equal(sim_node(sim, a)->loaded[4] >> 6, lie < 2);
        sim_free(sim);
    }
}

static void test_a_disk_that_becomes_good_has_told_the_truth(void **state)
{
    (void)state;
    uint32_t a;
    struct sim_disk_faults disk;
    struct sim *sim = disk_new(&a, &disk);
    disk.lie = 3;
    assert_true(sim_host_disk(sim, a, &disk));
    command(sim, a, VN_CMD_MINE, 5);
    command(sim, a, VN_CMD_MINE, 5);
    sim_run_until(sim, SECONDS);
    disk.lie = 1;
    assert_true(sim_host_disk(sim, a, &disk));
    sim_host_kill(sim, a);
    sim_host_start(sim, a, false);
    assert_int_equal(found(sim, a), 5);
    sim_free(sim);
}

/* Heights 4 to 9 are replaced by another branch, and the power goes in the middle of it. */
static void test_a_torn_batch_leaves_its_first_items_over_what_was_there(void **state)
{
    (void)state;
    bool lengths[7] = {false};
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct sim *sim = net_new(seed);
        uint32_t a = host_add(sim, "sink", 0, 0);
        struct sim_disk_faults disk;
        sim_disk_faults_init(&disk);
        disk.torn = 1;
        command(sim, a, VN_CMD_MINE, 20);
        sim_run_until(sim, SECONDS);
        assert_true(sim_host_disk(sim, a, &disk));
        command(sim, a, VN_CMD_SHUTDOWN, 4);
        command(sim, a, VN_CMD_MINE, 6);
        assert_int_equal(found(sim, a), 20); /* nothing above is forgotten */
        uint32_t torn = 0;
        while (sim_node(sim, a)->loaded[4 + torn] >> 6 == 1)
            torn++;
        for (uint32_t i = 0; i < 20; i++)
            assert_int_equal(sim_node(sim, a)->loaded[i] >> 6, i >= 4 && i < 4 + torn);
        assert_in_range(torn, 1, 5);
        lengths[torn] = true;
        sim_free(sim);
    }
    for (uint32_t n = 1; n <= 5; n++)
        assert_true(lengths[n]);
}

static void test_rot_changes_one_bit_of_what_is_read_and_not_what_is_stored(void **state)
{
    (void)state;
    uint32_t a;
    struct sim_disk_faults disk;
    struct sim *sim = disk_new(&a, &disk);
    command(sim, a, VN_CMD_MINE, 40);
    disk.corrupt = 0.5;
    assert_true(sim_host_disk(sim, a, &disk));
    command(sim, a, VN_CMD_ADD_PEER, 1000);
    sim_run_until(sim, SECONDS);
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < 40; i++) {
        unsigned changed = sim_node(sim, a)->loaded[i] ^ ((i + 1) & 0x3f);
        assert_true((changed & (changed - 1)) == 0);
        wrong += changed != 0;
    }
    assert_in_range(wrong, 8, 32);
    assert_int_equal(found(sim, a), 40);
    for (uint32_t i = 0; i < 40; i++)
        assert_int_equal(sim_node(sim, a)->loaded[i], (i + 1) & 0x3f);
    sim_free(sim);
}

static void test_a_disk_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    uint32_t a;
    struct sim_disk_faults disk;
    struct sim *sim = disk_new(&a, &disk);
    uint32_t peer = sim_peer_add(sim, &(struct sim_peer_ops){0}, NULL);
    assert_true(sim_host_disk(sim, a, &disk));
    assert_false(sim_host_disk(sim, peer, &disk));
    assert_false(sim_host_disk(sim, 9, &disk));
    struct sim_disk_faults bad[6];
    for (unsigned i = 0; i < 6; i++)
        bad[i] = disk;
    bad[0].slow = 0.5;
    bad[1].fail_stores = 1.1;
    bad[2].corrupt = -0.1;
    bad[3].lie = SIM_LIE_MAX + 1;
    bad[4].lie = 1;
    bad[4].torn = 1;
    bad[5].own_latency = true;
    bad[5].latency = (struct sim_dist){.kind = SIM_UNIFORM, .a = 2, .b = 1};
    for (unsigned i = 0; i < 6; i++)
        assert_false(sim_host_disk(sim, a, &bad[i]));
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_kill_leaves_a_batch_under_way_whole_or_not_at_all),
        cmocka_unit_test(test_a_failing_or_full_disk_keeps_nothing_and_says_so),
        cmocka_unit_test(test_a_share_of_requests_fails),
        cmocka_unit_test(test_a_slow_disk_takes_its_time_and_a_hanging_one_waits),
        cmocka_unit_test(test_a_lying_disk_loses_its_last_batches_by_a_kill),
        cmocka_unit_test(test_a_disk_that_becomes_good_has_told_the_truth),
        cmocka_unit_test(test_a_torn_batch_leaves_its_first_items_over_what_was_there),
        cmocka_unit_test(test_rot_changes_one_bit_of_what_is_read_and_not_what_is_stored),
        cmocka_unit_test(test_a_disk_that_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
