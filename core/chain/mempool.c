/* The pool: one entry per known transaction, in its place by number (tx_book.h) and in one of two
 * lists, pooled or taken, between which blocks move it.
 *
 * The happy path: a transaction is added, a block takes it, and it is forgotten when it is too old
 * to be valid again. Failure modes: a full pool refuses newcomers; the list of the taken forgets
 * its first when it is full, so that a reorganisation deeper than that loses transactions, as an
 * expired one does. Entries never exceed 3 x max: pooled and taken ones max each, and those that a
 * reorganisation puts back above max. */
#include "core/chain/mempool.h"

#include "core/base/mem.h"
#include "core/chain/keep.h"

#include <assert.h>
#include <stddef.h>

#define SENDER_OFFSET 32u /* of a transaction's encoding (PROTOCOL-0.1 section 3) */

struct entry {
    uint8_t id[32];
    struct vn_slice raw; /* empty if only the id is known */
    uint64_t timestamp;  /* its own, or without bytes the block's */
    struct entry *before, *after;
    uint32_t number;      /* in the book */
    uint32_t blocks;      /* of the best chain that hold it; 0: pooled */
    uint32_t source;      /* slot that brought it, or MEMPOOL_NO_SLOT */
    uint64_t epoch;       /* in which it brought it */
    uint64_t seen_more[]; /* a bit per slot from the 65th on */
};

#define PAGE_ENTRIES 16u

/* What is known of transactions whose numbers follow each other. A transaction comes once from each
 * peer, and all but the first time touch no more than this. */
struct page {
    struct entry *entries[PAGE_ENTRIES]; /* or NULL: unknown */
    uint64_t seen[PAGE_ENTRIES];         /* a bit per slot, of the first 64 */
    uint32_t used;
};

/* Who has a slot now: since when, and how many bytes of the pool it brought. */
struct owner {
    uint64_t epoch;
    uint64_t bytes;
};

struct entry_list {
    struct entry *first, *last;
    uint64_t bytes; /* of encodings */
    uint32_t count;
};

struct sender {
    uint8_t id[32];
    uint32_t pooled;
};

struct mempool {
    struct mempool_limits limits;
    struct tx_book *book;
    struct page **pages; /* by number / PAGE_ENTRIES; NULL: nothing known */
    uint32_t page_count; /* places for pages */
    uint32_t pages_live;
    uint32_t known;         /* entries */
    uint32_t found;         /* the number looked up last, or TX_NO_NUMBER */
    struct idmap by_sender; /* of senders with pooled transactions */
    struct entry_list pooled, taken;
    uint64_t oldest;      /* no entry's timestamp is below */
    uint64_t epoch;       /* counts changes of owners */
    struct owner *owners; /* of the slots below owner_count; of others: since epoch 0, no bytes */
    uint32_t owner_count;
};

/* ---- life ----------------------------------------------------------------------------------- */

struct mempool *mempool_new(const struct mempool_limits *limits, uint64_t seed,
                            struct tx_book *book)
{
    struct mempool *pool = mem_new(1, sizeof *pool);
    pool->book = book;
    pool->found = TX_NO_NUMBER;
    pool->limits = *limits;
    if (pool->limits.bytes_max == 0)
        pool->limits.bytes_max = MEMPOOL_BYTES_MAX;
    idmap_init(&pool->by_sender, offsetof(struct sender, id), seed ^ 1);
    pool->oldest = UINT64_MAX;
    return pool;
}

static size_t entry_size(const struct mempool *pool)
{
    const uint32_t slots = pool->limits.slots;
    const size_t more = slots > 64 ? ((size_t)slots - 1) / 64 : 0;
    return sizeof(struct entry) + more * sizeof(uint64_t);
}

static void list_append(struct entry_list *list, struct entry *entry)
{
    entry->before = list->last;
    entry->after = NULL;
    if (list->last)
        list->last->after = entry;
    else
        list->first = entry;
    list->last = entry;
    list->count++;
    list->bytes += entry->raw.len;
}

