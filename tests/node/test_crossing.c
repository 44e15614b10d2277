/* PROTOCOL-0.1 section 4, item 10: two nodes that dial each other keep exactly one link, the same
 * on both sides, whatever the order in which things arrive. */
#include "tests/node/lan.h"

#include <string.h>

static uint64_t delays[2][2]; /* of the link dialled by node i, to its end 0 and 1 */

static uint64_t latency_of(struct lan *lan, uint32_t dialler, uint32_t acceptor, uint32_t to_end)
{
    (void)lan;
    (void)acceptor;
    return delays[dialler][to_end];
}

struct ending {
    uint32_t links;
    bool agreed;      /* both see the same link */
    uint32_t dialler; /* of the link that stayed */
    int64_t lowest;
    uint32_t evidence;
};

/* Both dial, node 1 `offset_ns` after node 0. */
static struct ending cross(const char *id0, const char *id1, uint64_t offset_ns, uint64_t run_ns)
{
    struct lan lan;
    lan_init(&lan);
    lan.latency_of = latency_of;
    struct vn_config cfg;
    lan_config(&cfg, 0, id0);
    struct lan_node *a = lan_add(&lan, &cfg, NULL, NULL);
    lan_config(&cfg, 1, id1);
    struct lan_node *b = lan_add(&lan, &cfg, NULL, NULL);
    lan_run(&lan, S);
    lan_connect(a, 1);
    lan_run(&lan, offset_ns);
    lan_connect(b, 0);
    lan_run(&lan, run_ns);
    struct ending end = {.links = 0};
    end.lowest = a->lowest_score < b->lowest_score ? a->lowest_score : b->lowest_score;
    end.evidence = a->evidence + b->evidence;
    struct vn_info ia = lan_info(a), ib = lan_info(b);
    end.agreed = ia.outbound == ib.inbound && ia.inbound == ib.outbound;
    end.links = ia.outbound + ia.inbound;
    end.dialler = ia.outbound ? 0 : 1;
    lan_deinit(&lan);
    return end;
}

/* The moment at which the link that node i dials becomes ready, first on either side. */
static uint64_t first_ready(uint32_t i, uint64_t dialled)
{
    /* connect there, back, Handshake there */
    return dialled + delays[i][1] + delays[i][0] + delays[i][1];
}

static void test_crossing_dials_leave_one_link_in_every_order(void **state)
{
    (void)state;
    static const uint64_t steps[] = {1, 2, 5, 13};
    uint32_t runs = 0, crossed = 0;
    for (uint32_t code = 0; code < 4 * 4 * 4 * 4; code++) {
        for (uint32_t i = 0; i < 4; i++)
            delays[i / 2][i % 2] = steps[code >> 2 * i & 3] * MS + i * 1000;
        for (uint64_t offset = 0; offset <= 40; offset += 3)
            for (uint32_t swap = 0; swap < 2; swap++) {
                struct ending end = cross(swap ? "b" : "a", swap ? "a" : "b", offset * MS, 5 * S);
                if (end.links != 1 || !end.agreed || end.lowest < 0 || end.evidence > 0)
                    fail_msg("code %u offset %u swap %u: %u links, agreed %d, lowest %d", code,
                             (unsigned)offset, swap, end.links, end.agreed, (int)end.lowest);
                runs++;
                /* Both links connected on both sides before either was ready anywhere: then there
                 * is no doubt that the dials crossed, and the smaller id's stays. */
                uint64_t dialled1 = offset * MS;
                uint64_t up0 = delays[0][1] + delays[0][0];
                uint64_t up1 = dialled1 + delays[1][1] + delays[1][0];
                uint64_t ready0 = first_ready(0, 0), ready1 = first_ready(1, dialled1);
                uint64_t ready = ready0 < ready1 ? ready0 : ready1;
                if (up0 >= ready || up1 >= ready)
                    continue;
                crossed++;
                if (end.dialler != (swap ? 1u : 0u))
                    fail_msg("code %u offset %u swap %u: the larger id's link stayed", code,
                             (unsigned)offset, swap);
            }
    }
    assert_true(runs > 5000 && crossed > 500);
}

static void test_a_dial_before_the_other_link_is_ready_crosses_it(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2; i++)
        delays[i][0] = delays[i][1] = 10 * MS;
    /* The link of node 0 becomes ready after 30 ms; until then node 1 may dial, too. */
    for (uint64_t offset = 0; offset < 30; offset++)
        for (uint32_t swap = 0; swap < 2; swap++) {
            struct ending end = cross(swap ? "b" : "a", swap ? "a" : "b", offset * MS, 5 * S);
            assert_true(end.links == 1 && end.agreed && end.lowest >= 0);
            assert_int_equal(end.dialler, swap);
        }
}

static void test_crossed_dials_stay_settled(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2; i++)
        delays[i][0] = delays[i][1] = 10 * MS;
    struct ending end = cross("a", "b", 0, 1800 * S);
    assert_int_equal(end.links, 1);
    assert_true(end.agreed && end.dialler == 0 && end.lowest >= 0);
}

static void test_seeds_that_name_each_other_settle_on_one_link_each(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2; i++)
        delays[i][0] = delays[i][1] = 10 * MS;
    struct lan lan;
    lan_init(&lan);
    struct vn_addr all[4];
    for (uint32_t i = 0; i < 4; i++)
        all[i] = lan_addr(i);
    const char *ids[] = {"d", "b", "c", "a"};
    for (uint32_t i = 0; i < 4; i++) {
        struct vn_config cfg;
        lan_config(&cfg, i, ids[i]);
        cfg.seeds = all;
        cfg.seed_count = 4;
        lan_add(&lan, &cfg, NULL, NULL);
    }
    lan_run(&lan, 300 * S);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(lan_ready(&lan.nodes[i]), 3);
        assert_true(lan.nodes[i].lowest_score >= 0);
    }
    uint32_t conns = lan.conn_count;
    lan_run(&lan, 600 * S);
    assert_int_equal(lan.conn_count, conns); /* nobody dials what it has */
    lan_deinit(&lan);
}

static void test_a_full_acceptor_does_not_lose_both_links_of_a_crossing(void **state)
{
    (void)state;
    /* b accepts a's dial, then its own is ready, then a's Handshake comes. */
    delays[0][0] = delays[0][1] = 10 * MS;
    delays[1][0] = delays[1][1] = 5 * MS;
    struct lan lan;
    lan_init(&lan);
    lan.latency_of = latency_of;
    struct vn_config cfg;
    lan_config(&cfg, 0, "a");
    struct lan_node *a = lan_add(&lan, &cfg, NULL, NULL);
    lan_config(&cfg, 1, "b");
    cfg.max_inbound = 0;
    struct lan_node *b = lan_add(&lan, &cfg, NULL, NULL);
    lan_connect(a, 1);
    lan_connect(b, 0);
    lan_run(&lan, 2 * S);
    assert_int_equal(lan_ready(a), 1);
    assert_int_equal(lan_ready(b), 1);
    lan_deinit(&lan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crossing_dials_leave_one_link_in_every_order),
        cmocka_unit_test(test_a_dial_before_the_other_link_is_ready_crosses_it),
        cmocka_unit_test(test_crossed_dials_stay_settled),
        cmocka_unit_test(test_seeds_that_name_each_other_settle_on_one_link_each),
        cmocka_unit_test(test_a_full_acceptor_does_not_lose_both_links_of_a_crossing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
