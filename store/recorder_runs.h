/* The row of a run: how it begins, ends and goes. Each of the first three returns a status of
 * SQLite's. */
#ifndef STORE_RECORDER_RUNS_H
#define STORE_RECORDER_RUNS_H

#include "store/recorder.h"

#include <sqlite3.h>

/* With verdict "interrupted", and now as the time when it began. */
int runs_insert(sqlite3 *db, const struct recorder_run *run, int64_t *id);

int runs_end(sqlite3 *db, int64_t id, const struct recorder_result *result);

/* Of a run that did not come to its end: what came before stays as it is. */
int runs_tell(sqlite3 *db, int64_t id, const char *verdict, const char *reason);

/* The run with all its rows, in a transaction of its own. */
int runs_delete(sqlite3 *db, int64_t id);

/* Whether there is none. */
bool runs_none(sqlite3 *db);

/* SQLite's integers end at 2^63 - 1. */
int64_t runs_clamp(uint64_t v);

#endif
