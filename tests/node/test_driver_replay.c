/* A node is a pure function of its configuration and its events and drains: a captured run, played
 * into a fresh node, gives the same hash. */
#include "tests/node/lan.h"

#include <string.h>

static uint64_t play(const struct tape *tape, const struct vn_config *cfg)
{
    struct vn_config quiet = *cfg;
    quiet.on_trace = NULL;
    struct vn_node *node = vn_node_new(&quiet);
    tape_play(tape, node);
    uint64_t hash = vn_node_hash(node);
    vn_node_free(node);
    return hash;
}

static void expect_replay(const struct tape *tape, const struct vn_config *cfg, uint64_t hash)
{
    assert_true(play(tape, cfg) == hash);
    assert_true(play(tape, cfg) == hash);
    struct vn_config other = *cfg; /* the dice count */
    other.seed[31] ^= 1;
    if (tape->count > 200)
        assert_false(play(tape, &other) == hash);
    struct tape cut = *tape; /* so does every event and every drain */
    cut.count--;
    assert_false(play(&cut, cfg) == hash);
}

static void mine(struct lan_node *node, uint64_t count)
{
    lan_command(node, (struct vn_command){.kind = VN_CMD_MINE, .number = count});
}

static void submit(struct lan_node *node, uint64_t tag)
{
    struct vn_buf *tx = forge_tx((struct forge_tx){.sender = tag, .nonce = tag});
    lan_command(node, (struct vn_command){.kind = VN_CMD_SUBMIT_TX, .data = forge_whole(tx)});
    vn_buf_unref(tx);
}

static void test_a_life_with_growth_reorganisation_and_disk_replays_to_its_hash(void **state)
{
    (void)state;
    struct lan lan;
    struct tape tapes[3] = {{0}, {0}, {0}};
    lan_init(&lan);
    lan.disk_delay_ns = 30 * MS;
    const char *ids[] = {"a", "b", "c"};
    const struct vn_addr seed = lan_addr(0);
    for (uint32_t i = 0; i < 3; i++) {
        struct vn_config cfg;
        lan_config(&cfg, i, ids[i]);
        cfg.cached_blocks = 5;
        cfg.feeler_interval_ns = 20 * S;
        cfg.mine_interval_ns = i == 2 ? 40 * S : 0;
        cfg.seeds = &seed;
        cfg.seed_count = 1;
        lan_add(&lan, &cfg, NULL, &tapes[i]);
    }
    lan_run(&lan, 60 * S);
    mine(&lan.nodes[0], 30);
    submit(&lan.nodes[1], 1);
    lan_run(&lan, 10 * S);
    lan_separate(&lan, 0, 1, true);
    lan_separate(&lan, 2, 1, true);
    mine(&lan.nodes[1], 3);
    mine(&lan.nodes[0], 4);
    lan_run(&lan, 100 * S);
    lan_separate(&lan, 0, 1, false);
    lan_separate(&lan, 2, 1, false);
    lan_run(&lan, 200 * S);
    assert_true(lan_same_tip(&lan.nodes[0], &lan.nodes[1]));
    assert_true(lan.nodes[1].deepest_reorg >= 3);
    for (uint32_t i = 0; i < 3; i++) {
        struct vn_config cfg = lan.nodes[i].cfg;
        cfg.seeds = &seed;
        expect_replay(&tapes[i], &cfg, lan_info(&lan.nodes[i]).hash);
    }
    lan_deinit(&lan);
    for (uint32_t i = 0; i < 3; i++)
        tape_deinit(&tapes[i]);
}

