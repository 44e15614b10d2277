/* A node's answers for people: what it is on a dozen lines, its peers in a table, its bans.
 *
 * The JSON is read as if anybody had written it: members that are missing or of another kind become
 * '-', and each text passes ctl_clean. */
#include "vibenode/ctl_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LABEL_WIDTH 10
#define TEXT_MAX    200u /* columns of one text in a line */

/* ---- reading JSON --------------------------------------------------------------------------- */

/* keys: "chain.height". */
static const json_t *find(const json_t *json, const char *keys)
{
    char key[32];
    while (json && *keys) {
        size_t len = strcspn(keys, ".");
        if (len >= sizeof key)
            return NULL;
        memcpy(key, keys, len);
        key[len] = '\0';
        json = json_object_get(json, key);
        keys += len + (keys[len] == '.');
    }
    return json;
}

/* A number's value, or -1. */
static double number_at(const json_t *json, const char *keys)
{
    const json_t *value = find(json, keys);
    return json_is_number(value) ? json_number_value(value) : -1;
}

static bool whole_at(const json_t *json, const char *keys, uint64_t *out)
{
    const json_t *value = find(json, keys);
    *out = json_is_integer(value) && json_integer_value(value) >= 0
               ? (uint64_t)json_integer_value(value)
               : 0;
    return json_is_integer(value) && json_integer_value(value) >= 0;
}

/* ---- pieces of a line ----------------------------------------------------------------------- */

static void put_text(struct ops_text *text, const struct ctl_style *style, const json_t *json,
                     const char *keys)
{
    const char *value = json_string_value(find(json, keys));
    ctl_clean(text, style, value && *value ? value : "-", TEXT_MAX);
}

static void put_count(struct ops_text *text, const json_t *json, const char *keys)
{
    uint64_t n;
    char out[32] = "-";
    if (whole_at(json, keys, &n))
        ctl_number(out, n);
    ops_text_add(text, out);
}

/* "1 commit", "2 commits". */
static void put_counted(struct ops_text *text, const json_t *json, const char *keys,
                        const char *noun)
{
    uint64_t n;
    put_count(text, json, keys);
    ops_text_format(text, " %s%s", noun, whole_at(json, keys, &n) && n == 1 ? "" : "s");
}

static void put_bytes(struct ops_text *text, const json_t *json, const char *keys)
{
    uint64_t n;
    char out[32] = "-";
    if (whole_at(json, keys, &n))
        ctl_bytes(out, n);
    ops_text_add(text, out);
}

static void put_duration(struct ops_text *text, const json_t *json, const char *keys)
{
    char out[32];
    ctl_duration(out, number_at(json, keys));
    ops_text_add(text, out);
}

static void put_time(struct ops_text *text, const json_t *json, const char *keys)
{
    double s = number_at(json, keys);
    time_t seconds = s > 0 && s < 1e11 ? (time_t)s : 0;
    struct tm tm;
    char out[40];
    if (seconds && gmtime_r(&seconds, &tm) &&
        strftime(out, sizeof out, "%Y-%m-%d %H:%M:%S UTC", &tm))
        ops_text_add(text, out);
    else
        ops_text_add(text, "-");
}

static void label(struct ops_text *text, const struct ctl_style *style, const char *name)
{
    ctl_colour(text, style, CTL_DIM);
    ops_text_format(text, "%-*s", LABEL_WIDTH, name);
    ctl_colour(text, style, CTL_PLAIN);
}

/* "ok", or each reason on a line of its own. */
static void put_health(struct ops_text *text, const struct ctl_style *style, bool healthy,
                       const json_t *reasons, int indent)
{
    if (healthy) {
        ctl_colour(text, style, CTL_GREEN);
        ops_text_add(text, "ok");
        ctl_colour(text, style, CTL_PLAIN);
        ops_text_add(text, "\n");
        return;
    }
    size_t count = json_array_size(reasons);
    for (size_t i = 0; i < count || i == 0; i++) {
        const char *reason = json_string_value(json_array_get(reasons, i));
        ops_text_format(text, "%*s", i ? indent : 0, "");
        ctl_colour(text, style, CTL_RED);
        ctl_clean(text, style, reason ? reason : "not healthy, and no reason is told", TEXT_MAX);
        ctl_colour(text, style, CTL_PLAIN);
        ops_text_add(text, "\n");
    }
}

