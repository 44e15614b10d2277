/* Captures: all that a node was given, in a file, so that it can be lived again.
 *
 * A node is a pure function of its configuration and of its events and drains (core/node.h). A
 * capture holds the configuration, the build, every event with its time, each drain, and now and
 * then the node's hash; the replay (trace/replay.h) steps another node through them and compares
 * the hashes.
 *
 * The writer appends to a mapped file and makes no system call for an event: what was written
 * survives SIGKILL, and a reader stops at the first record that is not whole. The file is made with
 * mode 0600, since it holds the node's seed and what its peers said. When the disk is full the
 * capture ends with a message, and the node goes on.
 *
 * Format (little-endian), version 1: see trace/README.md. */
#ifndef TRACE_CAPTURE_H
#define TRACE_CAPTURE_H

#include "core/node.h"

/* ---- writing ---- */

struct capture;

#define CAPTURE_HASH_EVERY 10000u /* events between two hashes */

/* Makes the file, which must not exist. build is the core's (struct vn_api's). NULL, and one line
 * in why: it exists, or cannot be made. The file is locked (flock) until the capture ends. */
struct capture *capture_new(const char *path, const struct vn_config *config, const char *build,
                            char *why, size_t size);

/* The same for a copy in which names were replaced (trace/redact.h): it says so of itself. */
struct capture *capture_new_redacted(const char *path, const struct vn_config *config,
                                     const char *build, char *why, size_t size);

/* Before the event is given to the node. */
void capture_event(struct capture *capture, const struct vn_event *event);

/* vn_node_next_action has been called until it said false. hash is vn_node_hash now; it is kept
 * each CAPTURE_HASH_EVERY events. */
void capture_drained(struct capture *capture, uint64_t hash);

/* The node's hash at the end; then the file is whole. Frees the capture. */
void capture_close(struct capture *capture, uint64_t hash);

/* Ends it where it stands, as a killed process would have left it. Frees the capture. */
void capture_abandon(struct capture *capture);

/* "" while all is well; else why the capture has ended early, one line. */
const char *capture_error(const struct capture *capture);
uint64_t capture_bytes(const struct capture *capture);

/* ---- reading ---- */

enum capture_kind { CAPTURE_EVENT, CAPTURE_DRAINED, CAPTURE_HASH, CAPTURE_END };

struct capture_record {
    enum capture_kind kind;
    struct vn_event event; /* what it points to is valid until the next call; buffers are fresh
                              ones, which a node may keep */
    uint64_t hash;         /* of HASH and END */
};

struct capture_reader;

/* NULL, and one line in why: it cannot be read, is no capture, is of another version, or damaged
 * before the first record. */
struct capture_reader *capture_reader_new(const char *path, char *why, size_t size);
/* The same over bytes in memory, which are borrowed. */
struct capture_reader *capture_reader_over(const uint8_t *data, size_t len, char *why, size_t size);
void capture_reader_free(struct capture_reader *reader);

/* Fills in everything but on_trace, trace_ctx and shared; its pointers are valid as long as the
 * reader. */
void capture_reader_config(const struct capture_reader *reader, struct vn_config *config);
const char *capture_reader_build(const struct capture_reader *reader);
uint32_t capture_reader_api_version(const struct capture_reader *reader); /* of that build */
bool capture_reader_redacted(const struct capture_reader *reader);
/* Whether a process was writing the file when it was opened. */
bool capture_reader_live(const struct capture_reader *reader);
/* The fields of the configuration that the file does not have, since an older build wrote it: they
 * have their defaults. "" if it has all. */
const char *capture_reader_missing(const struct capture_reader *reader);

/* False at the end. Then capture_reader_torn tells whether the file ends early (a killed node): all
 * records before that are good. */
bool capture_reader_next(struct capture_reader *reader, struct capture_record *out);
bool capture_reader_torn(const struct capture_reader *reader);
/* Where the file ends early not because its writer was killed, but because a record is not what was
 * written or cannot be read: one line. "" otherwise. */
const char *capture_reader_damage(const struct capture_reader *reader);
/* Starts again with the first record. */
void capture_reader_rewind(struct capture_reader *reader);

/* Where the next record begins, and the size of the file. */
uint64_t capture_reader_at(const struct capture_reader *reader);
uint64_t capture_reader_size(const struct capture_reader *reader);

#endif
