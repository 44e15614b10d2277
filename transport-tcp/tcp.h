/* The protocol core on a libuv loop: sockets for its links, timers for its deadlines.
 *
 *     struct vn_tcp *tcp = vn_tcp_new(&options);            what the nodes of one loop share
 *     struct vn_tcp_node *node = vn_tcp_node_new(tcp, &config, why, sizeof why);
 *     uv_run(loop, UV_RUN_DEFAULT);                         the node listens, dials, answers
 *
 * Each callback of libuv becomes events for the core, followed by one drain. What a link is to send
 * gathers until all that the loop found ready has been handled, and leaves in one writev.
 *
 * Names are their user's business: a core asks for none today, and is told that there is no such
 * one; addresses of seeds are looked up by whoever knows their names and given by VN_CMD_ADD_PEER.
 *
 * Everything here runs on the loop's thread, and nothing blocks. Handles die asynchronously, as
 * libuv's do: vn_tcp_node_close and vn_tcp_close tell by a callback when nothing is left.
 *
 * Units and ownership are those of core/node.h. now_ns is uv_hrtime, of options.speed.
 *
 * uv.h needs the types of POSIX: a program in strict C (-std=c11) defines _POSIX_C_SOURCE=200809L
 * or more before its first include; -std=gnu11 and C++ have them. */
#ifndef VN_TCP_H
#define VN_TCP_H

#include "core/node.h"

#include <uv.h>

#ifdef __cplusplus
extern "C" {
#endif

struct vn_tcp;
struct vn_tcp_node;

/* ---- what the nodes of one loop share ------------------------------------------------------- */

/* vn_tcp_options_init fills in the defaults given in brackets. */
struct vn_tcp_options {
    uint32_t size;       /* sizeof(struct vn_tcp_options) of the user's build */
    uint32_t window;     /* bytes of a link that may be SENT and not yet taken by the kernel,
                            4 KiB..1 GiB [1 MiB] */
    uint32_t read_bytes; /* of the buffer that links are read into, 4 KiB..64 MiB [256 KiB] */
    uint32_t max_files;  /* descriptors that links may take in all; above it no link is accepted
                            and dials fail [the process's limit less 64] */
    uint32_t speed;      /* ns of the nodes' clocks in one real nanosecond, 1..1000 [1] */
    uv_loop_t *loop;     /* borrowed [must be set] */
};

VN_API void vn_tcp_options_init(struct vn_tcp_options *options);

/* NULL if options make no sense. */
VN_API struct vn_tcp *vn_tcp_new(const struct vn_tcp_options *options);

/* When all its nodes are closed. on_closed is called from the loop when the last handle is gone;
 * then *tcp is, too. */
VN_API void vn_tcp_close(struct vn_tcp *tcp, void (*on_closed)(void *ctx), void *ctx);

/* The nodes' clock. */
VN_API uint64_t vn_tcp_now_ns(const struct vn_tcp *tcp);

/* ---- nodes ---------------------------------------------------------------------------------- */

/* What a node tells whoever runs it. Each may be NULL. None may close the node or step it. */
struct vn_tcp_hooks {
    void *ctx;
    /* Every event, before the core is given it (for a capture). Valid for the call. */
    void (*on_event)(void *ctx, const struct vn_event *event);
    /* vn_node_next_action has been called until it said false. */
    void (*on_drained)(void *ctx);
    /* The answer to a command. text is "" or one line. */
    void (*on_reply)(void *ctx, uint64_t token, uint32_t status, const char *text);
    /* Something that the operator should know, one line: no descriptors left. At most one a second
     * of each kind. */
    void (*on_warning)(void *ctx, const char *text);
    /* Takes a STORE or LOAD with all its references; the answer is given by vn_tcp_node_answer, not
     * from inside this call. NULL: nothing is kept, each STORE succeeds and each LOAD is empty. */
    void (*on_store)(void *ctx, struct vn_action *action);
};

struct vn_tcp_node_config {
    uint32_t size;                /* sizeof(struct vn_tcp_node_config) of the user's build */
    uint32_t backlog;             /* of listen(2), 1..65535 [511] */
    const struct vn_config *core; /* copied; its `listen` is announced [must be set] */
    const struct vn_addr *listen; /* where to listen, copied [nowhere] */
    uint32_t listen_count;        /* 0..16 [0]. Port 0: any free one, see vn_tcp_node_listen */
    struct vn_addr bind;          /* dials come from this address, of any port [none: any] */
    const struct vn_api *api;     /* the build of the core [NULL: the linked one] */
    struct vn_tcp_hooks hooks;
};

VN_API void vn_tcp_node_config_init(struct vn_tcp_node_config *config);

/* Listens, and starts the core (START, CLOCK). NULL, and one line in why: the core's configuration
 * makes no sense, or an address cannot be listened on (which one, and the system's reason). */
VN_API struct vn_tcp_node *vn_tcp_node_new(struct vn_tcp *tcp,
                                           const struct vn_tcp_node_config *config, char *why,
                                           size_t size);

/* Ends all links at once, without a word (VN_CMD_SHUTDOWN comes first, for a polite end), and
 * stops listening. on_closed (may be NULL) is called from the loop when the last handle is gone and
 * *node with it. Not from inside a hook. */
VN_API void vn_tcp_node_close(struct vn_tcp_node *node, void (*on_closed)(void *ctx), void *ctx);

/* Gives a COMMAND now; the answer comes by on_reply, mostly before this returns. Returns the token,
 * never 0. Not from inside a hook. */
VN_API uint64_t vn_tcp_node_command(struct vn_tcp_node *node, const struct vn_command *command);

/* Gives STORED or LOADED; now_ns and size are filled in. Not from inside a hook. */
VN_API void vn_tcp_node_answer(struct vn_tcp_node *node, struct vn_event *event);

/* To look in (vn_node_info and its like). Never step it. */
VN_API const struct vn_node *vn_tcp_node_core(const struct vn_tcp_node *node);
VN_API const struct vn_api *vn_tcp_node_api(const struct vn_tcp_node *node);

/* The address listened on, with its real port; false past the end. */
VN_API bool vn_tcp_node_listen(const struct vn_tcp_node *node, uint32_t index, struct vn_addr *out);

struct vn_tcp_stats {
    uint32_t size;              /* set by the caller */
    uint32_t links;             /* open or connecting now */
    uint32_t closing;           /* links that the core closed and that still write out */
    uint32_t throttled;         /* 1 while no link is accepted for want of descriptors */
    uint64_t accepted, dialled; /* links ever */
    uint64_t dials_failed;
    uint64_t accepts_delayed;     /* times that accepting stopped for want of descriptors */
    uint64_t bytes_in, bytes_out; /* on sockets */
    uint64_t reads, writes;       /* system calls that moved bytes */
    uint64_t events;              /* given to the core */
    uint64_t queued_bytes;        /* given by the core, not yet taken by the kernel */
};
VN_API void vn_tcp_node_stats(const struct vn_tcp_node *node, struct vn_tcp_stats *out);

/* ---- addresses and text --------------------------------------------------------------------- */

/* "127.0.0.1:8765" or "[::1]:8765"; "?" for VN_AF_NONE. */
#define VN_TCP_ADDR_TEXT 56u
VN_API void vn_tcp_addr_format(const struct vn_addr *addr, char out[VN_TCP_ADDR_TEXT]);

/* Reads an IP address with or without a port (an IPv6 one with a port in brackets); false: it is
 * none. default_port where there is no port. */
VN_API bool vn_tcp_addr_parse(const char *text, uint16_t default_port, struct vn_addr *out);

#ifdef __cplusplus
}
#endif

#endif
