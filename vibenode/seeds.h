/* Seed peers that are given by name: looked up off the loop (uv_getaddrinfo) at the start, and
 * again, after longer and longer pauses, while no peer is ready. */
#ifndef VIBENODE_SEEDS_H
#define VIBENODE_SEEDS_H

#include "vibenode/config.h"

#include <uv.h>

struct seeds;

/* Called from the loop, never from inside seeds_new. */
struct seeds_hooks {
    void *ctx;
    bool (*ready)(void *ctx); /* a peer is ready: nothing needs to be looked up */
    void (*found)(void *ctx, const char *host, const struct vn_addr *addrs, uint32_t count);
    /* why: the system's words; it is tried again in next_s seconds unless a peer is ready then. */
    void (*failed)(void *ctx, const char *host, const char *why, uint32_t next_s);
};

#define SEEDS_ADDRS_MAX 32u /* of one name; further ones are left out */

/* Takes the names among the seeds; NULL if there are none. */
struct seeds *seeds_new(uv_loop_t *loop, const struct config_seed *seeds, uint32_t count,
                        const struct seeds_hooks *hooks);

/* Calls no hook any more. Look-ups under way cannot be stopped: on_closed comes, and *seeds goes,
 * when the last one has ended. NULL is nothing, and on_closed is not called then. */
void seeds_close(struct seeds *seeds, void (*on_closed)(void *ctx), void *ctx);

#endif
