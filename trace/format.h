/* The bytes of a capture, as README.md tells them: what its writer and its reader share, inside
 * this folder.
 *
 * A file is a header and records. A record is its size, a check, and a body:
 *
 *     size    varint, never 0, of one to four bytes; its first byte is written last of all
 *     check   u32: the low half of the chain after this body
 *     body    a byte (enum format_kind, and FORMAT_DRAINED), then what the kind has
 *
 * The chain is 64 bits worked out over all bodies so far, from the header's check on: a record that
 * was changed, moved, left out or put in breaks it. A first byte of 0 is where the writer stopped:
 * what was written before it is whole, in whatever moment the process was killed. */
#ifndef TRACE_FORMAT_H
#define TRACE_FORMAT_H

#include "core/node.h"
#include "core/wire/cursor.h"

#define FORMAT_MAGIC   "VNCAPTUR" /* 8 bytes */
#define FORMAT_VERSION 1u

#define FORMAT_REDACTED 1u /* a flag of the header */

/* magic, version, flags, API version, length of the description; then that, then its check. */
#define FORMAT_HEAD            24u
#define FORMAT_HEAD_CHECK      8u
#define FORMAT_DESCRIPTION_MAX (4u << 20)

#define FORMAT_SIZE_MAX 4u /* bytes of a record's size */
#define FORMAT_BODY_MAX (128u << 20)
#define FORMAT_LIST_MAX (1u << 20) /* slices or addresses in one event */

/* Below 32 it is enum vn_event_kind. */
enum format_kind {
    FORMAT_OTHER = 60, /* an event of a kind that the core does not know */
    FORMAT_HASH,       /* u64: the node's hash at this place */
    FORMAT_END,        /* the same, and the last record */
    FORMAT_DRAIN       /* a drain that no other record tells of */
};

#define FORMAT_DRAINED 0x80u /* in a body's first byte: a drain came before it */
#define FORMAT_KIND    0x3fu

/* ---- varints: seven bits a byte, low ones first ---- */

#define VARINT_MAX 10u

static inline uint8_t *put_varint(uint8_t *out, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        *out++ = (uint8_t)(v | 0x80);
    *out++ = (uint8_t)v;
    return out;
}

/* In its shortest form only, so that there is one encoding of everything. */
static inline uint64_t reader_varint(struct reader *r)
{
    uint64_t v = 0;
    for (uint32_t shift = 0; shift < 64; shift += 7) {
        const uint8_t byte = reader_u8(r);
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            const bool shortest = byte != 0 || shift == 0;
            const bool fits = shift < 63 || byte <= 1;
            r->ok = r->ok && shortest && fits;
            return r->ok ? v : 0;
        }
    }
    r->ok = false;
    return 0;
}

/* A difference as a varint: small ones of either sign are short. */
static inline uint64_t zigzag(uint64_t difference)
{
    return difference << 1 ^ (difference >> 63 ? UINT64_MAX : 0);
}

static inline uint64_t unzigzag(uint64_t v)
{
    return v >> 1 ^ (v & 1 ? UINT64_MAX : 0);
}

/* ---- the chain ---- */

uint64_t format_chain(uint64_t chain, const uint8_t *body, size_t len);

/* ---- the header: format_header.c ---- */

struct format_header {
    uint32_t flags, api_version;
    char build[256];
    struct vn_config config; /* its seeds point to the following */
    struct vn_addr *seeds;   /* to be freed */
    char note[512];          /* fields that the file does not have, in words; or "" */
    uint64_t check;          /* where the chain begins */
    size_t size;             /* in the file */
};

/* Writes a header to out, which has room for cap bytes; returns how many it takes, and tells where
 * the chain begins. Called with cap 0 it only counts. */
size_t format_header_write(uint8_t *out, size_t cap, const struct vn_config *config,
                           const char *build, uint32_t flags, uint64_t *check);

/* How long a file's header is, from its first FORMAT_HEAD bytes; 0, with a line in why, if this is
 * no capture, or one that cannot be read here. */
size_t format_header_size(const uint8_t *data, size_t len, char *why, size_t size);

/* Reads a whole header. False with a line in why and nothing to free. */
bool format_header_read(struct format_header *header, const uint8_t *data, size_t len, char *why,
                        size_t size);

/* ---- events: format_event.c ---- */

/* Bytes that a body takes at most; more than FORMAT_BODY_MAX if it may not be written. */
uint64_t format_event_bound(const struct vn_event *event);

/* Writes the body; returns its end. */
uint8_t *format_event_write(uint8_t *out, const struct vn_event *event, uint64_t before_ns,
                            bool drained);

/* A decoded event and all that it points to. */
struct format_event {
    struct vn_event event;
    struct vn_command command;
    struct vn_slice *slices;
    struct vn_addr *addrs;
    uint32_t slice_room, addr_room;
};

/* Reads a body from behind its first byte, whose kind is given. Buffers are fresh ones. False if it
 * makes no sense. The last event's are given back first. */
bool format_event_read(struct format_event *out, struct reader *r, uint32_t kind,
                       uint64_t before_ns);
void format_event_deinit(struct format_event *event);

#endif
