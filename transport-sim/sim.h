/* A deterministic discrete-event network of nodes in virtual nanoseconds.
 *
 * Hosts hold a node of the protocol core (through the door, core/node.h, alone) or a script's peer.
 * Links between them are ordered byte streams. What a host does at time t can reach another host
 * only by an event at a later time. One run is a pure function of the calls made here and the seed.
 *
 * A link's model:
 *   - connect: one round trip until the dialler is up; the acceptor is up when the third packet
 *     arrives, before any data. A host that is down does not answer (the dial ends UNREACHABLE
 * after its SYN retries), one that is up without a listener refuses.
 *   - base latency: drawn once per pair direction and connection; jitter: drawn per delivery and
 * added; a stream never reorders.
 *   - bandwidth: each host has an uplink and a downlink rate, each a FIFO queue in front of it; a
 *     link may have a rate of its own.
 *   - loss, rate or queue of a link: its stream is paced by a model of TCP (sim_tcp.c): slow start,
 *     congestion avoidance, fast retransmit and recovery, timeouts. `loss` is the chance of each
 *     segment of 1460 bytes; what finds more than `queue` before a rate is dropped as well. Links
 *     with none of these have no congestion window.
 *   - reorder: this share of the deliveries of a direction is late by a draw of `reorder_by`. What
 *     follows on the same stream waits for them; what other links carry overtakes.
 *   - corrupt, duplicate: this share of the deliveries arrives with one byte changed, or with a
 *     piece of it twice, as a broken middlebox does; TCP's own checksum and numbers hide the rest.
 *   - cut (partition, blackhole): nothing passes; what was in flight is retransmitted after 200 ms
 *     or a round trip, doubling, and arrives after the heal. A stream that cannot pass for 924.6 s
 *     fails at its sender (VN_WHY_RESET).
 *   - an end that went without telling (no power, half-open) answers what arrives with a reset,
 *     once its machine runs.
 *   - window: what was SENT and not yet consumed by the receiver is bounded; consumption refunds it
 * one reverse latency later, in steps of half a window; READ_STOP withholds it.
 *   - deliveries are cut at random places into several BYTES.
 * Storage is a disk per host with a latency, in memory, that survives a kill.
 * Hosts have faults of their own: kill, pause, a wrong clock, a bad disk.
 *
 * Nothing here is thread-safe; several simulators may live in one process. */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "core/node.h"
#include "transport-sim/dist.h"

struct sim;

/* What passes on links, as a tap before the receiving process sees it: a packet is told when it
 * arrives there, bytes when the process takes them. What never arrives (lost, cut off, sent to who
 * is gone) is not told, and what the model of TCP sends again comes once. */
enum sim_wire_kind {
    SIM_WIRE_SYN,     /* of a dial that is answered or refused; again, if the answer was lost */
    SIM_WIRE_SYN_ACK, /* the dialler is up */
    SIM_WIRE_ACK,     /* the acceptor is up */
    SIM_WIRE_BYTES,
    SIM_WIRE_FIN, /* `to` learns that `from` has closed, or both have; no bytes follow either way */
    SIM_WIRE_RST, /* likewise, of a refusal, a dead process or a lost connection */
    SIM_WIRE_END  /* both ends are gone: the last of this link, after a FIN or RST or without */
};

struct sim_wire {
    uint32_t kind;     /* enum sim_wire_kind */
    bool back;         /* from the acceptor to the dialler */
    uint64_t link;     /* the same in both directions, never that of another link of the run */
    uint32_t from, to; /* hosts */
    uint64_t from_id, to_id;           /* what each host calls the link; 0: does not know it yet */
    struct vn_addr from_addr, to_addr; /* as they see each other */
    struct vn_slice data;              /* of SIM_WIRE_BYTES; borrowed for the call */
};

/* What the simulator tells. Callbacks must not call back into the simulator, except that on_settled
 * and the scripted peer's callbacks may use every function but sim_run_until and sim_free, and that
 * on_drained may look at the node and call sim_stop. */
