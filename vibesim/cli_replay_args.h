/* The arguments of `vibesim replay`: of a capture, or of a record. */
#ifndef VIBESIM_CLI_REPLAY_ARGS_H
#define VIBESIM_CLI_REPLAY_ARGS_H

#include "vibesim/trace_filter.h"

#include <stdbool.h>
#include <stdint.h>

struct args_replay {
    const char *file;          /* all text is argv's */
    struct trace_filter trace; /* count 0: not given; every term is of all nodes */
    const char *until;         /* as typed, or NULL: events of a capture, seconds of a run */
    uint64_t until_events;     /* of a capture; 0: not given, or no number of events */
    uint64_t until_ns;         /* of a run; 0: the same */
    bool json, help;
    /* Of a record alone: */
    uint64_t run; /* 0: not given */
    const char *scenario, *with, *against;
    uint64_t against_run; /* 0: not given */
    uint64_t event;
    bool has_event;
    struct trace_host node; /* number 0: not given */
    bool dump, step, hashes;
};

/* Tells one line on stderr for the first thing that is wrong and returns false. */
bool args_replay_parse(struct args_replay *args, int argc, char **argv);

/* What is only of a capture, and only of a record: the first option given of that kind, or NULL. */
const char *args_replay_capture_only(const struct args_replay *args);
const char *args_replay_record_only(const struct args_replay *args);

#endif
