/* See disk.h. */
#include "tests/node/disk.h"

#include "core/base/bytes.h"
#include "core/base/mem.h"

#include <assert.h>

static void row_clear(struct disk_row *row)
{
    vn_buf_unref(row->value);
    *row = (struct disk_row){0};
}

void disk_deinit(struct disk *disk)
{
    for (uint64_t i = 0; i < disk->heights; i++)
        row_clear(&disk->blocks[i]);
    for (uint32_t i = 0; i < disk->addr_count; i++)
        row_clear(&disk->addrs[i]);
    for (uint32_t i = 0; i < disk->ban_count; i++)
        row_clear(&disk->bans[i]);
    mem_free(disk->blocks);
    mem_free(disk->addrs);
    mem_free(disk->bans);
    *disk = (struct disk){0};
}

static struct disk_row row_of(const struct vn_store_item *item)
{
    struct disk_row row = {.key_len = item->key_len, .number = item->number};
    memcpy(row.key, item->key, item->key_len);
    if (item->value.len > 0) {
        row.value = vn_buf_new(item->value.len);
        memcpy(row.value->data, vn_slice_data(item->value), item->value.len);
    }
    return row;
}

static void put_block(struct disk *disk, const struct vn_store_item *item)
{
    uint64_t height = item->number;
    assert(height >= 1);
    while (disk->heights >= height)
        row_clear(&disk->blocks[--disk->heights]);
    if (disk->heights + 1 < height) {
        disk->gaps++;
        return;
    }
    if (disk->heights == disk->capacity) {
        disk->capacity = disk->capacity ? disk->capacity * 2 : 64;
        disk->blocks = mem_resize(disk->blocks, disk->capacity, sizeof *disk->blocks);
    }
    disk->blocks[disk->heights++] = row_of(item);
}

static void put_row(struct disk_row **rows, uint32_t *count, const struct vn_store_item *item,
                    bool drop)
{
    if (!*rows)
        *rows = mem_new(DISK_ROWS_MAX, sizeof **rows);
    uint32_t at = 0;
    int order = 1;
    while (at < *count) {
        order = memcmp((*rows)[at].key, item->key, sizeof item->key);
        if (order >= 0)
            break;
        at++;
    }
    if (at < *count && order == 0) {
        row_clear(&(*rows)[at]);
        memmove(*rows + at, *rows + at + 1, (--*count - at) * sizeof **rows);
    }
    if (drop)
        return;
    assert(*count < DISK_ROWS_MAX);
    memmove(*rows + at + 1, *rows + at, (*count - at) * sizeof **rows);
    (*rows)[at] = row_of(item);
    ++*count;
}

void disk_store(struct disk *disk, const struct vn_action *action)
{
    disk->batches++;
    for (uint32_t i = 0; i < action->u.store.count; i++) {
        const struct vn_store_item *item = &action->u.store.items[i];
        switch ((enum vn_store_op)item->op) {
        case VN_STORE_BLOCK:
            put_block(disk, item);
            break;
        case VN_STORE_ADDR:
            put_row(&disk->addrs, &disk->addr_count, item, item->value.len == 0);
            break;
        case VN_STORE_BAN:
            put_row(&disk->bans, &disk->ban_count, item, item->number == 0);
            break;
        }
        vn_slice_unref(item->value);
    }
}

static struct vn_slice joined(const void *a, uint32_t a_len, const void *b, uint32_t b_len)
{
    struct vn_buf *buf = vn_buf_new(a_len + b_len);
    memcpy(buf->data, a, a_len);
    memcpy(buf->data + a_len, b, b_len);
    return (struct vn_slice){buf, 0, buf->len};
}

uint32_t disk_load(const struct disk *disk, const struct vn_action *action, struct vn_slice *out)
{
    uint32_t count = 0;
    uint64_t from = action->u.load.from, sum = 0;
    switch ((enum vn_load_op)action->u.load.op) {
    case VN_LOAD_BLOCKS:
        assert(from >= 1); /* the genesis is no business of a store */
        for (uint64_t h = from; h <= action->u.load.to && h <= disk->heights; h++) {
            struct vn_buf *value = disk->blocks[h - 1].value;
            sum += value->len;
            if ((count > 0 && sum > action->u.load.max_bytes) || count == DISK_ROWS_MAX)
                break;
            out[count++] = (struct vn_slice){vn_buf_ref(value), 0, value->len};
        }
        break;
    case VN_LOAD_ADDRS:
        for (uint64_t i = from; i < disk->addr_count; i++) {
            const struct disk_row *row = &disk->addrs[i];
            out[count++] = joined(row->key, row->key_len, row->value->data, row->value->len);
        }
        break;
    case VN_LOAD_BANS:
        for (uint64_t i = from; i < disk->ban_count; i++) {
            const struct disk_row *row = &disk->bans[i];
            uint8_t head[8 + sizeof row->key];
            put_be64(head, row->number);
            memcpy(head + 8, row->key, row->key_len);
            out[count++] = joined(head, 8 + row->key_len, row->value->data, row->value->len);
        }
        break;
    }
    return count;
}
