/* Nodes as scenarios see them: what one may look at, and what one may do to them. */
#include "scenarios/lua_topology.h"
#include "scenarios/options.h"
#include "scenarios/run.h"

#include <stdlib.h>

#define NODE    "node"
#define PEER    "peer"
#define HANDLES "run.handles"

struct handle {
    uint32_t host;
};

/* ---- handles ---- */

void lua_host_push(lua_State *L, uint32_t host)
{
    const struct run *run = run_of(L);
    luaL_checkstack(L, 4, "node");
    lua_getfield(L, LUA_REGISTRYINDEX, HANDLES);
    if (lua_rawgeti(L, -1, (lua_Integer)host + 1) == LUA_TNIL) {
        lua_pop(L, 1);
        struct handle *h = lua_newuserdatauv(L, sizeof *h, 0);
        h->host = host;
        luaL_setmetatable(L, run->hosts[host].role == HOST_PEER ? PEER : NODE);
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, (lua_Integer)host + 1);
    }
    lua_remove(L, -2);
}

bool lua_host_test(lua_State *L, int arg, uint32_t *host)
{
    const struct handle *h = luaL_testudata(L, arg, NODE);
    if (!h)
        h = luaL_testudata(L, arg, PEER);
    if (h)
        *host = h->host;
    return h != NULL;
}

uint32_t lua_host_arg(lua_State *L, int arg, const char *what)
{
    uint32_t host;
    if (!lua_host_test(L, arg, &host))
        sandbox_error(L, "%s: a node or a peer is needed, got %s", what, sandbox_kind(L, arg));
    return host;
}

uint32_t lua_node_arg(lua_State *L, const char *what)
{
    const struct handle *h = luaL_testudata(L, 1, NODE);
    if (!h)
        sandbox_error(L, "%s: call it on a node, with a colon: node:%s(...)", what, what);
    return h->host;
}

static int host_tostring(lua_State *L)
{
    char name[24];
    run_host_name(run_of(L), lua_host_arg(L, 1, "tostring"), name);
    lua_pushstring(L, name);
    return 1;
}

static int host_addr(lua_State *L)
{
    struct run *run = run_of(L);
    struct vn_addr addr = run->world.addr(run->world.self, lua_host_arg(L, 1, "addr"));
    lua_addr_push(L, &addr);
    return 1;
}

/* ---- looking ---- */

/* False, with nil pushed, if the node is not running. */
static bool node_info(lua_State *L, const char *what, struct vn_info *info)
{
    struct run *run = run_looking(L, what);
    uint32_t host = lua_node_arg(L, what);
    bool ok = run->world.info(run->world.self, host, info);
    if (!ok)
        lua_pushnil(L);
    return ok;
}

static int node_height(lua_State *L)
{
    struct vn_info info;
    if (node_info(L, "height", &info))
        lua_pushinteger(L, (lua_Integer)info.height);
    return 1;
}

static int node_tip(lua_State *L)
{
    struct vn_info info;
    if (node_info(L, "tip", &info))
        lua_hash_push(L, info.tip);
    return 1;
}

static int node_mempool(lua_State *L)
{
    struct vn_info info;
    if (node_info(L, "mempool", &info))
        lua_pushinteger(L, info.mempool);
    return 1;
}

static void set_whole(lua_State *L, const char *name, uint64_t v)
{
    lua_pushinteger(L, (lua_Integer)v);
    lua_setfield(L, -2, name);
}

static int node_info_table(lua_State *L)
{
    struct vn_info info;
    if (!node_info(L, "info", &info))
        return 1;
    lua_createtable(L, 0, 12);
    set_whole(L, "outbound", info.outbound);
    set_whole(L, "inbound", info.inbound);
    set_whole(L, "connecting", info.connecting);
    set_whole(L, "known", info.known);
    set_whole(L, "banned", info.banned);
    set_whole(L, "mempool", info.mempool);
    set_whole(L, "orphans", info.orphans);
    set_whole(L, "height", info.height);
    lua_hash_push(L, info.tip);
    lua_setfield(L, -2, "tip");
    lua_pushnumber(L, (double)info.wall_ns / 1e9);
    lua_setfield(L, -2, "clock");
    set_whole(L, "held_bytes", info.held_bytes);
    set_whole(L, "work", info.work);
    return 1;
}

