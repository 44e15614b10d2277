/* Which links sent us which recent blocks: the newest SEEN_MAX block hashes, a bit per link slot each.
 * Answers whether the same link sends the same block again (PROTOCOL-0.1 section 8: only that is an
 * offence), and saves relaying a block to who sent it. */
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

/* Notes that the link in `slot` sent `hash`; true if it had already. Slots out of range are never seen. */
bool seen_note(struct seen *seen, const uint8_t hash[32], uint32_t slot);
bool seen_has(const struct seen *seen, const uint8_t hash[32], uint32_t slot);

/* A slot has a new owner. */
void seen_reset_slot(struct seen *seen, uint32_t slot);

#endif
