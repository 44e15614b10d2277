/* libuv with nothing around it: SLOW.
 *
 * Answers are sent from where they lie, all of one answer in one uv_try_write. A connection whose
 * answer the socket does not take is not read until it is gone, so that who does not read costs one
 * answer, and nobody else waits. */
#include "tests/bench/tcp/raw.h"

#include <stdlib.h>
#include <string.h>

#define READ_BYTES  65536u
#define OUTSTANDING 2u /* requests of a client */
#define MARK_DONE   0u

/* ---- the server ---- */

struct slow_server;

struct slow_link {
    uv_tcp_t tcp;
    uv_write_t request;
    struct slow_server *server;
    uint8_t piece[PONG_BYTES]; /* of a request that comes in pieces */
    uint32_t len;
    uint32_t owed; /* answers */
    bool writing;
};

struct slow_server {
    uv_tcp_t listener;
    struct run *run;
    struct meter meter;
    uint8_t *answer, *in;
    uint32_t answer_len, open;
    bool begun;
};

static void slow_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct slow_link *link = (struct slow_link *)handle;
    (void)suggested;
    *buf = uv_buf_init((char *)link->server->in, READ_BYTES);
}

static void slow_answer(struct slow_link *link);

static void slow_on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void slow_on_closed(uv_handle_t *handle)
{
    struct slow_link *link = (struct slow_link *)handle;
    struct slow_server *server = link->server;
    free(link);
    if (--server->open > 0)
        return;
    uv_close((uv_handle_t *)&server->listener, NULL);
}

static void slow_on_written(uv_write_t *request, int status)
{
    struct slow_link *link = request->data;
    link->writing = false;
    if (uv_is_closing((uv_handle_t *)&link->tcp))
        return;
    if (status < 0 && run_marked(link->server->run, MARK_DONE)) { /* the client is gone */
        uv_close((uv_handle_t *)&link->tcp, slow_on_closed);
        return;
    }
    raw_check(link->server->run, "write", status);
    slow_answer(link);
    if (!link->writing)
        uv_read_start((uv_stream_t *)&link->tcp, slow_alloc, slow_on_read);
}

static void slow_answer(struct slow_link *link)
{
    struct slow_server *server = link->server;
    uv_stream_t *stream = (uv_stream_t *)&link->tcp;
    while (link->owed > 0 && !link->writing) {
        uv_buf_t buf = uv_buf_init((char *)server->answer, server->answer_len);
        int took = uv_try_write(stream, &buf, 1);
        link->owed--;
        server->run->side->messages += ANSWER_MESSAGES;
        if (took == UV_EAGAIN)
            took = 0;
        if (took < 0)
            return; /* reading tells why */
        if ((unsigned)took == buf.len)
            continue;
        buf.base += took;
        buf.len -= (unsigned)took;
        link->request.data = link;
        link->writing = true;
        uv_read_stop(stream);
        raw_check(server->run, "write", uv_write(&link->request, stream, &buf, 1, slow_on_written));
    }
}

static void slow_on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct slow_link *link = (struct slow_link *)stream;
    struct slow_server *server = link->server;
    if (n < 0) { /* the client has seen enough */
        if (!run_marked(server->run, MARK_DONE))
            raw_check(server->run, "read", (int)n);
        uv_close((uv_handle_t *)stream, slow_on_closed);
        return;
    }
    if (!server->begun)
        meter_begin(&server->meter);
    server->begun = true;
    for (const char *at = buf->base, *end = buf->base + n; at < end;) {
        uint32_t part = PONG_BYTES - link->len;
        if (part > (size_t)(end - at))
            part = (uint32_t)(end - at);
        memcpy(link->piece + link->len, at, part);
        link->len += part;
        at += part;
        if (link->len < PONG_BYTES)
            break;
        if (frame_size(link->piece) != PONG_BYTES)
            run_fail(server->run, "read", "not a request");
        link->len = 0;
        link->owed++;
    }
    slow_answer(link);
}

static void slow_on_connection(uv_stream_t *listener, int status)
{
    struct slow_server *server = listener->data;
    raw_check(server->run, "accept", status);
    struct slow_link *link = raw_memory(server->run, sizeof *link);
    link->server = server;
    uv_tcp_init(listener->loop, &link->tcp);
    raw_check(server->run, "accept", uv_accept(listener, (uv_stream_t *)&link->tcp));
    uv_tcp_nodelay(&link->tcp, 1);
    server->open++;
    uv_read_start((uv_stream_t *)&link->tcp, slow_alloc, slow_on_read);
}

void raw_slow_serve(struct run *run, uv_loop_t *loop)
{
    struct slow_server server = {.run = run, .answer_len = ANSWER_MESSAGES * run->size};
    server.in = raw_memory(run, READ_BYTES);
    server.answer = raw_memory(run, server.answer_len);
    for (uint32_t i = 0; i < ANSWER_MESSAGES; i++)
        frame_put_length(server.answer + i * run->size, run->size);
    server.listener.data = &server;
    raw_serve(run, loop, &server.listener, slow_on_connection);
    uv_run(loop, UV_RUN_DEFAULT);
    meter_end(&server.meter, run->side);
    free(server.in);
    free(server.answer);
}

