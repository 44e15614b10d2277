/* Collects the state of a host; see dump.h. Everything comes from copies that the simulator and the
 * core give: nothing is changed. */
#include "vibesim/dump.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- values ---- */

/* What is beyond JSON's integers, and VN_NEVER, is null. */
static void set(json_t *o, const char *key, uint64_t n)
{
    json_object_set_new(o, key, n <= INT64_MAX ? json_integer((json_int_t)n) : json_null());
}

static void set_signed(json_t *o, const char *key, int64_t n)
{
    json_object_set_new(o, key, json_integer(n));
}

static void set_flag(json_t *o, const char *key, bool flag)
{
    json_object_set_new(o, key, json_boolean(flag));
}

static void set_text(json_t *o, const char *key, const char *text)
{
    json_t *s = json_string(text);
    json_object_set_new(o, key, s ? s : json_string("?"));
}

static void set_hash(json_t *o, const char *key, const uint8_t hash[32])
{
    char text[65];
    for (int i = 0; i < 32; i++)
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
    set_text(o, key, text);
}

static void set_hash64(json_t *o, const char *key, uint64_t hash)
{
    char text[17];
    snprintf(text, sizeof text, "%016" PRIx64, hash);
    set_text(o, key, text);
}

static void set_addr(json_t *o, const char *key, const struct vn_addr *addr)
{
    char ip[INET6_ADDRSTRLEN] = "?", text[64];
    if (addr->family == VN_AF_NONE) {
        json_object_set_new(o, key, json_null());
        return;
    }
    inet_ntop(addr->family == VN_AF_IPV6 ? AF_INET6 : AF_INET, addr->ip, ip, sizeof ip);
    snprintf(text, sizeof text, "%s:%u", ip, addr->port);
    set_text(o, key, text);
}

/* The host that lives at an address, by name. */
static void set_host(const struct dump_place *p, json_t *o, const char *key, uint32_t host)
{
    char name[24];
    if (host >= sim_host_count(p->sim)) {
        json_object_set_new(o, key, json_null());
        return;
    }
    p->name(p->ctx, host, name);
    set_text(o, key, name);
}

/* ---- a node, item by item ---- */

struct look {
    const struct dump_place *place;
    const struct vn_api *api;
    const struct vn_node *node;
};

/* Whether the node's build tells such things at all (and bans, which are as old). */
static bool can_look(const struct vn_api *api)
{
    return api->size >= offsetof(struct vn_api, node_look) + sizeof api->node_look &&
           api->node_look;
}

/* The next item of a list, of at most DUMP_ITEMS; item begins with its size. */
static bool next(const struct look *l, enum vn_look what, uint32_t index, void *item, uint32_t size)
{
    memset(item, 0, size);
    memcpy(item, &size, sizeof size);
    return index < DUMP_ITEMS && l->api->node_look(l->node, what, index, item);
}

static bool next_peer(const struct look *l, uint32_t index, struct vn_peer_info *peer)
{
    *peer = (struct vn_peer_info){.size = sizeof *peer};
    return index < DUMP_ITEMS && l->api->node_peer(l->node, index, peer);
}

static json_t *identity(const struct look *l, const struct vn_config *config)
{
    json_t *o = json_object();
    struct vn_info info = {.size = sizeof info};
    l->api->node_info(l->node, &info);
    set_text(o, "node_id", config->node_id);
    set_text(o, "version", config->version);
    set_addr(o, "listen", &config->listen);
    set_text(o, "build", l->api->build);
    set_hash64(o, "hash", info.hash);
    set_flag(o, "online", info.online);
    set(o, "work", info.work);
    set(o, "held_bytes", info.held_bytes);
    set(o, "deadline_ns", l->api->node_deadline(l->node));
    return o;
}

