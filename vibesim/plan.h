/* The plan of a sweep: what it is a sweep of. Two sweeps with one plan are one sweep, whoever makes
 * which part of it; so its text stands in each record of a part.
 *
 * Canonical JSON (sorted keys, no spaces): `scenarios` (of each `file`, `name`, `sha256`, `params`
 * with defaults), `seeds` (the shortest list), `params` and `options` as they were asked for
 * (rerun.h), `world`, `record` (the level), `verify`, `shards`. Job `file * seeds + place` is the
 * run of that file with the seed at that place. */
#ifndef VIBESIM_PLAN_H
#define VIBESIM_PLAN_H

#include "vibesim/cli_run.h"

#include <jansson.h>

#define PLAN_ID_SIZE 17

struct plan {
    char *text;
    char id[PLAN_ID_SIZE]; /* the first 16 hex digits of the text's SHA-256 */
    json_t *json;
    struct args_run args; /* the arguments that its runs have in common, without db and cores */
    char *cores;          /* " --core NAME=FILE..." in words for a shell, or "" */
    uint64_t jobs;
    uint32_t shards;
};

/* Of what was asked for, with its scenarios loaded. False with a line in why. */
bool plan_make(struct plan *plan, const struct args_run *args, const struct loaded *loaded,
               uint32_t shards, char *why, size_t size);

/* Of a record's text, which may be anything: no build of the core that it names is loaded. False
 * with a line in why. */
bool plan_read(struct plan *plan, const char *text, char *why, size_t size);

void plan_free(struct plan *plan);

/* What job it is. job < plan->jobs. */
void plan_job(const struct plan *plan, uint64_t job, size_t *file, uint64_t *seed);

const char *plan_scenario(const struct plan *plan, size_t file); /* its name */
const char *plan_sha256(const struct plan *plan, size_t file);   /* its file's, hex */

/* Two plans with different ids: the first thing that matters, "seeds: 1..1000 in a.db, 1..500
 * here" for where_a "in a.db" and where_b "here". */
void plan_difference(char *out, size_t size, const struct plan *a, const char *where_a,
                     const struct plan *b, const char *where_b);

#endif
