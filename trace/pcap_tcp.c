/* Made-up headers of TCP (RFC 9293), IPv4 (RFC 791) and IPv6 (RFC 8200); see pcap_tcp.h. */
#include "trace/pcap_tcp.h"

#include "core/base/bytes.h"

#include <string.h>

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

#define IPV4_HEAD    20u
#define IPV6_HEAD    40u
#define TCP_HEAD     20u
#define SYN_OPTIONS  8u
#define HEAD_MAX     (IPV6_HEAD + TCP_HEAD + SYN_OPTIONS)
#define PROTOCOL_TCP 6u
#define HOPS         64u
#define WINDOW       65535u
#define WINDOW_SCALE 8u /* 16 MiB: no stream of ours fills it between two acknowledgements */

struct segment {
    unsigned d;
    uint32_t seq, flags;
    const uint8_t *data;
    uint32_t len;
    const char *comment;
};

static void put_be16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

/* ---- the Internet checksum (RFC 1071): sums of 16-bit words, folded at the end ---- */

/* An odd last byte counts as if a zero followed, so only the last piece may be odd. */
static uint64_t sum_of(const uint8_t *bytes, size_t len)
{
    uint64_t sum = 0;
    for (size_t i = 0; i + 1 < len; i += 2)
        sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
    if (len % 2 == 1)
        sum += (uint32_t)bytes[len - 1] << 8;
    return sum;
}

static uint32_t folded(uint64_t sum)
{
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return ~(uint32_t)sum & 0xffff;
}

/* ---- headers ---- */

static uint32_t ip_len(const struct vn_addr *addr)
{
    return addr->family == VN_AF_IPV4 ? 4 : 16;
}

static uint32_t put_ip(uint8_t *out, const struct vn_addr *from, const struct vn_addr *to,
                       uint32_t payload)
{
    if (from->family != VN_AF_IPV4) {
        out[0] = 6 << 4;
        put_be16(out + 4, payload);
        out[6] = PROTOCOL_TCP;
        out[7] = HOPS;
        memcpy(out + 8, from->ip, 16);
        memcpy(out + 24, to->ip, 16);
        return IPV6_HEAD;
    }
    out[0] = 4 << 4 | IPV4_HEAD / 4;
    put_be16(out + 2, IPV4_HEAD + payload);
    out[6] = 0x40; /* never fragmented, so the identification may be 0 (RFC 6864) */
    out[8] = HOPS;
    out[9] = PROTOCOL_TCP;
    memcpy(out + 12, from->ip, 4);
    memcpy(out + 16, to->ip, 4);
    put_be16(out + 10, folded(sum_of(out, IPV4_HEAD)));
    return IPV4_HEAD;
}

static uint32_t put_tcp(const struct pcap_tcp *tcp, uint8_t *out, const struct segment *s)
{
    const bool syn = (s->flags & SYN) != 0;
    const uint32_t size = TCP_HEAD + (syn ? SYN_OPTIONS : 0);
    const struct vn_addr *from = &tcp->addr[s->d];
    const struct vn_addr *to = &tcp->addr[1 - s->d];
    put_be16(out, from->port);
    put_be16(out + 2, to->port);
    put_be32(out + 4, s->seq);
    put_be32(out + 8, s->flags & ACK ? tcp->next[1 - s->d] : 0);
    out[12] = (uint8_t)(size / 4 << 4);
    out[13] = (uint8_t)s->flags;
    put_be16(out + 14, WINDOW);
    if (syn) { /* maximum segment size, nothing, window scale (RFC 7323) */
        const uint8_t options[SYN_OPTIONS] = {
            2, 4, PCAP_TCP_SEGMENT >> 8, PCAP_TCP_SEGMENT & 0xff, 1, 3, 3, WINDOW_SCALE};
        memcpy(out + TCP_HEAD, options, sizeof options);
    }
    const uint32_t ip = ip_len(from);
    const uint64_t sum = sum_of(from->ip, ip) + sum_of(to->ip, ip) + PROTOCOL_TCP + size + s->len +
                         sum_of(out, size) + sum_of(s->data, s->len);
    put_be16(out + 16, folded(sum));
    return size;
}

