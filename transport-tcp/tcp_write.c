/* What a link has to write. Slices gather in a ring; the flush hands all of them to one writev, and
 * nothing is copied. What the kernel does not take waits: the next part of it as a request of
 * libuv, which writes it when the socket has room. That part is small, so that progress is told
 * while a slow reader reads.
 *
 * A link with nothing to write has no ring: they are taken from a list of spare ones. */
#include "transport-tcp/tcp_internal.h"
#include "transport-tcp/tcp_shape.h"

#include <string.h>

#define REQUEST_BYTES   65536u
#define REQUEST_VECTORS 64u
#define VECTOR_MAX      1024u /* IOV_MAX of Linux */
#define SPARE_OUTS      256u
#define SPARE_SLICES    1024u /* a larger ring is not kept */
#define FIRST_CAPACITY  16u

static struct tcp_out *out_take(struct vn_tcp *tcp)
{
    struct tcp_out *out = tcp->free_outs;
    if (!out)
        return mem_new(1, sizeof *out);
    tcp->free_outs = out->next_free;
    tcp->free_out_count--;
    return out;
}

static void out_give(struct vn_tcp *tcp, struct tcp_out *out)
{
    if (tcp->free_out_count >= SPARE_OUTS || out->capacity > SPARE_SLICES) {
        mem_free(out->slices);
        mem_free(out);
        return;
    }
    out->next_free = tcp->free_outs;
    tcp->free_outs = out;
    tcp->free_out_count++;
}

static void out_grow(struct tcp_out *out)
{
    uint32_t capacity = out->capacity ? out->capacity * 2 : FIRST_CAPACITY;
    struct vn_slice *slices = mem_new(capacity, sizeof *slices);
    for (uint32_t i = 0; i < out->count; i++)
        slices[i] = out->slices[(out->first + i) & (out->capacity - 1)];
    mem_free(out->slices);
    out->slices = slices;
    out->first = 0;
    out->capacity = capacity;
}

static struct vn_slice *out_at(const struct tcp_out *out, uint32_t i)
{
    return &out->slices[(out->first + i) & (out->capacity - 1)];
}

void tcp_write(struct tcp_link *link, const struct vn_slice *slices, uint32_t count)
{
    if (link->failed || link->state >= LINK_LINGERING) {
        for (uint32_t i = 0; i < count; i++)
            vn_slice_unref(slices[i]);
    } else if (link->shape) {
        tcp_shape_write(link, slices, count);
    } else {
        tcp_write_now(link, slices, count);
    }
}

void tcp_write_now(struct tcp_link *link, const struct vn_slice *slices, uint32_t count)
{
    if (!link->out)
        link->out = out_take(link->tcp);
    struct tcp_out *out = link->out;
    for (uint32_t i = 0; i < count; i++) {
        if (slices[i].len == 0) {
            vn_slice_unref(slices[i]);
            continue;
        }
        if (out->count == out->capacity)
            out_grow(out);
        *out_at(out, out->count++) = slices[i];
        out->bytes += slices[i].len;
        if (link->owner)
            link->owner->stats.queued_bytes += slices[i].len;
    }
    tcp_dirty(link);
}

/* The next bytes to write, at most `most` of them in `max` vectors; returns how many these are. */
static uint32_t gather(const struct tcp_out *out, uv_buf_t *vectors, uint32_t max, uint64_t most)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < out->count && n < max && most > 0; i++) {
        struct vn_slice slice = *out_at(out, i);
        uint32_t skip = i == 0 ? out->begun : 0;
        uint32_t len = slice.len - skip < most ? slice.len - skip : (uint32_t)most;
        most -= len;
        vectors[n++] = uv_buf_init((char *)slice.buf->data + slice.off + skip, len);
    }
    return n;
}

static uint64_t vectors_bytes(const uv_buf_t *vectors, uint32_t n)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += vectors[i].len;
    return sum;
}

