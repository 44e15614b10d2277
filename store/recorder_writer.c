/* The writer thread: takes chunks of rows from the ring and writes them in batched transactions.
 *
 * Happy path: a transaction begins with the first row and is committed after WRITER_BATCH_ROWS rows
 * or WRITER_BATCH_MS, whichever comes first. In WAL mode that costs one append and no sync, and a
 * process killed in between leaves the last commit. Failure mode: at the first error the open
 * transaction is rolled back, the error is kept, and from then on rows are taken and dropped, so
 * that the simulation never waits for a disk that is gone. */
#include "store/recorder_writer.h"

#include "store/recorder_schema.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* By enum row_kind; parameter 1 is the run. */
static const char *const statements[ROW_KINDS] = {
    [ROW_NODE] = "INSERT INTO node(run_id, no, role, region, version) VALUES(?1, ?2, ?3, ?4, ?5)",
    [ROW_NODE_FINAL] =
        "UPDATE node SET final_height = ?3, final_tip = ?4 WHERE run_id = ?1 AND no = ?2",
    [ROW_EVENT] = "INSERT INTO event(run_id, seq, t_ns, node, kind, peer, link, msg, bytes, detail)"
                  " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [ROW_CHECK] = "INSERT INTO check_result(run_id, name, kind, ok, t_ns, detail)"
                  " VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [ROW_METRIC] = "INSERT INTO metric(run_id, name, node, value) VALUES(?1, ?2, ?3, ?4)",
    [ROW_BLOCK] = "INSERT OR IGNORE INTO block(run_id, hash, height, parent, miner, mined_ns)"
                  " VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    /* A node that lost its disk gets a block again: the first time counts. */
    [ROW_ARRIVAL] = "INSERT OR IGNORE INTO arrival(run_id, block_hash, node, t_ns)"
                    " VALUES(?1, ?2, ?3, ?4)",
    [ROW_DECISION] = "INSERT INTO decision(run_id, no, t_ns, kind, params, taken)"
                     " VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [ROW_MARK] = "INSERT INTO mark(run_id, t_ns, events, hash) VALUES(?1, ?2, ?3, ?4)",
};

void writer_fail(struct writer *w, int rc)
{
    if (atomic_load_explicit(&w->failed, memory_order_relaxed))
        return;
    schema_error(w->path, w->db, rc, w->error, sizeof w->error);
    atomic_store_explicit(&w->failed, true, memory_order_release);
}

static void bind_text(sqlite3_stmt *stmt, int at, const struct row *row, uint32_t i)
{
    uint32_t len;
    const char *text = row_text(row, i, &len);
    sqlite3_bind_text(stmt, at, text, (int)len, SQLITE_STATIC); /* NULL binds NULL */
}

/* 32 bytes as hex. */
static void bind_hash(sqlite3_stmt *stmt, int at, const struct row *row, uint32_t i)
{
    static const char digits[] = "0123456789abcdef";
    uint32_t len;
    const char *bytes = row_text(row, i, &len);
    char hex[64];
    if (!bytes || len != sizeof hex / 2) {
        sqlite3_bind_null(stmt, at);
        return;
    }
    for (uint32_t k = 0; k < len; k++) {
        hex[2 * k] = digits[(uint8_t)bytes[k] >> 4];
        hex[2 * k + 1] = digits[bytes[k] & 15];
    }
    sqlite3_bind_text(stmt, at, hex, sizeof hex, SQLITE_TRANSIENT);
}

/* Negative: NULL. */
static void bind_optional(sqlite3_stmt *stmt, int at, int64_t v)
{
    if (v < 0)
        sqlite3_bind_null(stmt, at);
    else
        sqlite3_bind_int64(stmt, at, v);
}

/* n: seq, t_ns, peer, link, bytes; texts: kind, msg, detail; no: the node. */
static void bind_event(sqlite3_stmt *stmt, const struct row *row)
{
    sqlite3_bind_int64(stmt, 2, row->n[0]);
    sqlite3_bind_int64(stmt, 3, row->n[1]);
    bind_optional(stmt, 4, row->no == UINT32_MAX ? -1 : (int64_t)row->no);
    bind_text(stmt, 5, row, 0);
    bind_optional(stmt, 6, row->n[2]);
    bind_optional(stmt, 7, row->n[3] ? row->n[3] : -1);
    bind_text(stmt, 8, row, 1);
    bind_optional(stmt, 9, row->n[4] ? row->n[4] : -1);
    bind_text(stmt, 10, row, 2);
}

