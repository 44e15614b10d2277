/* Peers that send anything: no crash, no leak, memory bounded by what arrived. The node is driven
 * without the rig, which would keep all that is sent. */
#include "tests/node/rig.h"

#include <malloc.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
size_t __sanitizer_get_current_allocated_bytes(void); /* sanitizer/allocator_interface.h */
#endif

static uint64_t allocated(void)
{
#if defined(__SANITIZE_ADDRESS__)
    return __sanitizer_get_current_allocated_bytes();
#else
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#endif
}

/* ---- a driver that keeps nothing ---- */

#define SLOTS 12u

struct slot {
    uint64_t id;
    bool up, closed, reading;
    uint64_t unrefunded, received;
};

struct foe {
    struct vn_node *node;
    struct vn_config cfg;
    struct disk disk;
    uint64_t now_ns, next_id;
    uint64_t tokens[64], load_tokens[64];
    uint32_t token_count, load_count;
    struct slot slots[SLOTS];
    struct rng rng;
    uint64_t frames_out, disconnects;
};

static struct slot *slot_of(struct foe *foe, uint64_t id)
{
    for (uint32_t i = 0; i < SLOTS; i++)
        if (foe->slots[i].id == id)
            return &foe->slots[i];
    return NULL;
}

static void perform(struct foe *foe, struct vn_action *action)
{
    struct slot *slot = slot_of(foe, action->link);
    switch ((enum vn_action_kind)action->kind) {
    case VN_ACT_SEND:
        assert_non_null(slot);
        slot->unrefunded += action->u.send.bytes;
        foe->frames_out += action->u.send.count;
        break;
    case VN_ACT_CLOSE:
        if (slot) {
            assert_false(slot->closed);
            slot->closed = true;
        }
        break;
    case VN_ACT_READ_STOP:
    case VN_ACT_READ_START:
        slot->reading = action->kind == VN_ACT_READ_START;
        break;
    case VN_ACT_STORE:
        assert_true(foe->token_count < 64);
        foe->tokens[foe->token_count++] = action->u.store.token;
        disk_store(&foe->disk, action);
        return;
    case VN_ACT_LOAD:
        assert_true(foe->load_count < 64);
        foe->load_tokens[foe->load_count++] = action->u.load.token;
        break;
    case VN_ACT_DIAL:
    case VN_ACT_RESOLVE:
    case VN_ACT_REPLY:
    case VN_ACT_COUNT:
        break;
    }
    vn_action_release(action);
}

static void feed(struct foe *foe, struct vn_event event)
{
    event.size = sizeof event;
    event.now_ns = foe->now_ns;
    vn_node_step(foe->node, &event);
    struct vn_action action;
    while (vn_node_next_action(foe->node, &action))
        perform(foe, &action);
}

/* All LOADs get an empty answer: the disk has lost everything, which is a node's worst day. */
static void answer_loads(struct foe *foe)
{
    while (foe->load_count > 0) {
        struct vn_event event = {.kind = VN_EV_LOADED};
        event.u.loaded.token = foe->load_tokens[--foe->load_count];
        feed(foe, event);
    }
}

static void answer_stores(struct foe *foe, enum vn_status status)
{
    while (foe->token_count > 0)
        feed(foe, (struct vn_event){.kind = VN_EV_STORED,
                                    .u.stored = {foe->tokens[--foe->token_count], status}});
}

static void foe_init(struct foe *foe)
{
    *foe = (struct foe){.now_ns = 1000 * S, .next_id = 2};
    rig_config(&foe->cfg);
    foe->cfg.mempool_max = 50;
    foe->cfg.orphan_bytes_max = 1 << 16;
    foe->cfg.cached_blocks = 20;
    foe->cfg.known_peers = 20;
    foe->cfg.max_outbound = 0;
    foe->cfg.ban_ns = S;
    foe->cfg.sync_interval_ns = 10 * S;
    foe->node = vn_node_new(&foe->cfg);
    static const uint8_t seed[32] = {4};
    rng_fork(&foe->rng, seed, "foe", 0);
    feed(foe, (struct vn_event){.kind = VN_EV_CLOCK, .u.clock.wall_ns = FORGE_NOW_S * S});
    feed(foe, (struct vn_event){.kind = VN_EV_START});
    answer_loads(foe);
    answer_loads(foe);
    answer_loads(foe);
}

static void foe_deinit(struct foe *foe)
{
    vn_node_free(foe->node);
    disk_deinit(&foe->disk);
}

