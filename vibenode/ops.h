/* The operator's door to a running node: a small HTTP server on the node's own loop.
 *
 *     struct ops *ops = ops_start(&options, why, sizeof why);     listens; serves from the loop on
 *     ops_stop(ops, on_stopped, ctx);                             ends what is open; tells when
 * gone
 *
 * GET  /health  /status  /peers  /bans  /metrics
 * POST /connect /disconnect /ban /unban /transaction /mine /shutdown     (README.md has the bodies)
 *
 * Who may: it listens on loopback addresses or a Unix socket only, a Host that is not loopback is
 * refused (DNS rebinding), a web page's Origin is refused unless allowed, and a POST needs the
 * token of the token file. Bodies, headers, connections, and the time of a request are bounded.
 *
 * Everything runs on the loop's thread; no threads, nothing blocks, and no request costs the loop
 * more than a few milliseconds (but /mine, which computes as long as the core does). What the node
 * tells is asked for by the functions of struct ops_source, so that it needs no sockets to be
 * tested. HTTP is libmicrohttpd's, in its external epoll mode. */
#ifndef VIBENODE_OPS_H
#define VIBENODE_OPS_H

#include "core/node.h"
#include "store/node_store.h"
#include "transport-tcp/tcp.h"

#include <uv.h>

struct ops;

/* ---- what is counted ------------------------------------------------------------------------ */

#define OPS_MESSAGES 10u /* kinds of messages, in the protocol's order; see vn_message_name */

enum ops_level { OPS_LOG_ERROR, OPS_LOG_WARNING, OPS_LOG_INFO, OPS_LOG_DEBUG, OPS_LOG_LEVELS };

/* Things that happened since the start, for /metrics. The node's owner keeps one, zeroed at first,
 * and gives it every trace; the lines logged it counts itself. */
struct ops_counts {
    uint64_t messages_in[OPS_MESSAGES], messages_out[OPS_MESSAGES];
    uint64_t message_bytes_in[OPS_MESSAGES], message_bytes_out[OPS_MESSAGES];
    uint64_t blocks_new, blocks_bad, blocks_mined; /* VN_TR_BLOCK_NEW, _BLOCK_BAD, _MINED */
    uint64_t tip_changes, reorganisations;         /* VN_TR_TIP, and those of a depth above 0 */
    uint64_t transactions_new, transactions_bad;   /* VN_TR_TX_NEW, _TX_BAD */
    uint64_t violations, bans;                     /* VN_TR_VIOLATION, _BAN */
    uint64_t log_lines[OPS_LOG_LEVELS];
};

/* Counts one trace; kinds that are not counted change nothing. From vn_config.on_trace. */
void ops_counts_trace(struct ops_counts *counts, const struct vn_trace *trace);

/* The kinds that ops_counts_trace counts, as a vn_config.trace_mask. */
uint64_t ops_counts_mask(void);

/* ---- where answers come from ---------------------------------------------------------------- */

/* Called on the loop's thread, while a request is answered. None may call ops_stop. What is marked
 * [NULL] may be left out; out->size is set by the caller where there is one. */
struct ops_source {
    void *ctx;
    void (*info)(void *ctx, struct vn_info *out);
    bool (*peer)(void *ctx, uint32_t index, struct vn_peer_info *out);  /* false past the end */
    uint32_t (*bans)(void *ctx, struct vn_ban_info *out, uint32_t max); /* [NULL: none] */
    bool (*block_hash)(void *ctx, uint64_t height, uint8_t hash[32]);   /* [NULL] for the genesis */
    uint64_t (*now_ns)(void *ctx); /* the clock of vn_peer_info's times: vn_tcp_now_ns */
    void (*tcp_stats)(void *ctx, struct vn_tcp_stats *out);       /* [NULL] */
    bool (*store_stats)(void *ctx, struct node_store_stats *out); /* [NULL]; false: no store */
    void (*counts)(void *ctx, struct ops_counts *out);            /* [NULL] */
    /* Why the node does not serve yet or any more, one line ("loading the chain from the store"),
     * or NULL while all is well (a store that fails is told from its stats). [NULL] */
    const char *(*not_ready)(void *ctx);
    /* Gives the command to the node: vn_tcp_node_command. Returns its token, never 0; the answer
     * comes by ops_on_reply, before or after this returns. command is valid for the call; the
     * core copies data before it answers. 0: the node takes no commands now. */
    uint64_t (*command)(void *ctx, const struct vn_command *command);
    /* Starts a polite end, as SIGTERM does. Called once the answer to /shutdown has left, and must
     * not call ops_stop from inside. [NULL: /shutdown is 404] */
    void (*shutdown)(void *ctx);
};

