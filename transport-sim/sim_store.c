/* See sim_store.h. */
#include "transport-sim/sim_store.h"

#include "core/base/bytes.h"

#include <string.h>

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

/* The place of a key, or where it would go; *found tells which. */
static uint32_t record_find(const struct records *records, const uint8_t *key, uint32_t key_len,
                            bool *found)
{
    uint32_t low = 0;
    uint32_t high = records->count;
    *found = false;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct record *record = &records->at[middle];
        uint32_t common = record->key_len < key_len ? record->key_len : key_len;
        int order = memcmp(record->key, key, common);
        if (order == 0 && record->key_len == key_len) {
            *found = true;
            return middle;
        }
        if (order < 0 || (order == 0 && record->key_len < key_len))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* An empty value deletes. */
static void record_put(struct sim *sim, struct records *records, const struct vn_store_item *item,
                       struct vn_slice value)
{
    bool found;
    uint32_t i = record_find(records, item->key, item->key_len, &found);
    size_t after = (records->count - i) * sizeof *records->at;
    if (found) {
        vn_slice_unref(records->at[i].value);
        records->at[i].value = value;
        if (value.len > 0)
            return;
        memmove(&records->at[i], &records->at[i + 1], after - sizeof *records->at);
        records->count--;
    } else if (value.len > 0) {
        records->at =
            sim_room(sim, records->at, records->count, &records->capacity, sizeof *records->at);
        memmove(&records->at[i + 1], &records->at[i], after);
        records->at[i] = (struct record){.key_len = item->key_len, .value = value};
        memcpy(records->at[i].key, item->key, item->key_len);
        records->count++;
    }
}

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

static struct vn_slice ban_record(const struct sim_host *host, const struct vn_store_item *item)
{
    struct vn_slice record = {.len = 8 + item->key_len + item->value.len};
    if (item->number == 0)
        return (struct vn_slice){0};
    record.buf = host->api->buf_new(record.len);
    put_be64(record.buf->data, item->number);
    memcpy(record.buf->data + 8, item->key, item->key_len);
    if (item->value.len > 0)
        memcpy(record.buf->data + 8 + item->key_len, vn_slice_data(item->value), item->value.len);
    return record;
}

/* An address is loaded as its key, then its value. */
static struct vn_slice addr_record(const struct sim_host *host, const struct vn_store_item *item)
{
    struct vn_slice record = {.len = item->key_len + item->value.len};
    if (item->value.len == 0)
        return (struct vn_slice){0};
    record.buf = host->api->buf_new(record.len);
    memcpy(record.buf->data, item->key, item->key_len);
    memcpy(record.buf->data + item->key_len, vn_slice_data(item->value), item->value.len);
    return record;
}

static void record_apply(struct sim *sim, const struct sim_host *host, struct sim_store *store,
                         const struct vn_store_item *item)
{
    if (item->op == VN_STORE_BAN)
        record_put(sim, &store->bans, item, ban_record(host, item));
    else
        record_put(sim, &store->addrs, item, addr_record(host, item));
}

uint32_t store_apply(struct sim *sim, const struct sim_host *host, struct sim_store *store,
                     struct vn_store_item *items, uint32_t count)
{
    if (!batch_check(store, items, count))
        return VN_ERR_ARGUMENT;
    for (uint32_t i = 0; i < count; i++) {
        struct vn_store_item *item = &items[i];
        if (item->op != VN_STORE_BLOCK) {
            record_apply(sim, host, store, item);
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
            record_apply(sim, host, store, item);
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

uint32_t store_collect(const struct sim_store *store, uint32_t op, uint64_t from, uint64_t to,
                       uint64_t max_bytes, struct vn_slice *slices)
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
        struct vn_slice value = blocks ? store->blocks[at] : records->at[at].value;
        if (count > 0 && value.len > max_bytes - sum)
            break;
        slices[count++] = value;
        sum += value.len;
        if (sum >= max_bytes)
            break;
    }
    return count;
}

/* ---- whole stores ---- */

static void records_clear(struct sim *sim, struct records *records)
{
    for (uint32_t i = 0; i < records->count; i++)
        vn_slice_unref(records->at[i].value);
    sim->stats.memory -= records->capacity * sizeof *records->at;
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
    to->count = to->capacity = from->count;
    to->at = sim_resize(sim, NULL, 0, from->count * sizeof *to->at);
    for (uint32_t i = 0; i < from->count; i++) {
        to->at[i] = from->at[i];
        vn_slice_ref(to->at[i].value);
    }
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
