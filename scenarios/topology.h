/* Data sets of real networks: regions with their shares, access rates and latencies, and how many
 * links nodes dial. They are JSON files of scenarios/data (its README tells the keys), found beside
 * the scenario in data/NAME.json or else among those built into the program.
 *
 * A file is checked as a whole before anything of it is used; every number becomes an integer
 * (nanoseconds, bits/s) or is only ever compared, so that no machine reads it differently. */
#ifndef SCENARIOS_TOPOLOGY_H
#define SCENARIOS_TOPOLOGY_H

#include "scenarios/source.h"
#include "transport-sim/sim.h"

#define TOPOLOGY_NAME_MAX    64u
#define TOPOLOGY_TEXT_MAX    (256u << 10) /* bytes of a file */
#define TOPOLOGY_REGIONS_MAX 32u          /* at most SIM_REGIONS_MAX */
#define TOPOLOGY_DEGREES_MAX 256u

struct topology_region {
    char name[16];
    double cumulative; /* shares of the regions up to this one; the last is 1 */
    uint64_t down_bps, up_bps;
};

struct topology {
    char name[TOPOLOGY_NAME_MAX];
    uint32_t region_count;
    struct topology_region regions[TOPOLOGY_REGIONS_MAX];
    /* One way, the mean, without the time that the bits take; symmetric. */
    uint64_t latency_ns[TOPOLOGY_REGIONS_MAX][TOPOLOGY_REGIONS_MAX];
    /* Of a delivery's delay, Pareto distributed: its mean less its minimum. 0: always the mean. */
    uint64_t spread_ns;
    uint64_t between_bps; /* of each direction of a link between two regions, 0: unlimited */
    uint32_t degree_count;
    double degree_cdf[TOPOLOGY_DEGREES_MAX]; /* of 1, 2, ... outbound links; none: the node's own */
};

/* Reads a file's text. place: what messages call the file. False with one line in why that names
 * the file, the key and what would be right. */
bool topology_read(struct topology *out, const char *name, const char *place, const char *text,
                   size_t len, char *why, size_t size);

/* Finds and reads the data set `name`. sha256: of the file's bytes, hex. */
bool topology_find(struct topology *out, struct sources *sources, const char *name, char sha256[65],
                   char *why, size_t size);

/* The region, counted from 0, that belongs to u in [0, 1): each as likely as its share. */
uint32_t topology_region_at(const struct topology *t, double u);
/* How many links a node dials, from 1; 0 if the data set does not say. */
uint32_t topology_degree_at(const struct topology *t, double u);
/* The region of that name, or UINT32_MAX. */
uint32_t topology_region_named(const struct topology *t, const char *name);

/* What links between two regions (from 0) are like; what the data set does not say (loss ...) is as
 * in links. */
void topology_links(const struct topology *t, uint32_t a, uint32_t b,
                    struct sim_link_params *links);

/* ---- the files that were built in; made by the build from scenarios/data ---- */

struct topology_file {
    const char *name;
    const unsigned char *text;
    size_t len;
};

extern const struct topology_file topology_files[];
extern const size_t topology_file_count;

#endif
