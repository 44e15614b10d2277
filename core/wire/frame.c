/* Finds frames in the bytes pushed.
 *
 * Happy path: nothing is held, the input begins a frame and holds it whole; it comes out as a
 * window. If the input ends inside a frame, the rest waits in `part`: as a window of its buffer
 * where that is cheap to keep, else as a copy. The next input of the same buffer that begins where
 * the window ends is joined to it by moving the borders; any other input is appended to a copy.
 *
 * A driver may read into the rest of the assembly buffer (framer_space): then the next input begins
 * where the part ends, in its own buffer, and is not copied.
 *
 * The copy lies in an assembly buffer that the framer alone holds. It grows with what has arrived
 * and not with what was announced, and has the frame's exact size when the frame is complete, so
 * that whoever keeps the payload pins nothing else. */
#include "core/wire/frame.h"

#include "core/base/buf.h"
#include "core/base/bytes.h"

#include <assert.h>
#include <string.h>

_Static_assert(sizeof(struct framer) <= 40, "there is one for each link of 100,000 nodes");

/* struct framer's mode. */
enum {
    WINDOW,    /* part, if any, is a window of a buffer that was pushed */
    ASSEMBLY,  /* part is an assembly buffer, part.len bytes of it filled */
    DELIVERED, /* part is an assembly buffer whose frame the caller looks at */
    FAILED
};

/* The first size of an assembly buffer: before the length is known, and after, for long frames. */
#define ASSEMBLY_HEADER 16u
#define ASSEMBLY_FIRST  4096u

/* What may stay pinned beside twice the bytes received. */
#define SLACK 65536u

static void part_drop(struct framer *f)
{
    vn_slice_unref(f->part);
    f->part = (struct vn_slice){0};
    f->mode = WINDOW;
}

void framer_deinit(struct framer *f)
{
    part_drop(f);
    f->input = (struct vn_slice){0};
}

void framer_push(struct framer *f, struct vn_slice data)
{
    assert(f->input.len == 0);
    if (f->mode != FAILED)
        f->input = data;
}

size_t framer_bytes(const struct framer *f)
{
    if (!f->part.buf || f->mode == DELIVERED)
        return 0;
    return sizeof *f->part.buf + f->part.buf->len;
}

static enum frame_result fail(struct framer *f)
{
    part_drop(f);
    f->input = (struct vn_slice){0};
    f->mode = FAILED;
    return FRAME_TOO_LARGE;
}

static void advance(struct vn_slice *s, uint32_t by)
{
    s->off += by;
    s->len -= by;
}

/* Bytes of the frame that begins at data, header included: 0 while its length is unknown,
 * UINT32_MAX if it is above the limit. */
static uint32_t frame_size(const uint8_t *data, uint32_t len)
{
    if (!data || len < FRAME_HEADER)
        return 0;
    const uint32_t payload = get_be32(data);
    return frame_length_allowed(payload) ? FRAME_HEADER + payload : UINT32_MAX;
}

/* Is an unfinished frame of `size` bytes (0: unknown) better kept as a window than copied? The
 * frame must come to at least half of the buffer, and the buffer be all its own (the coming bytes
 * then join it in place) or small beside what has arrived. */
static bool worth_keeping(struct vn_slice s, uint32_t size)
{
    if (size == 0)
        return s.buf->len <= ASSEMBLY_FIRST;
    if (size < s.buf->len / 2)
        return false;
    return size <= s.buf->len - s.off || s.buf->len <= 2 * s.len + SLACK;
}

/* Makes room for `filled` bytes of a frame of `size` (0: unknown) in the assembly buffer. */
static void assembly_reserve(struct framer *f, uint32_t filled, uint32_t size)
{
    uint32_t want = 2 * filled;

    if (size == 0)
        want = ASSEMBLY_HEADER;
    else if (want < ASSEMBLY_FIRST)
        want = ASSEMBLY_FIRST;
    if (size != 0 && want > size)
        want = size;
    if (!f->part.buf)
        f->part.buf = vn_buf_new(want);
    else if (f->part.buf->len < filled || (size != 0 && f->part.buf->len > size))
        f->part.buf = buf_resize(f->part.buf, want);
}

/* Moves up to `limit` bytes of the input behind the part in the assembly buffer. */
static void assembly_take(struct framer *f, uint32_t limit, uint32_t size)
{
    const uint32_t n = f->input.len < limit ? f->input.len : limit;

    if (n == 0)
        return;
    /* What was read into framer_space lies there already. */
    if (f->input.buf != f->part.buf) {
        assembly_reserve(f, f->part.len + n, size);
        memcpy(f->part.buf->data + f->part.len, vn_slice_data(f->input), n);
    }
    f->part.len += n;
    advance(&f->input, n);
}

