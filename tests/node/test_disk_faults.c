/* What a node answers to a disk that fails, hangs, tears, lies or rots: it is never on a wrong
 * chain, holds a bounded part in memory, and writes the whole chain when the disk is good again. */
#include "tests/node/full_peer.h"

#define LONG 6000u

static void mine(struct rig *rig, uint64_t count)
{
    struct vn_command command = {.kind = VN_CMD_MINE, .number = count};
    assert_int_equal(rig_command(rig, command), VN_OK);
}

/* The disk holds exactly blocks[1..height]. */
static void expect_stored(const struct rig *rig, struct vn_buf *const *blocks, uint64_t height)
{
    assert_int_equal(rig->disk.heights, height);
    for (uint64_t h = 1; h <= height; h++) {
        const struct vn_buf *value = rig->disk.blocks[h - 1].value;
        assert_int_equal(value->len, blocks[h]->len);
        assert_memory_equal(value->data, blocks[h]->data, value->len);
    }
}

static void serve(struct rig *rig, struct rig_link *link, struct vn_buf *const *blocks,
                  uint64_t height)
{
    while (serve_one(rig, link, blocks, height, 100))
        ;
}

static struct rig_link *join(struct rig *rig, struct vn_buf *const *blocks, uint64_t height)
{
    struct rig_link *link = rig_ready(rig, rig_addr(7, 5000), "full");
    rig_frame(rig, link, forge_response(blocks[height]));
    serve(rig, link, blocks, height);
    return link;
}

static void test_a_batch_that_fails_is_written_whole_after_its_blocks_have_left_memory(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.cached_blocks = 4;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    mine(&rig, 3);
    rig.fail_stores = true;
    for (uint32_t i = 0; i < 50; i++) {
        mine(&rig, 1);
        rig_run(&rig, 300 * MS);
    }
    assert_int_equal(rig.disk.heights, 3);
    rig.fail_stores = false;
    rig_run(&rig, 3 * S);
    assert_int_equal(rig.disk.gaps, 0);
    assert_int_equal(rig.disk.heights, 53);
    rig_deinit(&rig);
}

#define HEAVY 90u
#define LIGHT 61u

/* Large blocks, of which 60 are more than may be held. */
static void forge_heavy(struct vn_buf **blocks)
{
    static uint8_t ids[9000 * 32];
    blocks[0] = forge_genesis();
    for (uint32_t height = 1; height <= HEAVY; height++) {
        for (uint32_t i = 0; i < 9000; i++)
            put_le32(ids + i * 32, height << 16 | i);
        blocks[height] = forge_child_ids(blocks[height - 1], 1, ids, 9000);
    }
}

/* Answers the next RequestBlockRange with half of what it asks for, and what comes before it with
 * what it asks for. */
static void serve_half(struct rig *rig, struct rig_link *link, struct vn_buf *const *blocks)
{
    for (const struct msg *msg; (msg = rig_next(link)) != NULL;) {
        if (msg->kind == MSG_REQUEST_BLOCK) {
            uint64_t height = msg->u.request_block.height;
            rig_frame(rig, link, forge_response(blocks[height < HEAVY ? height : HEAVY]));
        } else if (msg->kind == MSG_REQUEST_BLOCK_RANGE) {
            rig_frame(rig, link, forge_range(blocks + msg->u.request_range.start, 30));
            return;
        }
    }
    fail_msg("no range was asked for");
}

