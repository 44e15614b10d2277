/* One run as vibesim makes it, whoever asked for it: `vibesim run`, or a worker of many seeds. It
 * opens the record, runs once or (--verify) twice, judges, and closes the record; it prints nothing
 * but what its report and its trace print while it runs. */
#ifndef VIBESIM_CLI_SESSION_H
#define VIBESIM_CLI_SESSION_H

#include "vibesim/cli_report.h"
#include "vibesim/cli_run.h"
#include "vibesim/cli_trace.h"
#include "vibesim/cli_verify.h"
#include "vibesim/export.h"
#include "vibesim/record.h"
#include "vibesim/rerun.h"

/* What stands in a record's `reason` in front of how two runs of --verify differ. */
#define SESSION_NOT_DETERMINISTIC "not deterministic: "

struct session {
    const struct args_run *args; /* all three borrowed */
    struct engine *engine;
    const char *params;      /* canonical JSON */
    struct cli_trace *trace; /* NULL: nothing is traced */
    struct export *export;   /* NULL: nothing is exported */
    char drawn[RUN_PARAMS_SIZE]; /* params in swarm mode: each seed has its own */
    struct engine_options options;
    struct recorder *recorder; /* NULL: not recorded */
    int64_t run_id;
    struct record record;
    struct report report;
    struct verify verify;
    struct progress progress;
    struct engine_result first, second;
    uint64_t wall_ms; /* of the first run */
    bool watched;     /* set after session_open: how far it is shows whatever args say */
    struct report_end end;
    bool trouble; /* a file that cannot be written was in the way: nothing is known of the run */
    char reason[1024];
};

/* Opens what the run writes. False with a line in reason: then no file was made, and the session
 * needs no close. */
bool session_open(struct session *s, const struct args_run *args, struct engine *engine,
                  const char *params, struct cli_trace *trace);

/* The row that a run of these arguments has in a record; it borrows all of them, and room for
 * options. False with a line in why. */
bool session_row(struct recorder_run *row, const struct args_run *args, const struct engine *engine,
                 const char *params, char options[RERUN_OPTIONS_SIZE], char *why, size_t size);

/* Lets the first run be exported; e stays the caller's, who closes it after the session's run. */
void session_export(struct session *s, struct export *e);

/* Runs and judges: the exit status. What there is to tell is in report, end and reason. */
int session_run(struct session *s);

/* Whether anything happened before the scenario turned out wrong. */
bool session_began(const struct session *s);

void session_close(struct session *s);

/* Instead of session_run and session_close: as if it had never been opened. */
void session_abandon(struct session *s);

/* Takes SIGINT and SIGTERM: the first one stops a run soon, a second one ends the process. May be
 * called again: a signal that has come is not forgotten. */
void session_signals(void);

/* Becomes nonzero once a run is to stop. */
const volatile sig_atomic_t *session_interrupt(void);

#endif