static void list_prepend(struct entry_list *list, struct entry *entry)
{
    entry->before = NULL;
    entry->after = list->first;
    if (list->first)
        list->first->before = entry;
    else
        list->last = entry;
    list->first = entry;
    list->count++;
    list->bytes += entry->raw.len;
}

static void list_remove(struct entry_list *list, struct entry *entry)
{
    if (entry->before)
        entry->before->after = entry->after;
    else
        list->first = entry->after;
    if (entry->after)
        entry->after->before = entry->before;
    else
        list->last = entry->before;
    list->count--;
    list->bytes -= entry->raw.len;
}

/* ---- senders -------------------------------------------------------------------------------- */

static const uint8_t *sender_of(const struct entry *entry)
{
    return vn_slice_data(entry->raw) + SENDER_OFFSET;
}

static void sender_gain(struct mempool *pool, const uint8_t id[32])
{
    struct sender *sender = idmap_get(&pool->by_sender, id);
    if (!sender) {
        sender = mem_new(1, sizeof *sender);
        memcpy(sender->id, id, HASH_SIZE);
        idmap_put(&pool->by_sender, sender);
    }
    sender->pooled++;
}

static void sender_lose(struct mempool *pool, const uint8_t id[32])
{
    struct sender *sender = idmap_get(&pool->by_sender, id);
    assert(sender && sender->pooled > 0);
    if (--sender->pooled > 0)
        return;
    idmap_remove(&pool->by_sender, id);
    mem_free(sender);
}

/* ---- who brought what ----------------------------------------------------------------------- */

static uint64_t entry_bytes(const struct mempool *pool, const struct entry *entry)
{
    return entry_size(pool) + entry->raw.len;
}

static struct owner *owner_of(const struct mempool *pool, uint32_t slot)
{
    return slot < pool->owner_count ? &pool->owners[slot] : NULL;
}

/* The account of who brought the entry, if that link is still there. */
static struct owner *source_of(const struct mempool *pool, const struct entry *entry)
{
    struct owner *owner = owner_of(pool, entry->source);
    return owner && owner->epoch <= entry->epoch ? owner : NULL;
}

/* An entry came to the pooled ones, or left them. */
static void source_gain(struct mempool *pool, const struct entry *entry)
{
    struct owner *owner = source_of(pool, entry);
    if (owner)
        owner->bytes += entry_bytes(pool, entry);
}

static void source_lose(struct mempool *pool, const struct entry *entry)
{
    struct owner *owner = source_of(pool, entry);
    if (owner)
        owner->bytes -= entry_bytes(pool, entry);
}

static void owners_grow(struct mempool *pool, uint32_t slot)
{
    uint32_t count = pool->owner_count ? pool->owner_count : 8;
    while (count <= slot)
        count *= 2;
    pool->owners = mem_resize(pool->owners, count, sizeof *pool->owners);
    memset(pool->owners + pool->owner_count, 0, (count - pool->owner_count) * sizeof *pool->owners);
    pool->owner_count = count;
}

/* ---- entries -------------------------------------------------------------------------------- */

static struct page *page_of(const struct mempool *pool, uint32_t number)
{
    const uint32_t at = number / PAGE_ENTRIES;
    return at < pool->page_count ? pool->pages[at] : NULL;
}

static struct entry *entry_at(const struct mempool *pool, uint32_t number)
{
    const struct page *page = page_of(pool, number);
    return page ? page->entries[number % PAGE_ENTRIES] : NULL;
}

/* The number of a transaction that this pool knows, or TX_NO_NUMBER. A message looks the same one
 * up more than once. */
static uint32_t number_of(struct mempool *pool, const uint8_t id[32])
{
    if (pool->found != TX_NO_NUMBER && hash_eq(tx_book_id(pool->book, pool->found), id))
        return pool->found;
    const uint32_t number = tx_book_find(pool->book, id);
    if (number == TX_NO_NUMBER || !entry_at(pool, number))
        return TX_NO_NUMBER;
    return pool->found = number;
}

