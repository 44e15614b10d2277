/* Scripted peers: hosts without a node whose side of the protocol is played by Lua functions.
 *
 *     local evil = net:peer { on_link = function(peer, link, addr) ... end,
 *                             on_message = function(peer, link, msg) ... end,
 *                             on_bytes = function(peer, link, bytes) ... end,
 *                             on_close = function(peer, link, why) ... end }
 *
 * The world's callbacks queue what happened and ask it to come back; the crank then calls the
 * functions, each in a coroutine of its own, at that same simulated time. */
#include "core/wire/frame.h"
#include "core/wire/msg.h"
#include "scenarios/options.h"
#include "scenarios/run.h"

#include <stdlib.h>
#include <string.h>

#define PEER     "peer"
#define SEND_MAX (16u << 20)

/* The framer of one link of a peer that hears messages. */
struct link_script {
    struct link_script *next;
    uint64_t link;
    struct framer framer;
    bool broken; /* a frame was too large: nothing more can be read */
};

struct peer_script {
    struct peer_script *next;
    uint32_t host;
    int on_link, on_message, on_bytes, on_close; /* references, LUA_NOREF: none */
    struct link_script *links;
};

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

/* ---- delivery ---- */

static struct peer_script *script_of(struct run *run, uint32_t host)
{
    struct peer_script *s = run->peer_scripts;
    while (s && s->host != host)
        s = s->next;
    return s;
}

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

static struct link_script *link_of(struct peer_script *s, uint64_t link, bool make)
{
    struct link_script *l = s->links;
    while (l && l->link != link)
        l = l->next;
    if (!l && make) {
        l = run_alloc(sizeof *l);
        *l = (struct link_script){.next = s->links, .link = link};
        s->links = l;
    }
    return l;
}

static void link_free(struct peer_script *s, uint64_t link)
{
    for (struct link_script **at = &s->links; *at; at = &(*at)->next) {
        struct link_script *l = *at;
        if (l->link != link)
            continue;
        *at = l->next;
        framer_deinit(&l->framer);
        free(l);
        return;
    }
}

/* The payload is copied before Lua runs: the script may close the link or err. */
static void deliver_frames(struct run *run, struct peer_script *s, const struct peer_event *e)
{
    struct link_script *l = link_of(s, e->link, true);
    if (l->broken)
        return;
    framer_push(&l->framer, e->data);
    for (;;) {
        struct vn_slice payload;
        enum frame_result result = framer_next(&l->framer, &payload);
        if (result == FRAME_NONE)
            return;
        push_call(run, s->on_message, s->host, e->link);
        if (result == FRAME_TOO_LARGE) {
            l->broken = true;
            lua_newtable(run->L);
            schedule_start(run, 3, false);
            return;
        }
        lua_msg_push(run->L, vn_slice_data(payload), payload.len);
        schedule_start(run, 3, false);
    }
}

static void deliver_bytes(struct run *run, struct peer_script *s, const struct peer_event *e)
{
    if (push_call(run, s->on_bytes, s->host, e->link)) {
        lua_pushlstring(run->L, (const char *)vn_slice_data(e->data), e->data.len);
        schedule_start(run, 3, false);
    }
    if (s->on_message != LUA_NOREF)
        deliver_frames(run, s, e);
}

