/* libuv with nothing around it: IDLE.
 *
 * A connection is one allocation: libuv's handle and room for a hello that arrives in pieces. All
 * share one buffer to read into. The client is a loop over blocking sockets, which serves every
 * contender that speaks these frames. */
#include "tests/bench/tcp/plain.h"
#include "tests/bench/tcp/raw.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define READ_BYTES 65536u
#define AHEAD      1000u /* connections whose answer has not been read */
#define MARK_DONE  0u

/* ---- the server ---- */

struct idle_server;

struct idle_link {
    uv_tcp_t tcp;
    struct idle_server *server;
    uint8_t hello[HELLO_BYTES];
    uint32_t len;
};

struct idle_server {
    uv_tcp_t listener;
    uv_timer_t timer;
    struct run *run;
    struct meter meter, silence;
    uint64_t memory, resident;
    uint32_t hellos;
    uint8_t in[READ_BYTES];
};

static void idle_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct idle_link *link = (struct idle_link *)handle;
    (void)suggested;
    *buf = uv_buf_init((char *)link->server->in, READ_BYTES);
}

/* The silence is over: time is what it took, and the process may end as it is. */
static void idle_on_silence(uv_timer_t *timer)
{
    struct idle_server *server = timer->data;
    struct side silence;
    meter_end(&server->silence, &silence);
    server->run->side->idle_wall_ns = silence.wall_ns;
    server->run->side->idle_cpu_ns = silence.user_ns + silence.sys_ns;
    run_mark(server->run, MARK_DONE);
    uv_stop(timer->loop);
}

static void idle_complete(struct idle_server *server)
{
    struct side *side = server->run->side;
    meter_end(&server->meter, side);
    side->messages = server->hellos;
    run_memory(&side->memory, &side->resident);
    side->memory -= server->memory;
    side->resident -= server->resident;
    meter_begin(&server->silence);
    uv_timer_start(&server->timer, idle_on_silence, 2 * server->run->ns / 1000000, 0);
}

static void idle_on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct idle_link *link = (struct idle_link *)stream;
    struct idle_server *server = link->server;
    raw_check(server->run, "read", (int)n);
    if (link->len + (size_t)n > HELLO_BYTES)
        run_fail(server->run, "read", "more than a hello");
    memcpy(link->hello + link->len, buf->base, (size_t)n);
    link->len += (uint32_t)n;
    if (link->len < HELLO_BYTES)
        return;
    link->len = 0;
    uv_buf_t answer = uv_buf_init((char *)link->hello, HELLO_BYTES);
    if (uv_try_write(stream, &answer, 1) != (int)HELLO_BYTES)
        run_fail(server->run, "write", "a hello did not leave at once");
    if (server->hellos++ == 0)
        meter_begin(&server->meter);
    if (server->hellos == server->run->links)
        idle_complete(server);
}

static void idle_on_connection(uv_stream_t *listener, int status)
{
    struct idle_server *server = listener->data;
    raw_check(server->run, "accept", status);
    struct idle_link *link = raw_memory(server->run, sizeof *link);
    link->server = server;
    uv_tcp_init(listener->loop, &link->tcp);
    raw_check(server->run, "accept", uv_accept(listener, (uv_stream_t *)&link->tcp));
    uv_tcp_nodelay(&link->tcp, 1);
    uv_read_start((uv_stream_t *)&link->tcp, idle_alloc, idle_on_read);
}

void raw_idle_serve(struct run *run, uv_loop_t *loop)
{
    struct idle_server *server = raw_memory(run, sizeof *server);
    server->run = run;
    memset(server->in, 0, READ_BYTES); /* touched now, so that no connection pays for it */
    server->listener.data = server->timer.data = server;
    uv_timer_init(loop, &server->timer);
    run_memory(&server->memory, &server->resident);
    raw_serve(run, loop, &server->listener, idle_on_connection);
    uv_run(loop, UV_RUN_DEFAULT);
}

/* ---- the client ---- */

void raw_idle_ask(struct run *run)
{
    uint8_t hello[HELLO_BYTES] = {0}, answer[HELLO_BYTES];
    int *fds = raw_memory(run, run->links * sizeof *fds);
    frame_put_length(hello, HELLO_BYTES);
    for (uint32_t i = 0; i < run->links; i++)
        fds[i] = plain_socket(run, i);
    const uint16_t port = run_port(run);
    for (uint32_t i = 0; i < run->links + AHEAD; i++) {
        if (i < run->links) {
            plain_connect(run, fds[i], port);
            if (send(fds[i], hello, sizeof hello, MSG_NOSIGNAL) != (ssize_t)sizeof hello)
                run_fail(run, "a hello", strerror(errno));
        }
        if (i >= AHEAD && i - AHEAD < run->links &&
            recv(fds[i - AHEAD], answer, sizeof answer, MSG_WAITALL) != (ssize_t)sizeof answer)
            run_fail(run, "the answer to a hello", strerror(errno));
    }
    run_await(run, MARK_DONE);
    free(fds);
}