struct sim_observer {
    void *ctx;
    /* Every trace of every node (masked by trace_mask, as vn_config's). */
    void (*on_trace)(void *ctx, uint32_t host, const struct vn_trace *trace);
    uint64_t trace_mask;
    /* After a host has stepped and drained, if one of its traces was in settle_mask or a command
     * ran. */
    void (*on_settled)(void *ctx, uint32_t host);
    uint64_t settle_mask;
    /* Every event given to a host: its number in the run, kind (enum vn_event_kind) and the host's
     * hash after it. For comparing two runs. May be NULL, like all others. */
    void (*on_event)(void *ctx, uint64_t number, uint64_t t_ns, uint32_t host, uint32_t kind,
                     uint64_t hash);
    void (*on_reply)(void *ctx, uint32_t host, uint64_t token, uint32_t status, const char *text);
    /* All that arrives on links. While somebody hears of it hosts never run apart (sim_windows). */
    void (*on_wire)(void *ctx, uint64_t t_ns, const struct sim_wire *wire);
    /* For debuggers and audits, and only while all is handled by time (sim_windows is off). An
     * event of that number is about to be given to a host; what it points to is borrowed. Then
     * comes on_event, and after the last event of a cycle of a node, and what it drained,
     * on_drained, with the node's hash. */
    void (*on_give)(void *ctx, uint64_t number, uint32_t host, const struct vn_event *event);
    void (*on_drained)(void *ctx, uint32_t host, uint64_t hash);
};

struct sim_config {
    uint8_t seed[32];
    uint64_t wall_start_ns;        /* wall clock at t = 0 [1744100000 s] */
    uint32_t window;               /* bytes per link direction [256 KiB], 4096 bytes..1 GiB */
    double chunk_chance;           /* that a delivery is cut at a random place, 0..1 [1/16] */
    struct sim_dist store_latency; /* of STORE and LOAD [constant 1 ms] */
    struct sim_observer observer;
};

/* Links: the default, or between two sets. */
struct sim_link_params {
    struct sim_dist latency; /* one way [constant 50 ms] */
    struct sim_dist jitter;  /* [constant 0] */
    double loss;             /* of segments, 0..0.5 [0] */
    uint64_t rate_bps;       /* of each direction of one link, 0: unlimited [0] */
    /* What may wait before a narrow place on the way, the link's own rate or its host's uplink:
     * more is dropped. In bytes, at least 1500, or in time; both 0: unlimited [0]. */
    uint64_t queue_bytes, queue_ns;
    double reorder;             /* share of deliveries, 0..1 [0] */
    struct sim_dist reorder_by; /* how late those are [uniform 0..200 ms] */
    double duplicate;           /* share of deliveries of which a piece comes twice, 0..1 [0] */
    double corrupt;             /* share of deliveries of which a byte is changed, 0..1 [0] */
};

#define SIM_REGIONS_MAX 64u
#define SIM_QUEUE_MIN   1500u /* bytes: a full packet on Ethernet */

struct sim_host_params {
    uint64_t up_bps, down_bps; /* bits/s of the host's access, 0: unlimited */
    int64_t skew_ns;           /* of its wall clock, as sim_clock's [0] */
    uint8_t region;            /* 1..SIM_REGIONS_MAX, 0: none; see sim_links_regions */
    const struct vn_api *api;  /* the build of the core that its node runs [NULL: the linked one] */
};

void sim_config_init(struct sim_config *config);
void sim_link_params_init(struct sim_link_params *params);
bool sim_link_params_check(const struct sim_link_params *params);

/* NULL if config makes no sense (window, chunk_chance, store_latency). config is copied. */
struct sim *sim_new(const struct sim_config *config);
void sim_free(struct sim *sim);

uint64_t sim_now_ns(const struct sim *sim);

/* Runs all events up to and including t_ns, then stands at t_ns. Returns early, standing at the
 * last event, if sim_stop was called meanwhile. */
void sim_run_until(struct sim *sim, uint64_t t_ns);
void sim_stop(struct sim *sim);
/* Lets on_trace hear these kinds too, from now on. Nodes that run already tell only what they were
 * started to tell: what trace_mask and settle_mask asked for then. */
