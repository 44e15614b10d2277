/* Pings that a command has a node send. */
#include "tests/node/rig.h"

#include <string.h>

static const struct vn_addr any_port = {.family = VN_AF_IPV4, .ip = {10, 0, 0, 7}};

static uint32_t pings(struct rig *rig, uint64_t count, struct vn_buf *extra)
{
    rig->padded_pings = extra != NULL;
    return rig_command(rig, (struct vn_command){.kind = VN_CMD_PING,
                                                .number = count,
                                                .addr = any_port,
                                                .data = {extra, 0, extra ? extra->len : 0}});
}

static void pong(struct rig *rig, struct rig_link *link, uint64_t nonce)
{
    rig_msg(rig, link, &(struct msg){.kind = MSG_PONG, .u.pong.nonce = nonce});
}

static struct vn_peer_info peer_of(struct rig *rig)
{
    struct vn_peer_info info = {.size = sizeof info};
    assert_true(vn_node_peer(rig->node, 0, &info));
    return info;
}

static void test_each_ping_leaves_with_what_is_behind_it(void **state)
{
    (void)state;
    const uint32_t sizes[] = {0, 24, 240, 241, 1000, 300000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct rig rig;
        rig_init_started(&rig, NULL);
        struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "peer");
        struct vn_buf *extra = vn_buf_new(sizes[i]);
        memset(extra->data, 0xee, sizes[i]);
        uint32_t before = link->frame_count;
        assert_int_equal(pings(&rig, 5, extra), VN_OK);
        assert_int_equal(link->frame_count - before, 5);
        for (uint32_t n = before; n < link->frame_count; n++) {
            const struct rig_frame *frame = &link->frames[n];
            assert_int_equal(frame->msg.kind, MSG_PING);
            assert_int_equal(frame->payload->len, 12 + sizes[i]);
            assert_memory_equal(frame->payload->data + 12, extra->data, sizes[i]);
        }
        vn_buf_unref(extra);
        rig_deinit(&rig);
    }
}

static void test_the_last_pong_measures_the_round_trip(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "peer");
    pings(&rig, 3, NULL);
    uint64_t nonce = link->frames[link->frame_count - 1].msg.u.ping.nonce;
    uint64_t before = peer_of(&rig).rtt_ns;
    rig.now_ns += 7 * MS;
    pong(&rig, link, nonce);
    pong(&rig, link, nonce);
    assert_true(peer_of(&rig).rtt_ns == before);
    rig.now_ns += 2 * MS;
    pong(&rig, link, nonce);
    assert_true(peer_of(&rig).rtt_ns == 9 * MS);
    rig_deinit(&rig);
}

/* Pongs of ours are owed; those beyond them nobody asked for, and too many end the link. */
static void test_pongs_that_are_owed_offend_nobody(void **state)
{
    (void)state;
    struct rig rig;
    struct vn_config cfg;
    rig_config(&cfg);
    cfg.unasked_rate = 1;
    cfg.unasked_burst = 1;
    rig_init_started(&rig, &cfg);
    struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "peer");
    rig_run(&rig, cfg.ping_after_ns + S); /* one of its own is out as well */
    assert_int_equal(link->frames[link->frame_count - 1].msg.kind, MSG_PING);
    pings(&rig, 50, NULL);
    for (int i = 0; i < 51; i++)
        pong(&rig, link, link->frames[link->frame_count - 1].msg.u.ping.nonce);
    assert_false(link->closed);
    for (int i = 0; i < 5 && !link->closed; i++)
        pong(&rig, link, 1);
    assert_true(link->closed);
    rig_deinit(&rig);
}

static void test_pings_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_started(&rig, NULL);
    assert_int_equal(pings(&rig, 1, NULL), VN_ERR_UNKNOWN);
    struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "peer");
    struct vn_buf *extra = vn_buf_new(FRAME_PAYLOAD_MAX - 11);
    memset(extra->data, 0, extra->len);
    uint32_t before = link->frame_count;
    assert_int_equal(pings(&rig, 0, NULL), VN_ERR_ARGUMENT);
    assert_int_equal(pings(&rig, 10001, NULL), VN_ERR_ARGUMENT);
    assert_int_equal(pings(&rig, 1, extra), VN_ERR_LIMIT); /* one byte above a frame */
    extra->len--;
    assert_int_equal(pings(&rig, 2, extra), VN_ERR_LIMIT); /* half of the outbox */
    assert_int_equal(link->frame_count, before);
    assert_int_equal(pings(&rig, 1, extra), VN_OK);
    assert_false(link->closed);
    vn_buf_unref(extra);
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_ping_leaves_with_what_is_behind_it),
        cmocka_unit_test(test_the_last_pong_measures_the_round_trip),
        cmocka_unit_test(test_pongs_that_are_owed_offend_nobody),
        cmocka_unit_test(test_pings_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
