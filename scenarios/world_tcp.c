/* The world of real sockets: many nodes in one process, each on an address of its own in
 * 127.0.0.0/8, with real TCP connections between them; transport-tcp behind the table that
 * scenarios know.
 *
 * Time is real, or `speed` times as fast. The world stands where its user last let it run to, while
 * the nodes go on: what happens meanwhile is told when it runs again. A run that is asked to go to
 * a time comes back at that time or a little later; by how much at most is in late_ns, for a
 * machine that does not keep up.
 *
 * All processes that run such a world share the addresses, and scenarios name one port; each
 * process listens on a port of its own instead, held by a listening socket on 127.0.0.1, where no
 * host is. */
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

void world_run_until(struct tw *w, uint64_t t_ns)
{
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

struct vn_addr world_listen_addr(const struct tw *w, uint32_t number)
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

void world_free(struct tw *w)
{
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
    tcp_fault_port(w->tcp, sim_host_addr(0).port, w->port);
    tcp_fault_buffers(w->tcp, SOCKET_BYTES);
    world_shape_init(w);
    sim_link_params_init(&w->links);
    *world = world_tcp_table;
    world->self = w;
    return true;
}
