/* See rig.h. This file: the driver. */
#include "tests/node/rig.h"

#include "core/peer/peer.h"

#include <string.h>

struct vn_addr rig_addr(uint32_t host, uint16_t port)
{
    return (struct vn_addr){
        .family = VN_AF_IPV4, .port = port, .ip = {10, 0, (uint8_t)(host >> 8), (uint8_t)host}};
}

void rig_config(struct vn_config *cfg)
{
    vn_config_init(cfg);
    strcpy(cfg->node_id, "m-node-under-test");
    cfg->listen = rig_addr(1, 8765);
    cfg->genesis_timestamp = FORGE_GENESIS_S;
    cfg->difficulty = FORGE_D0;
    cfg->feeler_interval_ns = 0;
    cfg->sync_interval_ns = 1000000 * S; /* asks for news only when told */
}

static void on_trace(void *ctx, const struct vn_trace *trace)
{
    struct rig *rig = ctx;
    if (trace->kind == VN_TR_PEER_STATE)
        assert_true(peer_state_legal((enum vn_peer_state)trace->a, (enum vn_peer_state)trace->b));
    if (rig->trace_count == RIG_TRACES) {
        rig->trace_count = RIG_TRACES / 2;
        memmove(rig->traces, rig->traces + RIG_TRACES / 2, RIG_TRACES / 2 * sizeof *rig->traces);
    }
    struct rig_trace *t = &rig->traces[rig->trace_count++];
    *t = (struct rig_trace){.kind = trace->kind,
                            .now_ns = trace->now_ns,
                            .link = trace->link,
                            .a = trace->a,
                            .b = trace->b,
                            .c = trace->c};
    if (trace->hash)
        memcpy(t->hash, trace->hash, 32);
    if (trace->text)
        strncpy(t->text, trace->text, sizeof t->text - 1);
}

void rig_init(struct rig *rig, const struct vn_config *cfg)
{
    *rig = (struct rig){.now_ns = 1000 * S, .next_accept = 2, .next_token = 1, .window = 1 << 20};
    rig->traces = mem_new(RIG_TRACES, sizeof *rig->traces);
    if (cfg)
        rig->cfg = *cfg;
    else
        rig_config(&rig->cfg);
    rig->cfg.on_trace = on_trace;
    rig->cfg.trace_ctx = rig;
    char why[160] = "";
    if (!vn_config_check(&rig->cfg, why, sizeof why))
        fail_msg("%s", why);
    rig->node = vn_node_new(&rig->cfg);
    assert_non_null(rig->node);
}

static void request_drop(struct rig *rig, uint32_t index)
{
    struct rig_request *request = &rig->requests[index];
    for (uint32_t i = 0; i < request->count; i++)
        vn_slice_unref(request->slices[i]);
    mem_free(request->slices);
    memmove(request, request + 1, (--rig->request_count - index) * sizeof *request);
}

void rig_deinit(struct rig *rig)
{
    vn_node_free(rig->node);
    while (rig->request_count > 0)
        request_drop(rig, 0);
    for (uint32_t i = 0; i < rig->link_count; i++) {
        struct rig_link *link = &rig->links[i];
        for (uint32_t k = 0; k < link->frame_count; k++)
            vn_buf_unref(link->frames[k].payload);
        mem_free(link->frames);
        mem_free(link->partial);
    }
    disk_deinit(&rig->disk);
    mem_free(rig->traces);
}

void rig_restart(struct rig *rig, const struct vn_config *cfg)
{
    struct disk disk = rig->disk;
    uint64_t now_ns = rig->now_ns;
    rig->disk = (struct disk){0};
    rig_deinit(rig);
    rig_init(rig, cfg);
    rig->disk = disk;
    rig->now_ns = now_ns;
}

/* ---- actions ---- */

