/* A scenario that was made from one run of another one (`vibesim shrink`), so that it can be kept
 * and given to others: a word before `scenario { }` says what made that run, and the modules that
 * it required stand in the file itself.
 *
 *     pinned { seed = "7", only = { 17, 83 }, params = { nodes = 4 }, stop_at = 95.5 }
 *     module("tools", function(...) ... end)
 *
 * Parameters become the defaults of the scenario's. The rest is for whoever runs it
 * (engine_pinned); what is asked for on a command line wins. */
#ifndef SCENARIOS_PINNED_H
#define SCENARIOS_PINNED_H

#include "scenarios/engine.h"

#include <lua.h>

struct param;

struct pinned {
    struct engine_pinned told;
    struct engine_param *params; /* owned, as typed */
    size_t param_count;
};

/* Sets the globals `pinned` and `module`. */
void pinned_open(lua_State *L);

/* Puts the pinned parameters in place of the scenario's defaults; raises an error for one that it
 * has not. */
void pinned_apply(lua_State *L, struct engine *engine);

void pinned_free(struct pinned *pinned);

#endif
