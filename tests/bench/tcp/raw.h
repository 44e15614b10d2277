/* libuv with nothing around it: what its files share. */
#ifndef BENCH_RAW_H
#define BENCH_RAW_H

#include "tests/bench/tcp/contender.h"

#include <uv.h>

/* Ends the run if status, of libuv, is an error. */
void raw_check(const struct run *run, const char *what, int status);

/* Zeroed; ends the run when memory is out. */
void *raw_memory(const struct run *run, size_t bytes);

/* Listens on 127.0.0.1 and tells the client where. */
void raw_serve(struct run *run, uv_loop_t *loop, uv_tcp_t *listener,
               uv_connection_cb on_connection);

/* Connects to where the server listens. source: the address to come from, or NULL. */
void raw_connect(struct run *run, uv_loop_t *loop, uv_tcp_t *tcp, const char *source,
                 uv_connect_t *request, uv_connect_cb on_connect);

/* raw_stream.c */
void raw_stream_serve(struct run *run, uv_loop_t *loop);
void raw_stream_ask(struct run *run, uv_loop_t *loop);
void raw_round_trip_ask(struct run *run, uv_loop_t *loop);

/* raw_idle.c */
void raw_idle_serve(struct run *run, uv_loop_t *loop);
void raw_idle_ask(struct run *run);

/* raw_slow.c */
void raw_slow_serve(struct run *run, uv_loop_t *loop);
void raw_slow_ask(struct run *run, uv_loop_t *loop);

#endif
