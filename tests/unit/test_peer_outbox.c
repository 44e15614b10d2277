/* What waits on a link: the order in which it leaves, how a window cuts it, what is shed, and that
 * every reference taken is given back. */
#include "core/peer/outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define FRAMES 256u

/* An outbox with its pool, and every frame pushed; each is filled with its number and held once
 * here.
 */
struct fixture {
    struct mem_pool pool;
    struct outbox box;
    struct vn_buf *frames[FRAMES];
    uint32_t count;
};

static void setup(struct fixture *f)
{
    *f = (struct fixture){0};
    mem_pool_init(&f->pool, sizeof(struct outbox_entry));
}

static void teardown(struct fixture *f)
{
    outbox_deinit(&f->box, &f->pool);
    assert_int_equal(f->pool.live, 0);
    for (uint32_t i = 0; i < f->count; i++) {
        assert_int_equal(f->frames[i]->refs, 1); /* the outbox gave back what it took */
        vn_buf_unref(f->frames[i]);
    }
    mem_pool_deinit(&f->pool);
}

/* Pushes a frame of len bytes; its number is its kind too. */
static uint32_t push(struct fixture *f, uint32_t len, enum lane lane)
{
    uint32_t number = f->count++;
    assert_true(number < FRAMES);
    struct vn_buf *buf = f->frames[number] = vn_buf_new(len);
    memset(buf->data, (int)number, len);
    outbox_push(&f->box, &f->pool, (struct vn_slice){vn_buf_ref(buf), 0, len}, number, lane);
    return number;
}

/* What one outbox_take gave. */
struct taken {
    struct vn_slice slices[VN_SEND_SLICES];
    struct outbox_left finished[VN_SEND_SLICES];
    uint32_t count, finished_count, bytes;
};

static struct taken take(struct fixture *f, uint32_t window)
{
    struct taken t = {0};
    t.count = outbox_take(&f->box, &f->pool, window, t.slices, VN_SEND_SLICES, t.finished,
                          &t.finished_count);
    for (uint32_t i = 0; i < t.count; i++)
        t.bytes += t.slices[i].len;
    return t;
}

static void drop(struct taken *t)
{
    for (uint32_t i = 0; i < t->count; i++)
        vn_slice_unref(t->slices[i]);
}

/* Takes all that waits: the frames must leave whole, in this order. */
static void expect_order(struct fixture *f, const uint32_t *order, uint32_t count)
{
    struct taken t = take(f, UINT32_MAX);
    assert_int_equal(t.count, count);
    assert_int_equal(t.finished_count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(t.finished[i].kind, order[i]);
        assert_non_null(t.slices[i].buf);
        assert_int_equal(t.slices[i].buf->data[t.slices[i].off], order[i]);
    }
    drop(&t);
    assert_true(outbox_empty(&f->box));
}

static void test_outbox_sends_lanes_in_order_and_each_lane_as_it_came(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    const uint32_t history = push(&f, 10, LANE_HISTORY), tx = push(&f, 20, LANE_TX);
    const uint32_t tx_later = push(&f, 20, LANE_TX), block = push(&f, 30, LANE_BLOCK);
    const uint32_t control = push(&f, 40, LANE_CONTROL), block_later = push(&f, 30, LANE_BLOCK);
    const uint32_t order[] = {control, block, block_later, tx, tx_later, history};
    assert_int_equal(outbox_bytes(&f.box), 150);
    expect_order(&f, order, 6);
    assert_int_equal(outbox_bytes(&f.box), 0);
    teardown(&f);
}

static void test_outbox_finishes_a_begun_frame_before_any_other(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    const uint32_t history = push(&f, 100, LANE_HISTORY);
    struct taken first = take(&f, 1);
    assert_int_equal(first.bytes, 1);
    assert_int_equal(first.finished_count, 0);
    drop(&first);
    const uint32_t control = push(&f, 50, LANE_CONTROL);
    struct taken rest = take(&f, 149);
    assert_int_equal(rest.count, 2);
    assert_int_equal(rest.finished[0].kind, history);
    assert_int_equal(rest.finished[0].bytes, 100); /* the whole frame's */
    assert_int_equal(rest.finished[1].kind, control);
    assert_int_equal(rest.slices[0].off, 1);
    assert_int_equal(rest.slices[0].len, 99);
    drop(&rest);
    teardown(&f);
}

