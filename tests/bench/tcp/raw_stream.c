/* libuv with nothing around it, one connection: STREAM, PONG, BULK, ROUND_TRIP.
 *
 * Written for speed, as somebody would who knows what comes: frames are gathered until there are
 * 64 KiB of them and leave by one uv_try_write; what the socket does not take goes by uv_write,
 * and its callback goes on. Reads are of 256 KiB, in which frames are found where they lie, and
 * only what is left over moves. Frames of a MiB are read where they stay; they are sent from where
 * they lie. Answers to all that one read brought leave together. Nagle's algorithm is off. */
#include "tests/bench/tcp/raw.h"

#include <stdlib.h>
#include <string.h>

#define READ_BYTES   (256u << 10)
#define TURN_BATCHES 4u /* that are sent before answers are read */

/* ---- the server ---- */

struct receiver {
    uv_tcp_t listener, tcp;
    uv_write_t request;
    struct run *run;
    struct meter meter;
    uint8_t *in, *out;
    size_t in_space, in_len, out_len;
    bool begun, answers;
};

static void receiver_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct receiver *r = handle->data;
    (void)suggested;
    size_t space = r->in_space - r->in_len;
    if (r->run->work == WORK_BULK && r->in_len < PREFIX_BYTES)
        space = READ_BYTES; /* less than a frame: what comes is of this one alone */
    *buf = uv_buf_init((char *)r->in + r->in_len, (unsigned)space);
}

static void receiver_on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void receiver_on_written(uv_write_t *request, int status)
{
    struct receiver *r = request->data;
    raw_check(r->run, "write", status);
    uv_read_start((uv_stream_t *)&r->tcp, receiver_alloc, receiver_on_read);
}

/* What the socket does not take holds up reading. */
static void receiver_answer(struct receiver *r)
{
    uv_stream_t *stream = (uv_stream_t *)&r->tcp;
    uv_buf_t buf = uv_buf_init((char *)r->out, (unsigned)r->out_len);
    int took = uv_try_write(stream, &buf, 1);
    r->out_len = 0;
    if (took == UV_EAGAIN)
        took = 0;
    raw_check(r->run, "write", took);
    if ((unsigned)took == buf.len)
        return;
    buf.base += took;
    buf.len -= (unsigned)took;
    r->request.data = r;
    uv_read_stop(stream);
    raw_check(r->run, "write", uv_write(&r->request, stream, &buf, 1, receiver_on_written));
}

/* Counts the frames that are whole, and makes their answers. */
static void receiver_frames(struct receiver *r)
{
    uint8_t *at = r->in, *end = r->in + r->in_len;
    uint64_t messages = 0;
    while (end - at >= (ptrdiff_t)PREFIX_BYTES) {
        const uint32_t size = frame_size(at);
        if (size > r->in_space)
            run_fail(r->run, "a frame", "too long");
        if (end - at < (ptrdiff_t)size)
            break;
        if (r->answers) {
            uint8_t *pong = r->out + r->out_len;
            frame_put_length(pong, PONG_BYTES);
            memcpy(pong + PREFIX_BYTES, at + PREFIX_BYTES, PONG_BYTES - PREFIX_BYTES);
            r->out_len += PONG_BYTES;
        }
        at += size;
        messages++;
    }
    r->in_len = (size_t)(end - at);
    memmove(r->in, at, r->in_len);
    r->run->side->messages += messages;
}

static void receiver_on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct receiver *r = stream->data;
    (void)buf;
    if (n == UV_EOF) {
        meter_end(&r->meter, r->run->side);
        uv_close((uv_handle_t *)stream, NULL);
        uv_close((uv_handle_t *)&r->listener, NULL);
        return;
    }
    raw_check(r->run, "read", (int)n);
    if (!r->begun)
        meter_begin(&r->meter);
    r->begun = true;
    r->in_len += (size_t)n;
    r->run->side->bytes += (uint64_t)n;
    const bool bulk = r->run->work == WORK_BULK;
    if (!bulk || r->in_len == r->in_space)
        receiver_frames(r);
    if (r->out_len > 0)
        receiver_answer(r);
}

static void receiver_on_connection(uv_stream_t *listener, int status)
{
    struct receiver *r = listener->data;
    raw_check(r->run, "listen", status);
    uv_tcp_init(listener->loop, &r->tcp);
    r->tcp.data = r;
    raw_check(r->run, "accept", uv_accept(listener, (uv_stream_t *)&r->tcp));
    uv_tcp_nodelay(&r->tcp, 1);
    uv_read_start((uv_stream_t *)&r->tcp, receiver_alloc, receiver_on_read);
}

