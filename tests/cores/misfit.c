/* A shared library that is nearly a build of the core. What is wrong with it is chosen by a
 * definition:
 *   MISFIT_NO_DOOR  there is no vn_api
 *   MISFIT_VERSION  the door has the next version
 *   MISFIT_TABLE    the table lacks a function
 *   MISFIT_CONFIG   struct vn_config is larger
 *   MISFIT_ACTION   struct vn_action is larger
 *   MISFIT_NO_NODE  its own defaults make no node
 *   MISFIT_CRASHES  loading it is a fault
 *   MISFIT_EXITS    loading it ends the process, as if all were well */
#include "core/node.h"

#include <stdlib.h>
#include <string.h>

#if defined(MISFIT_CRASHES) || defined(MISFIT_EXITS)
__attribute__((constructor)) static void on_load(void)
{
#ifdef MISFIT_CRASHES
    abort();
#else
    _Exit(0);
#endif
}
#endif

#ifndef MISFIT_NO_DOOR

#ifdef MISFIT_VERSION
#define DOOR (VN_API_VERSION + 1)
#else
#define DOOR VN_API_VERSION
#endif
#ifdef MISFIT_CONFIG
#define CONFIG_MORE 16
#else
#define CONFIG_MORE 0
#endif
#ifdef MISFIT_ACTION
#define ACTION_MORE 16
#else
#define ACTION_MORE 0
#endif

struct vn_node {
    bool acts;
};

static struct vn_buf *buf_new(uint32_t len)
{
    (void)len;
    abort();
}

static void action_release(struct vn_action *action)
{
    (void)action;
    abort();
}

static void config_init(struct vn_config *config)
{
    memset(config, 0, sizeof *config + CONFIG_MORE);
    config->size = sizeof *config + CONFIG_MORE;
}

static bool config_check(const struct vn_config *config, char *why, size_t size)
{
    (void)config;
    (void)why;
    (void)size;
    return true;
}

static struct vn_shared *shared_new(void)
{
    return NULL;
}

static void shared_free(struct vn_shared *shared)
{
    (void)shared;
}

static struct vn_node *node_new(const struct vn_config *config)
{
    (void)config;
#ifdef MISFIT_NO_NODE
    return NULL;
#else
    return calloc(1, sizeof(struct vn_node));
#endif
}

static void node_free(struct vn_node *node)
{
    free(node);
}

static void node_step(struct vn_node *node, const struct vn_event *event)
{
    node->acts = event->kind == VN_EV_START;
}

static bool node_next_action(struct vn_node *node, struct vn_action *action)
{
    bool some = node->acts;
    node->acts = false;
    action->size = sizeof *action + ACTION_MORE;
    action->kind = VN_ACT_LOAD;
    return some;
}

static uint64_t node_number(const struct vn_node *node)
{
    (void)node;
    return 0;
}

static void node_info(const struct vn_node *node, struct vn_info *out)
{
    (void)node;
    (void)out;
}

static bool node_peer(const struct vn_node *node, uint32_t index, struct vn_peer_info *out)
{
    (void)node;
    (void)index;
    (void)out;
    return false;
}

static bool node_block_hash(const struct vn_node *node, uint64_t height, uint8_t hash[32])
{
    (void)node;
    (void)height;
    (void)hash;
    return false;
}

#ifndef MISFIT_TABLE
static uint32_t node_has_tx(const struct vn_node *node, const uint8_t id[32])
{
    (void)node;
    (void)id;
    return 0;
}
#endif

const struct vn_api *vn_api(uint32_t version)
{
    static const struct vn_api api = {
        .size = sizeof api,
        .version = DOOR,
        .build = "misfit",
        .buf_new = buf_new,
        .action_release = action_release,
        .config_init = config_init,
        .config_check = config_check,
        .shared_new = shared_new,
        .shared_free = shared_free,
        .node_new = node_new,
        .node_free = node_free,
        .node_step = node_step,
        .node_next_action = node_next_action,
        .node_deadline = node_number,
        .node_hash = node_number,
        .node_info = node_info,
        .node_peer = node_peer,
        .node_block_hash = node_block_hash,
#ifndef MISFIT_TABLE
        .node_has_tx = node_has_tx,
#endif
    };
    return version == DOOR ? &api : NULL;
}

#endif
