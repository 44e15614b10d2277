/* Runs with all their rows, copied from one record into another under numbers of their own.
 *
 * The record that is written is open; the other one is attached to it as `part`. Which tables and
 * columns there are is asked of both, so that a new one need not be named here, and what an older
 * schema lacks stays NULL. All return a status of SQLite's. */
#ifndef STORE_RECORDER_COPY_H
#define STORE_RECORDER_COPY_H

#include <sqlite3.h>
#include <stdint.h>

#define COPY_NAMES_MAX 32
#define COPY_NAME_SIZE 64

struct copy_names {
    char name[COPY_NAMES_MAX][COPY_NAME_SIZE];
    int count;
};

/* The first column of all rows of a query, in its order; argument: ?1, or NULL. */
int copy_read_names(sqlite3 *db, const char *sql, const char *argument, struct copy_names *out);

/* The tables of main whose rows are of a run. */
int copy_run_tables(sqlite3 *db, struct copy_names *out);

/* part: a path, or a URI where the connection takes one. */
int copy_attach(sqlite3 *db, const char *part);

struct copy {
    sqlite3 *db;
    const char *new_id; /* SQL of the run's number in main, of ?1, t (the row in part), and join */
    const char *join;   /* SQL behind "FROM part.T AS t", up to "= t.[id]"; or NULL */
    int64_t argument;   /* ?1; 0: NULL */
};

/* All rows of the table in part that `join` lets through, run by run in the order of their keys (by
 * rowid where there are none); id: the column with the run's number. A table that part lacks has
 * none. */
int copy_table(const struct copy *copy, const char *table, const char *id);

#endif
