/* The address list: where nodes listen, as given (seeds) or learned from handshakes; bounded. It
 * knows when an address may be tried again (exponential backoff with jitter), and picks which.
 * Whether an address has a link now is noted here by its owner, so that nobody is dialled twice. */
#ifndef PEER_ADDRS_H
#define PEER_ADDRS_H

#include "core/base/rng.h"
#include "core/node.h"

struct addr_entry {
    struct vn_addr addr;
    uint32_t failures;     /* in a row */
    uint64_t next_try_ns;
    uint64_t last_seen_ns; /* 0: never reached */
    uint64_t link;         /* the live link to or from it; 0: none */
    bool seed;             /* never forgotten */
    bool self;             /* our own address: never dialled */
    bool anchor;           /* see anchors.h */
    bool id_known; /* somebody answered there */
    uint8_t *id_key; /* of 32 bytes: score key of who answered there when last dialled, noted where
                        nodes are judged by id; else NULL */
};

struct addrs {
    struct addr_entry *entries;
    uint32_t count;
    uint32_t capacity;
    uint32_t max;
    bool forgot; /* the last add forgot this one: */
    struct vn_addr forgotten;
};

struct addrs_policy {
    uint64_t backoff_base_ns;
    uint64_t retry_failed_ns;
    uint32_t give_up_after;
};

void addrs_init(struct addrs *addrs, uint32_t max);
void addrs_deinit(struct addrs *addrs);

/* True for an address that can be dialled: a family, a port, not unspecified, not multicast. */
bool addr_dialable(const struct vn_addr *addr);
bool addr_equal(const struct vn_addr *a, const struct vn_addr *b);
bool addr_same_ip(const struct vn_addr *a, const struct vn_addr *b);

/* 127.0.0.1 or ::1: an address that tells nothing of who is there. */
bool addr_is_loopback(const struct vn_addr *addr);

struct addr_entry *addrs_find(const struct addrs *addrs, const struct vn_addr *addr);

/* Finds or adds. A full list forgets its worst learned entry without a link (most failures, then
 * never answered a dial, then longest unseen, then first); NULL if there is none to forget or
 * the address cannot be dialled. Pointers to entries are good until the next add. */
struct addr_entry *addrs_add(struct addrs *addrs, const struct vn_addr *addr, bool seed,
                             uint64_t now_ns);

/* Notes a copy of the score key. */
void addr_set_key(struct addr_entry *entry, const uint8_t key[32]);

/* A dial ended without a handshake: counts it and sets the next try: after n failures
 * base << (min(n, 6) - 1), plus jitter of up to a quarter (PROTOCOL-0.1 section 6: 2 to 64 s); once
 * given up, retry_failed_ns. */
void addrs_failed(struct addr_entry *entry, const struct addrs_policy *policy, uint64_t now_ns,
                  struct rng *rng);

/* A ready link ended, or a dial was not the address's fault: try again after half the base, or
 * after_ns if that is more, plus jitter. */
void addrs_released(struct addr_entry *entry, const struct addrs_policy *policy, uint64_t now_ns,
                    uint64_t after_ns, struct rng *rng);

static inline bool addr_given_up(const struct addr_entry *entry, const struct addrs_policy *policy)
{
    return entry->failures >= policy->give_up_after;
}

/* May this entry be dialled at now_ns? */
bool addr_eligible(const struct addr_entry *entry, uint64_t now_ns);

/* One of the eligible entries for which usable() holds: a random one of those with the fewest
 * failures; NULL if there is none. *next_ns becomes the earliest next try of those that must wait
 * (VN_NEVER: none waits). */
struct addr_entry *addrs_pick(const struct addrs *addrs, uint64_t now_ns, struct rng *rng,
                              bool (*usable)(const void *ctx, const struct addr_entry *entry),
                              const void *ctx, uint64_t *next_ns);

#endif
