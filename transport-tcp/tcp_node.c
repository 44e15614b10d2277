/* A node on the loop: what its links, timers and store tell becomes events, and what the core
 * answers is performed.
 *
 * Each callback is some steps and one drain. Performing an action calls nobody back: what it finds
 * out (a dial that fails at once, a link that is over) is noted on the link and told in the next
 * flush.
 *
 * The timer is libuv's, armed for the earliest deadline seen; a deadline that moves away leaves it
 * where it is, and when it comes and nothing is due it is armed anew: so a deadline that every
 * message moves costs nothing a message. The core hears of the wall clock when it runs off from
 * what it was told (set by hand, by NTP, or the machine slept), looked at once a second. */
#include "transport-tcp/tcp_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_S      INT64_C(1000000000)
#define LOOK_MS       1000u
#define OFF_BY_NS     (NS_PER_S / 20) /* what the wall clock may run off before it is told */
#define TOLD_EVERY_NS (60 * UINT64_C(1000000000))

static struct vn_tcp_node *node_of(struct tcp_owner *owner)
{
    return (struct vn_tcp_node *)owner;
}

/* ---- stepping ---- */

static void step_now(struct vn_tcp_node *node, struct vn_event *event)
{
    event->size = sizeof *event;
    event->now_ns = vn_tcp_now_ns(node->owner.tcp);
    node->owner.stats.events++;
    if (node->hooks.on_event)
        node->hooks.on_event(node->hooks.ctx, event);
    node->api->node_step(node->core, event);
}

void tcp_node_step(struct vn_tcp_node *node, struct vn_event *event)
{
    if (node->owner.standing)
        tcp_node_later(node, event);
    else
        step_now(node, event);
}

/* ---- events that wait ---- */

void tcp_node_catch_up(struct vn_tcp_node *node)
{
    struct tcp_later *later = node->later;
    node->later = NULL;
    node->later_tail = &node->later;
    while (later) {
        struct tcp_later *next = later->next;
        tcp_node_step(node, &later->event);
        mem_free(later);
        later = next;
    }
    tcp_node_drain(node);
}

static void on_idle(uv_idle_t *idle)
{
    uv_idle_stop(idle);
    tcp_node_catch_up(idle->data);
}

void tcp_node_later(struct vn_tcp_node *node, const struct vn_event *event)
{
    struct tcp_later *later = mem_new(1, sizeof *later);
    later->event = *event;
    *node->later_tail = later;
    node->later_tail = &later->next;
    if (!node->owner.standing)
        uv_idle_start(&node->idle, on_idle);
}

static void later_drop(struct vn_tcp_node *node)
{
    while (node->later) {
        struct tcp_later *later = node->later;
        node->later = later->next;
        mem_free(later);
    }
    node->later_tail = &node->later;
}

/* ---- what links tell ---- */

static void on_up(struct tcp_owner *owner, struct tcp_link *link)
{
    struct vn_tcp_node *node = node_of(owner);
    struct vn_event event = {.kind = VN_EV_LINK_UP};
    event.u.link_up.link = link->id;
    event.u.link_up.local = tcp_link_local(link);
    event.u.link_up.remote = link->remote;
    event.u.link_up.window = node->owner.tcp->options.window;
    tcp_node_step(node, &event);
    tcp_node_drain(node);
}

static void on_bytes(struct tcp_owner *owner, struct tcp_link *link, struct vn_slice data)
{
    struct vn_event event = {.kind = VN_EV_BYTES, .u.bytes = {link->id, data}};
    tcp_node_step(node_of(owner), &event);
    tcp_node_drain(node_of(owner));
}

static bool on_alloc(struct tcp_owner *owner, struct tcp_link *link, struct vn_slice *space)
{
    const struct vn_tcp_node *node = node_of(owner);
    return node->reads_ahead && node->api->node_rx(node->core, link->id, space);
}

static void on_sent(struct tcp_owner *owner, struct tcp_link *link, uint64_t bytes)
{
    struct vn_event event = {.kind = VN_EV_SENT, .u.sent = {link->id, bytes}};
    tcp_node_step(node_of(owner), &event);
    tcp_node_drain(node_of(owner));
}

