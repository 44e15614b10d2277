/* Values of keys: from text, and back to text.
 *
 * Text is read to its last byte, and nothing is guessed: a number has no sign, blank or fraction, a
 * time has a unit, and what is out of range is refused with the range. What is shown of a wrong
 * value is escaped. */
#include "vibenode/config_keys.h"

#include "transport-tcp/tcp.h"
#include "vibenode/log_line.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* From large to small, those that values are written in first. */
static const struct unit size_units[] = {
    {"TiB", UINT64_C(1) << 40},
    {"GiB", 1u << 30},
    {"MiB", 1u << 20},
    {"KiB", 1u << 10},
    {"GB", 1000000000u},
    {"MB", 1000000u},
    {"kB", 1000u},
    {"B", 1},
    {"", 1},
    {NULL, 0},
};
static const struct unit time_units[] = {
    {"d", UINT64_C(86400000000000)},
    {"h", UINT64_C(3600000000000)},
    {"m", UINT64_C(60000000000)},
    {"s", 1000000000u},
    {"ms", 1000000u},
    {"us", 1000u},
    {"ns", 1},
    {NULL, 0},
};

#define SIZE_UNITS_WRITTEN 4u

static const char *const ban_names[] = {"auto", "ip", "id", NULL};

/* ---- reading ---- */

