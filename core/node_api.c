/* The table of this build's functions, for drivers that load several builds into one process. */
#include "core/node.h"

const struct vn_api *vn_api(uint32_t version)
{
    static const struct vn_api api = {
        .size = sizeof api,
        .version = VN_API_VERSION,
        .build = VN_BUILD,
        .buf_new = vn_buf_new,
        .action_release = vn_action_release,
        .config_init = vn_config_init,
        .config_check = vn_config_check,
        .shared_new = vn_shared_new,
        .shared_free = vn_shared_free,
        .node_new = vn_node_new,
        .node_free = vn_node_free,
        .node_step = vn_node_step,
        .node_next_action = vn_node_next_action,
        .node_deadline = vn_node_deadline,
        .node_hash = vn_node_hash,
        .node_info = vn_node_info,
        .node_peer = vn_node_peer,
        .node_block_hash = vn_node_block_hash,
        .node_has_tx = vn_node_has_tx,
        .node_prefetch = vn_node_prefetch,
        .node_rx = vn_node_rx,
        .node_bans = vn_node_bans,
        .node_look = vn_node_look,
        .node_audit = vn_node_audit,
    };
    return version == VN_API_VERSION ? &api : NULL;
}