static void test_what_waits_for_a_disk_goes_on_when_a_lighter_branch_wins(void **state)
{
    (void)state;
    static struct vn_buf *heavy[HEAVY + 1], *light[LIGHT + 1];
    forge_heavy(heavy);
    forge_line(light, LIGHT, 7);
    struct rig rig;
    rig_init_started(&rig, NULL);
    rig.manual_disk = true;
    struct rig_link *leader = rig_ready_idle(&rig, rig_addr(7, 5000), "leader");
    struct rig_link *other = rig_ready_idle(&rig, rig_addr(8, 5000), "other");
    rig_frame(&rig, leader, forge_new_block(heavy[HEAVY]));
    serve_half(&rig, leader, heavy);
    serve_half(&rig, leader, heavy);
    assert_int_equal(rig_info(&rig).height, 60);
    rig_run(&rig, S);
    assert_null(rig_find(leader, MSG_REQUEST_BLOCK_RANGE)); /* too much is held */
    for (uint32_t height = 1; height <= LIGHT; height++)
        rig_frame(&rig, other, forge_new_block(light[height]));
    assert_int_equal(rig_info(&rig).height, LIGHT);
    rig_run(&rig, 10 * MS);
    assert_non_null(rig_find(leader, MSG_REQUEST_BLOCK_RANGE));
    forge_drop(heavy, HEAVY + 1);
    forge_drop(light, LIGHT + 1);
    rig_deinit(&rig);
}

static void test_catching_up_waits_for_a_disk_that_hangs(void **state)
{
    (void)state;
    static struct vn_buf *far[LONG + 1];
    forge_line(far, LONG, 3);
    struct rig rig;
    rig_init_started(&rig, NULL);
    rig.manual_disk = true;
    struct rig_link *link = join(&rig, far, LONG);
    uint64_t height = rig_info(&rig).height;
    assert_in_range(height, 4096, 4096 + 8 * 100);
    for (uint32_t i = 0; i < 5; i++) {
        rig_run(&rig, 10 * S);
        serve(&rig, link, far, LONG);
    }
    assert_in_range(rig_info(&rig).height, height, 4096 + 16 * 100);
    assert_in_range(rig.request_count, 1, 4);
    rig.manual_disk = false;
    rig_drain(&rig);
    serve(&rig, link, far, LONG);
    assert_true(at_tip(&rig, far[LONG]));
    expect_stored(&rig, far, LONG);
    assert_true(rig_peer(&rig, link).score >= 0);
    forge_drop(far, LONG + 1);
    rig_deinit(&rig);
}

static void test_a_reorganisation_deeper_than_memory_replaces_all_that_was_stored(void **state)
{
    (void)state;
    for (uint32_t common = 0; common <= 20; common += 10) {
        struct vn_config cfg;
        rig_config(&cfg);
        cfg.cached_blocks = 8;
        struct rig rig;
        rig_init_started(&rig, &cfg);
        struct vn_buf *own[131];
        for (uint32_t i = 0; i <= common; i++)
            own[i] = vn_buf_ref(line[i]);
        forge_extend(own + common, 130 - common, 2);
        struct rig_link *first = join(&rig, own, 130);
        expect_stored(&rig, own, 130);
        rig_down(&rig, first, VN_WHY_RESET);
        struct rig_link *link = rig_ready(&rig, rig_addr(8, 5000), "heavier");
        rig_frame(&rig, link, forge_response(line[300]));
        for (uint32_t i = 0; serve_one(&rig, link, line, 300, 20); i++)
            if (i == 15) /* our own branch goes on while the other is fetched */
                mine(&rig, 1);
        assert_true(at_tip(&rig, line[300]));
        expect_stored(&rig, line, 300);
        rig_restart(&rig, &cfg);
        rig_start(&rig);
        assert_true(at_tip(&rig, line[300]));
        forge_drop(own, 131);
        rig_deinit(&rig);
    }
}

