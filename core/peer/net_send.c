/* See net.h. This file: what leaves. Frames into outboxes, requests, and the queue of actions. */
#include "core/peer/net.h"

#include <assert.h>
#include <string.h>

#define PING_SIZE   12u  /* of its payload, and of a Pong's */
#define PING_PACKED 256u /* larger frames are not copied */

struct action_entry *net_push_action(struct net *net, enum vn_action_kind kind, uint64_t link)
{
    struct action_entry *entry = mem_pool_take_raw(&net->pools->action_entries);
    *entry = (struct action_entry){.kind = kind, .link = link};
    if (net->actions_last)
        net->actions_last->next = entry;
    else
        net->actions = entry;
    net->actions_last = entry;
    return entry;
}

static void schedule_send(struct net *net, struct peer *peer)
{
    if (!peer->up || peer->window == 0 || peer->send_entry || outbox_empty(&peer->outbox))
        return;
    peer->send_entry = net_push_action(net, VN_ACT_SEND, peer->link);
    peer->send_entry->peer = peer;
}

/* A frame was added to the outbox. */
static void queued(struct net *net, struct peer *peer)
{
    if (!outbox_make_room(&peer->outbox, &net->pools->outbox_entries,
                          net->cfg.outbox_soft + peer->window, net->cfg.outbox_hard))
        net_close_silent(net, peer, VN_WHY_STALLED);
    else if (peer->window == 0)
        net_peer_rearm(net, peer); /* from now on it may stall */
    else
        schedule_send(net, peer);
}

void net_send(struct net *net, struct peer *peer, struct vn_slice frame, uint32_t kind,
              enum lane lane)
{
    if (peer->closed) {
        vn_slice_unref(frame);
        return;
    }
    if (outbox_empty(&peer->outbox))
        peer->progress_ns = net->now_ns;
    outbox_push(&peer->outbox, &net->pools->outbox_entries, frame, kind, lane);
    queued(net, peer);
}

/* Field by field, and not by msg_encode: of all messages this one may come in floods. */
void net_send_pong(struct net *net, struct peer *peer, uint64_t nonce)
{
    uint8_t frame[FRAME_HEADER + PING_SIZE];
    if (peer->closed)
        return;
    if (outbox_empty(&peer->outbox))
        peer->progress_ns = net->now_ns;
    put_be32(frame, PING_SIZE);
    put_le32(frame + FRAME_HEADER, MSG_PONG);
    put_le64(frame + FRAME_HEADER + 4, nonce);
    outbox_push_small(&peer->outbox, &net->pools->outbox_entries, frame, sizeof frame, MSG_PONG,
                      LANE_CONTROL);
    queued(net, peer);
}

/* The frames of one call are alike: encoded once, however many outboxes and places they lie in. */
static struct vn_buf *ping_frame(uint64_t nonce, struct vn_slice extra)
{
    const struct msg msg = {.kind = MSG_PING, .u.ping.nonce = nonce};
    const uint32_t payload = PING_SIZE + extra.len;
    struct vn_buf *frame = vn_buf_new(FRAME_HEADER + payload);
    put_be32(frame->data, payload);
    msg_encode(&msg, frame->data + FRAME_HEADER);
    if (extra.len > 0)
        memcpy(frame->data + FRAME_HEADER + PING_SIZE, vn_slice_data(extra), extra.len);
    return frame;
}

bool net_send_pings(struct net *net, struct peer *peer, uint32_t count, struct vn_slice extra)
{
    if (peer->closed || extra.len > FRAME_PAYLOAD_MAX - PING_SIZE)
        return false;
    const uint64_t bytes = (uint64_t)count * (FRAME_HEADER + PING_SIZE + extra.len);
    if (outbox_bytes(&peer->outbox) + bytes > net->cfg.outbox_hard / 2)
        return false;
    peer_errands_begin(peer);
    struct errands *errands = peer->own_errands;
    const bool one_out = errands->ping_ns != 0 && errands->pongs_owed == 0;
    if (errands->pongs_owed > UINT32_MAX - 1 - count)
        return false;
    errands->pongs_owed += count + one_out;
    errands->ping_ns = net->now_ns;
    errands->ping_nonce = rng_u64(&net->ping_rng);
    struct vn_buf *frame = ping_frame(errands->ping_nonce, extra);
    if (outbox_empty(&peer->outbox))
        peer->progress_ns = net->now_ns;
    for (uint32_t i = 0; i < count; i++) {
        if (frame->len <= PING_PACKED)
            outbox_push_small(&peer->outbox, &net->pools->outbox_entries, frame->data, frame->len,
                              MSG_PING, LANE_CONTROL);
        else
            outbox_push(&peer->outbox, &net->pools->outbox_entries,
                        (struct vn_slice){vn_buf_ref(frame), 0, frame->len}, MSG_PING,
                        LANE_CONTROL);
    }
    vn_buf_unref(frame);
    queued(net, peer);
    return true;
}

void net_send_msg(struct net *net, struct peer *peer, const struct msg *msg, enum lane lane)
{
    struct vn_buf *frame = msg_frame(msg);
    assert(frame); /* whoever builds a large message bounds it */
    net_send(net, peer, (struct vn_slice){frame, 0, frame->len}, msg->kind, lane);
}

