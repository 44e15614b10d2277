/* See fake_node.h. Written for clarity, not for speed. */
#include "tests/sim/fake_node.h"

#include "core/base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

struct fake_action {
    struct fake_action *next;
    struct vn_action action;
    struct vn_store_item *items;
};

static uint32_t alive; /* tests have one thread */

uint32_t fake_nodes_alive(void)
{
    return alive;
}

uint64_t fake_stream_hash(uint64_t hash, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u + 0x9e37u;
    return hash;
}

static void chain(struct vn_node *node, uint64_t v)
{
    node->hash = XXH3_64bits_withSeed(&v, sizeof v, node->hash);
}

static bool acts_as(const struct vn_node *node, const char *what)
{
    return strncmp(node->config.node_id, what, strlen(what)) == 0;
}

static struct vn_action *act(struct vn_node *node, uint32_t kind, uint64_t link)
{
    struct fake_action *a = mem_new(1, sizeof *a);
    a->action.size = sizeof a->action;
    a->action.kind = kind;
    a->action.link = link;
    if (node->tail)
        node->tail->next = a;
    else
        node->head = a;
    node->tail = a;
    return &a->action;
}

/* Room for one more: the array grows to the next power of two. */
static void *grown(void *array, uint32_t count, size_t size)
{
    return (count & (count - 1)) == 0 ? mem_resize(array, count > 0 ? 2 * (size_t)count : 1, size)
                                      : array;
}

static struct fake_link *link_get(struct vn_node *node, uint64_t id)
{
    for (uint32_t i = node->link_count; i-- > 0;)
        if (node->links[i].id == id)
            return &node->links[i];
    return NULL;
}

static struct fake_link *link_new(struct vn_node *node, uint64_t id)
{
    assert(!link_get(node, id));
    node->links = grown(node->links, node->link_count, sizeof *node->links);
    struct fake_link *link = &node->links[node->link_count++];
    memset(link, 0, sizeof *link);
    link->id = id;
    return link;
}

/* ---- sending within the window ---- */

static void pump(struct vn_node *node, struct fake_link *link)
{
    while (link->state == FAKE_UP && link->head && link->used < link->window) {
        struct vn_action *action = act(node, VN_ACT_SEND, link->id);
        while (link->head && link->used < link->window && action->u.send.count < VN_SEND_SLICES) {
            struct fake_out *out = link->head;
            struct vn_slice s = out->data;
            uint32_t room = link->window - link->used;
            if (s.len > room) {
                s.len = room;
                out->data.off += room;
                out->data.len -= room;
                vn_slice_ref(s);
            } else {
                link->head = out->next;
                if (!link->head)
                    link->tail = NULL;
                mem_free(out);
            }
            action->u.send.slices[action->u.send.count++] = s;
            action->u.send.bytes += s.len;
            link->used += s.len;
            if (link->used > link->used_max)
                link->used_max = link->used;
            link->tx_hash = fake_stream_hash(link->tx_hash, vn_slice_data(s), s.len);
            link->tx_bytes += s.len;
            link->sent = grown(link->sent, link->sent_count, sizeof *link->sent);
            link->sent[link->sent_count++] =
                (struct fake_sent){link->tx_bytes, link->tx_hash, vn_slice_ref(s)};
        }
    }
}

static void send(struct vn_node *node, struct fake_link *link, struct vn_slice data)
{
    struct fake_out *out = mem_new(1, sizeof *out);
    out->data = vn_slice_ref(data);
    if (link->tail)
        link->tail->next = out;
    else
        link->head = out;
    link->tail = out;
    pump(node, link);
}

static void outbox_drop(struct fake_link *link)
{
    while (link->head) {
        struct fake_out *out = link->head;
        link->head = out->next;
        vn_slice_unref(out->data);
        mem_free(out);
    }
    link->tail = NULL;
}

