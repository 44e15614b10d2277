/* The contender "libuv": the floor that anything on libuv stands on. Which work is done where. */
#include "tests/bench/tcp/raw.h"

#include <stdlib.h>

#define BACKLOG 4096

void raw_check(const struct run *run, const char *what, int status)
{
    if (status < 0)
        run_fail(run, what, uv_strerror(status));
}

void *raw_memory(const struct run *run, size_t bytes)
{
    void *memory = calloc(1, bytes);
    if (!memory)
        run_fail(run, "memory", "there is no more");
    return memory;
}

void raw_serve(struct run *run, uv_loop_t *loop, uv_tcp_t *listener, uv_connection_cb on_connection)
{
    struct sockaddr_in addr;
    int len = sizeof addr;
    uv_ip4_addr("127.0.0.1", 0, &addr);
    uv_tcp_init(loop, listener);
    raw_check(run, "bind", uv_tcp_bind(listener, (const struct sockaddr *)&addr, 0));
    raw_check(run, "listen", uv_listen((uv_stream_t *)listener, BACKLOG, on_connection));
    raw_check(run, "listen", uv_tcp_getsockname(listener, (struct sockaddr *)&addr, &len));
    run_listening(run, ntohs(addr.sin_port));
}

void raw_connect(struct run *run, uv_loop_t *loop, uv_tcp_t *tcp, const char *source,
                 uv_connect_t *request, uv_connect_cb on_connect)
{
    struct sockaddr_in addr;
    uv_tcp_init(loop, tcp);
    if (source) {
        raw_check(run, "source", uv_ip4_addr(source, 0, &addr));
        raw_check(run, "bind", uv_tcp_bind(tcp, (const struct sockaddr *)&addr, 0));
    }
    uv_ip4_addr("127.0.0.1", run_port(run), &addr);
    raw_check(run, "connect",
              uv_tcp_connect(request, tcp, (const struct sockaddr *)&addr, on_connect));
}

static void serve(struct run *run)
{
    uv_loop_t loop;
    raw_check(run, "loop", uv_loop_init(&loop));
    switch (run->work) {
    case WORK_STREAM:
    case WORK_PONG:
    case WORK_BULK:
    case WORK_ROUND_TRIP:
        raw_stream_serve(run, &loop);
        break;
    case WORK_IDLE:
        raw_idle_serve(run, &loop);
        break;
    case WORK_SLOW:
        raw_slow_serve(run, &loop);
        break;
    case WORK_TX:
        break;
    }
}

static void ask(struct run *run)
{
    uv_loop_t loop;
    raw_check(run, "loop", uv_loop_init(&loop));
    switch (run->work) {
    case WORK_STREAM:
    case WORK_PONG:
    case WORK_BULK:
        raw_stream_ask(run, &loop);
        break;
    case WORK_ROUND_TRIP:
        raw_round_trip_ask(run, &loop);
        break;
    case WORK_IDLE:
        raw_idle_ask(run);
        break;
    case WORK_SLOW:
        raw_slow_ask(run, &loop);
        break;
    case WORK_TX:
        break;
    }
}

const struct contender contender_libuv = {"libuv", serve, ask, false};
