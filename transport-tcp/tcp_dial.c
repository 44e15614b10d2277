/* Dialling: one address, one socket, one answer. How long to wait, which addresses to try and in
 * which turn is the core's business: it closes a link that does not come up. */
#include "transport-tcp/tcp_internal.h"
#include "transport-tcp/tcp_shape.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

static enum vn_why why_of(int status)
{
    return status == UV_ECONNREFUSED ? VN_WHY_REFUSED : VN_WHY_UNREACHABLE;
}

static void on_connect(uv_connect_t *request, int status)
{
    struct tcp_link *link = request->data;
    mem_free(request);
    if (link->state != LINK_CONNECTING || link->failed)
        return; /* given up meanwhile */
    if (status < 0)
        tcp_link_fail(link, why_of(status));
    else
        tcp_link_up(link);
}

void tcp_socket_buffers(const struct vn_tcp *tcp, int fd)
{
    const int bytes = (int)tcp->socket_bytes;
    if (bytes == 0)
        return;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

/* From that address, of a port that the kernel picks when it knows the other end too: so there may
 * be as many links from it as ports to each other end (ip(7), IP_BIND_ADDRESS_NO_PORT). */
static bool bind_to(struct tcp_link *link, const struct vn_addr *addr)
{
    struct sockaddr_storage sys;
    const int on = 1;
    int len = tcp_addr_to_sys(addr, &sys);
    if (len == 0)
        return true;
    int fd = socket(sys.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    tcp_socket_buffers(link->tcp, fd);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&sys, (socklen_t)len) == 0 &&
        uv_tcp_open(&link->handle, fd) == 0)
        return true;
    close(fd);
    return false;
}

void tcp_dial(struct tcp_link *link, const struct vn_addr *bind)
{
    if (link->shape)
        tcp_shape_dial(link, bind);
    else
        tcp_dial_now(link, bind);
}

void tcp_dial_now(struct tcp_link *link, const struct vn_addr *bind)
{
    struct sockaddr_storage sys;
    struct vn_addr to = link->remote;
    if (link->tcp->port_real != 0 && to.port == link->tcp->port_named)
        to.port = link->tcp->port_real;
    if (tcp_addr_to_sys(&to, &sys) == 0 || !bind_to(link, bind)) {
        tcp_link_fail(link, VN_WHY_UNREACHABLE);
        return;
    }
    uv_connect_t *request = mem_new(1, sizeof *request);
    request->data = link;
    int status = uv_tcp_connect(request, &link->handle, (struct sockaddr *)&sys, on_connect);
    if (status < 0) {
        mem_free(request);
        tcp_link_fail(link, why_of(status));
    }
}
