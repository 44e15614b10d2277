/* See plain.h. */
#include "tests/bench/tcp/plain.h"

#include "core/wire/frame.h"
#include "core/wire/msg.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define HEARD_MAX 4096u

static struct plain_frame frame_of(const struct msg *msg)
{
    struct plain_frame frame = {.len = FRAME_HEADER + (uint32_t)msg_encoded_size(msg)};
    assert(frame.len <= PLAIN_MAX);
    put_be32(frame.bytes, frame.len - FRAME_HEADER);
    msg_encode(msg, frame.bytes + FRAME_HEADER);
    return frame;
}

static struct bytes_view text(const char *string)
{
    return (struct bytes_view){(const uint8_t *)string, strlen(string)};
}

struct plain_frame plain_hello(uint32_t i)
{
    struct msg msg = {.kind = MSG_HANDSHAKE};
    char id[16];
    snprintf(id, sizeof id, "plain-%08x", i);
    msg.u.handshake.version = text("0.1.0");
    msg.u.handshake.node_id = text(id);
    msg.u.handshake.listen = (struct vn_addr){.family = VN_AF_IPV4, .ip = {127, 0, 0, 1}};
    return frame_of(&msg);
}

struct plain_frame plain_no_block(void)
{
    return frame_of(&(struct msg){.kind = MSG_RESPONSE_BLOCK});
}

struct plain_frame plain_request_range(uint64_t start, uint64_t end)
{
    struct msg msg = {.kind = MSG_REQUEST_BLOCK_RANGE};
    msg.u.request_range.start = start;
    msg.u.request_range.end = end;
    return frame_of(&msg);
}

/* ---- on a blocking socket ---- */

static int option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value);
}

/* Connecting is to cost as little as it can, since the server is what is measured. The port is
 * chosen when it connects, by both ends, and not before, by a look for one that nobody has at that
 * address (ip(7), IP_BIND_ADDRESS_NO_PORT). The last step of TCP's handshake goes with what is said
 * first, which saves a packet and waking the server twice (tcp(7), TCP_QUICKACK). */
int plain_socket(const struct run *run, uint32_t i)
{
    struct sockaddr_in source = {.sin_family = AF_INET};
    char text[SOURCE_TEXT];
    run_source(i, text);
    inet_pton(AF_INET, text, &source.sin_addr);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1) != 0 ||
        option(fd, IPPROTO_TCP, TCP_QUICKACK, 0) != 0 ||
        bind(fd, (const struct sockaddr *)&source, sizeof source) != 0)
        run_fail(run, "a socket", strerror(errno));
    return fd;
}

void plain_connect(const struct run *run, int fd, uint16_t port)
{
    const struct sockaddr_in server = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(fd, (const struct sockaddr *)&server, sizeof server) != 0)
        run_fail(run, "a connection", strerror(errno));
}

void plain_say(const struct run *run, int fd, struct plain_frame frame)
{
    if (send(fd, frame.bytes, frame.len, MSG_NOSIGNAL) != (ssize_t)frame.len)
        run_fail(run, "a message", strerror(errno));
}

/* Passes by what is whole, up to a message of that kind; *at: where the first one begins that is
 * not whole, or the one behind that. */
static bool heard(const struct run *run, const uint8_t *bytes, size_t len, size_t *at,
                  uint32_t kind)
{
    while (len - *at >= PREFIX_BYTES) {
        const uint8_t *frame = bytes + *at;
        const uint32_t size = frame_size(frame);
        if (size < PREFIX_BYTES + 4 || size > HEARD_MAX)
            run_fail(run, "an answer", "of a size that no node sends");
        if (len - *at < size)
            return false;
        *at += size;
        if (get_le32(frame + PREFIX_BYTES) == kind)
            return true;
    }
    return false;
}

void plain_hear(const struct run *run, int fd, uint32_t kind)
{
    uint8_t bytes[HEARD_MAX];
    size_t len = 0, at = 0;
    while (!heard(run, bytes, len, &at, kind)) {
        memmove(bytes, bytes + at, len - at);
        len -= at;
        at = 0;
        const ssize_t n = recv(fd, bytes + len, sizeof bytes - len, 0);
        if (n <= 0)
            run_fail(run, "an answer", n < 0 ? strerror(errno) : "the node closed the link");
        len += (size_t)n;
    }
}