static int node_block_hash(lua_State *L)
{
    struct run *run = run_looking(L, "block_hash");
    uint32_t host = lua_node_arg(L, "block_hash");
    uint8_t hash[32];
    if (run->world.block_hash(run->world.self, host, lua_u64_arg(L, 2, "block_hash", "the height"),
                              hash))
        lua_hash_push(L, hash);
    else
        lua_pushnil(L);
    return 1;
}

/* "pool", "block" or nil. */
static int node_has_tx(lua_State *L)
{
    struct run *run = run_looking(L, "has_tx");
    uint32_t host = lua_node_arg(L, "has_tx");
    size_t len;
    const char *text = luaL_checklstring(L, 2, &len);
    uint8_t id[32];
    if (!lua_hash_read(text, len, id))
        sandbox_error(L, "has_tx: the id must be 64 hex digits, got \"%s\"", text);
    uint32_t has = run->world.has_tx(run->world.self, host, id);
    if (has == 0)
        lua_pushnil(L);
    else
        lua_pushstring(L, has == 1 ? "pool" : "block");
    return 1;
}

static int node_alive(lua_State *L)
{
    struct run *run = run_looking(L, "alive");
    lua_pushboolean(L, run->world.alive(run->world.self, lua_node_arg(L, "alive")));
    return 1;
}

static void push_peer(lua_State *L, struct run *run, const struct vn_peer_info *p)
{
    static const char *const classes[] = {"none", "peer", "feeler", "lookup"};
    lua_createtable(L, 0, 21);
    lua_pushstring(L, vn_peer_state_name(p->state));
    lua_setfield(L, -2, "state");
    set_whole(L, "link", p->link);
    lua_pushboolean(L, p->link != 0 && (p->link & 1) == 0);
    lua_setfield(L, -2, "inbound");
    lua_pushstring(L, p->link_class < 4 ? classes[p->link_class] : "?");
    lua_setfield(L, -2, "class");
    lua_pushinteger(L, p->score);
    lua_setfield(L, -2, "score");
    lua_addr_push(L, &p->addr);
    lua_setfield(L, -2, "addr");
    if (p->listen.family != VN_AF_NONE) {
        lua_addr_push(L, &p->listen);
        lua_setfield(L, -2, "listen");
    }
    lua_pushstring(L, p->node_id);
    lua_setfield(L, -2, "id");
    lua_pushstring(L, p->version);
    lua_setfield(L, -2, "version");
    lua_pushnumber(L, (double)p->rtt_ns / 1e9);
    lua_setfield(L, -2, "rtt");
    lua_pushnumber(L, (double)p->last_seen_ns / 1e9);
    lua_setfield(L, -2, "last_seen");
    lua_pushnumber(L, (double)p->up_ns / 1e9);
    lua_setfield(L, -2, "up");
    set_whole(L, "bytes_in", p->bytes_in);
    set_whole(L, "bytes_out", p->bytes_out);
    set_whole(L, "msgs_in", p->msgs_in);
    set_whole(L, "msgs_out", p->msgs_out);
    set_whole(L, "best_height", p->best_height);
    set_whole(L, "outbox", p->outbox_bytes);
    set_whole(L, "failures", p->failures);
    set_whole(L, "held_bytes", p->held_bytes);
    uint32_t host = run->world.host_of(run->world.self, &p->addr);
    if (host < run->host_count) {
        lua_host_push(L, host);
        lua_setfield(L, -2, "node");
    }
}

