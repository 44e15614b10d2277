/* Nodes and scripted peers of this world: each listens on and dials from its own address. A node
 * that is killed is closed, its links with resets; its folder stays, and the next start opens it
 * again. */
#include "scenarios/world_tcp.h"

#include <stdio.h>
#include <string.h>

#define TICK_NS   UINT64_C(1000000000)
#define HOSTS_MAX 60000u
#define BACKLOG   128u

static struct tw_host *host_new(struct tw *w, const struct sim_host_params *params)
{
    if (w->host_count >= HOSTS_MAX)
        return NULL;
    if (w->host_count == w->host_capacity) {
        w->host_capacity = w->host_capacity ? 2 * w->host_capacity : 64;
        w->hosts = mem_resize(w->hosts, w->host_capacity, sizeof(struct tw_host *));
    }
    struct tw_host *host = mem_new(1, sizeof *host);
    host->w = w;
    host->number = w->host_count;
    host->clock_next_ns = VN_NEVER;
    if (params)
        host->params = *params;
    w->hosts[w->host_count++] = host;
    return host;
}

struct tcp_owner *world_owner(const struct tw_host *host)
{
    return host->node ? tcp_fault_owner(host->node) : host->peer ? tcp_raw_owner(host->peer) : NULL;
}

/* ---- what a node tells ---- */

static void on_trace(void *ctx, const struct vn_trace *trace)
{
    struct tw_host *host = ctx;
    struct tw *w = host->w;
    const struct sim_observer *o = &w->config.observer;
    uint64_t bit = UINT64_C(1) << (trace->kind & 63);
    if (trace->kind == VN_TR_MSG_IN)
        w->stats.messages++;
    if (o->settle_mask & bit)
        host->settle = true;
    if (!o->on_trace || !(o->trace_mask & bit))
        return;
    struct vn_trace told = *trace;
    told.now_ns -= w->zero_ns;
    o->on_trace(o->ctx, host->number, &told);
}

static void on_event(void *ctx, const struct vn_event *event)
{
    const struct tw_host *host = ctx;
    host->w->stats.events++;
    if (event->kind == VN_EV_BYTES)
        host->w->stats.bytes += event->u.bytes.data.len;
}

static void on_drained(void *ctx)
{
    struct tw_host *host = ctx;
    const struct sim_observer *o = &host->w->config.observer;
    if (!host->settle)
        return;
    host->settle = false;
    if (o->on_settled)
        o->on_settled(o->ctx, host->number);
}

static void on_reply(void *ctx, uint64_t token, uint32_t status, const char *text)
{
    const struct tw_host *host = ctx;
    const struct sim_observer *o = &host->w->config.observer;
    if (o->on_reply)
        o->on_reply(o->ctx, host->number, token, status, text);
}

static void on_store(void *ctx, struct vn_action *action)
{
    world_disk_submit(ctx, action);
}

/* ---- the wall clock ---- */

static int64_t skew_ns(const struct tw_host *host)
{
    const struct tw *w = host->w;
    uint64_t t_ns = world_now_ns(w);
    uint64_t true_ns = w->config.wall_start_ns + t_ns;
    uint64_t elapsed_ns = t_ns > host->clock_ns ? t_ns - host->clock_ns : 0;
    return (int64_t)(sim_clock_reads_ns(&host->clock, true_ns, elapsed_ns) - true_ns);
}

static uint64_t multiple_after(uint64_t elapsed_ns, uint64_t every_ns)
{
    return (elapsed_ns / every_ns + 1) * every_ns;
}

static void clock_arm(struct tw_host *host)
{
    uint64_t t_ns = world_now_ns(host->w);
    uint64_t elapsed_ns = t_ns > host->clock_ns ? t_ns - host->clock_ns : 0;
    uint64_t next_ns = VN_NEVER;
    if (host->clock.drift_ppm != 0)
        next_ns = multiple_after(elapsed_ns, TICK_NS);
    if (host->clock.jump_every_ns > 0) {
        uint64_t jump_ns = multiple_after(elapsed_ns, host->clock.jump_every_ns);
        next_ns = jump_ns < next_ns ? jump_ns : next_ns;
    }
    host->clock_next_ns = next_ns == VN_NEVER ? VN_NEVER : host->clock_ns + next_ns;
}

