/* What happens on the links of scripted peers. The world's callbacks queue it and ask the world to
 * come back; the crank then calls the script's functions, each in a coroutine of its own, at that
 * same simulated time. Failure modes: bytes that are no frame end the reading of a link; of
 * messages that nobody receives a bounded number is kept, and receive says that some were lost. */
#include "scenarios/lua_peer.h"

#include <stdlib.h>
#include <string.h>

#define INBOX_MESSAGES 65536u
#define INBOX_BYTES    (64u << 20)

/* ---- the world's callbacks ---- */

static void queue_event(struct run *run, struct peer_event event)
{
    if (run->peer_event_count == run->peer_event_capacity) {
        run->peer_event_capacity = run->peer_event_capacity ? run->peer_event_capacity * 2 : 16;
        run->peer_events =
            realloc(run->peer_events, run->peer_event_capacity * sizeof *run->peer_events);
        if (!run->peer_events)
            abort();
    }
    run->peer_events[run->peer_event_count++] = event;
    run->stopped = true;
    run->world.stop(run->world.self);
}

void peer_link_play(struct run *run, uint32_t host)
{
    queue_event(run, (struct peer_event){.kind = PEER_PLAY, .host = host});
}

static void on_link(void *ctx, uint32_t host, uint64_t link, const struct vn_addr *remote)
{
    queue_event(
        ctx, (struct peer_event){.kind = PEER_LINK, .host = host, .link = link, .remote = *remote});
}

static void on_bytes(void *ctx, uint32_t host, uint64_t link, struct vn_slice data)
{
    queue_event(ctx,
                (struct peer_event){
                    .kind = PEER_BYTES, .host = host, .link = link, .data = vn_slice_ref(data)});
}

static void on_close(void *ctx, uint32_t host, uint64_t link, uint32_t why)
{
    queue_event(ctx,
                (struct peer_event){.kind = PEER_CLOSE, .host = host, .link = link, .why = why});
}

struct sim_peer_ops peer_link_ops(struct run *run)
{
    return (struct sim_peer_ops){
        .ctx = run, .on_link = on_link, .on_bytes = on_bytes, .on_close = on_close};
}

/* ---- links ---- */

struct peer_script *peer_script_of(struct run *run, uint32_t host)
{
    struct peer_script *s = run->peer_scripts;
    while (s && s->host != host)
        s = s->next;
    return s;
}

struct peer_link *peer_link_find(struct peer_script *s, uint64_t id)
{
    struct peer_link *l = s->links;
    while (l && l->id != id)
        l = l->next;
    return l;
}

struct peer_link *peer_link_add(struct peer_script *s, uint64_t id)
{
    struct peer_link *l = run_alloc(sizeof *l);
    l->id = id;
    l->next = s->links;
    s->links = l;
    return l;
}

void peer_queue_put(struct peer_queue *queue, struct vn_slice data, bool unreadable)
{
    struct peer_item *item = run_alloc(sizeof *item);
    item->data = data;
    item->unreadable = unreadable;
    if (queue->tail)
        queue->tail->next = item;
    else
        queue->head = item;
    queue->tail = item;
    queue->count++;
    queue->bytes += data.len;
}

void peer_queue_pop(struct peer_queue *queue)
{
    struct peer_item *item = queue->head;
    queue->head = item->next;
    if (!queue->head)
        queue->tail = NULL;
    queue->count--;
    queue->bytes -= item->data.len;
    vn_slice_unref(item->data);
    free(item);
}

void peer_link_free(struct peer_script *s, struct peer_link *link)
{
    struct peer_link **at = &s->links;
    while (*at != link)
        at = &(*at)->next;
    *at = link->next;
    framer_deinit(&link->framer);
    while (link->in.head)
        peer_queue_pop(&link->in);
    while (link->out.head)
        peer_queue_pop(&link->out);
    free(link);
}

/* ---- delivery ---- */

/* Pushes the function and the first two arguments; false if the script does not listen. */
static bool push_call(struct run *run, int fn, uint32_t host, uint64_t link)
{
    if (fn == LUA_NOREF)
        return false;
    luaL_checkstack(run->L, 16, "peer");
    lua_rawgeti(run->L, LUA_REGISTRYINDEX, fn);
    lua_host_push(run->L, host);
    lua_pushinteger(run->L, (lua_Integer)link);
    return true;
}

static void wake_receiver(struct run *run, struct peer_link *link)
{
    struct receive_wait *wait = link->waiter;
    link->waiter = NULL;
    if (!wait)
        return;
    wait->over = true;
    schedule_wake(run, run_now(run), WAKE_TASK, wait->task);
}

/* Keeps a copy, so that a small message does not pin a large buffer. */
static void keep_message(struct peer_link *link, struct vn_slice payload, bool unreadable)
{
    if (link->in.count >= INBOX_MESSAGES || link->in.bytes > INBOX_BYTES) {
        link->lost = true;
        return;
    }
    struct vn_slice copy = {.buf = vn_buf_new(payload.len), .len = payload.len};
    if (payload.len > 0)
        memcpy(copy.buf->data, vn_slice_data(payload), payload.len);
    peer_queue_put(&link->in, copy, unreadable);
}