/* Turns a window into an assembly buffer with the same bytes. */
static void assembly_begin(struct framer *f, uint32_t size)
{
    const struct vn_slice window = f->part;

    f->part = (struct vn_slice){.len = window.len};
    f->mode = ASSEMBLY;
    assembly_reserve(f, window.len, size);
    memcpy(f->part.buf->data, vn_slice_data(window), window.len);
    vn_slice_unref(window);
}

/* The input ends inside a frame: keeps all of it. */
static void part_begin(struct framer *f, uint32_t size)
{
    f->part = vn_slice_ref(f->input);
    f->mode = WINDOW;
    if (!worth_keeping(f->part, size))
        assembly_begin(f, size);
    f->input = (struct vn_slice){0};
}

static enum frame_result next_in_input(struct framer *f, struct vn_slice *payload)
{
    const uint32_t size = frame_size(vn_slice_data(f->input), f->input.len);

    if (size == UINT32_MAX)
        return fail(f);
    if (size == 0 || size > f->input.len) {
        part_begin(f, size);
        return FRAME_NONE;
    }
    *payload = (struct vn_slice){
        .buf = f->input.buf, .off = f->input.off + FRAME_HEADER, .len = size - FRAME_HEADER};
    advance(&f->input, size);
    return FRAME_READY;
}

static enum frame_result next_in_assembly(struct framer *f, struct vn_slice *payload)
{
    if (f->part.len < FRAME_HEADER)
        assembly_take(f, FRAME_HEADER - f->part.len, 0);
    const uint32_t size = frame_size(f->part.buf->data, f->part.len);
    if (size == UINT32_MAX)
        return fail(f);
    if (size == 0)
        return FRAME_NONE;
    assembly_take(f, size - f->part.len, size);
    if (f->part.len < size)
        return FRAME_NONE;
    *payload =
        (struct vn_slice){.buf = f->part.buf, .off = FRAME_HEADER, .len = size - FRAME_HEADER};
    f->mode = DELIVERED;
    return FRAME_READY;
}

bool framer_space(struct framer *f, struct vn_slice *space)
{
    if (f->mode > ASSEMBLY || f->part.len < FRAME_HEADER)
        return false;
    const uint32_t size = frame_size(vn_slice_data(f->part), f->part.len);
    if (size - f->part.len < FRAME_RX_MIN)
        return false;
    if (f->mode == WINDOW)
        assembly_begin(f, size);
    else if (f->part.buf->len - f->part.len < FRAME_RX_MIN)
        f->part.buf = buf_resize(f->part.buf,
                                 2 * f->part.len + SLACK < size ? 2 * f->part.len + SLACK : size);
    const uint32_t room = f->part.buf->len - f->part.len;
    *space = (struct vn_slice){.buf = f->part.buf, .off = f->part.len, .len = room};
    return room >= FRAME_RX_MIN;
}

static bool adjacent(struct vn_slice a, struct vn_slice b)
{
    return a.buf == b.buf && a.off + a.len == b.off;
}

enum frame_result framer_next(struct framer *f, struct vn_slice *payload)
{
    if (f->mode == FAILED)
        return FRAME_TOO_LARGE;
    if (f->mode == DELIVERED)
        part_drop(f);
    if (f->input.len == 0) {
        f->input = (struct vn_slice){0};
        return FRAME_NONE;
    }
    if (f->mode == WINDOW && f->part.len != 0) {
        if (adjacent(f->part, f->input)) {
            /* The pusher holds the buffer too: our reference may go. */
            f->input.off = f->part.off;
            f->input.len += f->part.len;
            part_drop(f);
        } else {
            assembly_begin(f, frame_size(vn_slice_data(f->part), f->part.len));
        }
    }
    return f->mode == ASSEMBLY ? next_in_assembly(f, payload) : next_in_input(f, payload);
}

void framer_audit(const struct framer *f, struct audit *audit)
{
    audit_equal(audit, "bytes that came and were not looked at", f->input.len, 0);
    audit_true(audit, "a frame is still held that was delivered", f->mode != DELIVERED);
    audit_true(audit, "a buffer is held without bytes of a frame",
               (f->part.buf != NULL) == (f->part.len > 0));
    if (f->part.buf && !audit->what)
        audit_at_most(audit, "bytes of a frame in its buffer",
                      (uint64_t)f->part.off + f->part.len, f->part.buf->len);
}
