/* Tables to messages, for what a scripted peer sends. Fields left out are zero or empty, those of a
 * Handshake what an honest node would say (version 0.1.0, its own name and address); what is given
 * must have its type, but need not make sense: that is for the node to find out. */
#include "core/wire/frame.h"
#include "core/wire/msg.h"
#include "scenarios/options.h"
#include "scenarios/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS_MAX 10000

/* ---- values ---- */

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool lua_hash_read(const char *text, size_t len, uint8_t out[32])
{
    if (len != 64)
        return false;
    for (size_t i = 0; i < 32; i++) {
        int hi = digit(text[2 * i]);
        int lo = digit(text[2 * i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        out[i] = (uint8_t)(hi << 4 | lo);
    }
    return true;
}

bool lua_addr_read(const char *text, struct vn_addr *out)
{
    unsigned long part[5] = {0};
    const char ends[] = "...:";
    *out = (struct vn_addr){.family = VN_AF_IPV4};
    for (int i = 0; i < 5; i++) {
        char *end;
        if (*text < '0' || *text > '9')
            return false;
        part[i] = strtoul(text, &end, 10);
        if (part[i] > (i < 4 ? 255u : 65535u) || (i < 4 && *end != ends[i]) || (i == 4 && *end))
            return false;
        text = end + 1;
    }
    for (int i = 0; i < 4; i++)
        out->ip[i] = (uint8_t)part[i];
    out->port = (uint16_t)part[4];
    return true;
}

uint64_t lua_u64_arg(lua_State *L, int index, const char *what, const char *name)
{
    if (lua_isinteger(L, index))
        return (uint64_t)lua_tointeger(L, index);
    double v = lua_type(L, index) == LUA_TNUMBER ? lua_tonumber(L, index) : (double)NAN;
    if (!(v >= 0 && v < 18446744073709551616.0) || (double)(uint64_t)v - v != 0)
        sandbox_error(L, "%s: %s must be a whole number of 64 bits, got %s", what, name,
                      sandbox_kind(L, index));
    return (uint64_t)v;
}

/* ---- fields of the table on top of the stack; what they borrow stays alive with the table, or is
 * kept in the scratch table at index `keep` ---- */

struct frame_reader {
    lua_State *L;
    const char *what; /* "Handshake" */
    int keep;
    uint32_t host; /* the sender */
};

static void *keep_memory(const struct frame_reader *f, size_t size)
{
    void *p = lua_newuserdatauv(f->L, size ? size : 1, 0);
    memset(p, 0, size ? size : 1);
    luaL_ref(f->L, f->keep);
    return p;
}

/* Pushes the field; false, with nothing pushed, if it is absent. */
static bool field(const struct frame_reader *f, const char *name)
{
    lua_pushstring(f->L, name);
    if (lua_rawget(f->L, -2) != LUA_TNIL)
        return true;
    lua_pop(f->L, 1);
    return false;
}

static uint64_t field_u64(const struct frame_reader *f, const char *name)
{
    if (!field(f, name))
        return 0;
    uint64_t v = lua_u64_arg(f->L, -1, f->what, name);
    lua_pop(f->L, 1);
    return v;
}

static const uint8_t *field_hash(const struct frame_reader *f, const char *name)
{
    uint8_t *out = keep_memory(f, 32);
    if (!field(f, name))
        return out;
    size_t len = 0;
    const char *text = lua_type(f->L, -1) == LUA_TSTRING ? lua_tolstring(f->L, -1, &len) : "";
    if (!lua_hash_read(text, len, out))
        sandbox_error(f->L, "%s: %s must be 64 hex digits", f->what, name);
    lua_pop(f->L, 1);
    return out;
}

static struct bytes_view field_bytes(const struct frame_reader *f, const char *name, bool *given)
{
    struct bytes_view v = {(const uint8_t *)"", 0};
    *given = field(f, name);
    if (!*given)
        return v;
    if (lua_type(f->L, -1) != LUA_TSTRING)
        sandbox_error(f->L, "%s: %s must be a string, got %s", f->what, name,
                      sandbox_kind(f->L, -1));
    size_t len;
    v.data = (const uint8_t *)lua_tolstring(f->L, -1, &len);
    v.len = len;
    luaL_ref(f->L, f->keep);
    return v;
}

static bool parse_u128(const char *text, u128 *out)
{
    u128 v = 0;
    unsigned base = text[0] == '0' && text[1] == 'x' ? 16 : 10;
    text += base == 16 ? 2 : 0;
    if (*text == 0)
        return false;
    for (; *text; text++) {
        int d = digit(*text);
        u128 next = v * base + (unsigned)d;
        if (d < 0 || d >= (int)base || v > next / base)
            return false;
        v = next;
    }
    *out = v;
    return true;
}

static u128 field_u128(const struct frame_reader *f, const char *name)
{
    u128 v = 0;
    if (!field(f, name))
        return 0;
    if (lua_type(f->L, -1) == LUA_TNUMBER)
        v = lua_u64_arg(f->L, -1, f->what, name);
    else if (lua_type(f->L, -1) != LUA_TSTRING || !parse_u128(lua_tostring(f->L, -1), &v))
        sandbox_error(f->L, "%s: %s must be a number of 128 bits, decimal or 0x..., as text",
                      f->what, name);
    lua_pop(f->L, 1);
    return v;
}

/* ---- blocks and transactions ---- */

static void read_tx_ids(const struct frame_reader *f, struct block_view *b)
{
    lua_State *L = f->L;
    if (!field(f, "tx_ids"))
        return;
    if (lua_type(L, -1) != LUA_TTABLE)
        sandbox_error(L, "%s: tx_ids must be a table of hashes", f->what);
    b->tx_count = lua_rawlen(L, -1);
    sandbox_charge(L, b->tx_count);
    int table = lua_gettop(L);
    uint8_t *ids = keep_memory(f, (size_t)b->tx_count * 32);
    for (uint64_t i = 0; i < b->tx_count; i++) {
        size_t len = 0;
        lua_rawgeti(L, table, (lua_Integer)i + 1);
        const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : "";
        if (!lua_hash_read(text, len, ids + 32 * i))
            sandbox_error(L, "%s: tx_ids[%d] must be 64 hex digits", f->what, (int)i + 1);
        lua_pop(L, 1);
    }
    b->tx_ids = ids;
    lua_pop(L, 1);
}

/* The block table on top of the stack. */
static void read_block(const struct frame_reader *f, struct block_view *b)
{
    static const char *const names[] = {
        "height", "hash",    "prev_hash", "timestamp",  "tx_ids",           "state_root", "tx_root",
        "nonce",  "poh_seq", "poh_hash",  "difficulty", "total_difficulty", NULL};
    if (lua_type(f->L, -1) != LUA_TTABLE)
        sandbox_error(f->L, "%s: a block must be a table, got %s", f->what, sandbox_kind(f->L, -1));
    options_fields(f->L, f->what, "block", names);
    *b = (struct block_view){0};
    b->height = field_u64(f, "height");
    b->hash = field_hash(f, "hash");
    b->prev_hash = field_hash(f, "prev_hash");
    b->timestamp = field_u64(f, "timestamp");
    read_tx_ids(f, b);
    b->state_root = field_hash(f, "state_root");
    b->tx_root = field_hash(f, "tx_root");
    b->nonce = field_u64(f, "nonce");
    b->poh_seq = field_u64(f, "poh_seq");
    b->poh_hash = field_hash(f, "poh_hash");
    b->difficulty = field_u64(f, "difficulty");
    b->total_difficulty = field_u128(f, "total_difficulty");
}

static void read_tx(const struct frame_reader *f, struct tx_view *t)
{
    static const char *const names[] = {
        "tx_id", "sender",    "recipient",    "value", "gas_price", "gas_limit", "gas_used",
        "nonce", "timestamp", "block_height", "data",  "status",    "error",     NULL};
    if (lua_type(f->L, -1) != LUA_TTABLE)
        sandbox_error(f->L, "%s: tx must be a table, got %s", f->what, sandbox_kind(f->L, -1));
    options_fields(f->L, f->what, "transaction", names);
    *t = (struct tx_view){0};
    t->tx_id = field_hash(f, "tx_id");
    t->sender = field_hash(f, "sender");
    t->recipient = field_hash(f, "recipient");
    t->value = field_u64(f, "value");
    t->gas_price = field_u64(f, "gas_price");
    t->gas_limit = field_u64(f, "gas_limit");
    t->gas_used = field_u64(f, "gas_used");
    t->nonce = field_u64(f, "nonce");
    t->timestamp = field_u64(f, "timestamp");
    t->block_height = field_u64(f, "block_height");
    t->data = field_bytes(f, "data", &t->has_data);
    t->status = (uint32_t)field_u64(f, "status");
    t->error = (uint32_t)field_u64(f, "error");
}

void lua_block_read(lua_State *L, int index, const char *what, struct block_view *out)
{
    index = lua_absindex(L, index);
    lua_newtable(L);
    lua_pushvalue(L, index);
    struct frame_reader f = {.L = L, .what = what, .keep = lua_gettop(L) - 1};
    read_block(&f, out);
    lua_pop(L, 1);
}

void lua_tx_read(lua_State *L, int index, const char *what, struct tx_view *out)
{
    index = lua_absindex(L, index);
    lua_newtable(L);
    lua_pushvalue(L, index);
    struct frame_reader f = {.L = L, .what = what, .keep = lua_gettop(L) - 1};
    read_tx(&f, out);
    lua_pop(L, 1);
}

/* blocks = { ... } of a ResponseBlockRange, encoded one after the other. */
static void read_blocks(const struct frame_reader *f, struct msg *m)
{
    lua_State *L = f->L;
    m->u.response_range.blocks = (struct bytes_view){(const uint8_t *)"", 0};
    m->u.response_range.count = 0;
    if (!field(f, "blocks"))
        return;
    if (lua_type(L, -1) != LUA_TTABLE || lua_rawlen(L, -1) > BLOCKS_MAX)
        sandbox_error(L, "%s: blocks must be a table of at most %d blocks", f->what, BLOCKS_MAX);
    size_t n = lua_rawlen(L, -1);
    int table = lua_gettop(L);
    struct block_view *views = keep_memory(f, n * sizeof *views);
    struct writer w = {0};
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, table, (lua_Integer)i + 1);
        read_block(f, &views[i]);
        wire_write_block(&w, &views[i]);
        lua_pop(L, 1);
    }
    size_t len = w.len;
    w = (struct writer){.data = keep_memory(f, len), .cap = len};
    for (size_t i = 0; i < n; i++)
        wire_write_block(&w, &views[i]);
    m->u.response_range.count = n;
    m->u.response_range.blocks = (struct bytes_view){w.data, len};
    lua_pop(L, 1);
}