/* By its kind and, of a Disconnect, its reason: its first eight bytes. */
static void count_message(struct peer_script *s, struct vn_slice payload, bool unreadable)
{
    struct peer_counts *c = &s->counts;
    const uint8_t *at = vn_slice_data(payload);
    uint32_t kind = payload.len >= 4 && !unreadable ? get_le32(at) : MSG_KINDS;
    if (kind >= MSG_KINDS) {
        c->unreadable++;
        return;
    }
    c->messages[kind]++;
    uint32_t reason = kind == MSG_DISCONNECT && payload.len >= 8 ? get_le32(at + 4) : REASONS;
    if (reason < REASONS)
        c->reasons[reason]++;
}

static void deliver_message(struct run *run, struct peer_script *s, struct peer_link *link,
                            struct vn_slice payload, bool unreadable)
{
    sandbox_slice(&run->sandbox);
    count_message(s, payload, unreadable);
    if (link->ignored)
        return;
    if (!push_call(run, s->on_message, s->host, link->id)) {
        keep_message(link, payload, unreadable);
        wake_receiver(run, link);
        return;
    }
    if (unreadable)
        lua_newtable(run->L);
    else
        lua_msg_push(run->L, vn_slice_data(payload), payload.len);
    schedule_start(run, 3, false);
}

/* The link stays: it is freed by a later event or by a receive in another task. */
static void deliver_frames(struct run *run, struct peer_script *s, const struct peer_event *e)
{
    struct peer_link *link = peer_link_find(s, e->link);
    if (!link || link->broken)
        return;
    framer_push(&link->framer, e->data);
    for (;;) {
        struct vn_slice payload = {0};
        enum frame_result result = framer_next(&link->framer, &payload);
        if (result == FRAME_NONE)
            return;
        link->broken = result == FRAME_TOO_LARGE;
        deliver_message(run, s, link, payload, link->broken);
        if (link->broken)
            return;
    }
}

static void deliver_bytes(struct run *run, struct peer_script *s, const struct peer_event *e)
{
    s->counts.received += e->data.len;
    if (push_call(run, s->on_bytes, s->host, e->link)) {
        lua_pushlstring(run->L, (const char *)vn_slice_data(e->data), e->data.len);
        schedule_start(run, 3, false);
    }
    deliver_frames(run, s, e);
}

static void deliver_link(struct run *run, struct peer_script *s, const struct peer_event *e)
{
    struct peer_link *link = peer_link_find(s, e->link);
    if (!link)
        link = peer_link_add(s, e->link);
    link->up = true;
    s->counts.up++;
    while (link->out.head) { /* what was sent before it was up */
        run->world.peer_send(run->world.self, s->host, e->link, vn_slice_ref(link->out.head->data));
        peer_queue_pop(&link->out);
    }
    if (push_call(run, s->on_link, e->host, e->link)) {
        lua_addr_push(run->L, &e->remote);
        schedule_start(run, 3, false);
    }
}

static void deliver_close(struct run *run, struct peer_script *s, const struct peer_event *e)
{
    struct peer_link *link = peer_link_find(s, e->link);
    s->counts.closed++;
    if (link) {
        link->closed = true;
        link->why = e->why;
        wake_receiver(run, link);
        if (!link->in.head)
            peer_link_free(s, link);
    }
    if (push_call(run, s->on_close, e->host, e->link)) {
        lua_pushstring(run->L, vn_why_name(e->why));
        schedule_start(run, 3, false);
    }
}

static void deliver(struct run *run, const struct peer_event *e)
{
    struct peer_script *s = peer_script_of(run, e->host);
    if (!s)
        return;
    switch (e->kind) {
    case PEER_LINK:
        deliver_link(run, s, e);
        return;
    case PEER_BYTES:
        deliver_bytes(run, s, e);
        return;
    case PEER_CLOSE:
        deliver_close(run, s, e);
        return;
    case PEER_PLAY:
        if (push_call(run, s->play, e->host, 0)) {
            lua_pop(run->L, 1);
            schedule_start(run, 1, false);
        }
        return;
    }
}

void lua_peer_deliver(struct run *run)
{
    /* By index: a handler may queue more. On an error the rest, and the current one, is freed with
     * the run. */
    for (size_t i = 0; i < run->peer_event_count && !run->stop; i++) {
        struct peer_event e = run->peer_events[i];
        run->dirty = true;
        deliver(run, &e);
        run->peer_events[i].data.buf = NULL;
        vn_slice_unref(e.data);
    }
    if (!run->stop)
        run->peer_event_count = 0;
}

void lua_peer_free(struct run *run)
{
    for (size_t i = 0; i < run->peer_event_count; i++)
        vn_slice_unref(run->peer_events[i].data);
    free(run->peer_events);
    vn_buf_unref(run->scratch);
    while (run->peer_scripts) {
        struct peer_script *s = run->peer_scripts;
        run->peer_scripts = s->next;
        while (s->links)
            peer_link_free(s, s->links);
        free(s);
    }
}
