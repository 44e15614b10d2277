/* The objects behind tcp.h and how they hang together.
 *
 *   vn_tcp        one a loop: clock, read buffer, the list of links that have something to write
 *   tcp_owner     who listens, dials and hears what happens to its links
 *   tcp_link      one a socket; it belongs to an owner
 *   vn_tcp_node   an owner: turns what it hears into events, and performs the core's actions
 *   tcp_raw       an owner without a core: see tcp_raw.h
 *
 * A link's life:
 *
 *     CONNECTING -> UP -> CLOSING -> LINGERING -> DEAD        any may go to DEAD at once
 *
 * CLOSING writes out what was given; the owner hears on_down when that is done, or has failed.
 * After it the link has no owner: LINGERING has sent its end of stream and reads until the other
 * end's, so that no reset overtakes what we said last; DEAD waits for libuv to give the handle
 * back. A GHOST is a socket that stays open without an owner, for tests and worlds that impose
 * faults: see tcp_fault.h.
 *
 * Nothing calls an owner from inside a call that the owner made: what is noticed there is noted,
 * the link put on the dirty list, and the owner hears of it in the next flush. */
#ifndef TCP_INTERNAL_H
#define TCP_INTERNAL_H

#include "core/base/map.h"
#include "core/base/mem.h"
#include "transport-tcp/tcp.h"

#include <assert.h>

#define TCP_LISTENERS_MAX 16u

struct tcp_link;
struct tcp_shape;

enum tcp_warning { TCP_WARN_FILES, TCP_WARN_ACCEPT, TCP_WARNINGS };

/* Whom links belong to. What on_alloc and below name may be NULL. */
struct tcp_owner {
    void (*on_up)(struct tcp_owner *owner, struct tcp_link *link);
    void (*on_bytes)(struct tcp_owner *owner, struct tcp_link *link, struct vn_slice data);
    /* The kernel took so many bytes of what was given to tcp_write. */
    void (*on_sent)(struct tcp_owner *owner, struct tcp_link *link, uint64_t bytes);
    /* Exactly one ends each link; the owner forgets it. */
    void (*on_down)(struct tcp_owner *owner, struct tcp_link *link, enum vn_why why);
    /* Called when its last handle is gone: it may be freed. */
    void (*on_gone)(struct tcp_owner *owner);
    /* Where to read into, or NULL: the loop's buffer. *space is borrowed, at least 1 byte. */
    bool (*on_alloc)(struct tcp_owner *owner, struct tcp_link *link, struct vn_slice *space);
    /* After some links were accepted. */
    void (*on_batch)(struct tcp_owner *owner);
    void (*on_warning)(struct tcp_owner *owner, enum tcp_warning kind, const char *text);
    struct vn_tcp *tcp;
    void *user;             /* whose it is, for whoever made it: see tcp_fault.h */
    struct tcp_link *links; /* all that belong to it, but for those that close */
    struct u64map by_id;    /* those that close, too */
    uint64_t next_accepted; /* even */
    struct tcp_listener *listeners;
    uint32_t listener_count;
    uint32_t handles; /* of its own that libuv has not given back */
    bool takes;       /* links may be accepted */
    bool standing;    /* nothing is read or accepted, see tcp_fault.h */
    bool closing;
    struct vn_tcp_stats stats;
};

enum tcp_state { LINK_CONNECTING, LINK_UP, LINK_CLOSING, LINK_LINGERING, LINK_GHOST, LINK_DEAD };

struct tcp_link {
    uv_tcp_t handle; /* first: libuv gives it back as this link. Its data is what the owner's `user`
                        is, after that is gone, too */
    uint64_t id;     /* the owner's */
    struct vn_tcp *tcp;
    struct tcp_owner *owner;      /* NULL when it has heard on_down */
    struct tcp_link *next, *prev; /* in the owner's list, or one of the loop's */
    struct tcp_link *next_dirty;
    struct tcp_out *out;     /* NULL while nothing is to be written */
    struct tcp_shape *shape; /* NULL: what is to be written may leave at once */
    struct vn_addr remote;   /* and in the word that it begins */
    uint8_t state;           /* enum tcp_state */
    uint8_t ghost;           /* enum tcp_ghost: what becomes of it when it is over */
    uint8_t why;             /* enum vn_why, once it has failed */
    bool dirty : 1;
    bool failed : 1;   /* it is over: nothing is read or written any more */
    bool reading : 1;  /* the owner wants bytes */
    bool freed : 1;    /* libuv gave it back while it was dirty */
    bool abort : 1;    /* it ends with a reset */
    bool told : 1;     /* its owner wants to hear nothing more */
    uint64_t close_ns; /* of the nodes' clock, when it began to close, or to linger */
};

