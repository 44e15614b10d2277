/* A read cursor over bytes that stays failed: read all fields, check `ok` once (after Core
 * Lightning's fromwire). A failed read gives zeros and moves nothing. And a write cursor that
 * counts what it would need. bincode 1.3 fixed-width integers; see PROTOCOL-0.1 section 2. */
#ifndef WIRE_CURSOR_H
#define WIRE_CURSOR_H

#include "core/base/bytes.h"

#include <stddef.h>

struct reader {
    const uint8_t *at;
    const uint8_t *end;
    bool ok;
};

static inline struct reader reader_over(const uint8_t *data, size_t len)
{
    /* Nothing may be a null pointer, to which C adds not even 0. */
    return (struct reader){.at = data, .end = len ? data + len : data, .ok = true};
}

static inline size_t reader_left(const struct reader *r)
{
    return (size_t)(r->end - r->at);
}

/* The next len bytes, borrowed; NULL when there are fewer. */
static inline const uint8_t *reader_take(struct reader *r, uint64_t len)
{
    if (!r->ok || len > reader_left(r)) {
        r->ok = false;
        return NULL;
    }
    const uint8_t *p = r->at;
    r->at += len;
    return p;
}

static inline uint8_t reader_u8(struct reader *r)
{
    const uint8_t *p = reader_take(r, 1);
    return p ? *p : 0;
}

static inline uint16_t reader_le16(struct reader *r)
{
    const uint8_t *p = reader_take(r, 2);
    return p ? get_le16(p) : 0;
}

static inline uint32_t reader_le32(struct reader *r)
{
    const uint8_t *p = reader_take(r, 4);
    return p ? get_le32(p) : 0;
}

static inline uint64_t reader_le64(struct reader *r)
{
    const uint8_t *p = reader_take(r, 8);
    return p ? get_le64(p) : 0;
}

static inline u128 reader_le128(struct reader *r)
{
    const uint8_t *p = reader_take(r, 16);
    return p ? get_le128(p) : 0;
}

/* Writes into data[0..cap); `len` counts on past cap, so that a first pass with cap 0 measures. */
struct writer {
    uint8_t *data;
    size_t cap;
    size_t len;
};

static inline void writer_put(struct writer *w, const void *bytes, size_t n)
{
    if (n != 0 && w->len <= w->cap && n <= w->cap - w->len)
        memcpy(w->data + w->len, bytes, n);
    w->len += n;
}

static inline void writer_u8(struct writer *w, uint8_t v)
{
    writer_put(w, &v, 1);
}

static inline void writer_le16(struct writer *w, uint16_t v)
{
    uint8_t b[2];
    put_le16(b, v);
    writer_put(w, b, sizeof b);
}

static inline void writer_le32(struct writer *w, uint32_t v)
{
    uint8_t b[4];
    put_le32(b, v);
    writer_put(w, b, sizeof b);
}

static inline void writer_le64(struct writer *w, uint64_t v)
{
    uint8_t b[8];
    put_le64(b, v);
    writer_put(w, b, sizeof b);
}

static inline void writer_le128(struct writer *w, u128 v)
{
    uint8_t b[16];
    put_le128(b, v);
    writer_put(w, b, sizeof b);
}

#endif
