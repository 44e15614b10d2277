/* See peer.h. */
#include "core/peer/peer.h"

#include <string.h>

#define ID_SHOWN      64u
#define VERSION_SHOWN 31u

/* From (row) to (column). */
static const bool legal[VN_PEER_STATES][VN_PEER_STATES] = {
    [VN_PEER_DISCONNECTED] = {[VN_PEER_CONNECTING] = true,  /* we dial */
                              [VN_PEER_CONNECTED] = true,   /* it dialled us */
                              [VN_PEER_BANNED] = true},
    [VN_PEER_CONNECTING] = {[VN_PEER_CONNECTED] = true,     /* link up */
                            [VN_PEER_DISCONNECTED] = true,  /* the dial failed */
                            [VN_PEER_FAILED] = true,        /* ... once too often */
                            [VN_PEER_BANNED] = true},
    [VN_PEER_CONNECTED] = {[VN_PEER_READY] = true,          /* handshake complete */
                           [VN_PEER_DISCONNECTED] = true,   /* refused, timed out or closed */
                           [VN_PEER_FAILED] = true,
                           [VN_PEER_BANNED] = true},
    [VN_PEER_READY] = {[VN_PEER_DISCONNECTED] = true,       /* closed */
                       [VN_PEER_BANNED] = true},
    [VN_PEER_FAILED] = {[VN_PEER_CONNECTING] = true,        /* tried again */
                        [VN_PEER_CONNECTED] = true,         /* it dialled us */
                        [VN_PEER_BANNED] = true},
    [VN_PEER_BANNED] = {[VN_PEER_DISCONNECTED] = true},     /* the ban is over, or lifted */
};

bool peer_state_legal(enum vn_peer_state from, enum vn_peer_state to)
{
    return legal[from][to];
}

const char *peer_node_id(const struct peer *peer)
{
    return peer->names ? peer->names : "";
}

const char *peer_version(const struct peer *peer)
{
    return peer->names ? peer->names + strlen(peer->names) + 1 : "";
}

/* Copies at most max bytes, a NUL inside shown as '?', and ends with a NUL. Returns what follows */
static char *copy_shown(char *out, const uint8_t *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        *out++ = text[i] ? (char)text[i] : '?';
    *out++ = '\0';
    return out;
}

void peer_set_names(struct peer *peer, const uint8_t *id, size_t id_len, const uint8_t *version,
                    size_t version_len)
{
    id_len = id_len < ID_SHOWN ? id_len : ID_SHOWN;
    version_len = version_len < VERSION_SHOWN ? version_len : VERSION_SHOWN;
    mem_free(peer->names);
    peer->names = mem_new(id_len + version_len + 2, 1);
    copy_shown(copy_shown(peer->names, id, id_len), version, version_len);
}
