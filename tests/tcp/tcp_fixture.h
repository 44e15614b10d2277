/* Nodes of the real transport on one loop, turned until something holds.
 *
 * No test here measures time: what is waited for comes as soon as it can, and PATIENCE_S is only
 * there so that a test that hangs ends. */
#ifndef TCP_FIXTURE_H
#define TCP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transport-tcp/tcp.h"

#include <stdio.h>
#include <string.h>

#define PATIENCE_S 60

struct net {
    uv_loop_t loop;
    uv_timer_t watchdog;
    struct vn_tcp *tcp;
    uint32_t open; /* nodes */
};

struct node {
    struct net *net;
    struct vn_tcp_node *tcp;
    struct vn_addr addr;
    uint32_t replies;
    uint32_t reply_status;
    char reply_text[108];
    char warning[256];
    uint32_t warnings;
    uint64_t traces[VN_TR_KINDS];
    uint32_t last_why; /* of the last PEER_STATE */
};

static inline void net_hangs(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("what the test waits for did not come");
}

static inline void net_init_with(struct net *net, const struct vn_tcp_options *asked)
{
    struct vn_tcp_options options = *asked;
    *net = (struct net){0};
    assert_int_equal(uv_loop_init(&net->loop), 0);
    uv_timer_init(&net->loop, &net->watchdog);
    uv_timer_start(&net->watchdog, net_hangs, PATIENCE_S * 1000, 0);
    options.loop = &net->loop;
    net->tcp = vn_tcp_new(&options);
    assert_non_null(net->tcp);
}

static inline void net_init(struct net *net)
{
    struct vn_tcp_options options;
    vn_tcp_options_init(&options);
    net_init_with(net, &options);
}

static inline void net_on_gone(void *ctx)
{
    uint32_t *count = ctx;
    --*count;
}

static inline void net_deinit(struct net *net)
{
    uint32_t left = 1;
    while (net->open > 0)
        uv_run(&net->loop, UV_RUN_ONCE);
    vn_tcp_close(net->tcp, net_on_gone, &left);
    while (left > 0)
        uv_run(&net->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&net->watchdog, NULL);
    uv_run(&net->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&net->loop), 0);
}

static inline void node_on_reply(void *ctx, uint64_t token, uint32_t status, const char *text)
{
    struct node *node = ctx;
    (void)token;
    node->replies++;
    node->reply_status = status;
    snprintf(node->reply_text, sizeof node->reply_text, "%s", text);
}

static inline void node_on_warning(void *ctx, const char *text)
{
    struct node *node = ctx;
    node->warnings++;
    snprintf(node->warning, sizeof node->warning, "%s", text);
}

static inline void node_on_trace(void *ctx, const struct vn_trace *trace)
{
    struct node *node = ctx;
    node->traces[trace->kind]++;
    if (trace->kind == VN_TR_PEER_STATE)
        node->last_why = (uint32_t)trace->c;
}

static inline struct vn_addr loopback(uint8_t last, uint16_t port)
{
    return (struct vn_addr){.family = VN_AF_IPV4, .port = port, .ip = {127, 0, 0, last}};
}

static inline void core_config(struct vn_config *config, const char *id)
{
    vn_config_init(config);
    snprintf(config->node_id, sizeof config->node_id, "%s", id);
    memset(config->seed, (int)strlen(id) + id[0], sizeof config->seed);
    config->difficulty = 1;
}

/* A node that listens on a free port of 127.0.0.1; `tweak` may be NULL. */
static inline void node_init(struct node *node, struct net *net, const char *id,
                             void (*tweak)(struct vn_config *core, struct vn_tcp_node_config *tcp))
{
    struct vn_config core;
    struct vn_tcp_node_config config;
    struct vn_addr listen = loopback(1, 0);
    char why[256];
    *node = (struct node){.net = net};
    core_config(&core, id);
    core.on_trace = node_on_trace;
    core.trace_ctx = node;
    vn_tcp_node_config_init(&config);
    config.core = &core;
    config.listen = &listen;
    config.listen_count = 1;
    config.hooks = (struct vn_tcp_hooks){
        .ctx = node, .on_reply = node_on_reply, .on_warning = node_on_warning};
    if (tweak)
        tweak(&core, &config);
    node->tcp = vn_tcp_node_new(net->tcp, &config, why, sizeof why);
    if (!node->tcp)
        fail_msg("%s", why);
    net->open++;
    vn_tcp_node_listen(node->tcp, 0, &node->addr);
}

static inline void node_close(struct node *node)
{
    vn_tcp_node_close(node->tcp, net_on_gone, &node->net->open);
    node->tcp = NULL;
}

static inline void node_command(struct node *node, struct vn_command command)
{
    vn_tcp_node_command(node->tcp, &command);
}

static inline struct vn_info node_info(const struct node *node)
{
    struct vn_info info = {.size = sizeof info};
    vn_node_info(vn_tcp_node_core(node->tcp), &info);
    return info;
}

static inline struct vn_tcp_stats node_stats(const struct node *node)
{
    struct vn_tcp_stats stats = {.size = sizeof stats};
    vn_tcp_node_stats(node->tcp, &stats);
    return stats;
}

static inline uint32_t node_ready(const struct node *node)
{
    struct vn_info info = node_info(node);
    return info.inbound + info.outbound;
}

static inline void node_connect(struct node *node, const struct node *to)
{
    node_command(node, (struct vn_command){.kind = VN_CMD_CONNECT, .addr = to->addr});
}

/* Turns the loop until the expression holds. */
#define UNTIL(net, expression)                                                                     \
    do {                                                                                           \
        while (!(expression))                                                                      \
            uv_run(&(net)->loop, UV_RUN_ONCE);                                                     \
    } while (0)

#endif
