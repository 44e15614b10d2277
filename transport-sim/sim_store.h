/* What a disk holds: the best chain's blocks by height, and records by key. Copies share the
 * values, so that a state of before can be kept and come back. */
#ifndef SIM_STORE_H
#define SIM_STORE_H

#include "transport-sim/sim_internal.h"

struct record {
    uint8_t key[40];
    uint32_t key_len;
    struct vn_slice value;
};

/* Records in the order of their keys. */
struct records {
    struct record *at;
    uint32_t count, capacity;
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
/* Fills slices (room for store_most) with stored values, borrowed, as many as fit; returns how
 * many. */
uint32_t store_collect(const struct sim_store *store, uint32_t op, uint64_t from, uint64_t to,
                       uint64_t max_bytes, struct vn_slice *slices);

#endif
