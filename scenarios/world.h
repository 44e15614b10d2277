/* A world that scenarios run in: a small table of functions, so that the same Lua file can run on
 * the simulated network (world_sim.c) and on real sockets (world_tcp.c). What a world cannot do has
 * a NULL entry: the engine answers with a skip and its reason, never with a silent pass.
 *
 * Hosts, nodes and scripted peers alike, are numbered from 0 in the order in which they are added.
 */
#ifndef SCENARIOS_WORLD_H
#define SCENARIOS_WORLD_H

#include "core/node.h"
#include "transport-sim/sim.h"

#include <stddef.h>

struct world_stats {
    uint64_t events, messages, bytes;
    uint64_t links;
    size_t memory;
};

struct world {
    const char *name; /* "sim", "tcp" */
    void *self;
    uint64_t (*now_ns)(void *self);
    /* Returns early when it was asked to stop; a world in real time may at other times, too. */
    void (*run_until)(void *self, uint64_t t_ns);
    /* The most that it ever came back too late. NULL: it never does. */
    uint64_t (*late_ns)(void *self);
    void (*stop)(void *self);
    /* Whether each change must be told as it happens, and not a little later. NULL: it always is.
     */
    void (*exact)(void *self, bool on);
    /* Lets the observer hear these traces too, of hosts that are started from now on at least. */
    void (*trace_more)(void *self, uint64_t mask);
    uint32_t (*spawn)(void *self, const struct vn_config *config,
                      const struct sim_host_params *params, char *why, size_t size);
    void (*kill)(void *self, uint32_t host);
    void (*power_off)(void *self, uint32_t host);
    void (*start)(void *self, uint32_t host, bool lose_disk);
    /* As sim_host_core. NULL: a node keeps its build of the core. */
    bool (*core)(void *self, uint32_t host, const struct vn_api *api, const char *version,
                 char *why, size_t size);
    bool (*alive)(void *self, uint32_t host);
    /* As sim_host_pause and its like; false, and nothing changed, where it makes no sense. */
    bool (*pause)(void *self, uint32_t host);
    bool (*resume)(void *self, uint32_t host);
    bool (*paused)(void *self, uint32_t host);
    bool (*clock)(void *self, uint32_t host, const struct sim_clock *clock);
    bool (*disk)(void *self, uint32_t host, const struct sim_disk_faults *faults);
    /* What of it the world cannot do, in words ("tear ..."), or NULL. NULL: it can all. */
    const char *(*disk_cannot)(void *self, const struct sim_disk_faults *faults);
    uint64_t (*command)(void *self, uint32_t host, const struct vn_command *command);

    /* To look into a node, as vn_node_info and its like; false while it is dead or has no node. */
    bool (*info)(void *self, uint32_t host, struct vn_info *out);
    bool (*peer)(void *self, uint32_t host, uint32_t index, struct vn_peer_info *out);
    bool (*block_hash)(void *self, uint32_t host, uint64_t height, uint8_t hash[32]);
    uint32_t (*has_tx)(void *self, uint32_t host, const uint8_t id[32]);
    /* As vn_node_audit, true where there is no node. NULL: it cannot look. */
    bool (*audit)(void *self, uint32_t host, struct vn_audit *out);

    struct vn_addr (*addr)(void *self, uint32_t host); /* of numbers to come, too */
    uint32_t (*host_of)(void *self, const struct vn_addr *addr);
    /* False, and nothing changed: no such links, or too many different ones. */
    bool (*links_default)(void *self, const struct sim_link_params *params);
    bool (*links_between)(void *self, const uint32_t *a, uint32_t na, const uint32_t *b,
                          uint32_t nb, const struct sim_link_params *params);
    /* Regions 1..SIM_REGIONS_MAX; a host's is in its sim_host_params. */
    bool (*links_regions)(void *self, uint32_t a, uint32_t b, const struct sim_link_params *params);
    /* b NULL: all others. 0: the times make no sense. */
    uint32_t (*cut)(void *self, const uint32_t *a, uint32_t na, const uint32_t *b, uint32_t nb,
                    const struct sim_cut_params *params);
    void (*heal)(void *self, uint32_t cut);
    /* 0: no such links, or too many different ones. */
    uint32_t (*degrade)(void *self, const uint32_t *a, uint32_t na, const uint32_t *b, uint32_t nb,
                        const struct sim_degrade *degrade);
    void (*restore)(void *self, uint32_t degrade);
    uint32_t (*reset_links)(void *self, uint32_t a, uint32_t b);
    uint32_t (*half_open)(void *self, uint32_t a, uint32_t b);
    uint32_t (*forget_links)(void *self, uint32_t a, uint32_t b);
    /* Whether one of the two has ever received changed bytes from the other. */
    bool (*mangled)(void *self, uint32_t a, uint32_t b);
    uint32_t (*peer_add)(void *self, const struct sim_peer_ops *ops,
                         const struct sim_host_params *params);
    uint64_t (*peer_dial)(void *self, uint32_t host, const struct vn_addr *remote);
    bool (*peer_send)(void *self, uint32_t host, uint64_t link, struct vn_slice data);
    bool (*peer_close)(void *self, uint32_t host, uint64_t link);
    bool (*peer_read)(void *self, uint32_t host, uint64_t link, bool on);
    void (*stats)(void *self, struct world_stats *out);
    uint64_t (*trace_hash)(void *self);
    /* As sim_hash_marks. NULL: this world repeats nothing. */
    uint32_t (*marks)(void *self, struct sim_hash_mark *out);
    void (*free)(void *self);
};

/* For `audit`: what a node's build says of it; one that knows no audits has no complaints. */
static inline bool world_audit(const struct vn_api *api, const struct vn_node *node,
                               struct vn_audit *out)
{
    const size_t needed = offsetof(struct vn_api, node_audit) + sizeof api->node_audit;
    *out = (struct vn_audit){.size = sizeof *out};
    return api->size < needed || !api->node_audit || api->node_audit(node, out);
}

/* The simulated world. Only the seed and the observer of config need be set by the caller after
 * sim_config_init. */
void world_sim_init(struct world *world, const struct sim_config *config);

/* The world of real sockets, `speed` (1..1000) of its seconds in a real one. What cannot be imposed
 * on real sockets is imposed between them and the nodes; see world_tcp_shape.c for how exactly.
 * False with a line in why. */
bool world_tcp_init(struct world *world, const struct sim_config *config, uint32_t speed, char *why,
                    size_t size);

#endif