/* ---- status --------------------------------------------------------------------------------- */

static void show_chain(struct ops_text *text, const struct ctl_style *style, const json_t *status)
{
    label(text, style, "chain");
    ops_text_add(text, "height ");
    ctl_colour(text, style, CTL_BOLD);
    put_count(text, status, "chain.height");
    ctl_colour(text, style, CTL_PLAIN);
    ops_text_add(text, ", total difficulty ");
    put_text(text, style, status, "chain.total_difficulty");
    ops_text_add(text, "\n");
    label(text, style, "tip");
    put_text(text, style, status, "chain.tip");
    ops_text_add(text, "\n");
    label(text, style, "pool");
    put_counted(text, status, "mempool", "transaction");
    ops_text_add(text, ", ");
    put_counted(text, status, "orphans", "orphan block");
    ops_text_add(text, "\n");
}

static void show_network(struct ops_text *text, const struct ctl_style *style, const json_t *status)
{
    label(text, style, "peers");
    put_count(text, status, "peers.outbound");
    ops_text_add(text, " of ");
    put_count(text, status, "peers.max_outbound");
    ops_text_add(text, " outbound, ");
    put_count(text, status, "peers.inbound");
    ops_text_add(text, " of ");
    put_count(text, status, "peers.max_inbound");
    ops_text_add(text, " inbound, ");
    put_count(text, status, "peers.connecting");
    ops_text_add(text, " connecting\n");
    label(text, style, "addresses");
    put_count(text, status, "peers.known");
    ops_text_add(text, " known, ");
    put_count(text, status, "peers.banned");
    ops_text_add(text, " banned\n");
    if (!json_is_object(find(status, "tcp")))
        return;
    label(text, style, "traffic");
    put_bytes(text, status, "tcp.bytes_in");
    ops_text_add(text, " in, ");
    put_bytes(text, status, "tcp.bytes_out");
    ops_text_add(text, " out, ");
    put_bytes(text, status, "tcp.queued_bytes");
    ops_text_add(text, " queued, ");
    put_bytes(text, status, "held_bytes");
    ops_text_add(text, " held for links");
    if (json_is_true(find(status, "tcp.throttled"))) {
        ctl_colour(text, style, CTL_RED);
        ops_text_add(text, "; accepts nobody for want of descriptors");
        ctl_colour(text, style, CTL_PLAIN);
    }
    ops_text_add(text, "\n");
}

static void show_store(struct ops_text *text, const struct ctl_style *style, const json_t *status)
{
    label(text, style, "store");
    if (!json_is_object(find(status, "store"))) {
        ops_text_add(text, "none: nothing outlasts a restart\n");
        return;
    }
    put_counted(text, status, "store.commits", "commit");
    ops_text_add(text, " of ");
    put_bytes(text, status, "store.bytes");
    double ms = number_at(status, "store.commit_ms_max");
    if (ms >= 0)
        ops_text_format(text, ", the longest %.1f ms", ms);
    ops_text_add(text, ", ");
    put_count(text, status, "store.waiting");
    ops_text_add(text, " waiting, ");
    put_count(text, status, "store.failed");
    ops_text_add(text, " failed\n");
}

void ctl_show_status(struct ops_text *text, const struct ctl_style *style, const json_t *status)
{
    label(text, style, "node");
    ctl_colour(text, style, CTL_BOLD);
    put_text(text, style, status, "node_id");
    ctl_colour(text, style, CTL_PLAIN);
    ops_text_add(text, ", announced as ");
    put_text(text, style, status, "announces");
    ops_text_add(text, "\n");
    label(text, style, "version");
    put_text(text, style, status, "version");
    ops_text_add(text, " (");
    put_text(text, style, status, "build");
    ops_text_add(text, "), protocol ");
    put_text(text, style, status, "protocol");
    ops_text_add(text, "\n");
    label(text, style, "health");
    put_health(text, style, json_is_true(find(status, "healthy")), find(status, "reasons"),
               LABEL_WIDTH);
    label(text, style, "up");
    put_duration(text, status, "uptime_s");
    ops_text_add(text, ", its clock says ");
    put_time(text, status, "wall_clock_s");
    ops_text_add(text, "\n");
    show_chain(text, style, status);
    show_network(text, style, status);
    show_store(text, style, status);
}

