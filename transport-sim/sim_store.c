/* See sim_store.h. */
#include "transport-sim/sim_store.h"

#include "core/base/bytes.h"

#include <string.h>

/* Where the key stands in what is loaded of a record. */
#define ADDR_KEY_AT 0u
#define BAN_KEY_AT  8u

/* Takes the reference. A small window on a large buffer is copied, so as not to pin that. */
static struct vn_slice keep(const struct sim_host *host, struct vn_slice value)
{
    if (!value.buf || value.len >= value.buf->len / 2)
        return value;
    struct vn_slice copy = {.buf = host->api->buf_new(value.len), .len = value.len};
    memcpy(copy.buf->data, vn_slice_data(value), value.len);
    vn_slice_unref(value);
    return copy;
}

/* ---- records ---- */

/* What a record begins with; then its `len` bytes as they are loaded, with the key among them. */
struct head {
    uint32_t len, key_len;
};

static uint8_t *record_at(const struct records *records, uint32_t i)
{
    return records->at + (size_t)i * records->width;
}

static struct head record_head(const struct records *records, uint32_t i)
{
    struct head head;
    memcpy(&head, record_at(records, i), sizeof head);
    return head;
}

/* The place of a key, or where it would go; *found tells which. */
static uint32_t record_find(const struct records *records, uint32_t key_at, const uint8_t *key,
                            uint32_t key_len, bool *found)
{
    uint32_t low = 0;
    uint32_t high = records->count;
    *found = false;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const uint32_t len = record_head(records, middle).key_len;
        const uint8_t *other = record_at(records, middle) + sizeof(struct head) + key_at;
        int order = memcmp(other, key, len < key_len ? len : key_len);
        if (order == 0 && len == key_len) {
            *found = true;
            return middle;
        }
        if (order < 0 || (order == 0 && len < key_len))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Makes room in each record for so many bytes. All are as wide as the widest: those of one core
 * differ little. */
static void records_widen(struct sim *sim, struct records *records, size_t len)
{
    const size_t before = records->width, after = sizeof(struct head) + len;
    if (before >= after)
        return;
    uint8_t *wide = sim_resize(sim, NULL, 0, records->capacity * after);
    for (uint32_t i = 0; i < records->count; i++)
        memcpy(wide + i * after, record_at(records, i), before);
    mem_free(records->at);
    sim->stats.memory -= records->capacity * before;
    records->at = wide;
    records->width = (uint32_t)after;
}

static void record_remove(struct records *records, const struct vn_store_item *item,
                          uint32_t key_at)
{
    bool found;
    uint32_t i = record_find(records, key_at, item->key, item->key_len, &found);
    if (!found)
        return;
    records->count--;
    memmove(record_at(records, i), record_at(records, i + 1),
            (size_t)(records->count - i) * records->width);
}

/* The record of `len` bytes for an item's key, new or to be written over: where those bytes go. The
 * caller writes the key at key_at. */
static uint8_t *record_put(struct sim *sim, struct records *records,
                           const struct vn_store_item *item, uint32_t key_at, uint32_t len)
{
    bool found;
    records_widen(sim, records, len);
    uint32_t i = record_find(records, key_at, item->key, item->key_len, &found);
    if (!found) {
        records->at =
            sim_room(sim, records->at, records->count, &records->capacity, records->width);
        memmove(record_at(records, i + 1), record_at(records, i),
                (size_t)(records->count - i) * records->width);
        records->count++;
    }
    const struct head head = {len, item->key_len};
    memcpy(record_at(records, i), &head, sizeof head);
    return record_at(records, i) + sizeof head;
}

static void bytes_of(uint8_t *to, struct vn_slice value)
{
    if (value.len > 0)
        memcpy(to, vn_slice_data(value), value.len);
}

/* A ban is loaded as its end, its key, its value; without an end it is lifted. */
static void ban_apply(struct sim *sim, struct records *bans, const struct vn_store_item *item)
{
    if (item->number == 0) {
        record_remove(bans, item, BAN_KEY_AT);
        return;
    }
    uint8_t *at = record_put(sim, bans, item, BAN_KEY_AT, 8 + item->key_len + item->value.len);
    put_be64(at, item->number);
    memcpy(at + BAN_KEY_AT, item->key, item->key_len);
    bytes_of(at + BAN_KEY_AT + item->key_len, item->value);
}

/* An address is loaded as its key, then its value; without a value it is forgotten. */
static void addr_apply(struct sim *sim, struct records *addrs, const struct vn_store_item *item)
{
    if (item->value.len == 0) {
        record_remove(addrs, item, ADDR_KEY_AT);
        return;
    }
    uint8_t *at = record_put(sim, addrs, item, ADDR_KEY_AT, item->key_len + item->value.len);
    memcpy(at, item->key, item->key_len);
    bytes_of(at + item->key_len, item->value);
}

/* ---- batches ---- */

static void blocks_cut(struct sim_store *store, uint32_t count)
{
    while (store->block_count > count)
        vn_slice_unref(store->blocks[--store->block_count]);
}

static void block_put(struct sim *sim, struct sim_store *store, uint64_t height,
                      struct vn_slice value)
{
    if (store->block_count == 0 || height < store->first_height) {
        blocks_cut(store, 0);
        store->first_height = height;
    }
    blocks_cut(store, (uint32_t)(height - store->first_height));
    store->blocks = sim_room(sim, store->blocks, store->block_count, &store->block_capacity,
                             sizeof *store->blocks);
    store->blocks[store->block_count++] = value;
}

/* A batch that makes no sense is refused whole: a gap between blocks, a key too long. */
static bool batch_check(const struct sim_store *store, const struct vn_store_item *items,
                        uint32_t count)
{
    bool any = store->block_count > 0;
    uint64_t end = store->first_height + store->block_count;
    for (uint32_t i = 0; i < count; i++) {
        const struct vn_store_item *item = &items[i];
        if (item->key_len > sizeof item->key || item->op < VN_STORE_BLOCK ||
            item->op > VN_STORE_BAN)
            return false;
        if (item->op != VN_STORE_BLOCK)
            continue;
        if ((any && item->number > end) || item->number == UINT64_MAX || item->value.len == 0)
            return false;
        any = true;
        end = item->number + 1;
    }
    return true;
}

static void record_apply(struct sim *sim, struct sim_store *store, const struct vn_store_item *item)
{
    if (item->op == VN_STORE_BAN)
        ban_apply(sim, &store->bans, item);
    else
        addr_apply(sim, &store->addrs, item);
}

uint32_t store_apply(struct sim *sim, const struct sim_host *host, struct sim_store *store,
                     struct vn_store_item *items, uint32_t count)
{
    if (!batch_check(store, items, count))
        return VN_ERR_ARGUMENT;
    for (uint32_t i = 0; i < count; i++) {
        struct vn_store_item *item = &items[i];
        if (item->op != VN_STORE_BLOCK) {
            record_apply(sim, store, item);
            continue;
        }
        block_put(sim, store, item->number, keep(host, item->value));
        item->value = (struct vn_slice){0};
    }
    return VN_OK;
}

void store_tear(struct sim *sim, const struct sim_host *host, struct sim_store *store,
                struct vn_store_item *items, uint32_t count)
{
    if (!batch_check(store, items, count))
        return;
    for (uint32_t i = 0; i < count; i++) {
        struct vn_store_item *item = &items[i];
        if (item->op != VN_STORE_BLOCK) {
            record_apply(sim, store, item);
            continue;
        }
        uint64_t at = item->number - store->first_height;
        bool over = item->number >= store->first_height && at < store->block_count;
        struct vn_slice value = keep(host, item->value);
        item->value = (struct vn_slice){0};
        if (over) {
            vn_slice_unref(store->blocks[at]);
            store->blocks[at] = value;
        } else {
            block_put(sim, store, item->number, value);
        }
    }
}

/* ---- loading ---- */

size_t store_most(const struct sim_store *store)
{
    return (size_t)store->block_count + store->addrs.count + store->bans.count;
}

static struct vn_slice record_value(const struct sim_host *host, const struct records *records,
                                    uint32_t i)
{
    const struct head head = record_head(records, i);
    struct vn_slice value = {.buf = host->api->buf_new(head.len), .len = head.len};
    memcpy(value.buf->data, record_at(records, i) + sizeof head, head.len);
    return value;
}

uint32_t store_collect(const struct sim_host *host, const struct sim_store *store, uint32_t op,
                       uint64_t from, uint64_t to, uint64_t max_bytes, struct vn_slice *slices)
{
    const struct records *records = op == VN_LOAD_ADDRS ? &store->addrs : &store->bans;
    bool blocks = op == VN_LOAD_BLOCKS;
    uint64_t at = from;
    uint64_t end = records->count;
    uint64_t sum = 0;
    uint32_t count = 0;
    if (blocks) {
        if (from < store->first_height || to < from)
            return 0;
        at -= store->first_height;
        end = to - store->first_height;
        end = end < store->block_count ? end + 1 : store->block_count;
    }
    for (; at < end; at++) {
        const uint32_t i = (uint32_t)at;
        const uint32_t len = blocks ? store->blocks[i].len : record_head(records, i).len;
        if (count > 0 && len > max_bytes - sum)
            break;
        slices[count++] = blocks ? vn_slice_ref(store->blocks[i]) : record_value(host, records, i);
        sum += len;
        if (sum >= max_bytes)
            break;
    }
    return count;
}

/* ---- whole stores ---- */

static void records_clear(struct sim *sim, struct records *records)
{
    sim->stats.memory -= (size_t)records->capacity * records->width;
    mem_free(records->at);
}

void store_clear(struct sim *sim, struct sim_store *store)
{
    blocks_cut(store, 0);
    sim->stats.memory -= store->block_capacity * sizeof *store->blocks;
    mem_free(store->blocks);
    records_clear(sim, &store->addrs);
    records_clear(sim, &store->bans);
    *store = (struct sim_store){0};
}

static void records_copy(struct sim *sim, struct records *to, const struct records *from)
{
    if (from->count == 0)
        return;
    const size_t bytes = (size_t)from->count * from->width;
    *to = (struct records){.count = from->count, .capacity = from->count, .width = from->width};
    to->at = sim_resize(sim, NULL, 0, bytes);
    memcpy(to->at, from->at, bytes);
}

void store_copy(struct sim *sim, struct sim_store *to, const struct sim_store *from)
{
    to->first_height = from->first_height;
    to->block_count = to->block_capacity = from->block_count;
    if (from->block_count > 0)
        to->blocks = sim_resize(sim, NULL, 0, from->block_count * sizeof *to->blocks);
    for (uint32_t i = 0; i < from->block_count; i++)
        to->blocks[i] = vn_slice_ref(from->blocks[i]);
    records_copy(sim, &to->addrs, &from->addrs);
    records_copy(sim, &to->bans, &from->bans);
}
