/* The operator's door (ops.h): what it asks of the node. */
#include "vibenode/daemon_impl.h"
#include "vibenode/ops_place.h"

#include <string.h>

static void source_info(void *ctx, struct vn_info *out)
{
    const struct daemon *d = ctx;
    vn_node_info(vn_tcp_node_core(d->node), out);
}

static bool source_peer(void *ctx, uint32_t index, struct vn_peer_info *out)
{
    const struct daemon *d = ctx;
    return vn_node_peer(vn_tcp_node_core(d->node), index, out);
}

static uint32_t source_bans(void *ctx, struct vn_ban_info *out, uint32_t max)
{
    const struct daemon *d = ctx;
    return vn_node_bans(vn_tcp_node_core(d->node), out, max);
}

static bool source_block_hash(void *ctx, uint64_t height, uint8_t hash[32])
{
    const struct daemon *d = ctx;
    return vn_node_block_hash(vn_tcp_node_core(d->node), height, hash);
}

static uint64_t source_now_ns(void *ctx)
{
    const struct daemon *d = ctx;
    return vn_tcp_now_ns(d->tcp);
}

static void source_tcp_stats(void *ctx, struct vn_tcp_stats *out)
{
    const struct daemon *d = ctx;
    vn_tcp_node_stats(d->node, out);
}

static bool source_store_stats(void *ctx, struct node_store_stats *out)
{
    const struct daemon *d = ctx;
    if (d->store)
        node_store_stats(d->store, out);
    return d->store != NULL;
}

static void source_counts(void *ctx, struct ops_counts *out)
{
    const struct daemon *d = ctx;
    *out = d->counts;
    for (uint32_t level = 0; level < LOG_LEVELS; level++)
        out->log_lines[level < OPS_LOG_LEVELS ? level : OPS_LOG_DEBUG] +=
            log_written(d->log, (enum log_level)level);
}

static const char *source_not_ready(void *ctx)
{
    const struct daemon *d = ctx;
    return d->phase != DAEMON_RUNNING ? "the node is shutting down"
           : !d->loaded               ? "loading the chain from the data folder"
                                      : NULL;
}

static uint64_t source_command(void *ctx, const struct vn_command *command)
{
    const struct daemon *d = ctx;
    return d->phase == DAEMON_RUNNING ? vn_tcp_node_command(d->node, command) : 0;
}

static void source_shutdown(void *ctx)
{
    daemon_leave(ctx, "asked over HTTP");
}

static void on_note(void *ctx, enum ops_level level, const char *text)
{
    struct daemon *d = ctx;
    static const enum log_level levels[OPS_LOG_LEVELS] = {LOG_LEVEL_ERROR, LOG_LEVEL_WARNING,
                                                          LOG_LEVEL_INFO, LOG_LEVEL_DEBUG};
    log_line(d->log, levels[level], LOG_HTTP, "http", "%s", text);
}

/* Where to answer, and which token: as configured, else for the owner of the data folder alone. */
static bool place_of(struct daemon *d, struct ops_options *options, char http[OPS_PLACE_TEXT],
                     char token[OPS_FOLDER_TEXT])
{
    char why[CONFIG_WHY];
    const struct config *config = d->config;
    options->listen = config->http;
    options->token_file = config->http_token_file;
    if (config->http)
        return true;
    if (!config->data)
        return false;
    if (!ops_place_of_folder(config->data, http, token, why, sizeof why)) {
        log_line(d->log, LOG_LEVEL_WARNING, LOG_HTTP, "http-start",
                 "vibenode ctl finds no socket in the data folder: %s", why);
        return false;
    }
    options->listen = http;
    if (!config->http_token_file)
        options->token_file = token;
    return true;
}

bool daemon_ops_start(struct daemon *d, const struct vn_config *core)
{
    char why[CONFIG_WHY], http[OPS_PLACE_TEXT], token[OPS_FOLDER_TEXT];
    struct ops_options options;
    const struct config *config = d->config;
    ops_options_init(&options);
    if (!place_of(d, &options, http, token))
        return true;
    d->ops_config = *core;
    options.loop = &d->loop;
    options.origins = config->origins;
    options.origin_count = config->origin_count;
    options.config = &d->ops_config;
    options.may_mine = config->http_mine;
    options.source = (struct ops_source){
        .ctx = d,
        .info = source_info,
        .peer = source_peer,
        .bans = source_bans,
        .block_hash = source_block_hash,
        .now_ns = source_now_ns,
        .tcp_stats = source_tcp_stats,
        .store_stats = source_store_stats,
        .counts = source_counts,
        .not_ready = source_not_ready,
        .command = source_command,
        .shutdown = source_shutdown,
    };
    options.on_note = on_note;
    options.note_ctx = d;
    d->ops = ops_start(&options, why, sizeof why);
    if (!d->ops)
        log_line(d->log, LOG_LEVEL_ERROR, LOG_HTTP, "http-start", "http: %s", why);
    else
        log_line(d->log, LOG_LEVEL_INFO, LOG_HTTP, "http-start", "answers HTTP on %s",
                 ops_address(d->ops));
    return d->ops != NULL;
}

void daemon_ops_stop(struct daemon *d)
{
    ops_stop(d->ops, NULL, NULL);
    d->ops = NULL;
}
