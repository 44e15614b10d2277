/* /metrics, for Prometheus (text exposition format 0.0.4,
 * https://prometheus.io/docs/instrumenting/exposition_formats/).
 *
 * Names are Prometheus' conventions: base units (seconds, bytes), _total for what only grows, and
 * process_* as its client libraries name them. No label holds what a peer chose, so that a peer can
 * make neither series without bound nor text that misleads; of ourselves, too, labels are escaped.
 */
#include "vibenode/ops_impl.h"
#include "vibenode/ops_process.h"

#include <stdio.h>

/* HELP and TYPE of a family, whose samples follow. */
static void family(struct ops_text *text, const char *name, const char *type, const char *help)
{
    ops_text_format(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void sample(struct ops_text *text, const char *name, const char *label, const char *value,
                   uint64_t n)
{
    ops_text_add(text, name);
    if (label) {
        ops_text_format(text, "{%s=\"", label);
        ops_text_label(text, value);
        ops_text_add(text, "\"}");
    }
    ops_text_add(text, " ");
    ops_text_u64(text, n);
    ops_text_add(text, "\n");
}

static void gauge(struct ops_text *text, const char *name, uint64_t n, const char *help)
{
    family(text, name, "gauge", help);
    sample(text, name, NULL, NULL, n);
}

static void counter(struct ops_text *text, const char *name, uint64_t n, const char *help)
{
    family(text, name, "counter", help);
    sample(text, name, NULL, NULL, n);
}

static void seconds(struct ops_text *text, const char *name, const char *type, uint64_t ns,
                    const char *help)
{
    family(text, name, type, help);
    ops_text_format(text, "%s ", name);
    ops_text_seconds(text, ns);
    ops_text_add(text, "\n");
}

/* ---- the node ------------------------------------------------------------------------------- */

static void show_build(const struct ops *ops, struct ops_text *text)
{
    family(text, "vibenode_build_info", "gauge", "1; the labels tell what runs.");
    ops_text_add(text, "vibenode_build_info{version=\"");
    ops_text_label(text, ops->version);
    ops_text_add(text, "\",build=\"");
    ops_text_label(text, ops->build);
    ops_text_add(text, "\",protocol=\"");
    ops_text_label(text, ops->config.version);
    ops_text_add(text, "\"} 1\n");
}

static void show_node(const struct ops *ops, struct ops_text *text)
{
    const struct ops_source *source = &ops->options.source;
    struct vn_info info = {.size = sizeof info};
    struct ops_text reasons = {0};
    source->info(source->ctx, &info);
    gauge(text, "vibenode_healthy", ops_show_reasons(ops, &reasons) == 0,
          "1 while /health says ok, else 0.");
    ops_text_free(&reasons);
    gauge(text, "vibenode_online", info.online, "1 while the node dials and takes links.");
    family(text, "vibenode_peers", "gauge", "Peers whose handshake is complete.");
    sample(text, "vibenode_peers", "direction", "inbound", info.inbound);
    sample(text, "vibenode_peers", "direction", "outbound", info.outbound);
    gauge(text, "vibenode_peers_connecting", info.connecting, "Dials and handshakes under way.");
    gauge(text, "vibenode_peers_known", info.known, "Addresses in the address list.");
    gauge(text, "vibenode_peers_banned", info.banned, "Bans in force.");
    gauge(text, "vibenode_block_height", info.height, "Height of the best chain's tip.");
    family(text, "vibenode_total_difficulty", "gauge", "Total difficulty of the best chain.");
    ops_text_add(text, "vibenode_total_difficulty ");
    ops_text_u128(text, info.total_difficulty_hi, info.total_difficulty_lo);
    ops_text_add(text, "\n");
    gauge(text, "vibenode_mempool_transactions", info.mempool,
          "Transactions that wait in the pool.");
    gauge(text, "vibenode_orphan_blocks", info.orphans, "Blocks kept whose parent is not known.");
    gauge(text, "vibenode_held_bytes", info.held_bytes, "Memory that links make the node hold.");
    counter(text, "vibenode_work_steps_total", info.work,
            "Steps of computing, as the protocol core counts them.");
    seconds(text, "vibenode_wall_clock_seconds", "gauge", info.wall_ns,
            "The wall clock as the node reads it, since 1970.");
}

static void show_tcp(const struct ops *ops, struct ops_text *text)
{
    const struct ops_source *source = &ops->options.source;
    if (!source->tcp_stats)
        return;
    struct vn_tcp_stats tcp = {.size = sizeof tcp};
    source->tcp_stats(source->ctx, &tcp);
    gauge(text, "vibenode_links", tcp.links, "Links open or connecting.");
    gauge(text, "vibenode_links_closing", tcp.closing,
          "Sockets that still write out or wait for the other end, without a link.");
    gauge(text, "vibenode_accept_throttled", tcp.throttled,
          "1 while no link is accepted for want of descriptors.");
    counter(text, "vibenode_links_accepted_total", tcp.accepted, "Links accepted.");
    counter(text, "vibenode_links_dialled_total", tcp.dialled, "Links dialled.");
    counter(text, "vibenode_dials_failed_total", tcp.dials_failed, "Dials that failed.");
    counter(text, "vibenode_accepts_delayed_total", tcp.accepts_delayed,
            "Times that accepting stopped for want of descriptors.");
    counter(text, "vibenode_received_bytes_total", tcp.bytes_in, "Bytes received on sockets.");
    counter(text, "vibenode_sent_bytes_total", tcp.bytes_out, "Bytes sent on sockets.");
    counter(text, "vibenode_socket_reads_total", tcp.reads, "System calls that received bytes.");
    counter(text, "vibenode_socket_writes_total", tcp.writes, "System calls that sent bytes.");
    counter(text, "vibenode_events_total", tcp.events, "Events given to the protocol core.");
    gauge(text, "vibenode_send_queue_bytes", tcp.queued_bytes,
          "Bytes on their way out that the kernel has not taken yet.");
}

static void show_store(const struct ops *ops, struct ops_text *text)
{
    const struct ops_source *source = &ops->options.source;
    struct node_store_stats store = {0};
    if (!source->store_stats || !source->store_stats(source->ctx, &store))
        return;
    counter(text, "vibenode_store_batches_total", store.stores, "Batches of changes stored.");
    counter(text, "vibenode_store_commits_total", store.commits, "Transactions committed.");
    counter(text, "vibenode_store_failures_total", store.failed, "Batches that failed.");
    counter(text, "vibenode_store_loads_total", store.loads, "Reads of the store.");
    counter(text, "vibenode_store_items_total", store.items, "Changes stored.");
    counter(text, "vibenode_store_written_bytes_total", store.bytes, "Bytes of values stored.");
    gauge(text, "vibenode_store_waiting", store.waiting, "Batches and reads not answered yet.");
    gauge(text, "vibenode_store_failing", store.failing, "1 while the latest batch has failed.");
    seconds(text, "vibenode_store_commit_seconds_total", "counter", store.commit_ns,
            "Time spent in transactions.");
    seconds(text, "vibenode_store_commit_seconds_max", "gauge", store.commit_ns_max,
            "The longest transaction.");
}

/* ---- what was counted ----------------------------------------------------------------------- */

static void show_messages(struct ops_text *text, const char *name, const char *help,
                          const uint64_t counts[OPS_MESSAGES])
{
    family(text, name, "counter", help);
    for (uint32_t i = 0; i < OPS_MESSAGES; i++)
        sample(text, name, "message", vn_message_name(i), counts[i]);
}

static void show_counts(const struct ops *ops, struct ops_text *text)
{
    static const char *const levels[OPS_LOG_LEVELS] = {"error", "warning", "info", "debug"};
    const struct ops_source *source = &ops->options.source;
    if (!source->counts)
        return;
    struct ops_counts c = {0};
    source->counts(source->ctx, &c);
    show_messages(text, "vibenode_messages_received_total", "Messages received, by kind.",
                  c.messages_in);
    show_messages(text, "vibenode_messages_sent_total", "Messages sent, by kind.", c.messages_out);
    show_messages(text, "vibenode_message_received_bytes_total",
                  "Bytes of messages received, by kind, frames included.", c.message_bytes_in);
    show_messages(text, "vibenode_message_sent_bytes_total",
                  "Bytes of messages sent, by kind, frames included.", c.message_bytes_out);
    counter(text, "vibenode_blocks_new_total", c.blocks_new, "Valid blocks that were new.");
    counter(text, "vibenode_blocks_invalid_total", c.blocks_bad, "Blocks that broke a rule.");
    counter(text, "vibenode_blocks_mined_total", c.blocks_mined, "Blocks mined by this node.");
    counter(text, "vibenode_tip_changes_total", c.tip_changes, "Changes of the best chain's tip.");
    counter(text, "vibenode_reorganisations_total", c.reorganisations,
            "Changes of the tip that left blocks of the old chain behind.");
    counter(text, "vibenode_transactions_new_total", c.transactions_new,
            "Valid transactions that were new.");
    counter(text, "vibenode_transactions_invalid_total", c.transactions_bad,
            "Transactions that broke a rule.");
    counter(text, "vibenode_violations_total", c.violations, "Breaches of the protocol by peers.");
    counter(text, "vibenode_bans_total", c.bans, "Bans pronounced.");
    family(text, "vibenode_log_lines_total", "counter", "Lines logged, by level.");
    for (uint32_t i = 0; i < OPS_LOG_LEVELS; i++)
        sample(text, "vibenode_log_lines_total", "level", levels[i], c.log_lines[i]);
}

static void show_http(const struct ops *ops, struct ops_text *text)
{
    family(text, "vibenode_http_requests_total", "counter",
           "Requests answered before this one, by HTTP status.");
    for (unsigned code = 0; code < sizeof ops->answers / sizeof *ops->answers; code++) {
        char digits[16];
        snprintf(digits, sizeof digits, "%u", code);
        if (ops->answers[code] || code == MHD_HTTP_OK)
            sample(text, "vibenode_http_requests_total", "code", digits, ops->answers[code]);
    }
    gauge(text, "vibenode_http_connections", ops->conn_count, "Connections of this HTTP server.");
}

static void show_process(const struct ops *ops, struct ops_text *text)
{
    struct ops_process p;
    ops_process_read(&p);
    seconds(text, "process_start_time_seconds", "gauge", ops->options.started_wall_ns,
            "Start time of the process since 1970.");
    seconds(text, "process_cpu_seconds_total", "counter", p.cpu_us * 1000,
            "Processor time of user and system.");
    gauge(text, "process_resident_memory_bytes", p.resident_bytes, "Resident memory.");
    gauge(text, "process_virtual_memory_bytes", p.virtual_bytes, "Virtual memory.");
    gauge(text, "process_open_fds", p.open_fds, "Open file descriptors.");
    if (p.max_fds)
        gauge(text, "process_max_fds", p.max_fds, "Most file descriptors that may be open.");
    gauge(text, "process_threads", p.threads, "Threads.");
}

void ops_metrics_show(struct ops_request *request)
{
    struct ops_text *text = &request->text;
    request->code = MHD_HTTP_OK;
    request->type = OPS_METRICS_TYPE;
    show_build(request->ops, text);
    show_node(request->ops, text);
    show_tcp(request->ops, text);
    show_store(request->ops, text);
    show_counts(request->ops, text);
    show_http(request->ops, text);
    show_process(request->ops, text);
}
