/* The worker's side of a node's store; see node_store_work.h.
 *
 * Happy path: a group of STOREs is one transaction. The range of heights is read in it, each batch
 * is checked against that, and applied item by item: a block cuts off what stood at its height and
 * above, and goes on top. A LOAD steps through one prepared query and copies what it finds.
 *
 * Failure modes: the first error rolls the whole transaction back, and every batch of it is
 * answered with that error; the core asks again, with larger batches. When the disk failed to sync
 * a commit whose bytes it had taken, the next one writes over them; if the process dies before, the
 * next start may find that transaction, which is a state that a STORE asked for. What a query
 * brings from a damaged or planted file is bounded in size by the connection's limit, and its order
 * and types are checked; what the bytes mean is for the core to judge. */
#include "store/node_store_work.h"

#include "core/base/bytes.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const texts[STORE_SQL_COUNT] = {
    [STORE_SQL_BEGIN] = "BEGIN IMMEDIATE",
    [STORE_SQL_COMMIT] = "COMMIT",
    [STORE_SQL_RANGE] = "SELECT (SELECT min(height) FROM block), (SELECT max(height) FROM block)",
    [STORE_SQL_CUT] = "DELETE FROM block WHERE height >= ?1",
    [STORE_SQL_BLOCK] = "INSERT INTO block(height, hash, body) VALUES(?1, ?2, ?3)",
    [STORE_SQL_ADDR] = "INSERT INTO addr(key, value) VALUES(?1, ?2)"
                       " ON CONFLICT(key) DO UPDATE SET value = excluded.value",
    [STORE_SQL_ADDR_DROP] = "DELETE FROM addr WHERE key = ?1",
    [STORE_SQL_BAN] = "INSERT INTO ban(key, until_ns, value) VALUES(?1, ?2, ?3)"
                      " ON CONFLICT(key) DO UPDATE"
                      " SET until_ns = excluded.until_ns, value = excluded.value",
    [STORE_SQL_BAN_DROP] = "DELETE FROM ban WHERE key = ?1",
    [STORE_SQL_LOAD_BLOCKS] =
        "SELECT height, body FROM block WHERE height BETWEEN ?1 AND ?2 ORDER BY height",
    [STORE_SQL_LOAD_ADDRS] = "SELECT key, value FROM addr ORDER BY key LIMIT -1 OFFSET ?1",
    [STORE_SQL_LOAD_BANS] = "SELECT until_ns, key, value FROM ban ORDER BY key LIMIT -1 OFFSET ?1",
};

/* ---- statements ---- */

int store_work_init(struct store_work *work, sqlite3 *db, const char *path)
{
    const size_t len = strlen(path), room = sizeof work->path - 4;
    *work = (struct store_work){.db = db};
    snprintf(work->path, sizeof work->path, "%s%s", len > room ? "..." : "",
             len > room ? path + len - room : path);
    for (int i = 0; i < STORE_SQL_COUNT; i++) {
        int rc = sqlite3_prepare_v3(db, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                                    &work->statements[i], NULL);
        if (rc != SQLITE_OK)
            return rc == SQLITE_ERROR ? SQLITE_CORRUPT : rc; /* "no such table", "column" */
    }
    return SQLITE_OK;
}

void store_work_deinit(struct store_work *work)
{
    for (int i = 0; i < STORE_SQL_COUNT; i++)
        sqlite3_finalize(work->statements[i]);
}

/* Runs a statement that brings no rows, and lets go of what was bound. */
static int run(const struct store_work *work, enum store_statement which)
{
    sqlite3_stmt *stmt = work->statements[which];
    const int rc = sqlite3_step(stmt);
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static void bind_slice(sqlite3_stmt *stmt, int at, struct vn_slice slice)
{
    const void *data = vn_slice_data(slice);
    /* An empty value is no NULL. */
    sqlite3_bind_blob64(stmt, at, slice.len > 0 ? data : "", slice.len, SQLITE_STATIC);
}

static void bind_key(sqlite3_stmt *stmt, int at, const struct vn_store_item *item)
{
    sqlite3_bind_blob64(stmt, at, item->key, item->key_len, SQLITE_STATIC);
}

/* Notes in words why something failed, and says what to answer. */
static uint32_t failed(struct store_work *work, int rc)
{
    store_schema_error(work->path, work->db, rc, work->error, sizeof work->error);
    return (rc & 0xff) == SQLITE_FULL ? VN_ERR_LIMIT : VN_ERR_IO;
}

/* ---- storing ---- */

/* The heights of the best chain's blocks that are stored: first..end-1. */
struct range {
    bool any;
    uint64_t first, end;
};

static int read_range(const struct store_work *work, struct range *range)
{
    sqlite3_stmt *stmt = work->statements[STORE_SQL_RANGE];
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        range->any = sqlite3_column_type(stmt, 0) != SQLITE_NULL;
        const int64_t first = sqlite3_column_int64(stmt, 0), last = sqlite3_column_int64(stmt, 1);
        rc = range->any && (first < 0 || last == INT64_MAX) ? SQLITE_CORRUPT : SQLITE_OK;
        range->first = (uint64_t)first;
        range->end = (uint64_t)last + 1;
    }
    sqlite3_reset(stmt);
    return rc;
}