/* ---- messages ---- */

static void default_text(const struct frame_reader *f, struct bytes_view *v, bool given,
                         const char *text)
{
    size_t len = strlen(text);
    if (!given)
        *v = (struct bytes_view){memcpy(keep_memory(f, len), text, len), len};
}

static void read_handshake(const struct frame_reader *f, struct msg *m)
{
    bool given;
    char name[24];
    struct run *run = run_of(f->L);
    struct handshake_view *h = &m->u.handshake;
    run_host_name(run, f->host, name);
    h->version = field_bytes(f, "version", &given);
    default_text(f, &h->version, given, "0.1.0");
    h->node_id = field_bytes(f, "node_id", &given);
    default_text(f, &h->node_id, given, name);
    h->listen = run->world.addr(run->world.self, f->host);
    struct bytes_view listen = field_bytes(f, "listen", &given);
    if (given && !lua_addr_read((const char *)listen.data, &h->listen))
        sandbox_error(f->L, "%s: listen must be an address such as \"127.0.0.1:8765\", got \"%s\"",
                      f->what, (const char *)listen.data);
}

static uint32_t read_reason(const struct frame_reader *f)
{
    uint32_t reason = 0;
    if (!field(f, "reason"))
        return 0;
    if (lua_type(f->L, -1) == LUA_TNUMBER) {
        reason = (uint32_t)lua_u64_arg(f->L, -1, f->what, "reason");
    } else {
        const char *text = sandbox_tostring(f->L, -1, NULL);
        while (reason < REASONS && strcmp(wire_reason_name(reason), text) != 0)
            reason++;
        if (reason == REASONS)
            sandbox_error(f->L,
                          "%s: unknown reason '%s'; Shutdown, ProtocolViolation, "
                          "IncompatibleVersion, TooManyConnections, DuplicateConnection, Timeout",
                          f->what, text);
        lua_pop(f->L, 1);
    }
    lua_pop(f->L, 1);
    return reason;
}

