/* What a running program holds. Private to daemon*.c. */
#ifndef VIBENODE_DAEMON_IMPL_H
#define VIBENODE_DAEMON_IMPL_H

#include "store/node_store.h"
#include "trace/capture.h"
#include "transport-tcp/tcp.h"
#include "vibenode/config.h"
#include "vibenode/exits.h"
#include "vibenode/links.h"
#include "vibenode/log.h"
#include "vibenode/node_id.h"
#include "vibenode/ops.h"
#include "vibenode/seeds.h"

#include <uv.h>

enum daemon_phase {
    DAEMON_STARTING,
    DAEMON_RUNNING,
    DAEMON_LEAVING, /* the peers are told; waits for links and store */
    DAEMON_CLOSING  /* handles are being closed */
};

/* Two interrupts and a hangup; SIGPIPE is ignored. */
#define DAEMON_SIGNALS 3u

struct daemon {
    struct config *config;
    int argc; /* to read the configuration again */
    char **argv;
    enum daemon_phase phase;
    int status; /* enum exits */
    struct log *log;
    struct links links;
    uint64_t trace_mask; /* what the core was told to trace */

    uv_loop_t loop;
    uv_async_t answered; /* the store has an answer */
    uv_timer_t tick;     /* each second */
    uv_timer_t leave;    /* while leaving */
    uv_signal_t signals[DAEMON_SIGNALS];
    uint64_t leave_until_ms;  /* of the loop's clock */
    uint64_t linger_until_ms; /* 0: not all is written out yet */
    bool had_links;           /* as the leaving began */
    uint64_t status_ms;       /* when the status was told last */

    struct node_store *store; /* or NULL */
    bool store_failing;
    struct capture *capture; /* or NULL */
    bool capture_ended;
    struct seeds *seeds; /* or NULL */
    struct vn_tcp *tcp;
    struct vn_tcp_node *node;
    bool commanding;          /* a command of our own is under way */
    uint64_t load_bans_token; /* of the last LOAD of a start, see daemon_store.c */
    bool loaded;              /* the core has read what the store held */

    /* daemon_ops.c */
    struct ops *ops; /* or NULL */
    struct ops_counts counts;
    struct vn_config ops_config; /* the core's, as ops are told of it */
};

/* ---- daemon_store.c ---- */

/* Opens the store, and finds the node's id. False, told, if the folder cannot be used. */
bool daemon_store_open(struct daemon *d, struct vn_config *core);

/* A hook of the node. */
void daemon_store_hook(void *ctx, struct vn_action *action);

/* Flushes and closes it; false, told, if something was not stored. */
bool daemon_store_close(struct daemon *d);

/* Tells when it begins to fail, and when it works again. */
void daemon_store_look(struct daemon *d);

/* ---- daemon_reload.c ---- */

void daemon_reload(struct daemon *d);

/* ---- daemon_ops.c ---- */

/* Starts HTTP, if it is asked for. False, told, if it cannot. */
bool daemon_ops_start(struct daemon *d, const struct vn_config *core);
void daemon_ops_stop(struct daemon *d);

/* ---- daemon.c ---- */

/* Gives the node a command of our own; what it answers but VN_OK is logged at debug. */
void daemon_command(struct daemon *d, const struct vn_command *command);

/* Starts a polite end; once is enough. */
void daemon_leave(struct daemon *d, const char *why);

void daemon_info(const struct daemon *d, struct vn_info *out);

#endif
