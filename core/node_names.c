/* Names of the door's enumerators, and the release of an action that nobody performs. */
#include "core/node.h"
#include "core/wire/msg.h"

#define NAME(table, i) ((i) < sizeof(table) / sizeof *(table) ? (table)[i] : "?")

const char *vn_peer_state_name(uint32_t state)
{
    static const char *const names[] = {
        [VN_PEER_DISCONNECTED] = "disconnected",
        [VN_PEER_CONNECTING] = "connecting",
        [VN_PEER_CONNECTED] = "connected",
        [VN_PEER_READY] = "ready",
        [VN_PEER_FAILED] = "failed",
        [VN_PEER_BANNED] = "banned",
    };
    _Static_assert(sizeof names / sizeof *names == VN_PEER_STATES, "a state has no name");
    return NAME(names, state);
}

const char *vn_why_name(uint32_t why)
{
    static const char *const names[] = {
        [VN_WHY_NONE] = "none",
        [VN_WHY_REMOTE_CLOSED] = "remote-closed",
        [VN_WHY_RESET] = "reset",
        [VN_WHY_REFUSED] = "refused",
        [VN_WHY_UNREACHABLE] = "unreachable",
        [VN_WHY_LOCAL_CLOSED] = "local-closed",
        [VN_WHY_SHUTDOWN] = "shutdown",
        [VN_WHY_PROTOCOL] = "protocol",
        [VN_WHY_VERSION] = "version",
        [VN_WHY_TOO_MANY] = "too-many",
        [VN_WHY_DUPLICATE] = "duplicate",
        [VN_WHY_TIMEOUT] = "timeout",
        [VN_WHY_STALLED] = "stalled",
        [VN_WHY_BANNED] = "banned",
    };
    _Static_assert(sizeof names / sizeof *names == VN_WHY_COUNT, "a reason has no name");
    return NAME(names, why);
}

const char *vn_status_name(uint32_t status)
{
    static const char *const names[] = {
        [VN_OK] = "ok",
        [VN_ERR_IO] = "io",
        [VN_ERR_ARGUMENT] = "argument",
        [VN_ERR_STATE] = "state",
        [VN_ERR_LIMIT] = "limit",
        [VN_ERR_INVALID] = "invalid",
        [VN_ERR_UNKNOWN] = "unknown",
    };
    return NAME(names, status);
}

const char *vn_trace_name(uint32_t kind)
{
    static const char *const names[] = {
        [VN_TR_PEER_STATE] = "peer-state",
        [VN_TR_MSG_IN] = "msg-in",
        [VN_TR_MSG_OUT] = "msg-out",
        [VN_TR_BLOCK_NEW] = "block-new",
        [VN_TR_BLOCK_BAD] = "block-bad",
        [VN_TR_BLOCK_ORPHAN] = "block-orphan",
        [VN_TR_MINED] = "mined",
        [VN_TR_TIP] = "tip",
        [VN_TR_TX_NEW] = "tx-new",
        [VN_TR_TX_BAD] = "tx-bad",
        [VN_TR_SCORE] = "score",
        [VN_TR_BAN] = "ban",
        [VN_TR_UNBAN] = "unban",
        [VN_TR_DISCONNECT] = "disconnect",
        [VN_TR_VIOLATION] = "violation",
        [VN_TR_SYNC] = "sync",
    };
    _Static_assert(sizeof names / sizeof *names == VN_TR_KINDS, "a trace has no name");
    return NAME(names, kind);
}

const char *vn_message_name(uint32_t kind)
{
    static const char *const names[] = {
        [MSG_HANDSHAKE] = "Handshake",
        [MSG_NEW_BLOCK] = "NewBlock",
        [MSG_NEW_TRANSACTION] = "NewTransaction",
        [MSG_REQUEST_BLOCK] = "RequestBlock",
        [MSG_RESPONSE_BLOCK] = "ResponseBlock",
        [MSG_REQUEST_BLOCK_RANGE] = "RequestBlockRange",
        [MSG_RESPONSE_BLOCK_RANGE] = "ResponseBlockRange",
        [MSG_PING] = "Ping",
        [MSG_PONG] = "Pong",
        [MSG_DISCONNECT] = "Disconnect",
    };
    _Static_assert(sizeof names / sizeof *names == MSG_KINDS, "a message has no name");
    return NAME(names, kind);
}

void vn_action_release(struct vn_action *action)
{
    switch ((enum vn_action_kind)action->kind) {
    case VN_ACT_SEND:
        for (uint32_t i = 0; i < action->u.send.count; i++)
            vn_slice_unref(action->u.send.slices[i]);
        action->u.send.count = 0;
        break;
    case VN_ACT_STORE:
        for (uint32_t i = 0; i < action->u.store.count; i++)
            vn_slice_unref(action->u.store.items[i].value);
        action->u.store.count = 0;
        break;
    case VN_ACT_DIAL:
    case VN_ACT_CLOSE:
    case VN_ACT_READ_STOP:
    case VN_ACT_READ_START:
    case VN_ACT_LOAD:
    case VN_ACT_RESOLVE:
    case VN_ACT_REPLY:
    case VN_ACT_COUNT:
        break;
    }
}
