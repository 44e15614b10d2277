/* The invariants that stand in every scenario: no honest node penalises, bans or refuses an honest
 * one, and every node's books add up. A world of traces, without nodes, stands in for a core that
 * breaks them: each test plants a trace, or wrong books, and looks at the verdict. */
#include "core/wire/msg.h"
#include "tests/unit/engine_fixture.h"

static struct fake {
    struct sim_observer observer;
    uint64_t now_ns;
    uint32_t hosts;
    struct vn_trace trace; /* told at 5 s */
    uint32_t by;
    bool told, stop;
    uint32_t peers_banned;
    uint64_t token;
    uint32_t wrong; /* the host whose books are wrong once its trace was told, if wrong_books */
    bool wrong_books;
    bool killed[4];
    uint32_t audits;
} fake;

static uint64_t fake_now(void *self)
{
    (void)self;
    return fake.now_ns;
}

static void fake_run_until(void *self, uint64_t t_ns)
{
    (void)self;
    const uint64_t planted_ns = 5 * NS_PER_S;
    fake.stop = false;
    if (!fake.told && t_ns >= planted_ns) {
        fake.told = true;
        fake.now_ns = planted_ns;
        fake.trace.now_ns = planted_ns;
        if (fake.observer.trace_mask & 1ull << fake.trace.kind)
            fake.observer.on_trace(fake.observer.ctx, fake.by, &fake.trace);
        if (fake.observer.on_drained)
            fake.observer.on_drained(fake.observer.ctx, fake.by, 0);
        if (fake.observer.settle_mask & 1ull << fake.trace.kind)
            fake.observer.on_settled(fake.observer.ctx, fake.by);
    }
    if (!fake.stop)
        fake.now_ns = t_ns;
}

static void fake_stop(void *self)
{
    (void)self;
    fake.stop = true;
}

static uint32_t fake_spawn(void *self, const struct vn_config *config,
                           const struct sim_host_params *params, char *text, size_t size)
{
    (void)self;
    (void)config;
    (void)params;
    (void)text;
    (void)size;
    return fake.hosts++;
}

static uint32_t fake_peer_add(void *self, const struct sim_peer_ops *ops,
                              const struct sim_host_params *params)
{
    (void)self;
    (void)ops;
    (void)params;
    return fake.hosts++;
}

static uint64_t fake_command(void *self, uint32_t host, const struct vn_command *command)
{
    (void)self;
    fake.peers_banned += command->kind == VN_CMD_BAN;
    fake.observer.on_reply(fake.observer.ctx, host, ++fake.token, VN_OK, "");
    return fake.token;
}

static bool fake_info(void *self, uint32_t host, struct vn_info *out)
{
    (void)self;
    (void)host;
    *out = (struct vn_info){.size = sizeof *out};
    return true;
}

static bool fake_audit(void *self, uint32_t host, struct vn_audit *out)
{
    (void)self;
    fake.audits++;
    if (!fake.wrong_books || host != fake.wrong || !fake.told || fake.killed[host])
        return true;
    *out = (struct vn_audit){.what = "feelers", .link = 9, .kept = 5, .counted = 3};
    return false;
}

static bool fake_alive(void *self, uint32_t host)
{
    (void)self;
    return !fake.killed[host];
}

static void fake_kill(void *self, uint32_t host)
{
    (void)self;
    fake.killed[host] = true;
}

static struct vn_addr fake_addr(void *self, uint32_t host)
{
    (void)self;
    return sim_host_addr(host);
}

static uint32_t fake_host_of(void *self, const struct vn_addr *addr)
{
    (void)self;
    for (uint32_t i = 0; i < fake.hosts; i++) {
        struct vn_addr have = sim_host_addr(i);
        if (memcmp(have.ip, addr->ip, sizeof have.ip) == 0)
            return i;
    }
    return UINT32_MAX;
}

static void fake_stats(void *self, struct world_stats *out)
{
    (void)self;
    *out = (struct world_stats){0};
}

static uint64_t fake_hash(void *self)
{
    (void)self;
    return 0;
}

static void fake_free(void *self)
{
    (void)self;
}

static bool changed_bytes; /* between the first two nodes */

static bool fake_mangled(void *self, uint32_t a, uint32_t b)
{
    (void)self;
    return changed_bytes && a + b == 1;
}