static struct rig_link *link_new(struct rig *rig, uint64_t id, struct vn_addr remote)
{
    assert_true(rig->link_count < RIG_LINKS);
    assert_null(rig_link(rig, id));
    struct rig_link *link = &rig->links[rig->link_count++];
    *link = (struct rig_link){.id = id, .remote = remote, .reading = true, .window = rig->window};
    return link;
}

/* A whole frame came from the node. */
static void frame_out(struct rig *rig, struct rig_link *link, const uint8_t *payload, uint32_t len)
{
    if (link->frame_count == link->frame_cap) {
        link->frame_cap = link->frame_cap ? link->frame_cap * 2 : 16;
        link->frames = mem_resize(link->frames, link->frame_cap, sizeof *link->frames);
    }
    struct rig_frame *frame = &link->frames[link->frame_count++];
    frame->payload = vn_buf_new(len);
    frame->at_ns = rig->now_ns;
    memcpy(frame->payload->data, payload, len);
    assert_true(msg_decode(&frame->msg, frame->payload->data, len));
    /* An encoder writes no trailing bytes, but behind Pings that a command asks for. */
    assert_true(frame->msg.used == len || (rig->padded_pings && frame->msg.kind == MSG_PING));
    if (frame->msg.kind == MSG_REQUEST_BLOCK || frame->msg.kind == MSG_REQUEST_BLOCK_RANGE) {
        uint64_t *asked = &link->asked_ns[frame->msg.kind == MSG_REQUEST_BLOCK_RANGE];
        assert_true(*asked == 0 || rig->now_ns - *asked >= rig->cfg.response_timeout_ns);
        *asked = rig->now_ns;
    }
}

static void bytes_out(struct rig *rig, struct rig_link *link, const uint8_t *data, uint32_t len)
{
    link->partial = mem_resize(link->partial, link->partial_len + len + 1, 1);
    memcpy(link->partial + link->partial_len, data, len);
    link->partial_len += len;
    uint32_t at = 0;
    while (link->partial_len - at >= FRAME_HEADER) {
        uint32_t size = get_be32(link->partial + at);
        assert_true(size <= FRAME_PAYLOAD_MAX);
        if (link->partial_len - at - FRAME_HEADER < size)
            break;
        frame_out(rig, link, link->partial + at + FRAME_HEADER, size);
        at += FRAME_HEADER + size;
    }
    memmove(link->partial, link->partial + at, link->partial_len - at);
    link->partial_len -= at;
}

static void perform_send(struct rig *rig, struct vn_action *action)
{
    struct rig_link *link = rig_link(rig, action->link);
    assert_non_null(link);
    assert_true(link->up && !link->closed);
    uint32_t sum = 0;
    for (uint32_t i = 0; i < action->u.send.count; i++) {
        struct vn_slice slice = action->u.send.slices[i];
        assert_true(slice.len > 0);
        sum += slice.len;
        if (!link->down)
            bytes_out(rig, link, vn_slice_data(slice), slice.len);
    }
    assert_int_equal(sum, action->u.send.bytes);
    link->unrefunded += sum;
    assert_true(link->unrefunded <= link->window);
    link->sends++;
    link->last_slices = action->u.send.count;
    vn_action_release(action);
}

static struct rig_request *request_new(struct rig *rig, uint64_t token, bool load)
{
    assert_true(rig->request_count < RIG_REQUESTS);
    struct rig_request *request = &rig->requests[rig->request_count++];
    *request = (struct rig_request){.token = token, .load = load};
    return request;
}

static void perform_load(struct rig *rig, const struct vn_action *action)
{
    struct rig_request *request = request_new(rig, action->u.load.token, true);
    request->op = action->u.load.op;
    request->from = action->u.load.from;
    request->to = action->u.load.to;
    request->slices = mem_new(DISK_ROWS_MAX, sizeof *request->slices);
    request->count = disk_load(&rig->disk, action, request->slices);
}

static void perform_close(struct rig *rig, const struct vn_action *action)
{
    struct rig_link *link = rig_link(rig, action->link);
    assert_non_null(link);
    assert_false(link->closed || link->down);
    link->closed = true;
    link->close_why = action->u.close.why;
    link->closed_ns = rig->now_ns;
}

