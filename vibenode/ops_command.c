/* What a POST wants, as a command for the node, and the node's reply as an answer.
 *
 * The reply to a command comes by ops_on_reply, mostly while the command is still being given, when
 * its token is not known yet: such replies are kept aside until it is. If the reply has not come
 * then, the request waits, its connection suspended, until it comes or its time is over. A command
 * whose client has gone is carried out all the same. */
#include "vibenode/ops_impl.h"
#include "vibenode/ops_tx.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROTOCOL_PORT 8765u
#define BAN_MAX_S     3155760000.0 /* 100 years */
#define MINE_MAX      1000u        /* of one VN_CMD_MINE */

/* ---- replies -------------------------------------------------------------------------------- */

static unsigned code_of(uint32_t status)
{
    switch ((enum vn_status)status) {
    case VN_OK:
        return MHD_HTTP_OK;
    case VN_ERR_ARGUMENT:
        return MHD_HTTP_BAD_REQUEST;
    case VN_ERR_STATE:
        return MHD_HTTP_CONFLICT;
    case VN_ERR_LIMIT:
        return MHD_HTTP_SERVICE_UNAVAILABLE;
    case VN_ERR_INVALID:
        return MHD_HTTP_UNPROCESSABLE_CONTENT;
    case VN_ERR_UNKNOWN:
        return MHD_HTTP_NOT_FOUND;
    case VN_ERR_IO:
        break;
    }
    return MHD_HTTP_INTERNAL_SERVER_ERROR;
}

/* The node has answered: so do we. */
static void settle(struct ops_request *request, uint32_t status, const char *reason)
{
    struct ops_text *text = &request->text;
    const char *word = vn_status_name(status);
    char error[240];
    snprintf(error, sizeof error, status == VN_ERR_INVALID ? "it breaks the rule %s" : "%s",
             reason[0] ? reason : word);
    request->code = code_of(status);
    request->type = OPS_JSON_TYPE;
    ops_json_open(text, NULL, '{');
    if (status != VN_OK)
        ops_json_string(text, "error", error);
    ops_json_string(text, "status", word);
    if (request->tx_id[0])
        ops_json_string(text, "tx_id", request->tx_id);
    ops_json_close(text, '}');
    ops_note(request->ops, OPS_LOG_INFO, "%s: %s", request->what, status == VN_OK ? "ok" : error);
}

static void unlink_waiting(struct ops_request *request)
{
    struct ops_request **at = &request->ops->waiting;
    while (*at != request)
        at = &(*at)->next;
    *at = request->next;
}

static void keep_early(struct ops *ops, uint64_t token, uint32_t status, const char *text)
{
    if (ops->early_count == ops->early_size) {
        ops->early_size = ops->early_size ? 2 * ops->early_size : 4;
        ops->early = realloc(ops->early, ops->early_size * sizeof *ops->early);
        if (!ops->early)
            abort();
    }
    struct ops_early *early = &ops->early[ops->early_count++];
    early->token = token;
    early->status = status;
    snprintf(early->text, sizeof early->text, "%s", text ? text : "");
}

void ops_on_reply(struct ops *ops, uint64_t token, uint32_t status, const char *text)
{
    if (!ops || ops->stopping)
        return;
    struct ops_request *request = ops->waiting;
    while (request && request->token != token)
        request = request->next;
    if (request) {
        unlink_waiting(request);
        settle(request, status, text ? text : "");
        ops_http_resume(request);
    } else if (ops->giving) {
        keep_early(ops, token, status, text);
    }
}

void ops_command_expire(struct ops_request *request)
{
    unlink_waiting(request);
    ops_http_error(request, MHD_HTTP_GATEWAY_TIMEOUT,
                   "the node has not answered in time: it may still do it, ask for /status");
    ops_note(request->ops, OPS_LOG_WARNING, "%s: no answer in time", request->what);
    ops_http_resume(request);
}

