/* A VibeNet node in a program that has a libuv loop of its own: embed SECONDS LISTEN [PEER]
 * A timer tells each second how the node fares; after SECONDS it takes leave, and all is closed. */
#include <stdio.h>
#include <stdlib.h>
#include <vibenet/tcp.h>

static struct vn_tcp_node *node;
static long seconds; /* that are left */

static void on_second(uv_timer_t *timer)
{
    struct vn_info info = {.size = sizeof info};
    vn_node_info(vn_tcp_node_core(node), &info);
    printf("height %d, peers %d\n", (int)info.height, (int)(info.inbound + info.outbound));
    if (--seconds == 0)
        vn_tcp_node_command(node, &(struct vn_command){.kind = VN_CMD_SHUTDOWN});
    if (seconds >= 0)
        return;
    vn_tcp_node_close(node, NULL, NULL);
    uv_close((uv_handle_t *)timer, NULL);
}

int main(int argc, char **argv)
{
    struct vn_tcp_options options; /* what the nodes of a loop share */
    struct vn_config core;         /* what a node is, by whatever transport */
    struct vn_tcp_node_config config;
    struct vn_addr peer;
    uv_timer_t timer;
    char text[256] = "usage: embed SECONDS LISTEN [PEER], as in: embed 60 127.0.0.1:8765";
    setvbuf(stdout, NULL, _IOLBF, 0); /* each line at once, into a file too */
    vn_tcp_options_init(&options);
    options.loop = uv_default_loop();
    struct vn_tcp *tcp = vn_tcp_new(&options);
    vn_config_init(&core);
    snprintf(core.node_id, sizeof core.node_id, "embed-%d", (int)uv_os_getpid());
    if (uv_random(NULL, NULL, core.seed, sizeof core.seed, 0, NULL) != 0)
        return fputs("embed: the system has no random bytes\n", stderr), 1;
    core.seeds = &peer;
    core.seed_count = argc > 3;
    core.mine_interval_ns = argc > 3 ? 0 : 1000000000; /* who asks nobody mines, a block a second */
    vn_tcp_node_config_init(&config);
    config.core = &core;
    config.listen = &core.listen; /* where it tells others that it does */
    config.listen_count = 1;
    if (argc > 2 && (seconds = atol(argv[1])) > 0 && vn_tcp_addr_parse(argv[2], 0, &core.listen) &&
        (argc == 3 || vn_tcp_addr_parse(argv[3], 8765, &peer)))
        node = vn_tcp_node_new(tcp, &config, text, sizeof text);
    if (!node)
        return fprintf(stderr, "%s\n", text), 1;
    vn_tcp_node_listen(node, 0, &core.listen); /* with a real port, if none was asked for */
    vn_tcp_addr_format(&core.listen, text);
    printf("listening at %s\n", text);
    uv_timer_init(options.loop, &timer);
    uv_timer_start(&timer, on_second, 1000, 1000);
    uv_run(options.loop, UV_RUN_DEFAULT); /* the program's and the node's work */
    vn_tcp_close(tcp, NULL, NULL);
    uv_run(options.loop, UV_RUN_DEFAULT);
    return uv_loop_close(options.loop) == 0 ? puts("all closed"), 0 : 1;
}
