/* The life of the operator's door: options, listening, its two handles on the loop. See ops.h.
 *
 * libmicrohttpd has an epoll descriptor of its own for all its sockets. The loop watches that one,
 * and calls MHD_run when it is readable; a timer serves what has only time to wait for (idle
 * connections, requests and replies that take too long). MHD_run handles each ready connection once
 * and comes back, so that the node's own sockets have their turn between two pieces of an answer.
 */
#include "vibenode/ops_impl.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void ops_options_init(struct ops_options *options)
{
    *options = (struct ops_options){
        .size = sizeof *options,
        .listen = OPS_ADDRESS_DEFAULT,
        .version = VIBENODE_VERSION,
        .build = VIBENODE_BUILD,
        .max_connections = 32,
        .idle_s = 10,
        .request_ms = 30000,
        .reply_ms = 10000,
    };
}

/* ---- what is told to the operator ----------------------------------------------------------- */

void ops_note(struct ops *ops, enum ops_level level, const char *format, ...)
{
    if (!ops->options.on_note)
        return;
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    ops->options.on_note(ops->options.note_ctx, level, line);
}

static uint64_t wall_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* From the monotonic clock: a wall clock that is set right later does not change it. */
uint64_t ops_uptime_ns(const struct ops *ops)
{
    return uv_hrtime() - ops->started_ns;
}

/* ---- the loop ------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer);

static void serve(struct ops *ops)
{
    assert(!ops->running);
    ops->running = true;
    ops_http_sweep(ops);
    ops->resumed = false;
    bool full = ops->conn_count == ops->options.max_connections;
    MHD_run(ops->daemon);
    /* The library looks at who waits for a free place only when it is run the next time. */
    if (full && ops->conn_count < ops->options.max_connections)
        MHD_run(ops->daemon);
    ops->running = false;
    uint64_t timeout_ms = ops_http_timeout(ops);
    if (timeout_ms == UINT64_MAX)
        uv_timer_stop(&ops->timer);
    else
        uv_timer_start(&ops->timer, on_timer, timeout_ms, 0);
    if (ops->shutdown_due) {
        ops->shutdown_due = false;
        ops->options.source.shutdown(ops->options.source.ctx);
    }
}

void ops_run_soon(struct ops *ops)
{
    uv_timer_start(&ops->timer, on_timer, 0, 0);
}

static void on_timer(uv_timer_t *timer)
{
    serve(timer->data);
}

/* An error of the poll is one of the epoll descriptor, which has none: MHD_run looks itself. */
static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    serve(poll->data);
}

static void ops_free(struct ops *ops)
{
    for (uint32_t i = 0; ops->origins && i < ops->options.origin_count; i++)
        free(ops->origins[i]);
    free(ops->origins);
    free(ops->version);
    free(ops->build);
    free(ops->early);
    free(ops);
}

static void on_closed(uv_handle_t *handle)
{
    struct ops *ops = handle->data;
    if (--ops->handles > 0)
        return;
    void (*on_stopped)(void *ctx) = ops->on_stopped;
    void *ctx = ops->stopped_ctx;
    ops_free(ops);
    if (on_stopped)
        on_stopped(ctx);
}

static void watch(struct ops *ops)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(ops->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    assert(info);
    int bad = uv_poll_init(ops->options.loop, &ops->poll, info->epoll_fd);
    bad = bad ? bad : uv_timer_init(ops->options.loop, &ops->timer);
    ops->poll.data = ops;
    ops->timer.data = ops;
    ops->handles = 2;
    bad = bad ? bad : uv_poll_start(&ops->poll, UV_READABLE, on_poll);
    assert(!bad); /* neither asks the system for anything yet */
}

/* ---- options -------------------------------------------------------------------------------- */

static char *copy(const char *s)
{
    char *text = strdup(s);
    if (!text)
        abort();
    return text;
}

static bool check_range(const char *name, uint32_t value, uint32_t least, uint32_t most, char *why,
                        size_t size)
{
    if (value >= least && value <= most)
        return true;
    snprintf(why, size, "%s must be %u..%u, not %u", name, least, most, value);
    return false;
}