static void give(struct ops_request *request, const struct vn_command *command)
{
    struct ops *ops = request->ops;
    const struct ops_source *source = &ops->options.source;
    ops->giving = true;
    ops->early_count = 0;
    uint64_t token = source->command(source->ctx, command);
    ops->giving = false;
    if (token == 0) {
        const char *why = source->not_ready ? source->not_ready(source->ctx) : NULL;
        ops_http_error(request, MHD_HTTP_SERVICE_UNAVAILABLE, "the node takes no commands now: %s",
                       why ? why : "try again later");
        return;
    }
    for (size_t i = 0; i < ops->early_count; i++)
        if (ops->early[i].token == token) {
            settle(request, ops->early[i].status, ops->early[i].text);
            return;
        }
    request->token = token;
    request->wait = OPS_WAIT_REPLY;
    request->deadline_ms = uv_now(ops->options.loop) + ops->options.reply_ms;
    request->next = ops->waiting;
    ops->waiting = request;
}

/* ---- bodies --------------------------------------------------------------------------------- */

static bool bad(struct ops_request *request, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool bad(struct ops_request *request, const char *format, ...)
{
    char reason[400];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    ops_http_error(request, MHD_HTTP_BAD_REQUEST, "%s", reason);
    return false;
}

/* The body as an object; NULL, and an error. example is the way out. */
static json_t *read_object(struct ops_request *request, const char *example)
{
    json_error_t error;
    const char *body = request->body.data ? request->body.data : "";
    json_t *object = json_loadb(body, request->body.len, JSON_REJECT_DUPLICATES, &error);
    if (json_is_object(object))
        return object;
    if (object)
        bad(request, "the body must be an object like %s", example);
    else
        bad(request, "the body is no JSON (line %d, column %d: %s): send an object like %s",
            error.line, error.column, error.text, example);
    json_decref(object);
    return NULL;
}

/* Nothing but these two fields, of which the second may be NULL. */
static bool check_fields(struct ops_request *request, json_t *object, const char *first,
                         const char *second)
{
    const char *key;
    json_t *value;
    json_object_foreach(
        object, key,
        value) if (strcmp(key, first) != 0 &&
                   (!second ||
                    strcmp(key, second) !=
                        0)) return bad(request, "there is no field '%.40s': there is %s%s%s", key,
                                       first, second ? " and " : "", second ? second : "");
    return true;
}

static bool read_addr(struct ops_request *request, const json_t *object, uint16_t default_port,
                      struct vn_addr *out)
{
    const json_t *value = json_object_get(object, "addr");
    const char *text = json_string_value(value);
    if (!value)
        return bad(request, "addr is missing: an IP address like \"192.0.2.1:8765\"");
    if (!text || strlen(text) != json_string_length(value) ||
        !vn_tcp_addr_parse(text, default_port, out))
        return bad(request, "addr must be text: an IP address like \"192.0.2.1:8765\" or "
                            "\"[2001:db8::1]:8765\"");
    return true;
}

/* ---- commands about peers ------------------------------------------------------------------- */

static void describe(struct ops_request *request, const char *verb, const struct vn_addr *addr)
{
    char text[VN_TCP_ADDR_TEXT];
    vn_tcp_addr_format(addr, text);
    snprintf(request->what, sizeof request->what, "%s %s", verb, text);
}

/* A command that has an address and no more. */
static void give_addr(struct ops_request *request, const char *verb, enum vn_command_kind kind,
                      uint16_t default_port)
{
    struct vn_command command = {.kind = kind};
    json_t *object = read_object(request, "{\"addr\": \"192.0.2.1:8765\"}");
    if (object && check_fields(request, object, "addr", NULL) &&
        read_addr(request, object, default_port, &command.addr)) {
        describe(request, verb, &command.addr);
        give(request, &command);
    }
    json_decref(object);
}

void ops_command_connect(struct ops_request *request)
{
    give_addr(request, "connect", VN_CMD_CONNECT, PROTOCOL_PORT);
}

/* Without a port: any. */
void ops_command_disconnect(struct ops_request *request)
{
    give_addr(request, "disconnect", VN_CMD_DISCONNECT, 0);
}

void ops_command_unban(struct ops_request *request)
{
    give_addr(request, "unban", VN_CMD_UNBAN, 0);
}

static bool read_seconds(struct ops_request *request, const json_t *object, uint64_t *out_ns)
{
    const json_t *value = json_object_get(object, "seconds");
    if (!value)
        return true; /* 0: as configured */
    double s = json_is_number(value) ? json_number_value(value) : 0;
    if (!(s >= 0.001 && s <= BAN_MAX_S))
        return bad(request,
                   "seconds must be a number from 0.001 to %.0f; without it, the ban is as "
                   "long as configured",
                   BAN_MAX_S);
    *out_ns = (uint64_t)(s * 1e3 + 0.5) * 1000000;
    return true;
}

void ops_command_ban(struct ops_request *request)
{
    struct vn_command command = {.kind = VN_CMD_BAN};
    json_t *object = read_object(request, "{\"addr\": \"192.0.2.1\", \"seconds\": 3600}");
    if (object && check_fields(request, object, "addr", "seconds") &&
        read_addr(request, object, 0, &command.addr) &&
        read_seconds(request, object, &command.number)) {
        describe(request, "ban", &command.addr);
        size_t len = strlen(request->what);
        if (command.number)
            snprintf(request->what + len, sizeof request->what - len, " for %" PRIu64 " s",
                     command.number / 1000000000);
        give(request, &command);
    }
    json_decref(object);
}

/* ---- the others ----------------------------------------------------------------------------- */

static struct vn_buf *read_tx(struct ops_request *request)
{
    const char *type = MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND,
                                                   MHD_HTTP_HEADER_CONTENT_TYPE);
    if (type && strcmp(type, "application/octet-stream") == 0) {
        struct vn_buf *buf = vn_buf_new((uint32_t)request->body.len);
        if (buf->len)
            memcpy(buf->data, request->body.data, buf->len);
        return buf;
    }
    const struct ops_source *source = &request->ops->options.source;
    struct vn_info info = {.size = sizeof info};
    char why[300];
    json_t *object = read_object(request, "{\"sender\": HEX, \"recipient\": HEX, \"value\": 1}");
    if (!object)
        return NULL;
    source->info(source->ctx, &info);
    struct vn_buf *buf = ops_tx_read(object, info.wall_ns / 1000000000, why, sizeof why);
    json_decref(object);
    if (!buf)
        bad(request, "%s", why);
    return buf;
}