static void fake_make(struct world *world, const struct sim_config *config)
{
    fake.observer = config->observer;
    *world = (struct world){.name = "fake",
                            .self = &fake,
                            .now_ns = fake_now,
                            .run_until = fake_run_until,
                            .stop = fake_stop,
                            .spawn = fake_spawn,
                            .peer_add = fake_peer_add,
                            .command = fake_command,
                            .info = fake_info,
                            .audit = fake_audit,
                            .alive = fake_alive,
                            .kill = fake_kill,
                            .addr = fake_addr,
                            .host_of = fake_host_of,
                            .mangled = fake_mangled,
                            .stats = fake_stats,
                            .trace_hash = fake_hash,
                            .free = fake_free};
}

/* Two honest nodes 0 and 1, one of another version 2, a scripted peer 3; the node `by` does the
 * trace to `victim`. */
static void plant(struct vn_trace trace, uint32_t by, uint32_t victim, const char *before)
{
    char body[400];
    struct vn_addr addr = sim_host_addr(victim);
    fake = (struct fake){.by = by, .trace = trace};
    fake.trace.addr = &addr;
    world_made = fake_make;
    snprintf(body, sizeof body,
             "local g = net:spawn(2) net:spawn(1, { version = '9.0.0', seeds = 0 }) net:peer()\n"
             "%s sleep(10) log('end')",
             before);
    run_body(body);
}

static void violates(struct vn_trace trace, uint32_t by, uint32_t victim, const char *text)
{
    plant(trace, by, victim, "");
    assert_int_equal(result.outcome, ENGINE_FAIL);
    if (!strstr(result.reason, "invariant failed at t=5.000000 s") || !strstr(result.reason, text))
        fail_msg("%s instead of %s", result.reason, text);
    assert_null(strstr(told, "log end"));
    expect_told("check invariant no honest node penalises, bans or refuses an honest one failed: ");
    assert_int_equal(result.sim_ns, 5 * NS_PER_S);
}

static void tolerates(struct vn_trace trace, uint32_t by, uint32_t victim, const char *before)
{
    plant(trace, by, victim, before);
    if (result.outcome != ENGINE_PASS)
        fail_msg("%s", result.reason);
    assert_true(fake.told);
    expect_told("log end\n");
    expect_told("check invariant no honest node penalises, bans or refuses an honest one ok");
    expect_told("check invariant every node's books add up ok");
    assert_true(fake.audits >= 3); /* at the end, if not before, and no scripted peer */
}

/* The books of `host` are wrong from 5 s on, and `body` is what the script does. */
static void wrong_books(uint32_t host, const char *body)
{
    struct vn_addr addr = sim_host_addr(1);
    fake = (struct fake){.trace = {.kind = VN_TR_TIP, .addr = &addr, .a = 1},
                         .wrong_books = true,
                         .wrong = host};
    world_made = fake_make;
    run_body(body);
    assert_int_equal(result.outcome, ENGINE_FAIL);
    expect_told("check invariant every node's books add up failed: ");
}

static struct vn_trace score(int64_t points, uint64_t evidence)
{
    return (struct vn_trace){.kind = VN_TR_SCORE,
                             .a = (uint64_t)points,
                             .b = (uint64_t)points,
                             .c = evidence,
                             .text = "invalid-block"};
}

static struct vn_trace disconnect(uint32_t reason, uint64_t sent)
{
    return (struct vn_trace){
        .kind = VN_TR_DISCONNECT, .a = reason, .b = sent, .text = "banned peer"};
}

static void test_punishing_an_honest_node_fails_the_run_at_once(void **state)
{
    (void)state;
    violates(score(-100, 1), 0, 1, "node-0001 penalises node-0002 at t=5.000000 s: invalid-block");
    violates((struct vn_trace){.kind = VN_TR_BAN}, 1, 0, "node-0002 bans node-0001");
    violates(disconnect(REASON_PROTOCOL_VIOLATION, 1), 0, 1,
             "node-0001 refuses node-0002 at t=5.000000 s: banned peer");
    violates(disconnect(REASON_INCOMPATIBLE_VERSION, 1), 0, 1, "node-0001 refuses node-0002");
    violates(score(-50, 1), 0, 2, "node-0001 penalises node-0003");
}

