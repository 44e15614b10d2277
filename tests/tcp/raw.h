/* A plain socket that talks to a node: what a test's stranger is made of. Nothing blocks; the loop
 * is turned by UNTIL of tcp_fixture.h. */
#ifndef TCP_RAW_H
#define TCP_RAW_H

#include "core/base/bytes.h"
#include "core/wire/frame.h"
#include "core/wire/msg.h"
#include "tests/tcp/tcp_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct raw {
    int fd;
    uint8_t in[1 << 16]; /* what came and was not taken, from 0 */
    size_t have;
    bool ended, reset;
};

static inline void raw_dial_from(struct raw *raw, const struct vn_addr *to, const char *from)
{
    struct sockaddr_in sys = {.sin_family = AF_INET, .sin_port = htons(to->port)};
    memcpy(&sys.sin_addr, to->ip, 4);
    *raw = (struct raw){.fd = socket(AF_INET, SOCK_STREAM, 0)};
    assert_true(raw->fd >= 0);
    if (from) {
        struct sockaddr_in own = {.sin_family = AF_INET};
        inet_pton(AF_INET, from, &own.sin_addr);
        assert_int_equal(bind(raw->fd, (struct sockaddr *)&own, sizeof own), 0);
    }
    /* On loopback the kernel answers at once, and the backlog takes it. */
    assert_int_equal(connect(raw->fd, (struct sockaddr *)&sys, sizeof sys), 0);
    fcntl(raw->fd, F_SETFL, O_NONBLOCK);
}

static inline void raw_dial(struct raw *raw, const struct node *to)
{
    raw_dial_from(raw, &to->addr, NULL);
}

/* Reads what there is. */
static inline void raw_poll(struct raw *raw)
{
    while (!raw->ended && raw->have < sizeof raw->in) {
        ssize_t n = read(raw->fd, raw->in + raw->have, sizeof raw->in - raw->have);
        if (n > 0)
            raw->have += (size_t)n;
        else if (n == 0)
            raw->ended = true;
        else if (errno == EAGAIN)
            return;
        else
            raw->ended = raw->reset = true;
    }
}

/* All of it; for what a socket's buffers take at once. An other end that is gone is noted. */
static inline void raw_send(struct raw *raw, const void *data, size_t len)
{
    ssize_t n = send(raw->fd, data, len, MSG_NOSIGNAL);
    if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
        raw->ended = true;
    else
        assert_int_equal(n, len);
}

static inline void raw_send_msg(struct raw *raw, const struct msg *msg)
{
    struct vn_buf *frame = msg_frame(msg);
    raw_send(raw, frame->data, frame->len);
    vn_buf_unref(frame);
}

static inline void raw_hello(struct raw *raw, const char *id)
{
    struct msg msg = {.kind = MSG_HANDSHAKE};
    msg.u.handshake.version = (struct bytes_view){(const uint8_t *)"0.1.0", 5};
    msg.u.handshake.node_id = (struct bytes_view){(const uint8_t *)id, strlen(id)};
    msg.u.handshake.listen = loopback(1, 9);
    raw_send_msg(raw, &msg);
}

static inline void raw_ping(struct raw *raw, uint64_t nonce)
{
    raw_send_msg(raw, &(struct msg){.kind = MSG_PING, .u.ping.nonce = nonce});
}

/* The kind of the first message that waits, or MSG_KINDS. */
static inline uint32_t raw_first(struct raw *raw)
{
    raw_poll(raw);
    if (raw->have < 8 || raw->have < 4 + (size_t)get_be32(raw->in))
        return MSG_KINDS;
    return get_le32(raw->in + 4);
}

/* Takes the first message away. */
static inline void raw_take(struct raw *raw)
{
    size_t size = 4 + (size_t)get_be32(raw->in);
    memmove(raw->in, raw->in + size, raw->have - size);
    raw->have -= size;
}

/* Whether a message of this kind waits; those before it are taken away. */
static inline bool raw_has(struct raw *raw, uint32_t kind)
{
    uint32_t first;
    while ((first = raw_first(raw)) != kind && first != MSG_KINDS)
        raw_take(raw);
    return first == kind;
}

static inline bool raw_over(struct raw *raw)
{
    while (raw_first(raw) != MSG_KINDS)
        raw_take(raw);
    return raw->ended;
}

static inline void raw_reset(struct raw *raw)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(raw->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(raw->fd);
    raw->fd = -1;
}

static inline void raw_close(struct raw *raw)
{
    if (raw->fd >= 0)
        close(raw->fd);
    raw->fd = -1;
}

#endif
