/* Whoever has links: what nodes and scripted peers have in common.
 *
 * An owner's links are found by number: odd ones it dialled, even ones it accepted. It is gone when
 * libuv has given back the last of its own handles (listeners, and what whoever made it counts);
 * its links' sockets end by themselves. */
#include "transport-tcp/tcp_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void tcp_owner_init(struct tcp_owner *owner, struct vn_tcp *tcp)
{
    owner->tcp = tcp;
    owner->next_accepted = 2;
    u64map_init(&owner->by_id, offsetof(struct tcp_link, id), tcp->began_ns);
}

void tcp_owner_warn(struct tcp_owner *owner, enum tcp_warning kind, const char *format, ...)
{
    char text[256];
    va_list args;
    if (!owner->on_warning)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    owner->on_warning(owner, kind, text);
}

struct tcp_link *tcp_owner_find(const struct tcp_owner *owner, uint64_t id)
{
    return u64map_get(&owner->by_id, id);
}

void tcp_owner_dial(struct tcp_owner *owner, uint64_t id, const struct vn_addr *remote,
                    const struct vn_addr *from)
{
    struct tcp_link *link = tcp_link_new(owner->tcp, owner, id, remote);
    owner->stats.dialled++;
    if (!link->failed)
        tcp_dial(link, from);
}

void tcp_owner_accepted(struct tcp_owner *owner, int fd, const struct vn_addr *remote)
{
    struct tcp_link *link = tcp_link_new(owner->tcp, owner, owner->next_accepted, remote);
    owner->next_accepted += 2;
    owner->stats.accepted++;
    if (uv_tcp_open(&link->handle, fd) != 0) {
        close(fd);
        link->failed = true;
        tcp_link_drop(link, false);
        return;
    }
    tcp_link_up(link);
}

void tcp_owner_handle_gone(struct tcp_owner *owner)
{
    assert(owner->handles > 0);
    if (--owner->handles > 0)
        return;
    u64map_deinit(&owner->by_id);
    mem_free(owner->listeners);
    owner->on_gone(owner);
}

void tcp_owner_close(struct tcp_owner *owner)
{
    owner->closing = true;
    tcp_ending_drop(owner->tcp, owner);
    while (owner->links)
        tcp_link_drop(owner->links, true);
    tcp_listen_close(owner);
}