static struct entry *entry_find(const struct mempool *pool, const uint8_t id[32])
{
    const uint32_t number = tx_book_find(pool->book, id);
    return number == TX_NO_NUMBER ? NULL : entry_at(pool, number);
}

static void pages_reserve(struct mempool *pool, uint32_t at)
{
    if (at < pool->page_count)
        return;
    uint32_t count = pool->page_count ? pool->page_count : 4;
    while (count <= at)
        count *= 2;
    pool->pages = mem_resize(pool->pages, count, sizeof *pool->pages);
    memset(pool->pages + pool->page_count, 0, (count - pool->page_count) * sizeof *pool->pages);
    pool->page_count = count;
}

static void place_put(struct mempool *pool, struct entry *entry)
{
    const uint32_t at = entry->number / PAGE_ENTRIES;
    pages_reserve(pool, at);
    if (!pool->pages[at]) {
        pool->pages[at] = mem_new(1, sizeof *pool->pages[at]);
        pool->pages_live++;
    }
    pool->pages[at]->entries[entry->number % PAGE_ENTRIES] = entry;
    pool->pages[at]->seen[entry->number % PAGE_ENTRIES] = 0;
    pool->pages[at]->used++;
    pool->known++;
}

static void place_clear(struct mempool *pool, const struct entry *entry)
{
    struct page **page = &pool->pages[entry->number / PAGE_ENTRIES];
    (*page)->entries[entry->number % PAGE_ENTRIES] = NULL;
    if (--(*page)->used == 0) {
        mem_free(*page);
        *page = NULL;
        pool->pages_live--;
    }
    if (--pool->known == 0) {
        mem_free(pool->pages);
        pool->pages = NULL;
        pool->page_count = 0;
    }
    if (pool->found == entry->number)
        pool->found = TX_NO_NUMBER;
}

/* raw is given away. */
static struct entry *entry_new(struct mempool *pool, const uint8_t id[32], struct vn_slice raw,
                               uint64_t timestamp)
{
    struct entry *entry = mem_new(1, entry_size(pool));
    memcpy(entry->id, id, HASH_SIZE);
    entry->raw = raw;
    entry->timestamp = timestamp;
    entry->source = MEMPOOL_NO_SLOT;
    entry->number = tx_book_take(pool->book, id);
    place_put(pool, entry);
    pool->found = entry->number;
    if (timestamp < pool->oldest)
        pool->oldest = timestamp;
    return entry;
}

static void entry_drop(struct mempool *pool, struct entry *entry)
{
    if (entry->blocks > 0) {
        list_remove(&pool->taken, entry);
    } else {
        list_remove(&pool->pooled, entry);
        sender_lose(pool, sender_of(entry));
        source_lose(pool, entry);
    }
    place_clear(pool, entry);
    tx_book_give(pool->book, entry->number);
    vn_slice_unref(entry->raw);
    mem_free(entry);
}

void mempool_free(struct mempool *pool)
{
    if (!pool)
        return;
    while (pool->pooled.first)
        entry_drop(pool, pool->pooled.first);
    while (pool->taken.first)
        entry_drop(pool, pool->taken.first);
    idmap_deinit(&pool->by_sender);
    mem_free(pool->owners);
    mem_free(pool);
}

enum mempool_result mempool_add(struct mempool *pool, const struct tx_view *tx, struct vn_slice raw)
{
    assert(raw.len == tx->raw.len && vn_slice_data(raw) == tx->raw.data);
    if (number_of(pool, tx->tx_id) != TX_NO_NUMBER)
        return MEMPOOL_KNOWN;
    const struct sender *sender = idmap_get(&pool->by_sender, tx->sender);
    struct mempool_use use = {pool->pooled.count, sender ? sender->pooled : 0, pool->pooled.bytes};
    if (!mempool_room(&pool->limits, &use, raw.len))
        return MEMPOOL_FULL;
    list_append(&pool->pooled, entry_new(pool, tx->tx_id, keep_slice(raw), tx->timestamp));
    sender_gain(pool, tx->sender);
    return MEMPOOL_ADDED;
}

