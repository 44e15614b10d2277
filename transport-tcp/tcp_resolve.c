/* Host names to addresses, by getaddrinfo on libuv's threads, so that a name server that does not
 * answer holds nobody up. The answer is given to the core even if it is empty; one that comes after
 * the node was closed is dropped. */
#include "transport-tcp/tcp_internal.h"

#include <netdb.h>
#include <string.h>

#define ADDRESSES_MAX 64u

struct query {
    uv_getaddrinfo_t request;
    struct vn_tcp_node *node;
    uint64_t token;
    uint16_t port;
    char name[256];
};

static uint32_t collect(const struct addrinfo *list, uint16_t port, struct vn_addr *out)
{
    uint32_t count = 0;
    for (; list && count < ADDRESSES_MAX; list = list->ai_next) {
        struct sockaddr_storage sys = {0};
        memcpy(&sys, list->ai_addr, list->ai_addrlen < sizeof sys ? list->ai_addrlen : sizeof sys);
        tcp_addr_from_sys(&sys, &out[count]);
        out[count].port = port;
        if (out[count].family != VN_AF_NONE)
            count++;
    }
    return count;
}

static void answer(struct vn_tcp_node *node, uint64_t token, int status,
                   const struct vn_addr *addrs, uint32_t count)
{
    struct vn_event event = {.kind = VN_EV_RESOLVED};
    event.u.resolved.token = token;
    event.u.resolved.status = status == 0 && count > 0                             ? VN_OK
                              : status == UV_EAI_NONAME || status == UV_EAI_NODATA ? VN_ERR_UNKNOWN
                                                                                   : VN_ERR_IO;
    event.u.resolved.count = count;
    event.u.resolved.addrs = addrs;
    if (node->owner.standing) { /* what waits points to nothing */
        event.u.resolved.status = VN_ERR_IO;
        event.u.resolved.count = 0;
        event.u.resolved.addrs = NULL;
    }
    tcp_node_step(node, &event);
    tcp_node_drain(node);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct query *query = request->data;
    struct vn_tcp_node *node = query->node;
    struct vn_addr addrs[ADDRESSES_MAX];
    if (!node->owner.closing) {
        if (status != 0)
            tcp_owner_warn(&node->owner, TCP_WARN_NAME, "'%s' does not resolve: %s", query->name,
                           uv_strerror(status));
        answer(node, query->token, status, addrs, collect(list, query->port, addrs));
    }
    uv_freeaddrinfo(list);
    mem_free(query);
    tcp_owner_handle_gone(&node->owner);
}

/* "HOST:PORT" as the core was given it. */
static bool query_read(struct query *query, const char *name)
{
    const char *colon = strrchr(name, ':');
    size_t len = colon ? (size_t)(colon - name) : strlen(name);
    uint32_t port = 0;
    if (!colon || len == 0 || len >= sizeof query->name)
        return false;
    for (const char *p = colon + 1; *p >= '0' && *p <= '9' && port <= UINT16_MAX; p++)
        port = port * 10 + (uint32_t)(*p - '0');
    memcpy(query->name, name, len);
    query->name[len] = '\0';
    query->port = (uint16_t)port;
    return port > 0 && port <= UINT16_MAX;
}

bool tcp_resolve(struct vn_tcp_node *node, uint64_t token, const char *name)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct query *query = mem_new(1, sizeof *query);
    query->request.data = query;
    query->node = node;
    query->token = token;
    if (!query_read(query, name) || uv_getaddrinfo(node->owner.tcp->loop, &query->request,
                                                   on_resolved, query->name, NULL, &hints) != 0) {
        mem_free(query);
        return false;
    }
    node->owner.handles++;
    return true;
}
