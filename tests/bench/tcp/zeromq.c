/* ZeroMQ over tcp://, with its default settings and its own batching: PUSH to PULL where nothing
 * comes back, DEALER to ROUTER where something does. Its frames and its handshake are its own.
 *
 * Where there is a choice it is made in ZeroMQ's favour: large messages are given away without a
 * copy, and many connections of one process hang on one socket, which spares a poll over many. */
#include "tests/bench/tcp/contender.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

#define ENDPOINT_TEXT 64u
#define CLOCK_EVERY   64u /* messages between two looks at the clock */
#define AHEAD         64u /* connects under way: ZeroMQ's backlog is 100 */
#define OUTSTANDING   2u
#define MARK_DONE     0u

/* ---- sockets ---- */

static void check(const struct run *run, const char *what, bool good)
{
    if (!good)
        run_fail(run, what, zmq_strerror(errno));
}

static void *open_socket(const struct run *run, void *context, int type)
{
    void *socket = zmq_socket(context, type);
    check(run, "socket", socket != NULL);
    return socket;
}

static void set_option(const struct run *run, void *socket, int option, int value)
{
    check(run, "an option", zmq_setsockopt(socket, option, &value, sizeof value) == 0);
}

static void listen_on(struct run *run, void *socket)
{
    char endpoint[ENDPOINT_TEXT];
    size_t len = sizeof endpoint;
    check(run, "bind", zmq_bind(socket, "tcp://127.0.0.1:*") == 0);
    check(run, "bind", zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &len) == 0);
    run_listening(run, (uint16_t)strtoul(strrchr(endpoint, ':') + 1, NULL, 10));
}

static void connect_to(struct run *run, void *socket)
{
    char endpoint[ENDPOINT_TEXT];
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", run_port(run));
    check(run, "connect", zmq_connect(socket, endpoint) == 0);
}

/* True: it went. False: there is no room now. */
static bool send_some(const struct run *run, void *socket, const void *data, size_t len, int flags)
{
    const bool sent = zmq_send(socket, data, len, flags) >= 0;
    check(run, "send", sent || ((flags & ZMQ_DONTWAIT) && errno == EAGAIN));
    return sent;
}

/* ---- STREAM, BULK ---- */

static void stream_serve(struct run *run, void *context)
{
    void *socket = open_socket(run, context, ZMQ_PULL);
    struct meter meter = {0};
    zmq_msg_t message;
    zmq_msg_init(&message);
    listen_on(run, socket);
    for (;;) {
        const int len = zmq_msg_recv(&message, socket, 0);
        check(run, "receive", len >= 0);
        if (len == 0)
            break;
        if (run->side->messages++ == 0)
            meter_begin(&meter);
        run->side->bytes += (unsigned)len + PREFIX_BYTES;
    }
    meter_end(&meter, run->side);
    zmq_msg_close(&message);
    zmq_close(socket);
}

/* For a message that lies where it stays. */
static void keep(void *data, void *hint)
{
    (void)data;
    (void)hint;
}

/* Gives up the socket; what it holds leaves until the context has ended, which ends the meter. */
static void stream_end(struct run *run, void *context, void *socket, const struct meter *meter)
{
    send_some(run, socket, "", 0, 0);
    zmq_close(socket);
    zmq_ctx_term(context);
    meter_end(meter, run->side);
}

static void stream_ask(struct run *run, void *context)
{
    void *socket = open_socket(run, context, ZMQ_PUSH);
    uint8_t data[4096] = {0};
    uint64_t sent = 0;
    struct meter meter;
    connect_to(run, socket);
    meter_begin(&meter);
    const uint64_t until_ns = run_now_ns() + run->ns;
    while (sent % CLOCK_EVERY != 0 || run_now_ns() < until_ns) {
        memcpy(data, &sent, sizeof sent);
        send_some(run, socket, data, run->size - PREFIX_BYTES, 0);
        sent++;
    }
    run->side->messages = sent;
    stream_end(run, context, socket, &meter);
}

