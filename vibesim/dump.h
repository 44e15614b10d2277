/* The whole state of a host at one moment of a run: its node with its links, outboxes, limits,
 * timers, chain, orphans, pool, addresses and bans, its disk, and the network around it. For people
 * (dump_text) and for programs (the object itself). Equal states give equal dumps. */
#ifndef VIBESIM_DUMP_H
#define VIBESIM_DUMP_H

#include "transport-sim/sim.h"

#include <jansson.h>
#include <stdio.h>

#define DUMP_BLOCKS 10u  /* of the best chain, from the tip down */
#define DUMP_ITEMS  200u /* of each list that may be long; how many there are is told */

/* Where the run stands, and how its hosts are called. */
struct dump_place {
    const struct sim *sim;
    uint64_t t_ns, events;
    void (*name)(const void *ctx, uint32_t host, char out[24]);
    const void *ctx;
};

/* An object whose members are in reading order; the caller's. NULL if there is no such host. */
json_t *dump_host(const struct dump_place *place, uint32_t host);

/* dump_text.c: writes an object of objects and lists as sections and tables. Times (members whose
 * name ends in _ns) are in seconds. */
void dump_text(FILE *out, const json_t *dump);

#endif