void sim_trace_more(struct sim *sim, uint64_t mask);
/* Lets hosts run one after the other through windows of time that no message crosses, where nothing
 * but latency joins them: much faster for large networks, with the same hash. Off at first. What
 * the observer hears comes at the end of each window then, in the same order; when on_settled is
 * called all hosts stand at that end, and so the run is when it returns after sim_stop. */
void sim_windows(struct sim *sim, bool on);
/* The time of the next event, or UINT64_MAX. */
uint64_t sim_next_ns(struct sim *sim);

/* ---- hosts ---- */

/* The address of host `number`: 127.a.b.c, port 8765; never .0 or .255 in the last byte, and not
 * in 127.0.0.x, for 127.0.0.1 is special to many. */
struct vn_addr sim_host_addr(uint32_t number);
/* The number whose address has this IP, whether there is such a host or not, or UINT32_MAX. */
uint32_t sim_addr_host(const struct vn_addr *addr);
/* The host number of an address (port ignored), or UINT32_MAX. */
uint32_t sim_host_of(const struct sim *sim, const struct vn_addr *addr);

/* Adds a host with a node and starts it at once. Of config the simulator sets seed (forked by host
 * number and start), listen, shared, on_trace, trace_ctx and trace_mask; the rest is the caller's
 * (node_id included). Returns the host's number, counting from 0, or UINT32_MAX if vn_config_check
 * refuses (why gets the line). */
uint32_t sim_host_add(struct sim *sim, const struct vn_config *config,
                      const struct sim_host_params *params, char *why, size_t size);
uint32_t sim_host_count(const struct sim *sim);
bool sim_host_alive(const struct sim *sim, uint32_t host);

/* Kills the process: its links are reset, its timers vanish, what it had not yet stored is lost. */
void sim_host_kill(struct sim *sim, uint32_t host);
/* The same by a power cut: nobody is told, and until the next start what is sent to it is lost. */
void sim_host_power_off(struct sim *sim, uint32_t host);
/* Starts it again with its old configuration and its disk, or an empty one. */
void sim_host_start(struct sim *sim, uint32_t host, bool lose_disk);
/* From its next start on the host's node runs this build of the core, which must outlive sim, and
 * says `version` in handshakes (NULL: as before). False, and nothing changed, with a line in why:
 * the host is alive or has no node, or the build refuses its configuration. */
bool sim_host_core(struct sim *sim, uint32_t host, const struct vn_api *api, const char *version,
                   char *why, size_t size);

/* ---- faults of a host ---- */

/* Stops the process as SIGSTOP does: nothing reaches the node, no timer fires, its disk's answers
 * wait. The kernel lives on: links stay, bytes pile up until the senders' windows are full, resets
 * and ends of stream wait behind them, and dials to the host are answered until SIM_BACKLOG
 * connections wait to be accepted; later ones are not answered. What the host dialled connects, and
 * the node hears of it later. False if the host has no living node, or stands still already. */
bool sim_host_pause(struct sim *sim, uint32_t host);
/* Goes on: a new CLOCK if the wall clock was changed or drifts, then what has piled up, each link's
 * in order, then the timers that are due, as an event loop that was stopped in its poll. False if
 * the host does not stand still. */
bool sim_host_resume(struct sim *sim, uint32_t host);
bool sim_host_paused(const struct sim *sim, uint32_t host);

#define SIM_BACKLOG 128u /* of listen(2), as most servers ask for it */

#define SIM_SKEW_MAX_NS   1000000000000000000 /* 31 years */
#define SIM_DRIFT_MAX_PPM 1000000             /* from standing still to twice as fast */
#define SIM_JUMP_MIN_NS   1000000u            /* least time between jumps */

/* A wall clock that is wrong. It reads
 *     true time + skew + elapsed * drift / 10^6 + jump * (elapsed / jump_every, rounded down)
 * where elapsed counts from the call, in integers. The node is told once a second while there is
 * drift, and at each jump. The monotonic clock is always right. */
