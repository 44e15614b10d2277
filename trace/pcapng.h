/* Writes packet captures in the format pcapng, as Wireshark reads them: one section, one interface
 * of raw IP, times in nanoseconds, little-endian on every machine.
 * Source: draft-ietf-opsawg-pcapng. */
#ifndef TRACE_PCAPNG_H
#define TRACE_PCAPNG_H

#include "core/node.h"
#include "trace/outfile.h"

#define PCAPNG_NAME_MAX    64u   /* bytes of a host's name; what is longer is cut */
#define PCAPNG_COMMENT_MAX 1024u /* bytes of a comment, likewise */

struct pcapng {
    struct outfile out;
    uint64_t packets;
};

/* Empties the file and writes what comes first. program wrote the capture; comment tells of what.
 * False, with errno, if the file cannot be made. */
bool pcapng_open(struct pcapng *p, const char *path, const char *program, const char *comment);
/* From here on the address (IPv4 or IPv6, the port is ignored) has this name. */
void pcapng_name(struct pcapng *p, const struct vn_addr *addr, const char *name);
/* An IP packet, in two pieces of which the second may be empty, at t_ns since 1970. comment may be
 * NULL. */
void pcapng_packet(struct pcapng *p, uint64_t t_ns, const uint8_t *head, uint32_t head_len,
                   const uint8_t *data, uint32_t data_len, const char *comment);
/* False if not all was written: out.error tells why. What was written is whole. */
bool pcapng_close(struct pcapng *p);

#endif
