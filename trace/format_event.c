/* Events as bytes: the body of a record, but for its first byte's kind; see format.h and README.md.
 *
 * Writing goes forward into room that the caller made for format_event_bound. Reading trusts
 * nothing: counts are checked against the bytes that are left before anything is made of them, and
 * what could be said in two ways is accepted in one, so that what was read writes to the same
 * bytes again. */
#include "trace/format.h"

#include <stdlib.h>

/* An address: how it is told, then the IP address and the port. */
enum { ADDR_NONE = 0, ADDR_V4 = 4, ADDR_V6 = 6, ADDR_RAW = 255 };

#define ADDR_MAX 21u /* the raw form */

/* The first byte, the time, and at most four numbers and two addresses. */
#define FIELDS_MAX (1 + VARINT_MAX + 4 * VARINT_MAX + 2 * ADDR_MAX)

/* ---- addresses ---- */

static bool all_zero(const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (p[i] != 0)
            return false;
    return true;
}

static uint8_t addr_form(const struct vn_addr *addr)
{
    if (addr->zero != 0)
        return ADDR_RAW;
    if (addr->family == VN_AF_IPV4)
        return all_zero(addr->ip + 4, 12) ? ADDR_V4 : ADDR_RAW;
    if (addr->family == VN_AF_IPV6)
        return ADDR_V6;
    return addr->family == VN_AF_NONE && addr->port == 0 && all_zero(addr->ip, 16) ? ADDR_NONE
                                                                                   : ADDR_RAW;
}

static uint8_t *put_addr(uint8_t *out, const struct vn_addr *addr)
{
    const uint8_t form = addr_form(addr);
    const size_t len = form == ADDR_NONE ? 0 : form == ADDR_V4 ? 4 : 16;
    *out++ = form;
    if (form == ADDR_RAW) {
        *out++ = addr->family;
        *out++ = addr->zero;
    }
    if (form == ADDR_NONE)
        return out;
    memcpy(out, addr->ip, len);
    put_le16(out + len, addr->port);
    return out + len + 2;
}

static struct vn_addr read_addr(struct reader *r)
{
    struct vn_addr addr = {0};
    const uint8_t form = reader_u8(r);
    if (form == ADDR_RAW) {
        addr.family = reader_u8(r);
        addr.zero = reader_u8(r);
    } else {
        addr.family = form; /* they are enum vn_family's numbers */
    }
    if (form == ADDR_NONE)
        return addr;
    const size_t len = form == ADDR_V4 ? 4 : 16;
    const uint8_t *ip = reader_take(r, len);
    if (ip)
        memcpy(addr.ip, ip, len);
    addr.port = reader_le16(r);
    r->ok = r->ok && addr_form(&addr) == form;
    return addr;
}

/* ---- writing ---- */

uint64_t format_event_bound(const struct vn_event *event)
{
    const uint64_t too_much = UINT64_MAX;
    uint64_t bytes = FIELDS_MAX;
    switch ((enum vn_event_kind)event->kind) {
    case VN_EV_BYTES:
        return bytes + event->u.bytes.data.len;
    case VN_EV_COMMAND:
        return bytes + event->u.command.command->data.len;
    case VN_EV_LOADED:
        if (event->u.loaded.count > FORMAT_LIST_MAX)
            return too_much;
        for (uint32_t i = 0; i < event->u.loaded.count; i++)
            bytes += VARINT_MAX + (uint64_t)event->u.loaded.slices[i].len;
        return bytes;
    case VN_EV_RESOLVED:
        if (event->u.resolved.count > FORMAT_LIST_MAX)
            return too_much;
        return bytes + (uint64_t)event->u.resolved.count * ADDR_MAX;
    case VN_EV_START:
    case VN_EV_LINK_UP:
    case VN_EV_LINK_DOWN:
    case VN_EV_SENT:
    case VN_EV_TIMER:
    case VN_EV_CLOCK:
    case VN_EV_STORED:
    case VN_EV_COUNT:
        break;
    }
    return bytes;
}

static uint8_t *put_slice(uint8_t *out, struct vn_slice slice)
{
    if (slice.len > 0)
        memcpy(out, vn_slice_data(slice), slice.len);
    return out + slice.len;
}

