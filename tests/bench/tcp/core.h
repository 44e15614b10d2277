/* The protocol core on its transport: what the files of the contender "vibenet" share. */
#ifndef BENCH_CORE_H
#define BENCH_CORE_H

#include "tests/bench/tcp/contender.h"
#include "transport-tcp/tcp.h"

#define CORE_MARK_DONE  0u
#define CORE_MARK_BEGIN 1u /* what comes from now on counts */

/* A node, its loop, and what looks at it once in each turn of the loop. */
struct core_node {
    struct run *run;
    uv_loop_t loop;
    struct vn_tcp *tcp;
    struct vn_tcp_node *node;
    uv_prepare_t turn;
    uv_idle_t idle;
    uv_timer_t timer;
    void (*on_turn)(struct core_node *n);
    void (*on_begin)(struct core_node *n);
    uint64_t seen_bytes; /* by the timer, in `looks` looks */
    uint32_t looks;
};

/* Defaults without the limits that keep a stranger from doing what the benchmark does; the hash of
 * its events is off, as it is in a node that runs. It dials nobody by itself. */
void core_config(struct vn_config *config, const char *id);

/* Makes the node; ends the run if it cannot. on_turn: before the loop sleeps, and before what was
 * queued leaves. */
void core_open(struct core_node *n, struct run *run, const struct vn_config *config,
               void (*on_turn)(struct core_node *n));

/* The same of one that listens on 127.0.0.1, and tells the client where. */
void core_open_server(struct core_node *n, struct run *run, const struct vn_config *config,
                      void (*on_turn)(struct core_node *n));

/* Dials the server, and calls on_begin when the link is ready and has been quiet for a while: the
 * two have said what they say after a handshake. Makes CORE_MARK_BEGIN first. */
void core_connect(struct core_node *n, void (*on_begin)(struct core_node *n));

/* Gives a command; ends the run if it is refused. */
void core_command(struct core_node *n, struct vn_command command);

struct vn_tcp_stats core_stats(const struct core_node *n);

/* While on the loop does not sleep. */
void core_awake(struct core_node *n, bool on);

/* The server of a stream: counts what comes from CORE_MARK_BEGIN on, but for the first turn with
 * bytes in it, until CORE_MARK_DONE is made and the link ended. */
struct core_sink {
    struct core_node n;
    struct meter meter;
    uint64_t base, last;
    bool begun;
};
void core_sink_open(struct core_sink *sink, struct run *run, const struct vn_config *config);
void core_sink_run(struct core_sink *sink);

/* The server's end of the link. */
struct vn_addr core_server(struct run *run);

/* core_stream.c */
void core_stream_serve(struct run *run);
void core_stream_ask(struct run *run);

/* core_tx.c. A valid transaction with data_len bytes of data; and another one in the same buffer,
 * which is of nobody else then. */
struct vn_buf *core_tx_new(uint32_t data_len);
void core_tx_renew(struct vn_buf *tx, uint64_t nonce);
void core_tx_serve(struct run *run);
void core_tx_ask(struct run *run);

/* core_idle.c */
void core_idle_serve(struct run *run);
void core_idle_ask(struct run *run);

/* core_slow.c */
void core_slow_serve(struct run *run);
void core_slow_ask(struct run *run);

#endif
