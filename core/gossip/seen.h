/* Which links have to do with which recent blocks: the newest SEEN_MAX block hashes, a bit per link
 * slot each. One such table notes who sent us a block, and tells whether the same link sends it
 * again (PROTOCOL-0.1 section 8: only that is an offence); another whom we sent it, so that nobody
 * gets it twice from us. */
#ifndef GOSSIP_SEEN_H
#define GOSSIP_SEEN_H

#include <stdbool.h>
#include <stdint.h>

#define SEEN_MAX 128u

struct seen {
    uint8_t *entries; /* ring of `capacity`: 32 bytes of hash, then `words` words of bits */
    uint32_t count, capacity, oldest;
    uint32_t words;
};

void seen_init(struct seen *seen, uint32_t slots);
void seen_deinit(struct seen *seen);

/* Sets the bit of `slot` for `hash`; true if it was set already. A slot out of range never is. */
bool seen_note(struct seen *seen, const uint8_t hash[32], uint32_t slot);
bool seen_has(const struct seen *seen, const uint8_t hash[32], uint32_t slot);

/* A slot has a new owner. */
void seen_reset_slot(struct seen *seen, uint32_t slot);

#endif