static bool check(const struct ops_options *o, char *why, size_t size)
{
    assert(o->size == sizeof *o && o->loop && o->config && o->listen);
    assert(o->source.info && o->source.peer && o->source.now_ns && o->source.command);
    return check_range("max_connections", o->max_connections, 1, 1000, why, size) &&
           check_range("idle_s", o->idle_s, 1, 600, why, size) &&
           check_range("request_ms", o->request_ms, 1000, 600000, why, size) &&
           check_range("reply_ms", o->reply_ms, 1, 600000, why, size);
}

static struct ops *ops_new(const struct ops_options *options)
{
    struct ops *ops = calloc(1, sizeof *ops);
    if (!ops)
        abort();
    ops->options = *options;
    ops->config = *options->config;
    memset(ops->config.seed, 0, sizeof ops->config.seed);
    ops->config.seeds = NULL;
    ops->config.seed_count = 0;
    ops->config.shared = NULL;
    ops->options.config = &ops->config;
    ops->options.version = ops->version = copy(options->version);
    ops->options.build = ops->build = copy(options->build);
    ops->origins = calloc(options->origin_count + 1u, sizeof *ops->origins);
    if (!ops->origins)
        abort();
    for (uint32_t i = 0; i < options->origin_count; i++)
        ops->origins[i] = copy(options->origins[i]);
    uint64_t wall_ns = wall_now_ns(), now_ns = uv_hrtime();
    if (ops->options.started_wall_ns == 0 || ops->options.started_wall_ns > wall_ns)
        ops->options.started_wall_ns = wall_ns;
    ops->started_ns = now_ns - (wall_ns - ops->options.started_wall_ns);
    return ops;
}

/* ---- life ----------------------------------------------------------------------------------- */

static void remember_socket(struct ops *ops)
{
    struct stat st;
    if (ops->place.is_unix && lstat(ops->place.path, &st) == 0) {
        ops->socket_dev = st.st_dev;
        ops->socket_ino = st.st_ino;
    }
}

static void remove_socket(const struct ops *ops)
{
    struct stat st;
    if (ops->place.is_unix && lstat(ops->place.path, &st) == 0 && S_ISSOCK(st.st_mode) &&
        st.st_dev == ops->socket_dev && st.st_ino == ops->socket_ino)
        unlink(ops->place.path);
}

/* The token before the socket: who is refused for the one has not taken the other. */
static bool open_door(struct ops *ops, char *why, size_t size)
{
    const struct ops_options *o = &ops->options;
    if (!ops_place_parse(o->listen, &ops->place, why, size))
        return false;
    if (o->token_file) {
        if (!ops_token_load(o->token_file, true, ops->token, why, size))
            return false;
        ops->has_token = true;
    }
    int fd = ops_place_listen(&ops->place, why, size);
    if (fd < 0)
        return false;
    remember_socket(ops);
    ops_place_format(&ops->place, ops->address);
    ops->daemon = ops_http_start(ops, fd, why, size);
    if (!ops->daemon)
        remove_socket(ops);
    return ops->daemon != NULL;
}

struct ops *ops_start(const struct ops_options *options, char *why, size_t size)
{
    if (!check(options, why, size))
        return NULL;
    struct ops *ops = ops_new(options);
    if (!open_door(ops, why, size)) {
        ops_free(ops);
        return NULL;
    }
    watch(ops);
    return ops;
}

void ops_stop(struct ops *ops, void (*on_stopped)(void *ctx), void *ctx)
{
    if (!ops)
        return;
    assert(!ops->running && !ops->stopping && !ops->giving);
    ops->stopping = true;
    ops->on_stopped = on_stopped;
    ops->stopped_ctx = ctx;
    uv_poll_stop(&ops->poll); /* before its descriptor goes */
    uv_close((uv_handle_t *)&ops->poll, on_closed);
    uv_close((uv_handle_t *)&ops->timer, on_closed);
    ops_http_stop(ops);
    remove_socket(ops);
}

const char *ops_address(const struct ops *ops)
{
    return ops->address;
}
