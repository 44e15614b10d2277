/* Shared block records: a map from hash to the records with that hash, each compared by its bytes.
 *
 * The happy path for all nodes but the first: the simulator delivers the sender's own buffer, so
 * the bytes are equal because the pointers are. Failure modes: none; what does not match is not
 * found. */
#include "core/chain/cache.h"

#include "core/base/mem.h"
#include "core/chain/keep.h"
#include "core/crypto/sha256.h"

#include <assert.h>

struct chain_cache {
    struct idmap by_hash; /* the first record of each hash */
    uint64_t realms;
    uint32_t count;
};

struct cache_record {
    struct block_record block; /* first: the two pointers are one */
    struct cache_record *twin; /* the next record with this hash */
    uint64_t realm;
    uint32_t len;       /* of the encoding */
    uint8_t digest[32]; /* SHA-256 of the encoding, while the body is not in memory */
};

_Static_assert(offsetof(struct cache_record, block) == 0, "a record begins with its public part");

struct chain_cache *chain_cache_new(void)
{
    struct chain_cache *cache = mem_new(1, sizeof *cache);
    /* Hashes of valid blocks are costly to choose, and the cache must not depend on any node's
     * dice: a fixed seed does. */
    idmap_init(&cache->by_hash, offsetof(struct block_record, hash), 0);
    return cache;
}

void chain_cache_free(struct chain_cache *cache)
{
    if (!cache)
        return;
    assert(cache->count == 0);
    idmap_deinit(&cache->by_hash);
    mem_free(cache);
}

static struct cache_record *inside(struct block_record *record)
{
    return (struct cache_record *)(void *)record;
}

static bool same_body(const struct cache_record *record, const struct block_view *block)
{
    const uint8_t *body = vn_slice_data(record->block.body);
    return body == block->raw.data || memcmp(body, block->raw.data, record->len) == 0;
}

struct block_record *cache_find(struct chain_cache *cache, const struct block_view *block)
{
    uint8_t digest[32];
    bool digested = false;
    for (struct cache_record *r = idmap_get(&cache->by_hash, block->hash); r; r = r->twin) {
        if (r->len != block->raw.len)
            continue;
        if (r->block.body.buf) {
            if (same_body(r, block))
                return &r->block;
            continue;
        }
        if (!digested)
            sha256(digest, block->raw.data, block->raw.len);
        digested = true;
        if (hash_eq(digest, r->digest))
            return &r->block;
    }
    return NULL;
}

static struct cache_record *record_new(struct chain_cache *cache, const struct block_view *block)
{
    struct cache_record *record = mem_new(1, sizeof *record);
    record->block.height = block->height;
    record->block.timestamp = block->timestamp;
    record->block.poh_seq = block->poh_seq;
    record->block.total_difficulty = block->total_difficulty;
    memcpy(record->block.hash, block->hash, HASH_SIZE);
    memcpy(record->block.prev_hash, block->prev_hash, HASH_SIZE);
    record->len = (uint32_t)block->raw.len;

    struct cache_record *first = idmap_get(&cache->by_hash, block->hash);
    if (first) {
        record->twin = first->twin;
        first->twin = record;
    } else {
        idmap_put(&cache->by_hash, record);
    }
    cache->count++;
    return record;
}

struct block_record *cache_take(struct chain_cache *cache, const struct block_view *block,
                                struct vn_slice body)
{
    assert(body.len == block->raw.len);
    struct block_record *record = cache_find(cache, block);
    if (!record)
        record = &record_new(cache, block)->block;
    if (!record->body.buf)
        record->body = keep_slice(body);
    record->body_users++;
    record->refs++;
    return record;
}

static void record_free(struct chain_cache *cache, struct cache_record *record)
{
    struct cache_record *first = idmap_get(&cache->by_hash, record->block.hash);
    if (first == record) {
        idmap_remove(&cache->by_hash, record->block.hash);
        if (record->twin)
            idmap_put(&cache->by_hash, record->twin);
    } else {
        while (first->twin != record)
            first = first->twin;
        first->twin = record->twin;
    }
    cache->count--;
    mem_free(record);
}

void cache_unref(struct chain_cache *cache, struct block_record *record)
{
    assert(record->refs > 0);
    if (--record->refs > 0)
        return;
    assert(record->body_users == 0);
    record_free(cache, inside(record));
}

void cache_drop_body(struct block_record *record)
{
    assert(record->body_users > 0);
    if (--record->body_users > 0)
        return;
    sha256(inside(record)->digest, vn_slice_data(record->body), record->body.len);
    vn_slice_unref(record->body);
    record->body = (struct vn_slice){0};
}

void cache_give_back(struct chain_cache *cache, struct block_record *record)
{
    assert(record->body_users > 0);
    if (record->refs > 1) {
        cache_drop_body(record);
    } else {
        assert(record->body_users == 1);
        record->body_users = 0;
        vn_slice_unref(record->body);
        record->body = (struct vn_slice){0};
    }
    cache_unref(cache, record);
}

uint64_t cache_realm(const struct block_record *record)
{
    return ((const struct cache_record *)(const void *)record)->realm;
}

void cache_set_realm(struct block_record *record, uint64_t realm)
{
    inside(record)->realm = realm;
}

uint64_t cache_new_realm(struct chain_cache *cache)
{
    return ++cache->realms;
}

uint32_t cache_count(const struct chain_cache *cache)
{
    return cache->count;
}
