/* The packet capture: what arrives on the simulated links, in made-up packets (trace/pcap_tcp.h).
 *
 * A conversation begins with the SYN that is answered and ends with the link. Its packets stand in
 * the order of their times, those of the receiver: a message's last byte is in the packet of the
 * very time at which the node that reads it traces the message. */
#include "vibesim/export_impl.h"

#include "trace/pcap_tcp.h"

#include <stdlib.h>
#include <string.h>

/* Kept in a map, and in a list: a map of this kind cannot be walked. */
struct pcap_link {
    uint64_t link;
    struct pcap_link *next, **at; /* at: what points to it */
    struct pcap_tcp tcp;
};

void export_pcap_init(struct export_pcap *x, const struct seeds *nodes)
{
    x->nodes = nodes;
    u64map_init(&x->links, offsetof(struct pcap_link, link), 1);
}

static bool listed(const struct seeds *list, uint64_t number)
{
    for (size_t i = 0; i < list->range_count; i++)
        if (number >= list->ranges[i].first && number <= list->ranges[i].last)
            return true;
    return list->count == 0;
}

void export_pcap_host(struct export_pcap *x, bool peer, uint32_t number, const char *name)
{
    const struct vn_addr addr = sim_host_addr(x->host_count);
    const uint32_t count = x->host_count;
    if ((count & (count - 1)) == 0) {
        x->wanted = realloc(x->wanted, (count > 0 ? 2 * (size_t)count : 1) * sizeof *x->wanted);
        if (!x->wanted)
            abort();
    }
    x->wanted[x->host_count++] = peer ? x->nodes->count == 0 : listed(x->nodes, number);
    pcapng_name(&x->file, &addr, name);
}

static bool wants(const struct export_pcap *x, uint32_t host)
{
    return host < x->host_count && x->wanted[host];
}

/* Consecutive dials of a pair differ in it, so that an analyser takes a port that is used again for
 * another conversation. */
static uint32_t isn_of(uint64_t link)
{
    return (uint32_t)((link ^ link >> 32) * 2654435761u);
}

static struct pcap_link *link_new(struct export_pcap *x, const struct sim_wire *wire)
{
    struct pcap_link *link = calloc(1, sizeof *link);
    if (!link)
        abort();
    link->link = wire->link;
    pcap_tcp_init(&link->tcp, &wire->from_addr, &wire->to_addr, isn_of(wire->link));
    u64map_put(&x->links, link);
    link->next = x->all;
    link->at = &x->all;
    if (link->next)
        link->next->at = &link->next;
    x->all = link;
    return link;
}

static void link_free(struct export_pcap *x, struct pcap_link *link)
{
    u64map_remove(&x->links, link->link);
    *link->at = link->next;
    if (link->next)
        link->next->at = link->at;
    free(link);
}

void export_pcap_deinit(struct export_pcap *x)
{
    while (x->all)
        link_free(x, x->all);
    u64map_deinit(&x->links);
    free(x->wanted);
}

static void link_end(struct export_pcap *x, struct pcap_link *link, uint64_t t_ns)
{
    pcap_tcp_rst(&link->tcp, &x->file, t_ns, 0,
                 "made up: both ends of this link are gone, and neither heard of the other's end");
    link_free(x, link);
}

void export_pcap_wire(struct export_pcap *x, uint64_t t_ns, const struct sim_wire *wire)
{
    const unsigned d = wire->back ? 1 : 0;
    struct pcap_link *link = u64map_get(&x->links, wire->link);
    if (!wants(x, wire->from) && !wants(x, wire->to))
        return;
    if (!link && wire->kind == SIM_WIRE_SYN)
        link = link_new(x, wire);
    if (!link)
        return;
    switch ((enum sim_wire_kind)wire->kind) {
    case SIM_WIRE_SYN:
        pcap_tcp_syn(&link->tcp, &x->file, t_ns);
        return;
    case SIM_WIRE_SYN_ACK:
        pcap_tcp_syn_ack(&link->tcp, &x->file, t_ns);
        return;
    case SIM_WIRE_ACK:
        pcap_tcp_ack(&link->tcp, &x->file, t_ns);
        return;
    case SIM_WIRE_BYTES:
        pcap_tcp_bytes(&link->tcp, &x->file, t_ns, d, vn_slice_data(wire->data), wire->data.len);
        return;
    case SIM_WIRE_FIN:
        pcap_tcp_fin(&link->tcp, &x->file, t_ns, d);
        return;
    case SIM_WIRE_RST:
        pcap_tcp_rst(&link->tcp, &x->file, t_ns, d, NULL);
        return;
    case SIM_WIRE_END:
        link_end(x, link, t_ns);
        return;
    }
}