void net_sent(struct net *net, uint64_t link, uint64_t bytes)
{
    struct peer *peer = net_find(net, link);
    if (!peer || peer->closed)
        return;
    uint64_t window = peer->window + bytes;
    peer->window = window < UINT32_MAX ? (uint32_t)window : UINT32_MAX;
    schedule_send(net, peer);
}

void net_update_reading(struct net *net, struct peer *peer)
{
    if (peer->closed)
        return;
    if (peer->owes)
        peer->owes = net_ready_ns(net, peer, LIMIT_BLOCK) > 0;
    bool stop = peer->owes || peer_overfed(peer);
    if (stop && !peer->read_stopped) {
        peer->read_stopped = true;
        net_push_action(net, VN_ACT_READ_STOP, peer->link);
    } else if (!stop && peer->read_stopped) {
        peer->read_stopped = false;
        peer->last_seen_ns = net->now_ns; /* its silence was our doing */
        net_push_action(net, VN_ACT_READ_START, peer->link);
        net_peer_rearm(net, peer);
    }
    if (peer->owes) /* also where it was not read before, for another reason */
        net_peer_rearm(net, peer);
}

/* ---- requests ---- */

void net_request(struct net *net, struct peer *peer, enum request_kind kind, uint64_t start,
                 uint64_t end)
{
    peer_errands_begin(peer);
    struct request *request = &peer->own_errands->requests[kind];
    assert(!request_open(request));
    request->sent_ns = net->now_ns;
    request->deadline_ns = add_sat(net->now_ns, net->cfg.response_timeout_ns);
    request->start = start;
    request->end = end;
    struct msg msg = {.kind = MSG_REQUEST_BLOCK, .u.request_block.height = start};
    if (kind == REQUEST_RANGE) {
        msg.kind = MSG_REQUEST_BLOCK_RANGE;
        msg.u.request_range.start = start;
        msg.u.request_range.end = end;
    }
    net_send_msg(net, peer, &msg, LANE_CONTROL);
    net_peer_rearm(net, peer);
}

void net_request_done(struct net *net, struct peer *peer, enum request_kind kind)
{
    struct request *request = &peer->own_errands->requests[kind];
    request->deadline_ns = VN_NEVER;
    request->timeouts = 0;
    peer->answer_ns = net->now_ns - request->sent_ns;
}

/* ---- the store ---- */

void net_store(struct net *net, enum vn_store_op op, const void *key, uint32_t key_len,
               uint64_t number, struct vn_slice value)
{
    assert(key_len <= sizeof net->store_items->key);
    if (net->store_count == net->store_capacity) {
        net->store_capacity = net->store_capacity ? net->store_capacity * 2 : 4;
        net->store_items =
            mem_resize(net->store_items, net->store_capacity, sizeof *net->store_items);
    }
    struct vn_store_item *item = &net->store_items[net->store_count++];
    memset(item, 0, sizeof *item);
    item->op = op;
    item->key_len = key_len;
    item->number = number;
    memcpy(item->key, key, key_len);
    item->value = value;
}

/* The present second, encoded: one buffer for all that is stored in it. */
static struct vn_buf *seen_now(struct net *net)
{
    uint64_t now_s = net_wall_s(net);
    if (!net->seen_now || get_le64(net->seen_now->data) != now_s) {
        vn_buf_unref(net->seen_now);
        net->seen_now = vn_buf_new(8);
        put_le64(net->seen_now->data, now_s);
    }
    return net->seen_now;
}

static void store_addr(struct net *net, const struct vn_addr *addr, struct vn_slice value)
{
    uint8_t key[19] = {addr->family};
    memcpy(key + 1, addr->ip, 16);
    put_le16(key + 17, addr->port);
    net_store(net, VN_STORE_ADDR, key, sizeof key, 0, value);
}

void net_store_addr(struct net *net, const struct addr_entry *entry)
{
    struct vn_slice value = {vn_buf_ref(seen_now(net)), 0, 8};
    if (entry->anchor) { /* of which there are few */
        struct vn_buf *more = vn_buf_new(9);
        memcpy(more->data, vn_slice_data(value), 8);
        more->data[8] = 1;
        vn_slice_unref(value);
        value = (struct vn_slice){more, 0, 9};
    }
    store_addr(net, &entry->addr, value);
}

void net_forget_addr(struct net *net, const struct vn_addr *addr)
{
    store_addr(net, addr, (struct vn_slice){0});
}

struct addr_entry *net_addr_add(struct net *net, const struct vn_addr *addr, bool seed)
{
    struct addr_entry *entry = addrs_add(&net->addrs, addr, seed, net->now_ns);
    if (net->addrs.forgot)
        net_forget_addr(net, &net->addrs.forgotten);
    return entry;
}

/* ---- taking actions ---- */

/* One SEND did not take all that leaves before the CLOSE that is queued already: another goes
 * first. */
