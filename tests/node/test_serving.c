/* RequestBlock and RequestBlockRange: what is answered, in which order, from memory and from disk.
 */
#include "tests/node/rig.h"

#include <string.h>

#define PEER_ADDR rig_addr(7, 5000)

/* A node with a chain of n blocks, of which `cached` are in memory. */
static struct rig_link *scene(struct rig *rig, uint32_t n, uint32_t cached)
{
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.cached_blocks = cached;
    cfg.serve_rate = 0; /* without tokens to wait for */
    rig_init_started(rig, &cfg);
    for (uint32_t left = n; left > 0; left -= left < 1000 ? left : 1000)
        rig_command(rig,
                    (struct vn_command){.kind = VN_CMD_MINE, .number = left < 1000 ? left : 1000});
    assert_int_equal(rig_info(rig).height, n);
    return rig_ready_idle(rig, PEER_ADDR, "peer");
}

static void expect_block(struct rig *rig, struct rig_link *link, uint64_t height)
{
    const struct msg *msg = rig_take(link, MSG_RESPONSE_BLOCK);
    assert_true(msg->u.response_block.some);
    uint8_t hash[32];
    assert_true(vn_node_block_hash(rig->node, height, hash));
    assert_memory_equal(msg->u.response_block.block.hash, hash, 32);
}

static void expect_none(struct rig_link *link)
{
    assert_false(rig_take(link, MSG_RESPONSE_BLOCK)->u.response_block.some);
}

static void expect_range(struct rig *rig, struct rig_link *link, uint64_t start, uint64_t count)
{
    const struct msg *msg = rig_take(link, MSG_RESPONSE_BLOCK_RANGE);
    assert_int_equal(msg->u.response_range.count, count);
    struct reader r =
        reader_over(msg->u.response_range.blocks.data, msg->u.response_range.blocks.len);
    for (uint64_t i = 0; i < count; i++) {
        struct block_view view;
        uint8_t hash[32];
        wire_read_block(&r, &view);
        assert_true(vn_node_block_hash(rig->node, start + i, hash));
        assert_memory_equal(view.hash, hash, 32);
    }
}

static void check_all_requests(uint32_t cached)
{
    struct rig rig;
    struct rig_link *link = scene(&rig, 250, cached);
    static const uint64_t heights[] = {0, 1, 5, 249, 250};
    for (size_t i = 0; i < 5; i++) {
        rig_request(&rig, link, heights[i]);
        expect_block(&rig, link, heights[i]);
    }
    rig_request(&rig, link, UINT64_MAX);
    expect_block(&rig, link, 250);
    rig_request(&rig, link, 251);
    expect_none(link);
    rig_request(&rig, link, UINT64_MAX - 1);
    expect_none(link);
    static const struct {
        uint64_t start, end, first, count;
    } ranges[] = {
        {1, 1, 1, 1},
        {0, 3, 0, 4}, /* inclusive, genesis too */
        {10, 109, 10, 100},
        {10, 110, 10, 100},        /* at most 100 */
        {10, UINT64_MAX, 10, 100}, /* without overflow */
        {200, 299, 200, 51},       /* what does not exist is left out */
        {250, UINT64_MAX, 250, 1},
        {251, 300, 0, 0},
        {5, 4, 0, 0}, /* upside down */
        {UINT64_MAX, UINT64_MAX, 0, 0},
        {UINT64_MAX, 0, 0, 0},
        {UINT64_MAX - 3, UINT64_MAX, 0, 0},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        rig_request_range(&rig, link, ranges[i].start, ranges[i].end);
        expect_range(&rig, link, ranges[i].first, ranges[i].count);
    }
    rig_expect_quiet(link);
    assert_int_equal(rig_peer(&rig, link).score, 0);
    rig_deinit(&rig);
}

static void test_requests_are_answered_from_memory(void **state)
{
    (void)state;
    check_all_requests(1000);
}

static void test_requests_are_answered_alike_from_disk(void **state)
{
    (void)state;
    check_all_requests(1);
    check_all_requests(60);
}

static void test_a_chain_of_nothing_but_genesis_answers(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_link *link = scene(&rig, 0, 10);
    rig_request(&rig, link, UINT64_MAX);
    expect_block(&rig, link, 0);
    rig_request_range(&rig, link, 0, 99);
    expect_range(&rig, link, 0, 1);
    rig_deinit(&rig);
}

static void
test_pipelined_requests_are_answered_in_order_though_some_wait_for_the_disk(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_link *link = scene(&rig, 250, 20);
    struct rig_link *other = rig_ready_idle(&rig, rig_addr(8, 5000), "other");
    rig.manual_disk = true;
    rig_request(&rig, link, 240);          /* memory */
    rig_request(&rig, link, 5);            /* disk */
    rig_request(&rig, link, 241);          /* memory, but behind the disk */
    rig_request_range(&rig, link, 1, 100); /* disk */
    rig_request(&rig, link, 300);
    rig_request(&rig, other, 6);
    rig_request(&rig, other, 242);
    expect_block(&rig, link, 240);
    rig_expect_quiet(link);
    assert_int_equal(rig.request_count, 2); /* one LOAD ahead per link */
    rig_answer(&rig, 1, VN_OK);             /* the other link's comes first */
    expect_block(&rig, other, 6);
    expect_block(&rig, other, 242);
    rig_expect_quiet(link);
    rig_ping(&rig, link, 9); /* control does not wait for history */
    rig_take(link, MSG_PONG);
    rig_answer(&rig, 0, VN_OK);
    expect_block(&rig, link, 5);
    expect_block(&rig, link, 241);
    assert_int_equal(rig.request_count, 1);
    rig_answer(&rig, 0, VN_OK);
    expect_range(&rig, link, 1, 100);
    expect_none(link);
    rig_deinit(&rig);
}

