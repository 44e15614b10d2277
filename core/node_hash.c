/* The trace hash: every field of an event or an action is a 64-bit word, and two words at a time
 * are multiplied into the hash so far and folded (the mixing step of wyhash by Wang Yi, public
 * domain). Fields are taken one by one, so that no padding and no byte order ever counts; how many
 * words there are follows from those before.
 *
 * Bytes that came or leave stand there by their length and by an XXH3-64 of them alone, which does
 * not depend on what was before. So it is worked out once for a whole buffer, however many nodes
 * send it and are given it, and remembered there (core/base/buf.h); of a part of a buffer it is
 * worked out each time. */
#define XXH_INLINE_ALL
#include "core/base/buf.h"
#include "core/node_impl.h"

#include <xxhash.h>

#define DRAINED_MARK UINT64_C(0x6472)
#define ACTION_MARK  UINT64_C(0x100)
#define MIX          UINT64_C(0xe7037ed1a0b428db) /* of wyhash's secret */

/* The hash so far, and a word that waits for another one. */
struct chain {
    uint64_t hash, word;
    bool waits;
};

static inline void put(struct chain *c, uint64_t v)
{
    if (c->waits) {
        const u128 product = (u128)(c->word ^ MIX) * (v ^ c->hash);
        c->hash = (uint64_t)product ^ (uint64_t)(product >> 64);
    }
    c->word = v;
    c->waits = !c->waits;
}

static inline uint64_t chain_end(struct chain *c)
{
    if (c->waits)
        put(c, 0);
    return c->hash;
}

/* Any bytes, in words: the last is filled up with zeros, so their number stands somewhere else. */
static void put_bytes(struct chain *c, const void *data, size_t len)
{
    const uint8_t *at = data;
    for (; len >= 8; len -= 8, at += 8)
        put(c, get_le64(at));
    uint8_t rest[8] = {0};
    memcpy(rest, at, len);
    if (len > 0)
        put(c, get_le64(rest));
}

static void put_addr(struct chain *c, const struct vn_addr *addr)
{
    put(c, (uint64_t)addr->family << 16 | addr->port);
    put_bytes(c, addr->ip, sizeof addr->ip);
}

static uint64_t content_hash_slow(struct vn_slice slice, bool whole)
{
    const uint64_t content = XXH3_64bits(vn_slice_data(slice), slice.len) & BUF_CONTENT;
    if (whole)
        buf_remember(slice.buf, content | BUF_CONTENT_KNOWN);
    return content;
}

static inline uint64_t content_hash(struct vn_slice slice)
{
    if (slice.len == 0)
        return 0;
    const bool whole = slice.len == slice.buf->len;
    if (whole && (buf_memo(slice.buf) & BUF_CONTENT_KNOWN))
        return slice.buf->memo & BUF_CONTENT;
    return content_hash_slow(slice, whole);
}

static inline void put_slice(struct chain *c, struct vn_slice slice)
{
    const uint64_t content = content_hash(slice);
    put(c, slice.len);
    put(c, content);
}

static void put_slices(struct chain *c, const struct vn_slice *slices, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        put_slice(c, slices[i]);
}

static void put_command(struct chain *c, const struct vn_event *event)
{
    const struct vn_command *command = event->u.command.command;
    put(c, event->u.command.token);
    put(c, command->kind);
    put(c, command->number);
    put_addr(c, &command->addr);
    put_slice(c, command->data);
}

uint64_t node_hash_event(uint64_t hash, const struct vn_event *event)
{
    struct chain c = {.hash = hash};
    put(&c, event->kind);
    put(&c, event->now_ns);
    switch ((enum vn_event_kind)event->kind) {
    case VN_EV_BYTES:
        put(&c, event->u.bytes.link);
        put_slice(&c, event->u.bytes.data);
        break;
    case VN_EV_LINK_UP:
        put(&c, event->u.link_up.link);
        put(&c, event->u.link_up.window);
        put_addr(&c, &event->u.link_up.local);
        put_addr(&c, &event->u.link_up.remote);
        break;
    case VN_EV_LINK_DOWN:
        put(&c, event->u.link_down.link);
        put(&c, event->u.link_down.why);
        break;
    case VN_EV_SENT:
        put(&c, event->u.sent.link);
        put(&c, event->u.sent.bytes);
        break;
    case VN_EV_CLOCK:
        put(&c, event->u.clock.wall_ns);
        break;
    case VN_EV_STORED:
        put(&c, event->u.stored.token);
        put(&c, event->u.stored.status);
        break;
    case VN_EV_LOADED:
        put(&c, event->u.loaded.token);
        put(&c, event->u.loaded.status);
        put(&c, event->u.loaded.count);
        put_slices(&c, event->u.loaded.slices, event->u.loaded.count);
        break;
    case VN_EV_COMMAND:
        put_command(&c, event);
        break;
    case VN_EV_RESOLVED:
        put(&c, event->u.resolved.token);
        put(&c, event->u.resolved.status);
        put(&c, event->u.resolved.count);
        for (uint32_t i = 0; i < event->u.resolved.count; i++)
            put_addr(&c, &event->u.resolved.addrs[i]);
        break;
    case VN_EV_START:
    case VN_EV_TIMER:
    case VN_EV_COUNT:
        break;
    }
    return chain_end(&c);
}

static void put_store(struct chain *c, const struct vn_action *action)
{
    put(c, action->u.store.token);
    put(c, action->u.store.count);
    for (uint32_t i = 0; i < action->u.store.count; i++) {
        const struct vn_store_item *item = &action->u.store.items[i];
        put(c, item->op);
        put(c, item->number);
        put(c, item->key_len);
        put_bytes(c, item->key, item->key_len);
        put_slice(c, item->value);
    }
}

uint64_t node_hash_action(uint64_t hash, const struct vn_action *action)
{
    struct chain c = {.hash = hash};
    put(&c, ACTION_MARK | action->kind);
    put(&c, action->link);
    switch ((enum vn_action_kind)action->kind) {
    case VN_ACT_SEND:
        put(&c, action->u.send.count);
        if (action->u.send.count == 1) /* as most */
            put_slice(&c, action->u.send.slices[0]);
        else
            put_slices(&c, action->u.send.slices, action->u.send.count);
        break;
    case VN_ACT_DIAL:
        put_addr(&c, &action->u.dial.remote);
        put_addr(&c, &action->u.dial.local);
        put(&c, action->u.dial.link_class);
        put(&c, action->u.dial.flags);
        break;
    case VN_ACT_CLOSE:
        put(&c, action->u.close.why);
        break;
    case VN_ACT_STORE:
        put_store(&c, action);
        break;
    case VN_ACT_LOAD:
        put(&c, action->u.load.token);
        put(&c, action->u.load.op);
        put(&c, action->u.load.from);
        put(&c, action->u.load.to);
        put(&c, action->u.load.max_bytes);
        break;
    case VN_ACT_REPLY:
        put(&c, action->u.reply.token);
        put(&c, action->u.reply.status);
        put(&c, strlen(action->u.reply.text));
        put_bytes(&c, action->u.reply.text, strlen(action->u.reply.text));
        break;
    case VN_ACT_RESOLVE:
        put(&c, action->u.resolve.token);
        break;
    case VN_ACT_READ_STOP:
    case VN_ACT_READ_START:
    case VN_ACT_COUNT:
        break;
    }
    return chain_end(&c);
}

uint64_t node_hash_drained(uint64_t hash)
{
    return hash * UINT64_C(0x9e3779b97f4a7c15) + DRAINED_MARK;
}