void ctl_show_health(struct ops_text *text, const struct ctl_style *style, const json_t *health)
{
    const char *word = json_string_value(find(health, "status"));
    put_health(text, style, word && strcmp(word, "ok") == 0, find(health, "reasons"), 0);
}

/* ---- peers ---------------------------------------------------------------------------------- */

enum column {
    ADDRESS,
    DIRECTION,
    STATE,
    UP,
    SEEN,
    RTT,
    HEIGHT,
    IN,
    OUT,
    SCORE,
    VERSION,
    NODE,
    COLUMNS
};

static const struct {
    const char *title;
    bool right;
    size_t most; /* columns of a cell */
} columns[COLUMNS] = {
    [ADDRESS] = {"ADDRESS", false, 48}, [DIRECTION] = {"DIR", false, 8},
    [STATE] = {"STATE", false, 14},     [UP] = {"UP", true, 12},
    [SEEN] = {"SEEN", true, 12},        [RTT] = {"RTT", true, 12},
    [HEIGHT] = {"HEIGHT", true, 24},    [IN] = {"IN", true, 12},
    [OUT] = {"OUT", true, 12},          [SCORE] = {"SCORE", true, 8},
    [VERSION] = {"VERSION", false, 12}, [NODE] = {"NODE", false, 32},
};

struct cell {
    char *text;
    size_t width;
};

struct row {
    struct cell cells[COLUMNS];
    const json_t *peer;
};

static void fill_text(struct row *row, enum column column, const struct ctl_style *style,
                      const char *value)
{
    struct ops_text text = {0};
    size_t width = ctl_clean(&text, style, value && *value ? value : "-", columns[column].most);
    row->cells[column] = (struct cell){text.data, width};
}

static void fill_row(struct row *row, const struct ctl_style *style, const json_t *peer)
{
    char out[32] = "-";
    uint64_t n;
    const char *direction = json_string_value(find(peer, "direction"));
    row->peer = peer;
    fill_text(row, ADDRESS, style, json_string_value(find(peer, "addr")));
    fill_text(row, DIRECTION, style,
              direction && strcmp(direction, "outbound") == 0  ? "out"
              : direction && strcmp(direction, "inbound") == 0 ? "in"
                                                               : "-");
    fill_text(row, STATE, style, json_string_value(find(peer, "state")));
    ctl_duration(out, number_at(peer, "up_s"));
    fill_text(row, UP, style, out);
    ctl_duration(out, number_at(peer, "last_seen_s"));
    fill_text(row, SEEN, style, out);
    double ms = number_at(peer, "rtt_ms");
    snprintf(out, sizeof out, ms < 0 || ms > 1e9 ? "-" : ms < 100 ? "%.1f ms" : "%.0f ms", ms);
    fill_text(row, RTT, style, out);
    bool known = whole_at(peer, "best_height", &n) && json_is_string(find(peer, "node_id"));
    ctl_number(out, n);
    fill_text(row, HEIGHT, style, known ? out : "-");
    known = direction && whole_at(peer, "bytes_in", &n);
    ctl_bytes(out, n);
    fill_text(row, IN, style, known ? out : "-");
    known = direction && whole_at(peer, "bytes_out", &n);
    ctl_bytes(out, n);
    fill_text(row, OUT, style, known ? out : "-");
    const json_t *score = find(peer, "score");
    snprintf(out, sizeof out, json_is_integer(score) ? "%" JSON_INTEGER_FORMAT : "-",
             json_integer_value(score));
    fill_text(row, SCORE, style, out);
    fill_text(row, VERSION, style, json_string_value(find(peer, "version")));
    fill_text(row, NODE, style, json_string_value(find(peer, "node_id")));
}

/* Who talks with us first, then who might, then who may not. */
static int rank_of(const json_t *peer)
{
    static const char *const states[] = {"ready",        "connected", "connecting",
                                         "disconnected", "failed",    "banned"};
    const char *state = json_string_value(find(peer, "state"));
    const char *direction = json_string_value(find(peer, "direction"));
    int rank = 0;
    while (rank < 6 && (!state || strcmp(state, states[rank]) != 0))
        rank++;
    return 2 * rank + !(direction && strcmp(direction, "outbound") == 0);
}