static uint8_t *put_loaded(uint8_t *out, const struct vn_event *event)
{
    out = put_varint(out, event->u.loaded.token);
    out = put_varint(out, event->u.loaded.status);
    out = put_varint(out, event->u.loaded.count);
    for (uint32_t i = 0; i < event->u.loaded.count; i++) {
        out = put_varint(out, event->u.loaded.slices[i].len);
        out = put_slice(out, event->u.loaded.slices[i]);
    }
    return out;
}

static uint8_t *put_resolved(uint8_t *out, const struct vn_event *event)
{
    out = put_varint(out, event->u.resolved.token);
    out = put_varint(out, event->u.resolved.status);
    out = put_varint(out, event->u.resolved.count);
    for (uint32_t i = 0; i < event->u.resolved.count; i++)
        out = put_addr(out, &event->u.resolved.addrs[i]);
    return out;
}

static uint8_t *put_command(uint8_t *out, const struct vn_event *event)
{
    const struct vn_command *command = event->u.command.command;
    out = put_varint(out, event->u.command.token);
    out = put_varint(out, command->kind);
    out = put_varint(out, command->reserved);
    out = put_varint(out, command->number);
    out = put_addr(out, &command->addr);
    return put_slice(out, command->data);
}

static uint8_t *put_fields(uint8_t *out, const struct vn_event *event)
{
    switch ((enum vn_event_kind)event->kind) {
    case VN_EV_BYTES:
        out = put_varint(out, event->u.bytes.link);
        return put_slice(out, event->u.bytes.data);
    case VN_EV_SENT:
        out = put_varint(out, event->u.sent.link);
        return put_varint(out, event->u.sent.bytes);
    case VN_EV_LINK_UP:
        out = put_varint(out, event->u.link_up.link);
        out = put_varint(out, event->u.link_up.window);
        out = put_addr(out, &event->u.link_up.local);
        return put_addr(out, &event->u.link_up.remote);
    case VN_EV_LINK_DOWN:
        out = put_varint(out, event->u.link_down.link);
        return put_varint(out, event->u.link_down.why);
    case VN_EV_CLOCK:
        put_le64(out, event->u.clock.wall_ns);
        return out + 8;
    case VN_EV_STORED:
        out = put_varint(out, event->u.stored.token);
        return put_varint(out, event->u.stored.status);
    case VN_EV_LOADED:
        return put_loaded(out, event);
    case VN_EV_RESOLVED:
        return put_resolved(out, event);
    case VN_EV_COMMAND:
        return put_command(out, event);
    case VN_EV_START:
    case VN_EV_TIMER:
        return out;
    case VN_EV_COUNT:
        break;
    }
    return put_varint(out, event->kind);
}

static bool is_known(uint32_t kind)
{
    return kind >= VN_EV_START && kind < VN_EV_COUNT;
}

uint8_t *format_event_write(uint8_t *out, const struct vn_event *event, uint64_t before_ns,
                            bool drained)
{
    const uint32_t kind = is_known(event->kind) ? event->kind : FORMAT_OTHER;
    *out++ = (uint8_t)(kind | (drained ? FORMAT_DRAINED : 0));
    out = put_varint(out, zigzag(event->now_ns - before_ns));
    return put_fields(out, event);
}

/* ---- reading ---- */

static uint32_t reader_u32(struct reader *r)
{
    const uint64_t v = reader_varint(r);
    r->ok = r->ok && v <= UINT32_MAX;
    return r->ok ? (uint32_t)v : 0;
}

/* The next len bytes in a buffer of their own. */
static struct vn_slice read_slice(struct reader *r, uint64_t len)
{
    const uint8_t *data = len <= UINT32_MAX ? reader_take(r, len) : NULL;
    if (!data || len == 0) {
        r->ok = r->ok && len == 0;
        return (struct vn_slice){0};
    }
    struct vn_buf *buf = vn_buf_new((uint32_t)len);
    memcpy(buf->data, data, len);
    return (struct vn_slice){buf, 0, (uint32_t)len};
}

/* Room for one more element of an array, which doubles. */
static void *with_room(void *array, uint32_t *room, uint32_t count, size_t size)
{
    if (count < *room)
        return array;
    *room = *room ? 2 * *room : 16;
    array = realloc(array, *room * size);
    if (!array)
        abort();
    return array;
}

static uint32_t read_count(struct reader *r)
{
    const uint32_t count = reader_u32(r); /* each element takes a byte at least */
    r->ok = r->ok && count <= FORMAT_LIST_MAX && count <= reader_left(r);
    return r->ok ? count : 0;
}