static struct slot *open_slot(struct foe *foe, uint32_t i, uint32_t window)
{
    struct slot *slot = &foe->slots[i];
    *slot = (struct slot){.id = foe->next_id, .up = true, .reading = true};
    foe->next_id += 2;
    feed(foe, (struct vn_event){.kind = VN_EV_LINK_UP,
                                .u.link_up = {.link = slot->id,
                                              .local = foe->cfg.listen,
                                              .remote = rig_addr(20 + i, (uint16_t)(1 + i)),
                                              .window = window}});
    return slot;
}

static void close_slot(struct foe *foe, struct slot *slot)
{
    feed(foe, (struct vn_event){.kind = VN_EV_LINK_DOWN, .u.link_down = {slot->id, VN_WHY_RESET}});
    *slot = (struct slot){0};
}

/* len bytes as a window of a buffer of `room` bytes. */
static void give(struct foe *foe, struct slot *slot, const void *data, uint32_t len, uint32_t room)
{
    struct vn_buf *buf = vn_buf_new(room > len ? room : len);
    uint32_t off = (buf->len - len) / 2;
    memcpy(buf->data + off, data, len);
    slot->received += len;
    feed(foe, (struct vn_event){.kind = VN_EV_BYTES, .u.bytes = {slot->id, {buf, off, len}}});
    vn_buf_unref(buf);
}

static void give_hello(struct foe *foe, struct slot *slot, uint32_t no)
{
    char id[16] = "foe-";
    id[4] = (char)('a' + no);
    struct msg msg = {.kind = MSG_HANDSHAKE};
    msg.u.handshake.version = (struct bytes_view){(const uint8_t *)"0.1.0", 5};
    msg.u.handshake.node_id = (struct bytes_view){(const uint8_t *)id, 5};
    msg.u.handshake.listen = rig_addr(20 + no, 8765);
    struct vn_buf *frame = msg_frame(&msg);
    give(foe, slot, frame->data, frame->len, 0);
    vn_buf_unref(frame);
}

/* ---- announced, but not sent ---- */

static void check_assembly(uint32_t piece, uint32_t room, bool ready)
{
    struct foe foe;
    foe_init(&foe);
    uint64_t before = allocated();
    for (uint32_t i = 0; i < SLOTS; i++) {
        struct slot *slot = open_slot(&foe, i, 1 << 20);
        if (ready)
            give_hello(&foe, slot, i);
        slot->received = 0;
    }
    uint64_t fixed = allocated() - before;
    static uint8_t data[300000] = {0, 0xa0, 0, 0, MSG_NEW_TRANSACTION}; /* 10 MiB to come */
    for (uint32_t at = 0; at < sizeof data; at += piece) {
        uint64_t bound = before + fixed + 65536;
        for (uint32_t i = 0; i < SLOTS; i++) {
            uint32_t n = (uint32_t)sizeof data - at < piece ? (uint32_t)sizeof data - at : piece;
            give(&foe, &foe.slots[i], data + at, n, room);
            bound += 2 * foe.slots[i].received + 65536;
        }
        if (allocated() > bound)
            fail_msg("%u bytes a link: %llu above the bound", at,
                     (unsigned long long)(allocated() - bound));
    }
    for (uint32_t i = 0; i < SLOTS; i++)
        assert_false(foe.slots[i].closed);
    foe_deinit(&foe);
}

static void test_an_announced_length_reserves_no_memory(void **state)
{
    (void)state;
    static const uint32_t pieces[] = {1, 3, 1000, 16384, 65536};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        if (pieces[i] < 1000)
            continue;
        check_assembly(pieces[i], 0, false);
        check_assembly(pieces[i], 0, true);
    }
}

static void test_small_pieces_of_large_reads_pin_nothing(void **state)
{
    (void)state;
    check_assembly(700, 65536, true);
    check_assembly(5000, 65536, false);
}

/* ---- floods of small messages that are not read ---- */

static void test_a_flood_of_pings_costs_a_small_multiple_until_reading_stops(void **state)
{
    (void)state;
    struct foe foe;
    foe_init(&foe);
    struct slot *slot = open_slot(&foe, 0, 1);
    give_hello(&foe, slot, 0);
    uint64_t before = allocated();
    uint8_t pings[1024 * 16];
    struct vn_buf *ping = msg_frame(&(struct msg){.kind = MSG_PING});
    for (uint32_t i = 0; i < 1024; i++)
        memcpy(pings + i * 16, ping->data, 16);
    vn_buf_unref(ping);
    while (slot->reading && slot->received < 1 << 20)
        give(&foe, slot, pings, sizeof pings, 0);
    assert_false(slot->reading);
    assert_true(slot->received <= 65536 + 2 * sizeof pings);
    assert_true(allocated() - before <= 16 * slot->received);
    foe_deinit(&foe);
}

