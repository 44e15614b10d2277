/* See lan.h. */
#include "tests/node/lan.h"

#include <string.h>

struct lan_event {
    uint64_t at_ns, order;
    uint32_t node;
    struct lan_conn *conn; /* with `end`: LINK_UP, BYTES, SENT, LINK_DOWN */
    uint32_t end;
    struct vn_event event;   /* kind 0: a dial reaches its target */
    struct vn_slice *slices; /* LOADED */
};

static void pump(struct lan_node *node, struct vn_event event);

/* ---- the queue ---- */

static bool earlier(const struct lan_event *a, const struct lan_event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static struct lan_event *push(struct lan *lan, uint64_t at_ns, uint32_t node)
{
    struct lan_event *event = mem_new(1, sizeof *event);
    event->at_ns = at_ns;
    event->order = lan->order++;
    event->node = node;
    if (lan->queued == lan->queue_cap) {
        lan->queue_cap = lan->queue_cap ? lan->queue_cap * 2 : 256;
        lan->queue = mem_resize(lan->queue, lan->queue_cap, sizeof *lan->queue);
    }
    uint32_t i = lan->queued++;
    for (; i > 0 && earlier(event, lan->queue[(i - 1) / 2]); i = (i - 1) / 2)
        lan->queue[i] = lan->queue[(i - 1) / 2];
    lan->queue[i] = event;
    return event;
}

static struct lan_event *pop(struct lan *lan)
{
    struct lan_event *first = lan->queue[0], *last = lan->queue[--lan->queued];
    uint32_t i = 0;
    for (uint32_t child; (child = 2 * i + 1) < lan->queued; i = child) {
        if (child + 1 < lan->queued && earlier(lan->queue[child + 1], lan->queue[child]))
            child++;
        if (!earlier(lan->queue[child], last))
            break;
        lan->queue[i] = lan->queue[child];
    }
    if (lan->queued > 0)
        lan->queue[i] = last;
    return first;
}

static void event_free(struct lan_event *event)
{
    if (event->event.kind == VN_EV_BYTES)
        vn_slice_unref(event->event.u.bytes.data);
    for (uint32_t i = 0; event->slices && i < event->event.u.loaded.count; i++)
        vn_slice_unref(event->slices[i]);
    mem_free(event->slices);
    mem_free(event);
}

/* ---- links ---- */

static struct lan_conn *find(struct lan *lan, uint32_t node, uint64_t link, uint32_t *end)
{
    for (uint32_t i = lan->conn_count; i-- > 0;)
        for (uint32_t e = 0; e < 2; e++)
            if (lan->conns[i].ends[e].node == node && lan->conns[i].ends[e].link == link) {
                *end = e;
                return &lan->conns[i];
            }
    return NULL;
}

/* Something travels to an end, in order. */
static struct lan_event *toward(struct lan *lan, struct lan_conn *conn, uint32_t end,
                                uint64_t delay_ns, uint32_t kind)
{
    struct lan_end *to = &conn->ends[end];
    uint64_t at = lan->now_ns + delay_ns;
    at = at < to->last_in_ns ? to->last_in_ns : at;
    to->last_in_ns = at;
    struct lan_event *event = push(lan, at, to->node);
    event->conn = conn;
    event->end = end;
    event->event.kind = kind;
    return event;
}

static void down(struct lan *lan, struct lan_conn *conn, uint32_t end, uint64_t delay_ns,
                 enum vn_why why)
{
    toward(lan, conn, end, delay_ns, VN_EV_LINK_DOWN)->event.u.link_down.why = why;
}

static uint32_t node_at(const struct lan *lan, const struct vn_addr *addr)
{
    for (uint32_t i = 0; i < lan->node_count; i++)
        if (memcmp(&lan->nodes[i].cfg.listen, addr, sizeof *addr) == 0)
            return i;
    return LAN_NODES;
}

static void dial(struct lan_node *node, const struct vn_action *action)
{
    struct lan *lan = node->lan;
    assert_true(lan->conn_count < LAN_CONNS);
    struct lan_conn *conn = &lan->conns[lan->conn_count++];
    uint32_t to = node_at(lan, &action->u.dial.remote);
    *conn = (struct lan_conn){.ends = {{.node = node->no, .link = action->link}, {.node = to}},
                              .latency_ns = {lan->latency_ns, lan->latency_ns}};
    if (to == LAN_NODES || lan->separated[node->no][to]) {
        down(lan, conn, 0, S, VN_WHY_UNREACHABLE);
        return;
    }
    for (uint32_t e = 0; e < 2 && lan->latency_of; e++)
        conn->latency_ns[e] = lan->latency_of(lan, node->no, to, e);
    conn->ends[1].link = lan->nodes[to].next_accept;
    lan->nodes[to].next_accept += 2;
    toward(lan, conn, 1, conn->latency_ns[1], VN_EV_LINK_UP);
}

static struct vn_addr end_addr(const struct lan *lan, const struct lan_conn *conn, uint32_t end)
{
    struct vn_addr addr = lan->nodes[conn->ends[end].node].cfg.listen;
    if (end == 0)
        addr.port = (uint16_t)(40000 + (conn - lan->conns));
    return addr;
}

static void deliver_up(struct lan *lan, struct lan_conn *conn, uint32_t end)
{
    struct vn_event event = {.kind = VN_EV_LINK_UP,
                             .u.link_up = {.link = conn->ends[end].link,
                                           .local = end_addr(lan, conn, end),
                                           .remote = end_addr(lan, conn, !end),
                                           .window = lan->window}};
    conn->ends[end].up = true;
    if (end == 1)
        toward(lan, conn, 0, conn->latency_ns[0], VN_EV_LINK_UP);
    pump(&lan->nodes[conn->ends[end].node], event);
}

static void deliver_bytes(struct lan *lan, struct lan_conn *conn, uint32_t end,
                          struct vn_slice data)
{
    for (uint32_t at = 0; at < data.len && !conn->ends[end].down;) {
        struct vn_slice part = {data.buf, data.off + at, data.len - at};
        if (lan->chunk && part.len > lan->chunk)
            part.len = lan->chunk;
        at += part.len;
        struct vn_buf *copy = NULL;
        if (lan->chunk) {
            copy = vn_buf_new(part.len);
            memcpy(copy->data, vn_slice_data(part), part.len);
            part = (struct vn_slice){copy, 0, part.len};
        }
        pump(&lan->nodes[conn->ends[end].node],
             (struct vn_event){.kind = VN_EV_BYTES, .u.bytes = {conn->ends[end].link, part}});
        vn_buf_unref(copy);
    }
}

static void deliver(struct lan *lan, struct lan_event *event)
{
    struct lan_end *end = &event->conn->ends[event->end];
    struct lan_node *node = &lan->nodes[end->node];
    if (end->down)
        return;
    switch (event->event.kind) {
    case VN_EV_LINK_UP:
        if (event->conn->cut) /* the other end went while this was on its way */
            down(lan, event->conn, event->end, 0, VN_WHY_RESET);
        else
            deliver_up(lan, event->conn, event->end);
        return;
    case VN_EV_LINK_DOWN:
        end->down = true;
        event->event.u.link_down.link = end->link;
        pump(node, event->event);
        return;
    case VN_EV_SENT:
        event->event.u.sent.link = end->link;
        pump(node, event->event);
        return;
    default:
        deliver_bytes(lan, event->conn, event->end, event->event.u.bytes.data);
        return;
    }
}

/* ---- actions ---- */

static uint64_t disk_delay(struct lan_node *node)
{
    uint64_t factor = node->lan->disk_disorder ? 1 + node->disk_answers * 7 % 5 : 1;
    node->disk_answers++;
    return node->lan->disk_delay_ns * factor;
}

static void send_off(struct lan_node *node, struct vn_action *action)
{
    uint32_t end = 0;
    struct lan *lan = node->lan;
    struct lan_conn *conn = find(lan, node->no, action->link, &end);
    assert_non_null(conn);
    if (!conn) /* the compiler does not know that the assertion does not return */
        return;
    assert_true(conn->ends[end].up);
    for (uint32_t i = 0; i < action->u.send.count; i++)
        toward(lan, conn, !end, conn->latency_ns[!end], VN_EV_BYTES)->event.u.bytes.data =
            action->u.send.slices[i];
    toward(lan, conn, end, conn->latency_ns[0] + conn->latency_ns[1], VN_EV_SENT)
        ->event.u.sent.bytes = action->u.send.bytes;
}

static void close_link(struct lan_node *node, const struct vn_action *action)
{
    uint32_t end = 0;
    struct lan *lan = node->lan;
    struct lan_conn *conn = find(lan, node->no, action->link, &end);
    assert_non_null(conn);
    if (!conn) /* the compiler does not know that the assertion does not return */
        return;
    conn->ends[end].last_in_ns = lan->now_ns; /* nothing else comes here any more */
    down(lan, conn, end, 0, VN_WHY_LOCAL_CLOSED);
    if (conn->ends[!end].up)
        down(lan, conn, !end, conn->latency_ns[!end], VN_WHY_REMOTE_CLOSED);
    conn->cut = true;
}

static void load(struct lan_node *node, const struct vn_action *action)
{
    struct lan_event *event = push(node->lan, node->lan->now_ns + disk_delay(node), node->no);
    event->slices = mem_new(DISK_ROWS_MAX, sizeof *event->slices);
    event->event.kind = VN_EV_LOADED;
    event->event.u.loaded.token = action->u.load.token;
    event->event.u.loaded.count = disk_load(&node->disk, action, event->slices);
    event->event.u.loaded.slices = event->slices;
}

static void perform(struct lan_node *node, struct vn_action *action)
{
    struct lan *lan = node->lan;
    struct lan_event *event;
    switch ((enum vn_action_kind)action->kind) {
    case VN_ACT_DIAL:
        dial(node, action);
        return;
    case VN_ACT_SEND:
        send_off(node, action);
        return;
    case VN_ACT_CLOSE:
        close_link(node, action);
        return;
    case VN_ACT_STORE:
        disk_store(&node->disk, action);
        event = push(lan, lan->now_ns + disk_delay(node), node->no);
        event->event.kind = VN_EV_STORED;
        event->event.u.stored.token = action->u.store.token;
        return;
    case VN_ACT_LOAD:
        load(node, action);
        return;
    case VN_ACT_REPLY:
        node->last_reply.token = action->u.reply.token;
        node->last_reply.status = action->u.reply.status;
        return;
    case VN_ACT_READ_STOP:
    case VN_ACT_READ_START:
    case VN_ACT_RESOLVE:
    case VN_ACT_COUNT:
        return;
    }
}

/* A step, its drain, and the timer after it. */
static void pump(struct lan_node *node, struct vn_event event)
{
    event.size = sizeof event;
    event.now_ns = node->lan->now_ns;
    if (node->tape)
        tape_event(node->tape, &event);
    node->api->node_step(node->node, &event);
    struct vn_action action;
    for (bool some = true; some;) {
        if (node->tape)
            tape_drain(node->tape);
        some = node->api->node_next_action(node->node, &action);
        if (some)
            perform(node, &action);
    }
    struct vn_audit audit = {.size = sizeof audit};
    if (!node->api->node_audit(node->node, &audit))
        fail_msg("node %u: %s", node->no, audit.what);
    uint64_t due = node->api->node_deadline(node->node);
    if (due < node->timer_ns) {
        node->timer_ns = due < node->lan->now_ns ? node->lan->now_ns : due;
        push(node->lan, node->timer_ns, node->no)->event.kind = VN_EV_TIMER;
    }
}

void lan_run_until(struct lan *lan, uint64_t at_ns)
{
    while (lan->queued > 0 && lan->queue[0]->at_ns <= at_ns) {
        struct lan_event *event = pop(lan);
        struct lan_node *node = event->node < LAN_NODES ? &lan->nodes[event->node] : NULL;
        lan->now_ns = event->at_ns;
        if (event->conn) {
            deliver(lan, event);
        } else if (event->event.kind != VN_EV_TIMER) {
            pump(node, event->event);
        } else if (event->at_ns == node->timer_ns) {
            node->timer_ns = VN_NEVER;
            pump(node, event->event);
        }
        event_free(event);
    }
    lan->now_ns = at_ns;
}

void lan_run(struct lan *lan, uint64_t ns)
{
    lan_run_until(lan, lan->now_ns + ns);
}

/* ---- nodes ---- */

static struct lan_asked *asked_on(struct lan_node *node, uint64_t link)
{
    for (uint32_t i = 0; i < node->asked_count; i++)
        if (node->asked[i].link == link)
            return &node->asked[i];
    assert_true(node->asked_count < LAN_ASKED);
    node->asked[node->asked_count] = (struct lan_asked){.link = link};
    return &node->asked[node->asked_count++];
}

/* At all times at most one request of a kind is open on a link. */
static void audit_requests(struct lan_node *node, const struct vn_trace *trace)
{
    if (trace->kind == VN_TR_MSG_OUT &&
        (trace->a == MSG_REQUEST_BLOCK || trace->a == MSG_REQUEST_BLOCK_RANGE)) {
        uint64_t *at = &asked_on(node, trace->link)->at_ns[trace->a == MSG_REQUEST_BLOCK_RANGE];
        assert_true(*at == 0 || trace->now_ns - *at >= node->cfg.response_timeout_ns);
        *at = trace->now_ns;
        node->ranges_asked += trace->a == MSG_REQUEST_BLOCK_RANGE;
    }
    if (trace->kind == VN_TR_MSG_IN &&
        (trace->a == MSG_RESPONSE_BLOCK || trace->a == MSG_RESPONSE_BLOCK_RANGE))
        asked_on(node, trace->link)->at_ns[trace->a == MSG_RESPONSE_BLOCK_RANGE] = 0;
}

static void on_trace(void *ctx, const struct vn_trace *trace)
{
    struct lan_node *node = ctx;
    int64_t score = (int64_t)trace->a;
    audit_requests(node, trace);
    if (trace->kind == VN_TR_SCORE) {
        node->lowest_score = score < node->lowest_score ? score : node->lowest_score;
        node->evidence += (int64_t)trace->b < 0 && trace->c;
    }
    node->relayed += trace->kind == VN_TR_MSG_OUT &&
                     (trace->a == MSG_NEW_BLOCK || trace->a == MSG_NEW_TRANSACTION);
    node->messages_in += trace->kind == VN_TR_MSG_IN;
    if (trace->kind == VN_TR_TIP && trace->b > node->deepest_reorg)
        node->deepest_reorg = trace->b;
}

void lan_init(struct lan *lan)
{
    *lan = (struct lan){.now_ns = 1000 * S, .latency_ns = 10 * MS, .window = 1 << 20};
    lan->conns = mem_new(LAN_CONNS, sizeof *lan->conns);
}

void lan_deinit(struct lan *lan)
{
    for (uint32_t i = 0; i < lan->node_count; i++) {
        lan->nodes[i].api->node_free(lan->nodes[i].node);
        disk_deinit(&lan->nodes[i].disk);
    }
    while (lan->queued > 0)
        event_free(pop(lan));
    mem_free(lan->queue);
    mem_free(lan->conns);
}

struct vn_addr lan_addr(uint32_t i)
{
    return rig_addr(256 + i, 8765);
}

void lan_config(struct vn_config *cfg, uint32_t i, const char *id)
{
    rig_config(cfg);
    strcpy(cfg->node_id, id);
    cfg->listen = lan_addr(i);
    cfg->seed[0] = (uint8_t)(i + 1);
    cfg->sync_interval_ns = 60 * S;
}

struct lan_node *lan_add(struct lan *lan, const struct vn_config *cfg, const struct vn_api *api,
                         struct tape *tape)
{
    assert_true(lan->node_count < LAN_NODES);
    struct lan_node *node = &lan->nodes[lan->node_count];
    *node = (struct lan_node){.api = api ? api : vn_api(VN_API_VERSION),
                              .cfg = *cfg,
                              .lan = lan,
                              .no = lan->node_count++,
                              .tape = tape,
                              .timer_ns = VN_NEVER,
                              .next_accept = 2};
    node->cfg.on_trace = on_trace;
    node->cfg.trace_ctx = node;
    node->node = node->api->node_new(&node->cfg);
    assert_non_null(node->node);
    uint64_t wall_ns = FORGE_NOW_S * S + lan->now_ns;
    pump(node, (struct vn_event){.kind = VN_EV_CLOCK, .u.clock.wall_ns = wall_ns});
    pump(node, (struct vn_event){.kind = VN_EV_START});
    return node;
}

uint32_t lan_command(struct lan_node *node, struct vn_command command)
{
    node->last_reply.token = 0;
    pump(node, (struct vn_event){.kind = VN_EV_COMMAND, .u.command = {1, &command}});
    assert_int_equal(node->last_reply.token, 1);
    return node->last_reply.status;
}

void lan_connect(struct lan_node *node, uint32_t to)
{
    lan_command(node, (struct vn_command){.kind = VN_CMD_CONNECT, .addr = lan_addr(to)});
}

void lan_reset(struct lan *lan, uint32_t a, uint32_t b)
{
    for (uint32_t i = 0; i < lan->conn_count; i++) {
        struct lan_conn *conn = &lan->conns[i];
        uint32_t from = conn->ends[0].node, to = conn->ends[1].node;
        if (conn->cut || !((from == a && to == b) || (from == b && to == a)))
            continue;
        conn->cut = true;
        down(lan, conn, 0, 0, VN_WHY_RESET);
        if (conn->ends[1].up)
            down(lan, conn, 1, 0, VN_WHY_RESET);
    }
}

void lan_separate(struct lan *lan, uint32_t a, uint32_t b, bool cut)
{
    lan->separated[a][b] = lan->separated[b][a] = cut;
    if (cut)
        lan_reset(lan, a, b);
}

struct vn_info lan_info(const struct lan_node *node)
{
    struct vn_info info = {.size = sizeof info};
    node->api->node_info(node->node, &info);
    return info;
}

uint32_t lan_ready(const struct lan_node *node)
{
    struct vn_info info = lan_info(node);
    return info.inbound + info.outbound;
}

bool lan_same_tip(const struct lan_node *a, const struct lan_node *b)
{
    struct vn_info left = lan_info(a), right = lan_info(b);
    return memcmp(left.tip, right.tip, sizeof left.tip) == 0;
}
