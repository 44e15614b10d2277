/* Traces of the core as lines of the log; see log_trace.h. */
#include "vibenode/log_trace.h"

#include "trace/words.h"
#include "transport-tcp/tcp.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

/* Where a kind of trace goes, and how important it is at its most important. */
static const struct {
    enum log_category category;
    enum log_level level;
    bool rare; /* heard at any level */
} rows[VN_TR_KINDS] = {
    [VN_TR_PEER_STATE] = {LOG_PEER, LOG_LEVEL_INFO, true},
    [VN_TR_MSG_IN] = {LOG_NET, LOG_LEVEL_TRACE, false},
    [VN_TR_MSG_OUT] = {LOG_NET, LOG_LEVEL_TRACE, false},
    [VN_TR_BLOCK_NEW] = {LOG_CHAIN, LOG_LEVEL_DEBUG, true},
    [VN_TR_BLOCK_BAD] = {LOG_CHAIN, LOG_LEVEL_WARNING, true},
    [VN_TR_BLOCK_ORPHAN] = {LOG_CHAIN, LOG_LEVEL_DEBUG, true},
    [VN_TR_MINED] = {LOG_CHAIN, LOG_LEVEL_INFO, true},
    [VN_TR_TIP] = {LOG_CHAIN, LOG_LEVEL_INFO, true},
    [VN_TR_TX_NEW] = {LOG_TX, LOG_LEVEL_DEBUG, false},
    [VN_TR_TX_BAD] = {LOG_TX, LOG_LEVEL_DEBUG, false},
    [VN_TR_SCORE] = {LOG_SCORE, LOG_LEVEL_INFO, true},
    [VN_TR_BAN] = {LOG_SCORE, LOG_LEVEL_WARNING, true},
    [VN_TR_UNBAN] = {LOG_SCORE, LOG_LEVEL_INFO, true},
    [VN_TR_DISCONNECT] = {LOG_PEER, LOG_LEVEL_INFO, true},
    [VN_TR_VIOLATION] = {LOG_PEER, LOG_LEVEL_INFO, true},
    [VN_TR_SYNC] = {LOG_SYNC, LOG_LEVEL_INFO, true},
};

static bool wanted(const struct log_options *options, uint32_t kind)
{
    return rows[kind].level <= options->levels[rows[kind].category];
}

uint64_t log_trace_mask(const struct log_options *options)
{
    uint64_t mask = 0;
    for (uint32_t kind = 0; kind < VN_TR_KINDS; kind++)
        if (rows[kind].rare || wanted(options, kind))
            mask |= UINT64_C(1) << kind;
    return mask;
}

bool log_trace_lacks(const struct log_options *options, uint64_t mask)
{
    for (uint32_t kind = 0; kind < VN_TR_KINDS; kind++)
        if (wanted(options, kind) && !(mask >> kind & 1))
            return true;
    return false;
}

/* Of a peer's states those that begin and end its use are worth a line at info; of points those for
 * misbehaviour. */
static enum log_level level_of(const struct vn_trace *t)
{
    bool minor = (t->kind == VN_TR_PEER_STATE && t->a != VN_PEER_READY && t->b != VN_PEER_READY) ||
                 (t->kind == VN_TR_SCORE && t->c == 0);
    return minor ? LOG_LEVEL_DEBUG : rows[t->kind].level;
}

/* Lines that are told apart when they flood. */
static const char *kind_of(const struct vn_trace *t)
{
    if (t->kind == VN_TR_PEER_STATE && t->b == VN_PEER_READY)
        return "peer-ready";
    if (t->kind == VN_TR_PEER_STATE && t->a == VN_PEER_READY)
        return "peer-gone";
    return vn_trace_name(t->kind);
}

static void peer_state_words(char *out, size_t size, const struct vn_trace *t, const char *peer)
{
    const char *why = t->c ? vn_why_name((uint32_t)t->c) : "";
    if (t->b == VN_PEER_READY)
        snprintf(out, size, "%s is ready, %s", peer, t->link % 2 ? "outbound" : "inbound");
    else if (t->a == VN_PEER_READY)
        snprintf(out, size, "%s is gone%s%s", peer, *why ? ": " : "", why);
    else
        snprintf(out, size, "%s: %s -> %s%s%s", peer, vn_peer_state_name((uint32_t)t->a),
                 vn_peer_state_name((uint32_t)t->b), *why ? ", " : "", why);
}

