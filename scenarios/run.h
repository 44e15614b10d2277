/* One run of a scenario, as the parts of the engine share it. Internal to scenarios/ and its tests.
 *
 *   engine.c       loads a file, knows its parameters
 *   run.c          makes a run, turns the crank, reports
 *   schedule.c     tasks (coroutines) and what wakes them: sleep, at, every
 *   checks.c       check, always, eventually, sometimes, wait
 *   observe.c      traces: who punishes whom, the story of the last events
 *   audit.c        whether every node's books add up
 *   faults.c       what goes wrong, whoever asked for it
 *   swarm.c        faults that nobody wrote down: drawn from what the scenario allows
 *   units.c, options.c, lua_*.c   the vocabulary
 *
 * No Lua runs inside a callback of the world: callbacks note and stop, the crank runs Lua. So a Lua
 * error never unwinds through the world's frames. */
#ifndef SCENARIOS_RUN_H
#define SCENARIOS_RUN_H

#include "core/base/rng.h"
#include "core/wire/msg.h"
#include "scenarios/engine.h"
#include "scenarios/faults.h"
#include "scenarios/pinned.h"
#include "scenarios/sandbox.h"
#include "scenarios/world.h"

#define NS_PER_S    1000000000ull
#define STORY_LINES 20u
#define STORY_TEXT  120u

enum run_phase {
    RUN_TOP, /* the file's top level is evaluated: no network */
    RUN_ON   /* run(net, p) and all that it started */
};

enum host_role { HOST_NODE, HOST_MINER, HOST_PEER };

struct host {
    enum host_role role;
    uint32_t number; /* of its role, from 1: node-0001, peer-0001 */
    uint32_t region; /* of the topology, from 1; 0: none */
    char version[32];
    bool version_given;             /* by the script: no restart changes it */
    const struct engine_core *core; /* that its node runs */
    /* As the script asked, what was left out included: by this contradictions are judged. */
    bool down, paused, skewed, bad_disk;
    bool mines; /* by itself, as far as it was last told */
    bool quit;  /* it was shut down, and not started since */
};

/* A coroutine that the engine runs. */
struct task {
    struct task *next, *prev;
    lua_State *co;
    int ref; /* keeps the coroutine */
    bool main;
    bool wait_result;
};

enum timer_kind { TIMER_AT, TIMER_EVERY };

struct script_timer {
    struct script_timer *next;
    enum timer_kind kind;
    bool stopped;
    int fn;
    uint64_t start_ns, interval_ns, fired;
};

/* A task that waits for a message until a time. Its wake owns it. */
struct receive_wait {
    struct task *task;
    struct receive_wait **slot; /* where the link finds it; cleared when the time is over */
    bool over;                  /* the message came: nothing to do at that time */
};

enum wake_kind { WAKE_TASK, WAKE_TIMER, WAKE_CONDITION, WAKE_RECEIVE, WAKE_JUDGE, WAKE_SWARM };

/* Ordered by (t_ns, order): order counts the creations of a run. */
struct wake {
    uint64_t t_ns, order;
    enum wake_kind kind;
    void *what;
};

enum condition_kind { COND_ALWAYS, COND_EVENTUALLY, COND_WAIT };

struct condition {
    struct condition *next;
    enum condition_kind kind;
    bool pending;
    int fn;
    uint64_t deadline_ns;
    struct task *task; /* COND_WAIT */
    char *text;
    char *where; /* "FILE:LINE: " of its registration */
};

/* sometimes: by name. */
struct sometime {
    struct sometime *next;
    bool hit;
    uint64_t t_ns;
    char *text;
    char *where; /* "FILE:LINE: " of where it was first asked */
};

enum peer_event_kind { PEER_LINK, PEER_BYTES, PEER_CLOSE, PEER_PLAY };

struct peer_event {
    enum peer_event_kind kind;
    uint32_t host;
    uint32_t why;
    uint64_t link;
    struct vn_addr remote;
    struct vn_slice data; /* owned */
};

/* What the story tells: formatted only if the run fails. */
struct story_entry {
    uint64_t t_ns;
    int64_t host;  /* -1: the scenario */
    uint32_t kind; /* enum vn_trace_kind, or VN_TR_KINDS: text says it all */
    uint64_t a, b;
    uint8_t hash[4];
    int64_t peer;
    char text[STORY_TEXT];
};

struct script_ban {
    uint32_t by, victim;
};

struct peer_script; /* lua_peer.h */
struct topology;    /* topology.h */
struct block_watch; /* blocks.h */
struct swarm;       /* swarm.h */
struct swarm_spec;

