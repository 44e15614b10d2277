/* What a node tells of itself in JSON: /health, /status, /peers, /bans.
 *
 * Whole numbers above 2^53-1, which many readers of JSON round, are told as that; the total
 * difficulty and hashes are text. Times of the node's own clock become ages, since that clock's
 * zero means nothing to others. What a peer said of itself (its id, its version) may be any bytes.
 */
#include "vibenode/ops_impl.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SECOND_NS UINT64_C(1000000000)
#define MILLI_NS  UINT64_C(1000000)

/* ---- health --------------------------------------------------------------------------------- */

uint32_t ops_show_reasons(const struct ops *ops, struct ops_text *text)
{
    const struct ops_source *source = &ops->options.source;
    uint32_t count = 0;
    const char *not_ready = source->not_ready ? source->not_ready(source->ctx) : NULL;
    struct vn_info info = {.size = sizeof info};
    source->info(source->ctx, &info);
    if (not_ready || !info.online) {
        ops_json_string(text, NULL,
                        not_ready ? not_ready : "the node is not online: it loads, or has ended");
        count++;
    }
    struct node_store_stats store = {0};
    if (source->store_stats && source->store_stats(source->ctx, &store) && store.failing) {
        char reason[400];
        snprintf(reason, sizeof reason, "the store fails: %s",
                 store.error[0] ? store.error : "see the log");
        ops_json_string(text, NULL, reason);
        count++;
    }
    return count;
}

static void ok(struct ops_request *request)
{
    request->code = MHD_HTTP_OK;
    request->type = OPS_JSON_TYPE;
}

void ops_show_health(struct ops_request *request)
{
    struct ops_text reasons = {0};
    struct ops_text *text = &request->text;
    uint32_t count = ops_show_reasons(request->ops, &reasons);
    ok(request);
    ops_json_open(text, NULL, '{');
    ops_json_string(text, "status", count ? "unhealthy" : "ok");
    if (count) {
        request->code = MHD_HTTP_SERVICE_UNAVAILABLE;
        ops_json_open(text, "reasons", '[');
        ops_text_add(text, reasons.data);
        ops_json_close(text, ']');
    }
    ops_json_close(text, '}');
    ops_text_free(&reasons);
}

/* ---- status --------------------------------------------------------------------------------- */

static void addr(struct ops_text *text, const char *key, const struct vn_addr *a)
{
    char out[VN_TCP_ADDR_TEXT];
    vn_tcp_addr_format(a, out);
    ops_json_string(text, key, a->family == VN_AF_NONE ? NULL : out);
}

static void show_chain(const struct ops *ops, struct ops_text *text, const struct vn_info *info)
{
    const struct ops_source *source = &ops->options.source;
    struct ops_text difficulty = {0};
    uint8_t genesis[32];
    ops_text_u128(&difficulty, info->total_difficulty_hi, info->total_difficulty_lo);
    ops_json_open(text, "chain", '{');
    ops_json_u64(text, "height", info->height);
    ops_json_hex(text, "tip", info->tip, sizeof info->tip);
    ops_json_string(text, "total_difficulty", difficulty.data);
    if (source->block_hash && source->block_hash(source->ctx, 0, genesis))
        ops_json_hex(text, "genesis", genesis, sizeof genesis);
    else
        ops_json_null(text, "genesis");
    ops_json_u64(text, "genesis_timestamp", ops->config.genesis_timestamp);
    ops_json_u64(text, "difficulty", ops->config.difficulty);
    ops_json_close(text, '}');
    ops_text_free(&difficulty);
}

static void show_peer_counts(const struct ops *ops, struct ops_text *text,
                             const struct vn_info *info)
{
    ops_json_open(text, "peers", '{');
    ops_json_u64(text, "outbound", info->outbound);
    ops_json_u64(text, "inbound", info->inbound);
    ops_json_u64(text, "connecting", info->connecting);
    ops_json_u64(text, "known", info->known);
    ops_json_u64(text, "banned", info->banned);
    ops_json_u64(text, "max_outbound", ops->config.max_outbound);
    ops_json_u64(text, "max_inbound", ops->config.max_inbound);
    ops_json_close(text, '}');
}

