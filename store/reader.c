/* Opens a record for reading and walks its tables; see reader.h.
 *
 * Happy path: the header is looked at before SQLite is (recorder_schema.c); the file is opened for
 * writing, which is refused by query_only, since only a connection that may write takes the files
 * of WAL mode away again; one statement a walk. Failure modes: what cannot be written is opened for
 * reading; a folder that cannot be written has no room for the -shm file, and a record that was
 * closed well is then read as what cannot change. */
#include "store/reader.h"

#include "store/recorder_schema.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    sqlite3 *db;
    char *path;
    sqlite3_stmt *run; /* of reader_run: its row's texts are lent */
};

/* Who reads a record cannot use another file in its place. */
static void read_error(const char *path, sqlite3 *db, int rc, char *why, size_t size)
{
    const int kind = rc & 0xff;
    if (kind == SQLITE_BUSY || kind == SQLITE_LOCKED)
        snprintf(why, size, "%s: locked by another process: try again when that has ended", path);
    else if (kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB)
        snprintf(why, size, "%s: the database is damaged: sqlite3 %s .recover may save some of it",
                 path, path);
    else
        schema_error(path, db, rc, why, (uint32_t)size);
}

static int open_as(struct reader *r, const char *query)
{
    char *uri = schema_uri(r->path, query);
    int rc = sqlite3_open_v2(uri, &r->db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, NULL);
    free(uri);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(r->db, "PRAGMA query_only = ON", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(r->db, 5000);
    if (rc == SQLITE_OK)
        rc = schema_check_tables(r->db);
    if (rc != SQLITE_OK && (rc & 0xff) == SQLITE_CANTOPEN) {
        sqlite3_close(r->db);
        r->db = NULL;
    }
    return rc;
}

struct reader *reader_open(const char *path, char *why, size_t size)
{
    if (!schema_is_record(path, why, (uint32_t)size))
        return NULL;
    struct reader *r = calloc(1, sizeof *r);
    if (!r || !(r->path = strdup(path)))
        abort();
    int rc = open_as(r, "");
    if ((rc & 0xff) == SQLITE_CANTOPEN)
        rc = open_as(r, "?mode=ro");
    if ((rc & 0xff) == SQLITE_CANTOPEN && !schema_has_log(path))
        rc = open_as(r, "?immutable=1");
    if (rc == SQLITE_OK)
        return r;
    read_error(path, r->db, rc, why, size);
    reader_close(r);
    return NULL;
}

void reader_close(struct reader *r)
{
    if (!r)
        return;
    sqlite3_finalize(r->run);
    sqlite3_close(r->db);
    free(r->path);
    free(r);
}

const char *reader_path(const struct reader *r)
{
    return r->path;
}

/* ---- columns ---- */

static const char *text(sqlite3_stmt *s, int column)
{
    return (const char *)sqlite3_column_text(s, column);
}

static uint64_t whole(sqlite3_stmt *s, int column)
{
    int64_t v = sqlite3_column_int64(s, column);
    return v < 0 ? 0 : (uint64_t)v;
}

static uint32_t number(sqlite3_stmt *s, int column)
{
    uint64_t v = whole(s, column);
    return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

static int64_t number_or_none(sqlite3_stmt *s, int column)
{
    return sqlite3_column_type(s, column) == SQLITE_NULL ? -1 : sqlite3_column_int64(s, column);
}

/* ---- rows ---- */

/* Of any table: the callback, and how it gets a row. */
struct walk {
    bool (*row)(const struct walk *w, sqlite3_stmt *s);
    union {
        bool (*run)(void *, const struct read_run *);
        bool (*node)(void *, const struct read_node *);
        bool (*event)(void *, const struct read_event *);
        bool (*check)(void *, const struct read_check *);
        bool (*metric)(void *, const struct read_metric *);
        bool (*block)(void *, const struct read_block *);
        bool (*arrival)(void *, const struct read_arrival *);
        bool (*decision)(void *, const struct read_decision *);
        bool (*mark)(void *, const struct read_mark *);
        bool (*sweep)(void *, const struct read_sweep *);
    } each;
    void *ctx;
};

/* Of a statement with its parameters bound, if rc says so. */
static bool walk_rows(struct reader *r, sqlite3_stmt *s, int rc, const struct walk *w, char *why,
                      size_t size)
{
    bool on = true;
    while (rc == SQLITE_OK && on) {
        rc = sqlite3_step(s);
        if (rc != SQLITE_ROW)
            break;
        rc = SQLITE_OK;
        on = w->row(w, s);
    }
    if (rc == SQLITE_DONE)
        rc = SQLITE_OK;
    if (rc != SQLITE_OK)
        read_error(r->path, r->db, rc, why, size);
    sqlite3_finalize(s);
    return rc == SQLITE_OK;
}

static bool walk(struct reader *r, const char *sql, int64_t run, const struct walk *w, char *why,
                 size_t size)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(r->db, sql, -1, &s, NULL);
    if (rc == SQLITE_OK && run)
        rc = sqlite3_bind_int64(s, 1, run);
    return walk_rows(r, s, rc, w, why, size);
}

#define RUN_COLUMNS                                                                                \
    "SELECT id, scenario, scenario_sha256, seed, params, world, build, started_utc, wall_ms,"      \
    " sim_ns, events, messages, bytes, trace_hash, verdict, reason, file, options, sweep_id, job"  \
    " FROM run"

static void take_run(sqlite3_stmt *s, struct read_run *out)
{
    const char *seed = text(s, 3), *hash = text(s, 13);
    *out = (struct read_run){
        .id = sqlite3_column_int64(s, 0),
        .scenario = text(s, 1),
        .sha256 = text(s, 2),
        .seed = seed ? strtoull(seed, NULL, 10) : 0,
        .params = text(s, 4),
        .world = text(s, 5),
        .build = text(s, 6),
        .started_utc = text(s, 7),
        .wall_ms = whole(s, 8),
        .sim_ns = whole(s, 9),
        .events = whole(s, 10),
        .messages = whole(s, 11),
        .bytes = whole(s, 12),
        .has_hash = hash != NULL,
        .trace_hash = hash ? strtoull(hash, NULL, 16) : 0,
        .verdict = text(s, 14),
        .reason = text(s, 15),
        .file = text(s, 16),
        .options = text(s, 17),
        .sweep = text(s, 18),
        .job = whole(s, 19),
    };
}

static bool run_row(const struct walk *w, sqlite3_stmt *s)
{
    struct read_run row;
    take_run(s, &row);
    return w->each.run(w->ctx, &row);
}

static bool node_row(const struct walk *w, sqlite3_stmt *s)
{
    const struct read_node row = {
        .no = number(s, 0),
        .role = text(s, 1),
        .region = text(s, 2),
        .version = text(s, 3),
        .final_height = number_or_none(s, 4),
        .final_tip = text(s, 5),
    };
    return w->each.node(w->ctx, &row);
}

static bool event_row(const struct walk *w, sqlite3_stmt *s)
{
    const struct read_event row = {
        .seq = whole(s, 0),
        .t_ns = whole(s, 1),
        .node = number_or_none(s, 2),
        .kind = text(s, 3),
        .peer = number_or_none(s, 4),
        .link = whole(s, 5),
        .msg = text(s, 6),
        .bytes = whole(s, 7),
        .detail = text(s, 8),
    };
    return w->each.event(w->ctx, &row);
}

static bool check_row(const struct walk *w, sqlite3_stmt *s)
{
    const struct read_check row = {
        .name = text(s, 0),
        .kind = text(s, 1),
        .ok = sqlite3_column_int(s, 2) != 0,
        .t_ns = whole(s, 3),
        .detail = text(s, 4),
    };
    return w->each.check(w->ctx, &row);
}

static bool metric_row(const struct walk *w, sqlite3_stmt *s)
{
    const struct read_metric row = {
        .name = text(s, 0),
        .node = number_or_none(s, 1),
        .is_null = sqlite3_column_type(s, 2) == SQLITE_NULL,
        .value = sqlite3_column_double(s, 2),
    };
    return w->each.metric(w->ctx, &row);
}

static bool block_row(const struct walk *w, sqlite3_stmt *s)
{
    const struct read_block row = {
        .hash = text(s, 0),
        .height = whole(s, 1),
        .parent = text(s, 2),
        .miner = number_or_none(s, 3),
        .mined_ns = whole(s, 4),
    };
    return w->each.block(w->ctx, &row);
}

static bool arrival_row(const struct walk *w, sqlite3_stmt *s)
{
    const struct read_arrival row = {
        .block_hash = text(s, 0), .node = number(s, 1), .t_ns = whole(s, 2)};
    return w->each.arrival(w->ctx, &row);
}

static bool decision_row(const struct walk *w, sqlite3_stmt *s)
{
    const struct read_decision row = {
        .no = number(s, 0),
        .t_ns = whole(s, 1),
        .kind = text(s, 2),
        .params = text(s, 3),
        .taken = sqlite3_column_int(s, 4) != 0,
    };
    return w->each.decision(w->ctx, &row);
}

static bool mark_row(const struct walk *w, sqlite3_stmt *s)
{
    const char *hash = text(s, 2);
    const struct read_mark row = {
        .t_ns = whole(s, 0), .events = whole(s, 1), .hash = hash ? strtoull(hash, NULL, 16) : 0};
    return w->each.mark(w->ctx, &row);
}

static bool sweep_row(const struct walk *w, sqlite3_stmt *s)
{
    const struct read_sweep row = {
        .id = text(s, 0),
        .shard = number(s, 1),
        .shards = number(s, 2),
        .plan = text(s, 3),
        .build = text(s, 4),
        .runs = whole(s, 5),
        .complete = sqlite3_column_int(s, 6) != 0,
    };
    return w->each.sweep(w->ctx, &row);
}

/* ---- the walks ---- */

uint64_t reader_count(struct reader *r)
{
    sqlite3_stmt *s = NULL;
    uint64_t n = 0;
    if (sqlite3_prepare_v2(r->db, "SELECT count(*) FROM run", -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW)
        n = whole(s, 0);
    sqlite3_finalize(s);
    return n;
}

bool reader_runs(struct reader *r, bool (*each)(void *, const struct read_run *), void *ctx,
                 char *why, size_t size)
{
    const struct walk w = {.row = run_row, .each.run = each, .ctx = ctx};
    return walk(r, RUN_COLUMNS " ORDER BY id", 0, &w, why, size);
}

bool reader_sweep_runs(struct reader *r, const char *sweep, uint64_t first, uint64_t last,
                       bool (*each)(void *, const struct read_run *), void *ctx, char *why,
                       size_t size)
{
    const struct walk w = {.row = run_row, .each.run = each, .ctx = ctx};
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(
        r->db, RUN_COLUMNS " WHERE sweep_id = ?1 AND job BETWEEN ?2 AND ?3 ORDER BY job", -1, &s,
        NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(s, 1, sweep, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(s, 2, first > INT64_MAX ? INT64_MAX : (int64_t)first);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(s, 3, last > INT64_MAX ? INT64_MAX : (int64_t)last);
    return walk_rows(r, s, rc, &w, why, size);
}

static void tell_which(struct reader *r, int64_t id, char *why, size_t size)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(r->db, "SELECT count(*), min(id), max(id) FROM run", -1, &s, NULL) ==
            SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW && sqlite3_column_int64(s, 0) > 0)
        snprintf(why, size, "%s: has no run %lld: there are %lld, from %lld to %lld", r->path,
                 (long long)id, (long long)sqlite3_column_int64(s, 0),
                 (long long)sqlite3_column_int64(s, 1), (long long)sqlite3_column_int64(s, 2));
    else
        snprintf(why, size, "%s: holds no run: record some with vibesim run FILE.lua --db %s",
                 r->path, r->path);
    sqlite3_finalize(s);
}

bool reader_run(struct reader *r, int64_t id, struct read_run *out, char *why, size_t size)
{
    int rc = SQLITE_OK;
    if (r->run)
        sqlite3_reset(r->run);
    else
        rc = sqlite3_prepare_v2(r->db, RUN_COLUMNS " WHERE id = ?1", -1, &r->run, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(r->run, 1, id);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(r->run);
    if (rc == SQLITE_ROW)
        take_run(r->run, out);
    else if (rc == SQLITE_DONE)
        tell_which(r, id, why, size);
    else
        read_error(r->path, r->db, rc, why, size);
    return rc == SQLITE_ROW;
}

#define WALK(name, member, row_type, sql)                                                          \
    bool reader_##name(struct reader *r, int64_t run, bool (*each)(void *, const row_type *),      \
                       void *ctx, char *why, size_t size)                                          \
    {                                                                                              \
        const struct walk w = {.row = member##_row, .each.member = each, .ctx = ctx};              \
        assert(run > 0);                                                                           \
        return walk(r, sql, run, &w, why, size);                                                   \
    }

WALK(nodes, node, struct read_node,
     "SELECT no, role, region, version, final_height, final_tip FROM node WHERE run_id = ?1"
     " ORDER BY no")
WALK(events, event, struct read_event,
     "SELECT seq, t_ns, node, kind, peer, link, msg, bytes, detail FROM event WHERE run_id = ?1"
     " ORDER BY seq")
WALK(checks, check, struct read_check,
     "SELECT name, kind, ok, t_ns, detail FROM check_result WHERE run_id = ?1 ORDER BY rowid")
WALK(metrics, metric, struct read_metric,
     "SELECT name, node, value FROM metric WHERE run_id = ?1 ORDER BY rowid")
WALK(blocks, block, struct read_block,
     "SELECT hash, height, parent, miner, mined_ns FROM block WHERE run_id = ?1"
     " ORDER BY mined_ns, hash")
WALK(arrivals, arrival, struct read_arrival,
     "SELECT block_hash, node, t_ns FROM arrival WHERE run_id = ?1"
     " ORDER BY block_hash, t_ns, node")
WALK(decisions, decision, struct read_decision,
     "SELECT no, t_ns, kind, params, taken FROM decision WHERE run_id = ?1 ORDER BY no")
WALK(marks, mark, struct read_mark,
     "SELECT t_ns, events, hash FROM mark WHERE run_id = ?1 ORDER BY t_ns")

bool reader_sweeps(struct reader *r, bool (*each)(void *, const struct read_sweep *), void *ctx,
                   char *why, size_t size)
{
    const struct walk w = {.row = sweep_row, .each.sweep = each, .ctx = ctx};
    return walk(r,
                "SELECT id, shard, shards, plan, build, runs, complete FROM sweep"
                " ORDER BY id, shard",
                0, &w, why, size);
}
