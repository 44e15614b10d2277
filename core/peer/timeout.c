/* See timeout.h. */
#include "core/peer/timeout.h"

#include "core/base/bytes.h"

uint64_t timeout_handshake_ns(const struct vn_config *cfg, const struct peer *peer)
{
    return add_sat(peer->up_ns, cfg->handshake_timeout_ns);
}

uint64_t timeout_idle_ns(const struct vn_config *cfg, const struct peer *peer)
{
    return peer->read_stopped ? VN_NEVER : add_sat(peer->last_seen_ns, cfg->idle_timeout_ns);
}

uint64_t timeout_stall_ns(const struct vn_config *cfg, const struct peer *peer)
{
    bool blocked = peer->window == 0 && !outbox_empty(&peer->outbox);
    return blocked ? add_sat(peer->progress_ns, cfg->stall_timeout_ns) : VN_NEVER;
}