/* What is wrong with an item, or NULL; *range is what stands before it, and then after it. */
static const char *item_fault(const struct vn_store_item *item, struct range *range)
{
    if (item->value.len > STORE_VALUE_MAX)
        return "a value is too large";
    if (item->key_len > sizeof item->key)
        return "a key is too long";
    if (item->op == VN_STORE_ADDR || item->op == VN_STORE_BAN)
        return NULL;
    if (item->op != VN_STORE_BLOCK)
        return "an unknown operation";
    if (item->key_len != HASH_SIZE || item->value.len == 0)
        return "a block without hash or body";
    if (item->number >= INT64_MAX || (range->any && item->number > range->end))
        return "a block that does not follow the ones below";
    if (!range->any || item->number < range->first)
        range->first = item->number;
    range->any = true;
    range->end = item->number + 1;
    return NULL;
}

/* A batch that makes no sense is refused whole, before anything of it is done. */
static bool job_check(struct store_work *work, const struct store_job *job, struct range range)
{
    for (uint32_t i = 0; i < job->count; i++) {
        const char *fault = item_fault(&job->items[i], &range);
        if (!fault)
            continue;
        snprintf(work->error, sizeof work->error, "%s: a batch makes no sense (%s), left out",
                 work->path, fault);
        return false;
    }
    return true;
}

static int put_block(const struct store_work *work, struct range *range,
                     const struct vn_store_item *item)
{
    int rc = SQLITE_OK;
    if (range->any && item->number < range->end) {
        sqlite3_bind_int64(work->statements[STORE_SQL_CUT], 1, (int64_t)item->number);
        rc = run(work, STORE_SQL_CUT);
    }
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_stmt *stmt = work->statements[STORE_SQL_BLOCK];
    sqlite3_bind_int64(stmt, 1, (int64_t)item->number);
    bind_key(stmt, 2, item);
    bind_slice(stmt, 3, item->value);
    item_fault(item, range); /* moves it on */
    return run(work, STORE_SQL_BLOCK);
}

static int put_addr(const struct store_work *work, const struct vn_store_item *item)
{
    const bool drop = item->value.len == 0;
    const enum store_statement which = drop ? STORE_SQL_ADDR_DROP : STORE_SQL_ADDR;
    bind_key(work->statements[which], 1, item);
    if (!drop)
        bind_slice(work->statements[which], 2, item->value);
    return run(work, which);
}

/* SQLite's integers end at 2^63 - 1, in the year 2262: a later end is stored as a negative one. */
static int put_ban(const struct store_work *work, const struct vn_store_item *item)
{
    const bool drop = item->number == 0;
    const enum store_statement which = drop ? STORE_SQL_BAN_DROP : STORE_SQL_BAN;
    bind_key(work->statements[which], 1, item);
    if (!drop) {
        sqlite3_bind_int64(work->statements[which], 2, (int64_t)item->number);
        bind_slice(work->statements[which], 3, item->value);
    }
    return run(work, which);
}

static int apply_job(const struct store_work *work, struct range *range,
                     const struct store_job *job)
{
    int rc = SQLITE_OK;
    for (uint32_t i = 0; rc == SQLITE_OK && i < job->count; i++) {
        const struct vn_store_item *item = &job->items[i];
        switch ((enum vn_store_op)item->op) {
        case VN_STORE_BLOCK:
            rc = put_block(work, range, item);
            break;
        case VN_STORE_ADDR:
            rc = put_addr(work, item);
            break;
        case VN_STORE_BAN:
            rc = put_ban(work, item);
            break;
        }
    }
    return rc;
}

void store_work_apply(struct store_work *work, struct store_job *jobs)
{
    struct range range = {0};
    int rc = run(work, STORE_SQL_BEGIN);
    if (rc == SQLITE_OK)
        rc = read_range(work, &range);
    for (struct store_job *job = jobs; job && rc == SQLITE_OK; job = job->next) {
        job->status = VN_OK;
        if (job_check(work, job, range))
            rc = apply_job(work, &range, job);
        else
            job->status = VN_ERR_ARGUMENT;
    }
    if (rc == SQLITE_OK)
        rc = run(work, STORE_SQL_COMMIT);
    if (rc == SQLITE_OK)
        return;
    const uint32_t status = failed(work, rc);
    if (!sqlite3_get_autocommit(work->db))
        sqlite3_exec(work->db, "ROLLBACK", NULL, NULL, NULL);
    for (struct store_job *job = jobs; job; job = job->next)
        job->status = status;
}

/* ---- loading ---- */

static void buf_free(struct vn_buf *buf)
{
    free(buf);
}

static void slices_drop(struct store_job *job)
{
    for (uint32_t i = 0; i < job->slice_count; i++)
        vn_slice_unref(job->slices[i]);
    free(job->slices);
    job->slices = NULL;
    job->slice_count = job->slice_capacity = 0;
}

