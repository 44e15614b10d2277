/* What a node keeps over restarts: the best chain, addresses, bans. One SQLite file (node.db) in a
 * folder of its own, written by a worker thread, so that the loop that drives the node never waits
 * for a disk.
 *
 * STORE and LOAD actions go in by node_store_submit and are carried out in that order; a LOAD sees
 * every STORE before it. The worker takes the STOREs that wait, up to the next LOAD or 2 MiB, into
 * one transaction (group commit): each is atomic, and STORED says that it is durable (WAL,
 * synchronous=FULL). A process killed at any moment finds, when it opens the folder again, exactly
 * the STOREs up to some point at or after the last one that was answered.
 *
 * A disk that is full or failing makes all STOREs of a transaction fail (VN_ERR_LIMIT when full,
 * else VN_ERR_IO) with nothing of them stored, and the store goes on: the core tries again. A batch
 * that makes no sense (a block that does not follow the ones below) is refused alone, with
 * VN_ERR_ARGUMENT. Nothing here writes to a file that is not a node's store of this very chain.
 *
 * One process uses a folder at a time: it holds a lock on node.lock there, which ends with it.
 *
 * One thread calls all functions but node_store_stats, which any may; on_ready alone is called by
 * the worker. A limit on the size of files (RLIMIT_FSIZE) kills the process unless it ignores
 * SIGXFSZ. */
#ifndef STORE_NODE_STORE_H
#define STORE_NODE_STORE_H

#include "core/node.h"

struct node_store;

struct node_store_options {
    const char *folder;         /* made if it is not there (0700), its parent must be */
    uint64_t genesis_timestamp; /* of the chain; with difficulty it names it */
    uint64_t difficulty;
    void (*on_ready)(void *ctx); /* an answer waits, or has just been taken; called on the worker's
                                    thread, often once for several, the last time before
                                    node_store_close returns. To be short: uv_async_send. Or NULL */
    void *ctx;
    uint64_t max_bytes; /* of the database; a STORE beyond it fails as on a full disk; 0: no limit.
                           The log beside it, usually 16 MiB, comes on top */
};

enum node_store_problem {
    NODE_STORE_OK,
    NODE_STORE_LOCKED,  /* another process uses the folder */
    NODE_STORE_FOREIGN, /* the file is something else, or a file is where the folder should be */
    NODE_STORE_NEWER,   /* of a later version of this program */
    NODE_STORE_OTHER_CHAIN, /* another genesis */
    NODE_STORE_CORRUPT,     /* damaged, as far as opening it tells: a LOAD tells the rest */
    NODE_STORE_UNWRITABLE,  /* no permission, read-only, full, or without a parent folder */
    NODE_STORE_IO
};

/* Opens or makes the store. NULL: *problem says what is wrong, and why (one line, with the path and
 * the way out) tells it to a person; nothing was changed then. A store of an older version is
 * brought up to date. */
struct node_store *node_store_open(const struct node_store_options *options,
                                   enum node_store_problem *problem, char *why, size_t size);

/* Takes a VN_ACT_STORE or VN_ACT_LOAD with all its references. What it carries is borrowed by the
 * worker until the answer is taken. */
void node_store_submit(struct node_store *store, struct vn_action *action);

/* Takes the next answer: a STORED or LOADED whose slices are valid until the next call of
 * node_store_next or node_store_close (references taken on them stay good after both). Its now_ns
 * is the caller's to set. False when none waits. */
bool node_store_next(struct node_store *store, struct vn_event *event);

/* Carries out all that was submitted, closes the file and frees the store; answers that were not
 * taken are dropped. Returns false if one of those was a STORE that failed. */
bool node_store_close(struct node_store *store);

struct node_store_stats {
    uint64_t stores;        /* STOREs answered */
    uint64_t commits;       /* transactions that made STOREs durable */
    uint64_t failed;        /* STOREs answered with an error */
    uint64_t loads;         /* LOADs answered */
    uint64_t items, bytes;  /* changes stored, and their values' sizes */
    uint32_t waiting;       /* submitted and not answered */
    bool failing;           /* the latest group of STOREs, or LOAD, met an error */
    uint64_t commit_ns;     /* spent in transactions so far, commits included */
    uint64_t commit_ns_max; /* the longest transaction */
    char error[320];        /* the latest failure in words; "" if there was none */
};
void node_store_stats(struct node_store *store, struct node_store_stats *out);

#endif
