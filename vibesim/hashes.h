/* What two builds of vibesim tell each other of one run: a line for each event, by time,
 *
 *     NUMBER T_NS HOST KIND HASH DRAINED
 *
 * with the host's hash after the event and, where the cycle of its node ended with it, after what
 * came of it ("-" elsewhere); and at the end "end T_NS EVENTS TRACE_HASH". HOST is a number from 0
 * on, hashes are 16 hex digits. Where two runs differ first, and whose doing it is, can be seen in
 * the first line that differs. */
#ifndef VIBESIM_HASHES_H
#define VIBESIM_HASHES_H

#include "scenarios/engine.h"
#include "vibesim/rerun.h"
#include "vibesim/trace_filter.h"

struct hashes_line {
    uint64_t number, t_ns; /* of the end: the events, and the run's time */
    uint32_t host, kind;
    uint64_t hash, drained; /* of the end: the trace hash, 0 */
    bool has_drained, end;
    struct trace_host who; /* the host's name; of our own lines, not of those that were read */
};

/* Makes the run and hands each line out; false from `each` ends it. False if it was ended so, or by
 * SIGINT. */
bool hashes_run(const struct rerun *rerun, bool (*each)(void *ctx, const struct hashes_line *line),
                void *ctx);

/* As a line of text without its end. */
void hashes_print(char *out, size_t size, const struct hashes_line *line);
/* And back; false: it is none. */
bool hashes_read(struct hashes_line *line, const char *text);

/* Makes the run here and by another program at the same time, which is called as
 *     PROGRAM replay DB --run ID --hashes [--scenario FILE]
 * and compares line by line. */
struct hashes_with {
    const char *program, *db, *scenario;
    int64_t run;
};

struct hashes_difference {
    bool differs, interrupted;
    struct hashes_line lines[2]; /* here, there */
    uint64_t equal;              /* lines before */
};

/* False, with a line in why: the other program does not do as it should. */
bool hashes_compare(const struct rerun *rerun, const struct hashes_with *with,
                    struct hashes_difference *out, char *why, size_t size);

#endif