/* Digits from *at on, which is moved behind them. False: there are none, or too many. */
static bool read_digits(const char **at, uint64_t *out)
{
    uint64_t n = 0;
    const char *from = *at;
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        uint64_t digit = (uint64_t)(**at - '0');
        if (n > (UINT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *out = n;
    return *at > from;
}

static bool read_number(const char *text, uint64_t *out)
{
    return read_digits(&text, out) && !*text;
}

/* A number with one of the units behind it; 0 needs none. */
static bool read_united(const char *text, const struct unit *units, uint64_t *out)
{
    uint64_t n;
    if (!read_digits(&text, &n))
        return false;
    if (n == 0 && !*text) {
        *out = 0;
        return true;
    }
    while (units->name && strcmp(units->name, text) != 0)
        units++;
    if (!units->name || n > UINT64_MAX / units->factor)
        return false;
    *out = n * units->factor;
    return true;
}

static void format_united(uint64_t n, const struct unit *units, size_t count, char *out,
                          size_t size)
{
    size_t i = 0;
    while (i < count && (n == 0 || n % units[i].factor != 0))
        i++;
    if (i == count)
        snprintf(out, size, "%" PRIu64, n);
    else
        snprintf(out, size, "%" PRIu64 "%s", n / units[i].factor, units[i].name);
}

static void format_size(uint64_t n, char *out, size_t size)
{
    format_united(n, size_units, SIZE_UNITS_WRITTEN, out, size);
}

static void format_time(uint64_t ns, char *out, size_t size)
{
    format_united(ns, time_units, sizeof time_units / sizeof *time_units - 1, out, size);
}

static bool read_seed(const char *text, struct config_seed *out)
{
    struct config_seed seed = {.port = CONFIG_PORT};
    const char *colon = strchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : strlen(text);
    uint64_t port = CONFIG_PORT;
    *out = seed;
    if (vn_tcp_addr_parse(text, CONFIG_PORT, &out->addr))
        return out->addr.port != 0;
    if (colon && (!read_number(colon + 1, &port) || port < 1 || port > UINT16_MAX))
        return false;
    if (len == 0 || len >= sizeof out->host)
        return false;
    memcpy(out->host, text, len);
    out->port = (uint16_t)port;
    /* Letters, digits, dots and dashes; a last label of digits alone is a mistyped address. */
    const char *allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    const char *label = strrchr(out->host, '.');
    label = label ? label + 1 : out->host;
    return strspn(out->host, allowed) == len && !strstr(out->host, "..") && *out->host != '.' &&
           *out->host != '-' && !(*label && strspn(label, "0123456789") == strlen(label));
}

static bool read_log(const char *text, uint8_t levels[LOG_CATEGORIES])
{
    const char *colon = strchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : strlen(text);
    uint32_t level = 0, category = 0;
    while (level < LOG_LEVELS &&
           (strlen(log_level_name(level)) != len || memcmp(log_level_name(level), text, len) != 0))
        level++;
    if (level == LOG_LEVELS)
        return false;
    if (!colon || strcmp(colon + 1, "all") == 0) {
        memset(levels, (int)level, LOG_CATEGORIES);
        return true;
    }
    while (category < LOG_CATEGORIES && strcmp(log_category_name(category), colon + 1) != 0)
        category++;
    if (category < LOG_CATEGORIES)
        levels[category] = (uint8_t)level;
    return category < LOG_CATEGORIES;
}

/* ---- what is allowed, in words ---- */

void config_value_range(uint32_t key, char *out, size_t size)
{
    const struct config_key *k = &config_keys[key];
    char low[32], high[32];
    switch (k->kind) {
    case KEY_COUNT:
        snprintf(out, size, "%" PRIu64 "..%" PRIu64, k->low, k->high);
        return;
    case KEY_BYTES32:
    case KEY_BYTES:
        format_size(k->low, low, sizeof low);
        format_size(k->high, high, sizeof high);
        snprintf(out, size, "a size of %s..%s, like 64MiB", low, high);
        return;
    case KEY_TIME:
        format_time(k->low, low, sizeof low);
        format_time(k->high, high, sizeof high);
        snprintf(out, size, "a time of %s..%s, like 500ms, 2s or 1m", low, high);
        return;
    case KEY_FLAG:
        snprintf(out, size, "yes or no");
        return;
    case KEY_TEXT:
        snprintf(out, size, "%s", k->value);
        return;
    case KEY_ID:
        snprintf(out, size, "1..63 bytes of printable UTF-8 without a backslash");
        return;
    case KEY_ADDR:
        snprintf(out, size,
                 "an IP address with a port, like 203.0.113.5:8765 or [2001:db8::1]:8765");
        return;
    case KEY_IP:
        snprintf(out, size, "an IP address without a port, like 192.0.2.10");
        return;
    case KEY_LISTEN:
        snprintf(out, size,
                 "an IP address, with a port or without, like 0.0.0.0:8765 or [::1]:8765");
        return;
    case KEY_SEED:
        snprintf(out, size,
                 "an IP address or a host's name, with a port or without, like 192.0.2.1:8765, "
                 "[2001:db8::1]:8765 or seed.example.org");
        return;
    case KEY_ORIGIN:
        snprintf(out, size, "an origin, like http://127.0.0.1:3000");
        return;
    case KEY_GENESIS:
        snprintf(out, size, "TIMESTAMP:DIFFICULTY, like 1744067299:100");
        return;
    case KEY_BAN_BY:
        snprintf(out, size, "auto, ip or id");
        return;
    case KEY_LOG:
        snprintf(out, size,
                 "error, warning, info, debug or trace, for one category behind a colon: net, "
                 "peer, chain, tx, score, sync, store, http, node");
        return;
    case KEY_LOG_FORMAT:
        snprintf(out, size, "text or json");
        return;
    }
}

/* "must be 0..10000, got -3" */
static bool refuse(uint32_t key, const char *text, char *why, size_t size)
{
    char range[200], shown[80];
    config_value_range(key, range, sizeof range);
    log_line_escape(shown, sizeof shown, text);
    bool quoted = !*shown || strchr(shown, ' ');
    snprintf(why, size, "must be %s, got %s%s%s%s", range, quoted ? "'" : "", shown,
             strlen(text) >= sizeof shown ? "..." : "", quoted ? "'" : "");
    return false;
}

static bool refuse_more(uint32_t max, char *why, size_t size)
{
    snprintf(why, size, "is given too often: at most %u times", max);
    return false;
}

/* ---- applying ---- */

/* What is a number in a range. */
static bool apply_number(struct config *config, uint32_t key, const char *text)
{
    const struct config_key *k = &config_keys[key];
    char *at = (char *)config + k->offset;
    uint64_t n = 0;
    bool good = k->kind == KEY_COUNT  ? read_number(text, &n)
                : k->kind == KEY_TIME ? read_united(text, time_units, &n)
                                      : read_united(text, size_units, &n);
    if (!good || n < k->low || n > k->high)
        return false;
    if (k->kind == KEY_COUNT || k->kind == KEY_BYTES32) {
        uint32_t narrow = (uint32_t)n;
        memcpy(at, &narrow, sizeof narrow);
    } else {
        memcpy(at, &n, sizeof n);
    }
    return true;
}

static bool apply_flag(struct config *config, const struct config_key *k, const char *text)
{
    bool yes = strcmp(text, "yes") == 0;
    memcpy((char *)config + k->offset, &yes, sizeof yes);
    return yes || strcmp(text, "no") == 0;
}

static bool is_id(const char *text)
{
    char shown[300];
    log_line_escape(shown, sizeof shown, text);
    return *text && strlen(text) < sizeof((struct vn_config *)0)->node_id &&
           strcmp(shown, text) == 0;
}

static bool apply_text(struct config *config, const struct config_key *k, const char *text)
{
    memcpy((char *)config + k->offset, &text, sizeof text);
    return *text && (k->kind == KEY_TEXT || is_id(text));
}

static bool apply_addr(struct config *config, const struct config_key *k, const char *text)
{
    struct vn_addr addr;
    if (!vn_tcp_addr_parse(text, 0, &addr) || (addr.port == 0) != (k->kind == KEY_IP))
        return false;
    memcpy((char *)config + k->offset, &addr, sizeof addr);
    return true;
}

static bool apply_genesis(struct config *config, const char *text)
{
    uint64_t timestamp, difficulty;
    if (!read_digits(&text, &timestamp) || *text++ != ':' || !read_number(text, &difficulty) ||
        difficulty == 0)
        return false;
    config->core.genesis_timestamp = timestamp;
    config->core.difficulty = difficulty;
    return true;
}

static bool apply_ban_by(struct config *config, const char *text)
{
    for (uint32_t i = 0; ban_names[i]; i++)
        if (strcmp(ban_names[i], text) == 0) {
            config->core.ban_by = i; /* the names are in the order of enum vn_ban_by */
            return true;
        }
    return false;
}

static bool apply_listen(struct config *config, uint32_t key, const char *text, char *why,
                         size_t size)
{
    struct vn_addr addr;
    if (!vn_tcp_addr_parse(text, CONFIG_PORT, &addr))
        return refuse(key, text, why, size);
    if (config->listen_count == CONFIG_LISTEN_MAX)
        return refuse_more(CONFIG_LISTEN_MAX, why, size);
    for (uint32_t i = 0; i < config->listen_count; i++)
        if (addr.port != 0 && memcmp(&config->listen[i], &addr, sizeof addr) == 0) {
            snprintf(why, size, "has this address twice: %s", text);
            return false;
        }
    config->listen[config->listen_count++] = addr;
    return true;
}

static bool apply_seed(struct config *config, uint32_t key, const char *text, char *why,
                       size_t size)
{
    struct config_seed seed;
    if (!read_seed(text, &seed))
        return refuse(key, text, why, size);
    if (config->seed_count == CONFIG_SEEDS_MAX)
        return refuse_more(CONFIG_SEEDS_MAX, why, size);
    config->seeds[config->seed_count++] = seed;
    return true;
}

static bool apply_origin(struct config *config, uint32_t key, const char *text, char *why,
                         size_t size)
{
    if (strncmp(text, "http://", 7) != 0 && strncmp(text, "https://", 8) != 0)
        return refuse(key, text, why, size);
    if (config->origin_count == CONFIG_ORIGINS_MAX)
        return refuse_more(CONFIG_ORIGINS_MAX, why, size);
    config->origins[config->origin_count++] = text;
    return true;
}

bool config_value_apply(struct config *config, uint32_t key, const char *text, char *why,
                        size_t size)
{
    const struct config_key *k = &config_keys[key];
    bool good = false;
    switch (k->kind) {
    case KEY_COUNT:
    case KEY_BYTES32:
    case KEY_BYTES:
    case KEY_TIME:
        good = apply_number(config, key, text);
        break;
    case KEY_FLAG:
        good = apply_flag(config, k, text);
        break;
    case KEY_TEXT:
    case KEY_ID:
        good = apply_text(config, k, text);
        break;
    case KEY_ADDR:
    case KEY_IP:
        good = apply_addr(config, k, text);
        break;
    case KEY_LISTEN:
        return apply_listen(config, key, text, why, size);
    case KEY_SEED:
        return apply_seed(config, key, text, why, size);
    case KEY_ORIGIN:
        return apply_origin(config, key, text, why, size);
    case KEY_GENESIS:
        good = apply_genesis(config, text);
        break;
    case KEY_BAN_BY:
        good = apply_ban_by(config, text);
        break;
    case KEY_LOG:
        good = read_log(text, config->log.levels);
        break;
    case KEY_LOG_FORMAT:
        config->log.json = strcmp(text, "json") == 0;
        good = config->log.json || strcmp(text, "text") == 0;
        break;
    }
    return good || refuse(key, text, why, size);
}

void config_value_clear(struct config *config, uint32_t key)
{
    enum config_kind kind = config_keys[key].kind;
    assert(config_keys[key].repeats);
    if (kind == KEY_LISTEN)
        config->listen_count = 0;
    else if (kind == KEY_SEED)
        config->seed_count = 0;
    else if (kind == KEY_ORIGIN)
        config->origin_count = 0;
    else
        memset(config->log.levels, LOG_LEVEL_INFO, sizeof config->log.levels);
}

/* ---- back to text ---- */

static void format_list(const struct config *config, enum config_kind kind, char *out, size_t size)
{
    char text[VN_TCP_ADDR_TEXT];
    if (kind == KEY_LISTEN && config->listen_count) {
        vn_tcp_addr_format(&config->listen[0], text);
        snprintf(out, size, "%s", text);
    } else if (kind == KEY_LOG) {
        snprintf(out, size, "%s", log_level_name(config->log.levels[0]));
    }
}

void config_value_format(const struct config *config, uint32_t key, char *out, size_t size)
{
    const struct config_key *k = &config_keys[key];
    const char *at = (const char *)config + k->offset;
    uint64_t n = 0;
    uint32_t narrow = 0;
    bool yes;
    *out = '\0';
    switch (k->kind) {
    case KEY_COUNT:
        memcpy(&narrow, at, sizeof narrow);
        snprintf(out, size, "%" PRIu32, narrow);
        return;
    case KEY_BYTES32:
        memcpy(&narrow, at, sizeof narrow);
        format_size(narrow, out, size);
        return;
    case KEY_BYTES:
        memcpy(&n, at, sizeof n);
        format_size(n, out, size);
        return;
    case KEY_TIME:
        memcpy(&n, at, sizeof n);
        format_time(n, out, size);
        return;
    case KEY_FLAG:
        memcpy(&yes, at, sizeof yes);
        snprintf(out, size, "%s", yes ? "yes" : "no");
        return;
    case KEY_LISTEN:
    case KEY_LOG:
        format_list(config, k->kind, out, size);
        return;
    case KEY_GENESIS:
        snprintf(out, size, "%" PRIu64 ":%" PRIu64, config->core.genesis_timestamp,
                 config->core.difficulty);
        return;
    case KEY_BAN_BY:
        snprintf(out, size, "%s", ban_names[config->core.ban_by]);
        return;
    case KEY_LOG_FORMAT:
        snprintf(out, size, "%s", config->log.json ? "json" : "text");
        return;
    case KEY_TEXT:
    case KEY_ID:
    case KEY_ADDR:
    case KEY_IP:
    case KEY_SEED:
    case KEY_ORIGIN:
        return; /* their default is none */
    }
}
