/* The decision log: every fault of a scenario is written down, with all that makes it, before it is
 * carried out, under a number that counts the decisions of the run. The same scenario, parameters
 * and seed number them alike, so a tool can leave some out and run again
 * (engine_options.without): then decision_take returns false, the caller does nothing, and what
 * would end the fault later does nothing either.
 *
 *     struct decision d;
 *     decision_begin(&d, "partition");
 *     decision_hosts(&d, "a", a->hosts, a->n);
 *     decision_flag(&d, "one_way", one_way);
 *     if (!decision_take(run, &d))
 *         return ...;
 *
 * A fault that the script both begins and ends is one decision; one that is over by itself
 * (`lasting` seconds) has its end among the parameters. */
#ifndef SCENARIOS_DECISION_H
#define SCENARIOS_DECISION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct run;
struct sim_dist;

#define DECISION_JSON 1900u /* what a row of the record holds, with room to close brackets */

struct decision {
    const char *kind;
    const char *last_key;
    bool mends; /* a restart of what is down: the swarm stands in no such way [false] */
    size_t len;
    char json[DECISION_JSON + 64];
};

/* kind: a word, static. The parameters follow in the order of their names, which is asserted. */
void decision_begin(struct decision *d, const char *kind);
void decision_number(struct decision *d, const char *key, uint64_t value);
void decision_real(struct decision *d, const char *key, double value);
void decision_flag(struct decision *d, const char *key, bool value);
void decision_text(struct decision *d, const char *key, const char *value);
/* The kind and parameters of a distribution: {"constant":[0.05]}. */
void decision_dist(struct decision *d, const char *key, const struct sim_dist *dist);
/* Ranges in the given order: ["0-3",7]; a set too long for a row ends in "+N" for N more hosts. */
void decision_hosts(struct decision *d, const char *key, const uint32_t *hosts, uint32_t n);

/* Numbers and logs the decision; whether it is to be carried out. */
bool decision_take(struct run *run, struct decision *d);

#endif
