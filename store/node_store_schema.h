/* What a node's store is on disk: the mark that makes the file ours, its tables, how an older file
 * is brought up to date, and the words for what can be wrong with it. */
#ifndef STORE_NODE_STORE_SCHEMA_H
#define STORE_NODE_STORE_SCHEMA_H

#include "store/node_store.h"

#include <sqlite3.h>

#define STORE_SCHEMA_APPLICATION_ID 0x56696243u /* "VibC" */
#define STORE_SCHEMA_VERSION        1

/* The largest value that is stored or read back: more than any block, which fits in a frame of
 * 10 MiB (PROTOCOL-0.1 section 1). A larger one in the file is damage. */
#define STORE_VALUE_MAX (16u << 20)

/* One version of the tables, and the way to it. The table meta is the same in every version. */
struct store_schema {
    int version;
    const char *create;       /* the tables of a new file, but for meta */
    const char *const *lifts; /* lifts[i] changes the tables of version i + 1 to those of i + 2;
                                 version - 1 of them, NULL when there is none */
};

extern const struct store_schema store_schema_now;

/* Where a refusal is told; see node_store_open. */
struct store_why {
    enum node_store_problem problem;
    char *text;
    size_t size;
};

/* Keeps a refusal. Always false. */
bool store_refuse(struct store_why *why, enum node_store_problem problem, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Looks at the head of the file without SQLite, which may write beside what it merely reads. True
 * if there is none, an empty one, or one that says it is ours and not newer. */
bool store_schema_look(const char *path, const struct store_schema *schema, struct store_why *why);

/* Opens or makes the database of a folder that is locked, brings it up to date and switches to WAL.
 * A log that was found beside it stays when the database is closed, unless the caller clears
 * SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE. NULL: refused, and nothing changed but that an interrupted
 * transaction may have been undone. */
sqlite3 *store_schema_open(const char *path, const struct store_schema *schema,
                           const struct node_store_options *options, struct store_why *why);

/* What a failed call means for a node, and in *text one line that tells it. path: as it is to be
 * shown. */
enum node_store_problem store_schema_error(const char *path, sqlite3 *db, int rc, char *text,
                                           size_t size);

#endif
