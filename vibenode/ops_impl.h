/* What the operator's door is inside: shared by ops*.c alone.
 *
 * A request goes: ops_http.c (libmicrohttpd's callbacks, bodies, answers) -> ops_guard.c (who may)
 * -> ops_route.c (which path, which method) -> a handler in ops_show.c, ops_metrics.c or
 * ops_command.c, which fills in the answer, or leaves it to ops_on_reply. */
#ifndef VIBENODE_OPS_IMPL_H
#define VIBENODE_OPS_IMPL_H

#include "vibenode/ops.h"
#include "vibenode/ops_place.h"
#include "vibenode/ops_text.h"
#include "vibenode/ops_token.h"

#include <microhttpd.h>

#define OPS_BODY_MAX (1u << 20) /* of a request that is taken */
#define OPS_BODY_DISCARD                                                                           \
    (16u << 20) /* of one that is refused: it is read to its end, so that the                      \
                   client, which still writes, gets to read why */
#define OPS_JSON_TYPE    "application/json"
#define OPS_METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* One connection, for the time that its requests may take. */
struct ops_conn {
    struct ops_conn *next;
    struct MHD_Connection *connection;
    uint64_t since_ms; /* uv_now when it began, or its latest request ended */
    bool cut;
};

enum ops_wait { OPS_WAIT_NO, OPS_WAIT_REPLY, OPS_WAIT_OVER };

/* One request, from its headers to the end of its answer. */
struct ops_request {
    struct ops *ops;
    struct MHD_Connection *connection;
    const struct ops_route *route; /* NULL: refused */
    struct ops_text body;          /* of a POST */
    uint64_t body_bytes;           /* that came, kept or not */

    unsigned code;        /* of the answer, 0: not known yet */
    const char *type;     /* Content-Type */
    const char *allow;    /* Allow, of a 405 */
    struct ops_text text; /* its body */

    /* of commands */
    enum ops_wait wait;
    uint64_t token, deadline_ms;
    struct ops_request *next; /* in ops.waiting */
    char what[200];           /* the command in words, for the note */
    char tx_id[65];           /* of a transaction, in hex; else "" */
    bool ends;                /* /shutdown: the node is told when the answer has left */
};

struct ops_route {
    const char *path;
    bool post; /* else GET and HEAD */
    void (*handle)(struct ops_request *request);
};

/* A reply that came while its command was being given, before the token was known. */
struct ops_early {
    uint64_t token;
    uint32_t status;
    char text[108];
};

struct ops {
    struct ops_options options; /* its pointers are to what follows */
    struct vn_config config;    /* without the seed and what it points to */
    char *version, *build;
    char **origins;
    bool has_token;
    char token[OPS_TOKEN_MAX + 1];

    struct ops_place place;
    char address[OPS_PLACE_TEXT];
    uint64_t socket_dev, socket_ino; /* of our Unix socket, so that no other is removed */

    struct MHD_Daemon *daemon;
    uv_poll_t poll;
    uv_timer_t timer;
    uint32_t handles; /* not closed yet */
    bool running, stopping;
    void (*on_stopped)(void *ctx);
    void *stopped_ctx;

    struct ops_conn *conns;
    uint32_t conn_count;
    struct ops_request *waiting;
    bool giving; /* a command is being given */
    struct ops_early *early;
    size_t early_count, early_size;
    bool resumed; /* since MHD_run began: it is to be run again */
    bool shutdown_due;

    uint64_t started_ns;   /* uv_hrtime when the program started; before its zero, it wraps */
    uint64_t answers[600]; /* by HTTP status */
    uint64_t noted_ms;     /* when a refusal was told last */
    bool noted;
};

/* ---- ops.c ---- */

uint64_t ops_uptime_ns(const struct ops *ops);
void ops_run_soon(struct ops *ops); /* in the loop's next turn */
void ops_note(struct ops *ops, enum ops_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- ops_http.c ---- */

/* NULL, and one line in why. fd is taken. */
struct MHD_Daemon *ops_http_start(struct ops *ops, int fd, char *why, size_t size);
void ops_http_stop(struct ops *ops);

/* Ends connections and waits that take too long. */
void ops_http_sweep(struct ops *ops);

/* Milliseconds until ops_http_sweep or MHD_run has something to do; UINT64_MAX: never. */
uint64_t ops_http_timeout(struct ops *ops);

/* The answer is an error: {"error": text, "status": ...}. */
void ops_http_error(struct ops_request *request, unsigned code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A request that waited has its answer. */
void ops_http_resume(struct ops_request *request);

/* ---- ops_guard.c ---- */

/* Whether the headers let the request in; else the answer is the refusal. */
bool ops_guard_headers(struct ops_request *request);
bool ops_guard_token(struct ops_request *request);

/* ---- ops_route.c ---- */

/* NULL: there is no such path, or not with this method, and the answer says so. */
const struct ops_route *ops_route_find(struct ops_request *request, const char *method,
                                       const char *path);

/* ---- handlers ---- */

void ops_show_health(struct ops_request *request);
void ops_show_status(struct ops_request *request);
void ops_show_peers(struct ops_request *request);
void ops_show_bans(struct ops_request *request);
void ops_metrics_show(struct ops_request *request);
void ops_command_connect(struct ops_request *request);
void ops_command_disconnect(struct ops_request *request);
void ops_command_ban(struct ops_request *request);
void ops_command_unban(struct ops_request *request);
void ops_command_transaction(struct ops_request *request);
void ops_command_mine(struct ops_request *request);
void ops_command_shutdown(struct ops_request *request);

/* ---- ops_command.c ---- */

/* The node did not answer in time. */
void ops_command_expire(struct ops_request *request);

/* ---- ops_show.c ---- */

/* Reasons why the node is not healthy, as elements of a JSON array; returns how many. */
uint32_t ops_show_reasons(const struct ops *ops, struct ops_text *text);

#endif
