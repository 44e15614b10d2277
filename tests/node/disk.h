/* A store in memory that does what node.h says of STORE and LOAD: a batch is visible to every later
 * LOAD at once; when STORED and LOADED come is the driver's choice. */
#ifndef NODE_DISK_H
#define NODE_DISK_H

#include "core/node.h"

#define DISK_ROWS_MAX 4096u

struct disk_row {
    uint8_t key[40];
    uint32_t key_len;
    uint64_t number;
    struct vn_buf *value; /* own copy, or NULL */
};

struct disk {
    struct disk_row *blocks; /* blocks[h - 1] is height h */
    uint64_t heights, capacity;
    struct disk_row *addrs, *bans; /* ordered by key */
    uint32_t addr_count, ban_count;
    uint32_t batches;
    uint32_t gaps; /* blocks that came with nothing below them */
};

void disk_deinit(struct disk *disk);

/* Takes over the references of the items' values. */
void disk_store(struct disk *disk, const struct vn_action *action);

/* What a LOAD gives now: count slices, one reference each, to out (room for DISK_ROWS_MAX). */
uint32_t disk_load(const struct disk *disk, const struct vn_action *action, struct vn_slice *out);

#endif