struct run {
    struct engine *engine;
    const struct engine_options *options;
    struct engine_result *result;
    struct sandbox sandbox;
    lua_State *L;
    enum run_phase phase;
    struct world world;
    bool has_world;
    uint64_t end_ns;
    uint8_t seed[32];
    struct engine_core own_core;
    struct rng rng_seeds, rng_tx, rng_split, rng_skew;
    uint64_t wall_start_ns; /* of the world's true clock at t = 0, since 1970 */
    uint64_t tx_count;

    struct host *hosts;
    uint32_t host_count, host_capacity;
    uint32_t nodes, peers;
    struct sim_link_params links; /* the default, as last set */
    bool links_shaped;            /* the default was given a latency, jitter or bandwidth */
    struct topology *topology;    /* NULL: none */
    struct block_watch *blocks;   /* NULL: not watched */
    uint64_t memory_planned;

    struct task *tasks, *current;
    bool main_done;
    struct script_timer *timers;
    struct wake *wakes;
    size_t wake_count, wake_capacity;
    uint64_t next_order;
    uint64_t instant_ns; /* of the last wakes, and how many there were */
    uint32_t instant_wakes;

    struct condition *conditions, **conditions_tail;
    struct condition *decided;
    struct sometime *sometimes, **sometimes_tail;
    uint32_t pending;  /* eventually and wait that are not decided: the run goes on for them */
    uint32_t watched;  /* conditions of any kind to be judged after changes */
    uint32_t always;   /* of them those that are judged after every change */
    uint64_t judge_ns; /* the others wait until then, see checks_can_wait */
    bool judge_due;    /* something changed, and the crank knows that they are to be judged then */
    bool judge_armed;  /* the wake for it is there */
    bool judging;
    bool dirty;        /* something settled since the last judgement */
    bool stopped;      /* the world was asked to come back */
    bool stop;         /* the run is decided */
    char skipped[400]; /* why the world cannot do this scenario; "" while it can */

    struct peer_event *peer_events;
    size_t peer_event_count, peer_event_capacity;
    struct peer_script *peer_scripts;
    struct vn_buf *scratch; /* freed with the run, should Lua err while it is read */

    struct {
        uint64_t token;
        uint32_t status;
        char text[108];
    } reply;

    uint32_t decisions;            /* so far: the number of the latest */
    struct fault_ongoing *ongoing; /* faults of links, in the order of their beginnings */
    size_t ongoing_count, ongoing_capacity;
    struct swarm *swarm;            /* NULL: not in swarm mode */
    struct script_ban *script_bans; /* that the script itself asked for */
    size_t script_ban_count;
    const char *violated; /* the standing invariant that does not hold, or NULL */
    uint32_t audit_turns; /* calls of audit_turn */
    char violation[320];

    struct story_entry story[STORY_LINES];
    uint64_t story_count;
    uint64_t tip_height; /* the highest seen */
};

enum param_type { PARAM_WHOLE, PARAM_NUMBER, PARAM_FLAG, PARAM_TEXT };

struct param {
    char name[64];
    enum param_type type;
    lua_Integer whole;
    double number;
    bool flag;
    char *text; /* owned */
};

struct engine {
    struct sources sources;
    const struct source *source;
    struct engine_about about;
    bool described;       /* scenario { } was seen */
    struct param *params; /* in the order of their names */
    size_t param_count;
    struct pinned pinned;
    char sha256[65];
    char cores[ENGINE_CORES_MAX][ENGINE_CORE_NAME]; /* without which it cannot run */
    uint32_t core_count;
    struct swarm_spec *swarm; /* NULL: the scenario allows none */
    struct engine_direction *better; /* as about tells them; the names are owned */
};

typedef void (*world_maker)(struct world *world, const struct sim_config *config);

/* engine_run in a world of the caller's making; NULL: the one that the options name. */
void engine_run_in(struct engine *engine, const struct engine_options *options, world_maker make,
                   void (*on_final)(void *ctx, uint32_t host, uint64_t height,
                                    const uint8_t tip[32]),
                   void *final_ctx, struct engine_result *result);

/* What holds in every scenario. */
extern const char invariant_honest[], invariant_books[];

static inline struct run *run_of(lua_State *L)
{
    return sandbox_of(L)->user;
}

/* ---- engine.c ---- */

/* Opens the sandbox and evaluates the file's top level. False with a line in why. */
bool engine_open_state(struct run *run, char *why, size_t size);
/* A copy of the parameters with the given values put in; NULL with a line in why. Freed by
 * engine_params_free. */
struct param *engine_resolve(const struct engine *engine, const struct engine_param *given,
                             size_t count, char *why, size_t size);
