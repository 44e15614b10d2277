/* The orphan queue: entries in order of arrival, found by their hash and by their parent's. */
#include "core/chain/orphans.h"

#include "core/base/mem.h"
#include "core/chain/cache.h"

#include <assert.h>

struct orphan {
    uint8_t hash[32];
    uint8_t prev_hash[32];
    struct block_record *record;
    uint64_t source;
    uint32_t len;                 /* of the encoding */
    struct orphan *older, *newer; /* by arrival */
    struct orphan *sibling;       /* the next arrived child of the same parent */
    struct orphan *last_sibling;  /* of the first child: the last one, itself if alone */
};

struct orphans {
    struct idmap by_hash;
    struct idmap by_parent; /* the first arrived child of each parent */
    struct orphan *oldest, *newest;
    uint64_t bytes;
};

struct orphans *orphans_new(uint64_t seed)
{
    struct orphans *orphans = mem_new(1, sizeof *orphans);
    idmap_init(&orphans->by_hash, offsetof(struct orphan, hash), seed);
    idmap_init(&orphans->by_parent, offsetof(struct orphan, prev_hash), seed ^ 1);
    return orphans;
}

static void unlink_arrival(struct orphans *orphans, struct orphan *orphan)
{
    if (orphan->older)
        orphan->older->newer = orphan->newer;
    else
        orphans->oldest = orphan->newer;
    if (orphan->newer)
        orphan->newer->older = orphan->older;
    else
        orphans->newest = orphan->older;
}

/* Only a first child is ever taken out: the oldest of all is the oldest of its siblings. */
static void unlink_first_child(struct orphans *orphans, struct orphan *orphan)
{
    void *first = idmap_remove(&orphans->by_parent, orphan->prev_hash);
    assert(first == orphan);
    if (orphan->sibling) {
        orphan->sibling->last_sibling = orphan->last_sibling;
        idmap_put(&orphans->by_parent, orphan->sibling);
    }
}

static struct block_record *take_out(struct orphans *orphans, struct orphan *orphan)
{
    struct block_record *record = orphan->record;
    unlink_arrival(orphans, orphan);
    unlink_first_child(orphans, orphan);
    idmap_remove(&orphans->by_hash, orphan->hash);
    orphans->bytes -= orphan->len;
    mem_free(orphan);
    return record;
}

void orphans_free(struct orphans *orphans, struct chain_cache *cache)
{
    if (!orphans)
        return;
    while (orphans->oldest)
        cache_give_back(cache, take_out(orphans, orphans->oldest));
    idmap_deinit(&orphans->by_hash);
    idmap_deinit(&orphans->by_parent);
    mem_free(orphans);
}

uint32_t orphans_count(const struct orphans *orphans)
{
    return orphans ? orphans->by_hash.count : 0;
}

size_t orphans_bytes(const struct orphans *orphans)
{
    if (!orphans)
        return 0;
    return sizeof *orphans + idmap_bytes(&orphans->by_hash) + idmap_bytes(&orphans->by_parent) +
           orphans->by_hash.count * sizeof(struct orphan);
}

uint64_t orphans_bytes_from(const struct orphans *orphans, uint64_t source)
{
    uint64_t bytes = 0;
    for (const struct orphan *o = orphans ? orphans->oldest : NULL; o; o = o->newer)
        bytes += o->source == source ? sizeof *o + o->len : 0;
    return bytes;
}

const struct block_record *orphans_at(const struct orphans *orphans, uint32_t index,
                                      uint64_t *source)
{
    const struct orphan *orphan = orphans ? orphans->oldest : NULL;
    while (orphan && index-- > 0)
        orphan = orphan->newer;
    if (orphan)
        *source = orphan->source;
    return orphan ? orphan->record : NULL;
}

struct block_record *orphans_find(const struct orphans *orphans, const uint8_t hash[32])
{
    const struct orphan *orphan = orphans ? idmap_get(&orphans->by_hash, hash) : NULL;
    return orphan ? orphan->record : NULL;
}

bool orphans_make_room(struct orphans *orphans, const struct chain_limits *limits, uint32_t len,
                       struct chain_cache *cache)
{
    if (limits->orphans_max == 0 || len > limits->orphan_bytes_max)
        return false;
    while (orphans->by_hash.count >= limits->orphans_max ||
           orphans->bytes > limits->orphan_bytes_max - len)
        cache_give_back(cache, take_out(orphans, orphans->oldest));
    return true;
}

void orphans_add(struct orphans *orphans, struct block_record *record, uint64_t source)
{
    struct orphan *orphan = mem_new(1, sizeof *orphan);
    memcpy(orphan->hash, record->hash, HASH_SIZE);
    memcpy(orphan->prev_hash, record->prev_hash, HASH_SIZE);
    orphan->record = record;
    orphan->source = source;
    orphan->len = record->body.len;
    orphan->last_sibling = orphan;

    orphan->older = orphans->newest;
    if (orphans->newest)
        orphans->newest->newer = orphan;
    else
        orphans->oldest = orphan;
    orphans->newest = orphan;

    struct orphan *first = idmap_get(&orphans->by_parent, orphan->prev_hash);
    if (first) {
        first->last_sibling->sibling = orphan;
        first->last_sibling = orphan;
    } else {
        idmap_put(&orphans->by_parent, orphan);
    }
    idmap_put(&orphans->by_hash, orphan);
    orphans->bytes += orphan->len;
}

struct block_record *orphans_take(struct orphans *orphans, const uint8_t parent[32],
                                  uint64_t *source)
{
    struct orphan *orphan = orphans ? idmap_get(&orphans->by_parent, parent) : NULL;
    if (!orphan)
        return NULL;
    *source = orphan->source;
    return take_out(orphans, orphan);
}

void orphans_audit(const struct orphans *orphans, const struct chain_limits *limits,
                   struct audit *audit)
{
    const struct orphan *before = NULL;
    uint32_t count = 0, parents = 0;
    uint64_t bytes = 0;
    for (const struct orphan *o = orphans ? orphans->oldest : NULL; o && !audit->what;
         before = o, o = o->newer) {
        const struct orphan *first = idmap_get(&orphans->by_parent, o->prev_hash);
        const struct orphan *found = idmap_get(&orphans->by_hash, o->hash);
        audit_true(audit, "an orphan and its neighbour", o->older == before);
        audit_true(audit, "the way to an orphan", found == o);
        audit_true(audit, "the way to an orphan's siblings", first != NULL);
        audit_true(audit, "an orphan without its body", o->record->body.len == o->len);
        count++;
        parents += first == o;
        bytes += o->len;
    }
    if (!orphans)
        return;
    audit_true(audit, "the newest orphan", orphans->newest == before);
    audit_equal(audit, "bytes of orphans", orphans->bytes, bytes);
    audit_at_most(audit, "orphans", count, limits->orphans_max);
    audit_at_most(audit, "bytes of orphans", bytes, limits->orphan_bytes_max);
    audit_true(audit, "a queue of no orphans has memory", count > 0);
    idmap_audit(&orphans->by_hash, audit, count);
    idmap_audit(&orphans->by_parent, audit, parents);
}