static void send_all(struct vn_node *node, uint64_t but, struct vn_slice data)
{
    for (uint32_t i = 0; i < node->link_count; i++)
        if (node->links[i].state == FAKE_UP && node->links[i].id != but)
            send(node, &node->links[i], data);
}

/* ---- events ---- */

static void on_frame(struct vn_node *node, struct fake_link *link)
{
    uint32_t number;
    memcpy(&number, link->frame, sizeof number);
    link->frame_len = 0;
    if (node->seen[number % FAKE_FRAMES]++ > 0)
        return;
    node->frames++;
    struct vn_slice copy = {.buf = vn_buf_new(FAKE_FRAME), .len = FAKE_FRAME};
    memcpy(copy.buf->data, link->frame, FAKE_FRAME);
    send_all(node, link->id, copy);
    vn_slice_unref(copy);
}

static void on_bytes(struct vn_node *node, uint64_t id, struct vn_slice data)
{
    struct fake_link *link = link_get(node, id);
    assert(link && link->state == FAKE_UP && data.len > 0);
    if (link->rx_bytes == 0)
        link->first_rx_ns = node->now_ns;
    link->last_rx_ns = node->now_ns;
    link->rx_bytes += data.len;
    link->rx_events++;
    link->rx_hash = fake_stream_hash(link->rx_hash, vn_slice_data(data), data.len);
    chain(node, link->rx_hash);
    if (acts_as(node, "echo"))
        send(node, link, data);
    for (uint32_t i = 0; acts_as(node, "flood") && i < data.len; i++) {
        link->frame[link->frame_len++] = vn_slice_data(data)[i];
        if (link->frame_len == FAKE_FRAME)
            on_frame(node, link);
    }
}

static void on_link_up(struct vn_node *node, const struct vn_event *event)
{
    uint64_t id = event->u.link_up.link;
    struct fake_link *link = link_get(node, id);
    assert(id > 0 && event->u.link_up.window > 0);
    if (id % 2 == 1) {
        assert(link && link->state == FAKE_DIALLING);
    } else {
        assert(id > node->last_accepted);
        node->last_accepted = id;
        link = link_new(node, id);
    }
    link->state = FAKE_UP;
    link->local = event->u.link_up.local;
    link->remote = event->u.link_up.remote;
    link->window = event->u.link_up.window;
    link->up_ns = node->now_ns;
    chain(node, link->remote.port);
}

static void on_link_down(struct vn_node *node, uint64_t id, uint32_t why)
{
    struct fake_link *link = link_get(node, id);
    assert(link && link->state != FAKE_DOWN && link->downs == 0);
    assert(why > VN_WHY_NONE && why <= VN_WHY_LOCAL_CLOSED);
    assert((link->state == FAKE_CLOSING) == (why == VN_WHY_LOCAL_CLOSED) ||
           link->state == FAKE_CLOSING);
    link->state = FAKE_DOWN;
    link->why = why;
    link->downs++;
    link->down_ns = node->now_ns;
    outbox_drop(link);
    chain(node, why);
}

static void on_sent(struct vn_node *node, uint64_t id, uint64_t bytes)
{
    struct fake_link *link = link_get(node, id);
    assert(link && link->state == FAKE_UP && bytes > 0 && bytes <= link->used);
    link->used -= (uint32_t)bytes;
    chain(node, bytes);
    pump(node, link);
}

static void on_loaded(struct vn_node *node, const struct vn_event *event)
{
    node->loads++;
    node->loaded_last = event->u.loaded.status;
    node->loaded_blocks = event->u.loaded.count;
    node->loaded_bytes = 0;
    for (uint32_t i = 0; i < event->u.loaded.count; i++) {
        node->loaded_bytes += event->u.loaded.slices[i].len;
        if (i < FAKE_LOADED)
            node->loaded[i] = *vn_slice_data(event->u.loaded.slices[i]);
    }
    chain(node, node->loaded_bytes);
}

