/* Captures that somebody else made. The first byte of an input says what the rest is: a whole file;
 * the description in a header whose check is right; or the bodies of records whose checks are
 * right, each behind two bytes of its length. Then the reader takes them apart, and
 *
 * - each event that it makes of a body writes to that body again, byte by byte;
 * - it ends where a body makes no sense, and says so;
 * - a file in which one byte is changed reads as a prefix of what it was, and not as a whole. */
#define XXH_INLINE_ALL
#include "tests/fuzz/input.h"
#include "trace/capture.h"
#include "trace/format.h"

#include <xxhash.h>

#define FILE_MAX_BYTES (1u << 17)
#define RECORDS_MAX    4096u

struct file {
    uint8_t bytes[FILE_MAX_BYTES];
    size_t len, header;
    struct {
        size_t at, len; /* of a body */
    } records[RECORDS_MAX];
    uint32_t count;
};

static void begin(struct file *f)
{
    struct vn_config config;
    uint64_t check;
    vn_config_init(&config);
    strcpy(config.node_id, "fuzzed");
    f->header = f->len = format_header_write(f->bytes, sizeof f->bytes, &config, "b", 0, &check);
    f->count = 0;
}

/* Puts bodies behind the header, each with its size and the check that is due. */
static void put_records(struct file *f, struct input *in)
{
    uint64_t chain = get_le64(f->bytes + f->len - FORMAT_HEAD_CHECK);
    while (input_left(in) > 2 && f->count < RECORDS_MAX) {
        size_t len = input_u16(in) % 8192u + 1u;
        const uint8_t *body = input_bytes(in, &len);
        if (len == 0 || f->len + len + FORMAT_SIZE_MAX + 4 > sizeof f->bytes)
            break;
        uint8_t *at = put_varint(f->bytes + f->len, len);
        chain = format_chain(chain, body, len);
        put_le32(at, (uint32_t)chain);
        memcpy(at + 4, body, len);
        f->records[f->count].at = (size_t)(at + 4 - f->bytes);
        f->records[f->count++].len = len;
        f->len = (size_t)(at + 4 + len - f->bytes);
    }
}

static uint64_t story(uint64_t so_far, const struct capture_record *record)
{
    uint8_t body[1024] = {0};
    size_t len = 1;
    if (record->kind == CAPTURE_EVENT && format_event_bound(&record->event) <= sizeof body)
        len = (size_t)(format_event_write(body, &record->event, 0, false) - body);
    return so_far * 31 + XXH3_64bits(body, len) + record->kind + record->hash;
}

/* What the reader says of the file, up to so many records. */
static uint64_t read_all(const uint8_t *data, size_t len, uint64_t most, uint64_t *count,
                         bool *whole)
{
    char why[400] = "";
    struct capture_record record;
    struct capture_reader *r = capture_reader_over(data, len, why, sizeof why);
    uint64_t hash = 0;
    *count = 0;
    *whole = false;
    CLAIM(r || why[0], "a refusal has no reason");
    while (r && *count < most && capture_reader_next(r, &record)) {
        hash = story(hash, &record);
        ++*count;
        *whole = record.kind == CAPTURE_END;
    }
    CLAIM(!r || *count == most || *whole || capture_reader_torn(r), "neither whole nor torn");
    capture_reader_free(r);
    return hash;
}

/* Writes the record again behind the drain that came with it. */
static void compare(const struct file *f, uint32_t i, const struct capture_record *record,
                    uint64_t before_ns, bool drained)
{
    static uint8_t body[FILE_MAX_BYTES + 1024];
    CLAIM(i < f->count, "a record too many");
    if (record->kind != CAPTURE_EVENT)
        return;
    CLAIM(format_event_bound(&record->event) <= sizeof body, "an event grew");
    const size_t len =
        (size_t)(format_event_write(body, &record->event, before_ns, drained) - body);
    CLAIM(len <= format_event_bound(&record->event), "a bound is no bound");
    CLAIM(len == f->records[i].len, "an event has two lengths");
    CLAIM(memcmp(body, f->bytes + f->records[i].at, len) == 0, "an event has two encodings");
}

static void check_records(const struct file *f)
{
    char why[400];
    struct capture_record record;
    struct capture_reader *r = capture_reader_over(f->bytes, f->len, why, sizeof why);
    uint32_t i = 0;
    uint64_t before_ns = 0;
    bool drained = false, ended = false;
    CLAIM(r, "a good header is refused");
    while (capture_reader_next(r, &record)) {
        CLAIM(!ended, "a record behind the end");
        const uint8_t first = i < f->count ? f->bytes[f->records[i].at] : 0;
        if (record.kind == CAPTURE_DRAINED && (first & FORMAT_DRAINED) && !drained) {
            drained = true;
            continue;
        }
        compare(f, i++, &record, before_ns, drained);
        if (record.kind == CAPTURE_EVENT)
            before_ns = record.event.now_ns;
        ended = record.kind == CAPTURE_END;
        drained = false;
    }
    CLAIM(ended || capture_reader_torn(r), "neither whole nor torn");
    CLAIM(ended || i == f->count || capture_reader_damage(r)[0], "damage is not told");
    CLAIM(ended || i < f->count || !capture_reader_damage(r)[0], "damage that is none");
    capture_reader_free(r);
}

/* One byte of the file is another one. */
static void check_change(struct file *f, size_t at, uint8_t mask)
{
    uint64_t counts[2];
    bool whole[2];
    read_all(f->bytes, f->len, UINT64_MAX, &counts[0], &whole[0]);
    f->bytes[at % f->len] ^= mask ? mask : 1;
    const uint64_t changed = read_all(f->bytes, f->len, UINT64_MAX, &counts[1], &whole[1]);
    f->bytes[at % f->len] ^= mask ? mask : 1;
    if (counts[1] > counts[0] || (whole[1] && !whole[0]))
        CLAIM(false, "a change makes more of a file");
    uint64_t count;
    bool end;
    CLAIM(read_all(f->bytes, f->len, counts[1], &count, &end) == changed,
          "a changed file is no prefix");
}

/* A header with this description. */
static void check_description(struct input *in)
{
    static uint8_t bytes[FILE_MAX_BYTES];
    size_t len = sizeof bytes - FORMAT_HEAD - FORMAT_HEAD_CHECK;
    uint64_t count;
    bool whole;
    const uint8_t *description = input_bytes(in, &len);
    memcpy(bytes, FORMAT_MAGIC, 8);
    put_le32(bytes + 8, FORMAT_VERSION);
    put_le32(bytes + 12, 0);
    put_le32(bytes + 16, VN_API_VERSION);
    put_le32(bytes + 20, (uint32_t)len);
    memcpy(bytes + FORMAT_HEAD, description, len);
    put_le64(bytes + FORMAT_HEAD + len, XXH3_64bits(bytes, FORMAT_HEAD + len));
    read_all(bytes, FORMAT_HEAD + len + FORMAT_HEAD_CHECK, UINT64_MAX, &count, &whole);
    CLAIM(count == 0 && !whole, "records out of nothing");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct file file;
    struct input in = {data, size};
    uint64_t count;
    bool whole;
    const uint8_t mode = input_u8(&in);
    if (mode % 8 == 1) {
        read_all(in.at, in.left, UINT64_MAX, &count, &whole);
        return 0;
    }
    if (mode % 8 == 2) {
        check_description(&in);
        return 0;
    }
    const uint16_t at = input_u16(&in);
    const uint8_t mask = input_u8(&in);
    begin(&file);
    put_records(&file, &in);
    check_records(&file);
    check_change(&file, file.header + at, mask);
    return 0;
}