static void show_tcp(const struct ops *ops, struct ops_text *text)
{
    const struct ops_source *source = &ops->options.source;
    if (!source->tcp_stats) {
        ops_json_null(text, "tcp");
        return;
    }
    struct vn_tcp_stats tcp = {.size = sizeof tcp};
    source->tcp_stats(source->ctx, &tcp);
    ops_json_open(text, "tcp", '{');
    ops_json_u64(text, "links", tcp.links);
    ops_json_u64(text, "closing", tcp.closing);
    ops_json_bool(text, "throttled", tcp.throttled != 0);
    ops_json_u64(text, "accepted", tcp.accepted);
    ops_json_u64(text, "dialled", tcp.dialled);
    ops_json_u64(text, "dials_failed", tcp.dials_failed);
    ops_json_u64(text, "accepts_delayed", tcp.accepts_delayed);
    ops_json_u64(text, "bytes_in", tcp.bytes_in);
    ops_json_u64(text, "bytes_out", tcp.bytes_out);
    ops_json_u64(text, "reads", tcp.reads);
    ops_json_u64(text, "writes", tcp.writes);
    ops_json_u64(text, "events", tcp.events);
    ops_json_u64(text, "queued_bytes", tcp.queued_bytes);
    ops_json_close(text, '}');
}

static void show_store(const struct ops *ops, struct ops_text *text)
{
    const struct ops_source *source = &ops->options.source;
    struct node_store_stats store = {0};
    if (!source->store_stats || !source->store_stats(source->ctx, &store)) {
        ops_json_null(text, "store");
        return;
    }
    ops_json_open(text, "store", '{');
    ops_json_u64(text, "stores", store.stores);
    ops_json_u64(text, "commits", store.commits);
    ops_json_u64(text, "failed", store.failed);
    ops_json_u64(text, "loads", store.loads);
    ops_json_u64(text, "items", store.items);
    ops_json_u64(text, "bytes", store.bytes);
    ops_json_u64(text, "waiting", store.waiting);
    ops_json_bool(text, "failing", store.failing);
    ops_json_ns(text, "commit_s", store.commit_ns, SECOND_NS);
    ops_json_ns(text, "commit_ms_max", store.commit_ns_max, MILLI_NS);
    ops_json_string(text, "error", store.error[0] ? store.error : NULL);
    ops_json_close(text, '}');
}

void ops_show_status(struct ops_request *request)
{
    struct ops *ops = request->ops;
    const struct ops_source *source = &ops->options.source;
    struct ops_text *text = &request->text;
    struct ops_text reasons = {0};
    struct vn_info info = {.size = sizeof info};
    char hash[17];
    source->info(source->ctx, &info);
    uint32_t reason_count = ops_show_reasons(ops, &reasons);
    snprintf(hash, sizeof hash, "%016" PRIx64, info.hash);
    ok(request);
    ops_json_open(text, NULL, '{');
    ops_json_bool(text, "healthy", reason_count == 0);
    ops_json_open(text, "reasons", '[');
    ops_text_add(text, reason_count ? reasons.data : "");
    ops_json_close(text, ']');
    ops_json_bool(text, "online", info.online != 0);
    ops_json_string(text, "version", ops->version);
    ops_json_string(text, "build", ops->build);
    ops_json_string(text, "protocol", ops->config.version);
    ops_json_string(text, "node_id", ops->config.node_id);
    addr(text, "announces", &ops->config.listen);
    ops_json_ns(text, "uptime_s", ops_uptime_ns(ops), SECOND_NS);
    ops_json_ns(text, "wall_clock_s", info.wall_ns, SECOND_NS);
    show_chain(ops, text, &info);
    show_peer_counts(ops, text, &info);
    ops_json_u64(text, "mempool", info.mempool);
    ops_json_u64(text, "orphans", info.orphans);
    ops_json_u64(text, "held_bytes", info.held_bytes);
    ops_json_u64(text, "work", info.work);
    ops_json_string(text, "trace_hash", ops->config.hash == VN_HASH_NONE ? NULL : hash);
    show_tcp(ops, text);
    show_store(ops, text);
    ops_json_close(text, '}');
    ops_text_free(&reasons);
}

/* ---- peers ---------------------------------------------------------------------------------- */

/* How long ago, or for how long; null for never. */
static void age(struct ops_text *text, const char *key, uint64_t now_ns, uint64_t then_ns)
{
    if (then_ns == 0)
        ops_json_null(text, key);
    else
        ops_json_ns(text, key, now_ns > then_ns ? now_ns - then_ns : 0, SECOND_NS);
}

static const char *class_name(uint32_t link_class)
{
    switch (link_class) {
    case VN_CLASS_PEER:
        return "peer";
    case VN_CLASS_FEELER:
        return "feeler";
    case VN_CLASS_LOOKUP:
        return "lookup";
    default:
        return NULL;
    }
}