static void test_bad_weather_and_ordinary_ends_are_no_punishment(void **state)
{
    (void)state;
    tolerates(score(-5, 0), 0, 1, "");
    tolerates(score(10, 1), 0, 1, "");
    tolerates(disconnect(REASON_TOO_MANY_CONNECTIONS, 1), 0, 1, "");
    tolerates(disconnect(REASON_DUPLICATE_CONNECTION, 1), 0, 1, "");
    tolerates(disconnect(REASON_TIMEOUT, 1), 0, 1, "");
    tolerates(disconnect(REASON_SHUTDOWN, 1), 0, 1, "");
    tolerates(disconnect(REASON_PROTOCOL_VIOLATION, 0), 0, 1, ""); /* it was told so */
    tolerates(disconnect(REASON_INCOMPATIBLE_VERSION, 1), 0, 2, "");
}

static void test_scripted_peers_may_be_punished(void **state)
{
    (void)state;
    tolerates(score(-100, 1), 0, 3, "");
    tolerates((struct vn_trace){.kind = VN_TR_BAN}, 0, 3, "");
    tolerates(disconnect(REASON_PROTOCOL_VIOLATION, 1), 0, 3, "");
}

static void test_a_ban_that_the_scenario_asked_for_is_its_own(void **state)
{
    (void)state;
    tolerates((struct vn_trace){.kind = VN_TR_BAN}, 0, 1, "g[1]:ban(g[2])");
    assert_int_equal(fake.peers_banned, 1);
    tolerates(disconnect(REASON_PROTOCOL_VIOLATION, 1), 0, 1, "g[1]:ban(g[2], 60)");
    plant((struct vn_trace){.kind = VN_TR_BAN}, 1, 0, "g[1]:ban(g[2])");
    assert_int_equal(result.outcome, ENGINE_FAIL);
}

static void test_who_got_changed_bytes_is_excused_towards_that_node_alone(void **state)
{
    (void)state;
    changed_bytes = true;
    tolerates(score(-100, 1), 0, 1, "");
    tolerates((struct vn_trace){.kind = VN_TR_BAN}, 1, 0, "");
    tolerates(disconnect(REASON_PROTOCOL_VIOLATION, 1), 0, 1, "");
    violates(score(-50, 1), 0, 2, "node-0001 penalises node-0003");
    changed_bytes = false;
}

static void test_books_that_do_not_add_up_fail_the_run_at_the_latest_at_its_end(void **state)
{
    (void)state;
    wrong_books(2, "net:spawn(3, { seeds = 0 }) sleep(10) log('end')");
    expect_told("node-0003, link 9: feelers: 5 in its books where 3 is right");
    expect_told("log end");
    assert_int_equal(result.sim_ns, 10 * NS_PER_S);
}

static void test_where_things_settle_books_are_looked_at_in_turn(void **state)
{
    (void)state;
    wrong_books(1, "local g = net:spawn(2, { seeds = 0 })\n"
                   "for _ = 1, 200 do g[1]:mine() sleep(0.1) end log('end')");
    assert_null(strstr(told, "log end"));
    assert_in_range(result.sim_ns, 5 * NS_PER_S, 19 * NS_PER_S); /* 64 times for one of the two */
}

static void test_with_audits_books_are_looked_at_whenever_a_node_has_drained(void **state)
{
    (void)state;
    options.audit = true;
    wrong_books(0, "net:spawn(2, { seeds = 0 }) sleep(10) log('end')");
    assert_null(strstr(told, "log end"));
    assert_int_equal(result.sim_ns, 5 * NS_PER_S);
}

static void test_books_are_looked_at_before_a_node_is_killed(void **state)
{
    (void)state;
    wrong_books(0, "local g = net:spawn(1, { seeds = 0 })\n"
                   "sleep(7) g[1]:kill() sleep(3) log('end')");
    assert_null(strstr(told, "log end"));
    assert_int_equal(result.sim_ns, 7 * NS_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_punishing_an_honest_node_fails_the_run_at_once),
        T(test_bad_weather_and_ordinary_ends_are_no_punishment),
        T(test_scripted_peers_may_be_punished),
        T(test_a_ban_that_the_scenario_asked_for_is_its_own),
        T(test_who_got_changed_bytes_is_excused_towards_that_node_alone),
        T(test_books_that_do_not_add_up_fail_the_run_at_the_latest_at_its_end),
        T(test_where_things_settle_books_are_looked_at_in_turn),
        T(test_books_are_looked_at_before_a_node_is_killed),
        T(test_with_audits_books_are_looked_at_whenever_a_node_has_drained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
