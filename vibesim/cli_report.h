/* What a run tells a person or, with --json, a program. Collects checks, metrics and the last
 * events that matter while the run goes on, and tells the steps as they happen. */
#ifndef VIBESIM_CLI_REPORT_H
#define VIBESIM_CLI_REPORT_H

#include "scenarios/engine.h"
#include "vibesim/cli_args.h"
#include "vibesim/cli_term.h"
#include "vibesim/progress.h"

#define REPORT_STORY 20u /* the last events that a failure shows */

struct report_check {
    char *name, *kind, *detail; /* detail may be NULL */
    uint64_t t_ns;
    bool ok;
};

struct report_metric {
    char *name;
    int64_t host;
    double value;
};

struct report {
    const struct args_run *args;
    const struct engine_about *about;
    struct progress *progress; /* taken off the terminal before a line is printed */
    struct term_style style;
    bool human; /* not --json and not --quiet */
    struct report_check *checks;
    size_t check_count;
    struct report_metric *metrics;
    size_t metric_count;
    char story[REPORT_STORY][200];
    uint32_t story_count;
    uint32_t steps_shown;
};

/* How the run ended, all told. */
struct report_end {
    const struct engine_result *result;
    enum cli_verdict {
        VERDICT_PASS,
        VERDICT_FAIL,
        VERDICT_ERROR,
        VERDICT_INTERRUPTED,
        VERDICT_SKIP
    } verdict;
    const char *reason; /* or NULL */
    const char *params; /* canonical JSON */
    uint64_t wall_ms;
    int64_t run_id; /* 0: not recorded */
    enum { VERIFY_NOT_ASKED, VERIFY_EQUAL, VERIFY_DIFFERENT, VERIFY_NOT_DONE } verified;
};

const char *report_verdict_name(enum cli_verdict verdict);

void report_init(struct report *r, const struct args_run *args, const struct engine_about *about,
                 struct progress *progress);
void report_deinit(struct report *r);

/* The title, before the run. */
void report_begin(struct report *r, const char *params);

/* While it runs; host -1: none. */
void report_step(struct report *r, uint64_t t_ns, const char *kind, const char *detail);
void report_log(struct report *r, uint64_t t_ns, const char *text);
void report_story(struct report *r, const char *line); /* oldest first */
void report_check(struct report *r, uint64_t t_ns, const char *name, const char *kind, bool ok,
                  const char *detail);
void report_metric(struct report *r, const char *name, int64_t host, double value);

/* The result for a person. */
void report_end(struct report *r, const struct report_end *end);

/* The result as one JSON object with sorted keys. */
void report_json(const struct report *r, const struct report_end *end);
/* The same on one line, malloc'ed. */
char *report_json_line(const struct report *r, const struct report_end *end);

/* The lines above a run or a table: "name - what, param=value", and what the scenario is about. */
void report_title(const struct term_style *style, const struct engine_about *about,
                  const char *what, const char *params);

/* Whether the check makes its run fail: a `sometimes` does not, it is judged over many seeds. */
bool report_failed(const struct report_check *c);

/* " --core NAME=FILE" for each build of the core that was given. */
void report_cores(const struct args_run *args);

/* The command, and its line's end, that repeats a run of these arguments. */
void report_command(const struct args_run *args, const char *file, uint64_t seed);
/* The same into any file, without its line's end. */
void report_command_put(FILE *f, const struct args_run *args, const char *file, uint64_t seed);
/* The same with more words behind it, each with a blank in front. */
void report_command_with(const struct args_run *args, const char *file, uint64_t seed,
                         const char *words);

#endif
