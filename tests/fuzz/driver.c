/* See driver.h. */
#include "tests/fuzz/driver.h"

#include "core/wire/msg.h"

/* What a node tells is not what it does: only the first is heard, and it hashes like the others. */
static void on_trace(void *ctx, const struct vn_trace *trace)
{
    uint64_t *heard = ctx;
    CLAIM(trace->kind < VN_TR_KINDS && trace->size == sizeof *trace, "a trace of no kind");
    CLAIM(strcmp(vn_trace_name(trace->kind), "?") != 0, "a trace without a name");
    ++*heard;
}

void driver_init(struct driver *d, const struct vn_config *config)
{
    *d = (struct driver){.shared = vn_shared_new(), .next_accepted = 2, .next_command = 1};
    for (uint32_t i = 0; i < DRIVER_NODES; i++) {
        struct vn_config own = *config;
        own.shared = i == 0 ? NULL : d->shared;
        own.on_trace = i == 0 ? on_trace : NULL;
        own.trace_ctx = &d->heard;
        d->nodes[i] = vn_node_new(&own);
        CLAIM(d->nodes[i], "the configuration is refused");
    }
}

bool driver_room(const struct driver *d)
{
    return d->link_count + 32 < DRIVER_LINKS && d->load_count + 32 < DRIVER_TOKENS &&
           d->store_count + 32 < DRIVER_TOKENS;
}

void driver_step(struct driver *d, struct vn_event *event)
{
    driver_step_at(d, event, d->now_ns);
}

void driver_step_at(struct driver *d, struct vn_event *event, uint64_t now_ns)
{
    event->size = sizeof *event;
    event->now_ns = now_ns;
    for (uint32_t i = 0; i < DRIVER_NODES; i++)
        vn_node_step(d->nodes[i], event);
}

/* ---- actions ---- */

static struct driver_link *link_of(struct driver *d, uint64_t id)
{
    for (uint32_t i = 0; i < d->link_count; i++)
        if (d->links[i].id == id)
            return &d->links[i];
    return NULL;
}

static struct driver_link *link_new(struct driver *d, uint64_t id)
{
    CLAIM(d->link_count < DRIVER_LINKS, "the driver's table of links is too small");
    struct driver_link *link = &d->links[d->link_count++];
    *link = (struct driver_link){.id = id};
    return link;
}

static void on_dial(struct driver *d, const struct vn_action *action)
{
    CLAIM(action->link % 2 == 1 && action->link > d->last_dialled, "a dialled link id is reused");
    CLAIM(action->u.dial.remote.family != VN_AF_NONE && action->u.dial.remote.port != 0,
          "a dial goes nowhere");
    d->last_dialled = action->link;
    link_new(d, action->link);
}

static void note_request(struct driver_link *link, const struct msg *msg)
{
    if (link->asked_count == DRIVER_ASKED)
        return;
    if (msg->kind == MSG_REQUEST_BLOCK)
        link->asked[link->asked_count++] =
            (struct driver_asked){false, msg->u.request_block.height, msg->u.request_block.height};
    if (msg->kind == MSG_REQUEST_BLOCK_RANGE)
        link->asked[link->asked_count++] =
            (struct driver_asked){true, msg->u.request_range.start, msg->u.request_range.end};
}

/* What the node says must be messages, and the first one a Handshake or a farewell. */
static void hear(struct driver_link *link, struct vn_slice data)
{
    struct vn_slice payload;
    struct msg msg;
    enum frame_result result;
    framer_push(&link->framer, data);
    while ((result = framer_next(&link->framer, &payload)) == FRAME_READY) {
        CLAIM(msg_decode(&msg, vn_slice_data(payload), payload.len), "the node sends no message");
        CLAIM(msg.used == payload.len, "the node sends trailing bytes");
        CLAIM(link->spoke || msg.kind == MSG_HANDSHAKE || msg.kind == MSG_DISCONNECT,
              "the node speaks before its handshake");
        link->spoke = true;
        note_request(link, &msg);
    }
    CLAIM(result == FRAME_NONE, "the node sends a frame above the limit");
}

static void on_send(struct driver *d, const struct vn_action *action)
{
    struct driver_link *link = link_of(d, action->link);
    uint64_t sum = 0;
    CLAIM(link && link->up && !link->closed && !link->down, "a SEND on a link that is not open");
    CLAIM(action->u.send.count >= 1 && action->u.send.count <= VN_SEND_SLICES,
          "a SEND has no slices or too many");
    for (uint32_t i = 0; i < action->u.send.count; i++) {
        CLAIM(action->u.send.slices[i].len > 0, "a SEND has an empty slice");
        sum += action->u.send.slices[i].len;
        hear(link, action->u.send.slices[i]);
    }
    CLAIM(sum == action->u.send.bytes, "a SEND's sum is wrong");
    CLAIM(sum <= link->window, "a SEND exceeds the window");
    link->window -= (uint32_t)sum;
    link->to_refund += sum;
}

