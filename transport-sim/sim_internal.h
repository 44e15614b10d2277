/* What the simulator's own files share: its objects and the functions between them. Nobody else
 * includes this.
 *
 * Layout. Links are the bulk of a large network, so a link is three cache lines in a slab, both
 * ends together: what both ends share, then one line for each direction, which is all that a
 * delivery touches. Links and hosts live in chunks that never move and are named by index; a link's
 * slot is reused with another generation, so that an event for the former one is recognised.
 *
 * Order. An event's (dst, src, seq) is made of numbers that its source host counts by itself: the
 * serial of its dials, the ids it accepted. No slab index, address or global counter takes part. */
#ifndef SIM_INTERNAL_H
#define SIM_INTERNAL_H

#include "core/base/map.h"
#include "core/base/mem.h"
#include "transport-sim/queue.h"
#include "transport-sim/sim.h"

#include <assert.h>

#define SIM_SECOND  1000000000ull
#define SIM_NO_HOST UINT32_MAX
#define SIM_NO_LINK UINT32_MAX
#define SIM_PORT    8765u
#define SIM_LAST_NS (UINT64_MAX / 4) /* no event is later: room for additions */
#define SIM_RTO_NS  (200 * 1000000ull)
#define SIM_RTO_MAX (60 * SIM_SECOND)

/* ---- events: sim_event.kind is kind (4 bits), direction or end (1), halves (2), generation (25)
 * ---- */

enum sim_kind {
    SIM_EV_STREAM,  /* look at a direction: its head may be due at the receiver */
    SIM_EV_SENT,    /* a refund arrives at the sender of a direction */
    SIM_EV_SYN,     /* arrives at the host that was dialled */
    SIM_EV_SYN_ACK, /* arrives back at the dialler */
    SIM_EV_DOWN,    /* an end learns that its link is gone */
    SIM_EV_TIMER,
    SIM_EV_DISK,
    SIM_EV_CLOCK,
    SIM_EV_ROUND,  /* a sender's window is open again, or it sends again what was lost */
    SIM_EV_STUCK,  /* a direction may have been blocked for longer than TCP waits */
    SIM_EV_FAULT,  /* a fault is over, or a flapping link is up again; arg is its id */
    SIM_EV_COMMAND /* arg is its place in sim->orders */
};

#define SIM_GEN_BITS 25u

/* ---- dice: one number for each purpose, so that a draw here moves nothing there ---- */

enum sim_dice {
    SIM_DICE_LATENCY,
    SIM_DICE_JITTER,
    SIM_DICE_LOSS,
    SIM_DICE_CHUNK,
    SIM_DICE_SYN,
    SIM_DICE_DISK,
    SIM_DICE_DISK_FAULT,
    SIM_DICE_REORDER,
    SIM_DICE_MANGLE,
    SIM_DICE_KINDS
};

/* ---- links ---- */

#define SIM_SLOT_BITS 24u
#define SIM_SLOT_FREE 0x80000000u

/* One slice in flight, or a marker (buf is NULL, len is an enum sim_mark). */
struct sim_item {
    struct sim_item *next;
    uint64_t t_ns; /* arrival at the receiver's access link */
    struct vn_buf *buf;
    uint32_t off, len;
};

enum sim_mark { SIM_MARK_OPEN, SIM_MARK_FIN, SIM_MARK_RST };

struct sim_dir {
    struct sim_item *head, *tail;
    uint64_t armed_ns;   /* of the pending SIM_EV_STREAM that counts, or VN_NEVER */
    uint64_t last_ns;    /* arrival of the latest item; of a dial under way: its beginning */
    uint64_t latency_ns; /* base, without jitter */
    uint32_t used;       /* bytes sent and not refunded */
    uint32_t eaten;      /* bytes consumed and not yet on their way back as a refund */
    uint32_t sends;      /* deliveries so far: the place in the dice */
    uint32_t chunks;
    uint32_t arrived; /* items at the head that have passed the receiver's downlink */
    uint8_t blocked;  /* waits in sim->blocked for a heal */
    uint8_t halves;   /* refunds of the other direction that wait there too */
    uint8_t stopped;  /* the receiver reads no more */
    uint8_t reserved;
};

