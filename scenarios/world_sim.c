/* The simulated world: transport-sim behind the table that scenarios know. */
#include "scenarios/world.h"

static uint64_t now_ns(void *self)
{
    return sim_now_ns(self);
}

static void run_until(void *self, uint64_t t_ns)
{
    sim_run_until(self, t_ns);
}

static void stop(void *self)
{
    sim_stop(self);
}

static void exact(void *self, bool on)
{
    sim_windows(self, !on);
}

static void trace_more(void *self, uint64_t mask)
{
    sim_trace_more(self, mask);
}

static uint32_t spawn(void *self, const struct vn_config *config,
                      const struct sim_host_params *params, char *why, size_t size)
{
    return sim_host_add(self, config, params, why, size);
}

static void kill_host(void *self, uint32_t host)
{
    sim_host_kill(self, host);
}

static void power_off(void *self, uint32_t host)
{
    sim_host_power_off(self, host);
}

static void start(void *self, uint32_t host, bool lose_disk)
{
    sim_host_start(self, host, lose_disk);
}

static bool core(void *self, uint32_t host, const struct vn_api *api, const char *version,
                 char *why, size_t size)
{
    return sim_host_core(self, host, api, version, why, size);
}

static bool alive(void *self, uint32_t host)
{
    return sim_host_alive(self, host);
}

static bool pause_host(void *self, uint32_t host)
{
    return sim_host_pause(self, host);
}

static bool resume_host(void *self, uint32_t host)
{
    return sim_host_resume(self, host);
}

static bool paused(void *self, uint32_t host)
{
    return sim_host_paused(self, host);
}

static bool set_clock(void *self, uint32_t host, const struct sim_clock *to)
{
    return sim_host_clock(self, host, to);
}

static bool set_disk(void *self, uint32_t host, const struct sim_disk_faults *faults)
{
    return sim_host_disk(self, host, faults);
}

static uint64_t command(void *self, uint32_t host, const struct vn_command *cmd)
{
    return sim_command(self, host, cmd);
}

/* Each node is looked into by its own build; what that does not know is 0. */

static bool info(void *self, uint32_t host, struct vn_info *out)
{
    const struct vn_node *node = sim_node(self, host);
    *out = (struct vn_info){.size = sizeof *out};
    if (node)
        sim_host_api(self, host)->node_info(node, out);
    return node != NULL;
}

static bool peer(void *self, uint32_t host, uint32_t index, struct vn_peer_info *out)
{
    const struct vn_node *node = sim_node(self, host);
    *out = (struct vn_peer_info){.size = sizeof *out};
    return node && sim_host_api(self, host)->node_peer(node, index, out);
}

static bool block_hash(void *self, uint32_t host, uint64_t height, uint8_t hash[32])
{
    const struct vn_node *node = sim_node(self, host);
    return node && sim_host_api(self, host)->node_block_hash(node, height, hash);
}

static uint32_t has_tx(void *self, uint32_t host, const uint8_t id[32])
{
    const struct vn_node *node = sim_node(self, host);
    return node ? sim_host_api(self, host)->node_has_tx(node, id) : 0;
}

static bool audit(void *self, uint32_t host, struct vn_audit *out)
{
    const struct vn_node *node = sim_node(self, host);
    return !node || world_audit(sim_host_api(self, host), node, out);
}

static struct vn_addr addr(void *self, uint32_t host)
{
    (void)self;
    return sim_host_addr(host);
}

static uint32_t host_of(void *self, const struct vn_addr *a)
{
    return sim_host_of(self, a);
}

static bool links_default(void *self, const struct sim_link_params *params)
{
    return sim_links_default(self, params);
}

static bool links_between(void *self, const uint32_t *a, uint32_t na, const uint32_t *b,
                          uint32_t nb, const struct sim_link_params *params)
{
    return sim_links_between(self, a, na, b, nb, params);
}

static bool links_regions(void *self, uint32_t a, uint32_t b, const struct sim_link_params *params)
{
    return sim_links_regions(self, a, b, params);
}

static uint32_t cut(void *self, const uint32_t *a, uint32_t na, const uint32_t *b, uint32_t nb,
                    const struct sim_cut_params *params)
{
    return sim_cut_with(self, a, na, b, nb, params);
}

static void heal(void *self, uint32_t id)
{
    sim_cut_heal(self, id);
}

static uint32_t degrade(void *self, const uint32_t *a, uint32_t na, const uint32_t *b, uint32_t nb,
                        const struct sim_degrade *by)
{
    return sim_degrade(self, a, na, b, nb, by);
}

static void restore(void *self, uint32_t id)
{
    sim_restore(self, id);
}

static uint32_t reset_links(void *self, uint32_t a, uint32_t b)
{
    return sim_reset_links(self, a, b);
}

static uint32_t half_open(void *self, uint32_t a, uint32_t b)
{
    return sim_half_open(self, a, b);
}

static uint32_t forget_links(void *self, uint32_t a, uint32_t b)
{
    return sim_forget_links(self, a, b);
}

static bool mangled(void *self, uint32_t a, uint32_t b)
{
    return sim_mangled(self, a, b);
}

static uint32_t peer_add(void *self, const struct sim_peer_ops *ops,
                         const struct sim_host_params *params)
{
    return sim_peer_add(self, ops, params);
}

static uint64_t peer_dial(void *self, uint32_t host, const struct vn_addr *remote)
{
    return sim_peer_dial(self, host, remote);
}

static bool peer_send(void *self, uint32_t host, uint64_t link, struct vn_slice data)
{
    return sim_peer_send(self, host, link, data);
}

static bool peer_close(void *self, uint32_t host, uint64_t link)
{
    return sim_peer_close(self, host, link);
}

static bool peer_read(void *self, uint32_t host, uint64_t link, bool on)
{
    return sim_peer_read(self, host, link, on);
}

static void stats(void *self, struct world_stats *out)
{
    struct sim_stats s;
    sim_stats(self, &s);
    *out = (struct world_stats){.events = s.events,
                                .messages = s.messages,
                                .bytes = s.bytes,
                                .links = s.links_now,
                                .memory = s.memory};
}

static uint64_t trace_hash(void *self)
{
    return sim_trace_hash(self);
}

static uint32_t marks(void *self, struct sim_hash_mark *out)
{
    return sim_hash_marks(self, out);
}

static void free_world(void *self)
{
    sim_free(self);
}

void world_sim_init(struct world *world, const struct sim_config *config)
{
    *world = (struct world){
        .name = "sim",
        .self = sim_new(config),
        .now_ns = now_ns,
        .run_until = run_until,
        .exact = exact,
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
        .marks = marks,
        .free = free_world,
    };
}
