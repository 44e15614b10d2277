/* One record of runs that several processes made: each records into a file of its own (a part), and
 * one process moves the parts' runs into the record, in the order that it likes. So no process ever
 * waits for another one's lock, and the order of the runs does not depend on who was faster.
 *
 * No database stays open between two calls: processes may be forked there. Errors are one line in
 * why, as the recorder's. */
#ifndef STORE_RECORDER_GATHER_H
#define STORE_RECORDER_GATHER_H

#include "store/recorder.h"

#include <stddef.h>

struct gather;

/* Checks or creates the record at path, as recorder_open does, and makes a folder for the parts
 * beside it ("run.db-parts-XXXXXX"). NULL with a line in why: nothing was made. */
struct gather *gather_new(const char *path, char *why, uint32_t why_size);

/* The same for whoever must be the only one, like a sweep: the folder is "run.db-parts", and who
 * has it is known by a lock on a file in it, so that it ends with the process; what one that was
 * killed left in there is removed. NULL, too, while another process has it. */
struct gather *gather_new_alone(const char *path, char *why, uint32_t why_size);

/* Removes the folder with what is left in it, and the record if it was made here and has no run. */
void gather_free(struct gather *g);

/* Where the part of that number is to be recorded: for recorder_open, in any process. */
void gather_part(const struct gather *g, uint64_t number, char *out, size_t size);

/* Moves the part's run behind the record's others and removes the part. *run_id is its number in
 * the record, 0 if the part holds no run. A reason says that the process which made the part died:
 * the run is kept with verdict "error" and that reason. */
bool gather_add(struct gather *g, uint64_t number, const char *reason, int64_t *run_id, char *why,
                uint32_t why_size);

/* Puts a run of which there is no part into the record: one that ended before it began. */
bool gather_add_bare(struct gather *g, const struct recorder_run *run, const char *verdict,
                     const char *reason, int64_t *run_id, char *why, uint32_t why_size);

#endif