static void test_bans_and_serving_from_disk_replay_too(void **state)
{
    (void)state;
    struct tape tape = {0};
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.cached_blocks = 4;
    struct rig rig;
    rig_init(&rig, &cfg);
    rig.tape = &tape;
    rig_start(&rig);
    rig_command(&rig, (struct vn_command){.kind = VN_CMD_MINE, .number = 50});
    struct rig_link *good = rig_ready_idle(&rig, rig_addr(7, 5000), "good");
    struct rig_link *bad = rig_ready_idle(&rig, rig_addr(8, 5000), "bad");
    rig_request_range(&rig, good, 1, 40);
    rig_request(&rig, good, 3);
    struct vn_buf *line[2];
    forge_line(line, 1, 1);
    struct block_view view = forge_view(line[1]);
    view.poh_seq = 9;
    struct vn_buf *wrong = forge_block(view, false);
    rig_frame(&rig, bad, forge_new_block(wrong));
    assert_true(bad->closed);
    rig_run(&rig, 100 * S);
    assert_true(good->closed);
    uint64_t hash = vn_node_hash(rig.node);
    rig.tape = NULL;
    expect_replay(&tape, &cfg, hash);
    vn_buf_unref(wrong);
    forge_drop(line, 2);
    rig_deinit(&rig);
    tape_deinit(&tape);
}

/* The same run in a node with a shared cache beside another node, and in one with its own. */
static void test_a_shared_cache_is_invisible(void **state)
{
    (void)state;
    uint64_t hashes[2];
    for (uint32_t shared = 0; shared < 2; shared++) {
        struct vn_shared *cache = shared ? vn_shared_new() : NULL;
        struct lan lan;
        lan_init(&lan);
        const char *ids[] = {"a", "b", "c"};
        const struct vn_addr seed = lan_addr(0);
        for (uint32_t i = 0; i < 3; i++) {
            struct vn_config cfg;
            lan_config(&cfg, i, ids[i]);
            cfg.seeds = &seed;
            cfg.seed_count = 1;
            cfg.cached_blocks = 3 + i;
            cfg.shared = cache;
            lan_add(&lan, &cfg, NULL, NULL);
        }
        lan_run(&lan, 5 * S);
        for (uint64_t i = 0; i < 20; i++) {
            submit(&lan.nodes[i % 3], i);
            mine(&lan.nodes[i % 3], 1);
            if (i % 4 == 0)
                mine(&lan.nodes[(i + 1) % 3], 1); /* two branches */
            lan_run(&lan, S);
        }
        lan_run(&lan, 100 * S);
        hashes[shared] = 0;
        for (uint32_t i = 0; i < 3; i++)
            hashes[shared] = hashes[shared] * 31 + lan_info(&lan.nodes[i]).hash;
        lan_deinit(&lan);
        vn_shared_free(cache);
    }
    assert_true(hashes[0] == hashes[1]);
}

static void test_a_byte_that_changes_no_behaviour_changes_the_hash(void **state)
{
    (void)state;
    uint64_t hashes[2];
    for (uint64_t nonce = 0; nonce < 2; nonce++) {
        struct rig rig;
        rig_init_started(&rig, NULL);
        struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "peer");
        rig_msg(&rig, link, &(struct msg){.kind = MSG_PONG, .u.pong.nonce = nonce});
        hashes[nonce] = vn_node_hash(rig.node);
        rig_deinit(&rig);
    }
    assert_false(hashes[0] == hashes[1]);
}

static void test_who_listens_to_traces_is_invisible(void **state)
{
    (void)state;
    struct tape tape = {0};
    struct rig rig;
    rig_init(&rig, NULL);
    rig.tape = &tape;
    rig_start(&rig);
    rig_ready_idle(&rig, rig_addr(7, 5000), "peer");
    rig_command(&rig, (struct vn_command){.kind = VN_CMD_MINE, .number = 5});
    assert_true(play(&tape, &rig.cfg) == vn_node_hash(rig.node));
    rig_deinit(&rig);
    tape_deinit(&tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_life_with_growth_reorganisation_and_disk_replays_to_its_hash),
        cmocka_unit_test(test_bans_and_serving_from_disk_replay_too),
        cmocka_unit_test(test_a_shared_cache_is_invisible),
        cmocka_unit_test(test_a_byte_that_changes_no_behaviour_changes_the_hash),
        cmocka_unit_test(test_who_listens_to_traces_is_invisible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
