/* What a disk holds: the best chain's blocks by height, and records by key. Copies share the
 * blocks, so that a state of before can be kept and come back. */
#ifndef SIM_STORE_H
#define SIM_STORE_H

#include "transport-sim/sim_internal.h"

/* Small values with their keys, `width` bytes apart, in the order of the keys. There are as many as
 * a node knows addresses, so they are bytes and not buffers. */
struct records {
    uint8_t *at;
    uint32_t count, capacity;
    uint32_t width;
};

/* All zero is empty. */
struct sim_store {
    uint64_t first_height;
    struct vn_slice *blocks;
    uint32_t block_count, block_capacity;
    struct records addrs, bans;
};

void store_clear(struct sim *sim, struct sim_store *store);
/* `to` is empty. */
void store_copy(struct sim *sim, struct sim_store *to, const struct sim_store *from);

/* Carries out a batch, whole (VN_OK) or, if it makes no sense, not at all (VN_ERR_ARGUMENT). Takes
 * the references of the values that it keeps out of the items. */
uint32_t store_apply(struct sim *sim, const struct sim_host *host, struct sim_store *store,
                     struct vn_store_item *items, uint32_t count);

/* Carries out the first `count` items as a store without a journal would: each block is written
 * over what was at its height, and what was above stays. */
void store_tear(struct sim *sim, const struct sim_host *host, struct sim_store *store,
                struct vn_store_item *items, uint32_t count);

/* The most slices that a load can give. */
size_t store_most(const struct sim_store *store);
/* Fills slices (room for store_most) with stored values, a reference each, as many as fit; returns
 * how many. */
uint32_t store_collect(const struct sim_host *host, const struct sim_store *store, uint32_t op,
                       uint64_t from, uint64_t to, uint64_t max_bytes, struct vn_slice *slices);

#endif