static void bulk_ask(struct run *run, void *context)
{
    void *socket = open_socket(run, context, ZMQ_PUSH);
    const size_t len = run->size - PREFIX_BYTES;
    uint8_t *data = calloc(1, len);
    check(run, "memory", data != NULL);
    struct meter meter;
    connect_to(run, socket);
    meter_begin(&meter);
    const uint64_t until_ns = run_now_ns() + run->ns;
    for (; run_now_ns() < until_ns; run->side->messages++) {
        zmq_msg_t message;
        zmq_msg_init_data(&message, data, len, keep, NULL);
        check(run, "send", zmq_msg_send(&message, socket, 0) >= 0);
    }
    stream_end(run, context, socket, &meter);
    free(data);
}

/* ---- PONG, ROUND_TRIP ---- */

/* Until an empty message. */
static void pong_serve(struct run *run, void *context)
{
    void *socket = open_socket(run, context, ZMQ_ROUTER);
    const size_t len = PONG_BYTES - PREFIX_BYTES;
    struct meter meter = {0};
    set_option(run, socket, ZMQ_ROUTER_MANDATORY, 1); /* else it drops what does not fit */
    listen_on(run, socket);
    for (;;) {
        zmq_msg_t identity, message;
        zmq_msg_init(&identity);
        zmq_msg_init(&message);
        check(run, "receive", zmq_msg_recv(&identity, socket, 0) >= 0);
        check(run, "receive", zmq_msg_recv(&message, socket, 0) >= 0);
        if (zmq_msg_size(&message) == 0) {
            zmq_msg_close(&identity);
            break;
        }
        if (run->side->messages++ == 0)
            meter_begin(&meter);
        run->side->bytes += zmq_msg_size(&message) + PREFIX_BYTES;
        check(run, "send", zmq_msg_send(&identity, socket, ZMQ_SNDMORE) >= 0);
        send_some(run, socket, zmq_msg_data(&message), len, 0);
        zmq_msg_close(&message);
    }
    meter_end(&meter, run->side);
    zmq_close(socket);
}

static void pong_ask(struct run *run, void *context)
{
    void *socket = open_socket(run, context, ZMQ_DEALER);
    uint8_t data[4096] = {0}, answer[PONG_BYTES];
    struct meter meter;
    uint64_t sent = 0, answered = 0;
    bool over = false;
    connect_to(run, socket);
    meter_begin(&meter);
    const uint64_t until_ns = run_now_ns() + run->ns;
    while (!over || answered < sent) {
        bool room = !over;
        for (uint32_t i = 0; i < CLOCK_EVERY && room; i++) {
            memcpy(data, &sent, sizeof sent);
            room = send_some(run, socket, data, run->size - PREFIX_BYTES, ZMQ_DONTWAIT);
            sent += room;
        }
        while (zmq_recv(socket, answer, sizeof answer, ZMQ_DONTWAIT) >= 0)
            answered++;
        check(run, "receive", errno == EAGAIN);
        over = over || run_now_ns() >= until_ns;
        if (!room && (!over || answered < sent)) {
            zmq_pollitem_t item = {socket, 0, (short)(over ? ZMQ_POLLIN : ZMQ_POLLIN | ZMQ_POLLOUT),
                                   0};
            zmq_poll(&item, 1, -1);
        }
    }
    meter_end(&meter, run->side);
    run->side->messages = answered;
    send_some(run, socket, "", 0, 0);
    zmq_close(socket);
}

static void round_trip_ask(struct run *run, void *context)
{
    void *socket = open_socket(run, context, ZMQ_DEALER);
    uint64_t *ns = calloc(run->pings, sizeof *ns);
    check(run, "memory", ns != NULL);
    uint8_t data[PONG_BYTES - PREFIX_BYTES] = {0};
    uint64_t count = 0;
    struct meter meter;
    connect_to(run, socket);
    send_some(run, socket, data, sizeof data, 0); /* connected? */
    check(run, "receive", zmq_recv(socket, data, sizeof data, 0) >= 0);
    meter_begin(&meter);
    uint64_t now_ns = run_now_ns();
    const uint64_t until_ns = now_ns + 5 * run->ns;
    while (count < run->pings && now_ns < until_ns) {
        const uint64_t sent_ns = run_now_ns();
        send_some(run, socket, data, sizeof data, 0);
        check(run, "receive", zmq_recv(socket, data, sizeof data, 0) >= 0);
        now_ns = run_now_ns();
        ns[count++] = now_ns - sent_ns;
    }
    meter_end(&meter, run->side);
    run->side->messages = count;
    run_percentiles(run->side, ns, count);
    send_some(run, socket, "", 0, 0);
    zmq_close(socket);
    free(ns);
}

