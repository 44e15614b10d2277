/* The inside of the world of real sockets; its door is world.h.
 *
 *   world_tcp.c       the clock, addresses, beginning and end
 *   world_tcp_table.c the table of functions that scenarios know
 *   world_tcp_host.c  nodes and scripted peers: start, kill, pause, clocks
 *   world_tcp_disk.c  a node's store on a real folder, and what is wrong with it
 *   world_tcp_net.c   what links are like and what passes: rules, cuts, degraded links
 *   world_tcp_shape.c each link's delays: the shaper that transport-tcp asks
 *
 * Times called t_ns are the world's, 0 at its beginning; those of transport-tcp (the nodes' clock)
 * are zero_ns more. */
#ifndef SCENARIOS_WORLD_TCP_H
#define SCENARIOS_WORLD_TCP_H

#include "core/base/mem.h"
#include "core/base/rng.h"
#include "scenarios/world.h"
#include "transport-tcp/tcp_fault.h"
#include "transport-tcp/tcp_raw.h"
#include "transport-tcp/tcp_shape.h"

#define TW_NOBODY UINT32_MAX
#define TW_FOLDER 256u

/* A set of hosts. */
struct tw_set {
    uint64_t *bits;
    uint32_t words;
};

struct tw_rule {
    struct tw_set a, b;
    struct sim_link_params params;
};

struct tw_cut {
    struct tw_set a, b;
    struct sim_cut_params params;
    bool all;
    uint32_t id;
    uint64_t since_ns, end_ns;
};

struct tw_degrade {
    struct tw_set a, b;
    struct sim_degrade change;
    uint32_t id;
    uint64_t end_ns;
};

/* One end of a connection: what it writes. */
struct tw_link {
    struct tw *w;
    struct tcp_link *link;
    struct tw_link *next, *prev;
    uint32_t src, dst; /* dst TW_NOBODY: no host has that address */
    struct sim_link_params made_with, params;
    double there, back; /* quantiles of the latency */
    uint64_t latency_ns, rtt_ns;
    uint64_t free_ns; /* when the link's own rate has room again */
    struct rng rng;
};

struct tw_disk;

struct tw_host {
    struct tw *w;
    uint32_t number;
    bool alive;
    bool dark; /* no power: nothing answers */
    bool paused;
    bool settle; /* the observer is to hear of this drain */
    struct sim_host_params params;
    struct vn_tcp_node *node;
    struct tcp_raw *peer;
    struct sim_peer_ops ops; /* of the peer */
    struct vn_config config; /* of the node; its seeds are ours */
    uint32_t starts;
    uint64_t connections; /* ends that there ever were: numbers their dice */
    uint64_t up_free_ns, down_free_ns;
    struct sim_clock clock;
    uint64_t clock_ns;      /* when it was set */
    uint64_t clock_next_ns; /* when the node is told next, or VN_NEVER */
    bool clock_changed;     /* while it stood still */
    struct tw_disk *disk;
};

struct tw_shared {
    const struct vn_api *api;
    struct vn_shared *shared;
};

struct tw {
    struct sim_config config;
    uv_loop_t loop;
    uv_timer_t turn; /* ends a wait of the loop */
    uv_timer_t tick; /* clocks that are told, cuts that end */
    struct vn_tcp *tcp;
    struct tcp_shaper shaper;
    uint64_t zero_ns; /* the nodes' clock at the world's 0 */
    uint64_t now_ns;  /* where the world stands for its user */
    uint64_t late_ns; /* the most that it came back after the time asked for */
    uint32_t speed;
    uint16_t port;
    int guard; /* holds the port for this process */
    bool stopped;
    char folder[TW_FOLDER]; /* "" until a store needs it */

    struct tw_host **hosts;
    uint32_t host_count, host_capacity;
    uint32_t loading; /* LOADs that stores carry out */
    uint32_t open;    /* nodes, peers, disks whose handles are not gone */
    struct tw_shared *shared;
    uint32_t shared_count;
    struct world_stats stats;

    struct sim_link_params links;
    struct sim_link_params *regions[SIM_REGIONS_MAX + 1][SIM_REGIONS_MAX + 1];
    struct tw_rule *rules;
    uint32_t rule_count;
    struct tw_cut *cuts;
    uint32_t cut_count;
    struct tw_degrade *degrades;
    uint32_t degrade_count;
    uint32_t last_id;
    struct tw_link *ends;
    uint64_t *mangled; /* pairs of hosts */
    uint32_t mangled_count;
};