/* The count grows with what has been read, so that what was made is given back on failure. */
static void read_loaded(struct format_event *out, struct reader *r)
{
    struct vn_event *event = &out->event;
    event->u.loaded.token = reader_varint(r);
    event->u.loaded.status = reader_u32(r);
    const uint32_t count = read_count(r);
    for (uint32_t i = 0; i < count && r->ok; i++) {
        out->slices = with_room(out->slices, &out->slice_room, i, sizeof *out->slices);
        out->slices[i] = read_slice(r, reader_varint(r));
        event->u.loaded.count = i + 1;
    }
    event->u.loaded.slices = out->slices;
}

static void read_resolved(struct format_event *out, struct reader *r)
{
    struct vn_event *event = &out->event;
    event->u.resolved.token = reader_varint(r);
    event->u.resolved.status = reader_u32(r);
    event->u.resolved.count = read_count(r);
    for (uint32_t i = 0; i < event->u.resolved.count && r->ok; i++) {
        out->addrs = with_room(out->addrs, &out->addr_room, i, sizeof *out->addrs);
        out->addrs[i] = read_addr(r);
    }
    event->u.resolved.addrs = out->addrs;
}

static void read_command(struct format_event *out, struct reader *r)
{
    out->event.u.command.token = reader_varint(r);
    out->command = (struct vn_command){.kind = reader_u32(r)};
    out->command.reserved = reader_u32(r);
    out->command.number = reader_varint(r);
    out->command.addr = read_addr(r);
    out->command.data = read_slice(r, reader_left(r));
    out->event.u.command.command = &out->command;
}

static void read_fields(struct format_event *out, struct reader *r)
{
    struct vn_event *event = &out->event;
    switch ((enum vn_event_kind)event->kind) {
    case VN_EV_BYTES:
        event->u.bytes.link = reader_varint(r);
        event->u.bytes.data = read_slice(r, reader_left(r));
        break;
    case VN_EV_SENT:
        event->u.sent.link = reader_varint(r);
        event->u.sent.bytes = reader_varint(r);
        break;
    case VN_EV_LINK_UP:
        event->u.link_up.link = reader_varint(r);
        event->u.link_up.window = reader_u32(r);
        event->u.link_up.local = read_addr(r);
        event->u.link_up.remote = read_addr(r);
        break;
    case VN_EV_LINK_DOWN:
        event->u.link_down.link = reader_varint(r);
        event->u.link_down.why = reader_u32(r);
        break;
    case VN_EV_CLOCK:
        event->u.clock.wall_ns = reader_le64(r);
        break;
    case VN_EV_STORED:
        event->u.stored.token = reader_varint(r);
        event->u.stored.status = reader_u32(r);
        break;
    case VN_EV_LOADED:
        read_loaded(out, r);
        break;
    case VN_EV_RESOLVED:
        read_resolved(out, r);
        break;
    case VN_EV_COMMAND:
        read_command(out, r);
        break;
    case VN_EV_START:
    case VN_EV_TIMER:
    case VN_EV_COUNT:
        break;
    }
}

/* Gives the buffers back; the arrays stay for the next event. */
static void forget(struct format_event *out)
{
    if (out->event.kind == VN_EV_BYTES)
        vn_slice_unref(out->event.u.bytes.data);
    if (out->event.kind == VN_EV_COMMAND)
        vn_slice_unref(out->command.data);
    if (out->event.kind == VN_EV_LOADED)
        for (uint32_t i = 0; i < out->event.u.loaded.count; i++)
            vn_slice_unref(out->slices[i]);
    out->event = (struct vn_event){0};
    out->command = (struct vn_command){0};
}

bool format_event_read(struct format_event *out, struct reader *r, uint32_t kind,
                       uint64_t before_ns)
{
    forget(out);
    out->event.size = sizeof out->event;
    out->event.now_ns = before_ns + unzigzag(reader_varint(r));
    if (kind == FORMAT_OTHER) {
        out->event.kind = reader_u32(r);
        r->ok = r->ok && !is_known(out->event.kind);
    } else {
        out->event.kind = kind;
        r->ok = r->ok && is_known(kind);
        if (r->ok)
            read_fields(out, r);
    }
    return r->ok && reader_left(r) == 0;
}

void format_event_deinit(struct format_event *event)
{
    forget(event);
    free(event->slices);
    free(event->addrs);
    *event = (struct format_event){0};
}
