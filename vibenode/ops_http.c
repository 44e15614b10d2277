/* HTTP as libmicrohttpd tells it: connections, requests and their bodies, answers.
 *
 * A request is looked at when its headers are there, and answered when its body has come to its
 * end, also if it was refused before: a client that writes would see its connection reset, and not
 * why. What it sends is thrown away then. Only a body that is announced as longer than that is
 * worth, or that waits for "100 Continue", is answered at once, and the connection ends.
 *
 * A client that is slow holds one of a few places. Silence ends a connection (the library's own
 * timeout); one that dribbles is cut when its request takes too long. */
#include "vibenode/ops_impl.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTION_MEMORY (32u << 10) /* of the library for one connection: bounds the headers */

/* ---- answers -------------------------------------------------------------------------------- */

/* The word for an HTTP status, for programs; the reason of a refused command replaces it. */
static const char *status_word(unsigned code)
{
    switch (code) {
    case MHD_HTTP_UNAUTHORIZED:
    case MHD_HTTP_FORBIDDEN:
        return "forbidden";
    case MHD_HTTP_NOT_FOUND:
    case MHD_HTTP_METHOD_NOT_ALLOWED:
        return "unknown";
    case MHD_HTTP_CONTENT_TOO_LARGE:
        return "limit";
    case MHD_HTTP_SERVICE_UNAVAILABLE:
        return "state";
    case MHD_HTTP_GATEWAY_TIMEOUT:
        return "timeout";
    default:
        return "argument";
    }
}

void ops_http_error(struct ops_request *request, unsigned code, const char *format, ...)
{
    char reason[512];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    struct ops_text *text = &request->text;
    ops_text_free(text);
    ops_json_open(text, NULL, '{');
    ops_json_string(text, "error", reason);
    ops_json_string(text, "status", status_word(code));
    ops_json_close(text, '}');
    request->code = code;
    request->type = OPS_JSON_TYPE;
}

static void add_headers(const struct ops_request *request, struct MHD_Response *response)
{
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, request->type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (request->code == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, request->allow);
    if (request->code == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
                                "Bearer realm=\"vibenode\"");
}

static enum MHD_Result answer(struct ops_request *request)
{
    struct ops *ops = request->ops;
    struct ops_text *text = &request->text;
    assert(request->code && request->code < sizeof ops->answers / sizeof *ops->answers);
    if (strcmp(request->type, OPS_JSON_TYPE) == 0)
        ops_text_add(text, "\n");
    struct MHD_Response *response =
        MHD_create_response_from_buffer(text->len, text->data, MHD_RESPMEM_MUST_FREE);
    if (!response)
        return MHD_NO;
    *text = (struct ops_text){0};
    ops->answers[request->code]++;
    add_headers(request, response);
    enum MHD_Result result = MHD_queue_response(request->connection, request->code, response);
    MHD_destroy_response(response);
    return result;
}

/* ---- requests ------------------------------------------------------------------------------- */

static bool is_post(const char *method)
{
    return strcmp(method, MHD_HTTP_METHOD_POST) == 0;
}