struct sim_clock {
    int64_t skew_ns;        /* +- SIM_SKEW_MAX_NS */
    int32_t drift_ppm;      /* +- SIM_DRIFT_MAX_PPM; above 0: fast */
    int64_t jump_ns;        /* +- SIM_SKEW_MAX_NS, at each jump */
    uint64_t jump_every_ns; /* SIM_JUMP_MIN_NS or more; 0: no jumps */
};

bool sim_clock_check(const struct sim_clock *clock);
/* What a clock reads, elapsed_ns after it was set, when it is true_ns since 1970. */
uint64_t sim_clock_reads_ns(const struct sim_clock *clock, uint64_t true_ns, uint64_t elapsed_ns);

/* All zero is a clock that is right. The node, if it lives, is given a CLOCK now, unless nothing
 * changes; the clock outlives it. False, and nothing changed, if the values are out of range. */
bool sim_host_clock(struct sim *sim, uint32_t host, const struct sim_clock *clock);
/* What the host's wall clock reads, in ns since 1970. */
uint64_t sim_host_wall_ns(const struct sim *sim, uint32_t host);

#define SIM_SLOW_MAX 1e6
#define SIM_LIE_MAX  1000u

/* What is wrong with a host's disk. Probabilities are 0..1, one draw each. */
struct sim_disk_faults {
    bool own_latency;        /* `latency` instead of the configuration's store_latency */
    struct sim_dist latency; /* of each STORE and LOAD made from now on */
    double slow;             /* factor of the latency, 1..SIM_SLOW_MAX */
    double fail_stores;      /* that a STORE is not carried out, and answered VN_ERR_IO */
    double fail_loads;       /* that a LOAD is answered VN_ERR_IO */
    double corrupt;          /* that one bit of a loaded slice is wrong */
    double torn;  /* that a kill leaves a part of the oldest batch under way, item by item, without
                     forgetting what was above: a store without a journal */
    uint32_t lie; /* that many batches, 0..SIM_LIE_MAX, are told as STORED before they are durable:
                     a kill loses the latest; not together with torn */
    bool full;    /* no STORE is carried out; each is answered VN_ERR_LIMIT */
    bool hang;    /* no request completes until this ends */
};

void sim_disk_faults_init(struct sim_disk_faults *faults);
bool sim_disk_faults_check(const struct sim_disk_faults *faults);
/* From now on; NULL: the disk is good, and what it lied about is durable. Kept over restarts, with
 * a new disk too. False, and nothing changed, if the values make no sense or there is no node. */
bool sim_host_disk(struct sim *sim, uint32_t host, const struct sim_disk_faults *faults);

/* Gives the node a COMMAND now; the answer comes by on_reply, often before this returns. Returns
 * the token, 0 if the host is not alive, is paused or has no node. */
uint64_t sim_command(struct sim *sim, uint32_t host, const struct vn_command *command);
/* The same at t_ns (now, if that is past), as an event among the others. The command is copied, its
 * data's reference taken. Returns the token, 0 if there is no such host; no answer comes from one
 * that sim_command would refuse then. */
uint64_t sim_command_at(struct sim *sim, uint32_t host, uint64_t t_ns,
                        const struct vn_command *command);

/* For node_info and the like of sim_host_api; NULL while dead or for a scripted peer. Never step
 * it. */
const struct vn_node *sim_node(const struct sim *sim, uint32_t host);
/* The build that the host's node runs, or will when it starts again; NULL where there is none. */
const struct vn_api *sim_host_api(const struct sim *sim, uint32_t host);

/* Sum over all hosts so far. */
struct sim_stats {
    uint64_t events;   /* given to hosts */
    uint64_t messages; /* frames received by nodes */
    uint64_t bytes;    /* delivered on links */
    uint64_t links_now;
    uint64_t links_ever;
    uint64_t windows; /* stretches of time through which hosts ran apart: see sim_windows */
    size_t memory;    /* allocated by the simulator: hosts, links, queue; without the nodes' */
};
void sim_stats(const struct sim *sim, struct sim_stats *out);

/* XXH3-64 chained over the hosts' hashes in host order: the run's trace hash. */
uint64_t sim_trace_hash(const struct sim *sim);

/* The hash of the run's beginning, up to a time: two runs that are equal so far have equal marks at
 * equal times, whatever loop ran them. See sim_mark.c. */
