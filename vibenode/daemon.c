/* The program's life; see daemon.h.
 *
 * Happy path: the log, the store, HTTP, a capture, the node, in the order in which their failures
 * are best told and leave nothing behind; then the loop. A signal starts the leaving: the node
 * tells its peers, and a short timer looks whether links and store are done, for at most LEAVE_MS.
 * Then everything is closed, the store last, since it waits for the disk.
 *
 * Failure modes: what cannot be opened ends the program with its own exit status, by the same
 * closing. A store that fails later is told and tried again by the core; a capture that ends is
 * told once. A look-up of a name cannot be stopped, so the program does not wait for one: it leaves
 * by _exit. */
#include "vibenode/daemon.h"

#include "vibenode/daemon_impl.h"
#include "vibenode/log_trace.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#define LEAVE_MS     1200u /* for the peers and the disk */
#define LEAVE_LOOK   10u
#define LINGER_MS    100u /* in which peers hang up, too: what they send is no reset then */
#define CLOSE_MS     300u /* for handles, of which none should take any time */
#define FILES_BESIDE 192u /* descriptors of others than links, and links that are being closed */

/* ---- what the node tells ---- */

static void on_trace(void *ctx, const struct vn_trace *trace)
{
    struct daemon *d = ctx;
    ops_counts_trace(&d->counts, trace);
    /* What is loaded is told once, when all of it is. */
    if (d->loaded || (trace->kind != VN_TR_TIP && trace->kind != VN_TR_BLOCK_NEW))
        log_trace(d->log, &d->links, trace);
}

static void on_event(void *ctx, const struct vn_event *event)
{
    struct daemon *d = ctx;
    links_event(&d->links, event);
    if (d->capture)
        capture_event(d->capture, event);
}

/* The first drain comes while the node is made; its hash is not asked for that early. */
static void on_drained(void *ctx)
{
    struct daemon *d = ctx;
    if (d->capture)
        capture_drained(d->capture, d->node ? vn_node_hash(vn_tcp_node_core(d->node)) : 0);
}

static void on_reply(void *ctx, uint64_t token, uint32_t status, const char *text)
{
    struct daemon *d = ctx;
    if (d->commanding && status != VN_OK)
        log_line(d->log, LOG_LEVEL_DEBUG, LOG_NODE, "reply", "a command was refused: %s: %s",
                 vn_status_name(status), text);
    ops_on_reply(d->ops, token, status, text);
}

static void on_warning(void *ctx, const char *text)
{
    struct daemon *d = ctx;
    log_line(d->log, LOG_LEVEL_WARNING, LOG_NET, "tcp", "%s", text);
}

void daemon_command(struct daemon *d, const struct vn_command *command)
{
    d->commanding = true;
    vn_tcp_node_command(d->node, command);
    d->commanding = false;
}

void daemon_info(const struct daemon *d, struct vn_info *out)
{
    out->size = sizeof *out;
    vn_node_info(vn_tcp_node_core(d->node), out);
}

/* ---- seed peers by name ---- */

static bool has_peer(void *ctx)
{
    struct vn_info info;
    daemon_info(ctx, &info);
    return info.inbound + info.outbound > 0;
}

static void on_found(void *ctx, const char *host, const struct vn_addr *addrs, uint32_t count)
{
    struct daemon *d = ctx;
    char first[VN_TCP_ADDR_TEXT];
    if (d->phase != DAEMON_RUNNING)
        return;
    vn_tcp_addr_format(&addrs[0], first);
    log_line(d->log, LOG_LEVEL_INFO, LOG_NET, "seed-found", "seed-peer %s is %s%s", host, first,
             count > 1 ? ", and has more addresses" : "");
    bool alone = !has_peer(d);
    for (uint32_t i = 0; i < count; i++) {
        daemon_command(d, &(struct vn_command){.kind = VN_CMD_ADD_PEER, .addr = addrs[i]});
        if (alone)
            daemon_command(d, &(struct vn_command){.kind = VN_CMD_CONNECT, .addr = addrs[i]});
    }
}

static void on_not_found(void *ctx, const char *host, const char *why, uint32_t next_s)
{
    struct daemon *d = ctx;
    log_line(d->log, LOG_LEVEL_WARNING, LOG_NET, "seed-lost",
             "seed-peer %s does not resolve: %s; the next try is in %u s", host, why, next_s);
}

/* ---- each second ---- */