#define NUMBERS                                                                                    \
    N(max_outbound)                                                                                \
    N(max_inbound)                                                                                 \
    N(known_peers)                                                                                 \
    N(genesis_timestamp)                                                                           \
    N(difficulty)                                                                                  \
    N(connect_timeout_ns)                                                                          \
    N(handshake_timeout_ns)                                                                        \
    N(ping_after_ns)                                                                               \
    N(idle_timeout_ns)                                                                             \
    N(response_timeout_ns)                                                                         \
    N(stall_timeout_ns)                                                                            \
    N(backoff_base_ns)                                                                             \
    N(give_up_after)                                                                               \
    N(probe_retries)                                                                               \
    N(retry_failed_ns)                                                                             \
    N(feeler_interval_ns)                                                                          \
    N(sync_interval_ns)                                                                            \
    N(ban_ns)                                                                                      \
    N(ban_by)                                                                                      \
    N(mine_interval_ns)                                                                            \
    N(mine_max_txs)                                                                                \
    N(mempool_max)                                                                                 \
    N(mempool_per_sender)                                                                          \
    N(mempool_bytes_max)                                                                           \
    N(orphans_max)                                                                                 \
    N(cached_blocks)                                                                               \
    N(orphan_bytes_max)                                                                            \
    N(outbox_soft)                                                                                 \
    N(outbox_hard)                                                                                 \
    N(peer_bytes_max)                                                                              \
    N(score_half_life_ns)                                                                          \
    N(max_pending)                                                                                 \
    N(max_inbound_per_ip)                                                                          \
    N(accept_rate)                                                                                 \
    N(accept_burst)                                                                                \
    N(ping_rate)                                                                                   \
    N(ping_burst)                                                                                  \
    N(block_rate)                                                                                  \
    N(block_burst)                                                                                 \
    N(tx_rate)                                                                                     \
    N(tx_burst)                                                                                    \
    N(serve_rate)                                                                                  \
    N(serve_burst)                                                                                 \
    N(unasked_rate)                                                                                \
    N(unasked_burst)

static json_t *configuration(const struct vn_config *config)
{
    json_t *o = json_object();
#define N(field) set(o, #field, config->field);
    NUMBERS
#undef N
    return o;
}

static json_t *chain(const struct look *l)
{
    json_t *o = json_object(), *blocks = json_array();
    struct vn_info info = {.size = sizeof info};
    struct vn_look_block block;
    l->api->node_info(l->node, &info);
    set(o, "height", info.height);
    set_hash(o, "tip", info.tip);
    set(o, "total_difficulty_lo", info.total_difficulty_lo);
    set(o, "total_difficulty_hi", info.total_difficulty_hi);
    for (uint32_t i = 0; i < DUMP_BLOCKS && next(l, VN_LOOK_BLOCK, i, &block, sizeof block); i++) {
        json_t *row = json_object();
        set(row, "height", block.height);
        set_hash(row, "hash", block.hash);
        set(row, "timestamp", block.timestamp);
        set(row, "bytes", block.bytes);
        json_array_append_new(blocks, row);
    }
    json_object_set_new(o, "newest", blocks);
    return o;
}

static json_t *catching_up(const struct look *l)
{
    json_t *o = json_object();
    struct vn_look_sync sync;
    if (!next(l, VN_LOOK_SYNC, 0, &sync, sizeof sync))
        return o;
    set_text(o, "state", sync.state);
    set_flag(o, "loading", sync.loading);
    set(o, "leader", sync.leader);
    set(o, "target", sync.target);
    set(o, "connect", sync.connect);
    set(o, "gained", sync.gained);
    set(o, "held_bytes", sync.held_bytes);
    set(o, "not_stored_from", sync.store_from);
    set(o, "stores_under_way", sync.stores);
    set(o, "mine_interval_ns", sync.mine_interval_ns);
    return o;
}

static json_t *peers(const struct look *l)
{
    json_t *list = json_array();
    struct vn_peer_info peer;
    for (uint32_t i = 0; next_peer(l, i, &peer); i++) {
        static const char *const classes[] = {"-", "peer", "feeler", "lookup"};
        json_t *row = json_object();
        const struct vn_addr *at = peer.listen.family ? &peer.listen : &peer.addr;
        set(row, "link", peer.link);
        set_host(l->place, row, "other", sim_host_of(l->place->sim, at));
        set_text(row, "state", vn_peer_state_name(peer.state));
        set_text(row, "class", peer.link_class < 4 ? classes[peer.link_class] : "?");
        set_text(row, "direction", peer.link == 0 ? "-" : peer.link % 2 ? "out" : "in");
        set_addr(row, "addr", &peer.addr);
        set_signed(row, "score", peer.score);
        set(row, "failures", peer.failures);
        set(row, "best_height", peer.best_height);
        set(row, "rtt_ns", peer.rtt_ns);
        set(row, "up_ns", peer.up_ns);
        set(row, "last_seen_ns", peer.last_seen_ns);
        set(row, "msgs_in", peer.msgs_in);
        set(row, "msgs_out", peer.msgs_out);
        set(row, "bytes_in", peer.bytes_in);
        set(row, "bytes_out", peer.bytes_out);
        set(row, "held_bytes", peer.held_bytes);
        json_array_append_new(list, row);
    }
    return list;
}