/* ---- IDLE ---- */

/* A socket on which a message comes whenever a connection of `socket` has shaken hands. */
static void *watch(struct run *run, void *context, void *socket)
{
    check(run, "monitor",
          zmq_socket_monitor(socket, "inproc://watch", ZMQ_EVENT_HANDSHAKE_SUCCEEDED) == 0);
    void *watcher = open_socket(run, context, ZMQ_PAIR);
    set_option(run, watcher, ZMQ_RCVHWM, 0);
    check(run, "monitor", zmq_connect(watcher, "inproc://watch") == 0);
    return watcher;
}

static void watch_one(struct run *run, void *watcher)
{
    char text[ENDPOINT_TEXT]; /* two parts: the event, the endpoint */
    check(run, "monitor", zmq_recv(watcher, text, sizeof text, 0) >= 0);
    check(run, "monitor", zmq_recv(watcher, text, sizeof text, 0) >= 0);
}

static void idle_serve(struct run *run, void *context)
{
    struct meter meter = {0}, silence;
    struct side idle, before;
    void *socket = open_socket(run, context, ZMQ_ROUTER);
    void *watcher = watch(run, context, socket);
    run_memory(&before.memory, &before.resident);
    listen_on(run, socket);
    for (uint32_t i = 0; i < run->links; i++) {
        watch_one(run, watcher);
        if (i == 0)
            meter_begin(&meter);
    }
    meter_end(&meter, run->side);
    run->side->messages = run->links;
    run_memory(&run->side->memory, &run->side->resident);
    run->side->memory -= before.memory;
    run->side->resident -= before.resident;
    meter_begin(&silence);
    const uint64_t ns = 2 * run->ns;
    nanosleep(&(struct timespec){(time_t)(ns / 1000000000), (long)(ns % 1000000000)}, NULL);
    meter_end(&silence, &idle);
    run->side->idle_wall_ns = idle.wall_ns;
    run->side->idle_cpu_ns = idle.user_ns + idle.sys_ns;
    run_mark(run, MARK_DONE);
    zmq_close(watcher);
    zmq_close(socket);
}

static void idle_ask(struct run *run, void *context)
{
    void *socket = open_socket(run, context, ZMQ_DEALER);
    void *watcher = watch(run, context, socket);
    char source[SOURCE_TEXT], endpoint[ENDPOINT_TEXT + SOURCE_TEXT];
    const uint16_t port = run_port(run);
    for (uint32_t i = 0; i < run->links + AHEAD; i++) {
        if (i < run->links) {
            run_source(i, source);
            snprintf(endpoint, sizeof endpoint, "tcp://%s:0;127.0.0.1:%u", source, port);
            check(run, "connect", zmq_connect(socket, endpoint) == 0);
        }
        if (i >= AHEAD)
            watch_one(run, watcher);
    }
    run_await(run, MARK_DONE);
    zmq_close(watcher);
    zmq_close(socket);
}

/* ---- SLOW ---- */

