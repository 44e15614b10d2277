/* Scripted peers. */
#include "tests/sim/sim_fixture.h"

struct script {
    struct sim *sim;
    uint32_t host;
    uint64_t link;
    uint32_t ups, closes, why;
    uint64_t rx_bytes, rx_hash;
    uint64_t kill_after;  /* bytes, then it kills itself */
    uint64_t close_after; /* bytes, then it closes */
    bool reply;
};

static void on_link(void *ctx, uint32_t host, uint64_t link, const struct vn_addr *remote)
{
    struct script *script = ctx;
    assert_int_equal(host, script->host);
    assert_int_not_equal(sim_host_of(script->sim, remote), UINT32_MAX);
    script->link = link;
    script->ups++;
}

static void on_bytes(void *ctx, uint32_t host, uint64_t link, struct vn_slice data)
{
    struct script *script = ctx;
    assert_int_equal(link, script->link);
    assert_int_equal(script->closes, 0);
    assert_true(sim_host_alive(script->sim, host));
    script->rx_bytes += data.len;
    script->rx_hash = fake_stream_hash(script->rx_hash, vn_slice_data(data), data.len);
    if (script->reply)
        assert_true(sim_peer_send(script->sim, host, link, vn_slice_ref(data)));
    if (script->close_after > 0 && script->rx_bytes >= script->close_after)
        assert_true(sim_peer_close(script->sim, host, link));
    if (script->kill_after > 0 && script->rx_bytes >= script->kill_after)
        sim_host_kill(script->sim, host);
}

static void on_close(void *ctx, uint32_t host, uint64_t link, uint32_t why)
{
    struct script *script = ctx;
    assert_int_equal(host, script->host);
    assert_int_equal(link, script->link);
    script->closes++;
    script->why = why;
}

static void script_init(struct script *script, double chunk_chance)
{
    struct sim_config config;
    sim_config_init(&config);
    config.chunk_chance = chunk_chance;
    *script = (struct script){.sim = sim_new(&config)};
    const struct sim_peer_ops ops = {script, on_link, on_bytes, on_close};
    script->host = sim_peer_add(script->sim, &ops, NULL);
    assert_int_not_equal(script->host, UINT32_MAX);
}

static void test_a_script_dials_sends_without_bound_and_closes(void **state)
{
    (void)state;
    struct script s;
    script_init(&s, 0.1);
    uint32_t a = host_add(s.sim, "echo", 0, 0);
    struct vn_addr addr = sim_host_addr(a);
    s.link = sim_peer_dial(s.sim, s.host, &addr);
    assert_int_equal(s.link % 2, 1);
    assert_false(sim_peer_send(s.sim, s.host, s.link, pattern(10))); /* not open yet */
    sim_run_until(s.sim, SECONDS);
    assert_int_equal(s.ups, 1);
    for (uint32_t i = 0; i < 20; i++)
        assert_true(sim_peer_send(s.sim, s.host, s.link, pattern(100000)));
    assert_true(sim_peer_send(s.sim, s.host, s.link, pattern(0)));
    sim_run_until(s.sim, 60 * SECONDS);
    assert_int_equal(s.rx_bytes, 2000000);
    assert_int_equal(s.rx_hash, link_of(s.sim, a, 0)->rx_hash);
    for (uint32_t i = 0; i < 5; i++) /* more than a window, then closed at once */
        sim_peer_send(s.sim, s.host, s.link, pattern(100000));
    assert_true(sim_peer_close(s.sim, s.host, s.link));
    assert_false(sim_peer_close(s.sim, s.host, s.link));
    sim_run_until(s.sim, 61 * SECONDS);
    assert_int_equal(s.closes, 1);
    assert_int_equal(s.why, VN_WHY_LOCAL_CLOSED);
    assert_int_equal(link_of(s.sim, a, 0)->rx_bytes, 2500000);
    assert_int_equal(link_of(s.sim, a, 0)->why, VN_WHY_REMOTE_CLOSED);
    sim_free(s.sim);
}

static void test_a_script_that_reads_no_more_stalls_its_peer(void **state)
{
    (void)state;
    struct script s;
    script_init(&s, 0);
    uint32_t a = host_add(s.sim, "sink", 0, 0);
    dial(s.sim, a, s.host);
    sim_run_until(s.sim, SECONDS);
    assert_true(sim_peer_read(s.sim, s.host, s.link, false));
    submit(s.sim, a, 1000000);
    sim_run_until(s.sim, 10 * SECONDS);
    assert_int_equal(s.rx_bytes, 0);
    assert_int_equal(link_of(s.sim, a, 0)->used, 256 * 1024);
    assert_true(sim_peer_read(s.sim, s.host, s.link, true));
    sim_run_until(s.sim, 20 * SECONDS);
    assert_int_equal(s.rx_bytes, 1000000);
    assert_int_equal(s.rx_hash, link_of(s.sim, a, 0)->tx_hash);
    sim_free(s.sim);
}

static void test_a_script_may_close_or_die_within_its_callbacks(void **state)
{
    (void)state;
    for (unsigned how = 0; how < 3; how++) { /* closes, dies, closes and dies */
        struct script s;
        script_init(&s, 1);
        s.reply = true;
        s.close_after = how != 1 ? 300 : 0;
        s.kill_after = how != 0 ? 300 : 0;
        uint32_t a = host_add(s.sim, "echo", 0, 0);
        dial(s.sim, a, s.host);
        sim_run_until(s.sim, SECONDS);
        for (uint32_t i = 0; i < 10; i++)
            submit(s.sim, a, 1000);
        sim_run_until(s.sim, 2 * SECONDS);
        assert_true(s.rx_bytes >= 300 && s.rx_bytes < 10000);
        assert_int_equal(link_of(s.sim, a, 0)->downs, 1);
        assert_int_equal(s.closes, how == 0); /* the dead hear nothing */
        assert_int_equal(sim_host_alive(s.sim, s.host), how == 0);
        sim_host_start(s.sim, s.host, false);
        struct sim_stats stats;
        sim_stats(s.sim, &stats);
        assert_int_equal(stats.links_now, 0);
        sim_free(s.sim);
    }
}

static void test_two_scripts_can_talk(void **state)
{
    (void)state;
    struct script s;
    script_init(&s, 0.5);
    struct script t = {.sim = s.sim, .reply = true};
    const struct sim_peer_ops ops = {&t, on_link, on_bytes, on_close};
    t.host = sim_peer_add(s.sim, &ops, NULL);
    struct vn_addr addr = sim_host_addr(t.host);
    uint64_t before = sim_trace_hash(s.sim);
    sim_peer_dial(s.sim, s.host, &addr);
    sim_run_until(s.sim, SECONDS);
    sim_peer_send(s.sim, s.host, s.link, pattern(500000));
    sim_run_until(s.sim, 10 * SECONDS);
    assert_int_equal(s.rx_bytes, 500000);
    assert_int_equal(s.rx_hash, t.rx_hash);
    assert_int_not_equal(sim_trace_hash(s.sim), before);
    sim_free(s.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_script_dials_sends_without_bound_and_closes),
        cmocka_unit_test(test_a_script_that_reads_no_more_stalls_its_peer),
        cmocka_unit_test(test_a_script_may_close_or_die_within_its_callbacks),
        cmocka_unit_test(test_two_scripts_can_talk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
