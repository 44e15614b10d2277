/* Node info, the body of a Handshake: version string, node id string, listen address; and the
 * comparison of versions. */
#include "core/wire/msg.h"

enum { ADDR_V4, ADDR_V6, ADDR_VARIANTS };

static struct bytes_view read_string(struct reader *r)
{
    const uint64_t len = reader_le64(r);
    const uint8_t *data = reader_take(r, len);

    if (!data || !wire_utf8_valid(data, (size_t)len)) {
        r->ok = false;
        return (struct bytes_view){0};
    }
    return (struct bytes_view){.data = data, .len = len};
}

static void write_string(struct writer *w, struct bytes_view s)
{
    writer_le64(w, s.len);
    writer_put(w, s.data, (size_t)s.len);
}

static struct vn_addr read_addr(struct reader *r)
{
    struct vn_addr addr = {0};
    const uint32_t variant = reader_le32(r);

    if (variant >= ADDR_VARIANTS)
        r->ok = false;
    const size_t size = variant == ADDR_V4 ? 4 : 16;
    const uint8_t *ip = reader_take(r, size);
    const uint16_t port = reader_le16(r);
    if (r->ok) {
        addr.family = variant == ADDR_V4 ? VN_AF_IPV4 : VN_AF_IPV6;
        memcpy(addr.ip, ip, size);
        addr.port = port;
    }
    return addr;
}

/* An address of no family goes out as 0.0.0.0: the wire has no form for "unknown". */
static void write_addr(struct writer *w, const struct vn_addr *addr)
{
    const bool v6 = addr->family == VN_AF_IPV6;

    writer_le32(w, v6 ? ADDR_V6 : ADDR_V4);
    writer_put(w, addr->ip, v6 ? 16 : 4);
    writer_le16(w, addr->port);
}

void wire_read_handshake(struct reader *r, struct handshake_view *out)
{
    out->version = read_string(r);
    out->node_id = read_string(r);
    out->listen = read_addr(r);
}

void wire_write_handshake(struct writer *w, const struct handshake_view *handshake)
{
    write_string(w, handshake->version);
    write_string(w, handshake->node_id);
    write_addr(w, &handshake->listen);
}

/* The text before the first dot, or all of it. */
static struct bytes_view major(struct bytes_view version)
{
    const uint8_t *dot = version.len ? memchr(version.data, '.', (size_t)version.len) : NULL;

    if (dot)
        version.len = (uint64_t)(dot - version.data);
    return version;
}

bool wire_version_compatible(struct bytes_view a, struct bytes_view b)
{
    a = major(a);
    b = major(b);
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, (size_t)a.len) == 0);
}