void mempool_prefetch(const struct mempool *pool, uint32_t step)
{
    if (step == 0) {
        for (const char *at = (const char *)pool; at < (const char *)(pool + 1); at += 64)
            __builtin_prefetch(at);
    } else if (step == 1 && pool->page_count > 0) {
        __builtin_prefetch(&pool->pages[pool->found / PAGE_ENTRIES % pool->page_count]);
    } else if (step == 2) {
        const struct page *page = page_of(pool, pool->found);
        for (const char *at = (const char *)page; page && at < (const char *)(page + 1); at += 64)
            __builtin_prefetch(at);
    }
}

bool mempool_knows(struct mempool *pool, const uint8_t id[32])
{
    return number_of(pool, id) != TX_NO_NUMBER;
}

uint32_t mempool_has(const struct mempool *pool, const uint8_t id[32])
{
    const struct entry *entry = entry_find(pool, id);
    if (!entry)
        return 0;
    return entry->blocks > 0 ? 2 : 1;
}

struct vn_slice mempool_raw(const struct mempool *pool, const uint8_t id[32])
{
    const struct entry *entry = entry_find(pool, id);
    return entry ? entry->raw : (struct vn_slice){0};
}

/* ---- who sent what -------------------------------------------------------------------------- */

static uint64_t *seen_word(const struct mempool *pool, uint32_t number, uint32_t slot)
{
    struct page *page = page_of(pool, number);
    if (slot < 64)
        return &page->seen[number % PAGE_ENTRIES];
    return &page->entries[number % PAGE_ENTRIES]->seen_more[slot / 64 - 1];
}

bool mempool_seen_from(struct mempool *pool, const uint8_t id[32], uint32_t slot)
{
    const uint32_t number = number_of(pool, id);
    if (number == TX_NO_NUMBER || slot >= pool->limits.slots)
        return false;
    const uint64_t bit = UINT64_C(1) << slot % 64;
    uint64_t *seen = seen_word(pool, number, slot);
    const bool before = (*seen & bit) != 0;
    *seen |= bit;
    return before;
}

void mempool_brought_by(struct mempool *pool, const uint8_t id[32], uint32_t slot)
{
    struct entry *entry = entry_find(pool, id);
    if (!entry || entry->blocks > 0 || slot >= pool->limits.slots)
        return;
    if (slot >= pool->owner_count)
        owners_grow(pool, slot);
    source_lose(pool, entry);
    entry->source = slot;
    entry->epoch = pool->epoch;
    source_gain(pool, entry);
}

uint64_t mempool_brought_bytes(const struct mempool *pool, uint32_t slot)
{
    const struct owner *owner = owner_of(pool, slot);
    return owner ? owner->bytes : 0;
}

void mempool_reset_slot(struct mempool *pool, uint32_t slot)
{
    if (slot >= pool->limits.slots || mempool_empty(pool))
        return; /* no entry, nothing to forget */
    if (slot >= pool->owner_count)
        owners_grow(pool, slot);
    pool->owners[slot] = (struct owner){.epoch = ++pool->epoch};
    for (uint32_t at = 0; at < pool->page_count; at++) {
        const uint32_t first = at * PAGE_ENTRIES;
        for (uint32_t number = first; pool->pages[at] && number < first + PAGE_ENTRIES; number++)
            if (entry_at(pool, number))
                *seen_word(pool, number, slot) &= ~(UINT64_C(1) << slot % 64);
    }
}

/* ---- blocks --------------------------------------------------------------------------------- */

static void take(struct mempool *pool, const uint8_t id[32], uint64_t block_time)
{
    struct entry *entry = entry_find(pool, id);
    if (!entry) {
        entry = entry_new(pool, id, (struct vn_slice){0}, block_time);
    } else if (entry->blocks == 0) {
        list_remove(&pool->pooled, entry);
        sender_lose(pool, sender_of(entry));
        source_lose(pool, entry);
    }
    if (entry->blocks++ == 0)
        list_append(&pool->taken, entry);
    while (pool->taken.count > pool->limits.max || pool->taken.bytes > pool->limits.bytes_max)
        entry_drop(pool, pool->taken.first);
}

