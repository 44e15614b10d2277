/* A trace's numbers and texts in words, for the event table's detail. */
#include "vibesim/record.h"

#include <stdio.h>

static void hex_of(char out[65], const uint8_t *hash)
{
    out[0] = 0;
    for (int i = 0; hash && i < 32; i++)
        snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

static unsigned long long ull(uint64_t v)
{
    return v;
}

static void peer_state(char *out, size_t size, const struct vn_trace *trace)
{
    snprintf(out, size, "%s -> %s%s%s%s", vn_peer_state_name((uint32_t)trace->a),
             vn_peer_state_name((uint32_t)trace->b), trace->c ? " (" : "",
             trace->c ? vn_why_name((uint32_t)trace->c) : "", trace->c ? ")" : "");
}

void record_words(char *out, size_t size, const struct vn_trace *trace)
{
    char hash[65];
    const char *text = trace->text ? trace->text : "";
    hex_of(hash, trace->hash);
    out[0] = 0;
    switch ((enum vn_trace_kind)trace->kind) {
    case VN_TR_PEER_STATE:
        peer_state(out, size, trace);
        break;
    case VN_TR_BLOCK_NEW:
    case VN_TR_MINED:
        snprintf(out, size, "height %llu, %llu transactions, %s", ull(trace->a), ull(trace->b),
                 hash);
        break;
    case VN_TR_BLOCK_BAD:
    case VN_TR_BLOCK_ORPHAN:
        snprintf(out, size, "height %llu, %s%s%s", ull(trace->a), hash, *text ? ": " : "", text);
        break;
    case VN_TR_TIP:
        if (trace->b)
            snprintf(out, size, "height %llu, %llu blocks replaced, %s", ull(trace->a),
                     ull(trace->b), hash);
        else
            snprintf(out, size, "height %llu, %s", ull(trace->a), hash);
        break;
    case VN_TR_TX_NEW:
    case VN_TR_TX_BAD:
        snprintf(out, size, "%s%s%s", hash, *text ? ": " : "", text);
        break;
    case VN_TR_SCORE:
        snprintf(out, size, "%+lld to %lld: %s%s", (long long)trace->b, (long long)trace->a, text,
                 trace->c ? " (misbehaviour)" : "");
        break;
    case VN_TR_BAN:
        snprintf(out, size, "until %llu s since 1970", ull(trace->a / 1000000000u));
        break;
    case VN_TR_DISCONNECT:
        snprintf(out, size, "%s, reason %llu%s%s", trace->b ? "sent" : "received", ull(trace->a),
                 *text ? ": " : "", text);
        break;
    case VN_TR_VIOLATION:
        snprintf(out, size, "%s", text);
        break;
    case VN_TR_SYNC:
        snprintf(out, size, "%s (%llu, %llu)", text, ull(trace->a), ull(trace->b));
        break;
    case VN_TR_MSG_IN:
    case VN_TR_MSG_OUT:
    case VN_TR_UNBAN:
    case VN_TR_KINDS:
        break;
    }
}
