/* The arguments of vibesim's commands. Each parser tells one line on stderr for the first thing
 * that is wrong, with what would be right, and returns false. */
#ifndef VIBESIM_CLI_ARGS_H
#define VIBESIM_CLI_ARGS_H

#include "scenarios/engine.h"
#include "store/recorder.h"
#include "vibesim/core_load.h"
#include "vibesim/export.h"
#include "vibesim/seeds.h"
#include "vibesim/trace_filter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum args_rows { ROWS_AUTO, ROWS_ALL, ROWS_FAILED };

struct args_run {
    const char *file;   /* the first; all text is argv's */
    const char **files; /* all of them */
    size_t file_count;
    uint64_t seed;
    bool seed_given;
    struct seeds seeds; /* count 0: not given */
    uint32_t jobs;      /* 0: not given */
    enum args_rows rows;
    struct trace_filter trace; /* count 0: not given */
    const char *trace_file;    /* NULL: stderr */
    struct export_args exports;
    struct engine_param *params; /* the keys are copies */
    size_t param_count;
    struct core_list cores;
    const char *without; /* as typed, or NULL */
    uint32_t *left_out;  /* its numbers, ascending */
    size_t left_out_count;
    bool has_only;
    uint32_t *only; /* its numbers, ascending */
    size_t only_count;
    uint64_t until_ns; /* 0: not given */
    const char *db;
    const char *sweep;  /* set by a worker: the sweep that its run is of, or NULL */
    uint64_t sweep_job; /* its number in there */
    bool db_is_part;    /* set by a worker: its run is gathered into the record */
    enum record_level record;
    uint64_t salt; /* 0: none */
    enum engine_world world;
    uint32_t speed; /* [1] */
    bool swarm, audit, verify, json, quiet, help;
};

struct args_list {
    const char *folder; /* or NULL */
    bool json, help;
};

struct args_redact {
    const char *file, *out;
    bool keep_id, help;
};

/* argv holds what stands behind the command's name. */
bool args_run_parse(struct args_run *args, int argc, char **argv);
void args_run_free(struct args_run *args);
bool args_list_parse(struct args_list *args, int argc, char **argv);
bool args_redact_parse(struct args_redact *args, int argc, char **argv);

const char *args_record_name(enum record_level level);
const char *args_world_name(enum engine_world world);

#endif