static void tell_status(struct daemon *d)
{
    struct vn_info info;
    daemon_info(d, &info);
    const struct log_field fields[] = {
        {.key = "height", .number = info.height, .machine = true},
        {.key = "inbound", .number = info.inbound, .machine = true},
        {.key = "outbound", .number = info.outbound, .machine = true},
        {.key = "known", .number = info.known, .machine = true},
        {.key = "banned", .number = info.banned, .machine = true},
        {.key = "mempool", .number = info.mempool, .machine = true},
        {.key = "orphans", .number = info.orphans, .machine = true},
    };
    log_fields(d->log, LOG_LEVEL_INFO, LOG_NODE, "status", fields, sizeof fields / sizeof *fields,
               "height %llu; %u peers in, %u out, %u known, %u banned; %u transactions and %u "
               "orphans wait",
               (unsigned long long)info.height, info.inbound, info.outbound, info.known,
               info.banned, info.mempool, info.orphans);
}

static void capture_look(struct daemon *d)
{
    if (!d->capture || d->capture_ended || !*capture_error(d->capture))
        return;
    d->capture_ended = true;
    log_line(d->log, LOG_LEVEL_WARNING, LOG_NODE, "capture", "the capture has ended early: %s",
             capture_error(d->capture));
}

static void on_tick(uv_timer_t *timer)
{
    struct daemon *d = timer->data;
    uint64_t now_ms = uv_now(&d->loop);
    log_tick(d->log);
    capture_look(d);
    daemon_store_look(d);
    uint64_t every_ms = d->config->status_interval_ns / 1000000u;
    if (every_ms == 0 || now_ms - d->status_ms < every_ms || d->phase != DAEMON_RUNNING)
        return;
    d->status_ms = now_ms;
    tell_status(d);
}

/* ---- the end ---- */

static void on_node_closed(void *ctx)
{
    vn_tcp_close(((struct daemon *)ctx)->tcp, NULL, NULL);
}

/* Closes what there is. The loop ends when the last handle is gone. */
static void daemon_close(struct daemon *d)
{
    d->phase = DAEMON_CLOSING;
    daemon_ops_stop(d);
    seeds_close(d->seeds, NULL, NULL);
    d->seeds = NULL;
    if (d->capture)
        capture_close(d->capture, d->node ? vn_node_hash(vn_tcp_node_core(d->node)) : 0);
    d->capture = NULL;
    if (d->node)
        vn_tcp_node_close(d->node, on_node_closed, d);
    d->node = NULL;
    /* From here on a signal has its usual effect: the disk may keep us waiting. */
    for (uint32_t i = 0; i < DAEMON_SIGNALS; i++)
        uv_close((uv_handle_t *)&d->signals[i], NULL);
    signal(SIGHUP, SIG_IGN);
    if (!daemon_store_close(d) && d->status == EXITS_DONE)
        d->status = EXITS_FAILED;
    uv_close((uv_handle_t *)&d->answered, NULL);
    uv_close((uv_handle_t *)&d->tick, NULL);
    uv_close((uv_handle_t *)&d->leave, NULL);
}

static void on_leave_look(uv_timer_t *timer)
{
    struct daemon *d = timer->data;
    struct vn_tcp_stats tcp = {.size = sizeof tcp};
    struct node_store_stats store = {0};
    vn_tcp_node_stats(d->node, &tcp);
    if (d->store)
        node_store_stats(d->store, &store);
    bool done = tcp.links == 0 && tcp.closing == 0 && store.waiting == 0;
    if (done && d->linger_until_ms == 0)
        d->linger_until_ms = uv_now(&d->loop) + (d->had_links ? LINGER_MS : 0);
    if (uv_now(&d->loop) < (done ? d->linger_until_ms : d->leave_until_ms))
        return;
    if (!done)
        log_line(d->log, LOG_LEVEL_INFO, LOG_NODE, "leaving",
                 "does not wait any longer for %u links and %u answers of the store",
                 tcp.links + tcp.closing, store.waiting);
    daemon_close(d);
    uv_stop(&d->loop); /* a look-up may be under way: see close_loop */
}