struct sim_hash_mark {
    uint64_t t_ns;   /* of all that happened before */
    uint64_t events; /* so many */
    uint64_t hash;
};

#define SIM_HASH_MARKS 1024u

/* Writes at most SIM_HASH_MARKS marks, in the order of time, evenly spread; returns how many. The
 * times are multiples of the same power of two, so of two runs' marks the coarser are among the
 * finer. */
uint32_t sim_hash_marks(const struct sim *sim, struct sim_hash_mark *out);

/* ---- looking at all of it: for debuggers ---- */

struct sim_host_look {
    bool alive, scripted, paused, dark; /* dark: without power */
    uint8_t region;                     /* 0: none */
    uint32_t starts;                    /* of its node, so far */
    uint32_t links;                     /* live ends that are its */
    uint32_t held;                      /* events that wait for a paused node to go on */
    uint64_t up_bps, down_bps;
    uint64_t up_free_ns, down_free_ns; /* when what was handed to its access has passed */
    uint64_t timer_ns;                 /* when the simulator wakes the node, or VN_NEVER */
    uint64_t wall_ns;                  /* what its wall clock reads */
    struct sim_clock clock;            /* what is wrong with it */
    struct sim_disk_faults disk;       /* what is wrong with it */
    uint32_t disk_requests;            /* under way */
    uint32_t disk_blocks, disk_addrs, disk_bans;
    uint64_t disk_first; /* height of the first block that it holds */
};

/* False if there is no such host. */
bool sim_host_look(const struct sim *sim, uint32_t host, struct sim_host_look *out);

/* One direction of a link. */
struct sim_flow {
    uint64_t latency_ns; /* base, without jitter */
    uint64_t bytes;      /* on their way, or waiting to be sent */
    uint32_t items;      /* deliveries, beginnings and ends of streams that are on their way */
    uint64_t next_ns;    /* when the first of them arrives, VN_NEVER: waits for a window */
    uint64_t window;     /* bytes that may be sent now */
    bool blocked;        /* waits for a cut to heal */
    bool stopped;        /* the receiver reads no more */
};

struct sim_link_look {
    uint64_t id;       /* of this end */
    uint32_t other;    /* host, or UINT32_MAX: an address where nobody lives */
    bool dialled;      /* by this end */
    const char *state; /* of this end: "dialling", "open", "closing" ... */
    const char *other_state;
    bool paced;     /* by the model of TCP */
    bool forgotten; /* by a router: nothing passes any more */
    double loss;
    uint64_t rate_bps;
    struct sim_flow out, in; /* as this end sees it */
};

/* The index-th live end of the host, in an order that is always the same; false past the last. */
bool sim_link_look(const struct sim *sim, uint32_t host, uint32_t index, struct sim_link_look *out);

/* The build of the core that runs a host's node; NULL of a scripted peer. */
const struct vn_api *sim_node_api(const struct sim *sim, uint32_t host);

/* ---- the network ---- */

/* For links made from now on. False, and nothing changed, if the parameters make no sense. */
bool sim_links_default(struct sim *sim, const struct sim_link_params *params);
/* For links made from now on between a host of a and one of b, in both directions; later calls win.
 * Here and below hosts that do not exist (yet) are left out of a set. */
bool sim_links_between(struct sim *sim, const uint32_t *a, uint32_t na, const uint32_t *b,
                       uint32_t nb, const struct sim_link_params *params);
/* For links made from now on between a host of region a and one of region b (1..SIM_REGIONS_MAX),
 * in both directions, hosts to come included; found in constant time. A rule between sets of hosts
 * wins over it, it wins over the default. */
bool sim_links_regions(struct sim *sim, uint32_t a, uint32_t b,
                       const struct sim_link_params *params);

/* Nothing passes from a host of a to one of b (and back, unless one_way) until healed. Cuts overlap
 * freely. Returns an id for sim_cut_heal, > 0. */
uint32_t sim_cut(struct sim *sim, const uint32_t *a, uint32_t na, const uint32_t *b, uint32_t nb,
                 bool one_way);
