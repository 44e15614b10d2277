/* The thread that writes the rows of one run. */
#ifndef STORE_RECORDER_WRITER_H
#define STORE_RECORDER_WRITER_H

#include "store/recorder_ring.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define WRITER_BATCH_ROWS 10000u
#define WRITER_BATCH_MS   500u

struct writer {
    const char *path; /* of the database, for messages; borrowed */
    sqlite3 *db;      /* the thread's alone from writer_start to writer_stop */
    int64_t run_id;
    struct ring *ring;
    pthread_t thread;
    bool running;
    bool in_batch;
    uint32_t batch_rows;
    uint64_t batch_began_ms;
    sqlite3_stmt *stmts[ROW_KINDS];
    atomic_bool failed; /* error is set and no longer changes */
    char error[600];
};

/* db, path and run_id are set; makes the ring and starts the thread. False with a line in why. */
bool writer_start(struct writer *w, char *why, uint32_t why_size);

/* Waits until all rows are written (or have failed to be), and ends the thread; db is the caller's
 * again. Frees the ring. */
void writer_stop(struct writer *w);

/* Keeps the first error; for the thread, and for the caller after writer_stop. */
void writer_fail(struct writer *w, int rc);

#endif