enum sim_end {
    SIM_END_NONE, /* the accepting end before its OPEN marker */
    SIM_END_DIALLING,
    SIM_END_OPEN,
    SIM_END_CLOSING, /* its SIM_EV_DOWN is pending at this very time */
    SIM_END_GONE,
    SIM_END_LOST /* gone, and nobody told the other end */
};

/* End 0 dialled, end 1 accepted. Direction d leads from end d to end 1 - d. */
struct sim_link {
    uint64_t id[2];
    struct sim_tcp *tcp; /* of links that lose, limit or change bytes; else NULL */
    uint32_t host[2];
    uint32_t slot[2]; /* in the host's slots */
    uint32_t serial;  /* of the dials of host[0] */
    uint32_t gen;
    uint8_t state[2]; /* enum sim_end */
    uint8_t why[2];   /* of the SIM_EV_DOWN under way */
    uint16_t params;  /* index */
    uint8_t tries;    /* SYNs sent */
    uint8_t live;
    uint16_t made_with; /* the parameters without what degrades them */
    uint8_t quiet;      /* ends, by bit, that go without telling the other */
    uint8_t forgotten;  /* by a router: nothing passes any more */
    uint16_t port;      /* that was dialled */
    uint16_t reserved;
    struct sim_dir dir[2];
};

_Static_assert(sizeof(struct sim_dir) == 64, "a direction is one cache line");
_Static_assert(sizeof(struct sim_link) == 192, "a link is three cache lines");

#define SIM_LINKS_CHUNK 256u
#define SIM_HOSTS_CHUNK 64u
#define SIM_ITEMS_CHUNK 512u

/* ---- hosts ---- */

struct sim_disk;
struct sim_peer;

/* What is, or was once, wrong with a host. Most have none. */
struct sim_faults {
    struct sim_clock clock;
    uint64_t clock_ns;      /* elapsed counts from here */
    uint64_t clock_armed;   /* of the pending SIM_EV_CLOCK that counts, or VN_NEVER */
    bool clock_changed;     /* while nobody could be told */
    struct sim_event *held; /* what waits for a paused node, as it came */
    uint32_t held_count, held_capacity;
    uint32_t backlog; /* connections that may wait to be accepted */
    struct sim_disk_faults disk;
    uint64_t disk_draws;
};

/* A node's configuration without what differs from host to host, shared by hosts of one kind. */
struct sim_template {
    uint32_t refs;
    struct vn_config config; /* node_id zeroed; no seeds */
};

/* A rate and the queue before it. */
struct sim_pipe {
    uint64_t free_ns;    /* when all that was handed to it has passed */
    uint64_t entered_ns; /* when the last of that comes, if that is not yet (sim_tcp.c) */
};

struct sim_host {
    const struct vn_api *api;
    struct vn_node *node; /* NULL while dead, or for a scripted peer */
    uint64_t timer_ns;    /* of the pending SIM_EV_TIMER that counts, or VN_NEVER */
    struct sim_pipe up;
    uint64_t up_last_ns; /* how long the uplink took for up_last_bytes, the latest size */
    uint32_t up_last_bytes;
    uint64_t down_free_ns;
    uint64_t up_bps, down_bps;
    struct u64map dialled; /* the core's odd ids -> links */
    uint32_t *slots;       /* link index * 2 + end; a free one: SIM_SLOT_FREE + the next free + 1 */
    uint32_t slot_count, slot_capacity;
    uint32_t slot_free; /* + 1; 0: none */
    uint32_t number;
    uint32_t starts;
    uint32_t dials;
    uint64_t ids; /* ids given out by the simulator on this host */
    uint64_t hash;
    uint64_t timer_floor_ns;   /* no timer fires before what waited for a resume */
    struct sim_faults *faults; /* or NULL */
    struct sim_disk *disk;
    struct sim_peer *peer; /* of a scripted peer */
    struct sim_template *template;
    struct vn_addr *seeds; /* template->config.seed_count of them */
    char *node_id;
    uint8_t alive;
    uint8_t region; /* 0: none */
    uint8_t paused;
    uint8_t settle; /* a trace or a command asked for on_settled */
    uint8_t dark;   /* the machine has no power: what comes is not answered */
};

/* ---- the network between hosts ---- */

