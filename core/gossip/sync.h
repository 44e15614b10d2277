/* Catching up: from the newest block a peer shows, back to the highest block we share, then up in
 * ranges from several peers at once (PROTOCOL-0.1 section 6).
 *
 *   IDLE -> a peer shows a block that does not connect, or a higher one -> LOCATING: RequestBlock
 * at heights between a common and an uncommon one, doubling steps down, then halving -> FETCHING:
 * the heights above are cut into chunks of at most 100; each ready peer that claims to have one
 * gets one request; chunks are held until all before them are in the chain -> IDLE.
 *
 * Peers of our own branch have all heights that we have, with other blocks than the leader's: so
 * heights up to our own come from the leader alone, and every block must be the child of the one
 * before.
 *
 * Failure modes: a wait that ends gives the chunk back (three times in all per peer, then others
 * only); where everything waits for one chunk of which nothing or a trickle comes, another peer is
 * asked for it as well after SYNC_PATIENCE; a chunk that does not connect is asked of the leader; a
 * leader whose own answers do not connect, or that leaves, ends the run and the next best peer
 * leads a new one. Nothing here is ever a reason to punish but an answer that does not fit its
 * request, or an invalid block. Whoever is on probation leads or helps only where nobody else can.
 */
#ifndef GOSSIP_SYNC_H
#define GOSSIP_SYNC_H

#include "core/chain/chain.h"
#include "core/peer/peer.h"
#include "core/wire/msg.h"

#define SYNC_CHUNKS 8u /* fetched ahead of the chain */
/* As Bitcoin Core's BLOCK_STALLING_TIMEOUT_DEFAULT, but the peer is kept and may still answer. */
#define SYNC_PATIENCE UINT64_C(2000000000) /* ns */
#define SYNC_HELD_MAX 16777216u /* bytes of answers; above it only the next chunk is asked for */

struct gossip;

enum sync_state { SYNC_IDLE, SYNC_LOCATING, SYNC_FETCHING };

enum chunk_state { CHUNK_FREE, CHUNK_WANTED, CHUNK_ASKED, CHUNK_HELD };

struct chunk {
    uint64_t start, end;     /* inclusive */
    uint64_t link;           /* asked of, or held from */
    uint64_t second;         /* asked of this link as well; 0: of none */
    uint64_t asked_ns;       /* when it was asked of the first */
    struct vn_slice payload; /* CHUNK_HELD: the answer, one reference */
    uint32_t offset;         /* of the blocks in the payload */
    uint32_t state;          /* enum chunk_state */
    uint32_t count;          /* blocks held */
    bool leader_only;
    bool skipped; /* nobody to ask in this round */
};

struct fetch {
    struct timer timer; /* SYNC_PATIENCE with the chunk that all wait for is over */
    struct chunk chunks[SYNC_CHUNKS];
};

struct sync {
    uint32_t state;     /* enum sync_state */
    uint32_t relocated; /* times that the leader's chain moved under us */
    uint64_t leader;    /* link */
    uint64_t target;    /* height to reach */
    uint64_t common;    /* LOCATING: known to be shared */
    uint8_t common_hash[32];
    uint64_t uncommon; /* LOCATING: known not to be, or above both chains */
    uint64_t step;
    uint64_t connect;         /* FETCHING: the next height to put into the chain */
    uint8_t connect_hash[32]; /* of the block below it on the leader's chain */
    uint64_t own_top;         /* FETCHING: our height when it began */
    uint64_t assign;          /* the next height that no chunk covers */
    uint64_t held_bytes;
    uint64_t started_at; /* our height then */
    uint64_t started_ns;
    uint64_t gained;     /* blocks connected in this run */
    uint64_t span;       /* blocks to ask for at once: fewer where answers came too late */
    uint64_t helper;     /* link that the last connected chunk came from, if not the leader; or 0 */
    struct fetch *fetch; /* NULL while not fetching */
};

void sync_init(struct sync *sync);
void sync_deinit(struct gossip *g);

/* So far below our tip a block that we do not know is of no use by itself: should its branch ever
 * outweigh ours, somebody will show us a tip of it, and catching up fetches it whole. */
#define SYNC_DEPTH 100u

/* Is it such a block? Nobody's word makes us keep, judge or relay one, nor fetch what leads to it:
 * else the index, of which nothing is forgotten, grows by old branches at the price of their work,
 * which is small where a chain is young (after Bitcoin Core, which takes no headers that lead to
 * less work than its tip's but 144 blocks: net_processing.cpp, GetAntiDoSWorkThreshold). */
bool sync_beneath(const struct gossip *g, const struct block_view *block);

/* A peer showed a block, new or as its newest, and the chain said `result` to it. One that does not
 * connect makes us catch up. */
void sync_shown(struct gossip *g, struct peer *peer, const struct block_view *block,
                enum chain_result result);

void sync_on_block(struct gossip *g, struct peer *peer, const struct block_view *block);
void sync_on_range(struct gossip *g, struct peer *peer, const struct msg *msg,
                   struct vn_slice payload);
void sync_on_timeout(struct gossip *g, struct peer *peer, enum request_kind kind);
void sync_on_gone(struct gossip *g, struct peer *peer);

/* The timer every sync_interval_ns: look for something newer. */
void sync_on_timer(struct gossip *g);

/* Asks for its newest block, if the link is free for it. */
void sync_ask_tip(struct gossip *g, struct peer *peer);

/* Hands out work to idle peers. */
void sync_run(struct gossip *g);

#endif