static void give_back(struct mempool *pool, const uint8_t id[32])
{
    struct entry *entry = entry_find(pool, id);
    if (!entry || entry->blocks == 0)
        return;
    if (entry->blocks > 1) {
        entry->blocks--;
        return;
    }
    if (entry->raw.len == 0) {
        entry_drop(pool, entry);
        return;
    }
    list_remove(&pool->taken, entry);
    entry->blocks = 0;
    list_prepend(&pool->pooled, entry);
    sender_gain(pool, sender_of(entry));
    source_gain(pool, entry);
}

void mempool_connect(struct mempool *pool, const uint8_t *ids, uint64_t count, uint64_t block_time)
{
    for (uint64_t i = 0; i < count; i++)
        take(pool, ids + i * HASH_SIZE, block_time);
}

/* From the last to the first, since each goes to the front. */
void mempool_disconnect(struct mempool *pool, const uint8_t *ids, uint64_t count)
{
    for (uint64_t i = count; i-- > 0;)
        give_back(pool, ids + i * HASH_SIZE);
}

uint32_t mempool_select(const struct mempool *pool, uint8_t *out, uint32_t max)
{
    uint32_t n = 0;
    for (const struct entry *e = pool->pooled.first; e && n < max; e = e->after, n++)
        memcpy(out + (size_t)n * HASH_SIZE, e->id, HASH_SIZE);
    return n;
}

/* ---- age ------------------------------------------------------------------------------------ */

/* The same comparison as T4. */
static bool too_old(uint64_t timestamp, uint64_t now_s)
{
    return add_sat(timestamp, TX_AGE_MAX_S) < now_s;
}

static void list_expire(struct mempool *pool, struct entry_list *list, uint64_t now_s)
{
    struct entry *next;
    for (struct entry *entry = list->first; entry; entry = next) {
        next = entry->after;
        if (too_old(entry->timestamp, now_s))
            entry_drop(pool, entry);
        else if (entry->timestamp < pool->oldest)
            pool->oldest = entry->timestamp;
    }
}

void mempool_expire(struct mempool *pool, uint64_t now_s)
{
    if (!too_old(pool->oldest, now_s))
        return;
    pool->oldest = UINT64_MAX;
    list_expire(pool, &pool->pooled, now_s);
    list_expire(pool, &pool->taken, now_s);
}

bool mempool_at(const struct mempool *pool, uint32_t index, uint8_t id[32], uint32_t *bytes,
                uint64_t *timestamp)
{
    const struct entry *entry = pool->pooled.first;
    while (entry && index-- > 0)
        entry = entry->after;
    if (!entry)
        return false;
    memcpy(id, entry->id, sizeof entry->id);
    *bytes = entry->raw.len;
    *timestamp = entry->timestamp;
    return true;
}

uint32_t mempool_count(const struct mempool *pool)
{
    return pool->pooled.count;
}

bool mempool_empty(const struct mempool *pool)
{
    return pool->known == 0;
}

static size_t pages_bytes(const struct mempool *pool)
{
    return pool->page_count * sizeof *pool->pages + pool->pages_live * sizeof **pool->pages;
}

size_t mempool_bytes(const struct mempool *pool)
{
    return sizeof *pool + idmap_bytes(&pool->by_sender) + pages_bytes(pool) +
           (size_t)pool->owner_count * sizeof *pool->owners +
           (size_t)pool->known * entry_size(pool) +
           (size_t)pool->by_sender.count * sizeof(struct sender);
}

/* ---- audits --------------------------------------------------------------------------------- */

static void entry_audit(const struct mempool *pool, const struct entry *entry, struct audit *audit)
{
    audit_true(audit, "a transaction's place", entry_at(pool, entry->number) == entry);
    audit_true(audit, "the way to a transaction", entry_find(pool, entry->id) == entry);
    audit_true(audit, "a pooled transaction without bytes", entry->blocks > 0 || entry->raw.buf);
    audit_true(audit, "a transaction is older than the oldest", entry->timestamp >= pool->oldest);
}

