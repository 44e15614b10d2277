/* See replay.h. */
#include "trace/replay.h"

#include <stdio.h>

struct replay {
    const struct vn_api *api;
    struct vn_node *node;
    const struct replay_options *options;
    struct replay_result *result;
    struct replay_progress progress;
};

static void on_trace(void *ctx, const struct vn_trace *trace)
{
    const struct replay *r = ctx;
    if (trace->kind == VN_TR_MSG_IN)
        r->result->messages++;
    if (r->options->on_trace && (r->options->trace_mask & UINT64_C(1) << trace->kind))
        r->options->on_trace(r->options->ctx, trace);
}

static bool make_node(struct replay *r, const struct capture_reader *reader, char *why, size_t size)
{
    struct vn_config config;
    char reason[200];
    capture_reader_config(reader, &config);
    if (!r->api->config_check(&config, reason, sizeof reason)) {
        snprintf(why, size, "this build refuses the captured configuration: %s", reason);
        return false;
    }
    config.shared = NULL;
    config.on_trace = on_trace;
    config.trace_ctx = r;
    config.trace_mask = r->options->trace_mask | UINT64_C(1) << VN_TR_MSG_IN;
    r->node = r->api->node_new(&config);
    return r->node != NULL;
}

static void drain(struct replay *r)
{
    struct vn_action action;
    while (r->api->node_next_action(r->node, &action))
        r->api->action_release(&action);
}

static void step(struct replay *r, const struct capture_reader *reader,
                 const struct vn_event *event)
{
    struct replay_result *result = r->result;
    if (result->events++ == 0)
        result->first_ns = event->now_ns;
    result->last_ns = event->now_ns;
    r->progress.bytes = capture_reader_at(reader);
    r->progress.events = result->events;
    r->progress.now_ns = event->now_ns;
    r->progress.kind = event->kind;
    if (r->options->on_progress)
        r->options->on_progress(r->options->ctx, &r->progress);
    r->api->node_step(r->node, event);
}

/* False when the node's hash is not the captured one. */
static bool compare(struct replay *r, uint64_t captured)
{
    struct replay_result *result = r->result;
    if (r->api->node_hash(r->node) == captured) {
        result->hashes++;
        result->agreed = result->events;
        return true;
    }
    result->differs = true;
    result->differs_at = result->events;
    result->hash_captured = captured;
    return false;
}

/* Goes through the records. Returns whether the last one was an event, whose drain is not there. */
static bool play(struct replay *r, struct capture_reader *reader)
{
    struct capture_record record;
    struct replay_result *result = r->result;
    bool open = false;
    while (capture_reader_next(reader, &record)) {
        switch (record.kind) {
        case CAPTURE_EVENT:
            if (r->options->until && result->events == r->options->until) {
                result->stopped = true;
                return false;
            }
            step(r, reader, &record.event);
            open = true;
            break;
        case CAPTURE_DRAINED:
            result->drains++;
            drain(r);
            open = false;
            break;
        case CAPTURE_HASH:
            if (!compare(r, record.hash))
                return false;
            break;
        case CAPTURE_END:
            result->whole = compare(r, record.hash);
            return false;
        }
    }
    return open;
}

bool replay_run(struct capture_reader *reader, const struct replay_options *options,
                struct replay_result *result, char *why, size_t size)
{
    struct replay r = {.api = options->api, .options = options, .result = result};
    *result = (struct replay_result){.info.size = sizeof result->info};
    if (!r.api)
        r.api = vn_api(VN_API_VERSION);
    if (!make_node(&r, reader, why, size))
        return false;
    r.progress.bytes_all = capture_reader_size(reader);
    const bool open = play(&r, reader);
    result->hash = r.api->node_hash(r.node);
    if (open)
        drain(&r);
    r.api->node_info(r.node, &result->info);
    result->info.hash = result->hash;
    if (options->on_progress) {
        r.progress.bytes = capture_reader_at(reader);
        options->on_progress(options->ctx, &r.progress);
    }
    r.api->node_free(r.node);
    return true;
}
