/* The world of real sockets: many nodes in one process, each on an address of its own in
 * 127.0.0.0/8, with real TCP connections between them; transport-tcp behind the table that
 * scenarios know.
 *
 * Time is real, or `speed` times as fast. The world stands where its user last let it run to, while
 * the nodes go on: what happens meanwhile is told when it runs again. A run that is asked to go to
 * a time comes back at that time or a little later; by how much at most is in late_ns, for a
 * machine that does not keep up.
 *
 * All processes that run such a world share the addresses; each has a port of its own, held by a
 * listening socket on 127.0.0.1, where no host is. */
#include "scenarios/world_tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT_FIRST   8765u
#define PORTS        2000u
#define READ_BYTES   65536u /* what a link with half a frame holds */
#define SOCKET_BYTES 65536u
#define LOADS_MAX_NS 500000000u
#define STEP_MS      100u /* at most so long in one go: someone may want to stop the run */

/* ---- the clock ---- */

uint64_t world_now_ns(const struct tw *w)
{
    return vn_tcp_now_ns(w->tcp) - w->zero_ns;
}

uint64_t world_ms_until(const struct tw *w, uint64_t t_ns)
{
    return tcp_ms_until(w->tcp, t_ns + w->zero_ns);
}

static uint64_t now_ns(void *self)
{
    const struct tw *w = self;
    return w->now_ns;
}

static void on_turn(uv_timer_t *timer)
{
    (void)timer;
}

/* A disk answers a LOAD within its latency, as scenarios know it, however fast the world runs: who
 * looks finds the answer there. A real disk that hangs is not waited for. */
static void await_loads(struct tw *w)
{
    uint64_t until_ns = uv_hrtime() + LOADS_MAX_NS;
    while (!w->stopped && world_disks_load(w) && uv_hrtime() < until_ns) {
        uv_timer_start(&w->turn, on_turn, 10, 0);
        uv_run(&w->loop, UV_RUN_ONCE);
    }
}

