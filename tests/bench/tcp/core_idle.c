/* A node with many inbound links: IDLE.
 *
 * The server is a node; its peers are plain sockets, each from another address and with another
 * node id. Each says hello, hears the node's hello and its question for the newest block, and
 * answers that it has none: then nothing is under way on the link. It is there when that answer has
 * come, so that a link costs the server two messages more than one of "libuv". */
#include "tests/bench/tcp/core.h"
#include "tests/bench/tcp/plain.h"

#include "core/wire/msg.h"

#include <stdlib.h>
#include <string.h>

#define LINKS_MAX 10000u /* ready links of a node; as many more may be in their handshake */
#define KNOWN_MAX 100000u
#define AHEAD     1000u /* links that said hello and were not listened to yet */
#define IDLE_DONE CORE_MARK_DONE

/* ---- the server ---- */

struct idle_server {
    struct core_node n;
    struct meter meter, silence;
    uint64_t memory, resident, link_bytes;
    uint64_t before; /* links that were there when the memory before was looked at */
    bool begun, complete;
};

static void idle_on_silence(uv_timer_t *timer)
{
    struct idle_server *server = timer->data;
    struct side silence;
    struct vn_info info = {.size = sizeof info};
    meter_end(&server->silence, &silence);
    server->n.run->side->idle_wall_ns = silence.wall_ns;
    server->n.run->side->idle_cpu_ns = silence.user_ns + silence.sys_ns;
    vn_node_info(vn_tcp_node_core(server->n.node), &info);
    if (info.inbound != server->n.run->links)
        run_fail(server->n.run, "links", "not all of them are ready");
    run_mark(server->n.run, IDLE_DONE);
    uv_stop(timer->loop);
}

/* Of all links, from what those made us hold that came after the first few. */
static uint64_t of_all(const struct idle_server *server, uint64_t after, uint64_t before)
{
    const uint64_t links = server->n.run->links;
    return after > before ? (after - before) * links / (links - server->before) : 0;
}

/* What the first link makes a node allocate, as the buffer to read into, is no link's. */
static void idle_begin(struct idle_server *server, uint64_t links)
{
    server->begun = true;
    server->before = links < server->n.run->links ? links : 0;
    run_memory(&server->memory, &server->resident);
    meter_begin(&server->meter);
}

static void idle_on_turn(struct core_node *n)
{
    struct idle_server *server = (struct idle_server *)n;
    const struct vn_tcp_stats stats = core_stats(n);
    uint64_t memory, resident;
    if (!server->begun && stats.bytes_in > 0)
        idle_begin(server, stats.accepted);
    if (server->complete || stats.bytes_in < n->run->links * server->link_bytes)
        return;
    struct side *side = n->run->side;
    server->complete = true;
    meter_end(&server->meter, side);
    side->messages = n->run->links;
    run_memory(&memory, &resident);
    side->memory = of_all(server, memory, server->memory);
    side->resident = of_all(server, resident, server->resident);
    meter_begin(&server->silence);
    uv_timer_start(&n->timer, idle_on_silence, 2 * n->run->ns / 1000000, 0);
}

void core_idle_serve(struct run *run)
{
    struct vn_config config;
    struct idle_server server = {.link_bytes = plain_hello(0).len + plain_no_block().len};
    if (run->links > LINKS_MAX)
        run_fail(run, "links", "a node has 10000 inbound links at most: use --links");
    core_config(&config, "server");
    config.max_inbound = run->links;
    config.max_pending = LINKS_MAX;
    config.known_peers = KNOWN_MAX;
    core_open_server(&server.n, run, &config, idle_on_turn);
    server.n.timer.data = &server;
    uv_run(&server.n.loop, UV_RUN_DEFAULT);
}

/* ---- the client ---- */

void core_idle_ask(struct run *run)
{
    int *fds = calloc(run->links, sizeof *fds);
    if (!fds)
        run_fail(run, "memory", "there is no more");
    for (uint32_t i = 0; i < run->links; i++)
        fds[i] = plain_socket(run, i);
    const uint16_t port = run_port(run);
    for (uint32_t i = 0; i < run->links + AHEAD; i++) {
        if (i < run->links) {
            plain_connect(run, fds[i], port);
            plain_say(run, fds[i], plain_hello(i));
        }
        if (i >= AHEAD && i - AHEAD < run->links) {
            plain_hear(run, fds[i - AHEAD], MSG_REQUEST_BLOCK);
            plain_say(run, fds[i - AHEAD], plain_no_block());
        }
    }
    run_await(run, IDLE_DONE);
    free(fds);
}