static void clock_tell(struct tw_host *host)
{
    if (host->node && !host->paused)
        tcp_fault_clock(host->node, skew_ns(host));
    else
        host->clock_changed = true;
}

bool world_clock(struct tw_host *host, const struct sim_clock *clock)
{
    if (!sim_clock_check(clock))
        return false;
    host->clock = *clock;
    host->clock_ns = host->w->now_ns;
    clock_tell(host);
    clock_arm(host);
    world_tick_arm(host->w);
    return true;
}

uint64_t world_clocks(struct tw *w, uint64_t t_ns)
{
    uint64_t next_ns = VN_NEVER;
    for (uint32_t i = 0; i < w->host_count; i++) {
        struct tw_host *host = w->hosts[i];
        if (host->clock_next_ns <= t_ns) {
            clock_tell(host);
            clock_arm(host);
        }
        next_ns = host->clock_next_ns < next_ns ? host->clock_next_ns : next_ns;
    }
    return next_ns;
}

/* ---- the life of a node ---- */

static const struct vn_api *api_of(const struct tw_host *host)
{
    return host->params.api ? host->params.api : vn_api(VN_API_VERSION);
}

static struct vn_shared *shared_for(struct tw *w, const struct vn_api *api)
{
    for (uint32_t i = 0; i < w->shared_count; i++)
        if (w->shared[i].api == api)
            return w->shared[i].shared;
    w->shared = mem_resize(w->shared, w->shared_count + 1, sizeof *w->shared);
    w->shared[w->shared_count] = (struct tw_shared){api, api->shared_new()};
    return w->shared[w->shared_count++].shared;
}

static bool node_start(struct tw_host *host, bool lose_disk, char *why, size_t size)
{
    struct tw *w = host->w;
    const struct sim_observer *o = &w->config.observer;
    struct vn_config core = host->config;
    struct vn_tcp_node_config config;
    rng_fork_seed(core.seed, w->config.seed, "host", (uint64_t)host->number << 32 | host->starts++);
    const struct vn_addr listen = world_listen_addr(w, host->number);
    core.listen = sim_host_addr(host->number);
    core.shared = shared_for(w, api_of(host));
    core.on_trace = on_trace;
    core.trace_ctx = host;
    core.trace_mask = UINT64_C(1) << VN_TR_MSG_IN | o->settle_mask | o->trace_mask;
    core.hash = VN_HASH_NONE;
    vn_tcp_node_config_init(&config);
    config.core = &core;
    config.listen = &listen;
    config.listen_count = 1;
    config.backlog = BACKLOG;
    config.bind = core.listen;
    config.bind.port = 0;
    config.api = host->params.api;
    config.hooks = (struct vn_tcp_hooks){.ctx = host,
                                         .on_event = on_event,
                                         .on_drained = on_drained,
                                         .on_reply = on_reply,
                                         .on_store = on_store};
    if (!world_disk_open(host, lose_disk, why, size))
        return false;
    host->node = tcp_node_new(w->tcp, &config, skew_ns(host), host, why, size);
    if (!host->node) {
        world_disk_close(host);
        return false;
    }
    w->open++;
    host->alive = true;
    host->clock_changed = false;
    return true;
}

static void config_keep(struct tw_host *host, const struct vn_config *config)
{
    size_t size = config->seed_count * sizeof *config->seeds;
    host->config = *config;
    host->config.seeds = NULL;
    if (size > 0)
        host->config.seeds = memcpy(mem_new(1, size), config->seeds, size);
}

uint32_t world_spawn(struct tw *w, const struct vn_config *config,
                     const struct sim_host_params *params, char *why, size_t size)
{
    struct tw_host *host = host_new(w, params);
    if (!host) {
        snprintf(why, size, "the world 'tcp' holds at most %u hosts", HOSTS_MAX);
        return TW_NOBODY;
    }
    config_keep(host, config);
    if (params)
        host->clock.skew_ns = params->skew_ns;
    return node_start(host, false, why, size) ? host->number : TW_NOBODY;
}