enum tcp_ghost {
    GHOST_NONE,
    GHOST_LATE, /* closes when what holds its writing back lets it */
    GHOST_OFF,  /* its machine has no power: until tcp_fault_back */
    GHOST_HALF  /* its machine knows it no more: what comes is answered with a reset */
};

/* What a link has to write, in order. */
struct tcp_out {
    struct tcp_out *next_free;
    struct vn_slice *slices; /* a ring */
    uint32_t first, count, capacity;
    uint32_t begun;      /* bytes of the first that left */
    uint32_t in_request; /* bytes that libuv waits to write; 0: none */
    uint64_t bytes;
    uv_write_t request;
};

struct vn_tcp {
    struct vn_tcp_options options;
    uv_loop_t *loop;
    uint64_t began_ns;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle; /* runs while links are dirty, so that the loop does not sleep */
    uv_timer_t ending_timer;
    uint32_t handles; /* of its own that libuv has not given back */
    uint32_t files;   /* that links have open */
    struct tcp_link *dirty, **dirty_tail;
    struct tcp_link *ending; /* CLOSING and LINGERING */
    uint32_t ending_count;
    struct tcp_link *ghosts;
    struct tcp_shape *shapes;
    const struct tcp_shaper *shaper; /* NULL: none */
    uint16_t port_named, port_real;  /* dials to the one go to the other; 0: as they are */
    uint32_t socket_bytes;           /* of each socket's buffers; 0: as the system has it */
    bool own_wall;                   /* the nodes' wall clock is wall_zero_ns + their clock */
    uint64_t wall_zero_ns;
    uint64_t stopped_at_ns; /* uv_hrtime since when the nodes' clock stands; 0: it goes */
    uint64_t stopped_ns;    /* how long it has stood in all */
    struct tcp_out *free_outs;
    uint32_t free_out_count;
    struct vn_buf *read_buf; /* the loop's buffer, or NULL */
    struct vn_slice reading; /* the space that libuv was given last */
    struct vn_action action; /* the one that is performed */
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

/* An event that waits: one that is known while actions are performed, or while the node stands
 * still. Of kinds that point to nothing. */
struct tcp_later {
    struct tcp_later *next;
    struct vn_event event;
};

struct tcp_listener {
    uv_poll_t poll;
    struct tcp_owner *owner;
    struct vn_addr addr;
    int fd;
    bool polling;
};

struct vn_tcp_node {
    struct tcp_owner owner; /* first: an owner is cast to its node */
    const struct vn_api *api;
    struct vn_node *core;
    struct vn_tcp_hooks hooks;
    struct vn_addr bind;
    uint64_t next_token;
    uv_timer_t timer;
    uint64_t timer_ns;     /* when it is armed for, or VN_NEVER */
    uv_timer_t look_timer; /* at the wall clock, and whether to accept again */
    uv_idle_t idle;        /* runs while links are dirty, so that the loop does not sleep */
    struct tcp_later *later, **later_tail;
    int64_t wall_offset_ns; /* wall clock less now_ns, as last told */
    uint64_t told_ns;       /* when that was */
    int64_t skew_ns;        /* added to the wall clock */
    bool reads_ahead;       /* its build of the core has node_rx */
    uint64_t warned_ns[TCP_WARNINGS];
    bool online;     /* the core has loaded what it keeps, and takes links */
    bool performing; /* actions: nobody may step it now */
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

/* ---- tcp.c: the loop's part ---- */

/* Puts the link on the list of those that the next flush looks at. */
void tcp_dirty(struct tcp_link *link);
/* One descriptor more; false: it is one more than options.max_files, and must not be opened. */
bool tcp_file_take(struct vn_tcp *tcp);
void tcp_file_give(struct vn_tcp *tcp);
/* Frees it if it was closed and libuv has given back all handles, those of links included. */
void tcp_free_if_done(struct vn_tcp *tcp);
/* What libuv reads into next. */
struct vn_slice tcp_read_space(struct vn_tcp *tcp);
/* After what was read there has been handed on. */
void tcp_read_done(struct vn_tcp *tcp);
/* Real milliseconds, rounded up, from now until t_ns of the nodes' clock. */
uint64_t tcp_ms_until(const struct vn_tcp *tcp, uint64_t t_ns);

/* ---- tcp_owner.c ---- */

/* The functions are set by the caller before. */
void tcp_owner_init(struct tcp_owner *owner, struct vn_tcp *tcp);
void tcp_owner_dial(struct tcp_owner *owner, uint64_t id, const struct vn_addr *remote,
                    const struct vn_addr *from);
/* A socket was accepted. */
void tcp_owner_accepted(struct tcp_owner *owner, int fd, const struct vn_addr *remote);
struct tcp_link *tcp_owner_find(const struct tcp_owner *owner, uint64_t id);
/* Ends its links with resets and stops listening; on_gone follows with the last handle. */
void tcp_owner_close(struct tcp_owner *owner);
void tcp_owner_handle_gone(struct tcp_owner *owner);
__attribute__((format(printf, 3, 4))) void
tcp_owner_warn(struct tcp_owner *owner, enum tcp_warning kind, const char *format, ...);

/* ---- tcp_link.c: a socket's life ---- */

/* A link without a socket yet, listed by its owner. It has failed already if no descriptor is to be
 * had. */
struct tcp_link *tcp_link_new(struct vn_tcp *tcp, struct tcp_owner *owner, uint64_t id,
                              const struct vn_addr *remote);
/* The socket is open: the owner hears on_up, and bytes from now on. */
void tcp_link_up(struct tcp_link *link);
/* Our end's address. */
struct vn_addr tcp_link_local(const struct tcp_link *link);
void tcp_link_read(struct tcp_link *link, bool on);
/* Writes out what was given, then ends; on_down(VN_WHY_LOCAL_CLOSED) follows in a later flush. */
void tcp_link_close(struct tcp_link *link);
/* Notes that it is over: on_down(why) follows in the next flush. */
void tcp_link_fail(struct tcp_link *link, enum vn_why why);
/* As tcp_link_fail(VN_WHY_RESET), and the other end hears a reset, too. */
void tcp_link_abort(struct tcp_link *link);
/* Ends it, with a reset if `abort`, without a word to the owner; the other end hears of it when the
 * link's shape lets it. */
void tcp_link_drop(struct tcp_link *link, bool abort);
/* It stays open without its owner, which hears nothing. */
void tcp_link_haunt(struct tcp_link *link, enum tcp_ghost ghost);
/* Ends a ghost. */
void tcp_link_rest(struct tcp_link *link);
/* The flush's part: tells the owner what was noted. */
void tcp_link_settle(struct tcp_link *link);
/* Ends those that are closing for this owner, or all that nobody owns or that are closing (NULL).
 */
void tcp_ending_drop(struct vn_tcp *tcp, const struct tcp_owner *owner);
void tcp_on_ending_timer(uv_timer_t *timer);

/* ---- tcp_write.c: what leaves ---- */

/* Takes the slices' references. What the link's shape holds back leaves later. */
void tcp_write(struct tcp_link *link, const struct vn_slice *slices, uint32_t count);
/* The same, past the shape. */
void tcp_write_now(struct tcp_link *link, const struct vn_slice *slices, uint32_t count);
/* Writes what the kernel takes, and returns how many bytes it took (those of an earlier request
 * included). */
uint64_t tcp_write_flush(struct tcp_link *link);
void tcp_write_drop(struct tcp_link *link);

/* ---- tcp_dial.c, tcp_listen.c ---- */

/* Before it listens or connects. */
void tcp_socket_buffers(const struct vn_tcp *tcp, int fd);
struct sockaddr_storage;
/* The length of the address; 0 for VN_AF_NONE. */
int tcp_addr_to_sys(const struct vn_addr *addr, struct sockaddr_storage *out);
void tcp_addr_from_sys(const struct sockaddr_storage *sys, struct vn_addr *out);

/* Connects the link to its remote address from `bind`; fails by tcp_link_fail. */
void tcp_dial(struct tcp_link *link, const struct vn_addr *bind);

/* What a dial becomes when nothing holds it back any more. */
void tcp_dial_now(struct tcp_link *link, const struct vn_addr *bind);

/* False, and one line in why. */
bool tcp_listen(struct tcp_owner *owner, const struct vn_addr *addrs, uint32_t count,
                uint32_t backlog, char *why, size_t size);
/* Takes connections again where it had to stop, if it may and there are descriptors. */
void tcp_listen_resume(struct tcp_owner *owner);
void tcp_listen_stop(struct tcp_owner *owner);
void tcp_listen_close(struct tcp_owner *owner);

/* ---- tcp_node.c ---- */

/* Steps the core, later if the node stands still; tcp_node_drain follows. */
void tcp_node_step(struct vn_tcp_node *node, struct vn_event *event);
void tcp_node_drain(struct vn_tcp_node *node);
/* Steps the core from the loop, soon. */
void tcp_node_later(struct vn_tcp_node *node, const struct vn_event *event);
/* vn_tcp_node_new with a wall clock that is off by skew_ns, and a name for its links' user. */
struct vn_tcp_node *tcp_node_new(struct vn_tcp *tcp, const struct vn_tcp_node_config *config,
                                 int64_t skew_ns, void *user, char *why, size_t size);
/* Tells the core the wall clock; tcp_node_drain follows. */
void tcp_node_tell_clock(struct vn_tcp_node *node);
/* Steps the core with what waited, and drains. */
void tcp_node_catch_up(struct vn_tcp_node *node);

#endif