static int node_peers(lua_State *L)
{
    struct run *run = run_looking(L, "peers");
    uint32_t host = lua_node_arg(L, "peers");
    struct vn_peer_info info;
    lua_newtable(L);
    for (uint32_t i = 0; run->world.peer(run->world.self, host, i, &info); i++) {
        sandbox_charge(L, 20);
        push_peer(L, run, &info);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* How many links are ready, without building tables. */
static int node_ready(lua_State *L)
{
    struct vn_info info;
    if (node_info(L, "ready", &info))
        lua_pushinteger(L, (lua_Integer)info.outbound + info.inbound);
    return 1;
}

/* The furthest of all its entries for that peer: two links, or a link and a known address. */
static int node_state(lua_State *L)
{
    static const int rank[VN_PEER_STATES] = {
        [VN_PEER_DISCONNECTED] = 0, [VN_PEER_FAILED] = 1,    [VN_PEER_BANNED] = 2,
        [VN_PEER_CONNECTING] = 3,   [VN_PEER_CONNECTED] = 4, [VN_PEER_READY] = 5};
    struct run *run = run_looking(L, "state");
    uint32_t host = lua_node_arg(L, "state");
    uint32_t other = lua_host_arg(L, 2, "state");
    uint32_t best = VN_PEER_DISCONNECTED;
    struct vn_peer_info info;
    for (uint32_t i = 0; run->world.peer(run->world.self, host, i, &info); i++) {
        sandbox_charge(L, 1);
        bool is_other = run->world.host_of(run->world.self, &info.addr) == other;
        if (is_other && info.state < VN_PEER_STATES && rank[info.state] > rank[best])
            best = info.state;
    }
    lua_pushstring(L, vn_peer_state_name(best));
    return 1;
}

/* ---- acting ---- */

int lua_command_result(lua_State *L, bool ok, const char *why)
{
    if (ok) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, why);
    return 2;
}

static int node_mine(lua_State *L)
{
    struct run *run = run_acting(L, "mine");
    uint32_t host = lua_node_arg(L, "mine");
    uint64_t n = 1;
    const struct option count = {
        .name = "the number", .kind = OPTION_WHOLE, .out = &n, .lo = 1, .hi = 1000};
    if (!lua_isnoneornil(L, 2))
        option_value(L, 2, "mine", &count);
    struct vn_command command = {.kind = VN_CMD_MINE, .number = n};
    const char *why;
    bool ok = run_command(run, host, &command, &why);
    return lua_command_result(L, ok, why);
}

static int node_mine_every(lua_State *L)
{
    struct run *run = run_acting(L, "mine_every");
    uint32_t host = lua_node_arg(L, "mine_every");
    struct vn_command command = {.kind = VN_CMD_MINE_INTERVAL,
                                 .number =
                                     schedule_time_arg(L, 2, "mine_every", "the mean interval")};
    const char *why;
    bool ok = run_command(run, host, &command, &why);
    if (ok)
        run->hosts[host].mines = command.number > 0;
    return lua_command_result(L, ok, why);
}

/* The address of the node, peer or text at argument 2. */
static struct vn_addr target_addr(lua_State *L, struct run *run, const char *what)
{
    uint32_t host;
    struct vn_addr addr = {0};
    if (lua_host_test(L, 2, &host))
        return run->world.addr(run->world.self, host);
    if (lua_type(L, 2) != LUA_TSTRING || !lua_addr_read(lua_tostring(L, 2), &addr))
        sandbox_error(L, "%s: a node, a peer or an address such as \"127.0.0.1:8765\" is needed",
                      what);
    return addr;
}

static int address_command(lua_State *L, const char *what, uint32_t kind, bool any_port)
{
    struct run *run = run_acting(L, what);
    uint32_t host = lua_node_arg(L, what);
    struct vn_command command = {.kind = kind, .addr = target_addr(L, run, what)};
    uint32_t victim = run->world.host_of(run->world.self, &command.addr);
    if (any_port)
        command.addr.port = 0;
    if (kind == VN_CMD_BAN) {
        if (!lua_isnoneornil(L, 3))
            command.number = schedule_time_arg(L, 3, what, "the time");
        size_t size = (run->script_ban_count + 1) * sizeof *run->script_bans;
        sandbox_charge(L, 100);
        run->script_bans = realloc(run->script_bans, size);
        if (!run->script_bans)
            abort();
        run->script_bans[run->script_ban_count++] = (struct script_ban){host, victim};
    }
    run_step(run, what, host, "%s", lua_isstring(L, 2) ? lua_tostring(L, 2) : "");
    const char *why;
    bool ok = run_command(run, host, &command, &why);
    return lua_command_result(L, ok, why);
}

static int node_connect(lua_State *L)
{
    return address_command(L, "connect", VN_CMD_CONNECT, false);
}

static int node_disconnect(lua_State *L)
{
    return address_command(L, "disconnect", VN_CMD_DISCONNECT, true);
}

/* So many Pings now; how many are too many the node says. */
static int node_ping(lua_State *L)
{
    struct run *run = run_acting(L, "ping");
    uint32_t host = lua_node_arg(L, "ping");
    struct vn_command command = {
        .kind = VN_CMD_PING, .addr = target_addr(L, run, "ping"), .number = 1};
    command.addr.port = 0;
    const struct option count = {
        .name = "the number", .kind = OPTION_WHOLE, .out = &command.number, .hi = 1000000};
    if (!lua_isnoneornil(L, 3))
        option_value(L, 3, "ping", &count);
    const char *why;
    bool ok = run_command(run, host, &command, &why);
    return lua_command_result(L, ok, why);
}

static int node_ban(lua_State *L)
{
    return address_command(L, "ban", VN_CMD_BAN, false);
}

static int node_unban(lua_State *L)
{
    return address_command(L, "unban", VN_CMD_UNBAN, false);
}

static int node_add_peer(lua_State *L)
{
    return address_command(L, "add_peer", VN_CMD_ADD_PEER, false);
}

static int node_shutdown(lua_State *L)
{
    struct run *run = run_acting(L, "shutdown");
    uint32_t host = lua_node_arg(L, "shutdown");
    struct vn_command command = {.kind = VN_CMD_SHUTDOWN};
    run_step(run, "shutdown", host, "%s", "");
    const char *why;
    bool ok = run_command(run, host, &command, &why);
    run->hosts[host].quit = run->hosts[host].quit || ok;
    return lua_command_result(L, ok, why);
}

void lua_node_open(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"add_peer", node_add_peer},
        {"addr", host_addr},
        {"alive", node_alive},
        {"ban", node_ban},
        {"block_hash", node_block_hash},
        {"connect", node_connect},
        {"core", lua_node_core},
        {"disconnect", node_disconnect},
        {"ping", node_ping},
        {"disk", lua_node_disk},
        {"has_tx", node_has_tx},
        {"height", node_height},
        {"id", host_tostring},
        {"info", node_info_table},
        {"kill", lua_node_kill},
        {"mempool", node_mempool},
        {"mine", node_mine},
        {"mine_every", node_mine_every},
        {"pause", lua_node_pause},
        {"paused", lua_node_paused},
        {"peers", node_peers},
        {"ready", node_ready},
        {"region", lua_topology_region},
        {"restart", lua_node_restart},
        {"resume", lua_node_resume},
        {"shutdown", node_shutdown},
        {"skew", lua_node_skew},
        {"state", node_state},
        {"submit_tx", lua_node_submit_tx},
        {"tip", node_tip},
        {"unban", node_unban},
        {NULL, NULL},
    };
    lua_newtable(L);
    lua_setfield(L, LUA_REGISTRYINDEX, HANDLES);
    lua_class(L, NODE, methods);
    lua_pushcfunction(L, host_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pop(L, 1);
}