/* Whatever the windows, the bytes are those of the frames, one after the other. */
static void test_outbox_cuts_frames_where_the_window_ends_and_loses_no_byte(void **state)
{
    (void)state;
    for (uint32_t window = 1; window < 70; window++) {
        struct fixture f;
        setup(&f);
        uint8_t expected[300], got[300];
        uint32_t at = 0, length = 0, finished = 0;
        for (uint32_t i = 0; i < 9; i++) {
            push(&f, 5 + 7 * i, LANE_TX);
            memset(expected + length, (int)i, 5 + 7 * i);
            length += 5 + 7 * i;
        }
        while (!outbox_empty(&f.box)) {
            struct taken t = take(&f, window);
            assert_true(t.bytes == window || outbox_empty(&f.box));
            for (uint32_t i = 0; i < t.count; at += t.slices[i++].len)
                memcpy(got + at, vn_slice_data(t.slices[i]), t.slices[i].len);
            finished += t.finished_count;
            assert_int_equal(outbox_bytes(&f.box), length - at);
            drop(&t);
        }
        assert_int_equal(at, length);
        assert_int_equal(finished, 9);
        assert_memory_equal(got, expected, length);
        teardown(&f);
    }
}

static void test_outbox_takes_nothing_without_a_window_or_frames(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    assert_int_equal(take(&f, 1000).count, 0);
    push(&f, 10, LANE_TX);
    struct taken t = take(&f, 0);
    assert_int_equal(t.count, 0);
    assert_int_equal(t.finished_count, 0);
    assert_int_equal(outbox_bytes(&f.box), 10);
    teardown(&f);
}

static void test_outbox_gives_at_most_64_slices_at_once(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    for (uint32_t i = 0; i < 65; i++)
        push(&f, 4, LANE_CONTROL);
    struct taken t = take(&f, UINT32_MAX);
    assert_int_equal(t.count, 64);
    assert_int_equal(t.finished_count, 64);
    assert_int_equal(f.box.frames, 1);
    drop(&t);
    t = take(&f, UINT32_MAX);
    assert_int_equal(t.count, 1);
    assert_int_equal(t.finished[0].kind, 64);
    drop(&t);
    teardown(&f);
}

/* ---- shedding ---- */

static void test_outbox_sheds_the_oldest_transactions_first(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    const uint32_t block = push(&f, 1000, LANE_BLOCK);
    push(&f, 100, LANE_TX);
    push(&f, 100, LANE_TX);
    const uint32_t newest = push(&f, 100, LANE_TX), control = push(&f, 50, LANE_CONTROL);
    assert_int_equal(outbox_shed_transactions(&f.box, &f.pool, 1150), 2);
    assert_int_equal(outbox_bytes(&f.box), 1150);
    const uint32_t order[] = {control, block, newest};
    expect_order(&f, order, 3);
    teardown(&f);
}

static void test_outbox_sheds_nothing_at_its_bound_and_counts_no_history(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    push(&f, 50, LANE_TX);
    push(&f, 50, LANE_TX);
    push(&f, 5000, LANE_HISTORY);
    assert_int_equal(outbox_shed_transactions(&f.box, &f.pool, 100), 0);
    assert_int_equal(outbox_shed_transactions(&f.box, &f.pool, 99), 1);
    assert_int_equal(outbox_bytes(&f.box), 5050);
    teardown(&f);
}

static void test_outbox_spares_a_large_transaction_that_is_all_there_is(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    push(&f, 500, LANE_TX);
    push(&f, 5000, LANE_HISTORY);
    push(&f, 100, LANE_BLOCK);
    assert_int_equal(outbox_shed_transactions(&f.box, &f.pool, 100), 0);
    /* the block alone is more than 99 */
    assert_int_equal(outbox_shed_transactions(&f.box, &f.pool, 99), 1);
    push(&f, 500, LANE_TX);
    outbox_drop_transactions(&f.box, &f.pool);
    assert_int_equal(outbox_bytes(&f.box), 5100);
    teardown(&f);
}

static void test_outbox_sheds_only_transactions_and_never_the_begun_one(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    const uint32_t begun = push(&f, 100, LANE_TX);
    struct taken t = take(&f, 60);
    drop(&t);
    push(&f, 100, LANE_TX);
    push(&f, 500, LANE_BLOCK);
    assert_int_equal(outbox_shed_transactions(&f.box, &f.pool, 0), 1);
    assert_int_equal(outbox_bytes(&f.box), 540);
    t = take(&f, 40);
    assert_int_equal(t.finished_count, 1);
    assert_int_equal(t.finished[0].kind, begun);
    drop(&t);
    teardown(&f);
}

static void test_outbox_keeps_control_and_the_begun_frame_for_a_farewell(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    const uint32_t begun = push(&f, 100, LANE_HISTORY);
    struct taken t = take(&f, 10);
    drop(&t);
    push(&f, 100, LANE_HISTORY);
    push(&f, 100, LANE_TX);
    push(&f, 100, LANE_BLOCK);
    const uint32_t control = push(&f, 12, LANE_CONTROL);
    outbox_keep_control(&f.box, &f.pool);
    assert_int_equal(outbox_bytes(&f.box), 90 + 12);
    const uint32_t order[] = {begun, control};
    expect_order(&f, order, 2);
    teardown(&f);
}