void raw_stream_serve(struct run *run, uv_loop_t *loop)
{
    struct receiver r = {.run = run};
    r.answers = run->work == WORK_PONG || run->work == WORK_ROUND_TRIP;
    r.in_space = run->work == WORK_BULK ? run->size : READ_BYTES;
    r.in = raw_memory(run, r.in_space);
    r.out = raw_memory(run, READ_BYTES / PONG_BYTES * PONG_BYTES);
    r.listener.data = &r;
    raw_serve(run, loop, &r.listener, receiver_on_connection);
    uv_run(loop, UV_RUN_DEFAULT);
    free(r.in);
    free(r.out);
}

/* ---- the client of streams ---- */

struct sender {
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t request;
    uv_shutdown_t shutdown;
    uv_idle_t idle;
    struct run *run;
    struct meter meter;
    uint8_t *batch, *in;
    size_t in_len;
    uint64_t until_ns, sent, answered;
    uint8_t payload[4096];
    bool writing, ended;
};

/* New frames, each with its number in it; a large one stays as it is. */
static uv_buf_t sender_batch(struct sender *s)
{
    const uint32_t size = s->run->size;
    size_t len = 0;
    if (size > BATCH_BYTES) {
        s->sent++;
        return uv_buf_init((char *)s->batch, size);
    }
    while (len + size <= BATCH_BYTES) {
        uint8_t *at = s->batch + len;
        s->sent++;
        frame_put_length(at, size);
        memcpy(at + PREFIX_BYTES, s->payload, size - PREFIX_BYTES);
        memcpy(at + PREFIX_BYTES, &s->sent, sizeof s->sent);
        len += size;
    }
    return uv_buf_init((char *)s->batch, (unsigned)len);
}

static void sender_done(struct sender *s)
{
    meter_end(&s->meter, s->run->side);
    s->run->side->messages = s->run->work == WORK_PONG ? s->answered : s->sent;
    uv_close((uv_handle_t *)&s->tcp, NULL);
    uv_close((uv_handle_t *)&s->idle, NULL);
}

static void sender_on_shutdown(uv_shutdown_t *request, int status)
{
    struct sender *s = request->data;
    raw_check(s->run, "shutdown", status);
    sender_done(s);
}

static void sender_end(struct sender *s)
{
    if (s->ended || s->writing)
        return;
    s->ended = true;
    uv_idle_stop(&s->idle);
    s->shutdown.data = s;
    raw_check(s->run, "shutdown",
              uv_shutdown(&s->shutdown, (uv_stream_t *)&s->tcp, sender_on_shutdown));
}

static void sender_pump(struct sender *s);

static void sender_on_idle(uv_idle_t *idle)
{
    sender_pump(idle->data);
}

static void sender_on_written(uv_write_t *request, int status)
{
    struct sender *s = request->data;
    raw_check(s->run, "write", status);
    s->writing = false;
    sender_pump(s);
}

/* Sends until the socket is full; with answers, for a few batches, so that these are read. */
static void sender_pump(struct sender *s)
{
    const bool answers = s->run->work == WORK_PONG;
    uv_stream_t *stream = (uv_stream_t *)&s->tcp;
    for (unsigned turn = 0; !s->writing && !(answers && turn == TURN_BATCHES); turn++) {
        if (run_now_ns() >= s->until_ns) {
            uv_idle_stop(&s->idle);
            if (!answers || s->answered == s->sent)
                sender_end(s);
            return;
        }
        uv_buf_t buf = sender_batch(s);
        int took = uv_try_write(stream, &buf, 1);
        if (took == UV_EAGAIN)
            took = 0;
        raw_check(s->run, "write", took);
        if ((unsigned)took == buf.len)
            continue;
        buf.base += took;
        buf.len -= (unsigned)took;
        s->request.data = s;
        s->writing = true;
        raw_check(s->run, "write", uv_write(&s->request, stream, &buf, 1, sender_on_written));
    }
    if (s->writing)
        uv_idle_stop(&s->idle);
    else
        uv_idle_start(&s->idle, sender_on_idle);
}

static void sender_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct sender *s = handle->data;
    (void)suggested;
    *buf = uv_buf_init((char *)s->in + s->in_len, (unsigned)(READ_BYTES - s->in_len));
}

