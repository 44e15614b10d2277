/* Anchors: whom a node that is started again dials first (core/peer/anchors.h). */
#include "tests/node/rig.h"

#include <stdio.h>

/* A node that dialled `dialled` others and was dialled by 14 more, all ready, and knows them. */
static void rig_of_many(struct rig *rig, uint32_t dialled, struct rig_link **links)
{
    struct vn_config cfg;
    char id[24];
    rig_config(&cfg);
    cfg.max_outbound = 2;
    rig_init_started(rig, &cfg);
    for (uint32_t i = 0; i < dialled; i++) {
        snprintf(id, sizeof id, "dialled-%u", i);
        links[i] = rig_dial_to(rig, rig_addr(100 + i, 8765));
        rig_hello(rig, links[i], id, "0.1.0", 8765);
        assert_int_equal(rig_peer(rig, links[i]).state, VN_PEER_READY);
        rig_run(rig, S);
    }
    for (uint32_t i = 0; i < 14; i++) {
        snprintf(id, sizeof id, "dialler-%u", i);
        rig_ready(rig, rig_addr(200 + i, 8765), id);
    }
}

/* Killed, and started again with other dice. */
static void again(struct rig *rig, uint8_t dice)
{
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.max_outbound = 2;
    cfg.seed[0] = dice;
    rig_restart(rig, &cfg);
    rig_start(rig);
}

/* Those that are dialled at the start, without the rest of the addresses. */
static uint32_t first_dials(const struct rig *rig, struct vn_addr out[2])
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < rig->link_count; i++)
        if (rig->links[i].id % 2 == 1 && count++ < 2)
            out[count - 1] = rig->links[i].remote;
    return count;
}

static bool among(const struct vn_addr dials[2], uint32_t host)
{
    struct vn_addr addr = rig_addr(host, 8765);
    return memcmp(&dials[0], &addr, sizeof addr) == 0 || memcmp(&dials[1], &addr, sizeof addr) == 0;
}

static void test_a_killed_node_dials_its_anchors_first(void **state)
{
    (void)state;
    for (uint8_t run = 0; run < 5; run++) {
        struct rig rig;
        struct rig_link *links[4];
        struct vn_addr dials[2];
        rig_of_many(&rig, 4, links);
        again(&rig, run);
        assert_int_equal(first_dials(&rig, dials), 2);
        assert_true(among(dials, 100) && among(dials, 101));
        rig_deinit(&rig);
    }
}

static void test_an_anchor_whose_link_ends_gives_way_to_the_oldest(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_link *links[4];
    struct vn_addr dials[2];
    rig_of_many(&rig, 4, links);
    rig_down(&rig, links[0], VN_WHY_RESET);
    again(&rig, 1);
    assert_int_equal(first_dials(&rig, dials), 2);
    assert_true(among(dials, 101) && among(dials, 102));
    rig_deinit(&rig);
}

static void test_an_orderly_shutdown_keeps_the_anchors(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_link *links[4];
    struct vn_addr dials[2];
    rig_of_many(&rig, 4, links);
    rig_command(&rig, (struct vn_command){.kind = VN_CMD_SHUTDOWN});
    again(&rig, 1);
    assert_int_equal(first_dials(&rig, dials), 2);
    assert_true(among(dials, 100) && among(dials, 101));
    rig_deinit(&rig);
}

static void test_an_anchor_that_cannot_be_reached_is_one_no_more(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_link *links[2];
    struct vn_addr dials[2];
    uint32_t tries = 0;
    rig_of_many(&rig, 2, links);
    again(&rig, 1);
    while (rig_dial(&rig) && tries++ < 2)
        rig_down(&rig, rig_dial(&rig), VN_WHY_REFUSED);
    again(&rig, 1);
    first_dials(&rig, dials);
    assert_false(among(dials, 100) && among(dials, 101));
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_killed_node_dials_its_anchors_first),
        cmocka_unit_test(test_an_anchor_whose_link_ends_gives_way_to_the_oldest),
        cmocka_unit_test(test_an_orderly_shutdown_keeps_the_anchors),
        cmocka_unit_test(test_an_anchor_that_cannot_be_reached_is_one_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
