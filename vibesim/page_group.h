/* What many runs of a record tell together, for the report: runs are put into groups of one
 * scenario, its text, parameters (but in swarm mode, where each run draws its own), options, world
 * and build; a group has its verdicts, its checks,
 * its metrics and how its blocks spread. */
#ifndef VIBESIM_PAGE_GROUP_H
#define VIBESIM_PAGE_GROUP_H

#include "store/reader.h"
#include "vibesim/page_curve.h"

#include <jansson.h>

#define GROUPS_MAX        300u
#define GROUP_RUNS_MAX    2000u /* rows of runs that the page holds of a group, ... */
#define GROUP_HELD_MAX    1500u /* and of those that hold: so there is room for failures */
#define GROUP_METRICS_MAX 200u
#define GROUP_CHECKS_MAX  200u
#define GROUP_VALUES_MAX  400u /* of a metric: of more the page holds as many, evenly by rank */

enum { GROUP_PASS, GROUP_FAIL, GROUP_ERROR, GROUP_SKIP, GROUP_INTERRUPTED, GROUP_VERDICTS };

struct group_metric {
    char *name;
    bool per_node;
    double *values;
    size_t count, room;
    size_t missing; /* NaN */
};

struct group_check {
    char *name, *kind;
    uint64_t held, failed;
};

struct group {
    char *scenario, *file, *sha256, *params, *options, *world, *build;
    uint64_t count, verdicts[GROUP_VERDICTS];
    uint64_t events, messages, bytes, sim_ns, wall_ms; /* of all */
    uint32_t nodes_least, nodes_most;
    json_t *runs; /* rows, at most GROUP_RUNS_MAX */
    struct group_metric *metrics;
    size_t metric_count;
    struct group_check *checks;
    size_t check_count;
    struct curve curve;
};

/* All zero: none. */
struct groups {
    struct group *list; /* in the order in which they first came */
    size_t count;
    uint64_t left_out; /* runs that would have made more than GROUPS_MAX */
};

/* Adds one run, with its rows read from r. False with a line in why. */
bool groups_add(struct groups *g, struct reader *r, const struct read_run *run, char *why,
                size_t size);
/* Adds all runs of the record; each: told of each run and its group (`count`: it is left
 * out), or NULL. */
bool groups_read(struct groups *g, struct reader *r,
                 void (*each)(void *ctx, const struct read_run *run, size_t group), void *ctx,
                 char *why, size_t size);
void groups_free(struct groups *g);

json_t *group_json(struct group *group);

/* How runs of two groups differ beside their build and text, in words; "" if they do not, so that
 * they may be compared. Scenarios of different names cannot be. */
void group_difference(const struct group *a, const struct group *b, char *out, size_t size);

#endif
