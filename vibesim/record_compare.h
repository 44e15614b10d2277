/* Two recorded runs that should be one, held against each other: whether they are the same, and if
 * not, from when on they differ. */
#ifndef VIBESIM_RECORD_COMPARE_H
#define VIBESIM_RECORD_COMPARE_H

#include "store/reader.h"

/* A run of a record. */
struct compared {
    struct reader *reader; /* borrowed */
    int64_t run;
};

struct compare_result {
    bool same;          /* as far as both go */
    bool whole;         /* both have a trace hash: nothing is left to compare */
    uint64_t hashes[2]; /* trace hashes, where they have one */
    uint64_t marks;     /* that both have, and how many of them are equal */
    uint64_t marks_equal;
    /* If not same: the first difference lies after from_ns (so many events) and before to_ns. */
    uint64_t from_ns, from_events;
    uint64_t to_ns; /* UINT64_MAX: at the end, after the last mark that both have */
    uint64_t to_events[2];
    /* Where the runs' event rows show it: the first row that differs. */
    bool has_row;
    bool rows_end[2];   /* this one had no such row */
    char rows[2][400];  /* in words */
    uint64_t row_t_ns;  /* of the first of the two in time */
    int64_t row_node;   /* of that, or -1 */
    uint64_t rows_same; /* rows before it */
    /* Results, where all of that is equal. */
    char results[400];
};

/* again: the second was made to be the first again; else what was asked for must be the same.
 * False, with a line in why: the two cannot be compared (that differs, or nothing was kept to
 * compare), or a file cannot be read on. */
bool record_compare(const struct compared two[2], bool again, struct compare_result *out, char *why,
                    size_t size);

/* The level that a run was recorded at, by its rows. */
bool record_compare_level(const struct compared *one, int *level, char *why, size_t size);

#endif
