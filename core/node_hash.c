/* The trace hash: XXH3-64, each record hashed with the hash so far as its seed. Fields are written
 * out one by one, little-endian, so that no padding and no byte order ever counts.
 *
 * Bytes that came or leave stand in a record by their length and by a hash of them alone, which
 * does not depend on what was before. So it is worked out once for a whole buffer, however many
 * nodes send it and are given it, and remembered there (core/base/buf.h); of a part of a buffer it
 * is worked out each time. */
#define XXH_INLINE_ALL
#include "core/base/buf.h"
#include "core/node_impl.h"

#include <xxhash.h>

#define DRAINED_MARK UINT64_C(0x6472)
#define ACTION_MARK  UINT64_C(0x100)

/* A small canonical record. */
struct record {
    uint8_t bytes[160];
    size_t len;
};

static void put(struct record *r, uint64_t v)
{
    put_le64(r->bytes + r->len, v);
    r->len += 8;
}

static void put_addr(struct record *r, const struct vn_addr *addr)
{
    put(r, (uint64_t)addr->family << 16 | addr->port);
    memcpy(r->bytes + r->len, addr->ip, sizeof addr->ip);
    r->len += sizeof addr->ip;
}

static uint64_t chain_bytes_hash(uint64_t hash, const void *data, size_t len)
{
    return XXH3_64bits_withSeed(data, len, hash);
}

static uint64_t content_hash(struct vn_slice slice)
{
    if (slice.len == 0)
        return 0;
    const bool whole = slice.len == slice.buf->len;
    if (whole && (buf_memo(slice.buf) & BUF_CONTENT_KNOWN))
        return slice.buf->memo & BUF_CONTENT;
    const uint64_t content = XXH3_64bits(vn_slice_data(slice), slice.len) & BUF_CONTENT;
    if (whole)
        buf_remember(slice.buf, content | BUF_CONTENT_KNOWN);
    return content;
}

static uint64_t chain_record(uint64_t hash, const struct record *r)
{
    return chain_bytes_hash(hash, r->bytes, r->len);
}

static void put_slice(struct record *r, struct vn_slice slice)
{
    put(r, slice.len);
    put(r, content_hash(slice));
}

/* The record so far and then the slices, as many in a record as it has room for. */
static uint64_t chain_slices(uint64_t hash, struct record *r, const struct vn_slice *slices,
                             uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (r->len + 16 > sizeof r->bytes) {
            hash = chain_record(hash, r);
            r->len = 0;
        }
        put_slice(r, slices[i]);
    }
    return chain_record(hash, r);
}

static uint64_t hash_loaded(uint64_t hash, struct record *r, const struct vn_event *event)
{
    put(r, event->u.loaded.token);
    put(r, event->u.loaded.status);
    put(r, event->u.loaded.count);
    return chain_slices(hash, r, event->u.loaded.slices, event->u.loaded.count);
}

static uint64_t hash_resolved(uint64_t hash, struct record *r, const struct vn_event *event)
{
    put(r, event->u.resolved.token);
    put(r, event->u.resolved.status);
    put(r, event->u.resolved.count);
    hash = chain_record(hash, r);
    for (uint32_t i = 0; i < event->u.resolved.count; i++) {
        r->len = 0;
        put_addr(r, &event->u.resolved.addrs[i]);
        hash = chain_record(hash, r);
    }
    return hash;
}

static uint64_t hash_command(uint64_t hash, struct record *r, const struct vn_event *event)
{
    const struct vn_command *command = event->u.command.command;
    put(r, event->u.command.token);
    put(r, command->kind);
    put(r, command->number);
    put_addr(r, &command->addr);
    return chain_slices(hash, r, &command->data, 1);
}

uint64_t node_hash_event(uint64_t hash, const struct vn_event *event)
{
    struct record r = {.len = 0};
    put(&r, event->kind);
    put(&r, event->now_ns);
    switch ((enum vn_event_kind)event->kind) {
    case VN_EV_BYTES:
        put(&r, event->u.bytes.link);
        return chain_slices(hash, &r, &event->u.bytes.data, 1);
    case VN_EV_LINK_UP:
        put(&r, event->u.link_up.link);
        put(&r, event->u.link_up.window);
        put_addr(&r, &event->u.link_up.local);
        put_addr(&r, &event->u.link_up.remote);
        break;
    case VN_EV_LINK_DOWN:
        put(&r, event->u.link_down.link);
        put(&r, event->u.link_down.why);
        break;
    case VN_EV_SENT:
        put(&r, event->u.sent.link);
        put(&r, event->u.sent.bytes);
        break;
    case VN_EV_CLOCK:
        put(&r, event->u.clock.wall_ns);
        break;
    case VN_EV_STORED:
        put(&r, event->u.stored.token);
        put(&r, event->u.stored.status);
        break;
    case VN_EV_LOADED:
        return hash_loaded(hash, &r, event);
    case VN_EV_COMMAND:
        return hash_command(hash, &r, event);
    case VN_EV_RESOLVED:
        return hash_resolved(hash, &r, event);
    case VN_EV_START:
    case VN_EV_TIMER:
    case VN_EV_COUNT:
        break;
    }
    return chain_record(hash, &r);
}

static uint64_t hash_store(uint64_t hash, struct record *r, const struct vn_action *action)
{
    put(r, action->u.store.token);
    put(r, action->u.store.count);
    hash = chain_record(hash, r);
    for (uint32_t i = 0; i < action->u.store.count; i++) {
        const struct vn_store_item *item = &action->u.store.items[i];
        r->len = 0;
        put(r, item->op);
        put(r, item->number);
        put(r, item->key_len);
        put_slice(r, item->value);
        hash = chain_record(hash, r);
        hash = chain_bytes_hash(hash, item->key, item->key_len);
    }
    return hash;
}

uint64_t node_hash_action(uint64_t hash, const struct vn_action *action)
{
    struct record r = {.len = 0};
    put(&r, ACTION_MARK | action->kind);
    put(&r, action->link);
    switch ((enum vn_action_kind)action->kind) {
    case VN_ACT_SEND:
        put(&r, action->u.send.count);
        return chain_slices(hash, &r, action->u.send.slices, action->u.send.count);
    case VN_ACT_DIAL:
        put_addr(&r, &action->u.dial.remote);
        put_addr(&r, &action->u.dial.local);
        put(&r, action->u.dial.link_class);
        put(&r, action->u.dial.flags);
        break;
    case VN_ACT_CLOSE:
        put(&r, action->u.close.why);
        break;
    case VN_ACT_STORE:
        return hash_store(hash, &r, action);
    case VN_ACT_LOAD:
        put(&r, action->u.load.token);
        put(&r, action->u.load.op);
        put(&r, action->u.load.from);
        put(&r, action->u.load.to);
        put(&r, action->u.load.max_bytes);
        break;
    case VN_ACT_REPLY:
        put(&r, action->u.reply.token);
        put(&r, action->u.reply.status);
        hash = chain_record(hash, &r);
        return chain_bytes_hash(hash, action->u.reply.text, strlen(action->u.reply.text));
    case VN_ACT_RESOLVE:
        put(&r, action->u.resolve.token);
        break;
    case VN_ACT_READ_STOP:
    case VN_ACT_READ_START:
    case VN_ACT_COUNT:
        break;
    }
    return chain_record(hash, &r);
}

uint64_t node_hash_drained(uint64_t hash)
{
    return hash * UINT64_C(0x9e3779b97f4a7c15) + DRAINED_MARK;
}
