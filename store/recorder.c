/* The run recorder's front: opens a run, turns calls into rows, finishes the run. See recorder.h.
 *
 * Happy path: recorder_open claims the file, commits the run's row, and starts the writer; rows go
 * into the ring; recorder_finish waits for the writer, writes the result and closes. Failure modes:
 * a file that is not ours is refused before anything is written; a disk that fills up later is kept
 * as the first error, for recorder_error while the run goes on and for recorder_finish in any case.
 */
#include "store/recorder.h"

#include "store/recorder_runs.h"
#include "store/recorder_schema.h"
#include "store/recorder_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DETAIL_MAX 120u

struct recorder {
    struct writer writer;
    struct schema_file file;
    char *path;
};

static void recorder_free(struct recorder *r)
{
    sqlite3_close(r->writer.db);
    free(r->path);
    free(r);
}

struct recorder *recorder_open(const char *path, const struct recorder_run *run, char *why,
                               uint32_t why_size)
{
    struct recorder *r = calloc(1, sizeof *r);
    if (!r || !(r->path = strdup(path))) {
        snprintf(why, why_size, "%s: out of memory", path);
        free(r);
        return NULL;
    }
    r->writer.path = r->path;
    if (!schema_claim(path, &r->file, why, why_size)) {
        recorder_free(r);
        return NULL;
    }
    struct writer *w = &r->writer;
    r->file.scratch = run->scratch;
    w->db = schema_open(path, &r->file, why, why_size);
    bool ok = w->db;
    if (ok) {
        int rc = runs_insert(w->db, run, &w->run_id);
        ok = rc == SQLITE_OK;
        if (!ok)
            schema_error(path, w->db, rc, why, why_size);
    }
    if (ok) {
        ok = writer_start(w, why, why_size);
        if (!ok)
            runs_delete(w->db, w->run_id);
    }
    if (ok)
        return r;
    sqlite3_close(w->db);
    w->db = NULL;
    schema_unclaim(path, &r->file);
    recorder_free(r);
    return NULL;
}

int64_t recorder_run_id(const struct recorder *r)
{
    return r->writer.run_id;
}

static struct row_text text_of(const char *s)
{
    struct row_text text = {s, s ? strlen(s) : 0};
    return text;
}

static struct row_text hash_of(const uint8_t *hash)
{
    struct row_text text = {hash, hash ? 32u : 0u};
    return text;
}

void recorder_node(struct recorder *r, uint32_t no, const char *role, const char *region,
                   const char *version)
{
    struct row row = {.kind = ROW_NODE, .no = no};
    struct row_text texts[ROW_TEXTS] = {text_of(role), text_of(region), text_of(version)};
    ring_put(r->writer.ring, &row, texts);
}

void recorder_node_final(struct recorder *r, uint32_t no, uint64_t height, const uint8_t tip[32])
{
    struct row row = {.kind = ROW_NODE_FINAL, .no = no, .n = {runs_clamp(height)}};
    struct row_text texts[ROW_TEXTS] = {hash_of(tip)};
    ring_put(r->writer.ring, &row, texts);
}

void recorder_event(struct recorder *r, const struct recorder_event *e)
{
    struct row row = {
        .kind = ROW_EVENT,
        .no = e->node,
        .n = {runs_clamp(e->seq), runs_clamp(e->t_ns), e->peer, runs_clamp(e->link),
              runs_clamp(e->bytes)},
    };
    struct row_text texts[ROW_TEXTS] = {text_of(e->kind), text_of(e->msg), text_of(e->detail)};
    if (texts[2].len > DETAIL_MAX) {
        texts[2].len = DETAIL_MAX;
        while (texts[2].len && ((uint8_t)e->detail[texts[2].len] & 0xc0) == 0x80)
            texts[2].len--;
    }
    ring_put(r->writer.ring, &row, texts);
}

