/* Scripted peers: hosts without a node whose side of the protocol is played by Lua functions, or by
 * a task that sends and receives in turn:
 *
 *     local p = net:peer { on_link = function(peer, link, addr) ... end,
 *                          on_message = function(peer, link, msg) ... end,
 *                          on_bytes = function(peer, link, bytes) ... end,
 *                          on_close = function(peer, link, why) ... end }
 *
 *     local p = net:peer()
 *     local link = p:dial(node)
 *     p:send(link, { kind = "Handshake", version = "9.0.0" })
 *     local msg, why = p:receive(link, 5)
 */
#include "scenarios/lua_peer.h"
#include "core/wire/msg.h"
#include "scenarios/lua_topology.h"
#include "scenarios/options.h"

#include <string.h>

#define PEER           "peer"
#define SEND_MAX       (16u << 20)
#define RECEIVE_WITHIN (60 * NS_PER_S)

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
    lua_net_self(L, "peer");
    struct run *run = run_acting(L, "net:peer");
    int link = 0, message = 0, bytes = 0, closed = 0, play = 0;
    struct behaviour behaviour;
    struct sim_host_params host = {0};
    struct placing placing = {0};
    const char *region = NULL;
    const struct option options[] = {
        {.name = "on_link", .kind = OPTION_FUNCTION, .out = &link},
        {.name = "on_message", .kind = OPTION_FUNCTION, .out = &message},
        {.name = "on_bytes", .kind = OPTION_FUNCTION, .out = &bytes},
        {.name = "on_close", .kind = OPTION_FUNCTION, .out = &closed},
        {.name = "play", .kind = OPTION_FUNCTION, .out = &play},
        {.name = "uplink", .kind = OPTION_RATE, .out = &host.up_bps, .given = &placing.up_given},
        {.name = "downlink",
         .kind = OPTION_RATE,
         .out = &host.down_bps,
         .given = &placing.down_given},
        {.name = "region", .kind = OPTION_TEXT, .out = &region},
    };
    lua_behaviour_read(L, &behaviour);
    options_read(L, 2, "net:peer", options, sizeof options / sizeof *options);
    lua_topology_placing(L, "net:peer", region, &placing);
    lua_topology_place(run, run->host_count, &placing, &host, NULL);
    sandbox_charge(L, 1000);
    struct peer_script *s = run_alloc(sizeof *s);
    s->next = run->peer_scripts;
    s->host = run->host_count;
    run->peer_scripts = s;
    bool plays = !behaviour.named || lua_behaviour_take(run, s->host, &behaviour);
    s->on_link = reference(L, plays ? link : 0);
    s->on_message = reference(L, plays ? message : 0);
    s->on_bytes = reference(L, plays ? bytes : 0);
    s->on_close = reference(L, plays ? closed : 0);
    s->play = reference(L, plays ? play : 0);
    rng_fork(&s->rng, run->seed, "peer", s->host);
    run_add_host(run, s->host, HOST_PEER, host.region, "");
    const struct sim_peer_ops ops = peer_link_ops(run);
    uint32_t number = run->world.peer_add(run->world.self, &ops, &host);
    if (number != s->host)
        sandbox_error(L, "net:peer: the world numbers its hosts by itself (%u for %u)", number,
                      s->host);
    run_step(run, "peer", s->host, "%s", behaviour.named ? behaviour.name : "");
    if (s->play != LUA_NOREF)
        peer_link_play(run, s->host);
    lua_host_push(L, s->host);
    return 1;
}

struct run *lua_peer_acting(lua_State *L, const char *what, uint32_t *host)
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
    struct run *run = lua_peer_acting(L, "dial", &host);
    struct vn_addr addr;
    if (lua_host_test(L, 2, &target))
        addr = run->world.addr(run->world.self, target);
    else if (lua_type(L, 2) != LUA_TSTRING || !lua_addr_read(lua_tostring(L, 2), &addr))
        sandbox_error(L, "dial: a node, a peer or an address such as \"127.0.0.1:8765\" is needed");
    sandbox_charge(L, 1000);
    uint64_t link = run->world.peer_dial(run->world.self, host, &addr);
    struct peer_script *s = peer_script_of(run, host);
    s->counts.dialled++;
    if (link != 0 && !peer_link_find(s, link))
        peer_link_add(s, link);
    lua_pushinteger(L, (lua_Integer)link);
    return 1;
}