static void on_down(struct tcp_owner *owner, struct tcp_link *link, enum vn_why why)
{
    struct vn_tcp_node *node = node_of(owner);
    struct vn_event event = {.kind = VN_EV_LINK_DOWN, .u.link_down = {link->id, why}};
    if (why == VN_WHY_REFUSED || why == VN_WHY_UNREACHABLE)
        owner->stats.dials_failed++;
    tcp_node_step(node, &event);
    tcp_node_drain(node);
    if (owner->stats.throttled)
        tcp_listen_resume(owner);
}

static void on_batch(struct tcp_owner *owner)
{
    tcp_node_drain(node_of(owner));
}

/* ---- the drain ---- */

static void dial(struct vn_tcp_node *node, const struct vn_action *action)
{
    const struct vn_addr *from = &action->u.dial.local;
    tcp_owner_dial(&node->owner, action->link, &action->u.dial.remote,
                   from->family != VN_AF_NONE ? from : &node->bind);
}

static void perform_on_link(struct vn_tcp_node *node, struct vn_action *action)
{
    struct tcp_link *link = tcp_owner_find(&node->owner, action->link);
    if (!link) { /* the core has not heard yet that it is over */
        node->api->action_release(action);
        return;
    }
    switch ((enum vn_action_kind)action->kind) {
    case VN_ACT_SEND:
        tcp_write(link, action->u.send.slices, action->u.send.count);
        return;
    case VN_ACT_CLOSE:
        tcp_link_close(link);
        return;
    case VN_ACT_READ_STOP:
        tcp_link_read(link, false);
        return;
    case VN_ACT_READ_START:
        tcp_link_read(link, true);
        return;
    case VN_ACT_DIAL:
    case VN_ACT_STORE:
    case VN_ACT_LOAD:
    case VN_ACT_RESOLVE:
    case VN_ACT_REPLY:
    case VN_ACT_COUNT:
        break;
    }
    assert(!"an action on a link");
}

static void store(struct vn_tcp_node *node, struct vn_action *action)
{
    if (node->hooks.on_store) {
        node->hooks.on_store(node->hooks.ctx, action);
        return;
    }
    struct vn_event event = {.kind = VN_EV_STORED, .u.stored = {action->u.store.token, VN_OK}};
    if (action->kind == VN_ACT_LOAD) {
        event.kind = VN_EV_LOADED;
        event.u.loaded.token = action->u.load.token;
        event.u.loaded.status = VN_OK;
    }
    node->api->action_release(action);
    tcp_node_later(node, &event);
}

static void resolve(struct vn_tcp_node *node, const struct vn_action *action)
{
    struct vn_event event = {.kind = VN_EV_RESOLVED};
    event.u.resolved.token = action->u.resolve.token;
    event.u.resolved.status = VN_ERR_UNKNOWN;
    tcp_node_later(node, &event);
}

static void perform(struct vn_tcp_node *node, struct vn_action *action)
{
    switch ((enum vn_action_kind)action->kind) {
    case VN_ACT_DIAL:
        dial(node, action);
        return;
    case VN_ACT_SEND:
    case VN_ACT_CLOSE:
    case VN_ACT_READ_STOP:
    case VN_ACT_READ_START:
        perform_on_link(node, action);
        return;
    case VN_ACT_STORE:
    case VN_ACT_LOAD:
        store(node, action);
        return;
    case VN_ACT_RESOLVE:
        resolve(node, action);
        return;
    case VN_ACT_REPLY:
        if (node->hooks.on_reply)
            node->hooks.on_reply(node->hooks.ctx, action->u.reply.token, action->u.reply.status,
                                 action->u.reply.text);
        return;
    case VN_ACT_COUNT:
        break;
    }
    node->api->action_release(action);
}

static void on_timer(uv_timer_t *timer);

static void timer_arm(struct vn_tcp_node *node)
{
    uint64_t t_ns = node->api->node_deadline(node->core);
    if (t_ns >= node->timer_ns)
        return;
    node->timer_ns = t_ns;
    uv_timer_start(&node->timer, on_timer, tcp_ms_until(node->owner.tcp, t_ns), 0);
}

/* Connections wait in the backlog until the core has loaded what it keeps. */
static void open_when_loaded(struct vn_tcp_node *node)
{
    struct vn_info info = {.size = sizeof info};
    node->api->node_info(node->core, &info);
    node->online = node->owner.takes = info.online;
    if (node->online)
        tcp_listen_resume(&node->owner);
}