static void test_a_failing_disk_makes_answers_empty_but_keeps_them_in_order(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_link *link = scene(&rig, 100, 20);
    rig.manual_disk = true;
    rig_request(&rig, link, 5);
    rig_request_range(&rig, link, 1, 50);
    rig_request(&rig, link, 95);
    rig_answer(&rig, 0, VN_ERR_IO);
    expect_none(link);
    rig_answer(&rig, 0, VN_ERR_IO);
    expect_range(&rig, link, 1, 0);
    expect_block(&rig, link, 95);
    rig_deinit(&rig);
}

static void test_a_link_that_ends_while_its_load_is_under_way_is_forgotten(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_link *link = scene(&rig, 100, 20);
    rig.manual_disk = true;
    rig.keep_links = true;
    rig_request(&rig, link, 5);
    rig_bytes(&rig, link, "\0\0\0\0", 4);
    assert_true(link->closed);
    rig_answer(&rig, 0, VN_OK);
    rig_take_disconnect(link, REASON_PROTOCOL_VIOLATION);
    rig_down(&rig, link, VN_WHY_LOCAL_CLOSED);
    struct rig_link *next = rig_ready_idle(&rig, rig_addr(9, 5000), "next");
    rig_request(&rig, next, 5);
    rig_down(&rig, next, VN_WHY_RESET);
    while (rig.request_count > 0)
        rig_answer(&rig, 0, VN_OK);
    rig_deinit(&rig);
}

static void test_the_newest_block_is_the_newest_when_it_is_sent(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_link *link = scene(&rig, 100, 20);
    rig.manual_disk = true;
    rig_request(&rig, link, 5);
    rig_request(&rig, link, UINT64_MAX);
    rig_command(&rig, (struct vn_command){.kind = VN_CMD_MINE, .number = 1});
    while (rig.request_count > 0)
        rig_answer(&rig, 0, VN_OK);
    rig_take(link, MSG_NEW_BLOCK);
    expect_block(&rig, link, 5);
    expect_block(&rig, link, 101);
    rig_deinit(&rig);
}

/* ---- 10 MiB ---- */

static void test_a_range_above_ten_mebibytes_is_the_longest_prefix_that_fits(void **state)
{
    (void)state;
    for (uint32_t from_disk = 0; from_disk < 2; from_disk++) {
        struct vn_config cfg;
        rig_config(&cfg);
        cfg.cached_blocks = from_disk ? 1 : 100;
        struct rig rig;
        rig_init_started(&rig, &cfg);
        struct rig_link *source = rig_ready_idle(&rig, rig_addr(8, 5000), "source");
        uint8_t *ids = mem_new(10000, 32);
        struct vn_buf *parent = forge_genesis();
        uint64_t sum = 12;
        uint32_t fit = 0;
        for (uint32_t n = 1; n <= 40; n++) { /* 320 kB each */
            for (uint32_t i = 0; i < 10000; i++)
                put_le32(ids + i * 32, n * 10000 + i);
            struct vn_buf *block = forge_child_ids(parent, 1, ids, 10000);
            rig_frame(&rig, source, forge_new_block(block));
            vn_buf_unref(parent);
            parent = block;
            sum += block->len;
            fit += sum <= FRAME_PAYLOAD_MAX;
        }
        vn_buf_unref(parent);
        mem_free(ids);
        assert_int_equal(rig_info(&rig).height, 40);
        struct rig_link *link = rig_ready_idle(&rig, PEER_ADDR, "peer");
        rig_request_range(&rig, link, 1, 40);
        expect_range(&rig, link, 1, fit);
        assert_in_range(fit, 31, 33);
        rig_deinit(&rig);
    }
}

static void test_a_peer_that_asks_without_reading_costs_bounded_memory(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_link *first = scene(&rig, 200, 1000);
    rig_down(&rig, first, VN_WHY_REMOTE_CLOSED);
    rig.window = 4096;
    struct rig_link *link = rig_ready_idle(&rig, rig_addr(8, 5000), "greedy");
    rig.keep_window = true;
    uint32_t asked = 0;
    while (link->reading && asked < 20000) {
        rig_request_range(&rig, link, 1, 100);
        asked++;
    }
    assert_false(link->reading);
    assert_true(rig_peer(&rig, link).outbox_bytes <= 2u << 20);
    rig.keep_window = false;
    rig_drain(&rig);
    for (uint32_t i = 0; i < asked; i++)
        expect_range(&rig, link, 1, 100);
    assert_true(link->reading);
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_are_answered_from_memory),
        cmocka_unit_test(test_requests_are_answered_alike_from_disk),
        cmocka_unit_test(test_a_chain_of_nothing_but_genesis_answers),
        cmocka_unit_test(
            test_pipelined_requests_are_answered_in_order_though_some_wait_for_the_disk),
        cmocka_unit_test(test_a_failing_disk_makes_answers_empty_but_keeps_them_in_order),
        cmocka_unit_test(test_a_link_that_ends_while_its_load_is_under_way_is_forgotten),
        cmocka_unit_test(test_the_newest_block_is_the_newest_when_it_is_sent),
        cmocka_unit_test(test_a_range_above_ten_mebibytes_is_the_longest_prefix_that_fits),
        cmocka_unit_test(test_a_peer_that_asks_without_reading_costs_bounded_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