static void send_before_close(struct net *net, struct peer *peer)
{
    struct action_entry *entry = mem_pool_take(&net->pools->action_entries);
    entry->kind = VN_ACT_SEND;
    entry->link = peer->link;
    entry->peer = peer;
    peer->send_entry = entry;
    entry->next = net->actions;
    net->actions = entry;
    if (!net->actions_last)
        net->actions_last = entry;
}

static void messages_left(struct net *net, struct peer *peer, const struct outbox_left *left)
{
    peer->msgs_out += left->count;
    for (uint32_t i = 0; i < left->count && net_traces(net, VN_TR_MSG_OUT); i++)
        net_trace(net, &(struct vn_trace){.kind = VN_TR_MSG_OUT,
                                          .link = peer->link,
                                          .addr = &peer->remote,
                                          .a = left->kind,
                                          .b = left->bytes});
}

/* Fills a SEND from the outbox; false if nothing can leave. */
static bool fill_send(struct net *net, struct peer *peer, struct vn_action *out)
{
    struct outbox_left finished[VN_SEND_SLICES];
    uint32_t finished_count;
    uint32_t count = outbox_take(&peer->outbox, &net->pools->outbox_entries, peer->window,
                                 out->u.send.slices, VN_SEND_SLICES, finished, &finished_count);
    if (count == 0)
        return false;
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += out->u.send.slices[i].len;
    out->u.send.count = count;
    out->u.send.bytes = bytes;
    peer->window -= bytes;
    peer->bytes_out += bytes;
    peer->progress_ns = net->now_ns;
    for (uint32_t i = 0; i < finished_count; i++)
        messages_left(net, peer, &finished[i]);
    if (peer->closed) {
        if (peer->window > 0 && !outbox_empty(&peer->outbox))
            send_before_close(net, peer);
        else
            outbox_deinit(&peer->outbox, &net->pools->outbox_entries);
        return true;
    }
    schedule_send(net, peer);
    if (peer->window == 0 && !outbox_empty(&peer->outbox))
        net_peer_rearm(net, peer);
    if (peer->read_stopped)
        net_update_reading(net, peer);
    return true;
}

static void fill_reply(const struct action_entry *entry, struct vn_action *out)
{
    out->u.reply.token = entry->link;
    out->u.reply.status = entry->why;
    out->u.reply.text[0] = '\0';
    if (entry->text) {
        size_t len = strlen(entry->text);
        len = len < sizeof out->u.reply.text ? len : sizeof out->u.reply.text - 1;
        memcpy(out->u.reply.text, entry->text, len);
        out->u.reply.text[len] = '\0';
        mem_free(entry->text);
    }
}

/* Turns one entry into an action; false when it has become void. */
static bool fill_action(struct net *net, struct action_entry *entry, struct vn_action *out)
{
    out->size = sizeof *out;
    out->kind = entry->kind;
    out->link = entry->link;
    switch ((enum vn_action_kind)entry->kind) {
    case VN_ACT_SEND:
        if (!entry->peer)
            return false;
        entry->peer->send_entry = NULL;
        return fill_send(net, entry->peer, out);
    case VN_ACT_DIAL:
        memset(&out->u.dial, 0, sizeof out->u.dial);
        out->u.dial.remote = entry->remote;
        out->u.dial.link_class = entry->why;
        return true;
    case VN_ACT_CLOSE:
        out->u.close.why = entry->why;
        return net_find(net, entry->link) != NULL;
    case VN_ACT_READ_STOP:
    case VN_ACT_READ_START: {
        const struct peer *peer = net_find(net, entry->link);
        return peer && !peer->closed;
    }
    case VN_ACT_STORE:
        out->link = 0;
        out->u.store.token = entry->link;
        out->u.store.count = entry->item_count;
        out->u.store.items = net->lent_items = entry->items;
        return true;
    case VN_ACT_LOAD:
        out->link = 0;
        out->u.load.token = entry->link;
        out->u.load.op = entry->why;
        out->u.load.from = entry->from;
        out->u.load.to = entry->to;
        out->u.load.max_bytes = entry->max_bytes;
        return true;
    case VN_ACT_REPLY:
        out->link = 0;
        fill_reply(entry, out);
        return true;
    case VN_ACT_RESOLVE:
    case VN_ACT_COUNT:
        break;
    }
    assert(!"an action that nobody queues");
    return false;
}

bool net_next_action(struct net *net, struct vn_action *out)
{
    if (net->lent_items) {
        mem_free(net->lent_items);
        net->lent_items = NULL;
    }
    while (net->actions) {
        struct action_entry *entry = net->actions;
        net->actions = entry->next;
        if (!net->actions)
            net->actions_last = NULL;
        bool real = fill_action(net, entry, out);
        mem_pool_give(&net->pools->action_entries, entry);
        if (real)
            return true;
    }
    return false;
}

void net_trace(struct net *net, const struct vn_trace *trace)
{
    if (!net_traces(net, (enum vn_trace_kind)trace->kind))
        return;
    struct vn_trace copy = *trace;
    copy.size = sizeof copy;
    copy.now_ns = net->now_ns;
    net->cfg.on_trace(net->cfg.trace_ctx, &copy);
}
