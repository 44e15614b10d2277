/* Frames out of a stream, however it is cut. */
#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/wire/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define FRAMES_MAX 16u

/* Frames glued together in one buffer, and what a framer made of them so far. */
struct stream {
    struct vn_buf *buf;
    uint32_t count;                 /* frames in it */
    uint32_t begin[FRAMES_MAX + 1]; /* where each frame starts, and the end of the last */
    uint32_t seen;                  /* frames that came out */
    uint32_t in_place;              /* of them, windows on buf itself */
    struct framer framer;
};

static struct rng dice(const char *name)
{
    static const uint8_t seed[32] = {0xf4, 0xa3, 0xe5};
    struct rng rng;

    rng_fork(&rng, seed, name, 0);
    return rng;
}

static struct stream stream_of(const uint32_t *payloads, uint32_t count)
{
    struct stream s = {.count = count};
    struct rng rng = dice("payload");

    for (uint32_t i = 0; i < count; i++)
        s.begin[i + 1] = s.begin[i] + FRAME_HEADER + payloads[i];
    s.buf = vn_buf_new(s.begin[count]);
    for (uint32_t k = 0; k < s.buf->len; k++)
        s.buf->data[k] = (uint8_t)rng_u64(&rng);
    for (uint32_t i = 0; i < count; i++)
        put_be32(s.buf->data + s.begin[i], payloads[i]);
    return s;
}

static void stream_free(struct stream *s)
{
    framer_deinit(&s->framer);
    assert_int_equal(s->buf->refs, 1); /* the framer keeps nothing */
    vn_buf_unref(s->buf);
}

/* Takes out all frames that are complete and compares them with the stream. */
static void drain(struct stream *s)
{
    struct vn_slice payload;

    while (framer_next(&s->framer, &payload) == FRAME_READY) {
        assert_in_range(s->seen, 0, s->count - 1);
        const uint32_t begin = s->begin[s->seen] + FRAME_HEADER;
        assert_int_equal(payload.len, s->begin[s->seen + 1] - begin);
        if (payload.len)
            assert_memory_equal(vn_slice_data(payload), s->buf->data + begin, payload.len);
        if (payload.buf == s->buf) {
            assert_int_equal(payload.off, begin);
            s->in_place++;
        }
        s->seen++;
    }
    assert_int_equal(s->framer.input.len, 0);
}

/* Pushes the window from..to of the stream's own buffer, as the simulator delivers it. */
static void push_window(struct stream *s, uint32_t from, uint32_t to)
{
    framer_push(&s->framer, (struct vn_slice){.buf = s->buf, .off = from, .len = to - from});
    drain(s);
}

/* Pushes a copy of from..to in a buffer of its own with room before and behind it, and drops it, as
 * a socket's reads are. */
static void push_copy(struct stream *s, uint32_t from, uint32_t to, uint32_t before,
                      uint32_t behind)
{
    struct vn_buf *buf = vn_buf_new(before + (to - from) + behind);

    memset(buf->data, 0xee, buf->len);
    memcpy(buf->data + before, s->buf->data + from, to - from);
    framer_push(&s->framer, (struct vn_slice){.buf = buf, .off = before, .len = to - from});
    drain(s);
    vn_buf_unref(buf);
}

static const uint32_t glued[] = {0, 12, 1, 0, 0, 5, 228, 3, 0};
#define GLUED (sizeof glued / sizeof *glued)

static void test_frames_glued_in_one_slice_come_out_in_place(void **state)
{
    struct stream s = stream_of(glued, GLUED);

    (void)state;
    push_window(&s, 0, s.buf->len);
    assert_int_equal(s.seen, GLUED);
    assert_int_equal(s.in_place, GLUED);
    assert_int_equal(framer_bytes(&s.framer), 0);
    stream_free(&s);
}

static void test_frames_survive_every_cut_between_two_buffers(void **state)
{
    (void)state;
    for (uint32_t room = 0; room < 100000; room += 33333) {
        struct stream s = stream_of(glued, GLUED);
        for (uint32_t cut = 0; cut <= s.buf->len; cut++) {
            s.seen = 0;
            push_copy(&s, 0, cut, 0, room);
            push_copy(&s, cut, s.buf->len, room, 0);
            assert_int_equal(s.seen, GLUED);
            assert_int_equal(framer_bytes(&s.framer), 0);
        }
        stream_free(&s);
    }
}

static void test_frames_survive_every_pair_of_cuts(void **state)
{
    struct stream s = stream_of(glued, GLUED);
    const uint32_t end = s.buf->len;

    (void)state;
    for (uint32_t a = 0; a <= end; a++) {
        for (uint32_t b = a; b <= end; b++) {
            s.seen = 0;
            push_copy(&s, 0, a, 3, 1);
            push_copy(&s, a, b, 0, 7);
            push_copy(&s, b, end, 5, 0);
            assert_int_equal(s.seen, GLUED);
            s.seen = 0; /* the middle from elsewhere: windows that do not meet */
            push_window(&s, 0, a);
            push_copy(&s, a, b, 1, 1);
            push_window(&s, b, end);
            assert_int_equal(s.seen, GLUED);
        }
    }
    stream_free(&s);
}