/* A store that wrote over what was there item by item, and lost power between two of them. */
static void test_a_torn_replacement_is_read_as_far_as_it_connects(void **state)
{
    (void)state;
    struct vn_buf *other[41];
    for (uint32_t i = 0; i <= 10; i++)
        other[i] = vn_buf_ref(line[i]);
    forge_extend(other + 10, 30, 2);
    for (uint32_t torn = 11; torn < 40; torn += 7) {
        struct rig rig;
        rig_init_started(&rig, NULL);
        join(&rig, line, 40);
        for (uint32_t h = 11; h <= torn; h++) {
            vn_buf_unref(rig.disk.blocks[h - 1].value);
            rig.disk.blocks[h - 1].value = vn_buf_ref(other[h]);
        }
        rig_restart(&rig, NULL);
        rig_start(&rig);
        assert_true(at_tip(&rig, other[torn]));
        join(&rig, line, 450);
        assert_true(at_tip(&rig, line[450]));
        expect_stored(&rig, line, 450);
        rig_deinit(&rig);
    }
    forge_drop(other, 41);
}

/* Whichever bit of a stored block flips: nobody gets it, though a block's hash binds only some of
 * its fields. */
static void test_what_rotted_on_disk_is_not_served(void **state)
{
    (void)state;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.cached_blocks = 2;
    struct rig rig;
    rig_init_started(&rig, &cfg);
    join(&rig, line, 20);
    struct rig_link *asks = rig_ready_idle(&rig, rig_addr(9, 5000), "asks");
    struct vn_buf *stored = rig.disk.blocks[4].value;
    for (uint32_t i = 0; i < stored->len; i++) {
        stored->data[i] ^= 0x10;
        rig_request_range(&rig, asks, 1, 10);
        const struct msg *msg = rig_take(asks, MSG_RESPONSE_BLOCK_RANGE);
        assert_int_equal(msg->u.response_range.count, 4);
        rig_request(&rig, asks, 5);
        assert_false(rig_take(asks, MSG_RESPONSE_BLOCK)->u.response_block.some);
        stored->data[i] ^= 0x10;
    }
    rig_request_range(&rig, asks, 1, 10);
    assert_int_equal(rig_take(asks, MSG_RESPONSE_BLOCK_RANGE)->u.response_range.count, 10);
    rig_deinit(&rig);
}

static void test_a_rotten_address_costs_only_itself(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    for (uint32_t i = 0; i < 5; i++)
        rig_ready_idle(&rig, rig_addr(10 + i, 5000), (const char *[]){"a", "b", "c", "d", "e"}[i]);
    assert_int_equal(rig.disk.addr_count, 5);
    rig.disk.addrs[0].key[0] = 77;
    rig.disk.addrs[1].key[12] = 1;
    rig.disk.addrs[2].key_len = 5;
    rig_restart(&rig, NULL);
    rig_start(&rig);
    assert_int_equal(rig_info(&rig).known, 2);
    rig_deinit(&rig);
}

/* A disk that told STORED of what it then lost: the node is behind, and catches up. */
static void test_a_node_whose_disk_lied_catches_up_again(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    join(&rig, line, 100);
    for (uint64_t h = 60; h < 100; h++)
        vn_buf_unref(rig.disk.blocks[h].value);
    rig.disk.heights = 60;
    rig_restart(&rig, NULL);
    rig_start(&rig);
    assert_true(at_tip(&rig, line[60]));
    join(&rig, line, 100);
    expect_stored(&rig, line, 100);
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_a_batch_that_fails_is_written_whole_after_its_blocks_have_left_memory),
        cmocka_unit_test(test_catching_up_waits_for_a_disk_that_hangs),
        cmocka_unit_test(test_what_waits_for_a_disk_goes_on_when_a_lighter_branch_wins),
        cmocka_unit_test(test_a_reorganisation_deeper_than_memory_replaces_all_that_was_stored),
        cmocka_unit_test(test_a_torn_replacement_is_read_as_far_as_it_connects),
        cmocka_unit_test(test_what_rotted_on_disk_is_not_served),
        cmocka_unit_test(test_a_rotten_address_costs_only_itself),
        cmocka_unit_test(test_a_node_whose_disk_lied_catches_up_again),
    };
    return cmocka_run_group_tests(tests, make_line, drop_line);
}
