/* A capture's header: who made it, and the configuration of its node, field by field, each with its
 * name; and the chain that runs through the records.
 *
 * Names make a file that tells of itself. A field that this build does not have is refused by its
 * name: without it the node would be another one. A field that the file does not have, since an
 * older build made it, is given its default, and the note says so. */
#define XXH_INLINE_ALL
#include "trace/format.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

enum field_type { TYPE_NUMBER, TYPE_BYTES, TYPE_TEXT, TYPE_ADDR };

struct field {
    const char *name;
    size_t at, size; /* in struct vn_config */
    enum field_type type;
};

#define FIELD(name, type)                                                                          \
    {                                                                                              \
#name, offsetof(struct vn_config, name), sizeof(((struct vn_config *)0)->name), type       \
    }
#define NUMBER(name) FIELD(name, TYPE_NUMBER)

/* All of struct vn_config but size, seeds (seeds_name below), shared, on_trace and trace_ctx. */
static const struct field fields[] = {
    NUMBER(ban_by),
    FIELD(seed, TYPE_BYTES),
    FIELD(node_id, TYPE_TEXT),
    FIELD(version, TYPE_TEXT),
    FIELD(listen, TYPE_ADDR),
    NUMBER(max_outbound),
    NUMBER(max_inbound),
    NUMBER(known_peers),
    NUMBER(genesis_timestamp),
    NUMBER(difficulty),
    NUMBER(connect_timeout_ns),
    NUMBER(handshake_timeout_ns),
    NUMBER(ping_after_ns),
    NUMBER(idle_timeout_ns),
    NUMBER(response_timeout_ns),
    NUMBER(stall_timeout_ns),
    NUMBER(backoff_base_ns),
    NUMBER(give_up_after),
    NUMBER(probe_retries),
    NUMBER(retry_failed_ns),
    NUMBER(feeler_interval_ns),
    NUMBER(sync_interval_ns),
    NUMBER(ban_ns),
    NUMBER(mine_interval_ns),
    NUMBER(mine_max_txs),
    NUMBER(mempool_max),
    NUMBER(mempool_per_sender),
    NUMBER(mempool_bytes_max),
    NUMBER(orphans_max),
    NUMBER(cached_blocks),
    NUMBER(orphan_bytes_max),
    NUMBER(outbox_soft),
    NUMBER(outbox_hard),
    NUMBER(peer_bytes_max),
    NUMBER(score_half_life_ns),
    NUMBER(max_pending),
    NUMBER(max_inbound_per_ip),
    NUMBER(accept_rate),
    NUMBER(accept_burst),
    NUMBER(ping_rate),
    NUMBER(ping_burst),
    NUMBER(block_rate),
    NUMBER(block_burst),
    NUMBER(tx_rate),
    NUMBER(tx_burst),
    NUMBER(serve_rate),
    NUMBER(serve_burst),
    NUMBER(unasked_rate),
    NUMBER(unasked_burst),
    NUMBER(trace_mask),
    NUMBER(hash),
};

#define FIELDS (sizeof fields / sizeof *fields)

static const char seeds_name[] = "seeds";

_Static_assert(FIELDS < 64, "which fields were read is kept in the bits of a u64");

uint64_t format_chain(uint64_t chain, const uint8_t *body, size_t len)
{
    /* The high half is folded into the low one, which is what a record shows; the multiplier is
     * XXH_PRIME64_1. */
    return (chain ^ chain >> 32) * UINT64_C(0x9e3779b185ebca87) ^ XXH3_64bits(body, len);
}

/* ---- writing ---- */

/* A name or the build: one byte of length. */
static void put_short(struct writer *w, const char *text)
{
    size_t len = strlen(text);
    if (len > 255)
        len = 255;
    writer_u8(w, (uint8_t)len);
    writer_put(w, text, len);
}

static void put_addr(struct writer *w, const struct vn_addr *addr)
{
    writer_u8(w, addr->family);
    writer_put(w, addr->ip, sizeof addr->ip);
    writer_le16(w, addr->port);
}

#define ADDR_SIZE 19u

