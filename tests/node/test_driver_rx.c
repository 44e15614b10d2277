/* A driver that reads where the node says it may (vn_node_rx): the node hears the same messages,
 * and long frames are put together without a copy. And one that has no use for the trace hash. */
#include "tests/node/rig.h"

#include <string.h>

#define DATA_LEN 700000u

/* What a transaction of DATA_LEN bytes, with some small frames around it, comes to on the wire. */
struct stream {
    uint8_t *bytes;
    size_t len;
    uint8_t tx_id[32];
    struct vn_buf *tx_frame;
};

static void stream_add(struct stream *s, struct vn_buf *frame)
{
    memcpy(s->bytes + s->len, frame->data, frame->len);
    s->len += frame->len;
}

static struct stream stream_make(void)
{
    struct stream s = {.bytes = mem_new(1, DATA_LEN + 4096)};
    struct vn_buf *ping = msg_frame(&(struct msg){.kind = MSG_PING, .u.ping.nonce = 5});
    struct vn_buf *tx = forge_tx((struct forge_tx){.sender = 1, .data_len = DATA_LEN});
    memcpy(s.tx_id, tx->data, sizeof s.tx_id);
    s.tx_frame = forge_new_tx(tx);
    stream_add(&s, ping);
    stream_add(&s, s.tx_frame);
    stream_add(&s, ping);
    stream_add(&s, ping);
    vn_buf_unref(ping);
    vn_buf_unref(tx);
    return s;
}

static void stream_free(struct stream *s)
{
    mem_free(s->bytes);
    vn_buf_unref(s->tx_frame);
}

/* One read of at most `most` bytes: into the node's space where it has some (and `asks`), else into
 * a buffer of the driver's. Returns how many, and adds those that went into the node's space. */
static size_t read_some(struct rig *rig, uint64_t link, const uint8_t *from, size_t most, bool asks,
                        size_t *placed)
{
    struct vn_slice space = {0};
    struct vn_buf *own = NULL;
    if (asks && vn_node_rx(rig->node, link, &space)) {
        assert_true(space.len >= 1 && space.off + space.len <= space.buf->len);
        most = most < space.len ? most : space.len;
        *placed += most;
    } else {
        own = vn_buf_new(65536);
        most = most < own->len ? most : own->len;
        space = (struct vn_slice){own, 0, 0};
    }
    memcpy(space.buf->data + space.off, from, most);
    space.len = (uint32_t)most;
    rig_step(rig, (struct vn_event){.kind = VN_EV_BYTES, .u.bytes = {link, space}});
    vn_buf_unref(own);
    return most;
}

/* Gives the stream in reads of random sizes up to most; returns what went into the node's space. */
static size_t tell(struct rig *rig, struct rig_link *link, const struct stream *s, size_t most,
                   bool asks, uint64_t seed)
{
    const uint8_t dice[32] = {(uint8_t)seed};
    struct rng rng;
    size_t placed = 0;
    rng_fork(&rng, dice, "reads", seed);
    for (size_t at = 0; at < s->len;) {
        size_t left = s->len - at;
        size_t n = 1 + (size_t)rng_below(&rng, most);
        at += read_some(rig, link->id, s->bytes + at, n < left ? n : left, asks, &placed);
    }
    return placed;
}

static void test_a_long_frame_is_read_into_its_place(void **state)
{
    (void)state;
    struct stream s = stream_make();
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct rig rig;
        rig_init_started(&rig, NULL);
        struct rig_link *other = rig_ready_idle(&rig, rig_addr(8, 5000), "other");
        struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "peer");
        size_t placed = tell(&rig, link, &s, 60000, true, seed);
        assert_true(placed > DATA_LEN / 2);
        assert_int_equal(vn_node_has_tx(rig.node, s.tx_id), 1);
        /* It is relayed byte by byte. */
        const struct rig_frame *last = &other->frames[other->frame_count - 1];
        assert_int_equal(last->payload->len, s.tx_frame->len - FRAME_HEADER);
        assert_memory_equal(last->payload->data, s.tx_frame->data + FRAME_HEADER,
                            last->payload->len);
        assert_false(link->closed);
        rig_deinit(&rig);
    }
    stream_free(&s);
}

