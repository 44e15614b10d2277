/* What a node keeps over restarts: the best chain, addresses, bans. One SQLite file in a folder of
 * its own, written by a worker thread, so that the loop that drives the node never waits for a
 * disk.
 *
 * STORE and LOAD actions go in by node_store_submit and are carried out in that order; a LOAD sees
 * every STORE before it. The worker takes all STOREs that wait into one transaction (group commit):
 * each is atomic, and STORED says that it is durable (WAL, synchronous=FULL). A process killed at
 * any moment finds, when it opens the folder again, exactly the STOREs up to some point at or after
 * the last one that was answered.
 *
 * A disk that is full or failing makes STOREs fail (VN_ERR_LIMIT, VN_ERR_IO), and the store goes
 * on: the core tries again. Nothing here writes to a file that is not a node's store of this very
 * chain.
 *
 * One thread calls all functions; on_ready alone is called by the worker. */
#ifndef STORE_NODE_STORE_H
#define STORE_NODE_STORE_H

#include "core/node.h"

struct node_store;

struct node_store_options {
    const char *folder;         /* made if it is not there (0700), its parent must be */
    uint64_t genesis_timestamp; /* of the chain; with difficulty it names it */
    uint64_t difficulty;
    void (*on_ready)(void *ctx); /* an answer waits; called on the worker's thread, often once for
                                    several. To be short: uv_async_send */
    void *ctx;
    uint64_t max_bytes; /* of the database; a STORE beyond it fails as on a full disk; 0: no limit */
};

enum node_store_problem {
    NODE_STORE_OK,
    NODE_STORE_LOCKED,        /* another process uses the folder */
    NODE_STORE_FOREIGN,       /* the file is something else */
    NODE_STORE_NEWER,         /* of a later version of this program */
    NODE_STORE_OTHER_CHAIN,   /* another genesis */
    NODE_STORE_CORRUPT,       /* damaged */
    NODE_STORE_UNWRITABLE,    /* no permission, read-only, or full */
    NODE_STORE_IO
};

/* Opens or makes the store. NULL: *problem says what is wrong, and why (one line, with the path and
 * the way out) tells it to a person; nothing was changed then. */
struct node_store *node_store_open(const struct node_store_options *options,
                                   enum node_store_problem *problem, char *why, size_t size);

/* Takes a VN_ACT_STORE or VN_ACT_LOAD with all its references. What it carries is borrowed by the
 * worker until the answer is taken. */
void node_store_submit(struct node_store *store, struct vn_action *action);

/* Takes the next answer: a STORED or LOADED whose slices are valid until the next call of
 * node_store_next or node_store_close. False when none waits. */
bool node_store_next(struct node_store *store, struct vn_event *event);

/* Carries out all that was submitted, closes the file and frees the store; answers that were not
 * taken are dropped. Returns false if something submitted could not be stored. */
bool node_store_close(struct node_store *store);

struct node_store_stats {
    uint64_t stores, commits; /* STOREs and transactions carried out */
    uint64_t failed;          /* STOREs answered with an error */
    uint64_t loads;
    uint64_t items, bytes;     /* changes stored, and their values' sizes */
    uint32_t waiting;          /* submitted and not answered */
    bool failing;              /* the latest STORE failed */
    uint64_t commit_ns;        /* spent in transactions so far, commits included */
    uint64_t commit_ns_max;    /* the longest transaction */
    char error[160];           /* the latest failure in words; "" if there was none */
};
void node_store_stats(struct node_store *store, struct node_store_stats *out);

#endif