void tcp_node_drain(struct vn_tcp_node *node)
{
    struct vn_action *action = &node->owner.tcp->action;
    if (node->owner.standing)
        return;
    node->performing = true;
    while (node->api->node_next_action(node->core, action))
        perform(node, action);
    if (node->hooks.on_drained)
        node->hooks.on_drained(node->hooks.ctx);
    node->performing = false;
    if (!node->online)
        open_when_loaded(node);
    timer_arm(node);
}

static void on_timer(uv_timer_t *timer)
{
    struct vn_tcp_node *node = timer->data;
    node->timer_ns = VN_NEVER;
    if (node->owner.standing)
        return;
    if (node->api->node_deadline(node->core) <= vn_tcp_now_ns(node->owner.tcp)) {
        struct vn_event event = {.kind = VN_EV_TIMER};
        tcp_node_step(node, &event);
        tcp_node_drain(node);
    } else {
        timer_arm(node);
    }
}

/* ---- the wall clock, and what else is looked at now and then ---- */

static int64_t wall_ns(const struct vn_tcp_node *node)
{
    const struct vn_tcp *tcp = node->owner.tcp;
    struct timespec now;
    if (tcp->own_wall)
        return (int64_t)(tcp->wall_zero_ns + vn_tcp_now_ns(tcp)) + node->skew_ns;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec + node->skew_ns;
}

void tcp_node_tell_clock(struct vn_tcp_node *node)
{
    struct vn_event event = {.kind = VN_EV_CLOCK};
    int64_t now_ns = wall_ns(node);
    event.u.clock.wall_ns = now_ns > 0 ? (uint64_t)now_ns : 0;
    node->told_ns = vn_tcp_now_ns(node->owner.tcp);
    node->wall_offset_ns = now_ns - (int64_t)node->told_ns;
    tcp_node_step(node, &event);
}

static void on_look(uv_timer_t *timer)
{
    struct vn_tcp_node *node = timer->data;
    if (node->owner.standing)
        return;
    uint64_t now_ns = vn_tcp_now_ns(node->owner.tcp);
    int64_t off_ns = wall_ns(node) - (int64_t)now_ns - node->wall_offset_ns;
    if (node->owner.stats.throttled)
        tcp_listen_resume(&node->owner);
    if (off_ns < OFF_BY_NS && off_ns > -OFF_BY_NS && now_ns - node->told_ns < TOLD_EVERY_NS)
        return;
    tcp_node_tell_clock(node);
    tcp_node_drain(node);
}

static void on_warning(struct tcp_owner *owner, enum tcp_warning kind, const char *text)
{
    struct vn_tcp_node *node = node_of(owner);
    uint64_t now_ns = uv_hrtime();
    if (!node->hooks.on_warning ||
        (node->warned_ns[kind] != 0 && now_ns - node->warned_ns[kind] < (uint64_t)NS_PER_S))
        return;
    node->warned_ns[kind] = now_ns;
    node->hooks.on_warning(node->hooks.ctx, text);
}

/* ---- the life of a node ---- */

void vn_tcp_node_config_init(struct vn_tcp_node_config *config)
{
    *config = (struct vn_tcp_node_config){.size = sizeof *config, .backlog = 511};
}

static void handles_init(struct vn_tcp_node *node)
{
    uv_loop_t *loop = node->owner.tcp->loop;
    uv_timer_init(loop, &node->timer);
    uv_timer_init(loop, &node->look_timer);
    uv_idle_init(loop, &node->idle);
    node->timer.data = node->look_timer.data = node->idle.data = node;
    node->owner.handles = 3;
}

static bool config_check(const struct vn_tcp_node_config *config, char *why, size_t size)
{
    const struct vn_api *api = config->api ? config->api : vn_api(VN_API_VERSION);
    if (config->size != sizeof *config || !config->core || config->backlog < 1 ||
        config->backlog > 65535 || config->listen_count > TCP_LISTENERS_MAX) {
        snprintf(why, size, "struct vn_tcp_node_config makes no sense (see transport-tcp/tcp.h)");
        return false;
    }
    if (!api || api->version != VN_API_VERSION) {
        snprintf(why, size, "this build of the core speaks another version");
        return false;
    }
    return api->config_check(config->core, why, size);
}

static void on_gone(struct tcp_owner *owner)
{
    struct vn_tcp_node *node = node_of(owner);
    void (*done)(void *ctx) = node->on_closed;
    void *ctx = node->closed_ctx;
    mem_free(node);
    if (done)
        done(ctx);
}