static void read_fields(const struct frame_reader *f, struct msg *m)
{
    bool given;
    switch ((enum msg_kind)m->kind) {
    case MSG_HANDSHAKE:
        read_handshake(f, m);
        return;
    case MSG_NEW_BLOCK:
    case MSG_RESPONSE_BLOCK:
        given = field(f, "block");
        if (!given && m->kind == MSG_RESPONSE_BLOCK) {
            m->u.response_block.some = false;
            return;
        }
        if (!given) {
            lua_newtable(f->L);
        }
        if (m->kind == MSG_NEW_BLOCK) {
            read_block(f, &m->u.block);
        } else {
            m->u.response_block.some = true;
            read_block(f, &m->u.response_block.block);
        }
        lua_pop(f->L, 1);
        return;
    case MSG_NEW_TRANSACTION:
        if (!field(f, "tx"))
            lua_newtable(f->L);
        read_tx(f, &m->u.tx);
        lua_pop(f->L, 1);
        return;
    case MSG_REQUEST_BLOCK:
        m->u.request_block.height = field_u64(f, "height");
        return;
    case MSG_REQUEST_BLOCK_RANGE:
        m->u.request_range.start = field_u64(f, "first");
        m->u.request_range.end = field_u64(f, "last");
        return;
    case MSG_RESPONSE_BLOCK_RANGE:
        read_blocks(f, m);
        return;
    case MSG_PING:
        m->u.ping.nonce = field_u64(f, "nonce");
        return;
    case MSG_PONG:
        m->u.pong.nonce = field_u64(f, "nonce");
        return;
    case MSG_DISCONNECT:
        m->u.disconnect.reason = read_reason(f);
        return;
    case MSG_KINDS:
        return;
    }
}

