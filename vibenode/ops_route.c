/* Which paths there are, and with which methods. */
#include "vibenode/ops_impl.h"

#include <string.h>

static const struct ops_route routes[] = {
    {"/health", false, ops_show_health},
    {"/status", false, ops_show_status},
    {"/peers", false, ops_show_peers},
    {"/bans", false, ops_show_bans},
    {"/metrics", false, ops_metrics_show},
    {"/connect", true, ops_command_connect},
    {"/disconnect", true, ops_command_disconnect},
    {"/ban", true, ops_command_ban},
    {"/unban", true, ops_command_unban},
    {"/transaction", true, ops_command_transaction},
    {"/mine", true, ops_command_mine},
    {"/shutdown", true, ops_command_shutdown},
};

static void no_such_path(struct ops_request *request)
{
    struct ops_text paths = {0};
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        ops_text_format(&paths, "%s%s", i ? " " : "", routes[i].path);
    ops_http_error(request, MHD_HTTP_NOT_FOUND, "there is no such path, but %s", paths.data);
    ops_text_free(&paths);
}

const struct ops_route *ops_route_find(struct ops_request *request, const char *method,
                                       const char *path)
{
    bool get =
        strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    bool post = strcmp(method, MHD_HTTP_METHOD_POST) == 0;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        const struct ops_route *route = &routes[i];
        if (strcmp(path, route->path) != 0)
            continue;
        if (route->post ? post : get)
            return route;
        request->allow = route->post ? "POST" : "GET, HEAD";
        ops_http_error(request, MHD_HTTP_METHOD_NOT_ALLOWED, "%s is asked with %s", path,
                       request->allow);
        return NULL;
    }
    no_such_path(request);
    return NULL;
}
