/* However a stream is cut, the framer finds the frames that a plain walk over the whole finds, and
 * holds no more than what has arrived allows.
 *
 * The input's first byte chooses how the rest is cut: pieces of 1 to 64 bytes in buffers of their
 * own with or without room before them, or windows of one buffer.
 *
 *     clang -I. -g -O1 -fsanitize=fuzzer,address,undefined tests/fuzz/fuzz_frame.c \
 *         core/wire/frame.c core/base/{buf,mem}.c -o fuzz_frame */
#include "core/base/bytes.h"
#include "core/wire/frame.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The stream, and how far the plain walk has come. */
struct walk {
    const uint8_t *data;
    size_t size, at;
};

/* Compares all frames that come out with those of the walk; returns the framer's last word. */
static enum frame_result drain(struct framer *f, struct walk *walk)
{
    struct vn_slice payload;
    enum frame_result result;

    while ((result = framer_next(f, &payload)) == FRAME_READY) {
        if (walk->size - walk->at < FRAME_HEADER)
            abort();
        const uint32_t len = get_be32(walk->data + walk->at);
        walk->at += FRAME_HEADER;
        if (len != payload.len || len > walk->size - walk->at)
            abort();
        if (len && memcmp(vn_slice_data(payload), walk->data + walk->at, len) != 0)
            abort();
        walk->at += len;
    }
    return result;
}

/* What the plain walk says once `size` bytes have arrived and no frame is left. */
static enum frame_result expected(const struct walk *walk, size_t arrived)
{
    if (arrived - walk->at < FRAME_HEADER)
        return FRAME_NONE;
    const uint32_t len = get_be32(walk->data + walk->at);
    if (len > FRAME_PAYLOAD_MAX)
        return FRAME_TOO_LARGE;
    if (len <= arrived - walk->at - FRAME_HEADER)
        abort(); /* a frame was complete and did not come out */
    return FRAME_NONE;
}

static struct vn_slice piece_of(struct vn_buf *whole, bool own, size_t room, size_t from, size_t n)
{
    if (!own)
        return (struct vn_slice){vn_buf_ref(whole), (uint32_t)from, (uint32_t)n};
    struct vn_buf *buf = vn_buf_new((uint32_t)(room + n));
    memset(buf->data, 0xee, room);
    memcpy(buf->data + room, whole->data + from, n);
    return (struct vn_slice){buf, (uint32_t)room, (uint32_t)n};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    const uint8_t how = *data;
    struct walk walk = {.data = data + 1, .size = size - 1};
    struct vn_buf *whole = vn_buf_new((uint32_t)walk.size);
    struct framer f = {0};

    if (walk.size)
        memcpy(whole->data, walk.data, walk.size);
    for (size_t at = 0; at < walk.size;) {
        size_t n = 1 + (how & 63) * (1 + at % 3) / 2;
        if (n > walk.size - at)
            n = walk.size - at;
        const bool own = (how & 64) && (at + n) % 5 != 0;
        const struct vn_slice s = piece_of(whole, own, how & 128 ? 9000 : 0, at, n);
        framer_push(&f, s);
        at += n;
        if (drain(&f, &walk) != expected(&walk, at))
            abort();
        vn_slice_unref(s);
        if (framer_bytes(&f) > 2 * at + 65536 + sizeof *whole + walk.size)
            abort();
    }
    framer_deinit(&f);
    if (whole->refs != 1)
        abort();
    vn_buf_unref(whole);
    return 0;
}