static void test_adjacent_windows_of_one_buffer_are_joined_without_copying(void **state)
{
    const uint32_t payloads[] = {180, 200};
    struct stream s = stream_of(payloads, 2); /* the second is more than half of the buffer */
    const uint32_t end = s.buf->len;

    (void)state;
    for (uint32_t a = s.begin[1]; a <= end; a++) {
        for (uint32_t b = a; b <= end; b++) {
            s.seen = s.in_place = 0;
            push_window(&s, 0, a);
            assert_int_equal(s.buf->refs, a > s.begin[1] && a < end ? 2 : 1);
            push_window(&s, a, b);
            push_window(&s, b, end);
            assert_int_equal(s.seen, 2);
            assert_int_equal(s.in_place, 2);
        }
    }
    stream_free(&s);
}

static void test_a_large_frame_in_pieces_of_its_own_buffer_is_never_copied(void **state)
{
    const uint32_t payloads[] = {1000000};
    struct stream s = stream_of(payloads, 1);

    (void)state;
    for (uint32_t mtu = 1; mtu < 100000; mtu = mtu * 7 + 4) {
        s.seen = s.in_place = 0;
        const uint32_t first = mtu < FRAME_HEADER ? FRAME_HEADER : mtu;
        push_window(&s, 0, first);
        for (uint32_t at = first; at < s.buf->len; at += mtu) {
            assert_int_equal(s.buf->refs, 2);
            assert_int_equal(framer_bytes(&s.framer), sizeof(struct vn_buf) + s.buf->len);
            push_window(&s, at, s.buf->len - at < mtu ? s.buf->len : at + mtu);
        }
        assert_int_equal(s.seen, 1);
        assert_int_equal(s.in_place, 1);
        assert_int_equal(s.buf->refs, 1);
    }
    stream_free(&s);
}

static void test_frames_of_all_sizes_survive_random_cuts(void **state)
{
    const uint32_t payloads[] = {70000, 0, 12, 300000, 4096, 65536, 1, 4092, 131072, 8};
    const uint32_t count = sizeof payloads / sizeof *payloads;
    struct stream s = stream_of(payloads, count);
    struct rng rng = dice("cuts");

    (void)state;
    for (int round = 0; round < 60; round++) {
        const uint64_t most = UINT64_C(1) << (4 + round % 16);
        s.seen = 0;
        for (uint32_t at = 0; at < s.buf->len;) {
            uint32_t to = at + 1 + (uint32_t)rng_below(&rng, most);
            if (to > s.buf->len)
                to = s.buf->len;
            if (rng_below(&rng, 3) == 0) {
                const uint32_t before = (uint32_t)rng_below(&rng, 2000);
                push_copy(&s, at, to, before, (uint32_t)rng_below(&rng, 70000));
            } else {
                push_window(&s, at, to);
            }
            at = to;
        }
        assert_int_equal(s.seen, count);
    }
    stream_free(&s);
}

static void test_an_assembled_frame_fills_its_buffer_exactly(void **state)
{
    const uint32_t payloads[] = {5, 5000, 200000};

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        struct stream s = stream_of(&payloads[i], 1);
        struct vn_slice payload = {0};
        for (uint32_t at = 0; at < s.buf->len; at += 7) {
            const uint32_t n = s.buf->len - at < 7 ? s.buf->len - at : 7;
            struct vn_buf *piece = vn_buf_new(n);
            memcpy(piece->data, s.buf->data + at, n);
            framer_push(&s.framer, (struct vn_slice){.buf = piece, .len = n});
            const bool last = at + n == s.buf->len;
            assert_int_equal(framer_next(&s.framer, &payload), last ? FRAME_READY : FRAME_NONE);
            vn_buf_unref(piece);
        }
        assert_int_equal(payload.buf->len, FRAME_HEADER + payloads[i]);
        vn_slice_ref(payload); /* kept beyond the next call */
        assert_int_equal(framer_next(&s.framer, &payload), FRAME_NONE);
        assert_int_equal(payload.buf->refs, 1);
        assert_memory_equal(vn_slice_data(payload), s.buf->data + FRAME_HEADER, payloads[i]);
        vn_slice_unref(payload);
        stream_free(&s);
    }
}