static void sender_on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct sender *s = stream->data;
    (void)buf;
    raw_check(s->run, "read", (int)n);
    size_t at = 0;
    s->in_len += (size_t)n;
    while (s->in_len - at >= PREFIX_BYTES && s->in_len - at >= frame_size(s->in + at)) {
        at += frame_size(s->in + at);
        s->answered++;
    }
    s->in_len -= at;
    memmove(s->in, s->in + at, s->in_len);
    if (s->answered == s->sent && run_now_ns() >= s->until_ns)
        sender_end(s);
}

static void sender_on_connect(uv_connect_t *request, int status)
{
    struct sender *s = request->data;
    raw_check(s->run, "connect", status);
    uv_tcp_nodelay(&s->tcp, 1);
    if (s->run->work == WORK_PONG)
        uv_read_start((uv_stream_t *)&s->tcp, sender_alloc, sender_on_read);
    meter_begin(&s->meter);
    s->until_ns = run_now_ns() + s->run->ns;
    sender_pump(s);
}

void raw_stream_ask(struct run *run, uv_loop_t *loop)
{
    struct sender *s = raw_memory(run, sizeof *s);
    *s = (struct sender){.run = run};
    s->batch = raw_memory(run, run->size > BATCH_BYTES ? run->size : BATCH_BYTES);
    s->in = raw_memory(run, READ_BYTES);
    memset(s->batch, 0xab, run->size);
    frame_put_length(s->batch, run->size);
    uv_idle_init(loop, &s->idle);
    s->idle.data = s->tcp.data = s->connect.data = s;
    raw_connect(run, loop, &s->tcp, NULL, &s->connect, sender_on_connect);
    uv_run(loop, UV_RUN_DEFAULT);
    free(s->batch);
    free(s->in);
    free(s);
}

/* ---- the client of round trips ---- */

struct pinger {
    uv_tcp_t tcp;
    uv_connect_t connect;
    struct run *run;
    struct meter meter;
    uint64_t *ns;
    uint64_t count, sent_ns, until_ns;
    uint8_t ping[PONG_BYTES], in[PONG_BYTES];
    unsigned in_len;
};

static void pinger_ping(struct pinger *p)
{
    uv_buf_t buf = uv_buf_init((char *)p->ping, PONG_BYTES);
    memcpy(p->ping + PREFIX_BYTES, &p->count, sizeof p->count);
    p->sent_ns = run_now_ns();
    if (uv_try_write((uv_stream_t *)&p->tcp, &buf, 1) != (int)PONG_BYTES)
        run_fail(p->run, "write", "16 bytes did not leave at once");
}

static void pinger_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct pinger *p = handle->data;
    (void)suggested;
    *buf = uv_buf_init((char *)p->in + p->in_len, PONG_BYTES - p->in_len);
}

static void pinger_on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct pinger *p = stream->data;
    (void)buf;
    raw_check(p->run, "read", (int)n);
    p->in_len += (unsigned)n;
    if (p->in_len < PONG_BYTES)
        return;
    p->in_len = 0;
    const uint64_t now_ns = run_now_ns();
    p->ns[p->count++] = now_ns - p->sent_ns;
    if (p->count < p->run->pings && now_ns < p->until_ns) {
        pinger_ping(p);
        return;
    }
    meter_end(&p->meter, p->run->side);
    uv_close((uv_handle_t *)stream, NULL);
}

static void pinger_on_connect(uv_connect_t *request, int status)
{
    struct pinger *p = request->data;
    raw_check(p->run, "connect", status);
    uv_tcp_nodelay(&p->tcp, 1);
    uv_read_start((uv_stream_t *)&p->tcp, pinger_alloc, pinger_on_read);
    meter_begin(&p->meter);
    p->until_ns = run_now_ns() + 5 * p->run->ns;
    pinger_ping(p);
}

void raw_round_trip_ask(struct run *run, uv_loop_t *loop)
{
    struct pinger p = {.run = run};
    p.ns = raw_memory(run, run->pings * sizeof *p.ns);
    frame_put_length(p.ping, PONG_BYTES);
    p.tcp.data = p.connect.data = &p;
    raw_connect(run, loop, &p.tcp, NULL, &p.connect, pinger_on_connect);
    uv_run(loop, UV_RUN_DEFAULT);
    run->side->messages = p.count;
    run_percentiles(run->side, p.ns, p.count);
    free(p.ns);
}
