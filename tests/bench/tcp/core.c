/* The contender "vibenet": a node of the protocol core at one end of each link or at both, on the
 * TCP transport. Which work is done where; a node, its loop, and the server of one link. */
#include "tests/bench/tcp/core.h"

#include <stdio.h>
#include <string.h>

#define BACKLOG     4096u
#define LOOK_MS     10u
#define QUIET_LOOKS 5u
#define FOREVER_NS  (3600 * UINT64_C(1000000000))

static void check(const struct run *run, const char *what, int status)
{
    if (status < 0)
        run_fail(run, what, uv_strerror(status));
}

/* ---- a node ---- */

void core_config(struct vn_config *config, const char *id)
{
    vn_config_init(config);
    snprintf(config->node_id, sizeof config->node_id, "%s", id);
    config->listen.port = 0;
    config->max_outbound = 0;
    config->feeler_interval_ns = 0;
    config->sync_interval_ns = FOREVER_NS;
    config->max_inbound_per_ip = 0;
    config->accept_rate = config->ping_rate = config->block_rate = 0;
    config->tx_rate = config->serve_rate = config->unasked_rate = 0;
    config->difficulty = 1;
    config->hash = VN_HASH_NONE;
    config->trace_mask = 0;
}

static void on_reply(void *ctx, uint64_t token, uint32_t status, const char *text)
{
    const struct core_node *n = ctx;
    (void)token;
    if (status != VN_OK)
        run_fail(n->run, "a command", text);
}

static void on_warning(void *ctx, const char *text)
{
    run_fail(((const struct core_node *)ctx)->run, "the node", text);
}

static void on_turn(uv_prepare_t *turn)
{
    struct core_node *n = turn->data;
    n->on_turn(n);
}

static void node_new(struct core_node *n, const struct vn_config *config,
                     const struct vn_addr *listen)
{
    struct vn_tcp_options options;
    struct vn_tcp_node_config nc;
    char why[256];
    vn_tcp_options_init(&options);
    options.loop = &n->loop;
    n->tcp = vn_tcp_new(&options);
    vn_tcp_node_config_init(&nc);
    nc.core = config;
    nc.backlog = BACKLOG;
    nc.listen = listen;
    nc.listen_count = listen ? 1 : 0;
    nc.hooks.ctx = n;
    nc.hooks.on_reply = on_reply;
    nc.hooks.on_warning = on_warning;
    n->node = vn_tcp_node_new(n->tcp, &nc, why, sizeof why);
    if (!n->node)
        run_fail(n->run, "a node", why);
    /* It hears first that nothing is kept. */
    for (struct vn_info info = {.size = sizeof info}; !info.online;) {
        uv_run(&n->loop, UV_RUN_ONCE);
        vn_node_info(vn_tcp_node_core(n->node), &info);
    }
}

static void open_node(struct core_node *n, struct run *run, const struct vn_config *config,
                      const struct vn_addr *listen, void (*turn)(struct core_node *n))
{
    n->run = run;
    n->on_turn = turn;
    check(run, "loop", uv_loop_init(&n->loop));
    node_new(n, config, listen);
    uv_prepare_init(&n->loop, &n->turn);
    uv_idle_init(&n->loop, &n->idle);
    uv_timer_init(&n->loop, &n->timer);
    n->turn.data = n->idle.data = n->timer.data = n;
    /* The one that was started last comes first: commands of this turn leave in this turn. */
    uv_prepare_start(&n->turn, on_turn);
}

void core_open(struct core_node *n, struct run *run, const struct vn_config *config,
               void (*turn)(struct core_node *n))
{
    open_node(n, run, config, NULL, turn);
}

void core_open_server(struct core_node *n, struct run *run, const struct vn_config *config,
                      void (*turn)(struct core_node *n))
{
    struct vn_addr listen = {.family = VN_AF_IPV4, .ip = {127, 0, 0, 1}};
    open_node(n, run, config, &listen, turn);
    vn_tcp_node_listen(n->node, 0, &listen);
    run_listening(run, listen.port);
}

