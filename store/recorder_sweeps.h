/* The rows of a sweep in a record: begun, gone on with, complete. (store/reader.h reads them.)
 *
 * A sweep's runs are those with its id in run.sweep_id; run.job is their number in its plan, and no
 * two have one. A shard has the jobs with job % shards = shard - 1. Each call is one transaction
 * and leaves no database open. False with a line in why: nothing has changed. */
#ifndef STORE_RECORDER_SWEEPS_H
#define STORE_RECORDER_SWEEPS_H

#include "store/reader.h"

#include <sqlite3.h>

/* Puts the shard into the record, not complete. */
bool sweeps_begin(const char *path, const struct read_sweep *shard, char *why, uint32_t why_size);

/* Its row, in a database that is open: a status of SQLite's. */
int sweeps_insert(sqlite3 *db, const struct read_sweep *shard);

/* Takes out the shard's runs that say nothing of the sweep, to be made again: interrupted ones, and
 * those whose process was killed from outside (by SIGKILL: for want of memory, or by a batch
 * system). */
bool sweeps_go_on(const char *path, const struct read_sweep *shard, char *why, uint32_t why_size);

/* Whether a run is one of those. */
bool sweeps_says_nothing(const struct read_run *run);

bool sweeps_complete(const char *path, const struct read_sweep *shard, char *why,
                     uint32_t why_size);

#endif
