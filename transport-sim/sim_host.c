/* A host: the machine on which a node runs, through the door of the core alone.
 *
 * One cycle is some events (host_step) and then one drain (host_settle), which performs the
 * actions, arms the timer and tells the observer. Performing an action never steps a node, so
 * cycles do not nest; what on_settled starts comes after.
 *
 * The timer is one event at the earliest deadline seen. A deadline that moves away leaves it where
 * it is: when it comes and nothing is due, it is armed anew, so that a deadline that every message
 * moves costs no event a message. */
#include "transport-sim/sim_internal.h"

#include "core/base/rng.h"

#include <stdio.h>
#include <string.h>

#define HOSTS_MAX (65535u * 254u) /* 127.0.1.1 to 127.255.255.254 */

/* ---- stepping a node ---- */

static void on_trace(void *ctx, const struct vn_trace *trace)
{
    struct sim *sim = ctx;
    const struct sim_observer *observer = &sim->config.observer;
    uint64_t bit = (uint64_t)1 << (trace->kind & 63);
    if (trace->kind == VN_TR_MSG_IN)
        sim->stats.messages++;
    if (observer->settle_mask & bit)
        sim_host_at(sim, sim->stepping)->settle = 1;
    if (!observer->on_trace || !(observer->trace_mask & bit))
        return;
    if (told_later(sim))
        told_trace(sim, sim->stepping, trace);
    else
        observer->on_trace(observer->ctx, sim->stepping, trace);
}

void host_step(struct sim *sim, struct sim_host *host, struct vn_event *event)
{
    const struct sim_observer *observer = &sim->config.observer;
    assert(sim->stepping == SIM_NO_HOST);
    event->size = sizeof *event;
    event->now_ns = sim->now_ns;
    if (observer->on_give && !told_later(sim))
        observer->on_give(observer->ctx, sim->stats.events + 1, host->number, event);
    sim->stepping = host->number;
    host->api->node_step(host->node, event);
    sim->stepping = SIM_NO_HOST;
    sim->stats.events++;
    sim->marks.given++;
    if (observer->on_event && told_later(sim))
        told_event(sim, host->number, event->kind, host->api->node_hash(host->node));
    else if (observer->on_event)
        observer->on_event(observer->ctx, sim->stats.events, sim->now_ns, host->number, event->kind,
                           host->api->node_hash(host->node));
}

void host_link_up(struct sim *sim, struct sim_host *host, const struct sim_link *link, unsigned e)
{
    struct vn_event event = {.kind = VN_EV_LINK_UP};
    event.u.link_up.link = link->id[e];
    event.u.link_up.local = link_addr(link, e);
    event.u.link_up.remote = link_addr(link, 1 - e);
    event.u.link_up.window = sim->config.window;
    if (host->peer)
        peer_on_link(sim, host, link->id[e], &event.u.link_up.remote);
    else
        host_step(sim, host, &event);
}

void host_bytes(struct sim *sim, struct sim_host *host, uint64_t id, struct vn_slice data)
{
    if (host->peer) {
        peer_on_bytes(sim, host, id, data);
        return;
    }
    struct vn_event event = {.kind = VN_EV_BYTES, .u.bytes = {id, data}};
    host_step(sim, host, &event);
}

void host_link_down(struct sim *sim, struct sim_host *host, uint64_t id, uint32_t why)
{
    if (host->peer) {
        peer_on_close(sim, host, id, why);
        return;
    }
    struct vn_event event = {.kind = VN_EV_LINK_DOWN, .u.link_down = {id, why}};
    host_step(sim, host, &event);
}

/* ---- the drain ---- */