/* A set of hosts as bits of a range. */
struct sim_set {
    uint32_t first, count; /* hosts that the bits speak of */
    uint64_t *bits;
};

struct sim_params {
    struct sim_link_params p;
    double log_keep; /* ln(1 - loss) */
};

struct sim_rule {
    struct sim_set a, b;
    uint16_t params;
};

/* Between a and b, or between a and everyone else. */
struct sim_cut_rule {
    struct sim_set a, b;
    uint64_t since_ns, end_ns;  /* end VN_NEVER: until it is healed */
    uint64_t every_ns, down_ns; /* every 0: cut all the time */
    uint32_t id;
    bool one_way, all;
};

struct sim_degrade_rule {
    struct sim_set a, b;
    uint64_t end_ns;
    uint32_t id;
    struct sim_degrade change;
};

struct sim_blocked {
    uint64_t since_ns;
    uint32_t link;
    uint32_t gen;
    uint32_t d;
    uint32_t reserved;
};

/* A command for later, or a free place. */
struct sim_order {
    uint64_t token; /* 0: free */
    struct vn_command command;
    uint32_t next_free; /* + 1; 0: none */
};

struct sim_shared {
    const struct vn_api *api;
    struct vn_shared *shared;
};

/* ---- windows: see sim_window.c ---- */

struct sim_told;

/* A host's events in a window: where in `dealt`, how many. */
struct sim_span {
    uint32_t first, count;
};

struct sim_window {
    uint64_t until_ns; /* what happens before is the window's; 0: none is being run */
    uint32_t host;     /* that is being run */
    bool wanted;
    struct sim_event *own; /* put by that host for itself, before until_ns */
    uint32_t own_count, own_capacity;
    struct sim_event *taken, *dealt; /* in the order of time; host by host */
    uint32_t taken_count, taken_capacity;
    uint32_t dealt_count, dealt_capacity;
    struct sim_span *spans; /* by host; empty between windows */
    uint32_t *hosts;        /* those to be run */
    uint32_t host_count, spans_capacity;
    struct sim_told *told; /* or NULL */
    uint64_t events_told;  /* the number of the last event that on_event heard of */
};

/* ---- marks: see sim_mark.c ---- */

struct sim_marks {
    uint32_t shift; /* a stretch is 2^shift ns long */
    uint32_t count; /* stretches so far */
    uint32_t given; /* events of the cycle that is under way */
    struct {
        uint64_t hash, events;
    } of[SIM_HASH_MARKS]; /* of what happened in each stretch */
};

struct sim {
    struct sim_config config;
    uint64_t now_ns;
    struct sim_queue *queue;
    bool stopped;
    bool settling;
    uint32_t half;            /* of the window: what one refund gives back */
    uint64_t chunk_threshold; /* of 2^32 */
    uint64_t dice[SIM_DICE_KINDS];
    uint32_t stepping; /* the host whose node is being called */

    struct sim_link **link_chunks;
    uint32_t link_count, link_free;
    struct sim_item *item_free;
    void *item_chunks;

    struct sim_host **host_chunks;
    uint32_t host_count;
    struct sim_shared *shared;
    uint32_t shared_count;
    struct sim_template *template; /* the latest */
    uint32_t *settle;              /* hosts whose on_settled waits for another's to return */
    uint32_t settle_count, settle_capacity;
    uint64_t tokens;
    struct sim_order *orders;
    uint32_t order_count, order_capacity, order_free; /* free: + 1; 0: none */

    struct sim_params *params;
    uint32_t params_count, params_capacity;
    uint16_t params_default;
    struct sim_rule *rules;
    uint32_t rule_count, rule_capacity;
    uint32_t *region_params; /* by two regions: index of params + 1, 0: none; NULL: no regions */
    struct sim_cut_rule *cuts;
    uint32_t cut_count, cut_capacity;
    uint32_t fault_ids;
    uint32_t barriers; /* cuts, hosts without power, links forgotten: 0 lets all pass */
    struct sim_degrade_rule *degrades;
    uint32_t degrade_count, degrade_capacity;
    uint64_t *mangled; /* pairs of hosts that got changed bytes from each other, ascending */
    uint32_t mangled_count, mangled_capacity;
    struct sim_blocked *blocked;
    uint32_t blocked_count, blocked_capacity;