static void test_trailing_garbage_is_not_kept_with_a_transaction(void **state)
{
    (void)state;
    struct foe foe;
    foe_init(&foe);
    struct slot *slot = open_slot(&foe, 0, 1 << 20);
    give_hello(&foe, slot, 0);
    uint64_t before = allocated();
    static uint8_t frame[1 << 20];
    for (uint64_t i = 0; i < 30; i++) {
        struct vn_buf *tx = forge_tx((struct forge_tx){.sender = i});
        put_be32(frame, sizeof frame - FRAME_HEADER);
        put_le32(frame + 4, MSG_NEW_TRANSACTION);
        memcpy(frame + 8, tx->data, tx->len);
        vn_buf_unref(tx);
        give(&foe, slot, frame, sizeof frame, 0);
        feed(&foe, (struct vn_event){.kind = VN_EV_SENT, .u.sent = {slot->id, slot->unrefunded}});
        slot->unrefunded = 0;
    }
    struct vn_info info = {.size = sizeof info};
    vn_node_info(foe.node, &info);
    assert_int_equal(info.mempool, 30);
    assert_true(allocated() - before < 200000);
    foe_deinit(&foe);
}

/* ---- anything ---- */

#define PHRASES 80u

struct phrasebook {
    struct vn_buf *frames[PHRASES];
    uint32_t count;
};

static void phrase(struct phrasebook *book, struct vn_buf *frame)
{
    assert_true(book->count < PHRASES);
    book->frames[book->count++] = frame;
}

static void write_phrases(struct phrasebook *book)
{
    static const uint64_t heights[] = {0, 1, 20, 39, 40, 1000, UINT64_MAX - 1, UINT64_MAX};
    struct vn_buf *line[41], *fork[41];
    forge_line(line, 40, 1);
    for (uint32_t i = 0; i <= 10; i++)
        fork[i] = vn_buf_ref(line[i]);
    forge_extend(fork + 10, 30, 2);
    *book = (struct phrasebook){.count = 0};
    for (uint32_t i = 1; i <= 40; i += i < 12 ? 1 : 7) {
        phrase(book, forge_new_block(line[i]));
        phrase(book, forge_response(fork[i]));
    }
    phrase(book, forge_range(line + 1, 40));
    phrase(book, forge_range(line + 11, 30));
    phrase(book, forge_range(fork + 11, 30));
    phrase(book, forge_response(NULL));
    for (uint64_t i = 0; i < 10; i++) {
        struct vn_buf *tx = forge_tx((struct forge_tx){.sender = i, .data_len = (uint32_t)i * 50});
        phrase(book, forge_new_tx(tx));
        vn_buf_unref(tx);
    }
    for (size_t i = 0; i < sizeof heights / sizeof *heights; i++) {
        struct msg ask = {.kind = MSG_REQUEST_BLOCK, .u.request_block.height = heights[i]};
        phrase(book, msg_frame(&ask));
        ask.kind = MSG_REQUEST_BLOCK_RANGE;
        ask.u.request_range.start = heights[i];
        ask.u.request_range.end = heights[7 - i];
        phrase(book, msg_frame(&ask));
    }
    phrase(book, msg_frame(&(struct msg){.kind = MSG_PING, .u.ping.nonce = 1}));
    phrase(book, msg_frame(&(struct msg){.kind = MSG_PONG, .u.pong.nonce = 1}));
    phrase(book, msg_frame(&(struct msg){.kind = MSG_DISCONNECT}));
    forge_drop(line, 41);
    forge_drop(fork, 41);
}

static uint32_t below(struct foe *foe, uint32_t n)
{
    return (uint32_t)rng_below(&foe->rng, n);
}

static void say_something(struct foe *foe, struct slot *slot, const struct phrasebook *book)
{
    static uint8_t bytes[40000];
    const struct vn_buf *frame = book->frames[below(foe, book->count)];
    uint32_t len = frame->len < sizeof bytes ? frame->len : (uint32_t)sizeof bytes;
    memcpy(bytes, frame->data, len);
    uint32_t manner = below(foe, 100);
    for (uint32_t i = 0; manner < 4 && i < 3; i++) /* damaged, mostly behind the length */
        bytes[below(foe, manner < 1 ? len : len - 4) + (manner < 1 ? 0 : 4)] ^=
            (uint8_t)(1u << below(foe, 8));
    if (manner == 12 && below(foe, 4) == 0) { /* noise */
        len = 1 + below(foe, 200);
        for (uint32_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)below(foe, 256);
    }
    if (manner == 13 &&
        below(foe, 4) == 0) /* cut short, so that the next frame is taken for its rest */
        len = 1 + below(foe, len);
    uint32_t room = below(foe, 4) == 0 ? 65536 : 0;
    uint32_t cut = manner > 80 ? below(foe, len) : 0;
    if (cut > 0)
        give(foe, slot, bytes, cut, room);
    if (!slot->closed)
        give(foe, slot, bytes + cut, len - cut, room);
}