static void put_segment(struct pcap_tcp *tcp, struct pcapng *p, uint64_t t_ns,
                        const struct segment *s)
{
    uint8_t head[HEAD_MAX] = {0};
    const struct vn_addr *from = &tcp->addr[s->d];
    const uint32_t ip = from->family == VN_AF_IPV4 ? IPV4_HEAD : IPV6_HEAD;
    const uint32_t size = put_tcp(tcp, head + ip, s);
    put_ip(head, from, &tcp->addr[1 - s->d], size + s->len);
    pcapng_packet(p, t_ns, head, ip + size, s->data, s->len, s->comment);
    tcp->next[s->d] = s->seq + s->len + (s->flags & (SYN | FIN) ? 1 : 0);
    if (s->flags & ACK)
        tcp->unacked[1 - s->d] = 0;
}

/* ---- the conversation ---- */

void pcap_tcp_init(struct pcap_tcp *tcp, const struct vn_addr *dialler,
                   const struct vn_addr *acceptor, uint32_t isn)
{
    *tcp = (struct pcap_tcp){
        .addr = {*dialler, *acceptor},
        .first = {isn, isn ^ 0x80000000u},
    };
    tcp->next[0] = tcp->first[0];
    tcp->next[1] = tcp->first[1];
}

void pcap_tcp_syn(struct pcap_tcp *tcp, struct pcapng *p, uint64_t t_ns)
{
    put_segment(tcp, p, t_ns, &(struct segment){.d = 0, .seq = tcp->first[0], .flags = SYN});
}

void pcap_tcp_syn_ack(struct pcap_tcp *tcp, struct pcapng *p, uint64_t t_ns)
{
    put_segment(tcp, p, t_ns, &(struct segment){.d = 1, .seq = tcp->first[1], .flags = SYN | ACK});
}

static void acknowledge(struct pcap_tcp *tcp, struct pcapng *p, uint64_t t_ns, unsigned d)
{
    put_segment(tcp, p, t_ns, &(struct segment){.d = d, .seq = tcp->next[d], .flags = ACK});
}

void pcap_tcp_ack(struct pcap_tcp *tcp, struct pcapng *p, uint64_t t_ns)
{
    acknowledge(tcp, p, t_ns, 0);
}

void pcap_tcp_bytes(struct pcap_tcp *tcp, struct pcapng *p, uint64_t t_ns, unsigned d,
                    const uint8_t *data, size_t len)
{
    while (len > 0) {
        const uint32_t part = len < PCAP_TCP_SEGMENT ? (uint32_t)len : PCAP_TCP_SEGMENT;
        put_segment(
            tcp, p, t_ns,
            &(struct segment){
                .d = d, .seq = tcp->next[d], .flags = PSH | ACK, .data = data, .len = part});
        data += part;
        len -= part;
        tcp->unacked[d] += part;
        if (tcp->unacked[d] >= PCAP_TCP_ACK_AFTER)
            acknowledge(tcp, p, t_ns, 1 - d);
    }
}

void pcap_tcp_fin(struct pcap_tcp *tcp, struct pcapng *p, uint64_t t_ns, unsigned d)
{
    if (tcp->closed)
        return;
    for (unsigned i = 0; i < 2; i++) {
        const unsigned from = i == 0 ? d : 1 - d;
        put_segment(tcp, p, t_ns,
                    &(struct segment){.d = from, .seq = tcp->next[from], .flags = FIN | ACK});
    }
    acknowledge(tcp, p, t_ns, d);
    tcp->closed = true;
}

void pcap_tcp_rst(struct pcap_tcp *tcp, struct pcapng *p, uint64_t t_ns, unsigned d,
                  const char *comment)
{
    if (tcp->closed)
        return;
    put_segment(
        tcp, p, t_ns,
        &(struct segment){.d = d, .seq = tcp->next[d], .flags = RST | ACK, .comment = comment});
    tcp->closed = true;
}