static void on_reading(struct driver *d, const struct vn_action *action, bool stop)
{
    struct driver_link *link = link_of(d, action->link);
    CLAIM(link && link->up && !link->closed && !link->down, "READ_* on a link that is not open");
    CLAIM(link->read_stopped != stop, "READ_STOP and READ_START do not alternate");
    link->read_stopped = stop;
}

static void store_block(struct driver *d, const struct vn_store_item *item)
{
    CLAIM(item->key_len == 32 && item->value.len >= BLOCK_SIZE_MIN, "a stored block is no block");
    for (uint64_t h = item->number; h < DRIVER_BLOCKS; h++) {
        vn_slice_unref(d->disk[h]);
        d->disk[h] = (struct vn_slice){0};
    }
    if (item->number < DRIVER_BLOCKS)
        d->disk[item->number] = vn_slice_ref(item->value);
}

static void on_store(struct driver *d, const struct vn_action *action)
{
    CLAIM(d->store_count < DRIVER_TOKENS, "the driver's table of stores is too small");
    CLAIM(action->u.store.count > 0, "an empty STORE");
    d->stores[d->store_count++] = action->u.store.token;
    for (uint32_t i = 0; i < action->u.store.count; i++)
        if (action->u.store.items[i].op == VN_STORE_BLOCK)
            store_block(d, &action->u.store.items[i]);
}

static void on_load(struct driver *d, const struct vn_action *action)
{
    CLAIM(d->load_count < DRIVER_TOKENS, "the driver's table of loads is too small");
    d->loads[d->load_count++] =
        (struct driver_load){action->u.load.token, action->u.load.from, action->u.load.to,
                             action->u.load.max_bytes, action->u.load.op};
}

static void perform(struct driver *d, const struct vn_action *action)
{
    struct driver_link *link;
    switch ((enum vn_action_kind)action->kind) {
    case VN_ACT_DIAL:
        on_dial(d, action);
        return;
    case VN_ACT_SEND:
        on_send(d, action);
        return;
    case VN_ACT_CLOSE:
        link = link_of(d, action->link);
        CLAIM(link && !link->closed && !link->down, "a CLOSE of a link that is not open");
        link->closed = true;
        return;
    case VN_ACT_READ_STOP:
        on_reading(d, action, true);
        return;
    case VN_ACT_READ_START:
        on_reading(d, action, false);
        return;
    case VN_ACT_STORE:
        on_store(d, action);
        return;
    case VN_ACT_LOAD:
        on_load(d, action);
        return;
    case VN_ACT_REPLY:
        CLAIM(action->u.reply.token == ++d->replies, "a REPLY is missing or out of order");
        return;
    case VN_ACT_RESOLVE:
    case VN_ACT_COUNT:
        break;
    }
    CLAIM(false, "an action of no kind");
}

void driver_drain(struct driver *d)
{
    struct vn_action action;
    for (uint32_t i = 0; i < DRIVER_NODES; i++) {
        while (vn_node_next_action(d->nodes[i], &action)) {
            if (i == 0)
                perform(d, &action);
            vn_action_release(&action);
        }
        CLAIM(vn_node_hash(d->nodes[i]) == vn_node_hash(d->nodes[0]),
              "two nodes with equal events differ");
        CLAIM(vn_node_deadline(d->nodes[i]) == vn_node_deadline(d->nodes[0]),
              "two nodes with equal events have other deadlines");
    }
    struct vn_audit audit = {.size = sizeof audit};
    CLAIM(vn_node_audit(d->nodes[0], &audit), audit.what);
    CLAIM(d->replies + 1 == d->next_command, "a command is not answered");
}

/* ---- events ---- */

void driver_accept(struct driver *d, uint32_t window)
{
    struct driver_link *link = link_new(d, d->next_accepted);
    d->next_accepted += 2;
    driver_dialled_up(d, link, window);
}

void driver_dialled_up(struct driver *d, struct driver_link *link, uint32_t window)
{
    struct vn_event event = {.kind = VN_EV_LINK_UP};
    const uint8_t host = (uint8_t)(link->id % 23);
    link->up = true;
    link->window = window;
    event.u.link_up.link = link->id;
    event.u.link_up.window = window;
    event.u.link_up.local =
        (struct vn_addr){.family = VN_AF_IPV4, .port = 8765, .ip = {10, 9, 9, 9}};
    event.u.link_up.remote =
        (struct vn_addr){.family = VN_AF_IPV4, .port = 40000, .ip = {10, 0, 0, host}};
    driver_step(d, &event);
}

void driver_down(struct driver *d, struct driver_link *link, enum vn_why why)
{
    struct vn_event event = {.kind = VN_EV_LINK_DOWN};
    link->down = true;
    framer_deinit(&link->framer);
    event.u.link_down.link = link->id;
    event.u.link_down.why = why;
    driver_step(d, &event);
}