/* A new slice at the end of the answer. NULL: memory is out. */
static uint8_t *slice_add(struct store_job *job, uint32_t len)
{
    if (job->slice_count == job->slice_capacity) {
        const uint32_t capacity = job->slice_capacity ? job->slice_capacity * 2 : 64;
        struct vn_slice *slices = realloc(job->slices, capacity * sizeof *slices);
        if (!slices)
            return NULL;
        job->slices = slices;
        job->slice_capacity = capacity;
    }
    struct vn_buf *buf = malloc(sizeof *buf + len);
    if (!buf)
        return NULL;
    *buf = (struct vn_buf){.refs = 1, .len = len, .release = buf_free};
    job->slices[job->slice_count++] = (struct vn_slice){.buf = buf, .len = len};
    return buf->data;
}

/* Copies a column behind what is there; the end of it. */
static uint8_t *copy_column(uint8_t *to, sqlite3_stmt *stmt, int column)
{
    const void *data = sqlite3_column_blob(stmt, column);
    const int len = sqlite3_column_bytes(stmt, column);
    if (len > 0)
        memcpy(to, data, (size_t)len);
    return to + len;
}

/* Steps to the next row; *len is the size of what is loaded of it. SQLITE_DONE: no more that
 * belongs to the answer. */
static int next_row(const struct store_job *job, sqlite3_stmt *stmt, uint32_t *len)
{
    const bool blocks = job->load_op == VN_LOAD_BLOCKS, bans = job->load_op == VN_LOAD_BANS;
    const int rc = sqlite3_step(stmt);
    if (rc != SQLITE_ROW)
        return rc;
    /* Without gaps. */
    if (blocks && (uint64_t)sqlite3_column_int64(stmt, 0) != job->from + job->slice_count)
        return SQLITE_DONE;
    for (int i = blocks || bans; i < sqlite3_column_count(stmt); i++)
        if (sqlite3_column_type(stmt, i) != SQLITE_BLOB)
            return SQLITE_CORRUPT;
    const uint32_t first = (uint32_t)sqlite3_column_bytes(stmt, 1);
    if (blocks)
        *len = first;
    else if (bans)
        *len = 8 + first + (uint32_t)sqlite3_column_bytes(stmt, 2);
    else
        *len = (uint32_t)sqlite3_column_bytes(stmt, 0) + first;
    return *len > 0 ? SQLITE_ROW : SQLITE_CORRUPT;
}

static void fill_row(const struct store_job *job, sqlite3_stmt *stmt, uint8_t *to)
{
    if (job->load_op == VN_LOAD_BLOCKS) {
        copy_column(to, stmt, 1);
        return;
    }
    if (job->load_op == VN_LOAD_BANS) {
        put_be64(to, (uint64_t)sqlite3_column_int64(stmt, 0));
        copy_column(copy_column(to + 8, stmt, 1), stmt, 2);
        return;
    }
    copy_column(copy_column(to, stmt, 0), stmt, 1);
}

static int collect(struct store_job *job, sqlite3_stmt *stmt)
{
    uint64_t sum = 0;
    uint32_t len = 0;
    int rc;
    while ((rc = next_row(job, stmt, &len)) == SQLITE_ROW) {
        if (job->slice_count > 0 && len > job->max_bytes - sum)
            return SQLITE_DONE;
        uint8_t *to = slice_add(job, len);
        if (!to)
            return SQLITE_NOMEM;
        fill_row(job, stmt, to);
        sum += len;
        if (sum >= job->max_bytes)
            return SQLITE_DONE;
    }
    return rc;
}

void store_work_load(struct store_work *work, struct store_job *job)
{
    static const enum store_statement of_op[] = {[VN_LOAD_BLOCKS] = STORE_SQL_LOAD_BLOCKS,
                                                 [VN_LOAD_ADDRS] = STORE_SQL_LOAD_ADDRS,
                                                 [VN_LOAD_BANS] = STORE_SQL_LOAD_BANS};
    job->status = VN_OK;
    if (job->load_op < VN_LOAD_BLOCKS || job->load_op > VN_LOAD_BANS) {
        snprintf(work->error, sizeof work->error, "%s: an unknown LOAD, left out", work->path);
        job->status = VN_ERR_ARGUMENT;
        return;
    }
    if (job->from > INT64_MAX)
        return;
    sqlite3_stmt *stmt = work->statements[of_op[job->load_op]];
    sqlite3_bind_int64(stmt, 1, (int64_t)job->from);
    if (job->load_op == VN_LOAD_BLOCKS)
        sqlite3_bind_int64(stmt, 2, job->to > INT64_MAX ? INT64_MAX : (int64_t)job->to);
    const int rc = collect(job, stmt);
    if (rc != SQLITE_DONE) {
        job->status = failed(work, rc);
        slices_drop(job);
    }
    sqlite3_reset(stmt);
}

void store_work_job_free(struct store_job *job)
{
    slices_drop(job);
    for (uint32_t i = 0; i < job->count; i++)
        vn_slice_unref(job->items[i].value);
    free(job);
}
