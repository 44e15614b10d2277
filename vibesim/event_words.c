/* See event_words.h. */
#include "vibesim/event_words.h"

#include "trace/words.h"

#include <inttypes.h>
#include <stdio.h>

uint64_t event_words_link(const struct vn_event *event)
{
    switch (event->kind) {
    case VN_EV_LINK_UP:
        return event->u.link_up.link;
    case VN_EV_LINK_DOWN:
        return event->u.link_down.link;
    case VN_EV_BYTES:
        return event->u.bytes.link;
    case VN_EV_SENT:
        return event->u.sent.link;
    default:
        return 0;
    }
}

static const char *command_name(uint32_t kind)
{
    static const char *const names[VN_CMD_COUNT] = {
        [VN_CMD_MINE] = "mine",
        [VN_CMD_MINE_INTERVAL] = "mine-interval",
        [VN_CMD_SUBMIT_TX] = "submit-tx",
        [VN_CMD_CONNECT] = "connect",
        [VN_CMD_DISCONNECT] = "disconnect",
        [VN_CMD_BAN] = "ban",
        [VN_CMD_UNBAN] = "unban",
        [VN_CMD_ADD_PEER] = "add-peer",
        [VN_CMD_SHUTDOWN] = "shutdown",
        [VN_CMD_PING] = "ping",
    };
    return kind < VN_CMD_COUNT && names[kind] ? names[kind] : "?";
}

void event_words(char *out, size_t size, const struct vn_event *event, const char *other)
{
    char link[64];
    snprintf(link, sizeof link, "%s (link %" PRIu64 ")", other[0] ? other : "a peer",
             event_words_link(event));
    switch (event->kind) {
    case VN_EV_LINK_UP:
        snprintf(out, size, "link-up: %s by %s", event->u.link_up.link % 2 ? "accepted" : "dialled",
                 link);
        return;
    case VN_EV_LINK_DOWN:
        snprintf(out, size, "link-down: %s: %s", link, vn_why_name(event->u.link_down.why));
        return;
    case VN_EV_BYTES:
        snprintf(out, size, "bytes: %u from %s", event->u.bytes.data.len, link);
        return;
    case VN_EV_SENT:
        snprintf(out, size, "sent: %" PRIu64 " bytes to %s left the window", event->u.sent.bytes,
                 link);
        return;
    case VN_EV_CLOCK:
        snprintf(out, size, "clock: %" PRIu64 ".%09" PRIu64 " s since 1970",
                 event->u.clock.wall_ns / 1000000000u, event->u.clock.wall_ns % 1000000000u);
        return;
    case VN_EV_STORED:
        snprintf(out, size, "stored: batch %" PRIu64 ": %s", event->u.stored.token,
                 vn_status_name(event->u.stored.status));
        return;
    case VN_EV_LOADED:
        snprintf(out, size, "loaded: %u records for %" PRIu64 ": %s", event->u.loaded.count,
                 event->u.loaded.token, vn_status_name(event->u.loaded.status));
        return;
    case VN_EV_COMMAND:
        snprintf(out, size, "command: %s", command_name(event->u.command.command->kind));
        return;
    default:
        snprintf(out, size, "%s", words_event_kind(event->kind));
        return;
    }
}