static void put_field(struct writer *w, const struct vn_config *config, const struct field *field)
{
    const uint8_t *at = (const uint8_t *)config + field->at;
    struct vn_addr addr;
    uint32_t u32;
    uint64_t u64;
    size_t len = field->type == TYPE_TEXT ? strnlen((const char *)at, field->size) : field->size;
    put_short(w, field->name);
    writer_le32(w, field->type == TYPE_ADDR ? ADDR_SIZE : (uint32_t)len);
    switch (field->type) {
    case TYPE_BYTES:
    case TYPE_TEXT:
        writer_put(w, at, len);
        return;
    case TYPE_ADDR:
        memcpy(&addr, at, sizeof addr);
        put_addr(w, &addr);
        return;
    case TYPE_NUMBER:
        break;
    }
    if (field->size == sizeof u32) {
        memcpy(&u32, at, sizeof u32);
        writer_le32(w, u32);
    } else {
        memcpy(&u64, at, sizeof u64);
        writer_le64(w, u64);
    }
}

static void put_description(struct writer *w, const struct vn_config *config, const char *build)
{
    put_short(w, build);
    for (size_t i = 0; i < FIELDS; i++)
        put_field(w, config, &fields[i]);
    put_short(w, seeds_name);
    writer_le32(w, config->seed_count * ADDR_SIZE);
    for (uint32_t i = 0; i < config->seed_count; i++)
        put_addr(w, &config->seeds[i]);
}

size_t format_header_write(uint8_t *out, size_t cap, const struct vn_config *config,
                           const char *build, uint32_t flags, uint64_t *check)
{
    struct writer counter = {0}, w = {.data = out, .cap = cap};
    put_description(&counter, config, build);
    const size_t size = FORMAT_HEAD + counter.len + FORMAT_HEAD_CHECK;
    *check = 0;
    if (size > cap)
        return size;
    writer_put(&w, FORMAT_MAGIC, 8);
    writer_le32(&w, FORMAT_VERSION);
    writer_le32(&w, flags);
    writer_le32(&w, VN_API_VERSION);
    writer_le32(&w, (uint32_t)counter.len);
    put_description(&w, config, build);
    *check = XXH3_64bits(out, w.len);
    writer_le64(&w, *check);
    return size;
}

/* ---- reading ---- */

size_t format_header_size(const uint8_t *data, size_t len, char *why, size_t size)
{
    static const uint8_t nothing[8];
    struct reader r = reader_over(data, len);
    const uint8_t *magic = reader_take(&r, 8);
    const uint32_t version = reader_le32(&r);
    reader_le32(&r);
    reader_le32(&r);
    const uint32_t description = reader_le32(&r);
    if (magic && memcmp(magic, nothing, 8) == 0)
        snprintf(why, size, "is empty: what was to write it was ended before it began");
    else if (!magic || memcmp(magic, FORMAT_MAGIC, 8) != 0)
        snprintf(why, size, "is no capture of a node");
    else if (r.ok && version != FORMAT_VERSION)
        snprintf(why, size,
                 "is a capture of format %u, and this program reads format %u: use the "
                 "version that made it",
                 version, FORMAT_VERSION);
    else if (r.ok && description > FORMAT_DESCRIPTION_MAX)
        snprintf(why, size, "is damaged: its header says that it is of %u bytes", description);
    else if (!r.ok)
        snprintf(why, size, "is cut off in its header");
    else
        return FORMAT_HEAD + (size_t)description + FORMAT_HEAD_CHECK;
    return 0;
}

static bool read_short(struct reader *r, char out[256])
{
    const uint8_t len = reader_u8(r);
    const uint8_t *text = reader_take(r, len);
    if (text)
        memcpy(out, text, len);
    out[text ? len : 0] = 0;
    return text && strlen(out) == len;
}

static bool read_addr(struct reader *r, struct vn_addr *out)
{
    *out = (struct vn_addr){.family = reader_u8(r)};
    const uint8_t *ip = reader_take(r, sizeof out->ip);
    if (ip)
        memcpy(out->ip, ip, sizeof out->ip);
    out->port = reader_le16(r);
    return r->ok;
}

/* A number of up to eight bytes, of whatever width it was in the build that wrote it. */
static bool read_number(struct reader *r, uint8_t *to, size_t size)
{
    uint64_t v = 0;
    const size_t len = reader_left(r);
    const uint8_t *bytes = reader_take(r, len);
    if (len == 0 || len > 8)
        return false;
    for (size_t i = len; i-- > 0;)
        v = v << 8 | bytes[i];
    const uint32_t u32 = (uint32_t)v;
    if (size == sizeof u32)
        memcpy(to, &u32, sizeof u32);
    else
        memcpy(to, &v, sizeof v);
    return size == sizeof v || v <= UINT32_MAX;
}