static void show_peer(struct ops_text *text, const struct vn_peer_info *peer, uint64_t now_ns)
{
    ops_json_open(text, NULL, '{');
    addr(text, "addr", &peer->addr);
    ops_json_string(text, "state", vn_peer_state_name(peer->state));
    ops_json_string(text, "direction",
                    peer->link == 0  ? NULL
                    : peer->link % 2 ? "outbound"
                                     : "inbound");
    ops_json_u64(text, "link", peer->link);
    ops_json_string(text, "class", class_name(peer->link_class));
    ops_json_string(text, "node_id", peer->node_id[0] ? peer->node_id : NULL);
    ops_json_string(text, "version", peer->version[0] ? peer->version : NULL);
    addr(text, "listen", &peer->listen);
    ops_json_int(text, "score", peer->score);
    if (peer->rtt_ns)
        ops_json_ns(text, "rtt_ms", peer->rtt_ns, MILLI_NS);
    else
        ops_json_null(text, "rtt_ms");
    age(text, "up_s", now_ns, peer->up_ns);
    age(text, "last_seen_s", now_ns, peer->last_seen_ns);
    ops_json_u64(text, "best_height", peer->best_height);
    ops_json_u64(text, "bytes_in", peer->bytes_in);
    ops_json_u64(text, "bytes_out", peer->bytes_out);
    ops_json_u64(text, "msgs_in", peer->msgs_in);
    ops_json_u64(text, "msgs_out", peer->msgs_out);
    ops_json_u64(text, "outbox_bytes", peer->outbox_bytes);
    ops_json_u64(text, "held_bytes", peer->held_bytes);
    ops_json_u64(text, "failures", peer->failures);
    ops_json_close(text, '}');
}

/* ?limit=N; 0, and an error: it is no such number. */
static uint32_t limit_of(struct ops_request *request)
{
    const char *text =
        MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, "limit");
    if (!text)
        return OPS_PEERS;
    uint32_t n = 0;
    for (const char *c = text; *c; c++) {
        if (*c < '0' || *c > '9' || n > OPS_PEERS_MAX) {
            n = 0;
            break;
        }
        n = n * 10 + (uint32_t)(*c - '0');
    }
    if (n >= 1 && n <= OPS_PEERS_MAX)
        return n;
    ops_http_error(request, MHD_HTTP_BAD_REQUEST, "limit must be a whole number, 1..%u",
                   OPS_PEERS_MAX);
    return 0;
}

void ops_show_peers(struct ops_request *request)
{
    const struct ops_source *source = &request->ops->options.source;
    struct ops_text *text = &request->text;
    uint32_t limit = limit_of(request);
    if (limit == 0)
        return;
    uint64_t now_ns = source->now_ns(source->ctx);
    ok(request);
    ops_json_open(text, NULL, '[');
    for (uint32_t i = 0; i < limit; i++) {
        struct vn_peer_info peer = {.size = sizeof peer};
        if (!source->peer(source->ctx, i, &peer))
            break;
        peer.node_id[sizeof peer.node_id - 1] = '\0';
        peer.version[sizeof peer.version - 1] = '\0';
        show_peer(text, &peer, now_ns);
    }
    ops_json_close(text, ']');
}

/* ---- bans ----------------------------------------------------------------------------------- */

static void show_ban(struct ops_text *text, const struct vn_ban_info *ban)
{
    char ip[INET6_ADDRSTRLEN] = ""; /* as /unban takes it */
    const int family = ban->addr.family == VN_AF_IPV6 ? AF_INET6 : AF_INET;
    if (!ban->by_id)
        inet_ntop(family, ban->addr.ip, ip, sizeof ip);
    ops_json_open(text, NULL, '{');
    ops_json_string(text, "addr", ban->by_id ? NULL : ip);
    if (ban->by_id)
        ops_json_hex(text, "node_id_sha256", ban->id_hash, sizeof ban->id_hash);
    else
        ops_json_null(text, "node_id_sha256");
    ops_json_ns(text, "left_s", ban->left_ns, SECOND_NS);
    ops_json_close(text, '}');
}

void ops_show_bans(struct ops_request *request)
{
    const struct ops_source *source = &request->ops->options.source;
    struct ops_text *text = &request->text;
    uint32_t limit = limit_of(request), count = 0;
    if (limit == 0)
        return;
    struct vn_ban_info *bans = calloc(limit, sizeof *bans);
    if (!bans)
        abort();
    bans->size = sizeof *bans;
    if (source->bans)
        count = source->bans(source->ctx, bans, limit);
    ok(request);
    ops_json_open(text, NULL, '[');
    for (uint32_t i = 0; i < count; i++)
        show_ban(text, &bans[i]);
    ops_json_close(text, ']');
    free(bans);
}
