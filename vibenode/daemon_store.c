/* Between the core and its store: actions go to the store's thread, answers come back through an
 * async handle, on the loop's thread.
 *
 * That a start has read everything is seen from here: the core asks for blocks, then addresses,
 * then bans, each until an answer is empty (core/gossip/persist.c). */
#include "vibenode/daemon_impl.h"

#include <string.h>

#define ANSWERS_AT_ONCE 64u /* then sockets have their turn */

static void on_answer_ready(void *ctx) /* the store's thread */
{
    uv_async_send(&((struct daemon *)ctx)->answered);
}

static void daemon_loaded(struct daemon *d)
{
    struct vn_info info;
    d->loaded = true;
    daemon_info(d, &info);
    log_line(d->log, LOG_LEVEL_INFO, LOG_STORE, "loaded",
             "loaded height %llu, %u known addresses, %u bans", (unsigned long long)info.height,
             info.known, info.banned);
}

static void on_answered(uv_async_t *async)
{
    struct daemon *d = async->data;
    struct vn_event event;
    for (uint32_t i = 0; i < ANSWERS_AT_ONCE; i++) {
        if (!d->node || !node_store_next(d->store, &event))
            return;
        bool last = !d->loaded && event.kind == VN_EV_LOADED && d->load_bans_token != 0 &&
                    event.u.loaded.token == d->load_bans_token && event.u.loaded.status == VN_OK &&
                    event.u.loaded.count == 0;
        bool failed = event.kind == VN_EV_STORED   ? event.u.stored.status != VN_OK
                      : event.kind == VN_EV_LOADED ? event.u.loaded.status != VN_OK
                                                   : false;
        vn_tcp_node_answer(d->node, &event);
        if (last)
            daemon_loaded(d);
        if (failed || d->store_failing)
            daemon_store_look(d);
    }
    uv_async_send(&d->answered);
}

static bool daemon_id(struct daemon *d, struct vn_config *core)
{
    char why[CONFIG_WHY];
    if (d->config->node_id) {
        memcpy(core->node_id, d->config->node_id, strlen(d->config->node_id) + 1);
        return true;
    }
    if (!d->store) {
        node_id_make(core->node_id);
        return true;
    }
    if (node_id_keep(d->config->data, core->node_id, why, sizeof why))
        return true;
    log_line(d->log, LOG_LEVEL_ERROR, LOG_STORE, "node-id", "%s", why);
    return false;
}

bool daemon_store_open(struct daemon *d, struct vn_config *core)
{
    char why[CONFIG_WHY];
    enum node_store_problem problem;
    const struct node_store_options options = {
        .folder = d->config->data,
        .genesis_timestamp = core->genesis_timestamp,
        .difficulty = core->difficulty,
        .on_ready = on_answer_ready,
        .ctx = d,
        .max_bytes = d->config->data_max,
    };
    uv_async_init(&d->loop, &d->answered, on_answered);
    d->answered.data = d;
    if (!d->config->data) {
        d->loaded = true;
        log_line(d->log, LOG_LEVEL_INFO, LOG_STORE, "no-store",
                 "nothing is kept over a restart: no data folder is given");
        return daemon_id(d, core);
    }
    d->store = node_store_open(&options, &problem, why, sizeof why);
    if (d->store)
        return daemon_id(d, core);
    log_line(d->log, LOG_LEVEL_ERROR, LOG_STORE, "store-open", "%s", why);
    return false;
}

void daemon_store_hook(void *ctx, struct vn_action *action)
{
    struct daemon *d = ctx;
    if (action->kind == VN_ACT_LOAD && action->u.load.op == VN_LOAD_BANS)
        d->load_bans_token = action->u.load.token;
    node_store_submit(d->store, action);
}

void daemon_store_look(struct daemon *d)
{
    struct node_store_stats stats;
    if (!d->store)
        return;
    node_store_stats(d->store, &stats);
    if (stats.failing == d->store_failing)
        return;
    d->store_failing = stats.failing;
    if (stats.failing)
        log_line(d->log, LOG_LEVEL_ERROR, LOG_STORE, "store-failing",
                 "%s; it is tried again each second, and what is new is only in memory meanwhile",
                 stats.error);
    else
        log_line(d->log, LOG_LEVEL_INFO, LOG_STORE, "store-works", "the store works again");
}

bool daemon_store_close(struct daemon *d)
{
    struct node_store_stats stats;
    if (!d->store)
        return true;
    node_store_stats(d->store, &stats);
    bool good = node_store_close(d->store) && !d->store_failing;
    d->store = NULL;
    if (!good)
        log_line(
            d->log, LOG_LEVEL_ERROR, LOG_STORE, "store-close",
            "not everything could be stored: what is missing is fetched from peers at the next "
            "start%s%s",
            *stats.error ? ": " : "", stats.error);
    return good;
}
