/* Who may: decided by a request's headers alone.
 *
 * A browser on this machine runs programs of strangers, and may be made to send requests here. It
 * says of each under which name it found us (Host) and, where it matters, for which page (Origin):
 * a page that gave its own name our address (DNS rebinding) is betrayed by the one, any other page
 * by the other. What changes the node needs the token besides, which no page can read. */
#include "vibenode/ops_impl.h"

#include <string.h>
#include <strings.h>

#define NOTE_EVERY_MS 1000u

/* At most one a second, whoever knocks. */
static void note_refusal(struct ops_request *request, const char *what)
{
    struct ops *ops = request->ops;
    uint64_t now_ms = uv_now(ops->options.loop);
    if (ops->noted && now_ms - ops->noted_ms < NOTE_EVERY_MS)
        return;
    ops->noted = true;
    ops->noted_ms = now_ms;
    ops_note(ops, OPS_LOG_WARNING, "refused a request %s", what);
}

struct lookup {
    const char *name, *value;
    unsigned count;
};

static enum MHD_Result on_header(void *ctx, enum MHD_ValueKind kind, const char *name,
                                 const char *value)
{
    (void)kind;
    struct lookup *lookup = ctx;
    if (strcasecmp(name, lookup->name) == 0) {
        lookup->value = value ? value : "";
        lookup->count++;
    }
    return MHD_YES;
}

/* How often a header is there, and its value. */
static unsigned find_header(const struct ops_request *request, const char *name, const char **value)
{
    struct lookup lookup = {.name = name};
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, on_header, &lookup);
    *value = lookup.value;
    return lookup.count;
}

static bool guard_host(struct ops_request *request)
{
    const char *host;
    unsigned count = find_header(request, MHD_HTTP_HEADER_HOST, &host);
    if (count == 1 && ops_place_host_is_loopback(host))
        return true;
    if (count != 1) {
        ops_http_error(request, MHD_HTTP_BAD_REQUEST, "say once in a Host header whom you ask");
        return false;
    }
    note_refusal(request, "for a Host that is not this machine");
    ops_http_error(request, MHD_HTTP_FORBIDDEN,
                   "the Host header does not name this machine: ask for localhost, 127.0.0.1 or "
                   "[::1], also through a tunnel or a proxy");
    return false;
}

static bool guard_origin(struct ops_request *request)
{
    const struct ops_options *options = &request->ops->options;
    const char *origin;
    unsigned count = find_header(request, MHD_HTTP_HEADER_ORIGIN, &origin);
    bool allowed = count == 0;
    for (uint32_t i = 0; i < options->origin_count && count == 1; i++)
        allowed = allowed || strcmp(origin, options->origins[i]) == 0;
    if (allowed)
        return true;
    note_refusal(request, "of a web page");
    ops_http_error(request, MHD_HTTP_FORBIDDEN,
                   "web pages may not ask this node: name the page's origin among those that the "
                   "configuration allows, or ask without an Origin header");
    return false;
}

bool ops_guard_headers(struct ops_request *request)
{
    return guard_host(request) && guard_origin(request);
}

bool ops_guard_token(struct ops_request *request)
{
    struct ops *ops = request->ops;
    static const char scheme[] = "Bearer ";
    if (!ops->has_token) {
        ops_http_error(request, MHD_HTTP_FORBIDDEN,
                       "this node takes no commands: start it with a token file (http-token-file)");
        return false;
    }
    const char *given;
    unsigned count = find_header(request, MHD_HTTP_HEADER_AUTHORIZATION, &given);
    if (count == 1 && strncasecmp(given, scheme, sizeof scheme - 1) == 0) {
        given += sizeof scheme - 1;
        given += strspn(given, " ");
        if (ops_token_equal(ops->token, given))
            return true;
    }
    if (count)
        note_refusal(request, "with a wrong token");
    ops_http_error(request, MHD_HTTP_UNAUTHORIZED,
                   count ? "the token is wrong: it is in the node's token file (http-token-file), "
                           "sent as Authorization: Bearer TOKEN"
                         : "commands need the token of the node's token file (http-token-file), "
                           "sent as Authorization: Bearer TOKEN");
    return false;
}
