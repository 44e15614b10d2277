/* Scripted peers, between their two files: lua_peer.c is what scripts call, lua_peer_link.c what
 * the world tells and how it reaches the script. */
#ifndef SCENARIOS_LUA_PEER_H
#define SCENARIOS_LUA_PEER_H

#include "core/wire/frame.h"
#include "scenarios/run.h"

/* A buffer that waits: a message not yet received by the script, or one to be sent once the link is
 * up. */
struct peer_item {
    struct peer_item *next;
    struct vn_slice data; /* owned; of a message its payload */
    bool unreadable;      /* the bytes are no frame: nothing can be read any more */
};

struct peer_queue {
    struct peer_item *head, *tail;
    uint32_t count;
    uint64_t bytes;
};

/* One link of a scripted peer. Without on_message its messages wait in `in` for receive. */
struct peer_link {
    struct peer_link *next;
    uint64_t id;
    bool up, closed;
    bool lost;   /* more messages came than are kept */
    bool broken; /* a frame was too large: nothing more can be read */
    uint32_t why;
    struct framer framer;
    struct peer_queue in, out;
    struct receive_wait *waiter; /* borrowed from its wake */
};

struct peer_script {
    struct peer_script *next;
    uint32_t host;
    int on_link, on_message, on_bytes, on_close; /* references, LUA_NOREF: none */
    struct peer_link *links;                     /* the newest first */
};

struct peer_script *peer_script_of(struct run *run, uint32_t host);
/* The link with that id; NULL if it was never made or is over and was read to its end. */
struct peer_link *peer_link_find(struct peer_script *s, uint64_t id);
struct peer_link *peer_link_add(struct peer_script *s, uint64_t id);
void peer_link_free(struct peer_script *s, struct peer_link *link);
/* Takes the reference. */
void peer_queue_put(struct peer_queue *queue, struct vn_slice data, bool unreadable);
/* Forgets the first and drops its reference. */
void peer_queue_pop(struct peer_queue *queue);
/* What a new host of the world calls. */
struct sim_peer_ops peer_link_ops(struct run *run);

#endif
