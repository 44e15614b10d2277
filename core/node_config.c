/* Defaults and limits of the configuration: see node.h. */
#include "core/chain/rules.h"
#include "core/chain/text.h"
#include "core/peer/addrs.h"

#include <string.h>

#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)
#define MIB (UINT64_C(1) << 20)

void vn_config_init(struct vn_config *config)
{
    *config = (struct vn_config){
        .size = sizeof *config,
        .ban_by = VN_BAN_BY_AUTO,
        .version = VN_VERSION,
        .listen = {.family = VN_AF_IPV4, .port = 8765, .ip = {127, 0, 0, 1}},
        .max_outbound = 8,
        .max_inbound = 32,
        .known_peers = 1000,
        .genesis_timestamp = 1744067299,
        .difficulty = 100,
        .connect_timeout_ns = 10 * S,
        .handshake_timeout_ns = 10 * S,
        .ping_after_ns = 30 * S,
        .idle_timeout_ns = 60 * S,
        .response_timeout_ns = 30 * S,
        .stall_timeout_ns = 30 * S,
        .backoff_base_ns = 2 * S,
        .give_up_after = 5,
        .probe_retries = 3,
        .retry_failed_ns = 64 * S,
        .feeler_interval_ns = 60 * S,
        .sync_interval_ns = 60 * S,
        .ban_ns = 3600 * S,
        .mine_max_txs = 1000,
        .mempool_max = 10000,
        .mempool_per_sender = 100,
        .mempool_bytes_max = 64 * MIB,
        .orphans_max = 100,
        .orphan_bytes_max = 10 * MIB,
        .outbox_soft = MIB,
        .outbox_hard = 24 * MIB,
        .peer_bytes_max = 16 * MIB,
        .score_half_life_ns = 3600 * S,
        .max_pending = 16,
        .max_inbound_per_ip = 8,
        .accept_rate = 2,
        .accept_burst = 64,
        .ping_rate = 1000,
        .ping_burst = 10000,
        .block_rate = 2 * MIB,
        .block_burst = 64 * MIB,
        .tx_rate = 2 * MIB,
        .tx_burst = 32 * MIB,
        .serve_rate = 2 * MIB,
        .serve_burst = 64 * MIB,
        .unasked_rate = 65536,
        .unasked_burst = 16 * MIB,
        .cached_blocks = 1024,
        .trace_mask = UINT64_MAX,
    };
}

/* A bounded line of text; the core has no printf. */
struct line {
    char *out;
    size_t cap, len;
};

static void line_text(struct line *line, const char *text)
{
    for (; *text && line->len + 1 < line->cap; text++)
        line->out[line->len++] = *text;
    if (line->cap)
        line->out[line->len] = '\0';
}

static void line_number(struct line *line, uint64_t v)
{
    char digits[TEXT_DECIMAL_MAX + 1];
    digits[text_decimal((uint8_t *)digits, v)] = '\0';
    line_text(line, digits);
}

/* "max_inbound must be 0..10000, got 20000" */
static bool refuse(struct line *line, const char *name, uint64_t low, uint64_t high, uint64_t got,
                   const char *unit)
{
    line_text(line, name);
    line_text(line, " must be ");
    line_number(line, low);
    line_text(line, "..");
    line_number(line, high);
    line_text(line, unit);
    line_text(line, ", got ");
    line_number(line, got);
    return false;
}