void daemon_leave(struct daemon *d, const char *why)
{
    if (d->phase != DAEMON_RUNNING)
        return;
    d->phase = DAEMON_LEAVING;
    log_line(d->log, LOG_LEVEL_INFO, LOG_NODE, "leaving", "shuts down: %s", why);
    struct vn_tcp_stats tcp = {.size = sizeof tcp};
    vn_tcp_node_stats(d->node, &tcp);
    d->had_links = tcp.links + tcp.closing > 0;
    uv_update_time(&d->loop);
    d->leave_until_ms = uv_now(&d->loop) + LEAVE_MS;
    daemon_command(d, &(struct vn_command){.kind = VN_CMD_SHUTDOWN});
    uv_timer_start(&d->leave, on_leave_look, LEAVE_LOOK, LEAVE_LOOK);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct daemon *d = handle->data;
    char why[32];
    if (number == SIGHUP) {
        if (d->phase == DAEMON_RUNNING)
            daemon_reload(d);
        return;
    }
    if (d->phase != DAEMON_RUNNING) {
        log_line(d->log, LOG_LEVEL_WARNING, LOG_NODE, "leaving",
                 "a second signal: ends at once, and what is not stored is lost");
        _exit(128 + number);
    }
    snprintf(why, sizeof why, "%s", number == SIGINT ? "SIGINT" : "SIGTERM");
    daemon_leave(d, why);
}

/* ---- the start ---- */

static void handles_init(struct daemon *d)
{
    static const int numbers[DAEMON_SIGNALS] = {SIGINT, SIGTERM, SIGHUP};
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit on files is a full disk, not an end */
    uv_timer_init(&d->loop, &d->tick);
    uv_timer_init(&d->loop, &d->leave);
    d->tick.data = d->leave.data = d;
    for (uint32_t i = 0; i < DAEMON_SIGNALS; i++) {
        uv_signal_init(&d->loop, &d->signals[i]);
        d->signals[i].data = d;
        uv_signal_start(&d->signals[i], on_signal, numbers[i]);
    }
}

/* Takes all descriptors that we may have, and tells if they are too few for what is asked. */
static void files_raise(struct daemon *d)
{
    struct rlimit limit;
    const struct vn_config *core = &d->config->core;
    uint64_t wanted =
        (uint64_t)core->max_inbound + core->max_outbound + core->max_pending + FILES_BESIDE;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    log_line(d->log, LOG_LEVEL_WARNING, LOG_NODE, "files",
             "%llu descriptors are too few for %u peers: raise the limit (ulimit -n, LimitNOFILE=) "
             "to %llu",
             (unsigned long long)limit.rlim_cur, core->max_inbound + core->max_outbound,
             (unsigned long long)wanted);
}

/* The core's configuration but for what the store tells. */
static void core_config(struct daemon *d, struct vn_config *core,
                        struct vn_addr seeds[CONFIG_SEEDS_MAX])
{
    *core = d->config->core;
    if (getrandom(core->seed, sizeof core->seed, 0) != sizeof core->seed)
        abort();
    core->seeds = seeds;
    core->seed_count = 0;
    for (uint32_t i = 0; i < d->config->seed_count; i++)
        if (d->config->seeds[i].addr.family != VN_AF_NONE)
            seeds[core->seed_count++] = d->config->seeds[i].addr;
    core->hash = d->config->capture ? VN_HASH_ALL : VN_HASH_NONE; /* only a replay asks for it */
    core->on_trace = on_trace;
    core->trace_ctx = d;
    core->trace_mask = log_trace_mask(&d->config->log);
    if (d->config->http || d->config->data) /* metrics may be asked for */
        core->trace_mask |= ops_counts_mask();
    d->trace_mask = core->trace_mask;
}

static bool capture_start(struct daemon *d, const struct vn_config *core)
{
    char why[CONFIG_WHY];
    if (!d->config->capture)
        return true;
    d->capture =
        capture_new(d->config->capture, core, vn_api(VN_API_VERSION)->build, why, sizeof why);
    if (!d->capture)
        log_line(d->log, LOG_LEVEL_ERROR, LOG_NODE, "capture", "%s", why);
    return d->capture != NULL;
}

/* Nothing happened yet that a capture would be for. */
static void capture_undo(struct daemon *d)
{
    if (!d->capture)
        return;
    capture_close(d->capture, 0);
    d->capture = NULL;
    unlink(d->config->capture);
}