/* The same for a run: in swarm mode with what its seed draws for those that are not given. */
struct param *engine_resolve_run(const struct engine *engine, const struct engine_options *options,
                                 char *why, size_t size);
void engine_params_free(struct param *params, size_t count);
/* Text that canonical JSON takes: UTF-8. */
bool engine_is_text(const char *text);

/* ---- run.c ---- */

uint64_t run_now(const struct run *run);
/* The seed that all dice of a run are forked from. */
void run_seed(uint8_t out[32], uint64_t number);
/* Seconds since 1970 by a clock that nothing skews. */
uint64_t run_wall_s(const struct run *run);
/* The run, for a function that changes the world, waits or draws; raises an error at the top level
 * and inside a condition. */
struct run *run_acting(lua_State *L, const char *what);
/* Ends the run as skipped: its world cannot do WHAT ("tear what a store writes"). Does not return.
 */
_Noreturn void run_skip(lua_State *L, const char *what);
/* The run, for a function that looks. */
struct run *run_looking(lua_State *L, const char *what);
/* A fault or a step of the scenario, to the observer and the story. host -1: none. */
void run_step(struct run *run, const char *kind, int64_t host, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void run_log(struct run *run, const char *text);
/* The name of a host: "node-0001". */
void run_host_name(const struct run *run, uint32_t host, char out[24]);
/* Notes a new host and tells the observer; `role` counts. region: of the topology, from 1; 0: none.
 */
void run_add_host(struct run *run, uint32_t host, enum host_role role, uint32_t region,
                  const char *version);
/* Gives a command; *why (of reply.text) is empty on success. False if the node refused or is dead.
 */
bool run_command(struct run *run, uint32_t host, const struct vn_command *command,
                 const char **why);

void *run_alloc(size_t size);
char *run_strdup(const char *text);

/* ---- schedule.c ---- */

void schedule_open(lua_State *L);
void schedule_free(struct run *run);
void schedule_wake(struct run *run, uint64_t t_ns, enum wake_kind kind, void *what);
/* The current task waits until t_ns, or until `over` is set and another wake given to it. The wait
 * is put into *slot. */
void schedule_receive(struct run *run, uint64_t t_ns, struct receive_wait **slot);
/* The time of the next wake, or UINT64_MAX. */
uint64_t schedule_next(const struct run *run);
/* Takes and performs one wake that is due at now; false if there is none. */
bool schedule_run_due(struct run *run, uint64_t now_ns);
/* Runs a new task: a function and its arguments on top of run->L. */
void schedule_start(struct run *run, int nargs, bool main);
/* A time given in seconds, as nanoseconds. name: of the argument. */
uint64_t schedule_time_arg(lua_State *L, int arg, const char *what, const char *name);
/* Where the task of run(net, p) waits: "FILE:LINE" or "". */
void schedule_main_place(struct run *run, char *out, size_t size);

/* ---- checks.c ---- */

void checks_open(lua_State *L);
void checks_free(struct run *run);
/* At the end, however it came: which `sometimes` were hit. */
void checks_tell_sometimes(struct run *run);
/* Judges all conditions once; called on run->L. */
void checks_judge(struct run *run);
/* Whether judging can be put off until judge_ns: a large network changes all the time, and looking
 * at all of it each time would cost the square of its size. `always` cannot wait. */
bool checks_can_wait(const struct run *run);
void checks_deadline(struct run *run, struct condition *c);
/* At the end of the run: what is still pending has failed. */
void checks_finish(struct run *run);
/* Registers an `eventually` of the engine's own, a function on top of run->L, from now on. where:
 * "FILE:LINE: ". */
void checks_eventually(struct run *run, const char *where, const char *text, uint64_t within_ns);
/* Reports one verdict; the first failure is the result's reason. where: "FILE:LINE: " or "". */
void checks_report(struct run *run, const char *where, const char *kind, const char *name, bool ok,
                   const char *detail);

/* ---- audit.c ---- */

void audit_host(struct run *run, uint32_t host);
/* The next in turn. */
void audit_turn(struct run *run);
void audit_all(struct run *run);
/* A node has drained; for options.audit. */
void audit_drained(struct run *run, uint32_t host);

/* ---- observe.c ---- */

void observe_init(struct run *run, struct sim_observer *observer);
void observe_story(struct run *run, int64_t host, const char *text);
/* One entry in words. */
void observe_story_line(const struct run *run, const struct story_entry *entry, char *out,
                        size_t size);

/* ---- the vocabulary ---- */

struct group {
    uint32_t n;
    uint32_t hosts[];
};

void lua_net_open(lua_State *L);
void lua_link_open(lua_State *L);
void lua_group_open(lua_State *L);
void lua_node_open(lua_State *L);
void lua_peer_open(lua_State *L);
void lua_blocks_open(lua_State *L);
void lua_forge_open(lua_State *L);

/* Metatable `name` whose __index finds `methods`, with an error and a suggestion for a wrong one.
 */
void lua_class(lua_State *L, const char *name, const luaL_Reg *methods);

int lua_net_spawn(lua_State *L);
int lua_net_links(lua_State *L);
int lua_net_degrade(lua_State *L);
int lua_net_partition(lua_State *L);
int lua_net_blackhole(lua_State *L);
int lua_net_flap(lua_State *L);
int lua_net_heal(lua_State *L);
int lua_net_reset_links(lua_State *L);
int lua_net_half_open(lua_State *L);
int lua_net_forget_links(lua_State *L);
int lua_net_peer(lua_State *L);
int lua_blocks_watch(lua_State *L); /* net:watch_blocks() */
int lua_blocks_list(lua_State *L);  /* net:blocks([group]) */
void lua_net_push(lua_State *L);
/* Raises an error unless argument 1 of net:WHAT is the network. */
void lua_net_self(lua_State *L, const char *what);

/* Pushes the node or peer of a host, the same value each time. */
void lua_host_push(lua_State *L, uint32_t host);
/* The host of a node or peer value at arg; raises an error for anything else. */
uint32_t lua_host_arg(lua_State *L, int arg, const char *what);
/* The host of the node at argument 1 of a method. */
uint32_t lua_node_arg(lua_State *L, const char *what);
/* Pushes true, or nil and the reason; returns how many. */
int lua_command_result(lua_State *L, bool ok, const char *why);
int lua_node_submit_tx(lua_State *L);
int lua_node_kill(lua_State *L);
int lua_node_restart(lua_State *L);
int lua_node_pause(lua_State *L);
int lua_node_resume(lua_State *L);
int lua_node_paused(lua_State *L);
int lua_node_skew(lua_State *L);
int lua_node_disk(lua_State *L);
bool lua_host_test(lua_State *L, int arg, uint32_t *host);
/* Pushes a new group of n hosts, to be filled. */
struct group *lua_group_new(lua_State *L, uint32_t n);
/* Pushes the hosts at arg (a node, a peer, a group, or a table of these) as a group. */
struct group *lua_group_arg(lua_State *L, int arg, const char *what);
/* The same; all nodes if the argument is absent. */
struct group *lua_group_opt(lua_State *L, int arg, const char *what);

/* ---- lua_core.c ---- */

int lua_node_core(lua_State *L);
/* The cores = { } of the scenario's table at index. */
void lua_cores_read(lua_State *L, int index, struct engine *engine);
/* The build of that name; raises an error that tells how to give it. */
const struct engine_core *lua_core_find(lua_State *L, const char *what, const char *name);
/* Whether the scenario needs a build that was not given: which one, and the way out, in why. */
bool lua_core_missing(const struct run *run, char *why, size_t size);

/* An address "127.0.0.1:8765"; false if the text is none. */
bool lua_addr_read(const char *text, struct vn_addr *out);
void lua_addr_push(lua_State *L, const struct vn_addr *addr);
void lua_hash_push(lua_State *L, const uint8_t hash[32]);
bool lua_hash_read(const char *text, size_t len, uint8_t out[32]);
/* A u64 as a Lua integer's bits, from an integer or a number without fraction. */
uint64_t lua_u64_arg(lua_State *L, int index, const char *what, const char *name);

/* Pushes the table of a block, or of a transaction. */
void lua_block_push(lua_State *L, const struct block_view *block);
void lua_tx_push(lua_State *L, const struct tx_view *tx);
/* The table at index as a view, whose memory a value pushed on the stack keeps; raises an error
 * that begins with `what`. */
void lua_block_read(lua_State *L, int index, const char *what, struct block_view *out);
void lua_tx_read(lua_State *L, int index, const char *what, struct tx_view *out);

/* Pushes the table of a payload; an undecodable one has no kind. */
void lua_msg_push(lua_State *L, const uint8_t *payload, size_t len);
/* A whole frame of the table at index, as the peer `host` sends it, with one reference; raises an
 * error. */
struct vn_buf *lua_msg_frame(lua_State *L, int index, uint32_t host);

/* lua_peer_link.c: hands the queued events of scripted peers to their functions. */
void lua_peer_deliver(struct run *run);
void lua_peer_free(struct run *run);

#endif
