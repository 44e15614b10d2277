/* The world of real sockets as the table that scenarios know: each function finds its host, or its
 * links, and hands on what is asked of it. */
#include "scenarios/world_tcp.h"

/* ---- time ---- */

static uint64_t now_ns(void *self)
{
    const struct tw *w = self;
    return w->now_ns;
}

static void run_until(void *self, uint64_t t_ns)
{
    world_run_until(self, t_ns);
}

static void stop(void *self)
{
    struct tw *w = self;
    w->stopped = true;
    uv_stop(&w->loop);
}

static uint64_t late_ns(void *self)
{
    const struct tw *w = self;
    return w->late_ns;
}

/* ---- addresses ---- */

static struct vn_addr addr(void *self, uint32_t number)
{
    (void)self;
    return sim_host_addr(number);
}

static uint32_t host_of(void *self, const struct vn_addr *a)
{
    return world_host_of(self, a);
}

/* ---- hosts ---- */

static void trace_more(void *self, uint64_t mask)
{
    struct tw *w = self;
    w->config.observer.trace_mask |= mask;
}

static uint32_t spawn(void *self, const struct vn_config *config,
                      const struct sim_host_params *params, char *why, size_t size)
{
    return world_spawn(self, config, params, why, size);
}

static void kill_host(void *self, uint32_t host)
{
    world_kill(world_host(self, host), false);
}

static void power_off(void *self, uint32_t host)
{
    world_kill(world_host(self, host), true);
}

static void start(void *self, uint32_t host, bool lose_disk)
{
    world_start(world_host(self, host), lose_disk);
}

static bool core(void *self, uint32_t host, const struct vn_api *api, const char *version,
                 char *why, size_t size)
{
    return world_core(world_host(self, host), api, version, why, size);
}

static bool alive(void *self, uint32_t number)
{
    const struct tw_host *host = world_host(self, number);
    return host && host->alive;
}

static bool pause_host(void *self, uint32_t host)
{
    return world_pause(world_host(self, host));
}

static bool resume_host(void *self, uint32_t host)
{
    return world_resume(world_host(self, host));
}

static bool paused(void *self, uint32_t number)
{
    const struct tw_host *host = world_host(self, number);
    return host && host->paused;
}

static bool set_clock(void *self, uint32_t host, const struct sim_clock *to)
{
    return world_clock(world_host(self, host), to);
}

static bool set_disk(void *self, uint32_t host, const struct sim_disk_faults *faults)
{
    return world_disk_faults(world_host(self, host), faults);
}

static const char *disk_cannot(void *self, const struct sim_disk_faults *faults)
{
    (void)self;
    return world_disk_cannot(faults);
}

static uint64_t command(void *self, uint32_t host, const struct vn_command *cmd)
{
    return world_command(world_host(self, host), cmd);
}

/* ---- looking in ---- */

static const struct vn_node *core_of(struct tw *w, uint32_t number, const struct vn_api **api)
{
    const struct tw_host *host = world_host(w, number);
    if (!host || !host->node)
        return NULL;
    *api = vn_tcp_node_api(host->node);
    return vn_tcp_node_core(host->node);
}

static bool info(void *self, uint32_t host, struct vn_info *out)
{
    const struct vn_api *api;
    const struct vn_node *core = core_of(self, host, &api);
    *out = (struct vn_info){.size = sizeof *out};
    if (core)
        api->node_info(core, out);
    return core != NULL;
}

static bool peer(void *self, uint32_t host, uint32_t index, struct vn_peer_info *out)
{
    const struct tw *w = self;
    const struct vn_api *api;
    const struct vn_node *core = core_of(self, host, &api);
    *out = (struct vn_peer_info){.size = sizeof *out};
    if (!core || !api->node_peer(core, index, out))
        return false;
    out->up_ns -= out->up_ns > 0 ? w->zero_ns : 0;
    out->last_seen_ns -= out->last_seen_ns > 0 ? w->zero_ns : 0;
    return true;
}

static bool block_hash(void *self, uint32_t host, uint64_t height, uint8_t hash[32])
{
    const struct vn_api *api;
    const struct vn_node *core = core_of(self, host, &api);
    return core && api->node_block_hash(core, height, hash);
}

static uint32_t has_tx(void *self, uint32_t host, const uint8_t id[32])
{
    const struct vn_api *api;
    const struct vn_node *core = core_of(self, host, &api);
    return core ? api->node_has_tx(core, id) : 0;
}

static bool audit(void *self, uint32_t host, struct vn_audit *out)
{
    const struct vn_api *api;
    const struct vn_node *core = core_of(self, host, &api);
    return !core || world_audit(api, core, out);
}

static void stats(void *self, struct world_stats *out)
{
    struct tw *w = self;
    *out = w->stats;
    out->links = w->tcp->files;
}

/* ---- the network ---- */

