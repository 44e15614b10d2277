/* Captures: all that a node was given, in a file, so that it can be lived again.
 *
 * A node is a pure function of its configuration and of its events and drains (core/node.h). A
 * capture holds the configuration, the build, every event with its time, each drain, and now and
 * then the node's hash; the replay steps another node through them and compares the hashes.
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

/* Makes the file, which must not exist. build is the core's (struct vn_api's). NULL, and one line in
 * why: it exists, or cannot be made. */
struct capture *capture_new(const char *path, const struct vn_config *config, const char *build,
                            char *why, size_t size);

/* Before the event is given to the node. */
void capture_event(struct capture *capture, const struct vn_event *event);

/* vn_node_next_action has been called until it said false. hash is vn_node_hash now; it is kept each
 * CAPTURE_HASH_EVERY events. */
void capture_drained(struct capture *capture, uint64_t hash);

/* The node's hash at the end; then the file is whole. Frees the capture. */
void capture_close(struct capture *capture, uint64_t hash);

/* "" while all is well; else why the capture has ended early, one line. */
const char *capture_error(const struct capture *capture);
uint64_t capture_bytes(const struct capture *capture);

/* ---- reading ---- */

enum capture_kind { CAPTURE_EVENT, CAPTURE_DRAINED, CAPTURE_HASH, CAPTURE_END };

struct capture_record {
    enum capture_kind kind;
    struct vn_event event; /* what it points to is valid until the next call */
    uint64_t hash;         /* of HASH and END */
};

struct capture_reader;

/* NULL, and one line in why: it cannot be read, is no capture, is of another version, or damaged
 * before the first record. */
struct capture_reader *capture_reader_new(const char *path, char *why, size_t size);
void capture_reader_free(struct capture_reader *reader);

/* Fills in everything but on_trace, trace_ctx and shared; its pointers are valid as long as the
 * reader. */
void capture_reader_config(const struct capture_reader *reader, struct vn_config *config);
const char *capture_reader_build(const struct capture_reader *reader);
bool capture_reader_redacted(const struct capture_reader *reader);

/* False at the end. Then capture_reader_torn tells whether the file ends early (a killed node): all
 * records before that are good. */
bool capture_reader_next(struct capture_reader *reader, struct capture_record *out);
bool capture_reader_torn(const struct capture_reader *reader);

#endif