/* ---- references ---- */

static void test_outbox_holds_one_reference_a_frame_and_gives_one_a_slice(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    push(&f, 100, LANE_TX);
    assert_int_equal(f.frames[0]->refs, 2);
    struct taken part = take(&f, 30);
    assert_int_equal(f.frames[0]->refs, 3);
    struct taken rest = take(&f, 70);
    assert_int_equal(f.frames[0]->refs, 3); /* ours and two slices: the outbox let go */
    drop(&part);
    drop(&rest);
    teardown(&f);
}

static void test_outbox_deinit_lets_go_of_begun_and_waiting_frames(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    for (uint32_t lane = 0; lane < LANES; lane++)
        for (uint32_t i = 0; i < 3; i++)
            push(&f, 10, (enum lane)lane);
    struct taken t = take(&f, 5);
    drop(&t);
    teardown(&f); /* looks at every count */
}

static void test_outbox_packs_small_frames_of_one_kind_and_counts_each(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    uint8_t frame[16];
    for (uint32_t i = 0; i < 1000; i++) {
        memset(frame, (int)(i & 255), sizeof frame);
        outbox_push_small(&f.box, &f.pool, frame, sizeof frame, i < 900 ? 7 : 8, LANE_CONTROL);
    }
    assert_int_equal(outbox_bytes(&f.box), 16000);
    assert_int_equal(f.box.frames, 1000);
    struct taken t = take(&f, 1000); /* cuts a pack */
    drop(&t);
    t = take(&f, UINT32_MAX);
    assert_true(t.count < 20);
    assert_int_equal(t.bytes, 15000);
    uint32_t sevens = 0, eights = 0;
    for (uint32_t i = 0; i < t.finished_count; i++) {
        assert_int_equal(t.finished[i].bytes, 16);
        sevens += t.finished[i].kind == 7 ? t.finished[i].count : 0;
        eights += t.finished[i].kind == 8 ? t.finished[i].count : 0;
    }
    assert_int_equal(sevens, 899); /* the first left before, alone */
    assert_int_equal(eights, 100);
    const struct vn_slice last = t.slices[t.count - 1];
    assert_int_equal(last.buf->data[last.off + last.len - 1], 999 & 255);
    drop(&t);
    assert_true(outbox_empty(&f.box));
    teardown(&f);
}

static void test_outbox_never_adds_to_a_pack_that_has_begun_to_leave(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    const uint8_t frame[16] = {1};
    for (uint32_t i = 0; i < 3; i++)
        outbox_push_small(&f.box, &f.pool, frame, sizeof frame, 7, LANE_CONTROL);
    struct taken first = take(&f, 24);
    const uint32_t len = first.slices[first.count - 1].len;
    outbox_push_small(&f.box, &f.pool, frame, sizeof frame, 7, LANE_CONTROL);
    assert_int_equal(first.slices[first.count - 1].len, len);
    struct taken rest = take(&f, UINT32_MAX);
    assert_int_equal(first.bytes + rest.bytes, 64);
    drop(&first);
    drop(&rest);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outbox_sends_lanes_in_order_and_each_lane_as_it_came),
        cmocka_unit_test(test_outbox_finishes_a_begun_frame_before_any_other),
        cmocka_unit_test(test_outbox_cuts_frames_where_the_window_ends_and_loses_no_byte),
        cmocka_unit_test(test_outbox_takes_nothing_without_a_window_or_frames),
        cmocka_unit_test(test_outbox_gives_at_most_64_slices_at_once),
        cmocka_unit_test(test_outbox_sheds_the_oldest_transactions_first),
        cmocka_unit_test(test_outbox_sheds_nothing_at_its_bound_and_counts_no_history),
        cmocka_unit_test(test_outbox_spares_a_large_transaction_that_is_all_there_is),
        cmocka_unit_test(test_outbox_sheds_only_transactions_and_never_the_begun_one),
        cmocka_unit_test(test_outbox_keeps_control_and_the_begun_frame_for_a_farewell),
        cmocka_unit_test(test_outbox_holds_one_reference_a_frame_and_gives_one_a_slice),
        cmocka_unit_test(test_outbox_deinit_lets_go_of_begun_and_waiting_frames),
        cmocka_unit_test(test_outbox_packs_small_frames_of_one_kind_and_counts_each),
        cmocka_unit_test(test_outbox_never_adds_to_a_pack_that_has_begun_to_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
