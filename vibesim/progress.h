/* How far a run is, or many, for a person who waits: on a terminal one line on stderr, rewritten at
 * most ten times a second; elsewhere a plain line at most every five seconds, and
 * later at most every minute. It reads the clock and changes nothing. */
#ifndef VIBESIM_PROGRESS_H
#define VIBESIM_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct progress {
    FILE *out; /* NULL: tells nothing */
    bool tty;
    bool shown; /* a line stands on the terminal */
    uint64_t began_ms, next_ms;
    const char *label; /* in front of the line, or "" */
};

struct progress_now {
    uint64_t sim_ns, end_ns, events, messages, tip_height;
    uint32_t nodes;
};

void progress_init(struct progress *p, FILE *out, const char *label);
void progress_update(struct progress *p, const struct progress_now *now);

/* The same for many runs at once, with a bar on a terminal. */
struct progress_runs {
    uint64_t done, all, failed;
    uint64_t before; /* of those that are done, the ones that were so at the start */
};

void progress_update_runs(struct progress *p, const struct progress_runs *runs);
/* Its text: "12 of 20 runs, 1 failed, 1.5 runs/s, 5 s left". */
void progress_runs_line(char *out, size_t size, const struct progress_runs *runs,
                        uint64_t elapsed_ms);

/* The same for the replay of a capture. */
struct progress_replay {
    uint64_t bytes, bytes_all, events;
};

void progress_update_replay(struct progress *p, const struct progress_replay *replay);
/* Its text: "12,345 events, 40% of the file, 8 s left". */
void progress_replay_line(char *out, size_t size, const struct progress_replay *replay,
                          uint64_t elapsed_ms);

/* Takes the line off the terminal, before anything else is printed and at the end. */
void progress_clear(struct progress *p);

/* The line's text without its ends, for elapsed_ms of real time. */
void progress_line(char *out, size_t size, const char *label, const struct progress_now *now,
                   uint64_t elapsed_ms);

#endif
