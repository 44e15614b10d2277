/* Do a node's books add up? See node.h; each room knows its own (core/base/audit.h). */
#include "core/node_impl.h"

#include <string.h>

bool vn_node_audit(const struct vn_node *node, struct vn_audit *out)
{
    struct audit found = {0};
    const uint32_t timers = net_audit(&node->net, &found);
    gossip_audit(&node->gossip, &found, timers);
    if (!found.what)
        return true;
    struct vn_audit audit = {
        .link = found.link,
        .kept = found.kept,
        .counted = found.counted,
    };
    const size_t len = strlen(found.what);
    memcpy(audit.what, found.what, len < sizeof audit.what ? len : sizeof audit.what - 1);
    const uint32_t size = out->size < sizeof audit ? out->size : (uint32_t)sizeof audit;
    audit.size = out->size;
    memcpy(out, &audit, size);
    return false;
}