    struct sim_window window;
    uint64_t lookahead_ns; /* no link that is, or may be made, has a lower latency */
    uint32_t paused;       /* hosts that stand still */
    uint32_t lost;         /* ends in SIM_END_LOST */
    bool mangles;          /* some links change bytes */
    uint32_t scripted;     /* hosts without a node, dead or alive */

    struct sim_stats stats;
    struct sim_marks marks;
    struct vn_action action;
};

static inline struct sim_link *sim_link_at(const struct sim *sim, uint32_t index)
{
    return &sim->link_chunks[index / SIM_LINKS_CHUNK][index % SIM_LINKS_CHUNK];
}

static inline struct sim_host *sim_host_at(const struct sim *sim, uint32_t number)
{
    return &sim->host_chunks[number / SIM_HOSTS_CHUNK][number % SIM_HOSTS_CHUNK];
}

/* ---- sim.c ---- */

/* Memory of the simulator's own, counted in stats.memory. The grown part is zeroed. */
void *sim_resize(struct sim *sim, void *old, size_t old_size, size_t size);
/* Makes room for one more element of `size` bytes. */
void *sim_room(struct sim *sim, void *array, uint32_t count, uint32_t *capacity, size_t size);
/* The number n of the stream (purpose, of). */
uint64_t sim_draw(const struct sim *sim, enum sim_dice purpose, uint64_t of, uint64_t n);
double sim_draw_unit(const struct sim *sim, enum sim_dice purpose, uint64_t of, uint64_t n);
/* Handles an event. */
void sim_dispatch(struct sim *sim, const struct sim_event *event);
/* Asks for the memory that the next events will touch, of which `count` are known. */
void sim_look_ahead(const struct sim *sim, const struct sim_event *next, size_t count);
/* Chains the 64-bit word v to a hash. */
uint64_t sim_chain(uint64_t hash, uint64_t v);

/* ---- sim_mark.c ---- */

void mark_init(struct sim *sim);
/* A host's hash after the events of a cycle (marks.given of them), and what came of them. */
void mark_add(struct sim *sim, uint32_t host, uint64_t hash);

/* ---- sim_window.c ---- */

/* Whether what is next may be run host by host. */
bool window_may(const struct sim *sim);
/* Runs a window that begins with the next event and ends at limit_ns at the latest. */
void window_run(struct sim *sim, uint64_t limit_ns);
void window_put(struct sim *sim, const struct sim_event *event);
void window_free(struct sim *sim);

/* Puts an event, not before the present time. */
static inline void sim_put(struct sim *sim, const struct sim_event *event)
{
    if (event->t_ns < sim->window.until_ns)
        window_put(sim, event);
    else
        sim_queue_put(sim->queue, event);
}

/* ---- sim_told.c: what observers hear at the end of a window ---- */

static inline bool told_later(const struct sim *sim)
{
    return sim->window.until_ns > 0;
}

void told_trace(struct sim *sim, uint32_t host, const struct vn_trace *trace);
void told_event(struct sim *sim, uint32_t host, uint32_t kind, uint64_t hash);
void told_reply(struct sim *sim, uint32_t host, const struct vn_action *action);
void told_settled(struct sim *sim, uint32_t host);
/* Tells all that was kept. */
void told_tell(struct sim *sim);
void told_free(struct sim *sim);

/* ---- sim_host.c ---- */

void host_link_up(struct sim *sim, struct sim_host *host, const struct sim_link *link, unsigned e);
void host_bytes(struct sim *sim, struct sim_host *host, uint64_t id, struct vn_slice data);
void host_link_down(struct sim *sim, struct sim_host *host, uint64_t id, uint32_t why);
/* Gives a node one event; kind and u are filled in. */
void host_step(struct sim *sim, struct sim_host *host, struct vn_event *event);
/* Ends a cycle: performs the actions, arms the timer, tells the observer. */
void host_settle(struct sim *sim, struct sim_host *host);
/* Tells the observer, if something happened that it asked for. */
void host_tell_settled(struct sim *sim, struct sim_host *host);
/* Gives the node a CLOCK, without settling. */
void host_clock(struct sim *sim, struct sim_host *host);
void host_on_timer(struct sim *sim, const struct sim_event *event);
void host_on_command(struct sim *sim, const struct sim_event *event);
void hosts_free(struct sim *sim);
struct sim_host *host_new(struct sim *sim, const struct sim_host_params *params);
uint64_t host_hash(const struct sim_host *host);