void driver_bytes(struct driver *d, const struct driver_link *link, struct vn_slice data)
{
    struct vn_event event = {.kind = VN_EV_BYTES};
    event.u.bytes.link = link->id;
    event.u.bytes.data = data;
    driver_step(d, &event);
}

void driver_refund(struct driver *d, struct driver_link *link, uint64_t bytes)
{
    struct vn_event event = {.kind = VN_EV_SENT};
    bytes = bytes < link->to_refund ? bytes : link->to_refund;
    link->to_refund -= bytes;
    link->window += (uint32_t)bytes;
    event.u.sent.link = link->id;
    event.u.sent.bytes = bytes;
    driver_step(d, &event);
}

void driver_stored(struct driver *d, enum vn_status status)
{
    struct vn_event event = {.kind = VN_EV_STORED};
    if (d->store_count == 0)
        return;
    event.u.stored.token = d->stores[0];
    event.u.stored.status = status;
    memmove(d->stores, d->stores + 1, --d->store_count * sizeof *d->stores);
    driver_step(d, &event);
}

/* The blocks that an honest disk answers with, into slices; returns how many. */
static uint32_t read_disk(const struct driver *d, const struct driver_load *load, uint32_t most,
                          struct vn_slice *slices)
{
    uint32_t count = 0;
    uint64_t sum = 0;
    for (uint64_t h = load->from; load->op == VN_LOAD_BLOCKS && h <= load->to && h < DRIVER_BLOCKS;
         h++) {
        sum += d->disk[h].len;
        if (!d->disk[h].buf || count == most || (sum > load->max_bytes && count > 0))
            break;
        slices[count++] = d->disk[h];
    }
    return count;
}

/* Turns the answer into what the lie makes of it. Returns a buffer to be dropped after the event,
 * or NULL. */
static struct vn_buf *spoil(struct vn_slice *slices, uint32_t *count, enum driver_lie lie,
                            uint16_t at, struct vn_slice foreign)
{
    struct vn_buf *copy = NULL;
    const uint32_t i = *count ? at % *count : 0;
    if (*count == 0 && lie == LIE_FOREIGN)
        slices[(*count)++] = foreign;
    if (*count == 0)
        return NULL;
    switch (lie) {
    case LIE_NONE:
    case LIES:
        break;
    case LIE_ORDER:
        for (uint32_t a = 0, b = *count - 1; a < b; a++, b--) {
            const struct vn_slice swap = slices[a];
            slices[a] = slices[b];
            slices[b] = swap;
        }
        break;
    case LIE_TWICE:
        for (uint32_t k = 1; k < *count; k++)
            slices[k] = slices[0];
        break;
    case LIE_FOREIGN:
        slices[i] = foreign;
        break;
    case LIE_TORN:
        slices[i].len = at % (slices[i].len + 1);
        break;
    case LIE_BYTE:
        copy = vn_buf_new(slices[i].len);
        memcpy(copy->data, vn_slice_data(slices[i]), slices[i].len);
        if (copy->len > 0)
            copy->data[at / 8 % copy->len] ^= (uint8_t)(1 << at % 8);
        slices[i] = (struct vn_slice){copy, 0, copy->len};
        break;
    }
    return copy;
}

void driver_loaded(struct driver *d, enum vn_status status, uint32_t most, enum driver_lie lie,
                   uint16_t at, struct vn_slice foreign)
{
    struct vn_event event = {.kind = VN_EV_LOADED};
    struct vn_slice slices[DRIVER_BLOCKS];
    if (d->load_count == 0)
        return;
    const struct driver_load load = d->loads[0];
    memmove(d->loads, d->loads + 1, --d->load_count * sizeof *d->loads);
    uint32_t count = read_disk(d, &load, most, slices);
    struct vn_buf *copy = spoil(slices, &count, lie, at, foreign);
    event.u.loaded.token = load.token;
    event.u.loaded.status = status;
    event.u.loaded.count = count;
    event.u.loaded.slices = slices;
    driver_step(d, &event);
    if (copy)
        vn_buf_unref(copy);
}

void driver_command(struct driver *d, const struct vn_command *command)
{
    struct vn_event event = {.kind = VN_EV_COMMAND};
    event.u.command.token = d->next_command++;
    event.u.command.command = command;
    driver_step(d, &event);
}

/* ---- the end ---- */

void driver_deinit(struct driver *d)
{
    for (uint32_t i = 0; i < d->link_count; i++)
        if (!d->links[i].down)
            driver_down(d, &d->links[i], VN_WHY_RESET);
    /* Dials that this caused stay open: a node may be freed at any time. */
    for (uint32_t i = 0; i < DRIVER_NODES; i++)
        vn_node_free(d->nodes[i]);
    vn_shared_free(d->shared);
    for (uint32_t h = 0; h < DRIVER_BLOCKS; h++)
        vn_slice_unref(d->disk[h]);
}
