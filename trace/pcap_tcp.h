/* A conversation in TCP, made up around bytes that went over a link without any: headers with right
 * sequence numbers and checksums, the three packets of its beginning and those of its end. So a
 * tool that knows TCP puts the stream together as it was, and finds nothing to complain of.
 *
 * A packet has up to PCAP_TCP_SEGMENT bytes, as on a loopback interface: what came in one piece is
 * one packet but for large blocks, and a reader's tool need not put together what was never apart.
 * Bytes are acknowledged by what goes the other way, else by a packet of its own each
 * PCAP_TCP_ACK_AFTER bytes.
 *
 * Direction 0 leads from who dialled, 1 to it. Times are in ns since 1970. */
#ifndef TRACE_PCAP_TCP_H
#define TRACE_PCAP_TCP_H

#include "trace/pcapng.h"

#define PCAP_TCP_SEGMENT   65475u /* the loopback's 65,536, without headers of IPv6 and TCP */
#define PCAP_TCP_ACK_AFTER 32768u

struct pcap_tcp {
    struct vn_addr addr[2]; /* of who dialled, who was dialled; both IPv4 or both IPv6 */
    uint32_t first[2];      /* sequence number of each side's SYN */
    uint32_t next[2];       /* of its next byte */
    uint32_t unacked[2];    /* bytes in this direction since it was last acknowledged */
    bool closed;            /* a FIN or RST is written */
};

/* isn: any number; two conversations of one pair of addresses and ports want different ones. */
void pcap_tcp_init(struct pcap_tcp *tcp, const struct vn_addr *dialler,
                   const struct vn_addr *acceptor, uint32_t isn);
void pcap_tcp_syn(struct pcap_tcp *tcp, struct pcapng *p, uint64_t t_ns);
void pcap_tcp_syn_ack(struct pcap_tcp *tcp, struct pcapng *p, uint64_t t_ns);
void pcap_tcp_ack(struct pcap_tcp *tcp, struct pcapng *p, uint64_t t_ns);
void pcap_tcp_bytes(struct pcap_tcp *tcp, struct pcapng *p, uint64_t t_ns, unsigned d,
                    const uint8_t *data, size_t len);
/* The side that speaks in direction d has closed, and the other does so at once. Like a reset, only
 * the first end of a conversation is written. */
void pcap_tcp_fin(struct pcap_tcp *tcp, struct pcapng *p, uint64_t t_ns, unsigned d);
/* comment may be NULL. */
void pcap_tcp_rst(struct pcap_tcp *tcp, struct pcapng *p, uint64_t t_ns, unsigned d,
                  const char *comment);

#endif
