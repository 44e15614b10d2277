/* Bodies of a run of heights that no disk is known to have: held so that a batch that failed can be
 * written again, and a branch that wins can be written whole, whatever has left the chain's memory
 * meanwhile. A body that the chain has too is one buffer with it. */
#ifndef GOSSIP_UNSTORED_H
#define GOSSIP_UNSTORED_H

#include "core/base/audit.h"
#include "core/node.h"

/* All zero is empty. Holds one reference of each body. */
struct unstored {
    uint64_t first; /* height of bodies[0] */
    struct vn_slice *bodies;
    uint32_t count, capacity;
    uint64_t bytes; /* of all bodies */
};

/* Lets go of all. */
void unstored_clear(struct unstored *u);
/* Lets go of `height` and above: another branch takes its place. */
void unstored_cut(struct unstored *u, uint64_t height);
/* Lets go of everything below `height`: it is durable. */
void unstored_release(struct unstored *u, uint64_t height);

/* The first height above all that is held; 0 when nothing is. */
static inline uint64_t unstored_end(const struct unstored *u)
{
    return u->count > 0 ? u->first + u->count : 0;
}

/* Takes over the body's reference. `height` is unstored_end, or any where nothing is held. */
void unstored_push(struct unstored *u, uint64_t height, struct vn_slice body);

/* Borrowed; an empty slice where it is not held. */
struct vn_slice unstored_at(const struct unstored *u, uint64_t height);

/* See core/base/audit.h. */
void unstored_audit(const struct unstored *u, struct audit *audit);

#endif