static void perform(struct rig *rig, struct vn_action *action)
{
    assert_int_equal(action->size, sizeof *action);
    struct rig_link *link = rig_link(rig, action->link);
    switch ((enum vn_action_kind)action->kind) {
    case VN_ACT_DIAL:
        assert_int_equal(action->link % 2, 1);
        link = link_new(rig, action->link, action->u.dial.remote);
        link->link_class = action->u.dial.link_class;
        link->dialled_ns = rig->now_ns;
        return;
    case VN_ACT_SEND:
        perform_send(rig, action);
        return;
    case VN_ACT_CLOSE:
        perform_close(rig, action);
        return;
    case VN_ACT_READ_STOP:
    case VN_ACT_READ_START:
        assert_non_null(link);
        assert_int_equal(link->reading, action->kind == VN_ACT_READ_STOP);
        link->reading = !link->reading;
        return;
    case VN_ACT_STORE:
        request_new(rig, action->u.store.token, false);
        if (rig->fail_stores)
            vn_action_release(action);
        else
            disk_store(&rig->disk, action);
        return;
    case VN_ACT_LOAD:
        perform_load(rig, action);
        return;
    case VN_ACT_REPLY:
        rig->last_reply.token = action->u.reply.token;
        rig->last_reply.status = action->u.reply.status;
        memcpy(rig->last_reply.text, action->u.reply.text, sizeof rig->last_reply.text);
        return;
    case VN_ACT_RESOLVE:
    case VN_ACT_COUNT:
        break;
    }
    fail_msg("an unexpected action %u", action->kind);
}

/* ---- events ---- */

static void step(struct rig *rig, struct vn_event event)
{
    event.size = sizeof event;
    event.now_ns = rig->now_ns;
    if (rig->tape)
        tape_event(rig->tape, &event);
    vn_node_step(rig->node, &event);
    struct vn_action action;
    for (bool some = true; some;) {
        if (rig->tape)
            tape_drain(rig->tape);
        some = vn_node_next_action(rig->node, &action);
        if (some)
            perform(rig, &action);
    }
    struct vn_audit audit = {.size = sizeof audit};
    if (!vn_node_audit(rig->node, &audit))
        fail_msg("the node's books say %llu and there are %llu: %s (link %llu)",
                 (unsigned long long)audit.kept, (unsigned long long)audit.counted, audit.what,
                 (unsigned long long)audit.link);
}

/* One thing that the driver owes the node; false if nothing. */
static bool settle_one(struct rig *rig)
{
    if (!rig->manual_disk && rig->request_count > 0) {
        bool load = rig->requests[0].load;
        bool fails = load ? rig->fail_loads : rig->fail_stores;
        rig_answer(rig, 0, fails ? VN_ERR_IO : VN_OK);
        return true;
    }
    for (uint32_t i = 0; i < rig->link_count; i++) {
        struct rig_link *link = &rig->links[i];
        if (link->closed && !link->down && !rig->keep_links) {
            rig_down(rig, link, VN_WHY_LOCAL_CLOSED);
            return true;
        }
        if (link->unrefunded > 0 && !link->down && !rig->keep_window) {
            rig_sent(rig, link, link->unrefunded);
            return true;
        }
    }
    return false;
}

void rig_drain(struct rig *rig)
{
    if (rig->draining)
        return;
    rig->draining = true;
    while (settle_one(rig))
        ;
    rig->draining = false;
}

void rig_step(struct rig *rig, struct vn_event event)
{
    step(rig, event);
    rig_drain(rig);
}

void rig_run_until(struct rig *rig, uint64_t at_ns)
{
    uint32_t idle = 0;
    for (uint64_t due; (due = vn_node_deadline(rig->node)) <= at_ns;) {
        idle = due <= rig->now_ns ? idle + 1 : 0;
        assert_true(idle < 1000); /* a deadline that a TIMER does not move is a busy loop */
        rig->now_ns = due > rig->now_ns ? due : rig->now_ns;
        rig_step(rig, (struct vn_event){.kind = VN_EV_TIMER});
    }
    if (at_ns > rig->now_ns)
        rig->now_ns = at_ns;
}

