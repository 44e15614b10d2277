/* The framer against a parser that sees the whole stream at once: however the stream is cut, and
 * whether the pieces are windows of one buffer or buffers of their own, the same frames come out,
 * an oversize length is final, memory is bounded by what has arrived, and every reference is given
 * back. */
#include "core/base/bytes.h"
#include "core/wire/frame.h"
#include "tests/fuzz/input.h"

struct stream {
    const uint8_t *data;
    size_t len;
    size_t parsed;   /* by the reference parser */
    size_t received; /* by the framer */
    bool failed;     /* the reference met an oversize length */
};

/* The next frame of what has been received, or false. */
static bool reference_next(struct stream *s, const uint8_t **payload, uint32_t *len)
{
    if (s->failed || s->received - s->parsed < FRAME_HEADER)
        return false;
    const uint32_t size = get_be32(s->data + s->parsed);
    s->failed = size > FRAME_PAYLOAD_MAX;
    if (s->failed || s->received - s->parsed - FRAME_HEADER < size)
        return false;
    *payload = s->data + s->parsed + FRAME_HEADER;
    *len = size;
    s->parsed += FRAME_HEADER + size;
    return true;
}

static void compare(struct stream *s, struct framer *f)
{
    const uint8_t *expected;
    uint32_t len;
    struct vn_slice payload;
    while (reference_next(s, &expected, &len)) {
        CLAIM(framer_next(f, &payload) == FRAME_READY, "a frame is missing");
        CLAIM(payload.len == len, "a frame has another length");
        CLAIM(len == 0 || memcmp(vn_slice_data(payload), expected, len) == 0,
              "a frame has other bytes");
        CLAIM(payload.off >= FRAME_HEADER && get_be32(vn_slice_data(payload) - FRAME_HEADER) == len,
              "a frame's header is not in front of it");
    }
    CLAIM(framer_next(f, &payload) == (s->failed ? FRAME_TOO_LARGE : FRAME_NONE),
          "a frame too many, or a failure missed");
    CLAIM(framer_bytes(f) <= 2 * s->received + 65536 + sizeof(struct vn_buf) + s->len,
          "more memory than what has arrived allows");
}

/* Pushes n bytes as a window of `whole`, or as the end of a buffer of their own with `room` before
 * them. */
static void push(struct stream *s, struct framer *f, struct vn_buf *whole, uint32_t n, bool own,
                 uint32_t room)
{
    struct vn_slice piece = {whole, (uint32_t)s->received, n};
    if (own) {
        piece = (struct vn_slice){vn_buf_new(room + n), room, n};
        memset(piece.buf->data, 0xee, room);
        memcpy(piece.buf->data + room, s->data + s->received, n);
    } else {
        vn_buf_ref(whole);
    }
    s->received += n;
    framer_push(f, piece);
    compare(s, f);
    vn_slice_unref(piece);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    size_t cuts_len = input_u8(&in);
    const uint8_t *cuts_data = input_bytes(&in, &cuts_len);
    struct input cuts = {cuts_data, cuts_len};
    struct stream s = {.data = in.at, .len = in.left};
    struct vn_buf *whole = vn_buf_new((uint32_t)s.len);
    if (s.len > 0)
        memcpy(whole->data, s.data, s.len);
    struct framer framer = {0};
    while (s.received < s.len) {
        const uint8_t cut = input_u8(&cuts);
        uint32_t n = cut == 0 ? UINT32_MAX : cut & 1 ? 1u + (cut >> 1) % 8 : (uint32_t)cut * 16;
        const uint32_t left = (uint32_t)(s.len - s.received);
        push(&s, &framer, whole, n < left ? n : left, cut & 0x40, cut & 0x20 ? 9000 : 0);
    }
    framer_deinit(&framer);
    CLAIM(whole->refs == 1, "the framer keeps a reference");
    vn_buf_unref(whole);
    return 0;
}
