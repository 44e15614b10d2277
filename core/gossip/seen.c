/* See seen.h. */
#include "core/gossip/seen.h"

#include "core/base/mem.h"

#include <string.h>

#define SEEN_FIRST 8u

static size_t entry_size(const struct seen *seen)
{
    return 32 + (size_t)seen->words * sizeof(uint64_t);
}

static uint8_t *entry_at(const struct seen *seen, uint32_t i)
{
    return seen->entries + i * entry_size(seen);
}

void seen_init(struct seen *seen, uint32_t slots)
{
    *seen = (struct seen){.words = (slots + 63) / 64};
}

void seen_deinit(struct seen *seen)
{
    mem_free(seen->entries);
    seen->entries = NULL;
}

/* There are few: a search beats a map. Hashes are told apart by their last bytes, since proof of
 * work makes the first ones alike. */
static uint8_t *seen_find(const struct seen *seen, const uint8_t hash[32])
{
    for (uint32_t i = seen->count; i-- > 0;) {
        uint8_t *entry = entry_at(seen, i);
        if (entry[31] == hash[31] && memcmp(entry, hash, 32) == 0)
            return entry;
    }
    return NULL;
}

static uint8_t *seen_add(struct seen *seen, const uint8_t hash[32])
{
    if (seen->count == seen->capacity && seen->capacity < SEEN_MAX) {
        seen->capacity = seen->capacity ? seen->capacity * 2 : SEEN_FIRST;
        seen->entries = mem_resize(seen->entries, seen->capacity, entry_size(seen));
    }
    uint32_t i = seen->count < seen->capacity ? seen->count++ : seen->oldest++ % SEEN_MAX;
    uint8_t *entry = entry_at(seen, i);
    memset(entry, 0, entry_size(seen));
    memcpy(entry, hash, 32);
    return entry;
}

static uint64_t word_get(const uint8_t *entry, uint32_t slot)
{
    uint64_t word;
    memcpy(&word, entry + 32 + slot / 64 * sizeof word, sizeof word);
    return word;
}

static void word_set(uint8_t *entry, uint32_t slot, uint64_t word)
{
    memcpy(entry + 32 + slot / 64 * sizeof word, &word, sizeof word);
}

bool seen_has(const struct seen *seen, const uint8_t hash[32], uint32_t slot)
{
    const uint8_t *entry = slot < seen->words * 64 ? seen_find(seen, hash) : NULL;
    return entry && (word_get(entry, slot) >> slot % 64 & 1);
}

bool seen_note(struct seen *seen, const uint8_t hash[32], uint32_t slot)
{
    if (slot >= seen->words * 64)
        return false;
    uint8_t *entry = seen_find(seen, hash);
    if (!entry)
        entry = seen_add(seen, hash);
    uint64_t word = word_get(entry, slot), bit = UINT64_C(1) << slot % 64;
    word_set(entry, slot, word | bit);
    return (word & bit) != 0;
}

void seen_reset_slot(struct seen *seen, uint32_t slot)
{
    for (uint32_t i = 0; i < seen->count && slot < seen->words * 64; i++) {
        uint8_t *entry = entry_at(seen, i);
        uint64_t word = word_get(entry, slot);
        word_set(entry, slot, word & ~(UINT64_C(1) << slot % 64));
    }
}
