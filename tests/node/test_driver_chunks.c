/* A driver that cuts the stream of bytes wherever it likes: the node hears the same messages. */
#include "tests/node/rig.h"

#include <stdlib.h>
#include <string.h>

/* What one peer says in a life, with a violation at its end. */
struct speech {
    uint8_t bytes[8192];
    uint32_t len;
    uint32_t ends[64]; /* of its frames */
    uint32_t frames;
};

static void say(struct speech *speech, struct vn_buf *frame)
{
    assert_true(speech->len + frame->len <= sizeof speech->bytes && speech->frames < 64);
    memcpy(speech->bytes + speech->len, frame->data, frame->len);
    speech->len += frame->len;
    speech->ends[speech->frames++] = speech->len;
    vn_buf_unref(frame);
}

static void write_speech(struct speech *speech)
{
    struct msg hello = {.kind = MSG_HANDSHAKE};
    hello.u.handshake.version = (struct bytes_view){(const uint8_t *)"0.3", 3};
    hello.u.handshake.node_id = (struct bytes_view){(const uint8_t *)"peer", 4};
    hello.u.handshake.listen = rig_addr(7, 5000);
    struct vn_buf *line[6];
    forge_line(line, 5, 1);
    struct vn_buf *tx = forge_tx((struct forge_tx){.sender = 3, .data_len = 33});
    *speech = (struct speech){.len = 0};
    say(speech, msg_frame(&hello));
    say(speech, forge_response(line[0]));
    say(speech, msg_frame(&(struct msg){.kind = MSG_PING, .u.ping.nonce = 77}));
    say(speech, forge_new_block(line[1]));
    say(speech, forge_new_block(line[3]));
    say(speech, forge_response(line[1])); /* what it is asked for then */
    say(speech, forge_range(line + 2, 2));
    say(speech, forge_new_tx(tx));
    say(speech, msg_frame(&(struct msg){.kind = MSG_REQUEST_BLOCK, .u.request_block = {2}}));
    say(speech,
        msg_frame(&(struct msg){.kind = MSG_REQUEST_BLOCK_RANGE, .u.request_range = {0, 9}}));
    say(speech, msg_frame(&hello)); /* a violation */
    forge_drop(line, 6);
    vn_buf_unref(tx);
}

/* What came of it. */
struct outcome {
    struct vn_info info;
    struct vn_buf *frames[64];
    uint32_t count;
    uint32_t relayed;
    int64_t score;
    uint32_t close_why;
};

static int by_bytes(const void *a, const void *b)
{
    const struct vn_buf *x = *(struct vn_buf *const *)a, *y = *(struct vn_buf *const *)b;
    int order = memcmp(x->data, y->data, x->len < y->len ? x->len : y->len);
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

/* Tells the speech in pieces that end at cuts[0..n); frames in the order of their bytes if sorted.
 */
static struct outcome tell(const struct speech *speech, const uint32_t *cuts, uint32_t n,
                           bool sorted)
{
    struct rig rig;
    rig_init_started(&rig, NULL);
    struct rig_link *other = rig_ready_idle(&rig, rig_addr(8, 5000), "other");
    struct rig_link *link = rig_accept(&rig, rig_addr(7, 40000));
    for (uint32_t i = 0, at = 0; i < n; at = cuts[i++]) {
        link->asked_ns[0] = link->asked_ns[1] = 0;
        rig_bytes(&rig, link, speech->bytes + at, cuts[i] - at);
    }
    struct outcome outcome = {.info = rig_info(&rig), .count = link->frame_count};
    outcome.info.hash = outcome.info.work = 0; /* these count the pieces */
    outcome.relayed = other->frame_count;
    outcome.close_why = link->close_why;
    outcome.score = (int64_t)rig_last(&rig, VN_TR_SCORE)->a;
    assert_true(outcome.count <= 64);
    for (uint32_t i = 0; i < outcome.count; i++)
        outcome.frames[i] = vn_buf_ref(link->frames[i].payload);
    if (sorted)
        qsort(outcome.frames, outcome.count, sizeof *outcome.frames, by_bytes);
    rig_deinit(&rig);
    return outcome;
}

static void expect_equal(const struct outcome *a, const struct outcome *b)
{
    assert_memory_equal(&a->info, &b->info, sizeof a->info);
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->relayed, b->relayed);
    assert_int_equal(a->score, b->score);
    assert_int_equal(a->close_why, b->close_why);
    for (uint32_t i = 0; i < a->count; i++) {
        assert_int_equal(a->frames[i]->len, b->frames[i]->len);
        assert_memory_equal(a->frames[i]->data, b->frames[i]->data, a->frames[i]->len);
    }
}

static void outcome_drop(struct outcome *outcome)
{
    forge_drop(outcome->frames, outcome->count);
}

static void test_the_speech_does_what_it_is_meant_to(void **state)
{
    (void)state;
    struct speech speech;
    write_speech(&speech);
    struct outcome whole = tell(&speech, speech.ends, speech.frames, false);
    assert_int_equal(whole.info.height, 3);
    assert_int_equal(whole.info.mempool, 1);
    assert_int_equal(whole.close_why, VN_WHY_PROTOCOL);
    assert_int_equal(whole.relayed, 2 + 2 + 1); /* its handshake; both NewBlocks; a transaction */
    assert_true(whole.count >= 7);
    outcome_drop(&whole);
}

static void test_single_bytes_are_heard_like_whole_frames(void **state)
{
    (void)state;
    struct speech speech;
    write_speech(&speech);
    struct outcome whole = tell(&speech, speech.ends, speech.frames, false);
    for (uint32_t size = 1; size < 8; size++) {
        uint32_t cuts[8192], n = 0; /* never across the end of a frame */
        for (uint32_t at = 0, f = 0; at < speech.len; f += at == speech.ends[f]) {
            at = at + size < speech.ends[f] ? at + size : speech.ends[f];
            cuts[n++] = at;
        }
        struct outcome pieces = tell(&speech, cuts, n, false);
        expect_equal(&whole, &pieces);
        outcome_drop(&pieces);
    }
    outcome_drop(&whole);
}

static void test_every_split_into_two_is_heard_alike(void **state)
{
    (void)state;
    struct speech speech;
    write_speech(&speech);
    struct outcome whole = tell(&speech, speech.ends, speech.frames, true);
    /* But for the last frame: who is told goodbye loses the answers that were not on their way. */
    for (uint32_t end = 0; end + 2 < speech.frames; end++) {
        /* The frames before one at a time, so that both tell the same from there on. */
        uint32_t from = end ? speech.ends[end - 1] : 0;
        for (uint32_t at = from + 1; at < speech.ends[end + 1]; at++) {
            uint32_t cuts[64], n = 0;
            for (uint32_t i = 0; i < end; i++)
                cuts[n++] = speech.ends[i];
            cuts[n++] = at;
            cuts[n++] = speech.ends[end + 1];
            for (uint32_t i = end + 2; i < speech.frames; i++)
                cuts[n++] = speech.ends[i];
            struct outcome split = tell(&speech, cuts, n, true);
            expect_equal(&whole, &split);
            outcome_drop(&split);
        }
    }
    outcome_drop(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_speech_does_what_it_is_meant_to),
        cmocka_unit_test(test_single_bytes_are_heard_like_whole_frames),
        cmocka_unit_test(test_every_split_into_two_is_heard_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