static void deliver(struct run *run, const struct peer_event *e)
{
    struct peer_script *s = script_of(run, e->host);
    if (!s)
        return;
    switch (e->kind) {
    case PEER_LINK:
        if (push_call(run, s->on_link, e->host, e->link)) {
            lua_addr_push(run->L, &e->remote);
            schedule_start(run, 3, false);
        }
        return;
    case PEER_BYTES:
        deliver_bytes(run, s, e);
        return;
    case PEER_CLOSE:
        link_free(s, e->link);
        if (push_call(run, s->on_close, e->host, e->link)) {
            lua_pushstring(run->L, vn_why_name(e->why));
            schedule_start(run, 3, false);
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
            link_free(s, s->links->link);
        free(s);
    }
}

/* ---- the vocabulary ---- */

static int reference(lua_State *L, int index)
{
    if (index == 0)
        return LUA_NOREF;
    lua_pushvalue(L, index);
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

int lua_net_peer(lua_State *L)
{
    struct run *run = run_acting(L, "net:peer");
    int link = 0, message = 0, bytes = 0, closed = 0;
    struct sim_host_params host = {0};
    const struct option options[] = {
        {.name = "on_link", .kind = OPTION_FUNCTION, .out = &link},
        {.name = "on_message", .kind = OPTION_FUNCTION, .out = &message},
        {.name = "on_bytes", .kind = OPTION_FUNCTION, .out = &bytes},
        {.name = "on_close", .kind = OPTION_FUNCTION, .out = &closed},
        {.name = "uplink", .kind = OPTION_RATE, .out = &host.up_bps},
        {.name = "downlink", .kind = OPTION_RATE, .out = &host.down_bps},
    };
    options_read(L, 2, "net:peer", options, sizeof options / sizeof *options);
    sandbox_charge(L, 1000);
    struct peer_script *s = run_alloc(sizeof *s);
    s->next = run->peer_scripts;
    s->host = run->host_count;
    run->peer_scripts = s;
    s->on_link = reference(L, link);
    s->on_message = reference(L, message);
    s->on_bytes = reference(L, bytes);
    s->on_close = reference(L, closed);
    run_add_host(run, s->host, HOST_PEER, "");
    const struct sim_peer_ops ops = {
        .ctx = run, .on_link = on_link, .on_bytes = on_bytes, .on_close = on_close};
    uint32_t number = run->world.peer_add(run->world.self, &ops, &host);
    if (number != s->host)
        sandbox_error(L, "net:peer: the world numbers its hosts by itself (%u for %u)", number,
                      s->host);
    run_step(run, "peer", s->host, "%s", "");
    lua_host_push(L, s->host);
    return 1;
}

static struct run *peer_acting(lua_State *L, const char *what, uint32_t *host)
{
    struct run *run = run_acting(L, what);
    if (!luaL_testudata(L, 1, PEER))
        sandbox_error(L, "%s: call it on a peer, with a colon: peer:%s(...)", what, what);
    lua_host_test(L, 1, host);
    return run;
}

static int peer_dial(lua_State *L)
{
    uint32_t host, target;
    struct run *run = peer_acting(L, "dial", &host);
    struct vn_addr addr;
    if (lua_host_test(L, 2, &target))
        addr = run->world.addr(run->world.self, target);
    else if (lua_type(L, 2) != LUA_TSTRING || !lua_addr_read(lua_tostring(L, 2), &addr))
        sandbox_error(L, "dial: a node, a peer or an address such as \"127.0.0.1:8765\" is needed");
    lua_pushinteger(L, (lua_Integer)run->world.peer_dial(run->world.self, host, &addr));
    return 1;
}

static uint64_t link_arg(lua_State *L, const char *what)
{
    if (!lua_isinteger(L, 2))
        sandbox_error(L, "%s: the first argument is a link, as dial and on_link give it, got a %s",
                      what, luaL_typename(L, 2));
    return (uint64_t)lua_tointeger(L, 2);
}

static int send_buf(lua_State *L, struct run *run, uint32_t host, uint64_t link, struct vn_buf *buf)
{
    struct vn_slice data = {.buf = buf, .len = buf->len};
    lua_pushboolean(L, run->world.peer_send(run->world.self, host, link, data));
    return 1;
}

static int peer_send(lua_State *L)
{
    uint32_t host;
    struct run *run = peer_acting(L, "send", &host);
    uint64_t link = link_arg(L, "send");
    return send_buf(L, run, host, link, lua_msg_frame(L, 3));
}

static int peer_send_raw(lua_State *L)
{
    uint32_t host;
    struct run *run = peer_acting(L, "send_raw", &host);
    uint64_t link = link_arg(L, "send_raw");
    size_t len = 0;
    const char *bytes = lua_type(L, 3) == LUA_TSTRING ? lua_tolstring(L, 3, &len) : NULL;
    if (!bytes || len == 0 || len > SEND_MAX)
        sandbox_error(L, "send_raw: a string of 1..%u bytes is needed", SEND_MAX);
    sandbox_charge(L, len / 64);
    struct vn_buf *buf = vn_buf_new((uint32_t)len);
    memcpy(buf->data, bytes, len);
    return send_buf(L, run, host, link, buf);
}

static int peer_close(lua_State *L)
{
    uint32_t host;
    struct run *run = peer_acting(L, "close", &host);
    uint64_t link = link_arg(L, "close");
    lua_pushboolean(L, run->world.peer_close(run->world.self, host, link));
    return 1;
}

/* The frame of a message as bytes, for send_raw of parts of it. */
static int peer_frame(lua_State *L)
{
    uint32_t host;
    peer_acting(L, "frame", &host);
    struct run *run = run_of(L);
    vn_buf_unref(run->scratch);
    run->scratch = lua_msg_frame(L, 2);
    lua_pushlstring(L, (const char *)run->scratch->data, run->scratch->len);
    return 1;
}

static int peer_name(lua_State *L)
{
    char name[24];
    run_host_name(run_of(L), lua_host_arg(L, 1, "id"), name);
    lua_pushstring(L, name);
    return 1;
}

static int peer_addr(lua_State *L)
{
    struct run *run = run_of(L);
    struct vn_addr addr = run->world.addr(run->world.self, lua_host_arg(L, 1, "addr"));
    lua_addr_push(L, &addr);
    return 1;
}

void lua_peer_open(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"addr", peer_addr},         {"close", peer_close}, {"dial", peer_dial},
        {"frame", peer_frame},       {"id", peer_name},     {"send", peer_send},
        {"send_raw", peer_send_raw}, {NULL, NULL},
    };
    lua_class(L, PEER, methods);
    lua_pushcfunction(L, peer_name);
    lua_setfield(L, -2, "__tostring");
    lua_pop(L, 1);
}
