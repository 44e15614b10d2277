/* What the worker of a node's store does with the database: applies STOREs, collects LOADs. It runs
 * on one thread and knows nothing of others. */
#ifndef STORE_NODE_STORE_WORK_H
#define STORE_NODE_STORE_WORK_H

#include "store/node_store_schema.h"

/* One action on its way through the store, and its answer. */
struct store_job {
    struct store_job *next;
    bool is_load;
    uint64_t token;
    uint32_t status; /* enum vn_status; the answer */

    uint32_t load_op; /* a LOAD: see struct vn_action */
    uint64_t from, to, max_bytes;
    uint32_t slice_count, slice_capacity; /* its answer: buffers of malloc, one reference each */
    struct vn_slice *slices;

    uint64_t bytes; /* a STORE: the sum of its values' sizes */
    uint32_t count; /* its items, with the values' references */
    struct vn_store_item items[];
};

enum store_statement {
    STORE_SQL_BEGIN,
    STORE_SQL_COMMIT,
    STORE_SQL_RANGE,
    STORE_SQL_CUT,
    STORE_SQL_BLOCK,
    STORE_SQL_ADDR,
    STORE_SQL_ADDR_DROP,
    STORE_SQL_BAN,
    STORE_SQL_BAN_DROP,
    STORE_SQL_LOAD_BLOCKS,
    STORE_SQL_LOAD_ADDRS,
    STORE_SQL_LOAD_BANS,
    STORE_SQL_COUNT
};

struct store_work {
    sqlite3 *db;
    sqlite3_stmt *statements[STORE_SQL_COUNT];
    char path[160];  /* for messages: its end, if it is long */
    char error[320]; /* why the latest one failed that did */
};

/* Prepares the statements on an open database. An SQLite code: SQLITE_CORRUPT if a table is not as
 * it should be. */
int store_work_init(struct store_work *work, sqlite3 *db, const char *path);
void store_work_deinit(struct store_work *work);

/* Applies a list of STOREs in one transaction and sets their statuses: all are durable and VN_OK,
 * but for those that make no sense, which change nothing (VN_ERR_ARGUMENT); or the transaction
 * failed, and nothing of any of them is in the database. */
void store_work_apply(struct store_work *work, struct store_job *jobs);

/* Carries out a LOAD. */
void store_work_load(struct store_work *work, struct store_job *job);

/* Drops what a job holds, and the job: on the thread that owns the values' references. */
void store_work_job_free(struct store_job *job);

#endif