static void perform_on_link(struct sim *sim, struct sim_host *host, struct vn_action *action)
{
    uint32_t index;
    unsigned e;
    struct sim_link *link = link_find(sim, host, action->link, &index, &e);
    if (!link || link->state[e] == SIM_END_CLOSING) {
        /* It ended in this very cycle: the node spoke before it heard. */
        host->api->action_release(action);
        return;
    }
    switch ((enum vn_action_kind)action->kind) {
    case VN_ACT_SEND:
        assert(link->state[e] == SIM_END_OPEN);
        assert(action->u.send.bytes <= sim->config.window - link->dir[e].used);
        stream_send(sim, index, link, e, action->u.send.slices, action->u.send.count);
        return;
    case VN_ACT_CLOSE:
        link_close(sim, index, link, e);
        return;
    case VN_ACT_READ_STOP:
        stream_read(sim, index, link, 1 - e, false);
        return;
    case VN_ACT_READ_START:
        stream_read(sim, index, link, 1 - e, true);
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

static void perform(struct sim *sim, struct sim_host *host, struct vn_action *action)
{
    const struct sim_observer *observer = &sim->config.observer;
    switch ((enum vn_action_kind)action->kind) {
    case VN_ACT_DIAL:
        link_dial(sim, host, action->link, &action->u.dial.remote);
        return;
    case VN_ACT_SEND:
    case VN_ACT_CLOSE:
    case VN_ACT_READ_STOP:
    case VN_ACT_READ_START:
        perform_on_link(sim, host, action);
        return;
    case VN_ACT_STORE:
        disk_store(sim, host, action);
        return;
    case VN_ACT_LOAD:
        disk_load(sim, host, action);
        return;
    case VN_ACT_RESOLVE:
        disk_resolve(sim, host, action);
        return;
    case VN_ACT_REPLY:
        if (observer->on_reply && told_later(sim))
            told_reply(sim, host->number, action);
        else if (observer->on_reply)
            observer->on_reply(observer->ctx, host->number, action->u.reply.token,
                               action->u.reply.status, action->u.reply.text);
        return;
    case VN_ACT_COUNT:
        break;
    }
    host->api->action_release(action);
}

static void timer_arm(struct sim *sim, struct sim_host *host)
{
    uint64_t t_ns = host->api->node_deadline(host->node);
    if (t_ns < sim->now_ns)
        t_ns = sim->now_ns;
    if (t_ns < host->timer_floor_ns)
        t_ns = host->timer_floor_ns;
    if (t_ns >= host->timer_ns || t_ns > SIM_LAST_NS)
        return;
    host->timer_ns = t_ns;
    sim_put(sim, &(struct sim_event){.t_ns = t_ns,
                                     .dst = host->number,
                                     .src = host->number,
                                     .seq = SIM_EV_TIMER << 1,
                                     .kind = SIM_EV_TIMER});
}

/* One on_settled at a time: a host that settles because of it waits for it to return. */
void host_tell_settled(struct sim *sim, struct sim_host *host)
{
    const struct sim_observer *observer = &sim->config.observer;
    if (!host->settle || !observer->on_settled)
        return;
    if (told_later(sim)) {
        host->settle = 0;
        told_settled(sim, host->number);
        return;
    }
    sim->settle =
        sim_room(sim, sim->settle, sim->settle_count, &sim->settle_capacity, sizeof *sim->settle);
    sim->settle[sim->settle_count++] = host->number;
    if (sim->settling)
        return;
    sim->settling = true;
    for (uint32_t i = 0; i < sim->settle_count; i++) {
        struct sim_host *next = sim_host_at(sim, sim->settle[i]);
        if (!next->settle)
            continue;
        next->settle = 0;
        observer->on_settled(observer->ctx, next->number);
    }
    sim->settle_count = 0;
    sim->settling = false;
}

/* A node tells of its messages as they leave, so it counts as stepping here too. */
static bool next_action(struct sim *sim, struct sim_host *host)
{
    sim->stepping = host->number;
    bool some = host->api->node_next_action(host->node, &sim->action);
    sim->stepping = SIM_NO_HOST;
    return some;
}

void host_settle(struct sim *sim, struct sim_host *host)
{
    if (!host->node)
        return;
    uint32_t n = 0;
    for (; next_action(sim, host); n++) {
        if (n == 1) /* and not a lone answer */
            links_prefetch(sim, host);
        perform(sim, host, &sim->action);
    }
    if (n > 0 || sim->marks.given > 0)
        mark_add(sim, host->number, host->api->node_hash(host->node));
    if (sim->config.observer.on_drained && !told_later(sim))
        sim->config.observer.on_drained(sim->config.observer.ctx, host->number,
                                        host->api->node_hash(host->node));
    timer_arm(sim, host);
    host_tell_settled(sim, host);
}

void host_on_timer(struct sim *sim, const struct sim_event *event)
{
    struct sim_host *host = sim_host_at(sim, event->dst);
    if (host->timer_ns != event->t_ns || !host->node)
        return;
    host->timer_ns = VN_NEVER;
    if (host->paused) /* armed anew by the cycle that resumes it */
        return;
    if (host->api->node_deadline(host->node) > sim->now_ns) {
        timer_arm(sim, host);
        return;
    }
    struct vn_event timer = {.kind = VN_EV_TIMER};
    host_step(sim, host, &timer);
    host_settle(sim, host);
}

/* ---- configurations ---- */

static bool template_fits(const struct sim_template *t, const struct vn_config *config)
{
    struct vn_config same = *config;
    memset(same.node_id, 0, sizeof same.node_id);
    same.seeds = NULL;
    return memcmp(&same, &t->config, sizeof same) == 0;
}

static void template_unref(struct sim *sim, struct sim_template *t)
{
    if (!t || --t->refs > 0)
        return;
    sim->stats.memory -= sizeof *t;
    mem_free(t);
}

/* The latest one if it fits: networks are spawned in groups of equal hosts. */
static struct sim_template *template_for(struct sim *sim, const struct vn_config *config)
{
    struct sim_template *t = sim->template;
    if (!t || !template_fits(t, config)) {
        template_unref(sim, t);
        t = sim_resize(sim, NULL, 0, sizeof *t);
        t->config = *config;
        memset(t->config.node_id, 0, sizeof t->config.node_id);
        t->config.seeds = NULL;
        t->refs = 1;
        sim->template = t;
    }
    t->refs++;
    return t;
}

static struct vn_addr *seeds_copy(struct sim *sim, const struct vn_config *config)
{
    const size_t size = config->seed_count * sizeof *config->seeds;
    if (size == 0)
        return NULL;
    return memcpy(sim_resize(sim, NULL, 0, size), config->seeds, size);
}

static struct vn_shared *shared_for(struct sim *sim, const struct vn_api *api)
{
    for (uint32_t i = 0; i < sim->shared_count; i++)
        if (sim->shared[i].api == api)
            return sim->shared[i].shared;
    size_t old = sim->shared_count * sizeof *sim->shared;
    sim->shared = sim_resize(sim, sim->shared, old, old + sizeof *sim->shared);
    sim->shared[sim->shared_count] = (struct sim_shared){api, api->shared_new()};
    return sim->shared[sim->shared_count++].shared;
}

/* Fills in what the simulator decides. */
static void config_complete(struct sim *sim, struct vn_config *config, const struct vn_api *api,
                            uint32_t number, uint32_t start)
{
    const struct sim_observer *observer = &sim->config.observer;
    rng_fork_seed(config->seed, sim->config.seed, "host", (uint64_t)number << 32 | start);
    config->listen = sim_host_addr(number);
    config->shared = shared_for(sim, api);
    config->on_trace = on_trace;
    config->trace_ctx = sim;
    config->trace_mask = (uint64_t)1 << VN_TR_MSG_IN | observer->settle_mask;
    if (observer->on_trace)
        config->trace_mask |= observer->trace_mask;
}

/* ---- the life of a host ---- */

struct sim_host *host_new(struct sim *sim, const struct sim_host_params *params)
{
    const size_t size = SIM_HOSTS_CHUNK * sizeof(struct sim_host);
    if (sim->host_count >= HOSTS_MAX)
        return NULL;
    if (sim->host_count % SIM_HOSTS_CHUNK == 0) {
        uint32_t chunks = sim->host_count / SIM_HOSTS_CHUNK;
        sim->host_chunks = sim_resize(sim, sim->host_chunks, chunks * sizeof(void *),
                                      (chunks + 1) * sizeof(void *));
        sim->host_chunks[chunks] = sim_resize(sim, NULL, 0, size);
    }
    struct sim_host *host = sim_host_at(sim, sim->host_count);
    *host = (struct sim_host){.number = sim->host_count, .timer_ns = VN_NEVER};
    if (params) {
        host->up_bps = params->up_bps;
        host->down_bps = params->down_bps;
        if (params->skew_ns != 0)
            faults_of(sim, host)->clock.skew_ns = params->skew_ns;
        assert(params->region <= SIM_REGIONS_MAX);
        host->region = params->region;
    }
    u64map_init(&host->dialled, offsetof(struct sim_link, id), sim->dice[SIM_DICE_LATENCY]);
    sim->host_count++;
    return host;
}

void host_clock(struct sim *sim, struct sim_host *host)
{
    struct vn_event clock = {.kind = VN_EV_CLOCK};
    clock.u.clock.wall_ns = clock_wall_ns(sim, host);
    host_step(sim, host, &clock);
    clock_arm(sim, host);
}

/* The whole of a host's configuration, as its node is given it. */
static struct vn_config host_config(struct sim *sim, const struct sim_host *host,
                                    const struct vn_api *api, uint32_t start)
{
    struct vn_config config = host->template->config;
    memcpy(config.node_id, host->node_id, strlen(host->node_id) + 1);
    config.seeds = host->seeds;
    config_complete(sim, &config, api, host->number, start);
    return config;
}

static void host_boot(struct sim *sim, struct sim_host *host)
{
    struct vn_event start = {.kind = VN_EV_START};
    struct vn_config config = host_config(sim, host, host->api, host->starts++);
    sim->stepping = host->number;
    host->node = host->api->node_new(&config);
    sim->stepping = SIM_NO_HOST;
    assert(host->node);
    host->alive = 1;
    host_step(sim, host, &start);
    host_clock(sim, host);
    host_settle(sim, host);
}

uint32_t sim_host_add(struct sim *sim, const struct vn_config *config,
                      const struct sim_host_params *params, char *why, size_t size)
{
    const struct vn_api *api = params && params->api ? params->api : vn_api(VN_API_VERSION);
    struct vn_config complete = *config;
    if (!api || api->version != VN_API_VERSION || sim->host_count >= HOSTS_MAX) {
        if (why && size > 0)
            snprintf(why, size, "%s",
                     api ? "too many hosts: at most 16645890"
                         : "this build of the core speaks another version");
        return SIM_NO_HOST;
    }
    config_complete(sim, &complete, api, sim->host_count, 0);
    if (!api->config_check(&complete, why, size))
        return SIM_NO_HOST;
    struct sim_host *host = host_new(sim, params);
    host->api = api;
    host->template = template_for(sim, config);
    host->seeds = seeds_copy(sim, config);
    const char *end = memchr(config->node_id, 0, sizeof config->node_id);
    size_t length = end ? (size_t)(end - config->node_id) : sizeof config->node_id - 1;
    host->node_id = sim_resize(sim, NULL, 0, length + 1);
    memcpy(host->node_id, config->node_id, length);
    uint32_t number = host->number;
    host_boot(sim, host);
    return number;
}

uint32_t sim_host_count(const struct sim *sim)
{
    return sim->host_count;
}

bool sim_host_alive(const struct sim *sim, uint32_t host)
{
    return host < sim->host_count && sim_host_at(sim, host)->alive;
}

static void host_node_free(struct sim *sim, struct sim_host *host)
{
    if (!host->node)
        return;
    host->hash = host_hash(host);
    sim->stepping = host->number;
    host->api->node_free(host->node);
    sim->stepping = SIM_NO_HOST;
    host->node = NULL;
}

static void host_kill(struct sim *sim, struct sim_host *host, bool quietly)
{
    host->alive = 0;
    host->settle = 0;
    host->timer_ns = VN_NEVER;
    host_node_free(sim, host);
    pause_end(sim, host);
    disk_crash(sim, host);
    for (uint32_t slot = 0; slot < host->slot_count; slot++) {
        uint32_t ref = host->slots[slot];
        if (!(ref & SIM_SLOT_FREE))
            link_abort(sim, ref / 2, sim_link_at(sim, ref / 2), ref % 2, quietly);
    }
}

void sim_host_kill(struct sim *sim, uint32_t number)
{
    if (sim_host_alive(sim, number))
        host_kill(sim, sim_host_at(sim, number), false);
}

void sim_host_power_off(struct sim *sim, uint32_t number)
{
    if (!sim_host_alive(sim, number))
        return;
    struct sim_host *host = sim_host_at(sim, number);
    host->dark = 1;
    sim->barriers++;
    host_kill(sim, host, true);
}

void sim_host_start(struct sim *sim, uint32_t number, bool lose_disk)
{
    if (number >= sim->host_count || sim_host_alive(sim, number))
        return;
    struct sim_host *host = sim_host_at(sim, number);
    if (host->dark) {
        host->dark = 0;
        sim->barriers--;
        link_fault_resume(sim);
    }
    if (lose_disk)
        disk_drop(sim, host, true);
    if (host->peer)
        host->alive = 1;
    else
        host_boot(sim, host);
}

bool sim_host_core(struct sim *sim, uint32_t number, const struct vn_api *api, const char *version,
                   char *why, size_t size)
{
    struct sim_host *host = number < sim->host_count ? sim_host_at(sim, number) : NULL;
    if (!host || !host->template || host->alive) {
        snprintf(why, size, "only a node that is down can change its build of the core");
        return false;
    }
    struct vn_config config = host_config(sim, host, api, host->starts);
    if (version) {
        memset(config.version, 0, sizeof config.version);
        snprintf(config.version, sizeof config.version, "%s", version);
    }
    if (!api->config_check(&config, why, size))
        return false;
    struct vn_config kept = host->template->config;
    memcpy(kept.version, config.version, sizeof kept.version);
    struct sim_template *changed = template_for(sim, &kept);
    template_unref(sim, host->template);
    host->template = changed;
    host->api = api;
    return true;
}

static bool takes_commands(const struct sim *sim, uint32_t number)
{
    return sim_host_alive(sim, number) && sim_host_at(sim, number)->node &&
           !sim_host_at(sim, number)->paused;
}

static void give_command(struct sim *sim, struct sim_host *host, uint64_t token,
                         const struct vn_command *command)
{
    struct vn_event event = {.kind = VN_EV_COMMAND, .u.command = {token, command}};
    host->settle = 1;
    host_step(sim, host, &event);
    host_settle(sim, host);
}

uint64_t sim_command(struct sim *sim, uint32_t number, const struct vn_command *command)
{
    if (!command || !takes_commands(sim, number))
        return 0;
    const uint64_t token = ++sim->tokens;
    give_command(sim, sim_host_at(sim, number), token, command);
    return token;
}

uint64_t sim_command_at(struct sim *sim, uint32_t number, uint64_t t_ns,
                        const struct vn_command *command)
{
    if (!command || number >= sim->host_count)
        return 0;
    uint32_t index = sim->order_free - 1;
    if (sim->order_free == 0) {
        sim->orders =
            sim_room(sim, sim->orders, sim->order_count, &sim->order_capacity, sizeof *sim->orders);
        index = sim->order_count++;
    }
    struct sim_order *order = &sim->orders[index];
    sim->order_free = order->next_free;
    *order = (struct sim_order){.token = ++sim->tokens, .command = *command};
    vn_slice_ref(command->data);
    sim_put(sim, &(struct sim_event){.t_ns = sim_bounded(sim_later(t_ns, sim->now_ns)),
                                     .dst = number,
                                     .src = number,
                                     .seq = order->token << 5 | SIM_EV_COMMAND << 1,
                                     .kind = SIM_EV_COMMAND,
                                     .arg = index});
    return order->token;
}

void host_on_command(struct sim *sim, const struct sim_event *event)
{
    const struct sim_order order = sim->orders[event->arg];
    sim->orders[event->arg] = (struct sim_order){.next_free = sim->order_free};
    sim->order_free = event->arg + 1;
    if (takes_commands(sim, event->dst))
        give_command(sim, sim_host_at(sim, event->dst), order.token, &order.command);
    vn_slice_unref(order.command.data);
}

const struct vn_node *sim_node(const struct sim *sim, uint32_t host)
{
    return host < sim->host_count ? sim_host_at(sim, host)->node : NULL;
}

const struct vn_api *sim_host_api(const struct sim *sim, uint32_t host)
{
    return host < sim->host_count ? sim_host_at(sim, host)->api : NULL;
}

/* Of the node that runs and of all that ran here before. */
uint64_t host_hash(const struct sim_host *host)
{
    return host->node ? sim_chain(host->hash, host->api->node_hash(host->node)) : host->hash;
}

void hosts_free(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->host_count; i++) {
        struct sim_host *host = sim_host_at(sim, i);
        host_node_free(sim, host);
        disk_drop(sim, host, true);
        faults_free(sim, host);
        peer_free(sim, host);
        u64map_deinit(&host->dialled);
        template_unref(sim, host->template);
        mem_free(host->node_id);
        mem_free(host->seeds);
        mem_free(host->slots);
    }
    template_unref(sim, sim->template);
    for (uint32_t i = 0; i < sim->order_count; i++)
        if (sim->orders[i].token > 0)
            vn_slice_unref(sim->orders[i].command.data);
    mem_free(sim->orders);
    for (uint32_t i = 0; i < sim->shared_count; i++)
        sim->shared[i].api->shared_free(sim->shared[i].shared);
    for (uint32_t i = 0; i < sim->host_count; i += SIM_HOSTS_CHUNK)
        mem_free(sim->host_chunks[i / SIM_HOSTS_CHUNK]);
    mem_free(sim->host_chunks);
    mem_free(sim->shared);
    mem_free(sim->settle);
}