static const char *const lanes[VN_LANES] = {"control", "blocks", "transactions", "history"};

static json_t *outboxes(const struct look *l)
{
    json_t *list = json_array();
    struct vn_look_link link;
    for (uint32_t i = 0; next(l, VN_LOOK_LINK, i, &link, sizeof link); i++) {
        json_t *row = json_object();
        set(row, "link", link.link);
        set(row, "frames", link.frames);
        for (uint32_t k = 0; k < VN_LANES; k++)
            set(row, lanes[k], link.lane_bytes[k]);
        set(row, "begun", link.begun_bytes);
        set(row, "window", link.window);
        set(row, "to_answer", link.served);
        set_flag(row, "read_stopped", link.read_stopped);
        set(row, "half_received", link.framed_bytes);
        json_array_append_new(list, row);
    }
    return list;
}

static json_t *queued(const struct look *l)
{
    json_t *list = json_array();
    struct vn_look_queued item;
    for (uint32_t i = 0; next(l, VN_LOOK_QUEUED, i, &item, sizeof item); i++) {
        json_t *row = json_object();
        set(row, "link", item.link);
        set_text(row, "lane", item.lane < VN_LANES ? lanes[item.lane] : "?");
        set_text(row, "message", vn_message_name(item.message));
        set(row, "count", item.count);
        set(row, "bytes", item.bytes);
        set_flag(row, "begun", item.begun);
        json_array_append_new(list, row);
    }
    return list;
}

static json_t *limits(const struct look *l)
{
    static const char *const names[VN_LIMITS] = {"pings_ns", "blocks_ns", "transactions_ns",
                                                 "answers_ns", "unasked_ns"};
    json_t *list = json_array();
    struct vn_look_link link;
    for (uint32_t i = 0; next(l, VN_LOOK_LINK, i, &link, sizeof link); i++) {
        json_t *row = json_object();
        set(row, "link", link.link);
        for (uint32_t k = 0; k < VN_LIMITS; k++) {
            const uint64_t now = l->place->t_ns;
            set(row, names[k], link.full_ns[k] > now ? link.full_ns[k] - now : 0);
        }
        json_array_append_new(list, row);
    }
    return list;
}

static json_t *requests(const struct look *l)
{
    static const char *const kinds[VN_REQUESTS] = {"block", "range"};
    json_t *list = json_array();
    struct vn_look_link link;
    for (uint32_t i = 0; next(l, VN_LOOK_LINK, i, &link, sizeof link); i++)
        for (uint32_t k = 0; k < VN_REQUESTS; k++) {
            if (link.requests[k].deadline_ns == VN_NEVER && link.requests[k].abandoned == 0)
                continue;
            json_t *row = json_object();
            set(row, "link", link.link);
            set_text(row, "of", kinds[k]);
            set(row, "first", link.requests[k].start);
            set(row, "last", link.requests[k].end);
            set(row, "deadline_ns", link.requests[k].deadline_ns);
            set(row, "abandoned", link.requests[k].abandoned);
            set(row, "timeouts", link.requests[k].timeouts);
            json_array_append_new(list, row);
        }
    return list;
}

static int by_time(const void *left, const void *right)
{
    const struct vn_look_timer *a = left, *b = right;
    if (a->at_ns != b->at_ns)
        return a->at_ns < b->at_ns ? -1 : 1;
    const int kinds = strcmp(a->kind, b->kind);
    return kinds ? kinds : a->link < b->link ? -1 : a->link > b->link;
}

static json_t *timers(const struct look *l)
{
    json_t *list = json_array();
    struct vn_look_timer *all = calloc(DUMP_ITEMS, sizeof *all);
    uint32_t count = 0;
    if (!all)
        abort();
    while (next(l, VN_LOOK_TIMER, count, &all[count % DUMP_ITEMS], sizeof *all))
        count++;
    qsort(all, count, sizeof *all, by_time);
    for (uint32_t i = 0; i < count; i++) {
        json_t *row = json_object();
        set(row, "at_ns", all[i].at_ns);
        set_text(row, "kind", all[i].kind);
        set(row, "link", all[i].link);
        json_array_append_new(list, row);
    }
    free(all);
    return list;
}

static json_t *orphans(const struct look *l)
{
    json_t *list = json_array();
    struct vn_look_block block;
    for (uint32_t i = 0; next(l, VN_LOOK_ORPHAN, i, &block, sizeof block); i++) {
        json_t *row = json_object();
        set(row, "height", block.height);
        set_hash(row, "hash", block.hash);
        set_hash(row, "parent", block.prev_hash);
        set(row, "link", block.source);
        set(row, "bytes", block.bytes);
        json_array_append_new(list, row);
    }
    return list;
}