static const char *const *names_of(uint32_t kind)
{
    static const char *const none[] = {"kind", "size", NULL};
    static const char *const names[MSG_KINDS][6] = {
        [MSG_HANDSHAKE] = {"kind", "size", "version", "node_id", "listen", NULL},
        [MSG_NEW_BLOCK] = {"kind", "size", "block", NULL},
        [MSG_NEW_TRANSACTION] = {"kind", "size", "tx", NULL},
        [MSG_REQUEST_BLOCK] = {"kind", "size", "height", NULL},
        [MSG_RESPONSE_BLOCK] = {"kind", "size", "block", NULL},
        [MSG_REQUEST_BLOCK_RANGE] = {"kind", "size", "first", "last", NULL},
        [MSG_RESPONSE_BLOCK_RANGE] = {"kind", "size", "blocks", NULL},
        [MSG_PING] = {"kind", "size", "nonce", NULL},
        [MSG_PONG] = {"kind", "size", "nonce", NULL},
        [MSG_DISCONNECT] = {"kind", "size", "reason", NULL},
    };
    return kind < MSG_KINDS ? names[kind] : none;
}

/* The kind of the table on top of the stack. */
static uint32_t read_kind(lua_State *L)
{
    struct suggest best;
    char hint[SUGGEST_HINT];
    lua_pushliteral(L, "kind");
    lua_rawget(L, -2);
    const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    if (!name)
        sandbox_error(L, "send: a message needs a kind: { kind = \"Ping\", nonce = 1 }");
    suggest_init(&best, name);
    for (uint32_t kind = 0; kind < MSG_KINDS; kind++) {
        if (strcmp(vn_message_name(kind), name) == 0) {
            lua_pop(L, 1);
            return kind;
        }
        suggest_offer(&best, vn_message_name(kind));
    }
    suggest_text(&best, hint, sizeof hint);
    sandbox_error(L, "send: there is no message '%s'%s", name, hint);
}

struct vn_buf *lua_msg_frame(lua_State *L, int index, uint32_t host)
{
    struct msg m = {0};
    index = lua_absindex(L, index);
    int top = lua_gettop(L);
    if (lua_type(L, index) != LUA_TTABLE)
        sandbox_error(L, "send: a message must be a table { kind = ... }, got %s",
                      sandbox_kind(L, index));
    luaL_checkstack(L, 20, "send");
    lua_newtable(L);
    lua_pushvalue(L, index);
    m.kind = read_kind(L);
    struct frame_reader f = {
        .L = L, .what = vn_message_name(m.kind), .keep = top + 1, .host = host};
    options_fields(L, f.what, f.what, names_of(m.kind));
    read_fields(&f, &m);
    sandbox_charge(L, 20 + msg_encoded_size(&m) / 64);
    struct vn_buf *frame = msg_frame(&m);
    if (!frame)
        sandbox_error(L, "%s: the message is larger than %u bytes; send_raw can send such", f.what,
                      FRAME_PAYLOAD_MAX);
    lua_settop(L, top);
    return frame;
}
