/* Listening. The socket is our own and watched by uv_poll, and not uv_listen: when there are no
 * descriptors libuv accepts and drops connections, or goes round for ever; here accepting stops for
 * a while and those who connect wait in the kernel's backlog.
 *
 * Accepting begins when the owner takes links (a node: when the core has loaded what it keeps), and
 * stops when as many links are open as may be (options.max_files), when the system has no
 * descriptor or memory for another, and while the owner stands still. It goes on when a link ends,
 * and once a second, see tcp_node.c. */
#include "transport-tcp/tcp_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_AT_ONCE 64u /* then the links that there are have their turn */

int tcp_addr_to_sys(const struct vn_addr *addr, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (addr->family == VN_AF_IPV4) {
        struct sockaddr_in *in = (struct sockaddr_in *)out;
        in->sin_family = AF_INET;
        in->sin_port = htons(addr->port);
        memcpy(&in->sin_addr, addr->ip, 4);
        return sizeof *in;
    }
    if (addr->family == VN_AF_IPV6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(addr->port);
        memcpy(&in6->sin6_addr, addr->ip, 16);
        return sizeof *in6;
    }
    return 0;
}

void tcp_addr_from_sys(const struct sockaddr_storage *sys, struct vn_addr *out)
{
    *out = (struct vn_addr){0};
    if (sys->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)sys;
        out->family = VN_AF_IPV4;
        out->port = ntohs(in->sin_port);
        memcpy(out->ip, &in->sin_addr, 4);
    } else if (sys->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sys;
        out->family = VN_AF_IPV6;
        out->port = ntohs(in6->sin6_port);
        memcpy(out->ip, &in6->sin6_addr, 16);
    }
}

/* ---- accepting ---- */

static void on_readable(uv_poll_t *poll, int status, int events);

static void listener_poll(struct tcp_listener *listener, bool on)
{
    if (listener->polling == on)
        return;
    listener->polling = on;
    if (on)
        uv_poll_start(&listener->poll, UV_READABLE, on_readable);
    else
        uv_poll_stop(&listener->poll);
}

static void all_poll(struct tcp_owner *owner, bool on)
{
    for (uint32_t i = 0; i < owner->listener_count; i++)
        listener_poll(&owner->listeners[i], on);
}

/* For want of descriptors. */
static void throttle(struct tcp_owner *owner, const char *reason)
{
    owner->stats.throttled = 1;
    owner->stats.accepts_delayed++;
    all_poll(owner, false);
    tcp_owner_warn(owner, TCP_WARN_FILES,
                   "accepting no connections for now: %s (%u links are open; raise the limit of "
                   "descriptors, or lower max-inbound)",
                   reason, owner->tcp->files);
}

enum accepted { ACCEPTED_ONE, ACCEPTED_NONE, ACCEPTED_FAILED };

static enum accepted accept_one(struct tcp_listener *listener)
{
    struct tcp_owner *owner = listener->owner;
    struct sockaddr_storage sys;
    socklen_t len = sizeof sys;
    struct vn_addr remote;
    if (owner->tcp->files >= owner->tcp->options.max_files) {
        throttle(owner, "all descriptors that links may take are in use");
        return ACCEPTED_FAILED;
    }
    int fd = accept4(listener->fd, (struct sockaddr *)&sys, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        tcp_addr_from_sys(&sys, &remote);
        tcp_owner_accepted(owner, fd, &remote);
        return ACCEPTED_ONE;
    }
    switch (errno) {
    case EAGAIN:
        return ACCEPTED_NONE;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        throttle(owner, strerror(errno));
        return ACCEPTED_FAILED;
    default: /* of that one connection (accept(2)); the next may be good */
        return ACCEPTED_ONE;
    }
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct tcp_listener *listener = poll->data;
    struct tcp_owner *owner = listener->owner;
    (void)events;
    if (status < 0) {
        tcp_owner_warn(owner, TCP_WARN_ACCEPT, "listening failed: %s", uv_strerror(status));
        throttle(owner, uv_strerror(status));
        return;
    }
    for (uint32_t i = 0; i < ACCEPTS_AT_ONCE; i++)
        if (accept_one(listener) != ACCEPTED_ONE)
            break;
    if (owner->on_batch)
        owner->on_batch(owner);
}

void tcp_listen_resume(struct tcp_owner *owner)
{
    if (!owner->takes || owner->closing || owner->standing ||
        owner->tcp->files >= owner->tcp->options.max_files)
        return;
    owner->stats.throttled = 0;
    all_poll(owner, true);
}

void tcp_listen_stop(struct tcp_owner *owner)
{
    all_poll(owner, false);
}

/* ---- beginning and end ---- */

static bool fail(char *why, size_t size, const struct vn_addr *addr, const char *way_out)
{
    char text[VN_TCP_ADDR_TEXT];
    int error = errno;
    vn_tcp_addr_format(addr, text);
    snprintf(why, size, "cannot listen on %s: %s%s", text, strerror(error),
             error == EADDRINUSE      ? " (does another node run? choose another port)"
             : error == EADDRNOTAVAIL ? " (it is no address of this machine)"
             : error == EACCES        ? " (ports below 1024 need privileges)"
                                      : way_out);
    return false;
}

static int open_socket(const struct vn_tcp *tcp, const struct vn_addr *addr, uint32_t backlog)
{
    struct sockaddr_storage sys;
    int len = tcp_addr_to_sys(addr, &sys), on = 1;
    if (len == 0) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    int fd = socket(sys.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    tcp_socket_buffers(tcp, fd);
    if (sys.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&sys, (socklen_t)len) == 0 && listen(fd, (int)backlog) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static bool listener_open(struct tcp_listener *listener, const struct vn_addr *addr,
                          uint32_t backlog, char *why, size_t size)
{
    struct sockaddr_storage sys;
    socklen_t len = sizeof sys;
    struct tcp_owner *owner = listener->owner;
    listener->fd = open_socket(owner->tcp, addr, backlog);
    if (listener->fd < 0 || getsockname(listener->fd, (struct sockaddr *)&sys, &len) != 0 ||
        uv_poll_init(owner->tcp->loop, &listener->poll, listener->fd) != 0) {
        fail(why, size, addr, "");
        if (listener->fd >= 0)
            close(listener->fd);
        return false;
    }
    tcp_addr_from_sys(&sys, &listener->addr);
    listener->poll.data = listener;
    owner->handles++;
    return true;
}

bool tcp_listen(struct tcp_owner *owner, const struct vn_addr *addrs, uint32_t count,
                uint32_t backlog, char *why, size_t size)
{
    owner->listeners = mem_new(count, sizeof *owner->listeners);
    for (uint32_t i = 0; i < count; i++) {
        struct tcp_listener *listener = &owner->listeners[i];
        listener->owner = owner;
        if (!listener_open(listener, &addrs[i], backlog, why, size))
            return false;
        owner->listener_count++;
    }
    return true;
}

static void on_closed(uv_handle_t *handle)
{
    struct tcp_listener *listener = handle->data;
    tcp_owner_handle_gone(listener->owner);
}

void tcp_listen_close(struct tcp_owner *owner)
{
    for (uint32_t i = 0; i < owner->listener_count; i++) {
        owner->listeners[i].polling = false;
        uv_close((uv_handle_t *)&owner->listeners[i].poll, on_closed);
        close(owner->listeners[i].fd); /* now, so that the address can be listened on again */
    }
}