static bool links_default(void *self, const struct sim_link_params *params)
{
    struct tw *w = self;
    if (!sim_link_params_check(params))
        return false;
    w->links = *params;
    return true;
}

static bool links_between(void *self, const uint32_t *a, uint32_t na, const uint32_t *b,
                          uint32_t nb, const struct sim_link_params *params)
{
    return world_links_between(self, a, na, b, nb, params);
}

static bool links_regions(void *self, uint32_t a, uint32_t b, const struct sim_link_params *params)
{
    return world_links_regions(self, a, b, params);
}

static uint32_t cut(void *self, const uint32_t *a, uint32_t na, const uint32_t *b, uint32_t nb,
                    const struct sim_cut_params *params)
{
    return world_cut(self, a, na, b, nb, params);
}

static void heal(void *self, uint32_t id)
{
    world_heal(self, id);
}

static uint32_t degrade(void *self, const uint32_t *a, uint32_t na, const uint32_t *b, uint32_t nb,
                        const struct sim_degrade *by)
{
    return world_degrade(self, a, na, b, nb, by);
}

static void restore(void *self, uint32_t id)
{
    world_restore(self, id);
}

static bool mangled(void *self, uint32_t a, uint32_t b)
{
    return world_mangled(self, a, b);
}

static uint32_t on_links(struct tw *w, uint32_t a, uint32_t b,
                         uint32_t (*fault)(struct tcp_owner *owner, const struct vn_addr *with))
{
    const struct tw_host *host = world_host(w, a);
    struct tcp_owner *owner = host ? world_owner(host) : NULL;
    struct vn_addr with = sim_host_addr(b);
    return owner ? fault(owner, &with) : 0;
}

static uint32_t reset_links(void *self, uint32_t a, uint32_t b)
{
    return on_links(self, a, b, tcp_fault_reset);
}

static uint32_t half_open(void *self, uint32_t a, uint32_t b)
{
    return on_links(self, b, a, tcp_fault_half);
}

static uint32_t forget_links(void *self, uint32_t a, uint32_t b)
{
    on_links(self, b, a, tcp_fault_lose);
    return on_links(self, a, b, tcp_fault_lose);
}

/* ---- scripted peers ---- */

static uint32_t peer_add(void *self, const struct sim_peer_ops *ops,
                         const struct sim_host_params *params)
{
    return world_peer_add(self, ops, params);
}

static uint64_t peer_dial(void *self, uint32_t number, const struct vn_addr *remote)
{
    const struct tw_host *host = world_host(self, number);
    return host && host->peer ? tcp_raw_dial(host->peer, remote) : 0;
}

static bool peer_send(void *self, uint32_t number, uint64_t link, struct vn_slice data)
{
    const struct tw_host *host = world_host(self, number);
    if (host && host->peer)
        return tcp_raw_send(host->peer, link, data);
    vn_slice_unref(data);
    return false;
}

static bool peer_close(void *self, uint32_t number, uint64_t link)
{
    const struct tw_host *host = world_host(self, number);
    if (!host || !host->peer || !tcp_raw_close(host->peer, link))
        return false;
    if (host->ops.on_close) /* at once, as the simulator does */
        host->ops.on_close(host->ops.ctx, number, link, VN_WHY_LOCAL_CLOSED);
    return true;
}

static bool peer_read(void *self, uint32_t number, uint64_t link, bool on)
{
    const struct tw_host *host = world_host(self, number);
    return host && host->peer && tcp_raw_read(host->peer, link, on);
}

static uint64_t trace_hash(void *self)
{
    (void)self;
    return 0; /* real time repeats nothing */
}

static void free_world(void *self)
{
    world_free(self);
}

/* ---- the table ---- */

const struct world world_tcp_table = {
    .name = "tcp",
    .now_ns = now_ns,
    .late_ns = late_ns,
    .run_until = run_until,
    .stop = stop,
    .trace_more = trace_more,
    .spawn = spawn,
    .kill = kill_host,
    .power_off = power_off,
    .start = start,
    .core = core,
    .alive = alive,
    .pause = pause_host,
    .resume = resume_host,
    .paused = paused,
    .clock = set_clock,
    .disk = set_disk,
    .disk_cannot = disk_cannot,
    .command = command,
    .info = info,
    .peer = peer,
    .block_hash = block_hash,
    .has_tx = has_tx,
    .audit = audit,
    .addr = addr,
    .host_of = host_of,
    .links_default = links_default,
    .links_between = links_between,
    .links_regions = links_regions,
    .cut = cut,
    .heal = heal,
    .degrade = degrade,
    .restore = restore,
    .reset_links = reset_links,
    .half_open = half_open,
    .forget_links = forget_links,
    .mangled = mangled,
    .peer_add = peer_add,
    .peer_dial = peer_dial,
    .peer_send = peer_send,
    .peer_close = peer_close,
    .peer_read = peer_read,
    .stats = stats,
    .trace_hash = trace_hash,
    .free = free_world,
};