void recorder_check(struct recorder *r, const char *name, const char *kind, bool ok, uint64_t t_ns,
                    const char *detail)
{
    struct row row = {.kind = ROW_CHECK, .ok = ok, .n = {runs_clamp(t_ns)}};
    struct row_text texts[ROW_TEXTS] = {text_of(name), text_of(kind), text_of(detail)};
    ring_put(r->writer.ring, &row, texts);
}

void recorder_metric(struct recorder *r, const char *name, int64_t node, double value)
{
    struct row row = {.kind = ROW_METRIC, .n = {node}, .value = value};
    struct row_text texts[ROW_TEXTS] = {text_of(name)};
    ring_put(r->writer.ring, &row, texts);
}

void recorder_block(struct recorder *r, const uint8_t hash[32], uint64_t height,
                    const uint8_t parent[32], int64_t miner, uint64_t mined_ns)
{
    struct row row = {.kind = ROW_BLOCK, .n = {runs_clamp(height), miner, runs_clamp(mined_ns)}};
    struct row_text texts[ROW_TEXTS] = {hash_of(hash), hash_of(parent)};
    ring_put(r->writer.ring, &row, texts);
}

void recorder_arrival(struct recorder *r, const uint8_t hash[32], uint32_t node, uint64_t t_ns)
{
    struct row row = {.kind = ROW_ARRIVAL, .no = node, .n = {runs_clamp(t_ns)}};
    struct row_text texts[ROW_TEXTS] = {hash_of(hash)};
    ring_put(r->writer.ring, &row, texts);
}

void recorder_decision(struct recorder *r, uint32_t no, uint64_t t_ns, const char *kind,
                       const char *params, bool taken)
{
    struct row row = {.kind = ROW_DECISION, .ok = taken, .no = no, .n = {runs_clamp(t_ns)}};
    struct row_text texts[ROW_TEXTS] = {text_of(kind), text_of(params)};
    ring_put(r->writer.ring, &row, texts);
}

void recorder_mark(struct recorder *r, uint64_t t_ns, uint64_t events, uint64_t hash)
{
    char hex[17];
    snprintf(hex, sizeof hex, "%016llx", (unsigned long long)hash);
    struct row row = {.kind = ROW_MARK, .n = {runs_clamp(t_ns), runs_clamp(events)}};
    struct row_text texts[ROW_TEXTS] = {text_of(hex)};
    ring_put(r->writer.ring, &row, texts);
}

const char *recorder_error(const struct recorder *r)
{
    return atomic_load_explicit(&r->writer.failed, memory_order_acquire) ? r->writer.error : NULL;
}

bool recorder_finish(struct recorder *r, const struct recorder_result *result, char *why,
                     uint32_t why_size)
{
    struct writer *w = &r->writer;
    writer_stop(w);
    struct recorder_result given = *result;
    if (recorder_error(r)) {
        /* Rows are missing: the record must not look whole. Where there is no room even for this,
         * the verdict stays "interrupted". */
        given.verdict = "error";
        given.reason = w->error;
        runs_end(w->db, w->run_id, &given);
    } else {
        int rc = runs_end(w->db, w->run_id, &given);
        if (rc == SQLITE_OK) {
            /* A reader may hold the log back: then it stays, as valid as before. */
            rc = sqlite3_wal_checkpoint_v2(w->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
            rc = (rc & 0xff) == SQLITE_BUSY ? SQLITE_OK : rc;
        }
        if (rc != SQLITE_OK)
            writer_fail(w, rc);
    }
    const char *error = recorder_error(r);
    if (error)
        snprintf(why, why_size, "%s", error);
    recorder_free(r);
    return !error;
}

void recorder_abandon(struct recorder *r)
{
    struct writer *w = &r->writer;
    writer_stop(w);
    runs_delete(w->db, w->run_id);
    bool gone = r->file.created && runs_none(w->db);
    sqlite3_close(w->db);
    w->db = NULL;
    if (gone)
        schema_unclaim(r->path, &r->file);
    recorder_free(r);
}
