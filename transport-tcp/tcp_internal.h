/* The objects behind tcp.h and how they hang together.
 *
 *   vn_tcp        one a loop: clock, read buffer, the list of links that have something to write
 *   tcp_link      one a socket; it belongs to an owner, which hears what happens to it
 *   vn_tcp_node   an owner: turns what it hears into events, and performs the core's actions
 *
 * A link's life:
 *
 *     CONNECTING -> UP -> CLOSING -> LINGERING -> DEAD        any may go to DEAD at once
 *
 * CLOSING writes out what was given; the owner hears on_down when that is done, or has failed.
 * After it the link has no owner: LINGERING has sent its end of stream and reads until the other
 * end's, so that no reset overtakes what we said last; DEAD waits for libuv to give the handle
 * back.
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

/* Whom a link belongs to. */
struct tcp_owner {
    void (*on_up)(struct tcp_owner *owner, struct tcp_link *link);
    void (*on_bytes)(struct tcp_owner *owner, struct tcp_link *link, struct vn_slice data);
    /* The kernel took so many bytes of what was given to tcp_write. */
    void (*on_sent)(struct tcp_owner *owner, struct tcp_link *link, uint64_t bytes);
    /* Exactly one ends each link; the owner forgets it. */
    void (*on_down)(struct tcp_owner *owner, struct tcp_link *link, enum vn_why why);
    /* Where to read into, or NULL: the loop's buffer. *space is borrowed, at least 1 byte. */
    bool (*on_alloc)(struct tcp_owner *owner, struct tcp_link *link, struct vn_slice *space);
    struct tcp_link *links; /* all that belong to it */
    struct vn_tcp_stats stats;
};

enum tcp_state { LINK_CONNECTING, LINK_UP, LINK_CLOSING, LINK_LINGERING, LINK_DEAD };