static void bind_row(sqlite3_stmt *stmt, const struct row *row)
{
    switch ((enum row_kind)row->kind) {
    case ROW_NODE: /* texts: role, region, version */
        sqlite3_bind_int64(stmt, 2, row->no);
        for (uint32_t i = 0; i < ROW_TEXTS; i++)
            bind_text(stmt, 3 + (int)i, row, i);
        break;
    case ROW_NODE_FINAL: /* n: height; texts: hash */
        sqlite3_bind_int64(stmt, 2, row->no);
        sqlite3_bind_int64(stmt, 3, row->n[0]);
        bind_hash(stmt, 4, row, 0);
        break;
    case ROW_EVENT:
        bind_event(stmt, row);
        break;
    case ROW_CHECK: /* n: t_ns; texts: name, kind, detail */
        bind_text(stmt, 2, row, 0);
        bind_text(stmt, 3, row, 1);
        sqlite3_bind_int(stmt, 4, row->ok);
        sqlite3_bind_int64(stmt, 5, row->n[0]);
        bind_text(stmt, 6, row, 2);
        break;
    case ROW_METRIC: /* n: node; texts: name */
        bind_text(stmt, 2, row, 0);
        bind_optional(stmt, 3, row->n[0]);
        sqlite3_bind_double(stmt, 4, row->value); /* NaN becomes NULL */
        break;
    case ROW_BLOCK: /* n: height, miner, mined_ns; texts: hash, parent */
        bind_hash(stmt, 2, row, 0);
        sqlite3_bind_int64(stmt, 3, row->n[0]);
        bind_hash(stmt, 4, row, 1);
        bind_optional(stmt, 5, row->n[1]);
        sqlite3_bind_int64(stmt, 6, row->n[2]);
        break;
    case ROW_ARRIVAL: /* n: t_ns; texts: hash */
        bind_hash(stmt, 2, row, 0);
        sqlite3_bind_int64(stmt, 3, row->no);
        sqlite3_bind_int64(stmt, 4, row->n[0]);
        break;
    case ROW_DECISION: /* n: t_ns; texts: kind, params */
        sqlite3_bind_int64(stmt, 2, row->no);
        sqlite3_bind_int64(stmt, 3, row->n[0]);
        bind_text(stmt, 4, row, 0);
        bind_text(stmt, 5, row, 1);
        sqlite3_bind_int(stmt, 6, row->ok);
        break;
    case ROW_MARK: /* n: t_ns, events; texts: hash */
        sqlite3_bind_int64(stmt, 2, row->n[0]);
        sqlite3_bind_int64(stmt, 3, row->n[1]);
        bind_text(stmt, 4, row, 0);
        break;
    case ROW_KINDS:
        break;
    }
}

static int write_row(struct writer *w, const struct row *row)
{
    sqlite3_stmt *stmt = w->stmts[row->kind];
    sqlite3_bind_int64(stmt, 1, w->run_id);
    bind_row(stmt, row);
    int rc = sqlite3_step(stmt);
    sqlite3_reset(stmt);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

static void batch_end(struct writer *w)
{
    if (!w->in_batch)
        return;
    w->in_batch = false;
    int rc = sqlite3_exec(w->db, "COMMIT", NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        writer_fail(w, rc);
}

static int batch_begin(struct writer *w)
{
    int rc = sqlite3_exec(w->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    w->in_batch = rc == SQLITE_OK;
    w->batch_rows = 0;
    w->batch_began_ms = now_ms();
    return rc;
}

static void write_chunk(struct writer *w, const struct ring_chunk *chunk)
{
    const struct row *row = NULL;
    while (!atomic_load_explicit(&w->failed, memory_order_relaxed) &&
           (row = ring_chunk_row(chunk, row))) {
        int rc = w->in_batch ? SQLITE_OK : batch_begin(w);
        if (rc == SQLITE_OK)
            rc = write_row(w, row);
        if (rc != SQLITE_OK)
            writer_fail(w, rc);
        else if (++w->batch_rows >= WRITER_BATCH_ROWS)
            batch_end(w);
    }
    if (atomic_load_explicit(&w->failed, memory_order_relaxed) && !sqlite3_get_autocommit(w->db)) {
        sqlite3_exec(w->db, "ROLLBACK", NULL, NULL, NULL);
        w->in_batch = false;
    }
}

static void *writer_main(void *arg)
{
    struct writer *w = arg;
    bool closed = false;
    for (;;) {
        struct ring_chunk *chunk = ring_take(w->ring, WRITER_BATCH_MS, &closed);
        if (chunk) {
            write_chunk(w, chunk);
            ring_give(w->ring, chunk);
        } else if (closed) {
            break;
        }
        if (!chunk || now_ms() - w->batch_began_ms >= WRITER_BATCH_MS)
            batch_end(w);
    }
    batch_end(w);
    return NULL;
}

/* The thread takes no signal: they are the main thread's. */
static int start_thread(struct writer *w)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&w->thread, NULL, writer_main, w);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc;
}

static void finalize(struct writer *w)
{
    for (int i = 0; i < ROW_KINDS; i++) {
        sqlite3_finalize(w->stmts[i]);
        w->stmts[i] = NULL;
    }
}

bool writer_start(struct writer *w, char *why, uint32_t why_size)
{
    for (int i = 0; i < ROW_KINDS; i++) {
        int rc = sqlite3_prepare_v3(w->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
                                    &w->stmts[i], NULL);
        if (rc != SQLITE_OK) {
            schema_error(w->path, w->db, rc, why, why_size);
            finalize(w);
            return false;
        }
    }
    /* Another run may write into the same file: take turns with it. */
    sqlite3_busy_timeout(w->db, 60000);
    atomic_init(&w->failed, false);
    w->ring = ring_new();
    int rc = w->ring ? start_thread(w) : -1;
    if (rc == 0) {
        w->running = true;
        return true;
    }
    snprintf(why, why_size, "%s: cannot start the recorder (%s)", w->path,
             w->ring ? strerror(rc) : "out of memory");
    ring_free(w->ring);
    w->ring = NULL;
    finalize(w);
    return false;
}

void writer_stop(struct writer *w)
{
    if (!w->running)
        return;
    ring_close(w->ring);
    pthread_join(w->thread, NULL);
    w->running = false;
    ring_free(w->ring);
    w->ring = NULL;
    finalize(w);
}