/* The hash is over what came, wherever it lay. */
static void test_where_bytes_were_read_to_changes_no_hash(void **state)
{
    (void)state;
    struct stream s = stream_make();
    uint64_t hash[2];
    for (int asks = 0; asks < 2; asks++) {
        struct rig rig;
        rig_init_started(&rig, NULL);
        struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "peer");
        /* Reads that fit into either, so that the pieces are the same. */
        size_t placed = tell(&rig, link, &s, FRAME_RX_MIN, asks, 3);
        assert_true((placed > 0) == asks);
        hash[asks] = vn_node_hash(rig.node);
        rig_deinit(&rig);
    }
    assert_true(hash[0] == hash[1]);
    stream_free(&s);
}

static void test_there_is_no_space_where_it_would_gain_nothing(void **state)
{
    (void)state;
    struct rig rig;
    struct vn_slice space;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "peer");
    assert_false(vn_node_rx(rig.node, link->id, &space)); /* between frames */
    assert_false(vn_node_rx(rig.node, 12345, &space));    /* no such link */
    rig_bytes(&rig, link, "\0\0\x40", 3);
    assert_false(vn_node_rx(rig.node, link->id, &space)); /* the length is not here yet */
    rig_bytes(&rig, link, "\0\x07", 2);
    assert_false(vn_node_rx(rig.node, link->id, &space)); /* a frame of 16 KiB, one byte here */
    rig_deinit(&rig);
}

/* Nothing that is announced makes it hold more than twice what came, and 64 KiB. */
static void test_the_space_grows_with_what_came(void **state)
{
    (void)state;
    struct rig rig;
    struct vn_slice space;
    rig_init_started(&rig, NULL);
    struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "peer");
    rig_bytes(&rig, link, "\0\xa0\0\0\x07\0\0\0", 8); /* a frame of 10 MiB begins */
    size_t came = 8;
    while (came < 5u << 20) {
        if (!vn_node_rx(rig.node, link->id, &space)) {
            static uint8_t zeros[1000];
            rig_bytes(&rig, link, zeros, sizeof zeros);
            came += sizeof zeros;
            continue;
        }
        assert_true(space.buf->len <= 2 * came + 65536);
        memset(space.buf->data + space.off, 0, space.len);
        rig_step(&rig, (struct vn_event){.kind = VN_EV_BYTES, .u.bytes = {link->id, space}});
        came += space.len;
    }
    rig_deinit(&rig);
}

static void test_a_node_that_nobody_replays_has_no_hash_and_acts_the_same(void **state)
{
    (void)state;
    struct vn_info info[2];
    for (int none = 0; none < 2; none++) {
        struct rig rig;
        struct vn_config cfg;
        rig_config(&cfg);
        cfg.hash = none ? VN_HASH_NONE : VN_HASH_ALL;
        rig_init_started(&rig, &cfg);
        struct rig_link *link = rig_ready_idle(&rig, rig_addr(7, 5000), "peer");
        rig_command(&rig, (struct vn_command){.kind = VN_CMD_MINE, .number = 3});
        rig_ping(&rig, link, 9);
        info[none] = rig_info(&rig);
        rig_deinit(&rig);
    }
    assert_true(info[0].hash != 0);
    assert_true(info[1].hash == 0);
    assert_memory_equal(info[0].tip, info[1].tip, 32);
    assert_int_equal(info[0].work, info[1].work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_long_frame_is_read_into_its_place),
        cmocka_unit_test(test_where_bytes_were_read_to_changes_no_hash),
        cmocka_unit_test(test_there_is_no_space_where_it_would_gain_nothing),
        cmocka_unit_test(test_the_space_grows_with_what_came),
        cmocka_unit_test(test_a_node_that_nobody_replays_has_no_hash_and_acts_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
