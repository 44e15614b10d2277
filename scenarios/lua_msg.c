/* Messages as tables, after the wire's names: { kind = "Ping", nonce = 7 }. 64-bit numbers are Lua
 * integers (the same bits), hashes 64 hex digits, total_difficulty decimal text. This is the way
 * from the wire; lua_frame.c goes back. */
#include "core/wire/msg.h"
#include "scenarios/run.h"

#include <stdio.h>
#include <string.h>

void lua_hash_push(lua_State *L, const uint8_t hash[32])
{
    static const char digits[] = "0123456789abcdef";
    char text[64];
    for (size_t i = 0; i < 32; i++) {
        text[2 * i] = digits[hash[i] >> 4];
        text[2 * i + 1] = digits[hash[i] & 15];
    }
    lua_pushlstring(L, text, sizeof text);
}

void lua_addr_push(lua_State *L, const struct vn_addr *addr)
{
    const uint8_t *ip = addr->ip;
    if (addr->family == VN_AF_IPV4) {
        lua_pushfstring(L, "%d.%d.%d.%d:%d", ip[0], ip[1], ip[2], ip[3], addr->port);
        return;
    }
    char text[64];
    size_t at = 0;
    for (size_t i = 0; i < 16; i += 2)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%x", i ? ":" : "",
                               ip[i] << 8 | ip[i + 1]);
    lua_pushfstring(L, "[%s]:%d", text, addr->port);
}

static void set_u64(lua_State *L, const char *name, uint64_t v)
{
    lua_pushinteger(L, (lua_Integer)v);
    lua_setfield(L, -2, name);
}

static void set_hash(lua_State *L, const char *name, const uint8_t *hash)
{
    lua_hash_push(L, hash);
    lua_setfield(L, -2, name);
}

static void set_bytes(lua_State *L, const char *name, struct bytes_view v)
{
    lua_pushlstring(L, v.len ? (const char *)v.data : "", (size_t)v.len);
    lua_setfield(L, -2, name);
}

static void set_u128(lua_State *L, const char *name, u128 v)
{
    char text[40];
    size_t at = sizeof text;
    do {
        text[--at] = (char)('0' + (int)(v % 10));
        v /= 10;
    } while (v != 0);
    lua_pushlstring(L, text + at, sizeof text - at);
    lua_setfield(L, -2, name);
}

void lua_block_push(lua_State *L, const struct block_view *b)
{
    lua_createtable(L, 0, 12);
    set_u64(L, "height", b->height);
    set_hash(L, "hash", b->hash);
    set_hash(L, "prev_hash", b->prev_hash);
    set_u64(L, "timestamp", b->timestamp);
    sandbox_charge(L, b->tx_count);
    lua_newtable(L);
    for (uint64_t i = 0; i < b->tx_count; i++) {
        lua_hash_push(L, b->tx_ids + 32 * i);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "tx_ids");
    set_hash(L, "state_root", b->state_root);
    set_hash(L, "tx_root", b->tx_root);
    set_u64(L, "nonce", b->nonce);
    set_u64(L, "poh_seq", b->poh_seq);
    set_hash(L, "poh_hash", b->poh_hash);
    set_u64(L, "difficulty", b->difficulty);
    set_u128(L, "total_difficulty", b->total_difficulty);
}

void lua_tx_push(lua_State *L, const struct tx_view *t)
{
    lua_createtable(L, 0, 13);
    set_hash(L, "tx_id", t->tx_id);
    set_hash(L, "sender", t->sender);
    set_hash(L, "recipient", t->recipient);
    set_u64(L, "value", t->value);
    set_u64(L, "gas_price", t->gas_price);
    set_u64(L, "gas_limit", t->gas_limit);
    set_u64(L, "gas_used", t->gas_used);
    set_u64(L, "nonce", t->nonce);
    set_u64(L, "timestamp", t->timestamp);
    set_u64(L, "block_height", t->block_height);
    if (t->has_data)
        set_bytes(L, "data", t->data);
    set_u64(L, "status", t->status);
    if (t->status == TX_FAILED)
        set_u64(L, "error", t->error);
}

static void push_blocks(lua_State *L, uint64_t count, struct bytes_view blocks)
{
    struct reader r = reader_over(blocks.data, (size_t)blocks.len);
    lua_newtable(L);
    for (uint64_t i = 0; i < count; i++) {
        struct block_view block;
        wire_read_block(&r, &block);
        if (!r.ok)
            return;
        lua_block_push(L, &block);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

/* The fields of a decoded message into the table on top of the stack. */
static void set_fields(lua_State *L, const struct msg *m)
{
    switch ((enum msg_kind)m->kind) {
    case MSG_HANDSHAKE:
        set_bytes(L, "version", m->u.handshake.version);
        set_bytes(L, "node_id", m->u.handshake.node_id);
        lua_addr_push(L, &m->u.handshake.listen);
        lua_setfield(L, -2, "listen");
        return;
    case MSG_NEW_BLOCK:
        lua_block_push(L, &m->u.block);
        lua_setfield(L, -2, "block");
        return;
    case MSG_NEW_TRANSACTION:
        lua_tx_push(L, &m->u.tx);
        lua_setfield(L, -2, "tx");
        return;
    case MSG_REQUEST_BLOCK:
        set_u64(L, "height", m->u.request_block.height);
        return;
    case MSG_RESPONSE_BLOCK:
        if (m->u.response_block.some) {
            lua_block_push(L, &m->u.response_block.block);
            lua_setfield(L, -2, "block");
        }
        return;
    case MSG_REQUEST_BLOCK_RANGE:
        set_u64(L, "first", m->u.request_range.start);
        set_u64(L, "last", m->u.request_range.end);
        return;
    case MSG_RESPONSE_BLOCK_RANGE:
        push_blocks(L, m->u.response_range.count, m->u.response_range.blocks);
        lua_setfield(L, -2, "blocks");
        return;
    case MSG_PING:
        set_u64(L, "nonce", m->u.ping.nonce);
        return;
    case MSG_PONG:
        set_u64(L, "nonce", m->u.pong.nonce);
        return;
    case MSG_DISCONNECT:
        lua_pushstring(L, wire_reason_name(m->u.disconnect.reason));
        lua_setfield(L, -2, "reason");
        return;
    case MSG_KINDS:
        return;
    }
}

void lua_msg_push(lua_State *L, const uint8_t *payload, size_t len)
{
    struct msg m;
    luaL_checkstack(L, 10, "message");
    sandbox_charge(L, 20 + len / 64);
    lua_createtable(L, 0, 4);
    set_u64(L, "size", len);
    if (!msg_decode(&m, payload, len))
        return;
    lua_pushstring(L, vn_message_name(m.kind));
    lua_setfield(L, -2, "kind");
    set_fields(L, &m);
}