void sim_cut_heal(struct sim *sim, uint32_t cut);

struct sim_cut_params {
    bool one_way;        /* only from a to b */
    uint64_t lasting_ns; /* it heals by itself then; 0: it does not */
    /* A link that flaps: cut for down_ns, from now on every every_ns; 0 < down < every, or both 0.
     */
    uint64_t every_ns, down_ns;
};

/* As sim_cut. b NULL: between each host of a and all other hosts, those to come included (a
 * blackhole). 0 if the times make no sense. */
uint32_t sim_cut_with(struct sim *sim, const uint32_t *a, uint32_t na, const uint32_t *b,
                      uint32_t nb, const struct sim_cut_params *params);

/* What links become for a while: each field that is set in `fields` replaces the link's own. */
enum sim_degrade_field {
    SIM_DEGRADE_LATENCY = 1,
    SIM_DEGRADE_JITTER = 2,
    SIM_DEGRADE_LOSS = 4,
    SIM_DEGRADE_RATE = 8,
    SIM_DEGRADE_QUEUE = 16,
    SIM_DEGRADE_REORDER = 32,
    SIM_DEGRADE_DUPLICATE = 64,
    SIM_DEGRADE_CORRUPT = 128
};

struct sim_degrade {
    uint32_t fields;
    struct sim_link_params to;
    uint64_t lasting_ns; /* it ends by itself then; 0: it does not */
};

void sim_degrade_apply(const struct sim_degrade *degrade, struct sim_link_params *params);

/* Changes the links between a host of a and one of b, those that are up and those made meanwhile,
 * until restored; the latest of several wins. A changed latency is the same quantile of the other
 * distribution. Returns an id for sim_restore, > 0; 0 if the parameters make no sense or there are
 * too many different ones. */
uint32_t sim_degrade(struct sim *sim, const uint32_t *a, uint32_t na, const uint32_t *b,
                     uint32_t nb, const struct sim_degrade *degrade);
void sim_restore(struct sim *sim, uint32_t degrade);

/* Resets all open links between two hosts; returns how many. */
uint32_t sim_reset_links(struct sim *sim, uint32_t a, uint32_t b);
/* All open links between two hosts fail at b, and a is not told: what it sends next
 * is answered with a reset. Returns how many. */
uint32_t sim_half_open(struct sim *sim, uint32_t a, uint32_t b);
/* A router between them forgets all open links of two hosts: nothing passes on them any more, and
 * neither end is told. Returns how many. */
uint32_t sim_forget_links(struct sim *sim, uint32_t a, uint32_t b);
/* Whether a link between the two has ever delivered changed bytes: to such a host an honest one
 * may look dishonest. */
bool sim_mangled(const struct sim *sim, uint32_t a, uint32_t b);

/* ---- scripted peers: a host without a node ---- */

struct sim_peer_ops {
    void *ctx;
    void (*on_link)(void *ctx, uint32_t host, uint64_t link, const struct vn_addr *remote);
    void (*on_bytes)(void *ctx, uint32_t host, uint64_t link, struct vn_slice data);
    void (*on_close)(void *ctx, uint32_t host, uint64_t link, uint32_t why);
};

/* ops is copied, ctx borrowed; any function may be NULL. UINT32_MAX if there are too many hosts. */
uint32_t sim_peer_add(struct sim *sim, const struct sim_peer_ops *ops,
                      const struct sim_host_params *params);
/* The new link's id (odd), or 0 if the host is not a living script. on_link or on_close follows. */
uint64_t sim_peer_dial(struct sim *sim, uint32_t host, const struct vn_addr *remote);
/* Queues bytes without bound: they leave as the window opens. False if there is no such open link.
 * The reference is given away. */
bool sim_peer_send(struct sim *sim, uint32_t host, uint64_t link, struct vn_slice data);
/* Sends what is queued, then closes; on_close follows at once. False if there is no such link. */
bool sim_peer_close(struct sim *sim, uint32_t host, uint64_t link);
/* Stops taking bytes from a link, or goes on. False if there is no such open link. */
bool sim_peer_read(struct sim *sim, uint32_t host, uint64_t link, bool on);

#endif