static void store_blocks(struct vn_node *node, uint64_t count)
{
    struct vn_action *action = act(node, VN_ACT_STORE, 0);
    struct vn_store_item *items = mem_new((size_t)count, sizeof *items);
    node->tail->items = items;
    for (uint64_t i = 0; i < count; i++) {
        items[i].op = VN_STORE_BLOCK;
        items[i].number = node->stored++;
        items[i].value = (struct vn_slice){.buf = vn_buf_new(1), .len = 1};
        items[i].value.buf->data[0] = (uint8_t)(node->stored & 0x3f) | node->branch;
    }
    action->u.store.token = node->stored;
    action->u.store.count = (uint32_t)count;
    action->u.store.items = items;
}

static void close_link(struct vn_node *node, struct fake_link *link)
{
    if (link->state != FAKE_UP && link->state != FAKE_DIALLING)
        return;
    link->state = FAKE_CLOSING;
    act(node, VN_ACT_CLOSE, link->id)->u.close.why = VN_WHY_SHUTDOWN;
}

static void on_command_link(struct vn_node *node, const struct vn_command *command,
                            struct fake_link *link)
{
    if (command->kind == VN_CMD_DISCONNECT)
        close_link(node, link);
    if (link->state != FAKE_UP)
        return;
    if (command->kind == VN_CMD_SUBMIT_TX)
        send(node, link, command->data);
    if (command->kind == VN_CMD_BAN)
        act(node, VN_ACT_READ_STOP, link->id);
    if (command->kind == VN_CMD_UNBAN)
        act(node, VN_ACT_READ_START, link->id);
}

static void on_command(struct vn_node *node, const struct vn_event *event)
{
    const struct vn_command *command = event->u.command.command;
    chain(node, command->kind);
    if (command->kind == VN_CMD_CONNECT) {
        uint64_t id = node->next_dial;
        node->next_dial += 2;
        link_new(node, id)->state = FAKE_DIALLING;
        act(node, VN_ACT_DIAL, id)->u.dial.remote = command->addr;
    } else if (command->kind == VN_CMD_MINE) {
        store_blocks(node, command->number);
    } else if (command->kind == VN_CMD_SHUTDOWN) {
        node->stored = command->number;
        node->branch += 0x40;
    } else if (command->kind == VN_CMD_MINE_INTERVAL) {
        node->tick_ns = command->number;
        node->deadline_ns = node->now_ns + node->tick_ns;
    } else if (command->kind == VN_CMD_ADD_PEER) {
        struct vn_action *action = act(node, VN_ACT_LOAD, 0);
        action->u.load.op = VN_LOAD_BLOCKS;
        action->u.load.to = UINT64_MAX;
        action->u.load.max_bytes = command->number;
    }
    for (uint32_t i = 0; i < node->link_count; i++)
        if (command->number == 0 || command->number == node->links[i].id)
            on_command_link(node, command, &node->links[i]);
    struct vn_action *reply = act(node, VN_ACT_REPLY, 0);
    reply->u.reply.token = event->u.command.token;
}

static void on_timer(struct vn_node *node)
{
    struct vn_slice byte = {.buf = vn_buf_new(1), .len = 1};
    assert(node->now_ns >= node->deadline_ns);
    byte.buf->data[0] = 7;
    node->timers++;
    node->deadline_ns = node->now_ns + node->tick_ns;
    send_all(node, 0, byte);
    vn_slice_unref(byte);
}