/* So many bytes have left. */
static void advance(struct tcp_link *link, uint64_t bytes)
{
    struct tcp_out *out = link->out;
    assert(bytes <= out->bytes);
    out->bytes -= bytes;
    if (link->owner) {
        link->owner->stats.queued_bytes -= bytes;
        link->owner->stats.bytes_out += bytes;
        link->owner->stats.writes++;
    }
    while (bytes > 0) {
        struct vn_slice *slice = out_at(out, 0);
        uint32_t left = slice->len - out->begun;
        if (bytes < left) {
            out->begun += (uint32_t)bytes;
            return;
        }
        bytes -= left;
        vn_slice_unref(*slice);
        out->begun = 0;
        out->first = (out->first + 1) & (out->capacity - 1);
        out->count--;
    }
}

static void on_written(uv_write_t *request, int status)
{
    struct tcp_link *link = request->data;
    request->data = NULL;
    if (link->state == LINK_DEAD) {
        tcp_write_drop(link);
    } else if (status < 0) {
        link->out->in_request = 0;
        tcp_link_fail(link, VN_WHY_RESET);
    } else {
        tcp_dirty(link); /* the flush tells the owner, and goes on */
    }
}

/* Leaves a part to libuv, to be written when there is room. */
static void wait_for_room(struct tcp_link *link)
{
    struct tcp_out *out = link->out;
    uv_buf_t vectors[REQUEST_VECTORS];
    uint32_t n = gather(out, vectors, REQUEST_VECTORS, REQUEST_BYTES);
    out->in_request = (uint32_t)vectors_bytes(vectors, n);
    out->request.data = link;
    if (uv_write(&out->request, (uv_stream_t *)&link->handle, vectors, n, on_written) < 0) {
        out->request.data = NULL;
        out->in_request = 0;
        tcp_link_fail(link, VN_WHY_RESET);
    }
}

static uint64_t finish_request(struct tcp_link *link)
{
    uint64_t sent = link->out->in_request;
    link->out->in_request = 0;
    advance(link, sent);
    return sent;
}

uint64_t tcp_write_flush(struct tcp_link *link)
{
    uv_buf_t vectors[VECTOR_MAX];
    struct tcp_out *out = link->out;
    uint64_t sent = 0;
    if (!out || link->failed || link->state < LINK_UP)
        return 0;
    if (out->in_request > 0) {
        if (out->request.data)
            return 0; /* libuv has not told of it yet */
        sent = finish_request(link);
    }
    while (out->bytes > 0 && out->in_request == 0 && !link->failed) {
        uint32_t n = gather(out, vectors, VECTOR_MAX, UINT64_MAX);
        uint64_t asked = vectors_bytes(vectors, n);
        int took = uv_try_write((uv_stream_t *)&link->handle, vectors, n);
        if (took == UV_EAGAIN)
            took = 0;
        if (took < 0) {
            tcp_link_fail(link, VN_WHY_RESET);
            return sent;
        }
        if (took > 0)
            advance(link, (uint64_t)took);
        sent += (uint64_t)took;
        if ((uint64_t)took < asked)
            wait_for_room(link);
    }
    if (out->bytes == 0) {
        out_give(link->tcp, out);
        link->out = NULL;
    }
    return sent;
}

/* Not while libuv holds a request of it: that comes back, as cancelled, when the handle is closed.
 */
void tcp_write_drop(struct tcp_link *link)
{
    struct tcp_out *out = link->out;
    if (!out)
        return;
    if (link->owner)
        link->owner->stats.queued_bytes -= out->bytes;
    if (out->request.data)
        return;
    while (out->count > 0) {
        vn_slice_unref(*out_at(out, 0));
        out->first = (out->first + 1) & (out->capacity - 1);
        out->count--;
    }
    out->begun = out->in_request = 0;
    out->bytes = 0;
    out_give(link->tcp, out);
    link->out = NULL;
}
