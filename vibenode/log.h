/* The log of a node: lines for a person or JSON for a machine, a level per category, to stderr or
 * to a file.
 *
 *     2026-03-01T12:00:00.123Z warning score bans 192.0.2.7:8765 peer=192.0.2.7:8765 link=4
 *
 * What peers said is data: it is escaped in both formats, so that no byte of it can end a line,
 * forge another one or speak to the terminal. Lines of one kind that come faster than the rate
 * allows are counted instead of written, and the count is told, so that no peer can fill the disk.
 *
 * A line is one write(2). One that cannot be written (a full disk, a closed pipe) is dropped and
 * counted, and told when writing works again: a log never stops its node. */
#ifndef VIBENODE_LOG_H
#define VIBENODE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level {
    LOG_LEVEL_ERROR,   /* something is broken */
    LOG_LEVEL_WARNING, /* the operator should know */
    LOG_LEVEL_INFO,    /* what happens in a day that is worth a line */
    LOG_LEVEL_DEBUG,   /* each dial, block, transaction */
    LOG_LEVEL_TRACE,   /* each message */
    LOG_LEVELS
};

enum log_category {
    LOG_NET,
    LOG_PEER,
    LOG_CHAIN,
    LOG_TX,
    LOG_SCORE,
    LOG_SYNC,
    LOG_STORE,
    LOG_HTTP,
    LOG_NODE,
    LOG_CATEGORIES
};

/* "warning", "score"; for numbers in range. */
const char *log_level_name(uint32_t level);
const char *log_category_name(uint32_t category);

struct log_options {
    uint8_t levels[LOG_CATEGORIES]; /* enum log_level: what is less important is not written */
    bool json;
    uint32_t rate;    /* lines a second of one kind, after a burst of five times as many; 0: all */
    const char *file; /* borrowed; NULL: stderr */
};

void log_options_init(struct log_options *options);

/* The clocks, for tests; both in nanoseconds. */
struct log_clock {
    uint64_t (*wall_ns)(void *ctx); /* since 1970 */
    uint64_t (*now_ns)(void *ctx);  /* monotonic */
    void *ctx;
};

struct log;

/* clock NULL: the system's. NULL with one line in why if the file cannot be opened. */
struct log *log_new(const struct log_options *options, const struct log_clock *clock, char *why,
                    size_t size);
void log_free(struct log *log);

/* Takes over other options and opens the file again (it may have been rotated away). False with one
 * line in why if that fails: then all stays as it was. */
bool log_set(struct log *log, const struct log_options *options, char *why, size_t size);

/* A value beside the message. */
struct log_field {
    const char *key;  /* our own word */
    const char *text; /* any bytes; NULL: the number */
    uint64_t number;
    bool machine; /* in JSON alone: a person has it from the message */
};

#define LOG_FIELDS_MAX 8u

/* Whether a line of that level would be written: to be asked before work is done for it. */
bool log_wants(const struct log *log, enum log_level level, enum log_category category);

/* Writes a line, if its level is wanted and its kind has room. kind tells which lines are alike,
 * by its address: a literal. */
void log_fields(struct log *log, enum log_level level, enum log_category category, const char *kind,
                const struct log_field *fields, uint32_t count, const char *format, ...)
    __attribute__((format(printf, 7, 8)));

/* Likewise without fields. */
void log_line(struct log *log, enum log_level level, enum log_category category, const char *kind,
              const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Lines of that level written so far. */
uint64_t log_written(const struct log *log, enum log_level level);

/* Tells what was not written. To be called about once a second. */
void log_tick(struct log *log);

#endif
