/* The scenario engine: loads one Lua file into a sandbox, runs it in a world, judges its checks.
 *
 * engine_load reads and compiles the file and evaluates its top level (the `scenario { }` table and
 * `function run`), which may not touch a network. engine_run makes a fresh world and a fresh Lua
 * state each time it is called, so that a run can be repeated in one process (--verify).
 *
 * Errors of the scenario (syntax, unknown option, a limit hit) are one line "FILE:LINE: what, and
 * what would be right" in the result's reason with outcome ENGINE_BAD_SCENARIO. */
#ifndef SCENARIOS_ENGINE_H
#define SCENARIOS_ENGINE_H

#include "core/node.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>

struct engine;
struct engine_result;
struct sim;      /* transport-sim/sim.h */
struct sim_wire; /* transport-sim/sim.h */

struct engine_param {
    const char *key;
    const char
        *value; /* as typed; becomes a number, a boolean or a string as the default's type says */
};

/* Which way a metric gets better, as the scenario says. */
enum engine_better { ENGINE_BETTER_UNSAID, ENGINE_BETTER_LESS, ENGINE_BETTER_MORE };

struct engine_direction {
    const char *metric;
    enum engine_better better;
};

struct engine_about {
    char name[64];
    char about[240];
    double duration_s;
    bool swarm;                            /* says what may happen in swarm mode */
    const struct engine_direction *better; /* in the order of the names; lives with the engine */
    size_t better_count;
};

/* NULL with a line in why. */
struct engine *engine_load(const char *path, char *why, size_t size);
void engine_free(struct engine *engine);
const struct engine_about *engine_about(const struct engine *engine);
/* 64 hex digits: the SHA-256 of the file's bytes or, if its top level required modules beside it,
 * one that covers them, too (sources_sha256). */
const char *engine_sha256(const struct engine *engine);

/* Checks the given parameters against the scenario's `params` (unknown name: error with a
 * suggestion; a value of the wrong type) and writes all of them, defaults included, as canonical
 * JSON (sorted keys, no spaces). False with a line in why. */
bool engine_params(const struct engine *engine, const struct engine_param *params, size_t count,
                   char *json, size_t json_size, char *why, size_t size);

/* The same with what the seed draws in swarm mode for the parameters that are not given: these,
 * given, repeat it. False too where the scenario allows no swarm. */
bool engine_swarm_params(const struct engine *engine, uint64_t seed,
                         const struct engine_param *params, size_t count, char *json,
                         size_t json_size, char *why, size_t size);

/* What a scenario that was made from one run says of it (pinned.h): how it is to be run unless the
 * caller wants otherwise. Its parameters are its defaults already. */
/* The name of the check that fails where a node's books do not add up (vn_node_audit). */
#define ENGINE_BOOKS "every node's books add up"

struct engine_pinned {
    bool there;
    bool has_seed;
    uint64_t seed;
    bool swarm, audit;
    bool has_only;
    uint32_t *only; /* the engine's, ascending */
    size_t only_count;
    uint64_t until_ns; /* 0: the scenario's duration */
};

const struct engine_pinned *engine_pinned(const struct engine *engine);

/* Tells the file's modules beside it, in the order in which they were required so far, with their
 * text (NUL-terminated); not those of the program. */
void engine_modules(const struct engine *engine,
                    void (*each)(void *ctx, const char *name, const char *text), void *ctx);

/* The scenario's own text, NUL-terminated. */
const char *engine_text(const struct engine *engine);

struct engine_observer {
    void *ctx;
    /* A node or a scripted peer exists. role: "node", "miner" or "peer". region: NULL without a
     * topology. */
    void (*on_node)(void *ctx, uint32_t host, const char *role, const char *region,
                    const char *version);
    void (*on_trace)(void *ctx, uint64_t t_ns, uint32_t host, const struct vn_trace *trace,
                     uint32_t peer_host /* of trace->addr, or UINT32_MAX */);
    uint64_t trace_mask; /* what the observer wants to hear; the engine adds its own needs */
    /* A fault or a step of the scenario, in words: "partition", "heal", "kill" ... The detail
     * begins with the name of the host, if there is one. */
    void (*on_step)(void *ctx, uint64_t t_ns, const char *kind, int64_t host, const char *detail);
    /* The decision log: a fault that the scenario decided on, just before it is carried out; see
     * scenarios/decision.h. params: canonical JSON. taken: false if options left it out. */
    void (*on_decision)(void *ctx, uint64_t t_ns, uint32_t no, const char *kind, const char *params,
                        bool taken);
    /* The script ended the fault of this decision: healed, stopped or restored it. Not told of one
     * that ends by itself (its parameter `lasting`). */
    void (*on_decision_over)(void *ctx, uint64_t t_ns, uint32_t no);
    /* kind: "check", "always", "eventually", "sometimes", "invariant". detail may be NULL. */
    void (*on_check)(void *ctx, uint64_t t_ns, const char *name, const char *kind, bool ok,
                     const char *detail);
    void (*on_metric)(void *ctx, const char *name, int64_t host, double value);
    void (*on_log)(void *ctx, uint64_t t_ns, const char *text);
    void (*on_event)(void *ctx, uint64_t number, uint64_t t_ns, uint32_t host, uint32_t kind,
                     uint64_t hash);
    /* What arrives on links, as struct sim_observer's. In the simulated world alone; while somebody
     * hears of it hosts never run apart, as with by_time. */
    void (*on_wire)(void *ctx, uint64_t t_ns, const struct sim_wire *wire);
    /* What a node is now, after its tip, its pool, a peer's state or the like changed. With by_time
     * at the very time of the change. */
    void (*on_info)(void *ctx, uint64_t t_ns, uint32_t host, const struct vn_info *info);
    /* After the run: the hash of all `events` that happened before t_ns, for some 1,000 times in
     * their order (sim_hash_marks). Not in a world that repeats nothing. */
    void (*on_mark)(void *ctx, uint64_t t_ns, uint64_t events, uint64_t hash);
    /* For debuggers; only with options.by_time, and in the world sim alone. The simulator that the
     * run is in, to look into from any of these callbacks until on_end returns: */
    void (*on_world)(void *ctx, const struct sim *sim);
    /* As struct sim_observer's: */
    void (*on_give)(void *ctx, uint64_t number, uint32_t host, const struct vn_event *event);
    void (*on_drained)(void *ctx, uint32_t host, uint64_t hash);
    /* All that happens up to now_ns, scripts included, has happened, and the world goes on to
     * target_ns: returns where it shall come back earlier, now_ns..target_ns, which changes
     * nothing. */
    uint64_t (*on_advance)(void *ctx, uint64_t now_ns, uint64_t target_ns);
    /* The run is judged, and its world about to go. */
    void (*on_end)(void *ctx, const struct engine_result *result);
    /* Called about every 20,000 events, at most 40,000 where events are spread over time. */
    void (*on_progress)(void *ctx, uint64_t sim_ns, uint64_t end_ns, uint64_t events,
                        uint64_t messages, uint32_t nodes, uint64_t tip_height);
    /* After a run that did not pass: the last 20 events that matter, oldest first, one line in
     * words each ("t=12.345000s node-0003: tip 00ab12cd at height 12 (reorg 3)"). */
    void (*on_story)(void *ctx, const char *line);
};