struct vn_addr core_server(struct run *run)
{
    return (struct vn_addr){.family = VN_AF_IPV4, .port = run_port(run), .ip = {127, 0, 0, 1}};
}

static void on_look(uv_timer_t *timer)
{
    struct core_node *n = timer->data;
    struct vn_peer_info info = {.size = sizeof info};
    const bool quiet = vn_node_peer(vn_tcp_node_core(n->node), 0, &info) &&
                       info.state == VN_PEER_READY && info.bytes_in == n->seen_bytes;
    n->seen_bytes = info.bytes_in;
    n->looks = quiet ? n->looks + 1 : 0;
    if (n->looks < QUIET_LOOKS)
        return;
    uv_timer_stop(timer);
    run_mark(n->run, CORE_MARK_BEGIN);
    n->on_begin(n);
}

void core_connect(struct core_node *n, void (*on_begin)(struct core_node *n))
{
    n->on_begin = on_begin;
    core_command(n, (struct vn_command){.kind = VN_CMD_CONNECT, .addr = core_server(n->run)});
    uv_timer_start(&n->timer, on_look, LOOK_MS, LOOK_MS);
}

void core_command(struct core_node *n, struct vn_command command)
{
    vn_tcp_node_command(n->node, &command);
}

struct vn_tcp_stats core_stats(const struct core_node *n)
{
    struct vn_tcp_stats stats = {.size = sizeof stats};
    vn_tcp_node_stats(n->node, &stats);
    return stats;
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle;
}

void core_awake(struct core_node *n, bool on)
{
    if (on)
        uv_idle_start(&n->idle, on_idle);
    else
        uv_idle_stop(&n->idle);
}

/* ---- the server of one link ---- */

static void sink_on_turn(struct core_node *n)
{
    struct core_sink *sink = (struct core_sink *)n;
    const struct vn_tcp_stats stats = core_stats(n);
    if (!sink->begun) {
        sink->begun = run_marked(n->run, CORE_MARK_BEGIN) && stats.bytes_in > sink->base;
        sink->base = stats.bytes_in;
        if (sink->begun)
            meter_begin(&sink->meter);
    }
    if (stats.links > 0 || !run_marked(n->run, CORE_MARK_DONE))
        return;
    meter_end(&sink->meter, n->run->side);
    n->run->side->bytes = stats.bytes_in - sink->base;
    n->run->side->messages = n->run->side->bytes / n->run->size;
    uv_stop(&n->loop);
}

void core_sink_open(struct core_sink *sink, struct run *run, const struct vn_config *config)
{
    core_open_server(&sink->n, run, config, sink_on_turn);
}

void core_sink_run(struct core_sink *sink)
{
    uv_run(&sink->n.loop, UV_RUN_DEFAULT);
}

/* ---- works ---- */

static void serve(struct run *run)
{
    switch (run->work) {
    case WORK_STREAM:
    case WORK_PONG:
    case WORK_BULK:
    case WORK_ROUND_TRIP:
        core_stream_serve(run);
        break;
    case WORK_IDLE:
        core_idle_serve(run);
        break;
    case WORK_SLOW:
        core_slow_serve(run);
        break;
    case WORK_TX:
        core_tx_serve(run);
        break;
    }
}

static void ask(struct run *run)
{
    switch (run->work) {
    case WORK_STREAM:
    case WORK_PONG:
    case WORK_BULK:
    case WORK_ROUND_TRIP:
        core_stream_ask(run);
        break;
    case WORK_IDLE:
        core_idle_ask(run);
        break;
    case WORK_SLOW:
        core_slow_ask(run);
        break;
    case WORK_TX:
        core_tx_ask(run);
        break;
    }
}

const struct contender contender_core = {"vibenet", serve, ask, true};