static json_t *pool(const struct look *l)
{
    json_t *o = json_object(), *list = json_array();
    struct vn_info info = {.size = sizeof info};
    struct vn_look_tx tx;
    l->api->node_info(l->node, &info);
    for (uint32_t i = 0; next(l, VN_LOOK_TX, i, &tx, sizeof tx); i++) {
        json_t *row = json_object();
        set_hash(row, "id", tx.id);
        set(row, "timestamp", tx.timestamp);
        set(row, "bytes", tx.bytes);
        json_array_append_new(list, row);
    }
    set(o, "pooled", info.mempool);
    json_object_set_new(o, "oldest", list);
    return o;
}

static json_t *addresses(const struct look *l)
{
    json_t *o = json_object(), *list = json_array();
    struct vn_info info = {.size = sizeof info};
    struct vn_look_addr addr;
    l->api->node_info(l->node, &info);
    for (uint32_t i = 0; next(l, VN_LOOK_ADDR, i, &addr, sizeof addr); i++) {
        json_t *row = json_object();
        set_addr(row, "addr", &addr.addr);
        set_host(l->place, row, "host", sim_host_of(l->place->sim, &addr.addr));
        set(row, "link", addr.link);
        set(row, "failures", addr.failures);
        set(row, "next_try_ns", addr.next_try_ns);
        set(row, "last_seen_ns", addr.last_seen_ns);
        set_text(row, "is", addr.self ? "self" : addr.seed ? "seed" : addr.anchor ? "anchor" : "-");
        json_array_append_new(list, row);
    }
    set(o, "known", info.known);
    json_object_set_new(o, "list", list);
    return o;
}

static json_t *bans(const struct look *l)
{
    static struct vn_ban_info all[DUMP_ITEMS];
    json_t *list = json_array();
    for (uint32_t i = 0; i < DUMP_ITEMS; i++)
        all[i] = (struct vn_ban_info){.size = sizeof all[i]};
    const uint32_t count = l->api->node_bans(l->node, all, DUMP_ITEMS);
    for (uint32_t i = 0; i < count; i++) {
        json_t *row = json_object();
        set_text(row, "of", all[i].by_id ? "node id" : "address");
        set_addr(row, "addr", &all[i].addr);
        set_host(l->place, row, "host", sim_host_of(l->place->sim, &all[i].addr));
        set_hash(row, "id_hash", all[i].id_hash);
        set(row, "left_ns", all[i].left_ns);
        json_array_append_new(list, row);
    }
    return list;
}

/* ---- what is around it ---- */

static json_t *machine(const struct dump_place *p, const struct sim_host_look *look, uint32_t host)
{
    json_t *o = json_object();
    const struct vn_addr addr = sim_host_addr(host);
    set_addr(o, "addr", &addr);
    set_text(o, "process",
             !look->alive   ? (look->dark ? "no power" : "dead")
             : look->paused ? "paused"
                            : "running");
    set(o, "starts", look->starts);
    set(o, "region", look->region);
    set(o, "up_bps", look->up_bps);
    set(o, "down_bps", look->down_bps);
    set(o, "uplink_busy_ns", look->up_free_ns > p->t_ns ? look->up_free_ns - p->t_ns : 0);
    set(o, "downlink_busy_ns", look->down_free_ns > p->t_ns ? look->down_free_ns - p->t_ns : 0);
    set(o, "timer_ns", look->timer_ns);
    set(o, "held_events", look->held);
    set(o, "wall_s", look->wall_ns / 1000000000u);
    set_signed(o, "skew_ns", look->clock.skew_ns);
    set_signed(o, "drift_ppm", look->clock.drift_ppm);
    set_signed(o, "jump_ns", look->clock.jump_ns);
    set(o, "jump_every_ns", look->clock.jump_every_ns);
    return o;
}

static json_t *disk(const struct sim_host_look *look)
{
    json_t *o = json_object();
    set(o, "requests", look->disk_requests);
    set(o, "first_height", look->disk_first);
    set(o, "blocks", look->disk_blocks);
    set(o, "addresses", look->disk_addrs);
    set(o, "bans", look->disk_bans);
    json_object_set_new(o, "slow", json_real(look->disk.slow));
    json_object_set_new(o, "fail_stores", json_real(look->disk.fail_stores));
    json_object_set_new(o, "fail_loads", json_real(look->disk.fail_loads));
    json_object_set_new(o, "torn", json_real(look->disk.torn));
    json_object_set_new(o, "corrupt", json_real(look->disk.corrupt));
    set(o, "lie", look->disk.lie);
    set_flag(o, "full", look->disk.full);
    set_flag(o, "hang", look->disk.hang);
    return o;
}