static void test_a_small_unfinished_frame_does_not_pin_a_large_read(void **state)
{
    const uint32_t payloads[] = {40, 60};

    (void)state;
    for (uint32_t have = 1; have < 63; have++) {
        struct stream s = stream_of(payloads, 2);
        struct vn_buf *read = vn_buf_new(65536);
        const uint32_t end = s.begin[1] + have;
        memcpy(read->data, s.buf->data, end);
        framer_push(&s.framer, (struct vn_slice){.buf = read, .len = end});
        drain(&s);
        assert_int_equal(s.seen, 1);
        assert_int_equal(read->refs, 1);
        assert_in_range(framer_bytes(&s.framer), 1, sizeof *read + 64);
        vn_buf_unref(read);
        push_window(&s, end, s.buf->len);
        assert_int_equal(s.seen, 2);
        stream_free(&s);
    }
}

/* 10 MiB announced, and then `piece` bytes at a time, each at the end of a read buffer of `room`
 * more. */
static void trickle(uint32_t piece, uint32_t room, uint32_t total)
{
    struct framer f = {0};
    struct vn_slice payload;
    uint64_t received = 0;

    while (received < total) {
        struct vn_buf *buf = vn_buf_new(room + piece);
        memset(buf->data + room, 0, piece);
        if (received == 0)
            put_be32(buf->data + room, FRAME_PAYLOAD_MAX);
        framer_push(&f, (struct vn_slice){.buf = buf, .off = room, .len = piece});
        assert_int_equal(framer_next(&f, &payload), FRAME_NONE);
        received += piece;
        vn_buf_unref(buf);
        assert_true(framer_bytes(&f) <= 2 * received + 65536 + sizeof(struct vn_buf));
    }
    framer_deinit(&f);
}

static void test_memory_follows_the_bytes_received_not_the_length_announced(void **state)
{
    (void)state;
    trickle(4, 0, 40000);
    trickle(4, 65532, 4000);
    trickle(4, 5000000, 40);
    trickle(5, 12000000, 50);
    trickle(1460, 0, 3000000);
    trickle(1460, 64000, 3000000);
    trickle(70000, 0, FRAME_PAYLOAD_MAX - 70000);
    trickle(70000, 8000000, 700000);
}

static void test_a_length_of_10_mib_is_read_and_one_more_is_refused(void **state)
{
    const uint32_t largest[] = {FRAME_PAYLOAD_MAX};
    struct stream s = stream_of(largest, 1);
    struct vn_slice payload;

    (void)state;
    for (uint32_t at = 0; at < s.buf->len; at += 65536)
        push_copy(&s, at, s.buf->len - at < 65536 ? s.buf->len : at + 65536, 0, 0);
    assert_int_equal(s.seen, 1);

    put_be32(s.buf->data, FRAME_PAYLOAD_MAX + 1);
    framer_push(&s.framer, (struct vn_slice){.buf = s.buf, .len = FRAME_HEADER});
    assert_int_equal(framer_next(&s.framer, &payload), FRAME_TOO_LARGE);
    stream_free(&s);
}

static void test_too_large_is_final_however_the_prefix_is_cut(void **state)
{
    const uint32_t payloads[] = {3, 8};
    struct vn_slice payload;

    (void)state;
    for (uint32_t cut = 0; cut <= 11; cut++) {
        struct stream s = stream_of(payloads, 2);
        put_be32(s.buf->data + s.begin[1], 0xffffffffu);
        push_copy(&s, 0, cut, 0, 100);
        framer_push(&s.framer, (struct vn_slice){.buf = s.buf, .off = cut, .len = 11 - cut});
        if (cut < 7)
            assert_int_equal(framer_next(&s.framer, &payload), FRAME_READY);
        assert_int_equal(framer_next(&s.framer, &payload), FRAME_TOO_LARGE);
        assert_int_equal(framer_next(&s.framer, &payload), FRAME_TOO_LARGE);
        framer_push(&s.framer, (struct vn_slice){.buf = s.buf, .len = 7});
        assert_int_equal(framer_next(&s.framer, &payload), FRAME_TOO_LARGE);
        assert_int_equal(framer_bytes(&s.framer), 0);
        stream_free(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_glued_in_one_slice_come_out_in_place),
        cmocka_unit_test(test_frames_survive_every_cut_between_two_buffers),
        cmocka_unit_test(test_frames_survive_every_pair_of_cuts),
        cmocka_unit_test(test_adjacent_windows_of_one_buffer_are_joined_without_copying),
        cmocka_unit_test(test_a_large_frame_in_pieces_of_its_own_buffer_is_never_copied),
        cmocka_unit_test(test_frames_of_all_sizes_survive_random_cuts),
        cmocka_unit_test(test_an_assembled_frame_fills_its_buffer_exactly),
        cmocka_unit_test(test_a_small_unfinished_frame_does_not_pin_a_large_read),
        cmocka_unit_test(test_memory_follows_the_bytes_received_not_the_length_announced),
        cmocka_unit_test(test_a_length_of_10_mib_is_read_and_one_more_is_refused),
        cmocka_unit_test(test_too_large_is_final_however_the_prefix_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