static void slow_serve(struct run *run, void *context)
{
    void *socket = open_socket(run, context, ZMQ_ROUTER);
    const size_t len = run->size - PREFIX_BYTES;
    uint8_t *data = calloc(1, len), request[PONG_BYTES];
    check(run, "memory", data != NULL);
    struct meter meter = {0};
    set_option(run, socket, ZMQ_RCVTIMEO, 20);
    listen_on(run, socket);
    while (!run_marked(run, MARK_DONE)) {
        zmq_msg_t identity;
        zmq_msg_init(&identity);
        if (zmq_msg_recv(&identity, socket, 0) < 0) {
            check(run, "receive", errno == EAGAIN);
            continue;
        }
        check(run, "receive", zmq_recv(socket, request, sizeof request, 0) >= 0);
        if (run->side->messages == 0)
            meter_begin(&meter);
        for (uint32_t i = 0; i < ANSWER_MESSAGES; i++) { /* dropped, where there is no room */
            zmq_msg_t to;
            zmq_msg_init(&to);
            zmq_msg_copy(&to, &identity);
            check(run, "send", zmq_msg_send(&to, socket, ZMQ_SNDMORE) >= 0);
            send_some(run, socket, data, len, 0);
        }
        run->side->messages += ANSWER_MESSAGES;
        zmq_msg_close(&identity);
    }
    meter_end(&meter, run->side);
    set_option(run, socket, ZMQ_LINGER, 0);
    zmq_close(socket);
    free(data);
}

static void slow_ask(struct run *run, void *context)
{
    void *socket = open_socket(run, context, ZMQ_DEALER), *slow = NULL;
    uint8_t request[PONG_BYTES - PREFIX_BYTES] = {0};
    uint32_t slow_left = run->slow ? SLOW_REQUESTS : 0;
    uint64_t messages = 0;
    zmq_msg_t message;
    struct meter meter;
    zmq_msg_init(&message);
    for (uint32_t i = 0; i < run->links; i++) /* one connection each */
        connect_to(run, socket);
    if (run->slow) {
        slow = open_socket(run, context, ZMQ_DEALER);
        connect_to(run, slow);
    }
    for (uint32_t i = 0; i < run->links * OUTSTANDING; i++) /* they go out by turns */
        send_some(run, socket, request, sizeof request, 0);
    check(run, "receive", zmq_msg_recv(&message, socket, 0) >= 0);
    meter_begin(&meter);
    const uint64_t until_ns = run_now_ns() + run->ns;
    for (; messages % CLOCK_EVERY != 0 || run_now_ns() < until_ns; messages++) {
        check(run, "receive", zmq_msg_recv(&message, socket, 0) >= 0);
        if (messages % ANSWER_MESSAGES == 0)
            send_some(run, socket, request, sizeof request, 0);
        while (slow_left > 0 && send_some(run, slow, request, sizeof request, ZMQ_DONTWAIT))
            slow_left--;
    }
    meter_end(&meter, run->side);
    run->side->messages = messages;
    run_mark(run, MARK_DONE);
    zmq_msg_close(&message);
    set_option(run, socket, ZMQ_LINGER, 0);
    zmq_close(socket);
    if (slow) {
        set_option(run, slow, ZMQ_LINGER, 0);
        zmq_close(slow);
    }
}

/* ---- which work is done where ---- */

static void serve(struct run *run)
{
    void *context = zmq_ctx_new();
    check(run, "context", context != NULL);
    switch (run->work) {
    case WORK_STREAM:
    case WORK_BULK:
        stream_serve(run, context);
        break;
    case WORK_PONG:
    case WORK_ROUND_TRIP:
        pong_serve(run, context);
        break;
    case WORK_IDLE:
        idle_serve(run, context);
        break;
    case WORK_SLOW:
        slow_serve(run, context);
        break;
    case WORK_TX:
        break;
    }
    zmq_ctx_term(context);
}

static void ask(struct run *run)
{
    void *context = zmq_ctx_new();
    check(run, "context", context != NULL);
    switch (run->work) {
    case WORK_STREAM:
        stream_ask(run, context);
        return; /* with its context */
    case WORK_BULK:
        bulk_ask(run, context);
        return;
    case WORK_PONG:
        pong_ask(run, context);
        break;
    case WORK_ROUND_TRIP:
        round_trip_ask(run, context);
        break;
    case WORK_IDLE:
        idle_ask(run, context);
        break;
    case WORK_SLOW:
        slow_ask(run, context);
        break;
    case WORK_TX:
        break;
    }
    zmq_ctx_term(context);
}

const struct contender contender_zeromq = {"zeromq", serve, ask, false};