static void run_until(void *self, uint64_t t_ns)
{
    struct tw *w = self;
    uint64_t ms = 0;
    w->stopped = false;
    tcp_fault_clock_go(w->tcp);
    do {
        uv_update_time(&w->loop);
        ms = world_ms_until(w, t_ns);
        uv_timer_start(&w->turn, on_turn, ms < STEP_MS ? ms : STEP_MS, 0);
        uv_run(&w->loop, ms > 0 ? UV_RUN_ONCE : UV_RUN_NOWAIT);
        if (ms > STEP_MS)
            break;
    } while (!w->stopped && world_now_ns(w) < t_ns);
    await_loads(w);
    tcp_fault_clock_stop(w->tcp);
    uint64_t real_ns = world_now_ns(w);
    if (!w->stopped && real_ns > t_ns && real_ns - t_ns > w->late_ns)
        w->late_ns = real_ns - t_ns;
    real_ns = real_ns < t_ns ? real_ns : t_ns;
    w->now_ns = real_ns > w->now_ns ? real_ns : w->now_ns;
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

static void on_tick(uv_timer_t *timer)
{
    world_tick_arm(timer->data);
}

void world_tick_arm(struct tw *w)
{
    uint64_t t_ns = world_now_ns(w);
    uint64_t net_ns = world_net_tick(w, t_ns);
    uint64_t clocks_ns = world_clocks(w, t_ns);
    uint64_t next_ns = net_ns < clocks_ns ? net_ns : clocks_ns;
    if (next_ns != VN_NEVER)
        uv_timer_start(&w->tick, on_tick, world_ms_until(w, next_ns), 0);
    else
        uv_timer_stop(&w->tick);
}

/* ---- addresses ---- */

struct vn_addr world_addr(const struct tw *w, uint32_t number)
{
    struct vn_addr addr = sim_host_addr(number);
    addr.port = w->port;
    return addr;
}

uint32_t world_host_of(const struct tw *w, const struct vn_addr *addr)
{
    uint32_t number = sim_addr_host(addr);
    return number < w->host_count ? number : TW_NOBODY;
}

struct tw_host *world_host(struct tw *w, uint32_t number)
{
    return number < w->host_count ? w->hosts[number] : NULL;
}

static struct vn_addr addr(void *self, uint32_t number)
{
    return world_addr(self, number);
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
    out->size = sizeof *out;
    if (core)
        api->node_info(core, out);
    return core != NULL;
}

static bool peer(void *self, uint32_t host, uint32_t index, struct vn_peer_info *out)
{
    const struct tw *w = self;
    const struct vn_api *api;
    const struct vn_node *core = core_of(self, host, &api);
    out->size = sizeof *out;
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
    struct vn_addr with = world_addr(w, b);
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

/* ---- beginning and end ---- */

void world_on_gone(void *ctx)
{
    struct tw *w = ctx;
    w->open--;
}

static void on_tcp_closed(void *ctx)
{
    bool *closed = ctx;
    *closed = true;
}

static void close_all(struct tw *w)
{
    bool closed = false;
    for (uint32_t i = 0; i < w->host_count; i++)
        world_host_free(w->hosts[i]);
    while (w->open > 0)
        uv_run(&w->loop, UV_RUN_ONCE);
    vn_tcp_close(w->tcp, on_tcp_closed, &closed);
    while (!closed)
        uv_run(&w->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&w->turn, NULL);
    uv_close((uv_handle_t *)&w->tick, NULL);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    int left = uv_loop_close(&w->loop);
    assert(left == 0);
    (void)left;
}

static void free_world(void *self)
{
    struct tw *w = self;
    close_all(w);
    world_disks_remove(w);
    for (uint32_t i = 0; i < w->shared_count; i++)
        w->shared[i].api->shared_free(w->shared[i].shared);
    for (uint32_t i = 0; i < w->host_count; i++)
        mem_free(w->hosts[i]);
    world_net_free(w);
    mem_free(w->hosts);
    mem_free(w->shared);
    close(w->guard);
    mem_free(w);
}

/* A port that no other process runs such a world on. */
static bool take_port(struct tw *w)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    w->guard = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    for (uint32_t i = 0; w->guard >= 0 && i < PORTS; i++) {
        w->port = (uint16_t)(PORT_FIRST + i);
        at.sin_port = htons(w->port);
        if (bind(w->guard, (struct sockaddr *)&at, sizeof at) == 0)
            return listen(w->guard, 1) == 0;
    }
    return false;
}

/* Two descriptors a link, and some a store. */
static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static const struct world table = {
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

bool world_tcp_init(struct world *world, const struct sim_config *config, uint32_t speed, char *why,
                    size_t size)
{
    struct vn_tcp_options options;
    struct tw *w = mem_new(1, sizeof *w);
    w->config = *config;
    w->speed = speed;
    if (!take_port(w)) {
        snprintf(why, size, "the world 'tcp' finds no free port from %u to %u on 127.0.0.1: %s",
                 PORT_FIRST, PORT_FIRST + PORTS - 1, strerror(errno));
        if (w->guard >= 0)
            close(w->guard);
        mem_free(w);
        return false;
    }
    raise_limit();
    signal(SIGPIPE, SIG_IGN); /* a socket whose other end is gone is told by the write */
    uv_loop_init(&w->loop);
    uv_timer_init(&w->loop, &w->turn);
    uv_timer_init(&w->loop, &w->tick);
    w->turn.data = w->tick.data = w;
    vn_tcp_options_init(&options);
    options.window = config->window;
    options.read_bytes = READ_BYTES;
    options.speed = speed;
    options.loop = &w->loop;
    w->tcp = vn_tcp_new(&options);
    assert(w->tcp); /* the speed was checked where it was asked for */
    tcp_fault_clock_stop(w->tcp);
    w->zero_ns = vn_tcp_now_ns(w->tcp);
    tcp_fault_wall(w->tcp, config->wall_start_ns, w->zero_ns);
    tcp_fault_buffers(w->tcp, SOCKET_BYTES);
    world_shape_init(w);
    sim_link_params_init(&w->links);
    *world = table;
    world->self = w;
    return true;
}