static void something_else(struct foe *foe, struct slot *slot)
{
    switch (below(foe, 8)) {
    case 0:
        close_slot(foe, slot);
        break;
    case 1:
        foe->now_ns += below(foe, 3000) * MS;
        feed(foe, (struct vn_event){.kind = VN_EV_TIMER});
        break;
    case 2:
    case 3: {
        uint64_t bytes = slot->unrefunded;
        slot->unrefunded = 0;
        feed(foe, (struct vn_event){.kind = VN_EV_SENT, .u.sent = {slot->id, bytes}});
        break;
    }
    case 4:
        answer_loads(foe);
        break;
    case 5:
        answer_stores(foe, below(foe, 4) ? VN_OK : VN_ERR_IO);
        break;
    case 6: {
        struct vn_command command = {
            .kind = below(foe, VN_CMD_COUNT + 1),
            .number = below(foe, 3),
            .addr = rig_addr(20 + below(foe, SLOTS + 1), (uint16_t)below(foe, 14))};
        if (command.kind == VN_CMD_SHUTDOWN || command.kind == VN_CMD_MINE_INTERVAL)
            command.kind = VN_CMD_MINE;
        if (command.kind == VN_CMD_CONNECT && below(foe, 10))
            break;
        feed(foe, (struct vn_event){.kind = VN_EV_COMMAND, .u.command = {1, &command}});
        break;
    }
    default:
        feed(foe, (struct vn_event){.kind = below(foe, 2) ? VN_EV_LINK_DOWN
                                                          : VN_EV_COUNT + below(foe, 40),
                                    .u.link_down = {foe->next_id, 0}});
        break;
    }
}

static void test_a_hundred_thousand_events_of_anything_leave_the_node_whole(void **state)
{
    (void)state;
    struct phrasebook book;
    write_phrases(&book);
    struct foe foe;
    foe_init(&foe);
    uint64_t before = allocated(), most = 0, ready_seen = 0;
    for (uint32_t n = 0; n < 100000; n++) {
        foe.now_ns += below(&foe, 20) * MS;
        if (vn_node_deadline(foe.node) <= foe.now_ns)
            feed(&foe, (struct vn_event){.kind = VN_EV_TIMER});
        uint32_t i = below(&foe, SLOTS);
        struct slot *slot = &foe.slots[i];
        if (slot->closed) {
            close_slot(&foe, slot);
        } else if (!slot->up) {
            open_slot(&foe, i, below(&foe, 3) ? 1 << 18 : 1 + below(&foe, 500));
            if (!slot->closed && below(&foe, 20))
                give_hello(&foe, slot, i);
        } else if (below(&foe, 20) == 0) {
            something_else(&foe, slot);
        } else {
            say_something(&foe, slot, &book);
        }
        if (n % 64 != 0)
            continue;
        uint64_t now = allocated() - before;
        most = now > most ? now : most;
        struct vn_info info = {.size = sizeof info};
        vn_node_info(foe.node, &info);
        ready_seen += info.inbound;
        assert_true(info.inbound <= SLOTS && info.known <= 20);
        assert_true(info.mempool <= 50 && info.orphans <= 100);
    }
    assert_true(ready_seen > 1000); /* the links did get somewhere */
    assert_true(foe.frames_out > 10000);
    assert_true(most < UINT64_C(8) << 20);
    struct vn_info info = {.size = sizeof info};
    vn_node_info(foe.node, &info);
    assert_true(info.height >= 40);
    foe_deinit(&foe);
    forge_drop(book.frames, book.count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_announced_length_reserves_no_memory),
        cmocka_unit_test(test_small_pieces_of_large_reads_pin_nothing),
        cmocka_unit_test(test_a_flood_of_pings_costs_a_small_multiple_until_reading_stops),
        cmocka_unit_test(test_trailing_garbage_is_not_kept_with_a_transaction),
        cmocka_unit_test(test_a_hundred_thousand_events_of_anything_leave_the_node_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