/* ---- options -------------------------------------------------------------------------------- */

#define OPS_ADDRESS_DEFAULT "127.0.0.1:9765"

/* What /peers and /bans tell by themselves, and at most (?limit=N): the core finds the n-th peer in
 * n steps, and 5000 of them cost the loop some 10 ms. */
#define OPS_PEERS     1000u
#define OPS_PEERS_MAX 5000u

/* ops_options_init fills in the defaults given in brackets. All is copied but loop and what source
 * points to. */
struct ops_options {
    uint32_t size;      /* sizeof(struct ops_options) of the user's build */
    uv_loop_t *loop;    /* borrowed [must be set] */
    const char *listen; /* "127.0.0.1:9765", "[::1]:9765", "localhost:9765" or "unix:/path"; port 0:
                           any free one [OPS_ADDRESS_DEFAULT] */
    const char *token_file; /* made with 0600 and a random token if it is not there; one that others
                               can read is refused [NULL: no POST is served] */
    const char *const *origins; /* values of Origin that may ask, like "http://127.0.0.1:3000" */
    uint32_t origin_count;      /* [0] */
    const char *version;        /* of the program [VIBENODE_VERSION] */
    const char *build;          /* [VIBENODE_BUILD] */
    uint64_t started_wall_ns;   /* when the program started, since 1970 [now] */
    const struct vn_config *config; /* the node's: its id, version, addresses and chain are told
                                       [must be set] */
    bool may_mine;                  /* /mine is served: for networks of development [false: 403] */
    struct ops_source source;       /* [must be set] */
    /* What the operator should know: a command and what became of it, an attempt that was refused
     * (at most one of these a second). One line without control characters. [NULL] */
    void (*on_note)(void *ctx, enum ops_level level, const char *line);
    void *note_ctx;
    uint32_t max_connections; /* further ones wait, 1..1000 [32] */
    uint32_t idle_s;          /* silence after which a connection ends, 1..600 [10] */
    uint32_t request_ms;      /* for one request from the first byte or the end of the one before,
                                 to its answer's last byte, 1000..600000 [30000] */
    uint32_t reply_ms;        /* for the node's answer to a command: 504 after it [10000] */
};

void ops_options_init(struct ops_options *options);

/* ---- life ----------------------------------------------------------------------------------- */

/* Listens. NULL, and one line in why that names the option and the way out: not a loopback address,
 * in use, a token file that others can read. */
struct ops *ops_start(const struct ops_options *options, char *why, size_t size);

/* Stops listening and ends what is open, unfinished answers included. on_stopped (may be NULL) is
 * called from the loop when the last handle is gone and *ops with it. Not from inside a function of
 * the source. NULL is nothing, and on_stopped is not called then. */
void ops_stop(struct ops *ops, void (*on_stopped)(void *ctx), void *ctx);

/* Where it listens, with its real port: "127.0.0.1:9765", "unix:/path". Valid until ops_stop. */
const char *ops_address(const struct ops *ops);

/* The node's answer to a command: vn_tcp_hooks.on_reply passes all of them on. Tokens of others'
 * commands are ignored, and so is ops NULL. */
void ops_on_reply(struct ops *ops, uint64_t token, uint32_t status, const char *text);

#endif
