/* Other names for what a capture tells of people: IP addresses and node ids, each always replaced
 * by the same one. What a node may decide by is kept:
 *
 * - two that are equal, or are not, stay so; ports, families and lengths stay as they are;
 * - 127.0.0.0/8 and ::1 stay themselves, and so do addresses that are nobody's (0.0.0.0/8, ::,
 *   multicast and what lies above);
 * - others that share a group (16 bits of an IPv4 address, 32 of an IPv6 one) share one,
 * in 10.0.0.0 and on, and in fd00::/8;
 * - an id that stands before or behind the node's own one does so still. */
#ifndef TRACE_REDACT_NAMES_H
#define TRACE_REDACT_NAMES_H

#include "core/node.h"

struct redact_names;

/* keep_own: own_id stays, and others stand before or behind it still, if it begins with a letter or
 * a digit. */
struct redact_names *redact_names_new(const char *own_id, bool keep_own);
void redact_names_free(struct redact_names *names);

void redact_names_addr(struct redact_names *names, struct vn_addr *addr);
void redact_names_id(struct redact_names *names, uint8_t *id, size_t len);

/* A ban's key (VN_STORE_BAN): of an IP address, or the hash of an id. */
void redact_names_ban_key(struct redact_names *names, uint8_t key[32]);

/* How many there are; and how many ids are so short that their new names may be shared. */
uint64_t redact_names_addrs(const struct redact_names *names);
uint64_t redact_names_ids(const struct redact_names *names);
uint64_t redact_names_short_ids(const struct redact_names *names);

#endif
