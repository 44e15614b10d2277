/* The gate of continuous integration: runs of a baseline and runs of this build, side by side by
 * scenario, parameters and seed, and what is judged of them.
 *
 *   gate_baseline.c   a record becomes cases with one side
 *   gate_plan.c       which scenarios, parameters and seeds are run for the other one
 *   gate_figures.c    what a recorded run tells in numbers
 *   gate.c            the judgement
 *   gate_text.c, gate_json.c, gate_junit.c, gate_tap.c, gate_markdown.c, gate_github.c
 *                     tell it
 *
 * The judgement of a metric (compare.h says how it is computed): `worse` if chance alone would
 * raise such an alarm in any metric of the gate with a probability of at most alpha, and the change
 * is beyond the threshold, in the direction that the scenario or the metric's name calls bad. */
#ifndef VIBESIM_GATE_H
#define VIBESIM_GATE_H

#include "vibesim/compare.h"
#include "vibesim/rerun.h"
#include "vibesim/tally.h"

#define GATE_ALPHA     0.01
#define GATE_THRESHOLD 0.02
#define GATE_NOTES_MAX 20u /* failed runs that are told one by one, of a case */

enum gate_change {
    GATE_EQUAL,  /* in every pair */
    GATE_WITHIN, /* chance explains it, or it is within the threshold */
    GATE_BETTER,
    GATE_WORSE, /* fails the gate */
    GATE_MOVED, /* changed, and nobody says which way is better */
    GATE_NEW,   /* only runs of this build tell it */
    GATE_GONE   /* only those of the baseline do */
};

struct gate_metric {
    char *name;
    enum engine_better better;
    double *before, *after; /* by pair of the case; NaN: not told */
    struct compare compare; /* pairs 0: nothing to compare */
    double p;               /* corrected for all metrics of the gate */
    enum gate_change change;
};

/* One run of a pair; all zero while it is not there. */
struct gate_run {
    bool there;
    int64_t id; /* in its record; 0: it has none */
    int status; /* enum cli_status */
    bool has_hash;
    uint64_t hash;
    uint64_t wall_ms;
    char *verdict, *reason; /* NULL in runs that hold */
};

struct gate_pair {
    uint64_t seed;
    struct gate_run before, after;
};

/* A scenario with one set of parameters. */
struct gate_case {
    char *name, *label; /* label: with the parameters where there are several of that name */
    char *sha256, *params, *options; /* of the baseline's runs; params: of the case */
    char *file;                      /* where the scenario is now; NULL: it is gone */
    char *file_before;               /* as the baseline names it, or NULL */
    struct rerun again;              /* how to run it */
    struct gate_pair *pairs;         /* by seed, ascending */
    size_t pair_count, pair_room;
    struct gate_metric *metrics;
    size_t metric_count;
    size_t hint;        /* runs tell their metrics in one order: where the next one likely is */
    struct tally tally; /* of the runs of this build: which `sometimes` were hit */
    uint64_t held, failed, skipped, paired, identical, failed_before, worse;
};

struct gate {
    const char *baseline; /* the path; borrowed */
    const char *db;       /* where this build's runs are; borrowed */
    char *build_before;   /* NULL: there is no baseline yet */
    uint64_t runs_before; /* of the baseline, whether used or not */
    double threshold, alpha;
    bool salted; /* runs of --salt may stand in the baseline, too: to calibrate [false] */
    struct gate_case *cases;
    size_t case_count;
    /* From here on gate_judge's. */
    size_t tested;   /* metrics that chance could have raised an alarm in */
    size_t needed;   /* pairs below which no test can */
    size_t compared; /* metrics with pairs */
    uint64_t runs, held, failed, skipped, identical,
        paired; /* of this build; paired: with one before */
    uint64_t worse, never;
    bool few; /* some case has fewer pairs than needed */
};

void gate_init(struct gate *gate, const char *baseline);
void gate_free(struct gate *gate);

/* A new case, all zero but its name (copied). The others may move. */
struct gate_case *gate_add_case(struct gate *gate, const char *name);
void gate_case_free(struct gate_case *c);

/* The pair of that seed; NULL if there is none. */
struct gate_pair *gate_find_pair(struct gate_case *c, uint64_t seed);
/* The same; made if there is none, which moves those behind it. */
struct gate_pair *gate_add_pair(struct gate_case *c, uint64_t seed);
/* Leaves out the pairs that are not `kept` (by pair), with their figures. */
void gate_keep_pairs(struct gate_case *c, const bool *kept);

/* A figure of one side of a pair (by its place). */
void gate_set_figure(struct gate_case *c, size_t pair, bool after, const char *name, double value);

/* Which way the metric gets better by its name alone: less for what ends in _s, _ms, _us, _ns or
 * _bytes, and for the figures of every run that cost something. */
enum engine_better gate_better_by_name(const char *name);

/* Judges all cases: fills in everything that says so above. Directions are those of the loaded
 * scenarios, then of the names. */
void gate_judge(struct gate *gate);

/* Whether the case lets the gate pass; whether all of them do. */
bool gate_case_holds(const struct gate_case *c);
bool gate_holds(const struct gate *gate);

const char *gate_change_name(enum gate_change change);

/* "gone", "new", "skip", "fail", "pass". */
const char *gate_case_verdict(const struct gate_case *c);

char *gate_copy(const char *text); /* NULL for NULL */

#endif