static bool check_counts(const struct vn_config *c, struct line *line)
{
    const struct {
        const char *name;
        uint64_t low, high, got;
    } rows[] = {
        {"ban_by", 0, 2, c->ban_by},
        {"hash", 0, 1, c->hash},
        {"max_outbound", 0, 10000, c->max_outbound},
        {"max_inbound", 0, 10000, c->max_inbound},
        {"known_peers", 1, 100000, c->known_peers},
        {"difficulty", 1, UINT64_MAX, c->difficulty},
        {"give_up_after", 1, 1000, c->give_up_after},
        {"probe_retries", 1, 1000, c->probe_retries},
        {"mine_max_txs", 0, BLOCK_TXS_MAX, c->mine_max_txs},
        {"mempool_max", 1, 10000000, c->mempool_max},
        {"mempool_per_sender", 1, 10000000, c->mempool_per_sender},
        {"mempool_bytes_max", 1024, 65536 * MIB, c->mempool_bytes_max},
        {"orphans_max", 1, 100000, c->orphans_max},
        {"orphan_bytes_max", 1024, 1024 * MIB, c->orphan_bytes_max},
        {"outbox_soft", 1024, 1024 * MIB, c->outbox_soft},
        {"outbox_hard", 12 * MIB, 2048 * MIB, c->outbox_hard},
        {"cached_blocks", 1, 10000000, c->cached_blocks},
        {"peer_bytes_max", 1024, 65536 * MIB, c->peer_bytes_max},
        {"max_pending", 1, 10000, c->max_pending},
        {"max_inbound_per_ip", 0, 10000, c->max_inbound_per_ip},
        {"accept_burst", 1, UINT32_MAX, c->accept_burst},
        {"ping_burst", 1, UINT32_MAX, c->ping_burst},
        {"block_burst", 1, UINT32_MAX, c->block_burst},
        {"tx_burst", 1, UINT32_MAX, c->tx_burst},
        {"serve_burst", 1, UINT32_MAX, c->serve_burst},
        {"unasked_burst", 1, UINT32_MAX, c->unasked_burst},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].got < rows[i].low || rows[i].got > rows[i].high)
            return refuse(line, rows[i].name, rows[i].low, rows[i].high, rows[i].got, "");
    return true;
}

static bool check_times(const struct vn_config *c, struct line *line)
{
    const struct {
        const char *name;
        uint64_t low_ms, got_ns;
    } rows[] = {
        {"connect_timeout", 1, c->connect_timeout_ns},
        {"handshake_timeout", 1, c->handshake_timeout_ns},
        {"ping_after", 1, c->ping_after_ns},
        {"idle_timeout", 1, c->idle_timeout_ns},
        {"response_timeout", 1, c->response_timeout_ns},
        {"stall_timeout", 1, c->stall_timeout_ns},
        {"backoff_base", 1, c->backoff_base_ns},
        {"retry_failed", 0, c->retry_failed_ns},
        {"feeler_interval", 0, c->feeler_interval_ns},
        {"sync_interval", 1, c->sync_interval_ns},
        {"ban", 1, c->ban_ns},
        {"score_half_life", 0, c->score_half_life_ns},
        {"mine_interval", 0, c->mine_interval_ns},
    };
    const uint64_t year_ms = UINT64_C(31536000000);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t ms = rows[i].got_ns / MS;
        if (rows[i].got_ns < rows[i].low_ms * MS || ms > year_ms)
            return refuse(line, rows[i].name, rows[i].low_ms, year_ms, ms, " ms");
    }
    return true;
}

static bool terminated(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}

bool vn_config_check(const struct vn_config *config, char *why, size_t size)
{
    struct line line = {.out = why, .cap = size};
    line_text(&line, "");
    if (config->size != sizeof *config) {
        line_text(&line, "size must be that of struct vn_config: call vn_config_init first");
        return false;
    }
    if (!terminated(config->node_id, sizeof config->node_id) || !config->node_id[0]) {
        line_text(&line, "node_id must be 1..63 bytes of text, got none");
        return false;
    }
    if (!wire_utf8_valid((const uint8_t *)config->node_id, strlen(config->node_id))) {
        line_text(&line, "node_id must be UTF-8");
        return false;
    }
    if (!terminated(config->version, sizeof config->version) ||
        !wire_utf8_valid((const uint8_t *)config->version, strlen(config->version))) {
        line_text(&line, "version must be at most 31 bytes of UTF-8");
        return false;
    }
    if (config->listen.family != VN_AF_IPV4 && config->listen.family != VN_AF_IPV6) {
        line_text(&line, "listen must be an IPv4 or IPv6 address");
        return false;
    }
    if (config->seed_count > config->known_peers)
        return refuse(&line, "seed_count", 0, config->known_peers, config->seed_count, "");
    return check_counts(config, &line) && check_times(config, &line);
}