/* What trace/words.h has no words for. False: it has. */
static bool own_words(char *out, size_t size, const struct vn_trace *t, const char *peer)
{
    char hash[12] = "";
    const char *text = t->text ? t->text : "";
    if (t->hash)
        snprintf(hash, sizeof hash, "%02x%02x%02x%02x", t->hash[0], t->hash[1], t->hash[2],
                 t->hash[3]);
    switch ((enum vn_trace_kind)t->kind) {
    case VN_TR_PEER_STATE:
        peer_state_words(out, size, t, peer);
        return true;
    case VN_TR_MSG_IN:
    case VN_TR_MSG_OUT:
        snprintf(out, size, "%s %s %s, %" PRIu64 " bytes", vn_message_name((uint32_t)t->a),
                 t->kind == VN_TR_MSG_IN ? "from" : "to", peer, t->b);
        return true;
    case VN_TR_BLOCK_NEW:
        snprintf(out, size, "block %s at height %" PRIu64 " from %s", hash, t->a,
                 t->link ? peer : "here");
        return true;
    case VN_TR_BLOCK_ORPHAN:
        snprintf(out, size, "block %s at height %" PRIu64 " from %s has no parent yet", hash, t->a,
                 peer);
        return true;
    case VN_TR_MINED:
        snprintf(out, size, "mined block %s at height %" PRIu64 " with %" PRIu64 " transactions",
                 hash, t->a, t->b);
        return true;
    case VN_TR_TX_NEW:
        snprintf(out, size, "transaction %s from %s", hash, t->link ? peer : "here");
        return true;
    case VN_TR_TX_BAD:
        snprintf(out, size, "refuses transaction %s from %s: %s", hash, peer, text);
        return true;
    case VN_TR_VIOLATION:
        snprintf(out, size, "%s broke the protocol: %s", peer, text);
        return true;
    case VN_TR_SYNC:
        snprintf(out, size, "catching up with %s: %s, height %" PRIu64 " of %" PRIu64, peer, text,
                 t->a, t->b);
        return true;
    case VN_TR_BLOCK_BAD:
    case VN_TR_TIP:
    case VN_TR_SCORE:
    case VN_TR_BAN:
    case VN_TR_UNBAN:
    case VN_TR_DISCONNECT:
    case VN_TR_KINDS:
        break;
    }
    return false;
}

static void hex_of(char out[65], const uint8_t hash[32])
{
    for (int i = 0; i < 32; i++)
        snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

static bool has_height(const struct vn_trace *t)
{
    return t->kind == VN_TR_TIP || t->kind == VN_TR_MINED || t->kind == VN_TR_BLOCK_NEW ||
           t->kind == VN_TR_BLOCK_BAD || t->kind == VN_TR_BLOCK_ORPHAN;
}

void log_trace(struct log *log, const struct links *links, const struct vn_trace *t)
{
    char peer[VN_TCP_ADDR_TEXT] = "a peer", hash[65], message[400];
    struct log_field fields[LOG_FIELDS_MAX];
    uint32_t count = 0;
    if (t->kind >= VN_TR_KINDS || !log_wants(log, level_of(t), rows[t->kind].category))
        return;
    const struct vn_addr *addr = t->addr ? t->addr : links_find(links, t->link);
    if (addr) {
        vn_tcp_addr_format(addr, peer);
        fields[count++] = (struct log_field){.key = "peer", .text = peer, .machine = true};
    }
    if (t->link)
        fields[count++] = (struct log_field){.key = "link", .number = t->link};
    if (has_height(t))
        fields[count++] = (struct log_field){.key = "height", .number = t->a, .machine = true};
    if (t->hash) {
        hex_of(hash, t->hash);
        fields[count++] = (struct log_field){.key = "hash", .text = hash, .machine = true};
    }
    assert(count <= LOG_FIELDS_MAX);
    if (!own_words(message, sizeof message, t, peer))
        words_event(message, sizeof message,
                    &(struct words){.kind = t->kind,
                                    .a = t->a,
                                    .b = t->b,
                                    .hash = t->hash,
                                    .peer = peer,
                                    .text = t->text ? t->text : ""});
    log_fields(log, level_of(t), rows[t->kind].category, kind_of(t), fields, count, "%s", message);
}
