/* What happens to a node, in words; see words.h. */
#include "trace/words.h"

#include "core/wire/msg.h"

#include <inttypes.h>
#include <stdio.h>

void words_host(char out[24], bool scripted_peer, uint32_t number)
{
    snprintf(out, 24, "%s-%04u", scripted_peer ? "peer" : "node", number);
}

void words_event(char *out, size_t size, const struct words *w)
{
    char hash[12] = "";
    if (w->hash)
        snprintf(hash, sizeof hash, "%02x%02x%02x%02x", w->hash[0], w->hash[1], w->hash[2],
                 w->hash[3]);
    if (w->kind == VN_TR_TIP && w->b > 0)
        snprintf(out, size, "tip %s at height %" PRIu64 " (reorg %" PRIu64 ")", hash, w->a, w->b);
    else if (w->kind == VN_TR_TIP)
        snprintf(out, size, "tip %s at height %" PRIu64, hash, w->a);
    else if (w->kind == VN_TR_BAN)
        snprintf(out, size, "bans %s", w->peer);
    else if (w->kind == VN_TR_UNBAN)
        snprintf(out, size, "lifts the ban of %s", w->peer);
    else if (w->kind == VN_TR_DISCONNECT)
        snprintf(out, size, "%s Disconnect(%s) %s %s%s%s", w->b ? "sends" : "receives",
                 wire_reason_name((uint32_t)w->a), w->b ? "to" : "from", w->peer,
                 w->text[0] ? ": " : "", w->text);
    else if (w->kind == VN_TR_SCORE)
        snprintf(out, size, "gives %s %" PRId64 " points, now %" PRId64 ": %s", w->peer,
                 (int64_t)w->b, (int64_t)w->a, w->text);
    else if (w->kind == VN_TR_BLOCK_BAD)
        snprintf(out, size, "refuses block %s from %s: %s", hash, w->peer, w->text);
    else
        snprintf(out, size, "%s", w->text);
}

const char *words_event_kind(uint32_t kind)
{
    static const char *const names[] = {"?",      "start",  "link-up",  "link-down",
                                        "bytes",  "sent",   "timer",    "clock",
                                        "stored", "loaded", "resolved", "command"};
    _Static_assert(sizeof names / sizeof *names == VN_EV_COUNT, "an event has no name");
    return kind < VN_EV_COUNT ? names[kind] : names[0];
}