static struct vn_tcp_node *node_alloc(struct vn_tcp *tcp, const struct vn_tcp_node_config *config,
                                      void *user)
{
    struct vn_tcp_node *node = mem_new(1, sizeof *node);
    node->owner = (struct tcp_owner){.on_up = on_up,
                                     .on_bytes = on_bytes,
                                     .on_alloc = on_alloc,
                                     .on_sent = on_sent,
                                     .on_down = on_down,
                                     .on_gone = on_gone,
                                     .on_batch = on_batch,
                                     .on_warning = on_warning,
                                     .user = user};
    tcp_owner_init(&node->owner, tcp);
    node->api = config->api ? config->api : vn_api(VN_API_VERSION);
    node->reads_ahead =
        node->api->size > offsetof(struct vn_api, node_rx) && node->api->node_rx != NULL;
    node->hooks = config->hooks;
    node->bind = config->bind;
    node->next_token = 1;
    node->timer_ns = VN_NEVER;
    node->later_tail = &node->later;
    handles_init(node);
    return node;
}

struct vn_tcp_node *tcp_node_new(struct vn_tcp *tcp, const struct vn_tcp_node_config *config,
                                 int64_t skew_ns, void *user, char *why, size_t size)
{
    if (!config_check(config, why, size))
        return NULL;
    struct vn_tcp_node *node = node_alloc(tcp, config, user);
    node->skew_ns = skew_ns;
    if (!tcp_listen(&node->owner, config->listen, config->listen_count, config->backlog, why,
                    size)) {
        vn_tcp_node_close(node, NULL, NULL);
        return NULL;
    }
    node->core = node->api->node_new(config->core);
    struct vn_event start = {.kind = VN_EV_START};
    tcp_node_step(node, &start);
    tcp_node_tell_clock(node);
    tcp_node_drain(node);
    uv_timer_start(&node->look_timer, on_look, LOOK_MS, LOOK_MS);
    return node;
}

struct vn_tcp_node *vn_tcp_node_new(struct vn_tcp *tcp, const struct vn_tcp_node_config *config,
                                    char *why, size_t size)
{
    return tcp_node_new(tcp, config, 0, NULL, why, size);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct vn_tcp_node *node = handle->data;
    tcp_owner_handle_gone(&node->owner);
}

void vn_tcp_node_close(struct vn_tcp_node *node, void (*on_closed)(void *ctx), void *ctx)
{
    assert(!node->owner.closing && !node->performing);
    node->on_closed = on_closed;
    node->closed_ctx = ctx;
    tcp_owner_close(&node->owner);
    later_drop(node);
    if (node->core)
        node->api->node_free(node->core);
    node->core = NULL;
    uv_close((uv_handle_t *)&node->timer, on_handle_closed);
    uv_close((uv_handle_t *)&node->look_timer, on_handle_closed);
    uv_close((uv_handle_t *)&node->idle, on_handle_closed);
}

/* ---- what its user asks for ---- */

uint64_t vn_tcp_node_command(struct vn_tcp_node *node, const struct vn_command *command)
{
    struct vn_event event = {.kind = VN_EV_COMMAND};
    assert(!node->performing && !node->owner.closing);
    event.u.command.token = node->next_token++;
    event.u.command.command = command;
    step_now(node, &event);
    tcp_node_drain(node);
    return event.u.command.token;
}

void vn_tcp_node_answer(struct vn_tcp_node *node, struct vn_event *event)
{
    assert(!node->performing && !node->owner.closing && !node->owner.standing);
    step_now(node, event);
    tcp_node_drain(node);
}

const struct vn_node *vn_tcp_node_core(const struct vn_tcp_node *node)
{
    return node->core;
}

const struct vn_api *vn_tcp_node_api(const struct vn_tcp_node *node)
{
    return node->api;
}

bool vn_tcp_node_listen(const struct vn_tcp_node *node, uint32_t index, struct vn_addr *out)
{
    if (index >= node->owner.listener_count)
        return false;
    *out = node->owner.listeners[index].addr;
    return true;
}

void vn_tcp_node_stats(const struct vn_tcp_node *node, struct vn_tcp_stats *out)
{
    uint32_t size = out->size < sizeof *out ? out->size : (uint32_t)sizeof *out;
    struct vn_tcp_stats stats = node->owner.stats;
    stats.size = size;
    memcpy(out, &stats, size);
}
