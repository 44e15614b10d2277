/* Scripted peers, between their two files: lua_peer.c is what scripts call, lua_peer_link.c what
 * the world tells and how it reaches the script; lua_forge.c has the blocks and transactions that
 * they lie with, lua_behaviour.c the library of what they may do. */
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

/* One link of a scripted peer. Without on_message its messages wait in `in` for receive, unless
 * the script ignores them. */
struct peer_link {
    struct peer_link *next;
    uint64_t id;
    bool up, closed;
    bool lost;   /* more messages came than are kept */
    bool broken; /* a frame was too large: nothing more can be read */
    bool ignored;
    uint32_t why;
    struct framer framer;
    struct peer_queue in, out;
    struct receive_wait *waiter; /* borrowed from its wake */
};

/* What a scripted peer has done and what was done to it. */
struct peer_counts {
    uint64_t dialled, up, closed;
    uint64_t sent, received; /* bytes given to links, bytes that came */
    uint64_t messages[MSG_KINDS], unreadable;
    uint64_t reasons[REASONS]; /* of the Disconnects that came */
};

struct peer_script {
    struct peer_script *next;
    uint32_t host;
    int on_link, on_message, on_bytes, on_close, play; /* references, LUA_NOREF: none */
    struct peer_link *links;                           /* the newest first */
    struct rng rng;                                    /* its own dice */
    struct peer_counts counts;
};

/* The host of the peer at argument 1 of a method that acts. */
struct run *lua_peer_acting(lua_State *L, const char *what, uint32_t *host);

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
/* Its play begins as soon as the script that made it waits. */
void peer_link_play(struct run *run, uint32_t host);

/* lua_forge.c: methods of peers. */
int lua_forge_mine(lua_State *L);
int lua_forge_tx(lua_State *L);
int lua_forge_random(lua_State *L);
int lua_forge_random_bytes(lua_State *L);

/* lua_behaviour.c: if the options at index 2 of net:peer name a behaviour, checks its parameters
 * and puts the functions that play it in their place. */
struct behaviour {
    bool named;
    char name[64];
    char params[400];            /* "count=5 rate=100" */
    const struct group *targets; /* pushed */
};
void lua_behaviour_read(lua_State *L, struct behaviour *out);
/* Logs the decision to play it; false if it is left out. */
bool lua_behaviour_take(struct run *run, uint32_t host, const struct behaviour *b);

#endif