static uint32_t list_audit(const struct mempool *pool, const struct entry_list *list, bool taken,
                           struct audit *audit)
{
    const struct entry *before = NULL;
    uint32_t count = 0;
    uint64_t bytes = 0;
    for (const struct entry *e = list->first; e && !audit->what; before = e, e = e->after) {
        audit_true(audit, "a transaction and its neighbour", e->before == before);
        audit_equal(audit, "whether blocks took a transaction", e->blocks > 0, taken);
        entry_audit(pool, e, audit);
        count++;
        bytes += e->raw.len;
    }
    audit_true(audit, "the last transaction", list->last == before);
    audit_equal(audit, "transactions in a list", list->count, count);
    audit_equal(audit, "bytes of transactions in a list", list->bytes, bytes);
    return count;
}

static void pages_audit(const struct mempool *pool, struct audit *audit)
{
    uint32_t live = 0;
    for (uint32_t at = 0; at < pool->page_count; at++) {
        const struct page *page = pool->pages[at];
        uint32_t used = 0;
        for (uint32_t i = 0; page && i < PAGE_ENTRIES; i++)
            used += page->entries[i] != NULL;
        live += page != NULL;
        audit_true(audit, "a page of no transactions has memory", !page || used > 0);
        audit_equal(audit, "transactions of a page", page ? page->used : 0, used);
    }
    audit_equal(audit, "pages", pool->pages_live, live);
    audit_true(audit, "pages of no transactions have memory", pool->known > 0 || !pool->pages);
    audit_true(audit, "the transaction found last is gone",
               pool->found == TX_NO_NUMBER || entry_at(pool, pool->found));
}

static void senders_audit(const struct mempool *pool, struct audit *audit)
{
    struct idmap counted; /* senders, like those in by_sender */
    uint32_t count = 0;
    idmap_init(&counted, offsetof(struct sender, id), 0);
    for (const struct entry *e = pool->pooled.first; e; e = e->after) {
        struct sender *sender = idmap_get(&counted, sender_of(e));
        if (!sender) {
            count++;
            sender = mem_new(1, sizeof *sender);
            memcpy(sender->id, sender_of(e), HASH_SIZE);
            idmap_put(&counted, sender);
        }
        sender->pooled++;
    }
    for (const struct entry *e = pool->pooled.first; e; e = e->after) {
        struct sender *sender = idmap_remove(&counted, sender_of(e));
        const struct sender *kept = sender ? idmap_get(&pool->by_sender, sender->id) : NULL;
        if (sender)
            audit_equal(audit, "a sender's pooled transactions", kept ? kept->pooled : 0,
                        sender->pooled);
        mem_free(sender);
    }
    idmap_audit(&pool->by_sender, audit, count);
}

static void owners_audit(const struct mempool *pool, struct audit *audit)
{
    uint64_t *bytes = mem_new(pool->owner_count, sizeof *bytes);
    for (const struct entry *e = pool->pooled.first; e; e = e->after)
        if (source_of(pool, e))
            bytes[e->source] += entry_bytes(pool, e);
    for (uint32_t slot = 0; slot < pool->owner_count; slot++)
        audit_equal(audit, "bytes of the pool that a link brought", pool->owners[slot].bytes,
                    bytes[slot]);
    mem_free(bytes);
}

void mempool_audit(const struct mempool *pool, struct audit *audit)
{
    const uint32_t pooled = list_audit(pool, &pool->pooled, false, audit);
    const uint32_t taken = list_audit(pool, &pool->taken, true, audit);
    audit_equal(audit, "transactions", pool->known, pooled + taken);
    audit_at_most(audit, "transactions that blocks took", taken, pool->limits.max);
    audit_at_most(audit, "bytes of them", pool->taken.bytes, pool->limits.bytes_max);
    pages_audit(pool, audit);
    if (audit->what) /* what follows walks what was just found wrong */
        return;
    senders_audit(pool, audit);
    owners_audit(pool, audit);
}