/* ---- the client ---- */

struct slow_client;

struct slow_reader {
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t request;
    struct slow_client *client;
    uint8_t prefix[PREFIX_BYTES];
    uint32_t prefix_len;
    uint32_t left;     /* bytes of the frame being received */
    uint32_t messages; /* of the answer being received */
    bool deaf;
};

struct slow_client {
    struct run *run;
    struct meter meter;
    uv_timer_t timer;
    struct slow_reader *readers;
    uint32_t count, connected;
    uint8_t *in, *requests; /* SLOW_REQUESTS of them */
};

static void reader_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct slow_reader *reader = (struct slow_reader *)handle;
    (void)suggested;
    *buf = uv_buf_init((char *)reader->client->in, READ_BYTES);
}

static void reader_ask(struct slow_reader *reader, uint32_t requests)
{
    uv_buf_t buf = uv_buf_init((char *)reader->client->requests, requests * PONG_BYTES);
    const int took = uv_try_write((uv_stream_t *)&reader->tcp, &buf, 1);
    if (took != (int)buf.len && !reader->deaf)
        run_fail(reader->client->run, "write", "a request did not leave at once");
    if (took == (int)buf.len)
        return;
    buf.base += took > 0 ? took : 0;
    buf.len -= took > 0 ? (unsigned)took : 0;
    uv_write(&reader->request, (uv_stream_t *)&reader->tcp, &buf, 1, NULL);
}

/* Finds the frames in what has come; returns how many ended. */
static uint32_t reader_frames(struct slow_reader *reader, const uint8_t *at, size_t len)
{
    uint32_t messages = 0;
    while (len > 0) {
        if (reader->left == 0) {
            reader->prefix[reader->prefix_len++] = *at++;
            len--;
            if (reader->prefix_len == PREFIX_BYTES) {
                reader->left = frame_size(reader->prefix) - PREFIX_BYTES;
                reader->prefix_len = 0;
            }
            continue;
        }
        const uint32_t part = reader->left < len ? reader->left : (uint32_t)len;
        at += part;
        len -= part;
        reader->left -= part;
        messages += reader->left == 0;
    }
    return messages;
}

static void reader_on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct slow_reader *reader = (struct slow_reader *)stream;
    raw_check(reader->client->run, "read", (int)n);
    const uint32_t messages = reader_frames(reader, (const uint8_t *)buf->base, (size_t)n);
    reader->client->run->side->messages += messages;
    reader->messages += messages;
    for (; reader->messages >= ANSWER_MESSAGES; reader->messages -= ANSWER_MESSAGES)
        reader_ask(reader, 1);
}

static void slow_on_time(uv_timer_t *timer)
{
    struct slow_client *client = timer->data;
    meter_end(&client->meter, client->run->side);
    run_mark(client->run, MARK_DONE);
    uv_close((uv_handle_t *)timer, NULL);
    for (uint32_t i = 0; i < client->count; i++)
        uv_close((uv_handle_t *)&client->readers[i].tcp, NULL);
}

static void slow_on_connect(uv_connect_t *request, int status)
{
    struct slow_client *client = request->data;
    raw_check(client->run, "connect", status);
    if (++client->connected < client->count)
        return;
    for (uint32_t i = 0; i < client->count; i++) {
        struct slow_reader *reader = &client->readers[i];
        uv_tcp_nodelay(&reader->tcp, 1);
        if (!reader->deaf)
            uv_read_start((uv_stream_t *)&reader->tcp, reader_alloc, reader_on_read);
        reader_ask(reader, reader->deaf ? SLOW_REQUESTS : OUTSTANDING);
    }
    meter_begin(&client->meter);
    uv_timer_start(&client->timer, slow_on_time, client->run->ns / 1000000, 0);
}

void raw_slow_ask(struct run *run, uv_loop_t *loop)
{
    struct slow_client client = {.run = run, .count = run->links + run->slow};
    client.in = raw_memory(run, READ_BYTES);
    client.readers = raw_memory(run, client.count * sizeof *client.readers);
    client.requests = raw_memory(run, SLOW_REQUESTS * PONG_BYTES);
    for (uint32_t i = 0; i < SLOW_REQUESTS; i++)
        frame_put_length(client.requests + i * PONG_BYTES, PONG_BYTES);
    uv_timer_init(loop, &client.timer);
    client.timer.data = &client;
    for (uint32_t i = 0; i < client.count; i++) {
        struct slow_reader *reader = &client.readers[i];
        reader->client = &client;
        reader->deaf = i == run->links;
        reader->connect.data = &client;
        raw_connect(run, loop, &reader->tcp, NULL, &reader->connect, slow_on_connect);
    }
    uv_run(loop, UV_RUN_DEFAULT);
    free(client.in);
    free(client.readers);
    free(client.requests);
}
