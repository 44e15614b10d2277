/* Faults: see tcp_fault.h. Standing still is mostly in tcp_node.c (what becomes known waits in
 * `later`, timers do nothing) and tcp_link.c (nothing is read); here it begins and ends. */
#include "transport-tcp/tcp_fault.h"

#include "transport-tcp/tcp_shape.h"

#include <string.h>

/* ---- a node ---- */

void tcp_fault_stand(struct vn_tcp_node *node)
{
    struct tcp_owner *owner = &node->owner;
    owner->standing = true;
    uv_idle_stop(&node->idle);
    tcp_listen_stop(owner);
    for (struct tcp_link *link = owner->links; link; link = link->next)
        tcp_link_read(link, link->reading);
}

void tcp_fault_go_on(struct vn_tcp_node *node, bool clock)
{
    struct tcp_owner *owner = &node->owner;
    owner->standing = false;
    if (clock)
        tcp_node_tell_clock(node);
    tcp_node_catch_up(node);
    for (struct tcp_link *link = owner->links; link; link = link->next)
        tcp_link_read(link, link->reading);
    tcp_listen_resume(owner);
}

void tcp_fault_clock(struct vn_tcp_node *node, int64_t skew_ns)
{
    node->skew_ns = skew_ns;
    if (node->owner.standing)
        return;
    tcp_node_tell_clock(node);
    tcp_node_drain(node);
}

void tcp_fault_wall(struct vn_tcp *tcp, uint64_t wall_ns, uint64_t zero_ns)
{
    tcp->own_wall = true;
    tcp->wall_zero_ns = wall_ns - zero_ns;
}

void tcp_fault_clock_stop(struct vn_tcp *tcp)
{
    if (tcp->stopped_at_ns == 0)
        tcp->stopped_at_ns = uv_hrtime();
}

void tcp_fault_clock_go(struct vn_tcp *tcp)
{
    if (tcp->stopped_at_ns == 0)
        return;
    tcp->stopped_ns += uv_hrtime() - tcp->stopped_at_ns;
    tcp->stopped_at_ns = 0;
}

void tcp_fault_buffers(struct vn_tcp *tcp, uint32_t bytes)
{
    tcp->socket_bytes = bytes;
}

void tcp_fault_port(struct vn_tcp *tcp, uint16_t named, uint16_t real)
{
    tcp->port_named = named;
    tcp->port_real = real;
}

/* ---- links ---- */

struct tcp_owner *tcp_fault_owner(struct vn_tcp_node *node)
{
    return &node->owner;
}

void tcp_fault_vanish(struct tcp_owner *owner)
{
    struct tcp_link *link = owner->tcp->ending;
    while (owner->links)
        tcp_link_haunt(owner->links, GHOST_OFF);
    while (link) {
        struct tcp_link *next = link->next;
        if (link->owner == owner)
            tcp_link_haunt(link, GHOST_OFF);
        link = next;
    }
}

void tcp_fault_back(struct vn_tcp *tcp, void *user)
{
    struct tcp_link *link = tcp->ghosts;
    while (link) {
        struct tcp_link *next = link->next;
        if (link->handle.data == user && link->ghost == GHOST_OFF) {
            link->abort = true;
            tcp_link_rest(link);
        }
        link = next;
    }
}

static uint32_t each_open(struct tcp_owner *owner, const struct vn_addr *with,
                          void (*fault)(struct tcp_link *link))
{
    uint32_t count = 0;
    for (struct tcp_link *link = owner->links; link; link = link->next) {
        if (link->state != LINK_UP || link->failed || link->remote.family != with->family ||
            memcmp(link->remote.ip, with->ip, sizeof with->ip) != 0)
            continue;
        fault(link);
        count++;
    }
    return count;
}

uint32_t tcp_fault_reset(struct tcp_owner *owner, const struct vn_addr *with)
{
    return each_open(owner, with, tcp_link_abort);
}

static void half(struct tcp_link *link)
{
    link->ghost = GHOST_HALF;
    tcp_link_fail(link, VN_WHY_RESET);
}

uint32_t tcp_fault_half(struct tcp_owner *owner, const struct vn_addr *with)
{
    return each_open(owner, with, half);
}

uint32_t tcp_fault_lose(struct tcp_owner *owner, const struct vn_addr *with)
{
    return each_open(owner, with, tcp_shape_lose);
}