void world_kill(struct tw_host *host, bool silently)
{
    struct vn_tcp_node *node = host->node;
    if (!node)
        return;
    if (silently)
        tcp_fault_vanish(tcp_fault_owner(node));
    host->dark = silently;
    host->alive = host->paused = false;
    host->node = NULL;
    vn_tcp_node_close(node, world_on_gone, host->w);
    world_disk_close(host);
}

void world_start(struct tw_host *host, bool lose_disk)
{
    char why[300];
    if (host->node || host->peer)
        return;
    host->dark = false;
    tcp_fault_back(host->w->tcp, host);
    if (!node_start(host, lose_disk, why, sizeof why))
        fprintf(stderr, "vibesim: host %u does not start again: %s\n", host->number, why);
    tcp_shape_retry(host->w->tcp);
}

/* See sim_host_core. What transport-tcp adds to a configuration no build can refuse. */
bool world_core(struct tw_host *host, const struct vn_api *api, const char *version, char *why,
                size_t size)
{
    if (host->node || host->peer) {
        snprintf(why, size, "only a node that is down can change its build of the core");
        return false;
    }
    struct vn_config config = host->config;
    if (version) {
        memset(config.version, 0, sizeof config.version);
        snprintf(config.version, sizeof config.version, "%s", version);
    }
    config.listen = sim_host_addr(host->number);
    if (!api->config_check(&config, why, size))
        return false;
    memcpy(host->config.version, config.version, sizeof config.version);
    host->params.api = api;
    return true;
}

bool world_pause(struct tw_host *host)
{
    if (!host->node || host->paused)
        return false;
    host->paused = true;
    tcp_fault_stand(host->node);
    return true;
}

bool world_resume(struct tw_host *host)
{
    if (!host->node || !host->paused)
        return false;
    host->paused = false;
    if (host->clock_changed)
        tcp_fault_clock(host->node, skew_ns(host));
    tcp_fault_go_on(host->node, host->clock_changed);
    host->clock_changed = false;
    world_disk_resume(host);
    return true;
}

uint64_t world_command(struct tw_host *host, const struct vn_command *command)
{
    if (!host->node || host->paused)
        return 0;
    host->settle = true;
    return vn_tcp_node_command(host->node, command);
}

void world_host_free(struct tw_host *host)
{
    world_kill(host, false);
    if (host->peer)
        tcp_raw_free(host->peer, world_on_gone, host->w);
    host->peer = NULL;
    world_disk_free(host);
    mem_free((void *)(uintptr_t)host->config.seeds);
    host->config.seeds = NULL;
}

/* ---- scripted peers ---- */

static void on_link(void *ctx, uint64_t link, const struct vn_addr *remote)
{
    const struct tw_host *host = ctx;
    host->w->stats.events++;
    if (host->ops.on_link)
        host->ops.on_link(host->ops.ctx, host->number, link, remote);
}

static void on_bytes(void *ctx, uint64_t link, struct vn_slice data)
{
    const struct tw_host *host = ctx;
    host->w->stats.events++;
    host->w->stats.bytes += data.len;
    if (host->ops.on_bytes)
        host->ops.on_bytes(host->ops.ctx, host->number, link, data);
}

static void on_close(void *ctx, uint64_t link, enum vn_why why)
{
    const struct tw_host *host = ctx;
    host->w->stats.events++;
    if (host->ops.on_close)
        host->ops.on_close(host->ops.ctx, host->number, link, why);
}

uint32_t world_peer_add(struct tw *w, const struct sim_peer_ops *ops,
                        const struct sim_host_params *params)
{
    char why[300];
    struct tw_host *host = host_new(w, params);
    if (!host)
        return TW_NOBODY;
    struct vn_addr addr = world_listen_addr(w, host->number);
    const struct tcp_raw_ops raw = {host, on_link, on_bytes, on_close};
    host->ops = *ops;
    host->peer = tcp_raw_new(w->tcp, &addr, host, &raw, why, sizeof why);
    if (!host->peer) {
        fprintf(stderr, "vibesim: %s\n", why);
        return TW_NOBODY;
    }
    w->open++;
    host->alive = true;
    return host->number;
}