static int by_rank(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    int rank_x = rank_of(x->peer), rank_y = rank_of(y->peer);
    if (rank_x != rank_y)
        return rank_x - rank_y;
    double up_x = number_at(x->peer, "up_s"), up_y = number_at(y->peer, "up_s");
    if (up_x < up_y || up_x > up_y)
        return up_x > up_y ? -1 : 1; /* the oldest first */
    return strcmp(x->cells[ADDRESS].text, y->cells[ADDRESS].text);
}

static void put_cell(struct ops_text *text, enum column column, const char *s, size_t width,
                     size_t wide)
{
    size_t pad = wide - width;
    if (columns[column].right)
        ops_text_format(text, "%*s", (int)pad, "");
    ops_text_add(text, s);
    if (column + 1 == COLUMNS)
        ops_text_add(text, "\n");
    else
        ops_text_format(text, "%*s", (int)(columns[column].right ? 2 : pad + 2), "");
}

static void put_table(struct ops_text *text, const struct ctl_style *style, const struct row *rows,
                      size_t count)
{
    size_t wide[COLUMNS];
    for (enum column c = 0; c < COLUMNS; c++) {
        wide[c] = strlen(columns[c].title);
        for (size_t i = 0; i < count; i++)
            wide[c] = rows[i].cells[c].width > wide[c] ? rows[i].cells[c].width : wide[c];
    }
    ctl_colour(text, style, CTL_BOLD);
    for (enum column c = 0; c < COLUMNS; c++)
        put_cell(text, c, columns[c].title, strlen(columns[c].title), wide[c]);
    ctl_colour(text, style, CTL_PLAIN);
    for (size_t i = 0; i < count; i++) {
        bool ready = rank_of(rows[i].peer) < 2;
        if (!ready)
            ctl_colour(text, style, CTL_DIM);
        for (enum column c = 0; c < COLUMNS; c++)
            put_cell(text, c, rows[i].cells[c].text, rows[i].cells[c].width, wide[c]);
        if (!ready)
            ctl_colour(text, style, CTL_PLAIN);
    }
}

static bool has_link(const json_t *peer)
{
    return json_is_string(find(peer, "direction"));
}

void ctl_show_peers(struct ops_text *text, const struct ctl_style *style, const json_t *peers,
                    bool all)
{
    size_t total = json_array_size(peers), count = 0, links = 0;
    struct row *rows = calloc(total + 1, sizeof *rows);
    if (!rows)
        abort();
    for (size_t i = 0; i < total; i++) {
        const json_t *peer = json_array_get(peers, i);
        links += has_link(peer);
        if (all || has_link(peer))
            fill_row(&rows[count++], style, peer);
    }
    qsort(rows, count, sizeof *rows, by_rank);
    if (count)
        put_table(text, style, rows, count);
    for (size_t i = 0; i < count; i++)
        for (enum column c = 0; c < COLUMNS; c++)
            free(rows[i].cells[c].text);
    free(rows);
    bool cut = total >= (all ? OPS_PEERS_MAX : OPS_PEERS); /* there may be more */
    ops_text_format(text, "%zu %s, %s%zu known %s without one%s\n", links,
                    links == 1 ? "link" : "links", cut ? "at least " : "", total - links,
                    total - links == 1 ? "address" : "addresses",
                    !all && total > links ? " (--all shows them)" : "");
}

/* ---- bans ----------------------------------------------------------------------------------- */

static void show_ban(struct ops_text *text, const struct ctl_style *style, const json_t *ban)
{
    const char *addr = json_string_value(find(ban, "addr"));
    char left[32];
    ctl_duration(left, number_at(ban, "left_s"));
    ops_text_format(text, "%*s  ", (int)columns[UP].most, left);
    if (!addr)
        ops_text_add(text, "the node id with the SHA-256 ");
    put_text(text, style, ban, addr ? "addr" : "node_id_sha256");
    ops_text_add(text, "\n");
}

void ctl_show_bans(struct ops_text *text, const struct ctl_style *style, const json_t *bans)
{
    size_t count = json_array_size(bans);
    ctl_colour(text, style, CTL_BOLD);
    if (count)
        ops_text_format(text, "%*s  BANNED\n", (int)columns[UP].most, "LEFT");
    ctl_colour(text, style, CTL_PLAIN);
    for (size_t i = 0; i < count; i++)
        show_ban(text, style, json_array_get(bans, i));
    ops_text_format(text, "%s%zu %s\n", count >= OPS_PEERS_MAX ? "at least " : "", count,
                    count == 1 ? "ban" : "bans");
}