static json_t *flow(const struct sim_link_look *link, const struct sim_flow *f, const char *way)
{
    json_t *row = json_object();
    set(row, "link", link->id);
    set_text(row, "way", way);
    set(row, "in_flight", f->items);
    set(row, "bytes", f->bytes);
    set(row, "next_ns", f->next_ns);
    set(row, "latency_ns", f->latency_ns);
    set(row, "window", f->window);
    set_flag(row, "blocked", f->blocked);
    set_flag(row, "stopped", f->stopped);
    return row;
}

static void network(const struct dump_place *p, uint32_t host, json_t *dump)
{
    json_t *links = json_array(), *flows = json_array();
    struct sim_link_look link;
    for (uint32_t i = 0; i < DUMP_ITEMS && sim_link_look(p->sim, host, i, &link); i++) {
        json_t *row = json_object();
        set(row, "link", link.id);
        set_host(p, row, "other", link.other);
        set_text(row, "direction", link.dialled ? "out" : "in");
        set_text(row, "this_end", link.state);
        set_text(row, "other_end", link.other_state);
        set_flag(row, "tcp_model", link.paced);
        json_object_set_new(row, "loss", json_real(link.loss));
        set(row, "rate_bps", link.rate_bps);
        set_flag(row, "forgotten", link.forgotten);
        json_array_append_new(links, row);
        json_array_append_new(flows, flow(&link, &link.out, "out"));
        json_array_append_new(flows, flow(&link, &link.in, "in"));
    }
    json_object_set_new(dump, "links", links);
    json_object_set_new(dump, "in_flight", flows);
}

/* A node of a build that does not know vn_node_look. */
static void old_node(const struct look *l, json_t *dump)
{
    json_t *o = json_object();
    struct vn_info info = {.size = sizeof info};
    l->api->node_info(l->node, &info);
    set_text(o, "build", l->api->build);
    set_text(o, "tells", "no more than this: its build is older than --dump");
    set_hash64(o, "hash", info.hash);
    set(o, "height", info.height);
    set_hash(o, "tip", info.tip);
    set(o, "mempool", info.mempool);
    set(o, "orphans", info.orphans);
    set(o, "deadline_ns", l->api->node_deadline(l->node));
    json_object_set_new(dump, "node", o);
    json_object_set_new(dump, "peers", peers(l));
}

static void node(const struct look *l, json_t *dump)
{
    struct vn_config config;
    if (!can_look(l->api)) {
        old_node(l, dump);
        return;
    }
    if (!next(l, VN_LOOK_CONFIG, 0, &config, sizeof config))
        return;
    json_object_set_new(dump, "node", identity(l, &config));
    json_object_set_new(dump, "chain", chain(l));
    json_object_set_new(dump, "sync", catching_up(l));
    json_object_set_new(dump, "peers", peers(l));
    json_object_set_new(dump, "outboxes", outboxes(l));
    json_object_set_new(dump, "queued", queued(l));
    json_object_set_new(dump, "limits", limits(l));
    json_object_set_new(dump, "requests", requests(l));
    json_object_set_new(dump, "timers", timers(l));
    json_object_set_new(dump, "orphans", orphans(l));
    json_object_set_new(dump, "pool", pool(l));
    json_object_set_new(dump, "addresses", addresses(l));
    json_object_set_new(dump, "bans", bans(l));
    json_object_set_new(dump, "config", configuration(&config));
}

json_t *dump_host(const struct dump_place *place, uint32_t host)
{
    struct sim_host_look look;
    if (!sim_host_look(place->sim, host, &look))
        return NULL;
    json_t *dump = json_object(), *moment = json_object();
    const struct look l = {place, sim_node_api(place->sim, host), sim_node(place->sim, host)};
    set_host(place, moment, "host", host);
    set(moment, "t_ns", place->t_ns);
    set(moment, "events", place->events);
    json_object_set_new(dump, "moment", moment);
    json_object_set_new(dump, "machine", machine(place, &look, host));
    if (l.node)
        node(&l, dump);
    if (!look.scripted)
        json_object_set_new(dump, "disk", disk(&look));
    network(place, host, dump);
    return dump;
}
