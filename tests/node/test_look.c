/* vn_node_look: all that a node holds, item by item, and nothing that it does not hold. */
#include "tests/node/rig.h"

#include <string.h>

#define LOOK(rig, what, index, item)                                                               \
    ((item)->size = sizeof *(item), vn_node_look((rig)->node, what, index, item))

static uint32_t count(const struct rig *rig, enum vn_look what)
{
    union {
        uint32_t size;
        uint8_t bytes[1024];
    } item;
    uint32_t n = 0;
    for (;; n++) {
        item.size = sizeof item;
        if (!vn_node_look(rig->node, what, n, &item))
            return n;
    }
}

/* The link's items, by its number. */
static struct vn_look_link look_link(const struct rig *rig, const struct rig_link *link)
{
    struct vn_look_link item;
    for (uint32_t i = 0; LOOK(rig, VN_LOOK_LINK, i, &item); i++)
        if (item.link == link->id)
            return item;
    fail_msg("no link %llu", (unsigned long long)link->id);
    return item;
}

static void test_frames_that_wait_are_told_in_the_order_in_which_they_leave(void **state)
{
    (void)state;
    struct rig rig;
    struct vn_buf *line[3];
    rig_init_started(&rig, NULL);
    rig.window = 100;
    struct rig_link *from = rig_ready_idle(&rig, rig_addr(7, 5000), "from");
    struct rig_link *to = rig_ready_idle(&rig, rig_addr(8, 5000), "to");
    forge_line(line, 2, 1);
    rig.keep_window = true;
    struct vn_buf *tx = forge_tx((struct forge_tx){.sender = 1});
    const uint32_t tx_bytes = tx->len;
    rig_frame(&rig, from, forge_new_tx(tx)); /* begins to leave */
    vn_buf_unref(tx);
    tx = forge_tx((struct forge_tx){.sender = 2});
    rig_frame(&rig, from, forge_new_tx(tx));
    vn_buf_unref(tx);
    rig_frame(&rig, from, forge_new_block(line[1]));
    rig_ping(&rig, to, 1);
    rig_ping(&rig, to, 2);

    const struct vn_look_link link = look_link(&rig, to);
    assert_int_equal(link.frames, 5);
    assert_int_equal(link.window, 0);
    assert_int_equal(link.lane_bytes[0], 2 * 16);
    assert_true(link.lane_bytes[1] > 200);
    assert_true(link.lane_bytes[2] > tx_bytes && link.lane_bytes[2] < 2 * tx_bytes + 20);
    assert_int_equal(link.lane_bytes[3], 0);
    assert_true(link.begun_bytes > 0 && link.begun_bytes < tx_bytes);
    static const char *const wanted[] = {"NewTransaction", "Pong", "NewBlock", "NewTransaction"};
    uint32_t bytes = 0, frames = 0, at = 0;
    struct vn_look_queued item;
    for (uint32_t i = 0; LOOK(&rig, VN_LOOK_QUEUED, i, &item); i++) {
        if (item.link != to->id)
            continue;
        while (at < 3 && strcmp(wanted[at], vn_message_name(item.message)) != 0)
            at++;
        assert_string_equal(vn_message_name(item.message), wanted[at]);
        assert_int_equal(item.begun, i == 0);
        if (item.begun)
            assert_int_equal(item.bytes, link.begun_bytes);
        bytes += item.bytes;
        frames += item.count;
    }
    assert_int_equal(at, 3);
    assert_int_equal(frames, link.frames);
    assert_int_equal(bytes, rig_peer(&rig, to).outbox_bytes);
    forge_drop(line, 3);
    rig_deinit(&rig);
}

static void test_requests_timers_and_limits_are_told(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready(&rig, rig_addr(7, 5000), "peer");
    struct vn_look_link look = look_link(&rig, link);
    assert_true(look.requests[0].deadline_ns > rig.now_ns); /* its newest block was asked for */
    assert_true(look.requests[0].deadline_ns != VN_NEVER);
    assert_int_equal(look.requests[1].deadline_ns, VN_NEVER);
    assert_true(look.full_ns[0] <= rig.now_ns);
    assert_true(look.ready_ns > 0 && look.ready_ns <= rig.now_ns);
    for (uint64_t i = 0; i < 500; i++)
        rig_ping(&rig, link, i);
    look = look_link(&rig, link);
    assert_true(look.full_ns[0] > rig.now_ns);
    uint64_t first_ns = VN_NEVER;
    bool of_link = false;
    struct vn_look_timer timer;
    for (uint32_t i = 0; LOOK(&rig, VN_LOOK_TIMER, i, &timer); i++) {
        first_ns = timer.at_ns < first_ns ? timer.at_ns : first_ns;
        assert_true((strcmp(timer.kind, "peer") == 0) == (timer.link != 0));
        of_link = of_link || timer.link == link->id;
    }
    assert_true(of_link);
    assert_int_equal(first_ns, vn_node_deadline(rig.node));
    rig_deinit(&rig);
}

