/* Where peers and the chain meet: what each message means to the node, catching up, mining,
 * storing.
 *
 * Data enters by router_dispatch, message by message, and by gossip_* for what is no message (a
 * link became ready, ended, timed out; a timer; a disk's answer; a command). It leaves through
 * net.h. */
#ifndef GOSSIP_GOSSIP_H
#define GOSSIP_GOSSIP_H

#include "core/chain/chain.h"
#include "core/chain/mempool.h"
#include "core/gossip/seen.h"
#include "core/gossip/sync.h"
#include "core/gossip/unstored.h"
#include "core/peer/net.h"

#define STORES_MAX 4u /* STORE batches in flight */

/* A STORE under way. */
struct store_batch {
    uint64_t token;
    uint64_t from; /* the lowest height in it, or VN_NEVER */
};

struct gossip {
    struct net *net;
    struct chain *chain;
    struct mempool *pool;
    struct seen heard;  /* which link sent us which recent block */
    struct seen told;   /* which link we sent which recent block */
    uint8_t (*own)[32]; /* ids of transactions submitted here; see own.h */
    uint32_t own_count, own_capacity;
    struct sync sync;
    struct rng mine_rng, sync_rng;
    struct timer mine_timer, sync_timer, expire_timer, store_timer;
    uint64_t mine_interval_ns;
    uint64_t mine_nonce; /* where an unfinished search goes on; meaningful while mine_busy */
    bool mine_busy;
    uint8_t state_root[32]; /* of the blocks mined here */
    /* Persistence: heights from store_from on the best chain are not yet in a STORE (VN_NEVER:
     * none). */
    uint64_t store_from;
    uint8_t (*bans_pending)[32]; /* the keys of bans in STOREs under way */
    uint32_t bans_pending_count, bans_pending_capacity;
    struct store_batch stores[STORES_MAX]; /* in flight */
    uint32_t store_count;
    struct unstored unstored; /* the best chain, from the lowest height that may not be durable */
    struct unstored branch;   /* while catching up: what the leader's chain has beside ours */
    uint8_t branch_hash[HASH_SIZE]; /* of its highest block */
    /* Loading at the start. Until it is done nothing is stored, lest it replace what was not
     * read. */
    bool loading;
    uint32_t load_stage; /* enum vn_load_op under way */
    uint64_t load_token;
    uint64_t load_next;
};

void gossip_init(struct gossip *g, struct net *net, struct chain_cache *cache,
                 struct tx_book *book);
void gossip_deinit(struct gossip *g);

/* ---- gossip.c: links ---- */
void gossip_on_ready(struct gossip *g, struct peer *peer);
void gossip_on_gone(struct gossip *g, struct peer *peer);
void gossip_on_timeouts(struct gossip *g, struct peer *peer, uint32_t kinds);
void gossip_on_timer(struct gossip *g, enum timer_kind kind);

/* ---- router.c ---- */
void router_dispatch(struct gossip *g, struct peer *peer, const struct msg *msg,
                     struct vn_slice payload);

/* ---- on_<message>.c ---- */
void on_new_block(struct gossip *g, struct peer *peer, const struct block_view *block,
                  struct vn_slice payload, uint32_t used);
void on_new_transaction(struct gossip *g, struct peer *peer, const struct tx_view *tx,
                        struct vn_slice payload, uint32_t used);
void on_request_block(struct gossip *g, struct peer *peer, uint64_t height);
void on_request_block_range(struct gossip *g, struct peer *peer, uint64_t start, uint64_t end);
void on_response_block(struct gossip *g, struct peer *peer, const struct block_view *block,
                       struct vn_slice payload);
void on_response_block_range(struct gossip *g, struct peer *peer, const struct msg *msg,
                             struct vn_slice payload);
/* asked.c: an answer of that kind and size came: whether it is listened to. One that nobody asked
 * for costs its sender tokens. */
bool asked_for(struct gossip *g, struct peer *peer, enum request_kind kind, uint32_t bytes);

/* Do the blocks of a ResponseBlockRange ascend one by one from the start that was asked for, no
 * more than asked for (unless an earlier request was given up), each the parent of the next? */
enum asked_fit { ASKED_FITS, ASKED_MISFIT, ASKED_UNLINKED };
enum asked_fit asked_fit_range(const struct request *request, const struct msg *msg);

void on_ping(struct gossip *g, struct peer *peer, uint64_t nonce);
void on_pong(struct gossip *g, struct peer *peer, uint64_t nonce);

/* ---- blocks.c: one way into the chain for every block, wherever it comes from ---- */

enum block_origin {
    FROM_GOSSIP, /* NewBlock, or the newest of a peer: relayed when new */
    FROM_ANSWER, /* asked for: only a new tip is relayed, when the caller says relay_tip */
    FROM_SELF,   /* mined here: relayed */
    FROM_DISK    /* neither relayed nor stored again */
};

/* peer may be NULL. body is the block's window; frame is its NewBlock frame for relaying, or an
 * empty slice to have one made. Orphans that waited for it follow it in. */
enum chain_result blocks_add(struct gossip *g, struct peer *peer, const struct block_view *block,
                             struct vn_slice body, enum block_origin origin, struct vn_slice frame);

/* Tells every ready peer but those that sent it to us. */
void blocks_relay_tip(struct gossip *g, const struct peer *but);

/* ---- serve.c: answering requests in order, from memory or by LOAD ---- */
void serve_push(struct gossip *g, struct peer *peer, enum request_kind kind, uint64_t start,
                uint64_t end);
/* Answers what can be answered now. */
void serve_run(struct gossip *g, struct peer *peer);
bool serve_on_loaded(struct gossip *g, const struct vn_event *event);

/* ---- persist.c ---- */
void persist_start(struct gossip *g); /* begins to LOAD; goes online when done */
void persist_on_loaded(struct gossip *g, const struct vn_event *event);
void persist_on_timer(struct gossip *g); /* the pause after a failure is over */
void persist_on_stored(struct gossip *g, const struct vn_event *event);
/* The best chain changed from `height` upwards. */
void persist_mark(struct gossip *g, uint64_t height);
/* A block that we asked for is valid and not on the best chain: its branch may win. */
void persist_branch(struct gossip *g, const struct block_record *block, struct vn_slice body);
/* Catching up is over: no branch is awaited any more. */
void persist_branch_drop(struct gossip *g);
/* The disk is so far behind that no more blocks should be asked for. */
bool persist_behind(const struct gossip *g);
/* Puts what has gathered into one STORE; called at the end of every step. */
void persist_flush(struct gossip *g);

/* ---- miner.c ---- */
void miner_start(struct gossip *g, uint64_t interval_ns);
void miner_on_timer(struct gossip *g);
/* Mines one block on the tip now; false if the search was not lucky within its bound of tries. */
bool miner_mine_now(struct gossip *g);

/* ---- commands.c ---- */
void commands_run(struct gossip *g, uint64_t token, const struct vn_command *command);

/* ---- gossip_audit.c ---- */
/* See core/base/audit.h. others: armed timers that are none of these. */
void gossip_audit(const struct gossip *g, struct audit *audit, uint32_t others);

#endif