/* What is to be in the field, and nothing behind it. */
static bool read_field(struct reader *r, struct vn_config *config, const struct field *field)
{
    uint8_t *to = (uint8_t *)config + field->at;
    struct vn_addr addr;
    const size_t len = reader_left(r);
    const uint8_t *bytes = r->at;
    switch (field->type) {
    case TYPE_NUMBER:
        return read_number(r, to, field->size);
    case TYPE_BYTES:
        if (len == field->size)
            memcpy(to, bytes, len);
        return len == field->size;
    case TYPE_TEXT:
        if (len >= field->size || (len > 0 && memchr(bytes, 0, len)))
            return false;
        memset(to, 0, field->size);
        if (len > 0)
            memcpy(to, bytes, len);
        return true;
    case TYPE_ADDR:
        if (len != ADDR_SIZE || !read_addr(r, &addr))
            return false;
        memcpy(to, &addr, sizeof addr);
        return true;
    }
    return false;
}

static bool read_seeds(struct reader *r, struct format_header *header)
{
    const size_t count = reader_left(r) / ADDR_SIZE;
    if (header->seeds || count * ADDR_SIZE != reader_left(r))
        return false;
    header->seeds = calloc(count + 1, sizeof *header->seeds);
    if (!header->seeds)
        return false;
    for (size_t i = 0; i < count; i++)
        read_addr(r, &header->seeds[i]);
    header->config.seeds = count ? header->seeds : NULL;
    header->config.seed_count = (uint32_t)count;
    return true;
}

/* Names the fields that were not there. */
static void note_missing(struct format_header *header, uint64_t seen)
{
    size_t at = 0;
    for (size_t i = 0; i < FIELDS && at < sizeof header->note; i++)
        if (!(seen & UINT64_C(1) << i))
            at += (size_t)snprintf(header->note + at, sizeof header->note - at, "%s%s",
                                   at ? ", " : "", fields[i].name);
}

/* One name and what it stands for. */
static bool read_entry(struct reader *r, struct format_header *header, uint64_t *seen, char *why,
                       size_t size)
{
    char name[256];
    const bool named = read_short(r, name);
    const uint32_t len = reader_le32(r);
    const uint8_t *value = reader_take(r, len);
    if (!named || !value) {
        snprintf(why, size, "is damaged: its header does not add up");
        return false;
    }
    struct reader in = reader_over(value, len);
    size_t i = 0;
    while (i < FIELDS && strcmp(name, fields[i].name) != 0)
        i++;
    bool good = i < FIELDS
                    ? !(*seen & UINT64_C(1) << i) && read_field(&in, &header->config, &fields[i])
                    : strcmp(name, seeds_name) == 0 && read_seeds(&in, header);
    if (i < FIELDS)
        *seen |= UINT64_C(1) << i;
    else if (!good && strcmp(name, seeds_name) != 0) {
        snprintf(why, size,
                 "has '%.60s' in its configuration, which this build does not know: use "
                 "the build that made it (%.80s), or a later one",
                 name, header->build);
        return false;
    }
    if (!good)
        snprintf(
            why, size,
            "is damaged: its configuration has '%s' twice, or a value there that makes no sense",
            name);
    return good;
}

static bool read_description(struct format_header *header, struct reader *r, char *why, size_t size)
{
    uint64_t seen = 0;
    bool good = read_short(r, header->build);
    if (!good)
        snprintf(why, size, "is damaged: its header does not name the build");
    while (good && reader_left(r) > 0)
        good = read_entry(r, header, &seen, why, size);
    note_missing(header, seen);
    return good;
}

bool format_header_read(struct format_header *header, const uint8_t *data, size_t len, char *why,
                        size_t size)
{
    *header = (struct format_header){.size = format_header_size(data, len, why, size)};
    if (header->size == 0)
        return false;
    if (header->size > len) {
        snprintf(why, size, "is cut off in its header");
        return false;
    }
    struct reader r = reader_over(data + 8, header->size - 8 - FORMAT_HEAD_CHECK);
    const size_t checked = header->size - FORMAT_HEAD_CHECK;
    header->check = get_le64(data + checked);
    if (XXH3_64bits(data, checked) != header->check) {
        snprintf(why, size, "is damaged: its header is not what was written");
        return false;
    }
    reader_le32(&r);
    header->flags = reader_le32(&r);
    header->api_version = reader_le32(&r);
    reader_le32(&r);
    vn_config_init(&header->config);
    if (read_description(header, &r, why, size))
        return true;
    free(header->seeds);
    header->seeds = NULL;
    return false;
}