void rig_run(struct rig *rig, uint64_t ns)
{
    rig_run_until(rig, rig->now_ns + ns);
}

void rig_start(struct rig *rig)
{
    rig_step(rig, (struct vn_event){.kind = VN_EV_CLOCK, .u.clock.wall_ns = FORGE_NOW_S * S});
    rig_step(rig, (struct vn_event){.kind = VN_EV_START});
}

void rig_init_started(struct rig *rig, const struct vn_config *cfg)
{
    rig_init(rig, cfg);
    rig_start(rig);
}

static void link_up(struct rig *rig, struct rig_link *link)
{
    link->up = true;
    rig_step(rig, (struct vn_event){.kind = VN_EV_LINK_UP,
                                    .u.link_up = {.link = link->id,
                                                  .local = rig->cfg.listen,
                                                  .remote = link->remote,
                                                  .window = (uint32_t)link->window}});
}

struct rig_link *rig_accept(struct rig *rig, struct vn_addr remote)
{
    struct rig_link *link = link_new(rig, rig->next_accept, remote);
    rig->next_accept += 2;
    link_up(rig, link);
    return link;
}

void rig_up(struct rig *rig, struct rig_link *link)
{
    assert_true(!link->up && !link->down);
    link_up(rig, link);
}

void rig_down(struct rig *rig, struct rig_link *link, enum vn_why why)
{
    assert_false(link->down);
    link->down = true;
    rig_step(rig, (struct vn_event){.kind = VN_EV_LINK_DOWN, .u.link_down = {link->id, why}});
}

void rig_sent(struct rig *rig, struct rig_link *link, uint64_t bytes)
{
    assert_true(link->unrefunded >= bytes);
    link->unrefunded -= bytes;
    rig_step(rig, (struct vn_event){.kind = VN_EV_SENT, .u.sent = {link->id, bytes}});
}

void rig_bytes(struct rig *rig, struct rig_link *link, const void *data, size_t len)
{
    for (size_t at = 0; at < len && !link->closed && !link->down;) {
        size_t n = rig->chunk && rig->chunk < len - at ? rig->chunk : len - at;
        struct vn_buf *buf = vn_buf_new((uint32_t)n);
        memcpy(buf->data, (const uint8_t *)data + at, n);
        at += n;
        rig_step(rig, (struct vn_event){.kind = VN_EV_BYTES,
                                        .u.bytes = {link->id, {buf, 0, (uint32_t)n}}});
        vn_buf_unref(buf);
    }
}

uint32_t rig_command(struct rig *rig, struct vn_command command)
{
    uint64_t token = rig->next_token++;
    rig->last_reply.token = 0;
    rig_step(rig, (struct vn_event){.kind = VN_EV_COMMAND, .u.command = {token, &command}});
    assert_int_equal(rig->last_reply.token, token);
    return rig->last_reply.status;
}

void rig_answer(struct rig *rig, uint32_t index, enum vn_status status)
{
    assert_true(index < rig->request_count);
    struct rig_request request = rig->requests[index];
    rig->requests[index].slices = NULL;
    rig->requests[index].count = 0;
    request_drop(rig, index);
    struct vn_event event = {.kind = VN_EV_STORED, .u.stored = {request.token, status}};
    if (request.load) {
        event.kind = VN_EV_LOADED;
        event.u.loaded.token = request.token;
        event.u.loaded.status = status;
        event.u.loaded.count = status == VN_OK ? request.count : 0;
        event.u.loaded.slices = request.slices;
    }
    rig_step(rig, event);
    for (uint32_t i = 0; i < request.count; i++)
        vn_slice_unref(request.slices[i]);
    mem_free(request.slices);
}