static uint64_t link_arg(lua_State *L, const char *what)
{
    if (!lua_isinteger(L, 2))
        sandbox_error(L, "%s: the first argument is a link, as dial and on_link give it, got %s",
                      what, sandbox_kind(L, 2));
    return (uint64_t)lua_tointeger(L, 2);
}

/* Sends, or keeps what is sent while the link is being dialled. Takes the reference. */
static int send_buf(lua_State *L, struct run *run, uint32_t host, uint64_t id, struct vn_buf *buf)
{
    struct vn_slice data = {.buf = buf, .len = buf->len};
    struct peer_script *s = peer_script_of(run, host);
    struct peer_link *link = peer_link_find(s, id);
    bool dialling = link && !link->up && !link->closed;
    if (dialling)
        peer_queue_put(&link->out, data, false);
    bool sent = dialling || run->world.peer_send(run->world.self, host, id, data);
    s->counts.sent += sent ? data.len : 0;
    lua_pushboolean(L, sent);
    return 1;
}

static int peer_send(lua_State *L)
{
    uint32_t host;
    struct run *run = lua_peer_acting(L, "send", &host);
    uint64_t link = link_arg(L, "send");
    return send_buf(L, run, host, link, lua_msg_frame(L, 3, host));
}

static int peer_send_raw(lua_State *L)
{
    uint32_t host;
    struct run *run = lua_peer_acting(L, "send_raw", &host);
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
    struct run *run = lua_peer_acting(L, "close", &host);
    uint64_t link = link_arg(L, "close");
    lua_pushboolean(L, run->world.peer_close(run->world.self, host, link));
    return 1;
}

/* ---- receive(link, within, kind): stack 1 peer, 2 link, 3 within, 4 kind or nil, 5 deadline ----
 */

static int receive_k(lua_State *L, int status, lua_KContext ctx);

/* Takes messages out until one is of the wanted kind, which is pushed; false if there is none. */
static bool receive_next(lua_State *L, struct peer_link *link)
{
    while (link->in.head) {
        const struct peer_item *item = link->in.head;
        if (item->unreadable)
            lua_newtable(L);
        else
            lua_msg_push(L, vn_slice_data(item->data), item->data.len);
        peer_queue_pop(&link->in);
        if (lua_isnil(L, 4))
            return true;
        lua_getfield(L, -1, "kind");
        bool wanted = lua_rawequal(L, -1, 4);
        lua_pop(L, 1);
        if (wanted)
            return true;
        lua_pop(L, 1);
    }
    return false;
}

static int receive_nothing(lua_State *L, const char *why)
{
    lua_pushnil(L);
    lua_pushstring(L, why);
    return 2;
}

static int receive(lua_State *L)
{
    struct run *run = run_of(L);
    uint32_t host;
    lua_host_test(L, 1, &host);
    struct peer_script *s = peer_script_of(run, host);
    struct peer_link *link = peer_link_find(s, (uint64_t)lua_tointeger(L, 2));
    uint64_t deadline = (uint64_t)lua_tointeger(L, 5);
    if (link && link->lost)
        sandbox_error(L, "receive: messages were lost: more came than are kept; receive them "
                         "sooner, or listen with on_message");
    if (link && receive_next(L, link))
        return 1;
    if (link && link->closed) {
        peer_link_free(s, link);
        link = NULL;
    }
    if (!link)
        return receive_nothing(L, "closed");
    if (run_now(run) >= deadline)
        return receive_nothing(L, "timeout");
    if (link->waiter)
        sandbox_error(L, "receive: another task waits for this link's next message");
    if (sandbox_can_wait(L))
        schedule_receive(run, deadline, &link->waiter);
    return sandbox_wait(L, "receive", 0, receive_k);
}

static int receive_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    lua_settop(L, 5);
    return receive(L);
}

static void check_kind(lua_State *L)
{
    struct suggest best;
    char hint[SUGGEST_HINT];
    if (lua_isnil(L, 4))
        return;
    const char *name = lua_type(L, 4) == LUA_TSTRING ? lua_tostring(L, 4) : "";
    suggest_init(&best, name);
    for (uint32_t kind = 0; kind < MSG_KINDS; kind++) {
        if (strcmp(vn_message_name(kind), name) == 0)
            return;
        suggest_offer(&best, vn_message_name(kind));
    }
    suggest_text(&best, hint, sizeof hint);
    sandbox_error(L, "receive: the kind must be the name of a message such as \"Ping\", got %s%s",
                  lua_type(L, 4) == LUA_TSTRING ? name : sandbox_kind(L, 4), hint);
}