static void test_chain_orphans_and_pool_are_told(void **state)
{
    (void)state;
    struct rig rig;
    struct vn_buf *line[6];
    struct vn_look_block block;
    struct vn_look_tx tx;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "peer");
    forge_line(line, 5, 1);
    for (uint32_t i = 1; i <= 2; i++)
        rig_frame(&rig, link, forge_new_block(line[i]));
    rig_frame(&rig, link, forge_new_block(line[5]));
    rig_frame(&rig, link, forge_new_block(line[4]));
    assert_int_equal(count(&rig, VN_LOOK_BLOCK), 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(LOOK(&rig, VN_LOOK_BLOCK, i, &block));
        assert_int_equal(block.height, 2 - i);
        assert_memory_equal(block.hash, forge_view(line[2 - i]).hash, 32);
    }
    assert_int_equal(count(&rig, VN_LOOK_ORPHAN), 2);
    for (uint32_t i = 0; i < 2; i++) {
        assert_true(LOOK(&rig, VN_LOOK_ORPHAN, i, &block));
        assert_memory_equal(block.hash, forge_view(line[5 - i]).hash, 32);
        assert_memory_equal(block.prev_hash, forge_view(line[4 - i]).hash, 32);
        assert_int_equal(block.source, link->id);
        assert_int_equal(block.bytes, line[5 - i]->len);
    }
    assert_int_equal(count(&rig, VN_LOOK_TX), 0);
    struct vn_buf *sent[3];
    for (uint64_t i = 0; i < 3; i++) {
        sent[i] = forge_tx((struct forge_tx){.sender = i});
        rig_frame(&rig, link, forge_new_tx(sent[i]));
    }
    assert_int_equal(count(&rig, VN_LOOK_TX), 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(LOOK(&rig, VN_LOOK_TX, i, &tx));
        assert_memory_equal(tx.id, forge_tx_view(sent[i]).tx_id, 32);
        assert_int_equal(tx.bytes, sent[i]->len);
        vn_buf_unref(sent[i]);
    }
    forge_drop(line, 6);
    rig_deinit(&rig);
}

static void test_addresses_sync_and_configuration_are_told(void **state)
{
    (void)state;
    struct rig rig;
    struct vn_look_addr addr;
    struct vn_look_sync sync;
    struct vn_config config;
    rig_init_started(&rig, NULL);
    rig_command(&rig, (struct vn_command){.kind = VN_CMD_ADD_PEER, .addr = rig_addr(9, 5000)});
    bool found = false;
    for (uint32_t i = 0; LOOK(&rig, VN_LOOK_ADDR, i, &addr); i++)
        if (memcmp(&addr.addr, &(struct vn_addr){0}, sizeof addr.addr) != 0 && addr.seed)
            found = found || addr.addr.port == 5000;
    assert_true(found);
    assert_int_equal(count(&rig, VN_LOOK_ADDR), rig_info(&rig).known);
    assert_int_equal(count(&rig, VN_LOOK_SYNC), 1);
    assert_true(LOOK(&rig, VN_LOOK_SYNC, 0, &sync));
    assert_string_equal(sync.state, "idle");
    assert_int_equal(sync.store_from, VN_NEVER);
    assert_int_equal(count(&rig, VN_LOOK_CONFIG), 1);
    assert_true(LOOK(&rig, VN_LOOK_CONFIG, 0, &config));
    assert_string_equal(config.node_id, rig.cfg.node_id);
    assert_int_equal(config.max_inbound, rig.cfg.max_inbound);
    assert_null(config.seeds);
    assert_null(config.shared);
    rig_deinit(&rig);
}

static void test_a_caller_with_smaller_structures_gets_what_it_has_room_for(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct {
        struct vn_look_sync sync;
        uint8_t behind[8];
    } old;
    memset(&old, 0xee, sizeof old);
    old.sync.size = offsetof(struct vn_look_sync, target);
    assert_true(vn_node_look(rig.node, VN_LOOK_SYNC, 0, &old.sync));
    assert_int_equal(old.sync.size, offsetof(struct vn_look_sync, target));
    assert_string_equal(old.sync.state, "idle");
    for (const uint8_t *b = (const uint8_t *)&old.sync.target; b < (const uint8_t *)(&old + 1); b++)
        assert_int_equal(*b, 0xee);
    assert_false(vn_node_look(rig.node, 0, 0, &old.sync));
    assert_false(vn_node_look(rig.node, VN_LOOK_ADDR + 1, 0, &old.sync));
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_that_wait_are_told_in_the_order_in_which_they_leave),
        cmocka_unit_test(test_requests_timers_and_limits_are_told),
        cmocka_unit_test(test_chain_orphans_and_pool_are_told),
        cmocka_unit_test(test_addresses_sync_and_configuration_are_told),
        cmocka_unit_test(test_a_caller_with_smaller_structures_gets_what_it_has_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
