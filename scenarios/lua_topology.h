/* Where hosts stand: what net:spawn and net:peer need of net:topology. */
#ifndef SCENARIOS_LUA_TOPOLOGY_H
#define SCENARIOS_LUA_TOPOLOGY_H

#include "scenarios/run.h"

/* How the hosts of one call are placed. */
struct placing {
    uint32_t region; /* from 1; 0: each host's is drawn */
    bool up_given, down_given, outbound_given;
};

/* The region `name` (NULL: to be drawn) into placing; raises an error if there is no topology or no
 * such region. what: "net:spawn". */
void lua_topology_placing(lua_State *L, const char *what, const char *name,
                          struct placing *placing);
/* Places a new host: fills in its region, and unless given its access rates and (if max_outbound is
 * not NULL) its outdegree. Draws by the host's number alone: what a host is does not move when
 * others are added. Does nothing without a topology. */
void lua_topology_place(const struct run *run, uint32_t host, const struct placing *placing,
                        struct sim_host_params *params, uint32_t *max_outbound);

/* Before net:links changes the default by the table at index 2: refuses what the topology says. */
void lua_topology_check_links(lua_State *L, struct run *run);
/* After the default has changed: gives the links between regions what the data set leaves open. */
void lua_topology_links_changed(lua_State *L, struct run *run);

int lua_topology_set(lua_State *L);       /* net:topology(name) */
int lua_topology_regions(lua_State *L);   /* net:regions() */
int lua_topology_in_region(lua_State *L); /* net:in_region(name) */
int lua_topology_region(lua_State *L);    /* node:region() */

#endif