static int peer_receive(lua_State *L)
{
    uint32_t host;
    struct run *run = lua_peer_acting(L, "receive", &host);
    link_arg(L, "receive");
    lua_settop(L, 4);
    uint64_t within = RECEIVE_WITHIN;
    if (!lua_isnil(L, 3))
        within = schedule_time_arg(L, 3, "receive", "within");
    check_kind(L);
    if (peer_script_of(run, host)->on_message != LUA_NOREF)
        sandbox_error(L, "receive: this peer's messages go to its on_message");
    lua_pushinteger(L, (lua_Integer)(run_now(run) + within));
    return receive(L);
}

/* p:read(link, on): whether bytes are taken from the link; while not, its window stays used. */
static int peer_read(lua_State *L)
{
    uint32_t host;
    struct run *run = lua_peer_acting(L, "read", &host);
    uint64_t link = link_arg(L, "read");
    luaL_checktype(L, 3, LUA_TBOOLEAN);
    lua_pushboolean(L, run->world.peer_read(run->world.self, host, link, lua_toboolean(L, 3)));
    return 1;
}

/* p:ignore(link): what comes is taken and forgotten. */
static int peer_ignore(lua_State *L)
{
    uint32_t host;
    struct run *run = lua_peer_acting(L, "ignore", &host);
    struct peer_link *link = peer_link_find(peer_script_of(run, host), link_arg(L, "ignore"));
    lua_pushboolean(L, link != NULL);
    if (!link)
        return 1;
    link->ignored = true;
    while (link->in.head)
        peer_queue_pop(&link->in);
    return 1;
}

static void set_count(lua_State *L, const char *name, uint64_t n)
{
    lua_pushinteger(L, (lua_Integer)n);
    lua_setfield(L, -2, name);
}

/* p:counts(): what it did and what was done to it, so far. */
static int peer_counts(lua_State *L)
{
    struct run *run = run_looking(L, "counts");
    const struct peer_counts *c = &peer_script_of(run, lua_host_arg(L, 1, "counts"))->counts;
    lua_createtable(L, 0, 8);
    set_count(L, "dialled", c->dialled);
    set_count(L, "up", c->up);
    set_count(L, "closed", c->closed);
    set_count(L, "sent", c->sent);
    set_count(L, "received", c->received);
    set_count(L, "unreadable", c->unreadable);
    lua_createtable(L, 0, MSG_KINDS);
    for (uint32_t kind = 0; kind < MSG_KINDS; kind++)
        set_count(L, vn_message_name(kind), c->messages[kind]);
    lua_setfield(L, -2, "messages");
    lua_createtable(L, 0, REASONS);
    for (uint32_t reason = 0; reason < REASONS; reason++)
        set_count(L, wire_reason_name(reason), c->reasons[reason]);
    lua_setfield(L, -2, "reasons");
    return 1;
}

/* The frame of a message as bytes, for send_raw of parts of it. */
static int peer_frame(lua_State *L)
{
    uint32_t host;
    lua_peer_acting(L, "frame", &host);
    struct run *run = run_of(L);
    vn_buf_unref(run->scratch);
    run->scratch = lua_msg_frame(L, 2, host);
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
        {"addr", peer_addr},
        {"close", peer_close},
        {"counts", peer_counts},
        {"dial", peer_dial},
        {"frame", peer_frame},
        {"id", peer_name},
        {"ignore", peer_ignore},
        {"mine", lua_forge_mine},
        {"random", lua_forge_random},
        {"random_bytes", lua_forge_random_bytes},
        {"read", peer_read},
        {"receive", peer_receive},
        {"region", lua_topology_region},
        {"send", peer_send},
        {"send_raw", peer_send_raw},
        {"tx", lua_forge_tx},
        {NULL, NULL},
    };
    lua_class(L, PEER, methods);
    lua_pushcfunction(L, peer_name);
    lua_setfield(L, -2, "__tostring");
    lua_pop(L, 1);
}
