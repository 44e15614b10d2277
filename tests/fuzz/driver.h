/* A driver that believes nothing: it performs a node's actions on a table of links and a small
 * disk, and holds the node to every promise of core/node.h.
 *
 * Beside the node run shadows that share their records with each other: they get the same events,
 * and must hash as the node does, so that neither a cache nor memory can reach behaviour. */
#ifndef FUZZ_DRIVER_H
#define FUZZ_DRIVER_H

#include "core/wire/frame.h"
#include "core/wire/msg.h"
#include "tests/fuzz/forge.h"

#define DRIVER_LINKS  512u
#define DRIVER_TOKENS 256u
#define DRIVER_BLOCKS 256u /* heights that the disk knows */
#define DRIVER_NODES  3u
#define DRIVER_ASKED  4u

struct driver_asked {
    bool range;
    uint64_t start, end;
};

struct driver_link {
    uint64_t id;
    bool up, closed, down, read_stopped;
    uint32_t window;                         /* left */
    uint64_t to_refund;                      /* sent and not refunded */
    struct framer framer;                    /* what the node sent */
    bool spoke;                              /* a message of the node was seen */
    struct driver_asked asked[DRIVER_ASKED]; /* its requests, oldest first; more are forgotten */
    uint32_t asked_count;
};

struct driver_load {
    uint64_t token, from, to, max_bytes;
    uint32_t op;
};

struct driver {
    struct vn_shared *shared;
    struct vn_node *nodes[DRIVER_NODES];
    uint64_t now_ns;
    struct driver_link links[DRIVER_LINKS];
    uint32_t link_count;
    uint64_t last_dialled, next_accepted;
    struct driver_load loads[DRIVER_TOKENS];
    uint32_t load_count;
    uint64_t stores[DRIVER_TOKENS]; /* tokens of STOREs in flight */
    uint32_t store_count;
    uint64_t next_command, replies;
    uint64_t heard;                      /* traces */
    struct vn_slice disk[DRIVER_BLOCKS]; /* by height; a reference each */
};

void driver_init(struct driver *d, const struct vn_config *config);

/* Ends every link, frees the nodes and looks for what they kept. */
void driver_deinit(struct driver *d);

/* True while there is room in the tables for more of what an event may cause. */
bool driver_room(const struct driver *d);

/* Gives the event to all nodes at now_ns. */
void driver_step(struct driver *d, struct vn_event *event);
/* The same at another time: of a driver whose clock went back. */
void driver_step_at(struct driver *d, struct vn_event *event, uint64_t now_ns);
/* Performs what the nodes want, and compares them. */
void driver_drain(struct driver *d);

/* Events that the driver has to account for. */
void driver_accept(struct driver *d, uint32_t window);
void driver_dialled_up(struct driver *d, struct driver_link *link, uint32_t window);
void driver_down(struct driver *d, struct driver_link *link, enum vn_why why);
void driver_bytes(struct driver *d, const struct driver_link *link, struct vn_slice data);
void driver_refund(struct driver *d, struct driver_link *link, uint64_t bytes);
void driver_stored(struct driver *d, enum vn_status status);
/* What a disk can do to an answer. */
enum driver_lie {
    LIE_NONE,
    LIE_ORDER,   /* backwards */
    LIE_TWICE,   /* the first in place of all */
    LIE_FOREIGN, /* one is something else */
    LIE_TORN,    /* one ends too early */
    LIE_BYTE,    /* one byte of one differs */
    LIES
};

/* Answers the oldest LOAD with at most `most` blocks of the disk; `at` chooses which slice and byte
 * the lie is about, `foreign` is borrowed. For addresses and bans only LIE_FOREIGN answers
 * anything. */
void driver_loaded(struct driver *d, enum vn_status status, uint32_t most, enum driver_lie lie,
                   uint16_t at, struct vn_slice foreign);
void driver_command(struct driver *d, const struct vn_command *command);

#endif