struct tcp_link {
    uv_tcp_t handle; /* first: libuv gives it back as this link */
    uint64_t id;     /* the owner's */
    struct vn_tcp *tcp;
    struct tcp_owner *owner;      /* NULL when it has heard on_down */
    struct tcp_link *next, *prev; /* in the owner's list, or in the loop's of those that end */
    struct tcp_link *next_dirty;
    struct tcp_out *out;     /* NULL while nothing is to be written */
    struct tcp_shape *shape; /* NULL: what is to be written may leave at once */
    struct vn_addr remote; /* and in the word that it begins */
    uint8_t state;         /* enum tcp_state */
    uint8_t why;           /* enum vn_why, once it has failed */
    bool dirty : 1;
    bool failed : 1;   /* it is over: nothing is read or written any more */
    bool reading : 1;  /* the owner wants bytes */
    bool freed : 1;    /* libuv gave it back while it was dirty */
    uint64_t close_ns; /* uv_hrtime when it began to close, or to linger */
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
    struct tcp_out *free_outs;
    uint32_t free_out_count;
    struct vn_buf *read_buf; /* the loop's buffer, or NULL */
    struct vn_slice reading; /* the space that libuv was given last */
    struct vn_action action; /* the one that is performed */
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

enum tcp_warning { TCP_WARN_FILES, TCP_WARN_ACCEPT, TCP_WARN_NAME, TCP_WARNINGS };

/* An event that waits: one that is known while actions are performed, or while the node stands
 * still. Of kinds that point to nothing. */
struct tcp_later {
    struct tcp_later *next;
    struct vn_event event;
};

struct tcp_listener {
    uv_poll_t poll;
    struct vn_tcp_node *node;
    struct vn_addr addr;
    int fd;
    bool polling;
};

struct vn_tcp_node {
    struct tcp_owner owner; /* first: an owner is cast to its node */
    struct vn_tcp *tcp;
    const struct vn_api *api;
    struct vn_node *core;
    struct vn_tcp_hooks hooks;
    struct vn_addr bind;
    struct u64map by_id;
    uint64_t next_accepted; /* even */
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
    bool own_clock;         /* its owner tells it the time */
    uint64_t warned_ns[TCP_WARNINGS];
    struct tcp_listener *listeners;
    uint32_t listener_count;
    uint32_t handles; /* of its own that libuv has not given back, names being resolved included */
    bool online;      /* the core has loaded what it keeps, and takes links */
    bool performing;  /* actions: nobody may step it now */
    bool closing;
    bool standing; /* its process is made to stand still, see tcp_fault.h */
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

/* ---- tcp.c: the loop's part ---- */

/* Puts the link on the list of those that the next flush looks at. */
void tcp_dirty(struct tcp_link *link);
/* One descriptor more, or false: options.max_files are open. */
bool tcp_file_take(struct vn_tcp *tcp);
void tcp_file_give(struct vn_tcp *tcp);
/* What libuv reads into next. */
struct vn_slice tcp_read_space(struct vn_tcp *tcp);
/* After what was read there has been handed on. */
void tcp_read_done(struct vn_tcp *tcp);
/* Real milliseconds, rounded up, from now until t_ns of the nodes' clock. */
uint64_t tcp_ms_until(const struct vn_tcp *tcp, uint64_t t_ns);

/* ---- tcp_link.c: a socket's life ---- */

/* A link without a socket yet, listed by its owner; NULL when no descriptor is to be had. */
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
/* Ends it now, with a reset if `abort`, without a word to the owner. */
void tcp_link_drop(struct tcp_link *link, bool abort);
/* The flush's part: tells the owner what was noted. */
void tcp_link_settle(struct tcp_link *link);
/* Ends those that are closing for this owner, or all that are closing or lingering (NULL). */
void tcp_ending_drop(struct vn_tcp *tcp, const struct tcp_owner *owner);
void tcp_on_ending_timer(uv_timer_t *timer);

/* ---- tcp_write.c: what leaves ---- */

/* Takes the slices' references. */
void tcp_write(struct tcp_link *link, const struct vn_slice *slices, uint32_t count);
/* Writes what the kernel takes, and returns how many bytes it took (those of an earlier request
 * included). */
uint64_t tcp_write_flush(struct tcp_link *link);
static inline bool tcp_write_idle(const struct tcp_link *link)
{
    return link->out == NULL;
}
void tcp_write_drop(struct tcp_link *link);

/* ---- tcp_dial.c, tcp_listen.c, tcp_resolve.c ---- */

struct sockaddr_storage;
/* The length of the address; 0 for VN_AF_NONE. */
int tcp_addr_to_sys(const struct vn_addr *addr, struct sockaddr_storage *out);
void tcp_addr_from_sys(const struct sockaddr_storage *sys, struct vn_addr *out);

/* Connects the link to its remote address from `bind`; fails by tcp_link_fail. */
void tcp_dial(struct tcp_link *link, const struct vn_addr *bind);

/* False, and one line in why. */
bool tcp_listen(struct vn_tcp_node *node, const struct vn_addr *addrs, uint32_t count,
                uint32_t backlog, char *why, size_t size);
/* Takes connections again where it had to stop, if there are descriptors. */
void tcp_listen_resume(struct vn_tcp_node *node);
void tcp_listen_stop(struct vn_tcp_node *node);
void tcp_listen_close(struct vn_tcp_node *node);

/* False: that is no HOST:PORT, or it cannot be asked for. */
bool tcp_resolve(struct vn_tcp_node *node, uint64_t token, const char *name);

/* ---- tcp_node.c ---- */

/* Steps the core, later if the node stands still; tcp_node_drain follows. */
void tcp_node_step(struct vn_tcp_node *node, struct vn_event *event);
void tcp_node_drain(struct vn_tcp_node *node);
/* Steps the core from the loop, soon. */
void tcp_node_later(struct vn_tcp_node *node, const struct vn_event *event);
/* A socket was accepted. */
void tcp_node_accepted(struct vn_tcp_node *node, int fd, const struct vn_addr *remote);
void tcp_node_handle_gone(struct vn_tcp_node *node);

/* At most one a second of each kind. */
__attribute__((format(printf, 3, 4))) void
tcp_node_warn(struct vn_tcp_node *node, enum tcp_warning kind, const char *format, ...);

#endif