void ops_command_transaction(struct ops_request *request)
{
    struct vn_buf *buf = read_tx(request);
    if (!buf)
        return;
    struct vn_command command = {.kind = VN_CMD_SUBMIT_TX, .data = {buf, 0, buf->len}};
    if (buf->len >= 32) {
        for (size_t i = 0; i < 32; i++)
            snprintf(request->tx_id + 2 * i, 3, "%02x", buf->data[i]);
        snprintf(request->what, sizeof request->what, "transaction %s", request->tx_id);
        give(request, &command);
    } else {
        bad(request, "a transaction has 157 bytes at least, not %u", buf->len);
    }
    vn_buf_unref(buf);
}

void ops_command_mine(struct ops_request *request)
{
    struct vn_command command = {.kind = VN_CMD_MINE};
    if (!request->ops->options.may_mine) {
        ops_http_error(request, MHD_HTTP_FORBIDDEN,
                       "this node does not mine on demand: that is for networks of development, "
                       "and has to be configured");
        return;
    }
    json_t *object = read_object(request, "{\"blocks\": 1}");
    if (object && check_fields(request, object, "blocks", NULL)) {
        if (json_is_integer(json_object_get(object, "blocks")) &&
            ops_tx_number(json_object_get(object, "blocks"), &command.number) &&
            command.number >= 1 && command.number <= MINE_MAX) {
            snprintf(request->what, sizeof request->what, "mine %" PRIu64, command.number);
            give(request, &command);
        } else {
            bad(request, "blocks must be a whole number, 1..%u", MINE_MAX);
        }
    }
    json_decref(object);
}

void ops_command_shutdown(struct ops_request *request)
{
    if (!request->ops->options.source.shutdown) {
        ops_http_error(request, MHD_HTTP_NOT_FOUND,
                       "this node is not ended this way: send SIGTERM to its process");
        return;
    }
    snprintf(request->what, sizeof request->what, "shutdown");
    request->ends = true;
    settle(request, VN_OK, "");
}