/* ---- sim_link.c: the life of links and their ends ---- */

/* Asks for the memory of all links of a host, which is about to send on many. */
void links_prefetch(const struct sim *sim, const struct sim_host *host);
struct vn_addr link_addr(const struct sim_link *link, unsigned e);
/* The end of `host` with that id: its link, with its index and which end; NULL if there is none. */
struct sim_link *link_find(struct sim *sim, const struct sim_host *host, uint64_t id,
                           uint32_t *index, unsigned *e);
/* id 0: the simulator picks one. Returns the id. */
uint64_t link_dial(struct sim *sim, struct sim_host *host, uint64_t id, const struct vn_addr *to);
void link_close(struct sim *sim, uint32_t index, struct sim_link *link, unsigned e);
/* The process at end e is gone: no more events there. `quietly`: the other end is not told. */
void link_abort(struct sim *sim, uint32_t index, struct sim_link *link, unsigned e, bool quietly);
/* End e is told `why` its link ends, the other end nothing: it learns it from the answer to what
 * it sends next. */
void link_lose(struct sim *sim, uint32_t index, struct sim_link *link, unsigned e, uint32_t why);
/* End d sends no more what is stuck in its direction: to it the link failed. Frees the link if
 * nobody is left. */
void link_give_up(struct sim *sim, uint32_t index, struct sim_link *link, unsigned d);
/* Frees the link if nobody is left at its ends and nothing waits to be sent: a host that has closed
 * goes on sending what it had, whatever became of the other. Returns whether it did. */
bool link_give_if_left(struct sim *sim, uint32_t index, struct sim_link *link);
/* The base latency of direction d under the link's parameters. */
uint64_t link_latency_ns(const struct sim *sim, const struct sim_link *link, unsigned d);
/* The accepting end opens, or answers with a reset if its host is dead. */
void link_accept(struct sim *sim, uint32_t index, struct sim_link *link);
/* Tells open end e that its link is gone. */
void link_drop(struct sim *sim, uint32_t index, struct sim_link *link, unsigned e, uint32_t why);
/* Puts an event of direction or end d. */
void link_event(struct sim *sim, uint32_t index, const struct sim_link *link, unsigned d,
                enum sim_kind kind, uint32_t halves, uint64_t t_ns);
void link_on_syn(struct sim *sim, const struct sim_event *event);
void link_on_syn_ack(struct sim *sim, const struct sim_event *event);
void link_on_down(struct sim *sim, const struct sim_event *event);
void links_free(struct sim *sim);

/* ---- sim_stream.c: what flows on a link ---- */

void stream_send(struct sim *sim, uint32_t index, struct sim_link *link, unsigned d,
                 struct vn_slice *slices, uint32_t count);
void stream_mark(struct sim *sim, uint32_t index, struct sim_link *link, unsigned d,
                 enum sim_mark mark);
/* Drops all that is in direction d. */
void stream_clear(struct sim *sim, struct sim_link *link, unsigned d);
void stream_read(struct sim *sim, uint32_t index, struct sim_link *link, unsigned d, bool on);
/* Makes sure that the direction is looked at, at t_ns or before. */
void stream_arm(struct sim *sim, uint32_t index, struct sim_link *link, unsigned d, uint64_t t_ns);
void stream_on_event(struct sim *sim, const struct sim_event *event);
void stream_on_sent(struct sim *sim, const struct sim_event *event);
/* A heal: what waited in direction d goes on at t_ns. */
void stream_resume(struct sim *sim, uint32_t index, struct sim_link *link, unsigned d,
                   uint64_t t_ns);
void stream_items_free(struct sim *sim);

/* Names a direction in the dice: by its dialler's count, not by where it is in memory. */
static inline uint64_t link_dice(const struct sim_link *link, unsigned d)
{
    return (uint64_t)link->host[0] << 40 | (uint64_t)link->serial << 1 | d;
}

