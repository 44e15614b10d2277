/* Option tables of the scenario vocabulary: { name = value }, checked name by name, with errors
 * that name the option, what is allowed and what was given. */
#ifndef SCENARIOS_OPTIONS_H
#define SCENARIOS_OPTIONS_H

#include "trace/suggest.h"
#include "transport-sim/dist.h"

#include <lua.h>

enum option_kind {
    OPTION_NUMBER,   /* double */
    OPTION_WHOLE,    /* uint64_t, lo..hi */
    OPTION_TIME,     /* uint64_t nanoseconds, given in seconds lo..hi */
    OPTION_RATE,     /* uint64_t bits/s, given as number */
    OPTION_DIST,     /* struct sim_dist, a number or a distribution; samples lo..hi */
    OPTION_TEXT,     /* const char *, borrowed from the table */
    OPTION_FLAG,     /* bool */
    OPTION_FUNCTION, /* int: the stack index, pushed; 0 if absent */
    OPTION_TABLE,    /* likewise */
    OPTION_HOSTS     /* const struct group *, pushed */
};

struct option {
    const char *name;
    enum option_kind kind;
    void *out;     /* left alone where the option is absent */
    double lo, hi; /* both 0: 0..infinity */
    bool *given;   /* or NULL */
};

/* Reads the table at index (nil or none: all absent). what: "net:links". Raises errors with file
 * and line. Values of kind TEXT, FUNCTION, TABLE and HOSTS stay on the stack, pushed in the order
 * of options. */
void options_read(lua_State *L, int index, const char *what, const struct option *options,
                  size_t count);

/* Refuses fields of the table on top of the stack that are not among `names` (NULL-terminated).
 * what: the message, for errors; of: whose fields they are ("Ping", "block"), for those who list
 * the vocabulary. */
void options_fields(lua_State *L, const char *what, const char *of, const char *const *names);

/* One value by the same rules. */
void option_value(lua_State *L, int index, const char *what, const struct option *option);

/* The units and distributions: sets the globals ms, s, ..., constant, uniform ... */
void units_open(lua_State *L);
/* The distribution at index (a number is a constant), or false. Its values live as long as the
 * state. */
bool units_dist(lua_State *L, int index, struct sim_dist *out);

#endif