static bool node_start(struct daemon *d, const struct vn_config *core)
{
    char why[CONFIG_WHY];
    struct vn_tcp_options options;
    struct vn_tcp_node_config config;
    vn_tcp_options_init(&options);
    options.loop = &d->loop;
    if (d->config->max_files)
        options.max_files = d->config->max_files;
    d->tcp = vn_tcp_new(&options);
    assert(d->tcp); /* the configuration's ranges are within its own */
    vn_tcp_node_config_init(&config);
    config.backlog = d->config->backlog;
    config.core = core;
    config.listen = d->config->listen;
    config.listen_count = d->config->listen_count;
    config.bind = d->config->bind;
    config.hooks = (struct vn_tcp_hooks){.ctx = d,
                                         .on_event = on_event,
                                         .on_drained = on_drained,
                                         .on_reply = on_reply,
                                         .on_warning = on_warning,
                                         .on_store = d->store ? daemon_store_hook : NULL};
    d->node = vn_tcp_node_new(d->tcp, &config, why, sizeof why);
    if (d->node)
        return true;
    log_line(d->log, LOG_LEVEL_ERROR, LOG_NET, "listen", "%s", why);
    capture_undo(d);
    uv_run(&d->loop, UV_RUN_NOWAIT); /* until the half-made node is gone */
    vn_tcp_close(d->tcp, NULL, NULL);
    return false;
}

static void banner(struct daemon *d, const struct vn_config *core)
{
    char text[VN_TCP_ADDR_TEXT];
    struct vn_addr addr;
    for (uint32_t i = 0; vn_tcp_node_listen(d->node, i, &addr); i++) {
        vn_tcp_addr_format(&addr, text);
        log_line(d->log, LOG_LEVEL_INFO, LOG_NET, "listen", "listens on %s", text);
    }
    vn_tcp_addr_format(&core->listen, text);
    log_line(d->log, LOG_LEVEL_INFO, LOG_NODE, "started",
             "%s announces %s; chain %llu:%llu; %u seed peers; data folder %s", core->node_id, text,
             (unsigned long long)core->genesis_timestamp, (unsigned long long)core->difficulty,
             d->config->seed_count, d->config->data ? d->config->data : "none");
}

/* EXITS_DONE if all is well. */
static enum exits daemon_start(struct daemon *d)
{
    struct vn_config core;
    static struct vn_addr seeds[CONFIG_SEEDS_MAX];
    log_line(d->log, LOG_LEVEL_INFO, LOG_NODE, "version", "vibenode " VIBENODE_BUILD);
    files_raise(d);
    core_config(d, &core, seeds);
    if (!daemon_store_open(d, &core))
        return EXITS_DATA;
    if (!daemon_ops_start(d, &core))
        return EXITS_LISTEN;
    if (!capture_start(d, &core))
        return EXITS_USAGE;
    if (!node_start(d, &core))
        return EXITS_LISTEN;
    banner(d, &core);
    const struct seeds_hooks hooks = {d, has_peer, on_found, on_not_found};
    d->seeds = seeds_new(&d->loop, d->config->seeds, d->config->seed_count, &hooks);
    d->status_ms = uv_now(&d->loop);
    uv_timer_start(&d->tick, on_tick, 1000, 1000);
    d->phase = DAEMON_RUNNING;
    return EXITS_DONE;
}

static void on_too_long(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

/* Runs until every handle is gone, or for CLOSE_MS: what a look-up holds up is left behind. */
static bool close_loop(struct daemon *d)
{
    uv_timer_t guard;
    uv_timer_init(&d->loop, &guard);
    uv_timer_start(&guard, on_too_long, CLOSE_MS, 0);
    uv_unref((uv_handle_t *)&guard);
    uv_run(&d->loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&guard, NULL);
    uv_run(&d->loop, UV_RUN_NOWAIT);
    return uv_loop_close(&d->loop) == 0;
}

int daemon_run(struct config *config, int argc, char **argv)
{
    char why[CONFIG_WHY];
    static struct daemon daemon; /* not on the stack: handles may outlive this call */
    struct daemon *d = &daemon;
    *d = (struct daemon){.config = config, .argc = argc, .argv = argv};
    d->log = log_new(&config->log, NULL, why, sizeof why);
    if (!d->log || uv_loop_init(&d->loop) != 0) {
        fprintf(stderr, "vibenode: %s\n", d->log ? "no event loop can be made" : why);
        config_free(config);
        return d->log ? EXITS_FAILED : EXITS_USAGE;
    }
    handles_init(d);
    d->status = (int)daemon_start(d);
    if (d->status == EXITS_DONE)
        uv_run(&d->loop, UV_RUN_DEFAULT);
    else
        daemon_close(d);
    bool closed = close_loop(d);
    if (d->status == EXITS_DONE)
        log_line(d->log, LOG_LEVEL_INFO, LOG_NODE, "ended", "ended");
    log_free(d->log);
    if (!closed)
        _exit(d->status);
    links_free(&d->links);
    config_free(config);
    return d->status;
}
