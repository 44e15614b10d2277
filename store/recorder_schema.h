/* What a VibeNet record is on disk: the mark that makes it ours, its tables, and the words for what
 * can be wrong with a file. */
#ifndef STORE_RECORDER_SCHEMA_H
#define STORE_RECORDER_SCHEMA_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#define SCHEMA_APPLICATION_ID 0x5669624eu /* "VibN" */
#define SCHEMA_VERSION        3

/* How a file was found. */
struct schema_file {
    bool created;     /* it did not exist: this call made it (empty) */
    bool was_empty;   /* it existed with no byte in it */
    uint32_t version; /* of a file with tables: older ones are brought up to date by schema_open */
    bool scratch;     /* need not outlive the machine: nothing waits for the disk */
};

/* Looks at the file before SQLite does, reading no more than its header, and creates an empty one
 * where there is none. Returns false with one line in why if it cannot be ours; then nothing was
 * changed or left behind. */
bool schema_claim(const char *path, struct schema_file *file, char *why, uint32_t why_size);

/* Whether the file is a record of this schema, by its header. False with a line in why: it is not
 * there, not ours, or of another schema. Nothing is changed. */
bool schema_is_record(const char *path, char *why, uint32_t why_size);

/* The same of any schema that this program can bring up to date; *version is the file's. */
bool schema_is_any_record(const char *path, uint32_t *version, char *why, uint32_t why_size);

/* The file as SQLite's URI with a query like "?mode=ro", malloc'ed: whatever its name holds. */
char *schema_uri(const char *path, const char *query);

/* Whether a log that may hold rows lies beside the file. */
bool schema_has_log(const char *path);

/* One of our tables and all of its columns, so that a missing one is told at once: SQLITE_CORRUPT.
 */
int schema_check_tables(sqlite3 *db);

/* Takes back what the claim made: removes a created file and SQLite's companions of it. A file that
 * was there without a byte in it stays. */
void schema_unclaim(const char *path, const struct schema_file *file);

/* Opens a claimed file, makes its tables if it is new, checks them if not, and switches to WAL.
 * NULL with a line in why. */
sqlite3 *schema_open(const char *path, const struct schema_file *file, char *why,
                     uint32_t why_size);

/* One line about a failed call: names the file, what is wrong and the way out. */
void schema_error(const char *path, sqlite3 *db, int rc, char *why, uint32_t why_size);

#endif