/* The link that an event speaks of, or NULL if that one is no more. */
static inline struct sim_link *link_of_event(const struct sim *sim, const struct sim_event *event)
{
    struct sim_link *link = sim_link_at(sim, event->arg);
    return link->live && link->gen == event->kind >> 7 ? link : NULL;
}

/* ---- what sim_stream.c and sim_tcp.c share ---- */

struct sim_item *stream_item_take(struct sim *sim);
void stream_item_give(struct sim *sim, struct sim_item *item);
/* How long `bytes` take at a rate, rounded up. */
uint64_t stream_transfer_ns(uint64_t bytes, uint64_t bps);
/* Latency, jitter and reordering of the next delivery in direction d; one call counts as one. */
uint64_t stream_delay_ns(struct sim *sim, struct sim_link *link, unsigned d);

static inline uint64_t sim_later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static inline uint64_t sim_bounded(uint64_t t_ns)
{
    return t_ns < SIM_LAST_NS ? t_ns : SIM_LAST_NS;
}

/* ---- sim_tcp.c: the model of TCP ---- */

/* Whether links of such parameters need one. */
bool tcp_wanted(const struct sim_link_params *params);
/* Gives the link the state of the model if its parameters need one. */
void tcp_open(struct sim *sim, struct sim_link *link);
void tcp_free(struct sim *sim, struct sim_link *link);
/* What was pushed to the end of direction d, with the time VN_NEVER, waits to be sent. */
void tcp_queue(struct sim_link *link, unsigned d, struct sim_item *first, uint64_t bytes);
/* Sends what the window lets pass. */
void tcp_pump(struct sim *sim, uint32_t index, struct sim_link *link, unsigned d);
void tcp_on_round(struct sim *sim, const struct sim_event *event);
/* What was stopped in direction d by a cut goes on at t_ns, with a window of one segment. */
void tcp_resume(struct sim *sim, uint32_t index, struct sim_link *link, unsigned d, uint64_t t_ns);
/* Something waits to be sent, or to be sent again. */
bool tcp_waits(const struct sim_link *link, unsigned d);
/* Forgets what was not sent yet. */
void tcp_drop_unsent(struct sim *sim, struct sim_link *link, unsigned d);
/* The stream is empty. */
void tcp_clear(struct sim_link *link, unsigned d);
/* The number of the next delivery that may be changed. */
uint64_t tcp_count_delivery(struct sim_link *link, unsigned d);

/* ---- sim_wire.c: for who listens on the wire ---- */

/* Something has arrived in direction d; see struct sim_wire. */
void wire_tell(struct sim *sim, const struct sim_link *link, unsigned d, enum sim_wire_kind kind,
               struct vn_slice data);

/* The link is about to be freed. Its ends have left, so a FIN under way reaches nobody: it is told
 * now. */
void wire_tell_end(struct sim *sim, const struct sim_link *link);

static inline void wire(struct sim *sim, const struct sim_link *link, unsigned d,
                        enum sim_wire_kind kind)
{
    if (sim->config.observer.on_wire)
        wire_tell(sim, link, d, kind, (struct vn_slice){.len = 0});
}

static inline void wire_bytes(struct sim *sim, const struct sim_link *link, unsigned d,
                              struct vn_slice data)
{
    if (sim->config.observer.on_wire)
        wire_tell(sim, link, d, SIM_WIRE_BYTES, data);
}

/* ---- sim_mangle.c: bytes that arrive changed ---- */

/* The data that the receiver gets instead: at most two slices, each a reference of its own;
 * `data` is taken. Returns how many. */
uint32_t mangle(struct sim *sim, struct sim_link *link, unsigned d, struct vn_slice data,
                struct vn_slice out[2]);

/* ---- sim_net.c ---- */

uint16_t net_params_for(const struct sim *sim, uint32_t a, uint32_t b);
/* The index of equal parameters, new or old; false when there are too many different ones. */
bool net_params_intern(struct sim *sim, const struct sim_link_params *params, uint16_t *index);
/* Numbers of hosts that do not exist are left out. */
struct sim_set net_set_new(struct sim *sim, const uint32_t *hosts, uint32_t n);
void net_set_free(struct sim *sim, struct sim_set *set);
void sim_net_init(struct sim *sim);
void net_free(struct sim *sim);

