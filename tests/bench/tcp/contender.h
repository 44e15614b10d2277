/* What is compared: ways to move messages over TCP between two processes on one machine.
 *
 * A contender is two functions, one for each process of a run. The server listens on 127.0.0.1 with
 * a port of the system's choice, tells it by run_listening, and works until the work is done; the
 * client waits for the port, connects, and is the one that knows when enough time has passed. What
 * each has measured it leaves in its struct side, in memory that both share; then it returns. A run
 * that cannot be made ends with run_fail. Each process has a core of its own, if there are two, and
 * is killed when it takes too long.
 *
 * Works, by enum work:
 *
 *   STREAM       One connection. The client sends frames of `size` bytes for `ns`, as fast as it
 *                can, each made anew; then it ends the stream. The server finds the frames and
 *                counts them: messages, bytes, and its meter from the first byte to the end. The
 *                client: messages, and its meter.
 *   PONG         The same, but each frame is answered by one of PONG_BYTES. Client: the meter ends
 *                with the last answer, and messages are those answered.
 *   BULK         The same as STREAM with frames of a MiB, which the server has whole, in one piece,
 *                before it counts each.
 *   ROUND_TRIP   One connection, one frame of PONG_BYTES at a time, answered by one of the same
 *                size. Client: `pings` of them, or as many as 5 x ns gave time for; p50_ns, p99_ns,
 *                and the meter of both.
 *   IDLE         `links` connections from many addresses of 127/8, each with one frame of
 *                HELLO_BYTES and its answer; then silence for 2 x ns. Server: messages are
 *                connections, the meter from the first to the last hello; memory and resident of
 *                all connections; idle_cpu_ns and idle_wall_ns of the silence.
 *   SLOW         `links` connections, of which each has two requests of PONG_BYTES outstanding all
 *                the time; each request is answered by ANSWER_MESSAGES frames of `size` bytes. If
 *                `slow`, another connection sends SLOW_REQUESTS and reads no answer. Client, after
 *                ns: messages received by the others, and its meter; the server the same of sent
 *                ones.
 *   TX           One connection, only where `transactions`. The client is a peer that holds
 *                transactions already, and sends them in frames of `size` bytes for `ns`, as fast
 * as it can, and fewer if they fill what memory they may; the server validates and pools them:
 * messages, bytes, its meter from the first byte to the end. The client: messages, and its meter.
 *
 * Frames are a 4-byte big-endian length of what follows, and that. Sizes count both. A contender
 * with frames of its own sends messages of `size` less 4. */
#ifndef BENCH_CONTENDER_H
#define BENCH_CONTENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PREFIX_BYTES    4u
#define PONG_BYTES      16u
#define HELLO_BYTES     64u
#define ANSWER_MESSAGES 64u
#define SLOW_REQUESTS   1000u
#define BULK_BYTES      (PREFIX_BYTES + (1u << 20))
#define TX_BYTES        (PREFIX_BYTES + 169u + (1u << 20)) /* a MiB of data */
#define BATCH_BYTES     65536u

enum work { WORK_STREAM, WORK_PONG, WORK_BULK, WORK_ROUND_TRIP, WORK_IDLE, WORK_SLOW, WORK_TX };

/* Results of one process. What a work does not ask for stays 0. */
struct side {
    uint64_t messages, bytes;
    uint64_t wall_ns, user_ns, sys_ns; /* of the meter */
    uint64_t p50_ns, p99_ns;
    uint64_t memory;   /* bytes that the allocator counts */
    uint64_t resident; /* bytes of the process's pages */
    uint64_t idle_cpu_ns, idle_wall_ns;
};

struct shared; /* between the two processes */

struct run {
    enum work work;
    uint32_t size;
    uint32_t links;
    uint64_t ns;
    uint64_t pings;
    bool slow;
    struct side *side; /* the own one */
    struct shared *shared;
};

struct contender {
    const char *name;
    void (*serve)(struct run *run);
    void (*ask)(struct run *run);
    bool transactions; /* it knows what they are */
};

extern const struct contender contender_core; /* "vibenet" */
extern const struct contender contender_libuv;
extern const struct contender contender_zeromq;

/* ---- for both sides ---- */

/* The port, from the server to the client, which waits for it. */
void run_listening(struct run *run, uint16_t port);
uint16_t run_port(struct run *run);

/* One of 8 marks that either side may make and the other may look at, or wait for. */
void run_mark(struct run *run, unsigned mark);
bool run_marked(const struct run *run, unsigned mark);
void run_await(const struct run *run, unsigned mark);

/* Ends the process, and with it the benchmark. */
_Noreturn void run_fail(const struct run *run, const char *what, const char *why);

uint64_t run_now_ns(void);

/* The time of a stretch of the run, and what all threads of the process spent in it. */
struct meter {
    uint64_t wall_ns, user_ns, sys_ns;
};

void meter_begin(struct meter *meter);
void meter_end(const struct meter *meter, struct side *side);

/* What the process holds now. */
void run_memory(uint64_t *memory, uint64_t *resident);

/* The i-th source address of many, as text. */
#define SOURCE_TEXT 24u
void run_source(uint32_t i, char out[SOURCE_TEXT]);

/* Writes p50_ns and p99_ns; sorts. */
void run_percentiles(struct side *side, uint64_t *ns, size_t count);

/* ---- frames ---- */

static inline void frame_put_length(uint8_t *at, uint32_t size)
{
    const uint32_t len = size - PREFIX_BYTES;
    at[0] = (uint8_t)(len >> 24);
    at[1] = (uint8_t)(len >> 16);
    at[2] = (uint8_t)(len >> 8);
    at[3] = (uint8_t)len;
}

/* The size of a frame, with its prefix. */
static inline uint32_t frame_size(const uint8_t *at)
{
    return PREFIX_BYTES +
           ((uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]);
}

#endif