#define ENGINE_CORES_MAX 8u  /* builds of the core beside the program's own */
#define ENGINE_CORE_NAME 32u /* of one, NUL included */
#define ENGINE_CORE_OWN  "built-in"

/* Another build of the core (`vibesim run --core NAME=FILE`). Outlives the run. */
struct engine_core {
    const char *name; /* engine_core_name_ok; not ENGINE_CORE_OWN */
    const struct vn_api *api;
};

/* Whether a name of a core has 1 to 31 of a-z A-Z 0-9 _ . - */
static inline bool engine_core_name_ok(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
    return len > 0 && len < ENGINE_CORE_NAME && name[len] == 0;
}

/* Where a run happens: in the simulator, or on real sockets in real time (world.h). */
enum engine_world { ENGINE_SIM, ENGINE_TCP };

#define ENGINE_SPEED_MAX 1000u

struct engine_options {
    uint64_t seed;
    const struct engine_param *params;
    size_t param_count;
    uint64_t until_ns;       /* 0: the scenario's duration */
    uint64_t memory_max;     /* bytes a network may be estimated at [half of the machine's] */
    uint64_t lua_memory_max; /* [256 MiB] */
    uint64_t lua_steps_max;  /* VM instructions between two waits [200 million] */
    const uint32_t *without; /* decisions to leave out, by number, ascending [none] */
    size_t without_count;
    bool has_only; /* all decisions but these are left out [false] */
    const uint32_t *only;
    size_t only_count;
    const struct engine_core *cores; /* what scripts may name beside ENGINE_CORE_OWN [none] */
    size_t core_count;
    bool swarm;    /* swarm mode: scenarios/swarm.h. The scenario must allow it [false] */
    bool audit;    /* each node's books after each of its drains, by time; not in the world tcp
                      [false] */
    uint64_t salt; /* other dice for the same seed: all of nodes, links and hosts, but none of the
                      script's own. 0: those that every run has [0] */
    bool by_time;  /* every event by time: hosts never run apart (sim_windows). The same run, unless
                      a standing invariant breaks: then it ends a little earlier [false] */
    enum engine_world world; /* [ENGINE_SIM] */
    uint32_t speed; /* of ENGINE_TCP: seconds of the scenario in a real one, 1..ENGINE_SPEED_MAX [1]
                     */
    const volatile sig_atomic_t *interrupt; /* becomes nonzero: stop soon */
    struct engine_observer observer;
};

void engine_options_init(struct engine_options *options);

enum engine_outcome {
    ENGINE_PASS = 0,         /* all checks hold */
    ENGINE_FAIL = 1,         /* a check failed */
    ENGINE_BAD_SCENARIO = 2, /* the scenario is wrong or hit a limit */
    ENGINE_SKIPPED = 77,     /* the world cannot do what the scenario asks for, or a build of the
                                core that it needs was not given */
    ENGINE_INTERRUPTED = 130
};

struct engine_result {
    enum engine_outcome outcome;
    char reason[512]; /* one line; empty on pass */
    uint64_t sim_ns, events, messages, bytes;
    uint64_t trace_hash;   /* 0 in a world that repeats nothing */
    uint32_t nodes, peers; /* nodes; scripted peers */
    uint32_t checks, checks_failed;
    uint32_t decisions;  /* of the log, those left out included */
    uint64_t tip_height; /* the highest of the honest nodes */
    uint32_t tips;       /* different tips among the honest nodes alive */
    char swarm[200];     /* in swarm mode the kinds of faults: "on kill pause; off skew" */
};

/* The vibesim exit status is the outcome. Before it returns, final heights and tips can be read in
 * on_final (host, height, tip), called once per node in order. */
void engine_run(struct engine *engine, const struct engine_options *options,
                void (*on_final)(void *ctx, uint32_t host, uint64_t height, const uint8_t tip[32]),
                void *final_ctx, struct engine_result *result);

#endif