static void step(struct vn_node *node, const struct vn_event *event)
{
    assert(event->size == sizeof *event && event->now_ns >= node->now_ns);
    assert((node->starts == 0) == (event->kind == VN_EV_START));
    node->now_ns = event->now_ns;
    chain(node, event->now_ns);
    chain(node, event->kind);
    switch ((enum vn_event_kind)event->kind) {
    case VN_EV_START:
        node->starts++;
        return;
    case VN_EV_LINK_UP:
        on_link_up(node, event);
        return;
    case VN_EV_LINK_DOWN:
        on_link_down(node, event->u.link_down.link, event->u.link_down.why);
        return;
    case VN_EV_BYTES:
        on_bytes(node, event->u.bytes.link, event->u.bytes.data);
        return;
    case VN_EV_SENT:
        on_sent(node, event->u.sent.link, event->u.sent.bytes);
        return;
    case VN_EV_TIMER:
        on_timer(node);
        return;
    case VN_EV_CLOCK:
        node->wall_ns = event->u.clock.wall_ns;
        node->clocks++;
        return;
    case VN_EV_STORED:
        node->stored_ok += event->u.stored.status == VN_OK;
        node->stored_last = event->u.stored.status;
        return;
    case VN_EV_LOADED:
        on_loaded(node, event);
        return;
    case VN_EV_COMMAND:
        on_command(node, event);
        return;
    case VN_EV_RESOLVED:
    case VN_EV_COUNT:
        break;
    }
    assert(!"an event that a driver gives");
}

/* ---- the door ---- */

static bool next_action(struct vn_node *node, struct vn_action *action)
{
    struct fake_action *a = node->head;
    if (!a)
        return false;
    *action = a->action;
    node->head = a->next;
    if (!node->head)
        node->tail = NULL;
    if (a->items) { /* valid until the next call: kept in the node */
        mem_free(node->items);
        node->items = a->items;
    }
    chain(node, action->kind);
    chain(node, action->link);
    mem_free(a);
    return true;
}

static void action_release(struct vn_action *action)
{
    if (action->kind == VN_ACT_SEND)
        for (uint32_t i = 0; i < action->u.send.count; i++)
            vn_slice_unref(action->u.send.slices[i]);
    if (action->kind == VN_ACT_STORE)
        for (uint32_t i = 0; i < action->u.store.count; i++)
            vn_slice_unref(action->u.store.items[i].value);
}

static bool config_check(const struct vn_config *config, char *why, size_t size)
{
    if (config->node_id[0] != 0)
        return true;
    if (why && size > 0)
        snprintf(why, size, "node_id: must not be empty");
    return false;
}

static struct vn_node *node_new(const struct vn_config *config)
{
    struct vn_node *node = mem_new(1, sizeof *node);
    node->config = *config;
    node->deadline_ns = VN_NEVER;
    node->next_dial = 1;
    memcpy(&node->hash, config->seed, sizeof node->hash);
    alive++;
    return node;
}

static void node_free(struct vn_node *node)
{
    struct vn_action action;
    while (next_action(node, &action))
        action_release(&action);
    for (uint32_t i = 0; i < node->link_count; i++) {
        outbox_drop(&node->links[i]);
        for (uint32_t k = 0; k < node->links[i].sent_count; k++)
            vn_slice_unref(node->links[i].sent[k].data);
        mem_free(node->links[i].sent);
    }
    mem_free(node->items);
    mem_free(node->links);
    mem_free(node);
    alive--;
}

static uint64_t node_deadline(const struct vn_node *node)
{
    return node->deadline_ns;
}

static uint64_t node_hash(const struct vn_node *node)
{
    return node->hash;
}

static struct vn_shared *shared_new(void)
{
    return mem_new(1, 1);
}

static void shared_free(struct vn_shared *shared)
{
    mem_free(shared);
}

const struct vn_api *vn_api(uint32_t version)
{
    static const struct vn_api api = {
        .size = sizeof api,
        .version = VN_API_VERSION,
        .build = "fake",
        .buf_new = vn_buf_new,
        .action_release = action_release,
        .config_check = config_check,
        .shared_new = shared_new,
        .shared_free = shared_free,
        .node_new = node_new,
        .node_free = node_free,
        .node_step = step,
        .node_next_action = next_action,
        .node_deadline = node_deadline,
        .node_hash = node_hash,
    };
    return version == VN_API_VERSION ? &api : NULL;
}