/* ---- world_tcp.c ---- */

uint64_t world_now_ns(const struct tw *w); /* not where the world stands: the real time, scaled */
/* Real milliseconds until the world's time, at least 0. */
uint64_t world_ms_until(const struct tw *w, uint64_t t_ns);
struct tw_host *world_host(struct tw *w, uint32_t number);
/* Where a host really listens; known to all others is sim_host_addr. */
struct vn_addr world_listen_addr(const struct tw *w, uint32_t number);
/* The host that has this IP, or TW_NOBODY. */
uint32_t world_host_of(const struct tw *w, const struct vn_addr *addr);
/* Something happens at a time earlier than the tick is armed for. */
void world_tick_arm(struct tw *w);
/* One of the counted things is gone. */
void world_on_gone(void *ctx);

void world_run_until(struct tw *w, uint64_t t_ns);
void world_free(struct tw *w);

/* ---- world_tcp_table.c ---- */

extern const struct world world_tcp_table; /* but for `self` */

/* ---- world_tcp_host.c ---- */

uint32_t world_spawn(struct tw *w, const struct vn_config *config,
                     const struct sim_host_params *params, char *why, size_t size);
uint32_t world_peer_add(struct tw *w, const struct sim_peer_ops *ops,
                        const struct sim_host_params *params);
void world_kill(struct tw_host *host, bool silently);
void world_start(struct tw_host *host, bool lose_disk);
bool world_core(struct tw_host *host, const struct vn_api *api, const char *version, char *why,
                size_t size);
bool world_pause(struct tw_host *host);
bool world_resume(struct tw_host *host);
bool world_clock(struct tw_host *host, const struct sim_clock *clock);
uint64_t world_command(struct tw_host *host, const struct vn_command *command);
struct tcp_owner *world_owner(const struct tw_host *host);
/* Tells clocks that are due; returns when the next is, or VN_NEVER. */
uint64_t world_clocks(struct tw *w, uint64_t t_ns);
void world_host_free(struct tw_host *host);

/* ---- world_tcp_disk.c ---- */

/* Opens the host's store; false with a line in why. */
bool world_disk_open(struct tw_host *host, bool lose, char *why, size_t size);
/* What was not yet stored is lost. */
void world_disk_close(struct tw_host *host);
void world_disk_submit(struct tw_host *host, struct vn_action *action);
bool world_disk_faults(struct tw_host *host, const struct sim_disk_faults *faults);
/* The node goes on: it hears what waited. */
void world_disk_resume(struct tw_host *host);
void world_disk_free(struct tw_host *host);
/* Whether a store carries out a LOAD that somebody hears of. */
bool world_disks_load(const struct tw *w);
/* At the end: the run's folder. */
void world_disks_remove(struct tw *w);
/* What real disks cannot be made to do, in words, or NULL. */
const char *world_disk_cannot(const struct sim_disk_faults *faults);

/* ---- world_tcp_net.c ---- */

bool world_links_between(struct tw *w, const uint32_t *a, uint32_t na, const uint32_t *b,
                         uint32_t nb, const struct sim_link_params *params);
bool world_links_regions(struct tw *w, uint32_t a, uint32_t b,
                         const struct sim_link_params *params);
uint32_t world_cut(struct tw *w, const uint32_t *a, uint32_t na, const uint32_t *b, uint32_t nb,
                   const struct sim_cut_params *params);
void world_heal(struct tw *w, uint32_t id);
uint32_t world_degrade(struct tw *w, const uint32_t *a, uint32_t na, const uint32_t *b, uint32_t nb,
                       const struct sim_degrade *degrade);
void world_restore(struct tw *w, uint32_t id);
/* Ends what is over; returns when the next is, or VN_NEVER. */
uint64_t world_net_tick(struct tw *w, uint64_t t_ns);
/* When something may pass from one to the other: t_ns, later, or VN_NEVER. */
uint64_t world_passes_at(const struct tw *w, uint32_t src, uint32_t dst, uint64_t t_ns);
/* The parameters of a link made now, and those that hold after what degrades it. */
void world_link_made(struct tw *w, struct tw_link *end);
void world_link_params(struct tw *w, struct tw_link *end);
void world_mangled_note(struct tw *w, uint32_t a, uint32_t b);
bool world_mangled(const struct tw *w, uint32_t a, uint32_t b);
void world_net_free(struct tw *w);

/* ---- world_tcp_shape.c ---- */

void world_shape_init(struct tw *w);

#endif
