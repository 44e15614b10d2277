/* A file that is written record by record and never ends inside one: what a run exports stays
 * readable when the run is interrupted or the disk is full.
 *
 * Records are gathered in memory and written some at a time. The first write that fails is the
 * last: what it left of a record is cut off again, and its reason kept. */
#ifndef TRACE_OUTFILE_H
#define TRACE_OUTFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct outfile {
    int fd;    /* -1: not open */
    int error; /* errno of the write that failed; 0: none has */
    uint64_t written;
    uint8_t *bytes;
    size_t used, capacity;
};

/* Makes or empties the file. False, with errno, if it cannot be. */
bool outfile_open(struct outfile *out, const char *path);
/* Adds bytes to the record under way. Aborts when memory is out: callers bound their records. */
void outfile_put(struct outfile *out, const void *bytes, size_t size);
/* Ends the record under way. */
void outfile_end_record(struct outfile *out);
/* Writes what is gathered, so that a disk which is full from the start is told at once. False, with
 * errno: then the file is closed. */
bool outfile_begin(struct outfile *out);
/* Writes what is left, then the text, which is tried even behind a failed write; closes. False if
 * anything was not written: error tells why. */
bool outfile_close(struct outfile *out, const char *text);

#endif