static inline bool net_set_has(const struct sim_set *set, uint32_t host)
{
    uint32_t bit = host - set->first;
    return bit < set->count && (set->bits[bit / 64] >> bit % 64 & 1) != 0;
}

/* ---- sim_link_fault.c ---- */

/* How long a sender waits for an acknowledgement before it sends again. */
uint64_t link_fault_rto_ns(const struct sim_link *link);
bool link_fault_is_cut_slow(const struct sim *sim, const struct sim_link *link, unsigned d);
/* Remembers that direction d waits, since now. */
void link_fault_block(struct sim *sim, uint32_t index, struct sim_link *link, unsigned d);
/* Something that stopped streams is over: those that may pass go on. */
void link_fault_resume(struct sim *sim);
/* The parameters of a new link between a and b: `made_with`, degraded. */
uint16_t link_fault_params_for(struct sim *sim, uint32_t a, uint32_t b, uint16_t made_with);
void link_fault_on_stuck(struct sim *sim, const struct sim_event *event);
void link_fault_on_event(struct sim *sim, const struct sim_event *event);
/* Bytes between these two were changed. */
void link_fault_note_mangled(struct sim *sim, uint32_t a, uint32_t b);
void link_fault_free(struct sim *sim);

/* Nothing passes in direction d now. */
static inline bool link_fault_is_cut(const struct sim *sim, const struct sim_link *link, unsigned d)
{
    return sim->barriers > 0 && link_fault_is_cut_slow(sim, link, d);
}

/* ---- sim_pause.c ---- */

/* Keeps an event of a paused node for its resume. */
void pause_hold(struct sim *sim, struct sim_host *host, const struct sim_event *event);
/* Whether the kernel of a paused host answers one more dial. */
bool pause_answers(struct sim *sim, struct sim_host *host);
/* The process is gone: nobody is left to resume. */
void pause_end(struct sim *sim, struct sim_host *host);

/* ---- sim_disk.c ---- */

/* What it holds and does; see sim_host_look. */
void disk_look(const struct sim_host *host, struct sim_host_look *out);

/* ---- sim_faults.c ---- */

/* The host's faults, made if it has none yet. */
struct sim_faults *faults_of(struct sim *sim, struct sim_host *host);
void faults_free(struct sim *sim, struct sim_host *host);

/* ---- sim_clock.c ---- */

uint64_t clock_wall_ns(const struct sim *sim, const struct sim_host *host);
/* The node has just been told the time: arms the next CLOCK, if one is needed. */
void clock_arm(struct sim *sim, struct sim_host *host);
void clock_on_event(struct sim *sim, const struct sim_event *event);
/* A paused node goes on: tells it what it missed. */
void clock_on_resume(struct sim *sim, struct sim_host *host);

/* ---- sim_disk.c ---- */

void disk_store(struct sim *sim, struct sim_host *host, const struct vn_action *action);
void disk_load(struct sim *sim, struct sim_host *host, const struct vn_action *action);
void disk_resolve(struct sim *sim, struct sim_host *host, const struct vn_action *action);
void disk_on_event(struct sim *sim, const struct sim_event *event);
/* The process is gone: forgets what is under way, and what the disk lied about. */
void disk_crash(struct sim *sim, struct sim_host *host);
/* A hang or a pause is over: what is due completes. */
void disk_wake(struct sim *sim, struct sim_host *host);
/* Forgets what is under way; with `all` what is stored too. */
void disk_drop(struct sim *sim, struct sim_host *host, bool all);

/* ---- sim_peer.c ---- */

void peer_on_link(struct sim *sim, struct sim_host *host, uint64_t id,
                  const struct vn_addr *remote);
void peer_on_bytes(struct sim *sim, struct sim_host *host, uint64_t id, struct vn_slice data);
void peer_on_close(struct sim *sim, struct sim_host *host, uint64_t id, uint32_t why);
/* The window of link id, whose end is in `slot`, has opened: sends what waits. */
void peer_pump(struct sim *sim, struct sim_host *host, uint32_t index, struct sim_link *link,
               unsigned e);
void peer_end_gone(struct sim *sim, struct sim_host *host, uint32_t slot);
void peer_free(struct sim *sim, struct sim_host *host);

#endif