static const char *header(const struct ops_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

/* The length that the headers promise; 0 where they promise none. */
static uint64_t promised(const struct ops_request *request)
{
    const char *length = header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return length ? strtoull(length, NULL, 10) : 0; /* digits: the library has checked */
}

static void refuse_body(struct ops_request *request)
{
    request->route = NULL;
    ops_text_free(&request->body);
    ops_http_error(request, MHD_HTTP_CONTENT_TOO_LARGE, "the body has more than %u bytes, the most",
                   OPS_BODY_MAX);
}

/* The headers are there. */
static enum MHD_Result begin(struct ops *ops, struct MHD_Connection *connection, const char *path,
                             const char *method, void **request_slot)
{
    struct ops_request *request = calloc(1, sizeof *request);
    if (!request)
        abort();
    *request_slot = request;
    request->ops = ops;
    request->connection = connection;
    if (ops_guard_headers(request))
        request->route = ops_route_find(request, method, path);
    if (request->route && request->route->post && !ops_guard_token(request))
        request->route = NULL;
    uint64_t length = promised(request);
    if (request->route && length > OPS_BODY_MAX)
        refuse_body(request);
    bool now = length > OPS_BODY_DISCARD ||
               (is_post(method) && header(request, MHD_HTTP_HEADER_EXPECT) && !request->route);
    if (now && request->route) /* a GET with a body out of all measure */
        refuse_body(request);
    return now ? answer(request) : MHD_YES;
}

static void take_body(struct ops_request *request, const char *bytes, size_t len)
{
    request->body_bytes += len;
    if (!request->route)
        return;
    if (request->body_bytes > OPS_BODY_MAX)
        refuse_body(request);
    else if (request->route->post)
        ops_text_bytes(&request->body, bytes, len);
}

/* The request is whole, or its command has been answered. */
static enum MHD_Result finish(struct ops_request *request)
{
    if (request->route && request->wait == OPS_WAIT_NO)
        request->route->handle(request);
    if (request->wait == OPS_WAIT_REPLY) {
        MHD_suspend_connection(request->connection);
        return MHD_YES;
    }
    return answer(request);
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **request_slot)
{
    (void)version;
    struct ops_request *request = *request_slot;
    if (!request)
        return begin(ctx, connection, path, method, request_slot);
    if (*upload_size) {
        take_body(request, upload, *upload_size);
        *upload_size = 0;
        return MHD_YES;
    }
    return finish(request);
}

/* A connection gets the whole time again: for its next request, or for an answer that could not be
 * sent sooner. */
static void restart_clock(const struct ops *ops, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct ops_conn *conn = info ? info->socket_context : NULL;
    if (conn)
        conn->since_ms = uv_now(ops->options.loop);
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **request_slot,
                         enum MHD_RequestTerminationCode why)
{
    (void)why; /* also of a client that went: what it began is done */
    struct ops *ops = ctx;
    struct ops_request *request = *request_slot;
    *request_slot = NULL;
    restart_clock(ops, connection);
    if (!request)
        return;
    assert(request->wait != OPS_WAIT_REPLY);
    if (request->ends)
        ops->shutdown_due = true;
    ops_text_free(&request->body);
    ops_text_free(&request->text);
    free(request);
}

void ops_http_resume(struct ops_request *request)
{
    assert(request->wait == OPS_WAIT_REPLY);
    request->wait = OPS_WAIT_OVER;
    restart_clock(request->ops, request->connection);
    MHD_resume_connection(request->connection);
    request->ops->resumed = true; /* nothing wakes the library by itself */
    if (!request->ops->running && !request->ops->stopping)
        ops_run_soon(request->ops);
}

/* ---- connections ---------------------------------------------------------------------------- */

static void on_connection(void *ctx, struct MHD_Connection *connection, void **slot,
                          enum MHD_ConnectionNotificationCode what)
{
    struct ops *ops = ctx;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        struct ops_conn *conn = calloc(1, sizeof *conn);
        if (!conn)
            abort();
        conn->connection = connection;
        conn->since_ms = uv_now(ops->options.loop);
        conn->next = ops->conns;
        ops->conns = conn;
        ops->conn_count++;
        *slot = conn;
        return;
    }
    struct ops_conn **at = &ops->conns;
    while (*at != *slot)
        at = &(*at)->next;
    *at = (*at)->next;
    ops->conn_count--;
    free(*slot);
}

static bool waits(const struct ops *ops, const struct ops_conn *conn)
{
    for (const struct ops_request *r = ops->waiting; r; r = r->next)
        if (r->connection == conn->connection)
            return true;
    return false;
}

static uint64_t deadline_of(const struct ops *ops, const struct ops_conn *conn)
{
    return conn->cut || waits(ops, conn) ? UINT64_MAX : conn->since_ms + ops->options.request_ms;
}

void ops_http_sweep(struct ops *ops)
{
    uint64_t now_ms = uv_now(ops->options.loop);
    struct ops_request *next;
    for (struct ops_request *r = ops->waiting; r; r = next) {
        next = r->next;
        if (r->deadline_ms <= now_ms)
            ops_command_expire(r);
    }
    for (struct ops_conn *conn = ops->conns; conn; conn = conn->next) {
        if (deadline_of(ops, conn) > now_ms)
            continue;
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(conn->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (info) /* the library finds the end of the stream, and closes */
            shutdown(info->connect_fd, SHUT_RDWR);
        conn->cut = true;
    }
}

uint64_t ops_http_timeout(struct ops *ops)
{
    uint64_t now_ms = uv_now(ops->options.loop), least_ms = ops->resumed ? 0 : UINT64_MAX;
    MHD_UNSIGNED_LONG_LONG library_ms;
    if (MHD_get_timeout(ops->daemon, &library_ms) == MHD_YES && now_ms + library_ms < least_ms)
        least_ms = now_ms + library_ms;
    for (const struct ops_request *r = ops->waiting; r; r = r->next)
        least_ms = r->deadline_ms < least_ms ? r->deadline_ms : least_ms;
    for (const struct ops_conn *conn = ops->conns; conn; conn = conn->next) {
        uint64_t deadline_ms = deadline_of(ops, conn);
        least_ms = deadline_ms < least_ms ? deadline_ms : least_ms;
    }
    if (least_ms == UINT64_MAX)
        return UINT64_MAX;
    return least_ms > now_ms ? least_ms - now_ms : 0;
}

/* ---- life ----------------------------------------------------------------------------------- */

struct MHD_Daemon *ops_http_start(struct ops *ops, int fd, char *why, size_t size)
{
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, ops,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, ops->options.max_connections,
        MHD_OPTION_CONNECTION_TIMEOUT, ops->options.idle_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, ops, MHD_OPTION_NOTIFY_CONNECTION, on_connection, ops, MHD_OPTION_END);
    if (!daemon) {
        close(fd);
        snprintf(why, size,
                 "the HTTP server does not start, most likely for want of descriptors: raise the "
                 "limit (ulimit -n)");
    }
    return daemon;
}

void ops_http_stop(struct ops *ops)
{
    while (ops->waiting) {
        struct ops_request *request = ops->waiting;
        ops->waiting = request->next;
        ops_http_error(request, MHD_HTTP_SERVICE_UNAVAILABLE, "the node stops");
        ops_http_resume(request);
    }
    MHD_stop_daemon(ops->daemon);
    ops->daemon = NULL;
}
